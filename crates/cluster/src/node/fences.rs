//! Fencing operations as the node takes part in them: as owner, as user of a device, as witness
//! (rules 4.51, 4.55, 4.57, 4.58).

use super::Node;
use super::commands::refused;
use super::joining::{delete, modify_status};
use crate::event::{EventKind, Severity};
use crate::fencing::owner::{Candidate, Next, Operation, Waiting};
use crate::fencing::{FenceOrder, FenceRecord, FenceState};
use crate::history::ResourceHistory;
use crate::interface::{Outbox, Output};
use crate::membership::NodeId;
use crate::message::Body;
use crate::operation::{ExecutionStatus, OperationResult};
use crate::replica::node_state_path;
use crate::request::{AttributeUpdate, FenceRequest, RefusalCode, Reply};

impl Node {
    /// Begins a fencing operation, or waits for an equal one that is under way (rule 4.61.1).
    /// `reason`: why it is asked for.
    pub(super) fn start_fence(
        &mut self,
        request: FenceRequest,
        reason: String,
        waiting: Waiting,
        out: &mut Outbox,
    ) {
        let same = |record: &&FenceRecord| {
            record.state == FenceState::Pending
                && record.target.eq_ignore_ascii_case(&request.target)
                && record.action == request.action
        };
        let owned =
            self.fences.values().find(|operation| same(&&operation.record)).map(|one| one.record.id.clone());
        let under_way =
            owned.or_else(|| self.fence_history.records().iter().find(same).map(|one| one.id.clone()));
        if let Some(id) = under_way {
            self.fence_waiting.entry(id).or_default().push(waiting);
            return;
        }
        let record = FenceRecord {
            id: self.next_fence_id(),
            target: request.target.clone(),
            action: request.action.clone(),
            client: request.client.clone(),
            origin: self.config.name.clone(),
            executor: None,
            state: FenceState::Pending,
            at: self.now.epoch(),
            reason,
            target_incarnation: self.incarnation_of(&request.target),
        };
        self.send(Body::FenceStarted(record.clone()), out);
        self.fence_waiting.entry(record.id.clone()).or_default().push(waiting.clone());
        let candidates = self.fence_candidates();
        let operation =
            Operation::new(record.clone(), request, waiting, &self.devices, &candidates, self.now.monotonic);
        self.fences.insert(record.id.clone(), operation);
        self.continue_fence(&record.id, out);
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

    /// Members with the devices that were checked there, this node first.
    fn fence_candidates(&self) -> Vec<Candidate> {
        let is_checked = |history: &ResourceHistory| {
            let last =
                history.entries.iter().find(|(slot, _)| slot.ends_with("_last_0")).map(|(_, entry)| entry);
            last.is_some_and(|entry| entry.operation != "stop" && entry.exit_code == 0)
                && !history.has_failure()
        };
        let verified = |node: &NodeId| {
            let histories = self.history.nodes.get(node).into_iter().flatten();
            histories
                .filter(|(_, history)| history.agent.class == "stonith" && is_checked(history))
                .map(|(id, _)| id.clone())
                .collect()
        };
        let mut all: Vec<Candidate> = (self.members.iter())
            .map(|(id, member)| Candidate { id: *id, name: member.name.clone(), verified: verified(id) })
            .collect();
        all.sort_by_key(|candidate| candidate.id != self.config.id);
        all
    }

    fn continue_fence(&mut self, id: &str, out: &mut Outbox) {
        let members: Vec<NodeId> = self.members.keys().copied().collect();
        let Some(operation) = self.fences.get_mut(id) else { return };
        let next = operation.next(&self.devices, &members, self.now.monotonic);
        match next {
            Next::Order(order) => {
                let incarnation = self.incarnation_of(&order.target);
                if let Some(operation) = self.fences.get_mut(id) {
                    operation.record.executor =
                        self.members.get(&order.executor).map(|member| member.name.clone());
                    operation.record.target_incarnation = incarnation;
                }
                self.send(Body::FenceExecute(order), out);
            }
            Next::Succeeded => self.announce_fence(id, FenceState::Done, String::new(), out),
            Next::Failed(reason) => self.announce_fence(id, FenceState::Failed, reason, out),
        }
    }

    fn announce_fence(&mut self, id: &str, state: FenceState, reason: String, out: &mut Outbox) {
        let Some(operation) = self.fences.remove(id) else { return };
        let executor = operation.record.executor.clone().filter(|_| state == FenceState::Done);
        let record = FenceRecord { state, reason, executor, at: self.now.epoch(), ..operation.record };
        self.send(Body::FenceDone(record), out);
    }

    /// Limits of operations and attempts; executors that were lost.
    pub(super) fn check_fences(&mut self, out: &mut Outbox) {
        if !self.is_joined() {
            return;
        }
        let now = self.now.monotonic;
        let members: Vec<NodeId> = self.members.keys().copied().collect();
        let ids: Vec<String> = self.fences.keys().cloned().collect();
        for id in ids {
            let Some(operation) = self.fences.get_mut(&id) else { continue };
            if operation.deadline <= now {
                let state =
                    if operation.only_optional_left() { FenceState::Done } else { FenceState::Failed };
                self.announce_fence(&id, state, "it took too long".to_owned(), out);
            } else if operation.give_up(&members, now) {
                self.continue_fence(&id, out);
            }
        }
    }

    pub(super) fn on_fence_started(&mut self, record: FenceRecord, out: &mut Outbox) {
        self.settled = false;
        if self.fence_history.take(&record) {
            let causes = Vec::from_iter(self.journal.plan);
            let why = Some(record.reason.clone()).filter(|reason| !reason.is_empty());
            self.event(EventKind::FenceStarted(record), why, causes, out);
        }
    }

    pub(super) fn on_fence_execute(&mut self, order: FenceOrder, out: &mut Outbox) {
        if order.executor != self.config.id {
            return;
        }
        let told = self.fence_executor.order(order, &self.devices, &mut self.executor, self.now, out);
        told.into_iter().for_each(|body| self.send(body, out));
    }

    /// A fence agent's run ended: of a fencing operation, or a monitor of a device.
    pub(super) fn on_fence_run_done(&mut self, result: OperationResult, out: &mut Outbox) {
        let told = self.fence_executor.done(&result, &self.devices, &mut self.executor, self.now, out);
        match told {
            Some(bodies) => bodies.into_iter().for_each(|body| self.send(body, out)),
            None => {
                let result = as_resource_result(result);
                let finished = self.executor.done(result, self.now, out);
                self.tell_results(finished, out);
            }
        }
    }

    pub(super) fn on_fence_executed(
        &mut self,
        id: &str,
        attempt: u32,
        success: bool,
        timed_out: bool,
        reason: &str,
        out: &mut Outbox,
    ) {
        let Some(operation) = self.fences.get_mut(id) else { return };
        if !operation.result(attempt, success, reason) {
            return;
        }
        if timed_out && !operation.only_optional_left() {
            let reason = if reason.is_empty() { "the fence agent timed out" } else { reason };
            self.announce_fence(id, FenceState::Failed, reason.to_owned(), out);
        } else {
            self.continue_fence(id, out);
        }
    }

    /// The one result of a fencing operation: everybody draws the consequences alike (rule 4.57).
    pub(super) fn on_fence_done(&mut self, record: FenceRecord, out: &mut Outbox) {
        self.settled = false;
        let news = self.fence_history.take(&record);
        let success = record.state == FenceState::Done;
        let down = matches!(record.action.as_str(), "off" | "reboot");
        let is_same_run = self.is_same_run(&record);
        if news {
            let causes = Vec::from_iter(self.journal.plan);
            self.event(EventKind::FenceDone(record.clone()), None, causes, out);
        }
        if success && down && is_same_run && record.target.eq_ignore_ascii_case(&self.config.name) {
            self.on_own_fencing(&record, out);
            return;
        }
        if news && success && down && is_same_run {
            self.note_node_down(&record.target);
        }
        self.tell_waiting(&record, out);
    }

    /// Whether a member with the target's name is the run that was fenced (or no member at all).
    fn is_same_run(&self, record: &FenceRecord) -> bool {
        let member = self.member_id(&record.target).and_then(|id| self.incarnations.get(&id));
        match (member, &record.target_incarnation) {
            (Some(now), Some(fenced)) => now == fenced,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    fn note_node_down(&mut self, target: &str) {
        let known = self.replica.all_nodes().into_iter().find(|(_, name)| name.eq_ignore_ascii_case(target));
        let Some((id, name)) = known else { return };
        let path = node_state_path(&id);
        let has_state = self.replica.has(&path);
        let mut text = format!("<node_state id=\"{id}\" uname=\"{name}\" join=\"down\" expected=\"down\"");
        if !has_state {
            text.push_str(" in_ccm=\"0\" crmd=\"0\"");
        }
        text.push_str("/>");
        self.attributes.forget_node(&name);
        if let Ok(number) = id.parse() {
            self.history.forget_node(NodeId(number));
        }
        let mut changes = Vec::new();
        if has_state {
            changes.push(delete(format!("{path}/lrm")));
            changes.push(delete(format!("{path}/transient_attributes")));
        }
        changes.push(modify_status(text));
        self.write_status(&changes);
    }

    /// Others say this node was fenced, and yet it runs (rule 4.58.2).
    fn on_own_fencing(&mut self, record: &FenceRecord, out: &mut Outbox) {
        let reason = format!("fenced by {} on behalf of {}", record.origin, record.client);
        if self.options().fencing_reaction_panic {
            out.push(Output::Panic { reason: reason.clone() });
        }
        self.end(100, &reason, out);
    }

    pub(super) fn tell_waiting(&mut self, record: &FenceRecord, out: &mut Outbox) {
        let success = record.state == FenceState::Done;
        let mut planned = false;
        let mut unfenced = None;
        for waiting in self.fence_waiting.remove(&record.id).unwrap_or_default() {
            match waiting {
                Waiting::Client(id) => {
                    let reply = if success {
                        Reply::Fenced(record.clone())
                    } else {
                        refused(
                            RefusalCode::Failed,
                            format!("fencing of {} failed: {}", record.target, record.reason),
                        )
                    };
                    self.reply(id, reply, out);
                }
                Waiting::Action(transition, action) => {
                    let Some(coordinator) = &mut self.coordinator else { continue };
                    let Some(runner) = coordinator.runner.as_mut().filter(|one| one.id == transition) else {
                        continue;
                    };
                    planned = true;
                    if record.action == "on" && success {
                        unfenced = runner.digests(action);
                    }
                    runner.finish(action, success);
                }
            }
        }
        if let Some((all, secure)) = unfenced {
            let now = self.now.epoch().to_string();
            let set = |name: &str, value: &str| AttributeUpdate::set(&record.target, name, value);
            let updates =
                vec![set("#node-unfenced", &now), set("#digests-all", &all), set("#digests-secure", &secure)];
            self.send(Body::Attributes { request: None, updates }, out);
        }
        if !success {
            self.after_failed_fence(record, planned, out);
        } else if !planned {
            self.trigger(&format!("{} was fenced", record.target), None);
        }
    }

    /// Tried again at once, unless there is no hope for now (rule 4.55.1).
    fn after_failed_fence(&mut self, record: &FenceRecord, planned: bool, out: &mut Outbox) {
        if self.coordinator.is_none() {
            return;
        }
        let most = self.options().fencing_max_attempts;
        let hopeless =
            record.reason == "no device can fence it" || self.fence_history.failures(&record.target) >= most;
        if hopeless {
            let text = format!("{} cannot be fenced: {}", record.target, record.reason);
            self.notice(Severity::Error, text, out);
        } else if planned {
            self.trigger(&format!("fencing of {} failed: {}", record.target, record.reason), None);
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
