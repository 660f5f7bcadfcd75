//! From the current to the next role and place of one primitive (rule 3.6).

use super::request::{self, find_all, request};
use super::{migrate, recurring, unfencing};
use crate::model::{ActionId, Cause, Model, MultipleActive, NodeId, Properties, Requires, ResourceId, Task};
use crate::state;
use cib::value::Role;

/// Creates the actions of a primitive, in the order of rule 3.6.3.
pub(super) fn create(model: &mut Model<'_>, resource: ResourceId) {
    settle_next_role(model, resource);
    let current = state::current_node(model, resource);
    stop_dangling_migrations(model, resource);
    let demands = Demands::of(model, resource, current);
    if model.resources[resource].start_pending {
        let node = model.resources[resource].assigned;
        let start = request(model, resource, Task::Start, 0, node, true);
        model.actions[start].force_graphed = true;
    }
    let demands = demands.with_recovery(model, resource, current);
    restart(model, resource, current, demands);
    change_role(model, resource);
    recurring::create(model, resource);
    if demands.may_migrate {
        if let Some(current) = current {
            migrate::create(model, resource, current);
        }
    }
}

/// Rule 3.6.1.
fn settle_next_role(model: &mut Model<'_>, resource: ResourceId) {
    let it = &mut model.resources[resource];
    if it.next_role == Role::Unknown {
        it.next_role = if it.assigned.is_some() { Role::Started } else { Role::Stopped };
        it.next_role_reason = Some("assignment".into());
    }
}

/// What finished migrations left behind, the newest first.
fn stop_dangling_migrations(model: &mut Model<'_>, resource: ResourceId) {
    for source in model.resources[resource].dangling_migration_sources.clone() {
        let stop = request(model, resource, Task::Stop, 0, Some(source), false);
        model.actions[stop].migration_abort = true;
    }
}

/// What the situation demands beyond what the roles say.
#[derive(Clone, Copy)]
struct Demands {
    stop: bool,
    promote: bool,
    may_migrate: bool,
    moves: bool,
}

impl Demands {
    /// Rules 3.6.4 and 3.6.5.
    fn of(model: &mut Model<'_>, resource: ResourceId, current: Option<NodeId>) -> Demands {
        let it = &model.resources[resource];
        let assigned = it.assigned;
        let moves = it.next_role >= Role::Started
            && current.is_some_and(|current| assigned.is_some_and(|assigned| assigned != current));
        let may_migrate = moves && current.is_some_and(|it| migrate::is_allowed(model, resource, it));
        let mut demands = Demands { stop: moves, promote: false, may_migrate, moves };
        let it = &model.resources[resource];
        let (source, target) = (it.partial_migration_source, it.partial_migration_target);
        if source.is_some() || target.is_some() {
            let continues = may_migrate && it.active_on.len() == 2 && current == source && assigned == target;
            if !continues {
                demands.stop = true;
                demands.may_migrate = false;
                let it = &mut model.resources[resource];
                it.partial_migration_source = None;
                it.partial_migration_target = None;
            }
        } else if is_multiply_active(model, resource) {
            demands.stop |= demands_of_multiple_active(model, resource);
        }
        demands
    }

    /// Rule 3.6.6.
    fn with_recovery(
        mut self,
        model: &mut Model<'_>,
        resource: ResourceId,
        current: Option<NodeId>,
    ) -> Demands {
        let it = &model.resources[resource];
        if self.moves {
            return self;
        }
        if it.failed {
            self.stop |= it.stop_required;
            self.promote |= !it.stop_required && it.next_role == Role::Promoted;
        } else if it.blocked {
            self.stop = true;
        } else if it.current_role > Role::Started && current.is_some() && it.assigned.is_some() {
            let start = request(model, resource, Task::Start, 0, it.assigned, true);
            self.stop |= !model.actions[start].optional;
        }
        self
    }
}

fn is_multiply_active(model: &Model<'_>, resource: ResourceId) -> bool {
    let it = &model.resources[resource];
    let counts =
        |node: &&NodeId| it.needs_fencing() || (model.nodes[**node].online && !model.nodes[**node].unclean);
    it.active_on.iter().filter(counts).count() > 1
}

fn demands_of_multiple_active(model: &mut Model<'_>, resource: ResourceId) -> bool {
    let it = &mut model.resources[resource];
    match it.multiple_active {
        MultipleActive::StopStart => true,
        MultipleActive::StopUnexpected => {
            it.stop_unexpected = true;
            true
        }
        MultipleActive::StopOnly | MultipleActive::Block => false,
    }
}

/// Down to Stopped and up again to the current role (rule 3.6.7): optional unless demanded, so that
/// orderings can turn the actions on.
fn restart(model: &mut Model<'_>, resource: ResourceId, current: Option<NodeId>, demands: Demands) {
    model.resources[resource].restarting = true;
    let was = model.resources[resource].current_role;
    let mut role = was;
    while role > Role::Stopped {
        let Some((step, next)) = step(role, Role::Stopped) else { break };
        take(model, resource, step, current, !demands.stop);
        role = next;
    }
    // a start may lower the next role, where there is no quorum (rule 3.4.5)
    let goes_up = |model: &Model<'_>| {
        let it = &model.resources[resource];
        was <= it.next_role && !it.blocked
    };
    let assigned = model.resources[resource].assigned;
    while role != was && goes_up(model) {
        let Some((step, next)) = step(role, was) else { break };
        let required = demands.stop || (step == Step::Promote && demands.promote);
        take(model, resource, step, assigned, !required);
        role = next;
    }
    model.resources[resource].restarting = false;
}

/// Step by step to the next role, all required (rule 3.6.8).
fn change_role(model: &mut Model<'_>, resource: ResourceId) {
    let assigned = model.resources[resource].assigned;
    let mut role = model.resources[resource].current_role;
    while role != model.resources[resource].next_role {
        let Some((step, next)) = step(role, model.resources[resource].next_role) else { break };
        take(model, resource, step, assigned, false);
        role = next;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Stop,
    Start,
    Promote,
    Demote,
}

/// The first step from one role towards another, and the role it leads to; `None` if there is nothing to
/// do (rule 3.6.8).
fn step(from: Role, to: Role) -> Option<(Step, Role)> {
    Some(match (from, to) {
        (Role::Unknown, _) => (Step::Stop, Role::Stopped),
        (Role::Stopped, Role::Started) => (Step::Start, Role::Started),
        (Role::Stopped, Role::Unpromoted | Role::Promoted) => (Step::Start, Role::Unpromoted),
        (Role::Started | Role::Unpromoted, Role::Stopped | Role::Unknown) => (Step::Stop, Role::Stopped),
        (Role::Unpromoted, Role::Started) => (Step::Stop, Role::Stopped),
        (Role::Started | Role::Unpromoted, Role::Promoted) => (Step::Promote, Role::Promoted),
        (Role::Promoted, lower) if lower < Role::Promoted => (Step::Demote, Role::Unpromoted),
        _ => return None,
    })
}

/// Rule 3.6.9.
fn take(model: &mut Model<'_>, resource: ResourceId, step: Step, node: Option<NodeId>, optional: bool) {
    match step {
        Step::Stop => stop(model, resource, optional),
        Step::Start => start(model, resource, node, optional),
        Step::Promote => promote(model, resource, node, optional),
        Step::Demote => demote(model, resource, optional),
    }
}

/// The assigned node while all other copies of a multiply active resource are stopped (rule 3.6.10).
fn is_expected(model: &Model<'_>, resource: ResourceId, node: NodeId) -> bool {
    let it = &model.resources[resource];
    it.stop_unexpected && it.restarting && it.next_role > Role::Stopped && it.assigned == Some(node)
}

fn stop(model: &mut Model<'_>, resource: ResourceId, optional: bool) {
    let mut optional = optional;
    for node in model.resources[resource].active_on.clone() {
        if is_expected(model, resource, node) {
            continue;
        }
        let it = &model.resources[resource];
        if let Some(target) = it.partial_migration_target {
            if target == node && it.assigned == Some(target) {
                continue;
            }
            optional = false;
        }
        let cause = stop_cause(model, resource, node);
        let stop = request::request_because(model, resource, Task::Stop, 0, Some(node), optional, cause);
        explain_stop(model, resource, stop);
        if !model.resources[resource].managed {
            model.actions[stop].runnable = false;
        }
        if model.resources[resource].requires == Requires::Unfencing {
            let unfence = super::fencing::request(model, node, Some("on"), true, None, false);
            crate::ordering::relate(model, stop, unfence, Properties::THEN_PULLS_FIRST);
        }
    }
}

fn explain_stop(model: &mut Model<'_>, resource: ResourceId, stop: ActionId) {
    let it = &model.resources[resource];
    if it.assigned.is_none() {
        model.actions[stop].reason = Some("node availability".into());
    } else if it.restarting && it.stop_unexpected {
        model.actions[stop].reason = Some("being multiply active".into());
    }
}

/// What a stop leads back to: a failure, several active copies, or the change of place or role.
fn stop_cause(model: &Model<'_>, resource: ResourceId, node: NodeId) -> Cause {
    let it = &model.resources[resource];
    if it.failed {
        Cause::Failure { resource, node }
    } else if it.removed {
        Cause::Removed(resource)
    } else if it.active_on.len() > 1 {
        Cause::MultiplyActive(resource)
    } else if it.next_role == Role::Stopped && it.meta.contains_key("target-role") {
        Cause::TargetRole(resource)
    } else {
        Cause::Transition(resource)
    }
}

fn start(model: &mut Model<'_>, resource: ResourceId, node: Option<NodeId>, optional: bool) {
    let start = request(model, resource, Task::Start, 0, node, true);
    if let Some(node) = node {
        unfencing::order_before(model, resource, node, start, Properties::FIRST_PULLS_THEN);
    }
    if !optional && model.actions[start].runnable {
        request::require(model, start, Cause::Transition(resource));
    }
    if node.is_some_and(|node| is_expected(model, resource, node)) {
        model.actions[start].pseudo = true;
    }
}

fn promote(model: &mut Model<'_>, resource: ResourceId, node: Option<NodeId>, optional: bool) {
    let starts = find_all(model, resource, &Task::Start, 0, node);
    if starts.iter().all(|start| model.actions[*start].runnable) {
        let promote = request(model, resource, Task::Promote, 0, node, optional);
        if node.is_some_and(|node| is_expected(model, resource, node)) {
            model.actions[promote].pseudo = true;
        }
        return;
    }
    for promote in find_all(model, resource, &Task::Promote, 0, node) {
        model.actions[promote].runnable = false;
    }
}

fn demote(model: &mut Model<'_>, resource: ResourceId, optional: bool) {
    for node in model.resources[resource].active_on.clone() {
        if !is_expected(model, resource, node) {
            let cause = stop_cause(model, resource, node);
            request::request_because(model, resource, Task::Demote, 0, Some(node), optional, cause);
        }
    }
}
