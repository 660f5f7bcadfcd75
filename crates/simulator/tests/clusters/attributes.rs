//! Transient node attributes across the cluster.

use std::sync::atomic::{AtomicUsize, Ordering};

use cluster::planner::Planned;
use cluster::{
    AttributeAction, AttributeUpdate, CibOperation, Input, Planner, Reply, Request, SchedulerPlanner,
};
use simulator::World;
use simulator::invariants::replicas_agree;

use super::{change, configured, demo_cluster, dummies, settled, wait};

fn update(world: &mut World, node: &str, update: AttributeUpdate) {
    world.request(node, Request::UpdateAttribute(update));
    world.run(100);
}

fn value(world: &mut World, node: &str, name: &str, of: &str) -> Option<String> {
    let query = Request::QueryAttribute { name: Some(name.to_owned()), node: Some(of.to_owned()) };
    let request = world.request(node, query);
    let Reply::Attributes(values) = &world.replies[&request] else { panic!("{:?}", world.replies) };
    values.first().map(|one| one.value.clone())
}

/// Rules 4.26.1, 4.26.4 and 4.27.3.
#[test]
fn a_value_is_on_all_nodes_and_in_the_cib() {
    let mut world = configured(40, &dummies(&[], ""));
    update(&mut world, "node2", AttributeUpdate::set("node2", "pingd", "100"));
    assert_eq!(value(&mut world, "node3", "pingd", "node2").as_deref(), Some("100"));
    let text = world.node("node1").cib_text();
    assert!(text.contains("<nvpair id=\"status-2-pingd\" name=\"pingd\" value=\"100\"/>"), "{text}");
}

/// Rule 4.27.4: several nodes' values change together; what changes again is waited for anew.
#[test]
fn dampened_values_are_written_together_and_later() {
    let mut world = configured(41, &dummies(&[], ""));
    for node in ["node1", "node2"] {
        let slow = AttributeUpdate { dampening: Some(5000), ..AttributeUpdate::set(node, "slow", "1") };
        update(&mut world, node, slow);
    }
    assert_eq!(value(&mut world, "node3", "slow", "node1").as_deref(), Some("1"));
    assert!(!world.node("node1").cib_text().contains("name=\"slow\""));
    world.run(6000);
    let text = world.node("node1").cib_text();
    assert_eq!(text.matches("name=\"slow\"").count(), 2, "{text}");
    for number in 2..6 {
        update(&mut world, "node1", AttributeUpdate::set("node1", "slow", &number.to_string()));
        world.run(4000);
        assert!(!world.node("node1").cib_text().contains(&format!("name=\"slow\" value=\"{number}\"")));
    }
    world.run(1500);
    assert!(world.node("node2").cib_text().contains("name=\"slow\" value=\"5\""));
    // deleting obeys it as well
    update(&mut world, "node1", AttributeUpdate::delete("node1", "slow"));
    assert!(world.node("node1").cib_text().contains("name=\"slow\" value=\"5\""));
    world.run(6000);
    assert!(!world.node("node1").cib_text().contains("name=\"slow\" value=\"5\""));
}

/// Rule 4.27.1: updates by an expression, and writing everything again whatever is waited for.
#[test]
fn expressions_and_refreshing() {
    let mut world = configured(340, &dummies(&[], ""));
    for name in ["ping-a", "ping-b", "other"] {
        update(&mut world, "node1", AttributeUpdate::set("node1", name, "1"));
    }
    let pattern = AttributeUpdate { pattern: true, ..AttributeUpdate::set("node1", "^ping-(a|b)$", "2") };
    update(&mut world, "node2", pattern);
    let values = ["ping-a", "ping-b", "other"].map(|name| value(&mut world, "node3", name, "node1"));
    assert_eq!(values.map(Option::unwrap_or_default), ["2", "2", "1"]);
    let nothing = AttributeUpdate { pattern: true, ..AttributeUpdate::set("node1", "^none$", "2") };
    let request = world.request("node2", Request::UpdateAttribute(nothing));
    world.run(100);
    assert!(matches!(&world.replies[&request], Reply::Refused(_)), "{:?}", world.replies[&request]);

    let slow = AttributeUpdate { dampening: Some(600_000), ..AttributeUpdate::set("node1", "slow", "1") };
    update(&mut world, "node1", slow);
    let path = "//node_state[@id='1']//nvpair[@id='status-1-other']".to_owned();
    change(&mut world, "node2", CibOperation::DeleteXpath { xpath: path, all: true });
    world.run(1000);
    let refresh =
        AttributeUpdate { action: AttributeAction::Refresh, ..AttributeUpdate::set("node1", "", "") };
    update(&mut world, "node3", refresh);
    for name in ["slow", "other"] {
        assert_eq!(agreed(&mut world, name, "node1").as_deref(), Some("1"));
    }
}

/// Rule 4.27.5; one that is written cannot turn private.
#[test]
fn private_values_stay_in_memory_and_survive_a_join_round() {
    let mut world = configured(42, &dummies(&[], ""));
    let private = AttributeUpdate { private: true, ..AttributeUpdate::set("node1", "secret", "x") };
    update(&mut world, "node1", private);
    world.kill("node3");
    world.start("node3");
    settled(&mut world, 60_000);
    assert_eq!(value(&mut world, "node3", "secret", "node1").as_deref(), Some("x"));
    assert!(!world.node("node1").cib_text().contains("secret"));
    update(&mut world, "node1", AttributeUpdate::set("node1", "open", "x"));
    let private = AttributeUpdate { private: true, ..AttributeUpdate::set("node1", "open", "y") };
    update(&mut world, "node1", private);
    assert_eq!(agreed(&mut world, "open", "node1").as_deref(), Some("y"));
}

/// Rules 4.28.1 and 4.28.3.
#[test]
fn values_go_with_their_node() {
    let mut world = configured(43, &dummies(&[], ""));
    update(&mut world, "node3", AttributeUpdate::set("node3", "pingd", "100"));
    world.kill("node3");
    world.run(1000);
    assert_eq!(value(&mut world, "node1", "pingd", "node3"), None);
    assert!(!world.node("node1").cib_text().contains("pingd"));
    world.start("node3");
    settled(&mut world, 60_000);
    assert_eq!(value(&mut world, "node1", "pingd", "node3"), None);
}

/// The value in memory of every running node and in the CIB, which must all be the same.
#[track_caller]
fn agreed(world: &mut World, name: &str, of: &str) -> Option<String> {
    let running: Vec<String> =
        world.hosts.values().filter(|host| host.node.is_some()).map(|host| host.name.clone()).collect();
    let mut values: Vec<Option<String>> = running.iter().map(|node| value(world, node, name, of)).collect();
    values.dedup();
    assert_eq!(values.len(), 1, "{name} of {of} differs: {values:?}\n{}", world.timeline_text());
    replicas_agree(world).expect("equal replicas");
    let text = world.node(&running[0]).cib_text().clone();
    let written = text.contains(&format!("id=\"status-{}-{name}\"", &of[4..]));
    assert_eq!(written, values[0].is_some(), "{name} of {of} in the CIB\n{}", world.timeline_text());
    values.remove(0)
}

#[test]
fn a_value_set_while_its_node_joins_is_nowhere_lost_when_the_node_was_told() {
    for moment in (0..400).step_by(20) {
        let mut world = configured(44, &dummies(&[], ""));
        world.kill("node3");
        world.run(2000);
        world.start("node3");
        world.run(moment);
        // by a client of the joining node, and by one of another node
        let own = world.request("node3", Request::UpdateAttribute(AttributeUpdate::set("node3", "own", "1")));
        world.request("node1", Request::UpdateAttribute(AttributeUpdate::set("node3", "others", "1")));
        settled(&mut world, 60_000);
        world.run(1000);
        let kept = agreed(&mut world, "own", "node3");
        if matches!(world.replies.get(&own), Some(Reply::Done)) {
            assert_eq!(kept.as_deref(), Some("1"), "at {moment} ms\n{}", world.timeline_text());
        }
        // a value that was set before the node began anew may go with its past, but everywhere alike
        agreed(&mut world, "others", "node3");
    }
}

#[test]
fn a_value_set_while_its_node_leaves_does_not_outlive_it() {
    for moment in (0..400).step_by(40) {
        let mut world = configured(45, &dummies(&["d"], ""));
        let leaving = world.id("node3");
        world.step(leaving, Input::Shutdown { escalate: false });
        world.run(moment);
        world.request("node1", Request::UpdateAttribute(AttributeUpdate::set("node3", "late", "1")));
        wait(&mut world, 60_000, |world| world.host("node3").node.is_none());
        world.run(2000);
        assert_eq!(value(&mut world, "node1", "late", "node3"), value(&mut world, "node2", "late", "node3"));
        world.start("node3");
        settled(&mut world, 60_000);
        assert_eq!(agreed(&mut world, "late", "node3"), None, "at {moment} ms\n{}", world.timeline_text());
    }
}

#[test]
fn a_value_set_while_its_node_is_fenced_is_gone_when_it_comes_back() {
    let mut world = demo_cluster(46);
    update(&mut world, "node3", AttributeUpdate::set("node3", "pingd", "100"));
    world.power_off("node3");
    for _ in 0..10 {
        world.run(100);
        world.request("node1", Request::UpdateAttribute(AttributeUpdate::set("node3", "pingd", "200")));
    }
    settled(&mut world, 60_000);
    world.power_on("node3");
    world.start("node3");
    settled(&mut world, 60_000);
    assert_eq!(agreed(&mut world, "pingd", "node3"), None, "{}", world.timeline_text());
    update(&mut world, "node3", AttributeUpdate::set("node3", "pingd", "300"));
    assert_eq!(agreed(&mut world, "pingd", "node3").as_deref(), Some("300"));
}

/// Rule 4.28.2: after a split each node's own values win over what the others say of it.
#[test]
fn a_merge_takes_each_nodes_own_values() {
    let mut world = configured(341, &dummies(&[], ""));
    update(&mut world, "node3", AttributeUpdate::set("node3", "pingd", "1"));
    update(&mut world, "node1", AttributeUpdate::set("node1", "pingd", "1"));
    world.split(&[&["node3"]]);
    world.run(1000);
    update(&mut world, "node3", AttributeUpdate::set("node3", "pingd", "3"));
    update(&mut world, "node1", AttributeUpdate::set("node1", "pingd", "2"));
    world.heal();
    settled(&mut world, 60_000);
    assert_eq!(agreed(&mut world, "pingd", "node3").as_deref(), Some("3"));
    assert_eq!(agreed(&mut world, "pingd", "node1").as_deref(), Some("2"));
}

/// Rules 4.26.1 and 4.27.2.
#[test]
fn two_writers_agree_and_no_increment_is_lost() {
    let mut world = configured(47, &dummies(&[], ""));
    for round in 0..50 {
        for node in ["node1", "node2"] {
            let text = format!("{node}-{round}");
            world.request(node, Request::UpdateAttribute(AttributeUpdate::set("node3", "who", &text)));
            world.request(node, Request::UpdateAttribute(AttributeUpdate::set("node3", "count", "value++")));
        }
        world.run(round % 3);
    }
    world.run(1000);
    assert_eq!(agreed(&mut world, "count", "node3").as_deref(), Some("100"));
    let last = agreed(&mut world, "who", "node3");
    assert!(last.as_deref().is_some_and(|text| text.ends_with("-49")), "{last:?}");
}

#[test]
fn no_increment_is_lost_or_counted_twice_when_a_node_is_lost_meanwhile() {
    let mut world = configured(48, &dummies(&[], ""));
    let mut asked = Vec::new();
    for round in 0..60 {
        if round == 20 {
            world.kill("node1");
        }
        let count = AttributeUpdate::set("node2", "count", "value++");
        asked.push(world.request("node2", Request::UpdateAttribute(count)));
        world.run(5);
    }
    world.run(5000);
    let done = asked.iter().filter(|id| matches!(world.replies.get(id), Some(Reply::Done))).count();
    assert_eq!(agreed(&mut world, "count", "node2"), Some(done.to_string()), "{}", world.timeline_text());
}

#[test]
fn a_delay_changed_while_values_wait_writes_them_at_once() {
    let mut world = configured(49, &dummies(&[], ""));
    let slow = AttributeUpdate { dampening: Some(60_000), ..AttributeUpdate::set("node1", "slow", "1") };
    update(&mut world, "node1", slow);
    assert!(!world.node("node3").cib_text().contains("name=\"slow\""));
    let faster = AttributeUpdate {
        dampening: Some(1000),
        action: AttributeAction::Dampening,
        ..AttributeUpdate::set("node2", "slow", "")
    };
    update(&mut world, "node2", faster);
    assert_eq!(agreed(&mut world, "slow", "node1").as_deref(), Some("1"));
    assert_eq!(value(&mut world, "node1", "slow", "node2"), None);
}

/// The scheduler, counting how often it is asked.
#[derive(Debug)]
struct Counting;

static PLANS: AtomicUsize = AtomicUsize::new(0);

impl Planner for Counting {
    fn plan(&mut self, cib: &cib::Cib, now: cib::iso8601::DateTime) -> Planned {
        PLANS.fetch_add(1, Ordering::Relaxed);
        SchedulerPlanner.plan(cib, now)
    }
}

/// Rule 4.27.10.
#[test]
fn only_attributes_that_mean_something_make_a_plan() {
    let rule = "<rsc_location id='l' rsc='a'><rule id='r' score='-INFINITY'>\
                <expression id='e' attribute='pingd' operation='not_defined'/></rule></rsc_location>";
    let mut world = World::new(3, 47, || Box::new(Counting));
    (1..=3).for_each(|number| world.start(&format!("node{number}")));
    settled(&mut world, 60_000);
    world.request("node1", simulator::demo::load(&dummies(&["a"], rule)));
    world.run(50);
    settled(&mut world, 60_000);
    let mut plans = |name: &str| {
        let before = PLANS.load(Ordering::Relaxed);
        update(&mut world, "node2", AttributeUpdate::set("node2", name, "1"));
        assert_eq!(value(&mut world, "node3", name, "node2").as_deref(), Some("1"));
        settled(&mut world, 60_000);
        PLANS.load(Ordering::Relaxed) - before
    };
    assert_eq!(plans("weather"), 0);
    for name in ["pingd", "#health-disk", "fail-count-a#monitor_10000", "standby"] {
        assert_ne!(plans(name), 0, "{name}");
    }
}
