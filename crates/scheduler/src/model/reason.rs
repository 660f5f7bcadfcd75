//! Typed causes: why a score, a ban, a role, an action or an ordering is there.
//!
//! Causes are small and `Copy`; texts are made from them at the edge. Recording is off unless asked for.

use super::Index;
use super::ids::{ActionId, ColocationId, LocationId, NodeId, ResourceId, TicketId};
use cib::value::Score;

/// What led to a contribution or decision. Configuration ids are found through the referenced element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Cause {
    /// What the resource's agent is: connections and fence devices run on cluster nodes only.
    Agent(ResourceId),
    /// The resource may only run where the node was unfenced.
    Unfencing(ResourceId),
    /// The node's own base score.
    NodeBase(NodeId),
    /// `symmetric-cluster` allows every node.
    SymmetricCluster,
    Location(LocationId),
    Colocation(ColocationId),
    Stickiness(ResourceId),
    /// `migration-threshold` reached, with the fail count.
    FailureThreshold {
        resource: ResourceId,
        node: NodeId,
        fail_count: Score,
    },
    /// A failed operation recorded in history.
    Failure {
        resource: ResourceId,
        node: NodeId,
    },
    Ticket(TicketId),
    ShutdownLock {
        resource: ResourceId,
        node: NodeId,
    },
    ExclusiveDiscovery(ResourceId),
    NodeHealth(NodeId),
    Utilization(ResourceId),
    Unmanaged(ResourceId),
    Maintenance(NodeId),
    /// `target-role` or another reason for the next role to be Stopped.
    TargetRole(ResourceId),
    /// Removed from the configuration.
    Removed(ResourceId),
    MultiplyActive(ResourceId),
    /// Part of a collective: group member, clone instance, bundle part.
    PartOf(ResourceId),
    /// The resource that must run first (a launcher, a connection).
    Launcher(ResourceId),
    /// State of a node: offline, unclean, standby, shutting down, lost.
    NodeState(NodeId),
    NoQuorum,
    /// A configured ordering, by index into the CIB's constraints.
    Order(u32),
    /// Another action made it so.
    Action(ActionId),
    /// The definition differs from what history recorded.
    DefinitionChanged {
        resource: ResourceId,
        node: NodeId,
    },
    /// State on the node is not known yet.
    StateUnknown {
        resource: ResourceId,
        node: NodeId,
    },
    /// The state the resource should be in differs from the state it is in.
    Transition(ResourceId),
    /// A fencing request (attribute `terminate`, or a policy).
    FencingRequested(NodeId),
    Promotion(ResourceId),
}

/// How a recorded contribution changed a table entry.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Change {
    /// Added with the saturating sum.
    Add(Score),
    /// Replaced what was there (a table was replaced by a copy).
    Set(Score),
}

/// One contribution to one resource's score on one node.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Contribution {
    pub resource: ResourceId,
    pub node: NodeId,
    pub change: Change,
    pub cause: Cause,
}

/// Records contributions in order; empty and idle unless asked for.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    pub enabled: bool,
    pub contributions: Vec<Contribution>,
    /// Causes of actions: why each was created or changed state, in order.
    pub actions: Vec<(ActionId, Cause)>,
    /// Why a second action comes after a first one.
    pub relations: Index<(ActionId, ActionId), Cause>,
}

impl Reasons {
    pub fn score(&mut self, resource: ResourceId, node: NodeId, change: Change, cause: Cause) {
        if self.enabled {
            self.contributions.push(Contribution { resource, node, change, cause });
        }
    }
    pub fn action(&mut self, action: ActionId, cause: Cause) {
        if self.enabled {
            self.actions.push((action, cause));
        }
    }
    /// The first reason for an ordering between two actions stays.
    pub fn relation(&mut self, first: ActionId, then: ActionId, cause: Cause) {
        if self.enabled {
            self.relations.entry((first, then)).or_insert(cause);
        }
    }
    pub fn of_relation(&self, first: ActionId, then: ActionId) -> Option<Cause> {
        self.relations.get(&(first, then)).copied()
    }
}
