//! `resource delete`, and what goes with a resource that goes.

use xml::NodeId;

use crate::configuration::{Configuration, RESOURCE_TAGS};
use crate::pcs::constraint::Told;
use crate::pcs::words::Result;

pub(super) fn remove_constraints_of(configuration: &mut Configuration, id: &str) -> Vec<String> {
    let Some(section) = configuration.section("constraints") else { return Vec::new() };
    let mut removed = Vec::new();
    for constraint in configuration.children(section) {
        let names = ["rsc", "with-rsc", "first", "then"];
        let direct = names.iter().any(|name| configuration.document.attribute(constraint, name) == Some(id));
        let mut emptied = false;
        if !direct {
            for set in configuration.children(constraint) {
                for reference in configuration.children(set) {
                    if configuration.name(reference) == "resource_ref" && configuration.id(reference) == id {
                        configuration.document.remove(reference);
                    }
                }
                if configuration.name(set) == "resource_set" && configuration.children(set).is_empty() {
                    configuration.document.remove(set);
                    emptied = configuration.children(constraint).is_empty();
                }
            }
        }
        if direct || emptied {
            removed.push(configuration.id(constraint).to_owned());
            configuration.document.remove(constraint);
        }
    }
    removed
}

/// `resource delete ID…`: the elements and all that refers to them.
pub fn delete(configuration: &mut Configuration, ids: &[String]) -> Result<Told> {
    let mut told = Told::default();
    let missing: Vec<&String> = ids.iter().filter(|id| configuration.resource(id).is_none()).collect();
    if let Some(id) = missing.first() {
        return Err(format!("Unable to find resource: '{id}'").into());
    }
    for id in ids {
        let Some(element) = configuration.resource(id) else { continue };
        delete_element(configuration, element, &mut told);
    }
    Ok(told)
}

fn delete_element(configuration: &mut Configuration, element: NodeId, told: &mut Told) {
    let inner: Vec<String> = configuration
        .descendants(element)
        .into_iter()
        .filter(|below| RESOURCE_TAGS.contains(&configuration.name(*below)))
        .map(|below| configuration.id(below).to_owned())
        .collect();
    let container = configuration.container(element);
    configuration.document.remove(element);
    for id in &inner {
        for constraint in remove_constraints_of(configuration, id) {
            told.stderr.push(format!("Removing Constraint - {constraint}"));
        }
        remove_other_references(configuration, id);
    }
    if let Some(id) = inner.first() {
        told.stderr.push(format!("Deleting Resource - {id}"));
    }
    // groups and clones that became empty go too
    if let Some(container) = container {
        let keeps = configuration
            .children(container)
            .into_iter()
            .any(|child| RESOURCE_TAGS.contains(&configuration.name(child)));
        if !keeps && configuration.name(container) != "bundle" {
            delete_element(configuration, container, told);
        }
    }
}

/// Tags, fencing levels and access-control permissions that name a deleted element.
pub(super) fn remove_other_references(configuration: &mut Configuration, id: &str) {
    if let Some(tags) = configuration.section("tags") {
        for tag in configuration.children(tags) {
            for reference in configuration.children(tag) {
                if configuration.id(reference) == id {
                    configuration.document.remove(reference);
                }
            }
            if configuration.children(tag).is_empty() {
                configuration.document.remove(tag);
            }
        }
    }
    if let Some(topology) = configuration.section("fencing-topology") {
        for level in configuration.children(topology) {
            let devices = configuration.attribute(level, "devices").to_owned();
            if !devices.split(',').any(|device| device == id) {
                continue;
            }
            let rest: Vec<&str> = devices.split(',').filter(|device| *device != id).collect();
            if rest.is_empty() {
                configuration.document.remove(level);
            } else {
                configuration.document.set_attribute(level, "devices", &rest.join(","));
            }
        }
    }
    if let Some(acls) = configuration.section("acls") {
        for element in configuration.descendants(acls) {
            if configuration.document.attribute(element, "reference") == Some(id) {
                configuration.document.remove(element);
            }
        }
    }
}
