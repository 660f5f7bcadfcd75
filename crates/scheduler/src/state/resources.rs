//! The resource tree: from definitions to resources with their settings (rule 1.9).

use super::definition::Definition;
use super::{bundle, clone, values};
use crate::model::{
    Agent, Attributes, Cause, Group, Model, MultipleActive, Name, NodeId, NodeKind, NodeTable, Requires,
    Resource, ResourceId, ResourceKind, Severity, Tasks,
};
use cib::config;
use cib::options::NoQuorumPolicy;
use cib::value::{self, Role, Score};

/// Where a resource goes in the tree.
#[derive(Clone, Copy)]
pub(super) struct Position {
    pub parent: Option<ResourceId>,
    /// Number of the clone instance it is, or belongs to.
    pub instance: Option<i32>,
}

impl Position {
    pub const TOP: Position = Position { parent: None, instance: None };

    pub fn below(parent: ResourceId) -> Position {
        Position { parent: Some(parent), instance: None }
    }
}

/// A checked plan of a resource and what is inside it: nothing enters the model before it is known to be valid.
#[derive(Clone)]
pub(super) struct Blueprint<'a> {
    pub id: Name,
    pub definition: usize,
    pub kind: BlueprintKind<'a>,
}

#[derive(Clone)]
pub(super) enum BlueprintKind<'a> {
    Primitive(Agent),
    Group(Vec<Blueprint<'a>>),
    Clone(Box<Blueprint<'a>>),
    Bundle(&'a config::Bundle, Option<Box<Blueprint<'a>>>),
}

impl Blueprint<'_> {
    /// The agents of all primitives inside.
    pub fn agents(&self) -> Vec<&Agent> {
        match &self.kind {
            BlueprintKind::Primitive(agent) => vec![agent],
            BlueprintKind::Group(members) => members.iter().flat_map(Blueprint::agents).collect(),
            BlueprintKind::Clone(inner) => inner.agents(),
            BlueprintKind::Bundle(_, inner) => inner.iter().flat_map(|it| it.agents()).collect(),
        }
    }
}

/// Unpacks all configured resources, then the implicit guest connections, and links and sorts them
/// (rules 1.9.1.1–1.9.1.4).
pub(super) fn unpack_all<'a>(model: &mut Model<'a>, guests: Vec<Definition<'a>>) {
    let cib = model.cib;
    for (position, template) in cib.configuration.templates.iter().enumerate() {
        model.templates.push(crate::model::Tag { id: template.id.clone(), members: Vec::new() });
        model.state.template_by_id.entry(&template.id).or_insert(position);
    }
    for resource in &model.cib.configuration.resources {
        match blueprint(model, resource) {
            Some(plan) => {
                if let Some(id) = create(model, &plan, Position::TOP) {
                    model.top.push(id);
                }
            }
            None => ignored(model, &resource.id, resource.line),
        }
    }
    for guest in guests {
        if let Some(plan) = primitive_blueprint(model, guest) {
            if let Some(id) = create(model, &plan, Position::TOP) {
                model.top.push(id);
            }
        }
    }
    link_launchers(model);
    link_connections(model);
    sort_by_priority(model);
}

pub(super) fn ignored(model: &mut Model, id: &str, line: u32) {
    let text = format!("Ignoring resource '{id}' because its definition is not valid");
    model.notice(Severity::ConfigurationError, text, Some(line));
}

/// The position of the template of this id, the first one, in the configuration and in the model.
fn template_position(model: &Model, id: &str) -> Option<usize> {
    model.state.template_by_id.get(id).copied()
}

/// The plan of a configured element; `None` if it is not valid.
pub(super) fn blueprint<'a>(model: &mut Model<'a>, resource: &'a config::Resource) -> Option<Blueprint<'a>> {
    let cib = model.cib;
    let template = |id: &str| Some(&cib.configuration.templates[template_position(model, id)?]);
    let definition = Definition::of(resource, template)?;
    let kind = match &resource.kind {
        config::ResourceKind::Primitive(primitive) => {
            if let Some(template) = &primitive.template {
                if let Some(position) = template_position(model, template) {
                    model.templates[position].members.push(resource.id.clone());
                }
            }
            return primitive_blueprint(model, definition);
        }
        config::ResourceKind::Group(members) => {
            let plans: Vec<_> = members
                .iter()
                .filter_map(|member| {
                    let plan = blueprint(model, member);
                    if plan.is_none() {
                        ignored(model, &member.id, member.line);
                    }
                    plan
                })
                .collect();
            if plans.is_empty() {
                return None;
            }
            BlueprintKind::Group(plans)
        }
        config::ResourceKind::Clone(inner) => {
            BlueprintKind::Clone(Box::new(blueprint(model, inner.as_deref()?)?))
        }
        config::ResourceKind::Bundle(bundle) => {
            let inner = match &bundle.primitive {
                Some(inner) => Some(Box::new(blueprint(model, inner)?)),
                None => None,
            };
            bundle::is_valid(bundle).then_some(())?;
            BlueprintKind::Bundle(bundle, inner)
        }
    };
    Some(Blueprint { id: resource.id.clone(), definition: keep(model, definition), kind })
}

/// The plan of a primitive.
pub(super) fn primitive_blueprint<'a>(
    model: &mut Model<'a>,
    definition: Definition<'a>,
) -> Option<Blueprint<'a>> {
    let id = definition.attributes.text("id")?;
    let missing = || Agent { class: "".into(), provider: None, kind: "".into() };
    let agent = definition.agent.clone().unwrap_or_else(missing);
    Some(Blueprint { id, definition: keep(model, definition), kind: BlueprintKind::Primitive(agent) })
}

/// Keeps a definition for the run.
pub(super) fn keep<'a>(model: &mut Model<'a>, definition: Definition<'a>) -> usize {
    model.state.definitions.push(definition);
    model.state.definitions.len() - 1
}

/// Creates the resource and everything inside; `None` if a setting makes it invalid.
pub(super) fn create<'a>(
    model: &mut Model<'a>,
    plan: &Blueprint<'a>,
    position: Position,
) -> Option<ResourceId> {
    let id = match &plan.kind {
        BlueprintKind::Primitive(agent) => {
            let resource = settle(model, plan, position, ResourceKind::Primitive(agent.clone()));
            let id = add(model, resource);
            settle_primitive(model, id);
            id
        }
        BlueprintKind::Group(members) => {
            let resource =
                settle(model, plan, position, ResourceKind::Group(Group { ordered: true, colocated: true }));
            let flag = |name: &str| {
                resource.meta.get(name).and_then(|text| value::parse_boolean(text)) != Some(false)
            };
            let group = Group { ordered: flag("ordered"), colocated: flag("collocated") };
            let id = add(model, Resource { kind: ResourceKind::Group(group), ..resource });
            for member in members {
                let position = Position { parent: Some(id), instance: position.instance };
                if let Some(child) = create(model, member, position) {
                    model.resources[id].children.push(child);
                }
            }
            id
        }
        BlueprintKind::Clone(inner) => clone::create(model, plan, inner, position)?,
        BlueprintKind::Bundle(bundle, inner) => {
            bundle::create(model, plan, bundle, inner.as_deref(), position)?
        }
    };
    allow_by_default(model, id);
    Some(id)
}

/// Puts a resource into the arena and the index by id.
pub(super) fn add(model: &mut Model, resource: Resource) -> ResourceId {
    let name = resource.id.clone();
    let id = model.resources.push(resource);
    if let Some(first) = model.state.by_id.insert(name.clone(), id) {
        model.state.by_id.insert(name.clone(), first);
        model.state.namesakes.entry(name).or_default().push(id);
    }
    id
}

/// Rules 1.9.9.1 to 1.9.9.3: what runs where by default. Children have had their turn already. What a symmetric
/// cluster leaves out, the connections of guests in an asymmetric one get as well.
fn allow_by_default(model: &mut Model, resource: ResourceId) {
    let it = &model.resources[resource];
    let guest_connection = it.is_remote_connection && it.meta.contains_key("container");
    let symmetric = model.options.symmetric_cluster;
    if !(symmetric || guest_connection) || (symmetric && it.exclusive_discovery) {
        return;
    }
    for index in 0..model.node_order.len() {
        let node = model.node_order[index];
        if !symmetric || model.nodes[node].discovery != crate::model::Discovery::Never {
            model.add_score_here(resource, node, Score::ZERO, Cause::SymmetricCluster);
        }
    }
}

/// A resource with everything that its own settings and those around it say (rules 1.9.3, 1.9.4).
pub(super) fn settle<'a>(
    model: &mut Model<'a>,
    plan: &Blueprint<'a>,
    position: Position,
    kind: ResourceKind,
) -> Resource {
    let meta = values::meta(model, plan.definition, position.parent, position.instance);
    let utilization = values::utilization(model, plan.definition);
    let id: Name = match position.instance {
        Some(number) => format!("{}:{number}", plan.id).into(),
        None => plan.id.clone(),
    };
    let mut resource = blank(id, plan.id.clone(), kind);
    resource.definition = plan.definition;
    resource.instance = position.instance;
    resource.parent = position.parent;
    resource.utilization = utilization;
    let in_clone = position.parent.is_some_and(|parent| model.bundle_free_clone(parent));
    apply_settings(model, &mut resource, &meta, in_clone);
    resource.meta = meta;
    resource
}

impl Model<'_> {
    /// Whether `resource` is a clone or inside one.
    fn bundle_free_clone(&self, resource: ResourceId) -> bool {
        std::iter::successors(Some(resource), |it| self.resources[*it].parent)
            .any(|it| self.resources[it].is_clone())
    }
}

fn apply_settings(model: &Model, resource: &mut Resource, meta: &Attributes, in_clone: bool) {
    let health = model.options.health_scores;
    let text = |name: &str| meta.get(name).map(|value| &**value);
    let is_true = |name: &str| value::is_true(text(name));
    let score = |name: &str| text(name).and_then(|it| value::parse_score(it, &health));
    let in_clone = in_clone || resource.is_clone();

    if let ResourceKind::Primitive(agent) = &resource.kind {
        resource.is_fence_device = agent.class.eq_ignore_ascii_case("stonith");
        resource.is_remote_connection = is_remote_agent(agent);
    }
    let is_guest_connection = resource.is_remote_connection && meta.contains_key("container");
    resource.priority = score("priority").unwrap_or_default();
    resource.critical = text("critical").is_none_or(|it| value::parse_boolean(it) == Some(true));
    resource.stickiness = score("resource-stickiness").unwrap_or_default();
    resource.migration_threshold =
        score("migration-threshold").filter(|it| *it >= Score::ZERO).unwrap_or(Score::INFINITY);
    resource.failure_timeout = value::interval_or_zero(text("failure-timeout"));
    resource.multiple_active = match text("multiple-active") {
        Some(it) if it.eq_ignore_ascii_case("stop_only") => MultipleActive::StopOnly,
        Some(it) if it.eq_ignore_ascii_case("block") => MultipleActive::Block,
        Some(it) if it.eq_ignore_ascii_case("stop_unexpected") => MultipleActive::StopUnexpected,
        _ => MultipleActive::StopStart,
    };
    resource.notify = is_true("notify");
    resource.internal = is_true("internal_rsc");
    resource.allow_migrate = match text("allow-migrate") {
        Some(it) => value::parse_boolean(it) == Some(true),
        None => resource.is_remote_connection && !is_guest_connection,
    };
    resource.requires = requires(model, resource, text("requires"));
    apply_managed(model, resource, meta);
    if in_clone {
        resource.unique = match text("globally-unique") {
            Some(it) => value::parse_boolean(it) == Some(true),
            None => text("clone-node-max").and_then(value::parse_integer).is_some_and(|it| it > 1),
        };
        resource.promotable = is_true("promotable");
    }
    if let Some(role) = initial_target(meta, resource.promotable) {
        resource.next_role = role;
        resource.next_role_reason = Some("target-role".into());
    }
}

/// An `ocf:pacemaker:remote` agent.
pub(super) fn is_remote_agent(agent: &Agent) -> bool {
    agent.class.eq_ignore_ascii_case("ocf")
        && agent.provider.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("pacemaker"))
        && agent.kind.eq_ignore_ascii_case("remote")
}

/// Rule 1.9.4.3.
fn requires(model: &Model, resource: &Resource, text: Option<&str>) -> Requires {
    let fencing_enabled = model.options.fencing_enabled;
    let is = |word: &str| text.is_some_and(|it| it.eq_ignore_ascii_case(word));
    if is("nothing") {
        Requires::Nothing
    } else if is("quorum") {
        Requires::Quorum
    } else if is("fencing") {
        Requires::Fencing
    } else if is("unfencing") {
        if resource.is_fence_device || !fencing_enabled { Requires::Quorum } else { Requires::Unfencing }
    } else if resource.is_fence_device || resource.is_remote_connection {
        Requires::Quorum
    } else if model.have_unfencing {
        if fencing_enabled { Requires::Unfencing } else { Requires::Quorum }
    } else if fencing_enabled {
        Requires::Fencing
    } else if model.no_quorum_policy == NoQuorumPolicy::Ignore {
        Requires::Nothing
    } else {
        Requires::Quorum
    }
}

/// Rule 1.9.4.4.
fn apply_managed(model: &Model, resource: &mut Resource, meta: &Attributes) {
    resource.managed = true;
    if let Some(text) = meta.get("is-managed").filter(|it| !it.eq_ignore_ascii_case("default")) {
        resource.managed = value::parse_boolean(text) == Some(true);
    }
    let maintenance = value::is_true(meta.get("maintenance").map(|it| &**it));
    if maintenance || model.options.maintenance_mode {
        resource.managed = false;
        resource.maintenance = true;
    }
}

/// The next role that `target-role` asks for (rule 1.9.4.2); `promotable` is that of the top resource.
pub fn target_role(model: &Model, resource: ResourceId) -> Option<Role> {
    let promotable = model.resources[model.top_of(resource)].promotable;
    initial_target(&model.resources[resource].meta, promotable)
}

fn initial_target(meta: &Attributes, promotable: bool) -> Option<Role> {
    let text = meta.get("target-role")?;
    if text.eq_ignore_ascii_case("default") {
        return None;
    }
    match Role::parse(text)? {
        Role::Stopped => Some(Role::Stopped),
        Role::Unpromoted if promotable => Some(Role::Unpromoted),
        _ => None,
    }
}

/// What needs the resource to be in the model.
fn settle_primitive(model: &mut Model, id: ResourceId) {
    if model.resources[id].is_fence_device {
        model.have_fencing = true;
    }
    let it = &model.resources[id];
    if it.is_remote_connection && !it.meta.contains_key("container") {
        let parameters = values::parameters(model, id, None);
        if let Some(text) = parameters.get("reconnect_interval") {
            let interval = value::interval_or_zero(Some(text));
            model.resources[id].reconnect_interval = interval;
            model.resources[id].failure_timeout = interval;
        }
    }
}

/// A resource before any setting is applied.
fn blank(id: Name, configured_id: Name, kind: ResourceKind) -> Resource {
    Resource {
        id,
        configured_id,
        history_name: None,
        kind,
        instance: None,
        parent: None,
        children: Vec::new(),
        definition: 0,
        meta: Attributes::default(),
        utilization: Attributes::default(),
        priority: Score::ZERO,
        priority_beyond: 0,
        stickiness: Score::ZERO,
        migration_threshold: Score::INFINITY,
        failure_timeout: 0,
        reconnect_interval: 0,
        requires: Requires::Nothing,
        multiple_active: MultipleActive::StopStart,
        managed: true,
        maintenance: false,
        unique: true,
        promotable: false,
        notify: false,
        critical: true,
        allow_migrate: false,
        allow_remote_nesting: false,
        exclusive_discovery: false,
        is_fence_device: false,
        is_remote_connection: false,
        internal: false,
        launcher: None,
        launched: Vec::new(),
        remote_node: None,
        this_with: Vec::new(),
        with_this: Vec::new(),
        locations: Vec::new(),
        tickets: Vec::new(),
        current_role: Role::Stopped,
        next_role: Role::Unknown,
        next_role_reason: None,
        removed: false,
        removed_launched: false,
        blocked: false,
        failed: false,
        stop_required: false,
        failure_ignored: false,
        start_pending: false,
        reloading: false,
        stop_unexpected: false,
        restarting: false,
        detached: false,
        active_on: Vec::new(),
        probed_on: Vec::new(),
        partial_migration_source: None,
        partial_migration_target: None,
        dangling_migration_sources: Vec::new(),
        pending_task: None,
        pending_node: None,
        lock_node: None,
        lock_time: 0,
        allowed: NodeTable::default(),
        provisional: true,
        placing: false,
        assigned: None,
        sort_index: Score::ZERO,
        promotion_priority: Score::ZERO,
        actions: Vec::new(),
        tasks: Tasks::default(),
        child_tasks: Tasks::default(),
    }
}

/// Rule 1.9.1.3.
fn link_launchers(model: &mut Model) {
    for top in model.top.clone() {
        link_launcher(model, top);
    }
}

fn link_launcher(model: &mut Model, resource: ResourceId) {
    let children = model.resources[resource].children.clone();
    for child in &children {
        link_launcher(model, *child);
    }
    if !children.is_empty() {
        return;
    }
    let it = &model.resources[resource];
    let Some(name) = it.meta.get("container").filter(|name| **name != it.id) else { return };
    let Some(launcher) = super::resource_by_id(model, name) else { return };
    let id = it.id.clone();
    if !set_launcher(model, resource, launcher) {
        let line = definition_line(model, resource);
        let text = format!("Ignoring container of '{id}' because it is itself launched by that resource");
        model.notice(Severity::ConfigurationError, text, Some(line));
    }
}

/// What launches `resource`, what launches that, and so on.
fn launch_chain<'m>(model: &'m Model<'_>, resource: ResourceId) -> impl Iterator<Item = ResourceId> + 'm {
    std::iter::successors(Some(resource), |it| model.resources[*it].launcher)
}

fn definition_line(model: &Model, resource: ResourceId) -> u32 {
    super::definition(model, resource).line
}

/// Makes `launcher` the one launcher of `resource`, unless it is itself launched by that. Whether it was done.
pub(super) fn set_launcher(model: &mut Model, resource: ResourceId, launcher: ResourceId) -> bool {
    if launch_chain(model, launcher).any(|above| above == resource) {
        return false;
    }
    if let Some(before) = model.resources[resource].launcher.replace(launcher) {
        model.resources[before].launched.retain(|launched| *launched != resource);
    }
    model.resources[launcher].launched.push(resource);
    if let Some(node) = model.resources[resource].remote_node {
        mark_guest(model, node);
    }
    true
}

/// A node whose connection has a launcher is a guest node.
pub(super) fn mark_guest(model: &mut Model, node: NodeId) {
    let node = &mut model.nodes[node];
    node.kind = NodeKind::Guest;
    node.attributes.insert("#kind".into(), "container".into());
}

/// Rule 1.9.1.4, for connections at top level.
fn link_connections(model: &mut Model) {
    for top in model.top.clone() {
        link_connection(model, top);
    }
}

/// Links a connection with the node of the same name.
pub(super) fn link_connection(model: &mut Model, resource: ResourceId) {
    if !model.resources[resource].is_remote_connection {
        return;
    }
    let Some(node) = super::find_node(model, &model.resources[resource].id) else { return };
    model.nodes[node].connection = Some(resource);
    model.resources[resource].remote_node = Some(node);
    if model.resources[resource].launcher.is_some() {
        mark_guest(model, node);
    } else if model.options.fencing_enabled && model.options.startup_fencing {
        model.nodes[node].unclean = true;
    }
}

fn sort_by_priority(model: &mut Model) {
    let resources = &model.resources;
    model.top.sort_by_key(|id| std::cmp::Reverse(resources[*id].priority));
}
