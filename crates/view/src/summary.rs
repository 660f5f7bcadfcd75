//! The text of a transition summary (rules 3.48, 3.49): what will happen to nodes and resources.

use cib::value::Role;
use scheduler::actions::summary::{NodeChange, ResourceChange};
pub use scheduler::actions::summary::{ResourceChange as Change, Summary};
use scheduler::model::{Model, NodeId};
use scheduler::state;

/// Column widths; they start narrow and only grow (rule 3.49.2).
#[derive(Clone, Copy, Debug)]
struct Widths {
    name: usize,
    details: usize,
}

/// The lines of a summary, without bullets.
pub fn lines(model: &Model<'_>, summary: &Summary) -> Vec<String> {
    let details: Vec<String> = summary.resources.iter().map(|change| details(model, change)).collect();
    let mut widths = Widths { name: 5, details: 5 };
    for (change, details) in summary.resources.iter().zip(&details) {
        let name = model.resources[change.resource].id.len();
        if name > widths.name {
            widths.name = name + 2;
        }
        widths.details = widths.details.max(details.len());
    }
    let nodes = summary.nodes.iter().map(|change| node_line(model, change));
    let resources = summary.resources.iter().zip(&details);
    let resources = resources.map(|(change, details)| resource_line(model, change, details, widths));
    nodes.chain(resources).collect()
}

/// Rule 3.48.1.
fn node_line(model: &Model<'_>, change: &NodeChange) -> String {
    let name = node_name(model, change.node);
    format!("Fence ({}) {name} '{}'", change.operation, change.reason)
}

/// A guest or bundle node is told together with the resource that launches it.
pub(crate) fn node_name(model: &Model<'_>, node: NodeId) -> String {
    let it = &model.nodes[node];
    match state::launcher_of_node(model, node).filter(|_| it.is_guest()) {
        Some(launcher) => format!("{} (resource: {})", it.name, model.resources[launcher].id),
        None => it.name.to_string(),
    }
}

/// Rules 3.49.1 and 3.49.4.
fn resource_line(model: &Model<'_>, change: &ResourceChange, details: &str, widths: Widths) -> String {
    let name = &model.resources[change.resource].id;
    let (name_width, details_width) = (widths.name, widths.details);
    let mut line = format!("{:<8}   {name:<name_width$}   ( {details:>details_width$} )", change.verb.name());
    match (&change.reason, change.blocked) {
        (Some(reason), false) => line.push_str(&format!("  due to {reason}")),
        (Some(reason), true) => line.push_str(&format!("  due to {reason} (blocked)")),
        (None, true) => line.push_str("  blocked"),
        (None, false) => {}
    }
    line
}

/// Whether the roles are part of what is told (rule 3.49.3).
pub(crate) fn shows_roles(change: &ResourceChange) -> bool {
    change.current_role > Role::Started || change.next_role > Role::Unpromoted
}

/// Rule 3.49.3.
fn details(model: &Model<'_>, change: &ResourceChange) -> String {
    let name = |node: NodeId| &*model.nodes[node].name;
    let (current, next) = (change.current_role, change.next_role);
    let shows_roles = shows_roles(change);
    match (change.origin.map(name), change.destination.map(name)) {
        (None, None) => String::new(),
        (None, Some(to)) if shows_roles => format!("{current} -> {next} {to}"),
        (None, Some(to)) => to.to_owned(),
        (Some(from), None) if shows_roles => format!("{current} {from}"),
        (Some(from), None) => from.to_owned(),
        (Some(from), Some(to)) if current == next => match (from == to, shows_roles) {
            (true, true) => format!("{current} {from}"),
            (true, false) => from.to_owned(),
            (false, true) => format!("{from} -> {to} {current}"),
            (false, false) => format!("{from} -> {to}"),
        },
        (Some(from), Some(to)) if from == to => format!("{current} -> {next} {from}"),
        (Some(from), Some(to)) => format!("{current} {from} -> {next} {to}"),
    }
}
