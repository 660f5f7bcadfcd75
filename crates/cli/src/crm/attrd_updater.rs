//! `attrd_updater`: transient node attributes (rule 5a.7).

use std::process::ExitCode;

use client::Client;
use view::api::{AttributeChange, AttributeQuery};

use super::options::{Given, NO_SHORT, Table, flag, old_flag, old_value, value};
use super::output::Output;
use super::{target, tool, usage};
use crate::session::Problem;
use crate::tool::exit;

const TABLE: Table = Table {
    tool: "attrd_updater",
    about: "query and change transient node attributes",
    options: &[
        value('n', "name", "NAME", "Name of the attribute"),
        value('P', "pattern", "REGEX", "All attributes whose name matches"),
        value('U', "update", "VALUE", "Set the value"),
        value('B', "update-both", "VALUE", "Set the value and the delay"),
        flag('Y', "update-delay", "Set only the delay"),
        flag('D', "delete", "Unset the attribute"),
        flag('Q', "query", "Show the value"),
        flag('A', "all", "With --query: on all nodes"),
        flag('R', "refresh", "Write all values to the configuration again"),
        value('d', "delay", "TIME", "Wait this long for further changes before the value is written"),
        value('s', "set", "SET", "Id of the set of attributes"),
        value('N', "node", "NODE", "Attribute of this node"),
        flag('p', "private", "Keep it out of the configuration"),
        flag('z', "utilization", "A utilization attribute"),
        value('W', "wait", "UNTIL", "How far an update must be: no, local or cluster"),
        old_value('v', "value", "update"),
        old_value('S', "section", "section"),
        old_value('l', "lifetime", "section"),
        old_flag('q', "quiet", "quiet"),
        old_value(NO_SHORT, "name-pattern", "pattern"),
    ],
    examples: &["attrd_updater -n pingd -U 100 -d 5s", "attrd_updater -n pingd -Q -A"],
};

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    if let Some(section) = given.value("section") {
        if !["status", "reboot", "nodes", "forever", "crm_config"].contains(&section) {
            return Err(usage(format!("Invalid value '{section}' for -S: status or reboot is needed")));
        }
    }
    let command = given.last_of(&["update", "update-both", "update-delay", "delete", "query", "refresh"]);
    let Some(command) = command else {
        return Err(usage("a command is needed: -U VALUE, -B VALUE, -Y, -D, -Q or -R (see --help)"));
    };
    let name = given.value("name").or_else(|| given.value("pattern"));
    if name.is_none() && command != "refresh" {
        return Err(usage(if command == "query" {
            "Command requires --name argument"
        } else {
            "Command requires --name or --pattern argument"
        }));
    }
    let name = name.unwrap_or_default();
    let delay = given.value("delay").map(delay).transpose()?;
    if command == "update-both" && delay.is_none() {
        return Err(usage("--update-both needs a delay (-d TIME)"));
    }
    let value = given.value(command);
    let mut client = Client::connect(Client::default_socket()).map_err(|error| {
        let message = match value {
            Some(value) => format!("Could not update {name}={value}: {error}"),
            None => format!("Could not connect to attrd: {error}"),
        };
        Problem::new(error.exit_code(), message)
    })?;
    if command == "query" {
        return query(&mut client, given, name, out);
    }
    let node = match target::named_node(given.value("node")) {
        Some(node) => Some(node),
        None if command == "refresh" => None,
        None => Some(client.status()?.node),
    };
    let change = AttributeChange {
        node,
        name: name.to_owned(),
        value: value.map(str::to_owned),
        pattern: given.value("name").is_none() && given.has("pattern"),
        only_dampening: command == "update-delay",
        refresh: command == "refresh",
        dampening_ms: delay.or((command == "update-delay").then_some(0)),
        set: given.value("set").map(str::to_owned),
        private: given.has("private"),
        utilization: given.has("utilization"),
    };
    let what = value.map_or_else(|| name.to_owned(), |value| format!("{name}={value}"));
    client
        .change_attribute(&change)
        .map_err(|error| Problem::new(error.exit_code(), format!("Could not update {what}: {error}")))?;
    Ok(0)
}

/// Milliseconds.
fn delay(text: &str) -> Result<u64, Problem> {
    cib::value::parse_interval(text)
        .ok_or_else(|| usage(format!("Invalid value '{text}' for --delay: a time such as 5s is needed")))
}

fn query(client: &mut Client, given: &Given, name: &str, out: &mut Output) -> Result<u8, Problem> {
    let node = if given.has("all") {
        None
    } else {
        match target::named_node(given.value("node")) {
            Some(node) => Some(node),
            None => Some(client.status()?.node),
        }
    };
    let missing =
        || Problem::new(exit::CONFIG, format!("Could not query value of {name}: attribute does not exist"));
    let found = match client.attributes(&AttributeQuery { node, name: Some(name.to_owned()) }) {
        Ok(found) if found.is_empty() => return Err(missing()),
        Ok(found) => found,
        Err(error) if error.exit_code() == target::NO_SUCH => return Err(missing()),
        Err(error) => return Err(error.into()),
    };
    for one in found {
        if out.quiet {
            out.line(&one.value);
        } else {
            out.line(format!("name=\"{}\" host=\"{}\" value=\"{}\"", one.name, one.node, one.value));
        }
        out.xml.leaf("attribute", &[("name", &one.name), ("value", &one.value), ("host", &one.node)]);
    }
    Ok(0)
}
