//! Commands in total order: what every member does alike when one is delivered.

use std::collections::{BTreeMap, BTreeSet};

use cib::live::HistoryChange;

use super::Node;
use super::joining::{SHUTDOWN, delete, modify_status, set_property};
use crate::alerts::Occasion;
use crate::attributes::Updated;
use crate::event::{EventKind, Severity};
use crate::executor::Order;
use crate::history::{Entry, InFlight, InFlightKey, NO_TRANSITION};
use crate::interface::Outbox;
use crate::join::FEATURE_SET;
use crate::membership::NodeId;
use crate::message::{Body, Forget, PlanNotice, ResultMessage, Task, Work};
use crate::operation::ExecutionStatus;
use crate::replica::{Version, node_state_path};
use crate::request::{
    AttributeAction, AttributeUpdate, CibChange, CibOperation, Phase, Refusal, RefusalCode, Reply, RequestId,
};

/// Parts of the names of node attributes that mean something without being configured (rule 4.26.3).
const KNOWN_TO_THE_SCHEDULER: [&str; 9] = [
    "standby",
    "maintenance",
    "shutdown",
    "terminate",
    "fail-count-",
    "last-failure-",
    "master-",
    "site-name",
    "resource-discovery-enabled",
];

impl Node {
    /// Does what a message says. It was sent in this view and round.
    pub(super) fn deliver(&mut self, from: NodeId, body: Body, out: &mut Outbox) {
        match body {
            Body::Hello(hello) => self.on_hello(*hello, out),
            Body::CibCopy { version, digest, text } => self.on_cib_copy(from, version, &digest, &text, out),
            Body::Proceed { without } => self.on_proceed(without, out),
            // the last word of a run that is no member any more because it was fenced
            Body::FenceSurvived { operation } => self.on_fence_survived(from, &operation, out),
            // senders wait for the end of the round; whoever is left out of one has nothing to say in it
            _ if !self.hears(from, &body) => {}
            Body::Rejoin { reason } => self.on_rejoin(&reason, out),
            Body::Change { request, change, at } => self.on_change(from, request, &change, at, out),
            Body::Attributes { request, updates } => self.on_attributes(from, request, &updates, out),
            Body::FlushAttributes { names } => self.flush_attributes(&names, out),
            Body::Execute { plan, work } => self.on_execute(&plan, work, out),
            Body::Results(results) => results.into_iter().for_each(|result| self.on_result(result, out)),
            Body::Cancelled { key } => self.on_cancelled(&key, out),
            Body::Forget { request, what, at } => self.on_forget(from, request, &what, at, out),
            Body::ClearFailures { node, resource, operation, interval } => {
                self.on_clear_failures(&node, &resource, operation.as_deref(), interval, out);
            }
            Body::Settled { version, digest } => self.on_settled(from, version, digest, out),
            Body::Differs { version, digest } => self.on_differs(from, version, digest, out),
            Body::ShutdownRequested { node, at } => self.on_shutdown_requested(node, at, out),
            Body::FailResource { request, resource, node } => {
                self.on_fail_resource(from, request, &resource, &node, out);
            }
            Body::FenceStarted { record, request } => self.on_fence_started(from, record, request, out),
            Body::FenceOffer { operation, devices, complete } => {
                self.on_fence_offer(from, &operation, devices, complete, out);
            }
            Body::FenceExecute(order) => self.on_fence_execute(order, out),
            Body::FenceExecuted { operation, attempt, status, reason } => {
                self.on_fence_executed(&operation, attempt, status, &reason, out);
            }
            Body::FenceDone(record) => self.on_fence_done(record, out),
            Body::ForgetFencing { request, target } => {
                self.fence_history.forget(target.as_deref());
                let of = target.map(|name| format!(" of {name}")).unwrap_or_default();
                let how = format!("finished fencing operations{of} were forgotten");
                self.event(EventKind::FenceHistoryChanged { how }, None, Vec::new(), out);
                self.reply_if_own(from, request, Reply::Done, out);
            }
            Body::RemoveNode { request, name, at } => self.on_remove_node(from, request, &name, at, out),
            Body::Load(load) => {
                if let Some(member) = self.members.get_mut(&from) {
                    member.load = load;
                }
            }
            Body::GuestFenced { name, at } => self.note_node_down(&name, at),
        }
    }

    fn hears(&self, from: NodeId, body: &Body) -> bool {
        match self.phase {
            Phase::Joining => body.goes_on_in_rounds() && !self.fenced.contains(&from),
            _ => self.is_joined() && self.members.contains_key(&from),
        }
    }

    /// Answers the client if this node was asked.
    pub(super) fn reply_if_own(
        &mut self,
        from: NodeId,
        request: Option<RequestId>,
        reply: Reply,
        out: &mut Outbox,
    ) {
        if let (true, Some(id)) = (from == self.config.id, request) {
            self.reply(id, reply, out);
        }
    }

    /// Consequences of a change of the replica, whoever made it. `before`: the version before it.
    pub(super) fn after_own_change(&mut self, before: Version) -> bool {
        let after = self.replica.version();
        if after != before {
            self.settled = false;
        }
        let configuration = (before.admin_epoch, before.epoch) != (after.admin_epoch, after.epoch);
        if configuration {
            self.cib_file.stale = true;
            self.use_configuration();
        }
        configuration
    }

    /// Applies changes of the status that follow from commands. They cannot be refused but by a bug.
    pub(super) fn write_status(&mut self, changes: &[CibOperation]) {
        self.write_own(changes, 0);
    }

    /// The same for changes that concern the configuration as well. `at`: epoch seconds, from the command.
    fn write_own(&mut self, changes: &[CibOperation], at: i64) {
        if changes.is_empty() {
            return;
        }
        let before = self.replica.version();
        let origin = self.dc().unwrap_or_default().to_owned();
        let outcome = self.replica.apply(changes, &origin, at);
        debug_assert!(outcome.is_ok(), "own change refused: {outcome:?}: {changes:?}");
        self.after_own_change(before);
    }

    fn on_change(
        &mut self,
        from: NodeId,
        request: Option<RequestId>,
        change: &CibChange,
        at: i64,
        out: &mut Outbox,
    ) {
        let before = self.replica.version();
        let origin = self.name_of(from);
        let asked_here = from == self.config.id && request.is_some() && !change.dry_run;
        let present = self.now.local();
        let slips = if asked_here { self.replica.slips(present) } else { Default::default() };
        // the DC has the oldest (rule 4.21.3)
        let dc = self.dc.and_then(|dc| self.members.get(&dc));
        let feature_set = dc.map_or_else(|| FEATURE_SET.to_owned(), |member| member.feature_set.clone());
        let outcome = self.replica.change(change, &origin, at, &feature_set);
        let reply = match outcome {
            Ok(changed) if change.dry_run => Reply::Xml(changed.would_be.unwrap_or_default()),
            Ok(changed) => {
                let mut warnings = changed.warnings;
                self.cib_file.stale |= changed.root;
                let after = self.replica.version();
                let configuration = self.after_own_change(before);
                if after != before {
                    let kind = EventKind::CibChanged {
                        version: after.to_string(),
                        configuration,
                        origin,
                        program: change.client.program.clone(),
                        user: change.client.user.clone(),
                    };
                    let event = self.event(kind, None, Vec::new(), out);
                    let what = if configuration { "the configuration changed" } else { "the CIB changed" };
                    self.trigger(what, Some(event));
                }
                if asked_here && configuration {
                    warnings.extend(self.replica.slips(present).since(&slips));
                }
                Reply::Changed { version: after.to_string(), configuration, warnings }
            }
            Err(refusal) => Reply::Refused(refusal),
        };
        self.reply_if_own(from, request, reply, out);
        if self.replica.version() != before && touches_node_states(&change.operation) {
            // the coordinator's part of the CIB was written over (rule 4.23.9): everybody says again what is
            self.notice(Severity::Info, "node states were replaced: all members join again".to_owned(), out);
            self.round += 1;
            self.enter_round(out);
        }
    }

    fn on_attributes(
        &mut self,
        from: NodeId,
        request: Option<RequestId>,
        updates: &[AttributeUpdate],
        out: &mut Outbox,
    ) {
        let default = self.name_of(from);
        let mut reply = Reply::Done;
        for update in updates {
            let node = update.node.clone().unwrap_or_else(|| default.clone());
            let Some(node) = self.attribute_node(&node) else {
                reply = refused(RefusalCode::NotFound, format!("no node {node} is known"));
                continue;
            };
            for one in self.expand_pattern(update, &mut reply) {
                let one = AttributeUpdate { node: Some(node.clone()), ..one };
                let updated = self.attributes.update(&one, &node);
                self.after_update(updated, out);
            }
        }
        self.reply_if_own(from, request, reply, out);
    }

    fn after_update(&mut self, updated: Updated, out: &mut Outbox) {
        for change in updated.changes {
            let what = format!("attribute {} of {} changed", change.name, change.node);
            let matters = self.may_matter(&change.name);
            let kind =
                EventKind::AttributeChanged { name: change.name, node: change.node, value: change.value };
            let event = self.event(kind, None, Vec::new(), out);
            if matters && !updated.write.is_empty() {
                self.trigger(&what, Some(event));
            }
        }
        self.flush_attributes(&updated.write, out);
        for (name, delay) in updated.delay {
            self.flush_at.insert(name, self.now.monotonic + delay);
        }
    }

    /// The updates an expression stands for (rule 4.27.1).
    fn expand_pattern(&self, update: &AttributeUpdate, reply: &mut Reply) -> Vec<AttributeUpdate> {
        if !update.pattern {
            return vec![update.clone()];
        }
        let Ok(pattern) = cib::pattern::Pattern::expression(&update.name) else {
            *reply = refused(RefusalCode::Invalid, format!("{} is not a regular expression", update.name));
            return Vec::new();
        };
        let names: Vec<String> =
            self.attributes.names("", None).into_iter().filter(|name| pattern.matches(name)).collect();
        if names.is_empty() && matches!(update.action, AttributeAction::Set(_)) {
            *reply = refused(RefusalCode::NotFound, format!("no attribute matches {}", update.name));
        }
        names.into_iter().map(|name| AttributeUpdate { name, pattern: false, ..update.clone() }).collect()
    }

    /// The node's name as the cluster writes it; nothing for unknown ones.
    fn attribute_node(&self, name: &str) -> Option<String> {
        if let Some(member) = self.members.values().find(|member| member.name.eq_ignore_ascii_case(name)) {
            return Some(member.name.clone());
        }
        let known = self
            .replica
            .all_nodes()
            .into_iter()
            .find(|(id, known)| known.eq_ignore_ascii_case(name) || id.eq_ignore_ascii_case(name));
        known.map(|(_, name)| name)
    }

    /// Ids by node names, for the status.
    pub(super) fn node_ids(&self, cib: &cib::Cib) -> impl Fn(&str) -> Option<String> + use<> {
        let mut ids: Vec<(String, String)> =
            self.members.iter().map(|(id, member)| (member.name.clone(), id.to_string())).collect();
        for state in &cib.status.nodes {
            ids.push((state.uname.as_deref().unwrap_or(&state.id).to_owned(), state.id.to_string()));
        }
        ids.extend(self.replica.all_nodes().into_iter().map(|(id, name)| (name, id)));
        // who is no cluster node is a remote one, whose id is its name
        move |name| {
            let known = ids.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            Some(known.map_or_else(|| name.to_owned(), |(_, id)| id.clone()))
        }
    }

    pub(super) fn flush_attributes(&mut self, names: &[String], out: &mut Outbox) {
        if names.is_empty() {
            return;
        }
        let ids = self.node_ids(&cib::Cib::default());
        let mut changes = Vec::new();
        for name in names {
            self.flush_at.remove(name);
            let flush = self.attributes.flush(name, &|node| ids(node));
            changes.extend(flush.delete.into_iter().map(delete));
            changes.extend(flush.modify.into_iter().map(modify_status));
            // every node writes them; one of them tells (rule 4.11.5)
            for change in flush.changes.iter().filter(|_| self.is_dc()).collect::<Vec<_>>() {
                let id = ids(&change.node).unwrap_or_default();
                let (name, node) = (change.name.as_str(), change.node.as_str());
                let value = change.value.as_deref();
                self.alert(&Occasion::Attribute { name, node, id: &id, value }, out);
            }
        }
        if names.iter().any(|name| self.may_matter(name)) {
            self.write_status(&changes);
            self.trigger("node attributes were written", None);
        } else {
            // a cluster at rest stays so: there is nothing to be done about it
            let settled = self.settled;
            self.write_status(&changes);
            self.settled = settled;
        }
    }

    /// Whether a node attribute can change a plan: one that the scheduler knows, or that the configuration names.
    fn may_matter(&self, attribute: &str) -> bool {
        attribute.starts_with('#')
            || KNOWN_TO_THE_SCHEDULER.iter().any(|part| attribute.contains(part))
            || self.replica.mentions(attribute)
    }

    fn on_execute(&mut self, plan: &PlanNotice, work: Vec<Work>, out: &mut Outbox) {
        self.settled = false;
        if plan.first {
            let causes = self.journal.take_reasons(&plan.because);
            let kind = EventKind::Planned {
                transition: plan.transition,
                actions: plan.actions,
                summary: plan.summary.clone(),
            };
            let event = self.event(kind, Some(plan.because.join("; ")), causes, out);
            self.journal.plan = Some(event);
        }
        // rule 4.15.3: before any agent is started
        self.note_pending(plan, &work);
        for item in work {
            self.journal_start(plan.transition, &item, out);
            if matches!(item.task, Task::Shutdown) {
                self.note_leaving(item.node);
            }
            if item.node == self.config.id {
                self.perform(item.task, out);
            }
        }
    }

    /// From now on the node is expected to go: nothing runs on it any more. Not before (rule 4.24.4): one that wants to
    /// leave and dies while it still stops its resources must be fenced like any other.
    fn note_leaving(&mut self, node: NodeId) {
        self.catch_up();
        self.write_status(&[modify_status(format!("<node_state id=\"{node}\" expected=\"down\"/>"))]);
    }

    /// Everybody writes the pending entries (rule 4.29.6).
    fn note_pending(&mut self, plan: &PlanNotice, work: &[Work]) {
        let mut changed = Vec::new();
        for item in work {
            let Task::Run(order) = &item.task else { continue };
            let key = in_flight_key(item.node, order);
            let entry = order.pending_entry(plan.at);
            let operation = InFlight {
                agent: order.agent.clone(),
                digest: entry.digests.all.clone(),
                entry,
                recorded: order.records_pending(),
                anonymous: order.anonymous,
            };
            let (node, resource) = (key.node, key.resource.clone());
            let recorded = operation.recorded;
            self.history.in_flight.insert(key, operation);
            if recorded {
                changed.push((node, resource));
            }
        }
        self.show_histories(changed.iter().map(|(node, resource)| (*node, resource.as_str())));
    }

    /// Makes the CIB show what is known of these resources on these nodes, as one step, whose text may come later.
    fn show_histories<'a>(&mut self, of: impl Iterator<Item = (NodeId, &'a str)>) {
        let mut of = of.peekable();
        if of.peek().is_some() {
            let before = self.replica.version();
            self.replica.fall_behind(&self.history, of);
            self.after_own_change(before);
        }
    }

    /// The same at once, and without a step if everything is shown so already.
    pub(super) fn write_histories<'a>(&mut self, of: impl IntoIterator<Item = (NodeId, &'a str)>) {
        let before = self.replica.version();
        let changes: Vec<HistoryChange<'_>> =
            of.into_iter().map(|(node, resource)| self.history.change(node, resource)).collect();
        self.replica.write_histories(&changes);
        self.after_own_change(before);
    }

    fn show_history(&mut self, node: NodeId, resource: &str) {
        self.show_histories(std::iter::once((node, resource)));
    }

    fn journal_start(&mut self, transition: u64, item: &Work, out: &mut Outbox) {
        let node = Some(self.name_of(item.node));
        let (operation, resource) = match &item.task {
            Task::Run(order) => (order.operation.clone(), Some(order.resource.clone())),
            Task::Cancel { resource, key } => (format!("cancel {key}"), Some(resource.clone())),
            Task::Shutdown => ("shutdown".to_owned(), None),
        };
        let kind = EventKind::ActionStarted { transition, action: item.action, operation, resource, node };
        let causes = Vec::from_iter(self.journal.plan);
        let event = self.event(kind, item.reason.clone(), causes, out);
        if let Task::Run(order) = &item.task {
            self.journal.starts.insert(in_flight_key(item.node, order), event);
        }
    }

    fn perform(&mut self, task: Task, out: &mut Outbox) {
        match task {
            // the DC cannot have known yet that this node leaves
            Task::Run(order) if order.operation == "start" && self.is_leaving() => {
                let refused = self.executor.refuse(*order, "this node is shutting down", self.now);
                self.tell_results(vec![refused]);
            }
            Task::Run(order) => {
                let finished = self.executor.order(*order, self.now, out);
                self.tell_results(finished);
            }
            Task::Cancel { resource, key } => {
                let finished = self.executor.cancel(&resource, &key, out);
                self.tell_results(finished);
                let key = InFlightKey { node: self.config.id, resource, key };
                self.send(Body::Cancelled { key }, out);
            }
            Task::Shutdown => self.leave_as_planned(out),
        }
    }

    /// All that the plan wanted stopped is; the plan waited for what was under way (rule 4.10.12).
    fn leave_as_planned(&mut self, out: &mut Outbox) {
        let active = self.executor.leave(out);
        if !active.is_empty() {
            let text = format!("leaving with resources that stay active: {}", active.join(", "));
            self.notice(Severity::Warning, text, out);
        }
        self.end(0, "shut down as planned", out);
    }

    fn on_result(&mut self, result: ResultMessage, out: &mut Outbox) {
        let key = InFlightKey {
            node: result.node,
            resource: result.resource.clone(),
            key: result.entry.key.clone(),
        };
        let same_order = |operation: &InFlight| operation.entry.transition_key == result.entry.transition_key;
        let in_flight = self.history.in_flight.get(&key).filter(|one| !result.repeated && same_order(one));
        let was_in_flight = in_flight.is_some();
        let was_shown = in_flight.is_some_and(|operation| operation.recorded);
        if was_in_flight {
            self.history.in_flight.remove(&key);
        }
        let known = self.already_recorded(&result);
        if result.recorded && result.entry.status != ExecutionStatus::Cancelled {
            self.record(&result);
        } else if was_shown {
            self.show_history(result.node, &result.resource);
        }
        let event = self.journal_result(&key, &result, out);
        // where it ran, and not for a probe that found what it should (rule 4.11.5)
        let as_expected = result.entry.is_probe() && !result.entry.is_failure();
        let is_result = result.entry.status != ExecutionStatus::Pending;
        if result.node == self.config.id && !known && !as_expected && is_result {
            self.alert(&Occasion::Resource { resource: &result.resource, entry: &result.entry }, out);
        }
        self.on_result_as_dc(&key, &result, was_in_flight, known, event, out);
    }

    fn already_recorded(&self, result: &ResultMessage) -> bool {
        let history = self.history.resource(result.node, &result.resource);
        history.is_some_and(|history| {
            history.entries.values().any(|entry| {
                entry.call_id == result.entry.call_id && entry.transition_key == result.entry.transition_key
            })
        })
    }

    fn record(&mut self, result: &ResultMessage) {
        let history = self.history.resource_mut(result.node, &result.resource, &result.agent);
        history.agent = result.agent.clone();
        if result.container.is_some() {
            history.container.clone_from(&result.container);
        }
        if result.entry.keeps_shutdown_lock() {
            history.shutdown_lock = result.shutdown_lock.or(history.shutdown_lock);
        } else if history.shutdown_lock.is_some() {
            history.shutdown_lock = Some(0);
        }
        history.record(&result.resource, &result.entry);
        self.show_history(result.node, &result.resource);
    }

    fn journal_result(
        &mut self,
        key: &InFlightKey,
        result: &ResultMessage,
        out: &mut Outbox,
    ) -> crate::EventId {
        let causes = Vec::from_iter(self.journal.starts.remove(key));
        let entry = &result.entry;
        let kind = EventKind::OperationDone {
            node: self.name_of(result.node),
            resource: result.resource.clone(),
            action: entry.operation.clone(),
            interval: entry.interval,
            status: entry.status.text().to_owned(),
            exit_code: entry.exit_code,
            exit_reason: entry.exit_reason.clone(),
            executed: entry.executed,
            failed: entry.is_failure(),
        };
        self.event(kind, None, causes, out)
    }

    fn on_cancelled(&mut self, key: &InFlightKey, out: &mut Outbox) {
        self.history.in_flight.remove(key);
        if let Some(history) =
            self.history.nodes.get_mut(&key.node).and_then(|all| all.get_mut(&key.resource))
        {
            history.entries.remove(&key.key);
            self.show_history(key.node, &key.resource);
        }
        self.on_cancelled_as_dc(key, out);
    }

    fn on_forget(
        &mut self,
        from: NodeId,
        request: Option<RequestId>,
        all: &[Forget],
        at: i64,
        out: &mut Outbox,
    ) {
        let mut forgotten = BTreeSet::new();
        let mut names = Vec::new();
        let known: Vec<Histories> = self.replica.histories().into_iter().map(Histories::new).collect();
        for what in all {
            self.forget_what(what, &known, &mut forgotten, &mut names, out);
        }
        let before = self.replica.version();
        let shown = forgotten.iter().map(|(id, member, resource)| match member {
            Some(node) if *id == node.to_string() => self.history.change(*node, resource),
            _ => HistoryChange { node: id.into(), resource: resource.into(), element: None },
        });
        let changes: Vec<HistoryChange<'_>> = shown.collect();
        self.replica.write_histories(&changes);
        self.after_own_change(before);
        // what the plan itself forgets is what it expects
        let told = !forgotten.is_empty() && all.iter().any(|what| what.by_administrator);
        if told {
            self.write_own(&[set_property("last-lrm-refresh", &at.to_string())], at);
        }
        self.flush_attributes(&names, out);
        if told {
            self.trigger("histories were cleaned up", None);
        }
        self.reply_if_own(from, request, Reply::Done, out);
        all.iter().for_each(|what| self.on_forgotten_as_dc(from, what));
    }

    /// Forgets histories and failure counts but in the status. `known`: what there was. `forgotten`: node's id and
    /// member of each resource; `names`: of the counts.
    fn forget_what(
        &mut self,
        what: &Forget,
        known: &[Histories],
        forgotten: &mut BTreeSet<(String, Option<NodeId>, String)>,
        names: &mut Vec<String>,
        out: &mut Outbox,
    ) {
        let wanted = what.resource.as_deref().map(|id| self.replica.executor_ids(id));
        let there = |of: &&Histories| {
            what.node.as_deref().is_none_or(|node| node.eq_ignore_ascii_case(&of.name) || *node == *of.node)
        };
        for of in known.iter().filter(there) {
            let member = self.member_id(&of.name);
            for resource in of.meant_by(wanted.as_deref()) {
                let counters =
                    self.failure_attributes(&of.name, resource, what.operation.as_deref(), what.interval);
                let failed = member
                    .and_then(|node| self.history.resource(node, resource))
                    .is_some_and(crate::history::ResourceHistory::has_failure);
                if what.only_failed && counters.is_empty() && !(failed && what.operation.is_none()) {
                    continue;
                }
                for counter in counters {
                    self.attributes.update(&AttributeUpdate::delete(&of.name, &counter), &of.name);
                    names.push(counter);
                }
                self.forget_history(member, resource, out);
                forgotten.insert((of.node.clone(), member, resource.to_owned()));
            }
        }
    }

    /// Forgets a resource's confirmed history on a node.
    fn forget_history(&mut self, member: Option<NodeId>, resource: &str, out: &mut Outbox) {
        let Some(node) = member else { return };
        if let Some(all) = self.history.nodes.get_mut(&node) {
            all.remove(resource);
        }
        if node == self.config.id {
            let finished = self.executor.forget(resource, out);
            self.tell_results(finished);
        }
    }

    /// The attributes that count failures of a resource on a node (rule 4.27.9); old names without an operation only if
    /// all of the resource is meant.
    fn failure_attributes(
        &self,
        node: &str,
        resource: &str,
        operation: Option<&str>,
        interval: Option<u64>,
    ) -> Vec<String> {
        let suffix = operation.map(|operation| format!("{operation}_{}", interval.unwrap_or(0)));
        let mut names = Vec::new();
        for prefix in ["fail-count", "last-failure"] {
            let start = format!("{prefix}-{resource}");
            names.extend(self.attributes.names(&start, Some(node)).into_iter().filter(|name| {
                match name.strip_prefix(&start).and_then(|rest| rest.strip_prefix('#')) {
                    Some(rest) => suffix.as_deref().is_none_or(|suffix| suffix == rest),
                    None => suffix.is_none() && *name == start,
                }
            }));
        }
        names
    }

    fn on_clear_failures(
        &mut self,
        node: &str,
        resource: &str,
        operation: Option<&str>,
        interval: u64,
        out: &mut Outbox,
    ) {
        let names = self.failure_attributes(node, resource, operation, Some(interval));
        for name in &names {
            let updated = self.attributes.update(&AttributeUpdate::delete(node, name), node);
            self.after_update(updated, out);
        }
        if let Some(id) = self.member_id(node) {
            let slot = format!("{resource}_last_failure_0");
            let meant = |entry: &Entry| {
                operation.is_none_or(|operation| entry.operation == operation && entry.interval == interval)
            };
            let history = self.history.nodes.get_mut(&id).and_then(|all| all.get_mut(resource));
            if let Some(history) = history.filter(|history| history.entries.get(&slot).is_some_and(meant)) {
                history.entries.remove(&slot);
                self.show_history(id, resource);
            }
        }
        self.trigger(&format!("failures of {resource} on {node} were cleared"), None);
        self.on_failures_cleared_as_dc(node, resource, operation, interval);
    }

    fn on_shutdown_requested(&mut self, node: NodeId, at: i64, out: &mut Outbox) {
        let name = self.name_of(node);
        let event = self.event(EventKind::ShutdownRequested { node: name.clone() }, None, Vec::new(), out);
        let updated = self.attributes.update(&AttributeUpdate::set(&name, SHUTDOWN, &at.to_string()), &name);
        self.after_update(updated, out);
        self.trigger(&format!("{name} wants to leave"), Some(event));
    }

    fn on_fail_resource(
        &mut self,
        from: NodeId,
        request: Option<RequestId>,
        resource: &str,
        node: &str,
        out: &mut Outbox,
    ) {
        let found = self
            .member_id(node)
            .and_then(|id| Some((id, self.history.resource(id, resource)?.agent.clone())));
        let Some((id, agent)) = found else {
            let text = format!(
                "{resource} has no history on {node}: only a resource that was run there can be failed"
            );
            self.reply_if_own(from, request, refused(RefusalCode::NotFound, text), out);
            return;
        };
        if id == self.config.id {
            let entry = Entry {
                key: format!("{resource}_asyncmon_0"),
                operation: "asyncmon".to_owned(),
                feature_set: FEATURE_SET.to_owned(),
                transition_key: format!("0:-1:0:{NO_TRANSITION}"),
                exit_reason: "Simulated failure".to_owned(),
                on_node: self.config.name.clone(),
                call_id: self.executor.take_call(),
                exit_code: 1,
                status: ExecutionStatus::Done,
                expected: 0,
                interval: 0,
                last_change: self.now.epoch(),
                executed: 0,
                queued: 0,
                digests: crate::history::digests(&std::collections::BTreeMap::new(), 0, None),
                migration: None,
            };
            let message = ResultMessage {
                node: id,
                resource: resource.to_owned(),
                agent,
                container: None,
                shutdown_lock: None,
                entry,
                recorded: true,
                repeated: false,
                on_fail: None,
            };
            self.send(Body::Results(vec![message]), out);
        }
        self.reply_if_own(from, request, Reply::Done, out);
    }

    fn on_remove_node(
        &mut self,
        from: NodeId,
        request: Option<RequestId>,
        name: &str,
        at: i64,
        out: &mut Outbox,
    ) {
        if self.member_id(name).is_some() {
            let text = format!("{name} is a member: stop the cluster there before removing it");
            self.reply_if_own(from, request, refused(RefusalCode::Invalid, text), out);
            return;
        }
        let known = self.replica.all_nodes().into_iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        let Some((id, name)) = known else {
            let text = format!("no node {name} is known");
            self.reply_if_own(from, request, refused(RefusalCode::NotFound, text), out);
            return;
        };
        self.attributes.forget_node(&name);
        self.fence_history.forget_failures(&name);
        let changes = [
            delete(format!("/cib/configuration/nodes/node[@id={}]", crate::text::xpath_literal(&id))),
            delete(node_state_path(&id)),
        ];
        self.write_own(&changes, at);
        self.trigger(&format!("{name} was removed"), None);
        self.reply_if_own(from, request, Reply::Done, out);
    }

    /// The DC is idle (rule 4.23.10: replicas are compared). Valid if nothing was delivered since it said so; then the replicas are compared.
    fn on_settled(&mut self, from: NodeId, version: Version, digest: Option<String>, out: &mut Outbox) {
        let own = (self.replica.version(), digest.as_ref().map(|_| self.replica.digest()));
        if from == self.config.id {
            self.coordinator_mut(|coordinator| coordinator.checked = Some(own.clone()));
        }
        if own == (version, digest) {
            if !self.settled {
                // a comparison at rest is no news
                self.event(EventKind::Settled, None, Vec::new(), out);
            }
            self.settle(out);
        } else if from != self.config.id {
            // only a difference if the DC's own replica was as it said at this point of the order
            self.send(Body::Differs { version: own.0, digest: own.1 }, out);
        }
    }

    /// There is nothing more to do for now.
    pub(super) fn settle(&mut self, out: &mut Outbox) {
        self.settled = true;
        for id in std::mem::take(&mut self.settle_waiters) {
            self.reply(id, Reply::Done, out);
        }
    }

    fn on_differs(&mut self, from: NodeId, version: Version, digest: Option<String>, out: &mut Outbox) {
        let Some(checked) = self.coordinator.as_ref().and_then(|coordinator| coordinator.checked.as_ref())
        else {
            return;
        };
        if *checked != (version, digest) {
            let reason = format!("the CIB of {} differs from the DC's", self.name_of(from));
            self.send(Body::Rejoin { reason }, out);
        }
    }

    /// Refuses new work while leaving or before joining.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::ShuttingDown | Phase::Ended)
    }
}

/// The resources of which the status has a history on a node.
struct Histories {
    /// Its id.
    node: String,
    name: String,
    /// All of them.
    resources: Vec<String>,
    /// The same by their names, with and without the number of an instance.
    by_name: BTreeMap<String, Vec<usize>>,
}

impl Histories {
    fn new((node, name, resources): (String, String, Vec<String>)) -> Histories {
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, resource) in resources.iter().enumerate() {
            by_name.entry(resource.clone()).or_default().push(index);
            if let Some((plain, _)) = resource.split_once(':') {
                by_name.entry(plain.to_owned()).or_default().push(index);
            }
        }
        Histories { node, name, resources, by_name }
    }

    /// Those with such names, which may stand for all their instances; all of them if there are no names.
    fn meant_by(&self, names: Option<&[String]>) -> Vec<&str> {
        let Some(names) = names else { return self.resources.iter().map(String::as_str).collect() };
        let found = names.iter().filter_map(|name| self.by_name.get(name)).flatten();
        found.collect::<BTreeSet<_>>().into_iter().map(|index| self.resources[*index].as_str()).collect()
    }
}

fn in_flight_key(node: NodeId, order: &Order) -> InFlightKey {
    InFlightKey { node, resource: order.resource.clone(), key: order.key.clone() }
}

/// Whether a client's change writes over what the cluster itself maintains.
fn touches_node_states(operation: &CibOperation) -> bool {
    let covers = |scope: &Option<String>| {
        matches!(scope.as_deref(), None | Some("cib" | "all" | "configuration" | "nodes" | "status"))
    };
    match operation {
        CibOperation::Replace { scope, xpath: None, .. } => covers(scope),
        CibOperation::Replace { xpath: Some(path), .. } | CibOperation::DeleteXpath { xpath: path, .. } => {
            path.contains("status") || path.contains("node_state") || path.contains("lrm")
        }
        CibOperation::Delete { scope, .. } => scope.as_deref() == Some("status"),
        CibOperation::Erase => true,
        CibOperation::Transaction(all) => all.iter().any(touches_node_states),
        _ => false,
    }
}

pub(super) fn refused(code: RefusalCode, message: String) -> Reply {
    Reply::Refused(Refusal { code, message })
}
