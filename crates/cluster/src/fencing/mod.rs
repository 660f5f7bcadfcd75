//! Fencing: devices and topology from the CIB, who fences whom with what, and what became of it.
//!
//! Every node knows all devices from its replica, so any member can own a fencing operation: it orders one
//! use of a device after the other ([`FenceOrder`]) and announces the one result. [`devices`] reads the
//! configuration, [`owner`] is the owner's procedure, [`executor`] carries out orders.

pub mod devices;
pub mod executor;
pub mod owner;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::membership::NodeId;

pub use devices::agent_input;

/// More finished operations than this are not remembered (rule 4.62.2).
const REMEMBERED: usize = 250;

/// Fencing operations all nodes remember, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FenceHistory {
    records: Vec<FenceRecord>,
    /// Failures in a row, by target.
    failures: BTreeMap<String, u32>,
}

impl FenceHistory {
    /// All records, oldest first.
    #[must_use]
    pub fn records(&self) -> &[FenceRecord] {
        &self.records
    }

    /// Takes a record in: a finished one replaces a pending one of the same id, never the reverse.
    /// True if it is news.
    pub fn take(&mut self, record: &FenceRecord) -> bool {
        match self.records.iter_mut().find(|known| known.id == record.id) {
            Some(known) if known.state != FenceState::Pending || record.state == FenceState::Pending => {
                return false;
            }
            Some(known) => *known = record.clone(),
            None => self.records.push(record.clone()),
        }
        match record.state {
            FenceState::Pending => {}
            FenceState::Done => {
                self.failures.remove(&record.target);
            }
            FenceState::Failed => *self.failures.entry(record.target.clone()).or_default() += 1,
        }
        let finished = self.records.iter().filter(|known| known.state != FenceState::Pending).count();
        if finished > REMEMBERED {
            if let Some(oldest) = self.records.iter().position(|known| known.state != FenceState::Pending) {
                self.records.remove(oldest);
            }
        }
        true
    }

    /// Failures in a row of a target (rule 4.55.2).
    #[must_use]
    pub fn failures(&self, target: &str) -> u32 {
        self.failures.get(target).copied().unwrap_or(0)
    }

    /// Forgets finished operations of a target (of all without one).
    pub fn forget(&mut self, target: Option<&str>) {
        self.records.retain(|known| {
            known.state == FenceState::Pending
                || target.is_some_and(|target| !known.target.eq_ignore_ascii_case(target))
        });
    }

    /// Pending operations whose owner is not among `members` any more.
    #[must_use]
    pub fn abandoned(&self, members: &[&str]) -> Vec<FenceRecord> {
        let lost = |record: &&FenceRecord| {
            record.state == FenceState::Pending && !members.contains(&record.origin.as_str())
        };
        self.records.iter().filter(lost).cloned().collect()
    }

    /// Whether the same action succeeded within the last `tolerance` seconds (rule 4.50.5).
    #[must_use]
    pub fn recent_success(
        &self,
        target: &str,
        action: &str,
        tolerance: u64,
        now: i64,
    ) -> Option<&FenceRecord> {
        let young = |record: &FenceRecord| now - record.at <= i64::try_from(tolerance).unwrap_or(i64::MAX);
        self.records.iter().rev().find(|record| {
            tolerance > 0
                && record.state == FenceState::Done
                && record.target.eq_ignore_ascii_case(target)
                && record.action == action
                && young(record)
        })
    }
}

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
    /// While it is pending, why it was asked for; then why it failed (empty if it did not).
    pub reason: String,
    /// The run of the target's daemon that was acted on: a node that came back since is not the one fenced.
    pub target_incarnation: Option<String>,
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
