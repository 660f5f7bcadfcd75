//! Interned element and attribute names: a document has millions of names but few different ones.

use std::collections::BTreeMap;

/// Index of a name in its document's table. Text and comment nodes use the two reserved values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NameId(pub(crate) u32);

#[derive(Clone, Default, Debug)]
pub(crate) struct Names {
    names: Vec<Box<str>>,
    // ordered, not hashed: hostile names cannot make it slow
    ids: BTreeMap<Box<str>, u32>,
}

impl Names {
    pub(crate) fn get(&self, id: NameId) -> &str {
        self.names.get(id.0 as usize).map_or("", |name| name)
    }

    pub(crate) fn find(&self, name: &str) -> Option<NameId> {
        self.ids.get(name).copied().map(NameId)
    }

    pub(crate) fn intern(&mut self, name: &str) -> NameId {
        if let Some(id) = self.find(name) {
            return id;
        }
        let id = self.names.len() as u32;
        self.names.push(name.into());
        self.ids.insert(name.into(), id);
        NameId(id)
    }
}

/// A small direct-mapped cache in front of [`Names::find`], used while parsing.
pub(crate) struct NameCache {
    slots: [u32; 256],
}

impl NameCache {
    pub(crate) fn new() -> Self {
        NameCache { slots: [u32::MAX; 256] }
    }

    pub(crate) fn find(&mut self, names: &Names, name: &str) -> Option<NameId> {
        let slot = Self::slot(name);
        let cached = NameId(self.slots[slot]);
        if cached.0 != u32::MAX && names.get(cached) == name {
            return Some(cached);
        }
        let found = names.find(name)?;
        self.slots[slot] = found.0;
        Some(found)
    }

    fn slot(name: &str) -> usize {
        let bytes = name.as_bytes();
        let first = bytes.first().copied().unwrap_or(0) as usize;
        let last = bytes.last().copied().unwrap_or(0) as usize;
        let middle = bytes.get(bytes.len() / 2).copied().unwrap_or(0) as usize;
        (first.wrapping_mul(7) ^ last.wrapping_mul(31) ^ middle.wrapping_mul(101) ^ bytes.len()) & 255
    }
}
