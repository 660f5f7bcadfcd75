//! Where each resource instance goes, and in which role (chapter 2).
//!
//! Three entry points, called in this order with other stages in between:
//!
//! 1. [`unpack_constraints`] (S2) reads the configured constraints, strictly in document order.
//! 2. [`apply_node_criteria`] (S3) prepares every resource's table: locks, locations, stickiness,
//!    failure thresholds, exclusive discovery.
//! 3. [`assign`] (S6) gives every leaf a node (or none) and every promotable instance a role.
//!
//! [`implicit`] holds what the implicit orderings stage (S4) needs of rule 2.11.
//!
//! Placement changes tables, roles and assignments. It must never create actions itself (the ticket
//! policy `fence` and stale shutdown locks ask the actions stage) and never look at action states.

mod bundle;
mod choose_node;
mod clone;
pub mod colocation;
mod criteria;
mod depth;
mod find;
mod group;
mod health;
pub mod implicit;
mod instances;
pub mod iteration;
mod location;
mod output;
mod primitive;
mod promotion;
mod resource_order;
mod sort;
mod tables;
#[cfg(test)]
mod tests;
mod ticket;
pub mod utilization;

use crate::model::{Id, Model, NodeId, ResourceId, ResourceKind};
use cib::config::Constraint;
use cib::value::Score;

pub(crate) use choose_node::in_iteration_order;
pub(crate) use colocation::pairing::has_blocked_part;
pub use promotion::restore_priorities;
pub use tables::{attribute_for, host_of};

/// The nodes of a table, best first (rule 2.13.2).
pub(crate) fn sorted_nodes(model: &Model, table: &crate::model::NodeTable) -> Vec<NodeId> {
    choose_node::sorted(model, table, None)
}

/// What only this stage keeps in the model.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    marks: Vec<Marks>,
    /// Free capacity by node, see [`utilization`].
    capacity: utilization::Capacity,
    /// What each resource needs, by index; empty where capacities do not count.
    demands: Vec<utilization::Amounts>,
    effects: colocation::effects::Effects,
    progress: colocation::preferences::Progress,
    /// How often a bundle was asked for from inside its own placement.
    nested_bundles: u32,
}

/// Placement's notes about one resource.
#[derive(Clone, Debug, Default)]
struct Marks {
    /// Is a source of the merge that is going on (loop guard of rule 2.18.3).
    merging: bool,
    /// The last merge that had it as a source.
    last_merge: u32,
    /// How many placements of this bundle are going on, each asked for by the one before.
    nesting: u16,
    /// A promotable clone whose promotion sorting has begun (rule 2.16.8).
    promotion_sorting: bool,
    /// The score of the entry at the moment the resource was put on its node (rule 2.17.6 a).
    assigned_score: Score,
    /// Constraint role Promoted of a ticket that bans promotion while it is lost (rule 2.8.3).
    promotion_tickets: Vec<crate::model::TicketId>,
}

impl Extra {
    fn marks(&self, resource: ResourceId) -> Option<&Marks> {
        self.marks.get(resource.index())
    }
    /// The table of `resource` has changed.
    pub(crate) fn table_changed(&mut self, resource: ResourceId) {
        self.effects.forget(resource);
    }
    /// Something that counts for merges has changed and is not a table: availability of a node, lists.
    fn surroundings_changed(&mut self) {
        self.effects.clear();
    }
    fn marks_mut(&mut self, resource: ResourceId) -> &mut Marks {
        if self.marks.len() <= resource.index() {
            self.marks.resize_with(resource.index() + 1, Marks::default);
        }
        &mut self.marks[resource.index()]
    }
}

/// Whether a placement is for good, or an attempt that may be undone (rules 2.3.5, 2.20.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Finality {
    Final,
    Tentative,
}

/// S2: node health, then the constraints section in document order (rules 2.7, 2.8, 2.9, 2.15).
pub fn unpack_constraints(model: &mut Model) {
    health::record(model);
    let constraints = &model.cib.configuration.constraints;
    for (index, constraint) in constraints.iter().enumerate() {
        let source = index as u32;
        match constraint {
            Constraint::Location(location) => location::unpack(model, source, location),
            Constraint::Colocation(colocation) => colocation::unpack(model, source, colocation),
            Constraint::Order(order) => crate::ordering::constraints::unpack(model, order, source),
            Constraint::Ticket(ticket) => ticket::unpack(model, ticket),
        }
    }
}

/// S3: everything that prepares the tables before placement (rules 2.9.10, 2.10).
pub fn apply_node_criteria(model: &mut Model) {
    criteria::apply_shutdown_locks(model);
    location::apply_all(model);
    criteria::apply_stickiness(model);
    criteria::apply_thresholds_and_discovery(model);
}

/// S6: gives every resource its node and role (rules 2.3, 2.12–2.25).
pub fn assign(model: &mut Model) {
    utilization::begin(model);
    model.placement.surroundings_changed();
    resource_order::sort(model);
    output::capacities(model, "Original");
    let mut depth = depth::Depth::new(model);
    place_connections(model, &mut depth);
    for resource in model.top.clone() {
        if !is_top_connection(model, resource) {
            depth.shorten(model, resource);
            place(model, resource, None, Finality::Final);
        }
    }
    output::capacities(model, "Remaining");
}

/// Rule 2.3.3: connections first, each preferring the target of its unfinished migration.
fn place_connections(model: &mut Model, depth: &mut depth::Depth) {
    if !model.have_remote_nodes {
        return;
    }
    for resource in model.top.clone() {
        if is_top_connection(model, resource) {
            let target = model.resources[resource].partial_migration_target;
            depth.shorten(model, resource);
            place(model, resource, target, Finality::Final);
        }
    }
}

fn is_top_connection(model: &Model, resource: ResourceId) -> bool {
    model.have_remote_nodes && model.resources[resource].is_remote_connection
}

/// Places any resource; the node it got, if it is one that gets one (rules 2.12.2, 2.19.2, 2.20.14).
fn place(
    model: &mut Model,
    resource: ResourceId,
    preferred: Option<NodeId>,
    finality: Finality,
) -> Option<NodeId> {
    match &model.resources[resource].kind {
        ResourceKind::Primitive(_) => primitive::place(model, resource, preferred, finality),
        ResourceKind::Group(_) => group::place(model, resource, preferred, finality),
        ResourceKind::Clone(_) => {
            clone::place(model, resource, preferred, finality);
            None
        }
        ResourceKind::Bundle(_) => {
            bundle::place(model, resource, preferred, finality);
            None
        }
    }
}
