//! Three hosts with Systole in the place of the field's cluster manager: its tools under their usual names and
//! paths, its schemas where clients look for them, a daemon on each host.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::hosts::Hosts;

/// Everything is awaited for at most this long; no step is judged by its speed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Puts the tools' names where clients call them by their full paths.
const TAKE_NAMES: &str = r#"
set -e
mkdir -p "$DISK/names"
"$SYSTOLE" install-links "$DISK/names" > /dev/null
rm -f "$DISK/names/pcs" "$DISK/names/crm"  # these are the clients under test
for name in "$DISK"/names/*; do
  for folder in /usr/sbin /usr/lib/pacemaker /usr/libexec/pacemaker; do
    [ ! -e "$folder/${name##*/}" ] || mount --bind "$SYSTOLE" "$folder/${name##*/}"
  done
done
"#;

/// What else makes a host one where Systole is installed.
const INSTALL: &str = r#"
mkdir -p "$DISK/schemas" /etc/corosync/uidgid.d
ln -sf /var/lib/systole/api.sock /run/systole/api.sock  # pcs gives its commands an environment of its own
for daemon in based controld fenced schedulerd; do
  [ ! -e /usr/lib/pacemaker/pacemaker-$daemon ] || mount --bind "$SYSTOLE" /usr/lib/pacemaker/pacemaker-$daemon
done
"$SYSTOLE" install-schemas "$DISK/schemas" > /dev/null
mkdir -p /usr/share/pacemaker && mount --bind "$DISK/schemas" /usr/share/pacemaker
"#;

/// A running cluster of hosts made on this machine.
pub struct Cluster {
    pub hosts: Hosts,
    binary: PathBuf,
    shared: PathBuf,
}

impl Cluster {
    /// Boots three hosts and starts a daemon on each.
    pub fn start(binary: &Path, purpose: &str) -> io::Result<Cluster> {
        let hosts = Hosts::boot(3)?;
        // the hosts' /tmp is their own, so what they share lives elsewhere
        let shared = PathBuf::from(format!("/var/tmp/systole-{purpose}-{}", std::process::id()));
        fs::create_dir_all(&shared)?;
        let cluster = Cluster { hosts, binary: binary.to_path_buf(), shared };
        let made = Command::new(binary)
            .args(["bus", "create"])
            .arg(cluster.bus())
            .args(["live", "node1", "node2", "node3"])
            .status()?;
        if !made.success() {
            return Err(io::Error::other("the bus cannot be made"));
        }
        for name in cluster.hosts.names() {
            cluster.install(&name)?;
            cluster.start_daemon(&name)?;
        }
        cluster.until("node1", "crm_mon -1", "Online: [ node1 node2 node3 ]")?;
        Ok(cluster)
    }

    fn bus(&self) -> PathBuf {
        self.shared.join("bus")
    }

    /// Puts Systole's names into their places; to be repeated when the host was without power.
    pub fn install(&self, name: &str) -> io::Result<()> {
        let disk = self.hosts.disk(name);
        fs::create_dir_all(disk.join("etc/corosync"))?;
        let nodes: String = (1..=3)
            .map(|number| {
                format!("  node {{\n    ring0_addr: node{number}\n    name: node{number}\n    nodeid: {number}\n  }}\n")
            })
            .collect();
        let totem = "totem {\n  version: 2\n  cluster_name: live\n  transport: knet\n}\n";
        fs::write(disk.join("etc/corosync/corosync.conf"), format!("{totem}nodelist {{\n{nodes}}}\n"))?;
        let output = self
            .hosts
            .command(name, "sh")?
            .args(["-c", &format!("{TAKE_NAMES}{INSTALL}")])
            .env("DISK", &disk)
            .env("SYSTOLE", &self.binary)
            .output()?;
        succeeded("installing", &output)
    }

    /// A folder that all hosts see, outside everything that belongs to one of them.
    pub fn room(&self) -> io::Result<PathBuf> {
        let room = self.shared.join("room");
        fs::create_dir_all(&room)?;
        Ok(room)
    }

    /// Starts the daemon of a host that is on.
    pub fn start_daemon(&self, name: &str) -> io::Result<()> {
        let console = fs::File::create(self.shared.join(format!("{name}.log")))?;
        let errors = console.try_clone()?;
        self.hosts
            .command(name, &self.binary.to_string_lossy())?
            .args(["daemon", "--node", name, "--state-dir", "/var/lib/systole", "--bus"])
            .arg(self.bus())
            .stdout(Stdio::from(console))
            .stderr(Stdio::from(errors))
            .spawn()
            .map(drop)
    }

    /// A shell command on a host, with Systole's names first in its path.
    pub fn shell(&self, name: &str, line: &str) -> io::Result<Output> {
        self.hosts
            .command(name, "sh")?
            .args(["-c", line])
            .env("SYSTOLE_SOCKET", "/var/lib/systole/api.sock")
            .env("PATH", format!("{}/names:/usr/sbin:/usr/bin:/sbin:/bin", self.hosts.disk(name).display()))
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .output()
    }

    /// What a command that must succeed prints.
    pub fn run(&self, name: &str, line: &str) -> io::Result<String> {
        let output = self.shell(name, line)?;
        succeeded(line, &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command that must succeed and print `wanted`.
    pub fn shows(&self, name: &str, line: &str, wanted: &str) -> io::Result<()> {
        let text = self.run(name, line)?;
        if text.contains(wanted) {
            return Ok(());
        }
        Err(io::Error::other(format!("{line}: no {wanted:?} in\n{text}")))
    }

    /// Runs a command that must fail and say `wanted`.
    pub fn refuses(&self, name: &str, line: &str, wanted: &str) -> io::Result<()> {
        let output = self.shell(name, line)?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        if !output.status.success() && text.contains(wanted) {
            return Ok(());
        }
        Err(io::Error::other(format!("{line}: {}, and no {wanted:?} in\n{text}", output.status)))
    }

    /// Repeats a command until it prints `wanted`.
    pub fn until(&self, name: &str, line: &str, wanted: &str) -> io::Result<()> {
        let begun = Instant::now();
        let mut last = String::new();
        while begun.elapsed() < PATIENCE {
            let output = self.shell(name, line)?;
            last = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            if last.contains(wanted) {
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        Err(io::Error::other(format!("{line}: waited in vain for {wanted:?}; last\n{last}")))
    }

    /// Waits until the cluster has nothing left to do.
    pub fn settle(&self, name: &str) -> io::Result<()> {
        self.run(name, "crm_resource --wait --timeout=90s").map(drop)
    }

    /// What helps to understand a failure.
    pub fn show_state(&self) {
        for name in self.hosts.names() {
            if !self.hosts.is_on(&name) {
                println!("--- {name} is off");
                continue;
            }
            if let Ok(output) = self.shell(&name, "crm_mon -1 -r -f") {
                println!("--- crm_mon on {name}\n{}", String::from_utf8_lossy(&output.stdout));
            }
            let log = fs::read_to_string(self.shared.join(format!("{name}.log"))).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(25).collect();
            println!("--- log of {name}\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.shared);
    }
}

fn succeeded(what: &str, output: &Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    Err(io::Error::other(format!("{what}: {}: {}", output.status, String::from_utf8_lossy(&said).trim())))
}
