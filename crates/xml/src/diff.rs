//! What changed between two trees, as a list of changes that turns the one into the other.
//!
//! Elements are the same if they have the same name, the same id (or none) and the same parent. Siblings that
//! cannot be told apart (same name and id twice) are never matched but deleted and created anew, because a
//! path can only mean the first of them. Elements that hold text are
//! replaced as a whole when anything in them differs. Comments
//! match by content. The two roots must have the same name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::document::{Document, NodeId, NodeKind};

/// One step of a patch. Positions count sibling elements and comments from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Removes a node with everything below it. Comments are told apart by their position before any change.
    Delete { path: String, position: Option<usize> },
    /// Replaces the attributes of an element by `result`.
    Modify { path: String, changes: Vec<AttributeChange>, element: String, result: Vec<(String, String)> },
    /// Adds a subtree (its root is the new element or comment) below `path`; the position is that in the
    /// finished document.
    Create { path: String, position: usize, subtree: Document },
    /// Gives an element another position among its siblings, that of the finished document.
    Move { path: String, position: usize },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeChange {
    Set { name: String, value: String },
    Unset { name: String },
}

/// A change whose place does not exist in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPlace {
    pub path: String,
}

impl fmt::Display for MissingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the patch changes {}, which does not exist here", self.path)
    }
}

impl std::error::Error for MissingPlace {}

/// What counts as a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeOrder {
    /// Another order of attributes is a change: after applying, both documents print the same text.
    Matters,
    /// Another order of attributes is no change.
    Ignored,
}

/// Changes that turn `source` into `target`: all deletions, then depth first through `target` each element's
/// attributes, its children's changes and its move.
pub fn diff(source: &Document, target: &Document, order: AttributeOrder) -> Vec<Change> {
    let mut differ = Differ { source, target, order, deletions: Vec::new(), changes: Vec::new() };
    differ.element(source.root(), target.root());
    let mut changes = differ.deletions;
    changes.append(&mut differ.changes);
    changes
}

/// Path of a node in the form patches use: `/a/b[@id='x']/c`.
pub fn path_of(doc: &Document, id: NodeId) -> String {
    let mut nodes: Vec<NodeId> = doc.ancestors(id).collect();
    nodes.reverse();
    nodes.push(id);
    nodes.into_iter().map(|node| step_of(doc, node)).collect()
}

fn step_of(doc: &Document, id: NodeId) -> String {
    if doc.kind(id) == NodeKind::Comment {
        return "/comment".to_owned();
    }
    match doc.attribute(id, "id") {
        Some(value) if value.contains('\'') => format!("/{}[@id=\"{value}\"]", doc.name(id)),
        Some(value) => format!("/{}[@id='{value}']", doc.name(id)),
        None => format!("/{}", doc.name(id)),
    }
}

struct Differ<'a> {
    source: &'a Document,
    target: &'a Document,
    order: AttributeOrder,
    deletions: Vec<Change>,
    changes: Vec<Change>,
}

impl<'a> Differ<'a> {
    /// Paths are made only where there is a change: most elements have none.
    fn element(&mut self, old: NodeId, new: NodeId) {
        self.attributes(old, new);
        if self.source.first_node(old).is_none() && self.target.first_node(new).is_none() {
            return;
        }
        let old_children = structure(self.source, old);
        let new_children = structure(self.target, new);
        let matches = self.match_children(&old_children, &new_children);
        self.delete_unmatched(&old_children, &matches);
        let stays = longest_rise(&matches);
        for (position, child) in new_children.iter().enumerate() {
            match matches[position] {
                None => self.changes.push(Change::Create {
                    path: path_of(self.target, new),
                    position,
                    subtree: self.target.extract(*child),
                }),
                Some(old_position) => {
                    if self.target.kind(*child) == NodeKind::Comment {
                        continue;
                    }
                    self.element(old_children[old_position], *child);
                    if !stays[position] {
                        self.changes.push(Change::Move { path: path_of(self.target, *child), position });
                    }
                }
            }
        }
    }

    fn attributes(&mut self, old: NodeId, new: NodeId) {
        let (source, target) = (self.source, self.target);
        if source.attributes(old).eq(target.attributes(new)) {
            return;
        }
        let mut changes: Vec<AttributeChange> = Vec::new();
        for (name, _) in source.attributes(old) {
            if target.attribute(new, name).is_none() {
                changes.push(AttributeChange::Unset { name: name.to_owned() });
            }
        }
        for (name, value) in target.attributes(new) {
            if source.attribute(old, name) != Some(value) {
                changes.push(AttributeChange::Set { name: name.to_owned(), value: value.to_owned() });
            }
        }
        if changes.is_empty() && self.order == AttributeOrder::Ignored {
            return;
        }
        self.changes.push(Change::Modify {
            path: path_of(target, new),
            changes,
            element: target.name(new).to_owned(),
            result: target.attributes(new).map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        });
    }

    /// For each new child the index of the old child it continues.
    fn match_children(&self, old: &[NodeId], new: &[NodeId]) -> Vec<Option<usize>> {
        let (old_keys, new_keys) = (keys(self.source, old), keys(self.target, new));
        // what cannot be told apart need not be if nothing has changed
        let unchanged = || old.iter().zip(new).all(|(old, new)| self.source.same(*old, self.target, *new));
        let same_order = old_keys == new_keys && (all_different(&old_keys) || unchanged());
        let mut matches: Vec<Option<usize>> = if same_order {
            (0..new.len()).map(Some).collect()
        } else {
            let old_places = places(&old_keys);
            let new_places = places(&new_keys);
            let only = |places: &BTreeMap<Key<'_>, Vec<usize>>, key| match places.get(key).map(Vec::as_slice)
            {
                Some([place]) => Some(*place),
                _ => None,
            };
            let unique = |key| only(&new_places, key).and_then(|_| only(&old_places, key));
            new_keys.iter().map(unique).collect()
        };
        for (position, child) in new.iter().enumerate() {
            let can_continue = |place: &usize| {
                let holds_text = holds_text(self.source, old[*place]) || holds_text(self.target, *child);
                !holds_text || self.source.same(old[*place], self.target, *child)
            };
            matches[position] = matches[position].filter(can_continue);
        }
        if !same_order {
            self.unmatch_moved_comments(new, &mut matches);
        }
        matches
    }

    /// A comment has no path of its own, so it cannot be moved: it is deleted and created.
    fn unmatch_moved_comments(&self, new: &[NodeId], matches: &mut [Option<usize>]) {
        let stays = longest_rise(matches);
        for (position, child) in new.iter().enumerate() {
            if !stays[position] && self.target.kind(*child) == NodeKind::Comment {
                matches[position] = None;
            }
        }
    }

    fn delete_unmatched(&mut self, old: &[NodeId], matches: &[Option<usize>]) {
        if matches.len() == old.len() && matches.iter().all(Option::is_some) {
            return;
        }
        let mut kept = vec![false; old.len()];
        for place in matches.iter().flatten() {
            kept[*place] = true;
        }
        for (position, child) in old.iter().enumerate().filter(|(position, _)| !kept[*position]) {
            let is_comment = self.source.kind(*child) == NodeKind::Comment;
            self.deletions.push(Change::Delete {
                path: path_of(self.source, *child),
                position: is_comment.then_some(position),
            });
        }
    }
}

/// Child elements and comments.
fn structure(doc: &Document, id: NodeId) -> Vec<NodeId> {
    doc.nodes(id).filter(|child| doc.kind(*child) != NodeKind::Text).collect()
}

fn holds_text(doc: &Document, id: NodeId) -> bool {
    doc.nodes(id).any(|child| doc.kind(child) == NodeKind::Text)
}

/// Name and id, or the content of a comment.
type Key<'a> = (&'a str, Option<&'a str>);

fn keys<'a>(doc: &'a Document, nodes: &[NodeId]) -> Vec<Key<'a>> {
    nodes
        .iter()
        .map(|node| match doc.kind(*node) {
            NodeKind::Element => (doc.name(*node), doc.attribute(*node, "id")),
            _ => ("#comment", Some(doc.leaf_text(*node))),
        })
        .collect()
}

fn all_different(keys: &[Key<'_>]) -> bool {
    if keys.len() < 8 {
        return keys.iter().enumerate().all(|(n, key)| !keys[..n].contains(key));
    }
    places(keys).len() == keys.len()
}

fn places<'a>(keys: &[Key<'a>]) -> BTreeMap<Key<'a>, Vec<usize>> {
    let mut places: BTreeMap<Key<'a>, Vec<usize>> = BTreeMap::new();
    for (position, key) in keys.iter().enumerate() {
        places.entry(*key).or_default().push(position);
    }
    places
}

/// Marks the positions that can stay while the others move: a longest rising subsequence.
fn longest_rise(matches: &[Option<usize>]) -> Vec<bool> {
    let mut stays = vec![false; matches.len()];
    if matches.iter().flatten().is_sorted() {
        stays.iter_mut().zip(matches).for_each(|(stays, place)| *stays = place.is_some());
        return stays;
    }
    // tails[n]: position of the smallest last place of a rise of n + 1 members
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; matches.len()];
    for (position, place) in matches.iter().enumerate() {
        let Some(place) = place else { continue };
        let rank = tails.partition_point(|tail| matches[*tail].is_some_and(|other| other < *place));
        before[position] = rank.checked_sub(1).map(|rank| tails[rank]);
        match tails.get_mut(rank) {
            Some(tail) => *tail = position,
            None => tails.push(position),
        }
    }
    let mut current = tails.last().copied();
    while let Some(position) = current {
        stays[position] = true;
        current = before[position];
    }
    stays
}

/// Applies changes to a document. A deletion of what is not there is no error; other missing places are
/// returned, and the rest is still done: whoever needs all or nothing works on a copy.
pub fn apply(doc: &mut Document, changes: &[Change]) -> Vec<MissingPlace> {
    let mut missing = Vec::new();
    delete_all(doc, changes);
    let mut placings: Vec<Placing<'_>> = Vec::new();
    for change in changes {
        let (Change::Modify { path, .. } | Change::Create { path, .. } | Change::Move { path, .. }) = change
        else {
            continue;
        };
        let Some(node) = find(doc, path) else {
            missing.push(MissingPlace { path: path.clone() });
            continue;
        };
        match change {
            Change::Modify { result, .. } => {
                doc.clear_attributes(node);
                for (name, value) in result {
                    doc.set_attribute(node, name, value);
                }
            }
            Change::Create { position, subtree, .. } => {
                placings.push(Placing { position: *position, parent: node, what: What::New(subtree) });
            }
            Change::Move { position, .. } => {
                if let Some(parent) = doc.parent(node) {
                    placings.push(Placing { position: *position, parent, what: What::Old(node) });
                }
            }
            Change::Delete { .. } => {}
        }
    }
    place_all(doc, placings);
    missing
}

struct Placing<'a> {
    position: usize,
    parent: NodeId,
    what: What<'a>,
}

enum What<'a> {
    New(&'a Document),
    Old(NodeId),
}

/// Moved nodes wait at the end of their parent, so that each index is already the final one when used.
fn place_all(doc: &mut Document, mut placings: Vec<Placing<'_>>) {
    for placing in &placings {
        if let What::Old(node) = placing.what {
            doc.move_to(node, placing.parent, None);
        }
    }
    placings.sort_by_key(|placing| placing.position);
    for Placing { position, parent, what } in placings {
        match what {
            What::New(subtree) => {
                doc.import(parent, Some(position), subtree, subtree.root());
            }
            What::Old(node) => {
                doc.move_to(node, parent, Some(position));
            }
        }
    }
}

/// Finds all victims first: their paths and positions are those of the unchanged document.
fn delete_all(doc: &mut Document, changes: &[Change]) {
    let mut victims: BTreeSet<NodeId> = BTreeSet::new();
    for change in changes {
        let Change::Delete { path, position } = change else { continue };
        let chosen = match position {
            Some(position) => find_comment(doc, path, *position),
            None => find_all(doc, path).into_iter().find(|node| !victims.contains(node)),
        };
        // the root can be emptied but not deleted
        victims.extend(chosen.filter(|node| *node != doc.root()));
    }
    for victim in victims {
        doc.remove(victim);
    }
}

/// First element with this path, if there is one.
pub fn find(doc: &Document, path: &str) -> Option<NodeId> {
    find_all(doc, path).into_iter().next()
}

fn find_comment(doc: &Document, path: &str, position: usize) -> Option<NodeId> {
    let parent = find(doc, path.strip_suffix("/comment")?)?;
    structure(doc, parent).get(position).copied().filter(|node| doc.kind(*node) == NodeKind::Comment)
}

/// All candidates for the last step; of each step before only the first counts.
pub fn find_all(doc: &Document, path: &str) -> Vec<NodeId> {
    let Some(steps) = steps(path) else { return Vec::new() };
    let mut candidates = Vec::new();
    for (level, step) in steps.iter().enumerate() {
        candidates = match (level, candidates.first()) {
            (0, _) => step.matching(doc, std::iter::once(doc.root())),
            (_, Some(parent)) => step.matching(doc, doc.children(*parent)),
            (_, None) => return candidates,
        };
    }
    candidates
}

struct Step<'a> {
    name: &'a str,
    id: Option<&'a str>,
}

impl Step<'_> {
    /// Elements this step means; without a predicate those without id come first.
    fn matching(&self, doc: &Document, nodes: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
        let named = nodes.filter(|node| doc.name(*node) == self.name);
        if self.id.is_some() {
            return named.filter(|node| doc.attribute(*node, "id") == self.id).collect();
        }
        let (with_id, mut found): (Vec<NodeId>, Vec<NodeId>) =
            named.partition(|node| doc.attribute(*node, "id").is_some());
        found.extend(with_id);
        found
    }
}

/// Reads `/a/b[@id='x']`; nothing if the path has another form.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        rest = rest.strip_prefix('/')?;
        let end = rest.find(['/', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let mut id = None;
        rest = after;
        if let Some(predicate) = rest.strip_prefix("[@id=") {
            let quote = predicate.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            let (value, after) = predicate[1..].split_once(quote)?;
            id = Some(value);
            rest = after.strip_prefix(']')?;
        }
        steps.push(Step { name, id });
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(text).expect("sample")
    }

    fn changes(a: &str, b: &str) -> Vec<String> {
        let (a, b) = (parse(a), parse(b));
        let changes = diff(&a, &b, AttributeOrder::Matters);
        let mut patched = a.clone();
        assert_eq!(apply(&mut patched, &changes), []);
        assert_eq!(patched, b);
        changes
            .into_iter()
            .map(|change| match change {
                Change::Delete { path, position: None } => format!("-{path}"),
                Change::Delete { path, position: Some(position) } => format!("-{path}@{position}"),
                Change::Modify { path, changes, .. } => format!("~{path} {}", changes.len()),
                Change::Create { path, position, subtree } => format!("+{path}@{position} {subtree}"),
                Change::Move { path, position } => format!(">{path}@{position}"),
            })
            .collect()
    }

    #[test]
    fn equal_documents_have_no_difference() {
        assert!(changes("<a x='1'><b id='1'/></a>", "<a x='1'> <b id='1'/> </a>").is_empty());
    }

    #[test]
    fn each_kind_of_change() {
        assert_eq!(
            changes(
                "<a x='1'><b id='1'/><b id='2'><c/></b><d/></a>",
                "<a x='2'><d y='1'/><b id='3'/><b id='2'/></a>"
            ),
            ["-/a/b[@id='1']", "-/a/b[@id='2']/c", "~/a 1", "~/a/d 1", ">/a/d@0", "+/a@1 <b id=\"3\"/>"]
        );
    }

    #[test]
    fn a_swap_moves_the_one_that_came_forward() {
        assert_eq!(
            changes("<a><b id='1'/><b id='2'/></a>", "<a><b id='2'/><b id='1'/></a>"),
            [">/a/b[@id='2']@0"]
        );
    }

    #[test]
    fn comments_have_positions() {
        assert_eq!(
            changes("<a><b/><!--x--><c/></a>", "<a><!--x--><b/><c/></a>"),
            ["-/a/comment@1", "+/a@0 <!--x-->"]
        );
    }

    #[test]
    fn twins_are_made_anew() {
        assert_eq!(
            changes("<a><b x='1'/><b x='2'/></a>", "<a><b x='2'/></a>"),
            ["-/a/b", "-/a/b", "+/a@0 <b x=\"2\"/>"]
        );
    }

    #[test]
    fn ids_with_quotes_are_found() {
        assert_eq!(changes("<a><b id=\"it's\"/></a>", "<a/>"), ["-/a/b[@id=\"it's\"]"]);
    }

    #[test]
    fn missing_places_are_told() {
        let mut doc = parse("<a/>");
        let nowhere = |path: &str| Change::Move { path: path.into(), position: 0 };
        let missing = apply(&mut doc, &[nowhere("/a/b"), nowhere("x"), nowhere("/a[@id='"), nowhere("")]);
        assert_eq!(missing.len(), 4);
        assert!(apply(&mut doc, &[Change::Delete { path: "/a/b".into(), position: None }]).is_empty());
    }
}
