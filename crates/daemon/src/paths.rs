//! Every file and directory of a daemon, in one place.

use std::path::{Path, PathBuf};

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Process id file; also the place for what has no other.
    pub state: PathBuf,
    /// Configuration files (rule 4.23.6).
    pub cib: PathBuf,
    /// Saved inputs of plans (rule 4.39.1).
    pub plans: PathBuf,
    /// Systole's own agents.
    pub agents: PathBuf,
    /// Records of agents that are running, for a successor of this daemon.
    pub running: PathBuf,
    /// Scratch files of agents, `HA_RSCTMP`.
    pub scratch: PathBuf,
    /// The API's socket.
    pub socket: PathBuf,
    /// The tools' names as links to the binary: what agents call must be this daemon's, whatever else is
    /// installed.
    pub tools: PathBuf,
    /// Several daemons may share this machine.
    pub shared: bool,
    /// Secrets of resources (rule 4.12.1).
    pub secrets: PathBuf,
}

impl Paths {
    /// The places of an installed node; those of rule 4.23.6 and 4.39.1 are the field's own.
    pub fn system() -> Paths {
        let state = Path::new("/var/lib/systole");
        Paths {
            state: state.into(),
            cib: "/var/lib/pacemaker/cib".into(),
            plans: "/var/lib/pacemaker/pengine".into(),
            agents: state.join("agents"),
            running: "/run/systole/running".into(),
            scratch: "/run/resource-agents".into(),
            socket: "/run/systole/api.sock".into(),
            tools: state.join("bin"),
            shared: false,
            secrets: "/var/lib/pacemaker/lrm/secrets".into(),
        }
    }

    /// Everything below one directory: for nodes that share a machine, and for users that are not root.
    pub fn below(directory: &Path) -> Paths {
        // it marks the node's processes, so it must not depend on where somebody stands
        let directory = &std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
        Paths {
            state: directory.into(),
            cib: directory.join("cib"),
            plans: directory.join("pengine"),
            agents: directory.join("agents"),
            running: directory.join("running"),
            scratch: directory.join("scratch"),
            socket: directory.join("api.sock"),
            tools: directory.join("bin"),
            shared: true,
            secrets: directory.join("secrets"),
        }
    }

    /// Process id of the daemon.
    pub fn pid_file(&self) -> PathBuf {
        self.state.join("daemon.pid")
    }

    /// Directories that must exist, and whether others may look into them.
    pub(crate) fn directories(&self) -> Vec<(&Path, bool)> {
        let mut list = vec![
            (self.state.as_path(), true),
            (&self.cib, false),
            (&self.plans, false),
            (&self.agents, true),
            (&self.running, false),
            (&self.scratch, true),
            (&self.tools, true),
        ];
        list.extend(self.socket.parent().map(|parent| (parent, true)));
        list
    }
}
