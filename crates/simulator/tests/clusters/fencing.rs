//! Splits, quorum and fencing.

use cluster::{FenceRequest, Reply, Request};
use simulator::demo;
use simulator::invariants::{group_runs_once, replicas_agree};

use super::{active, change, demo_cluster, modify, settled, wait};

#[test]
fn the_larger_part_fences_the_smaller_and_takes_over() {
    let mut world = demo_cluster(30);
    world.split(&[&["node1"]]);
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    assert!(!world.host("node1").powered);
    world.heal();
    world.power_on("node1");
    world.start("node1");
    settled(&mut world, 60_000);
    group_runs_once(&world, &demo::RESOURCES).expect("running once");
    replicas_agree(&world).expect("equal replicas");
}

#[test]
fn nothing_is_taken_over_while_fencing_fails() {
    let mut world = demo_cluster(31);
    world.agents.codes.insert("fence:reboot".to_owned(), 1);
    // the node is frozen rather than dead: what runs there goes on
    world.kill("node1");
    world.run(60_000);
    active(&world, "WEB", &["node1"]);
    assert!(world.timeline_text().contains("cannot be fenced"), "{}", world.timeline_text());
    world.agents.codes.clear();
    world.request(
        "node2",
        Request::Cleanup { resource: None, node: None, operation: None, interval: None, only_failed: false },
    );
    wait(&mut world, 60_000, |world| world.active_on("WEB") == ["node2"]);
}

#[test]
fn a_part_without_quorum_stops_what_it_runs() {
    let mut world = demo_cluster(32);
    world.agents.codes.insert("fence:reboot".to_owned(), 1);
    world.split(&[&["node1"]]);
    wait(&mut world, 30_000, |world| world.active_on("WEB").is_empty());
    let text = world.node("node1").cib_text();
    assert!(text.contains("have-quorum=\"0\""), "{text}");
}

#[test]
fn a_configuration_change_survives_a_split_in_which_both_sides_went_on() {
    let mut world = demo_cluster(33);
    world.agents.codes.insert("fence:reboot".to_owned(), 1);
    world.split(&[&["node1"]]);
    world.run(20_000);
    change(
        &mut world,
        "node2",
        modify("<tags><tag id='made-by-the-majority'><obj_ref id='WEB'/></tag></tags>"),
    );
    world.run(20_000);
    world.agents.codes.clear();
    world.heal();
    settled(&mut world, 120_000);
    for name in ["node1", "node2", "node3"] {
        assert!(world.node(name).cib_text().contains("made-by-the-majority"), "{}", world.timeline_text());
    }
    group_runs_once(&world, &demo::RESOURCES).expect("running once");
}

#[test]
fn an_administrator_fences_a_node_and_is_told() {
    let mut world = demo_cluster(34);
    let request = world.request(
        "node3",
        Request::Fence(FenceRequest {
            target: "node1".to_owned(),
            action: "off".to_owned(),
            timeout: 60_000,
            delay: Some(0),
            tolerance: 0,
            client: "stonith_admin".to_owned(),
        }),
    );
    wait(&mut world, 30_000, |world| world.replies.contains_key(&request));
    let Reply::Fenced(record) = &world.replies[&request] else { panic!("{:?}", world.replies[&request]) };
    assert_eq!(record.target, "node1");
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
}

#[test]
fn a_human_may_confirm_that_a_node_is_down() {
    let mut world = demo_cluster(35);
    world.agents.codes.insert("fence:reboot".to_owned(), 1);
    world.power_off("node1");
    world.run(30_000);
    active(&world, "WEB", &[]);
    let request = world.request("node2", Request::ConfirmFenced { target: "node1".to_owned() });
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    assert!(matches!(world.replies[&request], Reply::Fenced(_)), "{:?}", world.replies[&request]);
}

#[test]
fn a_level_of_two_devices_needs_both() {
    let mut world = demo_cluster(36);
    let second = "<primitive id='pdu' class='stonith' type='fence_pdu'>\
                  <instance_attributes id='pdu-params'>\
                  <nvpair id='pdu-hosts' name='pcmk_host_list' value='node1'/></instance_attributes></primitive>";
    change(&mut world, "node1", modify(&format!("<resources>{second}</resources>")));
    change(
        &mut world,
        "node1",
        modify(
            "<fencing-topology><fencing-level id='l1' target='node1' index='1' devices='fence,pdu'/></fencing-topology>",
        ),
    );
    settled(&mut world, 60_000);
    world.kill("node1");
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    let text = world.timeline_text();
    assert!(text.contains("action: \"reboot\""), "{text}");
}

#[test]
fn death_of_a_fencing_owner_does_not_leave_the_target_unfenced() {
    let mut world = demo_cluster(37);
    world.agents.durations.insert("fence:reboot".to_owned(), 3000);
    world.reboot_after = Some(5000);
    world.kill("node1");
    world.run(1000);
    world.kill("node2");
    world.run(1000);
    // one of three is left: no quorum, nothing may be taken over
    active(&world, "WEB", &["node1"]);
    world.start("node2");
    wait(&mut world, 60_000, |world| world.hosts.values().all(|host| host.node.is_some()));
    settled(&mut world, 120_000);
    group_runs_once(&world, &demo::RESOURCES)
        .unwrap_or_else(|error| panic!("{error}\n{}", world.timeline_text()));
}

#[test]
fn a_fence_device_that_lies_is_found_out_by_the_simulator() {
    let mut world = demo_cluster(38);
    world.agents.fence_lies = true;
    world.kill("node1");
    world.run(30_000);
    assert!(
        world.violations.iter().any(|text| text.contains("may be active on node1")),
        "{:?}",
        world.violations
    );
}
