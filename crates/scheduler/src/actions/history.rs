//! History versus configuration (S5, rule 3.13): what ran with other settings than are configured now.

use super::digest::{self, Comparison};
use super::request::{request, request_because};
use super::{fail_count, recurring, unfencing};
use crate::model::{Cause, Model, NodeId, Properties, ResourceId, ScoreLine, Side, Task};
use crate::ordering::order;
use crate::state::{self, ActiveRange};
use cib::status::{HistoryEntry, HistoryText, ResourceHistory};
use cib::value::Score;

/// A comparison that needs to know where a bundle's container goes.
pub(super) struct Postponed<'a> {
    resource: ResourceId,
    node: NodeId,
    entry: &'a HistoryEntry,
    purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The operation is thought to be in effect.
    Active,
    /// The last failure, whose count may have to be forgotten.
    LastFailure,
}

/// Whether the parameters have changed since the failure that `entry` records (rule 1.18.4 step 4). Where
/// that cannot be known before resources are assigned, the answer is no, and the fail count is cleared later.
pub fn parameters_changed_since_failure<'a>(
    model: &mut Model<'a>,
    resource: ResourceId,
    node: NodeId,
    entry: &'a HistoryEntry,
) -> bool {
    if digest::has_host_address(model, resource) {
        let purpose = Purpose::LastFailure;
        model.actions_extra.postponed.push(Postponed { resource, node, entry, purpose });
        return false;
    }
    differs(model, resource, node, entry)
}

fn differs(model: &mut Model<'_>, resource: ResourceId, node: NodeId, entry: &HistoryEntry) -> bool {
    let task = Task::parse(entry.operation().unwrap_or_default());
    let comparison = digest::compare(model, resource, &task, node, entry).comparison;
    matches!(comparison, Comparison::Different | Comparison::Restart)
}

/// Compares what is active with what is configured, nodes in node-list order (S5).
pub(super) fn check(model: &mut Model<'_>) {
    for index in 0..model.node_order.len() {
        let node = model.node_order[index];
        let it = &model.nodes[node];
        if !it.maintenance && !it.is_available() {
            continue;
        }
        let histories = state::history(model, node);
        for history in histories.iter().filter(|history| !history.entries.is_empty()) {
            for resource in state::find_all_known(model, &history.id) {
                check_resource(model, resource, node, history);
            }
        }
    }
}

/// Rule 3.13.1.
fn check_resource<'a>(
    model: &mut Model<'a>,
    resource: ResourceId,
    node: NodeId,
    history: &'a ResourceHistory,
) {
    let it = &model.resources[resource];
    if !it.is_primitive() {
        return;
    }
    if it.removed {
        let top = &model.resources[model.top_of(resource)];
        if !top.is_clone() || top.unique {
            clean_up(model, resource, node, Cause::Removed(resource));
        }
        return;
    }
    let has_other_agent = has_other_agent(model, resource, history);
    let is_active = it.active_on.contains(&node);
    let changed = Cause::DefinitionChanged { resource, node };
    if has_other_agent {
        unfencing::trigger(model, Some(resource), node, "Device definition changed");
    }
    if has_other_agent && is_active {
        request_because(model, resource, Task::Stop, 0, Some(node), false, changed);
        model.resources[resource].start_pending = true;
    }
    if has_other_agent {
        clean_up(model, resource, node, changed);
    }
    if is_active {
        check_operations(model, resource, node, history);
    }
}

/// Whether history was made by an agent of another class, provider or type.
fn has_other_agent(model: &Model<'_>, resource: ResourceId, history: &ResourceHistory) -> bool {
    let agent = model.resources[resource].agent();
    let configured = agent.map(|it| (Some(&*it.class), it.provider.as_deref(), Some(&*it.kind)));
    let recorded = (history.class.as_deref(), history.provider.as_deref(), history.agent_type.as_deref());
    configured.unwrap_or_default() != recorded
}

/// Rules 3.13.2 and 3.13.3.
fn check_operations<'a>(
    model: &mut Model<'a>,
    resource: ResourceId,
    node: NodeId,
    history: &'a ResourceHistory,
) {
    let entries = state::sorted_entries(history);
    let range = ActiveRange::of(&entries);
    if range.start < range.stop {
        return;
    }
    for (_, entry) in entries.into_iter().enumerate().filter(|(index, _)| Some(*index) >= range.start) {
        let Some(name) = entry.operation() else { continue };
        let task = Task::parse(name);
        let in_maintenance = model.resources[resource].maintenance || model.nodes[node].maintenance;
        if entry.interval > 0 && in_maintenance {
            cancel(model, resource, node, &task, entry);
        } else if entry.interval > 0
            || matches!(task, Task::Monitor | Task::Start | Task::Promote | Task::MigrateFrom)
        {
            if digest::has_host_address(model, resource) {
                let purpose = Purpose::Active;
                model.actions_extra.postponed.push(Postponed { resource, node, entry, purpose });
            } else {
                check_operation(model, resource, node, &task, entry);
            }
        }
    }
}

/// Compares one operation, and forgets failures if its definition changed.
fn check_operation(
    model: &mut Model<'_>,
    resource: ResourceId,
    node: NodeId,
    task: &Task,
    entry: &HistoryEntry,
) {
    if !has_changed(model, resource, node, task, entry) {
        return;
    }
    let effective = state::Count { effective: true, ..Default::default() };
    if state::fail_count(model, resource, node, effective, None).count != Score::ZERO {
        let cause = Cause::DefinitionChanged { resource, node };
        fail_count::clear_fail_count(model, resource, node, cause);
    }
}

/// Rule 3.13.4: whether the operation is configured differently now; if so, acts on it.
fn has_changed(
    model: &mut Model<'_>,
    resource: ResourceId,
    node: NodeId,
    task: &Task,
    entry: &HistoryEntry,
) -> bool {
    if entry.interval > 0 && !is_configured(model, resource, task, entry.interval) {
        if model.options.cancel_removed_actions {
            cancel(model, resource, node, task, entry);
        }
        return true;
    }
    let digests = digest::compare(model, resource, task, node, entry);
    if digests.only_private {
        report_private_change(model, resource, node, task, entry);
        return false;
    }
    match digests.comparison {
        Comparison::Same => return false,
        Comparison::Restart => force_restart(model, resource, node, task, entry.interval),
        Comparison::Unknown | Comparison::Different if entry.interval > 0 => {
            reschedule(model, resource, node, task, entry.interval);
        }
        Comparison::Unknown | Comparison::Different if entry.text(HistoryText::OpRestartDigest).is_some() => {
            unfencing::trigger(model, Some(resource), node, "Device parameters changed (reload)");
            reload(model, resource, node);
        }
        Comparison::Unknown | Comparison::Different => {
            force_restart(model, resource, node, task, entry.interval);
        }
    }
    true
}

fn report_private_change(
    model: &mut Model<'_>,
    resource: ResourceId,
    node: NodeId,
    task: &Task,
    entry: &HistoryEntry,
) {
    if !model.plan_options.show_scores {
        return;
    }
    let (id, name) = (&model.resources[resource].id, &model.nodes[node].name);
    let magic = entry.text(HistoryText::TransitionMagic).unwrap_or_default();
    let interval = match entry.interval {
        0 => "0s".to_owned(),
        interval => cib::value::readable_duration(i64::from(interval)),
    };
    let task = restarted(task, entry.interval);
    let task = task.name();
    let message = format!(
        "Only 'private' parameters to {interval}-interval {task} for {id} on {name} changed: {magic}"
    );
    model.score_lines.push(ScoreLine::Message(message));
}

/// Whether an enabled operation of this name and interval is configured.
fn is_configured(model: &Model<'_>, resource: ResourceId, task: &Task, interval: u32) -> bool {
    state::operations(model, resource).has_enabled(task.name(), u64::from(interval))
}

/// Rule 3.11.2.
fn cancel(model: &mut Model<'_>, resource: ResourceId, node: NodeId, task: &Task, entry: &HistoryEntry) {
    let cancel = recurring::cancel(model, resource, task, entry.interval, node);
    if let Some(call) = entry.call_id {
        model.actions[cancel].set_meta("call_id", call.to_string());
    }
    let stop = Side::task(resource, Task::Stop);
    let cause = Cause::DefinitionChanged { resource, node };
    order(model, stop, Side::Action(cancel), Properties::PLAIN, cause);
}

/// What is done again for a recorded operation.
fn restarted(task: &Task, interval: u32) -> Task {
    match task {
        Task::Monitor | Task::MigrateFrom | Task::Promote if interval == 0 => Task::Start,
        task => task.clone(),
    }
}

/// Rule 3.13.5: what must be done again is requested without a node, so that only a later request for the
/// assigned node makes it possible.
fn force_restart(model: &mut Model<'_>, resource: ResourceId, node: NodeId, task: &Task, interval: u32) {
    let task = restarted(task, interval);
    let cause = Cause::DefinitionChanged { resource, node };
    let required = request_because(model, resource, task, interval, None, false, cause);
    model.actions[required].reason = Some("resource definition change".into());
    unfencing::trigger(model, Some(resource), node, "Device parameters changed");
}

fn reschedule(model: &mut Model<'_>, resource: ResourceId, node: NodeId, task: &Task, interval: u32) {
    unfencing::trigger(model, Some(resource), node, "Device parameters changed (reschedule)");
    let again = request(model, resource, task.clone(), interval, Some(node), true);
    model.actions[again].reschedule = true;
}

/// Rule 3.13.6.
fn reload(model: &mut Model<'_>, resource: ResourceId, node: NodeId) {
    let it = &model.resources[resource];
    if !it.managed || it.failed {
        return;
    }
    let cause = Cause::DefinitionChanged { resource, node };
    if it.start_pending {
        request_because(model, resource, Task::Stop, 0, Some(node), false, cause);
        return;
    }
    model.resources[resource].reloading = true;
    let reload = request_because(model, resource, Task::Reload, 0, Some(node), false, cause);
    model.actions[reload].set_reason("resource definition change");
    let cancelled_by = Properties::PLAIN | Properties::THEN_CANCELS_FIRST;
    for task in [Task::Stop, Task::Demote] {
        order(model, Side::Action(reload), Side::task(resource, task), cancelled_by, cause);
    }
}

/// Rule 3.13.7: removes a resource from the node's executor.
fn clean_up(model: &mut Model<'_>, resource: ResourceId, node: NodeId, cause: Cause) {
    let it = &model.nodes[node];
    if model.resources[resource].failed || it.unclean || !it.online {
        return;
    }
    request_because(model, resource, Task::Delete, 0, Some(node), false, cause);
    let mut rule = |first: Task, then: Task| {
        let (first, then) = (Side::task(resource, first), Side::task(resource, then));
        order(model, first, then, Properties::PLAIN, cause);
    };
    rule(Task::Stop, Task::Delete);
    rule(Task::Delete, Task::Start);
}

/// Makes up for the comparisons that had to wait for assignment (start of S7), the last one first.
pub(super) fn check_postponed(model: &mut Model<'_>) {
    let postponed = std::mem::take(&mut model.actions_extra.postponed);
    for Postponed { resource, node, entry, purpose } in postponed.into_iter().rev() {
        let task = Task::parse(entry.operation().unwrap_or_default());
        match purpose {
            Purpose::Active => check_operation(model, resource, node, &task, entry),
            Purpose::LastFailure if differs(model, resource, node, entry) => {
                let cause = Cause::DefinitionChanged { resource, node };
                fail_count::clear_fail_count(model, resource, node, cause);
            }
            Purpose::LastFailure => {}
        }
    }
}

/// Forgets failures of removed resources (rule 3.13.8), before they are stopped.
pub(super) fn forget_removed(model: &mut Model<'_>) {
    if !model.options.stop_removed_resources {
        return;
    }
    let effective = state::Count { effective: true, ..Default::default() };
    for resource in model.top.clone() {
        if !model.resources[resource].removed {
            continue;
        }
        for node in model.node_order.clone() {
            let online = model.nodes[node].online;
            if online && state::fail_count(model, resource, node, effective, None).count != Score::ZERO {
                let cause = Cause::Removed(resource);
                let clear = fail_count::clear_fail_count(model, resource, node, cause);
                let stop = Side::task(resource, Task::Stop);
                order(model, Side::Action(clear), stop, Properties::PLAIN, cause);
            }
        }
    }
}
