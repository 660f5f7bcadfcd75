//! Views and join rounds: hearing everybody once, then doing what the decision says, on every node alike.

use std::collections::{BTreeMap, VecDeque};

use super::coordination::Coordinator;
use super::{Member, Node};
use cib::options::NoQuorumPolicy;

use cib::iso8601::DateTime;
use cib::status::{MemberState, NodeState};

use crate::alerts::Occasion;
use crate::attributes::Attributes;
use crate::config::StartState;
use crate::event::{EventKind, Severity};
use crate::fencing::FenceState;
use crate::fencing::owner::Waiting;
use crate::history::{History, ResourceHistory};
use crate::interface::{Outbox, Output};
use crate::join::{DC_VERSION, Decision, Hello, decide};
use crate::membership::{NodeId, View};
use crate::message::Body;
use crate::operation::AgentName;
use crate::replica::{Version, node_state_path};
use crate::request::{AttributeUpdate, CibOperation, Phase};
use crate::text::Fragment;

/// The reason of the first plan after a round.
const MEMBERSHIP_CHANGED: &str = "the membership changed";

/// How long a manager may be away while its host is there, in milliseconds.
const MANAGER_RETURN: u64 = 3_000;

/// How long a member whose last run was fenced has to present another one, in milliseconds.
const FENCED_PATIENCE: u64 = 1_000;

/// The attribute that asks for an orderly leave.
pub const SHUTDOWN: &str = "shutdown";

impl Body {
    /// Said while a join round is under way as well: how a fencing operation goes (rule 4.50.3). Its result, which
    /// changes the CIB, waits for the end of the round.
    pub(super) fn goes_on_in_rounds(&self) -> bool {
        matches!(
            self,
            Body::FenceStarted { .. }
                | Body::FenceOffer { .. }
                | Body::FenceExecute(_)
                | Body::FenceExecuted { .. }
        )
    }

    /// Still matters after a join round, if it was not delivered before.
    fn outlives_round(&self) -> bool {
        !matches!(
            self,
            Body::Execute { .. }
                | Body::FlushAttributes { .. }
                | Body::ClearFailures { .. }
                | Body::Settled { .. }
                | Body::Differs { .. }
                | Body::Rejoin { .. }
                | Body::Load(_)
                | Body::Hello(_)
                | Body::CibCopy { .. }
                | Body::Proceed { .. }
        )
    }
}

impl Node {
    pub(super) fn on_view(&mut self, view: View, out: &mut Outbox) {
        if !view.members.contains(&self.config.id) {
            if self.view.members.contains(&self.config.id) {
                self.end(1, "this node is not in the membership any more", out);
            }
            return;
        }
        if view.id == self.view.id && view.members == self.view.members {
            self.on_quorum(view, out);
            return;
        }
        let names = |ids: &[NodeId]| ids.iter().map(|id| self.known_name(*id)).collect::<Vec<_>>();
        let came: Vec<NodeId> =
            view.members.iter().filter(|id| !self.view.members.contains(id)).copied().collect();
        let lost: Vec<NodeId> =
            self.view.members.iter().filter(|id| !view.members.contains(id)).copied().collect();
        let kind = EventKind::View {
            members: names(&view.members),
            came: names(&came),
            lost: names(&lost),
            quorate: view.quorate,
        };
        self.journal.view = Some(self.event(kind, None, Vec::new(), out));
        self.alert_of_hosts(&view, out);
        // whoever was away in between is another run
        self.fenced.retain(|id| view.hosts.contains(id) && !came.contains(id));
        let lost_quorum = self.view.quorate && !view.quorate;
        self.strangers.retain(|id, _| view.hosts.contains(id));
        self.view = view;
        if lost_quorum && self.dies_without_quorum(out) {
            return;
        }
        self.round = 0;
        self.enter_round(out);
    }

    /// Where a watchdog is in use, `no-quorum-policy=fence` takes every node down that had quorum and lost it, without
    /// waiting for a coordinator (rule 4.37.1); not one that is about to leave.
    fn dies_without_quorum(&mut self, out: &mut Outbox) -> bool {
        let policy = self.options().effective_no_quorum_policy(false, self.had_quorum);
        let dies =
            policy == NoQuorumPolicy::Fence && self.config.have_watchdog && self.shutting_down.is_none();
        if dies {
            let reason = "quorum was lost, and no-quorum-policy is fence: this host takes itself down";
            out.push(Output::Panic { reason: reason.to_owned() });
            self.end(100, reason, out);
        }
        dies
    }

    /// Every node alerts of every host that came or went (rule 4.11.5).
    fn alert_of_hosts(&mut self, view: &View, out: &mut Outbox) {
        let came = view.hosts.iter().filter(|id| !self.view.hosts.contains(id)).map(|id| (*id, true));
        let lost = self.view.hosts.iter().filter(|id| !view.hosts.contains(id)).map(|id| (*id, false));
        for (id, member) in came.chain(lost).collect::<Vec<_>>() {
            let name = self.known_name(id);
            self.alert(&Occasion::Node { name: &name, id: &id.to_string(), member }, out);
        }
    }

    /// A node's name from wherever it is known.
    pub(super) fn known_name(&self, id: NodeId) -> String {
        if let Some(member) = self.members.get(&id) {
            return member.name.clone();
        }
        let peer = self.config.peers.iter().find(|peer| peer.id == id);
        peer.map_or_else(|| id.to_string(), |peer| peer.name.clone())
    }

    fn on_quorum(&mut self, view: View, out: &mut Outbox) {
        let gained = view.quorate && !self.view.quorate;
        let lost = !view.quorate && self.view.quorate;
        let hosts_changed = view.hosts != self.view.hosts;
        self.fenced.retain(|id| view.hosts.contains(id));
        self.alert_of_hosts(&view, out);
        self.view = view;
        if lost && self.dies_without_quorum(out) {
            return;
        }
        if !self.is_joined() || !(gained || lost || hosts_changed) {
            return;
        }
        self.had_quorum |= self.view.quorate;
        self.was_quorate = self.view.quorate;
        self.on_quorum_as_dc(gained, lost, out);
        if hosts_changed && self.is_dc() {
            // a host without a manager came or went: what is known of its node is decided anew by all
            self.send(
                Body::Rejoin { reason: "hosts without a cluster manager came or went".to_owned() },
                out,
            );
        }
    }

    /// Begins a join round: everything of the last one is void, and this node presents itself.
    pub(super) fn enter_round(&mut self, out: &mut Outbox) {
        let outgoing = std::mem::take(&mut self.outgoing);
        for body in outgoing.into_iter().filter(Body::outlives_round).rev() {
            self.unsent.push_front(body);
        }
        self.phase = Phase::Joining;
        self.hellos.clear();
        self.silent.clear();
        self.awaiting_copy = None;
        self.coordinator = None;
        self.settled = false;
        self.round_deadline = Some(self.now.monotonic + self.options().join_integration_timeout);
        // in a new view it may be another run that has not spoken yet
        let patience = if self.round == 0 { FENCED_PATIENCE } else { 0 };
        let some_fenced = self.fenced.iter().any(|id| self.view.members.contains(id));
        self.fenced_deadline = some_fenced.then_some(self.now.monotonic + patience);
        self.await_strangers();
        let hello = Box::new(self.hello());
        self.broadcast(Body::Hello(hello), out);
        if !self.fresh {
            self.go_on_fencing(out);
        }
    }

    /// Says again in this round what of fencing has not been heard; what a lost owner was to manage is this
    /// node's now.
    fn go_on_fencing(&mut self, out: &mut Outbox) {
        let (fencing, others): (VecDeque<Body>, VecDeque<Body>) =
            std::mem::take(&mut self.unsent).into_iter().partition(Body::goes_on_in_rounds);
        self.unsent = others;
        for mut body in fencing {
            if let Body::FenceStarted { record, request } = &mut body {
                let owner = self.fence_owner(&request.target);
                record.origin = self.name_of(owner);
                record.owner = self.incarnations.get(&owner).cloned().unwrap_or_default();
            }
            self.send(body, out);
        }
    }

    fn hello(&self) -> Hello {
        Hello {
            started: self.started.unwrap_or(self.now.epoch_ms),
            fresh: self.fresh,
            is_dc: self.is_dc(),
            was_quorate: self.was_quorate,
            quorate: self.view.quorate,
            hosts: self.view.hosts.iter().filter(|id| !self.fenced.contains(id)).copied().collect(),
            version: self.replica.version(),
            digest: self.replica.digest(),
            history: self.history.of_node(self.config.id),
            attributes: self.attributes.clone(),
            fencing: self.fence_history.records().to_vec(),
            shutting_down: self.shutting_down,
            had_quorum: self.had_quorum,
            now: self.now.epoch(),
            load: self.load,
            schema: self.replica.schema(),
            ..Hello::new(&self.config)
        }
    }

    pub(super) fn on_hello(&mut self, hello: Hello, out: &mut Outbox) {
        if self.phase != Phase::Joining || self.awaiting_copy.is_some() {
            return;
        }
        // it lives: the membership may have missed that it was away
        self.fenced.remove(&hello.id);
        self.strangers.remove(&hello.id);
        self.hellos.insert(hello.id, hello);
        self.decide_if_complete(out);
    }

    fn decide_if_complete(&mut self, out: &mut Outbox) {
        let heard = |id: &NodeId| self.hellos.contains_key(id) || self.silent.contains(id);
        if !self.view.members.iter().all(heard) {
            return;
        }
        let Some(decision) = decide(&self.hellos) else { return };
        if let Some((_, reason)) = decision.refused.iter().find(|(id, _)| *id == self.config.id) {
            let reason = reason.clone();
            self.event(EventKind::JoinRefused { reason: reason.clone() }, None, Vec::new(), out);
            self.end(100, &reason, out);
        } else if decision.copy_needed {
            if decision.cib_from == self.config.id {
                let (version, digest) = (self.replica.version(), self.replica.digest());
                self.broadcast(Body::CibCopy { version, digest, text: self.replica.text() }, out);
            }
            self.awaiting_copy = Some(decision);
            self.round_deadline = Some(self.now.monotonic + self.options().join_finalization_timeout);
        } else {
            self.complete(decision, out);
        }
    }

    pub(super) fn on_cib_copy(
        &mut self,
        from: NodeId,
        version: Version,
        digest: &str,
        text: &str,
        out: &mut Outbox,
    ) {
        let Some(decision) = self.awaiting_copy.take_if(|decision| decision.cib_from == from) else { return };
        if (self.replica.version(), self.replica.digest().as_str()) != (version, digest) {
            if let Err(problem) = self.replica.adopt(text) {
                let reason = format!("the cluster's CIB cannot be used here: {problem}");
                self.end(100, &reason, out);
                return;
            }
            self.cib_file.stale = true;
            self.use_configuration();
        }
        self.complete(decision, out);
    }

    /// Somebody stayed silent too long, or owes the CIB that won: the round goes on without (rule 4.22.4).
    pub(super) fn proceed_without_silent(&mut self, out: &mut Outbox) {
        match self.awaiting_copy.as_ref().map(|decision| decision.cib_from) {
            Some(winner) => self.broadcast(Body::Proceed { without: vec![winner] }, out),
            None => self.proceed_without(self.view.members.clone(), out),
        }
    }

    /// The round goes on without those of these members that have said nothing.
    pub(super) fn proceed_without(&mut self, members: Vec<NodeId>, out: &mut Outbox) {
        let silent = |id: &NodeId| self.view.members.contains(id) && !self.hellos.contains_key(id);
        let without: Vec<NodeId> = members.into_iter().filter(silent).collect();
        if self.phase == Phase::Joining && self.awaiting_copy.is_none() && !without.is_empty() {
            self.broadcast(Body::Proceed { without }, out);
        }
    }

    /// The coordinator was fenced: the others choose another one, though the membership still counts it
    /// (rule 4.57.2).
    pub(super) fn replace_fenced_coordinator(&mut self, out: &mut Outbox) {
        self.notice(Severity::Info, "the coordinator was fenced: all members join again".to_owned(), out);
        self.round += 1;
        self.enter_round(out);
    }

    pub(super) fn on_proceed(&mut self, without: Vec<NodeId>, out: &mut Outbox) {
        if self.phase != Phase::Joining {
            return;
        }
        if let Some(winner) = self.awaiting_copy.as_ref().map(|decision| decision.cib_from) {
            if !without.contains(&winner) {
                return;
            }
            self.awaiting_copy = None;
            self.hellos.remove(&winner);
            self.round_deadline = Some(self.now.monotonic + self.options().join_integration_timeout);
        }
        let silent = without.into_iter().filter(|id| !self.hellos.contains_key(id));
        self.silent.extend(silent);
        if self.silent.contains(&self.config.id) {
            self.end(1, "the cluster went on without this node", out);
            return;
        }
        self.decide_if_complete(out);
    }

    pub(super) fn on_rejoin(&mut self, reason: &str, out: &mut Outbox) {
        self.notice(Severity::Warning, format!("all members join again: {reason}"), out);
        self.round += 1;
        self.enter_round(out);
    }

    /// Does what the round decided (rule 4.22.2): members, their true histories, attributes, node states. Every member
    /// runs this with the same hellos and the same CIB.
    fn complete(&mut self, decision: Decision, out: &mut Outbox) {
        let hellos = std::mem::take(&mut self.hellos);
        let Some(dc) = hellos.get(&decision.dc) else { return };
        self.round_deadline = None;
        self.fenced_deadline = None;
        self.stranger_deadline = None;
        self.take_members(&decision, &hellos);
        self.take_history(&decision, &hellos);
        self.take_attributes(&decision, dc, &hellos);
        self.take_fencing(&decision, dc, &hellos, out);
        let changes = self.join_changes(&decision, dc, &hellos);
        let before = self.replica.version();
        if let Err(problem) = self.replica.apply(&changes, &dc.name, dc.now) {
            let text = format!("the join could not be written into the CIB: {problem}");
            self.notice(Severity::Error, text, out);
        }
        self.after_own_change(before);
        let shown = self.join_histories(&decision);
        self.write_histories(shown.iter().map(|(node, resource)| (*node, resource.as_str())));
        self.finish_round(&decision, dc, &hellos, out);
    }

    /// The resources of whose histories the CIB has to show something, or to show it no more.
    fn join_histories(&self, decision: &Decision) -> Vec<(NodeId, String)> {
        let mut shown: BTreeMap<String, Vec<String>> =
            self.replica.histories().into_iter().map(|(id, _, resources)| (id, resources)).collect();
        let of_member = |id: &NodeId| {
            let mut resources = self.history.resources_of(*id);
            resources.extend(shown.remove(&id.to_string()).unwrap_or_default());
            resources.sort();
            resources.dedup();
            resources.into_iter().map(|resource| (*id, resource)).collect::<Vec<_>>()
        };
        decision.members.iter().flat_map(of_member).collect()
    }

    fn take_members(&mut self, decision: &Decision, hellos: &BTreeMap<NodeId, Hello>) {
        self.members.clear();
        for hello in decision.members.iter().filter_map(|id| hellos.get(id)) {
            self.incarnations.insert(hello.id, hello.incarnation.clone());
            let member = Member {
                name: hello.name.clone(),
                feature_set: hello.feature_set.clone(),
                action_limit: hello.action_limit,
                own_action_limit: hello.own_action_limit,
                load: hello.load,
            };
            self.members.insert(hello.id, member);
        }
    }

    fn take_history(&mut self, decision: &Decision, hellos: &BTreeMap<NodeId, Hello>) {
        let locked = self.locked_resources(decision, hellos);
        self.history = History::default();
        for hello in decision.members.iter().filter_map(|id| hellos.get(id)) {
            self.history.nodes.extend(hello.history.nodes.clone());
            self.history.in_flight.extend(hello.history.in_flight.clone());
        }
        let in_flight = &self.history.in_flight;
        self.journal.starts.retain(|key, _| in_flight.contains_key(key));
        for (node, resource, history) in locked {
            self.history.nodes.entry(node).or_default().entry(resource).or_insert(history);
        }
    }

    /// Resources locked to a node that comes back: they stay locked, without operations (rule 4.22.7).
    fn locked_resources(
        &self,
        decision: &Decision,
        hellos: &BTreeMap<NodeId, Hello>,
    ) -> Vec<(NodeId, String, ResourceHistory)> {
        let fresh = |id: &&NodeId| hellos.get(id).is_some_and(|hello| hello.fresh);
        let mut locked = Vec::new();
        let cib = self.replica.typed();
        for id in decision.members.iter().filter(fresh) {
            let state = cib.status.nodes.iter().find(|state| *state.id == *id.to_string());
            for resource in state.iter().flat_map(|state| &state.history) {
                let (Some(lock), Some(class), Some(kind)) =
                    (resource.shutdown_lock, &resource.class, &resource.agent_type)
                else {
                    continue;
                };
                let agent = AgentName {
                    class: class.to_string(),
                    provider: resource.provider.as_ref().map(ToString::to_string),
                    agent_type: kind.to_string(),
                };
                let mut history = ResourceHistory::new(agent);
                history.shutdown_lock = Some(lock);
                locked.push((*id, resource.id.to_string(), history));
            }
        }
        locked
    }

    /// Each member's own values win; the DC's for remote nodes; values of lost nodes are gone (rule 4.28). Each member's
    /// feature set is one of its attributes (rule 4.22.5).
    fn take_attributes(&mut self, decision: &Decision, dc: &Hello, hellos: &BTreeMap<NodeId, Hello>) {
        let mut attributes: Attributes = dc.attributes.clone();
        let cluster_nodes = self.cluster_node_names(dc, hellos);
        for name in attributes.nodes() {
            if cluster_nodes.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                attributes.forget_node(&name);
            }
        }
        for hello in decision.members.iter().filter_map(|id| hellos.get(id)) {
            attributes.take_node(&hello.attributes, &hello.name);
            attributes
                .update(&AttributeUpdate::set(&hello.name, "#feature-set", &hello.feature_set), &hello.name);
            if let Some(at) = hello.shutting_down {
                attributes.update(&AttributeUpdate::set(&hello.name, SHUTDOWN, &at.to_string()), &hello.name);
            }
        }
        self.attributes = attributes;
        self.flush_at.clear();
    }

    fn cluster_node_names(&self, dc: &Hello, hellos: &BTreeMap<NodeId, Hello>) -> Vec<String> {
        let mut names: Vec<String> = dc.peers.iter().map(|peer| peer.name.clone()).collect();
        names.extend(hellos.values().map(|hello| hello.name.clone()));
        names.extend(self.replica.cluster_nodes().into_iter().map(|(_, name)| name));
        names
    }

    /// What the members know of fencing. Operations of runs that are gone have failed: the DC's next plan sees to
    /// them (rule 4.55.3), since a node stays unclean until it was fenced (rule 4.55.4).
    fn take_fencing(
        &mut self,
        decision: &Decision,
        dc: &Hello,
        hellos: &BTreeMap<NodeId, Hello>,
        out: &mut Outbox,
    ) {
        let told = decision.members.iter().filter_map(|id| hellos.get(id)).flat_map(|hello| &hello.fencing);
        let news = told.filter(|record| self.fence_history.take(record)).count();
        if news > 0 {
            let how = format!("{news} fencing operations are known from other nodes");
            self.event(EventKind::FenceHistoryChanged { how }, None, Vec::new(), out);
        }
        let runs: Vec<&str> = decision
            .members
            .iter()
            .filter_map(|id| hellos.get(id))
            .map(|hello| &*hello.incarnation)
            .collect();
        for mut record in self.fence_history.abandoned(&runs) {
            record.state = FenceState::Failed;
            record.status = crate::ExecutionStatus::Error.number();
            record.reason = "the node that managed it is lost".to_owned();
            record.at = dc.now * 1000;
            self.fence_history.take(&record);
            self.inquiries.forget(&record.id);
            self.event(EventKind::FenceDone(record.clone()), None, Vec::new(), out);
            self.alert(&Occasion::Fencing(&record), out);
            self.end_merged(&record, out);
            self.tell_waiting(&record, out);
        }
        for waiting in self.fence_waiting.values_mut() {
            waiting.retain(|one| matches!(one, Waiting::Client(_)));
        }
    }

    /// What the round changes in the CIB: node states, attributes, facts about DC and quorum.
    fn join_changes(
        &mut self,
        decision: &Decision,
        dc: &Hello,
        hellos: &BTreeMap<NodeId, Hello>,
    ) -> Vec<CibOperation> {
        let mut changes = vec![modify(root_text(dc))];
        changes.extend(self.configuration_changes(decision, dc, hellos));
        let cib = self.replica.typed();
        for hello in decision.members.iter().filter_map(|id| hellos.get(id)) {
            let known = cib.status.nodes.iter().find(|state| *state.id == *hello.id.to_string());
            if known.is_some() {
                let path = node_state_path(&hello.id.to_string());
                changes.push(delete(format!("{path}/transient_attributes")));
            }
            let time = |since: i64| if since > 1 && !hello.fresh { since } else { dc.now };
            let since = time(known.map_or(0, |state| state.member.time(dc.now)));
            let online = time(known.map_or(0, |state| state.peer.time()));
            let mut out = Fragment::new();
            out.open("node_state").attribute("id", hello.id).attribute("uname", &hello.name);
            out.attribute("in_ccm", since).attribute("crmd", online);
            out.attribute("join", "member").attribute("expected", "member");
            out.attribute("crm-debug-origin", "join");
            out.open("lrm").attribute("id", hello.id).open("lrm_resources");
            changes.push(modify_status(out.finish()));
        }
        for state in cib.status.nodes.iter().filter(|state| !state.remote_node) {
            let is_member = decision.members.iter().any(|id| *state.id == *id.to_string());
            let is_remote = self.replica.is_remote(&state.id);
            if is_member || is_remote {
                continue;
            }
            let is_host = dc.hosts.iter().any(|id| *state.id == *id.to_string());
            changes.push(delete(format!("{}/transient_attributes", node_state_path(&state.id))));
            let mut out = Fragment::new();
            out.open("node_state").attribute("id", &state.id);
            out.attribute("in_ccm", if is_host { since_when_without_manager(state, dc.now) } else { 0 });
            out.attribute("crmd", 0).attribute("join", "down");
            if state.expected.is_none() {
                out.attribute("expected", "down");
            }
            changes.push(modify_status(out.finish()));
        }
        let ids = self.node_ids(&cib);
        let flush = self.attributes.flush_all(&|name| ids(name));
        changes.extend(flush.modify.into_iter().map(modify_status));
        changes
    }

    /// Nodes and properties that the cluster itself maintains (rules 4.20.7, 4.21.5, 4.22.6).
    fn configuration_changes(
        &self,
        decision: &Decision,
        dc: &Hello,
        hellos: &BTreeMap<NodeId, Hello>,
    ) -> Vec<CibOperation> {
        let mut nodes: BTreeMap<NodeId, String> =
            dc.peers.iter().map(|peer| (peer.id, peer.name.clone())).collect();
        nodes.extend(
            decision
                .members
                .iter()
                .filter_map(|id| hellos.get(id))
                .map(|hello| (hello.id, hello.name.clone())),
        );
        let mut changes = Vec::new();
        for (id, name) in self.replica.cluster_nodes() {
            let other_id =
                nodes.iter().any(|(now, known)| known.eq_ignore_ascii_case(&name) && now.to_string() != id);
            if other_id {
                changes.push(delete(format!("/cib/configuration/nodes/node[@id='{id}']")));
                changes.push(delete(node_state_path(&id)));
            }
        }
        for (id, name) in &nodes {
            let mut out = Fragment::new();
            out.open("nodes").open("node").attribute("id", id).attribute("uname", name);
            let start = hellos
                .get(id)
                .filter(|hello| hello.fresh)
                .map_or(StartState::Default, |hello| hello.start_state);
            if start != StartState::Default {
                out.open("instance_attributes").attribute("id", format!("nodes-{id}"));
                out.open("nvpair").attribute("id", format!("nodes-{id}-standby"));
                out.attribute("name", "standby").attribute("value", start == StartState::Standby);
            }
            changes.push(modify_scope("nodes", out.finish()));
        }
        let mut properties = vec![
            ("dc-version", DC_VERSION.to_owned()),
            ("cluster-infrastructure", dc.infrastructure.clone()),
            ("have-watchdog", dc.have_watchdog.to_string()),
        ];
        // the DC's moment for all, in the zone that all nodes of a cluster share
        let now = DateTime::from_timestamp(dc.now, self.now.offset);
        if let (Some(name), None) = (&dc.cluster_name, self.replica.property("cluster-name", now)) {
            properties.push(("cluster-name", name.clone()));
        }
        for (name, value) in properties {
            if self.replica.property(name, now).as_deref() != Some(&value) {
                changes.push(set_property(name, &value));
            }
        }
        changes
    }

    fn finish_round(
        &mut self,
        decision: &Decision,
        dc: &Hello,
        hellos: &BTreeMap<NodeId, Hello>,
        out: &mut Outbox,
    ) {
        self.phase = if self.shutting_down.is_some() { Phase::ShuttingDown } else { Phase::Joined };
        self.fresh = false;
        self.dc = Some(decision.dc);
        self.was_quorate = dc.quorate;
        self.had_quorum |= self.view.quorate;
        let view = self.journal.view.into_iter().collect();
        let kind = EventKind::Joined {
            dc: dc.name.clone(),
            members: self.members.values().map(|member| member.name.clone()).collect(),
            cib_version: self.replica.version().to_string(),
            cib_from: hellos.get(&decision.cib_from).map_or_else(String::new, |hello| hello.name.clone()),
        };
        let joined = self.event(kind, None, view, out);
        self.journal.note_reason(MEMBERSHIP_CHANGED, joined);
        if self.is_dc() {
            let had_quorum = hellos.values().any(|hello| hello.had_quorum) || self.had_quorum;
            self.had_quorum |= had_quorum;
            let hold = self.planning_hold();
            self.coordinator = Some(Coordinator::new(hold));
            self.trigger(MEMBERSHIP_CHANGED, None);
        }
        let unsent = std::mem::take(&mut self.unsent);
        for body in unsent {
            self.send(body, out);
        }
        self.withdraw_fences(out);
    }

    /// Until when nothing is planned.
    fn planning_hold(&self) -> Option<u64> {
        self.start_hold().max(self.return_hold())
    }

    /// A manager that vanished while its host is still there has been killed or has crashed, and comes back
    /// at once: its node is not given up before it has had the time to (rule 4.38.1). Its resources run on
    /// meanwhile, so nothing of them may be started elsewhere either.
    fn return_hold(&self) -> Option<u64> {
        let cib = self.replica.typed();
        let vanished = |id: &NodeId| {
            let state = cib.status.nodes.iter().find(|state| *state.id == *id.to_string());
            state.is_some_and(|state| state.expected.as_deref() == Some("member"))
        };
        let mut gone = self.view.hosts.iter().filter(|id| !self.view.members.contains(id));
        gone.any(vanished).then_some(self.now.monotonic + MANAGER_RETURN)
    }

    /// Nodes that were never seen may still be starting (rules 4.21.2 and 4.41.1).
    fn start_hold(&self) -> Option<u64> {
        let cib = self.replica.typed();
        let seen = |id: &str| cib.status.nodes.iter().any(|state| *state.id == *id);
        let missing = self.replica.cluster_nodes().iter().any(|(id, _)| !seen(id));
        let age = u64::try_from(self.now.epoch_ms - self.started.unwrap_or(self.now.epoch_ms)).unwrap_or(0);
        let wait = self.options().dc_deadtime.saturating_sub(age);
        (missing && wait > 0).then_some(self.now.monotonic + wait)
    }
}

/// `in_ccm` of a host whose manager does not run (rule 4.24.1): 1 if it did, else since when the host is a member, so
/// that `node-pending-timeout` counts from then (rule 4.24.6). `now`: epoch seconds.
fn since_when_without_manager(state: &NodeState, now: i64) -> i64 {
    match state.member {
        _ if state.peer.time() > 0 => 1,
        MemberState::Member => 1,
        MemberState::Since(time) => time,
        MemberState::NotMember | MemberState::Unknown => now,
    }
}

fn root_text(dc: &Hello) -> String {
    let mut out = Fragment::new();
    out.open("cib").attribute("crm_feature_set", &dc.feature_set);
    out.attribute("have-quorum", u8::from(dc.quorate)).attribute("dc-uuid", dc.id);
    out.finish()
}

/// Merges into the whole document.
pub(super) fn modify(xml: String) -> CibOperation {
    CibOperation::Modify { scope: None, xpath: None, xml, allow_create: true, score: false }
}

pub(super) fn modify_scope(scope: &str, xml: String) -> CibOperation {
    CibOperation::Modify { scope: Some(scope.to_owned()), xpath: None, xml, allow_create: true, score: false }
}

/// Merges a `node_state`.
pub(super) fn modify_status(node_state: String) -> CibOperation {
    modify_scope("status", format!("<status>{node_state}</status>"))
}

pub(super) fn delete(xpath: String) -> CibOperation {
    CibOperation::DeleteXpath { xpath, all: true }
}

/// Sets a cluster property where the cluster itself keeps them.
pub(super) fn set_property(name: &str, value: &str) -> CibOperation {
    let mut out = Fragment::new();
    out.open("crm_config").open("cluster_property_set").attribute("id", cib::nvpair::BOOTSTRAP_OPTIONS);
    out.open("nvpair").attribute("id", format!("{}-{name}", cib::nvpair::BOOTSTRAP_OPTIONS));
    out.attribute("name", name).attribute("value", value);
    modify_scope("crm_config", out.finish())
}
