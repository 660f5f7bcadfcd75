//! `crmadmin`: the controller, the DC and the nodes (rule 5a.12).

use std::process::ExitCode;
use std::time::Duration;

use client::Client;
use view::api::Status;

use super::options::{Given, Table, flag, maybe, old_value, value};
use super::output::Output;
use super::{tool, usage};
use crate::session::{Problem, Session};

const TABLE: Table = Table {
    tool: "crmadmin",
    about: "ask the controller for its state, the DC and the nodes",
    options: &[
        value('S', "status", "NODE", "Show the state of a node's controller"),
        flag('P', "pacemakerd", "Show the state of the local daemon"),
        flag('D', "dc_lookup", "Show which node is DC"),
        maybe('N', "nodes", "TYPE", "Show the nodes: all, cluster, guest or remote"),
        value('t', "timeout", "TIME", "How long to wait for an answer (30 s unless told)"),
        flag('B', "bash-export", "With --nodes: as lines 'export NAME=ID'"),
        flag('q', "quiet", "Show only the essential word"),
        old_value('i', "ipc-name", "ipc-name"),
    ],
    examples: &["crmadmin -D", "crmadmin -S node1", "crmadmin --nodes=cluster --quiet"],
};

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let command = given.last_of(&["status", "pacemakerd", "dc_lookup", "nodes"]);
    if let Some(word) = given.words.first() {
        return Err(usage(format!("error: unexpected argument '{word}'")));
    }
    match command {
        Some("nodes") => nodes(given, out),
        Some("status") => state(given.value("status").unwrap_or_default(), &ask(given)?, out),
        Some("pacemakerd") => daemon(&ask(given)?, out),
        Some(_) => dc(&ask(given)?, out),
        None => Err(usage("error: Must specify a command option: -S NODE, -P, -D or -N [TYPE] (see --help)")),
    }
}

fn ask(given: &Given) -> Result<Status, Problem> {
    let limit = match given.value("timeout") {
        None => Duration::from_secs(30),
        Some(text) => cib::value::parse_interval(text).map(Duration::from_millis).ok_or_else(|| {
            usage(format!("Invalid value '{text}' for --timeout: a time such as 30s is needed"))
        })?,
    };
    let failed =
        |error: client::Error| Problem::new(error.exit_code(), format!("error: Command failed: {error}"));
    let mut client = Client::connect(Client::default_socket()).map_err(failed)?;
    client.set_timeout(limit);
    client.status().map_err(failed)
}

/// The state of a node's controller. A node other than the asked one is judged by what the cluster knows.
fn state(node: &str, status: &Status, out: &mut Output) -> Result<u8, Problem> {
    let member = status.members.iter().find(|member| member.name == node);
    let Some(member) = member.filter(|member| member.member) else {
        let why =
            if member.is_some() { "is not running" } else { "is not known (crmadmin -N lists the nodes)" };
        return Err(Problem::new(102, format!("error: Command failed: node {node} {why}")));
    };
    let word = controller_state(status, &member.name, member.joined);
    out.line(if out.quiet { word.to_owned() } else { format!("Controller on {node} in state {word}: ok") });
    out.xml.leaf("crmd", &[("node_name", node), ("state", word), ("result", "ok")]);
    Ok(0)
}

/// The state in the classic words; only the DC has states of its own.
fn controller_state(status: &Status, node: &str, joined: bool) -> &'static str {
    match &status.dc {
        None => "S_ELECTION",
        Some(_) if !joined => "S_PENDING",
        Some(dc) if dc == node && status.transition.is_some() => "S_TRANSITION_ENGINE",
        Some(dc) if dc == node && !status.settled => "S_POLICY_ENGINE",
        Some(dc) if dc == node => "S_IDLE",
        Some(_) => "S_NOT_DC",
    }
}

fn dc(status: &Status, out: &mut Output) -> Result<u8, Problem> {
    match &status.dc {
        Some(dc) => {
            out.line(if out.quiet { dc.clone() } else { format!("Designated Controller is: {dc}") });
            out.xml.leaf("dc", &[("node_name", dc)]);
        }
        None => {
            out.info("Designated Controller is: not yet elected");
            out.xml.leaf("dc", &[("node_name", "")]);
        }
    }
    Ok(0)
}

/// The daemon answers, so all of it was alive just now (rule 4.60.4). Before it waits for messaging or sbd it answers
/// nobody.
fn daemon(status: &Status, out: &mut Output) -> Result<u8, Problem> {
    let state = match status.state.as_str() {
        "starting" => "starting_daemons",
        "leaving" => "shutting_down",
        _ => "running",
    };
    let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S %:z").to_string();
    out.line(if out.quiet {
        state.to_owned()
    } else {
        format!("Status of pacemakerd: '{state}' (last updated {now})")
    });
    out.xml.leaf("pacemakerd", &[("sys_from", "pacemakerd"), ("state", state), ("last_updated", &now)]);
    Ok(0)
}

/// Kinds of nodes with the XPath that finds them: where a node's name and id are.
const KINDS: [(&str, &str); 3] = [
    ("cluster", "/cib/configuration/nodes/node"),
    ("guest", "/cib/configuration/resources//primitive/meta_attributes/nvpair[@name='remote-node']"),
    (
        "remote",
        "/cib/configuration/resources//primitive[@class='ocf'][@provider='pacemaker'][@type='remote']",
    ),
];

fn nodes(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let wanted = given.value("nodes").unwrap_or("all");
    let wanted: Vec<&str> = wanted.split(',').collect();
    let known = |word: &&str| *word == "all" || KINDS.iter().any(|(kind, _)| kind == word);
    if let Some(other) = wanted.iter().find(|word| !known(word)) {
        return Err(usage(format!(
            "error: unknown type of node '{other}': use all, cluster, guest or remote"
        )));
    }
    let mut session = Session::open(None)?;
    let mut found_any = false;
    out.xml.open("nodes", &[]);
    for (kind, xpath) in KINDS {
        if !wanted.contains(&"all") && !wanted.contains(&kind) {
            continue;
        }
        let Some(found) = super::target::select(&mut session, xpath, true)? else { continue };
        for element in super::target::elements(&found) {
            if let Some((name, id)) = identity(element) {
                node(kind, name, id, given.has("bash-export"), out);
                found_any = true;
            }
        }
    }
    out.xml.close();
    if !found_any {
        out.info("No nodes configured");
    }
    Ok(0)
}

/// Name and id; remote and guest nodes have their name for an id.
fn identity<'a>(element: xml::Element<'a>) -> Option<(&'a str, &'a str)> {
    match element.name() {
        "node" if matches!(element.attr("type"), Some("remote" | "ping")) => None,
        "node" => Some((element.attr("uname")?, element.attr("id")?)),
        "nvpair" => element.attr("value").map(|name| (name, name)),
        _ => element.attr("id").map(|name| (name, name)),
    }
}

fn node(kind: &str, name: &str, id: &str, export: bool, out: &mut Output) {
    out.line(if export {
        format!("export {name}={id}")
    } else if out.quiet {
        name.to_owned()
    } else {
        format!("{kind} node: {name} ({id})")
    });
    out.xml.leaf("node", &[("type", kind), ("name", name), ("id", id)]);
}
