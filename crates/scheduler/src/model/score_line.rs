//! What is shown of scores and capacities (rules 2.26 and 3.47): data here, and as the text of the field.

use super::Name;
use cib::value::Score;
use std::fmt;

/// Amounts by attribute, in the order in which they are shown.
pub type Amounts = Vec<(Name, String)>;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub enum ScoreLine {
    /// The score of a resource on a node at some point of placement.
    Allocation { function: &'static str, resource: Name, node: Name, score: Score },
    /// How much an instance wants to be promoted where it is; no node: it is nowhere.
    Promotion { resource: Name, node: Option<Name>, score: Score },
    /// What a node has, before (`Original`) or after (`Remaining`) placement.
    Capacity { when: &'static str, node: Name, amounts: Amounts },
    /// What a resource takes from the node on which it was put.
    Utilization { resource: Name, node: Name, amounts: Amounts },
    /// Something found out meanwhile, for whoever looks at scores (rule 3.47.4).
    Message(String),
}

impl ScoreLine {
    /// What put a resource on a node: the name that the field knows for it.
    pub const ASSIGN: &'static str = "pcmk__assign_resource";
}

/// Rules 3.47.1 to 3.47.3.
impl fmt::Display for ScoreLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScoreLine::Allocation { function, resource, node, score } => {
                write!(out, "{function}: {resource} allocation score on {node}: {score}")
            }
            ScoreLine::Promotion { resource, node: Some(node), score } => {
                write!(out, "{resource} promotion score on {node}: {score}")
            }
            ScoreLine::Promotion { resource, node: None, score } => {
                write!(out, "{resource} promotion score (inactive): {score}")
            }
            ScoreLine::Capacity { when, node, amounts } => {
                write!(out, "{when}: {node} capacity:")?;
                write_amounts(out, amounts)
            }
            ScoreLine::Utilization { resource, node, amounts } => {
                write!(out, "{}: {resource} utilization on {node}:", ScoreLine::ASSIGN)?;
                write_amounts(out, amounts)
            }
            ScoreLine::Message(text) => out.write_str(text),
        }
    }
}

fn write_amounts(out: &mut fmt::Formatter<'_>, amounts: &Amounts) -> fmt::Result {
    amounts.iter().try_for_each(|(name, amount)| write!(out, " {name}={amount}"))
}
