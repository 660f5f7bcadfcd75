//! Transient node attributes across the cluster.

use cluster::{AttributeUpdate, Reply, Request};
use simulator::World;

use super::{configured, dummies, settled};

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

#[test]
fn a_value_is_on_all_nodes_and_in_the_cib() {
    let mut world = configured(40, &dummies(&[], ""));
    update(&mut world, "node2", AttributeUpdate::set("node2", "pingd", "100"));
    assert_eq!(value(&mut world, "node3", "pingd", "node2").as_deref(), Some("100"));
    let text = world.node("node1").cib_text();
    assert!(text.contains("<nvpair id=\"status-2-pingd\" name=\"pingd\" value=\"100\"/>"), "{text}");
}

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
}

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
}

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
