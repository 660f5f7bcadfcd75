//! A resource (primitive, group, clone, bundle, or an instance) as the scheduler sees it.

use super::action::Tasks;
use super::ids::{ActionId, ColocationId, LocationId, NodeId, ResourceId, TicketId};
use super::table::NodeTable;
use super::{Attributes, Name};
use cib::value::{Role, Score, Timestamp};

/// What a resource is; matched on, never mirrored in method tables. Ordered as rule 2.1.6 says.
#[derive(Clone, Debug)]
pub enum ResourceKind {
    Primitive(Agent),
    Group(Group),
    Clone(CloneSettings),
    Bundle(Box<Bundle>),
}

/// Which agent manages a primitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    pub class: Name,
    pub provider: Option<Name>,
    pub kind: Name,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub ordered: bool,
    pub colocated: bool,
}

/// Settings of a clone (rule 1.9.7).
#[derive(Clone, Debug)]
pub struct CloneSettings {
    pub max: i32,
    pub node_max: i32,
    pub min: i32,
    pub ordered: bool,
    pub interleave: bool,
    /// `promoted-max` and `promoted-node-max`; 0 unless promotable.
    pub promoted_max: i32,
    pub promoted_node_max: i32,
    /// How many instances have been promoted by this run.
    pub promoted_count: i32,
    /// How many instances have been created (history may add to the configured ones).
    pub total: i32,
    pub merged_promoted_scores: bool,
    pub promotion_scores_computed: bool,
}

/// A bundle (rule 1.9.8).
#[derive(Clone, Debug)]
pub struct Bundle {
    pub container_kind: ContainerKind,
    pub promoted_max: i32,
    pub replicas_per_host: i32,
    /// The implicit clone of the inner primitive.
    pub child: Option<ResourceId>,
    /// How many are configured; an agent that cannot be unique leaves fewer.
    pub asked_replicas: u32,
    pub replicas: Vec<Replica>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContainerKind {
    Docker,
    Podman,
}

/// One replica of a bundle.
#[derive(Clone, Debug)]
pub struct Replica {
    pub number: i32,
    pub container: ResourceId,
    pub ip: Option<ResourceId>,
    pub ip_address: Option<Name>,
    /// The instance of the inner primitive.
    pub child: Option<ResourceId>,
    pub connection: Option<ResourceId>,
    /// The bundle node.
    pub node: Option<NodeId>,
}

/// What must hold before a resource may start (rule 1.9.4.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Requires {
    Nothing,
    Quorum,
    Fencing,
    Unfencing,
}

/// What to do when a resource is active on several nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MultipleActive {
    StopStart,
    StopOnly,
    StopUnexpected,
    Block,
}

/// A resource or an instance of one.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The id with instance number, unique in the run (`db:1`).
    pub id: Name,
    /// The id as configured (`db`); rule 1.9.7.6 says when this one is printed.
    pub configured_id: Name,
    /// The id that history uses, if it differs (rule 1.11.7).
    pub history_name: Option<Name>,
    pub kind: ResourceKind,
    /// The instance number inside a clone.
    pub instance: Option<i32>,
    pub parent: Option<ResourceId>,
    pub children: Vec<ResourceId>,
    /// Where its definition (after template expansion) is kept; see `state::definition`.
    pub definition: usize,

    // settings
    pub meta: Attributes,
    pub utilization: Attributes,
    pub priority: Score,
    /// How far a sum of promotion scores goes beyond what `priority` can say (rule 2.21.1).
    pub priority_beyond: i64,
    pub stickiness: Score,
    /// `migration-threshold`; INFINITY if unlimited, 0 never.
    pub migration_threshold: Score,
    /// `failure-timeout`, in milliseconds; 0 means never.
    pub failure_timeout: u64,
    /// Remote connections: `reconnect_interval`, in milliseconds.
    pub reconnect_interval: u64,
    pub requires: Requires,
    pub multiple_active: MultipleActive,
    pub managed: bool,
    pub maintenance: bool,
    pub unique: bool,
    pub promotable: bool,
    pub notify: bool,
    pub critical: bool,
    pub allow_migrate: bool,
    pub allow_remote_nesting: bool,
    pub exclusive_discovery: bool,
    pub is_fence_device: bool,
    /// An `ocf:pacemaker:remote` connection.
    pub is_remote_connection: bool,
    /// Created by the scheduler, not shown (`internal_rsc`).
    pub internal: bool,

    // relations to other things
    /// The resource that launches this one (meta `container`).
    pub launcher: Option<ResourceId>,
    pub launched: Vec<ResourceId>,
    /// Connections: the node it connects to.
    pub remote_node: Option<NodeId>,
    pub this_with: Vec<ColocationId>,
    pub with_this: Vec<ColocationId>,
    pub locations: Vec<LocationId>,
    pub tickets: Vec<TicketId>,

    // status
    pub current_role: Role,
    pub next_role: Role,
    pub next_role_reason: Option<Name>,
    /// Removed from the configuration, or a surplus instance ("orphan" in old surfaces).
    pub removed: bool,
    pub removed_launched: bool,
    pub blocked: bool,
    pub failed: bool,
    /// A failed resource whose recovery must include a stop.
    pub stop_required: bool,
    pub failure_ignored: bool,
    pub start_pending: bool,
    pub reloading: bool,
    pub stop_unexpected: bool,
    pub restarting: bool,
    pub detached: bool,
    pub active_on: Vec<NodeId>,
    /// Nodes on which history tells the state.
    pub probed_on: Vec<NodeId>,
    pub partial_migration_source: Option<NodeId>,
    pub partial_migration_target: Option<NodeId>,
    pub dangling_migration_sources: Vec<NodeId>,
    pub pending_task: Option<Name>,
    pub pending_node: Option<NodeId>,
    pub lock_node: Option<NodeId>,
    pub lock_time: Timestamp,

    // placement
    pub allowed: NodeTable,
    pub provisional: bool,
    /// In the middle of being placed (loop detection).
    pub placing: bool,
    pub assigned: Option<NodeId>,
    /// Scratch: order of promotion.
    pub sort_index: Score,
    pub promotion_priority: Score,

    /// Its actions, oldest first.
    pub actions: Vec<ActionId>,
    /// Tasks of its actions.
    pub tasks: Tasks,
    /// Tasks of its children's actions, so that nobody asks thousands of them for what none has.
    pub child_tasks: Tasks,
}

impl Resource {
    pub fn is_primitive(&self) -> bool {
        matches!(self.kind, ResourceKind::Primitive(_))
    }
    pub fn is_group(&self) -> bool {
        matches!(self.kind, ResourceKind::Group(_))
    }
    pub fn is_clone(&self) -> bool {
        matches!(self.kind, ResourceKind::Clone(_))
    }
    pub fn is_bundle(&self) -> bool {
        matches!(self.kind, ResourceKind::Bundle(_))
    }
    pub fn is_collective(&self) -> bool {
        !self.is_primitive()
    }
    pub fn agent(&self) -> Option<&Agent> {
        match &self.kind {
            ResourceKind::Primitive(agent) => Some(agent),
            _ => None,
        }
    }
    pub fn clone_settings(&self) -> Option<&CloneSettings> {
        match &self.kind {
            ResourceKind::Clone(settings) => Some(settings),
            _ => None,
        }
    }
    pub fn clone_settings_mut(&mut self) -> Option<&mut CloneSettings> {
        match &mut self.kind {
            ResourceKind::Clone(settings) => Some(settings),
            _ => None,
        }
    }
    pub fn bundle(&self) -> Option<&Bundle> {
        match &self.kind {
            ResourceKind::Bundle(bundle) => Some(bundle),
            _ => None,
        }
    }
    /// The priority, or the whole sum of promotion scores that took its place.
    pub fn plain_priority(&self) -> i64 {
        i64::from(self.priority.value()) + self.priority_beyond
    }
    /// Rule 1.9.7.6: unique resources print their full id, others the configured one.
    pub fn printable_id(&self) -> &Name {
        if self.unique { &self.id } else { &self.configured_id }
    }
    pub fn needs_fencing(&self) -> bool {
        self.requires >= Requires::Fencing
    }
}
