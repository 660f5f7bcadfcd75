//! The node's journal: what happened, why, and which earlier events led to it.
//!
//! Every node emits the events of what it sees; events that all nodes see in total order are emitted by
//! all of them. Ids are local to a node's run. Texts for people are made elsewhere from these.

use serde::{Deserialize, Serialize};

use crate::fencing::FenceRecord;

/// Number of an event within one run of a node, ascending from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub u64);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub id: EventId,
    /// Milliseconds since the epoch.
    pub at: i64,
    pub kind: EventKind,
    /// The reason in words (the scheduler's for actions), if there is one beside the causes.
    pub why: Option<String>,
    /// The events that led to this one, oldest first.
    pub causes: Vec<EventId>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum EventKind {
    /// A new membership view; names, ascending by node id.
    View {
        members: Vec<String>,
        came: Vec<String>,
        lost: Vec<String>,
        quorate: bool,
    },
    /// A join round ended: all members agree on DC and CIB.
    Joined {
        dc: String,
        members: Vec<String>,
        cib_version: String,
        cib_from: String,
    },
    /// This node was refused by the cluster.
    JoinRefused {
        reason: String,
    },
    /// The CIB changed on request of a client.
    CibChanged {
        version: String,
        configuration: bool,
        origin: String,
        program: String,
        user: Option<String>,
    },
    /// A transient attribute changed (`value` absent: deleted).
    AttributeChanged {
        name: String,
        node: String,
        value: Option<String>,
    },
    /// The DC made a plan. `summary` has one line an action for people.
    Planned {
        transition: u64,
        actions: usize,
        summary: Vec<String>,
    },
    /// A planned action was handed out.
    ActionStarted {
        transition: u64,
        action: u32,
        operation: String,
        resource: Option<String>,
        node: Option<String>,
    },
    /// A resource operation ended (also those of recurring monitors whose result changed).
    OperationDone {
        node: String,
        resource: String,
        action: String,
        interval: u64,
        status: String,
        exit_code: i32,
        exit_reason: String,
        /// Milliseconds.
        executed: u64,
        failed: bool,
    },
    /// A transition ended: everything done, or stopped early.
    TransitionDone {
        transition: u64,
        complete: bool,
        incomplete_actions: usize,
    },
    FenceStarted(FenceRecord),
    FenceDone(FenceRecord),
    /// What is remembered of fencing changed otherwise: learnt from nodes that joined, or forgotten on request
    /// (rule 4.62.3). How, in words.
    FenceHistoryChanged {
        how: String,
    },
    /// A node asked to leave.
    ShutdownRequested {
        node: String,
    },
    /// The cluster has nothing more to do.
    Settled,
    /// Something an administrator should know of.
    Notice {
        severity: Severity,
        text: String,
    },
    /// This node ends.
    Ended {
        reason: String,
    },
}

/// How bad a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Error,
}
