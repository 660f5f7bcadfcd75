//! What has to wait for probes (rule 3.34).

use fixedbitset::FixedBitSet;

use super::{interleave, relate, rules, side_resource};
use crate::model::{ActionId, Id, Model, Properties, Relation, ResourceId, Side, Task};

/// Orders probes before what would change the state they look at, then before what waits for stops.
pub(super) fn order(model: &mut Model<'_>) {
    let mut chains = Chains::new(model);
    for index in 0..model.top.len() {
        let resource = model.top[index];
        before_restarts(model, resource, &mut chains);
    }
    before_followers_of_stops(model);
}

/// What restart chains (rule 3.34.1 b) need to know, so that long chains without restarts cost nothing.
struct Chains {
    /// Actions from which some action with a leaving counterpart can be reached.
    worthwhile: FixedBitSet,
    /// The number of the chain that passed each action last.
    passed: Vec<u32>,
    chain: u32,
}

impl Chains {
    fn new(model: &Model<'_>) -> Chains {
        let mut worthwhile = FixedBitSet::with_capacity(model.actions.len());
        let mut open: Vec<ActionId> =
            model.actions.ids().filter(|action| leaving(model, *action).next().is_some()).collect();
        while let Some(action) = open.pop() {
            if !worthwhile.put(action.index()) {
                open.extend(model.actions[action].inputs.iter().map(|input| input.action));
            }
        }
        Chains { worthwhile, passed: vec![0; model.actions.len()], chain: 0 }
    }

    /// Whether the chain goes through this action, for the first time.
    fn pass(&mut self, action: ActionId) -> bool {
        let first_time = std::mem::replace(&mut self.passed[action.index()], self.chain) != self.chain;
        first_time && self.worthwhile.contains(action.index())
    }
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
fn before_restarts(model: &mut Model<'_>, resource: ResourceId, chains: &mut Chains) {
    for index in 0..model.resources[resource].children.len() {
        let child = model.resources[resource].children[index];
        before_restarts(model, child, chains);
    }
    if !model.resources[resource].is_primitive() {
        return;
    }
    for probe in probes_of(model, resource) {
        let followers: Vec<Relation> = model.actions[probe].followers.iter().rev().copied().collect();
        for follower in followers {
            gate_instances(model, probe, follower);
            chains.chain += 1;
            restart_chain(model, resource, probe, follower.action, chains);
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
    chains: &mut Chains,
) {
    let mut open = vec![from];
    while let Some(after) = open.pop() {
        if !chains.pass(after) {
            continue;
        }
        if model.actions[after].resource != Some(resource) {
            for action in leaving(model, after).collect::<Vec<_>>() {
                relate(model, probe, action, Properties::PLAIN);
            }
        }
        // the newest relation is passed first
        let next = model.actions[after].followers.iter();
        let passed = next.filter(|relation| is_passed(model, resource, after, relation));
        open.extend(passed.map(|relation| relation.action));
    }
}

/// The real stops of a primitive's start, the real demotes of its promote; oldest first.
fn leaving<'m>(model: &'m Model<'_>, arriving: ActionId) -> impl Iterator<Item = ActionId> + use<'m> {
    let arriving = &model.actions[arriving];
    let task = match arriving.task {
        Task::Start => Some(Task::Stop),
        Task::Promote => Some(Task::Demote),
        _ => None,
    };
    let primitive = arriving.resource.filter(|resource| model.resources[*resource].is_primitive());
    let actions: &[ActionId] = match (primitive, &task) {
        (Some(resource), Some(_)) => &model.resources[resource].actions,
        _ => &[],
    };
    actions.iter().copied().filter(move |action| {
        let action = &model.actions[*action];
        !action.pseudo && Some(&action.task) == task.as_ref()
    })
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
