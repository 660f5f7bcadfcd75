//! Corosync on hosts made on this machine: its configuration, its start.

use std::fs;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

use super::hosts::Hosts;

/// What is said of a cluster; everything else is Corosync's default.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Milliseconds after which a silent node is lost.
    pub token: Option<u32>,
    /// Lines of the quorum section beside the provider.
    pub quorum: Vec<String>,
}

/// Writes the configuration and a common key to the disks of all hosts.
pub fn configure(hosts: &Hosts, settings: &Settings) -> io::Result<()> {
    let text = configuration(&hosts.names(), settings);
    let mut key = [0; 256];
    fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    for name in hosts.names() {
        let folder = hosts.disk(&name).join("etc/corosync");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("corosync.conf"), &text)?;
        fs::write(folder.join("authkey"), key)?;
        // the directory itself is mounted in the host
        for file in fs::read_dir(hosts.disk(&name).join("var/lib/corosync"))? {
            fs::remove_file(file?.path())?;
        }
    }
    Ok(())
}

fn configuration(names: &[String], settings: &Settings) -> String {
    let token = settings.token.map(|token| format!("  token: {token}\n")).unwrap_or_default();
    let quorum: String = settings.quorum.iter().map(|line| format!("  {line}\n")).collect();
    let nodes: String = (1..)
        .zip(names)
        .map(|(id, name)| {
            format!("  node {{\n    ring0_addr: 10.77.0.{id}\n    name: {name}\n    nodeid: {id}\n  }}\n")
        })
        .collect();
    format!(
        "totem {{\n  version: 2\n  cluster_name: lab\n  transport: knet\n  crypto_cipher: aes256\n  \
         crypto_hash: sha256\n{token}}}\nquorum {{\n  provider: corosync_votequorum\n{quorum}}}\nsystem {{\n  \
         move_to_root_cgroup: no\n  allow_knet_handle_fallback: yes\n  sched_rr: no\n}}\nlogging {{\n  \
         to_logfile: yes\n  logfile: /var/log/corosync/corosync.log\n  to_syslog: no\n  timestamp: hires\n}}\n\
         nodelist {{\n{nodes}}}\n"
    )
}

/// Starts Corosync on a host; it is ready a moment later.
pub fn start(hosts: &mut Hosts, name: &str) -> io::Result<()> {
    let console = fs::File::create(hosts.disk(name).join("var/log/corosync/console"))?;
    let errors = console.try_clone()?;
    let mut command = hosts.command(name, "corosync")?;
    let child = command.arg("-f").stdin(Stdio::null()).stdout(console).stderr(errors).spawn()?;
    hosts.keep(child);
    Ok(())
}

/// When a host's Corosync formed its memberships, by its log: seconds since 1970.
pub fn memberships(hosts: &Hosts, name: &str) -> Vec<f64> {
    let log = fs::read_to_string(hosts.disk(name).join("var/log/corosync/corosync.log")).unwrap_or_default();
    // Nov 27 12:47:10.123 [4711] node1 corosync notice  [TOTEM ] A new membership (1.23) was formed.
    let times = log.lines().filter(|line| line.contains("A new membership"));
    let times: Vec<&str> = times.filter_map(|line| Some(line.split_once(" [")?.0)).collect();
    seconds_of(&times).unwrap_or_default()
}

/// Local times in seconds since 1970, as `date` reads them.
fn seconds_of(times: &[&str]) -> io::Result<Vec<f64>> {
    let mut list = tempfile::NamedTempFile::new()?;
    list.write_all(times.join("\n").as_bytes())?;
    let told = Command::new("date").arg("-f").arg(list.path()).arg("+%s.%N").output()?;
    Ok(String::from_utf8_lossy(&told.stdout).lines().filter_map(|line| line.parse().ok()).collect())
}
