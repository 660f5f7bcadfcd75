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
    /// Instance names of what is active in one place, is well and is to stay there: stopped only to be started
    /// again. For [`crate::cut`] only.
    pub well: BTreeSet<Name>,
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
    faults(graph, world).into_iter().map(|fault| fault.violation).collect()
}

/// A violation and the actions that break the invariant, by position in the graph.
pub(crate) struct Fault {
    pub violation: Violation,
    pub actions: Vec<usize>,
}

/// All faults; those of actions that would never run first and alone, as they are what the others may follow
/// from.
pub(crate) fn faults(graph: &Graph, world: &World) -> Vec<Fault> {
    let inputs = Inputs::of(graph);
    let mut faults = inputs.missing(graph);
    faults.extend(inputs.cycles(graph));
    if !faults.is_empty() {
        return faults;
    }
    for (index, action) in graph.actions().enumerate() {
        let violations =
            offline(action, world).into_iter().chain(second_copies(graph, &inputs, index, world));
        faults.extend(violations.map(|violation| Fault { violation, actions: vec![index] }));
    }
    faults.extend(still_needed(graph, &inputs, world));
    faults
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

    fn missing(&self, graph: &Graph) -> Vec<Fault> {
        let mut missing = Vec::new();
        for (index, synapse) in graph.synapses.iter().enumerate() {
            for trigger in &synapse.triggers {
                if !self.position.contains_key(&trigger.id) {
                    let key = synapse.action.own_key().clone();
                    let violation = Violation::MissingTrigger { key, trigger: trigger.own_key().clone() };
                    missing.push(Fault { violation, actions: vec![index] });
                }
            }
        }
        missing
    }

    /// Cycles, if there is any: not all, but such that share no action. Depth-first without recursion: graphs
    /// hold long chains.
    fn cycles(&self, graph: &Graph) -> Vec<Fault> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Done,
        }
        let mut marks = vec![Mark::New; self.inputs.len()];
        let mut in_cycle = vec![false; self.inputs.len()];
        let mut cycles = Vec::new();
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
                    Mark::OnPath if in_cycle[input] || in_cycle[*at] => {}
                    Mark::OnPath => {
                        let from = path.iter().position(|(step, _)| *step == input).unwrap_or(0);
                        // inputs come first, so the path reads backwards
                        let actions: Vec<usize> = path[from..].iter().rev().map(|(step, _)| *step).collect();
                        if !actions.iter().any(|step| in_cycle[*step]) {
                            actions.iter().for_each(|step| in_cycle[*step] = true);
                            cycles.push(cycle(graph, actions));
                        }
                    }
                }
            }
        }
        cycles
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

fn cycle(graph: &Graph, actions: Vec<usize>) -> Fault {
    let keys = actions.iter().map(|step| graph.synapses[*step].action.own_key().clone()).collect();
    Fault { violation: Violation::Cycle { keys }, actions }
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
fn still_needed(graph: &Graph, inputs: &Inputs, world: &World) -> Vec<Fault> {
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
    let mut faults = Vec::new();
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
                let violation = Violation::StillNeeded { key, dependent: need.dependent.clone() };
                faults.push(Fault { violation, actions: vec![index] });
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests;
