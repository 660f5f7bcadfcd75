//! Timing of nodes that take themselves down (rule 4.59), so that others may simply wait until they are dead
//! (rule 4.59.1): everything follows from one declared bound.
//!
//! The bound is the time within which a host that is not healthy any more is certainly dead
//! (`SBD_WATCHDOG_TIMEOUT` of the host). The daemon says again and again that it is healthy; the watchdog is
//! fed only while that was said not longer than [`Timing::stale`] ago, and fires [`Timing::device`] after the
//! last feeding. Both together are the bound. Others may take the host for dead when the cluster's
//! `fencing-watchdog-timeout` has passed, which is refused below the bound.

/// Shortest bound that can be kept: a hardware watchdog counts whole seconds, and one of them is the daemon's.
pub const SHORTEST_BOUND: u64 = 2_000;

/// What a bound means, all in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// What was declared.
    pub bound: u64,
    /// Timeout of the watchdog device: whole seconds.
    pub device: u64,
    /// How old the last word that all is well may be when the device is fed.
    pub stale: u64,
    /// Pause between feedings.
    pub feed: u64,
    /// Longest pause between two words that all is well.
    pub report: u64,
}

impl Timing {
    /// The timing for a declared bound.
    ///
    /// # Errors
    /// The bound is too short to be kept.
    pub fn within(bound: u64) -> Result<Timing, String> {
        if bound < SHORTEST_BOUND {
            return Err(format!(
                "a watchdog timeout of {bound} ms is too short to be kept: declare at least {} s",
                SHORTEST_BOUND / 1000
            ));
        }
        let device = (bound / 2000).max(1) * 1000;
        let stale = bound - device;
        Ok(Timing { bound, device, stale, feed: device / 4, report: stale / 4 })
    }
}

/// How long the others wait for a node's watchdog, in milliseconds; `None` if watchdog fencing is off.
/// `property`: `fencing-watchdog-timeout`, negative for twice the host's bound (rule 4.59.2).
#[must_use]
pub fn wait(property: i64, bound: Option<u64>) -> Option<u64> {
    match property {
        0 => None,
        1.. => u64::try_from(property).ok(),
        _ => bound.filter(|bound| *bound > 0).map(|bound| 2 * bound),
    }
}

/// Why this host must not take part in watchdog fencing as configured (rule 4.59.3).
///
/// # Errors
/// Nothing feeds a watchdog here, or others would wait for less than the bound.
pub fn check(wait: u64, has_watchdog: bool, bound: Option<u64>) -> Result<(), String> {
    if !has_watchdog {
        return Err(
            "fencing-watchdog-timeout is set, but no watchdog is in use on this host: configure one in \
             /etc/default/sbd, or unset the property"
                .to_owned(),
        );
    }
    match bound {
        Some(bound) if wait < bound => Err(format!(
            "fencing-watchdog-timeout ({wait} ms) is shorter than this host's watchdog timeout ({bound} ms): \
             others would start its resources before it is dead; set at least {} s, better {} s",
            bound.div_ceil(1000),
            (2 * bound).div_ceil(1000)
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_host_that_says_nothing_is_dead_within_the_bound(bound in 2_000_u64..600_000) {
            let timing = Timing::within(bound).unwrap();
            prop_assert!(timing.stale + timing.device <= timing.bound);
            // many words and feedings fit in: one that comes late does no harm
            prop_assert!(timing.feed * 4 <= timing.device && timing.report * 4 <= timing.stale);
            prop_assert!(timing.device.is_multiple_of(1000) && timing.device > 0 && timing.report > 0);
        }
    }

    #[test]
    fn rule_4_59_2_what_the_property_means() {
        assert_eq!(wait(0, Some(5000)), None);
        assert_eq!(wait(12_000, None), Some(12_000));
        assert_eq!(wait(-1, Some(5000)), Some(10_000));
        assert_eq!(wait(-1, None), None);
    }

    #[test]
    fn rule_4_59_3_a_host_that_could_live_longer_is_refused() {
        assert!(check(10_000, true, Some(5000)).is_ok());
        assert!(check(4999, true, Some(5000)).is_err_and(|text| text.contains("at least 5 s")));
        assert!(check(10_000, false, None).is_err());
        assert!(Timing::within(1999).is_err());
    }
}
