//! `systole events`: the node's journal, what happened and why.

use std::process::ExitCode;
use std::time::Duration;

use client::Client;
use view::api;

use crate::colour::{self, Colour};
use crate::session::Problem;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  systole events                  what happened so far\n  systole events --follow         and go on as it happens\n  systole events --severity warning\n  systole events --json | jq .fields"
)]
pub struct Arguments {
    /// Go on and show new events as they happen
    #[arg(short, long)]
    follow: bool,
    /// Show only this and what is worse: debug, info, notice, warning, error
    #[arg(long, default_value = "info", value_parser = severity)]
    severity: api::Severity,
    /// Show each event as a line of JSON
    #[arg(long)]
    json: bool,
}

fn severity(text: &str) -> Result<api::Severity, String> {
    serde_json::from_value(serde_json::Value::String(text.to_lowercase()))
        .map_err(|_| "one of debug, info, notice, warning, error is wanted".to_owned())
}

pub fn run(arguments: &Arguments) -> ExitCode {
    match show(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("systole events: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

/// The colour of what happened.
fn colour(event: &api::Event) -> Option<Colour> {
    match (event.severity, event.kind.as_str()) {
        (api::Severity::Error, _) => Some(Colour::Red),
        (api::Severity::Warning, _) => Some(Colour::Yellow),
        (api::Severity::Notice, _) => Some(Colour::Bold),
        (api::Severity::Debug, _) | (_, "action") => Some(Colour::Dim),
        (_, "settled") => Some(Colour::Green),
        _ => None,
    }
}

fn show(arguments: &Arguments) -> Result<(), Problem> {
    let client = Client::connect(Client::default_socket())?;
    let mut events = client.events(&api::EventQuery { after: Some(0), no_follow: !arguments.follow })?;
    loop {
        match events.next_within(Duration::from_secs(3600))? {
            Some(event) if event.severity >= arguments.severity => print(&event, arguments.json),
            Some(_) => {}
            None if events.ended() => return Ok(()),
            None if !arguments.follow => return Ok(()),
            None => {}
        }
    }
}

fn print(event: &api::Event, json: bool) {
    if json {
        if let Ok(line) = serde_json::to_string(event) {
            println!("{line}");
        }
        return;
    }
    let colours = colour::wanted();
    let painted = |text: &str| match self::colour(event).filter(|_| colours) {
        Some(colour) => colour::paint(colour, text),
        None => text.to_owned(),
    };
    let time = clock(event.time_ms);
    let time = if colours { colour::paint(Colour::Dim, &time) } else { time };
    let mark = painted(&crate::live::mark(event.severity).to_string());
    let mut lines = event.message.lines();
    println!("{time} {mark} {}", painted(lines.next().unwrap_or_default()));
    for line in lines {
        println!("               {}", painted(line));
    }
}

/// The local time of an event, to the millisecond.
pub fn clock(time_ms: u64) -> String {
    i64::try_from(time_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|at| at.to_zoned(daemon::zone::local()).strftime("%H:%M:%S%.3f").to_string())
        .unwrap_or_default()
}
