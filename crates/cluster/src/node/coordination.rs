//! What only the DC does: noticing that a new plan is needed, making it, counting failures, saying when
//! there is nothing more to do (rules 4.21.1, 4.25, 4.30, 4.33).

use super::Node;
use super::joining::modify;
use super::runner::{LAST_WAIT, Resolution, Runner};
use crate::event::{EventId, Severity};
use crate::history::{Entry, InFlightKey};
use crate::interface::{Outbox, Output};
use crate::membership::NodeId;
use crate::message::{Body, Forget, ResultMessage};
use crate::operation::ExecutionStatus;
use crate::planner::{Planned, in_flight_key, view_for_planner};
use crate::replica::Version;
use crate::request::{AttributeUpdate, TransitionStatus};
use crate::text::Fragment;

/// How long a gain of quorum waits for more nodes, in milliseconds (rule 4.20.4).
const QUORUM_DELAY: u64 = 5000;

/// At least so long until a planned recheck, in milliseconds (rule 4.25.2).
const SHORTEST_RECHECK: u64 = 500;

/// At least so long between two comparisons of replicas by digest, in milliseconds: it takes every node a pass
/// over its whole document.
const BETWEEN_COMPARISONS: u64 = 1000;

/// How often a plan is made anew around operations it does not want any more.
const MOST_ATTEMPTS: usize = 4;

/// What the DC keeps beside what every node has.
#[derive(Debug, Default)]
pub struct Coordinator {
    /// No plan before this moment: nodes may still be starting, or quorum was just gained.
    hold_until: Option<u64>,
    /// `transition-delay` after the last trigger (rule 4.25.3).
    delay_until: Option<u64>,
    recheck_at: Option<u64>,
    /// Why a plan is needed; empty if none is.
    triggers: Vec<String>,
    pub(super) runner: Option<Runner>,
    /// Since when something waits for others that may start as well and come first.
    pub(super) last_wait: Option<u64>,
    /// The replica when the last announcement of rest was delivered.
    pub(super) checked: Option<(Version, Option<String>)>,
    /// The replica for which rest was announced.
    announced: Option<Version>,
    /// When all members last compared their replicas by digest.
    compared_at: Option<u64>,
    /// When they are to do so again, at rest.
    compare_at: Option<u64>,
}

impl Coordinator {
    /// A DC that has planned nothing yet.
    pub fn new(hold_until: Option<u64>) -> Coordinator {
        Coordinator { hold_until, ..Coordinator::default() }
    }

    /// When [`Node::coordinate`] has something to do without an input.
    pub fn next_deadline(&self) -> Option<u64> {
        let runner = self.runner.as_ref().and_then(Runner::next_deadline);
        // where a new plan is due, what may start is looked at anyway
        let own = match &self.runner {
            _ if !self.triggers.is_empty() => [self.hold_until, self.delay_until],
            Some(runner) => [runner.gathering_until, self.last_wait.map(|since| since + LAST_WAIT)],
            None => [None, None],
        };
        [self.recheck_at, self.compare_at, runner, own[0], own[1]].into_iter().flatten().min()
    }
}

impl Node {
    pub(super) fn coordinator_mut(&mut self, change: impl FnOnce(&mut Coordinator)) {
        if let Some(coordinator) = &mut self.coordinator {
            change(coordinator);
        }
    }

    /// Something happened that may change what should be done (rule 4.33.2). What is under way goes on (rule 4.33.1).
    pub(super) fn trigger(&mut self, what: &str, cause: Option<EventId>) {
        if let Some(event) = cause {
            self.journal.note_reason(what, event);
        }
        if self.coordinator.is_none() {
            return;
        }
        let delay = self.options().transition_delay;
        let now = self.now.monotonic;
        self.settled = false;
        self.coordinator_mut(|coordinator| {
            if !coordinator.triggers.iter().any(|known| known == what) {
                coordinator.triggers.push(what.to_owned());
            }
            coordinator.delay_until = (delay > 0).then_some(now + delay);
        });
    }

    /// The DC's turn at the end of each step.
    pub(super) fn coordinate(&mut self, out: &mut Outbox) {
        if !self.is_joined() || self.coordinator.is_none() {
            return;
        }
        self.check_coordination_deadlines(out);
        if self.owes_notifications() {
            self.coordinator_mut(|coordinator| {
                if let Some(runner) = &mut coordinator.runner {
                    runner.abort();
                }
            });
            self.advance(out);
        }
        let Some(coordinator) = &self.coordinator else { return };
        if coordinator.triggers.is_empty() {
            self.advance(out);
            self.announce_rest(out);
        } else if self.may_plan() && !self.owes_notifications() {
            // also when what was owed turned out to concern nobody a moment ago: nothing else may ever happen
            self.catch_up();
            self.plan(out);
            self.advance(out);
            self.announce_rest(out);
        }
    }

    /// Whether a new plan is wanted, and the one that is carried out has to tell instances of something first.
    fn owes_notifications(&self) -> bool {
        self.coordinator.as_ref().is_some_and(|coordinator| {
            !coordinator.triggers.is_empty()
                && coordinator.runner.as_ref().is_some_and(Runner::owes_notifications)
        })
    }

    fn check_coordination_deadlines(&mut self, out: &mut Outbox) {
        let now = self.now.monotonic;
        let overdue = self.coordinator.as_mut().and_then(|coordinator| coordinator.runner.as_mut());
        let overdue = overdue.map(|runner| runner.take_overdue(now)).unwrap_or_default();
        for (action, key) in overdue {
            self.on_action_overdue(action, key, out);
        }
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        let Some(coordinator) = &mut self.coordinator else { return };
        if due(coordinator.hold_until) {
            coordinator.hold_until = None;
        }
        if due(coordinator.delay_until) {
            coordinator.delay_until = None;
        }
        if due(coordinator.compare_at) {
            coordinator.compare_at = None;
            coordinator.announced = None;
        }
        if due(coordinator.recheck_at) {
            coordinator.recheck_at = None;
            self.trigger("time passed", None);
        }
    }

    /// An action took longer than it may: it failed, on the target's behalf (rule 4.31.4).
    fn on_action_overdue(&mut self, action: Option<u32>, key: Option<InFlightKey>, out: &mut Outbox) {
        let operation = key.as_ref().and_then(|key| self.history.in_flight.get(key));
        if let (Some(key), Some(operation)) = (&key, operation) {
            let entry = Entry {
                status: ExecutionStatus::TimedOut,
                exit_code: 1,
                exit_reason: "no result from the node within the timeout and cluster-delay".to_owned(),
                ..operation.entry.clone()
            };
            let message = ResultMessage {
                node: key.node,
                resource: key.resource.clone(),
                agent: operation.agent.clone(),
                container: None,
                shutdown_lock: None,
                entry,
                recorded: operation.recorded,
                repeated: false,
                on_fail: None,
            };
            self.send(Body::Results(vec![message]), out);
        } else if let Some(action) = action {
            self.coordinator_mut(|coordinator| {
                if let Some(runner) = &mut coordinator.runner {
                    runner.finish(action, false);
                }
            });
            self.trigger("an action took too long", None);
        }
    }

    /// Only on a consistent CIB (rule 4.25.1): own changes have been delivered, and nothing says to wait. Work that was
    /// handed out counts as under way only once it has been delivered, so a plan made before that would not
    /// know of it, and could start a resource a second time elsewhere.
    fn may_plan(&self) -> bool {
        let Some(coordinator) = &self.coordinator else { return false };
        let harmless = |body: &Body| {
            matches!(
                body,
                Body::Settled { .. }
                    | Body::Load(_)
                    | Body::FenceStarted { .. }
                    | Body::FenceOffer { .. }
                    | Body::FenceExecute(_)
            )
        };
        coordinator.hold_until.is_none()
            && coordinator.delay_until.is_none()
            && self.outgoing.iter().all(harmless)
    }

    fn plan(&mut self, out: &mut Outbox) {
        let (planned, assumed) = self.plan_around_operations();
        let Some(coordinator) = &mut self.coordinator else { return };
        let because = std::mem::take(&mut coordinator.triggers);
        coordinator.recheck_at = None;
        if !planned.violations.is_empty() {
            let text = format!(
                "the plan would break an invariant and is not carried out: {}. Please report this with the saved input.",
                planned.violations.join("; ")
            );
            self.save_plan_input(Severity::Error, out);
            self.notice(Severity::Error, text, out);
            self.coordinator_mut(|coordinator| coordinator.runner = None);
            return;
        }
        self.set_recheck(&planned);
        self.next_transition += 1;
        let transition = self.next_transition;
        if !planned.graph.is_empty() {
            self.save_plan_input(planned.severity.unwrap_or(Severity::Info), out);
        }
        let adopted = self.operations_wanted(&planned);
        self.coordinator_mut(|coordinator| {
            let earlier = coordinator.runner.take().map(Runner::into_earlier).unwrap_or_default();
            coordinator.runner = Some(Runner::new(transition, &planned, because, adopted, assumed, earlier));
        });
    }

    /// Plans as if operations under way had not begun; what the plan does not want is planned around.
    fn plan_around_operations(&mut self) -> (Planned, Vec<InFlightKey>) {
        let present = self.replica.typed();
        let mut assumed: Vec<InFlightKey> = Vec::new();
        loop {
            let mut cib = cib::Cib::clone(&present);
            cib.root.no_quorum_panic = self.had_quorum && !self.view.quorate;
            view_for_planner(&mut cib, &self.history, &assumed);
            let planned = self.planner.plan(&cib, self.now.local());
            let wanted = self.operations_wanted(&planned);
            let unwanted =
                |key: &&InFlightKey| !assumed.contains(*key) && !wanted.iter().any(|(one, _)| one == *key);
            let more: Vec<InFlightKey> = self.history.in_flight.keys().filter(unwanted).cloned().collect();
            if more.is_empty() || assumed.len() > MOST_ATTEMPTS * self.history.in_flight.len() {
                return (planned, assumed);
            }
            assumed.extend(more);
        }
    }

    /// Operations under way that the plan has as well, with the numbers of their actions.
    fn operations_wanted(&self, planned: &Planned) -> Vec<(InFlightKey, u32)> {
        if self.history.in_flight.is_empty() {
            return Vec::new();
        }
        let node = |name: &str| self.member_id(name);
        let same = |action: &transition::Action| {
            let key = in_flight_key(action, &node)?;
            let operation = self.history.in_flight.get(&key)?;
            let order = super::runner::order(action, 0, "");
            (order.pending_entry(0).digests.all == operation.digest).then_some((key, action.id))
        };
        planned.graph.actions().filter_map(same).collect()
    }

    fn set_recheck(&mut self, planned: &Planned) {
        let interval = self.options().cluster_recheck_interval;
        let by_graph = planned.graph.recheck_by.map(|at| {
            let wait = u64::try_from(at * 1000 - self.now.epoch_ms).unwrap_or(0);
            self.now.monotonic + wait.max(SHORTEST_RECHECK)
        });
        let regular = (interval > 0).then(|| self.now.monotonic + interval);
        self.coordinator_mut(|coordinator| {
            coordinator.recheck_at = by_graph.into_iter().chain(regular).min()
        });
    }

    fn save_plan_input(&mut self, severity: Severity, out: &mut Outbox) {
        let options = self.options();
        let most = match severity {
            Severity::Info => options.pe_input_series_max,
            Severity::Warning => options.pe_warn_series_max,
            Severity::Error => options.pe_error_series_max,
        };
        let text = if most == 0 { String::new() } else { self.replica.text_at(self.now.epoch()) };
        out.push(Output::SavePlanInput { transition: self.next_transition, severity, text, most });
    }

    /// Something happened that may leave the CIB as it is: that there is nothing more to do is to be said again.
    pub(super) fn disturb_rest(&mut self) {
        self.settled = false;
        self.coordinator_mut(|coordinator| coordinator.announced = None);
    }

    /// Says that there is nothing more to do, once for each state of the CIB.
    fn announce_rest(&mut self, out: &mut Outbox) {
        let version = self.replica.version();
        let Some(coordinator) = &self.coordinator else { return };
        let busy = !coordinator.triggers.is_empty()
            || coordinator.runner.as_ref().is_some_and(|runner| !runner.is_over())
            || !self.history.in_flight.is_empty()
            || !self.outgoing.is_empty()
            || !self.fences.is_empty();
        if busy {
            return;
        }
        self.catch_up();
        let Some(coordinator) = &mut self.coordinator else { return };
        if coordinator.announced == Some(version) {
            // looked again, and nothing came of it
            self.settle(out);
            return;
        }
        let rested = coordinator.announced.replace(version).is_some() && self.settled;
        if rested {
            // nothing happened that matters for plans; the replicas are compared a little later
            let later = self.now.monotonic + BETWEEN_COMPARISONS;
            coordinator.compare_at.get_or_insert(later);
            return;
        }
        let next = coordinator.compared_at.map(|at| at + BETWEEN_COMPARISONS);
        let digest = match next.filter(|at| *at > self.now.monotonic) {
            Some(later) => {
                coordinator.compare_at = Some(later);
                None
            }
            None => {
                coordinator.compared_at = Some(self.now.monotonic);
                coordinator.compare_at = None;
                Some(self.replica.digest())
            }
        };
        self.send(Body::Settled { version, digest }, out);
    }

    /// Quorum changed without a change of members.
    pub(super) fn on_quorum_as_dc(&mut self, gained: bool, lost: bool, out: &mut Outbox) {
        if !self.is_dc() {
            return;
        }
        let mut text = Fragment::new();
        text.open("cib")
            .attribute("have-quorum", u8::from(self.view.quorate))
            .attribute("dc-uuid", self.config.id);
        let change = crate::request::CibChange {
            operation: modify(text.finish()),
            client: crate::request::Client {
                program: "systole".to_owned(),
                user: None,
                groups: Vec::new(),
                restricted: false,
            },
            dry_run: false,
        };
        self.send(Body::Change { request: None, change, at: self.now.epoch() }, out);
        if gained {
            let until = self.now.monotonic + QUORUM_DELAY;
            self.coordinator_mut(|coordinator| coordinator.hold_until = Some(until));
        }
        if gained || lost {
            self.trigger(if gained { "quorum was gained" } else { "quorum was lost" }, None);
        }
    }

    pub(super) fn on_result_as_dc(
        &mut self,
        key: &InFlightKey,
        result: &ResultMessage,
        was_in_flight: bool,
        known: bool,
        event: EventId,
        out: &mut Outbox,
    ) {
        let failed = result.entry.is_failure();
        let word = if failed { "failed" } else { "changed" };
        let node = self.name_of(result.node);
        let what = format!("{} of {} {word} on {node}", result.entry.operation, result.resource);
        self.journal.note_reason(&what, event);
        let Some(coordinator) = &mut self.coordinator else { return };
        let resolution = match (&mut coordinator.runner, was_in_flight) {
            (Some(runner), true) => runner.resolve(key, !failed),
            _ => Resolution::Unknown,
        };
        if known {
            return;
        }
        if failed {
            self.count_failure(result, out);
        }
        // a result that the plan expects changes nothing (rule 4.33.3)
        let expected = matches!(resolution, Resolution::Awaited | Resolution::PlannedAround) && !failed;
        if !expected && result.entry.status != ExecutionStatus::Cancelled {
            self.trigger(&what, None);
        }
    }

    /// Counts a failure where it counts (rules 4.30.1, 4.30.2).
    fn count_failure(&mut self, result: &ResultMessage, out: &mut Outbox) {
        let entry = &result.entry;
        let uncounted = entry.is_probe()
            || entry.status == ExecutionStatus::Refused
            || matches!(
                entry.operation.as_str(),
                "migrate_to" | "migrate_from" | "notify" | "reload" | "reload-agent"
            );
        if uncounted {
            return;
        }
        let fatal = match entry.operation.as_str() {
            "start" => self.options().start_failure_is_fatal,
            "stop" => true,
            _ => false,
        };
        let node = self.name_of(result.node);
        let suffix = format!("{}#{}_{}", result.resource, entry.operation, entry.interval);
        let mut updates = Vec::new();
        if result.on_fail.as_deref() != Some("ignore") {
            let value = if fatal { "INFINITY" } else { "value++" };
            updates.push(AttributeUpdate::set(&node, &format!("fail-count-{suffix}"), value));
        }
        let now = self.now.epoch().to_string();
        updates.push(AttributeUpdate::set(&node, &format!("last-failure-{suffix}"), &now));
        self.send(Body::Attributes { request: None, updates }, out);
    }

    pub(super) fn on_cancelled_as_dc(&mut self, key: &InFlightKey, out: &mut Outbox) {
        let _ = &out;
        self.coordinator_mut(|coordinator| {
            if let Some(runner) = &mut coordinator.runner {
                runner.cancelled(key);
            }
        });
    }

    pub(super) fn on_forgotten_as_dc(&mut self, from: NodeId, what: &Forget) {
        if from != self.config.id || what.by_administrator {
            return;
        }
        self.coordinator_mut(|coordinator| {
            if let (Some(runner), Some(resource), Some(node)) =
                (&mut coordinator.runner, &what.resource, &what.node)
            {
                runner.told("forget", resource, node);
            }
        });
    }

    pub(super) fn on_failures_cleared_as_dc(&mut self, node: &str, resource: &str, _: Option<&str>, _: u64) {
        self.coordinator_mut(|coordinator| {
            if let Some(runner) = &mut coordinator.runner {
                runner.told("clear", resource, node);
            }
        });
    }

    pub(super) fn transition_status(&self) -> Option<TransitionStatus> {
        let coordinator = self.coordinator.as_ref()?;
        let runner = coordinator.runner.as_ref().filter(|runner| !runner.is_over())?;
        let aborted = (!coordinator.triggers.is_empty()).then(|| coordinator.triggers.join("; "));
        Some(TransitionStatus { aborted, ..runner.status() })
    }
}
