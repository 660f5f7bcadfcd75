//! Clones, promotion and notifications.

use cluster::{AttributeUpdate, CibOperation, Request};
use simulator::World;

use super::{active, change, configured, handed_out, modify, settled};

const PROMOTABLE: &str = "<configuration><crm_config><cluster_property_set id='cib-bootstrap-options'>\
  <nvpair id='f' name='stonith-enabled' value='false'/></cluster_property_set></crm_config><nodes/><resources>\
  <clone id='dbs'><meta_attributes id='m'><nvpair id='m-p' name='promotable' value='true'/>\
  <nvpair id='m-n' name='notify' value='true'/></meta_attributes>\
  <primitive id='db' class='ocf' provider='systole' type='Stateful'><operations>\
  <op id='o1' name='monitor' interval='10s' timeout='20s'/>\
  <op id='o2' name='monitor' role='Promoted' interval='11s' timeout='20s'/></operations></primitive>\
  </clone></resources><constraints/></configuration>";

fn promote_preference(world: &mut World, node: &str, score: &str) {
    let update = AttributeUpdate::set(node, "master-db", score);
    world.request(node, Request::UpdateAttribute(update));
    world.run(50);
}

fn promoted(world: &World) -> Vec<&str> {
    world.hosts.values().filter(|host| !host.promoted.is_empty()).map(|host| host.name.as_str()).collect()
}

#[test]
fn a_promotable_clone_runs_everywhere_and_is_promoted_where_its_score_is_highest() {
    let mut world = configured(70, PROMOTABLE);
    active(&world, "db", &["node1", "node2", "node3"]);
    promote_preference(&mut world, "node2", "10");
    promote_preference(&mut world, "node3", "5");
    settled(&mut world, 60_000);
    assert_eq!(promoted(&world), ["node2"], "{}", world.timeline_text());
    world.request("node1", Request::Standby { node: "node2".to_owned(), on: true, until_restart: false });
    world.run(50);
    settled(&mut world, 60_000);
    assert_eq!(promoted(&world), ["node3"], "{}", world.timeline_text());
    active(&world, "db", &["node1", "node3"]);
}

#[test]
fn a_new_plan_in_the_middle_does_not_swallow_notifications() {
    let mut world = configured(71, PROMOTABLE);
    world.request("node1", Request::Standby { node: "node3".to_owned(), on: true, until_restart: false });
    world.run(50);
    settled(&mut world, 60_000);
    world.agents.durations.insert("db:start".to_owned(), 3000);
    let before = handed_out(&world, "node1", "notify db node1");
    world.request("node1", Request::Standby { node: "node3".to_owned(), on: false, until_restart: false });
    world.run(1500);
    // in the middle of the start, something else asks for a new plan
    promote_preference(&mut world, "node1", "10");
    settled(&mut world, 60_000);
    assert_eq!(promoted(&world), ["node1"]);
    // before and after the start, before and after the promotion
    let after = handed_out(&world, "node1", "notify db node1");
    assert_eq!(after - before, 4, "{}", world.timeline_text());
}

#[test]
fn a_changed_monitor_of_a_clone_is_started_anew_once() {
    let mut world = configured(72, PROMOTABLE);
    let monitors = |world: &World| handed_out(world, "node1", "monitor db node3");
    let longer = "<op id='o1' name='monitor' interval='10s' timeout='25s'/>";
    let xpath = Some("//op[@id='o1']".to_owned());
    change(&mut world, "node1", CibOperation::Replace { scope: None, xpath, xml: longer.to_owned() });
    settled(&mut world, 60_000);
    let before = monitors(&world);
    for number in 0..3 {
        change(
            &mut world,
            "node1",
            modify(&format!("<tags><tag id='t{number}'><obj_ref id='x'/></tag></tags>")),
        );
        settled(&mut world, 60_000);
    }
    assert_eq!(monitors(&world), before, "{}", world.timeline_text());
    let text = world.node("node1").cib_text();
    assert!(!text.contains("db:"), "the executor knows no instances of anonymous clones:\n{text}");
}

#[test]
fn nodes_that_leave_together_do_not_wait_for_a_notification_that_nobody_is_left_to_get() {
    for seed in 73..93 {
        let mut world = configured(seed, PROMOTABLE);
        promote_preference(&mut world, "node2", "10");
        promote_preference(&mut world, "node3", "5");
        settled(&mut world, 60_000);
        world.agents.durations.insert("db:stop".to_owned(), 30);
        for name in ["node1", "node2", "node3"] {
            let id = world.id(name);
            world.step(id, cluster::Input::Shutdown { escalate: false });
        }
        // the agents take their scores back while they stop
        let stopping = |world: &World| handed_out(world, "node1", "stop db node1") > 0;
        assert!(world.run_while(60_000, stopping), "{}", world.timeline_text());
        for name in ["node2", "node3"] {
            world.request(name, Request::UpdateAttribute(AttributeUpdate::delete(name, "master-db")));
        }
        let gone = |world: &World| world.hosts.values().all(|host| host.ended.is_some());
        // before the DC would look again by itself
        assert!(world.run_while(300, gone), "seed {seed}\n{}", world.timeline_text());
    }
}
