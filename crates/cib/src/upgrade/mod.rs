//! Upgrade of the `configuration` of old documents to the newest schema (rule 1.2).
//!
//! A step to the next major series changes something only where the document has what the newer
//! schema no longer allows. The steps work on the tree; they never look at `status`.

mod references;
mod to_2_0;
pub(crate) mod to_3_0;
mod to_4_0;

use crate::notice::Place;
use crate::text::Text;
use xml::{Document, Element, NodeId};

/// Names of all schemas from the oldest to the newest.
pub const SCHEMAS: [&str; 26] = [
    "pacemaker-1.0",
    "pacemaker-1.2",
    "pacemaker-1.3",
    "pacemaker-2.0",
    "pacemaker-2.1",
    "pacemaker-2.2",
    "pacemaker-2.3",
    "pacemaker-2.4",
    "pacemaker-2.5",
    "pacemaker-2.6",
    "pacemaker-2.7",
    "pacemaker-2.8",
    "pacemaker-2.9",
    "pacemaker-2.10",
    "pacemaker-3.0",
    "pacemaker-3.1",
    "pacemaker-3.2",
    "pacemaker-3.3",
    "pacemaker-3.4",
    "pacemaker-3.5",
    "pacemaker-3.6",
    "pacemaker-3.7",
    "pacemaker-3.8",
    "pacemaker-3.9",
    "pacemaker-3.10",
    NEWEST,
];

/// The schema that everything is upgraded to.
pub const NEWEST: &str = "pacemaker-4.0";

/// The pseudo-schema that turns validation and upgrade off.
pub const NO_SCHEMA: &str = "none";

/// Position of a schema in [`SCHEMAS`]; names are case-sensitive.
pub fn schema_rank(name: &str) -> Option<usize> {
    SCHEMAS.iter().position(|schema| *schema == name)
}

/// Why a document cannot be used at all. Tools exit with 78.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    #[error("Cannot validate CIB with missing validate-with (manually edit to use a known schema)")]
    MissingSchema,
    #[error("Cannot validate CIB with unknown validate-with (manually edit to use a known schema): '{0}'")]
    UnknownSchema(String),
}

/// One thing that an upgrade changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub place: Place,
    /// What was done, as a sentence.
    pub text: String,
}

/// What an upgrade did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// Schema that the document claimed.
    pub from: String,
    /// Schema that it has now.
    pub to: String,
    /// Changes to the configuration, empty if only the schema name changed.
    pub changes: Vec<Change>,
}

/// Upgrades the document in place to the newest schema. `none` stays as it is.
///
/// # Errors
/// `validate-with` is missing or no known schema; the document is unchanged then.
pub fn upgrade(document: &mut Document) -> Result<Upgraded, UpgradeError> {
    let from = declared_schema(document)?.to_owned();
    if from == NO_SCHEMA || from == NEWEST {
        return Ok(Upgraded { to: from.clone(), from, changes: Vec::new() });
    }
    let mut changes = Vec::new();
    if let Some(old) = document.child(document.root(), "configuration") {
        let mut configuration = document.extract(old);
        changes = upgrade_configuration(&mut configuration, &from);
        if !changes.is_empty() {
            let position = document.position(old);
            document.remove(old);
            document.import(document.root(), Some(position), &configuration, configuration.root());
        }
    }
    document.set_attribute(document.root(), "validate-with", NEWEST);
    Ok(Upgraded { from, to: NEWEST.to_owned(), changes })
}

/// The known schema that the document claims.
///
/// # Errors
/// As for [`upgrade`].
pub fn declared_schema(document: &Document) -> Result<&str, UpgradeError> {
    let name = document.attribute(document.root(), "validate-with").ok_or(UpgradeError::MissingSchema)?;
    if name == NO_SCHEMA || schema_rank(name).is_some() {
        Ok(name)
    } else {
        Err(UpgradeError::UnknownSchema(name.to_owned()))
    }
}

/// Upgrades a document whose root is the `configuration` element from schema `from`. Returns what
/// was changed; without changes the document is as it was.
pub(crate) fn upgrade_configuration(configuration: &mut Document, from: &str) -> Vec<Change> {
    type Step = fn(&mut Editor<'_>);
    const STEPS: [(&str, Step); 3] = [
        ("pacemaker-2.0", to_2_0::apply),
        ("pacemaker-3.0", to_3_0::apply),
        ("pacemaker-4.0", to_4_0::apply),
    ];
    let start = schema_rank(from).unwrap_or(0);
    let mut changes = Vec::new();
    for (schema, step) in STEPS {
        if schema_rank(schema).is_none_or(|rank| rank <= start) {
            continue;
        }
        let mut attempt = configuration.clone();
        let mut editor = Editor { doc: &mut attempt, changes: Vec::new(), needed: false };
        let referring = references::resolve(&mut editor);
        step(&mut editor);
        if editor.needed {
            if referring {
                references::restore(&mut editor);
            }
            changes.append(&mut editor.changes);
            *configuration = attempt;
        }
    }
    changes
}

/// The section `acls` in the form that it has since schema 2.0; nothing if it has that form already.
pub(crate) fn present_acls(acls: Element<'_>) -> Option<Document> {
    let is_old = |element: Element<'_>| matches!(element.name(), "acl_user" | "read" | "write" | "deny");
    if !acls.descendants().any(is_old) {
        return None;
    }
    let mut copy = acls.doc.extract(acls.id);
    let root = copy.root();
    to_2_0::access_control(&mut Editor { doc: &mut copy, changes: Vec::new(), needed: false }, root);
    Some(copy)
}

/// The configuration being changed, and the record of changes.
struct Editor<'d> {
    doc: &'d mut Document,
    changes: Vec<Change>,
    /// Something was found that the next schema does not allow.
    needed: bool,
}

impl Editor<'_> {
    fn element(&self, id: NodeId) -> Element<'_> {
        self.doc.element(id)
    }

    fn attr(&self, id: NodeId, name: &str) -> Option<String> {
        self.doc.attribute(id, name).map(str::to_owned)
    }

    fn id_of(&self, id: NodeId) -> String {
        self.attr(id, "id").unwrap_or_default()
    }

    /// Elements named like one of `names`, anywhere, in document order.
    fn all(&self, names: &[&str]) -> Vec<NodeId> {
        let doc = &*self.doc;
        doc.descendants(doc.root()).filter(|id| names.contains(&doc.name(*id))).collect()
    }

    /// Child elements with this name.
    fn children(&self, parent: NodeId, name: &str) -> Vec<NodeId> {
        self.doc.children(parent).filter(|child| self.doc.name(*child) == name).collect()
    }

    fn section(&self, name: &str) -> Option<NodeId> {
        self.doc.child(self.doc.root(), name)
    }

    /// The section, made at the end if it is not there.
    fn section_or_new(&mut self, name: &str) -> NodeId {
        match self.section(name) {
            Some(section) => section,
            None => self.doc.append_element(self.doc.root(), name),
        }
    }

    /// Records a change that makes the step necessary.
    fn changed(&mut self, id: NodeId, text: impl Into<String>) {
        let place = Place {
            element: Text::from(self.doc.name(id)),
            id: self.doc.attribute(id, "id").map(Text::from),
            line: self.doc.line(id),
        };
        self.changes.push(Change { place, text: text.into() });
        self.needed = true;
    }

    /// Removes an element and says why.
    fn drop(&mut self, id: NodeId, why: &str) {
        self.changed(id, format!("Dropped: {why}"));
        self.doc.remove(id);
    }

    /// Gives an attribute another name, keeping the value.
    fn rename_attribute(&mut self, id: NodeId, old: &str, new: &str) {
        if let Some(value) = self.attr(id, old) {
            self.changed(id, format!("Renamed {old} to {new}"));
            self.doc.remove_attribute(id, old);
            if self.doc.attribute(id, new).is_none() {
                self.doc.set_attribute(id, new, &value);
            }
        }
    }

    /// Pairs directly below a block, the old wrapper included.
    fn pairs(&self, block: NodeId) -> Vec<NodeId> {
        let holder = self.doc.child(block, "attributes").unwrap_or(block);
        self.children(holder, "nvpair")
    }

    /// The pair called `name` of the blocks `tag` directly below `parent`.
    fn has_pair(&self, parent: NodeId, tag: &str, name: &str) -> bool {
        self.children(parent, tag)
            .into_iter()
            .flat_map(|block| self.pairs(block))
            .any(|pair| self.doc.attribute(pair, "name") == Some(name))
    }

    /// Adds a pair to the first block `tag` below `parent`, making the block if there is none.
    fn add_pair(&mut self, parent: NodeId, tag: &str, block_id: &str, name: &str, value: &str) {
        let block = match self.doc.child(parent, tag) {
            Some(block) => block,
            None => {
                let block = self.doc.append_element(parent, tag);
                self.doc.set_attribute(block, "id", block_id);
                block
            }
        };
        let id = format!("{}-{name}", self.id_of(block));
        let pair = self.doc.append_element(block, "nvpair");
        self.doc.set_attribute(pair, "id", &id);
        self.doc.set_attribute(pair, "name", name);
        self.doc.set_attribute(pair, "value", value);
    }
}

#[cfg(test)]
mod tests;
