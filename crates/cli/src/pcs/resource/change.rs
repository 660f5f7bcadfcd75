//! `resource update`, `meta`, `enable`, `disable`, `manage` and `unmanage`.

use xml::NodeId;

use super::agent::{check_parameters, warn_unknown_meta};
use super::operations::{read_operations, write_operation};
use crate::configuration::{Configuration, RESOURCE_TAGS};
use crate::pcs::catalog::{AgentMetadata, AgentName, Catalog, Parameter};
use crate::pcs::constraint::Told;
use crate::pcs::words::{Options, Result, pairs, sections};

/// `resource update R n=v… [op …] [meta …]`.
pub fn update(
    configuration: &mut Configuration,
    catalog: &dyn Catalog,
    words: &[String],
    options: &Options,
) -> Result<Told> {
    let mut told = Told::default();
    let (head, parts) = sections(words, &["op", "meta"]);
    let [id, parameters @ ..] = head else {
        return Err("expected: update <resource id> [name=value]...".into());
    };
    let resource = configuration.resource(id).ok_or_else(|| format!("Unable to find resource: {id}"))?;
    let parameters = pairs(parameters)?;
    if configuration.name(resource) != "primitive" {
        if !parts.is_empty() && parts.iter().any(|(keyword, _)| *keyword == "op") {
            return Err(format!("'{id}' is a {}, it has no operations", configuration.name(resource)).into());
        }
        configuration.set_meta(resource, &parameters);
    } else if !parameters.is_empty() {
        let agent = AgentName {
            class: configuration.attribute(resource, "class").to_owned(),
            provider: configuration.document.attribute(resource, "provider").map(str::to_owned),
            kind: configuration.attribute(resource, "type").to_owned(),
        };
        let fence_device = agent.class == "stonith";
        if let Ok(metadata) = catalog.metadata(&agent) {
            let (taken, set): (Vec<_>, Vec<_>) =
                parameters.iter().cloned().partition(|(_, value)| value.is_empty());
            let is_taken = |name: &str| taken.iter().any(|(known, _)| known == name);
            // what was missing before may stay so; only what is there must not be taken away
            let wanted = AgentMetadata {
                parameters: metadata
                    .parameters
                    .iter()
                    .cloned()
                    .map(|it| Parameter { required: it.required && is_taken(&it.name), ..it })
                    .collect(),
                ..metadata
            };
            check_parameters(&wanted, &set, options.force, fence_device, &mut told)?;
        }
        let set =
            configuration.set_or_new(resource, "instance_attributes", &format!("{id}-instance_attributes"));
        configuration.set_pairs(set, &parameters);
    }
    for (keyword, words) in parts {
        if keyword == "meta" {
            configuration.set_meta(resource, &pairs(words)?);
            continue;
        }
        for mut operation in read_operations(words)? {
            let default = if operation.name == "monitor" { "60s" } else { "0s" };
            operation.options.entry("interval".into()).or_insert_with(|| default.into());
            let operations = configuration.child_or_new(resource, "operations");
            let old = configuration
                .children(operations)
                .into_iter()
                .find(|op| configuration.attribute(*op, "name") == operation.name);
            if let Some(old) = old {
                configuration.document.remove(old);
            }
            write_operation(configuration, operations, id, &operation);
        }
    }
    Ok(told)
}

/// `resource meta R n=v…`.
pub fn meta(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [id, rest @ ..] = words else { return Err("expected: meta <resource id> <name=value>...".into()) };
    let mut told = Told::default();
    let resource =
        configuration.resource(id).ok_or_else(|| format!("unable to find a resource/clone/group: {id}"))?;
    let meta = pairs(rest)?;
    warn_unknown_meta(&meta, configuration, &mut told);
    configuration.set_meta(resource, &meta);
    Ok(told)
}

pub(super) fn primitive(configuration: &Configuration, id: &str) -> Result<NodeId> {
    configuration
        .resource(id)
        .filter(|element| configuration.name(*element) == "primitive")
        .ok_or_else(|| format!("Unable to find resource: {id}").into())
}

/// `resource enable|disable ID…` (rule 5d.3): the target role on exactly what is named.
pub fn set_enabled(configuration: &mut Configuration, ids: &[String], enabled: bool) -> Result<Told> {
    if ids.is_empty() {
        return Err("You must specify resource(s) to enable or disable".into());
    }
    let mut told = Told::default();
    for id in expand_tags(configuration, ids)? {
        let Some(element) = configuration.resource(&id) else { continue };
        let pair = |value: &str| vec![("target-role".to_owned(), value.to_owned())];
        if !enabled {
            configuration.set_meta(element, &pair("Stopped"));
        } else {
            configuration.set_meta(element, &pair(""));
            let mut related: Vec<NodeId> = configuration.container(element).into_iter().collect();
            related.retain(|container| configuration.name(*container) != "group");
            if matches!(configuration.name(element), "clone" | "master" | "bundle") {
                related.extend(configuration.children(element));
            }
            for other in related {
                if RESOURCE_TAGS.contains(&configuration.name(other)) {
                    configuration.set_meta(other, &pair(""));
                }
            }
        }
        if configuration.meta(element, "is-managed").is_some_and(|value| value == "false") {
            told.stderr.push(format!("Warning: '{id}' is unmanaged"));
        }
    }
    Ok(told)
}

/// `resource manage|unmanage ID…`: every primitive inside the named elements.
pub fn set_managed(configuration: &mut Configuration, ids: &[String], managed: bool) -> Result<Told> {
    if ids.is_empty() {
        return Err("You must specify resource(s) to manage or unmanage".into());
    }
    let pair = |value: &str| vec![("is-managed".to_owned(), value.to_owned())];
    for id in expand_tags(configuration, ids)? {
        let Some(element) = configuration.resource(&id) else { continue };
        for below in configuration.descendants(element) {
            let tag = configuration.name(below).to_owned();
            if !managed && tag == "primitive" {
                configuration.set_meta(below, &pair("false"));
            }
            if managed && RESOURCE_TAGS.contains(&tag.as_str()) {
                configuration.set_meta(below, &pair(""));
            }
        }
        if managed {
            let mut above = configuration.container(element);
            while let Some(container) = above {
                configuration.set_meta(container, &pair(""));
                above = configuration.container(container);
            }
        }
    }
    Ok(Told::default())
}

/// Tag ids stand for their members; unknown ids are refused together.
fn expand_tags(configuration: &Configuration, ids: &[String]) -> Result<Vec<String>> {
    let mut expanded = Vec::new();
    for id in ids {
        if configuration.resource(id).is_some() {
            expanded.push(id.clone());
            continue;
        }
        let tag = configuration.section("tags").and_then(|tags| {
            configuration.children(tags).into_iter().find(|tag| configuration.id(*tag) == id)
        });
        match tag {
            Some(tag) => expanded.extend(
                configuration.children(tag).iter().map(|reference| configuration.id(*reference).to_owned()),
            ),
            None => {
                return Err(format!("bundle / clone / group / resource / tag '{id}' does not exist").into());
            }
        }
    }
    Ok(expanded)
}
