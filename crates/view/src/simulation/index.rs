//! Finds histories and their entries without a search for each result, so that many of them take time in
//! proportion.

use std::collections::BTreeMap;

use xml::{Document, NodeId};

/// What is known of the histories in a document; void once something is removed from it.
#[derive(Default)]
pub(super) struct Histories {
    /// The `lrm_resource` elements of each `lrm_resources`, by name.
    resources: BTreeMap<NodeId, BTreeMap<String, Vec<NodeId>>>,
    entries: BTreeMap<NodeId, Entries>,
}

/// What is known of one history.
pub(super) struct Entries {
    /// The highest call id, at least 0.
    pub last_call: i64,
    /// The first of each id.
    pub by_id: BTreeMap<String, NodeId>,
}

impl Histories {
    /// The `lrm_resource` elements in `resources` by their ids.
    pub fn resources(
        &mut self,
        document: &Document,
        resources: NodeId,
    ) -> &mut BTreeMap<String, Vec<NodeId>> {
        self.resources.entry(resources).or_insert_with(|| {
            let mut by_name = BTreeMap::<String, Vec<NodeId>>::new();
            for child in document.children(resources) {
                if let Some(id) = document.attribute(child, "id") {
                    by_name.entry(id.to_owned()).or_default().push(child);
                }
            }
            by_name
        })
    }

    /// The entries of a history.
    pub fn entries(&mut self, document: &Document, resource: NodeId) -> &mut Entries {
        self.entries.entry(resource).or_insert_with(|| Entries::of(document, resource))
    }
}

impl Entries {
    fn of(document: &Document, resource: NodeId) -> Entries {
        let mut entries = Entries { last_call: 0, by_id: BTreeMap::new() };
        for entry in document.children(resource) {
            let call = document.attribute(entry, "call-id").and_then(|text| text.parse().ok());
            entries.last_call = entries.last_call.max(call.unwrap_or(0));
            if document.name(entry) == "lrm_rsc_op" {
                let id = document.attribute(entry, "id").unwrap_or_default();
                entries.by_id.entry(id.to_owned()).or_insert(entry);
            }
        }
        entries
    }
}
