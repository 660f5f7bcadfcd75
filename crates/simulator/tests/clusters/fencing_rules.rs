//! Fencing, rule by rule, on whole clusters.

use cluster::{
    EventKind, FenceRecord, FenceRequest, FenceState, RegisteredDevice, RegistryChange, Reply, Request,
    RequestId,
};
use simulator::{World, demo};

use super::{active, change, configured, demo_cluster, handed_out, modify, planner, settled, wait};

fn fence(world: &mut World, on: &str, target: &str, action: &str) -> RequestId {
    let request = FenceRequest {
        target: target.to_owned(),
        action: action.to_owned(),
        timeout: 60_000,
        delay: Some(0),
        tolerance: 0,
        client: "stonith_admin".to_owned(),
    };
    world.request(on, Request::Fence(request))
}

fn history(world: &World, node: &str) -> Vec<FenceRecord> {
    world.node(node).status().fencing
}

/// How often a fence agent was ordered, as one node's host saw it run.
fn fenced_events(world: &World, node: &str) -> usize {
    let id = world.id(node);
    let is =
        |kind: &EventKind| matches!(kind, EventKind::FenceDone(record) if record.state == FenceState::Done);
    world.events.iter().filter(|(_, at, event)| *at == id && is(&event.kind)).count()
}

/// Sets a parameter of the demonstration's device.
fn device(world: &mut World, name: &str, value: &str) {
    let id = if name == "pcmk_host_list" { "hosts" } else { name };
    let xml = format!(
        "<resources><primitive id='fence'><instance_attributes id='fence-params'>\
         <nvpair id='fence-{id}' name='{name}' value='{value}'/></instance_attributes></primitive></resources>"
    );
    change(world, "node2", modify(&xml));
    world.run(100);
    settled(world, 60_000);
}

#[test]
fn rule_4_61_1_equal_requests_are_carried_out_once_and_all_are_answered() {
    let mut world = demo_cluster(200);
    world.agents.durations.insert("fence:off".to_owned(), 3000);
    let first = fence(&mut world, "node2", "node1", "off");
    world.run(500);
    let second = fence(&mut world, "node3", "node1", "off");
    wait(&mut world, 30_000, |world| [first, second].iter().all(|id| world.replies.contains_key(id)));
    for id in [first, second] {
        assert!(matches!(&world.replies[&id], Reply::Fenced(_)), "{:?}", world.replies[&id]);
    }
    let records = history(&world, "node2");
    assert_eq!(records.iter().filter(|record| record.merged_into.is_some()).count(), 1, "{records:?}");
    assert_eq!(fenced_events(&world, "node3"), 1, "{}", world.timeline_text());
}

#[test]
fn rule_4_61_1_the_coordinator_does_not_reboot_what_an_administrator_has_switched_off() {
    let mut world = demo_cluster(211);
    world.agents.durations.insert("fence:off".to_owned(), 3000);
    let request = fence(&mut world, "node2", "node1", "off");
    world.run(500);
    world.kill("node1");
    wait(&mut world, 30_000, |world| world.replies.contains_key(&request));
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    let records = history(&world, "node2");
    assert_eq!((records.len(), records[0].action.as_str()), (1, "off"), "{records:?}");
}

#[test]
fn rule_4_51_1_a_node_that_asks_for_its_own_fencing_hands_it_to_another() {
    let mut world = demo_cluster(201);
    fence(&mut world, "node1", "node1", "off");
    wait(&mut world, 30_000, |world| !world.host("node1").powered);
    let records = history(&world, "node2");
    assert_ne!(records[0].origin, "node1", "{records:?}");
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
}

#[test]
fn rule_4_51_2_a_device_that_knows_its_targets_is_asked_once_a_minute_at_most() {
    let mut world = demo_cluster(202);
    change(
        &mut world,
        "node2",
        modify("<resources><primitive id='lister' class='stonith' type='fence_list'/></resources>"),
    );
    change(
        &mut world,
        "node2",
        modify(
            "<fencing-topology><fencing-level id='l' target='node1' index='1' devices='lister'/></fencing-topology>",
        ),
    );
    settled(&mut world, 60_000);
    let request = fence(&mut world, "node3", "node1", "off");
    wait(&mut world, 30_000, |world| world.replies.contains_key(&request));
    let Reply::Fenced(record) = &world.replies[&request] else { panic!("{:?}", world.replies[&request]) };
    assert_eq!(record.devices, ["lister"], "{}", world.timeline_text());
}

#[test]
fn rule_4_54_1_a_base_delay_is_kept_and_does_not_hold_up_a_monitor() {
    let mut world = demo_cluster(203);
    device(&mut world, "pcmk_delay_base", "node1:7s;node2:1s");
    let begun = world.time;
    let request = fence(&mut world, "node2", "node1", "off");
    wait(&mut world, 30_000, |world| world.replies.contains_key(&request));
    assert!(world.time - begun >= 7000, "{}", world.timeline_text());
}

#[test]
fn rule_4_55_1_without_a_device_the_cluster_says_so_and_rests() {
    let mut world = demo_cluster(204);
    device(&mut world, "pcmk_host_list", "node2 node3");
    assert!(
        world.timeline_text().contains("node1 cannot be fenced: none of the fence devices (fence) lists it")
    );
    world.kill("node1");
    world.run(60_000);
    let records = history(&world, "node2");
    let failed = records.iter().filter(|record| record.status == 10).count();
    assert!((1..5).contains(&failed), "{records:?}");
    active(&world, "WEB", &["node1"]);
}

#[test]
fn rule_4_58_2_a_node_that_is_announced_as_fenced_and_lives_leaves_and_its_device_is_named() {
    let mut world = demo_cluster(205);
    world.agents.fence_lies = true;
    fence(&mut world, "node2", "node3", "off");
    wait(&mut world, 30_000, |world| world.host("node3").ended.is_some());
    assert_eq!(world.host("node3").ended.as_ref().map(|(code, _)| *code), Some(100));
    world.run(1000);
    let records = history(&world, "node2");
    assert!(records.last().is_some_and(|record| record.survived), "{records:?}");
    assert!(world.timeline_text().contains("was announced as fenced by fence, and yet it runs"));
}

#[test]
fn rule_4_57_1_a_fenced_member_is_acted_on_before_the_membership_has_noticed() {
    let mut world = demo_cluster(206);
    // the host hangs: the membership still counts it when the fence is confirmed
    let before = handed_out(&world, "node2", "start WEB node2");
    let request = fence(&mut world, "node2", "node1", "off");
    wait(&mut world, 30_000, |world| world.replies.contains_key(&request));
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    assert_eq!(handed_out(&world, "node2", "start WEB node2"), before + 1);
}

/// Three nodes with watchdogs and no fence device.
fn watched(seed: u64, timeout: &str) -> World {
    let mut world = World::new(3, seed, planner);
    world.watchdog_bound = Some(5000);
    for name in ["node1", "node2", "node3"] {
        world.start(name);
    }
    settled(&mut world, 60_000);
    let start = demo::CONFIGURATION.find("<primitive id=\"fence\"").expect("a device");
    let end = demo::CONFIGURATION.find("<group").expect("a group");
    let option = format!(
        "<nvpair id=\"opt-w\" name=\"stonith-watchdog-timeout\" value=\"{timeout}\"/><nvpair id=\"opt-fencing\""
    );
    let text = demo::CONFIGURATION[..start].replacen("<nvpair id=\"opt-fencing\"", &option, 1)
        + &demo::CONFIGURATION[end..];
    world.request("node1", demo::load(&text));
    world
}

#[test]
fn rule_4_59_5_without_devices_the_watchdog_is_waited_for_and_no_longer() {
    let mut world = watched(207, "10s");
    settled(&mut world, 60_000);
    active(&world, "WEB", &["node1"]);
    assert!(world.node("node1").is_healthy());
    world.split(&[&["node1"]]);
    wait(&mut world, 1000, |world| !world.node("node1").is_healthy());
    let lost = world.time;
    // its watchdog is not fed any more, and fires within the bound
    world.run(5000);
    world.power_off("node1");
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    assert!(world.time - lost >= 9000, "{}", world.timeline_text());
    let records = history(&world, "node2");
    assert_eq!(records[0].devices, ["watchdog"], "{records:?}");
    assert_eq!(records[0].executor.as_deref(), Some("node1"));
}

#[test]
fn rule_4_37_1_with_a_watchdog_the_policy_fence_takes_down_whoever_loses_quorum() {
    let mut world = watched(212, "10s");
    settled(&mut world, 60_000);
    let policy = "<crm_config><cluster_property_set id='cib-bootstrap-options'>\
                  <nvpair id='p' name='no-quorum-policy' value='fence'/></cluster_property_set></crm_config>";
    change(&mut world, "node1", modify(policy));
    settled(&mut world, 60_000);
    world.split(&[&["node1"]]);
    wait(&mut world, 1000, |world| !world.host("node1").powered);
    assert!(world.timeline_text().contains("panic: quorum was lost"));
    assert!(world.host("node2").node.is_some() && world.host("node3").node.is_some());
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    // rule 4.37.2: who never had quorum is left alone
    world.heal();
    for name in ["node1", "node2", "node3"] {
        world.power_off(name);
        world.power_on(name);
    }
    world.start("node2");
    world.run(60_000);
    world.start("node3");
    wait(&mut world, 60_000, |world| world.active_on("WEB") == ["node2"]);
    assert!(world.host("node2").powered && world.host("node3").powered, "{}", world.timeline_text());
}

#[test]
fn rule_4_59_3_a_host_that_could_outlive_the_wait_leaves() {
    let mut world = watched(208, "4s");
    wait(&mut world, 30_000, |world| world.hosts.values().all(|host| host.ended.is_some()));
    for host in world.hosts.values() {
        let (code, reason) = host.ended.clone().unwrap_or_default();
        assert!(
            code == 100 && reason.contains("shorter than this host's watchdog timeout"),
            "{code} {reason}"
        );
    }
}

#[test]
fn rule_4_62_2_an_own_operation_known_only_from_others_has_failed() {
    let mut world = configured(209, demo::CONFIGURATION);
    world.agents.durations.insert("fence:off".to_owned(), 20_000);
    fence(&mut world, "node3", "node1", "off");
    world.run(500);
    assert!(history(&world, "node2").iter().any(|record| record.state == FenceState::Executing));
    world.kill("node3");
    world.start("node3");
    world.run(2000);
    let records = history(&world, "node2");
    assert!(
        records.iter().any(|record| record.state == FenceState::Failed && record.reason.contains("is lost")),
        "{records:?}"
    );
}

#[test]
fn rule_4_59_5_a_name_that_is_no_node_has_no_watchdog_to_wait_for() {
    let mut world = watched(210, "10s");
    settled(&mut world, 60_000);
    let Reply::Refused(refusal) = outcome(&mut world, "node2", "nodee1") else { panic!("fenced") };
    assert!(refusal.message.contains("no device can fence it"), "{}", refusal.message);
}

/// Registers a device with one node alone; it knows `target` only.
fn register(world: &mut World, on: &str, id: &str, target: &str) {
    let parameters = [("pcmk_host_list", target), ("pcmk_off_timeout", "7s")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let device = RegisteredDevice { id: id.to_owned(), agent: "fence_test".to_owned(), parameters };
    done(world, on, RegistryChange::Device(device));
}

fn done(world: &mut World, on: &str, change: RegistryChange) {
    let request = world.request(on, Request::Register(change));
    assert_eq!(world.replies[&request], Reply::Done);
}

/// Fences and says what came of it.
fn outcome(world: &mut World, on: &str, target: &str) -> Reply {
    let request = fence(world, on, target, "off");
    wait(world, 200_000, |world| world.replies.contains_key(&request));
    world.replies[&request].clone()
}

#[test]
fn rule_4_50_2_a_device_registered_with_one_node_serves_a_request_on_another_until_that_restarts() {
    let mut world = demo_cluster(230);
    device(&mut world, "pcmk_host_list", "node3");
    let before = world.node("node3").cib_text();
    register(&mut world, "node2", "extra", "node1");
    assert_eq!(world.node("node2").status().registered.len(), 1);
    assert!(world.node("node3").status().registered.is_empty());
    let Reply::Fenced(record) = outcome(&mut world, "node3", "node1") else { panic!("{:?}", world.replies) };
    assert_eq!((record.executor.as_deref(), record.devices), (Some("node2"), vec!["extra".to_owned()]));
    assert!(!before.contains("extra") && !world.node("node3").cib_text().contains("extra"));

    world.power_on("node1");
    world.start("node1");
    settled(&mut world, 60_000);
    world.kill("node2");
    world.start("node2");
    settled(&mut world, 60_000);
    assert!(world.node("node2").status().registered.is_empty());
    assert!(matches!(outcome(&mut world, "node3", "node1"), Reply::Refused(_)));
}

#[test]
fn rule_4_50_2_a_registered_level_is_the_topology_of_what_its_node_owns() {
    let mut world = demo_cluster(231);
    register(&mut world, "node2", "extra", "node1");
    let level = |index, device: &str| RegistryChange::Level {
        target: "node1".to_owned(),
        index,
        devices: vec![device.to_owned()],
    };
    done(&mut world, "node3", level(1, "fence"));
    done(&mut world, "node3", level(1, "extra"));
    let Reply::Fenced(record) = outcome(&mut world, "node3", "node1") else { panic!("{:?}", world.replies) };
    assert_eq!(record.devices, ["fence", "extra"]);
    done(&mut world, "node3", RegistryChange::NoLevel { target: "node1".to_owned(), index: 0 });
    done(&mut world, "node3", level(1, "unknown"));
    let Reply::Refused(refusal) = outcome(&mut world, "node3", "node1") else { panic!("no such device") };
    assert!(refusal.message.contains("nobody offers unknown"), "{}", refusal.message);
}
