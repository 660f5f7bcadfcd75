//! Equivalents of ordering rules for resources that migrate live (rule 3.33.4).

use super::side_resource;
use crate::model::{Cause, Model, OrderingRule, Properties, ResourceId, Side, Task};

/// One side of a rule, by resource and task.
#[derive(Clone, PartialEq)]
pub(super) struct End {
    resource: ResourceId,
    task: Task,
}

/// The sides of a rule that may need equivalents: two different resources, neither above the other, at
/// least one of which may migrate.
pub(super) fn ends(model: &Model<'_>, first: &Side, then: &Side) -> Option<(End, End)> {
    let first_resource = side_resource(model, first)?;
    let then_resource = side_resource(model, then)?;
    let migrates = |resource: ResourceId| model.resources[resource].allow_migrate;
    if first_resource == then_resource || !(migrates(first_resource) || migrates(then_resource)) {
        return None;
    }
    if model.is_ancestor(first_resource, then_resource) || model.is_ancestor(then_resource, first_resource) {
        return None;
    }
    let first = End { resource: first_resource, task: side_task(model, first)? };
    let then = End { resource: then_resource, task: side_task(model, then)? };
    Some((first, then))
}

/// The task of a one-time side.
fn side_task(model: &Model<'_>, side: &Side) -> Option<Task> {
    let (task, interval) = match side {
        Side::Action(action) => (model.actions[*action].task.clone(), model.actions[*action].interval),
        Side::Key { task, interval, .. } => (task.clone(), *interval),
    };
    (interval == 0).then_some(task)
}

/// Adds the equivalents of a rule between these ends, whatever its properties.
pub(super) fn equivalents(model: &mut Model<'_>, first: End, then: End, cause: Cause) {
    let first_migrates = model.resources[first.resource].allow_migrate;
    let then_migrates = model.resources[then.resource].allow_migrate;
    let partial = model.resources[then.resource].partial_migration_target.is_some();
    let mut add = |first_task: Task, then_task: Task, properties: Properties| {
        model.orderings.push(OrderingRule {
            first: Side::Key { resource: first.resource, task: first_task, interval: 0 },
            then: Side::Key { resource: then.resource, task: then_task, interval: 0 },
            properties,
            cause,
        });
    };
    let plain = Properties::PLAIN;
    let unless_first_migrates =
        if first_migrates { plain | Properties::UNLESS_FIRST_MIGRATES } else { plain };
    match (&first.task, &then.task) {
        (Task::Start, Task::Start) => {
            if first_migrates && then_migrates {
                add(Task::MigrateFrom, Task::MigrateTo, plain);
            }
            if then_migrates {
                add(Task::Start, Task::MigrateTo, unless_first_migrates);
            }
        }
        (Task::Stop, Task::Stop) if then_migrates => {
            add(Task::Stop, Task::MigrateTo, unless_first_migrates);
            if partial {
                add(Task::Stop, Task::MigrateFrom, unless_first_migrates);
            }
        }
        (Task::Promote, Task::Start) if then_migrates => add(Task::Promote, Task::MigrateTo, plain),
        (Task::Demote, Task::Stop) if then_migrates => {
            add(Task::Demote, Task::MigrateTo, plain);
            if partial {
                add(Task::Demote, Task::MigrateFrom, plain);
            }
        }
        _ => {}
    }
}
