//! Operations of resource agents and their results, as they pass between the node and its driver.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Identifies one run of an agent on this node (operations, metadata and fence agents share the numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperationId(pub u64);

impl OperationId {
    /// The first id a node gives; smaller ones are free for [`crate::Leftover`]s.
    pub const FIRST: OperationId = OperationId(1 << 32);
}

/// The agent behind a resource (rule 4.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentName {
    /// `ocf`, `lsb`, `systemd`, `service`, `nagios` or `stonith`.
    pub class: String,
    /// Only for `ocf`.
    pub provider: Option<String>,
    #[serde(rename = "type")]
    pub agent_type: String,
}

/// One run of an agent. Repetition of recurring monitors is the node's: each run is a single execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    pub id: OperationId,
    /// The resource as the executor knows it (`OCF_RESOURCE_INSTANCE`, rule 4.3.2).
    pub resource: String,
    pub agent: AgentName,
    /// `start`, `stop`, `monitor`, `promote`, `demote`, `notify`, `migrate_to`, `migrate_from`,
    /// `reload`, `reload-agent`.
    pub action: String,
    /// Instance parameters, `crm_feature_set` and `CRM_meta_*`, ready to be prefixed with `OCF_RESKEY_`;
    /// `CRM_meta_op_target_rc` is already removed (rule 4.3.4).
    pub parameters: BTreeMap<String, String>,
    /// Milliseconds; when they have passed the driver kills the process group and reports
    /// [`ExecutionStatus::TimedOut`] (rule 4.2.5).
    pub timeout: u64,
    /// Milliseconds between runs; 0 for probes and one-shots. Information only.
    pub interval: u64,
    /// At the timeout kill only the agent's process, not its group (`on-fail=block`, rule 4.2.5).
    pub spare_group: bool,
}

/// How an execution ended, apart from the exit code (rule 4.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ExecutionStatus {
    Pending,
    Done,
    Cancelled,
    TimedOut,
    Unsupported,
    Error,
    HardError,
    FatalError,
    NotInstalled,
    NotConnected,
    Refused,
    NoFenceDevice,
    NoSecrets,
}

impl ExecutionStatus {
    /// The number written as `op-status`.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            ExecutionStatus::Pending => -1,
            ExecutionStatus::Done => 0,
            ExecutionStatus::Cancelled => 1,
            ExecutionStatus::TimedOut => 2,
            ExecutionStatus::Unsupported => 3,
            ExecutionStatus::Error => 4,
            ExecutionStatus::HardError => 5,
            ExecutionStatus::FatalError => 6,
            ExecutionStatus::NotInstalled => 7,
            ExecutionStatus::NotConnected => 8,
            ExecutionStatus::Refused => 9,
            ExecutionStatus::NoFenceDevice => 10,
            ExecutionStatus::NoSecrets => 11,
        }
    }

    /// Its text in alerts and events (rule 4.2.4).
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            ExecutionStatus::Pending => "Pending",
            ExecutionStatus::Done => "Done",
            ExecutionStatus::Cancelled => "Cancelled",
            ExecutionStatus::TimedOut => "Timed out",
            ExecutionStatus::Unsupported => "Unsupported",
            ExecutionStatus::Error => "Error",
            ExecutionStatus::HardError => "Hard error",
            ExecutionStatus::FatalError => "Fatal error",
            ExecutionStatus::NotInstalled => "Not installed",
            ExecutionStatus::NotConnected => "Internal communication failure",
            ExecutionStatus::Refused => "Cannot execute now",
            ExecutionStatus::NoFenceDevice => "No fence device",
            ExecutionStatus::NoSecrets => "CIB secrets unavailable",
        }
    }
}

/// The end of one run of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationResult {
    pub id: OperationId,
    pub status: ExecutionStatus,
    /// OCF exit code (rule 4.3.6).
    pub exit_code: i32,
    /// The agent's own reason, or the driver's for failures outside the agent; empty if none.
    pub exit_reason: String,
    /// Captured standard output and error, already bounded by the driver (for logs, and for fence agents).
    pub stdout: String,
    pub stderr: String,
    /// Milliseconds from [`crate::Output::Run`] to the start of the process.
    pub queued: u64,
    /// Milliseconds that the process ran.
    pub executed: u64,
}

impl OperationResult {
    /// A result without output and timing: for tests, and where no process was run.
    #[must_use]
    pub fn plain(
        id: OperationId,
        status: ExecutionStatus,
        exit_code: i32,
        exit_reason: &str,
    ) -> OperationResult {
        OperationResult {
            id,
            status,
            exit_code,
            exit_reason: exit_reason.to_owned(),
            stdout: String::new(),
            stderr: String::new(),
            queued: 0,
            executed: 0,
        }
    }
}

/// One run of a fence agent: everything it reads is in `input`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceRun {
    pub id: OperationId,
    /// The stonith resource.
    pub device: String,
    /// File name of the agent (`fence_...`).
    pub agent: String,
    /// The word of `action=` after `pcmk_ACTION_action`.
    pub action: String,
    /// The node to be acted on, if the action has one.
    pub target: Option<String>,
    /// The `NAME=VALUE` pairs for standard input, one line each in this order (rule 4.7.3).
    pub input: Vec<(String, String)>,
    /// Milliseconds, as for [`Operation::timeout`].
    pub timeout: u64,
}

/// What the node needs to know of an agent's metadata (rules 4.4.1, 4.8.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentMetadata {
    /// Content of `version`: the OCF version the agent announces.
    pub ocf_version: Option<String>,
    pub actions: Vec<AgentAction>,
    pub parameters: Vec<AgentParameter>,
}

/// An action announced in metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentAction {
    pub name: String,
    /// Fence agents: `automatic` (or the old `required`) is true.
    pub automatic: bool,
    /// Fence agents: `on_target` is true.
    pub on_target: bool,
}

/// A parameter announced in metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentParameter {
    pub name: String,
    pub reloadable: bool,
    pub unique: bool,
    pub private: bool,
}

/// What an agent's exit code says, in lower case as alerts and `pcs` have it (rule 4.3.6).
#[must_use]
pub fn exit_text(code: i32) -> &'static str {
    match code {
        0 => "ok",
        1 => "error",
        2 => "invalid parameter",
        3 => "unimplemented feature",
        4 => "insufficient privileges",
        5 => "not installed",
        6 => "not configured",
        7 => "not running",
        8 => "promoted",
        9 => "promoted (failed)",
        190 => "degraded",
        191 => "promoted (degraded)",
        _ => "unknown",
    }
}
