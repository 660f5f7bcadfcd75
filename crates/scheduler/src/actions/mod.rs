//! Which actions exist, when each is created, what state it starts in (chapter 3a).
//!
//! Every action takes a number when it is created, also those that nobody will ever see; numbers order
//! the graph. So nothing here may create actions in another order than chapter 3 says, and nothing may
//! depend on the iteration order of a map.
//!
//! [`request`] is the only way to an action of a resource: it returns the one that exists or makes it.

mod collective;
mod digest;
mod fail_count;
pub mod fencing;
mod history;
mod migrate;
pub mod notify;
mod primitive;
mod probe;
mod recurring;
mod request;
mod runnable;
mod settings;
pub mod summary;
mod unfencing;

pub use fail_count::{
    clear_fail_count, clear_shutdown_lock, fail_count_is_being_cleared, order_after_fencing,
};
pub use history::parameters_changed_since_failure;
pub use request::{find, find_all, of_task, pseudo, pseudo_of_resource, request, request_because, require};
pub use runnable::adapt_to_no_node;

use crate::model::{ActionId, Attributes, Index, Model, Name, NodeId, ResourceId, Task};
use std::rc::Rc;

#[cfg(test)]
mod tests;

/// What only this stage keeps in the model.
#[derive(Default)]
pub struct Extra<'a> {
    /// Settings by operation; they do not depend on the node but for fence devices.
    settings: Index<(ResourceId, Task, u32), Rc<settings::Settings>>,
    /// Actions of resources, oldest first.
    by_purpose: Index<request::Purpose, Vec<ActionId>>,
    /// Actions without a resource, by lower-case key.
    by_key: Index<Name, ActionId>,
    /// Shared by all actions whose operation has no parameters of its own.
    no_parameters: Rc<Attributes>,
    /// Comparisons of recorded operations with the configuration (rule 3.15.5).
    digests: Index<(NodeId, ResourceId, Task, u32), Rc<digest::Digests>>,
    /// Pseudo-actions around changes of clones that notify.
    announcements: Index<ResourceId, notify::Announcements>,
    /// What the plan means for people, once it is made.
    pub summary: summary::Summary,
    postponed: Vec<history::Postponed<'a>>,
}

/// Actions that follow from differences between history and configuration (S5).
pub fn check_history(model: &mut Model<'_>) {
    history::check(model);
}

/// What it takes to get every resource to its next role and place (S7).
pub fn create(model: &mut Model<'_>) {
    history::check_postponed(model);
    probe::schedule(model);
    history::forget_removed(model);
    for index in 0..model.top.len() {
        collective::create(model, model.top[index]);
    }
}

/// Takes down what the plan means, once all states of actions are final (S11).
pub fn summarize(model: &mut Model<'_>) {
    model.actions_extra.summary = summary::collect(model);
}

/// Actions of the graph, by number, were taken out of it: they will not be run, and what the plan means is
/// taken down anew.
pub(crate) fn take_back(model: &mut Model<'_>, numbers: impl Iterator<Item = u32>) {
    for action in numbers.filter_map(crate::graph::action_of) {
        model.actions[action].runnable = false;
        model.actions[action].in_graph = false;
    }
    let mut summary = summary::collect(model);
    summary.nodes.retain(|change| model.actions[change.action].in_graph);
    model.actions_extra.summary = summary;
}
