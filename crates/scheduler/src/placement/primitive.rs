//! Placing a primitive (rule 2.12).

use super::colocation::{self, dependent, preferences};
use super::{Finality, choose_node, output, place as place_any, utilization};
use crate::model::{Cause, ColocationId, Model, NodeId, ResourceId};
use crate::state;
use cib::options::NoQuorumPolicy;
use cib::value::{Role, Score};

/// Places a primitive and whatever has to be placed before it; the node it got.
pub fn place(
    model: &mut Model,
    resource: ResourceId,
    preferred: Option<NodeId>,
    finality: Finality,
) -> Option<NodeId> {
    if let Some(parent) = model.resources[resource].parent.filter(|parent| !model.resources[*parent].placing)
    {
        place_any(model, parent, preferred, finality);
    }
    if !model.resources[resource].provisional {
        return model.resources[resource].assigned;
    }
    if model.resources[resource].placing {
        return None;
    }
    model.resources[resource].placing = true;
    apply_colocations(model, resource);
    settle_next_role(model, resource);
    output::table(model, "pcmk__primitive_assign", resource);
    if model.options.fencing_enabled && !model.have_fencing {
        model.resources[resource].managed = false;
    }
    if !model.resources[resource].managed {
        leave_unmanaged(model, resource, finality);
    } else if model.options.stop_all_resources {
        put_nowhere(model, resource, finality);
    } else if model.resources[resource].provisional {
        choose_node::choose(model, resource, preferred, finality);
    }
    model.resources[resource].placing = false;
    update_remote_node(model, resource);
    model.resources[resource].assigned
}

/// Rule 2.12.4: mandatory colocations before optional ones, primaries before dependents.
fn apply_colocations(model: &mut Model, resource: ResourceId) {
    let this_with = colocation::this_with(model, resource);
    let with_this = colocation::with_this(model, resource);
    for mandatory in [true, false] {
        for &id in this_with.iter().filter(|id| is_mandatory(model, **id) == mandatory).collect::<Vec<_>>() {
            dependent::act(model, resource, id);
        }
        for &id in with_this.iter().filter(|id| is_mandatory(model, **id) == mandatory).collect::<Vec<_>>() {
            preferences::merge_dependent(model, id, resource);
        }
    }
}

fn is_mandatory(model: &Model, id: ColocationId) -> bool {
    let score = model.colocations[id].score;
    score.is_infinite() || score.is_minus_infinite()
}

/// Rule 2.12.5.
fn settle_next_role(model: &mut Model, resource: ResourceId) {
    let it = &mut model.resources[resource];
    if it.next_role == Role::Stopped {
        model.add_score_everywhere(resource, Score::MINUS_INFINITY, Cause::TargetRole(resource));
    } else if it.next_role > it.current_role
        && !model.quorate
        && model.no_quorum_policy == NoQuorumPolicy::Freeze
    {
        it.next_role = it.current_role;
        it.next_role_reason = Some("no-quorum-policy=freeze".into());
    }
}

/// Rule 2.12.8: it stays where it is, in the role it has.
fn leave_unmanaged(model: &mut Model, resource: ResourceId, finality: Finality) {
    let it = &mut model.resources[resource];
    it.next_role = it.current_role;
    it.next_role_reason = Some("unmanaged".into());
    match state::current_node(model, resource) {
        Some(node) => force_on(model, resource, node),
        None => put_nowhere(model, resource, finality),
    }
}

/// Rule 2.12.9: a connection decides whether its node can be used.
fn update_remote_node(model: &mut Model, resource: ResourceId) {
    let it = &model.resources[resource];
    let Some(node) = it.remote_node.filter(|_| it.is_remote_connection) else { return };
    let comes_up = it.assigned.is_some() && it.next_role != Role::Stopped;
    model.placement.surroundings_changed();
    let node = &mut model.nodes[node];
    if comes_up {
        node.online = true;
        if !node.seen {
            node.unclean = false;
        }
    } else {
        node.shutdown = true;
    }
}

/// Puts a primitive on a node of its table, unless the node will not have it (rule 2.12.10).
pub fn put_on(model: &mut Model, resource: ResourceId, node: NodeId, finality: Finality) {
    let score = model.resources[resource].allowed.score(node).unwrap_or(Score::MINUS_INFINITY);
    let at = &model.nodes[node];
    if score < Score::ZERO || !(at.is_available() || at.is_guest()) {
        put_nowhere(model, resource, finality);
    } else {
        settle(model, resource, node, score);
    }
}

/// Puts a primitive on a node, whatever the node's state. The table has no say, so what counts as its score
/// there (rule 2.17.6 a) is the node's own.
fn force_on(model: &mut Model, resource: ResourceId, node: NodeId) {
    let score = model.nodes[node].score;
    settle(model, resource, node, score);
}

/// Decides that the primitive runs on no node (rule 2.12.10).
pub fn put_nowhere(model: &mut Model, resource: ResourceId, finality: Finality) {
    release(model, resource);
    let it = &mut model.resources[resource];
    it.provisional = false;
    if finality == Finality::Final {
        it.next_role = Role::Stopped;
        it.next_role_reason = Some("unable to assign".into());
        crate::actions::adapt_to_no_node(model, resource);
    }
}

fn settle(model: &mut Model, resource: ResourceId, node: NodeId, score: Score) {
    release(model, resource);
    let it = &mut model.resources[resource];
    it.provisional = false;
    it.assigned = Some(node);
    model.nodes[node].assigned_count += 1;
    model.placement.marks_mut(resource).assigned_score = score;
    utilization::consume(model, resource, node);
    output::utilization(model, resource, node);
}

/// Takes the primitive off its node.
fn release(model: &mut Model, resource: ResourceId) {
    if let Some(node) = model.resources[resource].assigned.take() {
        model.nodes[node].assigned_count = model.nodes[node].assigned_count.saturating_sub(1);
        utilization::give_back(model, resource, node);
    }
}

/// Undoes the placement of everything below and including `resource` (rule 2.20.11).
pub fn take_off(model: &mut Model, resource: ResourceId) {
    for child in model.resources[resource].children.clone() {
        take_off(model, child);
    }
    if model.resources[resource].is_primitive() {
        release(model, resource);
    }
    model.resources[resource].provisional = true;
}

/// The score with which the resource, or the first placed leaf inside, was put on its node.
pub fn assigned_score(model: &Model, resource: ResourceId) -> Score {
    first_placed_leaf(model, resource)
        .and_then(|leaf| model.placement.marks(leaf))
        .map(|marks| marks.assigned_score)
        .unwrap_or_default()
}

fn first_placed_leaf(model: &Model, resource: ResourceId) -> Option<ResourceId> {
    let it = &model.resources[resource];
    if it.children.is_empty() {
        return it.assigned.map(|_| resource);
    }
    it.children.iter().find_map(|child| first_placed_leaf(model, *child))
}
