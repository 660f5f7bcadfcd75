//! Name/value blocks: `meta_attributes`, `instance_attributes`, `utilization` and
//! `cluster_property_set`, with scores and rules (rule 1.5).

use crate::rule::{Rule, RuleInput};
use crate::text::Text;
use crate::value::{HealthScores, ScoreText, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The ID of the block of cluster options that always has the highest priority.
pub const BOOTSTRAP_OPTIONS: &str = "cib-bootstrap-options";

/// One block as configured. References (`id-ref`) are already followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The block's `id` (of the block referred to, for a reference).
    pub id: Option<Text>,
    /// `score` of the block; unset or invalid counts as 0.
    pub score: Option<ScoreText>,
    /// First rule of the block; the block applies only if it passes.
    pub rule: Option<Arc<Rule>>,
    /// Pairs in document order. Pairs without name or value are left out.
    pub pairs: Vec<Pair>,
    /// True if this place only refers to a block defined elsewhere.
    pub by_reference: bool,
    /// Line of the definition.
    pub line: u32,
}

/// One `nvpair`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub id: Option<Text>,
    pub name: Text,
    pub value: Text,
    /// True if name and value come from another pair by `id-ref`.
    pub by_reference: bool,
    pub line: u32,
}

/// Where a value comes from: enough to show the configuration line.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Source {
    /// ID of the block, if any; `None` also for values made by the program.
    pub block: Option<Text>,
    /// ID of the pair.
    pub pair: Option<Text>,
    /// Line in the document, 0 if made by the program.
    pub line: u32,
}

/// A value in force, and the configuration line that set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub text: Text,
    pub source: Source,
}

/// Values in force by name, in byte order of the names.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Values {
    map: BTreeMap<Text, Value>,
}

impl Values {
    pub fn new() -> Values {
        Values::default()
    }

    /// The text of `name`, if set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.map.get(name).map(|value| &*value.text)
    }

    /// The value of `name` with its source.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Sets `name` unless it is set already; true if it was set now.
    pub fn add(&mut self, name: impl Into<Text>, text: impl Into<Text>, source: Source) -> bool {
        match self.map.entry(name.into()) {
            std::collections::btree_map::Entry::Occupied(_) => false,
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(Value { text: text.into(), source });
                true
            }
        }
    }

    /// Sets `name`, replacing an earlier value.
    pub fn set(&mut self, name: impl Into<Text>, text: impl Into<Text>, source: Source) {
        self.map.insert(name.into(), Value { text: text.into(), source });
    }

    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name)
    }

    /// Adds every value of `other` whose name is not set yet.
    pub fn add_all(&mut self, other: &Values) {
        for (name, value) in &other.map {
            self.map.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    /// Overwrites with every value of `other`.
    pub fn overwrite_all(&mut self, other: &Values) {
        for (name, value) in &other.map {
            self.map.insert(name.clone(), value.clone());
        }
    }

    /// Names and values in byte order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> {
        self.map.iter()
    }

    pub fn len(&self) -> usize {
        self.map.len()
    }

    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

/// Visits `blocks` in order of priority and adds their values to `values` without overwriting
/// (rules 1.5.2–1.5.7). Returns the earliest moment at which a rule's result may change.
///
/// `first` is the ID that has priority over all scores, only used for cluster options.
pub fn unpack(
    blocks: &[Block],
    input: &RuleInput<'_>,
    first: Option<&str>,
    values: &mut Values,
) -> Option<Timestamp> {
    let mut next_change = None;
    for block in by_priority(blocks, first) {
        let passes = match &block.rule {
            None => true,
            Some(rule) => {
                let verdict = rule.evaluate(input);
                next_change = earliest(next_change, verdict.next_change);
                verdict.passes
            }
        };
        if passes {
            add_pairs(block, values);
        }
    }
    next_change
}

/// The earlier of two optional moments.
pub fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Blocks by priority: the always-first ID, then score descending, then later in the document first.
fn by_priority<'a>(blocks: &'a [Block], first: Option<&str>) -> Vec<&'a Block> {
    let mut ordered: Vec<&Block> = blocks.iter().rev().collect();
    if ordered.len() > 1 {
        ordered.sort_by_key(|block| {
            let always_first = first.is_some() && block.id.as_deref() == first;
            let score = block.score.as_ref().and_then(|score| score.resolve(&HealthScores::default()));
            (!always_first, std::cmp::Reverse(score.unwrap_or_default()))
        });
    }
    ordered
}

fn add_pairs(block: &Block, values: &mut Values) {
    for pair in &block.pairs {
        if pair.value.eq_ignore_ascii_case("#default") {
            values.remove(&pair.name);
        } else if !values.contains(&pair.name) {
            let source = Source { block: block.id.clone(), pair: pair.id.clone(), line: pair.line };
            values.set(pair.name.clone(), pair.value.clone(), source);
        }
    }
}

/// Whether the result of [`unpack`] can differ between nodes for these blocks. If not, one
/// evaluation serves all nodes.
pub fn depends_on_node(blocks: &[Block]) -> bool {
    blocks.iter().any(|block| block.rule.as_ref().is_some_and(|rule| rule.reads_node_attributes()))
}
