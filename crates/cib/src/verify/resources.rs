//! Checks of resources and their operations.

use super::*;
use crate::config::{Bundle, Operation, Primitive};
use crate::options::{FENCING_PARAMETERS, OPERATION_ATTRIBUTES, RESOURCE_META_ATTRIBUTES};
use crate::value::{Role, ScoreText, parse_boolean};

/// Actions that run once, never again and again.
const ONCE_ONLY: [&str; 6] = ["start", "stop", "promote", "demote", "migrate_to", "migrate_from"];

const ON_FAIL: [&str; 10] = [
    "ignore",
    "nothing",
    "block",
    "demote",
    "stop",
    "restart",
    "standby",
    "fence",
    "migrate",
    "restart-container",
];

impl<'c> Check<'c> {
    pub(super) fn all_resources(&mut self) {
        let configuration = self.configuration;
        if usable_nodes(configuration) == 0
            && !configuration.resources.is_empty()
            && !configuration.nodes.is_empty()
        {
            let text = "No node can be used, because the first one has a type that is not valid";
            self.report(Severity::Note, "nodes", None, 0, text);
        }
        for resource in &configuration.resources {
            self.resource(resource, false);
        }
        for template in &configuration.templates {
            self.meta_names(template);
            self.device_parameters(template);
        }
        self.block_names(&configuration.rsc_defaults, RESOURCE_META_ATTRIBUTES, "resource meta-attribute");
        self.block_names(&configuration.op_defaults, OPERATION_ATTRIBUTES, "operation attribute");
    }

    /// Names and values of all that can be set by name on resources and operations.
    pub(super) fn names_and_values(&mut self) {
        let configuration = self.configuration;
        for pair in all_pairs(&configuration.cluster_properties) {
            self.option_value(pair, options::CLUSTER_OPTIONS, "cluster option");
        }
        for pair in configuration.nodes.iter().flat_map(|node| all_pairs(&node.instance_attributes)) {
            self.node_switch(pair);
        }
        let mut pending: Vec<&Resource> =
            configuration.resources.iter().chain(&configuration.templates).collect();
        while let Some(resource) = pending.pop() {
            self.meta_names(resource);
            self.meta_kinds(&resource.meta);
            self.device_parameters(resource);
            pending.extend(resource.children());
        }
        self.block_names(&configuration.rsc_defaults, RESOURCE_META_ATTRIBUTES, "resource meta-attribute");
        self.meta_kinds(&configuration.rsc_defaults);
        self.block_names(&configuration.op_defaults, OPERATION_ATTRIBUTES, "operation attribute");
    }

    /// Node attributes that the cluster reads as on or off; other values count as off.
    fn node_switch(&mut self, pair: &Pair) {
        if matches!(&*pair.name, "standby" | "maintenance") && parse_boolean(&pair.value).is_none() {
            let text = format!(
                "'{}' is no value for the node attribute '{}': use true or false",
                pair.value, pair.name
            );
            self.report_pair(Severity::Note, pair, text);
        }
    }

    fn meta_kinds(&mut self, blocks: &[Block]) {
        for pair in all_pairs(blocks) {
            self.option_value(pair, RESOURCE_META_ATTRIBUTES, "resource meta-attribute");
        }
    }

    fn resource(&mut self, resource: &'c Resource, in_promotable: bool) {
        let promotable = in_promotable
            || match &resource.kind {
                ResourceKind::Clone(_) => says_true(&resource.meta, "promotable"),
                ResourceKind::Bundle(bundle) => bundle.container.as_ref().is_some_and(|c| c.promoted_max > 0),
                _ => false,
            };
        self.meta_names(resource);
        self.meta_values(resource, promotable);
        match &resource.kind {
            ResourceKind::Primitive(primitive) => self.primitive(resource, primitive, promotable),
            ResourceKind::Bundle(bundle) => self.bundle(resource, bundle),
            ResourceKind::Group(_) | ResourceKind::Clone(_) => {}
        }
        for child in resource.children() {
            self.resource(child, promotable);
        }
    }

    fn meta_names(&mut self, resource: &Resource) {
        self.block_names(&resource.meta, RESOURCE_META_ATTRIBUTES, "resource meta-attribute");
    }

    fn block_names(&mut self, blocks: &[Block], table: &'static [OptionInfo], what: &str) {
        for pair in all_pairs(blocks) {
            self.option_name(pair, table, what);
        }
    }

    fn meta_values(&mut self, resource: &Resource, promotable: bool) {
        for pair in all_pairs(&resource.meta) {
            if pair.value.eq_ignore_ascii_case("#default") {
                continue;
            }
            match &*pair.name {
                "target-role" => self.target_role(resource, pair, promotable),
                "requires" => self.requires(resource, pair),
                "priority" => self.score(resource, pair, "0"),
                "resource-stickiness" => self.score(resource, pair, "0"),
                "migration-threshold" => self.score(resource, pair, "INFINITY"),
                "multiple-active" => {
                    let known =
                        options::find(RESOURCE_META_ATTRIBUTES, "multiple-active").is_some_and(|info| {
                            info.kind.words().iter().any(|word| word.eq_ignore_ascii_case(&pair.value))
                        });
                    if !known {
                        let text = format!(
                            "{} is not a valid value for multiple-active, using default of \"stop_start\"",
                            pair.value
                        );
                        self.report_pair(Severity::Warning, pair, text);
                    }
                }
                "container" if !self.known.resources.contains_key(&*pair.value) => {
                    let text = format!("Resource {}: Unknown container {}", resource.id, pair.value);
                    self.report_pair(Severity::Error, pair, text);
                }
                _ => self.option_value(pair, RESOURCE_META_ATTRIBUTES, "resource meta-attribute"),
            }
        }
    }

    fn target_role(&mut self, resource: &Resource, pair: &Pair, promotable: bool) {
        let value = &pair.value;
        if value.eq_ignore_ascii_case("default") {
            return;
        }
        let text = match Role::parse(value) {
            None | Some(Role::Unknown) => {
                let words = ["Stopped", "Started", "Unpromoted", "Promoted"];
                format!("Ignoring 'target-role' for {} because '{value}' is not valid", resource.id)
                    + &hint(closest(words, value))
            }
            Some(Role::Promoted | Role::Unpromoted) if !promotable => format!(
                "Ignoring 'target-role' for {} because '{value}' only makes sense for promotable clones",
                resource.id
            ),
            Some(_) => return,
        };
        self.report_pair(Severity::Error, pair, text);
    }

    fn requires(&mut self, resource: &Resource, pair: &Pair) {
        let value = &pair.value;
        let is = |word: &str| value.eq_ignore_ascii_case(word);
        let identity = resource.identity();
        let is_device = identity.class.is_some_and(|class| class.eq_ignore_ascii_case("stonith"));
        if is("unfencing") && is_device {
            let text = format!(
                "Resetting \"requires\" for {} to \"quorum\" because fencing devices cannot require unfencing",
                resource.id
            );
            self.report_pair(Severity::Warning, pair, text);
        } else if is("unfencing") && !self.options.fencing_enabled {
            let text = format!(
                "Resetting \"requires\" for {} to \"quorum\" because fencing is disabled",
                resource.id
            );
            self.report_pair(Severity::Warning, pair, text);
        } else if is("fencing") && !self.options.fencing_enabled {
            let text = format!("{} requires fencing but fencing is disabled", resource.id);
            self.report_pair(Severity::Warning, pair, text);
        } else if !["nothing", "quorum", "fencing", "unfencing"].iter().any(|word| is(word)) {
            let default = self.default_requires(is_device);
            let text = format!(
                "Resetting 'requires' for {} to '{default}' because '{value}' is not valid",
                resource.id
            );
            self.report_pair(Severity::Error, pair, text);
        }
    }

    /// Rule 1.9.4.3.
    fn default_requires(&self, is_device: bool) -> &'static str {
        use crate::options::NoQuorumPolicy;
        if is_device {
            "quorum"
        } else if self.configuration.unfencing_in_use {
            "unfencing"
        } else if self.options.fencing_enabled {
            "fencing"
        } else if self.options.no_quorum_policy == NoQuorumPolicy::Ignore {
            "nothing"
        } else {
            "quorum"
        }
    }

    fn score(&mut self, resource: &Resource, pair: &Pair, default: &str) {
        let value = &pair.value;
        if matches!(ScoreText::read(value), ScoreText::Invalid(_)) && !value.eq_ignore_ascii_case("default") {
            let text = format!(
                "Using default ({default}) for resource {} {} because '{value}' is not a valid value",
                resource.id, pair.name
            );
            self.report_pair(Severity::Warning, pair, text);
        }
    }

    fn primitive(&mut self, resource: &'c Resource, primitive: &'c Primitive, promotable: bool) {
        self.device_parameters(resource);
        let expanded = match self.configuration.expand(resource) {
            Ok(expanded) => expanded,
            Err(error) => {
                let suggestion = primitive.template.as_deref().and_then(|name| {
                    closest(self.known.templates.iter().copied(), name).filter(|found| *found != name)
                });
                let text = format!("{error}{}", hint(suggestion));
                self.report(Severity::Error, "primitive", Some(&resource.id), resource.line, text);
                let text = format!(
                    "Ignoring <primitive> resource '{}' because configuration is invalid",
                    resource.id
                );
                self.report(Severity::Error, "primitive", Some(&resource.id), resource.line, text);
                return;
            }
        };
        let Some(whole) = expanded.as_primitive() else { return };
        if let Some(class) =
            whole.class.as_deref().filter(|class| promotable && !class.eq_ignore_ascii_case("ocf"))
        {
            let text = format!(
                "Resource {} is of type {class} and therefore cannot be used as a promotable clone resource",
                resource.id
            );
            self.report(Severity::Error, "primitive", Some(&resource.id), resource.line, text);
        }
        let operations = whole.operations.as_deref().unwrap_or_default();
        self.duplicate_operations(operations);
        for operation in operations {
            self.operation(resource, operation);
        }
    }

    fn device_parameters(&mut self, resource: &Resource) {
        let is_device = resource.identity().class.is_some_and(|class| class.eq_ignore_ascii_case("stonith"));
        if !is_device {
            return;
        }
        for pair in all_pairs(&resource.instance_attributes) {
            // agents have parameters of their own, which only their metadata tell
            if pair.name.starts_with("pcmk") || pair.name.starts_with("pmck") {
                self.option_name(pair, FENCING_PARAMETERS, "fence device parameter");
                let per_node = &*pair.name == "pcmk_delay_base" && pair.value.contains(':');
                if !per_node {
                    self.option_value(pair, FENCING_PARAMETERS, "fence device parameter");
                }
            }
        }
    }

    fn duplicate_operations(&mut self, operations: &[Operation]) {
        let mut seen: BTreeMap<(&str, u64), &Operation> = BTreeMap::new();
        for operation in operations {
            match seen.get(&(&*operation.name, operation.interval)) {
                None => {
                    seen.insert((&operation.name, operation.interval), operation);
                }
                Some(first) => {
                    let text = format!(
                        "Operation {} is duplicate of {} (do not use same name and interval combination more than once per resource)",
                        operation_id(operation),
                        operation_id(first)
                    );
                    self.report(Severity::Error, "op", operation.id.as_ref(), operation.line, text);
                }
            }
        }
    }

    fn operation(&mut self, resource: &Resource, operation: &Operation) {
        let id = operation_id(operation);
        let fail = |check: &mut Self, text: String| {
            check.report(Severity::Error, "op", operation.id.as_ref(), operation.line, text);
        };
        if operation.interval > 0 && ONCE_ONLY.contains(&&*operation.name) {
            fail(self, format!("Ignoring {id} because {} action cannot be recurring", operation.name));
        }
        if let Some(role) = operation.attributes.get("role").filter(|role| Role::parse(role).is_none()) {
            fail(self, format!("Ignoring {id} role because {role} is not a valid role"));
        }
        let meta =
            |name: &str| all_pairs(&operation.meta).find(|pair| &*pair.name == name).map(|pair| &*pair.value);
        let value = |name: &str| operation.attributes.get(name).or_else(|| meta(name));
        if let Some(on_fail) = value("on-fail") {
            self.on_fail(resource, operation, on_fail);
        }
        if let Some(origin) = value("interval-origin") {
            if DateTime::parse_absolute(origin).is_err() {
                fail(
                    self,
                    format!(
                        "Ignoring 'interval-origin' for operation '{id}' because '{origin}' is not valid"
                    ),
                );
            }
        }
        for (name, text) in
            operation.attributes.iter().filter(|(name, _)| matches!(*name, "interval" | "timeout"))
        {
            let valid = if name == "interval" {
                crate::value::parse_interval(text).is_some()
            } else {
                crate::value::parse_with_unit(text).is_some()
            };
            if !valid {
                let message = format!(
                    "Operation {id} has {name} '{text}', which is not a time that is understood there"
                );
                self.report(Severity::Note, "op", operation.id.as_ref(), operation.line, message);
            }
        }
        self.block_names(&operation.meta, OPERATION_ATTRIBUTES, "operation attribute");
    }

    fn on_fail(&mut self, resource: &Resource, operation: &Operation, value: &str) {
        let is = |word: &str| value.eq_ignore_ascii_case(word);
        let name = &*operation.name;
        let recurring_promoted = name == "monitor"
            && operation.interval > 0
            && operation.attributes.get("role").and_then(Role::parse) == Some(Role::Promoted);
        let not_for_stop = name == "stop" && ["standby", "demote", "stop"].into_iter().any(is);
        let text = if !ON_FAIL.into_iter().any(is) {
            format!("Using default 'on-fail' for {name} of {} because '{value}' is not valid", resource.id)
                + &hint(closest(ON_FAIL, value))
        } else if not_for_stop || (is("demote") && name != "promote" && !recurring_promoted) {
            format!(
                "Resetting 'on-fail' for {} {name} action to default value because '{value}' is not allowed for {name}",
                resource.id
            )
        } else if is("fence") && !self.options.fencing_enabled {
            format!(
                "Resetting 'on-fail' for {name} of {} to 'stop' because 'fence' is not valid when fencing is disabled",
                resource.id
            )
        } else {
            return;
        };
        self.report(Severity::Error, "op", operation.id.as_ref(), operation.line, text);
    }

    fn bundle(&mut self, resource: &Resource, bundle: &Bundle) {
        let fail = |check: &mut Self, text: String| {
            check.report(Severity::Error, "bundle", Some(&resource.id), resource.line, text);
        };
        let Some(container) = &bundle.container else {
            fail(
                self,
                format!("Ignoring <bundle> resource '{}' because configuration is invalid", resource.id),
            );
            return;
        };
        let network = &bundle.network;
        if network.ip_range_start.is_none()
            && network.control_port.is_some()
            && container.replicas_per_host > 1
        {
            fail(
                self,
                format!("Specifying the 'control-port' for {} requires 'replicas-per-host=1'", resource.id),
            );
        }
        if let Some(inner) = &bundle.primitive {
            if network.ip_range_start.is_none() && network.control_port.is_none() {
                fail(
                    self,
                    format!(
                        "Cannot control {} inside {} without either ip-range-start or control-port",
                        inner.id, resource.id
                    ),
                );
            }
        }
    }
}

fn operation_id(operation: &Operation) -> String {
    operation.id.as_deref().map_or_else(|| format!("{} without ID", operation.name), str::to_owned)
}
