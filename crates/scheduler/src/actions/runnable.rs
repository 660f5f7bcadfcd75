//! Whether an action of a resource could run if nothing else stood in its way (rule 3.4).

use super::fencing;
use crate::model::{ActionId, Cause, Model, Requires, ResourceId, Task};
use crate::state;
use cib::options::NoQuorumPolicy;
use cib::value::Role;

/// Recomputed at each request; pseudo-actions keep what they have.
pub(super) fn update(model: &mut Model<'_>, id: ActionId) {
    let action = &model.actions[id];
    let Some(resource) = action.resource.filter(|_| !action.pseudo) else { return };
    let Some(node) = action.node else {
        model.actions[id].runnable = false;
        return;
    };
    let on_dc = action.on_dc;
    let it = &model.nodes[node];
    if !it.online && !on_dc && (!it.is_guest() || it.remote_reset) {
        model.actions[id].runnable = false;
        fence_if_stop_is_lost(model, id, resource);
    } else if it.pending && !on_dc {
        model.actions[id].runnable = false;
    } else if model.actions[id].requires == Requires::Nothing {
        let guest_is_lost = it.is_guest() && !state::can_fence(model, node);
        let action = &mut model.actions[id];
        action.reason = None;
        action.runnable = !guest_is_lost;
    } else {
        apply_quorum(model, id, resource);
    }
}

/// A stop that cannot run leaves the resource active: the node has to go (rule 3.4.2).
fn fence_if_stop_is_lost(model: &mut Model<'_>, id: ActionId, resource: ResourceId) {
    let action = &model.actions[id];
    let Some(node) = action.node else { return };
    if model.resources[resource].managed && *action.key_task() == Task::Stop && !model.nodes[node].unclean {
        fencing::fence_node(model, node, "stop is unrunnable", false);
    }
}

/// Rule 3.4.5.
fn apply_quorum(model: &mut Model<'_>, id: ActionId, resource: ResourceId) {
    let it = &model.resources[resource];
    let (current, next) = (it.current_role, it.next_role);
    let policy = match model.no_quorum_policy {
        _ if model.quorate => NoQuorumPolicy::Ignore,
        NoQuorumPolicy::Demote if matches!(current, Role::Promoted | Role::Unpromoted) => {
            if next > Role::Unpromoted {
                let it = &mut model.resources[resource];
                it.next_role = Role::Unpromoted;
                it.next_role_reason = Some("no-quorum-policy=demote".into());
            }
            NoQuorumPolicy::Ignore
        }
        NoQuorumPolicy::Demote => NoQuorumPolicy::Stop,
        policy => policy,
    };
    match policy {
        NoQuorumPolicy::Stop | NoQuorumPolicy::Demote => block(model, id, "no quorum"),
        NoQuorumPolicy::Freeze => {
            if !state::fully_active(model, resource) || next > current {
                block(model, id, "quorum freeze");
            }
        }
        NoQuorumPolicy::Ignore | NoQuorumPolicy::Fence => model.actions[id].runnable = true,
    }
}

fn block(model: &mut Model<'_>, id: ActionId, reason: &str) {
    let action = &mut model.actions[id];
    action.runnable = false;
    action.reason = Some(reason.into());
    model.reasons.action(id, Cause::NoQuorum);
}

/// What it means for actions that exist already that their resource will run on no node (rule 3.6.11).
pub fn adapt_to_no_node(model: &mut Model<'_>, resource: ResourceId) {
    for &id in &model.resources[resource].actions {
        let action = &mut model.actions[id];
        match action.task {
            Task::Stop => action.optional = false,
            Task::Start => action.runnable = false,
            _ if action.interval > 0 => {
                let expected = action.meta.get("op_target_rc").map(|text| &**text);
                action.runnable &= expected == Some(super::recurring::NOT_RUNNING);
            }
            _ => {}
        }
    }
}
