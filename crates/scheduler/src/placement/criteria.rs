//! What nodes and history say about each resource's table, apart from constraints (rule 2.10).

use super::tables;
use crate::actions;
use crate::model::{Cause, Discovery, Model, NodeId, ResourceId};
use crate::state;
use cib::value::{Score, parse_integer};

/// Rule 2.10.1.
pub fn apply_shutdown_locks(model: &mut Model) {
    if !model.options.shutdown_lock {
        return;
    }
    for resource in model.top.clone() {
        apply_shutdown_lock(model, resource);
    }
}

fn apply_shutdown_lock(model: &mut Model, resource: ResourceId) {
    let it = &model.resources[resource];
    if it.is_group() {
        for member in it.children.clone() {
            apply_shutdown_lock(model, member);
        }
        return;
    }
    if !it.is_primitive() || it.is_fence_device || it.is_remote_connection {
        return;
    }
    match it.lock_node {
        Some(locked) if !it.active_on.is_empty() => {
            model.resources[resource].lock_node = None;
            model.resources[resource].lock_time = 0;
            actions::clear_shutdown_lock(model, resource, locked);
        }
        Some(_) => {}
        None => lock_to_leaving_node(model, resource),
    }
    let Some(locked) = model.resources[resource].lock_node else { return };
    offer_expiry(model, resource);
    for node in model.node_order.clone() {
        if node != locked {
            let cause = Cause::ShutdownLock { resource, node: locked };
            model.add_score(resource, node, Score::MINUS_INFINITY, cause);
        }
    }
}

fn lock_to_leaving_node(model: &mut Model, resource: ResourceId) {
    let [node] = model.resources[resource].active_on[..] else { return };
    let it = &model.nodes[node];
    if !it.shutdown || it.unclean {
        return;
    }
    let since = it.attributes.get("shutdown").and_then(|text| parse_integer(text)).filter(|time| *time != 0);
    let since = since.unwrap_or(model.now);
    model.resources[resource].lock_node = Some(node);
    model.resources[resource].lock_time = since;
}

/// The lock ends by itself if there is a limit.
fn offer_expiry(model: &mut Model, resource: ResourceId) {
    let limit = cib::value::seconds_from_milliseconds(model.options.shutdown_lock_limit);
    if limit > 0 {
        let at = model.resources[resource].lock_time.saturating_add(limit as i64).saturating_add(1);
        model.recheck_at(at);
    }
}

/// Rule 2.10.2, for all leaves in resource-list order.
pub fn apply_stickiness(model: &mut Model) {
    for resource in model.top.clone() {
        stick(model, resource);
    }
}

fn stick(model: &mut Model, resource: ResourceId) {
    let it = &model.resources[resource];
    if !it.children.is_empty() {
        for child in it.children.clone() {
            stick(model, child);
        }
        return;
    }
    let stickiness = it.stickiness;
    let [node] = it.active_on[..] else { return };
    if !it.managed || stickiness < Score::new(1) {
        return;
    }
    if model.options.symmetric_cluster || it.allowed.contains(node) {
        model.add_score_here(resource, node, stickiness, Cause::Stickiness(resource));
    }
}

/// Rules 2.10.3 and 2.10.5: for each node, each top-level resource.
pub fn apply_thresholds_and_discovery(model: &mut Model) {
    for node in model.node_order.clone() {
        let has_failures = model.nodes[node].attributes.keys().any(|name| name.starts_with("fail-count-"));
        for index in 0..model.top.len() {
            let resource = model.top[index];
            if has_failures {
                ban_after_failures(model, resource, node);
            }
            apply_exclusive_discovery(model, resource, node);
        }
    }
}

/// Bans every leaf below `resource` whose failures on `node` reach its threshold.
fn ban_after_failures(model: &mut Model, resource: ResourceId, node: NodeId) {
    if !model.resources[resource].children.is_empty() {
        for child in model.resources[resource].children.clone() {
            ban_after_failures(model, child, node);
        }
        return;
    }
    if actions::fail_count_is_being_cleared(model, resource, node) {
        return;
    }
    if let Some(fail_count) = threshold_reached(model, resource, node) {
        let banned = if model.resources[resource].unique { resource } else { model.top_of(resource) };
        let cause = Cause::FailureThreshold { resource, node, fail_count };
        model.add_score(banned, node, Score::MINUS_INFINITY, cause);
    }
}

/// The fail count of the leaf on `node`, if it reaches the threshold (rule 2.10.3).
pub fn threshold_reached(model: &mut Model, resource: ResourceId, node: NodeId) -> Option<Score> {
    let it = &model.resources[resource];
    let threshold = it.migration_threshold;
    if threshold == Score::ZERO || it.failure_ignored {
        return None;
    }
    let fail_count = effective_fail_count(model, resource, node);
    (fail_count > Score::ZERO && threshold.value() - fail_count.value() <= 0).then_some(fail_count)
}

/// Rule 2.10.5.
fn apply_exclusive_discovery(model: &mut Model, resource: ResourceId, node: NodeId) {
    let top = model.top_of(resource);
    if !model.resources[resource].exclusive_discovery && !model.resources[top].exclusive_discovery {
        return;
    }
    for child in model.resources[resource].children.clone() {
        apply_exclusive_discovery(model, child, node);
    }
    let entry = model.resources[resource].allowed.get(node);
    if entry.is_some_and(|entry| entry.discovery != Discovery::Exclusive) {
        let cause = Cause::ExclusiveDiscovery(resource);
        tables::set_score(model, resource, node, Score::MINUS_INFINITY, cause);
    }
}

/// The failures that count, those of what the resource launches included (rule 2.10.4).
fn effective_fail_count(model: &mut Model, resource: ResourceId, node: NodeId) -> Score {
    let which = state::Count { effective: true, with_launched: true };
    state::fail_count(model, resource, node, which, None).count
}
