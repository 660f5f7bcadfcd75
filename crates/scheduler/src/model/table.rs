//! A resource's table of nodes: score, probe mode and scratch counter per node (rule 2.1.12).

use super::ids::{Id, NodeId};
use cib::value::Score;

/// Where a resource may be probed; ordered as rule 2.1.12 says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Discovery {
    #[default]
    Always,
    Never,
    Exclusive,
}

/// One node's entry in a table.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NodeEntry {
    pub node: NodeId,
    pub score: Score,
    pub discovery: Discovery,
    /// Scratch counter of clone placement.
    pub count: i32,
}

/// The table: look-up by node is constant time; insertion order is kept because the reference's
/// iteration order derives from it (rule 2.27).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeTable {
    entries: Vec<NodeEntry>,
    /// Position in `entries` + 1 by node index; 0 means no entry.
    slots: Vec<u32>,
}

impl NodeTable {
    pub fn get(&self, node: NodeId) -> Option<&NodeEntry> {
        let slot = *self.slots.get(node.index())?;
        (slot > 0).then(|| &self.entries[slot as usize - 1])
    }
    pub fn get_mut(&mut self, node: NodeId) -> Option<&mut NodeEntry> {
        let slot = *self.slots.get(node.index())?;
        if slot == 0 { None } else { Some(&mut self.entries[slot as usize - 1]) }
    }
    pub fn contains(&self, node: NodeId) -> bool {
        self.get(node).is_some()
    }
    /// Inserts `entry` at the end, or replaces the node's entry in its place.
    pub fn insert(&mut self, entry: NodeEntry) {
        let index = entry.node.index();
        if index >= self.slots.len() {
            self.slots.resize(index + 1, 0);
        }
        match self.slots[index] {
            0 => {
                self.entries.push(entry);
                self.slots[index] = self.entries.len() as u32;
            }
            slot => self.entries[slot as usize - 1] = entry,
        }
    }
    /// Removes the node's entry; later entries keep their order.
    pub fn remove(&mut self, node: NodeId) -> Option<NodeEntry> {
        let slot = *self.slots.get(node.index())?;
        if slot == 0 {
            return None;
        }
        let removed = self.entries.remove(slot as usize - 1);
        self.slots[node.index()] = 0;
        for later in &self.entries[slot as usize - 1..] {
            self.slots[later.node.index()] -= 1;
        }
        Some(removed)
    }
    pub fn clear(&mut self) {
        self.entries.clear();
        self.slots.clear();
    }
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// The entries in insertion order.
    pub fn iter(&self) -> std::slice::Iter<'_, NodeEntry> {
        self.entries.iter()
    }
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, NodeEntry> {
        self.entries.iter_mut()
    }
    /// The score on `node`, if it has an entry.
    pub fn score(&self, node: NodeId) -> Option<Score> {
        self.get(node).map(|entry| entry.score)
    }
}
