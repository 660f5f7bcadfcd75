//! The configuration document of a cluster: as XML (schema, versions, patch sets, access
//! control) and as typed values (configuration, status, rules, options).
//!
//! Pure: no IO, no clock, no randomness. See ARCHITECTURE.md.

pub mod config;
pub mod iso8601;
pub mod notice;
pub mod nvpair;
pub mod options;
pub mod pattern;
mod reader;
pub mod rule;
pub mod status;
pub mod text;
pub mod typed;
pub mod upgrade;
pub mod value;
pub mod verify;

pub use notice::{Notice, Place, Severity};
pub use text::Text;
pub use typed::Cib;
pub use value::{Role, Score, Timestamp};
