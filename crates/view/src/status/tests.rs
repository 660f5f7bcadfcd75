//! Scenarios: what history says, and what the status then shows.

use super::{Status, text};
use std::fmt::Write;

/// A cluster of two nodes with one resource; everything as text.
struct Scenario {
    options: &'static str,
    resource: &'static str,
    /// Name, whether it is online, and attributes of its status.
    nodes: [(&'static str, bool, &'static str); 2],
    /// `lrm_resource` id and entries by node.
    history: [Vec<Entry>; 2],
    history_id: &'static str,
    now: i64,
}

/// One history entry: operation, result, status, moment (which is also the call number).
struct Entry {
    operation: &'static str,
    interval: u32,
    rc: i64,
    status: i64,
    at: i64,
    /// Id other than the usual one.
    id: Option<&'static str>,
}

fn entry(operation: &'static str, rc: i64, at: i64) -> Entry {
    Entry { operation, interval: 0, rc, status: 0, at, id: None }
}

fn pending(operation: &'static str, at: i64) -> Entry {
    Entry { status: -1, rc: 193, ..entry(operation, 193, at) }
}

fn monitor(rc: i64, at: i64) -> Entry {
    Entry { interval: 10_000, ..entry("monitor", rc, at) }
}

impl Entry {
    fn write(&self, xml: &mut String, resource: &str, node: &str) {
        let Entry { operation, interval, rc, status, at, .. } = self;
        let expected = if *operation == "monitor" && *interval == 0 { 7 } else { 0 };
        let id = self.id.map_or_else(|| format!("{resource}_{operation}_{interval}"), str::to_owned);
        let call = if *status == -1 { -1 } else { *at };
        let key = format!("1:{at}:{expected}:uuid");
        let migration =
            if operation.starts_with("migrate") { "migrate_source='n1' migrate_target='n2'" } else { "" };
        let _ = write!(
            xml,
            "<lrm_rsc_op id='{id}' operation_key='{resource}_{operation}_{interval}' operation='{operation}' \
             interval='{interval}' call-id='{call}' rc-code='{rc}' op-status='{status}' on_node='{node}' \
             transition-key='{key}' transition-magic='{status}:{rc};{key}' last-rc-change='{at}' {migration}/>"
        );
    }
}

const VM: &str = "<primitive id='vm' class='ocf' provider='heartbeat' type='Xen'>\
    <meta_attributes id='vm-meta'><nvpair id='vm-m' name='allow-migrate' value='true'/></meta_attributes>\
    </primitive>";
const NO_FENCING: &str = "<nvpair id='o1' name='fencing-enabled' value='false'/>";

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            options: NO_FENCING,
            resource: VM,
            nodes: [("n1", true, ""), ("n2", true, "")],
            history: [Vec::new(), Vec::new()],
            history_id: "vm",
            now: 1000,
        }
    }
}

impl Scenario {
    fn xml(&self) -> String {
        let mut xml = format!(
            "<cib validate-with='pacemaker-4.0' have-quorum='1' crm_feature_set='3.19.0'><configuration>\
             <crm_config><cluster_property_set id='cib-bootstrap-options'>{}</cluster_property_set></crm_config>\
             <nodes><node id='1' uname='n1'/><node id='2' uname='n2'/></nodes>\
             <resources>{}</resources><constraints/></configuration><status>",
            self.options, self.resource
        );
        for (index, (name, online, attributes)) in self.nodes.iter().enumerate() {
            let (member, peer, join) =
                if *online { ("true", "online", "member") } else { ("false", "offline", "down") };
            let expected = join;
            let _ = write!(
                xml,
                "<node_state id='{}' uname='{name}' in_ccm='{member}' crmd='{peer}' join='{join}' expected='{expected}'>\
                 {attributes}<lrm id='{name}'><lrm_resources><lrm_resource id='{}' class='ocf' provider='heartbeat' type='Xen'>",
                index + 1,
                self.history_id
            );
            for entry in &self.history[index] {
                entry.write(&mut xml, self.history_id, name);
            }
            xml.push_str("</lrm_resource></lrm_resources></lrm></node_state>");
        }
        xml.push_str("</status></cib>");
        xml
    }

    fn status(&self) -> Status {
        let document = xml::Document::parse(&self.xml()).expect("the scenario is well-formed");
        let (cib, _) = cib::Cib::from_document(&document);
        Status::of(&scheduler::state::build(
            &cib,
            cib::iso8601::Zone::UTC.at(self.now).into(),
            Default::default(),
        ))
    }

    /// The lines of the resource list, without indentation and bullets.
    fn resources(&self) -> Vec<String> {
        let mut items = text::Items::new(0);
        let options = text::Options { inactive: true, pending: true, ..Default::default() };
        text::resources(&self.status(), options, &mut items);
        let text = items.into_text();
        text.lines().map(|line| line.trim_start_matches([' ', '*']).replace('\t', " ")).collect()
    }

    /// What the first resource line says after the agent.
    fn first(&self) -> String {
        let line = self.resources().into_iter().next().unwrap_or_default();
        line.split_once("):").map(|(_, rest)| rest.trim().to_owned()).unwrap_or(line)
    }

    fn node_lines(&self) -> String {
        let mut items = text::Items::new(0);
        text::nodes(&self.status(), &mut items);
        items.into_text()
    }
}

/// The table of rule 1.14.6.
#[test]
fn histories_of_migrations() {
    let moved = || vec![entry("start", 0, 1), entry("migrate_to", 0, 10)];
    let moved_and_stopped = || vec![entry("start", 0, 1), entry("migrate_to", 0, 10), entry("stop", 0, 20)];
    let failed_to_move = || vec![entry("start", 0, 1), entry("migrate_to", 1, 10)];
    let moving = || vec![entry("start", 0, 1), pending("migrate_to", 10)];
    let probe = |at| entry("monitor", 7, at);
    let line = |first: Vec<Entry>, second: Vec<Entry>, online: bool| {
        Scenario {
            history: [first, second],
            nodes: [("n1", true, ""), ("n2", online, "")],
            ..Default::default()
        }
        .first()
    };
    assert_eq!(line(moved(), vec![], true), "Started n1");
    assert_eq!(line(moved(), vec![probe(5)], true), "Started [ n2 n1 ]");
    assert_eq!(line(moved(), vec![probe(15)], true), "FAILED n1");
    assert_eq!(line(moved(), vec![entry("migrate_from", 0, 12)], true), "Started n2");
    assert_eq!(line(moved_and_stopped(), vec![entry("migrate_from", 0, 12)], true), "Started n2");
    assert_eq!(line(moved(), vec![entry("migrate_from", 1, 12)], true), "FAILED [ n2 n1 ]");
    assert_eq!(line(moved(), vec![entry("migrate_from", 1, 12), entry("stop", 0, 14)], true), "FAILED n1");
    assert_eq!(line(moved(), vec![probe(5)], false), "FAILED n1");
    assert_eq!(line(failed_to_move(), vec![], true), "FAILED n1");
    assert_eq!(line(failed_to_move(), vec![probe(5)], true), "FAILED [ n2 n1 ]");
    assert_eq!(line(failed_to_move(), vec![probe(15)], true), "FAILED n1");
    assert_eq!(line(moving(), vec![probe(5)], true), "Migrating n1");
    assert_eq!(line(moved_and_stopped(), vec![probe(5)], true), "Started n2");
    assert_eq!(line(moved(), vec![pending("migrate_from", 11)], true), "Migrating n1");
    assert_eq!(line(moved_and_stopped(), vec![probe(5)], false), "Stopped");
}

/// The table of rule 1.13.3, without fencing.
#[test]
fn failed_operations() {
    let line = |history: Vec<Entry>| Scenario { history: [history, vec![]], ..Default::default() }.first();
    assert_eq!(line(vec![entry("start", 0, 1), monitor(7, 2)]), "FAILED n1");
    assert_eq!(line(vec![entry("start", 0, 3), monitor(7, 2)]), "Started n1");
    assert_eq!(line(vec![entry("start", 1, 1)]), "FAILED n1");
    assert_eq!(line(vec![entry("start", 0, 1), entry("stop", 1, 2)]), "FAILED n1 (blocked)");
    assert_eq!(line(vec![entry("monitor", 1, 1)]), "FAILED n1");
    assert_eq!(line(vec![entry("monitor", 0, 1)]), "Started n1");
    assert_eq!(line(vec![entry("monitor", 5, 1)]), "Stopped (Not installed)");
    assert_eq!(line(vec![entry("monitor", 190, 1)]), "Started n1");
    assert_eq!(line(vec![pending("start", 1)]), "Starting n1");
}

#[test]
fn a_failure_expires_with_its_timeout() {
    let resource = "<primitive id='vm' class='ocf' provider='heartbeat' type='Xen'><meta_attributes id='m'>\
        <nvpair id='t' name='failure-timeout' value='60s'/></meta_attributes></primitive>";
    let line = |now| {
        let failed = Entry { id: Some("vm_last_failure_0"), ..entry("start", 1, 100) };
        Scenario { resource, now, history: [vec![failed], vec![]], ..Default::default() }.first()
    };
    assert_eq!(line(150), "FAILED n1");
    assert_eq!(line(160), "Stopped");
}

#[test]
fn what_is_active_on_a_lost_node_is_thought_to_be_there() {
    let scenario = Scenario {
        options: "",
        nodes: [("n1", false, ""), ("n2", true, "")],
        history: [vec![entry("start", 0, 1)], vec![]],
        ..Default::default()
    };
    assert_eq!(scenario.first(), "Started n1 (UNCLEAN)");
    assert_eq!(scenario.node_lines(), "* Node n1: UNCLEAN (offline)\n* Online: [ n2 ]\n");
    let ignored = Scenario { options: NO_FENCING, ..scenario };
    assert_eq!(ignored.first(), "Stopped");
}

#[test]
fn attributes_put_nodes_in_standby_and_maintenance() {
    let transient = |name: &str| {
        format!(
            "<transient_attributes id='x'><instance_attributes id='i'>\
             <nvpair id='a' name='{name}' value='on'/></instance_attributes></transient_attributes>"
        )
    };
    let lines = |name: &str| {
        let attributes: &'static str = Box::leak(transient(name).into_boxed_str());
        let nodes = [("n1", true, attributes), ("n2", true, "")];
        Scenario { nodes, history: [vec![entry("start", 0, 1)], vec![]], ..Default::default() }
    };
    assert!(lines("standby").node_lines().starts_with("* Node n1: standby (with active resources)\n"));
    assert!(lines("maintenance").node_lines().starts_with("* Node n1: maintenance\n"));
    assert_eq!(lines("maintenance").first(), "Started n1 (maintenance)");
}

#[test]
fn instances_of_anonymous_clones_are_told_apart_by_node() {
    let resource = "<clone id='c'><primitive id='vm' class='ocf' provider='heartbeat' type='Xen'/></clone>";
    let started = || vec![entry("start", 0, 1)];
    let both = Scenario { resource, history: [started(), started()], ..Default::default() };
    assert_eq!(both.resources(), ["Clone Set: c [vm]:", "Started: [ n1 n2 ]"]);
    let one = Scenario { resource, history: [started(), vec![entry("monitor", 7, 1)]], ..Default::default() };
    assert_eq!(one.resources(), ["Clone Set: c [vm]:", "Started: [ n1 ]", "Stopped: [ n2 ]"]);
    let unable = Scenario { resource, history: [vec![], vec![entry("monitor", 5, 1)]], ..Default::default() };
    assert_eq!(
        unable.resources(),
        ["Clone Set: c [vm]:", "Stopped: [ n1 ]", "Stopped (Not installed): [ n2 ]"]
    );
}

#[test]
fn what_is_no_longer_configured_is_shown_while_it_runs() {
    let history = |entries| [entries, vec![]];
    let running =
        Scenario { history_id: "gone", history: history(vec![entry("start", 0, 1)]), ..Default::default() };
    assert_eq!(running.resources()[1], "gone (ocf:heartbeat:Xen):  ORPHANED Started n1");
    let stopped =
        Scenario { history_id: "gone", history: history(vec![entry("stop", 0, 1)]), ..Default::default() };
    assert_eq!(stopped.resources().len(), 1);
}

#[test]
fn launchers_that_launch_each_other_are_refused() {
    let resource = "<primitive id='vm' class='ocf' provider='p' type='t'><meta_attributes id='m1'>\
        <nvpair id='c1' name='container' value='b'/></meta_attributes></primitive>\
        <primitive id='b' class='ocf' provider='p' type='t'><meta_attributes id='m2'>\
        <nvpair id='c2' name='container' value='vm'/></meta_attributes></primitive>";
    let scenario = Scenario { resource, history: [vec![entry("start", 0, 1)], vec![]], ..Default::default() };
    assert_eq!(scenario.first(), "Started n1");
}

/// The XML of a status, one element a line.
fn monitor_xml(scenario: &Scenario) -> String {
    let document = xml::Document::parse(&scenario.xml()).expect("the scenario is well-formed");
    let (cib, _) = cib::Cib::from_document(&document);
    let model =
        scheduler::state::build(&cib, cib::iso8601::Zone::UTC.at(scenario.now).into(), Default::default());
    let status = Status::of(&model);
    let input = super::xml::Input {
        status: &status,
        facts: &Default::default(),
        fail_counts: &[],
        history: &super::history::of(&model),
        fencing: None,
        sections: &super::monitor::Sections {
            inactive: true,
            timing: true,
            ..super::monitor::Sections::everything()
        },
        request: "crm_mon --output-as=xml",
        local: &|at| format!("local {at}"),
        universal: &|at| format!("universal {at}"),
    };
    super::xml::monitor(&input).to_pretty()
}

#[test]
fn tools_read_the_status_as_xml() {
    let history = [vec![entry("start", 0, 1), monitor(7, 2)], vec![entry("monitor", 7, 1)]];
    let text = monitor_xml(&Scenario { history, ..Default::default() });
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines[0], "<pacemaker-result api-version=\"2.42\" request=\"crm_mon --output-as=xml\">");
    for expected in [
        "<resource id=\"vm\" resource_agent=\"ocf:heartbeat:Xen\" role=\"Started\" active=\"true\" orphaned=\"false\" \
         removed=\"false\" blocked=\"false\" maintenance=\"false\" managed=\"true\" failed=\"true\" \
         failure_ignored=\"false\" nodes_running_on=\"1\">",
        "<node name=\"n1\" id=\"1\" cached=\"true\"/>",
        "<resource_history id=\"vm\" orphan=\"false\" removed=\"false\" migration-threshold=\"1000000\">",
        "<operation_history call=\"2\" task=\"monitor\" rc=\"7\" rc_text=\"Not running\" interval=\"10000ms\" \
         last-rc-change=\"local 2\"/>",
        "<failure op_key=\"vm_monitor_10000\" node=\"n1\" exitstatus=\"Not running\" exitreason=\"none\" exitcode=\"7\" \
         call=\"2\" status=\"Done\" last-rc-change=\"universal 2\" interval=\"10000\" \
         task=\"monitor\"/>",
        "<status code=\"0\" message=\"OK\"/>",
    ] {
        assert!(lines.contains(&expected), "{expected} is missing in\n{text}");
    }
}

/// The screen that these sections make.
fn screen(scenario: &Scenario, sections: &super::sections::Sections) -> String {
    let document = xml::Document::parse(&scenario.xml()).expect("the scenario is well-formed");
    let (cib, _) = cib::Cib::from_document(&document);
    let model =
        scheduler::state::build(&cib, cib::iso8601::Zone::UTC.at(scenario.now).into(), Default::default());
    let history = super::history::of(&model);
    let clock = |at| format!("T{at}");
    super::monitor::screen(&Status::of(&model), &Default::default(), &[], &history, sections, &clock)
}

#[test]
fn resources_below_their_nodes() {
    use super::sections::Sections;
    let history = [vec![entry("start", 0, 1)], vec![]];
    let scenario = Scenario { history, ..Default::default() };
    let mut sections = Sections { by_node: true, inactive: true, ..Sections::none() };
    assert_eq!(sections.include("nodes,resources"), Ok(()));
    assert_eq!(
        screen(&scenario, &sections),
        "Node List:\n  * Node n1: online:\n    * Resources:\n      * vm\t(ocf:heartbeat:Xen):\t Started\n  * Node n2: online:\n    * Resources:\n\n\
         Inactive Resources:\n  * No inactive resources\n"
    );
    sections.brief = true;
    sections.inactive = false;
    assert_eq!(
        screen(&scenario, &sections),
        "Node List:\n  * Node n1: online:\n    * Resources:\n      * 1\t(ocf:heartbeat:Xen):\tActive \n"
    );
}

#[test]
fn operations_of_each_node() {
    use super::sections::Sections;
    let history = [vec![entry("start", 0, 1), monitor(0, 2)], vec![entry("monitor", 7, 1)]];
    let scenario = Scenario { history, ..Default::default() };
    let sections = Sections { operations: true, ..Sections::none() };
    assert_eq!(
        screen(&scenario, &sections),
        "Operations:\n  * Node: n1:\n    * vm: migration-threshold=1000000:\n      * (1) start\n      * (2) monitor: interval=\"10000ms\"\n"
    );
}

#[test]
fn what_a_clone_resets_its_child_keeps() {
    let resource = "<clone id='c'><meta_attributes id='m1'>\
        <nvpair id='p' name='promotable' value='true'/><nvpair id='d' name='target-role' value='#default'/>\
        </meta_attributes><primitive id='vm' class='ocf' provider='p' type='t'><meta_attributes id='m2'>\
        <nvpair id='t' name='target-role' value='Unpromoted'/></meta_attributes></primitive></clone>";
    let status = Scenario { resource, ..Default::default() }.status();
    assert_eq!(status.counts.disabled, 2);
}

/// A clone that sets a target role decides, whatever its primitive says.
#[test]
fn a_clone_limits_its_instances_only_if_its_own_target_role_does() {
    for (role, shown) in [("Promoted", "Unpromoted: [ n1 ]"), ("Slave", "Unpromoted (target-role): [ n1 ]")] {
        let resource = format!(
            "<clone id='c'><meta_attributes id='m1'><nvpair id='p' name='promotable' value='true'/>\
             <nvpair id='d' name='target-role' value='{role}'/></meta_attributes>\
             <primitive id='vm' class='ocf' provider='p' type='t'><meta_attributes id='m2'>\
             <nvpair id='t' name='target-role' value='Unpromoted'/></meta_attributes></primitive></clone>"
        );
        let history = [vec![entry("start", 0, 1)], Vec::new()];
        let status = Scenario { resource: resource.leak(), history, ..Default::default() }.status();
        let text = super::text::cluster_status(&status, "Status", false);
        assert!(text.contains(shown), "{text}");
    }
}
