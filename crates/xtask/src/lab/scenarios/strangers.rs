//! Hosts that do not belong to the cluster, or say so wrongly: they are kept out, and nobody is hurt.

use std::fs;
use std::io;

use super::super::cluster::{Cluster, Stack, dummy, wait};
use super::Figure;

/// d1 on node1, and node3 off.
fn without_node3(cluster: &mut Cluster) -> io::Result<()> {
    cluster.replace("resources", &dummy("d1", "10s"))?;
    cluster.prefer("d1", "node1")?;
    cluster.wait_place("d1", |place| place == "node1")?;
    cluster.settle()?;
    cluster.power_off("node3")?;
    cluster.wait_online_on("node1", 2)?;
    cluster.settle()
}

/// Changes a file of node3's Corosync while `play` runs.
fn with_changed(
    cluster: &mut Cluster,
    file: &str,
    change: impl FnOnce(Vec<u8>) -> Vec<u8>,
    play: impl FnOnce(&mut Cluster) -> io::Result<()>,
) -> io::Result<()> {
    let path = cluster.hosts.disk("node3").join("etc/corosync").join(file);
    let right = fs::read(&path)?;
    fs::write(&path, change(right.clone()))?;
    let played = cluster.restart("node3").and_then(|()| play(cluster));
    fs::write(&path, right)?;
    played?;
    cluster.bring_back("node3")
}

fn undisturbed(cluster: &Cluster) -> io::Result<()> {
    cluster.wait_online_on("node1", 2)?;
    match &cluster.places("d1")[..] {
        [place] if place == "node1" => Ok(()),
        places => Err(io::Error::other(format!("d1 runs on {places:?}"))),
    }
}

/// A host with another key, as one of a foreign cluster on the same addresses and port has it: it sees nobody,
/// has no quorum, starts nothing; with the right key it joins.
pub fn wrong_key(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    without_node3(cluster)?;
    let other = |mut key: Vec<u8>| {
        key.reverse();
        key
    };
    with_changed(cluster, "authkey", other, |cluster| {
        cluster.wait_online_on("node3", 1)?;
        cluster.settle()?;
        undisturbed(cluster)
    })?;
    Ok(Vec::new())
}

/// A host whose configuration gives it another node's name: its manager is refused, and says why.
pub fn same_name(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    if cluster.stack == Stack::Reference {
        // it mixes both up
        return Ok(Vec::new());
    }
    without_node3(cluster)?;
    let other =
        |text: Vec<u8>| String::from_utf8_lossy(&text).replace("name: node3", "name: node1").into_bytes();
    with_changed(cluster, "corosync.conf", other, |cluster| {
        let console = cluster.hosts.disk("node3").join("var/log/pacemaker/console");
        wait("the host with another's name refused", || {
            fs::read_to_string(&console).is_ok_and(|text| text.contains("the name node1 belongs to"))
        })?;
        undisturbed(cluster)
    })?;
    Ok(Vec::new())
}
