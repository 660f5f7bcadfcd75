//! The node: one state, one entry point.

use crate::config::{Config, Restored};
use crate::interface::{Input, Outbox};
use crate::planner::Planner;
use crate::time::Now;

/// A cluster node. See the crate documentation for the calling discipline.
#[derive(Debug)]
pub struct Node {
    config: Config,
    restored: Restored,
    planner: Box<dyn Planner>,
}

impl Node {
    /// A node that has not seen a view yet. It does nothing before the first step.
    #[must_use]
    pub fn new(config: Config, restored: Restored, planner: Box<dyn Planner>) -> Node {
        Node { config, restored, planner }
    }

    /// Takes one input and appends what is to be done. `now.monotonic` must not decrease from step to step.
    pub fn step(&mut self, now: Now, input: Input, outbox: &mut Outbox) {
        let _ = (now, input, outbox, &self.config, &self.restored, &self.planner);
    }

    /// The monotonic millisecond at which [`Input::Deadline`] is wanted, if at all.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        None
    }
}
