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
