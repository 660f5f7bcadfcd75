//! What pcs does with a running cluster: status, waiting, moving, cleaning up, fencing.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use view::api;

use super::catalog::AgentName;
use super::local_agents::LocalAgents;
use super::resource;
use super::words::{Failure, Options, Result};
use crate::configuration::Configuration;
use crate::outlook::Outlook;
use crate::session::{Problem, Session};

/// How long `--wait` without a number waits (rule 5d.1.6).
const DEFAULT_WAIT: Duration = Duration::from_secs(60 * 60);

/// Waits until the scheduler would change nothing and nothing is in progress; says meanwhile what it waits for.
pub fn wait_until_settled(session: &mut Session, limit: Option<u64>) -> Result<()> {
    let limit = limit.map_or(DEFAULT_WAIT, Duration::from_secs);
    let begun = Instant::now();
    let mut said = String::new();
    loop {
        let outlook = Outlook::of(&session.cib()?)?;
        let waiting = outlook.unsettled();
        if waiting.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > limit {
            return Err(format!("waiting timeout, still to be done: {}", waiting.join(", ")).into());
        }
        let line = format!("waiting for: {}", waiting.join(", "));
        if std::io::stderr().is_terminal() && line != said && begun.elapsed() > Duration::from_secs(1) {
            eprintln!("{line}");
            said = line;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `pcs status`.
pub fn print_status(session: &mut Session, options: &Options) -> Result<ExitCode> {
    let document = session.cib().map_err(|problem| Failure {
        message: format!("error running crm_mon, is pacemaker running?\n  {}", problem.message),
        code: 1,
        usage: false,
    })?;
    let name = cluster_name(session, &document);
    println!("Cluster name: {name}");
    let outlook = Outlook::current(&document)?;
    let detail = if options.flag("--full") { crate::mon::Detail::Full } else { crate::mon::Detail::Normal };
    print!("{}", crate::mon::text(&outlook, &document, detail));
    Ok(ExitCode::SUCCESS)
}

fn cluster_name(session: &mut Session, document: &xml::Document) -> String {
    let configured = super::property::configured(&Configuration::new(document.clone()));
    if let Some((_, name)) = configured.into_iter().find(|(name, _)| name == "cluster-name") {
        return name;
    }
    session
        .client()
        .ok()
        .and_then(|client| client.status().ok())
        .and_then(|status| status.cluster)
        .unwrap_or_default()
}

/// `pcs resource [status]` and `pcs stonith [status]`.
pub fn print_resource_status(session: &mut Session, fence_devices: bool) -> Result<ExitCode> {
    let document = session.cib()?;
    let lines = crate::mon::resource_lines(&Outlook::current(&document)?, fence_devices);
    if lines.is_empty() {
        println!(
            "{}",
            if fence_devices { "NO stonith devices configured" } else { "NO resources configured" }
        );
    }
    for line in lines {
        println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// `pcs cluster status` and `pcs status cluster`.
pub fn print_cluster_status(session: &mut Session) -> Result<ExitCode> {
    let document = session.cib()?;
    let outlook = Outlook::current(&document)?;
    println!("Cluster Status:");
    for line in crate::mon::summary_lines(&outlook, &document) {
        println!(" {line}");
    }
    println!(" Node List:");
    for line in crate::mon::node_lines(&outlook) {
        println!("   {line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// `pcs status nodes`.
pub fn print_nodes(session: &mut Session) -> Result<ExitCode> {
    let outlook = Outlook::of(&session.cib()?)?;
    println!("Pacemaker Nodes:");
    for (title, names) in outlook.nodes_by_state() {
        println!(" {title}:{}", names.iter().map(|name| format!(" {name}")).collect::<String>());
    }
    Ok(ExitCode::SUCCESS)
}

/// `pcs status xml`.
pub fn print_status_xml(session: &mut Session) -> Result<ExitCode> {
    let _ = session;
    Err("'pcs status xml' is not part of Systole yet".into())
}

/// `pcs resource move R [N]`: the resource moves and nothing is left behind (rule 5d.3).
pub fn move_resource(
    session: &mut Session,
    options: &Options,
    id: &str,
    target: Option<&str>,
    without_residue: bool,
) -> Result<ExitCode> {
    let configuration = Configuration::new(session.cib()?);
    let element = configuration.resource(id).ok_or_else(|| format!("Unable to find resource: {id}"))?;
    let subject = movable(&configuration, element)?;
    let outlook = Outlook::of(&configuration.document)?;
    let now_on = outlook.active_on(&subject);
    if let Some(target) = target {
        if !configuration.node_names().iter().any(|node| node == target) {
            return Err(format!("Node '{target}' not found").into());
        }
        if now_on.iter().any(|node| node == target) {
            return Err(
                format!("error moving resource '{id}': it is already running on node '{target}'").into()
            );
        }
    } else if now_on.len() != 1 {
        return Err(format!(
            "error moving resource '{id}': it is running on {} nodes, name the node to move it to",
            now_on.len()
        )
        .into());
    }
    let (constraint_id, node, score) = match target {
        Some(target) => (format!("cli-prefer-{subject}"), target.to_owned(), "INFINITY"),
        None => (format!("cli-ban-{subject}-on-{}", now_on[0]), now_on[0].clone(), "-INFINITY"),
    };
    session.edit("pcs", |configuration: &mut Configuration| -> Result<()> {
        put_cli_constraint(configuration, &constraint_id, &subject, &node, score);
        Ok(())
    })?;
    if !without_residue {
        eprintln!("Location constraint to move resource '{id}' has been created");
        eprintln!(
            "Warning: A move constraint has been created and the resource '{id}' may or may not move depending on other configuration"
        );
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("Location constraint to move resource '{id}' has been created");
    if !session.is_live() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("Waiting for the cluster to apply configuration changes...");
    wait_until_settled(session, options.wait.flatten())?;
    let would_return = would_move_without(session, &constraint_id, &subject)?;
    session.edit("pcs", |configuration: &mut Configuration| -> Result<()> {
        remove_constraint(configuration, &constraint_id);
        Ok(())
    })?;
    eprintln!("Location constraint created to move resource '{id}' has been removed");
    eprintln!("Waiting for the cluster to apply configuration changes...");
    wait_until_settled(session, options.wait.flatten())?;
    if let Some(nodes) = would_return {
        return Err(format!(
            "Unable to ensure that moved resource '{id}' will stay on the same node after a constraint used for moving it is removed: it prefers {nodes}. 'systole why {id}' says why"
        )
        .into());
    }
    print_location(session, id, &subject)?;
    Ok(ExitCode::SUCCESS)
}

/// Where the resource would be if the constraint were gone, if that is somewhere else than now.
fn would_move_without(session: &mut Session, constraint: &str, subject: &str) -> Result<Option<String>> {
    let document = session.cib()?;
    let now_on = Outlook::of(&document)?.active_on(subject);
    let mut without = Configuration::new(document);
    remove_constraint(&mut without, constraint);
    let planned = Outlook::of(&without.document)?.planned_on(subject);
    Ok((planned != now_on).then(|| planned.join(", ")))
}

fn print_location(session: &mut Session, id: &str, subject: &str) -> Result<()> {
    let nodes = Outlook::of(&session.cib()?)?.active_on(subject);
    if nodes.is_empty() {
        eprintln!("Resource '{id}' is not running on any node");
    } else {
        eprintln!("Resource '{id}' is running on node '{}'", nodes.join("', '"));
    }
    Ok(())
}

/// The id that a move names: the group or bundle around a member, never a clone's inside.
fn movable(configuration: &Configuration, element: xml::NodeId) -> Result<String> {
    match configuration.container(element) {
        Some(container) if configuration.name(container) == "group" => {
            Ok(configuration.id(container).to_owned())
        }
        Some(container) => Err(format!(
            "to move this {}, use its id: '{}'",
            configuration.name(container),
            configuration.id(container)
        )
        .into()),
        None => Ok(configuration.id(element).to_owned()),
    }
}

fn put_cli_constraint(configuration: &mut Configuration, id: &str, resource: &str, node: &str, score: &str) {
    remove_constraint(configuration, id);
    let section = configuration.section_or_new("constraints");
    let element = configuration.document.append_element(section, "rsc_location");
    for (name, value) in
        [("id", id), ("rsc", resource), ("role", "Started"), ("node", node), ("score", score)]
    {
        configuration.document.set_attribute(element, name, value);
    }
}

fn remove_constraint(configuration: &mut Configuration, id: &str) -> bool {
    let Some(section) = configuration.section("constraints") else { return false };
    let found = configuration.children(section).into_iter().find(|element| configuration.id(*element) == id);
    if let Some(element) = found {
        configuration.document.remove(element);
    }
    found.is_some()
}

/// `pcs resource ban R [N]`.
pub fn ban(session: &mut Session, options: &Options, id: &str, words: &[&str]) -> Result<ExitCode> {
    let configuration = Configuration::new(session.cib()?);
    let element = configuration.resource(id).ok_or_else(|| format!("Unable to find resource: {id}"))?;
    let subject = movable(&configuration, element)?;
    if let Some(word) = words.iter().find(|word| word.starts_with("lifetime=")) {
        return Err(format!("'{word}': bans with a lifetime are not part of Systole yet; leave it out, or write the rule in XML").into());
    }
    let node = match words.first() {
        Some(node) => (*node).to_owned(),
        None => match Outlook::of(&configuration.document)?.active_on(&subject).as_slice() {
            [node] => node.clone(),
            others => {
                return Err(format!(
                    "'{id}' is running on {} nodes, name the node to ban it from",
                    others.len()
                )
                .into());
            }
        },
    };
    let constraint_id = format!("cli-ban-{subject}-on-{node}");
    session.edit("pcs", |configuration: &mut Configuration| -> Result<()> {
        put_cli_constraint(configuration, &constraint_id, &subject, &node, "-INFINITY");
        Ok(())
    })?;
    eprintln!(
        "Warning: Creating location constraint '{constraint_id}' with a score of -INFINITY for resource {subject} on {node}.\n\tThis will prevent {subject} from running on {node} until the constraint is removed."
    );
    if let Some(limit) = options.wait {
        wait_until_settled(session, limit)?;
        print_location(session, id, &subject)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `pcs resource clear R [N]`: removes what move and ban left.
pub fn clear(session: &mut Session, id: &str, node: Option<&str>) -> Result<ExitCode> {
    let removed = session.edit("pcs", |configuration: &mut Configuration| -> Result<Vec<String>> {
        let element = configuration.resource(id).ok_or_else(|| format!("Unable to find resource: {id}"))?;
        let subject = movable(configuration, element)?;
        let Some(section) = configuration.section("constraints") else { return Ok(Vec::new()) };
        let mut removed = Vec::new();
        for constraint in configuration.children(section) {
            let constraint_id = configuration.id(constraint).to_owned();
            let ours = constraint_id.starts_with("cli-prefer-") || constraint_id.starts_with("cli-ban-");
            let fits = configuration.attribute(constraint, "rsc") == subject
                && node.is_none_or(|node| configuration.attribute(constraint, "node") == node);
            if ours && fits {
                configuration.document.remove(constraint);
                removed.push(constraint_id);
            }
        }
        Ok(removed)
    })?;
    for constraint in removed {
        println!("Removing constraint: {constraint}");
    }
    Ok(ExitCode::SUCCESS)
}

/// `pcs resource cleanup|refresh [R] [node=N] [operation=O [interval=I]]`.
pub fn cleanup(session: &mut Session, options: &Options, verb: &str, words: &[String]) -> Result<ExitCode> {
    let mut resource = None;
    let mut node = options.value("node").map(str::to_owned);
    let mut action = options.value("operation").map(str::to_owned);
    let mut interval = options.value("interval").map(str::to_owned);
    for word in words {
        match word.split_once('=') {
            Some(("node", value)) => node = Some(value.to_owned()),
            Some(("operation", value)) => action = Some(value.to_owned()),
            Some(("interval", value)) => interval = Some(value.to_owned()),
            Some((other, _)) => {
                return Err(format!(
                    "invalid option '{other}', allowed options are: 'interval', 'node', 'operation'"
                )
                .into());
            }
            None => resource = Some(word.clone()),
        }
    }
    if let Some(id) = &resource {
        if Configuration::new(session.cib()?).resource(id).is_none() {
            return Err(format!("Unable to find resource: {id}").into());
        }
    }
    let interval_ms = interval
        .as_deref()
        .map(|text| {
            cib::value::parse_interval(text).ok_or_else(|| format!("'{text}' is not a valid interval"))
        })
        .transpose()?;
    let operation = if verb == "cleanup" {
        api::Operation::Cleanup { resource, node, action, interval_ms }
    } else {
        api::Operation::Refresh { resource, node }
    };
    print_done(session.client()?.operate(&operation).map_err(Problem::from)?)
}

fn print_done(done: api::Done) -> Result<ExitCode> {
    for message in done.messages {
        eprintln!("{message}");
    }
    Ok(ExitCode::SUCCESS)
}

/// `pcs resource failcount [show] [R]`.
pub fn failcount(session: &mut Session, words: &[String]) -> Result<ExitCode> {
    let resource = words.iter().find(|word| *word != "show" && !word.contains('='));
    let outlook = Outlook::of(&session.cib()?)?;
    let counts: Vec<_> =
        outlook.fail_counts.iter().filter(|count| resource.is_none_or(|id| *id == count.resource)).collect();
    if counts.is_empty() {
        match resource {
            Some(id) => println!("No failcounts for resource '{id}'"),
            None => println!("No failcounts"),
        }
    }
    let mut last = "";
    for count in &counts {
        if count.resource != last {
            println!("Failcounts for resource '{}'", count.resource);
            last = &count.resource;
        }
        let number = if count.count >= cib::Score::INFINITY.value() {
            "INFINITY".to_owned()
        } else {
            count.count.to_string()
        };
        println!("  {}: {number}", count.node);
    }
    Ok(ExitCode::SUCCESS)
}

/// `pcs resource restart R`.
pub fn restart(session: &mut Session, options: &Options, id: &str) -> Result<ExitCode> {
    let ids = [id.to_owned()];
    session
        .edit("pcs", |configuration: &mut Configuration| resource::set_enabled(configuration, &ids, false))?;
    let stopped = wait_until_settled(session, options.wait.flatten());
    session
        .edit("pcs", |configuration: &mut Configuration| resource::set_enabled(configuration, &ids, true))?;
    stopped?;
    wait_until_settled(session, options.wait.flatten())?;
    println!("{id} successfully restarted");
    Ok(ExitCode::SUCCESS)
}

/// Before a live resource is deleted it is stopped, so that nothing keeps running unmanaged.
pub fn stop_before_delete(session: &mut Session, ids: &[String]) -> Result<()> {
    let configuration = Configuration::new(session.cib()?);
    let outlook = Outlook::of(&configuration.document)?;
    let running: Vec<String> = ids
        .iter()
        .filter(|id| configuration.resource(id).is_some() && !outlook.active_on(id).is_empty())
        .cloned()
        .collect();
    if running.is_empty() {
        return Ok(());
    }
    for id in &running {
        eprint!("Attempting to stop: {id}... ");
    }
    let _ = std::io::stderr().flush();
    session.edit("pcs", |configuration: &mut Configuration| {
        resource::set_enabled(configuration, &running, false)
    })?;
    wait_until_settled(session, Some(600))?;
    eprintln!("Stopped");
    Ok(())
}

/// `pcs resource debug-start R` and the like: runs the agent here, once, outside the cluster's control.
pub fn debug(
    session: &mut Session,
    catalog: &LocalAgents,
    action: &str,
    id: &str,
    full: bool,
) -> Result<ExitCode> {
    if !matches!(action, "start" | "stop" | "promote" | "demote" | "monitor") {
        return Err(Failure::usage(format!("Error: unknown command 'pcs resource debug-{action}'")));
    }
    let configuration = Configuration::new(session.cib()?);
    let element = configuration
        .resource(id)
        .filter(|element| configuration.name(*element) == "primitive")
        .ok_or_else(|| format!("unable to debug-{action}: '{id}' is not a primitive resource"))?;
    if action == "start" && Outlook::of(&configuration.document)?.active_on(id).len() == 1 {
        eprintln!("Warning: '{id}' is already running in the cluster");
    }
    let agent = AgentName {
        class: configuration.attribute(element, "class").to_owned(),
        provider: configuration.document.attribute(element, "provider").map(str::to_owned),
        kind: configuration.attribute(element, "type").to_owned(),
    };
    let parameters: Vec<(String, String)> = configuration
        .children(element)
        .into_iter()
        .filter(|set| configuration.name(*set) == "instance_attributes")
        .flat_map(|set| configuration.pairs(set))
        .collect();
    let outcome = catalog.run_once(&agent, id, action, &parameters)?;
    println!("Operation force-{action} for {id} ({agent}) returned: '{}' ({})", outcome.text, outcome.code);
    if full || outcome.code != 0 {
        for line in outcome.output.lines() {
            println!(" >  {line}");
        }
    }
    Ok(ExitCode::from(outcome.code))
}

/// `pcs stonith fence N [--off]`.
pub fn fence(session: &mut Session, node: &str, off: bool) -> Result<ExitCode> {
    let action = if off { "off" } else { "reboot" };
    let operation = api::Operation::Fence {
        node: node.to_owned(),
        action: action.to_owned(),
        timeout_ms: None,
        delay_ms: Some(0),
        tolerance_s: 0,
        client: "pcs".to_owned(),
    };
    let client = session.client()?;
    // the cluster keeps the operation's limit
    client.set_timeout(std::time::Duration::from_secs(3600));
    match client.operate(&operation) {
        Ok(_) => {
            eprintln!("Node: {node} fenced");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(format!("unable to fence '{node}'\n{error}").into()),
    }
}

/// `pcs stonith confirm N`: an administrator swears that the node is down.
pub fn confirm_fenced(session: &mut Session, options: &Options, node: &str) -> Result<ExitCode> {
    options.confirm(&format!(
        "If node '{node}' is not powered off or it does have access to shared resources, data corruption and/or cluster failure may occur"
    ))?;
    session
        .client()?
        .operate(&api::Operation::ConfirmFenced { node: node.to_owned() })
        .map_err(Problem::from)?;
    println!("Node: {node} confirmed fenced");
    Ok(ExitCode::SUCCESS)
}
