//! Clearing of fail counts and of stale shutdown locks (rules 3.13.8, 3.14.12).

use super::fencing;
use super::request;
use crate::model::{ActionId, Cause, Model, NodeId, Properties, ResourceId, Side, Task};

/// Clears the fail counts of `resource` on `node`: once per pair, required.
pub fn clear_fail_count(model: &mut Model<'_>, resource: ResourceId, node: NodeId, cause: Cause) -> ActionId {
    let clear = request::request_because(model, resource, Task::ClearFailcount, 0, Some(node), false, cause);
    model.actions[clear].set_meta("op_no_wait", "true");
    clear
}

/// Whether the fail counts of `resource` on `node` are being cleared by this run.
pub fn fail_count_is_being_cleared(model: &Model<'_>, resource: ResourceId, node: NodeId) -> bool {
    request::of_task(model, resource, &Task::ClearFailcount, 0)
        .any(|clear| model.actions[clear].node.is_none_or(|on| on == node))
}

/// Lets a clearing for a connection with reconnect interval wait for the fencing of its remote node.
pub fn order_after_fencing(model: &mut Model<'_>, resource: ResourceId, clear: ActionId) {
    let it = &model.resources[resource];
    if !model.options.fencing_enabled || it.reconnect_interval == 0 {
        return;
    }
    let Some(remote) = it.remote_node else { return };
    let fence = fencing::request(model, remote, None, true, None, false);
    let cause = Cause::NodeState(remote);
    let (first, then) = (Side::Action(fence), Side::Action(clear));
    crate::ordering::order(model, first, then, Properties::FIRST_PULLS_THEN, cause);
}

/// Deletes the history that holds a shutdown lock which is stale or expired; the DC does it, so the state
/// of the node does not matter.
pub fn clear_shutdown_lock(model: &mut Model<'_>, resource: ResourceId, node: NodeId) -> ActionId {
    let cause = Cause::ShutdownLock { resource, node };
    request::request_because(model, resource, Task::LrmDelete, 0, Some(node), false, cause)
}
