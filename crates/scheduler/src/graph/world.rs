//! The facts about the cluster that the graph checker needs; independent of how the graph was made.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Cause, Model, Name, NodeKind, Properties, ResourceId, ResourceKind, Side, Task};
use transition::{Need, World};

/// What the checker compares a graph with.
pub fn world(model: &Model<'_>) -> World {
    World {
        offline: model
            .nodes
            .values()
            .filter(|node| node.kind == NodeKind::Cluster && !node.online)
            .map(|node| node.name.clone())
            .collect(),
        exclusive: exclusive(model),
        needs: needs(model),
        well: well(model),
        guests: guests(model),
    }
}

/// Primitives that may be active only once, with where they are: only copies that a start must not ignore.
fn exclusive(model: &Model<'_>) -> BTreeMap<Name, Vec<Name>> {
    let mut active = BTreeMap::new();
    for (id, resource) in model.resources.iter() {
        if !resource.is_primitive() || !is_exclusive(model, id) {
            continue;
        }
        let counts = |node: &&crate::model::Node| resource.needs_fencing() || (node.online && !node.unclean);
        let copies = resource.active_on.iter().map(|node| &model.nodes[*node]).filter(counts);
        let copies: Vec<Name> = copies.map(|node| node.name.clone()).collect();
        if !copies.is_empty() {
            active.insert(resource.id.clone(), copies);
        }
    }
    active
}

/// Primitives that are active where they are to be, without a failure.
fn well(model: &Model<'_>) -> BTreeSet<Name> {
    let stays = |resource: &&crate::model::Resource| {
        let one_place = resource.active_on.first().filter(|_| resource.active_on.len() == 1);
        resource.is_primitive()
            && !resource.failed
            && one_place.is_some()
            && one_place == resource.assigned.as_ref()
    };
    model.resources.values().filter(stays).map(|resource| resource.id.clone()).collect()
}

/// Whether the resource is in no anonymous clone.
fn is_exclusive(model: &Model<'_>, resource: ResourceId) -> bool {
    let mut above = std::iter::successors(Some(resource), |id| model.resources[*id].parent);
    above.all(|id| !model.resources[id].is_clone() || model.resources[id].unique)
}

/// Active primitives that stop before another one may: by mandatory symmetric orderings between
/// primitives, and inside ordered groups.
fn needs(model: &Model<'_>) -> Vec<Need> {
    let mut needs = Vec::new();
    let direct = waits_directly(model);
    for rule in &model.orderings {
        let (Side::Key { resource: dependent, .. }, Side::Key { resource: primary, .. }) =
            (&rule.first, &rule.then)
        else {
            continue;
        };
        let Cause::Order(order) = rule.cause else { continue };
        if is_stop(&rule.first)
            && is_stop(&rule.then)
            && rule.properties.has(Properties::THEN_PULLS_FIRST)
            && direct.contains(&(order, *primary, *dependent))
        {
            add(model, &mut needs, *dependent, *primary);
        }
    }
    for resource in model.resources.values() {
        if matches!(&resource.kind, ResourceKind::Group(group) if group.ordered) {
            for pair in resource.children.windows(2) {
                add(model, &mut needs, pair[1], pair[0]);
            }
        }
    }
    needs
}

/// Pairs of an order whose second waits for just this first: where one of several is enough, none of them is
/// needed for itself.
fn waits_directly(model: &Model<'_>) -> BTreeSet<(u32, ResourceId, ResourceId)> {
    let mut pairs = BTreeSet::new();
    for rule in &model.orderings {
        if let (Cause::Order(order), Side::Key { resource: first, .. }, Side::Key { resource: then, .. }) =
            (rule.cause, &rule.first, &rule.then)
            && rule.properties.has(Properties::FIRST_PULLS_THEN)
        {
            pairs.insert((order, *first, *then));
        }
    }
    pairs
}

fn is_stop(side: &Side) -> bool {
    matches!(side, Side::Key { task: Task::Stop, interval: 0, .. })
}

fn add(model: &Model<'_>, needs: &mut Vec<Need>, dependent: ResourceId, primary: ResourceId) {
    if dependent == primary {
        return;
    }
    let (down, up) = (&model.resources[dependent], &model.resources[primary]);
    let stops = down.is_primitive() && up.is_primitive() && down.managed && !down.blocked;
    if stops && !down.active_on.is_empty() {
        needs.push(Need { dependent: down.id.clone(), primary: up.id.clone() });
    }
}

/// Guest nodes with the resource that they live in.
fn guests(model: &Model<'_>) -> BTreeMap<Name, Name> {
    model
        .nodes
        .values()
        .filter_map(|node| {
            let launcher = model.resources[node.connection?].launcher?;
            Some((node.name.clone(), model.resources[launcher].id.clone()))
        })
        .collect()
}
