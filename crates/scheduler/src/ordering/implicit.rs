//! Orderings that follow from what resources are (rules 3.27 to 3.29).
//!
//! Each function adds the rules of one resource, in the order that the rules state; the colocations that
//! belong to the same facts are added at the same places.

use super::order;
use crate::model::{Cause, Model, NodeId, Properties, Requires, ResourceId, ResourceKind, Side, Task};
use crate::placement::implicit::{self as placement, Launch};
use cib::options::PlacementStrategy;
use cib::value::Role;

const PLAIN: Properties = Properties::PLAIN;
const FIRST_PULLS_THEN: Properties = Properties::FIRST_PULLS_THEN;
const THEN_PULLS_FIRST: Properties = Properties::THEN_PULLS_FIRST;
const FIRST_GATES_THEN: Properties = Properties::FIRST_GATES_THEN;
const FIRST_GRAPHS_THEN: Properties = Properties::FIRST_GRAPHS_THEN;
const THEN_GRAPHS_FIRST: Properties = Properties::THEN_GRAPHS_FIRST;

/// Rules of all resources, in resource-list order (S4).
pub fn create(model: &mut Model<'_>) {
    for index in 0..model.top.len() {
        let resource = model.top[index];
        of_resource(model, resource);
    }
}

fn of_resource(model: &mut Model<'_>, resource: ResourceId) {
    match model.resources[resource].kind {
        ResourceKind::Primitive(_) => primitive(model, resource),
        ResourceKind::Group(_) => group(model, resource),
        ResourceKind::Clone(_) => clone(model, resource),
        ResourceKind::Bundle(_) => bundle(model, resource),
    }
}

/// Adds a rule between one-time actions of two resources.
fn rule(model: &mut Model<'_>, first: (ResourceId, Task), then: (ResourceId, Task), properties: Properties) {
    // one resource's own life, or the life of what both are part of
    let cause =
        if first.0 == then.0 { Cause::Transition(first.0) } else { Cause::PartOf(model.root_of(first.0)) };
    let (first, then) = (Side::task(first.0, first.1), Side::task(then.0, then.1));
    order(model, first, then, properties, cause);
}

/// Rule 3.27.
fn primitive(model: &mut Model<'_>, resource: ResourceId) {
    if !model.resources[resource].managed {
        return;
    }
    let r = resource;
    rule(model, (r, Task::Stop), (r, Task::Start), PLAIN | FIRST_PULLS_THEN | Properties::RESTART);
    let promotable = model.resources[model.top_of(r)].promotable;
    if promotable || model.resources[r].current_role == Role::Promoted {
        rule(model, (r, Task::Demote), (r, Task::Stop), Properties::PROMOTED_PULLS_FIRST);
        rule(model, (r, Task::Start), (r, Task::Promote), FIRST_GATES_THEN);
    }
    let forgets_first = Properties::SAME_NODE | Properties::THEN_CANCELS_FIRST;
    rule(model, (r, Task::LrmDelete), (r, Task::Monitor), forgets_first);
    let needs_unfencing = model.resources[r].requires == Requires::Unfencing;
    if needs_unfencing && !model.resources[r].is_fence_device {
        unfencing(model, r);
    }
    let has_utilization = !model.resources[r].utilization.is_empty();
    if has_utilization && model.options.placement_strategy != PlacementStrategy::Default {
        load(model, r);
    }
    launched(model, r);
    placement::join_launcher(model, r);
    placement::keep_connections_off_remote_nodes(model, r);
}

/// The allowed nodes of a resource, in name order.
fn allowed_by_name(model: &Model<'_>, resource: ResourceId) -> Vec<NodeId> {
    let allowed = &model.resources[resource].allowed;
    let mut nodes: Vec<NodeId> = allowed.iter().map(|entry| entry.node).collect();
    nodes.sort_by(|a, b| cib::value::compare_node_names(&model.nodes[*a].name, &model.nodes[*b].name));
    nodes
}

/// Rule 3.27.4.
fn unfencing(model: &mut Model<'_>, resource: ResourceId) {
    for node in allowed_by_name(model, resource) {
        let unfence = crate::actions::fencing::request(model, node, Some("on"), true, None, false);
        let (stop, start) = (Side::task(resource, Task::Stop), Side::task(resource, Task::Start));
        let together = Properties::SAME_NODE;
        order(model, stop, Side::Action(unfence), PLAIN | together, Cause::Unfencing(resource));
        order(
            model,
            Side::Action(unfence),
            start,
            Properties::SAME_NODE_PULL | together,
            Cause::Unfencing(resource),
        );
    }
}

/// Rule 3.27.5: what arrives on a node waits until what leaves has freed its capacity.
fn load(model: &mut Model<'_>, resource: ResourceId) {
    for node in model.resources[resource].active_on.clone() {
        let stopped = load_stopped(model, node);
        order(
            model,
            Side::task(resource, Task::Stop),
            Side::Action(stopped),
            Properties::LOAD,
            Cause::Utilization(resource),
        );
    }
    for node in allowed_by_name(model, resource) {
        let stopped = load_stopped(model, node);
        for task in [Task::Start, Task::MigrateTo] {
            let arrives = Side::task(resource, task);
            order(model, Side::Action(stopped), arrives, Properties::LOAD, Cause::Utilization(resource));
        }
    }
}

fn load_stopped(model: &mut Model<'_>, node: NodeId) -> crate::model::ActionId {
    let name = format!("load_stopped_{}", model.nodes[node].name);
    let stopped = crate::actions::pseudo(model, &name, Cause::NodeState(node));
    let action = &mut model.actions[stopped];
    action.node.get_or_insert(node);
    action.optional = false;
    stopped
}

/// Rule 3.27.6.
fn launched(model: &mut Model<'_>, resource: ResourceId) {
    let Launch::Beside(launcher) = placement::launch(model, resource) else { return };
    if model.resources[resource].is_remote_connection {
        rule(model, (launcher, Task::Monitor), (resource, Task::Stop), PLAIN);
    }
    let start = FIRST_PULLS_THEN | FIRST_GATES_THEN;
    rule(model, (launcher, Task::Start), (resource, Task::Start), start);
    rule(model, (resource, Task::Stop), (launcher, Task::Stop), THEN_PULLS_FIRST);
}

/// Rule 3.28.
fn group(model: &mut Model<'_>, group: ResourceId) {
    rule(model, (group, Task::Stop), (group, Task::Stopped), FIRST_GATES_THEN);
    rule(model, (group, Task::Stopped), (group, Task::Start), PLAIN);
    rule(model, (group, Task::Start), (group, Task::Started), FIRST_GATES_THEN);
    let ResourceKind::Group(settings) = model.resources[group].kind.clone() else { return };
    let mut previous = None;
    let mut last_active = None;
    for index in 0..model.resources[group].children.len() {
        let member = model.resources[group].children[index];
        of_resource(model, member);
        if let Some(before) = previous.filter(|_| settings.colocated) {
            placement::join_previous_member(model, member, before);
        }
        member_rules(model, group, member, settings.ordered && previous.is_none());
        if settings.ordered {
            if let Some(before) = previous {
                sequence(model, group, before, member, last_active);
            }
        } else {
            unordered(model, group, member);
        }
        if !model.resources[member].active_on.is_empty() {
            last_active = Some(member);
        }
        previous = Some(member);
    }
}

/// Rules 3.28.2, points 1 to 3.
fn member_rules(model: &mut Model<'_>, group: ResourceId, member: ResourceId, leads: bool) {
    let (g, m) = (group, member);
    let down = if leads { THEN_GRAPHS_FIRST | PLAIN } else { THEN_GRAPHS_FIRST };
    let post_down = if leads { FIRST_PULLS_THEN } else { FIRST_GRAPHS_THEN };
    let post_up = FIRST_GATES_THEN | FIRST_PULLS_THEN | FIRST_GRAPHS_THEN;
    if model.resources[model.top_of(group)].promotable {
        rule(model, (g, Task::Demote), (m, Task::Demote), down);
        rule(model, (m, Task::Demote), (g, Task::Demoted), post_down);
        rule(model, (m, Task::Promote), (g, Task::Promoted), post_up);
        rule(model, (g, Task::Promote), (m, Task::Promote), THEN_GRAPHS_FIRST);
    }
    rule(model, (g, Task::Stop), (m, Task::Stop), down);
    rule(model, (m, Task::Stop), (g, Task::Stopped), post_down);
    rule(model, (g, Task::Start), (m, Task::Start), THEN_GRAPHS_FIRST);
    rule(model, (m, Task::Start), (g, Task::Started), post_up);
}

/// Rule 3.28.2, point 4.
fn unordered(model: &mut Model<'_>, group: ResourceId, member: ResourceId) {
    let together = FIRST_PULLS_THEN | FIRST_GATES_THEN | THEN_GRAPHS_FIRST;
    rule(model, (group, Task::Start), (member, Task::Start), together);
    if model.resources[model.top_of(group)].promotable {
        rule(model, (group, Task::Promote), (member, Task::Promote), together);
    }
}

/// Rules 3.28.2, points 5 and 6: a later member of an ordered group.
fn sequence(
    model: &mut Model<'_>,
    group: ResourceId,
    before: ResourceId,
    member: ResourceId,
    last_active: Option<ResourceId>,
) {
    let (b, m) = (before, member);
    let up = FIRST_PULLS_THEN | FIRST_GATES_THEN;
    rule(model, (b, Task::Start), (m, Task::Start), up);
    rule(model, (m, Task::Stop), (b, Task::Stop), PLAIN | Properties::RESTART);
    let active = |resource: ResourceId| !model.resources[resource].active_on.is_empty();
    let gap = active(m) && !active(b);
    if gap {
        rule(model, (m, Task::Stop), (b, Task::Start), THEN_PULLS_FIRST | FIRST_GATES_THEN);
    }
    if model.resources[model.top_of(group)].promotable {
        rule(model, (b, Task::Promote), (m, Task::Promote), up);
        rule(model, (m, Task::Demote), (b, Task::Demote), PLAIN);
    }
    if let Some(active) = last_active.filter(|_| gap) {
        rule(model, (m, Task::Stop), (active, Task::Stop), PLAIN);
    }
}

/// Rules 3.29.1 to 3.29.3.
fn clone(model: &mut Model<'_>, clone: ResourceId) {
    let c = clone;
    let ordered = model.resources[c].clone_settings().is_some_and(|settings| settings.ordered);
    let promotable = model.resources[c].promotable;
    rule(model, (c, Task::Stopped), (c, Task::Start), PLAIN);
    rule(model, (c, Task::Start), (c, Task::Started), FIRST_GATES_THEN);
    rule(model, (c, Task::Stop), (c, Task::Stopped), FIRST_GATES_THEN);
    if promotable {
        rule(model, (c, Task::Demoted), (c, Task::Stop), PLAIN);
        rule(model, (c, Task::Started), (c, Task::Promote), FIRST_GATES_THEN);
    }
    if ordered {
        placement::sort_instances_by_number(model, c);
    }
    for index in 0..model.resources[c].children.len() {
        let instance = model.resources[c].children[index];
        of_resource(model, instance);
        instance_rules(model, c, instance);
        if ordered {
            for later in index + 1..model.resources[c].children.len() {
                let later = model.resources[c].children[later];
                rule(model, (instance, Task::Start), (later, Task::Start), PLAIN);
                rule(model, (later, Task::Stop), (instance, Task::Stop), PLAIN);
            }
        }
    }
    if promotable {
        promotable_rules(model, c, c, ordered);
    }
}

fn instance_rules(model: &mut Model<'_>, clone: ResourceId, instance: ResourceId) {
    let (c, i) = (clone, instance);
    rule(model, (c, Task::Start), (i, Task::Start), FIRST_GATES_THEN | THEN_GRAPHS_FIRST);
    rule(model, (i, Task::Start), (c, Task::Started), FIRST_GRAPHS_THEN);
    rule(model, (c, Task::Stop), (i, Task::Stop), THEN_GRAPHS_FIRST);
    rule(model, (i, Task::Stop), (c, Task::Stopped), FIRST_GRAPHS_THEN);
}

/// Rule 3.29.3: `collective` is the clone or a bundle around it, `instances_of` the clone.
fn promotable_rules(model: &mut Model<'_>, collective: ResourceId, instances_of: ResourceId, ordered: bool) {
    let c = collective;
    let plain = [
        (Task::Stopped, Task::Start),
        (Task::Stopped, Task::Promote),
        (Task::Demoted, Task::Stop),
        (Task::Demoted, Task::Start),
        (Task::Demoted, Task::Promote),
        (Task::Started, Task::Promote),
        (Task::Demote, Task::Demoted),
    ];
    for (first, then) in plain {
        rule(model, (c, first), (c, then), PLAIN);
    }
    if collective != instances_of {
        return;
    }
    let mut previous: Option<ResourceId> = None;
    for index in 0..model.resources[instances_of].children.len() {
        let i = model.resources[instances_of].children[index];
        rule(model, (i, Task::Demote), (i, Task::Promote), PLAIN);
        rule(model, (c, Task::Promote), (i, Task::Promote), PLAIN);
        rule(model, (i, Task::Promote), (c, Task::Promoted), PLAIN);
        if let Some(before) = previous.filter(|_| ordered) {
            rule(model, (before, Task::Promote), (i, Task::Promote), PLAIN);
        }
        rule(model, (c, Task::Demote), (i, Task::Demote), THEN_GRAPHS_FIRST);
        rule(model, (i, Task::Demote), (c, Task::Demoted), FIRST_GRAPHS_THEN);
        if let Some(before) = previous.filter(|_| ordered) {
            rule(model, (i, Task::Demote), (before, Task::Demote), PLAIN);
        }
        previous = Some(i);
    }
}

/// Rules 3.29.4 and 3.29.5.
fn bundle(model: &mut Model<'_>, bundle: ResourceId) {
    let Some(parts) = model.resources[bundle].bundle().cloned() else { return };
    let b = bundle;
    for replica in &parts.replicas {
        let container = replica.container;
        of_resource(model, container);
        rule(model, (b, Task::Start), (container, Task::Start), FIRST_GATES_THEN | THEN_GRAPHS_FIRST);
        if let Some(child) = replica.child {
            rule(model, (b, Task::Stop), (child, Task::Stop), THEN_GRAPHS_FIRST);
        }
        rule(model, (b, Task::Stop), (container, Task::Stop), THEN_GRAPHS_FIRST);
        rule(model, (container, Task::Start), (b, Task::Started), FIRST_GRAPHS_THEN);
        rule(model, (container, Task::Stop), (b, Task::Stopped), FIRST_GRAPHS_THEN);
        if let Some(ip) = replica.ip {
            of_resource(model, ip);
            let allowed = Properties::GUEST_ALLOWED;
            rule(model, (ip, Task::Start), (container, Task::Start), FIRST_GATES_THEN | allowed);
            rule(model, (container, Task::Stop), (ip, Task::Stop), THEN_PULLS_FIRST | allowed);
            placement::join_container(model, ip, container);
        }
        if let Some(connection) = replica.connection {
            of_resource(model, connection);
        }
    }
    let Some(child) = parts.child else { return };
    let pairs = [(Task::Start, Task::Started), (Task::Stop, Task::Stopped)];
    for (task, done) in pairs {
        around_child(model, b, child, task, done);
    }
    of_resource(model, child);
    if model.resources[child].promotable {
        let ordered = model.resources[child].clone_settings().is_some_and(|settings| settings.ordered);
        promotable_rules(model, b, child, ordered);
        around_child(model, b, child, Task::Demote, Task::Demoted);
        around_child(model, b, child, Task::Promote, Task::Promoted);
    }
}

/// The bundle's action before the clone's, the clone's completed before the bundle's.
fn around_child(model: &mut Model<'_>, bundle: ResourceId, child: ResourceId, task: Task, done: Task) {
    rule(model, (bundle, task.clone()), (child, task), THEN_GRAPHS_FIRST);
    rule(model, (child, done.clone()), (bundle, done), FIRST_GRAPHS_THEN);
}
