//! The status as nested lists of text (rules 1.20, 3.50, 5b.4, 5b.5).

use super::words;
use super::{
    BundleStatus, CloneStatus, Common, GroupStatus, InstanceStatus, NodeStatus, PrimitiveStatus,
    ReplicaStatus, ResourceStatus, Status, TargetRole,
};
use cib::value::Role;
use scheduler::model::NodeKind;
use scheduler::state::Health;
use std::collections::BTreeMap;

/// What to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// Also resources that are not active.
    pub inactive: bool,
    /// Operations that are under way.
    pub pending: bool,
    /// Every clone instance by itself, and more detail.
    pub detail: bool,
    /// Descriptions of resources.
    pub descriptions: bool,
    /// No names of nodes, as in lists below a node.
    pub without_nodes: bool,
    /// Members of groups gathered by agent.
    pub brief: bool,
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub level: usize,
    pub text: String,
    /// A list follows below.
    pub is_title: bool,
    /// How a page marks it.
    pub class: Option<&'static str>,
    /// What a page shows instead of the text.
    pub markup: Option<String>,
}

/// Nested list items, two blanks a level.
#[derive(Default)]
pub struct Items {
    entries: Vec<Entry>,
    level: usize,
}

impl Items {
    pub fn new(level: usize) -> Items {
        Items { entries: Vec::new(), level }
    }

    pub fn item(&mut self, text: &str) {
        self.push(text, false, None, None);
    }

    /// A line that a page marks.
    pub fn marked(&mut self, text: &str, class: &'static str) {
        self.push(text, false, Some(class), None);
    }

    /// A line that a page writes in its own way.
    pub fn with_markup(&mut self, text: &str, markup: String) {
        self.push(text, false, None, Some(markup));
    }

    fn push(&mut self, text: &str, is_title: bool, class: Option<&'static str>, markup: Option<String>) {
        self.entries.push(Entry { level: self.level, text: text.to_owned(), is_title, class, markup });
    }

    /// An item with a list below it.
    pub fn list(&mut self, title: &str, fill: impl FnOnce(&mut Items)) {
        self.push(title, true, None, None);
        self.deeper(fill);
    }

    /// Items a level deeper, without a title of their own.
    fn deeper(&mut self, fill: impl FnOnce(&mut Items)) {
        self.level += 1;
        fill(self);
        self.level -= 1;
    }

    pub fn blank(&mut self) {
        self.push("", false, None, None);
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    pub fn into_text(self) -> String {
        lines(&self.entries)
    }
}

/// Entries as text: `* ` before each, a colon after what a list follows (rules 1.20.1.1 and 3.46.1).
pub fn lines(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        if !entry.text.is_empty() {
            for _ in 0..entry.level {
                text.push_str("  ");
            }
            text.push_str("* ");
            text.push_str(&entry.text);
            if entry.is_title {
                text.push(':');
            }
        }
        text.push('\n');
    }
    text
}

/// `Current cluster status` or `Revised Cluster Status`, as the simulator prints it (rules 1.20.1.1 to 1.20.1.3).
pub fn cluster_status(status: &Status, title: &str, pending: bool) -> String {
    let options = Options { inactive: true, pending, ..Options::default() };
    let mut items = Items::new(1);
    if !status.nodes.is_empty() {
        items.list("Node List", |items| nodes(status, items));
        items.blank();
    }
    items.list("Full List of Resources", |items| resources(status, options, items));
    format!("{title}:\n{}", items.into_text())
}

/// The banner and the count of instances that keep something from running (rule 1.20.2); empty if there is
/// nothing to say.
pub fn maintenance_and_counts(status: &Status) -> String {
    let mut text = String::new();
    if status.maintenance_mode {
        text.push_str("\n              *** Resource management is DISABLED ***\n");
        text.push_str("  The cluster will not attempt to start, stop or recover services\n");
    }
    let counts = status.counts;
    if counts.disabled > 0 || counts.blocked > 0 {
        if status.maintenance_mode {
            text.push('\n');
        }
        text.push_str(&format!(
            "{} of {} resource instances DISABLED and {} BLOCKED from further action due to failure\n",
            counts.disabled, counts.instances, counts.blocked
        ));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The node list (rules 1.20.3.1, 1.20.3.2 and 3.50.1).
pub fn nodes(status: &Status, items: &mut Items) {
    nodes_with(status, false, items);
}

/// The node list; with ids and feature sets where details are asked for (rule 5b.4.1).
pub(super) fn nodes_with(status: &Status, detail: bool, items: &mut Items) {
    let mut gathered: [(&str, Vec<String>); 5] = [
        ("Online", Vec::new()),
        ("OFFLINE", Vec::new()),
        ("RemoteOnline", Vec::new()),
        ("RemoteOFFLINE", Vec::new()),
        ("GuestOnline", Vec::new()),
    ];
    for node in &status.nodes {
        if is_notable(node) || detail {
            items.item(&super::grouped::node_line(node, detail));
            continue;
        }
        let index = match (node.kind, node.online) {
            (NodeKind::Cluster, true) => 0,
            (NodeKind::Cluster, false) => 1,
            (NodeKind::Remote, true) => 2,
            (NodeKind::Remote, false) => 3,
            (NodeKind::Guest, true) => 4,
            (NodeKind::Guest, false) => continue,
        };
        gathered[index].1.push(super::grouped::display_name(node, detail));
    }
    for (title, names) in gathered {
        if !names.is_empty() {
            items.item(&format!("{title}: [ {} ]", names.join(" ")));
        }
    }
}

/// `Node`, `RemoteNode` or `GuestNode`.
pub fn node_word(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Cluster => "Node",
        NodeKind::Remote => "RemoteNode",
        NodeKind::Guest => "GuestNode",
    }
}

/// Whether a node gets a line of its own.
pub fn is_notable(node: &NodeStatus) -> bool {
    node.unclean
        || node.pending
        || (node.standby_on_fail && node.online)
        || node.standby
        || node.maintenance
        || node.health != Health::Green
}

/// The state of a node in words, with its health.
pub fn node_state(node: &NodeStatus) -> String {
    let state = if node.unclean {
        if node.online {
            "UNCLEAN (online)"
        } else if node.pending {
            "UNCLEAN (pending)"
        } else {
            "UNCLEAN (offline)"
        }
    } else if node.pending {
        "pending"
    } else if node.standby_on_fail && node.online {
        "standby (on-fail)"
    } else if node.standby {
        match (node.online, node.running.len()) {
            (false, _) => "OFFLINE (standby)",
            (true, 0) => "standby",
            (true, _) => "standby (with active resources)",
        }
    } else if node.maintenance {
        if node.online { "maintenance" } else { "OFFLINE (maintenance)" }
    } else if node.online {
        "online"
    } else {
        "OFFLINE"
    };
    let health = match node.health {
        Health::Green => "",
        Health::Yellow => " (health is YELLOW)",
        Health::Red => " (health is RED)",
    };
    format!("{state}{health}")
}

/// The resource list (rules 1.20.4–1.20.10 and 3.50.2).
pub fn resources(status: &Status, options: Options, items: &mut Items) {
    let mut printed = false;
    for resource in &status.resources {
        if is_listed(resource.common(), options) {
            self::resource(resource, options, items);
            printed = true;
        }
    }
    if !printed {
        items.item(if options.inactive { "No resources" } else { "No active resources" });
    }
}

/// Whether a top-level resource is in the list: internal ones where details are asked for, removed ones while they
/// are fully active (rules 1.20.4.1 and 3.50.7).
pub(super) fn is_listed(common: &Common, options: Options) -> bool {
    let exists = !common.removed || common.fully_active;
    exists && (options.detail || !common.internal) && (options.inactive || common.active)
}

pub(super) fn resource(resource: &ResourceStatus, options: Options, items: &mut Items) {
    match resource {
        ResourceStatus::Primitive(it) => items.marked(&primitive(it, options), class(it)),
        ResourceStatus::Group(it) if options.brief => brief_group(it, options, items),
        // of an instance that is stopped nothing is left to tell
        ResourceStatus::Group(it) if !options.inactive && !it.common.active => {}
        ResourceStatus::Group(it) => group(it, options, items),
        ResourceStatus::Clone(it) => clone(it, options, items),
        ResourceStatus::Bundle(it) => bundle(it, options, items),
    }
}

/// What a primitive line says apart from the resource itself.
struct Line<'l> {
    name: String,
    /// The node to show, unless it is active on several.
    node: Option<&'l str>,
    /// That node is offline and unclean.
    lost: bool,
}

/// How a page marks a primitive (rule 5b.13.2).
pub(super) fn class(it: &PrimitiveStatus) -> &'static str {
    if it.common.failed && it.common.failure_ignored {
        "rsc-failure-ignored"
    } else if it.common.failed || it.nodes.is_empty() {
        "rsc-failed"
    } else if !it.common.managed {
        "rsc-managed"
    } else if it.nodes.len() > 1 {
        "rsc-multiple"
    } else {
        "rsc-ok"
    }
}

/// The line of a primitive (rule 1.20.5).
pub fn primitive(it: &PrimitiveStatus, options: Options) -> String {
    if options.without_nodes {
        return primitive_without_node(it, options);
    }
    let node = it.current_node.as_deref().or(it.pending_node.as_deref()).or(it.locked_to.as_deref());
    let lost = node.is_some_and(|node| is_unclean(it, node));
    primitive_line(it, &Line { name: it.common.name.clone(), node, lost }, options)
}

/// The same in a list below a node: the node is not repeated, the description is.
pub(super) fn primitive_without_node(it: &PrimitiveStatus, options: Options) -> String {
    let mut text =
        primitive_line(it, &Line { name: it.common.name.clone(), node: None, lost: false }, options);
    let told = it.nodes.len() > 1 || options.detail || options.descriptions;
    if let Some(description) = it.common.description.as_ref().filter(|_| !told) {
        text.push_str(&format!(" ({description})"));
    }
    text
}

/// Whether the node that a primitive may be shown on is offline and unclean.
fn is_unclean(it: &PrimitiveStatus, node: &str) -> bool {
    it.unclean_nodes.iter().any(|unclean| unclean == node)
}

/// Rule 3.50.3.
fn primitive_line(it: &PrimitiveStatus, line: &Line, options: Options) -> String {
    let several = it.nodes.len() > 1;
    let mut text = format!("{}\t({}):\t", line.name, it.agent);
    if it.common.removed {
        text.push_str(" ORPHANED");
    }
    let pending = it.pending_task.as_deref().filter(|_| options.pending);
    if it.common.failed {
        text.push_str(" FAILED");
        if it.role > Role::Unpromoted {
            text.push(' ');
            text.push_str(it.role.name());
        }
    } else {
        text.push(' ');
        text.push_str(pending.and_then(words::pending).unwrap_or(it.role.name()));
    }
    let node = line.node.filter(|_| !several);
    if let Some(node) = node {
        text.push(' ');
        text.push_str(node);
    }
    if let (Role::Stopped, Some((_, rc))) = (it.role, it.failed_probes.first()) {
        text.push_str(&format!(" ({}) ", words::result(*rc)));
    }
    let flags = primitive_flags(it, node, line.lost, pending);
    if !flags.is_empty() {
        text.push_str(&format!(" ({})", flags.join(", ")));
    }
    if several || options.detail || options.descriptions {
        if let Some(description) = &it.common.description {
            text.push_str(&format!(" ({description})"));
        }
    }
    if several && !options.without_nodes {
        let names: Vec<&str> = it.nodes.iter().map(|node| &*node.name).collect();
        text.push_str(&format!(" [ {} ]", names.join(" ")));
    }
    text
}

fn primitive_flags(
    it: &PrimitiveStatus,
    node: Option<&str>,
    lost: bool,
    pending: Option<&str>,
) -> Vec<String> {
    let mut flags = Vec::new();
    if node.is_some() && lost {
        flags.push("UNCLEAN".to_owned());
    }
    if node.is_some() && node == it.locked_to.as_deref() {
        flags.push("LOCKED".to_owned());
    }
    if pending == Some("monitor") {
        flags.push("Monitoring".to_owned());
    }
    match &it.common.target_role {
        Some(TargetRole::Stopped) => flags.push("disabled".to_owned()),
        Some(TargetRole::Unpromoted(text)) => flags.push(format!("target-role:{text}")),
        None => {}
    }
    if it.blocked {
        flags.push("blocked".to_owned());
    } else {
        flags.extend(management_flag(&it.common).map(str::to_owned));
    }
    if it.common.failure_ignored {
        flags.push("failure ignored".to_owned());
    }
    flags
}

/// `maintenance`, else `unmanaged`.
fn management_flag(common: &Common) -> Option<&'static str> {
    if common.maintenance {
        Some("maintenance")
    } else if !common.managed {
        Some("unmanaged")
    } else {
        None
    }
}

fn with_flags(title: String, flags: &[&str]) -> String {
    if flags.is_empty() { title } else { format!("{title} ({})", flags.join(", ")) }
}

fn described(title: String, common: &Common, options: Options) -> String {
    match &common.description {
        Some(description) if options.detail || options.descriptions => format!("{title} ({description})"),
        _ => title,
    }
}

/// A collective is disabled by any target role that keeps it from its best role.
fn disabled_flag(common: &Common) -> Option<&'static str> {
    common.target_role.is_some().then_some("disabled")
}

/// A group whose members are gathered by agent (rule 5b.5.3).
fn brief_group(it: &GroupStatus, options: Options, items: &mut Items) {
    items.list(&group_title(it, options), |items| {
        super::grouped::by_agent(it.members.iter(), true, options.inactive || options.detail, items);
    });
}

/// Rules 1.20.8 and 3.50.4.
fn group(it: &GroupStatus, options: Options, items: &mut Items) {
    items.list(&group_title(it, options), |items| {
        for member in it.members.iter().filter(|member| options.inactive || member.common.active) {
            items.marked(&primitive(member, options), class(member));
        }
    });
}

fn group_title(it: &GroupStatus, options: Options) -> String {
    let all = options.inactive || (options.brief && options.detail);
    let hidden = it.members.iter().filter(|member| !all && !member.common.active).count();
    let inactive = format!("{hidden} member{} inactive", if hidden == 1 { "" } else { "s" });
    let mut flags: Vec<&str> = Vec::new();
    if hidden > 0 {
        flags.push(&inactive);
    }
    flags.extend(disabled_flag(&it.common));
    flags.extend(management_flag(&it.common));
    described(with_flags(format!("Resource Group: {}", it.common.id), &flags), &it.common, options)
}

/// Rules 1.20.9 and 3.50.5.
fn clone(it: &CloneStatus, options: Options, items: &mut Items) {
    let mut flags = Vec::new();
    if it.promotable {
        flags.push("promotable");
    }
    if it.unique {
        flags.push("unique");
    }
    flags.extend(disabled_flag(&it.common));
    flags.extend(management_flag(&it.common));
    let title = with_flags(format!("Clone Set: {} [{}]", it.common.id, it.child), &flags);
    items.list(&described(title, &it.common, options), |items| clone_items(it, options, items));
}

fn clone_items(it: &CloneStatus, options: Options, items: &mut Items) {
    let mut promoted: Vec<&str> = Vec::new();
    let mut started: Vec<&str> = Vec::new();
    let mut stopped: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for instance in &it.instances {
        let common = instance.resource.common();
        if is_shown_in_full(it, instance, options) {
            resource(&instance.resource, options, items);
        } else if !common.active {
            if !common.removed {
                stopped.entry("Stopped".to_owned()).or_default().push(&common.id);
            }
        } else if let Some(location) = instance.location.as_deref() {
            if instance.role > Role::Unpromoted { promoted.push(location) } else { started.push(location) }
        }
    }
    if options.detail {
        // each instance has been told by itself
        return;
    }
    let active = promoted.len() + started.len();
    for names in [&mut promoted, &mut started] {
        names.sort_by(|a, b| cib::value::compare_node_names(a, b));
    }
    gathered("Promoted", &promoted, items);
    gathered(started_title(it), &started, items);
    if !options.inactive {
        return;
    }
    if !it.unique && usize::try_from(it.max).is_ok_and(|max| max > active) {
        stopped = free_nodes_by_state(it);
    }
    for (state, names) in stopped {
        gathered(&state, &names, items);
    }
}

fn gathered(title: &str, names: &[&str], items: &mut Items) {
    if !names.is_empty() {
        items.item(&format!("{title}: [ {} ]", names.join(" ")));
    }
}

fn is_shown_in_full(it: &CloneStatus, instance: &InstanceStatus, options: Options) -> bool {
    let common = instance.resource.common();
    // of a unique clone even the one that is removed because clone-max is 0
    if it.unique || options.detail {
        return true;
    }
    (instance.pending && options.pending)
        || (common.active
            && (instance.notable
                || !common.fully_active
                || instance.location.is_none()
                || instance.location_lost))
}

/// How the target role of the clone, else of its first instance, limits it.
fn configured_target(it: &CloneStatus) -> Option<&TargetRole> {
    let own = it.common.configured_target_role.as_deref().and_then(Role::parse);
    let decides = match own.filter(|role| *role != Role::Unknown) {
        Some(_) => Some(&it.common),
        None => it.instances.first().map(|instance| instance.resource.common()),
    };
    decides?.target_role.as_ref()
}

fn started_title(it: &CloneStatus) -> &'static str {
    if !it.promotable {
        return "Started";
    }
    match configured_target(it) {
        Some(TargetRole::Unpromoted(_)) => "Unpromoted (target-role)",
        _ => "Unpromoted",
    }
}

fn free_nodes_by_state(it: &CloneStatus) -> BTreeMap<String, Vec<&str>> {
    let mut states: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let disabled = configured_target(it) == Some(&TargetRole::Stopped);
    for node in &it.free_nodes {
        let state = match node.failed_probe {
            Some(rc) => format!("Stopped ({})", words::result(rc)),
            None if disabled => "Stopped (disabled)".to_owned(),
            None => "Stopped".to_owned(),
        };
        states.entry(state).or_default().push(&node.name);
    }
    states
}

/// Rules 1.20.10 and 3.50.6.
fn bundle(it: &BundleStatus, options: Options, items: &mut Items) {
    let set = if it.size > 1 { " set" } else { "" };
    let mut title = format!("Container bundle{set}: {} [{}]", it.common.id, it.image);
    if it.unique {
        title.push_str(" (unique)");
    }
    let mut title = described(title, &it.common, options);
    if let Some(flag) = management_flag(&it.common) {
        title.push_str(&format!(" ({flag})"));
    }
    items.list(&title, |items| {
        for replica in &it.replicas {
            if options.detail {
                if it.size > 1 {
                    items.item(&format!("Replica[{}]", replica.number));
                }
                items.deeper(|items| replica_parts(replica, options, items));
                continue;
            }
            let shown = replica.child.as_ref().unwrap_or(&replica.container);
            let named = replica.connection.as_ref().unwrap_or(&replica.container);
            let mut name = named.common.name.clone();
            if let Some(address) = &replica.address {
                name.push_str(&format!(" ({address})"));
            }
            let locked = shown.locked_to.as_deref();
            let node =
                replica.container.current_node.as_deref().or(locked).filter(|_| !options.without_nodes);
            let lost = node.is_some_and(|node| is_unclean(&replica.container, node));
            let line = Line { name, node, lost };
            items.marked(&primitive_line(shown, &line, options), class(shown));
        }
    });
}

/// Everything that a replica consists of, where details are asked for.
fn replica_parts(replica: &ReplicaStatus, options: Options, items: &mut Items) {
    let parts =
        [replica.ip.as_ref(), replica.child.as_ref(), Some(&replica.container), replica.connection.as_ref()];
    for part in parts.into_iter().flatten() {
        items.marked(&primitive(part, options), class(part));
    }
}
