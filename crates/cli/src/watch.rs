//! `systole watch`: the status, drawn anew when something changes.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use client::Client;
use view::api;

use crate::outlook::Outlook;
use crate::session::{Problem, parse};

/// How long the screen may stay as it is while nothing happens, so that times stay true.
const IDLE: Duration = Duration::from_secs(5);

pub fn run() -> ExitCode {
    match watch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("systole watch: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

fn watch() -> Result<(), Problem> {
    loop {
        draw()?;
        let client = Client::connect(Client::default_socket())?;
        let mut events = client.events(&api::EventQuery::default())?;
        while !events.ended() {
            events.next_within(IDLE)?;
            // what came together is drawn once
            while events.next_within(Duration::from_millis(50))?.is_some() {}
            draw()?;
        }
    }
}

fn draw() -> Result<(), Problem> {
    let mut client = Client::connect(Client::default_socket())?;
    let document = parse(&client.cib(&api::CibQuery::default())?)?;
    let text = crate::mon::text(&Outlook::current(&document)?, &document, crate::mon::Detail::Normal);
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        // from the top, each line cleared to its end, and what is left below cleared
        let _ = write!(out, "\x1b[H");
        for line in text.lines() {
            let _ = write!(out, "{line}\x1b[K\r\n");
        }
        let _ = write!(out, "\x1b[J");
    } else {
        let _ = writeln!(out, "{text}");
    }
    out.flush().map_err(|error| Problem::new(1, error.to_string()))
}
