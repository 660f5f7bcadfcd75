//! Orderings that go in circles: nothing in such a circle can ever start.
//!
//! Each resource and action is two points, its beginning and its end, so that what is ordered
//! against a group is ordered against all of its members.

use super::*;
use crate::config::{Constraint, OrderConstraint, ResourceSet};
use crate::value::ScoreText;

/// Beginning or end of an action on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point<'c> {
    resource: &'c str,
    action: &'c str,
    end: bool,
}

/// What comes after a point, and which constraint says so (`None`: the structure of the resources).
type Graph<'c> = BTreeMap<Point<'c>, Vec<(Point<'c>, Option<&'c OrderConstraint>)>>;

impl<'c> Check<'c> {
    pub(super) fn order_cycles(&mut self) {
        let configuration = self.configuration;
        let mut graph = Graph::new();
        for constraint in &configuration.constraints {
            if let Constraint::Order(order) = constraint {
                if is_mandatory(order.kind.as_ref(), order.score.as_ref()) {
                    self.edges(order, &mut graph);
                }
            }
        }
        if graph.is_empty() {
            return;
        }
        let actions: BTreeSet<&str> = graph.keys().map(|point| point.action).collect();
        for resource in &configuration.resources {
            for action in &actions {
                structure(resource, action, &mut graph);
            }
        }
        for cycle in cycles(&graph) {
            self.report_cycle(&cycle);
        }
    }

    fn edges(&self, order: &'c OrderConstraint, graph: &mut Graph<'c>) {
        let action = |text: &'c Option<Text>, default: &'c str| text.as_deref().unwrap_or(default);
        if let (Some(first), Some(then)) = (&order.first, &order.then) {
            let first_action = action(&order.first_action, "start");
            let then_action = action(&order.then_action, first_action);
            self.all_before(&[first], first_action, &[then], then_action, order, graph);
        }
        for set in &order.sets {
            let set_action = action(&set.action, "start");
            if set.sequential.as_deref().and_then(crate::value::parse_boolean) != Some(false)
                && is_mandatory(set.kind.as_ref(), set.score.as_ref())
            {
                for pair in set.members.windows(2) {
                    self.all_before(&[&pair[0]], set_action, &[&pair[1]], set_action, order, graph);
                }
            }
        }
        for pair in order.sets.windows(2) {
            let members = |set: &'c ResourceSet| set.members.iter().collect::<Vec<_>>();
            self.all_before(
                &members(&pair[0]),
                action(&pair[0].action, "start"),
                &members(&pair[1]),
                action(&pair[1].action, "start"),
                order,
                graph,
            );
        }
    }

    fn all_before(
        &self,
        firsts: &[&'c Text],
        first_action: &'c str,
        thens: &[&'c Text],
        then_action: &'c str,
        order: &'c OrderConstraint,
        graph: &mut Graph<'c>,
    ) {
        for first in firsts.iter().flat_map(|id| self.meant_by(id)) {
            for then in thens.iter().flat_map(|id| self.meant_by(id)) {
                let from = Point { resource: first, action: first_action, end: true };
                let to = Point { resource: then, action: then_action, end: false };
                graph.entry(from).or_default().push((to, Some(order)));
                graph.entry(to).or_default();
            }
        }
    }

    /// The resources that a name stands for; templates are left out.
    fn meant_by(&self, id: &'c str) -> Vec<&'c str> {
        match self.known.tags.get(id) {
            Some(members) if !self.known.resources.contains_key(id) => {
                members.iter().map(|member| &**member).collect()
            }
            _ => vec![id],
        }
    }

    fn report_cycle(&mut self, cycle: &[(Point<'c>, Option<&'c OrderConstraint>)]) {
        let mut steps: Vec<String> = Vec::new();
        for (point, _) in cycle {
            let step = format!("{} {}", point.action, point.resource);
            if steps.last() != Some(&step) {
                steps.push(step);
            }
        }
        if steps.len() > 1 && steps.first() == steps.last() {
            steps.pop();
        }
        steps.extend(steps.first().cloned());
        let constraints: BTreeMap<&str, &OrderConstraint> =
            cycle.iter().filter_map(|(_, order)| order.map(|order| (&*order.id, order))).collect();
        let Some(last) = constraints.values().max_by_key(|order| order.line) else { return };
        let names: Vec<&str> = constraints.keys().copied().collect();
        let text = format!(
            "Order constraints go in a circle, so none of this can happen: {} (constraints {})",
            steps.join(" then "),
            names.join(", ")
        );
        self.report(Severity::Warning, "rsc_order", Some(&last.id), last.line, text);
    }
}

fn is_mandatory(kind: Option<&Text>, score: Option<&ScoreText>) -> bool {
    match (kind, score) {
        (Some(kind), _) => !kind.eq_ignore_ascii_case("Optional") && !kind.eq_ignore_ascii_case("Serialize"),
        (None, Some(ScoreText::Number(score))) => score.value() != 0,
        (None, _) => true,
    }
}

/// Orders a resource's beginning, its parts and its end.
fn structure<'c>(resource: &'c Resource, action: &'c str, graph: &mut Graph<'c>) {
    let point = |resource: &'c str, end| Point { resource, action, end };
    let mut add = |from, to| graph.entry(from).or_default().push((to, None));
    let (begin, end) = (point(&resource.id, false), point(&resource.id, true));
    let children = resource.children();
    if children.is_empty() {
        add(begin, end);
    }
    for child in &children {
        add(begin, point(&child.id, false));
        add(point(&child.id, true), end);
    }
    if matches!(resource.kind, ResourceKind::Group(_)) && !says_false(&resource.meta, "ordered") {
        for pair in children.windows(2) {
            let forward = matches!(action, "start" | "promote");
            let (first, then) = if forward { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
            add(point(&first.id, true), point(&then.id, false));
        }
    }
    for child in children {
        structure(child, action, graph);
    }
}

fn says_false(blocks: &[Block], name: &str) -> bool {
    all_pairs(blocks)
        .any(|pair| &*pair.name == name && crate::value::parse_boolean(&pair.value) == Some(false))
}

/// One circle for each knot of the graph: its points in order, each with the constraint that leads on from it.
fn cycles<'c>(graph: &Graph<'c>) -> Vec<Vec<(Point<'c>, Option<&'c OrderConstraint>)>> {
    let mut found = Vec::new();
    let mut done: BTreeSet<Point<'c>> = BTreeSet::new();
    for start in graph.keys() {
        if done.contains(start) {
            continue;
        }
        // Depth first with an explicit stack: point, index of the next edge to follow.
        let mut path: Vec<(Point<'c>, usize)> = vec![(*start, 0)];
        let mut on_path: BTreeSet<Point<'c>> = BTreeSet::from([*start]);
        while let Some((point, next)) = path.last_mut() {
            let edges = graph.get(point).map_or(&[][..], Vec::as_slice);
            let Some((target, _)) = edges.get(*next) else {
                on_path.remove(point);
                done.insert(*point);
                path.pop();
                continue;
            };
            *next += 1;
            if on_path.contains(target) {
                let begin = path.iter().position(|(point, _)| point == target).unwrap_or(0);
                found.push(describe(&path[begin..], graph));
                // Everything that leads into this knot is settled: one report is enough.
                done.extend(on_path.iter().copied());
                break;
            }
            if !done.contains(target) {
                on_path.insert(*target);
                path.push((*target, 0));
            }
        }
    }
    found
}

fn describe<'c>(
    path: &[(Point<'c>, usize)],
    graph: &Graph<'c>,
) -> Vec<(Point<'c>, Option<&'c OrderConstraint>)> {
    path.iter()
        .map(|(point, next)| {
            let edge = graph.get(point).and_then(|edges| edges.get(next.wrapping_sub(1)));
            (*point, edge.and_then(|(_, order)| *order))
        })
        .collect()
}
