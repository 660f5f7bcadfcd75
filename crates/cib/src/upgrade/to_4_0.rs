//! 3.10 to 4.0 (rule 1.2.9).

use super::Editor;
use std::collections::BTreeSet;
use xml::NodeId;

/// Prefix of all IDs that this step makes up.
const PREFIX: &str = "pcmk__3_10_upgrade-";

const BLOCKS: [&str; 4] = ["cluster_property_set", "instance_attributes", "meta_attributes", "utilization"];

pub(super) fn apply(editor: &mut Editor<'_>) {
    pairs_with_both(editor);
    pairs_without_value(editor);
    cluster_properties(editor);
    dates_and_levels(editor);
    ping_nodes(editor);
    masters(editor);
    retired_agents(editor);
    meta_attributes(editor);
    lifetimes(editor);
    several_rules(editor);
    if editor.needed {
        drop_duplicates(editor);
        sort_blocks(editor);
    }
}

/// A reference that gives the value another name becomes a pair of its own.
fn pairs_with_both(editor: &mut Editor<'_>) {
    let pairs = editor.all(&["nvpair"]);
    for pair in &pairs {
        let (Some(target), Some(name)) = (editor.attr(*pair, "id-ref"), editor.attr(*pair, "name")) else {
            continue;
        };
        let value = pairs
            .iter()
            .find(|candidate| editor.doc.attribute(**candidate, "id") == Some(target.as_str()))
            .and_then(|found| editor.attr(*found, "value"));
        editor.changed(*pair, format!("Made a pair of its own from the reference to {target}"));
        editor.doc.clear_attributes(*pair);
        editor.doc.set_attribute(*pair, "id", &format!("{PREFIX}{target}-{name}"));
        editor.doc.set_attribute(*pair, "name", &name);
        if let Some(value) = value {
            editor.doc.set_attribute(*pair, "value", &value);
        }
    }
}

fn pairs_without_value(editor: &mut Editor<'_>) {
    for pair in editor.all(&["nvpair"]) {
        if editor.doc.attribute(pair, "value").is_none() && editor.doc.attribute(pair, "id-ref").is_none() {
            editor.drop(pair, "the pair has no value");
        }
    }
}

fn cluster_properties(editor: &mut Editor<'_>) {
    let Some(section) = editor.section("crm_config") else { return };
    for block in editor.children(section, "cluster_property_set") {
        for pair in editor.pairs(block) {
            let Some(name) = editor.attr(pair, "name") else { continue };
            let renamed = match name.as_str() {
                "crmd-finalization-timeout" => "join-finalization-timeout",
                "crmd-integration-timeout" => "join-integration-timeout",
                "crmd-transition-delay" => "transition-delay",
                "remove-after-stop" => {
                    editor.drop(pair, "this property has no effect any more");
                    continue;
                }
                "stonith-action" if editor.doc.attribute(pair, "value") == Some("poweroff") => {
                    editor.changed(pair, "Replaced poweroff by off");
                    editor.doc.set_attribute(pair, "value", "off");
                    continue;
                }
                _ => continue,
            };
            editor.changed(pair, format!("Renamed {name} to {renamed}"));
            editor.doc.set_attribute(pair, "name", renamed);
        }
    }
}

fn dates_and_levels(editor: &mut Editor<'_>) {
    for spec in editor.all(&["date_spec"]) {
        if editor.doc.attribute(spec, "moon").is_some() {
            editor.changed(spec, "Dropped moon, which has no effect");
            editor.doc.remove_attribute(spec, "moon");
        }
    }
    for level in editor.all(&["fencing-level"]) {
        let index = editor.doc.attribute(level, "index").and_then(crate::value::parse_integer);
        if index.is_some_and(|index| index > 9) {
            editor.drop(level, "the index is above 9");
        }
    }
    for tag in ["docker", "podman", "rkt"] {
        for container in editor.all(&[tag]) {
            editor.rename_attribute(container, "masters", "promoted-max");
        }
    }
}

/// A ping node becomes a member on which nothing may run.
fn ping_nodes(editor: &mut Editor<'_>) {
    for node in editor.all(&["node"]) {
        if editor.doc.attribute(node, "type") != Some("ping") {
            continue;
        }
        let name = editor.attr(node, "uname").unwrap_or_default();
        editor.changed(node, "Turned the ping node into a member on which nothing may run");
        editor.doc.set_attribute(node, "type", "member");
        let constraints = editor.section_or_new("constraints");
        let ban = editor.doc.append_element(constraints, "rsc_location");
        for (key, value) in [
            ("id", format!("{PREFIX}ping-node-ban-{name}").as_str()),
            ("rsc-pattern", ".*"),
            ("node", &name),
            ("score", "-INFINITY"),
            ("resource-discovery", "never"),
        ] {
            editor.doc.set_attribute(ban, key, value);
        }
    }
}

/// `master` elements become promotable clones.
fn masters(editor: &mut Editor<'_>) {
    for master in editor.all(&["master"]) {
        editor.changed(master, "Turned the master into a promotable clone");
        let block_id = format!("{PREFIX}{}-meta_attributes", editor.id_of(master));
        editor.doc.set_name(master, "clone");
        let block = editor.doc.insert_element(master, 0, "meta_attributes");
        editor.doc.set_attribute(block, "id", &block_id);
        editor.doc.set_attribute(block, "score", "INFINITY");
        let pair = editor.doc.append_element(block, "nvpair");
        editor.doc.set_attribute(pair, "id", &format!("{block_id}-promotable"));
        editor.doc.set_attribute(pair, "name", "promotable");
        editor.doc.set_attribute(pair, "value", "true");
    }
}

/// Agents of classes that are gone, containers that are gone, and everything that named them.
fn retired_agents(editor: &mut Editor<'_>) {
    let mut dropped = BTreeSet::new();
    let retired_class =
        |editor: &Editor<'_>, id| matches!(editor.doc.attribute(id, "class"), Some("nagios" | "upstart"));
    let templates: BTreeSet<String> = editor
        .all(&["template"])
        .into_iter()
        .filter(|id| retired_class(editor, *id))
        .map(|id| editor.id_of(id))
        .collect();
    for resource in editor.all(&["template", "primitive"]) {
        let from_template = editor.attr(resource, "template").is_some_and(|name| templates.contains(&name));
        if retired_class(editor, resource) || from_template {
            dropped.insert(editor.id_of(resource));
            editor.drop(resource, "agents of this class are no longer supported");
        }
    }
    for bundle in editor.all(&["bundle"]) {
        if editor.doc.child(bundle, "rkt").is_some() {
            let inside: Vec<String> =
                editor.children(bundle, "primitive").into_iter().map(|inner| editor.id_of(inner)).collect();
            dropped.extend(inside);
            dropped.insert(editor.id_of(bundle));
            editor.drop(bundle, "rkt containers are no longer supported");
        }
    }
    if dropped.is_empty() {
        return;
    }
    for tag in ["group", "clone", "master"] {
        for holder in editor.all(&[tag]) {
            let empty = !editor
                .doc
                .children(holder)
                .any(|child| matches!(editor.doc.name(child), "primitive" | "group"));
            if empty {
                dropped.insert(editor.id_of(holder));
                editor.drop(holder, "nothing is left in it");
            }
        }
    }
    forget(editor, &dropped);
}

/// Removes what refers to resources that are gone.
fn forget(editor: &mut Editor<'_>, gone: &BTreeSet<String>) {
    let refers = |editor: &Editor<'_>, id, names: &[&str]| {
        names.iter().any(|name| editor.doc.attribute(id, name).is_some_and(|target| gone.contains(target)))
    };
    for reference in editor.all(&["resource_ref", "obj_ref"]) {
        if refers(editor, reference, &["id"]) {
            editor.drop(reference, "the resource is gone");
        }
    }
    for set in editor.all(&["resource_set"]) {
        if editor.doc.attribute(set, "id-ref").is_none() && editor.doc.child(set, "resource_ref").is_none() {
            editor.drop(set, "no resource is left in it");
        }
    }
    for constraint in editor.all(&["rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket"]) {
        let named = ["rsc", "rsc-pattern", "with-rsc", "first", "then"];
        let names_any = named.iter().any(|name| editor.doc.attribute(constraint, name).is_some());
        let empty = !names_any && editor.doc.child(constraint, "resource_set").is_none();
        if empty || refers(editor, constraint, &["rsc", "with-rsc", "first", "then"]) {
            editor.drop(constraint, "the resource is gone");
        }
    }
    for permission in editor.all(&["acl_permission"]) {
        if refers(editor, permission, &["reference"]) {
            editor.drop(permission, "the resource is gone");
        }
    }
}

fn meta_attributes(editor: &mut Editor<'_>) {
    for block in editor.all(&["meta_attributes"]) {
        let Some(parent) = editor.doc.parent(block) else { continue };
        let holder = editor.doc.name(parent).to_owned();
        let retired: &[&str] = match holder.as_str() {
            "op" | "op_defaults" => &["can_fail", "role_after_failure"],
            "primitive" | "template" | "group" | "clone" | "bundle" | "rsc_defaults" => &["restart-type"],
            _ => continue,
        };
        for pair in editor.pairs(block) {
            if editor.doc.attribute(pair, "name").is_some_and(|name| retired.contains(&name)) {
                editor.drop(pair, "this attribute has no effect any more");
            }
        }
    }
}

/// `lifetime` becomes part of a location's rule; in other constraints it never had an effect.
fn lifetimes(editor: &mut Editor<'_>) {
    for lifetime in editor.all(&["lifetime"]) {
        let Some(constraint) = editor.doc.parent(lifetime) else { continue };
        if editor.doc.name(constraint) != "rsc_location" {
            editor.drop(lifetime, "it has no effect here");
            continue;
        }
        let rules = editor.children(lifetime, "rule");
        if rules.is_empty() {
            editor.drop(lifetime, "it holds no rule");
            continue;
        }
        editor.changed(constraint, "Made the lifetime a part of the rule");
        join_lifetime(editor, constraint, &rules);
        editor.doc.remove(lifetime);
    }
}

fn join_lifetime(editor: &mut Editor<'_>, constraint: NodeId, rules: &[NodeId]) {
    let base = format!("{PREFIX}{}-lifetime", editor.id_of(constraint));
    let own = editor.children(constraint, "rule");
    if own.is_empty() {
        let rule = editor.doc.append_element(constraint, "rule");
        node_rule(editor, constraint, rule, &base);
        both(editor, constraint, rule, rules, &base);
    }
    for (position, rule) in own.iter().enumerate() {
        let base = if own.len() > 1 { format!("{base}-{}", position + 1) } else { base.clone() };
        both(editor, constraint, *rule, rules, &base);
    }
}

/// A rule that says what `node` and `score` of the constraint said.
fn node_rule(editor: &mut Editor<'_>, constraint: NodeId, rule: NodeId, base: &str) {
    editor.doc.set_attribute(rule, "id", &format!("{base}-rule"));
    for name in ["score", "role"] {
        if let Some(value) = editor.attr(constraint, name) {
            editor.doc.set_attribute(rule, name, &value);
            editor.doc.remove_attribute(constraint, name);
        }
    }
    let node = editor.attr(constraint, "node").unwrap_or_default();
    editor.doc.remove_attribute(constraint, "node");
    let expression = editor.doc.append_element(rule, "expression");
    let id = format!("{base}-expr");
    for (key, value) in [("id", id.as_str()), ("attribute", "#uname"), ("operation", "eq"), ("value", &node)]
    {
        editor.doc.set_attribute(expression, key, value);
    }
}

/// Wraps `rule` and copies of the lifetime's rules into one rule that needs both.
fn both(editor: &mut Editor<'_>, constraint: NodeId, rule: NodeId, lifetime: &[NodeId], base: &str) {
    let position = editor.doc.position(rule);
    let outer = editor.doc.insert_element(constraint, position, "rule");
    editor.doc.set_attribute(outer, "id", &format!("{base}-and-rule"));
    editor.doc.set_attribute(outer, "boolean-op", "and");
    for name in ["score", "score-attribute", "role"] {
        if let Some(value) = editor.attr(rule, name) {
            editor.doc.set_attribute(outer, name, &value);
            editor.doc.remove_attribute(rule, name);
        }
    }
    editor.doc.move_to(rule, outer, None);
    let holder = if lifetime.len() > 1 {
        let either = editor.doc.append_element(outer, "rule");
        editor.doc.set_attribute(either, "id", &format!("{base}-or-rule"));
        editor.doc.set_attribute(either, "boolean-op", "or");
        either
    } else {
        outer
    };
    for part in lifetime {
        editor.doc.duplicate(holder, None, *part);
    }
}

/// A location with several rules becomes one constraint a rule.
fn several_rules(editor: &mut Editor<'_>) {
    for constraint in editor.all(&["rsc_location"]) {
        let rules = editor.children(constraint, "rule");
        if rules.len() < 2 {
            continue;
        }
        editor.changed(constraint, "Split into one constraint for each rule");
        let Some(parent) = editor.doc.parent(constraint) else { continue };
        let id = editor.id_of(constraint);
        for kept in 0..rules.len() {
            let copy = editor.doc.duplicate(parent, Some(editor.doc.position(constraint)), constraint);
            editor.doc.set_attribute(copy, "id", &format!("{PREFIX}{id}-{}", kept + 1));
            let copies = editor.children(copy, "rule");
            for (position, rule) in copies.into_iter().enumerate() {
                if position != kept {
                    editor.doc.remove(rule);
                }
            }
        }
        editor.doc.remove(constraint);
    }
}

/// Of several pairs of one name in one block only the one that takes effect stays.
fn drop_duplicates(editor: &mut Editor<'_>) {
    for block in editor.all(&BLOCKS) {
        let pairs = editor.pairs(block);
        let mut seen = BTreeSet::new();
        for pair in &pairs {
            let Some(name) = editor.attr(*pair, "name") else { continue };
            if !seen.insert(name.clone()) {
                continue;
            }
            let same: Vec<NodeId> = pairs
                .iter()
                .copied()
                .filter(|other| editor.doc.attribute(*other, "name") == Some(name.as_str()))
                .collect();
            let kept = in_effect(editor, &same);
            for (position, other) in same.iter().enumerate() {
                if position != kept {
                    editor.drop(*other, "an equal name in the same block takes precedence");
                }
            }
        }
    }
}

/// Which of several pairs of one name counts: the first after the last `#default`, if any.
fn in_effect(editor: &Editor<'_>, pairs: &[NodeId]) -> usize {
    let is_default = |id: &NodeId| {
        editor.doc.attribute(*id, "value").is_some_and(|value| value.eq_ignore_ascii_case("#default"))
    };
    match pairs.iter().rposition(is_default) {
        None => 0,
        Some(last) => (last + 1).min(pairs.len() - 1),
    }
}

/// Blocks come after the other children, highest score first.
fn sort_blocks(editor: &mut Editor<'_>) {
    let holders: BTreeSet<NodeId> =
        editor.all(&BLOCKS).into_iter().filter_map(|block| editor.doc.parent(block)).collect();
    for holder in holders {
        for tag in BLOCKS {
            let mut blocks = editor.children(holder, tag);
            if blocks.len() < 2 {
                continue;
            }
            blocks.sort_by_key(|block| {
                let element = editor.element(*block);
                let score = element.attr("score").and_then(crate::value::Score::parse).unwrap_or_default();
                (element.attr("id") != Some(crate::nvpair::BOOTSTRAP_OPTIONS), std::cmp::Reverse(score))
            });
            for block in blocks {
                editor.doc.move_to(block, holder, None);
            }
        }
    }
}
