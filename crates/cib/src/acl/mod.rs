//! Access control (rule 5c.10): what a user that is neither root nor the cluster's own may read and change.
//!
//! Permissions mark elements; an element's mode follows from the nearest marks at or above it. The lists in
//! force are always those of the document *before* a change, so that nobody can grant himself anything.

mod show;

#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use xml::diff::{self, AttributeChange, AttributeOrder, Change, Finder};
use xml::xpath::XPath;
use xml::{Document, Element, NodeId, NodeKind};

use crate::refusal::{Refusal, RefusalCode};
use crate::value::is_true;
use crate::version::VERSION_ATTRIBUTES;

pub use show::{Style, show};

/// A user, with the names of its system groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

/// What a user may do with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Denied,
    Readable,
    Writable,
}

/// Whether the cluster option `enable-acl` is on. If not, every user that may connect may do everything.
pub fn in_force(document: &Document) -> bool {
    let Some(options) = crate::edit::find_section(document, "crm_config") else { return false };
    let sets = || document.element(options).children_named("cluster_property_set");
    let first = sets().filter(|set| set.attr("id") == Some(crate::nvpair::BOOTSTRAP_OPTIONS));
    let values = first.chain(sets()).flat_map(|set| set.children_named("nvpair").collect::<Vec<_>>());
    let mut values = values.filter(|pair| pair.attr("name") == Some("enable-acl"));
    values.next().is_some_and(|pair| is_true(pair.attr("value")))
}

/// The part of a document that the user may read (rule 5c.10.5).
///
/// # Errors
/// Nothing is readable.
pub fn readable(document: &Document, user: &User) -> Result<Document, Refusal> {
    if !in_force(document) {
        return Ok(document.clone());
    }
    let modes = Permissions::of(document, user).modes(document);
    let mut copy = document.clone();
    if !hide(&mut copy, document, &modes, document.root()) {
        return Err(denied("nothing in the CIB is readable"));
    }
    copy.compact();
    Ok(copy)
}

/// Takes away what is not readable at and below an element; false if nothing remains of it.
fn hide(copy: &mut Document, document: &Document, modes: &Modes, id: NodeId) -> bool {
    let readable = modes.of(id) >= Mode::Readable;
    let mut visible = readable;
    for child in document.nodes(id) {
        let keep = match document.kind(child) {
            NodeKind::Element => hide(copy, document, modes, child),
            _ => readable,
        };
        if !keep {
            copy.remove(child);
        }
        visible |= keep;
    }
    if !readable && visible {
        let names: Vec<String> = document.attributes(id).map(|(name, _)| name.to_owned()).collect();
        names.iter().filter(|name| *name != "id").for_each(|name| {
            copy.remove_attribute(id, name);
        });
    }
    visible
}

/// What a check of a change leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exempt {
    /// Versions and origin on the root: a patch set carries what the system wrote.
    pub system_attributes: bool,
}

/// Refuses a change from `old` to `new` if the user may not make any part of it (rule 5c.10.4).
pub fn check_change(old: &Document, new: &Document, user: &User, exempt: Exempt) -> Result<(), Refusal> {
    if !in_force(old) {
        return Ok(());
    }
    let permissions = Permissions::of(old, user);
    let mut check = Check {
        old,
        new,
        old_modes: permissions.modes(old),
        new_modes: permissions.modes(new),
        exempt,
        old_paths: Finder::default(),
        new_paths: Finder::default(),
        children: FxHashMap::default(),
        writable: FxHashMap::default(),
    };
    diff::diff(old, new, AttributeOrder::Ignored).iter().try_for_each(|change| check.change(change))
}

/// Refuses a request that concerns the document as a whole, such as a new epoch.
pub fn check_root(document: &Document, user: &User) -> Result<(), Refusal> {
    if !in_force(document) {
        return Ok(());
    }
    match Permissions::of(document, user).modes(document).of(document.root()) {
        Mode::Writable => Ok(()),
        _ => Err(denied("changing the CIB as a whole is not permitted").at_path("/cib")),
    }
}

/// Puts back into a replacement what the user could not see in the document it replaces: elements that were
/// hidden are not meant to be deleted, hidden attributes not to be unset (rule 5c.10.4).
pub fn restore_hidden(old: &Document, new: &mut Document, user: &User) {
    if in_force(old) {
        let modes = Permissions::of(old, user).modes(old);
        let (old_root, new_root) = (old.root(), new.root());
        restore_below(old, new, &modes, old_root, new_root);
    }
}

fn restore_below(old: &Document, new: &mut Document, modes: &Modes, before: NodeId, after: NodeId) {
    if modes.of(before) == Mode::Denied {
        for (name, value) in old.attributes(before) {
            if new.attribute(after, name).is_none() {
                new.set_attribute(after, name, value);
            }
        }
    }
    let mut twins: FxHashMap<(String, Option<String>), NodeId> = FxHashMap::default();
    for candidate in new.children(after) {
        let id = new.attribute(candidate, "id").map(str::to_owned);
        twins.entry((new.name(candidate).to_owned(), id)).or_insert(candidate);
    }
    let mut last = None;
    for child in old.children(before) {
        let key = (old.name(child).to_owned(), old.attribute(child, "id").map(str::to_owned));
        match twins.get(&key) {
            Some(twin) => {
                restore_below(old, new, modes, child, *twin);
                last = Some(*twin);
            }
            None if is_hidden(old, modes, child) => {
                let next = last.map_or(new.first_node(after), |last| new.next_sibling(last));
                last = Some(new.import_before(after, next, old, child));
            }
            None => {}
        }
    }
}

fn is_hidden(document: &Document, modes: &Modes, id: NodeId) -> bool {
    document.descendants(id).all(|node| modes.of(node) == Mode::Denied)
}

// ---- permissions and modes

const READ: u8 = 1;
const WRITE: u8 = 2;
const DENY: u8 = 4;

/// The permissions of one user, as its roles grant them.
struct Permissions {
    granted: Vec<(u8, Selection)>,
}

enum Selection {
    XPath(XPath),
    /// The element with this id.
    Reference(String),
    /// Elements of this name, that have this attribute if one is given.
    Objects(String, Option<String>),
}

impl Permissions {
    fn of(document: &Document, user: &User) -> Permissions {
        let mut permissions = Permissions { granted: Vec::new() };
        let Some(acls) = crate::edit::find_section(document, "acls") else { return permissions };
        let acls = document.element(acls);
        // before schema 2.0, users held permissions themselves
        let present = crate::upgrade::present_acls(acls);
        let acls = present.as_ref().map_or(acls, Document::root_element);
        for member in acls.children().filter(|member| is_for(*member, user)) {
            for reference in member.children_named("role") {
                let role =
                    acls.children_named("acl_role").find(|role| role.attr("id") == reference.attr("id"));
                if let Some(role) = role {
                    permissions
                        .granted
                        .extend(role.children_named("acl_permission").filter_map(read_permission));
                }
            }
        }
        permissions
    }

    fn modes(&self, document: &Document) -> Modes {
        let mut marks: FxHashMap<NodeId, u8> = FxHashMap::default();
        for (mark, selection) in &self.granted {
            for node in selection.nodes(document) {
                *marks.entry(node).or_default() |= mark;
            }
        }
        let mut modes = Modes { modes: FxHashMap::default() };
        modes.spread(document, &marks);
        modes
    }
}

/// Whether a target or group applies to the user.
fn is_for(member: Element<'_>, user: &User) -> bool {
    let name = member.attr("name").or(member.attr("id")).unwrap_or("");
    match member.name() {
        "acl_target" => name == user.name,
        "acl_group" => user.groups.iter().any(|group| group == name),
        _ => false,
    }
}

/// Permissions without a sensible kind or selection grant and deny nothing.
fn read_permission(permission: Element<'_>) -> Option<(u8, Selection)> {
    let mark = match permission.attr("kind")? {
        "read" => READ,
        "write" => WRITE,
        "deny" => DENY,
        _ => return None,
    };
    let selection = if let Some(xpath) = permission.attr("xpath") {
        Selection::XPath(XPath::compile(xpath).ok()?)
    } else if let Some(reference) = permission.attr("reference") {
        Selection::Reference(reference.to_owned())
    } else {
        let attribute = permission.attr("attribute").map(str::to_owned);
        Selection::Objects(permission.attr("object-type")?.to_owned(), attribute)
    };
    Some((mark, selection))
}

impl Selection {
    fn nodes(&self, document: &Document) -> Vec<NodeId> {
        let all = || document.descendants(document.root());
        match self {
            Selection::XPath(xpath) => xpath.select(document).unwrap_or_default(),
            Selection::Reference(id) => {
                all().filter(|node| document.attribute(*node, "id") == Some(id)).collect()
            }
            Selection::Objects(name, attribute) => all()
                .filter(|node| {
                    document.name(*node) == name
                        && attribute.as_ref().is_none_or(|name| document.attribute(*node, name).is_some())
                })
                .collect(),
        }
    }
}

/// The mode of every element that is not denied.
struct Modes {
    modes: FxHashMap<NodeId, Mode>,
}

impl Modes {
    fn of(&self, id: NodeId) -> Mode {
        self.modes.get(&id).copied().unwrap_or(Mode::Denied)
    }

    /// A deny mark beats the others on the same element, a nearer mark those above; a read mark adds to what
    /// comes from above (rule 5c.10.3).
    fn spread(&mut self, document: &Document, marks: &FxHashMap<NodeId, u8>) {
        for node in document.descendants(document.root()) {
            let inherited = document.parent(node).map_or(Mode::Denied, |parent| self.of(parent));
            let mark = marks.get(&node).copied().unwrap_or(0);
            let mode = if mark & DENY != 0 {
                Mode::Denied
            } else if mark & WRITE != 0 {
                Mode::Writable
            } else if mark & READ != 0 {
                inherited.max(Mode::Readable)
            } else {
                inherited
            };
            if mode != Mode::Denied {
                self.modes.insert(node, mode);
            }
        }
    }
}

// ---- checking a change

struct Check<'a> {
    old: &'a Document,
    new: &'a Document,
    old_modes: Modes,
    new_modes: Modes,
    exempt: Exempt,
    old_paths: Finder,
    new_paths: Finder,
    /// What has positions below an element of the new document.
    children: FxHashMap<NodeId, Vec<NodeId>>,
    /// What was found out about paths: many changes have the same, or the same parent.
    writable: FxHashMap<String, bool>,
}

impl Check<'_> {
    fn change(&mut self, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::Delete { path, position: None } => self.need_write(path, "deleting"),
            // a comment belongs to its parent
            Change::Delete { path, .. } => self.need_write(parent_path(path), "changing"),
            Change::Modify { path, changes, .. } if self.is_exempt(path, changes) => Ok(()),
            Change::Modify { path, .. } => self.need_write(path, "changing"),
            Change::Move { path, .. } => {
                self.need_write(path, "moving")?;
                self.need_write(parent_path(path), "reordering")
            }
            Change::Create { path, position, .. } => self.create(path, *position),
        }
    }

    fn need_write(&mut self, path: &str, doing: &str) -> Result<(), Refusal> {
        if self.is_writable(path) {
            return Ok(());
        }
        Err(denied(&format!("{doing} this element is not permitted")).at_path(path))
    }

    fn is_writable(&mut self, path: &str) -> bool {
        if let Some(known) = self.writable.get(path) {
            return *known;
        }
        // a path may mean several twins: the user needs all of them
        let nodes = self.old_paths.find_all(self.old, path);
        let writable =
            !nodes.is_empty() && nodes.iter().all(|node| self.old_modes.of(*node) == Mode::Writable);
        self.writable.insert(path.to_owned(), writable);
        writable
    }

    fn is_exempt(&self, path: &str, changes: &[AttributeChange]) -> bool {
        const SYSTEM: [&str; 4] = ["cib-last-written", "update-origin", "update-client", "update-user"];
        self.exempt.system_attributes
            && path == "/cib"
            && changes.iter().all(|change| {
                let (AttributeChange::Set { name, .. } | AttributeChange::Unset { name }) = change;
                VERSION_ATTRIBUTES.contains(&&**name) || SYSTEM.contains(&&**name)
            })
    }

    fn create(&mut self, path: &str, position: usize) -> Result<(), Refusal> {
        let parent = self.new_paths.find_all(self.new, path).first().copied();
        let created = parent.and_then(|parent| {
            let children = self.children.entry(parent).or_insert_with(|| diff::structure(self.new, parent));
            children.get(position).copied()
        });
        let (Some(parent), Some(created)) = (parent, created) else {
            return Err(denied("creating this element is not permitted").at_path(path));
        };
        if self.new.kind(created) == NodeKind::Comment {
            return self.need_write_in_new(parent);
        }
        self.new.descendants(created).try_for_each(|node| {
            if self.is_scaffolding(node) { Ok(()) } else { self.need_write_in_new(node) }
        })
    }

    fn need_write_in_new(&self, node: NodeId) -> Result<(), Refusal> {
        match self.new_modes.of(node) {
            Mode::Writable => Ok(()),
            _ => {
                let path = diff::path_of(self.new, node);
                Err(denied("creating this element is not permitted").at_path(path))
            }
        }
    }

    /// An element without any meaning of its own, needed to hold others.
    fn is_scaffolding(&self, node: NodeId) -> bool {
        let below_acls = || {
            std::iter::once(node).chain(self.new.ancestors(node)).any(|above| self.new.name(above) == "acls")
        };
        self.new.attributes(node).all(|(name, _)| name == "id") && !below_acls()
    }
}

fn parent_path(path: &str) -> &str {
    // ids may hold slashes: the last step begins after the last predicate that closes before it
    let end = match path.strip_suffix("']").or_else(|| path.strip_suffix("\"]")) {
        Some(open) => open.rfind("[@id=").unwrap_or(open.len()),
        None => path.len(),
    };
    path[..end].rfind('/').map_or("", |slash| &path[..slash])
}

fn denied(message: &str) -> Refusal {
    Refusal::new(RefusalCode::Denied, message)
}
