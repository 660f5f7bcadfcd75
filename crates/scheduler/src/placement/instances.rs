//! Spreading the instances of a clone, or the containers of a bundle, over nodes (rules 2.20.8 to 2.20.13).

use super::colocation::{self, preferences, preferences::Mode};
use super::sort::merge_sort_by;
use super::{Finality, place, primitive, tables};
use crate::model::{Cause, Id, Model, NodeId, NodeTable, ResourceId};
use crate::state;
use cib::value::Score;
use std::cell::OnceCell;
use std::cmp::Ordering;

/// What an instance is sorted by (rule 2.20.8). Tables do not change during a sort, so each is looked
/// at once.
struct Keys {
    resource: ResourceId,
    active_nodes: usize,
    /// Inactive, or its current node is acceptable to its own table.
    fits: bool,
    priority: i64,
    /// `None` for an inactive instance and one that does not fit.
    current: Option<NodeId>,
    current_available: bool,
    /// The counter of the collective's entry for the current node, if there is one.
    counter: Option<i32>,
    failed: bool,
    number: i64,
    colocation_score: OnceCell<Score>,
}

/// Sorts instances in the order in which they are placed. `collective` is their clone or bundle.
pub fn sort(model: &mut Model, collective: ResourceId, instances: &mut [ResourceId]) {
    let keys: Vec<Keys> = instances.iter().map(|instance| keys(model, collective, *instance)).collect();
    let mut positions: Vec<usize> = (0..keys.len()).collect();
    merge_sort_by(&mut positions, &mut |a, b| compare(model, &keys[*a], &keys[*b]));
    for (place, position) in positions.into_iter().enumerate() {
        instances[place] = keys[position].resource;
    }
}

/// The comparison of rule 2.20.8 between all of `instances`, for sorts that put something before it.
pub struct Comparison {
    keys: Vec<Keys>,
}

impl Comparison {
    pub fn new(model: &Model, collective: ResourceId, instances: &[ResourceId]) -> Comparison {
        Comparison { keys: instances.iter().map(|instance| keys(model, collective, *instance)).collect() }
    }

    /// Compares the instances at two positions of the list given to [`Comparison::new`].
    pub fn compare(&self, model: &mut Model, a: usize, b: usize) -> Ordering {
        compare(model, &self.keys[a], &self.keys[b])
    }
}

fn keys(model: &Model, collective: ResourceId, instance: ResourceId) -> Keys {
    let it = &model.resources[instance];
    let current = state::current_node(model, instance);
    let fits = current.is_none_or(|node| it.allowed.score(node).is_some_and(|score| score >= Score::ZERO));
    let current = current.filter(|_| fits);
    Keys {
        resource: instance,
        active_nodes: it.active_on.len(),
        fits,
        priority: it.plain_priority(),
        current,
        current_available: current.is_some_and(|node| model.nodes[node].is_available()),
        counter: current
            .and_then(|node| model.resources[collective].allowed.get(node))
            .map(|entry| entry.count),
        failed: has_failed_part(model, instance),
        number: number_of(&it.id),
        colocation_score: OnceCell::new(),
    }
}

fn has_failed_part(model: &Model, resource: ResourceId) -> bool {
    let it = &model.resources[resource];
    if it.children.is_empty() {
        return it.failed;
    }
    it.children.iter().any(|child| has_failed_part(model, *child))
}

/// The instance number in an id: after the last `:` for instances, after the last `-` for containers.
fn number_of(id: &str) -> i64 {
    let number = id.rsplit([':', '-']).next().unwrap_or_default();
    number.parse().unwrap_or(-1)
}

fn compare(model: &mut Model, a: &Keys, b: &Keys) -> Ordering {
    let mut order = Ordering::Equal;
    if a.active_nodes > 0 && b.active_nodes > 0 {
        order = a.active_nodes.cmp(&b.active_nodes);
    }
    order = order.then_with(|| b.fits.cmp(&a.fits)).then_with(|| b.priority.cmp(&a.priority));
    if order != Ordering::Equal {
        return order;
    }
    let (Some(_), Some(_)) = (a.current, b.current) else {
        return b.current.is_some().cmp(&a.current.is_some());
    };
    order = b.current_available.cmp(&a.current_available);
    if order != Ordering::Equal {
        return order;
    }
    let (counter_a, counter_b) = match (a.counter, b.counter) {
        (None, None) => return Ordering::Equal,
        (Some(_), None) => return Ordering::Less,
        (None, Some(_)) => return Ordering::Greater,
        (Some(a), Some(b)) => (a, b),
    };
    order = counter_a.cmp(&counter_b).then_with(|| a.failed.cmp(&b.failed));
    if order != Ordering::Equal {
        return order;
    }
    let (score_a, score_b) = (colocation_score(model, a), colocation_score(model, b));
    score_b.cmp(&score_a).then_with(|| a.number.cmp(&b.number))
}

/// Rule 2.20.8 i.
fn colocation_score(model: &mut Model, keys: &Keys) -> Score {
    let Some(node) = keys.current else { return Score::ZERO };
    if let Some(score) = keys.colocation_score.get() {
        return *score;
    }
    let instance = keys.resource;
    let mut table = NodeTable::default();
    let entry = model.base_entry(node);
    table.insert(entry);
    let mut table = preferences::draft(&table);
    for id in colocation::this_with(model, instance) {
        let primary = model.colocations[id].primary;
        let factor = preferences::factor(model, id);
        preferences::merge(
            model,
            primary,
            instance,
            &mut table,
            id,
            factor,
            Mode { strict: false, non_negative: false },
        );
    }
    for id in colocation::with_this(model, instance) {
        if colocation::has_influence(model, id, instance) {
            let dependent = model.colocations[id].dependent;
            let factor = preferences::factor(model, id);
            let mode = Mode { strict: false, non_negative: true };
            preferences::merge(model, dependent, instance, &mut table, id, factor, mode);
        }
    }
    let score = table.first().map(|entry| entry.score).unwrap_or_default();
    *keys.colocation_score.get_or_init(|| score)
}

/// What has to be spread over nodes.
pub struct Distribution {
    /// The clone or bundle whose table says where instances may go.
    pub collective: ResourceId,
    /// In the order in which they are placed.
    pub instances: Vec<ResourceId>,
    /// How many may be placed in all.
    pub max: i32,
    /// How many may be placed on one node.
    pub node_max: i32,
}

/// How many instances each node holds, by index.
type Counters = Vec<i32>;

/// Places the instances: first those that can stay, then the others (rules 2.20.9 to 2.20.12).
pub fn distribute(model: &mut Model, plan: &Distribution) {
    let mut counters: Counters = vec![0; model.nodes.len()];
    let mut assigned = 0;
    let optimal = optimal_per_node(model, plan);
    for &instance in &plan.instances {
        if assigned >= plan.max {
            break;
        }
        if let Some(node) = node_to_keep(model, plan, instance, &counters, optimal) {
            if keep_on(model, plan, instance, node, &counters, plan.max - assigned) {
                counters[node.index()] += 1;
                assigned += 1;
            }
        }
    }
    for &instance in &plan.instances {
        if !model.resources[instance].provisional {
            continue;
        }
        if assigned >= plan.max {
            let cause = Cause::PartOf(plan.collective);
            model.add_score_everywhere(instance, Score::MINUS_INFINITY, cause);
            continue;
        }
        if let Some(node) = try_to_place(model, plan, instance, None, &counters) {
            counters[node.index()] += 1;
            assigned += 1;
        }
    }
    for entry in model.resources[plan.collective].allowed.iter_mut() {
        entry.count = counters[entry.node.index()];
    }
}

fn optimal_per_node(model: &Model, plan: &Distribution) -> i32 {
    let table = &model.resources[plan.collective].allowed;
    let available = table.iter().filter(|entry| model.nodes[entry.node].is_available()).count();
    i32::try_from(available).ok().filter(|count| *count > 0).map_or(1, |count| (plan.max / count).max(1))
}

/// Rule 2.20.10: the current node, if the instance may try to stay there in the early pass.
fn node_to_keep(
    model: &Model,
    plan: &Distribution,
    instance: ResourceId,
    counters: &Counters,
    optimal: i32,
) -> Option<NodeId> {
    let it = &model.resources[instance];
    if !it.provisional || it.failed {
        return None;
    }
    let node = state::current_node(model, instance)?;
    let has_entry = model.resources[plan.collective].allowed.contains(node);
    let below_optimum = !has_entry || counters[node.index()] < optimal;
    let usable = tables::is_usable(model, &model.base_entry(node))
        && it.allowed.get(node).is_some_and(|entry| tables::is_usable(model, entry));
    (below_optimum && usable).then_some(node)
}

/// Rule 2.20.11: tries to place the instance on its current node; each time that it prefers another, that
/// place is reserved and it tries again, as long as enough would be left.
fn keep_on(
    model: &mut Model,
    plan: &Distribution,
    instance: ResourceId,
    node: NodeId,
    counters: &Counters,
    left: i32,
) -> bool {
    let saved = save_tables(model, instance);
    let mut counters = counters.clone();
    for _ in 0..left {
        let got = try_to_place(model, plan, instance, Some(node), &counters);
        if let Some(got) = got {
            counters[got.index()] += 1;
        }
        if got == Some(node) {
            return true;
        }
        for (resource, table) in &saved {
            tables::restore(model, *resource, table.clone(), Cause::PartOf(plan.collective));
        }
        if got.is_none() {
            model.resources[instance].provisional = true;
            return false;
        }
        primitive::take_off(model, instance);
    }
    false
}

/// One attempt (rule 2.20.9), tentative if there is a preferred node. An instance that is being placed already,
/// further out, is left as it is.
fn try_to_place(
    model: &mut Model,
    plan: &Distribution,
    instance: ResourceId,
    preferred: Option<NodeId>,
    counters: &Counters,
) -> Option<NodeId> {
    if model.resources[instance].placing {
        return None;
    }
    ban_full_nodes(model, plan, instance, counters);
    let finality = if preferred.is_some() { Finality::Tentative } else { Finality::Final };
    place(model, instance, preferred, finality)
}

fn save_tables(model: &Model, instance: ResourceId) -> Vec<(ResourceId, NodeTable)> {
    let it = &model.resources[instance];
    std::iter::once(&instance)
        .chain(&it.children)
        .map(|resource| (*resource, model.resources[*resource].allowed.clone()))
        .collect()
}

/// Rule 2.20.9: bans the instance (and the members of a group) from nodes that take no more.
fn ban_full_nodes(model: &mut Model, plan: &Distribution, instance: ResourceId, counters: &Counters) {
    let removed = model.resources[instance].removed;
    let nodes: Vec<NodeId> = model.resources[instance].allowed.iter().map(|entry| entry.node).collect();
    let cause = Cause::PartOf(plan.collective);
    for node in nodes {
        let has_room = model.resources[plan.collective]
            .allowed
            .score(node)
            .is_some_and(|score| score >= Score::ZERO && counters[node.index()] < plan.node_max);
        if !removed && model.nodes[node].is_available() && has_room {
            continue;
        }
        tables::set_score(model, instance, node, Score::MINUS_INFINITY, cause);
        for index in 0..model.resources[instance].children.len() {
            let member = model.resources[instance].children[index];
            tables::set_score(model, member, node, Score::MINUS_INFINITY, cause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_instance_numbers() {
        assert_eq!(number_of("db:12"), 12);
        assert_eq!(number_of("web-docker-3"), 3);
        assert_eq!(number_of("odd"), -1);
    }
}
