//! Node health as location constraints (rule 2.7).

use super::iteration;
use crate::model::{Discovery, Location, Model, NodeId};
use cib::options::HealthStrategy;
use cib::value::{self, Role, Score};

/// Records a location constraint for every top-level resource on every node whose health is not 0.
pub fn record(model: &mut Model) {
    if model.options.health_strategy == HealthStrategy::None {
        return;
    }
    for node in model.node_order.clone() {
        let health = health_of(model, node);
        if health == Score::ZERO {
            continue;
        }
        for resource in model.top.clone() {
            if health < Score::ZERO && allows_unhealthy_nodes(model, resource) {
                continue;
            }
            let location = Location {
                id: format!("{}-health", model.nodes[node].name).into(),
                resource,
                role: Role::Unknown,
                discovery: Discovery::Always,
                nodes: vec![(node, health)],
                source: None,
            };
            super::location::record(model, location);
        }
    }
}

fn allows_unhealthy_nodes(model: &Model, resource: crate::model::ResourceId) -> bool {
    value::is_true(model.resources[resource].meta.get("allow-unhealthy-nodes").map(|text| &**text))
}

/// The sum of a node's health attributes (rule 2.7.3). The sum is not associative near the limits, so
/// the order of the attributes matters.
fn health_of(model: &Model, node: NodeId) -> Score {
    let base = match model.options.health_strategy {
        HealthStrategy::Progressive => model.options.health_base,
        _ => Score::ZERO,
    };
    let attributes = &model.nodes[node].attributes;
    if !attributes.keys().any(|name| name.starts_with("#health")) {
        return base;
    }
    iteration::order(attributes.keys().map(|name| &**name))
        .into_iter()
        .filter_map(|position| attributes.get_index(position))
        .filter(|(name, _)| name.starts_with("#health"))
        .filter_map(|(_, text)| value::parse_score(text, &model.options.health_scores))
        .fold(base, |sum, score| sum + score)
}
