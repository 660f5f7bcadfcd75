//! `crm_verify`: checks a configuration and says where, what, and what to do (rule 5a.9).

use std::process::ExitCode;

use crate::clock;
use crate::crm::options::{Given, Table, flag, old_flag, value};
use crate::crm::output::Output;
use crate::session::{Problem, Session, parse, read_file, replace_file};
use crate::tool::exit;

const TABLE: Table = Table {
    tool: "crm_verify",
    about: "check a configuration for errors",
    options: &[
        flag('L', "live-check", "Check the running cluster's configuration"),
        value('x', "xml-file", "FILE", "Check this file"),
        value('X', "xml-text", "TEXT", "Check this text"),
        flag('p', "xml-pipe", "Check what comes on standard input"),
        value('S', "save-xml", "FILE", "Save the configuration to this file"),
        flag('V', "verbose", "Say what is wrong, not only that something is"),
        flag('q', "quiet", "Say nothing"),
        old_flag('b', "blank", "blank"),
    ],
    examples: &[
        "crm_verify -L -V                the running cluster's configuration",
        "crm_verify -x cib.xml -V        a file",
        "crm_verify --live-check --output-as=xml",
    ],
};

/// One thing found in a configuration.
pub struct Finding {
    pub is_error: bool,
    pub text: String,
}

/// Names and values that are probably mistakes. The classic verdict says nothing of them, so that they
/// change no exit code.
pub fn slips(document: &xml::Document) -> cib::verify::Slips {
    let now = clock::now();
    let (cib, _) = cib::Cib::from_document(document);
    cib::verify::slips(&cib, now)
}

/// Everything found in a CIB: form (schema) first, then meaning.
pub fn findings(document: &xml::Document) -> Vec<Finding> {
    let mut found: Vec<Finding> = cib::schema::validate(document)
        .iter()
        .map(|finding| Finding {
            is_error: finding.severity == cib::Severity::Error,
            text: finding.to_string(),
        })
        .collect();
    let now = clock::now();
    let (cib, mut notices) = cib::Cib::from_document(document);
    notices.extend(cib::verify::verify(&cib, now));
    for notice in notices.iter().filter(|notice| cib::verify::counts(notice)) {
        let text = format!("{}: {}", notice.place, notice.text);
        if !found.iter().any(|known| known.text == text) {
            found.push(Finding { is_error: notice.severity == cib::Severity::Error, text });
        }
    }
    found
}

/// What only planning finds (errors of the configuration are findings already); like slips it does not change
/// the verdict.
fn of_the_plan(document: &xml::Document) -> Vec<String> {
    let mut newest = document.clone();
    if cib::upgrade::upgrade(&mut newest).is_err() {
        return Vec::new();
    }
    let (cib, _) = cib::Cib::from_document(&newest);
    let plan = scheduler::plan(&cib, clock::now().into(), scheduler::model::PlanOptions::default());
    let warnings = plan.warnings().into_iter();
    let new = warnings.filter(|notice| notice.severity < scheduler::model::Severity::ConfigurationError);
    new.map(ToString::to_string).collect()
}

pub fn run(words: &[String]) -> ExitCode {
    crate::crm::tool(&TABLE, words, check)
}

fn check(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    if let Some(word) = given.words.first() {
        return Err(Problem::new(
            exit::USAGE,
            format!("unexpected argument '{word}' (a file is given with -x)"),
        ));
    }
    let text = input(given)?;
    let mut document = parse(text).map_err(|problem| {
        Problem::new(exit::CONFIG, format!("Verification failed: Unable to parse CIB XML ({problem})"))
    })?;
    // clients check configurations that have no status yet (rule 5c.6.1)
    if document.name(document.root()) == "cib" && document.child(document.root(), "status").is_none() {
        document.append_element(document.root(), "status");
    }
    if let Some(path) = given.value("save-xml") {
        replace_file(std::path::Path::new(path), &document.to_pretty())?;
    }
    let found = findings(&document);
    if given.has("verbose") || out.is_xml {
        for finding in &found {
            out.error(format!("{}: {}", if finding.is_error { "error" } else { "warning" }, finding.text));
        }
    }
    if given.has("verbose") {
        for text in of_the_plan(&document) {
            eprintln!("warning: {text}");
        }
    }
    if !given.has("quiet") && !out.is_xml {
        for text in slips(&document).texts() {
            eprintln!("notice: {text}");
        }
    }
    if found.is_empty() {
        return Ok(0);
    }
    if !given.has("quiet") {
        let verdict = if found.iter().any(|finding| finding.is_error) {
            "Configuration invalid"
        } else {
            "Configuration may need attention"
        };
        let hint = if given.has("verbose") { "" } else { " (-V may provide more detail)" };
        out.error(format!("{verdict}{hint}"));
    }
    Ok(exit::CONFIG)
}

fn input(given: &Given) -> Result<String, Problem> {
    match given.last_of(&["xml-text", "xml-file", "xml-pipe", "live-check"]) {
        Some("xml-text") => Ok(given.value("xml-text").unwrap_or_default().to_owned()),
        Some("xml-file") => {
            let path = given.value("xml-file").unwrap_or_default();
            read_file(std::path::Path::new(path)).map_err(|problem| {
                Problem::new(exit::CONFIG, format!("Verification failed: {}", problem.message))
            })
        }
        Some("xml-pipe") => std::io::read_to_string(std::io::stdin())
            .map_err(|error| Problem::new(exit::CONFIG, format!("cannot read standard input: {error}"))),
        Some(_) => Session::open(None)?.cib_text(),
        None => {
            Err(Problem::new(exit::ERROR, "No input specified: one of -L, -x FILE, -X TEXT, -p is needed"))
        }
    }
}
