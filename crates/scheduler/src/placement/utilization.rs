//! Capacity of nodes and demand of resources (rule 2.14). Does nothing with `placement-strategy=default`.

use super::colocation::{this_with, with_this};
use super::{choose_node, tables};
use crate::model::{
    Attributes, Cause, ColocationId, Id, Model, Name, NodeEntry, NodeId, ResourceId, ResourceKind,
};
use crate::state;
use cib::options::PlacementStrategy;
use cib::value::{Role, Score, parse_integer};
use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::cmp::Ordering;

/// Amounts by attribute, clipped to 32 bits.
pub type Amounts = IndexMap<Name, i32, FxBuildHasher>;

/// What is left on each node, by index.
pub type Capacity = Vec<Amounts>;

/// Whether capacities count at all (rule 2.14.1).
pub fn is_on(model: &Model) -> bool {
    model.options.placement_strategy != PlacementStrategy::Default
}

/// Rule 2.14.2.
fn amounts(attributes: &Attributes) -> Amounts {
    attributes.iter().map(|(name, text)| (name.clone(), clipped(parse_integer(text).unwrap_or(0)))).collect()
}

fn clipped(value: i64) -> i32 {
    value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// Reads the capacities at the start of placement.
pub fn begin(model: &mut Model) {
    model.placement.capacity = model.nodes.values().map(|node| amounts(&node.utilization)).collect();
    // without a strategy amounts count for nothing, but what is left is shown all the same (rule 2.12.10)
    model.placement.demands = match is_on(model) || model.plan_options.show_utilization {
        true => model.resources.values().map(|resource| amounts(&resource.utilization)).collect(),
        false => Vec::new(),
    };
}

/// What is free on `node` now.
pub fn capacity<'m>(model: &'m Model, node: NodeId) -> Option<&'m Amounts> {
    model.placement.capacity.get(node.index())
}

/// What a primitive needs.
fn demand_of<'m>(model: &'m Model, resource: ResourceId) -> impl Iterator<Item = (&'m Name, i32)> {
    let demand = model.placement.demands.get(resource.index());
    demand.into_iter().flatten().map(|(name, amount)| (name, *amount))
}

/// Rule 2.14.6.
pub fn consume(model: &mut Model, resource: ResourceId, node: NodeId) {
    change(model, resource, node, -1);
}

/// Undoes [`consume`].
pub fn give_back(model: &mut Model, resource: ResourceId, node: NodeId) {
    change(model, resource, node, 1);
}

fn change(model: &mut Model, resource: ResourceId, node: NodeId, sign: i64) {
    let extra = &mut model.placement;
    let (Some(demand), Some(capacity)) =
        (extra.demands.get(resource.index()), extra.capacity.get_mut(node.index()))
    else {
        return;
    };
    for (name, amount) in demand {
        let free = capacity.entry(name.clone()).or_default();
        *free = clipped(i64::from(*free) + sign * i64::from(*amount));
    }
}

/// Which of two nodes has more free capacity: `Greater` if `a` has (rule 2.14.7). Not transitive.
pub fn compare_capacity(model: &Model, a: NodeId, b: NodeId) -> Ordering {
    let (Some(free_a), Some(free_b)) = (capacity(model, a), capacity(model, b)) else {
        return Ordering::Equal;
    };
    let amount = |of: &Amounts, name: &Name| of.get(name).copied().unwrap_or(0);
    let names = free_a.keys().chain(free_b.keys().filter(|name| !free_a.contains_key(*name)));
    let balance: i32 = names
        .map(|name| match amount(free_a, name).cmp(&amount(free_b, name)) {
            Ordering::Greater => 1,
            Ordering::Less => -1,
            Ordering::Equal => 0,
        })
        .sum();
    balance.cmp(&0)
}

/// Rule 2.14.5: bans nodes that are too small for what must go together, else for the resource alone;
/// in the second case the roomiest node is returned.
pub fn ban_small_nodes(model: &mut Model, resource: ResourceId) -> Option<NodeId> {
    if !is_on(model) {
        return None;
    }
    let usable: Vec<NodeId> = choose_node::in_iteration_order(model, &model.resources[resource].allowed)
        .iter()
        .filter(|entry: &&NodeEntry| tables::is_usable(model, entry))
        .map(|entry| entry.node)
        .collect();
    let set = colocated_set(model, resource);
    let demand = demand_of_set(model, &set);
    let mut too_small: Vec<NodeId> =
        usable.iter().copied().filter(|node| !has_room(model, *node, &demand)).collect();
    let mut roomiest = None;
    if too_small.len() == usable.len() {
        roomiest = roomiest_of(model, &usable);
        let own = demand_of(model, resource).map(|(name, amount)| (name.clone(), amount)).collect();
        too_small = usable.iter().copied().filter(|node| !has_room(model, *node, &own)).collect();
    }
    for node in too_small {
        tables::add_to_entry(model, resource, node, Score::MINUS_INFINITY, Cause::Utilization(resource));
    }
    roomiest
}

/// The first usable node that no other one strictly beats, by a running comparison.
fn roomiest_of(model: &Model, usable: &[NodeId]) -> Option<NodeId> {
    let mut roomiest = *usable.first()?;
    for &node in &usable[1..] {
        if compare_capacity(model, node, roomiest) == Ordering::Greater {
            roomiest = node;
        }
    }
    Some(roomiest)
}

fn has_room(model: &Model, node: NodeId, demand: &Amounts) -> bool {
    capacity(model, node).is_some_and(|free| {
        demand.iter().all(|(name, amount)| *amount <= free.get(name).copied().unwrap_or(0))
    })
}

/// Resources that must share the node (rule 2.14.3), in order of discovery.
#[derive(Default)]
struct ColocatedSet {
    members: Vec<ResourceId>,
    known: FxHashSet<ResourceId>,
    /// Groups that are only followed.
    followed: FxHashSet<ResourceId>,
}

impl ColocatedSet {
    fn add(&mut self, resource: ResourceId) {
        if self.known.insert(resource) {
            self.members.push(resource);
        }
    }
    fn contains(&self, resource: ResourceId) -> bool {
        self.known.contains(&resource)
    }
}

fn colocated_set(model: &Model, resource: ResourceId) -> ColocatedSet {
    let mut set = ColocatedSet::default();
    follow(model, resource, resource, &mut set);
    set
}

fn follow(model: &Model, resource: ResourceId, origin: ResourceId, set: &mut ColocatedSet) {
    if set.contains(resource) {
        return;
    }
    match &model.resources[resource].kind {
        ResourceKind::Group(group) if !(group.colocated || is_cloned(model, resource)) => {
            if set.followed.insert(resource) {
                follow_links(model, resource, origin, set);
            }
        }
        ResourceKind::Group(_) => {
            set.add(resource);
            for &member in &model.resources[resource].children {
                follow(model, member, origin, set);
            }
            follow_links(model, resource, origin, set);
        }
        _ => {
            set.add(resource);
            follow_links(model, resource, origin, set);
        }
    }
}

/// Follows the colocations of one member of the set to the resources on their other sides.
fn follow_links(model: &Model, resource: ResourceId, origin: ResourceId, set: &mut ColocatedSet) {
    for id in this_with(model, resource) {
        let primary = model.colocations[id].primary;
        if primary != origin && binds(model, id) {
            follow(model, primary, origin, set);
        }
    }
    for id in with_this(model, resource) {
        let dependent = model.colocations[id].dependent;
        let clone_beside = model.resources[resource].is_clone() && !model.resources[dependent].is_clone();
        if dependent != origin && !clone_beside && binds(model, id) {
            follow(model, dependent, origin, set);
        }
    }
}

/// A mandatory colocation whose roles allow an effect on locations (rule 2.17.1 d).
fn binds(model: &Model, id: ColocationId) -> bool {
    let colocation = &model.colocations[id];
    let fits = |wanted: Role, resource: ResourceId| {
        wanted == Role::Unknown || wanted == state::role(model, resource, false)
    };
    colocation.score.is_infinite()
        && fits(colocation.dependent_role, colocation.dependent)
        && fits(colocation.primary_role, colocation.primary)
}

fn is_cloned(model: &Model, group: ResourceId) -> bool {
    model.resources[group].parent.is_some_and(|parent| model.resources[parent].is_clone())
}

/// Rule 2.14.4.
fn demand_of_set(model: &Model, set: &ColocatedSet) -> Amounts {
    let mut demand = Amounts::default();
    for &member in &set.members {
        if model.resources[member].provisional {
            add_demand(model, member, set, &mut demand);
        }
    }
    demand
}

fn add_demand(model: &Model, resource: ResourceId, set: &ColocatedSet, demand: &mut Amounts) {
    let it = &model.resources[resource];
    match &it.kind {
        ResourceKind::Primitive(_) => {
            for (name, amount) in demand_of(model, resource) {
                let sum = demand.entry(name.clone()).or_default();
                *sum = clipped(i64::from(*sum) + i64::from(amount));
            }
        }
        ResourceKind::Group(group) => {
            let all = group.colocated || is_cloned(model, resource);
            let count = if all { it.children.len() } else { 1 };
            for &member in it.children.iter().take(count) {
                if model.resources[member].provisional && !set.contains(member) {
                    add_demand(model, member, set, demand);
                }
            }
        }
        ResourceKind::Clone(_) => add_demand_of_clone(model, resource, set, demand),
        ResourceKind::Bundle(bundle) => {
            if let Some(replica) = bundle.replicas.first() {
                add_demand(model, replica.container, set, demand);
            }
        }
    }
}

fn add_demand_of_clone(model: &Model, clone: ResourceId, set: &ColocatedSet, demand: &mut Amounts) {
    let instances = &model.resources[clone].children;
    let mut found = false;
    for &instance in instances {
        if set.contains(instance) {
            found = true;
        } else if model.resources[instance].children.iter().any(|member| set.contains(*member)) {
            add_demand(model, instance, set, demand);
            found = true;
        }
    }
    if let Some(&first) = instances.first().filter(|_| !found) {
        add_demand(model, first, set, demand);
    }
}
