//! `pcs constraint …`: location, order, colocation and ticket constraints (rule 5d.5).

use xml::NodeId;

use super::words::{Result, pairs, sections};
use crate::configuration::{Configuration, check_id, sanitized};

const ACTIONS: [&str; 4] = ["start", "promote", "stop", "demote"];
const ROLES: [&str; 4] = ["Promoted", "Started", "Stopped", "Unpromoted"];

/// What a command tells beside its effect.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

/// `location R prefers|avoids N[=S]…` (rule 5d.5.1).
pub fn location_preference(
    configuration: &mut Configuration,
    resource: &str,
    verb: &str,
    words: &[String],
    force: bool,
    live: bool,
) -> Result<Told> {
    let mut told = Told::default();
    let (attribute, name) = resource_specification(resource);
    if attribute == "rsc" {
        check_resource_for_constraint(configuration, name, force)?;
    }
    if words.is_empty() {
        return Err(format!("no node given for '{verb}'").into());
    }
    let nodes = configuration.node_names();
    for word in words {
        let (node, score) = word.split_once('=').unwrap_or((word, "INFINITY"));
        let score = checked_score(score)?;
        let score = if verb == "avoids" { negated(&score) } else { score };
        if !live {
            told.stderr.push("Warning: Validation for node existence in the cluster will be skipped".into());
        } else if !nodes.iter().any(|known| known.eq_ignore_ascii_case(node)) {
            let problem = format!("Node '{node}' does not seem to be in the cluster");
            if !force {
                return Err(format!("{problem}, use --force to override").into());
            }
            told.stderr.push(format!("Warning: {problem}"));
        }
        let id = sanitized(&format!("location-{name}-{node}-{score}"));
        place_location(configuration, &id, (attribute, name), node, &score, None);
    }
    Ok(told)
}

/// `location add ID R N [score=]S [resource-discovery=X]`.
pub fn location_add(configuration: &mut Configuration, words: &[String], force: bool) -> Result<Told> {
    let [id, resource, node, rest @ ..] = words else {
        return Err("usage: location add ID RESOURCE NODE SCORE".into());
    };
    check_id(id, "constraint id")?;
    let (attribute, name) = resource_specification(resource);
    if attribute == "rsc" {
        check_resource_for_constraint(configuration, name, force)?;
    }
    let mut score = "INFINITY".to_owned();
    let mut discovery = None;
    for word in rest {
        match word.split_once('=') {
            Some(("score", value)) => score = checked_score(value)?,
            Some(("resource-discovery", value)) => discovery = Some(value.to_owned()),
            Some((other, _)) => {
                return Err(format!(
                    "invalid option '{other}', allowed options are: 'resource-discovery', 'score'"
                )
                .into());
            }
            None => score = checked_score(word)?,
        }
    }
    place_location(configuration, id, (attribute, name), node, &score, discovery.as_deref());
    Ok(Told::default())
}

/// `location R rule [id=] [constraint-id=] [resource-discovery=] [role=] [score=|score-attribute=] EXPRESSION`.
pub fn location_rule(
    configuration: &mut Configuration,
    resource: &str,
    words: &[String],
    force: bool,
) -> Result<Told> {
    const OPTIONS: [&str; 6] =
        ["constraint-id", "id", "resource-discovery", "role", "score", "score-attribute"];
    let (attribute, name) = resource_specification(resource);
    if attribute == "rsc" {
        check_resource_for_constraint(configuration, name, force)?;
    }
    let is_option = |word: &&String| word.split_once('=').is_some_and(|(name, _)| OPTIONS.contains(&name));
    let count = words.iter().take_while(is_option).count();
    let (options, expression) = words.split_at(count);
    let options = pairs(options)?;
    let mut told = Told::default();
    if expression.len() > 1 {
        told.stderr.push(
            "Deprecation Warning: Specifying a rule as multiple arguments is deprecated and might be removed in a future release, specify the rule as a single string instead".into(),
        );
    }
    let rule = super::rule::parse(&expression.join(" "))?;
    let score = match (option(&options, "score"), option(&options, "score-attribute")) {
        (Some(_), Some(_)) => return Err("can not specify both score and score-attribute".into()),
        (Some(score), None) => ("score", checked_score(score)?),
        (None, Some(attribute)) => ("score-attribute", attribute.to_owned()),
        (None, None) => ("score", "INFINITY".to_owned()),
    };
    let new_id = |configuration: &Configuration, given: Option<&str>, usual: &str| -> Result<String> {
        let Some(id) = given else { return Ok(configuration.free_id(usual)) };
        check_id(id, "id")?;
        match configuration.by_id(id) {
            Some(_) => Err(format!("id '{id}' is already in use, please specify another one").into()),
            None => Ok(id.to_owned()),
        }
    };
    let usual = sanitized(&format!("location-{name}"));
    let id = new_id(configuration, option(&options, "constraint-id"), &usual)?;
    let rule_id = new_id(configuration, option(&options, "id"), &format!("{id}-rule"))?;
    let mut own = Vec::new();
    if let Some(role) = option(&options, "role") {
        own.push(("role", checked_rule_role(role)?));
    }
    own.push((score.0, score.1.as_str()));
    let section = configuration.section_or_new("constraints");
    let element = configuration.document.append_element(section, "rsc_location");
    let mut attributes = vec![("id", id.as_str()), (attribute, name)];
    attributes.extend(option(&options, "resource-discovery").map(|value| ("resource-discovery", value)));
    set_attributes(configuration, element, &attributes);
    super::rule::write(configuration, element, &rule_id, &rule, &own);
    Ok(told)
}

fn checked_rule_role(role: &str) -> Result<&'static str> {
    match role.to_ascii_lowercase().as_str() {
        "promoted" | "master" => Ok("Promoted"),
        "unpromoted" | "slave" => Ok("Unpromoted"),
        _ => Err(format!("invalid role '{role}', use 'Promoted' or 'Unpromoted'").into()),
    }
}

/// The same resource and node again replace the old rule-free constraint, so scores never accumulate.
fn place_location(
    configuration: &mut Configuration,
    id: &str,
    (attribute, name): (&str, &str),
    node: &str,
    score: &str,
    discovery: Option<&str>,
) {
    let section = configuration.section_or_new("constraints");
    for old in configuration.children(section) {
        let same_id = configuration.id(old) == id;
        let same_pair = configuration.name(old) == "rsc_location"
            && configuration.attribute(old, attribute) == name
            && configuration.attribute(old, "node").eq_ignore_ascii_case(node)
            && configuration.child(old, "rule").is_none();
        if same_id || same_pair {
            configuration.document.remove(old);
        }
    }
    let element = configuration.document.append_element(section, "rsc_location");
    let mut attributes = vec![("id", id), (attribute, name), ("node", node), ("score", score)];
    attributes.extend(discovery.map(|value| ("resource-discovery", value)));
    set_attributes(configuration, element, &attributes);
}

/// `order [ACTION] A then [ACTION] B [options]` (rule 5d.5.3).
pub fn order(configuration: &mut Configuration, words: &[String], force: bool) -> Result<Told> {
    let then =
        words.iter().position(|word| word == "then").ok_or("expected: order [action] A then [action] B")?;
    let (first_action, first, rest) = action_and_resource(&words[..then])?;
    if !rest.is_empty() {
        return Err(format!("unexpected '{}' before 'then'", rest[0]).into());
    }
    let (then_action, second, rest) = action_and_resource(&words[then + 1..])?;
    let options = pairs(rest)?;
    check_options(&options, &["id", "kind", "require-all", "symmetrical"])?;
    check_resource_for_constraint(configuration, first, force)?;
    check_resource_for_constraint(configuration, second, force)?;
    if same_group(configuration, first, second) {
        return Err("Cannot create an order constraint for resources in the same group".into());
    }
    let kind = option(&options, "kind").map(normalized_kind).transpose()?;
    let id = match option(&options, "id") {
        Some(id) => id.to_owned(),
        None => configuration
            .free_id(&format!("order-{first}-{second}-{}", kind.as_deref().unwrap_or("mandatory"))),
    };
    let first_action = first_action.unwrap_or("start");
    let then_action = then_action.unwrap_or("start");
    let duplicates = existing(
        configuration,
        "rsc_order",
        &[("first", first), ("then", second), ("first-action", first_action), ("then-action", then_action)],
    );
    if let (Some(old), false) = (duplicates, force) {
        let line = format!("  {}", order_line(configuration, old));
        return Err(format!("duplicate constraint already exists, use --force to override\n{line}").into());
    }
    let section = configuration.section_or_new("constraints");
    let element = configuration.document.append_element(section, "rsc_order");
    let mut attributes = vec![
        ("first", first),
        ("then", second),
        ("first-action", first_action),
        ("then-action", then_action),
        ("id", id.as_str()),
    ];
    attributes.extend(kind.as_deref().map(|kind| ("kind", kind)));
    for name in ["symmetrical", "require-all"] {
        attributes.extend(option(&options, name).map(|value| (name, value)));
    }
    set_attributes(configuration, element, &attributes);
    let mut shown: Vec<String> = options
        .iter()
        .filter(|(name, _)| name != "kind" && name != "id")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    shown.push(format!("first-action={first_action}"));
    shown.push(format!("then-action={then_action}"));
    let kind = kind.unwrap_or_else(|| "Mandatory".to_owned());
    Ok(Told {
        stderr: vec![format!("Adding {first} {second} (kind: {kind}) (Options: {})", shown.join(" "))],
        ..Told::default()
    })
}

/// `order|colocation|ticket set A B [n=v] set C … setoptions n=v`.
pub fn set_constraint(configuration: &mut Configuration, family: &str, words: &[String]) -> Result<Told> {
    let (head, parts) = sections(words, &["set", "setoptions"]);
    if !head.is_empty() || parts.is_empty() {
        return Err(format!("expected: {family} set A B … [set C …] [setoptions n=v …]").into());
    }
    let mut members: Vec<(Vec<&str>, Vec<(String, String)>)> = Vec::new();
    let mut options = Vec::new();
    for (keyword, words) in parts {
        if keyword == "setoptions" {
            options = pairs(words)?;
            continue;
        }
        let resources: Vec<&str> =
            words.iter().filter(|word| !word.contains('=')).map(String::as_str).collect();
        let set_options: Vec<String> = words.iter().filter(|word| word.contains('=')).cloned().collect();
        if resources.is_empty() {
            return Err("a resource set needs at least one resource".into());
        }
        for resource in &resources {
            check_resource_for_constraint(configuration, resource, false)?;
        }
        let set_options = pairs(&set_options)?;
        check_options(&set_options, &["action", "require-all", "role", "sequential"])?;
        members.push((resources, set_options));
    }
    let all: Vec<&str> = members.iter().flat_map(|(resources, _)| resources.iter().copied()).collect();
    let shares_group = |(index, one): (usize, &&str)| {
        all[index + 1..].iter().any(|other| same_group(configuration, one, other))
    };
    if family == "order" && all.iter().enumerate().any(shares_group) {
        return Err("Cannot create an order constraint for resources in the same group".into());
    }
    let (tag, allowed): (&str, &[&str]) = match family {
        "order" => ("rsc_order", &["id", "kind", "symmetrical"]),
        "colocation" => ("rsc_colocation", &["id", "score"]),
        _ => ("rsc_ticket", &["id", "loss-policy", "ticket"]),
    };
    check_options(&options, allowed)?;
    let letters: String =
        members.iter().flat_map(|(resources, _)| resources.iter()).map(|id| first_and_last(id)).collect();
    let id = match option(&options, "id") {
        Some(id) => id.to_owned(),
        None => configuration.free_id(&format!("{family}_set_{letters}")),
    };
    let section = configuration.section_or_new("constraints");
    let element = configuration.document.append_element(section, tag);
    configuration.document.set_attribute(element, "id", &id);
    for (name, value) in options.iter().filter(|(name, _)| name != "id") {
        configuration.document.set_attribute(element, name, value);
    }
    if family == "colocation" && option(&options, "score").is_none() {
        configuration.document.set_attribute(element, "score", "INFINITY");
    }
    for (resources, set_options) in members {
        let set_id = configuration.free_id(&format!("{id}_set"));
        let set = configuration.document.append_element(element, "resource_set");
        configuration.document.set_attribute(set, "id", &set_id);
        for (name, value) in &set_options {
            configuration.document.set_attribute(set, name, value);
        }
        for resource in resources {
            let reference = configuration.document.append_element(set, "resource_ref");
            configuration.document.set_attribute(reference, "id", resource);
        }
    }
    Ok(Told::default())
}

/// `colocation add [ROLE] A with [ROLE] B [SCORE|score=S] [id=I]`.
pub fn colocation(configuration: &mut Configuration, words: &[String], force: bool) -> Result<Told> {
    let with = words
        .iter()
        .position(|word| word == "with")
        .ok_or("expected: colocation add [role] A with [role] B [score=S]")?;
    let (role, dependent, rest) = role_and_resource(&words[..with])?;
    if !rest.is_empty() {
        return Err(format!("unexpected '{}' before 'with'", rest[0]).into());
    }
    let (with_role, primary, rest) = role_and_resource(&words[with + 1..])?;
    let mut score = "INFINITY".to_owned();
    let mut rest = rest.to_vec();
    let mut told = Told::default();
    if let Some(first) = rest.first().filter(|word| !word.contains('=')).cloned() {
        told.stderr.push("Deprecation Warning: Specifying score as a standalone value is deprecated, use score=value instead".into());
        score = checked_score(&first)?;
        rest.remove(0);
    }
    let options = pairs(&rest)?;
    check_options(&options, &["id", "influence", "node-attribute", "score"])?;
    if let Some(value) = option(&options, "score") {
        score = checked_score(value)?;
    }
    check_resource_for_constraint(configuration, dependent, force)?;
    check_resource_for_constraint(configuration, primary, force)?;
    let duplicate = existing(configuration, "rsc_colocation", &[("rsc", dependent), ("with-rsc", primary)]);
    if let (Some(old), false) = (duplicate, force) {
        let line = format!(
            "  {dependent} with {primary} (score:{}) (id:{})",
            configuration.attribute(old, "score"),
            configuration.id(old)
        );
        return Err(format!("duplicate constraint already exists, use --force to override\n{line}").into());
    }
    let id = match option(&options, "id") {
        Some(id) => id.to_owned(),
        None => configuration.free_id(&format!("colocation-{dependent}-{primary}-{score}")),
    };
    let section = configuration.section_or_new("constraints");
    let element = configuration.document.append_element(section, "rsc_colocation");
    let mut attributes =
        vec![("rsc", dependent), ("with-rsc", primary), ("score", score.as_str()), ("id", id.as_str())];
    if role.is_some() || with_role.is_some() {
        attributes.push(("rsc-role", role.unwrap_or("Started")));
        attributes.push(("with-rsc-role", with_role.unwrap_or("Started")));
    }
    for name in ["influence", "node-attribute"] {
        attributes.extend(option(&options, name).map(|value| (name, value)));
    }
    set_attributes(configuration, element, &attributes);
    Ok(told)
}

/// `ticket add T [ROLE] R [loss-policy=] [id=]`.
pub fn ticket(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [ticket, rest @ ..] = words else { return Err("expected: ticket add TICKET [role] RESOURCE".into()) };
    let (role, resource, rest) = role_and_resource(rest)?;
    let options = pairs(rest)?;
    check_options(&options, &["id", "loss-policy"])?;
    check_resource_for_constraint(configuration, resource, false)?;
    let suffix = role.map(|role| format!("-{role}")).unwrap_or_default();
    let id = match option(&options, "id") {
        Some(id) => id.to_owned(),
        None => configuration.free_id(&format!("ticket-{ticket}-{resource}{suffix}")),
    };
    let section = configuration.section_or_new("constraints");
    let element = configuration.document.append_element(section, "rsc_ticket");
    let mut attributes = vec![("rsc", resource)];
    attributes.extend(role.map(|role| ("rsc-role", role)));
    attributes.push(("ticket", ticket));
    attributes.push(("id", &id));
    attributes.extend(option(&options, "loss-policy").map(|policy| ("loss-policy", policy)));
    set_attributes(configuration, element, &attributes);
    Ok(Told::default())
}

/// `constraint delete ID…`; also rule ids.
pub fn delete(configuration: &mut Configuration, ids: &[String]) -> Result<Told> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for id in ids {
        match constraint_or_rule(configuration, id) {
            Some(element) => found.push(element),
            None => missing.push(format!("'{id}'")),
        }
    }
    if !missing.is_empty() {
        return Err(format!("Unable to find constraints or constraint rules: {}", missing.join(", ")).into());
    }
    for element in found {
        let parent = configuration.document.parent(element);
        let only_rule = configuration.name(element) == "rule";
        configuration.document.remove(element);
        if let (true, Some(parent)) = (only_rule, parent) {
            if configuration.child(parent, "rule").is_none() {
                configuration.document.remove(parent);
            }
        }
    }
    Ok(Told::default())
}

/// `order remove A…` and `colocation remove A B`: the plain constraints and set references of these resources.
pub fn remove_for(configuration: &mut Configuration, tag: &str, resources: &[String]) -> Result<Told> {
    let Some(section) = configuration.section("constraints") else {
        return Err("No matching resources found in the configuration".into());
    };
    let (left, right) = if tag == "rsc_order" { ("first", "then") } else { ("rsc", "with-rsc") };
    let mut removed = 0;
    for element in configuration.children(section) {
        if configuration.name(element) != tag {
            continue;
        }
        let ends = [
            configuration.attribute(element, left).to_owned(),
            configuration.attribute(element, right).to_owned(),
        ];
        let hit = if tag == "rsc_order" {
            resources.iter().any(|resource| ends.contains(resource))
        } else {
            resources.len() == 2 && resources.iter().all(|resource| ends.contains(resource))
        };
        if hit {
            configuration.document.remove(element);
            removed += 1;
            continue;
        }
        removed += remove_references(configuration, element, resources);
    }
    if removed == 0 {
        Err("No matching resources found in the configuration".into())
    } else {
        Ok(Told::default())
    }
}

fn remove_references(configuration: &mut Configuration, constraint: NodeId, resources: &[String]) -> usize {
    let mut removed = 0;
    for set in configuration.children(constraint) {
        for reference in configuration.children(set) {
            if resources.iter().any(|resource| configuration.id(reference) == resource) {
                configuration.document.remove(reference);
                removed += 1;
            }
        }
        if configuration.name(set) == "resource_set" && configuration.children(set).is_empty() {
            configuration.document.remove(set);
        }
    }
    if removed > 0 && configuration.children(constraint).is_empty() {
        configuration.document.remove(constraint);
    }
    removed
}

fn constraint_or_rule(configuration: &Configuration, id: &str) -> Option<NodeId> {
    let section = configuration.section("constraints")?;
    configuration.children(section).into_iter().find_map(|constraint| {
        if configuration.id(constraint) == id {
            return Some(constraint);
        }
        configuration
            .children(constraint)
            .into_iter()
            .find(|rule| configuration.name(*rule) == "rule" && configuration.id(*rule) == id)
    })
}

/// Refuses resources that are not there, or that a constraint should name by their clone (rule 5d.5.1).
pub fn check_resource_for_constraint(configuration: &Configuration, id: &str, force: bool) -> Result<()> {
    let Some(element) = configuration.resource(id) else {
        let tags = configuration.section("tags");
        if tags
            .is_some_and(|tags| configuration.children(tags).iter().any(|tag| configuration.id(*tag) == id))
        {
            return Ok(());
        }
        return Err(format!("Resource '{id}' does not exist").into());
    };
    let mut above = configuration.container(element);
    while let Some(container) = above {
        let tag = configuration.name(container);
        if !force && tag != "group" {
            let kind = if tag == "master" { "clone" } else { tag };
            return Err(format!(
                "{id} is a {kind} resource, you should use the {kind} id: {} when adding constraints. Use --force to override.",
                configuration.id(container)
            )
            .into());
        }
        above = configuration.container(container);
    }
    Ok(())
}

/// `constraint ref R…`: the constraints that name a resource, by themselves or in their sets.
pub fn references(configuration: &Configuration, ids: &[String]) -> Vec<String> {
    let section = configuration.section("constraints");
    let all = section.map(|section| configuration.children(section)).unwrap_or_default();
    let names = |constraint: NodeId, id: &str| {
        let is_named = |name: &str| configuration.document.attribute(constraint, name) == Some(id);
        let in_sets = configuration
            .descendants(constraint)
            .into_iter()
            .any(|element| configuration.name(element) == "resource_ref" && configuration.id(element) == id);
        in_sets || ["rsc", "with-rsc", "first", "then"].into_iter().any(is_named)
    };
    let mut lines = Vec::new();
    for id in ids {
        lines.push(format!("Resource: {id}"));
        let found: Vec<String> = (all.iter().filter(|constraint| names(**constraint, id)))
            .map(|constraint| format!("  {}", configuration.id(*constraint)))
            .collect();
        if found.is_empty() {
            lines.push("  No Matches.".to_owned());
        }
        lines.extend(found);
    }
    lines
}

fn same_group(configuration: &Configuration, first: &str, second: &str) -> bool {
    let group = |id: &str| {
        let container = configuration.container(configuration.resource(id)?)?;
        (configuration.name(container) == "group").then_some(container)
    };
    group(first).is_some() && group(first) == group(second)
}

fn existing(configuration: &Configuration, tag: &str, attributes: &[(&str, &str)]) -> Option<NodeId> {
    let section = configuration.section("constraints")?;
    configuration.children(section).into_iter().find(|element| {
        configuration.name(*element) == tag
            && attributes.iter().all(|(name, value)| {
                let actual = configuration.document.attribute(*element, name);
                // both actions default to start
                actual == Some(value) || (actual.is_none() && *value == "start")
            })
    })
}

fn order_line(configuration: &Configuration, order: NodeId) -> String {
    let kind = configuration.document.attribute(order, "kind").unwrap_or("Mandatory");
    let action = |name| configuration.document.attribute(order, name).unwrap_or("start").to_owned();
    format!(
        "{} {} then {} {} (kind:{kind}) (id:{})",
        action("first-action"),
        configuration.attribute(order, "first"),
        action("then-action"),
        configuration.attribute(order, "then"),
        configuration.id(order)
    )
}

fn action_and_resource(words: &[String]) -> Result<(Option<&str>, &str, &[String])> {
    match words {
        [action, resource, rest @ ..] if ACTIONS.contains(&action.as_str()) => {
            Ok((Some(action), resource, rest))
        }
        [resource, rest @ ..] => Ok((None, resource, rest)),
        [] => Err("a resource is missing".into()),
    }
}

fn role_and_resource(words: &[String]) -> Result<(Option<&str>, &str, &[String])> {
    match words {
        [role, resource, rest @ ..] if known_role(role).is_some() && !resource.contains('=') => {
            Ok((known_role(role), resource, rest))
        }
        [resource, rest @ ..] => Ok((None, resource, rest)),
        [] => Err("a resource is missing".into()),
    }
}

fn known_role(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "master" => Some("Promoted"),
        "slave" => Some("Unpromoted"),
        lower => ROLES.into_iter().find(|role| role.eq_ignore_ascii_case(lower)),
    }
}

fn normalized_kind(kind: &str) -> Result<String> {
    ["Mandatory", "Optional", "Serialize"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(kind))
        .map(str::to_owned)
        .ok_or_else(|| {
            format!("invalid kind value '{kind}', allowed values are: Optional, Mandatory, Serialize").into()
        })
}

/// `regexp%RE` names a pattern, `resource%R` and a bare word a resource.
fn resource_specification(word: &str) -> (&'static str, &str) {
    match word.split_once('%') {
        Some(("regexp", pattern)) => ("rsc-pattern", pattern),
        Some(("resource", name)) => ("rsc", name),
        _ => ("rsc", word),
    }
}

fn checked_score(text: &str) -> Result<String> {
    let plain = text.strip_prefix(['+', '-']).unwrap_or(text);
    if plain == "INFINITY" || (!plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit())) {
        Ok(text.to_owned())
    } else {
        Err(format!("invalid score '{text}', use integer or INFINITY or -INFINITY").into())
    }
}

fn negated(score: &str) -> String {
    match score.strip_prefix('-') {
        Some(positive) => positive.to_owned(),
        None => format!("-{}", score.strip_prefix('+').unwrap_or(score)),
    }
}

fn option<'a>(options: &'a [(String, String)], name: &str) -> Option<&'a str> {
    options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Refuses option names that are not allowed, and says which are.
pub fn check_options(options: &[(String, String)], allowed: &[&str]) -> Result<()> {
    let unknown: Vec<String> = options
        .iter()
        .filter(|(name, _)| !allowed.contains(&name.as_str()))
        .map(|(name, _)| format!("'{name}'"))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let allowed: Vec<String> = allowed.iter().map(|name| format!("'{name}'")).collect();
    let plural = if unknown.len() == 1 { "option" } else { "options" };
    Err(format!("invalid {plural} {}, allowed options are: {}", unknown.join(", "), allowed.join(", "))
        .into())
}

fn first_and_last(id: &str) -> String {
    let first = id.chars().next();
    let last = id.chars().last();
    first.into_iter().chain(last).collect()
}

fn set_attributes(configuration: &mut Configuration, element: NodeId, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        configuration.document.set_attribute(element, name, value);
    }
}
