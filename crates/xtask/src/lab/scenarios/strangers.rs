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
    cluster.check_place("d1", "node1")
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
        let console = cluster.console("node3");
        wait("the host with another's name refused", || {
            fs::read_to_string(&console).is_ok_and(|text| text.contains("the name node1 belongs to"))
        })?;
        undisturbed(cluster)
    })?;
    Ok(Vec::new())
}

/// Mistakes in a host's `corosync.conf`, and what its manager must say of each.
const MISTAKES: [(&str, fn(&str) -> String, &str); 6] = [
    ("brackets", |text| text.replacen('{', "{ {", 1), "parser error"),
    ("no node list", |text| text[..text.find("nodelist").unwrap_or(0)].to_owned(), "No interfaces defined"),
    ("cipher", |text| text.replace("aes256", "aes999"), "Invalid cipher type"),
    ("one id twice", |text| text.replace("nodeid: 2", "nodeid: 1"), "Nodeid 1 appears twice"),
    (
        "unknown host",
        // an address alone is not enough: Corosync also looks for the host's name
        |text| text.replace("10.77.0.3\n", "10.77.0.33\n").replace("name: node3", "name: node33"),
        "No valid name found for local host",
    ),
    ("no quorum", |text| text.replace("  provider: corosync_votequorum\n", ""), "has no quorum provider"),
];

/// A host whose Corosync has a wrong configuration: its manager says what is wrong, and the others go on.
pub fn wrong_configuration(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    if cluster.stack == Stack::Reference {
        // it says that it cannot connect
        return Ok(Vec::new());
    }
    without_node3(cluster)?;
    let path = cluster.hosts.disk("node3").join("etc/corosync/corosync.conf");
    let right = fs::read_to_string(&path)?;
    let made = MISTAKES.iter().try_for_each(|(name, mistake, told)| {
        fs::write(&path, mistake(&right))?;
        refused(cluster, name, told)
    });
    let made = made.and_then(|()| {
        fs::remove_file(&path)?;
        refused(cluster, "no file", "there is no /etc/corosync/corosync.conf")
    });
    fs::write(&path, &right)?;
    made?;
    cluster.bring_back("node3")?;
    Ok(Vec::new())
}

fn refused(cluster: &mut Cluster, name: &str, told: &str) -> io::Result<()> {
    cluster.restart("node3")?;
    let console = cluster.console("node3");
    let line = || {
        let text = fs::read_to_string(&console).unwrap_or_default();
        text.lines().find(|line| line.contains(told)).map(str::to_owned)
    };
    wait(&format!("the mistake '{name}' told as '{told}'"), || line().is_some())?;
    println!("    {name}: {}", line().unwrap_or_default());
    undisturbed(cluster)
}
