//! The daemon of one node: drives the node's state machine and performs what it wants.
//!
//! ```text
//!   bus thread ──events──▶ node's thread ──orders──▶ main thread: agents, API ──results──▶ node's thread
//!                              │   ▲
//!                              ▼   │ written
//!                         storage thread
//! ```
//!
//! Nothing here decides anything about the cluster. Whatever comes in from a socket, an agent or a disk is
//! checked and bounded; none of it can end the daemon.

mod alerts;
mod api;
mod driver;
mod end;
mod executor;
mod journal;
mod load;
mod paths;
mod pulse;
mod records;
mod setup;
pub mod storage;
mod supervisor;
mod watchdog;
pub mod zone;

use std::path::PathBuf;

pub use api::openapi;
pub use cluster::StartState;
pub use end::{cut_power, processes};
pub use messaging::Choice;
pub use paths::Paths;
pub use setup::run;
pub use supervisor::{Supervision, watch_supervisor};
pub use watchdog::{OWN_DEVICE, sbd_setting, starve as starve_watchdog};

/// How a daemon is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonConfig {
    /// Where its files are.
    pub paths: Paths,
    /// Which messaging engine; none: Corosync if this host is configured for it.
    pub messaging: Option<Choice>,
    /// What the node does with its own `standby` attribute at its first join.
    pub start_state: StartState,
    /// Where log lines go.
    pub log: Log,
    /// How many operations at once this host is given, whatever the cluster's property says (rule 4.32.2).
    pub action_limit: Option<u32>,
    /// How to bring the host down when the node demands it (rule 4.58.1).
    pub panic: PanicAction,
}

/// A setting of this host, as its service's environment has it: `PCMK_NAME`, else the older `HA_NAME` (rule 4.40.1).
pub fn host_setting(name: &str) -> Option<String> {
    ["PCMK_", "HA_"].into_iter().find_map(|prefix| std::env::var(format!("{prefix}{name}")).ok())
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// Standard error.
    Stderr,
    /// Appended to this file.
    File(PathBuf),
    /// The caller has set a subscriber.
    Caller,
}

/// What "bring this host down at once" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanicAction {
    /// Reset the machine.
    Host,
    /// End everything that belongs to this node, and only that: for nodes that share a machine.
    Node,
}

/// Why a daemon could not be started, or how it ended badly.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A file or directory.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// The watchdog of this host cannot be used as configured.
    #[error("{reason}")]
    Watchdog {
        /// Why.
        reason: String,
    },
    /// Somebody looks after this node already.
    #[error("the daemon of this node is running already (process {pid}); stop it first")]
    AlreadyRunning {
        /// The supervisor's process.
        pid: String,
    },
    /// No connection to the other nodes.
    #[error(transparent)]
    Messaging(#[from] messaging::OpenError),
    /// The socket's path is too long for the kernel.
    #[error("{path} is too long for a socket (at most 107 bytes): choose a shorter state directory")]
    SocketPath {
        /// Which.
        path: PathBuf,
    },
}
