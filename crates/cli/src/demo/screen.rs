//! The demonstration on a terminal: the live view of its three nodes, the website and commands to try.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use client::Client;

use super::website::Visitor;
use super::{Demo, NODES, Place, signals};
use crate::live::{self, Commands, Feed, Frame, Message, Source, Timeline};
use crate::session::Problem;

pub fn run(place: &Place) -> Result<ExitCode, Problem> {
    let demo = Demo::start(place, |line| println!("{line}"))?;
    let visitor = Visitor::start(demo.website);
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        on_terminal(&demo, &visitor)?;
    } else {
        as_text(&demo, &visitor);
    }
    drop(visitor);
    drop(demo);
    println!(
        "the demonstration and everything that it started has ended; its logs are in {}",
        place.directory().display()
    );
    Ok(ExitCode::SUCCESS)
}

fn source(place: &Place) -> Source {
    Source { journals: NODES.map(|node| place.socket(node)).to_vec(), after: Some(0), connect: newest }
}

/// A client of the DC, else of any node that answers: a node that was cut off knows least.
fn newest(sockets: &[PathBuf]) -> Result<Client, Problem> {
    let place = sockets.first().and_then(|socket| socket.parent()?.parent()).map(Place::at);
    place.ok_or_else(|| Problem::new(1, "no demonstration"))?.any_client()
}

/// Whether nothing of the demonstration is left, or somebody wants it to end.
fn ended(demo: &Demo) -> bool {
    signals::came() || !NODES.iter().any(|node| demo.place.is_running(node)) && demo.place.was_stopped()
}

fn on_terminal(demo: &Demo, visitor: &Visitor) -> Result<(), Problem> {
    let frame = Frame {
        title: "Systole: three nodes on this machine".to_owned(),
        pulse: Some(&|| pulse(demo, visitor)),
        commands: Some(commands(&demo.place)),
        ended: &|| ended(demo),
    };
    live::show(&source(&demo.place), &frame)
}

/// Whether the website answers, and in what words.
fn pulse(demo: &Demo, visitor: &Visitor) -> (bool, String) {
    match visitor.served_by() {
        Some(node) => (true, format!("http://{}/ answers: Hello from {node}", demo.website)),
        None => (false, format!("http://{}/ does not answer", demo.website)),
    }
}

/// Without a terminal: one line an event, until the demonstration is ended.
fn as_text(demo: &Demo, visitor: &Visitor) {
    let commands = commands(&demo.place);
    println!("{}:", commands.title);
    for line in &commands.list {
        println!("  {line}");
    }
    println!("an interrupt (Ctrl-C) or 'demo stop' ends the demonstration\n");
    let (sender, receiver) = sync_channel(1000);
    let feed = Feed::start(&source(&demo.place), &sender, false);
    let mut timeline = Timeline::default();
    let mut told = (false, String::new());
    while !ended(demo) {
        match receiver.recv_timeout(Duration::from_millis(200)) {
            Ok(Message::Event(event)) => {
                if let Some(entry) = timeline.add(event) {
                    let (clock, mark, text) = live::line(entry);
                    println!("{clock} {mark} {text}");
                }
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = pulse(demo, visitor);
        if now != told {
            println!("{}", now.1);
            told = now;
        }
    }
    feed.stop();
}

/// What to try in another terminal.
fn commands(place: &Place) -> Commands {
    let list = [
        "systole status",
        "systole why Website",
        "pcs status",
        "systole demo kill node1",
        "systole demo start node1",
        "systole demo cut node2",
        "systole demo heal node2",
        "pcs node standby node1",
        "pcs node unstandby node1",
        "pcs resource move Website node3",
        "crm_simulate -LS -d node1",
        "systole events -f",
    ];
    Commands {
        title: format!("Try in another terminal, after:  . {}", place.settings().display()),
        list: list.map(str::to_owned).to_vec(),
    }
}
