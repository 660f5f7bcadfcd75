//! Fencing operations all nodes remember (rule 4.62).

use std::collections::BTreeMap;

use super::{FenceRecord, FenceState};
use crate::operation::ExecutionStatus;

/// With more records than this, old finished ones are dropped (rule 4.62.2).
const MOST: usize = 500;

/// So many finished ones stay then.
const KEPT: usize = 250;

/// The records, oldest first, and how often fencing of each target failed in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FenceHistory {
    records: Vec<FenceRecord>,
    failures: BTreeMap<String, u32>,
}

impl FenceHistory {
    /// All records, oldest first.
    #[must_use]
    pub fn records(&self) -> &[FenceRecord] {
        &self.records
    }

    /// The record with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&FenceRecord> {
        self.records.iter().find(|record| record.id == id)
    }

    /// Takes a record in: one that is further on replaces one of the same id, never the reverse.
    /// True if it is news.
    pub fn take(&mut self, record: &FenceRecord) -> bool {
        match self.records.iter_mut().find(|known| known.id == record.id) {
            Some(known) if known.survived && !record.survived => return false,
            Some(known) if rank(known.state) >= rank(record.state) && known.survived == record.survived => {
                return false;
            }
            Some(known) => *known = record.clone(),
            None => self.records.push(record.clone()),
        }
        if record.merged_into.is_none() {
            self.count(record);
        }
        self.shorten();
        true
    }

    fn count(&mut self, record: &FenceRecord) {
        let target = record.target.to_lowercase();
        match record.state {
            FenceState::Done => {
                self.failures.remove(&target);
            }
            // what is not wanted any more has not failed
            FenceState::Failed if record.status == ExecutionStatus::Cancelled.number() => {}
            FenceState::Failed => *self.failures.entry(target).or_default() += 1,
            _ => {}
        }
    }

    fn shorten(&mut self) {
        if self.records.len() <= MOST {
            return;
        }
        let finished = self.records.iter().filter(|record| !record.state.is_pending()).count();
        let mut surplus = finished.saturating_sub(KEPT);
        self.records.retain(|record| {
            let dropped = surplus > 0 && !record.state.is_pending();
            surplus -= usize::from(dropped);
            !dropped
        });
    }

    /// Notes that a node uses a device now.
    pub fn executing(&mut self, id: &str, executor: &str) {
        let pending = self.records.iter_mut().find(|record| record.id == id && record.state.is_pending());
        if let Some(record) = pending {
            record.state = FenceState::Executing;
            record.executor = Some(executor.to_owned());
        }
    }

    /// The pending operation that an equal request waits for (rule 4.61.1), no longer than that one may take
    /// (rule 4.53.5): not one in which the target
    /// acts on itself, for nobody may live to tell its result.
    #[must_use]
    pub fn equal(&self, request: &FenceRecord) -> Option<&FenceRecord> {
        self.records.iter().find(|known| {
            known.id != request.id
                && matches!(known.state, FenceState::Querying | FenceState::Executing)
                && known.target.eq_ignore_ascii_case(&request.target)
                && known.action == request.action
                && known.is_about(request.target_incarnation.as_deref())
                && known.executor.as_ref().is_none_or(|name| !name.eq_ignore_ascii_case(&known.target))
        })
    }

    /// Operations that wait for this one.
    #[must_use]
    pub fn merged(&self, id: &str) -> Vec<FenceRecord> {
        let waits = |record: &&FenceRecord| {
            record.state == FenceState::Duplicate && record.merged_into.as_deref() == Some(id)
        };
        self.records.iter().filter(waits).cloned().collect()
    }

    /// Failures in a row of a target (rule 4.55.2).
    #[must_use]
    pub fn failures(&self, target: &str) -> u32 {
        self.failures.get(&target.to_lowercase()).copied().unwrap_or(0)
    }

    /// Forgets how often a node could not be fenced: it was removed.
    pub fn forget_failures(&mut self, target: &str) {
        self.failures.remove(&target.to_lowercase());
    }

    /// Forgets finished operations of a target (of all without one).
    pub fn forget(&mut self, target: Option<&str>) {
        self.records.retain(|known| {
            known.state.is_pending()
                || target.is_some_and(|target| !known.target.eq_ignore_ascii_case(target))
        });
    }

    /// Pending operations whose owner's run is not among these any more (rules 4.51.7, 4.62.2).
    #[must_use]
    pub fn abandoned(&self, runs: &[&str]) -> Vec<FenceRecord> {
        let lost = |record: &&FenceRecord| {
            matches!(record.state, FenceState::Querying | FenceState::Executing)
                && !runs.contains(&record.owner.as_str())
        };
        self.records.iter().filter(lost).cloned().collect()
    }

    /// Whether the same action succeeded within the last `tolerance` seconds (rule 4.50.5).
    #[must_use]
    pub fn recent_success(
        &self,
        target: &str,
        action: &str,
        tolerance: u64,
        now: i64,
    ) -> Option<&FenceRecord> {
        let young =
            |record: &FenceRecord| now - record.seconds() <= i64::try_from(tolerance).unwrap_or(i64::MAX);
        self.records.iter().rev().find(|record| {
            tolerance > 0
                && record.state == FenceState::Done
                && record.target.eq_ignore_ascii_case(target)
                && record.action == action
                && young(record)
        })
    }
}

fn rank(state: FenceState) -> u8 {
    match state {
        FenceState::Querying => 0,
        FenceState::Executing | FenceState::Duplicate => 1,
        FenceState::Done | FenceState::Failed => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn record(id: &str, state: FenceState) -> FenceRecord {
        FenceRecord {
            id: id.to_owned(),
            target: "node1".to_owned(),
            action: "off".to_owned(),
            client: "test".to_owned(),
            origin: "node2".to_owned(),
            owner: "run".to_owned(),
            executor: None,
            devices: Vec::new(),
            state,
            at: 5_000_000,
            reason: String::new(),
            status: 0,
            merged_into: None,
            target_incarnation: None,
            survived: false,
        }
    }

    #[test]
    fn a_finished_record_beats_a_pending_one() {
        let mut history = FenceHistory::default();
        assert!(history.take(&record("a", FenceState::Querying)));
        assert!(history.take(&record("a", FenceState::Done)));
        assert!(!history.take(&record("a", FenceState::Executing)));
        assert_eq!(history.records()[0].state, FenceState::Done);
    }

    #[test]
    fn failures_in_a_row_are_counted_and_a_success_ends_the_row() {
        let mut history = FenceHistory::default();
        history.take(&record("a", FenceState::Failed));
        history.take(&record("b", FenceState::Failed));
        history.take(&record("b", FenceState::Failed));
        assert_eq!(history.failures("NODE1"), 2);
        history.take(&record("c", FenceState::Done));
        assert_eq!(history.failures("node1"), 0);
    }

    #[test]
    fn more_than_500_records_are_cut_to_250_finished_ones() {
        let mut history = FenceHistory::default();
        history.take(&record("first", FenceState::Executing));
        for number in 0..500 {
            history.take(&record(&number.to_string(), FenceState::Done));
        }
        assert_eq!(history.records().len(), 251);
        assert!(history.get("first").is_some() && history.get("499").is_some());
        assert!(history.get("249").is_none());
    }

    #[test]
    fn an_operation_of_a_run_that_is_gone_is_abandoned() {
        let mut history = FenceHistory::default();
        history.take(&record("a", FenceState::Executing));
        assert!(history.abandoned(&["run"]).is_empty());
        assert_eq!(history.abandoned(&["other run of node2"]).len(), 1);
    }

    #[test]
    fn a_young_success_counts() {
        let mut history = FenceHistory::default();
        history.take(&record("a", FenceState::Done));
        assert!(history.recent_success("node1", "off", 10, 5009).is_some());
        assert!(history.recent_success("node1", "off", 10, 5011).is_none());
        assert!(history.recent_success("node1", "reboot", 10, 5009).is_none());
        assert!(history.recent_success("node1", "off", 0, 5000).is_none());
    }
}
