//! Colocations and bans that follow from what resources are (rule 2.11).
//!
//! The stage of implicit orderings (S4) calls these at the right moment for each resource, because both
//! kinds of constraint are made in one pass over the resources. For an unmanaged primitive nothing of
//! [`join_launcher`] and [`keep_connections_off_remote_nodes`] applies; they check that themselves.

use super::tables;
use crate::model::{Cause, Colocation, Model, NodeId, ResourceId};
use cib::value::{Role, Score};

/// Rule 2.11.1: a member of a colocated group goes with the one before it.
pub fn join_previous_member(model: &mut Model, member: ResourceId, previous: ResourceId) {
    let influence = model.resources[member].critical;
    join(model, "#colocated-members", member, previous, Score::INFINITY, influence);
}

/// Rule 2.11.2: the address of a replica goes with its container.
pub fn join_container(model: &mut Model, ip: ResourceId, container: ResourceId) {
    join(model, "#ip-with-container", ip, container, Score::INFINITY, true);
}

fn join(
    model: &mut Model,
    id: &str,
    dependent: ResourceId,
    primary: ResourceId,
    score: Score,
    influence: bool,
) {
    super::colocation::add(
        model,
        Colocation {
            id: id.into(),
            dependent,
            primary,
            dependent_role: Role::Unknown,
            primary_role: Role::Unknown,
            score,
            node_attribute: None,
            influence,
            explicit: false,
            source: None,
        },
    );
}

/// How a launched primitive relates to its launcher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Launch {
    /// No launcher, or unmanaged: nothing was done.
    None,
    /// It runs inside the guest that the launcher connects to and is confined to that node; there are no
    /// orderings with the launcher.
    Inside(NodeId),
    /// It goes with the launcher.
    Beside(ResourceId),
}

/// Rules 2.11.3, 2.11.4 and 3.27.6: confines a launched primitive, or colocates it with its launcher. The
/// colocation itself is made by [`join_launcher`], after the orderings of 3.27.6.
pub fn launch(model: &Model, primitive: ResourceId) -> Launch {
    let it = &model.resources[primitive];
    let Some(launcher) = it.launcher.filter(|_| it.managed) else { return Launch::None };
    if it.is_remote_connection {
        return Launch::Beside(launcher);
    }
    match guest_behind(model, launcher) {
        Some(node) => Launch::Inside(node),
        None => Launch::Beside(launcher),
    }
}

/// The node of the connection that `launcher` is, or that it launches.
fn guest_behind(model: &Model, launcher: ResourceId) -> Option<NodeId> {
    let it = &model.resources[launcher];
    std::iter::once(&launcher)
        .chain(&it.launched)
        .filter(|resource| model.resources[**resource].is_remote_connection)
        .find_map(|connection| model.resources[*connection].remote_node)
}

/// Carries out what [`launch`] said: bans or the colocation (rules 2.11.3 and 2.11.4).
pub fn join_launcher(model: &mut Model, primitive: ResourceId) {
    match launch(model, primitive) {
        Launch::None => {}
        Launch::Inside(guest) => {
            tables::ban_entries_unless(model, primitive, Cause::Launcher(primitive), |_, node| node == guest);
        }
        Launch::Beside(launcher) => {
            let nested = model.resources[primitive].allow_remote_nesting;
            if model.resources[primitive].is_remote_connection && !nested {
                keep_off_remote_nodes(model, launcher, Cause::Launcher(primitive));
            }
            let score = if nested { Score::new(10_000) } else { Score::INFINITY };
            join(model, "#resource-with-container", primitive, launcher, score, true);
        }
    }
}

/// Rule 2.11.5: connections and fence devices run on cluster nodes only.
pub fn keep_connections_off_remote_nodes(model: &mut Model, primitive: ResourceId) {
    let it = &model.resources[primitive];
    if it.managed && (it.is_remote_connection || it.is_fence_device) {
        keep_off_remote_nodes(model, primitive, Cause::Agent(primitive));
    }
}

/// Nodes without a connection are left alone: nothing can run there anyway.
fn keep_off_remote_nodes(model: &mut Model, resource: ResourceId, cause: Cause) {
    tables::ban_entries_unless(model, resource, cause, |model, node| model.nodes[node].connection.is_none());
}

/// Rule 2.11.7: instances of an ordered clone by their numbers.
pub fn sort_instances_by_number(model: &mut Model, clone: ResourceId) {
    let mut instances = model.resources[clone].children.clone();
    instances.sort_by_key(|instance| model.resources[*instance].instance);
    model.resources[clone].children = instances;
}
