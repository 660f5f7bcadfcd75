//! Answers for people as plain data. See ARCHITECTURE.md.

pub mod api;
pub mod board;
pub mod markup;
pub mod simulation;
pub mod status;
pub mod summary;
pub mod why;
