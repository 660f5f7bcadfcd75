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

use std::collections::BTreeSet;

use cib::iso8601::Clock;
use model::{Model, Notice, PlanOptions, Severity};

/// What should be done now, with everything that led to it.
pub struct Plan<'a> {
    /// What leads from the current state to the wanted one; sound.
    pub graph: transition::Graph,
    /// What had to be left out of the graph because it would break an invariant or never run. The model's
    /// notices tell each.
    pub cuts: Vec<transition::Cut>,
    /// The finished run: final scores, roles, actions, reasons and notices.
    pub model: Model<'a>,
}

impl Plan<'_> {
    /// What the graph would break if it were executed (design principle 4); empty for a sound one.
    pub fn violations(&self) -> Vec<transition::Violation> {
        transition::check(&self.graph, &graph::world(&self.model))
    }

    /// What people must be told of the input and of the plan: each warning and error once, in the order found.
    pub fn warnings(&self) -> Vec<&Notice> {
        let mut known = BTreeSet::new();
        let grave = self.model.notices.iter().filter(|notice| notice.severity >= Severity::Warning);
        grave.filter(|notice| known.insert(&notice.text)).collect()
    }
}

/// Decides what the cluster should do, as of the time of `clock` (rule 3.1.1). `cib` is of the newest schema.
pub fn plan<'a>(cib: &'a cib::Cib, clock: Clock, options: PlanOptions) -> Plan<'a> {
    let mut model = state::build(cib, clock, options);
    let mut graph = schedule(&mut model);
    let cuts = transition::cut(&mut graph, &graph::world(&model));
    for cut in &cuts {
        model.notice(Severity::Warning, cut.to_string(), None);
    }
    if !cuts.is_empty() {
        actions::take_back(&mut model, cuts.iter().flat_map(|cut| cut.ids.iter().copied()));
    }
    Plan { graph, cuts, model }
}

/// All stages after the first, on a model that knows the current state. The graph may break invariants
/// ([`plan`] cuts it).
pub fn schedule(model: &mut Model<'_>) -> transition::Graph {
    placement::unpack_constraints(model);
    placement::apply_node_criteria(model);
    ordering::implicit::create(model);
    actions::check_history(model);
    placement::assign(model);
    actions::create(model);
    ordering::remote::create(model);
    actions::fencing::create(model);
    ordering::apply(model);
    actions::summarize(model);
    graph::build(model)
}
