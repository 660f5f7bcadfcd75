//! Changes of node tables, each with its cause, and what entries mean.

use crate::model::{Cause, Change, Model, Name, NodeEntry, NodeId, NodeTable, ResourceId};
use crate::state;
use cib::value::Score;

/// Rule 2.4.2: the node is available and the score not negative.
pub fn is_usable(model: &Model, entry: &NodeEntry) -> bool {
    entry.score >= Score::ZERO && model.nodes[entry.node].is_available()
}

/// Rule 2.4.4.
pub fn has_usable_node(model: &Model, table: &NodeTable) -> bool {
    table.iter().any(|entry| is_usable(model, entry))
}

/// Rule 2.4.3: guest and bundle nodes need a place for their container in the new placement.
pub fn is_reachable(model: &Model, node: NodeId) -> bool {
    match launcher_of(model, node) {
        Some(launcher) => state::location(model, launcher, false).is_some(),
        None => true,
    }
}

/// The resource inside which a guest or bundle node lives.
pub fn launcher_of(model: &Model, node: NodeId) -> Option<ResourceId> {
    if !model.nodes[node].is_guest() {
        return None;
    }
    model.nodes[node].connection.and_then(|connection| model.resources[connection].launcher)
}

/// Whether `node` is the inside of a bundle's container.
pub fn is_bundle_node(model: &Model, node: NodeId) -> bool {
    model.nodes[node].is_guest()
        && model.nodes[node].connection.is_some_and(|connection| model.bundle_of(connection).is_some())
}

/// Sets the score of an existing entry.
pub fn set_score(model: &mut Model, resource: ResourceId, node: NodeId, score: Score, cause: Cause) {
    if let Some(entry) = model.resources[resource].allowed.get_mut(node) {
        if entry.score != score {
            entry.score = score;
            model.placement.table_changed(resource);
            model.reasons.score(resource, node, Change::Set(score), cause);
        }
    }
}

/// Adds to the score of an existing entry.
pub fn add_to_entry(model: &mut Model, resource: ResourceId, node: NodeId, amount: Score, cause: Cause) {
    if let Some(entry) = model.resources[resource].allowed.get_mut(node) {
        entry.score += amount;
        model.placement.table_changed(resource);
        model.reasons.score(resource, node, Change::Add(amount), cause);
    }
}

/// Bans the resource from every entry of its own table for which `keep` says no.
pub fn ban_entries_unless(
    model: &mut Model,
    resource: ResourceId,
    cause: Cause,
    mut keep: impl FnMut(&Model, NodeId) -> bool,
) {
    let nodes: Vec<NodeId> = model.resources[resource].allowed.iter().map(|entry| entry.node).collect();
    for node in nodes {
        if !keep(model, node) {
            set_score(model, resource, node, Score::MINUS_INFINITY, cause);
        }
    }
}

/// Replaces the scores of the resource's table, as computed on a copy of it. Differences are recorded
/// under `cause`: as an addition where that gives the new score, else as a replacement.
pub fn replace_scores(
    model: &mut Model,
    resource: ResourceId,
    scores: impl IntoIterator<Item = (NodeId, Score)>,
    cause: Cause,
) {
    for (node, score) in scores {
        let Some(entry) = model.resources[resource].allowed.get_mut(node) else { continue };
        if entry.score == score {
            continue;
        }
        let difference = Score::new(i64::from(score.value()) - i64::from(entry.score.value()));
        let change =
            if entry.score + difference == score { Change::Add(difference) } else { Change::Set(score) };
        entry.score = score;
        model.placement.table_changed(resource);
        model.reasons.score(resource, node, change, cause);
    }
}

/// Says that the table has been replaced by a copy of itself: its entries were inserted anew in iteration
/// order (rules 2.27.5, 2.27.7). That only shows where capacities count.
pub fn note_copy(model: &mut Model, resource: ResourceId) {
    if !super::utilization::is_on(model) {
        return;
    }
    let entries = super::choose_node::in_iteration_order(model, &model.resources[resource].allowed);
    let mut copy = NodeTable::default();
    entries.into_iter().for_each(|entry| copy.insert(entry));
    model.resources[resource].allowed = copy;
}

/// Puts a saved copy of the table back.
pub fn restore(model: &mut Model, resource: ResourceId, saved: NodeTable, cause: Cause) {
    if model.reasons.enabled {
        for entry in saved.iter() {
            if model.resources[resource].allowed.score(entry.node) != Some(entry.score) {
                model.reasons.score(resource, entry.node, Change::Set(entry.score), cause);
            }
        }
    }
    model.resources[resource].allowed = saved;
    note_copy(model, resource);
    model.placement.table_changed(resource);
}

/// Whether attributes of guest and bundle nodes are read from their hosts for this resource.
pub fn reads_host_attributes(model: &Model, resource: ResourceId) -> bool {
    model.resources[resource]
        .meta
        .get("container-attribute-target")
        .is_some_and(|target| target.eq_ignore_ascii_case("host"))
}

/// Whether the resource is in the bundled clone of a bundle.
fn is_inside_bundled_clone(model: &Model, resource: ResourceId) -> bool {
    let top = model.top_of(resource);
    model.resources[top].is_clone()
        && model.resources[top].parent.is_some_and(|parent| model.resources[parent].is_bundle())
}

/// The host of a guest or bundle node: where its container has been placed (or is active, if `current`).
pub fn host_of(model: &Model, node: NodeId, current: bool) -> Option<NodeId> {
    let launcher = launcher_of(model, node)?;
    if current { state::current_node(model, launcher) } else { model.resources[launcher].assigned }
}

/// The value of a node attribute for `resource`; from the host for guest and bundle nodes if the
/// resource wants so (`container-attribute-target=host`).
pub fn attribute_for<'m>(
    model: &'m Model,
    resource: ResourceId,
    node: NodeId,
    attribute: &str,
    current: bool,
) -> Option<&'m Name> {
    let node = if model.nodes[node].is_guest() && reads_host_attributes(model, resource) {
        host_of(model, node, current)?
    } else {
        node
    };
    model.nodes[node].attributes.get(attribute)
}

/// Whether colocations of `resource` may take a node for another one: its host for guest and bundle nodes
/// (rule 2.17.4 d), any other node without a name for one that has none.
pub fn may_map_nodes(model: &Model, resource: ResourceId) -> bool {
    model.have_nameless_nodes
        || model.have_remote_nodes
            && (reads_host_attributes(model, resource) || is_inside_bundled_clone(model, resource))
}

/// The node whose attributes count for colocations of `resource` on `node` (rule 2.17.4 d); `None` if
/// the container that holds the node has no place.
pub fn colocation_node(model: &Model, node: NodeId, resource: ResourceId) -> Option<NodeId> {
    if !model.nodes[node].is_guest() {
        return Some(node);
    }
    let by_host = reads_host_attributes(model, resource)
        || (is_bundle_node(model, node) && is_inside_bundled_clone(model, resource));
    if by_host { host_of(model, node, false) } else { Some(node) }
}

/// What a colocation compares: the node itself (by its attribute `#uname`), or the value of another attribute.
/// Values compare without case; two missing values are equal.
#[derive(Clone, PartialEq, Debug)]
pub enum ColocationValue {
    Node(Option<NodeId>),
    Text(Option<String>),
}

/// The value of the colocation's attribute on `node` on behalf of `resource` (rule 2.17.4 d).
pub fn colocation_value(
    model: &Model,
    attribute: Option<&Name>,
    node: NodeId,
    resource: ResourceId,
) -> ColocationValue {
    let at = colocation_node(model, node, resource);
    match attribute {
        None => ColocationValue::Node(at.filter(|at| model.nodes[*at].has_name())),
        Some(name) => ColocationValue::Text(
            at.and_then(|at| model.nodes[at].attributes.get(name)).map(|value| value.to_ascii_lowercase()),
        ),
    }
}

/// The value that stands for "no node".
pub fn missing_value(attribute: Option<&Name>) -> ColocationValue {
    match attribute {
        None => ColocationValue::Node(None),
        Some(_) => ColocationValue::Text(None),
    }
}
