//! What a failure of an operation leads to (rules 1.10.5–1.10.7, 3.5.6–3.5.9).

use crate::model::{Model, OnFail, ResourceId};
use cib::config::Operation;
use cib::value::Role;

/// The handling in force for a failure of the operation. `text` and `role` are the operation's
/// `on-fail` and `role` meta-attributes (see [`super::operation_meta`]).
pub fn on_fail(
    model: &Model,
    resource: ResourceId,
    task: &str,
    interval: u32,
    text: Option<&str>,
    role: Option<&str>,
) -> OnFail {
    let it = &model.resources[resource];
    let reset_relevant = is_reset_relevant(model, resource, task, interval);
    let corrected = corrected_on_fail(model, resource, task, interval, text, role);
    let explicit = corrected
        .filter(|_| !reset_relevant || it.managed)
        .and_then(|text| meaning(text, model.options.fencing_enabled, it.launcher.is_some()));
    if let Some(explicit) = explicit {
        explicit
    } else if it.launcher.is_some() {
        OnFail::RestartContainer
    } else if reset_relevant {
        if it.managed { OnFail::ResetRemote } else { OnFail::Stop }
    } else if task == "stop" {
        if model.options.fencing_enabled { OnFail::Fence } else { OnFail::Block }
    } else {
        OnFail::Restart
    }
}

/// The role to take after a failure that is handled so (rule 1.10.7).
pub fn role_after_failure(model: &Model, resource: ResourceId, task: &str, handling: OnFail) -> Role {
    match handling {
        OnFail::Stop => Role::Stopped,
        OnFail::ResetRemote if model.resources[resource].reconnect_interval > 0 => Role::Stopped,
        _ if task == "promote" => Role::Unpromoted,
        _ => Role::Started,
    }
}

/// A remote (not guest) node's connection, for everything but probes and starts.
fn is_reset_relevant(model: &Model, resource: ResourceId, task: &str, interval: u32) -> bool {
    let it = &model.resources[resource];
    it.is_remote_connection
        && it.launcher.is_none()
        && it.remote_node.is_some()
        && task != "start"
        && !(task == "monitor" && interval == 0)
}

/// The text after the corrections of rule 1.10.5; `None` counts as unset.
pub(crate) fn corrected_on_fail<'t>(
    model: &'t Model<'_>,
    resource: ResourceId,
    task: &str,
    interval: u32,
    text: Option<&'t str>,
    role: Option<&str>,
) -> Option<&'t str> {
    let is = |word: &str| text.is_some_and(|text| text.eq_ignore_ascii_case(word));
    match task {
        "lrm_delete" => Some("ignore"),
        "stop" if is("standby") || is("demote") || is("stop") => None,
        "demote" if text.is_none() => demote_handling(super::operations(model, resource)),
        "promote" => text,
        "monitor" if is("demote") && interval > 0 && role.is_some_and(is_promoted_word) => text,
        _ if is("demote") => None,
        _ => text,
    }
}

/// A demote without own value takes that of the promoted role's monitors.
fn demote_handling(operations: &[Operation]) -> Option<&str> {
    operations
        .iter()
        .filter(|it| *it.name == *"monitor" && it.interval > 0 && it.is_enabled())
        .filter(|it| it.attributes.get("role").is_some_and(is_promoted_word))
        .filter_map(|it| it.attributes.get("on-fail"))
        .rfind(|text| !text.eq_ignore_ascii_case("demote"))
}

fn is_promoted_word(text: &str) -> bool {
    text.eq_ignore_ascii_case("Promoted") || text.eq_ignore_ascii_case("Master")
}

/// `None` for texts that mean the default.
fn meaning(text: &str, fencing_enabled: bool, has_launcher: bool) -> Option<OnFail> {
    let word = text.to_ascii_lowercase();
    Some(match word.as_str() {
        "block" => OnFail::Block,
        "fence" if fencing_enabled => OnFail::Fence,
        "fence" => OnFail::Stop,
        "standby" => OnFail::Standby,
        "ignore" | "nothing" => OnFail::Ignore,
        "migrate" => OnFail::Ban,
        "stop" => OnFail::Stop,
        "restart" => OnFail::Restart,
        "restart-container" if has_launcher => OnFail::RestartContainer,
        "demote" => OnFail::Demote,
        _ => return None,
    })
}
