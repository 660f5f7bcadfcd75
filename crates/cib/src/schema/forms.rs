//! What goes beyond lists of attributes and children: forms of one element that exclude each other, and
//! attributes that need each other.

use crate::upgrade::to_3_0;
use xml::Element;

use super::Validator;
use super::table::Number;

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
    forbidden_names(validator, element);
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
        (false, true) if element.attributes().count() > 1 => {
            let message = format!("{} with 'id-ref' can have no other attribute", element.name());
            validator.error(element, message);
        }
        _ => {}
    }
}

/// Names that went with a schema: since when, and whether a set of this element in this parent is meant.
struct Forbidden {
    since: Number,
    until: Number,
    applies: fn(&str, &str) -> bool,
    names: &'static [&'static [&'static str]],
}

const FORBIDDEN: &[Forbidden] = &[
    Forbidden {
        since: (3, 0),
        until: (u8::MAX, 0),
        applies: |set, _| set == "cluster_property_set",
        names: &[
            &to_3_0::UNDERSCORED,
            &to_3_0::DROPPED_PROPERTIES,
            &[
                "default-action-timeout",
                "default_action_timeout",
                "default-resource-failure-stickiness",
                "default_resource_failure_stickiness",
                "default-resource-stickiness",
                "default_resource_stickiness",
                "is-managed-default",
                "is_managed_default",
                "transition_idle_timeout",
            ],
        ],
    },
    Forbidden {
        since: (3, 0),
        until: (u8::MAX, 0),
        applies: |set, parent| set == "meta_attributes" && matches!(parent, "primitive" | "template"),
        names: &[&["isolation", "isolation-host", "isolation-instance", "isolation-wrapper"]],
    },
    Forbidden {
        since: (3, 0),
        until: (u8::MAX, 0),
        applies: |set, parent| (set, parent) == ("meta_attributes", "op"),
        names: &[&["requires"]],
    },
    Forbidden {
        since: (3, 0),
        until: (3, 0),
        applies: |set, parent| set == "instance_attributes" && matches!(parent, "primitive" | "template"),
        names: &[&[
            "pcmk_arg_map",
            "pcmk_list_cmd",
            "pcmk_monitor_cmd",
            "pcmk_off_cmd",
            "pcmk_on_cmd",
            "pcmk_reboot_cmd",
            "pcmk_status_cmd",
        ]],
    },
    Forbidden {
        since: (3, 0),
        until: (3, 0),
        applies: |set, parent| (set, parent) == ("instance_attributes", "op"),
        names: &[&to_3_0::OPERATION_META, &["requires"]],
    },
    Forbidden {
        since: (4, 0),
        until: (u8::MAX, 0),
        applies: |set, _| set == "cluster_property_set",
        names: &[&[
            "crmd-finalization-timeout",
            "crmd-integration-timeout",
            "crmd-transition-delay",
            "remove-after-stop",
        ]],
    },
    Forbidden {
        since: (4, 0),
        until: (u8::MAX, 0),
        applies: |set, parent| set == "meta_attributes" && !matches!(parent, "op" | "op_defaults"),
        names: &[&["restart-type"]],
    },
    Forbidden {
        since: (4, 0),
        until: (u8::MAX, 0),
        applies: |set, parent| set == "meta_attributes" && matches!(parent, "op" | "op_defaults"),
        names: &[&["can_fail", "role_after_failure"]],
    },
];

fn forbidden_names<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let parent = element.parent().map_or("", Element::name);
    let schema = validator.schema;
    let rows: Vec<&Forbidden> = FORBIDDEN
        .iter()
        .filter(|row| (row.since..=row.until).contains(&schema) && (row.applies)(element.name(), parent))
        .collect();
    let is_properties = element.name() == "cluster_property_set";
    for pair in element.children_named("nvpair") {
        let name = pair.attr("name").unwrap_or("");
        if let Some(row) = rows.iter().find(|row| row.names.iter().any(|names| names.contains(&name))) {
            let (major, minor) = row.since;
            validator
                .error(pair, format!("option '{name}' no longer exists in schema pacemaker-{major}.{minor}"));
        }
        let value = pair.attr("value");
        if is_properties && schema >= (4, 0) && name == "stonith-action" && value == Some("poweroff") {
            validator.error(pair, "stonith-action='poweroff' no longer exists; use 'off'");
        }
        if is_properties && schema >= (3, 0) && name == "cluster-infrastructure" {
            match value {
                None => validator.error(pair, "cluster-infrastructure needs a value"),
                Some(stack) if to_3_0::DROPPED_INFRASTRUCTURES.contains(&stack) => {
                    let message =
                        format!("cluster-infrastructure='{stack}' no longer exists in schema pacemaker-3.0");
                    validator.error(pair, message);
                }
                Some(_) => {}
            }
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
        let may_have_name = validator.schema < (4, 0);
        let set = element.parent();
        let place = set.and_then(Element::parent).map_or("", Element::name);
        let is_option = matches!(place, "crm_config" | "rsc_defaults" | "op_defaults");
        let since = if is_option { (3, 0) } else { (1, 3) };
        if validator.schema < since {
            let message = format!("nvpair with 'id-ref' needs schema pacemaker-{}.{} here", since.0, since.1);
            validator.error(element, message);
        } else if has(element, "id") || has(element, "value") || has(element, "name") && !may_have_name {
            let besides = if may_have_name { " but 'name'" } else { "" };
            validator.error(element, format!("nvpair with 'id-ref' can have no other attribute{besides}"));
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
    let engine = element.children().find(|child| matches!(child.name(), "docker" | "podman" | "rkt"));
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
}

fn is_in(element: Element<'_>, name: &str) -> bool {
    std::iter::successors(element.parent(), |one| one.parent()).any(|one| one.name() == name)
}

pub(super) fn rule<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    reference_or_id(validator, element);
    if has(element, "score") && has(element, "score-attribute") {
        validator.error(element, "rule can have 'score' or 'score-attribute', not both");
    }
    if has(element, "id-ref") {
        return;
    }
    if element.children().next().is_none() {
        validator.error(element, "rule needs at least one expression");
    }
    let is_new = |child: &Element<'_>| matches!(child.name(), "rsc_expression" | "op_expression");
    if validator.schema < (3, 5) && is_in(element, "constraints") && element.children().any(|it| is_new(&it))
    {
        validator.error(element, "such rules in constraints need schema pacemaker-3.5");
    }
    if validator.schema < (3, 9) && !has(element, "score") && !has(element, "score-attribute") {
        validator.error(element, "rule needs a 'score' or 'score-attribute' before schema pacemaker-3.9");
    }
}

pub(super) fn date_expression<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let (start, end) = (has(element, "start"), has(element, "end"));
    let (duration, spec) = (element.child("duration").is_some(), element.child("date_spec").is_some());
    let Some(operation) = element.attr("operation") else {
        return validator.error(element, "date_expression needs an attribute 'operation'");
    };
    let open_end = validator.schema >= (3, 9);
    let problem = match operation {
        "in_range" if !start && !end => Some("needs 'start' or 'end'"),
        "in_range" if duration && !start => Some("needs 'start' beside its duration"),
        "in_range" if duration && end => Some("can have 'end' or a duration, not both"),
        "in_range" if !end && !duration && !open_end => Some("needs 'end' or a duration before schema 3.9"),
        "in_range" if spec => Some("can have no date_spec"),
        "gt" if !start => Some("needs 'start'"),
        "gt" if end || duration || spec => Some("can have 'start' only"),
        "lt" if !end => Some("needs 'end'"),
        "lt" if start || duration || spec => Some("can have 'end' only"),
        "date_spec" if !spec => Some("needs an element date_spec"),
        "date_spec" if start || end || duration => Some("can have its date_spec only"),
        _ => None,
    };
    if let Some(problem) = problem {
        validator.error(element, format!("date_expression with operation {operation} {problem}"));
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
    if sets > 0 && has(element, "role") {
        validator.error(element, "rsc_location with resource sets can have no 'role'; the sets may have one");
    }
    let rules = count(element, "rule");
    if has(element, "node") {
        if !has(element, "score") {
            validator.error(element, "rsc_location with 'node' needs a 'score'");
        }
        if rules > 0 {
            validator.error(element, "rsc_location can have 'node' or a rule, not both");
        }
    } else if rules == 0 {
        validator.error(element, "rsc_location needs 'node' and 'score', or a rule");
    } else if has(element, "score") {
        validator.error(element, "rsc_location with a rule has its 'score' there");
    } else if rules > 1 && validator.schema >= (4, 0) {
        validator.error(element, "rsc_location may hold only one rule");
    }
}

pub(super) fn colocation<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    let of_pairs = ["node-attribute", "rsc-role", "with-rsc-role"];
    pair_or_sets(validator, element, ["rsc", "with-rsc"], &of_pairs);
    let scores = ["score", "score-attribute", "score-attribute-mangle"];
    if scores.iter().filter(|name| has(element, name)).count() > 1 {
        validator.error(element, "rsc_colocation can have only one score");
    }
}

pub(super) fn order<'a>(validator: &mut Validator<'a>, element: Element<'a>) {
    pair_or_sets(validator, element, ["first", "then"], &["first-action", "then-action"]);
    if has(element, "score") && has(element, "kind") {
        validator.error(element, "rsc_order can have 'kind' or 'score', not both");
    }
}

/// Two names, with further attributes of theirs, or resource sets.
fn pair_or_sets<'a>(
    validator: &mut Validator<'a>,
    element: Element<'a>,
    [one, other]: [&str; 2],
    of_pairs: &[&str],
) {
    let name = element.name();
    let sets = count(element, "resource_set") > 0;
    if let Some(attribute) = of_pairs.iter().find(|attribute| sets && has(element, attribute)) {
        validator.error(element, format!("{name} with resource sets can have no '{attribute}'"));
    }
    match (has(element, one), has(element, other)) {
        (true, _) | (_, true) if sets => {
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
    if has(element, "rsc-role") && !has(element, "rsc") {
        validator.error(element, "rsc_ticket can have 'rsc-role' only beside 'rsc'");
    }
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
    if has(element, "score") && has(element, "kind") {
        validator.error(element, "resource_set can have 'kind' or 'score', not both");
    }
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
    if has(element, "xpath") == (has(element, "ref") || has(element, "tag")) {
        let message = format!("{} needs either 'xpath', or 'ref' or 'tag' or both", element.name());
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
