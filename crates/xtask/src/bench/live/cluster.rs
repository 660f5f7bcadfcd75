//! Three daemons of the release binary on an embedded bus in a fresh directory, and what they use.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{self, Api};
use crate::figures;

pub const NODES: [usize; 3] = [1, 2, 3];

/// Everything is awaited for at most this long; no step fails for its speed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running cluster; ends with all it started when dropped.
pub struct Cluster {
    binary: PathBuf,
    directory: tempfile::TempDir,
    daemons: Vec<Option<Child>>,
}

/// Seconds of processor time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    pub daemons: f64,
    /// Of the agents that they ran and everything those called.
    pub agents: f64,
}

impl std::ops::Sub for Cpu {
    type Output = Cpu;

    fn sub(self, before: Cpu) -> Cpu {
        Cpu { daemons: self.daemons - before.daemons, agents: self.agents - before.agents }
    }
}

/// A command with the few variables that a service manager gives.
pub fn as_on_a_server(program: &Path) -> Command {
    let kept = ["PATH", "HOME", "LANG"];
    let mut command = Command::new(program);
    command.env_clear().envs(kept.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

impl Cluster {
    /// Starts three daemons; returns at once.
    pub fn start(binary: &Path) -> Result<Cluster, String> {
        let directory = tempfile::Builder::new().prefix("systole-bench-").tempdir();
        let directory = directory.map_err(|error| error.to_string())?;
        let bus = directory.path().join("bus");
        let mut make = Command::new(binary);
        make.args(["bus", "create"]).arg(&bus).args(["bench", "node1", "node2", "node3"]);
        let made = make.stdout(Stdio::null()).status().map_err(|error| error.to_string())?;
        if !made.success() {
            return Err(format!("{make:?}: {made}"));
        }
        let daemons = NODES.iter().map(|_| None).collect();
        let mut cluster = Cluster { binary: binary.to_path_buf(), directory, daemons };
        NODES.into_iter().try_for_each(|node| cluster.start_daemon(node))?;
        Ok(cluster)
    }

    /// Starts the daemon of a node.
    pub fn start_daemon(&mut self, node: usize) -> Result<(), String> {
        let state = self.state(node);
        let start = || -> io::Result<Child> {
            fs::create_dir_all(&state)?;
            let log = fs::File::create(state.join("console.log"))?;
            let mut command = as_on_a_server(&self.binary);
            command.args(["daemon", "--node", &format!("node{node}"), "--bus"]);
            command.arg(self.directory.path().join("bus")).arg("--state-dir").arg(&state);
            command.env("SYSTOLE_STATE_DIR", &state).env("SYSTOLE_AGENTS", state.join("agents"));
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0).spawn()
        };
        let child = start().map_err(|error| format!("{}: {error}", state.display()))?;
        self.daemons[node - 1] = Some(child);
        Ok(())
    }

    /// Ends the daemon of a node as a crash would.
    pub fn kill_daemon(&mut self, node: usize) {
        if let Some(mut daemon) = self.daemons[node - 1].take() {
            // it may have ended by itself
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    pub fn state(&self, node: usize) -> PathBuf {
        self.directory.path().join(format!("node{node}"))
    }

    pub fn socket(&self, node: usize) -> PathBuf {
        self.state(node).join("api.sock")
    }

    /// Waits for the node to answer.
    pub fn api(&self, node: usize) -> Result<Api, String> {
        until(&format!("node{node} to answer"), || Api::connect(&self.socket(node)).ok())
    }

    /// A command of the release binary that talks to the first node.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).env("SYSTOLE_SOCKET", self.socket(1)).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Waits until all nodes have joined and name one DC; gives its number.
    pub fn wait_online(&self) -> Result<usize, String> {
        until("all nodes to be online with a DC", || {
            let mut dcs = NODES.iter().map(|node| {
                let status = Api::connect(&self.socket(*node)).ok()?.get_json("/v1/status").ok()?;
                let joined = status["members"].as_array()?.iter().filter(|member| member["joined"] == true);
                (joined.count() == NODES.len()).then(|| status["dc"].as_str().map(str::to_owned))?
            });
            let first = dcs.next()??;
            dcs.all(|dc| dc.as_ref() == Some(&first)).then_some(first)?.strip_prefix("node")?.parse().ok()
        })
    }

    /// Waits until there is nothing left to do.
    pub fn settle(&self) -> Result<(), String> {
        self.api(1)?.post("/v1/operations", &json!({"operation": "wait_settled"}))
    }

    /// How many Dummies run.
    pub fn running(&self) -> usize {
        NODES.iter().filter_map(|node| fs::read_dir(self.state(*node).join("scratch")).ok()).flatten().count()
    }

    pub fn wait_running(&self, count: usize) -> Result<(), String> {
        // not often: the looks take from the time that they measure
        until(&format!("{count} Dummies to run"), || {
            std::thread::sleep(Duration::from_millis(8));
            (self.running() == count).then_some(())
        })
    }

    /// The number of the node's newest journal entry.
    pub fn newest_event(&self, node: usize) -> Result<u64, String> {
        let status = self.api(node)?.get_json("/v1/status")?;
        status["last_event"].as_u64().ok_or_else(|| "a status without last_event".to_owned())
    }

    /// The journal of a node.
    pub fn events(&self, node: usize, after: u64) -> Result<impl Iterator<Item = Value> + use<>, String> {
        api::events(&self.socket(node), after)
    }

    /// What all daemons and their agents have used so far.
    pub fn cpu(&self) -> Cpu {
        let all = NODES.iter().map(|node| self.cpu_of(*node));
        all.fold(Cpu::default(), |sum, one| Cpu {
            daemons: sum.daemons + one.daemons,
            agents: sum.agents + one.agents,
        })
    }

    /// The same of one node.
    pub fn cpu_of(&self, node: usize) -> Cpu {
        let Some(pid) = self.daemons[node - 1].as_ref().map(Child::id) else { return Cpu::default() };
        Cpu { daemons: threads_cpu(pid), agents: figures::children_cpu(&pid.to_string()) }
    }

    /// MiB of memory of a node's daemon, shared pages counted in part.
    pub fn memory(&self, node: usize) -> f64 {
        let pid = self.daemons[node - 1].as_ref().map_or(0, Child::id);
        figures::memory(pid)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        NODES.into_iter().for_each(|node| self.kill_daemon(node));
    }
}

/// Seconds of all threads of a process, as exactly as the kernel has them.
fn threads_cpu(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_task = |task: fs::DirEntry| -> Option<f64> {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    tasks.filter_map(of_task).sum::<f64>() / 1e9
}

/// Repeats until there is an answer.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(format!("waited in vain for {what}"))
}
