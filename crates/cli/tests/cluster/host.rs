//! A node with its daemon, and the commands on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::Client;
use view::api::{CibChange, CibOperation, CibQuery, Operation};

const PROGRAM: &str = env!("CARGO_BIN_EXE_systole");

const PATIENCE: Duration = Duration::from_secs(60);

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Answer {
    pub out: String,
    pub err: String,
    pub code: i32,
}

/// The commands under their names, and a place for files.
pub struct Tools {
    folder: tempfile::TempDir,
}

impl Tools {
    pub fn new() -> Tools {
        let folder = tempfile::tempdir().unwrap();
        let links = folder.path().join("links");
        fs::create_dir(&links).unwrap();
        let made = Command::new(PROGRAM).arg("install-links").arg(&links).output().unwrap();
        assert!(made.status.success(), "install-links: {}", String::from_utf8_lossy(&made.stderr));
        Tools { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A command line for a shell, in the place for files.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("links").display()))
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("HOME", self.folder.path())
            .env("CIB_shadow_dir", self.folder.path())
            .env("SYSTOLE_SOCKET", self.path("node/api.sock"))
            .stdin(Stdio::null());
        command
    }
}

/// How a command ended.
pub fn answer(mut command: Command) -> Answer {
    let ended = command.output().unwrap();
    Answer {
        out: String::from_utf8_lossy(&ended.stdout).into_owned(),
        err: String::from_utf8_lossy(&ended.stderr).into_owned(),
        code: ended.status.code().unwrap_or(-1),
    }
}

/// A cluster of one node.
pub struct Host {
    pub tools: Tools,
    daemon: Child,
}

impl Host {
    /// The node is there, DC, and has this configuration.
    pub fn start(configuration: &str) -> Host {
        let tools = Tools::new();
        let made = Command::new(PROGRAM)
            .args(["bus", "create"])
            .arg(tools.path("bus"))
            .args(["test", "node1"])
            .status()
            .unwrap();
        assert!(made.success());
        let daemon = Command::new(PROGRAM)
            .args(["daemon", "--node", "node1", "--bus"])
            .arg(tools.path("bus"))
            .arg("--state-dir")
            .arg(tools.path("node"))
            .arg("--log-file")
            .arg(tools.path("daemon.log"))
            .env("SYSTOLE_AGENTS", tools.path("agents"))
            .spawn()
            .unwrap();
        let host = Host { tools, daemon };
        wait("the node to be DC", || Client::connect(host.socket()).ok()?.status().ok()?.dc);
        host.load(configuration);
        host
    }

    pub fn socket(&self) -> PathBuf {
        self.tools.path("node/api.sock")
    }

    /// Replaces the configuration, and waits until nothing is left to do.
    pub fn load(&self, configuration: &str) {
        let mut client = Client::connect(self.socket()).unwrap();
        let mut change = CibChange::new(CibOperation::Replace);
        change.section = Some("configuration".to_owned());
        change.xml = Some(configuration.to_owned());
        client.change_cib(&change).unwrap();
        client.operate(&Operation::WaitSettled).unwrap();
    }

    /// The whole CIB, versions and status included.
    pub fn cib(&self) -> String {
        Client::connect(self.socket()).unwrap().cib(&CibQuery::default()).unwrap()
    }

    pub fn run(&self, line: &str) -> Answer {
        answer(self.tools.command(line))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.tools.path("daemon.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(30).collect();
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

pub fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads a file that must be there.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Fails with all that is wrong, not with the first.
pub fn none_wrong(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} of them are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}
