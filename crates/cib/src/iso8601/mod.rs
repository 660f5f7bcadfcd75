//! Dates, times of day, zones and durations as rules and tools write them (rules 1.3.6, 1.3.7).
//!
//! The arithmetic is deliberately its own: adding years keeps the *day of the year*, adding
//! months clips the day of the month. No library does both. There is no clock in here: what
//! "now" and "local" mean comes in with [`Surroundings`].

mod period;

pub use period::{DateForm, Period};

use crate::value::{Timestamp, split_integer};
use std::cmp::Ordering;
use std::fmt;

/// A moment: year, day of the year, second of the day, and the zone offset they are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// Calendar year, at least 1.
    pub year: i32,
    /// Day of the year, 1…366.
    pub day_of_year: u16,
    /// Seconds since midnight, 0…86400 (the upper bound arises from arithmetic, rule 1.3.6.4).
    pub second_of_day: u32,
    /// Seconds east of UTC.
    pub offset: i32,
}

/// What a text may leave open: "today" and the local zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The present moment, in the machine's local zone.
    pub now: DateTime,
}

/// A time zone. The caller has it from the host; nothing in here looks for one.
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    /// Seconds east of UTC at a moment (seconds since the epoch).
    pub offset: fn(Timestamp) -> i32,
}

impl Zone {
    pub const UTC: Zone = Zone { offset: |_| 0 };

    /// A moment as it is written in this zone.
    pub fn at(&self, seconds: Timestamp) -> DateTime {
        DateTime::from_timestamp(seconds, (self.offset)(seconds))
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::UTC
    }
}

/// The time as rules and dates see it. The two differ only where a decision is repeated as of another moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The effective time (rule 1.1.6); `date_spec` looks at it in its own zone (rule 1.6.5).
    pub now: DateTime,
    /// What dates without zone or day are completed with (rule 1.3.6.2).
    pub surroundings: Surroundings,
}

impl Clock {
    /// The effective time in seconds since the epoch.
    pub fn timestamp(&self) -> Timestamp {
        self.now.timestamp()
    }
}

impl From<DateTime> for Clock {
    /// The present moment, in the local zone.
    fn from(now: DateTime) -> Clock {
        Clock { now, surroundings: Surroundings { now } }
    }
}

/// Why a text is no date or duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {expected}: {reason}")]
pub struct DateError {
    pub text: String,
    pub expected: &'static str,
    pub reason: &'static str,
}

const SECONDS_PER_DAY: i64 = 86_400;

/// True for leap years.
pub fn is_leap_year(year: i32) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

/// 365 or 366.
pub fn days_in_year(year: i32) -> u16 {
    if is_leap_year(year) { 366 } else { 365 }
}

/// Number of days of `month` (1…12).
pub fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first day of `year`.
fn days_to_year(year: i32) -> i64 {
    let before = i64::from(year) - 1;
    before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
}

/// Number of ISO weeks of a week year: 52 or 53.
pub fn weeks_in_year(year: i32) -> u8 {
    let first = weekday_of(days_to_year(year));
    if first == 4 || (first == 3 && is_leap_year(year)) { 53 } else { 52 }
}

/// Weekday (1 = Monday) of a day counted from the epoch.
fn weekday_of(days: i64) -> u8 {
    (days + 3).rem_euclid(7) as u8 + 1
}

impl DateTime {
    /// The first moment of 1970, UTC.
    pub const EPOCH: DateTime = DateTime { year: 1970, day_of_year: 1, second_of_day: 0, offset: 0 };

    /// Midnight UTC of a calendar date; `None` if there is no such date.
    pub fn from_calendar(year: i32, month: u8, day: u8) -> Option<DateTime> {
        if year < 1 || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        let before: u16 = (1..month).map(|m| u16::from(days_in_month(year, m))).sum();
        Some(DateTime { year, day_of_year: before + u16::from(day), second_of_day: 0, offset: 0 })
    }

    /// The moment `seconds` after the epoch, written with zone `offset`.
    pub fn from_timestamp(seconds: Timestamp, offset: i32) -> DateTime {
        let local = seconds.saturating_add(i64::from(offset));
        let days = local.div_euclid(SECONDS_PER_DAY);
        let second_of_day = local.rem_euclid(SECONDS_PER_DAY) as u32;
        let mut year = (1970 + days.div_euclid(146_097) * 400 + days.rem_euclid(146_097) / 366)
            .clamp(1, i64::from(i32::MAX / 2)) as i32;
        while days_to_year(year) > days && year > 1 {
            year -= 1;
        }
        while days_to_year(year + 1) <= days {
            year += 1;
        }
        let day_of_year = (days - days_to_year(year) + 1).clamp(1, 366) as u16;
        DateTime { year, day_of_year, second_of_day, offset }
    }

    /// Seconds since the epoch.
    pub fn timestamp(&self) -> Timestamp {
        (days_to_year(self.year) + i64::from(self.day_of_year) - 1) * SECONDS_PER_DAY
            + i64::from(self.second_of_day)
            - i64::from(self.offset)
    }

    /// The same moment written with another zone offset.
    pub fn with_offset(&self, offset: i32) -> DateTime {
        DateTime::from_timestamp(self.timestamp(), offset)
    }

    /// The same moment in UTC.
    pub fn to_utc(&self) -> DateTime {
        self.with_offset(0)
    }

    /// Month (1…12) and day of the month (1…31).
    pub fn month_and_day(&self) -> (u8, u8) {
        let mut rest = self.day_of_year;
        for month in 1..=12 {
            let length = u16::from(days_in_month(self.year, month));
            if rest <= length {
                return (month, rest as u8);
            }
            rest -= length;
        }
        (12, 31)
    }

    /// Hour, minute and second of the day.
    pub fn time_of_day(&self) -> (u8, u8, u8) {
        let s = self.second_of_day;
        ((s / 3600) as u8, (s / 60 % 60) as u8, (s % 60) as u8)
    }

    /// ISO week year, week (1…53) and weekday (1 = Monday … 7).
    pub fn week(&self) -> (i32, u8, u8) {
        let weekday = weekday_of(days_to_year(self.year) + i64::from(self.day_of_year) - 1);
        let number = (i32::from(self.day_of_year) - i32::from(weekday) + 10) / 7;
        if number < 1 {
            (self.year - 1, weeks_in_year(self.year - 1), weekday)
        } else if number > i32::from(weeks_in_year(self.year)) {
            (self.year + 1, 1, weekday)
        } else {
            (self.year, number as u8, weekday)
        }
    }

    /// Adds a duration, component by component from years to seconds (rule 1.3.6.4).
    pub fn plus(&self, duration: &Duration) -> DateTime {
        let mut sum = *self;
        sum.add_years(i64::from(duration.years));
        sum.add_months(i64::from(duration.months));
        sum.add_days(i64::from(duration.weeks) * 7);
        sum.add_days(i64::from(duration.days));
        sum.add_seconds(i64::from(duration.hours) * 3600);
        sum.add_seconds(i64::from(duration.minutes) * 60);
        sum.add_seconds(i64::from(duration.seconds));
        sum
    }

    /// Takes a duration away, component by component.
    pub fn minus(&self, duration: &Duration) -> DateTime {
        let mut rest = *self;
        rest.add_years(-i64::from(duration.years));
        rest.add_months(-i64::from(duration.months));
        rest.add_days(-i64::from(duration.weeks) * 7);
        rest.add_days(-i64::from(duration.days));
        rest.add_seconds(-i64::from(duration.hours) * 3600);
        rest.add_seconds(-i64::from(duration.minutes) * 60);
        rest.add_seconds(-i64::from(duration.seconds));
        rest
    }

    /// Changes the year only; the day of the year stays.
    pub fn add_years(&mut self, years: i64) {
        self.year = (i64::from(self.year) + years).clamp(1, i64::from(i32::MAX / 2)) as i32;
    }

    /// Keeps the day of the month, clipped to the length of the month that is reached.
    pub fn add_months(&mut self, months: i64) {
        if months == 0 {
            return;
        }
        let (month, day) = self.month_and_day();
        let total = i64::from(self.year) * 12 + i64::from(month) - 1 + months;
        let year = total.div_euclid(12).clamp(1, i64::from(i32::MAX / 2)) as i32;
        let month = total.rem_euclid(12) as u8 + 1;
        let day = day.min(days_in_month(year, month));
        if let Some(date) = DateTime::from_calendar(year, month, day) {
            self.year = date.year;
            self.day_of_year = date.day_of_year;
        }
    }

    /// Moves by whole days across years.
    pub fn add_days(&mut self, days: i64) {
        if days == 0 {
            return;
        }
        let day = days_to_year(self.year) + i64::from(self.day_of_year) - 1 + days;
        let day = day.clamp(days_to_year(1), days_to_year(i32::MAX / 2));
        let date = DateTime::from_timestamp(day.saturating_mul(SECONDS_PER_DAY), 0);
        self.year = date.year;
        self.day_of_year = date.day_of_year;
    }

    /// Whole days first, then the rest; exactly 86400 is not carried (rule 1.3.6.4).
    pub fn add_seconds(&mut self, seconds: i64) {
        self.add_days(seconds / SECONDS_PER_DAY);
        let second = i64::from(self.second_of_day) + seconds % SECONDS_PER_DAY;
        if second > SECONDS_PER_DAY {
            self.add_days(1);
            self.second_of_day = (second - SECONDS_PER_DAY) as u32;
        } else if second < 0 {
            self.add_days(-1);
            self.second_of_day = (second + SECONDS_PER_DAY) as u32;
        } else {
            self.second_of_day = second as u32;
        }
    }

    /// Compares moments; the zones they are written in do not matter.
    pub fn compare(&self, other: &DateTime) -> Ordering {
        self.timestamp().cmp(&other.timestamp())
    }

    /// Reads a date with optional time and zone (rule 1.3.6). White space or `/` may follow.
    pub fn parse(text: &str, surroundings: &Surroundings) -> Result<DateTime, DateError> {
        parse::date_time(text, Some(surroundings))
    }

    /// Reads a date that does not depend on the present day or the local zone; `Ok(None)` if it does.
    pub fn parse_absolute(text: &str) -> Result<Option<DateTime>, DateError> {
        match parse::date_time(text, None) {
            Ok(date) => Ok(Some(date)),
            Err(error) if error.reason == parse::NEEDS_SURROUNDINGS => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for DateTime {
    /// `YYYY-MM-DD HH:MM:SSZ` or with `+HH:MM`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (month, day) = self.month_and_day();
        let (hour, minute, second) = self.time_of_day();
        write!(f, "{:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}", self.year)?;
        write_offset(f, self.offset)
    }
}

fn write_offset(f: &mut fmt::Formatter<'_>, offset: i32) -> fmt::Result {
    if offset == 0 {
        return f.write_str("Z");
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    write!(f, " {sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A span of time in calendar components, each with its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Duration {
    pub years: i32,
    pub months: i32,
    pub weeks: i32,
    pub days: i32,
    pub hours: i32,
    pub minutes: i32,
    pub seconds: i32,
}

impl Duration {
    /// Reads an ISO 8601 duration (rule 1.3.7).
    pub fn parse(text: &str) -> Result<Duration, DateError> {
        parse::duration(text).map(|(duration, _)| duration)
    }

    /// Length in seconds with years of 365 and months of 30 days (rule 1.3.5).
    pub fn nominal_seconds(&self) -> i64 {
        let days = i64::from(self.years) * 365
            + i64::from(self.months) * 30
            + i64::from(self.weeks) * 7
            + i64::from(self.days);
        days * SECONDS_PER_DAY
            + i64::from(self.hours) * 3600
            + i64::from(self.minutes) * 60
            + i64::from(self.seconds)
    }

    pub fn is_zero(&self) -> bool {
        *self == Duration::default()
    }
}

/// The text forms. Works on bytes of ASCII text; anything else is refused.
mod parse {
    use super::*;

    pub(super) const NEEDS_SURROUNDINGS: &str = "it depends on the local zone or the present day";

    fn error(text: &str, expected: &'static str, reason: &'static str) -> DateError {
        DateError { text: text.to_owned(), expected, reason }
    }

    /// A run of digits as a number, and the rest. `None` without digits or beyond 9 digits.
    fn digits(text: &str) -> Option<(u32, usize, &str)> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        if end == 0 || end > 9 {
            return None;
        }
        text[..end].parse().ok().map(|value| (value, end, &text[end..]))
    }

    pub(super) fn date_time(text: &str, surroundings: Option<&Surroundings>) -> Result<DateTime, DateError> {
        let fail = |reason| error(text, "date/time", reason);
        if text.is_empty() || !text.is_ascii() {
            return Err(fail("it is empty or has characters that no date has"));
        }
        if let Some(rest) =
            text.get(..5).filter(|head| head.eq_ignore_ascii_case("epoch")).map(|_| &text[5..])
        {
            if rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '/') {
                return Ok(DateTime::EPOCH);
            }
        }
        let time_only = text.starts_with('T') || text.as_bytes().get(2) == Some(&b':');
        if time_only {
            let today = surroundings.ok_or_else(|| fail(NEEDS_SURROUNDINGS))?.now;
            let clock = text.strip_prefix('T').unwrap_or(text);
            let date = DateTime { second_of_day: 0, ..today };
            return time(date, clock, surroundings).map_err(fail);
        }
        let (date, rest) = calendar(text).map_err(fail)?;
        match rest.bytes().next() {
            None | Some(b'/') => Ok(date),
            Some(b'T' | b' ') if rest.len() > 1 && rest.as_bytes()[1].is_ascii_digit() => {
                time(date, &rest[1..], surroundings).map_err(fail)
            }
            Some(b'T') => Err(fail("the time of day is missing")),
            Some(byte)
                if byte.is_ascii_whitespace()
                    && matches!(rest.trim_start().bytes().next(), None | Some(b'/')) =>
            {
                Ok(date)
            }
            Some(_) => Err(fail("there is text after the date that is no time of day")),
        }
    }

    /// The date part: calendar, ordinal or week form.
    fn calendar(text: &str) -> Result<(DateTime, &str), &'static str> {
        const OUT_OF_RANGE: &str = "there is no such day";
        let (first, width, rest) = digits(text).ok_or("it does not begin with a year")?;
        let Some(after_dash) = rest.strip_prefix('-') else {
            if width != 8 {
                return Err("the date is neither YYYY-MM-DD, YYYYMMDD, YYYY-DDD nor YYYY-Www-D");
            }
            let date = DateTime::from_calendar(
                (first / 10_000) as i32,
                (first / 100 % 100) as u8,
                (first % 100) as u8,
            );
            return date.map(|date| (date, rest)).ok_or(OUT_OF_RANGE);
        };
        let year = first as i32;
        if year < 1 {
            return Err("the year must be at least 1");
        }
        if let Some(week) = after_dash.strip_prefix(['W', 'w']) {
            let (week, _, rest) = digits(week).ok_or("the week number is missing")?;
            let rest = rest.strip_prefix('-').ok_or("the day of the week is missing")?;
            let (day, _, rest) = digits(rest).ok_or("the day of the week is missing")?;
            if week < 1 || week > u32::from(weeks_in_year(year)) || !(1..=7).contains(&day) {
                return Err(OUT_OF_RANGE);
            }
            return Ok((from_week(year, week, day), rest));
        }
        let (second, second_width, rest) = digits(after_dash).ok_or("the month or day is missing")?;
        if let Some(day) = rest.strip_prefix('-') {
            let (day, _, rest) = digits(day).ok_or("the day of the month is missing")?;
            let (Ok(month), Ok(day)) = (u8::try_from(second), u8::try_from(day)) else {
                return Err(OUT_OF_RANGE);
            };
            return DateTime::from_calendar(year, month, day).map(|date| (date, rest)).ok_or(OUT_OF_RANGE);
        }
        if second_width == 0 || second < 1 || second > u32::from(days_in_year(year)) {
            return Err(OUT_OF_RANGE);
        }
        Ok((DateTime { year, day_of_year: second as u16, second_of_day: 0, offset: 0 }, rest))
    }

    fn from_week(year: i32, week: u32, day: u32) -> DateTime {
        let start = days_to_year(year);
        let first_weekday = i64::from(weekday_of(start));
        // Week 1 is the one that holds the first Thursday.
        let monday = if first_weekday <= 4 { start - (first_weekday - 1) } else { start + 8 - first_weekday };
        let days = monday + (i64::from(week) - 1) * 7 + i64::from(day) - 1;
        DateTime::from_timestamp(days * SECONDS_PER_DAY, 0)
    }

    /// The time of day and zone.
    fn time(
        date: DateTime,
        text: &str,
        surroundings: Option<&Surroundings>,
    ) -> Result<DateTime, &'static str> {
        let second_of_day = clock(text)?;
        let offset = match zone(text)? {
            Some(offset) => offset,
            None => surroundings.ok_or(NEEDS_SURROUNDINGS)?.now.offset,
        };
        let mut moment = DateTime { second_of_day, offset, ..date };
        if second_of_day == 86_400 {
            moment.second_of_day = 0;
            moment.add_days(1);
        }
        Ok(moment)
    }

    fn clock(text: &str) -> Result<u32, &'static str> {
        let (first, width, rest) = digits(text).ok_or("the hour is missing")?;
        let (hour, minute, second) = if let Some(rest) = rest.strip_prefix(':') {
            let (minute, _, rest) = digits(rest).ok_or("the minute is missing")?;
            let second =
                rest.strip_prefix(':').map(|rest| digits(rest).ok_or("the second is missing")).transpose()?;
            (first, minute, second.map_or(0, |(second, _, _)| second))
        } else {
            match width {
                6 => (first / 10_000, first / 100 % 100, first % 100),
                4 => (first / 100, first % 100, 0),
                1 | 2 => (first, 0, 0),
                _ => return Err("the time of day is neither HH:MM:SS, HHMMSS, HHMM nor HH"),
            }
        };
        let midnight = (hour, minute, second) == (24, 0, 0);
        if !midnight && (hour > 23 || minute > 59 || second > 59) {
            return Err("there is no such time of day");
        }
        Ok(hour * 3600 + minute * 60 + second)
    }

    /// The zone offset in seconds, or `None` if the text has none.
    fn zone(text: &str) -> Result<Option<i32>, &'static str> {
        const BAD_ZONE: &str = "the zone is neither Z, +HH:MM, +HHMM nor +HH";
        let end = text.find('/').unwrap_or(text.len());
        let text = &text[..end];
        if text.contains('Z') {
            return Ok(Some(0));
        }
        let Some(at) = text.find([' ', '+', '-']) else { return Ok(None) };
        let text = text[at..].trim_start();
        if text.is_empty() {
            return Ok(None);
        }
        let (sign, text) = match text.as_bytes()[0] {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        let (first, width, rest) = digits(text).ok_or(BAD_ZONE)?;
        let (hours, minutes) = match rest.strip_prefix(':') {
            Some(rest) => (first, digits(rest).ok_or(BAD_ZONE)?.0),
            None if width == 4 => (first / 100, first % 100),
            None if width <= 2 => (first, 0),
            None => return Err(BAD_ZONE),
        };
        if hours > 23 || minutes > 59 {
            return Err(BAD_ZONE);
        }
        Ok(Some(sign * (hours * 3600 + minutes * 60) as i32))
    }

    /// A duration and the rest of the text after it.
    pub(super) fn duration(text: &str) -> Result<(Duration, &str), DateError> {
        let fail = |reason| error(text, "duration", reason);
        let mut rest = text.strip_prefix('P').ok_or_else(|| fail("it does not begin with P"))?;
        let mut total = Duration::default();
        let mut after_t = false;
        while let Some(next) = rest.chars().next() {
            if next == '/' || next.is_ascii_whitespace() {
                break;
            }
            if next == 'T' {
                after_t = true;
                rest = &rest[1..];
                continue;
            }
            let (value, after) = component(rest).ok_or_else(|| fail("a number is missing or too large"))?;
            let unit = after.chars().next().ok_or_else(|| fail("the unit is missing after a number"))?;
            add_component(&mut total, unit, after_t, value).map_err(fail)?;
            rest = &after[unit.len_utf8()..];
        }
        if total.is_zero() {
            return Err(fail("it has no length"));
        }
        Ok((total, rest))
    }

    fn component(text: &str) -> Option<(i32, &str)> {
        let unsigned = text.trim_start_matches(['+', '-']);
        if text.len() - unsigned.len() > 1 || !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let (value, rest) = split_integer(text)?;
        if unsigned.len() - rest.len() > 10 {
            return None;
        }
        Some((i32::try_from(value).ok()?, rest))
    }

    fn add_component(
        total: &mut Duration,
        unit: char,
        after_t: bool,
        value: i32,
    ) -> Result<(), &'static str> {
        const TOO_LARGE: &str = "the sum of a unit is too large";
        let more = |old: i32| old.checked_add(value).ok_or(TOO_LARGE);
        match unit {
            'Y' => total.years = value,
            'M' if !after_t => total.months = value,
            'M' => total.minutes = more(total.minutes)?,
            'W' => total.weeks = more(total.weeks)?,
            'D' => total.days = more(total.days)?,
            'H' => total.hours = more(total.hours)?,
            'S' => total.seconds = more(total.seconds)?,
            _ => return Err("the unit is none of Y, M, W, D, H, S"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
