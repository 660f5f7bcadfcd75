//! XPath 1.0 on a [`Document`]: what `cibadmin --xpath`, access control lists and scripts use.
//!
//! Left out: variables, namespaces, the `id()` and `lang()` functions. Evaluation is bounded by the number
//! of nodes it may visit, so that no expression can hold up a daemon.

mod evaluate;
mod lexer;
mod parser;

use std::fmt;

use crate::document::{Document, NodeId};

pub use evaluate::{Hit, Value};
use parser::Expression;

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XPathError {
    /// In characters, from 1; 0 if the error showed up in evaluation.
    pub column: u32,
    pub message: String,
}

impl fmt::Display for XPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            0 => write!(f, "XPath: {}", self.message),
            column => write!(f, "XPath, column {column}: {}", self.message),
        }
    }
}

impl std::error::Error for XPathError {}

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct XPath {
    expression: Expression,
}

impl XPath {
    pub fn compile(text: &str) -> Result<XPath, XPathError> {
        Ok(XPath { expression: parser::parse(text)? })
    }

    /// Elements that the expression selects, in document order. A hit on an attribute or text counts for its
    /// element, a hit on the document for the root element.
    pub fn select(&self, doc: &Document) -> Result<Vec<NodeId>, XPathError> {
        let mut elements: Vec<NodeId> = Vec::new();
        for hit in self.hits(doc)? {
            let element = hit.element(doc);
            if elements.last() != Some(&element) {
                elements.push(element);
            }
        }
        Ok(elements)
    }

    /// The selected nodes themselves, in document order.
    pub fn hits(&self, doc: &Document) -> Result<Vec<Hit>, XPathError> {
        match self.evaluate(doc)? {
            Value::Nodes(hits) => Ok(hits),
            _ => Err(XPathError { column: 0, message: "the expression does not select nodes".into() }),
        }
    }

    pub fn evaluate(&self, doc: &Document) -> Result<Value, XPathError> {
        evaluate::evaluate(&self.expression, doc, Hit::Document)
    }

    /// Evaluates with an element as the context of relative paths.
    pub fn evaluate_at(&self, doc: &Document, context: NodeId) -> Result<Value, XPathError> {
        evaluate::evaluate(&self.expression, doc, Hit::Node(context))
    }
}

/// Compiles and selects at once: elements in document order, see [`XPath::select`].
pub fn select(doc: &Document, expression: &str) -> Result<Vec<NodeId>, XPathError> {
    XPath::compile(expression)?.select(doc)
}

/// Text in the quotes it needs to be a literal: `'it'`, `"it's"`. A text with both kinds of quotes cannot be
/// written as one literal and becomes a `concat()`.
pub fn literal(text: &str) -> String {
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    if !text.contains('"') {
        return format!("\"{text}\"");
    }
    let pieces: Vec<String> = text.split('\'').map(|piece| format!("'{piece}'")).collect();
    format!("concat({})", pieces.join(", \"'\", "))
}
