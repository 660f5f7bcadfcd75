//! The border to the scheduler: the node hands over what it knows and gets a transition graph with reasons.
//!
//! Plans are made while operations are still under way. The scheduler does not see those as pending: it
//! decides on what is confirmed, and the runner finds in the new graph what is under way already. What the
//! new plan does not want any more is planned around, as if it had ended well ([`view_for_planner`]), and
//! nothing of that resource moves before its result is there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cib::iso8601::DateTime;
use transition::{Action, Graph, Work};

use crate::event::Severity;
use crate::history::{History, InFlight, InFlightKey, ResourceHistory};
use crate::membership::NodeId;
use crate::operation::ExecutionStatus;

/// What came of planning.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    pub graph: Arc<Graph>,
    /// What the plan does, a line for each change, for people.
    pub summary: Vec<String>,
    /// The worst the scheduler had to say about the input.
    pub severity: Option<Severity>,
    /// Why the graph must not be executed; empty if it may be.
    pub violations: Vec<String>,
}

/// Makes plans. Production and simulator use the scheduler; scenario tests may use a simple one.
pub trait Planner: Send + fmt::Debug {
    /// The plan for this CIB. `now`: in the local zone.
    fn plan(&mut self, cib: &cib::Cib, now: DateTime) -> Planned;
}

/// Changes the status so that it shows confirmed results only, but for `assumed` operations, which are
/// shown as if they had ended as expected.
pub fn view_for_planner(cib: &mut cib::Cib, history: &History, assumed: &[InFlightKey]) {
    let mut concerned: BTreeMap<(NodeId, &str), Vec<&InFlightKey>> = BTreeMap::new();
    for key in history.in_flight.keys() {
        concerned.entry((key.node, key.resource.as_str())).or_default().push(key);
    }
    for ((node, resource), keys) in concerned {
        let id = node.to_string();
        let Some(state) = cib.status.nodes.iter_mut().find(|state| *state.id == *id) else { continue };
        let mut confirmed = history.resource(node, resource).cloned();
        for key in keys.into_iter().filter(|key| assumed.contains(key)) {
            let Some(operation) = history.in_flight.get(key) else { continue };
            assume(operation, resource, &mut confirmed);
        }
        let position = state.history.iter().position(|known| *known.id == *resource);
        match (position, confirmed) {
            (Some(at), Some(confirmed)) => state.history[at] = confirmed.typed(resource),
            (Some(at), None) => {
                state.history.remove(at);
            }
            (None, Some(confirmed)) => state.history.push(confirmed.typed(resource)),
            (None, None) => {}
        }
    }
}

/// Adds the expected result, unless it says nothing about where the resource is active.
fn assume(operation: &InFlight, resource: &str, confirmed: &mut Option<ResourceHistory>) {
    if operation.entry.operation == "monitor" || !operation.recorded {
        return;
    }
    let mut entry = operation.entry.clone();
    entry.status = ExecutionStatus::Done;
    entry.exit_code = entry.expected;
    entry.call_id = i64::MAX;
    confirmed.get_or_insert_with(|| ResourceHistory::new(operation.agent.clone())).record(resource, &entry);
}

/// The key under which an operation of the graph would be under way; nothing for other actions and unknown
/// nodes. `node` gives a node's id by its name.
#[must_use]
pub fn in_flight_key(action: &Action, node: &dyn Fn(&str) -> Option<NodeId>) -> Option<InFlightKey> {
    if action.work() != Work::Operation {
        return None;
    }
    let executor = node(&action.head.executor()?.name)?;
    let resource = action.primitive.as_ref()?.id.to_string();
    Some(InFlightKey { node: executor, resource, key: executor_key(action) })
}

/// The key by which the executor and its history know an operation. The graph calls an instance that has no
/// history yet by its own name (`db:2_start_0`); for the executor it is `db`, like all that came before.
#[must_use]
pub fn executor_key(action: &Action) -> String {
    let renamed =
        action.primitive.as_ref().zip(action.instance.as_ref()).and_then(|(primitive, instance)| {
            action.key.strip_prefix(&**instance).map(|rest| format!("{}{rest}", primitive.id))
        });
    renamed.unwrap_or_else(|| action.key.to_string())
}

/// The real scheduler.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedulerPlanner;

impl Planner for SchedulerPlanner {
    fn plan(&mut self, cib: &cib::Cib, now: DateTime) -> Planned {
        let plan = scheduler::plan(cib, now.into(), scheduler::model::PlanOptions::default());
        let world = scheduler::graph::world(&plan.model);
        let violations = transition::check(&plan.graph, &world);
        let changes = plan.graph.actions().filter(|action| !action.is_pseudo()).map(in_words);
        let warnings = plan.warnings();
        let told = warnings.iter().map(|notice| format!("warning: {notice}"));
        Planned {
            summary: changes.chain(told).collect(),
            severity: warnings.iter().map(|notice| severity(notice.severity)).max(),
            violations: violations.iter().map(ToString::to_string).collect(),
            graph: Arc::new(plan.graph),
        }
    }
}

/// How bad what the scheduler says is for the saved input.
fn severity(severity: scheduler::model::Severity) -> Severity {
    use scheduler::model::Severity as Found;
    match severity {
        Found::Info | Found::Notice => Severity::Info,
        Found::Warning | Found::ConfigurationWarning => Severity::Warning,
        Found::Error | Found::ConfigurationError => Severity::Error,
    }
}

/// An action with its reason, as one line for people.
fn in_words(action: &Action) -> String {
    let what = match action.work() {
        Work::Fence => format!("fence ({})", action.fence_operation().map_or("reboot", |word| word)),
        Work::Cancel => format!("cancel {}", action.cancelled_operation().map_or("monitor", |word| word)),
        Work::Shutdown => "shut down".to_owned(),
        _ if &*action.operation == "monitor" && action.interval() == 0 => "probe".to_owned(),
        _ => action.operation.to_string(),
    };
    let resource = action.primitive.as_ref().map(|one| format!(" {}", one.id)).unwrap_or_default();
    let node = action.node.as_ref().map(|node| format!(" on {}", node.name)).unwrap_or_default();
    let reason = action.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{what}{resource}{node}{reason}")
}
