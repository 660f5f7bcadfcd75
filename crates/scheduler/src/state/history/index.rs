//! Finds history by node name and resource id without searching the whole status section.

use super::entry::rc;
use super::order;
use crate::model::{Index, Model, Name};
use cib::status::{HistoryEntry, ResourceHistory};
use std::rc::Rc;

/// Positions in the status section: node states by node name, then resource histories by resource id.
#[derive(Default)]
pub(in crate::state) struct HistoryIndex<'a> {
    by_node: Index<Name, Index<Name, Vec<(usize, usize)>>>,
    /// By node name and resource id, where a migration asked.
    moves: Index<(Name, Name), Rc<Moves<'a>>>,
}

/// What migrations ask about the history of one resource on one node.
pub(super) struct Moves<'a> {
    /// Entries that start, stop or move it.
    changes: Vec<&'a HistoryEntry>,
    /// The only monitor.
    pub(super) monitor: Only<'a>,
    /// Migrations from a source, and to a target: the only ones with that other end.
    from: Index<Name, Only<'a>>,
    to: Index<Name, Only<'a>>,
    /// Some entry tells of a result.
    pub(super) is_known: bool,
}

/// The one entry of a kind; none if there are several.
#[derive(Clone, Copy, Default)]
pub(super) enum Only<'a> {
    #[default]
    None,
    One(&'a HistoryEntry),
    Several,
}

impl<'a> Only<'a> {
    fn add(&mut self, entry: &'a HistoryEntry) {
        *self = if matches!(self, Only::None) { Only::One(entry) } else { Only::Several };
    }

    pub(super) fn entry(self) -> Option<&'a HistoryEntry> {
        match self {
            Only::One(entry) => Some(entry),
            Only::None | Only::Several => None,
        }
    }
}

impl<'a> Moves<'a> {
    fn read(histories: &[&'a ResourceHistory]) -> Moves<'a> {
        let mut moves = Moves {
            changes: Vec::new(),
            monitor: Only::None,
            from: Index::default(),
            to: Index::default(),
            is_known: false,
        };
        for entry in histories.iter().flat_map(|history| &history.entries) {
            moves.is_known |= entry.rc_code.is_some_and(|it| it != rc::UNKNOWN);
            match entry.operation() {
                Some("monitor") => moves.monitor.add(entry),
                Some("start" | "stop") => moves.changes.push(entry),
                Some("migrate_from") => {
                    moves.changes.push(entry);
                    let source = entry.migrate_source();
                    source.into_iter().for_each(|it| moves.from.entry(it.into()).or_default().add(entry));
                }
                Some("migrate_to") => {
                    moves.changes.push(entry);
                    let target = entry.migrate_target();
                    target.into_iter().for_each(|it| moves.to.entry(it.into()).or_default().add(entry));
                }
                _ => {}
            }
        }
        moves
    }

    /// The only migration from that source, whatever its result.
    pub(super) fn from(&self, source: &Name) -> Option<&'a HistoryEntry> {
        self.from.get(source).and_then(|only| only.entry())
    }

    /// The only migration to that target, whatever its result.
    pub(super) fn to(&self, target: &Name) -> Option<&'a HistoryEntry> {
        self.to.get(target).and_then(|only| only.entry())
    }

    /// Something moved, started or stopped the resource after `reference`.
    pub(super) fn has_changed(&self, reference: &HistoryEntry) -> bool {
        // the newest are written last
        let mut changes = self.changes.iter().rev();
        changes.any(|entry| !std::ptr::eq(*entry, reference) && order::is_newer(entry, reference))
    }
}

/// What migrations ask about the history of the resource with this id on the node with this name.
pub(super) fn moves<'a>(model: &mut Model<'a>, node: &Name, id: &Name) -> Rc<Moves<'a>> {
    let key = (node.clone(), id.clone());
    if let Some(known) = model.state.history_index.moves.get(&key) {
        return known.clone();
    }
    let moves = Rc::new(Moves::read(&of_resource(model, node, id)));
    model.state.history_index.moves.insert(key, moves.clone());
    moves
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
