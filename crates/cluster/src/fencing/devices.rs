//! Fence devices and topology as the CIB configures them (rules 4.8.7, 4.52).

use std::collections::BTreeMap;

use cib::config::{Constraint, FencingTarget, LocationConstraint, Resource, ResourceKind, Tag};
use cib::nvpair::{Values, unpack};
use cib::pattern::Pattern;
use cib::rule::RuleInput;
use cib::text::Text;
use cib::value::{HealthScores, Score};

use super::device::Device;
use super::{WATCHDOG_AGENT, WATCHDOG_DEVICE};

/// What is configured for fencing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// In document order.
    pub devices: Vec<Device>,
    pub(super) levels: Vec<Level>,
    /// Permanent attributes by node name in lower case, for topology by attribute.
    node_attributes: BTreeMap<String, Vec<(String, String)>>,
    warnings: Vec<String>,
    /// `fencing-watchdog-timeout` is set.
    pub(super) watchdog: bool,
}

/// Devices that are used together for a target (rule 4.52.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub target: FencingTarget,
    pub index: u8,
    pub devices: Vec<String>,
}

impl Devices {
    /// Reads the configuration. Rules are evaluated with `input` (time only) and, where they tell which nodes
    /// may use a device, with the nodes' permanent attributes: the result is the same on all nodes.
    #[must_use]
    pub fn read(cib: &cib::Cib, input: &RuleInput<'_>) -> Devices {
        let configuration = &cib.configuration;
        let mut found = Vec::new();
        for resource in &configuration.resources {
            collect(resource, &configuration.templates, &[], input, &mut found);
        }
        let nodes = node_values(cib, input);
        let watchdog = cib.cluster_options(input).options.fencing_watchdog_timeout != 0;
        let mut warnings = Vec::new();
        let mut devices = Vec::new();
        for (id, agent, parameters, names, unfences) in found {
            if let Some(problem) = watchdog_problem(&id, &agent, watchdog) {
                warnings.push(problem);
                continue;
            }
            let banned = banned_nodes(&names, cib, &nodes, input);
            let device = Device::new(&id, &agent, parameters, banned, unfences);
            warnings.extend(device.warnings.iter().cloned());
            devices.push(device);
        }
        let levels = (configuration.fencing_levels.iter())
            .map(|level| Level {
                target: level.target.clone(),
                index: level.index,
                devices: level.devices.iter().map(|device| device.to_string()).collect(),
            })
            .collect();
        let node_attributes =
            nodes.iter().map(|(name, values)| (name.to_lowercase(), plain(values))).collect();
        Devices { devices, levels, node_attributes, warnings, watchdog }
    }

    /// What is wrong with the configuration, in words; the rest of it is used.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Nodes to which watchdog fencing applies (rule 4.59.4), if the property that turns it on is set:
    /// those in the list of the device `watchdog`, or all.
    #[must_use]
    pub fn watchdog_applies_to(&self, target: &str) -> bool {
        match self.get(WATCHDOG_DEVICE).filter(|device| device.is_watchdog()) {
            Some(device) => device.may_fence(target),
            None => true,
        }
    }

    /// The device with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// Adds a device, in place of one with the same id.
    pub fn put(&mut self, device: Device) {
        match self.devices.iter_mut().find(|known| known.id == device.id) {
            Some(known) => *known = device,
            None => self.devices.push(device),
        }
    }

    /// The levels that apply to a target, ascending; nothing if none is configured (rule 4.52.2). Remote and guest
    /// nodes have theirs by name too (rule 4.52.8).
    #[must_use]
    pub fn topology(&self, target: &str) -> Vec<Vec<String>> {
        let exact = |level: &&Level| matches!(&level.target, FencingTarget::Node(name) if name.eq_ignore_ascii_case(target));
        let entry = (self.levels.iter().find(exact))
            .or_else(|| self.levels.iter().find(|level| self.applies(level, target)));
        let Some(entry) = entry else { return Vec::new() };
        let mut by_index = BTreeMap::new();
        for level in self.levels.iter().filter(|level| level.target == entry.target) {
            by_index.insert(level.index, level.devices.clone());
        }
        by_index.into_values().collect()
    }

    fn applies(&self, level: &Level, target: &str) -> bool {
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

/// Id, agent, parameters, ids it goes by in constraints (its containers' too), and whether it unfences.
type Found = (String, String, BTreeMap<String, String>, Vec<String>, bool);

/// Stonith primitives that are not disabled.
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
            for part in [Some(resource), template].into_iter().flatten().chain(ancestors.iter().copied()) {
                unpack(&part.meta, input, None, &mut meta);
                unpack(&part.instance_attributes, input, None, &mut parameters);
            }
            if meta.get("target-role").is_some_and(|role| role.eq_ignore_ascii_case("stopped")) {
                return;
            }
            let unfences = meta.get("provides").is_some_and(|what| what.eq_ignore_ascii_case("unfencing"));
            let names = below.iter().map(|one| one.id.to_string()).collect();
            found.push((
                resource.id.to_string(),
                agent.to_owned(),
                plain(&parameters).into_iter().collect(),
                names,
                unfences,
            ));
        }
        _ => {}
    }
}

fn plain(values: &Values) -> Vec<(String, String)> {
    values.iter().map(|(name, value)| (name.to_string(), value.text.to_string())).collect()
}

/// Names of all configured nodes with their permanent attributes and what rules know of every node.
fn node_values(cib: &cib::Cib, input: &RuleInput<'_>) -> Vec<(String, Values)> {
    let of_node = |node: &cib::config::Node| {
        let mut values = Values::new();
        unpack(&node.instance_attributes, input, None, &mut values);
        (node.uname.as_deref().unwrap_or(&node.id).to_owned(), values)
    };
    cib.configuration.nodes.iter().map(of_node).collect()
}

/// Why a device that has to do with the watchdog is not used (rule 4.59.4).
pub(super) fn watchdog_problem(id: &str, agent: &str, enabled: bool) -> Option<String> {
    match (id == WATCHDOG_DEVICE, agent == WATCHDOG_AGENT) {
        (true, false) => Some(format!(
            "{id}: this name is kept for a device of the agent {WATCHDOG_AGENT}, and this one is of {agent}: not used"
        )),
        (false, true) => Some(format!(
            "{id}: a device of the agent {WATCHDOG_AGENT} must have the name {WATCHDOG_DEVICE}: not used"
        )),
        (true, true) if !enabled => {
            Some(format!("{id}: fencing-watchdog-timeout is not set: watchdog fencing is off"))
        }
        _ => None,
    }
}

/// Nodes on which the location constraints of these resources come to less than nothing (rule 4.8.7). Names
/// in lower case.
fn banned_nodes(
    names: &[String],
    cib: &cib::Cib,
    nodes: &[(String, Values)],
    input: &RuleInput<'_>,
) -> Vec<String> {
    let configuration = &cib.configuration;
    let constraints: Vec<&LocationConstraint> = (configuration.constraints.iter())
        .filter_map(|constraint| match constraint {
            Constraint::Location(location) if concerns(location, names, &configuration.tags) => {
                Some(location)
            }
            _ => None,
        })
        .collect();
    let symmetric = cib.cluster_options(input).options.symmetric_cluster;
    let score = |(name, values): &(String, Values)| {
        let scores = constraints.iter().filter_map(|location| score_for(location, name, values, input));
        scores.fold(None, |sum: Option<Score>, score| Some(sum.map_or(score, |sum| sum + score)))
    };
    let is_banned = |node: &&(String, Values)| match score(node) {
        Some(score) => score < Score::ZERO,
        None => !symmetric,
    };
    nodes.iter().filter(is_banned).map(|(name, _)| name.to_lowercase()).collect()
}

/// Whether the constraint is about one of these resources.
fn concerns(location: &LocationConstraint, names: &[String], tags: &[Tag]) -> bool {
    let is = |id: &Text| {
        let tagged = |tag: &Tag| {
            *tag.id == **id && tag.members.iter().any(|one| names.iter().any(|name| **name == **one))
        };
        names.iter().any(|name| **name == **id) || tags.iter().any(tagged)
    };
    let pattern = location.rsc_pattern.as_deref().and_then(|text| Pattern::new(text).ok());
    location.rsc.as_ref().is_some_and(is)
        || pattern.is_some_and(|pattern| names.iter().any(|name| pattern.matches(name)))
        || location.sets.iter().flat_map(|set| &set.members).any(is)
}

/// What a constraint says about a node.
fn score_for(
    location: &LocationConstraint,
    name: &str,
    values: &Values,
    input: &RuleInput<'_>,
) -> Option<Score> {
    let resolve = |text: &cib::value::ScoreText| text.resolve(&HealthScores::default());
    if let Some(rule) = &location.rule {
        let attributes = NodeValues { name, values };
        let input = RuleInput {
            clock: input.clock,
            node_attributes: Some(&attributes),
            resource: None,
            operation: None,
            parameters: None,
            meta: None,
            submatches: None,
        };
        let passes = rule.evaluate(&input).passes;
        return rule.score.as_ref().and_then(resolve).filter(|_| passes);
    }
    let node = location.node.as_deref()?;
    location.score.as_ref().and_then(resolve).filter(|_| node.eq_ignore_ascii_case(name))
}

/// A node's attributes as rules see them.
struct NodeValues<'a> {
    name: &'a str,
    values: &'a Values,
}

impl cib::rule::Lookup for NodeValues<'_> {
    fn value_of(&self, name: &str) -> Option<&str> {
        if name == "#uname" { Some(self.name) } else { self.values.get(name) }
    }
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
