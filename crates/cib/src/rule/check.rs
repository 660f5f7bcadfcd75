//! Is a rule in effect? The answer that `crm_rule` and listings give: they look at the time only, and
//! only at rules simple enough for a plain answer (rule 5a.14.4).

use super::*;

/// Where a rule stands at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleStatus {
    /// The moment lies in the range of dates.
    InEffect,
    /// The conditions hold; they set no range.
    Satisfied,
    Expired,
    NotYet,
    /// A condition does not hold, and not because of a range of dates.
    Unsatisfied,
    /// The rule has no plain answer; the reason why.
    Undecidable(&'static str),
}

impl RuleStatus {
    /// Exit status of `crm_rule`.
    pub fn exit_status(&self) -> u8 {
        match self {
            RuleStatus::InEffect | RuleStatus::Satisfied => 0,
            RuleStatus::Expired => 110,
            RuleStatus::NotYet => 111,
            RuleStatus::Unsatisfied => 113,
            RuleStatus::Undecidable(_) => 3,
        }
    }

    /// The line that `crm_rule` prints.
    pub fn message(&self, id: &str) -> String {
        match self {
            RuleStatus::InEffect => format!("Rule {id} is still in effect"),
            RuleStatus::Satisfied => format!("Rule {id} satisfies conditions"),
            RuleStatus::Expired => format!("Rule {id} is expired"),
            RuleStatus::NotYet => format!("Rule {id} has not yet taken effect"),
            RuleStatus::Unsatisfied => format!("Rule {id} does not satisfy conditions"),
            RuleStatus::Undecidable(reason) => {
                format!("Could not determine whether rule {id} is in effect: {reason}")
            }
        }
    }
}

impl Rule {
    /// Where the rule stands at the time of `clock`. No node, resource or operation is looked at.
    pub fn status(&self, clock: &Clock) -> RuleStatus {
        let dates = self.date_conditions();
        match dates.as_slice() {
            [] => return RuleStatus::Undecidable("the rule has no date expression"),
            [DateCondition { test: DateTest::Matches(spec), .. }] => {
                if !spec.ranges.iter().any(|(field, _)| *field == DateField::Years) {
                    return RuleStatus::Undecidable("the rule has a date_spec without years");
                }
            }
            [_] => {}
            _ => return RuleStatus::Undecidable("the rule has several date expressions"),
        }
        self.status_at(&RuleInput::at(*clock))
    }

    fn date_conditions(&self) -> Vec<&DateCondition> {
        let mut dates = Vec::new();
        for condition in &self.conditions {
            match condition {
                Condition::Date(date) => dates.push(date),
                Condition::Rule(rule) => dates.extend(rule.date_conditions()),
                _ => {}
            }
        }
        dates
    }

    fn status_at(&self, input: &RuleInput<'_>) -> RuleStatus {
        let mut status = RuleStatus::Satisfied;
        for condition in &self.conditions {
            let next = match condition {
                Condition::Date(date) => date.status(input),
                Condition::Rule(rule) => rule.status_at(input),
                other if other.evaluate(input).passes => RuleStatus::Satisfied,
                _ => RuleStatus::Unsatisfied,
            };
            let passes = matches!(next, RuleStatus::InEffect | RuleStatus::Satisfied);
            let kept = status == RuleStatus::InEffect && next == RuleStatus::Satisfied;
            status = if kept { status } else { next };
            if passes == (self.combine == Some(Combine::Or)) {
                break;
            }
        }
        if self.combine.is_none() { RuleStatus::Unsatisfied } else { status }
    }
}

impl DateCondition {
    fn status(&self, input: &RuleInput<'_>) -> RuleStatus {
        let verdict = self.evaluate(&input.clock);
        match (&self.test, verdict.passes) {
            (DateTest::Matches(_), true) => RuleStatus::Satisfied,
            (DateTest::Matches(_), false) => RuleStatus::Unsatisfied,
            (_, true) => RuleStatus::InEffect,
            (_, false) if verdict.next_change.is_some() => RuleStatus::NotYet,
            (DateTest::After(_), false) => RuleStatus::Unsatisfied,
            (_, false) => RuleStatus::Expired,
        }
    }
}
