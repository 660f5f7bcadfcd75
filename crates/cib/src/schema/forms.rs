//! What goes beyond lists of attributes and children: forms of one element that exclude each other, and
//! attributes that need each other.

use xml::Element;

use super::Validator;

/// A check of one element, after its attributes and children have been checked one by one.
pub(super) type Form = for<'v, 'a> fn(&'v mut Validator<'a>, Element<'a>);

/// Names that must be there when none of the others is.
fn has(element: Element<'_>, name: &str) -> bool {
    element.attr(name).is_some()
}

fn count(element: Element<'_>, name: &str) -> usize {
    element.children_named(name).count()
}

/// A name=value set: a reference or a full set; names that schema 4.0 forbids.
pub(super) fn name_value_set<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    reference_or_id(validator, element);
    if count(element, "rule") > 1 {
        validator.error(element, format!("{} may hold only one rule", element.name()));
    }
    if validator.schema >= (4, 0) {
        forbidden_names(validator, element);
    }
    repeated_names(validator, element);
}

fn reference_or_id<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    match (has(element, "id"), has(element, "id-ref")) {
        (false, false) => {
            validator.error(element, format!("{} needs an attribute 'id' (or 'id-ref')", element.name()));
        }
        (true, true) => {
            let message = format!("{} can have 'id' or 'id-ref', not both", element.name());
            validator.error(element, message);
        }
        (false, true) if element.children().next().is_some() => {
            let message = format!("{} with 'id-ref' must be empty", element.name());
            validator.error(element, message);
        }
        _ => {}
    }
}

fn forbidden_names<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let parent = element.parent().map_or("", Element::name);
    let forbidden: &[&str] = match (element.name(), parent) {
        ("cluster_property_set", _) => &[
            "crmd-finalization-timeout",
            "crmd-integration-timeout",
            "crmd-transition-delay",
            "remove-after-stop",
        ],
        ("meta_attributes", "op" | "op_defaults") => &["can_fail", "role_after_failure"],
        ("meta_attributes", _) => &["restart-type"],
        _ => &[],
    };
    for pair in element.children_named("nvpair") {
        let name = pair.attr("name").unwrap_or("");
        if forbidden.contains(&name) {
            validator.error(pair, format!("option '{name}' no longer exists in schema pacemaker-4.0"));
        }
        let is_poweroff = name == "stonith-action" && pair.attr("value") == Some("poweroff");
        if is_poweroff && element.name() == "cluster_property_set" {
            validator.error(pair, "stonith-action='poweroff' no longer exists; use 'off'");
        }
    }
}

/// Legal, but only one of them can be in force.
fn repeated_names<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let mut names = std::collections::BTreeSet::new();
    for pair in element.children_named("nvpair") {
        let Some(name) = pair.attr("name") else { continue };
        if !names.insert(name) {
            validator
                .warn(pair, format!("'{name}' is set twice in this {}; the first counts", element.name()));
        }
    }
}

pub(super) fn name_value_pair<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    if has(element, "id-ref") {
        if validator.schema >= (4, 0) && (has(element, "id") || has(element, "name") || has(element, "value"))
        {
            validator.error(element, "nvpair with 'id-ref' can have no other attribute");
        }
        return;
    }
    for name in ["id", "name"] {
        if !has(element, name) {
            validator.error(element, format!("nvpair needs an attribute '{name}'"));
        }
    }
    if !has(element, "value") && validator.schema >= (4, 0) {
        validator.error(element, "nvpair needs an attribute 'value'");
    }
}

/// Ids of nodes are no IDs of the document (they may be numbers), but what is told by a node's id must be told
/// of one node only.
pub(super) fn nodes<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let mut first = std::collections::BTreeMap::new();
    for node in element.children_named("node") {
        let Some(id) = node.attr("id") else { continue };
        if let Some(other) = first.insert(id, node) {
            let name = other.attr("uname").unwrap_or("?");
            let place = if other.line() > 0 { format!(", line {}", other.line()) } else { String::new() };
            validator.error(node, format!("two nodes have the id '{id}' (the other is {name}{place})"));
        }
    }
}

/// Primitives and templates.
pub(super) fn primitive<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let name = element.name();
    if has(element, "template") {
        if ["class", "provider", "type"].iter().any(|attribute| has(element, attribute)) {
            let message = format!("{name} has 'template', so it can have no 'class', 'provider' or 'type'");
            validator.error(element, message);
        }
        return;
    }
    let Some(class) = element.attr("class") else {
        let also = if name == "primitive" { " (or 'template')" } else { "" };
        return validator.error(element, format!("{name} needs an attribute 'class'{also}"));
    };
    if !has(element, "type") {
        validator.error(element, format!("{name} needs an attribute 'type'"));
    }
    match (class, has(element, "provider")) {
        ("ocf", false) => {
            validator.error(element, format!("{name} of class ocf needs an attribute 'provider'"))
        }
        ("ocf", true) | (_, false) => {}
        (_, true) => {
            validator.error(element, format!("{name} of class {class} can have no attribute 'provider'"));
        }
    }
    if matches!(class, "upstart" | "nagios") && validator.schema >= (4, 0) {
        validator.error(element, format!("class {class} no longer exists in schema pacemaker-4.0"));
    }
}

pub(super) fn clone<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    if count(element, "primitive") + count(element, "group") != 1 {
        validator.error(element, format!("{} needs exactly one primitive or group", element.name()));
    }
}

pub(super) fn bundle<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let engines = count(element, "docker") + count(element, "podman") + count(element, "rkt");
    if engines != 1 {
        validator.error(element, "bundle needs exactly one of docker, podman");
    }
    let engine = element.child("docker").or_else(|| element.child("podman"));
    if let Some(engine) = engine
        && has(engine, "masters")
        && has(engine, "promoted-max")
    {
        validator.error(engine, "'masters' is the old name of 'promoted-max'; give only the latter");
    }
}

pub(super) fn port_mapping<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    match (has(element, "port"), has(element, "range")) {
        (true, true) => validator.error(element, "port-mapping can have 'port' or 'range', not both"),
        (false, false) => validator.error(element, "port-mapping needs an attribute 'port' or 'range'"),
        (false, true) if has(element, "internal-port") => {
            validator.error(element, "port-mapping with 'range' can have no 'internal-port'");
        }
        _ => {}
    }
}

pub(super) fn storage_mapping<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    if has(element, "source-dir") == has(element, "source-dir-root") {
        validator.error(element, "storage-mapping needs either 'source-dir' or 'source-dir-root'");
    }
}

pub(super) fn operation<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    if has(element, "start-delay") && has(element, "interval-origin") {
        validator.error(element, "op can have 'start-delay' or 'interval-origin', not both");
    }
    if validator.schema < (3, 4) && element.attr("on-fail") == Some("demote") {
        validator.error(element, "on-fail='demote' needs schema pacemaker-3.4");
    }
    new_role_names(validator, element, &["role"]);
}

/// Roles got their present names with schema 3.7.
fn new_role_names<'a>(validator: &mut Validator<'a>, element: Element<'a>, attributes: &[&str]) {
    if validator.schema >= (3, 7) {
        return;
    }
    for attribute in attributes {
        if let Some(role @ ("Promoted" | "Unpromoted")) = element.attr(attribute) {
            let message =
                format!("{attribute}='{role}' needs schema pacemaker-3.7; upgrade the document first");
            validator.error(element, message);
        }
    }
}

pub(super) fn rule<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    reference_or_id(validator, element);
    if has(element, "score") && has(element, "score-attribute") {
        validator.error(element, "rule can have 'score' or 'score-attribute', not both");
    }
    if !has(element, "id-ref") && element.children().next().is_none() {
        validator.error(element, "rule needs at least one expression");
    }
}

pub(super) fn date_expression<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let (start, end) = (has(element, "start"), has(element, "end"));
    let duration = element.child("duration").is_some();
    let missing = match element.attr("operation").unwrap_or("in_range") {
        "in_range" if !start && !end => Some("'start' or 'end'"),
        "in_range" if duration && !start => Some("'start' beside its duration"),
        "gt" if !start => Some("'start'"),
        "lt" if !end => Some("'end'"),
        "date_spec" if element.child("date_spec").is_none() => Some("an element date_spec"),
        _ => None,
    };
    if let Some(missing) = missing {
        let operation = element.attr("operation").unwrap_or("in_range");
        validator.error(element, format!("date_expression with operation {operation} needs {missing}"));
    }
    if validator.schema >= (4, 0) && !has(element, "operation") {
        validator.error(element, "date_expression needs an attribute 'operation'");
    }
}

// ---- constraints

pub(super) fn location<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let sets = count(element, "resource_set");
    let targets = [has(element, "rsc"), has(element, "rsc-pattern"), sets > 0];
    if targets.iter().filter(|given| **given).count() != 1 {
        let message = "rsc_location needs exactly one of 'rsc', 'rsc-pattern' and resource sets";
        validator.error(element, message);
    }
    let rules = count(element, "rule") + count(element, "lifetime");
    if has(element, "node") {
        if !has(element, "score") {
            validator.error(element, "rsc_location with 'node' needs a 'score'");
        }
        if count(element, "rule") > 0 {
            validator.error(element, "rsc_location can have 'node' or a rule, not both");
        }
    } else if rules == 0 {
        validator.error(element, "rsc_location needs 'node' and 'score', or a rule");
    } else if rules > 1 && validator.schema >= (4, 0) {
        validator.error(element, "rsc_location may hold only one rule");
    }
    new_role_names(validator, element, &["role"]);
}

pub(super) fn colocation<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    pair_or_sets(validator, element, "rsc", "with-rsc");
    new_role_names(validator, element, &["rsc-role", "with-rsc-role"]);
}

pub(super) fn order<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    pair_or_sets(validator, element, "first", "then");
    if has(element, "score") && has(element, "kind") {
        validator.error(element, "rsc_order can have 'kind' or 'score', not both");
    }
}

fn pair_or_sets<'a>(validator: &mut Validator<'a>, element: Element<'a>, one: &str, other: &str) {
    let name = element.name();
    let sets = count(element, "resource_set") > 0;
    match (has(element, one), has(element, other)) {
        (true, true) if sets => {
            validator
                .error(element, format!("{name} can have '{one}' and '{other}' or resource sets, not both"));
        }
        (true, true) => {
            if element.attr(one) == element.attr(other) {
                validator
                    .warn(element, format!("{name} relates '{}' to itself", element.attr(one).unwrap_or("")));
            }
        }
        (false, false) if sets => {}
        (false, false) => {
            validator.error(element, format!("{name} needs '{one}' and '{other}', or resource sets"));
        }
        (true, false) => validator.error(element, format!("{name} needs an attribute '{other}'")),
        (false, true) => validator.error(element, format!("{name} needs an attribute '{one}'")),
    }
}

pub(super) fn ticket<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    if has(element, "rsc") == (count(element, "resource_set") > 0) {
        validator.error(element, "rsc_ticket needs either 'rsc' or resource sets");
    }
    new_role_names(validator, element, &["rsc-role"]);
}

pub(super) fn resource_set<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    reference_or_id(validator, element);
    if !has(element, "id-ref") && count(element, "resource_ref") == 0 {
        validator.error(element, "resource_set needs an element resource_ref");
    }
    let mut members = std::collections::BTreeSet::new();
    for member in element.children_named("resource_ref") {
        let id = member.attr("id").unwrap_or("");
        if !members.insert(id) {
            validator.warn(member, format!("resource_set names '{id}' twice"));
        }
    }
    new_role_names(validator, element, &["role"]);
}

pub(super) fn fencing_level<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let by_attribute = has(element, "target-attribute");
    let forms = [has(element, "target"), has(element, "target-pattern"), by_attribute];
    if forms.iter().filter(|given| **given).count() != 1 {
        let message = "fencing-level needs exactly one of 'target', 'target-pattern' and 'target-attribute'";
        validator.error(element, message);
    }
    if by_attribute != has(element, "target-value") {
        validator.error(element, "fencing-level needs 'target-attribute' and 'target-value' together");
    }
    let index = element.attr("index").and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(1);
    if index > 9 {
        let message = format!("fencing-level has index='{index}'; levels go from 1 to 9");
        if validator.schema >= (4, 0) {
            validator.error(element, message);
        } else {
            validator.warn(element, message);
        }
    }
}

pub(super) fn acl_permission<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let forms = ["xpath", "reference", "object-type"].iter().filter(|name| has(element, name)).count();
    if forms != 1 {
        validator
            .error(element, "acl_permission needs exactly one of 'xpath', 'reference' and 'object-type'");
    }
    if has(element, "attribute") && !has(element, "object-type") {
        validator.error(element, "acl_permission with 'attribute' needs 'object-type'");
    }
    if let Some(Err(error)) = element.attr("xpath").map(xml::xpath::XPath::compile) {
        validator.warn(element, format!("this permission matches nothing: {error}"));
    }
}

/// `read`, `write` and `deny` before schema 2.0.
pub(super) fn old_permission<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    if ["xpath", "ref", "tag"].iter().filter(|name| has(element, name)).count() != 1 {
        let message = format!("{} needs exactly one of 'xpath', 'ref' and 'tag'", element.name());
        validator.error(element, message);
    }
}

pub(super) fn acl_user<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let roles = count(element, "role_ref");
    if roles > 0 && element.children().count() > roles {
        validator.error(element, "acl_user can have roles or permissions of its own, not both");
    }
}

/// A reference to a role, in a target or group.
pub(super) fn role<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let Some(id) = element.attr("id") else { return };
    let target = validator.ids.get(id).map(|node| validator.document.name(*node));
    if let Some(name) = target
        && name != "acl_role"
    {
        validator.error(element, format!("role '{id}' is a {name}, not an acl_role"));
    }
}
