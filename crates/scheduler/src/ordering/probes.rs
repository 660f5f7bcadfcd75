//! What has to wait for probes (rule 3.34).

use std::collections::BTreeSet;

use super::{interleave, relate, rules, side_resource};
use crate::model::{ActionId, Model, Properties, Relation, ResourceId, Side, Task};

/// Orders probes before what would change the state they look at, then before what waits for stops.
pub(super) fn order(model: &mut Model<'_>) {
    for index in 0..model.top.len() {
        let resource = model.top[index];
        before_restarts(model, resource);
    }
    before_followers_of_stops(model);
}

fn is_probe(model: &Model<'_>, action: ActionId) -> bool {
    let action = &model.actions[action];
    action.task == Task::Monitor && action.interval == 0
}

/// The probes of one resource, oldest first.
fn probes_of(model: &Model<'_>, resource: ResourceId) -> Vec<ActionId> {
    (model.resources[resource].actions.iter().copied()).filter(|action| is_probe(model, *action)).collect()
}

/// Rule 3.34.1.
fn before_restarts(model: &mut Model<'_>, resource: ResourceId) {
    for index in 0..model.resources[resource].children.len() {
        let child = model.resources[resource].children[index];
        before_restarts(model, child);
    }
    if !model.resources[resource].is_primitive() {
        return;
    }
    for probe in probes_of(model, resource) {
        let followers: Vec<Relation> = model.actions[probe].followers.iter().rev().copied().collect();
        for follower in followers {
            gate_instances(model, probe, follower);
            let mut seen = BTreeSet::new();
            restart_chain(model, resource, probe, follower.action, &mut seen);
        }
    }
}

/// (a) An unrunnable probe of an instance gates the starts of instances that run nowhere.
fn gate_instances(model: &mut Model<'_>, probe: ActionId, follower: Relation) {
    let Some(resource) = model.actions[probe].resource else { return };
    let then = &model.actions[follower.action];
    let collective = model.top_of(resource);
    let has_instances = |resource: ResourceId| {
        let resource = &model.resources[resource];
        resource.is_clone() || resource.is_bundle()
    };
    if then.task != Task::Start
        || then.resource != Some(collective)
        || !has_instances(collective)
        || model.actions[probe].runnable
        || follower.properties.has(Properties::FIRST_GATES_THEN)
    {
        return;
    }
    let starts: Vec<ActionId> = (then.followers.iter().rev().map(|relation| relation.action))
        .filter(|start| {
            let start = &model.actions[*start];
            start.task == Task::Start
                && start.resource.is_some_and(|resource| {
                    model.is_ancestor(collective, resource) && model.resources[resource].active_on.is_empty()
                })
        })
        .collect();
    for start in starts {
        relate(model, probe, start, Properties::PLAIN | Properties::FIRST_GATES_THEN);
    }
}

/// (b) From a follower on: what will restart waits for the probe with its stop or demote.
fn restart_chain(
    model: &mut Model<'_>,
    resource: ResourceId,
    probe: ActionId,
    from: ActionId,
    seen: &mut BTreeSet<ActionId>,
) {
    let mut open = vec![from];
    while let Some(after) = open.pop() {
        if !seen.insert(after) {
            continue;
        }
        precede_leaving(model, resource, probe, after);
        // the newest relation is passed first
        let next: Vec<ActionId> = (model.actions[after].followers.iter())
            .filter(|relation| is_passed(model, resource, after, relation))
            .map(|relation| relation.action)
            .collect();
        open.extend(next);
    }
}

fn precede_leaving(model: &mut Model<'_>, resource: ResourceId, probe: ActionId, after: ActionId) {
    let Some(other) = model.actions[after].resource else { return };
    if other == resource || !model.resources[other].is_primitive() {
        return;
    }
    let leaving = match model.actions[after].task {
        Task::Start => Task::Stop,
        Task::Promote => Task::Demote,
        _ => return,
    };
    for index in 0..model.resources[other].actions.len() {
        let action = model.resources[other].actions[index];
        if model.actions[action].task == leaving && !model.actions[action].pseudo {
            relate(model, probe, action, Properties::PLAIN);
        }
    }
}

/// Whether the chain goes on along this relation of `after`: where the second is pulled, and from a
/// collective into its own members, or its one instance that belongs with the probe's resource.
fn is_passed(model: &Model<'_>, resource: ResourceId, after: ActionId, relation: &Relation) -> bool {
    if relation.properties.has(Properties::FIRST_PULLS_THEN) {
        return true;
    }
    let (Some(from), Some(to)) = (model.actions[after].resource, model.actions[relation.action].resource)
    else {
        return false;
    };
    let own_parent = model.resources[resource].parent == Some(from);
    let simple = model.resources[to].is_primitive() || model.resources[to].is_group();
    if own_parent || !simple || model.resources[to].parent != Some(from) {
        return false;
    }
    !interleave::is_interleaved(model, from) || interleave::partner(model, resource, from, false) == Some(to)
}

/// Rule 3.34.2: what waits for a stop of a resource waits for its probes as well.
fn before_followers_of_stops(model: &mut Model<'_>) {
    for index in 0..model.orderings.len() {
        let Some((first, properties)) = probe_properties(model, index) else { continue };
        let probes = probes_of(model, first);
        if probes.is_empty() {
            continue;
        }
        for then in rules::actions_of(model, &model.orderings[index].then) {
            if stops_launcher(model, first, then) {
                continue;
            }
            for probe in &probes {
                if !is_exempt(model, *probe, then) {
                    relate(model, *probe, then, properties);
                }
            }
        }
    }
}

/// The resource whose probes take part in the rule, and the properties of the new relations.
fn probe_properties(model: &Model<'_>, index: usize) -> Option<(ResourceId, Properties)> {
    let rule = &model.orderings[index];
    let first = side_resource(model, &rule.first)?;
    let stops = match &rule.first {
        Side::Action(action) => model.actions[*action].task == Task::Stop,
        Side::Key { task, .. } => *task == Task::Stop,
    };
    if rule.properties.is_empty() || !stops || side_resource(model, &rule.then) == Some(first) {
        return None;
    }
    if rule.properties == Properties::AVOID || rule.properties == Properties::LOAD {
        return Some((first, rule.properties));
    }
    let kept = Properties::UNLESS_FIRST_MIGRATES.0 | Properties::SAME_NODE.0;
    Some((first, Properties::PLAIN | Properties(rule.properties.0 & kept)))
}

fn stops_launcher(model: &Model<'_>, first: ResourceId, then: ActionId) -> bool {
    let then = &model.actions[then];
    then.task == Task::Stop && then.resource.is_some() && then.resource == model.resources[first].launcher
}

/// Unfencing comes before the probe on the same node; a shutdown waits for the node's own probes only.
fn is_exempt(model: &Model<'_>, probe: ActionId, then: ActionId) -> bool {
    let (probe, then) = (&model.actions[probe], &model.actions[then]);
    let same_node = probe.node == then.node;
    match then.task {
        Task::Fence => {
            same_node && then.meta.get("stonith_action").is_some_and(|operation| &**operation == "on")
        }
        Task::Shutdown => !same_node,
        _ => false,
    }
}
