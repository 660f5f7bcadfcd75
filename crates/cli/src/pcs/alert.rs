//! `pcs alert …`: agents that are told of events (rule 5d.7).

use xml::NodeId;

use super::constraint::Told;
use super::words::{Result, pairs, sections};
use crate::configuration::{Configuration, check_id};

/// `alert create path=P [id=A] [description=D] [options …] [meta …]`.
pub fn create(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let (head, parts) = sections(words, &["options", "meta"]);
    let given = checked(head, &["path", "id", "description"])?;
    let path = value(&given, "path").ok_or("required option 'path' is missing")?;
    let id = new_id(configuration, value(&given, "id"), "alert")?;
    let section = configuration.section_or_new("alerts");
    let alert = configuration.document.append_element(section, "alert");
    set(
        configuration,
        alert,
        &[("id", Some(&id)), ("path", Some(path)), ("description", value(&given, "description"))],
    );
    set_parts(configuration, alert, &id, &parts)?;
    Ok(Told::default())
}

/// `alert update A [path=P] [description=D] [options …] [meta …]`.
pub fn update(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [id, rest @ ..] = words else { return Err("usage: pcs alert update <alert-id> ...".into()) };
    let alert = find(configuration, id)?;
    let (head, parts) = sections(rest, &["options", "meta"]);
    let given = checked(head, &["path", "description"])?;
    set(
        configuration,
        alert,
        &[("path", value(&given, "path")), ("description", value(&given, "description"))],
    );
    set_parts(configuration, alert, id, &parts)?;
    Ok(Told::default())
}

/// `alert delete A…`.
pub fn delete(configuration: &mut Configuration, ids: &[String]) -> Result<Told> {
    for id in ids {
        let alert = find(configuration, id)?;
        configuration.document.remove(alert);
    }
    Ok(Told::default())
}

/// `alert recipient add A value=V [id=R] [description=D] [options …] [meta …]`.
pub fn recipient_add(configuration: &mut Configuration, words: &[String], force: bool) -> Result<Told> {
    let [id, rest @ ..] = words else {
        return Err("usage: pcs alert recipient add <alert-id> value=<recipient-value> ...".into());
    };
    let alert = find(configuration, id)?;
    let (head, parts) = sections(rest, &["options", "meta"]);
    let given = checked(head, &["value", "id", "description"])?;
    let whom = value(&given, "value").ok_or("required option 'value' is missing")?;
    let known = recipients(configuration, alert)
        .into_iter()
        .any(|recipient| configuration.attribute(recipient, "value") == whom);
    if known && !force {
        return Err(
            format!("Recipient '{whom}' in alert '{id}' already exists, use --force to override").into()
        );
    }
    let recipient_id = new_id(configuration, value(&given, "id"), &format!("{id}-recipient"))?;
    let recipient = configuration.document.append_element(alert, "recipient");
    let attributes = [
        ("id", Some(recipient_id.as_str())),
        ("value", Some(whom)),
        ("description", value(&given, "description")),
    ];
    set(configuration, recipient, &attributes);
    set_parts(configuration, recipient, &recipient_id, &parts)?;
    Ok(Told::default())
}

/// `alert recipient delete R…`.
pub fn recipient_delete(configuration: &mut Configuration, ids: &[String]) -> Result<Told> {
    for id in ids {
        let found = configuration.by_id(id).filter(|found| configuration.name(*found) == "recipient");
        let recipient = found.ok_or_else(|| format!("Recipient '{id}' does not exist"))?;
        configuration.document.remove(recipient);
    }
    Ok(Told::default())
}

/// `alert [config]`.
pub fn config(configuration: &Configuration) -> Vec<String> {
    let alerts = configuration.section("alerts").map(|section| configuration.children(section));
    let alerts: Vec<NodeId> = alerts.unwrap_or_default();
    if alerts.is_empty() {
        return vec!["No alerts defined".to_owned()];
    }
    let mut lines = Vec::new();
    for alert in alerts {
        lines.push(format!("Alert: {}", configuration.id(alert)));
        details(configuration, alert, "path", "Path", "  ", &mut lines);
        let recipients = recipients(configuration, alert);
        if !recipients.is_empty() {
            lines.push("  Recipients:".to_owned());
        }
        for recipient in recipients {
            lines.push(format!("    Recipient: {}", configuration.id(recipient)));
            details(configuration, recipient, "value", "Value", "      ", &mut lines);
        }
    }
    lines
}

fn details(
    configuration: &Configuration,
    element: NodeId,
    attribute: &str,
    title: &str,
    indent: &str,
    lines: &mut Vec<String>,
) {
    let description = configuration.attribute(element, "description");
    if !description.is_empty() {
        lines.push(format!("{indent}Description: {description}"));
    }
    lines.push(format!("{indent}{title}: {}", configuration.attribute(element, attribute)));
    for (tag, title) in [("instance_attributes", "Attributes"), ("meta_attributes", "Meta Attributes")] {
        let sets = configuration.children(element);
        for set in sets.into_iter().filter(|set| configuration.name(*set) == tag) {
            lines.push(format!("{indent}{title}: {}", configuration.id(set)));
            let pairs = configuration.pairs(set);
            lines.extend(pairs.into_iter().map(|(name, value)| format!("{indent}  {name}={value}")));
        }
    }
}

fn recipients(configuration: &Configuration, alert: NodeId) -> Vec<NodeId> {
    let mut children = configuration.children(alert);
    children.retain(|child| configuration.name(*child) == "recipient");
    children
}

fn find(configuration: &Configuration, id: &str) -> Result<NodeId> {
    let found = configuration.by_id(id).filter(|found| configuration.name(*found) == "alert");
    found.ok_or_else(|| format!("alert '{id}' does not exist").into())
}

fn new_id(configuration: &Configuration, given: Option<&str>, usual: &str) -> Result<String> {
    let Some(id) = given else { return Ok(configuration.free_id(usual)) };
    check_id(id, "id")?;
    if configuration.by_id(id).is_some() {
        return Err(format!("'{id}' already exists").into());
    }
    Ok(id.to_owned())
}

fn checked(words: &[String], allowed: &[&str]) -> Result<Vec<(String, String)>> {
    let given = pairs(words)?;
    if let Some((name, _)) = given.iter().find(|(name, _)| !allowed.contains(&name.as_str())) {
        let mut allowed: Vec<String> = allowed.iter().map(|name| format!("'{name}'")).collect();
        allowed.sort();
        return Err(format!("invalid option '{name}', allowed options are: {}", allowed.join(", ")).into());
    }
    Ok(given)
}

fn value<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn set(configuration: &mut Configuration, element: NodeId, attributes: &[(&str, Option<&str>)]) {
    for (name, value) in attributes {
        match value {
            Some("") => {
                configuration.document.remove_attribute(element, name);
            }
            Some(value) => {
                configuration.document.set_attribute(element, name, value);
            }
            None => {}
        }
    }
}

/// Sets of meta and instance attributes; meta first.
fn set_parts(
    configuration: &mut Configuration,
    element: NodeId,
    id: &str,
    parts: &[(&str, &[String])],
) -> Result<()> {
    for (keyword, tag) in [("meta", "meta_attributes"), ("options", "instance_attributes")] {
        let words: Vec<String> = parts
            .iter()
            .filter(|(given, _)| *given == keyword)
            .flat_map(|(_, words)| words.iter().cloned())
            .collect();
        let pairs = pairs(&words)?;
        if !pairs.is_empty() {
            let set = configuration.set_or_new(element, tag, &format!("{id}-{tag}"));
            configuration.set_pairs(set, &pairs);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn empty() -> Configuration {
        Configuration::new(xml::Document::parse("<cib><configuration/></cib>").unwrap())
    }

    #[test]
    fn an_alert_with_a_recipient() {
        let mut cib = empty();
        create(&mut cib, &words("path=/bin/x options a=b meta timeout=5s")).unwrap();
        recipient_add(&mut cib, &words("alert value=me"), false).unwrap();
        assert_eq!(
            config(&cib),
            [
                "Alert: alert",
                "  Path: /bin/x",
                "  Attributes: alert-instance_attributes",
                "    a=b",
                "  Meta Attributes: alert-meta_attributes",
                "    timeout=5s",
                "  Recipients:",
                "    Recipient: alert-recipient",
                "      Value: me",
            ]
        );
        let again = recipient_add(&mut cib, &words("alert value=me"), false).unwrap_err().message;
        assert_eq!(again, "Recipient 'me' in alert 'alert' already exists, use --force to override");
        recipient_delete(&mut cib, &words("alert-recipient")).unwrap();
        delete(&mut cib, &words("alert")).unwrap();
        assert_eq!(config(&cib), ["No alerts defined"]);
        assert_eq!(create(&mut cib, &[]).unwrap_err().message, "required option 'path' is missing");
    }
}
