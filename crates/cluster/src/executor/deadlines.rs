//! Which resource has something to do when, by the clock.

use std::collections::{BTreeMap, BTreeSet};

/// Widest distance of the moments at which recurring operations begin, in milliseconds.
const WIDEST_TICK: u64 = 250;

/// The same as a part of their interval.
const TICKS_OF_INTERVAL: u64 = 40;

/// When a recurring operation runs again whose last run ended `now`: an interval later (rule 4.10.2), at the
/// nearest of regular moments. What is due at about the same time so runs together, and the host wakes up once for
/// all of it. The moments are a fortieth of the interval apart, at most 250 ms, so none runs more than an eightieth
/// of its interval, or 125 ms, early or late; and runs that are short against that do not drift.
pub(super) fn next_run(now: u64, interval: u64) -> u64 {
    let tick = (interval / TICKS_OF_INTERVAL).clamp(1, WIDEST_TICK);
    (now.saturating_add(interval).saturating_add(tick / 2)) / tick * tick
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recurring_operations_run_together_and_do_not_drift() {
        for interval in [10_000, 15_000, 60_000] {
            let next: BTreeSet<u64> = (1000..1120).map(|ended| next_run(ended, interval)).collect();
            assert_eq!(next, BTreeSet::from([1000 + interval]));
        }
        assert_eq!([next_run(1000, 1000), next_run(1012, 1000), next_run(1013, 1000)], [2000, 2000, 2025]);
        assert_eq!([next_run(7, 20), next_run(8, 100), next_run(9, 0)], [27, 108, 9]);
    }

    #[test]
    fn none_runs_much_early_or_late() {
        for interval in [1, 79, 80, 500, 1000, 9999, 10_000, 3_600_000] {
            for ended in 0..2000 {
                let off = next_run(ended, interval).abs_diff(ended + interval);
                assert!(off <= (interval / 80).min(125), "{interval} {ended}: {off}");
            }
        }
        assert_eq!(next_run(u64::MAX, 10_000) / 250, u64::MAX / 250);
    }
}
