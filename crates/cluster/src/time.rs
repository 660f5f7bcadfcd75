//! Time as the node sees it: handed in with every step, never asked for.

use cib::iso8601::DateTime;
use serde::{Deserialize, Serialize};

/// The moment of one step: a monotonic clock for deadlines and a wall clock for what is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Milliseconds of a clock that never goes back (any start).
    pub monotonic: u64,
    /// Milliseconds since the epoch (UTC). May jump.
    pub epoch_ms: i64,
    /// Seconds east of UTC of this host's zone at that moment.
    #[serde(default)]
    pub offset: i32,
}

impl Now {
    /// Seconds since the epoch, as the CIB writes them.
    #[must_use]
    pub fn epoch(self) -> i64 {
        self.epoch_ms.div_euclid(1000)
    }

    /// The wall clock as rules with dates see it: in the local zone (rule 1.6.5).
    #[must_use]
    pub fn local(self) -> DateTime {
        DateTime::from_timestamp(self.epoch(), self.offset)
    }
}
