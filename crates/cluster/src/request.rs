//! What clients may ask of a node, and what it answers.

use serde::{Deserialize, Serialize};

use crate::fencing::{FenceRecord, RegisteredDevice, RegistryChange};
use crate::membership::{NodeId, View};

/// The kinds of change (rule 4.23.2 and the options of `cibadmin`).
pub use cib::Operation as CibOperation;

/// The driver's number of a client request; it comes back in [`crate::Output::Reply`], exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// Who asks: written as `update-client` and `update-user`, and used for access control.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The tool or daemon, for example `cibadmin`.
    pub program: String,
    /// The user's name if known.
    pub user: Option<String>,
    /// Names of the user's system groups, which may have access control lists of their own.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The user is subject to access control lists (neither root nor the cluster's own user).
    pub restricted: bool,
}

/// A request of a local client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Read the local replica.
    Query(CibQuery),
    /// Change the CIB on all nodes.
    Change(CibChange),
    /// Set, delete or dampen a transient node attribute (rule 4.27); answered when it has been
    /// applied here, at its place in the order of all (rule 4.27.8).
    UpdateAttribute(AttributeUpdate),
    /// Read transient attributes from memory, private ones included (rule 4.26.4).
    QueryAttribute { name: Option<String>, node: Option<String> },
    /// Forget failures and history so that resources are probed again (rules 4.36.1 and, with
    /// `only_failed` false, 4.36.2).
    Cleanup {
        resource: Option<String>,
        node: Option<String>,
        operation: Option<String>,
        interval: Option<u64>,
        only_failed: bool,
    },
    /// Pretend that a resource failed (rule 4.36.3).
    FailResource { resource: String, node: String },
    /// Set or clear the permanent (or, `until_restart`, transient) attribute `standby` of a node.
    Standby { node: String, on: bool, until_restart: bool },
    /// Set or clear the attribute `maintenance` of a node.
    Maintenance { node: String, on: bool },
    /// Grant, revoke or put in standby a ticket.
    Ticket { ticket: String, granted: Option<bool>, standby: Option<bool> },
    /// Fence a node (rule 4.50.1); answered when done.
    Fence(FenceRequest),
    /// A human says that the node is down (rule 4.63).
    ConfirmFenced { target: String },
    /// Forget finished fencing operations of a target (all without one).
    ForgetFencing { target: Option<String> },
    /// Register a fence device or level with this node only, or forget one (rule 4.50.2).
    Register(RegistryChange),
    /// Forget a node that is down (rule 4.24.5).
    RemoveNode { name: String },
    /// What this node knows of itself and the cluster.
    Status,
    /// Answered when the cluster has nothing to do and nothing under way (at once if so now).
    WaitSettled,
}

/// Which part of the CIB is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CibQuery {
    /// A section (`configuration`, `nodes`, `resources`, `constraints`, `crm_config`, `status`, …).
    pub scope: Option<String>,
    pub xpath: Option<String>,
    /// With `xpath`: only the paths of what matches.
    pub paths_only: bool,
    /// Leave out the children of what matches.
    pub no_children: bool,
    /// Name and restriction for access control; default: unrestricted.
    pub client: Client,
}

/// A change of the CIB. Answered after the local replica has applied it (rule 4.23.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CibChange {
    pub operation: CibOperation,
    pub client: Client,
    /// Apply to a copy and answer what would be, but change nothing.
    pub dry_run: bool,
}

/// What an attribute update does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeAction {
    /// Set the value (`value++` and `value+=N` are expanded, rule 4.27.6).
    Set(String),
    Delete,
    /// Only change the dampening.
    Dampening,
    /// Write everything again now.
    Refresh,
}

/// A change of a transient node attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeUpdate {
    /// Exact name; with `pattern` an expression over existing names.
    pub name: String,
    pub pattern: bool,
    pub action: AttributeAction,
    /// The node; default the local one.
    pub node: Option<String>,
    /// Milliseconds to collect further changes before the CIB is written; `None` keeps what is set.
    pub dampening: Option<u64>,
    /// Never written to the CIB.
    pub private: bool,
    /// Block id instead of `status-NODEID`.
    pub set_id: Option<String>,
    /// Write as a utilization attribute.
    pub utilization: bool,
}

impl AttributeUpdate {
    /// Set `name` of `node` to `value`, written at once.
    #[must_use]
    pub fn set(node: &str, name: &str, value: &str) -> AttributeUpdate {
        AttributeUpdate {
            name: name.to_owned(),
            pattern: false,
            action: AttributeAction::Set(value.to_owned()),
            node: Some(node.to_owned()),
            dampening: None,
            private: false,
            set_id: None,
            utilization: false,
        }
    }

    /// Delete `name` of `node`.
    #[must_use]
    pub fn delete(node: &str, name: &str) -> AttributeUpdate {
        AttributeUpdate { action: AttributeAction::Delete, ..AttributeUpdate::set(node, name, "") }
    }
}

/// A request for fencing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceRequest {
    pub target: String,
    /// `off`, `reboot` or `on`.
    pub action: String,
    /// Milliseconds.
    pub timeout: u64,
    /// Milliseconds to wait before the first device; `None`: no delays at all, the devices' own included.
    pub delay: Option<u64>,
    /// Seconds: a success of the same action this young counts (rule 4.50.5).
    pub tolerance: u64,
    /// Who asks, for the record.
    pub client: String,
}

impl FenceRequest {
    /// Whether it makes the target go down.
    #[must_use]
    pub fn takes_down(&self) -> bool {
        crate::fencing::takes_down(&self.action)
    }
}

/// The answer to a request.
#[allow(clippy::large_enum_variant, reason = "a handful are alive at a time")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done; nothing more to say.
    Done,
    /// XML of what was asked for (a query; a dry run's result).
    Xml(String),
    /// A change was applied; the version it led to (`admin_epoch.epoch.num_updates`).
    Changed {
        version: String,
        configuration: bool,
        /// What the change brought that is probably a mistake, with the right name if one is near.
        warnings: Vec<String>,
    },
    Attributes(Vec<AttributeValue>),
    Status(Box<NodeStatus>),
    /// Fencing ended well; by whom.
    Fenced(FenceRecord),
    Refused(Refusal),
}

/// A value of a transient attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeValue {
    pub name: String,
    pub node: String,
    pub value: String,
}

/// A request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: RefusalCode,
    /// What is wrong, where, and what to do about it.
    pub message: String,
}

/// Why a request was refused; tools turn these into their exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalCode {
    /// No such object (105).
    NotFound,
    /// Already there (108).
    Exists,
    /// The request itself makes no sense (70).
    Invalid,
    /// The result would not validate (78 / 203).
    Schema,
    /// The change would lower the version (old data).
    OldVersion,
    /// Access control forbids it (4 / 13).
    Denied,
    /// Not now: not joined, too many requests waiting, shutting down.
    Busy,
    /// It was tried and failed (fencing, for example).
    Failed,
    /// It took too long.
    TimedOut,
    /// The XML given is not well-formed (65).
    Unparsable,
    /// A patch does not fit what is there now (1).
    PatchFailed,
    /// What a patch leads to is not what it promises (104).
    DigestMismatch,
}

/// Where a node is in its life (rule 4.41).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// No view yet.
    Starting,
    /// A join round is under way.
    Joining,
    /// In the cluster.
    Joined,
    /// Leaving: resources are being stopped.
    ShuttingDown,
    /// Gone (left or failed): every further input is ignored.
    Ended,
}

/// What a node knows of itself and the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub id: NodeId,
    pub name: String,
    pub phase: Phase,
    pub view: View,
    /// Name of the DC, if there is one.
    pub dc: Option<String>,
    pub feature_set: String,
    /// Version of the local replica.
    pub cib_version: String,
    pub peers: Vec<PeerStatus>,
    /// Under way, on the DC only.
    pub transition: Option<TransitionStatus>,
    /// The last plan has been carried out and nothing has happened since (known on every node).
    pub settled: bool,
    pub fencing: Vec<FenceRecord>,
    /// Fence devices that were registered with this node (rule 4.50.2).
    pub registered: Vec<RegisteredDevice>,
    /// Operations running here: (resource, action, milliseconds since the start).
    pub running: Vec<RunningOperation>,
    /// Recurring monitors scheduled here.
    pub recurring: usize,
}

/// A node as another sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    pub id: NodeId,
    pub name: String,
    /// The messaging layer counts the host.
    pub member: bool,
    /// Its cluster manager takes part.
    pub online: bool,
    /// The DC has accepted it.
    pub joined: bool,
    pub feature_set: Option<String>,
    /// Why its manager, which is there, takes no part.
    pub problem: Option<String>,
}

/// A transition that is being carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionStatus {
    pub id: u64,
    pub actions: usize,
    pub done: usize,
    pub in_flight: Vec<String>,
    /// Re-planning is due.
    pub aborted: Option<String>,
}

/// An operation that runs on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningOperation {
    pub resource: String,
    pub action: String,
    pub interval: u64,
    /// Milliseconds since it was handed to the driver.
    pub since: u64,
}
