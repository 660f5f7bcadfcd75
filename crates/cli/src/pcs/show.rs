//! How pcs shows a configuration: resources, fence devices, constraints, properties (rules 5d.3.3, 5d.5.5, 5d.9.2).

use xml::NodeId;

use super::property;
use crate::configuration::Configuration;

/// The whole of `pcs config`.
pub fn config(configuration: &Configuration, cluster_name: &str, members: &[String]) -> Vec<String> {
    let mut lines = vec![
        format!("Cluster Name: {cluster_name}"),
        "Corosync Nodes:".to_owned(),
        format!(" {}", members.join(" ")),
        "Pacemaker Nodes:".to_owned(),
        format!(" {}", configuration.node_names().join(" ")),
    ];
    let sections: Vec<(&str, Vec<String>)> = vec![
        ("Resources:", indented(resources(configuration, &[], false))),
        ("Stonith Devices:", indented(resources(configuration, &[], true))),
        ("Fencing Levels:", indented(levels(configuration))),
        ("", constraints(configuration, true)),
        ("Resources Defaults:", indented(defaults(configuration, "rsc_defaults"))),
        ("Operations Defaults:", indented(defaults(configuration, "op_defaults"))),
        ("", properties(configuration)),
        ("Tags:", indented(tags(configuration))),
    ];
    for (header, body) in sections {
        if body.is_empty() {
            continue;
        }
        lines.push(String::new());
        if !header.is_empty() {
            lines.push(header.to_owned());
        }
        lines.extend(body);
    }
    lines
}

fn indented(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

fn defaults(configuration: &Configuration, section: &str) -> Vec<String> {
    let lines = property::show_defaults(configuration, section);
    if lines.first().is_some_and(|line| line == "No defaults set") { Vec::new() } else { lines }
}

/// `pcs property config`.
pub fn properties(configuration: &Configuration) -> Vec<String> {
    let Some(section) = configuration.section("crm_config") else { return Vec::new() };
    let mut lines = Vec::new();
    for set in configuration.children(section) {
        let mut pairs = configuration.pairs(set);
        pairs.sort();
        lines.push(format!("Cluster Properties: {}", configuration.id(set)));
        lines.extend(pairs.iter().map(|(name, value)| format!("  {name}={}", quoted(value))));
    }
    lines
}

fn tags(configuration: &Configuration) -> Vec<String> {
    let Some(section) = configuration.section("tags") else { return Vec::new() };
    let mut lines = Vec::new();
    for tag in configuration.children(section) {
        lines.push(configuration.id(tag).to_owned());
        lines.extend(
            configuration.children(tag).iter().map(|reference| format!("  {}", configuration.id(*reference))),
        );
    }
    lines
}

/// `pcs stonith level config`.
pub fn levels(configuration: &Configuration) -> Vec<String> {
    let Some(section) = configuration.section("fencing-topology") else { return Vec::new() };
    let mut lines: Vec<String> = Vec::new();
    let mut last = String::new();
    for level in configuration.children(section) {
        let attribute = |name| configuration.attribute(level, name);
        let target = if !attribute("target").is_empty() {
            format!("Target (node): {}", attribute("target"))
        } else if !attribute("target-pattern").is_empty() {
            format!("Target (regexp): {}", attribute("target-pattern"))
        } else {
            format!("Target (attribute): {}={}", attribute("target-attribute"), attribute("target-value"))
        };
        if target != last {
            lines.push(target.clone());
            last = target;
        }
        lines.push(format!("  Level {}: {}", attribute("index"), attribute("devices").replace(',', " ")));
    }
    lines
}

/// The fencing levels below a list of devices; nothing if there are none.
pub fn level_section(configuration: &Configuration) -> Vec<String> {
    let levels = levels(configuration);
    if levels.is_empty() {
        return levels;
    }
    [String::new(), "Fencing Levels:".to_owned()].into_iter().chain(indented(levels)).collect()
}

/// `pcs resource config [R…]` and `pcs stonith config [F…]`: primitives, groups, clones, bundles.
pub fn resources(configuration: &Configuration, only: &[String], fence_devices: bool) -> Vec<String> {
    let mut chosen = chosen(configuration, only, fence_devices);
    let rank = |element: &NodeId| match configuration.name(*element) {
        "primitive" => 0,
        "group" => 1,
        "clone" | "master" => 2,
        _ => 3,
    };
    if only.is_empty() {
        chosen.sort_by_key(rank);
    }
    chosen.into_iter().flat_map(|element| resource(configuration, element)).collect()
}

/// The resources of one family, or those that are named, as the configuration has them.
pub(super) fn chosen(configuration: &Configuration, only: &[String], fence_devices: bool) -> Vec<NodeId> {
    let Some(section) = configuration.section("resources") else { return Vec::new() };
    let mut chosen: Vec<NodeId> = if only.is_empty() {
        configuration.children(section)
    } else {
        only.iter().filter_map(|id| configuration.resource(id)).collect()
    };
    chosen.retain(|element| {
        super::super::configuration::RESOURCE_TAGS.contains(&configuration.name(*element))
            && configuration.is_fence_device(*element) == fence_devices
    });
    chosen
}

fn resource(configuration: &Configuration, element: NodeId) -> Vec<String> {
    match configuration.name(element) {
        "primitive" => primitive(configuration, element),
        "bundle" => bundle(configuration, element),
        tag => {
            let title = if tag == "group" { "Group" } else { "Clone" };
            let mut lines = vec![format!("{title}: {}", configuration.id(element))];
            lines.extend(indented(attribute_sets(configuration, element)));
            for child in configuration.children(element) {
                if super::super::configuration::RESOURCE_TAGS.contains(&configuration.name(child)) {
                    lines.extend(indented(resource(configuration, child)));
                }
            }
            lines
        }
    }
}

fn primitive(configuration: &Configuration, element: NodeId) -> Vec<String> {
    let attribute = |name| configuration.document.attribute(element, name);
    let agent: Vec<String> = ["class", "provider", "type"]
        .into_iter()
        .filter_map(|name| attribute(name).map(|value| format!("{name}={value}")))
        .collect();
    let agent = match attribute("template") {
        Some(template) => format!("template={template}"),
        None => agent.join(" "),
    };
    let mut lines = vec![format!("Resource: {} ({agent})", configuration.id(element))];
    if let Some(text) = attribute("description") {
        lines.push(format!("  Description: {text}"));
    }
    lines.extend(indented(attribute_sets(configuration, element)));
    let operations: Vec<NodeId> = configuration
        .children(element)
        .into_iter()
        .filter(|child| configuration.name(*child) == "operations")
        .flat_map(|operations| configuration.children(operations))
        .collect();
    if !operations.is_empty() {
        lines.push("  Operations:".into());
        for operation in operations {
            lines.extend(operation_lines(configuration, operation));
        }
    }
    lines
}

fn operation_lines(configuration: &Configuration, operation: NodeId) -> Vec<String> {
    let first = ["interval", "timeout"];
    let mut options: Vec<String> = first
        .into_iter()
        .filter_map(|name| {
            configuration.document.attribute(operation, name).map(|value| format!("{name}={value}"))
        })
        .collect();
    options.extend(
        configuration
            .document
            .attributes(operation)
            .filter(|(name, _)| !first.contains(name) && *name != "name" && *name != "id")
            .map(|(name, value)| (name, if name == "role" { modern_role(value) } else { value }))
            .map(|(name, value)| format!("{name}={}", quoted(value))),
    );
    let mut lines = vec![
        format!("    {}: {}", configuration.attribute(operation, "name"), configuration.id(operation)),
        format!("      {}", options.join(" ")),
    ];
    for set in configuration.children(operation) {
        lines.extend(
            configuration.pairs(set).iter().map(|(name, value)| format!("      {name}={}", quoted(value))),
        );
    }
    lines
}

/// A role in the newer words.
pub(super) fn modern_role(role: &str) -> &str {
    match role {
        "Master" => "Promoted",
        "Slave" => "Unpromoted",
        other => other,
    }
}

fn attribute_sets(configuration: &Configuration, element: NodeId) -> Vec<String> {
    let mut lines = Vec::new();
    for (tag, title) in [
        ("instance_attributes", "Attributes"),
        ("meta_attributes", "Meta Attributes"),
        ("utilization", "Utilization"),
    ] {
        for set in configuration.children(element) {
            if configuration.name(set) != tag {
                continue;
            }
            let mut pairs = configuration.pairs(set);
            let rule = configuration.child(set, "rule");
            if pairs.is_empty() && rule.is_none() {
                continue;
            }
            pairs.sort();
            lines.push(format!("{title}: {}", configuration.id(set)));
            lines.extend(pairs.iter().map(|(name, value)| format!("  {name}={}", quoted(value))));
            lines.extend(rule.into_iter().flat_map(|rule| indented(rule_lines(configuration, rule, false))));
        }
    }
    lines
}

fn bundle(configuration: &Configuration, element: NodeId) -> Vec<String> {
    let mut lines = vec![format!("Bundle: {}", configuration.id(element))];
    let inline = |child: NodeId, skip: &[&str]| -> String {
        configuration
            .document
            .attributes(child)
            .filter(|(name, _)| !skip.contains(name))
            .map(|(name, value)| format!("{name}={}", quoted(value)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    for child in configuration.children(element) {
        match configuration.name(child) {
            "docker" => lines.push(format!("  Docker: {}", inline(child, &[]))),
            "podman" => lines.push(format!("  Podman: {}", inline(child, &[]))),
            "network" => {
                lines.push(format!("  Network: {}", inline(child, &[])));
                let ports = configuration.children(child);
                if !ports.is_empty() {
                    lines.push("  Port Mapping:".into());
                    lines.extend(
                        ports.iter().map(|port| {
                            format!("    {} ({})", inline(*port, &["id"]), configuration.id(*port))
                        }),
                    );
                }
            }
            "storage" => {
                lines.push("  Storage Mapping:".into());
                lines.extend(configuration.children(child).iter().map(|mapping| {
                    format!("    {} ({})", inline(*mapping, &["id"]), configuration.id(*mapping))
                }));
            }
            "primitive" => lines.extend(indented(resource(configuration, child))),
            _ => {}
        }
    }
    lines.extend(indented(attribute_sets(configuration, element)));
    lines
}

/// Values with blanks are double-quoted.
fn quoted(value: &str) -> String {
    if value.is_empty() || value.contains(char::is_whitespace) || value.contains('"') {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        value.to_owned()
    }
}

/// `pcs constraint [config] [--full]`; ids only with `full`. Empty sections are left out.
pub fn constraints(configuration: &Configuration, full: bool) -> Vec<String> {
    let Some(section) = configuration.section("constraints") else { return Vec::new() };
    let all = configuration.children(section);
    let of = |tag: &str, sets: bool| -> Vec<NodeId> {
        all.iter()
            .copied()
            .filter(|element| {
                configuration.name(*element) == tag
                    && configuration.child(*element, "resource_set").is_some() == sets
            })
            .collect()
    };
    let parts: Vec<(&str, Vec<String>)> = vec![
        (
            "Location Constraints:",
            of("rsc_location", false)
                .into_iter()
                .flat_map(|element| location(configuration, element, full))
                .collect(),
        ),
        (
            "Colocation Constraints:",
            of("rsc_colocation", false)
                .into_iter()
                .flat_map(|element| colocation(configuration, element, full))
                .collect(),
        ),
        (
            "Colocation Set Constraints:",
            of("rsc_colocation", true)
                .into_iter()
                .flat_map(|element| set_constraint(configuration, element, full))
                .collect(),
        ),
        (
            "Order Constraints:",
            of("rsc_order", false)
                .into_iter()
                .flat_map(|element| order(configuration, element, full))
                .collect(),
        ),
        (
            "Order Set Constraints:",
            of("rsc_order", true)
                .into_iter()
                .flat_map(|element| set_constraint(configuration, element, full))
                .collect(),
        ),
        (
            "Ticket Constraints:",
            of("rsc_ticket", false)
                .into_iter()
                .flat_map(|element| ticket(configuration, element, full))
                .collect(),
        ),
        (
            "Ticket Set Constraints:",
            of("rsc_ticket", true)
                .into_iter()
                .flat_map(|element| set_constraint(configuration, element, full))
                .collect(),
        ),
    ];
    let mut lines = Vec::new();
    for (header, body) in parts {
        if !body.is_empty() {
            lines.push(header.to_owned());
            lines.extend(indented(body));
        }
    }
    lines
}

fn id_suffix(configuration: &Configuration, element: NodeId, full: bool) -> String {
    if full { format!(" (id: {})", configuration.id(element)) } else { String::new() }
}

fn location(configuration: &Configuration, element: NodeId, full: bool) -> Vec<String> {
    let attribute = |name| configuration.document.attribute(element, name);
    let subject = match attribute("rsc-pattern") {
        Some(pattern) => format!("resource pattern '{pattern}'"),
        None => format!("resource '{}'", attribute("rsc").unwrap_or("")),
    };
    let suffix = id_suffix(configuration, element, full);
    if let Some(node) = attribute("node") {
        let score = attribute("score").unwrap_or("INFINITY");
        let (verb, amount) = match score.strip_prefix('-') {
            Some(amount) => ("avoids", amount),
            None => ("prefers", score),
        };
        let discovery = attribute("resource-discovery")
            .map(|mode| vec![format!("  resource-discovery={mode}")])
            .unwrap_or_default();
        let mut lines = vec![format!("{subject} {verb} node '{node}' with score {amount}{suffix}")];
        lines.extend(discovery);
        return lines;
    }
    let mut lines = vec![format!("{subject}{suffix}"), "  Rules:".to_owned()];
    for rule in configuration.children(element) {
        if configuration.name(rule) == "rule" {
            lines.extend(rule_lines(configuration, rule, full).into_iter().map(|line| format!("    {line}")));
        }
    }
    lines
}

fn rule_lines(configuration: &Configuration, rule: NodeId, full: bool) -> Vec<String> {
    let mut head =
        format!("Rule: boolean-op={}", configuration.document.attribute(rule, "boolean-op").unwrap_or("and"));
    for name in ["score", "score-attribute", "role"] {
        if let Some(value) = configuration.document.attribute(rule, name) {
            head.push_str(&format!(" {name}={value}"));
        }
    }
    head.push_str(&id_suffix(configuration, rule, full));
    let mut lines = vec![head];
    for child in configuration.children(rule) {
        if configuration.name(child) == "rule" {
            lines.extend(indented(rule_lines(configuration, child, full)));
        } else {
            lines.push(format!(
                "  Expression: {}{}",
                expression(configuration, child),
                id_suffix(configuration, child, full)
            ));
        }
    }
    lines
}

pub(super) fn expression(configuration: &Configuration, element: NodeId) -> String {
    let attribute = |name| configuration.attribute(element, name).to_owned();
    let inner = |tag: &str| -> Option<String> {
        let child = configuration.child(element, tag)?;
        let parts: Vec<String> = configuration
            .document
            .attributes(child)
            .filter(|(name, _)| *name != "id")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Some(parts.join(" "))
    };
    match configuration.name(element) {
        "date_expression" => match attribute("operation").as_str() {
            "in_range" => {
                let start = configuration
                    .document
                    .attribute(element, "start")
                    .map(|start| format!("{start} "))
                    .unwrap_or_default();
                let end = inner("duration")
                    .map_or_else(|| attribute("end"), |duration| format!("duration {duration}"));
                format!("date in_range {start}to {end}")
            }
            "date_spec" => format!("date-spec {}", inner("date_spec").unwrap_or_default()),
            "lt" => format!("date lt {}", attribute("end")),
            _ => format!("date gt {}", attribute("start")),
        },
        "rsc_expression" => {
            format!("resource {}:{}:{}", attribute("class"), attribute("provider"), attribute("type"))
        }
        "op_expression" => {
            let interval = configuration
                .document
                .attribute(element, "interval")
                .map(|interval| format!(" interval={interval}"));
            format!("op {}{}", attribute("name"), interval.unwrap_or_default())
        }
        _ => match attribute("operation").as_str() {
            unary @ ("defined" | "not_defined") => format!("{unary} {}", attribute("attribute")),
            binary => {
                let kind = configuration
                    .document
                    .attribute(element, "type")
                    .map(|kind| format!("{kind} "))
                    .unwrap_or_default();
                format!("{} {binary} {kind}{}", attribute("attribute"), quoted(&attribute("value")))
            }
        },
    }
}

/// Options of a constraint that are shown below it: `name=value`, booleans as 1 and 0.
fn options(configuration: &Configuration, element: NodeId, names: &[&str]) -> Vec<String> {
    let shown: Vec<String> = names
        .iter()
        .filter_map(|name| configuration.document.attribute(element, name).map(|value| (name, value)))
        .map(|(name, value)| {
            let value = match (*name, cib::value::parse_boolean(value)) {
                ("score" | "id", _) | (_, None) => value.to_owned(),
                (_, Some(flag)) => u8::from(flag).to_string(),
            };
            format!("{name}={value}")
        })
        .collect();
    if shown.is_empty() { Vec::new() } else { vec![format!("  {}", shown.join(" "))] }
}

fn with_role(configuration: &Configuration, element: NodeId, role: &str, resource: &str) -> String {
    let id = configuration.attribute(element, resource);
    match configuration.document.attribute(element, role) {
        Some(role) => format!("{role} resource '{id}'"),
        None => format!("resource '{id}'"),
    }
}

fn colocation(configuration: &Configuration, element: NodeId, full: bool) -> Vec<String> {
    let mut lines = vec![format!(
        "{} with {}{}",
        with_role(configuration, element, "rsc-role", "rsc"),
        with_role(configuration, element, "with-rsc-role", "with-rsc"),
        id_suffix(configuration, element, full)
    )];
    lines.extend(options(configuration, element, &["score", "influence", "node-attribute"]));
    lines
}

fn order(configuration: &Configuration, element: NodeId, full: bool) -> Vec<String> {
    let action = |name| configuration.document.attribute(element, name).unwrap_or("start");
    let mut lines = vec![format!(
        "{} resource '{}' then {} resource '{}'{}",
        action("first-action"),
        configuration.attribute(element, "first"),
        configuration.document.attribute(element, "then-action").unwrap_or_else(|| action("first-action")),
        configuration.attribute(element, "then"),
        id_suffix(configuration, element, full)
    )];
    lines.extend(options(configuration, element, &["symmetrical", "require-all", "score", "kind"]));
    lines
}

fn ticket(configuration: &Configuration, element: NodeId, full: bool) -> Vec<String> {
    let mut lines = vec![format!(
        "{} depends on ticket '{}'{}",
        with_role(configuration, element, "rsc-role", "rsc"),
        configuration.attribute(element, "ticket"),
        id_suffix(configuration, element, full)
    )];
    lines.extend(options(configuration, element, &["loss-policy"]));
    lines
}

fn set_constraint(configuration: &Configuration, element: NodeId, full: bool) -> Vec<String> {
    let mut lines = vec![format!(
        "Set Constraint:{}",
        if full { format!(" {}", configuration.id(element)) } else { String::new() }
    )];
    lines.extend(options(configuration, element, &["score", "kind", "symmetrical", "ticket", "loss-policy"]));
    for set in configuration.children(element) {
        lines.push(format!(
            "  Resource Set:{}",
            if full { format!(" {}", configuration.id(set)) } else { String::new() }
        ));
        let members: Vec<String> = configuration
            .children(set)
            .iter()
            .map(|reference| format!("'{}'", configuration.id(*reference)))
            .collect();
        lines.push(format!("    Resources: {}", members.join(", ")));
        lines.extend(indented(options(configuration, set, &["sequential", "require-all", "action", "role"])));
    }
    lines
}
