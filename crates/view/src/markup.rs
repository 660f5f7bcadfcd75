//! Writes XML answers: nested elements, two blanks a level, attributes in the order given (rule 5a.1.5).

/// An XML text that grows. Every [`open`](Markup::open) needs its [`close`](Markup::close).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markup {
    text: String,
    open: Vec<String>,
    /// The innermost element has no content yet: its start tag is not ended.
    bare: bool,
}

impl Markup {
    pub fn new() -> Markup {
        Markup::default()
    }

    /// Starts an element that gets content.
    pub fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.open.push(name.to_owned());
        self.bare = true;
    }

    /// Ends the innermost element.
    pub fn close(&mut self) {
        let Some(name) = self.open.pop() else { return };
        if self.bare {
            self.text.push_str("/>\n");
        } else {
            self.indent();
            self.text.push_str(&format!("</{name}>\n"));
        }
        self.bare = false;
    }

    /// An element without content.
    pub fn leaf(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.text.push_str("/>\n");
    }

    /// An element with text.
    pub fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.start(name, attributes);
        self.text.push('>');
        escape(text, false, &mut self.text);
        self.text.push_str(&format!("</{name}>\n"));
    }

    /// An element with literal text, such as XML.
    pub fn literal(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.start(name, attributes);
        let text = text.replace("]]>", "]]]]><![CDATA[>");
        self.text.push_str(&format!("><![CDATA[{text}]]></{name}>\n"));
    }

    /// Takes over what another text of this kind has, at the current depth.
    pub fn append(&mut self, other: &Markup) {
        self.append_text(&other.text);
    }

    /// Takes over XML text that begins at depth 0, at the current depth.
    pub fn append_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.end_start_tag();
        let mut literal = false;
        for line in text.lines() {
            if !literal {
                self.indent();
            }
            self.text.push_str(line);
            self.text.push('\n');
            match (line.rfind("<![CDATA["), line.rfind("]]>")) {
                (Some(begin), end) if end.is_none_or(|end| end < begin) => literal = true,
                (_, Some(_)) => literal = false,
                _ => {}
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text; elements that are still open are ended.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.end_start_tag();
        self.indent();
        self.text.push('<');
        self.text.push_str(name);
        for (name, value) in attributes {
            self.text.push_str(&format!(" {name}=\""));
            escape(value, true, &mut self.text);
            self.text.push('"');
        }
    }

    fn end_start_tag(&mut self) {
        if self.bare {
            self.text.push_str(">\n");
            self.bare = false;
        }
    }

    fn indent(&mut self) {
        for _ in &self.open {
            self.text.push_str("  ");
        }
    }
}

/// `true` or `false`.
pub fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn escape(text: &str, attribute: bool, into: &mut String) {
    for character in text.chars() {
        match character {
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '&' => into.push_str("&amp;"),
            '"' if attribute => into.push_str("&quot;"),
            '\n' if attribute => into.push_str("&#10;"),
            '\t' if attribute => into.push_str("&#9;"),
            '\r' => into.push_str("&#13;"),
            // no XML can say these
            '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' => into.push('\u{fffd}'),
            other => into.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_nest() {
        let mut markup = Markup::new();
        markup.open("a", &[("x", "<\"\n")]);
        markup.leaf("b", &[]);
        markup.text("c", &[], "1 & 2");
        markup.open("d", &[]);
        markup.close();
        markup.literal("e", &[], "<x/>\n");
        assert_eq!(
            markup.finish(),
            "<a x=\"&lt;&quot;&#10;\">\n  <b/>\n  <c>1 &amp; 2</c>\n  <d/>\n  <e><![CDATA[<x/>\n]]></e>\n</a>\n"
        );
    }

    #[test]
    fn literal_text_is_not_indented_when_moved() {
        let mut inner = Markup::new();
        inner.literal("e", &[], "<x>\n</x>\n");
        let mut outer = Markup::new();
        outer.open("a", &[]);
        outer.append(&inner);
        assert_eq!(outer.finish(), "<a>\n  <e><![CDATA[<x>\n</x>\n]]></e>\n</a>\n");
    }
}
