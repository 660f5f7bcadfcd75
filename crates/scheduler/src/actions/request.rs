//! One action for one purpose: found again if it exists, else created (rules 3.2, 3.3).

use super::{runnable, settings};
use crate::model::{Action, ActionId, Cause, Model, Name, NodeId, Properties, Requires, ResourceId, Task};
use cib::value::Score;
use smallvec::SmallVec;
use std::rc::Rc;

/// The action `RESOURCE_TASK_INTERVAL` on `node`, created if it does not exist. A request never turns a
/// required action of a managed resource back to optional (rule 3.3.2). `interval` is in milliseconds.
pub fn request(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: Task,
    interval: u32,
    node: Option<NodeId>,
    optional: bool,
) -> ActionId {
    let cause = usual_cause(resource, &task, interval, node);
    request_because(model, resource, task, interval, node, optional, cause)
}

/// [`request`], with what led to it.
pub fn request_because(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: Task,
    interval: u32,
    node: Option<NodeId>,
    optional: bool,
    cause: Cause,
) -> ActionId {
    let action = match find(model, resource, &task, interval, node) {
        Some(action) => action,
        None => create(model, resource, task, interval, node, optional, cause),
    };
    refresh(model, action, optional, cause);
    action
}

/// [`request_because`] for an action that is known not to exist yet.
pub(super) fn request_new(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: Task,
    interval: u32,
    node: Option<NodeId>,
    optional: bool,
    cause: Cause,
) -> ActionId {
    let action = create(model, resource, task, interval, node, optional, cause);
    refresh(model, action, optional, cause);
    action
}

/// The action `RESOURCE_TASK_INTERVAL` on `node`, which is to become the cancelling of that task (rule 3.11.1).
pub(super) fn request_cancel(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    interval: u32,
    node: NodeId,
) -> ActionId {
    let cause = usual_cause(resource, task, interval, Some(node));
    let id = match find(model, resource, task, interval, Some(node)) {
        Some(id) => id,
        None => {
            let key = format!("{}_{}_{interval}", model.resources[resource].id, task.name());
            let of_cancel = settings::of(model, resource, &Task::Cancel, interval, Some(node));
            let settings = settings::Settings { key: key.into(), ..(*of_cancel).clone() };
            let action = blank(Some(resource), task.clone(), Some(node), false, Rc::new(settings));
            add(model, Action { interval, ..action }, cause)
        }
    };
    refresh(model, id, false, cause);
    id
}

/// A notification: its key is not made of task and interval (rule 3.2.2).
pub(super) fn request_notification(
    model: &mut Model<'_>,
    resource: ResourceId,
    key: &str,
    task: Task,
    node: Option<NodeId>,
    optional: bool,
    cause: Cause,
) -> ActionId {
    let purpose = Purpose { resource, task: task.clone(), interval: 0 };
    let existing = on_node(model, &purpose, node, |action| action.key.eq_ignore_ascii_case(key));
    let action = match existing.first().copied() {
        Some(action) => action,
        None => {
            let settings = settings::of_notification(model, resource, key);
            let action = blank(Some(resource), task, node, optional, settings);
            add(model, action, cause)
        }
    };
    refresh(model, action, optional, cause);
    action
}

/// Why an action of this kind is made, where the caller knows nothing better.
fn usual_cause(resource: ResourceId, task: &Task, interval: u32, node: Option<NodeId>) -> Cause {
    match (task, interval, node) {
        (Task::Monitor, 0, Some(node)) => Cause::StateUnknown { resource, node },
        _ => Cause::Transition(resource),
    }
}

/// What actions are found by. It never changes: a cancel keeps that of the action which it cancels.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Purpose {
    resource: ResourceId,
    task: Task,
    /// Milliseconds.
    interval: u32,
}

/// All actions `RESOURCE_TASK_INTERVAL`, oldest first; those without a node as well.
pub fn of_task<'m>(
    model: &'m Model<'_>,
    resource: ResourceId,
    task: &Task,
    interval: u32,
) -> impl Iterator<Item = ActionId> + 'm {
    let purpose = Purpose { resource, task: task.clone(), interval };
    let found = model.actions_extra.by_purpose.get(&purpose).into_iter().flatten().copied();
    // notifications are told apart by their keys (rule 3.2.2)
    found.filter(|action| !model.actions[*action].is_notification())
}

/// The oldest action of `resource` with this task on `node` (any node if `None`); like [`request`] it binds
/// what has no node yet (rule 3.2.6).
pub fn find(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    interval: u32,
    node: Option<NodeId>,
) -> Option<ActionId> {
    find_all(model, resource, task, interval, node).first().copied()
}

/// All actions of `resource` with this task, oldest first; with a `node` those on it (binding what has no
/// node yet).
pub fn find_all(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    interval: u32,
    node: Option<NodeId>,
) -> Actions {
    let purpose = Purpose { resource, task: task.clone(), interval };
    on_node(model, &purpose, node, |action| !action.is_notification())
}

/// Mostly one action, or a few.
type Actions = SmallVec<[ActionId; 4]>;

/// The actions of this purpose that match, oldest first; with a `node` those on it. Matches without a node are
/// bound to `node`, all of them (rule 3.2.6).
fn on_node(
    model: &mut Model<'_>,
    purpose: &Purpose,
    node: Option<NodeId>,
    matches: impl Fn(&Action) -> bool,
) -> Actions {
    let mut found = Actions::new();
    for &id in model.actions_extra.by_purpose.get(purpose).into_iter().flatten() {
        let action = &mut model.actions[id];
        if !matches(action) {
            continue;
        }
        if node.is_some() && action.node.is_none() {
            action.node = node;
        }
        if node.is_none() || action.node == node {
            found.push(id);
        }
    }
    found
}

fn create(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: Task,
    interval: u32,
    node: Option<NodeId>,
    optional: bool,
    cause: Cause,
) -> ActionId {
    let settings = settings::of(model, resource, &task, interval, node);
    let action = Action { interval, ..blank(Some(resource), task, node, optional, settings) };
    add(model, action, cause)
}

fn blank(
    resource: Option<ResourceId>,
    task: Task,
    node: Option<NodeId>,
    optional: bool,
    settings: Rc<settings::Settings>,
) -> Action {
    Action {
        resource,
        node,
        on_dc: task == Task::LrmDelete,
        task,
        interval: 0,
        key: settings.key.clone(),
        cancelled_task: None,
        optional,
        runnable: true,
        pseudo: false,
        force_graphed: false,
        migratable: false,
        reschedule: false,
        migration_abort: false,
        minimum_runnable: None,
        runnable_inputs: 0,
        reason: None,
        requires: settings.requires,
        priority: Score::ZERO,
        meta: settings.meta.clone(),
        parameters: None,
        in_graph: false,
        tracking: false,
        operation: settings.operation,
        inputs: Vec::new(),
        followers: Vec::new(),
    }
}

fn add(model: &mut Model<'_>, action: Action, cause: Cause) -> ActionId {
    let purpose = action.resource.map(|resource| {
        let (task, interval) = (action.key_task().clone(), action.interval);
        Purpose { resource, task, interval }
    });
    let task = action.task.clone();
    let id = model.actions.push(action);
    if let Some(purpose) = purpose {
        note_task(model, purpose.resource, &task);
        model.resources[purpose.resource].actions.push(id);
        model.actions_extra.by_purpose.entry(purpose).or_default().push(id);
    }
    model.reasons.action(id, cause);
    id
}

/// Notes that the resource has an action with this task.
pub(super) fn note_task(model: &mut Model<'_>, resource: ResourceId, task: &Task) {
    model.resources[resource].tasks.insert(task);
    if let Some(parent) = model.resources[resource].parent {
        model.resources[parent].child_tasks.insert(task);
    }
}

/// What every request does to its action (rule 3.2.7).
fn refresh(model: &mut Model<'_>, id: ActionId, optional: bool, cause: Cause) {
    update_optional(model, id, optional, cause);
    let action = &model.actions[id];
    let (Some(resource), operation, node) = (action.resource, action.operation, action.node) else { return };
    if action.parameters.is_none() && node.is_some() {
        model.actions[id].parameters = operation.map(|it| settings::parameters(model, resource, it, node));
    }
    runnable::update(model, id);
}

/// Rule 3.3.2.
fn update_optional(model: &mut Model<'_>, id: ActionId, optional: bool, cause: Cause) {
    let action = &mut model.actions[id];
    let unmanaged = action.resource.is_some_and(|resource| !model.resources[resource].managed);
    if unmanaged && action.node.is_some() && !action.pseudo && !action.meta.contains_key("interval") {
        action.optional = true;
    } else if !optional && action.optional {
        action.optional = false;
        model.reasons.action(id, cause);
    }
}

/// Makes an action required.
pub fn require(model: &mut Model<'_>, id: ActionId, cause: Cause) {
    if model.actions[id].optional {
        model.actions[id].optional = false;
        model.reasons.action(id, cause);
    }
}

/// A pseudo-action that no resource owns: one name is key and task (rule 3.2.4). Created optional and
/// runnable.
pub fn pseudo(model: &mut Model<'_>, name: &str, cause: Cause) -> ActionId {
    let (id, _) = ownerless(model, name, Task::Other(name.into()), None, cause);
    let action = &mut model.actions[id];
    action.pseudo = true;
    action.runnable = true;
    id
}

/// A pseudo-action of a collective resource (rules 3.3.3, 3.7).
pub fn pseudo_of_resource(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: Task,
    optional: bool,
    runnable: bool,
) -> ActionId {
    let cause = Cause::PartOf(resource);
    let id = request_because(model, resource, task, 0, None, optional, cause);
    let action = &mut model.actions[id];
    action.pseudo = true;
    action.runnable |= runnable;
    id
}

/// The optional action without a resource that has this key, and whether it is new.
pub(super) fn ownerless(
    model: &mut Model<'_>,
    key: &str,
    task: Task,
    node: Option<NodeId>,
    cause: Cause,
) -> (ActionId, bool) {
    let index: Name = key.to_ascii_lowercase().into();
    if let Some(id) = model.actions_extra.by_key.get(&index) {
        return (*id, false);
    }
    let settings = settings::Settings {
        key: key.into(),
        meta: Rc::default(),
        operation: None,
        requires: Requires::Nothing,
    };
    let id = add(model, blank(None, task, node, true, Rc::new(settings)), cause);
    model.actions_extra.by_key.insert(index, id);
    (id, true)
}

/// Relates two actions with [`Properties::PLAIN`] only.
pub(super) fn plainly(model: &mut Model<'_>, first: ActionId, then: ActionId) {
    crate::ordering::relate(model, first, then, Properties::PLAIN);
}
