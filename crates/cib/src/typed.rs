//! The whole input of the scheduler in typed form.

use crate::config::Configuration;
use crate::status::Status;
use crate::text::Text;
use crate::value::Timestamp;

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
