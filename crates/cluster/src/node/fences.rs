//! Fencing operations as the node takes part in them: asking for one, owning it, using a device for it
//! (rules 4.50 to 4.54, 4.61). What follows from a result is in `fenced`.

use std::collections::BTreeSet;

use super::Node;
use super::commands::refused;
use crate::event::{EventKind, Severity};
use crate::fencing::inquiry::Surroundings;
use crate::fencing::owner::{Context, Next, Operation, Waiting};
use crate::fencing::walk::Verdict;
use crate::fencing::{
    COORDINATOR, FenceOrder, FenceRecord, FenceState, Offer, RegistryChange, WATCHDOG_DEVICE, outlook,
    watchdog,
};
use crate::history::ResourceHistory;
use crate::interface::{Outbox, Output};
use crate::membership::NodeId;
use crate::message::Body;
use crate::operation::{ExecutionStatus, OperationResult};
use crate::request::{FenceRequest, RefusalCode, Reply, RequestId};

impl Node {
    /// A client wants a node to be fenced (rule 4.50.1): it is, with quorum or without, since who asks decides
    /// that (rule 4.50.4), and with a coordinator or without (rule 4.50.3).
    pub(super) fn on_fence_request(&mut self, id: RequestId, mut request: FenceRequest, out: &mut Outbox) {
        if let Some(name) = self.name_by_number(&request.target) {
            request.target = name;
        }
        let now = self.now.epoch();
        let recent = self
            .fence_history
            .recent_success(&request.target, &request.action, request.tolerance, now)
            .cloned();
        if let Some(record) = recent {
            self.reply(id, Reply::Fenced(record), out);
        } else if self.may_fence() && !self.is_leaving() {
            let reason = format!("requested by {}", request.client);
            self.start_fence(request, reason, Waiting::Client(id), out);
        } else {
            let text = "this node is not in the cluster now: ask another one".to_owned();
            self.reply(id, refused(RefusalCode::Busy, text), out);
        }
    }

    /// A device or level is registered with this node, or forgotten (rule 4.50.2).
    pub(super) fn on_registration(&mut self, id: RequestId, change: RegistryChange, out: &mut Outbox) {
        let text = change.to_string();
        let device = match &change {
            RegistryChange::Device(device) => Some(device.id.clone()),
            RegistryChange::NoDevice { id } => Some(id.clone()),
            _ => None,
        };
        if let Err(problem) = self.registry.change(change) {
            self.reply(id, refused(RefusalCode::Invalid, problem), out);
            return;
        }
        device.iter().for_each(|device| self.inquiries.device_changed(device));
        self.use_devices();
        self.notice(Severity::Info, text, out);
        self.reply(id, Reply::Done, out);
    }

    /// The name of the node with this id, if no node has it as a name.
    fn name_by_number(&self, target: &str) -> Option<String> {
        let nodes = self.replica.all_nodes();
        let is_name = nodes.iter().any(|(_, name)| name.eq_ignore_ascii_case(target));
        nodes.into_iter().find(|(id, _)| !is_name && id == target).map(|(_, name)| name)
    }

    /// Asks for a fencing operation. `reason`: why.
    pub(super) fn start_fence(
        &mut self,
        request: FenceRequest,
        reason: String,
        waiting: Waiting,
        out: &mut Outbox,
    ) {
        if let (Waiting::Action(..), Some(id)) = (&waiting, self.fence_under_way(&request)) {
            // the same plan again: nothing new has to be said
            self.fence_waiting.entry(id).or_default().push(waiting);
            return;
        }
        let owner = self.fence_owner(&request.target);
        let record = FenceRecord {
            id: self.next_fence_id(),
            target: request.target.clone(),
            action: request.action.clone(),
            client: request.client.clone(),
            origin: self.name_of(owner),
            owner: self.incarnations.get(&owner).cloned().unwrap_or_default(),
            executor: None,
            devices: Vec::new(),
            state: FenceState::Querying,
            at: self.now.epoch_ms,
            reason,
            status: 0,
            merged_into: None,
            target_incarnation: self.incarnation_of(&request.target),
            survived: false,
        };
        self.fence_waiting.entry(record.id.clone()).or_default().push(waiting);
        self.send(Body::FenceStarted { record, request }, out);
    }

    /// An operation that is under way, or has been asked for, and does what the plan wants (rule 4.61.1): an equal
    /// one, and where the node is to go down any that takes it down. A reboot on top of an administrator's `off`
    /// would switch the node on again.
    fn fence_under_way(&self, request: &FenceRequest) -> Option<String> {
        let on_itself = |record: &FenceRecord| {
            record.executor.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&record.target))
        };
        let incarnation = self.incarnation_of(&request.target);
        let same = |record: &FenceRecord| {
            let both_down = record.takes_down() && request.takes_down() && !on_itself(record);
            record.target.eq_ignore_ascii_case(&request.target)
                && (record.action == request.action || both_down)
                && record.is_about(incarnation.as_deref())
        };
        let asked = self.outgoing.iter().chain(&self.unsent).find_map(|body| match body {
            Body::FenceStarted { record, .. } if same(record) => Some(record.id.clone()),
            _ => None,
        });
        let pending =
            |record: &&FenceRecord| record.state.is_pending() && record.merged_into.is_none() && same(record);
        asked.or_else(|| self.fence_history.records().iter().find(pending).map(|record| record.id.clone()))
    }

    /// Who manages an operation: this node, unless it is the target and somebody else is there (rule 4.51.1).
    pub(super) fn fence_owner(&self, target: &str) -> NodeId {
        let own = self.config.id;
        if !target.eq_ignore_ascii_case(&self.config.name) {
            return own;
        }
        self.fence_members().into_iter().find(|id| *id != own).unwrap_or(own)
    }

    pub(super) fn next_fence_id(&mut self) -> String {
        self.fence_count += 1;
        format!("{}-{}", self.config.incarnation, self.fence_count)
    }

    /// The latest known run of a node's daemon.
    pub(super) fn incarnation_of(&self, target: &str) -> Option<String> {
        let by_name =
            self.replica.all_nodes().into_iter().find(|(_, name)| name.eq_ignore_ascii_case(target));
        let id = self.member_id(target).or_else(|| by_name?.0.parse().ok().map(NodeId))?;
        self.incarnations.get(&id).cloned()
    }

    /// An operation is announced: everybody keeps it and says which devices it could use; an equal one that
    /// is under way is waited for instead (rules 4.51.2, 4.61.1).
    pub(super) fn on_fence_started(
        &mut self,
        from: NodeId,
        mut record: FenceRecord,
        request: FenceRequest,
        out: &mut Outbox,
    ) {
        self.settled = false;
        let owner_is_here =
            self.members.keys().any(|id| self.incarnations.get(id).is_some_and(|run| *run == record.owner));
        // during a round the sender has seen to it
        if self.is_joined() && !owner_is_here {
            record.origin = self.name_of(from);
            record.owner = self.incarnations.get(&from).cloned().unwrap_or_default();
        }
        if let Some(equal) = self.fence_history.equal(&record).map(|equal| equal.id.clone()) {
            record.state = FenceState::Duplicate;
            record.merged_into = Some(equal.clone());
            let waiting = self.fence_waiting.remove(&record.id).unwrap_or_default();
            self.fence_waiting.entry(equal).or_default().extend(waiting);
        }
        if !self.fence_history.take(&record) {
            return;
        }
        let causes = Vec::from_iter(self.journal.plan);
        let why = Some(record.reason.clone()).filter(|reason| !reason.is_empty());
        self.event(EventKind::FenceStarted(record.clone()), why, causes, out);
        if record.state == FenceState::Duplicate || !self.may_fence() {
            return;
        }
        if record.owner == self.config.incarnation {
            self.own_fence(record.clone(), request.clone());
        }
        self.offer_devices(&record, request.timeout, out);
        self.continue_fence(&record.id, out);
    }

    fn own_fence(&mut self, record: FenceRecord, request: FenceRequest) {
        let members = self.fence_members();
        let target = self.member_id(&request.target);
        let id = record.id.clone();
        let context = Context {
            devices: &self.devices,
            members: &members,
            watchdog: self.watchdog_wait_for(&request.target),
            now: self.now.monotonic,
        };
        let operation = Operation::new(record, request, target, &context);
        self.fences.insert(id, operation);
    }

    /// Members, this node first; during a join round those of the last one that are still there.
    fn fence_members(&self) -> Vec<NodeId> {
        let own = self.config.id;
        let others = self.members.keys().copied().filter(|id| *id != own && self.view.members.contains(id));
        std::iter::once(own).chain(others).collect()
    }

    /// Milliseconds after which the target's watchdog has fired, if that can be relied on (rules 4.59.4,
    /// 4.59.7: never without quorum, for then it is the others who may be right; and nobody knows whether remote
    /// nodes, or names that are no node's, have one).
    fn watchdog_wait_for(&self, target: &str) -> Option<u64> {
        let property = self.options().fencing_watchdog_timeout;
        let is_node = self.replica.cluster_nodes().iter().any(|(_, name)| name.eq_ignore_ascii_case(target));
        watchdog::wait(property, self.config.watchdog_bound)
            .filter(|_| self.view.quorate && is_node && self.devices.watchdog_applies_to(target))
    }

    fn offer_devices(&mut self, record: &FenceRecord, timeout: u64, out: &mut Outbox) {
        let started = self.working_devices();
        let mut around = Surroundings {
            node: &self.config.name,
            devices: &self.devices,
            agents: &mut self.executor,
            started: &started,
            now: self.now,
        };
        let told =
            self.inquiries.begin(&record.id, &record.target, &record.action, timeout, &mut around, out);
        told.into_iter().for_each(|body| self.send(body, out));
    }

    /// Goes on with answering which devices could be used.
    pub(super) fn continue_inquiries(&mut self, out: &mut Outbox) {
        let started = self.working_devices();
        let mut around = Surroundings {
            node: &self.config.name,
            devices: &self.devices,
            agents: &mut self.executor,
            started: &started,
            now: self.now,
        };
        let told = self.inquiries.advance(&mut around, out);
        told.into_iter().for_each(|body| self.send(body, out));
    }

    /// Fence devices that run here and whose last check was good (rule 4.51.2).
    pub(super) fn working_devices(&self) -> BTreeSet<String> {
        let is_checked = |history: &ResourceHistory| {
            let last = history.entries.iter().find(|(slot, _)| slot.ends_with("_last_0"));
            last.is_some_and(|(_, entry)| entry.operation != "stop" && entry.exit_code == 0)
                && !history.has_failure()
        };
        let histories = self.history.nodes.get(&self.config.id).into_iter().flatten();
        histories
            .filter(|(_, history)| history.agent.class == "stonith" && is_checked(history))
            .map(|(id, _)| id.clone())
            .collect()
    }

    pub(super) fn on_fence_offer(
        &mut self,
        from: NodeId,
        id: &str,
        devices: Vec<Offer>,
        complete: bool,
        out: &mut Outbox,
    ) {
        let Some(operation) = self.fences.get_mut(id) else { return };
        operation.offer(from, devices, complete);
        self.continue_fence(id, out);
    }

    /// The owner's next step.
    fn continue_fence(&mut self, id: &str, out: &mut Outbox) {
        let members = self.fence_members();
        let Some(operation) = self.fences.get(id) else { return };
        let target = operation.request.target.clone();
        let watchdog = self.watchdog_wait_for(&target);
        let context =
            Context { devices: &self.devices, members: &members, watchdog, now: self.now.monotonic };
        let Some(operation) = self.fences.get_mut(id) else { return };
        match operation.next(&context) {
            Next::Wait => {}
            Next::Order(order) => self.order_fence(id, order, out),
            Next::Watchdog(attempt) => self.wait_for_watchdog(id, attempt, &target, out),
            Next::Succeeded => self.announce_fence(id, FenceState::Done, None, out),
            Next::Failed(status, reason) => {
                self.announce_fence(id, FenceState::Failed, Some((status, reason)), out);
            }
        }
    }

    fn order_fence(&mut self, id: &str, mut order: FenceOrder, out: &mut Outbox) {
        let incarnation = self.incarnation_of(&order.target);
        order.target_incarnation.clone_from(&incarnation);
        let executor = self.name_of(order.executor);
        if let Some(operation) = self.fences.get_mut(id) {
            operation.record.executor = Some(executor);
            operation.record.target_incarnation = incarnation;
        }
        self.send(Body::FenceExecute(order), out);
    }

    /// The target's watchdog is waited for; a target that can be reached takes itself down at once
    /// (rule 4.59.5).
    fn wait_for_watchdog(&mut self, id: &str, attempt: u32, target: &str, out: &mut Outbox) {
        let incarnation = self.incarnation_of(target);
        let Some(operation) = self.fences.get_mut(id) else { return };
        operation.record.executor = Some(target.to_owned());
        operation.record.target_incarnation = incarnation;
        let action = operation.request.action.clone();
        self.notice(Severity::Warning, format!("waiting for the watchdog of {target} to fire"), out);
        if let Some(executor) = self.member_id(target) {
            let order = FenceOrder {
                operation: id.to_owned(),
                attempt,
                executor,
                device: WATCHDOG_DEVICE.to_owned(),
                target: target.to_owned(),
                target_incarnation: None,
                action,
                timeout: 0,
                delay: None,
            };
            self.send(Body::FenceExecute(order), out);
        }
    }

    fn announce_fence(
        &mut self,
        id: &str,
        state: FenceState,
        failure: Option<(ExecutionStatus, String)>,
        out: &mut Outbox,
    ) {
        let Some(operation) = self.fences.remove(id) else { return };
        let executor = operation.record.executor.clone().filter(|_| state == FenceState::Done);
        let (status, reason) =
            failure.map_or((0, String::new()), |(status, reason)| (status.number(), reason));
        let mut record =
            FenceRecord { state, reason, status, executor, at: self.now.epoch_ms, ..operation.record };
        let target = &record.target;
        let latest = self.incarnation_of(target);
        let is_gone_again = self.member_id(target).is_none() && !record.is_about(latest.as_deref());
        if state == FenceState::Done && record.takes_down() && is_gone_again {
            record.state = FenceState::Failed;
            record.status = ExecutionStatus::Error.number();
            record.reason = "the node came back meanwhile, and was lost again".to_owned();
        }
        self.send_fence_done(record, out);
    }

    /// Announces a result. A join round that waits for the node that is certainly down goes on without it.
    pub(super) fn send_fence_done(&mut self, record: FenceRecord, out: &mut Outbox) {
        let down = record.state == FenceState::Done && record.takes_down() && self.is_same_run(&record);
        let target = self.member_id(&record.target).filter(|_| down);
        self.send(Body::FenceDone(record), out);
        self.proceed_without(target.into_iter().collect(), out);
    }

    /// What a plan wanted fenced and what has come back since, as another run, needs it no more: a device that is
    /// used only now would hit the run that has joined.
    pub(super) fn withdraw_fences(&mut self, out: &mut Outbox) {
        let unwanted = |operation: &&Operation| {
            let record = &operation.record;
            let member = self.member_id(&record.target).and_then(|id| self.incarnations.get(&id));
            record.client == COORDINATOR
                && record.takes_down()
                && member.is_some_and(|run| !record.is_about(Some(run)))
                && self.fence_history.merged(&record.id).is_empty()
        };
        let ids: Vec<String> =
            self.fences.values().filter(unwanted).map(|operation| operation.record.id.clone()).collect();
        for id in ids {
            let failure = (ExecutionStatus::Cancelled, "the node has come back meanwhile".to_owned());
            self.announce_fence(&id, FenceState::Failed, Some(failure), out);
        }
    }

    /// Limits of operations and attempts; executors that were lost.
    pub(super) fn check_fences(&mut self, out: &mut Outbox) {
        if !self.may_fence() {
            return;
        }
        let now = self.now.monotonic;
        let members = self.fence_members();
        let ids: Vec<String> = self.fences.keys().cloned().collect();
        for id in ids {
            let context = Context { devices: &self.devices, members: &members, watchdog: None, now };
            let Some(operation) = self.fences.get_mut(&id) else { continue };
            if operation.deadline <= now {
                let failure = (ExecutionStatus::TimedOut, "it took too long".to_owned());
                match operation.only_optional_left() {
                    true => self.announce_fence(&id, FenceState::Done, None, out),
                    false => self.announce_fence(&id, FenceState::Failed, Some(failure), out),
                }
                continue;
            }
            match operation.expire(&context) {
                Some(verdict) => self.after_attempt(&id, verdict, out),
                None => self.continue_fence(&id, out),
            }
        }
    }

    fn after_attempt(&mut self, id: &str, verdict: Verdict, out: &mut Outbox) {
        let Some(operation) = self.fences.get(id) else { return };
        match verdict {
            Verdict::GoOn => self.continue_fence(id, out),
            Verdict::Done => self.announce_fence(id, FenceState::Done, None, out),
            Verdict::Over => {
                let failure = operation.failure();
                self.announce_fence(id, FenceState::Failed, Some(failure), out);
            }
        }
    }

    /// A device is used: everybody notes by whom, and who is meant does it.
    pub(super) fn on_fence_execute(&mut self, order: FenceOrder, out: &mut Outbox) {
        let executor = self.name_of(order.executor);
        self.fence_history.executing(&order.operation, &executor);
        if order.executor != self.config.id {
            return;
        }
        if order.device == WATCHDOG_DEVICE {
            let reason = "fenced by watchdog: this host takes itself down";
            out.push(Output::Panic { reason: reason.to_owned() });
            self.end(100, reason, out);
            return;
        }
        let told = self.fence_executor.order(order, &self.devices, &mut self.executor, self.now, out);
        told.into_iter().for_each(|body| self.send(body, out));
    }

    /// A fence agent's run ended: of a fencing operation, a question to a device, or a monitor of one.
    pub(super) fn on_fence_run_done(&mut self, result: OperationResult, out: &mut Outbox) {
        if let Some((device, told)) = self.fence_executor.done(&result, &mut self.executor, self.now) {
            told.into_iter().for_each(|body| self.send(body, out));
            self.device_free(&device, out);
        } else if let Some(device) = self.inquiries.done(&result, &self.devices, self.now) {
            self.executor.release_device(&device);
            self.device_free(&device, out);
        } else {
            let device = self.executor.resource_of(result.id);
            let finished = self.executor.done(as_resource_result(result), self.now, out);
            self.tell_results(finished);
            device.into_iter().for_each(|device| self.device_free(&device, out));
        }
    }

    /// Fencing goes first, then questions, then monitors.
    fn device_free(&mut self, device: &str, out: &mut Outbox) {
        self.fence_executor.device_free(&mut self.executor, self.now, out);
        self.continue_inquiries(out);
        let finished = self.executor.device_free(device, self.now, out);
        self.tell_results(finished);
    }

    pub(super) fn on_fence_executed(
        &mut self,
        id: &str,
        attempt: u32,
        status: ExecutionStatus,
        reason: &str,
        out: &mut Outbox,
    ) {
        let Some(operation) = self.fences.get_mut(id) else { return };
        let success = status == ExecutionStatus::Done;
        if let Some(verdict) = operation.result(attempt, success, status, reason) {
            self.after_attempt(id, verdict, out);
        }
    }

    /// Says once what is wrong with the configuration of fencing; a host that would live longer than others
    /// believe leaves (rule 4.59.3).
    pub(super) fn check_fencing_configuration(&mut self, out: &mut Outbox) {
        if !self.is_joined() || !std::mem::take(&mut self.fencing_unchecked) {
            return;
        }
        let mut warnings = self.devices.warnings().to_vec();
        if self.options().fencing_enabled {
            let nodes: Vec<String> = self.replica.cluster_nodes().into_iter().map(|(_, name)| name).collect();
            let watchdog = self.options().fencing_watchdog_timeout != 0;
            warnings.extend(outlook::gaps(&self.devices, &nodes, watchdog));
        }
        let known = std::mem::replace(&mut self.fence_warnings, warnings.clone());
        let is_dc = self.is_dc();
        for text in warnings.iter().filter(|text| is_dc && !known.contains(text)) {
            self.notice(Severity::Warning, format!("fencing: {text}"), out);
        }
        let property = self.options().fencing_watchdog_timeout;
        let wait = watchdog::wait(property, self.config.watchdog_bound);
        let Some(wait) = wait.filter(|_| self.devices.watchdog_applies_to(&self.config.name)) else { return };
        if let Err(problem) = watchdog::check(wait, self.config.have_watchdog, self.config.watchdog_bound) {
            self.notice(Severity::Error, problem.clone(), out);
            self.end(100, &problem, out);
        }
    }
}

/// How a device's monitor is recorded: a fence agent knows success and failure only.
fn as_resource_result(result: OperationResult) -> OperationResult {
    let failed = result.status == ExecutionStatus::Done && result.exit_code != 0;
    if failed {
        return OperationResult { exit_code: 1, status: ExecutionStatus::Error, ..result };
    }
    result
}
