//! The graph as a drawing in the dot language (rule 3.45).

use std::fmt::Write;

use super::action::{history_key, number};
use crate::model::{ActionId, Model, Properties, Task};

/// What to draw.
#[derive(Clone, Copy, Debug, Default)]
pub struct DotOptions {
    /// Also actions that are not needed, and the relations between them.
    pub all: bool,
    /// Action numbers in the labels.
    pub numbers: bool,
}

/// The drawing of a finished run: all actions, newest first, then their relations (rules 3.45.1 and 3.45.4).
pub fn dot(model: &Model<'_>, options: DotOptions) -> String {
    let mut text = String::from(" digraph \"g\" {\n");
    let labels: Vec<String> = model.actions.ids().map(|action| label(model, action, options)).collect();
    let label = |action: ActionId| &labels[crate::model::Id::index(action)];
    for action in model.actions.ids().rev() {
        if let Some(style) = style(model, action, options) {
            let _ = writeln!(text, "\"{}\" [ {style}]", label(action));
        }
    }
    for action in model.actions.ids().rev() {
        for input in &model.actions[action].inputs {
            let style = if input.in_graph {
                "bold"
            } else if !input.properties.is_empty()
                && (options.all || drawn_together(model, input.action, action, input.properties))
            {
                "dashed"
            } else {
                continue;
            };
            let _ = writeln!(text, "\"{}\" -> \"{}\" [ style = {style}]", label(input.action), label(action));
        }
    }
    text.push_str("}\n");
    text
}

fn drawn_together(model: &Model<'_>, first: ActionId, then: ActionId, properties: Properties) -> bool {
    let shown = |action: ActionId| style(model, action, DotOptions::default()).is_some();
    properties != Properties::LOAD && shown(first) && shown(then)
}

/// How an action is drawn; none if it is not (rule 3.45.3).
fn style(model: &Model<'_>, action: ActionId, options: DotOptions) -> Option<String> {
    let it = &model.actions[action];
    let font = if it.pseudo { "orange" } else { "black" };
    let unmanaged = it.resource.is_some_and(|resource| !model.resources[resource].managed);
    if it.in_graph {
        return Some(format!("style=bold color=\"green\" fontcolor=\"{font}\""));
    }
    let (color, font, only_with_all) = if unmanaged {
        ("red", "purple", true)
    } else if it.optional {
        ("blue", font, true)
    } else {
        ("red", font, false)
    };
    (options.all || !only_with_all).then(|| format!("style=dashed color=\"{color}\" fontcolor=\"{font}\""))
}

/// Rule 3.45.2.
fn label(model: &Model<'_>, action: ActionId, options: DotOptions) -> String {
    let mut text = name(model, action);
    if options.numbers {
        let _ = write!(text, " ({})", number(action));
    }
    text
}

fn name(model: &Model<'_>, action: ActionId) -> String {
    let it = &model.actions[action];
    if it.task == Task::Fence {
        let operation = it.meta.get("stonith_action").map_or("", |operation| &**operation);
        let node = it.node.map_or("", |node| &model.nodes[node].name);
        return format!("stonith '{operation}' {node}");
    }
    let key = match drawn_history_key(model, action) {
        Some(key) => key,
        None if it.resource.is_none() && it.node.is_some() => it.task.name().to_owned(),
        None => it.key.to_string(),
    };
    let prefix = if it.task == Task::Cancel { "Cancel " } else { "" };
    match it.node {
        Some(node) => format!("{prefix}{key} {}", model.nodes[node].name),
        None if it.pseudo => format!("{prefix}{key}"),
        None => format!("{prefix}{key} <none>"),
    }
}

/// The key by the name that history uses; notifications by their full type.
fn drawn_history_key(model: &Model<'_>, action: ActionId) -> Option<String> {
    let it = &model.actions[action];
    let name = model.resources[it.resource?].history_name.as_ref()?;
    let meta = |key: &str| it.meta.get(key).map(|value| &**value);
    match meta("notify_key_type").zip(meta("notify_key_operation")) {
        Some((kind, operation)) => Some(format!("{name}_{kind}_notify_{operation}_0")),
        None => history_key(model, action),
    }
}
