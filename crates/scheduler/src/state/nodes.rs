//! Nodes: from the `nodes` section, the pre-pass over resources, and their attributes (rules 1.7.1–1.7.5).

use super::definition::Definition;
use super::values;
use crate::model::{Attributes, Discovery, Model, Name, Node, NodeId, NodeKind, Severity};
use cib::config;
use cib::nvpair::{Block, Values};
use cib::rule::RuleInput;
use cib::value::{self, Score};

/// Unpacks the `nodes` section (rule 1.7.2).
pub(super) fn unpack(model: &mut Model) {
    let cib = model.cib;
    for configured in &cib.configuration.nodes {
        let kind = match &configured.kind {
            config::NodeKind::Member => NodeKind::Cluster,
            config::NodeKind::Remote => NodeKind::Remote,
            config::NodeKind::Other(kind) => {
                let text =
                    format!("Ignoring node '{}' and all after it: unknown type '{kind}'", configured.id);
                model.notice(Severity::ConfigurationError, text, Some(configured.line));
                break;
            }
        };
        let name = configured.uname.clone().unwrap_or_else(|| configured.id.clone());
        if is_known(model, &configured.id, &name) {
            let text = format!("Ignoring a second node with the id '{}' or the name '{name}'", configured.id);
            model.notice(Severity::ConfigurationError, text, Some(configured.line));
            continue;
        }
        let node = create(model, &configured.id, &name, kind, configured.score);
        add_attributes(model, node, &configured.instance_attributes);
        add_utilization(model, node, &configured.utilization);
    }
}

/// A node of which there are two would be probed, fenced and given resources twice.
fn is_known(model: &Model, id: &str, name: &str) -> bool {
    model.state.node_by_id.contains_key(&id.to_lowercase())
        || model.state.node_by_name.contains_key(&name.to_lowercase())
}

/// Adds a node (rules 1.7.2.2, 1.7.2.3, 1.7.4).
pub(super) fn create(model: &mut Model, id: &str, name: &str, kind: NodeKind, score: Score) -> NodeId {
    let startup_fencing = model.options.fencing_enabled && model.options.startup_fencing;
    let mut attributes = Attributes::default();
    let word = if kind == NodeKind::Cluster { "cluster" } else { "remote" };
    attributes.insert("#kind".into(), word.into());
    if kind != NodeKind::Cluster {
        model.have_remote_nodes = true;
    }
    let node = model.nodes.push(Node {
        id: id.into(),
        name: name.into(),
        kind,
        score,
        discovery: Discovery::Always,
        online: false,
        unclean: kind == NodeKind::Cluster && startup_fencing,
        pending: false,
        standby: false,
        standby_on_fail: false,
        maintenance: false,
        shutdown: false,
        expected_up: false,
        seen: false,
        is_dc: false,
        remote_reset: false,
        remote_was_fenced: false,
        remote_was_in_maintenance: false,
        probes_allowed: true,
        priority: 0,
        running: Vec::new(),
        attributes,
        utilization: Attributes::default(),
        connection: None,
        assigned_count: 0,
    });
    let nodes = &model.nodes;
    let at = model
        .node_order
        .partition_point(|other| value::compare_node_names(&nodes[*other].name, name).is_lt());
    model.node_order.insert(at, node);
    model.state.node_by_id.entry(id.to_lowercase()).or_insert(node);
    model.state.node_by_name.entry(name.to_lowercase()).or_insert(node);
    node
}

/// The remote node of this name, made if there is none.
pub(super) fn ensure_remote(model: &mut Model, name: &str, score: Score) -> NodeId {
    match super::find_node(model, name) {
        Some(node) => node,
        None => create(model, name, name, NodeKind::Remote, score),
    }
}

/// Sets the built-in attributes and adds those of `blocks` without overwriting (rule 1.7.5).
pub(super) fn add_attributes(model: &mut Model, node: NodeId, blocks: &[Block]) {
    set_built_in(model, node);
    let given = evaluate(model, blocks);
    let attributes = &mut model.nodes[node].attributes;
    for (name, value) in given {
        attributes.entry(name).or_insert(value);
    }
    set_site(model, node);
}

/// Transient attributes overwrite (rule 1.7.5.3).
pub(super) fn overwrite_attributes(model: &mut Model, node: NodeId, blocks: &[Block]) {
    set_built_in(model, node);
    for (name, value) in evaluate(model, blocks) {
        model.nodes[node].attributes.insert(name, value);
    }
    set_site(model, node);
}

fn evaluate(model: &mut Model, blocks: &[Block]) -> Attributes {
    if blocks.is_empty() {
        return Attributes::default();
    }
    let mut values = Values::new();
    let input = RuleInput::at(model.state.clock);
    values::unpack(model, blocks, &input, &mut values);
    values::plain(&values)
}

/// Adds utilization without overwriting.
pub(super) fn add_utilization(model: &mut Model, node: NodeId, blocks: &[Block]) {
    for (name, value) in evaluate(model, blocks) {
        model.nodes[node].utilization.entry(name).or_insert(value);
    }
}

/// Rule 1.7.5.2.
fn set_built_in(model: &mut Model, node: NodeId) {
    let is_dc_by_id =
        model.cib.root.dc_uuid.as_deref().is_some_and(|dc| dc.eq_ignore_ascii_case(&model.nodes[node].id));
    if is_dc_by_id && model.dc.is_none() {
        model.dc = Some(node);
        model.nodes[node].is_dc = true;
    }
    let cluster_name = model.options.cluster_name.clone();
    let it = &mut model.nodes[node];
    it.attributes.insert("#uname".into(), it.name.clone());
    it.attributes.insert("#id".into(), it.id.clone());
    it.attributes.insert("#is_dc".into(), if it.is_dc { "true".into() } else { "false".into() });
    if let Some(cluster_name) = cluster_name {
        it.attributes.insert("#cluster-name".into(), cluster_name);
    }
}

fn set_site(model: &mut Model, node: NodeId) {
    let cluster_name = model.options.cluster_name.clone();
    let attributes = &mut model.nodes[node].attributes;
    if !attributes.contains_key("#site-name") {
        if let Some(site) = attributes.get("site-name").cloned().or(cluster_name) {
            attributes.insert("#site-name".into(), site);
        }
    }
}

/// The pre-pass over resources: creates remote and guest nodes and returns the definitions of the
/// implicit guest connections (rule 1.7.3).
pub(super) fn create_remote_nodes<'a>(model: &mut Model<'a>) -> Vec<Definition<'a>> {
    let cib = model.cib;
    let mut connections = Vec::new();
    for resource in &cib.configuration.resources {
        match &resource.kind {
            config::ResourceKind::Primitive(primitive) => {
                let is = |text: &Option<Name>, word: &str| {
                    text.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(word))
                };
                let is_remote = is(&primitive.class, "ocf")
                    && is(&primitive.provider, "pacemaker")
                    && is(&primitive.agent_type, "remote");
                if is_remote {
                    ensure_remote(model, &resource.id, Score::ZERO);
                } else {
                    connections.extend(create_guest(model, resource));
                }
            }
            config::ResourceKind::Group(members) => {
                for member in members {
                    connections.extend(create_guest(model, member));
                }
            }
            _ => {}
        }
    }
    connections
}

/// The guest node that `resource` launches, if it does (rule 1.7.3.2).
fn create_guest<'a>(model: &mut Model<'a>, resource: &config::Resource) -> Option<Definition<'a>> {
    let last = |name: &str| {
        let pairs = resource.meta.iter().flat_map(|block| &block.pairs);
        pairs.rev().find(|pair| *pair.name == *name).map(|pair| &*pair.value)
    };
    let name = last("remote-node")?;
    let mut meta = vec![("internal_rsc", "true"), ("container", &*resource.id)];
    if let Some(allow) = last("remote-allow-migrate") {
        meta.push(("allow-migrate", allow));
    }
    if let Some(managed) = last("is-managed") {
        meta.push(("is-managed", managed));
    }
    let mut parameters = Vec::new();
    if let Some(address) = last("remote-addr") {
        parameters.push(("addr", address));
    }
    if let Some(port) = last("remote-port") {
        parameters.push(("port", port));
    }
    let timeout = last("remote-connect-timeout").unwrap_or("60s");
    let definition = super::bundle::connection_definition(name, &meta, &parameters).with_operation(
        "start",
        "0",
        Some(timeout),
    );
    ensure_remote(model, name, Score::ZERO);
    Some(definition)
}

/// How healthy a node looks (rule 1.7.9.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Health {
    Green,
    Yellow,
    Red,
}

/// The health to display; green without a health strategy.
pub fn health(model: &Model, node: NodeId) -> Health {
    if model.options.health_strategy == cib::options::HealthStrategy::None {
        return Health::Green;
    }
    let scores = model.options.health_scores;
    let judge = |text: &str| {
        if text.eq_ignore_ascii_case("red") {
            return Health::Red;
        }
        if text.eq_ignore_ascii_case("yellow") {
            return Health::Yellow;
        }
        match value::parse_score(text, &scores) {
            Some(score) if score <= scores.red => Health::Red,
            Some(score) if score <= scores.yellow && scores.yellow != scores.green => Health::Yellow,
            _ => Health::Green,
        }
    };
    health_values(model, node).map(judge).max().unwrap_or(Health::Green)
}

/// The values of a node's health attributes (rule 1.7.9.2).
pub fn health_values<'m>(model: &'m Model<'_>, node: NodeId) -> impl Iterator<Item = &'m str> {
    let attributes = model.nodes[node].attributes.iter();
    attributes.filter(|(name, _)| name.starts_with("#health")).map(|(_, value)| &**value)
}
