//! Who may fence when, and what follows from it, rule by rule, on whole clusters.

use cluster::{EventKind, FenceRecord, FenceRequest, FenceState, Reply, Request, RequestId};
use simulator::invariants::{group_runs_once, replicas_agree};
use simulator::{World, demo};

use super::{active, change, configured, demo_cluster, modify, planner, property, settled, wait};

/// Longer than any scenario, in milliseconds.
const NEVER: u64 = 1_000_000_000;

fn fence(world: &mut World, on: &str, target: &str, action: &str, timeout: u64) -> RequestId {
    let request = FenceRequest {
        target: target.to_owned(),
        action: action.to_owned(),
        timeout,
        delay: Some(0),
        tolerance: 0,
        client: "stonith_admin".to_owned(),
    };
    world.request(on, Request::Fence(request))
}

/// Waits for the answer to a request for fencing.
#[track_caller]
fn answer(world: &mut World, request: RequestId) -> Reply {
    wait(world, 1_000_000, |world| world.replies.contains_key(&request));
    world.replies[&request].clone()
}

fn history(world: &World, node: &str) -> Vec<FenceRecord> {
    world.node(node).status().fencing
}

/// The state that a node's CIB has of another, start tag and content.
fn state_of(world: &World, on: &str, node: &str) -> String {
    let text = world.node(on).cib_text();
    let states = text.split("<node_state ").skip(1);
    let state = states.filter(|state| state.contains(&format!("uname=\"{node}\""))).collect::<Vec<_>>();
    assert_eq!(state.len(), 1, "{text}");
    state[0].split("</status>").next().unwrap_or_default().to_owned()
}

#[test]
fn rule_4_50_4_an_administrator_fences_without_quorum() {
    let mut world = demo_cluster(300);
    // the cluster itself cannot, so that nobody is faster
    world.agents.codes.insert("fence:reboot".to_owned(), 1);
    world.split(&[&["node3"]]);
    world.run(5000);
    assert!(!world.node("node3").status().view.quorate);
    let request = fence(&mut world, "node3", "node1", "off", 60_000);
    assert!(matches!(answer(&mut world, request), Reply::Fenced(_)));
    assert!(!world.host("node1").powered);
}

#[test]
fn rule_4_50_3_a_hung_manager_that_holds_up_the_join_round_is_fenced_all_the_same() {
    let mut world = demo_cluster(301);
    world.freeze("node1");
    world.kill("node3");
    world.run(1000);
    // one of the two that are left says nothing: there is no coordinator
    assert_eq!(world.node("node2").status().dc, None, "{}", world.timeline_text());
    let begun = world.time;
    let request = fence(&mut world, "node2", "node1", "off", 60_000);
    assert!(matches!(answer(&mut world, request), Reply::Fenced(_)), "{:?}", world.replies);
    assert!(world.time - begun < 10_000, "{}", world.timeline_text());
    assert!(!world.host("node1").powered);
}

#[test]
fn rule_4_50_3_fencing_needs_no_disk() {
    let mut world = demo_cluster(302);
    for name in ["node1", "node2", "node3"] {
        world.set_disk_full(name, true);
    }
    change(&mut world, "node2", modify("<tags><tag id='t'><obj_ref id='x'/></tag></tags>"));
    world.run(1000);
    world.kill("node1");
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
}

#[test]
fn rule_4_53_1_the_coordinator_asks_with_its_property_a_tool_with_its_option() {
    let mut world = demo_cluster(303);
    property(&mut world, "fencing-timeout", "7s");
    for action in ["fence:off", "fence:reboot"] {
        world.agents.durations.insert(action.to_owned(), u64::MAX / 4);
    }
    let request = fence(&mut world, "node2", "node3", "off", 5000);
    let begun = world.time;
    assert!(matches!(answer(&mut world, request), Reply::Refused(_)));
    assert!((5000..6500).contains(&(world.time - begun)), "{}", world.timeline_text());
    let begun = world.time;
    world.kill("node3");
    wait(&mut world, 30_000, |world| {
        history(world, "node2").iter().any(|one| one.action == "reboot" && one.state == FenceState::Failed)
    });
    assert!((7000..9000).contains(&(world.time - begun)), "{}", world.timeline_text());
}

#[test]
fn rule_4_53_5_who_waits_for_an_equal_operation_waits_no_longer_than_it_takes() {
    let mut world = demo_cluster(304);
    world.agents.durations.insert("fence:off".to_owned(), u64::MAX / 4);
    let begun = world.time;
    let first = fence(&mut world, "node2", "node3", "off", 5000);
    world.run(1000);
    let second = fence(&mut world, "node1", "node3", "off", 600_000);
    assert!(matches!(answer(&mut world, second), Reply::Refused(_)));
    assert!(world.time - begun < 7000, "{}", world.timeline_text());
    assert_eq!(world.replies[&first], world.replies[&second]);
}

/// Two halves of a cluster that may both go on, one of them with the resource that counts.
fn halves(seed: u64, delay: &str) -> World {
    let mut world = World::new(2, seed, planner);
    for name in ["node1", "node2"] {
        world.start(name);
    }
    settled(&mut world, 60_000);
    let options = format!(
        "<nvpair id=\"opt-q\" name=\"no-quorum-policy\" value=\"ignore\"/>\
         <nvpair id=\"opt-d\" name=\"priority-fencing-delay\" value=\"{delay}\"/><nvpair id=\"opt-fencing\""
    );
    let defaults = "<nvpair id=\"priority\" name=\"priority\" value=\"1\"/><nvpair id=\"stickiness\"";
    let text = demo::CONFIGURATION.replacen("<nvpair id=\"opt-fencing\"", &options, 1).replacen(
        "<nvpair id=\"stickiness\"",
        defaults,
        1,
    );
    world.request("node1", demo::load(&text));
    settled(&mut world, 60_000);
    active(&world, "WEB", &["node1"]);
    world
}

#[test]
fn rule_4_54_3_who_would_fence_the_more_important_half_waits() {
    let mut world = halves(305, "20s");
    let begun = world.time;
    world.split(&[&["node1"]]);
    wait(&mut world, 60_000, |world| !world.host("node2").powered);
    assert!(world.time - begun < 5000 && world.host("node1").powered, "{}", world.timeline_text());
    // dead rather than cut off: it is fenced when the delay is over
    let mut world = halves(306, "20s");
    let begun = world.time;
    world.kill("node1");
    wait(&mut world, 60_000, |world| !world.host("node1").powered);
    assert!(world.time - begun >= 20_000, "{}", world.timeline_text());
}

#[test]
fn rule_4_55_3_who_managed_the_fencing_dies_and_the_next_coordinator_fences_anew() {
    let mut world = World::new(5, 307, planner);
    for number in 1..=5 {
        world.start(&format!("node{number}"));
    }
    settled(&mut world, 60_000);
    world.request("node1", demo::load(demo::CONFIGURATION));
    settled(&mut world, 60_000);
    assert_eq!(world.node("node3").dc(), Some("node1"));
    world.agents.durations.insert("fence:reboot".to_owned(), 20_000);
    world.kill("node4");
    wait(&mut world, 10_000, |world| {
        history(world, "node2").iter().any(|one| one.state == FenceState::Executing)
    });
    world.agents.durations.clear();
    world.power_off("node1");
    wait(&mut world, 30_000, |world| !world.host("node4").powered);
    settled(&mut world, 60_000);
    let records = history(&world, "node3");
    let of_node4: Vec<_> =
        records.iter().filter(|record| record.target == "node4").map(|record| record.state).collect();
    assert_eq!(of_node4, [FenceState::Failed, FenceState::Done], "{records:?}");
}

#[test]
fn rule_4_55_4_what_an_unfenced_node_ran_is_started_nowhere_whoever_coordinates() {
    let mut world = World::new(5, 308, planner);
    for number in 1..=5 {
        world.start(&format!("node{number}"));
    }
    settled(&mut world, 60_000);
    world.request("node1", demo::load(demo::CONFIGURATION));
    settled(&mut world, 60_000);
    active(&world, "WEB", &["node1"]);
    world.agents.codes.insert("fence:reboot".to_owned(), 1);
    world.kill("node1");
    world.run(30_000);
    let first = world.node("node3").dc().map(str::to_owned);
    world.kill("node2");
    world.run(30_000);
    assert_ne!(world.node("node3").dc().map(str::to_owned), first);
    // what the old one ran is still there, and nowhere else
    active(&world, "WEB", &["node1"]);
    world.agents.codes.clear();
    world.request(
        "node3",
        Request::Cleanup { resource: None, node: None, operation: None, interval: None, only_failed: false },
    );
    settled(&mut world, 60_000);
    group_runs_once(&world, &demo::RESOURCES)
        .unwrap_or_else(|error| panic!("{error}\n{}", world.timeline_text()));
    assert!(!world.host("node1").powered && !world.host("node2").powered);
}

#[test]
fn rule_4_55_5_a_node_that_boots_alone_fences_nobody() {
    let mut world = demo_cluster(309);
    for name in ["node1", "node2", "node3"] {
        world.power_off(name);
        world.power_on(name);
    }
    world.start("node1");
    world.run(3_600_000);
    assert!(history(&world, "node1").is_empty(), "{}", world.timeline_text());
    active(&world, "WEB", &[]);
}

/// The demonstration with a device that switches nodes on before they may run anything.
fn unfencing() -> String {
    let meta = "<primitive id=\"fence\" class=\"stonith\" type=\"fence_demo\">\
                <meta_attributes id=\"fence-meta\"><nvpair id=\"fence-on\" name=\"provides\" value=\"unfencing\"/></meta_attributes>";
    demo::CONFIGURATION.replacen("<primitive id=\"fence\" class=\"stonith\" type=\"fence_demo\">", meta, 1)
}

#[test]
fn rule_4_56_3_a_node_that_was_switched_on_has_the_time_and_the_digests() {
    let world = configured(310, &unfencing());
    active(&world, "WEB", &["node1"]);
    for name in ["node1", "node2", "node3"] {
        let state = state_of(&world, "node2", name);
        let state = state.split("<node_state ").next().unwrap_or_default();
        for attribute in ["#node-unfenced", "#digests-all", "#digests-secure"] {
            assert!(state.contains(&format!("name=\"{attribute}\"")), "{attribute} of {name}: {state}");
        }
        assert!(state.contains("fence:fence_demo:"), "{state}");
    }
}

#[test]
fn rule_4_56_4_a_node_that_cannot_be_switched_on_is_not_taken_for_down() {
    let mut world = super::started(3, 311);
    world.agents.codes.insert("fence:on".to_owned(), 1);
    world.request("node1", demo::load(&unfencing()));
    world.run(60_000);
    active(&world, "WEB", &[]);
    let records = history(&world, "node2");
    assert!(records.iter().any(|record| record.state == FenceState::Failed), "{records:?}");
    assert!(
        records.iter().all(|record| record.action == "on" && record.state != FenceState::Done),
        "{records:?}"
    );
    for name in ["node1", "node2", "node3"] {
        let state = state_of(&world, "node2", name);
        assert!(state.contains("join=\"member\"") && world.host(name).powered, "{state}");
    }
    // with the next reason to plan it is tried again
    world.agents.codes.clear();
    change(&mut world, "node1", modify("<tags><tag id='t'><obj_ref id='x'/></tag></tags>"));
    wait(&mut world, 60_000, |world| world.active_on("WEB") == ["node1"]);
}

#[test]
fn rule_4_57_1_a_fenced_node_is_down_in_every_copy_with_nothing_left_of_it() {
    let mut world = demo_cluster(312);
    world.losses_noticed_after = NEVER;
    let request = fence(&mut world, "node2", "node3", "off", 60_000);
    answer(&mut world, request);
    world.run(1000);
    for on in ["node1", "node2"] {
        let state = state_of(&world, on, "node3");
        let own = state.split("<node_state ").next().unwrap_or_default();
        assert!(own.contains("join=\"down\"") && own.contains("expected=\"down\""), "{own}");
        assert!(!own.contains("<lrm") && !own.contains("transient_attributes"), "{own}");
        assert!(own.contains("in_ccm=\"0\"") && own.contains("crmd=\"0\""), "{own}");
    }
    world.notice_loss("node3");
    settled(&mut world, 60_000);
    replicas_agree(&world).expect("equal replicas");
}

#[test]
fn rule_4_57_3_what_an_administrator_had_fenced_is_recovered_before_the_membership_has_noticed() {
    let mut world = demo_cluster(317);
    world.request("node1", Request::Standby { node: "node1".to_owned(), on: true, until_restart: false });
    world.run(100);
    settled(&mut world, 60_000);
    active(&world, "WEB", &["node2"]);
    world.losses_noticed_after = NEVER;
    let request = fence(&mut world, "node3", "node2", "off", 60_000);
    answer(&mut world, request);
    wait(&mut world, 10_000, |world| world.active_on("WEB") == ["node3"]);
}

#[test]
fn rule_4_57_2_a_fenced_coordinator_has_a_successor_before_the_membership_has_noticed() {
    let mut world = demo_cluster(313);
    assert_eq!(world.node("node2").dc(), Some("node1"));
    world.losses_noticed_after = NEVER;
    let request = fence(&mut world, "node2", "node1", "off", 60_000);
    answer(&mut world, request);
    wait(&mut world, 10_000, |world| world.active_on("WEB") == ["node2"]);
    assert_eq!(world.node("node3").dc(), Some("node2"));
    for on in ["node2", "node3"] {
        let state = state_of(&world, on, "node1");
        assert!(state.contains("join=\"down\"") && state.contains("expected=\"down\""), "{state}");
    }
    world.losses_noticed_after = 0;
    world.notice_loss("node1");
    world.power_on("node1");
    world.start("node1");
    settled(&mut world, 60_000);
    assert_eq!(world.node("node1").dc(), Some("node2"));
    replicas_agree(&world).expect("equal replicas");
}

#[test]
fn rule_4_57_4_a_node_that_was_never_seen_is_down_once_it_was_fenced() {
    let mut world = demo_cluster(314);
    for name in ["node1", "node2", "node3"] {
        world.power_off(name);
        world.power_on(name);
    }
    world.start("node1");
    world.start("node2");
    wait(&mut world, 60_000, |world| world.active_on("WEB") == ["node1"]);
    let state = state_of(&world, "node2", "node3");
    for part in ["id=\"3\"", "in_ccm=\"0\"", "join=\"down\"", "expected=\"down\""] {
        assert!(state.contains(part), "{part}: {state}");
    }
    settled(&mut world, 60_000);
    assert_eq!(history(&world, "node2").len(), 1, "fenced once: {}", world.timeline_text());
}

#[test]
fn rule_4_57_6_a_fenced_member_that_hangs_holds_up_no_join_round() {
    let mut world = demo_cluster(315);
    // storage was cut off, and the manager hangs: nothing takes it out of the membership
    world.freeze("node3");
    world.losses_noticed_after = NEVER;
    let request = fence(&mut world, "node1", "node3", "off", 60_000);
    answer(&mut world, request);
    world.losses_noticed_after = 0;
    world.kill("node2");
    world.start("node2");
    wait(&mut world, 20_000, |world| world.node("node2").status().dc.is_some());
    settled(&mut world, 60_000);
    group_runs_once(&world, &demo::RESOURCES).expect("running once");
}

#[test]
fn rule_4_58_4_a_node_that_leaves_and_cannot_stop_a_resource_is_fenced_by_the_others() {
    let mut world = demo_cluster(316);
    world.agents.codes.insert("WEB:stop".to_owned(), 1);
    let id = world.id("node1");
    world.step(id, cluster::Input::Shutdown { escalate: false });
    wait(&mut world, 30_000, |world| !world.host("node1").powered);
    world.agents.codes.clear();
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    assert!(!world.timeline_text().contains("panic"), "{}", world.timeline_text());
    let records = history(&world, "node2");
    assert_eq!((records.len(), records[0].state), (1, FenceState::Done), "{records:?}");
}

/// The demonstration with more primitives, which alone may run on nodes that they make, and more levels.
fn with_nodes(seed: u64, primitives: &str, nodes: &[&str], levels: &str) -> World {
    let mut away = String::new();
    for node in nodes {
        for resource in ["fence", "pdu", "site"] {
            away.push_str(&format!(
                "<rsc_location id='{resource}-{node}' rsc='{resource}' node='{node}' score='-INFINITY' \
                 resource-discovery='never'/>"
            ));
        }
    }
    let pdu = "<primitive id='pdu' class='stonith' type='fence_pdu'><instance_attributes id='pdu-p'>\
               <nvpair id='pdu-h' name='pcmk_host_list' value='far node3'/></instance_attributes></primitive>";
    let text = demo::CONFIGURATION
        .replacen("node4 node5", "far", 1)
        .replacen("</resources>", &format!("{pdu}{primitives}</resources>"), 1)
        .replacen("</constraints>", &format!("{away}</constraints>{levels}"), 1);
    configured(seed, &text)
}

const FAR: &str = "<primitive id='far' class='ocf' provider='pacemaker' type='remote'><operations>\
                   <op id='far-m' name='monitor' interval='300s' timeout='30s'/></operations></primitive>";

#[test]
fn rule_4_57_5_the_connection_to_a_fenced_remote_node_fails_at_once_and_is_made_again() {
    let levels = "<fencing-topology><fencing-level id='l' target='far' index='1' devices='fence,pdu'/>\
                  </fencing-topology>";
    let mut world = with_nodes(318, FAR, &["far"], levels);
    let host = world.active_on("far")[0].clone();
    let begun = world.time;
    change(
        &mut world,
        "node2",
        modify(
            "<status><node_state id='far' uname='far' remote_node='true' in_ccm='1800000000' node_fenced='0'>\
                <transient_attributes id='far'><instance_attributes id='far-t'>\
                <nvpair id='far-x' name='x' value='1'/></instance_attributes></transient_attributes>\
                <lrm id='far'><lrm_resources/></lrm></node_state></status>",
        ),
    );
    world.run(1000);
    settled(&mut world, 60_000);
    let started = super::handed_out(&world, "node1", &format!("start far {host}"));
    let request = fence(&mut world, "node2", "far", "off", 60_000);
    let Reply::Fenced(record) = answer(&mut world, request) else { panic!("{:?}", world.replies) };
    // rule 4.52.8: its topology is found by its name
    assert_eq!(record.devices, ["fence", "pdu"]);
    wait(&mut world, 10_000, |world| {
        super::handed_out(world, "node1", &format!("start far {host}")) > started
    });
    assert!(world.time - begun < 60_000, "not with its next monitor: {}", world.timeline_text());
    let state = state_of(&world, "node3", "far");
    let own = state.split("<node_state ").next().unwrap_or_default();
    assert!(own.contains(&format!("node_fenced=\"{}\"", record.seconds())), "{own}");
    assert!(own.contains("in_ccm=\"0\"") && !own.contains("join="), "{own}");
    assert!(!own.contains("<lrm") && !own.contains("transient_attributes"), "{own}");
    settled(&mut world, 60_000);
    assert!(world.node("node1").cib_text().contains("fail-count-far#monitor_300000"));
}

#[test]
fn rule_4_57_5_a_guest_node_is_down_when_what_launches_it_was_stopped() {
    let guest = "<primitive id='vm' class='ocf' provider='systole' type='Dummy'>\
                 <meta_attributes id='vm-m'><nvpair id='vm-n' name='remote-node' value='guest'/></meta_attributes>\
                 <operations><op id='vm-o' name='monitor' interval='10s' timeout='20s'/></operations></primitive>";
    let mut world = with_nodes(319, guest, &["guest"], "");
    let host = world.active_on("vm")[0].clone();
    change(
        &mut world,
        "node2",
        modify(
            "<status><node_state id='guest' uname='guest' remote_node='true' in_ccm='1800000000'>\
                <lrm id='guest'><lrm_resources/></lrm></node_state></status>",
        ),
    );
    world.run(1000);
    settled(&mut world, 60_000);
    world.break_resource(&host, "vm");
    wait(&mut world, 30_000, |world| !world.active_on("vm").is_empty());
    settled(&mut world, 60_000);
    let state = state_of(&world, "node3", "guest");
    let own = state.split("<node_state ").next().unwrap_or_default();
    assert!(own.contains("node_fenced=\"18") && !own.contains("<lrm"), "{own}");
    // it was stopped, and no device was asked
    assert!(history(&world, "node1").is_empty() && world.host(&host).powered);
    replicas_agree(&world).expect("equal replicas");
}

#[test]
fn rule_4_62_3_whoever_watches_is_told_of_what_ends_and_of_what_is_learnt_or_forgotten() {
    let mut world = demo_cluster(320);
    let seen = |world: &World, node: &str| {
        let id = world.id(node);
        let kinds = world.events.iter().filter(|(_, at, _)| *at == id).map(|(_, _, event)| &event.kind);
        let told = |kind: &EventKind| match kind {
            EventKind::FenceDone(record) => Some(format!("{:?} {}", record.state, record.target)),
            EventKind::FenceHistoryChanged { how } => Some(how.clone()),
            _ => None,
        };
        kinds.filter_map(told).collect::<Vec<_>>()
    };
    let request = fence(&mut world, "node2", "node3", "off", 60_000);
    answer(&mut world, request);
    world.power_on("node3");
    world.start("node3");
    settled(&mut world, 60_000);
    world.request("node1", Request::ForgetFencing { target: Some("node3".to_owned()) });
    world.run(1000);
    let forgotten = "finished fencing operations of node3 were forgotten";
    assert_eq!(seen(&world, "node2"), ["Done node3", forgotten], "{}", world.timeline_text());
    assert_eq!(seen(&world, "node3"), ["1 fencing operations are known from other nodes", forgotten]);
    // an operation whose owner dies has ended as well
    world.agents.durations.insert("fence:off".to_owned(), 30_000);
    fence(&mut world, "node1", "node3", "off", 60_000);
    world.run(1000);
    world.kill("node1");
    world.run(1000);
    assert!(seen(&world, "node2").contains(&"Failed node3".to_owned()), "{:?}", seen(&world, "node2"));
}

#[test]
fn a_fence_of_an_earlier_run_is_no_proof_that_the_one_after_it_is_down() {
    let mut world = demo_cluster(321);
    // the device takes its time to say that it is done: its work was done long before
    world.agents.durations.insert("fence:reboot".to_owned(), 10_000);
    world.agents.fence_lies = true;
    world.kill("node1");
    world.run(1000);
    world.power_off("node1");
    world.power_on("node1");
    world.start("node1");
    wait(&mut world, 5000, |world| world.active_on("WEB") == ["node1"]);
    // the new run is cut off, and does not get its resources stopped
    world.agents.durations.insert("WEB:stop".to_owned(), 60_000);
    world.agents.durations.insert("VIP:stop".to_owned(), 60_000);
    world.split(&[&["node1"]]);
    wait(&mut world, 15_000, |world| history(world, "node2").iter().any(|one| !one.state.is_pending()));
    active(&world, "WEB", &["node1"]);
    world.agents.fence_lies = false;
    wait(&mut world, 30_000, |world| world.active_on("WEB") == ["node2"]);
    assert!(!world.host("node1").powered, "{}", world.timeline_text());
}

#[test]
fn a_fencing_that_failed_leaves_the_cluster_at_rest() {
    let mut world = demo_cluster(322);
    world.agents.codes.insert("fence:off".to_owned(), 1);
    let request = fence(&mut world, "node2", "node3", "off", 60_000);
    assert!(matches!(answer(&mut world, request), Reply::Refused(_)));
    let request = world.request("node3", Request::WaitSettled);
    assert_eq!(answer(&mut world, request), Reply::Done);
    settled(&mut world, 10_000);
}

#[test]
fn a_node_that_has_come_back_is_not_fenced_by_what_still_waited_for_the_device() {
    let mut world = demo_cluster(323);
    // a use of the device has to wait for its turn
    let xml = "<resources><primitive id='fence'><instance_attributes id='fence-params'>\
               <nvpair id='fence-delay' name='pcmk_delay_base' value='30s'/></instance_attributes></primitive></resources>";
    change(&mut world, "node2", modify(xml));
    world.run(100);
    settled(&mut world, 60_000);
    world.kill("node3");
    wait(&mut world, 10_000, |world| {
        history(world, "node2").iter().any(|one| one.state == FenceState::Executing)
    });
    world.power_off("node3");
    world.power_on("node3");
    world.start("node3");
    settled(&mut world, 5000);
    assert!(
        history(&world, "node1").iter().all(|one| one.state == FenceState::Failed),
        "{}",
        world.timeline_text()
    );
    world.run(60_000);
    assert!(world.host("node3").node.is_some(), "{}", world.timeline_text());
}
