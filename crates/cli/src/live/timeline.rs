//! What happened, from the journals of all nodes, each thing once.

use std::collections::VecDeque;

use view::api::{Event, Severity};

/// Entries that are kept.
const KEPT: usize = 1000;
/// Nodes tell of the same thing within this time, in milliseconds.
const SAME: u64 = 3000;
/// How far back the same thing is looked for.
const NEAR: usize = 100;

/// Entries in order of time.
#[derive(Debug, Default)]
pub struct Timeline(VecDeque<Entry>);

/// Something that happened, and who told of it.
#[derive(Debug)]
pub struct Entry {
    pub time_ms: u64,
    pub severity: Severity,
    pub kind: String,
    pub text: String,
    told_by: Vec<String>,
}

impl Timeline {
    /// Adds an event, unless another node told of it already; gives the new entry.
    pub fn add(&mut self, event: Event) -> Option<&Entry> {
        if event.severity == Severity::Debug || self.is_told(&event) {
            return None;
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        // journals arrive side by side
        let later = self.0.iter().rev().take(NEAR).take_while(|entry| entry.time_ms > event.time_ms).count();
        let place = self.0.len() - later;
        self.0.insert(
            place,
            Entry {
                time_ms: event.time_ms,
                severity: event.severity,
                kind: event.kind,
                text: event.message,
                told_by: vec![event.node],
            },
        );
        self.0.get(place)
    }

    /// A node that tells the same again means that it happened again.
    fn is_told(&mut self, event: &Event) -> bool {
        let same = |entry: &&mut Entry| {
            entry.text == event.message
                && entry.time_ms.abs_diff(event.time_ms) < SAME
                && !entry.told_by.contains(&event.node)
        };
        match self.0.iter_mut().rev().take(NEAR).find(same) {
            Some(entry) => {
                entry.told_by.push(event.node.clone());
                true
            }
            None => false,
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The newest entries that fill so many lines, oldest first, leaving out the newest `back`.
    pub fn newest(&self, lines: usize, back: usize) -> impl Iterator<Item = &Entry> {
        let end = self.0.len().saturating_sub(back);
        self.0.range(end.saturating_sub(lines)..end)
    }
}

/// An entry as a line: when, how bad, what.
pub fn line(entry: &Entry) -> (String, char, &str) {
    (crate::events::clock(entry.time_ms), mark(entry.severity), &entry.text)
}

/// How bad it is, for eyes without colours.
pub fn mark(severity: Severity) -> char {
    match severity {
        Severity::Error => 'E',
        Severity::Warning => '!',
        Severity::Notice => '*',
        Severity::Info | Severity::Debug => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(node: &str, time_ms: u64, message: &str) -> Event {
        Event {
            sequence: 1,
            time_ms,
            node: node.into(),
            severity: Severity::Info,
            kind: "operation".into(),
            message: message.into(),
            fields: Default::default(),
        }
    }

    #[test]
    fn what_all_nodes_tell_is_there_once_and_in_order() {
        let mut timeline = Timeline::default();
        assert!(timeline.add(event("a", 100, "start")).is_some());
        assert!(timeline.add(event("b", 101, "start")).is_none());
        assert!(timeline.add(event("a", 200, "stop")).is_some());
        assert!(timeline.add(event("b", 150, "monitor")).is_some());
        // the same node again: it happened again
        assert!(timeline.add(event("a", 300, "start")).is_some());
        assert!(timeline.add(event("b", 301, "start")).is_none());
        let texts: Vec<&str> = timeline.newest(10, 0).map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["start", "monitor", "stop", "start"]);
        let texts: Vec<&str> = timeline.newest(2, 1).map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["monitor", "stop"]);
    }
}
