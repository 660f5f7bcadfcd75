//! Requests that change the CIB, as data: what `cibadmin` and the cluster itself ask for (rule 5c.9).

use serde::{Deserialize, Serialize};
use xml::xpath::XPath;
use xml::{Document, diff};

use crate::patchset::Patchset;
use crate::refusal::{Refusal, RefusalCode};

/// One request. Where a scope is given it names a section: `configuration`, `resources`, `status`, …;
/// an XPath goes before the scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Add elements; one that exists already is an error.
    Create { scope: Option<String>, xpath: Option<String>, xml: String },
    /// Merge into the element of the same name and id. `allow_create` adds it if there is none; `score` asks
    /// for `name++` and `name+=N` arithmetic, which is understood in any case.
    Modify { scope: Option<String>, xpath: Option<String>, xml: String, allow_create: bool, score: bool },
    /// Replace the whole CIB, a section, an element, or the first match of the XPath.
    Replace { scope: Option<String>, xpath: Option<String>, xml: String },
    /// Delete the first element with the name and all attributes of the given one.
    Delete { scope: Option<String>, xml: String },
    /// Delete the first match or all matches.
    DeleteXpath { xpath: String, all: bool },
    /// Empty all sections.
    Erase,
    /// Raise `epoch` by one.
    Bump,
    /// Upgrade to the newest schema.
    Upgrade,
    /// Apply a patch set.
    Patch { xml: String },
    /// All or none, with one step of the version.
    Transaction(Vec<Operation>),
}

/// An operation whose XML and expressions have been understood: everything that can be refused without
/// looking at the document has been.
#[derive(Debug)]
pub(crate) enum Prepared {
    Create { place: Place, xml: Document },
    Modify { place: Place, xml: Document, allow_create: bool },
    Replace { place: Place, xml: Document },
    Delete { scope: Option<String>, xml: Document },
    DeleteXpath { xpath: XPath, all: bool, in_status: bool },
    Erase,
    Bump,
    Upgrade,
    Patch(Patchset),
    Transaction(Vec<Prepared>),
}

/// Where an operation works.
#[derive(Debug)]
pub(crate) enum Place {
    Everywhere,
    Section(String),
    Matches(XPath),
}

/// Sections that may be named as a scope. `all` and `cib` mean the whole document.
pub const SECTIONS: [&str; 12] = [
    "configuration",
    "status",
    "crm_config",
    "nodes",
    "resources",
    "constraints",
    "rsc_defaults",
    "op_defaults",
    "fencing-topology",
    "tags",
    "alerts",
    "acls",
];

impl Prepared {
    pub(crate) fn new(operation: &Operation) -> Result<Prepared, Refusal> {
        Ok(match operation {
            Operation::Create { scope, xpath, xml } => {
                Prepared::Create { place: Place::new(scope, xpath)?, xml: Document::parse(xml)? }
            }
            Operation::Modify { scope, xpath, xml, allow_create, score: _ } => Prepared::Modify {
                place: Place::new(scope, xpath)?,
                xml: Document::parse(xml)?,
                allow_create: *allow_create,
            },
            Operation::Replace { scope, xpath, xml } => {
                Prepared::Replace { place: Place::new(scope, xpath)?, xml: Document::parse(xml)? }
            }
            Operation::Delete { scope, xml } => {
                Prepared::Delete { scope: section(scope.as_deref())?, xml: Document::parse(xml)? }
            }
            Operation::DeleteXpath { xpath, all } => Prepared::DeleteXpath {
                in_status: xpath.starts_with("/cib/status/") && !xpath.contains(".."),
                xpath: XPath::compile(xpath)?,
                all: *all,
            },
            Operation::Erase => Prepared::Erase,
            Operation::Bump => Prepared::Bump,
            Operation::Upgrade => Prepared::Upgrade,
            Operation::Patch { xml } => Prepared::Patch(Patchset::parse(&Document::parse(xml)?)?),
            Operation::Transaction(operations) => {
                Prepared::Transaction(operations.iter().map(Prepared::new).collect::<Result<_, _>>()?)
            }
        })
    }

    /// Whether it can only touch `status` and cannot fail half-way, so that no copy of the document is
    /// needed to be able to go back.
    pub(crate) fn is_safe_in_place(&self) -> bool {
        match self {
            Prepared::Modify { place, xml, allow_create: true } => {
                let root = xml.root_element();
                match place {
                    Place::Matches(_) => false,
                    Place::Section(section) => section == "status",
                    Place::Everywhere if root.name() == "cib" => {
                        root.attributes().len() == 0 && root.children().all(|child| child.name() == "status")
                    }
                    Place::Everywhere => root.name() == "status",
                }
            }
            Prepared::DeleteXpath { in_status, .. } => *in_status,
            Prepared::Transaction(parts) => parts.iter().all(Prepared::is_safe_in_place),
            _ => false,
        }
    }

    /// Whether an unchanged document still gets a new version.
    pub(crate) fn forces_epoch(&self) -> bool {
        match self {
            Prepared::Bump | Prepared::Erase => true,
            Prepared::Transaction(parts) => parts.iter().any(Prepared::forces_epoch),
            _ => false,
        }
    }

    /// A lone patch brings its own version.
    pub(crate) fn patch_version(&self) -> Option<crate::version::Version> {
        match self {
            Prepared::Patch(patch) => patch.target,
            _ => None,
        }
    }
}

impl Place {
    fn new(scope: &Option<String>, xpath: &Option<String>) -> Result<Place, Refusal> {
        if let Some(xpath) = xpath {
            return Ok(Place::Matches(XPath::compile(xpath)?));
        }
        Ok(section(scope.as_deref())?.map_or(Place::Everywhere, Place::Section))
    }
}

/// The section a scope names; nothing if it means the whole document.
pub(crate) fn section(scope: Option<&str>) -> Result<Option<String>, Refusal> {
    match scope {
        None | Some("" | "all" | "cib") => Ok(None),
        Some(name) if SECTIONS.contains(&name) => Ok(Some(name.to_owned())),
        Some(name) => Err(Refusal::new(
            RefusalCode::Invalid,
            format!("there is no section '{name}'; known are {}", SECTIONS.join(", ")),
        )),
    }
}

/// Path of an element as patch sets and messages write it.
pub(crate) fn path(document: &Document, id: xml::NodeId) -> String {
    diff::path_of(document, id)
}
