//! `crm_rule`: is a rule in effect? (rule 5a.14.4)

use std::process::ExitCode;

use cib::iso8601::{Clock, DateTime};
use xml::Document;

use super::options::{Given, Table, flag, value};
use super::output::Output;
use super::{tool, usage};
use crate::clock;
use crate::session::{Problem, Session};
use crate::tool::exit;
use crate::tool::exit::NO_SUCH;

const TABLE: Table = Table {
    tool: "crm_rule",
    about: "say whether rules of the configuration are in effect",
    options: &[
        flag('c', "check", "Check the rules given with --rule"),
        value('r', "rule", "ID", "Id of a rule (may be given several times)"),
        value('d', "date", "DATE", "As of this date instead of now"),
        value('X', "xml-text", "XML", "Use this configuration; '-' reads it from standard input"),
    ],
    examples: &[
        "crm_rule --check --rule location-A-rule",
        "crm_rule -c -r nightly -d '2026-12-24 22:00:00'",
        "cibadmin -Q | crm_rule --check --rule nightly --xml-text -",
    ],
};

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    if !given.has("check") {
        return Err(usage("No mode operation given: --check --rule ID is needed"));
    }
    if !given.has("rule") {
        return Err(usage("--check requires use of --rule=ID"));
    }
    let mut at = Clock::from(clock::now());
    if let Some(text) = given.value("date") {
        at.now = DateTime::parse(text, &at.surroundings)
            .map_err(|_| Problem::new(exit::DATA, format!("Invalid date specified: '{text}'")))?;
    }
    let document = document(given)?;
    let mut worst = 0;
    for id in given.values("rule") {
        let code = check(&document, id, &at, out);
        if code != 0 {
            worst = code;
        }
    }
    Ok(worst)
}

fn document(given: &Given) -> Result<Document, Problem> {
    let text = match given.value("xml-text") {
        None => return Session::open(None)?.cib(),
        Some("-") => std::io::read_to_string(std::io::stdin())
            .map_err(|error| Problem::new(exit::DATA, format!("Couldn't read standard input: {error}")))?,
        Some(text) => text.to_owned(),
    };
    Document::parse(&text)
        .map_err(|error| Problem::new(exit::DATA, format!("Couldn't parse input string: {error}")))
}

/// Answers for one rule; gives its exit code.
fn check(document: &Document, id: &str, at: &Clock, out: &mut Output) -> u8 {
    let code = match cib::rule::find(document, id) {
        None => {
            out.error(format!("Could not determine whether rule {id} is in effect: Rule not found"));
            NO_SUCH
        }
        Some(rule) => {
            let status = rule.status(at);
            match status {
                cib::rule::RuleStatus::Undecidable(_) => out.error(status.message(id)),
                _ => out.line(status.message(id)),
            }
            status.exit_status()
        }
    };
    out.xml.leaf("rule-check", &[("rule-id", id), ("rc", &code.to_string())]);
    code
}
