//! The state of one scheduling run, shared by all stages.
//!
//! Everything lives in arenas and is named by dense ids, so that stages can hold ids while they
//! change things. Nothing is freed during a run. Sorted containers or insertion order are used
//! wherever order can be observed.

pub mod action;
pub mod constraint;
pub mod ids;
pub mod node;
pub mod origin;
pub mod reason;
pub mod resource;
pub mod score_line;
pub mod table;

use std::sync::Arc;

use cib::value::{Score, Timestamp};
use rustc_hash::FxBuildHasher;

pub use action::{Action, OnFail, OrderingRule, Properties, Relation, Side, Task, Tasks};
pub use constraint::{Colocation, Location, LossPolicy, Tag, Ticket};
pub use ids::{ActionId, Arena, ColocationId, Id, LocationId, NodeId, ResourceId, TicketId};
pub use node::{Node, NodeKind};
pub use origin::Origin;
pub use reason::{Cause, Change, Contribution, Reasons};
pub use resource::{
    Agent, Bundle, CloneSettings, ContainerKind, Group, MultipleActive, Replica, Requires, Resource,
    ResourceKind,
};
pub use score_line::ScoreLine;
pub use table::{Discovery, NodeEntry, NodeTable};

/// A name or value that is shared, not copied.
pub type Name = Arc<str>;

/// Name/value pairs in insertion order with constant-time look-up.
pub type Attributes = indexmap::IndexMap<Name, Name, FxBuildHasher>;

/// A map that is only ever looked up, never iterated.
pub type Index<K, V> = std::collections::HashMap<K, V, FxBuildHasher>;

/// What the caller wants of a run.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Collect the score lines that `crm_simulate -s` prints.
    pub show_scores: bool,
    /// Collect the utilization lines that `crm_simulate -U` prints.
    pub show_utilization: bool,
    /// Record every contribution and cause.
    pub record_reasons: bool,
    /// Input is a saved file, not the live cluster: rule 3.15.8 compares secure digests.
    pub sanitized_input: bool,
}

/// One scheduling run.
pub struct Model<'a> {
    pub cib: &'a cib::Cib,
    pub now: Timestamp,
    pub plan_options: PlanOptions,
    pub options: cib::options::ClusterOptions,
    pub quorate: bool,
    /// `no-quorum-policy` in force (rule 1.4.6).
    pub no_quorum_policy: cib::options::NoQuorumPolicy,
    /// Some fence device exists (rule 1.4.8), and some device provides unfencing (rule 1.4.7).
    pub have_fencing: bool,
    pub have_unfencing: bool,
    pub have_remote_nodes: bool,
    /// Some node has no `#uname` (rule 1.7.5.2): all such nodes are one and the same to colocations.
    pub have_nameless_nodes: bool,

    pub nodes: Arena<NodeId, Node>,
    /// The node list: all nodes in natural name order (rule 2.1.10).
    pub node_order: Vec<NodeId>,
    pub dc: Option<NodeId>,
    pub resources: Arena<ResourceId, Resource>,
    /// The resource list: top-level resources in the order of rule 2.3.1.
    pub top: Vec<ResourceId>,
    pub tickets: Arena<TicketId, Ticket>,
    pub tags: Vec<Tag>,
    /// Templates with the resources derived from them.
    pub templates: Vec<Tag>,

    pub locations: Arena<LocationId, Location>,
    pub colocations: Arena<ColocationId, Colocation>,

    /// All actions; creation order is the action number (rule 3.1).
    pub actions: Arena<ActionId, Action>,
    pub orderings: Vec<OrderingRule>,

    /// Stage-private data, owned by the stage that its module is named after.
    pub state: crate::state::Extra<'a>,
    pub placement: crate::placement::Extra,
    pub actions_extra: crate::actions::Extra<'a>,
    pub ordering: crate::ordering::Extra,

    /// The earliest moment at which the result may change by itself (rule 3.17).
    pub recheck_by: Option<Timestamp>,
    /// Score and utilization lines in chronological order (rules 2.26, 3.47), if asked for.
    pub score_lines: Vec<ScoreLine>,
    /// What the caller should tell: configuration errors and warnings, in order.
    pub notices: Vec<Notice>,
    pub reasons: Reasons,
}

/// Something worth telling the administrator.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub severity: Severity,
    pub text: String,
    /// Line of the configuration, if known.
    pub line: Option<u32>,
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)?;
        self.line.filter(|line| *line > 0).map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    Info,
    Notice,
    Warning,
    /// A doubtful configuration, as verifying it tells as well.
    ConfigurationWarning,
    Error,
    /// A configuration error that makes part of the configuration ignored.
    ConfigurationError,
}

impl Severity {
    /// Whether verifying the configuration tells the same, without a plan.
    pub fn is_of_configuration(self) -> bool {
        matches!(self, Severity::ConfigurationWarning | Severity::ConfigurationError)
    }
}

impl Model<'_> {
    /// Offers a future moment at which the result may change (rule 3.17).
    pub fn recheck_at(&mut self, at: Timestamp) {
        if at > self.now && self.recheck_by.is_none_or(|current| at < current) {
            self.recheck_by = Some(at);
        }
    }

    /// The outermost ancestor, stopping below a bundle (rule 2.1.7).
    pub fn top_of(&self, resource: ResourceId) -> ResourceId {
        let mut top = resource;
        while let Some(parent) = self.resources[top].parent {
            if self.resources[parent].is_bundle() {
                break;
            }
            top = parent;
        }
        top
    }

    /// The outermost ancestor, bundles included.
    pub fn root_of(&self, resource: ResourceId) -> ResourceId {
        let mut root = resource;
        while let Some(parent) = self.resources[root].parent {
            root = parent;
        }
        root
    }

    /// The bundle that contains `resource`, if any.
    pub fn bundle_of(&self, resource: ResourceId) -> Option<ResourceId> {
        let root = self.root_of(resource);
        self.resources[root].is_bundle().then_some(root)
    }

    /// Whether `ancestor` is above `resource`.
    pub fn is_ancestor(&self, ancestor: ResourceId, resource: ResourceId) -> bool {
        std::iter::successors(self.resources[resource].parent, |above| self.resources[*above].parent)
            .any(|above| above == ancestor)
    }

    /// The table entry of `resource` on `node`; a node not in the table starts from its base entry.
    pub fn base_entry(&self, node: NodeId) -> NodeEntry {
        NodeEntry { node, score: self.nodes[node].score, discovery: self.nodes[node].discovery, count: 0 }
    }

    /// Adds `amount` on `node` to the resource's children (recursively), then to itself (rule 2.5.4).
    pub fn add_score(&mut self, resource: ResourceId, node: NodeId, amount: Score, cause: Cause) {
        for index in 0..self.resources[resource].children.len() {
            let child = self.resources[resource].children[index];
            self.add_score(child, node, amount, cause);
        }
        self.add_score_here(resource, node, amount, cause);
    }

    /// Adds `amount` on `node` to this resource's own table only.
    pub fn add_score_here(&mut self, resource: ResourceId, node: NodeId, amount: Score, cause: Cause) {
        if !self.resources[resource].allowed.contains(node) {
            let base = self.base_entry(node);
            self.resources[resource].allowed.insert(base);
            self.reasons.score(resource, node, Change::Set(base.score), Cause::NodeBase(node));
        }
        if let Some(entry) = self.resources[resource].allowed.get_mut(node) {
            entry.score += amount;
        }
        self.reasons.score(resource, node, Change::Add(amount), cause);
    }

    /// Adds `amount` on every node of the node list (rule 2.5.4).
    pub fn add_score_everywhere(&mut self, resource: ResourceId, amount: Score, cause: Cause) {
        for index in 0..self.node_order.len() {
            let node = self.node_order[index];
            self.add_score(resource, node, amount, cause);
        }
    }

    pub fn notice(&mut self, severity: Severity, text: impl Into<String>, line: Option<u32>) {
        self.notices.push(Notice { severity, text: text.into(), line });
    }
}
