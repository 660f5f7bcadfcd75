//! The colocations that a resource looks at while it is placed: its own, and those of the collectives
//! around it as far as it stands for them (rule 2.16).

use super::Direction;
use crate::model::{ColocationId, Model, ResourceId, ResourceKind};
use cib::value::Score;

/// Colocations in which `resource` acts as the dependent, in the order in which they act.
pub fn this_with(model: &Model, resource: ResourceId) -> Vec<ColocationId> {
    list(model, resource, Direction::ThisWith)
}

/// Colocations in which `resource` acts as the primary, in the order in which they act.
pub fn with_this(model: &Model, resource: ResourceId) -> Vec<ColocationId> {
    list(model, resource, Direction::WithThis)
}

fn list(model: &Model, resource: ResourceId, direction: Direction) -> Vec<ColocationId> {
    let mut list = Vec::new();
    contribute(model, resource, resource, direction, &mut list);
    list
}

fn own<'m>(model: &'m Model, resource: ResourceId, direction: Direction) -> &'m [ColocationId] {
    match direction {
        Direction::ThisWith => &model.resources[resource].this_with,
        Direction::WithThis => &model.resources[resource].with_this,
    }
}

/// Adds what `resource` contributes to the list that `asker` (itself or something inside) asks for.
fn contribute(
    model: &Model,
    resource: ResourceId,
    asker: ResourceId,
    direction: Direction,
    list: &mut Vec<ColocationId>,
) {
    match &model.resources[resource].kind {
        ResourceKind::Primitive(_) => {
            add_own_list(model, resource, direction, list);
            contribute_parent(model, resource, asker, direction, list);
        }
        ResourceKind::Group(group) => {
            let colocated = group.colocated;
            contribute_group(model, resource, colocated, asker, direction, list);
        }
        ResourceKind::Clone(_) => {
            add_own_list(model, resource, direction, list);
            contribute_parent(model, resource, asker, direction, list);
        }
        ResourceKind::Bundle(_) => {
            if bundle_speaks_for(model, resource, asker) {
                add_own_list(model, resource, direction, list);
            }
        }
    }
}

fn contribute_parent(
    model: &Model,
    resource: ResourceId,
    asker: ResourceId,
    direction: Direction,
    list: &mut Vec<ColocationId>,
) {
    if let Some(parent) = model.resources[resource].parent {
        contribute(model, parent, asker, direction, list);
    }
}

/// Rules 2.16.1 and 2.16.2: to an empty list the own list is copied; to another one the own list's first
/// entry is added once for each of its entries. Decisions of existing clusters depend on that.
fn add_own_list(model: &Model, resource: ResourceId, direction: Direction, list: &mut Vec<ColocationId>) {
    let own = own(model, resource, direction);
    if list.is_empty() {
        list.extend_from_slice(own);
    } else if let Some(first) = own.first() {
        for _ in own {
            super::insert(model, list, *first, direction);
        }
    }
}

/// Rules 2.16.5, 2.16.6 and 2.16.9.
fn contribute_group(
    model: &Model,
    group: ResourceId,
    colocated: bool,
    asker: ResourceId,
    direction: Direction,
    list: &mut Vec<ColocationId>,
) {
    let members = &model.resources[group].children;
    let spokesman = match direction {
        Direction::ThisWith => members.first(),
        Direction::WithThis => members.last(),
    };
    let Some(&spokesman) = spokesman else { return };
    if asker == group || asker == spokesman {
        add_own_list(model, group, direction, list);
        contribute_parent(model, group, asker, direction, list);
        if colocated {
            for &member in members.iter().filter(|member| **member != asker) {
                add_explicit(model, member, direction, list);
            }
        }
    } else if direction == Direction::ThisWith && follows_unmanaged(model, members, asker) {
        let mandatory = own(model, group, direction);
        for &id in mandatory.iter().filter(|id| model.colocations[**id].score == Score::INFINITY) {
            super::insert(model, list, id, direction);
        }
    }
}

fn add_explicit(model: &Model, member: ResourceId, direction: Direction, list: &mut Vec<ColocationId>) {
    for &id in own(model, member, direction) {
        if model.colocations[id].explicit {
            super::insert(model, list, id, direction);
        }
    }
}

/// Whether some member before `asker` is unmanaged.
fn follows_unmanaged(model: &Model, members: &[ResourceId], asker: ResourceId) -> bool {
    members.iter().take_while(|member| **member != asker).any(|member| !model.resources[*member].managed)
}

/// Rule 2.16.8.
fn bundle_speaks_for(model: &Model, bundle: ResourceId, asker: ResourceId) -> bool {
    let Some(it) = model.resources[bundle].bundle() else { return false };
    if asker == bundle || it.replicas.iter().any(|replica| replica.container == asker) {
        return true;
    }
    let Some(child) = it.child.filter(|child| model.resources[*child].promotable) else { return false };
    if asker == child {
        return model.placement.marks(child).is_some_and(|marks| marks.promotion_sorting);
    }
    !model.resources[asker].provisional && model.is_ancestor(child, asker)
}
