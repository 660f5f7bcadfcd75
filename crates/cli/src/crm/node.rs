//! `crm_node`: the nodes as the cluster layer sees them (rule 5a.11).

use std::process::ExitCode;

use client::Client;
use view::api::{Member, Operation};
use view::markup::boolean;

use super::options::{Given, Table, flag, old_flag, value};
use super::output::Output;
use super::target;
use super::{tool, usage};
use crate::session::Problem;

const TABLE: Table = Table {
    tool: "crm_node",
    about: "show the nodes of the cluster, or forget one",
    options: &[
        flag('n', "name", "Show this node's name"),
        flag('i', "cluster-id", "Show this node's id"),
        value('N', "name-for-id", "ID", "Show the name of the node with this id"),
        flag('l', "list", "Show all known nodes: id, name, state"),
        flag('p', "partition", "Show the names of the nodes in this partition"),
        flag('q', "quorum", "Show 1 if this partition has quorum, else 0"),
        value('R', "remove", "NAME", "Forget a node that is down (needs --force)"),
        flag('f', "force", "Do what is dangerous"),
        flag('Q', "quiet", "Say less"),
        old_flag('C', "corosync", "corosync"),
    ],
    examples: &["crm_node -n", "crm_node -p", "crm_node --force --remove node3"],
};

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn connect() -> Result<Client, Problem> {
    Client::connect(Client::default_socket())
        .map_err(|error| Problem::new(error.exit_code(), format!("Could not connect to controller: {error}")))
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let commands = ["name", "cluster-id", "name-for-id", "list", "partition", "quorum", "remove"];
    match given.last_of(&commands) {
        Some("name") => match target::node_of_environment() {
            Some(name) => {
                out.line(&name);
                out.xml.leaf("node-info", &[("uname", &name)]);
            }
            None => {
                let status = connect()?.status()?;
                out.line(&status.node);
                let id = status.node_id.to_string();
                out.xml.leaf("node-info", &[("nodeid", &id), ("uname", &status.node)]);
            }
        },
        Some("cluster-id") => {
            let id = connect()?.status()?.node_id.to_string();
            out.line(&id);
            out.xml.leaf("node-info", &[("nodeid", &id)]);
        }
        Some("name-for-id") => name_for_id(given.value("name-for-id").unwrap_or_default(), out)?,
        Some("list") => list(out)?,
        Some("partition") => partition(out)?,
        Some("quorum") => {
            let quorate = connect()?.status()?.quorate;
            out.line(if quorate { "1" } else { "0" });
            out.xml.leaf("cluster-info", &[("quorum", boolean(quorate))]);
        }
        Some("remove") => remove(given, out)?,
        _ => return Err(usage("a command is needed: -n, -i, -N ID, -l, -p, -q or -R NAME (see --help)")),
    }
    Ok(0)
}

fn name_for_id(id: &str, out: &mut Output) -> Result<(), Problem> {
    let number: u32 =
        id.parse().map_err(|_| usage(format!("Invalid value '{id}': a node id (a number) is needed")))?;
    let status = connect()?.status()?;
    let member = status.members.iter().find(|member| member.id == number);
    let member = member.ok_or_else(|| Problem::new(105, format!("Node {id} is not known")))?;
    out.line(&member.name);
    out.xml.leaf("node-info", &[("nodeid", id), ("uname", &member.name)]);
    Ok(())
}

fn members() -> Result<Vec<Member>, Problem> {
    let mut members = connect()?.status()?.members;
    members.sort_by_key(|member| member.id);
    Ok(members)
}

fn list(out: &mut Output) -> Result<(), Problem> {
    out.xml.open("nodes", &[]);
    for member in members()? {
        let state = if member.member { "member" } else { "lost" };
        let id = member.id.to_string();
        out.line(format!("{id} {} {state}", member.name));
        out.xml.leaf("node", &[("id", &id), ("name", &member.name), ("state", state)]);
    }
    out.xml.close();
    Ok(())
}

fn partition(out: &mut Output) -> Result<(), Problem> {
    let present: Vec<Member> =
        members()?.into_iter().filter(|member| member.member && !member.name.is_empty()).collect();
    let names: Vec<&str> = present.iter().map(|member| member.name.as_str()).collect();
    out.line(names.join(" "));
    out.xml.open("nodes", &[]);
    for member in &present {
        out.xml.leaf("node", &[("id", &member.id.to_string()), ("name", &member.name)]);
    }
    out.xml.close();
    Ok(())
}

fn remove(given: &Given, out: &mut Output) -> Result<(), Problem> {
    if !given.has("force") {
        return Err(usage(
            "The supplied command is considered dangerous. To prevent accidental destruction of the cluster, the --force flag is required in order to proceed.",
        ));
    }
    let asked = given.value("remove").unwrap_or_default();
    let mut client = connect()?;
    let name = match asked.parse::<u32>() {
        Ok(id) => {
            client.status()?.members.into_iter().find(|member| member.id == id).map(|member| member.name)
        }
        Err(_) => None,
    };
    let node = name.unwrap_or_else(|| asked.to_owned());
    let done = client.operate(&Operation::RemoveNode { node: node.clone() }).map_err(|error| {
        Problem::new(error.exit_code(), format!("Could not purge node {node} from cluster: {error}"))
    })?;
    for message in done.messages {
        out.info(message);
    }
    Ok(())
}
