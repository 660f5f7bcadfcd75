//! A read-only cursor: a node together with its document, the convenient way to walk a tree.

use std::borrow::Cow;

use crate::document::{Document, NodeId};

/// An element of a document. Copy it freely.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    pub doc: &'a Document,
    pub id: NodeId,
}

impl<'a> Element<'a> {
    pub fn new(doc: &'a Document, id: NodeId) -> Self {
        Element { doc, id }
    }

    pub fn id(self) -> NodeId {
        self.id
    }

    pub fn name(self) -> &'a str {
        self.doc.name(self.id)
    }

    pub fn attr(self, name: &str) -> Option<&'a str> {
        self.doc.attribute(self.id, name)
    }

    pub fn attributes(self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> + Clone {
        self.doc.attributes(self.id)
    }

    /// Child elements in document order.
    pub fn children(self) -> impl Iterator<Item = Element<'a>> + 'a {
        let doc = self.doc;
        doc.children(self.id).map(move |id| Element { doc, id })
    }

    /// Child elements with this name.
    pub fn children_named<'n>(self, name: &'n str) -> impl Iterator<Item = Element<'a>> + use<'a, 'n> {
        self.children().filter(move |child| child.name() == name)
    }

    /// First child element with this name.
    pub fn child(self, name: &str) -> Option<Element<'a>> {
        self.children().find(|child| child.name() == name)
    }

    /// The element itself and all elements below it, in document order.
    pub fn descendants(self) -> impl Iterator<Item = Element<'a>> + 'a {
        let doc = self.doc;
        doc.descendants(self.id).map(move |id| Element { doc, id })
    }

    pub fn parent(self) -> Option<Element<'a>> {
        self.doc.parent(self.id).map(|id| Element { doc: self.doc, id })
    }

    /// Own text, all pieces joined; empty if there is none.
    pub fn text(self) -> Cow<'a, str> {
        self.doc.text(self.id)
    }

    /// Line in the input, from 1; 0 if the element was made by a program.
    pub fn line(self) -> u32 {
        self.doc.line(self.id)
    }

    pub fn column(self) -> u32 {
        self.doc.column(self.id)
    }
}

impl std::fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{} id={:?}> #{}", self.name(), self.attr("id"), self.id.0)
    }
}
