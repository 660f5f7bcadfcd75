//! Recurring actions, and cancelling them (rules 3.10, 3.11).

use super::request::{find_all, note_task, of_task, request, request_cancel};
use crate::model::{ActionId, Cause, Model, NodeId, Properties, ResourceId, Side, Task};
use crate::state;
use cib::value::Role;

/// Exit status of a monitor that finds the resource stopped, and promoted.
pub(super) const NOT_RUNNING: &str = "7";
pub(super) const RUNNING_PROMOTED: &str = "8";

/// A configured recurring operation.
struct Recurring {
    task: Task,
    interval: u32,
    /// The role it is for; `None` means every role but Promoted and Stopped.
    role: Option<Role>,
}

/// Creates and cancels what is configured, in document order.
pub(super) fn create(model: &mut Model<'_>, resource: ResourceId) {
    let it = &model.resources[resource];
    if it.blocked || it.maintenance {
        return;
    }
    let configured = configured(model, resource);
    let start = start_to_follow(model, resource);
    for recurring in configured {
        if recurring.role == Some(Role::Stopped) {
            create_for_stopped(model, resource, &recurring);
        } else if let Some((start, node)) = start {
            create_for_active(model, resource, &recurring, start, node);
        }
    }
}

/// The start whose state tells whether recurring actions for active roles make sense, and its node.
fn start_to_follow(model: &mut Model<'_>, resource: ResourceId) -> Option<(ActionId, NodeId)> {
    let it = &model.resources[resource];
    let node = it.assigned.filter(|node| !model.nodes[*node].maintenance)?;
    let will_be_active = it.next_role != Role::Stopped || !it.managed;
    will_be_active.then(|| (request(model, resource, Task::Start, 0, Some(node), true), node))
}

/// Rule 3.10.2.
fn configured(model: &Model<'_>, resource: ResourceId) -> Vec<Recurring> {
    let operations = state::operations(model, resource);
    operations
        .iter()
        .filter(|it| it.interval > 0 && it.is_enabled())
        .filter(|it| operations.is_single(it))
        .filter_map(|it| {
            let role = match it.attributes.get("role") {
                None => None,
                Some(text) => Some(Role::parse(text).filter(|role| *role != Role::Unknown)?),
            };
            let task = Task::parse(&it.name);
            let recurs = !matches!(
                task,
                Task::Stop
                    | Task::Start
                    | Task::Demote
                    | Task::Promote
                    | Task::Reload
                    | Task::MigrateTo
                    | Task::MigrateFrom
            );
            recurs.then(|| Recurring { task, interval: u32::try_from(it.interval).unwrap_or(u32::MAX), role })
        })
        .collect()
}

/// Actions of this operation that are known to be on `node` already.
fn active(model: &Model<'_>, resource: ResourceId, it: &Recurring, node: NodeId) -> Vec<ActionId> {
    of_task(model, resource, &it.task, it.interval)
        .filter(|action| model.actions[*action].node == Some(node))
        .collect()
}

/// Rule 3.10.3.
fn create_for_active(
    model: &mut Model<'_>,
    resource: ResourceId,
    recurring: &Recurring,
    start: ActionId,
    node: NodeId,
) {
    let active = active(model, resource, recurring, node);
    let goes_on = model.actions[start].optional
        && !active.is_empty()
        && !active.iter().any(|action| model.actions[*action].reschedule);
    let (role, next) = (model.resources[resource].current_role, model.resources[resource].next_role);
    let matches = recurring.role.map_or(next != Role::Promoted, |wanted| wanted == next);
    if !matches {
        if goes_on {
            cancel_before_change(model, resource, recurring, node, role, next);
        }
        return;
    }
    let monitor = request(model, resource, recurring.task.clone(), recurring.interval, Some(node), goes_on);
    let it = &model.nodes[node];
    if !model.actions[start].runnable || !it.online || it.unclean {
        model.actions[monitor].runnable = false;
    }
    if next == Role::Promoted {
        model.actions[monitor].set_meta("op_target_rc", RUNNING_PROMOTED);
    }
    if model.resources[resource].managed {
        order_after_changes(model, resource, monitor, role, next);
    }
}

fn cancel_before_change(
    model: &mut Model<'_>,
    resource: ResourceId,
    recurring: &Recurring,
    node: NodeId,
    role: Role,
    next: Role,
) {
    let cancel = cancel(model, resource, &recurring.task, recurring.interval, node);
    let change = match (role, next) {
        (Role::Started | Role::Unpromoted, Role::Promoted) => Task::Promote,
        (Role::Started | Role::Unpromoted, Role::Stopped) => Task::Stop,
        (Role::Promoted, _) => Task::Demote,
        _ => return,
    };
    before(model, resource, cancel, change);
}

fn before(model: &mut Model<'_>, resource: ResourceId, cancel: ActionId, change: Task) {
    let (first, then) = (Side::Action(cancel), Side::task(resource, change));
    let cause = Cause::Transition(resource);
    crate::ordering::order(model, first, then, Properties::FIRST_GATES_THEN, cause);
}

fn order_after_changes(
    model: &mut Model<'_>,
    resource: ResourceId,
    monitor: ActionId,
    role: Role,
    next: Role,
) {
    let pulled = Properties::FIRST_PULLS_THEN | Properties::FIRST_GATES_THEN;
    let gated = Properties::PLAIN | Properties::FIRST_GATES_THEN;
    let mut after = |first: Task, properties: Properties| {
        let (first, then) = (Side::task(resource, first), Side::Action(monitor));
        crate::ordering::order(model, first, then, properties, Cause::Transition(resource));
    };
    after(Task::Start, pulled);
    after(Task::Reload, pulled);
    if next == Role::Promoted {
        after(Task::Promote, gated);
    } else if role == Role::Promoted {
        after(Task::Demote, gated);
    }
}

/// Rule 3.10.4: monitors that make sure that the resource is not active where it should not be.
fn create_for_stopped(model: &mut Model<'_>, resource: ResourceId, recurring: &Recurring) {
    if !model.resources[resource].unique {
        return;
    }
    let assigned = model.resources[resource].assigned;
    if let Some(node) = assigned {
        if !active(model, resource, recurring, node).is_empty() {
            let cancel = cancel(model, resource, &recurring.task, recurring.interval, node);
            if matches!(model.resources[resource].next_role, Role::Started | Role::Unpromoted) {
                before(model, resource, cancel, Task::Start);
            }
        }
    }
    for index in 0..model.node_order.len() {
        let node = model.node_order[index];
        if assigned != Some(node) {
            watch_stopped(model, resource, recurring, node);
        }
    }
}

fn watch_stopped(model: &mut Model<'_>, resource: ResourceId, recurring: &Recurring, node: NodeId) {
    let goes_on = !active(model, resource, recurring, node).is_empty();
    let monitor = request(model, resource, recurring.task.clone(), recurring.interval, Some(node), goes_on);
    model.actions[monitor].set_meta("op_target_rc", NOT_RUNNING);
    let managed = model.resources[resource].managed;
    if managed {
        for probe in find_all(model, resource, &Task::Monitor, 0, Some(node)) {
            crate::ordering::relate(model, probe, monitor, Properties::FIRST_GATES_THEN);
        }
    }
    for stop in find_all(model, resource, &Task::Stop, 0, Some(node)) {
        if !managed && !model.actions[stop].optional && !model.actions[monitor].optional {
            model.actions[monitor].optional = true;
        }
        if !model.actions[stop].runnable {
            model.actions[monitor].runnable = false;
        }
        if managed {
            let properties = Properties::FIRST_PULLS_THEN | Properties::FIRST_GATES_THEN;
            let (first, then) = (Side::Action(stop), Side::Action(monitor));
            crate::ordering::order(model, first, then, properties, Cause::Transition(resource));
        }
    }
    let it = &model.nodes[node];
    if !it.online || it.unclean {
        model.actions[monitor].runnable = false;
    }
}

/// Cancels a recurring action on `node` (rule 3.11.1): the action of that key changes its task. If there is none
/// yet, the new one has nothing of what is configured for the task.
pub(super) fn cancel(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    interval: u32,
    node: NodeId,
) -> ActionId {
    let id = request_cancel(model, resource, task, interval, node);
    let action = &mut model.actions[id];
    action.task = Task::Cancel;
    action.cancelled_task = Some(task.clone());
    action.set_meta("operation", task.name());
    action.set_meta("interval", interval.to_string());
    note_task(model, resource, &Task::Cancel);
    id
}
