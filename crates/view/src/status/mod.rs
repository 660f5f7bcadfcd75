//! The state of the cluster as plain data: nodes, resources, failures, counts.
//!
//! [`Status::of`] reads it from the scheduler's model; renderers (text, XML, …) only look at the data.
//! It must never decide anything: what is active, failed or blocked is the scheduler's word.

mod collect;
pub mod fencing;
pub mod filter;
mod grouped;
pub mod history;
pub mod html;
pub mod monitor;
pub mod sections;
#[cfg(test)]
mod tests;
pub mod text;
pub mod words;
pub mod xml;

pub use collect::{bans, pings};
use scheduler::model::NodeKind;
use scheduler::state::Health;

/// Everything that a status display may want to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// In natural order of names.
    pub nodes: Vec<NodeStatus>,
    /// Top-level resources in the order of the resource list, removed and internal ones included.
    pub resources: Vec<ResourceStatus>,
    /// Recorded failures in the order of discovery (rule 1.13.6).
    pub failures: Vec<Failure>,
    pub counts: Counts,
    pub tickets: Vec<TicketStatus>,
    /// Where location constraints forbid resources to run; empty until [`bans`] is asked, after constraints
    /// were read.
    pub bans: Vec<Ban>,
    pub maintenance_mode: bool,
    pub stop_all_resources: bool,
    pub quorate: bool,
    pub options: cib::options::ClusterOptions,
    /// The DC, whichever nodes are shown.
    pub dc: Option<Dc>,
    /// Online full nodes report different feature sets.
    pub mixed_version: bool,
    /// Node attributes that ping resources feed, with what they should be; empty until [`pings`] is asked.
    pub pings: Vec<Ping>,
}

/// The node that coordinates the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dc {
    pub name: String,
    pub id: String,
}

/// A node attribute that an active ping resource feeds (rule 5b.7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    pub node: String,
    pub attribute: String,
    /// The value if all hosts answer.
    pub expected: i64,
}

/// How many primitive instances there are (rule 1.20.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub nodes: usize,
    pub instances: usize,
    pub disabled: usize,
    pub blocked: usize,
}

/// A ticket of a geo cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketStatus {
    pub id: String,
    pub granted: bool,
    pub standby: bool,
    /// Epoch seconds.
    pub last_granted: Option<i64>,
    /// All state attributes as they are.
    pub attributes: Vec<(String, String)>,
}

/// A location constraint that keeps a resource off a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    pub constraint: String,
    pub resource: String,
    pub node: String,
    /// Negative; -1000000 for -INFINITY.
    pub weight: i32,
    pub promoted_only: bool,
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeStatus {
    pub name: String,
    pub id: String,
    pub kind: NodeKind,
    pub online: bool,
    pub unclean: bool,
    pub pending: bool,
    pub standby: bool,
    pub standby_on_fail: bool,
    pub maintenance: bool,
    pub shutdown: bool,
    pub expected_up: bool,
    pub is_dc: bool,
    pub health: Health,
    /// Known for online, expected-up cluster nodes.
    pub feature_set: Option<String>,
    /// Ids of the primitives that are here, in the order in which the history tells of them.
    pub running: Vec<String>,
    /// Guest and bundle nodes: the resource that launches it.
    pub launcher: Option<String>,
    /// Guest and bundle nodes: where that resource is now.
    pub host: Option<String>,
    /// Permanent and transient attributes, by name.
    pub attributes: Vec<(String, String)>,
}

/// A top-level resource, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum ResourceStatus {
    Primitive(PrimitiveStatus),
    Group(GroupStatus),
    Clone(CloneStatus),
    Bundle(BundleStatus),
}

/// What all kinds of resources have.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// Full id, with instance number.
    pub id: String,
    /// The id to print (rule 1.9.7.6).
    pub name: String,
    pub description: Option<String>,
    pub managed: bool,
    pub maintenance: bool,
    pub removed: bool,
    /// Created by the scheduler and not shown (rule 1.20.4).
    pub internal: bool,
    /// Failed, for collectives: a part is.
    pub failed: bool,
    pub failure_ignored: bool,
    /// Some part is active, or all parts are (rule 1.16.5).
    pub active: bool,
    pub fully_active: bool,
    /// `target-role` as configured, if it limits the resource.
    pub target_role: Option<TargetRole>,
    /// `target-role` as configured.
    pub configured_target_role: Option<String>,
}

/// A `target-role` that keeps a resource from its best role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetRole {
    Stopped,
    /// Only inside promotable clones; the text as configured.
    Unpromoted(String),
}

/// One primitive (or instance of one).
#[derive(Clone, Debug, PartialEq)]
pub struct PrimitiveStatus {
    pub common: Common,
    /// `class[:provider]:type`.
    pub agent: String,
    /// The role to display: a started instance of a promotable clone is unpromoted (rule 1.20.6).
    pub role: cib::value::Role,
    pub blocked: bool,
    /// A pending operation, by name.
    pub pending_task: Option<String>,
    pub pending_node: Option<String>,
    pub locked_to: Option<String>,
    /// Where it is active, in order of discovery.
    pub nodes: Vec<ActiveOn>,
    /// The node that counts as where it is (rule 1.16.6).
    pub current_node: Option<String>,
    /// Nodes that are offline and unclean, among those that may be shown.
    pub unclean_nodes: Vec<String>,
    /// Results of failed probes on record, first one for each node (rule 1.20.7).
    pub failed_probes: Vec<(String, i64)>,
}

/// A node where a resource is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveOn {
    pub name: String,
    pub id: String,
    pub online: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct GroupStatus {
    pub common: Common,
    pub members: Vec<PrimitiveStatus>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CloneStatus {
    pub common: Common,
    /// The cloned resource.
    pub child: String,
    pub promotable: bool,
    pub unique: bool,
    pub max: i32,
    pub instances: Vec<InstanceStatus>,
    /// Nodes that an instance might run on but none does, with what to say about each (rule 1.20.9 step 3).
    pub free_nodes: Vec<FreeNode>,
}

/// A node without an instance of an anonymous clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeNode {
    pub name: String,
    /// Result of a failed probe on record.
    pub failed_probe: Option<i64>,
}

/// One instance of a clone, with what decides whether it is shown by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceStatus {
    pub resource: ResourceStatus,
    /// The highest role of its parts.
    pub role: cib::value::Role,
    /// The only node it is on.
    pub location: Option<String>,
    pub location_lost: bool,
    /// Any part removed, unmanaged or failed.
    pub notable: bool,
    pub pending: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct BundleStatus {
    pub common: Common,
    /// `docker` or `podman`.
    pub kind: &'static str,
    pub image: String,
    pub unique: bool,
    /// Replicas that are configured, shown or not.
    pub size: usize,
    pub replicas: Vec<ReplicaStatus>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaStatus {
    pub number: i32,
    pub address: Option<String>,
    pub ip: Option<PrimitiveStatus>,
    pub child: Option<PrimitiveStatus>,
    pub container: PrimitiveStatus,
    pub connection: Option<PrimitiveStatus>,
}

/// A failed history entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub key: Option<String>,
    pub id: String,
    /// Resource part of the key; `None` if the key cannot be split.
    pub resource: Option<String>,
    pub task: String,
    /// Milliseconds.
    pub interval: u32,
    pub node: String,
    pub call: i64,
    pub rc: i64,
    pub status: i64,
    pub exit_reason: Option<String>,
    pub last_rc_change: Option<i64>,
    /// Milliseconds.
    pub queue_time: Option<i64>,
    /// Milliseconds.
    pub exec_time: Option<i64>,
    /// Only says that the resource cannot run there (rule 1.12.4).
    pub masked_probe: bool,
}

impl ResourceStatus {
    pub fn common(&self) -> &Common {
        match self {
            ResourceStatus::Primitive(it) => &it.common,
            ResourceStatus::Group(it) => &it.common,
            ResourceStatus::Clone(it) => &it.common,
            ResourceStatus::Bundle(it) => &it.common,
        }
    }
}
