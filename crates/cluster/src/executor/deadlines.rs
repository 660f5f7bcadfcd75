//! Which resource has something to do when, by the clock.

use std::collections::{BTreeMap, BTreeSet};

/// Moments in monotonic milliseconds, one for each resource at most.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    of: BTreeMap<String, u64>,
    in_order: BTreeSet<(u64, String)>,
}

impl Deadlines {
    /// The resource's deadline is now this, or it has none.
    pub(super) fn set(&mut self, resource: &str, at: Option<u64>) {
        let known = self.of.get(resource).copied();
        if known == at {
            return;
        }
        if let Some(known) = known {
            self.in_order.remove(&(known, resource.to_owned()));
        }
        match at {
            Some(at) => {
                self.of.insert(resource.to_owned(), at);
                self.in_order.insert((at, resource.to_owned()));
            }
            None => {
                self.of.remove(resource);
            }
        }
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<u64> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// The resources whose deadlines have come, by name.
    pub(super) fn due(&self, now: u64) -> Vec<String> {
        let due = self.in_order.iter().take_while(|(at, _)| *at <= now);
        let mut names: Vec<String> = due.map(|(_, resource)| resource.clone()).collect();
        names.sort();
        names
    }
}
