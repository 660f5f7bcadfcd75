//! Periods (two moments, or a moment and a duration), and the printed forms of dates and durations.

use super::{DateError, DateTime, Duration, Surroundings};
use std::fmt;

/// From a moment to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub start: DateTime,
    pub end: DateTime,
}

impl Period {
    /// Reads `START/END`, `START/DURATION` or `DURATION/END`.
    ///
    /// # Errors
    /// A part is missing or not valid, both are durations, or the end comes before the start.
    pub fn parse(text: &str, surroundings: &Surroundings) -> Result<Period, DateError> {
        let fail = |reason| DateError { text: text.to_owned(), expected: "interval", reason };
        let (first, second) = text.split_once('/').ok_or_else(|| fail("there is no / between two parts"))?;
        let (first, second) = (first.trim(), second.trim());
        let moment = |part: &str| DateTime::parse(part, surroundings);
        let (start, end) = match (first.starts_with('P'), second.starts_with('P')) {
            (true, true) => return Err(fail("both parts are durations")),
            (true, false) => {
                let end = moment(second)?;
                (end.minus(&Duration::parse(first)?), end)
            }
            (false, true) => {
                let start = moment(first)?;
                (start, start.plus(&Duration::parse(second)?))
            }
            (false, false) => (moment(first)?, moment(second)?),
        };
        if start.timestamp() > end.timestamp() {
            return Err(fail("it ends before it starts"));
        }
        Ok(Period { start, end })
    }
}

/// How a date is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateForm {
    /// `2020-01-01`.
    #[default]
    Calendar,
    /// `2020-001`.
    Ordinal,
    /// `2020-W01-3`.
    Week,
}

impl DateTime {
    /// Date and time of day in the form asked for, with the zone.
    pub fn text(&self, form: DateForm) -> String {
        let whole = self.to_string();
        let rest = whole.split_once(' ').map_or("", |(_, rest)| rest);
        match form {
            DateForm::Calendar => whole,
            DateForm::Ordinal => format!("{:04}-{:03} {rest}", self.year, self.day_of_year),
            DateForm::Week => {
                let (year, week, day) = self.week();
                format!("{year:04}-W{week:02}-{day} {rest}")
            }
        }
    }

    /// Seconds since the beginning of the calendar, which is that of the year 1.
    pub fn seconds_since_year_zero(&self) -> i64 {
        self.timestamp() + 62_135_596_800
    }
}

impl fmt::Display for Duration {
    /// Components in the columns of the field; hours, minutes and seconds as one number of seconds, and how much
    /// that is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = i64::from(self.weeks) * 7 + i64::from(self.days);
        let seconds = i64::from(self.hours) * 3600 + i64::from(self.minutes) * 60 + i64::from(self.seconds);
        let large =
            [(i64::from(self.years), 4, "year"), (i64::from(self.months), 2, "month"), (days, 2, "day")];
        let mut nothing = true;
        for (value, width, unit) in large.into_iter().filter(|(value, ..)| *value != 0) {
            write!(f, "{value:width$} {unit}{} ", if value == 1 { "" } else { "s" })?;
            nothing = false;
        }
        if seconds != 0 || nothing {
            f.write_str(&counted(seconds, "second"))?;
        }
        if seconds.abs() >= 60 {
            write!(f, " ({})", hours_minutes_seconds(seconds.abs()))?;
        }
        Ok(())
    }
}

fn counted(value: i64, unit: &str) -> String {
    format!("{value} {unit}{}", if value == 1 { "" } else { "s" })
}

fn hours_minutes_seconds(seconds: i64) -> String {
    let parts = [(seconds / 3600, "hour"), (seconds / 60 % 60, "minute"), (seconds % 60, "second")];
    let words: Vec<String> =
        parts.iter().filter(|(value, _)| *value != 0).map(|(value, unit)| counted(*value, unit)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings { now: DateTime::from_timestamp(0, 0) }
    }

    fn period(text: &str) -> String {
        match Period::parse(text, &surroundings()) {
            Ok(period) => format!("{} to {}", period.start, period.end),
            Err(error) => error.reason.to_owned(),
        }
    }

    #[test]
    fn periods_of_every_form() {
        assert_eq!(period("2024-01-01/2024-02-01"), "2024-01-01 00:00:00Z to 2024-02-01 00:00:00Z");
        assert_eq!(period("2024-01-31/P1M"), "2024-01-31 00:00:00Z to 2024-02-29 00:00:00Z");
        assert_eq!(period("PT1H/2024-01-01"), "2023-12-31 23:00:00Z to 2024-01-01 00:00:00Z");
        assert_eq!(period("P1D/P1D"), "both parts are durations");
        assert_eq!(period("2024-01-02/2024-01-01"), "it ends before it starts");
        assert_eq!(period("2024-01-02"), "there is no / between two parts");
    }

    #[test]
    fn printed_forms() {
        let date = DateTime::from_calendar(2020, 1, 1).expect("a date");
        assert_eq!(date.text(DateForm::Calendar), "2020-01-01 00:00:00Z");
        assert_eq!(date.text(DateForm::Ordinal), "2020-001 00:00:00Z");
        assert_eq!(date.text(DateForm::Week), "2020-W01-3 00:00:00Z");
        assert_eq!(DateTime::from_calendar(1, 1, 1).map(|first| first.seconds_since_year_zero()), Some(0));
        let words = |text: &str| Duration::parse(text).expect("a duration").to_string();
        assert_eq!(words("PT-1H"), "-3600 seconds (1 hour)");
        assert_eq!(
            words("P1Y2M1W1DT1H1M1S"),
            "   1 year  2 months  8 days 3661 seconds (1 hour 1 minute 1 second)"
        );
        assert_eq!(words("PT1S"), "1 second");
    }
}
