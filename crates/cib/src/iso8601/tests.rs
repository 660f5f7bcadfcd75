use super::*;
use proptest::prelude::*;

fn surroundings() -> Surroundings {
    Surroundings { now: at("2024-03-15 12:00:00Z").with_offset(3600) }
}

fn at(text: &str) -> DateTime {
    DateTime::parse_absolute(text).expect("a date").expect("an absolute date")
}

fn parsed(text: &str) -> String {
    match DateTime::parse(text, &surroundings()) {
        Ok(date) => date.to_string(),
        Err(error) => error.reason.to_owned(),
    }
}

#[test]
fn every_form_of_a_date() {
    for (text, expected) in [
        ("epoch", "1970-01-01 00:00:00Z"),
        ("2024-02-29", "2024-02-29 00:00:00Z"),
        ("20240229", "2024-02-29 00:00:00Z"),
        ("2024-060", "2024-02-29 00:00:00Z"),
        ("2024-W09-4", "2024-02-29 00:00:00Z"),
        ("2009-W53-7", "2010-01-03 00:00:00Z"),
        ("2009-W01-1", "2008-12-29 00:00:00Z"),
        ("2024-1-2", "2024-01-02 00:00:00Z"),
        ("2024-02-29T10:20:30Z", "2024-02-29 10:20:30Z"),
        ("2024-02-29 10:20Z", "2024-02-29 10:20:00Z"),
        ("2024-02-29 102030 +0200", "2024-02-29 10:20:30 +02:00"),
        ("2024-02-29 10:20:30-05:30", "2024-02-29 10:20:30 -05:30"),
        ("2024-02-29 10:20:30", "2024-02-29 10:20:30 +01:00"),
        ("2024-02-29 10:20:30.25Z", "2024-02-29 10:20:30Z"),
        ("2024-02-28 24:00:00Z", "2024-02-29 00:00:00Z"),
        ("T10", "2024-03-15 10:00:00 +01:00"),
        ("10:30", "2024-03-15 10:30:00 +01:00"),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_date() {
    for text in [
        "",
        "yesterday",
        "2023-02-29",
        "2024-13-01",
        "2024-366x",
        "2023-366",
        "0-01-01",
        "2024-W54-1",
        "2024-01-01 25:00",
        "2024-01-01T",
        "ab:cd",
        "2024-01-01 noon",
    ] {
        assert!(DateTime::parse(text, &surroundings()).is_err(), "{text}");
    }
}

#[test]
fn dates_that_depend_on_the_place_are_left_for_later() {
    assert_eq!(DateTime::parse_absolute("2024-02-29 10:20"), Ok(None));
    assert_eq!(DateTime::parse_absolute("T10:20Z"), Ok(None));
    assert!(DateTime::parse_absolute("2024-02-30 10:20").is_err());
}

#[test]
fn adding_years_keeps_the_day_of_the_year() {
    let sum = |start: &str, duration: &str| {
        at(start).plus(&Duration::parse(duration).expect("a duration")).to_string()
    };
    assert_eq!(sum("2023-03-01", "P1Y"), "2024-02-29 00:00:00Z");
    assert_eq!(sum("2024-01-31", "P1M"), "2024-02-29 00:00:00Z");
    assert_eq!(sum("2024-12-31", "P2D"), "2025-01-02 00:00:00Z");
    assert_eq!(sum("2024-12-31 23:59:59Z", "PT2S"), "2025-01-01 00:00:01Z");
    assert_eq!(sum("2024-01-31", "P-1M"), "2023-12-31 00:00:00Z");
}

#[test]
fn the_last_second_of_a_day_is_not_carried() {
    let midnight = at("2024-12-31 23:59:59Z").plus(&Duration { seconds: 1, ..Duration::default() });
    assert_eq!((midnight.year, midnight.day_of_year, midnight.second_of_day), (2024, 366, 86_400));
    assert_eq!(midnight.compare(&at("2025-01-01")), Ordering::Equal);
}

#[test]
fn durations() {
    let read = |text: &str| Duration::parse(text).ok();
    assert_eq!(
        read("P1Y2M3W4DT5H6M7S"),
        Some(Duration { years: 1, months: 2, weeks: 3, days: 4, hours: 5, minutes: 6, seconds: 7 })
    );
    assert_eq!(read("PT90S/later"), Some(Duration { seconds: 90, ..Duration::default() }));
    assert_eq!(read("P-1D"), Some(Duration { days: -1, ..Duration::default() }));
    for text in ["", "P", "PT", "P0D", "P1", "P1.5D", "P1X", "1D", "P99999999999S"] {
        assert_eq!(read(text), None, "{text}");
    }
    assert_eq!(Duration::parse("P1Y1M").expect("a duration").nominal_seconds(), 395 * 86_400);
}

#[test]
fn weeks_around_the_turn_of_the_year() {
    for (text, week) in [
        ("2008-12-29", (2009, 1, 1)),
        ("2010-01-03", (2009, 53, 7)),
        ("2024-12-30", (2025, 1, 1)),
        ("2021-01-01", (2020, 53, 5)),
    ] {
        assert_eq!(at(text).week(), week, "{text}");
    }
}

proptest! {
    #[test]
    fn timestamps_survive_the_way_there_and_back(seconds in -60_000_000_000i64..250_000_000_000, offset in -50_000i32..50_000) {
        prop_assert_eq!(DateTime::from_timestamp(seconds, offset).timestamp(), seconds);
    }

    #[test]
    fn printed_dates_read_back(seconds in -60_000_000_000i64..250_000_000_000) {
        let date = DateTime::from_timestamp(seconds, 0);
        prop_assert_eq!(DateTime::parse_absolute(&date.to_string()), Ok(Some(date)));
    }

    #[test]
    fn no_text_makes_a_reading_panic(text in "\\PC*") {
        let _ = (DateTime::parse(&text, &surroundings()), Duration::parse(&text));
    }

    #[test]
    fn dates_like_texts_do_not_panic(text in "[0-9TWZPYMDHS:+ /-]{0,24}") {
        if let (Ok(date), Ok(duration)) = (DateTime::parse("2024-01-01", &surroundings()), Duration::parse(&text)) {
            let _ = date.plus(&duration).minus(&duration).timestamp();
        }
        let _ = DateTime::parse(&text, &surroundings());
    }
}
