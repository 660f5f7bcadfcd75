//! Valid configurations on which other managers give up or plan something that never ends: here the plan is
//! sound and carried out to its end, and what has nothing to do with the trouble (`z`) is managed.

#![allow(clippy::unwrap_used)] // a test

use super::tests::{cluster, execute, location, order, primitive};
use xml::Document;

/// Carries the plan out; whatever is said is returned.
fn managed(document: Document) -> String {
    let outcome = execute(document);
    assert_eq!(outcome.exit, 0, "{}{}", outcome.errors, outcome.text);
    assert!(!outcome.errors.contains("terminated"), "{}", outcome.errors);
    assert!(outcome.text.contains("Resource action: z               start"), "{}", outcome.text);
    outcome.errors + &outcome.warnings.join("\n") + &outcome.remarks.join("\n")
}

fn with_z(resources: &str, constraints: &str, history: &str) -> Document {
    cluster(&(resources.to_owned() + &primitive("z")), constraints, history)
}

fn many(ids: &[&str]) -> String {
    ids.iter().map(|id| primitive(id)).collect()
}

fn meta(id: &str, name: &str, value: &str) -> String {
    format!(
        "<meta_attributes id='m-{id}'><nvpair id='m-{id}-{name}' name='{name}' value='{value}'/></meta_attributes>"
    )
}

fn group(id: &str, members: &[&str]) -> String {
    format!("<group id='{id}'>{}</group>", many(members))
}

fn set(id: &str, attributes: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|member| format!("<resource_ref id='{member}'/>")).collect();
    format!("<resource_set id='{id}' {attributes}>{members}</resource_set>")
}

fn set_option(document: &mut Document, name: &str, value: &str) {
    let place = xml::xpath::select(document, "//cluster_property_set").unwrap()[0];
    let pair = document.append_element(place, "nvpair");
    document.set_attribute(pair, "id", &format!("set-{name}"));
    document.set_attribute(pair, "name", name);
    document.set_attribute(pair, "value", value);
}

#[test]
fn an_order_of_a_resource_with_itself() {
    managed(with_z(&many(&["a"]), &order("a", "a"), ""));
    managed(with_z(&many(&["a"]), &order("a", "a"), "a@n1 a@n2"));
}

#[test]
fn the_same_resource_twice_in_one_order() {
    let sets = set("s1", "", &["a", "b"]) + &set("s2", "", &["a", "c"]);
    let constraint = format!("<rsc_order id='o'>{sets}</rsc_order>");
    let said = managed(with_z(&many(&["a", "b", "c"]), &constraint, ""));
    assert!(said.contains("a_start_0"), "the cycle is named: {said}");
    let doubled = format!("<rsc_order id='o'>{}</rsc_order>", set("s1", "", &["a", "a", "b"]));
    managed(with_z(&many(&["a", "b"]), &doubled, "a@n1 b@n1"));
}

#[test]
fn an_order_whose_tag_contains_its_own_then() {
    let mut document = with_z(&many(&["a", "b"]), "<rsc_order id='o' first='t' then='a'/>", "");
    let configuration = document.child(document.root(), "configuration").unwrap();
    let tags = document.append_element(configuration, "tags");
    let tag = document.append_element(tags, "tag");
    document.set_attribute(tag, "id", "t");
    for member in ["a", "b"] {
        let reference = document.append_element(tag, "obj_ref");
        document.set_attribute(reference, "id", member);
    }
    managed(document);
}

#[test]
fn a_circle_of_orders_is_told_with_its_members() {
    let constraints = order("a", "b") + &order("b", "c") + &order("c", "a");
    let said = managed(with_z(&many(&["a", "b", "c"]), &constraints, ""));
    for member in ["a_start_0", "b_start_0", "c_start_0"] {
        assert!(said.contains(member), "{said}");
    }
    managed(with_z(&many(&["a", "b", "c"]), &constraints, "a@n1 b@n1 c@n1"));
}

#[test]
fn the_summary_says_what_will_not_happen_and_warnings_are_told_once() {
    let constraints = order("a", "b") + &order("b", "a") + &location("gone", "n1", "1");
    let outcome = execute(with_z(&many(&["a", "b"]), &constraints, ""));
    let line = |name: &str| {
        let found = outcome.text.lines().find(|line| line.contains(&format!("Start      {name} ")));
        found.unwrap_or_else(|| panic!("{name}: {}", outcome.text)).to_owned()
    };
    assert!(line("a").ends_with("blocked") && line("b").ends_with("blocked"), "{}", outcome.text);
    assert!(!line("z").contains("blocked"), "{}", outcome.text);
    let about = |told: &[String], text| told.iter().filter(|line| line.contains(text)).count();
    assert_eq!(about(&outcome.warnings, "Left out of the plan"), 1, "{:?}", outcome.warnings);
    assert_eq!(about(&outcome.remarks, "gone"), 1, "{:?}", outcome.remarks);
}

#[test]
fn a_promoted_instance_without_location_in_an_opt_in_cluster() {
    let clone = format!("<clone id='c'>{}{}</clone>", meta("c", "promotable", "true"), primitive("a"));
    let mut document = with_z(&clone, &location("z", "n1", "10"), "a@n1");
    set_option(&mut document, "symmetric-cluster", "false");
    let entry = xml::xpath::select(&document, "//lrm_rsc_op[@operation='start']").unwrap()[0];
    document.set_attribute(entry, "operation", "promote");
    document.set_attribute(entry, "operation_key", "a_promote_0");
    managed(document);
}

fn guest(id: &str, node: &str) -> String {
    format!(
        "<primitive id='{id}' class='ocf' provider='p' type='T'>{}</primitive>",
        meta(id, "remote-node", node)
    )
}

#[test]
fn orders_around_guest_nodes() {
    let resources = guest("vm", "g1") + &many(&["a"]);
    for constraints in [order("a", "vm"), order("vm", "a")] {
        let inside = constraints.clone() + &location("a", "g1", "INFINITY");
        managed(with_z(&resources, &constraints, "vm@n1"));
        managed(with_z(&resources, &inside, "vm@n1"));
        managed(with_z(&resources, &inside, ""));
    }
    let groups = guest("vm", "g1") + &group("g", &["a", "b"]) + &group("h", &["c", "d"]);
    managed(with_z(&groups, &(order("g", "h") + &location("g", "g1", "100")), "a@n1 b@n1"));
    managed(with_z(&groups, &order("g", "h"), ""));
}

#[test]
fn an_order_of_a_primitive_and_a_clone_with_a_remote_node() {
    let remote = "<primitive id='r1' class='ocf' provider='pacemaker' type='remote'/>";
    let clone = format!("<clone id='c'>{}</clone>", primitive("b"));
    let resources = remote.to_owned() + &primitive("a") + &clone;
    managed(with_z(&resources, &order("a", "c"), ""));
    managed(with_z(&resources, &order("a", "c"), "r1@n1"));
}

/// A sound plan with fencing on and a device that nodes need to be switched on by.
fn unfences(resources: &str, history: &str) {
    let device = format!(
        "<primitive id='f' class='stonith' type='fence_scsi'>{}</primitive>",
        meta("f", "provides", "unfencing")
    );
    let mut document = with_z(&(device + resources), "", history);
    let option = xml::xpath::select(&document, "//nvpair[@name='fencing-enabled']").unwrap()[0];
    document.set_attribute(option, "value", "true");
    let outcome = execute(document);
    assert_eq!((outcome.exit, outcome.errors.as_str()), (0, ""), "{}", outcome.text);
}

#[test]
fn unfencing_while_a_group_runs() {
    for history in ["", "a@n1 b@n1", "a@n1 b@n1 f@n2"] {
        unfences(&group("g", &["a", "b"]), history);
    }
}

#[test]
fn a_clone_unmanaged_while_its_primitive_is_managed() {
    let inner = format!(
        "<primitive id='a' class='ocf' provider='p' type='T'>{}</primitive>",
        meta("a", "is-managed", "true")
    );
    let clone = format!("<clone id='c'>{}{inner}</clone>", meta("c", "is-managed", "false"));
    for history in ["", "a@n1", "a@n1 a@n2"] {
        managed(with_z(&clone, "", history));
        managed(with_z(&clone, &location("c", "n1", "-INFINITY"), history));
    }
}

#[test]
fn a_serialized_set_with_a_stopped_member() {
    let constraint =
        format!("<rsc_order id='o' kind='Serialize'>{}</rsc_order>", set("s", "", &["a", "b", "c"]));
    let resources = super::tests::disabled("b") + &many(&["a", "c"]);
    managed(with_z(&resources, &constraint, ""));
    managed(with_z(&resources, &constraint, "b@n1"));
}

#[test]
fn one_of_several_may_go_without_what_needs_any_of_them() {
    let sets = set("s1", "sequential='false' require-all='false'", &["a", "b"]) + &set("s2", "", &["c"]);
    let constraints = format!("<rsc_order id='o'>{sets}</rsc_order>{}", location("a", "n2", "INFINITY"));
    let outcome = execute(with_z(&many(&["a", "b", "c"]), &constraints, "a@n1 b@n1 c@n1"));
    assert_eq!(outcome.warnings, [""; 0]);
    assert!(outcome.text.contains("Move       a"), "{}", outcome.text);
    assert!(!outcome.text.contains("Restart    c"), "{}", outcome.text);
}

#[test]
fn unfencing_while_a_bundle_runs() {
    let bundle = "<bundle id='b'><podman image='x' replicas='2'/><network control-port='9999'/>\
                  <primitive id='a' class='ocf' provider='p' type='T'/></bundle>";
    for history in ["", "b-podman-0@n1 b-0@n1", "b-podman-0@n1 b-0@n1 b-podman-1@n2 b-1@n2 f@n2"] {
        unfences(bundle, history);
    }
}

#[test]
fn a_bundle_child_unmanaged_with_its_container_down() {
    let inner = format!(
        "<primitive id='a' class='ocf' provider='p' type='T'>{}</primitive>",
        meta("a", "is-managed", "false")
    );
    let bundle = format!(
        "<bundle id='b'><podman image='x' replicas='1'/><network control-port='9999'/>{inner}</bundle>"
    );
    for history in ["", "b-podman-0@n1", "b-podman-0@n1 b-0@n1", "b-0@n1"] {
        managed(with_z(&bundle, "", history));
    }
}

#[test]
fn a_member_with_a_failed_migration_on_a_node_in_maintenance() {
    let members = format!(
        "<group id='g'>{}{}</group>",
        "<primitive id='a' class='ocf' provider='p' type='T'><meta_attributes id='m-a'>\
         <nvpair id='m-a-m' name='allow-migrate' value='true'/></meta_attributes></primitive>",
        primitive("b")
    );
    for (task, at) in [("migrate_to", "n1"), ("migrate_from", "n2")] {
        let mut document = with_z(&members, "", "a@n1 a@n2 b@n1");
        let found = xml::xpath::select(&document, "//lrm_resource[@id='a']/lrm_rsc_op").unwrap();
        let entry =
            (found.into_iter()).find(|entry| document.attribute(*entry, "on_node") == Some(at)).unwrap();
        let failed = [
            ("operation", task),
            ("operation_key", &format!("a_{task}_0")),
            ("rc-code", "1"),
            ("transition-magic", "0:1;1:1:0:x"),
            ("migrate_source", "n1"),
            ("migrate_target", "n2"),
        ];
        for (name, value) in failed {
            document.set_attribute(entry, name, value);
        }
        let node = xml::xpath::select(&document, &format!("//nodes/node[@uname='{at}']")).unwrap()[0];
        let block = document.append_element(node, "instance_attributes");
        document.set_attribute(block, "id", "in-maintenance");
        let pair = document.append_element(block, "nvpair");
        for (name, value) in [("id", "in-maintenance-m"), ("name", "maintenance"), ("value", "true")] {
            document.set_attribute(pair, name, value);
        }
        managed(document);
    }
}

#[test]
fn a_slip_in_the_number_of_instances_is_limited() {
    for count in ["100000", "1000000", "2147483647"] {
        let clone = format!("<clone id='c'>{}{}</clone>", meta("c", "clone-max", count), primitive("a"));
        managed(with_z(&clone, "", ""));
    }
    managed(with_z("<bundle id='b'><podman image='x' replicas='20000'/></bundle>", "", ""));
}

#[test]
fn a_second_node_with_the_same_id_is_ignored() {
    let mut document = with_z(&many(&["a"]), "", "a@n1");
    let node = xml::xpath::select(&document, "//nodes/node").unwrap()[0];
    let nodes = document.parent(node).unwrap();
    document.duplicate(nodes, None, node);
    assert!(managed(document).contains("n1"));
}
