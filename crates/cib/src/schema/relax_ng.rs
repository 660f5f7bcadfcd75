//! The schema as a RELAX NG grammar, for clients that read schema files (`/usr/share/pacemaker/pacemaker-X.Y.rng`)
//! to learn which elements and attributes there are and what values they take.
//!
//! A grammar tells names, places, numbers and values. Forms that exclude each other, references to the right
//! kind of element and the like stay with [`super::validate`], which accepts no more than the grammar.

use std::fmt::Write as _;

use super::number;
use super::table::{self, Attribute, Child, Count, ELEMENTS, Element, Kind, Number};
use crate::upgrade::SCHEMAS;

/// The grammar of `schema`, a name like `pacemaker-4.0`; none if there is no such schema.
pub fn relax_ng(schema: &str) -> Option<String> {
    SCHEMAS.contains(&schema).then(|| Grammar { schema: number(schema), text: String::new() }.write())
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<grammar xmlns=\"http://relaxng.org/ns/structure/1.0\" \
datatypeLibrary=\"http://www.w3.org/2001/XMLSchema-datatypes\">
";

/// Anything at all: for what the schema leaves open.
const ANYTHING: &str = "  <define name=\"anything\">
    <zeroOrMore>
      <choice>
        <attribute><anyName/><text/></attribute>
        <text/>
        <element><anyName/><ref name=\"anything\"/></element>
      </choice>
    </zeroOrMore>
  </define>
";

struct Grammar {
    schema: Number,
    text: String,
}

impl Grammar {
    fn write(mut self) -> String {
        self.text.push_str(HEAD);
        self.line(1, "<start>");
        self.element(2, "cib");
        self.line(1, "</start>");
        let shared: Vec<&Element> = ELEMENTS.iter().filter(|row| self.is_shared(row.name)).collect();
        for row in shared {
            self.line(1, &format!("<define name=\"element-{}\">", row.name));
            self.element(2, row.name);
            self.line(1, "</define>");
        }
        self.text.push_str(ANYTHING);
        self.text.push_str("</grammar>\n");
        self.text
    }

    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.text, "{:width$}{text}", "", width = depth * 2);
    }

    fn exists(&self, since: Number, until: Number) -> bool {
        (since..=until).contains(&self.schema)
    }

    fn children(&self, row: &Element) -> Vec<&'static Child> {
        row.children.iter().filter(|child| self.exists(child.since, child.until)).collect()
    }

    /// Whether an element stands in several places; the others are written where they stand.
    fn is_shared(&self, name: &str) -> bool {
        let places = ELEMENTS.iter().filter(|row| self.children(row).iter().any(|child| child.name == name));
        places.count() > 1
    }

    fn element(&mut self, depth: usize, name: &str) {
        let Some(row) = table::element(name) else { return };
        self.line(depth, &format!("<element name=\"{name}\">"));
        if row.open {
            self.line(depth + 1, "<ref name=\"anything\"/>");
        } else {
            self.content(depth + 1, row);
        }
        self.line(depth, "</element>");
    }

    fn content(&mut self, depth: usize, row: &Element) {
        for attribute in row.attributes {
            if self.exists(attribute.since, attribute.until) {
                self.attribute(depth, attribute);
            }
        }
        let children = self.children(row);
        if children.is_empty() {
            self.line(depth, "<empty/>");
            return;
        }
        self.line(depth, "<interleave>");
        for child in children {
            self.child(depth + 1, child);
        }
        self.line(depth, "</interleave>");
    }

    fn child(&mut self, depth: usize, child: &Child) {
        let wrapper = match child.count {
            Count::One => None,
            Count::Optional => Some("optional"),
            Count::Any => Some("zeroOrMore"),
            Count::Some => Some("oneOrMore"),
        };
        self.wrapped(depth, wrapper, |grammar, depth| {
            if grammar.is_shared(child.name) {
                grammar.line(depth, &format!("<ref name=\"element-{}\"/>", child.name));
            } else {
                grammar.element(depth, child.name);
            }
        });
    }

    fn attribute(&mut self, depth: usize, attribute: &Attribute) {
        self.wrapped(depth, (!attribute.required).then_some("optional"), |grammar, depth| {
            grammar.line(depth, &format!("<attribute name=\"{}\">", attribute.name));
            grammar.values(depth + 1, attribute.kind);
            grammar.line(depth, "</attribute>");
        });
    }

    fn wrapped(&mut self, depth: usize, tag: Option<&str>, inner: impl FnOnce(&mut Grammar, usize)) {
        let Some(tag) = tag else { return inner(self, depth) };
        self.line(depth, &format!("<{tag}>"));
        inner(self, depth + 1);
        self.line(depth, &format!("</{tag}>"));
    }

    fn values(&mut self, depth: usize, kind: Kind) {
        let data = match kind {
            Kind::Id => "ID",
            Kind::Reference => "IDREF",
            Kind::Boolean => "boolean",
            Kind::Integer => "integer",
            Kind::NonNegative => "nonNegativeInteger",
            Kind::Positive => "positiveInteger",
            Kind::Text => return self.line(depth, "<text/>"),
            Kind::PortRange => return self.pattern(depth, "[0-9\\-]+"),
            Kind::Devices => return self.pattern(depth, "([a-zA-Z0-9_.\\-]+)(,[a-zA-Z0-9_.\\-]+)*"),
            Kind::Score => {
                return self.choice(depth, Some("integer"), &["INFINITY", "+INFINITY", "-INFINITY"]);
            }
            Kind::Words(words) => return self.choice(depth, None, words),
        };
        self.line(depth, &format!("<data type=\"{data}\"/>"));
    }

    fn pattern(&mut self, depth: usize, pattern: &str) {
        self.line(depth, &format!("<data type=\"string\"><param name=\"pattern\">{pattern}</param></data>"));
    }

    fn choice(&mut self, depth: usize, data: Option<&str>, words: &[&str]) {
        self.line(depth, "<choice>");
        if let Some(data) = data {
            self.line(depth + 1, &format!("<data type=\"{data}\"/>"));
        }
        for word in words {
            self.line(depth + 1, &format!("<value>{word}</value>"));
        }
        self.line(depth, "</choice>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xml::Document;

    fn parsed(schema: &str) -> Document {
        Document::parse(&relax_ng(schema).expect("known")).expect("well-formed")
    }

    #[test]
    fn every_schema_has_a_grammar_whose_references_are_defined() {
        for schema in SCHEMAS {
            let grammar = parsed(schema);
            let named = |tag: &str| -> std::collections::BTreeSet<String> {
                let found = grammar.root_element().descendants().filter(|element| element.name() == tag);
                found.filter_map(|element| element.attr("name").map(str::to_owned)).collect()
            };
            let (references, defines) = (named("ref"), named("define"));
            assert!(references.is_subset(&defines), "{schema}: {:?}", references.difference(&defines));
            assert!(named("element").contains("rsc_location"), "{schema}");
        }
        assert_eq!(relax_ng("pacemaker-9.9"), None);
    }

    #[test]
    fn a_grammar_has_what_its_version_has() {
        let (old, new) = (parsed("pacemaker-1.0"), parsed("pacemaker-4.0"));
        let has = |grammar: &Document, name: &str| {
            grammar
                .root_element()
                .descendants()
                .any(|element| element.name() == "element" && element.attr("name") == Some(name))
        };
        assert!(has(&new, "podman") && !has(&old, "podman"));
        assert!(has(&old, "master") && !has(&new, "master"));
    }
}
