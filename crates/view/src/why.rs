//! Why a resource is where it is, or nowhere: the scheduler's own scores and causes, in words.
//!
//! [`why`] runs the scheduler once with its reasons recorded and turns them into plain data; nothing is
//! decided or guessed here.

use std::collections::BTreeMap;

use cib::Cib;
use cib::value::{Role, Score, Timestamp};
use scheduler::model::{Cause, Change, Id, Model, Node, NodeId, PlanOptions, ResourceId};

/// The whole answer about one resource (or each primitive inside one).
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    pub parts: Vec<ResourceWhy>,
}

/// The answer about one primitive or instance.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceWhy {
    pub name: String,
    /// Where it is active.
    pub active_on: Vec<String>,
    pub role: Role,
    /// Where it would be after the next plan, and in which role.
    pub planned_on: Option<String>,
    pub next_role: Role,
    /// Unmanaged, blocked, failed, …: what keeps the cluster from acting on it.
    pub remarks: Vec<String>,
    pub nodes: Vec<NodeWhy>,
    /// What the next plan does with it, and why.
    pub actions: Vec<String>,
    /// What would make it move, or start.
    pub outlook: String,
}

/// One node as a place for a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeWhy {
    pub name: String,
    pub score: Score,
    /// Why nothing can run there at all, if so.
    pub unavailable: Option<String>,
    /// What the score is made of, in the order in which it came about.
    pub contributions: Vec<Contribution>,
    pub chosen: bool,
}

/// One part of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// `+60`, `-INFINITY`, `= 0`.
    pub change: String,
    pub cause: String,
}

/// Answers for `id` (a primitive, group, clone, bundle or an instance); `None` if there is no such resource.
/// With `node`, only that node is looked at.
pub fn why(cib: &Cib, now: Timestamp, id: &str, node: Option<&str>) -> Option<Why> {
    let options = PlanOptions { record_reasons: true, ..PlanOptions::default() };
    let mut model = scheduler::state::build(cib, now, options);
    let before: Vec<(Role, Vec<NodeId>)> = model
        .resources
        .values()
        .map(|resource| (resource.current_role, resource.active_on.clone()))
        .collect();
    let resource = scheduler::state::find_resource(&model, id)?;
    scheduler::schedule(&mut model);
    let mut without = Without { cib, now, plans: BTreeMap::new() };
    let mut parts = Vec::new();
    for leaf in leaves(&model, resource) {
        let (role, active_on) = before.get(leaf.index()).cloned().unwrap_or_default();
        let mut part = explain(&model, leaf, role, &active_on);
        let instead = planned(&model, leaf).map(|chosen| without.place(chosen, leaf));
        part.outlook = outlook(&part.nodes, part.planned_on.as_deref(), instead.flatten().as_deref());
        part.nodes.retain(|other| node.is_none_or(|node| node.eq_ignore_ascii_case(&other.name)));
        parts.push(part);
    }
    Some(Why { parts })
}

/// What the scheduler would do if a node could run nothing: asked of itself, once for each node.
struct Without<'c> {
    cib: &'c Cib,
    now: Timestamp,
    plans: BTreeMap<NodeId, Vec<Option<String>>>,
}

impl Without<'_> {
    /// Where the resource would be without that node.
    fn place(&mut self, node: NodeId, resource: ResourceId) -> Option<String> {
        let (cib, now) = (self.cib, self.now);
        let places = self.plans.entry(node).or_insert_with(|| {
            let mut model = scheduler::state::build(cib, now, PlanOptions::default());
            model.nodes[node].standby = true;
            scheduler::schedule(&mut model);
            let ids = model.resources.iter().map(|(id, _)| id);
            ids.map(|id| planned(&model, id).map(|node| model.nodes[node].name.to_string())).collect()
        });
        places.get(resource.index()).cloned().flatten()
    }
}

/// The node on which the resource will be active.
fn planned(model: &Model, resource: ResourceId) -> Option<NodeId> {
    let it = &model.resources[resource];
    it.assigned.filter(|_| it.next_role > Role::Stopped)
}

/// The primitives below a resource, surplus instances left out.
fn leaves(model: &Model, resource: ResourceId) -> Vec<ResourceId> {
    let it = &model.resources[resource];
    if it.is_primitive() {
        return if it.removed && it.active_on.is_empty() { Vec::new() } else { vec![resource] };
    }
    let children = it.children.clone();
    children.into_iter().flat_map(|child| leaves(model, child)).collect()
}

fn explain(model: &Model, resource: ResourceId, role: Role, active_on: &[NodeId]) -> ResourceWhy {
    let it = &model.resources[resource];
    let node_name = |node: NodeId| model.nodes[node].name.to_string();
    let nodes = model.node_order.iter().filter_map(|node| node_why(model, resource, *node)).collect();
    ResourceWhy {
        name: it.printable_id().to_string(),
        active_on: active_on.iter().copied().map(node_name).collect(),
        role,
        next_role: it.next_role,
        remarks: remarks(model, resource),
        actions: actions(model, resource),
        outlook: String::new(),
        planned_on: planned(model, resource).map(node_name),
        nodes,
    }
}

fn node_why(model: &Model, resource: ResourceId, node: NodeId) -> Option<NodeWhy> {
    let it = &model.resources[resource];
    let score = it.allowed.score(node)?;
    let mut contributions = Vec::new();
    let mut sum = Score::ZERO;
    let recorded = model.reasons.contributions.iter();
    for part in recorded.filter(|part| part.resource == resource && part.node == node) {
        let cause = cause(model, part.cause);
        match part.change {
            Change::Add(amount) => {
                sum += amount;
                if amount != Score::ZERO {
                    contributions.push(Contribution { change: signed(amount), cause });
                }
            }
            Change::Set(value) if value == sum => {}
            Change::Set(value) => {
                sum = value;
                contributions.push(Contribution { change: format!("= {value}"), cause });
            }
        }
    }
    Some(NodeWhy {
        name: model.nodes[node].name.to_string(),
        score,
        unavailable: unavailable(&model.nodes[node]),
        contributions,
        chosen: it.assigned == Some(node),
    })
}

fn signed(score: Score) -> String {
    if score > Score::ZERO { format!("+{score}") } else { score.to_string() }
}

/// Why a node is not available (rule 2.4.1).
fn unavailable(node: &Node) -> Option<String> {
    let reasons = [
        (!node.online, "offline"),
        (node.unclean, "unclean: it must be fenced first"),
        (node.shutdown, "shutting down"),
        (node.pending, "still joining"),
        (node.standby && !node.pending, "in standby"),
        (node.maintenance, "in maintenance"),
    ];
    let words: Vec<&str> = reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn remarks(model: &Model, resource: ResourceId) -> Vec<String> {
    let it = &model.resources[resource];
    let target = scheduler::state::target_role(model, resource).is_some_and(|role| role == Role::Stopped);
    let all = [
        (it.blocked, "blocked after a failure: 'cleanup' lets the cluster act again".to_owned()),
        (!it.managed && !it.blocked, "unmanaged: the cluster does not touch it".to_owned()),
        (it.failed, "it failed and is being recovered".to_owned()),
        (target, "target-role is Stopped: somebody disabled it".to_owned()),
        (it.removed, "it is not in the configuration any more".to_owned()),
        (
            it.lock_node.is_some(),
            it.lock_node
                .map(|node| format!("locked to {} while that node is down", model.nodes[node].name))
                .unwrap_or_default(),
        ),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text).collect()
}

/// What the next plan does with the resource.
fn actions(model: &Model, resource: ResourceId) -> Vec<String> {
    let it = &model.resources[resource];
    it.actions
        .iter()
        .map(|id| &model.actions[*id])
        .filter(|action| !action.optional && !action.pseudo)
        .filter(|action| !matches!(action.task, scheduler::model::Task::Monitor))
        .map(|action| {
            let on = action.node.map(|node| format!(" on {}", model.nodes[node].name)).unwrap_or_default();
            let blocked = if action.runnable { "" } else { ", but it cannot be done" };
            let reason = action.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{}{on}{blocked}{reason}", action.task.name())
        })
        .collect()
}

/// What would make it move or start: the scores, and where it would be (`instead`) without its node.
fn outlook(nodes: &[NodeWhy], planned_on: Option<&str>, instead: Option<&str>) -> String {
    let usable = |node: &&NodeWhy| node.unavailable.is_none() && node.score >= Score::ZERO;
    let Some(chosen) = planned_on.and_then(|name| nodes.iter().find(|node| node.name == name)) else {
        let banned: Vec<&str> =
            nodes.iter().filter(|node| !usable(node)).map(|node| node.name.as_str()).collect();
        return if nodes.is_empty() {
            "it has no node at all: a location constraint with a score of 0 or more would allow one"
                .to_owned()
        } else if banned.len() == nodes.len() {
            "no node may run it: see the scores below -INFINITY or the states of the nodes".to_owned()
        } else {
            "a node would take it, but something else keeps it from running: see the remarks and actions"
                .to_owned()
        };
    };
    let next =
        nodes.iter().filter(|node| node.name != chosen.name).filter(usable).max_by_key(|node| node.score);
    let without = match instead {
        Some(node) => format!("without {} it would go to {node}", chosen.name),
        None => format!("without {} it would be stopped: no other node may run it", chosen.name),
    };
    match next {
        Some(next) if chosen.score < Score::INFINITY => {
            let margin = chosen.score.value().saturating_sub(next.score.value());
            format!(
                "it would move to {} if that gained more than {margin} over {}; {without}",
                next.name, chosen.name
            )
        }
        _ => format!("it stays on {} while that node is available; {without}", chosen.name),
    }
}

/// A cause in words, with the id and line of the configuration that it comes from.
pub fn cause(model: &Model, cause: Cause) -> String {
    let resource = |id: ResourceId| model.resources[id].printable_id().to_string();
    let node = |id: NodeId| model.nodes[id].name.to_string();
    match cause {
        Cause::Agent(id) => format!("{} can only run on cluster nodes", resource(id)),
        Cause::Unfencing(id) => format!("{} needs an unfenced node", resource(id)),
        Cause::NodeBase(id) => format!("the node's own score ({})", node(id)),
        Cause::SymmetricCluster => "symmetric-cluster: every node may run it".to_owned(),
        Cause::Location(id) => {
            let location = &model.locations[id];
            format!("location constraint {}{}", location.id, line(model, location.source))
        }
        Cause::Colocation(id) => {
            let it = &model.colocations[id];
            let (dependent, primary) = (resource(it.dependent), resource(it.primary));
            match it.source {
                Some(_) => {
                    format!("colocation {} of {dependent} with {primary}{}", it.id, line(model, it.source))
                }
                None => format!("{dependent} must be with {primary}"),
            }
        }
        Cause::Stickiness(id) => format!("resource-stickiness of {}: it is active here", resource(id)),
        Cause::FailureThreshold { resource: id, fail_count, .. } => {
            format!("migration-threshold of {} reached ({fail_count} failures)", resource(id))
        }
        Cause::Failure { resource: id, node: on } => format!("{} failed on {}", resource(id), node(on)),
        Cause::Ticket(id) => format!("ticket {}", model.tickets[id].id),
        Cause::ShutdownLock { resource: id, node: on } => {
            format!("{} is locked to {}", resource(id), node(on))
        }
        Cause::ExclusiveDiscovery(id) => {
            format!("{} may only be probed where a constraint says so", resource(id))
        }
        Cause::NodeHealth(id) => format!("health of {}", node(id)),
        Cause::Utilization(id) => format!("capacity for {}", resource(id)),
        Cause::Unmanaged(id) => format!("{} is unmanaged and stays where it is", resource(id)),
        Cause::Maintenance(id) => format!("{} is in maintenance", node(id)),
        Cause::TargetRole(id) => format!("target-role of {}", resource(id)),
        Cause::Removed(id) => format!("{} is not configured any more", resource(id)),
        Cause::MultiplyActive(id) => format!("{} is active on several nodes", resource(id)),
        Cause::PartOf(id) => format!("part of {}", resource(id)),
        Cause::Launcher(id) => format!("needs {}", resource(id)),
        Cause::NodeState(id) => {
            let state = unavailable(&model.nodes[id]).unwrap_or_else(|| "its state".to_owned());
            format!("{} is {state}", node(id))
        }
        Cause::NoQuorum => "this part of the cluster has no quorum".to_owned(),
        Cause::Order(index) => format!("order constraint {}", constraint(model, index)),
        Cause::Action(id) => format!("follows from {}", action(model, id)),
        Cause::DefinitionChanged { resource: id, node: on } => {
            format!("the definition of {} changed since it was started on {}", resource(id), node(on))
        }
        Cause::StateUnknown { resource: id, node: on } => {
            format!("the state of {} on {} is not known yet", resource(id), node(on))
        }
        Cause::Transition(id) => format!("{} is not yet as it should be", resource(id)),
        Cause::FencingRequested(id) => format!("fencing of {} was requested", node(id)),
        Cause::Promotion(id) => format!("promotion score of {}", resource(id)),
    }
}

fn action(model: &Model, id: scheduler::model::ActionId) -> String {
    let it = &model.actions[id];
    let resource =
        it.resource.map(|id| format!(" of {}", model.resources[id].printable_id())).unwrap_or_default();
    let on = it.node.map(|node| format!(" on {}", model.nodes[node].name)).unwrap_or_default();
    format!("{}{resource}{on}", it.task.name())
}

fn line(model: &Model, source: Option<u32>) -> String {
    let constraints = &model.cib.configuration.constraints;
    let found = source.and_then(|index| constraints.get(index as usize));
    found
        .filter(|found| found.line() > 0)
        .map(|found| format!(" (line {})", found.line()))
        .unwrap_or_default()
}

fn constraint(model: &Model, index: u32) -> String {
    match model.cib.configuration.constraints.get(index as usize) {
        Some(found) => format!("{}{}", found.id(), line(model, Some(index))),
        None => "that was removed".to_owned(),
    }
}

/// The answer as text.
pub fn text(why: &Why) -> String {
    let mut out = String::new();
    for part in &why.parts {
        let now = match part.active_on.as_slice() {
            [] => "stopped".to_owned(),
            nodes => format!("{} on {}", part.role.name().to_lowercase(), nodes.join(", ")),
        };
        let then = match &part.planned_on {
            Some(node) => format!("{} on {node}", part.next_role.name().to_lowercase()),
            None => "stopped".to_owned(),
        };
        let verdict = if now == then { "and that is where it should be" } else { "and should be " };
        let then = if now == then { String::new() } else { then };
        out.push_str(&format!("{}: {now}, {verdict}{then}\n", part.name));
        for remark in &part.remarks {
            out.push_str(&format!("  ! {remark}\n"));
        }
        for action in &part.actions {
            out.push_str(&format!("  next: {action}\n"));
        }
        for node in &part.nodes {
            let mark = if node.chosen { '>' } else { ' ' };
            let state = node.unavailable.as_ref().map(|state| format!("  ({state})")).unwrap_or_default();
            out.push_str(&format!("  {mark} {}: {}{state}\n", node.name, node.score));
            for contribution in &node.contributions {
                out.push_str(&format!("      {:>9}  {}\n", contribution.change, contribution.cause));
            }
        }
        out.push_str(&format!("  {}\n", part.outlook));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIB: &str = r#"<cib validate-with="pacemaker-3.9" have-quorum="1" dc-uuid="1" epoch="1" num_updates="0" admin_epoch="0">
<configuration><crm_config><cluster_property_set id="o"><nvpair id="o-s" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes>
<resources><primitive id="A" class="ocf" provider="pacemaker" type="Dummy"/></resources>
<constraints>
<rsc_location id="likes" rsc="A" node="node2" score="60"/>
</constraints></configuration>
<status><node_state id="1" uname="node1" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="node2" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>"#;

    fn answer(id: &str) -> Option<Why> {
        let document = xml::Document::parse(CIB).unwrap();
        let (cib, _) = Cib::from_document(&document);
        why(&cib, 1_000_000, id, None)
    }

    #[test]
    fn a_preference_is_named_with_its_line() {
        let text = text(&answer("A").unwrap());
        assert_eq!(
            text,
            "A: stopped, and should be started on node2\n  next: start on node2\n    node1: 0\n  > node2: 60\n            +60  location constraint likes (line 6)\n  it would move to node1 if that gained more than 60 over node2; without node2 it would go to node1\n"
        );
    }

    #[test]
    fn what_follows_another_resource_goes_where_that_goes() {
        let text = CIB.replace(
            "<constraints>",
            r#"<constraints><rsc_colocation id="with" rsc="B" with-rsc="A" score="INFINITY"/>"#,
        );
        let text = text.replace(
            "</resources>",
            r#"<primitive id="B" class="ocf" provider="pacemaker" type="Dummy"/></resources>"#,
        );
        let document = xml::Document::parse(&text).unwrap();
        let (cib, _) = Cib::from_document(&document);
        let answer = why(&cib, 1_000_000, "B", Some("node1")).unwrap();
        let part = &answer.parts[0];
        assert_eq!(part.planned_on.as_deref(), Some("node2"));
        assert_eq!(
            part.outlook,
            "it stays on node2 while that node is available; without node2 it would go to node1"
        );
        // the other node's scores were not asked for
        assert_eq!(part.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["node1"]);
    }

    #[test]
    fn an_unknown_resource_has_no_answer() {
        assert_eq!(answer("B"), None);
    }
}
