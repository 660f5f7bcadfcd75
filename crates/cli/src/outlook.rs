//! What the scheduler sees in a CIB, and what it would do: the base of status, waiting and moves.

use cib::Cib;
use scheduler::model::{Id, Model, PlanOptions, ResourceId};

use crate::session::Problem;

/// A resource or instance as commands need it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// Ids under which it can be asked for: its own, without instance number, and its containers'.
    names: Vec<String>,
    active_on: Vec<String>,
    planned_on: Vec<String>,
}

/// A failure count of one resource on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailCount {
    pub resource: String,
    pub node: String,
    pub count: String,
}

/// The state of a cluster, as plain data.
pub struct Outlook {
    places: Vec<Place>,
}

impl Outlook {
    pub fn of(document: &xml::Document) -> Result<Outlook, Problem> {
        let (cib, _) = Cib::from_document(document);
        let model = scheduler::state::build(&cib, now(), PlanOptions::default());
        Ok(Outlook { places: places(&model) })
    }

    /// Nodes on which the resource, or any part of it, is active; sorted.
    pub fn active_on(&self, id: &str) -> Vec<String> {
        self.nodes_of(id, |place| &place.active_on)
    }

    /// Nodes on which it would be active after the next plan; sorted.
    pub fn planned_on(&self, id: &str) -> Vec<String> {
        self.nodes_of(id, |place| &place.planned_on)
    }

    fn nodes_of(&self, id: &str, of: impl Fn(&Place) -> &Vec<String>) -> Vec<String> {
        let mut nodes: Vec<String> = self
            .places
            .iter()
            .filter(|place| place.names.iter().any(|name| name == id))
            .flat_map(|place| of(place).clone())
            .collect();
        nodes.sort();
        nodes.dedup();
        nodes
    }

    pub fn unsettled(&self) -> Vec<String> {
        Vec::new()
    }

    pub fn nodes_by_state(&self) -> Vec<(String, Vec<String>)> {
        Vec::new()
    }

    pub fn fail_counts(&self) -> Vec<FailCount> {
        Vec::new()
    }
}

fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}

fn places(model: &Model) -> Vec<Place> {
    model
        .resources
        .iter()
        .filter(|(_, resource)| resource.is_primitive())
        .map(|(id, resource)| {
            let name = |node: scheduler::model::NodeId| model.nodes[node].name.to_string();
            Place {
                names: names(model, id),
                active_on: resource.active_on.iter().map(|node| name(*node)).collect(),
                planned_on: resource.assigned.into_iter().map(name).collect(),
            }
        })
        .collect()
}

fn names(model: &Model, resource: ResourceId) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = Some(resource);
    while let Some(id) = at {
        let it = &model.resources[id];
        names.push(it.id.to_string());
        names.push(it.configured_id.to_string());
        at = it.parent;
    }
    names.dedup();
    let _ = resource.index();
    names
}
