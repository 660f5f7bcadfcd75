//! The transition graph: what must be done, on which node, after what.
//!
//! The scheduler makes a [`Graph`], [`check()`] refuses one that would break an
//! invariant, [`cut()`] leaves out what would, and a
//! [`Walker`] says which action may run next and learns what became of it. The walker is used by the
//! live cluster and by the simulation alike.
//!
//! This crate must never reinterpret policy: it knows nothing of scores, roles or constraints.

pub mod check;
pub mod cut;
pub mod graph;
mod print;
pub mod walker;

pub use check::{Need, Violation, World, check};
pub use cut::{Cut, cut};
pub use graph::{Action, Graph, Head, Kind, NodeRef, Primitive, Synapse, Work};
pub use walker::{Limits, Outcome, Progress, Walker};

/// A name or value that is shared, not copied.
pub type Name = std::sync::Arc<str>;

/// The priority that no abort holds back (rule 3.44.1), and the abort priority that stops all else.
pub const INFINITY: i32 = 1_000_000;
