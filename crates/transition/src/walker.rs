//! Walks a graph: which actions may start now, and what their results lead to.
//!
//! The walker is passive. Its driver asks for [`Walker::next`] until nothing is left to start, carries
//! the actions out, and reports each result with [`Walker::finish`]; pseudo-actions are confirmed by the
//! walker itself. After an [`Walker::abort`] nothing below the abort's priority starts any more, but
//! what is in flight is awaited (rules 3.52, 4.31, 4.33).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::{Action, Graph, Kind, Work};
use crate::{INFINITY, Name};

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was expected.
    Done,
    /// It failed: nothing that waits for it starts, but synapses of the highest priority.
    Failed,
}

/// Where the walk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something is in flight, or may start (now, or when limits allow).
    Active,
    /// Everything was done.
    Complete,
    /// Nothing is in flight; an abort or a failure kept the rest from starting.
    Aborted,
    /// Nothing is in flight or ready, though nothing was aborted: the graph is not sound (rule 3.52.6).
    Stuck,
}

/// How much may be in flight at once (rule 4.32).
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Synapses over all nodes.
    pub batch: Option<usize>,
    /// The same for starting to fence (rule 4.32.5): what holds up recovery for a moment need not hold up that.
    pub fencing_batch: Option<usize>,
    /// `migrate_to` and `migrate_from` for each node, counted on source and target.
    pub migrations: Option<usize>,
    /// Operations for each executing cluster node, by name.
    pub operations: &'a dyn Fn(&str) -> Option<usize>,
}

impl Limits<'_> {
    /// No limit at all.
    pub fn none() -> Limits<'static> {
        Limits { batch: None, fencing_batch: None, migrations: None, operations: &|_| None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    InFlight,
    Done,
    Failed,
}

/// The walk through one graph.
#[derive(Clone, Debug)]
pub struct Walker {
    graph: Arc<Graph>,
    states: Vec<State>,
    /// How many triggers of each synapse are not confirmed yet.
    unconfirmed: Vec<u32>,
    /// Synapses some trigger of which failed.
    held_back: Vec<bool>,
    /// Synapse by action id.
    position: BTreeMap<u32, usize>,
    /// Synapses that wait for each synapse.
    followers: Vec<Vec<usize>>,
    /// Waiting synapses whose triggers are all confirmed and did not hold them back.
    ready: BTreeSet<usize>,
    /// Those of them that come after all others, if any do.
    later: Option<BTreeSet<usize>>,
    /// Where the current pass over the graph stands.
    cursor: usize,
    in_flight: BTreeSet<usize>,
    abort_priority: i32,
    load: BTreeMap<Name, usize>,
    migrations: BTreeMap<Name, usize>,
}

impl Walker {
    /// A walk that has not begun.
    pub fn new(graph: impl Into<Arc<Graph>>) -> Walker {
        let graph = graph.into();
        let count = graph.synapses.len();
        let position: BTreeMap<u32, usize> =
            graph.actions().enumerate().map(|(index, action)| (action.id, index)).collect();
        let mut followers = vec![Vec::new(); count];
        for (index, synapse) in graph.synapses.iter().enumerate() {
            for first in synapse.triggers.iter().filter_map(|trigger| position.get(&trigger.id)) {
                followers[*first].push(index);
            }
        }
        let unconfirmed: Vec<u32> =
            graph.synapses.iter().map(|synapse| synapse.triggers.len() as u32).collect();
        let ready = (0..count).filter(|index| unconfirmed[*index] == 0).collect();
        Walker {
            states: vec![State::Waiting; count],
            held_back: vec![false; count],
            unconfirmed,
            position,
            followers,
            ready,
            later: None,
            cursor: 0,
            in_flight: BTreeSet::new(),
            abort_priority: 0,
            load: BTreeMap::new(),
            migrations: BTreeMap::new(),
            graph,
        }
    }

    /// A walk in which what nothing waits for and brings up no service comes after whatever else may start, where
    /// limits hold back operations: recurring operations, and, when nothing else is under way, the removal of
    /// histories. See [`Walker::let_last_in`].
    #[must_use]
    pub fn services_first(mut self) -> Walker {
        self.later = Some(BTreeSet::new());
        std::mem::take(&mut self.ready).into_iter().for_each(|index| self.make_ready(index));
        self
    }

    /// Whether something may start but for others that come first.
    pub fn last_wait(&self) -> bool {
        self.later.as_ref().is_some_and(|later| !later.is_empty())
    }

    /// From now on what waits for others to come first is as good as any other: it has waited for long enough.
    pub fn let_last_in(&mut self) {
        if let Some(later) = &mut self.later {
            self.ready.append(later);
        }
    }

    /// The graph that is walked.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The next action to start (rule 4.31.1), in graph order; none if nothing may start now. The walker counts it as
    /// in flight until [`Walker::finish`]; a pseudo-action (but maintenance news, which has to be told)
    /// is returned for the record only and confirmed already.
    pub fn next(&mut self, limits: &Limits<'_>) -> Option<Action> {
        let found = self.find(limits);
        self.cursor = found.filter(|index| self.ready.contains(index)).map_or(0, |index| index + 1);
        let index = found?;
        self.unready(index);
        self.take_off(index);
        let action = self.graph.synapses[index].action.clone();
        if action.kind == Kind::Pseudo {
            self.settle(index, Outcome::Done);
        }
        Some(action)
    }

    /// Whether [`Walker::next`] has anything now.
    pub fn has_next(&self, limits: &Limits<'_>) -> bool {
        self.find(limits).is_some()
    }

    fn find(&self, limits: &Limits<'_>) -> Option<usize> {
        let after = self.ready.range(self.cursor..).copied();
        let before = self.ready.range(..self.cursor).copied();
        let mut full = Vec::new();
        let found = after.chain(before).find(|index| self.may_start(*index, limits, &mut full));
        let mut later = self.later.iter().flatten().copied();
        let is_alone = self.ready.is_empty() && self.load.values().all(|operations| *operations == 0);
        found.or_else(|| {
            later
                .find(|index| (is_alone || self.watches(*index)) && self.may_start(*index, limits, &mut full))
        })
    }

    /// Whether anything waits for the action with this id that does not come last anyway.
    pub fn is_waited_for(&self, id: u32) -> bool {
        let mut followers = self.position.get(&id).into_iter().flat_map(|index| &self.followers[*index]);
        followers.any(|follower| self.later.is_none() || !self.comes_last(*follower))
    }

    /// How many operations the node with this name is carrying out.
    pub fn load(&self, node: &str) -> usize {
        self.load.get(node).copied().unwrap_or(0)
    }

    /// How many operations each node is to carry out whose inputs are there.
    pub fn ready_by_node(&self) -> BTreeMap<&str, usize> {
        let mut ready = BTreeMap::new();
        for index in self.ready.iter().chain(self.later.iter().flatten()) {
            if let Some(node) = executor(&self.graph.synapses[*index].action) {
                *ready.entry(&**node).or_default() += 1;
            }
        }
        ready
    }

    /// Records the result of the action with this id. Returns whether it was awaited (in flight, or not
    /// yet started and now done by someone else).
    pub fn finish(&mut self, id: u32, outcome: Outcome) -> bool {
        let Some(&index) = self.position.get(&id) else { return false };
        if matches!(self.states[index], State::Done | State::Failed) {
            return false;
        }
        self.settle(index, outcome);
        true
    }

    /// Fails all unfinished actions that the named node executes or that take place on it, except fencing
    /// and what has no effect of its own (rule 4.31.7). Returns those that were in flight or waiting.
    pub fn fail_node(&mut self, name: &str) -> Vec<Action> {
        let graph = self.graph.clone();
        let mut failed = Vec::new();
        for (index, synapse) in graph.synapses.iter().enumerate() {
            let action = &synapse.action;
            let unfinished = matches!(self.states[index], State::Waiting | State::InFlight);
            let there = [action.node.as_ref(), action.router.as_ref()]
                .iter()
                .flatten()
                .any(|node| &*node.name == name);
            if unfinished && there && !action.is_pseudo() && &*action.operation != "stonith" {
                self.settle(index, Outcome::Failed);
                failed.push(action.clone());
            }
        }
        failed
    }

    /// From now on only synapses of at least this priority start, and pseudo-actions (rule 4.33.1).
    pub fn abort(&mut self, priority: i32) {
        self.abort_priority = self.abort_priority.max(priority);
    }

    /// Highest priority of any abort so far; 0 if there was none.
    pub fn abort_priority(&self) -> i32 {
        self.abort_priority
    }

    /// The priority at which a failure of this action aborts: one above its synapse's (rule 4.31.5).
    pub fn failure_priority(&self, id: u32) -> i32 {
        self.position
            .get(&id)
            .map_or(INFINITY, |index| self.graph.synapses[*index].priority.saturating_add(1))
    }

    /// Actions that were started and have no result yet, in graph order.
    pub fn in_flight(&self) -> impl Iterator<Item = &Action> {
        self.in_flight.iter().map(|index| &self.graph.synapses[*index].action)
    }

    /// The action with this id, whatever its state.
    pub fn action(&self, id: u32) -> Option<&Action> {
        self.position.get(&id).map(|index| &self.graph.synapses[*index].action)
    }

    /// The action with this id, if it is in flight.
    pub fn awaited(&self, id: u32) -> Option<&Action> {
        let index = self.position.get(&id)?;
        self.in_flight.contains(index).then(|| &self.graph.synapses[*index].action)
    }

    /// Whether the action was confirmed, and how.
    pub fn outcome(&self, id: u32) -> Option<Outcome> {
        match self.states[*self.position.get(&id)?] {
            State::Done => Some(Outcome::Done),
            State::Failed => Some(Outcome::Failed),
            State::Waiting | State::InFlight => None,
        }
    }

    /// Actions that have neither started nor finished, in graph order.
    pub fn waiting(&self) -> impl Iterator<Item = &Action> {
        (self.graph.synapses.iter().zip(&self.states))
            .filter(|(_, state)| **state == State::Waiting)
            .map(|(synapse, _)| &synapse.action)
    }

    /// Where the walk stands.
    pub fn progress(&self) -> Progress {
        let mut ready = self.ready.iter().chain(self.later.iter().flatten());
        let mut startable = || ready.any(|index| self.outranks_abort(*index));
        if !self.in_flight.is_empty() || startable() {
            Progress::Active
        } else if self.abort_priority > 0 || self.states.contains(&State::Failed) {
            Progress::Aborted
        } else if self.states.contains(&State::Waiting) {
            Progress::Stuck
        } else {
            Progress::Complete
        }
    }

    fn outranks_abort(&self, index: usize) -> bool {
        let synapse = &self.graph.synapses[index];
        synapse.action.is_pseudo() || synapse.priority >= self.abort_priority
    }

    /// `full`: nodes that were found to bear no further operation in this pass.
    fn may_start<'a>(&'a self, index: usize, limits: &Limits<'_>, full: &mut Vec<&'a Name>) -> bool {
        let action = &self.graph.synapses[index].action;
        if action.is_pseudo() {
            return true;
        }
        let fences = &*action.operation == "stonith";
        let batch = if fences { limits.fencing_batch } else { limits.batch };
        self.outranks_abort(index)
            && batch.is_none_or(|limit| self.in_flight.len() < limit)
            && executor(action).is_none_or(|node| self.bears_operation(node, limits, full))
            && limits.migrations.is_none_or(|limit| {
                migration_ends(action).all(|node| self.migrations.get(node).copied().unwrap_or(0) < limit)
            })
    }

    fn bears_operation<'a>(&self, node: &'a Name, limits: &Limits<'_>, full: &mut Vec<&'a Name>) -> bool {
        if full.contains(&node) {
            return false;
        }
        let bears = (limits.operations)(node).is_none_or(|limit| self.load(node) < limit);
        if !bears {
            full.push(node);
        }
        bears
    }

    fn take_off(&mut self, index: usize) {
        self.states[index] = State::InFlight;
        self.in_flight.insert(index);
        self.count(index, |count| count + 1);
    }

    fn settle(&mut self, index: usize, outcome: Outcome) {
        if self.in_flight.remove(&index) {
            self.count(index, |count: usize| count.saturating_sub(1));
        }
        self.unready(index);
        self.states[index] = if outcome == Outcome::Done { State::Done } else { State::Failed };
        for position in 0..self.followers[index].len() {
            let follower = self.followers[index][position];
            self.unconfirmed[follower] = self.unconfirmed[follower].saturating_sub(1);
            if outcome == Outcome::Failed && self.graph.synapses[follower].priority < INFINITY {
                self.held_back[follower] = true;
            }
            let ready = self.unconfirmed[follower] == 0 && !self.held_back[follower];
            if ready && self.states[follower] == State::Waiting {
                self.make_ready(follower);
            } else {
                self.unready(follower);
            }
        }
    }

    fn make_ready(&mut self, index: usize) {
        let last = self.later.is_some() && self.comes_last(index);
        let ready = self.later.as_mut().filter(|_| last).unwrap_or(&mut self.ready);
        ready.insert(index);
    }

    fn unready(&mut self, index: usize) {
        self.ready.remove(&index);
        if let Some(later) = &mut self.later {
            later.remove(&index);
        }
    }

    fn comes_last(&self, index: usize) -> bool {
        let removes = matches!(self.graph.synapses[index].action.work(), Work::Forget | Work::RemoveHistory);
        self.followers[index].is_empty() && (removes || self.watches(index))
    }

    fn watches(&self, index: usize) -> bool {
        let action = &self.graph.synapses[index].action;
        action.work() == Work::Operation && action.interval() > 0
    }

    fn count(&mut self, index: usize, change: impl Fn(usize) -> usize) {
        let action = &self.graph.synapses[index].action;
        if let Some(node) = executor(action) {
            let count = self.load.entry(node.clone()).or_default();
            *count = change(*count);
        }
        for node in migration_ends(action) {
            let count = self.migrations.entry(node.clone()).or_default();
            *count = change(*count);
        }
    }
}

/// The node whose operation limit the action counts for: removing a history runs no agent.
fn executor(action: &Action) -> Option<&Name> {
    let counts = action.kind == Kind::Resource && &*action.operation != "delete";
    counts.then(|| action.head.executor().map(|node| &node.name)).flatten()
}

/// The nodes whose migration limit the action counts for.
fn migration_ends(action: &Action) -> impl Iterator<Item = &Name> {
    let migrates = matches!(&*action.operation, "migrate_to" | "migrate_from");
    ["migrate_source", "migrate_target"]
        .into_iter()
        .filter(move |_| migrates)
        .filter_map(|end| action.meta(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Head, NodeRef, Synapse};

    fn synapse(id: u32, kind: Kind, priority: i32, after: &[u32]) -> Synapse {
        let head = |id: u32, kind: Kind| {
            Arc::new(Head {
                id,
                kind,
                operation: "start".into(),
                key: format!("r{id}_start_0").into(),
                internal_key: None,
                node: Some(NodeRef { name: "n1".into(), id: "1".into() }),
                router: None,
            })
        };
        Synapse {
            priority,
            action: Action {
                head: head(id, kind),
                instance: None,
                primitive: None,
                attributes: Vec::new(),
                numbered: Vec::new(),
                shutdown_lock: None,
                downed: Vec::new(),
                maintenance: Vec::new(),
                reason: None,
            },
            triggers: after.iter().map(|id| head(*id, Kind::Resource)).collect(),
        }
    }

    fn walk(synapses: Vec<Synapse>) -> Walker {
        Walker::new(Graph { synapses, ..Graph::default() })
    }

    fn ids(walker: &mut Walker, limits: &Limits<'_>) -> Vec<u32> {
        std::iter::from_fn(|| walker.next(limits)).map(|action| action.id).collect()
    }

    /// Rules 3.52.1 and 3.52.2: what is confirmed lets later synapses go in the same pass, earlier ones in the next.
    #[test]
    fn passes_go_through_the_graph_in_order() {
        let r = Kind::Resource;
        let mut walker = walk(vec![
            synapse(4, r, 0, &[3]),
            synapse(3, r, 0, &[2]),
            synapse(2, r, 0, &[]),
            synapse(1, r, 0, &[2]),
        ]);
        let mut order = Vec::new();
        while let Some(action) = walker.next(&Limits::none()) {
            order.push(action.id);
            assert!(walker.finish(action.id, Outcome::Done));
        }
        assert_eq!(order, [2, 1, 3, 4]);
        assert_eq!(walker.progress(), Progress::Complete);
    }

    /// Rule 3.52.4.
    #[test]
    fn a_failure_holds_back_followers_but_not_final_notifications() {
        let r = Kind::Resource;
        let mut walker = walk(vec![
            synapse(1, r, 0, &[]),
            synapse(2, r, 0, &[1]),
            synapse(3, Kind::Pseudo, INFINITY, &[1]),
        ]);
        assert_eq!(ids(&mut walker, &Limits::none()), [1]);
        walker.finish(1, Outcome::Failed);
        walker.abort(INFINITY);
        assert_eq!(ids(&mut walker, &Limits::none()), [3]);
        assert_eq!(walker.progress(), Progress::Aborted);
    }

    /// Rule 3.52.7.
    #[test]
    fn an_unmet_trigger_leaves_the_walk_stuck() {
        let mut walker = walk(vec![synapse(1, Kind::Resource, 0, &[9])]);
        assert_eq!(ids(&mut walker, &Limits::none()), []);
        assert_eq!(walker.progress(), Progress::Stuck);
    }

    /// Rule 4.32.4: counted on source and target.
    #[test]
    fn migrations_are_limited_on_both_of_their_nodes() {
        let migration = |id: u32, from: &str, to: &str| {
            let mut one = synapse(id, Kind::Resource, 0, &[]);
            let head = Arc::make_mut(&mut one.action.head);
            head.operation = "migrate_to".into();
            let pair = |name: &str, node: &str| (format!("CRM_meta_{name}").as_str().into(), node.into());
            one.action.attributes = vec![pair("migrate_source", from), pair("migrate_target", to)];
            one
        };
        let limits = Limits { migrations: Some(1), ..Limits::none() };
        let mut walker = walk(vec![
            migration(1, "n1", "n2"),
            migration(2, "n3", "n2"),
            migration(3, "n1", "n4"),
            migration(4, "n3", "n4"),
            synapse(5, Kind::Resource, 0, &[]),
        ]);
        assert_eq!(ids(&mut walker, &limits), [1, 4, 5]);
        walker.finish(1, Outcome::Done);
        walker.finish(4, Outcome::Done);
        assert_eq!(ids(&mut walker, &limits), [2, 3]);
    }

    /// Rule 4.32.2.
    #[test]
    fn limits_hold_actions_until_results_arrive() {
        let r = Kind::Resource;
        let mut walker = walk(vec![synapse(1, r, 0, &[]), synapse(2, r, 0, &[]), synapse(3, r, 0, &[])]);
        let one = Limits { operations: &|_| Some(1), ..Limits::none() };
        assert_eq!(ids(&mut walker, &one), [1]);
        assert_eq!(walker.progress(), Progress::Active);
        walker.finish(1, Outcome::Done);
        assert_eq!(ids(&mut walker, &one), [2]);
        assert_eq!(walker.fail_node("n1").len(), 2);
        assert_eq!(walker.progress(), Progress::Aborted);
    }

    /// Recurring operations come last if they are to, and removals after all others, until they are let in; but not what
    /// others wait for.
    #[test]
    fn what_brings_up_no_service_waits_for_the_rest_until_let_in() {
        let r = Kind::Resource;
        let watch = |id: u32, after: &[u32]| {
            let mut one = synapse(id, r, 0, after);
            Arc::make_mut(&mut one.action.head).operation = "monitor".into();
            one.action.attributes = vec![("CRM_meta_interval".into(), "10000".into())];
            one
        };
        let removal = |id: u32, after: &[u32]| {
            let mut one = synapse(id, r, 0, after);
            Arc::make_mut(&mut one.action.head).operation = "delete".into();
            one
        };
        let graph = vec![
            watch(1, &[]),
            synapse(2, r, 0, &[]),
            watch(3, &[2]),
            removal(6, &[]),
            removal(7, &[]),
            synapse(4, r, 0, &[7]),
            watch(5, &[9]),
            synapse(8, r, 0, &[]),
        ];
        let one = Limits { operations: &|_| Some(1), ..Limits::none() };
        // one pass after the other: what starts in it ends before the next
        let order = |mut walker: Walker, let_in_after: u32| {
            let mut order = Vec::new();
            loop {
                let pass = ids(&mut walker, &one);
                if pass.is_empty() {
                    assert_eq!(walker.progress(), Progress::Stuck);
                    return order;
                }
                pass.iter().for_each(|id| assert!(walker.finish(*id, Outcome::Done)));
                if pass.contains(&let_in_after) {
                    assert!(walker.last_wait());
                    walker.let_last_in();
                }
                order.push(pass);
            }
        };
        assert_eq!(order(walk(graph.clone()), 0), [vec![1, 6, 7], vec![2], vec![3], vec![4], vec![8]]);
        let services_first = || walk(graph.clone()).services_first();
        assert_eq!(order(services_first(), 0), [vec![2, 7], vec![4], vec![8], vec![1], vec![3], vec![6]]);
        assert_eq!(order(services_first(), 2), [vec![2, 7], vec![1, 6], vec![3], vec![4], vec![8]]);
    }
}
