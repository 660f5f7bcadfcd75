//! Disables relations that cannot hold (rule 3.36).

use fixedbitset::FixedBitSet;

use crate::graph::triggers;
use crate::model::{ActionId, Id, Model, Properties, Severity, Task};

pub(super) fn disable(model: &mut Model<'_>) {
    let ids: Vec<ActionId> = model.actions.ids().rev().collect();
    for action in ids {
        for index in (0..model.actions[action].inputs.len()).rev() {
            let input = model.actions[action].inputs[index];
            let disabled = waits_for_own_guest(model, action, input.action, input.properties)
                || (input.properties == Properties::LOAD
                    && model.actions[action].task == Task::MigrateTo
                    && closes_cycle(model, action, input.action));
            if disabled {
                model.actions[action].inputs[index].properties = Properties::NONE;
            }
        }
    }
}

/// Rule 3.36.1: something that launches a guest node cannot wait for a resource that runs on that node.
fn waits_for_own_guest(
    model: &mut Model<'_>,
    action: ActionId,
    input: ActionId,
    properties: Properties,
) -> bool {
    let launches = || {
        model.actions[input].resource?;
        let connection = model.nodes[model.actions[input].node?].connection?;
        let launcher = model.resources[connection].launcher?;
        (model.actions[action].resource == Some(launcher)).then_some(launcher)
    };
    if properties.is_empty() || properties.has(Properties::GUEST_ALLOWED) {
        return false;
    }
    let Some(launcher) = launches() else { return false };
    let text = format!(
        "Invalid ordering constraint between {} and {}: the first runs inside the second",
        model.actions[input].key, model.resources[launcher].id
    );
    model.notice(Severity::ConfigurationWarning, text, None);
    true
}

/// Whether `action` is among what `input` waits for in the graph to be (rule 3.36.2).
fn closes_cycle(model: &Model<'_>, action: ActionId, input: ActionId) -> bool {
    let mut seen = FixedBitSet::with_capacity(model.actions.len());
    let mut open = vec![input];
    while let Some(at) = open.pop() {
        if at == action {
            return true;
        }
        if seen.put(at.index()) {
            continue;
        }
        for relation in &model.actions[at].inputs {
            if triggers::would_trigger(model, at, relation) {
                open.push(relation.action);
            }
        }
    }
    false
}
