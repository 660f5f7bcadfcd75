//! The border to the scheduler: the node hands the CIB to a planner and gets a transition graph with reasons.

use std::fmt;

/// Makes plans. Production and simulator use the scheduler; scenario tests may use a simple one.
pub trait Planner: Send + fmt::Debug {}

/// The real scheduler.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedulerPlanner;

impl Planner for SchedulerPlanner {}
