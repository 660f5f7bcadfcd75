//! The present moment and the time zone of this host. The daemon uses the same zone, so that a preview and the
//! plan that is carried out look at the same hours and days.

use cib::iso8601::{DateTime, Zone};

/// This host's zone (or that of the environment variable `TZ`).
pub const LOCAL: Zone = Zone { offset: daemon::zone::offset_at };

/// The present moment in the local zone.
pub fn now() -> DateTime {
    LOCAL.at(jiff::Timestamp::now().as_second())
}
