//! What clients ask for, and what they are answered.

use cluster::{CibOperation, CibQuery, RefusalCode, Reply, Request};

use super::{active, change, configured, demo_cluster, dummies, handed_out, modify, settled, wait};
use simulator::World;

#[test]
fn cleanup_forgets_failures_and_probes_again() {
    let mut world = demo_cluster(50);
    world.break_resource("node1", "WEB");
    settled(&mut world, 60_000);
    world.run(20_000);
    settled(&mut world, 60_000);
    assert!(world.node("node1").cib_text().contains("fail-count-WEB"), "{}", world.timeline_text());
    let probes = handed_out(&world, "node2", "monitor WEB node1");
    world.request(
        "node2",
        Request::Cleanup {
            resource: Some("site".to_owned()),
            node: None,
            operation: None,
            interval: None,
            only_failed: true,
        },
    );
    world.run(100);
    settled(&mut world, 60_000);
    let text = world.node("node3").cib_text();
    assert!(!text.contains("fail-count-WEB"), "{text}");
    assert!(!text.contains("id=\"WEB_last_failure_0\" operation_key=\"WEB_monitor_10000\""), "{text}");
    assert!(text.contains("last-lrm-refresh"), "{text}");
    assert!(handed_out(&world, "node2", "monitor WEB node1") > probes, "{}", world.timeline_text());
    active(&world, "WEB", &["node1"]);
}

#[test]
fn a_resource_can_be_failed_on_purpose() {
    let mut world = demo_cluster(51);
    let fail =
        |resource: &str| Request::FailResource { resource: resource.to_owned(), node: "node1".to_owned() };
    world.request("node3", fail("WEB"));
    world.run(100);
    settled(&mut world, 60_000);
    let text = world.node("node1").cib_text();
    assert!(text.contains("fail-count-WEB#asyncmon_0"), "{text}");
    assert_eq!(handed_out(&world, "node2", "start WEB node1"), 2, "{}", world.timeline_text());
    // to a later plan the failure is older than the restart
    let property = "<crm_config><cluster_property_set id='s'><nvpair id='p' name='batch-limit' value='7'/></cluster_property_set></crm_config>";
    change(&mut world, "node1", modify(property));
    settled(&mut world, 60_000);
    assert_eq!(handed_out(&world, "node2", "start WEB node1"), 2, "{}", world.timeline_text());
    let request = world.request("node3", fail("nothing"));
    world.run(100);
    assert!(
        matches!(&world.replies[&request], Reply::Refused(refusal) if refusal.code == RefusalCode::NotFound)
    );
}

#[test]
fn a_full_disk_disturbs_nothing_and_is_written_again_when_there_is_room() {
    let mut world = demo_cluster(57);
    let property = |value: &str| {
        modify(&format!(
            "<crm_config><cluster_property_set id='s'><nvpair id='p' name='batch-limit' value='{value}'/></cluster_property_set></crm_config>"
        ))
    };
    let stored = |world: &World| world.host("node2").disk.clone().unwrap_or_default();
    world.set_disk_full("node2", true);
    change(&mut world, "node1", property("7"));
    settled(&mut world, 60_000);
    assert!(world.node("node2").cib_text().contains("value=\"7\""));
    world.run(30_000);
    assert!(!stored(&world).contains("value=\"7\""));
    assert_eq!(world.timeline_text().matches("cannot be written to disk").count(), 1, "said once");
    world.set_disk_full("node2", false);
    world.run(10_100);
    assert!(stored(&world).contains("value=\"7\""), "{}", world.timeline_text());
    assert!(world.timeline_text().contains("is written to disk again"));
    change(&mut world, "node1", property("8"));
    world.run(1_000);
    assert!(stored(&world).contains("value=\"8\""));
}

#[test]
fn a_bad_change_is_refused_and_changes_nothing() {
    let mut world = demo_cluster(52);
    let before = world.node("node1").cib_version();
    let requests = [
        change(&mut world, "node1", modify("<resources><primitive id='x'")),
        change(&mut world, "node2", modify("<resources><nonsense id='x'/></resources>")),
        change(&mut world, "node3", CibOperation::Patch { xml: "<diff/>".to_owned() }),
        // rule 4.23.3: of a newer cluster
        change(&mut world, "node3", modify("<cib crm_feature_set='3.20.6'/>")),
        change(&mut world, "node3", modify("<cib epoch='0'/>")),
    ];
    world.run(1000);
    for request in requests {
        assert!(matches!(&world.replies[&request], Reply::Refused(_)), "{:?}", world.replies[&request]);
    }
    assert_eq!(world.node("node1").cib_version(), before);
}

#[test]
fn a_query_reads_the_local_replica() {
    let mut world = demo_cluster(53);
    let query = CibQuery { xpath: Some("//primitive[@id='WEB']".to_owned()), ..CibQuery::default() };
    let request = world.request("node3", Request::Query(query));
    assert!(
        matches!(&world.replies[&request], Reply::Xml(text) if text.starts_with("<primitive id=\"WEB\""))
    );
}

#[test]
fn disabling_stops_and_waiting_tells_when_it_is_done() {
    let mut world = configured(54, &dummies(&["a"], ""));
    change(
        &mut world,
        "node2",
        modify(
            "<primitive id='a'><meta_attributes id='a-meta'><nvpair id='a-role' name='target-role' value='Stopped'/></meta_attributes></primitive>",
        ),
    );
    world.run(20);
    let request = world.request("node3", Request::WaitSettled);
    wait(&mut world, 30_000, |world| world.replies.contains_key(&request));
    active(&world, "a", &[]);
}

#[test]
fn a_node_that_left_can_be_removed() {
    let mut world = configured(55, &dummies(&[], ""));
    let refused = world.request("node1", Request::RemoveNode { name: "node3".to_owned() });
    world.run(100);
    assert!(matches!(&world.replies[&refused], Reply::Refused(_)));
    world.kill("node3");
    world.run(1000);
    world.request("node1", Request::RemoveNode { name: "node3".to_owned() });
    world.run(1000);
    let text = world.node("node2").cib_text();
    assert!(!text.contains("node_state id=\"3\"") && !text.contains("<node id=\"3\""), "{text}");
}

#[test]
fn status_tells_what_is_going_on() {
    let mut world = demo_cluster(56);
    let status = world.node("node2").status();
    assert_eq!(status.dc.as_deref(), Some("node1"));
    assert!(status.settled && status.peers.iter().all(|peer| peer.joined));
    world.agents.durations.insert("WEB:stop".to_owned(), 5000);
    world.request("node2", Request::Standby { node: "node1".to_owned(), on: true, until_restart: true });
    world.run(1000);
    let status = world.node("node1").status();
    assert!(
        status.transition.is_some_and(|transition| transition.in_flight.contains(&"WEB_stop_0".to_owned()))
    );
    assert!(status.running.iter().any(|running| running.resource == "WEB" && running.action == "stop"));
}

#[test]
fn a_cleanup_ends_a_monitor_that_has_not_answered_yet() {
    let mut world = configured(57, &dummies(&["a"], ""));
    let place = world.active_on("a")[0].clone();
    world.agents.durations.insert("a:monitor".to_owned(), 100_000_000);
    change(&mut world, "node1", modify("<op id='a-monitor' interval='5s' name='monitor'/>"));
    world.run(2000);
    world.agents.durations.clear();
    world.request(
        "node2",
        Request::Cleanup {
            resource: Some("a".to_owned()),
            node: None,
            operation: None,
            interval: None,
            only_failed: false,
        },
    );
    world.run(100);
    settled(&mut world, 60_000);
    active(&world, "a", &[&place]);
    assert_eq!(world.node(&place).status().recurring, 1, "{}", world.timeline_text());
}

#[test]
fn attributes_of_the_root_survive_a_restart_of_the_whole_cluster() {
    let mut world = configured(58, &dummies(&["a"], ""));
    let before = world.node("node1").status().cib_version;
    let epoch = |version: &str| version.rsplit_once('.').map(|(epoch, _)| epoch.to_owned());
    let root = "<cib remote-tls-port='3121' validate-with='pacemaker-3.9'/>";
    change(&mut world, "node2", modify(root));
    world.run(1000);
    let after = world.node("node1").status().cib_version;
    assert!(after != before && epoch(&after) == epoch(&before), "{before} {after}");
    for node in ["node1", "node2", "node3"] {
        world.kill(node);
    }
    for node in ["node1", "node2", "node3"] {
        world.start(node);
    }
    settled(&mut world, 60_000);
    let text = world.node("node3").cib_text();
    assert!(text.contains("remote-tls-port=\"3121\"") && text.contains("pacemaker-3.9"), "{text}");
    active(&world, "a", &[&world.active_on("a")[0].clone()]);
    simulator::invariants::replicas_agree(&world).expect("equal replicas");
}
