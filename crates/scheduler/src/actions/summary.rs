//! What the plan means for nodes and resources, for people (rule 3.48): one entry a fenced node, at most
//! one a resource (a stop: one a node). Texts are made from it elsewhere.
//!
//! It is collected before the graph is built, because that is visible: it binds actions that have no node
//! yet, and corrects roles (rule 3.48.2).

use super::request::find;
use crate::model::{ActionId, Model, Name, NodeId, ResourceId, Task};
use crate::state;
use cib::value::Role;

/// The whole summary, in the order in which it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub nodes: Vec<NodeChange>,
    pub resources: Vec<ResourceChange>,
}

/// A node that will be fenced (or unfenced).
#[derive(Clone, Debug, PartialEq)]
pub struct NodeChange {
    pub node: NodeId,
    /// `on`, `off` or `reboot`.
    pub operation: Name,
    pub reason: Name,
    pub action: ActionId,
}

/// What happens to a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Start,
    Stop,
    Restart,
    Recover,
    Move,
    Migrate,
    Reload,
    Promote,
    Demote,
    RePromote,
}

impl Verb {
    pub fn name(self) -> &'static str {
        match self {
            Verb::Start => "Start",
            Verb::Stop => "Stop",
            Verb::Restart => "Restart",
            Verb::Recover => "Recover",
            Verb::Move => "Move",
            Verb::Migrate => "Migrate",
            Verb::Reload => "Reload",
            Verb::Promote => "Promote",
            Verb::Demote => "Demote",
            Verb::RePromote => "Re-promote",
        }
    }
}

/// One line about a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChange {
    pub verb: Verb,
    pub resource: ResourceId,
    pub origin: Option<NodeId>,
    pub destination: Option<NodeId>,
    pub current_role: Role,
    pub next_role: Role,
    /// The action whose state decides whether the change is blocked.
    pub action: Option<ActionId>,
    pub reason: Option<Name>,
    pub blocked: bool,
}

/// Collects the summary (S11).
pub(super) fn collect(model: &mut Model<'_>) -> Summary {
    let mut summary = Summary { nodes: fenced_nodes(model), resources: Vec::new() };
    for index in 0..model.top.len() {
        add_resource(model, model.top[index], &mut summary.resources);
    }
    summary
}

/// Required fencing with a reason, the newest first (rule 3.48.1).
fn fenced_nodes(model: &Model<'_>) -> Vec<NodeChange> {
    let change = |(id, action): (ActionId, &crate::model::Action)| {
        let is_it = action.resource.is_none() && action.task == Task::Fence && !action.optional;
        let operation = action.meta.get("stonith_action").filter(|_| is_it)?;
        Some(NodeChange {
            node: action.node?,
            operation: operation.clone(),
            reason: action.reason.clone()?,
            action: id,
        })
    };
    model.actions.iter().rev().filter_map(change).collect()
}

fn add_resource(model: &mut Model<'_>, resource: ResourceId, changes: &mut Vec<ResourceChange>) {
    let it = &model.resources[resource];
    if it.is_primitive() {
        add_primitive(model, resource, changes);
        return;
    }
    let parts = match it.bundle() {
        Some(bundle) => bundle
            .replicas
            .iter()
            .flat_map(|replica| [replica.ip, Some(replica.container), replica.connection, replica.child])
            .flatten()
            .collect(),
        None => it.children.clone(),
    };
    for part in parts {
        add_resource(model, part, changes);
    }
}

fn add_primitive(model: &mut Model<'_>, resource: ResourceId, changes: &mut Vec<ResourceChange>) {
    let current = state::current_node(model, resource);
    let it = &mut model.resources[resource];
    if current.is_some() && it.current_role == Role::Stopped {
        it.current_role = Role::Started;
    }
    let nowhere = current.is_none() && (it.removed || it.assigned.is_none());
    if nowhere || !it.managed {
        return;
    }
    let look = Look::at(model, resource, current);
    if look.role == look.next_role {
        changes.extend(look.in_same_role(model));
    } else {
        look.in_other_role(model, changes);
    }
}

/// What a line about a primitive is made from (rule 3.48.3).
struct Look {
    resource: ResourceId,
    current: Option<NodeId>,
    next: Option<NodeId>,
    role: Role,
    next_role: Role,
    failed: bool,
    reloading: bool,
    moves: bool,
    start: Option<ActionId>,
    stop: Option<ActionId>,
    promote: Option<ActionId>,
    demote: Option<ActionId>,
}

impl Look {
    fn at(model: &mut Model<'_>, resource: ResourceId, current: Option<NodeId>) -> Look {
        let it = &model.resources[resource];
        let (next, role, next_role) = (it.assigned, it.current_role, it.next_role);
        let (failed, reloading, unexpected) = (it.failed, it.reloading, it.stop_unexpected);
        let start = find(model, resource, &Task::Start, 0, next);
        let can_start = start.is_some_and(|start| model.actions[start].runnable);
        let stop = find(model, resource, &Task::Stop, 0, current.filter(|_| can_start));
        let any_stop = || find_any(model, resource, &Task::Stop).filter(|_| unexpected);
        let stop = stop.or_else(any_stop);
        Look {
            resource,
            current,
            next,
            role,
            next_role,
            failed,
            reloading,
            moves: current.is_some() && next.is_some() && current != next,
            start,
            stop,
            promote: find(model, resource, &Task::Promote, 0, next),
            demote: find(model, resource, &Task::Demote, 0, next),
        }
    }

    /// Rule 3.48.4.
    fn in_same_role(&self, model: &mut Model<'_>) -> Option<ResourceChange> {
        let pull = find(model, self.resource, &Task::MigrateFrom, 0, self.next);
        if self.current.is_some() && pull.is_some_and(|pull| model.actions[pull].runnable) {
            return Some(self.change(model, Verb::Migrate, self.next, self.start, None));
        }
        if self.reloading {
            return Some(self.change(model, Verb::Reload, self.next, self.start, None));
        }
        let Some(start) = self.start.filter(|start| !model.actions[*start].optional) else {
            let both = is_required(model, self.promote) && is_required(model, self.demote);
            return both.then(|| self.change(model, Verb::RePromote, self.next, self.promote, self.demote));
        };
        Some(if !model.actions[start].runnable {
            let with_reason = self.stop.filter(|stop| model.actions[*stop].reason.is_some());
            self.change(model, Verb::Stop, None, self.stop, with_reason.or(Some(start)))
        } else if self.moves {
            let verb = if self.failed { Verb::Recover } else { Verb::Move };
            self.change(model, verb, self.next, self.stop, None)
        } else if self.failed {
            self.change(model, Verb::Recover, None, self.stop, None)
        } else {
            self.change(model, Verb::Restart, self.next, Some(start), None)
        })
    }

    /// Rule 3.48.5.
    fn in_other_role(&self, model: &mut Model<'_>, changes: &mut Vec<ResourceChange>) {
        let cannot_start = self.start.is_some_and(|start| !model.actions[start].runnable);
        if self.stop.is_some() && (self.next_role == Role::Stopped || cannot_start) {
            self.stops(model, changes);
            return;
        }
        let it = &model.resources[self.resource];
        let (verb, action, source) = if self.stop.is_some() && self.failed && it.stop_required {
            (Verb::Recover, self.stop, self.start)
        } else if self.moves {
            (Verb::Move, self.stop, None)
        } else if self.reloading {
            (Verb::Reload, self.start, None)
        } else if is_required(model, self.stop) {
            (Verb::Restart, self.start, None)
        } else if self.role == Role::Promoted {
            (Verb::Demote, self.demote, None)
        } else if self.next_role == Role::Promoted {
            (Verb::Promote, self.promote, None)
        } else if self.role == Role::Stopped && self.next_role > Role::Stopped {
            (Verb::Start, self.start, None)
        } else {
            return;
        };
        changes.push(self.change(model, verb, self.next, action, source));
    }

    /// One line a node that it is stopped on.
    fn stops(&self, model: &mut Model<'_>, changes: &mut Vec<ResourceChange>) {
        for node in model.resources[self.resource].active_on.clone() {
            let stop = find(model, self.resource, &Task::Stop, 0, Some(node));
            let with_reason = stop.filter(|stop| model.actions[*stop].reason.is_some());
            let source = with_reason.or(self.start);
            let line = self.change(model, Verb::Stop, None, stop, source);
            changes.push(ResourceChange { origin: Some(node), ..line });
        }
    }

    /// `source` is the action whose reason is told, by default `action`.
    fn change(
        &self,
        model: &Model<'_>,
        verb: Verb,
        destination: Option<NodeId>,
        action: Option<ActionId>,
        source: Option<ActionId>,
    ) -> ResourceChange {
        ResourceChange {
            verb,
            resource: self.resource,
            origin: self.current,
            destination,
            current_role: self.role,
            next_role: self.next_role,
            action,
            reason: source.or(action).and_then(|source| model.actions[source].reason.clone()),
            blocked: action.is_some_and(|action| !model.actions[action].runnable),
        }
    }
}

fn is_required(model: &Model<'_>, action: Option<ActionId>) -> bool {
    action.is_some_and(|action| !model.actions[action].optional)
}

fn find_any(model: &Model<'_>, resource: ResourceId, task: &Task) -> Option<ActionId> {
    model.resources[resource].actions.iter().copied().find(|id| model.actions[*id].is(task, 0))
}
