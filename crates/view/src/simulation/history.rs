//! Edits the status of a CIB the way a running cluster would (rules 3.52.5, 3.54).

use super::event::Event;
use super::index::Histories;
use cib::value::Timestamp;
use xml::{Document, NodeId};

/// Who a record says it was written by.
const ORIGIN: &str = "crm_simulate";
/// The feature set that simulated records claim.
const FEATURE_SET: &str = scheduler::graph::FEATURE_SET;
const FAKE_UUID: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

/// The resource whose history is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Agent<'a> {
    /// The name under which new history is kept.
    pub id: &'a str,
    /// The scheduler's name, if history may be kept under that one.
    pub instance: &'a str,
    pub class: &'a str,
    pub provider: Option<&'a str>,
    pub kind: &'a str,
}

/// A result to record.
#[derive(Clone, Debug)]
pub(super) struct Record<'a> {
    pub task: &'a str,
    /// Milliseconds.
    pub interval: u32,
    pub status: i32,
    pub expected: i32,
    pub exit_reason: &'a str,
    pub node: &'a str,
    pub at: Timestamp,
    pub migrate_source: Option<&'a str>,
    pub migrate_target: Option<&'a str>,
    pub notify: Option<(&'a str, &'a str)>,
    pub digest: Option<String>,
}

impl Record<'_> {
    fn failed(&self) -> bool {
        self.status != self.expected && self.task != "notify"
    }
}

/// The `status` section; it was made when the input was prepared.
fn status(document: &mut Document) -> NodeId {
    let root = document.root();
    match document.child(root, "status") {
        Some(status) => status,
        None => document.append_element(root, "status"),
    }
}

fn child_or_new(document: &mut Document, parent: NodeId, name: &str) -> NodeId {
    match document.child(parent, name) {
        Some(child) => child,
        None => document.append_element(parent, name),
    }
}

fn find_by(document: &Document, parent: NodeId, name: &str, attribute: &str, value: &str) -> Option<NodeId> {
    document
        .children(parent)
        .find(|child| document.name(*child) == name && document.attribute(*child, attribute) == Some(value))
}

/// The id of a node by its name: as status or configuration know it.
pub(super) fn node_id(document: &Document, name: &str) -> Option<String> {
    let root = document.root();
    let by_name = |section: Option<NodeId>, element: &str| {
        let found = find_by(document, section?, element, "uname", name)?;
        document.attribute(found, "id").map(str::to_owned)
    };
    let nodes = document.child(root, "configuration").and_then(|it| document.child(it, "nodes"));
    by_name(document.child(root, "status"), "node_state").or_else(|| by_name(nodes, "node"))
}

/// The status entry of a node, made if it is missing.
pub(super) fn node_state(document: &mut Document, name: &str, id: &str) -> NodeId {
    let status = status(document);
    if let Some(found) = find_by(document, status, "node_state", "uname", name) {
        return found;
    }
    let state = document.append_element(status, "node_state");
    document.set_attribute(state, "id", id);
    document.set_attribute(state, "uname", name);
    state
}

/// Adds a node to the configuration, if it is not there.
pub(super) fn add_node(document: &mut Document, name: &str) {
    let root = document.root();
    let configuration = child_or_new(document, root, "configuration");
    let nodes = child_or_new(document, configuration, "nodes");
    if find_by(document, nodes, "node", "uname", name).is_none() {
        let node = document.append_element(nodes, "node");
        document.set_attribute(node, "id", name);
        document.set_attribute(node, "uname", name);
    }
}

/// Whether and how a node takes part in the cluster.
pub(super) fn set_membership(document: &mut Document, node: NodeId, member: bool, online: bool) {
    let word =
        |yes: bool, yes_word: &'static str, no_word: &'static str| if yes { yes_word } else { no_word };
    document.set_attribute(node, "in_ccm", word(member, "true", "false"));
    document.set_attribute(node, "crmd", word(online, "online", "offline"));
    document.set_attribute(node, "join", word(online, "member", "down"));
    document.set_attribute(node, "expected", word(online, "member", "down"));
    document.set_attribute(node, "crm-debug-origin", ORIGIN);
}

/// Forgets everything that a node's status says of resources and attributes.
pub(super) fn forget(document: &mut Document, node: NodeId) {
    for section in ["lrm", "transient_attributes"] {
        while let Some(found) = document.child(node, section) {
            document.remove(found);
        }
    }
}

/// The history of a resource on a node, found under either name, else made.
pub(super) fn resource(
    document: &mut Document,
    histories: &mut Histories,
    node: NodeId,
    agent: &Agent<'_>,
) -> Option<NodeId> {
    let node_id = document.attribute(node, "id").unwrap_or_default().to_owned();
    let lrm = child_or_new(document, node, "lrm");
    if document.attribute(lrm, "id").is_none() {
        document.set_attribute(lrm, "id", &node_id);
    }
    let resources = child_or_new(document, lrm, "lrm_resources");
    let known = histories.resources(document, resources);
    for name in [agent.instance, agent.id] {
        // several of one name count as none
        if let Some([found]) = known.get(name).map(Vec::as_slice) {
            return Some(*found);
        }
    }
    if agent.class.is_empty() || agent.kind.is_empty() {
        return None;
    }
    let entry = document.append_element(resources, "lrm_resource");
    document.set_attribute(entry, "id", agent.id);
    document.set_attribute(entry, "class", agent.class);
    if let Some(provider) = agent.provider {
        document.set_attribute(entry, "provider", provider);
    }
    document.set_attribute(entry, "type", agent.kind);
    known.entry(agent.id.to_owned()).or_default().push(entry);
    Some(entry)
}

/// Writes a result into a resource's history, for `name`, whatever the history goes by (rule 3.54.2).
pub(super) fn record(
    document: &mut Document,
    histories: &mut Histories,
    resource: NodeId,
    name: &str,
    result: &Record<'_>,
) {
    let task = match result.task {
        "reload" | "reload-agent" if !result.failed() => "start",
        task => task,
    };
    let key = operation_key(name, task, result);
    let last = format!("{name}_last_0");
    let mut ids = Vec::new();
    if result.failed() {
        ids.push(format!("{name}_last_failure_0"));
        if result.interval == 0 {
            ids.push(last);
        }
    } else if result.interval > 0 || matches!(task, "migrate_to" | "migrate_from" | "notify") {
        ids.push(key.clone());
    } else {
        ids.push(last);
    }
    let known = histories.entries(document, resource);
    known.last_call = known.last_call.saturating_add(1);
    let call = known.last_call;
    for id in ids {
        let entry =
            *known.by_id.entry(id.clone()).or_insert_with(|| document.append_element(resource, "lrm_rsc_op"));
        write(document, entry, &id, &key, task, call, result);
    }
}

fn operation_key(name: &str, task: &str, result: &Record<'_>) -> String {
    match result.notify.filter(|_| task == "notify") {
        Some((kind, operation)) => format!("{name}_{kind}_notify_{operation}_0"),
        None => format!("{name}_{task}_{}", result.interval),
    }
}

/// The attributes of an entry, in the order of rule 3.54.1.
fn write(
    document: &mut Document,
    entry: NodeId,
    id: &str,
    key: &str,
    task: &str,
    call: i64,
    result: &Record<'_>,
) {
    let status = if task == "notify" { 0 } else { result.status };
    let transition_key = format!("{call}:-1:{}:{FAKE_UUID}", result.expected);
    let mut set = |name: &str, value: &str| document.set_attribute(entry, name, value);
    set("id", id);
    set("operation_key", key);
    set("operation", task);
    set("crm-debug-origin", ORIGIN);
    set("crm_feature_set", FEATURE_SET);
    set("transition-key", &transition_key);
    set("transition-magic", &format!("0:{status};{transition_key}"));
    set("exit-reason", if result.failed() { result.exit_reason } else { "" });
    set("on_node", result.node);
    set("call-id", &call.to_string());
    set("rc-code", &status.to_string());
    set("op-status", "0");
    set("interval", &result.interval.to_string());
    set("last-rc-change", &result.at.to_string());
    set("exec-time", "0");
    set("queue-time", "0");
    if matches!(task, "migrate_to" | "migrate_from") {
        set("migrate_source", result.migrate_source.unwrap_or_default());
        set("migrate_target", result.migrate_target.unwrap_or_default());
    }
    if let Some(digest) = &result.digest {
        set("op-digest", digest);
    }
}

/// The attributes set of a node's transient attributes, made if missing.
fn transient(document: &mut Document, node: NodeId) -> NodeId {
    let id = document.attribute(node, "id").unwrap_or_default().to_owned();
    let section = child_or_new(document, node, "transient_attributes");
    if document.attribute(section, "id").is_none() {
        document.set_attribute(section, "id", &id);
    }
    let set = child_or_new(document, section, "instance_attributes");
    if document.attribute(set, "id").is_none() {
        document.set_attribute(set, "id", &id);
    }
    set
}

/// A transient attribute of a node.
pub(super) fn attribute(document: &mut Document, node: NodeId, name: &str) -> Option<String> {
    let set = transient(document, node);
    let pair = find_by(document, set, "nvpair", "name", name)?;
    document.attribute(pair, "value").map(str::to_owned)
}

/// Sets a transient attribute of a node.
pub(super) fn set_attribute(document: &mut Document, node: NodeId, name: &str, value: &str) {
    let set = transient(document, node);
    let set_id = document.attribute(set, "id").unwrap_or_default().to_owned();
    let pair = match find_by(document, set, "nvpair", "name", name) {
        Some(pair) => pair,
        None => {
            let pair = document.append_element(set, "nvpair");
            let id: String = format!("{set_id}-{name}").replace(['#', ':', '/', ' '], ".");
            document.set_attribute(pair, "id", &id);
            document.set_attribute(pair, "name", name);
            pair
        }
    };
    document.set_attribute(pair, "value", value);
}

/// A ticket's status entry, made if missing.
pub(super) fn ticket(document: &mut Document, id: &str) -> NodeId {
    let status = status(document);
    let tickets = child_or_new(document, status, "tickets");
    if let Some(found) = find_by(document, tickets, "ticket_state", "id", id) {
        return found;
    }
    let state = document.append_element(tickets, "ticket_state");
    document.set_attribute(state, "id", id);
    state
}

/// Records a failure in a node's transient attributes: fail count and time (rules 3.53.2, 3.53.3).
/// Returns what to say about it.
pub(super) fn count_failure(
    document: &mut Document,
    node: NodeId,
    resource: &str,
    record: &Record<'_>,
    start_failure_is_fatal: bool,
) -> Vec<Event> {
    if record.status == 0 || (record.status == 7 && record.interval == 0) {
        return Vec::new();
    }
    let suffix = format!("{resource}#{}_{}", record.task, record.interval);
    let (count_name, time_name) = (format!("fail-count-{suffix}"), format!("last-failure-{suffix}"));
    let fatal = record.task == "stop" || (record.task == "start" && start_failure_is_fatal);
    let previous: i64 = attribute(document, node, &count_name)
        .map_or(0, |text| if text == "INFINITY" { 1_000_000 } else { text.parse().unwrap_or(0) });
    let count = match previous + 1 {
        _ if fatal => "INFINITY".to_owned(),
        count if count >= 1_000_000 => "INFINITY".to_owned(),
        count => count.to_string(),
    };
    let id = document.attribute(node, "id").unwrap_or_default().to_owned();
    let mut events = Vec::new();
    for (name, value) in [(count_name, count), (time_name, record.at.to_string())] {
        set_attribute(document, node, &name, &value);
        events.push(Event::Attribute { name, value, node_id: id.clone() });
    }
    events
}
