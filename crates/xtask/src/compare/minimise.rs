//! Makes an input that shows a difference as small as it goes.

use xml::{Document, NodeId};

/// Removes elements as long as `shows` still holds; the largest first, until a round changes nothing.
pub fn minimise(text: &str, mut shows: impl FnMut(&str) -> bool) -> String {
    let Ok(document) = Document::parse(text) else { return text.to_owned() };
    let mut smallest = document;
    loop {
        let before = smallest.subtree(smallest.root()).count();
        let mut position = 0;
        while let Some(candidate) = removable(&smallest, position) {
            let mut smaller = smallest.clone();
            smaller.remove(candidate);
            if shows(&smaller.to_pretty()) {
                smallest = smaller;
            } else {
                position += 1;
            }
        }
        if smallest.subtree(smallest.root()).count() == before {
            return smallest.to_pretty();
        }
    }
}

/// Sections that every document must have.
const KEPT: &[&str] = &["cib", "configuration", "crm_config", "nodes", "resources", "constraints", "status"];

fn removable(document: &Document, position: usize) -> Option<NodeId> {
    let mut elements = document.subtree(document.root()).filter(|node| !KEPT.contains(&document.name(*node)));
    elements.nth(position)
}
