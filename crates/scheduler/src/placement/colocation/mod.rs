//! Colocations: which resources go together or stay apart.
//!
//! - [`unpack`]: from configured constraints to [`crate::model::Colocation`]s (rule 2.15)
//! - [`lists`]: which of them a resource has to look at (rule 2.16)
//! - [`dependent`]: what a placed primary does to a dependent (rules 2.17, 2.21.6, 2.22.7)
//! - [`preferences`]: what dependents wish of a primary (rule 2.18); [`effects`] keeps that cheap

pub(super) mod dependent;
pub(super) mod effects;
mod lists;
pub(super) mod pairing;
pub(super) mod preferences;
mod unpack;

pub use lists::{this_with, with_this};
pub use unpack::unpack;

use crate::model::{Cause, Colocation, ColocationId, Model, Properties, Resource, ResourceId, Side, Task};
use cib::value::{Role, Score};
use std::cmp::Ordering;

/// Records a colocation in the own lists of both resources (rule 2.15.9) and, for -INFINITY, the orderings
/// that keep the two apart in time (rule 3.26.2). Score 0 records nothing.
pub fn add(model: &mut Model, colocation: Colocation) -> Option<ColocationId> {
    if colocation.score == Score::ZERO {
        return None;
    }
    let (dependent, primary) = (colocation.dependent, colocation.primary);
    model.placement.effects.clear();
    let id = model.colocations.push(colocation);
    let mut list = std::mem::take(&mut model.resources[dependent].this_with);
    insert(model, &mut list, id, Direction::ThisWith);
    model.resources[dependent].this_with = list;
    let mut list = std::mem::take(&mut model.resources[primary].with_this);
    insert(model, &mut list, id, Direction::WithThis);
    model.resources[primary].with_this = list;
    if model.colocations[id].score.is_minus_infinite() {
        keep_apart_in_time(model, id);
    }
    Some(id)
}

/// Which end of its colocations a list belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    /// Colocations in which the resource is the dependent; sorted by their primaries.
    ThisWith,
    /// Colocations in which the resource is the primary; sorted by their dependents.
    WithThis,
}

/// Sorted insertion: before the first entry that is not lower (rules 2.1.9, 2.15.9).
fn insert(model: &Model, list: &mut Vec<ColocationId>, id: ColocationId, direction: Direction) {
    let new = key_resource(model, id, direction);
    let at =
        list.partition_point(|entry| compare(key_resource(model, *entry, direction), new) == Ordering::Less);
    list.insert(at, id);
}

fn key_resource<'m>(model: &'m Model, id: ColocationId, direction: Direction) -> &'m Resource {
    let colocation = &model.colocations[id];
    &model.resources[match direction {
        Direction::ThisWith => colocation.primary,
        Direction::WithThis => colocation.dependent,
    }]
}

fn compare(a: &Resource, b: &Resource) -> Ordering {
    (b.priority.cmp(&a.priority))
        .then_with(|| kind_rank(b).cmp(&kind_rank(a)))
        .then_with(|| if a.is_clone() { b.promotable.cmp(&a.promotable) } else { Ordering::Equal })
        .then_with(|| a.id.as_bytes().cmp(b.id.as_bytes()))
}

/// Rule 2.1.6.
fn kind_rank(resource: &Resource) -> u8 {
    use crate::model::ResourceKind;
    match resource.kind {
        ResourceKind::Primitive(_) => 0,
        ResourceKind::Group(_) => 1,
        ResourceKind::Clone(_) => 2,
        ResourceKind::Bundle(_) => 3,
    }
}

/// Rule 3.26.2: whoever leaves a node does so before the other arrives there, in both directions.
fn keep_apart_in_time(model: &mut Model, id: ColocationId) {
    let it = &model.colocations[id];
    let dependent = (it.dependent, it.dependent_role);
    let primary = (it.primary, it.primary_role);
    for (leaver, arriver) in [(dependent, primary), (primary, dependent)] {
        for leaving in leaving_tasks(leaver.1) {
            for arriving in arriving_tasks(arriver.1) {
                crate::ordering::order(
                    model,
                    Side::task(leaver.0, leaving.clone()),
                    Side::task(arriver.0, arriving.clone()),
                    Properties::AVOID,
                    Cause::Colocation(id),
                );
            }
        }
    }
}

fn leaving_tasks(role: Role) -> &'static [Task] {
    match role {
        Role::Promoted => &[Task::Demote],
        Role::Unpromoted => &[Task::Stop, Task::Promote],
        _ => &[Task::Stop],
    }
}

fn arriving_tasks(role: Role) -> &'static [Task] {
    match role {
        Role::Promoted => &[Task::Promote],
        Role::Unpromoted => &[Task::Start, Task::Demote],
        _ => &[Task::Start],
    }
}

/// Whether a colocation's dependent may influence where the primary goes (rule 2.18.2). `primary` is the
/// concrete resource that stands for the colocation's primary.
pub(super) fn has_influence(model: &Model, id: ColocationId, primary: ResourceId) -> bool {
    let colocation = &model.colocations[id];
    let it = &model.resources[primary];
    let dependent = &model.resources[colocation.dependent];
    if dependent.is_remote_connection
        && model.bundle_of(colocation.dependent).is_some()
        && !it.failed
        && it.active_on.len() == 1
    {
        return false;
    }
    colocation.influence || it.active_on.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_and_arriving_depend_on_the_role() {
        assert_eq!(leaving_tasks(Role::Unknown), [Task::Stop]);
        assert_eq!(arriving_tasks(Role::Unpromoted), [Task::Start, Task::Demote]);
    }
}
