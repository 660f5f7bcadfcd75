//! From the scheduler's model to [`Status`].

use super::{
    ActiveOn, Ban, BundleStatus, CloneStatus, Common, Counts, Dc, Failure, FreeNode, GroupStatus,
    InstanceStatus, NodeStatus, Ping, PrimitiveStatus, ReplicaStatus, ResourceStatus, Status, TargetRole,
    TicketStatus,
};
use cib::config::{Constraint, TicketConstraint};
use cib::value::Role;
use scheduler::model::{Agent, ContainerKind, Model, NodeId, NodeKind, ResourceId, ResourceKind};
use scheduler::state;

impl Status {
    /// The state that `model` was built from.
    pub fn of(model: &Model) -> Status {
        let collector = Collector { model };
        let nodes: Vec<NodeStatus> = model.node_order.iter().map(|node| collector.node(*node)).collect();
        let dc = nodes.iter().find(|node| node.is_dc);
        let sets = nodes.iter().filter_map(|node| node.feature_set.as_deref());
        Status {
            dc: dc.map(|dc| Dc { name: dc.name.clone(), id: dc.id.clone() }),
            mixed_version: sets.clone().zip(sets.skip(1)).any(|(a, b)| a != b),
            nodes,
            resources: model.top.iter().map(|resource| collector.resource(*resource)).collect(),
            failures: model.state.failed.iter().map(|failed| collector.failure(failed)).collect(),
            counts: collector.counts(),
            tickets: tickets(model),
            bans: Vec::new(),
            maintenance_mode: model.options.maintenance_mode,
            stop_all_resources: model.options.stop_all_resources,
            quorate: model.quorate,
            options: model.options.clone(),
            pings: Vec::new(),
        }
    }
}

/// What active ping resources feed.
pub fn pings(model: &mut Model) -> Vec<Ping> {
    let is_ping = |agent: &Agent| matches!(&*agent.kind, "ping" | "pingd");
    let all = model.resources.iter().filter(|(_, resource)| resource.agent().is_some_and(is_ping));
    let places: Vec<(ResourceId, NodeId)> =
        all.flat_map(|(id, resource)| resource.active_on.iter().map(move |node| (id, *node))).collect();
    let mut found = Vec::new();
    for (id, node) in places {
        let parameters = state::parameters(model, id, Some(node));
        let value = |name: &str| parameters.get(name).map(|value| value.to_string());
        let hosts = value("host_list").unwrap_or_default().split_whitespace().count();
        let multiplier = value("multiplier").and_then(|text| text.parse::<i64>().ok()).unwrap_or(1);
        found.push(Ping {
            node: model.nodes[node].name.to_string(),
            attribute: value("name").unwrap_or_else(|| "pingd".to_owned()),
            expected: i64::try_from(hosts).unwrap_or(0).saturating_mul(multiplier),
        });
    }
    found
}

/// Tickets with a state, the last mention of each, and those that only constraints name: nobody granted them.
fn tickets(model: &Model) -> Vec<TicketStatus> {
    let mut tickets: Vec<TicketStatus> = Vec::new();
    for state in &model.cib.status.tickets {
        tickets.retain(|known| *known.id != *state.id);
        tickets.push(TicketStatus {
            id: state.id.to_string(),
            granted: state.granted,
            standby: state.standby,
            last_granted: state.last_granted.filter(|at| *at > 0),
            attributes: state
                .attributes
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        });
    }
    for constraint in &model.cib.configuration.constraints {
        let Constraint::Ticket(TicketConstraint { ticket: Some(id), .. }) = constraint else { continue };
        if !tickets.iter().any(|known| *known.id == **id) {
            tickets.push(TicketStatus { id: id.to_string(), ..TicketStatus::default() });
        }
    }
    tickets
}

/// The bans of a model whose constraints have been read (rule 5b.11.2).
pub fn bans(model: &Model) -> Vec<Ban> {
    let configured = model.locations.values().filter(|location| location.source.is_some());
    let mut bans = Vec::new();
    for location in configured {
        for (node, score) in location.nodes.iter().filter(|(_, score)| score.value() < 0) {
            bans.push(Ban {
                constraint: location.id.to_string(),
                resource: model.resources[location.resource].id.to_string(),
                node: model.nodes[*node].name.to_string(),
                weight: score.value(),
                promoted_only: location.role == Role::Promoted,
            });
        }
    }
    // the newest constraint first, as it always was
    bans.reverse();
    bans
}

struct Collector<'m, 'a> {
    model: &'m Model<'a>,
}

impl Collector<'_, '_> {
    fn node_name(&self, node: NodeId) -> String {
        self.model.nodes[node].name.to_string()
    }

    fn node(&self, id: NodeId) -> NodeStatus {
        let model = self.model;
        let node = &model.nodes[id];
        let launcher = if node.is_guest() { state::launcher_of_node(model, id) } else { None };
        let feature_set = node.attributes.get("#feature-set").map(|text| text.to_string());
        let mut attributes: Vec<(String, String)> =
            node.attributes.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        attributes.sort();
        NodeStatus {
            name: node.name.to_string(),
            id: node.id.to_string(),
            kind: node.kind,
            online: node.online,
            unclean: node.unclean,
            pending: node.pending,
            standby: node.standby,
            standby_on_fail: node.standby_on_fail,
            maintenance: node.maintenance,
            shutdown: node.shutdown,
            expected_up: node.expected_up,
            is_dc: node.is_dc,
            health: state::health(model, id),
            feature_set: if node.kind == NodeKind::Cluster && node.online && node.expected_up {
                Some(feature_set.unwrap_or_else(|| "<3.15.1".to_owned()))
            } else {
                None
            },
            running: node.running.iter().map(|it| model.resources[*it].id.to_string()).collect(),
            host: launcher.and_then(|it| state::current_node(model, it)).map(|host| self.node_name(host)),
            launcher: launcher.map(|it| model.resources[it].id.to_string()),
            attributes,
        }
    }

    fn resource(&self, id: ResourceId) -> ResourceStatus {
        match &self.model.resources[id].kind {
            ResourceKind::Primitive(agent) => ResourceStatus::Primitive(self.primitive(id, agent)),
            ResourceKind::Group(_) => ResourceStatus::Group(GroupStatus {
                common: self.common(id),
                members: self.model.resources[id].children.iter().filter_map(|it| self.part(*it)).collect(),
            }),
            ResourceKind::Clone(_) => ResourceStatus::Clone(self.clone_status(id)),
            ResourceKind::Bundle(_) => ResourceStatus::Bundle(self.bundle(id)),
        }
    }

    fn common(&self, id: ResourceId) -> Common {
        let model = self.model;
        let it = &model.resources[id];
        Common {
            id: it.id.to_string(),
            name: it.printable_id().to_string(),
            description: state::definition(model, id).attributes.get("description").map(str::to_owned),
            managed: it.managed,
            maintenance: it.maintenance,
            removed: it.removed,
            internal: it.internal,
            failed: it.failed,
            failure_ignored: it.failure_ignored,
            active: state::is_active(model, id, false),
            fully_active: state::is_active(model, id, true),
            target_role: self.target_role(id),
            configured_target_role: it.meta.get("target-role").map(|text| text.to_string()),
        }
    }

    fn target_role(&self, id: ResourceId) -> Option<TargetRole> {
        let model = self.model;
        let text = model.resources[id].meta.get("target-role")?;
        match Role::parse(text)? {
            Role::Stopped => Some(TargetRole::Stopped),
            Role::Unpromoted if model.resources[model.top_of(id)].promotable => {
                Some(TargetRole::Unpromoted(text.to_string()))
            }
            _ => None,
        }
    }

    /// Whether `test` holds for the resource or anything inside.
    fn any_part(&self, id: ResourceId, test: &dyn Fn(ResourceId) -> bool) -> bool {
        test(id) || self.model.resources[id].children.iter().any(|child| self.any_part(*child, test))
    }

    fn part(&self, id: ResourceId) -> Option<PrimitiveStatus> {
        self.model.resources[id].agent().map(|agent| self.primitive(id, agent))
    }

    fn primitive(&self, id: ResourceId, agent: &Agent) -> PrimitiveStatus {
        let model = self.model;
        let it = &model.resources[id];
        let promotable = model.resources[model.top_of(id)].promotable;
        let role = match it.current_role {
            Role::Started if promotable => Role::Unpromoted,
            role => role,
        };
        let lost = |node: &NodeId| !model.nodes[*node].online && model.nodes[*node].unclean;
        let current = state::current_node(model, id);
        let shown = current.into_iter().chain(it.pending_node).chain(it.lock_node);
        PrimitiveStatus {
            common: self.common(id),
            agent: agent_text(agent),
            role,
            blocked: it.blocked,
            pending_task: it.pending_task.as_ref().map(|task| task.to_string()),
            pending_node: it.pending_node.map(|node| self.node_name(node)),
            locked_to: it.lock_node.map(|node| self.node_name(node)),
            nodes: it
                .active_on
                .iter()
                .map(|node| ActiveOn {
                    name: self.node_name(*node),
                    id: model.nodes[*node].id.to_string(),
                    online: model.nodes[*node].online,
                })
                .collect(),
            current_node: current.map(|node| self.node_name(node)),
            unclean_nodes: shown.filter(lost).map(|node| self.node_name(node)).collect(),
            failed_probes: self.failed_probes(id, role, current.or(it.pending_node).or(it.lock_node)),
        }
    }

    /// Failed probes matter only for what is stopped.
    fn failed_probes(&self, id: ResourceId, role: Role, shown: Option<NodeId>) -> Vec<(String, i64)> {
        if role != Role::Stopped {
            return Vec::new();
        }
        let probe = state::failed_probe(self.model, id, shown);
        let result =
            probe.and_then(|probe| Some((probe.on_node().unwrap_or_default().to_owned(), probe.rc_code?)));
        result.into_iter().collect()
    }

    fn clone_status(&self, id: ResourceId) -> CloneStatus {
        let model = self.model;
        let it = &model.resources[id];
        CloneStatus {
            common: self.common(id),
            child: state::child_id(model, id).unwrap_or_default().to_string(),
            promotable: it.promotable,
            unique: it.unique,
            max: it.clone_settings().map_or(0, |settings| settings.max),
            instances: it.children.iter().map(|child| self.instance(*child)).collect(),
            free_nodes: if it.unique { Vec::new() } else { self.free_nodes(id) },
        }
    }

    fn instance(&self, id: ResourceId) -> InstanceStatus {
        let model = self.model;
        let location = state::location(model, id, true);
        InstanceStatus {
            resource: self.resource(id),
            role: state::role(model, id, true),
            location: location.map(|node| self.node_name(node)),
            location_lost: location
                .is_some_and(|node| !model.nodes[node].online && model.nodes[node].unclean),
            notable: self.any_part(id, &|part| {
                let part = &model.resources[part];
                part.removed || !part.managed || part.failed
            }),
            pending: model.resources[id].pending_task.is_some(),
        }
    }

    fn free_nodes(&self, id: ResourceId) -> Vec<FreeNode> {
        let model = self.model;
        let it = &model.resources[id];
        let mut nodes: Vec<NodeId> = if it.allowed.is_empty() {
            it.probed_on.clone()
        } else {
            it.allowed.iter().map(|entry| entry.node).collect()
        };
        nodes.retain(|node| !it.active_on.contains(node));
        nodes.sort_by(|a, b| cib::value::compare_node_names(&model.nodes[*a].name, &model.nodes[*b].name));
        nodes
            .into_iter()
            .map(|node| FreeNode {
                name: self.node_name(node),
                failed_probe: state::failed_probe(model, id, Some(node)).and_then(|entry| entry.rc_code),
            })
            .collect()
    }

    fn bundle(&self, id: ResourceId) -> BundleStatus {
        let model = self.model;
        let it = &model.resources[id];
        let (kind, replicas): (_, &[_]) = match it.bundle() {
            Some(bundle) => (bundle.container_kind, &bundle.replicas),
            None => (ContainerKind::Docker, &[]),
        };
        let image = replicas.first().and_then(|replica| {
            let blocks = &state::definition(model, replica.container).parameters;
            let pairs = blocks.iter().flat_map(|block| &block.pairs);
            pairs.into_iter().find(|pair| *pair.name == *"image").map(|pair| pair.value.to_string())
        });
        BundleStatus {
            common: self.common(id),
            kind: match kind {
                ContainerKind::Docker => "docker",
                ContainerKind::Podman => "podman",
            },
            image: image.unwrap_or_default(),
            unique: it.unique,
            size: it.bundle().map_or(0, |bundle| bundle.asked_replicas as usize),
            replicas: replicas
                .iter()
                .filter_map(|replica| {
                    Some(ReplicaStatus {
                        number: replica.number,
                        address: replica.ip_address.as_ref().map(|text| text.to_string()),
                        ip: replica.ip.and_then(|part| self.part(part)),
                        child: replica.child.and_then(|part| self.inside(part, replica.container)),
                        container: self.part(replica.container)?,
                        connection: replica.connection.and_then(|part| self.part(part)),
                    })
                })
                .collect(),
        }
    }

    /// What runs in a container, told with the container's host.
    fn inside(&self, id: ResourceId, container: ResourceId) -> Option<PrimitiveStatus> {
        let mut status = self.part(id)?;
        let host = state::current_node(self.model, container);
        status.failed_probes = self.failed_probes(id, status.role, host);
        Some(status)
    }

    /// Rules 1.20.2.1 and 3.46.5.
    fn counts(&self) -> Counts {
        let mut counts = Counts { nodes: self.model.node_order.len(), ..Counts::default() };
        for top in &self.model.top {
            self.count(*top, &mut counts);
        }
        counts
    }

    fn count(&self, id: ResourceId, counts: &mut Counts) {
        let it = &self.model.resources[id];
        if !it.is_primitive() {
            for child in &it.children {
                self.count(*child, counts);
            }
            return;
        }
        if it.removed && it.current_role <= Role::Stopped {
            return;
        }
        counts.instances += 1;
        counts.blocked += usize::from(it.blocked);
        counts.disabled += usize::from(self.target_role(id).is_some());
    }

    fn failure(&self, failed: &state::FailedEntry<'_>) -> Failure {
        let entry = failed.entry;
        let key = entry.text(cib::status::HistoryText::OperationKey).filter(|key| !key.is_empty());
        Failure {
            key: key.map(str::to_owned),
            id: entry.id().unwrap_or_default().to_owned(),
            resource: entry.operation_key().and_then(state::resource_of_key).map(str::to_owned),
            task: entry.operation().unwrap_or_default().to_owned(),
            interval: entry.interval,
            node: self.node_name(failed.node),
            call: entry.call_id.unwrap_or(-1),
            rc: entry.rc_code.unwrap_or(193),
            status: entry.op_status.unwrap_or(-2),
            exit_reason: entry.exit_reason().map(str::to_owned),
            last_rc_change: entry.last_rc_change,
            queue_time: entry.queue_time,
            exec_time: entry.exec_time,
            masked_probe: state::is_masked_probe_failure(entry),
        }
    }
}

/// `class[:provider]:type`; only OCF agents have a provider.
fn agent_text(agent: &Agent) -> String {
    match &agent.provider {
        Some(provider) if agent.class.eq_ignore_ascii_case("ocf") => {
            format!("{}:{provider}:{}", agent.class, agent.kind)
        }
        _ => format!("{}:{}", agent.class, agent.kind),
    }
}
