//! `systole fence test NODE`: the only proof that fencing works is a node that went down by it.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cluster::fencing::outlook::outlook;
use view::api;

use super::Fences;
use super::record::{self, CHECKED, PROVEN, Proof};
use crate::session::{Problem, Session};

/// How long a host may stay in the membership after its power is said to be off.
const VANISHES_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  systole fence test node2                  fences node2 after a question, and watches it go down\n  systole fence test node2 --status-only    asks its devices on this host, and harms nothing\n\nThe result is kept as a node attribute (fence-proven, fence-checked); 'systole fence status' shows it.\nExit codes: 0 proven, 1 not, 105 no such node, 124 too late."
)]
pub struct Arguments {
    /// The node to be fenced
    node: String,
    /// Only ask its fence devices, on this host
    #[arg(long)]
    status_only: bool,
    /// What is done to it: reboot or off
    #[arg(long, default_value = "reboot", value_parser = ["reboot", "off"])]
    action: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Problem> {
    let mut session = Session::open(None)?;
    let document = session.cib()?;
    let nodes = crate::configuration::Configuration::new(document.clone()).node_names();
    let known = nodes.iter().find(|name| name.eq_ignore_ascii_case(&arguments.node));
    let Some(node) = known.cloned() else {
        let near = cib::options::closest(nodes.iter().map(String::as_str), &arguments.node)
            .map(|name| format!(" (did you mean '{name}'?)"))
            .unwrap_or_default();
        return Err(Problem::new(105, format!("no node '{}' is known{near}", arguments.node)));
    };
    if arguments.status_only {
        return check(&mut session, &document, &nodes, &node);
    }
    if !arguments.yes && !asked(&node, &arguments.action)? {
        return Err(Problem::new(1, "not confirmed: nothing was done"));
    }
    prove(&mut session, &node, &arguments.action)
}

fn asked(node: &str, action: &str) -> Result<bool, Problem> {
    eprint!(
        "This {} {node} for real, without stopping anything there first.\nType the node's name to go on: ",
        if action == "off" { "switches off" } else { "resets" }
    );
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Problem::new(1, format!("no answer: {error}")))?;
    Ok(answer.trim() == node)
}

/// Asks each device on this host whether it works and knows the node.
fn check(
    session: &mut Session,
    document: &xml::Document,
    nodes: &[String],
    node: &str,
) -> Result<ExitCode, Problem> {
    let fences = Fences::of(document);
    let own = outlook(&fences.devices, nodes, false).into_iter().find(|one| one.node == node);
    let ways = own.as_ref().map(|one| one.ways.clone()).unwrap_or_default();
    if ways.is_empty() {
        let missing = own.map(|one| one.missing.join("; ")).unwrap_or_default();
        return Err(Problem::new(1, format!("{node} cannot be fenced: {missing}")));
    }
    let mut good = Vec::new();
    for way in &ways {
        let mut works = true;
        for id in &way.devices {
            works &= check_device(&fences, id, node)?;
        }
        if works {
            good.push(way.devices.join("+"));
        }
    }
    if good.is_empty() {
        return Err(Problem::new(1, format!("nothing that answers on this host can fence {node}")));
    }
    let here = session.client()?.status()?.node;
    let how = format!("{} answered on {here}", good.join(", "));
    record::write(session, node, CHECKED, &Proof { at: now(), how })?;
    println!("{node} can be fenced as far as its devices say; only a real fencing proves it.");
    Ok(ExitCode::SUCCESS)
}

fn check_device(fences: &Fences, id: &str, node: &str) -> Result<bool, Problem> {
    if id == cluster::fencing::WATCHDOG_DEVICE {
        println!("  {id}: there is nothing to ask; the node takes itself down");
        return Ok(true);
    }
    let device = fences.device(id)?;
    let monitor = fences.ask(device, "monitor", None)?;
    if !monitor.success {
        println!("  {id}: its monitor failed: {}", monitor.errors);
        return Ok(false);
    }
    let knows = fences.fences(device, node)?;
    println!("  {id}: works, and {} {node}", if knows { "knows" } else { "does not know" });
    Ok(knows)
}

/// Fences the node and watches it vanish.
fn prove(session: &mut Session, node: &str, action: &str) -> Result<ExitCode, Problem> {
    let operation = api::Operation::Fence {
        node: node.to_owned(),
        action: action.to_owned(),
        timeout_ms: None,
        delay_ms: Some(0),
        tolerance_s: 0,
        client: "systole fence test".to_owned(),
    };
    let client = session.client()?;
    client.set_timeout(Duration::from_secs(3600));
    let begun = Instant::now();
    client.operate(&operation)?;
    println!(
        "The devices say that {node} is down, after {:.1} s. Watching whether it is …",
        begun.elapsed().as_secs_f64()
    );
    let record = vanished(session, node)?;
    let how = format!(
        "{action} by {} on {}",
        record.devices.join("+"),
        record.executor.as_deref().unwrap_or("an unknown node")
    );
    record::write(session, node, PROVEN, &Proof { at: record.at, how: how.clone() })?;
    println!("Proven: {node} went down by {how}.");
    Ok(ExitCode::SUCCESS)
}

/// Waits until the host has left the membership; the record of the operation that did it.
fn vanished(session: &mut Session, node: &str) -> Result<api::Fencing, Problem> {
    let until = Instant::now() + VANISHES_WITHIN;
    loop {
        let status = session.client()?.status()?;
        let record = status
            .fencing
            .iter()
            .rev()
            .find(|record| {
                record.target.eq_ignore_ascii_case(node) && record.state == "done" && !record.merged
            })
            .cloned()
            .ok_or_else(|| Problem::new(1, "the operation is not in the history: it cannot be judged"))?;
        let survived = || {
            let devices = record.devices.join(" and ");
            Problem::new(
                1,
                format!(
                    "NOT proven: {devices} said that {node} is down, and it is not. Unless it cuts off storage or network instead of power, {devices} must not be relied on"
                ),
            )
        };
        if record.survived {
            return Err(survived());
        }
        let member = status.members.iter().find(|member| member.name.eq_ignore_ascii_case(node));
        let is_there = member.is_some_and(|member| member.member);
        if !is_there {
            return Ok(record);
        }
        if Instant::now() >= until {
            return Err(survived());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
