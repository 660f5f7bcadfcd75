//! The document with the mode of each element for one user, for people (rule 5c.10.7).

use xml::{Document, NodeId, NodeKind};

use super::{Mode, Modes, Permissions, User};

/// How modes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A line before each change of mode.
    Text,
    /// Terminal colours.
    Color,
    /// Prefixes of element names; the result is XML.
    Namespace,
}

/// Evaluates access as if it were in force, whatever `enable-acl` says.
pub fn show(document: &Document, user: &User, style: Style) -> String {
    let modes = Permissions::of(document, user).modes(document);
    let mut out = format!("<!-- ACLs as evaluated for user {} -->\n", user.name.replace("--", "- -"));
    match style {
        Style::Namespace => out += &with_prefixes(document, &modes).to_pretty(),
        Style::Text | Style::Color => {
            let mut lines = Lines { document, modes: &modes, style, mode: None, out };
            lines.element(document.root(), 0);
            if style == Style::Color {
                lines.out += "\u{1b}[0m";
            }
            out = lines.out;
        }
    }
    out
}

struct Lines<'a> {
    document: &'a Document,
    modes: &'a Modes,
    style: Style,
    mode: Option<Mode>,
    out: String,
}

impl Lines<'_> {
    fn element(&mut self, id: NodeId, level: usize) {
        let document = self.document;
        let tag = document.start_tag_to_string(id);
        let is_empty = document.first_node(id).is_none();
        self.line(
            id,
            level,
            &if is_empty { tag } else { tag.replacen("/>", ">", usize::from(tag.ends_with("/>"))) },
        );
        if is_empty {
            return;
        }
        for child in document.nodes(id) {
            match document.kind(child) {
                NodeKind::Element => self.element(child, level + 1),
                _ => self.line(id, level + 1, &document.element_to_string(child)),
            }
        }
        self.line(id, level, &format!("</{}>", document.name(id)));
    }

    fn line(&mut self, id: NodeId, level: usize, text: &str) {
        let mode = self.modes.of(id);
        if self.mode != Some(mode) {
            self.mode = Some(mode);
            self.out += match (self.style, mode) {
                (Style::Color, Mode::Writable) => "\u{1b}[32m",
                (Style::Color, Mode::Readable) => "\u{1b}[34m",
                (Style::Color, Mode::Denied) => "\u{1b}[31m",
                (_, Mode::Writable) => "vvv---[ WRITABLE ]---vvv\n",
                (_, Mode::Readable) => "vvv---[ READABLE ]---vvv\n",
                (_, Mode::Denied) => "vvv---[ ~DENIED ]---vvv\n",
            };
        }
        self.out += &"  ".repeat(level);
        self.out += text;
        self.out += "\n";
    }
}

fn with_prefixes(document: &Document, modes: &Modes) -> Document {
    let mut copy = document.clone();
    for id in document.descendants(document.root()) {
        let word = word(modes.of(id));
        copy.set_name(id, &format!("pcmk-access-{word}:{}", document.name(id)));
    }
    for mode in [Mode::Writable, Mode::Readable, Mode::Denied] {
        let word = word(mode);
        let name = format!("xmlns:pcmk-access-{word}");
        copy.set_attribute(copy.root(), &name, &format!("http://clusterlabs.org/ns/pacemaker/access/{word}"));
    }
    copy
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Writable => "writable",
        Mode::Readable => "readable",
        Mode::Denied => "denied",
    }
}
