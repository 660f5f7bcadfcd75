//! Which devices and levels the configuration gives.

use crate::replica::Replica;

use super::Devices;

fn read(resources: &str, rest: &str, properties: &str) -> Devices {
    let text = format!(
        "<cib validate-with='pacemaker-4.0'><configuration>\
         <crm_config><cluster_property_set id='o'>{properties}</cluster_property_set></crm_config>\
         <nodes><node id='1' uname='node1'><instance_attributes id='n1'><nvpair id='n1-rack' name='rack' value='1'/>\
         </instance_attributes></node><node id='2' uname='node2'/></nodes>\
         <resources>{resources}</resources>{rest}</configuration><status/></cib>"
    );
    let (replica, problems) = Replica::load(Some(&text));
    assert!(problems.is_empty(), "{problems:?}");
    replica.devices(cib::iso8601::DateTime::EPOCH)
}

fn property(name: &str, value: &str) -> String {
    format!("<nvpair id='o-{name}' name='{name}' value='{value}'/>")
}

const FENCE: &str = "<primitive id='fence' class='stonith' type='fence_x'/>";

fn users(devices: &Devices) -> Vec<&str> {
    let device = devices.get("fence").expect("configured");
    ["node1", "node2"].into_iter().filter(|node| device.usable_by(node)).collect()
}

#[test]
fn rule_4_8_7_location_constraints_say_who_may_use_a_device() {
    let with = |constraint: &str| read(FENCE, &format!("<constraints>{constraint}</constraints>"), "");
    assert_eq!(users(&with("")), ["node1", "node2"]);
    assert_eq!(users(&with("<rsc_location id='l' rsc='fence' node='node1' score='-INFINITY'/>")), ["node2"]);
    assert_eq!(users(&with("<rsc_location id='l' rsc='fence' node='node1' score='0'/>")), ["node1", "node2"]);
    assert_eq!(users(&with("<rsc_location id='l' rsc-pattern='^fen' node='node2' score='-1'/>")), ["node1"]);
    let rule = "<rsc_location id='l' rsc='fence'><rule id='r' score='-INFINITY'>\
                <expression id='e' attribute='rack' operation='eq' value='1'/></rule></rsc_location>";
    assert_eq!(users(&with(rule)), ["node2"]);
    let rule = "<rsc_location id='l' rsc='fence'><rule id='r' score='-INFINITY'>\
                <expression id='e' attribute='#uname' operation='ne' value='node1'/></rule></rsc_location>";
    assert_eq!(users(&with(rule)), ["node1"]);
}

#[test]
fn rule_4_8_7_the_constraints_of_its_group_and_tags_count_too() {
    let group = format!("<group id='g'>{FENCE}</group>");
    let constraint = "<constraints><rsc_location id='l' rsc='g' node='node1' score='-5'/></constraints>";
    assert_eq!(users(&read(&group, constraint, "")), ["node2"]);
    let tagged = "<constraints><rsc_location id='l' rsc='t' node='node1' score='-5'/></constraints>\
                  <tags><tag id='t'><obj_ref id='fence'/></tag></tags>";
    assert_eq!(users(&read(FENCE, tagged, "")), ["node2"]);
}

#[test]
fn rule_4_8_7_where_nothing_is_allowed_by_default_it_must_be_allowed() {
    let constraint = "<constraints><rsc_location id='l' rsc='fence' node='node2' score='1'/></constraints>";
    assert_eq!(users(&read(FENCE, constraint, &property("symmetric-cluster", "false"))), ["node2"]);
}

#[test]
fn rule_4_8_7_a_disabled_device_is_none() {
    let stopped = "<primitive id='fence' class='stonith' type='fence_x'><meta_attributes id='m'>\
                   <nvpair id='m-t' name='target-role' value='Stopped'/></meta_attributes></primitive>";
    assert!(read(stopped, "<constraints/>", "").devices.is_empty());
}

#[test]
fn rule_4_52_2_the_exact_name_goes_before_patterns_and_attributes() {
    let level = |id: &str, target: &str, index: u8, devices: &str| {
        format!("<fencing-level id='{id}' {target} index='{index}' devices='{devices}'/>")
    };
    let topology = [
        level("a", "target-pattern='node.'", 1, "p"),
        level("b", "target='node1'", 2, "second"),
        level("c", "target='node1'", 1, "first,both"),
        level("d", "target-attribute='rack' target-value='2'", 1, "rack"),
    ]
    .concat();
    let devices = read(FENCE, &format!("<constraints/><fencing-topology>{topology}</fencing-topology>"), "");
    assert_eq!(
        devices.topology("NODE1"),
        [vec!["first".to_owned(), "both".to_owned()], vec!["second".to_owned()]]
    );
    assert_eq!(devices.topology("node2"), [vec!["p".to_owned()]]);
    assert!(devices.topology("other").is_empty());
}

#[test]
fn rule_4_52_1_a_level_may_be_for_all_nodes_with_an_attribute() {
    let level = "<fencing-level id='d' target-attribute='rack' target-value='1' index='1' devices='fence'/>";
    let devices = read(FENCE, &format!("<constraints/><fencing-topology>{level}</fencing-topology>"), "");
    assert_eq!(devices.topology("node1"), [vec!["fence".to_owned()]]);
    assert!(devices.topology("node2").is_empty());
}

#[test]
fn rule_4_52_8_remote_and_guest_nodes_have_levels_by_their_names() {
    let levels = "<fencing-level id='a' target='far' index='1' devices='fence'/>\
                  <fencing-level id='b' target-pattern='^guest' index='1' devices='pdu'/>";
    let devices = read(FENCE, &format!("<constraints/><fencing-topology>{levels}</fencing-topology>"), "");
    assert_eq!(devices.topology("far"), [["fence"]]);
    assert_eq!(devices.topology("guest-1"), [["pdu"]]);
}

#[test]
fn rule_4_59_4_the_watchdog_device_has_one_name_and_one_agent() {
    let device = |id: &str, agent: &str| {
        format!(
            "<primitive id='{id}' class='stonith' type='{agent}'><instance_attributes id='{id}-p'>\
             <nvpair id='{id}-h' name='pcmk_host_list' value='node1'/></instance_attributes></primitive>"
        )
    };
    let on = property("fencing-watchdog-timeout", "10s");
    let read = |id: &str, agent: &str, on: &str| read(&device(id, agent), "<constraints/>", on);
    let good = read("watchdog", "fence_watchdog", &on);
    assert!(good.watchdog_applies_to("node1") && !good.watchdog_applies_to("node2"));
    for (bad, word) in [
        (read("other", "fence_watchdog", &on), "must have the name"),
        (read("watchdog", "fence_x", &on), "kept for"),
        (read("watchdog", "fence_watchdog", ""), "not set"),
    ] {
        assert!(bad.devices.is_empty(), "{:?}", bad.devices);
        assert!(bad.warnings()[0].contains(word), "{:?}", bad.warnings());
    }
}
