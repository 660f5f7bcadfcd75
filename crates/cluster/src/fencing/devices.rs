//! Fence devices and topology as the CIB configures them (rules 4.8, 4.52).

use std::collections::BTreeMap;

use cib::config::{Constraint, FencingTarget, Resource, ResourceKind};
use cib::nvpair::{Values, unpack};
use cib::rule::RuleInput;
use cib::value::{Score, parse_interval};

/// How it is found out whether a device can fence a node (rule 4.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostCheck {
    None,
    Static,
    List,
    Status,
}

/// A stonith resource that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub id: String,
    /// File name of the agent.
    pub agent: String,
    pub parameters: BTreeMap<String, String>,
    /// `None`: depends on what the agent offers.
    pub check: Option<HostCheck>,
    pub hosts: Vec<String>,
    pub aliases: BTreeMap<String, String>,
    /// At most so many uses at once on a node; `None` is unlimited.
    pub action_limit: Option<usize>,
    /// Nodes that may not use it (names in lower case).
    pub banned: Vec<String>,
}

impl Device {
    fn new(id: &str, agent: &str, parameters: BTreeMap<String, String>, banned: Vec<String>) -> Device {
        let text = |name: &str| parameters.get(name).map(String::as_str);
        let aliases = text("pcmk_host_map").map(parse_map).unwrap_or_default();
        let mut hosts = text("pcmk_host_list").map(parse_hosts).unwrap_or_default();
        hosts.extend(aliases.keys().cloned());
        let check = match text("pcmk_host_check") {
            Some("static-list") => Some(HostCheck::Static),
            Some("dynamic-list") => Some(HostCheck::List),
            Some("status") => Some(HostCheck::Status),
            Some("none") => Some(HostCheck::None),
            _ if text("pcmk_host_list").is_some() || text("pcmk_host_map").is_some() => {
                Some(HostCheck::Static)
            }
            _ => None,
        };
        let action_limit = match text("pcmk_action_limit").and_then(|text| text.trim().parse::<i64>().ok()) {
            Some(-1) => None,
            Some(limit) if limit > 0 => usize::try_from(limit).ok(),
            _ => Some(1),
        };
        Device {
            id: id.to_owned(),
            agent: agent.to_owned(),
            check,
            hosts,
            aliases,
            action_limit,
            banned,
            parameters,
        }
    }

    /// Whether it may be able to fence this node as far as the configuration tells; dynamic ones are asked
    /// when they are used.
    #[must_use]
    pub fn may_fence(&self, target: &str) -> bool {
        self.check != Some(HostCheck::Static)
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(target))
    }

    /// Whether this node may use it.
    #[must_use]
    pub fn usable_by(&self, node: &str) -> bool {
        !self.banned.contains(&node.to_lowercase())
    }

    /// What the device calls the target.
    #[must_use]
    pub fn alias<'a>(&'a self, target: &'a str) -> &'a str {
        let known = self.aliases.iter().find(|(host, _)| host.eq_ignore_ascii_case(target));
        known.map_or(target, |(_, alias)| alias)
    }

    /// Milliseconds for one run of an action.
    #[must_use]
    pub fn timeout(&self, action: &str, requested: u64) -> u64 {
        self.duration(&format!("pcmk_{action}_timeout")).unwrap_or(requested)
    }

    /// How often an action is tried in all (rule 4.7.6).
    #[must_use]
    pub fn attempts(&self, action: &str) -> u32 {
        let text = self.parameters.get(&format!("pcmk_{action}_retries"));
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(2).max(1)
    }

    /// The word sent for an action.
    #[must_use]
    pub fn word<'a>(&'a self, action: &'a str) -> &'a str {
        self.parameters.get(&format!("pcmk_{action}_action")).map_or(action, String::as_str)
    }

    /// Base and maximum of the delay before off and reboot, in milliseconds (rule 4.54.1).
    #[must_use]
    pub fn delays(&self, target: &str) -> (u64, u64) {
        let base = self.parameters.get("pcmk_delay_base").map_or(0, |text| delay_for(text, target));
        let max = self.duration("pcmk_delay_max").unwrap_or(0);
        if max == 0 { (base, base) } else { (base.min(max), max) }
    }

    fn duration(&self, name: &str) -> Option<u64> {
        self.parameters.get(name).and_then(|text| parse_interval(text))
    }
}

/// What is configured for fencing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// In document order.
    pub devices: Vec<Device>,
    levels: Vec<ConfiguredLevel>,
    /// Permanent attributes by node name in lower case, for topology by attribute.
    node_attributes: BTreeMap<String, Vec<(String, String)>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ConfiguredLevel {
    target: FencingTarget,
    index: u8,
    devices: Vec<String>,
}

impl Devices {
    /// Reads the configuration. Rules are evaluated with `input` (time only: devices are the same on all nodes).
    #[must_use]
    pub fn read(cib: &cib::Cib, input: &RuleInput<'_>) -> Devices {
        let configuration = &cib.configuration;
        let mut found = Vec::new();
        for resource in &configuration.resources {
            collect(resource, &configuration.templates, &[], input, &mut found);
        }
        let devices = found
            .into_iter()
            .map(|(id, agent, parameters, ancestors)| {
                let banned = banned_nodes(&ancestors, &configuration.constraints);
                Device::new(&id, &agent, parameters, banned)
            })
            .collect();
        let levels = (configuration.fencing_levels.iter())
            .map(|level| ConfiguredLevel {
                target: level.target.clone(),
                index: level.index,
                devices: level.devices.iter().map(|device| device.to_string()).collect(),
            })
            .collect();
        let node_attributes = (configuration.nodes.iter())
            .map(|node| {
                let mut values = Values::new();
                unpack(&node.instance_attributes, input, None, &mut values);
                let name = node.uname.as_deref().unwrap_or(&node.id).to_lowercase();
                (
                    name,
                    values.iter().map(|(name, value)| (name.to_string(), value.text.to_string())).collect(),
                )
            })
            .collect();
        Devices { devices, levels, node_attributes }
    }

    /// The device with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// The levels that apply to a target, ascending; nothing if none is configured (rule 4.52.2).
    #[must_use]
    pub fn topology(&self, target: &str) -> Vec<Vec<String>> {
        let exact = |level: &&ConfiguredLevel| matches!(&level.target, FencingTarget::Node(name) if name.eq_ignore_ascii_case(target));
        let entry = (self.levels.iter().find(exact))
            .or_else(|| self.levels.iter().find(|level| self.applies(level, target)));
        let Some(entry) = entry else { return Vec::new() };
        let mut by_index = BTreeMap::new();
        for level in self.levels.iter().filter(|level| level.target == entry.target) {
            by_index.insert(level.index, level.devices.clone());
        }
        by_index.into_values().collect()
    }

    fn applies(&self, level: &ConfiguredLevel, target: &str) -> bool {
        match &level.target {
            FencingTarget::Node(name) => name.eq_ignore_ascii_case(target),
            FencingTarget::Pattern(pattern) => {
                cib::pattern::Pattern::expression(pattern).is_ok_and(|pattern| pattern.matches(target))
            }
            FencingTarget::Attribute { name, value } => {
                let attributes = self.node_attributes.get(&target.to_lowercase());
                attributes
                    .is_some_and(|all| all.iter().any(|(known, text)| **known == **name && **text == **value))
            }
        }
    }
}

type Found = (String, String, BTreeMap<String, String>, Vec<String>);

/// Stonith primitives that are not disabled, with their parameters and the ids they go by.
fn collect(
    resource: &Resource,
    templates: &[Resource],
    ancestors: &[&Resource],
    input: &RuleInput<'_>,
    found: &mut Vec<Found>,
) {
    let below = [ancestors, &[resource]].concat();
    match &resource.kind {
        ResourceKind::Group(members) => {
            members.iter().for_each(|member| collect(member, templates, &below, input, found));
        }
        ResourceKind::Clone(Some(inner)) => collect(inner, templates, &below, input, found),
        ResourceKind::Primitive(primitive) => {
            let template =
                primitive.template.as_deref().and_then(|id| templates.iter().find(|one| *one.id == *id));
            let from_template = template.and_then(|template| match &template.kind {
                ResourceKind::Primitive(primitive) => Some(primitive),
                _ => None,
            });
            let class = primitive.class.as_deref().or(from_template.and_then(|one| one.class.as_deref()));
            let agent =
                primitive.agent_type.as_deref().or(from_template.and_then(|one| one.agent_type.as_deref()));
            let (Some("stonith"), Some(agent)) = (class, agent) else { return };
            let mut meta = Values::new();
            let mut parameters = Values::new();
            for part in [Some(resource), template].into_iter().flatten() {
                unpack(&part.meta, input, None, &mut meta);
                unpack(&part.instance_attributes, input, None, &mut parameters);
            }
            for ancestor in ancestors {
                unpack(&ancestor.meta, input, None, &mut meta);
                unpack(&ancestor.instance_attributes, input, None, &mut parameters);
            }
            if meta.get("target-role").is_some_and(|role| role.eq_ignore_ascii_case("stopped")) {
                return;
            }
            let parameters =
                parameters.iter().map(|(name, value)| (name.to_string(), value.text.to_string())).collect();
            let names = below.iter().map(|one| one.id.to_string()).collect();
            found.push((resource.id.to_string(), agent.to_owned(), parameters, names));
        }
        _ => {}
    }
}

/// Nodes where a plain location constraint forbids any of these resources (rule 4.8.7).
fn banned_nodes(resources: &[String], constraints: &[Constraint]) -> Vec<String> {
    let mut banned = Vec::new();
    for constraint in constraints {
        let Constraint::Location(location) = constraint else { continue };
        let concerns = location.rsc.as_deref().is_some_and(|id| resources.iter().any(|one| one == id));
        let score =
            location.score.as_ref().and_then(|score| score.resolve(&cib::value::HealthScores::default()));
        if let (true, Some(score), Some(node)) = (concerns, score, &location.node) {
            if score < Score::ZERO {
                banned.push(node.to_lowercase());
            }
        }
    }
    banned
}

/// `node:port;node:port` (rule 4.8.1).
fn parse_map(text: &str) -> BTreeMap<String, String> {
    let entries = text.split([';', ' ', '\t', '\n']).filter(|entry| !entry.is_empty());
    entries
        .filter_map(|entry| {
            let (node, port) = entry.split_once([':', '='])?;
            (!node.is_empty() && !port.is_empty()).then(|| (node.to_owned(), port.to_owned()))
        })
        .collect()
}

/// Names from a host list or an agent's output (rule 4.8.4).
#[must_use]
pub fn parse_hosts(text: &str) -> Vec<String> {
    let text = text.replace("\\n", "\n");
    let lines = text.lines().filter(|line| !line.contains("invalid") && !line.contains("variable"));
    let entries = lines.flat_map(|line| line.split(|at: char| at.is_whitespace() || matches!(at, ',' | ';')));
    let prefix = |entry: &str| {
        entry
            .chars()
            .take_while(|at| at.is_ascii_alphanumeric() || matches!(at, '_' | '-' | '.'))
            .collect::<String>()
    };
    entries.map(prefix).filter(|name| !name.is_empty() && name != "on" && name != "off").collect()
}

/// `pcmk_delay_base`: one value, or `node:value;...`; milliseconds.
fn delay_for(text: &str, target: &str) -> u64 {
    if !text.contains(':') {
        return parse_interval(text.trim()).unwrap_or(0);
    }
    let map = parse_map(text);
    let own = map.iter().find(|(node, _)| node.eq_ignore_ascii_case(target));
    own.and_then(|(_, value)| parse_interval(value)).unwrap_or(0)
}

/// The lines a fence agent reads (rules 4.7.3, 4.7.5). `target`: node, and the parameter that carries the
/// device's name for it with that name.
#[must_use]
pub fn agent_input(
    word: &str,
    parameters: &BTreeMap<String, String>,
    target: Option<(&str, Option<(&str, &str)>)>,
) -> Vec<(String, String)> {
    let mut lines = vec![("action".to_owned(), word.to_owned())];
    if let Some((node, port)) = target {
        lines.push(("nodename".to_owned(), node.to_owned()));
        if let Some((parameter, alias)) = port {
            let own = parameters.get(parameter).is_some_and(|value| value != "dynamic");
            if !own {
                lines.push((parameter.to_owned(), alias.to_owned()));
            }
        }
    }
    let port = target.and_then(|(_, port)| port).map(|(parameter, _)| parameter);
    for (name, value) in parameters {
        let dynamic = Some(name.as_str()) == port && value == "dynamic";
        if !is_control(name) && !dynamic {
            lines.push((name.clone(), value.clone()));
        }
    }
    lines
}

fn is_control(name: &str) -> bool {
    name.eq_ignore_ascii_case("action")
        || name.starts_with("pcmk_")
        || name.starts_with("CRM_meta_")
        || matches!(name, "provides" | "stonith-timeout" | "crm_feature_set")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(parameters: &[(&str, &str)]) -> Device {
        let parameters =
            parameters.iter().map(|(name, value)| (String::from(*name), String::from(*value))).collect();
        Device::new("fence", "fence_x", parameters, vec!["node3".to_owned()])
    }

    #[test]
    fn a_static_list_tells_whom_a_device_fences() {
        let device =
            device(&[("pcmk_host_map", "node1:1,2;node2:3"), ("pcmk_delay_base", "node1:5s;node2:7s")]);
        assert!(device.may_fence("NODE1") && !device.may_fence("node3"));
        assert_eq!(device.alias("node1"), "1,2");
        assert_eq!(device.delays("node2"), (7000, 7000));
        assert!(!device.usable_by("Node3"));
    }

    #[test]
    fn host_lists_are_read_leniently() {
        assert_eq!(parse_hosts("node1,on;node2 off\\nx.y-z:9\ninvalid line"), ["node1", "node2", "x.y-z"]);
    }

    #[test]
    fn agents_get_parameters_but_not_control_ones() {
        let device = device(&[("ipaddr", "10.0.0.1"), ("pcmk_host_list", "a"), ("ACTION", "off")]);
        let lines = agent_input("reboot", &device.parameters, Some(("a", Some(("port", "7")))));
        let lines: Vec<String> = lines.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(lines, ["action=reboot", "nodename=a", "port=7", "ipaddr=10.0.0.1"]);
    }
}
