//! The changes themselves, on the tree (rule 5c.9.1). Nothing here knows versions, access or schemas; who
//! calls has a copy to go back to.

use xml::{Document, NodeId, NodeKind};

use crate::acl::{self, User};
use crate::operation::{Place, Prepared, path};
use crate::patchset;
use crate::refusal::{Refusal, RefusalCode};
use crate::upgrade;
use crate::value::Score;
use crate::version::{VERSION_ATTRIBUTES, Version};

/// Which parts of the document a request has really changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    pub configuration: bool,
    pub status: bool,
    /// Attributes of the root that the schema has a say in: checked, but no new epoch (rule 4.23.2).
    pub root: bool,
    /// One of the version attributes was set, or one by which the coordinator tells the partition's state.
    pub version: bool,
}

impl Touched {
    pub fn any(self) -> bool {
        self.configuration || self.status || self.root || self.version
    }

    /// Takes in what another part of the request has changed.
    fn add(&mut self, other: Touched) {
        self.configuration |= other.configuration;
        self.status |= other.status;
        self.root |= other.root;
        self.version |= other.version;
    }

    /// Notes a change at or below `node`.
    fn note(&mut self, document: &Document, node: NodeId) {
        let in_status = std::iter::once(node)
            .chain(document.ancestors(node))
            .any(|above| document.name(above) == "status" && document.parent(above) == Some(document.root()));
        if in_status {
            self.status = true;
        } else {
            self.configuration = true;
        }
    }
}

/// Attributes of the root by which the coordinator tells the state of the partition.
const KEPT_BY_COORDINATOR: [&str; 2] = ["have-quorum", "dc-uuid"];

/// Whether an attribute of the root is for the schema to check.
pub(crate) fn is_checked(name: &str) -> bool {
    !VERSION_ATTRIBUTES.contains(&name) && !KEPT_BY_COORDINATOR.contains(&name)
}

/// Elements nested deeper than this are refused: no schema needs it, and tools walk documents recursively.
const MAX_DEPTH: usize = 250;

/// Carries out one prepared operation.
pub(crate) fn perform(
    document: &mut Document,
    operation: &Prepared,
    restricted: Option<&User>,
) -> Result<Touched, Refusal> {
    let mut edit = Edit { document, touched: Touched::default(), restricted };
    edit.perform(operation)?;
    Ok(edit.touched)
}

struct Edit<'d> {
    document: &'d mut Document,
    touched: Touched,
    /// A user that may not see everything.
    restricted: Option<&'d User>,
}

impl Edit<'_> {
    fn perform(&mut self, operation: &Prepared) -> Result<(), Refusal> {
        match operation {
            Prepared::Create { place, xml } => self.create(place, xml),
            Prepared::Modify { place, xml, allow_create } => self.modify(place, xml, *allow_create),
            Prepared::Replace { place, xml } => match self.restricted {
                None => self.replace(place, xml),
                Some(user) => {
                    let before = self.document.clone();
                    self.replace(place, xml)?;
                    acl::restore_hidden(&before, self.document, user);
                    Ok(())
                }
            },
            Prepared::Delete { scope, xml } => self.delete(scope.as_deref(), xml),
            Prepared::DeleteXpath { xpath, all, .. } => self.delete_matches(xpath, *all),
            Prepared::Erase => self.erase(),
            Prepared::Bump => Ok(()),
            Prepared::Upgrade => self.upgrade(),
            Prepared::Patch(patch) => {
                self.touched.add(patchset::apply_to(patch, self.document)?);
                Ok(())
            }
            Prepared::Transaction(parts) => parts.iter().try_for_each(|part| self.perform(part)),
        }
    }

    // ---- create

    fn create(&mut self, place: &Place, xml: &Document) -> Result<(), Refusal> {
        let given = xml.root();
        match place {
            Place::Matches(xpath) => {
                let parent = self.first_match(xpath)?;
                self.create_below(parent, xml, given)
            }
            Place::Section(section) => {
                let parent = self.section_to_fill(section);
                self.create_in_section(parent, section, xml)
            }
            Place::Everywhere if matches!(xml.name(given), "cib" | "configuration") => {
                self.modify(place, xml, true)
            }
            Place::Everywhere => match home_section(xml.name(given)) {
                Some(section) => {
                    let parent = self.section_to_fill(section);
                    self.create_in_section(parent, section, xml)
                }
                None => self.create_below(self.document.root(), xml, given),
            },
        }
    }

    fn create_in_section(&mut self, parent: NodeId, section: &str, xml: &Document) -> Result<(), Refusal> {
        let given = xml.root();
        if xml.name(given) != section {
            return self.create_below(parent, xml, given);
        }
        let children: Vec<NodeId> = xml.children(given).collect();
        children.into_iter().try_for_each(|child| self.create_below(parent, xml, child))
    }

    fn create_below(&mut self, parent: NodeId, xml: &Document, given: NodeId) -> Result<(), Refusal> {
        if let Some(existing) = self.twin(parent, xml, given, 0) {
            let message = match xml.attribute(given, "id") {
                Some(id) => format!("{} '{id}' exists already", xml.name(given)),
                None => format!("{} exists already", xml.name(given)),
            };
            let place = path(self.document, existing);
            return Err(Refusal::new(RefusalCode::Exists, message)
                .at(xml.line(given), xml.column(given))
                .at_path(place));
        }
        self.add(parent, xml, given)
    }

    fn add(&mut self, parent: NodeId, xml: &Document, given: NodeId) -> Result<(), Refusal> {
        self.check_depth(parent, xml, given)?;
        let new = self.document.import(parent, None, xml, given);
        self.touched.note(self.document, new);
        Ok(())
    }

    fn check_depth(&self, parent: NodeId, xml: &Document, given: NodeId) -> Result<(), Refusal> {
        let above = self.document.ancestors(parent).count() + 1;
        let given_depth = xml.ancestors(given).count();
        let below =
            xml.subtree(given).map(|node| xml.ancestors(node).count() - given_depth).max().unwrap_or(0);
        if above + below < MAX_DEPTH {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalCode::Invalid,
            format!("elements would be nested more than {MAX_DEPTH} deep"),
        ))
    }

    /// The section element, added if the document has none yet.
    fn section_to_fill(&mut self, section: &str) -> NodeId {
        if let Some(found) = find_section(self.document, section) {
            return found;
        }
        let root = self.document.root();
        let parent = match section {
            "configuration" | "status" => root,
            _ => self
                .document
                .child(root, "configuration")
                .unwrap_or_else(|| self.document.insert_element(root, 0, "configuration")),
        };
        let new = self.document.append_element(parent, section);
        self.touched.note(self.document, new);
        new
    }

    // ---- modify

    fn modify(&mut self, place: &Place, xml: &Document, allow_create: bool) -> Result<(), Refusal> {
        let given = xml.root();
        let top = match place {
            Place::Matches(xpath) => self.first_match(xpath)?,
            Place::Section(section) if allow_create => self.section_to_fill(section),
            Place::Section(section) => {
                find_section(self.document, section).ok_or_else(|| no_section(section))?
            }
            Place::Everywhere => self.document.root(),
        };
        if let Some(target) = self.find_like(top, xml, given) {
            return self.merge(target, xml, given);
        }
        if !allow_create {
            return Err(not_there(xml, given));
        }
        let parent = match (place, home_section(xml.name(given))) {
            (Place::Everywhere, Some(section)) => self.section_to_fill(section),
            (Place::Everywhere, None) => match xml.name(given) {
                "cib" => return Err(not_there(xml, given)),
                "configuration" | "status" => self.document.root(),
                name if crate::operation::SECTIONS.contains(&name) => self.section_to_fill("configuration"),
                _ => top,
            },
            _ => top,
        };
        self.add(parent, xml, given)
    }

    /// First element at or below `top` with the name and id of the given one.
    fn find_like(&self, top: NodeId, xml: &Document, given: NodeId) -> Option<NodeId> {
        let (name, id) = (xml.name(given), xml.attribute(given, "id"));
        self.document.descendants(top).find(|node| {
            self.document.name(*node) == name && (id.is_none() || self.document.attribute(*node, "id") == id)
        })
    }

    /// Child of `parent` that the given element means: same name and id; without id the same reference, or
    /// the `position`-th of the children with this name.
    fn twin(&self, parent: NodeId, xml: &Document, given: NodeId, position: usize) -> Option<NodeId> {
        let document = &*self.document;
        let mut named = document.children(parent).filter(|child| document.name(*child) == xml.name(given));
        if let Some(id) = xml.attribute(given, "id") {
            return named.find(|child| document.attribute(*child, "id") == Some(id));
        }
        if let Some(reference) = xml.attribute(given, "id-ref") {
            return named.find(|child| document.attribute(*child, "id-ref") == Some(reference));
        }
        named.filter(|child| document.attribute(*child, "id-ref").is_none()).nth(position)
    }

    /// The node that stands where the twin is expected, if it is the twin by its id.
    fn expected_twin(&self, expected: Option<NodeId>, xml: &Document, given: NodeId) -> Option<NodeId> {
        let id = xml.attribute(given, "id")?;
        expected.filter(|node| {
            self.document.name(*node) == xml.name(given) && self.document.attribute(*node, "id") == Some(id)
        })
    }

    fn merge(&mut self, target: NodeId, xml: &Document, given: NodeId) -> Result<(), Refusal> {
        for (name, value) in xml.attributes(given) {
            self.set(target, name, value);
        }
        self.document.set_place(target, xml.line(given), xml.column(given));
        if xml.first_node(given).is_none() {
            return Ok(());
        }
        // position of each child among those that only their name tells apart
        let mut anonymous: Vec<(&str, usize)> = Vec::new();
        // long lists mostly come in the order in which they stand here
        let mut expected = self.document.first_node(target);
        for child in xml.nodes(given) {
            match xml.kind(child) {
                NodeKind::Text => {}
                NodeKind::Comment => self.merge_comment(target, &xml.text(child)),
                NodeKind::Element => {
                    let is_anonymous =
                        xml.attribute(child, "id").is_none() && xml.attribute(child, "id-ref").is_none();
                    let position =
                        if is_anonymous { next_position(&mut anonymous, xml.name(child)) } else { 0 };
                    let twin = self.expected_twin(expected, xml, child);
                    match twin.or_else(|| self.twin(target, xml, child, position)) {
                        Some(twin) => {
                            self.merge(twin, xml, child)?;
                            expected = self.document.next_sibling(twin);
                        }
                        None => self.add(target, xml, child)?,
                    }
                }
            }
        }
        let text = xml.text(given);
        if !text.is_empty() && text != self.document.text(target) {
            self.document.set_text(target, &text);
            self.touched.note(self.document, target);
        }
        Ok(())
    }

    fn merge_comment(&mut self, target: NodeId, text: &str) {
        let exists = self
            .document
            .nodes(target)
            .any(|node| self.document.kind(node) == NodeKind::Comment && self.document.text(node) == text);
        if !exists {
            self.document.append_comment(target, text);
            self.touched.note(self.document, target);
        }
    }

    fn set(&mut self, target: NodeId, name: &str, value: &str) {
        let old = self.document.attribute(target, name);
        if old == Some(value) {
            return;
        }
        let sum = old.and_then(|old| incremented(name, value, old));
        let value = sum.as_deref().unwrap_or(value);
        if old == Some(value) {
            return;
        }
        self.document.set_attribute(target, name, value);
        if target != self.document.root() {
            self.touched.note(self.document, target);
        } else if is_checked(name) {
            self.touched.root = true;
        } else {
            self.touched.version = true;
        }
    }

    // ---- replace

    fn replace(&mut self, place: &Place, xml: &Document) -> Result<(), Refusal> {
        let given = xml.root();
        match place {
            Place::Matches(xpath) => {
                let target = self.first_match(xpath)?;
                self.replace_element(target, xml, given)
            }
            Place::Section(section) => self.replace_section(section, xml),
            Place::Everywhere if xml.name(given) == "cib" => self.replace_all(xml),
            Place::Everywhere => {
                let root = self.document.root();
                let target = self.find_like(root, xml, given).ok_or_else(|| not_there(xml, given))?;
                self.replace_element(target, xml, given)
            }
        }
    }

    fn replace_section(&mut self, section: &str, xml: &Document) -> Result<(), Refusal> {
        let given = match xml.name(xml.root()) {
            "cib" | "configuration" => find_section(xml, section),
            name if name == section => Some(xml.root()),
            _ => None,
        };
        match (find_section(self.document, section), given) {
            (Some(target), Some(given)) => self.replace_element(target, xml, given),
            (None, Some(given)) => {
                let parent = match section {
                    "configuration" | "status" => self.document.root(),
                    _ => self.section_to_fill("configuration"),
                };
                self.add(parent, xml, given)
            }
            (Some(target), None) => {
                let like =
                    self.find_like(target, xml, xml.root()).ok_or_else(|| not_there(xml, xml.root()))?;
                self.replace_element(like, xml, xml.root())
            }
            (None, None) => Err(no_section(section)),
        }
    }

    fn replace_element(&mut self, target: NodeId, xml: &Document, given: NodeId) -> Result<(), Refusal> {
        if self.document.same(target, xml, given) {
            return Ok(());
        }
        let Some(parent) = self.document.parent(target) else {
            if xml.name(given) == "cib" && given == xml.root() {
                return self.replace_all(xml);
            }
            return Err(Refusal::new(
                RefusalCode::Invalid,
                "the outermost element can only be replaced by a cib",
            ));
        };
        self.check_depth(parent, xml, given)?;
        self.touched.note(self.document, target);
        let position = self.document.position(target);
        self.document.remove(target);
        self.document.import(parent, Some(position), xml, given);
        Ok(())
    }

    fn replace_all(&mut self, xml: &Document) -> Result<(), Refusal> {
        let old_version = Version::of(self.document);
        let mut new = xml.clone();
        for (name, value) in old_version.attributes() {
            if new.attribute(new.root(), name).is_none() {
                new.set_attribute(new.root(), name, &value.to_string());
            }
        }
        let new_version = Version::of(&new);
        if new_version < old_version {
            let message = format!("the replacement has version {new_version}, older than {old_version}");
            return Err(Refusal::new(RefusalCode::OldVersion, message));
        }
        let old_status = self.document.child(self.document.root(), "status");
        if let (None, Some(status)) = (new.child(new.root(), "status"), old_status) {
            new.import(new.root(), None, self.document, status);
        }
        self.touched.add(compare(self.document, &new));
        *self.document = new;
        Ok(())
    }

    // ---- delete, erase, upgrade

    fn delete(&mut self, scope: Option<&str>, xml: &Document) -> Result<(), Refusal> {
        let given = xml.root();
        let top = match scope {
            None => self.document.root(),
            Some(section) => match find_section(self.document, section) {
                Some(found) => found,
                None => return Ok(()),
            },
        };
        let children: Vec<NodeId> = xml.children(given).collect();
        if scope == Some(xml.name(given)) && !children.is_empty() {
            for child in children {
                self.delete_like(top, xml, child);
            }
        } else {
            self.delete_like(top, xml, given);
        }
        Ok(())
    }

    /// Deletes the first element with the name and all attributes of the given one (rule 5a.8.1).
    fn delete_like(&mut self, top: NodeId, xml: &Document, given: NodeId) {
        let document = &*self.document;
        let victim = document.descendants(top).find(|node| {
            *node != document.root()
                && document.name(*node) == xml.name(given)
                && xml.attributes(given).all(|(name, value)| document.attribute(*node, name) == Some(value))
        });
        if let Some(victim) = victim {
            self.remove(victim);
        }
    }

    fn delete_matches(&mut self, xpath: &xml::xpath::XPath, all: bool) -> Result<(), Refusal> {
        let hits = xpath.hits(self.document)?;
        let mut victims = Vec::new();
        for hit in hits {
            match hit {
                xml::xpath::Hit::Node(node) if node != self.document.root() => victims.push(node),
                xml::xpath::Hit::Attribute(..) => {
                    let message = "the expression selects attributes; only elements can be deleted";
                    return Err(Refusal::new(RefusalCode::Invalid, message));
                }
                _ => {
                    let message = "the outermost element cannot be deleted";
                    return Err(Refusal::new(RefusalCode::Invalid, message));
                }
            }
            if !all {
                break;
            }
        }
        for victim in victims {
            // one below a victim is gone already
            if self.document.parent(victim).is_some() {
                self.remove(victim);
            }
        }
        Ok(())
    }

    fn remove(&mut self, victim: NodeId) {
        self.touched.note(self.document, victim);
        self.document.remove(victim);
    }

    fn erase(&mut self) -> Result<(), Refusal> {
        let root = self.document.root();
        self.document.clear_children(root);
        fill_sections(self.document);
        self.touched.configuration = true;
        self.touched.status = true;
        Ok(())
    }

    fn upgrade(&mut self) -> Result<(), Refusal> {
        let upgraded = upgrade::upgrade(self.document)
            .map_err(|error| Refusal::new(RefusalCode::Schema, error.to_string()))?;
        self.touched.configuration |= upgraded.from != upgraded.to || !upgraded.changes.is_empty();
        Ok(())
    }

    fn first_match(&self, xpath: &xml::xpath::XPath) -> Result<NodeId, Refusal> {
        let hits = xpath.select(self.document)?;
        hits.first()
            .copied()
            .ok_or_else(|| Refusal::new(RefusalCode::NotFound, "the expression matches nothing in the CIB"))
    }
}

/// First element so named below `configuration`, or `configuration` or `status` itself.
pub(crate) fn find_section(document: &Document, section: &str) -> Option<NodeId> {
    let root = document.root();
    match section {
        "configuration" | "status" => document.child(root, section),
        _ => document.child(document.child(root, "configuration")?, section),
    }
}

/// The sections every CIB has.
pub(crate) fn fill_sections(document: &mut Document) {
    let root = document.root();
    let configuration = document.append_element(root, "configuration");
    for section in ["crm_config", "nodes", "resources", "constraints"] {
        document.append_element(configuration, section);
    }
    document.append_element(root, "status");
}

/// The section in which elements with this name stand directly.
fn home_section(name: &str) -> Option<&'static str> {
    Some(match name {
        "primitive" | "group" | "clone" | "bundle" | "template" | "master" => "resources",
        "rsc_location" | "rsc_colocation" | "rsc_order" | "rsc_ticket" => "constraints",
        "node" => "nodes",
        "cluster_property_set" => "crm_config",
        "fencing-level" => "fencing-topology",
        "tag" => "tags",
        "alert" => "alerts",
        "acl_role" | "acl_target" | "acl_group" => "acls",
        "node_state" | "tickets" => "status",
        _ => return None,
    })
}

/// Which parts differ between two whole documents.
pub(crate) fn compare(old: &Document, new: &Document) -> Touched {
    let mut touched = Touched::default();
    let attributes = |document: &Document, checked: bool| -> Vec<(String, String)> {
        let mut all: Vec<_> = document
            .attributes(document.root())
            .filter(|(name, _)| is_checked(name) == checked)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        all.sort();
        all
    };
    touched.version = attributes(old, false) != attributes(new, false);
    touched.root = attributes(old, true) != attributes(new, true);
    let same_section = |section: &str| match (old.child(old.root(), section), new.child(new.root(), section))
    {
        (Some(a), Some(b)) => old.same(a, new, b),
        (None, None) => true,
        _ => false,
    };
    touched.configuration = !same_section("configuration");
    touched.status = !same_section("status");
    touched
}

/// `name++` and `name+=N` on a value (rule 5c.9.3); nothing for any other text.
fn incremented(name: &str, value: &str, old: &str) -> Option<String> {
    let rest = value.strip_prefix(name)?;
    let step = match rest {
        "++" => Score::parse("1")?,
        _ => Score::parse(rest.strip_prefix("+=")?)?,
    };
    let old = Score::parse(old).unwrap_or(Score::parse("0")?);
    Some(old.plus(step).to_string())
}

fn next_position<'a>(counts: &mut Vec<(&'a str, usize)>, name: &'a str) -> usize {
    match counts.iter_mut().find(|(known, _)| *known == name) {
        Some((_, count)) => {
            *count += 1;
            *count
        }
        None => {
            counts.push((name, 0));
            0
        }
    }
}

fn not_there(xml: &Document, given: NodeId) -> Refusal {
    let name = xml.name(given);
    let message = match xml.attribute(given, "id") {
        Some(id) => format!("the CIB has no {name} '{id}'"),
        None => format!("the CIB has no {name}"),
    };
    Refusal::new(RefusalCode::NotFound, message).at(xml.line(given), xml.column(given))
}

fn no_section(section: &str) -> Refusal {
    Refusal::new(RefusalCode::NotFound, format!("the CIB has no section {section}"))
}
