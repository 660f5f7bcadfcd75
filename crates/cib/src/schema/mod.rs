//! Validity of the CIB against the schema it declares (rules 5c.2 to 5c.4): which elements and attributes
//! there are, where, how often, with what values; unique ids; references that lead somewhere.
//!
//! The schema is data ([`table`]); this walks a document along it. What names and values *mean* is checked
//! elsewhere ([`crate::verify`]). Findings say what was probably meant.

mod forms;
mod relax_ng;
mod table;

#[cfg(test)]
mod tests;

use std::fmt;

use rustc_hash::{FxHashMap, FxHashSet};
use xml::{Document, Element, NodeId};

use crate::notice::Severity;
use crate::options::closest;
use crate::upgrade;
pub use relax_ng::relax_ng;
use table::{Attribute, Count, Kind, Number};

/// One thing wrong, or probably not meant, with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Errors make the document invalid; warnings are legal but surely not meant.
    pub severity: Severity,
    /// Place in the text that was parsed, from 1; 0 if the element was made by a program.
    pub line: u32,
    pub column: u32,
    /// Path of the element, as patch sets write it.
    pub path: String,
    pub message: String,
}

/// Place and message, without the severity.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        write!(f, "{} ({})", self.message, self.path)
    }
}

/// More errors than this help nobody.
const MAX_FINDINGS: usize = 200;

/// A like name is looked for among all ids, so only the first findings get one.
const MAX_HINTS: usize = 20;

/// All findings in document order; none for a document that declares `none`. Only the first couple of hundred
/// are told.
pub fn validate(document: &Document) -> Vec<Finding> {
    let root = document.root_element();
    let mut validator = Validator::new(document);
    if root.name() != "cib" {
        let message = format!("Input is not a CIB (outermost element is {} not cib)", root.name());
        validator.error(root, message);
        return validator.findings;
    }
    match upgrade::declared_schema(document) {
        Ok(upgrade::NO_SCHEMA) => {
            let message =
                "Support for validate-with='none' is deprecated and will be removed; nothing is checked";
            validator.warn(root, message);
            return validator.findings;
        }
        Ok(schema) => validator.schema = number(schema),
        Err(error) => {
            let name = root.attr("validate-with").unwrap_or("");
            let hint = meant(closest(upgrade::SCHEMAS, name));
            validator.error(root, format!("{error}{hint}"));
            return validator.findings;
        }
    }
    if let Some(configuration) = root.child("configuration") {
        validator.collect_ids(configuration);
    }
    validator.element(root);
    validator.findings
}

/// `pacemaker-3.10` as (3, 10).
fn number(schema: &str) -> Number {
    let digits = schema.strip_prefix("pacemaker-").and_then(|digits| digits.split_once('.'));
    let parsed = digits.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.unwrap_or((u8::MAX, 0))
}

fn meant(candidate: Option<&str>) -> String {
    candidate.map_or_else(String::new, |candidate| format!("; did you mean '{candidate}'?"))
}

struct Validator<'a> {
    document: &'a Document,
    schema: Number,
    /// Every ID with its first element.
    ids: FxHashMap<&'a str, NodeId>,
    /// Elements whose ID another one before has.
    redefined: FxHashSet<NodeId>,
    findings: Vec<Finding>,
}

impl<'a> Validator<'a> {
    fn new(document: &'a Document) -> Self {
        let ids = FxHashMap::default();
        Validator {
            document,
            schema: (u8::MAX, 0),
            ids,
            redefined: FxHashSet::default(),
            findings: Vec::new(),
        }
    }

    fn error(&mut self, element: Element<'a>, message: impl Into<String>) {
        self.find(Severity::Error, element, message.into());
    }

    fn warn(&mut self, element: Element<'a>, message: impl Into<String>) {
        self.find(Severity::Warning, element, message.into());
    }

    fn find(&mut self, severity: Severity, element: Element<'a>, message: String) {
        if self.findings.len() < MAX_FINDINGS {
            let path = xml::diff::path_of(self.document, element.id);
            self.findings.push(Finding {
                severity,
                line: element.line(),
                column: element.column(),
                path,
                message,
            });
        }
    }

    fn collect_ids(&mut self, configuration: Element<'a>) {
        for element in configuration.descendants() {
            let Some(id) = element.attr("id") else { continue };
            let row = table::element(element.name());
            let is_id = row.is_some_and(|row| {
                row.attributes.iter().any(|attribute| attribute.name == "id" && attribute.kind == Kind::Id)
            });
            if !is_id {
                continue;
            }
            if self.ids.contains_key(id) {
                self.redefined.insert(element.id);
            } else {
                self.ids.insert(id, element.id);
            }
        }
    }

    fn element(&mut self, element: Element<'a>) {
        let Some(row) = table::element(element.name()) else { return };
        if row.open {
            return;
        }
        self.attributes(element, row.attributes);
        self.children(element, row);
        if let Some(form) = row.form {
            form(self, element);
        }
        for child in element.children() {
            if row.children.iter().any(|known| known.name == child.name()) {
                self.element(child);
            }
        }
    }

    // ---- attributes

    fn attributes(&mut self, element: Element<'a>, known: &'static [Attribute]) {
        for (name, value) in element.attributes() {
            let rows = || known.iter().filter(|attribute| attribute.name == name);
            let fits = |row: &&Attribute| (row.since..=row.until).contains(&self.schema);
            match rows().find(fits).or_else(|| rows().next()) {
                Some(attribute) => {
                    self.age(element, &format!("attribute {name}"), attribute.since, attribute.until);
                    self.value(element, attribute, value);
                }
                None => {
                    let hint = meant(closest(known.iter().map(|attribute| attribute.name), name));
                    self.error(element, format!("{} has no attribute '{name}'{hint}", element.name()));
                }
            }
        }
        for attribute in known.iter().filter(|attribute| attribute.required) {
            let applies = (attribute.since..=attribute.until).contains(&self.schema);
            if applies && element.attr(attribute.name).is_none() {
                self.error(element, format!("{} needs an attribute '{}'", element.name(), attribute.name));
            }
        }
    }

    fn value(&mut self, element: Element<'a>, attribute: &Attribute, value: &'a str) {
        let name = attribute.name;
        let expected = match attribute.kind {
            Kind::Text => return,
            Kind::Id => return self.id(element, value),
            Kind::Reference => return self.reference(element, name, value),
            Kind::Boolean if matches!(value.trim(), "true" | "false" | "1" | "0") => return,
            Kind::Boolean => "true or false".to_owned(),
            Kind::Integer if value.trim().parse::<i64>().is_ok() => return,
            Kind::Integer => "a whole number".to_owned(),
            Kind::NonNegative if value.trim().parse::<u64>().is_ok() => return,
            Kind::NonNegative => "a whole number from 0".to_owned(),
            Kind::Positive if value.trim().parse::<u64>().is_ok_and(|number| number > 0) => return,
            Kind::Positive => "a whole number from 1".to_owned(),
            Kind::Score if is_score(value.trim()) => {
                return self.score_size(element, name, value);
            }
            Kind::Score => "a whole number, INFINITY or -INFINITY".to_owned(),
            Kind::Words(words) if words.contains(&value) => return,
            Kind::Words(words) => {
                let hint = meant(closest(words.iter().copied(), value));
                format!("one of {}{hint}", words.join(", "))
            }
            Kind::PortRange if is_port_range(value) => return,
            Kind::PortRange => "a port or two ports with '-' between".to_owned(),
            Kind::Devices if are_devices(value) => return,
            Kind::Devices => "ids of fence devices with commas between".to_owned(),
        };
        let message = format!("{} has {name}='{value}', which should be {expected}", element.name());
        self.error(element, message);
    }

    fn score_size(&mut self, element: Element<'a>, name: &str, value: &str) {
        if let Some(message) = out_of_range(element.name(), name, value) {
            self.warn(element, message);
        }
    }

    fn id(&mut self, element: Element<'a>, id: &str) {
        if self.redefined.contains(&element.id) {
            let first = self.ids.get(id).map_or(0, |first| self.document.line(*first));
            let place = if first > 0 { format!(" (first in line {first})") } else { String::new() };
            self.error(element, format!("ID {id} redefined{place}"));
        }
        if !is_xml_name(id) {
            let message = format!(
                "'{id}' is no valid id of {}: it must begin with a letter or '_' and may hold letters, digits, \
                 '.', '-', '_' and ':'",
                element.name()
            );
            self.error(element, message);
        }
    }

    fn reference(&mut self, element: Element<'a>, name: &str, target: &str) {
        if self.ids.contains_key(target) {
            return;
        }
        if self.findings.len() >= MAX_FINDINGS {
            return;
        }
        let hint =
            if self.findings.len() < MAX_HINTS { meant(self.similar_id(target)) } else { String::new() };
        self.error(element, format!("IDREF attribute {name} references an unknown ID \"{target}\"{hint}"));
    }

    /// Ids of top-level things that constraints may name, closest to `target`.
    fn similar_id(&self, target: &str) -> Option<&'a str> {
        const NAMED: [&str; 8] =
            ["primitive", "group", "clone", "master", "bundle", "template", "tag", "acl_role"];
        if target.chars().count() < 3 {
            return None;
        }
        let document = self.document;
        let candidates = self.ids.iter().filter(|(_, node)| NAMED.contains(&document.name(**node)));
        // sorted, so that equal documents get equal findings
        let mut names: Vec<&'a str> = candidates.map(|(id, _)| *id).collect();
        names.sort_unstable();
        closest(names, target)
    }

    // ---- children

    fn children(&mut self, element: Element<'a>, row: &'static table::Element) {
        let known = row.children;
        let mut counts = vec![0usize; known.len()];
        let mut latest = 0;
        for child in element.children() {
            match known.iter().position(|row| row.name == child.name()) {
                Some(index) => {
                    counts[index] += 1;
                    if index < latest && self.schema <= row.ordered_until {
                        let message = format!(
                            "{} must stand before {} in {}",
                            child.name(),
                            known[latest].name,
                            element.name()
                        );
                        self.error(child, message);
                    }
                    latest = latest.max(index);
                    self.age(
                        child,
                        &format!("element {}", child.name()),
                        known[index].since,
                        known[index].until,
                    );
                    if counts[index] == 2 && matches!(known[index].count, Count::One | Count::Optional) {
                        let message = format!("{} may hold only one {}", element.name(), child.name());
                        self.error(child, message);
                    }
                }
                None => {
                    let hint = meant(closest(known.iter().map(|row| row.name), child.name()));
                    let message =
                        format!("element {} cannot stand in {}{hint}", child.name(), element.name());
                    self.error(child, message);
                }
            }
        }
        for (row, count) in known.iter().zip(counts) {
            if count == 0 && matches!(row.count, Count::One | Count::Some) {
                self.error(element, format!("{} needs an element {}", element.name(), row.name));
            }
        }
        if !element.text().trim().is_empty() {
            self.error(element, format!("{} cannot hold text", element.name()));
        }
    }

    fn age(&mut self, element: Element<'a>, what: &str, since: Number, until: Number) {
        let declared = self.schema;
        if declared < since {
            let message = format!(
                "{what} needs schema pacemaker-{}.{}, but the document declares pacemaker-{}.{}; upgrade it first \
                 (cibadmin --upgrade --force)",
                since.0, since.1, declared.0, declared.1
            );
            self.error(element, message);
        } else if declared > until {
            let message = format!("{what} is no longer allowed since schema pacemaker-{}.0", until.0 + 1);
            self.error(element, message);
        }
    }
}

fn is_xml_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '\u{b7}'))
}

/// Stricter than what reads scores: `12x` is 12 there, and no score in any schema.
fn is_score(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number || matches!(text, "INFINITY" | "+INFINITY" | "-INFINITY")
}

fn is_port_range(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

fn are_devices(text: &str) -> bool {
    text.split(',').all(|device| {
        !device.is_empty()
            && device.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    })
}

/// What to say of a score beyond INFINITY.
fn out_of_range(element: &str, name: &str, value: &str) -> Option<String> {
    let number = value.trim().parse::<i64>().ok()?;
    let beyond = number.unsigned_abs() > 1_000_000;
    beyond.then(|| format!("{element} has {name}='{value}'; scores end at 1000000, which is INFINITY"))
}

/// Scores of constraints that are beyond INFINITY, with their lines.
pub fn scores_out_of_range(document: &Document) -> Vec<(String, u32)> {
    let configuration = document.child(document.root(), "configuration");
    let constraints = configuration.and_then(|it| document.child(it, "constraints"));
    let elements = constraints.into_iter().flat_map(|constraints| document.descendants(constraints));
    let found = elements.filter_map(|id| {
        let text = out_of_range(document.name(id), "score", document.attribute(id, "score")?)?;
        Some((text, document.line(id)))
    });
    found.collect()
}
