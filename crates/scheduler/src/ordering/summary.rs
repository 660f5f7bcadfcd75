//! The state of an action as ordering sees it: its own for primitives, a summary over members or
//! instances for collectives (rules 3.24.1, 3.35.1, 3.35.2).

use crate::model::{ActionId, Model, NodeId, ResourceId, ResourceKind, Task};

/// The states that ordering compares and changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct States {
    pub optional: bool,
    pub runnable: bool,
    pub pseudo: bool,
    pub migratable: bool,
}

impl States {
    /// What a collective starts from.
    const COLLECTIVE: States = States { optional: true, runnable: true, pseudo: true, migratable: false };
}

/// The action's own states.
pub(crate) fn own(model: &Model<'_>, action: ActionId) -> States {
    let action = &model.actions[action];
    States {
        optional: action.optional,
        runnable: action.runnable,
        pseudo: action.pseudo,
        migratable: action.migratable,
    }
}

/// The states for ordering against something on `node`. A clone counts members on that node for
/// "required", but stays runnable if it is so anywhere.
pub(crate) fn for_ordering(model: &mut Model<'_>, action: ActionId, node: Option<NodeId>) -> States {
    let anywhere = remembered(model, action, None);
    let is_clone =
        model.actions[action].resource.is_some_and(|resource| model.resources[resource].is_clone());
    if node.is_none() || !is_clone {
        return anywhere;
    }
    let mut there = remembered(model, action, node);
    there.runnable |= anywhere.runnable;
    there
}

/// The summary; the last one, if no state has changed since.
fn remembered(model: &mut Model<'_>, action: ActionId, node: Option<NodeId>) -> States {
    let is_collective = |resource: ResourceId| model.resources[resource].is_collective();
    if !model.actions[action].resource.is_some_and(is_collective) {
        return own(model, action);
    }
    let known = model.ordering.summaries.as_ref().and_then(|all| all.get(&(action, node)).copied());
    if let Some((_, states)) = known.filter(|(changes, _)| *changes == model.ordering.changes) {
        return states;
    }
    let states = of(model, action, node);
    let now = model.ordering.changes;
    if let Some(summaries) = &mut model.ordering.summaries {
        summaries.insert((action, node), (now, states));
    }
    states
}

/// The summary; what it finds out about a collective's action is written back to it.
pub(crate) fn of(model: &mut Model<'_>, action: ActionId, node: Option<NodeId>) -> States {
    let Some(resource) = model.actions[action].resource else { return own(model, action) };
    match model.resources[resource].kind {
        ResourceKind::Primitive(_) => own(model, action),
        ResourceKind::Group(_) => group(model, resource, action, node),
        ResourceKind::Clone(_) => {
            let count = model.resources[resource].children.len();
            instances(model, action, node, count, |model, index| model.resources[resource].children[index])
        }
        ResourceKind::Bundle(_) => bundle(model, resource, action, node),
    }
}

fn group(model: &mut Model<'_>, group: ResourceId, action: ActionId, node: Option<NodeId>) -> States {
    let mut states = States::COLLECTIVE;
    model.ordering.looked_at += model.resources[group].children.len();
    let task = model.actions[action].task.clone();
    for index in 0..model.resources[group].children.len() {
        let member = model.resources[group].children[index];
        let member_task = task_of_member(model, member, &task);
        let Some(member_action) = find_first(model, member, &member_task, node) else {
            states.runnable &= matches!(member_task, Task::Stop | Task::Demote);
            continue;
        };
        let member_states = own(model, member_action);
        if !member_states.optional {
            states.optional = false;
            take_optional(model, action);
        }
        if member_task != task && !member_states.runnable {
            states.runnable = false;
            take_runnable(model, action);
        }
    }
    states
}

fn take_optional(model: &mut Model<'_>, action: ActionId) {
    if std::mem::replace(&mut model.actions[action].optional, false) {
        super::state_changed(model);
    }
}

fn take_runnable(model: &mut Model<'_>, action: ActionId) {
    if std::mem::replace(&mut model.actions[action].runnable, false) {
        super::state_changed(model);
    }
}

fn bundle(model: &mut Model<'_>, bundle: ResourceId, action: ActionId, node: Option<NodeId>) -> States {
    let Some(parts) = model.resources[bundle].bundle() else { return own(model, action) };
    let by_container =
        matches!(model.actions[action].task, Task::Start | Task::Started | Task::Stop | Task::Stopped);
    match parts.child {
        Some(child) if !by_container => {
            let count = model.resources[child].children.len();
            instances(model, action, node, count, |model, index| model.resources[child].children[index])
        }
        _ => {
            let count = parts.replicas.len();
            instances(model, action, node, count, |model, index| {
                model.resources[bundle].bundle().map_or(bundle, |parts| parts.replicas[index].container)
            })
        }
    }
}

fn instances(
    model: &mut Model<'_>,
    action: ActionId,
    node: Option<NodeId>,
    count: usize,
    instance: impl Fn(&Model<'_>, usize) -> ResourceId,
) -> States {
    let mut states = States::COLLECTIVE;
    let mut some_runnable = false;
    model.ordering.looked_at += count;
    let task = original_task(model, action);
    for index in 0..count {
        let instance = instance(model, index);
        let place = node.filter(|_| model.resources[instance].is_primitive());
        let instance_task = task_of_member(model, instance, &task);
        let Some(instance_action) = find_first(model, instance, &instance_task, place) else { continue };
        let instance_states = of(model, instance_action, node);
        if !instance_states.optional {
            states.optional = false;
            take_optional(model, action);
        }
        some_runnable |= instance_states.runnable;
    }
    if !some_runnable {
        states.runnable = false;
        if node.is_none() {
            take_runnable(model, action);
        }
    }
    states
}

/// The task that an action of a collective is about; for notifications, the one their key names.
pub(crate) fn original_task(model: &Model<'_>, action: ActionId) -> Task {
    let action = &model.actions[action];
    if !matches!(action.task, Task::Notify | Task::Notified) {
        return action.task.clone();
    }
    let operation = action.key.rsplit_once("_notify_").and_then(|(_, rest)| rest.rsplit_once('_'));
    operation.map_or_else(|| action.task.clone(), |(task, _)| Task::parse(task))
}

/// The member's task that corresponds to a collective's: for primitives, the real one of a completed one.
pub(crate) fn task_of_member(model: &Model<'_>, member: ResourceId, task: &Task) -> Task {
    if !model.resources[member].is_primitive() {
        return task.clone();
    }
    match task {
        Task::Started => Task::Start,
        Task::Stopped => Task::Stop,
        Task::Promoted => Task::Promote,
        Task::Demoted => Task::Demote,
        other => other.clone(),
    }
}

/// The newest action of `resource` with this task, on `node` if one is given.
pub(crate) fn find_first(
    model: &Model<'_>,
    resource: ResourceId,
    task: &Task,
    node: Option<NodeId>,
) -> Option<ActionId> {
    if !model.resources[resource].tasks.has(task) {
        return None;
    }
    model.resources[resource].actions.iter().rev().copied().find(|action| {
        let action = &model.actions[*action];
        action.task == *task && (node.is_none() || action.node == node)
    })
}

/// The newest action of `resource` with this task that has no node.
pub(crate) fn find_without_node(model: &Model<'_>, resource: ResourceId, task: &Task) -> Option<ActionId> {
    if !model.resources[resource].tasks.has(task) {
        return None;
    }
    let mut newest_first = model.resources[resource].actions.iter().rev().copied();
    newest_first.find(|action| model.actions[*action].task == *task && model.actions[*action].node.is_none())
}
