//! Which actions enter the graph, and which of their inputs become triggers (rules 3.41.1, 3.42).

use crate::model::{ActionId, Model, Properties, Relation, Task};

/// Properties that let an input go when it cannot run.
const NO_MORE_THAN_SEQUENCE: Properties =
    Properties(Properties::PLAIN.0 | Properties::FIRST_GRAPHS_THEN.0 | Properties::THEN_GRAPHS_FIRST.0);

/// Whether the action may be executed at all and its resource is managed (rule 3.41.1).
pub(crate) fn enters(model: &Model<'_>, action: ActionId) -> bool {
    let action = &model.actions[action];
    if !action.runnable || (action.optional && !action.force_graphed) {
        return false;
    }
    let unmanaged = action.resource.is_some_and(|resource| !model.resources[resource].managed);
    let recurs = action.meta.get("interval").is_some_and(|interval| &**interval != "0");
    if unmanaged && action.task != Task::Monitor && !recurs {
        return false;
    }
    if action.pseudo || matches!(action.task, Task::Fence | Task::Shutdown) {
        return true;
    }
    let Some(node) = action.node.map(|node| &model.nodes[node]) else { return false };
    action.on_dc || (node.is_guest() && !node.remote_reset) || (node.online && !node.unclean)
}

/// Whether an input of `action` becomes a trigger (rules 3.42.1 to 3.42.5, 3.42.9 and 3.42.10). Entries of the same
/// action must be merged before (rule 3.56.2).
pub(crate) fn would_trigger(model: &Model<'_>, action: ActionId, input: &Relation) -> bool {
    let first = &model.actions[input.action];
    let properties = input.properties;
    let stops = first.task == Task::Stop && first.interval == 0;
    if properties.is_empty() {
        return false;
    }
    if !first.runnable
        && (properties.without(NO_MORE_THAN_SEQUENCE).is_empty()
            || properties.shares(Properties::MINIMUM_RUNNABLE | Properties::THEN_GATES_FIRST))
    {
        return false;
    }
    if first.migratable
        && (properties.has(Properties::UNLESS_FIRST_MIGRATES) || (properties == Properties::PLAIN && stops))
    {
        return false;
    }
    if properties == Properties::LOAD {
        return holds_load(model, action, input);
    }
    if properties == Properties::AVOID {
        let then = &model.actions[action];
        let apart = first.node.zip(then.node).is_some_and(|(first, then)| first != then);
        return !apart && !first.optional;
    }
    if stops && is_lost_elsewhere(model, action, input.action) {
        return false;
    }
    !first.optional || first.force_graphed || first.in_graph || enters(model, input.action)
}

/// Rule 3.42.6.
fn holds_load(model: &Model<'_>, action: ActionId, input: &Relation) -> bool {
    let (first, then) = (&model.actions[input.action], &model.actions[action]);
    if then.task == Task::MigrateTo {
        let assigned = then.resource.and_then(|resource| model.resources[resource].assigned);
        return first.node.is_some() && first.node == assigned;
    }
    first.node == then.node && !first.optional
}

/// Rule 3.42.8: a failed unmanaged resource never stops; clones do not wait for it.
fn is_lost_elsewhere(model: &Model<'_>, action: ActionId, first: ActionId) -> bool {
    let (first, then) = (model.actions[first].resource, model.actions[action].resource);
    let Some(lost) = first.map(|resource| &model.resources[resource]) else { return false };
    let in_clone = then.is_some_and(|resource| model.resources[model.top_of(resource)].is_clone());
    first != then && lost.failed && !lost.managed && in_clone
}
