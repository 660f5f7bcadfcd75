//! State of remote, guest and bundle nodes, which follows from their connections (rule 1.17).

use super::history::set_next_role;
use super::{membership, nodes, running};
use crate::actions;
use crate::model::{Model, NodeId, Task};
use cib::status::NodeState;
use cib::value::{self, Role};

/// Rule 1.17.1.
pub(super) fn set_online(model: &mut Model, node: NodeId) {
    let Some(connection) = model.nodes[node].connection else {
        model.nodes[node].online = false;
        return;
    };
    let it = &model.resources[connection];
    let launcher = it.launcher.map(|launcher| &model.resources[launcher]);
    let host = match it.active_on[..] {
        [host] if launcher.is_some() => Some(&model.nodes[host]),
        _ => None,
    };
    let started = it.current_role == Role::Started;
    let stopping = started && it.next_role == Role::Stopped;
    // (online, reset needed) where a failure decides
    let verdict = if launcher.is_some_and(|it| it.failed) {
        Some((false, Some(true)))
    } else if it.failed {
        Some((false, None))
    } else if it.current_role == Role::Stopped || launcher.is_some_and(|it| it.current_role == Role::Stopped)
    {
        Some((false, Some(false)))
    } else if host.is_some_and(|host| !host.online && host.unclean) {
        Some((false, Some(true)))
    } else {
        None
    };
    let at = &mut model.nodes[node];
    at.online |= started;
    at.shutdown |= stopping;
    if let Some((online, reset)) = verdict {
        at.online = online;
        at.remote_reset = reset.unwrap_or(at.remote_reset);
    }
}

/// Rule 1.17.2.
pub(super) fn set_attributes(model: &mut Model, node: NodeId, state: &NodeState) {
    let it = &mut model.nodes[node];
    it.remote_was_in_maintenance |= state.was_in_maintenance;
    if !it.remote_reset {
        it.unclean = false;
        it.seen = true;
    }
    nodes::overwrite_attributes(model, node, &state.transient_attributes);
    nodes::add_utilization(model, node, &state.transient_utilization);
    let shutdown = membership::shutdown_requested(model, node);
    let standby = membership::is_true(model, node, "standby");
    let unmanaged = model.nodes[node].connection.is_some_and(|it| !model.resources[it].managed);
    let maintenance = membership::is_true(model, node, "maintenance") || unmanaged;
    let discovery = model.nodes[node].attributes.get("resource-discovery-enabled");
    let probes_forbidden = discovery.is_some_and(|text| !value::is_true(Some(text)));
    let may_forbid = !model.nodes[node].is_remote() || model.options.fencing_enabled;
    let it = &mut model.nodes[node];
    it.shutdown |= shutdown;
    it.standby |= standby;
    it.maintenance |= maintenance;
    if probes_forbidden && may_forbid {
        it.probes_allowed = false;
    }
}

/// Rule 1.17.4: what had to wait until all history was read.
pub(super) fn finish(model: &mut Model) {
    for launcher in std::mem::take(&mut model.state.late_stops).into_iter().rev() {
        if let Some(node) = running::current_node(model, launcher) {
            actions::request(model, launcher, Task::Stop, 0, Some(node), false);
        }
    }
    for node in model.node_order.clone() {
        if !model.nodes[node].is_pacemaker_remote() {
            continue;
        }
        if let Some(connection) = model.nodes[node].connection.filter(|_| model.nodes[node].shutdown) {
            set_next_role(model, connection, Role::Stopped, "remote shutdown");
        }
        if !model.state.processed.contains_key(&node) {
            set_online(model, node);
        }
    }
}
