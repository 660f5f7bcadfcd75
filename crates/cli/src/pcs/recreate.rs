//! Resources in forms for programs: the commands that make them again, and one object of JSON (rule 5d.3.3).

use serde_json::{Value, json};
use xml::NodeId;

use super::show;
use crate::configuration::Configuration;

/// Attributes of an operation in the order of the commands; the name stands before them.
const OPERATION: [&str; 9] = [
    "interval",
    "id",
    "timeout",
    "start-delay",
    "interval-origin",
    "enabled",
    "record-pending",
    "role",
    "on-fail",
];

/// What is shown, by its kind. What is in a collective belongs to it.
#[derive(Default)]
struct Chosen {
    /// Each with whether it is in a bundle.
    primitives: Vec<(NodeId, bool)>,
    groups: Vec<NodeId>,
    clones: Vec<NodeId>,
    bundles: Vec<NodeId>,
}

impl Chosen {
    fn of(configuration: &Configuration, ids: &[String], fence_devices: bool) -> Chosen {
        let mut chosen = Chosen::default();
        for element in show::chosen(configuration, ids, fence_devices) {
            chosen.add(configuration, element, false);
        }
        chosen
    }

    fn add(&mut self, configuration: &Configuration, element: NodeId, in_bundle: bool) {
        match configuration.name(element) {
            "primitive" => self.primitives.push((element, in_bundle)),
            "group" => self.groups.push(element),
            "clone" | "master" => self.clones.push(element),
            "bundle" => self.bundles.push(element),
            _ => return,
        }
        let is_bundle = configuration.name(element) == "bundle";
        for child in configuration.children(element) {
            self.add(configuration, child, is_bundle);
        }
    }
}

/// The commands that make the resources again, each of one or more lines.
pub fn commands(configuration: &Configuration, ids: &[String], fence_devices: bool) -> Vec<String> {
    let chosen = Chosen::of(configuration, ids, fence_devices);
    let writer = Writer { configuration };
    let mut commands: Vec<Vec<String>> = Vec::new();
    for bundle in &chosen.bundles {
        commands.push(writer.bundle(*bundle));
        for child in writer.members(*bundle) {
            let mut command = writer.primitive(child);
            command.push(format!("  bundle {}", shell_word(configuration.id(*bundle))));
            commands.push(command);
            commands.extend(writer.utilization(child));
        }
    }
    for (primitive, _) in chosen.primitives.iter().filter(|(_, in_bundle)| !in_bundle) {
        commands.push(writer.primitive(*primitive));
        commands.extend(writer.utilization(*primitive));
    }
    for group in &chosen.groups {
        let members: Vec<String> =
            writer.members(*group).iter().map(|member| shell_word(configuration.id(*member))).collect();
        let id = shell_word(configuration.id(*group));
        commands.push(vec![format!("pcs resource group add {id}"), format!("  {}", members.join(" "))]);
        let meta = writer.pairs(*group, "meta_attributes");
        if !meta.is_empty() {
            commands.push(vec![format!("pcs resource meta {id}"), format!("  {}", meta.join(" "))]);
        }
    }
    for clone in &chosen.clones {
        let member =
            writer.members(*clone).first().map(|member| configuration.id(*member)).unwrap_or_default();
        let id = shell_word(configuration.id(*clone));
        let mut command = vec![format!("pcs resource clone {} {id}", shell_word(member))];
        let meta = writer.pairs(*clone, "meta_attributes");
        if !meta.is_empty() {
            command.push(format!("  meta {}", meta.join(" ")));
        }
        commands.push(command);
    }
    let last = commands.len().saturating_sub(1);
    let mut lines = Vec::new();
    for (index, command) in commands.into_iter().enumerate() {
        let end = if index == last { "" } else { ";" };
        lines.push(format!("{}{end}", command.join(" \\\n")));
    }
    lines
}

/// A word as the shell reads it.
fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

struct Writer<'c> {
    configuration: &'c Configuration,
}

impl Writer<'_> {
    fn members(&self, element: NodeId) -> Vec<NodeId> {
        let is_resource =
            |child: &NodeId| crate::configuration::RESOURCE_TAGS.contains(&self.configuration.name(*child));
        self.configuration.children(element).into_iter().filter(is_resource).collect()
    }

    /// Names and values of the sets with this tag.
    fn pairs(&self, element: NodeId, tag: &str) -> Vec<String> {
        let sets = self.configuration.children(element).into_iter();
        let sets = sets.filter(|set| self.configuration.name(*set) == tag);
        let mut pairs: Vec<(String, String)> = sets.flat_map(|set| self.configuration.pairs(set)).collect();
        pairs.sort();
        pairs.iter().map(|(name, value)| shell_word(&format!("{name}={value}"))).collect()
    }

    /// The attributes of an element, but for some.
    fn attributes(&self, element: NodeId, without: &[&str]) -> Vec<String> {
        let all = self.configuration.document.attributes(element);
        let shown = all.filter(|(name, _)| !without.contains(name));
        shown.map(|(name, value)| shell_word(&format!("{name}={value}"))).collect()
    }

    fn primitive(&self, element: NodeId) -> Vec<String> {
        let configuration = self.configuration;
        let get = |name: &str| configuration.attribute(element, name);
        let is_fence = get("class") == "stonith";
        let agent = match (is_fence, get("template")) {
            (_, template) if !template.is_empty() => format!("@{template}"),
            (true, _) => get("type").to_owned(),
            (false, _) => {
                let parts = ["class", "provider", "type"].map(get);
                parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(":")
            }
        };
        let family = if is_fence { "stonith" } else { "resource" };
        let mut command = vec![format!(
            "pcs {family} create --no-default-ops --force -- {} {}",
            shell_word(configuration.id(element)),
            shell_word(&agent)
        )];
        let parameters = self.pairs(element, "instance_attributes");
        if !parameters.is_empty() {
            command.push(format!("  {}", parameters.join(" ")));
        }
        let operations = configuration.child(element, "operations").map(|it| configuration.children(it));
        let operations = operations.unwrap_or_default();
        if !operations.is_empty() {
            command.push("  op".to_owned());
            command
                .extend(operations.into_iter().map(|operation| format!("    {}", self.operation(operation))));
        }
        let meta = self.pairs(element, "meta_attributes");
        if !meta.is_empty() {
            command.push(format!("  meta {}", meta.join(" ")));
        }
        command
    }

    fn operation(&self, operation: NodeId) -> String {
        let mut words = vec![shell_word(self.configuration.attribute(operation, "name"))];
        for name in OPERATION {
            if let Some(value) = self.configuration.document.attribute(operation, name) {
                words.push(shell_word(&format!("{name}={}", operation_value(name, value))));
            }
        }
        words.extend(self.pairs(operation, "instance_attributes"));
        words.join(" ")
    }

    fn utilization(&self, element: NodeId) -> Option<Vec<String>> {
        let pairs = self.pairs(element, "utilization");
        let id = shell_word(self.configuration.id(element));
        (!pairs.is_empty())
            .then(|| vec![format!("pcs resource utilization {id}"), format!("  {}", pairs.join(" "))])
    }

    fn bundle(&self, element: NodeId) -> Vec<String> {
        let configuration = self.configuration;
        let mut command =
            vec![format!("pcs resource bundle create {}", shell_word(configuration.id(element)))];
        let children = configuration.children(element);
        for child in &children {
            let tag = configuration.name(*child);
            let words = self.attributes(*child, &["id"]).join(" ");
            match tag {
                "docker" | "podman" | "rkt" => {
                    command.push(format!("  container {tag}"));
                    command.push(format!("    {words}"));
                }
                "network" => {
                    if !words.is_empty() {
                        command.push(format!("  network {words}"));
                    }
                    for port in configuration.children(*child) {
                        command.push(format!("  port-map {}", self.attributes(port, &["id"]).join(" ")));
                    }
                }
                "storage" => {
                    for mapping in configuration.children(*child) {
                        command
                            .push(format!("  storage-map {}", self.attributes(mapping, &["id"]).join(" ")));
                    }
                }
                _ => {}
            }
        }
        let meta = self.pairs(element, "meta_attributes");
        if !meta.is_empty() {
            command.push(format!("  meta {}", meta.join(" ")));
        }
        command
    }
}

/// Booleans as digits, roles in the newer words.
fn operation_value(name: &str, value: &str) -> String {
    match (name, value) {
        ("enabled" | "record-pending", _) => match cib::value::parse_boolean(value) {
            Some(truth) => u8::from(truth).to_string(),
            None => value.to_owned(),
        },
        ("role", _) => show::modern_role(value).to_owned(),
        _ => value.to_owned(),
    }
}

/// The resources as one object.
pub fn object(configuration: &Configuration, ids: &[String], fence_devices: bool) -> Value {
    let chosen = Chosen::of(configuration, ids, fence_devices);
    let reader = Reader { configuration };
    let all = |elements: &[NodeId], read: &dyn Fn(NodeId) -> Value| -> Vec<Value> {
        elements.iter().map(|element| read(*element)).collect()
    };
    let primitives: Vec<NodeId> = chosen.primitives.iter().map(|(it, _)| *it).collect();
    json!({
        "primitives": all(&primitives, &|it| reader.primitive(it)),
        "clones": all(&chosen.clones, &|it| reader.clone(it)),
        "groups": all(&chosen.groups, &|it| reader.group(it)),
        "bundles": all(&chosen.bundles, &|it| reader.bundle(it)),
    })
}

struct Reader<'c> {
    configuration: &'c Configuration,
}

impl Reader<'_> {
    fn text(&self, element: NodeId, name: &str) -> Value {
        self.configuration.document.attribute(element, name).map_or(Value::Null, |text| json!(text))
    }

    fn number(&self, element: NodeId, name: &str) -> Value {
        let text = self.configuration.document.attribute(element, name);
        text.and_then(|text| text.parse::<i64>().ok()).map_or(Value::Null, |number| json!(number))
    }

    fn truth(&self, element: NodeId, name: &str) -> Value {
        let text = self.configuration.document.attribute(element, name);
        text.and_then(cib::value::parse_boolean).map_or(Value::Null, |truth| json!(truth))
    }

    fn member_ids(&self, element: NodeId) -> Vec<&str> {
        let members = Writer { configuration: self.configuration }.members(element);
        members.into_iter().map(|member| self.configuration.id(member)).collect()
    }

    fn sets(&self, element: NodeId, tag: &str) -> Vec<Value> {
        let sets = self.configuration.children(element).into_iter();
        sets.filter(|set| self.configuration.name(*set) == tag).map(|set| self.set(set)).collect()
    }

    fn set(&self, set: NodeId) -> Value {
        let configuration = self.configuration;
        let children = configuration.children(set);
        let rule = children.iter().find(|child| configuration.name(**child) == "rule");
        let pairs = children.iter().filter(|child| configuration.name(**child) == "nvpair");
        let pair = |it: &NodeId| json!({"id": self.text(*it, "id"), "name": self.text(*it, "name"), "value": self.text(*it, "value")});
        let options: serde_json::Map<String, Value> = configuration
            .document
            .attributes(set)
            .filter(|(name, _)| *name != "id")
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        json!({
            "id": configuration.id(set),
            "options": options,
            "rule": rule.map(|rule| self.rule(*rule)),
            "nvpairs": pairs.map(pair).collect::<Vec<_>>(),
        })
    }

    /// A rule, or a part of one.
    fn rule(&self, element: NodeId) -> Value {
        let configuration = self.configuration;
        let kind = match configuration.name(element) {
            "rule" => "RULE",
            "date_expression" => "DATE_EXPRESSION",
            "op_expression" => "OP_EXPRESSION",
            "rsc_expression" => "RSC_EXPRESSION",
            _ => "EXPRESSION",
        };
        let options = |element: NodeId| -> serde_json::Map<String, Value> {
            let attributes = configuration.document.attributes(element);
            let shown = attributes.filter(|(name, _)| *name != "id");
            shown.map(|(name, value)| (name.to_owned(), json!(value))).collect()
        };
        let part = |tag: &str| {
            let found = configuration.child(element, tag);
            found.map(|it| json!({"id": configuration.id(it), "options": options(it)}))
        };
        let is_part = |child: &NodeId| !matches!(configuration.name(*child), "date_spec" | "duration");
        let expressions = configuration.children(element).into_iter().filter(is_part);
        json!({
            "id": configuration.id(element),
            "type": kind,
            "in_effect": "UNKNOWN",
            "options": options(element),
            "date_spec": part("date_spec"),
            "duration": part("duration"),
            "expressions": expressions.map(|it| self.rule(it)).collect::<Vec<_>>(),
            "as_string": self.rule_text(element),
        })
    }

    fn rule_text(&self, element: NodeId) -> String {
        let configuration = self.configuration;
        if configuration.name(element) != "rule" {
            return show::expression(configuration, element);
        }
        let word = match configuration.attribute(element, "boolean-op") {
            "or" => " or ",
            _ => " and ",
        };
        let parts: Vec<String> = configuration
            .children(element)
            .into_iter()
            .map(|part| match configuration.name(part) {
                "rule" => format!("({})", self.rule_text(part)),
                _ => self.rule_text(part),
            })
            .collect();
        parts.join(word)
    }

    fn primitive(&self, element: NodeId) -> Value {
        let configuration = self.configuration;
        let operations = configuration.child(element, "operations").map(|it| configuration.children(it));
        let operations: Vec<Value> =
            operations.unwrap_or_default().into_iter().map(|it| self.operation(it)).collect();
        json!({
            "id": configuration.id(element),
            "agent_name": {
                "standard": self.text(element, "class"),
                "provider": self.text(element, "provider"),
                "type": self.text(element, "type"),
            },
            "description": self.text(element, "description"),
            "operations": operations,
            "meta_attributes": self.sets(element, "meta_attributes"),
            "instance_attributes": self.sets(element, "instance_attributes"),
            "utilization": self.sets(element, "utilization"),
        })
    }

    fn operation(&self, element: NodeId) -> Value {
        let role = self.configuration.document.attribute(element, "role");
        json!({
            "id": self.configuration.id(element),
            "name": self.text(element, "name"),
            "interval": self.text(element, "interval"),
            "description": self.text(element, "description"),
            "start_delay": self.text(element, "start-delay"),
            "interval_origin": self.text(element, "interval-origin"),
            "timeout": self.text(element, "timeout"),
            "enabled": self.truth(element, "enabled"),
            "record_pending": self.truth(element, "record-pending"),
            "role": role.map(|role| operation_value("role", role)),
            "on_fail": self.text(element, "on-fail"),
            "meta_attributes": self.sets(element, "meta_attributes"),
            "instance_attributes": self.sets(element, "instance_attributes"),
        })
    }

    fn group(&self, element: NodeId) -> Value {
        json!({
            "id": self.configuration.id(element),
            "description": self.text(element, "description"),
            "member_ids": self.member_ids(element),
            "meta_attributes": self.sets(element, "meta_attributes"),
            "instance_attributes": self.sets(element, "instance_attributes"),
        })
    }

    fn clone(&self, element: NodeId) -> Value {
        json!({
            "id": self.configuration.id(element),
            "description": self.text(element, "description"),
            "member_id": self.member_ids(element).first(),
            "meta_attributes": self.sets(element, "meta_attributes"),
            "instance_attributes": self.sets(element, "instance_attributes"),
        })
    }

    fn bundle(&self, element: NodeId) -> Value {
        let configuration = self.configuration;
        let children = configuration.children(element);
        let container = children
            .iter()
            .copied()
            .find(|it| matches!(configuration.name(*it), "docker" | "podman" | "rkt"));
        let network = configuration.child(element, "network");
        let below = |parent: Option<NodeId>| parent.map(|it| configuration.children(it)).unwrap_or_default();
        let ports: Vec<Value> = below(network)
            .into_iter()
            .map(|it| {
                json!({
                    "id": configuration.id(it),
                    "port": self.number(it, "port"),
                    "internal_port": self.number(it, "internal-port"),
                    "range": self.text(it, "range"),
                })
            })
            .collect();
        let storage: Vec<Value> = below(configuration.child(element, "storage"))
            .into_iter()
            .map(|it| {
                json!({
                    "id": configuration.id(it),
                    "source_dir": self.text(it, "source-dir"),
                    "source_dir_root": self.text(it, "source-dir-root"),
                    "target_dir": self.text(it, "target-dir"),
                    "options": self.text(it, "options"),
                })
            })
            .collect();
        json!({
            "id": configuration.id(element),
            "description": self.text(element, "description"),
            "member_id": self.member_ids(element).first(),
            "container_type": container.map(|it| configuration.name(it)),
            "container_options": container.map(|it| json!({
                "image": self.text(it, "image"),
                "replicas": self.number(it, "replicas"),
                "replicas_per_host": self.number(it, "replicas-per-host"),
                "promoted_max": self.number(it, "promoted-max"),
                "run_command": self.text(it, "run-command"),
                "network": self.text(it, "network"),
                "options": self.text(it, "options"),
            })),
            "network": network.map(|it| json!({
                "ip_range_start": self.text(it, "ip-range-start"),
                "control_port": self.number(it, "control-port"),
                "host_interface": self.text(it, "host-interface"),
                "host_netmask": self.number(it, "host-netmask"),
                "add_host": self.truth(it, "add-host"),
            })),
            "port_mappings": ports,
            "storage_mappings": storage,
            "meta_attributes": self.sets(element, "meta_attributes"),
            "instance_attributes": self.sets(element, "instance_attributes"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration() -> Configuration {
        let text = "<cib><configuration><crm_config/><nodes/><resources>\
             <group id='G'><primitive id='A' class='ocf' provider='heartbeat' type='Dummy'>\
             <instance_attributes id='i'><nvpair id='p' name='fake' value=\"a b'c\"/></instance_attributes>\
             <operations><op id='m' name='monitor' interval='10s' enabled='yes' role='Master'/></operations>\
             </primitive></group><primitive id='F' class='stonith' type='fence_x'/></resources><constraints/>\
             </configuration><status/></cib>";
        Configuration::new(xml::Document::parse(text).unwrap())
    }

    #[test]
    fn commands_make_the_resources_again() {
        assert_eq!(
            commands(&configuration(), &[], false),
            [
                "pcs resource create --no-default-ops --force -- A ocf:heartbeat:Dummy \\\n  'fake=a b'\"'\"'c' \\\n  \
                 op \\\n    monitor interval=10s id=m enabled=1 role=Promoted;",
                "pcs resource group add G \\\n  A"
            ]
        );
        assert_eq!(
            commands(&configuration(), &["F".to_owned()], true),
            ["pcs stonith create --no-default-ops --force -- F fence_x"]
        );
    }

    #[test]
    fn the_object_has_every_kind() {
        let object = object(&configuration(), &[], false);
        assert_eq!(object["groups"][0]["member_ids"][0], "A");
        assert_eq!(object["primitives"][0]["operations"][0]["enabled"], true);
        assert_eq!(object["primitives"][0]["instance_attributes"][0]["nvpairs"][0]["value"], "a b'c");
        assert_eq!(object["clones"], json!([]));
    }
}
