//! What was done on each node, resource by resource (rule 5b.8).

use cib::status::{HistoryEntry, ResourceHistory};
use scheduler::model::{Model, NodeId};
use scheduler::state;

/// The operations on one online node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeHistory {
    pub name: String,
    pub resources: Vec<ResourceOperations>,
}

/// The operations on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceOperations {
    /// As it is told: without number for instances that are alike, the history's for what is not configured.
    pub id: String,
    /// `migration-threshold` (1000000 if unlimited); unknown for what nothing in the status stands for.
    pub threshold: Option<i32>,
    /// By call id.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub call: i64,
    pub task: String,
    /// Milliseconds.
    pub interval: u32,
    pub rc: i64,
    pub last_rc_change: Option<i64>,
    /// Milliseconds.
    pub exec_time: Option<i64>,
    /// Milliseconds.
    pub queue_time: Option<i64>,
}

impl Operation {
    pub fn is_probe(&self) -> bool {
        self.task == "monitor" && self.interval == 0
    }

    fn of(entry: &HistoryEntry) -> Operation {
        Operation {
            call: entry.call_id.unwrap_or(-1),
            task: entry.operation().unwrap_or_default().to_owned(),
            interval: entry.interval,
            rc: entry.rc_code.unwrap_or(193),
            last_rc_change: entry.last_rc_change.filter(|at| *at > 0),
            exec_time: entry.exec_time,
            queue_time: entry.queue_time,
        }
    }

    /// Notifications and probes that found nothing are not worth telling.
    fn is_shown(&self) -> bool {
        self.task != "notify" && !(self.is_probe() && self.rc == 7)
    }
}

/// The history of all online nodes, in the order of the status section; of some, nothing may be worth telling.
pub fn of(model: &Model) -> Vec<NodeHistory> {
    let nodes = model.cib.status.nodes.iter().filter_map(|state| {
        let by_name = || state::find_node(model, state.uname.as_deref()?);
        state::find_node_by_id(model, &state.id).or_else(by_name)
    });
    let online = nodes.filter(|node| model.nodes[*node].online);
    online.map(|node| of_node(model, node)).collect()
}

fn of_node(model: &Model, node: NodeId) -> NodeHistory {
    let resources = state::history(model, node).iter().filter_map(|history| of_resource(model, history));
    NodeHistory { name: model.nodes[node].name.to_string(), resources: resources.collect() }
}

/// Only if any operation remains to be shown.
fn of_resource(model: &Model, history: &ResourceHistory) -> Option<ResourceOperations> {
    let mut operations: Vec<Operation> =
        history.entries.iter().map(Operation::of).filter(Operation::is_shown).collect();
    if operations.is_empty() {
        return None;
    }
    // what is under way has no number yet
    operations.sort_by_key(|it| if it.call < 0 { i64::MAX } else { it.call });
    let known = state::find_known(model, &history.id).map(|id| &model.resources[id]);
    Some(ResourceOperations {
        id: known.map_or(&*history.id, |it| it.printable_id()).to_string(),
        threshold: known.map(|it| it.migration_threshold.value()),
        operations,
    })
}
