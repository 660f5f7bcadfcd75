//! Whole clusters stepped by hand under virtual time.

use cluster::{Planner, SchedulerPlanner};
use simulator::World;
use simulator::demo;
use simulator::invariants::{group_runs_once, replicas_agree, stays_at_rest};

fn planner() -> Box<dyn Planner> {
    Box::new(SchedulerPlanner)
}

fn started(hosts: u32, seed: u64) -> World {
    let mut world = World::new(hosts, seed, planner);
    for number in 1..=hosts {
        world.start(&format!("node{number}"));
    }
    settled(&mut world, 30_000);
    world
}

fn demo_cluster(seed: u64) -> World {
    let mut world = started(3, seed);
    world.request("node1", demo::load(demo::CONFIGURATION));
    settled(&mut world, 60_000);
    world
}

#[track_caller]
fn settled(world: &mut World, most: u64) {
    let done = world.run_while(most, World::is_settled);
    assert!(world.violations.is_empty(), "{}\n{:#?}", world.timeline_text(), world.violations);
    assert!(done, "not settled:\n{}", world.timeline_text());
}

#[test]
fn three_nodes_start_and_agree_at_once() {
    let world = started(3, 1);
    assert!(world.time < 2000, "{}", world.timeline_text());
    for name in ["node1", "node2", "node3"] {
        assert_eq!(world.node(name).dc(), Some("node1"), "{}", world.timeline_text());
    }
    replicas_agree(&world).expect("equal replicas");
}

#[test]
fn the_demo_group_starts_on_the_preferred_node_and_then_nothing_happens() {
    let mut world = demo_cluster(1);
    group_runs_once(&world, &demo::RESOURCES)
        .unwrap_or_else(|error| panic!("{error}\n{}", world.timeline_text()));
    assert_eq!(world.active_on("WEB"), ["node1"]);
    stays_at_rest(&mut world, 600_000).unwrap_or_else(|error| panic!("{error}\n{}", world.timeline_text()));
}

#[test]
fn seeds() {
    let from: u64 = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let count: u64 = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut failed = Vec::new();
    for seed in from..from + count {
        if let Err(problem) = simulator::faults::run(seed, &simulator::faults::Plan::default(), planner) {
            println!("{}", problem.lines().next().unwrap_or_default());
            failed.push(problem);
        }
    }
    assert!(failed.is_empty(), "{}", failed[0]);
}
