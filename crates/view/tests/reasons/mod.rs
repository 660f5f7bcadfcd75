//! Every decision carries its reason, on each recorded case: what a plan does, and in which order, leads back to
//! an element of the configuration, an entry of history or the state of a node; and the recorded parts of each
//! score make up the score.

use std::collections::BTreeMap;

use cib::value::Score;
use scheduler::Plan;
use scheduler::model::{ActionId, Change, Id, Model, Origin, PlanOptions, ResourceId};

use super::{corpus, input, names};

#[test]
fn every_decision_has_a_reason() {
    let Some(corpus) = corpus() else {
        println!("no recorded cases beside the workspace: nothing explained");
        return;
    };
    let mut missing = Vec::new();
    for name in names(&corpus) {
        let (document, now) = input(&corpus, &name);
        let (cib, _) = cib::Cib::from_document(&document);
        let plan = scheduler::plan(
            &cib,
            cib::iso8601::Zone::UTC.at(now).into(),
            PlanOptions { record_reasons: true, ..PlanOptions::default() },
        );
        let found =
            actions(&plan).chain(orderings(&plan)).chain(roles(&plan.model)).chain(scores(&plan.model));
        missing.extend(found.map(|what| format!("{name}: {what}")));
    }
    let shown: Vec<&String> = missing.iter().take(40).collect();
    assert!(missing.is_empty(), "{} decisions without reason: {shown:#?}", missing.len());
}

/// Actions of the graph that lead back to nothing.
fn actions<'p>(plan: &'p Plan<'_>) -> impl Iterator<Item = String> + use<'p> {
    plan.graph.actions().filter_map(|action| {
        let causes = plan.model.causes(number(action.id));
        let reached = causes.into_iter().find_map(|cause| plan.model.origin(cause));
        match reached {
            Some(origin) => wrong(&plan.model, origin).map(|what| format!("{}: {what}", action.key)),
            None => Some(format!("{} has no reason", action.key)),
        }
    })
}

/// What action `id` of a graph is in the model.
fn number(id: u32) -> ActionId {
    ActionId::from_index(id as usize - 1)
}

/// Why an origin is not there, if so.
fn wrong(model: &Model<'_>, origin: Origin) -> Option<String> {
    let there = match origin {
        Origin::Constraint(index) => (index as usize) < model.cib.configuration.constraints.len(),
        Origin::Resource(resource) => !model.resources[resource].id.is_empty(),
        Origin::History { resource, node } => {
            !model.resources[resource].id.is_empty() && model.node_order.contains(&node)
        }
        Origin::Node(node) => model.node_order.contains(&node),
        Origin::Ticket(ticket) => !model.tickets[ticket].id.is_empty(),
        Origin::Option(name) => cib::options::find(cib::options::CLUSTER_OPTIONS, name).is_some(),
    };
    (!there).then(|| format!("{origin:?} is not there"))
}

/// Triggers of the graph without a reason.
fn orderings<'p>(plan: &'p Plan<'_>) -> impl Iterator<Item = String> + use<'p> {
    plan.graph.synapses.iter().flat_map(|synapse| {
        synapse.triggers.iter().filter_map(|first| {
            let cause = plan.model.reasons.of_relation(number(first.id), number(synapse.action.id));
            let reached = cause.and_then(|cause| plan.model.origin(cause));
            reached.is_none().then(|| format!("{} before {} has no reason", first.key, synapse.action.key))
        })
    })
}

fn roles(model: &Model<'_>) -> impl Iterator<Item = String> {
    model.resources.iter().filter_map(|(id, resource)| {
        let reached = model.origin(model.cause_of_role(id));
        reached.is_none().then(|| format!("the role of {} has no reason", resource.id))
    })
}

/// Final scores that are not the sum of what was recorded.
fn scores(model: &Model<'_>) -> impl Iterator<Item = String> {
    let mut sums: BTreeMap<(ResourceId, scheduler::model::NodeId), Score> = BTreeMap::new();
    let mut wrong = Vec::new();
    for part in &model.reasons.contributions {
        let sum = sums.entry((part.resource, part.node)).or_insert(Score::ZERO);
        match part.change {
            Change::Add(amount) => *sum += amount,
            Change::Set(score) => *sum = score,
        }
        if model.origin(part.cause).is_none() {
            wrong.push(format!("{:?} leads to nothing", part.cause));
        }
    }
    for (id, resource) in model.resources.iter() {
        for entry in resource.allowed.iter() {
            let sum = sums.get(&(id, entry.node)).copied();
            if sum != Some(entry.score) {
                let node = &model.nodes[entry.node].name;
                wrong.push(format!("{} on {node}: {sum:?}, not {:?}", resource.id, entry.score));
            }
        }
    }
    wrong.into_iter()
}
