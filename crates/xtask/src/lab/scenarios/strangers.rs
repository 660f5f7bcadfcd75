//! Hosts that do not belong to the cluster, or say so wrongly: they are kept out, and nobody is hurt.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::{Child, Stdio};

use cluster::PROTOCOL;

use super::super::cluster::{Cluster, Stack, dummy, wait};
use super::{Figure, fail_and_restart, kills, load};
use crate::live::client::now;
use crate::live::hosts::run;

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

/// Lines that a host's manager may write of one peer's rubbish: a peer must not fill the log.
const COMPLAINTS: usize = 10;

/// Processes in the cluster's group that say what no manager of this version says: beside a sound manager, and in its
/// place. Nobody ends, nothing that runs is disturbed, nobody is fenced, failures are dealt with meanwhile, and the
/// administrator is told from whom it came, what is wrong and what to do.
pub fn bad_peer(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    if cluster.stack == Stack::Reference {
        // its groups and its messages are others
        return Ok(Vec::new());
    }
    let all = [dummy("d1", "10s"), dummy("quiet", "10s"), cluster.fence_device("")].concat();
    cluster.replace("resources", &all)?;
    cluster.prefer("d1", "node1")?;
    cluster.fencing(true)?;
    cluster.wait_place("d1", |place| place == "node1")?;
    cluster.settle()?;
    let witness = Witness::new(cluster)?;
    play(cluster, &["rubbish"], |cluster, peer| {
        let ended = peer.wait()?;
        match ended.success() {
            true => witness.check(cluster),
            false => Err(io::Error::other(format!("the peer could not say everything: {ended}"))),
        }
    })?;
    told(cluster, "node1", "cannot be read")?;
    let longest = cluster.names().iter().map(|name| complaints(cluster, name)).max().unwrap_or(0);
    if longest > COMPLAINTS {
        return Err(io::Error::other(format!("one peer's rubbish gave {longest} lines in a log")));
    }
    // from here on the host's own manager is away, and its place is taken
    let pids = load::processes(cluster, "node3", "systole");
    let supervisor = pids.first().ok_or_else(|| io::Error::other("there is no manager on node3"))?;
    run("kill", &["-TERM", &supervisor.to_string()])?;
    wait("the manager's end", || load::processes(cluster, "node3", "systole").is_empty())?;
    cluster.wait_online_on("node1", 2)?;
    cluster.settle()?;
    let witness = Witness::new(cluster)?;
    let (older, newer) = ((PROTOCOL - 1).to_string(), (PROTOCOL + 1).to_string());
    let mut slowest: f64 = 0.0;
    for (words, text) in [
        (vec!["version", &newer, "new"], format!("node3 speaks protocol {newer}")),
        (vec!["version", &older, "new"], format!("node3 speaks protocol {older}")),
        (vec!["version", &older, "standing"], format!("node3 speaks protocol {older}")),
        (vec!["babble"], "what node3 sends cannot be read".to_owned()),
    ] {
        play(cluster, &words, |cluster, _| {
            let shown = || cluster.tool("node2", &["status"]).map(|output| output.stdout).unwrap_or_default();
            wait(&format!("in the status: {text}"), || String::from_utf8_lossy(&shown()).contains(&text))?;
            slowest = slowest.max(fail_and_restart(cluster, "node1")?);
            Ok(())
        })?;
        told(cluster, "node1", &text)?;
        witness.check(cluster)?;
    }
    cluster.start_manager("node3")?;
    cluster.wait_online_on("node1", 3)?;
    cluster.settle()?;
    let shown = cluster.tool("node2", &["status"])?;
    if String::from_utf8_lossy(&shown.stdout).contains("node3 speaks") {
        return Err(io::Error::other("what is over is still in the status"));
    }
    witness.check(cluster)?;
    Ok(vec![("a node of another version: resource failed to restarted, at worst", slowest)])
}

/// Runs a bad peer on node3 while `play` runs.
fn play(
    cluster: &mut Cluster,
    words: &[&str],
    play: impl FnOnce(&mut Cluster, &mut Child) -> io::Result<()>,
) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let mut command = cluster.hosts.command("node3", &program.to_string_lossy())?;
    let mut peer = command.arg("peer").args(words).stdout(Stdio::null()).spawn()?;
    let played = play(cluster, &mut peer);
    // what it was started through has become it
    let _ = peer.kill();
    peer.wait()?;
    cluster.hosts.signal("node3", "xtask", "-KILL")?;
    played
}

/// What must be the same after whatever a peer did.
struct Witness {
    since: f64,
    managers: BTreeMap<String, Vec<u32>>,
    quiet: (String, Option<std::time::SystemTime>),
}

impl Witness {
    fn new(cluster: &Cluster) -> io::Result<Witness> {
        let place = super::host_of(cluster, "quiet")?;
        let started = kills::started(cluster, "quiet", &place);
        Ok(Witness { since: now(), managers: load::managers(cluster), quiet: (place, started) })
    }

    fn check(&self, cluster: &Cluster) -> io::Result<()> {
        let now = load::managers(cluster);
        let mut was_there = self.managers.iter().filter(|(_, pids)| !pids.is_empty());
        let problem = if was_there.any(|(host, pids)| now.get(host) != Some(pids)) {
            "a daemon was started again"
        } else if cluster.agents.noted(&cluster.hosts, "fence", self.since).is_some() {
            "a host was fenced"
        } else if kills::started(cluster, "quiet", &self.quiet.0) != self.quiet.1 {
            "a resource was restarted or moved"
        } else {
            return cluster.check_place("d1", "node1");
        };
        Err(io::Error::other(problem))
    }
}

fn log(cluster: &Cluster, host: &str) -> String {
    fs::read_to_string(cluster.console(host)).unwrap_or_default()
}

/// Lines about unreadable messages on a host's console.
fn complaints(cluster: &Cluster, host: &str) -> usize {
    log(cluster, host).lines().filter(|line| line.contains("ignored")).count()
}

/// That a host's manager has said this.
fn told(cluster: &Cluster, host: &str, text: &str) -> io::Result<()> {
    match log(cluster, host).lines().find(|line| line.contains(text)) {
        Some(line) => {
            println!("    {line}");
            Ok(())
        }
        None => Err(io::Error::other(format!("the manager of {host} does not say {text:?}"))),
    }
}
