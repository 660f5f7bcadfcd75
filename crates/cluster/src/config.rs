//! What a node is told about itself and its surroundings before its first step.

use serde::{Deserialize, Serialize};

use crate::membership::NodeId;
use crate::operation::OperationId;

/// A cluster node that the messaging configuration names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub id: NodeId,
    pub name: String,
}

/// What the node does with its own `standby` attribute at its first join (rule 4.22.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartState {
    /// As the CIB says.
    #[default]
    Default,
    Standby,
    Online,
}

/// The fixed facts of one run of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    pub id: NodeId,
    pub name: String,
    /// A fresh UUID (36 characters) for each start of the daemon; it marks this run's transitions and joins.
    pub incarnation: String,
    /// All nodes of the messaging configuration, this one included.
    pub peers: Vec<Peer>,
    /// `totem.cluster_name`; written as `cluster-name` when that is unset.
    pub cluster_name: Option<String>,
    /// `corosync` or `embedded`; written as `cluster-infrastructure`.
    pub infrastructure: String,
    /// Whether a watchdog takes this host down when it is not healthy any more: sbd's or our own (rule 4.21.5).
    pub have_watchdog: bool,
    /// Milliseconds within which it does so: the host's `SBD_WATCHDOG_TIMEOUT`.
    pub watchdog_bound: Option<u64>,
    /// CPU cores of this host, for `node-action-limit` (rule 4.32.2).
    pub cores: u32,
    /// `PCMK_node_action_limit`: how many operations at once this host is given, whatever the property says.
    pub action_limit: Option<u32>,
    pub start_state: StartState,
    /// Seed of what must be random (fencing delays). The daemon takes it from the system, tests fix it.
    pub seed: u64,
}

impl Config {
    /// A node with everything optional left at its default: for tests and the simulator.
    #[must_use]
    pub fn plain(id: u32, name: &str, peers: &[(u32, &str)]) -> Config {
        Config {
            id: NodeId(id),
            name: name.to_owned(),
            incarnation: format!("00000000-0000-4000-8000-{id:012x}"),
            peers: peers.iter().map(|&(id, name)| Peer { id: NodeId(id), name: name.to_owned() }).collect(),
            cluster_name: Some("demo".to_owned()),
            infrastructure: "embedded".to_owned(),
            have_watchdog: false,
            watchdog_bound: None,
            cores: 2,
            action_limit: None,
            start_state: StartState::Default,
            seed: u64::from(id),
        }
    }
}

/// What survived on this host from an earlier run of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The newest good CIB file (XML text), if there is one.
    pub cib: Option<String>,
    /// What reading it had to report: a corrupted file, a backup used, no readable file.
    pub notices: Vec<String>,
    /// Agents that an earlier run started and that are still running.
    pub leftovers: Vec<Leftover>,
}

/// An agent process that outlived the daemon that started it. The driver reports its end as
/// [`crate::Input::OperationDone`] with this id; [`crate::Output::Cancel`] asks it to end the process group.
/// No operation of that resource is started before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Below [`OperationId::FIRST`], so that it never meets an id of this run.
    pub id: OperationId,
    pub resource: String,
    pub action: String,
    /// Milliseconds that are left of its timeout; after that the node cancels it.
    pub remaining: u64,
}
