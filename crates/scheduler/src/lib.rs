//! Decides what the cluster should do: a pure function from the CIB to a transition graph.
//!
//! The pipeline reads from top to bottom; each stage is a module with a narrow entry point that
//! works on one [`model::Model`]:
//!
//! 1. [`state`]: typed CIB → nodes, resources, what runs where (chapter 1 of the specification)
//! 2. [`placement`]: constraints, scores, a node and a role for each resource instance (chapter 2)
//! 3. [`actions`]: what must be done to get from the current to the next state (chapter 3a)
//! 4. [`ordering`]: in which order, and what blocks what (chapter 3b)
//! 5. [`graph`]: the transition graph that the runner walks (chapter 3c)
//!
//! It must never perform IO, read a clock, iterate a hash map or see XML.

pub mod actions;
pub mod graph;
pub mod model;
pub mod ordering;
pub mod placement;
pub mod state;
