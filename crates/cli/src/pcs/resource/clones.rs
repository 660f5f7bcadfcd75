//! `resource clone`, `promotable` and `unclone`.

use xml::NodeId;

use super::removal::remove_constraints_of;
use crate::configuration::Configuration;
use crate::pcs::catalog::{AgentName, Catalog};
use crate::pcs::constraint::Told;
use crate::pcs::words::{Result, pairs};

/// Puts a clone around a primitive or group, behind all other resources, as pcs always did.
pub(super) fn wrap_in_clone(
    configuration: &mut Configuration,
    resource: NodeId,
    clone_id: &str,
    meta: &[(String, String)],
) -> Result<()> {
    if configuration.by_id(clone_id).is_some() {
        return Err(format!("'{clone_id}' already exists").into());
    }
    let parent = configuration.document.parent(resource).ok_or("a resource without parent")?;
    let element = configuration.document.append_element(parent, "clone");
    configuration.document.set_attribute(element, "id", clone_id);
    configuration.document.move_to(resource, element, Some(0));
    if !meta.is_empty() {
        configuration.set_meta(element, meta);
    }
    Ok(())
}

/// Only agents that know how to promote can be in a promotable clone.
///
/// # Errors
/// The agent of what is to be cloned says that it does not.
pub fn check_promotable(
    configuration: &Configuration,
    catalog: &dyn Catalog,
    words: &[String],
    force: bool,
) -> Result<()> {
    let Some(resource) = words.first().and_then(|id| configuration.resource(id)) else { return Ok(()) };
    let members = configuration.descendants(resource).into_iter().chain([resource]);
    for member in members.filter(|element| configuration.name(*element) == "primitive") {
        let agent = AgentName {
            class: configuration.attribute(member, "class").to_owned(),
            provider: configuration.document.attribute(member, "provider").map(str::to_owned),
            kind: configuration.attribute(member, "type").to_owned(),
        };
        // an agent that tells nothing of itself is not judged
        let Ok(metadata) = catalog.metadata(&agent) else { continue };
        let knows = |name: &str| metadata.actions.iter().any(|action| action.name == name);
        if !(knows("promote") && knows("demote")) {
            let text = format!(
                "Clone option 'promotable' is not compatible with '{agent}' resource agent of resource '{}'",
                configuration.id(member)
            );
            if !force {
                return Err(format!("{text}, use --force to override").into());
            }
            eprintln!("Warning: {text}");
        }
    }
    Ok(())
}

/// `resource clone|promotable R [ID] [meta] n=v`.
pub fn clone(configuration: &mut Configuration, words: &[String], promotable: bool) -> Result<Told> {
    let [id, rest @ ..] = words else {
        return Err("expected: clone <resource id | group id> [clone id] [name=value]...".into());
    };
    let resource = configuration
        .resource(id)
        .filter(|element| matches!(configuration.name(*element), "primitive" | "group"))
        .ok_or_else(|| format!("unable to find group or resource: {id}"))?;
    if let Some(container) = configuration.container(resource) {
        let tag = configuration.name(container);
        return Err(if tag == "group" {
            format!("cannot clone a resource that is in a group ('{}')", configuration.id(container)).into()
        } else {
            format!("{id} is already a clone resource").into()
        });
    }
    let (clone_id, rest) = match rest {
        [word, rest @ ..] if !word.contains('=') && word != "meta" => (word.clone(), rest),
        rest => (configuration.free_id(&format!("{id}-clone")), rest),
    };
    let words: Vec<String> = rest.iter().filter(|word| *word != "meta").cloned().collect();
    let mut meta = pairs(&words)?;
    if promotable && !meta.iter().any(|(name, _)| name == "promotable") {
        meta.push(("promotable".into(), "true".into()));
        meta.sort();
    }
    wrap_in_clone(configuration, resource, &clone_id, &meta)?;
    repoint_constraints(configuration, id, &clone_id);
    Ok(Told::default())
}

/// Plain location, order and colocation constraints follow a resource into its clone.
fn repoint_constraints(configuration: &mut Configuration, from: &str, to: &str) {
    let Some(section) = configuration.section("constraints") else { return };
    for constraint in configuration.children(section) {
        if configuration.name(constraint) == "rsc_ticket" {
            continue;
        }
        for name in ["rsc", "with-rsc", "first", "then"] {
            if configuration.document.attribute(constraint, name) == Some(from) {
                configuration.document.set_attribute(constraint, name, to);
            }
        }
    }
}

/// `resource unclone ID`.
pub fn unclone(configuration: &mut Configuration, id: &str) -> Result<Told> {
    let element = configuration.resource(id).ok_or_else(|| format!("could not find resource: {id}"))?;
    let clone = std::iter::successors(Some(element), |element| configuration.container(*element))
        .find(|element| matches!(configuration.name(*element), "clone" | "master"))
        .ok_or_else(|| format!("'{id}' is not a clone resource"))?;
    let clone_id = configuration.id(clone).to_owned();
    let inner = configuration
        .children(clone)
        .into_iter()
        .find(|child| matches!(configuration.name(*child), "primitive" | "group"))
        .ok_or_else(|| format!("clone '{clone_id}' contains no resource"))?;
    let parent = configuration.document.parent(clone).ok_or("a clone without parent")?;
    let index = configuration.children(parent).iter().position(|child| *child == clone).unwrap_or(0);
    configuration.document.move_to(inner, parent, Some(index));
    configuration.document.remove(clone);
    remove_constraints_of(configuration, &clone_id);
    Ok(Told::default())
}
