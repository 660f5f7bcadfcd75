//! Orderings of fencing and shutdown actions (rule 3.30).

use super::{order as add_rule, relate, summary};
use crate::model::{ActionId, Cause, Model, NodeId, Properties, Requires, ResourceId, Side, Task};
use crate::state;

/// Orders everything that has to wait for this fencing action (rules 3.30.1 to 3.30.7); its target is the
/// action's node. Stops and demotes on the target become implied.
pub fn order(model: &mut Model<'_>, fencing: ActionId) {
    let Some(target) = model.actions[fencing].node else { return };
    for index in 0..model.top.len() {
        let resource = model.top[index];
        order_resource(model, resource, fencing, target);
    }
}

fn order_resource(model: &mut Model<'_>, resource: ResourceId, fencing: ActionId, target: NodeId) {
    for index in 0..model.resources[resource].children.len() {
        let child = model.resources[resource].children[index];
        order_resource(model, child, fencing, target);
    }
    if model.resources[resource].is_primitive() && model.resources[resource].managed {
        order_starts(model, resource, fencing, target);
        imply_stops(model, resource, fencing, target);
        imply_demotes(model, resource, fencing, target);
    }
}

/// Rule 3.30.2: what requires fencing waits for every fencing action.
fn order_starts(model: &mut Model<'_>, resource: ResourceId, fencing: ActionId, target: NodeId) {
    for index in (0..model.resources[resource].actions.len()).rev() {
        let action = model.resources[resource].actions[index];
        match model.actions[action].requires {
            Requires::Fencing | Requires::Unfencing => {
                relate(model, fencing, action, Properties::PLAIN);
            }
            Requires::Quorum if model.actions[action].task == Task::Start => {
                let possible = model.resources[resource].allowed.contains(target);
                if possible && !is_known_on(model, resource, target) {
                    relate(model, fencing, action, Properties::PLAIN | Properties::FIRST_GATES_THEN);
                }
            }
            Requires::Quorum | Requires::Nothing => {}
        }
    }
}

/// Whether the resource, or the anonymous clone it is an instance of, was probed on the node.
fn is_known_on(model: &Model<'_>, resource: ResourceId, node: NodeId) -> bool {
    let it = &model.resources[resource];
    // a member of a cloned group is no instance itself
    let parent = it.parent.filter(|parent| !it.unique && model.resources[*parent].is_clone());
    state::is_probed(model, resource, node)
        || parent.is_some_and(|parent| state::is_probed(model, parent, node))
}

/// Rule 3.30.3: whether the fencing implies the result and so has to come first.
fn is_implied_ordered(model: &Model<'_>, resource: ResourceId, target: NodeId) -> bool {
    model.resources[resource].needs_fencing() || model.nodes[target].is_guest()
}

/// The resource's actions of this task on the node, oldest first; those without a node are bound to it.
fn on_target(model: &mut Model<'_>, resource: ResourceId, task: &Task, target: NodeId) -> Vec<ActionId> {
    let mut found = Vec::new();
    for index in 0..model.resources[resource].actions.len() {
        let action = model.resources[resource].actions[index];
        let it = &mut model.actions[action];
        if it.task == *task && it.node.is_none_or(|node| node == target) {
            it.node = Some(target);
            found.push(action);
        }
    }
    found
}

/// Rule 3.30.4.
fn imply_stops(model: &mut Model<'_>, resource: ResourceId, fencing: ActionId, target: NodeId) {
    let ordered = is_implied_ordered(model, resource, target);
    let bundled = model.bundle_of(resource).is_some();
    for stop in on_target(model, resource, &Task::Stop, target) {
        imply(model, stop);
        if ordered {
            let top = model.top_of(resource);
            let top_stop = summary::find_first(model, top, &Task::Stop, None);
            if !bundled {
                relate(model, fencing, stop, Properties::GUEST_ALLOWED);
            }
            if let Some(top_stop) = top_stop {
                relate(model, fencing, top_stop, Properties::GUEST_ALLOWED);
            }
        }
        crate::actions::notify::of_fenced_stop(model, resource, stop, fencing);
    }
}

/// Rule 3.30.5.
fn imply_demotes(model: &mut Model<'_>, resource: ResourceId, fencing: ActionId, target: NodeId) {
    let node = &model.nodes[target];
    if node.online && !node.unclean && !model.resources[resource].failed {
        return;
    }
    let ordered = is_implied_ordered(model, resource, target) && model.bundle_of(resource).is_none();
    for demote in on_target(model, resource, &Task::Demote, target) {
        imply(model, demote);
        if ordered {
            relate(model, fencing, demote, Properties::GUEST_ALLOWED | Properties::PLAIN);
        }
    }
}

/// The action happens by the fencing.
fn imply(model: &mut Model<'_>, action: ActionId) {
    let action = &mut model.actions[action];
    action.pseudo = true;
    action.runnable = true;
}

/// Orders a shutdown after the stops on its node (rule 3.30.8).
pub fn order_shutdown(model: &mut Model<'_>, shutdown: ActionId) {
    let Some(node) = model.actions[shutdown].node else { return };
    let ids: Vec<ActionId> = model.actions.ids().rev().collect();
    for action in ids {
        if !is_stop_to_wait_for(model, action, node) {
            continue;
        }
        model.actions[action].optional = false;
        let properties = Properties::PLAIN | Properties::FIRST_GATES_THEN;
        add_rule(model, Side::Action(action), Side::Action(shutdown), properties, Cause::NodeState(node));
    }
}

fn is_stop_to_wait_for(model: &Model<'_>, action: ActionId, node: NodeId) -> bool {
    let it = &model.actions[action];
    let Some(resource) = it.resource.map(|resource| &model.resources[resource]) else { return false };
    it.task == Task::Stop
        && it.node == Some(node)
        && !resource.maintenance
        && !model.nodes[node].maintenance
        && (resource.managed || resource.blocked)
}
