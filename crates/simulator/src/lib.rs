//! Whole clusters in one process under virtual time: the production node on a simulated bus, with simulated
//! agents, disks and power, and with faults.
//!
//! Everything follows from a seed: the same seed gives the same run on every machine. [`World`] is for
//! scenarios stepped by hand, [`faults`] makes random runs, [`invariants`] says what must always hold.

pub mod bus;
pub mod demo;
pub mod faults;
pub mod invariants;
pub mod random;
pub mod world;

pub use random::Random;
pub use world::{Host, World};
