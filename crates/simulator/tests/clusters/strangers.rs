//! Members of another version, and members whose messages cannot be read.

use cluster::NodeId;
use simulator::World;
use simulator::invariants::replicas_agree;

use super::{active, change, configured, dummies, modify, settled, started, wait};

/// Three settled nodes with a resource on node1.
fn standing(seed: u64) -> World {
    let prefers = "<rsc_location id='l' rsc='A' node='node1' score='10'/>";
    let world = configured(seed, &dummies(&["A"], prefers));
    active(&world, "A", &["node1"]);
    world
}

/// node3's daemon is installed anew with another version.
fn upgrade(world: &mut World, newer_by: u16) {
    let id = world.id("node3");
    for name in ["node1", "node2"] {
        // by less than nothing is by more for all others
        world.newer_by.insert(world.id(name), 5);
    }
    world.newer_by.insert(id, newer_by);
    world.start("node3");
}

fn told(world: &World, name: &str, text: &str) -> bool {
    let id = world.id(name);
    world.events.iter().any(|(_, node, event)| *node == id && format!("{event:?}").contains(text))
}

/// Another resource is changed and started, within a few seconds of the newcomer's attempt.
fn goes_on(world: &mut World) {
    change(world, "node1", modify("<tags><tag id='t'><obj_ref id='x'/></tag></tags>"));
    let begun = world.time;
    settled(world, 10_000);
    assert!(world.time - begun < 3_000, "{}", world.timeline_text());
    active(world, "A", &["node1"]);
    replicas_agree(world).expect("equal replicas");
}

#[test]
fn a_newcomer_of_another_version_leaves_the_cluster_alone() {
    // the one with the older version needs the newer one
    for (seed, newer_by, advice) in [
        (1, 6, "install on node1, node2 the version of this node"),
        (2, 4, "install on this node the version of node1, node2"),
    ] {
        let mut world = standing(seed);
        world.kill("node3");
        settled(&mut world, 60_000);
        upgrade(&mut world, newer_by);
        world.run(500);
        let status = world.node("node2").status();
        let peer = status.peers.iter().find(|peer| peer.name == "node3").expect("configured");
        let problem = peer.problem.as_deref().unwrap_or_default();
        assert!(!peer.online && problem.contains("node3 speaks protocol"), "{peer:?}");
        wait(&mut world, 5_000, |world| world.host("node3").ended.is_some());
        let (code, reason) = world.host("node3").ended.clone().expect("it ended");
        assert_eq!(code, 100, "{reason}");
        assert!(reason.contains(advice), "{reason}");
        goes_on(&mut world);
        assert!(told(&world, "node1", "node3 speaks protocol"), "{}", world.timeline_text());
    }
}

#[test]
fn at_a_cold_start_the_side_with_more_nodes_goes_on() {
    for newer_by in [4, 6] {
        let mut world = started(3, 3);
        for name in ["node1", "node2", "node3"] {
            world.kill(name);
        }
        world.run(100);
        upgrade(&mut world, newer_by);
        world.start("node1");
        world.start("node2");
        wait(&mut world, 5_000, |world| world.host("node3").ended.is_some());
        settled(&mut world, 60_000);
        assert!(world.host("node1").ended.is_none() && world.host("node2").ended.is_none());
    }
}

#[test]
fn of_two_equal_sides_the_older_protocol_goes_on() {
    let mut world = World::new(2, 4, super::planner);
    world.newer_by.insert(NodeId(1), 1);
    world.start("node1");
    world.start("node2");
    wait(&mut world, 5_000, |world| world.host("node1").ended.is_some());
    settled(&mut world, 60_000);
    assert!(world.host("node2").ended.is_none(), "{}", world.timeline_text());
}

#[test]
fn rubbish_holds_the_cluster_up_only_for_a_moment_and_is_shown() {
    let mut world = standing(5);
    world.kill("node3");
    settled(&mut world, 60_000);
    world.garbled.insert(world.id("node3"));
    world.start("node3");
    world.run(1_500);
    let status = world.node("node1").status();
    let peer = status.peers.iter().find(|peer| peer.name == "node3").expect("configured");
    assert!(!peer.online && !peer.joined, "{peer:?}");
    assert!(peer.problem.as_deref().is_some_and(|text| text.contains("cannot be read")), "{peer:?}");
    assert_eq!(world.node("node1").dc(), world.node("node2").dc());
    active(&world, "A", &["node1"]);
    assert!(world.host("node1").ended.is_none() && world.host("node2").ended.is_none());
}
