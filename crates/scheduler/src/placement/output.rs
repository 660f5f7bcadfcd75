//! The lines that `crm_simulate` prints with scores or utilization (rules 2.26 and 3.47).

use super::{iteration, utilization as capacity_of};
use crate::model::score_line::Amounts;
use crate::model::{Model, Name, NodeEntry, NodeId, ResourceId, ScoreLine};
use cib::value::compare_node_names;

/// One line per entry of the resource's own table (rule 2.26.2).
pub fn table(model: &mut Model, function: &'static str, resource: ResourceId) {
    if !model.plan_options.show_scores || model.resources[resource].removed {
        return;
    }
    let it = &model.resources[resource];
    let mut entries: Vec<NodeEntry> = it.allowed.iter().rev().copied().collect();
    entries.sort_by(|a, b| compare_node_names(&model.nodes[a.node].name, &model.nodes[b.node].name));
    let lines = entries.into_iter().map(|entry| ScoreLine::Allocation {
        function,
        resource: it.id.clone(),
        node: model.nodes[entry.node].name.clone(),
        score: entry.score,
    });
    model.score_lines.extend(lines);
}

/// The same for the resource and everything inside it.
pub fn tables(model: &mut Model, function: &'static str, resource: ResourceId) {
    if !model.plan_options.show_scores || model.resources[resource].removed {
        return;
    }
    table(model, function, resource);
    for index in 0..model.resources[resource].children.len() {
        let child = model.resources[resource].children[index];
        tables(model, function, child);
    }
}

/// Rule 2.26.5.
pub fn promotion(model: &mut Model, instance: ResourceId, node: Option<NodeId>) {
    if !model.plan_options.show_scores {
        return;
    }
    let it = &model.resources[instance];
    let node = node.map(|node| model.nodes[node].name.clone());
    let line = ScoreLine::Promotion { resource: it.id.clone(), node, score: it.sort_index };
    model.score_lines.push(line);
}

/// Rule 2.26.7: free capacities of all nodes, before (`Original`) or after (`Remaining`) placement.
pub fn capacities(model: &mut Model, when: &'static str) {
    if !model.plan_options.show_utilization {
        return;
    }
    for node in model.node_order.clone() {
        if super::tables::is_bundle_node(model, node) {
            continue;
        }
        let amounts = capacity_of::capacity(model, node)
            .map(|free| ordered(free.iter().map(|(name, amount)| (name, amount.to_string()))))
            .unwrap_or_default();
        let line = ScoreLine::Capacity { when, node: model.nodes[node].name.clone(), amounts };
        model.score_lines.push(line);
    }
}

/// Rule 2.26.7: a primitive has been put on a node.
pub fn utilization(model: &mut Model, resource: ResourceId, node: NodeId) {
    if !model.plan_options.show_utilization {
        return;
    }
    let it = &model.resources[resource];
    let amounts = ordered(it.utilization.iter().map(|(name, text)| (name, text.to_string())));
    let node = model.nodes[node].name.clone();
    let line = ScoreLine::Utilization { resource: it.id.clone(), node, amounts };
    model.score_lines.push(line);
}

/// The pairs in iteration order (rule 2.27).
fn ordered<'k>(pairs: impl Iterator<Item = (&'k Name, String)>) -> Amounts {
    let pairs: Vec<(&Name, String)> = pairs.collect();
    iteration::order(pairs.iter().map(|(name, _)| &***name))
        .into_iter()
        .map(|position| (pairs[position].0.clone(), pairs[position].1.clone()))
        .collect()
}
