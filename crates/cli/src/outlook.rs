//! What the scheduler sees in a CIB, and what it would do: the base of status, waiting and moves.

use cib::Cib;
use cib::value::Role;
use scheduler::model::{Model, PlanOptions, ResourceId};
use view::status::Status;
use view::status::history::NodeHistory;
use view::status::monitor::FailCount;

use crate::clock;
use crate::session::Problem;

/// A primitive or an instance of one, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// Ids under which it can be asked for: its own, without instance number, and its containers'.
    names: Vec<String>,
    active_on: Vec<String>,
    planned_on: Vec<String>,
}

/// The state of a cluster and the next plan, as plain data.
pub struct Outlook {
    pub status: Status,
    pub fail_counts: Vec<FailCount>,
    pub fencing_enabled: bool,
    /// What the next plan would do, one line for each action that is not a mere ordering point.
    planned: Vec<String>,
    places: Vec<Place>,
    locations: Vec<Location>,
    /// Of each resource those in which it is the primary, as they act.
    dependents: Vec<Colocation>,
    /// Of each resource those in which it is the dependent, as they act.
    primaries: Vec<Colocation>,
}

/// What a location constraint means for one node, rules evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub id: String,
    pub resource: String,
    pub node: String,
    /// `1000000` for INFINITY.
    pub score: i32,
    /// The role that it is about, if not any.
    pub role: Option<String>,
}

/// Which partners of a resource are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What has to be where the resource is.
    Dependents,
    /// What the resource has to be with.
    Primaries,
}

/// A colocation of two resources, with sets, templates and tags resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colocation {
    pub id: String,
    pub dependent: String,
    pub primary: String,
    pub score: i32,
    /// What must be equal of their nodes, if not the name.
    pub node_attribute: Option<String>,
    /// The roles that it is about, if not any.
    pub dependent_role: Option<String>,
    pub primary_role: Option<String>,
}

impl Outlook {
    /// Reads a CIB without planning: what is, not what would be done.
    pub fn current(document: &xml::Document) -> Result<Outlook, Problem> {
        Ok(Outlook::of_cib(&Cib::from_document(document).0))
    }

    /// As [`Outlook::current`], of a CIB that is typed already.
    pub fn of_cib(cib: &Cib) -> Outlook {
        Outlook::of_state(scheduler::state::build(cib, clock::now().into(), PlanOptions::default()))
    }

    /// As [`Outlook::current`], together with what was done on each node that is online.
    pub fn with_history(document: &xml::Document) -> (Outlook, Vec<NodeHistory>) {
        let (cib, _) = Cib::from_document(document);
        let model = scheduler::state::build(&cib, clock::now().into(), PlanOptions::default());
        let history = view::status::history::of(&model);
        (Outlook::of_state(model), history)
    }

    fn of_state(mut model: Model<'_>) -> Outlook {
        let mut status = Status::of(&model);
        status.pings = view::status::pings(&mut model);
        let fail_counts = view::status::monitor::fail_counts(&mut model);
        scheduler::placement::unpack_constraints(&mut model);
        status.bans = view::status::bans(&model);
        Outlook {
            status,
            fail_counts,
            fencing_enabled: model.options.fencing_enabled,
            planned: Vec::new(),
            places: places(&model),
            locations: locations(&model),
            dependents: colocations(&model, Side::Dependents),
            primaries: colocations(&model, Side::Primaries),
        }
    }

    /// Reads a CIB and plans once, as of now.
    pub fn of(document: &xml::Document) -> Result<Outlook, Problem> {
        let (cib, _) = Cib::from_document(document);
        let mut model = scheduler::state::build(&cib, clock::now().into(), PlanOptions::default());
        let mut status = Status::of(&model);
        let fail_counts = view::status::monitor::fail_counts(&mut model);
        let graph = scheduler::schedule(&mut model);
        status.bans = view::status::bans(&model);
        let planned = graph
            .synapses
            .iter()
            .map(|synapse| &synapse.action)
            .filter(|action| action.work() != transition::Work::Nothing)
            .map(|action| match action.head.executor() {
                Some(node) => format!("{} on {}", action.key, node.name),
                None => action.key.to_string(),
            })
            .collect();
        Ok(Outlook {
            status,
            fail_counts,
            fencing_enabled: model.options.fencing_enabled,
            planned,
            places: places(&model),
            locations: locations(&model),
            dependents: colocations(&model, Side::Dependents),
            primaries: colocations(&model, Side::Primaries),
        })
    }

    /// The location constraints, one entry a node.
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// The colocations of a resource on one side, in the order in which they act.
    pub fn colocations<'o>(&'o self, id: &'o str, side: Side) -> impl Iterator<Item = &'o Colocation> {
        let all = match side {
            Side::Dependents => &self.dependents,
            Side::Primaries => &self.primaries,
        };
        all.iter().filter(move |it| match side {
            Side::Dependents => it.primary == id,
            Side::Primaries => it.dependent == id,
        })
    }

    /// What was done on each node that is online.
    pub fn history(document: &xml::Document) -> Vec<NodeHistory> {
        let (cib, _) = Cib::from_document(document);
        view::status::history::of(&scheduler::state::build(&cib, clock::now().into(), PlanOptions::default()))
    }

    /// A resource's meta-attribute or parameter as it counts, with what it inherits and rules evaluated for the one
    /// node on which it is active; `None` if it has none, or if there is no such resource.
    pub fn effective(document: &xml::Document, id: &str, is_meta: bool, name: &str) -> Option<String> {
        let (cib, _) = Cib::from_document(document);
        let mut model = scheduler::state::build(&cib, clock::now().into(), PlanOptions::default());
        let resource = scheduler::state::find_known(&model, id).or_else(|| {
            let instance = |(_, it): &(_, &scheduler::model::Resource)| *it.configured_id == *id;
            model.resources.iter().find(instance).map(|(id, _)| id)
        })?;
        if is_meta {
            return model.resources[resource].meta.get(name).map(|value| value.to_string());
        }
        let node = match model.resources[resource].active_on.as_slice() {
            [node] => Some(*node),
            _ => None,
        };
        let parameters = scheduler::state::parameters(&mut model, resource, node);
        parameters.get(name).map(|value| value.to_string())
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

    /// What is still to be done or under way; empty if the cluster has settled.
    pub fn unsettled(&self) -> Vec<String> {
        let pending = view::status::monitor::primitives(&self.status).into_iter().filter_map(|primitive| {
            let task = primitive.pending_task.as_deref()?;
            let node = primitive.pending_node.as_deref().unwrap_or("?");
            Some(format!("{} of {} on {node}", task, primitive.common.name))
        });
        self.planned.iter().cloned().chain(pending).collect()
    }

    /// Node names by what `pcs status nodes` calls their state.
    pub fn nodes_by_state(&self) -> Vec<(&'static str, Vec<&str>)> {
        let titles = ["Online", "Standby", "Standby with resource(s) running", "Maintenance", "Offline"];
        let state = |node: &view::status::NodeStatus| match node {
            node if !node.online => 4,
            node if node.maintenance => 3,
            node if node.standby && !node.running.is_empty() => 2,
            node if node.standby => 1,
            _ => 0,
        };
        titles
            .into_iter()
            .enumerate()
            .map(|(index, title)| {
                let names = self.status.nodes.iter().filter(|node| state(node) == index);
                (title, names.map(|node| node.name.as_str()).collect())
            })
            .collect()
    }
}

fn places(model: &Model) -> Vec<Place> {
    model
        .resources
        .iter()
        .filter(|(_, resource)| resource.is_primitive())
        .map(|(id, resource)| {
            let name = |node: scheduler::model::NodeId| model.nodes[node].name.to_string();
            let runs = resource.next_role > Role::Stopped;
            Place {
                names: names(model, id),
                active_on: resource.active_on.iter().map(|node| name(*node)).collect(),
                planned_on: resource.assigned.filter(|_| runs).into_iter().map(name).collect(),
            }
        })
        .collect()
}

fn locations(model: &Model) -> Vec<Location> {
    let mut found = Vec::new();
    // what node health adds comes from no constraint
    for (_, location) in model.locations.iter().filter(|(_, location)| location.source.is_some()) {
        for (node, score) in &location.nodes {
            found.push(Location {
                id: location.id.to_string(),
                resource: model.resources[location.resource].id.to_string(),
                node: model.nodes[*node].name.to_string(),
                score: score.value(),
                role: (location.role != Role::Unknown).then(|| location.role.name().to_owned()),
            });
        }
    }
    // the newest first, as bans are told
    found.reverse();
    found
}

fn colocations(model: &Model, side: Side) -> Vec<Colocation> {
    let role = |role: Role| (role != Role::Unknown).then(|| role.name().to_owned());
    let of_each = model.resources.values().flat_map(|it| match side {
        Side::Dependents => &it.with_this,
        Side::Primaries => &it.this_with,
    });
    // what groups and bundles imply comes from no constraint
    let configured = of_each.map(|id| &model.colocations[*id]).filter(|it| it.source.is_some());
    configured
        .map(|it| Colocation {
            id: it.id.to_string(),
            dependent: model.resources[it.dependent].id.to_string(),
            primary: model.resources[it.primary].id.to_string(),
            score: it.score.value(),
            node_attribute: it.node_attribute.as_ref().map(|name| name.to_string()),
            dependent_role: role(it.dependent_role),
            primary_role: role(it.primary_role),
        })
        .collect()
}

fn names(model: &Model, resource: ResourceId) -> Vec<String> {
    let above = std::iter::successors(Some(resource), |id| model.resources[*id].parent);
    let mut names: Vec<String> = above
        .flat_map(|id| [model.resources[id].id.to_string(), model.resources[id].configured_id.to_string()])
        .collect();
    names.dedup();
    names
}
