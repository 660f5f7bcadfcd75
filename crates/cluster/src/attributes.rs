//! Transient node attributes: one table, the same on every node, written into the CIB's status
//! (rules 4.26 to 4.28). Private ones stay in memory.
//!
//! The table changes only by messages in total order and by join rounds.

use std::collections::BTreeMap;

use cib::value::Score;
use serde::{Deserialize, Serialize};

use crate::request::{AttributeAction, AttributeUpdate, AttributeValue};
use crate::text::{Fragment, as_id, xpath_literal};

/// One attribute with its values on all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    pub private: bool,
    /// Milliseconds.
    pub dampening: u64,
    pub set_id: Option<String>,
    pub utilization: bool,
    /// By node name.
    pub values: BTreeMap<String, String>,
    /// What the CIB has, by node name.
    pub written: BTreeMap<String, String>,
}

impl Attribute {
    /// Whether something is still to be written.
    fn is_pending(&self) -> bool {
        !self.private && self.values != self.written
    }
}

/// A value that became another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeChange {
    pub name: String,
    pub node: String,
    pub value: Option<String>,
}

/// What an update led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    pub changes: Vec<AttributeChange>,
    /// Attributes to be written now.
    pub write: Vec<String>,
    /// Attributes to be written after so many milliseconds, counted anew.
    pub delay: Vec<(String, u64)>,
}

/// All transient attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    table: BTreeMap<String, Attribute>,
}

impl Attributes {
    /// The value of `name` on `node`.
    #[must_use]
    pub fn get(&self, name: &str, node: &str) -> Option<&str> {
        self.table.get(name)?.values.get(node).map(String::as_str)
    }

    /// Values, restricted to a name or a node if given.
    #[must_use]
    pub fn select(&self, name: Option<&str>, node: Option<&str>) -> Vec<AttributeValue> {
        let wanted = |at: &str, of: Option<&str>| of.is_none_or(|of| of.eq_ignore_ascii_case(at));
        let mut found = Vec::new();
        for (attribute, state) in self.table.iter().filter(|(at, _)| name.is_none_or(|of| of == *at)) {
            for (at, value) in state.values.iter().filter(|(at, _)| wanted(at, node)) {
                found.push(AttributeValue {
                    name: attribute.clone(),
                    node: at.clone(),
                    value: value.clone(),
                });
            }
        }
        found
    }

    /// Names of attributes that begin with `prefix` and have a value on `node` (on any without one).
    #[must_use]
    pub fn names(&self, prefix: &str, node: Option<&str>) -> Vec<String> {
        let has =
            |state: &Attribute| node.map_or(!state.values.is_empty(), |node| state.values.contains_key(node));
        (self.table.range(prefix.to_owned()..))
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(_, state)| has(state))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Applies an update; `node` is the one meant where the update names none.
    pub fn update(&mut self, update: &AttributeUpdate, node: &str) -> Updated {
        let node = update.node.as_deref().unwrap_or(node);
        let mut result = Updated::default();
        match &update.action {
            AttributeAction::Refresh => {
                for state in self.table.values_mut() {
                    state.written.clear();
                }
                result.write = self.table.keys().cloned().collect();
                return result;
            }
            AttributeAction::Delete if !self.table.contains_key(&update.name) => return result,
            _ => {}
        }
        let state = self.table.entry(update.name.clone()).or_insert_with(|| Attribute {
            private: update.private,
            set_id: update.set_id.clone(),
            utilization: update.utilization,
            ..Attribute::default()
        });
        // a delay that becomes another ends the waiting: else repeated changes of it would put off writing for ever
        let impatient = update.dampening.is_some_and(|delay| delay != state.dampening) && state.is_pending();
        if let Some(dampening) = update.dampening {
            state.dampening = dampening;
        }
        let old = state.values.get(node).cloned();
        let new = match &update.action {
            AttributeAction::Set(text) => Some(expand(text, old.as_deref())),
            AttributeAction::Delete => None,
            AttributeAction::Dampening | AttributeAction::Refresh => old.clone(),
        };
        let same = match (&old, &new) {
            (Some(old), Some(new)) => old.eq_ignore_ascii_case(new),
            (None, None) => true,
            _ => false,
        };
        if impatient {
            result.write.push(update.name.clone());
        }
        if same {
            return result;
        }
        match &new {
            Some(value) => state.values.insert(node.to_owned(), value.clone()),
            None => state.values.remove(node),
        };
        result.changes.push(AttributeChange { name: update.name.clone(), node: node.to_owned(), value: new });
        if !state.private && !impatient {
            match state.dampening {
                0 => result.write.push(update.name.clone()),
                delay => result.delay.push((update.name.clone(), delay)),
            }
        }
        result
    }

    /// Forgets everything of a node, without writing (the caller deletes the CIB's copy).
    pub fn forget_node(&mut self, node: &str) {
        for state in self.table.values_mut() {
            state.values.remove(node);
            state.written.remove(node);
        }
    }

    /// Nodes that have any value.
    #[must_use]
    pub fn nodes(&self) -> Vec<String> {
        let mut nodes: Vec<String> =
            self.table.values().flat_map(|state| state.values.keys().cloned()).collect();
        nodes.sort();
        nodes.dedup();
        nodes
    }

    /// Takes over all that `other` says of `node`, forgetting what was here.
    pub fn take_node(&mut self, other: &Attributes, node: &str) {
        self.forget_node(node);
        for (name, state) in &other.table {
            let Some(value) = state.values.get(node) else { continue };
            let own = self.table.entry(name.clone()).or_insert_with(|| Attribute {
                values: BTreeMap::new(),
                written: BTreeMap::new(),
                ..state.clone()
            });
            own.values.insert(node.to_owned(), value.clone());
        }
    }

    /// What must change in the CIB so that it has the attribute's values: written values with their text
    /// for `node_state`, and XPaths to delete. `id` gives a node's id by its name, nothing for unknown ones.
    pub fn flush(&mut self, name: &str, id: &dyn Fn(&str) -> Option<String>) -> Flush {
        let Some(state) = self.table.get_mut(name) else { return Flush::default() };
        let mut flush = Flush::default();
        if state.private {
            return flush;
        }
        for (node, value) in &state.values {
            let Some(id) = id(node) else { continue };
            if state.written.get(node) != Some(value) {
                flush.modify.push(written(name, value, node, &id, state));
                flush.changes.push(change(name, node, Some(value.clone())));
                state.written.insert(node.clone(), value.clone());
            }
        }
        let gone: Vec<String> =
            state.written.keys().filter(|node| !state.values.contains_key(*node)).cloned().collect();
        for node in gone {
            state.written.remove(&node);
            if let Some(id) = id(&node) {
                flush.delete.push(path(name, &id, state));
                flush.changes.push(change(name, &node, None));
            }
        }
        if state.values.is_empty() && state.written.is_empty() {
            self.table.remove(name);
        }
        flush
    }

    /// The same for all attributes, as if the CIB had none of them.
    pub fn flush_all(&mut self, id: &dyn Fn(&str) -> Option<String>) -> Flush {
        let mut all = Flush::default();
        for state in self.table.values_mut() {
            state.written.clear();
        }
        let names: Vec<String> = self.table.keys().cloned().collect();
        for name in names {
            all.modify.append(&mut self.flush(&name, id).modify);
        }
        all
    }
}

/// Changes of the CIB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flush {
    /// `node_state` elements to merge into `status`.
    pub modify: Vec<String>,
    /// XPaths to delete.
    pub delete: Vec<String>,
    /// The same as values.
    pub changes: Vec<AttributeChange>,
}

fn change(name: &str, node: &str, value: Option<String>) -> AttributeChange {
    AttributeChange { name: name.to_owned(), node: node.to_owned(), value }
}

fn block_id(id: &str, state: &Attribute) -> String {
    state.set_id.clone().unwrap_or_else(|| format!("status-{id}"))
}

fn pair_id(name: &str, id: &str, state: &Attribute) -> String {
    as_id(&format!("{}-{name}", block_id(id, state)))
}

fn kind(state: &Attribute) -> &'static str {
    if state.utilization { "utilization" } else { "instance_attributes" }
}

fn written(name: &str, value: &str, node: &str, id: &str, state: &Attribute) -> String {
    let mut out = Fragment::new();
    out.open("node_state").attribute("id", id).attribute("uname", node);
    out.open("transient_attributes").attribute("id", id);
    out.open(kind(state)).attribute("id", block_id(id, state));
    out.open("nvpair")
        .attribute("id", pair_id(name, id, state))
        .attribute("name", name)
        .attribute("value", value);
    out.finish()
}

fn path(name: &str, id: &str, state: &Attribute) -> String {
    format!(
        "/cib/status/node_state[@id={}]/transient_attributes/{}/nvpair[@id={}]",
        xpath_literal(id),
        kind(state),
        xpath_literal(&pair_id(name, id, state)),
    )
}

/// Expands `value++` and `value+=N`, five characters before the sign (rules 4.27.6, 4.27.7); other texts
/// stay as they are.
fn expand(text: &str, old: Option<&str>) -> String {
    let add = match text.get(5..) {
        Some("++") => Score::new(1),
        Some(rest) if rest.starts_with("+=") => Score::parse(&rest[2..]).unwrap_or(Score::ZERO),
        _ => return text.to_owned(),
    };
    let sum = match old {
        None => Score::ZERO.plus(add),
        Some(old) => Score::parse(old).map_or(Score::ZERO, |old| old.plus(add)),
    };
    sum.value().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> Option<String> {
        name.strip_prefix("node").map(str::to_owned)
    }

    #[test]
    fn counting_up_and_words_of_scores() {
        let mut attributes = Attributes::default();
        let mut set = |value: &str| {
            attributes.update(&AttributeUpdate::set("node1", "fail-count-a#start_0", value), "node1");
            attributes.get("fail-count-a#start_0", "node1").map(str::to_owned)
        };
        assert_eq!(set("value++").as_deref(), Some("1"));
        assert_eq!(set("value+=5").as_deref(), Some("6"));
        assert_eq!(set("value+=INFINITY").as_deref(), Some("1000000"));
        assert_eq!(set("some text").as_deref(), Some("some text"));
        assert_eq!(set("value++").as_deref(), Some("0"));
    }

    #[test]
    fn only_what_differs_is_written() {
        let mut attributes = Attributes::default();
        let update = AttributeUpdate::set("node1", "pingd", "100");
        assert_eq!(attributes.update(&update, "node1").write, ["pingd"]);
        assert_eq!(attributes.flush("pingd", &id).modify.len(), 1);
        assert_eq!(attributes.update(&update, "node1"), Updated::default());
        assert_eq!(attributes.flush("pingd", &id), Flush::default());
        attributes.update(&AttributeUpdate::delete("node1", "pingd"), "node1");
        assert_eq!(
            attributes.flush("pingd", &id).delete,
            [
                "/cib/status/node_state[@id='1']/transient_attributes/instance_attributes/nvpair[@id='status-1-pingd']"
            ]
        );
    }

    #[test]
    fn a_changed_delay_ends_the_waiting() {
        let mut attributes = Attributes::default();
        let slow = |value, delay| AttributeUpdate {
            dampening: Some(delay),
            ..AttributeUpdate::set("node1", "slow", value)
        };
        assert_eq!(attributes.update(&slow("1", 5000), "node1").delay, [("slow".to_owned(), 5000)]);
        assert_eq!(attributes.update(&slow("1", 5000), "node1"), Updated::default());
        assert_eq!(attributes.update(&slow("1", 9000), "node1").write, ["slow"]);
        assert_eq!(attributes.flush("slow", &id).modify.len(), 1);
        // nothing is pending any more, so the next delay is only noted
        assert_eq!(attributes.update(&slow("1", 1000), "node1"), Updated::default());
        assert_eq!(attributes.update(&slow("2", 1000), "node1").delay, [("slow".to_owned(), 1000)]);
        let both = attributes.update(&slow("3", 2000), "node1");
        assert_eq!((both.write.len(), both.delay.len(), both.changes.len()), (1, 0, 1));
    }

    #[test]
    fn private_and_dampened_values_are_not_written_at_once() {
        let mut attributes = Attributes::default();
        let private = AttributeUpdate { private: true, ..AttributeUpdate::set("node1", "secret", "1") };
        let slow = AttributeUpdate { dampening: Some(5000), ..AttributeUpdate::set("node1", "slow", "1") };
        assert!(attributes.update(&private, "node1").write.is_empty());
        assert_eq!(attributes.update(&slow, "node1").delay, [("slow".to_owned(), 5000)]);
        assert_eq!(attributes.flush("secret", &id), Flush::default());
    }
}
