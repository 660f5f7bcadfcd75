//! `resource create` and `stonith create`.

use xml::NodeId;

use super::agent::{agent_metadata, check_parameters, resolve_agent, warn_if_not_unique, warn_unknown_meta};
use super::clones::wrap_in_clone;
use super::operations::{Operation, complete_operations, read_operations, write_operation};
use crate::configuration::{Configuration, check_id};
use crate::pcs::catalog::{AgentName, Catalog};
use crate::pcs::constraint::Told;
use crate::pcs::words::{Options, Result, pairs, sections};

/// What stands around or after the primitive in a create command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wrapping {
    None,
    Clone { promotable: bool, id: Option<String>, meta: Vec<(String, String)> },
    Group { id: String, before: Option<String>, after: Option<String> },
    Bundle(String),
}

/// `resource create` and `stonith create`.
pub fn create(
    configuration: &mut Configuration,
    catalog: &dyn Catalog,
    words: &[String],
    options: &Options,
    fence_device: bool,
) -> Result<Told> {
    let mut told = Told::default();
    let (head, parts) = sections(words, &["op", "meta", "clone", "promotable", "master", "bundle", "group"]);
    let [id, agent, parameters @ ..] = head else {
        let family = if fence_device { "stonith" } else { "resource" };
        return Err(
            format!("usage: pcs {family} create <id> <agent> [name=value]... [op ...] [meta ...]").into()
        );
    };
    check_id(id, if fence_device { "fence device name" } else { "resource name" })?;
    if configuration.by_id(id).is_some() {
        return Err(format!("'{id}' already exists").into());
    }
    let agent = resolve_agent(catalog, agent, fence_device, &mut told)?;
    let metadata = agent_metadata(catalog, &agent, options.force, &mut told)?;
    let parameters = pairs(parameters)?;
    check_parameters(&metadata, &parameters, options.force, fence_device, &mut told)?;
    warn_if_not_unique(configuration, &agent, &metadata, &parameters, options.force, &mut told)?;

    let mut operations = Vec::new();
    let mut meta = Vec::new();
    let mut wrapping = wrapping_from_options(options);
    for (keyword, words) in parts {
        match keyword {
            "op" => operations.extend(read_operations(words)?),
            "meta" => meta.extend(pairs(words)?),
            "clone" | "promotable" => wrapping = read_clone(keyword == "promotable", words)?,
            "master" => {
                return Err("missing value of 'master' option\nHint: Syntax has changed from previous version. See 'man pcs' -> Changes in pcs-0.12. Use 'promotable'".into());
            }
            "group" => wrapping = read_group(words, options)?,
            _ => {
                let [bundle] = words else { return Err("expected: bundle <bundle id>".into()) };
                wrapping = Wrapping::Bundle(bundle.clone());
            }
        }
    }
    if fence_device && wrapping != Wrapping::None {
        return Err("a fence device cannot be put into a group, clone or bundle".into());
    }
    if options.flag("--disabled") && !matches!(wrapping, Wrapping::Clone { .. }) {
        meta.push(("target-role".into(), "Stopped".into()));
    }
    if fence_device && metadata.provides_unfencing && !meta.iter().any(|(name, _)| name == "provides") {
        meta.push(("provides".into(), "unfencing".into()));
    }
    meta.sort();
    warn_unknown_meta(&meta, configuration, &mut told);
    let operations = complete_operations(operations, &metadata, options, fence_device, &mut told)?;

    let section = configuration.section_or_new("resources");
    let parent = wrapping_parent(configuration, section, &wrapping, id)?;
    let primitive = write_primitive(configuration, parent, id, &agent, &parameters, &meta, &operations);
    finish_wrapping(configuration, primitive, id, &wrapping, options)?;
    Ok(told)
}

fn wrapping_from_options(options: &Options) -> Wrapping {
    if let Some(group) = options.value("group") {
        return Wrapping::Group {
            id: group.to_owned(),
            before: options.value("before").map(str::to_owned),
            after: options.value("after").map(str::to_owned),
        };
    }
    if options.flag("--clone") {
        return Wrapping::Clone { promotable: false, id: None, meta: Vec::new() };
    }
    if options.flag("--master") {
        return Wrapping::Clone { promotable: true, id: None, meta: Vec::new() };
    }
    Wrapping::None
}

fn read_clone(promotable: bool, words: &[String]) -> Result<Wrapping> {
    let (id, words) = match words {
        [first, rest @ ..] if !first.contains('=') => (Some(first.clone()), rest),
        words => (None, words),
    };
    if let Some(id) = &id {
        check_id(id, "clone id")?;
    }
    Ok(Wrapping::Clone { promotable, id, meta: pairs(words)? })
}

fn read_group(words: &[String], options: &Options) -> Result<Wrapping> {
    let (id, position) = match words {
        [id] => (id, None),
        [id, keyword, other] if keyword == "before" || keyword == "after" => {
            (id, Some((keyword.as_str(), other.clone())))
        }
        _ => return Err("expected: group <group id> [before|after <resource id>]".into()),
    };
    let pick = |keyword: &str| match &position {
        Some((given, other)) if *given == keyword => Some(other.clone()),
        _ => options.value(keyword).map(str::to_owned),
    };
    Ok(Wrapping::Group { id: id.clone(), before: pick("before"), after: pick("after") })
}

/// The element in which the primitive will be appended.
fn wrapping_parent(
    configuration: &mut Configuration,
    section: NodeId,
    wrapping: &Wrapping,
    id: &str,
) -> Result<NodeId> {
    match wrapping {
        Wrapping::None | Wrapping::Clone { .. } => Ok(section),
        Wrapping::Group { id: group, .. } => match configuration.resource(group) {
            Some(element) if configuration.name(element) == "group" => Ok(element),
            Some(_) => Err(format!("'{group}' is not a group").into()),
            None => {
                check_id(group, "group name")?;
                if configuration.by_id(group).is_some() {
                    return Err(format!("'{group}' already exists").into());
                }
                let element = configuration.document.append_element(section, "group");
                configuration.document.set_attribute(element, "id", group);
                Ok(element)
            }
        },
        Wrapping::Bundle(bundle) => {
            let element = configuration
                .resource(bundle)
                .filter(|element| configuration.name(*element) == "bundle")
                .ok_or_else(|| format!("bundle '{bundle}' does not exist"))?;
            if let Some(inner) = configuration.child(element, "primitive") {
                return Err(format!(
                    "bundle '{bundle}' already contains resource '{}', a bundle may contain at most one resource",
                    configuration.id(inner)
                )
                .into());
            }
            let network = configuration.child(element, "network");
            let reachable = network.is_some_and(|network| {
                ["control-port", "ip-range-start"]
                    .iter()
                    .any(|name| configuration.document.attribute(network, name).is_some())
            });
            if !reachable {
                return Err(format!(
                    "Resource '{id}' will not be accessible by the cluster inside bundle '{bundle}', at least one of bundle options 'control-port' or 'ip-range-start' has to be specified"
                )
                .into());
            }
            Ok(element)
        }
    }
}

fn write_primitive(
    configuration: &mut Configuration,
    parent: NodeId,
    id: &str,
    agent: &AgentName,
    parameters: &[(String, String)],
    meta: &[(String, String)],
    operations: &[Operation],
) -> NodeId {
    let primitive = configuration.document.append_element(parent, "primitive");
    configuration.document.set_attribute(primitive, "id", id);
    configuration.document.set_attribute(primitive, "class", &agent.class);
    configuration.document.set_attribute(primitive, "type", &agent.kind);
    if let Some(provider) = &agent.provider {
        configuration.document.set_attribute(primitive, "provider", provider);
    }
    for (tag, pairs) in [("instance_attributes", parameters), ("meta_attributes", meta)] {
        if pairs.iter().any(|(_, value)| !value.is_empty()) {
            let set = configuration.document.append_element(primitive, tag);
            let set_id = configuration.free_id(&format!("{id}-{tag}"));
            configuration.document.set_attribute(set, "id", &set_id);
            configuration.set_pairs(set, pairs);
        }
    }
    let element = configuration.document.append_element(primitive, "operations");
    for operation in operations {
        write_operation(configuration, element, id, operation);
    }
    primitive
}

fn finish_wrapping(
    configuration: &mut Configuration,
    primitive: NodeId,
    id: &str,
    wrapping: &Wrapping,
    options: &Options,
) -> Result<()> {
    match wrapping {
        Wrapping::None | Wrapping::Bundle(_) => Ok(()),
        Wrapping::Clone { promotable, id: clone_id, meta } => {
            let mut meta = meta.clone();
            if *promotable && !meta.iter().any(|(name, _)| name == "promotable") {
                meta.push(("promotable".into(), "true".into()));
            }
            if options.flag("--disabled") {
                meta.push(("target-role".into(), "Stopped".into()));
            }
            meta.sort();
            wrap_in_clone(
                configuration,
                primitive,
                &clone_id.clone().unwrap_or_else(|| configuration.free_id(&format!("{id}-clone"))),
                &meta,
            )
        }
        Wrapping::Group { before, after, .. } => {
            let group = configuration.container(primitive);
            let other = before.as_ref().or(after.as_ref());
            let (Some(group), Some(other)) = (group, other) else { return Ok(()) };
            move_beside(configuration, group, primitive, other, before.is_some())
        }
    }
}

fn move_beside(
    configuration: &mut Configuration,
    group: NodeId,
    member: NodeId,
    other: &str,
    before: bool,
) -> Result<()> {
    let others: Vec<NodeId> =
        configuration.children(group).into_iter().filter(|child| *child != member).collect();
    let position = others.iter().position(|child| configuration.id(*child) == other).ok_or_else(|| {
        format!("there is no resource '{other}' in the group '{}'", configuration.id(group))
    })?;
    let index = if before { position } else { position + 1 };
    configuration.document.move_to(member, group, Some(index));
    Ok(())
}
