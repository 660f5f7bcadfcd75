//! What the dependents of a primary wish: their tables are merged into the primary's (rule 2.18).
//!
//! The merge is a recursion through dependents of dependents. It works on drafts of tables and changes no
//! resource; only its caller writes the result back.

use super::super::{location, tables};
use super::{effects, has_influence, with_this};
use crate::model::{Cause, ColocationId, Model, Name, NodeId, NodeTable, ResourceId};
use cib::value::Score;

/// One entry of a draft. Scores are as in tables.
#[derive(Clone, Copy, Debug)]
pub struct DraftEntry {
    pub node: NodeId,
    pub score: Score,
    /// Non-negative mode: a wish made this entry negative (rule 2.18.4 e).
    pub(super) unusable: bool,
}

/// A working copy of a table: entries in the table's order.
pub type Draft = Vec<DraftEntry>;

/// A draft of `table`.
pub fn draft(table: &NodeTable) -> Draft {
    table.iter().map(|entry| DraftEntry { node: entry.node, score: entry.score, unusable: false }).collect()
}

fn has_usable_node(model: &Model, draft: &Draft) -> bool {
    draft
        .iter()
        .any(|entry| !entry.unusable && entry.score >= Score::ZERO && model.nodes[entry.node].is_available())
}

/// How a merge treats what it finds.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Give up when no usable node would be left.
    pub strict: bool,
    /// Entries must not become negative (the primary is a clone).
    pub non_negative: bool,
}

/// Which way the recursion goes on from a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Onward {
    Dependents,
    /// Only for ordering resources by their scores (rule 2.18.8).
    Primaries,
}

/// Merges the wishes of the colocation's dependent into the table of `primary` (rule 2.18.1).
pub fn merge_dependent(model: &mut Model, id: ColocationId, primary: ResourceId) {
    if !has_influence(model, id, model.colocations[id].primary) {
        return;
    }
    let mode = Mode { strict: true, non_negative: model.resources[primary].is_clone() };
    merge_into_table(model, id, primary, mode);
}

/// Merges the colocation's dependent into the table of `primary`, whether it has influence or not.
pub fn merge_into_table(model: &mut Model, id: ColocationId, primary: ResourceId, mode: Mode) {
    let mut table = draft(&model.resources[primary].allowed);
    let source = model.colocations[id].dependent;
    let merged = merge(model, source, primary, &mut table, id, factor(model, id), mode);
    let scores = table.into_iter().map(|entry| (entry.node, entry.score));
    tables::replace_scores(model, primary, scores, Cause::Colocation(id));
    if merged {
        tables::note_copy(model, primary);
    }
}

/// The part of the source's scores that counts, in single precision.
pub fn factor(model: &Model, id: ColocationId) -> f32 {
    scaled(1.0, model.colocations[id].score)
}

pub(super) fn scaled(factor: f32, score: Score) -> f32 {
    (factor * score.value() as f32) / Score::INFINITY.value() as f32
}

/// One merge step (rule 2.18.3): wishes of `source` into `table`, a draft of the table of `target`.
/// False if the draft was left alone.
pub fn merge(
    model: &mut Model,
    source: ResourceId,
    target: ResourceId,
    table: &mut Draft,
    id: ColocationId,
    factor: f32,
    mode: Mode,
) -> bool {
    if !is_merging(model, source) {
        let effect = effects::effect_of(model, source, target, id, factor);
        if effect.is_some_and(|effect| effect.apply(model, table, mode)) {
            return true;
        }
    }
    let Some((source, guards)) = enter(model, source) else { return false };
    let mut work = table.clone();
    add_wishes(model, source, target, &mut work, id, factor, mode);
    let complete = merge_onward(model, source, target, &mut work, factor, mode, Onward::Dependents);
    leave(model, guards);
    if complete {
        finish(&mut work, mode);
        *table = work;
    }
    complete
}

/// Rule 2.18.8: the table of `source` with the wishes of its primaries, for ordering resources.
pub fn merge_primaries(model: &mut Model, source: ResourceId) -> Draft {
    let start = match model.resources[source].is_group() {
        true => model.resources[source].children.last().copied().unwrap_or(source),
        false => source,
    };
    let mut work = draft(&model.resources[start].allowed);
    let guards = [source, start];
    set_merging(model, guards, true);
    let mode = Mode { strict: false, non_negative: false };
    merge_onward(model, start, start, &mut work, 1.0, mode, Onward::Primaries);
    set_merging(model, guards, false);
    work
}

/// How many steps one merge may take before it visits every source only once more. Only nets of
/// colocations in which nothing can be remembered ([`effects`]) come near it; walking through all of their
/// paths would never end.
const STEP_LIMIT: u32 = 20_000;

/// Wishes from farther away do not count: each step is a call inside the one before, and a stack holds so many only.
const DEEPEST: u32 = 2_000;

/// How far the merge that is going on has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Number of the merge.
    merge: u32,
    depth: u32,
    steps: u32,
}

/// Marks the source as being merged; a group is represented by its first member. `None` if one of them
/// is being merged already (a loop) or the group is empty.
fn enter(model: &mut Model, source: ResourceId) -> Option<(ResourceId, [ResourceId; 2])> {
    if is_merging(model, source) {
        return None;
    }
    let start = match model.resources[source].is_group() {
        true => *model.resources[source].children.first()?,
        false => source,
    };
    if is_merging(model, start) {
        return None;
    }
    let progress = &mut model.placement.progress;
    if progress.depth == 0 {
        *progress = Progress { merge: progress.merge + 1, ..Progress::default() };
    }
    if progress.depth >= DEEPEST {
        return None;
    }
    let (merge, exhausted) = (progress.merge, progress.steps >= STEP_LIMIT);
    let last_visit = std::mem::replace(&mut model.placement.marks_mut(source).last_merge, merge);
    if exhausted && last_visit == merge {
        return None;
    }
    model.placement.progress.steps += 1;
    model.placement.progress.depth += 1;
    let guards = [source, start];
    set_merging(model, guards, true);
    Some((start, guards))
}

fn leave(model: &mut Model, guards: [ResourceId; 2]) {
    model.placement.progress.depth -= 1;
    set_merging(model, guards, false);
}

pub(super) fn is_merging(model: &Model, resource: ResourceId) -> bool {
    model.placement.marks(resource).is_some_and(|marks| marks.merging)
}

fn set_merging(model: &mut Model, guards: [ResourceId; 2], merging: bool) {
    for resource in guards {
        model.placement.marks_mut(resource).merging = merging;
    }
}

/// Runs `body` while `resource` counts as being merged (rule 2.21.8).
pub fn guarded<'a>(model: &mut Model<'a>, resource: ResourceId, body: impl FnOnce(&mut Model<'a>)) {
    set_merging(model, [resource, resource], true);
    body(model);
    set_merging(model, [resource, resource], false);
}

/// Step 4 of rule 2.18.3. False if the merge must be given up.
fn merge_onward(
    model: &mut Model,
    source: ResourceId,
    target: ResourceId,
    work: &mut Draft,
    factor: f32,
    mode: Mode,
    onward: Onward,
) -> bool {
    if !has_usable_node(model, work) {
        return !mode.strict;
    }
    let nested = Mode { strict: true, ..mode };
    match onward {
        Onward::Dependents => {
            for id in with_this(model, source) {
                let colocation = &model.colocations[id];
                let (next, score) = (colocation.dependent, colocation.score);
                if has_influence(model, id, colocation.primary) {
                    merge(model, next, target, work, id, scaled(factor, score), nested);
                }
            }
        }
        Onward::Primaries => {
            for id in super::this_with(model, source) {
                let colocation = &model.colocations[id];
                let (next, score) = (colocation.primary, colocation.score);
                merge_primary(model, next, target, work, id, scaled(factor, score), nested);
            }
        }
    }
    true
}

/// A nested step of rule 2.18.8.
fn merge_primary(
    model: &mut Model,
    source: ResourceId,
    target: ResourceId,
    table: &mut Draft,
    id: ColocationId,
    factor: f32,
    mode: Mode,
) {
    let Some((source, guards)) = enter(model, source) else { return };
    let mut work = table.clone();
    add_wishes(model, source, target, &mut work, id, factor, mode);
    let complete = merge_onward(model, source, target, &mut work, factor, mode, Onward::Primaries);
    leave(model, guards);
    if complete {
        finish(&mut work, mode);
        *table = work;
    }
}

/// Step 5 of rule 2.18.3.
fn finish(work: &mut Draft, mode: Mode) {
    if mode.non_negative {
        for entry in work.iter_mut().filter(|entry| entry.unusable) {
            entry.score = Score::new(1);
            entry.unusable = false;
        }
    }
}

/// Rule 2.18.4, for every entry of the draft.
fn add_wishes(
    model: &Model,
    source: ResourceId,
    target: ResourceId,
    work: &mut Draft,
    id: ColocationId,
    factor: f32,
    mode: Mode,
) {
    let scratch = scratch_table(model, source, id);
    let wishes = Wishes::new(model, source, id, scratch.as_ref());
    let mut memory = Memory::default();
    for entry in work.iter_mut() {
        if !entry.unusable {
            let amount = wishes.amount(entry.node, target, factor, &mut memory);
            add_wish(entry, amount, mode);
        }
    }
}

/// Rule 2.18.4 a: for an explicit colocation of a later group member, the group's locations count too.
fn scratch_table(model: &Model, source: ResourceId, id: ColocationId) -> Option<NodeTable> {
    let group = scratch_is_needed(model, source, id)?;
    let mut table = model.resources[source].allowed.clone();
    location::apply_to_scratch(model, group, source, &mut table);
    Some(table)
}

/// The group whose locations have to be applied to a scratch copy of the source's table, if any.
pub(super) fn scratch_is_needed(model: &Model, source: ResourceId, id: ColocationId) -> Option<ResourceId> {
    let colocation = &model.colocations[id];
    if source != colocation.dependent || !colocation.explicit {
        return None;
    }
    let group = model.resources[source].parent.filter(|parent| model.resources[*parent].is_group())?;
    let it = &model.resources[group];
    (it.children.first() != Some(&source) && !it.locations.is_empty()).then_some(group)
}

/// Rule 2.18.4 b: a dependent that has one acceptable node only may pull a negative colocation along,
/// unless the primary's stickiness (returned) outweighs it.
fn single_choice(model: &Model, id: ColocationId) -> Option<Score> {
    let colocation = &model.colocations[id];
    let choices = model.resources[colocation.dependent]
        .allowed
        .iter()
        .filter(|entry| entry.score >= Score::ZERO)
        .count();
    (has_influence(model, id, colocation.primary) && choices == 1)
        .then(|| model.resources[colocation.primary].stickiness)
}

/// Rule 2.18.4 d.
fn rounded(factor: f32, wish: Score) -> i64 {
    let product = f64::from(factor * wish.value() as f32);
    let amount = (if product < 0.0 { product - 0.5 } else { product + 0.5 }) as i64;
    match amount {
        0 if wish != Score::ZERO && factor > 0.0 => 1,
        0 if wish != Score::ZERO && factor < 0.0 => -1,
        amount => amount,
    }
}

/// Rule 2.18.4 e and f.
fn add_wish(entry: &mut DraftEntry, amount: i64, mode: Mode) {
    let sum = entry.score + Score::new(amount);
    if mode.non_negative && sum < Score::ZERO && entry.score > Score::ZERO {
        entry.unusable = true;
        entry.score = Score::MINUS_INFINITY;
    } else if !(mode.non_negative && sum < Score::ZERO && entry.score == Score::ZERO) {
        entry.score = sum;
    }
}

/// The source's scores by the value of the colocation's attribute.
pub(super) struct Wishes<'m, 'a> {
    model: &'m Model<'a>,
    source: ResourceId,
    id: ColocationId,
    table: &'m NodeTable,
    attribute: Option<&'m Name>,
    /// Some of the source's nodes may stand for others.
    maps_nodes: bool,
}

/// What has been looked up already during one step.
#[derive(Default)]
pub(super) struct Memory {
    best: Vec<(tables::ColocationValue, Score)>,
    single_choice: Option<Option<Score>>,
}

impl<'m, 'a> Wishes<'m, 'a> {
    /// Wishes of `source`; `scratch` replaces its table.
    pub(super) fn new(
        model: &'m Model<'a>,
        source: ResourceId,
        id: ColocationId,
        scratch: Option<&'m NodeTable>,
    ) -> Wishes<'m, 'a> {
        Wishes {
            model,
            source,
            id,
            table: scratch.unwrap_or(&model.resources[source].allowed),
            attribute: model.colocations[id].node_attribute.as_ref(),
            maps_nodes: tables::may_map_nodes(model, source),
        }
    }

    /// What is to be added to the target's entry for `node` (rule 2.18.4 a to d); 0 to skip it.
    pub(super) fn amount(&self, node: NodeId, target: ResourceId, factor: f32, memory: &mut Memory) -> i64 {
        let wish = self.best_for(node, target, &mut memory.best);
        if factor < 0.0 && wish < Score::ZERO {
            let single = *memory.single_choice.get_or_insert_with(|| single_choice(self.model, self.id));
            if single.is_none_or(|stickiness| stickiness.value() >= -wish.value()) {
                return 0;
            }
        }
        rounded(factor, wish)
    }

    /// The highest score among the source's available nodes that match `node` (rule 2.18.4 a). Values
    /// already looked up are kept in `known`.
    fn best_for(
        &self,
        node: NodeId,
        target: ResourceId,
        known: &mut Vec<(tables::ColocationValue, Score)>,
    ) -> Score {
        if self.attribute.is_none() && !self.maps_nodes {
            return tables::colocation_node(self.model, node, target)
                .map_or(Score::MINUS_INFINITY, |node| self.score_on(node));
        }
        let value = tables::colocation_value(self.model, self.attribute, node, target);
        if let Some((_, score)) = known.iter().find(|(other, _)| *other == value) {
            return *score;
        }
        let best = self
            .table
            .iter()
            .filter(|entry| {
                tables::colocation_value(self.model, self.attribute, entry.node, self.source) == value
            })
            .map(|entry| self.score_on(entry.node))
            .max()
            .unwrap_or(Score::MINUS_INFINITY);
        known.push((value, best));
        best
    }

    fn score_on(&self, node: NodeId) -> Score {
        match self.table.get(node) {
            Some(entry) if self.model.nodes[node].is_available() => entry.score,
            _ => Score::MINUS_INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Id;

    #[test]
    fn rounds_in_single_precision() {
        let factor = scaled(1.0, Score::new(988));
        assert_eq!(rounded(factor, Score::new(125_000)), 123);
        assert_eq!(rounded(scaled(1.0, Score::new(500)), Score::new(1000)), 1);
        assert_eq!(rounded(scaled(1.0, Score::new(50)), Score::new(-100)), 1);
        assert_eq!(rounded(-1.0, Score::new(1000)), -1000);
    }

    #[test]
    fn non_negative_mode_marks_instead_of_banning() {
        let mode = Mode { strict: true, non_negative: true };
        let node = NodeId::from_index(0);
        let mut entry = DraftEntry { node, score: Score::new(5), unusable: false };
        add_wish(&mut entry, -1_000_000, mode);
        assert!(entry.unusable);
        let mut work = vec![entry];
        finish(&mut work, mode);
        assert_eq!(work[0].score, Score::new(1));
        let mut zero = DraftEntry { node, score: Score::ZERO, unusable: false };
        add_wish(&mut zero, -5, mode);
        assert_eq!(zero.score, Score::ZERO);
    }
}
