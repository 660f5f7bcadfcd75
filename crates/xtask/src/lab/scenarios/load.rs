//! Many resources at once, none at all, and actions that take long.

use std::collections::BTreeMap;
use std::io;
use std::thread::sleep;
use std::time::Duration;

use super::super::cluster::{Cluster, Stack, dummy, wait, wait_up_to};
use super::{Figure, dummies, fail_and_restart, host_of, names};
use crate::figures::{memory, threads_cpu};

/// Time over which an idle cluster is watched: three rounds of monitors.
const IDLE: Duration = Duration::from_secs(30);

/// What a thousand resources may take before we give up.
const LOADING: Duration = Duration::from_secs(600);

pub fn hundred(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let (created, all, agents) = change(cluster, &dummies(&names(100)), 100)?;
    let (deleted, all_deleting, agents_deleting) = change(cluster, "", 0)?;
    Ok(vec![
        ("100 Dummies created to all running", created),
        ("CPU of all hosts for that, Corosync and agents included", all),
        ("CPU of the agents for that, and of the one command", agents),
        ("100 Dummies deleted to all stopped", deleted),
        ("CPU of all hosts for deleting, Corosync and agents included", all_deleting),
        ("CPU of the agents for deleting, and of the one command", agents_deleting),
    ])
}

/// Replaces all resources: time until so many run, and CPU seconds until rest of all hosts and of that of agents.
fn change(cluster: &mut Cluster, resources: &str, count: usize) -> io::Result<(f64, f64, f64)> {
    let cpu = |cluster: &Cluster| -> f64 {
        cluster.names().iter().map(|name| cluster.hosts.cpu_seconds(name)).sum()
    };
    let (before, before_daemons) = (cpu(cluster), daemons_cpu(cluster));
    let begun = cluster.timed_replace("resources", resources)?;
    let done = cluster.wait_running(count)?;
    cluster.settle()?;
    let used = cpu(cluster) - before;
    let used_by_daemons = daemons_cpu(cluster) - before_daemons;
    Ok(((done - begun).as_secs_f64(), used, used - used_by_daemons))
}

/// CPU seconds that the manager's daemons and Corosync have used themselves on all hosts.
fn daemons_cpu(cluster: &Cluster) -> f64 {
    let is_daemon = |name: &str| name.starts_with(prefix(cluster.stack)) || name == "corosync";
    let processes = cluster.names().into_iter().flat_map(|host| cluster.hosts.processes(&host));
    processes.filter(|(_, name)| is_daemon(name)).map(|(pid, _)| threads_cpu(pid)).sum()
}

/// A thousand resources loaded at once, probed on every node and started: no daemon ends, no node is lost.
pub fn thousand(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    if cluster.stack == Stack::Reference {
        // it breaks down: daemons are started anew and nodes are fenced
        return Ok(Vec::new());
    }
    let daemons = managers(cluster);
    let begun = cluster.timed_replace("resources", &dummies(&names(1000)))?;
    let running = wait_up_to(LOADING, "1,000 running", || cluster.running().len() == 1000)?;
    cluster.wait_online(cluster.names().len())?;
    if managers(cluster) != daemons {
        return Err(io::Error::other("a daemon of the manager was started anew"));
    }
    cluster.settle()?;
    Ok(vec![("1,000 Dummies loaded, probed on three nodes and running", (running - begun).as_secs_f64())])
}

/// Processes of the manager on each host.
pub fn managers(cluster: &Cluster) -> BTreeMap<String, Vec<u32>> {
    let of = |host: String| {
        let pids = processes(cluster, &host, prefix(cluster.stack));
        (host, pids)
    };
    cluster.names().into_iter().map(of).collect()
}

/// Processes on a host whose names begin so, by their numbers.
pub fn processes(cluster: &Cluster, host: &str, prefix: &str) -> Vec<u32> {
    let named = |(_, name): &(u32, String)| name.starts_with(prefix);
    let mut pids: Vec<u32> =
        cluster.hosts.processes(host).into_iter().filter(named).map(|(pid, _)| pid).collect();
    pids.sort_unstable();
    pids
}

/// How the names of the manager's processes begin.
pub fn prefix(stack: Stack) -> &'static str {
    match stack {
        Stack::Systole => "systole",
        Stack::Reference => "pacemaker",
    }
}

/// Memory and processor of the manager's processes when nothing happens but monitors, and of Corosync beside it.
pub fn idle(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let [empty, corosync] = rest(cluster)?;
    cluster.replace("resources", &dummies(&names(100)))?;
    wait("100 running", || cluster.running().len() == 100)?;
    cluster.settle()?;
    let [loaded, corosync_loaded] = rest(cluster)?;
    Ok(vec![
        ("idle without resources: memory of the manager on a node, PSS (MiB)", empty.memory),
        ("idle without resources: processor of the manager on a node (% of a core)", empty.processor),
        ("idle without resources: memory of Corosync on a node, PSS (MiB)", corosync.memory),
        ("idle without resources: processor of Corosync on a node (% of a core)", corosync.processor),
        ("idle with 100 Dummies: memory of the manager on a node, PSS (MiB)", loaded.memory),
        ("idle with 100 Dummies: processor of the manager on a node (% of a core)", loaded.processor),
        ("idle with 100 Dummies: memory of Corosync on a node, PSS (MiB)", corosync_loaded.memory),
        ("idle with 100 Dummies: processor of Corosync on a node (% of a core)", corosync_loaded.processor),
    ])
}

/// What some processes use while nothing happens.
struct Use {
    /// MiB.
    memory: f64,
    /// Percents of a core.
    processor: f64,
}

/// What the manager and Corosync use on a node that is not the DC.
fn rest(cluster: &Cluster) -> io::Result<[Use; 2]> {
    let host = cluster.bystander()?;
    let groups = [prefix(cluster.stack), "corosync"].map(|prefix| processes(cluster, &host, prefix));
    let used = |pids: &[u32]| pids.iter().map(|pid| threads_cpu(*pid)).sum::<f64>();
    let before = groups.each_ref().map(|pids| used(pids));
    sleep(IDLE);
    let mut before = before.into_iter();
    Ok(groups.map(|pids| Use {
        memory: pids.iter().map(|pid| memory(*pid)).sum(),
        processor: (used(&pids) - before.next().unwrap_or_default()) / IDLE.as_secs_f64() * 100.0,
    }))
}

pub fn slow_stop(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    Ok(vec![("failed resource restarted during a stop of 15 s", restart_during_stop(cluster, "15")?)])
}

pub fn minute_stop(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    Ok(vec![("failed resource restarted during a stop of 60 s", restart_during_stop(cluster, "60")?)])
}

/// A stop that takes long must not hold up the recovery of something else.
fn restart_during_stop(cluster: &Cluster, seconds: &str) -> io::Result<f64> {
    let slow = "<primitive id=\"slow\" class=\"ocf\" provider=\"heartbeat\" type=\"Delay\"><instance_attributes \
                id=\"si\"><nvpair id=\"s1\" name=\"startdelay\" value=\"0\"/><nvpair id=\"s2\" name=\"stopdelay\" \
                value=\"SECONDS\"/><nvpair id=\"s3\" name=\"mondelay\" value=\"0\"/></instance_attributes><operations><op \
                id=\"so\" name=\"stop\" interval=\"0\" timeout=\"90s\"/></operations></primitive>";
    let slow = slow.replace("SECONDS", seconds);
    cluster.replace("resources", &format!("{}{slow}", dummy("d1", "60s")))?;
    cluster.settle()?;
    let host = host_of(cluster, "d1")?;
    cluster.ask(&["crm_resource", "-r", "slow", "-m", "-p", "target-role", "-v", "Stopped"])?;
    sleep(Duration::from_secs(1));
    let taken = fail_and_restart(cluster, &host)?;
    cluster.settle()?;
    cluster.ask(&["crm_resource", "--cleanup", "-r", "d1"])?;
    Ok(taken)
}
