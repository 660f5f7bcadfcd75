//! `crm_verify`: checks a configuration and says where, what, and what to do (rule 5a.9).

use std::process::ExitCode;

use cib::iso8601::DateTime;
use clap::Parser;

use crate::session::{Problem, Session, parse, read_file, replace_file};
use crate::tool::{self, exit};

#[derive(Debug, Parser)]
#[command(
    name = "crm_verify",
    about = "Check a configuration for errors",
    disable_version_flag = true,
    after_help = "Examples:\n  crm_verify -L -V             the running cluster's configuration\n  crm_verify -x cib.xml -V     a file"
)]
struct Arguments {
    /// Check the running cluster's configuration
    #[arg(short = 'L', long)]
    live_check: bool,
    /// Check this file
    #[arg(short = 'x', long, value_name = "FILE")]
    xml_file: Option<String>,
    /// Check this text
    #[arg(short = 'X', long, value_name = "TEXT")]
    xml_text: Option<String>,
    /// Check what comes on standard input
    #[arg(short = 'p', long)]
    xml_pipe: bool,
    /// Save the configuration to this file
    #[arg(short = 'S', long, value_name = "FILE")]
    save_xml: Option<String>,
    /// Say what is wrong, not only that something is
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say nothing
    #[arg(short = 'q', long)]
    quiet: bool,
}

/// One thing found in a configuration.
pub struct Finding {
    pub is_error: bool,
    pub text: String,
}

/// Names and values that are probably mistakes. The classic verdict says nothing of them, so that they
/// change no exit code.
fn slips(document: &xml::Document) -> Vec<String> {
    let now = DateTime::from_timestamp(jiff::Timestamp::now().as_second(), 0);
    let (cib, _) = cib::Cib::from_document(document);
    cib::verify::slips(&cib, now).into_iter().collect()
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
    let now = DateTime::from_timestamp(jiff::Timestamp::now().as_second(), 0);
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

pub fn run(words: &[String]) -> ExitCode {
    let arguments = match tool::parse::<Arguments>("crm_verify", words) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match check(&arguments) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("crm_verify: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

fn check(arguments: &Arguments) -> Result<ExitCode, Problem> {
    let text = input(arguments)?;
    let mut document = parse(&text).map_err(|problem| {
        Problem::new(exit::CONFIG, format!("Verification failed: Unable to parse CIB XML ({problem})"))
    })?;
    // clients check configurations that have no status yet (rule 5c.6.1)
    if document.name(document.root()) == "cib" && document.child(document.root(), "status").is_none() {
        document.append_element(document.root(), "status");
    }
    if let Some(path) = &arguments.save_xml {
        replace_file(std::path::Path::new(path), &document.to_pretty())?;
    }
    let found = findings(&document);
    if arguments.verbose > 0 {
        for finding in &found {
            eprintln!("{}: {}", if finding.is_error { "error" } else { "warning" }, finding.text);
        }
    }
    if !arguments.quiet {
        for text in slips(&document) {
            eprintln!("notice: {text}");
        }
    }
    if found.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.quiet {
        let verdict = if found.iter().any(|finding| finding.is_error) {
            "Configuration invalid"
        } else {
            "Configuration may need attention"
        };
        let hint = if arguments.verbose == 0 { " (-V may provide more detail)" } else { "" };
        eprintln!("{verdict}{hint}");
    }
    Ok(ExitCode::from(exit::CONFIG))
}

fn input(arguments: &Arguments) -> Result<String, Problem> {
    if let Some(text) = &arguments.xml_text {
        Ok(text.clone())
    } else if let Some(path) = &arguments.xml_file {
        read_file(std::path::Path::new(path)).map_err(|problem| Problem::new(exit::CONFIG, problem.message))
    } else if arguments.xml_pipe {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| Problem::new(exit::CONFIG, format!("cannot read standard input: {error}")))
    } else if arguments.live_check {
        Session::open(None)?.cib_text()
    } else {
        Err(Problem::new(exit::ERROR, "No input specified: one of -L, -x FILE, -X TEXT, -p is needed"))
    }
}
