//! Resources below their nodes, or gathered by agent (rules 5b.4.4, 5b.5.6).

use super::monitor::primitives;
use super::sections::Sections;
use super::text::{self, Items, Options};
use super::{NodeStatus, PrimitiveStatus, ResourceStatus, Status};
use std::collections::{BTreeMap, HashMap};

/// Every node with what is active on it.
pub(super) fn nodes(status: &Status, sections: &Sections, items: &mut Items) {
    let all = by_id(status);
    let options = Options {
        inactive: true,
        pending: true,
        detail: sections.detail,
        descriptions: sections.descriptions,
        without_nodes: true,
        brief: false,
    };
    for node in &status.nodes {
        if sections.brief && node.running.is_empty() {
            continue;
        }
        let running = node.running.iter().filter_map(|id| all.get(&**id));
        items.list(&node_line(node, sections.detail), |items| {
            items.list("Resources", |items| {
                if sections.brief {
                    brief_node(running.filter(|it| it.common.active), items);
                } else {
                    running
                        .filter(|it| sections.detail || !it.common.internal)
                        .for_each(|it| items.marked(&text::primitive(it, options), text::class(it)));
                }
            });
        });
    }
}

/// All primitives by their ids.
pub(super) fn by_id(status: &Status) -> HashMap<&str, &PrimitiveStatus> {
    primitives(status).into_iter().map(|it| (&*it.common.id, it)).collect()
}

/// A node with its ids, where it runs, and its feature set where these are asked for (rule 5b.4.3).
pub(super) fn node_line(node: &NodeStatus, detail: bool) -> String {
    let name = display_name(node, detail);
    let set = node.feature_set.as_ref().filter(|_| detail);
    let set = set.map(|set| format!(", feature set {set}")).unwrap_or_default();
    format!("{} {name}: {}{set}", text::node_word(node.kind), text::node_state(node))
}

/// A node's name, with its host and its id where details are asked for (rule 5b.4.3).
pub(super) fn display_name(node: &NodeStatus, detail: bool) -> String {
    let mut name = node.name.clone();
    if detail && node.kind == scheduler::model::NodeKind::Guest {
        name.push_str(&format!("@{}", node.host.as_deref().unwrap_or_default()));
    }
    if detail && node.id != node.name {
        name.push_str(&format!(" ({})", node.id));
    }
    name
}

/// `2<t>(ocf:pacemaker:Dummy):<t>Active `, sorted by agent.
fn brief_node<'p>(active: impl Iterator<Item = &'p &'p PrimitiveStatus>, items: &mut Items) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for it in active {
        *counts.entry(&it.agent).or_default() += 1;
    }
    for (agent, count) in counts {
        items.item(&format!("{count}\t({agent}):\tActive "));
    }
}

/// How many of each agent are active, node by node; with their total, and those that are not active at all.
pub(super) fn by_agent<'p>(
    primitives: impl Iterator<Item = &'p PrimitiveStatus>,
    total_shown: bool,
    inactive: bool,
    items: &mut Items,
) {
    let mut agents: BTreeMap<&str, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for it in primitives {
        let (total, active) = agents.entry(&it.agent).or_default();
        *total += 1;
        for node in &it.nodes {
            *active.entry(&node.name).or_default() += 1;
        }
    }
    for (agent, (total, active)) in &agents {
        let of = if total_shown { format!("/{total}") } else { String::new() };
        for (node, count) in active {
            items.item(&format!("{count}{of}\t({agent}):\tActive {node}"));
        }
        if active.is_empty() && inactive {
            items.item(&format!("0{of}\t({agent}):\tActive"));
        }
    }
}

/// What is not fully active.
pub(super) fn inactive_resources(status: &Status, options: Options, items: &mut Items) {
    let mut printed = false;
    for resource in &status.resources {
        let common = resource.common();
        if !common.fully_active && (options.detail || !common.internal) && !common.removed {
            text::resource(resource, options, items);
            printed = true;
        }
    }
    if !printed {
        items.item("No inactive resources");
    }
}

/// Top-level primitives by agent and node, then the other resources as usual.
pub(super) fn brief_resources(status: &Status, options: Options, items: &mut Items) {
    // connections of guests are counted, although they have no lines of their own
    let counted = Options { detail: true, ..options };
    let shown = status.resources.iter().filter(|resource| text::is_listed(resource.common(), counted));
    let shown: Vec<&ResourceStatus> = shown.collect();
    let top =
        shown.iter().filter_map(|it| if let ResourceStatus::Primitive(it) = it { Some(it) } else { None });
    by_agent(top, options.inactive, options.inactive, items);
    for resource in &shown {
        match resource {
            ResourceStatus::Primitive(_) => {}
            _ => text::resource(resource, options, items),
        }
    }
    if shown.is_empty() {
        items.item(if options.inactive { "No resources" } else { "No active resources" });
    }
}
