//! `crm_attribute`: cluster options, node attributes, promotion scores (rule 5a.6).

use std::process::ExitCode;

use view::api::{AttributeChange, AttributeQuery, CibChange, CibOperation};
use xml::Document;
use xml::xpath::literal;

use super::options::{Given, NO_SHORT, Table, flag, maybe, old_flag, old_value, value};
use super::output::Output;
use super::target::{self, NO_SUCH, clean_id, elements};
use super::{tool, usage};
use crate::session::{Problem, Session};

const TABLE: Table = Table {
    tool: "crm_attribute",
    about: "query and change cluster options and node attributes",
    options: &[
        value('n', "name", "NAME", "Name of the attribute"),
        value('P', "pattern", "REGEX", "All attributes whose name matches"),
        flag('G', "query", "Show the value (the default)"),
        value('v', "update", "VALUE", "Set the value; NAME++ and NAME+=N count up"),
        flag('D', "delete", "Delete the attribute"),
        maybe('p', "promotion", "RSC", "The promotion score of a resource (in an agent: its own)"),
        value('t', "type", "SECTION", "crm_config, nodes, status, rsc_defaults, op_defaults or tickets"),
        value('l', "lifetime", "LIFETIME", "forever (as -t nodes) or reboot (as -t status)"),
        value('N', "node", "NODE", "Attribute of this node"),
        value('d', "default", "VALUE", "With --query: what to show if there is none"),
        flag('q', "quiet", "Show only the value"),
        value('s', "set-name", "SET", "Id of the set of attributes"),
        value('i', "id", "ID", "Id of the attribute"),
        flag('z', "utilization", "A utilization attribute of a node"),
        value('W', "wait", "UNTIL", "How far an update must be: no, local or cluster"),
        value(NO_SHORT, "list-options", "TYPE", "Show what options there are: cluster"),
        flag(NO_SHORT, "all", "With --list-options: advanced and deprecated ones too"),
        old_flag('Q', "old-quiet", "quiet"),
        old_flag(NO_SHORT, "get-value", "query"),
        old_value(NO_SHORT, "attr-name", "name"),
        old_value(NO_SHORT, "attr-value", "update"),
        old_value(NO_SHORT, "attr-id", "id"),
        old_value(NO_SHORT, "set", "set-name"),
        old_value('U', "node-uname", "node"),
        old_value('u', "uuid", "node"),
        old_flag('!', "inhibit-policy-engine", "inhibit-policy-engine"),
    ],
    examples: &[
        "crm_attribute --name maintenance-mode --update true",
        "crm_attribute --node node1 --name site --query",
        "crm_attribute --promotion --update 10       (in a resource agent)",
    ],
};

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

/// Where attributes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Options,
    Nodes,
    Status,
    ResourceDefaults,
    OperationDefaults,
    Tickets,
}

impl Section {
    fn name(self) -> &'static str {
        match self {
            Section::Options => "crm_config",
            Section::Nodes => "nodes",
            Section::Status => "status",
            Section::ResourceDefaults => "rsc_defaults",
            Section::OperationDefaults => "op_defaults",
            Section::Tickets => "tickets",
        }
    }

    fn of_node(self) -> bool {
        matches!(self, Section::Nodes | Section::Status)
    }
}

/// What a command line is about.
struct Subject {
    section: Section,
    name: Option<String>,
    pattern: Option<String>,
    /// Name and id; the id is asked for only where it is needed.
    node: Option<String>,
    set: Option<String>,
    id: Option<String>,
    utilization: bool,
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    if given.has("list-options") {
        return super::listing::cluster_options(given, out);
    }
    if let Some(word) = given.words.first() {
        return Err(usage(format!("non-option ARGV-elements: {word}")));
    }
    if given.value("name").is_some() && given.value("pattern").is_some() {
        return Err(usage("Error: --name and --pattern cannot be used at the same time"));
    }
    if given.value("name") == Some("") {
        return Err(usage("Invalid value '' for --name: the name of an attribute is needed"));
    }
    if let Some(wait) = given.value("wait").filter(|wait| !["no", "local", "cluster"].contains(wait)) {
        return Err(usage(format!("Invalid value '{wait}' for --wait: no, local or cluster is needed")));
    }
    let command = given.last_of(&["query", "update", "delete"]).unwrap_or("query");
    if let Some(score) = given.value("update").filter(|_| command == "update" && given.has("promotion")) {
        let is_counted = score.contains("++") || score.contains("+=");
        if !is_counted && cib::value::Score::parse(score).is_none() {
            out.fail(format!(
                "'{score}' is no promotion score and counts as 0: an integer or INFINITY is one"
            ));
        }
    }
    let section = section(given)?;
    let mut session = Session::open(None)?;
    let node =
        if section.of_node() { Some(target::node_name(&mut session, given.value("node"))?) } else { None };
    let subject = Subject {
        section,
        name: name(given)?,
        pattern: given.value("pattern").map(str::to_owned),
        node,
        set: given.value("set-name").map(str::to_owned),
        id: given.value("id").map(str::to_owned),
        utilization: given.has("utilization"),
    };
    let is_named = subject.name.is_some() || subject.pattern.is_some() || subject.id.is_some();
    match command {
        "update" | "delete" if !is_named => {
            Err(usage(format!("Error: must specify attribute name or pattern to {command}")))
        }
        "update" => {
            update(&mut session, &subject, given.value("update").unwrap_or_default(), out)?;
            Ok(0)
        }
        "delete" => delete(&mut session, &subject, out),
        _ => query(&mut session, &subject, given.value("default"), out),
    }
}

/// Rule 5a.6.1.
fn section(given: &Given) -> Result<Section, Problem> {
    let words = given.value("type").into_iter().chain(given.value("lifetime"));
    let mut section = None;
    for word in words {
        section = Some(match word {
            "crm_config" => Section::Options,
            "nodes" | "forever" => Section::Nodes,
            "status" | "reboot" => Section::Status,
            "rsc_defaults" => Section::ResourceDefaults,
            "op_defaults" => Section::OperationDefaults,
            "tickets" => Section::Tickets,
            other => {
                return Err(usage(format!(
                    "Invalid value '{other}': a section (crm_config, nodes, status, rsc_defaults, op_defaults, tickets) or a lifetime (forever, reboot) is needed"
                )));
            }
        });
    }
    Ok(section.unwrap_or_else(|| {
        if given.has("promotion") {
            Section::Status
        } else if given.has("node") || given.has("utilization") {
            Section::Nodes
        } else {
            Section::Options
        }
    }))
}

/// The attribute's name; for a promotion score the resource's name without an instance number (rule 5a.6.5).
fn name(given: &Given) -> Result<Option<String>, Problem> {
    if !given.has("promotion") {
        return Ok(given.value("name").map(str::to_owned));
    }
    let resource = given
        .value("promotion")
        .map(str::to_owned)
        .or_else(|| std::env::var("OCF_RESOURCE_INSTANCE").ok())
        .filter(|resource| !resource.is_empty())
        .ok_or_else(|| {
            usage("-p/--promotion must be called from an OCF resource agent or with a resource ID specified")
        })?;
    let base = match resource.rsplit_once(':') {
        Some((base, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => base,
        _ => &resource,
    };
    Ok(Some(format!("master-{base}")))
}

// ---- where it is

impl Subject {
    fn set_tag(&self) -> &'static str {
        match self.section {
            Section::Options => "cluster_property_set",
            Section::ResourceDefaults | Section::OperationDefaults => "meta_attributes",
            _ if self.utilization => "utilization",
            _ => "instance_attributes",
        }
    }

    /// Path of the sets; none if this is about a node and there is none.
    fn place(&self) -> String {
        let node = literal(self.node.as_deref().unwrap_or_default());
        let place = match self.section {
            Section::Options => "/cib/configuration/crm_config".to_owned(),
            Section::ResourceDefaults => "/cib/configuration/rsc_defaults".to_owned(),
            Section::OperationDefaults => "/cib/configuration/op_defaults".to_owned(),
            Section::Tickets => "/cib/status/tickets".to_owned(),
            Section::Nodes => format!("/cib/configuration/nodes/node[@uname={node} or @id={node}]"),
            Section::Status => {
                format!("/cib/status/node_state[@uname={node} or @id={node}]/transient_attributes")
            }
        };
        let set = self.set.as_ref().map(|id| format!("[@id={}]", literal(id))).unwrap_or_default();
        format!("{place}//{}{set}", self.set_tag())
    }

    fn pairs(&self) -> String {
        let mut path = format!("{}//nvpair", self.place());
        for (attribute, value) in [("id", &self.id), ("name", &self.name)] {
            if let Some(value) = value {
                path.push_str(&format!("[@{attribute}={}]", literal(value)));
            }
        }
        path
    }

    fn found(&self, session: &mut Session) -> Result<Vec<Pair>, Problem> {
        let Some(answer) = target::select(session, &self.pairs(), true)? else { return Ok(Vec::new()) };
        let pattern = match &self.pattern {
            Some(pattern) => {
                Some(cib::pattern::Pattern::expression(pattern).map_err(|error| usage(error.to_string()))?)
            }
            None => None,
        };
        Ok(elements(&answer)
            .into_iter()
            .map(|element| Pair {
                id: element.attr("id").unwrap_or_default().to_owned(),
                name: element.attr("name").unwrap_or_default().to_owned(),
                value: element.attr("value").unwrap_or_default().to_owned(),
            })
            .filter(|pair| pattern.as_ref().is_none_or(|pattern| pattern.matches(&pair.name)))
            .collect())
    }

    /// The node's id, and whether the configuration lists it.
    fn node_id(&self, session: &mut Session) -> Result<(String, bool), Problem> {
        let name = self.node.as_deref().unwrap_or_default();
        target::node_id(session, name)?
            .ok_or_else(|| Problem::new(NO_SUCH, format!("Could not map name={name} to a UUID")))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    id: String,
    name: String,
    value: String,
}

fn failed(code: u8, text: &str) -> Problem {
    Problem::new(code, format!("Error performing operation: {text}"))
}

/// The words that scripts know, and what is not there.
fn not_set(subject: &Subject) -> Problem {
    let name = subject.name.as_deref().or(subject.pattern.as_deref()).unwrap_or("of any name");
    let node = subject.node.as_deref().map(|node| format!(" of {node}")).unwrap_or_default();
    let section = subject.section.name();
    failed(NO_SUCH, &format!("No such device or address: there is no attribute '{name}'{node} in {section}"))
}

// ---- commands

fn query(
    session: &mut Session,
    subject: &Subject,
    default: Option<&str>,
    out: &mut Output,
) -> Result<u8, Problem> {
    let mut pairs = subject.found(session)?;
    if subject.section == Section::Status && session.is_live() {
        correct_from_memory(session, subject, &mut pairs)?;
    }
    if pairs.is_empty() {
        if subject.section.of_node() {
            subject.node_id(session)?;
        }
        let (Some(value), Some(name)) = (default, &subject.name) else {
            return Err(not_set(subject));
        };
        pairs.push(Pair { id: String::new(), name: name.clone(), value: value.to_owned() });
    }
    if pairs.len() > 1 && subject.name.is_some() && subject.pattern.is_none() {
        return ambiguous(&pairs, subject, out);
    }
    for pair in &pairs {
        show(pair, subject, out);
    }
    Ok(0)
}

/// The cluster's memory is ahead of what is written down.
fn correct_from_memory(
    session: &mut Session,
    subject: &Subject,
    pairs: &mut Vec<Pair>,
) -> Result<(), Problem> {
    let Some(name) = &subject.name else { return Ok(()) };
    let asked = AttributeQuery { node: subject.node.clone(), name: Some(name.clone()) };
    // what is private is in memory only, and not shown here
    if let (Ok(known), [pair]) = (session.client()?.attributes(&asked), pairs.as_mut_slice()) {
        if let [one] = known.as_slice() {
            pair.value.clone_from(&one.value);
        }
    }
    Ok(())
}

fn show(pair: &Pair, subject: &Subject, out: &mut Output) {
    let section = subject.section.name();
    if out.quiet {
        out.line(&pair.value);
    } else {
        let id = subject.id.as_ref().map(|id| format!(" id={id}")).unwrap_or_default();
        out.line(format!("scope={section}{id} name={} value={}", pair.name, escaped(&pair.value)));
    }
    let mut attributes = vec![("name", &*pair.name), ("value", &*pair.value), ("scope", section)];
    if subject.id.is_some() {
        attributes.push(("id", &pair.id));
    }
    out.xml.leaf("attribute", &attributes);
}

/// A value on a line with others: markup characters as in XML (rule 5a.6.3).
fn escaped(value: &str) -> String {
    value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\n', "\\n")
}

fn ambiguous(pairs: &[Pair], subject: &Subject, out: &mut Output) -> Result<u8, Problem> {
    out.error(format!("Multiple attributes match name={}", subject.name.as_deref().unwrap_or_default()));
    for pair in pairs {
        out.error(format!("  Value: {} \t(id={})", pair.value, pair.id));
    }
    out.error("Use --attr-id to select one of them");
    Err(failed(109, "Name not unique on network"))
}

fn update(session: &mut Session, subject: &Subject, value: &str, out: &mut Output) -> Result<(), Problem> {
    if subject.section == Section::Status && session.is_live() {
        // the cluster's memory has its own word for "what it was"
        let counted = subject.name.as_ref().and_then(|name| value.strip_prefix(name.as_str()));
        let counted = counted.filter(|rest| *rest == "++" || rest.starts_with("+="));
        let value = counted.map_or_else(|| value.to_owned(), |rest| format!("value{rest}"));
        return update_live(session, subject, Some(&value));
    }
    let name = subject.name.as_deref();
    let pairs = subject.found(session)?;
    if pairs.len() > 1 && subject.pattern.is_none() {
        ambiguous(&pairs, subject, out)?;
    }
    if pairs.is_empty() {
        let name = name.ok_or_else(|| failed(NO_SUCH, "No such device or address"))?;
        return create(session, subject, name, value);
    }
    for pair in pairs {
        modify_pair(session, &pair.id, &pair.name, value)?;
    }
    Ok(())
}

fn update_live(session: &mut Session, subject: &Subject, value: Option<&str>) -> Result<(), Problem> {
    let change = AttributeChange {
        node: subject.node.clone(),
        name: subject.pattern.clone().or_else(|| subject.name.clone()).unwrap_or_default(),
        value: value.map(str::to_owned),
        pattern: subject.pattern.is_some(),
        set: subject.set.clone(),
        utilization: subject.utilization,
        ..AttributeChange::default()
    };
    session.client()?.change_attribute(&change).map_err(|error| {
        let problem = Problem::from(error);
        let node = subject.node.as_deref().unwrap_or_default();
        if problem.code == NO_SUCH {
            return Problem::new(NO_SUCH, format!("Could not map name={node} to a UUID ({problem})"));
        }
        problem
    })?;
    Ok(())
}

fn modify_pair(session: &mut Session, id: &str, name: &str, value: &str) -> Result<(), Problem> {
    let mut change = CibChange::new(CibOperation::Modify);
    let mut pair = Document::new("nvpair");
    let root = pair.root();
    pair.set_attribute(root, "id", id);
    pair.set_attribute(root, "value", value);
    change.xpath = Some(format!("//nvpair[@id={}]", literal(id)));
    change.xml = Some(pair.to_string());
    send(session, change, name, value)
}

/// Rule 5a.6.2: the usual set, made if it is missing.
fn create(session: &mut Session, subject: &Subject, name: &str, value: &str) -> Result<(), Problem> {
    let mut document =
        Document::new(if subject.section == Section::Status { "node_state" } else { subject.section.name() });
    let root = document.root();
    let mut usual_set = String::new();
    let mut place = root;
    match subject.section {
        Section::Options => usual_set.push_str("cib-bootstrap-options"),
        Section::ResourceDefaults => usual_set.push_str("rsc-options"),
        Section::OperationDefaults => usual_set.push_str("op-options"),
        Section::Tickets => usual_set.push_str("status-tickets"),
        Section::Nodes => {
            let (id, is_listed) = subject.node_id(session)?;
            place = document.append_element(root, "node");
            if !is_listed {
                document.set_attribute(place, "type", "remote");
            }
            document.set_attribute(place, "id", &id);
            if !is_listed {
                document.set_attribute(place, "uname", subject.node.as_deref().unwrap_or(&id));
            }
            let suffix = if subject.utilization { "-utilization" } else { "" };
            usual_set = format!("nodes-{id}{suffix}");
        }
        Section::Status => {
            let (id, _) = subject.node_id(session)?;
            let state = format!("/cib/status/node_state[@id={}]", literal(&id));
            if target::select(session, &state, true)?.is_none() {
                return Err(failed(NO_SUCH, "No such device or address"));
            }
            document.set_attribute(root, "id", &id);
            place = document.append_element(root, "transient_attributes");
            document.set_attribute(place, "id", &id);
            usual_set = format!("status-{id}");
        }
    }
    let set_id = subject.set.clone().unwrap_or(usual_set);
    let set = document.append_element(place, subject.set_tag());
    document.set_attribute(set, "id", &set_id);
    let pair = document.append_element(set, "nvpair");
    let id = subject.id.clone().unwrap_or_else(|| clean_id(&format!("{set_id}-{name}")));
    document.set_attribute(pair, "id", &id);
    document.set_attribute(pair, "name", name);
    document.set_attribute(pair, "value", value);
    let mut change = CibChange::new(CibOperation::Modify);
    change.allow_create = true;
    let section = if subject.section == Section::Tickets { "status" } else { subject.section.name() };
    change.section = Some(section.to_owned());
    change.xml = Some(document.to_string());
    send(session, change, name, value)
}

fn send(session: &mut Session, mut change: CibChange, name: &str, value: &str) -> Result<(), Problem> {
    change.score_arithmetic = true;
    change.client = "crm_attribute".to_owned();
    session
        .change_and_tell(&change)
        .map_err(|problem| Problem::new(problem.code, format!("Error setting {name}={value}: {problem}")))
}

fn delete(session: &mut Session, subject: &Subject, out: &mut Output) -> Result<u8, Problem> {
    if subject.section == Section::Status && session.is_live() {
        update_live(session, subject, None)?;
        return Ok(0);
    }
    let pairs = subject.found(session)?;
    if pairs.len() > 1 && subject.pattern.is_none() {
        return ambiguous(&pairs, subject, out);
    }
    if pairs.is_empty() && subject.section.of_node() {
        subject.node_id(session)?;
    }
    for pair in pairs {
        let mut change = CibChange::new(CibOperation::Delete);
        change.xpath = Some(format!("{}//nvpair[@id={}]", subject.place(), literal(&pair.id)));
        change.client = "crm_attribute".to_owned();
        session.change_and_tell(&change)?;
        out.info(format!("Deleted {} attribute: id={} name={}", subject.section.name(), pair.id, pair.name));
    }
    Ok(0)
}
