//! Policies of the configuration as they show in a live cluster.

use cluster::{AttributeUpdate, Request};
use simulator::World;

use super::{
    active, change, configured, demo_cluster, dummies, handed_out, modify, property, settled, started, wait,
};

fn meta(world: &mut World, resource: &str, name: &str, value: &str) {
    let xml = format!(
        "<primitive id='{resource}'><meta_attributes id='{resource}-meta'>\
         <nvpair id='{resource}-{name}' name='{name}' value='{value}'/></meta_attributes></primitive>"
    );
    change(world, "node1", modify(&xml));
    world.run(50);
    settled(world, 60_000);
}

#[test]
fn a_threshold_of_one_failure_moves_the_resource_and_the_timeout_forgets_it() {
    let mut world = demo_cluster(80);
    meta(&mut world, "WEB", "migration-threshold", "1");
    meta(&mut world, "WEB", "failure-timeout", "120s");
    world.break_resource("node1", "WEB");
    wait(&mut world, 15_000, |world| world.active_on("WEB") == ["node2"]);
    settled(&mut world, 60_000);
    active(&world, "VIP", &["node2"]);
    assert!(world.node("node3").cib_text().contains("fail-count-WEB"));
    world.run(200_000);
    assert!(!world.node("node3").cib_text().contains("fail-count-WEB"), "{}", world.timeline_text());
    active(&world, "WEB", &["node2"]);
}

/// Rule 4.35.2.
#[test]
fn maintenance_mode_leaves_everything_alone() {
    let mut world = demo_cluster(81);
    property(&mut world, "maintenance-mode", "true");
    world.break_resource("node1", "WEB");
    world.run(60_000);
    active(&world, "WEB", &[]);
    property(&mut world, "maintenance-mode", "false");
    wait(&mut world, 60_000, |world| world.active_on("WEB") == ["node1"]);
    settled(&mut world, 60_000);
}

/// Rule 4.34.4.
#[test]
fn an_unmanaged_resource_stays_when_its_node_leaves() {
    let mut world =
        configured(82, &dummies(&["a"], "<rsc_location id='l' rsc='a' node='node2' score='10'/>"));
    meta(&mut world, "a", "is-managed", "false");
    let id = world.id("node2");
    world.step(id, cluster::Input::Shutdown { escalate: false });
    wait(&mut world, 30_000, |world| world.host("node2").ended.is_some());
    // and is told (rule 4.10.12)
    let told = |event: &cluster::Event| {
        matches!(&event.kind, cluster::EventKind::Notice { text, .. }
            if text == "leaving with resources that stay active: a")
    };
    assert!(world.events.iter().any(|(_, at, event)| *at == id && told(event)), "{}", world.timeline_text());
    active(&world, "a", &["node2"]);
    world.start("node2");
    settled(&mut world, 60_000);
    active(&world, "a", &["node2"]);
    assert_eq!(handed_out(&world, "node1", "start a node2"), 1, "{}", world.timeline_text());
}

#[test]
fn a_changed_parameter_restarts_the_resource() {
    let mut world = demo_cluster(83);
    let xml = "<primitive id='VIP'><instance_attributes id='VIP-params'>\
               <nvpair id='VIP-ip' name='ip' value='127.0.0.11'/></instance_attributes></primitive>";
    change(&mut world, "node3", modify(xml));
    world.run(50);
    settled(&mut world, 60_000);
    assert_eq!(handed_out(&world, "node1", "start VIP node1"), 2, "{}", world.timeline_text());
    assert_eq!(handed_out(&world, "node1", "start WEB node1"), 2, "the group's later member too");
}

#[test]
fn a_changed_interval_replaces_the_monitor_only() {
    let mut world = configured(84, &dummies(&["a"], ""));
    change(&mut world, "node1", modify("<op id='a-monitor' interval='5s' name='monitor'/>"));
    world.run(50);
    settled(&mut world, 60_000);
    let place = world.active_on("a")[0].clone();
    assert_eq!(handed_out(&world, "node1", &format!("start a {place}")), 1);
    let text = world.node("node1").cib_text();
    assert!(text.contains("a_monitor_5000") && !text.contains("a_monitor_10000"), "{text}");
    assert_eq!(world.node(&place).status().recurring, 1);
}

#[test]
fn a_resource_removed_from_the_configuration_is_stopped_and_forgotten() {
    let mut world = configured(85, &dummies(&["a", "b"], ""));
    change(
        &mut world,
        "node1",
        cluster::CibOperation::DeleteXpath { xpath: "//primitive[@id='a']".to_owned(), all: true },
    );
    world.run(50);
    settled(&mut world, 60_000);
    active(&world, "a", &[]);
    assert!(!world.node("node2").cib_text().contains("lrm_resource id=\"a\""), "{}", world.timeline_text());
}

#[test]
fn a_ticket_lets_its_resource_run() {
    let constraint = "<rsc_ticket id='t' rsc='a' ticket='site-a' loss-policy='stop'/>";
    let mut world = configured(86, &dummies(&["a"], constraint));
    active(&world, "a", &[]);
    let ticket =
        |granted| Request::Ticket { ticket: "site-a".to_owned(), granted: Some(granted), standby: None };
    world.request("node2", ticket(true));
    wait(&mut world, 10_000, |world| world.active_on("a").len() == 1);
    settled(&mut world, 60_000);
    world.request("node2", ticket(false));
    wait(&mut world, 10_000, |world| world.active_on("a").is_empty());
}

#[test]
fn an_attribute_rule_moves_the_resource() {
    let rule = "<rsc_location id='l' rsc='a'><rule id='r' score='-INFINITY' boolean-op='or'>\
                <expression id='e' attribute='pingd' operation='lt' value='1' type='number'/></rule></rsc_location>";
    let mut world = configured(87, &dummies(&["a"], rule));
    let place = world.active_on("a")[0].clone();
    world.request("node1", Request::UpdateAttribute(AttributeUpdate::set(&place, "pingd", "0")));
    world.run(50);
    settled(&mut world, 60_000);
    assert_eq!(world.active_on("a").len(), 1, "{}", world.timeline_text());
    assert_ne!(world.active_on("a")[0], place);
}

#[test]
fn without_quorum_freeze_keeps_what_runs() {
    let mut world =
        configured(88, &dummies(&["a"], "<rsc_location id='l' rsc='a' node='node1' score='10'/>"));
    property(&mut world, "no-quorum-policy", "freeze");
    world.split(&[&["node1"], &["node2"], &["node3"]]);
    world.run(60_000);
    active(&world, "a", &["node1"]);
    world.heal();
    settled(&mut world, 60_000);
    active(&world, "a", &["node1"]);
}

/// Rule 1.6.5: the DC looks at hours in the local zone.
#[test]
fn hours_are_those_of_the_local_zone() {
    // the clusters begin at 08:00 UTC
    let wish = "<rsc_location id='l' rsc='a'><rule id='r' score='10'><expression id='e' attribute='#uname' operation='eq' \
                value='node2'/><date_expression id='d' operation='date_spec'><date_spec id='s' hours='17'/>\
                </date_expression></rule></rsc_location>";
    let mut world = configured(83, &dummies(&["a"], wish));
    active(&world, "a", &["node1"]);
    world.offset = 9 * 3600;
    property(&mut world, "cluster-delay", "61s");
    active(&world, "a", &["node2"]);
}

/// One resource whose monitor begins so late.
fn delayed(seed: u64, delay: &str) -> World {
    let monitor = "name='monitor' interval='10s'";
    let with_delay = format!("{monitor} start-delay='{delay}'");
    configured(seed, &dummies(&["a"], "").replace(monitor, &with_delay))
}

#[test]
fn rule_4_10_8_a_monitor_that_begins_much_later_holds_up_no_plan() {
    let mut world = delayed(88, "400s");
    let node = world.active_on("a")[0].clone();
    let shows = |world: &World, result: &str| {
        let cib = world.node(&node).cib_text();
        cib.split("<lrm_rsc_op ").any(|op| op.contains("id=\"a_monitor_10000\"") && op.contains(result))
    };
    assert!(shows(&world, "rc-code=\"193\""), "{}", world.timeline_text());
    // another plan asks for it again, which changes nothing
    world.run(200_000);
    property(&mut world, "migration-limit", "7");
    assert!(shows(&world, "rc-code=\"193\""), "{}", world.timeline_text());
    world.run(201_000);
    settled(&mut world, 1000);
    assert!(shows(&world, "rc-code=\"0\""), "{}", world.timeline_text());
}

#[test]
fn rule_4_10_5_a_stop_does_not_wait_for_a_monitor_that_begins_later() {
    let mut world = started(3, 89);
    let monitor = "name='monitor' interval='10s'";
    let with_delay = format!("{monitor} start-delay='200s'");
    let configuration = dummies(&["a"], "").replace(monitor, &with_delay);
    world.request("node1", simulator::demo::load(&configuration));
    wait(&mut world, 30_000, |world| !world.active_on("a").is_empty());
    world.run(5000);
    let xml = "<primitive id='a'><meta_attributes id='a-meta'>\
               <nvpair id='a-role' name='target-role' value='Stopped'/></meta_attributes></primitive>";
    change(&mut world, "node1", modify(xml));
    wait(&mut world, 10_000, |world| world.active_on("a").is_empty());
    settled(&mut world, 60_000);
}

#[test]
fn rule_4_10_9_a_node_that_leaves_refuses_a_start_and_that_is_no_failure() {
    let mut world = started(3, 90);
    let prefers = "<rsc_location id='l' rsc='a' node='node2' score='10'/>";
    world.request("node1", simulator::demo::load(&dummies(&["a"], prefers)));
    let ordered = |world: &World, by: &str| handed_out(world, by, "start a node2") > 0;
    // some members hear of the order before node2 does
    wait(&mut world, 30_000, |world| ordered(world, "node1") || ordered(world, "node3"));
    assert!(!ordered(&world, "node2"), "{}", world.timeline_text());
    let id = world.id("node2");
    world.step(id, cluster::Input::Shutdown { escalate: false });
    wait(&mut world, 30_000, |world| world.host("node2").ended.is_some());
    let gone = |world: &World| !world.active_on("a").is_empty();
    wait(&mut world, 30_000, gone);
    assert!(ordered(&world, "node2"), "{}", world.timeline_text());
    let refused = |event: &cluster::Event| {
        matches!(&event.kind, cluster::EventKind::OperationDone { action, status, .. }
            if action == "start" && status == cluster::ExecutionStatus::Refused.text())
    };
    assert_eq!(world.events.iter().filter(|(_, _, event)| refused(event)).count(), 3);
    assert!(!world.node("node1").cib_text().contains("fail-count-a"), "{}", world.timeline_text());
    assert!(world.active_on("a") != ["node2"], "{}", world.timeline_text());
}

#[test]
fn rule_4_10_2_what_a_delayed_monitor_holds_back_is_no_failure() {
    let monitor = "<op id='a-monitor' name='monitor' interval='10s' timeout='20s'/>";
    let delayed = "<op id='a-slow' name='monitor' interval='5s' timeout='20s' start-delay='200s'/>";
    let configuration = dummies(&["a"], "").replace(monitor, &format!("{monitor}{delayed}"));
    let mut world = started(3, 92);
    world.request("node1", simulator::demo::load(&configuration));
    wait(&mut world, 30_000, |world| !world.active_on("a").is_empty());
    world.run(300_000);
    settled(&mut world, 1000);
    let text = world.node("node1").cib_text();
    assert!(
        !text.contains("fail-count-a") && text.contains("\"a_monitor_5000\""),
        "{}",
        world.timeline_text()
    );
}

/// Rules 4.34.4 and 4.35.3: a node that leaves in maintenance leaves its resources running, and is not fenced.
#[test]
fn a_node_in_maintenance_leaves_its_resources_running() {
    let mut world = demo_cluster(330);
    let xml = "<nodes><node id='1'><instance_attributes id='nodes-1'>\
               <nvpair id='nodes-1-m' name='maintenance' value='true'/></instance_attributes></node></nodes>";
    change(&mut world, "node2", modify(xml));
    world.run(100);
    settled(&mut world, 60_000);
    let id = world.id("node1");
    world.step(id, cluster::Input::Shutdown { escalate: false });
    wait(&mut world, 30_000, |world| world.host("node1").ended.is_some());
    world.run(60_000);
    active(&world, "WEB", &["node1"]);
    assert!(world.host("node1").powered, "{}", world.timeline_text());
}

/// Rule 4.35.4: failures of an unmanaged resource are counted and not acted on.
#[test]
fn an_unmanaged_resource_is_watched_and_left_alone() {
    let mut world = demo_cluster(331);
    meta(&mut world, "WEB", "is-managed", "false");
    world.break_resource("node1", "WEB");
    world.run(60_000);
    assert!(
        world.node("node2").cib_text().contains("fail-count-WEB#monitor_10000"),
        "{}",
        world.timeline_text()
    );
    assert_eq!(handed_out(&world, "node2", "stop WEB node1"), 0);
    assert_eq!(handed_out(&world, "node2", "start WEB node1"), 1);
}

/// Rule 4.35.6.
#[test]
fn without_startup_probes_nothing_is_probed() {
    let mut world = configured(332, &dummies(&[], ""));
    property(&mut world, "enable-startup-probes", "false");
    change(
        &mut world,
        "node1",
        modify("<resources><primitive id='a' class='ocf' provider='systole' type='Dummy'/></resources>"),
    );
    world.run(100);
    settled(&mut world, 60_000);
    assert_eq!(world.active_on("a").len(), 1, "{}", world.timeline_text());
    for node in ["node1", "node2", "node3"] {
        assert_eq!(handed_out(&world, "node1", &format!("monitor a {node}")), 0, "{}", world.timeline_text());
    }
}
