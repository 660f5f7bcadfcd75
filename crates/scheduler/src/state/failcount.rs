//! Fail counts: how often a resource failed on a node, and which of that still counts (rule 1.18).

use super::clone::base_name;
use crate::model::{Id, Index, Model, Name, NodeId, ResourceId};
use cib::config::Operation;
use cib::status::{HistoryEntry, ResourceHistory};
use cib::value::{self, Score, Timestamp};

/// The failures of a resource on a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FailCount {
    pub count: Score,
    /// When it failed last; 0 if it never did (or nothing counts).
    pub last_failure: Timestamp,
}

/// Which failures count (rule 1.18.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Leave out what has expired.
    pub effective: bool,
    /// Add what the resource launches.
    pub with_launched: bool,
}

/// One fail-count or last-failure attribute of a node.
struct Mark {
    /// The resource's part of the attribute name, as is.
    resource: Name,
    is_count: bool,
    value: Name,
}

/// The fail marks of a node by the resource's base name.
#[derive(Default)]
pub(super) struct Marks {
    /// How many attributes the node had when this was made.
    attributes: usize,
    all: Vec<Mark>,
    by_base: Index<Name, Vec<usize>>,
}

impl Marks {
    fn read(attributes: &crate::model::Attributes) -> Marks {
        let mut marks = Marks { attributes: attributes.len(), ..Marks::default() };
        for (name, value) in attributes {
            let (rest, is_count) =
                match (name.strip_prefix("fail-count-"), name.strip_prefix("last-failure-")) {
                    (Some(rest), _) => (rest, true),
                    (_, Some(rest)) => (rest, false),
                    _ => continue,
                };
            let Some((resource, operation)) = rest.split_once('#') else { continue };
            if !is_operation_part(operation) {
                continue;
            }
            let base: Name = base_name(resource).into();
            marks.by_base.entry(base).or_default().push(marks.all.len());
            marks.all.push(Mark { resource: resource.into(), is_count, value: value.clone() });
        }
        marks
    }

    fn of<'m>(&'m self, name: &'m str, unique: bool) -> Box<dyn Iterator<Item = &'m Mark> + 'm> {
        let matches = move |mark: &&Mark| {
            let full = &*mark.resource;
            matches_pattern(name, full) || (!unique && matches_pattern(name, base_name(full)))
        };
        if name.contains('.') {
            return Box::new(self.all.iter().filter(matches));
        }
        let indices = self.by_base.get(base_name(name)).map(Vec::as_slice).unwrap_or_default();
        Box::new(indices.iter().map(|index| &self.all[*index]).filter(matches))
    }
}

/// `OPERATION_INTERVAL`.
fn is_operation_part(text: &str) -> bool {
    text.rsplit_once('_').is_some_and(|(operation, interval)| {
        !operation.is_empty() && !interval.is_empty() && interval.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Names are patterns: a dot matches any character (rule 1.18.1).
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    loop {
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('.'), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

/// The fail count of `resource` on `node` (rules 1.18.2, 1.18.3). With an `entry`, only that one decides
/// whether a blocking operation is involved.
pub fn fail_count(
    model: &mut Model,
    resource: ResourceId,
    node: NodeId,
    which: Count,
    entry: Option<&HistoryEntry>,
) -> FailCount {
    let mut found = recorded(model, resource, node);
    if found.count > Score::ZERO
        && model.resources[resource].failure_timeout > 0
        && is_blocked_by_failure(model, resource, node, entry)
    {
        model.resources[resource].failure_timeout = 0;
    }
    if which.effective && found.count > Score::ZERO && found.last_failure > 0 {
        let timeout = failure_timeout_seconds(model, resource);
        if timeout > 0 && model.now > found.last_failure.saturating_add(timeout) {
            found.count = Score::ZERO;
        }
    }
    if which.with_launched && super::is_bundled(model, resource).is_none() {
        for launched in model.resources[resource].launched.clone() {
            let more = fail_count(model, launched, node, which, None);
            found.count = Score::new(i64::from(found.count.value()) + i64::from(more.count.value()));
            found.last_failure = found.last_failure.max(more.last_failure);
        }
    }
    if found.count == Score::ZERO {
        found.last_failure = 0;
    }
    found
}

/// `failure-timeout` in seconds.
pub(super) fn failure_timeout_seconds(model: &Model, resource: ResourceId) -> Timestamp {
    value::seconds_from_milliseconds(model.resources[resource].failure_timeout) as Timestamp
}

/// All that the node's attributes record.
fn recorded(model: &mut Model, resource: ResourceId, node: NodeId) -> FailCount {
    let attributes = model.nodes[node].attributes.len();
    if model.state.marks.len() <= node.index() {
        model.state.marks.resize_with(node.index() + 1, || None);
    }
    if model.state.marks[node.index()].as_ref().is_none_or(|marks| marks.attributes != attributes) {
        model.state.marks[node.index()] = Some(Marks::read(&model.nodes[node].attributes));
    }
    let Some(marks) = &model.state.marks[node.index()] else { return FailCount::default() };
    if marks.all.is_empty() {
        return FailCount::default();
    }
    let it = &model.resources[resource];
    let name = it.history_name.as_ref().unwrap_or(&it.id);
    let name = if it.unique { &**name } else { base_name(name) };
    let mut found = FailCount::default();
    for mark in marks.of(name, it.unique) {
        if mark.is_count {
            if let Some(count) = value::parse_score(&mark.value, &model.options.health_scores) {
                found.count += count;
            }
        } else if let Some(time) = value::parse_integer(&mark.value) {
            found.last_failure = found.last_failure.max(time);
        }
    }
    found
}

/// Rule 1.18.5.
fn is_blocked_by_failure(
    model: &mut Model,
    resource: ResourceId,
    node: NodeId,
    entry: Option<&HistoryEntry>,
) -> bool {
    let base: Name = base_name(&model.resources[resource].id).into();
    let is_blocking = |operation: &&Operation| operation.attributes.get("on-fail") == Some("block");
    if !super::operations(model, resource).iter().any(|operation| is_blocking(&operation)) {
        return false;
    }
    if let Some(entry) = entry {
        let blocking = super::operations(model, resource).iter().filter(is_blocking);
        return blocking.into_iter().any(|operation| is_failure_of(&base, operation, entry));
    }
    let node_name = model.nodes[node].name.clone();
    let histories = super::history::index::of_resource(model, &node_name, &base);
    let blocking = super::operations(model, resource).iter().filter(is_blocking);
    blocking.into_iter().any(|operation| has_failure_of(&base, operation, &histories))
}

fn has_failure_of(base: &str, operation: &Operation, histories: &[&ResourceHistory]) -> bool {
    let mut entries = histories.iter().flat_map(|history| &history.entries);
    entries.any(|entry| is_failure_of(base, operation, entry))
}

fn is_failure_of(base: &str, operation: &Operation, entry: &HistoryEntry) -> bool {
    let same_name = entry.operation().is_some_and(|name| name.eq_ignore_ascii_case(&operation.name));
    if !same_name || u64::from(entry.interval) != operation.interval {
        return false;
    }
    let Some(id) = entry.id().and_then(|id| id.strip_prefix(base)) else { return false };
    id == "_last_failure_0"
        || (id == format!("_{}_{}", operation.name, operation.interval)
            && entry.rc_code != Some(i64::from(entry.expected_rc())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_parts_need_an_interval() {
        assert!(is_operation_part("monitor_10000"));
        assert!(!is_operation_part("monitor"));
        assert!(!is_operation_part("_0"));
    }

    #[test]
    fn names_are_matched_as_patterns() {
        assert!(matches_pattern("db.main", "db-main"));
        assert!(!matches_pattern("db.main", "dbmain"));
        assert!(matches_pattern("db", "db"));
    }
}
