//! Which instances of a promotable clone are promoted (rule 2.21).

use super::colocation::{self, dependent, has_influence, preferences, preferences::Mode};
use super::instances::Comparison;
use super::sort::merge_sort_by;
use super::{output, tables, ticket};
use crate::model::{Cause, Model, NodeId, ResourceId};
use crate::state;
use cib::options::NoQuorumPolicy;
use cib::value::{Role, Score, parse_score};

/// Rule 2.21.3: promotion scores enter tables and priorities, once.
pub fn add_scores(model: &mut Model, clone: ResourceId) {
    let Some(settings) = model.resources[clone].clone_settings_mut() else { return };
    if std::mem::replace(&mut settings.merged_promoted_scores, true) {
        return;
    }
    for instance in model.resources[clone].children.clone() {
        let nodes: Vec<NodeId> = model.resources[instance].allowed.iter().map(|entry| entry.node).collect();
        for node in nodes.into_iter().filter(|node| model.nodes[*node].is_available()).collect::<Vec<_>>() {
            let (sum, _) = promotion_score(model, instance, node);
            if sum > 0 {
                tables::add_to_entry(model, instance, node, Score::new(sum), Cause::Promotion(instance));
            }
            if sum > model.resources[instance].plain_priority() {
                set_priority(model, instance, sum);
            }
        }
    }
}

fn set_priority(model: &mut Model, instance: ResourceId, sum: i64) {
    let it = &mut model.resources[instance];
    it.priority = Score::new(sum);
    it.priority_beyond = sum - i64::from(it.priority.value());
}

/// The promotion score of an instance on a node, a plain sum, and whether any part has one set (rule 2.21.1).
fn promotion_score(model: &Model, resource: ResourceId, node: NodeId) -> (i64, bool) {
    let it = &model.resources[resource];
    if !it.children.is_empty() {
        let parts: Vec<(i64, bool)> =
            it.children.iter().map(|member| promotion_score(model, *member, node)).collect();
        let sum = parts.iter().map(|(score, _)| score).sum();
        return (sum, parts.iter().any(|(_, set)| *set));
    }
    if !counts_on(model, resource, node) {
        return (0, false);
    }
    let name = it.history_name.as_ref().unwrap_or(&it.id);
    let text = promotion_attribute(model, resource, node, name).or_else(|| {
        let base = state::base_name(&it.id);
        (!it.unique && base != &**name).then(|| promotion_attribute(model, resource, node, base)).flatten()
    });
    match text {
        Some(text) => {
            let score = parse_score(text, &model.options.health_scores).unwrap_or_default();
            (i64::from(score.value()), true)
        }
        None => (0, false),
    }
}

fn promotion_attribute<'m>(
    model: &'m Model,
    resource: ResourceId,
    node: NodeId,
    name: &str,
) -> Option<&'m str> {
    let attribute = format!("master-{name}");
    let current = model.resources[resource].provisional;
    tables::attribute_for(model, resource, node, &attribute, current).map(|text| &**text)
}

/// Rule 2.21.2: whether the instance's promotion score on `node` means anything.
fn counts_on(model: &Model, resource: ResourceId, node: NodeId) -> bool {
    let it = &model.resources[resource];
    if it.allowed.score(node).is_none_or(|score| score < Score::ZERO) {
        return false;
    }
    if !it.unique {
        match first_active_on(model, resource, node) {
            Some(active) if active == resource => return true,
            None if some_instance_is_known(model, resource, node) => return true,
            _ => {}
        }
    }
    if it.active_on.is_empty() && it.probed_on.is_empty() {
        return true;
    }
    state::is_probed(model, resource, node) || it.active_on.contains(&node)
}

/// The leaves of the same definition in all instances of the clone around `resource`.
fn siblings(model: &Model, resource: ResourceId) -> impl Iterator<Item = ResourceId> {
    let clone = model.top_of(resource);
    let configured = &model.resources[resource].configured_id;
    model.resources[clone].children.iter().flat_map(move |instance| {
        let it = &model.resources[*instance];
        let parts = if it.children.is_empty() { std::slice::from_ref(instance) } else { &it.children[..] };
        parts.iter().copied().filter(move |part| model.resources[*part].configured_id == *configured)
    })
}

/// The first instance (in instance order) that is active on `node`. Almost always there is at most one,
/// which the node's own list tells.
fn first_active_on(model: &Model, resource: ResourceId, node: NodeId) -> Option<ResourceId> {
    let clone = model.top_of(resource);
    let configured = &model.resources[resource].configured_id;
    let mut active = model.nodes[node].running.iter().copied().filter(|other| {
        model.resources[*other].configured_id == *configured && model.top_of(*other) == clone
    });
    let first = active.next()?;
    match active.next() {
        None => Some(first),
        Some(_) => {
            siblings(model, resource).find(|sibling| model.resources[*sibling].active_on.contains(&node))
        }
    }
}

/// What is known of an instance is known of its clone too, so a clone of which nothing is known needs no
/// search.
fn some_instance_is_known(model: &Model, resource: ResourceId, node: NodeId) -> bool {
    state::is_probed(model, model.top_of(resource), node)
        && siblings(model, resource).any(|sibling| state::is_probed(model, sibling, node))
}

/// Rules 2.21.4 to 2.21.11.
pub fn choose_roles(model: &mut Model, clone: ResourceId) {
    for entry in model.resources[clone].allowed.iter_mut() {
        entry.count = 0;
    }
    for instance in model.resources[clone].children.clone() {
        set_promotion_priority(model, clone, instance);
    }
    add_node_scores(model, clone);
    if let Some(ticket) = ticket::forbids_promotion(model, clone) {
        model.add_score_everywhere(clone, Score::MINUS_INFINITY, Cause::Ticket(ticket));
    }
    for instance in model.resources[clone].children.clone() {
        model.resources[instance].sort_index = final_priority(model, clone, instance);
    }
    sort_for_promotion(model, clone);
    let mut chosen = 0;
    for instance in model.resources[clone].children.clone() {
        decide_role(model, clone, instance, &mut chosen);
    }
    if let Some(settings) = model.resources[clone].clone_settings_mut() {
        settings.promoted_count = chosen;
        settings.promotion_scores_computed = true;
    }
}

/// Rules 2.21.5 to 2.21.7.
fn set_promotion_priority(model: &mut Model, clone: ResourceId, instance: ResourceId) {
    // asked of the instance as a whole: beside a promoted member, one of a group stays started
    if state::role(model, instance, true) == Role::Started {
        become_unpromoted(model, instance);
    }
    if let Some(node) = state::location(model, instance, false) {
        set_initial_priority(model, instance, node);
        add_promoted_locations(model, clone, instance, node);
        for id in colocation::this_with(model, instance) {
            let primary = model.colocations[id].primary;
            let of_role = model.colocations[id].dependent_role > Role::Started;
            if of_role || model.resources[primary].is_clone() || model.resources[primary].is_bundle() {
                dependent::apply(model, instance, primary, id);
            }
        }
    }
    let it = &model.resources[instance];
    let promoted_already = state::role(model, instance, false) == Role::Promoted;
    model.resources[instance].promotion_priority =
        if promoted_already { Score::INFINITY } else { it.priority };
}

/// A started part of a promotable clone is unpromoted.
fn become_unpromoted(model: &mut Model, resource: ResourceId) {
    if model.resources[resource].current_role == Role::Started {
        model.resources[resource].current_role = Role::Unpromoted;
    }
    for child in model.resources[resource].children.clone() {
        become_unpromoted(model, child);
    }
}

fn set_initial_priority(model: &mut Model, instance: ResourceId, node: NodeId) {
    let priority = match state::role(model, instance, false) {
        Role::Unknown | Role::Started => {
            let (sum, set) = promotion_score(model, instance, node);
            if set { Score::new(sum) } else { Score::new(-1) }
        }
        Role::Unpromoted | Role::Stopped => Score::MINUS_INFINITY,
        Role::Promoted => return,
    };
    set_priority(model, instance, i64::from(priority.value()));
}

/// Location constraints with role Promoted, newest first, those of the instance before the clone's.
fn add_promoted_locations(model: &mut Model, clone: ResourceId, instance: ResourceId, node: NodeId) {
    let mut amount = model.resources[instance].priority;
    for owner in [instance, clone] {
        for &id in model.resources[owner].locations.iter().rev() {
            let location = &model.locations[id];
            if location.role == Role::Promoted {
                if let Some((_, score)) = location.nodes.iter().find(|(at, _)| *at == node) {
                    amount += *score;
                }
            }
        }
    }
    model.resources[instance].priority = amount;
}

/// Rule 2.21.8: the clone's own table becomes the place where wishes about promotion meet.
fn add_node_scores(model: &mut Model, clone: ResourceId) {
    model.placement.marks_mut(clone).promotion_sorting = true;
    model.placement.surroundings_changed();
    preferences::guarded(model, clone, |model| {
        for instance in model.resources[clone].children.clone() {
            let priority = model.resources[instance].promotion_priority;
            if let Some(node) = state::location(model, instance, false).filter(|_| priority >= Score::ZERO) {
                tables::add_to_entry(model, clone, node, priority, Cause::Promotion(instance));
            }
        }
        let mode = Mode { strict: true, non_negative: true };
        for id in colocation::with_this(model, clone) {
            let colocation = &model.colocations[id];
            if colocation.primary_role == Role::Promoted && has_influence(model, id, colocation.primary) {
                preferences::merge_into_table(model, id, clone, mode);
            }
        }
    });
}

/// Rule 2.21.10.
fn final_priority(model: &Model, clone: ResourceId, instance: ResourceId) -> Score {
    let it = &model.resources[instance];
    if !it.managed && state::role(model, instance, false) == Role::Promoted {
        return Score::INFINITY;
    }
    match state::location(model, instance, false) {
        None => Score::MINUS_INFINITY,
        Some(_) if it.promotion_priority < Score::ZERO => it.promotion_priority,
        Some(node) => model.resources[clone].allowed.score(node).unwrap_or(Score::MINUS_INFINITY),
    }
}

fn sort_for_promotion(model: &mut Model, clone: ResourceId) {
    let instances = model.resources[clone].children.clone();
    let comparison = Comparison::new(model, clone, &instances);
    let mut positions: Vec<usize> = (0..instances.len()).collect();
    merge_sort_by(&mut positions, &mut |&a, &b| {
        let (left, right) = (&model.resources[instances[a]], &model.resources[instances[b]]);
        let role = |instance: usize| state::role(model, instances[instance], true);
        (right.sort_index.cmp(&left.sort_index))
            .then_with(|| role(b).cmp(&role(a)))
            .then_with(|| comparison.compare(model, a, b))
    });
    model.resources[clone].children = positions.into_iter().map(|position| instances[position]).collect();
}

/// Rule 2.21.11, steps 1 to 4.
fn decide_role(model: &mut Model, clone: ResourceId, instance: ResourceId, chosen: &mut i32) {
    let node = state::location(model, instance, false);
    output::promotion(model, instance, node);
    let promoted_max = model.resources[clone].clone_settings().map_or(0, |settings| settings.promoted_max);
    let full = *chosen >= promoted_max && model.resources[clone].managed;
    let waits_for_quorum = state::role(model, instance, true) < Role::Promoted
        && !model.quorate
        && model.no_quorum_policy == NoQuorumPolicy::Freeze;
    let place = node.filter(|_| model.resources[instance].sort_index >= Score::ZERO && !full);
    match place.filter(|_| can_be_promoted(model, clone, instance) && !waits_for_quorum) {
        Some(node) => {
            if let Some(entry) = model.resources[clone].allowed.get_mut(node) {
                entry.count += 1;
            }
            *chosen += 1;
            promote(model, instance);
        }
        None => stay_unpromoted(model, instance),
    }
}

fn promote(model: &mut Model, resource: ResourceId) {
    let it = &mut model.resources[resource];
    if it.next_role == Role::Unknown {
        it.next_role = Role::Promoted;
    }
    for child in it.children.clone() {
        promote(model, child);
    }
}

fn stay_unpromoted(model: &mut Model, resource: ResourceId) {
    let placed = !state::nodes_of(model, resource, state::Place::Assigned).is_empty();
    let role = if placed { Role::Unpromoted } else { Role::Stopped };
    model.resources[resource].next_role = role;
    for child in model.resources[resource].children.clone() {
        stay_unpromoted(model, child);
    }
}

/// Rule 2.21.13.
fn can_be_promoted(model: &Model, clone: ResourceId, instance: ResourceId) -> bool {
    let it = &model.resources[instance];
    if !it.children.iter().all(|member| can_be_promoted(model, clone, *member)) {
        return false;
    }
    let Some(node) = state::location(model, instance, false) else { return false };
    if !it.managed {
        return state::role(model, instance, true) == Role::Promoted;
    }
    let limit = model.resources[clone].clone_settings().map_or(0, |settings| settings.promoted_node_max);
    it.priority >= Score::ZERO
        && model.nodes[node].is_available()
        && tables::is_reachable(model, node)
        && model.resources[clone].allowed.get(node).is_some_and(|entry| entry.count < limit)
}

/// Rule 2.21.14: after all actions have been created, instances have the clone's priority again.
pub fn restore_priorities(model: &mut Model) {
    for clone in model.resources.ids() {
        let it = &model.resources[clone];
        if it.is_clone() && it.promotable {
            let priority = it.priority;
            for instance in it.children.clone() {
                model.resources[instance].priority = priority;
            }
        }
    }
}
