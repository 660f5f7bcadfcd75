//! Makes a graph sound by taking out what the checker refuses, so that one fault (orders that go in a circle,
//! say) does not keep the rest of the cluster from being managed.
//!
//! It must never add anything or let an action wait for less than before, but for notifications that cannot be
//! delivered: nobody is there to hear them, so the others do not wait. What runs well is not stopped where the
//! start that was to follow is taken out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::Name;
use crate::check::{Fault, Violation, World, faults};
use crate::graph::Graph;

/// What was taken out of a graph because of one violation.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    pub violation: Violation,
    /// Ids of the actions that are gone: those that break the invariant, and all that wait for them.
    pub ids: Vec<u32>,
    /// Keys of the actions that only waited for those, without pseudo-actions.
    pub held_back: Vec<Name>,
}

/// More names than these tell nothing more.
const MOST_NAMES: usize = 5;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Left out of the plan: {}", self.violation)?;
        let shown: Vec<&str> = self.held_back.iter().take(MOST_NAMES).map(|key| &**key).collect();
        if !shown.is_empty() {
            write!(f, "; with that wait {}", shown.join(", "))?;
        }
        match self.held_back.len().saturating_sub(MOST_NAMES) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Takes out of the graph what breaks an invariant and everything that waits for it, until the checker has
/// nothing to say. Returns one entry for each violation, with what went because of it.
pub fn cut(graph: &mut Graph, world: &World) -> Vec<Cut> {
    let mut cuts = Vec::new();
    loop {
        let faults = faults(graph, world);
        if faults.is_empty() {
            return cuts;
        }
        let waits = Waits { followers: followers(graph), restarts: restarts(graph, world) };
        let mut gone = vec![false; graph.synapses.len()];
        let mut unheard = BTreeSet::new();
        for fault in faults {
            if cannot_be_heard(graph, &fault) {
                unheard.extend(fault.actions.iter().map(|index| graph.synapses[*index].action.id));
            }
            cuts.extend(take_out(graph, fault, &waits, &mut gone));
        }
        let mut gone = gone.into_iter();
        graph.synapses.retain(|_| !gone.next().unwrap_or(false));
        for synapse in graph.synapses.iter_mut().filter(|_| !unheard.is_empty()) {
            synapse.triggers.retain(|trigger| !unheard.contains(&trigger.id));
        }
    }
}

/// What goes with an action, as positions.
struct Waits {
    followers: Vec<Vec<usize>>,
    /// By the start that ends a restart: the stops that begin it.
    restarts: BTreeMap<usize, Vec<usize>>,
}

/// Whether the fault is a notification to where nothing can be told.
fn cannot_be_heard(graph: &Graph, fault: &Fault) -> bool {
    let is_notification = |index: &usize| &*graph.synapses[*index].action.operation == "notify";
    matches!(fault.violation, Violation::OfflineNode { .. }) && fault.actions.iter().all(is_notification)
}

/// Marks the actions of one fault and all that wait for them as gone; nothing if they are already.
fn take_out(graph: &Graph, fault: Fault, waits: &Waits, gone: &mut [bool]) -> Option<Cut> {
    let mut open: Vec<usize> = fault.actions.iter().copied().filter(|index| !gone[*index]).collect();
    if open.is_empty() {
        return None;
    }
    open.iter().for_each(|index| gone[*index] = true);
    let alone = cannot_be_heard(graph, &fault);
    let mut cut = Cut { violation: fault.violation, ids: Vec::new(), held_back: Vec::new() };
    while let Some(index) = open.pop() {
        let action = &graph.synapses[index].action;
        cut.ids.push(action.id);
        if !fault.actions.contains(&index) && !action.is_pseudo() {
            cut.held_back.push(action.own_key().clone());
        }
        if alone {
            continue;
        }
        let stops = waits.restarts.get(&index).map(Vec::as_slice).unwrap_or_default();
        for &follower in waits.followers[index].iter().chain(stops) {
            if !std::mem::replace(&mut gone[follower], true) {
                open.push(follower);
            }
        }
    }
    cut.ids.sort_unstable();
    cut.held_back.sort();
    Some(cut)
}

/// Starts of what runs well where it is to run again, with the stops of the same instance.
fn restarts(graph: &Graph, world: &World) -> BTreeMap<usize, Vec<usize>> {
    let mut stops: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
    let mut starts = Vec::new();
    for (index, action) in graph.actions().enumerate() {
        let Some(instance) = action.instance.as_ref().filter(|instance| world.well.contains(*instance))
        else {
            continue;
        };
        match &*action.operation {
            "stop" => stops.entry(instance).or_default().push(index),
            "start" => starts.push((index, instance)),
            _ => {}
        }
    }
    starts.into_iter().filter_map(|(start, instance)| Some((start, stops.get(instance)?.clone()))).collect()
}

/// What waits for each action, as positions.
fn followers(graph: &Graph) -> Vec<Vec<usize>> {
    let position: BTreeMap<u32, usize> =
        graph.actions().enumerate().map(|(index, action)| (action.id, index)).collect();
    let mut followers = vec![Vec::new(); graph.synapses.len()];
    for (index, synapse) in graph.synapses.iter().enumerate() {
        for first in synapse.triggers.iter().filter_map(|trigger| position.get(&trigger.id)) {
            followers[*first].push(index);
        }
    }
    followers
}
