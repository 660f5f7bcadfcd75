//! The time zone of this host.

use jiff::tz::TimeZone;

/// This host's time zone, as it was when it was first asked for. Its file is read as it is: looking for the zone's
/// name takes a walk through all zones.
pub fn local() -> TimeZone {
    static ZONE: std::sync::OnceLock<TimeZone> = std::sync::OnceLock::new();
    let read = || {
        let file = std::fs::read("/etc/localtime").ok().filter(|_| std::env::var_os("TZ").is_none());
        let zone = file.and_then(|bytes| TimeZone::tzif("local time", &bytes).ok());
        zone.unwrap_or_else(TimeZone::system)
    };
    ZONE.get_or_init(read).clone()
}

/// Seconds east of UTC in this host's zone, at a moment in seconds since the epoch.
pub fn offset_at(timestamp: i64) -> i32 {
    jiff::Timestamp::from_second(timestamp).map_or(0, |at| local().to_offset(at).seconds())
}
