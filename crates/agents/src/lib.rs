//! Finds and runs resource agents and fence agents, and says in the field's terms how that went.
//!
//! Everything about single runs of single agents is here; when to run what is the node's business. An agent
//! is untrusted: whatever it does, [`Agents::run`] ends, and ends soon after the agent.

pub mod metadata;
pub mod own;
pub mod process;
mod run;
pub mod search;
mod spawn;
pub mod systemd;
pub mod watchdog;
pub mod webserver;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

pub use process::Control;
pub use search::SearchPath;
pub use systemd::Systemd;

/// Kinds of agents (rule 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Open Cluster Framework.
    Ocf,
    /// Init scripts.
    Lsb,
    /// Units.
    Systemd,
    /// Whichever of the two exists.
    Service,
    /// Monitoring plugins.
    Nagios,
    /// Fence agents.
    Stonith,
}

impl Class {
    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Class::Ocf => "ocf",
            Class::Lsb => "lsb",
            Class::Systemd => "systemd",
            Class::Service => "service",
            Class::Nagios => "nagios",
            Class::Stonith => "stonith",
        }
    }
}

/// An agent's full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Agent {
    /// Class.
    pub class: Class,
    /// Provider, for class `ocf` only.
    pub provider: Option<String>,
    /// Type: the file's or unit's name.
    pub kind: String,
}

/// A text is not the name of an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No such class.
    #[error("'{0}' is not a class of agents (ocf, lsb, systemd, service, nagios, stonith)")]
    UnknownClass(String),
    /// A part is missing.
    #[error("'{0}' does not name an agent: CLASS:TYPE or ocf:PROVIDER:TYPE is needed")]
    Incomplete(String),
}

impl Agent {
    /// From the attributes of a resource. Classes compare ignoring case (rule 4.1.1).
    pub fn new(class: &str, provider: Option<&str>, kind: &str) -> Result<Agent, NameError> {
        let class = match class.to_ascii_lowercase().as_str() {
            "ocf" => Class::Ocf,
            "lsb" => Class::Lsb,
            "systemd" => Class::Systemd,
            "service" => Class::Service,
            "nagios" => Class::Nagios,
            "stonith" => Class::Stonith,
            _ => return Err(NameError::UnknownClass(class.to_owned())),
        };
        // rule 4.7.1: the provider of a fence agent is ignored
        let provider = if class == Class::Ocf { provider.map(str::to_owned) } else { None };
        let agent = Agent { class, provider, kind: kind.to_owned() };
        let incomplete = kind.is_empty() || (class == Class::Ocf && agent.provider.is_none());
        if incomplete { Err(NameError::Incomplete(agent.to_string())) } else { Ok(agent) }
    }
}

impl FromStr for Agent {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Agent, NameError> {
        let (class, rest) = text.split_once(':').ok_or_else(|| NameError::Incomplete(text.to_owned()))?;
        if !class.eq_ignore_ascii_case("ocf") {
            return Agent::new(class, None, rest);
        }
        let (provider, kind) = rest.split_once(':').ok_or_else(|| NameError::Incomplete(text.to_owned()))?;
        Agent::new(class, Some(provider), kind)
    }
}

impl std::fmt::Display for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.provider {
            Some(provider) => write!(f, "{}:{provider}:{}", self.class.name(), self.kind),
            None => write!(f, "{}:{}", self.class.name(), self.kind),
        }
    }
}

/// One run of a resource agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Which.
    pub agent: Agent,
    /// `start`, `monitor`, …
    pub action: String,
    /// The resource as the executor knows it (rule 4.3.2).
    pub resource: String,
    /// Instance parameters, `crm_feature_set` and `CRM_meta_*`, without the prefix `OCF_RESKEY_`.
    pub parameters: BTreeMap<String, String>,
    /// Time limit.
    pub timeout: Duration,
    /// 0 for probes and one-shots.
    pub interval: Duration,
    /// At the time limit kill only the agent's own process.
    pub spare_group: bool,
}

/// One run of a fence agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceRun {
    /// File name, `fence_…`.
    pub agent: String,
    /// The stonith resource, for the reading of its secrets.
    pub device: String,
    /// Lines for standard input (rule 4.7.3).
    pub input: Vec<(String, String)>,
    /// Time limit.
    pub timeout: Duration,
}

/// How a run went, apart from the exit code (rule 4.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The agent ran to its end.
    Done,
    /// Killed on demand.
    Cancelled,
    /// Killed at its time limit.
    TimedOut,
    /// The action is not supported.
    Unsupported,
    /// It could not be run properly.
    Error,
    /// There is no such agent.
    NotInstalled,
    /// A secret is missing.
    NoSecrets,
}

/// Result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it went.
    pub status: Status,
    /// OCF exit code (rule 4.3.6); for fence agents the agent's own.
    pub exit_code: i32,
    /// The agent's reason, or ours; empty if none.
    pub exit_reason: String,
    /// What it wrote, not more than [`process::MAX_OUTPUT`] bytes.
    pub stdout: String,
    /// The same of standard error.
    pub stderr: String,
    /// How long the process ran.
    pub executed: Duration,
}

impl Outcome {
    /// A result without a process.
    pub(crate) fn plain(status: Status, exit_code: i32, reason: impl Into<String>) -> Outcome {
        Outcome {
            status,
            exit_code,
            exit_reason: reason.into(),
            stdout: String::new(),
            stderr: String::new(),
            executed: Duration::ZERO,
        }
    }
}

/// OCF exit codes that are used by name.
pub mod exit_code {
    /// Success, running.
    pub const OK: i32 = 0;
    /// Generic error.
    pub const ERROR: i32 = 1;
    /// Parameter invalid here.
    pub const ARGS: i32 = 2;
    /// Action not implemented.
    pub const UNIMPLEMENTED: i32 = 3;
    /// No permission.
    pub const PERMISSION: i32 = 4;
    /// Not installed.
    pub const INSTALLED: i32 = 5;
    /// Cleanly stopped.
    pub const NOT_RUNNING: i32 = 7;
    /// Running promoted.
    pub const PROMOTED: i32 = 8;
    /// Running with a warning.
    pub const DEGRADED: i32 = 190;
    /// Promoted with a warning.
    pub const DEGRADED_PROMOTED: i32 = 191;
}

/// All agents of this host, and how to run them.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    /// Where they are.
    pub search: SearchPath,
    /// Added to the environment of every agent: logging variables (rule 4.13), `HA_RSCTMP`, `PATH`, …
    pub environment: BTreeMap<String, String>,
    /// What starts and stops units.
    pub systemd: Systemd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let agent: Agent = "ocf:heartbeat:IPaddr2".parse().unwrap();
        assert_eq!((agent.class, agent.provider.as_deref()), (Class::Ocf, Some("heartbeat")));
        assert_eq!("OCF:a:b".parse::<Agent>().unwrap().to_string(), "ocf:a:b");
        assert_eq!("systemd:getty@tty1:x".parse::<Agent>().unwrap().kind, "getty@tty1:x");
        assert!("ocf:Dummy".parse::<Agent>().is_err());
        assert!("Dummy".parse::<Agent>().is_err());
        assert!("upstart:x".parse::<Agent>().is_err());
        assert_eq!(
            Agent::new("stonith", Some("heartbeat"), "fence_x").unwrap().to_string(),
            "stonith:fence_x"
        );
    }
}
