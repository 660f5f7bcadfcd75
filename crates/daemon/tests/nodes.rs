//! Whole daemons as processes on the embedded bus, used through their API as commands do. This program also
//! plays the daemon and the `systole` binary for its agents.
//!
//! `cargo test -p daemon --test nodes -- NAME` runs the scenarios whose name contains NAME.

#![allow(clippy::unwrap_used)] // a test may

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use client::{Client, Error};
use daemon::{Choice, DaemonConfig, Log, PanicAction, Paths, StartState};
use view::api::{
    AttributeChange, AttributeQuery, CibChange, CibOperation, CibQuery, EventQuery, Operation, Status,
};

// files beside this one would be test programs of their own
#[path = "nodes/alerts.rs"]
mod alerts;
#[path = "nodes/fencing.rs"]
mod fencing;
#[path = "nodes/kills.rs"]
mod kills;
#[path = "nodes/agents.rs"]
mod odd_agents;
#[path = "nodes/rubbish.rs"]
mod rubbish;

const PATIENT: Duration = Duration::from_secs(60);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words.get(1).is_some_and(|word| word == "dies") {
        // a daemon, as its supervisor calls it
        die(Path::new(&words[2]));
    }
    if words.get(1).is_some_and(|word| word == "daemon") {
        run_daemon(Path::new(&words[2]), Path::new(&words[3]), &words[4]);
    }
    if !words[0].contains("nodes") {
        // called by an agent under a tool's name
        return;
    }
    match words.get(1).map(String::as_str) {
        Some("internal") => std::process::exit(agents::webserver::internal(&words[2..]).into()),
        Some("supervisor") => supervise(&words[2], &words[3..]),
        filter => scenarios(filter.filter(|word| !word.starts_with('-'))),
    }
}

fn run_daemon(state: &Path, bus: &Path, node: &str) -> ! {
    let config = DaemonConfig {
        paths: Paths::below(state),
        messaging: Some(Choice::Embedded { bus: bus.into(), node: node.into() }),
        start_state: StartState::Default,
        action_limit: None,
        log: match std::env::var_os("PCMK_logfile") {
            Some(_) => Log::Stderr,
            None => Log::File(state.join("daemon.log")),
        },
        panic: PanicAction::Node,
    };
    match daemon::run(config) {
        Ok(code) => std::process::exit(code),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

/// A daemon that notes that it was started, and dies.
fn die(state: &Path) -> ! {
    let file = std::fs::File::options().create(true).append(true).open(state.join("starts"));
    std::io::Write::write_all(&mut file.unwrap(), b"x").unwrap();
    std::process::exit(3);
}

fn supervise(state: &str, arguments: &[String]) {
    let dies = vec!["dies".to_owned(), state.to_owned()];
    let arguments = if arguments.is_empty() { dies } else { arguments.to_vec() };
    let fail_fast = std::env::var_os("PCMK_fail_fast").map(|_| PanicAction::Node);
    let ended = daemon::Supervision { state: state.into(), arguments, fail_fast }.run();
    std::process::exit(ended.unwrap());
}

/// Rule 4.38.2.
fn a_daemon_that_dies_is_started_again_or_brings_its_host_down() {
    let starts = |state: &Path| std::fs::read(state.join("starts")).unwrap_or_default().len();
    let supervisor = |state: &Path, fail_fast: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("supervisor").arg(state).env("SYSTOLE_STATE_DIR", state);
        if !fail_fast.is_empty() {
            command.env("PCMK_fail_fast", fail_fast);
        }
        command.spawn().unwrap()
    };
    let again = tempfile::tempdir().unwrap();
    let mut child = supervisor(again.path(), "");
    wait("a third start", || (starts(again.path()) >= 3).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    let once = tempfile::tempdir().unwrap();
    let mut child = supervisor(once.path(), "yes");
    // all that belongs to the node is killed, its supervisor too
    assert_eq!(end(&mut child), None);
    assert_eq!(starts(once.path()), 1);
}

/// Rule 4.38.4.
fn a_daemon_that_hangs_is_killed_and_started_again() {
    let cluster = Cluster::without(1, &[1]);
    let (state, bus) = (cluster.state(1), cluster.directory.path().join("bus"));
    std::fs::create_dir_all(&state).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("supervisor").arg(&state).arg("daemon").arg(&state).arg(bus).arg("node1");
    // rule 4.40.1: beside standard error
    let log = state.join("pacemaker.log");
    command.env("SYSTOLE_STATE_DIR", &state).env("PCMK_logfile", &log).stderr(std::process::Stdio::null());
    let mut supervisor = command.spawn().unwrap();
    cluster.settle(&[1]);
    let process = || std::fs::read_to_string(state.join("daemon.pid")).unwrap_or_default().trim().to_owned();
    let signal = |name: &str, process: &str| Command::new("kill").arg(name).arg(process).status().unwrap();
    let first = process();
    signal("-STOP", &first);
    wait("another daemon", || Some(process()).filter(|now| !now.is_empty() && *now != first));
    assert!(!Path::new("/proc").join(&first).exists(), "the first has not been killed");
    cluster.settle(&[1]);
    signal("-TERM", &supervisor.id().to_string());
    assert_eq!(end(&mut supervisor), Some(0));
    let text = std::fs::read_to_string(log).unwrap();
    assert!(text.contains("the daemon ends with exit code 0"), "{text}");
}

fn scenarios(filter: Option<&str>) {
    let all: &[(&str, fn())] = &[
        ("rubbish_on_the_api_harms_nobody", rubbish::rubbish_on_the_api_harms_nobody),
        ("rubbish_on_the_bus_harms_nobody", rubbish::rubbish_on_the_bus_harms_nobody),
        ("strangers_keep_nobody_out", rubbish::strangers_keep_nobody_out),
        (
            "agents_that_misbehave_are_handled_and_shown",
            odd_agents::agents_that_misbehave_are_handled_and_shown,
        ),
        (
            "killed_at_any_moment_the_old_or_the_new_state_is_there",
            kills::killed_at_any_moment_the_old_or_the_new_state_is_there,
        ),
        ("alert_agents_are_told_and_waited_for", alerts::alert_agents_are_told_and_waited_for),
        (
            "a_daemon_that_dies_is_started_again_or_brings_its_host_down",
            a_daemon_that_dies_is_started_again_or_brings_its_host_down,
        ),
        ("a_daemon_that_hangs_is_killed_and_started_again", a_daemon_that_hangs_is_killed_and_started_again),
        ("one_node_starts_and_stops", one_node_starts_and_stops),
        ("three_nodes_run_a_resource_and_survive", three_nodes_run_a_resource_and_survive),
        ("a_damaged_file_is_replaced", a_damaged_file_is_replaced),
        ("agents_of_a_killed_daemon_are_waited_for", agents_of_a_killed_daemon_are_waited_for),
        ("attributes_are_everywhere", attributes_are_everywhere),
        ("a_second_daemon_is_refused", a_second_daemon_is_refused),
        ("fence_devices_that_hang_fail_and_lie", fencing::fence_devices_that_hang_fail_and_lie),
        (
            "a_manager_that_hangs_is_fenced_during_the_join_round",
            fencing::a_manager_that_hangs_is_fenced_during_the_join_round,
        ),
        (
            "a_node_that_lost_quorum_starves_its_watchdog",
            fencing::a_node_that_lost_quorum_starves_its_watchdog,
        ),
    ];
    for (name, scenario) in all {
        if filter.is_none_or(|part| name.contains(part)) {
            let began = Instant::now();
            scenario();
            println!("test {name} ... ok ({:.1} s)", began.elapsed().as_secs_f64());
        }
    }
}

/// A cluster on this machine.
struct Cluster {
    directory: tempfile::TempDir,
    daemons: Vec<Option<Child>>,
    /// Seconds within which the watchdog of each node, a file, resets it.
    watchdog: Option<u32>,
}

impl Cluster {
    fn new(size: usize) -> Cluster {
        Cluster::with_watchdog(size, None)
    }

    fn with_watchdog(size: usize, watchdog: Option<u32>) -> Cluster {
        Cluster::configured(size, watchdog, &[])
    }

    /// With nodes that are configured and do not run.
    fn without(size: usize, absent: &[usize]) -> Cluster {
        Cluster::configured(size, None, absent)
    }

    fn configured(size: usize, watchdog: Option<u32>, absent: &[usize]) -> Cluster {
        let directory = tempfile::tempdir().unwrap();
        let names: Vec<String> = (1..=size).map(|id| format!("node{id}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        messaging::embedded::create(&directory.path().join("bus"), "test", &names).unwrap();
        let mut cluster = Cluster { directory, daemons: (0..size).map(|_| None).collect(), watchdog };
        (1..=size).filter(|id| !absent.contains(id)).for_each(|id| cluster.start(id));
        cluster
    }

    fn state(&self, id: usize) -> PathBuf {
        self.directory.path().join(format!("node{id}"))
    }

    fn start(&mut self, id: usize) {
        let state = self.state(id);
        std::fs::create_dir_all(&state).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("daemon").arg(&state).arg(self.directory.path().join("bus")).arg(format!("node{id}"));
        command
            .env("SYSTOLE_STATE_DIR", &state)
            .env("SYSTOLE_LOG", "debug")
            .env("SYSTOLE_AGENTS", self.directory.path().join("agents"))
            .process_group(0);
        if let Some(seconds) = self.watchdog {
            command
                .env("SYSTOLE_WATCHDOG_DEVICE", state.join("watchdog"))
                .env("SBD_WATCHDOG_TIMEOUT", seconds.to_string());
        }
        self.daemons[id - 1] = Some(command.spawn().unwrap());
    }

    fn client(&self, id: usize) -> Client {
        let socket = self.state(id).join("api.sock");
        wait(&format!("node{id} to answer"), || Client::connect(&socket).ok())
    }

    fn status(&self, id: usize) -> Option<Status> {
        Client::connect(self.state(id).join("api.sock")).ok()?.status().ok()
    }

    fn kill(&mut self, id: usize) {
        let mut daemon = self.daemons[id - 1].take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// Waits until these nodes agree on a DC and on who is there.
    fn settle(&self, ids: &[usize]) -> String {
        wait(&format!("{ids:?} to agree"), || {
            let states: Vec<Status> = ids.iter().map(|id| self.status(*id)).collect::<Option<_>>()?;
            let dc = states[0].dc.clone()?;
            let joined = |status: &Status| status.members.iter().filter(|member| member.joined).count();
            let agreed =
                states.iter().all(|status| status.dc.as_ref() == Some(&dc) && joined(status) == ids.len());
            agreed.then_some(dc)
        })
    }

    /// Node on which a Dummy's state file is.
    fn host_of(&self, resource: &str) -> Option<usize> {
        let hosts: Vec<usize> = (1..=self.daemons.len())
            .filter(|id| self.state(*id).join(format!("scratch/Dummy-{resource}.state")).exists())
            .collect();
        assert!(hosts.len() < 2, "{resource} runs on {hosts:?}");
        hosts.first().copied()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for id in 1..=self.daemons.len() {
                let log = std::fs::read_to_string(self.state(id).join("daemon.log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(60).collect();
                eprintln!("--- node{id}");
                tail.iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
        for mut daemon in self.daemons.iter_mut().filter_map(Option::take) {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Exit code of a daemon that is about to end.
fn end(daemon: &mut Child) -> Option<i32> {
    wait("the end of a daemon", || daemon.try_wait().unwrap()).code()
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn change(client: &mut Client, operation: CibOperation, section: &str, xml: &str) {
    let mut change = CibChange::new(operation);
    change.section = Some(section.into());
    change.xml = Some(xml.into());
    change.client = "test".into();
    change.allow_create = true;
    client.change_cib(&change).unwrap();
}

/// Turns fencing off, which these clusters have none of.
fn without_fencing(client: &mut Client) {
    let xml = r#"<crm_config><cluster_property_set id="cib-bootstrap-options">
        <nvpair id="cib-bootstrap-options-stonith-enabled" name="stonith-enabled" value="false"/>
        </cluster_property_set></crm_config>"#;
    change(client, CibOperation::Modify, "crm_config", xml);
}

fn dummy(id: &str, extra: &str) -> String {
    format!(
        r#"<primitive id="{id}" class="ocf" provider="pacemaker" type="Dummy">{extra}
           <operations><op id="{id}-monitor-10s" name="monitor" interval="10s"/></operations></primitive>"#
    )
}

fn one_node_starts_and_stops() {
    let mut cluster = Cluster::new(1);
    let mut client = cluster.client(1);
    assert_eq!(cluster.settle(&[1]), "node1");
    let status = client.status().unwrap();
    assert!(status.quorate && status.state == "dc", "{status:?}");
    let text = client.cib(&CibQuery { section: Some("crm_config".into()), ..CibQuery::default() }).unwrap();
    assert!(text.contains("dc-version"), "{text}");
    match client.cib(&CibQuery { xpath: Some("//nothing".into()), ..CibQuery::default() }) {
        Err(Error::Refused(problem)) => assert_eq!(problem.exit_code, 105),
        other => panic!("{other:?}"),
    }
    let events = cluster.client(1).events(&EventQuery { after: Some(0), no_follow: true }).unwrap();
    let kinds: Vec<String> = events.map(|event| event.unwrap().kind).collect();
    assert!(kinds.contains(&"membership".to_owned()) && kinds.contains(&"join".to_owned()), "{kinds:?}");
    client.operate(&Operation::Shutdown { now: false }).unwrap();
    assert_eq!(end(cluster.daemons[0].as_mut().unwrap()), Some(0));
    assert!(!cluster.state(1).join("api.sock").exists());
}

fn three_nodes_run_a_resource_and_survive() {
    let began = Instant::now();
    let mut cluster = Cluster::new(3);
    cluster.settle(&[1, 2, 3]);
    println!("  three nodes agree after {} ms", began.elapsed().as_millis());
    let mut client = cluster.client(1);
    without_fencing(&mut client);
    change(&mut client, CibOperation::Create, "resources", &dummy("D", ""));
    let host = wait("D to run", || cluster.host_of("D"));
    println!("  D runs on node{host} after {} ms", began.elapsed().as_millis());
    client.operate(&Operation::WaitSettled).unwrap();
    for id in 1..=3 {
        let text = cluster.client(id).cib(&CibQuery::default()).unwrap();
        assert!(text.contains("D_monitor_10000"), "node{id}: {text}");
    }
    // rules 4.39.1 and 4.39.3: the coordinator has saved what it planned from, and only it
    let inputs = |id: usize| std::fs::read_dir(cluster.state(id).join("pengine")).unwrap().count();
    let saved = wait("a saved input", || {
        (1..=3).map(|id| cluster.state(id).join("pengine/pe-input-0.bz2")).find(|path| path.exists())
    });
    wait("its text", || {
        let text = std::io::read_to_string(bzip2::read::BzDecoder::new(std::fs::File::open(&saved).unwrap()));
        text.ok().filter(|text| text.contains("execution-date"))
    });
    assert_eq!((1..=3).filter(|id| inputs(*id) > 0).count(), 1);

    // death of the node that runs it; its file stays, as on a dead machine's disk
    cluster.kill(host);
    std::fs::remove_file(cluster.state(host).join("scratch/Dummy-D.state")).unwrap();
    let others: Vec<usize> = (1..=3).filter(|id| *id != host).collect();
    cluster.settle(&others);
    let next = wait("D to run again", || cluster.host_of("D"));
    assert_ne!(next, host);
    cluster.start(host);
    cluster.settle(&[1, 2, 3]);
    cluster.client(next).operate(&Operation::WaitSettled).unwrap();

    // a daemon's death and return disturb no running service: here of the node where it runs, cut short
    let file = cluster.state(next).join("scratch/Dummy-D.state");
    let now = wait("D to be settled", || cluster.host_of("D"));
    assert!(now == next && file.exists());

    // standby moves it
    let mut client = cluster.client(host);
    client
        .operate(&Operation::Standby { node: Some(format!("node{next}")), on: true, until_restart: false })
        .unwrap();
    wait("D to move", || cluster.host_of("D").filter(|id| *id != next));

    // an orderly end of all
    for daemon in cluster.daemons.iter_mut().flatten() {
        let pid = rustix::process::Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
    for daemon in cluster.daemons.iter_mut().flatten() {
        assert_eq!(end(daemon), Some(0));
    }
}

fn a_damaged_file_is_replaced() {
    let mut cluster = Cluster::new(1);
    cluster.settle(&[1]);
    let mut client = cluster.client(1);
    without_fencing(&mut client);
    let file = cluster.state(1).join("cib/cib.xml");
    wait("the first change to be on disk", || {
        std::fs::read_to_string(&file).ok().filter(|text| text.contains("stonith-enabled"))
    });
    change(
        &mut client,
        CibOperation::Create,
        "resources",
        &dummy(
            "D",
            r#"<meta_attributes id="m"><nvpair id="m-t" name="target-role" value="Stopped"/></meta_attributes>"#,
        ),
    );
    wait("the change to be on disk", || {
        std::fs::read_to_string(&file).ok().filter(|text| text.contains("\"D\""))
    });
    cluster.kill(1);
    // torn while it was written
    let text = std::fs::read(&file).unwrap();
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    cluster.start(1);
    cluster.settle(&[1]);
    let status = cluster.client(1).status().unwrap();
    assert!(status.problems.iter().any(|line| line.contains("earlier copy")), "{:?}", status.problems);
    let text = cluster.client(1).cib(&CibQuery::default()).unwrap();
    assert!(text.contains("stonith-enabled"), "{text}");
}

fn agents_of_a_killed_daemon_are_waited_for() {
    let mut cluster = Cluster::new(1);
    cluster.settle(&[1]);
    let mut client = cluster.client(1);
    without_fencing(&mut client);
    let slow =
        r#"<instance_attributes id="D-i"><nvpair id="D-s" name="op_sleep" value="3"/></instance_attributes>"#;
    change(&mut client, CibOperation::Create, "resources", &dummy("D", slow));
    wait("the first probe to run", || cluster.status(1).filter(|status| !status.operations.is_empty()));
    let file = cluster.state(1).join("cib/cib.xml");
    wait("the change to be on disk", || {
        std::fs::read_to_string(&file).ok().filter(|text| text.contains("\"D\""))
    });
    cluster.kill(1);
    cluster.start(1);
    cluster.settle(&[1]);
    wait("D to run", || cluster.host_of("D"));
}

fn attributes_are_everywhere() {
    let cluster = Cluster::new(3);
    cluster.settle(&[1, 2, 3]);
    let set =
        AttributeChange { name: "colour".into(), value: Some("blue".into()), ..AttributeChange::default() };
    cluster.client(2).change_attribute(&set).unwrap();
    // visible at once where it was set (rule 4.14.3)
    let query = AttributeQuery { name: Some("colour".into()), node: None };
    assert_eq!(cluster.client(2).attributes(&query).unwrap()[0].value, "blue");
    for id in 1..=3 {
        wait("the attribute", || {
            cluster
                .client(id)
                .attributes(&query)
                .ok()
                .filter(|list| list.len() == 1 && list[0].node == "node2")
        });
        wait("the attribute in the CIB", || {
            cluster.client(id).cib(&CibQuery::default()).ok().filter(|text| text.contains("status-2-colour"))
        });
    }
}

fn a_second_daemon_is_refused() {
    let mut cluster = Cluster::new(1);
    cluster.settle(&[1]);
    let first = cluster.daemons[0].take();
    cluster.start(1);
    assert_eq!(end(cluster.daemons[0].as_mut().unwrap()), Some(1));
    cluster.daemons[0] = first;
    assert!(cluster.client(1).status().is_ok());
}

impl Cluster {
    fn pid(&self, id: usize) -> u32 {
        self.daemons[id - 1].as_ref().unwrap().id()
    }
}
