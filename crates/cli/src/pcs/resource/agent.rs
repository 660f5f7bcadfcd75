//! The agent of a new or changed resource, and whether its parameters fit (rule 5d.2.2).

use crate::configuration::Configuration;
use crate::pcs::catalog::{AgentMetadata, AgentName, Catalog};
use crate::pcs::constraint::Told;
use crate::pcs::words::Result;

/// A full name is looked up; a bare type is searched in all standards (rule 5d.2.2).
pub(super) fn resolve_agent(
    catalog: &dyn Catalog,
    text: &str,
    fence_device: bool,
    told: &mut Told,
) -> Result<AgentName> {
    if fence_device {
        if text.contains(':') {
            return Err(format!(
                "Invalid stonith agent name '{text}'. Agent name cannot contain the ':' character, do not use the 'stonith:' prefix."
            )
            .into());
        }
        return Ok(AgentName { class: "stonith".into(), provider: None, kind: text.to_owned() });
    }
    if let Some(agent) = AgentName::parse(text) {
        if agent.class == "stonith" {
            return Err("use 'pcs stonith create' to create fence devices".into());
        }
        return Ok(agent);
    }
    let found: Vec<AgentName> =
        catalog.find(text).into_iter().filter(|agent| agent.class != "stonith").collect();
    match found.as_slice() {
        [agent] => {
            told.stderr.push(format!("Assumed agent name '{agent}' (deduced from '{text}')"));
            Ok(agent.clone())
        }
        [] => Err(format!("Unable to find agent '{text}', try specifying its full name").into()),
        several => {
            let names: Vec<String> = several.iter().map(|agent| format!("'{agent}'")).collect();
            let (last, rest) =
                names.split_last().map(|(last, rest)| (last.clone(), rest.join(", "))).unwrap_or_default();
            Err(format!("Multiple agents match '{text}', please specify full name: {rest} or {last}").into())
        }
    }
}

pub(super) fn agent_metadata(
    catalog: &dyn Catalog,
    agent: &AgentName,
    force: bool,
    told: &mut Told,
) -> Result<AgentMetadata> {
    match catalog.metadata(agent) {
        Ok(metadata) => Ok(metadata),
        Err(why) => {
            let problem =
                format!("Agent '{agent}' is not installed or does not provide valid metadata: {why}");
            if !force {
                return Err(format!("{problem}, use --force to override").into());
            }
            told.stderr.push(format!("Warning: {problem}"));
            Ok(AgentMetadata::default())
        }
    }
}

/// Unknown and missing parameters are refused unless forced (rule 5d.2.5).
pub(super) fn check_parameters(
    metadata: &AgentMetadata,
    given: &[(String, String)],
    force: bool,
    fence_device: bool,
    told: &mut Told,
) -> Result<()> {
    if metadata.parameters.is_empty() {
        return Ok(());
    }
    let known = |name: &str| {
        metadata.parameters.iter().any(|parameter| parameter.name == name)
            || (fence_device
                && (name.starts_with("pcmk_") || matches!(name, "priority" | "stonith-timeout" | "provides")))
            || name == "trace_ra"
            || name == "trace_file"
    };
    let family = if fence_device { "stonith" } else { "resource" };
    let unknown: Vec<String> =
        given.iter().filter(|(name, _)| !known(name)).map(|(name, _)| format!("'{name}'")).collect();
    let mut problems = Vec::new();
    if !unknown.is_empty() {
        let of_agent = metadata.parameters.iter().map(|parameter| &*parameter.name);
        // what only asks the agent about itself is no part of a device
        let of_agent = of_agent.filter(|name| !(fence_device && matches!(*name, "help" | "version")));
        let of_every_device = cib::options::FENCING_PARAMETERS.iter().map(|option| option.name);
        let of_every_device = of_every_device.filter(|name| fence_device && name.starts_with("pcmk_"));
        let mut allowed: Vec<String> =
            of_agent.chain(of_every_device).map(|name| format!("'{name}'")).collect();
        allowed.sort();
        allowed.dedup();
        let plural = if unknown.len() == 1 { "option" } else { "options" };
        problems.push(format!(
            "invalid {family} {plural} {}, allowed options are: {}",
            unknown.join(", "),
            allowed.join(", ")
        ));
    }
    let missing: Vec<String> = metadata
        .parameters
        .iter()
        .filter(|parameter| parameter.required && !parameter.deprecated && parameter.name != "action")
        .filter(|parameter| !given.iter().any(|(name, _)| *name == parameter.name))
        .map(|parameter| format!("'{}'", parameter.name))
        .collect();
    match missing.as_slice() {
        [] => {}
        [one] => problems.push(format!("required {family} option {one} is missing")),
        several => problems.push(format!("required {family} options {} are missing", several.join(", "))),
    }
    all_forcible(problems, force, told)
}

/// Every problem is told, not only the first.
fn all_forcible(problems: Vec<String>, force: bool, told: &mut Told) -> Result<()> {
    if problems.is_empty() || force {
        told.stderr.extend(problems.into_iter().map(|problem| format!("Warning: {problem}")));
        return Ok(());
    }
    let several = problems.len() > 1;
    let mut lines: Vec<String> =
        problems.into_iter().map(|problem| format!("{problem}, use --force to override")).collect();
    if several {
        lines.push("Errors have occurred, therefore pcs is unable to continue".to_owned());
    }
    Err(lines.join("\nError: ").into())
}

fn forcible(problem: String, force: bool, told: &mut Told) -> Result<()> {
    if !force {
        return Err(format!("{problem}, use --force to override").into());
    }
    told.stderr.push(format!("Warning: {problem}"));
    Ok(())
}

pub(super) fn warn_if_not_unique(
    configuration: &Configuration,
    agent: &AgentName,
    metadata: &AgentMetadata,
    given: &[(String, String)],
    force: bool,
    told: &mut Told,
) -> Result<()> {
    for parameter in metadata.parameters.iter().filter(|parameter| parameter.unique_group.is_some()) {
        let Some((name, value)) = given.iter().find(|(name, _)| *name == parameter.name) else { continue };
        let mut same: Vec<String> = configuration
            .resources()
            .into_iter()
            .filter(|resource| {
                configuration.attribute(*resource, "class") == agent.class
                    && configuration.document.attribute(*resource, "provider") == agent.provider.as_deref()
                    && configuration.attribute(*resource, "type") == agent.kind
            })
            .filter(|resource| {
                configuration.child(*resource, "instance_attributes").is_some_and(|set| {
                    configuration.pairs(set).iter().any(|(known, old)| known == name && old == value)
                })
            })
            .map(|resource| format!("'{}'", configuration.id(resource)))
            .collect();
        same.sort();
        if !same.is_empty() {
            let problem = format!(
                "Value '{value}' of option '{name}' is not unique across '{agent}' resources. Following resources are configured with the same value of the instance attribute: {}",
                same.join(", ")
            );
            forcible(problem, force, told)?;
        }
    }
    Ok(())
}

pub(super) fn warn_unknown_meta(
    meta: &[(String, String)],
    configuration: &mut Configuration,
    told: &mut Told,
) {
    let known: Vec<&str> = cib::options::RESOURCE_META_ATTRIBUTES.iter().map(|option| option.name).collect();
    for (name, value) in meta {
        let Some(option) = cib::options::find(cib::options::RESOURCE_META_ATTRIBUTES, name) else { continue };
        if let Some(expected) = option.kind.expects(value).filter(|_| !value.is_empty()) {
            told.stderr.push(format!("Warning: '{value}' is not a valid {name} value, use {expected}"));
            configuration.warned_of.push(name.clone());
        }
    }
    for (name, _) in meta.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        let near = cib::options::did_you_mean(cib::options::RESOURCE_META_ATTRIBUTES, name)
            .map(|known| format!(" (did you mean '{known}'?)"))
            .unwrap_or_default();
        let mut names: Vec<String> = known.iter().map(|name| format!("'{name}'")).collect();
        names.sort();
        configuration.warned_of.push(name.clone());
        told.stderr.push(format!(
            "Warning: Resource meta attribute '{name}' has no effect on cluster resource handling{near}, meta attributes with effect: {}",
            names.join(", ")
        ));
    }
}
