//! What follows from the result of a fencing operation: everybody draws the consequences alike
//! (rules 4.55, 4.57, 4.58, 4.63).

use super::Node;
use super::commands::refused;
use super::joining::{delete, modify_status};
use crate::alerts::Occasion;
use crate::event::{EventKind, Severity};
use crate::fencing::owner::Waiting;
use crate::fencing::{FenceRecord, FenceState};
use crate::history::Entry;
use crate::interface::{Outbox, Output};
use crate::membership::NodeId;
use crate::message::{Body, ResultMessage};
use crate::operation::ExecutionStatus;
use crate::replica::node_state_path;
use crate::request::{AttributeUpdate, RefusalCode, Reply, RequestId};
use crate::text::Fragment;

impl Node {
    /// The one result of a fencing operation: every member draws the consequences at this point of the order, so
    /// that they hold whoever is, was or becomes coordinator (rule 4.57.2), and before anybody who waits for it goes
    /// on (rule 4.57.1). Whoever asked, it is a reason to plan anew (rule 4.57.3).
    pub(super) fn on_fence_done(&mut self, record: FenceRecord, out: &mut Outbox) {
        self.disturb_rest();
        let news = self.fence_history.take(&record);
        self.inquiries.forget(&record.id);
        self.fence_executor.forget(&record.id);
        self.end_merged(&record, out);
        let down = record.state == FenceState::Done && record.takes_down() && self.is_same_run(&record);
        if news {
            let causes = Vec::from_iter(self.journal.plan);
            self.event(EventKind::FenceDone(record.clone()), None, causes, out);
            // on every node, whoever fenced (rule 4.57.7)
            self.alert(&Occasion::Fencing(&record), out);
        }
        if down && record.target.eq_ignore_ascii_case(&self.config.name) {
            self.on_own_fencing(&record, out);
            return;
        }
        let target = self.member_id(&record.target).filter(|_| news && down);
        if news && down {
            self.note_node_down(&record.target, record.seconds());
            self.fail_connection(&record.target, out);
        }
        if let Some(id) = target {
            // what that run still said before it died is void for everybody from here on
            self.members.remove(&id);
            self.fenced.insert(id);
        }
        self.tell_waiting(&record, out);
        if target.is_some() && target == self.dc {
            self.replace_fenced_coordinator(out);
        }
    }

    /// Operations that waited for this one end as it does (rule 4.61.1).
    pub(super) fn end_merged(&mut self, record: &FenceRecord, out: &mut Outbox) {
        for merged in self.fence_history.merged(&record.id) {
            let ended = FenceRecord {
                state: record.state,
                status: record.status,
                reason: record.reason.clone(),
                executor: record.executor.clone(),
                devices: record.devices.clone(),
                at: record.at,
                ..merged
            };
            self.fence_history.take(&ended);
            self.tell_waiting(&ended, out);
        }
    }

    /// Whether a member with the target's name is the run that was fenced (or no member at all).
    pub(super) fn is_same_run(&self, record: &FenceRecord) -> bool {
        let member = self.member_id(&record.target).and_then(|id| self.incarnations.get(&id));
        match (member, &record.target_incarnation) {
            (Some(now), Some(fenced)) => now == fenced,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    /// A node that was announced as fenced is heard: its device lies, or cuts off something else than power.
    pub(super) fn on_fence_survived(&mut self, from: NodeId, operation: &str, out: &mut Outbox) {
        let Some(record) = self.fence_history.get(operation).cloned() else { return };
        let devices = record.devices.join(", ");
        self.fence_history.take(&FenceRecord { survived: true, ..record.clone() });
        let text = format!(
            "{} was announced as fenced{}, and yet it runs: unless that device cuts off storage or network instead of power, it must not be trusted; test it with 'systole fence test {}'",
            record.target,
            if devices.is_empty() { String::new() } else { format!(" by {devices}") },
            record.target,
        );
        if from != self.config.id {
            self.notice(Severity::Error, text, out);
        }
    }

    /// The state of a node that is certainly down (rule 4.57.1), also of one that was never seen (rule 4.57.4) or is
    /// remote (rule 4.57.5). Not even the membership speaks for it until it
    /// is heard again, or plans made before it notices would wait for a node that seems to be starting.
    /// `at`: epoch seconds of its end.
    pub(super) fn note_node_down(&mut self, target: &str, at: i64) {
        let known = self.replica.all_nodes().into_iter().find(|(_, name)| name.eq_ignore_ascii_case(target));
        let Some((id, name)) = known else { return };
        let path = node_state_path(&id);
        let has_state = self.replica.has(&path);
        let mut state = Fragment::new();
        state.open("node_state").attribute("id", &id).attribute("uname", &name).attribute("in_ccm", 0);
        if self.replica.is_remote(&id) {
            state.attribute("remote_node", true).attribute("node_fenced", at);
        } else {
            state.attribute("crmd", 0).attribute("join", "down").attribute("expected", "down");
        }
        self.attributes.forget_node(&name);
        if let Ok(number) = id.parse() {
            self.history.forget_node(NodeId(number));
        }
        let mut changes = Vec::new();
        if has_state {
            changes.push(delete(format!("{path}/lrm")));
            changes.push(delete(format!("{path}/transient_attributes")));
        }
        changes.push(modify_status(state.finish()));
        self.write_status(&changes);
    }

    /// The connection to a remote node that was fenced is of no use any more: whoever holds it says so at once
    /// instead of waiting for its next monitor, and it is made again (rule 4.57.5).
    fn fail_connection(&mut self, target: &str, out: &mut Outbox) {
        if !self.replica.is_remote(target) {
            return;
        }
        let own = self.config.id;
        let Some(history) = self.history.resource(own, target) else { return };
        let monitors = history.entries.values().filter(|entry| entry.interval > 0 && !entry.is_failure());
        let lost: Vec<Entry> = monitors.cloned().collect();
        let agent = history.agent.clone();
        for monitor in lost {
            let entry = Entry {
                call_id: self.executor.take_call(),
                exit_code: 1,
                status: ExecutionStatus::NotConnected,
                exit_reason: "the remote node was fenced".to_owned(),
                last_change: self.now.epoch(),
                executed: 0,
                queued: 0,
                ..monitor
            };
            let result = ResultMessage {
                node: own,
                resource: target.to_owned(),
                agent: agent.clone(),
                container: None,
                shutdown_lock: None,
                entry,
                recorded: true,
                repeated: true,
                on_fail: None,
            };
            self.send(Body::Results(vec![result]), out);
        }
    }

    /// Others say this node was fenced, and yet it runs (rules 4.57.6, 4.58.2).
    fn on_own_fencing(&mut self, record: &FenceRecord, out: &mut Outbox) {
        let reason = format!("fenced by {} on behalf of {}", record.origin, record.client);
        if self.options().fencing_reaction_panic {
            out.push(Output::Panic { reason: reason.clone() });
        }
        // the last word of this run: whoever relies on the device should know
        self.send(Body::FenceSurvived { operation: record.id.clone() }, out);
        self.end(100, &reason, out);
    }

    /// Answers everybody on this node who waits for the operation.
    pub(super) fn tell_waiting(&mut self, record: &FenceRecord, out: &mut Outbox) {
        let success = record.state == FenceState::Done;
        let mut planned = false;
        let mut unfenced = None;
        for waiting in self.fence_waiting.remove(&record.id).unwrap_or_default() {
            match waiting {
                Waiting::Client(id) => {
                    self.reply(id, fence_reply(record), out);
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

    /// Tried again at once, unless there is no hope for now (rule 4.55.1): nothing else keeps two nodes from fencing
    /// each other again and again (rule 4.55.5). The same for unfencing (rule 4.56.4).
    fn after_failed_fence(&mut self, record: &FenceRecord, planned: bool, out: &mut Outbox) {
        if self.coordinator.is_none() {
            return;
        }
        let most = self.options().fencing_max_attempts;
        let no_device = record.status == ExecutionStatus::NoFenceDevice.number();
        if no_device || self.fence_history.failures(&record.target) >= most {
            let text = format!("{} cannot be fenced: {}", record.target, record.reason);
            self.notice(Severity::Error, text, out);
        } else if planned {
            self.trigger(&format!("fencing of {} failed: {}", record.target, record.reason), None);
        }
    }

    /// A human says the node is down (rule 4.63).
    pub(super) fn confirm_fenced(&mut self, id: RequestId, target: &str, out: &mut Outbox) {
        let known = self.replica.all_nodes().into_iter().find(|(_, name)| name.eq_ignore_ascii_case(target));
        let Some((_, target)) = known else { return self.unknown_node(id, target, out) };
        self.notice(Severity::Warning, format!("a human confirmed that {target} is down"), out);
        let record = FenceRecord {
            id: self.next_fence_id(),
            action: "off".to_owned(),
            client: "stonith_admin".to_owned(),
            origin: self.config.name.clone(),
            owner: self.config.incarnation.clone(),
            executor: Some("a human".to_owned()),
            devices: Vec::new(),
            state: FenceState::Done,
            at: self.now.epoch_ms,
            reason: String::new(),
            status: 0,
            merged_into: None,
            target_incarnation: self.incarnation_of(&target),
            survived: false,
            target,
        };
        self.fence_waiting.entry(record.id.clone()).or_default().push(Waiting::Client(id));
        self.send_fence_done(record, out);
    }
}

fn fence_reply(record: &FenceRecord) -> Reply {
    if record.state == FenceState::Done {
        return Reply::Fenced(record.clone());
    }
    let code = if record.status == ExecutionStatus::TimedOut.number() {
        RefusalCode::TimedOut
    } else if record.status == ExecutionStatus::NoFenceDevice.number() {
        RefusalCode::NotFound
    } else {
        RefusalCode::Failed
    };
    refused(code, format!("fencing of {} failed: {}", record.target, record.reason))
}
