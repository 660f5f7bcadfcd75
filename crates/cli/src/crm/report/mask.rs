//! What a report must not tell: values of parameters whose names sound secret, and known secrets wherever they
//! appear.

use cib::pattern::Pattern;

/// What stands in the place of a secret.
const MASKED: &str = "******";

/// Names that sound secret.
const NAMES: [&str; 4] = ["passw.*", ".*secret.*", ".*api_?key.*", ".*auth_?token.*"];

/// Shorter values would mask words that only look like them.
const SHORTEST: usize = 4;

/// Masks texts.
pub struct Mask {
    names: Vec<Pattern>,
    values: Vec<String>,
}

impl Mask {
    /// The usual names and those of the patterns given.
    ///
    /// # Errors
    /// A pattern is no regular expression.
    pub fn new<'p>(patterns: impl Iterator<Item = &'p str>) -> Result<Mask, String> {
        let all = NAMES.into_iter().chain(patterns);
        let names = all
            .map(|pattern| Pattern::expression(&format!("^({pattern})$")).map_err(|error| error.to_string()));
        Ok(Mask { names: names.collect::<Result<_, _>>()?, values: Vec::new() })
    }

    /// Values that are secret wherever they appear.
    pub fn add_values(&mut self, values: impl IntoIterator<Item = String>) {
        self.values.extend(values.into_iter().filter(|value| value.len() >= SHORTEST));
        // a secret that contains another one goes first
        self.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        self.values.dedup();
    }

    fn is_secret(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.names.iter().any(|pattern| pattern.matches(&name))
    }

    /// Masks the configuration; what it hides is masked in later texts too.
    pub fn configuration(&mut self, document: &mut xml::Document) {
        let elements: Vec<xml::NodeId> = document.subtree(document.root()).collect();
        let mut found = Vec::new();
        for element in elements {
            if document.name(element) == "nvpair" {
                let secret = document.attribute(element, "name").is_some_and(|name| self.is_secret(name));
                hide(document, element, "value", secret, &mut found);
            } else {
                // the parameters of an operation on record are attributes
                let names: Vec<String> = document
                    .attributes(element)
                    .map(|(name, _)| name.to_owned())
                    .filter(|name| self.is_secret(name))
                    .collect();
                for name in names {
                    hide(document, element, &name, true, &mut found);
                }
            }
        }
        self.add_values(found);
    }

    /// Masks a text line by line: `NAME=VALUE`, `NAME: VALUE`, and known values.
    pub fn text(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            masked.push_str(&self.line(line));
        }
        for value in &self.values {
            if masked.contains(value.as_str()) {
                masked = masked.replace(value.as_str(), MASKED);
            }
        }
        masked
    }

    fn line(&self, line: &str) -> String {
        let mut done = String::new();
        let mut rest = line;
        while let Some(at) = rest.find(['=', ':']) {
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            let name = before
                .rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
                .next()
                .unwrap_or_default();
            done.push_str(before);
            done.push_str(&rest[at..=at]);
            rest = after;
            if name.is_empty() || !self.is_secret(name) {
                continue;
            }
            let blanks = after.len() - after.trim_start_matches(' ').len();
            let value = value_length(&after[blanks..]);
            if value > 0 {
                done.push_str(&after[..blanks]);
                done.push_str(MASKED);
                rest = &after[blanks + value..];
            }
        }
        done.push_str(rest);
        done
    }
}

/// Length of a value at the beginning of a text: quoted, or up to the next blank.
fn value_length(text: &str) -> usize {
    let quote = text.chars().next().filter(|c| *c == '"' || *c == '\'');
    match quote {
        Some(quote) => text[1..].find(quote).map_or(text.trim_end().len(), |end| end + 2),
        None => text.find(|c: char| c.is_whitespace() || c == ',' || c == ';').unwrap_or(text.len()),
    }
}

fn hide(
    document: &mut xml::Document,
    element: xml::NodeId,
    name: &str,
    secret: bool,
    found: &mut Vec<String>,
) {
    if !secret {
        return;
    }
    if let Some(value) =
        document.attribute(element, name).filter(|value| !value.is_empty() && *value != "lrm://")
    {
        found.push(value.to_owned());
        document.set_attribute(element, name, MASKED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_masked() {
        let mut mask = Mask::new(["pin"].into_iter()).unwrap();
        let text = "<cib><nvpair id='a' name='passwd' value='s3cr3t'/><nvpair id='b' name='ip' value='10.0.0.1'/>\
                    <op PIN='1234'/><nvpair id='c' name='password' value='lrm://'/></cib>";
        let mut document = xml::Document::parse(text).unwrap();
        mask.configuration(&mut document);
        assert_eq!(
            document.to_string(),
            "<cib><nvpair id=\"a\" name=\"passwd\" value=\"******\"/><nvpair id=\"b\" name=\"ip\" value=\"10.0.0.1\"/>\
             <op PIN=\"******\"/><nvpair id=\"c\" name=\"password\" value=\"lrm://\"/></cib>"
        );
        assert_eq!(mask.text("ran with passwd=abc, ip=1\n"), "ran with passwd=******, ip=1\n");
        assert_eq!(mask.text("agent said: s3cr3t is wrong\n"), "agent said: ****** is wrong\n");
        assert_eq!(mask.text("client_secret: \"a b\" next\n"), "client_secret: ****** next\n");
        assert_eq!(mask.text("nothing here: token: 3000\n"), "nothing here: token: 3000\n");
    }
}
