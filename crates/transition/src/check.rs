//! Refuses graphs that would break an invariant; run on every graph before anything is executed.
//!
//! The checker is independent of how the graph was made: it knows only the graph and a few facts about
//! the cluster, so that a mistake of the scheduler does not become a second running copy of something.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::Name;
use crate::graph::{Action, Graph, Kind};

/// The facts about the cluster that the checker compares a graph with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Names of nodes that cannot execute anything.
    pub offline: BTreeSet<Name>,
    /// Exclusive resources (those that may be active once only) that are active, by instance name, with
    /// the names of the nodes they are active on.
    pub exclusive: BTreeMap<Name, Vec<Name>>,
    /// Active resources that stop before something they need may stop.
    pub needs: Vec<Need>,
    /// Guest nodes with the instance name of the resource they run in: stopping it ends them.
    pub guests: BTreeMap<Name, Name>,
}

/// An active dependent that needs a primary: the primary must not stop before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// Instance names.
    pub dependent: Name,
    pub primary: Name,
}

/// An invariant that the graph would break.
#[derive(Clone, Debug, PartialEq)]
pub enum Violation {
    /// These actions (keys) wait for each other.
    Cycle { keys: Vec<Name> },
    /// An action waits for one that is not in the graph, so it would never run.
    MissingTrigger { key: Name, trigger: Name },
    /// The action takes place on a node that cannot execute it.
    OfflineNode { key: Name, node: Name },
    /// The resource would start while another copy may still be active on `node`: the start waits neither
    /// for a stop there nor for the fencing of the node.
    SecondCopy { key: Name, node: Name },
    /// The stop does not wait for the stop of an active resource that needs it.
    StillNeeded { key: Name, dependent: Name },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Cycle { keys } => {
                write!(f, "actions wait for each other: ")?;
                keys.iter().enumerate().try_for_each(|(index, key)| {
                    if index > 0 { write!(f, " -> {key}") } else { write!(f, "{key}") }
                })
            }
            Violation::MissingTrigger { key, trigger } => {
                write!(f, "{key} waits for {trigger}, which is not going to happen")
            }
            Violation::OfflineNode { key, node } => write!(f, "{key} is planned on {node}, which is offline"),
            Violation::SecondCopy { key, node } => {
                write!(f, "{key} does not wait until the copy on {node} is stopped or the node is fenced")
            }
            Violation::StillNeeded { key, dependent } => {
                write!(f, "{key} does not wait for the stop of {dependent}, which still needs it")
            }
        }
    }
}

impl std::error::Error for Violation {}

/// All invariants that the graph would break in this world; empty if it may be executed.
pub fn check(graph: &Graph, world: &World) -> Vec<Violation> {
    let inputs = Inputs::of(graph);
    let mut violations = inputs.missing(graph);
    violations.extend(inputs.cycle(graph));
    if !violations.is_empty() {
        return violations;
    }
    for (index, action) in graph.actions().enumerate() {
        violations.extend(offline(action, world));
        violations.extend(second_copies(graph, &inputs, index, world));
    }
    violations.extend(still_needed(graph, &inputs, world));
    violations
}

/// An action that would never run, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub key: Name,
    pub waits_for: Name,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is held back: it waits for {}, which is not going to happen", self.key, self.waits_for)
    }
}

/// Takes out of the graph what would never run: actions that wait for one that is not in the graph, for each
/// other, or for such an action. A walker would leave them over (rule 3.52.7); everything else goes on
/// without them. What still runs then waits for all that it waited for before.
pub fn remove_stuck(graph: &mut Graph) -> Vec<Stuck> {
    let inputs = Inputs::of(graph);
    let mut missing: Vec<usize> = graph.synapses.iter().map(|synapse| synapse.triggers.len()).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); missing.len()];
    for (index, firsts) in inputs.inputs.iter().enumerate() {
        firsts.iter().for_each(|first| followers[*first].push(index));
    }
    let mut will_run = vec![false; missing.len()];
    let mut ready: Vec<usize> = (0..missing.len()).filter(|index| missing[*index] == 0).collect();
    while let Some(index) = ready.pop() {
        will_run[index] = true;
        for follower in &followers[index] {
            missing[*follower] -= 1;
            if missing[*follower] == 0 {
                ready.push(*follower);
            }
        }
    }
    let is_lost = |id: u32| inputs.position.get(&id).is_none_or(|index| !will_run[*index]);
    let stuck = graph
        .synapses
        .iter()
        .filter_map(|synapse| {
            let lost = synapse.triggers.iter().find(|trigger| is_lost(trigger.id))?;
            Some(Stuck { key: synapse.action.own_key().clone(), waits_for: lost.own_key().clone() })
        })
        .collect();
    let mut runs = will_run.into_iter();
    graph.synapses.retain(|_| runs.next().unwrap_or(false));
    stuck
}

/// Triggers as positions in the graph.
struct Inputs {
    position: BTreeMap<u32, usize>,
    inputs: Vec<Vec<usize>>,
}

impl Inputs {
    fn of(graph: &Graph) -> Inputs {
        let position: BTreeMap<u32, usize> =
            graph.actions().enumerate().map(|(index, action)| (action.id, index)).collect();
        let inputs = (graph.synapses.iter())
            .map(|synapse| {
                synapse.triggers.iter().filter_map(|trigger| position.get(&trigger.id)).copied().collect()
            })
            .collect();
        Inputs { position, inputs }
    }

    fn missing(&self, graph: &Graph) -> Vec<Violation> {
        let mut missing = Vec::new();
        for synapse in &graph.synapses {
            for trigger in &synapse.triggers {
                if !self.position.contains_key(&trigger.id) {
                    let key = synapse.action.own_key().clone();
                    missing.push(Violation::MissingTrigger { key, trigger: trigger.own_key().clone() });
                }
            }
        }
        missing
    }

    /// One cycle, if there is any. Depth-first without recursion: graphs hold long chains.
    fn cycle(&self, graph: &Graph) -> Option<Violation> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Done,
        }
        let mut marks = vec![Mark::New; self.inputs.len()];
        for root in 0..self.inputs.len() {
            if marks[root] != Mark::New {
                continue;
            }
            marks[root] = Mark::OnPath;
            let mut path = vec![(root, 0)];
            while let Some((at, next)) = path.last_mut() {
                let Some(&input) = self.inputs[*at].get(*next) else {
                    marks[*at] = Mark::Done;
                    path.pop();
                    continue;
                };
                *next += 1;
                match marks[input] {
                    Mark::Done => {}
                    Mark::New => {
                        marks[input] = Mark::OnPath;
                        path.push((input, 0));
                    }
                    Mark::OnPath => {
                        let from = path.iter().position(|(step, _)| *step == input).unwrap_or(0);
                        let key = |step: usize| graph.synapses[step].action.own_key().clone();
                        // inputs come first, so the path reads backwards
                        let keys = path[from..].iter().rev().map(|(step, _)| key(*step)).collect();
                        return Some(Violation::Cycle { keys });
                    }
                }
            }
        }
        None
    }

    /// Whether something that `matches` is confirmed before the action at `index` starts. Direct inputs
    /// are looked at first; that is nearly always enough.
    fn follows(&self, index: usize, matches: &dyn Fn(usize) -> bool) -> bool {
        if self.inputs[index].iter().any(|input| matches(*input)) {
            return true;
        }
        let mut seen = vec![false; self.inputs.len()];
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            for &input in &self.inputs[at] {
                if matches(input) {
                    return true;
                }
                if !std::mem::replace(&mut seen[input], true) {
                    open.push(input);
                }
            }
        }
        false
    }
}

fn offline(action: &Action, world: &World) -> Option<Violation> {
    let by_executor = action.kind == Kind::Resource || &*action.operation == "do_shutdown";
    let executor = action.head.executor().filter(|_| by_executor)?;
    let name = &executor.name;
    world
        .offline
        .contains(name)
        .then(|| Violation::OfflineNode { key: action.own_key().clone(), node: name.clone() })
}

/// A start of an exclusive resource waits until every other copy is stopped, or its node fenced, or the
/// guest that it lives in stopped.
fn second_copies(graph: &Graph, inputs: &Inputs, index: usize, world: &World) -> Vec<Violation> {
    let action = &graph.synapses[index].action;
    let Some((instance, node)) = action.instance.as_ref().zip(action.node.as_ref()) else {
        return Vec::new();
    };
    let starts = action.kind == Kind::Resource && &*action.operation == "start";
    let Some(copies) = world.exclusive.get(instance).filter(|_| starts) else { return Vec::new() };
    let others: Vec<&Name> = copies.iter().filter(|copy| **copy != node.name).collect();
    if others.is_empty() {
        return Vec::new();
    }
    let ended = |copy: &Name| {
        inputs.follows(index, &|step| ends_copy(&graph.synapses[step].action, instance, copy, world))
    };
    (others.into_iter().filter(|copy| !ended(copy)))
        .map(|copy| Violation::SecondCopy { key: action.own_key().clone(), node: copy.clone() })
        .collect()
}

/// Whether after `action` the copy of `instance` on `node` is gone.
fn ends_copy(action: &Action, instance: &Name, node: &Name, world: &World) -> bool {
    let there = action.node.as_ref().is_none_or(|place| place.name == *node);
    match &*action.operation {
        "stop" => {
            (there && action.instance.as_ref() == Some(instance))
                || (world.guests.get(node).is_some_and(|host| action.instance.as_ref() == Some(host)))
        }
        "stonith" => there && action.meta("stonith_action").is_none_or(|operation| &**operation != "on"),
        _ => false,
    }
}

/// A stop waits for the stops of those that need what it stops.
fn still_needed(graph: &Graph, inputs: &Inputs, world: &World) -> Vec<Violation> {
    let mut stops: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
    for (index, action) in graph.actions().enumerate() {
        if let (Some(instance), "stop") = (&action.instance, &*action.operation) {
            stops.entry(instance).or_default().push(index);
        }
    }
    // the copy that is stopped at the end of a live migration is needed by nobody
    let migrations = graph.actions().filter(|action| &*action.operation == "migrate_from");
    let arrives: BTreeSet<Name> = migrations.filter_map(|action| action.instance.clone()).collect();
    let of = |instance: &Name| stops.get(instance).map(Vec::as_slice).unwrap_or_default();
    let mut violations = Vec::new();
    for need in &world.needs {
        let dependents = of(&need.dependent);
        // what a fencing implies has happened, in whatever order
        if dependents.iter().any(|stop| graph.synapses[*stop].action.is_pseudo()) {
            continue;
        }
        for &index in of(&need.primary) {
            let action = &graph.synapses[index].action;
            if action.is_pseudo() || arrives.contains(&need.primary) {
                continue;
            }
            let waits = dependents.iter().all(|stop| inputs.follows(index, &|step| step == *stop));
            if !waits || dependents.is_empty() {
                let key = action.own_key().clone();
                violations.push(Violation::StillNeeded { key, dependent: need.dependent.clone() });
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Head, NodeRef, Synapse};
    use std::sync::Arc;

    fn step(id: u32, resource: &str, task: &str, node: &str, after: &[u32]) -> Synapse {
        let head = |id: u32, key: String| {
            Arc::new(Head {
                id,
                kind: Kind::Resource,
                operation: task.into(),
                key: key.into(),
                internal_key: None,
                node: Some(NodeRef { name: node.into(), id: node.into() }),
                router: None,
            })
        };
        Synapse {
            priority: 0,
            action: Action {
                head: head(id, format!("{resource}_{task}_0")),
                instance: Some(resource.into()),
                primitive: None,
                attributes: Vec::new(),
                numbered: Vec::new(),
                shutdown_lock: None,
                downed: Vec::new(),
                maintenance: Vec::new(),
                reason: None,
            },
            triggers: after.iter().map(|id| head(*id, format!("{id}"))).collect(),
        }
    }

    fn graph(synapses: Vec<Synapse>) -> Graph {
        Graph { synapses, ..Graph::default() }
    }

    #[test]
    fn a_cycle_is_named() {
        let loops = graph(vec![step(1, "a", "start", "n", &[2]), step(2, "b", "start", "n", &[1])]);
        let found = check(&loops, &World::default());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "actions wait for each other: b_start_0 -> a_start_0");
    }

    #[test]
    fn what_would_never_run_is_taken_out_and_the_rest_goes_on() {
        let mut stuck = graph(vec![
            step(1, "a", "start", "n", &[]),
            step(2, "b", "start", "n", &[1, 9]),
            step(3, "c", "start", "n", &[2]),
            step(4, "d", "start", "n", &[5]),
            step(5, "e", "start", "n", &[4]),
            step(6, "f", "start", "n", &[1]),
        ]);
        let told: Vec<String> = remove_stuck(&mut stuck).iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 4);
        assert_eq!(told[0], "b_start_0 is held back: it waits for 9, which is not going to happen");
        let left: Vec<u32> = stuck.actions().map(|action| action.id).collect();
        assert_eq!(left, [1, 6]);
        assert_eq!(check(&stuck, &World::default()), []);
        assert_eq!(remove_stuck(&mut stuck), []);
    }

    #[test]
    fn a_move_must_stop_first() {
        let world = World { exclusive: [("a".into(), vec!["n1".into()])].into(), ..World::default() };
        let right = graph(vec![step(1, "a", "stop", "n1", &[]), step(2, "a", "start", "n2", &[1])]);
        assert_eq!(check(&right, &world), []);
        let wrong = graph(vec![step(1, "a", "stop", "n1", &[]), step(2, "a", "start", "n2", &[])]);
        assert_eq!(
            check(&wrong, &world),
            [Violation::SecondCopy { key: "a_start_0".into(), node: "n1".into() }]
        );
        let fenced = graph(vec![step(1, "n1", "stonith", "n1", &[]), step(2, "a", "start", "n2", &[1])]);
        assert_eq!(check(&fenced, &world), []);
    }

    #[test]
    fn nothing_runs_on_an_offline_node() {
        let world = World { offline: ["n".into()].into(), ..World::default() };
        let found = check(&graph(vec![step(1, "a", "start", "n", &[])]), &world);
        assert_eq!(found, [Violation::OfflineNode { key: "a_start_0".into(), node: "n".into() }]);
    }

    #[test]
    fn a_stop_waits_for_those_that_need_it() {
        let world =
            World { needs: vec![Need { dependent: "app".into(), primary: "ip".into() }], ..World::default() };
        let right = graph(vec![step(1, "app", "stop", "n", &[]), step(2, "ip", "stop", "n", &[1])]);
        assert_eq!(check(&right, &world), []);
        let wrong = graph(vec![step(2, "ip", "stop", "n", &[])]);
        assert_eq!(
            check(&wrong, &world),
            [Violation::StillNeeded { key: "ip_stop_0".into(), dependent: "app".into() }]
        );
    }
}
