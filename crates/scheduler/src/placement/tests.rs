//! Placement scenarios: a small cluster as text in, score lines and places out.

use crate::model::{Change, Model, NodeId, PlanOptions, ResourceId};
use crate::{actions, ordering, placement, state};
use cib::value::{Role, Score};
use std::collections::BTreeMap;
use std::fmt::Write;

mod scores;

/// A cluster in the words of the configuration; texts are XML.
#[derive(Default)]
struct Cluster {
    options: Vec<(&'static str, &'static str)>,
    /// Names, each with XML inside the element and attributes in the status.
    nodes: Vec<(&'static str, &'static str, &'static str)>,
    resources: String,
    constraints: String,
    /// Node, resource, and operation that succeeded last.
    active: Vec<(&'static str, &'static str, &'static str)>,
    show_utilization: bool,
    /// Walk through all merges step by step.
    forgetful: bool,
}

/// What came out.
struct Outcome {
    lines: Vec<String>,
    places: BTreeMap<String, String>,
    roles: BTreeMap<String, Role>,
    current: BTreeMap<String, Role>,
}

impl Outcome {
    fn place(&self, resource: &str) -> &str {
        self.places.get(resource).map_or("nowhere", String::as_str)
    }
    /// The scores in the lines of one resource.
    fn scores(&self, resource: &str) -> Vec<&str> {
        let label = format!(": {resource} allocation score on ");
        self.lines.iter().filter_map(|line| line.split_once(&label)).map(|(_, rest)| rest).collect()
    }
}

fn dummy(id: &str) -> String {
    primitive(id, "")
}

fn primitive(id: &str, inside: &str) -> String {
    format!("<primitive id='{id}' class='ocf' provider='pacemaker' type='Dummy'>{inside}</primitive>")
}

fn meta(id: &str, pairs: &[(&str, &str)]) -> String {
    pairs_in("meta_attributes", id, pairs)
}

fn pairs_in(element: &str, id: &str, pairs: &[(&str, &str)]) -> String {
    let pairs: String = pairs
        .iter()
        .map(|(name, value)| format!("<nvpair id='{id}-{element}-{name}' name='{name}' value='{value}'/>"))
        .collect();
    format!("<{element} id='{id}-{element}'>{pairs}</{element}>")
}

fn prefers(resource: &str, node: &str, score: &str) -> String {
    format!("<rsc_location id='{resource}-{node}' rsc='{resource}' node='{node}' score='{score}'/>")
}

fn colocate(dependent: &str, primary: &str, score: &str) -> String {
    format!(
        "<rsc_colocation id='{dependent}-{primary}' rsc='{dependent}' with-rsc='{primary}' score='{score}'/>"
    )
}

impl Cluster {
    fn of(names: &[&'static str]) -> Cluster {
        Cluster { nodes: names.iter().map(|name| (*name, "", "")).collect(), ..Cluster::default() }
    }

    fn document(&self) -> String {
        let mut text = String::from(
            "<cib validate-with='pacemaker-4.0' crm_feature_set='3.20.0' admin_epoch='0' epoch='1' \
             num_updates='0' have-quorum='1'><configuration><crm_config>\
             <cluster_property_set id='cib-bootstrap-options'>\
             <nvpair id='no-fencing' name='fencing-enabled' value='false'/>",
        );
        for (name, value) in &self.options {
            let _ = write!(text, "<nvpair id='o-{name}' name='{name}' value='{value}'/>");
        }
        text.push_str("</cluster_property_set></crm_config><nodes>");
        for (name, inside, _) in &self.nodes {
            let _ = write!(text, "<node id='{name}-id' uname='{name}'>{inside}</node>");
        }
        let _ = write!(
            text,
            "</nodes><resources>{}</resources><constraints>{}</constraints></configuration><status>",
            self.resources, self.constraints
        );
        for (name, _, attributes) in &self.nodes {
            let _ = write!(
                text,
                "<node_state id='{name}-id' uname='{name}' in_ccm='true' crmd='online' join='member' \
                 expected='member'><transient_attributes id='{name}-t'><instance_attributes id='{name}-ta'>\
                 {attributes}</instance_attributes></transient_attributes><lrm id='{name}-id'><lrm_resources>"
            );
            for (_, resource, operation) in self.active.iter().filter(|(node, _, _)| node == name) {
                let _ = write!(
                    text,
                    "<lrm_resource id='{resource}' class='ocf' provider='pacemaker' type='Dummy'>\
                     <lrm_rsc_op id='{resource}_last_0' operation='{operation}' \
                     operation_key='{resource}_{operation}_0' call-id='1' rc-code='0' op-status='0' interval='0' \
                     transition-key='1:1:0:x' transition-magic='0:0;1:1:0:x'/></lrm_resource>"
                );
            }
            text.push_str("</lrm_resources></lrm></node_state>");
        }
        text.push_str("</status></cib>");
        text
    }

    fn placed(&self) -> Outcome {
        let document = xml::Document::parse(&self.document()).expect("the test's XML is well-formed");
        let (cib, _) = cib::Cib::from_document(&document);
        let options = PlanOptions {
            show_scores: !self.show_utilization,
            show_utilization: self.show_utilization,
            record_reasons: true,
            ..PlanOptions::default()
        };
        let mut model = state::build(&cib, cib::iso8601::Zone::UTC.at(1_700_000_000).into(), options);
        model.placement.effects.off = self.forgetful;
        placement::unpack_constraints(&mut model);
        placement::apply_node_criteria(&mut model);
        ordering::implicit::create(&mut model);
        actions::check_history(&mut model);
        placement::assign(&mut model);
        check_reasons(&model);
        outcome(&model)
    }
}

fn outcome(model: &Model) -> Outcome {
    let named = |id: ResourceId| model.resources[id].id.to_string();
    let place = |id: ResourceId| model.resources[id].assigned.map(|node| model.nodes[node].name.to_string());
    Outcome {
        lines: model.score_lines.iter().map(ToString::to_string).collect(),
        places: model.resources.ids().filter_map(|id| Some((named(id), place(id)?))).collect(),
        roles: model.resources.ids().map(|id| (named(id), model.resources[id].next_role)).collect(),
        current: model.resources.ids().map(|id| (named(id), model.resources[id].current_role)).collect(),
    }
}

/// Every score can be explained: the recorded contributions give exactly what is in the tables.
fn check_reasons(model: &Model) {
    let mut sums: BTreeMap<(ResourceId, NodeId), Score> = BTreeMap::new();
    for contribution in &model.reasons.contributions {
        let sum = sums.entry((contribution.resource, contribution.node)).or_default();
        *sum = match contribution.change {
            Change::Add(amount) => *sum + amount,
            Change::Set(score) => score,
        };
    }
    for (id, resource) in model.resources.iter() {
        for entry in resource.allowed.iter() {
            let sum = sums.get(&(id, entry.node)).copied().unwrap_or_default();
            assert_eq!(sum, entry.score, "{} on {}", resource.id, model.nodes[entry.node].name);
        }
    }
}

/// Rules 2.13.5 and 2.28.1.
#[test]
fn equal_positive_scores_stay_and_zero_scores_spread() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = dummy("A") + &dummy("P");
    cluster.active = vec![("n1", "A", "start"), ("n1", "P", "start")];
    cluster.constraints = prefers("A", "n1", "50");
    assert_eq!(cluster.placed().place("P"), "n2");
    cluster.constraints += &(prefers("P", "n1", "100") + &prefers("P", "n2", "100"));
    assert_eq!(cluster.placed().place("P"), "n1");
}

/// Rule 2.28.11: the entry that is repeated counts twice.
#[test]
fn a_member_counts_its_groups_first_colocation_once_for_each() {
    let mut cluster = Cluster::of(&["n1", "n2", "n3"]);
    cluster.resources = format!(
        "<group id='G'>{}{}</group>{}{}{}",
        dummy("A"),
        dummy("B"),
        dummy("P"),
        dummy("Q"),
        dummy("R")
    );
    cluster.constraints = [
        colocate("A", "P", "1"),
        colocate("G", "Q", "10"),
        colocate("G", "R", "100"),
        prefers("P", "n1", "1000"),
        prefers("Q", "n2", "1000"),
        prefers("R", "n3", "1000"),
    ]
    .concat();
    let outcome = cluster.placed();
    let lines: Vec<&String> =
        outcome.lines.iter().filter(|line| line.starts_with("pcmk__primitive_assign: A ")).collect();
    assert_eq!(
        lines,
        [
            "pcmk__primitive_assign: A allocation score on n1: 1",
            "pcmk__primitive_assign: A allocation score on n2: 20",
            "pcmk__primitive_assign: A allocation score on n3: 0",
        ]
    );
    assert_eq!(outcome.place("A"), "n2");
}

/// Rule 2.18.5.
#[test]
fn wishes_are_scaled_in_single_precision() {
    let wish_of = |score: &str, wish: &str| {
        let mut cluster = Cluster::of(&["n1", "n2"]);
        cluster.resources = dummy("P") + &dummy("D");
        cluster.constraints = colocate("D", "P", score) + &prefers("D", "n1", wish);
        cluster.placed().scores("P")[0].to_owned()
    };
    assert_eq!(wish_of("988", "125000"), "n1: 123");
    assert_eq!(wish_of("500", "1000"), "n1: 1");
    assert_eq!(wish_of("50", "-100"), "n1: 1");
    assert_eq!(wish_of("-INFINITY", "1000"), "n1: -1000");
}

#[test]
fn the_roomiest_node_among_equals_comes_first_in_iteration_order() {
    let capacity = "<utilization id='U'><nvpair id='U-c' name='c' value='15'/></utilization>";
    let mut cluster = Cluster::of(&["alpha", "beta", "gamma"]);
    for node in &mut cluster.nodes {
        node.1 = capacity;
    }
    cluster.options = vec![("placement-strategy", "utilization")];
    let needs = |id: &str| primitive(id, &pairs_in("utilization", id, &[("c", "10")]));
    cluster.resources = needs("P") + &needs("Q");
    cluster.constraints = colocate("Q", "P", "INFINITY");
    assert_eq!(cluster.placed().place("P"), "gamma");
}

/// Rule 3.47.3.
#[test]
fn utilization_lines_tell_capacities_before_and_after() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.nodes[0].1 = "<utilization id='U'><nvpair id='U-c' name='c' value='15'/></utilization>";
    cluster.options = vec![("placement-strategy", "balanced")];
    cluster.resources = primitive("P", &pairs_in("utilization", "P", &[("c", "10")]));
    cluster.show_utilization = true;
    assert_eq!(
        cluster.placed().lines,
        [
            "Original: n1 capacity: c=15",
            "Original: n2 capacity:",
            "pcmk__assign_resource: P utilization on n1: c=10",
            "Remaining: n1 capacity: c=5",
            "Remaining: n2 capacity:",
        ]
    );
}

/// Rule 2.12.10: what is left is told without a strategy too, where it decides nothing.
#[test]
fn the_default_strategy_counts_capacities_for_the_eye_only() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.nodes[0].1 = "<utilization id='U'><nvpair id='U-c' name='c' value='5'/></utilization>";
    cluster.resources = primitive("P", &pairs_in("utilization", "P", &[("c", "10")]));
    cluster.show_utilization = true;
    let lines = cluster.placed().lines;
    assert!(lines.contains(&"Remaining: n1 capacity: c=-5".to_owned()), "{lines:?}");
}

/// Rule 2.28.12: a cloned group that cannot stay is taken down, and another instance goes to the new node;
/// a cloned primitive moves.
#[test]
fn a_cloned_group_does_not_move_with_its_instance() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    let clone =
        |inside: String| format!("<clone id='C'>{inside}{}</clone>", meta("C", &[("clone-max", "2")]));
    let group = format!("<group id='g'>{}{}</group>", dummy("a"), dummy("b"));
    cluster.constraints = colocate("C", "P", "INFINITY") + &prefers("P", "n2", "INFINITY");
    cluster.active = vec![("n1", "a", "start"), ("n1", "b", "start")];
    cluster.resources = dummy("P") + &clone(group);
    let outcome = cluster.placed();
    assert_eq!((outcome.place("a:0"), outcome.place("a:1")), ("nowhere", "n2"));
    assert_eq!(outcome.place("b:1"), "n2");
    cluster.resources = dummy("P") + &clone(dummy("a"));
    assert_eq!(cluster.placed().place("a:0"), "n2");
}

#[test]
fn a_mandatory_primary_without_node_bans_its_dependent() {
    let mut cluster = Cluster::of(&["n1"]);
    cluster.resources = primitive("P", &meta("P", &[("target-role", "Stopped")])) + &dummy("D") + &dummy("F");
    cluster.constraints = colocate("D", "P", "INFINITY") + &colocate("F", "P", "10");
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("D"), ["n1: -INFINITY"]);
    assert_eq!(outcome.scores("F"), ["n1: 0"], "an optional one that would leave no node has no effect");
    assert_eq!(outcome.roles["D"], Role::Stopped);
    assert_eq!(outcome.place("F"), "n1");
}

/// Rule 2.9.1.
#[test]
fn tags_sets_and_patterns_stand_for_resources() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = dummy("web-1") + &dummy("web-2") + &dummy("db");
    cluster.constraints = "<rsc_location id='L1' rsc-pattern='^web-' node='n1' score='7'/>\
         <rsc_location id='L2' rsc-pattern='!^web-' node='n2' score='8'/>\
         <rsc_location id='L3' node='n2' score='1'><resource_set id='S'><resource_ref id='db'/>\
         <resource_ref id='web-2'/></resource_set></rsc_location>"
        .to_owned();
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("web-1"), ["n1: 7", "n2: 0"]);
    assert_eq!(outcome.scores("web-2"), ["n1: 7", "n2: 1"]);
    assert_eq!(outcome.scores("db"), ["n1: 0", "n2: 9"]);
}

#[test]
fn submatches_of_a_pattern_name_the_attribute() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.nodes[1].1 =
        "<instance_attributes id='A'><nvpair id='A-w' name='weight-web' value='33'/></instance_attributes>";
    cluster.resources = dummy("vip-web");
    cluster.constraints =
        "<rsc_location id='L' rsc-pattern='^vip-(.*)'><rule id='R' score-attribute='weight-%1'>\
         <expression id='E' attribute='#uname' operation='defined'/></rule></rsc_location>"
            .to_owned();
    assert_eq!(cluster.placed().scores("vip-web"), ["n1: 0", "n2: 33"]);
}

/// Rule 2.12.3.
#[test]
fn loops_and_self_references_end() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = dummy("A") + &dummy("B") + &dummy("C");
    cluster.constraints = [
        colocate("A", "B", "INFINITY"),
        colocate("B", "C", "-INFINITY"),
        colocate("C", "A", "100"),
        colocate("A", "A", "5"),
    ]
    .concat();
    let outcome = cluster.placed();
    assert_eq!(outcome.place("A"), outcome.place("B"));
}

/// Groups whose members need not be together still lead to what they are colocated with.
#[test]
fn circles_of_loose_groups_and_bundles_end() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.options = vec![("placement-strategy", "balanced")];
    cluster.nodes[0].1 = "<utilization id='U'><nvpair id='U-c' name='c' value='15'/></utilization>";
    for id in ["G", "H"] {
        let member = primitive(&format!("{id}-m"), &pairs_in("utilization", id, &[("c", "1")]));
        cluster.resources +=
            &format!("<group id='{id}'>{}{member}</group>", meta(id, &[("collocated", "false")]));
    }
    for id in ["X", "Y"] {
        cluster.resources += &format!(
            "<bundle id='{id}'><docker image='i' replicas='9' replicas-per-host='9'/><network \
             ip-range-start='10.0.0.1'/>{}</bundle>",
            dummy(&format!("{id}-p"))
        );
    }
    for (dependent, primary) in [("G", "H"), ("H", "G"), ("X", "Y"), ("Y", "X")] {
        cluster.constraints += &colocate(dependent, primary, "INFINITY");
    }
    assert_eq!(cluster.placed().places.get("G-m").map(String::as_str), Some("n1"));
}

/// A net of colocations has more paths than could ever be walked.
#[test]
fn a_dense_net_of_colocations_ends() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    for layer in 0..30 {
        for column in 0..4 {
            cluster.resources += &dummy(&format!("r{layer}x{column}"));
            for below in (0..4).filter(|_| layer > 0) {
                let (dependent, primary) = (format!("r{layer}x{column}"), format!("r{}x{below}", layer - 1));
                cluster.constraints += &colocate(&dependent, &primary, "100");
            }
        }
    }
    cluster.constraints += &prefers("r29x0", "n2", "10");
    cluster.constraints += &prefers("r28x1", "n1", "-INFINITY");
    cluster.constraints += &prefers("r28x1", "n2", "-INFINITY");
    assert_eq!(cluster.placed().places.len(), 119);
}

/// Each placement waits for the one of its primary, and each merge looks at the dependents' dependents.
#[test]
fn chains_of_colocations_may_be_longer_than_a_stack_is_deep() {
    const LENGTH: usize = 12_000;
    for forward in [true, false] {
        let mut cluster = Cluster::of(&["n1", "n2"]);
        for number in 0..LENGTH {
            let (one, next) = (format!("r{number}"), format!("r{}", number + 1));
            cluster.resources += &dummy(&one);
            if number + 1 < LENGTH {
                let (dependent, primary) = if forward { (&one, &next) } else { (&next, &one) };
                cluster.constraints += &colocate(dependent, primary, "INFINITY");
            }
        }
        cluster.constraints += &prefers(if forward { "r0" } else { "r11999" }, "n2", "10");
        // a program's first thread has this stack
        let placed = std::thread::Builder::new().stack_size(8 << 20).spawn(move || cluster.placed().places);
        let places = placed.expect("a thread").join().expect("the plan ends");
        assert_eq!(places.len(), LENGTH);
        assert!(places.values().all(|node| node == "n2"), "forward {forward}");
    }
}

/// Rule 2.21.15.
#[test]
fn a_promoted_location_lifts_an_instance_that_would_stay_unpromoted() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    let settings = meta("C", &[("promotable", "true")]);
    cluster.resources = format!(
        "<clone id='C'><primitive id='s' class='ocf' provider='pacemaker' type='Stateful'/>{settings}</clone>"
    );
    let none = cluster.placed();
    assert!(none.lines.iter().any(|line| line.ends_with("promotion score on n1: -1")));
    assert!(none.roles.values().all(|role| *role != Role::Promoted));
    cluster.constraints = "<rsc_location id='L' rsc='C' role='Promoted' node='n2' score='10'/>".to_owned();
    let lifted = cluster.placed();
    assert_eq!(lifted.roles.values().filter(|role| **role == Role::Promoted).count(), 1);
}

mod remembered_merges {
    use super::*;
    use proptest::prelude::*;

    const SCORES: [&str; 10] =
        ["INFINITY", "-INFINITY", "1", "-1", "100", "-100", "600000", "-600000", "-5000", "5000"];

    fn score() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(&SCORES[..])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        /// Remembering what merges add up to changes no decision and no score.
        #[test]
        fn change_nothing(
            links in proptest::collection::vec((0usize..8, 0usize..8, score()), 0..16),
            wishes in proptest::collection::vec((0usize..8, 0usize..3, score()), 0..8),
            active in proptest::collection::vec((0usize..8, 0usize..3), 0..4),
            kinds in proptest::collection::vec(0u8..3, 8),
        ) {
            const NODES: [&str; 3] = ["n1", "n2", "n3"];
            const IDS: [&str; 8] = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"];
            let mut cluster = Cluster::of(&NODES);
            for (id, kind) in IDS.iter().zip(kinds) {
                cluster.resources += &match kind {
                    0 => dummy(id),
                    1 => format!("<clone id='{id}'>{}</clone>", dummy(&format!("{id}-p"))),
                    _ => format!("<group id='{id}'>{}{}</group>", dummy(&format!("{id}-a")), dummy(&format!("{id}-b"))),
                };
            }
            for (number, (dependent, primary, score)) in links.into_iter().enumerate() {
                let _ = write!(
                    cluster.constraints,
                    "<rsc_colocation id='c{number}' rsc='{}' with-rsc='{}' score='{score}'/>",
                    IDS[dependent], IDS[primary]
                );
            }
            for (number, (resource, node, score)) in wishes.into_iter().enumerate() {
                let _ = write!(
                    cluster.constraints,
                    "<rsc_location id='l{number}' rsc='{}' node='{}' score='{score}'/>",
                    IDS[resource], NODES[node]
                );
            }
            for (resource, node) in active {
                cluster.active.push((NODES[node], IDS[resource], "start"));
            }
            let quick = cluster.placed();
            cluster.forgetful = true;
            let slow = cluster.placed();
            prop_assert_eq!(quick.lines, slow.lines);
            prop_assert_eq!(quick.places, slow.places);
        }
    }
}

fn promotable_group() -> String {
    format!(
        "<clone id='C'>{}<group id='G'>{}{}</group></clone>",
        meta("C", &[("promotable", "true")]),
        dummy("A"),
        dummy("B")
    )
}

/// Rule 2.21.5: it is the instance that becomes unpromoted, so beside a promoted member the others stay started.
#[test]
fn members_beside_a_promoted_one_stay_started() {
    let mut cluster = Cluster::of(&["n1"]);
    cluster.resources = promotable_group();
    cluster.active = vec![("n1", "A", "start"), ("n1", "B", "start")];
    let role = |outcome: &Outcome| outcome.current["B:0"];
    assert_eq!(role(&cluster.placed()), Role::Unpromoted);
    cluster.active[0].2 = "promote";
    assert_eq!(role(&cluster.placed()), Role::Started);
}

/// Rules 2.21.1 and 2.21.3: members' promotion scores are summed up plainly, so what goes beyond INFINITY still
/// puts an instance before another (2.20.8 c).
#[test]
fn sums_of_promotion_scores_go_beyond_infinity() {
    let score =
        |name: &str, value: &str| format!("<nvpair id='{name}' name='master-{name}' value='{value}'/>");
    let attributes = score("A", "INFINITY") + &score("B", "100");
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = promotable_group();
    cluster.nodes[1].2 = attributes.leak();
    // B's score counts where its instance is active; A is known nowhere, so its score counts for both
    cluster.active = vec![("n1", "B", "start"), ("n2", "B", "start")];
    let lines = cluster.placed().lines;
    let first = lines.iter().find(|line| line.starts_with("pcmk__primitive_assign")).expect("a line");
    assert_eq!(first, "pcmk__primitive_assign: A:1 allocation score on n1: 0");
}
