//! Patch sets (format 2): what changed between two versions of the CIB, as XML that tools exchange
//! (rule 5c.7).

use std::fmt::Write;

use xml::diff::{self, AttributeChange, AttributeOrder, Change};
use xml::{Document, NodeId, NodeKind};

use crate::digest;
use crate::edit::{self, Touched};
use crate::refusal::{Refusal, RefusalCode};
use crate::version::{VERSION_ATTRIBUTES, Version};

/// A patch set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patchset {
    /// Version it applies to; `None`: any.
    pub source: Option<Version>,
    /// Version of the result; `None`: the next update.
    pub target: Option<Version>,
    /// Digest of the result ([`digest::versioned`]).
    pub digest: Option<String>,
    pub changes: Vec<Change>,
}

/// What a comparison of documents leaves in the patch set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Versions of both documents.
    pub versions: bool,
    /// Digest of the result.
    pub digest: bool,
}

impl Patchset {
    /// From one state of the CIB to a later one, with versions and digest.
    pub fn between(source: &Document, target: &Document) -> Patchset {
        Patchset {
            source: Some(Version::of(source)),
            target: Some(Version::of(target)),
            digest: Some(digest::versioned(target)),
            changes: diff::diff(source, target, AttributeOrder::Matters),
        }
    }

    /// The comparison of `crm_diff` (rule 5c.7.7): `None` if there is no difference. The order of attributes
    /// makes none, and without versions the version attributes make none.
    pub fn compare(source: &Document, target: &Document, options: Options) -> Option<Patchset> {
        let mut changes = diff::diff(source, target, AttributeOrder::Ignored);
        if !options.versions {
            changes.retain_mut(|change| !is_only_version(change));
        }
        if changes.is_empty() {
            return None;
        }
        let mut patch = Patchset {
            source: options.versions.then(|| Version::of(source)),
            target: options.versions.then(|| Version::of(target)),
            digest: None,
            changes,
        };
        patch.digest = options.digest.then(|| patch.digest_of_result(source, target));
        Some(patch)
    }

    /// Digest of what the patch set makes. Where only the order of attributes differs it makes another text
    /// than `target`, and whoever applies it compares with what he gets.
    fn digest_of_result(&self, source: &Document, target: &Document) -> String {
        let mut result = source.clone();
        let missing = diff::apply(&mut result, &self.changes);
        digest::versioned(if missing.is_empty() { &result } else { target })
    }

    // ---- XML form

    /// Reads `<diff format="2">`.
    pub fn parse(document: &Document) -> Result<Patchset, Refusal> {
        Patchset::parse_element(document, document.root())
    }

    /// Reads a `diff` element inside another document.
    pub fn parse_element(document: &Document, root: NodeId) -> Result<Patchset, Refusal> {
        if document.name(root) != "diff" {
            return Err(malformed(document, root, "a patch set is an element 'diff'"));
        }
        if document.attribute(root, "format") != Some("2") {
            return Err(malformed(document, root, "only patch sets of format 2 are known"));
        }
        let version = |name| {
            let element = document.child(document.child(root, "version")?, name)?;
            let counter =
                |name| document.attribute(element, name).and_then(|text| text.parse().ok()).unwrap_or(0);
            let [admin_epoch, epoch, num_updates] = VERSION_ATTRIBUTES;
            Some(Version::new(counter(admin_epoch), counter(epoch), counter(num_updates)))
        };
        let changes = document
            .children(root)
            .filter(|child| document.name(*child) == "change")
            .map(|change| read_change(document, change))
            .collect::<Result<_, _>>()?;
        Ok(Patchset {
            source: version("source"),
            target: version("target"),
            digest: document.attribute(root, "digest").map(str::to_owned),
            changes,
        })
    }

    pub fn to_document(&self) -> Document {
        let mut document = Document::new("diff");
        let root = document.root();
        document.set_attribute(root, "format", "2");
        if let Some(digest) = &self.digest {
            document.set_attribute(root, "digest", digest);
        }
        if let (Some(source), Some(target)) = (self.source, self.target) {
            let versions = document.append_element(root, "version");
            for (name, version) in [("source", source), ("target", target)] {
                let element = document.append_element(versions, name);
                for (name, value) in version.attributes() {
                    document.set_attribute(element, name, &value.to_string());
                }
            }
        }
        for change in &self.changes {
            write_change(&mut document, root, change);
        }
        document
    }

    // ---- text form

    /// The lines tools show people (rule 5c.7.8).
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        if let (Some(source), Some(target)) = (self.source, self.target) {
            if source == target {
                out += &format!("Local-only Change: {target}\n");
            } else {
                let digest = self.digest.as_deref().unwrap_or("(no digest)");
                out += &format!("Diff: --- {source} 2\nDiff: +++ {target} {digest}\n");
            }
        }
        self.changes.iter().for_each(|change| write_text(&mut out, change));
        out
    }
}

/// Removes the version attributes from a modification of the root; true if nothing is left of it.
fn is_only_version(change: &mut Change) -> bool {
    let Change::Modify { path, changes, result, .. } = change else { return false };
    if path.matches('/').count() != 1 {
        return false;
    }
    let is_version = |name: &str| VERSION_ATTRIBUTES.contains(&name);
    changes.retain(|change| {
        !matches!(change, AttributeChange::Set { name, .. } | AttributeChange::Unset { name } if is_version(name))
    });
    result.retain(|(name, _)| !is_version(name));
    changes.is_empty()
}

// ---- reading and writing one change

fn read_change(document: &Document, id: NodeId) -> Result<Change, Refusal> {
    let Some(path) = document.attribute(id, "path").map(str::to_owned) else {
        return Err(malformed(document, id, "a change without a path"));
    };
    let position = document.attribute(id, "position").map(|text| text.parse::<usize>());
    let position = match position {
        Some(Err(_)) => return Err(malformed(document, id, "the position of a change is no number")),
        Some(Ok(position)) => Some(position),
        None => None,
    };
    match document.attribute(id, "operation") {
        Some("delete") => Ok(Change::Delete { path, position }),
        Some("move") => Ok(Change::Move { path, position: position.unwrap_or(0) }),
        Some("create") => {
            let Some(subtree) = document.nodes(id).find(|node| document.kind(*node) != NodeKind::Text) else {
                return Err(malformed(document, id, "a change creates nothing"));
            };
            let position = position.unwrap_or(usize::MAX);
            Ok(Change::Create { path, position, subtree: document.extract(subtree) })
        }
        Some("modify") => read_modification(document, id, path),
        Some(other) => Err(malformed(document, id, &format!("unknown operation '{other}'"))),
        None => Err(malformed(document, id, "a change without an operation")),
    }
}

fn read_modification(document: &Document, id: NodeId, path: String) -> Result<Change, Refusal> {
    let result = document.child(id, "change-result").and_then(|result| document.children(result).next());
    let Some(result) = result else {
        return Err(malformed(document, id, "a modification without a result"));
    };
    let list = document.child(id, "change-list");
    let attributes = list.into_iter().flat_map(|list| document.children(list));
    let changes = attributes
        .filter_map(|attribute| {
            let name = document.attribute(attribute, "name")?.to_owned();
            Some(match document.attribute(attribute, "operation") {
                Some("unset") => AttributeChange::Unset { name },
                _ => {
                    let value = document.attribute(attribute, "value").unwrap_or("").to_owned();
                    AttributeChange::Set { name, value }
                }
            })
        })
        .collect();
    Ok(Change::Modify {
        path,
        changes,
        element: document.name(result).to_owned(),
        result: document
            .attributes(result)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    })
}

fn write_change(document: &mut Document, root: NodeId, change: &Change) {
    let element = document.append_element(root, "change");
    let (operation, path, position) = match change {
        Change::Delete { path, position } => ("delete", path, *position),
        Change::Modify { path, .. } => ("modify", path, None),
        Change::Create { path, position, .. } => ("create", path, Some(*position)),
        Change::Move { path, position } => ("move", path, Some(*position)),
    };
    document.set_attribute(element, "operation", operation);
    document.set_attribute(element, "path", path);
    if let Some(position) = position {
        document.set_attribute(element, "position", &position.to_string());
    }
    match change {
        Change::Create { subtree, .. } => {
            document.import(element, None, subtree, subtree.root());
        }
        Change::Modify { changes, element: name, result, .. } => {
            let list = document.append_element(element, "change-list");
            for change in changes {
                let attribute = document.append_element(list, "change-attr");
                match change {
                    AttributeChange::Set { name, value } => {
                        document.set_attribute(attribute, "name", name);
                        document.set_attribute(attribute, "operation", "set");
                        document.set_attribute(attribute, "value", value);
                    }
                    AttributeChange::Unset { name } => {
                        document.set_attribute(attribute, "name", name);
                        document.set_attribute(attribute, "operation", "unset");
                    }
                }
            }
            let holder = document.append_element(element, "change-result");
            let target = document.append_element(holder, name);
            for (name, value) in result {
                document.set_attribute(target, name, value);
            }
        }
        _ => {}
    }
}

fn write_text(out: &mut String, change: &Change) {
    // writing to a string cannot fail
    let _ = match change {
        Change::Delete { path, position: None } => writeln!(out, "-- {path}"),
        Change::Delete { path, position: Some(position) } => writeln!(out, "-- {path} ({position})"),
        Change::Move { path, position } => writeln!(out, "+~ {path} moved to offset {position}"),
        Change::Create { path, subtree, .. } => {
            let text = subtree.to_pretty();
            let mut lines = text.lines();
            let first = lines.next().unwrap_or("");
            let _ = writeln!(out, "++ {path}:  {first}");
            let indent = " ".repeat(path.len() + 3);
            lines.try_for_each(|line| writeln!(out, "++ {indent}{line}"))
        }
        Change::Modify { path, changes, .. } => {
            let unset: Vec<String> = changes
                .iter()
                .filter_map(|change| match change {
                    AttributeChange::Unset { name } => Some(format!("@{name}")),
                    AttributeChange::Set { .. } => None,
                })
                .collect();
            let set: Vec<String> = changes
                .iter()
                .filter_map(|change| match change {
                    AttributeChange::Set { name, value } => Some(format!("@{name}={value}")),
                    AttributeChange::Unset { .. } => None,
                })
                .collect();
            if !unset.is_empty() {
                let _ = writeln!(out, "-- {path}:  {}", unset.join(", "));
            }
            if set.is_empty() { Ok(()) } else { writeln!(out, "+  {path}:  {}", set.join(", ")) }
        }
    };
}

// ---- applying

/// Applies a patch set to a document, versions included (rule 5c.7.5). The document is in an undefined state
/// after a refusal: work on a copy.
pub(crate) fn apply_to(patch: &Patchset, document: &mut Document) -> Result<Touched, Refusal> {
    let current = Version::of(document);
    if let Some(source) = patch.source {
        check_source(current, source)?;
    }
    if let (Some(source), Some(target)) = (patch.source, patch.target)
        && target <= source
    {
        let message = format!("the patch leads from version {source} back to {target}");
        return Err(Refusal::new(RefusalCode::OldVersion, message));
    }
    let missing = diff::apply(document, &patch.changes);
    if let Some(first) = missing.first() {
        let mut refusal =
            Refusal::new(RefusalCode::PatchFailed, first.to_string()).at_path(first.path.clone());
        refusal.details = missing.iter().skip(1).map(ToString::to_string).collect();
        return Err(refusal);
    }
    match patch.target {
        Some(target) if target != Version::of(document) => target.write_to(document),
        Some(_) => {}
        // a patch without versions lists none of their attributes, which does not mean to drop them
        None => current.write_missing_to(document),
    }
    if let Some(expected) = &patch.digest {
        let found = digest::versioned(document);
        if found != *expected {
            let message = format!("the patched document has digest {found}, not {expected}");
            return Err(Refusal::new(RefusalCode::DigestMismatch, message));
        }
    }
    Ok(touched_by(patch))
}

impl Patchset {
    /// Applies the patch set to a document that is no live CIB (`crm_diff -p`). The document is unchanged
    /// after a refusal.
    pub fn apply(&self, document: &Document) -> Result<Document, Refusal> {
        let mut result = document.clone();
        apply_to(self, &mut result)?;
        Ok(result)
    }
}

fn check_source(current: Version, source: Version) -> Result<(), Refusal> {
    if current == source {
        return Ok(());
    }
    let message = format!("the patch is for version {source}, the document has {current}");
    let code = if current < source { RefusalCode::PatchFailed } else { RefusalCode::OldVersion };
    Err(Refusal::new(code, message))
}

fn touched_by(patch: &Patchset) -> Touched {
    let mut touched = Touched { version: patch.target.is_some(), ..Touched::default() };
    for change in &patch.changes {
        let (Change::Delete { path, .. }
        | Change::Modify { path, .. }
        | Change::Create { path, .. }
        | Change::Move { path, .. }) = change;
        match change {
            Change::Modify { changes, .. } if path == "/cib" => {
                let is_checked = |change: &AttributeChange| {
                    let (AttributeChange::Set { name, .. } | AttributeChange::Unset { name }) = change;
                    edit::is_checked(name)
                };
                touched.root |= changes.iter().any(is_checked);
                touched.version |= !changes.iter().all(is_checked);
            }
            _ if path.starts_with("/cib/status") => touched.status = true,
            _ => touched.configuration = true,
        }
    }
    touched
}

fn malformed(document: &Document, id: NodeId, message: &str) -> Refusal {
    Refusal::new(RefusalCode::Invalid, message).at(document.line(id), document.column(id))
}
