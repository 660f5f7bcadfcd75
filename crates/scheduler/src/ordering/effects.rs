//! What one property of a relation does to the states of its two actions (rules 3.24.3 to 3.24.9).

use super::summary::{self, States};
use crate::model::{ActionId, Cause, Model, Properties, ResourceId, Task};
use cib::value::Role;

/// Which sides of a relation changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Changed {
    pub first: bool,
    pub then: bool,
}

impl Changed {
    pub const NONE: Changed = Changed { first: false, then: false };
    pub const BOTH: Changed = Changed { first: true, then: true };

    pub fn add(&mut self, other: Changed) {
        self.first |= other.first;
        self.then |= other.then;
    }
}

/// A state that ordering can take away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Optional,
    Runnable,
    Migratable,
}

/// Applies one property to two actions, not looking at members. `summary` is the state of the first as
/// summarised, which differs from its own for collectives.
pub(super) fn apply(
    model: &mut Model<'_>,
    first: ActionId,
    then: ActionId,
    summary: States,
    property: Properties,
) -> Changed {
    let before = (summary::own(model, first), summary::own(model, then));
    match property {
        Properties::THEN_PULLS_FIRST => then_pulls_first(model, first, then, summary),
        Properties::PROMOTED_PULLS_FIRST => promoted_pulls_first(model, first, then),
        Properties::THEN_GATES_FIRST => then_gates_first(model, first, then),
        Properties::FIRST_ELSE_REAL if !before.0.runnable => {
            clear(model, then, State::Migratable, first);
            model.actions[then].pseudo = false;
        }
        Properties::FIRST_GATES_THEN if before.1.runnable && !summary.runnable => {
            clear(model, then, State::Runnable, first);
            clear(model, then, State::Migratable, first);
        }
        Properties::FIRST_PULLS_THEN if before.1.optional && !summary.optional && !before.0.migratable => {
            clear(model, then, State::Optional, first);
        }
        Properties::RESTART => restart(model, first, then),
        Properties::ASYMMETRIC => asymmetric(model, first, then),
        _ => {}
    }
    Changed { first: before.0 != summary::own(model, first), then: before.1 != summary::own(model, then) }
}

fn then_pulls_first(model: &mut Model<'_>, first: ActionId, then: ActionId, summary: States) {
    if model.actions[then].optional {
        return;
    }
    if !summary.optional {
        clear(model, first, State::Optional, then);
    }
    if summary.migratable && !model.actions[then].migratable {
        clear(model, first, State::Migratable, then);
    }
}

fn promoted_pulls_first(model: &mut Model<'_>, first: ActionId, then: ActionId) {
    let promoted = (model.actions[then].resource)
        .is_some_and(|resource| model.resources[resource].current_role == Role::Promoted);
    if !promoted || model.actions[then].optional {
        return;
    }
    clear(model, first, State::Optional, then);
    if !model.actions[then].migratable {
        clear(model, first, State::Migratable, then);
    }
}

fn then_gates_first(model: &mut Model<'_>, first: ActionId, then: ActionId) {
    if !(model.actions[then].migratable && model.actions[then].runnable) {
        clear(model, first, State::Runnable, then);
    }
    if !model.actions[then].optional {
        clear(model, first, State::Optional, then);
    }
}

/// Rule 3.24.8: a start that is required, or cannot be, makes its stop happen.
fn restart(model: &mut Model<'_>, first: ActionId, then: ActionId) {
    let Some(resource) = model.actions[then].resource else { return };
    let required = !model.actions[then].optional;
    let cannot_run = !model.actions[then].runnable
        && model.resources[resource].managed
        && model.actions[first].resource == Some(resource);
    if !required && !cannot_run {
        return;
    }
    if required || model.actions[first].runnable {
        clear(model, first, State::Optional, then);
    }
    if !model.actions[then].migratable {
        clear(model, first, State::Migratable, then);
    }
    if !model.actions[first].optional && !model.actions[first].runnable {
        clear(model, then, State::Runnable, first);
    }
}

/// Rule 3.24.9: without its first, the then is blocked unless it would do nothing.
fn asymmetric(model: &mut Model<'_>, first: ActionId, then: ActionId) {
    let Some(resource) = model.actions[then].resource else { return };
    if model.actions[first].runnable || (model.actions[then].optional && does_nothing(model, then, resource))
    {
        return;
    }
    clear(model, then, State::Optional, first);
    clear(model, then, State::Runnable, first);
}

fn does_nothing(model: &Model<'_>, then: ActionId, resource: ResourceId) -> bool {
    let role = crate::state::role(model, resource, true);
    match model.actions[then].task {
        Task::Stop => role == Role::Stopped,
        Task::Start => {
            let active_on = &model.resources[resource].active_on;
            role >= Role::Started
                && active_on.len() == 1
                && model.actions[then].node == active_on.first().copied()
        }
        _ => false,
    }
}

/// Takes a state away because of another action, and says so if that belongs to something else (rule 3.24.3).
pub(super) fn clear(model: &mut Model<'_>, action: ActionId, state: State, because: ActionId) {
    let target = &mut model.actions[action];
    let (flag, verb) = match state {
        State::Optional => (&mut target.optional, "required"),
        State::Runnable => (&mut target.runnable, "unrunnable"),
        State::Migratable => (&mut target.migratable, "unmigrateable"),
    };
    if !std::mem::replace(flag, false) {
        return;
    }
    super::state_changed(model);
    model.reasons.action(action, Cause::Action(because));
    let source = &model.actions[because];
    if model.actions[action].resource == source.resource || model.actions[action].reason.is_some() {
        return;
    }
    let text = match source.resource {
        Some(resource) => format!("{verb} {} {}", model.resources[resource].id, source.task.name()),
        None => format!("{verb} {}", source.task.name()),
    };
    model.actions[action].reason = Some(text.into());
}
