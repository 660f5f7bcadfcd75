//! A hundred resources in one change: how long it takes, beside the same agents without a cluster.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::json;

use super::Row;
use super::cluster::{Cluster, Cpu, as_on_a_server};
use crate::figures::children_cpu;

/// What one change took.
struct Taken {
    /// Seconds until the resources were in the state wanted.
    reached: f64,
    /// Seconds until there was nothing left to do.
    settled: f64,
    cpu: Cpu,
}

/// The same agents run alone.
struct Alone {
    wall: f64,
    cpu: f64,
}

/// The agent that most clusters have, if it is installed: the one that is shipped is far lighter.
const INSTALLED: &str = "/usr/lib/ocf/resource.d/heartbeat/Dummy";

/// Loads `count` Dummies and removes them again, `rounds` times, each beside the agents alone: of the agent
/// that is shipped, and of the installed one.
pub fn measure(cluster: &Cluster, count: usize, rounds: usize) -> Result<Vec<Row>, String> {
    let shipped = cluster.state(1).join("agents/ocf/resource.d/pacemaker/Dummy");
    let mut rows = measure_agent(cluster, "pacemaker", &shipped, count, rounds)?;
    if Path::new(INSTALLED).exists() {
        rows.extend(measure_agent(cluster, "heartbeat", Path::new(INSTALLED), count, rounds)?);
    }
    Ok(rows)
}

fn measure_agent(
    cluster: &Cluster,
    provider: &str,
    agent: &Path,
    count: usize,
    rounds: usize,
) -> Result<Vec<Row>, String> {
    let (mut loads, mut removals) = (Vec::new(), Vec::new());
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let _ = run_alone(agent, scratch.path(), &["monitor"], count)?; // the first runs read the shell from the disk
    for _ in 0..rounds {
        let taken = change(cluster, &resources_of(provider, count), count)?;
        // a probe on each node, a start, and the first run of the monitor
        let alone =
            run_alone(agent, scratch.path(), &["monitor", "monitor", "monitor", "start", "monitor"], count)?;
        loads.push((taken, alone));
        let taken = change(cluster, "<resources/>", 0)?;
        let alone = run_alone(agent, scratch.path(), &["stop"], count)?;
        removals.push((taken, alone));
    }
    let name = format!("{count} ocf:{provider}:Dummy");
    let mut rows = told(&format!("{name} in one change, all running"), &loads, Some("1.3 times"));
    rows.extend(told(&format!("{name} removed in one change, all stopped"), &removals, None));
    Ok(rows)
}

/// The section with this many Dummies.
pub fn resources(count: usize) -> String {
    resources_of("pacemaker", count)
}

fn resources_of(provider: &str, count: usize) -> String {
    let one = |number: usize| {
        format!(
            "<primitive id=\"D{number}\" class=\"ocf\" provider=\"{provider}\" type=\"Dummy\"><operations>\
             <op id=\"D{number}-monitor\" name=\"monitor\" interval=\"10s\"/></operations></primitive>"
        )
    };
    format!("<resources>{}</resources>", (1..=count).map(one).collect::<String>())
}

/// Replaces the resources without waiting for more than the answer.
pub fn replace_resources(cluster: &Cluster, xml: &str) -> Result<(), String> {
    let body = json!({"operation": "replace", "section": "resources", "xml": xml, "client": "bench"});
    cluster.api(1)?.post("/v1/cib", &body)
}

fn change(cluster: &Cluster, xml: &str, count: usize) -> Result<Taken, String> {
    cluster.settle()?;
    let before = cluster.cpu();
    let begun = Instant::now();
    replace_resources(cluster, xml)?;
    cluster.wait_running(count)?;
    let reached = begun.elapsed().as_secs_f64();
    cluster.settle()?;
    Ok(Taken { reached, settled: begun.elapsed().as_secs_f64(), cpu: cluster.cpu() - before })
}

/// Runs the agent without a cluster, two at a time: each action for each of `count` instances, which therefore do
/// what they do in a cluster (the second start of one instance would find it running and do nothing).
fn run_alone(agent: &Path, scratch: &Path, actions: &[&str], count: usize) -> Result<Alone, String> {
    let runs: Vec<(&str, usize)> =
        actions.iter().flat_map(|action| (1..=count).map(move |instance| (*action, instance))).collect();
    let before = children_cpu("self");
    let begun = Instant::now();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        while let Some((action, instance)) = runs.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        {
            run_agent(agent, action, *instance, scratch)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        work()?;
        other.join().map_err(|_| "a thread ended badly".to_owned())?
    })?;
    Ok(Alone { wall: begun.elapsed().as_secs_f64(), cpu: children_cpu("self") - before })
}

/// What any cluster has to give an agent (rules 4.3.2 and 4.13): a shell takes its time for each variable, and the
/// agents' library logs where it is told to.
const GIVEN: [(&str, &str); 19] = [
    ("HA_LOGFACILITY", "daemon"),
    ("HA_cluster_type", "corosync"),
    ("HA_debug", "0"),
    ("LC_ALL", "C"),
    ("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:"),
    ("OCF_RA_VERSION_MAJOR", "1"),
    ("OCF_RA_VERSION_MINOR", "1"),
    ("OCF_RESKEY_CRM_meta_name", "monitor"),
    ("OCF_RESKEY_CRM_meta_on_node", "node1"),
    ("OCF_RESKEY_CRM_meta_on_node_uuid", "1"),
    ("OCF_RESKEY_CRM_meta_timeout", "20000"),
    ("OCF_RESKEY_crm_feature_set", "3.20.5"),
    ("OCF_RESOURCE_PROVIDER", "heartbeat"),
    ("OCF_RESOURCE_TYPE", "Dummy"),
    ("OCF_ROOT", "/usr/lib/ocf"),
    ("PCMK_cluster_type", "corosync"),
    ("PCMK_debug", "0"),
    ("PCMK_logfacility", "daemon"),
    ("PCMK_service", "pacemaker-execd"),
];

fn run_agent(agent: &Path, action: &str, instance: usize, scratch: &Path) -> Result<(), String> {
    let mut command = as_on_a_server(agent);
    command.arg(action).env("HA_RSCTMP", scratch).envs(GIVEN).stdin(Stdio::null());
    command.env("OCF_RESOURCE_INSTANCE", format!("D{instance}"));
    // its output is read, as the cluster does; a probe of what does not run ends with another code than 0
    command.output().map(drop).map_err(|error| format!("{}: {error}", agent.display()))
}

/// Median and shortest of all rounds.
fn told(what: &str, rounds: &[(Taken, Alone)], goal: Option<&str>) -> Vec<Row> {
    let figure = |of: &dyn Fn(&(Taken, Alone)) -> f64| super::Spread::of(rounds.iter().map(of).collect());
    let times = |of: fn(&Taken) -> f64| figure(&|(taken, _)| of(taken) * 1000.0).text("ms");
    vec![
        Row::new(what, times(|taken| taken.reached), None),
        Row::new("- nothing left to do", times(|taken| taken.settled), None),
        Row::new(
            "- the same agents alone, two at a time",
            figure(&|(_, alone)| alone.wall * 1000.0).text("ms"),
            None,
        ),
        Row::new(
            "- nothing left to do / agents alone",
            figure(&|(taken, alone)| taken.settled / alone.wall).text("times"),
            goal,
        ),
        Row::new("- CPU of the three daemons", times(|taken| taken.cpu.daemons), None),
        Row::new("- CPU of their agents", times(|taken| taken.cpu.agents), None),
        Row::new("- CPU of the agents alone", figure(&|(_, alone)| alone.cpu * 1000.0).text("ms"), None),
    ]
}
