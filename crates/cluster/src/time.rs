//! Time as the node sees it: handed in with every step, never asked for.

use serde::{Deserialize, Serialize};

/// The moment of one step: a monotonic clock for deadlines and a wall clock for what is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Milliseconds of a clock that never goes back (any start).
    pub monotonic: u64,
    /// Milliseconds since the epoch (UTC). May jump.
    pub epoch_ms: i64,
}

impl Now {
    /// Seconds since the epoch, as the CIB writes them.
    #[must_use]
    pub fn epoch(self) -> i64 {
        self.epoch_ms.div_euclid(1000)
    }
}
