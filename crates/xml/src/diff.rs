//! What changed between two trees, as a list of changes that turns the one into the other.
//!
//! Elements are the same if they have the same name, the same id (or none) and the same parent. Siblings that
//! cannot be told apart (same name and id twice) are never matched but deleted and created anew, because a
//! path can only mean the first of them. Elements that hold text are
//! replaced as a whole when anything in them differs. Comments
//! match by content. The two roots must have the same name.

mod apply;
mod path;

use std::collections::BTreeMap;
use std::fmt;

use crate::document::{Document, NodeId, NodeKind};
pub use apply::apply;
pub use path::{Finder, find, find_all, path_of};

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

/// Child elements and comments: what has positions.
pub fn structure(doc: &Document, id: NodeId) -> Vec<NodeId> {
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
