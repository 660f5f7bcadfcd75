//! Live migration instead of stop and start (rule 3.12).

use super::request::request;
use crate::model::{ActionId, Cause, Model, NodeId, Properties, ResourceId, Side, Task};

/// Whether `resource` may leave `current` alive (rule 3.12.1).
pub(super) fn is_allowed(model: &Model<'_>, resource: ResourceId, current: NodeId) -> bool {
    let it = &model.resources[resource];
    let Some(assigned) = it.assigned else { return false };
    it.allow_migrate
        && it.managed
        && !it.failed
        && !it.start_pending
        && !model.nodes[current].unclean
        && !model.nodes[assigned].unclean
}

/// Adds the migration; start and stop stay as fallback until all of it is known to be possible.
pub(super) fn create(model: &mut Model<'_>, resource: ResourceId, current: NodeId) {
    let it = &model.resources[resource];
    let Some(assigned) = it.assigned else { return };
    let is_half_done = it.partial_migration_target.is_some();
    let start = request(model, resource, Task::Start, 0, Some(assigned), true);
    let stop = request(model, resource, Task::Stop, 0, Some(current), true);
    let push = (!is_half_done).then(|| request(model, resource, Task::MigrateTo, 0, Some(current), true));
    let pull = request(model, resource, Task::MigrateFrom, 0, Some(assigned), true);
    model.actions[push.unwrap_or(pull)].requires = model.actions[start].requires;
    for action in [Some(start), Some(stop), push, Some(pull)].into_iter().flatten() {
        model.actions[action].migratable = true;
    }
    model.actions[start].pseudo = true;
    order(model, resource, is_half_done);
    describe(model, pull, current, assigned);
    if let Some(push) = push {
        describe(model, push, current, assigned);
        if !model.resources[resource].is_remote_connection {
            model.actions[push].set_meta("record-pending", "true");
        }
    }
}

/// Rule 3.33.1.
fn order(model: &mut Model<'_>, resource: ResourceId, is_half_done: bool) {
    let gated = Properties::PLAIN | Properties::THEN_GATES_FIRST;
    if is_half_done {
        rule(model, resource, Task::Monitor, Task::MigrateFrom, Properties::PLAIN);
    } else {
        rule(model, resource, Task::Monitor, Task::MigrateTo, Properties::PLAIN);
        rule(model, resource, Task::MigrateTo, Task::MigrateFrom, gated);
    }
    rule(model, resource, Task::MigrateFrom, Task::Stop, gated);
    rule(model, resource, Task::MigrateFrom, Task::Start, gated | Properties::FIRST_ELSE_REAL);
}

fn rule(model: &mut Model<'_>, resource: ResourceId, first: Task, then: Task, properties: Properties) {
    let (first, then) = (Side::task(resource, first), Side::task(resource, then));
    crate::ordering::order(model, first, then, properties, Cause::Transition(resource));
}

fn describe(model: &mut Model<'_>, action: ActionId, source: NodeId, target: NodeId) {
    let (source, target) = (model.nodes[source].name.clone(), model.nodes[target].name.clone());
    let action = &mut model.actions[action];
    action.set_meta("migrate_source", source);
    action.set_meta("migrate_target", target);
}
