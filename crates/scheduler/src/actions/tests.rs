//! Scenarios: a small cluster as text in, the actions in order of creation out.

use super::digest::{Parameters, digest};
use crate::model::{ActionId, Id, Model, PlanOptions};
use crate::plan;
use std::fmt::Write;

mod recovery;

/// Moment of all scenarios, in seconds since the epoch.
const NOW: i64 = 1_000_000;

/// A cluster in the words of the configuration; texts are XML.
#[derive(Default)]
struct Cluster {
    options: &'static str,
    resources: String,
    constraints: &'static str,
    /// Names of nodes, each with attributes in the status and history.
    nodes: Vec<(&'static str, String, String)>,
    lost: Vec<&'static str>,
    /// Online, but not accepted by the DC yet.
    joining: Vec<&'static str>,
    /// Not in the status.
    unseen: Vec<&'static str>,
    without_quorum: bool,
}

impl Cluster {
    fn of(nodes: &[&'static str], resources: impl Into<String>) -> Cluster {
        let nodes = nodes.iter().map(|name| (*name, String::new(), String::new())).collect();
        Cluster { nodes, resources: resources.into(), ..Cluster::default() }
    }

    /// Adds history of a resource on a node.
    fn with_history(mut self, node: &str, resource: &str, entries: &str) -> Cluster {
        let history = &mut self.nodes.iter_mut().find(|(name, ..)| *name == node).expect("a known node").2;
        let _ = write!(
            history,
            "<lrm_resource id='{resource}' class='ocf' provider='pacemaker' type='Dummy'>{entries}</lrm_resource>"
        );
        self
    }

    /// Adds a transient attribute of a node.
    fn with_attribute(mut self, node: &str, name: &'static str, value: &'static str) -> Cluster {
        let attributes =
            &mut self.nodes.iter_mut().find(|(known, ..)| *known == node).expect("a known node").1;
        let _ = write!(attributes, "<nvpair id='{node}-{name}' name='{name}' value='{value}'/>");
        self
    }

    fn document(&self) -> String {
        let mut configured = String::new();
        let mut status = String::new();
        for (name, attributes, history) in &self.nodes {
            let _ = write!(configured, "<node id='{name}' uname='{name}'/>");
            if self.unseen.contains(name) {
                continue;
            }
            let (member, peer) =
                if self.lost.contains(name) { ("false", "offline") } else { ("true", "online") };
            let join = match name {
                _ if self.lost.contains(name) => "down",
                _ if self.joining.contains(name) => "pending",
                _ => "member",
            };
            let _ = write!(
                status,
                "<node_state id='{name}' uname='{name}' in_ccm='{member}' crmd='{peer}' join='{join}' \
                 expected='member'><transient_attributes id='{name}'><instance_attributes id='t-{name}'>\
                 {attributes}</instance_attributes></transient_attributes><lrm id='{name}'><lrm_resources>\
                 {history}</lrm_resources></lrm></node_state>"
            );
        }
        let quorum = if self.without_quorum { "0" } else { "1" };
        format!(
            "<cib validate-with='pacemaker-4.0' crm_feature_set='3.20.0' admin_epoch='0' epoch='1' \
             num_updates='0' have-quorum='{quorum}'><configuration><crm_config>\
             <cluster_property_set id='o'>{}</cluster_property_set></crm_config><nodes>{configured}</nodes>\
             <resources>{}</resources><constraints>{}</constraints></configuration>\
             <status>{status}</status></cib>",
            self.options, self.resources, self.constraints
        )
    }

    /// Runs the scheduler and looks at the result.
    fn look<T>(&self, look: impl FnOnce(&Model<'_>) -> T) -> T {
        let document = xml::Document::parse(&self.document()).expect("the scenario is well-formed");
        let (cib, _) = cib::Cib::from_document(&document);
        let options = PlanOptions { record_reasons: true, sanitized_input: true, ..PlanOptions::default() };
        look(&plan(&cib, cib::iso8601::Zone::UTC.at(NOW).into(), options).model)
    }

    /// One line an action: number, key, node, state.
    fn actions(&self) -> Vec<String> {
        self.look(|model| model.actions.ids().map(|id| line(model, id)).collect())
    }

    /// Actions that will be carried out, without their numbers.
    fn required(&self) -> Vec<String> {
        self.look(|model| {
            let is_it = |id: &ActionId| model.actions[*id].in_graph && !model.actions[*id].pseudo;
            model.actions.ids().filter(is_it).map(|id| name(model, id)).collect()
        })
    }

    fn meta(&self, action: &str, attribute: &str) -> Option<String> {
        self.look(|model| {
            let found = model.actions.ids().find(|id| name(model, *id) == action).expect("the action");
            model.actions[found].meta.get(attribute).map(|value| value.to_string())
        })
    }
}

fn name(model: &Model<'_>, id: ActionId) -> String {
    let action = &model.actions[id];
    let node = action.node.map_or("-", |node| &model.nodes[node].name);
    let cancelled = if action.cancelled_task.is_some() { "cancel " } else { "" };
    format!("{cancelled}{} {node}", action.key)
}

fn line(model: &Model<'_>, id: ActionId) -> String {
    let action = &model.actions[id];
    let mut line = format!("{} {}", id.index() + 1, name(model, id));
    for (is_so, word) in
        [(action.optional, "optional"), (!action.runnable, "blocked"), (action.pseudo, "pseudo")]
    {
        if is_so {
            line = line + " " + word;
        }
    }
    line
}

fn dummy(id: &str, inside: &str) -> String {
    format!("<primitive id='{id}' class='ocf' provider='pacemaker' type='Dummy'>{inside}</primitive>")
}

fn parameter(resource: &str, name: &str, value: &str) -> String {
    format!(
        "<instance_attributes id='{resource}-a'><nvpair id='{resource}-{name}' name='{name}' value='{value}'/>\
         </instance_attributes>"
    )
}

fn meta(resource: &str, name: &str, value: &str) -> String {
    format!(
        "<meta_attributes id='{resource}-m'><nvpair id='{resource}-{name}' name='{name}' value='{value}'/>\
         </meta_attributes>"
    )
}

/// A recorded operation that was expected to end as it did; `more` are further XML attributes.
fn done(resource: &str, node: &str, task: &str, interval: u32, call: u32, rc: u32, more: &str) -> String {
    let key = format!("{call}:1:{rc}:00000000-0000-0000-0000-000000000000");
    format!(
        "<lrm_rsc_op id='{resource}_{task}_{interval}_{call}' operation='{task}' interval='{interval}' \
         operation_key='{resource}_{task}_{interval}' call-id='{call}' rc-code='{rc}' op-status='0' \
         transition-key='{key}' transition-magic='0:{rc};{key}' on_node='{node}' \
         crm_feature_set='3.20.0' {more}/>"
    )
}

fn digest_of(pairs: &[(&str, &str)]) -> String {
    let parameters: Parameters =
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    format!("op-digest='{}'", digest(&parameters))
}

const NO_FENCING: &str = "<nvpair id='o1' name='fencing-enabled' value='false'/>";
const DEVICE: &str = "<primitive id='fence' class='stonith' type='fence_x'/>";

/// A started `db` on `a`, known to be stopped on `b`.
fn active_on_a(cluster: Cluster) -> Cluster {
    let digest = digest_of(&[]);
    cluster.with_history("a", "db", &done("db", "a", "start", 0, 2, 0, &digest)).with_history(
        "b",
        "db",
        &done("db", "b", "monitor", 0, 1, 7, &digest),
    )
}

/// Rules 2.5.3 b and 2.9.11: a rule that holds on a bundle's node too does not make resources be probed there.
#[test]
fn a_rule_that_names_no_node_does_not_reach_into_bundles() {
    let bundle = "<bundle id='box'><podman image='i'/><network control-port='1'/>\
                  <primitive id='in' class='ocf' provider='pacemaker' type='Dummy'/></bundle>";
    let history = |task, rc| {
        format!(
            "<lrm_rsc_op id='x_{task}' operation_key='x_{task}_0' operation='{task}' interval='0' \
             call-id='1' rc-code='{rc}' op-status='0' transition-key='1:1:{rc}:u' \
             transition-magic='0:{rc};1:1:{rc}:u'/>"
        )
    };
    let cluster = Cluster {
        options: NO_FENCING,
        constraints: "<rsc_location id='l' rsc='db'><rule id='r' score='1'><expression id='e' \
                      attribute='x' operation='not_defined'/></rule></rsc_location>",
        ..Cluster::of(&["a"], bundle.to_owned() + &dummy("db", ""))
    };
    let cluster = cluster.with_history("a", "box-podman-0", &history("start", 0)).with_history(
        "a",
        "box-0",
        &history("start", 0),
    );
    let actions = cluster.actions();
    assert!(actions.iter().any(|action| action.contains("db_monitor_0 a")), "{actions:?}");
    assert!(!actions.iter().any(|action| action.contains("db_monitor_0 box-0")), "{actions:?}");
}

/// Rule 3.2.1 for the keys.
#[test]
fn what_is_unknown_is_probed_node_by_node_before_anything_starts() {
    let cluster =
        Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], dummy("db", "") + &dummy("web", "")) };
    assert_eq!(
        cluster.actions(),
        [
            "1 db_monitor_0 a",
            "2 web_monitor_0 a",
            "3 db_monitor_0 b",
            "4 web_monitor_0 b",
            "5 db_start_0 a",
            "6 web_start_0 b",
        ]
    );
    assert_eq!(cluster.meta("db_monitor_0 b", "op_target_rc").as_deref(), Some("7"));
}

/// Rule 3.19.2.
#[test]
fn a_group_adds_its_pseudo_actions_after_its_members() {
    let group = format!("<group id='g'>{}{}</group>", dummy("one", ""), dummy("two", ""));
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], group) };
    assert_eq!(
        cluster.actions(),
        [
            "1 one_monitor_0 a",
            "2 two_monitor_0 a",
            "3 one_start_0 a",
            "4 two_start_0 a",
            "5 g_start_0 - pseudo",
            "6 g_running_0 - pseudo",
            "7 g_stop_0 - optional pseudo",
            "8 g_stopped_0 - optional pseudo",
        ]
    );
}

/// Each of them waits for its neighbour and reports to the group.
#[test]
fn members_of_a_long_group_are_not_asked_for_what_none_of_them_does() {
    const LENGTH: usize = 300;
    let members: String = (0..LENGTH).map(|number| dummy(&format!("m{number}"), "")).collect();
    let cluster =
        Cluster { options: NO_FENCING, ..Cluster::of(&["a"], format!("<group id='g'>{members}</group>")) };
    let (starts, tried) = cluster.look(|model| {
        let is_start = |id: &ActionId| model.actions[*id].in_graph && name(model, *id).contains("_start_0 a");
        (model.actions.ids().filter(is_start).count(), model.ordering.members_tried)
    });
    assert_eq!(starts, LENGTH);
    assert!(tried <= 10 * LENGTH, "{tried} members tried");
}

/// Rules 1.11.8.1 and 1.11.8.2, with a bound.
#[test]
fn removed_connections_are_nodes_for_the_others_up_to_a_bound() {
    let mut cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], "") };
    for number in 0..400 {
        let id = format!("r{number}");
        let entry = done(&id, "a", "start", 0, number + 2, 0, &digest_of(&[]));
        let _ = write!(
            cluster.nodes[0].2,
            "<lrm_resource id='{id}' class='ocf' provider='pacemaker' type='remote'>{entry}</lrm_resource>"
        );
    }
    let (nodes, said) = cluster.look(|model| {
        let said: Vec<String> = model.notices.iter().map(|notice| notice.text.to_string()).collect();
        (model.nodes.len(), said)
    });
    assert_eq!(nodes, 1 + 256);
    assert_eq!(
        said.iter().filter(|text| text.contains("that of 'r256' and those after it")).count(),
        1,
        "{said:?}"
    );
}

#[test]
fn a_member_active_on_two_nodes_one_in_maintenance_restarts_no_follower() {
    let group = format!("<group id='g'>{}{}</group>", dummy("q", ""), dummy("r", ""));
    let digest = digest_of(&[]);
    let mut cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], group) };
    for (node, resource) in [("a", "q"), ("b", "q"), ("a", "r")] {
        cluster = cluster.with_history(node, resource, &done(resource, node, "start", 0, 3, 0, &digest));
    }
    let cluster = cluster.with_history("b", "r", &done("r", "b", "monitor", 0, 4, 7, &digest));
    assert!(cluster.required().iter().any(|line| line.contains("q_start_0")), "all is managed yet");
    let cluster = cluster.with_attribute("b", "maintenance", "true");
    assert_eq!(cluster.required(), [""; 0], "{:#?}", cluster.actions());
}

#[test]
fn what_stays_keeps_optional_restart_actions_for_orderings_to_turn_on() {
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], dummy("db", "")) };
    assert_eq!(active_on_a(cluster).actions(), ["1 db_stop_0 a optional", "2 db_start_0 a optional"]);
}

/// Rule 3.18.2: the first request that names a node binds the start.
#[test]
fn a_changed_parameter_forces_a_restart_through_a_start_without_node() {
    let resource = dummy("db", &parameter("db", "state", "/new"));
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], resource) };
    assert_eq!(active_on_a(cluster).actions(), ["1 db_start_0 a", "2 db_stop_0 a"]);
}

#[test]
fn a_parameter_that_the_agent_can_reload_is_reloaded() {
    let resource = dummy("db", &parameter("db", "state", "/new"));
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], resource) };
    let restart = digest_of(&[]).replace("op-digest", "op-restart-digest");
    let more = format!("{} {restart} op-force-restart=' envfile '", digest_of(&[("state", "/old")]));
    let cluster = cluster.with_history("a", "db", &done("db", "a", "start", 0, 2, 0, &more));
    assert_eq!(cluster.required(), ["db_reload-agent_0 a"]);
}

/// Rules 3.2.8 and 3.10.5: what history tells of is not asked for again; a cancel keeps the key of the monitor.
#[test]
fn a_monitor_is_new_kept_rescheduled_or_cancelled() {
    let operations = "<operations><op id='m' name='monitor' interval='10s' timeout='20s'/></operations>";
    let cluster = |operations: &str| Cluster {
        options: NO_FENCING,
        ..Cluster::of(&["a", "b"], dummy("db", operations))
    };
    let start = done("db", "a", "start", 0, 2, 0, &digest_of(&[]));
    let monitor = |digest: &str| start.clone() + &done("db", "a", "monitor", 10_000, 3, 0, digest);
    let current = digest_of(&[("CRM_meta_timeout", "20000")]);

    let new = active_on_a(cluster(operations));
    assert_eq!(new.required(), ["db_monitor_10000 a"]);
    let kept = cluster(operations).with_history("a", "db", &monitor(&current));
    assert_eq!(kept.required(), ["db_monitor_0 b"]);
    let outdated = digest_of(&[("CRM_meta_timeout", "60000")]);
    let rescheduled = cluster(operations).with_history("a", "db", &monitor(&outdated));
    assert_eq!(rescheduled.required(), ["db_monitor_10000 a", "db_monitor_0 b"]);
    let removed = cluster("").with_history("a", "db", &monitor(&current));
    assert_eq!(removed.required(), ["cancel db_monitor_10000 a", "db_monitor_0 b"]);
    assert_eq!(removed.meta("cancel db_monitor_10000 a", "call_id").as_deref(), Some("3"));
}

/// Rules 3.12.2 and 3.12.3.
#[test]
fn a_live_migration_replaces_stop_and_start() {
    let resource = dummy("db", &meta("db", "allow-migrate", "true"));
    let constraints = "<rsc_location id='l' rsc='db' node='b' score='INFINITY'/>";
    let cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a", "b"], resource) };
    let cluster = active_on_a(cluster);
    assert_eq!(
        cluster.actions(),
        ["1 db_stop_0 a", "2 db_start_0 b pseudo", "3 db_migrate_to_0 a", "4 db_migrate_from_0 b"]
    );
    assert_eq!(cluster.meta("db_migrate_to_0 a", "migrate_target").as_deref(), Some("b"));
    assert_eq!(cluster.meta("db_migrate_to_0 a", "record-pending").as_deref(), Some("true"));
}

#[test]
fn without_quorum_nothing_starts_and_the_reason_says_so() {
    let mut cluster = Cluster::of(&["a"], dummy("db", ""));
    cluster.options = NO_FENCING;
    cluster.without_quorum = true;
    assert_eq!(cluster.required(), ["db_monitor_0 a"]);
    let reason = cluster.look(|model| {
        let start = model.actions.values().find(|action| &*action.key == "db_start_0");
        start.and_then(|start| start.reason.clone())
    });
    assert_eq!(reason.as_deref(), Some("no quorum"));
}

/// Rules 3.4.5 and 3.6.7: the restart of what is to be demoted ends where it may go.
#[test]
fn without_quorum_a_failed_promoted_instance_comes_back_unpromoted() {
    let inner = "<primitive id='db' class='ocf' provider='pacemaker' type='Stateful'/>";
    let clone = format!("<clone id='c'>{}{inner}</clone>", meta("c", "promotable", "true"));
    let mut cluster = Cluster::of(&["a"], clone).with_attribute("a", "master-db", "10");
    cluster.options = "<nvpair id='o1' name='fencing-enabled' value='false'/>\
                       <nvpair id='o2' name='no-quorum-policy' value='demote'/>";
    cluster.without_quorum = true;
    let failed = done("db", "a", "monitor", 10000, 3, 1, "").replace("3:1:1:", "3:1:8:");
    let cluster = cluster.with_history("a", "db", &(done("db", "a", "promote", 0, 2, 0, "") + &failed));
    let required = ["cancel db:0_monitor_10000 a", "db:0_stop_0 a", "db:0_start_0 a", "db:0_demote_0 a"];
    assert_eq!(cluster.required(), required);
}

#[test]
fn a_lost_node_is_fenced_once_and_for_the_first_reason() {
    let mut cluster = Cluster::of(&["a", "b"], DEVICE.to_owned() + &dummy("db", ""));
    cluster.lost = vec!["b"];
    let cluster = cluster.with_history("b", "db", &done("db", "b", "start", 0, 2, 0, &digest_of(&[])));
    let fencing = cluster.look(|model| {
        let is_fencing = |id: &ActionId| model.actions[*id].resource.is_none();
        let fencing: Vec<ActionId> = model.actions.ids().filter(is_fencing).collect();
        let reason = |id: &ActionId| model.actions[*id].reason.as_deref().unwrap_or_default().to_owned();
        fencing.iter().map(|id| format!("{}: {}", line(model, *id), reason(id))).collect::<Vec<_>>()
    });
    assert_eq!(fencing, ["1 stonith-b-reboot b: peer is no longer part of the cluster"]);
    assert!(cluster.actions().iter().any(|line| line.ends_with("db_stop_0 b pseudo")));
}

/// Rules 1.10.4 and 3.5.2.
#[test]
fn settings_come_from_the_operation_then_the_defaults() {
    let operations = "<operations><op id='s' name='start' interval='0' timeout='5s' on-fail='block'/>\
                      <op id='t' name='stop' interval='0' on-fail='standby'/>\
                      <op id='m' name='monitor' interval='30s' timeout='7s' start-delay='2s'/></operations>";
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], dummy("db", operations)) };
    let start = |attribute: &str| cluster.meta("db_start_0 a", attribute);
    assert_eq!(start("timeout").as_deref(), Some("5000"));
    assert_eq!(start("on-fail").as_deref(), Some("block"));
    assert_eq!(start("name").as_deref(), Some("start"));
    assert_eq!(start("id"), None);
    assert_eq!(cluster.meta("db_monitor_0 a", "timeout").as_deref(), Some("7000"), "of the monitor");
    let monitor = |attribute: &str| cluster.meta("db_monitor_30000 a", attribute);
    assert_eq!(monitor("start-delay").as_deref(), Some("2000"));
    assert_eq!(monitor("interval").as_deref(), Some("30000"));
}

/// Rule 1.10.8.
#[test]
fn interval_origin_tells_how_long_to_wait() {
    let operations = "<operations><op id='m' name='monitor' interval='1h' \
                      interval-origin='1970-01-01 00:20:00Z'/></operations>";
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], dummy("db", operations)) };
    let passed = (NOW - 1200) % 3600;
    let delay = ((3600 - passed) * 1000).to_string();
    assert_eq!(cluster.meta("db_monitor_3600000 a", "start-delay"), Some(delay));
}

#[test]
fn instances_are_notified_around_a_start() {
    let clone = format!("<clone id='c'>{}{}</clone>", dummy("db", ""), meta("c", "notify", "true"));
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], clone) };
    let cluster = active_on_a(cluster);
    assert_eq!(
        cluster.required(),
        [
            "db:1_start_0 b",
            "db:0_pre_notify_start_0 a",
            "db:0_post_notify_start_0 a",
            "db:1_post_notify_start_0 b"
        ]
    );
    let told = |attribute: &str| cluster.meta("db:0_pre_notify_start_0 a", attribute);
    assert_eq!(told("notify_start_resource").as_deref(), Some("db:1"));
    assert_eq!(told("notify_start_uname").as_deref(), Some("b"));
    assert_eq!(told("notify_active_resource").as_deref(), Some("db:0"));
    assert_eq!(told("notify_stop_resource").as_deref(), Some(" "));
}

/// Rules 4.3.8 and 4.3.9: the lists say what is before the transition, by ids as bytes, word by word; those that are
/// changed are told as well.
#[test]
fn lists_of_notifications_correspond_word_by_word() {
    let more =
        [("notify", "true"), ("globally-unique", "true"), ("clone-max", "12"), ("clone-node-max", "12")];
    let more: String = more.iter().map(|(name, value)| meta(&format!("c-{name}"), name, value)).collect();
    let clone = format!("<clone id='c'>{more}{}</clone>", dummy("db", ""));
    let mut cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], clone) };
    cluster = cluster.with_history("a", "db:0", &done("db:0", "a", "start", 0, 1, 0, &digest_of(&[])));
    let ids = "db:1 db:10 db:11 db:2 db:3 db:4 db:5 db:6 db:7 db:8 db:9";
    let nodes = ["a"; 11].join(" ");
    for action in ["db:0_pre_notify_start_0 a", "db:10_start_0 a"] {
        let told = |attribute: &str| cluster.meta(action, attribute).unwrap_or_default();
        assert_eq!(
            (&*told("notify_start_resource"), &*told("notify_start_uname")),
            (ids, &*nodes),
            "{action}"
        );
        assert_eq!(told("notify_inactive_resource"), ids);
        assert_eq!((&*told("notify_active_resource"), &*told("notify_active_uname")), ("db:0", "a"));
        for empty in ["stop", "promote", "demote", "promoted", "master", "unpromoted", "slave"] {
            let (resource, uname) = (format!("notify_{empty}_resource"), format!("notify_{empty}_uname"));
            assert_eq!((&*told(&resource), &*told(&uname)), (" ", " "), "{empty}");
        }
        assert_eq!((&*told("notify_available_uname"), &*told("notify_all_uname")), ("a", "a"));
        assert_eq!(cluster.meta(action, "notify_inactive_uname"), None);
        assert_eq!(cluster.meta(action, "notify_all_hosts"), None);
    }
    assert_eq!(cluster.meta("db:10_start_0 a", "notify_type"), None);
    let told = |attribute: &str| cluster.meta("db:0_pre_notify_start_0 a", attribute);
    assert_eq!(
        (told("notify_type"), told("notify_operation")),
        (Some("pre".to_owned()), Some("start".to_owned()))
    );
}

#[test]
fn a_removed_resource_is_stopped_then_deleted() {
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], String::new()) };
    let cluster = cluster.with_history("a", "old", &done("old", "a", "start", 0, 2, 0, ""));
    assert_eq!(cluster.required(), ["old_delete_0 a", "old_stop_0 a"]);
}

/// Rule 1.11.8.5: history may name as launcher what is launched by the resource itself.
#[test]
fn removed_resources_that_launch_each_other_in_a_circle_are_stopped_without_it() {
    let mut cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], String::new()) };
    for (call, id, container) in [(2, "x", "y"), (3, "y", "z"), (4, "z", "x")] {
        let _ = write!(
            cluster.nodes[0].2,
            "<lrm_resource id='{id}' class='ocf' provider='pacemaker' type='Dummy' container='{container}'>{}\
             </lrm_resource>",
            done(id, "a", "start", 0, call, 0, "")
        );
    }
    let launchers = cluster.look(|model| {
        let name = |id| model.resources[id].id.to_string();
        let all = model.resources.values();
        all.map(|it| (it.id.to_string(), it.launcher.map(name))).collect::<Vec<_>>()
    });
    let launched_by = |it: &str, launcher: Option<&str>| (it.to_owned(), launcher.map(str::to_owned));
    assert_eq!(launchers, [launched_by("x", Some("y")), launched_by("y", Some("z")), launched_by("z", None)]);
    let required = cluster.required();
    assert_eq!(required.iter().filter(|action| action.contains("_stop_0")).count(), 3, "{required:?}");
}

#[test]
fn another_agent_under_the_same_id_replaces_the_first() {
    let resource = "<primitive id='db' class='ocf' provider='heartbeat' type='Dummy'/>";
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], resource) };
    let required = active_on_a(cluster).required();
    assert_eq!(required, ["db_stop_0 a", "db_delete_0 a", "db_delete_0 b", "db_start_0 a"]);
}

#[test]
fn a_node_that_shuts_down_leaves_after_its_resources() {
    let mut cluster = Cluster::of(&["a", "b"], dummy("db", ""));
    cluster.options = NO_FENCING;
    let cluster = cluster.with_attribute("a", "shutdown", "900000");
    let cluster = active_on_a(cluster);
    assert_eq!(cluster.required(), ["db_stop_0 a", "db_start_0 b", "do_shutdown-a a"]);
}

#[test]
fn a_node_is_unfenced_before_a_device_that_needs_it_is_used() {
    let device = "<primitive id='scsi' class='stonith' type='fence_scsi'><meta_attributes id='m'>\
                  <nvpair id='m1' name='provides' value='unfencing'/></meta_attributes></primitive>";
    let cluster = Cluster::of(&["a"], device);
    assert_eq!(cluster.required(), ["scsi_monitor_0 a", "stonith-a-on a", "scsi_start_0 a"]);
    let reason = cluster.look(|model| {
        let unfence = model.actions.values().find(|action| &*action.key == "stonith-a-on");
        unfence.and_then(|unfence| unfence.reason.clone())
    });
    assert_eq!(reason.as_deref(), Some("required by scsi monitor"));
}

#[test]
fn every_action_has_a_cause() {
    let clone = format!("<clone id='c'>{}{}</clone>", dummy("db", ""), meta("c", "notify", "true"));
    let mut cluster = Cluster::of(&["a", "b"], DEVICE.to_owned() + &clone);
    cluster.lost = vec!["b"];
    active_on_a(cluster).look(|model| {
        for id in model.actions.ids() {
            let explained = model.reasons.actions.iter().any(|(explained, _)| *explained == id);
            assert!(explained, "{} has no cause", line(model, id));
        }
    });
}

/// Rules 1.5.7, 1.6.10 and 3.17.1: the moment when a parameter changes matters to what is compared with history, not to what
/// is only about to start with it.
#[test]
fn parameters_that_will_change_matter_to_what_runs() {
    let changes = NOW + 60;
    let moment = cib::iso8601::DateTime::from_timestamp(changes, 0).to_string();
    let inside = format!(
        "<instance_attributes id='db-a'><rule id='r'><date_expression id='d' operation='gt' start='{moment}'/>\
         </rule><nvpair id='n' name='ip' value='1'/></instance_attributes>"
    );
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], dummy("db", &inside)) };
    let recheck = |cluster: &Cluster| {
        let document = xml::Document::parse(&cluster.document()).expect("the scenario is well-formed");
        let (cib, _) = cib::Cib::from_document(&document);
        plan(&cib, cib::iso8601::Zone::UTC.at(NOW).into(), PlanOptions::default()).graph.recheck_by
    };
    assert_eq!(recheck(&cluster), None);
    assert_eq!(recheck(&active_on_a(cluster)), Some(changes + 1));
}

/// Rules 3.2.3, 3.22.2 and 3.27.3: a clean-up is not done where the resource is probed anyway.
#[test]
fn a_probe_takes_the_place_of_a_clean_up() {
    let failed = |time: i64| {
        format!(
            "<lrm_rsc_op id='db_last_failure_0' operation_key='db_start_0' operation='start' interval='0' call-id='1' \
             rc-code='1' op-status='0' last-rc-change='{time}' transition-key='1:1:0:u' \
             transition-magic='0:1;1:1:0:u'/>"
        )
    };
    let timeout =
        "<meta_attributes id='m'><nvpair id='m1' name='failure-timeout' value='1min'/></meta_attributes>";
    // what is recorded was the history of another agent
    let resource = dummy("db", timeout).replace("'Dummy'", "'Other'");
    let required = |time: i64| {
        let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], resource.clone()) };
        cluster.with_history("a", "db", &failed(time)).required()
    };
    assert_eq!(required(NOW - 1000), ["db_monitor_0 a", "db_start_0 a"]);
    assert!(!required(NOW - 10).contains(&"db_monitor_0 a".to_owned()));
}

/// Rules 3.25.1, 3.25.7 and 3.25.10: `then-action` is the first action only between two resources; what a template
/// stands for becomes a set, whose action is `start`.
#[test]
fn the_action_of_a_template_in_an_order_is_start() {
    let template = "<template id='t' class='ocf' provider='pacemaker' type='Dummy'/>";
    let web = "<primitive id='web' template='t'/>";
    let starts = |then: &str| {
        // nothing promotes db
        let constraints: &'static str = match then {
            "t" => "<rsc_order id='o' first='db' then='t' first-action='promote'/>",
            _ => "<rsc_order id='o' first='db' then='web' first-action='promote'/>",
        };
        let resources = template.to_owned() + &dummy("db", "") + web;
        let cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a"], resources) };
        cluster.required().contains(&"web_start_0 a".to_owned())
    };
    assert!(starts("web"));
    assert!(!starts("t"));
}

/// Rule 3.35.2: an action of a clone none of whose instances can run is found out about by whatever is ordered after
/// it, in whatever way.
#[test]
fn nothing_waits_for_notifications_of_a_clone_that_cannot_start() {
    let notify = "<meta_attributes id='m'><nvpair id='m1' name='notify' value='true'/></meta_attributes>";
    let none = "<meta_attributes id='n'><nvpair id='n1' name='clone-max' value='0'/></meta_attributes>";
    let resources = format!(
        "{}<clone id='none'>{none}{}</clone><clone id='all'>{notify}{}</clone>",
        dummy("web", ""),
        dummy("a", ""),
        dummy("b", "")
    );
    let constraints = "<rsc_order id='o1' first='none' then='all'/>\
                       <rsc_order id='o2' first='all' then='web' kind='Optional'/>";
    let cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a"], resources) };
    assert!(cluster.required().contains(&"web_start_0 a".to_owned()));
}

/// Rule 3.30.2: what is known of one member of a cloned group tells nothing of the others.
#[test]
fn members_of_cloned_groups_wait_for_fencing_where_they_are_unknown() {
    let quorum = |id: &str| {
        format!(
            "<meta_attributes id='{id}-m'><nvpair id='{id}-r' name='requires' value='quorum'/></meta_attributes>"
        )
    };
    let group = dummy("x", &quorum("x")) + &dummy("y", &quorum("y"));
    let resources = format!("{DEVICE}<clone id='c'><group id='g'>{group}</group></clone>");
    let mut cluster = Cluster::of(&["a", "b"], resources).with_history(
        "b",
        "x",
        &done("x", "b", "monitor", 0, 1, 7, &digest_of(&[])),
    );
    cluster.lost = vec!["b"];
    let waits = |start: &str| {
        cluster.look(|model| {
            let found = model.actions.ids().find(|id| name(model, *id) == start).expect("the start");
            let inputs = &model.actions[found].inputs;
            inputs.iter().any(|input| model.actions[input.action].task == crate::model::Task::Fence)
        })
    };
    assert!(!waits("x:0_start_0 a"));
    assert!(waits("y:0_start_0 a"));
}

/// Rules 3.5.5 and 1.3.6: an origin without zone is one in the zone of the moment itself.
#[test]
fn recurring_operations_begin_as_their_origin_says() {
    let delay = |origin: &str| {
        let operation = format!(
            "<operations><op id='m' name='monitor' interval='10s' interval-origin='{origin}'/></operations>"
        );
        let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], dummy("db", &operation)) };
        cluster.meta("db_monitor_10000 a", "start-delay")
    };
    // now is 1970-01-12 13:46:40
    assert_eq!(delay("1970-01-12 13:46:43Z").as_deref(), Some("3000"));
    assert_eq!(delay("1970-01-12 13:46:43").as_deref(), Some("3000"));
    assert_eq!(delay("1970-01-12 13:46:31 +01:00").as_deref(), Some("1000"));
    assert_eq!(delay("when it suits"), None);
}

/// Rules 3.5.5 and 1.3.6.2: an origin without zone is one in the local zone.
#[test]
fn origins_of_intervals_are_local() {
    let operation = "<operations><op id='m' name='monitor' interval='24h' interval-origin='1970-01-12 00:00:00'/></operations>";
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], dummy("db", operation)) };
    let document = xml::Document::parse(&cluster.document()).expect("the scenario is well-formed");
    let (cib, _) = cib::Cib::from_document(&document);
    // now is 13:46:40 UTC; the origin is 15:00:00 UTC of the day before
    let clock = cib::iso8601::DateTime::from_timestamp(NOW, 9 * 3600).into();
    let plan = plan(&cib, clock, PlanOptions::default());
    let actions = &plan.model.actions;
    let monitor =
        actions.ids().find(|id| name(&plan.model, *id) == "db_monitor_86400000 a").expect("the monitor");
    let delay = actions[monitor].meta.get("start-delay").map(|value| value.to_string());
    assert_eq!(delay.as_deref(), Some("4400000"));
}

/// Rules 1.18.3, 1.18.4 and 1.18.6: that a failure blocks takes the timeout away only after the moment was offered.
#[test]
fn a_blocking_failure_still_offers_the_end_of_its_timeout() {
    let settings = "<meta_attributes id='m'><nvpair id='m1' name='failure-timeout' value='10min'/></meta_attributes>\
                    <operations><op id='s' name='start' interval='0' on-fail='block'/></operations>";
    let failed = format!(
        "<lrm_rsc_op id='db_last_failure_0' operation_key='db_start_0' operation='start' interval='0' call-id='1' \
         rc-code='1' op-status='0' last-rc-change='{}' transition-key='1:1:0:u' transition-magic='0:1;1:1:0:u'/>",
        NOW - 10
    );
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], dummy("db", settings)) }
        .with_history("a", "db", &failed)
        .with_attribute("a", "fail-count-db#start_0", "1")
        .with_attribute("a", "last-failure-db#start_0", "999990");
    let document = xml::Document::parse(&cluster.document()).expect("the scenario is well-formed");
    let (cib, _) = cib::Cib::from_document(&document);
    let plan = plan(&cib, cib::iso8601::Zone::UTC.at(NOW).into(), PlanOptions::default());
    assert_eq!(plan.graph.recheck_by, Some(999_990 + 600 + 1));
}
