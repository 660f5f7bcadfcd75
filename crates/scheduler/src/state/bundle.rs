//! Bundles: replicas with container, address and connection, and the implicit clone inside (rule 1.9.8).

use super::definition::Definition;
use super::resources::{self, Blueprint, Position};
use super::{clone, nodes};
use crate::model::{
    Bundle, Cause, Change, ContainerKind, Discovery, Model, Name, NodeEntry, NodeTable, Replica, ResourceId,
    ResourceKind, Severity,
};
use cib::config::{self, Container, ContainerEngine};
use cib::value::Score;
use std::fmt::Write;

const REMOTE_PORT: &str = "3121";
const REMOTE_EXECUTOR: &str = "/usr/sbin/pacemaker-remoted";
const REMOTE_KEY: &str = "/etc/pacemaker/authkey";
const LOG_ROOT: &str = "/var/log/pacemaker/bundles";
const LOG_DIRECTORY: &str = "/var/log";

/// Rules 1.9.8.1 and 1.9.8.4.
pub(super) fn is_valid(bundle: &config::Bundle) -> bool {
    bundle.container.is_some()
        && (bundle.primitive.is_none()
            || bundle.network.ip_range_start.is_some()
            || bundle.network.control_port.is_some())
}

/// More replicas than a bundle of any cluster has. Each with a primitive inside is a node of its own, so that
/// the work grows with a power of their number; a slip in `replicas` must not take the cluster down.
const MOST_REPLICAS: u32 = 200;

/// Creates a bundle with its replicas.
pub(super) fn create<'a>(
    model: &mut Model<'a>,
    plan: &Blueprint<'a>,
    source: &'a config::Bundle,
    inner: Option<&Blueprint<'a>>,
    position: Position,
) -> Option<ResourceId> {
    let container = source.container.as_ref()?;
    let replicas = container.replicas.min(MOST_REPLICAS);
    let mut shape = Shape { id: &plan.id, container, source, inner, replicas };
    let kind = ResourceKind::Bundle(Box::new(Bundle {
        container_kind: match container.engine {
            ContainerEngine::Docker => ContainerKind::Docker,
            ContainerEngine::Podman => ContainerKind::Podman,
        },
        promoted_max: container.promoted_max as i32,
        replicas_per_host: shape.replicas_per_host() as i32,
        child: None,
        asked_replicas: shape.replicas,
        replicas: Vec::new(),
    }));
    let mut resource = resources::settle(model, plan, position, kind);
    // as configured (rule 1.9.8.3), even where a control port allows one only
    resource.unique = container.replicas_per_host > 1;
    let id = resources::add(model, resource);
    let clone = match inner {
        Some(inner) => Some(create_clone(model, &shape, inner, id)?),
        None => None,
    };
    if let Some(clone) = clone {
        // an agent that cannot be unique leaves fewer instances than were asked for (rule 1.9.7.5)
        shape.replicas = shape.replicas.min(model.resources[clone].children.len() as u32);
    }
    if container.replicas > MOST_REPLICAS {
        let text =
            format!("Limiting bundle '{}' to {MOST_REPLICAS} replicas, not {}", plan.id, container.replicas);
        model.notice(Severity::ConfigurationError, text, Some(model.state.definitions[plan.definition].line));
    }
    let addresses = shape.addresses();
    for number in 0..shape.replicas {
        create_replica(model, &shape, id, clone, number as usize, &addresses);
    }
    model.resources[id].children.extend(clone);
    if let ResourceKind::Bundle(bundle) = &mut model.resources[id].kind {
        bundle.child = clone;
    }
    Some(id)
}

/// The configuration of one bundle, and the texts that follow from it.
struct Shape<'s, 'a> {
    id: &'s Name,
    container: &'a Container,
    source: &'a config::Bundle,
    inner: Option<&'s Blueprint<'a>>,
    replicas: u32,
}

impl Shape<'_, '_> {
    fn replicas_per_host(&self) -> u32 {
        let network = &self.source.network;
        let one_port =
            self.inner.is_some() && network.control_port.is_some() && network.ip_range_start.is_none();
        if one_port { 1 } else { self.container.replicas_per_host }
    }

    fn control_port(&self) -> &str {
        self.source.network.control_port.as_deref().unwrap_or(REMOTE_PORT)
    }

    /// The address of each replica, if there are addresses.
    fn addresses(&self) -> Vec<Option<Name>> {
        let mut next = self.source.network.ip_range_start.clone();
        (0..self.replicas)
            .map(|_| {
                let address = next.take();
                next = address.as_deref().and_then(next_address);
                address
            })
            .collect()
    }

    fn host(&self, number: usize) -> String {
        format!("{}-{number}", self.id)
    }

    /// Mounts as (source, target, options, source is made for the replica), in order.
    fn mounts(&self, number: usize) -> Vec<(String, String, Option<&str>, bool)> {
        let mut mounts = Vec::new();
        for mapping in &self.source.storage {
            let source = if mapping.source_is_root {
                format!("{}/{}", mapping.source, self.host(number))
            } else {
                mapping.source.to_string()
            };
            mounts.push((
                source,
                mapping.target.to_string(),
                mapping.options.as_deref(),
                mapping.source_is_root,
            ));
        }
        if self.inner.is_some() {
            mounts.push((REMOTE_KEY.to_owned(), REMOTE_KEY.to_owned(), None, false));
            if !self.source.storage.iter().any(|mapping| *mapping.target == *LOG_DIRECTORY) {
                let source = format!("{LOG_ROOT}/{}", self.host(number));
                mounts.push((source, LOG_DIRECTORY.to_owned(), None, true));
            }
        }
        mounts
    }

    /// The options with which the container is run (rule 1.9.8.6).
    fn run_options(&self, number: usize, addresses: &[Option<Name>]) -> String {
        let mut text = String::new();
        if self.container.engine == ContainerEngine::Docker {
            text.push_str(" --restart=no");
        }
        if self.source.network.ip_range_start.is_some() {
            push(&mut text, format_args!(" -h {}", self.host(number)));
        }
        text.push_str(" -e PCMK_stderr=1");
        if let Some(network) = &self.container.network {
            push(&mut text, format_args!(" --net={network}"));
        }
        push(&mut text, format_args!(" -e PCMK_remote_port={}", self.control_port()));
        for (source, target, options, _) in self.mounts(number) {
            push(&mut text, format_args!(" -v {source}:{target}"));
            if let Some(options) = options {
                push(&mut text, format_args!(":{options}"));
            }
        }
        self.push_ports(&mut text, addresses.get(number).and_then(Option::as_deref));
        if let Some(options) = &self.container.options {
            push(&mut text, format_args!(" {options}"));
        }
        text.push(' ');
        for (other, address) in addresses.iter().enumerate() {
            let Some(address) = address else { continue };
            if self.source.network.add_host {
                push(&mut text, format_args!(" --add-host={}:{address}", self.host(other)));
            } else {
                push(&mut text, format_args!(" --hosts-entry={address}={}", self.host(other)));
            }
        }
        text
    }

    fn push_ports(&self, text: &mut String, address: Option<&str>) {
        let configured = self.source.network.ports.iter().map(|it| (&*it.port, &*it.internal_port));
        let control = self.inner.is_some().then(|| (self.control_port(), self.control_port()));
        for (port, internal) in configured.chain(control) {
            match address {
                Some(address) => push(text, format_args!(" -p {address}:{port}:{internal}")),
                None if self.container.network.as_deref() != Some("host") => {
                    push(text, format_args!(" -p {port}:{internal}"));
                }
                None => {}
            }
        }
    }
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // writing to a string cannot fail
    let _ = text.write_fmt(more);
}

/// The address after `address` (rule 1.9.8.5).
fn next_address(address: &str) -> Option<Name> {
    let mut parts = address.split('.').map(|part| part.parse::<u32>().ok().filter(|number| *number <= 255));
    let mut octet = || parts.next().flatten();
    let (first, second, third, fourth) = (octet()?, octet()?, octet()?, octet()?);
    if parts.next().is_some() || third > 253 {
        return None;
    }
    let (third, fourth) = if fourth > 253 { (third + 1, 1) } else { (third, fourth + 1) };
    Some(format!("{first}.{second}.{third}.{fourth}").into())
}

/// Replaces what an XML name may not contain.
fn sanitized(id: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    id.chars().map(|c| if keep(c) { c } else { '.' }).collect()
}

/// The implicit clone of the inner primitive (rule 1.9.8.4).
fn create_clone<'a>(
    model: &mut Model<'a>,
    shape: &Shape<'_, 'a>,
    inner: &Blueprint<'a>,
    bundle: ResourceId,
) -> Option<ResourceId> {
    let promotable = shape.container.promoted_max > 0;
    let suffix = if promotable { "master" } else { "clone" };
    let id: Name = format!("{}-{suffix}", shape.id).into();
    let replicas = shape.replicas.to_string();
    let per_host = shape.replicas_per_host().to_string();
    let promoted_max = shape.container.promoted_max.to_string();
    let mut meta = vec![
        ("ordered", "true"),
        ("clone-max", replicas.as_str()),
        ("clone-node-max", per_host.as_str()),
        ("globally-unique", if shape.replicas_per_host() > 1 { "true" } else { "false" }),
    ];
    if promotable {
        meta.push(("promotable", "true"));
        meta.push(("promoted-max", promoted_max.as_str()));
    }
    let definition = resources::keep(model, Definition::made(&[("id", &id)], &meta, &[]));
    let plan = clone::wrapped(id, definition, inner.clone());
    resources::create(model, &plan, Position::below(bundle))
}

fn create_replica<'a>(
    model: &mut Model<'a>,
    shape: &Shape<'_, 'a>,
    bundle: ResourceId,
    clone: Option<ResourceId>,
    number: usize,
    addresses: &[Option<Name>],
) -> Option<()> {
    let child = clone.and_then(|clone| model.resources[clone].children.get(number).copied());
    let address = addresses.get(number).cloned().flatten();
    if let Some(child) = child {
        adopt_child(model, child, clone, bundle, address.as_ref());
    }
    let container = create_part(model, bundle, container_definition(shape, number, addresses))?;
    if let Some(child) = child {
        model.resources[container].utilization = std::mem::take(&mut model.resources[child].utilization);
    }
    let ip = match &address {
        Some(address) => create_part(model, bundle, ip_definition(shape, address)),
        None => None,
    };
    let connection = child.and_then(|child| {
        create_connection(model, shape, bundle, child, container, number, address.as_ref())
    });
    let replica = Replica {
        number: number as i32,
        container,
        ip,
        ip_address: address,
        child,
        connection,
        node: connection.and_then(|it| model.resources[it].remote_node),
    };
    if let ResourceKind::Bundle(it) = &mut model.resources[bundle].kind {
        it.replicas.push(replica);
    }
    Some(())
}

/// Rule 1.9.8.8.
fn adopt_child(
    model: &mut Model,
    child: ResourceId,
    clone: Option<ResourceId>,
    bundle: ResourceId,
    address: Option<&Name>,
) {
    model.resources[child].exclusive_discovery = true;
    if let Some(address) = address {
        model.resources[child].meta.insert("external-ip".into(), address.clone());
    }
    let Some(clone) = clone else { return };
    if model.resources[child].notify {
        model.resources[clone].notify = true;
    }
    if let Some(target) = model.resources[child].meta.get("container-attribute-target").cloned() {
        model.resources[bundle].meta.insert("container-attribute-target".into(), target.clone());
        model.resources[clone].meta.insert("container-attribute-target".into(), target);
    }
}

fn create_part<'a>(
    model: &mut Model<'a>,
    bundle: ResourceId,
    definition: Definition<'a>,
) -> Option<ResourceId> {
    let plan = resources::primitive_blueprint(model, definition)?;
    let id = resources::create(model, &plan, Position::below(bundle))?;
    model.resources[bundle].children.push(id);
    Some(id)
}

fn container_definition<'a>(
    shape: &Shape<'_, 'a>,
    number: usize,
    addresses: &[Option<Name>],
) -> Definition<'a> {
    let engine = shape.container.engine.name();
    let id = sanitized(&format!("{}-{engine}-{number}", shape.id));
    let options = shape.run_options(number, addresses);
    let roots: Vec<String> =
        shape.mounts(number).into_iter().filter(|mount| mount.3).map(|mount| mount.0).collect();
    let roots = roots.join(",");
    let command = shape.container.run_command.as_deref().or(shape.inner.map(|_| REMOTE_EXECUTOR));
    let mut parameters = Vec::new();
    if let Some(image) = shape.container.image.as_deref() {
        parameters.push(("image", image));
    }
    parameters.extend([
        ("allow_pull", "true"),
        ("force_kill", "false"),
        ("reuse", "false"),
        ("run_opts", options.as_str()),
        ("mount_points", roots.as_str()),
    ]);
    if let Some(command) = command {
        parameters.push(("run_cmd", command));
    }
    parameters.push(("monitor_cmd", "/bin/true"));
    let attributes = [("id", id.as_str()), ("class", "ocf"), ("provider", "heartbeat"), ("type", engine)];
    Definition::made(&attributes, &[], &parameters).with_operation("monitor", "60s", None)
}

fn ip_definition<'a>(shape: &Shape<'_, 'a>, address: &str) -> Definition<'a> {
    let network = &shape.source.network;
    let id = sanitized(&format!("{}-ip-{address}", shape.id));
    let mut parameters = vec![("ip", address)];
    if let Some(interface) = network.host_interface.as_deref() {
        parameters.push(("nic", interface));
    }
    parameters.push(("cidr_netmask", network.host_netmask.as_deref().unwrap_or("32")));
    let attributes = [("id", id.as_str()), ("class", "ocf"), ("provider", "heartbeat"), ("type", "IPaddr2")];
    Definition::made(&attributes, &[], &parameters).with_operation("monitor", "60s", None)
}

/// The connection of a replica and its bundle node (rule 1.9.8.7).
fn create_connection<'a>(
    model: &mut Model<'a>,
    shape: &Shape<'_, 'a>,
    bundle: ResourceId,
    child: ResourceId,
    container: ResourceId,
    number: usize,
    address: Option<&Name>,
) -> Option<ResourceId> {
    let mut id = shape.host(number);
    if super::resource_by_id(model, &id).is_some() {
        id = format!("pcmk-internal-{}-remote-{number}", model.resources[child].id);
    }
    let container_id = model.resources[container].id.clone();
    let definition = connection_definition(
        &id,
        &[("internal_rsc", "true"), ("container", &container_id)],
        &[("addr", address.map_or("#uname", |it| it)), ("port", shape.control_port())],
    );
    let node = nodes::ensure_remote(model, &id, Score::MINUS_INFINITY);
    model.nodes[node].score = Score::MINUS_INFINITY;
    model.nodes[node].discovery = Discovery::Never;
    for top in model.top.clone() {
        disallow(model, top, node);
    }
    let home = NodeEntry { node, score: Score::new(500), discovery: Discovery::Exclusive, count: 0 };
    let mut table = NodeTable::default();
    table.insert(home);
    model.resources[child].allowed = table;
    model.reasons.score(child, node, Change::Set(home.score), Cause::PartOf(container));
    if let Some(clone) = model.resources[child].parent {
        model.resources[clone].allowed.insert(NodeEntry { score: Score::MINUS_INFINITY, ..home });
        model.reasons.score(clone, node, Change::Set(Score::MINUS_INFINITY), Cause::NodeBase(node));
    }
    let connection = create_part(model, bundle, definition)?;
    let nodes = &model.nodes;
    for entry in model.resources[connection].allowed.iter_mut() {
        if nodes[entry.node].is_pacemaker_remote() {
            entry.score = Score::MINUS_INFINITY;
            model.reasons.score(connection, entry.node, Change::Set(entry.score), Cause::Agent(connection));
        }
    }
    model.nodes[node].connection = Some(connection);
    model.resources[connection].remote_node = Some(node);
    model.resources[connection].allow_remote_nesting = true;
    model.resources[connection].launcher = Some(container);
    resources::mark_guest(model, node);
    Some(connection)
}

/// The definition of an implicit connection.
pub(super) fn connection_definition<'a>(
    id: &str,
    meta: &[(&str, &str)],
    parameters: &[(&str, &str)],
) -> Definition<'a> {
    let attributes = [("id", id), ("class", "ocf"), ("provider", "pacemaker"), ("type", "remote")];
    Definition::made(&attributes, meta, parameters).with_operation("monitor", "30s", Some("30s"))
}

/// A resource unpacked before the bundle node was known as such may not run there.
fn disallow(model: &mut Model, resource: ResourceId, node: crate::model::NodeId) {
    if let Some(entry) = model.resources[resource].allowed.get_mut(node) {
        entry.score = Score::MINUS_INFINITY;
        entry.discovery = Discovery::Never;
        model.reasons.score(resource, node, Change::Set(Score::MINUS_INFINITY), Cause::NodeBase(node));
    }
    for child in model.resources[resource].children.clone() {
        disallow(model, child, node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule 2.22.1.
    #[test]
    fn addresses_count_up_and_carry() {
        assert_eq!(next_address("192.168.122.131").as_deref(), Some("192.168.122.132"));
        assert_eq!(next_address("10.0.0.254").as_deref(), Some("10.0.1.1"));
        assert_eq!(next_address("10.0.254.3"), None);
        assert_eq!(next_address("fd00::1"), None);
    }

    #[test]
    fn generated_ids_are_names() {
        assert_eq!(sanitized("web-ip-fd00::1"), "web-ip-fd00..1");
    }
}
