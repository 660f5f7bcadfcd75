//! Reading typed values from the XML document: shared strings, references, notices, and
//! name/value blocks. What cannot be read is reported and left out; nothing here fails as a whole.

use crate::notice::{Notice, Place, Severity};
use crate::nvpair::{Block, Pair};
use crate::rule::Rule;
use crate::status::Columns;
use crate::text::{Interner, Text};
use crate::value::ScoreText;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use xml::Element;

/// Deepest chain of references that is followed.
const MAX_REFERENCE_DEPTH: u32 = 8;

/// State of one reading of a document.
pub(crate) struct Reader<'a> {
    root: Element<'a>,
    strings: Interner,
    pub(crate) notices: Vec<Notice>,
    /// Elements by name and ID; `None` where the ID is not unique. Made when the first reference is met.
    index: Option<FxHashMap<(&'a str, &'a str), Option<Element<'a>>>>,
    pub(crate) columns: Columns<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(root: Element<'a>) -> Reader<'a> {
        Reader {
            root,
            strings: Interner::default(),
            notices: Vec::new(),
            index: None,
            columns: Columns::default(),
        }
    }

    /// The shared copy of `text`.
    pub(crate) fn text(&mut self, text: &str) -> Text {
        self.strings.text(text)
    }

    /// The shared copy of an attribute's value.
    pub(crate) fn attr(&mut self, element: Element<'a>, name: &str) -> Option<Text> {
        element.attr(name).map(|value| self.strings.text(value))
    }

    pub(crate) fn score(&self, element: Element<'a>, name: &str) -> Option<ScoreText> {
        element.attr(name).map(ScoreText::read)
    }

    pub(crate) fn place(&mut self, element: Element<'a>) -> Place {
        Place { element: self.text(element.name()), id: self.attr(element, "id"), line: element.line() }
    }

    pub(crate) fn report(&mut self, severity: Severity, element: Element<'a>, text: impl Into<String>) {
        let place = self.place(element);
        self.notices.push(Notice::new(severity, place, text));
    }

    pub(crate) fn error(&mut self, element: Element<'a>, text: impl Into<String>) {
        self.report(Severity::Error, element, text);
    }

    pub(crate) fn warning(&mut self, element: Element<'a>, text: impl Into<String>) {
        self.report(Severity::Warning, element, text);
    }

    /// The ID, or `None` after an error.
    pub(crate) fn required_id(&mut self, element: Element<'a>) -> Option<Text> {
        let id = element.attr("id").filter(|id| !id.is_empty());
        if id.is_none() {
            self.error(element, format!("Ignoring <{}> without id", element.name()));
        }
        id.map(|id| self.strings.text(id))
    }

    /// The element itself, or the one it refers to by `id-ref` (rule 1.5.1); `None` after an error
    /// if the reference is dangling.
    pub(crate) fn follow(&mut self, element: Element<'a>) -> Option<Element<'a>> {
        let mut target = element;
        for _ in 0..MAX_REFERENCE_DEPTH {
            let Some(id) = target.attr("id-ref") else { return Some(target) };
            let name = element.name();
            match self.index().get(&(name, id)).copied().flatten() {
                Some(found) => target = found,
                None => {
                    self.error(
                        element,
                        format!("Ignoring invalid {name} configuration: id-ref '{id}' does not reference a valid object"),
                    );
                    return None;
                }
            }
        }
        self.error(element, "Ignoring reference that leads back to itself");
        None
    }

    fn index(&mut self) -> &FxHashMap<(&'a str, &'a str), Option<Element<'a>>> {
        let root = self.root;
        self.index.get_or_insert_with(|| {
            let mut index = FxHashMap::default();
            let mut pending = vec![root];
            while let Some(element) = pending.pop() {
                pending.extend(element.children());
                if let Some(id) = element.attr("id") {
                    index
                        .entry((element.name(), id))
                        .and_modify(|known| *known = None)
                        .or_insert(Some(element));
                }
            }
            index
        })
    }

    /// All name/value blocks named `tag` directly below `parent`, references followed.
    pub(crate) fn blocks(&mut self, parent: Element<'a>, tag: &str) -> Vec<Block> {
        let mut blocks = Vec::new();
        for child in parent.children() {
            if child.name() == tag {
                blocks.extend(self.block(child));
            }
        }
        blocks
    }

    fn block(&mut self, element: Element<'a>) -> Option<Block> {
        let definition = self.follow(element)?;
        let score = self.score(definition, "score");
        if let Some(ScoreText::Invalid(text)) = &score {
            let message =
                format!("Using 0 as {} score because '{text}' is not a valid score", definition.name());
            self.warning(definition, message);
        }
        let rule = definition.child("rule").map(|rule| Arc::new(self.rule_or_never(rule)));
        Some(Block {
            id: self.attr(definition, "id"),
            score,
            rule,
            pairs: self.pairs(definition),
            by_reference: element.attr("id-ref").is_some(),
            line: definition.line(),
        })
    }

    /// The rule, or one that never passes if it is a dangling reference.
    fn rule_or_never(&mut self, element: Element<'a>) -> Rule {
        match self.follow(element) {
            Some(rule) => self.rule(rule),
            None => Rule {
                id: None,
                combine: None,
                conditions: Vec::new(),
                score: None,
                score_attribute: None,
                role: None,
                line: element.line(),
            },
        }
    }

    /// The pairs of a block; old-style documents nest them in `attributes` (rule 1.5.6).
    fn pairs(&mut self, block: Element<'a>) -> Vec<Pair> {
        let holder = match block.children().next() {
            Some(first) if first.name() == "attributes" => first,
            _ => block,
        };
        let mut pairs = Vec::new();
        for child in holder.children() {
            if child.name() == "nvpair" {
                pairs.extend(self.pair(child));
            }
        }
        pairs
    }

    fn pair(&mut self, element: Element<'a>) -> Option<Pair> {
        let definition = self.follow(element)?;
        let (name, value) = (definition.attr("name")?, definition.attr("value")?);
        Some(Pair {
            id: self.attr(definition, "id"),
            name: self.text(name),
            // Values are mostly unlike each other: no use in sharing them.
            value: Text::from(value),
            by_reference: element.attr("id-ref").is_some(),
            line: definition.line(),
        })
    }
}
