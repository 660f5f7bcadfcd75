//! One suite for every engine, with real processes: total order, views, virtual synchrony, messages of any
//! size, death of any process, partitions and merges. The Corosync part boots hosts made of namespaces and
//! therefore needs root and Corosync; it runs where `SYSTOLE_LIVE` is set (`cargo xtask test` does so).

#![allow(clippy::unwrap_used)] // a test may

#[path = "../../xtask/src/live/corosync.rs"]
mod corosync;
#[path = "../../xtask/src/live/hosts.rs"]
#[allow(dead_code)] // the lab uses more of it
mod hosts;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use messaging::embedded;
use messaging::{Choice, Event};

const PATIENT: Duration = Duration::from_secs(60);

/// A member in a process of its own: prints its events, sends each line of its input.
#[test]
fn member_process() {
    let Ok(node) = std::env::var("ENGINE_TEST_NODE") else { return };
    let choice = match std::env::var_os("ENGINE_TEST_BUS") {
        Some(bus) => Choice::Embedded { bus: bus.into(), node },
        None => Choice::Corosync,
    };
    let (engine, mut events) = messaging::open(Some(choice)).unwrap_or_else(|error| panic!("{error}"));
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["burst", count] => (0..count.parse().unwrap()).for_each(|index: u32| {
                    engine.broadcast(format!("{} {index}", engine.local().name).into_bytes()).unwrap();
                }),
                ["large", text, size] => engine.broadcast(large(text, size.parse().unwrap())).unwrap(),
                ["leave"] => {
                    engine.leave();
                    break;
                }
                _ => engine.broadcast(line.into_bytes()).unwrap(),
            }
        }
        std::process::exit(0);
    });
    let mut out = std::io::stdout();
    while let Some(event) = events.blocking_recv() {
        match event {
            Event::View(view) => {
                let list = |ids: &[messaging::NodeId]| {
                    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
                };
                let (members, hosts) = (list(&view.members), list(&view.hosts));
                writeln!(out, "@view {} {members} {} {hosts}", view.id.0, view.quorate).unwrap();
            }
            Event::Message { from, payload } => {
                writeln!(out, "@message {from} {}", summary(&payload)).unwrap();
            }
            Event::Unreadable { from, problem } => writeln!(out, "@unreadable {from} {problem}").unwrap(),
            Event::Lost { reason } => writeln!(out, "@lost {reason}").unwrap(),
        }
        out.flush().unwrap();
    }
}

/// A message of that size that cannot be mistaken for another.
fn large(text: &str, size: usize) -> Vec<u8> {
    format!("{text} ").bytes().cycle().take(size).collect()
}

/// What a message says; of a large one its beginning, its length, and whether it is whole.
fn summary(payload: &[u8]) -> String {
    let text = String::from_utf8(payload.to_vec()).unwrap();
    if text.len() < 1000 {
        return text;
    }
    let word = text.split(' ').next().unwrap();
    let whole = payload == large(word, payload.len());
    format!("{word} {} {}", payload.len(), if whole { "whole" } else { "DAMAGED" })
}

/// A view as a member saw it, with the messages delivered in it.
struct SeenView {
    id: u64,
    members: String,
    quorate: bool,
    hosts: String,
    messages: Vec<String>,
}

/// What a member has seen.
#[derive(Default)]
struct Seen {
    views: Vec<SeenView>,
    lost: Option<String>,
}

struct Member {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    seen: Seen,
}

impl Member {
    fn start(mut command: Command, node: &str) -> Member {
        let mut child = command
            .args(["member_process", "--exact", "--nocapture", "--test-threads=1"])
            .env("ENGINE_TEST_NODE", node)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (lines_in, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // the test harness writes its own words before the first of ours, on the same line
                let Some(start) = line.find('@') else { continue };
                if lines_in.send(line[start..].to_owned()).is_err() {
                    return;
                }
            }
        });
        Member { child, stdin, lines, seen: Seen::default() }
    }

    fn send(&mut self, text: &str) {
        writeln!(self.stdin, "{text}").unwrap();
    }

    /// The process itself: below the commands that brought it into its host.
    fn pid(&self) -> u32 {
        let mut pid = self.child.id();
        loop {
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            match children.unwrap_or_default().split_whitespace().next() {
                Some(child) => pid = child.parse().unwrap(),
                None => return pid,
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        // the command that brought it into its host stops with it, and must be told to go on by itself
        if name != "-STOP" && self.pid() != self.child.id() {
            let _ = Command::new("kill").args(["-CONT", &self.child.id().to_string()]).status();
        }
    }

    fn kill(&mut self) {
        self.signal("-KILL");
        self.child.wait().unwrap();
        while let Ok(line) = self.lines.recv() {
            self.note(&line);
        }
    }

    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        match words[0] {
            "@view" => self.note_view(&words),
            "@message" => self.seen.views.last_mut().unwrap().messages.push(words[1..].join(" ")),
            "@lost" => self.seen.lost = Some(words[1..].join(" ")),
            _ => panic!("unexpected: {line}"),
        }
    }

    fn note_view(&mut self, words: &[&str]) {
        assert!(self.seen.lost.is_none(), "nothing follows the end");
        let view = SeenView {
            id: words[1].parse().unwrap(),
            members: words[2].to_owned(),
            quorate: words[3] == "true",
            hosts: words[4].to_owned(),
            messages: Vec::new(),
        };
        match self.seen.views.last_mut().filter(|last| last.id == view.id) {
            // only quorum or hosts without a manager changed
            Some(last) => {
                assert_eq!(last.members, view.members);
                (last.quorate, last.hosts) = (view.quorate, view.hosts);
            }
            None => self.seen.views.push(view),
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENT;
        while !done(&self.seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| {
                panic!(
                    "waited in vain for {what}; views: {:?}; lost: {:?}",
                    self.seen.views.iter().map(|v| (v.id, &v.members, v.quorate)).collect::<Vec<_>>(),
                    self.seen.lost
                )
            });
            self.note(&line);
        }
    }

    fn until_view(&mut self, members: &str) {
        self.until(members, |seen| seen.views.last().is_some_and(|view| view.members == members));
    }

    fn until_quorum(&mut self, quorate: bool) {
        self.until("quorum", |seen| seen.views.last().is_some_and(|view| view.quorate == quorate));
    }

    fn until_message(&mut self, text: &str) {
        self.until(text, |seen| {
            seen.views.iter().any(|view| view.messages.iter().any(|message| message.ends_with(text)))
        });
    }

    fn until_lost(&mut self) {
        self.until("the loss of the engine", |seen| seen.lost.is_some());
    }

    fn take_seen(mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("-KILL");
        }
        let _ = self.child.wait();
    }
}

/// Where members run.
enum World {
    Embedded(tempfile::TempDir),
    Corosync(Box<hosts::Hosts>),
}

impl World {
    fn embedded() -> World {
        let directory = tempfile::tempdir().unwrap();
        embedded::create(directory.path(), "test", &["node1", "node2", "node3"]).unwrap();
        World::Embedded(directory)
    }

    /// Three hosts with Corosync.
    fn corosync(quorum: &[&str], count: usize) -> World {
        let mut hosts = hosts::Hosts::boot(count).unwrap();
        let quorum = quorum.iter().map(|line| (*line).to_owned()).collect();
        let settings = corosync::Settings { token: Some(1000), quorum };
        corosync::configure(&hosts, &settings).unwrap();
        for name in hosts.names() {
            corosync::start(&mut hosts, &name).unwrap();
        }
        World::Corosync(Box::new(hosts))
    }

    fn member(&self, node: &str) -> Member {
        let program = std::env::current_exe().unwrap();
        match self {
            World::Embedded(bus) => {
                let mut command = Command::new(program);
                command.env("ENGINE_TEST_BUS", bus.path());
                Member::start(command, node)
            }
            World::Corosync(hosts) => {
                Member::start(hosts.command(node, &program.to_string_lossy()).unwrap(), node)
            }
        }
    }

    fn cut(&self, node: &str) {
        match self {
            World::Embedded(bus) => embedded::cut(bus.path(), node).unwrap(),
            World::Corosync(hosts) => hosts.cut(node).unwrap(),
        }
    }

    fn heal(&self, node: &str) {
        match self {
            World::Embedded(bus) => embedded::heal(bus.path(), node).unwrap(),
            World::Corosync(hosts) => hosts.heal(node).unwrap(),
        }
    }

    /// Three members; node1 is the first and so carries the switch of the embedded bus.
    fn three(&self) -> Vec<Member> {
        let mut members = vec![self.member("node1")];
        members[0].until_view("1");
        members.extend(["node2", "node3"].map(|name| self.member(name)));
        members.iter_mut().for_each(|member| member.until_view("1,2,3"));
        members
    }
}

/// Members that go from the same view into the same next view have delivered the same in it.
fn check_virtual_synchrony(seen: &[&Seen]) {
    let mut delivered: BTreeMap<(u64, u64), &Vec<String>> = BTreeMap::new();
    for pair in seen.iter().flat_map(|seen| seen.views.windows(2)) {
        let key = (pair[0].id, pair[1].id);
        let before = delivered.entry(key).or_insert(&pair[0].messages);
        assert_eq!(*before, &pair[0].messages, "moved from view {} to {} together", key.0, key.1);
    }
    for view in seen.iter().flat_map(|seen| &seen.views) {
        let other = seen.iter().flat_map(|seen| &seen.views).find(|other| other.id == view.id).unwrap();
        assert_eq!(other.members, view.members, "one view, one membership");
    }
}

/// The scenarios that hold for every engine.
macro_rules! every_engine {
    ($($name:ident),*) => {
        mod on_the_embedded_bus {
            $(#[test] fn $name() { super::$name(&super::World::embedded()); })*
        }
        mod on_corosync {
            $(#[test] fn $name() {
                super::live(|| super::$name(&super::World::corosync(&[], 3)));
            })*
        }
    };
}

/// Runs where hosts may be made, one at a time: they all have the same addresses.
fn live(scenario: impl FnOnce()) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if std::env::var_os("SYSTOLE_LIVE").is_some() {
        scenario();
    }
}

every_engine!(
    all_members_see_one_order,
    death_of_any_process_stops_nobody_else,
    a_border_divides_and_heals,
    a_process_that_is_stopped_and_goes_on_keeps_the_order,
    large_messages_arrive_whole_and_in_order,
    a_change_of_members_does_not_tear_a_large_message
);

fn all_members_see_one_order(world: &World) {
    let mut members = world.three();
    for member in &mut members {
        member.send("burst 500");
    }
    for member in &mut members {
        for node in 1..=3 {
            member.until_message(&format!("node{node} 499"));
        }
    }
    let last: Vec<&Vec<String>> =
        members.iter().map(|member| &member.seen.views.last().unwrap().messages).collect();
    assert_eq!(last[0].len(), 1500);
    assert!(last[0] == last[1] && last[1] == last[2]);
    assert!(members[0].seen.views.last().unwrap().quorate, "three of three have quorum");
}

fn death_of_any_process_stops_nobody_else(world: &World) {
    let mut members = world.three();
    let mut past: Vec<Seen> = Vec::new();
    // whichever of them carries the switch is among the victims
    for victim in [0, 1, 2, 0] {
        for member in &mut members {
            member.send("burst 300");
        }
        members[(victim + 1) % 3].until_message("299");
        members[victim].kill();
        let left: Vec<String> =
            (1..=3).filter(|id| *id != victim + 1).map(|id: usize| id.to_string()).collect();
        for other in (0..3).filter(|other| *other != victim) {
            members[other].until_view(&left.join(","));
        }
        // nothing of those that live is lost
        for sender in (0..3).filter(|other| *other != victim) {
            let text = format!("{sender} after {victim} at {}", past.len());
            members[sender].send(&text);
            for other in (0..3).filter(|other| *other != victim) {
                members[other].until_message(&text);
            }
        }
        let again = world.member(&format!("node{}", victim + 1));
        past.push(std::mem::replace(&mut members[victim], again).take_seen());
        members.iter_mut().for_each(|member| member.until_view("1,2,3"));
    }
    let seen: Vec<&Seen> = past.iter().chain(members.iter().map(|member| &member.seen)).collect();
    check_virtual_synchrony(&seen);
    for (index, member) in members.iter().enumerate() {
        let own: Vec<&String> = member.seen.views.iter().flat_map(|view| &view.messages).collect();
        let mut unique = own.iter().filter(|text| text.contains("after")).collect::<Vec<_>>();
        let count = unique.len();
        unique.dedup();
        assert_eq!(count, unique.len(), "node{} got something twice", index + 1);
    }
}

fn a_border_divides_and_heals(world: &World) {
    let mut members = world.three();
    world.cut("node2");
    members[0].until_view("1,3");
    members[1].until_view("2");
    members[0].until_quorum(true);
    members[1].until_quorum(false);
    members[1].send("alone");
    members[0].send("together");
    members[1].until_message("alone");
    members[2].until_view("1,3");
    members[2].until_message("together");
    world.heal("node2");
    members.iter_mut().for_each(|member| member.until_view("1,2,3"));
    members[1].send("all again");
    members.iter_mut().for_each(|member| member.until_message("all again"));
    check_virtual_synchrony(&members.iter().map(|member| &member.seen).collect::<Vec<_>>());
    for member in [&members[0], &members[2]] {
        let heard = |view: &SeenView| view.messages.iter().any(|text| text.contains("alone"));
        assert!(!member.seen.views.iter().any(heard));
    }
    // no view that a minority saw had quorum, not even for a moment
    let minority = |view: &&SeenView| view.hosts == "2";
    assert!(members[1].seen.views.iter().filter(minority).all(|view| !view.quorate));
}

fn a_process_that_is_stopped_and_goes_on_keeps_the_order(world: &World) {
    let mut members = world.three();
    // the one that carries the switch, if there is one
    members[0].signal("-STOP");
    members[1].send("while it is stopped");
    members[1].until_message("while it is stopped");
    members[2].until_message("while it is stopped");
    members[0].signal("-CONT");
    members.iter_mut().for_each(|member| member.until_view("1,2,3"));
    members[0].send("back again");
    members.iter_mut().for_each(|member| member.until_message("back again"));
    check_virtual_synchrony(&members.iter().map(|member| &member.seen).collect::<Vec<_>>());
}

fn large_messages_arrive_whole_and_in_order(world: &World) {
    let mut members = world.three();
    members[0].send("before");
    for size in [131_072, 131_073, 1 << 20, 10 << 20] {
        members[0].send(&format!("large one{size} {size}"));
        members[1].send(&format!("large two{size} {size}"));
    }
    members[0].send("after");
    for member in &mut members {
        member.until_message("after");
        member.until_message(&format!("two{0} {0} whole", 10 << 20));
        let all = &member.seen.views.last().unwrap().messages;
        assert!(all.iter().all(|text| !text.contains("DAMAGED")), "{all:?}");
        let first: Vec<&String> = all.iter().filter(|text| text.starts_with("1 ")).collect();
        assert_eq!(first.len(), 6);
        assert!(first[0].ends_with("before") && first[5].ends_with("after"));
    }
}

fn a_change_of_members_does_not_tear_a_large_message(world: &World) {
    let mut members = world.three();
    for round in 0..3 {
        members[0].send(&format!("large round{round} {}", 8 << 20));
        members[0].send(&format!("behind {round}"));
        members[2].kill();
        let again = world.member("node3");
        members[2] = again;
        for member in &mut members[..2] {
            member.until_message(&format!("behind {round}"));
        }
        members.iter_mut().for_each(|member| member.until_view("1,2,3"));
    }
    for member in &members[..2] {
        let all: Vec<&String> = member.seen.views.iter().flat_map(|view| &view.messages).collect();
        let order: Vec<&str> = all.iter().map(|text| text.as_str()).collect();
        let expected: Vec<String> = (0..3)
            .flat_map(|round| [format!("1 round{round} {} whole", 8 << 20), format!("1 behind {round}")])
            .collect();
        assert_eq!(order, expected);
    }
    check_virtual_synchrony(&members[..2].iter().map(|member| &member.seen).collect::<Vec<_>>());
}

#[test]
fn an_orderly_leave_of_corosync_keeps_the_last_words() {
    live(|| {
        let world = World::corosync(&[], 3);
        let mut members = world.three();
        members[2].send("burst 50");
        members[2].send("leave");
        for member in &mut members[..2] {
            member.until_view("1,2");
            let before = &member.seen.views[member.seen.views.len() - 2];
            assert!(before.messages.last().is_some_and(|text| text.ends_with("node3 49")), "the last words");
        }
    });
}

#[test]
fn a_switch_that_is_stopped_is_deposed_and_comes_back() {
    let world = World::embedded();
    let mut members = world.three();
    members[0].signal("-STOP");
    members[1].send("into the void or not");
    members[1].until_view("2,3");
    members[2].until_view("2,3");
    members[2].send("without the first");
    members[1].until_message("without the first");
    members[0].signal("-CONT");
    members.iter_mut().for_each(|member| member.until_view("1,2,3"));
    members[0].send("back again");
    members.iter_mut().for_each(|member| member.until_message("back again"));
    check_virtual_synchrony(&members.iter().map(|member| &member.seen).collect::<Vec<_>>());
}

#[test]
fn a_border_is_at_once_and_outlives_the_switch() {
    let world = World::embedded();
    let mut members = world.three();
    world.cut("node2");
    members[0].until_view("1,3");
    members[2].until_view("1,3");
    members[1].until_view("2");
    members[0].kill();
    members[2].until_view("3");
    members[1].until("a new view", |seen| seen.views.iter().filter(|view| view.members == "2").count() == 2);
    members[0] = world.member("node1");
    members[0].until_view("1,3");
    world.heal("node2");
    members.iter_mut().for_each(|member| member.until_view("1,2,3"));
}

#[test]
fn a_frozen_corosync_is_lost_and_a_killed_one_too() {
    live(|| {
        let mut world = World::corosync(&[], 3);
        for signal in ["-STOP", "-KILL"] {
            let mut members = world.three();
            let World::Corosync(hosts) = &mut world else { return };
            assert_eq!(hosts.signal("node1", "corosync", signal).unwrap(), 1);
            members[1].until_view("2,3");
            members[2].until_view("2,3");
            members[1].until_quorum(true);
            members[0].until_lost();
            members[2].send("without the first");
            members[1].until_message("without the first");
            // Corosync back: a new run of the member joins again
            members[0].kill();
            if signal == "-STOP" {
                hosts.signal("node1", "corosync", "-CONT").unwrap();
            } else {
                corosync::start(hosts, "node1").unwrap();
            }
            members[0] = world.member("node1");
            members.iter_mut().for_each(|member| member.until_view("1,2,3"));
        }
    });
}

#[test]
fn a_host_without_a_member_is_a_host() {
    live(|| {
        let world = World::corosync(&[], 3);
        let mut members = world.three();
        members[2].kill();
        members[0].until_view("1,2");
        members[0].until("three hosts", |seen| seen.views.last().is_some_and(|view| view.hosts == "1,2,3"));
        world.cut("node3");
        members[0].until("two hosts", |seen| seen.views.last().is_some_and(|view| view.hosts == "1,2"));
        assert_eq!(members[0].seen.views.last().unwrap().members, "1,2");
    });
}

#[test]
fn one_of_two_keeps_quorum_with_two_node() {
    live(|| {
        let world = World::corosync(&["two_node: 1"], 2);
        let mut members = [world.member("node1"), world.member("node2")];
        members.iter_mut().for_each(|member| member.until_view("1,2"));
        members[0].until_quorum(true);
        world.cut("node2");
        members[0].until_view("1");
        members[1].until_view("2");
        members[0].until_quorum(true);
        members[1].until_quorum(true);
    });
}

#[test]
fn rubbish_on_the_socket_harms_nobody() {
    let world = World::embedded();
    let World::Embedded(bus) = &world else { return };
    let mut members = world.three();
    for rubbish in
        [&b"\xff\xff\xff\xffxxxx"[..], b"\x01\0\0\0\x63", b"\x03\0\0\0\x01{}", b"GET / HTTP/1.1\r\n\r\n", b""]
    {
        let mut stream = std::os::unix::net::UnixStream::connect(bus.path().join("switch.sock")).unwrap();
        stream.write_all(rubbish).unwrap();
    }
    members[2].send("still here");
    members.iter_mut().for_each(|member| member.until_message("still here"));
    assert!(members.iter().all(|member| member.seen.views.last().unwrap().members == "1,2,3"));
}

#[test]
fn one_daemon_a_node() {
    let world = World::embedded();
    let World::Embedded(bus) = &world else { return };
    let mut first = world.member("node1");
    first.until_view("1");
    let choice = Choice::Embedded { bus: bus.path().into(), node: "node1".into() };
    let Err(error) = messaging::open(Some(choice)) else { panic!("two daemons are one node") };
    assert!(error.to_string().contains("running already"), "{error}");
    assert_eq!(embedded::process_of(bus.path(), "node1").unwrap(), Some(first.child.id()));
    let choice = Choice::Embedded { bus: bus.path().into(), node: "node9".into() };
    let Err(error) = messaging::open(Some(choice)) else { panic!("an unknown node is on the bus") };
    assert!(error.to_string().contains("node1, node2, node3"), "{error}");
}
