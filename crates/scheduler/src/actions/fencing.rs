//! Fencing, unfencing and shutdown of nodes (rules 1.7.8, 3.14).

use super::request::{self};
use crate::model::{ActionId, Cause, Model, NodeId, Properties, ResourceId, Task};
use crate::ordering::summary;
use crate::state;

/// Meta-attribute with the delay of rule 3.14.10, in seconds.
const PRIORITY_DELAY: &str = "priority-fencing-delay";

/// The fencing action of `node` (rules 3.14.1, 3.14.2): one per node and operation (`on`, `off`,
/// `reboot`; default the option `fencing-action`), created optional. Becomes required only if asked for
/// and possible. The first reason stays.
pub fn request(
    model: &mut Model<'_>,
    node: NodeId,
    operation: Option<&str>,
    optional: bool,
    reason: Option<&str>,
    priority_delay: bool,
) -> ActionId {
    let operation = operation.unwrap_or(model.options.fencing_action.name());
    let key = format!("stonith-{}-{operation}", model.nodes[node].name);
    let (id, is_new) = request::ownerless(model, &key, Task::Fence, Some(node), Cause::NodeState(node));
    let mut optional = optional;
    if is_new {
        let it = &model.nodes[node];
        let (name, node_id) = (it.name.clone(), it.id.clone());
        let action = &mut model.actions[id];
        action.set_meta("on_node", name);
        action.set_meta("on_node_uuid", node_id);
        action.set_meta("stonith_action", operation);
        if model.have_unfencing {
            optional &= !super::unfencing::add_digests(model, node, id);
        }
    }
    let wants_delay = priority_delay || model.actions[id].meta.contains_key(PRIORITY_DELAY);
    if model.options.priority_fencing_delay > 0 && wants_delay {
        let delay = delay_by_priority(model, node);
        model.actions[id].set_meta(PRIORITY_DELAY, delay.to_string());
    }
    if !optional && state::can_fence(model, node) {
        request::require(model, id, Cause::NodeState(node));
        if let Some(reason) = reason {
            model.actions[id].set_reason(reason);
        }
    } else if let Some(reason) = reason {
        model.actions[id].set_reason(reason);
    }
    id
}

/// "Fence N for REASON" while status is read or actions are made (rule 1.7.8): records that the node
/// cannot be trusted; whether it is fenced is decided at the end.
pub fn fence_node(model: &mut Model<'_>, node: NodeId, reason: &str, priority_delay: bool) {
    let it = &model.nodes[node];
    let connection = it.connection;
    if it.is_guest() {
        fail_launcher(model, node);
    } else if let Some(lost) = connection.filter(|connection| is_lost_guest(model, *connection)) {
        let lost = &mut model.resources[lost];
        lost.failed = true;
        lost.stop_required = true;
    } else if it.is_remote() {
        let managed = connection.is_none_or(|connection| model.resources[connection].managed);
        model.nodes[node].remote_reset |= managed;
        model.nodes[node].unclean = true;
        request(model, node, None, true, Some(reason), false);
    } else if !it.unclean {
        model.nodes[node].unclean = true;
        request(model, node, None, true, Some(reason), priority_delay);
    }
}

/// A guest node is fenced through the resource that launches it.
fn fail_launcher(model: &mut Model<'_>, node: NodeId) {
    let Some(launcher) = state::launcher_of_node(model, node) else { return };
    let it = &mut model.resources[launcher];
    if !it.failed && it.managed {
        it.failed = true;
        it.stop_required = true;
        model.nodes[node].remote_reset = true;
    }
}

/// The connection of a former guest node whose launcher is no longer configured.
fn is_lost_guest(model: &Model<'_>, connection: ResourceId) -> bool {
    let it = &model.resources[connection];
    it.removed_launched && it.launcher.is_none()
}

/// Rule 3.14.10, in seconds.
fn delay_by_priority(model: &Model<'_>, node: NodeId) -> u64 {
    let it = &model.nodes[node];
    let configured = cib::value::seconds_from_milliseconds(model.options.priority_fencing_delay);
    if it.is_pacemaker_remote() || it.online {
        return 0;
    }
    let members = || model.nodes.values().filter(|node| !node.is_pacemaker_remote());
    let total = members().count();
    let online = members().filter(|node| node.online).count();
    let highest = members().map(|node| node.priority).max().unwrap_or_default();
    let lowest = members().map(|node| node.priority).min().unwrap_or_default();
    if online > total / 2 || highest == lowest || it.priority < highest { 0 } else { configured }
}

/// What happens to the nodes, in node-list order (S9; rules 3.14.5 to 3.14.7).
pub fn create(model: &mut Model<'_>) {
    let some_managed = model.top.iter().any(|top| any_managed(model, *top));
    let mut sequence = Sequence::default();
    for index in 0..model.node_order.len() {
        let node = model.node_order[index];
        let it = &model.nodes[node];
        if it.is_guest() {
            if it.remote_reset && some_managed && state::can_fence(model, node) {
                fence_guest(model, node);
            }
        } else if it.unclean && some_managed && state::can_fence(model, node) {
            let fence = request(model, node, None, false, Some("node is unclean"), false);
            crate::ordering::fencing::order(model, fence);
            sequence.add(model, node, fence, true);
        } else if it.online && it.shutdown && !it.is_pacemaker_remote() {
            let shutdown = shut_down(model, node);
            sequence.add(model, node, shutdown, false);
        }
    }
    sequence.finish(model);
}

/// Whether the resource or anything inside is managed (rule 3.14.11).
fn any_managed(model: &Model<'_>, resource: ResourceId) -> bool {
    let it = &model.resources[resource];
    it.managed || it.children.iter().any(|child| any_managed(model, *child))
}

/// The order of node actions among each other (rule 3.14.6).
#[derive(Default)]
struct Sequence {
    /// Fencing actions of other nodes, oldest first.
    fencing: Vec<ActionId>,
    /// Shutdowns of other nodes, oldest first.
    shutdowns: Vec<ActionId>,
    /// What happens to the DC, and whether it is fencing.
    dc: Option<(ActionId, bool)>,
}

impl Sequence {
    fn add(&mut self, model: &mut Model<'_>, node: NodeId, action: ActionId, is_fencing: bool) {
        if model.nodes[node].is_dc {
            self.dc = Some((action, is_fencing));
        } else if is_fencing {
            if let Some(&previous) = self.fencing.last().filter(|_| !model.options.concurrent_fencing) {
                request::plainly(model, previous, action);
            }
            self.fencing.push(action);
        } else {
            self.shutdowns.push(action);
        }
    }

    fn finish(self, model: &mut Model<'_>) {
        let Some((dc, is_fencing)) = self.dc else { return };
        if !is_fencing {
            for shutdown in self.shutdowns.iter().rev() {
                crate::ordering::relate(model, *shutdown, dc, Properties::PLAIN);
            }
        }
        let last_only = !model.options.concurrent_fencing;
        let firsts = self.fencing.iter().rev().take(if last_only { 1 } else { usize::MAX });
        for fence in firsts {
            crate::ordering::relate(model, *fence, dc, Properties::PLAIN);
        }
    }
}

fn shut_down(model: &mut Model<'_>, node: NodeId) -> ActionId {
    let key = format!("do_shutdown-{}", model.nodes[node].name);
    let cause = Cause::NodeState(node);
    let (id, _) = request::ownerless(model, &key, Task::Shutdown, Some(node), cause);
    request::require(model, id, cause);
    model.actions[id].set_meta("op_no_wait", "true");
    crate::ordering::fencing::order_shutdown(model, id);
    id
}

/// Recovery of a guest or bundle node (rule 3.14.7): implied by what happens to its launcher.
fn fence_guest(model: &mut Model<'_>, node: NodeId) {
    let launcher = state::launcher_of_node(model, node);
    let mut stop = None;
    let mut operation = "off";
    if let Some(launcher) = launcher {
        // of several stops the newest counts
        stop = summary::find_first(model, launcher, &Task::Stop, None);
        if summary::find_first(model, launcher, &Task::Start, None).is_some() {
            operation = "reboot";
        }
    }
    let fence = request(model, node, Some(operation), false, Some("guest is unclean"), false);
    let action = &mut model.actions[fence];
    action.pseudo = true;
    action.runnable = true;
    order_guest_fencing(model, node, fence, stop);
    crate::ordering::fencing::order(model, fence);
}

fn order_guest_fencing(model: &mut Model<'_>, node: NodeId, fence: ActionId, stop: Option<ActionId>) {
    let implied = Properties::FIRST_GATES_THEN | Properties::FIRST_PULLS_THEN;
    match stop {
        Some(stop) if model.actions[stop].pseudo => {
            if let Some(host) = model.actions[stop].node {
                let host_fencing = request(model, host, None, false, None, false);
                crate::ordering::relate(model, host_fencing, fence, implied);
            }
        }
        Some(stop) => {
            crate::ordering::relate(model, stop, fence, implied);
        }
        None => {
            let connection = model.nodes[node].connection;
            let stop =
                connection.and_then(|it| crate::ordering::summary::find_first(model, it, &Task::Stop, None));
            if let Some(stop) = stop {
                request::plainly(model, stop, fence);
            }
        }
    }
}
