//! References (`id-ref`) during an upgrade: filled in before a step, so that it sees what a place
//! really means, and turned back into references after it.

use super::Editor;
use std::collections::{BTreeMap, BTreeSet};
use xml::NodeId;

const REFERABLE: [&str; 8] = [
    "cluster_property_set",
    "instance_attributes",
    "meta_attributes",
    "utilization",
    "nvpair",
    "rule",
    "operations",
    "resource_set",
];

/// Replaces references by copies of what they refer to. True if there were any. Dangling references
/// stay; pairs with a name of their own are for the step to the newest schema.
pub(super) fn resolve(editor: &mut Editor<'_>) -> bool {
    let mut found = false;
    // A copied block may itself hold references: a few rounds cover every sensible nesting.
    for _ in 0..4 {
        let referring: Vec<NodeId> = editor
            .all(&REFERABLE)
            .into_iter()
            .filter(|id| {
                editor.doc.attribute(*id, "id-ref").is_some() && editor.doc.attribute(*id, "name").is_none()
            })
            .collect();
        let definitions = definitions(editor);
        let mut progress = false;
        for place in referring {
            let key = (editor.doc.name(place).to_owned(), editor.attr(place, "id-ref").unwrap_or_default());
            if let Some(Some(definition)) = definitions.get(&key) {
                fill(editor, place, *definition);
                progress = true;
            }
        }
        found |= progress;
        if !progress {
            break;
        }
    }
    found
}

/// Elements with an ID of their own by name and ID; `None` if not unique.
fn definitions(editor: &Editor<'_>) -> BTreeMap<(String, String), Option<NodeId>> {
    let mut known = BTreeMap::new();
    for id in editor.all(&REFERABLE) {
        if let Some(own) = editor.attr(id, "id") {
            let key = (editor.doc.name(id).to_owned(), own);
            known.entry(key).and_modify(|found| *found = None).or_insert(Some(id));
        }
    }
    known
}

fn fill(editor: &mut Editor<'_>, place: NodeId, definition: NodeId) {
    let inside = editor.doc.ancestors(place).any(|above| above == definition);
    if inside {
        return;
    }
    let Some(parent) = editor.doc.parent(place) else { return };
    let position = editor.doc.position(place);
    editor.doc.remove(place);
    editor.doc.duplicate(parent, Some(position), definition);
}

/// The first element with an ID stays; later ones become references to it.
pub(super) fn restore(editor: &mut Editor<'_>) {
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    for id in editor.all(&REFERABLE) {
        if !editor.doc.contains(id) {
            continue;
        }
        let Some(own) = editor.attr(id, "id") else { continue };
        let key = (editor.doc.name(id).to_owned(), own);
        if seen.insert(key.clone()) {
            continue;
        }
        editor.doc.clear_children(id);
        editor.doc.clear_attributes(id);
        editor.doc.set_attribute(id, "id-ref", &key.1);
    }
}
