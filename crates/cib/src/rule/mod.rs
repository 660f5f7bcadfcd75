//! Rules: conditions on the time, on node attributes, on the resource and on the operation
//! (rule 1.6). A rule is data; [`Rule::evaluate`] looks only at its input.

mod check;
mod evaluate;
mod read;
pub mod text;

pub use check::RuleStatus;
pub use evaluate::{Verdict, expand_submatches};
pub use read::find;

use crate::iso8601::{Clock, DateTime, Duration, Surroundings};
use crate::text::Text;
use crate::value::{Role, ScoreText, Timestamp};

/// A rule as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// A rule without ID never passes.
    pub id: Option<Text>,
    /// How conditions combine; `None` if `boolean-op` is not valid (the rule never passes).
    pub combine: Option<Combine>,
    /// Conditions in document order.
    pub conditions: Vec<Condition>,
    /// `score`, only meaningful in location constraints.
    pub score: Option<ScoreText>,
    /// `score-attribute`, only meaningful in location constraints.
    pub score_attribute: Option<Text>,
    /// `role` as configured, only meaningful in location constraints.
    pub role: Option<Text>,
    pub line: u32,
}

impl Rule {
    /// `role` as a role: `Ok(Unknown)` if unset, `Err` with the text if it is no role.
    pub fn role(&self) -> Result<Role, &Text> {
        match &self.role {
            None => Ok(Role::Unknown),
            Some(text) => Role::parse(text).ok_or(text),
        }
    }

    /// True if some condition looks at node attributes.
    pub fn reads_node_attributes(&self) -> bool {
        self.conditions.iter().any(|condition| match condition {
            Condition::Rule(rule) => rule.reads_node_attributes(),
            Condition::Attribute(_) => true,
            _ => false,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    And,
    Or,
}

/// One condition of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    Rule(Rule),
    Attribute(AttributeCondition),
    Date(DateCondition),
    Resource(ResourceCondition),
    Operation(OperationCondition),
    /// Not understood: never passes. The reason was reported when the document was read.
    Broken {
        id: Option<Text>,
        line: u32,
    },
}

/// `expression`: compares a node attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeCondition {
    pub id: Text,
    pub attribute: Text,
    pub comparison: Comparison,
    /// Declared type; `None` selects the default of rule 1.6.8.
    pub kind: Option<ComparisonKind>,
    pub value: Option<Text>,
    pub value_source: ValueSource,
    pub line: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Defined,
    NotDefined,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparisonKind {
    String,
    Integer,
    Number,
    Version,
}

/// Where the reference value of an attribute condition comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSource {
    Literal,
    /// The resource's instance attribute named by `value`.
    Parameter,
    /// The resource's meta-attribute named by `value`.
    Meta,
}

/// `date_expression`.
#[derive(Clone, Debug, PartialEq)]
pub struct DateCondition {
    pub id: Text,
    pub test: DateTest,
    pub line: u32,
}

/// What a date condition asks.
#[derive(Clone, Debug, PartialEq)]
pub enum DateTest {
    /// Between `start` and `end`, both inclusive. At least one is given.
    InRange {
        start: Option<DateText>,
        end: Option<RangeEnd>,
    },
    After(DateText),
    Before(DateText),
    Matches(DateSpec),
}

#[derive(Clone, Debug, PartialEq)]
pub enum RangeEnd {
    At(DateText),
    /// This long after the start.
    For(Duration),
}

/// A date as configured; `fixed` is its value unless it depends on the local zone or the day.
#[derive(Clone, Debug, PartialEq)]
pub struct DateText {
    pub text: Text,
    pub fixed: Option<DateTime>,
}

/// `date_spec`: every given range must hold the value of the present moment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DateSpec {
    /// Given ranges in the order in which they are checked.
    pub ranges: Vec<(DateField, Range)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DateField {
    Years,
    Months,
    MonthDays,
    Hours,
    Minutes,
    Seconds,
    YearDays,
    WeekYears,
    Weeks,
    WeekDays,
}

/// Inclusive bounds; a missing one is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub low: Option<i64>,
    pub high: Option<i64>,
}

/// `rsc_expression`: every given part must equal the resource's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceCondition {
    pub id: Text,
    pub class: Option<Text>,
    pub provider: Option<Text>,
    pub agent_type: Option<Text>,
    pub line: u32,
}

/// `op_expression`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationCondition {
    pub id: Text,
    pub name: Text,
    /// Milliseconds; `None` matches any interval.
    pub interval: Option<u64>,
    pub line: u32,
}

/// Looks up a value by name.
pub trait Lookup {
    fn value_of(&self, name: &str) -> Option<&str>;
}

impl Lookup for crate::nvpair::Values {
    fn value_of(&self, name: &str) -> Option<&str> {
        self.get(name)
    }
}

impl<V: AsRef<str>> Lookup for std::collections::BTreeMap<Text, V> {
    fn value_of(&self, name: &str) -> Option<&str> {
        self.get(name).map(AsRef::as_ref)
    }
}

impl<V: AsRef<str>> Lookup for std::collections::BTreeMap<String, V> {
    fn value_of(&self, name: &str) -> Option<&str> {
        self.get(name).map(AsRef::as_ref)
    }
}

/// Everything a rule may look at. What a place does not offer is `None` (rule 1.5.8).
#[derive(Clone, Copy)]
pub struct RuleInput<'a> {
    pub clock: Clock,
    pub node_attributes: Option<&'a dyn Lookup>,
    pub resource: Option<ResourceIdentity<'a>>,
    pub operation: Option<OperationIdentity<'a>>,
    /// Instance attributes of the resource, for `value-source="param"`.
    pub parameters: Option<&'a dyn Lookup>,
    /// Meta-attributes of the resource, for `value-source="meta"`.
    pub meta: Option<&'a dyn Lookup>,
    /// What `rsc-pattern` matched, for `%0`…`%9`: whole match first, missing groups empty.
    pub submatches: Option<&'a [String]>,
}

impl RuleInput<'_> {
    /// An input that offers only the time.
    pub fn at(clock: impl Into<Clock>) -> RuleInput<'static> {
        RuleInput {
            clock: clock.into(),
            node_attributes: None,
            resource: None,
            operation: None,
            parameters: None,
            meta: None,
            submatches: None,
        }
    }

    /// Seconds since the epoch of the effective time.
    pub fn timestamp(&self) -> Timestamp {
        self.clock.timestamp()
    }
}

/// The agent of a resource, for `rsc_expression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceIdentity<'a> {
    pub class: Option<&'a str>,
    pub provider: Option<&'a str>,
    pub agent_type: Option<&'a str>,
}

/// The operation, for `op_expression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationIdentity<'a> {
    pub name: &'a str,
    /// Milliseconds.
    pub interval: u64,
}

#[cfg(test)]
mod tests;
