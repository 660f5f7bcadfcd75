//! `stonith_admin`: fencing by hand, and what there is to fence with (rule 5a.13).

use std::process::ExitCode;
use std::time::Duration;

use agents::Agent;
use client::Client;
use cluster::RegisteredDevice;
use view::api::{FenceDevice, Fencing, Operation};

use super::options::{Given, NO_SHORT, Table, flag, maybe, old_flag, value};
use super::output::Output;
use super::{dlm_stonith, tool, usage};
use crate::fencing::{Fences, history};
use crate::pcs::local_agents::LocalAgents;
use crate::session::{Problem, Session};
use crate::tool::exit::NO_SUCH;

const TABLE: Table = Table {
    tool: "stonith_admin",
    about: "fence nodes, and ask about fence devices and fencing operations",
    options: &[
        flag('I', "list-installed", "List the fence agents of this host"),
        flag('L', "list-registered", "List the fence devices in use"),
        value('l', "list", "HOST", "List the devices that can fence a host"),
        value('s', "list-targets", "DEVICE", "List the hosts that a device can fence"),
        flag('M', "metadata", "Show an agent's metadata (with -a)"),
        value('Q', "query", "DEVICE", "Check whether a device works"),
        value('H', "history", "NODE", "Show fencing operations of a node, '*' for all"),
        value('h', "last", "NODE", "Show when a node was last fenced"),
        value('F', "fence", "HOST", "Switch a host off"),
        value('U', "unfence", "HOST", "Switch a host on"),
        value('B', "reboot", "HOST", "Reset a host"),
        value('C', "confirm", "HOST", "Swear that a host is down"),
        flag('K', "validate", "Let an agent check its parameters (with -a and -o)"),
        value('R', "register", "ID", "Have this node use a device until it restarts (with -a and -o)"),
        value('D', "deregister", "ID", "Forget such a device"),
        value('r', "register-level", "TARGET", "Add devices to a level likewise (with -i and -v)"),
        value('d', "deregister-level", "TARGET", "Forget such a level (with -i; without: all)"),
        value('i', "index", "LEVEL", "Level of the topology, 1 to 9"),
        maybe('v', "device", "DEVICE", "A device of the level (may be given several times)"),
        value('a', "agent", "AGENT", "The agent"),
        value('o', "option", "NAME=VALUE", "A parameter for the agent"),
        value('e', "env-option", "NAME", "A parameter for the agent, whose value is in the environment"),
        value('t', "timeout", "TIME", "How long it may take (120 s)"),
        value(NO_SHORT, "tolerance", "TIME", "A success of the same kind this young counts"),
        value('y', "delay", "SECONDS", "Wait before; -1: not even the devices' own delays"),
        value('T', "tag", "TAG", "Name of the caller, for the record"),
        flag('n', "as-node-id", "The host is given by its id"),
        flag('c', "cleanup", "With -H: forget finished operations"),
        flag('b', "broadcast", "With -H: ask all nodes"),
        flag('q', "quiet", "Say less"),
        flag('?', "help", "Show this help and exit"),
        old_flag(NO_SHORT, "unfencing", "unfence"),
        flag(NO_SHORT, "html-cgi", "With --output-as=html: begin with the header lines of a CGI program"),
        value(NO_SHORT, "html-stylesheet", "URI", "With --output-as=html: link this style sheet"),
        value(NO_SHORT, "html-title", "TITLE", "With --output-as=html: title of the page"),
    ],
    examples: &[
        "stonith_admin --reboot node2",
        "stonith_admin --history '*' --verbose",
        "stonith_admin --list node2",
        "stonith_admin --register ipmi2 --agent fence_ipmilan --option ip=10.0.0.2 --option pcmk_host_list=node2",
        "stonith_admin --register-level node2 --index 1 --device ipmi2",
        "stonith_admin --validate --agent fence_ipmilan --option ip=10.0.0.1",
    ],
};

const COMMANDS: [&str; 18] = [
    "list-installed",
    "list-registered",
    "list",
    "list-targets",
    "metadata",
    "query",
    "history",
    "last",
    "fence",
    "unfence",
    "reboot",
    "confirm",
    "validate",
    "register",
    "deregister",
    "register-level",
    "deregister-level",
    "cleanup",
];

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

pub fn connect() -> Result<Client, Problem> {
    Client::connect(Client::default_socket())
        .map_err(|error| Problem::new(error.exit_code(), format!("Could not connect to fencer: {error}")))
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let asked = |name: &str| given.value(name).unwrap_or_default().to_owned();
    match given.last_of(&COMMANDS) {
        Some("list-installed") => {
            let names = LocalAgents::default().search().types("stonith", None);
            list(&names, "Installed fence devices", "fence device", out);
            Ok(0)
        }
        Some("list-registered") => list_registered(out),
        Some("list") => list_capable(&asked("list"), out),
        Some("list-targets") => list_targets(&asked("list-targets"), out),
        Some("metadata") => metadata(given, out),
        Some("query") => query(&asked("query"), out),
        Some("history") | Some("cleanup") => show_history(given, &asked("history"), out),
        Some("last") => last(given, &asked("last"), out),
        Some(action @ ("fence" | "unfence" | "reboot")) => fence(given, action, &asked(action)),
        Some("confirm") => {
            connect()?.operate(&Operation::ConfirmFenced { node: asked("confirm") })?;
            Ok(0)
        }
        Some("validate") => validate(given, out),
        Some("register") => register(given, &asked("register")),
        Some("deregister") => {
            connect()?.operate(&Operation::DeregisterFenceDevice { device: asked("deregister") })?;
            Ok(0)
        }
        Some("register-level") => register_level(given, &asked("register-level")),
        Some("deregister-level") => deregister_level(given, &asked("deregister-level")),
        _ => Err(usage("Please give a command; --help lists them")),
    }
}

/// Names, one a line, with their number (rule 5a.1.6).
fn list(names: &[String], title: &str, noun: &str, out: &mut Output) {
    let count = names.len();
    out.xml.open("list", &[("name", title), ("count", &count.to_string())]);
    for name in names {
        out.line(name);
        out.xml.text("item", &[], name);
    }
    out.xml.close();
    found(count, noun, out);
}

fn found(count: usize, noun: &str, out: &mut Output) {
    out.info(format!("{count} {noun}{} found", if count == 1 { "" } else { "s" }));
}

/// What this node can use: the devices of the CIB and those that were registered with the node alone.
fn fences() -> Result<Fences, Problem> {
    let mut session = Session::open(None)
        .map_err(|problem| Problem::new(problem.code, format!("Could not connect to fencer: {problem}")))?;
    let mut fences = Fences::of(&session.cib()?);
    if let Ok(client) = session.client() {
        for FenceDevice { device: id, agent, parameters } in client.status()?.registered {
            fences.devices.put(RegisteredDevice { id, agent, parameters }.device());
        }
    }
    Ok(fences)
}

fn register(given: &Given, device: &str) -> Result<u8, Problem> {
    let agent = agent_name(given, "register")?;
    let parameters = parameters(given)?.into_iter().collect();
    let new = FenceDevice { device: device.to_owned(), agent: agent.clone(), parameters };
    connect()?.operate(&Operation::RegisterFenceDevice(new)).map_err(|error| {
        // the field's code for a device that cannot be used
        let code = if error.exit_code() == 70 { NO_SUCH } else { error.exit_code() };
        Problem::new(code, format!("Can't register device {device} using agent {agent}: {error}"))
    })?;
    Ok(0)
}

fn register_level(given: &Given, target: &str) -> Result<u8, Problem> {
    let level = level(given)?;
    let devices: Vec<String> = given.values("device").map(str::to_owned).collect();
    if devices.is_empty() {
        return Err(usage("--register-level needs --index LEVEL and one or more --device ID"));
    }
    connect()?
        .operate(&Operation::RegisterFenceLevel { target: target.to_owned(), level, devices })
        .map_err(|error| refused_level("register", level, target, &error))?;
    Ok(0)
}

fn deregister_level(given: &Given, target: &str) -> Result<u8, Problem> {
    let level = level(given)?;
    connect()?
        .operate(&Operation::DeregisterFenceLevel { target: target.to_owned(), level })
        .map_err(|error| refused_level("unregister", level, target, &error))?;
    Ok(0)
}

/// Level 0 unless given.
fn level(given: &Given) -> Result<u32, Problem> {
    let text = given.value("index").unwrap_or("0");
    text.parse().map_err(|_| usage(format!("Invalid value for --index: '{text}' is no level (1 to 9)")))
}

fn refused_level(verb: &str, level: u32, target: &str, error: &client::Error) -> Problem {
    let text = format!("Can't {verb} topology level {level} for {target}: {error}");
    Problem::new(error.exit_code(), text)
}

fn list_registered(out: &mut Output) -> Result<u8, Problem> {
    let fences = fences()?;
    let names: Vec<String> = fences.devices.devices.iter().map(|device| device.id.clone()).collect();
    list(&names, "Registered fence devices", "fence device", out);
    Ok(0)
}

fn list_capable(host: &str, out: &mut Output) -> Result<u8, Problem> {
    let fences = fences()?;
    let mut names = Vec::new();
    for device in &fences.devices.devices {
        match fences.fences(device, host) {
            Ok(true) => names.push(device.id.clone()),
            Ok(false) => {}
            // one that does not answer says nothing about the others
            Err(problem) => out.fail(problem),
        }
    }
    list(&names, "Registered fence devices", "fence device", out);
    Ok(0)
}

fn list_targets(id: &str, out: &mut Output) -> Result<u8, Problem> {
    let fences = fences()?;
    let targets = fences.targets(fences.device(id)?)?;
    list(&targets, "Fence Targets", "fence target", out);
    Ok(0)
}

fn query(id: &str, out: &mut Output) -> Result<u8, Problem> {
    let fences = fences()?;
    let answer = fences.ask(fences.device(id)?, "monitor", None)?;
    if answer.success {
        return Ok(0);
    }
    out.error(answer.errors);
    Ok(1)
}

fn agent_name(given: &Given, command: &str) -> Result<String, Problem> {
    given
        .value("agent")
        .map(str::to_owned)
        .ok_or_else(|| usage(format!("--{command} needs an agent: --agent fence_…")))
}

fn metadata(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let name = agent_name(given, "metadata")?;
    let agent = Agent::new("stonith", None, &name).map_err(|error| usage(error.to_string()))?;
    let text = LocalAgents::default()
        .metadata_text(&agent)
        .map_err(|error| Problem::new(NO_SUCH, format!("Could not get metadata of {name}: {error}")))?;
    out.block(&text);
    out.xml.literal("metadata", &[], &text);
    Ok(0)
}

/// `-o name=value` and `-e NAME` (rule 5a.13).
fn parameters(given: &Given) -> Result<Vec<(String, String)>, Problem> {
    let mut list = Vec::new();
    for text in given.values("option") {
        let pair = text.split_once('=').ok_or_else(|| usage(format!("Invalid option: -o {text}")))?;
        list.push((pair.0.to_owned(), pair.1.to_owned()));
    }
    for name in given.values("env-option") {
        let value = std::env::var(name).map_err(|_| usage(format!("Invalid option: -e {name} (not set)")))?;
        list.push((name.to_owned(), value));
    }
    Ok(list)
}

fn validate(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let name = agent_name(given, "validate")?;
    let mut input = vec![("action".to_owned(), "validate-all".to_owned())];
    input.extend(parameters(given)?.into_iter().filter(|(name, _)| !name.starts_with("pcmk_")));
    let run = agents::FenceRun {
        agent: name.clone(),
        device: name.clone(),
        input,
        timeout: Duration::from_secs(120),
    };
    let outcome = LocalAgents::default().fence(&run).map_err(|text| Problem::new(1, text))?;
    let is_valid = outcome.status == agents::Status::Done && outcome.exit_code == 0;
    let code = outcome.exit_code.to_string();
    out.line(format!("Validation of {name} {}", if is_valid { "succeeded" } else { "failed" }));
    out.block(outcome.stdout.trim_end());
    let errors = [outcome.stderr.trim_end(), &outcome.exit_reason];
    if let Some(errors) = errors.into_iter().find(|text| !text.is_empty()).filter(|_| !out.is_xml) {
        eprintln!("{errors}");
    }
    let valid = if is_valid { "true" } else { "false" };
    out.xml.open("validate", &[("agent", &name), ("valid", valid)]);
    out.xml.open("command", &[("code", &code)]);
    for (source, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        if !text.trim().is_empty() {
            out.xml.text("output", &[("source", source)], text.trim_end());
        }
    }
    out.xml.close();
    out.xml.close();
    Ok(if is_valid { 0 } else { 1 })
}

fn fencing_history() -> Result<Vec<Fencing>, Problem> {
    Ok(connect()?.status()?.fencing)
}

fn show_history(given: &Given, node: &str, out: &mut Output) -> Result<u8, Problem> {
    let target = Some(node).filter(|node| !node.is_empty() && *node != "*");
    if given.has("cleanup") {
        let of = target.map(|node| format!(" for node {node}")).unwrap_or_default();
        out.info(format!("cleaning up fencing-history{of}"));
        connect()?.operate(&Operation::ForgetFencing { node: target.map(str::to_owned) })?;
        return Ok(0);
    }
    if given.has("broadcast") {
        // every node has the whole history already
        out.info("gather fencing-history from all nodes");
    }
    let full = given.has("verbose") || given.has("device");
    let all = fencing_history()?;
    let shown = history::selected(&all, target, full);
    if out.quiet {
        for one in shown.iter().filter(|one| one.state != "pending") {
            out.line(one.at.to_string());
        }
        return Ok(0);
    }
    out.xml.open("list", &[("name", "Fencing history"), ("count", &shown.len().to_string())]);
    for one in &shown {
        out.line(history::line(one, full));
        history::element(one, &mut out.xml);
    }
    out.xml.close();
    found(shown.len(), "event", out);
    Ok(0)
}

/// When a node, given by name or by number, was last taken down (rule 4.62.4).
fn last(given: &Given, node: &str, out: &mut Output) -> Result<u8, Problem> {
    let mut client = connect()?;
    let name = match (given.has("as-node-id"), node.parse()) {
        (true, Ok(id)) => dlm_stonith::name_of(&mut client, id)?,
        (true, Err(_)) => return Err(usage(format!("'{node}' is no node id: it must be a number"))),
        (false, _) => node.to_owned(),
    };
    match dlm_stonith::last_fenced(&client.status()?.fencing, &name) {
        Some(at) if out.quiet => out.line(at.to_string()),
        Some(at) => {
            let at = crate::mon::ctime(at);
            out.line(format!("Node {node} last fenced at: {at}"));
            out.xml.leaf("last-fenced", &[("target", node), ("when", &at)]);
        }
        None => {
            out.info(format!("Node {node} has never been fenced"));
            out.xml.leaf("last-fenced", &[("target", node), ("when", "0")]);
        }
    }
    Ok(0)
}

fn milliseconds(given: &Given, name: &str) -> Result<Option<u64>, Problem> {
    let Some(text) = given.value(name) else { return Ok(None) };
    cib::value::parse_interval(text)
        .map(Some)
        .ok_or_else(|| usage(format!("Invalid value for --{name}: '{text}' is no time (examples: 30, 2min)")))
}

fn fence(given: &Given, command: &str, host: &str) -> Result<u8, Problem> {
    let action = match command {
        "fence" => "off",
        "unfence" => "on",
        _ => "reboot",
    };
    let delay = match given.value("delay") {
        Some("-1") => None,
        Some(_) => milliseconds(given, "delay")?,
        None => Some(0),
    };
    let tag = given.value("tag").map(|tag| format!("stonith_admin.{tag}"));
    let operation = Operation::Fence {
        node: host.to_owned(),
        action: action.to_owned(),
        timeout_ms: milliseconds(given, "timeout")?,
        delay_ms: delay,
        tolerance_s: milliseconds(given, "tolerance")?.unwrap_or(0) / 1000,
        client: tag.unwrap_or_else(|| "stonith_admin".to_owned()),
    };
    let mut client = connect()?;
    // the cluster knows the limit of the operation and keeps it (rule 4.53.4)
    client.set_timeout(Duration::from_secs(3600));
    client
        .operate(&operation)
        .map_err(|error| Problem::new(error.exit_code(), format!("Couldn't {command} {host}: {error}")))?;
    Ok(0)
}
