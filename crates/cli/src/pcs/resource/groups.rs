//! `resource group …`.

use xml::NodeId;

use super::removal::{remove_constraints_of, remove_other_references};
use crate::configuration::{Configuration, check_id};
use crate::pcs::constraint::Told;
use crate::pcs::words::{Options, Result};

/// `resource group add G R… [--before|--after X]`.
pub fn group_add(configuration: &mut Configuration, words: &[String], options: &Options) -> Result<Told> {
    let [group_id, members @ ..] = words else {
        return Err("expected: group add <group id> <resource id>...".into());
    };
    if members.is_empty() {
        return Err("no resources to add to the group".into());
    }
    let mut elements = Vec::new();
    for (index, member) in members.iter().enumerate() {
        if members[..index].contains(member) {
            return Err(format!("Resource '{member}' is specified more than once").into());
        }
        let element = configuration
            .resource(member)
            .filter(|element| configuration.name(*element) == "primitive")
            .ok_or_else(|| format!("Unable to find resource: '{member}'"))?;
        if configuration.is_fence_device(element) {
            return Err(format!("'{member}' is a stonith resource, it cannot be put into a group").into());
        }
        if let Some(container) = configuration.container(element) {
            if configuration.id(container) == group_id {
                return Err(format!(
                    "Cannot add resource '{member}', it is already present in group '{group_id}'"
                )
                .into());
            }
            if configuration.name(container) != "group" {
                return Err(format!(
                    "'{member}' is inside '{}', it cannot be put into a group",
                    configuration.id(container)
                )
                .into());
            }
        }
        elements.push(element);
    }
    let group = match configuration.resource(group_id) {
        Some(group) if configuration.name(group) == "group" => group,
        Some(_) => return Err(format!("'{group_id}' is not a group").into()),
        None => {
            check_id(group_id, "group name")?;
            if configuration.by_id(group_id).is_some() {
                return Err(format!("'{group_id}' already exists").into());
            }
            let section = configuration.section_or_new("resources");
            let group = configuration.document.append_element(section, "group");
            configuration.document.set_attribute(group, "id", group_id);
            group
        }
    };
    let beside =
        options.value("before").map(|id| (id, 0)).or_else(|| options.value("after").map(|id| (id, 1)));
    let existing = configuration.children(group);
    let first = match beside {
        None => existing.len(),
        Some((id, offset)) => {
            existing
                .iter()
                .position(|child| configuration.id(*child) == id)
                .ok_or_else(|| format!("there is no resource '{id}' in the group '{group_id}'"))?
                + offset
        }
    };
    for (index, element) in (first..).zip(elements) {
        let old = configuration.container(element);
        configuration.document.move_to(element, group, Some(index));
        remove_if_empty_group(configuration, old);
    }
    Ok(Told::default())
}

pub(super) fn remove_if_empty_group(configuration: &mut Configuration, group: Option<NodeId>) {
    let Some(group) = group else { return };
    if configuration.child(group, "primitive").is_some() {
        return;
    }
    let id = configuration.id(group).to_owned();
    configuration.document.remove(group);
    remove_constraints_of(configuration, &id);
    remove_other_references(configuration, &id);
}

/// `resource group remove G [R…]` and `ungroup`: members become top-level behind all other resources.
pub fn group_remove(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [group_id, members @ ..] = words else {
        return Err("expected: group remove <group id> [resource id]...".into());
    };
    let group = configuration
        .resource(group_id)
        .filter(|element| configuration.name(*element) == "group")
        .ok_or_else(|| format!("Group '{group_id}' does not exist"))?;
    let mut leaving = Vec::new();
    for child in configuration.children(group) {
        if configuration.name(child) == "primitive"
            && (members.is_empty() || members.iter().any(|member| configuration.id(child) == member))
        {
            leaving.push(child);
        }
    }
    if let Some(missing) =
        members.iter().find(|member| !leaving.iter().any(|child| configuration.id(*child) == member.as_str()))
    {
        return Err(format!("there is no resource '{missing}' in the group '{group_id}'").into());
    }
    let resources = configuration.section_or_new("resources");
    let clone = configuration.container(group);
    for child in leaving {
        configuration.document.move_to(child, resources, None);
    }
    remove_if_empty_group(configuration, Some(group));
    if let Some(clone) = clone.filter(|clone| configuration.child(*clone, "group").is_none()) {
        let id = configuration.id(clone).to_owned();
        configuration.document.remove(clone);
        remove_constraints_of(configuration, &id);
        remove_other_references(configuration, &id);
    }
    Ok(Told::default())
}

/// `resource group list`.
pub fn group_list(configuration: &Configuration) -> Vec<String> {
    configuration
        .resources()
        .into_iter()
        .filter(|element| configuration.name(*element) == "group")
        .map(|group| {
            let members: Vec<&str> = configuration
                .document
                .children(group)
                .filter(|child| configuration.name(*child) == "primitive")
                .map(|child| configuration.document.attribute(child, "id").unwrap_or(""))
                .collect();
            format!("{}: {}", configuration.id(group), members.join(" "))
        })
        .collect()
}
