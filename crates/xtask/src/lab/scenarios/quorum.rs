//! Corosync's ways to count votes: the cluster does what the quorum that it is told allows, and shows it.

use std::io;
use std::time::Instant;

use super::super::cluster::{Cluster, Stack, dummy, wait};
use super::{Figure, place_with_fencing, split_of_two};

/// Two of three have the votes, but not before all three have been seen once, or an administrator says so.
pub fn wait_for_all(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    cluster.replace("resources", &dummy("d1", "10s"))?;
    cluster.wait_place("d1", |_| true)?;
    two_that_wait(cluster)?;
    let begun = Instant::now();
    cluster.restart("node3")?;
    let running = cluster.wait_place("d1", |_| true)?;
    cluster.wait_online(3)?;
    if cluster.stack == Stack::Systole {
        two_that_wait(cluster)?;
        cluster.ask(&["pcs", "quorum", "unblock", "--force"])?;
        cluster.wait_place("d1", |_| true)?;
        cluster.bring_back("node3")?;
    }
    Ok(vec![("the third of three that are waited for, to running", (running - begun).as_secs_f64())])
}

/// Two of three that have been off start nothing.
fn two_that_wait(cluster: &mut Cluster) -> io::Result<()> {
    for name in cluster.names() {
        cluster.power_off(&name)?;
    }
    cluster.restart("node1")?;
    cluster.restart("node2")?;
    cluster.wait_online_on("node1", 2)?;
    cluster.settle()?;
    let shown = cluster.ask(&["crm_mon", "-1"])?;
    if !shown.contains("partition WITHOUT quorum") {
        return Err(io::Error::other(format!("two of three are shown with quorum:\n{shown}")));
    }
    if !cluster.places("d1").is_empty() {
        return Err(io::Error::other("d1 was started before all nodes had been seen"));
    }
    Ok(())
}

/// Expected votes go down with the nodes that are lost one after the other, to the last one.
pub fn last_man(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    place_with_fencing(cluster, "node3", "")?;
    cluster.power_off("node3")?;
    cluster.wait_place("d1", |place| place != "node3")?;
    wait("two expected votes", || {
        let told = cluster.hosts.command("node1", "corosync-quorumtool").and_then(|mut tool| tool.output());
        told.is_ok_and(|told| {
            let text = String::from_utf8_lossy(&told.stdout).into_owned();
            text.lines().any(|line| line.split_whitespace().eq(["Expected", "votes:", "2"]))
        })
    })?;
    cluster.prefer("d1", "node2")?;
    cluster.wait_place("d1", |place| place == "node2")?;
    cluster.settle()?;
    let begun = Instant::now();
    cluster.power_off("node2")?;
    let moved = cluster.wait_place("d1", |place| place == "node1")?;
    cluster.bring_all_back(&["node2", "node3"])?;
    Ok(vec![("the last but one of three lost, to running on the last", (moved - begun).as_secs_f64())])
}

/// Of two halves the one with the lowest node keeps quorum and fences the other.
pub fn tie_breaker(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    split_of_two(cluster, "", "even split with a tie-breaker to running on its side")
}

/// Two nodes and a quorum device outside: the half that it votes for goes on, whichever has the lower number.
pub const DEVICE: [&str; 9] = [
    "device {",
    "model: net",
    "votes: 1",
    "net {",
    "host: 10.77.0.254",
    "tls: off",
    "algorithm: ffsplit",
    "}",
    "}",
];

/// The device is shown as it is, and a node that is cut off from it and its peer is fenced by that peer, also
/// when the peer has the higher number.
pub fn device(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    wait("the quorum device with its vote", || {
        // three votes, of which the device has one
        let told = cluster.hosts.command("node1", "corosync-quorumtool").and_then(|mut tool| tool.output());
        told.is_ok_and(|told| {
            let text = String::from_utf8_lossy(&told.stdout).into_owned();
            text.lines().any(|line| line.split_whitespace().eq(["Total", "votes:", "3"]))
        })
    })?;
    if cluster.stack == Stack::Systole {
        let shown = cluster.ask(&["status"])?;
        let line = shown.lines().find(|line| line.starts_with("Quorum:")).unwrap_or_default();
        println!("    {line}");
        if !line.contains("quorum device") {
            return Err(io::Error::other(format!("the quorum device is not shown:\n{shown}")));
        }
        for (words, told) in [
            (&["pcs", "quorum", "config"][..], "algorithm: ffsplit"),
            (&["pcs", "quorum", "status"], "Qdevice"),
            (&["pcs", "quorum", "device", "status"], "State:"),
        ] {
            let said = cluster.ask(words)?;
            if !said.contains(told) {
                return Err(io::Error::other(format!(
                    "'{}' does not tell '{told}':\n{said}",
                    words.join(" ")
                )));
            }
        }
    }
    place_with_fencing(cluster, "node1", "")?;
    let begun = Instant::now();
    cluster.hosts.cut("node1")?;
    let moved = cluster.wait_place("d1", |place| place == "node2")?;
    if cluster.hosts.processes("node2").is_empty() {
        return Err(io::Error::other("the node that the quorum device voted for was fenced"));
    }
    cluster.bring_back("node1")?;
    let what = "two nodes and a quorum device: one cut off to running on the other";
    Ok(vec![(what, (moved - begun).as_secs_f64())])
}
