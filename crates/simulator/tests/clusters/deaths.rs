//! Death of a daemon at every point of its life: before each input that it would get, and between any two effects of
//! one step; with all messages lost that can be, and with none.

use cluster::Request;
use simulator::World;
use simulator::bus::Loss;
use simulator::demo;
use simulator::invariants::{group_runs_once, replicas_agree, stays_at_rest};

use super::{active, change, configured, demo_cluster, dummies, modify, planner, settled, wait};

const NODES: [&str; 3] = ["node1", "node2", "node3"];

fn points(world: &World, name: &str) -> u64 {
    world.points.get(&world.id(name)).copied().unwrap_or(0)
}

fn fail(world: &World, what: &str, error: &str) -> ! {
    panic!("{what}: {error}\n{}", world.timeline_text())
}

/// Whatever happened: all agree, the group runs once, and then nothing happens.
fn ends_well(world: &mut World, what: &str, group: bool) {
    replicas_agree(world).unwrap_or_else(|error| fail(world, what, &error));
    if group {
        group_runs_once(world, &demo::RESOURCES).unwrap_or_else(|error| fail(world, what, &error));
    }
    let dc = world.node("node1").dc().map(str::to_owned);
    if !NODES.iter().all(|name| world.node(name).dc().map(str::to_owned) == dc) {
        fail(world, what, "they have different DCs");
    }
    stays_at_rest(world, 30_000).unwrap_or_else(|error| fail(world, what, &error));
}

fn starting(loss: Loss) -> World {
    let mut world = World::new(3, 31, planner);
    world.bus.loss = loss;
    NODES.into_iter().for_each(|name| world.start(name));
    world
}

#[test]
fn at_every_point_of_a_join() {
    let mut reference = starting(Loss::All);
    settled(&mut reference, 60_000);
    let mut deaths = 0;
    for victim in NODES {
        for point in 1..=points(&reference, victim) {
            for loss in [Loss::All, Loss::Nothing] {
                let what = format!("{victim} dies at point {point} of a join, {loss:?} lost");
                let mut world = World::new(3, 31, planner);
                world.bus.loss = loss;
                world.dies_at = Some((world.id(victim), point));
                NODES.into_iter().for_each(|name| world.start(name));
                wait(&mut world, 60_000, |world| world.host(victim).node.is_none());
                world.run(500);
                world.start(victim);
                settled(&mut world, 60_000);
                ends_well(&mut world, &what, false);
                deaths += 1;
            }
        }
    }
    assert!(deaths > 50, "only {deaths} points: the join is not what it was");
}

/// The DC leaves its group of resources: stops there, starts elsewhere, the state of a node in the configuration.
fn moving(loss: Loss) -> World {
    let mut world = demo_cluster(32);
    world.bus.loss = loss;
    world.reboot_after = Some(3000);
    world.points.clear();
    world
}

fn move_group(world: &mut World) {
    world.request("node3", Request::Standby { node: "node1".to_owned(), on: true, until_restart: false });
}

#[test]
fn at_every_point_of_a_transition() {
    let mut reference = moving(Loss::All);
    move_group(&mut reference);
    settled(&mut reference, 60_000);
    let mut deaths = 0;
    for victim in NODES {
        for point in 1..=points(&reference, victim) {
            // either way in turn: each point of a transition looks like its neighbours
            let loss = if point % 2 == 0 { Loss::All } else { Loss::Nothing };
            let what = format!("{victim} dies at point {point} of a transition, {loss:?} lost");
            let mut world = moving(loss);
            world.dies_at = Some((world.id(victim), point));
            move_group(&mut world);
            wait(&mut world, 60_000, |world| world.host(victim).node.is_none());
            wait(&mut world, 60_000, |world| world.hosts.values().all(|host| host.node.is_some()));
            settled(&mut world, 120_000);
            ends_well(&mut world, &what, true);
            deaths += 1;
        }
    }
    assert!(deaths > 50, "only {deaths} points: the transition is not what it was");
}

/// A change that comes between the hand-out of a start and its delivery must not make a plan that does not know of
/// the start.
#[test]
fn a_change_between_the_hand_out_of_a_start_and_its_delivery_starts_nothing_twice() {
    let prefers = |node: &str| format!("<rsc_location id='l' rsc='a' node='{node}' score='100'/>");
    for moment in 0..150 {
        let mut world = configured(33 + moment, &dummies(&[], ""));
        world.bus.delay = 40;
        world.agents.durations.insert("a:start".to_owned(), 2000);
        world.request("node1", demo::load(&dummies(&["a"], &prefers("node1"))));
        world.run(moment * 2);
        change(&mut world, "node3", modify(&prefers("node2")));
        settled(&mut world, 120_000);
        assert_eq!(world.active_on("a").len(), 1, "{}", world.timeline_text());
        active(&world, "a", &["node2"]);
    }
}
