//! `crm_error`: what a number means (rule 5a.2.4).

use std::process::ExitCode;

use super::codes::{self, Code};
use super::options::{Given, Table, flag, read};
use super::output::Output;
use crate::session::Problem;
use crate::tool::exit;

const TABLE: Table = Table {
    tool: "crm_error",
    about: "say what a result or exit code means",
    options: &[
        flag('l', "list", "List all codes"),
        flag('n', "name", "Show names too"),
        flag('r', "rc", "Codes of the library"),
        flag('X', "exit", "Exit codes"),
    ],
    examples: &["crm_error -X 105", "crm_error -r -- -1005", "crm_error --list --exit"],
};

pub fn run(words: &[String]) -> ExitCode {
    let outcome = read(&TABLE, words).and_then(|given| Ok((Output::new(TABLE.tool, words, &given)?, given)));
    let (mut out, given) = match outcome {
        Ok(both) => both,
        Err(code) => return code,
    };
    let table: &[Code] = if given.has("exit") {
        &codes::EXIT
    } else if given.has("rc") {
        &codes::LIBRARY
    } else {
        &codes::LEGACY
    };
    let with_name = given.has("name");
    if given.has("list") || given.words.is_empty() {
        list(table, &given, &mut out);
        return out.end(Ok(0));
    }
    for word in &given.words {
        let Ok(number) = word.parse::<i64>() else {
            let message = format!("Invalid value '{word}': expected a number");
            return out.end(Err(Problem::new(exit::USAGE, message)));
        };
        let (name, text) = meaning(table, number, given.has("exit"));
        out.line(if with_name { format!("{name} - {text}") } else { text.clone() });
        answer(&mut out, (number, name, &text), with_name);
    }
    out.end(Ok(0))
}

/// Name and text of a code; legacy codes begin with the system's own.
fn meaning(table: &[Code], number: i64, is_exit: bool) -> (&'static str, String) {
    match codes::find(table, number) {
        Some((_, name, text)) => (name, text.to_owned()),
        None if is_exit => ("Unknown", codes::exit_text(number).to_owned()),
        None if number == 0 => ("pcmk_rc_ok", "OK".to_owned()),
        None => system(number.saturating_abs()),
    }
}

/// An error of the system, which programs return with either sign.
fn system(number: i64) -> (&'static str, String) {
    let text = codes::system_text(number).unwrap_or_else(|| "Error".to_owned());
    (codes::system_name(number).unwrap_or("Unknown"), text)
}

fn list(table: &[Code], given: &Given, out: &mut Output) {
    let with_name = given.has("name");
    let mut listed: Vec<(i64, &str, String)> = Vec::new();
    if !given.has("exit") && !given.has("rc") {
        listed.push((0, "pcmk_rc_ok", "OK".to_owned()));
        let known = |number: &i64| codes::system_text(*number).is_some();
        listed.extend((1..=133).filter(known).map(|number| {
            let (name, text) = system(number);
            (number, name, text)
        }));
    }
    let known = if given.has("exit") { &table[..codes::LISTED_EXIT] } else { table };
    listed.extend(known.iter().map(|&(number, name, text)| (number, name, text.to_owned())));
    let width = listed.iter().map(|(_, name, _)| name.len()).max().unwrap_or(0);
    for (number, name, text) in &listed {
        out.line(if with_name {
            format!("{number:5}: {name:<width$}  {text}")
        } else {
            format!("{number:5}: {text}")
        });
        answer(out, (*number, name, text), with_name);
    }
}

fn answer(out: &mut Output, (number, name, text): (i64, &str, &str), with_name: bool) {
    let number = number.to_string();
    let mut attributes = vec![("code", &*number)];
    if with_name {
        attributes.push(("name", name));
    }
    attributes.push(("description", text));
    out.xml.leaf("result-code", &attributes);
}
