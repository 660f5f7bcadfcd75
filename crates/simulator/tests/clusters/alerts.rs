//! Alerts: which node has which agents run, and when.

use cluster::{AlertRun, AttributeUpdate, FenceRequest, Request};
use simulator::{World, demo};

use super::{configured, settled, wait};

const ALERTS: &str = "<alerts><alert id='all' path='/all'><select><select_nodes/><select_fencing/>\
    <select_resources/><select_attributes/></select><recipient id='r' value='who'/></alert></alerts></configuration>";

fn value<'a>(run: &'a AlertRun, name: &str) -> &'a str {
    let name = format!("CRM_alert_{name}");
    let found = run.environment.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// What was told since, as `node: kind of node: rest`.
fn told(world: &World, since: usize, kind: &str) -> Vec<String> {
    let name = |id: &cluster::NodeId| world.hosts.get(id).map(|host| host.name.clone()).unwrap_or_default();
    let runs = world.alerts[since..].iter().filter(|(_, run)| value(run, "kind") == kind);
    let line = |(id, run): &(cluster::NodeId, AlertRun)| {
        let rest =
            ["task", "rsc", "attribute_name", "attribute_value", "desc", "rc"].map(|name| value(run, name));
        let rest: Vec<&str> = rest.into_iter().filter(|text| !text.is_empty()).collect();
        format!("{}: {} {}", name(id), value(run, "node"), rest.join(" "))
    };
    let mut lines: Vec<String> = runs.map(line).collect();
    lines.sort();
    lines
}

fn watched(seed: u64) -> World {
    configured(seed, &demo::CONFIGURATION.replacen("</configuration>", ALERTS, 1))
}

#[test]
fn rule_4_11_5_every_node_tells_of_a_fencing_and_of_a_lost_member() {
    let mut world = watched(400);
    let since = world.alerts.len();
    let request = FenceRequest {
        target: "node3".to_owned(),
        action: "off".to_owned(),
        timeout: 60_000,
        delay: Some(0),
        tolerance: 0,
        client: "stonith_admin".to_owned(),
    };
    world.request("node1", Request::Fence(request));
    wait(&mut world, 30_000, |world| !world.host("node3").powered);
    settled(&mut world, 60_000);
    assert_eq!(told(&world, since, "node"), ["node1: node3 lost", "node2: node3 lost"]);
    let fencing = told(&world, since, "fencing");
    assert_eq!(fencing.len(), 2, "{fencing:?}");
    for (line, by) in fencing.iter().zip(["node1", "node2"]) {
        assert!(
            line.starts_with(&format!("{by}: node3 st_notify_fence Operation off of node3 by ")),
            "{line}"
        );
        assert!(line.ends_with("for stonith_admin@node1: OK 0"), "{line}");
    }
}

#[test]
fn rule_4_11_5_a_resource_is_told_of_where_it_runs_and_a_probe_as_expected_nowhere() {
    let mut world = watched(401);
    let started = told(&world, 0, "resource");
    assert!(started.contains(&"node1: node1 start WEB ok 0".to_owned()), "{started:?}");
    assert!(started.iter().all(|line| !line.contains("not running")), "{started:?}");
    let since = world.alerts.len();
    world.break_resource("node1", "WEB");
    wait(&mut world, 15_000, |world| world.active_on("WEB") == ["node1"]);
    settled(&mut world, 60_000);
    let lines = told(&world, since, "resource");
    assert!(lines.contains(&"node1: node1 monitor WEB not running 7".to_owned()), "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("node1: node1 ")), "{lines:?}");
}

#[test]
fn rule_4_11_5_one_node_tells_of_an_attribute_and_private_ones_are_kept() {
    let mut world = watched(402);
    let since = world.alerts.len();
    world.request("node2", Request::UpdateAttribute(AttributeUpdate::set("node3", "pingd", "7")));
    let private = AttributeUpdate { private: true, ..AttributeUpdate::set("node3", "secret", "7") };
    world.request("node2", Request::UpdateAttribute(private));
    world.run(1000);
    world.request("node2", Request::UpdateAttribute(AttributeUpdate::delete("node3", "pingd")));
    world.run(1000);
    assert_eq!(told(&world, since, "attribute"), ["node1: node3 pingd", "node1: node3 pingd 7"]);
}
