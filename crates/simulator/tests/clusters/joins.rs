//! Views, join rounds, the choice of the DC and of the CIB.

use simulator::demo;
use simulator::invariants::{group_runs_once, replicas_agree, stays_at_rest};

use super::{active, change, configured, demo_cluster, dummies, modify, settled, started, wait};

/// Rules 4.21.1, 4.22.1 and 4.22.5.
#[test]
fn three_nodes_start_and_agree_at_once() {
    let world = started(3, 1);
    assert!(world.time < 2000, "{}", world.timeline_text());
    for name in ["node1", "node2", "node3"] {
        assert_eq!(world.node(name).dc(), Some("node1"), "{}", world.timeline_text());
    }
    let text = world.node("node3").cib_text();
    assert_eq!(text.matches("name=\"#feature-set\"").count(), 3, "{text}");
    replicas_agree(&world).expect("equal replicas");
}

#[test]
fn a_change_on_one_node_is_on_all_and_on_their_disks() {
    let mut world = started(3, 2);
    change(&mut world, "node3", modify("<tags><tag id='t'><obj_ref id='x'/></tag></tags>"));
    settled(&mut world, 10_000);
    world.run(100);
    for name in ["node1", "node2", "node3"] {
        assert!(world.node(name).cib_text().contains("<tag id=\"t\">"));
        assert!(world.host(name).disk.as_deref().is_some_and(|text| text.contains("<tag id=\"t\">")));
    }
}

/// Rule 4.23.7.
#[test]
fn a_node_that_was_away_gets_the_changes_made_meanwhile() {
    let mut world = configured(3, &dummies(&[], ""));
    world.kill("node3");
    world.run(1000);
    change(&mut world, "node1", modify("<tags><tag id='t'><obj_ref id='x'/></tag></tags>"));
    world.run(1000);
    world.start("node3");
    settled(&mut world, 60_000);
    assert!(world.node("node3").cib_text().contains("<tag id=\"t\">"), "{}", world.timeline_text());
    replicas_agree(&world).expect("equal replicas");
}

#[test]
fn a_cluster_restarted_as_a_whole_runs_its_resources_again() {
    let mut world = demo_cluster(4);
    for name in ["node1", "node2", "node3"] {
        world.power_off(name);
        world.power_on(name);
    }
    for name in ["node3", "node2", "node1"] {
        world.start(name);
        world.run(300);
    }
    settled(&mut world, 60_000);
    group_runs_once(&world, &demo::RESOURCES).expect("running again");
    active(&world, "WEB", &["node1"]);
}

/// Rules 4.41.1 and 4.41.2.
#[test]
fn nodes_that_were_never_seen_are_waited_for_and_then_fenced() {
    let mut world = demo_cluster(5);
    for name in ["node1", "node2", "node3"] {
        world.power_off(name);
        world.power_on(name);
    }
    world.start("node1");
    world.start("node2");
    world.run(10_000);
    active(&world, "WEB", &[]);
    wait(&mut world, 60_000, |world| world.active_on("WEB") == ["node1"]);
    assert!(world.timeline_text().contains("power off"), "{}", world.timeline_text());
}

#[test]
fn the_dc_stays_when_others_come_and_go() {
    let mut world = configured(7, &dummies(&[], ""));
    world.kill("node1");
    settled(&mut world, 60_000);
    assert_eq!(world.node("node2").dc(), Some("node2"));
    world.start("node1");
    settled(&mut world, 60_000);
    assert_eq!(world.node("node1").dc(), Some("node2"), "{}", world.timeline_text());
}

#[test]
fn the_demo_group_starts_on_the_preferred_node_and_then_nothing_happens() {
    let mut world = demo_cluster(1);
    group_runs_once(&world, &demo::RESOURCES)
        .unwrap_or_else(|error| panic!("{error}\n{}", world.timeline_text()));
    active(&world, "WEB", &["node1"]);
    stays_at_rest(&mut world, 600_000).unwrap_or_else(|error| panic!("{error}\n{}", world.timeline_text()));
}

/// Rules 4.23.7 and 4.23.10.
#[test]
fn a_replica_that_differs_is_noticed_and_replaced() {
    let mut world = started(3, 8);
    // an equal version with another content, as after a split of which both sides made one change
    world.split(&[&["node3"]]);
    world.run(100);
    change(&mut world, "node3", modify("<tags><tag id='other'><obj_ref id='x'/></tag></tags>"));
    change(&mut world, "node1", modify("<tags><tag id='this'><obj_ref id='x'/></tag></tags>"));
    world.run(100);
    world.heal();
    settled(&mut world, 60_000);
    replicas_agree(&world).expect("equal replicas");
}
