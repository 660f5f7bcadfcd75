//! One action as the runner and its executors need it (rules 3.43.4 to 3.43.9).

use std::sync::Arc;

use crate::model::{ActionId, Agent, Index, Model, Name, NodeId, ResourceId, ResourceKind, Task};
use crate::state;
use transition::graph::META_PREFIX;
use transition::{Head, Kind, NodeRef, Primitive};

/// What identifies the action, also where it triggers others.
pub(super) fn identify(model: &Model<'_>, action: ActionId) -> Head {
    let it = &model.actions[action];
    let history_key = history_key(model, action);
    Head {
        id: number(action),
        kind: kind(model, action),
        operation: it.task.name().into(),
        internal_key: history_key.is_some().then(|| it.key.clone()),
        key: history_key.map_or_else(|| it.key.clone(), Name::from),
        node: shown_node(model, action).map(|node| reference(model, node)),
        router: router(model, action).map(|node| reference(model, node)),
    }
}

/// All of an action that enters the graph.
pub(super) fn describe(
    model: &mut Model<'_>,
    action: ActionId,
    head: Arc<Head>,
    words: &mut Words,
) -> transition::Action {
    let (attributes, numbered) = attributes(model, action, words);
    let it = &model.actions[action];
    let agent_call = !it.pseudo && !matches!(it.task, Task::Fence | Task::Shutdown);
    transition::Action {
        instance: it.resource.map(|resource| model.resources[resource].id.clone()),
        primitive: it.resource.filter(|_| agent_call).and_then(|resource| primitive(model, resource)),
        attributes,
        numbered,
        shutdown_lock: it.resource.filter(|_| agent_call).and_then(|resource| lock(model, action, resource)),
        downed: downed(model, action),
        maintenance: maintenance(model, action),
        reason: it.reason.clone(),
        head,
    }
}

/// The number of an action in its run.
pub(super) fn number(action: ActionId) -> u32 {
    u32::try_from(crate::model::Id::index(action)).map_or(u32::MAX, |index| index + 1)
}

/// The action that has this number in the graph.
pub(crate) fn action_of(number: u32) -> Option<ActionId> {
    let index = usize::try_from(number.checked_sub(1)?).ok()?;
    Some(crate::model::Id::from_index(index))
}

fn kind(model: &Model<'_>, action: ActionId) -> Kind {
    let it = &model.actions[action];
    match it.task {
        Task::Fence if it.pseudo => Kind::Pseudo,
        Task::Fence | Task::Shutdown | Task::ClearFailcount | Task::LrmDelete => Kind::Cluster,
        _ if it.pseudo => Kind::Pseudo,
        _ => Kind::Resource,
    }
}

fn reference(model: &Model<'_>, node: NodeId) -> NodeRef {
    let node = &model.nodes[node];
    NodeRef { name: node.name.clone(), id: node.id.clone() }
}

/// The node, unless the action is a pseudo-action other than fencing (rule 3.43.5).
fn shown_node(model: &Model<'_>, action: ActionId) -> Option<NodeId> {
    let it = &model.actions[action];
    it.node.filter(|_| !it.pseudo || it.task == Task::Fence)
}

/// The key in the words of history, where an instance is known under another name.
pub(super) fn history_key(model: &Model<'_>, action: ActionId) -> Option<String> {
    let it = &model.actions[action];
    let name = model.resources[it.resource?].history_name.as_ref()?;
    let meta = |key: &str| it.meta.get(key).map_or("", |value| &**value);
    Some(match &it.task {
        Task::Notify => format!("{name}_{}_notify_{}_0", meta("notify_type"), meta("notify_operation")),
        task => {
            let task = it.cancelled_task.as_ref().unwrap_or(task);
            format!("{name}_{}_{}", task.name(), it.interval)
        }
    })
}

/// The cluster node that speaks to a remote or guest node (rule 3.43.8).
fn router(model: &Model<'_>, action: ActionId) -> Option<NodeId> {
    let it = &model.actions[action];
    let node = &model.nodes[shown_node(model, action)?];
    if !node.is_pacemaker_remote() || it.task == Task::Fence {
        return None;
    }
    let connection = node.connection?;
    let began = state::current_node(model, connection);
    let ended = model.resources[connection].assigned;
    let (Some(began), Some(ended)) = (began, ended) else { return began.or(ended) };
    let moving_away = !node.is_guest() && model.resources[connection].partial_migration_target.is_some();
    if !moving_away && before_move(model, action) { Some(began) } else { Some(ended) }
}

/// Whether the action happens before its node's connection moves.
fn before_move(model: &Model<'_>, action: ActionId) -> bool {
    let it = &model.actions[action];
    let notified = it.meta.get("notify_operation").filter(|_| it.task == Task::Notify);
    let task = notified.map_or_else(|| it.task.clone(), |operation| Task::parse(operation));
    matches!(task, Task::Cancel | Task::Stop | Task::Demote | Task::MigrateFrom | Task::MigrateTo)
}

/// What executors are told about the resource (rule 3.43.6).
fn primitive(model: &Model<'_>, resource: ResourceId) -> Option<Primitive> {
    let it = &model.resources[resource];
    let ResourceKind::Primitive(Agent { class, provider, kind }) = &it.kind else { return None };
    let (id, long_id) = match &it.history_name {
        Some(name) if it.removed => (name.clone(), Some(it.id.clone())),
        _ if it.unique => (it.id.clone(), None),
        Some(name) if *name != it.configured_id => (it.configured_id.clone(), Some(name.clone())),
        _ => (it.configured_id.clone(), Some(it.id.clone())),
    };
    let set = |text: &Name| (!text.is_empty()).then(|| text.clone());
    Some(Primitive {
        id,
        long_id,
        class: set(class),
        provider: provider.as_ref().and_then(set),
        kind: set(kind),
    })
}

/// The lock of the resource, where the action takes place on the node it is locked to.
fn lock(model: &Model<'_>, action: ActionId, resource: ResourceId) -> Option<i64> {
    let (it, resource) = (&model.actions[action], &model.resources[resource]);
    let node = it.node.filter(|node| resource.lock_node == Some(*node))?;
    (!model.nodes[node].shutdown || it.task == Task::Stop).then_some(resource.lock_time)
}

/// Names and values that many actions of a graph share.
pub(super) struct Words {
    /// Names of meta attributes as they are in the graph, by their own.
    meta: Index<Name, Name>,
    feature_set: (Name, Name),
    /// Room to collect the attributes of one action.
    scratch: Attributes,
}

impl Default for Words {
    fn default() -> Words {
        let feature_set = ("crm_feature_set".into(), FEATURE_SET.into());
        Words { meta: Index::default(), feature_set, scratch: Attributes::new() }
    }
}

impl Words {
    /// The name in the graph of the meta attribute `name`.
    fn meta(&mut self, name: &str) -> Name {
        if let Some(known) = self.meta.get(name) {
            return known.clone();
        }
        let shown: Name = format!("{META_PREFIX}{}", name.replace('-', "_")).into();
        self.meta.insert(name.into(), shown.clone());
        shown
    }
}

type Attributes = Vec<(Name, Name)>;

/// Meta attributes and parameters, sorted, and the parameters whose names start with a digit (rule 3.43.7).
fn attributes(model: &mut Model<'_>, action: ActionId, words: &mut Words) -> (Attributes, Attributes) {
    // of equal names the first counts
    let mut values = std::mem::take(&mut words.scratch);
    let mut numbered = Attributes::new();
    let resource = model.actions[action].resource;
    if let Some(resource) = resource {
        add_resource_meta(model, resource, words, &mut values);
    }
    values.push(words.feature_set.clone());
    let own = model.actions[action].parameters.iter().flat_map(|own| own.iter());
    values.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(resource) = resource {
        add_parameters(model, action, resource, &mut values, &mut numbered);
    }
    add_meta(model, action, words, &mut values);
    add_host(model, action, words, &mut values);
    values.sort_by(|(a, _), (b, _)| a.cmp(b));
    values.dedup_by(|later, kept| later.0 == kept.0);
    let mut sorted = Vec::with_capacity(values.len());
    sorted.append(&mut values);
    words.scratch = values;
    (sorted, numbered)
}

/// The level of features that this scheduler speaks.
pub const FEATURE_SET: &str = "3.20.5";

fn add_parameters(
    model: &mut Model<'_>,
    action: ActionId,
    resource: ResourceId,
    values: &mut Attributes,
    numbered: &mut Attributes,
) {
    let node = model.actions[action].node;
    if node.is_none() && !model.resources[resource].is_primitive() {
        return;
    }
    let host = connection_host(model, resource);
    for (name, value) in state::parameters(model, resource, node).iter() {
        let value = match &host {
            Some(host) if &**name == "addr" && &**value == "#uname" => host.clone(),
            _ => value.clone(),
        };
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            numbered.push((name.clone(), value));
        } else {
            values.push((name.clone(), value));
        }
    }
}

/// The host that a bundle connection's address `#uname` stands for: where its container will be, or is.
fn connection_host(model: &Model<'_>, resource: ResourceId) -> Option<Name> {
    let it = &model.resources[resource];
    let launcher = it.launcher.filter(|_| it.is_remote_connection)?;
    let node = model.resources[launcher].assigned.or_else(|| state::current_node(model, launcher))?;
    Some(model.nodes[node].name.clone())
}

fn add_meta(model: &Model<'_>, action: ActionId, words: &mut Words, values: &mut Attributes) {
    let it = &model.actions[action];
    let shown = it.meta.iter().filter(|(name, _)| !name.contains(['#', ':']));
    values.extend(shown.map(|(name, value)| (words.meta(name), value.clone())));
    if let Some(node) = shown_node(model, action).map(|node| &model.nodes[node]) {
        values.push((words.meta("on_node"), node.name.clone()));
        values.push((words.meta("on_node_uuid"), node.id.clone()));
    }
}

/// Meta attributes of the resource and what it is in, the outermost first; these always win (rule 3.56.3).
fn add_resource_meta(model: &Model<'_>, resource: ResourceId, words: &mut Words, values: &mut Attributes) {
    add_container(model, resource, words, values);
    let start = values.len();
    let mut set = |name: &str, value: Name| values.push((words.meta(name), value));
    let mut at = Some(resource);
    while let Some(resource) = at {
        let it = &model.resources[resource];
        match &it.kind {
            ResourceKind::Primitive(_) => {
                if let Some(instance) = it.instance {
                    set("clone", instance.to_string().into());
                }
                if let Some(node) = it.meta.get("remote-node") {
                    set("remote_node", node.clone());
                }
            }
            ResourceKind::Clone(settings) => {
                set("globally_unique", it.unique.to_string().into());
                set("notify", it.notify.to_string().into());
                set("clone_max", settings.max.to_string().into());
                set("clone_node_max", settings.node_max.to_string().into());
                if it.promotable {
                    let (all, node) =
                        (settings.promoted_max.to_string(), settings.promoted_node_max.to_string());
                    set("promoted_max", all.as_str().into());
                    set("promoted_node_max", node.as_str().into());
                    set("master_max", all.into());
                    set("master_node_max", node.into());
                }
            }
            ResourceKind::Group(_) | ResourceKind::Bundle(_) => {}
        }
        at = it.parent;
    }
    values[start..].reverse();
}

fn add_container(model: &Model<'_>, resource: ResourceId, words: &mut Words, values: &mut Attributes) {
    let ancestors = std::iter::successors(Some(resource), |above| model.resources[*above].parent);
    let launchers = ancestors.filter_map(|above| model.resources[above].launcher);
    if let Some(outermost) = launchers.last() {
        values.push((words.meta("container"), model.resources[outermost].id.clone()));
    }
    if let Some(address) = model.resources[resource].meta.get("external-ip") {
        values.push(("pcmk_external_ip".into(), address.clone()));
    }
}

/// Where a guest's host is, for what runs inside (rule 3.43.7, source 6).
fn add_host(model: &Model<'_>, action: ActionId, words: &mut Words, values: &mut Attributes) {
    let it = &model.actions[action];
    let Some(node) = it.node.map(|node| &model.nodes[node]).filter(|node| node.is_guest()) else { return };
    let Some(launcher) = node.connection.and_then(|connection| model.resources[connection].launcher) else {
        return;
    };
    let operation =
        it.meta.get("notify_operation").filter(|_| matches!(it.task, Task::Notify | Task::Notified));
    let task = operation.map_or_else(|| it.task.clone(), |operation| Task::parse(operation));
    let host = match task {
        Task::Stop | Task::Stopped | Task::Demote | Task::Demoted => state::current_node(model, launcher),
        Task::Start | Task::Started | Task::Promote | Task::Promoted | Task::Monitor => {
            model.resources[launcher].assigned
        }
        _ => None,
    };
    let target =
        it.resource.and_then(|resource| model.resources[resource].meta.get("container-attribute-target"));
    if let Some(host) = host.filter(|_| it.resource.is_some()) {
        if let Some(target) = target {
            values.push((words.meta("container_attribute_target"), target.clone()));
        }
        values.push((words.meta("physical_host"), model.nodes[host].name.clone()));
    }
}

/// The nodes that will be down after the action (rule 3.43.9).
fn downed(model: &Model<'_>, action: ActionId) -> Vec<Name> {
    let it = &model.actions[action];
    let Some(node) = shown_node(model, action) else { return Vec::new() };
    match it.task {
        Task::Shutdown => vec![model.nodes[node].id.clone()],
        Task::Fence => {
            let operation = it.meta.get("stonith_action").map(|operation| &**operation);
            if !matches!(operation, Some("off" | "reboot")) {
                return Vec::new();
            }
            let guests = model.nodes[node].running.iter().filter_map(|resource| {
                let resource = &model.resources[*resource];
                let guest = resource.remote_node.filter(|_| resource.launcher.is_some())?;
                Some(model.nodes[guest].id.clone())
            });
            std::iter::once(model.nodes[node].id.clone()).chain(guests).collect()
        }
        Task::Stop if !it.pseudo => stopped_connection(model, action).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The remote node that goes with a stopped connection, unless the connection has moved.
fn stopped_connection(model: &Model<'_>, action: ActionId) -> Option<Name> {
    let it = &model.actions[action];
    let resource = it.resource.filter(|resource| model.resources[*resource].remote_node.is_some())?;
    let migrated = it.inputs.iter().any(|input| {
        let first = &model.actions[input.action];
        first.resource == Some(resource) && first.task == Task::MigrateFrom
    });
    (!migrated).then(|| model.resources[resource].id.clone())
}

fn maintenance(model: &Model<'_>, action: ActionId) -> Vec<(Name, bool)> {
    if model.actions[action].task.name() != super::MAINTENANCE {
        return Vec::new();
    }
    let news = super::maintenance_changes(model);
    news.map(|node| (model.nodes[node].id.clone(), model.nodes[node].maintenance)).collect()
}
