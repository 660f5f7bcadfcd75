//! `systole watch`: the cluster, drawn anew when something changes.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use client::Client;
use view::api;

use crate::live::{self, Frame, Source};
use crate::outlook::Outlook;
use crate::session::{Problem, parse};

/// How long the text may stay as it is while nothing happens, so that times stay true.
const IDLE: Duration = Duration::from_secs(5);

/// `systole watch` and `crm_mon` without `-1`.
pub fn run() -> ExitCode {
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    match if on_terminal { show() } else { print() } {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("systole watch: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

/// The live view. A node that ends while it is watched is waited for.
fn show() -> Result<(), Problem> {
    let socket = Client::default_socket();
    let status = Client::connect(&socket)?.status()?;
    let cluster = status.cluster.map(|name| format!("{name} ")).unwrap_or_default();
    let source = Source { journals: vec![socket], after: Some(0), connect: first };
    let frame = Frame {
        title: format!("{cluster}as {} sees it", status.node),
        pulse: None,
        commands: None,
        ended: &|| false,
    };
    live::show(&source, &frame)
}

fn first(sockets: &[PathBuf]) -> Result<Client, Problem> {
    let socket = sockets.first().ok_or_else(|| Problem::new(1, "no socket"))?;
    Ok(Client::connect(socket)?)
}

/// Not on a terminal: the whole status each time.
fn print() -> Result<(), Problem> {
    print_once()?;
    loop {
        let client = Client::connect(Client::default_socket())?;
        let mut events = client.events(&api::EventQuery::default())?;
        while !events.ended() {
            if events.next_within(IDLE)?.is_none() {
                continue;
            }
            // what comes together is told once
            while events.next_within(Duration::from_millis(50))?.is_some() {}
            print_once()?;
        }
    }
}

fn print_once() -> Result<(), Problem> {
    let mut client = Client::connect(Client::default_socket())?;
    let document = parse(client.cib(&api::CibQuery::default())?)?;
    let text = crate::mon::text(&Outlook::current(&document)?, &document, crate::mon::Detail::Normal);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| Problem::new(1, error.to_string()))
}
