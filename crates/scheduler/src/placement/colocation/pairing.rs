//! Pairs instances of interleaved clones and bundles that are colocated (rules 2.17.6 b, 2.17.7, 2.22.7).

use super::super::{choose_node, tables};
use crate::model::{ColocationId, Model, Name, NodeId, ResourceId, ResourceKind, Severity};
use crate::state;
use cib::value::{Role, is_true};

/// Whether instances of the configured dependent pair up with those of the clone.
pub fn is_interleaved(model: &mut Model, id: ColocationId, clone: ResourceId) -> bool {
    let dependent = model.colocations[id].dependent;
    let it = &model.resources[dependent];
    if !(it.is_clone() || it.is_bundle()) || !is_true(it.meta.get("interleave").map(|text| &**text)) {
        return false;
    }
    if maximum_per_node(model, dependent) == maximum_per_node(model, clone) {
        return true;
    }
    let text = format!(
        "Cannot interleave {} and {} because they do not support the same number of instances per node",
        model.resources[dependent].id, model.resources[clone].id
    );
    model.notice(Severity::ConfigurationError, text, None);
    false
}

fn maximum_per_node(model: &Model, resource: ResourceId) -> i32 {
    match &model.resources[resource].kind {
        ResourceKind::Clone(settings) => settings.node_max,
        ResourceKind::Bundle(bundle) => bundle.replicas_per_host,
        _ => 1,
    }
}

/// Whether the resource or something inside is blocked.
pub fn has_blocked_part(model: &Model, resource: ResourceId) -> bool {
    let it = &model.resources[resource];
    if it.children.is_empty() {
        return it.blocked;
    }
    it.children.iter().any(|child| has_blocked_part(model, *child))
}

/// The nodes to look for a partner on: where the dependent is, or where it may go, best first.
fn candidate_nodes(model: &Model, dependent: ResourceId) -> Vec<NodeId> {
    match state::location(model, dependent, false) {
        Some(node) => vec![node],
        None => choose_node::sorted(model, &model.resources[dependent].allowed, None),
    }
}

/// Rule 2.17.7: the instance of `clone` that `dependent` pairs up with, in the wanted role, if any.
pub fn compatible_instance(
    model: &Model,
    dependent: ResourceId,
    clone: ResourceId,
    role: Option<Role>,
    attribute: Option<&Name>,
) -> Option<ResourceId> {
    let partners: Vec<(ResourceId, NodeId)> = model.resources[clone]
        .children
        .iter()
        .filter(|instance| role.is_none_or(|role| state::role(model, **instance, false) == role))
        .filter(|instance| !has_blocked_part(model, **instance))
        .filter_map(|instance| Some((*instance, state::location(model, *instance, false)?)))
        .collect();
    candidate_nodes(model, dependent).into_iter().find_map(|node| {
        let matches = |at: NodeId, instance: ResourceId| {
            at == node
                || attribute.is_some()
                    && tables::colocation_value(model, attribute, at, instance)
                        == tables::colocation_value(model, attribute, node, dependent)
        };
        partners.iter().find(|(instance, at)| matches(*at, *instance)).map(|(instance, _)| *instance)
    })
}

/// Rule 2.22.7: the container of `bundle` on the dependent's node; bundle nodes stand for their hosts.
pub fn compatible_container(model: &Model, dependent: ResourceId, bundle: ResourceId) -> Option<ResourceId> {
    let replicas = &model.resources[bundle].bundle()?.replicas;
    candidate_nodes(model, dependent).into_iter().find_map(|node| {
        let host = match tables::is_bundle_node(model, node) {
            true => tables::host_of(model, node, false)?,
            false => node,
        };
        replicas.iter().map(|replica| replica.container).find(|container| {
            !has_blocked_part(model, *container) && model.resources[*container].assigned == Some(host)
        })
    })
}
