//! Requests on the CIB that are not carried out: a typed answer, never a half-done change.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a request is refused. Tools turn this into their exit status (rule 5a.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalCode {
    /// What should be changed or shown does not exist.
    NotFound,
    /// What should be created exists.
    Exists,
    /// The request makes no sense: no such section, an expression that is none, a missing input.
    Invalid,
    /// The XML given is not well-formed.
    Unparsable,
    /// The result would not conform to the schema.
    Schema,
    /// The change would take the version back.
    OldVersion,
    /// A patch does not fit the document.
    PatchFailed,
    /// The document after a patch is not the one that the patch promises.
    DigestMismatch,
    /// Access control forbids it.
    Denied,
}

impl RefusalCode {
    /// Exit status of the command-line tools.
    pub fn exit_status(self) -> u8 {
        match self {
            RefusalCode::NotFound => 105,
            RefusalCode::Exists => 108,
            RefusalCode::Invalid => 70,
            RefusalCode::Unparsable => 65,
            RefusalCode::Schema => 78,
            RefusalCode::OldVersion => 103,
            RefusalCode::PatchFailed => 1,
            RefusalCode::DigestMismatch => 104,
            RefusalCode::Denied => 4,
        }
    }

    /// The words that tools print and that scripts match.
    pub fn text(self) -> &'static str {
        match self {
            RefusalCode::NotFound => "No such device or address",
            RefusalCode::Exists => "File exists",
            RefusalCode::Invalid => "Invalid argument",
            RefusalCode::Unparsable => "Invalid data given",
            RefusalCode::Schema => "Update does not conform to the configured schema",
            RefusalCode::OldVersion => "Update was older than existing configuration",
            RefusalCode::PatchFailed => "Application of update diff failed",
            RefusalCode::DigestMismatch => "Digest does not match expected value",
            RefusalCode::Denied => "Permission denied",
        }
    }
}

/// A refused request: what is wrong, where, and what to do about it. The document is unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: RefusalCode,
    /// One sentence.
    pub message: String,
    /// Place in the XML that was given, from 1; 0 if there is none.
    pub line: u32,
    pub column: u32,
    /// Path of the element in question; empty if there is none.
    pub path: String,
    /// Further findings, one a line (all schema errors, for example).
    pub details: Vec<String>,
}

impl Refusal {
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Refusal {
        Refusal {
            code,
            message: message.into(),
            line: 0,
            column: 0,
            path: String::new(),
            details: Vec::new(),
        }
    }

    #[must_use]
    pub fn at_path(mut self, path: impl Into<String>) -> Refusal {
        self.path = path.into();
        self
    }

    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Refusal {
        self.line = line;
        self.column = column;
        self
    }
}

/// First the words that scripts know, then what is wrong and where.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code.text())?;
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        write!(f, "{}", self.message)?;
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

impl From<xml::ParseError> for Refusal {
    fn from(error: xml::ParseError) -> Refusal {
        Refusal::new(RefusalCode::Unparsable, error.message).at(error.line, error.column)
    }
}

impl From<xml::xpath::XPathError> for Refusal {
    fn from(error: xml::xpath::XPathError) -> Refusal {
        Refusal::new(RefusalCode::Invalid, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_with_what_scripts_match() {
        let refusal = Refusal::new(RefusalCode::Exists, "node '1' exists already").at(3, 7).at_path("/cib/x");
        assert_eq!(refusal.to_string(), "File exists: line 3, column 7: node '1' exists already (/cib/x)");
        assert_eq!(refusal.code.exit_status(), 108);
    }
}
