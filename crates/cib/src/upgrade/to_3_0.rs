//! 2.10 to 3.0: old names and places of properties, resource and operation attributes (rule 1.2.8).

use super::Editor;
use xml::NodeId;

/// Cluster properties that were once written with underscores.
pub(crate) const UNDERSCORED: [&str; 12] = [
    "cluster_recheck_interval",
    "dc_deadtime",
    "election_timeout",
    "no_quorum_policy",
    "remove_after_stop",
    "shutdown_escalation",
    "startup_fencing",
    "stonith_action",
    "stonith_enabled",
    "stop_orphan_actions",
    "stop_orphan_resources",
    "symmetric_cluster",
];

pub(crate) const DROPPED_PROPERTIES: [&str; 5] = [
    "default-migration-threshold",
    "default_migration_threshold",
    "expected-quorum-votes",
    "notification-agent",
    "notification-recipient",
];

pub(crate) const DROPPED_INFRASTRUCTURES: [&str; 5] =
    ["heartbeat", "openais", "classic openais", "classic openais (with plugin)", "cman"];

/// Operation attributes that were once accepted as instance attributes.
pub(crate) const OPERATION_META: [&str; 7] =
    ["interval-origin", "start-delay", "enabled", "on-fail", "record-pending", "role", "timeout"];

pub(super) fn apply(editor: &mut Editor<'_>) {
    cluster_properties(editor);
    for node in editor.all(&["node"]) {
        if editor.doc.attribute(node, "type") == Some("normal") {
            editor.changed(node, "Replaced type normal by member");
            editor.doc.set_attribute(node, "type", "member");
        }
    }
    for resource in editor.all(&["primitive", "template"]) {
        instance_attributes(editor, resource);
        meta_attributes(editor, resource);
        for operations in editor.children(resource, "operations") {
            for op in editor.children(operations, "op") {
                operation(editor, resource, op);
            }
        }
    }
    for colocation in editor.all(&["rsc_colocation"]) {
        for name in ["score-attribute", "score-attribute-mangle"] {
            if editor.doc.attribute(colocation, name).is_some() {
                editor.changed(colocation, format!("Dropped {name}, which has no effect"));
                editor.doc.remove_attribute(colocation, name);
            }
        }
    }
}

fn cluster_properties(editor: &mut Editor<'_>) {
    let Some(section) = editor.section("crm_config") else { return };
    for block in editor.children(section, "cluster_property_set") {
        for pair in editor.pairs(block) {
            cluster_property(editor, pair);
        }
    }
}

fn cluster_property(editor: &mut Editor<'_>, pair: NodeId) {
    let Some(name) = editor.attr(pair, "name") else { return };
    let value = editor.attr(pair, "value").unwrap_or_default();
    let hyphenated = name.replace('_', "-");
    if UNDERSCORED.contains(&name.as_str()) {
        rename_pair(editor, pair, &hyphenated);
        return;
    }
    match hyphenated.as_str() {
        "transition-idle-timeout" if name == "transition_idle_timeout" => {
            rename_pair(editor, pair, "cluster-delay")
        }
        "default-action-timeout" => move_to_defaults(editor, pair, "op_defaults", "timeout", &value),
        "default-resource-stickiness" => {
            move_to_defaults(editor, pair, "rsc_defaults", "resource-stickiness", &value)
        }
        "is-managed-default" => move_to_defaults(editor, pair, "rsc_defaults", "is-managed", &value),
        "default-resource-failure-stickiness" if value == "-INFINITY" => {
            move_to_defaults(editor, pair, "rsc_defaults", "migration-threshold", "1");
        }
        "default-resource-failure-stickiness" => editor.drop(pair, "there is no equivalent for this value"),
        "cluster-infrastructure" if DROPPED_INFRASTRUCTURES.contains(&value.as_str()) => {
            editor.drop(pair, "this messaging layer is no longer supported");
        }
        _ if DROPPED_PROPERTIES.contains(&name.as_str()) => {
            editor.drop(pair, "this property has no effect any more")
        }
        _ => {}
    }
}

fn rename_pair(editor: &mut Editor<'_>, pair: NodeId, name: &str) {
    let old = editor.attr(pair, "name").unwrap_or_default();
    editor.changed(pair, format!("Renamed {old} to {name}"));
    editor.doc.set_attribute(pair, "name", name);
}

fn move_to_defaults(editor: &mut Editor<'_>, pair: NodeId, section: &str, name: &str, value: &str) {
    editor.drop(pair, &format!("it is {name} in {section} now"));
    let section_node = editor.section_or_new(section);
    if !editor.has_pair(section_node, "meta_attributes", name) {
        editor.add_pair(section_node, "meta_attributes", &format!("{section}-options"), name, value);
    }
}

fn instance_attributes(editor: &mut Editor<'_>, resource: NodeId) {
    for block in editor.children(resource, "instance_attributes") {
        for pair in editor.pairs(block) {
            let Some(name) = editor.attr(pair, "name") else { continue };
            let action = name.strip_prefix("pcmk_").and_then(|rest| rest.strip_suffix("_cmd"));
            if let Some(action) =
                action.filter(|action| ["list", "monitor", "off", "on", "reboot", "status"].contains(action))
            {
                rename_pair(editor, pair, &format!("pcmk_{action}_action"));
            } else if name == "pcmk_arg_map" {
                argument_map(editor, pair);
            }
        }
    }
}

fn argument_map(editor: &mut Editor<'_>, pair: NodeId) {
    let value = editor.attr(pair, "value").unwrap_or_default();
    match value.strip_prefix("port:") {
        Some(argument) => {
            rename_pair(editor, pair, "pcmk_host_argument");
            editor.doc.set_attribute(pair, "value", argument);
        }
        None => editor.drop(pair, "this argument map has no equivalent"),
    }
}

fn meta_attributes(editor: &mut Editor<'_>, resource: NodeId) {
    for block in editor.children(resource, "meta_attributes") {
        for pair in editor.pairs(block) {
            let Some(name) = editor.attr(pair, "name") else { continue };
            match name.as_str() {
                "isolation" | "isolation-host" | "isolation-instance" | "isolation-wrapper" => {
                    rename_pair(editor, pair, "target-role");
                    editor.doc.set_attribute(pair, "value", "Stopped");
                }
                "resource-failure-stickiness" | "resource_failure_stickiness" => {
                    if editor.doc.attribute(pair, "value") == Some("-INFINITY") {
                        rename_pair(editor, pair, "migration-threshold");
                        editor.doc.set_attribute(pair, "value", "1");
                    } else {
                        editor.drop(pair, "there is no equivalent for this value");
                    }
                }
                _ => {}
            }
        }
    }
}

fn operation(editor: &mut Editor<'_>, resource: NodeId, op: NodeId) {
    let starts = matches!(editor.doc.attribute(op, "name"), Some("start" | "promote"));
    if let Some(value) = editor.attr(op, "requires") {
        editor.changed(op, "Moved requires to the resource's meta-attributes");
        editor.doc.remove_attribute(op, "requires");
        require(editor, resource, starts, &value);
    }
    for block in operation_blocks(editor, op) {
        for pair in editor.pairs(block) {
            let Some(name) = editor.attr(pair, "name") else { continue };
            let value = editor.attr(pair, "value").unwrap_or_default();
            if name == "requires" {
                editor.drop(pair, "it is a meta-attribute of the resource now");
                require(editor, resource, starts, &value);
            } else if editor.doc.name(block) == "instance_attributes"
                && OPERATION_META.contains(&name.as_str())
            {
                editor.drop(pair, "it is a meta-attribute of the operation now");
                let block_id = format!("{}-meta_attributes", editor.id_of(op));
                editor.add_pair(op, "meta_attributes", &block_id, &name, &value);
            }
        }
    }
}

fn operation_blocks(editor: &Editor<'_>, op: NodeId) -> Vec<NodeId> {
    let mut blocks = editor.children(op, "instance_attributes");
    blocks.extend(editor.children(op, "meta_attributes"));
    blocks
}

fn require(editor: &mut Editor<'_>, resource: NodeId, starts: bool, value: &str) {
    if starts && !editor.has_pair(resource, "meta_attributes", "requires") {
        let block_id = format!("{}-meta_attributes", editor.id_of(resource));
        editor.add_pair(resource, "meta_attributes", &block_id, "requires", value);
    }
}
