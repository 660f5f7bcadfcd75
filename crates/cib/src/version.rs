//! Versions of the CIB: three counters, compared from the most significant.

use std::fmt;

use serde::{Deserialize, Serialize};
use xml::Document;

/// `admin_epoch.epoch.num_updates` (rule 5c.2.4). A later version always compares greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Raised by administrators only.
    pub admin_epoch: u32,
    /// Raised by every change of the configuration.
    pub epoch: u32,
    /// Raised by every other change; starts again with each epoch.
    pub num_updates: u32,
}

/// The version attributes from the most significant.
pub const VERSION_ATTRIBUTES: [&str; 3] = ["admin_epoch", "epoch", "num_updates"];

/// No request may take a counter beyond this: from here on the cluster itself can still count for as long as it
/// lives, and a version that could not be raised any more would make every later change disappear.
pub const MAX_COUNTER: u32 = i32::MAX as u32;

impl Version {
    pub fn new(admin_epoch: u32, epoch: u32, num_updates: u32) -> Version {
        Version { admin_epoch, epoch, num_updates }
    }

    /// Version of a document; what is missing or no number counts as 0.
    pub fn of(document: &Document) -> Version {
        let root = document.root_element();
        let counter = |name| root.attr(name).and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Version::new(counter("admin_epoch"), counter("epoch"), counter("num_updates"))
    }

    /// Writes the three attributes of the document's root.
    pub fn write_to(self, document: &mut Document) {
        let root = document.root();
        for (name, value) in self.attributes() {
            document.set_attribute(root, name, &value.to_string());
        }
    }

    /// Writes those of the three attributes that the document's root does not have.
    pub fn write_missing_to(self, document: &mut Document) {
        let root = document.root();
        for (name, value) in self.attributes() {
            if document.attribute(root, name).is_none() {
                document.set_attribute(root, name, &value.to_string());
            }
        }
    }

    /// Names and values of the three attributes.
    pub fn attributes(self) -> [(&'static str, u32); 3] {
        let [admin_epoch, epoch, num_updates] = VERSION_ATTRIBUTES;
        [(admin_epoch, self.admin_epoch), (epoch, self.epoch), (num_updates, self.num_updates)]
    }

    /// The version after a change of the configuration.
    pub fn next_epoch(self) -> Version {
        Version { epoch: self.epoch.saturating_add(1), num_updates: 0, ..self }
    }

    /// The version after any other change.
    pub fn next_update(self) -> Version {
        Version { num_updates: self.num_updates.saturating_add(1), ..self }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.admin_epoch, self.epoch, self.num_updates)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version() -> impl Strategy<Value = Version> {
        let counter = prop_oneof![0..4u32, Just(MAX_COUNTER - 1), Just(MAX_COUNTER), any::<u32>()];
        (counter.clone(), counter.clone(), counter).prop_map(|(a, e, n)| Version::new(a, e, n))
    }

    proptest! {
        #[test]
        fn the_first_counter_that_differs_decides(a in version(), b in version()) {
            let counters = |version: Version| version.attributes().map(|(_, value)| value);
            let first = counters(a).into_iter().zip(counters(b)).find(|(a, b)| a != b);
            prop_assert_eq!(a.cmp(&b), first.map_or(std::cmp::Ordering::Equal, |(a, b)| a.cmp(&b)));
        }

        #[test]
        fn what_is_written_is_read(a in version(), b in version()) {
            let mut document = Document::new("cib");
            b.write_to(&mut document);
            a.write_to(&mut document);
            prop_assert_eq!(Version::of(&document), a);
            b.write_missing_to(&mut document);
            prop_assert_eq!(Version::of(&document), a);
        }

        #[test]
        fn every_next_version_is_later(a in version()) {
            prop_assume!(a.epoch < u32::MAX && a.num_updates < u32::MAX);
            prop_assert!(a < a.next_update() && a.next_update() < a.next_epoch());
        }
    }
}
