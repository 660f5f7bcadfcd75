//! Why a resource is where it is, or nowhere: the scheduler's own scores and causes, in words.
//!
//! [`why`] and [`all`] run the scheduler once with its reasons recorded, and once for each node that might be
//! missed, and turn them into plain data; nothing is decided or guessed here.

use std::collections::{BTreeMap, BTreeSet};

use cib::Cib;
use cib::iso8601::Clock;
use cib::value::{Role, Score};
use scheduler::model::{
    ActionId, Cause, Change, Id, Model, Node, NodeId, Origin, PlanOptions, ResourceId, Task,
};

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
    /// Why it gets that role.
    pub role_cause: String,
    /// What the next plan does with it, and why.
    pub actions: Vec<ActionWhy>,
    /// What would make it move, or start.
    pub outlook: String,
}

/// One action of the next plan.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionWhy {
    /// `start on node2`, and what keeps it from being done.
    pub what: String,
    /// What led to it, the first cause first.
    pub causes: Vec<String>,
    /// The actions that come before it, each with the reason.
    pub waits_for: Vec<String>,
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
pub fn why(cib: &Cib, now: Clock, id: &str, node: Option<&str>) -> Option<Why> {
    let mut run = Run::new(cib, now);
    let resource = scheduler::state::find_resource(&run.model, id)?;
    let mut parts = run.parts(resource);
    for part in &mut parts {
        part.nodes.retain(|other| node.is_none_or(|node| node.eq_ignore_ascii_case(&other.name)));
    }
    Some(Why { parts })
}

/// Answers for all configured resources, from one run.
pub fn all(cib: &Cib, now: Clock) -> Why {
    let mut run = Run::new(cib, now);
    let ids = cib.configuration.resources.iter();
    let resources: Vec<ResourceId> =
        ids.filter_map(|it| scheduler::state::find_resource(&run.model, &it.id)).collect();
    Why { parts: resources.into_iter().flat_map(|resource| run.parts(resource)).collect() }
}

/// A finished run of the scheduler with its reasons.
struct Run<'c> {
    model: Model<'c>,
    /// Role and place of each resource before the run.
    before: Vec<(Role, Vec<NodeId>)>,
    /// Positions of the contributions to each resource's scores.
    contributions: BTreeMap<ResourceId, Vec<usize>>,
    causes: BTreeMap<ActionId, Vec<Cause>>,
    without: Without<'c>,
}

impl<'c> Run<'c> {
    fn new(cib: &'c Cib, now: Clock) -> Run<'c> {
        let options = PlanOptions { record_reasons: true, ..PlanOptions::default() };
        let mut model = scheduler::state::build(cib, now, options);
        let state = |it: &scheduler::model::Resource| (it.current_role, it.active_on.clone());
        let before = model.resources.values().map(state).collect();
        scheduler::schedule(&mut model);
        let mut contributions: BTreeMap<ResourceId, Vec<usize>> = BTreeMap::new();
        for (position, part) in model.reasons.contributions.iter().enumerate() {
            contributions.entry(part.resource).or_default().push(position);
        }
        let mut causes: BTreeMap<ActionId, Vec<Cause>> = BTreeMap::new();
        for (action, cause) in &model.reasons.actions {
            causes.entry(*action).or_default().push(*cause);
        }
        let without = Without { cib, now, plans: BTreeMap::new() };
        Run { model, before, contributions, causes, without }
    }

    /// The answers about the primitives at or below the resource.
    fn parts(&mut self, resource: ResourceId) -> Vec<ResourceWhy> {
        leaves(&self.model, resource).into_iter().map(|leaf| self.part(leaf)).collect()
    }

    fn part(&mut self, leaf: ResourceId) -> ResourceWhy {
        let mut part = self.explain(leaf);
        let chosen = planned(&self.model, leaf);
        let host = chosen.map(|chosen| host(&self.model, chosen));
        part.outlook = match host {
            Some(Ok(host)) => {
                let instead = self.without.place(host, leaf);
                outlook(&part, &self.model.nodes[host].name, instead.as_deref())
            }
            Some(Err(launcher)) => format!("it waits for {}", self.model.resources[launcher].printable_id()),
            None => obstacle(&part.nodes),
        };
        part
    }

    fn explain(&self, resource: ResourceId) -> ResourceWhy {
        let model = &self.model;
        let it = &model.resources[resource];
        let (role, active_on) = self.before.get(resource.index()).cloned().unwrap_or_default();
        let node_name = |node: NodeId| model.nodes[node].name.to_string();
        ResourceWhy {
            name: it.printable_id().to_string(),
            active_on: active_on.into_iter().map(node_name).collect(),
            role,
            next_role: it.next_role,
            role_cause: self.cause(model.cause_of_role(resource)),
            remarks: remarks(model, resource),
            actions: self.actions(resource),
            outlook: String::new(),
            planned_on: planned(model, resource).map(node_name),
            nodes: model.node_order.iter().filter_map(|node| self.node(resource, *node)).collect(),
        }
    }

    fn node(&self, resource: ResourceId, node: NodeId) -> Option<NodeWhy> {
        let model = &self.model;
        let it = &model.resources[resource];
        let score = it.allowed.score(node)?;
        let mut contributions = Vec::new();
        let mut sum = Score::ZERO;
        let positions = self.contributions.get(&resource).into_iter().flatten();
        let recorded = positions.map(|position| &model.reasons.contributions[*position]);
        for part in recorded.filter(|part| part.node == node) {
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

    /// What the next plan does with the resource.
    fn actions(&self, resource: ResourceId) -> Vec<ActionWhy> {
        let model = &self.model;
        let shown = |id: &&ActionId| {
            let it = &model.actions[**id];
            !it.optional && !it.pseudo && !matches!(it.task, Task::Monitor | Task::Notify)
        };
        model.resources[resource].actions.iter().filter(shown).map(|id| self.action(*id)).collect()
    }

    fn action(&self, id: ActionId) -> ActionWhy {
        let model = &self.model;
        let it = &model.actions[id];
        let on = it.node.map(|node| format!(" on {}", model.nodes[node].name)).unwrap_or_default();
        let blocked = if it.runnable { "" } else { ", but it cannot be done" };
        let reason = it.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let causes = self.causes.get(&id).into_iter().flatten().map(|cause| self.cause(*cause));
        let inputs = it.inputs.iter().filter(|input| input.in_graph).map(|input| {
            let reason = match model.reasons.of_relation(input.action, id) {
                // the steps of one change
                Some(Cause::Transition(_)) | None => String::new(),
                Some(known) => format!(": {}", self.cause(known)),
            };
            format!("{}{reason}", action(model, input.action))
        });
        ActionWhy {
            what: format!("{}{on}{blocked}{reason}", it.task.name()),
            causes: unique(causes),
            waits_for: unique(inputs),
        }
    }

    /// A cause in words; where it is another action, with what that leads back to.
    fn cause(&self, it: Cause) -> String {
        let text = cause(&self.model, it);
        match it {
            Cause::Action(_) => match self.origin(it, &mut BTreeSet::new()) {
                Some(origin) => format!("{text} ({})", origin_text(&self.model, origin)),
                None => text,
            },
            Cause::Transition(resource) => self.change(resource).unwrap_or(text),
            _ => text,
        }
    }

    /// Where the resource is and where it should be, if that is not the same.
    fn change(&self, resource: ResourceId) -> Option<String> {
        let it = &self.model.resources[resource];
        let (role, active_on) = self.before.get(resource.index()).filter(|_| it.is_primitive())?;
        let state = |role: Role, nodes: &[NodeId]| {
            let names = nodes.iter().map(|node| self.model.nodes[*node].name.to_string()).collect::<Vec<_>>();
            state_text(role, &names)
        };
        let planned = planned(&self.model, resource);
        let (now, then) = (state(*role, active_on), state(it.next_role, planned.as_slice()));
        (now != then).then(|| format!("{} is {now} and should be {then}", it.printable_id()))
    }

    /// [`Model::origin`] by this run's own index.
    fn origin(&self, cause: Cause, seen: &mut BTreeSet<ActionId>) -> Option<Origin> {
        let Cause::Action(action) = cause else { return self.model.origin(cause) };
        let causes = self.causes.get(&action).filter(|_| seen.insert(action))?;
        causes.iter().find_map(|cause| self.origin(*cause, seen))
    }
}

/// The texts in their order, each once.
fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts.filter(|text| seen.insert(text.clone())).collect()
}

/// What the scheduler would do if a node could run nothing: asked of itself, once for each node.
struct Without<'c> {
    cib: &'c Cib,
    now: Clock,
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

/// The node itself, or for a guest node the one where what it runs in will be; what that is, if it will be
/// nowhere.
fn host(model: &Model, node: NodeId) -> Result<NodeId, ResourceId> {
    match model.nodes[node].connection.and_then(|id| model.resources[id].launcher) {
        Some(launcher) => planned(model, launcher).ok_or(launcher),
        None => Ok(node),
    }
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

/// Why no node is chosen.
fn obstacle(nodes: &[NodeWhy]) -> String {
    let text = if nodes.is_empty() {
        "it has no node at all: a location constraint with a score of 0 or more would allow one"
    } else if !nodes.iter().any(is_usable) {
        "no node may run it: see the scores below -INFINITY or the states of the nodes"
    } else {
        "a node would take it, but something else keeps it from running: see the remarks and actions"
    };
    text.to_owned()
}

fn is_usable(node: &NodeWhy) -> bool {
    node.unavailable.is_none() && node.score >= Score::ZERO
}

/// What would make it move: the scores, and where it would be (`instead`) without `host`, which is its node or
/// has it.
fn outlook(part: &ResourceWhy, host: &str, instead: Option<&str>) -> String {
    let planned_on = part.planned_on.as_deref();
    let without = match instead {
        Some(_) if instead == planned_on => format!("without {host} it would go with its guest node"),
        Some(node) => format!("without {host} it would go to {node}"),
        None => format!("without {host} it would be stopped: no other node may run it"),
    };
    let Some(chosen) = part.nodes.iter().find(|node| Some(node.name.as_str()) == planned_on) else {
        return without;
    };
    let others = part.nodes.iter().filter(|node| node.name != chosen.name && is_usable(node));
    match others.max_by_key(|node| node.score) {
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
            let name = location.source.map(|index| constraint(model, index));
            format!("location constraint {}", name.unwrap_or_else(|| location.id.to_string()))
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

/// Where a chain of causes ends, in words.
fn origin_text(model: &Model, origin: Origin) -> String {
    let resource = |id: ResourceId| model.resources[id].printable_id().to_string();
    match origin {
        Origin::Resource(id) => format!("because of {}", resource(id)),
        Origin::Constraint(index) => format!("because of constraint {}", constraint(model, index)),
        Origin::Ticket(id) => format!("because of ticket {}", model.tickets[id].id),
        Origin::Option(name) => format!("because of option {name}"),
        Origin::History { resource: id, node } => {
            format!("because of the history of {} on {}", resource(id), model.nodes[node].name)
        }
        Origin::Node(node) => format!("because of the state of {}", model.nodes[node].name),
    }
}

fn action(model: &Model, id: ActionId) -> String {
    let it = &model.actions[id];
    let resource =
        it.resource.map(|id| format!(" of {}", model.resources[id].printable_id())).unwrap_or_default();
    let on = it.node.map(|node| format!(" on {}", model.nodes[node].name)).unwrap_or_default();
    let task = if it.is_probe() { "probe" } else { it.task.name() };
    format!("{task}{resource}{on}")
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

/// `started on node1`, or that it is active nowhere.
fn state_text(role: Role, nodes: &[String]) -> String {
    match nodes {
        [] => "stopped".to_owned(),
        nodes => format!("{} on {}", role.name().to_lowercase(), nodes.join(", ")),
    }
}

/// The answer as text.
pub fn text(why: &Why) -> String {
    let mut out = String::new();
    for part in &why.parts {
        let now = state_text(part.role, &part.active_on);
        let then = state_text(part.next_role, part.planned_on.as_slice());
        let verdict = if now == then { "and that is where it should be" } else { "and should be " };
        let then = if now == then { String::new() } else { then };
        out.push_str(&format!("{}: {now}, {verdict}{then}\n", part.name));
        for remark in &part.remarks {
            out.push_str(&format!("  ! {remark}\n"));
        }
        if !part.actions.is_empty() {
            out.push_str(&format!("  role: {}: {}\n", part.next_role.name().to_lowercase(), part.role_cause));
        }
        for action in &part.actions {
            out.push_str(&format!("  next: {}\n", action.what));
            for cause in &action.causes {
                out.push_str(&format!("      because {cause}\n"));
            }
            for first in &action.waits_for {
                out.push_str(&format!("      after {first}\n"));
            }
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
        why(&cib, cib::iso8601::Zone::UTC.at(1_000_000).into(), id, None)
    }

    #[test]
    fn a_preference_is_named_with_its_line() {
        let text = text(&answer("A").unwrap());
        assert_eq!(
            text,
            "A: stopped, and should be started on node2\n  role: started: A is stopped and should be started on node2\n  next: start on node2\n      because A is stopped and should be started on node2\n      after probe of A on node1: the state of A on node1 is not known yet\n      after probe of A on node2: the state of A on node2 is not known yet\n    node1: 0\n  > node2: 60\n            +60  location constraint likes (line 6)\n  it would move to node1 if that gained more than 60 over node2; without node2 it would go to node1\n"
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
        let answer = why(&cib, cib::iso8601::Zone::UTC.at(1_000_000).into(), "B", Some("node1")).unwrap();
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
