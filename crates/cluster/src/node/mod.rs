//! The node: one state, one entry point. This file has the state, the dispatch and the sending; the parts
//! of its work are in the modules below.

mod clients;
mod commands;
mod coordination;
mod fenced;
mod fences;
mod joining;
mod runner;
mod strangers;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::alerts::{Alerts, Occasion};
use crate::attributes::Attributes;
use crate::config::{Config, Restored};
use crate::event::{Event, EventId, EventKind, Severity};
use crate::executor::{Executor, Finished};
use crate::fencing::FenceHistory;
use crate::fencing::devices::Devices;
use crate::fencing::executor::FenceExecutor;
use crate::fencing::inquiry::Inquiries;
use crate::fencing::owner::{Operation as FenceOperation, Waiting};
use crate::fencing::registry::Registry;
use crate::history::{History, InFlightKey};
use crate::interface::{CibWriteError, Input, Outbox, Output, Speech};
use crate::join::{Decision, Hello};
use crate::load::{Load, Sample};
use crate::membership::{NodeId, View, ViewId};
use crate::message::{Body, Message, PROTOCOL, ResultMessage};
use crate::operation::ExecutionStatus;
use crate::planner::Planner;
use crate::replica::Replica;
use crate::request::{Phase, RequestId};
use crate::time::Now;
use coordination::Coordinator;

/// Most commands that may wait while a join round is under way; further client requests are refused.
const MOST_WAITING: usize = 1024;

/// How long results that nothing waits for, and orders to nodes that have enough to do, wait at most for others to be
/// told with, in milliseconds.
const GATHERING: u64 = 10;

/// How many events are remembered as possible reasons of plans.
const REASONS_KEPT: usize = 256;

/// A cluster node. See the crate documentation for the calling discipline.
#[derive(Debug)]
pub struct Node {
    config: Config,
    planner: Box<dyn Planner>,
    now: Now,
    /// Milliseconds since the epoch of the first step; nothing before it.
    started: Option<i64>,
    phase: Phase,

    view: View,
    /// Join round within the view.
    round: u32,
    hellos: BTreeMap<NodeId, Hello>,
    /// Members without which the round goes on.
    silent: Vec<NodeId>,
    round_deadline: Option<u64>,
    /// Hosts that were fenced and that the membership still counts, as members or as hosts (rule 4.57.6).
    fenced: BTreeSet<NodeId>,
    /// When the round goes on without those of them that say nothing.
    fenced_deadline: Option<u64>,
    /// Hosts from which something came that cannot be read, with the view in which it came last.
    strangers: BTreeMap<NodeId, (ViewId, Speech)>,
    /// When it is decided who goes on without whom.
    stranger_deadline: Option<u64>,
    /// The round is decided, but the winner's CIB is still on its way.
    awaiting_copy: Option<Decision>,
    /// No round has been completed yet.
    fresh: bool,

    /// Accepted members of the last completed round.
    members: BTreeMap<NodeId, Member>,
    /// The latest known run of each node, lost ones included.
    incarnations: BTreeMap<NodeId, String>,
    dc: Option<NodeId>,
    /// Quorum in the last completed round.
    was_quorate: bool,
    had_quorum: bool,
    /// Epoch seconds of the wish to leave.
    shutting_down: Option<i64>,
    escalate_at: Option<u64>,

    replica: Replica,
    cib_file: CibFile,
    attributes: Attributes,
    /// When dampened attributes are to be written.
    flush_at: BTreeMap<String, u64>,
    history: History,
    executor: Executor,
    /// Fence devices and levels that only this node has.
    registry: Registry,
    /// Configured and registered ones.
    devices: Devices,
    alerts: Alerts,
    fence_history: FenceHistory,
    fence_executor: FenceExecutor,
    /// What this node's devices are being asked.
    inquiries: Inquiries,
    /// What is wrong with the configuration of fencing, as said already.
    fence_warnings: Vec<String>,
    /// The configuration of fencing changed since it was last looked at as a whole.
    fencing_unchecked: bool,
    /// Fencing operations this node owns.
    fences: BTreeMap<String, FenceOperation>,
    /// Who waits here for operations that others own.
    fence_waiting: BTreeMap<String, Vec<Waiting>>,
    fence_count: u64,
    coordinator: Option<Coordinator>,
    /// Number of the next transition.
    next_transition: u64,

    /// Sent, and not yet delivered here.
    outgoing: VecDeque<Body>,
    /// Results that nothing waits for, to be told together, and when they are told at the latest.
    untold: Vec<ResultMessage>,
    untold_until: Option<u64>,
    /// To be sent when the join round is over.
    unsent: VecDeque<Body>,
    settled: bool,
    settle_waiters: Vec<RequestId>,
    journal: Journal,
    notices: Vec<String>,
    /// Why the stored CIB must be left alone, if so.
    unusable: Option<String>,
    /// What this host measured last, and what it told of it.
    sample: Option<Sample>,
    load: Load,
}

/// An accepted member.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: String,
    feature_set: String,
    action_limit: usize,
    own_action_limit: bool,
    load: Load,
}

/// Numbers of events, and which led to what.
#[derive(Debug, Default)]
struct Journal {
    last: u64,
    /// The event that stands for the hand-out of each operation under way.
    starts: BTreeMap<InFlightKey, EventId>,
    /// The event of the current plan.
    plan: Option<EventId>,
    view: Option<EventId>,
    /// What lately happened that may be a reason to plan, with its event: bounded, oldest first.
    reasons: VecDeque<(String, EventId)>,
}

impl Journal {
    /// Remembers an event as a possible reason of a plan.
    fn note_reason(&mut self, what: &str, event: EventId) {
        self.reasons.push_back((what.to_owned(), event));
        if self.reasons.len() > REASONS_KEPT {
            self.reasons.pop_front();
        }
    }

    /// The events behind the reasons of a plan, oldest first.
    fn take_reasons(&mut self, because: &[String]) -> Vec<EventId> {
        let mut causes = Vec::new();
        self.reasons.retain(|(what, event)| {
            let is_cause = because.contains(what);
            if is_cause {
                causes.push(*event);
            }
            !is_cause
        });
        causes
    }
}

/// What is on disk.
#[derive(Debug, Default)]
struct CibFile {
    serial: u64,
    /// A write is under way.
    writing: bool,
    /// The replica has changed since the last write was asked for.
    stale: bool,
    /// Somebody edited the file: it is never written again in this run (rule 4.23.8).
    disabled: bool,
    /// The last write failed: when the next is tried.
    retry_at: Option<u64>,
}

/// Milliseconds after which a configuration that could not be written is written again.
const WRITE_AGAIN_AFTER: u64 = 10_000;

impl Node {
    /// A node that has not seen a view yet. It does nothing before the first step.
    #[must_use]
    pub fn new(config: Config, restored: Restored, planner: Box<dyn Planner>) -> Node {
        let unusable = restored.cib.as_deref().and_then(Replica::unknown_schema);
        let (replica, mut problems) = Replica::load(restored.cib.as_deref());
        let mut notices = restored.notices;
        notices.append(&mut problems);
        Node {
            executor: Executor::new(&config.name, restored.leftovers),
            fence_executor: FenceExecutor::new(config.seed),
            config,
            planner,
            now: Now::default(),
            started: None,
            phase: Phase::Starting,
            view: View::default(),
            round: 0,
            hellos: BTreeMap::new(),
            silent: Vec::new(),
            round_deadline: None,
            fenced: BTreeSet::new(),
            fenced_deadline: None,
            strangers: BTreeMap::new(),
            stranger_deadline: None,
            awaiting_copy: None,
            fresh: true,
            members: BTreeMap::new(),
            incarnations: BTreeMap::new(),
            dc: None,
            was_quorate: false,
            had_quorum: false,
            shutting_down: None,
            escalate_at: None,
            replica,
            cib_file: CibFile::default(),
            attributes: Attributes::default(),
            flush_at: BTreeMap::new(),
            history: History::default(),
            registry: Registry::default(),
            devices: Devices::default(),
            alerts: Alerts::default(),
            fence_history: FenceHistory::default(),
            inquiries: Inquiries::default(),
            fence_warnings: Vec::new(),
            fencing_unchecked: true,
            fences: BTreeMap::new(),
            fence_waiting: BTreeMap::new(),
            fence_count: 0,
            coordinator: None,
            next_transition: 0,
            outgoing: VecDeque::new(),
            untold: Vec::new(),
            untold_until: None,
            unsent: VecDeque::new(),
            settled: false,
            settle_waiters: Vec::new(),
            journal: Journal::default(),
            notices,
            unusable,
            sample: None,
            load: Load::None,
        }
    }

    /// Takes one input and appends what is to be done. `now.monotonic` must not decrease from step to step.
    pub fn step(&mut self, now: Now, input: Input, outbox: &mut Outbox) {
        self.step_all(now, [input], outbox);
    }

    /// Takes inputs that were waiting together, in this order, as one step: what follows from all of them
    /// (work to hand out, a new plan) is thought of once.
    pub fn step_all(&mut self, now: Now, inputs: impl IntoIterator<Item = Input>, outbox: &mut Outbox) {
        self.now = now;
        for input in inputs {
            if self.phase == Phase::Ended {
                return;
            }
            if self.started.is_none() {
                self.begin(outbox);
            }
            if let Some(reason) = self.unusable.take() {
                self.end(100, &reason, outbox);
                return;
            }
            self.take(input, outbox);
        }
        self.check_fencing_configuration(outbox);
        self.check_deadlines(outbox);
        self.tell_load(outbox);
        self.tell_gathered(outbox);
        self.coordinate(outbox);
        self.write_cib(outbox);
    }

    fn take(&mut self, input: Input, outbox: &mut Outbox) {
        let now = self.now;
        if !leaves_status_alone(&input) {
            self.catch_up();
        }
        match input {
            Input::View(view) => self.on_view(view, outbox),
            Input::Message(message) => self.on_message(message, outbox),
            Input::Unreadable { from, speaks } => self.on_unreadable(from, speaks, outbox),
            Input::Request { id, request } => self.on_request(id, request, outbox),
            Input::OperationDone(result) => {
                let finished = self.executor.done(result, now, outbox);
                self.tell_results(finished);
            }
            Input::FenceDone(result) => self.on_fence_run_done(result, outbox),
            Input::Metadata { id, metadata } => {
                let finished = self.executor.metadata(id, metadata, now);
                self.tell_results(finished);
                self.fence_executor.metadata(&mut self.executor, now, outbox);
                self.continue_inquiries(outbox);
            }
            Input::CibWritten { serial, error } => self.on_cib_written(serial, error, outbox),
            Input::Load(sample) => self.sample = Some(sample),
            Input::Deadline => {}
            Input::Shutdown { escalate } => self.on_shutdown(escalate, outbox),
            Input::MessagingLost { reason } => self.end(1, &format!("messaging lost: {reason}"), outbox),
        }
    }

    /// The monotonic millisecond at which [`Input::Deadline`] is wanted, if at all.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        if self.phase == Phase::Ended {
            return None;
        }
        let is_dc = self.coordinator.is_some();
        let fences =
            self.fences.values().map(FenceOperation::next_deadline).min().filter(|_| self.may_fence());
        let flush = if is_dc { self.flush_at.values().min().copied() } else { None };
        [
            self.round_deadline,
            self.fenced_deadline,
            self.stranger_deadline,
            self.escalate_at,
            self.untold_until,
            self.cib_file.retry_at.filter(|_| !self.cib_file.writing),
            self.executor.next_deadline(),
            self.fence_executor.next_deadline(),
            fences,
            self.coordinator.as_ref().and_then(|coordinator| coordinator.next_deadline()),
            flush,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The CIB as this node has it, as XML text: for tests, the simulator and local readers.
    #[must_use]
    pub fn cib_text(&self) -> String {
        self.shown_replica().text()
    }

    /// The same in typed form.
    #[must_use]
    pub fn cib(&self) -> cib::Cib {
        cib::Cib::clone(&self.shown_replica().typed())
    }

    /// Version and digest of the replica.
    #[must_use]
    pub fn cib_version(&self) -> (crate::replica::Version, String) {
        (self.replica.version(), self.shown_replica().digest())
    }

    fn shown_replica(&self) -> Cow<'_, Replica> {
        let mut replica = Cow::Borrowed(&self.replica);
        if !replica.is_up_to_date() {
            replica.to_mut().catch_up(&self.history);
        }
        replica
    }

    /// Has the status show all that is known, for whoever is about to look at it.
    fn catch_up(&mut self) {
        self.replica.catch_up(&self.history);
    }

    /// Where this node is in its life.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The name of the DC, if there is one.
    #[must_use]
    pub fn dc(&self) -> Option<&str> {
        self.dc.and_then(|dc| self.members.get(&dc)).map(|member| member.name.as_str())
    }

    /// Whether this host may live: the others may take it for dead after a while when watchdog fencing applies
    /// to it and its partition lost quorum (rule 4.60.3).
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let property = self.options().fencing_watchdog_timeout;
        let applies = crate::fencing::watchdog::wait(property, self.config.watchdog_bound).is_some()
            && self.devices.watchdog_applies_to(&self.config.name);
        !applies || self.view.quorate || !self.had_quorum
    }

    /// Whether the last plan was carried out and nothing has happened since.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    fn begin(&mut self, out: &mut Outbox) {
        self.started = Some(self.now.epoch_ms);
        for text in std::mem::take(&mut self.notices) {
            self.notice(Severity::Warning, text, out);
        }
        self.executor.begin(self.now, out);
        self.use_configuration();
    }

    fn is_joined(&self) -> bool {
        matches!(self.phase, Phase::Joined | Phase::ShuttingDown)
    }

    /// Whether it takes part in fencing: it does so during join rounds too, which a manager that hangs may hold
    /// up (rule 4.50.3), but not before it has been in the cluster once and has its configuration.
    fn may_fence(&self) -> bool {
        self.is_joined() || self.phase == Phase::Joining && !self.fresh
    }

    fn is_dc(&self) -> bool {
        self.dc == Some(self.config.id)
    }

    /// Name of a member.
    fn name_of(&self, id: NodeId) -> String {
        self.members.get(&id).map_or_else(|| id.to_string(), |member| member.name.clone())
    }

    /// Id of a member by its name.
    fn member_id(&self, name: &str) -> Option<NodeId> {
        self.members.iter().find(|(_, member)| member.name.eq_ignore_ascii_case(name)).map(|(id, _)| *id)
    }

    /// Takes a message unless it is void: of another view or round, or of who is no member (rule 4.20.5).
    fn on_message(&mut self, message: Message, out: &mut Outbox) {
        let valid = message.protocol == PROTOCOL
            && message.view == self.view.id
            // who was fenced may still be in a round that the others have left without it
            && (message.round == self.round || matches!(message.body, Body::FenceSurvived { .. }))
            && self.view.members.contains(&message.from);
        if !valid {
            return;
        }
        // a replayed one takes no other's place
        if message.from == self.config.id && self.outgoing.front() == Some(&message.body) {
            self.outgoing.pop_front();
        }
        self.deliver(message.from, message.body, out);
    }

    /// Sends when possible: now, or after the join round.
    fn send(&mut self, body: Body, out: &mut Outbox) {
        if !matches!(body, Body::Execute { .. }) {
            self.tell_untold(out);
        }
        if self.is_joined() || self.phase == Phase::Joining && body.goes_on_in_rounds() {
            self.outgoing.push_back(body.clone());
            self.broadcast(body, out);
        } else {
            self.unsent.push_back(body);
        }
    }

    fn broadcast(&mut self, body: Body, out: &mut Outbox) {
        let message = Message {
            protocol: PROTOCOL,
            stands: self.stands(),
            from: self.config.id,
            view: self.view.id,
            round: self.round,
            body,
        };
        out.push(Output::Broadcast(message));
    }

    fn event(
        &mut self,
        kind: EventKind,
        why: Option<String>,
        causes: Vec<EventId>,
        out: &mut Outbox,
    ) -> EventId {
        self.journal.last += 1;
        let id = EventId(self.journal.last);
        out.push(Output::Event(Event { id, at: self.now.epoch_ms, kind, why, causes }));
        id
    }

    /// Has the alert agents run that want to know of it.
    fn alert(&mut self, occasion: &Occasion<'_>, out: &mut Outbox) {
        let runs = self.alerts.runs(occasion, self.now.epoch_ms);
        out.extend(runs.into_iter().map(Output::Alert));
    }

    fn notice(&mut self, severity: Severity, text: String, out: &mut Outbox) -> EventId {
        self.event(EventKind::Notice { severity, text }, None, Vec::new(), out)
    }

    /// Ends this node: code 0 for good, 100 to stay down.
    fn end(&mut self, code: i32, reason: &str, out: &mut Outbox) {
        self.event(EventKind::Ended { reason: reason.to_owned() }, None, Vec::new(), out);
        out.push(Output::Leave { code, reason: reason.to_owned() });
        self.phase = Phase::Ended;
        self.coordinator = None;
    }

    /// Has everybody told what became of operations: at the end of this step, or a little later.
    fn tell_results(&mut self, finished: Vec<Finished>) {
        for Finished { order, entry, repeated } in finished {
            let urgent =
                order.awaited || repeated || entry.status != ExecutionStatus::Done || entry.is_failure();
            let until = if urgent { 0 } else { self.now.monotonic + GATHERING };
            self.untold_until = Some(self.untold_until.map_or(until, |earlier| earlier.min(until)));
            self.untold.push(ResultMessage {
                node: self.config.id,
                recorded: order.is_recorded() && entry.status != ExecutionStatus::Refused,
                on_fail: order.meta("on_fail").map(str::to_owned),
                resource: order.resource.clone(),
                agent: order.agent.clone(),
                container: order.container.clone(),
                shutdown_lock: order.shutdown_lock,
                entry,
                repeated,
            });
        }
    }

    /// Tells results that something waits for, or that have waited for others long enough; and all, unless this host
    /// goes on with more operations than it has cores: it must not run out of them.
    fn tell_gathered(&mut self, out: &mut Outbox) {
        let Some(until) = self.untold_until else { return };
        let left = self.history.pending_on(self.config.id).count().saturating_sub(self.untold.len());
        if until <= self.now.monotonic || left <= self.config.cores as usize {
            self.tell_untold(out);
        }
    }

    /// Tells all results there are.
    fn tell_untold(&mut self, out: &mut Outbox) {
        self.untold_until = None;
        let results = std::mem::take(&mut self.untold);
        if !results.is_empty() {
            self.send(Body::Results(results), out);
        }
    }

    fn check_deadlines(&mut self, out: &mut Outbox) {
        if self.phase == Phase::Ended {
            return;
        }
        let now = self.now.monotonic;
        let finished = self.executor.deadline(self.now, out);
        self.tell_results(finished);
        self.fence_executor.deadline(&mut self.executor, self.now, out);
        self.check_fences(out);
        if self.round_deadline.is_some_and(|at| at <= now) {
            self.round_deadline = None;
            self.proceed_without_silent(out);
        }
        if self.fenced_deadline.is_some_and(|at| at <= now) {
            self.fenced_deadline = None;
            let fenced = self.fenced.iter().copied().collect();
            self.proceed_without(fenced, out);
        }
        if self.stranger_deadline.is_some_and(|at| at <= now) {
            self.stranger_deadline = None;
            self.judge_strangers(out);
        }
        if self.escalate_at.is_some_and(|at| at <= now) {
            self.end(0, "the shutdown took too long: leaving with resources running", out);
        }
        if self.coordinator.is_some() && self.is_joined() {
            let names: Vec<String> =
                self.flush_at.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
            if !names.is_empty() {
                names.iter().for_each(|name| {
                    self.flush_at.remove(name);
                });
                self.send(Body::FlushAttributes { names }, out);
            }
        }
    }

    /// All learn how busy this host is, as soon as that changes.
    fn tell_load(&mut self, out: &mut Outbox) {
        // during a round its word is void, and its part in the round is said
        let Some(sample) = self.sample.filter(|_| self.phase != Phase::Joining) else { return };
        let load = sample.load(self.config.cores, self.options().load_threshold);
        if load == self.load || self.phase == Phase::Ended {
            return;
        }
        self.load = load;
        let text = match load {
            Load::None => "this host is not busy any more".to_owned(),
            _ => format!("this host is busy ({load:?} load): it is given less at once (see load-threshold)"),
        };
        self.notice(Severity::Info, text, out);
        // who is not in the cluster says so when it joins
        if self.is_joined() {
            self.send(Body::Load(load), out);
        }
    }

    fn on_shutdown(&mut self, escalate: bool, out: &mut Outbox) {
        if escalate || self.fresh {
            let reason = if escalate { "told to leave at once" } else { "told to leave before joining" };
            self.end(0, reason, out);
            return;
        }
        if self.shutting_down.is_none() {
            self.shutting_down = Some(self.now.epoch());
            if self.phase == Phase::Joined {
                self.phase = Phase::ShuttingDown;
            }
            self.escalate_at = Some(self.now.monotonic + self.options().shutdown_escalation);
            self.send(Body::ShutdownRequested { node: self.config.id, at: self.now.epoch() }, out);
        }
    }

    /// Asks for the configuration to be made durable if it has changed and no write is under way.
    fn write_cib(&mut self, out: &mut Outbox) {
        let file = &mut self.cib_file;
        if !file.stale || file.writing || file.disabled || self.phase == Phase::Ended {
            return;
        }
        if file.retry_at.is_some_and(|at| at > self.now.monotonic) {
            return;
        }
        file.stale = false;
        file.writing = true;
        file.serial += 1;
        let (text, digest) = self.replica.file_text();
        out.push(Output::WriteCib { serial: file.serial, text, digest });
    }

    fn on_cib_written(&mut self, serial: u64, error: Option<CibWriteError>, out: &mut Outbox) {
        if serial != self.cib_file.serial {
            return;
        }
        self.cib_file.writing = false;
        let failed_before = self.cib_file.retry_at.take().is_some();
        match error {
            None if failed_before => {
                self.notice(Severity::Info, "the CIB is written to disk again".to_owned(), out);
            }
            None => {}
            Some(CibWriteError::Edited(error)) => {
                self.cib_file.disabled = true;
                let text = format!("the CIB is not written to disk any more: {error}");
                self.notice(Severity::Error, text, out);
            }
            Some(CibWriteError::Failed(error)) => {
                self.cib_file.stale = true;
                self.cib_file.retry_at = Some(self.now.monotonic + WRITE_AGAIN_AFTER);
                if !failed_before {
                    let text = format!(
                        "the CIB cannot be written to disk: {error}; repair the cause. It is tried again every \
                         {} s; the cluster goes on with what it has in memory",
                        WRITE_AGAIN_AFTER / 1000
                    );
                    self.notice(Severity::Error, text, out);
                }
            }
        }
    }

    /// Cluster options in force now.
    fn options(&self) -> &cib::options::ClusterOptions {
        self.replica.options(self.now.local())
    }

    /// The configuration changed: what is kept of it in another form is made anew.
    fn use_configuration(&mut self) {
        self.alerts = self.replica.alerts(std::mem::take(&mut self.alerts), self.now.local());
        self.registry.configure(self.replica.devices(self.now.local()));
        self.use_devices();
    }

    /// The configuration of devices changed, or what is registered beside it.
    fn use_devices(&mut self) {
        self.devices = self.registry.effective();
        self.inquiries.devices_changed();
        self.fencing_unchecked = true;
    }
}

/// What comes by the hundred while much is going on, and does not look at the status in the CIB: that may go on
/// showing something older meanwhile.
fn leaves_status_alone(input: &Input) -> bool {
    match input {
        Input::OperationDone(_)
        | Input::Metadata { .. }
        | Input::CibWritten { .. }
        | Input::Load(_)
        | Input::Deadline => true,
        Input::Message(message) => {
            matches!(message.body, Body::Execute { .. } | Body::Results(_) | Body::Cancelled { .. })
        }
        _ => false,
    }
}
