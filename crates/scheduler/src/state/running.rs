//! Where resources are active (rule 1.16).

use crate::model::{Cause, Change, Id, Model, MultipleActive, NodeId, NodeTable, ResourceId};
use cib::value::{Role, Score};

/// Records that `resource` is active on `node` (rule 1.16.1); `failed` keeps it out of the node's priority.
pub(super) fn mark_active(model: &mut Model, resource: ResourceId, node: NodeId, failed: bool) {
    if model.resources[resource].active_on.contains(&node) {
        return;
    }
    model.resources[resource].active_on.push(node);
    if model.resources[resource].is_primitive() {
        model.nodes[node].running.push(resource);
        raise_node_priority(model, resource, node, failed);
        if model.nodes[node].maintenance {
            let resource = &mut model.resources[resource];
            resource.managed = false;
            resource.maintenance = true;
        }
    }
    if !model.resources[resource].managed {
        stay_unmanaged(model, resource, node);
        return;
    }
    if model.resources[resource].is_primitive() && counts_on_several_nodes(model, resource) {
        apply_multiple_active(model, resource);
    }
    if let Some(parent) = model.resources[resource].parent {
        mark_active(model, parent, node, false);
    }
}

/// An unmanaged resource is tied to where it is (rule 1.16.2).
fn stay_unmanaged(model: &mut Model, resource: ResourceId, node: NodeId) {
    model.add_score(resource, node, Score::INFINITY, Cause::Unmanaged(resource));
    let mut above = model.resources[resource].parent;
    while let Some(ancestor) = above {
        model.resources[ancestor].active_on.push(node);
        above = model.resources[ancestor].parent;
    }
}

/// Rule 1.16.3.
fn raise_node_priority(model: &mut Model, resource: ResourceId, node: NodeId, failed: bool) {
    let priority = model.resources[resource].priority.value();
    if priority == 0 || failed {
        return;
    }
    let amount = priority + i32::from(model.resources[resource].current_role == Role::Promoted);
    model.nodes[node].priority = model.nodes[node].priority.saturating_add(amount);
    for host in guest_hosts(model, node) {
        model.nodes[host].priority = model.nodes[host].priority.saturating_add(amount);
    }
}

/// The nodes on which the launcher of a guest or bundle node is active.
pub(super) fn guest_hosts(model: &Model, node: NodeId) -> Vec<NodeId> {
    launcher_of_node(model, node)
        .map(|launcher| model.resources[launcher].active_on.clone())
        .unwrap_or_default()
}

/// The resource that launches a guest or bundle node.
pub fn launcher_of_node(model: &Model, node: NodeId) -> Option<ResourceId> {
    model.nodes[node].connection.and_then(|connection| model.resources[connection].launcher)
}

/// How many active nodes of a primitive count as active: all if it needs fencing, else the online clean ones.
fn counts_on_several_nodes(model: &Model, resource: ResourceId) -> bool {
    let needs_fencing = model.resources[resource].needs_fencing();
    let counts =
        |node: &&NodeId| needs_fencing || (model.nodes[**node].online && !model.nodes[**node].unclean);
    model.resources[resource].active_on.iter().filter(counts).count() > 1
}

/// Rule 1.16.4.
fn apply_multiple_active(model: &mut Model, resource: ResourceId) {
    match model.resources[resource].multiple_active {
        MultipleActive::StopOnly => ban_by_replacement(model, resource, Cause::MultiplyActive(resource)),
        MultipleActive::Block => {
            block(model, resource);
            block_siblings(model, resource);
        }
        MultipleActive::StopStart | MultipleActive::StopUnexpected => {}
    }
}

fn block_siblings(model: &mut Model, resource: ResourceId) {
    let Some(parent) = model.resources[resource].parent else { return };
    let above = &model.resources[parent];
    if (above.is_group() || above.is_bundle()) && above.multiple_active == MultipleActive::Block {
        for sibling in above.children.clone() {
            block(model, sibling);
        }
    }
}

/// Takes the resource out of the cluster's hands.
pub(super) fn block(model: &mut Model, resource: ResourceId) {
    let resource = &mut model.resources[resource];
    resource.managed = false;
    resource.blocked = true;
}

/// Replaces the allowed nodes by all known nodes with -INFINITY.
pub(super) fn ban_by_replacement(model: &mut Model, resource: ResourceId, cause: Cause) {
    let mut table = NodeTable::default();
    for &node in &model.node_order {
        let mut entry = model.base_entry(node);
        entry.score = Score::MINUS_INFINITY;
        table.insert(entry);
        model.reasons.score(resource, node, Change::Set(Score::MINUS_INFINITY), cause);
    }
    model.resources[resource].allowed = table;
}

/// Bans `resource` from `node`.
pub(super) fn ban(model: &mut Model, resource: ResourceId, node: NodeId, cause: Cause) {
    model.add_score(resource, node, Score::MINUS_INFINITY, cause);
}

/// The resource whose score is changed for a result that concerns all instances alike: itself if
/// unique, else its top.
pub(super) fn unique_or_top(model: &Model, resource: ResourceId) -> ResourceId {
    if model.resources[resource].unique { resource } else { model.top_of(resource) }
}

/// Whether any part (or with `all` every part) of `resource` is active (rule 1.16.5).
pub fn is_active(model: &Model, resource: ResourceId, all: bool) -> bool {
    use crate::model::ResourceKind;
    let it = &model.resources[resource];
    match &it.kind {
        ResourceKind::Primitive(_) => primitive_is_active(model, resource),
        ResourceKind::Bundle(bundle) => {
            let mut parts = bundle
                .replicas
                .iter()
                .flat_map(|replica| [replica.ip, replica.child, Some(replica.container), replica.connection])
                .flatten();
            if all {
                parts.all(|part| is_active(model, part, true))
            } else {
                parts.any(|part| is_active(model, part, false))
            }
        }
        ResourceKind::Group(_) | ResourceKind::Clone(_) => {
            let mut parts = it.children.iter();
            if all {
                !it.children.is_empty() && parts.all(|part| is_active(model, *part, true))
            } else {
                parts.any(|part| is_active(model, *part, false))
            }
        }
    }
}

fn primitive_is_active(model: &Model, resource: ResourceId) -> bool {
    let it = &model.resources[resource];
    it.active_on.iter().any(|node| {
        let node = &model.nodes[*node];
        node.unclean || node.online || !it.managed
    })
}

/// Whether every part of `resource` is active.
pub fn fully_active(model: &Model, resource: ResourceId) -> bool {
    is_active(model, resource, true)
}

/// The nodes that count for the current node: its own active list, for a bundle those of its
/// containers in replica order.
fn active_list(model: &Model, resource: ResourceId) -> Vec<NodeId> {
    let Some(bundle) = model.resources[resource].bundle() else {
        return model.resources[resource].active_on.clone();
    };
    let mut nodes = Vec::new();
    for replica in &bundle.replicas {
        for node in &model.resources[replica.container].active_on {
            if !nodes.contains(node) {
                nodes.push(*node);
            }
        }
    }
    nodes
}

/// The node that counts as where `resource` is now (rules 1.16.6 and 2.1.15).
pub fn current_node(model: &Model, resource: ResourceId) -> Option<NodeId> {
    let it = &model.resources[resource];
    if it.active_on.len() <= 1 && !it.is_bundle() {
        return it.active_on.first().copied();
    }
    let active = active_list(model, resource);
    if let Some(source) = it.partial_migration_source {
        if active.contains(&source) {
            return Some(source);
        }
    } else if !it.needs_fencing() {
        let clean = active.iter().find(|node| model.nodes[**node].online && !model.nodes[**node].unclean);
        if let Some(node) = clean {
            return Some(*node);
        }
    }
    active.first().copied()
}

/// Which nodes count for [`nodes_of`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where it has been assigned to.
    Assigned,
    /// Where it is active.
    Current,
    /// Where it is active, or where an action on it is pending.
    CurrentOrPending,
}

/// The distinct nodes of all leaves of `resource`, in order of discovery.
pub fn nodes_of(model: &Model, resource: ResourceId, place: Place) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    collect_nodes(model, resource, place, &mut nodes);
    nodes
}

/// The first of [`nodes_of`].
pub(super) fn first_node_of(model: &Model, resource: ResourceId, place: Place) -> Option<NodeId> {
    let it = &model.resources[resource];
    if !it.is_primitive() {
        return it.children.iter().find_map(|child| first_node_of(model, *child, place));
    }
    match place {
        Place::Assigned => it.assigned,
        Place::Current => it.active_on.first().copied(),
        Place::CurrentOrPending => it.active_on.first().copied().or(it.pending_node),
    }
}

fn collect_nodes(model: &Model, resource: ResourceId, place: Place, nodes: &mut Vec<NodeId>) {
    let it = &model.resources[resource];
    if !it.is_primitive() {
        for child in &it.children {
            collect_nodes(model, *child, place, nodes);
        }
        return;
    }
    let mut add = |node: NodeId| {
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    };
    match place {
        Place::Assigned => it.assigned.into_iter().for_each(&mut add),
        Place::Current => it.active_on.iter().copied().for_each(&mut add),
        Place::CurrentOrPending => {
            it.active_on.iter().copied().for_each(&mut add);
            it.pending_node.into_iter().for_each(&mut add);
        }
    }
}

/// The single node where all leaves of `resource` are (rule 2.1.16): now if `current`, else as assigned.
pub fn location(model: &Model, resource: ResourceId, current: bool) -> Option<NodeId> {
    let it = &model.resources[resource];
    if it.is_primitive() {
        return if current { only(&it.active_on) } else { it.assigned };
    }
    only(&nodes_of(model, resource, if current { Place::Current } else { Place::Assigned }))
}

/// The node, if it is the only one.
fn only(nodes: &[NodeId]) -> Option<NodeId> {
    match *nodes {
        [node] => Some(node),
        _ => None,
    }
}

/// The current or next role; of a collective the highest among its children (rules 1.16.7, 2.1.17).
pub fn role(model: &Model, resource: ResourceId, current: bool) -> Role {
    let it = &model.resources[resource];
    if it.is_primitive() {
        return if current { it.current_role } else { it.next_role };
    }
    if it.is_bundle() {
        return Role::Unknown;
    }
    it.children.iter().map(|child| role(model, *child, current)).max().unwrap_or_default()
}

/// Whether the node was recorded as probed for the resource.
pub fn is_probed(model: &Model, resource: ResourceId, node: NodeId) -> bool {
    model.state.probed.contains(&(resource.index() as u32, node.index() as u32))
}

/// Rule 1.15.2 step 1: the state on the node is known, up to the first unique ancestor.
pub(super) fn mark_probed(model: &mut Model, resource: ResourceId, node: NodeId) {
    let mut at = Some(resource);
    while let Some(resource) = at {
        if model.state.probed.insert((resource.index() as u32, node.index() as u32)) {
            model.resources[resource].probed_on.push(node);
        }
        if model.resources[resource].unique {
            break;
        }
        at = model.resources[resource].parent;
    }
}

/// Adds a suitable cause-only mark of a ban; see rule 1.16.4 and 2.6.
pub(super) fn ban_everywhere(model: &mut Model, resource: ResourceId, cause: Cause) {
    model.add_score_everywhere(resource, Score::MINUS_INFINITY, cause);
}
