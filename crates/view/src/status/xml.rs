//! The status as the XML document that tools read (rules 5a.1.5, 5b.3.3, 5b.4.5, 5b.5.7, 5b.7–5b.9, 5b.14).

use super::fencing::{self, FenceEvent, Outcome};
use super::history::NodeHistory;
use super::monitor::{Facts, FailCount, Sections};
use super::{
    BundleStatus, CloneStatus, Common, Failure, GroupStatus, NodeStatus, PrimitiveStatus, ResourceStatus,
    Status, words,
};
use cib::options::{ClusterOptions, NoQuorumPolicy};
use scheduler::model::NodeKind;
use scheduler::state::Health;
use std::collections::HashMap;
use xml::{Document, NodeId};

/// The version of the result format.
pub const API_VERSION: &str = "2.42";

/// What a document is made from.
pub struct Input<'i> {
    pub status: &'i Status,
    pub facts: &'i Facts,
    pub fail_counts: &'i [FailCount],
    /// Operations on online nodes, if they are to be shown.
    pub history: &'i [NodeHistory],
    /// Known only from a live cluster.
    pub fencing: Option<&'i [FenceEvent]>,
    pub sections: &'i Sections,
    /// The command line that asked.
    pub request: &'i str,
    /// Epoch seconds as local time, as the C locale writes it.
    pub local: &'i dyn Fn(i64) -> String,
    /// Epoch seconds as `YYYY-MM-DD HH:MM:SSZ`.
    pub universal: &'i dyn Fn(i64) -> String,
}

/// The root of a result, without content and status.
pub fn result(request: &str) -> Document {
    let mut document = Document::new("pacemaker-result");
    let root = document.root();
    document.set_attribute(root, "api-version", API_VERSION);
    document.set_attribute(root, "request", request);
    document
}

/// Ends a result: what came of the request.
pub fn finish(document: &mut Document, code: u8, message: &str, errors: &[String]) {
    let root = document.root();
    let mut writer = Writer { document, descriptions: false };
    let status = writer.element(root, "status", &[("code", &code.to_string()), ("message", message)]);
    if !errors.is_empty() {
        let list = writer.element(status, "errors", &[]);
        for error in errors {
            let error_element = writer.element(list, "error", &[]);
            writer.document.set_text(error_element, error);
        }
    }
}

/// The whole answer of `crm_mon --output-as=xml`.
pub fn monitor(input: &Input<'_>) -> Document {
    let mut document = result(input.request);
    let root = document.root();
    fill(&mut document, root, input);
    finish(&mut document, 0, "OK", &[]);
    document
}

/// The older form: root `crm_mon`, no status (rule 5b.14.2).
pub fn legacy_monitor(input: &Input<'_>, version: &str) -> Document {
    let mut document = Document::new("crm_mon");
    let root = document.root();
    document.set_attribute(root, "version", version);
    fill(&mut document, root, input);
    document
}

fn fill(document: &mut Document, root: NodeId, input: &Input<'_>) {
    let mut writer = Writer { document, descriptions: input.sections.descriptions };
    let sections = input.sections;
    if sections.has_summary() {
        writer.summary(root, input);
    }
    if sections.nodes {
        let nodes = writer.element(root, "nodes", &[]);
        let all = super::grouped::by_id(input.status);
        for node in &input.status.nodes {
            let id = writer.node(nodes, node);
            if sections.by_node {
                writer.resources_on(id, node, &all);
            }
        }
    }
    if sections.resources {
        let shown = |common: &Common| {
            (common.active || sections.inactive && !common.removed)
                && !(sections.by_node && common.fully_active)
        };
        let shown: Vec<_> = input.status.resources.iter().filter(|it| shown(it.common())).collect();
        if !(sections.by_node && shown.is_empty()) {
            let resources = writer.element(root, "resources", &[]);
            shown.into_iter().for_each(|resource| writer.resource(resources, resource));
        }
    }
    if sections.attributes {
        writer.node_attributes(root, input.status);
    }
    if sections.operations || sections.fail_counts {
        writer.node_history(root, input);
    }
    if sections.failures {
        writer.failures(root, input);
    }
    writer.fencing(root, input);
    if sections.tickets {
        writer.tickets(root, input);
    }
    if let Some(prefix) = &sections.bans {
        writer.bans(root, input.status, prefix);
    }
}

/// What a simulation shows of the status.
pub struct StatusInput<'i> {
    pub status: &'i Status,
    pub facts: &'i Facts,
    pub fail_counts: &'i [FailCount],
    /// Node attributes as well.
    pub attributes: bool,
    /// Failures and how often, as well.
    pub failures: bool,
    /// Epoch seconds as local time.
    pub local: &'i dyn Fn(i64) -> String,
    /// Epoch seconds as `YYYY-MM-DD HH:MM:SSZ`.
    pub universal: &'i dyn Fn(i64) -> String,
}

/// Nodes and resources below `root`, and what else was asked for.
pub fn simulated(document: &mut Document, root: NodeId, asked: &StatusInput<'_>) {
    let sections = Sections::everything();
    let input = Input {
        status: asked.status,
        facts: asked.facts,
        fail_counts: asked.fail_counts,
        history: &[],
        fencing: None,
        sections: &sections,
        request: "",
        local: asked.local,
        universal: asked.universal,
    };
    let mut writer = Writer { document, descriptions: false };
    writer.nodes_and_resources(root, input.status);
    if asked.attributes {
        writer.node_attributes(root, input.status);
    }
    if asked.failures {
        writer.fail_counts(root, &input);
        writer.failures(root, &input);
    }
}

/// The resource list alone, below a root `resources`.
pub fn resources(status: &Status) -> Document {
    let mut document = Document::new("resources");
    let root = document.root();
    let mut writer = Writer { document: &mut document, descriptions: false };
    let shown = |common: &Common| !common.removed || common.active;
    for resource in status.resources.iter().filter(|it| shown(it.common())) {
        writer.resource(root, resource);
    }
    document
}

struct Writer<'d> {
    document: &'d mut Document,
    /// Resources with their descriptions.
    descriptions: bool,
}

fn word(truth: bool) -> &'static str {
    if truth { "true" } else { "false" }
}

impl Writer<'_> {
    fn element(&mut self, parent: NodeId, name: &str, attributes: &[(&str, &str)]) -> NodeId {
        let id = self.document.append_element(parent, name);
        for (name, value) in attributes {
            self.document.set_attribute(id, name, value);
        }
        id
    }

    fn set(&mut self, id: NodeId, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.document.set_attribute(id, name, value);
        }
    }

    /// Rule 5b.3.3; only the parts that are asked for.
    fn summary(&mut self, root: NodeId, input: &Input<'_>) {
        let (status, facts, sections) = (input.status, input.facts, input.sections);
        let filled = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
        let summary = self.element(root, "summary", &[]);
        if sections.stack {
            let stack = filled(&facts.stack).unwrap_or_else(|| "unknown".to_owned());
            let stack = self.element(summary, "stack", &[("type", &stack)]);
            self.set(stack, "pacemakerd-state", filled(&facts.state).as_deref());
        }
        if sections.dc {
            self.current_dc(summary, status, facts);
        }
        if sections.times {
            let update = self.element(summary, "last_update", &[("time", &facts.updated)]);
            self.set(update, "origin", filled(&facts.host).as_deref());
            let change = [
                ("time", facts.changed.as_str()),
                ("user", &facts.changed_by),
                ("client", &facts.changed_via),
                ("origin", &facts.changed_on),
            ];
            self.element(summary, "last_change", &change);
        }
        if sections.counts {
            let counts = status.counts;
            self.element(summary, "nodes_configured", &[("number", &counts.nodes.to_string())]);
            let resources = [
                ("number", counts.instances.to_string()),
                ("disabled", counts.disabled.to_string()),
                ("blocked", counts.blocked.to_string()),
            ];
            let resources: Vec<(&str, &str)> =
                resources.iter().map(|(name, value)| (*name, value.as_str())).collect();
            self.element(summary, "resources_configured", &resources);
        }
        if sections.options {
            self.cluster_options(summary, &status.options);
        }
    }

    fn current_dc(&mut self, summary: NodeId, status: &Status, facts: &Facts) {
        let Some(dc) = &status.dc else {
            self.element(summary, "current_dc", &[("present", "false")]);
            return;
        };
        let attributes = [
            ("present", "true"),
            ("version", facts.version.as_str()),
            ("name", &dc.name),
            ("id", &dc.id),
            ("with_quorum", word(status.quorate)),
            ("mixed_version", word(status.mixed_version)),
        ];
        self.element(summary, "current_dc", &attributes);
    }

    fn cluster_options(&mut self, summary: NodeId, options: &ClusterOptions) {
        let policy = match options.no_quorum_policy {
            NoQuorumPolicy::Stop => "stop",
            NoQuorumPolicy::Freeze => "freeze",
            NoQuorumPolicy::Ignore => "ignore",
            NoQuorumPolicy::Demote => "demote",
            NoQuorumPolicy::Fence => "fence",
        };
        let timeout = options.fencing_timeout.to_string();
        let delay = options.priority_fencing_delay.to_string();
        let enabled = word(options.fencing_enabled);
        let attributes = [
            ("fencing-enabled", enabled),
            ("fencing-timeout-ms", &timeout),
            ("symmetric-cluster", word(options.symmetric_cluster)),
            ("no-quorum-policy", policy),
            ("maintenance-mode", word(options.maintenance_mode)),
            ("stop-all-resources", word(options.stop_all_resources)),
            ("priority-fencing-delay-ms", &delay),
            ("stonith-enabled", enabled),
            ("stonith-timeout-ms", &timeout),
        ];
        self.element(summary, "cluster_options", &attributes);
    }

    fn nodes_and_resources(&mut self, root: NodeId, status: &Status) {
        let nodes = self.element(root, "nodes", &[]);
        for node in &status.nodes {
            self.node(nodes, node);
        }
        let resources = self.element(root, "resources", &[]);
        let shown = |common: &Common| !common.removed || common.active;
        for resource in status.resources.iter().filter(|it| shown(it.common())) {
            self.resource(resources, resource);
        }
    }

    /// Nodes with resources that have failed there, and how often.
    fn fail_counts(&mut self, root: NodeId, input: &Input<'_>) {
        let list = self.element(root, "node_history", &[]);
        for node in input.status.nodes.iter().filter(|node| node.online) {
            let here: Vec<&FailCount> =
                input.fail_counts.iter().filter(|it| it.node == node.name && it.count > 0).collect();
            if here.is_empty() {
                continue;
            }
            let id = self.element(list, "node", &[("name", &node.name)]);
            for count in here {
                let times =
                    if count.count >= 1_000_000 { "INFINITY".into() } else { count.count.to_string() };
                let attributes = [
                    ("id", count.resource.as_str()),
                    ("orphan", "false"),
                    ("migration-threshold", &count.threshold.to_string()),
                    ("fail-count", &times),
                ];
                let history = self.element(id, "resource_history", &attributes);
                let last = count.last_failure.map(|at| (input.local)(at));
                self.set(history, "last-failure", last.as_deref());
            }
        }
    }

    /// Rule 5b.4.5.
    fn node(&mut self, nodes: NodeId, node: &NodeStatus) -> NodeId {
        let id = self.element(
            nodes,
            "node",
            &[
                ("name", &node.name),
                ("id", &node.id),
                ("online", word(node.online)),
                ("standby", word(node.standby)),
                ("standby_onfail", word(node.standby_on_fail)),
                ("maintenance", word(node.maintenance)),
                ("pending", word(node.pending)),
                ("unclean", word(node.unclean)),
            ],
        );
        let health = match node.health {
            Health::Green => "green",
            Health::Yellow => "yellow",
            Health::Red => "red",
        };
        self.set(id, "health", Some(health));
        self.set(id, "feature_set", node.feature_set.as_deref());
        self.set(id, "shutdown", Some(word(node.shutdown)));
        self.set(id, "expected_up", Some(word(node.expected_up)));
        self.set(id, "is_dc", Some(word(node.is_dc)));
        self.set(id, "resources_running", Some(&node.running.len().to_string()));
        let kind = if node.kind == NodeKind::Cluster { "member" } else { "remote" };
        self.set(id, "type", Some(kind));
        self.set(id, "id_as_resource", node.launcher.as_deref());
        id
    }

    /// What is active on a node, below it.
    fn resources_on(&mut self, id: NodeId, node: &NodeStatus, all: &HashMap<&str, &PrimitiveStatus>) {
        node.running.iter().filter_map(|it| all.get(&**it)).for_each(|it| self.primitive(id, it));
    }

    /// Rule 5b.5.7.
    fn resource(&mut self, parent: NodeId, resource: &ResourceStatus) {
        match resource {
            ResourceStatus::Primitive(it) => self.primitive(parent, it),
            ResourceStatus::Group(it) => self.group(parent, it),
            ResourceStatus::Clone(it) => self.clone_set(parent, it),
            ResourceStatus::Bundle(it) => self.bundle(parent, it),
        }
    }

    fn primitive(&mut self, parent: NodeId, it: &PrimitiveStatus) {
        let common = &it.common;
        let pending = it.pending_task.as_deref();
        let role = pending.and_then(words::pending).unwrap_or(it.role.name());
        let id = self.element(
            parent,
            "resource",
            &[("id", &common.name), ("resource_agent", &it.agent), ("role", role)],
        );
        self.set(id, "target_role", common.configured_target_role.as_deref());
        let facts = [
            ("active", common.active),
            ("orphaned", common.removed),
            ("removed", common.removed),
            ("blocked", it.blocked),
            ("maintenance", common.maintenance),
            ("managed", common.managed),
            ("failed", common.failed),
            ("failure_ignored", common.failure_ignored),
        ];
        for (name, truth) in facts {
            self.set(id, name, Some(word(truth)));
        }
        self.set(id, "nodes_running_on", Some(&it.nodes.len().to_string()));
        self.set(id, "pending", pending.filter(|task| *task == "monitor").map(|_| "Monitoring"));
        self.set(id, "locked_to", it.locked_to.as_deref());
        self.describe(id, common);
        for node in &it.nodes {
            self.element(
                id,
                "node",
                &[("name", &node.name), ("id", &node.id), ("cached", word(node.online))],
            );
        }
    }

    fn group(&mut self, parent: NodeId, it: &GroupStatus) {
        let number = it.members.len().to_string();
        let id = self.element(parent, "group", &[("id", &it.common.id), ("number_resources", &number)]);
        self.collective(id, &it.common);
        self.describe(id, &it.common);
        for member in &it.members {
            self.primitive(id, member);
        }
    }

    /// What groups and clones have in common.
    fn collective(&mut self, id: NodeId, common: &Common) {
        self.set(id, "maintenance", Some(word(common.maintenance)));
        self.set(id, "managed", Some(word(common.managed)));
        self.set(id, "disabled", Some(word(common.target_role.is_some())));
    }

    fn describe(&mut self, id: NodeId, common: &Common) {
        if self.descriptions {
            self.set(id, "description", common.description.as_deref());
        }
    }

    fn clone_set(&mut self, parent: NodeId, it: &CloneStatus) {
        let common = &it.common;
        let attributes =
            [("id", common.id.as_str()), ("multi_state", word(it.promotable)), ("unique", word(it.unique))];
        let id = self.element(parent, "clone", &attributes);
        self.collective(id, common);
        self.set(id, "failed", Some(word(common.failed)));
        self.set(id, "failure_ignored", Some(word(common.failure_ignored)));
        let first = it.instances.first().map(|instance| instance.resource.common());
        let target =
            [Some(common), first].into_iter().flatten().find_map(|it| it.configured_target_role.as_deref());
        self.set(id, "target_role", target);
        self.describe(id, common);
        for instance in &it.instances {
            self.resource(id, &instance.resource);
        }
    }

    fn bundle(&mut self, parent: NodeId, it: &BundleStatus) {
        let common = &it.common;
        let attributes = [
            ("id", common.id.as_str()),
            ("type", it.kind),
            ("image", &it.image),
            ("unique", word(it.unique)),
            ("maintenance", word(common.maintenance)),
            ("managed", word(common.managed)),
            ("failed", word(common.failed)),
        ];
        let id = self.element(parent, "bundle", &attributes);
        self.describe(id, common);
        for replica in &it.replicas {
            let part = self.element(id, "replica", &[("id", &replica.number.to_string())]);
            let parts = [
                replica.ip.as_ref(),
                replica.child.as_ref(),
                Some(&replica.container),
                replica.connection.as_ref(),
            ];
            for primitive in parts.into_iter().flatten() {
                self.primitive(part, primitive);
            }
        }
    }

    /// Rule 5b.7.2.
    fn node_attributes(&mut self, root: NodeId, status: &Status) {
        let mut list = None;
        for node in status.nodes.iter().filter(|node| node.online) {
            let mut shown: Vec<_> =
                node.attributes.iter().filter(|(name, _)| !super::monitor::is_hidden(name)).collect();
            shown.sort();
            if shown.is_empty() {
                continue;
            }
            let list = *list.get_or_insert_with(|| self.element(root, "node_attributes", &[]));
            let id = self.element(list, "node", &[("name", &node.name)]);
            for (name, value) in shown {
                let id = self.element(id, "attribute", &[("name", name), ("value", value)]);
                let expected = super::monitor::expected(status, node, name).map(|it| it.to_string());
                self.set(id, "expected", expected.as_deref());
            }
        }
    }

    /// Rule 5b.8.4.
    fn node_history(&mut self, root: NodeId, input: &Input<'_>) {
        if input.history.is_empty() {
            return;
        }
        let list = self.element(root, "node_history", &[]);
        for node in input.history.iter().filter(|node| !node.resources.is_empty()) {
            let parent = self.element(list, "node", &[("name", &node.name)]);
            for resource in &node.resources {
                let removed = word(resource.threshold.is_none());
                let attributes = [("id", resource.id.as_str()), ("orphan", removed), ("removed", removed)];
                let id = self.element(parent, "resource_history", &attributes);
                self.set(id, "migration-threshold", resource.threshold.map(|it| it.to_string()).as_deref());
                let count = input.fail_counts.iter().find(|count| {
                    count.node == node.name && count.resource == resource.id && count.count > 0
                });
                if let Some(count) = count {
                    self.set(id, "fail-count", Some(&count.count.to_string()));
                    let last = count.last_failure.map(|at| (input.local)(at));
                    self.set(id, "last-failure", last.as_deref());
                }
                for operation in &resource.operations {
                    self.operation(id, operation, input);
                }
            }
        }
    }

    fn operation(&mut self, parent: NodeId, it: &super::history::Operation, input: &Input<'_>) {
        let task = if it.is_probe() { "probe" } else { &it.task };
        let id = self.element(
            parent,
            "operation_history",
            &[
                ("call", &it.call.to_string()),
                ("task", task),
                ("rc", &it.rc.to_string()),
                ("rc_text", words::result(it.rc)),
            ],
        );
        let milliseconds = |value: Option<i64>| value.map(|value| format!("{value}ms"));
        if it.interval > 0 {
            self.set(id, "interval", Some(&format!("{}ms", it.interval)));
        }
        self.set(id, "last-rc-change", it.last_rc_change.map(|at| (input.local)(at)).as_deref());
        self.set(id, "exec-time", milliseconds(it.exec_time).as_deref());
        self.set(id, "queue-time", milliseconds(it.queue_time).as_deref());
    }

    /// Rule 5b.11.1.
    fn tickets(&mut self, root: NodeId, input: &Input<'_>) {
        if input.status.tickets.is_empty() {
            return;
        }
        let list = self.element(root, "tickets", &[]);
        for ticket in &input.status.tickets {
            let state = if ticket.granted { "granted" } else { "revoked" };
            let attributes =
                [("id", ticket.id.as_str()), ("status", state), ("standby", word(ticket.standby))];
            let id = self.element(list, "ticket", &attributes);
            self.set(id, "last-granted", ticket.last_granted.map(|at| (input.local)(at)).as_deref());
            let known = ["id", "standby", "last-granted"];
            for (name, value) in ticket.attributes.iter().filter(|(name, _)| !known.contains(&name.as_str()))
            {
                self.set(id, name, Some(value));
            }
        }
    }

    /// Rule 5b.10.3.
    fn fencing(&mut self, root: NodeId, input: &Input<'_>) {
        let sections = input.sections;
        let wanted = |outcome| match outcome {
            Outcome::Failed => sections.fencing_failed,
            Outcome::Pending => sections.fencing_pending,
            Outcome::Success => sections.fencing_succeeded,
        };
        let any = sections.fencing_failed || sections.fencing_pending || sections.fencing_succeeded;
        let Some(events) = input.fencing.filter(|_| any) else { return };
        let list = self.element(root, "fence_history", &[("status", "0")]);
        let events = if sections.fencing_full { fencing::sorted(events) } else { fencing::reduced(events) };
        for event in events.iter().filter(|event| wanted(event.outcome)) {
            let attributes = [
                ("action", event.action.as_str()),
                ("target", &event.target),
                ("client", &event.client),
                ("origin", &event.origin),
                ("status", event.outcome.word()),
            ];
            let id = self.element(list, "fence_event", &attributes);
            self.set(id, "exit-reason", event.reason.as_deref());
            if event.outcome == Outcome::Pending {
                self.set(id, "extended-status", Some("0"));
            } else {
                self.set(id, "delegate", event.delegate.as_deref());
                self.set(id, "completed", Some(event.completed.as_str()).filter(|text| !text.is_empty()));
            }
        }
    }

    /// Rule 5b.11.2.
    fn bans(&mut self, root: NodeId, status: &Status, prefix: &str) {
        let shown: Vec<_> = status.bans.iter().filter(|ban| ban.constraint.starts_with(prefix)).collect();
        if shown.is_empty() {
            return;
        }
        let list = self.element(root, "bans", &[]);
        for ban in shown {
            let promoted = word(ban.promoted_only);
            let attributes = [
                ("id", ban.constraint.as_str()),
                ("resource", &ban.resource),
                ("node", &ban.node),
                ("weight", &ban.weight.to_string()),
                ("promoted-only", promoted),
                ("master_only", promoted),
            ];
            self.element(list, "ban", &attributes);
        }
    }

    /// Rule 5b.9.2.
    fn failures(&mut self, root: NodeId, input: &Input<'_>) {
        let shown: Vec<&Failure> = input.status.failures.iter().filter(|it| !it.masked_probe).collect();
        if shown.is_empty() {
            return;
        }
        let list = self.element(root, "failures", &[]);
        for failure in shown {
            self.failure(list, failure, input);
        }
    }

    fn failure(&mut self, list: NodeId, it: &Failure, input: &Input<'_>) {
        let (name, key) = match &it.key {
            Some(key) => ("op_key", key),
            None => ("id", &it.id),
        };
        let attributes = [
            (name, key.as_str()),
            ("node", &it.node),
            ("exitstatus", words::result(it.rc)),
            ("exitreason", it.exit_reason.as_deref().unwrap_or("none")),
            ("exitcode", &it.rc.to_string()),
            ("call", &it.call.to_string()),
            ("status", words::execution(it.status)),
        ];
        let id = self.element(list, "failure", &attributes);
        let Some(at) = it.last_rc_change else { return };
        self.set(id, "last-rc-change", Some(&(input.universal)(at)));
        self.set(id, "queued", it.queue_time.map(|took| took.to_string()).as_deref());
        self.set(id, "exec", it.exec_time.map(|took| took.to_string()).as_deref());
        self.set(id, "interval", Some(&it.interval.to_string()));
        self.set(id, "task", Some(&it.task));
    }
}
