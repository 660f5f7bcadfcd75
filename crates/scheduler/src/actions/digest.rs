//! Digests of parameters: whether what ran is what is configured now (rule 3.15).

use super::settings;
use crate::model::{Attributes, Model, Name, NodeId, ResourceId, Task};
use crate::state;
use cib::status::{HistoryEntry, HistoryText};
use cib::value::compare_versions;
use md5::{Digest as _, Md5};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

/// Parameters by name, in the order in which they enter a digest.
pub(super) type Parameters = BTreeMap<Name, Name>;

/// How recorded and configured parameters compare (rule 3.15.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Same,
    /// Nothing was recorded.
    Unknown,
    Different,
    /// Different in a way that needs a restart.
    Restart,
}

/// What is configured now for one operation on one node. Which parameters count for a restart and which
/// are private, the first entry looked at says for all (rule 3.15.5).
#[derive(Clone, Debug)]
pub(super) struct Digests {
    full: String,
    restart: Option<String>,
    secure: Option<String>,
    has_own_parameters: bool,
}

/// How an entry compares with the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub comparison: Comparison,
    /// Only parameters that the recorded agent calls private differ (rule 3.15.8).
    pub only_private: bool,
}

/// MD5 in lower-case hex of the canonical text of `parameters` (rule 3.15.1).
pub(super) fn digest(parameters: &Parameters) -> String {
    let mut text = String::from(" <parameters");
    for (name, value) in parameters {
        text.push(' ');
        text.push_str(name);
        text.push_str("=\"");
        escape(value, &mut text);
        text.push('"');
    }
    text.push_str("/>\n");
    hex(&Md5::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn escape(value: &str, text: &mut String) {
    for character in value.chars() {
        match character {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            '"' => text.push_str("&quot;"),
            '\n' => text.push_str("&#10;"),
            '\r' => text.push_str("&#13;"),
            '\t' => text.push_str("&#9;"),
            other => text.push(other),
        }
    }
}

/// Names that never count (rule 3.15.3).
fn is_left_out(name: &str) -> bool {
    const NEVER: [&str; 6] =
        ["id", "crm_feature_set", "op-digest", "on_node", "on_node_uuid", "pcmk_external_ip"];
    name.starts_with("CRM_meta_") || NEVER.contains(&name)
}

/// All parameters that count for the operation on `node` (rules 3.15.2 to 3.15.4).
pub(super) fn full_parameters(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    interval: u32,
    node: NodeId,
) -> Parameters {
    let mut all = Parameters::new();
    if let Some(address) = bundle_address(model, resource) {
        all.insert("addr".into(), address);
    }
    let settings = settings::of(model, resource, task, interval, Some(node));
    add(&mut all, &state::parameters(model, resource, Some(node)));
    if let Some(operation) = settings.operation {
        add(&mut all, &settings::parameters(model, resource, operation, Some(node)));
    }
    if let Some(timeout) = settings.meta.get("timeout").filter(|_| interval > 0) {
        all.insert("CRM_meta_timeout".into(), timeout.clone());
    }
    all
}

fn add(all: &mut Parameters, more: &Attributes) {
    for (name, value) in more.iter().filter(|(name, _)| !is_left_out(name)) {
        all.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// Whether `resource` connects to a bundle node at the address of its container's host.
pub(super) fn has_host_address(model: &mut Model<'_>, resource: ResourceId) -> bool {
    let it = &model.resources[resource];
    it.is_remote_connection
        && it.launcher.is_some()
        && model.bundle_of(resource).is_some()
        && state::parameters(model, resource, None).get("addr").is_some_and(|addr| **addr == *"#uname")
}

/// The host that stands for the address `#uname` of a bundle's connection: where its container goes, or
/// is while it is unassigned.
pub(super) fn bundle_address(model: &mut Model<'_>, resource: ResourceId) -> Option<Name> {
    if !has_host_address(model, resource) {
        return None;
    }
    let container = model.resources[resource].launcher?;
    let host = model.resources[container].assigned.or_else(|| state::current_node(model, container))?;
    Some(model.nodes[host].name.clone())
}

/// Compares a recorded operation with the configuration (rules 3.15.7, 3.15.8).
pub(super) fn compare(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    node: NodeId,
    entry: &HistoryEntry,
) -> Verdict {
    let digests = configured(model, resource, task, node, entry);
    let recorded = |which| entry.text(which);
    let recorded_restart = recorded_restart(model, entry);
    let restart_differs = digests
        .restart
        .as_deref()
        .is_some_and(|configured| recorded_restart.is_some_and(|recorded| recorded != configured));
    let comparison = match recorded(HistoryText::OpDigest) {
        _ if restart_differs => Comparison::Restart,
        None => Comparison::Unknown,
        Some(recorded) if digests.full == recorded => Comparison::Same,
        Some(_) if entry.interval == 0 && digests.has_own_parameters => Comparison::Restart,
        Some(_) => Comparison::Different,
    };
    let secure = digests.secure.as_deref();
    let only_private = comparison != Comparison::Same
        && secure.is_some_and(|secure| recorded(HistoryText::OpSecureDigest) == Some(secure));
    Verdict { comparison, only_private }
}

/// The digests of the configured operation, calculated once per node and operation.
fn configured(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    node: NodeId,
    entry: &HistoryEntry,
) -> Rc<Digests> {
    let index = (node, resource, task.clone(), entry.interval);
    if let Some(known) = model.actions_extra.digests.get(&index) {
        return known.clone();
    }
    let digests = Rc::new(calculate(model, resource, task, node, entry));
    model.actions_extra.digests.insert(index, digests.clone());
    digests
}

fn calculate(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    node: NodeId,
    entry: &HistoryEntry,
) -> Digests {
    let full = full_parameters(model, resource, task, entry.interval, node);
    let settings = settings::of(model, resource, task, entry.interval, Some(node));
    let has_own_parameters = settings
        .operation
        .and_then(|it| state::operations(model, resource).get(it))
        .is_some_and(|it| !it.instance_attributes.is_empty());
    let has_secure = entry.text(HistoryText::OpSecureDigest).is_some() && model.plan_options.sanitized_input;
    let secure = has_secure.then(|| digest(&secure_parameters(model, resource, node, &full, entry)));
    let has_restart = recorded_restart(model, entry).is_some();
    let restart = has_restart.then(|| digest(&restart_parameters(&full, entry)));
    Digests { full: digest(&full), restart, secure, has_own_parameters }
}

/// The recorded restart digest; that of an expired monitor matches nothing (rule 1.12.7).
fn recorded_restart<'e>(model: &Model<'_>, entry: &'e HistoryEntry) -> Option<&'e str> {
    if state::is_expired_monitor(model, entry) {
        return Some("calculated-failure-timeout");
    }
    entry.text(HistoryText::OpRestartDigest)
}

/// Rule 3.15.6.
fn restart_parameters(full: &Parameters, entry: &HistoryEntry) -> Parameters {
    let mut parameters = full.clone();
    if let Some(listed) = entry.text(HistoryText::OpForceRestart) {
        parameters.retain(|name, _| is_listed(listed, name));
    }
    parameters
}

fn is_listed(list: &str, name: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed == name)
}

/// What is left when private parameters are not looked at (rule 3.15.8).
fn secure_parameters(
    model: &mut Model<'_>,
    resource: ResourceId,
    node: NodeId,
    full: &Parameters,
    entry: &HistoryEntry,
) -> Parameters {
    let is_old = is_old(model, entry.text(HistoryText::FeatureSet));
    let mut parameters = full.clone();
    if is_old {
        parameters.clear();
        add(&mut parameters, &state::parameters(model, resource, Some(node)));
        if model.resources[resource].is_fence_device {
            parameters.retain(|name, _| !is_generic_for_fencing(name));
        }
    }
    if let Some(private) = entry.text(HistoryText::OpSecureParams) {
        parameters.retain(|name, _| !is_listed(private, name));
    }
    parameters
}

/// Whether what is compared was written, or else the whole document, before secure digests were of all parameters.
fn is_old(model: &Model<'_>, written_by: Option<&str>) -> bool {
    let feature_set = written_by.or(model.cib.root.feature_set.as_deref());
    feature_set.is_some_and(|set| compare_versions(set, "3.16.0") == Ordering::Less)
}

/// Parameters that the fencer reads, not the agent.
fn is_generic_for_fencing(name: &str) -> bool {
    name.starts_with("pcmk_") || matches!(name, "provides" | "stonith-timeout")
}

/// The full and the secure digest of a device as it is used to unfence `node` (rule 3.15.9).
pub(super) fn of_device(model: &mut Model<'_>, device: ResourceId, node: NodeId) -> (String, String) {
    const PRIVATE: [&str; 3] = ["passwd", "password", "user"];
    let task = Task::Other("stonith-on".into());
    let mut parameters = full_parameters(model, device, &task, 0, node);
    let full = digest(&parameters);
    let with_generic = !is_old(model, None);
    parameters
        .retain(|name, _| !PRIVATE.contains(&&**name) && (with_generic || !is_generic_for_fencing(name)));
    (full, digest(&parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn digests_of_the_rule() {
        assert_eq!(digest(&parameters(&[])), "f2317cad3d54cec5d7d7aa7d0bf35cf8");
        assert_eq!(digest(&parameters(&[("ip", "127.0.0.10")])), "21ccbd2b8e65014ca7b36a2070642a2e");
        assert_eq!(
            digest(&parameters(&[("ip", "127.0.0.10"), ("CRM_meta_timeout", "20000")])),
            "517d7b3575d97d408fbe19f3cfcc69fe"
        );
    }

    #[test]
    fn lists_are_of_whole_words() {
        assert!(is_listed(" state  fake ", "fake"));
        assert!(!is_listed(" state  fake ", "fak"));
    }
}
