//! Operation history: what each node's executor remembers, as it is written into the CIB's status
//! (rules 4.29) and as the scheduler reads it.
//!
//! Every node keeps the table of all members; it changes only by messages in total order and by join
//! rounds, so it is the same everywhere. Pending operations are kept apart from confirmed results: tools
//! see them in the CIB, the planner decides about them (see [`crate::planner`]).

use std::borrow::Cow;
use std::collections::BTreeMap;

use cib::live::{Attributes, HistoryChange, HistoryElement};
use cib::status::{self, HistoryText};
use serde::{Deserialize, Serialize};

use crate::membership::NodeId;
use crate::operation::{AgentMetadata, AgentName, ExecutionStatus};
use crate::text::{parameters_digest, printable};

/// Exit code of an entry that is still pending.
pub const PENDING_EXIT_CODE: i32 = 193;

/// The UUID of operations that no transition ordered (rule 4.29.2).
pub const NO_TRANSITION: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

/// One `lrm_rsc_op`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `operation_key`: `RSC_OP_INTERVAL`.
    pub key: String,
    /// Operation name after the reload mapping (rule 4.3.10).
    pub operation: String,
    pub feature_set: String,
    pub transition_key: String,
    pub exit_reason: String,
    /// Name of the node that ran it.
    pub on_node: String,
    pub call_id: i64,
    pub exit_code: i32,
    pub status: ExecutionStatus,
    /// The exit code that counts as success.
    pub expected: i32,
    /// Milliseconds.
    pub interval: u64,
    /// Epoch seconds.
    pub last_change: i64,
    /// Milliseconds.
    pub executed: u64,
    /// Milliseconds.
    pub queued: u64,
    pub digests: Digests,
    /// Source and target, for migrations.
    pub migration: Option<(String, String)>,
}

/// Digests of the parameters of an operation (rule 4.29.4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    pub all: String,
    /// Names (each between spaces) and digest, if the agent supports reload.
    pub restart: Option<(String, String)>,
    /// Private names and digest of the rest, if there are private ones.
    pub secure: Option<(String, String)>,
}

impl Entry {
    /// Whether the result counts as a failure (rule 4.29.5).
    #[must_use]
    pub fn is_failure(&self) -> bool {
        use ExecutionStatus as S;
        match self.status {
            S::Pending | S::Cancelled => false,
            S::TimedOut
            | S::Unsupported
            | S::Error
            | S::NotConnected
            | S::Refused
            | S::NoFenceDevice
            | S::NoSecrets => true,
            S::Done | S::HardError | S::FatalError | S::NotInstalled => {
                self.plain_exit_code() != self.expected
            }
        }
    }

    /// A one-time monitor.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.operation == "monitor" && self.interval == 0
    }

    /// Whether a resource stays locked to its node after this: a stop that worked, or a probe that found it
    /// inactive (rule 4.35.5). A lock after a failed stop would have the scheduler forget the failure.
    #[must_use]
    pub fn keeps_shutdown_lock(&self) -> bool {
        let code = if self.operation == "stop" { Some(0) } else { self.is_probe().then_some(7) };
        self.status == ExecutionStatus::Done && code == Some(self.exit_code)
    }

    /// The exit code with "degraded" read as what it degrades.
    fn plain_exit_code(&self) -> i32 {
        match self.exit_code {
            190 => 0,
            191 => 8,
            code => code,
        }
    }

    fn magic(&self) -> String {
        format!("{}:{};{}", self.status.number(), self.exit_code, self.transition_key)
    }

    /// The slots it is written to (rule 4.29.3).
    #[must_use]
    pub fn slots(&self, resource: &str) -> Vec<String> {
        let last = || format!("{resource}_last_0");
        if matches!(self.operation.as_str(), "migrate_to" | "migrate_from") {
            vec![self.key.clone()]
        } else if self.is_failure() {
            let failure = format!("{resource}_last_failure_0");
            if self.interval == 0 { vec![failure, last()] } else { vec![failure] }
        } else if self.interval > 0 {
            vec![self.key.clone()]
        } else {
            vec![last()]
        }
    }

    fn attributes<'a>(&'a self, slot: Cow<'a, str>) -> Attributes<'a> {
        let number = |number: i64| Cow::Owned(number.to_string());
        let unsigned = |number: u64| Cow::Owned(number.to_string());
        let mut all = Vec::with_capacity(21);
        all.extend([
            ("id", printable(slot)),
            ("operation_key", printable(&self.key)),
            ("operation", printable(&self.operation)),
            ("crm-debug-origin", Cow::Borrowed("executor")),
            ("crm_feature_set", printable(&self.feature_set)),
            ("transition-key", printable(&self.transition_key)),
            ("transition-magic", printable(self.magic())),
            ("exit-reason", printable(&self.exit_reason)),
            ("on_node", printable(&self.on_node)),
            ("call-id", number(self.call_id)),
            ("rc-code", number(self.exit_code.into())),
            ("op-status", number(self.status.number().into())),
            ("interval", unsigned(self.interval)),
            ("last-rc-change", number(self.last_change)),
            ("exec-time", unsigned(self.executed)),
            ("queue-time", unsigned(self.queued)),
            ("op-digest", printable(&self.digests.all)),
        ]);
        if let Some((names, digest)) = &self.digests.restart {
            all.extend([("op-force-restart", printable(names)), ("op-restart-digest", printable(digest))]);
        }
        if let Some((names, digest)) = &self.digests.secure {
            all.extend([("op-secure-params", printable(names)), ("op-secure-digest", printable(digest))]);
        }
        if let Some((source, target)) = &self.migration {
            all.extend([("migrate_source", printable(source)), ("migrate_target", printable(target))]);
        }
        all
    }

    /// As the scheduler reads it.
    #[must_use]
    pub fn typed(&self, slot: &str) -> status::HistoryEntry {
        let magic = self.magic();
        let mut texts = vec![
            (HistoryText::Id, slot),
            (HistoryText::OperationKey, &*self.key),
            (HistoryText::Operation, &*self.operation),
            (HistoryText::DebugOrigin, "executor"),
            (HistoryText::FeatureSet, &*self.feature_set),
            (HistoryText::TransitionKey, &*self.transition_key),
            (HistoryText::TransitionMagic, &*magic),
            (HistoryText::ExitReason, &*self.exit_reason),
            (HistoryText::OnNode, &*self.on_node),
            (HistoryText::OpDigest, &*self.digests.all),
        ];
        if let Some((names, digest)) = &self.digests.restart {
            texts
                .extend([(HistoryText::OpForceRestart, &**names), (HistoryText::OpRestartDigest, &**digest)]);
        }
        if let Some((names, digest)) = &self.digests.secure {
            texts.extend([(HistoryText::OpSecureParams, &**names), (HistoryText::OpSecureDigest, &**digest)]);
        }
        if let Some((source, target)) = &self.migration {
            texts.extend([(HistoryText::MigrateSource, &**source), (HistoryText::MigrateTarget, &**target)]);
        }
        let mut entry = status::HistoryEntry::new(texts);
        entry.call_id = Some(self.call_id);
        entry.rc_code = Some(i64::from(self.exit_code));
        entry.op_status = Some(i64::from(self.status.number()));
        entry.interval = u32::try_from(self.interval).unwrap_or(u32::MAX);
        entry.last_rc_change = Some(self.last_change);
        entry.exec_time = Some(i64::try_from(self.executed).unwrap_or(i64::MAX));
        entry.queue_time = Some(i64::try_from(self.queued).unwrap_or(i64::MAX));
        entry
    }
}

/// What one executor remembers of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceHistory {
    pub agent: AgentName,
    pub container: Option<String>,
    /// Epoch seconds of the shutdown that locked it here.
    pub shutdown_lock: Option<i64>,
    /// Confirmed results by slot.
    pub entries: BTreeMap<String, Entry>,
}

impl ResourceHistory {
    /// Nothing known yet.
    #[must_use]
    pub fn new(agent: AgentName) -> ResourceHistory {
        ResourceHistory { agent, container: None, shutdown_lock: None, entries: BTreeMap::new() }
    }

    /// Takes a result in; returns slots that no longer hold anything (rule 4.29.8: a one-time operation
    /// other than a monitor drops the recurring results).
    pub fn record(&mut self, resource: &str, entry: &Entry) -> Vec<String> {
        let mut gone = Vec::new();
        if entry.interval == 0 && entry.operation != "monitor" {
            gone = self.recurring_slots();
            for slot in &gone {
                self.entries.remove(slot);
            }
        }
        for slot in entry.slots(resource) {
            self.entries.insert(slot, entry.clone());
        }
        gone
    }

    fn recurring_slots(&self) -> Vec<String> {
        let recurring = |(slot, entry): &(&String, &Entry)| entry.interval > 0 && **slot == entry.key;
        self.entries.iter().filter(recurring).map(|(slot, _)| slot.clone()).collect()
    }

    /// Whether any entry is a failure that an administrator would clean up: a probe that found the resource
    /// active is none.
    #[must_use]
    pub fn has_failure(&self) -> bool {
        let found = |entry: &Entry| entry.is_probe() && matches!(entry.exit_code, 0 | 7 | 8 | 190 | 191);
        self.entries.values().any(|entry| entry.is_failure() && !found(entry))
    }

    /// As the scheduler reads it, confirmed entries only.
    #[must_use]
    pub fn typed(&self, resource: &str) -> status::ResourceHistory {
        status::ResourceHistory {
            id: resource.into(),
            class: Some(self.agent.class.as_str().into()),
            provider: self.agent.provider.as_deref().map(Into::into),
            agent_type: Some(self.agent.agent_type.as_str().into()),
            container: self.container.as_deref().map(Into::into),
            shutdown_lock: self.shutdown_lock.filter(|lock| *lock != 0),
            other_attributes: Vec::new(),
            entries: self.entries.iter().map(|(slot, entry)| entry.typed(slot)).collect(),
            line: 0,
        }
    }
}

/// Names an operation that is under way: on which node, of which resource, which key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InFlightKey {
    pub node: NodeId,
    pub resource: String,
    /// `RSC_OP_INTERVAL`.
    pub key: String,
}

impl InFlightKey {
    /// Whether the operation has an interval.
    #[must_use]
    pub fn recurs(&self) -> bool {
        !self.key.ends_with("_0")
    }
}

/// An operation that was ordered and has no result yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    pub agent: AgentName,
    /// The pending entry.
    pub entry: Entry,
    /// Whether it is written into the CIB (`record-pending`, and not for notifications).
    pub recorded: bool,
    /// Parameter digest as ordered: whether a new plan means the same.
    pub digest: String,
    /// The instance is interchangeable with others on other nodes (anonymous clone).
    pub anonymous: bool,
}

/// History and operations under way of all members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    pub nodes: BTreeMap<NodeId, BTreeMap<String, ResourceHistory>>,
    #[serde(with = "crate::text::pairs")]
    pub in_flight: BTreeMap<InFlightKey, InFlight>,
}

impl History {
    /// The part of one node: what it sends in a join round.
    #[must_use]
    pub fn of_node(&self, node: NodeId) -> History {
        History {
            nodes: self.nodes.get(&node).map(|own| (node, own.clone())).into_iter().collect(),
            in_flight: (self.pending_on(node)).map(|(key, one)| (key.clone(), one.clone())).collect(),
        }
    }

    /// Forgets all of a node.
    pub fn forget_node(&mut self, node: NodeId) {
        self.nodes.remove(&node);
        self.in_flight.retain(|key, _| key.node != node);
    }

    /// The resource's confirmed history on a node.
    #[must_use]
    pub fn resource(&self, node: NodeId, resource: &str) -> Option<&ResourceHistory> {
        self.nodes.get(&node)?.get(resource)
    }

    /// The same for changing; made if missing.
    pub fn resource_mut(&mut self, node: NodeId, resource: &str, agent: &AgentName) -> &mut ResourceHistory {
        let resources = self.nodes.entry(node).or_default();
        resources.entry(resource.to_owned()).or_insert_with(|| ResourceHistory::new(agent.clone()))
    }

    /// Operations under way on a node.
    pub fn pending_on(&self, node: NodeId) -> impl Iterator<Item = (&InFlightKey, &InFlight)> {
        let from = InFlightKey { node, resource: String::new(), key: String::new() };
        self.in_flight.range(from..).take_while(move |(key, _)| key.node == node)
    }

    /// Operations under way of a resource on a node.
    pub fn pending(&self, node: NodeId, resource: &str) -> impl Iterator<Item = (&InFlightKey, &InFlight)> {
        let from = InFlightKey { node, resource: resource.to_owned(), key: String::new() };
        let resource = resource.to_owned();
        self.in_flight.range(from..).take_while(move |(key, _)| key.node == node && key.resource == resource)
    }

    /// Whether the CIB has anything to show of a resource on a node.
    #[must_use]
    pub fn shows(&self, node: NodeId, resource: &str) -> bool {
        self.resource(node, resource).is_some()
            || self.pending(node, resource).any(|(_, operation)| operation.recorded)
    }

    /// What the CIB has to show of a resource on a node: what is confirmed, with what is pending on top of it.
    #[must_use]
    pub fn change<'a>(&'a self, node: NodeId, resource: &'a str) -> HistoryChange<'a> {
        let (confirmed, pending) = (self.resource(node, resource), self.recorded_pending(node, resource));
        let agent = confirmed.map(|history| &history.agent).or(pending.first().map(|one| &one.agent));
        let element = agent.map(|agent| HistoryElement {
            attributes: resource_attributes(resource, agent, confirmed),
            entries: entries(resource, confirmed, &pending),
        });
        HistoryChange { node: Cow::Owned(node.to_string()), resource: printable(resource), element }
    }

    fn recorded_pending(&self, node: NodeId, resource: &str) -> Vec<&InFlight> {
        self.pending(node, resource).map(|(_, operation)| operation).filter(|one| one.recorded).collect()
    }

    /// The resources of which something is known on a node, or is under way there.
    #[must_use]
    pub fn resources_of(&self, node: NodeId) -> Vec<String> {
        let confirmed = self.nodes.get(&node).into_iter().flat_map(BTreeMap::keys).cloned();
        let pending = self.pending_on(node).map(|(key, _)| key.resource.clone());
        let mut names: Vec<String> = confirmed.chain(pending).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The attributes of an `lrm_resource` (rule 4.29.1).
fn resource_attributes<'a>(
    resource: &'a str,
    agent: &'a AgentName,
    confirmed: Option<&'a ResourceHistory>,
) -> Attributes<'a> {
    let mut all = vec![("id", printable(resource)), ("class", printable(&agent.class))];
    all.extend(agent.provider.as_deref().map(|provider| ("provider", printable(provider))));
    all.push(("type", printable(&agent.agent_type)));
    let container = confirmed.and_then(|history| history.container.as_deref());
    all.extend(container.map(|container| ("container", printable(container))));
    let lock = confirmed.and_then(|history| history.shutdown_lock);
    all.extend(lock.map(|lock| ("shutdown-lock", Cow::Owned(lock.to_string()))));
    all
}

/// The attributes of each `lrm_rsc_op`, by slot.
fn entries<'a>(
    resource: &str,
    confirmed: Option<&'a ResourceHistory>,
    pending: &[&'a InFlight],
) -> Vec<Attributes<'a>> {
    let confirmed = confirmed.into_iter().flat_map(|history| &history.entries);
    let mut slots: BTreeMap<Cow<'a, str>, &'a Entry> =
        confirmed.map(|(slot, entry)| (Cow::Borrowed(slot.as_str()), entry)).collect();
    for operation in pending {
        let of = operation.entry.slots(resource).into_iter();
        slots.extend(of.map(|slot| (Cow::Owned(slot), &operation.entry)));
    }
    slots.into_iter().map(|(slot, entry)| entry.attributes(slot)).collect()
}

/// Digests of an operation's parameters with what the agent's metadata say of them (rule 4.29.4).
#[must_use]
pub fn digests(
    parameters: &BTreeMap<String, String>,
    interval: u64,
    metadata: Option<&AgentMetadata>,
) -> Digests {
    let own: BTreeMap<&str, &str> = (parameters.iter())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| counts(name, interval))
        .collect();
    let all = parameters_digest(own.iter().map(|(name, value)| (*name, *value)));
    let Some(metadata) = metadata else { return Digests { all, ..Digests::default() } };
    let restart = (interval == 0).then(|| restart_names(metadata)).flatten().map(|names| {
        let kept = own.iter().filter(|(name, _)| names.contains(*name)).map(|(name, value)| (*name, *value));
        (between_spaces(&names), parameters_digest(kept))
    });
    let private = private_names(metadata);
    let secure = (!private.is_empty()).then(|| {
        let kept =
            own.iter().filter(|(name, _)| !private.contains(*name)).map(|(name, value)| (*name, *value));
        (between_spaces(&private), parameters_digest(kept))
    });
    Digests { all, restart, secure }
}

fn counts(name: &str, interval: u64) -> bool {
    if name.starts_with("CRM_meta_") {
        return interval > 0 && name == "CRM_meta_timeout";
    }
    !matches!(name, "id" | "crm_feature_set" | "op-digest" | "on_node" | "on_node_uuid" | "pcmk_external_ip")
}

/// The action by which the agent takes changed parameters without a restart, if it has one: it depends on the OCF
/// version that the agent announces (rule 4.3.10).
#[must_use]
pub fn reload_action(metadata: &AgentMetadata) -> Option<&'static str> {
    let offers = |name: &str| metadata.actions.iter().any(|action| action.name == name);
    let new = metadata.ocf_version.as_deref().is_some_and(|version| {
        cib::value::compare_versions(version.trim(), "1.1") != std::cmp::Ordering::Less
    });
    let action = if new { "reload-agent" } else { "reload" };
    offers(action).then_some(action)
}

/// The parameters a change of which needs a restart, if the agent can reload at all (rule 4.3.10).
fn restart_names(metadata: &AgentMetadata) -> Option<Vec<&str>> {
    let keeps = |parameter: &crate::AgentParameter, action| match action {
        "reload-agent" => !parameter.reloadable,
        _ => parameter.unique,
    };
    let action = reload_action(metadata)?;
    let kept = metadata.parameters.iter().filter(|parameter| keeps(parameter, action));
    Some(kept.map(|parameter| parameter.name.as_str()).collect())
}

/// The private parameters (rule 4.4.1).
fn private_names(metadata: &AgentMetadata) -> Vec<&str> {
    let marked: Vec<&str> =
        metadata.parameters.iter().filter(|one| one.private).map(|one| one.name.as_str()).collect();
    if !marked.is_empty() {
        return marked;
    }
    let usual = |name: &&str| matches!(*name, "password" | "passwd" | "user");
    metadata.parameters.iter().map(|one| one.name.as_str()).filter(usual).collect()
}

fn between_spaces(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!(" {} ", names.join(" ")) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn entry(operation: &str, interval: u64, exit_code: i32) -> Entry {
        Entry {
            key: format!("web_{operation}_{interval}"),
            operation: operation.to_owned(),
            feature_set: "3.20.5".to_owned(),
            transition_key: "1:2:0:uuid".to_owned(),
            exit_reason: String::new(),
            on_node: "node1".to_owned(),
            call_id: 1,
            exit_code,
            status: ExecutionStatus::Done,
            expected: 0,
            interval,
            last_change: 0,
            executed: 0,
            queued: 0,
            digests: Digests::default(),
            migration: None,
        }
    }

    #[test]
    fn results_go_to_their_slots() {
        assert_eq!(entry("start", 0, 0).slots("web"), ["web_last_0"]);
        assert_eq!(entry("start", 0, 1).slots("web"), ["web_last_failure_0", "web_last_0"]);
        assert_eq!(entry("monitor", 10_000, 0).slots("web"), ["web_monitor_10000"]);
        assert_eq!(entry("monitor", 10_000, 7).slots("web"), ["web_last_failure_0"]);
        assert_eq!(entry("migrate_to", 0, 1).slots("web"), ["web_migrate_to_0"]);
    }

    #[test]
    fn a_stop_drops_the_recurring_results_but_not_the_failure() {
        let agent = AgentName { class: "ocf".into(), provider: Some("x".into()), agent_type: "y".into() };
        let mut history = ResourceHistory::new(agent);
        for result in [entry("start", 0, 0), entry("monitor", 10_000, 0), entry("monitor", 10_000, 7)] {
            history.record("web", &result);
        }
        assert_eq!(history.record("web", &entry("stop", 0, 0)), ["web_monitor_10000"]);
        let slots: Vec<&str> = history.entries.keys().map(String::as_str).collect();
        assert_eq!(slots, ["web_last_0", "web_last_failure_0"]);
    }

    #[test]
    fn digests_are_those_of_the_rules() {
        let parameters = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| (String::from(*name), String::from(*value)))
                .collect::<BTreeMap<_, _>>()
        };
        let one =
            parameters(&[("ip", "127.0.0.10"), ("CRM_meta_timeout", "20000"), ("crm_feature_set", "3")]);
        assert_eq!(digests(&one, 0, None).all, "21ccbd2b8e65014ca7b36a2070642a2e");
        assert_eq!(digests(&one, 5000, None).all, "517d7b3575d97d408fbe19f3cfcc69fe");
        assert_eq!(digests(&parameters(&[]), 0, None).all, "f2317cad3d54cec5d7d7aa7d0bf35cf8");
    }
}
