//! From ordering rules to relations (rule 3.22).

use super::relate_because;
use crate::model::{ActionId, Model, OrderingRule, Properties, ResourceId, Side, Task};
use cib::value::Role;

/// Makes the relations of all rules, in creation order. Placeholders made on the way do not add rules.
pub(super) fn relate_all(model: &mut Model<'_>) {
    for index in 0..model.orderings.len() {
        let rule = model.orderings[index].clone();
        relate_rule(model, &rule);
    }
}

fn relate_rule(model: &mut Model<'_>, rule: &OrderingRule) {
    for first in firsts(model, rule) {
        let properties = properties_from(model, rule, first);
        for then in actions_of(model, &rule.then) {
            relate_because(model, first, then, properties, rule.cause);
        }
    }
}

/// The first actions, oldest first; a placeholder if there is none (rule 3.22.3).
fn firsts(model: &mut Model<'_>, rule: &OrderingRule) -> Vec<ActionId> {
    let found = actions_of(model, &rule.first);
    if !found.is_empty() {
        return found;
    }
    let Side::Key { resource, task, interval } = &rule.first else { return Vec::new() };
    let same = super::side_resource(model, &rule.then) == Some(*resource);
    if same || is_done_already(model, *resource, task) {
        return Vec::new();
    }
    vec![crate::actions::request(model, *resource, task.clone(), *interval, None, true)]
}

fn is_done_already(model: &Model<'_>, resource: ResourceId, task: &Task) -> bool {
    match task {
        Task::Stop => crate::state::role(model, resource, true) == Role::Stopped,
        Task::Demote => crate::state::role(model, resource, true) == Role::Unpromoted,
        _ => false,
    }
}

/// The end of a migration does not pull the start that it was for (rule 3.22.4).
fn properties_from(model: &Model<'_>, rule: &OrderingRule, first: ActionId) -> Properties {
    let first = &model.actions[first];
    let same = first.resource.is_some() && first.resource == super::side_resource(model, &rule.then);
    if same && first.migration_abort {
        rule.properties.without(Properties::FIRST_PULLS_THEN)
    } else {
        rule.properties
    }
}

/// The actions that a side stands for, oldest first.
pub(super) fn actions_of(model: &Model<'_>, side: &Side) -> Vec<ActionId> {
    match side {
        Side::Action(action) => vec![*action],
        Side::Key { resource, task, interval } => {
            let found: Vec<ActionId> = crate::actions::of_task(model, *resource, task, *interval).collect();
            // a key that ends in `lrm_delete` is read as one of task `delete` (rules 3.2.3, 3.22.2)
            if found.is_empty() && *task == Task::LrmDelete {
                return crate::actions::of_task(model, *resource, &Task::Delete, *interval).collect();
            }
            found
        }
    }
}
