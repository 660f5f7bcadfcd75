//! From text to tree. Strict: what is not well-formed is refused with its place; size and depth are bounded.
//! A document type declaration is tolerated (agents' metadata carry one) but never followed, and it may not
//! declare entities.

use std::fmt;

use uppsala::{PullEvent, PullParser, XmlError};

use crate::document::{Document, NodeId};
use crate::names::{NameCache, NameId};

/// Bounds for input that may come from anywhere.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole input.
    pub bytes: usize,
    /// Nested elements, the root counts as one.
    pub depth: u32,
    /// Attributes of one element.
    pub attributes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: 512 << 20, depth: 250, attributes: 2_000 }
    }
}

/// Why and where the input is no acceptable XML document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

impl Document {
    /// Reads one document within the default [`Limits`].
    pub fn parse(input: &str) -> Result<Document, ParseError> {
        Document::parse_within(input, &Limits::default())
    }

    /// Reads one document from bytes, which must be UTF-8 (a byte order mark is allowed).
    pub fn parse_bytes(input: &[u8]) -> Result<Document, ParseError> {
        match std::str::from_utf8(input) {
            Ok(text) => Document::parse(text),
            Err(error) => {
                let good = String::from_utf8_lossy(&input[..error.valid_up_to()]).into_owned();
                let mut place = Place::new(&good);
                let (line, column) = place.at(good.len());
                Err(ParseError { line, column, message: "this is not valid UTF-8 text".into() })
            }
        }
    }

    pub fn parse_within(input: &str, limits: &Limits) -> Result<Document, ParseError> {
        if input.len() > limits.bytes {
            let message =
                format!("the document has {} bytes, more than the {} allowed", input.len(), limits.bytes);
            return Err(ParseError { line: 1, column: 1, message });
        }
        if let Some(offset) = forbidden_character(input) {
            let (line, column) = Place::new(input).at(offset);
            let message = "a control character that XML does not allow".into();
            return Err(ParseError { line, column, message });
        }
        Reader::new(input, *limits).read()
    }
}

struct Reader<'a> {
    input: &'a str,
    limits: Limits,
    place: Place<'a>,
    document: Document,
    cache: NameCache,
    open: Vec<NodeId>,
}

impl<'a> Reader<'a> {
    fn new(input: &'a str, limits: Limits) -> Self {
        let mut document = Document::empty();
        document.reserve(input.len());
        Reader {
            input,
            limits,
            place: Place::new(input),
            document,
            cache: NameCache::new(),
            open: Vec::new(),
        }
    }

    fn read(mut self) -> Result<Document, ParseError> {
        // uppsala counts the root as depth 0
        let mut events = PullParser::with_namespace_aware(self.input, false)
            .with_max_depth(self.limits.depth)
            .with_forbid_entities(true);
        loop {
            match events.next_event() {
                Ok(Some(event)) => self.take(event)?,
                Ok(None) => break,
                Err(error) => return Err(self.refusal(error)),
            }
        }
        Ok(self.document)
    }

    fn take(&mut self, event: PullEvent<'a>) -> Result<(), ParseError> {
        match event {
            PullEvent::StartElement { name, attributes, byte_start, .. } => {
                let (line, column) = self.place.at(byte_start);
                if attributes.len() > self.limits.attributes {
                    let message = format!(
                        "element {} has {} attributes, more than the {} allowed",
                        name.local_name,
                        attributes.len(),
                        self.limits.attributes
                    );
                    return Err(ParseError { line, column, message });
                }
                let name = self.name(name.prefix.as_deref(), &name.local_name);
                let element = match self.open.last() {
                    Some(parent) => self.document.append_named(*parent, name),
                    None => self.document.push_node(name),
                };
                self.document.set_place(element, line, column);
                self.open.push(element);
                for attribute in attributes {
                    let name = self.name(attribute.name.prefix.as_deref(), &attribute.name.local_name);
                    if self.document.has_attribute_named(element, name) {
                        let message = format!("attribute {} is given twice", self.document.names().get(name));
                        return Err(ParseError { line, column, message });
                    }
                    self.document.push_new_attribute(element, name, &attribute.value);
                }
            }
            PullEvent::EndElement { .. } => {
                self.open.pop();
            }
            PullEvent::Text { content, byte_start, .. } | PullEvent::CData { content, byte_start, .. } => {
                self.text(&content, byte_start);
            }
            PullEvent::Comment { content, byte_start, .. } => {
                if let Some(parent) = self.open.last() {
                    let comment = self.document.append_comment(*parent, &content);
                    let (line, column) = self.place.at(byte_start);
                    self.document.set_place(comment, line, column);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Neighbouring pieces (around CDATA or a processing instruction) become one text.
    fn text(&mut self, content: &str, byte_start: usize) {
        let Some(parent) = self.open.last().copied() else { return };
        if let Some(text) = self.document.last_text(parent) {
            self.document.extend_text(text, content);
        } else if !content.bytes().all(|byte| byte.is_ascii_whitespace()) {
            let text = self.document.append_text(parent, content);
            let (line, column) = self.place.at(byte_start);
            self.document.set_place(text, line, column);
        }
    }

    fn name(&mut self, prefix: Option<&str>, local: &str) -> NameId {
        if let Some(prefix) = prefix {
            return self.document.intern(&format!("{prefix}:{local}"));
        }
        match self.cache.find(self.document.names(), local) {
            Some(id) => id,
            None => self.document.intern(local),
        }
    }

    fn refusal(&mut self, error: XmlError) -> ParseError {
        let (message, line, column) = match error {
            XmlError::Parse(error) => (error.message, error.line, error.column),
            XmlError::WellFormedness(error) => (error.message, error.line, error.column),
            XmlError::Namespace(error) => (error.message, error.line, error.column),
            XmlError::UnexpectedEof => (self.unexpected_end(), 0, 0),
            other => (other.to_string(), 0, 0),
        };
        if line == 0 {
            let (line, column) = Place::new(self.input).at(self.input.len());
            return ParseError { line, column, message };
        }
        ParseError { line: line as u32, column: column as u32, message }
    }

    fn unexpected_end(&self) -> String {
        match self.open.last() {
            Some(element) => format!(
                "the document ends while element {} (line {}) is still open",
                self.document.name(*element),
                self.document.line(*element)
            ),
            None => "the document ends before its root element is complete".into(),
        }
    }
}

/// The event parser lets raw control characters pass inside attribute values.
fn forbidden_character(input: &str) -> Option<usize> {
    let bytes = input.as_bytes();
    let is_forbidden = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    bytes.iter().position(|byte| is_forbidden(*byte) || *byte == 0xEF).and_then(|first| {
        (first..bytes.len()).find(|index| {
            is_forbidden(bytes[*index])
                || matches!(bytes.get(*index..index + 3), Some([0xEF, 0xBF, 0xBE | 0xBF]))
        })
    })
}

/// Turns growing byte offsets into line and column, looking at each byte once: a document printed for
/// the wire is one line of many megabytes.
struct Place<'a> {
    input: &'a str,
    offset: usize,
    line: u32,
    /// Characters between the start of the line and `offset`.
    column: u32,
}

impl<'a> Place<'a> {
    fn new(input: &'a str) -> Self {
        Place { input, offset: 0, line: 1, column: 0 }
    }

    fn at(&mut self, offset: usize) -> (u32, u32) {
        let offset = offset.min(self.input.len());
        if offset < self.offset {
            *self = Place::new(self.input);
        }
        for byte in &self.input.as_bytes()[self.offset..offset] {
            if *byte == b'\n' {
                self.line += 1;
                self.column = 0;
            } else if *byte & 0xC0 != 0x80 {
                // a byte that starts a character
                self.column += 1;
            }
        }
        self.offset = offset;
        (self.line, self.column + 1)
    }
}
