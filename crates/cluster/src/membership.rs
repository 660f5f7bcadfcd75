//! Who is in the cluster right now, as the messaging layer tells it. Quorum is used as told, never computed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The messaging layer's number of a node (32 bits, not zero); its decimal form is the node's id in the CIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a view: equal at all members that moved into it together, never used twice by one of them.
/// (Embedded bus: its counter. Corosync: hash of the ring id and the group's sorted (node, process) pairs.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ViewId(pub u64);

/// A membership view (rule 4.20.1): delivered in order with the messages, and the same to all that move together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub id: ViewId,
    /// Hosts that the messaging layer counts as members ("cluster member"), ascending.
    pub hosts: Vec<NodeId>,
    /// Those whose cluster manager takes part ("manager online"), ascending; a subset of `hosts`.
    pub members: Vec<NodeId>,
    pub quorate: bool,
}
