//! The order in which resources are placed, where capacities count (rule 2.3.2).

use super::colocation::preferences;
use super::sort::merge_sort_by;
use super::{choose_node, utilization};
use crate::model::{Model, NodeEntry, NodeId, NodeTable, ResourceId};
use crate::state;
use cib::value::Score;
use std::cmp::Ordering;

/// What one resource is sorted by.
struct Keys {
    priority: Score,
    current: Score,
    /// Scores by the common order of nodes.
    scores: Vec<Score>,
}

/// Sorts the resource list for this and all later stages.
pub fn sort(model: &mut Model) {
    if !utilization::is_on(model) {
        return;
    }
    let nodes = node_order(model);
    let tops = model.top.clone();
    let keys: Vec<Keys> = tops.iter().map(|top| keys(model, *top, &nodes)).collect();
    let mut positions: Vec<usize> = (0..tops.len()).collect();
    merge_sort_by(&mut positions, &mut |a, b| compare(&keys[*a], &keys[*b]));
    model.top = positions.into_iter().map(|position| tops[position]).collect();
}

/// All nodes by their base entries, best first.
fn node_order(model: &Model) -> Vec<NodeId> {
    let mut table = NodeTable::default();
    for &node in &model.node_order {
        let entry: NodeEntry = model.base_entry(node);
        table.insert(entry);
    }
    choose_node::sorted(model, &table, None)
}

fn keys(model: &mut Model, resource: ResourceId, nodes: &[NodeId]) -> Keys {
    let table = preferences::merge_primaries(model, resource);
    let mut by_node: Vec<Option<Score>> = vec![None; model.nodes.len()];
    for entry in table {
        by_node[crate::model::Id::index(entry.node)] = Some(entry.score);
    }
    let score = |node: NodeId| by_node[crate::model::Id::index(node)].unwrap_or(Score::MINUS_INFINITY);
    Keys {
        priority: model.resources[resource].priority,
        current: state::current_node(model, resource).map_or(Score::MINUS_INFINITY, score),
        scores: nodes.iter().map(|node| score(*node)).collect(),
    }
}

fn compare(a: &Keys, b: &Keys) -> Ordering {
    (b.priority.cmp(&a.priority))
        .then_with(|| b.current.cmp(&a.current))
        .then_with(|| b.scores.cmp(&a.scores))
}
