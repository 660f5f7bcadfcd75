//! Makes the changes of a patch.

use std::collections::{BTreeMap, BTreeSet};

use super::path::{Finder, find};
use super::{Change, MissingPlace, structure};
use crate::document::{Document, NodeId, NodeKind};

/// Applies changes to a document. A deletion of what is not there is no error; other missing places are
/// returned, and the rest is still done: whoever needs all or nothing works on a copy.
pub fn apply(doc: &mut Document, changes: &[Change]) -> Vec<MissingPlace> {
    let mut missing = Vec::new();
    delete_all(doc, changes);
    let mut finder = Finder::default();
    let mut placings: Vec<Placing<'_>> = Vec::new();
    for change in changes {
        let (Change::Modify { path, .. } | Change::Create { path, .. } | Change::Move { path, .. }) = change
        else {
            continue;
        };
        let Some(&node) = finder.find_all(doc, path).first() else {
            missing.push(MissingPlace { path: path.clone() });
            continue;
        };
        match change {
            Change::Modify { result, .. } => {
                let id = doc.attribute(node, "id").map(str::to_owned);
                doc.clear_attributes(node);
                for (name, value) in result {
                    doc.set_attribute(node, name, value);
                }
                if doc.attribute(node, "id") != id.as_deref() {
                    finder.forget(doc, node);
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

/// Moved nodes wait at the end of their parent, so that each index is already the final one when used. As the
/// positions rise, each is looked for from the one before.
fn place_all(doc: &mut Document, mut placings: Vec<Placing<'_>>) {
    for placing in &placings {
        if let What::Old(node) = placing.what {
            doc.move_to(node, placing.parent, None);
        }
    }
    placings.sort_by_key(|placing| placing.position);
    let mut last: BTreeMap<NodeId, (NodeId, usize)> = BTreeMap::new();
    let mut moved: BTreeSet<NodeId> = BTreeSet::new();
    for Placing { position, parent, what } in placings {
        let moving = match what {
            What::New(_) => None,
            What::Old(node) => Some(node),
        };
        if moving.is_some_and(|node| !moved.insert(node)) {
            // a second time: what stands behind its place is counted anew
            last.remove(&parent);
        }
        let (before, position) = place(doc, parent, last.get(&parent).copied(), position, moving);
        let node = match what {
            What::New(subtree) => doc.import_before(parent, before, subtree, subtree.root()),
            What::Old(node) => {
                doc.move_before(node, parent, before);
                node
            }
        };
        last.insert(parent, (node, position));
    }
}

/// The node that has `position` below `parent`, not counting the one that is being moved, and the position;
/// none, and the position at the end, if there are fewer. Goes on from a node whose lower position is known.
fn place(
    doc: &Document,
    parent: NodeId,
    known: Option<(NodeId, usize)>,
    position: usize,
    moving: Option<NodeId>,
) -> (Option<NodeId>, usize) {
    let (first, mut at) = match known {
        Some((node, at)) => (Some(node), at),
        None => (doc.first_node(parent), 0),
    };
    let counts = |node: &NodeId| doc.kind(*node) != NodeKind::Text && Some(*node) != moving;
    for node in std::iter::successors(first, |node| doc.next_sibling(*node)).filter(counts) {
        if at == position {
            return (Some(node), at);
        }
        at += 1;
    }
    (None, at)
}

/// Finds all victims first: their paths and positions are those of the unchanged document.
fn delete_all(doc: &mut Document, changes: &[Change]) {
    let mut finder = Finder::default();
    let mut victims: BTreeSet<NodeId> = BTreeSet::new();
    // of twins each deletion means the next one that is still there
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut comments: BTreeMap<&str, Vec<NodeId>> = BTreeMap::new();
    for change in changes {
        let Change::Delete { path, position } = change else { continue };
        let chosen = match position {
            Some(position) => {
                let siblings = comments.entry(path).or_insert_with(|| beside_comments(doc, path));
                siblings.get(*position).copied().filter(|node| doc.kind(*node) == NodeKind::Comment)
            }
            None => {
                let candidates = finder.find_all(doc, path);
                let next = taken.entry(path).or_default();
                *next += candidates[*next..].iter().take_while(|node| victims.contains(node)).count();
                candidates.get(*next).copied()
            }
        };
        // the root can be emptied but not deleted
        victims.extend(chosen.filter(|node| *node != doc.root()));
    }
    for victim in victims {
        doc.remove(victim);
    }
}

/// All that has a position where this path of a comment leads.
fn beside_comments(doc: &Document, path: &str) -> Vec<NodeId> {
    let parent = path.strip_suffix("/comment").and_then(|above| find(doc, above));
    parent.map(|parent| structure(doc, parent)).unwrap_or_default()
}
