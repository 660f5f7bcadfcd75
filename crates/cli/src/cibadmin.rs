//! `cibadmin`: query and change the CIB (rule 5a.8).

use std::io::Read;
use std::process::ExitCode;

use view::api::{CibChange, CibOperation, CibQuery};

use crate::crm::options::{Given, NO_SHORT, Table, flag, maybe, old_flag, old_value, value};
use crate::crm::output::Output;
use crate::session::{Problem, Session};
use crate::tool::exit;

const TABLE: Table = Table {
    tool: "cibadmin",
    about: "query and change the cluster configuration",
    options: &[
        flag('Q', "query", "Show the CIB or a part of it (the default)"),
        flag('C', "create", "Add an element; it is an error if it exists"),
        flag('M', "modify", "Merge into an existing element"),
        flag('R', "replace", "Put an element in the place of an existing one"),
        flag('D', "delete", "Remove the first element that matches"),
        flag('d', "delete-all", "With --xpath: remove all that match (dangerous: needs --force)"),
        flag('P', "patch", "Apply a patchset"),
        flag('E', "erase", "Empty the configuration (dangerous: needs --force)"),
        flag('u', "upgrade", "Bring the configuration to the newest schema (dangerous: needs --force)"),
        flag('B', "bump", "Raise the epoch by one"),
        maybe('a', "empty", "SCHEMA", "Print an empty CIB"),
        flag('5', "md5-sum", "Digest of the input, as it is kept on disk"),
        flag('6', "md5-sum-versioned", "Digest of the input, as it is compared between nodes"),
        maybe(
            'S',
            "show-access",
            "HOW",
            "With --user: what the user may do where; color, text, namespace or auto",
        ),
        value('o', "scope", "SECTION", "Section of the configuration"),
        value('A', "xpath", "XPATH", "Part chosen by XPath"),
        flag('e', "node-path", "With --query --xpath: paths of what matches"),
        value('x', "xml-file", "FILE", "Read XML from this file"),
        value('X', "xml-text", "TEXT", "Read XML from this text"),
        flag('p', "xml-pipe", "Read XML from standard input"),
        flag('n', "no-children", "Leave out the children of what is shown"),
        flag('c', "allow-create", "With --modify: create what does not exist"),
        flag(NO_SHORT, "score", "With --modify: values NAME++ and NAME+=N are arithmetic"),
        value('U', "user", "USER", "Act for this user (only root and hacluster may)"),
        flag('f', "force", "Do what is dangerous"),
        value('t', "timeout", "TIME", "How long to wait for an answer"),
        old_flag('l', "local", "local"),
        old_flag('s', "sync-call", "sync-call"),
        old_flag('b', "no-bcast", "no-bcast"),
        old_value('N', "node", "node"),
        old_value(NO_SHORT, "obj_type", "scope"),
        old_flag(NO_SHORT, "cib_modify", "modify"),
    ],
    examples: &[
        "cibadmin --query --scope resources",
        "cibadmin --create --scope constraints --xml-text '<rsc_location id=\"l\" rsc=\"A\" node=\"node1\" score=\"50\"/>'",
        "cibadmin --delete --xml-text '<rsc_location id=\"l\"/>'",
        "cibadmin --modify --xpath \"//nvpair[@name='maintenance-mode']\" --xml-text '<nvpair value=\"true\"/>'",
    ],
};

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
    let read = crate::crm::options::read(&TABLE, words)
        .and_then(|given| Ok((Output::new(TABLE.tool, words, &given)?, given)));
    let (mut out, given) = match read {
        Ok(both) => both,
        Err(code) => return code,
    };
    if let Some(user) = given.value("user") {
        return again_as(user, words);
    }
    let outcome = carry_out(&given, &mut out);
    out.end(outcome.map(|()| 0))
}

/// Runs again with the user in the environment, where every reader of the CIB looks for it.
fn again_as(user: &str, words: &[String]) -> ExitCode {
    let mut rest = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-U" | "--user" => drop(words.next()),
            word if word.starts_with("--user=") || (word.starts_with("-U") && word.len() > 2) => {}
            _ => rest.push(word),
        }
    }
    let run = crate::itself::command()
        .and_then(|mut command| command.arg("cibadmin").args(rest).env("CIB_user", user).status());
    match run {
        Ok(status) => {
            ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::ERROR))
        }
        Err(error) => {
            eprintln!("cibadmin: {error}");
            ExitCode::from(exit::ERROR)
        }
    }
}

fn carry_out(given: &Given, out: &mut Output) -> Result<(), Problem> {
    if let Some(word) = given.words.first() {
        return Err(Problem::new(exit::USAGE, format!("unexpected argument '{word}' (see --help)")));
    }
    if let Some(time) = given.value("timeout").filter(|time| cib::value::parse_interval(time).is_none()) {
        let message = format!("Invalid value '{time}' for --timeout: a time such as 30s is needed");
        return Err(Problem::new(exit::USAGE, message));
    }
    if given.has("empty") {
        let schema = given.value("empty").unwrap_or(cib::upgrade::NEWEST);
        if schema != "none" && !cib::upgrade::SCHEMAS.contains(&schema) {
            let newest = cib::upgrade::NEWEST;
            let message = format!("the schema '{schema}' is not known; '{newest}' is the newest");
            return Err(Problem::new(exit::CONFIG, message));
        }
        show(&cib::document::CibDocument::empty(schema, FEATURE_SET).to_file(), out);
        return Ok(());
    }
    if given.has("md5-sum") || given.has("md5-sum-versioned") {
        let document = crate::session::parse(input(given)?)?;
        let digest = if given.has("md5-sum") {
            cib::digest::on_disk(&document)
        } else {
            cib::digest::versioned(&document)
        };
        out.line(&digest);
        out.xml.leaf("md5-sum", &[("digest", &digest)]);
        return Ok(());
    }
    let (section, xpath) = target(given);
    let Some(operation) = operation(given)? else {
        if given.has("show-access") {
            return show_access(given, out);
        }
        let paths_only = given.has("node-path");
        return query(CibQuery { section, xpath, no_children: given.has("no-children"), paths_only }, out);
    };
    let mut change = CibChange::new(operation);
    change.section = section;
    change.xpath = xpath;
    change.allow_create = given.has("allow-create");
    change.score_arithmetic = given.has("score");
    change.delete_all = given.has("delete-all");
    change.force = given.has("force");
    change.client = TABLE.tool.to_owned();
    if needs_input(operation, change.xpath.is_some()) || has_input(given) {
        change.xml = Some(input(given)?);
    }
    let mut session = Session::open(None)?;
    if operation == CibOperation::Upgrade && is_newest(&mut session)? {
        out.line("Upgrade unnecessary: Schema is already the latest available");
        return Ok(());
    }
    let changed = session.change_cib(&change).map_err(|problem| {
        if matches!(operation, CibOperation::Create | CibOperation::Modify) {
            out.block(&failed_update(&change, &problem));
        }
        Problem::new(problem.code, format!("CIB API call failed: {}", problem.message))
    })?;
    for warning in changed.warnings {
        out.fail(warning);
    }
    Ok(())
}

fn is_newest(session: &mut Session) -> Result<bool, Problem> {
    let document = session.cib()?;
    Ok(document.attribute(document.root(), "validate-with") == Some(cib::upgrade::NEWEST))
}

/// What was refused and why, for programs (rule 5a.8.3).
fn failed_update(change: &CibChange, problem: &Problem) -> String {
    let Some(Ok(xml)) = change.xml.as_deref().map(xml::Document::parse) else { return String::new() };
    let mut failed = xml::Document::new("failed");
    let root = failed.root();
    let update = failed.append_element(root, "failed_update");
    let operation = if change.operation == CibOperation::Create { "cib_create" } else { "cib_modify" };
    let reason = problem.message.split(':').next().unwrap_or_default();
    let attributes = [
        ("id", xml.attribute(xml.root(), "id").unwrap_or_default()),
        ("object-type", xml.name(xml.root())),
        ("operation", operation),
        ("reason", reason),
    ];
    for (name, value) in attributes.into_iter().filter(|(_, value)| !value.is_empty()) {
        failed.set_attribute(update, name, value);
    }
    failed.import(update, None, &xml, xml.root());
    failed.to_pretty()
}

/// The configuration with what the user may do where (rule 5c.10.7).
fn show_access(given: &Given, out: &mut Output) -> Result<(), Problem> {
    use cib::acl::{Style, User};
    let name = std::env::var("CIB_user").ok().filter(|name| !name.is_empty());
    let name =
        name.ok_or_else(|| Problem::new(exit::USAGE, "-U/--user is required with -S/--show-access"))?;
    if ["root", "hacluster"].contains(&name.as_str()) {
        let message = format!("user '{name}' may do everything: access control does not bind it");
        return Err(Problem::new(exit::ERROR, message));
    }
    use std::io::IsTerminal;
    let style = match given.value("show-access") {
        Some("color") => Style::Color,
        Some("text") => Style::Text,
        Some("namespace") => Style::Namespace,
        None | Some("auto") if std::io::stdout().is_terminal() => Style::Color,
        None | Some("auto") => Style::Text,
        Some(other) => {
            let message =
                format!("Invalid value '{other}' for --show-access: color, text, namespace or auto");
            return Err(Problem::new(exit::USAGE, message));
        }
    };
    // everything is looked at, so it is read without the user
    let document = Session::open(None)?.whole_cib()?;
    let user = User { groups: crate::cib_file::groups_of(&name), name };
    show(&cib::acl::show(&document, &user, style), out);
    Ok(())
}

/// Prints a text as it stands; in XML it is literal.
fn show(text: &str, out: &mut Output) {
    out.block(text);
    out.xml.literal("output", &[], text);
}

/// The operation asked for; none means query. Dangerous ones need `--force`.
fn operation(given: &Given) -> Result<Option<CibOperation>, Problem> {
    let known = [
        ("create", CibOperation::Create),
        ("modify", CibOperation::Modify),
        ("replace", CibOperation::Replace),
        ("delete", CibOperation::Delete),
        ("delete-all", CibOperation::Delete),
        ("patch", CibOperation::Patch),
        ("erase", CibOperation::Erase),
        ("upgrade", CibOperation::Upgrade),
        ("bump", CibOperation::Bump),
    ];
    let mut asked: Vec<CibOperation> =
        known.into_iter().filter(|(name, _)| given.has(name)).map(|(_, operation)| operation).collect();
    asked.dedup();
    let is_dangerous = ["erase", "upgrade", "delete-all"].iter().any(|name| given.has(name));
    match asked.as_slice() {
        [] => Ok(None),
        [_] if given.has("query") => {
            Err(Problem::new(exit::USAGE, "more than one command given; only one is possible"))
        }
        [CibOperation::Delete] if given.has("delete-all") && !given.has("xpath") => {
            Err(Problem::new(exit::USAGE, "--delete-all needs --xpath"))
        }
        [_] if is_dangerous && !given.has("force") => Err(Problem::new(
            exit::UNSAFE,
            "The supplied command is considered dangerous. To prevent accidental destruction of the cluster, the --force flag is required in order to proceed.",
        )),
        [one] => Ok(Some(*one)),
        _ => Err(Problem::new(exit::USAGE, "more than one command given; only one is possible")),
    }
}

/// Section and XPath; of the two options the later wins.
fn target(given: &Given) -> (Option<String>, Option<String>) {
    if given.last_of(&["scope", "xpath"]) == Some("xpath") {
        return (None, given.value("xpath").map(str::to_owned));
    }
    match given.value("scope") {
        Some("all" | "cib") | None => (None, None),
        Some(scope) if SCOPES.contains(&scope) => (Some(scope.to_owned()), None),
        Some(other) => {
            eprintln!(
                "cibadmin: Invalid value '{other}' for '--scope'. Operation will apply to the entire CIB"
            );
            (None, None)
        }
    }
}

fn needs_input(operation: CibOperation, by_xpath: bool) -> bool {
    match operation {
        CibOperation::Delete => !by_xpath,
        CibOperation::Create | CibOperation::Modify | CibOperation::Replace | CibOperation::Patch => true,
        _ => false,
    }
}

fn has_input(given: &Given) -> bool {
    given.last_of(&["xml-pipe", "xml-file", "xml-text"]).is_some()
}

/// Text that was read, or why it could not be, or where it is none.
fn decoded(read: std::io::Result<Vec<u8>>, from: &str) -> Result<String, Problem> {
    let bytes = read.map_err(|error| {
        Problem::new(exit::NO_INPUT, format!("Couldn't parse input from {from}: cannot read it: {error}"))
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let in_line = good.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = 1 + String::from_utf8_lossy(in_line).chars().count();
        Problem::new(
            exit::DATA,
            format!("Couldn't parse input from {from}: line {line}, column {column}: this is not UTF-8"),
        )
    })
}

/// The XML that goes with the command; it must be well-formed before anything is sent.
fn input(given: &Given) -> Result<String, Problem> {
    let (text, from) = match given.last_of(&["xml-text", "xml-file", "xml-pipe"]) {
        Some("xml-text") => {
            (given.value("xml-text").unwrap_or_default().to_owned(), "input string".to_owned())
        }
        Some("xml-file") => {
            let file = given.value("xml-file").unwrap_or_default();
            (decoded(std::fs::read(file), file)?, file.to_owned())
        }
        Some(_) => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes).map(|_| bytes);
            (decoded(read, "STDIN")?, "STDIN".to_owned())
        }
        None => {
            return Err(Problem::new(
                exit::USAGE,
                "The supplied command requires input via --xml-file, --xml-text, or --xml-pipe",
            ));
        }
    };
    match xml::Document::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Problem::new(exit::DATA, format!("Couldn't parse input from {from}: {error}"))),
    }
}

fn query(query: CibQuery, out: &mut Output) -> Result<(), Problem> {
    let mut session = Session::open(None)?;
    let text = session
        .query_cib(&query)
        .map_err(|problem| Problem::new(problem.code, format!("CIB API call failed: {}", problem.message)))?;
    show(&text, out);
    Ok(())
}
