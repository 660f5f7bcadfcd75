//! Replays resource history: what each operation's result says about where resources run (rules 1.11–1.15).

pub(super) mod index;

mod entry;
mod expiry;
mod failure;
mod find;
mod migration;
mod order;
mod outcome;

use super::{membership, remote, resources, running};
use crate::actions;
use crate::model::{Model, Name, NodeId, OnFail, ResourceId};
use cib::status::{HistoryEntry, NodeState, ResourceHistory};
use cib::value::{self, Role, Timestamp};

pub use entry::{failed_probe, is_masked_probe_failure, resource_of_key};
pub use outcome::ActiveRange;

/// A recorded failure, for display (rule 1.13.6).
#[derive(Clone, Debug)]
pub struct FailedEntry<'a> {
    pub resource: ResourceId,
    pub node: NodeId,
    pub entry: &'a HistoryEntry,
}

/// The replay of one resource's entries on one node.
struct Replay<'a> {
    resource: ResourceId,
    node: NodeId,
    /// The most severe handling that later entries have not cleared (rule 1.13.2).
    handling: OnFail,
    /// The entry of the latest failure.
    last_failure: Option<&'a HistoryEntry>,
}

/// Reads the history of all nodes, each as soon as it can be trusted (rule 1.11.1).
pub(super) fn replay(model: &mut Model) {
    let mut done = vec![false; model.cib.status.nodes.len()];
    while pass(model, &mut done, false) {}
    let fencing = model.options.fencing_enabled;
    pass(model, &mut done, fencing);
    remote::finish(model);
}

/// One pass over all node states; true if it processed at least one.
fn pass(model: &mut Model, done: &mut [bool], all: bool) -> bool {
    let mut progressed = false;
    for (index, state) in model.cib.status.nodes.iter().enumerate() {
        if done[index] || state.uname.is_none() {
            continue;
        }
        let Some(node) = membership::node_of(model, state) else { continue };
        if model.state.processed.contains_key(&node) || (!all && is_early(model, node)) {
            continue;
        }
        done[index] = true;
        progressed = true;
        model.state.processed.insert(node, index);
        if model.nodes[node].is_pacemaker_remote() {
            remote::set_online(model, node);
            remote::set_attributes(model, node, state);
        }
        replay_node(model, node, state);
    }
    progressed
}

/// Whether the node's history must wait for what other nodes tell (rule 1.11.1.1).
fn is_early(model: &Model, node: NodeId) -> bool {
    let it = &model.nodes[node];
    let is_started = |resource: Option<ResourceId>| {
        resource.is_some_and(|resource| model.resources[resource].current_role == Role::Started)
    };
    if it.is_guest() {
        !is_started(it.connection) || !is_started(running::launcher_of_node(model, node))
    } else if it.is_remote() {
        it.connection.is_none() || (!model.options.shutdown_lock && !is_started(it.connection))
    } else {
        !model.options.fencing_enabled && !model.options.shutdown_lock && !it.online
    }
}

/// Rule 1.11.1.4.
fn replay_node<'a>(model: &mut Model<'a>, node: NodeId, state: &'a NodeState) {
    let mut found_launched = false;
    for history in &state.history {
        let resource = replay_resource(model, node, history);
        found_launched |= resource.is_some_and(|it| model.resources[it].removed_launched);
    }
    if found_launched {
        link_removed_launched(model, state);
    }
}

/// Rule 1.11.8.5.
fn link_removed_launched(model: &mut Model, state: &NodeState) {
    for history in &state.history {
        let Some(container) = &history.container else { continue };
        let Some(resource) = super::find_known(model, &history.id) else { continue };
        let it = &model.resources[resource];
        if !it.removed_launched || it.launcher.is_some() {
            continue;
        }
        if let Some(launcher) = super::find_known(model, container) {
            resources::set_launcher(model, resource, launcher);
        }
    }
}

/// Rule 1.11.2: one `lrm_resource`.
fn replay_resource<'a>(
    model: &mut Model<'a>,
    node: NodeId,
    history: &'a ResourceHistory,
) -> Option<ResourceId> {
    if history.entries.is_empty() && !model.options.shutdown_lock {
        return None;
    }
    let resource = match find::resource_of(model, node, &history.id) {
        Some(resource) => resource,
        None if history.entries.is_empty() => return None,
        None => find::create_removed(model, history)?,
    };
    if model.options.shutdown_lock {
        apply_shutdown_lock(model, resource, node, history.shutdown_lock);
    }
    if history.entries.is_empty() {
        return None;
    }
    let previous = std::mem::replace(&mut model.resources[resource].current_role, Role::Unknown);
    let entries = order::sorted(&history.entries);
    let mut replay = Replay { resource, node, handling: OnFail::Ignore, last_failure: None };
    for entry in &entries {
        replay.entry(model, entry);
    }
    outcome::register_recurring(model, resource, node, &entries);
    outcome::settle(model, &replay);
    apply_target_role(model, resource);
    let it = &mut model.resources[resource];
    it.current_role = it.current_role.max(previous);
    Some(resource)
}

/// Rule 1.15.4.
fn apply_target_role(model: &mut Model, resource: ResourceId) {
    let Some(target) = super::target_role(model, resource) else { return };
    let next = model.resources[resource].next_role;
    if next == Role::Unknown || next > target {
        set_next_role(model, resource, target, "target-role");
    }
}

/// Rule 1.19.1.
fn apply_shutdown_lock(model: &mut Model, resource: ResourceId, node: NodeId, lock: Option<Timestamp>) {
    let Some(time) = lock else { return };
    let limit = value::seconds_from_milliseconds(model.options.shutdown_lock_limit) as Timestamp;
    if limit > 0 && model.now > time.saturating_add(limit) {
        actions::clear_shutdown_lock(model, resource, node);
    } else {
        model.resources[resource].lock_node = Some(node);
        model.resources[resource].lock_time = time;
    }
}

/// Changes the next role, and says why; with [`Role::Unknown`] nothing asks for a role any more.
pub(super) fn set_next_role(model: &mut Model, resource: ResourceId, role: Role, reason: &str) {
    let it = &mut model.resources[resource];
    it.next_role = role;
    it.next_role_reason = if role == Role::Unknown { None } else { Some(Name::from(reason)) };
}

/// A failed resource whose recovery must include a stop.
pub(super) fn mark_failed(model: &mut Model, resource: ResourceId, stop_required: bool) {
    model.resources[resource].failed = true;
    model.resources[resource].stop_required |= stop_required;
}

/// The history that was read for `node`, in document order (what rule 3.13 compares with the configuration).
pub fn history<'a>(model: &Model<'a>, node: NodeId) -> &'a [ResourceHistory] {
    let cib = model.cib;
    model.state.processed.get(&node).map_or(&[], |index| &cib.status.nodes[*index].history)
}

/// The entries of one history from oldest to newest (rule 1.11.9).
pub fn sorted_entries(history: &ResourceHistory) -> Vec<&HistoryEntry> {
    order::sorted(&history.entries)
}
