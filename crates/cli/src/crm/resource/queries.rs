//! What can be asked about resources (rules 5a.5.2, 5a.5.3, 5a.5.8).

use cib::value::Role;
use view::markup::{Markup, boolean};
use view::status::text::{self, Items};
use view::status::{NodeStatus, PrimitiveStatus, ResourceStatus, Status, words};
use xml::Element;

use super::{Call, find};
use crate::crm::output::Output;
use crate::outlook::Side;
use crate::session::Problem;

/// One level, without node names (`-L`).
pub fn list(call: &Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let mut status = call.status().clone();
    if let Some(id) = call.given.value("resource") {
        status.resources.retain(|resource| resource.common().id == id);
    }
    let mut items = Items::new(1);
    text::resources(&status, text::Options { without_nodes: true, ..options() }, &mut items);
    out.line("Full List of Resources:");
    out.block(&items.into_text());
    if out.is_xml {
        let document = view::status::xml::resources(&status);
        out.xml.append_text(&document.to_pretty());
    }
    Ok(0)
}

fn options() -> text::Options {
    text::Options { inactive: true, pending: true, ..Default::default() }
}

/// Ids of what is instantiated.
pub fn list_raw(call: &Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let mut parts = Vec::new();
    for resource in &call.status().resources {
        let first = parts.len();
        parts.extend(view::status::monitor::primitives_of(resource));
        if let ResourceStatus::Bundle(bundle) = resource {
            // what runs inside comes after all that it needs
            let inside: Vec<&str> =
                bundle.replicas.iter().filter_map(|it| it.child.as_ref()).map(|it| &*it.common.id).collect();
            parts[first..].sort_by_key(|part| inside.contains(&&*part.common.id));
        }
    }
    let ids: Vec<&str> = parts.into_iter().map(|part| part.common.id.as_str()).collect();
    if ids.is_empty() {
        out.error("NO resources configured");
        return Ok(105);
    }
    out.xml.open("resources", &[]);
    for id in ids {
        out.line(id);
        out.xml.leaf("resource", &[("id", id)]);
    }
    out.xml.close();
    Ok(0)
}

/// Rule 5a.5.2, `-O` and `-o`.
pub fn operations(call: &Call<'_>, command: &str, out: &mut Output) -> Result<u8, Problem> {
    let status = call.document.root_element().child("status");
    let states = status.into_iter().flat_map(|status| status.children_named("node_state"));
    out.xml.open("operations", &[]);
    for state in states {
        let node = state.attr("uname").or_else(|| state.attr("id")).unwrap_or_default();
        // what a node did counts only while the node does, or is waited for until it is fenced
        let is_down = |it: &NodeStatus| it.name == node && !it.online;
        if !call.outlook.fencing_enabled && call.status().nodes.iter().any(is_down) {
            continue;
        }
        if call.given.value("node").is_some_and(|asked| asked != node) {
            continue;
        }
        for history in state.descendants().filter(|element| element.name() == "lrm_resource") {
            let id = history.attr("id").unwrap_or_default();
            if call.given.value("resource").is_some_and(|asked| asked != id) {
                continue;
            }
            for entry in entries(history, command == "list-operations") {
                operation(call, id, node, history, entry, out);
            }
        }
    }
    out.xml.close();
    Ok(0)
}

/// Entries in the order of their calls; for active resources only those since the last start, whatever came of it.
fn entries(history: Element<'_>, only_active: bool) -> Vec<Element<'_>> {
    let number = |entry: &Element<'_>, name: &str| {
        entry.attr(name).and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1)
    };
    let mut entries: Vec<Element<'_>> = history.children_named("lrm_rsc_op").collect();
    // what is under way has no number yet
    entries.sort_by_key(|entry| Some(number(entry, "call-id")).filter(|call| *call >= 0).unwrap_or(i64::MAX));
    if !only_active {
        return entries;
    }
    let is_any =
        |entry: &Element<'_>, tasks: &[&str]| tasks.contains(&entry.attr("operation").unwrap_or_default());
    let last = |tasks: &[&str]| entries.iter().rposition(|entry| is_any(entry, tasks));
    let stop = entries.iter().rposition(|entry| is_any(entry, &["stop"]) && number(entry, "op-status") == 0);
    let found_active = |(at, entry): (usize, &Element<'_>)| {
        (is_any(entry, &["monitor"]) && Some(at) > stop && matches!(number(entry, "rc-code"), 0 | 8))
            .then_some(at)
    };
    let begin = last(&["start", "migrate_from"])
        .or_else(|| last(&["promote", "demote"]))
        .or_else(|| entries.iter().enumerate().find_map(found_active));
    match (begin, stop) {
        (Some(begin), Some(stop)) if stop > begin => Vec::new(),
        (Some(begin), _) => entries.split_off(begin),
        (None, Some(_)) => Vec::new(),
        (None, None) => entries,
    }
}

fn operation(
    call: &Call<'_>,
    id: &str,
    node: &str,
    history: Element<'_>,
    entry: Element<'_>,
    out: &mut Output,
) {
    let get = |name: &str| entry.attr(name).unwrap_or_default();
    let parts = call.parts(id);
    let part = parts.first();
    let agent = part.map_or_else(
        || {
            let words = ["class", "provider", "type"].into_iter().filter_map(|name| history.attr(name));
            words.collect::<Vec<_>>().join(":")
        },
        |part| part.agent.clone(),
    );
    // the resource as a whole, as a line of a list shows it
    let shown = text::Options { without_nodes: true, ..options() };
    let state = part
        .map_or_else(|| format!("{id}\t({agent}):\t ORPHANED Stopped"), |part| text::primitive(part, shown));
    let changed = get("last-rc-change").parse::<i64>().ok().map(crate::mon::ctime);
    let took = entry.attr("exec-time");
    let status = get("op-status").parse().unwrap_or(-2);
    // rule 4.14.1: agents look for these words at the end of a line
    let last_word = match status {
        -1 => "pending",
        0 => "complete",
        other => words::execution(other),
    };
    let status = words::execution(status);
    let key = entry.attr("operation_key").unwrap_or_else(|| get("id"));
    let mut line = format!("{state}: {key} (node={node}, call={}, rc={}", get("call-id"), get("rc-code"));
    if let Some(at) = &changed {
        line.push_str(&format!(", last-rc-change='{at}'"));
    }
    if let Some(took) = took {
        line.push_str(&format!(", exec={took}ms"));
    }
    out.line(format!("{line}): {last_word}"));
    let class = |name: &str| history.attr(name).unwrap_or_default();
    // here the place of a missing provider stays
    let agent = format!("{}:{}:{}", class("class"), class("provider"), class("type"));
    let mut attributes = vec![
        ("op", key),
        ("node", node),
        ("call", get("call-id")),
        ("rc", get("rc-code")),
        ("status", status),
        ("rsc", id),
        ("agent", &agent),
    ];
    attributes.extend(changed.as_deref().map(|at| ("last-rc-change", at)));
    attributes.extend(took.map(|took| ("exec-time", took)));
    out.xml.leaf("operation", &attributes);
}

/// A status line and the element; with the template's content if `expanded`.
pub fn xml(call: &Call<'_>, expanded: bool, out: &mut Output) -> Result<u8, Problem> {
    let id = call.resource()?;
    let base = id.split_once(':').map_or(id, |(base, _)| base);
    let element = call.element(id).or_else(|| call.element(base));
    let element = element.ok_or_else(|| Problem::new(105, format!("Resource '{id}' is not configured")))?;
    let text = if expanded { expand(call, element) } else { element.doc.element_to_pretty(element.id()) };
    if let Some(resource) = find(call.status(), id) {
        let mut status = call.status().clone();
        status.resources = vec![resource.clone()];
        let mut items = Items::new(0);
        text::resources(&status, options(), &mut items);
        for line in items.into_text().lines() {
            out.line(line.strip_prefix("* ").unwrap_or(line));
        }
        out.xml.open("resource_config", &[]);
        let document = view::status::xml::resources(&status);
        for line in document.children(document.root()) {
            out.xml.append_text(&document.element_to_pretty(line));
        }
    } else {
        out.xml.open("resource_config", &[]);
        if let Some(part) = call.parts(id).first() {
            out.line(text::primitive(part, options()));
        }
    }
    out.line("Resource XML:");
    out.block(&text);
    out.xml.literal("xml", &[], &text);
    out.xml.close();
    Ok(0)
}

/// The element with what its template adds.
fn expand(call: &Call<'_>, element: Element<'_>) -> String {
    let mut copy = element.doc.extract(element.id());
    let Some(template) = element.attr("template").and_then(|id| call.element(id)) else {
        return copy.to_pretty();
    };
    let root = copy.root();
    copy.remove_attribute(root, "template");
    for (name, value) in template.attributes().filter(|(name, _)| *name != "id") {
        copy.set_attribute(root, name, value);
    }
    for (index, child) in template.children().enumerate() {
        copy.import(root, Some(index), template.doc, child.id());
    }
    copy.to_pretty()
}

/// Rule 5a.5.2, `-W`.
pub fn locate(call: &Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let id = call.resource()?;
    let mut places: Vec<(&str, bool)> = Vec::new();
    for part in call.parts(id) {
        for on in &part.nodes {
            match places.iter_mut().find(|(name, _)| *name == on.name) {
                Some((_, promoted)) => *promoted |= part.role == Role::Promoted,
                None => places.push((&on.name, part.role == Role::Promoted)),
            }
        }
    }
    places.sort_by(|a, b| cib::value::compare_node_names(a.0, b.0));
    if places.is_empty() && !out.is_xml {
        out.error(format!("resource {id} is NOT running"));
    }
    out.xml.open("nodes", &[("resource", id)]);
    for (node, promoted) in places {
        if out.quiet {
            out.line(node);
        } else {
            let role = if promoted { " Promoted" } else { "" };
            out.line(format!("resource {id} is running on: {node}{role}"));
        }
        let attributes: &[(&str, &str)] = if promoted { &[("state", "promoted")] } else { &[] };
        out.xml.text("node", attributes, node);
    }
    out.xml.close();
    Ok(0)
}

// ---- constraints

/// Rule 5a.5.3.
pub fn constraints(call: &Call<'_>, recursive: bool, out: &mut Output) -> Result<u8, Problem> {
    let asked = call.resource()?;
    let id = if call.given.has("force") { asked.to_owned() } else { call.top(asked) };
    out.xml.open("constraints", &[]);
    let mut lines = Vec::new();
    locations(call, &id, "", &mut lines, &mut out.xml);
    for side in [Side::Dependents, Side::Primaries] {
        let mut walk = Walk { call, side, recursive, seen: vec![id.clone()] };
        walk.section(&id, 0, &mut lines, &mut out.xml);
    }
    out.xml.close();
    for line in lines {
        out.line(line);
    }
    Ok(0)
}

/// Along the colocations of one side, each resource once.
struct Walk<'w> {
    call: &'w Call<'w>,
    side: Side,
    recursive: bool,
    seen: Vec<String>,
}

impl Walk<'_> {
    fn section(&mut self, id: &str, depth: usize, lines: &mut Vec<String>, xml: &mut Markup) {
        let call = self.call;
        let pad = "  ".repeat(depth);
        // a section inside another is an item of it
        let item = if depth > 0 { "* " } else { "" };
        let title = match self.side {
            Side::Dependents => format!("{pad}{item}Resources colocated with {id}:"),
            Side::Primaries => format!("{pad}{item}Resources {id} is colocated with:"),
        };
        let mut title = Some(title);
        for it in call.outlook.colocations(id, self.side) {
            let (other, word) = match self.side {
                Side::Dependents => (&it.dependent, "needs"),
                Side::Primaries => (&it.primary, "with"),
            };
            lines.extend(title.take());
            if self.seen.contains(other) {
                lines.push(format!("{pad}  * {other} (id={} - loop)", it.id));
                continue;
            }
            let role =
                it.primary_role.as_ref().map(|role| format!(", {word} role={role}")).unwrap_or_default();
            let score = score_text(it.score);
            lines.push(format!("{pad}  * {other} (score={score}{role}, id={})", it.id));
            let mut attributes = vec![
                ("id", &*it.id),
                ("rsc", &*it.dependent),
                ("with-rsc", &*it.primary),
                ("score", &*score),
            ];
            let optional = [
                ("node-attribute", &it.node_attribute),
                ("rsc-role", &it.dependent_role),
                ("with-rsc-role", &it.primary_role),
            ];
            attributes
                .extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
            xml.leaf("rsc_colocation", &attributes);
            nested_locations(call, other, depth + 2, lines, xml);
            if self.recursive {
                self.seen.push(other.clone());
                self.section(other, depth + 2, lines, xml);
            }
        }
    }
}

/// The location constraints of a resource that is only mentioned.
fn nested_locations(call: &Call<'_>, id: &str, depth: usize, lines: &mut Vec<String>, xml: &mut Markup) {
    let pad = "  ".repeat(depth);
    let begun = lines.len();
    locations(call, id, &pad, lines, xml);
    if lines.len() > begun {
        lines[begun] = format!("{pad}* Locations:");
    }
}

/// What the scheduler made of the location constraints, so that rules are evaluated.
fn locations(call: &Call<'_>, id: &str, pad: &str, lines: &mut Vec<String>, xml: &mut Markup) {
    let mut titled = false;
    for location in call.outlook.locations() {
        if call.top(&location.resource) != id && location.resource != id {
            continue;
        }
        if !titled {
            lines.push(format!("{pad}Locations:"));
            titled = true;
        }
        let score = score_text(location.score);
        let role = location.role.as_ref().map(|role| format!(", role={role}")).unwrap_or_default();
        lines.push(format!(
            "{pad}  * Node {} (score={score}, id={}, rsc={}{role})",
            location.node, location.id, location.resource
        ));
        let mut attributes = vec![
            ("node", &*location.node),
            ("rsc", &*location.resource),
            ("id", &*location.id),
            ("score", &*score),
        ];
        attributes.extend(location.role.as_deref().map(|role| ("role", role)));
        xml.leaf("rsc_location", &attributes);
    }
}

fn score_text(score: i32) -> String {
    match score {
        1_000_000.. => "INFINITY".to_owned(),
        i32::MIN..=-1_000_000 => "-INFINITY".to_owned(),
        score => score.to_string(),
    }
}

// ---- why

/// Rule 5a.5.8.
pub fn why(call: &Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let node = call.given.value("node");
    let ids: Vec<String> = match call.given.value("resource") {
        Some(id) => vec![id.to_owned()],
        // a node is asked what runs on it, instance by instance
        None if node.is_some() => view::status::monitor::primitives(call.status())
            .into_iter()
            .filter(|part| part.nodes.iter().any(|on| Some(on.name.as_str()) == node))
            .map(|part| part.common.id.clone())
            .collect(),
        None => call
            .status()
            .resources
            .iter()
            .map(ResourceStatus::common)
            .filter(|common| !common.internal)
            .map(|common| common.id.clone())
            .collect(),
    };
    let single = call.given.has("resource");
    let mut checks = Markup::new();
    for id in ids {
        let on: Vec<&str> = call
            .parts(&id)
            .into_iter()
            .flat_map(|part| part.nodes.iter().map(|on| on.name.as_str()))
            .collect();
        let running = node.map_or(!on.is_empty(), |node| on.contains(&node));
        let word = if running { "running" } else { "not running" };
        let host = node.map(|node| format!(" on host {node}")).unwrap_or_default();
        let elsewhere = node
            .filter(|node| !running && call.outlook.planned_on(&id).iter().any(|planned| planned == node));
        match elsewhere {
            Some(node) => {
                out.line(format!("Resource {id} is assigned to host {node} but not running"));
            }
            None => out.line(format!("Resource {id} is {word}{host}")),
        }
        if !single {
            let mut attributes = vec![("id", &*id), ("running", boolean(running))];
            attributes.extend(node.map(|node| ("host", node)));
            checks.open("resource", &attributes);
        }
        check(call, &id, &mut checks, out);
        if !single {
            checks.close();
        } else {
            let mut attributes = vec![("running", boolean(running))];
            attributes.extend(node.map(|node| ("host", node)));
            out.xml.open("reason", &attributes);
        }
    }
    if single {
        out.xml.append(&checks);
        out.xml.close();
    } else {
        out.xml.open("reason", &[]);
        out.xml.open("resources", &[]);
        out.xml.append(&checks);
        out.xml.close();
        out.xml.close();
    }
    Ok(0)
}

fn check(call: &Call<'_>, id: &str, xml: &mut Markup, out: &mut Output) {
    let mut attributes = vec![("id", id)];
    let parts = call.parts(id);
    let common = find(call.status(), id)
        .map(ResourceStatus::common)
        .or_else(|| parts.first().map(|part| &part.common));
    if let Some(common) = common {
        match &common.target_role {
            Some(view::status::TargetRole::Stopped) => {
                out.line(format!("Configuration specifies '{id}' should remain stopped"));
                attributes.push(("remain_stopped", "true"));
            }
            Some(view::status::TargetRole::Unpromoted(_)) => {
                out.line(format!("Configuration specifies '{id}' should not be promoted"));
                attributes.push(("unpromotable", "true"));
            }
            None => {}
        }
        if !common.managed {
            out.line(format!("Configuration prevents cluster from stopping or starting unmanaged '{id}'"));
            attributes.push(("unmanaged", "true"));
        }
    }
    let lock = parts.iter().find_map(|part| part.locked_to.as_deref());
    if let Some(node) = lock {
        out.line(format!("Resource '{id}' is locked to node '{node}' due to shutdown"));
        attributes.push(("locked-to", node));
    }
    if is_on_unhealthy(call.status(), &parts) {
        out.line(format!("'{id}' cannot run on unhealthy nodes due to node-health-strategy"));
        attributes.push(("unhealthy", "true"));
    }
    xml.leaf("check", &attributes);
}

fn is_on_unhealthy(status: &Status, parts: &[&PrimitiveStatus]) -> bool {
    let stopped = !parts.is_empty() && parts.iter().all(|part| part.nodes.is_empty());
    stopped && status.nodes.iter().any(|node| node.health == scheduler::state::Health::Red)
}

/// Rule 5a.5.10.
pub fn digests(call: &Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let (id, node) = (call.resource()?, call.node()?);
    let mut parameters: std::collections::BTreeMap<String, String> =
        super::parameters::values(call, id, "instance_attributes").into_iter().collect();
    let (mut interval, mut task) = ("0".to_owned(), "start".to_owned());
    for word in &call.given.words {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| crate::crm::usage(format!("'{word}' is not a parameter; NAME=VALUE is needed")))?;
        match name {
            "CRM_meta_interval" => {
                value.clone_into(&mut interval);
                if value != "0" {
                    "monitor".clone_into(&mut task);
                }
            }
            name if name.starts_with("CRM_meta_") => {}
            name => {
                parameters.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    let private = super::agents::marked_parameters(call, id);
    let kinds: [(&str, &str, &[String]); 3] = [
        ("all", "all parameters", &[]),
        ("nonprivate", "non-private parameters", &private.private),
        ("nonreloadable", "non-reloadable parameters", &private.reloadable),
    ];
    let interval = format!("{interval}ms");
    out.xml.open("digests", &[("resource", id), ("node", node), ("task", &task), ("interval", &interval)]);
    for (kind, title, left_out) in kinds {
        if kind == "nonreloadable" && private.reloadable.is_empty() {
            continue;
        }
        let mut document = xml::Document::new("parameters");
        let root = document.root();
        for (name, value) in parameters.iter().filter(|(name, _)| !left_out.contains(name)) {
            document.set_attribute(root, name, value);
        }
        let hash = cib::digest::on_disk_element(&document, root);
        out.line(format!("{hash} ({title})"));
        out.xml.open("digest", &[("type", kind), ("hash", &hash)]);
        let attributes: Vec<(&str, &str)> = document.attributes(root).collect();
        out.xml.leaf("parameters", &attributes);
        out.xml.close();
    }
    out.xml.close();
    Ok(0)
}
