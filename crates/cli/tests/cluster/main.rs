//! Commands on a running cluster of one node, as people call them: what they do with bad input, and what a kill in
//! the middle leaves behind.

// scenario tests touch files and processes: that is what they are for
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod agents;
mod fencing;
mod host;
mod kills;
mod mistakes;
mod writes;
