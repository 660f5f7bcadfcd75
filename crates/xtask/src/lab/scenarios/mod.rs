//! What is done to the clusters, and what must come of it. Figures are in seconds.

mod fences;
mod kills;
mod links;
mod load;
mod loss;
mod quorum;
mod services;
mod strangers;

use std::io;
use std::time::Instant;

use super::cluster::{Cluster, Stack, dummy, wait};

/// A scenario: plays on a cluster that is at rest and empty, and gives its figures.
pub struct Scenario {
    pub name: &'static str,
    /// How many hosts it needs.
    pub hosts: usize,
    /// Lines of Corosync's quorum section.
    pub quorum: &'static [&'static str],
    /// Part of the short run.
    pub short: bool,
    pub play: fn(&mut Cluster) -> io::Result<Vec<Figure>>,
}

/// What was measured, and how much. What is not in seconds says its unit in brackets at the end.
pub type Figure = (&'static str, f64);

pub const ALL: [Scenario; 37] = [
    three("cold-start", true, cold_start),
    three("fail", true, failed_resource),
    three("standby", true, standby),
    three("hundred", false, load::hundred),
    three("thousand", false, load::thousand),
    three("idle", false, load::idle),
    three("slow-stop", true, load::slow_stop),
    three("minute-stop", false, load::minute_stop),
    three("website", true, services::website),
    three("database", false, services::database),
    three("disk-full", true, disk_full),
    three("node-loss", true, loss::node),
    three("dc-loss", true, loss::dc),
    three("minority", true, loss::minority),
    three("merge", true, merge),
    three("one-way", false, loss::one_way),
    three("slow-links", true, links::slow),
    three("lossy-links", false, links::lossy),
    three("replayed", true, links::replayed),
    three("daemon-killed", true, kills::each_process),
    three("corosync-killed", true, loss::corosync_killed),
    three("corosync-frozen", false, loss::corosync_frozen),
    three("fence-hangs", true, fences::hangs),
    three("fence-fails", true, fences::fails),
    three("fence-lies", false, fences::lies),
    three("hanging-agent", false, hanging_agent),
    three("rolling-restart", false, rolling_restart),
    three("wrong-key", true, strangers::wrong_key),
    three("wrong-configuration", false, strangers::wrong_configuration),
    three("same-name", true, strangers::same_name),
    three("bad-peer", true, strangers::bad_peer),
    Scenario {
        name: "wait-for-all",
        hosts: 3,
        quorum: &["wait_for_all: 1"],
        short: false,
        play: quorum::wait_for_all,
    },
    Scenario {
        name: "last-man",
        hosts: 3,
        quorum: &[
            "wait_for_all: 1",
            "auto_tie_breaker: 1",
            "last_man_standing: 1",
            "last_man_standing_window: 1500",
        ],
        short: false,
        play: quorum::last_man,
    },
    Scenario {
        name: "tie-breaker",
        hosts: 2,
        quorum: &["auto_tie_breaker: 1"],
        short: false,
        play: quorum::tie_breaker,
    },
    Scenario { name: "quorum-device", hosts: 2, quorum: &quorum::DEVICE, short: false, play: quorum::device },
    Scenario { name: "two-nodes-split", hosts: 2, quorum: &["two_node: 1"], short: true, play: even_split },
    Scenario { name: "two-of-five", hosts: 5, quorum: &[], short: false, play: two_of_five },
];

const fn three(
    name: &'static str,
    short: bool,
    play: fn(&mut Cluster) -> io::Result<Vec<Figure>>,
) -> Scenario {
    Scenario { name, hosts: 3, quorum: &[], short, play }
}

pub fn names(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("d{number}")).collect()
}

pub fn dummies(names: &[String]) -> String {
    names.iter().map(|name| dummy(name, "10s")).collect()
}

fn cold_start(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    cluster.replace("resources", &dummy("d1", "10s"))?;
    cluster.settle()?;
    for name in cluster.names() {
        cluster.power_off(&name)?;
    }
    for name in cluster.names() {
        cluster.hosts.power_on(&name)?;
        cluster.note_root(&name)?;
    }
    let begun = Instant::now();
    for name in cluster.names() {
        cluster.start_node(&name)?;
    }
    let running = cluster.wait_place("d1", |_| true)?;
    cluster.wait_online(cluster.names().len())?;
    cluster.settle()?;
    Ok(vec![("cold start to first resource running", (running - begun).as_secs_f64())])
}

fn failed_resource(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    cluster.replace("resources", &dummy("d1", "60s"))?;
    cluster.settle()?;
    let host = host_of(cluster, "d1")?;
    let taken = fail_and_restart(cluster, &host)?;
    cluster.settle()?;
    cluster.ask(&["crm_resource", "--cleanup", "-r", "d1"])?;
    cluster.settle()?;
    Ok(vec![("resource failed to restarted", taken)])
}

fn host_of(cluster: &Cluster, resource: &str) -> io::Result<String> {
    cluster.places(resource).pop().ok_or_else(|| io::Error::other(format!("{resource} does not run")))
}

/// Reports d1 as failed where it runs; gives the seconds until it was started again.
fn fail_and_restart(cluster: &Cluster, host: &str) -> io::Result<f64> {
    let file = cluster.hosts.inside(host, "/run/Dummy-d1.state")?;
    let started = || std::fs::metadata(&file).and_then(|data| data.modified()).ok();
    let before = started();
    let begun = cluster.timed(host, &["crm_resource", "--fail", "-r", "d1", "-N", host])?;
    let again = wait("d1 restarted", || started().is_some_and(|now| Some(now) != before))?;
    Ok((again - begun).as_secs_f64())
}

fn standby(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let names = names(10);
    let prefer: String = names
        .iter()
        .map(|name| format!("<rsc_location id=\"p{name}\" rsc=\"{name}\" node=\"node2\" score=\"100\"/>"))
        .collect();
    cluster.replace("resources", &dummies(&names))?;
    cluster.replace("constraints", &prefer)?;
    wait("all on node2", || names.iter().all(|name| cluster.places(name) == ["node2"]))?;
    cluster.settle()?;
    let begun =
        cluster.timed(&cluster.living(), &["crm_attribute", "-N", "node2", "-n", "standby", "-v", "on"])?;
    let moved = wait("all moved", || {
        names.iter().all(|name| matches!(&cluster.places(name)[..], [host] if host != "node2"))
    })?;
    cluster.settle()?;
    cluster.ask(&["crm_attribute", "-N", "node2", "-n", "standby", "-D"])?;
    cluster.settle()?;
    Ok(vec![("standby of a node with 10 resources to all moved", (moved - begun).as_secs_f64())])
}

/// d1 on a host, with fencing.
fn place_with_fencing(cluster: &Cluster, host: &str, delays: &str) -> io::Result<()> {
    cluster
        .replace("resources", &format!("{}{}", cluster.agents.timed("d1"), cluster.fence_device(delays)))?;
    cluster.prefer("d1", host)?;
    cluster.fencing(true)?;
    cluster.wait_place("d1", |place| place == host)?;
    cluster.settle()
}

/// Without fencing a host that was cut off comes back by itself, and what was changed meanwhile reaches it.
fn merge(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let dc = cluster.dc()?;
    let victim = cluster.bystander()?;
    cluster.replace("resources", &dummy("d1", "10s"))?;
    cluster.prefer("d1", &dc)?;
    cluster.wait_place("d1", |place| place == dc)?;
    cluster.settle()?;
    cluster.hosts.cut(&victim)?;
    cluster.wait_online_on(&dc, cluster.names().len() - 1)?;
    cluster.tool(&dc, &["crm_attribute", "-n", "cluster-recheck-interval", "-v", "7min"])?;
    cluster.hosts.heal(&victim)?;
    let begun = Instant::now();
    cluster.wait_online(cluster.names().len())?;
    cluster.settle()?;
    if !cluster.has_property(&victim, "cluster-recheck-interval", "7min")? {
        return Err(io::Error::other("the change of the majority did not reach the host that came back"));
    }
    Ok(vec![("cable back to all online and at rest", begun.elapsed().as_secs_f64())])
}

/// The disk with the configuration is full on one node: nothing is disturbed, the node has every change in
/// memory, and on disk once there is room again.
fn disk_full(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    const DIRECTORY: &str = "/var/lib/pacemaker/cib";
    let victim = cluster.bystander()?;
    place_with_fencing(cluster, &victim, "")?;
    let inside = |words: &[&str]| -> io::Result<()> {
        let status = cluster.hosts.command(&victim, words[0])?.args(&words[1..]).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("{}: {status}", words.join(" "))))
        }
    };
    inside(&["mount", "-t", "tmpfs", "-o", "mode=1777,size=64k", "tmpfs", DIRECTORY])?;
    inside(&["sh", "-c", &format!("dd if=/dev/zero of={DIRECTORY}/full bs=1k count=64 2>/dev/null; true")])?;
    let change = |value: &str| cluster.property("cluster-recheck-interval", value);
    change("8min")?;
    cluster.settle()?;
    let told = cluster.has_property(&victim, "cluster-recheck-interval", "8min")?;
    if !told || cluster.places("d1") != [victim.clone()] {
        return Err(io::Error::other("a full disk disturbed the cluster"));
    }
    inside(&["rm", &format!("{DIRECTORY}/full")])?;
    let file = cluster.hosts.inside(&victim, &format!("{DIRECTORY}/cib.xml"))?;
    let begun = Instant::now();
    let written = || std::fs::read_to_string(&file).is_ok_and(|text| text.contains("8min"));
    let again = wait("the configuration on disk", written)?;
    inside(&["umount", DIRECTORY])?;
    change("9min")?;
    cluster.settle()?;
    Ok(vec![("room on a full disk again to the configuration written", (again - begun).as_secs_f64())])
}

/// A monitor that hangs is ended at its timeout, and its resource recovers.
fn hanging_agent(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let hanging = "<primitive id=\"h\" class=\"ocf\" provider=\"heartbeat\" type=\"Delay\"><instance_attributes \
                   id=\"hi\"><nvpair id=\"h1\" name=\"startdelay\" value=\"0\"/><nvpair id=\"h2\" name=\"stopdelay\" \
                   value=\"0\"/><nvpair id=\"h3\" name=\"mondelay\" value=\"0\"/></instance_attributes><operations>\
                   <op id=\"hm\" name=\"start\" interval=\"0\" timeout=\"2s\"/></operations></primitive>";
    let hangs = hanging.replace("name=\"startdelay\" value=\"0\"", "name=\"startdelay\" value=\"60\"");
    cluster.replace("resources", &format!("{}{hangs}", dummy("d1", "10s")))?;
    cluster.wait_place("d1", |_| true)?;
    cluster.settle()?;
    let failures = cluster.ask(&["crm_mon", "-1", "-f"])?;
    if !failures.contains("h: ") && !failures.contains("h start") {
        return Err(io::Error::other(format!("the start that hung is not shown as failed:\n{failures}")));
    }
    Ok(Vec::new())
}

/// One node after the other leaves in an orderly way and comes back; the resource is never without a home.
fn rolling_restart(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    place_with_fencing(cluster, "node1", "")?;
    let begun = Instant::now();
    let manager = if cluster.stack == Stack::Systole { "systole" } else { "pacemakerd" };
    for name in cluster.names() {
        cluster.hosts.signal(&name, manager, "-TERM")?;
        wait("the manager's end", || {
            !cluster.hosts.processes(&name).iter().any(|(_, process)| process == manager)
        })?;
        if cluster.places("d1").len() != 1 {
            wait("d1 elsewhere", || cluster.places("d1").len() == 1)?;
        }
        cluster.start_manager(&name)?;
        cluster.wait_online(cluster.names().len())?;
        cluster.settle()?;
    }
    Ok(vec![("rolling restart of three nodes", begun.elapsed().as_secs_f64())])
}

/// Two nodes that do not see each other: the one without a delay against it is fenced, the other goes on.
/// A delay for the one decides who survives.
fn even_split(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    split_of_two(cluster, "node1:3s;node2:0s", "even split of two nodes to running on the survivor")
}

/// Two nodes lose sight of each other while d1 runs on the second: the first fences it, and never the other way
/// round.
fn split_of_two(cluster: &mut Cluster, delays: &str, what: &'static str) -> io::Result<Vec<Figure>> {
    place_with_fencing(cluster, "node2", delays)?;
    let begun = Instant::now();
    cluster.hosts.cut("node2")?;
    let moved = cluster.wait_place("d1", |place| place == "node1")?;
    if cluster.hosts.processes("node1").is_empty() {
        return Err(io::Error::other("the node that was to survive was fenced"));
    }
    cluster.bring_back("node2")?;
    Ok(vec![(what, (moved - begun).as_secs_f64())])
}

fn two_of_five(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    place_with_fencing(cluster, "node5", "")?;
    let begun = Instant::now();
    cluster.power_off("node4")?;
    cluster.power_off("node5")?;
    let moved = cluster.wait_place("d1", |place| !["node4", "node5"].contains(&place))?;
    cluster.bring_all_back(&["node4", "node5"])?;
    Ok(vec![("two of five lose power to running elsewhere", (moved - begun).as_secs_f64())])
}
