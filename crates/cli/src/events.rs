//! `systole events`: the node's journal, what happened and why.

use std::process::ExitCode;
use std::time::Duration;

use client::Client;
use view::api;

use crate::session::Problem;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  systole events                  what happened so far\n  systole events --follow         and go on as it happens\n  systole events --severity warning"
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
    let mut lines = event.message.lines();
    println!("{}  {}", clock(event.time_ms), lines.next().unwrap_or_default());
    for line in lines {
        println!("              {line}");
    }
}

/// The local time of an event, to the millisecond.
pub fn clock(time_ms: u64) -> String {
    i64::try_from(time_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S%.3f").to_string())
        .unwrap_or_default()
}
