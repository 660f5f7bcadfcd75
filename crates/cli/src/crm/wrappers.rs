//! `crm_master`, `crm_standby`, `crm_failcount`: `crm_attribute` with the words already chosen (rule 5a.6.7).

use std::process::ExitCode;

use super::options::{Given, NO_SHORT, Table, flag, old_flag, old_value, value};
use super::output::Output;
use super::{attribute, target, tool, usage};
use crate::session::{Problem, Session};
use crate::tool::exit;

const MASTER: Table = Table {
    tool: "crm_master",
    about: "query and change a resource's promotion score (deprecated: crm_attribute --promotion)",
    options: &[
        value('r', "resource", "RSC", "Resource (in an agent: its own)"),
        flag('G', "query", "Show the score"),
        value('v', "update", "SCORE", "Set the score"),
        flag('D', "delete", "Delete the score"),
        value('l', "lifetime", "LIFETIME", "forever (unless told) or reboot"),
        value('N', "node", "NODE", "Score on this node"),
        flag('q', "quiet", "Show only the value"),
        old_flag('Q', "old-quiet", "quiet"),
        old_value('U', "node-uname", "node"),
        value('i', "id", "ID", "Id of the attribute"),
        old_flag(NO_SHORT, "get-value", "query"),
        old_value(NO_SHORT, "attr-value", "update"),
        old_value(NO_SHORT, "attr-id", "id"),
    ],
    examples: &["crm_master -l reboot -v 10      (in a resource agent)"],
};

const STANDBY: Table = Table {
    tool: "crm_standby",
    about: "query and change whether a node may run resources",
    options: &[
        flag('G', "query", "Show the value"),
        value('v', "update", "VALUE", "on or off"),
        flag('D', "delete", "Delete the attribute"),
        value('l', "lifetime", "LIFETIME", "forever or reboot"),
        value('N', "node", "NODE", "The node"),
        flag('q', "quiet", "Show only the value"),
        old_flag('Q', "old-quiet", "quiet"),
        old_value('U', "node-uname", "node"),
        value('i', "id", "ID", "Id of the attribute"),
        old_flag(NO_SHORT, "get-value", "query"),
        old_value(NO_SHORT, "attr-value", "update"),
        old_value(NO_SHORT, "attr-id", "id"),
    ],
    examples: &["crm_standby -N node1 -v on", "crm_standby -N node1 -D"],
};

const FAILCOUNT: Table = Table {
    tool: "crm_failcount",
    about: "query and forget a resource's failures",
    options: &[
        value('r', "resource", "RSC", "The resource"),
        flag('G', "query", "Show the number of failures (the default)"),
        flag('D', "delete", "Forget them"),
        value('v', "update", "COUNT", "Only 0: as --delete"),
        value('N', "node", "NODE", "On this node"),
        value('n', "operation", "OP", "Only of this operation"),
        value('I', "interval", "TIME", "Only of the operation with this interval"),
        flag('q', "quiet", "Show only the number"),
        old_flag('Q', "old-quiet", "quiet"),
        old_value('U', "node-uname", "node"),
        old_flag(NO_SHORT, "get-value", "query"),
        old_value(NO_SHORT, "resource-id", "resource"),
    ],
    examples: &["crm_failcount -G -r A -N node1", "crm_failcount -D -r A -N node1"],
};

/// Words for `crm_attribute` that are passed on as given.
fn passed_on(given: &Given) -> Vec<String> {
    let mut words = Vec::new();
    for name in ["node", "id", "output-as", "output-to", "lifetime"] {
        if let Some(value) = given.value(name) {
            words.push(format!("--{name}={value}"));
        }
    }
    if given.has("quiet") {
        words.push("--quiet".to_owned());
    }
    words
}

fn command(given: &Given) -> Vec<String> {
    match given.last_of(&["query", "update", "delete"]) {
        Some("update") => vec![format!("--update={}", given.value("update").unwrap_or_default())],
        Some(command) => vec![format!("--{command}")],
        None => vec!["--query".to_owned()],
    }
}

pub fn master(words: &[String]) -> ExitCode {
    let given = match super::options::read(&MASTER, words) {
        Ok(given) => given,
        Err(code) => return code,
    };
    let resource = given
        .value("resource")
        .map(str::to_owned)
        .or_else(|| std::env::var("OCF_RESOURCE_INSTANCE").ok())
        .filter(|resource| !resource.is_empty());
    let Some(resource) = resource else {
        eprintln!("error: No resource specified (-r RSC, or OCF_RESOURCE_INSTANCE in the environment)");
        return ExitCode::from(exit::ERROR);
    };
    let mut all = vec![format!("--promotion={resource}")];
    if !given.has("lifetime") {
        all.push("--lifetime=forever".to_owned());
    }
    all.extend(command(&given));
    all.extend(passed_on(&given));
    attribute::run(&all)
}

pub fn standby(words: &[String]) -> ExitCode {
    let given = match super::options::read(&STANDBY, words) {
        Ok(given) => given,
        Err(code) => return code,
    };
    if let Some(value) = given.value("update").filter(|value| cib::value::parse_boolean(value).is_none()) {
        eprintln!("crm_standby: Invalid value '{value}' for --update: on or off is needed");
        return ExitCode::from(exit::USAGE);
    }
    let with = |more: &[&str]| {
        let mut all = vec!["--name=standby".to_owned()];
        all.extend(more.iter().map(|word| (*word).to_owned()));
        all.extend(command(&given));
        all.extend(passed_on(&given));
        all
    };
    if given.has("lifetime") {
        return attribute::run(&with(&[]));
    }
    match given.last_of(&["query", "update", "delete"]) {
        Some("update") => attribute::run(&with(&["--lifetime=forever"])),
        Some("delete") => {
            let code = attribute::run(&with(&["--lifetime=forever"]));
            if code == ExitCode::SUCCESS { attribute::run(&with(&["--lifetime=reboot"])) } else { code }
        }
        _ => match is_set_forever(&given) {
            Ok(true) => attribute::run(&with(&["--lifetime=forever"])),
            Ok(false) => attribute::run(&with(&["--lifetime=reboot", "--default=off"])),
            Err(problem) => {
                eprintln!("crm_standby: {problem}");
                ExitCode::from(problem.code)
            }
        },
    }
}

fn is_set_forever(given: &Given) -> Result<bool, Problem> {
    let mut session = Session::open(None)?;
    let node = xml::xpath::literal(&target::node_name(&mut session, given.value("node"))?);
    let xpath = format!(
        "/cib/configuration/nodes/node[@uname={node} or @id={node}]//instance_attributes//nvpair[@name='standby']"
    );
    Ok(target::select(&mut session, &xpath, true)?.is_some())
}

pub fn failcount(words: &[String]) -> ExitCode {
    tool(&FAILCOUNT, words, count_failures)
}

fn count_failures(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let resource =
        given.value("resource").ok_or_else(|| usage("Must supply a resource name with -r/--resource"))?;
    let operation = given.value("operation");
    if given.has("interval") && operation.is_none() {
        return Err(usage("--interval needs --operation"));
    }
    let interval = match given.value("interval") {
        Some(text) => cib::value::parse_interval(text)
            .ok_or_else(|| usage(format!("Invalid value '{text}' for --interval: a time is needed")))?,
        None => 0,
    };
    match given.value("update") {
        None => {}
        Some("0") => return forget(given, resource),
        Some(other) => {
            return Err(usage(format!(
                "Invalid value '{other}' for --update: failures can only be set to 0"
            )));
        }
    }
    if given.last_of(&["query", "delete"]) == Some("delete") {
        return forget(given, resource);
    }
    let mut session = Session::open(None)?;
    let node = target::node_name(&mut session, given.value("node"))?;
    let attribute = match operation {
        Some(operation) => format!("fail-count-{resource}#{operation}_{interval}"),
        None => format!("fail-count-{resource}"),
    };
    let count = sum(&mut session, &node, &attribute, operation.is_none())?;
    let value = if count >= 1_000_000 { "INFINITY".to_owned() } else { count.to_string() };
    if out.quiet {
        out.line(&value);
    } else {
        out.line(format!("scope=status  name={attribute} value={value}"));
    }
    out.xml.leaf("attribute", &[("name", &attribute), ("value", &value), ("scope", "status")]);
    Ok(0)
}

fn sum(session: &mut Session, node: &str, attribute: &str, all: bool) -> Result<i64, Problem> {
    if target::node_id(session, node)?.is_none() {
        return Err(Problem::new(target::NO_SUCH, format!("Could not map name={node} to a UUID")));
    }
    let quoted = xml::xpath::literal(node);
    let xpath = format!(
        "/cib/status/node_state[@uname={quoted} or @id={quoted}]/transient_attributes//nvpair[starts-with(@name,{})]",
        xml::xpath::literal(attribute)
    );
    let Some(found) = target::select(session, &xpath, true)? else { return Ok(0) };
    let counts = target::elements(&found).into_iter().filter_map(|pair| {
        let rest = pair.attr("name")?.strip_prefix(attribute)?;
        let counts = rest.is_empty() || all && rest.starts_with('#');
        counts.then(|| {
            cib::value::Score::parse(pair.attr("value").unwrap_or("0")).map_or(0, |score| score.value())
        })
    });
    Ok(counts.map(i64::from).sum())
}

/// The same as a clean-up of the resource there.
fn forget(given: &Given, resource: &str) -> Result<u8, Problem> {
    let mut session = Session::open(None)?;
    let node = target::node_name(&mut session, given.value("node"))?;
    let interval_ms = given.value("interval").and_then(cib::value::parse_interval);
    let operation = view::api::Operation::Cleanup {
        resource: Some(resource.to_owned()),
        node: Some(node),
        action: given.value("operation").map(str::to_owned),
        interval_ms,
    };
    session.client()?.operate(&operation)?;
    Ok(0)
}
