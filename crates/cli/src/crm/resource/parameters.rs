//! Parameters, meta-attributes, utilization and element attributes (rule 5a.5.4).

use view::api::{CibChange, CibOperation};
use xml::{Document, NodeId};

use super::Call;
use crate::configuration::Configuration;
use crate::crm::output::Output;
use crate::crm::target::clean_id;
use crate::crm::usage;
use crate::outlook::Outlook;
use crate::session::Problem;

/// Which set of a resource is meant.
fn tag(call: &Call<'_>) -> &'static str {
    if call.given.has("meta") {
        "meta_attributes"
    } else if call.given.has("utilization") {
        "utilization"
    } else {
        "instance_attributes"
    }
}

/// Names and values of a resource's sets, the template's first.
pub fn values(call: &Call<'_>, id: &str, tag: &str) -> Vec<(String, String)> {
    let base = id.split_once(':').map_or(id, |(base, _)| base);
    let element = call.element(id).or_else(|| call.element(base));
    let template = element.and_then(|element| call.element(element.attr("template")?));
    let mut found: Vec<(String, String)> = Vec::new();
    for element in template.into_iter().chain(element) {
        for pair in element.children_named(tag).flat_map(|set| set.children().collect::<Vec<_>>()) {
            if let (Some(name), Some(value)) = (pair.attr("name"), pair.attr("value")) {
                found.retain(|(known, _)| known != name);
                found.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    found
}

/// Rule 5a.5.2, `-g`.
pub fn get(call: &Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let id = call.resource()?;
    let name = call.given.value("get-parameter").unwrap_or_default();
    let nodes: usize = call.parts(id).iter().map(|part| part.nodes.len()).sum();
    if nodes > 1 && tag(call) == "instance_attributes" {
        out.error(format!("{id} is active on more than one node, returning the default value for {name}"));
    }
    let value = if call.given.has("element") {
        call.element(id).and_then(|element| element.attr(name)).map(str::to_owned)
    } else {
        let is_meta = tag(call) == "meta_attributes";
        let effective = (tag(call) != "utilization")
            .then(|| Outlook::effective(&call.document, id, is_meta, name))
            .flatten();
        let configured = || values(call, id, tag(call)).into_iter().find(|(known, _)| known == name);
        effective.or_else(|| configured().map(|(_, value)| value))
    };
    let Some(value) = value else {
        out.error(format!("Attribute '{name}' not found for '{id}'"));
        return Ok(0);
    };
    out.line(&value);
    out.xml.open("list", &[("name", "attributes"), ("count", "1")]);
    out.xml.text("item", &[("name", name)], &value);
    out.xml.close();
    Ok(0)
}

/// What a change did, to be told once it is made.
struct Changed {
    lines: Vec<String>,
    errors: Vec<String>,
    /// Resource, its tag, set tag, set id, nvpair id, value.
    set: Vec<[String; 6]>,
    code: u8,
}

pub fn set(call: &mut Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let id = call.changed_resource()?.to_owned();
    let name = call.given.value("set-parameter").unwrap_or_default().to_owned();
    let Some(value) = call.given.value("parameter-value").map(str::to_owned) else {
        return Err(usage("You need to supply a value with the -v option"));
    };
    change(call, &id, &name, Some(&value), out)
}

pub fn delete(call: &mut Call<'_>, out: &mut Output) -> Result<u8, Problem> {
    let id = call.changed_resource()?.to_owned();
    let name = call.given.value("delete-parameter").unwrap_or_default().to_owned();
    change(call, &id, &name, None, out)
}

fn change(
    call: &mut Call<'_>,
    id: &str,
    name: &str,
    value: Option<&str>,
    out: &mut Output,
) -> Result<u8, Problem> {
    let request = Request {
        name,
        value,
        tag: tag(call),
        set: call.given.value("set-name"),
        pair: call.given.value("nvpair"),
        element: call.given.has("element"),
        force: call.given.has("force"),
        recursive: call.given.has("recursive"),
    };
    let changed = call.session.edit("crm_resource", |configuration| request.apply(configuration, id))?;
    for line in changed.lines {
        out.info(line);
    }
    for error in changed.errors {
        out.error(error);
    }
    if !changed.set.is_empty() {
        out.xml.open("resource-settings", &[]);
        for [resource, kind, set_tag, set_id, pair_id, value] in &changed.set {
            out.xml.open(kind, &[("id", resource)]);
            out.xml.open(set_tag, &[("id", set_id)]);
            out.xml.leaf("nvpair", &[("id", pair_id), ("value", value), ("name", name)]);
            out.xml.close();
            out.xml.close();
        }
        out.xml.close();
    }
    Ok(changed.code)
}

struct Request<'r> {
    name: &'r str,
    /// None deletes.
    value: Option<&'r str>,
    tag: &'static str,
    set: Option<&'r str>,
    pair: Option<&'r str>,
    element: bool,
    force: bool,
    recursive: bool,
}

impl Request<'_> {
    fn apply(&self, configuration: &mut Configuration, id: &str) -> Result<Changed, Problem> {
        let mut changed = Changed { lines: Vec::new(), errors: Vec::new(), set: Vec::new(), code: 0 };
        let missing = || Problem::new(105, format!("Resource '{id}' is not configured"));
        let resource = resource_or_template(configuration, id).ok_or_else(missing)?;
        if self.element {
            self.change_element(configuration, resource, &mut changed);
            return Ok(changed);
        }
        let target = self.right_place(configuration, resource, &mut changed);
        let mut targets = vec![target];
        if self.tag == "meta_attributes" && !self.force && configuration.name(target) == "group" {
            let members = configuration.children(target);
            let set_there = |member: &NodeId| !self.pairs(&configuration.document, *member, true).is_empty();
            targets.extend(members.into_iter().filter(set_there));
        }
        if self.recursive {
            dependents(configuration, &mut targets);
        }
        for target in targets {
            self.change_pair(configuration, target, &mut changed)?;
        }
        Ok(changed)
    }

    fn change_element(&self, configuration: &mut Configuration, resource: NodeId, changed: &mut Changed) {
        match self.value {
            Some(value) => {
                configuration.document.set_attribute(resource, self.name, value);
                changed.lines.push(format!("Set attribute: name={} value={value}", self.name));
            }
            None => {
                configuration.document.remove_attribute(resource, self.name);
                changed.lines.push(format!("Deleted attribute: {}", self.name));
            }
        }
    }

    /// A meta-attribute belongs to the clone, unless the cloned resource has it already.
    fn right_place(&self, configuration: &Configuration, resource: NodeId, changed: &mut Changed) -> NodeId {
        if self.tag != "meta_attributes" || self.force {
            return resource;
        }
        let verb = if self.value.is_some() { "update" } else { "delete" };
        let document = &configuration.document;
        let id = configuration.id(resource);
        let has = |element: NodeId| !self.pairs(document, element, false).is_empty();
        if is_clone(configuration.name(resource)) {
            let child = configuration
                .children(resource)
                .into_iter()
                .find(|child| matches!(configuration.name(*child), "primitive" | "group"));
            if let Some(child) = child.filter(|child| has(*child) && !has(resource)) {
                changed.lines.push(format!(
                    "A value for '{}' already exists in child '{}', performing {verb} on that instead of '{id}'",
                    self.name,
                    configuration.id(child)
                ));
                return child;
            }
            return resource;
        }
        let parent = document.parent(resource).filter(|parent| is_clone(document.name(*parent)));
        match parent.filter(|_| configuration.name(resource) == "primitive" && !has(resource)) {
            Some(clone) => {
                changed.lines.push(format!(
                    "Performing {verb} of '{}' on '{}', the parent of '{id}'",
                    self.name,
                    configuration.id(clone)
                ));
                clone
            }
            None => resource,
        }
    }

    /// The pairs that are meant; those of all sets with `everywhere`.
    fn pairs(&self, document: &Document, resource: NodeId, everywhere: bool) -> Vec<NodeId> {
        let is = |element: NodeId, name: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| document.attribute(element, name) == Some(wanted))
        };
        document
            .children(resource)
            .filter(|set| document.name(*set) == self.tag && (everywhere || is(*set, "id", self.set)))
            .flat_map(|set| document.children(set).collect::<Vec<_>>())
            .filter(|pair| document.name(*pair) == "nvpair" && is(*pair, "name", Some(self.name)))
            .filter(|pair| everywhere || is(*pair, "id", self.pair))
            .collect()
    }

    fn change_pair(
        &self,
        configuration: &mut Configuration,
        target: NodeId,
        changed: &mut Changed,
    ) -> Result<(), Problem> {
        let id = configuration.id(target).to_owned();
        let pairs = self.pairs(&configuration.document, target, false);
        if pairs.len() > 1 {
            changed.errors.push(format!("Multiple attributes match name={}", self.name));
            for pair in &pairs {
                let (value, id) = (configuration.attribute(*pair, "value"), configuration.id(*pair));
                changed.errors.push(format!("  Value: {value} \t(id={id})"));
            }
            changed.errors.push(String::new());
            changed.code = 109;
            return Ok(());
        }
        match (pairs.first().copied(), self.value) {
            (Some(pair), Some(value)) => {
                configuration.document.set_attribute(pair, "value", value);
                let pair_id = configuration.id(pair).to_owned();
                changed
                    .lines
                    .push(format!("Set '{id}' option: id={pair_id} name={} value={value}", self.name));
                self.note(configuration, target, pair, value, changed);
            }
            (None, Some(value)) => {
                let suffix = if self.tag == "utilization" { "utilization" } else { self.tag };
                let existing =
                    configuration.child(target, self.tag).map(|set| configuration.id(set).to_owned());
                let set_id = match (self.set, existing) {
                    (Some(set), _) => set.to_owned(),
                    (None, Some(existing)) if !existing.is_empty() => existing,
                    _ => format!("{id}-{suffix}"),
                };
                let set = configuration.set_or_new(target, self.tag, &set_id);
                let pair = configuration.document.append_element(set, "nvpair");
                let wanted =
                    self.pair.map_or_else(|| clean_id(&format!("{set_id}-{}", self.name)), str::to_owned);
                for (attribute, text) in [("id", &*wanted), ("name", self.name), ("value", value)] {
                    configuration.document.set_attribute(pair, attribute, text);
                }
                changed.lines.push(format!(
                    "Set '{id}' option: id={wanted} set={set_id} name={} value={value}",
                    self.name
                ));
                self.note(configuration, target, pair, value, changed);
            }
            (Some(pair), None) => {
                let pair_id = configuration.id(pair).to_owned();
                configuration.document.remove(pair);
                changed.lines.push(format!("Deleted '{id}' option: id={pair_id} name={}", self.name));
            }
            (None, None) => {
                return Err(Problem::new(
                    105,
                    format!(
                        "Error performing operation: No such device or address ('{id}' has no {})",
                        self.name
                    ),
                ));
            }
        }
        Ok(())
    }

    fn note(
        &self,
        configuration: &Configuration,
        target: NodeId,
        pair: NodeId,
        value: &str,
        changed: &mut Changed,
    ) {
        let set = configuration.document.parent(pair).map(|set| configuration.id(set)).unwrap_or_default();
        let texts = [
            configuration.id(target),
            configuration.name(target),
            self.tag,
            set,
            configuration.id(pair),
            value,
        ];
        changed.set.push(texts.map(str::to_owned));
    }
}

fn is_clone(tag: &str) -> bool {
    matches!(tag, "clone" | "master")
}

fn resource_or_template(configuration: &Configuration, id: &str) -> Option<NodeId> {
    configuration
        .resource(id)
        .or_else(|| configuration.by_id(id).filter(|element| configuration.name(*element) == "template"))
}

/// Adds the resources that must be where the first ones are.
fn dependents(configuration: &Configuration, targets: &mut Vec<NodeId>) {
    let Some(constraints) = configuration.section("constraints") else { return };
    let mut next = 0;
    while next < targets.len() {
        let id = configuration.id(targets[next]).to_owned();
        for constraint in configuration.children(constraints) {
            let with = configuration.attribute(constraint, "with-rsc") == id;
            let negative = configuration.attribute(constraint, "score").starts_with('-');
            if configuration.name(constraint) != "rsc_colocation" || !with || negative {
                continue;
            }
            let dependent = configuration.resource(configuration.attribute(constraint, "rsc"));
            if let Some(dependent) = dependent.filter(|dependent| !targets.contains(dependent)) {
                targets.push(dependent);
            }
        }
        next += 1;
    }
}

/// `-D -t TYPE`.
pub fn delete_resource(call: &mut Call<'_>) -> Result<u8, Problem> {
    let id = call.resource()?;
    let kind = call
        .given
        .value("resource-type")
        .ok_or_else(|| usage("You need to specify a resource type with -t/--resource-type"))?;
    let known = ["primitive", "group", "clone", "master", "bundle", "template"];
    if !known.contains(&kind) {
        return Err(usage(format!("Invalid value '{kind}' for -t: one of {} is needed", known.join(", "))));
    }
    let mut document = Document::new(kind);
    let root = document.root();
    document.set_attribute(root, "id", id);
    let mut change = CibChange::new(CibOperation::Delete);
    change.section = Some("resources".to_owned());
    change.xml = Some(document.to_string());
    change.client = "crm_resource".to_owned();
    call.session.change_and_tell(&change)?;
    Ok(0)
}
