//! Ordered, mutable XML trees for cluster documents of any size.
//!
//! One [`Document`] owns everything: nodes, attributes and text live in a few flat vectors, links are
//! indices, so that a document of tens of megabytes is parsed, cloned and dropped quickly. The parser is
//! strict and says line and column; the printer writes what the cluster tools have always written.
//!
//! This crate knows nothing about clusters: no element name appears here. It does no IO and never panics
//! on input, however broken.

pub mod diff;
mod document;
mod element;
mod names;
mod parse;
mod print;
mod scan;
pub mod xpath;

pub use document::{Document, NodeId, NodeKind};
pub use element::Element;
pub use parse::{Limits, ParseError};
pub use print::{escape_attribute, escape_text};
