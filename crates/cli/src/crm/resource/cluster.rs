//! What only a live cluster can do for resources (rules 5a.5.6, 5a.5.7).

use std::time::{Duration, Instant};

use view::api::Operation;

use super::Call;
use crate::configuration::Configuration;
use crate::crm::options::Given;
use crate::crm::output::Output;
use crate::crm::usage;
use crate::outlook::Outlook;
use crate::session::{Problem, Session};

/// How often the cluster's state is looked at while waiting.
const PERIOD: Duration = Duration::from_millis(250);

/// How long `--wait` waits unless told.
const PATIENCE: Duration = Duration::from_secs(3600);

const TIMED_OUT: u8 = 124;

/// `--cleanup`, `--refresh`.
pub fn clean(call: &mut Call<'_>, all_history: bool, out: &mut Output) -> Result<u8, Problem> {
    let operation = call.given.value("operation");
    let interval_ms = match call.given.value("interval") {
        Some(_) if operation.is_none() => return Err(usage("--interval needs --operation")),
        Some(text) => Some(cib::value::parse_interval(text).ok_or_else(|| {
            usage(format!("Invalid value '{text}' for --interval: a time such as 10s is needed"))
        })?),
        None => None,
    };
    if all_history && operation.is_some() {
        return Err(usage("--operation can be used only with --cleanup: --refresh forgets everything"));
    }
    let asked = call.given.value("resource");
    let resource = asked.map(|id| {
        let base = id.split_once(':').map_or(id, |(base, _)| base);
        if call.given.has("force") { base.to_owned() } else { call.top(base) }
    });
    let node = call.given.value("node").map(str::to_owned);
    let lines = cleaned(call, resource.as_deref(), node.as_deref(), all_history);
    if !call.session.is_live() {
        for (resource, node) in lines {
            out.info(format!("Dry run: skipping clean-up of {resource} on {node} due to CIB_file"));
        }
        return Ok(0);
    }
    let request = if all_history {
        Operation::Refresh { resource: resource.clone(), node: node.clone() }
    } else {
        Operation::Cleanup {
            resource: resource.clone(),
            node: node.clone(),
            action: operation.map(str::to_owned),
            interval_ms,
        }
    };
    call.session.client()?.operate(&request)?;
    match &resource {
        None => {
            out.info(format!("Cleaned up all resources on {}", node.as_deref().unwrap_or("all nodes")));
        }
        Some(_) => {
            for (resource, node) in lines {
                out.info(format!("Cleaned up {resource} on {node}"));
            }
        }
    }
    if let Some(resource) = &resource {
        let stopped = super::find(call.status(), resource)
            .is_some_and(|it| it.common().target_role == Some(view::status::TargetRole::Stopped));
        if stopped {
            out.info("");
            out.info(format!("Configuration specifies '{resource}' should remain stopped"));
        }
    }
    Ok(0)
}

/// Instances and nodes that a clean-up is about.
fn cleaned(call: &Call<'_>, resource: Option<&str>, node: Option<&str>, all: bool) -> Vec<(String, String)> {
    let Some(resource) = resource else { return Vec::new() };
    let mut lines = Vec::new();
    let mut names: Vec<&str> = call.parts(resource).iter().map(|part| part.common.name.as_str()).collect();
    names.dedup();
    for name in names {
        for known in call.status().nodes.iter().filter(|known| known.online) {
            let has_history = all || has_history(call, name, &known.name);
            if node.is_none_or(|node| node == known.name) && has_history {
                let line = (name.to_owned(), known.name.clone());
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
    }
    lines
}

fn has_history(call: &Call<'_>, name: &str, node: &str) -> bool {
    let status = call.document.root_element().child("status");
    status.is_some_and(|status| {
        status
            .children_named("node_state")
            .filter(|state| state.attr("uname") == Some(node))
            .flat_map(|state| state.descendants().collect::<Vec<_>>())
            .any(|it| it.name() == "lrm_resource" && it.attr("id") == Some(name))
    })
}

/// `--fail`.
pub fn fail(call: &mut Call<'_>) -> Result<u8, Problem> {
    let (resource, node) = (call.resource()?.to_owned(), call.node()?.to_owned());
    call.session.client()?.operate(&Operation::Fail { resource, node })?;
    Ok(0)
}

fn timeout(given: &Given) -> Result<Option<Duration>, Problem> {
    let Some(text) = given.value("timeout") else { return Ok(None) };
    cib::value::parse_interval(text)
        .map(|milliseconds| Some(Duration::from_millis(milliseconds)))
        .ok_or_else(|| usage(format!("Invalid value '{text}' for --timeout: a time such as 30s is needed")))
}

/// `--wait`.
pub fn wait(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let limit = timeout(given)?.unwrap_or(PATIENCE);
    let mut session = Session::open(None)?;
    let pending = settle(&mut session, limit)?;
    if pending.is_empty() {
        return Ok(0);
    }
    out.info("Pending actions:");
    for (index, action) in pending.iter().enumerate() {
        let (key, node) = action.split_once(" on ").unwrap_or((action, ""));
        out.info(format!("\tAction {}: {key}\ton {node}", index + 1));
    }
    Err(Problem::new(TIMED_OUT, "Error performing operation: Timer expired"))
}

/// Waits until nothing is to be done; what is left when the time is over.
fn settle(session: &mut Session, limit: Duration) -> Result<Vec<String>, Problem> {
    let begun = Instant::now();
    loop {
        let pending = Outlook::of(&session.cib()?)?.unsettled();
        let busy = match session.is_live() {
            true => !session.client()?.status()?.settled && session.client()?.status()?.transition.is_some(),
            false => false,
        };
        if pending.is_empty() && !busy {
            return Ok(Vec::new());
        }
        if begun.elapsed() >= limit {
            return Ok(pending);
        }
        std::thread::sleep(PERIOD.min(limit));
    }
}

/// `--restart` (rule 5a.5.7).
pub fn restart(call: &mut Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let asked = call.changed_resource()?;
    let resource = call.top(asked);
    let node = call.given.value("node").map(str::to_owned);
    let limit = timeout(call.given)?.unwrap_or(Duration::from_secs(300));
    let managed = super::find(call.status(), &resource).is_none_or(|it| it.common().managed);
    if !managed {
        return Err(Problem::new(107, "Unmanaged resources cannot be restarted."));
    }
    let active = call.outlook.active_on(asked);
    if active.is_empty() || node.as_ref().is_some_and(|node| !active.contains(node)) {
        let place = node.as_ref().map_or_else(|| "anywhere".to_owned(), |node| format!("on {node}"));
        return Err(Problem::new(105, format!("{asked} is not running {place} and so cannot be restarted")));
    }
    let is_clone =
        call.element(&resource).is_some_and(|it| matches!(it.name(), "clone" | "master" | "bundle"));
    let stop = match &node {
        Some(node) if is_clone => Stop::Ban { resource: resource.clone(), node: node.clone() },
        _ => Stop::Role { resource: asked.to_owned() },
    };
    let before =
        call.session.edit("crm_resource", |configuration| Ok::<_, Problem>(stop.begin(configuration)))?;
    out.info(format!("Waiting for 1 resources to stop:\n * {asked}"));
    let stopped = wait_for(&mut call.session, limit, |outlook| {
        let on = outlook.active_on(asked);
        node.as_ref().map_or(on.is_empty(), |node| !on.contains(node))
    });
    call.session.edit("crm_resource", |configuration| {
        stop.end(configuration, before.as_deref());
        Ok::<(), Problem>(())
    })?;
    if !stopped? {
        return Err(Problem::new(
            TIMED_OUT,
            format!("Could not complete shutdown of {asked}, 1 resources remaining\n * {asked}"),
        ));
    }
    out.info(format!("Waiting for 1 resources to start again:\n * {asked}"));
    let wanted = active.len();
    let started = wait_for(&mut call.session, limit, |outlook| {
        let on = outlook.active_on(asked);
        node.as_ref().map_or(on.len() >= wanted, |node| on.contains(node)) && outlook.unsettled().is_empty()
    })?;
    if started {
        return Ok(0);
    }
    Err(Problem::new(
        TIMED_OUT,
        format!("Could not complete restart of {asked}, 1 resources remaining\n * {asked}"),
    ))
}

fn wait_for(
    session: &mut Session,
    limit: Duration,
    done: impl Fn(&Outlook) -> bool,
) -> Result<bool, Problem> {
    let begun = Instant::now();
    loop {
        if done(&Outlook::of(&session.cib()?)?) {
            return Ok(true);
        }
        if begun.elapsed() >= limit {
            return Ok(false);
        }
        std::thread::sleep(PERIOD);
    }
}

/// How a resource is kept stopped for a moment.
enum Stop {
    Role { resource: String },
    Ban { resource: String, node: String },
}

impl Stop {
    /// Gives the `target-role` that was there.
    fn begin(&self, configuration: &mut Configuration) -> Option<String> {
        match self {
            Stop::Role { resource } => {
                let element = configuration.resource(resource)?;
                let before = configuration.meta(element, "target-role");
                configuration.set_meta(element, &[("target-role".to_owned(), "Stopped".to_owned())]);
                before
            }
            Stop::Ban { resource, node } => {
                let section = configuration.section_or_new("constraints");
                let new = configuration.document.append_element(section, "rsc_location");
                let id = Stop::ban_id(resource, node);
                let attributes = [("id", &*id), ("rsc", resource), ("node", node), ("score", "-INFINITY")];
                for (name, value) in attributes {
                    configuration.document.set_attribute(new, name, value);
                }
                None
            }
        }
    }

    fn end(&self, configuration: &mut Configuration, before: Option<&str>) {
        match self {
            Stop::Role { resource } => {
                let Some(element) = configuration.resource(resource) else { return };
                // an empty value removes the pair
                let value = before.unwrap_or_default().to_owned();
                configuration.set_meta(element, &[("target-role".to_owned(), value)]);
            }
            Stop::Ban { resource, node } => {
                let found = configuration.by_id(&Stop::ban_id(resource, node));
                if let Some(found) = found {
                    configuration.document.remove(found);
                }
            }
        }
    }

    fn ban_id(resource: &str, node: &str) -> String {
        crate::crm::target::clean_id(&format!("cli-restart-{resource}-on-{node}"))
    }
}
