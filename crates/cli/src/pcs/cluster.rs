//! `pcs cluster …` and `pcs tag …`.

use std::process::ExitCode;

use view::api;
use xml::Document;

use super::constraint::Told;
use super::words::{Options, Result};
use crate::configuration::{Configuration, check_id};
use crate::session::{Problem, Session, parse};

/// `cluster start [--all | N…]`: this machine's daemon; with the demo also the other nodes' daemons.
pub fn start(options: &Options, nodes: &[&str]) -> Result<ExitCode> {
    if let Some(demo) = crate::demo::Place::of_environment() {
        let names = if options.flag("--all") {
            demo.node_names()
        } else if nodes.is_empty() {
            demo.local_node().into_iter().collect()
        } else {
            nodes.iter().map(|node| (*node).to_owned()).collect()
        };
        for name in names {
            println!("{name}: Starting Cluster...");
            demo.start(&name)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if options.flag("--all") || !nodes.is_empty() {
        return Err(
            "starting other machines is not part of Systole yet; run 'pcs cluster start' on each of them"
                .into(),
        );
    }
    println!("Starting Cluster...");
    let status = std::process::Command::new("systemctl").args(["start", "systole.service"]).status();
    match status {
        Ok(status) if status.success() => Ok(ExitCode::SUCCESS),
        Ok(status) => Err(format!("unable to start systole.service: systemctl ended with {status}").into()),
        Err(error) => Err(format!("unable to run systemctl: {error}; start 'systole daemon' by hand").into()),
    }
}

/// `cluster stop [--all | N…]`: resources are stopped in order, then the daemon ends.
pub fn stop(session: &mut Session, options: &Options, nodes: &[&str]) -> Result<ExitCode> {
    let client = session.client()?;
    let status = client.status().map_err(Problem::from)?;
    let members: Vec<&api::Member> = status.members.iter().filter(|member| member.member).collect();
    let names: Vec<String> = if options.flag("--all") {
        // this node last: its daemon carries the requests
        let mut names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
        names.sort_by_key(|name| *name == status.node);
        names
    } else if nodes.is_empty() {
        vec![status.node.clone()]
    } else {
        nodes.iter().map(|node| (*node).to_owned()).collect()
    };
    let remaining = members.iter().filter(|member| !names.contains(&member.name)).count();
    let loses_quorum = remaining > 0 && remaining * 2 <= status.members.len() && status.quorate;
    if loses_quorum && !options.force {
        return Err("Stopping the node will cause a loss of the quorum, use --force to override".into());
    }
    for name in names {
        println!("{name}: Stopping Cluster (systole)...");
        let shutdown = api::Operation::Shutdown { now: false };
        if name == status.node {
            session.client()?.operate(&shutdown).map_err(Problem::from)?;
        } else {
            let demo = crate::demo::Place::of_environment().ok_or(
                "stopping other machines is not part of Systole yet; run 'pcs cluster stop' on each of them",
            )?;
            demo.client(&name)?.operate(&shutdown).map_err(Problem::from)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `cluster cib [FILE] [scope=S]`.
pub fn cib(session: &mut Session, words: &[&str]) -> Result<ExitCode> {
    let text = session.cib_text()?;
    let scope = words.iter().find_map(|word| word.strip_prefix("scope="));
    let text = match scope {
        None => text,
        Some(scope) => {
            let document = parse(text)?;
            let configuration = Configuration::new(document);
            let section = if scope == "configuration" {
                configuration.child(configuration.document.root(), scope)
            } else {
                configuration.section(scope)
            };
            let section = section.ok_or_else(|| format!("invalid CIB scope '{scope}', or it is empty"))?;
            configuration.document.element_to_pretty(section)
        }
    };
    match words.iter().find(|word| !word.contains('=')) {
        Some(file) => {
            crate::session::replace_file(std::path::Path::new(file), &text)
                .map_err(|problem| format!("Unable to write CIB to '{file}': {problem}"))?;
        }
        None => print!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// `cluster cib-push FILE [scope=S] [diff-against=ORIG]`.
pub fn cib_push(session: &mut Session, file: &str, words: &[&str], options: &Options) -> Result<ExitCode> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("unable to read new cib: {file}: {error}"))?;
    let new = Configuration::new(parse(text)?);
    let scope = words.iter().find_map(|word| word.strip_prefix("scope="));
    if words.iter().any(|word| word.starts_with("diff-against=")) {
        return Err("'diff-against' is not part of Systole yet; use 'crm_diff' and 'cibadmin --patch'".into());
    }
    session.edit("pcs", |configuration: &mut Configuration| -> Result<()> {
        match scope {
            None if new.name(new.document.root()) != "cib" => {
                let name = new.name(new.document.root());
                return Err(format!("{file} is no CIB: its outermost element is '{name}', not 'cib'").into());
            }
            None => {
                let source = new
                    .child(new.document.root(), "configuration")
                    .ok_or("the new CIB has no configuration element")?;
                let root = configuration.document.root();
                replace_child(configuration, root, "configuration", &new.document, source);
            }
            Some(scope) => {
                let source = (new.name(new.document.root()) == scope)
                    .then(|| new.document.root())
                    .or_else(|| new.section(scope))
                    .ok_or_else(|| format!("unable to push cib, scope '{scope}' not present in new cib"))?;
                let parent = configuration.configuration();
                configuration.section_or_new(scope);
                replace_child(configuration, parent, scope, &new.document, source);
            }
        }
        Ok(())
    })?;
    eprintln!("CIB updated");
    if let Some(limit) = options.wait {
        super::live::wait_until_settled(session, limit)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn replace_child(
    configuration: &mut Configuration,
    parent: xml::NodeId,
    tag: &str,
    from: &Document,
    source: xml::NodeId,
) {
    let children = configuration.children(parent);
    let index = children.iter().position(|child| configuration.name(*child) == tag);
    if let Some(index) = index {
        configuration.document.remove(children[index]);
    }
    configuration.document.import(parent, index, from, source);
}

/// `cluster verify`.
pub fn verify(session: &mut Session) -> Result<ExitCode> {
    let document = session.cib()?;
    let findings = crate::verify::findings(&document);
    let errors: Vec<String> =
        findings.iter().filter(|finding| finding.is_error).map(|finding| finding.text.clone()).collect();
    for finding in findings.iter().filter(|finding| !finding.is_error) {
        eprintln!("Warning: {}", finding.text);
    }
    if errors.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("invalid cib:\n{}", errors.join("\n")).into())
    }
}

/// `tag create T ID…`.
pub fn tag_create(configuration: &mut Configuration, id: &str, members: &[&str]) -> Result<Told> {
    check_id(id, "id")?;
    if members.is_empty() {
        return Err("Cannot create empty tag, no resource ids specified".into());
    }
    if configuration.by_id(id).is_some() {
        return Err(format!("'{id}' already exists").into());
    }
    if let Some(missing) = members.iter().find(|member| configuration.resource(member).is_none()) {
        return Err(format!("bundle / clone / group / resource '{missing}' does not exist").into());
    }
    let section = configuration.section_or_new("tags");
    let tag = configuration.document.append_element(section, "tag");
    configuration.document.set_attribute(tag, "id", id);
    for member in members {
        let reference = configuration.document.append_element(tag, "obj_ref");
        configuration.document.set_attribute(reference, "id", member);
    }
    Ok(Told::default())
}

/// `tag update T [add ID… [--before X|--after X]] [remove ID…]`.
pub fn tag_update(configuration: &mut Configuration, words: &[String], options: &Options) -> Result<Told> {
    let (head, parts) = super::words::sections(words, &["add", "remove"]);
    let [id] = head else { return Err("usage: pcs tag update <tag name> [add ...] [remove ...]".into()) };
    let section = configuration.section_or_new("tags");
    let tags = configuration.children(section);
    let tag = tags.into_iter().find(|tag| configuration.id(*tag) == id);
    let tag = tag.ok_or_else(|| format!("tag '{id}' does not exist"))?;
    for (keyword, members) in parts {
        for member in members {
            let known = configuration.children(tag);
            let known = known.into_iter().find(|reference| configuration.id(*reference) == member);
            match (keyword, known) {
                ("remove", Some(reference)) => configuration.document.remove(reference),
                ("remove", None) => {
                    return Err(format!("Tag '{id}' does not contain id '{member}'").into());
                }
                (_, known) => {
                    if configuration.resource(member).is_none() {
                        return Err(
                            format!("bundle / clone / group / resource '{member}' does not exist").into()
                        );
                    }
                    if let Some(old) = known {
                        configuration.document.remove(old);
                    }
                    let place = tag_place(configuration, tag, options)?;
                    let reference = configuration.document.insert_element(tag, place, "obj_ref");
                    configuration.document.set_attribute(reference, "id", member);
                }
            }
        }
    }
    if configuration.children(tag).is_empty() {
        return Err(format!("There would be no references left in the tag '{id}', please remove the whole tag using 'pcs tag remove {id}'").into());
    }
    Ok(Told::default())
}

/// Where the next reference goes: beside the one that `--before` or `--after` names, else at the end.
fn tag_place(configuration: &Configuration, tag: xml::NodeId, options: &Options) -> Result<usize> {
    let members = configuration.children(tag);
    let (beside, more) = match (options.value("before"), options.value("after")) {
        (Some(_), Some(_)) => return Err("you cannot specify both --before and --after".into()),
        (Some(id), None) => (id, 0),
        (None, Some(id)) => (id, 1),
        (None, None) => return Ok(members.len()),
    };
    let place = members.iter().position(|member| configuration.id(*member) == beside);
    place.map(|place| place + more).ok_or_else(|| format!("there is no id '{beside}' in the tag").into())
}

/// `tag delete T…`.
pub fn tag_delete(configuration: &mut Configuration, ids: &[&str]) -> Result<Told> {
    let section = configuration.section_or_new("tags");
    for id in ids {
        let tag = configuration
            .children(section)
            .into_iter()
            .find(|tag| configuration.id(*tag) == *id)
            .ok_or_else(|| format!("tag '{id}' does not exist"))?;
        configuration.document.remove(tag);
    }
    Ok(Told::default())
}

/// `tag [config]`.
pub fn tag_list(configuration: &Configuration) -> Vec<String> {
    let Some(section) = configuration.section("tags") else { return Vec::new() };
    let mut lines = Vec::new();
    for tag in configuration.children(section) {
        lines.push(configuration.id(tag).to_owned());
        lines.extend(
            configuration
                .children(tag)
                .into_iter()
                .map(|reference| format!("  {}", configuration.id(reference))),
        );
    }
    lines
}
