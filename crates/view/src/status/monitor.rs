//! The sections of `crm_mon` as text (chapter 5b), from a [`Status`] and what the CIB's root says.

use super::fencing::{self, FenceEvent, Outcome};
use super::history::{NodeHistory, Operation, ResourceOperations};
pub use super::sections::Sections;
use super::text::Entry;
use super::text::{self, Items};
use super::{Failure, NodeStatus, Ping, PrimitiveStatus, ResourceStatus, Status};
use super::{grouped, html, words};
use cib::options::{ClusterOptions, NoQuorumPolicy};
use cib::value::readable_duration;
use scheduler::model::{Model, ResourceId};

/// What the summary says beside the status itself; texts that are empty are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Value of `cluster-infrastructure`.
    pub stack: String,
    /// State of the daemon, if this is a live cluster.
    pub state: String,
    /// The DC's version.
    pub version: String,
    /// Local time, already in words.
    pub updated: String,
    /// The node that was asked, for live clusters.
    pub host: String,
    pub changed: String,
    pub changed_by: String,
    pub changed_via: String,
    pub changed_on: String,
}

/// A resource's failures on a node that count against it (rule 5b.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailCount {
    pub resource: String,
    pub node: String,
    /// `1000000` for INFINITY.
    pub count: i32,
    pub threshold: i32,
    /// Epoch seconds.
    pub last_failure: Option<i64>,
}

/// Every resource's failures that count, by node.
pub fn fail_counts(model: &mut Model<'_>) -> Vec<FailCount> {
    let mut found = Vec::new();
    let primitives: Vec<ResourceId> =
        model.resources.iter().filter(|(_, resource)| resource.is_primitive()).map(|(id, _)| id).collect();
    let nodes = model.node_order.clone();
    // without any recorded failure there is nothing to count, whatever the size of the cluster
    let nodes: Vec<_> = nodes
        .into_iter()
        .filter(|node| model.nodes[*node].attributes.keys().any(|name| name.starts_with("fail-count-")))
        .collect();
    for node in nodes {
        for &resource in &primitives {
            let count = scheduler::state::fail_count(model, resource, node, Default::default(), None);
            if count.count.value() > 0 {
                let it = &model.resources[resource];
                found.push(FailCount {
                    resource: it.printable_id().to_string(),
                    node: model.nodes[node].name.to_string(),
                    count: count.count.value(),
                    threshold: it.migration_threshold.value(),
                    last_failure: (count.last_failure > 0).then_some(count.last_failure),
                });
            }
        }
    }
    found.dedup();
    found
}

/// Where a status display gets its content from.
#[derive(Clone, Copy)]
pub struct Sources<'s> {
    pub status: &'s Status,
    pub facts: &'s Facts,
    pub fail_counts: &'s [FailCount],
    pub history: &'s [NodeHistory],
    /// Known only from a live cluster.
    pub fencing: Option<&'s [FenceEvent]>,
    /// Writes epoch seconds as local time.
    pub clock: &'s dyn Fn(i64) -> String,
}

/// What a section is, where a page does not show it as a plain list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Summary,
    Nodes { by_node: bool, detail: bool },
    Other,
}

/// One section of a status display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub part: Part,
    pub title: String,
    pub entries: Vec<Entry>,
    /// Text after the list: the banner of maintenance.
    pub after: String,
}

/// The whole screen; `clock` writes epoch seconds as local time.
pub fn screen(
    status: &Status,
    facts: &Facts,
    fail_counts: &[FailCount],
    history: &[NodeHistory],
    sections: &Sections,
    clock: &dyn Fn(i64) -> String,
) -> String {
    text(&parts(&Sources { status, facts, fail_counts, history, fencing: None, clock }, sections))
}

/// Sections as text, with a blank line between two.
pub fn text(sections: &[Section]) -> String {
    let texts: Vec<String> = sections
        .iter()
        .map(|section| format!("{}:\n{}{}", section.title, text::lines(&section.entries), section.after))
        .collect();
    texts.join("\n")
}

/// The sections that are asked for and have something to say, in their order (rule 5b.1.4).
pub fn parts(sources: &Sources<'_>, sections: &Sections) -> Vec<Section> {
    let mut parts = Vec::new();
    let Sources { status, facts, fail_counts, history, clock, .. } = *sources;
    let none = String::new;
    if sections.has_summary() || sections.maintenance {
        let banner = if sections.maintenance { maintenance(status) } else { none() };
        add_to(
            &mut parts,
            Part::Summary,
            "Cluster Summary",
            &|items| summary_items(status, facts, sections, items),
            banner,
        );
    }
    if sections.nodes {
        let part = Part::Nodes { by_node: sections.by_node, detail: sections.detail };
        let mut items = Items::new(1);
        nodes(status, sections, &mut items);
        // below nodes nothing may be active, which is worth telling
        if !items.is_empty() || sections.by_node {
            let (title, after) = ("Node List".to_owned(), none());
            parts.push(Section { part, title, entries: items.into_entries(), after });
        }
    }
    let title = match (sections.by_node, sections.inactive) {
        (false, false) => Some("Active Resources"),
        (false, true) => Some("Full List of Resources"),
        (true, true) => Some("Inactive Resources"),
        (true, false) => None,
    };
    if let Some(title) = title.filter(|_| sections.resources) {
        add_to(&mut parts, Part::Other, title, &|items| resources(status, sections, items), none());
    }
    if sections.attributes {
        add_to(
            &mut parts,
            Part::Other,
            "Node Attributes",
            &|items| attributes(status, sections, items),
            none(),
        );
    }
    if sections.operations {
        // the header stands alone where nothing that was done is worth telling
        if !history.is_empty() {
            let mut items = Items::new(1);
            operations(sources, sections, &mut items);
            let title = "Operations".to_owned();
            parts.push(Section { part: Part::Other, title, entries: items.into_entries(), after: none() });
        }
    } else if sections.fail_counts {
        let mut items = Items::new(1);
        migration_summary(status, fail_counts, sections.detail, clock, &mut items);
        // its header stands alone where there is a history without failures
        if !items.is_empty() || !history.is_empty() {
            parts.push(Section {
                part: Part::Other,
                title: "Migration Summary".to_owned(),
                entries: items.into_entries(),
                after: none(),
            });
        }
    }
    if sections.failures {
        let fill = |items: &mut Items| failures(status, sections.detail, clock, items);
        add_to(&mut parts, Part::Other, "Failed Resource Actions", &fill, none());
    }
    let fencing = sources.fencing.unwrap_or_default();
    if sections.fencing_failed {
        let fill = |items: &mut Items| fencing::list(fencing, &[Outcome::Failed], sections, items);
        add_to(&mut parts, Part::Other, "Failed Fencing Actions", &fill, none());
    }
    if sections.tickets {
        add_to(&mut parts, Part::Other, "Tickets", &|items| tickets(status, clock, items), none());
    }
    if let Some(prefix) = &sections.bans {
        add_to(
            &mut parts,
            Part::Other,
            "Negative Location Constraints",
            &|items| bans(status, prefix, items),
            none(),
        );
    }
    let (title, outcomes): (_, &[Outcome]) = match (sections.fencing_succeeded, sections.fencing_pending) {
        (true, true) => ("Fencing History", &[Outcome::Pending, Outcome::Success]),
        (true, false) => ("Fencing History", &[Outcome::Success]),
        (false, true) => ("Pending Fencing Actions", &[Outcome::Pending]),
        (false, false) => ("", &[]),
    };
    add_to(
        &mut parts,
        Part::Other,
        title,
        &|items| fencing::list(fencing, outcomes, sections, items),
        none(),
    );
    parts
}

/// Adds a section if it has something to say.
fn add_to(parts: &mut Vec<Section>, part: Part, title: &str, fill: &dyn Fn(&mut Items), after: String) {
    let mut items = Items::new(1);
    fill(&mut items);
    if !items.is_empty() || !after.is_empty() {
        parts.push(Section { part, title: title.to_owned(), entries: items.into_entries(), after });
    }
}

/// What a simulation shows below nodes and resources, one level in: node attributes, and failures with how
/// often resources have failed.
pub fn simulated(
    status: &Status,
    fail_counts: &[FailCount],
    (attributes_shown, failures_shown): (bool, bool),
    clock: &dyn Fn(i64) -> String,
) -> String {
    let mut text = String::new();
    let mut add = |title: &str, body: String| {
        text.push_str(&format!("\n  * {title}:\n"));
        body.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
    };
    if attributes_shown {
        add("Node Attributes", text_of(&|items| attributes(status, &Sections::default(), items)));
    }
    if failures_shown {
        add(
            "Migration Summary",
            text_of(&|items| migration_summary(status, fail_counts, false, clock, items)),
        );
        let failures = text_of(&|items| failures(status, false, clock, items));
        if !failures.is_empty() {
            add("Failed Resource Actions", failures);
        }
    }
    text
}

fn text_of(fill: &dyn Fn(&mut Items)) -> String {
    let mut items = Items::new(1);
    fill(&mut items);
    items.into_text()
}

/// The lines of the summary (rule 5b.3).
pub fn summary(status: &Status, facts: &Facts, sections: &Sections) -> String {
    let mut items = Items::new(1);
    summary_items(status, facts, sections, &mut items);
    items.into_text()
}

fn summary_items(status: &Status, facts: &Facts, sections: &Sections, items: &mut Items) {
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    let state = if facts.state.is_empty() { String::new() } else { format!(" ({})", facts.state) };
    if sections.stack {
        items.item(&format!("Stack: {}{state}", or_unknown(&facts.stack)));
    }
    if sections.dc {
        items.item(&current_dc(status, facts, sections.detail));
    }
    if sections.times {
        let on = if facts.host.is_empty() { String::new() } else { format!(" on {}", facts.host) };
        items.item(&format!("Last updated: {}{on}", facts.updated));
        items.item(&last_change(facts));
    }
    if sections.counts {
        let plural = if status.counts.nodes == 1 { "" } else { "s" };
        items.item(&format!("{} node{plural} configured", status.counts.nodes));
        items.item(&instances(status));
    }
    if sections.options {
        options(&status.options, items);
    }
}

/// The options that matter most, in words (rule 5b.3.2).
fn options(options: &ClusterOptions, items: &mut Items) {
    let fencing = if options.fencing_enabled { "enabled" } else { "disabled" };
    items.item(&format!("Fencing of failed nodes {fencing}"));
    items.item(&format!("Cluster is {}", if options.symmetric_cluster { "symmetric" } else { "asymmetric" }));
    let policy = match options.no_quorum_policy {
        NoQuorumPolicy::Freeze => "Freeze resources",
        NoQuorumPolicy::Stop => "Stop ALL resources",
        NoQuorumPolicy::Demote => "Demote promotable resources and stop all other resources",
        NoQuorumPolicy::Ignore => "Ignore",
        NoQuorumPolicy::Fence => "Fence nodes in partition",
    };
    items.item(&format!("No quorum policy: {policy}"));
}

fn current_dc(status: &Status, facts: &Facts, detail: bool) -> String {
    let Some(dc) = &status.dc else { return "Current DC: NONE".to_owned() };
    let id = if detail && dc.id != dc.name { format!(" ({})", dc.id) } else { String::new() };
    let version = if facts.version.is_empty() { "unknown" } else { &facts.version };
    let mixed = if status.mixed_version { "MIXED-VERSION " } else { "" };
    let quorum = if status.quorate { "with quorum" } else { "WITHOUT quorum" };
    format!("Current DC: {}{id} (version {version}) - {mixed}partition {quorum}", dc.name)
}

fn last_change(facts: &Facts) -> String {
    let mut line = format!("Last change:  {}", facts.changed);
    for (word, text) in [("by", &facts.changed_by), ("via", &facts.changed_via), ("on", &facts.changed_on)] {
        if !text.is_empty() {
            line.push_str(&format!(" {word} {text}"));
        }
    }
    line
}

fn instances(status: &Status) -> String {
    let counts = status.counts;
    let plural = if counts.instances == 1 { "" } else { "s" };
    let mut parts = Vec::new();
    if counts.disabled > 0 {
        parts.push(format!("{} DISABLED", counts.disabled));
    }
    if counts.blocked > 0 {
        parts.push(format!("{} BLOCKED from further action due to failure", counts.blocked));
    }
    let suffix = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("{} resource instance{plural} configured{suffix}", counts.instances)
}

fn maintenance(status: &Status) -> String {
    if status.maintenance_mode {
        "\n              *** Resource management is DISABLED ***\n  The cluster will not attempt to start, stop or recover services\n".to_owned()
    } else if status.stop_all_resources {
        "\n    *** Resource management is DISABLED ***\n  The cluster will keep all resources stopped\n"
            .to_owned()
    } else {
        String::new()
    }
}

fn nodes(status: &Status, sections: &Sections, items: &mut Items) {
    if sections.by_node {
        grouped::nodes(status, sections, items);
    } else {
        text::nodes_with(status, sections.detail, items);
    }
}

fn resources(status: &Status, sections: &Sections, items: &mut Items) {
    let options = text::Options {
        inactive: sections.inactive,
        pending: true,
        detail: sections.detail,
        descriptions: sections.descriptions,
        without_nodes: false,
        brief: sections.brief,
    };
    if sections.by_node {
        grouped::inactive_resources(status, options, items);
    } else if sections.brief {
        grouped::brief_resources(status, options, items);
    } else {
        text::resources(status, options, items);
    }
}

/// Attributes that are not worth showing (rule 5b.7.1).
pub(super) fn is_hidden(name: &str) -> bool {
    ["fail-count-", "last-failure-", "shutdown", "terminate", "standby", "#"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn attributes(status: &Status, sections: &Sections, items: &mut Items) {
    for node in status.nodes.iter().filter(|node| node.online) {
        let mut shown: Vec<&(String, String)> =
            node.attributes.iter().filter(|(name, _)| !is_hidden(name)).collect();
        shown.sort();
        if shown.is_empty() {
            continue;
        }
        items.list(&format!("Node: {}", grouped::display_name(node, sections.detail)), |items| {
            for (name, value) in shown {
                let (words, markup) = connectivity(expected(status, node, name), value);
                let plain = html::escaped(&format!("{name}: {value}"));
                let markup = if status.pings.iter().any(|ping| ping.attribute == *name) {
                    format!("<span>{plain}</span>{markup}")
                } else {
                    plain
                };
                items.with_markup(&format!("{name:<32}\t: {value:<10}{words}"), markup);
            }
        });
    }
}

/// What a ping resource that is active on the node should make of an attribute.
pub(super) fn expected(status: &Status, node: &NodeStatus, attribute: &str) -> Option<i64> {
    let feeds = |ping: &&Ping| ping.node == node.name && ping.attribute == attribute;
    status.pings.iter().find(feeds).map(|ping| ping.expected)
}

/// What the value of such an attribute means, as text and for a page (rules 5b.7.1, 5b.13.2).
fn connectivity(expected: Option<i64>, value: &str) -> (String, String) {
    let Some(expected) = expected else { return Default::default() };
    let value = value.parse::<i64>().unwrap_or(0);
    let bold = |text: String| format!("<span class=\"bold\"> ({text})</span>");
    if value <= 0 {
        ("\t: Connectivity is lost".to_owned(), bold("connectivity is lost".to_owned()))
    } else if value < expected {
        let words = format!("\t: Connectivity is degraded (Expected={expected})");
        (words, bold(format!("connectivity is degraded -- expected {expected}")))
    } else {
        Default::default()
    }
}

/// All primitives of a status, collectives opened.
pub fn primitives(status: &Status) -> Vec<&PrimitiveStatus> {
    status.resources.iter().flat_map(primitives_of).collect()
}

/// A primitive, or those in a collective.
pub fn primitives_of(resource: &ResourceStatus) -> Vec<&PrimitiveStatus> {
    fn gather<'a>(resource: &'a ResourceStatus, found: &mut Vec<&'a PrimitiveStatus>) {
        match resource {
            ResourceStatus::Primitive(it) => found.push(it),
            ResourceStatus::Group(it) => found.extend(&it.members),
            ResourceStatus::Clone(it) => {
                it.instances.iter().for_each(|instance| gather(&instance.resource, found))
            }
            ResourceStatus::Bundle(it) => {
                for replica in &it.replicas {
                    let parts = [
                        replica.ip.as_ref(),
                        replica.child.as_ref(),
                        Some(&replica.container),
                        replica.connection.as_ref(),
                    ];
                    found.extend(parts.into_iter().flatten());
                }
            }
        }
    }
    let mut found = Vec::new();
    gather(resource, &mut found);
    found
}

fn migration_summary(
    status: &Status,
    fail_counts: &[FailCount],
    detail: bool,
    clock: &dyn Fn(i64) -> String,
    items: &mut Items,
) {
    for node in status.nodes.iter().filter(|node| node.online) {
        let here: Vec<&FailCount> =
            fail_counts.iter().filter(|count| count.node == node.name && count.count > 0).collect();
        if here.is_empty() {
            continue;
        }
        items.list(&format!("Node: {}", grouped::display_name(node, detail)), |items| {
            for count in here {
                let last =
                    count.last_failure.map(|at| format!(" last-failure='{}'", clock(at))).unwrap_or_default();
                items.item(&format!(
                    "{}: migration-threshold={} fail-count={}{last}",
                    count.resource, count.threshold, count.count
                ));
            }
        });
    }
}

/// `granted` or `revoked`, and since when (rule 5b.11.1).
fn tickets(status: &Status, clock: &dyn Fn(i64) -> String, items: &mut Items) {
    for ticket in &status.tickets {
        let state = if ticket.granted { "granted" } else { "revoked" };
        let standby = match (ticket.standby, ticket.granted) {
            (true, true) => " [standby] ",
            (true, false) => " [standby]",
            (false, _) => "",
        };
        let last =
            ticket.last_granted.map(|at| format!(" last-granted=\"{}\"", clock(at))).unwrap_or_default();
        items.item(&format!("{}\t{state}{standby}{last}", ticket.id));
    }
}

/// Rule 5b.11.2.
fn bans(status: &Status, prefix: &str, items: &mut Items) {
    for ban in status.bans.iter().filter(|ban| ban.constraint.starts_with(prefix)) {
        let role = if ban.promoted_only { "in Promoted role " } else { "" };
        items.item(&format!(
            "{}\tprevents {} from running {role}on {}",
            ban.constraint, ban.resource, ban.node
        ));
    }
}

/// What was done on each node (rules 5b.8.2, 5b.8.3).
fn operations(sources: &Sources<'_>, sections: &Sections, items: &mut Items) {
    for node in sources.history.iter().filter(|node| !node.resources.is_empty()) {
        let title = format!("Node: {}", display_name(sources.status, &node.name, sections.detail));
        items.list(&title, |items| {
            for resource in &node.resources {
                let count = sources.fail_counts.iter().find(|count| {
                    count.node == node.name && count.resource == resource.id && count.count > 0
                });
                items.list(&operations_title(resource, count, sources.clock), |items| {
                    for operation in &resource.operations {
                        items.item(&operation_line(operation, sections.timing, sources.clock));
                    }
                });
            }
        });
    }
}

/// A node's name as it is shown, by its plain name.
fn display_name(status: &Status, name: &str, detail: bool) -> String {
    let node = status.nodes.iter().find(|node| node.name == name);
    node.map_or_else(|| name.to_owned(), |node| grouped::display_name(node, detail))
}

fn operations_title(
    resource: &ResourceOperations,
    count: Option<&FailCount>,
    clock: &dyn Fn(i64) -> String,
) -> String {
    let Some(threshold) = resource.threshold else { return format!("{}: orphan", resource.id) };
    let mut title = format!("{}: migration-threshold={threshold}", resource.id);
    if let Some(count) = count {
        title.push_str(&format!(" fail-count={}", count.count));
        if let Some(at) = count.last_failure {
            title.push_str(&format!(" last-failure='{}'", clock(at)));
        }
    }
    title
}

fn operation_line(operation: &Operation, timing: bool, clock: &dyn Fn(i64) -> String) -> String {
    let task = if operation.is_probe() { "probe" } else { &operation.task };
    let mut line = format!("({}) {task}", operation.call);
    let interval = if operation.interval > 0 {
        format!(" interval=\"{}ms\"", operation.interval)
    } else {
        String::new()
    };
    if !timing {
        if !interval.is_empty() {
            line.push(':');
        }
        line.push_str(&interval);
        return line;
    }
    line.push(':');
    line.push_str(&interval);
    let parts = [
        ("last-rc-change", operation.last_rc_change.map(clock)),
        ("exec-time", operation.exec_time.map(|took| format!("{took}ms"))),
        ("queue-time", operation.queue_time.map(|took| format!("{took}ms"))),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            line.push_str(&format!(" {name}=\"{value}\""));
        }
    }
    line.push_str(&format!(" rc={} ({})", operation.rc, words::result(operation.rc)));
    line
}

fn failures(status: &Status, detail: bool, clock: &dyn Fn(i64) -> String, items: &mut Items) {
    for failure in status.failures.iter().filter(|failure| !failure.masked_probe) {
        let line = if detail { technical_failure(failure, clock) } else { friendly_failure(failure, clock) };
        items.item(&line);
    }
}

/// `db 10s-interval monitor on alpha returned 'Not running' at … after 1.204s` (rule 5b.9.1).
pub fn friendly_failure(failure: &Failure, clock: &dyn Fn(i64) -> String) -> String {
    let resource = failure.resource.as_deref().unwrap_or(&failure.id);
    let mut line = resource.to_owned();
    if failure.interval > 0 {
        line.push_str(&format!(" {}-interval", readable_duration(i64::from(failure.interval))));
    }
    let task = if failure.task == "monitor" && failure.interval == 0 { "probe" } else { &failure.task };
    line.push_str(&format!(" {task} on {}", failure.node));
    let reason = failure.exit_reason.as_deref().filter(|reason| !reason.is_empty());
    if failure.status == 0 {
        line.push_str(&format!(" returned '{}'", words::result(failure.rc)));
        line.push_str(&reason.map(|reason| format!(" ({reason})")).unwrap_or_default());
    } else {
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        line.push_str(&format!(" could not be executed ({}{reason})", words::execution(failure.status)));
    }
    line.push_str(&failure.last_rc_change.map(|at| format!(" at {}", clock(at))).unwrap_or_default());
    if let Some(took) = failure.exec_time.filter(|took| *took > 0) {
        line.push_str(&format!(" after {}", readable_duration(took)));
    }
    line
}

fn technical_failure(failure: &Failure, clock: &dyn Fn(i64) -> String) -> String {
    let key = failure.key.as_deref().unwrap_or(&failure.id);
    let mut line = format!(
        "{key} on {} '{}' ({}): call={}, status='{}'",
        failure.node,
        words::result(failure.rc),
        failure.rc,
        failure.call,
        words::execution(failure.status)
    );
    if let Some(reason) = failure.exit_reason.as_deref().filter(|reason| !reason.is_empty()) {
        line.push_str(&format!(", exitreason='{reason}'"));
    }
    if let Some(at) = failure.last_rc_change {
        line.push_str(&format!(", last-rc-change='{}'", clock(at)));
    }
    line.push_str(&failure.queue_time.map(|took| format!(", queued={took}ms")).unwrap_or_default());
    line.push_str(&failure.exec_time.map(|took| format!(", exec={took}ms")).unwrap_or_default());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_a_sentence() {
        let failure = Failure {
            key: Some("db_monitor_10000".into()),
            id: "db_monitor_10000".into(),
            resource: Some("db".into()),
            task: "monitor".into(),
            interval: 10_000,
            node: "alpha".into(),
            call: 7,
            rc: 7,
            status: 0,
            exit_reason: None,
            last_rc_change: Some(0),
            queue_time: Some(0),
            exec_time: Some(1204),
            masked_probe: false,
        };
        let clock = |_| "NOON".to_owned();
        assert_eq!(
            friendly_failure(&failure, &clock),
            "db 10s-interval monitor on alpha returned 'Not running' at NOON after 1.204s"
        );
        assert_eq!(
            technical_failure(&failure, &clock),
            "db_monitor_10000 on alpha 'Not running' (7): call=7, status='Done', last-rc-change='NOON', queued=0ms, exec=1204ms"
        );
    }
}
