//! Typed CIB → nodes, resources and what runs where (chapter 1).
//!
//! [`build`] is the whole stage; the rest are look-ups that the later stages share.
//! It must never decide where something shall run: it only says what is configured and what is.

mod bundle;
mod clone;
mod definition;
mod failcount;
mod history;
mod membership;
mod nodes;
mod on_fail;
mod remote;
mod resources;
mod running;
mod values;

pub use clone::{base_name, child_id, is_universal};
pub use definition::{Definition, Operations};
pub use failcount::{Count, FailCount, fail_count};
pub use history::{
    ActiveRange, FailedEntry, failed_probe, history, is_masked_probe_failure, resource_of_key, sorted_entries,
};
pub use nodes::{Health, health, health_values};
pub(crate) use on_fail::corrected_on_fail;
pub use on_fail::{on_fail, role_after_failure};
pub use resources::target_role;
pub use running::{
    Place, current_node, fully_active, is_active, is_probed, launcher_of_node, location, nodes_of, role,
};
pub use values::{
    Table, definition, operation, operation_meta, operation_parameters, operations, parameters,
};

use crate::model::{
    Attributes, Index, Model, Name, NodeId, PlanOptions, ResourceId, Severity, Tag, Ticket, TicketId,
};
use cib::iso8601::{Clock, DateTime};
use cib::options::{EffectiveOptions, NoQuorumPolicy};
use cib::rule::RuleInput;
use rustc_hash::FxHashSet;
use std::rc::Rc;

/// What only this stage keeps in the model.
pub struct Extra<'a> {
    /// Definitions by [`crate::model::Resource::definition`].
    pub(crate) definitions: Vec<Definition<'a>>,
    /// The effective time as rules see it.
    pub clock: Clock,
    node_by_id: Index<String, NodeId>,
    node_by_name: Index<String, NodeId>,
    by_id: Index<Name, ResourceId>,
    ticket_by_id: Index<Name, TicketId>,
    /// Positions of the first template of each id.
    template_by_id: Index<&'a str, usize>,
    /// Resources with the id of another one (removed ones whose id is used for something else now).
    namesakes: Index<Name, Vec<ResourceId>>,
    /// Resources by the name that history uses for them, where it differs from the id.
    by_history_name: Index<Name, Vec<ResourceId>>,
    /// How often the history of a removed connection to a remote node was met.
    removed_connections: usize,
    instances_of: Index<ResourceId, clone::Instances<'a>>,
    /// What is known of the first instances of a clone, by clone.
    settled: Index<ResourceId, clone::Settled>,
    /// (resource, node) pairs whose state is known.
    probed: FxHashSet<(u32, u32)>,
    /// Instance attributes by resource, and node where a rule looks at the node.
    parameters: Index<(u32, Option<u32>), Rc<Attributes>>,
    /// Fail counts by node.
    marks: Vec<Option<failcount::Marks>>,
    history_index: history::index::HistoryIndex<'a>,
    /// Nodes whose history was read, with the position of their `node_state`.
    processed: Index<NodeId, usize>,
    /// Failures in the order of discovery (rule 1.13.6).
    pub failed: Vec<FailedEntry<'a>>,
    failed_keys: FxHashSet<(String, NodeId)>,
    /// Launchers to stop once all history is read (rule 1.17.4).
    late_stops: Vec<ResourceId>,
    /// Recurring monitors whose failure expired, by address of the entry: they must be rescheduled.
    expired_monitors: FxHashSet<usize>,
}

impl Default for Extra<'_> {
    fn default() -> Self {
        Extra {
            definitions: Vec::new(),
            clock: DateTime::EPOCH.into(),
            node_by_id: Index::default(),
            node_by_name: Index::default(),
            by_id: Index::default(),
            ticket_by_id: Index::default(),
            template_by_id: Index::default(),
            namesakes: Index::default(),
            by_history_name: Index::default(),
            removed_connections: 0,
            instances_of: Index::default(),
            settled: Index::default(),
            probed: FxHashSet::default(),
            parameters: Index::default(),
            marks: Vec::new(),
            history_index: Default::default(),
            processed: Index::default(),
            failed: Vec::new(),
            failed_keys: FxHashSet::default(),
            late_stops: Vec::new(),
            expired_monitors: FxHashSet::default(),
        }
    }
}

/// Builds the model of a run (stage S1). A CIB of a newer feature set is not looked at (rule 1.1.5).
pub fn build(cib: &cib::Cib, clock: Clock, plan_options: PlanOptions) -> Model<'_> {
    let mut model = empty(cib, plan_options, clock);
    if is_too_new(cib) {
        return model;
    }
    nodes::unpack(&mut model);
    let guests = nodes::create_remote_nodes(&mut model);
    resources::unpack_all(&mut model, guests);
    membership::unpack(&mut model);
    history::replay(&mut model);
    model.have_nameless_nodes = model.nodes.values().any(|node| !node.has_name());
    model
}

/// The ticket of this name, made if there is none yet: not granted (rule 1.8.1).
pub(crate) fn ticket(model: &mut Model, name: &str) -> TicketId {
    if let Some(known) = model.state.ticket_by_id.get(name) {
        return *known;
    }
    let name: Name = name.into();
    let made = Ticket { id: name.clone(), granted: false, standby: false, last_granted: -1 };
    let id = model.tickets.push(made);
    model.state.ticket_by_id.insert(name, id);
    id
}

/// The newest feature set that this scheduler understands.
pub const FEATURE_SET: &str = "3.20.5";

fn is_too_new(cib: &cib::Cib) -> bool {
    let set = cib.root.feature_set.as_deref();
    set.is_some_and(|set| cib::value::compare_versions(set, FEATURE_SET).is_gt())
}

/// A model that knows the options and nothing else.
fn empty(cib: &cib::Cib, plan_options: PlanOptions, clock: Clock) -> Model<'_> {
    let EffectiveOptions { options, notices, next_change, .. } = cib.cluster_options(&RuleInput::at(clock));
    let quorate = cib.root.have_quorum;
    let no_quorum_policy = options.effective_no_quorum_policy(quorate, cib.root.no_quorum_panic);
    let mut model = Model {
        cib,
        now: clock.timestamp(),
        quorate,
        no_quorum_policy,
        have_fencing: options.have_watchdog,
        have_unfencing: cib.configuration.unfencing_in_use,
        have_remote_nodes: false,
        have_nameless_nodes: false,
        reasons: crate::model::Reasons { enabled: plan_options.record_reasons, ..Default::default() },
        plan_options,
        options,
        nodes: Default::default(),
        node_order: Vec::new(),
        dc: None,
        resources: Default::default(),
        top: Vec::new(),
        tickets: Default::default(),
        tags: tags(cib),
        templates: Vec::new(),
        locations: Default::default(),
        colocations: Default::default(),
        actions: Default::default(),
        orderings: Vec::new(),
        state: Extra { clock, ..Extra::default() },
        placement: Default::default(),
        actions_extra: Default::default(),
        ordering: Default::default(),
        recheck_by: None,
        score_lines: Vec::new(),
        notices: Vec::new(),
    };
    for notice in notices {
        model.notice(severity(notice.severity), notice.text, Some(notice.place.line));
    }
    if let Some(at) = next_change {
        model.recheck_at(at);
    }
    model
}

/// Tags as configured (rule 1.8.2).
fn tags(cib: &cib::Cib) -> Vec<Tag> {
    let tags = cib.configuration.tags.iter();
    tags.map(|tag| Tag { id: tag.id.clone(), members: tag.members.clone() }).collect()
}

fn severity(severity: cib::Severity) -> Severity {
    match severity {
        cib::Severity::Note => Severity::Info,
        cib::Severity::Warning => Severity::ConfigurationWarning,
        cib::Severity::Error => Severity::ConfigurationError,
    }
}

/// The node of this name, ignoring case.
pub fn find_node(model: &Model, name: &str) -> Option<NodeId> {
    model.state.node_by_name.get(&name.to_lowercase()).copied()
}

/// The node with this id, ignoring case.
pub fn find_node_by_id(model: &Model, id: &str) -> Option<NodeId> {
    model.state.node_by_id.get(&id.to_lowercase()).copied()
}

/// The resource with exactly this id (with instance number).
pub fn resource_by_id(model: &Model, id: &str) -> Option<ResourceId> {
    model.state.by_id.get(id).copied()
}

/// The resource with this id, or the first that history knows under it (rule 1.11.3 step 1).
pub fn find_known(model: &Model, id: &str) -> Option<ResourceId> {
    resource_by_id(model, id)
        .or_else(|| model.state.by_history_name.get(id).and_then(|known| known.iter().min().copied()))
}

/// All resources with this id, or that history knows under it, the newest first (rule 3.13.1).
pub fn find_all_known(model: &Model, id: &str) -> Vec<ResourceId> {
    let by_name = model.state.by_history_name.get(id).map(Vec::as_slice).unwrap_or_default();
    let namesakes = model.state.namesakes.get(id).map(Vec::as_slice).unwrap_or_default();
    let mut found: Vec<ResourceId> =
        by_name.iter().chain(namesakes).copied().chain(resource_by_id(model, id)).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    found
}

/// The resource that a constraint means by `id` (rule 2.9.2): by id, or, if only history knows it as
/// that, the top of what history means.
pub fn find_resource(model: &Model, id: &str) -> Option<ResourceId> {
    resource_by_id(model, id).or_else(|| find_known(model, id).map(|found| model.top_of(found)))
}

/// Gives a resource the name that history uses for it, or takes it away (rule 1.11.7).
fn set_history_name(model: &mut Model, resource: ResourceId, name: Option<Name>) {
    let it = &mut model.resources[resource];
    if it.history_name == name {
        return;
    }
    if let Some(old) = it.history_name.take() {
        if let Some(known) = model.state.by_history_name.get_mut(&old) {
            known.retain(|other| *other != resource);
        }
    }
    if let Some(name) = &name {
        model.state.by_history_name.entry(name.clone()).or_default().push(resource);
    }
    model.resources[resource].history_name = name;
}

/// Whether `node` can be fenced (rules 1.7.10, 3.14.3).
pub fn can_fence(model: &Model, node: NodeId) -> bool {
    can_fence_within(model, node, GUEST_DEPTH)
}

/// How deep guests may run on guests; contradictory status could have them run on each other.
const GUEST_DEPTH: u32 = 8;

fn can_fence_within(model: &Model, node: NodeId, depth: u32) -> bool {
    let it = &model.nodes[node];
    if it.is_guest() {
        let hosts = running::guest_hosts(model, node);
        return hosts
            .into_iter()
            .all(|host| model.nodes[host].online || (depth > 0 && can_fence_within(model, host, depth - 1)));
    }
    if !model.options.fencing_enabled || !model.have_fencing {
        return false;
    }
    if model.quorate || model.no_quorum_policy == NoQuorumPolicy::Ignore {
        return true;
    }
    it.online
        && (!it.is_remote() || model.options.fence_remote_without_quorum || hosts_are_online(model, node))
}

/// Whether every node allowed for a remote node's connection is online.
fn hosts_are_online(model: &Model, node: NodeId) -> bool {
    model.nodes[node].connection.is_none_or(|connection| {
        model.resources[connection].allowed.iter().all(|entry| model.nodes[entry.node].online)
    })
}

/// The bundle that `resource` is part of (inner instance, container, address or connection).
pub fn is_bundled(model: &Model, resource: ResourceId) -> Option<ResourceId> {
    model.resources[resource].parent.and_then(|_| model.bundle_of(resource))
}

/// Whether the failure of this recurring monitor has expired, so that it must be rescheduled
/// although it is active (rule 1.12.7: its stored restart digest does not count).
pub fn is_expired_monitor(model: &Model, entry: &cib::status::HistoryEntry) -> bool {
    model.state.expired_monitors.contains(&(std::ptr::from_ref(entry) as usize))
}
