//! How busy a host is, and how much less it is given then (rule 4.32).
//!
//! A busy host gets less at once so that what it has is done in time. But what is under way for long does not
//! count against that: an agent that hangs is no load, and must not hold up the recovery of others.

use serde::{Deserialize, Serialize};

/// Milliseconds after which an operation under way does not count any more where a busy host is given less.
pub const SLOW: u64 = 5_000;

/// How busy a host says that it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Load {
    #[default]
    None,
    Low,
    Medium,
    High,
    Extreme,
}

/// What a host measured of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Its load average of the last minute, in hundredths of a process.
    pub average: u64,
    /// What the thread that keeps the CIB used of one core since the last sample, in percent.
    pub manager: u64,
}

/// Percent of what a core can do for the manager, and on a host with one core.
const MANAGER_SHARE: u64 = 95;
const MANAGER_SHARE_OF_ONE: u64 = 40;

/// Percent of its only core to which a host with one is used in full.
const ONE_CORE: u64 = 60;

impl Sample {
    /// What it means (rule 4.32.3). `threshold`: `load-threshold` in percent; with 0 the load average does not count.
    #[must_use]
    pub fn load(self, cores: u32, threshold: u32) -> Load {
        let threshold = u64::from(threshold);
        let capacity = if cores <= 1 { ONE_CORE } else { u64::from(cores) * 100 };
        let host = self.average.saturating_mul(10_000) / capacity;
        let share = if cores <= 1 { MANAGER_SHARE_OF_ONE } else { MANAGER_SHARE };
        let share = if threshold > 0 { share.min(threshold) } else { share };
        let by_host = match threshold {
            0 => Load::None,
            threshold => level(host, threshold, [120, 160, 200, u64::MAX]),
        };
        by_host.max(level(self.manager.saturating_mul(100), share, [80, 90, 100, 150]))
    }
}

/// The highest level whose factor (in percent) of `full` is exceeded. `value`: ten thousandths.
fn level(value: u64, full: u64, factors: [u64; 4]) -> Load {
    let exceeded = factors.into_iter().filter(|factor| value > full.saturating_mul(*factor)).count();
    [Load::None, Load::Low, Load::Medium, Load::High, Load::Extreme][exceeded]
}

impl Load {
    /// How many operations at once are left of a node's limit (rule 4.32.2).
    #[must_use]
    pub fn operations(self, limit: usize) -> usize {
        match self {
            Load::None => limit,
            Load::Low => (limit / 2).max(1),
            Load::Medium => (limit / 4).max(1),
            Load::High | Load::Extreme => limit.min(1),
        }
    }
}

/// How many synapses may be in flight over all nodes, given the loads of all active ones (rule 4.32.1).
#[must_use]
pub fn batch(limit: Option<usize>, loads: impl Iterator<Item = Load> + Clone) -> Option<usize> {
    let nodes = loads.clone().count();
    let reduced = match loads.max() {
        Some(Load::High) => nodes / 2,
        Some(Load::Extreme) => nodes / 4,
        _ => return limit,
    };
    Some(reduced.max(1).min(limit.unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(average: u64, manager: u64, cores: u32, threshold: u32) -> Load {
        Sample { average, manager }.load(cores, threshold)
    }

    /// Rule 4.32.3.
    #[test]
    fn levels_of_load() {
        // four cores, 80 %: above 3.84, 5.12 and 6.4 processes
        let levels = [384, 385, 512, 513, 640, 641, 100_000].map(|average| load(average, 0, 4, 80));
        assert_eq!(
            levels,
            [Load::None, Load::Low, Load::Low, Load::Medium, Load::Medium, Load::High, Load::High]
        );
        // one core bears less: above 0.576
        assert_eq!([57, 58].map(|average| load(average, 0, 1, 80)), [Load::None, Load::Low]);
        assert_eq!(load(100_000, 0, 4, 0), Load::None);
        assert_eq!(load(100_000, 0, 4, 100_000), Load::None);
    }

    /// Rule 4.32.3: the manager's own share; the threshold counts if it is smaller.
    #[test]
    fn levels_of_the_manager() {
        let levels = [76, 77, 86, 96, 143].map(|share| load(0, share, 4, 0));
        assert_eq!(levels, [Load::None, Load::Low, Load::Medium, Load::High, Load::Extreme]);
        assert_eq!(load(0, 65, 4, 80), Load::Low);
        assert_eq!(load(0, 65, 1, 80), Load::Extreme);
    }

    /// Rules 4.32.1 and 4.32.2.
    #[test]
    fn less_is_given_but_never_nothing() {
        use Load::{Extreme, High, Low, Medium, None};
        assert_eq!([None, Low, Medium, High, Extreme].map(|load| load.operations(8)), [8, 4, 2, 1, 1]);
        assert_eq!([None, Low, Medium, High, Extreme].map(|load| load.operations(1)), [1; 5]);
        let of = |limit, loads: &[Load]| batch(limit, loads.iter().copied());
        assert_eq!(of(Option::None, &[Low, Medium, None]), Option::None);
        assert_eq!(of(Some(9), &[Low, Medium, None]), Some(9));
        assert_eq!(of(Option::None, &[High, None, None, None]), Some(2));
        assert_eq!(of(Some(9), &[High, Extreme, None, None]), Some(1));
        assert_eq!(of(Some(1), &[High, None, None, None]), Some(1));
        assert_eq!(of(Option::None, &[Extreme, None]), Some(1));
    }
}
