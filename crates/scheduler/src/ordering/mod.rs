//! Relations between actions and their effects on states (chapter 3b).
//!
//! Two levels: an ordering *rule* ([`order`]) names sides that may not exist yet; a *relation*
//! ([`relate`]) connects two actions. Rules become relations in [`apply`], which then lets the states of
//! actions influence each other until nothing changes.
//!
//! The order in which rules are made and actions are visited is observable; nothing here may depend on
//! the iteration order of a map.

pub mod constraints;
mod effects;
pub mod fencing;
pub mod implicit;
mod interleave;
mod invalid;
mod migration;
mod probes;
mod propagate;
pub mod remote;
mod rules;
pub(crate) mod summary;

use crate::model::{
    ActionId, Cause, Index, Model, NodeId, OrderingRule, Properties, Relation, ResourceId, Side,
};

/// What only this stage keeps in the model.
#[derive(Default)]
pub struct Extra {
    /// All properties of the entries between two actions, so that a duplicate is found without a search
    /// through thousands of followers (rule 3.20.3).
    between: Index<(ActionId, ActionId), Properties>,
    /// Counts changes of states, so that summaries of large collectives are made again only after one.
    changes: u64,
    /// Summaries by action and node, with the count of changes they belong to; kept while states propagate.
    summaries: Option<Index<(ActionId, Option<NodeId>), (u64, summary::States)>>,
    /// How many members and instances were looked at for summaries.
    looked_at: usize,
    /// How many members of groups states were carried to.
    pub(crate) members_tried: usize,
    /// Actions whose states never settle, by index: they are blocked and not visited again.
    unsettled: std::collections::BTreeSet<ActionId>,
}

/// Records an ordering rule and, right after it, its equivalents for live migration (rules 3.20.1, 3.25.11).
pub fn order(model: &mut Model<'_>, first: Side, then: Side, properties: Properties, cause: Cause) {
    let ends = migration::ends(model, &first, &then);
    model.orderings.push(OrderingRule { first, then, properties, cause });
    if let Some((first, then)) = ends {
        migration::equivalents(model, first, then, cause);
    }
}

/// Relates two actions: `then` after `first`, for the sake of `first`. Returns whether an entry was added: none is for an empty set,
/// for an action with itself, and where an entry with a shared property exists (rule 3.20.3).
pub fn relate(model: &mut Model<'_>, first: ActionId, then: ActionId, properties: Properties) -> bool {
    relate_because(model, first, then, properties, Cause::Action(first))
}

/// [`relate`], for a reason of its own.
fn relate_because(
    model: &mut Model<'_>,
    first: ActionId,
    then: ActionId,
    properties: Properties,
    cause: Cause,
) -> bool {
    if properties.is_empty() || first == then {
        return false;
    }
    let known = model.ordering.between.entry((first, then)).or_default();
    if known.shares(properties) {
        return false;
    }
    *known |= properties;
    model.reasons.relation(first, then, cause);
    model.actions[first].followers.push(Relation::new(then, properties));
    model.actions[then].inputs.push(Relation::new(first, properties));
    true
}

/// Says that the state of some action was changed while states influence each other.
fn state_changed(model: &mut Model<'_>) {
    model.ordering.changes += 1;
}

/// The resource that a side belongs to.
pub(crate) fn side_resource(model: &Model<'_>, side: &Side) -> Option<ResourceId> {
    match side {
        Side::Action(action) => model.actions[*action].resource,
        Side::Key { resource, .. } => Some(*resource),
    }
}

/// Turns the rules into relations and propagates the states of actions along them (S10, rule 3.22.7).
pub fn apply(model: &mut Model<'_>) {
    rules::relate_all(model);
    let newest_first: Vec<ActionId> = model.actions.ids().rev().collect();
    for action in &newest_first {
        propagate::block_colocated(model, *action);
    }
    probes::order(model);
    model.ordering.summaries = Some(Index::default());
    for action in newest_first {
        propagate::visit(model, action);
    }
    model.ordering.summaries = None;
    invalid::disable(model);
}
