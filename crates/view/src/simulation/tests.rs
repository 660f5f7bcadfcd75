//! Whole runs as scenarios: a small cluster in, everything that is said out.

#![allow(clippy::unwrap_used)] // a test

use super::{Injections, Keep, Options, Outcome, TicketChange, simulate};
use xml::Document;

/// A cluster of two nodes, without fencing, with these resources and constraints. `history` is what ran:
/// words like `a@n1`.
pub(super) fn cluster(resources: &str, constraints: &str, history: &str) -> Document {
    let node = |number: u32| {
        let name = format!("n{number}");
        let entries: String = history
            .split_whitespace()
            .filter_map(|word| word.strip_suffix(&format!("@{name}")))
            .map(|resource| {
                format!(
                    "<lrm_resource id='{resource}' class='ocf' provider='p' type='T'><lrm_rsc_op \
                     id='{resource}_last_0' on_node='{name}' operation_key='{resource}_start_0' operation='start' call-id='1' \
                     rc-code='0' op-status='0' interval='0' \
                     op-digest='f2317cad3d54cec5d7d7aa7d0bf35cf8' transition-key='1:1:0:x' \
                     transition-magic='0:0;1:1:0:x'/></lrm_resource>"
                )
            })
            .collect();
        format!(
            "<node_state id='{number}' uname='{name}' in_ccm='true' crmd='online' join='member' \
             expected='member'><lrm id='{number}'><lrm_resources>{entries}</lrm_resources></lrm></node_state>"
        )
    };
    let text = format!(
        "<cib validate-with='pacemaker-4.0' have-quorum='1' dc-uuid='1' admin_epoch='0' epoch='1' \
         num_updates='0'><configuration><crm_config><cluster_property_set id='o'><nvpair id='o1' \
         name='fencing-enabled' value='false'/><nvpair id='o2' name='enable-startup-probes' \
         value='false'/></cluster_property_set></crm_config><nodes><node id='1' uname='n1'/><node id='2' \
         uname='n2'/></nodes><resources>{resources}</resources><constraints>{constraints}</constraints>\
         </configuration><status>{}{}</status></cib>",
        node(1),
        node(2)
    );
    Document::parse(&text).unwrap()
}

pub(super) fn primitive(id: &str) -> String {
    format!("<primitive id='{id}' class='ocf' provider='p' type='T'/>")
}

/// A primitive that is to be stopped.
pub(super) fn disabled(id: &str) -> String {
    format!(
        "<primitive id='{id}' class='ocf' provider='p' type='T'><meta_attributes id='{id}-m'><nvpair \
         id='{id}-t' name='target-role' value='Stopped'/></meta_attributes></primitive>"
    )
}

pub(super) fn order(first: &str, then: &str) -> String {
    format!("<rsc_order id='o-{first}-{then}' first='{first}' then='{then}'/>")
}

pub(super) fn location(resource: &str, node: &str, score: &str) -> String {
    format!("<rsc_location id='l-{resource}' rsc='{resource}' node='{node}' score='{score}'/>")
}

pub(super) fn execute(document: Document) -> Outcome {
    simulate(document, &Options { execute: true, keep: Keep::EVERYTHING, clock: 1000, ..Options::default() })
}

/// The items of one part of the output, without bullets and with single blanks.
fn part(outcome: &Outcome, title: &str) -> Vec<String> {
    let lines = outcome.text.lines().skip_while(|line| !line.starts_with(title)).skip(1);
    lines
        .take_while(|line| line.starts_with(' ') || line.starts_with("Pretending"))
        .map(|line| line.trim_start_matches([' ', '*']).split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn an_ordered_pair_starts_in_order() {
    let outcome = execute(cluster(
        &(primitive("b") + &primitive("a")),
        &(order("a", "b") + &location("a", "n1", "10") + &location("b", "n2", "10").replace("l-b", "lb")),
        "",
    ));
    assert_eq!(outcome.exit, 0, "{}", outcome.errors);
    assert_eq!(part(&outcome, "Transition Summary"), ["Start b ( n2 )", "Start a ( n1 )"]);
    assert_eq!(
        part(&outcome, "Executing"),
        ["Resource action: a start on n1", "Resource action: b start on n2"]
    );
}

#[test]
fn a_stop_takes_dependents_with_it() {
    let outcome = execute(cluster(&(disabled("a") + &primitive("b")), &order("a", "b"), "a@n1 b@n2"));
    assert_eq!(
        part(&outcome, "Transition Summary"),
        ["Stop a ( n1 ) due to node availability", "Stop b ( n2 ) due to required a start"]
    );
    assert_eq!(
        part(&outcome, "Executing"),
        ["Resource action: b stop on n2", "Resource action: a stop on n1"]
    );
}

#[test]
fn a_dependent_by_colocation_is_blocked_with_its_primary() {
    let colocation = "<rsc_colocation id='c' rsc='b' with-rsc='a' score='INFINITY'/>";
    let constraints = order("z", "a") + colocation;
    let outcome = execute(cluster(&(disabled("z") + &primitive("a") + &primitive("b")), &constraints, ""));
    assert_eq!(
        part(&outcome, "Transition Summary"),
        [
            "Start a ( n1 ) due to unrunnable z start (blocked)",
            "Start b ( n1 ) due to colocation with a (blocked)"
        ]
    );
}

#[test]
fn a_set_of_which_one_is_enough() {
    let set = "<rsc_order id='o'><resource_set id='s1' sequential='false' require-all='false'>\
               <resource_ref id='a'/><resource_ref id='b'/></resource_set><resource_set id='s2'>\
               <resource_ref id='c'/></resource_set></rsc_order>";
    let outcome = execute(cluster(&(disabled("a") + &primitive("b") + &primitive("c")), set, ""));
    assert_eq!(
        part(&outcome, "Executing"),
        ["Resource action: b start on n1", "Pseudo action: one-or-more:s1", "Resource action: c start on n2"]
    );
}

#[test]
fn a_failure_holds_back_what_follows() {
    let document = cluster(&(primitive("a") + &primitive("b")), &order("a", "b"), "");
    let failures = vec!["a_start_0@n1=1".to_owned()];
    let outcome =
        simulate(document, &Options { failures, keep: Keep::EVERYTHING, clock: 1000, ..Options::default() });
    assert_eq!(
        part(&outcome, "Executing"),
        [
            "Resource action: a start on n1",
            "Pretending action 1 failed with rc=1",
            "Injecting attribute fail-count-a#start_0=INFINITY into /node_state '1'",
            "Injecting attribute last-failure-a#start_0=1000 into /node_state '1'",
        ]
    );
    assert_eq!(outcome.exit, 0);
}

#[test]
fn what_is_injected_is_said_and_seen() {
    let injections = Injections {
        down: vec!["n2".into()],
        tickets: vec![(TicketChange::Grant, "T".into())],
        operations: vec!["a_monitor_10000@n1=7".into()],
        ..Injections::default()
    };
    let document = cluster(&primitive("a"), "", "a@n1");
    let outcome = simulate(
        document,
        &Options { plan: true, injections, keep: Keep::EVERYTHING, clock: 1000, ..Options::default() },
    );
    assert_eq!(
        part(&outcome, "Performing"),
        [
            "Taking node n2 offline",
            "Granting ticket T",
            "Injecting a_monitor_10000@n1=7 into the configuration",
            "Injecting attribute fail-count-a#monitor_10000=1 into /node_state '1'",
            "Injecting attribute last-failure-a#monitor_10000=1000 into /node_state '1'",
        ]
    );
    assert_eq!(part(&outcome, "Transition Summary"), ["Recover a ( n1 )"]);
}

#[test]
fn a_bad_specification_is_said_and_left_out() {
    let injections = Injections { operations: vec!["nonsense".into()], ..Injections::default() };
    let outcome = simulate(
        cluster("", "", ""),
        &Options { keep: Keep::EVERYTHING, plan: true, injections, ..Options::default() },
    );
    assert_eq!(outcome.errors, "Invalid operation spec: nonsense.  Only found 1 fields\n");
    assert_eq!(outcome.exit, 0);
}

#[test]
fn a_loop_is_told_and_left_out_and_the_rest_is_done() {
    let constraints = order("a", "b") + &order("b", "a");
    let resources = primitive("a") + &primitive("b") + &primitive("c");
    let outcome = execute(cluster(&resources, &constraints, ""));
    assert_eq!(
        outcome.warnings,
        ["Left out of the plan: actions wait for each other: b_start_0 -> a_start_0"]
    );
    assert_eq!(outcome.exit, 0);
    assert!(part(&outcome, "Executing").contains(&"Resource action: c start on n1".to_owned()));
}

/// What crm_verify tells is a remark; what the plan passes over in silence is told in any case.
#[test]
fn what_is_asked_for_in_vain_is_told() {
    let constraints = "<rsc_location id='away' rsc='a' node='n7' score='2000000'/>\
        <rsc_location id='ban' rsc='a' node='n8' score='-INFINITY'/>\
        <rsc_location id='gone' rsc='b' node='n1' score='1'/>";
    let outcome = execute(cluster(&primitive("a"), constraints, ""));
    assert_eq!(
        outcome.warnings,
        [
            "Constraint 'away' is for node 'n7', which is not known (did you mean 'n1'?) (line 1)",
            "rsc_location has score='2000000'; scores end at 1000000, which is INFINITY (line 1)"
        ]
    );
    assert_eq!(
        outcome.remarks,
        ["Ignoring constraint 'gone' because 'b' is not a valid resource or tag (line 1)"]
    );
}

/// Propagation is a recursion in the rules; here it must not use the stack.
#[test]
fn a_chain_of_thousands_is_no_deeper_than_one() {
    let count = 5000;
    let mut resources = disabled("r0");
    resources.extend((1..count).map(|number| primitive(&format!("r{number}"))));
    let constraints: String =
        (1..count).map(|number| order(&format!("r{}", number - 1), &format!("r{number}"))).collect();
    let history: Vec<String> = (0..count).map(|number| format!("r{number}@n1")).collect();
    let outcome = execute(cluster(&resources, &constraints, &history.join(" ")));
    let executed = part(&outcome, "Executing");
    assert_eq!(executed.len(), count);
    assert_eq!(executed[0], format!("Resource action: r{} stop on n1", count - 1));
    assert_eq!(executed[count - 1], "Resource action: r0 stop on n1");
}

#[test]
fn an_unknown_schema_is_refused() {
    let mut document = cluster("", "", "");
    document.set_attribute(document.root(), "validate-with", "pacemaker-99.9");
    assert_eq!(execute(document).exit, 78);
}

#[test]
fn a_date_that_is_none_is_refused() {
    let options = Options { plan: true, date: Some("garbage".into()), ..Options::default() };
    let outcome = simulate(cluster(&primitive("a"), "", ""), &options);
    assert_eq!((outcome.exit, outcome.text.as_str()), (65, ""));
    assert!(outcome.errors.contains("'garbage' is not a valid date/time"), "{}", outcome.errors);
}

/// Rule 5a.10: the sections of the XML answer, in their order, with the scores and what was done.
#[test]
fn the_xml_answer_has_every_section_in_order() {
    let injections = Injections {
        quorum: Some("1".into()),
        down: vec!["n1".into()],
        operations: vec!["a_monitor_10000@n2=1".into()],
        tickets: vec![(TicketChange::Grant, "t".into())],
        ..Injections::default()
    };
    let options = Options {
        execute: true,
        show_scores: true,
        clock: 1000,
        injections,
        xml_request: Some("crm_simulate".into()),
        ..Options::default()
    };
    let outcome = simulate(cluster(&primitive("a"), "", "a@n1"), &options);
    assert_eq!(outcome.text, "");
    let document = outcome.report.unwrap().document;
    let root = document.root();
    let sections: Vec<&str> = document.children(root).map(|section| document.name(section)).collect();
    let expected =
        ["cluster_status", "modifications", "allocations", "actions", "transition", "revised_cluster_status"];
    assert_eq!(sections, expected);
    let modifications = document.child(root, "modifications").unwrap();
    let changes: Vec<&str> = document.children(modifications).map(|change| document.name(change)).collect();
    assert_eq!(changes, ["modify_node", "modify_ticket", "inject_spec", "inject_attr", "inject_attr"]);
    assert_eq!(document.attribute(modifications, "quorum"), Some("1"));
    let text = document.to_pretty();
    assert!(
        text.contains("<node_weight function=\"pcmk__primitive_assign\" node=\"n2\" score=\"0\" id=\"a\"/>"),
        "{text}"
    );
    assert!(text.contains("<rsc_action action=\"recover\" resource=\"a\" node=\"n2\"/>"), "{text}");
    assert!(text.contains("<rsc_action resource=\"a\" op=\"stop\" node=\"n2\"/>"), "{text}");
}

/// Node attributes and failures are shown with the status where they are asked for.
#[test]
fn attributes_and_failures_are_shown_on_request() {
    let injections = Injections { operations: vec!["a_monitor_10000@n1=1".into()], ..Injections::default() };
    let options = Options {
        execute: true,
        clock: 1000,
        injections,
        failures: vec!["a_start_0@n1=1".into()],
        show_attributes: true,
        show_failures: true,
        ..Options::default()
    };
    let outcome = simulate(cluster(&primitive("a"), "", "a@n1"), &options);
    let revised = outcome.text.split("Revised Cluster Status").nth(1).unwrap();
    assert!(revised.contains("  * Node Attributes:\n"), "{revised}");
    assert!(revised.contains("      * a: migration-threshold=1000000 fail-count=1000000"), "{revised}");
    assert!(revised.contains("  * Failed Resource Actions:\n    * a start on n1 returned"), "{revised}");
}

fn with_changes(document: Document, injections: Injections) -> Outcome {
    let options =
        Options { execute: true, keep: Keep::EVERYTHING, clock: 1000, injections, ..Options::default() };
    simulate(document, &options)
}

fn clone_of(child: &str, meta: &str) -> String {
    format!("<clone id='c'><meta_attributes id='c-m'>{meta}</meta_attributes>{child}</clone>")
}

/// Rule 3.53.2: a result needs a resource that goes by this name.
#[test]
fn results_are_for_names_that_are_known() {
    let injections =
        || Injections { operations: vec!["a_monitor_10000@n1=7".into()], ..Injections::default() };
    let resources = clone_of(&primitive("a"), "");
    let outcome = with_changes(cluster(&resources, "", ""), injections());
    assert!(outcome.errors.contains("Invalid resource name: a"), "{}", outcome.errors);
    let outcome = with_changes(cluster(&resources, "", "a@n1"), injections());
    assert_eq!(outcome.errors, "");
    assert!(outcome.text.contains("fail-count-a#monitor_10000=1"), "{}", outcome.text);
}

/// Rule 3.54.3: an injected probe is said to have been expected to find its resource.
#[test]
fn injected_probes_were_expected_to_succeed() {
    let injections = Injections { operations: vec!["a_monitor_0@n1=7".into()], ..Injections::default() };
    let outcome = with_changes(cluster(&primitive("a"), "", ""), injections);
    let input = outcome.input.unwrap().to_pretty();
    assert!(input.contains("transition-key=\"1:-1:0:"), "{input}");
    assert!(input.contains("a_last_failure_0"), "{input}");
}

/// Rule 3.53.1: with a node brought up, whatever gets a result is in the configuration.
#[test]
fn nodes_with_results_are_added_if_one_was_brought_up() {
    let injections = |up: &[&str]| Injections {
        up: up.iter().map(|name| (*name).to_owned()).collect(),
        operations: vec!["a_monitor_0@n8=7".into()],
        ..Injections::default()
    };
    let configured =
        |outcome: Outcome| outcome.input.unwrap().to_pretty().contains("<node id=\"n8\" uname=\"n8\"");
    assert!(!configured(with_changes(cluster(&primitive("a"), "", ""), injections(&[]))));
    assert!(configured(with_changes(cluster(&primitive("a"), "", ""), injections(&["n1"]))));
}

/// Rule 1.20.9: of a unique clone all instances are shown, the removed one of a clone without any as well.
#[test]
fn the_removed_instance_of_a_unique_clone_is_shown() {
    let pairs =
        "<nvpair id='c-1' name='globally-unique' value='true'/><nvpair id='c-2' name='clone-max' value='0'/>";
    let outcome = execute(cluster(&clone_of(&primitive("a"), pairs), "", ""));
    assert!(outcome.text.contains("a:0\t(ocf:p:T):\t ORPHANED Stopped"), "{}", outcome.text);
}

/// Rules 1.20.5 and 1.20.10: a replica that is down shows the node that it is locked to.
#[test]
fn a_replica_shows_its_lock() {
    let bundle = "<bundle id='u'><podman image='i'/></bundle>";
    let mut document = cluster(bundle, "", "u-podman-0@n1");
    let text = document
        .to_pretty()
        .replace("operation=\"start\"", "operation=\"stop\"")
        .replace("<lrm_resource id=\"u-podman-0\"", "<lrm_resource id=\"u-podman-0\" shutdown-lock=\"900\"");
    let lock = "<nvpair id=\"o3\" name=\"shutdown-lock\" value=\"true\"/></cluster_property_set>";
    document = Document::parse(&text.replace("</cluster_property_set>", lock)).unwrap();
    let options = Options { clock: 1000, ..Options::default() };
    let outcome = simulate(document, &options);
    assert!(outcome.text.contains("Stopped n1 (LOCKED)"), "{}", outcome.text);
}

/// Rules 1.3.6.2 and 1.6.5: hours, dates without zone and origins of intervals are meant in the local zone, which
/// reaches the input's own time as well as one that is given.
#[test]
fn dates_are_local_ones() {
    // noon UTC at the clock of 43200, which is 21 o'clock nine hours east
    let zone = cib::iso8601::Zone { offset: |_| 9 * 3600 };
    let started = |condition: &str, date: Option<&str>, original: Option<&str>| {
        let wish = format!(
            "<rsc_location id='l' rsc='a'><rule id='r' score='10'><expression id='e' attribute='#uname' \
             operation='eq' value='n2'/>{condition}</rule></rsc_location>"
        );
        let mut document = cluster(&primitive("a"), &wish, "");
        if let Some(original) = original {
            let root = document.root();
            document.set_attribute(root, "execution-date", original);
        }
        let date = date.map(str::to_owned);
        let outcome =
            simulate(document, &Options { plan: true, clock: 43_200, zone, date, ..Options::default() });
        if outcome.text.contains("n2 )") { "n2" } else { "n1" }
    };
    let hour = |hour: u8| {
        format!(
            "<date_expression id='d' operation='date_spec'><date_spec id='s' hours='{hour}'/></date_expression>"
        )
    };
    let after = |start: &str| format!("<date_expression id='d' operation='gt' start='{start}'/>");
    assert_eq!(started(&hour(21), None, None), "n2");
    assert_eq!(started(&hour(12), None, None), "n1");
    assert_eq!(started(&hour(22), None, Some("46800")), "n2", "the input's own time");
    assert_eq!(started(&hour(5), Some("1970-01-02 05:30:00"), None), "n2");
    assert_eq!(
        started(&hour(5), Some("1970-01-02 05:30:00Z"), None),
        "n2",
        "a time counts in the zone it has"
    );
    assert_eq!(started(&after("1970-01-01 20:59:59"), None, None), "n2");
    assert_eq!(started(&after("1970-01-01 21:00:00"), None, None), "n1");
    assert_eq!(started(&after("1970-01-02 05:00:00"), Some("1970-01-01 20:30:00Z"), None), "n2");
}
