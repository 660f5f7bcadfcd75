//! Remembers what whole merges add up to, so that long chains and dense nets of colocations stay cheap.
//!
//! A merge (rule 2.18.3) walks through dependents of dependents, and the same part of that walk is asked
//! for again by every resource above it: quadratic for a chain, exponential for a net. What a walk adds to
//! one node does not depend on the table it is merged into, as long as no entry hits both limits of the
//! score range, no table on the way runs out of usable nodes, and no entry of a clone crosses zero. The
//! [`Effect`] of a walk keeps enough to see whether that holds for a given table; where it does not, the
//! caller walks step by step.
//!
//! Never remembered: walks that meet a loop, that compare node attributes or hosts of guests, or that need
//! a scratch table. An effect is forgotten as soon as a table that it was made from changes.

use super::super::tables;
use super::preferences::{Draft, Memory, Mode, Wishes, is_merging, scaled, scratch_is_needed};
use super::{has_influence, with_this};
use crate::model::{ColocationId, Id, Index, Model, NodeId, ResourceId};
use cib::value::Score;
use std::rc::Rc;

/// What a walk does to the entry of one node: a sequence of additions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct NodeEffect {
    kind: Kind,
    /// Lowest and highest sum of the additions so far, 0 (nothing added yet) included.
    lowest: i64,
    highest: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Adds(i64),
    /// INFINITY was added.
    Infinite,
    /// -INFINITY was added.
    Banned,
}

impl NodeEffect {
    fn of(amount: i64) -> NodeEffect {
        const LIMIT: i64 = Score::INFINITY.value() as i64;
        let kind = match amount {
            LIMIT.. => Kind::Infinite,
            ..=MINUS_LIMIT => Kind::Banned,
            amount => Kind::Adds(amount),
        };
        NodeEffect { kind, lowest: amount.min(0), highest: amount.max(0) }
    }

    /// This sequence, then the other.
    fn then(self, next: NodeEffect) -> NodeEffect {
        match (self.kind, next.kind) {
            (Kind::Adds(sum), kind) => NodeEffect {
                kind: match kind {
                    Kind::Adds(more) => Kind::Adds(sum.saturating_add(more)),
                    kind => kind,
                },
                lowest: self.lowest.min(sum.saturating_add(next.lowest)),
                highest: self.highest.max(sum.saturating_add(next.highest)),
            },
            (Kind::Infinite, Kind::Banned) => NodeEffect { kind: Kind::Banned, ..self },
            _ => self,
        }
    }

    /// The score after the sequence; `None` if the order of the single additions matters.
    fn applied(self, score: Score) -> Option<Score> {
        let (start, limit) = (i64::from(score.value()), i64::from(Score::INFINITY.value()));
        if score.is_minus_infinite() || self.kind == Kind::Banned {
            return Some(Score::MINUS_INFINITY);
        }
        if score.is_infinite() {
            return Some(score);
        }
        let (low, high) = (start.saturating_add(self.lowest), start.saturating_add(self.highest));
        match (low <= -limit, high >= limit) {
            (true, true) => None,
            (true, false) => Some(Score::MINUS_INFINITY),
            (false, true) => Some(Score::INFINITY),
            (false, false) => match self.kind {
                Kind::Adds(sum) => Some(Score::new(start.saturating_add(sum))),
                Kind::Infinite | Kind::Banned => None,
            },
        }
    }

    /// Whether an entry with this score is never negative on the way.
    fn keeps_acceptable(self, score: Score) -> bool {
        self.kind != Kind::Banned
            && (score.is_infinite() || i64::from(score.value()).saturating_add(self.lowest) >= 0)
    }

    /// Whether an entry with this score is negative all the way.
    fn keeps_negative(self, score: Score) -> bool {
        score.is_minus_infinite() || i64::from(score.value()).saturating_add(self.highest) < 0
    }
}

const MINUS_LIMIT: i64 = Score::MINUS_INFINITY.value() as i64;

/// What a walk does, by node index.
#[derive(Debug)]
pub struct Effect {
    nodes: Vec<NodeEffect>,
}

impl Effect {
    /// Applies the effect to a draft. False, and nothing is done, if that needs single steps.
    pub fn apply(&self, model: &Model, table: &mut Draft, mode: Mode) -> bool {
        let effect = |node: NodeId| self.nodes[node.index()];
        let stays_usable = table.iter().any(|entry| {
            effect(entry.node).keeps_acceptable(entry.score) && model.nodes[entry.node].is_available()
        });
        let crosses_zero = mode.non_negative
            && table.iter().any(|entry| {
                let effect = effect(entry.node);
                entry.unusable || !effect.keeps_acceptable(entry.score) && !effect.keeps_negative(entry.score)
            });
        if !stays_usable || crosses_zero {
            return false;
        }
        let Some(scores) =
            table.iter().map(|entry| effect(entry.node).applied(entry.score)).collect::<Option<Vec<_>>>()
        else {
            return false;
        };
        for (entry, score) in table.iter_mut().zip(scores) {
            entry.score = score;
        }
        true
    }
}

/// A walk: where it starts, through which colocation, and how much counts (bits of the factor).
type Key = (ResourceId, ColocationId, u32);

/// The remembered effects.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// For comparison: remember nothing, walk step by step.
    pub(in crate::placement) off: bool,
    /// `None`: cannot be remembered.
    known: Index<Key, Option<Rc<Effect>>>,
    /// By resource: the effects that read its table, and the resources whose effects contain its effects.
    uses: Vec<Uses>,
}

#[derive(Clone, Debug, Default)]
struct Uses {
    keys: Vec<Key>,
    users: Vec<ResourceId>,
}

impl Effects {
    /// Forgets everything: something changed that is not a table.
    pub fn clear(&mut self) {
        self.known.clear();
        self.uses.clear();
    }

    /// Forgets every effect that was made from the table of `resource`.
    pub fn forget(&mut self, resource: ResourceId) {
        let mut open = vec![resource];
        while let Some(resource) = open.pop() {
            let Some(uses) = self.uses.get_mut(resource.index()) else { continue };
            for key in std::mem::take(&mut uses.keys) {
                self.known.remove(&key);
            }
            open.append(&mut uses.users);
        }
    }

    fn uses_mut(&mut self, resource: ResourceId) -> &mut Uses {
        if self.uses.len() <= resource.index() {
            self.uses.resize_with(resource.index() + 1, Uses::default);
        }
        &mut self.uses[resource.index()]
    }
}

/// The effect of merging `source` through the colocation, if it can be told without knowing the table.
pub fn effect_of(
    model: &mut Model,
    source: ResourceId,
    target: ResourceId,
    id: ColocationId,
    factor: f32,
) -> Option<Rc<Effect>> {
    if model.placement.effects.off || tables::may_map_nodes(model, target) {
        return None;
    }
    remembered(model, source, id, factor)
}

/// An effect that is being computed.
struct Walk {
    key: Key,
    nodes: Vec<NodeEffect>,
    /// The walks that it goes on with, in order, and how many of them are added.
    onward: Vec<Key>,
    added: usize,
}

/// Chains may be longer than a stack is deep, so what a walk goes on with is computed beside it.
fn remembered(model: &mut Model, source: ResourceId, id: ColocationId, factor: f32) -> Option<Rc<Effect>> {
    let key = (source, id, factor.to_bits());
    let mut open = Vec::new();
    if !model.placement.effects.known.contains_key(&key) {
        open.extend(begin(model, key));
    }
    while let Some(walk) = open.last_mut() {
        let Some(&next) = walk.onward.get(walk.added) else {
            let effect = Effect { nodes: std::mem::take(&mut walk.nodes) };
            model.placement.effects.known.insert(walk.key, Some(Rc::new(effect)));
            open.pop();
            continue;
        };
        match model.placement.effects.known.get(&next) {
            Some(Some(inner)) => {
                for (effect, more) in walk.nodes.iter_mut().zip(&inner.nodes) {
                    *effect = effect.then(*more);
                }
                walk.added += 1;
                model.placement.effects.uses_mut(next.0).users.push(walk.key.0);
            }
            Some(None) => {
                open.pop();
            }
            None => open.extend(begin(model, next)),
        }
    }
    model.placement.effects.known.get(&key).cloned().flatten()
}

/// A walk that has added the wishes of its source; `None` if it cannot be remembered.
fn begin(model: &mut Model, key: Key) -> Option<Walk> {
    let (source, id, factor) = (key.0, key.1, f32::from_bits(key.2));
    // while it is being computed it counts as one that cannot be remembered: a loop leads back here
    model.placement.effects.known.insert(key, None);
    model.placement.effects.uses_mut(source).keys.push(key);
    let start = match model.resources[source].is_group() {
        true => *model.resources[source].children.first()?,
        false => source,
    };
    if is_merging(model, source)
        || is_merging(model, start)
        || model.colocations[id].node_attribute.is_some()
        || tables::may_map_nodes(model, start)
        || scratch_is_needed(model, start, id).is_some()
    {
        return None;
    }
    let wishes = Wishes::new(model, start, id, None);
    let mut memory = Memory::default();
    let nodes: Vec<NodeEffect> = model
        .nodes
        .ids()
        .map(|node| NodeEffect::of(wishes.amount(node, start, factor, &mut memory)))
        .collect();
    let dependent = model.colocations[id].dependent;
    for read in [start, dependent] {
        if read != source {
            model.placement.effects.uses_mut(read).keys.push(key);
            model.placement.effects.uses_mut(read).users.push(source);
        }
    }
    let onward = with_this(model, start)
        .into_iter()
        .filter(|next| has_influence(model, *next, model.colocations[*next].primary))
        .map(|next| {
            let colocation = &model.colocations[next];
            (colocation.dependent, next, scaled(factor, colocation.score).to_bits())
        })
        .collect();
    Some(Walk { key, nodes, onward, added: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds one by one, as the rules say.
    fn plainly(score: i64, amounts: &[i64]) -> Score {
        amounts.iter().fold(Score::new(score), |sum, amount| sum + Score::new(*amount))
    }

    #[test]
    fn agrees_with_single_additions() {
        let samples = [-1_000_000, -999_999, -600_000, -1, 0, 1, 5, 600_000, 999_999, 1_000_000];
        for &start in &samples {
            for &a in &samples {
                for &b in &samples {
                    for &c in &samples {
                        let effect = NodeEffect::of(a).then(NodeEffect::of(b)).then(NodeEffect::of(c));
                        if let Some(score) = effect.applied(Score::new(start)) {
                            assert_eq!(score, plainly(start, &[a, b, c]), "{start} {a} {b} {c}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn refuses_when_both_limits_are_in_reach() {
        let effect = NodeEffect::of(900_000).then(NodeEffect::of(-999_999)).then(NodeEffect::of(-999_999));
        assert_eq!(effect.applied(Score::new(50_000)), Some(Score::MINUS_INFINITY));
        assert_eq!(effect.then(NodeEffect::of(-999_999)).applied(Score::new(200_000)), None);
    }
}
