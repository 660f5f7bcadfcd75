//! What was ignored, replaced by a default, or broken while a document was read.

use crate::text::Text;
use std::fmt;

/// Where in the document something is: element name, its `id` if it has one, and line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Name of the XML element.
    pub element: Text,
    /// Value of its `id` attribute.
    pub id: Option<Text>,
    /// Line in the source text, counted from 1; 0 when the element was made by the program.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{} '{}'", self.element, id)?,
            None => write!(f, "{}", self.element)?,
        }
        if self.line > 0 {
            write!(f, " (line {})", self.line)?;
        }
        Ok(())
    }
}

/// How bad a notice is. An error makes verification fail, a warning only deserves attention,
/// a note does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Note,
    Warning,
    Error,
}

impl Severity {
    /// The word that verification tools put before a message.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One finding about the document. The rest of the configuration stays in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub severity: Severity,
    pub place: Place,
    /// The finding as a sentence without severity and place (rule 5c.6.4 where tools match the text).
    pub text: String,
}

impl Notice {
    /// A notice at `place`.
    pub fn new(severity: Severity, place: Place, text: impl Into<String>) -> Notice {
        Notice { severity, place, text: text.into() }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity.word(), self.text)
    }
}
