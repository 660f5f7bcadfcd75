//! When it was last proven that a node can be fenced: a permanent attribute of the node, so that all nodes
//! have it and restarts keep it.

use crate::configuration::Configuration;
use crate::session::{Problem, Session};

/// A node went down by its fence device.
pub const PROVEN: &str = "fence-proven";

/// Its fence devices answered and know it.
pub const CHECKED: &str = "fence-checked";

/// What was found out, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Epoch seconds.
    pub at: i64,
    /// How: `off by Power on node2`.
    pub how: String,
}

impl Proof {
    /// The attribute's value: `2026-11-26T18:00:00Z off by Power on node2`.
    fn to_value(&self) -> String {
        let at = jiff::Timestamp::from_second(self.at).map(|at| at.to_string()).unwrap_or_default();
        format!("{at} {}", self.how)
    }

    fn parse(value: &str) -> Option<Proof> {
        let (at, how) = value.split_once(' ')?;
        let at = at.parse::<jiff::Timestamp>().ok()?.as_second();
        Some(Proof { at, how: how.to_owned() })
    }
}

/// What is written down about a node.
pub fn read(configuration: &Configuration, node: &str, name: &str) -> Option<Proof> {
    let section = configuration.section("nodes")?;
    let is_node = |id: &xml::NodeId| configuration.attribute(*id, "uname").eq_ignore_ascii_case(node);
    let element = configuration.children(section).into_iter().find(is_node)?;
    let set = configuration.child(element, "instance_attributes")?;
    let (_, value) = configuration.pairs(set).into_iter().find(|(known, _)| known == name)?;
    Proof::parse(&value)
}

/// Writes it down.
pub fn write(session: &mut Session, node: &str, name: &str, proof: &Proof) -> Result<(), Problem> {
    let words = [node.to_owned(), format!("{name}={}", proof.to_value())];
    session.edit("systole", |configuration: &mut Configuration| {
        crate::pcs::set_node_attribute(configuration, &words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let proof = Proof { at: 1_800_000_000, how: "off by Power on node2".to_owned() };
        assert_eq!(proof.to_value(), "2027-01-15T08:00:00Z off by Power on node2");
        assert_eq!(Proof::parse(&proof.to_value()), Some(proof));
        assert_eq!(Proof::parse("yesterday"), None);
    }
}
