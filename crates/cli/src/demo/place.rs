//! Where a demonstration lives: one directory with the bus and a subdirectory for each node.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use client::Client;

use crate::session::Problem;

/// The nodes of every demonstration.
pub const NODES: [&str; 3] = ["node1", "node2", "node3"];

/// The node that commands in other terminals talk to: the one that the proposed commands do no harm.
const ASKED: &str = "node3";

/// Names of the program's links for other terminals.
const COMMANDS: [&str; 15] = [
    "systole",
    "pcs",
    "crm_mon",
    "cibadmin",
    "crm_verify",
    "crm_simulate",
    "crm_attribute",
    "crm_resource",
    "crm_node",
    "crm_failcount",
    "crm_master",
    "crm_standby",
    "crm_error",
    "attrd_updater",
    "stonith_admin",
];

/// A demonstration's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    directory: PathBuf,
}

fn failed(what: &str, error: std::io::Error) -> Problem {
    Problem::new(1, format!("{what}: {error}"))
}

impl Place {
    /// The directory of this user's demonstration.
    pub fn usual() -> Place {
        let user = rustix::process::getuid().as_raw();
        Place { directory: std::env::temp_dir().join(format!("systole-demo-{user}")) }
    }

    pub fn at(directory: &Path) -> Place {
        Place { directory: directory.to_path_buf() }
    }

    /// The demonstration whose node this process talks to, if any (told by `SYSTOLE_SOCKET`).
    pub fn of_environment() -> Option<Place> {
        let socket = PathBuf::from(std::env::var_os(client::SOCKET_VARIABLE)?);
        let node = socket.parent()?;
        let directory = node.parent()?;
        directory.join("bus").is_dir().then(|| Place { directory: directory.to_path_buf() })
    }

    /// The node that `SYSTOLE_SOCKET` names.
    pub fn local_node(&self) -> Option<String> {
        let socket = PathBuf::from(std::env::var_os(client::SOCKET_VARIABLE)?);
        Some(socket.parent()?.file_name()?.to_str()?.to_owned())
    }

    pub fn node_names(&self) -> Vec<String> {
        NODES.iter().map(|name| (*name).to_owned()).collect()
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn bus(&self) -> PathBuf {
        self.directory.join("bus")
    }

    pub fn node(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn socket(&self, name: &str) -> PathBuf {
        self.node(name).join("api.sock")
    }

    /// Makes a fresh directory; refuses while another demonstration runs there.
    pub fn make_fresh(&self) -> Result<(), Problem> {
        if NODES.iter().any(|node| self.is_running(node)) {
            return Err(Problem::new(
                1,
                format!(
                    "a demonstration is running in {}; 'systole demo stop' ends it",
                    self.directory.display()
                ),
            ));
        }
        if self.directory.exists() {
            if !self.bus().is_dir() {
                return Err(Problem::new(
                    1,
                    format!(
                        "{} is not a demonstration's directory; remove it or name another with --dir",
                        self.directory.display()
                    ),
                ));
            }
            fs::remove_dir_all(&self.directory)
                .map_err(|error| failed("cannot remove the old demonstration", error))?;
        }
        for node in NODES {
            fs::create_dir_all(self.node(node))
                .map_err(|error| failed("cannot make the demonstration's directory", error))?;
        }
        messaging::embedded::create(&self.bus(), "demo", &NODES)
            .map_err(|error| Problem::new(1, error.to_string()))?;
        self.write_hints()
    }

    /// The program's path for the fence agent's power-on; for other terminals its links under all the names
    /// of commands, and shell settings.
    fn write_hints(&self) -> Result<(), Problem> {
        let binary = own_binary()?;
        let cannot = |error| failed("cannot write", error);
        fs::write(self.directory.join("binary"), binary.to_string_lossy().as_bytes()).map_err(cannot)?;
        let links = self.directory.join("bin");
        fs::create_dir_all(&links).map_err(cannot)?;
        for name in COMMANDS {
            std::os::unix::fs::symlink(&binary, links.join(name)).map_err(cannot)?;
        }
        let text = format!(
            "export {}={}\nexport PATH={}:$PATH\n",
            client::SOCKET_VARIABLE,
            quoted(&self.socket(ASKED)),
            quoted(&links)
        );
        fs::write(self.settings(), text).map_err(cannot)
    }

    /// The file of shell settings for other terminals.
    pub fn settings(&self) -> PathBuf {
        self.directory.join("use")
    }

    fn stopped_mark(&self) -> PathBuf {
        self.directory.join("stopped")
    }

    /// Tells whoever shows this demonstration that it is over.
    pub fn mark_stopped(&self) {
        // without a directory there is nobody to be told
        let _ = fs::write(self.stopped_mark(), "");
    }

    /// Whether somebody ended this demonstration.
    pub fn was_stopped(&self) -> bool {
        self.stopped_mark().exists()
    }

    /// Starts one node's daemon as a process of its own.
    pub fn start(&self, name: &str) -> Result<(), Problem> {
        self.number(name)?;
        if self.is_running(name) {
            return Err(Problem::new(1, format!("{name} is running already")));
        }
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.node(name).join("daemon.log"))
            .map_err(|error| failed("cannot open the daemon's log", error))?;
        let errors = log.try_clone().map_err(|error| failed("cannot open the daemon's log", error))?;
        let child = Command::new(own_binary()?)
            // agents get what they would on a server, not what this terminal has gathered
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| belongs_to_a_server(name)))
            .arg("daemon")
            .args(["--node", name])
            .arg("--bus")
            .arg(self.bus())
            .arg("--state-dir")
            .arg(self.node(name))
            .env("SYSTOLE_STATE_DIR", self.node(name))
            .env("SYSTOLE_DEMO_DIR", &self.directory)
            // agents of this machine keep their state in one place for all nodes; the shipped ones do not
            .env("SYSTOLE_AGENTS", self.node(name).join("agents"))
            .env_remove(client::SOCKET_VARIABLE)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // a Ctrl-C in the demo's terminal is for the demo, not for the node
            .process_group(0)
            .spawn()
            .map_err(|error| failed("cannot start a daemon", error))?;
        fs::write(self.pid_file(name), child.id().to_string()).map_err(|error| failed("cannot write", error))
    }

    fn number(&self, name: &str) -> Result<usize, Problem> {
        NODES.iter().position(|node| *node == name).map(|index| index + 1).ok_or_else(|| {
            Problem::new(64, format!("no node {name:?} in the demonstration; there are {}", NODES.join(", ")))
        })
    }

    fn pid_file(&self, name: &str) -> PathBuf {
        self.node(name).join("daemon.pid")
    }

    /// The daemon's process, if it lives.
    pub fn daemon_pid(&self, name: &str) -> Option<u32> {
        let pid: u32 = fs::read_to_string(self.pid_file(name)).ok()?.trim().parse().ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let ours = String::from_utf8_lossy(&command).contains("daemon");
        let zombie = status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
        (ours && !zombie).then_some(pid)
    }

    pub fn is_running(&self, name: &str) -> bool {
        self.daemon_pid(name).is_some()
    }

    /// Ends a daemon as a crash would: SIGKILL, nothing else. Its services keep running until the node is fenced.
    pub fn kill(&self, name: &str) -> Result<(), Problem> {
        self.number(name)?;
        let pid = self.daemon_pid(name).ok_or_else(|| Problem::new(1, format!("{name} is not running")))?;
        end_process(pid)
    }

    /// Every process of a node: daemon, agents, services.
    pub fn processes(&self, name: &str) -> Vec<u32> {
        let mark = format!("SYSTOLE_STATE_DIR={}", self.node(name).display()).into_bytes();
        let own = std::process::id();
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| *pid != own)
            .filter(|pid| {
                fs::read(format!("/proc/{pid}/environ"))
                    .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry == mark))
            })
            .collect()
    }

    /// Ends everything that the demonstration started.
    pub fn stop_all(&self) {
        for node in NODES {
            // daemons first, so that nobody restarts what is ended
            if let Some(pid) = self.daemon_pid(node) {
                let _ = end_process(pid);
            }
        }
        let begun = Instant::now();
        loop {
            let left: Vec<u32> = NODES.iter().flat_map(|node| self.processes(node)).collect();
            if left.is_empty() || begun.elapsed() > Duration::from_secs(5) {
                return;
            }
            for pid in left {
                let _ = end_process(pid);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Cuts a node off from the others, or ends that.
    pub fn set_cut(&self, name: &str, cut: bool) -> Result<(), Problem> {
        self.number(name)?;
        let outcome = if cut {
            messaging::embedded::cut(&self.bus(), name)
        } else {
            messaging::embedded::heal(&self.bus(), name)
        };
        outcome.map_err(|error| Problem::new(1, format!("{name}: {error}")))
    }

    /// A client of a node.
    pub fn client(&self, name: &str) -> Result<Client, Problem> {
        Ok(Client::connect(self.socket(name))?)
    }

    /// A client of the first node that answers, preferring the DC.
    pub fn any_client(&self) -> Result<Client, Problem> {
        let mut last = Problem::new(102, "no node of the demonstration is running");
        let mut fallback = None;
        for node in NODES {
            match self.client(node) {
                Ok(mut client) => match client.status() {
                    Ok(status) if status.dc.as_deref() == Some(node) => return Ok(client),
                    Ok(_) => fallback = fallback.or(Some(client)),
                    Err(error) => last = error.into(),
                },
                Err(problem) => last = problem,
            }
        }
        fallback.ok_or(last)
    }
}

/// SIGKILL to one process.
pub fn end_process(pid: u32) -> Result<(), Problem> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| Problem::new(1, "not a process id"))?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)
        .map_err(|error| Problem::new(1, format!("cannot end process {}: {error}", pid.as_raw_nonzero())))
}

/// A path as a word for the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// Whether a daemon would find such a variable when its host's own service manager starts it, or is meant by it.
fn belongs_to_a_server(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    ["PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR"].contains(&&*name)
        || ["LC_", "SYSTOLE_", "RUST_"].iter().any(|start| name.starts_with(start))
}

fn own_binary() -> Result<PathBuf, Problem> {
    std::env::current_exe().map_err(|error| failed("cannot find the own program", error))
}
