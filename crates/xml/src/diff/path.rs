//! Paths of patches: which element of a document they mean.

use std::collections::BTreeMap;

use crate::document::{Document, NodeId, NodeKind};

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

/// First element with this path, if there is one.
pub fn find(doc: &Document, path: &str) -> Option<NodeId> {
    find_all(doc, path).into_iter().next()
}

/// All candidates for the last step; of each step before only the first counts.
pub fn find_all(doc: &Document, path: &str) -> Vec<NodeId> {
    Finder::default().find_all(doc, path).to_vec()
}

/// Finds many paths in one document, which must not change meanwhile. Parents that many paths go through get an
/// index of their children.
#[derive(Default)]
pub struct Finder {
    parents: BTreeMap<NodeId, Parent>,
    /// What was found without an index.
    found: Vec<NodeId>,
}

#[derive(Default)]
struct Parent {
    /// How often its children were looked through.
    searches: u32,
    index: Option<Index>,
}

/// By name the children without id, then those with one; by name and id those that have it.
#[derive(Default)]
struct Index {
    by_name: BTreeMap<String, Vec<NodeId>>,
    by_id: BTreeMap<String, BTreeMap<String, Vec<NodeId>>>,
}

/// Searches among the same children before an index is worth its price.
const SEARCHES_WITHOUT_INDEX: u32 = 4;

impl Finder {
    /// All candidates for the last step; of each step before only the first counts.
    pub fn find_all(&mut self, doc: &Document, path: &str) -> &[NodeId] {
        let Some(steps) = steps(path) else { return &[] };
        let Some((last, above)) = steps.split_last() else { return &[] };
        let mut parent = None;
        for step in above {
            let Some(first) = self.step(doc, parent, step).first() else { return &[] };
            parent = Some(*first);
        }
        self.step(doc, parent, last)
    }

    /// The children of `parent` (or the root) that a step means.
    fn step(&mut self, doc: &Document, parent: Option<NodeId>, step: &Step<'_>) -> &[NodeId] {
        let Some(parent) = parent else {
            self.found = step.matching(doc, std::iter::once(doc.root()));
            return &self.found;
        };
        let known = self.parents.entry(parent).or_default();
        known.searches += 1;
        if known.searches <= SEARCHES_WITHOUT_INDEX {
            self.found = step.matching(doc, doc.children(parent));
            return &self.found;
        }
        known.index.get_or_insert_with(|| Index::of(doc, parent)).get(step)
    }

    /// The attributes of an element have changed: it may be found elsewhere.
    pub(super) fn forget(&mut self, doc: &Document, element: NodeId) {
        if let Some(known) = doc.parent(element).and_then(|parent| self.parents.get_mut(&parent)) {
            known.index = None;
        }
    }
}

impl Index {
    fn of(doc: &Document, parent: NodeId) -> Index {
        let mut index = Index::default();
        let (with_id, without): (Vec<NodeId>, Vec<NodeId>) =
            doc.children(parent).partition(|child| doc.attribute(*child, "id").is_some());
        for child in without.into_iter().chain(with_id) {
            let name = doc.name(child).to_owned();
            if let Some(id) = doc.attribute(child, "id") {
                let same_name = index.by_id.entry(name.clone()).or_default();
                same_name.entry(id.to_owned()).or_default().push(child);
            }
            index.by_name.entry(name).or_default().push(child);
        }
        index
    }

    fn get(&self, step: &Step<'_>) -> &[NodeId] {
        let found = match step.id {
            Some(id) => self.by_id.get(step.name).and_then(|same_name| same_name.get(id)),
            None => self.by_name.get(step.name),
        };
        found.map(Vec::as_slice).unwrap_or_default()
    }
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
