//! From tree to text, in the two forms the cluster tools use: compact (digests, wire) and indented.
//!
//! Both forms read back as the same tree. An element that holds text is always written on one line, because
//! white space added there would become part of the text.

use std::fmt;

use crate::document::{Document, NodeId, NodeKind};

impl Document {
    /// The document with two blanks per level and a newline after every element.
    pub fn to_pretty(&self) -> String {
        self.element_to_pretty(self.root())
    }

    /// One subtree in the indented form.
    pub fn element_to_pretty(&self, id: NodeId) -> String {
        let mut out = String::with_capacity(self.size_guess(id));
        Printer { document: self, out: &mut out, pretty: true, left_out: &[] }.subtree(id);
        out
    }

    /// One subtree without added white space.
    pub fn element_to_string(&self, id: NodeId) -> String {
        let mut out = String::with_capacity(self.size_guess(id));
        self.write_compact(id, &mut out);
        out
    }

    /// Appends one subtree without added white space.
    pub fn write_compact(&self, id: NodeId, out: &mut String) {
        Printer { document: self, out, pretty: false, left_out: &[] }.subtree(id);
    }

    /// The compact form without the attributes of these names, on whatever element.
    pub fn to_string_without(&self, attributes: &[&str]) -> String {
        let mut out = String::with_capacity(self.size_guess(self.root()));
        let mut printer = Printer { document: self, out: &mut out, pretty: false, left_out: attributes };
        printer.subtree(self.root());
        out
    }

    /// Only the start tag, as of an empty element: `<a b="c"/>`.
    pub fn start_tag_to_string(&self, id: NodeId) -> String {
        let mut out = String::new();
        let mut printer = Printer { document: self, out: &mut out, pretty: false, left_out: &[] };
        printer.open_tag(id);
        printer.out.push_str("/>");
        out
    }

    fn size_guess(&self, id: NodeId) -> usize {
        if id == self.root() { self.slots().len() * 100 } else { 256 }
    }
}

impl fmt::Display for Document {
    /// The compact form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.element_to_string(self.root()))
    }
}

struct Printer<'a, 'o> {
    document: &'a Document,
    out: &'o mut String,
    pretty: bool,
    /// Names of attributes that are not written.
    left_out: &'a [&'a str],
}

impl Printer<'_, '_> {
    /// Walks without recursion, so that depth costs no stack.
    fn subtree(&mut self, top: NodeId) {
        let document = self.document;
        let mut current = top;
        let mut level = 0usize;
        // level at which text was met: everything inside stays on one line
        let mut inline_from = None;
        loop {
            let has_children = self.open(current, level, inline_from.is_some());
            if has_children {
                if inline_from.is_none() && self.pretty && self.holds_text(current) {
                    inline_from = Some(level);
                }
                if inline_from.is_none() {
                    self.newline();
                }
                if let Some(child) = document.first_node(current) {
                    current = child;
                    level += 1;
                    continue;
                }
            }
            if inline_from.is_none() {
                self.newline();
            }
            // close what ends here
            loop {
                if current == top {
                    return;
                }
                if let Some(next) = document.next_sibling(current) {
                    current = next;
                    break;
                }
                let Some(parent) = document.parent(current) else { return };
                current = parent;
                level -= 1;
                let was_inline = inline_from.is_some();
                if inline_from == Some(level) {
                    inline_from = None;
                }
                if !was_inline {
                    self.indent(level);
                }
                self.out.push_str("</");
                self.out.push_str(document.name(current));
                self.out.push('>');
                if inline_from.is_none() {
                    self.newline();
                }
            }
        }
    }

    /// Writes a leaf or a start tag; says whether an end tag is still due.
    fn open(&mut self, id: NodeId, level: usize, inline: bool) -> bool {
        if !inline {
            self.indent(level);
        }
        match self.document.kind(id) {
            NodeKind::Text => {
                escape_into(&self.document.text(id), false, self.out);
                false
            }
            NodeKind::Comment => {
                self.out.push_str("<!--");
                self.comment(&self.document.text(id));
                self.out.push_str("-->");
                false
            }
            NodeKind::Element => {
                self.open_tag(id);
                let open = self.document.first_node(id).is_some();
                self.out.push_str(if open { ">" } else { "/>" });
                open
            }
        }
    }

    fn open_tag(&mut self, id: NodeId) {
        self.out.push('<');
        self.out.push_str(self.document.name(id));
        for (name, value) in self.document.attributes(id) {
            if self.left_out.contains(&name) {
                continue;
            }
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape_into(value, true, self.out);
            self.out.push('"');
        }
    }

    /// A comment may neither contain `--` nor end with `-`.
    fn comment(&mut self, text: &str) {
        let mut previous = ' ';
        for character in text.chars() {
            if character == '-' && previous == '-' {
                self.out.push(' ');
            }
            self.out.push(if is_xml_char(character) { character } else { char::REPLACEMENT_CHARACTER });
            previous = character;
        }
        if previous == '-' {
            self.out.push(' ');
        }
    }

    fn holds_text(&self, id: NodeId) -> bool {
        self.document.nodes(id).any(|child| self.document.kind(child) == NodeKind::Text)
    }

    fn indent(&mut self, level: usize) {
        if self.pretty {
            for _ in 0..level {
                self.out.push_str("  ");
            }
        }
    }

    fn newline(&mut self) {
        if self.pretty {
            self.out.push('\n');
        }
    }
}

/// Text as it stands inside a double-quoted attribute value.
pub fn escape_attribute(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    escape_into(value, true, &mut out);
    out
}

/// Text as it stands between tags.
pub fn escape_text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    escape_into(value, false, &mut out);
    out
}

/// Bytes that may have to be written otherwise. Most values have none.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'&' as usize] = true;
    table[b'"' as usize] = true;
    table[0xEF] = true;
    table
};

fn escape_into(value: &str, attribute: bool, out: &mut String) {
    let bytes = value.as_bytes();
    if !bytes.iter().any(|byte| SPECIAL[usize::from(*byte)]) {
        out.push_str(value);
        return;
    }
    let mut copied = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let replacement = match byte {
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'&' => "&amp;",
            b'"' if attribute => "&quot;",
            b'\t' if attribute => "&#9;",
            b'\n' if attribute => "&#10;",
            b'\r' => "&#13;",
            b'\t' | b'\n' => continue,
            // characters that no XML document can hold
            0..=0x1f => "\u{fffd}",
            0xEF if matches!(bytes.get(index + 1..index + 3), Some([0xBF, 0xBE | 0xBF])) => {
                out.push_str(&value[copied..index]);
                out.push('\u{fffd}');
                copied = index + 3;
                continue;
            }
            _ => continue,
        };
        out.push_str(&value[copied..index]);
        out.push_str(replacement);
        copied = index + 1;
    }
    out.push_str(&value[copied..]);
}

pub(crate) fn is_xml_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
