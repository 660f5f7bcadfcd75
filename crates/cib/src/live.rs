//! Operation history written straight into the tree: what the cluster itself changes most often, without
//! text and paths in between. The result is the one that the same elements would have as a request.

use std::borrow::Cow;

use xml::{Document, NodeId};

use crate::document::{Applied, CibDocument};
use crate::edit::Touched;

/// Names and values of an element, in the order in which they stand.
pub type Attributes<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// What is known of a resource on a node: an `lrm_resource` with its `lrm_rsc_op` elements. Each of them
/// begins with the attribute `id`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryElement<'a> {
    pub attributes: Attributes<'a>,
    pub entries: Vec<Attributes<'a>>,
}

/// The history of a resource on a node is to be this, or to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryChange<'a> {
    /// Id of the `node_state`.
    pub node: Cow<'a, str>,
    /// Id of the `lrm_resource`.
    pub resource: Cow<'a, str>,
    pub element: Option<HistoryElement<'a>>,
}

impl CibDocument {
    /// Makes all these changes with one step of `num_updates`, or none if everything is so already.
    pub fn write_histories(&mut self, changes: &[HistoryChange<'_>]) -> Applied {
        self.edit_status(|document, status| {
            changes.iter().filter(|change| write(document, status, change)).count() > 0
        })
    }

    /// Makes these changes, whose steps of `num_updates` were taken before ([`CibDocument::step`]). What a history
    /// stands in is there afterwards, even if the history itself came and went meanwhile.
    pub fn write_histories_late(&mut self, changes: &[HistoryChange<'_>]) {
        self.edit_status(|document, status| {
            for change in changes {
                resources_of(document, status, &change.node, &mut false);
                write(document, status, change);
            }
            // no step of its own
            false
        });
    }

    /// Takes a step of `num_updates` for a change of the status that is written later.
    pub fn step(&mut self) {
        let after = self.version().next_update();
        after.write_to(self.tree_mut());
    }

    /// A change of `status` that cannot fail; `edit` says whether it changed anything.
    fn edit_status(&mut self, edit: impl FnOnce(&mut Document, NodeId) -> bool) -> Applied {
        let before = self.version();
        let document = self.tree_mut();
        let root = document.root();
        let status = match document.child(root, "status") {
            Some(status) => status,
            None => document.append_element(root, "status"),
        };
        let touched = Touched { status: edit(document, status), ..Touched::default() };
        let after = if touched.any() { before.next_update() } else { before };
        if touched.any() {
            after.write_to(document);
        }
        if document.is_sparse() {
            document.compact();
        }
        Applied { before, after, touched, warnings: Vec::new() }
    }
}

fn write(document: &mut Document, status: NodeId, change: &HistoryChange<'_>) -> bool {
    let Some(element) = &change.element else { return remove(document, status, change) };
    let mut changed = false;
    let resources = resources_of(document, status, &change.node, &mut changed);
    let resource = with_id(document, resources, "lrm_resource", &change.resource, &mut changed);
    changed |= assign(document, resource, &element.attributes);
    write_entries(document, resource, &element.entries) || changed
}

/// What the histories of a node stand in; made if missing.
fn resources_of(document: &mut Document, status: NodeId, node: &str, changed: &mut bool) -> NodeId {
    let state = with_id(document, status, "node_state", node, changed);
    let lrm = only(document, state, "lrm", changed);
    if document.attribute(lrm, "id").is_none() {
        document.set_attribute(lrm, "id", node);
    }
    only(document, lrm, "lrm_resources", changed)
}

fn remove(document: &mut Document, status: NodeId, change: &HistoryChange<'_>) -> bool {
    let found = find(document, status, "node_state", &change.node)
        .and_then(|state| document.child(state, "lrm"))
        .and_then(|lrm| document.child(lrm, "lrm_resources"))
        .and_then(|resources| find(document, resources, "lrm_resource", &change.resource));
    found.map(|resource| document.remove(resource)).is_some()
}

/// The children become these entries, in this order.
fn write_entries(document: &mut Document, resource: NodeId, entries: &[Attributes<'_>]) -> bool {
    let mut changed = false;
    let mut standing = document.first_node(resource);
    for (position, entry) in entries.iter().enumerate() {
        let id = entry.first().map_or("", |(_, value)| value);
        // what stands before the next entry that is wanted is wanted no more
        while let Some(other) = standing
            && document.attribute(other, "id") != Some(id)
            && !entries[position..].iter().any(|later| document.attribute(other, "id") == Some(&*later[0].1))
        {
            standing = document.next_sibling(other);
            document.remove(other);
            changed = true;
        }
        let node = match standing.filter(|node| document.attribute(*node, "id") == Some(id)) {
            Some(node) => {
                standing = document.next_sibling(node);
                node
            }
            None => {
                changed = true;
                document.insert_element(resource, position, "lrm_rsc_op")
            }
        };
        changed |= assign(document, node, entry);
    }
    while let Some(node) = standing {
        standing = document.next_sibling(node);
        document.remove(node);
        changed = true;
    }
    changed
}

/// The element gets these attributes and no others, in this order: what stands in the end does not depend on
/// what stood there before, so that replicas may leave steps out.
fn assign(document: &mut Document, node: NodeId, attributes: &Attributes<'_>) -> bool {
    let mut changed = false;
    for (position, (name, value)) in attributes.iter().enumerate() {
        changed |= match document.attribute_at(node, position) {
            Some((standing, _)) if standing == *name => document.set_attribute_at(node, position, value),
            Some(_) => return assign_anew(document, node, attributes),
            None => {
                document.set_attribute(node, name, value);
                true
            }
        };
    }
    if document.attributes(node).len() != attributes.len() {
        return assign_anew(document, node, attributes);
    }
    changed
}

fn assign_anew(document: &mut Document, node: NodeId, attributes: &Attributes<'_>) -> bool {
    document.clear_attributes(node);
    for (name, value) in attributes {
        document.set_attribute(node, name, value);
    }
    true
}

fn find(document: &Document, parent: NodeId, name: &str, id: &str) -> Option<NodeId> {
    document.children_with(parent, "id", id).find(|child| document.name(*child) == name)
}

fn with_id(document: &mut Document, parent: NodeId, name: &str, id: &str, changed: &mut bool) -> NodeId {
    find(document, parent, name, id).unwrap_or_else(|| {
        *changed = true;
        let new = document.append_element(parent, name);
        document.set_attribute(new, "id", id);
        new
    })
}

fn only(document: &mut Document, parent: NodeId, name: &str, changed: &mut bool) -> NodeId {
    document.child(parent, name).unwrap_or_else(|| {
        *changed = true;
        document.append_element(parent, name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, code: &str) -> Attributes<'static> {
        vec![("id", Cow::Owned(id.to_owned())), ("rc-code", Cow::Owned(code.to_owned()))]
    }

    fn change(entries: &[(&str, &str)]) -> HistoryChange<'static> {
        HistoryChange {
            node: "1".into(),
            resource: "web".into(),
            element: Some(HistoryElement {
                attributes: vec![("id", "web".into()), ("type", "Dummy".into())],
                entries: entries.iter().map(|(id, code)| entry(id, code)).collect(),
            }),
        }
    }

    fn status(document: &CibDocument) -> String {
        let tree = document.document();
        let status = tree.child(tree.root(), "status").expect("a CIB has a status");
        tree.element(status).children().map(|child| tree.element_to_string(child.id())).collect()
    }

    fn resource(inner: &str) -> String {
        format!(
            "<node_state id=\"1\"><lrm id=\"1\"><lrm_resources><lrm_resource id=\"web\" type=\"Dummy\">{inner}\
             </lrm_resource></lrm_resources></lrm></node_state>"
        )
    }

    #[test]
    fn entries_come_change_and_go_in_order() {
        let mut document = CibDocument::empty("pacemaker-3.0", "3.16.1");
        let steps: [&[(&str, &str)]; 5] = [
            &[("b", "0")],
            &[("a", "1"), ("b", "0"), ("c", "7")],
            &[("a", "1"), ("c", "0")],
            &[("c", "0")],
            &[("b", "0"), ("c", "0"), ("d", "0")],
        ];
        for (number, step) in (1..).zip(steps) {
            let applied = document.write_histories(&[change(step)]);
            assert!(applied.touched.status && !applied.touched.configuration);
            assert_eq!(document.version().num_updates, number);
            let ops = step.iter().map(|(id, code)| format!("<lrm_rsc_op id=\"{id}\" rc-code=\"{code}\"/>"));
            assert_eq!(status(&document), resource(&ops.collect::<String>()));
        }
    }

    #[test]
    fn what_is_so_already_makes_no_version() {
        let mut document = CibDocument::empty("pacemaker-3.0", "3.16.1");
        document.write_histories(&[change(&[("a", "0")])]);
        assert!(!document.write_histories(&[change(&[("a", "0")])]).changed());
        let gone = HistoryChange { element: None, ..change(&[]) };
        assert!(document.write_histories(std::slice::from_ref(&gone)).changed());
        assert!(!document.write_histories(&[gone]).changed());
        assert_eq!(document.version().num_updates, 2);
    }

    #[test]
    fn attributes_that_are_no_longer_said_go() {
        let mut document = CibDocument::empty("pacemaker-3.0", "3.16.1");
        let mut first = change(&[("a", "0")]);
        let element = first.element.as_mut().expect("just given");
        element.entries[0].push(("op-secure-digest", "x".into()));
        document.write_histories(&[first]);
        assert!(document.write_histories(&[change(&[("a", "0")])]).changed());
        assert_eq!(status(&document), resource("<lrm_rsc_op id=\"a\" rc-code=\"0\"/>"));
    }
}
