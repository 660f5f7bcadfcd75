//! Where reasons lead: every cause goes back to an element of the configuration, an entry of history or the
//! state of a node.

use std::collections::BTreeSet;

use cib::value::Role;

use super::{ActionId, Cause, Model, NodeId, ResourceId, TicketId};

/// The end of a chain of causes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// The definition of a resource, or something in it.
    Resource(ResourceId),
    /// A constraint, by index into the CIB's constraints.
    Constraint(u32),
    Ticket(TicketId),
    /// A cluster option, by name.
    Option(&'static str),
    /// What the resource's history on the node says, or that it says nothing.
    History {
        resource: ResourceId,
        node: NodeId,
    },
    /// The state of the node, or its attributes.
    Node(NodeId),
}

impl Model<'_> {
    /// What a cause leads back to; none for an action that no cause was recorded for.
    pub fn origin(&self, cause: Cause) -> Option<Origin> {
        self.origin_beyond(cause, &mut BTreeSet::new())
    }

    fn origin_beyond(&self, cause: Cause, seen: &mut BTreeSet<ActionId>) -> Option<Origin> {
        Some(match cause {
            Cause::Action(action) => {
                if !seen.insert(action) {
                    return None;
                }
                return self.causes(action).into_iter().find_map(|cause| self.origin_beyond(cause, seen));
            }
            Cause::Location(id) => match self.locations[id].source {
                Some(index) => Origin::Constraint(index),
                None => Origin::Resource(self.locations[id].resource),
            },
            Cause::Colocation(id) => match self.colocations[id].source {
                Some(index) => Origin::Constraint(index),
                None => Origin::Resource(self.colocations[id].dependent),
            },
            Cause::Order(index) => Origin::Constraint(index),
            Cause::SymmetricCluster => Origin::Option("symmetric-cluster"),
            Cause::NoQuorum => Origin::Option("no-quorum-policy"),
            Cause::Ticket(id) => Origin::Ticket(id),
            Cause::NodeBase(node)
            | Cause::NodeHealth(node)
            | Cause::Maintenance(node)
            | Cause::NodeState(node)
            | Cause::FencingRequested(node) => Origin::Node(node),
            Cause::FailureThreshold { resource, node, .. }
            | Cause::Failure { resource, node }
            | Cause::ShutdownLock { resource, node }
            | Cause::DefinitionChanged { resource, node }
            | Cause::StateUnknown { resource, node } => Origin::History { resource, node },
            Cause::Agent(resource)
            | Cause::Unfencing(resource)
            | Cause::Stickiness(resource)
            | Cause::ExclusiveDiscovery(resource)
            | Cause::Utilization(resource)
            | Cause::Unmanaged(resource)
            | Cause::TargetRole(resource)
            | Cause::Removed(resource)
            | Cause::MultiplyActive(resource)
            | Cause::PartOf(resource)
            | Cause::Launcher(resource)
            | Cause::Transition(resource)
            | Cause::Promotion(resource) => Origin::Resource(resource),
        })
    }

    /// Why an action is there and in its state, the oldest reason first; empty unless reasons are recorded.
    pub fn causes(&self, action: ActionId) -> Vec<Cause> {
        let of_it = self.reasons.actions.iter().filter(|(explained, _)| *explained == action);
        of_it.map(|(_, cause)| *cause).collect()
    }

    /// Why a resource gets the role that it will have.
    pub fn cause_of_role(&self, resource: ResourceId) -> Cause {
        let it = &self.resources[resource];
        let target = crate::state::target_role(self, resource).is_some();
        match it.next_role {
            _ if !it.managed => Cause::Unmanaged(resource),
            Role::Stopped if it.removed => Cause::Removed(resource),
            Role::Stopped if target => Cause::TargetRole(resource),
            Role::Promoted | Role::Unpromoted => Cause::Promotion(resource),
            _ => match it.parent {
                Some(parent) => Cause::PartOf(parent),
                None => Cause::Transition(resource),
            },
        }
    }
}
