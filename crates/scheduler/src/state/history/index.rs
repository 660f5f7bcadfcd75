//! Finds history by node name and resource id without searching the whole status section.

use crate::model::{Index, Model, Name};
use cib::status::ResourceHistory;

/// Positions in the status section: node states by node name, then resource histories by resource id.
#[derive(Default)]
pub(in crate::state) struct HistoryIndex {
    by_node: Index<Name, Index<Name, Vec<(usize, usize)>>>,
}

/// The history of the resource with this id on the node with this name (rule 1.14.2).
pub(in crate::state) fn of_resource<'a>(
    model: &mut Model<'a>,
    node: &Name,
    id: &Name,
) -> Vec<&'a ResourceHistory> {
    let cib = model.cib;
    if !model.state.history_index.by_node.contains_key(node) {
        let known = index_node(&cib.status, node);
        model.state.history_index.by_node.insert(node.clone(), known);
    }
    let known = model.state.history_index.by_node.get(node).and_then(|known| known.get(id));
    let positions = known.map(Vec::as_slice).unwrap_or_default();
    positions.iter().map(|(state, history)| &cib.status.nodes[*state].history[*history]).collect()
}

fn index_node(status: &cib::status::Status, node: &Name) -> Index<Name, Vec<(usize, usize)>> {
    let mut known: Index<Name, Vec<(usize, usize)>> = Index::default();
    for (number, state) in status.nodes.iter().enumerate() {
        if state.uname.as_ref() == Some(node) {
            for (position, history) in state.history.iter().enumerate() {
                known.entry(history.id.clone()).or_default().push((number, position));
            }
        }
    }
    known
}
