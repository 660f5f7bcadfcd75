//! Corosync on hosts made on this machine: its configuration, its start.

use std::fs;
use std::io::{self, Read};
use std::process::Stdio;

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
