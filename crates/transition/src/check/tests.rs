//! Graphs broken by hand: each invariant has one that is refused, with the reason, and what is cut then.

use super::*;
use crate::cut::cut;
use crate::graph::{Head, NodeRef, Synapse};
use std::sync::Arc;

fn step(id: u32, resource: &str, task: &str, node: &str, after: &[u32]) -> Synapse {
    let head = |id: u32, key: String| {
        Arc::new(Head {
            id,
            kind: Kind::Resource,
            operation: task.into(),
            key: key.into(),
            internal_key: None,
            node: Some(NodeRef { name: node.into(), id: node.into() }),
            router: None,
        })
    };
    Synapse {
        priority: 0,
        action: Action {
            head: head(id, format!("{resource}_{task}_0")),
            instance: Some(resource.into()),
            primitive: None,
            attributes: Vec::new(),
            numbered: Vec::new(),
            shutdown_lock: None,
            downed: Vec::new(),
            maintenance: Vec::new(),
            reason: None,
        },
        triggers: after.iter().map(|id| head(*id, format!("{id}"))).collect(),
    }
}

fn graph(synapses: Vec<Synapse>) -> Graph {
    Graph { synapses, ..Graph::default() }
}

#[test]
fn a_cycle_is_named() {
    let loops = graph(vec![step(1, "a", "start", "n", &[2]), step(2, "b", "start", "n", &[1])]);
    let found = check(&loops, &World::default());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), "actions wait for each other: b_start_0 -> a_start_0");
}

#[test]
fn a_move_must_stop_first() {
    let world = World { exclusive: [("a".into(), vec!["n1".into()])].into(), ..World::default() };
    let right = graph(vec![step(1, "a", "stop", "n1", &[]), step(2, "a", "start", "n2", &[1])]);
    assert_eq!(check(&right, &world), []);
    let wrong = graph(vec![step(1, "a", "stop", "n1", &[]), step(2, "a", "start", "n2", &[])]);
    assert_eq!(check(&wrong, &world), [Violation::SecondCopy { key: "a_start_0".into(), node: "n1".into() }]);
    let fenced = graph(vec![step(1, "n1", "stonith", "n1", &[]), step(2, "a", "start", "n2", &[1])]);
    assert_eq!(check(&fenced, &world), []);
}

#[test]
fn nothing_runs_on_an_offline_node() {
    let world = World { offline: ["n".into()].into(), ..World::default() };
    let found = check(&graph(vec![step(1, "a", "start", "n", &[])]), &world);
    assert_eq!(found, [Violation::OfflineNode { key: "a_start_0".into(), node: "n".into() }]);
}

#[test]
fn a_stop_waits_for_those_that_need_it() {
    let world =
        World { needs: vec![Need { dependent: "app".into(), primary: "ip".into() }], ..World::default() };
    let right = graph(vec![step(1, "app", "stop", "n", &[]), step(2, "ip", "stop", "n", &[1])]);
    assert_eq!(check(&right, &world), []);
    let wrong = graph(vec![step(2, "ip", "stop", "n", &[])]);
    assert_eq!(
        check(&wrong, &world),
        [Violation::StillNeeded { key: "ip_stop_0".into(), dependent: "app".into() }]
    );
}

fn away(mut synapse: Synapse, router: &str) -> Synapse {
    let mut head = (*synapse.action.head).clone();
    head.router = Some(NodeRef { name: router.into(), id: router.into() });
    synapse.action.head = Arc::new(head);
    synapse
}

fn pseudo(mut synapse: Synapse) -> Synapse {
    let mut head = (*synapse.action.head).clone();
    head.kind = Kind::Pseudo;
    synapse.action.head = Arc::new(head);
    synapse
}

fn told(cuts: &[crate::Cut]) -> Vec<String> {
    cuts.iter().map(ToString::to_string).collect()
}

fn left(graph: &Graph) -> Vec<u32> {
    graph.actions().map(|action| action.id).collect()
}

#[test]
fn what_would_never_run_is_cut_and_the_rest_goes_on() {
    let mut stuck = graph(vec![
        step(1, "a", "start", "n", &[]),
        step(2, "b", "start", "n", &[1, 9]),
        step(3, "c", "start", "n", &[2]),
        step(4, "d", "start", "n", &[5]),
        step(5, "e", "start", "n", &[4]),
        step(6, "f", "start", "n", &[1]),
        step(7, "g", "start", "n", &[4]),
    ]);
    let cuts = cut(&mut stuck, &World::default());
    assert_eq!(
        told(&cuts),
        [
            "Left out of the plan: b_start_0 waits for 9, which is not going to happen; with that wait c_start_0",
            "Left out of the plan: actions wait for each other: e_start_0 -> d_start_0; with that wait g_start_0",
        ]
    );
    assert_eq!(cuts[0].ids, [2, 3]);
    assert_eq!(left(&stuck), [1, 6]);
    assert_eq!(check(&stuck, &World::default()), []);
    assert_eq!(cut(&mut stuck, &World::default()), []);
}

#[test]
fn cycles_that_share_actions_are_all_cut() {
    let mut knot = graph(vec![
        step(1, "a", "start", "n", &[2, 3]),
        step(2, "b", "start", "n", &[1]),
        step(3, "c", "start", "n", &[1]),
        step(4, "d", "start", "n", &[5]),
        step(5, "e", "start", "n", &[4]),
        step(6, "f", "start", "n", &[]),
    ]);
    let cuts = cut(&mut knot, &World::default());
    assert!(cuts.iter().all(|cut| matches!(cut.violation, Violation::Cycle { .. })), "{cuts:?}");
    assert_eq!(cuts.len(), 2);
    assert_eq!(left(&knot), [6]);
}

#[test]
fn an_action_that_waits_for_itself_is_a_cycle() {
    let found = check(&graph(vec![step(1, "a", "start", "n", &[1])]), &World::default());
    assert_eq!(found, [Violation::Cycle { keys: vec!["a_start_0".into()] }]);
}

#[test]
fn what_breaks_an_invariant_goes_with_its_followers() {
    let world = World {
        offline: ["off".into()].into(),
        exclusive: [("a".into(), vec!["n1".into()])].into(),
        needs: vec![Need { dependent: "app".into(), primary: "ip".into() }],
        ..World::default()
    };
    let mut broken = graph(vec![
        step(1, "x", "start", "off", &[]),
        step(2, "y", "start", "n1", &[1]),
        step(3, "a", "start", "n2", &[]),
        step(4, "ip", "stop", "n1", &[]),
        step(5, "ip", "start", "n2", &[4]),
        step(6, "z", "start", "n1", &[]),
    ]);
    let cuts = cut(&mut broken, &world);
    assert_eq!(
        told(&cuts),
        [
            "Left out of the plan: x_start_0 is planned on off, which is offline; with that wait y_start_0",
            "Left out of the plan: a_start_0 does not wait until the copy on n1 is stopped or the node is fenced",
            "Left out of the plan: ip_stop_0 does not wait for the stop of app, which still needs it; with that wait ip_start_0",
        ]
    );
    assert_eq!(left(&broken), [6]);
}

#[test]
fn the_executor_of_a_remote_action_must_be_online() {
    let world = World { offline: ["off".into()].into(), ..World::default() };
    let found = check(&graph(vec![away(step(1, "a", "start", "remote", &[]), "off")]), &world);
    assert_eq!(found, [Violation::OfflineNode { key: "a_start_0".into(), node: "off".into() }]);
    let implied = graph(vec![pseudo(step(1, "a", "stop", "off", &[]))]);
    assert_eq!(check(&implied, &world), []);
}

#[test]
fn nobody_waits_for_a_notification_that_cannot_be_heard() {
    let world = World { offline: ["off".into()].into(), ..World::default() };
    let mut notified = graph(vec![
        away(step(1, "a:1", "notify", "remote", &[]), "off"),
        step(2, "a:0", "notify", "n1", &[]),
        step(3, "a:0", "stop", "n1", &[1, 2]),
    ]);
    let cuts = cut(&mut notified, &world);
    assert_eq!(told(&cuts), ["Left out of the plan: a:1_notify_0 is planned on off, which is offline"]);
    assert_eq!(left(&notified), [2, 3]);
    assert_eq!(notified.synapses[1].triggers.len(), 1);
    assert_eq!(check(&notified, &world), []);
}

#[test]
fn a_copy_on_a_guest_ends_with_its_host() {
    let world = World {
        exclusive: [("a".into(), vec!["guest".into()])].into(),
        guests: [("guest".into(), "vm".into())].into(),
        ..World::default()
    };
    let ended = graph(vec![step(1, "vm", "stop", "n1", &[]), step(2, "a", "start", "n2", &[1])]);
    assert_eq!(check(&ended, &world), []);
    let other = graph(vec![step(1, "vm2", "stop", "n1", &[]), step(2, "a", "start", "n2", &[1])]);
    assert_eq!(check(&other, &world).len(), 1);
}

#[test]
fn turning_a_node_on_ends_nothing() {
    let world = World { exclusive: [("a".into(), vec!["n1".into()])].into(), ..World::default() };
    let mut unfence = step(1, "n1", "stonith", "n1", &[]);
    unfence.action.attributes = vec![("CRM_meta_stonith_action".into(), "on".into())];
    let graph = graph(vec![unfence, step(2, "a", "start", "n2", &[1])]);
    assert_eq!(check(&graph, &world), [Violation::SecondCopy { key: "a_start_0".into(), node: "n1".into() }]);
}
