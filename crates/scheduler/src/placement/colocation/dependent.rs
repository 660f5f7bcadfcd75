//! What a placed primary does to a dependent: to its table while it is being placed, to its promotion
//! priority while roles are chosen (rules 2.17, 2.21.6, 2.22.7).

use super::super::{Finality, place, primitive, tables};
use super::pairing;
use crate::model::{Cause, ColocationId, Model, NodeId, ResourceId, ResourceKind, Severity};
use crate::state;
use cib::value::{Role, Score};

/// Rule 2.17.2: `resource` acts as the dependent of the colocation; the primary is placed first.
pub fn act(model: &mut Model, resource: ResourceId, id: ColocationId) {
    let colocation = &model.colocations[id];
    let (primary, score) = (colocation.primary, colocation.score);
    let revocable =
        colocation.dependent_role == Role::Promoted || (score < Score::ZERO && !score.is_minus_infinite());
    let saved = revocable.then(|| model.resources[resource].allowed.clone());
    if model.resources[primary].provisional {
        place(model, primary, None, Finality::Final);
    }
    apply(model, resource, primary, id);
    if let Some(saved) = saved.filter(|_| !tables::has_usable_node(model, &model.resources[resource].allowed))
    {
        tables::restore(model, resource, saved, Cause::Colocation(id));
    }
}

/// Applies the colocation to a concrete dependent with regard to a concrete primary of any kind. Returns
/// what was added to the dependent's promotion priority.
pub fn apply(model: &mut Model, dependent: ResourceId, primary: ResourceId, id: ColocationId) -> Score {
    if let ResourceKind::Group(group) = &model.resources[dependent].kind {
        let colocated = group.colocated;
        return apply_to_group(model, dependent, colocated, primary, id);
    }
    match &model.resources[primary].kind {
        ResourceKind::Primitive(_) => with_primitive(model, dependent, primary, id),
        ResourceKind::Group(group) => {
            let colocated = group.colocated;
            with_group(model, dependent, primary, colocated, id)
        }
        ResourceKind::Clone(_) => with_clone(model, dependent, primary, id),
        ResourceKind::Bundle(_) => with_bundle(model, dependent, primary, id),
    }
}

/// Rule 2.17.5 d: an instance of a cloned group as the dependent.
fn apply_to_group(
    model: &mut Model,
    group: ResourceId,
    colocated: bool,
    primary: ResourceId,
    id: ColocationId,
) -> Score {
    let members = model.resources[group].children.clone();
    let members = match members.get(..1) {
        Some(first) if colocated => first.to_vec(),
        _ if model.colocations[id].score.is_infinite() => {
            report_unsupported(model, id, "a mandatory colocation with a group that is not colocated");
            return Score::ZERO;
        }
        _ => members,
    };
    let amount = members.into_iter().fold(Score::ZERO, |sum, member| sum + apply(model, member, primary, id));
    model.resources[group].priority += amount;
    amount
}

fn report_unsupported(model: &mut Model, id: ColocationId, what: &str) {
    let text = format!("Constraint '{}' is ignored: {what} is not supported", model.colocations[id].id);
    model.notice(Severity::ConfigurationError, text, None);
}

/// The resource whose role counts: for a container of a bundle the instance inside.
fn role_resource(model: &Model, resource: ResourceId) -> ResourceId {
    model.resources[resource]
        .parent
        .and_then(|parent| model.resources[parent].bundle())
        .and_then(|bundle| bundle.replicas.iter().find(|replica| replica.container == resource))
        .and_then(|replica| replica.child)
        .unwrap_or(resource)
}

/// Rule 2.17.1.
fn with_primitive(model: &mut Model, dependent: ResourceId, primary: ResourceId, id: ColocationId) -> Score {
    if model.resources[primary].provisional {
        return Score::ZERO;
    }
    let colocation = &model.colocations[id];
    let inside = role_resource(model, dependent);
    let in_promotable =
        model.resources[inside].parent.is_some_and(|parent| model.resources[parent].promotable);
    if colocation.dependent_role > Role::Started && in_promotable && !model.resources[inside].provisional {
        return affect_role(model, dependent, primary, id);
    }
    let role_differs = |wanted: Role, of: ResourceId| {
        wanted != Role::Unknown && wanted != state::role(model, role_resource(model, of), false)
    };
    if model.resources[dependent].provisional
        && !role_differs(colocation.dependent_role, dependent)
        && !role_differs(colocation.primary_role, primary)
    {
        affect_location(model, dependent, primary, id);
    }
    Score::ZERO
}

/// Rule 2.17.3.
fn with_group(
    model: &mut Model,
    dependent: ResourceId,
    group: ResourceId,
    colocated: bool,
    id: ColocationId,
) -> Score {
    if model.resources[group].provisional {
        return Score::ZERO;
    }
    let mandatory = model.colocations[id].score.is_infinite();
    let members = model.resources[group].children.clone();
    if colocated {
        let spokesman = if mandatory { members.last() } else { members.first() };
        return spokesman.map_or(Score::ZERO, |member| apply(model, dependent, *member, id));
    }
    if mandatory {
        report_unsupported(model, id, "a mandatory colocation with a group that is not colocated");
        return Score::ZERO;
    }
    members.into_iter().fold(Score::ZERO, |sum, member| sum + apply(model, dependent, member, id))
}

/// Rule 2.17.4.
fn affect_location(model: &mut Model, dependent: ResourceId, primary: ResourceId, id: ColocationId) {
    let colocation = &model.colocations[id];
    let score = colocation.score;
    let attribute = colocation.node_attribute.as_ref();
    let mut table = model.resources[dependent].allowed.clone();
    match model.resources[primary].assigned {
        None if score < Score::ZERO => return,
        None => table.iter_mut().for_each(|entry| entry.score += -score),
        Some(node) => {
            let there = tables::colocation_value(model, attribute, node, primary);
            for entry in table.iter_mut() {
                if tables::colocation_value(model, attribute, entry.node, dependent) == there {
                    if !score.is_infinite() {
                        entry.score += score;
                    }
                } else if score.is_infinite() {
                    entry.score = Score::MINUS_INFINITY;
                }
            }
        }
    }
    let mandatory = score.is_infinite() || score.is_minus_infinite();
    if mandatory || tables::has_usable_node(model, &table) {
        let scores = table.iter().map(|entry| (entry.node, entry.score));
        tables::replace_scores(model, dependent, scores, Cause::Colocation(id));
        tables::note_copy(model, dependent);
    }
}

/// Rule 2.17.5.
fn affect_role(model: &mut Model, dependent: ResourceId, primary: ResourceId, id: ColocationId) -> Score {
    let colocation = &model.colocations[id];
    let Some(node) = model.resources[dependent].assigned else { return Score::ZERO };
    let attribute = colocation.node_attribute.as_ref();
    let here = tables::colocation_value(model, attribute, node, dependent);
    let there = match model.resources[primary].assigned {
        Some(node) => {
            let role = state::role(model, role_resource(model, primary), false);
            if colocation.primary_role != Role::Unknown && colocation.primary_role != role {
                return Score::ZERO;
            }
            tables::colocation_value(model, attribute, node, primary)
        }
        None => tables::missing_value(attribute),
    };
    let amount = if here == there {
        if colocation.dependent_role == Role::Unpromoted { -colocation.score } else { colocation.score }
    } else if colocation.score.is_infinite() && colocation.dependent_role == Role::Promoted {
        Score::MINUS_INFINITY
    } else {
        Score::ZERO
    };
    model.resources[dependent].priority += amount;
    amount
}

/// Rules 2.17.6 and 2.21.6.
fn with_clone(model: &mut Model, dependent: ResourceId, clone: ResourceId, id: ColocationId) -> Score {
    if model.resources[clone].provisional {
        return Score::ZERO;
    }
    let colocation = &model.colocations[id];
    let score = colocation.score;
    let (dependent_role, primary_role) = (colocation.dependent_role, colocation.primary_role);
    if model.resources[clone].promotable && primary_role != Role::Unknown {
        if model.resources[dependent].provisional {
            join_instances_in_role(model, dependent, clone, id);
            return Score::ZERO;
        }
        if dependent_role == Role::Promoted {
            return join_promoted(model, dependent, clone, id);
        }
    }
    if pairing::is_interleaved(model, id, clone) {
        return match pairing::compatible_instance(model, dependent, clone, None, None) {
            Some(instance) => apply(model, dependent, instance, id),
            None => without_partner(model, dependent, score),
        };
    }
    let instances = model.resources[clone].children.clone();
    if score.is_infinite() {
        let nodes: Vec<NodeId> = instances
            .iter()
            .filter(|instance| !pairing::has_blocked_part(model, **instance))
            .filter_map(|instance| state::location(model, *instance, false))
            .collect();
        confine(model, dependent, &nodes, id);
        return Score::ZERO;
    }
    instances.into_iter().fold(Score::ZERO, |sum, instance| sum + apply(model, dependent, instance, id))
}

/// A dependent for which no partner was found: mandatory, so it runs nowhere.
fn without_partner(model: &mut Model, dependent: ResourceId, score: Score) -> Score {
    if score.is_infinite() {
        primitive::put_nowhere(model, dependent, Finality::Final);
    }
    Score::ZERO
}

/// Bans the dependent from every node but these.
fn confine(model: &mut Model, dependent: ResourceId, nodes: &[NodeId], id: ColocationId) {
    tables::ban_entries_unless(model, dependent, Cause::Colocation(id), |_, node| nodes.contains(&node));
}

/// Rule 2.17.6 a: a dependent that is being placed, with the instances in the primary role.
fn join_instances_in_role(model: &mut Model, dependent: ResourceId, clone: ResourceId, id: ColocationId) {
    let colocation = &model.colocations[id];
    let (score, primary_role) = (colocation.score, colocation.primary_role);
    let both_promoted = primary_role == Role::Promoted && colocation.dependent_role == Role::Promoted;
    let attribute = colocation.node_attribute.clone();
    let cause = Cause::Colocation(id);
    let mut places: Vec<(NodeId, Score)> = Vec::new();
    for instance in model.resources[clone].children.clone() {
        let Some(node) = state::location(model, instance, false) else { continue };
        if state::role(model, instance, false) != primary_role {
            continue;
        }
        places.push((node, primitive::assigned_score(model, instance)));
        if !score.is_infinite() {
            let there = tables::colocation_value(model, attribute.as_ref(), node, instance);
            let nodes: Vec<NodeId> = model.resources[dependent].allowed.iter().map(|it| it.node).collect();
            for node in nodes {
                if tables::colocation_value(model, attribute.as_ref(), node, dependent) == there {
                    tables::add_to_entry(model, dependent, node, score, cause);
                }
            }
        }
    }
    if !score.is_infinite() || both_promoted {
        return;
    }
    let nodes: Vec<NodeId> = model.resources[dependent].allowed.iter().map(|it| it.node).collect();
    for node in nodes {
        match places.iter().rev().find(|(place, _)| *place == node) {
            Some((_, amount)) => tables::add_to_entry(model, dependent, node, *amount, cause),
            None => tables::set_score(model, dependent, node, Score::MINUS_INFINITY, cause),
        }
    }
}

/// Rule 2.21.6: promoted with promoted.
fn join_promoted(model: &mut Model, dependent: ResourceId, clone: ResourceId, id: ColocationId) -> Score {
    let colocation = &model.colocations[id];
    let (score, role) = (colocation.score, colocation.primary_role);
    let attribute = colocation.node_attribute.clone();
    let partner = pairing::compatible_instance(model, dependent, clone, Some(role), attribute.as_ref());
    let priority = &mut model.resources[dependent].priority;
    if partner.is_some() {
        *priority += score;
        score
    } else if score.is_infinite() {
        *priority = Score::MINUS_INFINITY;
        Score::MINUS_INFINITY
    } else {
        Score::ZERO
    }
}

/// Rule 2.22.7.
fn with_bundle(model: &mut Model, dependent: ResourceId, bundle: ResourceId, id: ColocationId) -> Score {
    if model.resources[bundle].provisional {
        return Score::ZERO;
    }
    let colocation = &model.colocations[id];
    let (score, primary_role) = (colocation.score, colocation.primary_role);
    let configured = &model.resources[colocation.dependent];
    if configured.is_clone() || configured.is_bundle() {
        return match pairing::compatible_container(model, dependent, bundle) {
            Some(container) => apply(model, dependent, container, id),
            None => without_partner(model, dependent, score),
        };
    }
    let Some(it) = model.resources[bundle].bundle() else { return Score::ZERO };
    let replicas: Vec<_> = it.replicas.iter().map(|replica| (replica.container, replica.child)).collect();
    if !score.is_infinite() {
        return replicas
            .into_iter()
            .fold(Score::ZERO, |sum, (container, _)| sum + apply(model, dependent, container, id));
    }
    let is_promoted =
        |child: Option<ResourceId>| child.is_some_and(|it| state::role(model, it, false) == Role::Promoted);
    let nodes: Vec<NodeId> = replicas
        .into_iter()
        .filter(|(container, _)| !pairing::has_blocked_part(model, *container))
        .filter(|(_, child)| primary_role != Role::Promoted || is_promoted(*child))
        .filter_map(|(container, _)| model.resources[container].assigned)
        .collect();
    confine(model, dependent, &nodes, id);
    Score::ZERO
}
