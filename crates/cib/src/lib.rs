//! The configuration document of a cluster: as XML (schema, versions, patch sets, access
//! control) and as typed values (configuration, status, rules, options).
//!
//! Pure: no IO, no clock, no randomness. See ARCHITECTURE.md.

pub mod acl;
pub mod config;
pub mod digest;
pub mod document;
mod edit;
pub mod iso8601;
pub mod live;
pub mod notice;
pub mod nvpair;
pub mod operation;
pub mod options;
pub mod patchset;
pub mod pattern;
mod reader;
pub mod refusal;
pub mod rule;
pub mod schema;
pub mod status;
pub mod text;
pub mod typed;
pub mod upgrade;
pub mod value;
pub mod verify;
pub mod version;

pub use document::{Applied, CibDocument, Origin, Query, feature_numbers};
pub use edit::Touched;
pub use notice::{Notice, Place, Severity};
pub use operation::Operation;
pub use refusal::{Refusal, RefusalCode};
pub use text::Text;
pub use typed::Cib;
pub use value::{Role, Score, Timestamp};
pub use version::Version;
