//! What the executor is told to do, and what it tells of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::history::{Entry, PENDING_EXIT_CODE, digests};
use crate::operation::{AgentName, ExecutionStatus};

/// Longest delay of a recurring operation's first run that its result is waited for, in milliseconds (rule 4.10.8).
const LONGEST_AWAITED_DELAY: u64 = 5 * 60 * 1000;

/// An operation that a node has to carry out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub resource: String,
    pub agent: AgentName,
    pub operation: String,
    /// `RSC_OP_INTERVAL` as history names it.
    pub key: String,
    /// Milliseconds.
    pub interval: u64,
    /// Milliseconds.
    pub timeout: u64,
    /// Milliseconds before the first run. `interval-origin` is in it already (rule 4.10.13).
    pub start_delay: u64,
    /// Everything the agent gets.
    pub parameters: BTreeMap<String, String>,
    /// The exit code that counts as success.
    pub expected: i32,
    pub transition_key: String,
    pub feature_set: String,
    /// Name of the node on which the operation takes place.
    pub on_node: String,
    pub container: Option<String>,
    /// Epoch seconds, for resources locked to their node during its shutdown.
    pub shutdown_lock: Option<i64>,
    /// An instance of an anonymous clone: the same resource may run on other nodes.
    pub anonymous: bool,
    /// Something else is to be done as soon as it has been carried out.
    pub awaited: bool,
}

impl Order {
    /// Whether it leaves traces in history (rule 4.29.7).
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.operation != "notify"
    }

    /// Whether the pending entry is written (rule 4.29.6).
    #[must_use]
    pub fn records_pending(&self) -> bool {
        self.is_recorded() && self.meta("record_pending").is_none_or(|text| cib::value::is_true(Some(text)))
    }

    /// A meta attribute by its name without `CRM_meta_`.
    #[must_use]
    pub fn meta(&self, name: &str) -> Option<&str> {
        self.parameters.get(&format!("CRM_meta_{name}")).map(String::as_str)
    }

    /// The entry that says it is under way. `at`: epoch seconds.
    #[must_use]
    pub fn pending_entry(&self, at: i64) -> Entry {
        Entry {
            key: self.key.clone(),
            operation: self.operation.clone(),
            feature_set: self.feature_set.clone(),
            transition_key: self.transition_key.clone(),
            exit_reason: String::new(),
            on_node: self.on_node.clone(),
            call_id: -1,
            exit_code: PENDING_EXIT_CODE,
            status: ExecutionStatus::Pending,
            expected: self.expected,
            interval: self.interval,
            last_change: at,
            executed: 0,
            queued: 0,
            digests: digests(&self.parameters, self.interval, None),
            migration: self.migration(),
        }
    }

    pub(super) fn migration(&self) -> Option<(String, String)> {
        if !matches!(self.operation.as_str(), "migrate_to" | "migrate_from") {
            return None;
        }
        Some((self.meta("migrate_source")?.to_owned(), self.meta("migrate_target")?.to_owned()))
    }

    pub(super) fn changes_state(&self) -> bool {
        self.interval == 0 && !matches!(self.operation.as_str(), "monitor" | "notify")
    }

    /// Whether it is the same recurring operation with the same parameters: what runs for one is good for both.
    pub(super) fn asks_the_same(&self, other: &Order) -> bool {
        self.interval > 0
            && self.key == other.key
            && self.agent == other.agent
            && self.timeout == other.timeout
            && self.parameters == other.parameters
    }

    /// Whether its first run is so far away that whoever ordered it is not to wait for its result (rule 4.10.8).
    pub(super) fn is_postponed(&self) -> bool {
        self.interval > 0 && self.start_delay > LONGEST_AWAITED_DELAY
    }

    pub(super) fn is_fencing(&self) -> bool {
        self.agent.class == "stonith"
    }
}

/// The result of an order, ready for history.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    pub order: Arc<Order>,
    pub entry: Entry,
    /// Not the first result of a recurring operation.
    pub repeated: bool,
}
