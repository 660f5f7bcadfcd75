//! `--move`, `--ban`, `--clear`: location constraints that a person makes (rules 4.36.4, 4.36.5 and 5a.5.5).

use cib::iso8601::{DateTime, Duration, Surroundings};
use cib::value::Role;
use xml::NodeId;

use super::Call;
use crate::clock;
use crate::configuration::Configuration;
use crate::crm::output::Output;
use crate::crm::usage;
use crate::session::Problem;

/// One constraint to be written.
struct Wish {
    id: String,
    resource: String,
    node: String,
    role: &'static str,
    score: &'static str,
    /// When it ends.
    until: Option<String>,
}

pub fn move_or_ban(call: &mut Call<'_>, ban: bool, out: &mut Output) -> Result<u8, Problem> {
    let asked = call.changed_resource()?;
    let force = call.given.has("force");
    let top = call.top(asked);
    // a member goes where its group goes; a clone's resource is the clone
    let resource = if !force && top != asked {
        out.info(format!("Using parent '{top}' for move instead of '{asked}'."));
        top
    } else {
        asked.to_owned()
    };
    let role = if call.given.has("promoted") { "Promoted" } else { "Started" };
    let until = call.given.value("lifetime").map(end_of).transpose()?;
    if let Some(until) = &until {
        out.line(format!("Migration will take effect until: {until}"));
    }
    let active = active_nodes(call, &resource);
    let node = call.given.value("node").map(str::to_owned);
    let mut wishes = Vec::new();
    let wish = |score: &'static str, node: &str| Wish {
        id: match score {
            "INFINITY" => format!("cli-prefer-{resource}"),
            _ => format!("cli-ban-{resource}-on-{node}"),
        },
        resource: resource.clone(),
        node: node.to_owned(),
        role,
        score,
        until: until.clone(),
    };
    match (ban, &node) {
        (true, Some(node)) => wishes.push(wish("-INFINITY", node)),
        (false, Some(node)) => {
            let on: Vec<&(String, bool)> =
                active.iter().filter(|(_, promoted)| role != "Promoted" || *promoted).collect();
            let is_clone = call.element(&resource).is_some_and(|it| matches!(it.name(), "clone" | "master"));
            if !force && on.len() == 1 && on[0].0 == *node {
                return Err(failed(108, "Requested item already exists"));
            }
            if !force && on.len() > 1 && !is_clone {
                return Err(failed(109, "Resource active on multiple nodes"));
            }
            wishes.push(wish("INFINITY", node));
            if force {
                let here = on.iter().filter(|(name, _)| name != node);
                wishes.extend(here.map(|(name, _)| wish("-INFINITY", name)));
            }
        }
        (_, None) => wishes.push(wish("-INFINITY", &only_place(&resource, &active, role)?)),
    }
    let drop: Vec<String> = match (&node, ban) {
        (Some(node), false) => vec![format!("cli-ban-{resource}-on-{node}")],
        (Some(node), true) => prefers(call, &resource, node),
        // a preference for another node stays
        (None, _) => wishes.iter().flat_map(|wish| prefers(call, &resource, &wish.node)).collect(),
    };
    call.session.edit("crm_resource", |configuration| {
        drop.iter().for_each(|id| remove(configuration, id));
        wishes.iter().for_each(|wish| wish.write(configuration));
        Ok::<(), Problem>(())
    })?;
    for wish in wishes.iter().filter(|wish| wish.score == "-INFINITY") {
        warn(wish, out);
    }
    Ok(0)
}

fn failed(code: u8, text: &str) -> Problem {
    Problem::new(code, format!("Error performing operation: {text}"))
}

/// Nodes where the resource is, and whether it is promoted there.
fn active_nodes(call: &Call<'_>, resource: &str) -> Vec<(String, bool)> {
    let mut nodes: Vec<(String, bool)> = Vec::new();
    for part in call.parts(resource) {
        for on in &part.nodes {
            match nodes.iter_mut().find(|(name, _)| *name == on.name) {
                Some((_, promoted)) => *promoted |= part.role == Role::Promoted,
                None => nodes.push((on.name.clone(), part.role == Role::Promoted)),
            }
        }
    }
    nodes
}

/// The node that a resource is to leave when none is named.
fn only_place(resource: &str, active: &[(String, bool)], role: &str) -> Result<String, Problem> {
    let promoted: Vec<&String> =
        active.iter().filter(|(_, promoted)| *promoted).map(|(name, _)| name).collect();
    if let [(only, _)] = active {
        if role != "Promoted" || promoted.len() == 1 {
            return Ok(only.clone());
        }
    }
    if let [only] = promoted[..] {
        return Ok(only.clone());
    }
    let count = active.len();
    let masters =
        if promoted.is_empty() { String::new() } else { format!(" (promoted in {})", promoted.len()) };
    let mut message = format!(
        "Resource '{resource}' not moved: active in {count} locations{masters}.\nTo prevent '{resource}' from running on a specific location, specify a node."
    );
    if !promoted.is_empty() {
        message.push_str(&format!(
            "\nTo prevent '{resource}' from being promoted at a specific location, specify a node and the --promoted option."
        ));
    }
    Err(usage(message))
}

/// The prefer constraint, if it names the node that is to be banned.
fn prefers(call: &Call<'_>, resource: &str, node: &str) -> Vec<String> {
    let id = format!("cli-prefer-{resource}");
    let names_it = constraints(call).into_iter().any(|constraint| {
        constraint.attr("id") == Some(&id) && nodes_of(constraint).iter().any(|named| named == node)
    });
    if names_it { vec![id] } else { Vec::new() }
}

fn constraints<'c>(call: &'c Call<'_>) -> Vec<xml::Element<'c>> {
    let configuration = call.document.root_element().child("configuration");
    let section = configuration.and_then(|configuration| configuration.child("constraints"));
    section
        .into_iter()
        .flat_map(|section| section.children_named("rsc_location").collect::<Vec<_>>())
        .collect()
}

/// The nodes that a constraint of ours names, in short form or in a rule.
fn nodes_of(constraint: xml::Element<'_>) -> Vec<String> {
    let in_rules = constraint
        .descendants()
        .filter(|it| it.name() == "expression" && it.attr("attribute") == Some("#uname"))
        .filter_map(|it| it.attr("value"));
    constraint.attr("node").into_iter().chain(in_rules).map(str::to_owned).collect()
}

fn remove(configuration: &mut Configuration, id: &str) {
    let Some(section) = configuration.section("constraints") else { return };
    let found =
        configuration.children(section).into_iter().find(|constraint| configuration.id(*constraint) == id);
    if let Some(found) = found {
        configuration.document.remove(found);
    }
}

impl Wish {
    fn write(&self, configuration: &mut Configuration) {
        remove(configuration, &self.id);
        let section = configuration.section_or_new("constraints");
        let document = &mut configuration.document;
        let mut add = |parent: NodeId, tag: &str, attributes: &[(&str, &str)]| {
            let new = document.append_element(parent, tag);
            for (name, value) in attributes {
                document.set_attribute(new, name, value);
            }
            new
        };
        let common = [("id", &*self.id), ("rsc", &*self.resource), ("role", self.role)];
        let Some(until) = &self.until else {
            let short = [("node", &*self.node), ("score", self.score)];
            add(section, "rsc_location", &[&common[..], &short[..]].concat());
            return;
        };
        let id = &self.id;
        let location = add(section, "rsc_location", &common);
        let rule_id = format!("{id}-rule");
        let rule = add(location, "rule", &[("id", &rule_id), ("score", self.score), ("boolean-op", "and")]);
        add(
            rule,
            "expression",
            &[
                ("id", &format!("{id}-expr")),
                ("attribute", "#uname"),
                ("operation", "eq"),
                ("value", &self.node),
                ("type", "string"),
            ],
        );
        add(
            rule,
            "date_expression",
            &[("id", &format!("{id}-lifetime")), ("operation", "lt"), ("end", until)],
        );
    }
}

fn warn(wish: &Wish, out: &mut Output) {
    let what = if wish.role == "Promoted" { "being promoted" } else { "running" };
    let (id, resource, node) = (&wish.id, &wish.resource, &wish.node);
    out.info(format!(
        "WARNING: Creating rsc_location constraint '{id}' with a score of -INFINITY for resource {resource} on {node}."
    ));
    out.info(format!(
        "\tIt keeps {resource} from {what} on {node} until it is removed with crm_resource --clear or by editing the configuration"
    ));
    out.info(format!("\tThis holds even if {node} is the last node in the cluster"));
}

/// When a lifetime that begins now is over.
fn end_of(lifetime: &str) -> Result<String, Problem> {
    let duration = Duration::parse(lifetime).map_err(|error| {
        Problem::new(
            2,
            format!("Invalid duration specified: {lifetime} ({error}); an ISO 8601 duration such as PT1H is needed"),
        )
    })?;
    let end = clock::now().plus(&duration);
    let (month, day) = end.month_and_day();
    let (hour, minute, second) = end.time_of_day();
    Ok(format!("{:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z", end.year))
}

pub fn clear(call: &mut Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let asked = call.changed_resource()?;
    let resource = if call.given.has("force") { asked.to_owned() } else { call.top(asked) };
    let node = call.given.value("node");
    let role = call.given.has("promoted").then_some("Promoted");
    let expired = call.given.has("expired");
    let force = call.given.has("force");
    let prefer = format!("cli-prefer-{resource}");
    let own_prefer = format!("cli-prefer-{asked}");
    let is_ban = |id: &str| {
        [&*resource, asked].iter().any(|name| match node {
            Some(node) => id == format!("cli-ban-{name}-on-{node}"),
            None => id.starts_with(&format!("cli-ban-{name}-on-")),
        })
    };
    let ids: Vec<String> = constraints(call)
        .into_iter()
        .filter(|constraint| {
            let id = constraint.attr("id").unwrap_or_default();
            let is_prefer = id == prefer || id == own_prefer;
            let named = is_prefer
                && (force || node.is_none_or(|node| nodes_of(*constraint).iter().any(|it| it == node)));
            (named || is_ban(id))
                && role
                    .is_none_or(|role| constraint.attr("role").is_some_and(|it| it == role || it == "Master"))
                && (!expired || is_over(*constraint))
        })
        .filter_map(|constraint| constraint.attr("id").map(str::to_owned))
        .collect();
    call.session.edit("crm_resource", |configuration| {
        ids.iter().for_each(|id| remove(configuration, id));
        Ok::<(), Problem>(())
    })?;
    for id in ids {
        out.info(format!("Removing constraint: {id}"));
    }
    Ok(0)
}

fn is_over(constraint: xml::Element<'_>) -> bool {
    let now = clock::now();
    constraint
        .descendants()
        .filter(|it| it.name() == "date_expression")
        .filter_map(|it| DateTime::parse(it.attr("end")?, &Surroundings { now }).ok())
        .any(|end| end.compare(&now) != std::cmp::Ordering::Greater)
}
