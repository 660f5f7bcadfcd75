//! Clones and their instances (rule 1.9.7).

use super::resources::{self, Blueprint, BlueprintKind, Position};
use super::running::{Place, first_node_of};
use crate::model::{Agent, CloneSettings, Model, Name, NodeId, Resource, ResourceId, ResourceKind, Severity};
use cib::value;
use rustc_hash::FxHashSet;

/// Agents of this class can run several times on one node with different states (rule 1.9.7.5).
fn can_be_unique(agent: &Agent) -> bool {
    agent.class.eq_ignore_ascii_case("ocf") || agent.class.eq_ignore_ascii_case("stonith")
}

/// Agents of this class know promotion (rule 1.9.7.5).
fn can_be_promotable(agent: &Agent) -> bool {
    agent.class.eq_ignore_ascii_case("ocf")
}

/// More instances than a clone of any cluster has; a slip in `clone-max` must not take the cluster down.
/// A cluster with more nodes than this may have an instance on each.
const MOST_INSTANCES: i32 = 1_000;

/// More resources, instances counted, than any cluster has: where they are reached, collectives get no more
/// instances. It keeps many large clones in one small document from taking all memory.
const MOST_RESOURCES: usize = 200_000;

/// Creates a clone with its instances; `None` if it is promotable and something inside cannot be.
pub(super) fn create<'a>(
    model: &mut Model<'a>,
    plan: &Blueprint<'a>,
    inner: &Blueprint<'a>,
    position: Position,
) -> Option<ResourceId> {
    let mut clone = resources::settle(model, plan, position, ResourceKind::Clone(unsettled()));
    let agents = inner.agents();
    if clone.promotable && !agents.iter().all(|agent| can_be_promotable(agent)) {
        return None;
    }
    let nodes = i32::try_from(model.nodes.len()).unwrap_or(i32::MAX);
    let number = |name: &str, old: Option<&str>, default: i32| {
        let text = clone.meta.get(name).or_else(|| clone.meta.get(old?));
        value::non_negative_integer(text.map(|it| &**it), default as u32) as i32
    };
    let mut settings = CloneSettings {
        max: number("clone-max", None, nodes.max(1)),
        node_max: number("clone-node-max", None, 1),
        min: number("clone-min", None, 0),
        ordered: value::is_true(clone.meta.get("ordered").map(|it| &**it)),
        interleave: value::is_true(clone.meta.get("interleave").map(|it| &**it)),
        ..unsettled()
    };
    if clone.promotable {
        settings.promoted_max = number("promoted-max", Some("master-max"), 1);
        settings.promoted_node_max = number("promoted-node-max", Some("master-node-max"), 1);
    }
    if !clone.unique && settings.node_max > 1 {
        settings.node_max = 1;
    }
    let forced_anonymous = clone.unique && !agents.iter().all(|agent| can_be_unique(agent));
    if forced_anonymous {
        clone.unique = false;
        settings.node_max = 1;
        settings.max = settings.max.min(nodes);
        let text = format!("Treating clone '{}' as anonymous because its agent cannot be unique", clone.id);
        model.notice(
            Severity::ConfigurationWarning,
            text,
            Some(model.state.definitions[plan.definition].line),
        );
    }
    clone.meta.entry("resource-stickiness".into()).or_insert_with(|| "1".into());
    clone.meta.insert("globally-unique".into(), if clone.unique { "true".into() } else { "false".into() });
    let room = MOST_RESOURCES.saturating_sub(model.resources.len()) / inner.agents().len().max(1);
    let most = MOST_INSTANCES.max(nodes).min(i32::try_from(room).unwrap_or(i32::MAX));
    if settings.max > most {
        let text = format!("Limiting clone '{}' to {most} instances, not {}", clone.id, settings.max);
        settings.max = most;
        model.notice(Severity::ConfigurationError, text, Some(model.state.definitions[plan.definition].line));
    }
    let count = settings.max;
    clone.kind = ResourceKind::Clone(settings);
    let id = resources::add(model, clone);
    model.state.instances_of.insert(id, Instances { plan: inner.clone(), forced_anonymous });
    if count == 0 {
        add_instance(model, id);
    }
    for _ in 0..count {
        add_instance(model, id);
    }
    Some(id)
}

fn unsettled() -> CloneSettings {
    CloneSettings {
        max: 0,
        node_max: 1,
        min: 0,
        ordered: false,
        interleave: false,
        promoted_max: 0,
        promoted_node_max: 0,
        promoted_count: 0,
        total: 0,
        merged_promoted_scores: false,
        promotion_scores_computed: false,
    }
}

/// How to make another instance of a clone.
#[derive(Clone)]
pub struct Instances<'a> {
    plan: Blueprint<'a>,
    /// The configuration says unique, but the agent cannot be.
    forced_anonymous: bool,
}

/// Creates the instance with the next number; a surplus one is removed (rule 1.9.7.4).
pub(super) fn add_instance(model: &mut Model, clone: ResourceId) -> Option<ResourceId> {
    let Instances { plan, forced_anonymous } = model.state.instances_of.get(&clone)?.clone();
    let settings = model.resources[clone].clone_settings()?;
    let (number, surplus) = (settings.total, settings.total >= settings.max);
    let position = Position { parent: Some(clone), instance: Some(number) };
    let instance = resources::create(model, &plan, position)?;
    if let Some(settings) = model.resources[clone].clone_settings_mut() {
        settings.total += 1;
    }
    if surplus {
        for_all_parts(model, instance, &|it| it.removed = true);
    }
    if forced_anonymous {
        force_anonymous(model, clone, instance);
    }
    model.resources[clone].children.push(instance);
    Some(instance)
}

/// The reference notices an agent that cannot be unique while it makes an instance, and then takes back
/// the uniqueness of all earlier ones: of the newest instance only such agents' resources are anonymous.
fn force_anonymous(model: &mut Model, clone: ResourceId, newest: ResourceId) {
    for earlier in model.resources[clone].children.clone() {
        for_all_parts(model, earlier, &|it| it.unique = false);
    }
    for_all_parts(model, newest, &|it| it.unique &= it.agent().is_none_or(can_be_unique));
}

fn for_all_parts(model: &mut Model, resource: ResourceId, change: &dyn Fn(&mut Resource)) {
    change(&mut model.resources[resource]);
    for child in model.resources[resource].children.clone() {
        for_all_parts(model, child, change);
    }
}

/// Whether the clone may have an instance on every node (rule 1.9.7.7).
pub fn is_universal(model: &Model, clone: ResourceId) -> bool {
    model.resources[clone].clone_settings().is_some_and(|it| usize::try_from(it.max) == Ok(model.nodes.len()))
}

/// The member of `instance` (itself, or one of a cloned group) whose configured id is `base`.
fn member(model: &Model, instance: ResourceId, base: &str) -> Option<ResourceId> {
    let it = &model.resources[instance];
    if *it.configured_id == *base {
        return Some(instance);
    }
    it.children.iter().find_map(|child| member(model, *child, base))
}

/// Rule 1.11.4: which instance's member a history entry of an anonymous clone on `node` belongs to.
/// Makes a new instance if none is free.
pub(super) fn instance_for(
    model: &mut Model,
    clone: ResourceId,
    base: &str,
    node: NodeId,
) -> Option<ResourceId> {
    note_settled(model, clone);
    let chosen = existing_instance(model, clone, base, node);
    if let Some(member) = chosen.filter(|member| !is_discarded(model, clone, *member, node)) {
        return Some(member);
    }
    let instance = add_instance(model, clone)?;
    member(model, instance, base)
}

/// The first instances of a clone of a primitive, all of which are active: history has told where they are,
/// and nothing takes that back.
#[derive(Default)]
pub(super) struct Settled {
    count: usize,
    nodes: FxHashSet<NodeId>,
}

/// Counts instances that have become active, so that many of them are not looked at for each history.
fn note_settled(model: &mut Model, clone: ResourceId) {
    let settled = model.state.settled.entry(clone).or_default();
    let instances = &model.resources[clone].children;
    for instance in instances.iter().skip(settled.count) {
        let it = &model.resources[*instance];
        let Some(node) = it.active_on.first().filter(|_| it.is_primitive()) else { break };
        settled.nodes.insert(*node);
        settled.count += 1;
    }
}

fn existing_instance(model: &Model, clone: ResourceId, base: &str, node: NodeId) -> Option<ResourceId> {
    let mut inactive = None;
    let instances = &model.resources[clone].children;
    let (settled, second) = match model.state.settled.get(&clone) {
        Some(settled) => (settled.count, settled.nodes.contains(&node)),
        None => (0, false),
    };
    let same_name = instances.first().is_some_and(|first| *model.resources[*first].configured_id == *base);
    let mut use_inactive = !(second && same_name);
    for &instance in &instances[settled..] {
        if let Some(location) = first_node_of(model, instance, Place::CurrentOrPending) {
            if location != node {
                continue;
            }
            let Some(member) = member(model, instance, base) else { continue };
            if !model.resources[member].active_on.is_empty() {
                // a second entry for the same primitive on this node
                use_inactive = false;
                continue;
            }
            return Some(member);
        }
        if inactive.is_none() && use_inactive && !model.resources[instance].blocked {
            inactive = member(model, instance, base)
                .filter(|it| model.resources[*it].pending_node.is_none_or(|pending| pending == node));
        }
    }
    inactive.filter(|_| use_inactive)
}

/// An instance that does not need fencing is not taken for a lost node.
fn is_discarded(model: &Model, clone: ResourceId, member: ResourceId, node: NodeId) -> bool {
    let at = &model.nodes[node];
    !model.resources[member].needs_fencing()
        && (!at.online || at.unclean)
        && !at.is_guest()
        && !is_universal(model, clone)
}

/// A history id without its instance number (`p:3` → `p`).
pub fn base_name(id: &str) -> &str {
    match id.rsplit_once(':') {
        Some((base, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            base
        }
        _ => id,
    }
}

/// The primitive inside a clone, as configured: the child's id, without instance number.
pub fn child_id(model: &Model, clone: ResourceId) -> Option<Name> {
    model.resources[clone].children.first().map(|child| model.resources[*child].configured_id.clone())
}

/// Whether `plan` is a clone that can take its part in a bundle.
pub(super) fn wrapped<'a>(id: Name, definition: usize, inner: Blueprint<'a>) -> Blueprint<'a> {
    Blueprint { id, definition, kind: BlueprintKind::Clone(Box::new(inner)) }
}
