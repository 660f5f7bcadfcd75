//! Readings of attribute texts: scores, booleans, integers, durations, roles, versions
//! (rules 1.3.1–1.3.11). Every reading is total: bad text gives `None`, never a panic.

use std::cmp::Ordering;
use std::fmt;

/// Seconds since 1970-01-01 00:00:00 UTC.
pub type Timestamp = i64;

/// A preference for a node, saturating at ±[`Score::INFINITY`]; minus infinity always wins a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Score(i32);

impl Score {
    pub const ZERO: Score = Score(0);
    pub const INFINITY: Score = Score(1_000_000);
    pub const MINUS_INFINITY: Score = Score(-1_000_000);

    /// A score from a number, clipped to the range.
    pub const fn new(value: i64) -> Score {
        if value >= Score::INFINITY.0 as i64 {
            Score::INFINITY
        } else if value <= Score::MINUS_INFINITY.0 as i64 {
            Score::MINUS_INFINITY
        } else {
            Score(value as i32)
        }
    }

    /// The number, from -1000000 to 1000000.
    pub const fn value(self) -> i32 {
        self.0
    }

    pub const fn is_infinite(self) -> bool {
        self.0 == Score::INFINITY.0
    }

    pub const fn is_minus_infinite(self) -> bool {
        self.0 == Score::MINUS_INFINITY.0
    }

    /// The sum of rule 1.3.4: minus infinity beats infinity, infinity beats any number.
    pub fn plus(self, other: Score) -> Score {
        if self.is_minus_infinite() || other.is_minus_infinite() {
            Score::MINUS_INFINITY
        } else if self.is_infinite() || other.is_infinite() {
            Score::INFINITY
        } else {
            Score::new(i64::from(self.0) + i64::from(other.0))
        }
    }

    /// Reads a score; `None` if there is no number. The health words need
    /// [`ScoreText::resolve`] and are not accepted here.
    pub fn parse(text: &str) -> Option<Score> {
        match text {
            "INFINITY" | "+INFINITY" => Some(Score::INFINITY),
            "-INFINITY" => Some(Score::MINUS_INFINITY),
            _ => parse_integer(text).map(Score::new),
        }
    }
}

impl std::ops::Add for Score {
    type Output = Score;
    fn add(self, other: Score) -> Score {
        self.plus(other)
    }
}

impl std::ops::AddAssign for Score {
    fn add_assign(&mut self, other: Score) {
        *self = self.plus(other);
    }
}

impl std::ops::Neg for Score {
    type Output = Score;
    fn neg(self) -> Score {
        Score(-self.0)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Score::INFINITY => f.pad("INFINITY"),
            Score::MINUS_INFINITY => f.pad("-INFINITY"),
            Score(value) => f.pad(&value.to_string()),
        }
    }
}

/// The scores that the words `red`, `yellow` and `green` stand for under the cluster's
/// node health strategy (rule 1.7.9.1). The default is the strategy `none`: all 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HealthScores {
    pub red: Score,
    pub yellow: Score,
    pub green: Score,
}

/// A score as configured, before the health words are given their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScoreText {
    Number(Score),
    Red,
    Yellow,
    Green,
    /// Not a score; holds the text.
    Invalid(crate::text::Text),
}

impl ScoreText {
    /// Classifies `text` (rule 1.3.4).
    pub fn read(text: &str) -> ScoreText {
        if let Some(score) = Score::parse(text) {
            ScoreText::Number(score)
        } else if text.eq_ignore_ascii_case("red") {
            ScoreText::Red
        } else if text.eq_ignore_ascii_case("yellow") {
            ScoreText::Yellow
        } else if text.eq_ignore_ascii_case("green") {
            ScoreText::Green
        } else {
            ScoreText::Invalid(text.into())
        }
    }

    /// The score, or `None` if the text is not one.
    pub fn resolve(&self, health: &HealthScores) -> Option<Score> {
        match self {
            ScoreText::Number(score) => Some(*score),
            ScoreText::Red => Some(health.red),
            ScoreText::Yellow => Some(health.yellow),
            ScoreText::Green => Some(health.green),
            ScoreText::Invalid(_) => None,
        }
    }
}

/// Reads a score including the health words; `None` if invalid.
pub fn parse_score(text: &str, health: &HealthScores) -> Option<Score> {
    ScoreText::read(text).resolve(health)
}

/// Reads a boolean word (rule 1.3.1); `None` if it is neither a true nor a false word.
pub fn parse_boolean(text: &str) -> Option<bool> {
    const TRUE: [&str; 5] = ["true", "on", "yes", "y", "1"];
    const FALSE: [&str; 5] = ["false", "off", "no", "n", "0"];
    if TRUE.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        Some(true)
    } else if FALSE.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        Some(false)
    } else {
        None
    }
}

/// "Is it true": unset and unparsable values are false.
pub fn is_true(text: Option<&str>) -> bool {
    text.and_then(parse_boolean) == Some(true)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Splits `text` into a leading integer and the rest (rule 1.3.2): blanks and a sign may come
/// first, the value is clipped to 64 bits. `None` without digits.
pub fn split_integer(text: &str) -> Option<(i64, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && is_blank(bytes[at]) {
        at += 1;
    }
    let negative = match bytes.get(at) {
        Some(b'-') => {
            at += 1;
            true
        }
        Some(b'+') => {
            at += 1;
            false
        }
        _ => false,
    };
    let start = at;
    let mut value: i64 = 0;
    while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
        let digit = i64::from(digit - b'0');
        value = value.saturating_mul(10);
        value = if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) };
        at += 1;
    }
    (at > start).then(|| (value, &text[at..]))
}

/// Reads an integer; text after the digits is ignored (rule 1.3.2).
pub fn parse_integer(text: &str) -> Option<i64> {
    split_integer(text).map(|(value, _)| value)
}

/// Reads an "unsigned" attribute: 0…4294967295, else `None` (rule 1.3.2).
pub fn parse_unsigned(text: &str) -> Option<u32> {
    parse_integer(text).and_then(|value| u32::try_from(value).ok())
}

/// A non-negative integer option (rule 1.3.3): unset gives `default`, invalid or negative
/// text gives 0, large values are clipped to 2147483647.
pub fn non_negative_integer(text: Option<&str>, default: u32) -> u32 {
    match text {
        None => default,
        Some(text) => parse_integer(text).unwrap_or(0).clamp(0, i64::from(i32::MAX)) as u32,
    }
}

/// Milliseconds of an interval text with its capped value (rule 1.3.5); `None` if invalid.
/// Unset text is the caller's business (0).
pub fn parse_interval(text: &str) -> Option<u64> {
    if text.starts_with('P') {
        let milliseconds = crate::iso8601::Duration::parse(text).ok()?.nominal_seconds().checked_mul(1000)?;
        return u64::try_from(milliseconds).ok().map(|value| value.min(4_294_967_000));
    }
    let milliseconds = parse_with_unit(text)?;
    u64::try_from(milliseconds).ok().map(|value| value.min(u64::from(u32::MAX)))
}

/// An interval as used: unset, invalid and negative texts are 0 (rule 1.3.5). Milliseconds.
pub fn interval_or_zero(text: Option<&str>) -> u64 {
    text.and_then(parse_interval).unwrap_or(0)
}

/// The number-plus-unit form, in milliseconds, sign kept; `None` if invalid (rule 1.3.5).
pub fn parse_with_unit(text: &str) -> Option<i64> {
    let (number, rest) = split_integer(text)?;
    let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let unit = unit.trim_start_matches(|c: char| c.is_ascii() && is_blank(c as u8));
    let starts = |word: &str| unit.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    let (multiplier, divisor) = if unit.is_empty() || starts("s") {
        (1000, 1)
    } else if starts("ms") {
        (1, 1)
    } else if starts("us") {
        (1, 1000)
    } else if starts("m") {
        (60_000, 1)
    } else if starts("h") {
        (3_600_000, 1)
    } else {
        return None;
    };
    Some(number.saturating_mul(multiplier) / divisor)
}

/// Default of an operation's `timeout`, in milliseconds.
pub const DEFAULT_OPERATION_TIMEOUT: u32 = 20_000;

/// The `timeout` of an operation in milliseconds (rule 1.3.5.1): ISO 8601 is not accepted;
/// invalid, zero and negative give the default of 20 s.
pub fn operation_timeout(text: Option<&str>) -> u32 {
    match text.and_then(parse_with_unit) {
        Some(value) if value > 0 => value.min(i64::from(i32::MAX)) as u32,
        _ => DEFAULT_OPERATION_TIMEOUT,
    }
}

/// The `start-delay` of an operation in milliseconds (rule 1.3.5.1).
pub fn start_delay(text: Option<&str>) -> u32 {
    text.and_then(parse_with_unit).unwrap_or(0).clamp(0, i64::from(i32::MAX)) as u32
}

/// Milliseconds to seconds (rule 1.3.5.2): 1…999 give 1, else rounded to the nearest second.
pub fn seconds_from_milliseconds(milliseconds: u64) -> u64 {
    match milliseconds {
        0 => 0,
        1..=999 => 1,
        _ => (milliseconds + 500) / 1000,
    }
}

/// What a resource does on a node. The order is used in comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    #[default]
    Unknown,
    Stopped,
    Started,
    Unpromoted,
    Promoted,
}

impl Role {
    /// Reads a role name, legacy names included (rule 1.3.8); `None` if it is no role at all.
    pub fn parse(text: &str) -> Option<Role> {
        const NAMES: [(&str, Role); 7] = [
            ("Started", Role::Started),
            ("Promoted", Role::Promoted),
            ("Unpromoted", Role::Unpromoted),
            ("Stopped", Role::Stopped),
            ("Master", Role::Promoted),
            ("Slave", Role::Unpromoted),
            ("Unknown", Role::Unknown),
        ];
        NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, role)| *role)
    }

    pub fn name(self) -> &'static str {
        match self {
            Role::Unknown => "Unknown",
            Role::Stopped => "Stopped",
            Role::Started => "Started",
            Role::Unpromoted => "Unpromoted",
            Role::Promoted => "Promoted",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Compares two version texts segment by segment (rule 1.3.9).
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (version_segments(a), version_segments(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => match left.unwrap_or(0).cmp(&right.unwrap_or(0)) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

fn version_segments(text: &str) -> impl Iterator<Item = i64> + '_ {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].split('.').map(|segment| parse_integer(segment).unwrap_or(0))
}

/// Natural order of node names (rule 1.3.10): letters ignore case, digit runs compare as
/// numbers, of equal numbers the shorter run comes first.
pub fn compare_node_names(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) if left.is_ascii_digit() && right.is_ascii_digit() => {
                let (left_run, left_rest) = digit_run(a);
                let (right_run, right_rest) = digit_run(b);
                match compare_digit_runs(left_run, right_run) {
                    Ordering::Equal => (a, b) = (left_rest, right_rest),
                    unequal => return unequal,
                }
            }
            (Some(left), Some(right)) => match left.to_ascii_lowercase().cmp(&right.to_ascii_lowercase()) {
                Ordering::Equal => (a, b) = (&a[1..], &b[1..]),
                unequal => return unequal,
            },
        }
    }
}

fn digit_run(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    bytes.split_at(end)
}

fn compare_digit_runs(a: &[u8], b: &[u8]) -> Ordering {
    let significant =
        |run: &[u8]| -> Vec<u8> { run.iter().copied().skip_while(|digit| *digit == b'0').collect() };
    let (left, right) = (significant(a), significant(b));
    left.len().cmp(&right.len()).then_with(|| left.cmp(&right)).then_with(|| a.len().cmp(&b.len()))
}

/// Milliseconds in readable form: `1d2h3m4.005s`, `3.500s`, `20s`, `500ms`.
pub fn readable_duration(milliseconds: i64) -> String {
    if (0..1000).contains(&milliseconds) {
        return format!("{milliseconds}ms");
    }
    let (whole, rest) = (milliseconds / 1000, milliseconds % 1000);
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    let mut text = String::new();
    for (amount, unit) in [(days, "d"), (hours, "h"), (minutes, "m")] {
        if amount > 0 {
            text.push_str(&format!("{amount}{unit}"));
        }
    }
    match (seconds, rest) {
        (0, 0) => {}
        (seconds, 0) => text.push_str(&format!("{seconds}s")),
        (seconds, rest) => text.push_str(&format!("{seconds}.{rest:03}s")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_readable() {
        assert_eq!(readable_duration(500), "500ms");
        assert_eq!(readable_duration(20_000), "20s");
        assert_eq!(readable_duration(3_500), "3.500s");
        assert_eq!(readable_duration(93_784_005), "1d2h3m4.005s");
        assert_eq!(readable_duration(60_000), "1m");
    }

    /// Rules 2.1.1 and 2.1.3.
    #[test]
    fn scores_are_read_as_configured() {
        for (text, expected) in [
            ("INFINITY", Some(1_000_000)),
            ("+INFINITY", Some(1_000_000)),
            ("-INFINITY", Some(-1_000_000)),
            ("2.0", Some(2)),
            (" +7", Some(7)),
            ("99999999999999999999", Some(1_000_000)),
            ("-1000001", Some(-1_000_000)),
            ("infinity", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(Score::parse(text).map(Score::value), expected, "{text}");
        }
    }

    /// Rules 2.1.2 and 2.1.4.
    #[test]
    fn minus_infinity_wins_every_sum() {
        assert_eq!(Score::INFINITY + Score::MINUS_INFINITY, Score::MINUS_INFINITY);
        assert_eq!(Score::INFINITY + Score::new(-5), Score::INFINITY);
        assert_eq!((Score::new(600_000) + Score::new(600_000)).to_string(), "INFINITY");
    }

    /// Rules 2.1.3 and 2.7.2: the words may stand wherever a score may.
    #[test]
    fn health_words_are_scores_of_the_strategy() {
        let health = HealthScores { red: Score::MINUS_INFINITY, yellow: Score::new(-10), green: Score::ZERO };
        assert_eq!(parse_score("Red", &health), Some(Score::MINUS_INFINITY));
        assert_eq!(parse_score("yellow", &health), Some(Score::new(-10)));
        assert_eq!(parse_score("purple", &health), None);
    }

    #[test]
    fn intervals_of_every_form() {
        for text in ["10", "10s", "10 sec", "10000ms", "PT10S", "10.9s", "10000000us"] {
            assert_eq!(parse_interval(text), Some(10_000), "{text}");
        }
        for (text, expected) in [
            ("2min", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("P1D", Some(86_400_000)),
            ("P1Y", Some(4_294_967_000)),
            ("1d", None),
            ("-5s", None),
            ("P", None),
            ("", None),
            ("9999999h", Some(4_294_967_295)),
        ] {
            assert_eq!(parse_interval(text), expected, "{text}");
        }
    }

    #[test]
    fn timeouts_do_not_take_iso_8601() {
        assert_eq!(operation_timeout(Some("PT5S")), DEFAULT_OPERATION_TIMEOUT);
        assert_eq!(operation_timeout(Some("-5")), DEFAULT_OPERATION_TIMEOUT);
        assert_eq!(operation_timeout(Some("5")), 5000);
        assert_eq!(operation_timeout(None), DEFAULT_OPERATION_TIMEOUT);
        assert_eq!(start_delay(Some("-5")), 0);
    }

    #[test]
    fn milliseconds_round_to_seconds_but_never_to_none() {
        for (milliseconds, seconds) in [(0, 0), (1, 1), (499, 1), (1499, 1), (1500, 2)] {
            assert_eq!(seconds_from_milliseconds(milliseconds), seconds);
        }
    }

    #[test]
    fn roles_have_legacy_names_and_an_order() {
        assert_eq!(Role::parse("master"), Some(Role::Promoted));
        assert_eq!(Role::parse("SLAVE"), Some(Role::Unpromoted));
        assert_eq!(Role::parse("leader"), None);
        assert!(Role::Unknown < Role::Stopped && Role::Started < Role::Unpromoted);
    }

    #[test]
    fn versions_compare_by_segments() {
        assert_eq!(compare_versions("3.2", "3.10"), Ordering::Less);
        assert_eq!(compare_versions(" 3.2.0", "3.2"), Ordering::Equal);
        assert_eq!(compare_versions("3.2rc9", "3.2"), Ordering::Equal);
    }

    /// Rules 3.1.2 and 3.1.4.
    #[test]
    fn node_names_sort_naturally() {
        let mut names = ["node10", "Node2", "node", "node02", "a1b"];
        names.sort_by(|a, b| compare_node_names(a, b));
        assert_eq!(names, ["a1b", "node", "Node2", "node02", "node10"]);
    }

    /// Ordinary scores, the borders of the range and what is beyond them.
    fn number() -> impl Strategy<Value = i64> {
        let border = (prop_oneof![Just(1_000_000i64), Just(-1_000_000)], -2..=2i64);
        prop_oneof![
            -1_000_000i64..1_000_000,
            border.prop_map(|(border, offset)| border + offset),
            Just(i64::MAX),
            Just(i64::MIN),
        ]
    }

    proptest! {
        #[test]
        fn printed_scores_read_back(value in number()) {
            let score = Score::new(value);
            prop_assert_eq!(Score::parse(&score.to_string()), Some(score));
            prop_assert_eq!(Score::parse(&value.to_string()), Some(score));
            prop_assert_eq!(i64::from(score.value()), value.clamp(-1_000_000, 1_000_000));
        }

        #[test]
        fn sums_are_exact_or_infinite(a in number(), b in number()) {
            let sum = Score::new(a) + Score::new(b);
            let limited = |value: i64| value.clamp(-1_000_000, 1_000_000);
            let expected = match (limited(a), limited(b)) {
                (-1_000_000, _) | (_, -1_000_000) => -1_000_000,
                (1_000_000, _) | (_, 1_000_000) => 1_000_000,
                (a, b) => limited(a + b),
            };
            prop_assert_eq!(i64::from(sum.value()), expected);
            prop_assert_eq!(sum, Score::new(b) + Score::new(a));
            prop_assert_eq!(i64::from((-Score::new(a)).value()), -limited(a));
        }

        #[test]
        fn no_text_makes_a_reading_panic(text in "\\PC*") {
            let _ = (ScoreText::read(&text), parse_interval(&text), parse_boolean(&text), Role::parse(&text));
            let _ = (parse_unsigned(&text), operation_timeout(Some(&text)), compare_versions(&text, "1"));
            let _ = compare_node_names(&text, "node1");
        }

        #[test]
        fn node_names_have_an_order(a in "[a-z0-9]{0,6}", b in "[a-z0-9]{0,6}") {
            prop_assert_eq!(compare_node_names(&a, &b), compare_node_names(&b, &a).reverse());
        }
    }
}
