//! Failures of resources, daemons and hosts, and what is done about them.

use cluster::Request;
use simulator::demo;
use simulator::invariants::group_runs_once;

use super::{active, configured, demo_cluster, dummies, handed_out, settled, wait};

#[test]
fn a_broken_web_server_is_restarted_where_it_is() {
    let mut world = demo_cluster(10);
    world.break_resource("node1", "WEB");
    wait(&mut world, 15_000, |world| world.active_on("WEB") == ["node1"]);
    settled(&mut world, 60_000);
    let text = world.node("node2").cib_text();
    assert!(text.contains("fail-count-WEB#monitor_10000"), "{text}");
    assert!(text.contains("id=\"WEB_last_failure_0\""), "{text}");
    assert_eq!(handed_out(&world, "node2", "start VIP node1"), 1, "the address stays");
}

#[test]
fn a_killed_daemon_is_fenced_and_its_group_moves() {
    let mut world = demo_cluster(11);
    world.reboot_after = Some(5000);
    let at = world.time;
    world.kill("node1");
    wait(&mut world, 10_000, |world| world.active_on("WEB") == ["node2"]);
    let text = world.timeline_text();
    assert!(world.time - at < 1000, "{text}");
    wait(&mut world, 10_000, |world| world.host("node1").node.is_some());
    settled(&mut world, 60_000);
    active(&world, "WEB", &["node2"]);
}

#[test]
fn a_daemon_that_restarts_at_once_disturbs_nothing_without_fencing() {
    let mut world = configured(12, &dummies(&["a"], ""));
    let place = world.active_on("a");
    world.kill(&place[0]);
    world.start(&place[0]);
    settled(&mut world, 60_000);
    assert_eq!(world.active_on("a"), place, "{}", world.timeline_text());
}

/// Rules 4.38.5 and 4.41.1.
#[test]
fn agents_of_a_killed_daemon_are_waited_for_before_the_first_probe() {
    let mut world = configured(13, &dummies(&["a"], ""));
    let place = world.active_on("a")[0].clone();
    world.agents.durations.insert("a:stop".to_owned(), 8000);
    world.request(&place, Request::Standby { node: place.clone(), on: true, until_restart: false });
    world.run(1000);
    assert_eq!(handed_out(&world, &place, &format!("stop a {place}")), 1);
    world.kill(&place);
    world.start(&place);
    world.run(3000);
    let text = world.timeline_text();
    assert!(!text.contains(&format!("node: \"{place}\", resource: \"a\", action: \"stop\"")), "{text}");
    settled(&mut world, 60_000);
    assert_eq!(world.active_on("a").len(), 1, "{}", world.timeline_text());
}

/// Rule 4.35.1.
#[test]
fn standby_moves_the_group_and_its_end_does_not_because_of_stickiness() {
    let mut world = demo_cluster(14);
    world.request("node3", Request::Standby { node: "node1".to_owned(), on: true, until_restart: false });
    settled(&mut world, 60_000);
    active(&world, "WEB", &["node2"]);
    world.request("node3", Request::Standby { node: "node1".to_owned(), on: false, until_restart: false });
    settled(&mut world, 60_000);
    active(&world, "WEB", &["node2"]);
}

#[test]
fn a_failing_start_is_tried_elsewhere() {
    let mut world = configured(15, &dummies(&[], ""));
    world.agents.codes.insert("a:start:node1".to_owned(), 1);
    world.request(
        "node1",
        demo::load(&dummies(&["a"], "<rsc_location id='l' rsc='a' node='node1' score='100'/>")),
    );
    settled(&mut world, 60_000);
    assert_eq!(world.active_on("a").len(), 1, "{}", world.timeline_text());
    assert_ne!(world.active_on("a"), ["node1"]);
    let text = world.node("node1").cib_text();
    assert!(text.contains("name=\"fail-count-a#start_0\" value=\"INFINITY\""), "{text}");
}

#[test]
fn one_slow_stop_does_not_hold_up_an_unrelated_recovery() {
    let places = "<rsc_location id='l1' rsc='slow' node='node1' score='100'/>\
                  <rsc_location id='l2' rsc='quick' node='node2' score='100'/>";
    let mut world = configured(16, &dummies(&["slow", "quick"], places));
    active(&world, "quick", &["node2"]);
    world.agents.durations.insert("slow:stop".to_owned(), 50_000);
    world.request("node3", Request::Standby { node: "node1".to_owned(), on: true, until_restart: false });
    world.run(1000);
    world.break_resource("node2", "quick");
    wait(&mut world, 11_000, |world| world.active_on("quick") == ["node2"]);
    active(&world, "slow", &["node1"]);
    assert_eq!(handed_out(&world, "node3", "stop slow node1"), 1, "the stop under way is not repeated");
    settled(&mut world, 120_000);
    assert_eq!(world.active_on("slow").len(), 1, "{}", world.timeline_text());
}

/// Rule 4.33.1: what is under way is awaited, never cancelled.
#[test]
fn a_start_that_is_not_wanted_any_more_is_awaited_and_undone() {
    let mut world = configured(17, &dummies(&[], ""));
    world.agents.durations.insert("a:start".to_owned(), 10_000);
    let preferred = "<rsc_location id='l1' rsc='a' node='node1' score='100'/>";
    world.request("node1", demo::load(&dummies(&["a"], preferred)));
    wait(&mut world, 5000, |world| handed_out(world, "node1", "start a node1") == 1);
    world.request("node3", Request::Standby { node: "node1".to_owned(), on: true, until_restart: false });
    world.run(5000);
    assert_eq!(handed_out(&world, "node1", "start a node2"), 0, "{}", world.timeline_text());
    settled(&mut world, 120_000);
    assert_eq!(world.active_on("a").len(), 1, "{}", world.timeline_text());
    assert_ne!(world.active_on("a"), ["node1"]);
}

#[test]
fn a_hanging_start_is_a_failure_after_its_timeout() {
    let mut world = configured(18, &dummies(&[], ""));
    world.agents.durations.insert("a:start".to_owned(), 100_000_000);
    world.request("node1", demo::load(&dummies(&["a"], "")));
    world.run(30_000);
    let text = world.node("node2").cib_text();
    assert!(text.contains("name=\"fail-count-a#start_0\""), "{}", world.timeline_text());
    assert!(text.contains("op-status=\"2\""), "{text}");
}

#[test]
fn a_node_that_shuts_down_hands_over_first_and_is_not_fenced() {
    let mut world = demo_cluster(19);
    let id = world.id("node1");
    world.step(id, cluster::Input::Shutdown { escalate: false });
    wait(&mut world, 30_000, |world| world.host("node1").ended.is_some());
    assert_eq!(
        world.host("node1").ended.as_ref().map(|(code, _)| *code),
        Some(0),
        "{}",
        world.timeline_text()
    );
    settled(&mut world, 60_000);
    active(&world, "WEB", &["node2"]);
    assert!(!world.timeline_text().contains("FenceStarted"), "{}", world.timeline_text());
    world.start("node1");
    settled(&mut world, 60_000);
    group_runs_once(&world, &demo::RESOURCES).expect("still running");
}

/// Rule 4.24.4: until its resources have stopped a node that leaves is one like any other.
#[test]
fn a_node_that_dies_while_it_still_stops_its_resources_is_fenced() {
    let mut world = demo_cluster(21);
    world.agents.durations.insert("WEB:stop".to_owned(), 3000);
    let id = world.id("node1");
    world.step(id, cluster::Input::Shutdown { escalate: false });
    world.run(500);
    world.kill("node1");
    wait(&mut world, 60_000, |world| !world.host("node1").powered);
    wait(&mut world, 60_000, |world| world.active_on("WEB") == ["node2"]);
    assert!(world.timeline_text().contains("FenceStarted"), "{}", world.timeline_text());
}

#[test]
fn a_node_that_leaves_at_once_with_its_resources_running_is_fenced() {
    let mut world = demo_cluster(23);
    let id = world.id("node1");
    world.step(id, cluster::Input::Shutdown { escalate: true });
    wait(&mut world, 60_000, |world| !world.host("node1").powered);
    wait(&mut world, 60_000, |world| world.active_on("WEB") == ["node2"]);
}

#[test]
fn all_nodes_shut_down_together() {
    let mut world = demo_cluster(20);
    for name in ["node1", "node2", "node3"] {
        let id = world.id(name);
        world.step(id, cluster::Input::Shutdown { escalate: false });
    }
    wait(&mut world, 60_000, |world| world.hosts.values().all(|host| host.node.is_none()));
    active(&world, "WEB", &[]);
    assert!(!world.timeline_text().contains("FenceStarted"), "{}", world.timeline_text());
}

#[test]
fn a_node_whose_histories_are_forgotten_while_it_leaves_is_probed_before_it_may_go() {
    let mut world = demo_cluster(22);
    world.agents.durations.insert("WEB:stop".to_owned(), 3000);
    let id = world.id("node1");
    world.step(id, cluster::Input::Shutdown { escalate: false });
    world.run(100);
    world.request(
        "node2",
        Request::Cleanup { resource: None, node: None, operation: None, interval: None, only_failed: false },
    );
    wait(&mut world, 60_000, |world| world.host("node1").ended.is_some());
    settled(&mut world, 60_000);
    active(&world, "VIP", &["node2"]);
    active(&world, "WEB", &["node2"]);
}
