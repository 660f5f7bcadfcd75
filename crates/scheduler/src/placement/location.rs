//! Location constraints: which nodes a resource prefers, avoids, or may only be probed on (rule 2.9).
//!
//! [`unpack`] only records; [`apply_all`] changes the tables, the newest recorded constraint first.

use super::find::{self, Meaning};
use super::tables;
use crate::model::{
    Cause, Change, Discovery, Location, LocationId, Model, NodeEntry, NodeId, NodeTable, ResourceId,
    ResourceKind, Severity,
};
use crate::state;
use cib::config::LocationConstraint;
use cib::pattern::Pattern;
use cib::rule::{Rule, RuleInput};
use cib::value::{Role, Score, ScoreText};
use std::sync::Arc;

/// What one constraint says about one of its resources, before nodes are looked up.
struct Wish<'c> {
    constraint: &'c LocationConstraint,
    source: u32,
    role: Option<&'c str>,
    score: Option<&'c ScoreText>,
}

/// Records one `rsc_location`.
pub fn unpack(model: &mut Model, source: u32, constraint: &LocationConstraint) {
    let wish =
        Wish { constraint, source, role: constraint.role.as_deref(), score: constraint.score.as_ref() };
    if !constraint.sets.is_empty() {
        unpack_sets(model, &wish);
        return;
    }
    if let Some(id) = &constraint.rsc {
        unpack_named(model, &wish, id);
    }
    if let Some(pattern) = &constraint.rsc_pattern {
        unpack_pattern(model, &wish, pattern);
    }
}

/// Rule 2.9.4. All references are checked before anything is recorded.
fn unpack_sets(model: &mut Model, wish: &Wish<'_>) {
    let mut resolved = Vec::new();
    for set in &wish.constraint.sets {
        match find::members(model, &set.members) {
            Ok(resources) => resolved.push((set, resources)),
            Err(unknown) => return report_unknown(model, wish.constraint, &unknown),
        }
    }
    for (set, resources) in resolved {
        let wish = Wish {
            role: set.role.as_deref().or(wish.role),
            score: set.score.as_ref().or(wish.score),
            ..*wish
        };
        for resource in resources {
            record_wish(model, &wish, resource, None);
        }
    }
}

fn unpack_named(model: &mut Model, wish: &Wish<'_>, id: &str) {
    match find::meaning(model, id) {
        Meaning::Resource(resource) => record_wish(model, wish, resource, None),
        Meaning::Members(names) => {
            for name in names {
                if let Some(resource) = state::find_resource(model, &name) {
                    record_wish(model, wish, resource, None);
                }
            }
        }
        Meaning::Unknown => report_unknown(model, wish.constraint, id),
    }
}

fn report_unknown(model: &mut Model, constraint: &LocationConstraint, id: &str) {
    let text =
        format!("Ignoring constraint '{}' because '{id}' is not a valid resource or tag", constraint.id);
    model.notice(Severity::ConfigurationError, text, Some(constraint.line));
}

/// Rule 2.9.5.
fn unpack_pattern(model: &mut Model, wish: &Wish<'_>, pattern: &str) {
    let pattern = match Pattern::new(pattern) {
        Ok(pattern) => pattern,
        Err(error) => {
            let text = format!("Ignoring constraint '{}': {error}", wish.constraint.id);
            model.notice(Severity::ConfigurationError, text, Some(wish.constraint.line));
            return;
        }
    };
    for index in 0..model.top.len() {
        let resource = model.top[index];
        let id = &model.resources[resource].id;
        if pattern.matches(id) {
            let submatches = pattern.submatches(id);
            record_wish(model, wish, resource, submatches.as_deref());
        }
    }
}

fn record_wish(model: &mut Model, wish: &Wish<'_>, resource: ResourceId, submatches: Option<&[String]>) {
    let constraint = wish.constraint;
    let plain = constraint.node.as_deref().zip(wish.score);
    let (nodes, role, id) = match (plain, &constraint.rule) {
        (Some((node, score)), _) => {
            let Some(node) = state::find_node(model, node) else { return };
            let score = score.resolve(&model.options.health_scores).unwrap_or_default();
            (vec![(node, score)], wish.role, &constraint.id)
        }
        (None, Some(rule)) => {
            let nodes = nodes_by_rule(model, resource, &Arc::clone(rule), submatches);
            (nodes, rule.role.as_deref(), rule.id.as_ref().unwrap_or(&constraint.id))
        }
        (None, None) => return,
    };
    let Some(role) = role_of(role) else {
        let text = format!("Ignoring constraint '{}' because of its unknown role", constraint.id);
        model.notice(Severity::ConfigurationError, text, Some(constraint.line));
        return;
    };
    let discovery = match constraint.resource_discovery.as_deref() {
        Some(text) if text.eq_ignore_ascii_case("never") => Discovery::Never,
        Some(text) if text.eq_ignore_ascii_case("exclusive") => {
            model.resources[resource].exclusive_discovery = true;
            Discovery::Exclusive
        }
        _ => Discovery::Always,
    };
    if nodes.is_empty() {
        return;
    }
    let id = id.clone();
    record(model, Location { id, resource, role, discovery, nodes, source: Some(wish.source) });
}

/// Rule 2.9.7: `Unknown` means any role; `None` that the text is no role.
fn role_of(text: Option<&str>) -> Option<Role> {
    match text.map(Role::parse) {
        None | Some(Some(Role::Unknown | Role::Started | Role::Unpromoted)) => Some(Role::Unknown),
        Some(role) => role,
    }
}

/// Rules 2.9.8 and 1.6.9.
fn nodes_by_rule(
    model: &mut Model,
    resource: ResourceId,
    rule: &Rule,
    submatches: Option<&[String]>,
) -> Vec<(NodeId, Score)> {
    let score_attribute = rule.score_attribute.as_deref().map(|name| match submatches {
        Some(submatches) => cib::rule::expand_submatches(name, submatches).to_string(),
        None => name.to_owned(),
    });
    let mut nodes = Vec::new();
    for index in 0..model.node_order.len() {
        let node = model.node_order[index];
        if !rule_passes(model, resource, node, rule, submatches) {
            continue;
        }
        let health = &model.options.health_scores;
        let score = match &score_attribute {
            None => Some(rule.score.as_ref().and_then(|score| score.resolve(health)).unwrap_or_default()),
            Some(name) => tables::attribute_for(model, resource, node, name, true)
                .and_then(|text| cib::value::parse_score(text, health)),
        };
        if let Some(score) = score {
            nodes.push((node, score));
        }
    }
    nodes
}

fn rule_passes(
    model: &mut Model,
    resource: ResourceId,
    node: NodeId,
    rule: &Rule,
    submatches: Option<&[String]>,
) -> bool {
    let parameters = state::parameters(model, resource, Some(node));
    let verdict = rule.evaluate(&RuleInput {
        node_attributes: Some(&state::Table(&model.nodes[node].attributes)),
        parameters: Some(&state::Table(&parameters)),
        meta: Some(&state::Table(&model.resources[resource].meta)),
        submatches,
        ..RuleInput::at(model.state.clock)
    });
    if let Some(at) = verdict.next_change {
        model.recheck_at(at);
    }
    verdict.passes
}

/// Adds a location constraint to the recorded ones.
pub fn record(model: &mut Model, location: Location) {
    let resource = location.resource;
    let id = model.locations.push(location);
    model.resources[resource].locations.push(id);
}

/// Applies all recorded constraints, newest first (rule 2.9.10).
pub fn apply_all(model: &mut Model) {
    let recorded: Vec<LocationId> = model.locations.ids().rev().collect();
    for id in recorded {
        apply(model, id, model.locations[id].resource, Strength::Full);
    }
}

/// Whether a constraint counts with its scores, or only creates entries and discovery modes.
#[derive(Clone, Copy, PartialEq)]
enum Strength {
    Full,
    Zero,
}

/// Applies a constraint to a resource and to what it stands for (rules 2.9.11 to 2.9.13).
fn apply(model: &mut Model, id: LocationId, resource: ResourceId, strength: Strength) {
    match &model.resources[resource].kind {
        ResourceKind::Primitive(_) => apply_here(model, id, resource, strength),
        ResourceKind::Group(group) => {
            let colocated = group.colocated;
            apply_here(model, id, resource, strength);
            for (index, member) in model.resources[resource].children.clone().into_iter().enumerate() {
                let later = if colocated && index > 0 { Strength::Zero } else { strength };
                apply(model, id, member, later);
            }
        }
        ResourceKind::Clone(_) => {
            apply_here(model, id, resource, strength);
            for instance in model.resources[resource].children.clone() {
                apply(model, id, instance, strength);
            }
        }
        ResourceKind::Bundle(_) => apply_to_bundle(model, id, resource, strength),
    }
}

fn apply_to_bundle(model: &mut Model, id: LocationId, bundle: ResourceId, strength: Strength) {
    apply_here(model, id, bundle, strength);
    let Some(it) = model.resources[bundle].bundle() else { return };
    let child = it.child;
    let parts: Vec<ResourceId> =
        it.replicas.iter().flat_map(|replica| [Some(replica.container), replica.ip]).flatten().collect();
    for part in parts {
        apply(model, id, part, strength);
    }
    if let Some(child) = child.filter(|_| model.locations[id].role == Role::Promoted) {
        apply(model, id, child, strength);
        // the newest is applied first, and has to stay last in the list
        model.resources[child].locations.insert(0, id);
    }
}

/// Whether the constraint's role lets it act on placement (rule 2.9.11 a).
fn acts_on(model: &Model, id: LocationId, resource: ResourceId) -> bool {
    let role = model.locations[id].role;
    role == Role::Unknown || model.resources[resource].next_role == role
}

/// Rule 2.9.11, for one resource's own table. A new entry has the node's own discovery mode at least: bundle
/// nodes are never probed for resources that a rule happens to mention there (rule 2.5.3 b).
fn apply_here(model: &mut Model, id: LocationId, resource: ResourceId, strength: Strength) {
    if !acts_on(model, id, resource) {
        return;
    }
    let cause = Cause::Location(id);
    let discovery = model.locations[id].discovery;
    for index in 0..model.locations[id].nodes.len() {
        let (node, score) = model.locations[id].nodes[index];
        let score = if strength == Strength::Full { score } else { Score::ZERO };
        let known = model.resources[resource].allowed.contains(node);
        let discovery = discovery.max(model.nodes[node].discovery);
        add_to_table(&mut model.resources[resource].allowed, node, score, discovery);
        let change = if known { Change::Add(score) } else { Change::Set(score) };
        model.reasons.score(resource, node, change, cause);
    }
    if discovery == Discovery::Exclusive && !model.locations[id].nodes.is_empty() {
        model.resources[resource].exclusive_discovery = true;
    }
}

fn add_to_table(table: &mut NodeTable, node: NodeId, score: Score, discovery: Discovery) {
    match table.get_mut(node) {
        Some(entry) => {
            entry.score += score;
            entry.discovery = entry.discovery.max(discovery);
        }
        None => table.insert(NodeEntry { node, score, discovery, count: 0 }),
    }
}

/// Applies the constraints of `owner` to a scratch copy of the table of `resource` (rule 2.18.4 a).
pub fn apply_to_scratch(model: &Model, owner: ResourceId, resource: ResourceId, table: &mut NodeTable) {
    for &id in model.resources[owner].locations.iter().rev() {
        if !acts_on(model, id, resource) {
            continue;
        }
        let location = &model.locations[id];
        for &(node, score) in &location.nodes {
            add_to_table(table, node, score, location.discovery);
        }
    }
}
