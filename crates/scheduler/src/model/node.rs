//! A node as the scheduler sees it.

use super::ids::ResourceId;
use super::table::Discovery;
use super::{Attributes, Name};
use cib::value::Score;

/// What a node is (rule 1.7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    /// A full member of the cluster.
    Cluster,
    /// A host that runs the remote executor only.
    Remote,
    /// A node that lives inside a resource: guest nodes and bundle nodes.
    Guest,
}

/// A cluster, remote, guest or bundle node.
#[derive(Clone, Debug)]
pub struct Node {
    pub id: Name,
    pub name: Name,
    pub kind: NodeKind,
    /// Base score (rule 2.1.11).
    pub score: Score,
    /// Base probe mode; `Never` for bundle nodes.
    pub discovery: Discovery,
    pub online: bool,
    pub unclean: bool,
    pub pending: bool,
    pub standby: bool,
    /// In standby because of a failure with `on-fail=standby`.
    pub standby_on_fail: bool,
    pub maintenance: bool,
    pub shutdown: bool,
    pub expected_up: bool,
    /// A `node_state` was seen: the node has been heard of.
    pub seen: bool,
    pub is_dc: bool,
    /// The connection (and so the node) must be reset.
    pub remote_reset: bool,
    /// A remote node that the status records as fenced already.
    pub remote_was_fenced: bool,
    /// The status records the remote node as in maintenance.
    pub remote_was_in_maintenance: bool,
    pub probes_allowed: bool,
    /// Sum of the priorities of what is active here (rule 3.14.10).
    pub priority: i32,
    /// Resources thought active here, in order of discovery.
    pub running: Vec<ResourceId>,
    pub attributes: Attributes,
    /// Capacity; reduced as resources are placed.
    pub utilization: Attributes,
    /// The connection resource of a remote, guest or bundle node.
    pub connection: Option<ResourceId>,
    /// How many leaves this run has placed here so far.
    pub assigned_count: u32,
}

impl Node {
    /// A remote, guest or bundle node.
    pub fn is_pacemaker_remote(&self) -> bool {
        self.kind != NodeKind::Cluster
    }
    pub fn is_guest(&self) -> bool {
        self.kind == NodeKind::Guest
    }
    /// Whether the node has the attribute `#uname`: a remote, guest or bundle node that is neither in the section
    /// `nodes` nor has been heard of has not (rule 1.7.5.2).
    pub fn has_name(&self) -> bool {
        self.attributes.contains_key("#uname")
    }
    pub fn is_remote(&self) -> bool {
        self.kind == NodeKind::Remote
    }
    /// Rule 2.4.1: online, not shutting down, clean, not in standby nor maintenance.
    pub fn is_available(&self) -> bool {
        self.online && !self.shutdown && !self.unclean && !self.standby && !self.maintenance
    }
}
