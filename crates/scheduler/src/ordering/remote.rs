//! Orderings around connections of remote and guest nodes (rule 3.31).

use super::order;
use crate::model::{ActionId, Cause, Model, NodeId, Properties, ResourceId, Side, Task};
use crate::state;
use cib::value::Role;

/// Rules between actions on remote and guest nodes and their connections (S8).
pub fn create(model: &mut Model<'_>) {
    if !model.have_remote_nodes {
        return;
    }
    let ids: Vec<ActionId> = model.actions.ids().rev().collect();
    for action in ids {
        let Some(resource) = model.actions[action].resource else { continue };
        let clears = model.actions[action].task == Task::ClearFailcount;
        if clears && model.resources[resource].remote_node.is_some() {
            let start = Side::task(resource, Task::Start);
            order(model, Side::Action(action), start, Properties::PLAIN, Cause::Action(action));
            continue;
        }
        order_action(model, action, resource);
    }
}

fn order_action(model: &mut Model<'_>, action: ActionId, resource: ResourceId) {
    let Some(node) = model.actions[action].node.filter(|_| !model.actions[action].pseudo) else { return };
    let Some(connection) = model.nodes[node].connection.filter(|_| model.nodes[node].is_pacemaker_remote())
    else {
        return;
    };
    if model.actions[action].task == Task::Start {
        stops_elsewhere(model, resource, node, connection);
    }
    match model.resources[connection].launcher {
        Some(launcher) => on_guest(model, action, node, connection, launcher),
        None => on_remote(model, action, node, connection),
    }
}

/// Rule 3.31.3: a resource leaves its old node when the new one can be reached.
fn stops_elsewhere(model: &mut Model<'_>, resource: ResourceId, node: NodeId, connection: ResourceId) {
    for index in (0..model.resources[resource].actions.len()).rev() {
        let stop = model.resources[resource].actions[index];
        if model.actions[stop].task == Task::Stop && model.actions[stop].node != Some(node) {
            let start = Side::task(connection, Task::Start);
            order(model, start, Side::Action(stop), Properties::PLAIN, Cause::Launcher(connection));
        }
    }
}

/// What can be said about the connection to a remote node (rule 3.31.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionState {
    Alive,
    /// It will be back, on the same or another host.
    Resting,
    Stopped,
    Failed,
    Unknown,
}

/// The state of a remote node's connection (rule 3.31.2).
pub fn connection_state(model: &Model<'_>, node: NodeId) -> ConnectionState {
    let Some(connection) = model.nodes[node].connection else { return ConnectionState::Unknown };
    let it = &model.resources[connection];
    let host = state::current_node(model, connection).map(|host| &model.nodes[host]);
    let host_unclean = host.is_some_and(|host| host.unclean);
    if it.next_role == Role::Stopped || it.assigned.is_none() {
        let remote = &model.nodes[node];
        let waits = it.next_role == Role::Stopped && it.reconnect_interval > 0;
        return if host_unclean {
            ConnectionState::Failed
        } else if !it.failed {
            ConnectionState::Stopped
        } else if waits && remote.remote_was_fenced && !shutdown_requested(model, node) {
            ConnectionState::Unknown
        } else {
            ConnectionState::Failed
        };
    }
    let Some(host) = host else { return ConnectionState::Unknown };
    let migrating = it.active_on.len() > 1
        && it.partial_migration_source.is_some()
        && it.partial_migration_target.is_some();
    if host_unclean || !host.online || migrating { ConnectionState::Resting } else { ConnectionState::Alive }
}

fn shutdown_requested(model: &Model<'_>, node: NodeId) -> bool {
    model.nodes[node].attributes.get("shutdown").is_some_and(|value| !matches!(&**value, "" | "0"))
}

/// The task as far as the connection is concerned: a migration is a stop.
fn effective_task(model: &Model<'_>, action: ActionId) -> Task {
    match &model.actions[action].task {
        Task::MigrateTo | Task::MigrateFrom => Task::Stop,
        task => task.clone(),
    }
}

fn after_start(model: &mut Model<'_>, connection: ResourceId, action: ActionId, more: Properties) {
    let properties = Properties::GUEST_ALLOWED | Properties::FIRST_GATES_THEN | more;
    let start = Side::task(connection, Task::Start);
    order(model, start, Side::Action(action), properties, Cause::Launcher(connection));
}

fn before_stop(model: &mut Model<'_>, connection: ResourceId, action: ActionId, more: Properties) {
    let properties = Properties::GUEST_ALLOWED | more;
    let stop = Side::task(connection, Task::Stop);
    order(model, Side::Action(action), stop, properties, Cause::Launcher(connection));
}

/// Rule 3.31.4.
fn on_remote(model: &mut Model<'_>, action: ActionId, node: NodeId, connection: ResourceId) {
    let connection_is = connection_state(model, node);
    let none = Properties::NONE;
    match effective_task(model, action) {
        Task::Start | Task::Promote => {
            let failed = connection_is == ConnectionState::Failed;
            after_start(model, connection, action, if failed { Properties::FIRST_PULLS_THEN } else { none });
        }
        Task::Stop => match connection_is {
            ConnectionState::Alive => before_stop(model, connection, action, Properties::THEN_PULLS_FIRST),
            ConnectionState::Failed => {
                fence(model, node, "resources are active but connection is unrecoverable");
            }
            _ if model.resources[connection].next_role == Role::Stopped => {
                before_stop(model, connection, action, Properties::THEN_PULLS_FIRST);
            }
            _ => after_start(model, connection, action, none),
        },
        Task::Demote => {
            if matches!(connection_is, ConnectionState::Resting | ConnectionState::Unknown) {
                after_start(model, connection, action, none);
            }
        }
        _ if model.actions[action].interval > 0 => {
            after_start(model, connection, action, Properties::FIRST_PULLS_THEN);
        }
        task => {
            if task == Task::Monitor && connection_is == ConnectionState::Failed {
                fence(model, node, "resources are in unknown state and connection is unrecoverable");
            }
            let active = state::current_node(model, connection).is_some();
            if active && connection_is == ConnectionState::Stopped {
                before_stop(model, connection, action, Properties::FIRST_GATES_THEN);
            } else {
                after_start(model, connection, action, none);
            }
        }
    }
}

/// Rule 3.31.5.
fn on_guest(
    model: &mut Model<'_>,
    action: ActionId,
    node: NodeId,
    connection: ResourceId,
    launcher: ResourceId,
) {
    let failed = model.resources[launcher].failed;
    if failed {
        fence(model, node, "container failed");
    }
    let recurring = model.actions[action].interval > 0;
    match effective_task(model, action) {
        Task::Start | Task::Promote => {
            after_start(model, launcher, action, Properties::FIRST_PULLS_THEN);
            after_start(model, connection, action, Properties::NONE);
        }
        Task::Stop | Task::Demote => {
            if !failed {
                before_stop(model, connection, action, Properties::NONE);
            }
        }
        Task::Monitor if recurring => after_start(model, connection, action, Properties::FIRST_PULLS_THEN),
        _ if recurring => {}
        _ => after_start(model, connection, action, Properties::NONE),
    }
}

fn fence(model: &mut Model<'_>, node: NodeId, reason: &str) {
    crate::actions::fencing::fence_node(model, node, reason, false);
}
