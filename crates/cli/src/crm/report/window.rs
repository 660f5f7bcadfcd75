//! The time that a report is about.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Zoned};

/// From a moment to another.
pub struct Window {
    from: Zoned,
    to: Zoned,
}

/// How far back a report goes unless told, in hours.
const HOURS: i64 = 12;

impl Window {
    /// Reads both ends in local time.
    ///
    /// # Errors
    /// A text is no time, or the window ends before it begins.
    pub fn new(from: Option<&str>, to: Option<&str>, now: &Zoned) -> Result<Window, String> {
        let to = to.filter(|text| *text != "now").map_or(Ok(now.clone()), |text| moment(text, now))?;
        let from = match from {
            Some(text) => moment(text, now)?,
            None => to.checked_sub(Span::new().hours(HOURS)).map_err(|error| error.to_string())?,
        };
        if from > to {
            return Err(format!("the time begins ({}) after it ends ({})", text(&from), text(&to)));
        }
        Ok(Window { from, to })
    }

    /// Whether a moment in milliseconds since 1970 is inside.
    pub fn has(&self, milliseconds: u64) -> bool {
        let at = i64::try_from(milliseconds).unwrap_or(i64::MAX);
        (self.from.timestamp().as_millisecond()..=self.to.timestamp().as_millisecond() + 999).contains(&at)
    }

    pub fn begin_text(&self) -> String {
        text(&self.from)
    }

    pub fn end_text(&self) -> String {
        text(&self.to)
    }
}

fn text(at: &Zoned) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `YYYY-M-D[ H:M[:S]]` or `H:M[:S]` of today.
fn moment(text: &str, now: &Zoned) -> Result<Zoned, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let parsed = match words.as_slice() {
        [one] if one.contains(':') => time_of_day(one).map(|time| now.date().to_datetime(time)),
        [day] => date(day).map(|date| date.to_datetime(Time::midnight())),
        [day, time] => date(day).zip(time_of_day(time)).map(|(date, time)| date.to_datetime(time)),
        _ => None,
    };
    let moment = parsed.and_then(|at: DateTime| at.to_zoned(now.time_zone().clone()).ok());
    moment.ok_or_else(|| format!("'{text}' is no time: write YYYY-MM-DD HH:MM:SS, or HH:MM:SS for today"))
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i16; N]> {
    let parts: Vec<i16> = text.split(separator).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    parts.try_into().ok()
}

fn date(text: &str) -> Option<Date> {
    let [year, month, day] = numbers(text, '-')?;
    Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
}

fn time_of_day(text: &str) -> Option<Time> {
    let [hour, minute, second] = match numbers::<2>(text, ':') {
        Some([hour, minute]) => [hour, minute, 0],
        None => numbers(text, ':')?,
    };
    Time::new(hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: Option<&str>, to: Option<&str>) -> Result<String, String> {
        let now = "2026-11-21T10:30:00+00:00[UTC]".parse().expect("a moment");
        Window::new(from, to, &now).map(|window| format!("{} {}", window.begin_text(), window.end_text()))
    }

    #[test]
    fn times_of_every_form() {
        assert_eq!(window(Some("09:00:00"), None).unwrap(), "2026-11-21 09:00:00 2026-11-21 10:30:00");
        assert_eq!(
            window(Some("2026-1-2"), Some("2026-1-2 3:04")).unwrap(),
            "2026-01-02 00:00:00 2026-01-02 03:04:00"
        );
        assert_eq!(window(None, Some("10:00")).unwrap(), "2026-11-20 22:00:00 2026-11-21 10:00:00");
        assert!(window(Some("11:00:00"), None).unwrap_err().contains("after it ends"));
        assert!(window(Some("yesterday"), None).unwrap_err().contains("is no time"));
    }
}
