//! What the configuration says about one operation (rule 3.5): meta-attributes, requirements, parameters.

use crate::model::{Attributes, Model, Name, NodeId, Requires, ResourceId, Task};
use crate::state;
use cib::iso8601::DateTime;
use cib::value;
use std::rc::Rc;

/// What all actions of one operation have in common.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub key: Name,
    pub meta: Rc<Attributes>,
    /// Index of the operation's configuration, if it has one.
    pub operation: Option<usize>,
    pub requires: Requires,
}

/// The settings of `RESOURCE_TASK_INTERVAL`; `interval` is in milliseconds.
pub(super) fn of(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    interval: u32,
    node: Option<NodeId>,
) -> Rc<Settings> {
    if let Some(parameter_timeout) = device_timeout(model, resource, task, interval, node) {
        let mut settings = evaluate(model, resource, task, interval);
        Rc::make_mut(&mut settings.meta).insert("timeout".into(), parameter_timeout);
        return Rc::new(settings);
    }
    let index = (resource, task.clone(), interval);
    if let Some(known) = model.actions_extra.settings.get(&index) {
        return known.clone();
    }
    let settings = Rc::new(evaluate(model, resource, task, interval));
    model.actions_extra.settings.insert(index, settings.clone());
    settings
}

/// Settings of a notification: the `op` is the one named `notify` (rule 3.5.1).
pub(super) fn of_notification(model: &mut Model<'_>, resource: ResourceId, key: &str) -> Rc<Settings> {
    let of_notify = of(model, resource, &Task::Notify, 0, None);
    Rc::new(Settings { key: key.into(), ..(*of_notify).clone() })
}

fn evaluate(model: &mut Model<'_>, resource: ResourceId, task: &Task, interval: u32) -> Settings {
    let name = task.name();
    let operation = state::operation(model, resource, name, interval);
    let mut meta = state::operation_meta(model, resource, operation, name, interval);
    let timeout = value::operation_timeout(meta.get("timeout").map(|it| &**it));
    meta.insert("timeout".into(), timeout.to_string().into());
    apply_on_fail(model, resource, task, interval, &mut meta);
    apply_start_delay(model, interval, &mut meta);
    Settings {
        key: format!("{}_{name}_{interval}", model.resources[resource].id).into(),
        meta: Rc::new(meta),
        operation,
        requires: requires(model, resource, task),
    }
}

/// Rule 3.5.3.
fn requires(model: &Model<'_>, resource: ResourceId, task: &Task) -> Requires {
    match task {
        Task::Start | Task::Promote => model.resources[resource].requires,
        _ => Requires::Nothing,
    }
}

/// Fence devices may say how long their start and probe take (rule 3.5.4).
fn device_timeout(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: &Task,
    interval: u32,
    node: Option<NodeId>,
) -> Option<Name> {
    if !model.resources[resource].is_fence_device || interval > 0 {
        return None;
    }
    if !matches!(task, Task::Start | Task::Monitor) {
        return None;
    }
    let text = state::parameters(model, resource, node).get("pcmk_monitor_timeout").cloned()?;
    Some(value::operation_timeout(Some(&text)).to_string().into())
}

/// Rule 3.5.6.
fn apply_on_fail(model: &Model<'_>, resource: ResourceId, task: &Task, interval: u32, meta: &mut Attributes) {
    let text = |name: &str| meta.get(name).map(|it| &**it);
    let corrected =
        state::corrected_on_fail(model, resource, task.name(), interval, text("on-fail"), text("role"));
    match corrected.map(Name::from) {
        Some(text) => meta.insert("on-fail".into(), text),
        None => meta.shift_remove("on-fail"),
    };
}

/// Rule 3.5.5: `start-delay`, or what `interval-origin` makes of it, in milliseconds.
fn apply_start_delay(model: &Model<'_>, interval: u32, meta: &mut Attributes) {
    if let Some(text) = meta.get("start-delay") {
        let delay = value::start_delay(Some(text));
        meta.insert("start-delay".into(), delay.to_string().into());
        return;
    }
    let Some(origin) = meta.get("interval-origin").filter(|_| interval > 0) else { return };
    let Ok(origin) = DateTime::parse(origin, &model.state.clock.surroundings) else { return };
    let interval = i64::from(interval) / 1000;
    if interval == 0 {
        return;
    }
    let since = (model.now - origin.timestamp()) % interval;
    let delay = if since <= 0 { -since } else { interval - since };
    meta.insert("start-delay".into(), (delay * 1000).to_string().into());
}

/// The operation's own parameters on `node` (rule 3.5.10).
pub(super) fn parameters(
    model: &mut Model<'_>,
    resource: ResourceId,
    operation: usize,
    node: Option<NodeId>,
) -> Rc<Attributes> {
    let configured = state::operations(model, resource).get(operation);
    if configured.is_none_or(|it| it.instance_attributes.is_empty()) {
        return model.actions_extra.no_parameters.clone();
    }
    Rc::new(state::operation_parameters(model, resource, operation, node))
}
