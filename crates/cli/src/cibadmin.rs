//! `cibadmin`: query and change the CIB (rule 5a.8).

use std::io::Read;
use std::process::ExitCode;

use clap::Parser;
use view::api::{CibChange, CibOperation, CibQuery};

use crate::session::{Problem, Session};
use crate::tool::{self, exit};

#[derive(Debug, Parser)]
#[command(
    name = "cibadmin",
    about = "Query and change the cluster configuration",
    disable_version_flag = true,
    after_help = "Examples:\n  cibadmin --query --scope resources\n  cibadmin --create --scope constraints --xml-text '<rsc_location id=\"l\" rsc=\"A\" node=\"node1\" score=\"50\"/>'\n  cibadmin --delete --xml-text '<rsc_location id=\"l\"/>'\n  cibadmin --modify --xpath \"//nvpair[@name='maintenance-mode']\" --xml-text '<nvpair value=\"true\"/>'"
)]
struct Arguments {
    /// Show the CIB or a part of it (the default)
    #[arg(short = 'Q', long)]
    query: bool,
    /// Add an element; it is an error if it exists
    #[arg(short = 'C', long)]
    create: bool,
    /// Merge into an existing element
    #[arg(short = 'M', long)]
    modify: bool,
    /// Put an element in the place of an existing one
    #[arg(short = 'R', long)]
    replace: bool,
    /// Remove the first element that matches
    #[arg(short = 'D', long)]
    delete: bool,
    /// With --xpath: remove all that match
    #[arg(short = 'd', long)]
    delete_all: bool,
    /// Apply a patchset
    #[arg(short = 'P', long)]
    patch: bool,
    /// Empty the configuration (dangerous: needs --force)
    #[arg(short = 'E', long)]
    erase: bool,
    /// Bring the configuration to the newest schema (dangerous: needs --force)
    #[arg(short = 'u', long)]
    upgrade: bool,
    /// Raise the epoch by one
    #[arg(short = 'B', long)]
    bump: bool,
    /// Print an empty CIB
    #[arg(short = 'a', long, num_args = 0..=1, require_equals = true, default_missing_value = "", value_name = "SCHEMA")]
    empty: Option<String>,
    /// Digest of the input, as it is kept on disk
    #[arg(short = '5', long)]
    md5_sum: bool,
    /// Section of the configuration
    #[arg(short = 'o', long, value_name = "SECTION")]
    scope: Option<String>,
    /// Part chosen by XPath
    #[arg(short = 'A', long)]
    xpath: Option<String>,
    /// Read XML from this file
    #[arg(short = 'x', long, value_name = "FILE")]
    xml_file: Option<String>,
    /// Read XML from this text
    #[arg(short = 'X', long, value_name = "TEXT")]
    xml_text: Option<String>,
    /// Read XML from standard input
    #[arg(short = 'p', long)]
    xml_pipe: bool,
    /// Leave out the children of what is shown
    #[arg(short = 'n', long)]
    no_children: bool,
    /// With --modify: create what does not exist
    #[arg(short = 'c', long)]
    allow_create: bool,
    /// With --modify: values NAME++ and NAME+=N are arithmetic
    #[arg(long)]
    score: bool,
    /// Do what is dangerous
    #[arg(short = 'f', long)]
    force: bool,
    /// Say more
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Accepted, without effect
    #[arg(short = 'l', long, hide = true)]
    local: bool,
    /// Accepted, without effect
    #[arg(short = 's', long, hide = true)]
    sync_call: bool,
    /// Accepted, without effect
    #[arg(short = 'N', long, hide = true)]
    node: Option<String>,
    /// Accepted, without effect
    #[arg(short = 't', long, hide = true)]
    timeout: Option<String>,
}

/// Feature set of an empty CIB.
const FEATURE_SET: &str = "3.20.5";

const SCOPES: [&str; 13] = [
    "configuration",
    "nodes",
    "resources",
    "constraints",
    "crm_config",
    "rsc_defaults",
    "op_defaults",
    "acls",
    "fencing-topology",
    "tags",
    "alerts",
    "status",
    "all",
];

pub fn run(words: &[String]) -> ExitCode {
    let arguments = match tool::parse::<Arguments>("cibadmin", words) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match carry_out(&arguments, words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("cibadmin: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

fn carry_out(arguments: &Arguments, words: &[String]) -> Result<(), Problem> {
    if let Some(schema) = &arguments.empty {
        let schema = if schema.is_empty() { "pacemaker-4.0" } else { schema };
        print!("{}", cib::document::CibDocument::empty(schema, FEATURE_SET).to_file());
        return Ok(());
    }
    if arguments.md5_sum {
        let document = crate::session::parse(&input(arguments)?)?;
        println!("{}", cib::digest::on_disk(&document));
        return Ok(());
    }
    let (section, xpath) = target(arguments, words);
    let Some(operation) = operation(arguments)? else {
        return query(section, xpath, arguments.no_children);
    };
    let mut change = CibChange::new(operation);
    change.section = section;
    change.xpath = xpath;
    change.allow_create = arguments.allow_create;
    change.score_arithmetic = arguments.score;
    change.delete_all = arguments.delete_all;
    change.force = arguments.force;
    change.client = "cibadmin".to_owned();
    if needs_input(operation, change.xpath.is_some()) || has_input(arguments) {
        change.xml = Some(input(arguments)?);
    }
    let mut session = Session::open(None)?;
    let changed = session
        .change_cib(&change)
        .map_err(|problem| Problem::new(problem.code, format!("CIB API call failed: {}", problem.message)))?;
    for warning in changed.warnings {
        eprintln!("cibadmin: {warning}");
    }
    Ok(())
}

/// The operation asked for; none means query. Dangerous ones need `--force`.
fn operation(arguments: &Arguments) -> Result<Option<CibOperation>, Problem> {
    let asked = [
        (arguments.create, CibOperation::Create),
        (arguments.modify, CibOperation::Modify),
        (arguments.replace, CibOperation::Replace),
        (arguments.delete || arguments.delete_all, CibOperation::Delete),
        (arguments.patch, CibOperation::Patch),
        (arguments.erase, CibOperation::Erase),
        (arguments.upgrade, CibOperation::Upgrade),
        (arguments.bump, CibOperation::Bump),
    ];
    let asked: Vec<CibOperation> =
        asked.into_iter().filter(|(given, _)| *given).map(|(_, operation)| operation).collect();
    match asked.as_slice() {
        [] => Ok(None),
        [_] if arguments.query => {
            Err(Problem::new(exit::USAGE, "more than one command given; only one is possible"))
        }
        [one @ (CibOperation::Erase | CibOperation::Upgrade)] if !arguments.force => Err(Problem::new(
            exit::UNSAFE,
            format!(
                "The supplied command is considered dangerous. To prevent accidental destruction of the cluster, the --force flag is required in order to proceed ({one:?})"
            ),
        )),
        [one] => Ok(Some(*one)),
        _ => Err(Problem::new(exit::USAGE, "more than one command given; only one is possible")),
    }
}

/// Section and XPath; of the two options the later wins.
fn target(arguments: &Arguments, words: &[String]) -> (Option<String>, Option<String>) {
    let last = |short: &str, long: &str| {
        words
            .iter()
            .rposition(|word| word.starts_with(short) && !word.starts_with("--") || word.starts_with(long))
    };
    let scope = match arguments.scope.as_deref() {
        Some("all" | "cib") | None => None,
        Some(scope) if SCOPES.contains(&scope) => Some(scope.to_owned()),
        Some(other) => {
            eprintln!(
                "cibadmin: Invalid value '{other}' for '--scope'. Operation will apply to the entire CIB"
            );
            None
        }
    };
    match (&arguments.xpath, arguments.scope.is_some()) {
        (Some(_), true) if last("-o", "--scope") > last("-A", "--xpath") => (scope, None),
        (Some(xpath), _) => (None, Some(xpath.clone())),
        (None, _) => (scope, None),
    }
}

fn needs_input(operation: CibOperation, by_xpath: bool) -> bool {
    match operation {
        CibOperation::Delete => !by_xpath,
        CibOperation::Create | CibOperation::Modify | CibOperation::Replace | CibOperation::Patch => true,
        _ => false,
    }
}

fn has_input(arguments: &Arguments) -> bool {
    arguments.xml_pipe || arguments.xml_file.is_some() || arguments.xml_text.is_some()
}

/// The XML that goes with the command; it must be well-formed before anything is sent.
fn input(arguments: &Arguments) -> Result<String, Problem> {
    let (text, from) = if let Some(text) = &arguments.xml_text {
        (text.clone(), "input string".to_owned())
    } else if let Some(file) = &arguments.xml_file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Problem::new(exit::NO_INPUT, format!("Couldn't read {file}: {error}")))?;
        (text, file.clone())
    } else if arguments.xml_pipe {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| {
            Problem::new(exit::NO_INPUT, format!("Couldn't read standard input: {error}"))
        })?;
        (text, "STDIN".to_owned())
    } else {
        return Err(Problem::new(
            exit::USAGE,
            "The supplied command requires input via --xml-file, --xml-text, or --xml-pipe",
        ));
    };
    match xml::Document::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Problem::new(exit::DATA, format!("Couldn't parse input from {from}: {error}"))),
    }
}

fn query(section: Option<String>, xpath: Option<String>, no_children: bool) -> Result<(), Problem> {
    let mut session = Session::open(None)?;
    let text = session
        .query_cib(&CibQuery { section, xpath, no_children, ..CibQuery::default() })
        .map_err(|problem| Problem::new(problem.code, format!("CIB API call failed: {}", problem.message)))?;
    print!("{text}");
    if !text.ends_with('\n') {
        println!();
    }
    Ok(())
}
