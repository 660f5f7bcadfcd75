//! Fencing: devices and topology from the CIB, who fences whom with what, and what became of it.

use serde::{Deserialize, Serialize};

/// One fencing operation, as every node remembers it (rule 4.62.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceRecord {
    /// Unique: `INCARNATION-NUMBER` of the owner.
    pub id: String,
    pub target: String,
    /// `off`, `reboot` or `on`.
    pub action: String,
    /// Who asked.
    pub client: String,
    /// Node that owns the operation.
    pub origin: String,
    /// Node that ran the successful agent, `a human` for a confirmation.
    pub executor: Option<String>,
    pub state: FenceState,
    /// Epoch seconds of the end; of the request while pending.
    pub at: i64,
    /// Why it failed.
    pub reason: String,
}

/// How far a fencing operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FenceState {
    Pending,
    Done,
    Failed,
}

/// An order of a fencing operation's owner: one device, used by one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceOrder {
    /// [`FenceRecord::id`].
    pub operation: String,
    /// Counts the orders of the operation.
    pub attempt: u32,
    pub executor: NodeId,
    pub device: String,
    pub target: String,
    /// `off`, `reboot` or `on`.
    pub action: String,
    /// Milliseconds, unless the device says otherwise.
    pub timeout: u64,
    /// Milliseconds before the device's own delays; `None`: no delay at all.
    pub delay: Option<u64>,
}
