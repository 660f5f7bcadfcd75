//! Whole clusters of production nodes under virtual time.

mod alerts;
mod attributes;
mod clones;
mod deaths;
mod fencing;
mod fencing_aftermath;
mod fencing_rules;
mod joins;
mod lifecycle;
mod limits;
mod policies;
mod random;
mod recovery;
mod requests;
mod strangers;

use cluster::{CibChange, CibOperation, Client, Planner, Reply, Request, SchedulerPlanner};
use simulator::World;
use simulator::demo;

fn planner() -> Box<dyn Planner> {
    Box::new(SchedulerPlanner)
}

/// Hosts with their nodes, settled, without any resource.
fn started(hosts: u32, seed: u64) -> World {
    let mut world = World::new(hosts, seed, planner);
    for number in 1..=hosts {
        world.start(&format!("node{number}"));
    }
    settled(&mut world, 60_000);
    world
}

/// Three settled nodes with the demonstration's configuration.
fn demo_cluster(seed: u64) -> World {
    configured(seed, demo::CONFIGURATION)
}

fn configured(seed: u64, configuration: &str) -> World {
    let mut world = started(3, seed);
    let request = world.request("node1", demo::load(configuration));
    settled(&mut world, 60_000);
    assert!(matches!(world.replies[&request], Reply::Changed { .. }), "{:?}", world.replies);
    world
}

/// A configuration of primitives without operations but these, without fencing.
fn dummies(names: &[&str], more: &str) -> String {
    let primitive = |name: &&str| {
        format!(
            "<primitive id='{name}' class='ocf' provider='systole' type='Dummy'><operations>\
             <op id='{name}-monitor' name='monitor' interval='10s' timeout='20s'/>\
             <op id='{name}-start' name='start' interval='0s' timeout='20s'/>\
             <op id='{name}-stop' name='stop' interval='0s' timeout='60s'/></operations></primitive>"
        )
    };
    let primitives: String = names.iter().map(primitive).collect();
    format!(
        "<configuration><crm_config><cluster_property_set id='cib-bootstrap-options'>\
         <nvpair id='f' name='stonith-enabled' value='false'/></cluster_property_set></crm_config><nodes/>\
         <resources>{primitives}</resources><constraints>{more}</constraints></configuration>"
    )
}

#[track_caller]
fn settled(world: &mut World, most: u64) {
    let done = world.run_while(most, World::is_settled);
    assert!(world.violations.is_empty(), "{}\n{:#?}", world.timeline_text(), world.violations);
    assert!(done, "not settled:\n{}", world.timeline_text());
}

/// Waits until the condition holds, at most so many milliseconds.
#[track_caller]
fn wait(world: &mut World, most: u64, until: impl Fn(&World) -> bool) {
    let done = world.run_while(most, until);
    assert!(done && world.violations.is_empty(), "{}\n{:#?}", world.timeline_text(), world.violations);
}

#[track_caller]
fn active(world: &World, resource: &str, on: &[&str]) {
    assert_eq!(world.active_on(resource), on, "{resource}\n{}", world.timeline_text());
}

/// Sets or changes something in the CIB.
fn change(world: &mut World, node: &str, operation: CibOperation) -> cluster::RequestId {
    let client = Client { program: "test".to_owned(), user: None, groups: Vec::new(), restricted: false };
    world.request(node, Request::Change(CibChange { operation, client, dry_run: false }))
}

/// Sets a cluster property.
fn property(world: &mut World, name: &str, value: &str) {
    let xml = format!(
        "<crm_config><cluster_property_set id='cib-bootstrap-options'>\
         <nvpair id='p-{name}' name='{name}' value='{value}'/></cluster_property_set></crm_config>"
    );
    change(world, "node2", modify(&xml));
    world.run(100);
    settled(world, 60_000);
}

fn modify(xml: &str) -> CibOperation {
    CibOperation::Modify { scope: None, xpath: None, xml: xml.to_owned(), allow_create: true, score: false }
}

/// How often an operation was handed out, as one node's journal has it.
fn handed_out(world: &World, node: &str, wanted: &str) -> usize {
    hand_outs(world, node, wanted).len()
}

/// When that was.
fn hand_outs(world: &World, node: &str, wanted: &str) -> Vec<u64> {
    let id = world.id(node);
    let is = |event: &cluster::Event| {
        matches!(&event.kind, cluster::EventKind::ActionStarted { operation, resource: Some(resource), node: Some(node), .. }
            if format!("{operation} {resource} {node}") == wanted)
    };
    let found = world.events.iter().filter(|(_, at, event)| *at == id && is(event));
    found.map(|(at, ..)| *at).collect()
}

#[test]
fn a_hundred_resources_in_one_change_all_run_once() {
    let names: Vec<String> = (0..100).map(|number| format!("d{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = started(3, 60);
    world.request("node1", demo::load(&dummies(&names, "")));
    settled(&mut world, 60_000);
    for name in names {
        assert_eq!(world.active_on(name).len(), 1, "{name} runs on {:?}", world.active_on(name));
    }
}
