//! Reading rules from XML. A condition that cannot be understood becomes
//! [`Condition::Broken`] and is reported: it never passes.

use super::*;
use crate::iso8601::{DateTime, Duration};
use crate::reader::Reader;
use crate::value::{parse_integer, parse_interval};
use xml::Element;

/// The rule with this id, wherever in the document; what is wrong with it makes it not pass.
pub fn find(document: &xml::Document, id: &str) -> Option<Rule> {
    let is_it = |element: &Element<'_>| element.name() == "rule" && element.attr("id") == Some(id);
    let element = document.root_element().descendants().find(is_it)?;
    Some(Reader::new(document.root_element()).rule(element))
}

impl<'a> Reader<'a> {
    /// A `rule` element whose references are already followed.
    pub(crate) fn rule(&mut self, element: Element<'a>) -> Rule {
        let combine = match element.attr("boolean-op") {
            None => Some(Combine::And),
            Some(word) if word.eq_ignore_ascii_case("and") => Some(Combine::And),
            Some(word) if word.eq_ignore_ascii_case("or") => Some(Combine::Or),
            Some(word) => {
                let reason = format!("'{word}' is not a valid boolean-op");
                self.not_passing(element, &reason);
                None
            }
        };
        if element.attr("id").is_none() {
            self.not_passing(element, "it has no id");
        }
        let mut conditions = Vec::new();
        for child in element.children() {
            conditions.push(self.condition(child));
        }
        if conditions.is_empty() {
            let id = element.attr("id").unwrap_or_default();
            self.warning(element, format!("Ignoring rule {id} because it contains no conditions"));
        }
        Rule {
            id: self.attr(element, "id"),
            combine,
            conditions,
            score: self.score(element, "score"),
            score_attribute: self.attr(element, "score-attribute"),
            role: self.attr(element, "role"),
            line: element.line(),
        }
    }

    fn not_passing(&mut self, element: Element<'a>, reason: &str) {
        let id = element.attr("id").unwrap_or("without ID");
        self.error(element, format!("Treating {} {id} as not passing because {reason}", element.name()));
    }

    fn condition(&mut self, element: Element<'a>) -> Condition {
        let read = match element.name() {
            "rule" => return self.nested_rule(element),
            "expression" => self.attribute_condition(element).map(Condition::Attribute),
            "date_expression" => self.date_condition(element).map(Condition::Date),
            "rsc_expression" => self.resource_condition(element).map(Condition::Resource),
            "op_expression" => self.operation_condition(element).map(Condition::Operation),
            _ => Err("it is not a known condition".to_owned()),
        };
        read.unwrap_or_else(|reason| {
            self.not_passing(element, &reason);
            Condition::Broken { id: self.attr(element, "id"), line: element.line() }
        })
    }

    fn nested_rule(&mut self, element: Element<'a>) -> Condition {
        match self.follow(element) {
            Some(rule) => Condition::Rule(self.rule(rule)),
            None => Condition::Broken { id: None, line: element.line() },
        }
    }

    fn condition_id(&mut self, element: Element<'a>) -> Result<Text, String> {
        self.attr(element, "id").ok_or_else(|| "it has no id".to_owned())
    }

    fn attribute_condition(&mut self, element: Element<'a>) -> Result<AttributeCondition, String> {
        let id = self.condition_id(element)?;
        let attribute = self.attr(element, "attribute").ok_or("it names no attribute")?;
        let word = element.attr("operation").unwrap_or_default();
        let comparison =
            Comparison::parse(word).ok_or_else(|| format!("'{word}' is not a valid operation"))?;
        let value = self.attr(element, "value");
        let asks_for_definition = matches!(comparison, Comparison::Defined | Comparison::NotDefined);
        if asks_for_definition && value.is_some() {
            return Err(format!("a value is not allowed with operation '{word}'"));
        }
        if !asks_for_definition && value.is_none() {
            return Err(format!("a value is required with operation '{word}'"));
        }
        let kind = match element.attr("type") {
            None => None,
            Some(word) => {
                Some(ComparisonKind::parse(word).ok_or_else(|| format!("'{word}' is not a valid type"))?)
            }
        };
        let value_source = match element.attr("value-source") {
            None => ValueSource::Literal,
            Some(word) => {
                ValueSource::parse(word).ok_or_else(|| format!("'{word}' is not a valid value-source"))?
            }
        };
        Ok(AttributeCondition { id, attribute, comparison, kind, value, value_source, line: element.line() })
    }

    fn resource_condition(&mut self, element: Element<'a>) -> Result<ResourceCondition, String> {
        Ok(ResourceCondition {
            id: self.condition_id(element)?,
            class: self.attr(element, "class"),
            provider: self.attr(element, "provider"),
            agent_type: self.attr(element, "type"),
            line: element.line(),
        })
    }

    fn operation_condition(&mut self, element: Element<'a>) -> Result<OperationCondition, String> {
        let id = self.condition_id(element)?;
        let name = self.attr(element, "name").ok_or("it names no operation")?;
        let interval = match element.attr("interval") {
            None => None,
            Some(text) => {
                Some(parse_interval(text).ok_or_else(|| format!("'{text}' is not a valid interval"))?)
            }
        };
        Ok(OperationCondition { id, name, interval, line: element.line() })
    }

    fn date_condition(&mut self, element: Element<'a>) -> Result<DateCondition, String> {
        let id = self.condition_id(element)?;
        let word = element.attr("operation").unwrap_or("in_range");
        let test = if word.eq_ignore_ascii_case("in_range") {
            self.date_range(element)?
        } else if word.eq_ignore_ascii_case("gt") {
            DateTest::After(self.date(element, "start")?.ok_or("it has no start")?)
        } else if word.eq_ignore_ascii_case("lt") {
            DateTest::Before(self.date(element, "end")?.ok_or("it has no end")?)
        } else if word.eq_ignore_ascii_case("date_spec") {
            let spec =
                element.children().find(|child| child.name() == "date_spec").ok_or("it has no date_spec")?;
            DateTest::Matches(self.date_spec(spec)?)
        } else {
            return Err(format!("'{word}' is not a valid operation"));
        };
        Ok(DateCondition { id, test, line: element.line() })
    }

    fn date_range(&mut self, element: Element<'a>) -> Result<DateTest, String> {
        let start = self.date(element, "start")?;
        let mut end = self.date(element, "end")?.map(RangeEnd::At);
        if end.is_none() {
            if let Some(duration) = element.children().find(|child| child.name() == "duration") {
                if start.is_none() {
                    return Err("a duration needs a start".to_owned());
                }
                end = Some(RangeEnd::For(self.duration(duration)?));
            }
        }
        if start.is_none() && end.is_none() {
            return Err("in_range needs a start, an end, or both".to_owned());
        }
        Ok(DateTest::InRange { start, end })
    }

    fn date(&mut self, element: Element<'a>, name: &str) -> Result<Option<DateText>, String> {
        let Some(text) = self.attr(element, name) else { return Ok(None) };
        match DateTime::parse_absolute(&text) {
            Ok(fixed) => Ok(Some(DateText { text, fixed })),
            Err(error) => Err(format!("its {name} {error}")),
        }
    }

    /// A `duration` element (rule 1.6.4).
    pub(crate) fn duration(&mut self, element: Element<'a>) -> Result<Duration, String> {
        if element.attr("id").is_none() {
            return Err("its duration has no id".to_owned());
        }
        let part = |name: &str| -> Result<i32, String> {
            match element.attr(name) {
                None => Ok(0),
                Some(text) => parse_integer(text)
                    .and_then(|value| i32::try_from(value).ok())
                    .ok_or_else(|| format!("'{text}' is not a valid number of {name}")),
            }
        };
        Ok(Duration {
            years: part("years")?,
            months: part("months")?,
            weeks: part("weeks")?,
            days: part("days")?,
            hours: part("hours")?,
            minutes: part("minutes")?,
            seconds: part("seconds")?,
        })
    }

    fn date_spec(&mut self, element: Element<'a>) -> Result<DateSpec, String> {
        if element.attr("id").is_none() {
            return Err("its date_spec has no id".to_owned());
        }
        let mut ranges = Vec::new();
        for field in DateField::ALL {
            if let Some(text) = element.attr(field.attribute()) {
                let range = Range::parse(text)
                    .ok_or_else(|| format!("'{text}' is not a valid range of {}", field.attribute()))?;
                ranges.push((field, range));
            }
        }
        Ok(DateSpec { ranges })
    }
}

fn lookup<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, value)| *value)
}

impl Comparison {
    /// The comparison for an `operation` word.
    pub fn parse(word: &str) -> Option<Comparison> {
        lookup(
            &[
                ("defined", Comparison::Defined),
                ("not_defined", Comparison::NotDefined),
                ("eq", Comparison::Equal),
                ("ne", Comparison::NotEqual),
                ("lt", Comparison::Less),
                ("lte", Comparison::LessOrEqual),
                ("gt", Comparison::Greater),
                ("gte", Comparison::GreaterOrEqual),
            ],
            word,
        )
    }
}

impl ComparisonKind {
    /// The type for a `type` word.
    pub fn parse(word: &str) -> Option<ComparisonKind> {
        lookup(
            &[
                ("string", ComparisonKind::String),
                ("integer", ComparisonKind::Integer),
                ("number", ComparisonKind::Number),
                ("version", ComparisonKind::Version),
            ],
            word,
        )
    }
}

impl ValueSource {
    /// The source for a `value-source` word.
    pub fn parse(word: &str) -> Option<ValueSource> {
        lookup(
            &[
                ("literal", ValueSource::Literal),
                ("param", ValueSource::Parameter),
                ("meta", ValueSource::Meta),
            ],
            word,
        )
    }
}

impl DateField {
    /// All fields in the order in which they are checked.
    pub const ALL: [DateField; 10] = [
        DateField::Years,
        DateField::Months,
        DateField::MonthDays,
        DateField::Hours,
        DateField::Minutes,
        DateField::Seconds,
        DateField::YearDays,
        DateField::WeekYears,
        DateField::Weeks,
        DateField::WeekDays,
    ];

    /// Name of the XML attribute.
    pub fn attribute(self) -> &'static str {
        match self {
            DateField::Years => "years",
            DateField::Months => "months",
            DateField::MonthDays => "monthdays",
            DateField::Hours => "hours",
            DateField::Minutes => "minutes",
            DateField::Seconds => "seconds",
            DateField::YearDays => "yeardays",
            DateField::WeekYears => "weekyears",
            DateField::Weeks => "weeks",
            DateField::WeekDays => "weekdays",
        }
    }
}
