//! The whole input of the scheduler in typed form.

use crate::config::{Configuration, unique_child};
use crate::notice::{Notice, Place, Severity};
use crate::nvpair::{self, BOOTSTRAP_OPTIONS, Values};
use crate::options::EffectiveOptions;
use crate::reader::Reader;
use crate::rule::RuleInput;
use crate::status::Status;
use crate::text::Text;
use crate::upgrade;
use crate::value::{Timestamp, is_true, parse_integer};
use xml::Element;

/// A CIB whose references are followed and whose values are typed. Owns all its data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cib {
    pub root: Root,
    pub configuration: Configuration,
    pub status: Status,
}

/// Root attributes that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    pub admin_epoch: u64,
    pub epoch: u64,
    pub num_updates: u64,
    /// Schema after the upgrade.
    pub validate_with: Text,
    pub feature_set: Option<Text>,
    /// True only if the attribute is a true word.
    pub have_quorum: bool,
    /// ID of the DC's node.
    pub dc_uuid: Option<Text>,
    /// Nonzero `no-quorum-panic`.
    pub no_quorum_panic: bool,
    /// "Now" of a saved input.
    pub execution_date: Option<Timestamp>,
}

impl Cib {
    /// Upgrades the configuration in memory to the newest schema where that is needed (rule 1.2), and
    /// types the whole document. Whatever is ignored or replaced by a default is in the notices;
    /// nothing fails as a whole.
    ///
    /// A document without a known `validate-with` is reported as an error and read as it is: whoever
    /// must refuse such documents asks [`upgrade::declared_schema`] first.
    pub fn from_document(document: &xml::Document) -> (Cib, Vec<Notice>) {
        let declared = upgrade::declared_schema(document).map(str::to_owned);
        match (declared, document.child(document.root(), "configuration")) {
            (Ok(schema), Some(configuration))
                if schema != upgrade::NO_SCHEMA && schema != upgrade::NEWEST =>
            {
                let mut configuration = document.extract(configuration);
                upgrade::upgrade_configuration(&mut configuration, &schema);
                let (mut cib, notices) = Cib::read(document, Some(configuration.root_element()));
                cib.root.validate_with = Text::from(upgrade::NEWEST);
                (cib, notices)
            }
            (declared, _) => {
                let (cib, mut notices) = Cib::from_current_document(document);
                match declared {
                    Err(error) => {
                        notices.insert(0, root_notice(document, Severity::Error, error.to_string()))
                    }
                    Ok(schema) if schema == upgrade::NO_SCHEMA => {
                        notices.insert(0, root_notice(document, Severity::Note, VALIDATION_DISABLED));
                    }
                    Ok(_) => {}
                }
                (cib, notices)
            }
        }
    }

    /// Types a document that already conforms to the newest schema (or to `none`). Whatever is
    /// ignored or replaced by a default is in the notices; nothing fails as a whole.
    pub fn from_current_document(document: &xml::Document) -> (Cib, Vec<Notice>) {
        Cib::read(document, unique_child(document.root_element(), "configuration"))
    }

    fn read<'a>(document: &'a xml::Document, configuration: Option<Element<'a>>) -> (Cib, Vec<Notice>) {
        let root = document.root_element();
        let mut reader = Reader::new(configuration.unwrap_or(root));
        let cib = Cib {
            root: reader.cib_root(root),
            configuration: match configuration {
                Some(configuration) => reader.configuration(configuration),
                None => Configuration::default(),
            },
            status: match unique_child(root, "status") {
                Some(status) => reader.status(status),
                None => Status::default(),
            },
        };
        (cib, reader.notices)
    }

    /// The cluster options in force at the moment of `input`. Rules of options see only the time
    /// (rule 1.4.1).
    pub fn cluster_options(&self, input: &RuleInput<'_>) -> EffectiveOptions {
        let mut values = Values::new();
        let input = RuleInput::at(input.clock);
        let blocks = &self.configuration.cluster_properties;
        let next_change = nvpair::unpack(blocks, &input, Some(BOOTSTRAP_OPTIONS), &mut values);
        EffectiveOptions::from_values(values, next_change)
    }
}

/// Said when `validate-with` is `none` (rule 1.2.3).
const VALIDATION_DISABLED: &str = "Schema validation of configuration is disabled (support for validate-with set to \"none\" is \
     deprecated and will be removed in a future release)";

fn root_notice(document: &xml::Document, severity: Severity, text: impl Into<String>) -> Notice {
    let root = document.root();
    let place = Place { element: Text::from(document.name(root)), id: None, line: document.line(root) };
    Notice::new(severity, place, text)
}

impl<'a> Reader<'a> {
    fn cib_root(&mut self, root: Element<'a>) -> Root {
        let version = |name: &str| root.attr(name).and_then(parse_integer).unwrap_or(0).max(0) as u64;
        Root {
            admin_epoch: version("admin_epoch"),
            epoch: version("epoch"),
            num_updates: version("num_updates"),
            validate_with: self.attr(root, "validate-with").unwrap_or_default(),
            feature_set: self.attr(root, "crm_feature_set"),
            have_quorum: is_true(root.attr("have-quorum")),
            dc_uuid: self.attr(root, "dc-uuid"),
            no_quorum_panic: root.attr("no-quorum-panic").is_some_and(|text| {
                is_true(Some(text)) || parse_integer(text).is_some_and(|number| number != 0)
            }),
            execution_date: root.attr("execution-date").and_then(parse_integer),
        }
    }
}
