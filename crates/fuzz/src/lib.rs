//! Input that nobody would write, for what reads and judges configurations: whatever it says, nothing may
//! panic, hang or need memory out of proportion.
//!
//! It runs on the stable toolchain: [`mutate`] knows the shape of a CIB, [`target`] is what is fed, and
//! [`run`] keeps watch over time and memory. There is no instrumentation; instead, inputs that make a target
//! say something new are kept as parents of further ones.
//!
//! `cargo xtask fuzz TARGET --seconds N` runs it for long; the tests replay the corpus and add a short run.

pub mod corpus;
pub mod cpu;
pub mod large;
pub mod memory;
pub mod minimize;
pub mod mutate;
pub mod random;
pub mod run;
pub mod target;

pub use target::Target;
