//! Typed CIB → nodes, resources and what runs where (chapter 1).
//!
//! [`build`] is the whole stage; the rest are look-ups that the later stages share.
//! It must never decide where something shall run: it only says what is configured and what is.

mod bundle;
mod clone;
mod definition;
mod nodes;
mod resources;
mod running;
mod values;

pub use clone::{base_name, child_id, is_universal};
pub use definition::Definition;
pub use nodes::{Health, health, health_values};
pub use resources::target_role;
pub use running::{
    Place, current_node, fully_active, is_active, is_probed, launcher_of_node, location, nodes_of, role,
};
pub use values::{
    Table, definition, operation, operation_meta, operation_parameters, operations, parameters,
};

use crate::model::{Attributes, Index, Model, Name, NodeId, PlanOptions, ResourceId};
use cib::iso8601::DateTime;
use cib::options::{ClusterOptions, NoQuorumPolicy};
use cib::value::Timestamp;
use rustc_hash::FxHashSet;
use std::rc::Rc;

/// What only this stage keeps in the model.
pub struct Extra<'a> {
    /// Definitions by [`crate::model::Resource::definition`].
    pub(crate) definitions: Vec<Definition<'a>>,
    /// The effective time as rules see it.
    pub clock: DateTime,
    node_by_id: Index<String, NodeId>,
    node_by_name: Index<String, NodeId>,
    by_id: Index<Name, ResourceId>,
    /// Resources by the name that history uses for them, where it differs from the id.
    by_history_name: Index<Name, Vec<ResourceId>>,
    instances_of: Index<ResourceId, clone::Instances<'a>>,
    /// (resource, node) pairs whose state is known.
    probed: FxHashSet<(u32, u32)>,
    /// Instance attributes by resource, and node where a rule looks at the node.
    parameters: Index<(u32, Option<u32>), Rc<Attributes>>,
}

impl Default for Extra<'_> {
    fn default() -> Self {
        Extra {
            definitions: Vec::new(),
            clock: DateTime::from_timestamp(0, 0),
            node_by_id: Index::default(),
            node_by_name: Index::default(),
            by_id: Index::default(),
            by_history_name: Index::default(),
            instances_of: Index::default(),
            probed: FxHashSet::default(),
            parameters: Index::default(),
        }
    }
}

/// Builds the model of a run (stage S1). A CIB of a newer feature set is not looked at (rule 1.1.5).
pub fn build(cib: &cib::Cib, now: Timestamp, plan_options: PlanOptions) -> Model<'_> {
    let clock = DateTime::from_timestamp(now, 0);
    let mut model = empty(cib, now, plan_options, clock);
    nodes::unpack(&mut model);
    let guests = nodes::create_remote_nodes(&mut model);
    resources::unpack_all(&mut model, guests);
    model
}

/// A model that knows the options and nothing else.
fn empty(cib: &cib::Cib, now: Timestamp, plan_options: PlanOptions, clock: DateTime) -> Model<'_> {
    let options = ClusterOptions::default();
    let quorate = cib.root.have_quorum;
    let no_quorum_policy = options.effective_no_quorum_policy(quorate, cib.root.no_quorum_panic);
    Model {
        cib,
        now,
        quorate,
        no_quorum_policy,
        have_fencing: options.have_watchdog,
        have_unfencing: cib.configuration.unfencing_in_use,
        have_remote_nodes: false,
        reasons: crate::model::Reasons { enabled: plan_options.record_reasons, ..Default::default() },
        plan_options,
        options,
        nodes: Default::default(),
        node_order: Vec::new(),
        dc: None,
        resources: Default::default(),
        top: Vec::new(),
        tickets: Default::default(),
        tags: Vec::new(),
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
    let it = &model.nodes[node];
    if it.is_guest() {
        return running::guest_hosts(model, node)
            .into_iter()
            .all(|host| model.nodes[host].online || can_fence(model, host));
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
