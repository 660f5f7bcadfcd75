//! `resource clone`, `promotable` and `unclone`.

use xml::NodeId;

use super::removal::remove_constraints_of;
use crate::configuration::Configuration;
use crate::pcs::constraint::Told;
use crate::pcs::words::{Result, pairs};

/// Puts a clone around a primitive or group, in its place.
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
    let index = configuration.children(parent).iter().position(|child| *child == resource).unwrap_or(0);
    let element = configuration.document.insert_element(parent, index, "clone");
    configuration.document.set_attribute(element, "id", clone_id);
    configuration.document.move_to(resource, element, Some(0));
    if !meta.is_empty() {
        configuration.set_meta(element, meta);
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
