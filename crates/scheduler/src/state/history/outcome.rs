//! After all entries of a resource on a node: what is active, and what the worst failure asks for (rule 1.15).

use super::{Replay, mark_failed, set_next_role};
use crate::actions;
use crate::actions::fencing::fence_node;
use crate::model::{ActionId, Model, NodeId, OnFail, ResourceId, Task};
use crate::state::{self, running};
use cib::status::HistoryEntry;
use cib::value::Role;

/// Which of the sorted entries tell the last start and the last successful stop (rules 1.15.1, 3.13.2).
/// Positions count from 0; `None` means there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ActiveRange {
    pub start: Option<usize>,
    pub stop: Option<usize>,
}

impl ActiveRange {
    /// Finds the range in entries sorted from oldest to newest.
    pub fn of(entries: &[&HistoryEntry]) -> ActiveRange {
        let mut range = ActiveRange::default();
        let mut monitor = None;
        let mut role_change = None;
        for (index, entry) in entries.iter().enumerate() {
            match entry.operation() {
                Some("stop") if entry.op_status == Some(0) => range.stop = Some(index),
                Some("start" | "migrate_from") => range.start = Some(index),
                Some("monitor") if monitor <= range.stop => {
                    if matches!(entry.rc_code, Some(0 | 8)) {
                        monitor = Some(index);
                    }
                }
                Some("promote" | "demote") => role_change = Some(index),
                _ => {}
            }
        }
        range.start = range.start.or(role_change).or(monitor);
        range
    }

    /// Whether the entry at `index` belongs to the time before the resource was last started.
    pub fn is_past(&self, index: usize) -> bool {
        (self.start < self.stop && Some(index) <= self.stop) || Some(index) < self.start
    }
}

/// Rule 1.15.1: monitors that are already running become optional actions.
pub(super) fn register_recurring(
    model: &mut Model,
    resource: ResourceId,
    node: NodeId,
    entries: &[&HistoryEntry],
) {
    if !model.nodes[node].online {
        return;
    }
    let range = ActiveRange::of(entries);
    for (index, entry) in entries.iter().enumerate() {
        if range.is_past(index) || entry.interval == 0 || entry.op_status == Some(-1) {
            continue;
        }
        let Some(task) = entry.operation() else { continue };
        actions::request(model, resource, Task::parse(task), entry.interval, Some(node), true);
    }
}

/// Rules 1.15.2, 1.15.3 and 1.14.7.
pub(super) fn settle(model: &mut Model, replay: &Replay) {
    let (resource, node) = (replay.resource, replay.node);
    if model.resources[resource].current_role != Role::Unknown {
        running::mark_probed(model, resource, node);
    }
    if is_lost(model, resource, node) {
        fence_where_active(model, resource, node);
    }
    let handling = if model.nodes[node].unclean { OnFail::Ignore } else { replay.handling };
    handle(model, resource, node, handling);
    keep_failed_connection_fenced(model, resource);
    if is_up(model, resource) {
        running::mark_active(model, resource, node, replay.handling != OnFail::Ignore);
        match handling {
            OnFail::Ignore => {}
            OnFail::Demote | OnFail::Block => mark_failed(model, resource, false),
            _ => mark_failed(model, resource, true),
        }
    } else {
        forget_stops(model, resource, node);
    }
    keep_partial_migration(model, resource, node);
}

fn is_up(model: &Model, resource: ResourceId) -> bool {
    model.resources[resource].current_role > Role::Stopped
}

/// Managed and active on a node that is gone.
fn is_lost(model: &Model, resource: ResourceId, node: NodeId) -> bool {
    let at = &model.nodes[node];
    is_up(model, resource) && !at.online && !at.maintenance && model.resources[resource].managed
}

/// Rule 1.15.2 step 2.
fn fence_where_active(model: &mut Model, resource: ResourceId, node: NodeId) {
    let id = model.resources[resource].id.clone();
    let mut reason = format!("{id} is thought to be active there");
    if model.nodes[node].is_guest() {
        mark_failed(model, resource, true);
    } else if !model.options.fencing_enabled {
        return;
    } else if let Some(connection) = model.nodes[node].connection.filter(|_| model.nodes[node].is_remote()) {
        if !model.resources[connection].failed {
            model.nodes[node].seen = false;
            reason = format!(
                "{id} is active there (fencing will be revoked if remote connection can be re-established elsewhere)"
            );
        }
    }
    fence_node(model, node, &reason, false);
}

/// Rule 1.15.3, the table.
fn handle(model: &mut Model, resource: ResourceId, node: NodeId, handling: OnFail) {
    match handling {
        OnFail::Ignore => {}
        OnFail::Demote => {
            mark_failed(model, resource, false);
            actions::request(model, resource, Task::Demote, 0, Some(node), false);
        }
        OnFail::Fence => {
            let reason = format!("{} failed there", model.resources[resource].id);
            fence_node(model, node, &reason, false);
        }
        OnFail::Standby => {
            model.nodes[node].standby = true;
            model.nodes[node].standby_on_fail = true;
        }
        OnFail::Block => running::block(model, resource),
        OnFail::Ban => {
            let cause = crate::model::Cause::Failure { resource, node };
            running::ban(model, resource, node, cause);
        }
        OnFail::Stop => set_next_role(model, resource, Role::Stopped, "on-fail=stop"),
        OnFail::Restart => {
            if is_up(model, resource) {
                mark_failed(model, resource, true);
                stop(model, resource, node);
            }
        }
        OnFail::RestartContainer => restart_container(model, resource, node),
        OnFail::ResetRemote => reset_remote(model, resource, node),
    }
}

fn stop(model: &mut Model, resource: ResourceId, node: NodeId) -> ActionId {
    actions::request(model, resource, Task::Stop, 0, Some(node), false)
}

fn restart_container(model: &mut Model, resource: ResourceId, node: NodeId) {
    mark_failed(model, resource, true);
    match model.resources[resource].launcher {
        Some(launcher) if state::is_bundled(model, resource).is_some() => {
            // an inner resource has no settled place until everything is read
            model.state.late_stops.push(launcher);
        }
        Some(launcher) => {
            stop(model, launcher, node);
        }
        None if is_up(model, resource) => {
            stop(model, resource, node);
        }
        None => {}
    }
}

fn reset_remote(model: &mut Model, resource: ResourceId, node: NodeId) {
    mark_failed(model, resource, true);
    if model.options.fencing_enabled && model.resources[resource].is_remote_connection {
        let remote = state::find_node(model, &model.resources[resource].id);
        if let Some(remote) =
            remote.filter(|it| model.nodes[*it].is_remote() && !model.nodes[*it].remote_was_fenced)
        {
            fence_node(model, remote, "remote connection is unrecoverable", false);
        }
    }
    if is_up(model, resource) {
        stop(model, resource, node);
    }
    if model.resources[resource].reconnect_interval > 0 {
        set_next_role(model, resource, Role::Stopped, "remote reset");
    }
}

/// A failed connection does not revoke the fencing of its unclean node.
fn keep_failed_connection_fenced(model: &mut Model, resource: ResourceId) {
    let it = &model.resources[resource];
    if it.failed && it.is_remote_connection {
        if let Some(node) = state::find_node(model, &it.id).filter(|node| model.nodes[*node].unclean) {
            model.nodes[node].seen = true;
        }
    }
}

/// Not active here: stops that other rules asked for are not needed (rules 1.15.3, 3.16.3).
fn forget_stops(model: &mut Model, resource: ResourceId, node: NodeId) {
    if model.resources[resource].history_name.as_ref().is_some_and(|name| name.contains(':')) {
        state::set_history_name(model, resource, None);
        return;
    }
    for action in model.resources[resource].actions.clone() {
        let it = &mut model.actions[action];
        if it.task == Task::Stop && it.node.is_none_or(|at| at == node) {
            it.node = Some(node);
            it.optional = true;
        }
    }
}

/// Rule 1.14.7: a stop on the source of a partial migration does not stop the target.
fn keep_partial_migration(model: &mut Model, resource: ResourceId, node: NodeId) {
    let it = &mut model.resources[resource];
    if it.current_role == Role::Stopped
        && !it.active_on.is_empty()
        && it.partial_migration_target.is_some()
        && it.partial_migration_source == Some(node)
    {
        it.current_role = Role::Started;
    }
}
