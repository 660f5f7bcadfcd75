//! Writing small pieces of XML text for CIB changes, and what else has a fixed text form.

use std::borrow::Cow;
use std::fmt::Display;

use md5::{Digest, Md5};

/// Writes elements as text; closes what it opened by itself at the end.
#[derive(Debug, Default)]
pub struct Fragment {
    text: String,
    open: Vec<&'static str>,
    in_tag: bool,
}

impl Fragment {
    /// An empty text.
    #[must_use]
    pub fn new() -> Fragment {
        Fragment::default()
    }

    /// Begins an element.
    pub fn open(&mut self, tag: &'static str) -> &mut Fragment {
        self.end_tag();
        self.text.push('<');
        self.text.push_str(tag);
        self.open.push(tag);
        self.in_tag = true;
        self
    }

    /// Adds an attribute to the element just begun.
    pub fn attribute(&mut self, name: &str, value: impl Display) -> &mut Fragment {
        debug_assert!(self.in_tag, "attribute {name} outside of a start tag");
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        escape(&value.to_string(), &mut self.text);
        self.text.push('"');
        self
    }

    /// Ends the innermost open element.
    pub fn close(&mut self) -> &mut Fragment {
        if let Some(tag) = self.open.pop() {
            if self.in_tag {
                self.text.push_str("/>");
                self.in_tag = false;
            } else {
                self.text.push_str("</");
                self.text.push_str(tag);
                self.text.push('>');
            }
        }
        self
    }

    /// The whole text, everything closed.
    #[must_use]
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn end_tag(&mut self) {
        if self.in_tag {
            self.text.push('>');
            self.in_tag = false;
        }
    }
}

/// A value without the characters that XML cannot hold: agents may print anything.
#[must_use]
pub fn printable<'a>(value: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let value = value.into();
    if value.contains(is_no_xml) { Cow::Owned(value.replace(is_no_xml, "?")) } else { value }
}

fn is_no_xml(character: char) -> bool {
    let control = (character as u32) < 0x20 && !matches!(character, '\t' | '\n' | '\r');
    control || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// Escapes an attribute value as the CIB's text form does.
fn escape(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            other if is_no_xml(other) => out.push('?'),
            other => out.push(other),
        }
    }
}

/// MD5 of parameters that come sorted by name (rule 3.15.1).
pub fn parameters_digest<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from(" <parameters");
    for (name, value) in parameters {
        text.push(' ');
        text.push_str(name);
        text.push_str("=\"");
        escape(value, &mut text);
        text.push('"');
    }
    text.push_str("/>\n");
    hex(&Md5::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An id made from any text: characters not allowed in XML ids become dots (rule 4.26.2).
#[must_use]
pub fn as_id(text: &str) -> String {
    let allowed = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    text.chars().map(|character| if allowed(character) { character } else { '.' }).collect()
}

/// A string for use inside an XPath expression; quotes cannot be escaped there, so one kind is chosen.
#[must_use]
pub fn xpath_literal(text: &str) -> String {
    if text.contains('\'') { format!("\"{}\"", text.replace('"', "")) } else { format!("'{text}'") }
}

/// Serialises maps whose keys are not strings as lists of pairs.
pub mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_closed_and_escaped() {
        let mut fragment = Fragment::new();
        fragment.open("a").attribute("x", "<\"&\u{1}").open("b").close().open("c").attribute("y", 1);
        assert_eq!(fragment.finish(), "<a x=\"&lt;&quot;&amp;?\"><b/><c y=\"1\"/></a>");
    }

    #[test]
    fn ids_have_only_allowed_characters() {
        assert_eq!(as_id("status-1-fail-count-web#monitor_1000"), "status-1-fail-count-web.monitor_1000");
    }
}
