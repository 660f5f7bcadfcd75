//! Probes: finding out what is active where before anything is decided on assumptions (rule 3.8).

use super::request::request_new;
use super::{fencing, recurring, unfencing};
use crate::model::{Cause, Discovery, Model, NodeId, Properties, ResourceId, ResourceKind, Side, Task};
use crate::ordering::order;
use crate::ordering::remote::{ConnectionState, connection_state};
use crate::state;
use cib::value::Role;

/// Probes what is not known yet, node by node (rule 3.8.1).
pub(super) fn schedule(model: &mut Model<'_>) {
    if !model.options.enable_startup_probes {
        return;
    }
    for node in model.node_order.clone() {
        let it = &model.nodes[node];
        if !it.online {
            let is_lost = it.is_remote() && connection_state(model, node) == ConnectionState::Failed;
            if is_lost {
                fencing::fence_node(model, node, "the connection is unrecoverable", false);
            }
        } else if !it.unclean && it.probes_allowed {
            for index in 0..model.top.len() {
                probe(model, model.top[index], node);
            }
        }
    }
}

/// Probes `resource` on `node` unless there is a reason not to (rule 3.8.2). Returns whether a probe of
/// it was created.
fn probe(model: &mut Model<'_>, resource: ResourceId, node: NodeId) -> bool {
    if cannot_be_behind_a_connection(model, resource, node) {
        return false;
    }
    match &model.resources[resource].kind {
        ResourceKind::Primitive(_) => {}
        ResourceKind::Group(_) => return probe_members(model, resource, node),
        ResourceKind::Clone(_) => return probe_clone(model, resource, node),
        ResourceKind::Bundle(_) => return probe_bundle(model, resource, node),
    }
    let it = &model.resources[resource];
    let comes_with_container = it.launcher.is_some() && !it.is_remote_connection;
    if comes_with_container || it.removed || state::is_probed(model, resource, node) {
        return false;
    }
    if !may_be_discovered(model, resource, node) || follows_from_guest(model, resource, node) {
        return false;
    }
    create(model, resource, node);
    true
}

/// Fence devices, guests' launchers and connections do not run on such nodes.
fn cannot_be_behind_a_connection(model: &Model<'_>, resource: ResourceId, node: NodeId) -> bool {
    let (it, node) = (&model.resources[resource], &model.nodes[node]);
    node.is_pacemaker_remote()
        && (it.is_fence_device
            || it.is_remote_connection
            || (node.is_guest() && contains_guest(model, resource)))
}

fn contains_guest(model: &Model<'_>, resource: ResourceId) -> bool {
    let it = &model.resources[resource];
    it.launched.iter().any(|launched| model.resources[*launched].is_remote_connection)
}

/// What `resource-discovery` says.
fn may_be_discovered(model: &Model<'_>, resource: ResourceId, node: NodeId) -> bool {
    let top = model.top_of(resource);
    let it = &model.resources[resource];
    let entry = it.allowed.get(node);
    if it.exclusive_discovery || model.resources[top].exclusive_discovery {
        return entry.is_some_and(|entry| entry.discovery == Discovery::Exclusive);
    }
    entry.map_or(model.nodes[node].discovery, |entry| entry.discovery) != Discovery::Never
}

/// Whether the state inside a guest follows from that of the guest, which is stopped or will be.
fn follows_from_guest(model: &mut Model<'_>, resource: ResourceId, node: NodeId) -> bool {
    if !model.nodes[node].is_guest() {
        return false;
    }
    let Some(guest) = state::launcher_of_node(model, node) else { return false };
    let then = Side::task(model.top_of(resource), Task::Start);
    let cause = Cause::Launcher(guest);
    if model.resources[guest].current_role == Role::Stopped {
        let assigned = model.resources[guest].assigned;
        if assigned.is_some_and(|assigned| !state::is_probed(model, guest, assigned)) {
            order(model, Side::task(guest, Task::Monitor), then, Properties::PLAIN, cause);
        }
        return true;
    }
    if guest_will_stop(model, guest, node) {
        order(model, Side::task(guest, Task::Stop), then, Properties::PLAIN, cause);
        return true;
    }
    false
}

fn guest_will_stop(model: &Model<'_>, guest: ResourceId, node: NodeId) -> bool {
    let (it, node) = (&model.resources[guest], &model.nodes[node]);
    let moves = it.current_role > Role::Stopped
        && it.assigned.is_some_and(|assigned| !it.active_on.contains(&assigned));
    node.remote_reset || node.unclean || it.failed || it.next_role == Role::Stopped || moves
}

fn probe_members(model: &mut Model<'_>, group: ResourceId, node: NodeId) -> bool {
    let mut any = false;
    for index in 0..model.resources[group].children.len() {
        any |= probe(model, model.resources[group].children[index], node);
    }
    any
}

/// Rule 3.8.3.
fn probe_clone(model: &mut Model<'_>, clone: ResourceId, node: NodeId) -> bool {
    let it = &model.resources[clone];
    let is_enabled = it.allowed.get(node).is_some_and(|entry| entry.discovery == Discovery::Exclusive);
    if it.exclusive_discovery && !is_enabled {
        model.resources[clone].allowed.remove(node);
        return false;
    }
    sort_by_number(model, clone);
    if model.resources[clone].unique {
        return probe_members(model, clone, node);
    }
    match instance_to_probe(model, clone, node) {
        Some(instance) => probe(model, instance, node),
        None => false,
    }
}

fn sort_by_number(model: &mut Model<'_>, clone: ResourceId) {
    let children = &model.resources[clone].children;
    let number = |id: &ResourceId| model.resources[*id].instance;
    if !children.is_sorted_by_key(number) {
        let mut sorted = children.clone();
        sorted.sort_by_key(number);
        model.resources[clone].children = sorted;
    }
}

/// The one instance of an anonymous clone that stands for the clone on `node`.
fn instance_to_probe(model: &Model<'_>, clone: ResourceId, node: NodeId) -> Option<ResourceId> {
    let instances = &model.resources[clone].children;
    let known = instances.iter().find(|instance| is_probed_in_part(model, **instance, node));
    let assigned =
        || instances.iter().find(|instance| state::location(model, **instance, false) == Some(node));
    known.or_else(assigned).or_else(|| instances.first()).copied()
}

fn is_probed_in_part(model: &Model<'_>, resource: ResourceId, node: NodeId) -> bool {
    let it = &model.resources[resource];
    if it.is_primitive() {
        return state::is_probed(model, resource, node);
    }
    it.children.iter().any(|child| is_probed_in_part(model, *child, node))
}

/// Rule 3.8.4.
fn probe_bundle(model: &mut Model<'_>, bundle: ResourceId, node: NodeId) -> bool {
    let Some(settings) = model.resources[bundle].bundle() else { return false };
    let alone_on_host = settings.replicas_per_host <= 1;
    let replicas = settings.replicas.clone();
    let mut any = false;
    for replica in &replicas {
        if let Some(ip) = replica.ip {
            any |= probe(model, ip, node);
        }
        if let Some(child) = replica.child.filter(|_| replica.node == Some(node)) {
            any |= probe(model, child, node);
        }
        if probe(model, replica.container, node) {
            any = true;
            if alone_on_host {
                let others = replicas.iter().map(|other| other.container);
                hold_back(model, replica.container, others);
            }
        }
        if let Some(connection) = replica.connection {
            if probe(model, connection, node) {
                any = true;
                order_connection_probe(model, replica.container, connection, node);
            }
        }
    }
    any
}

/// No other replica may start on a host before it is known that none is there already.
fn hold_back(model: &mut Model<'_>, container: ResourceId, others: impl Iterator<Item = ResourceId>) {
    let properties = Properties::PLAIN | Properties::SAME_NODE;
    for other in others.filter(|other| *other != container) {
        let (first, then) = (Side::task(container, Task::Monitor), Side::task(other, Task::Start));
        order(model, first, then, properties, Cause::Launcher(container));
    }
}

fn order_connection_probe(
    model: &mut Model<'_>,
    container: ResourceId,
    connection: ResourceId,
    node: NodeId,
) {
    let is_it = |id: &&crate::model::ActionId| {
        model.actions[**id].is_probe() && model.actions[**id].node == Some(node)
    };
    if let Some(probe) = model.resources[connection].actions.iter().find(is_it).copied() {
        let (first, then) = (Side::task(container, Task::Start), Side::Action(probe));
        order(model, first, then, Properties::NESTED_PROBE, Cause::Launcher(container));
    }
}

/// Rules 3.8.5 and 3.8.6.
fn create(model: &mut Model<'_>, resource: ResourceId, node: NodeId) {
    let cause = Cause::StateUnknown { resource, node };
    let probe = request_new(model, resource, Task::Monitor, 0, Some(node), false, cause);
    model.actions[probe].optional = false;
    unfencing::order_before(model, resource, node, probe, Properties::PLAIN);
    let it = &model.resources[resource];
    let expected = if !it.active_on.contains(&node) {
        Some(recurring::NOT_RUNNING)
    } else if it.current_role == Role::Promoted {
        Some(recurring::RUNNING_PROMOTED)
    } else {
        None
    };
    if let Some(expected) = expected {
        model.actions[probe].set_meta("op_target_rc", expected);
    }
    order_start_after(model, resource, probe, cause);
}

fn order_start_after(
    model: &mut Model<'_>,
    resource: ResourceId,
    probe: crate::model::ActionId,
    cause: Cause,
) {
    let top = model.top_of(resource);
    let whole = if model.resources[top].is_clone() { top } else { resource };
    let mut properties = Properties::PLAIN;
    if !model.actions[probe].runnable && model.resources[whole].active_on.is_empty() {
        properties |= Properties::FIRST_GATES_THEN;
    }
    order(model, Side::Action(probe), Side::task(whole, Task::Start), properties, cause);
    if model.resources[whole].reloading {
        order(model, Side::Action(probe), Side::task(whole, Task::Reload), Properties::PLAIN, cause);
    }
}
