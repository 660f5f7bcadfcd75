//! `iso8601`: dates, periods and durations as rules understand them (rule 5a.15).

use std::process::ExitCode;

use cib::iso8601::{DateForm, DateTime, Duration, Period, Surroundings};

use super::options::{Given, Table, flag, value};
use super::output::Output;
use super::{tool, usage};
use crate::clock;
use crate::session::Problem;

const TABLE: Table = Table {
    tool: "iso8601",
    about: "show and check ISO 8601 dates, periods and durations",
    options: &[
        flag('n', "now", "Show the present moment"),
        value('d', "date", "DATE", "Read a date with or without time of day"),
        value('p', "period", "PERIOD", "Read a period: START/END, START/DURATION or DURATION/END"),
        value('D', "duration", "DURATION", "Read a duration; with a date also show when it ends"),
        value('E', "expected", "TEXT", "Exit code 1 unless the date (-n, -d) is shown as this text"),
        flag('s', "seconds", "Show dates as seconds since the beginning of the year 0"),
        flag('S', "epoch", "Show dates as seconds since 1970"),
        flag('L', "local", "Show dates in the local time zone"),
        flag('O', "ordinal", "Show dates by the day of the year"),
        flag('W', "week", "Show dates by the week of the year"),
    ],
    examples: &[
        "iso8601 -n",
        "iso8601 -d '2026-02-30'             (is it a date? exit code 2 if not)",
        "iso8601 -d 2026-01-31 -D P1M        (when is that over?)",
        "iso8601 -p 2026-01-01/P1W --week",
    ],
};

/// Not understood.
const INVALID: u8 = 2;

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let commands = ["now", "date", "period", "duration"];
    if given.last_of(&commands).is_none() {
        return Err(usage("a command is needed: -n, -d DATE, -p PERIOD or -D DURATION (see --help)"));
    }
    let surroundings = Surroundings { now: clock::now() };
    let moment = moment(given, &surroundings, out)?;
    let duration = given.value("duration").map(|text| {
        Duration::parse(text)
            .map_err(|_| Problem::new(INVALID, format!("Invalid duration specified: {text}")))
    });
    let duration = duration.transpose()?;
    if let Some(duration) = duration {
        out.line(format!("Duration: {duration}"));
        out.xml.text("duration", &[], duration.to_string().trim());
    }
    period(given, &surroundings, out)?;
    if let (Some(moment), Some(duration)) = (moment, duration) {
        let ends = text_of(&moment.plus(&duration), given);
        out.line(format!("Duration ends at: {ends}"));
        out.xml.text("duration_ends", &[], &ends);
    }
    let Some(expected) = given.value("expected") else { return Ok(0) };
    let Some(moment) = moment else { return Err(usage("--expected needs -n or -d")) };
    // a date that ends where a duration does is compared where it ends
    let moment = duration.map_or(moment, |duration| moment.plus(&duration));
    Ok(u8::from(text_of(&moment, given) != expected))
}

/// The date given, or the present one.
fn moment(given: &Given, surroundings: &Surroundings, out: &mut Output) -> Result<Option<DateTime>, Problem> {
    if let Some(text) = given.value("date") {
        let date = DateTime::parse(text, surroundings)
            .map_err(|_| Problem::new(INVALID, format!("Invalid date/time specified: {text}")))?;
        let shown = text_of(&date, given);
        out.line(format!("Date: {shown}"));
        out.xml.text("date", &[], &shown);
        return Ok(Some(date));
    }
    if given.has("now") {
        let shown = text_of(&surroundings.now, given);
        out.line(format!("Current date/time: {shown}"));
        out.xml.text("current_date", &[], &shown);
        return Ok(Some(surroundings.now));
    }
    Ok(None)
}

fn period(given: &Given, surroundings: &Surroundings, out: &mut Output) -> Result<(), Problem> {
    let Some(text) = given.value("period") else { return Ok(()) };
    let period = Period::parse(text, surroundings)
        .map_err(|_| Problem::new(INVALID, format!("Invalid interval specified: {text}")))?;
    let (start, end) = (text_of(&period.start, given), text_of(&period.end, given));
    out.line(format!("Period: {start} to {end}"));
    out.xml.open("period", &[]);
    out.xml.text("start", &[], &start);
    out.xml.text("end", &[], &end);
    out.xml.close();
    Ok(())
}

fn text_of(date: &DateTime, given: &Given) -> String {
    if given.has("epoch") {
        return date.timestamp().to_string();
    }
    if given.has("seconds") {
        return date.seconds_since_year_zero().to_string();
    }
    let form = match given.last_of(&["ordinal", "week"]) {
        Some("ordinal") => DateForm::Ordinal,
        Some(_) => DateForm::Week,
        None => DateForm::Calendar,
    };
    let zoned = if given.has("local") { clock::LOCAL.at(date.timestamp()) } else { date.to_utc() };
    zoned.text(form)
}
