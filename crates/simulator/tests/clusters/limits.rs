//! How much is done at once (rule 4.32).

use cluster::{Input, LoadSample, Request};
use simulator::{World, demo};

use super::{active, demo_cluster, dummies, hand_outs, handed_out, planner, settled, started, wait};

const NAMES: [&str; 6] = ["d1", "d2", "d3", "d4", "d5", "d6"];

/// Has a host say how many processes wait for its two cores.
fn busy(world: &mut World, name: &str, processes: u64) {
    let id = world.id(name);
    world.step(id, Input::Load(LoadSample { average: processes * 100, manager: 0 }));
    world.run(100);
}

/// Resources for node1 whose starts take so long, and properties.
fn load(world: &mut World, start: u64, properties: &[(&str, &str)]) {
    world.agents.durations.extend(NAMES.map(|name| (format!("{name}:start"), start)));
    let places: String = NAMES
        .iter()
        .map(|name| format!("<rsc_location id='l{name}' rsc='{name}' node='node1' score='10'/>"))
        .collect();
    let pair =
        |(name, value): &(&str, &str)| format!("<nvpair id='p-{name}' name='{name}' value='{value}'/>");
    let pairs: String = properties.iter().map(pair).collect();
    let text = dummies(&NAMES, &places)
        .replace("</cluster_property_set>", &format!("{pairs}</cluster_property_set>"));
    world.request("node2", demo::load(&text));
}

fn starts(world: &World) -> usize {
    NAMES.iter().map(|name| handed_out(world, "node2", &format!("start {name} node1"))).sum()
}

fn all_run(world: &mut World) {
    settled(world, 120_000);
    NAMES.iter().for_each(|name| active(world, name, &["node1"]));
}

/// Rules 4.32.1, 4.32.2 and 4.32.3.
#[test]
fn a_busy_host_is_given_less_at_once_until_it_is_busy_no_more() {
    let mut world = started(3, 400);
    load(&mut world, 2000, &[]);
    world.run(1000);
    assert_eq!(starts(&world), 4, "twice its cores\n{}", world.timeline_text());
    all_run(&mut world);

    // low, medium, high: half of four, a quarter, one
    for (processes, expected) in [(2, 2), (3, 1), (9, 1)] {
        let mut world = started(3, 401);
        busy(&mut world, "node1", processes);
        load(&mut world, 2000, &[]);
        world.run(1000);
        assert_eq!(starts(&world), expected, "{processes}\n{}", world.timeline_text());
        busy(&mut world, "node1", 0);
        world.run(500);
        assert_eq!(starts(&world), 4, "{processes}\n{}", world.timeline_text());
        all_run(&mut world);
    }
}

/// Rule 4.32.3: the property counts at once; without a threshold the load average does not.
#[test]
fn load_does_not_count_without_a_threshold() {
    let mut world = started(3, 402);
    busy(&mut world, "node1", 100);
    load(&mut world, 2000, &[("load-threshold", "0")]);
    world.run(1000);
    assert_eq!(starts(&world), 4, "{}", world.timeline_text());
}

/// An agent that hangs is no load: it holds up the others for a moment only.
#[test]
fn what_takes_long_on_a_busy_host_does_not_hold_up_the_rest() {
    let mut world = started(3, 403);
    load(&mut world, 19_000, &[]);
    world.run(1000);
    assert_eq!(starts(&world), 4, "{}", world.timeline_text());
    // it becomes busy while they are under way
    busy(&mut world, "node1", 100);
    all_run(&mut world);

    let mut world = started(3, 404);
    busy(&mut world, "node1", 100);
    load(&mut world, 19_000, &[]);
    world.run(4000);
    assert_eq!(starts(&world), 1, "{}", world.timeline_text());
    world.run(5000);
    assert_eq!(starts(&world), 2, "{}", world.timeline_text());
    world.run(9500);
    assert_eq!(starts(&world), 4, "not more than on a host at rest\n{}", world.timeline_text());
    all_run(&mut world);
}

/// Rule 4.32.1: one host that is very busy holds back all.
#[test]
fn a_very_busy_host_lowers_the_batch_limit_for_all() {
    let mut world = started(3, 405);
    busy(&mut world, "node3", 100);
    load(&mut world, 2000, &[("batch-limit", "3")]);
    world.run(1000);
    assert_eq!(starts(&world), 1, "{}", world.timeline_text());
    // a join round does not make it forget
    world.kill("node2");
    world.run(1000);
    world.start("node2");
    world.run(20_000);
    all_run(&mut world);
}

/// What is under way elsewhere on a busy cluster keeps nobody waiting for a fence.
#[test]
fn fencing_does_not_wait_for_busy_hosts() {
    let mut world = demo_cluster(408);
    busy(&mut world, "node3", 100);
    world.agents.durations.insert("WEB:stop".to_owned(), 15_000);
    world.request("node3", Request::Standby { node: "node1".to_owned(), on: true, until_restart: false });
    world.run(500);
    assert_eq!(handed_out(&world, "node3", "stop WEB node1"), 1, "{}", world.timeline_text());
    world.kill("node2");
    wait(&mut world, 2000, |world| !world.host("node2").powered);
}

/// Rule 4.32.2: the host's own setting goes before the cluster's, which goes before its cores.
#[test]
fn limits_of_operations_at_once() {
    for (own, property, expected) in [(None, "3", 3), (Some(1), "3", 1), (Some(5), "0", 5), (None, "0", 4)] {
        let mut world = World::new(3, 406, planner);
        world.action_limit = own;
        (1..=3).for_each(|number| world.start(&format!("node{number}")));
        settled(&mut world, 60_000);
        load(&mut world, 2000, &[("node-action-limit", property)]);
        world.run(1000);
        assert_eq!(starts(&world), expected, "{own:?} {property}\n{}", world.timeline_text());
    }
}

/// Rule 4.32.1.
#[test]
fn a_batch_limit_counts_over_all_nodes() {
    let mut world = started(3, 407);
    load(&mut world, 2000, &[("batch-limit", "2")]);
    world.run(1000);
    assert_eq!(starts(&world), 2, "{}", world.timeline_text());
    all_run(&mut world);
}

/// Where not all fits at once, services are brought up before those are watched that run; but their failures do not go
/// unseen for as long as the others take.
#[test]
fn starts_go_before_recurring_monitors_for_some_seconds() {
    let mut world = started(3, 408);
    load(&mut world, 2000, &[("node-action-limit", "1")]);
    // with its probe
    let watched =
        |world: &World, name: &str| handed_out(world, "node2", &format!("monitor {name} node1")) - 1;
    let d1_runs = |world: &World| starts(world) == 2;
    wait(&mut world, 5000, d1_runs);
    world.run(4900);
    assert_eq!((starts(&world), watched(&world, "d1")), (4, 0), "{}", world.timeline_text());
    world.run(3000);
    assert!(starts(&world) < 6 && watched(&world, "d1") == 1, "{}", world.timeline_text());
    all_run(&mut world);
    assert!(NAMES.iter().all(|name| watched(&world, name) == 1), "{}", world.timeline_text());
}

/// Two messages for each operation would have every host's messaging and manager wake for each.
#[test]
fn where_much_is_to_be_done_orders_and_results_share_messages() {
    let names: Vec<String> = (0..60).map(|number| format!("d{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = started(3, 409);
    world.request("node2", demo::load(&dummies(&names, "")));
    settled(&mut world, 120_000);
    assert!(names.iter().all(|name| world.active_on(name).len() == 1), "{}", world.timeline_text());
    let before = world.bus.said;
    world.request("node2", demo::load(&dummies(&[], "")));
    wait(&mut world, 60_000, |world| names.iter().all(|name| world.active_on(name).is_empty()));
    let said = world.bus.said - before;
    assert!(said < 90, "{said}\n{}", world.timeline_text());
    settled(&mut world, 120_000);
    let histories = world.node("node1").cib_text().matches("<lrm_resource ").count();
    assert_eq!(histories, 0, "{}", world.timeline_text());
}

/// But whatever can go on at once does, however much else is under way.
#[test]
fn a_result_that_something_waits_for_is_told_at_once() {
    for seed in 410..420 {
        let mut world = started(3, seed);
        for name in ["d1", "d2", "d3"] {
            world.agents.durations.insert(format!("{name}:start"), 20_000);
        }
        world.agents.durations.insert("a:start".to_owned(), 500);
        let member =
            |id: &str| format!("<primitive id='{id}' class='ocf' provider='heartbeat' type='Dummy'/>");
        let group = format!("<group id='g'>{}{}</group></resources>", member("a"), member("b"));
        let place = |id: &str| format!("<rsc_location id='l{id}' rsc='{id}' node='node1' score='10'/>");
        let places: String = ["d1", "d2", "d3", "g"].map(place).concat();
        let text = dummies(&["d1", "d2", "d3"], &places).replace("</resources>", &group);
        world.request("node2", demo::load(&text));
        wait(&mut world, 10_000, |world| handed_out(world, "node1", "start b node1") == 1);
        let at = |wanted: &str| hand_outs(&world, "node1", wanted)[0];
        let after = at("start b node1") - at("start a node1") - 500;
        assert!(after <= 3 * world.bus.delay, "{after} ms\n{}", world.timeline_text());
    }
}

/// Histories of removed resources go when nothing else is under way; one slow operation keeps them for some seconds only.
#[test]
fn removed_histories_do_not_wait_for_a_slow_stop() {
    let mut world = started(3, 420);
    world.request("node2", demo::load(&dummies(&NAMES, "")));
    settled(&mut world, 120_000);
    world.agents.durations.insert("d1:stop".to_owned(), 15_000);
    world.request("node2", demo::load(&dummies(&[], "")));
    let known = |world: &World| {
        let text = world.node("node2").cib_text();
        NAMES.map(|name| text.contains(&format!("<lrm_resource id=\"{name}\"")))
    };
    world.run(4000);
    assert_eq!(known(&world), [true; 6], "{}", world.timeline_text());
    world.run(2000);
    assert_eq!(known(&world), [true, false, false, false, false, false], "{}", world.timeline_text());
    settled(&mut world, 120_000);
    assert_eq!(known(&world), [false; 6], "{}", world.timeline_text());
}
