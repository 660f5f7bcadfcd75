//! `crm_error`: what a number means (rule 5a.2.4).

use std::process::ExitCode;

use super::codes::{self, Code};
use super::options::{Table, flag, read};
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
    if given.has("list") {
        let listed = if given.has("exit") { &table[..codes::LISTED_EXIT] } else { table };
        let width = listed.iter().map(|(_, name, _)| name.len()).max().unwrap_or(0);
        for &code in listed {
            let (number, name, text) = code;
            if with_name {
                out.line(format!("{number:5}: {name:<width$}  {text}"));
            } else {
                out.line(format!("{number:5}: {text}"));
            }
            answer(&mut out, code, with_name);
        }
        return out.end(Ok(0));
    }
    if given.words.is_empty() {
        return out.end(Err(Problem::new(exit::USAGE, "which code? Give a number, or --list")));
    }
    for word in &given.words {
        let Ok(number) = word.parse::<i64>() else {
            let message = format!("Invalid value '{word}': expected a number");
            return out.end(Err(Problem::new(exit::USAGE, message)));
        };
        let unknown = (number, "Unknown", if given.has("exit") { "Unknown exit status" } else { "Error" });
        let code @ (_, name, text) = codes::find(table, number).unwrap_or(unknown);
        out.line(if with_name { format!("{name} - {text}") } else { text.to_owned() });
        answer(&mut out, code, with_name);
    }
    out.end(Ok(0))
}

fn answer(out: &mut Output, (number, name, text): Code, with_name: bool) {
    let number = number.to_string();
    let mut attributes = vec![("code", &*number)];
    if with_name {
        attributes.push(("name", name));
    }
    attributes.push(("description", text));
    out.xml.leaf("result-code", &attributes);
}
