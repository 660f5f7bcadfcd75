//! Evaluation of rules (rules 1.6.1–1.6.9).

use super::*;
use crate::nvpair::earliest;
use crate::value::{compare_versions, parse_integer};
use std::cmp::Ordering;

/// Result of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub passes: bool,
    /// The earliest future moment at which the result may be another, as far as the conditions
    /// that were looked at can tell.
    pub next_change: Option<Timestamp>,
}

impl Verdict {
    fn plain(passes: bool) -> Verdict {
        Verdict { passes, next_change: None }
    }
}

impl Rule {
    /// Evaluates the rule. Conditions after the deciding one are not looked at and contribute
    /// no next change.
    pub fn evaluate(&self, input: &RuleInput<'_>) -> Verdict {
        let Some(combine) = self.combine.filter(|_| self.id.is_some()) else {
            return Verdict::plain(false);
        };
        let mut result = Verdict::plain(combine == Combine::And || self.conditions.is_empty());
        for condition in &self.conditions {
            let verdict = condition.evaluate(input);
            result.next_change = earliest(result.next_change, verdict.next_change);
            result.passes = verdict.passes;
            if verdict.passes == (combine == Combine::Or) {
                break;
            }
        }
        result
    }
}

impl Condition {
    pub(super) fn evaluate(&self, input: &RuleInput<'_>) -> Verdict {
        match self {
            Condition::Rule(rule) => rule.evaluate(input),
            Condition::Attribute(condition) => Verdict::plain(condition.passes(input)),
            Condition::Date(condition) => condition.evaluate(&input.clock),
            Condition::Resource(condition) => Verdict::plain(condition.passes(input)),
            Condition::Operation(condition) => Verdict::plain(condition.passes(input)),
            Condition::Broken { .. } => Verdict::plain(false),
        }
    }
}

impl ResourceCondition {
    fn passes(&self, input: &RuleInput<'_>) -> bool {
        let Some(resource) = &input.resource else { return false };
        let equal = |wanted: &Option<Text>, actual| wanted.is_none() || wanted.as_deref() == actual;
        equal(&self.class, resource.class)
            && equal(&self.provider, resource.provider)
            && equal(&self.agent_type, resource.agent_type)
    }
}

impl OperationCondition {
    fn passes(&self, input: &RuleInput<'_>) -> bool {
        input.operation.is_some_and(|operation| {
            *self.name == *operation.name
                && self.interval.is_none_or(|interval| interval == operation.interval)
        })
    }
}

impl DateText {
    /// The moment meant, or `None` if the text is no date.
    pub fn resolve(&self, surroundings: &Surroundings) -> Option<DateTime> {
        match self.fixed {
            Some(date) => Some(date),
            None => DateTime::parse(&self.text, surroundings).ok(),
        }
    }
}

impl DateCondition {
    pub(super) fn evaluate(&self, clock: &Clock) -> Verdict {
        let Clock { now, surroundings } = clock;
        match &self.test {
            DateTest::InRange { start, end } => in_range(start.as_ref(), end.as_ref(), clock),
            DateTest::After(start) => match start.resolve(surroundings) {
                None => Verdict::plain(false),
                Some(start) if now.compare(&start) == Ordering::Greater => Verdict::plain(true),
                Some(start) => Verdict { passes: false, next_change: Some(start.timestamp() + 1) },
            },
            DateTest::Before(end) => match end.resolve(surroundings) {
                Some(end) if now.compare(&end) == Ordering::Less => {
                    Verdict { passes: true, next_change: Some(end.timestamp()) }
                }
                _ => Verdict::plain(false),
            },
            DateTest::Matches(spec) => Verdict::plain(spec.matches(now)),
        }
    }
}

fn in_range(start: Option<&DateText>, end: Option<&RangeEnd>, clock: &Clock) -> Verdict {
    let Clock { now, surroundings } = clock;
    let start = match start.map(|start| start.resolve(surroundings)) {
        Some(None) => return Verdict::plain(false),
        other => other.flatten(),
    };
    let end = match (end, start) {
        (None, _) => None,
        (Some(RangeEnd::At(end)), _) => match end.resolve(surroundings) {
            None => return Verdict::plain(false),
            found => found,
        },
        (Some(RangeEnd::For(duration)), Some(start)) => Some(start.plus(duration)),
        (Some(RangeEnd::For(_)), None) => return Verdict::plain(false),
    };
    match (start, end) {
        (None, None) => Verdict::plain(false),
        (Some(start), _) if now.compare(&start) == Ordering::Less => {
            Verdict { passes: false, next_change: Some(start.timestamp()) }
        }
        (_, Some(end)) if now.compare(&end) == Ordering::Greater => Verdict::plain(false),
        (_, end) => Verdict { passes: true, next_change: end.map(|end| end.timestamp() + 1) },
    }
}

impl DateSpec {
    /// True if every range holds the value of `now` in its own zone.
    pub fn matches(&self, now: &DateTime) -> bool {
        self.ranges.iter().all(|(field, range)| range.contains(field.value(now)))
    }
}

impl DateField {
    /// The value of this field at `now`, in the zone `now` is written in.
    pub fn value(self, now: &DateTime) -> i64 {
        let (month, day) = now.month_and_day();
        let (hour, minute, second) = now.time_of_day();
        let (week_year, week, weekday) = now.week();
        match self {
            DateField::Years => i64::from(now.year),
            DateField::Months => i64::from(month),
            DateField::MonthDays => i64::from(day),
            DateField::Hours => i64::from(hour),
            DateField::Minutes => i64::from(minute),
            DateField::Seconds => i64::from(second),
            DateField::YearDays => i64::from(now.day_of_year),
            DateField::WeekYears => i64::from(week_year),
            DateField::Weeks => i64::from(week),
            DateField::WeekDays => i64::from(weekday),
        }
    }
}

impl Range {
    /// Reads `N`, `N-M`, `N-` or `-M`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Range> {
        let number = |text: &str| -> Option<i64> {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse().ok()).flatten()
        };
        match text.split_once('-') {
            None => number(text).map(|value| Range { low: Some(value), high: Some(value) }),
            Some(("", high)) => number(high).map(|high| Range { low: None, high: Some(high) }),
            Some((low, "")) => number(low).map(|low| Range { low: Some(low), high: None }),
            Some((low, high)) => Some(Range { low: Some(number(low)?), high: Some(number(high)?) }),
        }
    }

    pub fn contains(&self, value: i64) -> bool {
        self.low.is_none_or(|low| low <= value) && self.high.is_none_or(|high| value <= high)
    }
}

impl AttributeCondition {
    fn passes(&self, input: &RuleInput<'_>) -> bool {
        let name = match input.submatches {
            Some(submatches) => std::borrow::Cow::Owned(expand_submatches(&self.attribute, submatches)),
            None => std::borrow::Cow::Borrowed(&*self.attribute),
        };
        let actual = input.node_attributes.and_then(|attributes| attributes.value_of(&name));
        match self.comparison {
            Comparison::Defined => return actual.is_some(),
            Comparison::NotDefined => return actual.is_none(),
            _ => {}
        }
        let reference = self.value.as_deref().and_then(|value| match self.value_source {
            ValueSource::Literal => Some(value),
            ValueSource::Parameter => input.parameters.and_then(|table| table.value_of(value)),
            ValueSource::Meta => input.meta.and_then(|table| table.value_of(value)),
        });
        match (actual, reference) {
            (Some(actual), Some(reference)) => self.holds(self.compare(actual, reference)),
            (actual, reference) => match self.comparison {
                Comparison::Equal => actual == reference,
                Comparison::NotEqual => actual != reference,
                _ => false,
            },
        }
    }

    fn compare(&self, actual: &str, reference: &str) -> Ordering {
        match self.kind.unwrap_or_else(|| self.default_kind(actual, reference)) {
            ComparisonKind::String => compare_ignoring_case(actual, reference),
            ComparisonKind::Integer => match (parse_integer(actual), parse_integer(reference)) {
                (Some(actual), Some(reference)) => actual.cmp(&reference),
                _ => compare_ignoring_case(actual, reference),
            },
            ComparisonKind::Number => match (parse_number(actual), parse_number(reference)) {
                (Some(actual), Some(reference)) => actual.partial_cmp(&reference).unwrap_or(Ordering::Equal),
                _ => compare_ignoring_case(actual, reference),
            },
            ComparisonKind::Version => compare_versions(actual, reference),
        }
    }

    /// Rule 1.6.8: string for equality; a dot on either side makes an ordering a number's.
    fn default_kind(&self, actual: &str, reference: &str) -> ComparisonKind {
        match self.comparison {
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
                if actual.contains('.') || reference.contains('.') {
                    ComparisonKind::Number
                } else {
                    ComparisonKind::Integer
                }
            }
            _ => ComparisonKind::String,
        }
    }

    fn holds(&self, order: Ordering) -> bool {
        match self.comparison {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::NotEqual => order != Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::LessOrEqual => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::GreaterOrEqual => order != Ordering::Less,
            Comparison::Defined | Comparison::NotDefined => false,
        }
    }
}

fn compare_ignoring_case(a: &str, b: &str) -> Ordering {
    let lower = |text: &'_ str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<u8>>();
    lower(a).cmp(&lower(b))
}

/// The longest leading part of `text` that is a decimal number; `None` without digits and for
/// overflow and underflow (rule 1.6.8).
fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let digits = |mut at: usize| {
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at, at - start)
    };
    let (after_whole, whole) = digits(at);
    at = after_whole;
    let mut count = whole;
    if bytes.get(at) == Some(&b'.') {
        let (after_fraction, fraction) = digits(at + 1);
        if whole + fraction > 0 {
            at = after_fraction;
            count += fraction;
        }
    }
    if count == 0 {
        return None;
    }
    let mantissa_end = at;
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let (after_exponent, exponent) = digits(at + 1 + sign);
        if exponent > 0 {
            at = after_exponent;
        }
    }
    let number: f64 = text[..at].parse().ok()?;
    let nonzero = text[..mantissa_end].bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    let normal = number.is_finite() && !(nonzero && number.abs() < f64::MIN_POSITIVE);
    normal.then_some(number)
}

/// Replaces `%0`…`%9` by the pattern's submatches; missing ones by nothing (rule 1.6.9).
pub fn expand_submatches(text: &str, submatches: &[String]) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        expanded.push_str(&rest[..at]);
        match rest.as_bytes().get(at + 1).filter(|byte| byte.is_ascii_digit()) {
            Some(digit) => {
                let group = submatches.get(usize::from(digit - b'0'));
                expanded.push_str(group.map_or("", String::as_str));
                rest = &rest[at + 2..];
            }
            None => {
                expanded.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    expanded.push_str(rest);
    expanded
}
