//! Carrying out a plan: each action is handed out as soon as its inputs are done (rules 4.31, 4.32).
//!
//! A plan replaces the one before at once. Operations that were under way then are either wanted by the
//! new plan too, and adopted, or planned around: nothing of their resource moves before they end.

use std::collections::{BTreeMap, BTreeSet};

use transition::{Action, Limits, Outcome, Progress, Walker, Work as Kind};

use super::{GATHERING, Member, Node};
use crate::event::{EventKind, Severity};
use crate::executor::Order;
use crate::fencing::COORDINATOR;
use crate::fencing::owner::Waiting;
use crate::history::InFlightKey;
use crate::interface::Outbox;
use crate::join::FEATURE_SET;
use crate::load::{self, Load};
use crate::membership::NodeId;
use crate::message::{Body, Forget, PlanNotice, Task, Work};
use crate::operation::AgentName;
use crate::planner::{Planned, executor_key, in_flight_key};
use crate::request::{FenceRequest, TransitionStatus};

/// Time limit of a one-time operation that has none, in milliseconds: about when the DC gives up waiting for it.
const WITHOUT_LIMIT: u64 = 60_000;

/// How long what only watches services or tidies up waits, where not all fits at once, for what brings services up, in
/// milliseconds: half of the shortest interval in common use.
pub const LAST_WAIT: u64 = 5_000;

/// A plan that is being carried out.
#[derive(Debug)]
pub struct Runner {
    pub id: u64,
    walker: Walker,
    notice: PlanNotice,
    /// Actions by what is under way for them.
    awaited: BTreeMap<InFlightKey, u32>,
    /// Operations that the plan does not want: assumed to end as expected.
    planned_around: BTreeSet<InFlightKey>,
    /// Actions of resources whose operations are planned around.
    blocked: Vec<Action>,
    /// Actions that are confirmed by a command: kind, resource and node.
    told: BTreeMap<(&'static str, String, String), Vec<u32>>,
    deadlines: BTreeMap<u32, (u64, Option<InFlightKey>)>,
    /// Deadline and begin of operations that earlier plans had handed out: a new plan gives no new time.
    earlier: Earlier,
    /// When nodes that have enough to do are given more at the latest, if more can be given.
    pub(super) gathering_until: Option<u64>,
    /// Since when actions are under way.
    begun: BTreeMap<u32, u64>,
    /// When it was looked for slow ones last; nothing while no host is busy (rule 4.32.2).
    looked_at: Option<u64>,
    /// This node's own leave, which comes last.
    leave: Option<u32>,
    ended: bool,
    failed: usize,
}

/// When operations under way have to be done, and when they were handed out.
pub type Earlier = BTreeMap<InFlightKey, (u64, u64)>;

/// What a result was for a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    Awaited,
    PlannedAround,
    Unknown,
}

impl Runner {
    pub fn new(
        id: u64,
        planned: &Planned,
        because: Vec<String>,
        adopted: Vec<(InFlightKey, u32)>,
        planned_around: Vec<InFlightKey>,
        earlier: Earlier,
    ) -> Runner {
        let notice = PlanNotice {
            transition: id,
            first: true,
            actions: planned.graph.actions().filter(|action| !action.is_pseudo()).count(),
            summary: planned.summary.clone(),
            because,
            at: 0,
        };
        let adopted: BTreeMap<InFlightKey, u32> = adopted.into_iter().collect();
        Runner {
            id,
            walker: Walker::new(planned.graph.clone()).services_first(),
            notice,
            planned_around: planned_around.into_iter().filter(|key| !adopted.contains_key(key)).collect(),
            awaited: adopted,
            blocked: Vec::new(),
            told: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            earlier,
            gathering_until: None,
            begun: BTreeMap::new(),
            looked_at: None,
            leave: None,
            ended: false,
            failed: 0,
        }
    }

    /// Records what became of an action.
    pub fn finish(&mut self, action: u32, success: bool) {
        self.deadlines.remove(&action);
        self.begun.remove(&action);
        if !success {
            self.failed += 1;
        }
        self.walker.finish(action, if success { Outcome::Done } else { Outcome::Failed });
    }

    /// What the next plan has to know of the time of operations under way.
    pub fn into_earlier(self) -> Earlier {
        let mut earlier = self.earlier;
        for (action, (at, key)) in self.deadlines {
            if let (Some(key), Some(begun)) = (key, self.begun.get(&action)) {
                earlier.insert(key, (at, *begun));
            }
        }
        earlier
    }

    /// Takes the result of an operation (rule 4.31.3).
    pub fn resolve(&mut self, key: &InFlightKey, success: bool) -> Resolution {
        self.earlier.remove(key);
        if let Some(action) = self.awaited.remove(key) {
            self.finish(action, success);
            return Resolution::Awaited;
        }
        if self.planned_around.remove(key) {
            return Resolution::PlannedAround;
        }
        Resolution::Unknown
    }

    /// The longest delay of what is under way of the same resource on the same node, in milliseconds.
    fn delay_before(&self, key: &InFlightKey) -> u32 {
        let from = InFlightKey { key: String::new(), ..key.clone() };
        let same = self.awaited.range(from..);
        let same = same.take_while(|(one, _)| one.node == key.node && one.resource == key.resource);
        let delays = same.filter_map(|(_, id)| Some(self.walker.action(*id)?.start_delay()));
        delays.max().unwrap_or(0)
    }

    /// A recurring operation was ended.
    pub fn cancelled(&mut self, key: &InFlightKey) {
        if let Some(action) = self.awaited.remove(key) {
            self.finish(action, true);
        }
    }

    /// An action is done when a command is carried out.
    fn await_command(&mut self, kind: &'static str, resource: &str, node: &str, action: u32) {
        let actions = self.told.entry((kind, resource.to_owned(), node.to_ascii_lowercase())).or_default();
        actions.push(action);
    }

    /// A command was carried out.
    pub fn told(&mut self, kind: &'static str, resource: &str, node: &str) {
        let actions = self.told.remove(&(kind, resource.to_owned(), node.to_ascii_lowercase()));
        actions.into_iter().flatten().for_each(|action| self.finish(action, true));
    }

    /// The digests of devices that an unfencing action carries (rule 4.56.3).
    pub fn digests(&self, action: u32) -> Option<(String, String)> {
        let action = self.walker.action(action)?;
        Some((action.meta("digests_all")?.to_string(), action.meta("digests_secure")?.to_string()))
    }

    /// Actions whose time is up at `now`, with the operations under way for them.
    pub fn take_overdue(&mut self, now: u64) -> Vec<(Option<u32>, Option<InFlightKey>)> {
        self.looked_at = self.looked_at.map(|_| now);
        let overdue: Vec<u32> =
            self.deadlines.iter().filter(|(_, (at, _))| *at <= now).map(|(id, _)| *id).collect();
        let taken =
            overdue.into_iter().filter_map(|id| self.deadlines.remove(&id).map(|(_, key)| (Some(id), key)));
        let mut taken: Vec<(Option<u32>, Option<InFlightKey>)> = taken.collect();
        // of those that no action waits for only what still holds up its resource matters
        let around = |key: &&InFlightKey| self.earlier.get(*key).is_some_and(|(at, _)| *at <= now);
        let around: Vec<InFlightKey> = self.planned_around.iter().filter(around).cloned().collect();
        for key in around {
            self.earlier.remove(&key);
            taken.push((None, Some(key)));
        }
        taken
    }

    /// How many actions have been under way for long: all, and those that each node executes.
    fn slow(&self, now: u64) -> (usize, BTreeMap<String, usize>) {
        let slow = self.begun.iter().filter(|(_, at)| **at + load::SLOW <= now).map(|(id, _)| *id);
        let (mut all, mut by_node) = (0, BTreeMap::new());
        for action in slow.filter_map(|id| self.walker.awaited(id)) {
            all += 1;
            if let Some(node) = action.head.executor() {
                *by_node.entry(node.name.to_string()).or_default() += 1;
            }
        }
        (all, by_node)
    }

    pub fn next_deadline(&self) -> Option<u64> {
        let deadlines = self.deadlines.values().map(|(at, _)| *at);
        let slow = self
            .looked_at
            .into_iter()
            .flat_map(|looked| self.begun.values().map(|at| at + load::SLOW).filter(move |at| *at > looked));
        let around = self.planned_around.iter().filter_map(|key| self.earlier.get(key)).map(|(at, _)| *at);
        deadlines.chain(slow).chain(around).min()
    }

    /// Nodes for which more is ready than they bear, and which are carrying out more than half of what they bear: they
    /// do not run out of work in a moment, and what is handed out then goes to all in one message.
    fn crowded(&self, bounds: &Bounds) -> BTreeSet<String> {
        let busy = |(node, limit): &(&String, &usize)| self.walker.load(node) > **limit / 2;
        let busy: BTreeMap<&String, &usize> = bounds.operations.iter().filter(busy).collect();
        if busy.is_empty() {
            return BTreeSet::new();
        }
        let ready = self.walker.ready_by_node();
        let bears_not_all = |(node, limit): &(&String, &usize)| {
            self.walker.load(node) + ready.get(node.as_str()).copied().unwrap_or(0) > **limit
        };
        busy.into_iter().filter(bears_not_all).map(|(node, _)| node.clone()).collect()
    }

    /// Looks whether what comes last has waited for long enough. `since`: as it was last, of an earlier plan too.
    fn mind_last(&mut self, since: &mut Option<u64>, now: u64) {
        if !self.walker.last_wait() {
            *since = None;
        } else if now >= *since.get_or_insert(now) + LAST_WAIT {
            self.walker.let_last_in();
            *since = None;
        }
    }

    /// Nothing is under way and nothing more can start.
    pub fn is_over(&self) -> bool {
        self.walker.progress() != Progress::Active && self.planned_around.is_empty()
    }

    pub fn status(&self) -> TransitionStatus {
        let graph = self.walker.graph();
        TransitionStatus {
            id: self.id,
            actions: graph.actions().count(),
            done: graph.actions().filter(|action| self.walker.outcome(action.id).is_some()).count(),
            in_flight: self.walker.in_flight().map(|action| action.key.to_string()).collect(),
            aborted: None,
        }
    }

    /// From now on only what no abort holds back starts.
    pub fn abort(&mut self) {
        self.walker.abort(transition::INFINITY);
    }

    /// Whether instances are still owed the notification of something that was done: the others must learn
    /// of it before a new plan forgets it (rule 4.31.5). Only while nothing else than operations under way
    /// stands before the notification.
    pub fn owes_notifications(&self) -> bool {
        self.walker.graph().synapses.iter().any(|synapse| {
            synapse.priority >= transition::INFINITY
                && &*synapse.action.operation == "notify"
                && self.walker.outcome(synapse.action.id).is_none()
                && self.leads_to(synapse.action.id)
        })
    }

    /// Whether something that leads to this action was done or is under way, and nothing is missing that
    /// an abort holds back.
    fn leads_to(&self, action: u32) -> bool {
        let graph = self.walker.graph();
        let position: BTreeMap<u32, usize> =
            graph.actions().enumerate().map(|(index, action)| (action.id, index)).collect();
        let mut seen = BTreeSet::from([action]);
        let mut next = vec![action];
        let mut begun = self.walker.awaited(action).is_some();
        while let Some(id) = next.pop() {
            let Some(synapse) = position.get(&id).and_then(|index| graph.synapses.get(*index)) else {
                continue;
            };
            for trigger in &synapse.triggers {
                if !seen.insert(trigger.id) {
                    continue;
                }
                match self.walker.outcome(trigger.id) {
                    Some(Outcome::Failed) => return false,
                    Some(Outcome::Done) => begun |= !trigger.is_pseudo() && &*trigger.operation != "notify",
                    None if self.walker.awaited(trigger.id).is_some() => begun = true,
                    None => {
                        let infinite = position
                            .get(&trigger.id)
                            .and_then(|index| graph.synapses.get(*index))
                            .is_some_and(|one| one.priority >= transition::INFINITY);
                        if !trigger.is_pseudo() && !infinite {
                            return false;
                        }
                        next.push(trigger.id);
                    }
                }
            }
        }
        begun
    }

    /// Whether operations on this node are still to be done: a probe may yet find what must be stopped
    /// before the node leaves (its history may have been forgotten a moment ago).
    fn has_work_on(&self, node: &str) -> bool {
        let failed = |trigger: &std::sync::Arc<transition::Head>| {
            self.walker.outcome(trigger.id) == Some(Outcome::Failed)
        };
        self.walker.graph().synapses.iter().any(|synapse| {
            let action = &synapse.action;
            action.work() == Kind::Operation
                && action.interval() == 0
                && action.head.executor().is_some_and(|executor| executor.name.eq_ignore_ascii_case(node))
                && self.walker.outcome(action.id).is_none()
                && !synapse.triggers.iter().any(failed)
        })
    }

    /// Whether the action's resource has an operation under way that the plan does not want. A recurring one holds
    /// up nothing: whatever changes the resource's state ends it (rule 4.10.5).
    fn is_blocked(&self, action: &Action, node: Option<NodeId>) -> bool {
        let Some(primitive) = &action.primitive else { return false };
        let anonymous = is_anonymous(action);
        self.planned_around
            .iter()
            .filter(|key| !key.recurs())
            .any(|key| *key.resource == *primitive.id && (!anonymous || Some(key.node) == node))
    }
}

impl Node {
    /// Hands out all that may start now.
    pub(super) fn advance(&mut self, out: &mut Outbox) {
        let now = self.now.monotonic;
        let Some(coordinator) = &mut self.coordinator else { return };
        let Some(mut runner) = coordinator.runner.take() else { return };
        runner.mind_last(&mut coordinator.last_wait, now);
        let mut work = Vec::new();
        let mut effects = Vec::new();
        let blocked = std::mem::take(&mut runner.blocked);
        for action in blocked {
            self.hand_out(&mut runner, action, &mut work, &mut effects, out);
        }
        let some_busy = self.members.values().any(|member| member.load > Load::None);
        runner.looked_at = some_busy.then_some(now);
        let bounds = self.bounds(&runner);
        let operations = |node: &str| bounds.operations.get(node).copied();
        let limits = Limits {
            batch: bounds.reduced,
            fencing_batch: bounds.batch,
            migrations: bounds.migrations,
            operations: &operations,
        };
        let crowded = runner.crowded(&bounds);
        let of_needy = |node: &str| if crowded.contains(node) { Some(0) } else { operations(node) };
        let needy = Limits { operations: &of_needy, ..limits };
        while let Some(action) = runner.walker.next(&needy) {
            self.hand_out(&mut runner, action, &mut work, &mut effects, out);
        }
        let gathered = !work.is_empty() || runner.gathering_until.is_some_and(|until| until <= now);
        while let Some(action) = gathered.then(|| runner.walker.next(&limits)).flatten() {
            self.hand_out(&mut runner, action, &mut work, &mut effects, out);
        }
        let waits = !crowded.is_empty() && runner.walker.has_next(&limits);
        runner.gathering_until = waits.then(|| runner.gathering_until.unwrap_or(now + GATHERING));
        let first = runner.notice.first && !runner.walker.graph().is_empty();
        if !work.is_empty() || first {
            let plan = PlanNotice { at: self.now.epoch(), ..runner.notice.clone() };
            self.send(Body::Execute { plan: Box::new(plan), work }, out);
            runner.notice.first = false;
            runner.notice.summary.clear();
        }
        self.end_transition(&mut runner, out);
        let leave = runner.leave.filter(|own| runner.walker.in_flight().all(|action| action.id == *own));
        let leave =
            leave.map(|action| (action, PlanNotice { at: self.now.epoch(), ..runner.notice.clone() }));
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.runner = Some(runner);
        }
        let mut forgets = Vec::new();
        for effect in effects {
            self.apply_effect(effect, &mut forgets, out);
        }
        if !forgets.is_empty() {
            self.send(Body::Forget { request: None, what: forgets, at: self.now.epoch() }, out);
        }
        if let Some((action, plan)) = leave
            && self.history.in_flight.is_empty()
            && self.outgoing.is_empty()
        {
            // the others must know that this node leaves as planned
            let work = vec![Work { node: self.config.id, action, task: Task::Shutdown, reason: None }];
            self.send(Body::Execute { plan: Box::new(plan), work }, out);
        }
    }

    /// How much may be under way (rule 4.32). Busy hosts get less, but what is slow does not count against that.
    fn bounds(&self, runner: &Runner) -> Bounds {
        let graph = runner.walker.graph();
        let (slow, slow_by_node) = match runner.looked_at {
            Some(now) => runner.slow(now),
            None => Default::default(),
        };
        let batch = graph.batch_limit.parse::<usize>().ok().filter(|limit| *limit > 0);
        let reduced = match load::batch(batch, self.members.values().map(|member| member.load)) {
            reduced if reduced == batch => batch,
            reduced => reduced.map(|limit| (limit + slow).min(batch.unwrap_or(usize::MAX))),
        };
        let configured = self.options().node_action_limit as usize;
        let of_member = |member: &Member| {
            let is_configured = configured > 0 && !member.own_action_limit;
            let full = if is_configured { configured } else { member.action_limit };
            let slow = slow_by_node.get(&member.name).copied().unwrap_or(0);
            (member.name.clone(), full.min(member.load.operations(full) + slow))
        };
        Bounds {
            batch,
            reduced,
            migrations: graph.migration_limit.and_then(|limit| usize::try_from(limit).ok()),
            operations: self.members.values().map(of_member).collect(),
        }
    }

    /// Has an action done by whom it is for (rule 4.31.2).
    fn hand_out(
        &mut self,
        runner: &mut Runner,
        action: Action,
        work: &mut Vec<Work>,
        effects: &mut Vec<Effect>,
        out: &mut Outbox,
    ) {
        if !action.is_pseudo() {
            runner.begun.entry(action.id).or_insert(self.now.monotonic);
        }
        let executor = action.head.executor().and_then(|node| self.member_id(&node.name));
        let kind = action.work();
        if matches!(kind, Kind::Operation | Kind::Forget) && runner.is_blocked(&action, executor) {
            runner.blocked.push(action);
            return;
        }
        let node_name = action.node.as_ref().map(|node| node.name.to_string()).unwrap_or_default();
        if kind == Kind::Shutdown && runner.has_work_on(&node_name) {
            runner.blocked.push(action);
            return;
        }
        let reason = action.reason.as_ref().map(ToString::to_string);
        let hand = |task: Task, node: NodeId| Work { node, action: action.id, task, reason: reason.clone() };
        let resource =
            action.primitive.as_ref().map(|one| one.id.to_string()).or_else(|| history_name(&action));
        match (kind, executor) {
            (Kind::Nothing, _) if &*action.operation == "stonith" => {
                self.send(Body::GuestFenced { name: node_name, at: self.now.epoch() }, out);
            }
            (Kind::Nothing, _) => {}
            (Kind::Maintenance, _) => runner.finish(action.id, true),
            (Kind::Operation, Some(node)) => {
                let Some(key) = in_flight_key(&action, &|name| self.member_id(name)) else {
                    runner.finish(action.id, false);
                    return;
                };
                let adopted = runner.awaited.get(&key) == Some(&action.id);
                if !adopted {
                    runner.earlier.remove(&key);
                }
                self.set_deadline(runner, &action, Some(key.clone()));
                if !adopted {
                    runner.awaited.insert(key, action.id);
                    let order = Order {
                        awaited: runner.walker.is_waited_for(action.id),
                        ..order(&action, runner.id, &self.config.incarnation)
                    };
                    work.push(hand(Task::Run(Box::new(order)), node));
                }
            }
            (Kind::Cancel, Some(node)) => {
                let (Some(operation), Some(resource)) = (action.cancelled_operation(), resource) else {
                    runner.finish(action.id, false);
                    return;
                };
                let key = format!("{resource}_{operation}_{}", action.interval());
                self.set_deadline(runner, &action, None);
                runner
                    .awaited
                    .insert(InFlightKey { node, resource: resource.clone(), key: key.clone() }, action.id);
                work.push(hand(Task::Cancel { resource, key }, node));
            }
            (Kind::Shutdown, Some(node)) if node == self.config.id => runner.leave = Some(action.id),
            (Kind::Shutdown, Some(node)) => work.push(hand(Task::Shutdown, node)),
            (Kind::Fence, _) => effects.push(Effect::Fence(runner.id, Box::new(action.clone()), node_name)),
            (Kind::Forget | Kind::RemoveHistory, _) => {
                let Some(resource) = resource else { return runner.finish(action.id, false) };
                runner.await_command("forget", &resource, &node_name, action.id);
                effects.push(Effect::Forget(resource, node_name));
            }
            (Kind::ClearFailCount, _) => {
                let Some(resource) = resource else { return runner.finish(action.id, false) };
                runner.await_command("clear", &resource, &node_name, action.id);
                effects.push(Effect::Clear(resource, node_name));
            }
            (Kind::Operation | Kind::Cancel | Kind::Shutdown, None) => {
                let text = format!("{} is planned on a node that is not a member", action.key);
                self.notice(Severity::Error, text, out);
                runner.finish(action.id, false);
            }
        }
        // rule 4.31.6
        if action.no_wait() {
            runner.finish(action.id, true);
        }
    }

    /// Its own timeout and `cluster-delay` (rule 4.31.4), and the delay of what may hold it back (rule 4.10.2).
    fn set_deadline(&self, runner: &mut Runner, action: &Action, key: Option<InFlightKey>) {
        if let Some((at, begun)) = key.as_ref().and_then(|key| runner.earlier.remove(key)) {
            runner.deadlines.insert(action.id, (at, key));
            runner.begun.insert(action.id, begun);
            return;
        }
        let before = key.as_ref().map_or(0, |key| runner.delay_before(key));
        let delay = before.max(action.start_delay());
        let own = u64::from(action.timeout().unwrap_or(0)) + u64::from(delay);
        let at = self.now.monotonic + own + self.options().cluster_delay;
        runner.deadlines.insert(action.id, (at, key));
    }

    /// `forgets`: those to be told together.
    fn apply_effect(&mut self, effect: Effect, forgets: &mut Vec<Forget>, out: &mut Outbox) {
        match effect {
            // limit and delay are the scheduler's and the configuration's (rules 4.53.1, 4.54.3)
            Effect::Fence(transition, action, target) => {
                let number = |name: &str| action.meta(name).and_then(|text| cib::value::parse_interval(text));
                let request = FenceRequest {
                    target,
                    action: action.fence_operation().map_or("reboot", |word| word).to_owned(),
                    timeout: self.options().fencing_timeout,
                    delay: Some(
                        number("priority_fencing_delay").or(number("priority-fencing-delay")).unwrap_or(0),
                    ),
                    tolerance: 0,
                    client: COORDINATOR.to_owned(),
                };
                let reason = action.reason.as_deref().unwrap_or_default().to_owned();
                self.start_fence(request, reason, Waiting::Action(transition, action.id), out);
            }
            Effect::Forget(resource, node) => {
                forgets.push(Forget {
                    resource: Some(resource),
                    node: Some(node),
                    operation: None,
                    interval: None,
                    only_failed: false,
                    by_administrator: false,
                });
            }
            Effect::Clear(resource, node) => {
                self.send(Body::ClearFailures { node, resource, operation: None, interval: 0 }, out);
            }
        }
    }

    /// Tells that the plan has been carried out as far as it can be; what waits for nothing is a bug (rule 4.31.8).
    fn end_transition(&mut self, runner: &mut Runner, out: &mut Outbox) {
        let progress = runner.walker.progress();
        if runner.ended || progress == Progress::Active || runner.walker.graph().is_empty() {
            return;
        }
        runner.ended = true;
        let incomplete = runner.walker.waiting().count();
        if progress == Progress::Stuck {
            let text = format!(
                "transition {} cannot be completed: {incomplete} actions wait for nothing",
                runner.id
            );
            self.notice(Severity::Error, text, out);
        }
        let kind = EventKind::TransitionDone {
            transition: runner.id,
            complete: progress == Progress::Complete,
            incomplete_actions: incomplete,
        };
        let causes = Vec::from_iter(self.journal.plan);
        self.event(kind, None, causes, out);
    }
}

/// How much may be under way at once.
struct Bounds {
    /// `batch-limit`.
    batch: Option<usize>,
    /// The same, less while a host is busy.
    reduced: Option<usize>,
    migrations: Option<usize>,
    operations: BTreeMap<String, usize>,
}

/// What an action makes the DC do beside handing out work.
#[derive(Debug)]
enum Effect {
    Fence(u64, Box<Action>, String),
    Forget(String, String),
    Clear(String, String),
}

/// The order for a planned operation, with the exit code that the plan expects of it (rule 4.3.5).
pub fn order(action: &Action, transition: u64, incarnation: &str) -> Order {
    let primitive = action.primitive.as_ref();
    let text = |value: Option<&transition::Name>| value.map(ToString::to_string);
    let pairs = action.attributes.iter().chain(&action.numbered);
    let expected = action.expected_status();
    Order {
        resource: primitive.map(|one| one.id.to_string()).unwrap_or_default(),
        agent: AgentName {
            class: primitive.and_then(|one| text(one.class.as_ref())).unwrap_or_default(),
            provider: primitive.and_then(|one| text(one.provider.as_ref())),
            agent_type: primitive.and_then(|one| text(one.kind.as_ref())).unwrap_or_default(),
        },
        operation: action.operation.to_string(),
        key: executor_key(action),
        interval: u64::from(action.interval()),
        timeout: time_limit(action.timeout(), action.interval()),
        start_delay: u64::from(action.start_delay()),
        parameters: pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        expected,
        transition_key: format!("{}:{transition}:{expected}:{incarnation}", action.id),
        feature_set: action
            .attribute("crm_feature_set")
            .map_or_else(|| FEATURE_SET.to_owned(), ToString::to_string),
        on_node: action.node.as_ref().map(|node| node.name.to_string()).unwrap_or_default(),
        container: text(action.meta("container")),
        shutdown_lock: action.shutdown_lock,
        anonymous: is_anonymous(action),
        awaited: true,
    }
}

/// An operation's time limit; one that has none, or 0, has its interval (rule 4.10.8). All in milliseconds.
fn time_limit(own: Option<u32>, interval: u32) -> u64 {
    let given = [own.unwrap_or(0), interval].into_iter().find(|limit| *limit > 0);
    given.map_or(WITHOUT_LIMIT, u64::from)
}

/// An instance of a clone whose copies are interchangeable.
fn is_anonymous(action: &Action) -> bool {
    action.meta("clone").is_some()
        && action.meta("globally_unique").is_none_or(|text| !cib::value::is_true(Some(text)))
}

/// The resource in the key of an action without primitive (`RSC_clear_failcount_0`).
fn history_name(action: &Action) -> Option<String> {
    let suffix = format!("_{}_{}", action.operation, action.interval());
    let from_key = action.key.strip_suffix(suffix.as_str()).map(str::to_owned);
    from_key.or_else(|| action.instance.as_ref().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_4_10_8_an_operation_without_time_limit_has_its_interval() {
        assert_eq!(time_limit(Some(5), 10), 5);
        assert_eq!([time_limit(Some(0), 10), time_limit(None, 10)], [10, 10]);
        assert_eq!(time_limit(Some(0), 0), WITHOUT_LIMIT);
    }
}
