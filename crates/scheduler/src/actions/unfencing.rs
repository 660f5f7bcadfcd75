//! Unfencing: giving a node (back) its access to what fencing would take away (rules 3.14.8, 3.14.9, 3.15.9).

use super::{digest, fencing};
use crate::model::{ActionId, Model, NodeId, Properties, ResourceId, ScoreLine};
use crate::placement::in_iteration_order;

/// Orders an action that needs the node to be unfenced after that (rule 3.14.8), and has the node
/// unfenced if it is not known to be.
pub(super) fn order_before(
    model: &mut Model<'_>,
    resource: ResourceId,
    node: NodeId,
    action: ActionId,
    properties: Properties,
) {
    let it = &model.resources[resource];
    let needs_it = it.requires == crate::model::Requires::Unfencing;
    let concerns_it = needs_it || (it.is_fence_device && model.have_unfencing);
    if !concerns_it {
        return;
    }
    let unfence = fencing::request(model, node, Some("on"), true, None, false);
    crate::ordering::relate(model, unfence, action, properties);
    if !is_unfenced(model, node) {
        let task = model.actions[action].task.name();
        let reason = format!("required by {} {task}", model.resources[resource].id);
        trigger(model, None, node, &reason);
    }
}

fn is_unfenced(model: &Model<'_>, node: NodeId) -> bool {
    model.nodes[node].attributes.get("#node-unfenced").is_some_and(|value| **value != *"0")
}

/// Has `node` unfenced (rule 3.14.9). With a `resource`, only if that is a fence device; where the node cannot be
/// unfenced, all others are that the device may run on.
pub(super) fn trigger(model: &mut Model<'_>, resource: Option<ResourceId>, node: NodeId, reason: &str) {
    if !model.have_unfencing || resource.is_some_and(|it| !model.resources[it].is_fence_device) {
        return;
    }
    let nodes = match resource {
        Some(device) if !can_be_unfenced(model, node) => {
            let entries = in_iteration_order(model, &model.resources[device].allowed);
            entries.into_iter().map(|entry| entry.node).collect()
        }
        _ => vec![node],
    };
    for node in nodes {
        if can_be_unfenced(model, node) {
            fencing::request(model, node, Some("on"), false, Some(reason), false);
        }
    }
}

fn can_be_unfenced(model: &Model<'_>, node: NodeId) -> bool {
    let it = &model.nodes[node];
    it.online && !it.unclean && !it.shutdown
}

/// Writes the digests of all unfencing devices into a new fencing action. Returns whether one differs
/// from what the node was unfenced with.
pub(super) fn add_digests(model: &mut Model<'_>, node: NodeId, action: ActionId) -> bool {
    let (mut all, mut secure) = (String::new(), String::new());
    let mut differs = false;
    for device in devices(model) {
        let (full, private_left_out) = digest::of_device(model, device, node);
        let it = &model.resources[device];
        let kind = it.agent().map(|agent| agent.kind.clone()).unwrap_or_else(|| "".into());
        let full = format!("{}:{kind}:{full},", it.id);
        let private_left_out = format!("{}:{kind}:{private_left_out},", it.id);
        differs |= has_changed(model, device, node, &full, &private_left_out);
        all.push_str(&full);
        secure.push_str(&private_left_out);
    }
    let action = &mut model.actions[action];
    action.set_meta("digests-all", all);
    action.set_meta("digests-secure", secure);
    differs
}

/// Compares a device's digest with those recorded in node attributes when the node was unfenced.
fn has_changed(model: &mut Model<'_>, device: ResourceId, node: NodeId, full: &str, secure: &str) -> bool {
    let attributes = &model.nodes[node].attributes;
    let Some(recorded) = attributes.get("#digests-all") else { return false };
    if recorded.contains(full) {
        return false;
    }
    let only_private = attributes.get("#digests-secure").is_some_and(|recorded| recorded.contains(secure));
    let (node, device) = (&model.nodes[node].name, &model.resources[device].id);
    let mut messages = Vec::new();
    if only_private {
        messages.push(format!("Only 'private' parameters to {device} for unfencing {node} changed"));
    } else {
        if model.plan_options.sanitized_input {
            // what to record where secrets are not known
            let digest = secure.trim_end_matches(',');
            messages.push(format!("Parameters to {device} for unfencing {node} changed, try '{digest}'"));
        }
        messages.push(format!("notice: Unfencing node {node} because the definition of {device} changed"));
    }
    if model.plan_options.show_scores {
        model.score_lines.extend(messages.into_iter().map(ScoreLine::Message));
    }
    !only_private
}

/// The devices that take part in unfencing: found depth first, listed in reverse.
fn devices(model: &Model<'_>) -> Vec<ResourceId> {
    let mut found = Vec::new();
    for top in &model.top {
        collect_devices(model, *top, &mut found);
    }
    found.reverse();
    found
}

fn collect_devices(model: &Model<'_>, resource: ResourceId, found: &mut Vec<ResourceId>) {
    let it = &model.resources[resource];
    for child in &it.children {
        collect_devices(model, *child, found);
    }
    let provides = it.meta.get("provides").is_some_and(|text| text.eq_ignore_ascii_case("unfencing"));
    let takes_part = provides || it.requires == crate::model::Requires::Unfencing;
    if it.is_fence_device && takes_part {
        found.push(resource);
    }
}
