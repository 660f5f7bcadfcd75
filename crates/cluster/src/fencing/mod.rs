//! Fencing: devices and topology from the CIB, who fences whom with what, and what became of it.
//!
//! A fencing operation is announced to all members. Each of them offers the devices it could use for it
//! ([`inquiry`]); the operation's owner orders one use of a device after the other ([`owner`], [`walk`]);
//! whoever is ordered carries it out ([`executor`]); the owner announces the one result, which every node
//! keeps ([`history`]). [`devices`] and [`device`] read the configuration, [`registry`] has what was registered
//! beside it, [`watchdog`] has the timing of
//! nodes that take themselves down.

pub mod device;
pub mod devices;
pub mod executor;
pub mod history;
pub mod inquiry;
pub mod outlook;
pub mod owner;
pub mod registry;
pub mod walk;
pub mod watchdog;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::membership::NodeId;

pub use device::agent_input;
pub use history::FenceHistory;
pub use registry::{RegisteredDevice, RegistryChange};

/// The device that stands for waiting until a node's watchdog has fired (rules 4.52.7, 4.59.4).
pub const WATCHDOG_DEVICE: &str = "watchdog";

/// Who asks for what a plan has.
pub const COORDINATOR: &str = "systole";

/// Its agent, which is part of the cluster manager.
pub const WATCHDOG_AGENT: &str = "fence_watchdog";

/// One fencing operation, as every node remembers it (rule 4.62.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceRecord {
    /// Unique: `INCARNATION-NUMBER` of who asked.
    pub id: String,
    pub target: String,
    /// `off`, `reboot` or `on`.
    pub action: String,
    /// Who asked.
    pub client: String,
    /// Node that owns the operation.
    pub origin: String,
    /// The run of the owner's daemon: an operation does not outlive it.
    pub owner: String,
    /// Node that runs the agent, or ran the successful one; `a human` for a confirmation.
    pub executor: Option<String>,
    /// Devices that were used with success, in this order.
    pub devices: Vec<String>,
    pub state: FenceState,
    /// Epoch milliseconds of the end; of the request while pending.
    pub at: i64,
    /// While it is pending, why it was asked for; then why it failed (empty if it did not).
    pub reason: String,
    /// Execution status of a failure (rule 4.2.4): 2 timed out, 10 no device; 0 of a success.
    pub status: i32,
    /// The operation that this one waits for instead of being carried out (rule 4.61.1).
    pub merged_into: Option<String>,
    /// The run of the target's daemon that was acted on: a node that came back since is not the one fenced.
    pub target_incarnation: Option<String>,
    /// The target's daemon was heard after the operation had been announced as done: the device lies, or
    /// cuts off something else than power.
    pub survived: bool,
}

impl FenceRecord {
    /// Epoch seconds of [`FenceRecord::at`].
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.at.div_euclid(1000)
    }

    /// Whether it is about this run of the target, as far as both are known: what was done to an earlier one is no
    /// proof of anything.
    #[must_use]
    pub fn is_about(&self, incarnation: Option<&str>) -> bool {
        match (self.target_incarnation.as_deref(), incarnation) {
            (Some(known), Some(other)) => known == other,
            _ => true,
        }
    }

    /// Whether it makes the target go down.
    #[must_use]
    pub fn takes_down(&self) -> bool {
        takes_down(&self.action)
    }
}

/// Whether an action makes a node go down.
pub(crate) fn takes_down(action: &str) -> bool {
    matches!(action, "off" | "reboot")
}

/// How far a fencing operation is (rule 4.62.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FenceState {
    /// Members are asked for devices.
    Querying,
    /// A device is being used.
    Executing,
    /// An equal operation is waited for.
    Duplicate,
    Done,
    Failed,
}

impl FenceState {
    /// Whether the result is still to come.
    #[must_use]
    pub fn is_pending(self) -> bool {
        !matches!(self, FenceState::Done | FenceState::Failed)
    }
}

/// A device that a node could use for an operation (rule 4.51.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub device: String,
    /// It was started there and has worked since.
    pub verified: bool,
    /// Nodes that join must be switched on by it: unfencing (rule 4.56.1).
    pub automatic: bool,
    /// The agent knows `on`.
    pub offers_on: bool,
    /// Actions that only the target itself may run.
    pub on_target: Vec<String>,
    /// Milliseconds that one use may take, its own delays included, by action.
    pub limits: BTreeMap<String, u64>,
    /// A reboot by it leaves the target off (rule 4.52.5).
    pub stays_off: bool,
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
    /// The latest run of the target's daemon that the owner knows of.
    pub target_incarnation: Option<String>,
    /// `off`, `reboot` or `on`.
    pub action: String,
    /// Milliseconds, unless the device says otherwise.
    pub timeout: u64,
    /// Milliseconds before the device's own delays; `None`: no delay at all.
    pub delay: Option<u64>,
}
