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

/// Rule 4.25.3: each trigger puts the plan off anew.
#[test]
fn a_transition_delay_waits_for_what_else_happens() {
    let mut world = configured(308, &dummies(&["a", "b"], ""));
    property(&mut world, "transition-delay", "10s");
    let stop = |name: &str| {
        modify(&format!(
            "<primitive id='{name}'><meta_attributes id='{name}-m'><nvpair id='{name}-r' name='target-role' \
             value='Stopped'/></meta_attributes></primitive>"
        ))
    };
    let (a, b) = (world.active_on("a"), world.active_on("b"));
    change(&mut world, "node1", stop("a"));
    world.run(8000);
    change(&mut world, "node1", stop("b"));
    world.run(8000);
    assert_eq!((world.active_on("a"), world.active_on("b")), (a, b), "{}", world.timeline_text());
    wait(&mut world, 5000, |world| world.active_on("a").is_empty() && world.active_on("b").is_empty());
}

/// The `node_state` of a node as another one has it, from its start tag on.
fn state_of(world: &World, on: &str, id: u32) -> String {
    let text = world.node(on).cib_text();
    let states = text.split("<node_state").skip(1);
    let mut own = states.filter(|state| state.starts_with(&format!(" id=\"{id}\"")));
    own.next().unwrap_or_default().to_owned()
}

/// Rules 4.34.1, 4.34.2 and 4.24.3: a coordinator stops what it has before it leaves as the last of its plan, and the
/// others know that it left as planned.
#[test]
fn a_coordinator_leaves_last_and_is_not_fenced() {
    (300..320).for_each(coordinator_leaves);
}

fn coordinator_leaves(seed: u64) {
    let mut world = demo_cluster(seed);
    assert_eq!(world.node("node1").dc(), Some("node1"));
    world.agents.durations.insert("WEB:stop".to_owned(), 5000);
    shut_down(&mut world, "node1");
    world.run(4000);
    assert!(world.host("node1").node.is_some(), "{}", world.timeline_text());
    wait(&mut world, 10_000, |world| world.host("node1").ended.is_some());
    assert_eq!(world.host("node1").ended.as_ref().map(|(code, _)| *code), Some(0));
    assert!(world.active_on("WEB").iter().all(|node| node != "node1"), "{}", world.timeline_text());
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    world.run(60_000);
    assert!(world.host("node1").powered, "{}", world.timeline_text());
    let state = state_of(&world, "node2", 1);
    for attribute in ["in_ccm=\"0\"", "crmd=\"0\"", "join=\"down\"", "expected=\"down\""] {
        assert!(state.contains(attribute), "{attribute}: {state}");
    }
}

/// Rule 4.24.3: who is lost without having said so keeps being expected, and is fenced.
#[test]
fn a_lost_node_stays_expected() {
    let mut world = demo_cluster(310);
    world.agents.durations.insert("fence:reboot".to_owned(), 8000);
    world.agents.durations.insert("fence:off".to_owned(), 8000);
    world.kill("node3");
    world.run(1000);
    let state = state_of(&world, "node1", 3);
    for attribute in ["in_ccm=\"0\"", "crmd=\"0\"", "join=\"down\"", "expected=\"member\""] {
        assert!(state.contains(attribute), "{attribute}: {state}");
    }
}

/// Rules 4.21.6 and 4.22.8: what a coordinator that is lost had ordered counts for its successor: a result that comes
/// late is recorded, and a failure is counted once, however many rounds follow.
#[test]
fn a_failure_is_counted_once_whoever_is_coordinator() {
    let mut world =
        configured(311, &dummies(&["a"], "<rsc_location id='l' rsc='a' node='node2' score='9'/>"));
    active(&world, "a", &["node2"]);
    world.agents.durations.insert("a:monitor".to_owned(), 3000);
    world.break_resource("node2", "a");
    world.run(16_000);
    settled(&mut world, 60_000);
    let counted = "name=\"fail-count-a#monitor_10000\" value=\"1\"";
    assert!(world.node("node3").cib_text().contains(counted), "{}", world.timeline_text());
    for name in ["node1", "node3", "node1"] {
        world.kill(name);
        world.run(500);
        world.start(name);
        settled(&mut world, 60_000);
    }
    assert!(world.node("node3").cib_text().contains(counted), "{}", world.timeline_text());
    active(&world, "a", &["node2"]);
}

/// Rules 4.31.4 and 4.33.2: an action whose node gives no result has failed there, on its behalf, when its time limit and
/// `cluster-delay` have passed, whatever is planned meanwhile; so its resource does not wait for a manager that hangs.
#[test]
fn an_action_without_a_result_fails_on_behalf_of_its_node() {
    let mut world = demo_cluster(312);
    world.freeze("node2");
    world.request("node3", Request::Standby { node: "node1".to_owned(), on: true, until_restart: false });
    wait(&mut world, 10_000, |world| handed_out(world, "node1", "start VIP node2") == 1);
    let begun = world.time;
    for number in 0..7 {
        world.run(10_000);
        // a new plan gives no new time, wanted or not
        let target = if number % 2 == 0 { "Stopped" } else { "Started" };
        change(
            &mut world,
            "node3",
            modify(&format!(
                "<group id='site'><meta_attributes id='m'><nvpair id='r' name='target-role' value='{target}'/>\
                 </meta_attributes></group>"
            )),
        );
    }
    assert!(!state_of(&world, "node3", 2).contains("VIP_last_failure_0"), "{}", world.timeline_text());
    wait(&mut world, 12_000, |world| state_of(world, "node3", 2).contains("VIP_last_failure_0"));
    assert!(world.time >= begun + 79_900, "{}", world.timeline_text());
    let state = state_of(&world, "node3", 2);
    let entry = state.split("<lrm_rsc_op").find(|entry| entry.contains("id=\"VIP_last_failure_0\""));
    let entry = entry.and_then(|entry| entry.split('>').next()).unwrap_or_default();
    for attribute in ["call-id=\"-1\"", "rc-code=\"1\"", "op-status=\"2\"", "operation=\"start\""] {
        assert!(entry.contains(attribute), "{attribute}: {entry}");
    }
    // neither does its stop end
    change(&mut world, "node3", modify("<nvpair id='r' name='target-role' value='Started'/>"));
    wait(&mut world, 100_000, |world| !world.host("node2").powered);
    wait(&mut world, 10_000, |world| world.active_on("WEB") == ["node3"]);
}
