//! Which node a primitive goes to, once its table is complete (rule 2.13).

use super::sort::merge_sort_by;
use super::{Finality, iteration, primitive, tables, utilization};
use crate::model::{Model, NodeEntry, NodeId, NodeTable, ResourceId};
use crate::state;
use cib::options::PlacementStrategy;
use cib::value::Score;
use std::cmp::Ordering;

/// Chooses a node for `resource` and puts it there; whether it got one.
pub fn choose(model: &mut Model, resource: ResourceId, preferred: Option<NodeId>, finality: Finality) {
    let roomiest = utilization::ban_small_nodes(model, resource);
    if !model.resources[resource].provisional {
        return;
    }
    match choice(model, resource, preferred.or(roomiest)) {
        Some(node) => primitive::put_on(model, resource, node, finality),
        None => primitive::put_nowhere(model, resource, finality),
    }
}

/// Rules 2.13.3 to 2.13.5.
fn choice(model: &Model, resource: ResourceId, preferred: Option<NodeId>) -> Option<NodeId> {
    let table = &model.resources[resource].allowed;
    let current = state::current_node(model, resource);
    let nodes = sorted(model, table, current);
    let best = *nodes.first()?;
    let score_of = |node: NodeId| table.score(node).unwrap_or(Score::MINUS_INFINITY);
    let best_score = score_of(best);
    if let Some(entry) = preferred.and_then(|node| table.get(node)) {
        if entry.score >= best_score && tables::is_usable(model, entry) {
            return Some(entry.node);
        }
    }
    let Some(current) = current else { return Some(best) };
    let stays = best_score > Score::ZERO
        && !is_in_unique_clone(model, resource)
        && model.nodes[best].is_available()
        && tables::is_usable(model, &model.base_entry(current))
        && nodes[1..].iter().take_while(|node| score_of(**node) == best_score).any(|node| *node == current);
    Some(if stays { current } else { best })
}

/// Whether the direct parent is a unique clone.
fn is_in_unique_clone(model: &Model, resource: ResourceId) -> bool {
    model.resources[resource].parent.is_some_and(|parent| {
        let parent = &model.resources[parent];
        parent.is_clone() && parent.unique
    })
}

/// The nodes of a table, best first (rule 2.13.2). `current` is the node to prefer among equals.
pub fn sorted(model: &Model, table: &NodeTable, current: Option<NodeId>) -> Vec<NodeId> {
    let mut entries: Vec<NodeEntry> = in_reverse_iteration_order(model, table);
    if model.options.placement_strategy == PlacementStrategy::Balanced {
        merge_sort_by(&mut entries, &mut |a, b| compare(model, a, b, current));
    } else {
        // names differ, so this is a total order and any sort gives the same
        entries.sort_by(|a, b| compare(model, a, b, current));
    }
    entries.into_iter().map(|entry| entry.node).collect()
}

/// The order only shows where the comparison is not transitive, that is with `balanced`.
fn in_reverse_iteration_order(model: &Model, table: &NodeTable) -> Vec<NodeEntry> {
    if model.options.placement_strategy != PlacementStrategy::Balanced {
        return table.iter().rev().copied().collect();
    }
    let mut entries = in_iteration_order(model, table);
    entries.reverse();
    entries
}

/// The entries of a table in the order in which the reference walks through them (rule 2.27).
pub fn in_iteration_order(model: &Model, table: &NodeTable) -> Vec<NodeEntry> {
    let entries: Vec<NodeEntry> = table.iter().copied().collect();
    iteration::order(entries.iter().map(|entry| &*model.nodes[entry.node].id))
        .into_iter()
        .map(|position| entries[position])
        .collect()
}

fn compare(model: &Model, a: &NodeEntry, b: &NodeEntry, current: Option<NodeId>) -> Ordering {
    let (node_a, node_b) = (&model.nodes[a.node], &model.nodes[b.node]);
    let score =
        |entry: &NodeEntry, available: bool| if available { entry.score } else { Score::MINUS_INFINITY };
    let by_name = || node_a.name.as_bytes().cmp(node_b.name.as_bytes());
    let by_score = score(b, node_b.is_available()).cmp(&score(a, node_a.is_available()));
    if by_score != Ordering::Equal || model.options.placement_strategy == PlacementStrategy::Minimal {
        return by_score.then_with(by_name);
    }
    let by_capacity = match model.options.placement_strategy {
        PlacementStrategy::Balanced => utilization::compare_capacity(model, a.node, b.node).reverse(),
        _ => Ordering::Equal,
    };
    by_capacity
        .then_with(|| node_a.assigned_count.cmp(&node_b.assigned_count))
        .then_with(|| (current == Some(b.node)).cmp(&(current == Some(a.node))))
        .then_with(by_name)
}
