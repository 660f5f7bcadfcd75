//! From text to tree. Strict: what is not well-formed is refused with its place; size and depth are bounded.
//! A document type declaration is tolerated (agents' metadata carry one) but never followed, and it may not
//! declare entities.

use std::fmt;
use std::sync::Arc;

use crate::document::{Document, NodeId};
use crate::names::{NameCache, NameId};
use crate::scan::{Place, forbidden_character, plain_length};

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

    /// As [`Document::parse`], without copying most of the text: for a document that is large and read but
    /// once, as the whole text stays in memory with it.
    pub fn parse_owned(input: String) -> Result<Document, ParseError> {
        let input = Arc::new(input);
        let document = Document::within(Arc::clone(&input));
        Reader::read(&input, document, &Limits::default())
    }

    pub fn parse_within(input: &str, limits: &Limits) -> Result<Document, ParseError> {
        Reader::read(input, Document::empty(), limits)
    }
}

/// What is wrong and at which byte.
struct Flaw {
    offset: usize,
    message: String,
}

type Read<T> = Result<T, Flaw>;

/// Recursion-free reader: one pass over the bytes, straight into the tree.
struct Reader<'a> {
    input: &'a str,
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    place: Place<'a>,
    document: Document,
    cache: NameCache,
    /// Open elements with the offsets of their names.
    open: Vec<(NodeId, usize)>,
    /// By name, the last element: the next one most likely has the same attributes.
    last: Vec<Option<NodeId>>,
    /// For values that are not in the input as such.
    scratch: String,
}

impl<'a> Reader<'a> {
    /// Reads into `document`, which is empty.
    fn read(input: &'a str, document: Document, limits: &Limits) -> Result<Document, ParseError> {
        if input.len() > limits.bytes {
            let message =
                format!("the document has {} bytes, more than the {} allowed", input.len(), limits.bytes);
            return Err(ParseError { line: 1, column: 1, message });
        }
        let mut reader = Reader::new(input, document, *limits);
        match reader.document() {
            Ok(()) => Ok(reader.document),
            Err(Flaw { offset, message }) => {
                let (line, column) = Place::new(input).at(offset);
                Err(ParseError { line, column, message })
            }
        }
    }

    fn new(input: &'a str, mut document: Document, limits: Limits) -> Self {
        document.reserve(input.len());
        Reader {
            input,
            bytes: input.as_bytes(),
            at: 0,
            limits,
            place: Place::new(input),
            document,
            cache: NameCache::new(),
            open: Vec::new(),
            last: Vec::new(),
            scratch: String::new(),
        }
    }

    fn document(&mut self) -> Read<()> {
        if let Some(offset) = forbidden_character(self.input) {
            return self.fail_at(offset, "a character that XML does not allow");
        }
        self.skip("\u{feff}");
        if self.starts_with("<?xml") && self.bytes.get(self.at + 5).is_some_and(u8::is_ascii_whitespace) {
            self.skip_past("?>", "the XML declaration")?;
        }
        self.prolog()?;
        self.start_tag()?;
        while !self.open.is_empty() {
            self.content()?;
        }
        self.epilog()
    }

    // ---- around the root element

    fn prolog(&mut self) -> Read<()> {
        let mut doctype_seen = false;
        loop {
            self.skip_blanks();
            if self.starts_with("<!--") {
                self.comment()?;
            } else if self.starts_with("<?") {
                self.processing_instruction()?;
            } else if self.starts_with("<!DOCTYPE") && !doctype_seen {
                doctype_seen = true;
                self.document_type()?;
            } else if self.at == self.bytes.len() {
                return self.fail("there is no element in the document");
            } else if self.peek() == b'<' {
                return Ok(());
            } else {
                return self.fail("text before the outermost element");
            }
        }
    }

    fn epilog(&mut self) -> Read<()> {
        loop {
            self.skip_blanks();
            if self.at == self.bytes.len() {
                return Ok(());
            } else if self.starts_with("<!--") {
                self.comment()?;
            } else if self.starts_with("<?") {
                self.processing_instruction()?;
            } else {
                return self.fail("nothing may follow the outermost element");
            }
        }
    }

    /// Passes over a document type declaration with its internal subset.
    fn document_type(&mut self) -> Read<()> {
        let start = self.at;
        let mut in_subset = false;
        self.at += "<!DOCTYPE".len();
        while self.at < self.bytes.len() {
            match self.peek() {
                b'"' | b'\'' => self.quoted()?,
                b'[' if !in_subset => {
                    in_subset = true;
                    self.at += 1;
                }
                b']' if in_subset => {
                    in_subset = false;
                    self.at += 1;
                }
                b'>' if !in_subset => {
                    self.at += 1;
                    return Ok(());
                }
                b'<' if self.starts_with("<!--") => self.comment()?,
                b'<' if self.starts_with("<?") => self.processing_instruction()?,
                b'<' if self.starts_with("<!ENTITY") => return self.fail("entities may not be declared"),
                b'<' if !in_subset => return self.fail("'<' inside the document type declaration"),
                _ => self.at += 1,
            }
        }
        self.fail_at(start, "the document type declaration is not closed")
    }

    fn quoted(&mut self) -> Read<()> {
        let start = self.at;
        let quote = self.peek();
        match self.bytes[start + 1..].iter().position(|byte| *byte == quote) {
            Some(length) => {
                self.at = start + length + 2;
                Ok(())
            }
            None => self.fail_at(start, "this quote is not closed"),
        }
    }

    // ---- inside the root element

    /// One piece: text, a tag, a comment, …
    fn content(&mut self) -> Read<()> {
        if self.at == self.bytes.len() {
            let message = self.unexpected_end();
            return self.fail(&message);
        }
        if self.peek() != b'<' {
            return self.text();
        }
        match self.bytes.get(self.at + 1) {
            Some(b'/') => self.end_tag(),
            Some(b'?') => self.processing_instruction(),
            Some(b'!') if self.starts_with("<!--") => self.comment(),
            Some(b'!') if self.starts_with("<![CDATA[") => self.cdata(),
            Some(b'!') => self.fail("a declaration cannot stand here"),
            _ => self.start_tag(),
        }
    }

    fn start_tag(&mut self) -> Read<()> {
        let start = self.at;
        self.at += 1;
        if self.open.len() >= self.limits.depth as usize {
            let message = format!("elements are nested more than {} deep", self.limits.depth);
            return self.fail_at(start, &message);
        }
        let (line, column) = self.place.at(start);
        let name_start = self.at;
        let name = self.interned_name()?;
        let element = match self.open.last() {
            Some((parent, _)) => self.document.append_named(*parent, name),
            None => self.document.push_node(name),
        };
        self.document.set_place(element, line, column);
        let mut sibling = self.last_named(name, element);
        for attributes in 0.. {
            let before = self.at;
            self.skip_blanks();
            match self.bytes.get(self.at) {
                Some(b'>') => {
                    self.at += 1;
                    self.open.push((element, name_start));
                    return Ok(());
                }
                Some(b'/') if self.bytes.get(self.at + 1) == Some(&b'>') => {
                    self.at += 2;
                    return Ok(());
                }
                Some(b'/') => return self.fail("'/>' is expected here"),
                None => return self.fail_at(start, "this tag is not closed"),
                Some(_) if before == self.at => return self.fail("a blank is expected here"),
                Some(_) => {}
            }
            if attributes == self.limits.attributes {
                let message = format!("an element has more than {} attributes", self.limits.attributes);
                return self.fail_at(start, &message);
            }
            // names of another element differ from each other, so none of them can come twice here
            let guess = sibling.and_then(|sibling| self.document.attribute_name(sibling, attributes));
            let name = match guess.filter(|name| self.is_attribute_here(*name)) {
                Some(name) => {
                    self.at += self.document.names().get(name).len();
                    name
                }
                None => {
                    sibling = None;
                    self.attribute_name(element)?
                }
            };
            self.attribute_value(element, name)?;
        }
        Ok(())
    }

    /// The last element with this name, in whose place comes `element`.
    fn last_named(&mut self, name: NameId, element: NodeId) -> Option<NodeId> {
        let index = name.0 as usize;
        if self.last.len() <= index {
            self.last.resize(index + 1, None);
        }
        self.last[index].replace(element)
    }

    /// Whether the text goes on with exactly this name and an equals sign.
    fn is_attribute_here(&self, name: NameId) -> bool {
        let name = self.document.names().get(name).as_bytes();
        let rest = &self.bytes[self.at..];
        rest.starts_with(name) && rest.get(name.len()) == Some(&b'=')
    }

    fn attribute_name(&mut self, element: NodeId) -> Read<NameId> {
        let start = self.at;
        let name = self.interned_name()?;
        if self.document.has_attribute_named(element, name) {
            let message = format!("attribute {} is given twice", self.document.names().get(name));
            return self.fail_at(start, &message);
        }
        self.skip_blanks();
        if self.bytes.get(self.at) != Some(&b'=') {
            return self.fail("'=' is expected after the name of an attribute");
        }
        Ok(name)
    }

    /// From the equals sign to the closing quote.
    fn attribute_value(&mut self, element: NodeId, name: NameId) -> Read<()> {
        self.at += 1;
        self.skip_blanks();
        let quote = match self.bytes.get(self.at) {
            Some(quote @ (b'"' | b'\'')) => *quote,
            _ => return self.fail("the value of an attribute must be in quotes"),
        };
        self.at += 1;
        let value_start = self.at;
        self.at = value_start + plain_length(&self.bytes[value_start..]);
        if self.bytes.get(self.at) == Some(&quote) {
            let value = &self.input[value_start..self.at];
            self.document.push_read_attribute(element, name, value_start, value);
            self.at += 1;
            return Ok(());
        }
        self.difficult_value(value_start, quote)?;
        let value = std::mem::take(&mut self.scratch);
        self.document.push_new_attribute(element, name, &value);
        self.scratch = value;
        Ok(())
    }

    /// A value with references, white space other than blanks, or the other kind of quotes: collected in the
    /// scratch text. Ends after the closing quote.
    fn difficult_value(&mut self, value_start: usize, quote: u8) -> Read<()> {
        self.scratch.clear();
        self.at = value_start;
        loop {
            let length = plain_length(&self.bytes[self.at..]);
            self.scratch.push_str(&self.input[self.at..self.at + length]);
            self.at += length;
            match self.bytes.get(self.at) {
                None => return self.fail_at(value_start - 1, "this quote is not closed"),
                Some(b'<') => return self.fail("'<' in the value of an attribute must be written &lt;"),
                Some(b'&') => self.reference()?,
                Some(byte) if *byte == quote => {
                    self.at += 1;
                    return Ok(());
                }
                Some(other @ (b'"' | b'\'')) => {
                    self.scratch.push(char::from(*other));
                    self.at += 1;
                }
                Some(byte) => {
                    // a line end of two characters is one blank
                    self.at += usize::from(*byte == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n'));
                    self.at += 1;
                    self.scratch.push(' ');
                }
            }
        }
    }

    /// `&lt;`, `&#10;`, …: appended to the scratch text.
    fn reference(&mut self) -> Read<()> {
        let rest = &self.input[self.at + 1..];
        let Some(name) = rest.find(';').filter(|length| *length <= 12).map(|length| &rest[..length]) else {
            return self.fail("'&' must be written &amp;");
        };
        let character = match name {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => numeric_reference(name),
        };
        let Some(character) = character else {
            let message = format!("'&{name};' is not known");
            return self.fail(&message);
        };
        self.scratch.push(character);
        self.at += name.len() + 2;
        Ok(())
    }

    fn end_tag(&mut self) -> Read<()> {
        let Some((element, _)) = self.open.pop() else {
            return self.fail("nothing is open that could end here");
        };
        let start = self.at;
        self.at += 2;
        let name = self.document.name(element);
        let matches = self.bytes[self.at..].starts_with(name.as_bytes());
        let after = self.at + name.len();
        if !matches || self.bytes.get(after).is_some_and(|byte| is_name_byte(*byte)) {
            let found = self.name().map_or("this", |found| found);
            let message = format!(
                "</{found}> cannot end element {} of line {}",
                self.document.name(element),
                self.document.line(element)
            );
            return self.fail_at(start, &message);
        }
        self.at = after;
        self.skip_blanks();
        if self.bytes.get(self.at) != Some(&b'>') {
            return self.fail("'>' is expected here");
        }
        self.at += 1;
        Ok(())
    }

    fn text(&mut self) -> Read<()> {
        let start = self.at;
        self.skip_blanks();
        if self.peek() == b'<' && !self.bytes[start..self.at].contains(&b'\r') {
            let blank = &self.input[start..self.at];
            self.extend_text(blank);
            return Ok(());
        }
        self.scratch.clear();
        self.at = start;
        loop {
            let rest = &self.bytes[self.at..];
            let length =
                rest.iter().position(|byte| matches!(byte, b'<' | b'&' | b'\r')).unwrap_or(rest.len());
            if let Some(offset) = self.input[self.at..self.at + length].find("]]>") {
                return self.fail_at(self.at + offset, "']]>' in text must be written ]]&gt;");
            }
            self.scratch.push_str(&self.input[self.at..self.at + length]);
            self.at += length;
            match self.bytes.get(self.at) {
                Some(b'&') => self.reference()?,
                Some(b'\r') => {
                    self.at += 1;
                    if self.bytes.get(self.at) != Some(&b'\n') {
                        self.scratch.push('\n');
                    }
                }
                _ => break,
            }
        }
        let text = std::mem::take(&mut self.scratch);
        self.add_text(&text, start);
        self.scratch = text;
        Ok(())
    }

    fn cdata(&mut self) -> Read<()> {
        let start = self.at;
        self.at += "<![CDATA[".len();
        let Some(length) = self.input[self.at..].find("]]>") else {
            return self.fail_at(start, "this CDATA section is not closed");
        };
        let text = unified_line_ends(&self.input[self.at..self.at + length]);
        self.add_text(&text, start);
        self.at += length + "]]>".len();
        Ok(())
    }

    fn extend_text(&mut self, more: &str) {
        let last = self.open.last().and_then(|(parent, _)| self.document.last_text(*parent));
        if let Some(text) = last {
            self.document.extend_text(text, more);
        }
    }

    /// Neighbouring pieces (around CDATA or a processing instruction) become one text; text that begins with
    /// nothing but white space is none.
    fn add_text(&mut self, content: &str, start: usize) {
        let Some((parent, _)) = self.open.last().copied() else { return };
        if let Some(text) = self.document.last_text(parent) {
            self.document.extend_text(text, content);
        } else if !content.bytes().all(|byte| byte.is_ascii_whitespace()) {
            let text = self.document.append_text(parent, content);
            let (line, column) = self.place.at(start);
            self.document.set_place(text, line, column);
        }
    }

    fn comment(&mut self) -> Read<()> {
        let start = self.at;
        self.at += "<!--".len();
        let Some(length) = self.input[self.at..].find("--") else {
            return self.fail_at(start, "this comment is not closed");
        };
        let content = &self.input[self.at..self.at + length];
        self.at += length;
        if !self.starts_with("-->") {
            return self.fail("'--' may not stand inside a comment");
        }
        self.at += "-->".len();
        if let Some((parent, _)) = self.open.last().copied() {
            let comment = self.document.append_comment(parent, &unified_line_ends(content));
            let (line, column) = self.place.at(start);
            self.document.set_place(comment, line, column);
        }
        Ok(())
    }

    /// Passes over it: processing instructions are not kept.
    fn processing_instruction(&mut self) -> Read<()> {
        let start = self.at;
        self.at += "<?".len();
        let target = self.name()?;
        if target.eq_ignore_ascii_case("xml") {
            return self.fail_at(start, "an XML declaration may stand only at the very beginning");
        }
        if !self.starts_with("?>") && !self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            return self.fail("a blank is expected here");
        }
        self.skip_past("?>", "this processing instruction")
    }

    // ---- names and small things

    fn interned_name(&mut self) -> Read<NameId> {
        let name = self.name()?;
        Ok(match self.cache.find(self.document.names(), name) {
            Some(id) => id,
            None => self.document.intern(name),
        })
    }

    fn name(&mut self) -> Read<&'a str> {
        let start = self.at;
        let input = self.input;
        let ascii = self.bytes[start..].iter().position(|byte| !is_ascii_name_byte(*byte));
        let mut end = ascii.map_or(self.bytes.len(), |length| start + length);
        if self.bytes.get(end).is_some_and(|byte| !byte.is_ascii()) {
            let foreign = input[end..].char_indices().find(|(_, c)| !is_name_char(*c));
            end = foreign.map_or(input.len(), |(length, _)| end + length);
        }
        let name = &input[start..end];
        let first = name.as_bytes().first().copied().unwrap_or(0);
        if !first.is_ascii_alphabetic() && !name.chars().next().is_some_and(is_name_start) {
            return self.fail("a name is expected here");
        }
        self.at = end;
        Ok(name)
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn starts_with(&self, text: &str) -> bool {
        self.bytes[self.at..].starts_with(text.as_bytes())
    }

    fn skip(&mut self, text: &str) {
        if self.starts_with(text) {
            self.at += text.len();
        }
    }

    fn skip_blanks(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn skip_past(&mut self, end: &str, what: &str) -> Read<()> {
        match self.input[self.at..].find(end) {
            Some(length) => {
                self.at += length + end.len();
                Ok(())
            }
            None => {
                let message = format!("{what} is not closed");
                self.fail(&message)
            }
        }
    }

    fn unexpected_end(&self) -> String {
        match self.open.last() {
            Some((element, _)) => format!(
                "the document ends while element {} (line {}) is still open",
                self.document.name(*element),
                self.document.line(*element)
            ),
            None => "the document ends before its outermost element is complete".into(),
        }
    }

    fn fail<T>(&self, message: &str) -> Read<T> {
        self.fail_at(self.at, message)
    }

    fn fail_at<T>(&self, offset: usize, message: &str) -> Read<T> {
        Err(Flaw { offset, message: message.to_owned() })
    }
}

const ASCII_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let character = byte as u8;
        table[byte] = character.is_ascii_alphanumeric() || matches!(character, b'_' | b'-' | b'.' | b':');
        byte += 1;
    }
    table
};

fn is_ascii_name_byte(byte: u8) -> bool {
    ASCII_NAME[usize::from(byte)]
}

fn is_name_byte(byte: u8) -> bool {
    is_ascii_name_byte(byte) || !byte.is_ascii()
}

fn is_name_start(c: char) -> bool {
    matches!(c,
        ':' | 'A'..='Z' | '_' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}'
        | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// `#10` or `#xA`, if it means a character that XML allows.
fn numeric_reference(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(hexadecimal) => (hexadecimal, 16),
        None => (digits, 10),
    };
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let character = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
    crate::print::is_xml_char(character).then_some(character)
}

fn unified_line_ends(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text.into() }
}
