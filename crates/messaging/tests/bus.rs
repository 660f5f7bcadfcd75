//! The embedded bus with real processes: total order, virtual synchrony, death of any process, borders.

#![allow(clippy::unwrap_used)] // a test may

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use messaging::embedded;
use messaging::{Choice, Event};

const PATIENT: Duration = Duration::from_secs(60);

/// A member in a process of its own: prints its events, sends each line of its input.
#[test]
fn member_process() {
    let Ok(node) = std::env::var("BUS_TEST_NODE") else { return };
    let bus = std::env::var("BUS_TEST_DIRECTORY").unwrap().into();
    let (engine, mut events) = messaging::open(Some(Choice::Embedded { bus, node })).unwrap();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let line = line.unwrap();
            match line.strip_prefix("burst ") {
                Some(count) => (0..count.parse().unwrap()).for_each(|index: u32| {
                    engine.broadcast(format!("{} {index}", engine.local().name).into_bytes()).unwrap();
                }),
                None => engine.broadcast(line.into_bytes()).unwrap(),
            }
        }
        std::process::exit(0);
    });
    let mut out = std::io::stdout();
    while let Some(event) = events.blocking_recv() {
        match event {
            Event::View(view) => {
                let ids: Vec<String> = view.members.iter().map(ToString::to_string).collect();
                writeln!(out, "@view {} {} {}", view.id.0, ids.join(","), view.quorate).unwrap();
            }
            Event::Message { from, payload } => {
                writeln!(out, "@message {from} {}", String::from_utf8(payload).unwrap()).unwrap();
            }
            Event::Lost { reason } => writeln!(out, "@lost {reason}").unwrap(),
        }
        out.flush().unwrap();
    }
}

/// What a member has seen: its views, each with the messages delivered in it.
#[derive(Default)]
struct Seen {
    views: Vec<(u64, String, bool, Vec<String>)>,
}

struct Member {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    seen: Seen,
}

impl Member {
    fn start(bus: &Path, node: &str) -> Member {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["member_process", "--exact", "--nocapture", "--test-threads=1"])
            .env("BUS_TEST_NODE", node)
            .env("BUS_TEST_DIRECTORY", bus)
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

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        while let Ok(line) = self.lines.recv() {
            self.note(&line);
        }
    }

    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[0] {
            "@view" => {
                let view = (words[1].parse().unwrap(), words[2].to_owned(), words[3] == "true", Vec::new());
                self.seen.views.push(view);
            }
            "@message" => self.seen.views.last_mut().unwrap().3.push(words[1..].join(" ")),
            _ => panic!("unexpected: {line}"),
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENT;
        while !done(&self.seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| {
                panic!(
                    "waited in vain for {what}; views: {:?}",
                    self.seen.views.iter().map(|v| (v.0, &v.1)).collect::<Vec<_>>()
                )
            });
            self.note(&line);
        }
    }

    fn until_view(&mut self, members: &str) {
        self.until(members, |seen| seen.views.last().is_some_and(|view| view.1 == members));
    }

    fn until_message(&mut self, text: &str) {
        self.until(text, |seen| {
            seen.views.iter().any(|view| view.3.iter().any(|message| message.ends_with(text)))
        });
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bus() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    embedded::create(directory.path(), "test", &["node1", "node2", "node3"]).unwrap();
    directory
}

/// Three members; node1 is the first and so carries the switch.
fn three(bus: &Path) -> Vec<Member> {
    let mut members = vec![Member::start(bus, "node1")];
    members[0].until_view("1");
    members.extend(["node2", "node3"].map(|name| Member::start(bus, name)));
    members.iter_mut().for_each(|member| member.until_view("1,2,3"));
    members
}

/// Members that go from the same view into the same next view have delivered the same in it.
fn check_virtual_synchrony(seen: &[&Seen]) {
    let mut delivered: BTreeMap<(u64, u64), &Vec<String>> = BTreeMap::new();
    for pair in seen.iter().flat_map(|seen| seen.views.windows(2)) {
        let key = (pair[0].0, pair[1].0);
        let before = delivered.entry(key).or_insert(&pair[0].3);
        assert_eq!(*before, &pair[0].3, "moved from view {} to {} together", key.0, key.1);
    }
    for view in seen.iter().flat_map(|seen| &seen.views) {
        let other = seen.iter().flat_map(|seen| &seen.views).find(|other| other.0 == view.0).unwrap();
        assert_eq!((&other.1, other.2), (&view.1, view.2), "one view, one membership");
        let shorter = view.3.len().min(other.3.len());
        assert_eq!(view.3[..shorter], other.3[..shorter], "one order in view {}", view.0);
    }
}

#[test]
fn all_members_see_one_order() {
    let bus = bus();
    let mut members = three(bus.path());
    for member in &mut members {
        member.send("burst 500");
    }
    for member in &mut members {
        for node in 1..=3 {
            member.until_message(&format!("node{node} 499"));
        }
    }
    let last: Vec<&Vec<String>> = members.iter().map(|member| &member.seen.views.last().unwrap().3).collect();
    assert_eq!(last[0].len(), 1500);
    assert!(last[0] == last[1] && last[1] == last[2]);
    assert!(members[0].seen.views.last().unwrap().2, "three of three have quorum");
}

#[test]
fn death_of_any_process_stops_nobody_else() {
    let bus = bus();
    let mut members = three(bus.path());
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
        let again = Member::start(bus.path(), &format!("node{}", victim + 1));
        past.push(std::mem::replace(&mut members[victim], again).take_seen());
        members.iter_mut().for_each(|member| member.until_view("1,2,3"));
    }
    let seen: Vec<&Seen> = past.iter().chain(members.iter().map(|member| &member.seen)).collect();
    check_virtual_synchrony(&seen);
    for (index, member) in members.iter().enumerate() {
        let own: Vec<&String> = member.seen.views.iter().flat_map(|view| &view.3).collect();
        let mut unique = own.iter().filter(|text| text.contains("after")).collect::<Vec<_>>();
        let count = unique.len();
        unique.dedup();
        assert_eq!(count, unique.len(), "node{} got something twice", index + 1);
    }
}

#[test]
fn a_border_divides_at_once_and_heals() {
    let bus = bus();
    let mut members = three(bus.path());
    embedded::cut(bus.path(), "node2").unwrap();
    members[0].until_view("1,3");
    members[1].until_view("2");
    assert!(members[0].seen.views.last().unwrap().2);
    assert!(!members[1].seen.views.last().unwrap().2, "one of three has no quorum");
    members[1].send("alone");
    members[0].send("together");
    members[1].until_message("alone");
    members[2].until_view("1,3");
    members[2].until_message("together");
    // the border outlives the switch
    members[0].kill();
    members[2].until_view("3");
    members[1].until("a new view", |seen| seen.views.iter().filter(|view| view.1 == "2").count() == 2);
    members[0] = Member::start(bus.path(), "node1");
    members[0].until_view("1,3");
    embedded::heal(bus.path(), "node2").unwrap();
    members.iter_mut().for_each(|member| member.until_view("1,2,3"));
    check_virtual_synchrony(&members.iter().map(|member| &member.seen).collect::<Vec<_>>());
    for member in [&members[0], &members[2]] {
        assert!(member.seen.views.iter().all(|view| view.3.iter().all(|text| !text.contains("alone"))));
    }
}

#[test]
fn a_process_that_is_stopped_is_lost_and_comes_back() {
    let bus = bus();
    let mut members = three(bus.path());
    let signal = |member: &Member, name: &str| {
        let pid = member.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    // the one that carries the switch
    signal(&members[0], "-STOP");
    members[1].send("into the void or not");
    members[1].until_view("2,3");
    members[2].until_view("2,3");
    members[2].send("without the first");
    members[1].until_message("without the first");
    signal(&members[0], "-CONT");
    members.iter_mut().for_each(|member| member.until_view("1,2,3"));
    members[0].send("back again");
    members.iter_mut().for_each(|member| member.until_message("back again"));
    check_virtual_synchrony(&members.iter().map(|member| &member.seen).collect::<Vec<_>>());
}

#[test]
fn rubbish_on_the_socket_harms_nobody() {
    let bus = bus();
    let mut members = three(bus.path());
    for rubbish in
        [&b"\xff\xff\xff\xffxxxx"[..], b"\x01\0\0\0\x63", b"\x03\0\0\0\x01{}", b"GET / HTTP/1.1\r\n\r\n", b""]
    {
        let mut stream = std::os::unix::net::UnixStream::connect(bus.path().join("switch.sock")).unwrap();
        stream.write_all(rubbish).unwrap();
    }
    members[2].send("still here");
    members.iter_mut().for_each(|member| member.until_message("still here"));
    assert!(members.iter().all(|member| member.seen.views.last().unwrap().1 == "1,2,3"));
}

#[test]
fn one_daemon_a_node() {
    let bus = bus();
    let mut first = Member::start(bus.path(), "node1");
    first.until_view("1");
    let choice = Choice::Embedded { bus: bus.path().into(), node: "node1".into() };
    let Err(error) = messaging::open(Some(choice)) else { panic!("two daemons are one node") };
    assert!(error.to_string().contains("running already"), "{error}");
    assert_eq!(embedded::process_of(bus.path(), "node1").unwrap(), Some(first.child.id()));
    let choice = Choice::Embedded { bus: bus.path().into(), node: "node9".into() };
    let Err(error) = messaging::open(Some(choice)) else { panic!("an unknown node is on the bus") };
    assert!(error.to_string().contains("node1, node2, node3"), "{error}");
}

impl Member {
    fn take_seen(mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }
}
