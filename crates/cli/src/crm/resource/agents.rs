//! Agents: what there is, what they say of themselves, and running one here (rules 5a.5.2, 5a.5.11).

use std::collections::BTreeMap;
use std::time::Duration;

use agents::{Agent, Run};
use view::status::words;

use super::Call;
use crate::crm::options::Given;
use crate::crm::output::Output;
use crate::crm::usage;
use crate::pcs::local_agents::LocalAgents;
use crate::session::Problem;

/// The lists and the metadata.
pub fn list(command: &str, given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let agents = LocalAgents::default();
    let search = agents.search();
    let asked = given.value(command).unwrap_or_default();
    match command {
        "list-standards" => {
            let classes = search.classes();
            out.xml.open("list", &[("name", "standards"), ("count", &classes.len().to_string())]);
            each(&classes, "item", out);
        }
        "list-ocf-providers" => {
            out.xml.open("providers", &[("standard", "ocf")]);
            each(&search.providers(), "provider", out);
        }
        "list-ocf-alternatives" => {
            let providers = search.providers_of(asked);
            if providers.is_empty() {
                return Err(Problem::new(105, format!("No OCF providers found for {asked}")));
            }
            out.xml.open("providers", &[("for", asked)]);
            each(&providers, "provider", out);
        }
        "list-agents" => list_agents(&agents, asked, out)?,
        _ => {
            let text = metadata(&agents, asked)?;
            out.block(&text);
            out.xml.literal("metadata", &[], &text);
            return Ok(0);
        }
    }
    out.xml.close();
    Ok(0)
}

fn each(names: &[String], tag: &str, out: &mut Output) {
    for name in names {
        out.line(name);
        out.xml.text(tag, &[], name);
    }
}

fn list_agents(agents: &LocalAgents, spec: &str, out: &mut Output) -> Result<(), Problem> {
    let (standard, provider) = match spec.split_once(':') {
        Some((standard, provider)) => (standard, Some(provider)),
        None => (spec, None),
    };
    let mut names = agents.types(standard, provider);
    names.sort();
    names.dedup();
    if names.is_empty() {
        out.error(match provider {
            Some(provider) => format!("No agents found for standard '{standard}' and provider '{provider}'"),
            None => format!("No agents found for standard '{standard}'"),
        });
        return Err(Problem::new(1, "Error performing operation: Error"));
    }
    let mut attributes = vec![("standard", standard)];
    attributes.extend(provider.map(|provider| ("provider", provider)));
    out.xml.open("agents", &attributes);
    each(&names, "agent", out);
    Ok(())
}

fn metadata(agents: &LocalAgents, spec: &str) -> Result<String, Problem> {
    let agent: Agent = spec.parse().map_err(|error: agents::NameError| {
        Problem::new(1, format!("'{spec}' is not a valid agent specification: {error}"))
    })?;
    agents
        .metadata_text(&agent)
        .map_err(|error| Problem::new(5, format!("Metadata query for {spec} failed: {error}")))
}

/// Parameters that an agent marks.
#[derive(Default)]
pub struct Marked {
    pub private: Vec<String>,
    pub reloadable: Vec<String>,
}

/// What the agent of a resource says of its parameters; nothing if it is not installed here.
pub fn marked_parameters(call: &Call<'_>, id: &str) -> Marked {
    let agents = LocalAgents::default();
    let text = agent_of(call, id).ok().and_then(|agent| agents.metadata_text(&agent).ok());
    let Some(found) = text.and_then(|text| agents::metadata::Metadata::parse(&text).ok()) else {
        return Marked::default();
    };
    let names = |is: fn(&agents::metadata::Parameter) -> bool| {
        found.parameters.iter().filter(|it| is(it)).map(|it| it.name.clone()).collect()
    };
    Marked { private: names(|it| it.private), reloadable: names(|it| it.reloadable) }
}

fn agent_of(call: &Call<'_>, id: &str) -> Result<Agent, Problem> {
    let base = id.split_once(':').map_or(id, |(base, _)| base);
    let element = call.element(id).or_else(|| call.element(base));
    let element = element.ok_or_else(|| Problem::new(105, format!("Resource '{id}' is not configured")))?;
    let element = element.attr("template").and_then(|template| call.element(template)).unwrap_or(element);
    let get = |name: &str| element.attr(name).unwrap_or_default();
    Agent::new(get("class"), element.attr("provider"), get("type"))
        .map_err(|error| Problem::new(5, error.to_string()))
}

/// The primitive that an id means; collectives cannot be run by hand.
fn primitive<'c>(call: &'c Call<'_>, id: &str, action: &str) -> Result<xml::Element<'c>, Problem> {
    let base = id.split_once(':').map_or(id, |(base, _)| base);
    let missing = || Problem::new(105, format!("Resource '{id}' is not configured"));
    let mut element = call.element(id).or_else(|| call.element(base)).ok_or_else(missing)?;
    if matches!(element.name(), "clone" | "master") {
        let child = element.children().find(|it| matches!(it.name(), "primitive" | "group"));
        element = child.ok_or_else(missing)?;
    }
    let kind = match element.name() {
        "group" => "group",
        "bundle" => "bundled",
        _ if call.parent(id).is_some_and(|parent| parent.name() == "bundle") => "bundled",
        _ => return Ok(element),
    };
    Err(Problem::new(3, format!("Sorry, the {action} option doesn't support {kind} resources")))
}

/// `--force-…` and `--validate`: runs an agent on this host, past the cluster.
pub fn run_here(
    command: &str,
    given: &Given,
    call: Option<&Call<'_>>,
    out: &mut Output,
) -> Result<u8, Problem> {
    let mut overrides: Vec<(String, String)> = Vec::new();
    for word in given.values("option").chain(given.words.iter().map(String::as_str)) {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| usage(format!("'{word}' is not a parameter; NAME=VALUE is needed")))?;
        overrides.push((name.to_owned(), value.to_owned()));
    }
    let named = ["class", "provider", "agent"].iter().any(|name| given.has(name));
    let (agent, resource, mut parameters) = match call {
        Some(_) if named => {
            return Err(usage("--resource cannot be used with --class, --agent, and --provider"));
        }
        Some(call) => {
            let id = call.resource()?;
            let element = primitive(call, id, command)?;
            refuse_second_start(call, id, command, given)?;
            let id = element.attr("id").unwrap_or(id);
            let values: BTreeMap<String, String> =
                super::parameters::values(call, id, "instance_attributes").into_iter().collect();
            (agent_of(call, id)?, id.to_owned(), values)
        }
        None => (named_agent(given)?, "test".to_owned(), BTreeMap::new()),
    };
    if agent.class == agents::Class::Stonith && command != "validate" {
        return Err(Problem::new(3, "Manual execution of the stonith standard is unsupported"));
    }
    for (name, value) in &overrides {
        parameters.insert(name.clone(), value.clone());
    }
    if let Some(level) = given.value("force-check").or_else(|| given.value("validate")) {
        if level.parse::<u32>().is_err() {
            return Err(usage(format!(
                "Invalid value '{level}' for --{command}: a check level (a number) is needed"
            )));
        }
        parameters.insert("OCF_CHECK_LEVEL".to_owned(), level.to_owned());
    }
    let action = match command {
        "force-check" => "monitor",
        "validate" => "validate-all",
        other => other.trim_start_matches("force-"),
    };
    let timeout = given.value("timeout").and_then(cib::value::parse_interval).unwrap_or(20_000);
    let run = Run {
        agent,
        action: action.to_owned(),
        resource: resource.clone(),
        parameters,
        timeout: Duration::from_millis(timeout),
        interval: Duration::ZERO,
        spare_group: false,
    };
    let outcome = LocalAgents::default().run(&run).map_err(|error| Problem::new(71, error))?;
    report(command, &run, call.map(|_| resource.as_str()), &overrides, &outcome, given, out);
    let code = u8::try_from(outcome.exit_code).unwrap_or(1);
    Ok(if outcome.status == agents::Status::Done || code != 0 { code } else { 1 })
}

/// A clone's instance that the cluster runs here must not be touched behind its back.
fn refuse_second_start(call: &Call<'_>, id: &str, command: &str, given: &Given) -> Result<(), Problem> {
    let risky = matches!(command, "force-start" | "force-demote" | "force-promote");
    let in_clone = call.parent(id).is_some_and(|it| matches!(it.name(), "clone" | "master"));
    let active = !call.outlook.active_on(id).is_empty();
    if risky && in_clone && active && !given.has("force") {
        return Err(Problem::new(
            107,
            format!(
                "It is not safe to {command} {id} here: the cluster claims it is already active\nTry setting target-role=Stopped first or specifying the force option"
            ),
        ));
    }
    Ok(())
}

fn named_agent(given: &Given) -> Result<Agent, Problem> {
    let (Some(class), Some(kind)) = (given.value("class"), given.value("agent")) else {
        return Err(usage("--class and --agent (and for ocf --provider) are needed without a resource"));
    };
    let provider = given.value("provider");
    if class == "ocf" && provider.is_none() {
        return Err(usage("--provider is needed with --class=ocf"));
    }
    if class != "ocf" && provider.is_some() {
        return Err(usage(format!("{class} does not support the --provider option")));
    }
    let agent = Agent::new(class, provider, kind).map_err(|error| usage(error.to_string()))?;
    let known = LocalAgents::default().types(class, provider);
    if !known.iter().any(|name| name == kind) {
        let provider = provider.map(|provider| format!("{provider}:")).unwrap_or_default();
        return Err(usage(format!("{class}:{provider}{kind} is not a known resource agent")));
    }
    Ok(agent)
}

fn report(
    command: &str,
    run: &Run,
    resource: Option<&str>,
    overrides: &[(String, String)],
    outcome: &agents::Outcome,
    given: &Given,
    out: &mut Output,
) {
    let status = match outcome.status {
        agents::Status::Done => 0,
        agents::Status::Cancelled => 1,
        agents::Status::TimedOut => 2,
        agents::Status::Unsupported => 3,
        agents::Status::NotInstalled => 7,
        agents::Status::NoSecrets => 11,
        agents::Status::Error => 4,
    };
    let code = i64::from(outcome.exit_code);
    let (text, execution) = (words::result(code), words::execution(status));
    let reason = Some(outcome.exit_reason.as_str()).filter(|reason| !reason.is_empty());
    let tail = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let what = match resource {
        Some(resource) => format!("Operation {command} for {resource} ({})", run.agent),
        None => format!("Operation {command} ({})", run.agent),
    };
    if status == 0 {
        out.line(format!("{what} returned {code} ({text}{tail})"));
    } else {
        out.error(format!("{what} could not be executed ({execution}{tail})"));
    }
    if command != "validate" || given.has("verbose") {
        out.block(&outcome.stdout);
        if !out.is_xml && !outcome.stderr.is_empty() {
            eprint!("{}", outcome.stderr);
        }
    }
    let kind = run.agent.kind.clone();
    let mut attributes = vec![("action", command), ("class", run.agent.class.name()), ("type", &*kind)];
    attributes.extend(resource.map(|resource| ("rsc", resource)));
    attributes.extend(run.agent.provider.as_deref().map(|provider| ("provider", provider)));
    out.xml.open("resource-agent-action", &attributes);
    out.xml.open("overrides", &[]);
    for (name, value) in overrides {
        let mut attributes: Vec<(&str, &str)> =
            resource.into_iter().map(|resource| ("rsc", resource)).collect();
        attributes.extend([("name", &**name), ("value", &**value)]);
        out.xml.leaf("override", &attributes);
    }
    out.xml.close();
    let (code, status) = (code.to_string(), status.to_string());
    let mut attributes = vec![
        ("code", &*code),
        ("message", text),
        ("execution_code", &*status),
        ("execution_message", execution),
    ];
    attributes.extend(reason.map(|reason| ("reason", reason)));
    out.xml.leaf("agent-status", &attributes);
    if !outcome.stdout.is_empty() || !outcome.stderr.is_empty() {
        out.xml.open("command", &[("code", &code)]);
        for (source, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
            if !text.is_empty() {
                out.xml.text("output", &[("source", source)], text);
            }
        }
        out.xml.close();
    }
    out.xml.close();
}
