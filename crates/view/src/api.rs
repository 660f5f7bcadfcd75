//! The words of the node's HTTP interface: what a request says and what an answer means.
//!
//! Shared by the daemon, which serves them, and every client. Plain data only: nothing here opens a
//! socket or decides anything. Adding an optional field is compatible; renaming or removing one is not,
//! and needs a new path prefix instead of `/v1`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Path prefix of this version of the interface.
pub const PREFIX: &str = "/v1";

/// Header by which root acts as another user, with that user's rights; from anybody else it counts for nothing.
pub const USER_HEADER: &str = "x-cib-user";

/// Longest request body a node accepts, in bytes. A ten-thousand-resource configuration is about a third of it.
pub const MAX_BODY: usize = 32 << 20;

/// A refusal or failure, the body of every answer outside 2xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Stable machine word, such as `permission-denied`, `no-such-object`, `invalid-xml`, `schema`, `old-version`.
    pub code: String,
    /// Exit code of the classic tools for this refusal (rule 5.2: 4 permission, 105 no such object, …).
    pub exit_code: u8,
    /// One sentence for people: what is wrong.
    pub message: String,
    /// Further lines: where, and what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Place in the XML that was sent, if the problem has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A place in a text: both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl Problem {
    /// A problem without details.
    pub fn new(code: impl Into<String>, exit_code: u8, message: impl Into<String>) -> Self {
        Problem { code: code.into(), exit_code, message: message.into(), details: Vec::new(), place: None }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = self.place {
            write!(f, " (line {}, column {})", place.line, place.column)?;
        }
        self.details.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for Problem {}

/// Version of the configuration, compared in field order (rule 4.23.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Version {
    /// Set by administrators only.
    pub admin_epoch: u64,
    /// Counts changes of the configuration.
    pub epoch: u64,
    /// Counts changes of the status since the last change of the configuration.
    pub num_updates: u64,
}

/// What to do to the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CibOperation {
    /// Add a new element; an existing one with its id is an error.
    Create,
    /// Merge into the element with the same id.
    Modify,
    /// Put the sent element in the place of the existing one.
    Replace,
    /// Remove the element that matches (or all that match an XPath, with `delete_all`).
    Delete,
    /// Apply a patchset (`diff` element).
    Patch,
    /// Raise `epoch` without another change.
    Bump,
    /// Bring the document to the newest schema.
    Upgrade,
    /// Empty the configuration.
    Erase,
    /// Several changes (`steps`) that take effect together or not at all.
    Commit,
}

/// `POST /v1/cib`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CibChange {
    /// What to do.
    pub operation: CibOperation,
    /// Section to which it applies (`resources`, `constraints`, …); none means the whole document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Target chosen by XPath instead of by section and id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xpath: Option<String>,
    /// The element to create, merge, put or remove, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml: Option<String>,
    /// `modify`: create what does not exist (`--allow-create`).
    #[serde(default)]
    pub allow_create: bool,
    /// `modify`: values `NAME++` and `NAME+=N` are arithmetic (`--score`).
    #[serde(default)]
    pub score_arithmetic: bool,
    /// `delete` by XPath: all matches, not just one (`--delete-all`).
    #[serde(default)]
    pub delete_all: bool,
    /// `replace`/`upgrade`: accept what would else be refused (`--force`).
    #[serde(default)]
    pub force: bool,
    /// `commit`: the changes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub steps: Vec<CibChange>,
    /// Check everything, change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Name of the tool, recorded in `update-client` (rule 4.23.4).
    #[serde(default)]
    pub client: String,
}

impl CibChange {
    /// A request with everything optional left out.
    pub fn new(operation: CibOperation) -> Self {
        CibChange {
            operation,
            section: None,
            xpath: None,
            xml: None,
            allow_create: false,
            score_arithmetic: false,
            delete_all: false,
            force: false,
            steps: Vec::new(),
            dry_run: false,
            client: String::new(),
        }
    }
}

/// Answer to an accepted [`CibChange`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CibChanged {
    /// Version after the change; unchanged if the request changed nothing.
    pub version: Version,
    /// Whether the configuration was changed, not only the status.
    pub configuration: bool,
    /// A dry run: what the document would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml: Option<String>,
    /// What was accepted with a remark.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `GET /v1/status`: the state of one node and what it knows of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// Name of the answering node.
    pub node: String,
    /// Its id.
    pub node_id: u32,
    /// Program version.
    pub software: String,
    /// Feature set of the configuration and protocol, e.g. `3.20.5`.
    pub feature_set: String,
    /// Process id of the daemon.
    pub pid: u32,
    /// Milliseconds since the daemon's start.
    pub uptime_ms: u64,
    /// Cluster name, if configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// `offline`, `starting`, `joining`, `member`, `dc`, `leaving`, `failed`.
    pub state: String,
    /// Name of the DC, if one is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dc: Option<String>,
    /// Whether this partition has quorum.
    pub quorate: bool,
    /// How quorum comes about, as Corosync tells it; none on the embedded bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<Quorum>,
    /// Every configured node and its state as this node sees it.
    pub members: Vec<Member>,
    /// Version of this node's copy of the configuration.
    pub version: Version,
    /// The DC's transition; none on other nodes and while idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// Operations this node is running now.
    pub operations: Vec<RunningOperation>,
    /// Recurring monitors of this node.
    pub recurring: usize,
    /// The last plan has been carried out and nothing has happened since.
    pub settled: bool,
    /// Fencing operations, as all nodes remember them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fencing: Vec<Fencing>,
    /// Fence devices that were registered with this node only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registered: Vec<FenceDevice>,
    /// Sequence number of the newest event of the journal.
    pub last_event: u64,
    /// Open problems of this daemon: a damaged configuration file that was replaced, a full disk, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// How quorum comes about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quorum {
    /// Votes of the whole cluster.
    pub expected_votes: u32,
    /// Votes of this partition.
    pub total_votes: u32,
    /// Votes that quorum needs.
    pub needed_votes: u32,
    /// Options in force: `two_node`, `wait_for_all`, `last_man_standing`, `auto_tie_breaker`, `allow_downscale`.
    pub modes: Vec<String>,
    /// The quorum device in words, if one is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

impl Quorum {
    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let mut text = format!(
            "{} of {} votes present, {} needed",
            self.total_votes, self.expected_votes, self.needed_votes
        );
        if !self.modes.is_empty() {
            text.push_str(&format!(" ({})", self.modes.join(", ")));
        }
        if let Some(device) = &self.device {
            text.push_str(&format!("; {device}"));
        }
        text
    }
}

/// A fencing operation (rule 4.62.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fencing {
    /// Unique id.
    pub id: String,
    /// Node acted on.
    pub target: String,
    /// `off`, `reboot` or `on`.
    pub action: String,
    /// Who asked.
    pub client: String,
    /// Node that owns the operation.
    pub origin: String,
    /// Node that ran the agent, `a human` for a confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// Devices that were used with success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// `pending`, `done` or `failed`.
    pub state: String,
    /// While it is pending: `querying`, `executing`, or `duplicate` if an equal one is waited for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// It was not carried out by itself: an equal one was under way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merged: bool,
    /// The target was heard after this had been announced as done: the device lies, or cuts off something
    /// else than power.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub survived: bool,
    /// Seconds since 1970-01-01 UTC of its end, of the request while pending.
    pub at: i64,
    /// The same in milliseconds.
    #[serde(default)]
    pub at_ms: i64,
    /// Execution status of a failure: 2 timed out, 10 no device.
    #[serde(default)]
    pub status: i32,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// One node in [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// Cluster node id.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Whether it is in this node's membership view.
    pub member: bool,
    /// Whether its cluster manager takes part.
    pub online: bool,
    /// Whether the join is complete.
    pub joined: bool,
    /// Its feature set, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_set: Option<String>,
    /// Why its manager, which is there, takes no part: it speaks another protocol, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The transition being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Transition {
    /// Number of the transition.
    pub number: u64,
    /// Actions in it.
    pub total: u32,
    /// Actions confirmed.
    pub done: u32,
    /// Actions sent and not confirmed, as `OPERATION_KEY on NODE`: what is waited for.
    pub waiting_for: Vec<String>,
    /// Why it was aborted, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
}

/// An operation in progress on the answering node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunningOperation {
    /// Resource (executor's id).
    pub resource: String,
    /// Operation name.
    pub operation: String,
    /// Interval in milliseconds, 0 for one-shots.
    pub interval_ms: u64,
    /// Milliseconds since the agent was started.
    pub running_ms: u64,
}

/// How much an event matters to the one on call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Detail.
    Debug,
    /// Normal working.
    Info,
    /// Something changed that an administrator may want to know.
    Notice,
    /// Something is wrong, the cluster deals with it.
    Warning,
    /// Something is wrong and needs somebody.
    Error,
}

/// One entry of the journal: `GET /v1/events` (server-sent events; `id` is `sequence`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Counts from 1 on each start of a daemon and never jumps; a gap means that older entries were dropped.
    pub sequence: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// Node that wrote this entry.
    pub node: String,
    /// Weight.
    pub severity: Severity,
    /// Stable word: `membership`, `dc`, `join`, `cib`, `transition`, `operation`, `fence`, `attribute`, `daemon`, …
    pub kind: String,
    /// One line for people.
    pub message: String,
    /// The same as data; names depend on the kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// Query of `GET /v1/events`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
pub struct EventQuery {
    /// Only entries after this sequence number; absent: only new ones. 0: all that are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// End the answer after the kept entries instead of waiting for new ones.
    #[serde(default)]
    pub no_follow: bool,
}

/// Query of `GET /v1/cib`; the answer is XML text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
pub struct CibQuery {
    /// Only this section (`configuration`, `resources`, `status`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Only what this XPath selects; several results are wrapped in `xpath-query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xpath: Option<String>,
    /// Leave out the children of what is returned.
    #[serde(default)]
    pub no_children: bool,
    /// With `xpath`: only the paths of what is selected.
    #[serde(default)]
    pub paths_only: bool,
}

/// `POST /v1/attributes`: change a node attribute (rules 4.27.1 to 4.27.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttributeChange {
    /// Node; none: the answering node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Attribute name.
    pub name: String,
    /// New value, `value++` or `value+=N`; none removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `name` is an extended regular expression over existing names.
    #[serde(default)]
    pub pattern: bool,
    /// Leave the value, change only the dampening.
    #[serde(default)]
    pub only_dampening: bool,
    /// Leave the value, write all values to the configuration document again.
    #[serde(default)]
    pub refresh: bool,
    /// Damping of this attribute in milliseconds, if it is to be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dampening_ms: Option<u64>,
    /// Set id in the status section instead of `status-NODEID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Keep it out of the configuration document.
    #[serde(default)]
    pub private: bool,
    /// Change `name` as utilization attribute.
    #[serde(default)]
    pub utilization: bool,
}

/// One attribute value: an element of the answer of `GET /v1/attributes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attribute {
    /// Node name.
    pub node: String,
    /// Attribute name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// Query of `GET /v1/attributes`: transient attributes as this node's memory has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
pub struct AttributeQuery {
    /// Only this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Only this attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `POST /v1/operations`: administrative verbs that are more than a change of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operation {
    /// Forget failures and probe again (rule 4.36.1).
    Cleanup {
        /// Resource; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// Node; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// Only failures of this operation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<String>,
        /// And of this interval, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interval_ms: Option<u64>,
    },
    /// Forget the whole history and probe again (rule 4.36.2).
    Refresh {
        /// Resource; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// Node; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
    },
    /// Pretend that a running resource failed (rule 4.36.3).
    Fail {
        /// Resource.
        resource: String,
        /// Node.
        node: String,
    },
    /// Set or remove the `standby` attribute of a node.
    Standby {
        /// Node; none: the answering one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// On or off.
        on: bool,
        /// Only until the node's daemon restarts.
        #[serde(default)]
        until_restart: bool,
    },
    /// Set or remove the `maintenance` attribute of a node; without node the property `maintenance-mode`.
    Maintenance {
        /// Node; none: the whole cluster.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// On or off.
        on: bool,
    },
    /// Stop the answering node's resources and end its daemon (rule 4.34.1). Answered at once.
    Shutdown {
        /// Do not wait for the resources.
        #[serde(default)]
        now: bool,
    },
    /// Fence a node on an administrator's demand (rule 4.50.1).
    Fence {
        /// Target.
        node: String,
        /// `off`, `reboot` or `on`.
        action: String,
        /// Time allowed in milliseconds (120 s unless told).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
        /// Milliseconds to wait before; none: no delays at all, the devices' own included.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u64>,
        /// A success of the same action this many seconds ago counts.
        #[serde(default)]
        tolerance_s: u64,
        /// Who asks, for the record.
        #[serde(default)]
        client: String,
    },
    /// Say that a human has made sure that the node is down (rule 4.63.1).
    ConfirmFenced {
        /// Target.
        node: String,
    },
    /// Forget finished fencing operations.
    ForgetFencing {
        /// Target; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
    },
    /// Register a fence device with the answering node only, until its daemon ends; one of the same name is
    /// replaced (rule 4.50.2). Only for root.
    RegisterFenceDevice(FenceDevice),
    /// Forget a registered fence device; what the configuration says of it holds again.
    DeregisterFenceDevice {
        /// Its id.
        device: String,
    },
    /// Add devices to a level of the topology, with the answering node only. Only for root.
    RegisterFenceLevel {
        /// `NAME`, `@PATTERN` or `ATTRIBUTE=VALUE`.
        target: String,
        /// 1 to 9.
        level: u32,
        /// Devices, all of which are needed.
        devices: Vec<String>,
    },
    /// Forget what was registered for a level.
    DeregisterFenceLevel {
        /// As it was registered.
        target: String,
        /// 1 to 9; 0: all levels.
        level: u32,
    },
    /// Grant, revoke or hold back a ticket.
    Ticket {
        /// Its id.
        ticket: String,
        /// Grant or revoke.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        granted: Option<bool>,
        /// Hold back or not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        standby: Option<bool>,
    },
    /// Answered when the cluster has nothing to do and nothing under way.
    WaitSettled,
    /// Forget a node that is down (`crm_node -R`).
    RemoveNode {
        /// Node name.
        node: String,
    },
}

/// A fence device that a node knows beside the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FenceDevice {
    /// Its id.
    pub device: String,
    /// File name of the agent.
    pub agent: String,
    /// As in the resource's `instance_attributes`. Who may not register devices is shown only how the
    /// cluster uses it (`pcmk_…`), for the others may be secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// Answer to an accepted [`Operation`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Done {
    /// What was done, one line each, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
}

/// Query of `GET /v1/agents`: without a class, the classes; with `ocf` and no provider, the providers;
/// else the agent types.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
pub struct AgentQuery {
    /// Class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Provider, for class `ocf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// Query of `GET /v1/agents/metadata`; the answer is XML text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
pub struct MetadataQuery {
    /// `class:type` or `class:provider:type`.
    pub agent: String,
}
