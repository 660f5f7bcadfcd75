//! A node's life as others see it: hosts without managers, locks of shutdowns, joins that hang.

use cluster::{Input, Phase, Request};
use simulator::World;
use simulator::invariants::replicas_agree;

use super::{active, change, configured, demo_cluster, dummies, handed_out, modify, property, settled, wait};

/// One resource that prefers node1, with shutdown locks.
fn locking(seed: u64) -> World {
    let mut world =
        configured(seed, &dummies(&["a"], "<rsc_location id='l' rsc='a' node='node1' score='10'/>"));
    property(&mut world, "shutdown-lock", "true");
    active(&world, "a", &["node1"]);
    world
}

fn shut_down(world: &mut World, name: &str) {
    let id = world.id(name);
    world.step(id, Input::Shutdown { escalate: false });
}

/// Rules 4.35.5 and 4.22.7.
#[test]
fn a_resource_locked_by_a_shutdown_waits_for_its_node() {
    let mut world = locking(300);
    shut_down(&mut world, "node1");
    wait(&mut world, 30_000, |world| world.host("node1").ended.is_some());
    world.run(60_000);
    active(&world, "a", &[]);
    assert!(world.node("node2").cib_text().contains("shutdown-lock=\"1800000"), "{}", world.timeline_text());
    world.start("node1");
    settled(&mut world, 60_000);
    active(&world, "a", &["node1"]);
    let text = world.node("node2").cib_text();
    assert!(!text.contains("shutdown-lock=\"1800000"), "a start ends the lock: {text}");
}

/// Rule 4.35.5: the limit counts from the shutdown; an administrator ends a lock to a node that is down.
#[test]
fn a_shutdown_lock_ends_by_its_limit_or_by_an_administrator() {
    let mut world = locking(301);
    property(&mut world, "shutdown-lock-limit", "5min");
    shut_down(&mut world, "node1");
    wait(&mut world, 30_000, |world| world.host("node1").ended.is_some());
    world.run(280_000);
    active(&world, "a", &[]);
    wait(&mut world, 60_000, |world| world.active_on("a") == ["node2"]);

    let mut world = locking(302);
    shut_down(&mut world, "node1");
    wait(&mut world, 30_000, |world| world.host("node1").ended.is_some());
    world.run(60_000);
    active(&world, "a", &[]);
    let refresh = Request::Cleanup {
        resource: Some("a".to_owned()),
        node: Some("node1".to_owned()),
        operation: None,
        interval: None,
        only_failed: false,
    };
    world.request("node3", refresh);
    wait(&mut world, 10_000, |world| world.active_on("a") == ["node2"]);
}

/// Rule 4.35.5: what may still run there must not be locked there, or the scheduler forgets that it may.
#[test]
fn a_failed_stop_locks_nothing() {
    let mut world = locking(303);
    world.agents.codes.insert("a:stop:node1".to_owned(), 1);
    shut_down(&mut world, "node1");
    world.run(60_000);
    let text = world.node("node2").cib_text();
    assert!(text.contains("id=\"a_last_failure_0\""), "the failure is remembered: {text}");
    assert!(!text.contains("shutdown-lock=\"1800000"), "{text}");
    active(&world, "a", &["node1"]);
}

/// Rules 4.24.1 and 4.24.6: a host that came back without its manager is waited for as long as configured.
#[test]
fn a_host_whose_manager_does_not_come_is_fenced_when_its_time_is_up() {
    let mut world = demo_cluster(304);
    property(&mut world, "node-pending-timeout", "2min");
    shut_down(&mut world, "node3");
    wait(&mut world, 30_000, |world| world.host("node3").ended.is_some());
    world.run(60_000);
    world.set_unmanned("node3", true);
    world.run(110_000);
    assert!(world.host("node3").powered, "{}", world.timeline_text());
    let text = world.node("node1").cib_text();
    assert!(text.contains("uname=\"node3\" in_ccm=\"1800000"), "{text}");
    wait(&mut world, 20_000, |world| !world.host("node3").powered);
    assert_eq!(handed_out(&world, "node1", "start WEB node1"), 1);
}

/// Rule 4.24.1: where a manager was, `in_ccm` says no time, and nothing times out.
#[test]
fn a_host_whose_manager_has_gone_is_a_member_without_a_time() {
    let mut world = demo_cluster(305);
    property(&mut world, "node-pending-timeout", "2min");
    world.set_unmanned("node3", true);
    shut_down(&mut world, "node3");
    wait(&mut world, 30_000, |world| world.host("node3").ended.is_some());
    world.run(300_000);
    assert!(world.host("node3").powered, "{}", world.timeline_text());
    let text = world.node("node1").cib_text();
    assert!(text.contains("uname=\"node3\" in_ccm=\"1\" crmd=\"0\""), "{text}");
}

/// Rule 4.22.4: whoever has the best CIB and never sends it does not hold up the others for ever.
#[test]
fn a_round_that_waits_for_the_best_cib_in_vain_goes_on_without() {
    let mut world = configured(306, &dummies(&["a"], ""));
    property(&mut world, "join-finalization-timeout", "2min");
    world.bus.delay = 40;
    world.split(&[&["node3"]]);
    world.run(1000);
    change(&mut world, "node3", modify("<tags><tag id='t'><obj_ref id='x'/></tag></tags>"));
    world.run(1000);
    world.heal();
    wait(&mut world, 1000, |world| world.node("node3").phase() == Phase::Joining);
    world.freeze("node3");
    world.run(110_000);
    assert_eq!(world.node("node1").phase(), Phase::Joining, "{}", world.timeline_text());
    wait(&mut world, 30_000, |world| world.node("node1").phase() == Phase::Joined);
    assert!(!world.node("node2").cib_text().contains("<tag id=\"t\">"));
    world.thaw("node3");
    wait(&mut world, 1000, |world| world.host("node3").ended.is_some());
    assert_eq!(world.host("node3").ended.as_ref().map(|(code, _)| *code), Some(1));
    world.start("node3");
    settled(&mut world, 60_000);
    replicas_agree(&world).expect("equal replicas");
    assert!(world.node("node1").cib_text().contains("<tag id=\"t\">"), "its changes are not lost");
}

/// Rule 4.23.3: a configuration that this program does not understand is not replaced by an empty one.
#[test]
fn a_stored_cib_of_an_unknown_schema_is_left_alone() {
    let mut world = configured(307, &dummies(&["a"], ""));
    world.kill("node3");
    world.run(1000);
    let stored = world.host("node3").disk.clone().expect("it was stored");
    let future = stored.replace("validate-with=\"pacemaker-4.0\"", "validate-with=\"pacemaker-9.9\"");
    assert_ne!(future, stored);
    world.set_disk("node3", &future);
    world.start("node3");
    wait(&mut world, 1000, |world| world.host("node3").ended.is_some());
    let (code, reason) = world.host("node3").ended.clone().unwrap_or_default();
    assert!(code == 100 && reason.contains("pacemaker-9.9"), "{code} {reason}");
    assert_eq!(world.host("node3").disk.as_ref(), Some(&future));
    settled(&mut world, 60_000);
}
