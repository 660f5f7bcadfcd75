//! A quorum device: a witness outside the hosts, and their parts of it.

use std::fs;
use std::io;
use std::path::Path;

use crate::live::hosts::Hosts;

const WITNESS: &str = "/usr/bin/corosync-qnetd";
const DEVICE: &str = "/usr/sbin/corosync-qdevice";

/// Starts the server that a quorum device asks, on the hosts' bridge.
pub fn start(hosts: &mut Hosts) -> io::Result<()> {
    if [WITNESS, DEVICE].iter().any(|program| !Path::new(program).exists()) {
        let why = "corosync-qnetd and corosync-qdevice are not installed";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let console = fs::File::create(hosts.folder().join("witness"))?;
    // it keeps its state where the machine has it: of the machine's directories it sees none but an own one
    let script =
        "mount -t tmpfs tmpfs /run && mkdir -p /run/corosync-qnetd && exec /usr/bin/corosync-qnetd -f -s off";
    let errors = console.try_clone()?;
    let mut command = hosts.client_command(Path::new("unshare"));
    let child = command.args(["--mount", "sh", "-c", script]).stdout(console).stderr(errors).spawn()?;
    hosts.keep(child);
    Ok(())
}

/// Starts a host's part of its quorum device as soon as its Corosync answers.
pub fn start_device(hosts: &mut Hosts, name: &str) -> io::Result<()> {
    let console = fs::File::create(hosts.disk(name).join("var/log/corosync/device"))?;
    let errors = console.try_clone()?;
    let mut command = hosts.command(name, "sh")?;
    let script = "mkdir -p /run/corosync-qdevice; until corosync-cfgtool -s >/dev/null 2>&1; do sleep 0.05; \
                  done; exec /usr/sbin/corosync-qdevice -f";
    let child = command.args(["-c", script]).stdout(console).stderr(errors).spawn()?;
    hosts.keep(child);
    Ok(())
}
