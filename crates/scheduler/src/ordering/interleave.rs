//! Matching instances of two interleaved clones or bundles (rule 3.35.4).

use std::collections::BTreeMap;

use super::summary;
use crate::model::{ActionId, Model, NodeId, ResourceId, Task};
use crate::state;
use cib::value::Role;

/// Whether the relation holds instance by instance.
pub(super) fn applies(model: &Model<'_>, first: ActionId, then: ActionId) -> bool {
    let Some((first_resource, then_resource)) =
        model.actions[first].resource.zip(model.actions[then].resource)
    else {
        return false;
    };
    let has_instances = |resource: ResourceId| {
        let resource = &model.resources[resource];
        resource.is_clone() || resource.is_bundle()
    };
    if first_resource == then_resource || !has_instances(first_resource) || !has_instances(then_resource) {
        return false;
    }
    let decides = match model.actions[then].task {
        Task::Stop | Task::Demote => first_resource,
        _ => then_resource,
    };
    is_interleaved(model, decides)
}

/// Whether a clone's or bundle's instances are matched one by one with those of others.
pub(super) fn is_interleaved(model: &Model<'_>, resource: ResourceId) -> bool {
    let resource = &model.resources[resource];
    match resource.clone_settings() {
        Some(settings) => settings.interleave,
        None if resource.is_bundle() => {
            cib::value::is_true(resource.meta.get("interleave").map(|text| &**text))
        }
        None => false,
    }
}

/// The instances of a clone, the containers of a bundle, the members of anything else.
pub(super) fn instances(model: &Model<'_>, resource: ResourceId) -> Vec<ResourceId> {
    match model.resources[resource].bundle() {
        Some(bundle) => bundle.replicas.iter().map(|replica| replica.container).collect(),
        None => model.resources[resource].children.clone(),
    }
}

/// The instance of `collective` that belongs with `instance`: the one on its node, or, if it has none, on
/// the best of its allowed nodes.
pub(super) fn partner(
    model: &Model<'_>,
    instance: ResourceId,
    collective: ResourceId,
    current: bool,
) -> Option<ResourceId> {
    let candidates = instances(model, collective);
    let usable = |candidate: &ResourceId| !crate::placement::has_blocked_part(model, *candidate);
    let place = |candidate: ResourceId| state::location(model, candidate, current);
    if let Some(node) = state::location(model, instance, current) {
        let there = |candidate: &ResourceId| place(*candidate) == Some(node) && usable(candidate);
        return candidates.into_iter().find(there);
    }
    let mut on: BTreeMap<NodeId, ResourceId> = BTreeMap::new();
    for candidate in candidates.into_iter().filter(usable) {
        if let Some(node) = place(candidate) {
            on.entry(node).or_insert(candidate);
        }
    }
    if on.is_empty() {
        return None;
    }
    let allowed = &model.resources[instance].allowed;
    crate::placement::sorted_nodes(model, allowed).into_iter().find_map(|node| on.get(&node).copied())
}

/// Takes an instance without partner off its node (rule 3.6.11); of a group, its members. Returns whether it
/// had one.
pub(super) fn unassign(model: &mut Model<'_>, instance: ResourceId) -> bool {
    if !model.resources[instance].children.is_empty() {
        let members = model.resources[instance].children.clone();
        let had_node: Vec<bool> = members.into_iter().map(|member| unassign(model, member)).collect();
        return had_node.contains(&true);
    }
    let resource = &mut model.resources[instance];
    let had_node = resource.assigned.take().is_some();
    resource.next_role = Role::Stopped;
    crate::actions::adapt_to_no_node(model, instance);
    super::state_changed(model);
    had_node
}

/// The first side's action of `partner`: a bundle's speaks through the bundled instance, but for stops.
pub(super) fn first_action(
    model: &Model<'_>,
    first: ActionId,
    partner: ResourceId,
    node: Option<NodeId>,
) -> Option<ActionId> {
    let task = summary::original_task(model, first);
    let inner = inside(model, partner).filter(|_| !matches!(task, Task::Stop | Task::Stopped));
    let task = summary::task_of_member(model, inner.unwrap_or(partner), &task);
    find(model, partner, inner, &task, node)
}

/// The then side's action of `instance`: a bundle's is the container's, but for promote and demote.
pub(super) fn then_action(
    model: &Model<'_>,
    then: ActionId,
    instance: ResourceId,
    node: Option<NodeId>,
) -> Option<ActionId> {
    let task = model.actions[then].task.clone();
    let of_instance = matches!(task, Task::Promote | Task::Promoted | Task::Demote | Task::Demoted);
    find(model, instance, inside(model, instance).filter(|_| of_instance), &task, node)
}

fn find(
    model: &Model<'_>,
    instance: ResourceId,
    inner: Option<ResourceId>,
    task: &Task,
    node: Option<NodeId>,
) -> Option<ActionId> {
    match inner {
        Some(inner) => summary::find_first(model, inner, task, None),
        None => summary::find_first(model, instance, task, node),
    }
}

/// The bundled instance that runs in a container.
fn inside(model: &Model<'_>, container: ResourceId) -> Option<ResourceId> {
    let bundle = model.resources[model.resources[container].parent?].bundle()?;
    bundle.replicas.iter().find(|replica| replica.container == container)?.child
}
