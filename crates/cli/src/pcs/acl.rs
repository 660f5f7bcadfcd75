//! `pcs acl …`: who may read and write what (rule 5d.7).

use xml::NodeId;

use super::constraint::Told;
use super::words::Result;
use crate::configuration::{Configuration, check_id};

const PERMISSIONS: [&str; 3] = ["read", "write", "deny"];

/// `acl role create R [description=D] ((read|write|deny) (xpath Q | id ID))…`.
pub fn role_create(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [id, rest @ ..] = words else { return Err("usage: pcs acl role create <role id> ...".into()) };
    fresh(configuration, id, "ACL role")?;
    let (description, permissions) = match rest.split_first() {
        Some((first, more)) if first.starts_with("description=") => {
            (first.strip_prefix("description="), more)
        }
        _ => (None, rest),
    };
    let section = configuration.section_or_new("acls");
    let role = configuration.document.append_element(section, "acl_role");
    configuration.document.set_attribute(role, "id", id);
    if let Some(text) = description {
        configuration.document.set_attribute(role, "description", text);
    }
    add_permissions(configuration, role, permissions)?;
    Ok(Told::default())
}

/// `acl permission add R ((read|write|deny) (xpath Q | id ID))…`; a new role is made.
pub fn permission_add(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [id, permissions @ ..] = words else {
        return Err("usage: pcs acl permission add <role id> ...".into());
    };
    if permissions.is_empty() {
        return Err(
            "usage: pcs acl permission add <role id> ((read|write|deny) (xpath <query> | id <id>))...".into(),
        );
    }
    match element(configuration, "acl_role", id) {
        Some(role) => add_permissions(configuration, role, permissions).map(|()| Told::default()),
        None => role_create(configuration, words),
    }
}

fn add_permissions(configuration: &mut Configuration, role: NodeId, words: &[String]) -> Result<()> {
    for triple in words.chunks(3) {
        let [kind, scope, what] = triple else {
            return Err(format!("incomplete permission '{}'", triple.join(" ")).into());
        };
        if !PERMISSIONS.contains(&kind.as_str()) {
            return Err(
                format!("invalid permission '{kind}', allowed values are: 'deny', 'read', 'write'").into()
            );
        }
        let attribute = match scope.as_str() {
            "xpath" => "xpath",
            "id" if configuration.by_id(what).is_none() => {
                return Err(format!("id '{what}' does not exist").into());
            }
            "id" => "reference",
            other => return Err(format!("invalid scope '{other}', allowed values are: 'id', 'xpath'").into()),
        };
        let id = configuration.free_id(&format!("{}-{kind}", configuration.id(role)));
        let permission = configuration.document.append_element(role, "acl_permission");
        for (name, value) in [("id", id.as_str()), ("kind", kind), (attribute, what)] {
            configuration.document.set_attribute(permission, name, value);
        }
    }
    Ok(())
}

/// `acl permission delete PID`.
pub fn permission_delete(configuration: &mut Configuration, id: &str) -> Result<Told> {
    let found = element(configuration, "acl_permission", id);
    let permission = found.ok_or_else(|| format!("ACL permission '{id}' does not exist"))?;
    configuration.document.remove(permission);
    Ok(Told::default())
}

/// `acl role delete R [--autodelete]`: with all references to it.
pub fn role_delete(configuration: &mut Configuration, id: &str, with_empty: bool) -> Result<Told> {
    let role = existing_role(configuration, id)?;
    configuration.document.remove(role);
    for target in targets(configuration) {
        let references = configuration.children(target);
        let of_role: Vec<NodeId> =
            references.iter().copied().filter(|reference| configuration.id(*reference) == id).collect();
        for reference in &of_role {
            configuration.document.remove(*reference);
        }
        if with_empty && !of_role.is_empty() && of_role.len() == references.len() {
            configuration.document.remove(target);
        }
    }
    Ok(Told::default())
}

/// `acl user create U [R…]` and `acl group create G [R…]`.
pub fn target_create(configuration: &mut Configuration, kind: &str, words: &[&str]) -> Result<Told> {
    let [id, roles @ ..] = words else {
        return Err(format!("usage: pcs acl {kind} create <name> ...").into());
    };
    fresh(configuration, id, &format!("ACL {kind}"))?;
    for role in roles {
        existing_role(configuration, role)?;
    }
    let section = configuration.section_or_new("acls");
    let target = configuration.document.append_element(section, tag_of(kind));
    configuration.document.set_attribute(target, "id", id);
    for role in roles {
        refer(configuration, target, role);
    }
    Ok(Told::default())
}

/// `acl user delete U` and `acl group delete G`.
pub fn target_delete(configuration: &mut Configuration, kind: &str, id: &str) -> Result<Told> {
    let target = existing_target(configuration, kind, id)?;
    configuration.document.remove(target);
    Ok(Told::default())
}

/// `acl role assign R [to] [user|group] U`; a user or group that is not there yet is made if its kind is told.
pub fn assign(configuration: &mut Configuration, words: &[&str]) -> Result<Told> {
    let (role, kind, id) = assignment(words, "to")?;
    existing_role(configuration, role)?;
    let target = match find_target(configuration, kind, id) {
        Some(target) => target,
        None if kind.is_some() => {
            target_create(configuration, kind.unwrap_or("user"), &[id])?;
            existing_target(configuration, kind.unwrap_or("user"), id)?
        }
        None => return Err(format!("ACL group / ACL user '{id}' does not exist").into()),
    };
    if configuration.children(target).iter().any(|known| configuration.id(*known) == role) {
        return Err(format!("Role '{role}' is already assigned to '{id}'").into());
    }
    refer(configuration, target, role);
    Ok(Told::default())
}

/// `acl role unassign R [from] [user|group] U [--autodelete]`.
pub fn unassign(configuration: &mut Configuration, words: &[&str], with_empty: bool) -> Result<Told> {
    let (role, kind, id) = assignment(words, "from")?;
    let target = find_target(configuration, kind, id)
        .ok_or_else(|| format!("ACL group / ACL user '{id}' does not exist"))?;
    let references = configuration.children(target);
    let reference = references.iter().copied().find(|known| configuration.id(*known) == role);
    let reference = reference.ok_or_else(|| format!("Role '{role}' is not assigned to '{id}'"))?;
    configuration.document.remove(reference);
    if with_empty && references.len() == 1 {
        configuration.document.remove(target);
    }
    Ok(Told::default())
}

fn assignment<'w>(words: &[&'w str], filler: &str) -> Result<(&'w str, Option<&'w str>, &'w str)> {
    let [role, rest @ ..] = words else { return Err("a role is missing".into()) };
    let rest = match rest {
        [first, more @ ..] if *first == filler => more,
        other => other,
    };
    match rest {
        [kind @ ("user" | "group"), id] => Ok((role, Some(kind), id)),
        [id] => Ok((role, None, id)),
        _ => {
            Err(format!("expected: pcs acl role assign|unassign <role id> [{filler}] [user|group] <name>")
                .into())
        }
    }
}

/// `acl [config]`.
pub fn config(configuration: &Configuration, enabled: bool) -> Vec<String> {
    let head = match enabled {
        true => "ACLs are enabled",
        false => "ACLs are disabled, run 'pcs acl enable' to enable",
    };
    let mut lines = vec![head.to_owned(), String::new()];
    for (tag, title) in [("acl_target", "User"), ("acl_group", "Group")] {
        for target in all(configuration, tag) {
            lines.push(format!("{title}: {}", configuration.id(target)));
            let roles: Vec<&str> =
                configuration.children(target).into_iter().map(|role| configuration.id(role)).collect();
            lines.push(format!("  Roles: {}", roles.join(" ")).trim_end().to_owned());
        }
    }
    for role in all(configuration, "acl_role") {
        lines.push(format!("Role: {}", configuration.id(role)));
        let description = configuration.attribute(role, "description");
        if !description.is_empty() {
            lines.push(format!("  Description: {description}"));
        }
        let permissions = configuration.children(role).into_iter();
        lines.extend(permissions.map(|permission| permission_line(configuration, permission)));
    }
    lines
}

fn permission_line(configuration: &Configuration, permission: NodeId) -> String {
    let attribute = |name: &str| configuration.attribute(permission, name);
    let scope = match (attribute("xpath"), attribute("reference")) {
        ("", "") => format!("object-type {}", attribute("object-type")),
        ("", id) => format!("id {id}"),
        (xpath, _) => format!("xpath {xpath}"),
    };
    format!("  Permission: {} {scope} ({})", attribute("kind"), configuration.id(permission))
}

fn tag_of(kind: &str) -> &'static str {
    if kind == "group" { "acl_group" } else { "acl_target" }
}

fn all(configuration: &Configuration, tag: &str) -> Vec<NodeId> {
    let Some(section) = configuration.section("acls") else { return Vec::new() };
    let mut found = configuration.children(section);
    found.retain(|element| configuration.name(*element) == tag);
    found
}

fn targets(configuration: &Configuration) -> Vec<NodeId> {
    let mut found = all(configuration, "acl_target");
    found.extend(all(configuration, "acl_group"));
    found
}

/// References to a role have the same id as the role itself, so the tag counts.
fn element(configuration: &Configuration, tag: &str, id: &str) -> Option<NodeId> {
    let section = configuration.section("acls")?;
    let is = |found: &NodeId| configuration.name(*found) == tag && configuration.id(*found) == id;
    configuration.descendants(section).into_iter().find(is)
}

fn existing_role(configuration: &Configuration, id: &str) -> Result<NodeId> {
    element(configuration, "acl_role", id).ok_or_else(|| format!("ACL role '{id}' does not exist").into())
}

fn find_target(configuration: &Configuration, kind: Option<&str>, id: &str) -> Option<NodeId> {
    let tag = kind.map(tag_of);
    let fits = |target: &NodeId| tag.is_none_or(|tag| configuration.name(*target) == tag);
    targets(configuration).into_iter().filter(fits).find(|target| configuration.id(*target) == id)
}

fn existing_target(configuration: &Configuration, kind: &str, id: &str) -> Result<NodeId> {
    find_target(configuration, Some(kind), id)
        .ok_or_else(|| format!("ACL {kind} '{id}' does not exist").into())
}

fn fresh(configuration: &Configuration, id: &str, what: &str) -> Result<()> {
    check_id(id, what)?;
    if configuration.by_id(id).is_some() {
        return Err(format!("'{id}' already exists").into());
    }
    Ok(())
}

fn refer(configuration: &mut Configuration, target: NodeId, role: &str) {
    let reference = configuration.document.append_element(target, "role");
    configuration.document.set_attribute(reference, "id", role);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn roles_users_and_permissions() {
        let mut cib = Configuration::new(xml::Document::parse("<cib><configuration/></cib>").unwrap());
        role_create(&mut cib, &words("R description=D read xpath /cib write xpath //nodes")).unwrap();
        target_create(&mut cib, "user", &["bob", "R"]).unwrap();
        assign(&mut cib, &["R", "to", "group", "admins"]).unwrap();
        assert_eq!(
            config(&cib, false),
            [
                "ACLs are disabled, run 'pcs acl enable' to enable",
                "",
                "User: bob",
                "  Roles: R",
                "Group: admins",
                "  Roles: R",
                "Role: R",
                "  Description: D",
                "  Permission: read xpath /cib (R-read)",
                "  Permission: write xpath //nodes (R-write)",
            ]
        );
        assert_eq!(
            target_create(&mut cib, "user", &["x", "Y"]).unwrap_err().message,
            "ACL role 'Y' does not exist"
        );
        assert_eq!(
            permission_add(&mut cib, &words("R deny id nowhere")).unwrap_err().message,
            "id 'nowhere' does not exist"
        );
        unassign(&mut cib, &["R", "from", "admins"], false).unwrap();
        role_delete(&mut cib, "R", true).unwrap();
        assert_eq!(config(&cib, true), ["ACLs are enabled", "", "Group: admins", "  Roles:"]);
    }
}
