//! Failures, lost nodes, tickets and quorum: what is done about them, and where nothing may be done.

use super::*;
use cib::value::Score;

/// Result of an operation that should have ended otherwise.
fn failed(resource: &str, node: &str, task: &str, interval: u32, call: u32, rc: u32) -> String {
    let wanted = if task == "monitor" && interval == 0 { 7 } else { 0 };
    let digest = digest_of(if interval == 0 { &[] } else { &[("CRM_meta_timeout", "20000")] });
    let key = format!("{call}:1:{wanted}:00000000-0000-0000-0000-000000000000");
    format!(
        "<lrm_rsc_op id='{resource}_last_failure_0' operation='{task}' interval='{interval}' \
         operation_key='{resource}_{task}_{interval}' call-id='{call}' rc-code='{rc}' op-status='0' \
         transition-key='{key}' transition-magic='0:{rc};{key}' on_node='{node}' \
         crm_feature_set='3.20.0' {digest}/>"
    )
}

fn operation(name: &str, interval: &str, on_fail: &str) -> String {
    format!(
        "<operations><op id='{name}' name='{name}' interval='{interval}' on-fail='{on_fail}'/></operations>"
    )
}

/// The scores of a resource, in the order of the nodes.
fn scores(cluster: &Cluster, resource: &str) -> Vec<Score> {
    cluster.look(|model| {
        let found = model.resources.values().find(|it| &*it.id == resource).expect("the resource");
        let mut entries: Vec<_> = found.allowed.iter().map(|it| (it.node, it.score)).collect();
        entries.sort_by_key(|(node, _)| model.nodes[*node].name.clone());
        entries.into_iter().map(|(_, score)| score).collect()
    })
}

fn probed(resource: &str, node: &str) -> String {
    done(resource, node, "monitor", 0, 1, 7, &digest_of(&[]))
}

fn started(resource: &str, node: &str) -> String {
    done(resource, node, "start", 0, 2, 0, &digest_of(&[]))
}

const BANNED: Score = Score::MINUS_INFINITY;

/// `db` is on `a`, where its monitor has failed.
fn monitor_failed(on_fail: &str) -> Cluster {
    let inside = meta("db", "resource-stickiness", "1") + &operation("monitor", "10s", on_fail);
    let resources = DEVICE.to_owned() + &dummy("db", &inside);
    let history = started("db", "a") + &failed("db", "a", "monitor", 10_000, 3, 1);
    let cluster = Cluster::of(&["a", "b"], resources);
    cluster.with_history("a", "db", &history).with_history("b", "db", &probed("db", "b"))
}

/// Rules 1.13.4, 2.6.3, 2.6.4, 2.24.2 and 3.18.3: each answer to a failure, by what is done to the resource and its node.
#[test]
fn a_failed_monitor_is_answered_as_configured() {
    let of_resource = |on_fail: &str| {
        let mut all = monitor_failed(on_fail).required();
        all.retain(|action| !action.starts_with("fence_"));
        all
    };
    assert_eq!(of_resource("restart"), ["db_monitor_10000 a", "db_stop_0 a", "db_start_0 a"]);
    assert_eq!(of_resource("ignore"), [""; 0]);
    assert_eq!(of_resource("block"), [""; 0]);
    assert_eq!(of_resource("stop"), ["db_stop_0 a"]);
    assert_eq!(of_resource("migrate"), ["db_stop_0 a", "db_start_0 b", "db_monitor_10000 b"]);
    assert_eq!(of_resource("standby"), ["db_stop_0 a", "db_start_0 b", "db_monitor_10000 b"]);
    let fenced = ["stonith-a-reboot a", "db_start_0 b", "db_monitor_10000 b"];
    assert_eq!(of_resource("fence"), fenced, "the stop is told by the fencing");
    assert_eq!(scores(&monitor_failed("stop"), "db"), [BANNED; 2]);
}

/// Rule 2.6.2: what could not be stopped stays and blocks, unless its node can be fenced.
#[test]
fn a_failed_stop_needs_fencing() {
    let cluster = |options, device: &str| {
        let cluster = Cluster { options, ..Cluster::of(&["a", "b"], device.to_owned() + &dummy("db", "")) };
        let history = started("db", "a") + &failed("db", "a", "stop", 0, 3, 1);
        cluster.with_history("a", "db", &history).with_history("b", "db", &probed("db", "b"))
    };
    let fenced = cluster("", DEVICE);
    assert_eq!(scores(&fenced, "db"), [BANNED, Score::ZERO]);
    let required = fenced.required();
    assert!(required.contains(&"stonith-a-reboot a".to_owned()), "{required:?}");
    assert!(required.contains(&"db_start_0 b".to_owned()), "{required:?}");
    assert_eq!(cluster(NO_FENCING, "").required(), [""; 0]);
}

/// Rules 2.6.5 and 2.6.9: some results rule out a node, some the whole cluster, whatever constraints wish.
#[test]
fn a_fatal_result_bans_the_node_or_the_cluster() {
    let banned = |rc| {
        let constraints = "<rsc_location id='l' rsc='db' node='a' score='INFINITY'/>";
        let cluster =
            Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a", "b"], dummy("db", "")) };
        let cluster = cluster.with_history("a", "db", &failed("db", "a", "start", 0, 3, rc));
        scores(&cluster, "db")
    };
    assert_eq!(banned(5), [BANNED, Score::ZERO], "not installed");
    assert_eq!(banned(6), [BANNED, BANNED], "not configured");
}

/// Rule 2.6.6: a probe that finds no agent is no failure, but nothing starts there.
#[test]
fn a_probe_without_agent_bans_its_node_quietly() {
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], dummy("db", "")) };
    let cluster = cluster.with_history("a", "db", &failed("db", "a", "monitor", 0, 1, 5));
    assert_eq!(scores(&cluster, "db"), [BANNED, Score::ZERO]);
    assert_eq!(cluster.required(), ["db_monitor_0 b", "db_start_0 b"]);
}

/// Rules 2.6.7 and 2.24.4.
#[test]
fn what_is_active_twice_is_treated_as_configured() {
    let required = |policy: &str| {
        let resource = dummy("db", &meta("db", "multiple-active", policy));
        let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], resource) };
        let cluster = cluster.with_history("a", "db", &started("db", "a"));
        cluster.with_history("b", "db", &started("db", "b")).required()
    };
    assert_eq!(required("block"), [""; 0]);
    assert_eq!(required("stop_only"), ["db_stop_0 a", "db_stop_0 b"]);
    assert_eq!(required("stop_start"), ["db_stop_0 a", "db_stop_0 b", "db_start_0 a"]);
    assert_eq!(required("stop_unexpected"), ["db_stop_0 b"]);
}

/// Rules 1.11.8.3, 2.6.8 and 2.24.6.
#[test]
fn removed_resources_are_stopped_unless_they_may_stay() {
    let cluster = |options| {
        let cluster = Cluster { options, ..Cluster::of(&["a"], "") };
        cluster.with_history("a", "old", &started("old", "a"))
    };
    let stopped = cluster(NO_FENCING);
    assert_eq!(scores(&stopped, "old"), [BANNED]);
    let kept = cluster(
        "<nvpair id='o1' name='fencing-enabled' value='false'/>\
         <nvpair id='o2' name='stop-removed-resources' value='false'/>",
    );
    assert_eq!(kept.required(), [""; 0]);
}

/// Rule 2.12.7: fencing that is wanted and not there leaves everything as it is.
#[test]
fn without_fencing_device_nothing_is_managed() {
    let nothing = Cluster::of(&["a"], dummy("db", "")).required();
    assert_eq!(nothing, ["db_monitor_0 a"], "it may be looked at");
    let with_device = Cluster::of(&["a"], DEVICE.to_owned() + &dummy("db", "")).required();
    assert!(with_device.contains(&"db_start_0 a".to_owned()), "{with_device:?}");
}

/// Rule 1.18.7.
#[test]
fn failures_up_to_the_threshold_ban_a_node() {
    let place = |threshold: &str, count: &'static str| {
        let resource = dummy("db", &meta("db", "migration-threshold", threshold));
        let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], resource) };
        let cluster = active_on_a(cluster).with_attribute("a", "fail-count-db#monitor_10000", count);
        scores(&cluster, "db")[0]
    };
    assert_eq!(place("3", "3"), BANNED);
    assert_eq!(place("3", "INFINITY"), BANNED);
    assert_eq!(place("3", "2"), Score::ZERO);
    assert_eq!(place("0", "INFINITY"), Score::ZERO);
}

/// Rules 3.32.1 and 3.32.2: what is done without the ticket to what is active and what is not.
#[test]
fn a_lost_ticket_is_answered_by_its_policy() {
    let required = |policy: &str| {
        let constraints: &'static str = match policy {
            "stop" => "<rsc_ticket id='t' rsc='db' ticket='T' loss-policy='stop'/>",
            "fence" => "<rsc_ticket id='t' rsc='db' ticket='T' loss-policy='fence'/>",
            "freeze" => "<rsc_ticket id='t' rsc='db' ticket='T' loss-policy='freeze'/>",
            _ => "<rsc_ticket id='t' rsc='db' ticket='T'/>",
        };
        let resources = DEVICE.to_owned() + &dummy("db", "");
        let mut all = active_on_a(Cluster { constraints, ..Cluster::of(&["a", "b"], resources) }).required();
        all.retain(|action| !action.starts_with("fence_"));
        all
    };
    assert_eq!(required("default"), ["db_stop_0 a"]);
    assert_eq!(required("stop"), ["db_stop_0 a"]);
    assert_eq!(required("freeze"), [""; 0]);
    assert_eq!(required("fence"), ["stonith-a-reboot a"]);
    let constraints = "<rsc_ticket id='t' rsc='db' ticket='T' loss-policy='freeze'/>";
    let inactive = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a"], dummy("db", "")) };
    assert_eq!(inactive.required(), ["db_monitor_0 a"], "what is inactive does not start");
}

/// Rule 2.24.7: lost quorum changes no place, only what may be done.
#[test]
fn without_quorum_frozen_resources_stay_and_nothing_new_starts() {
    let required = |options| {
        let mut cluster = Cluster { options, ..Cluster::of(&["a"], dummy("db", "") + &dummy("web", "")) };
        cluster.without_quorum = true;
        let cluster = cluster.with_history("a", "web", &probed("web", "a"));
        cluster.with_history("a", "db", &started("db", "a")).required()
    };
    assert_eq!(required(NO_FENCING), ["db_stop_0 a"]);
    let freeze = "<nvpair id='o1' name='fencing-enabled' value='false'/>\
                  <nvpair id='o2' name='no-quorum-policy' value='freeze'/>";
    assert_eq!(required(freeze), [""; 0]);
}

/// Rules 2.25.1 and 2.25.2: what has failed or cannot migrate is stopped and started.
#[test]
fn only_what_is_well_migrates_live() {
    let migrates = |allowed: &str, more: &str| {
        let resource = dummy("db", &meta("db", "allow-migrate", allowed));
        let constraints = "<rsc_location id='l' rsc='db' node='b' score='INFINITY'/>";
        let cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a", "b"], resource) };
        let cluster = cluster.with_history("b", "db", &probed("db", "b"));
        let required = cluster.with_history("a", "db", &(started("db", "a") + more)).required();
        required.contains(&"db_migrate_to_0 a".to_owned())
    };
    assert!(migrates("true", ""));
    assert!(!migrates("false", ""));
    assert!(!migrates("true", &failed("db", "a", "monitor", 10_000, 3, 1)));
}

/// Rules 3.28.1 and 3.28.2: members start one after the other, and stop the other way round.
#[test]
fn members_wait_for_their_neighbours() {
    let inputs = |target: &str, action: &str| {
        let group = format!(
            "<group id='g'>{}{}{}</group>",
            meta("g", "target-role", target),
            dummy("one", ""),
            dummy("two", "")
        );
        let mut cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], group) };
        for resource in ["one", "two"] {
            let history = if target == "Stopped" { started(resource, "a") } else { probed(resource, "a") };
            cluster = cluster.with_history("a", resource, &history);
        }
        cluster.look(|model| {
            let found = model.actions.ids().find(|id| name(model, *id) == action).expect("the action");
            let needed = model.actions[found].inputs.iter().map(|input| input.action);
            let mut needed: Vec<String> =
                needed.filter(|id| model.actions[*id].in_graph).map(|id| name(model, id)).collect();
            needed.sort();
            needed
        })
    };
    assert_eq!(inputs("Started", "one_start_0 a"), ["g_start_0 -"]);
    assert_eq!(inputs("Started", "two_start_0 a"), ["g_start_0 -", "one_start_0 a"]);
    assert_eq!(inputs("Started", "g_running_0 -"), ["g_start_0 -", "one_start_0 a", "two_start_0 a"]);
    assert_eq!(inputs("Stopped", "one_stop_0 a"), ["g_stop_0 -", "two_stop_0 a"]);
    assert_eq!(inputs("Stopped", "g_stopped_0 -"), ["g_stop_0 -", "one_stop_0 a", "two_stop_0 a"]);
}

/// Rules 3.14.4 and 3.16.4: a node that is lost for one reason is not fenced again for another.
#[test]
fn a_lost_node_is_fenced_for_the_membership_and_not_for_a_failure_on_it() {
    let cluster = |lost: bool| {
        let mut cluster = monitor_failed("fence");
        if lost {
            cluster.lost = vec!["a"];
        }
        cluster.look(|model| {
            let fencing = model.actions.values().filter(|it| it.task == crate::model::Task::Fence);
            fencing.map(|it| it.reason.as_deref().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        })
    };
    assert_eq!(cluster(true), ["peer is no longer part of the cluster"]);
    assert_eq!(cluster(false), ["db failed there"]);
}

/// Rule 3.4.3.
#[test]
fn nothing_is_done_on_a_node_that_is_still_joining() {
    let mut cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a", "b"], dummy("db", "")) };
    cluster.constraints = "<rsc_location id='l' rsc='db' node='b' score='50'/>";
    assert_eq!(cluster.required(), ["db_monitor_0 a", "db_monitor_0 b", "db_start_0 b"]);
    cluster.joining = vec!["b"];
    assert_eq!(cluster.required(), ["db_monitor_0 a", "db_start_0 a"]);
}

/// Rule 3.4.4: what requires nothing starts without quorum.
#[test]
fn what_requires_nothing_needs_no_quorum() {
    let required = |requires: &str| {
        let resource = dummy("db", &meta("db", "requires", requires));
        let mut cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], resource) };
        cluster.without_quorum = true;
        cluster.with_history("a", "db", &probed("db", "a")).required()
    };
    assert_eq!(required("nothing"), ["db_start_0 a"]);
    assert_eq!(required("quorum"), [""; 0]);
}

/// Rule 2.25.3: a migration that is under way goes on to its target, and to no other node.
#[test]
fn a_migration_under_way_goes_on_to_its_target_only() {
    let required = |wanted: &str| {
        let constraints: &'static str = match wanted {
            "b" => "<rsc_location id='l' rsc='db' node='b' score='INFINITY'/>",
            _ => "<rsc_location id='l' rsc='db' node='c' score='INFINITY'/>",
        };
        let resource = dummy("db", &meta("db", "allow-migrate", "true"));
        let cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a", "b", "c"], resource) };
        let more = format!("{} migrate_source='a' migrate_target='b'", digest_of(&[]));
        let history = started("db", "a") + &done("db", "a", "migrate_to", 0, 3, 0, &more);
        let cluster = cluster.with_history("a", "db", &history);
        let cluster = cluster.with_history("b", "db", &probed("db", "b"));
        cluster.with_history("c", "db", &probed("db", "c")).required()
    };
    assert_eq!(required("b"), ["db_stop_0 a", "db_migrate_from_0 b"]);
    assert_eq!(required("c"), ["db_stop_0 b", "db_stop_0 a", "db_start_0 c"]);
}

/// Rules 3.12.4 and 3.33.2: what must wait for the stop of something that moves is stopped and started itself.
#[test]
fn a_migration_that_is_in_the_way_becomes_stop_and_start() {
    let migrates = |first: &str| {
        let constraints = "<rsc_location id='l1' rsc='db' node='b' score='INFINITY'/>\
                           <rsc_location id='l2' rsc='web' node='b' score='INFINITY'/>\
                           <rsc_order id='o' first='web' then='db'/>";
        let resources = dummy("db", &meta("db", "allow-migrate", "true"))
            + &dummy("web", &meta("web", "allow-migrate", first));
        let mut cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a", "b"], resources) };
        for resource in ["db", "web"] {
            cluster = cluster.with_history("a", resource, &started(resource, "a"));
            cluster = cluster.with_history("b", resource, &probed(resource, "b"));
        }
        let required = cluster.required();
        (required.contains(&"db_migrate_to_0 a".to_owned()), required.contains(&"db_start_0 b".to_owned()))
    };
    assert_eq!(migrates("true"), (true, false));
    assert_eq!(migrates("false"), (false, true));
}

/// Rule 3.18.1: what may not run here without another is stopped when the other cannot start.
#[test]
fn what_needs_something_that_cannot_start_is_stopped() {
    let required = |kind: &str| {
        let constraints: &'static str = match kind {
            "Mandatory" => "<rsc_order id='o' first='web' then='db'/>",
            _ => "<rsc_order id='o' first='web' then='db' kind='Optional'/>",
        };
        let resources = dummy("db", "") + &dummy("web", &meta("web", "target-role", "Stopped"));
        let cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a"], resources) };
        let cluster = cluster.with_history("a", "web", &probed("web", "a"));
        cluster.with_history("a", "db", &started("db", "a")).required()
    };
    assert_eq!(required("Mandatory"), ["db_stop_0 a"]);
    assert_eq!(required("Optional"), [""; 0]);
}

/// Rule 3.37.5: a group that comes up in part has not come up for those that wait for it.
#[test]
fn what_is_ordered_after_a_group_waits_for_all_its_members() {
    let required = |role: &str| {
        let last = dummy("two", &meta("two", "target-role", role));
        let resources = format!("<group id='g'>{}{last}</group>{}", dummy("one", ""), dummy("web", ""));
        let constraints = "<rsc_order id='o' first='g' then='web'/>";
        let mut cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a"], resources) };
        for resource in ["one", "two", "web"] {
            cluster = cluster.with_history("a", resource, &probed(resource, "a"));
        }
        cluster.required()
    };
    assert_eq!(required("Started"), ["one_start_0 a", "two_start_0 a", "web_start_0 a"]);
    assert_eq!(required("Stopped"), ["one_start_0 a"]);
}

/// Rules 3.27.1 and 3.27.2.
#[test]
fn a_demotion_comes_before_the_stop_and_the_stop_before_the_start() {
    let waits = |action: &str, first: &str| {
        let inner = "<primitive id='db' class='ocf' provider='pacemaker' type='Stateful'/>";
        let clone =
            format!("<clone id='c'>{}{inner}</clone>{}", meta("c", "promotable", "true"), dummy("web", ""));
        let constraints = "<rsc_location id='l' rsc='web' node='b' score='INFINITY'/>";
        let cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a", "b"], clone) };
        let failure = failed("db", "a", "monitor", 10_000, 3, 1);
        let cluster = cluster
            .with_attribute("a", "master-db", "10")
            .with_history("a", "web", &started("web", "a"))
            .with_history("a", "db", &(done("db", "a", "promote", 0, 2, 0, "") + &failure));
        cluster.look(|model| {
            let find =
                |wanted: &str| model.actions.ids().find(|id| name(model, *id) == wanted).expect(wanted);
            model.actions[find(action)].inputs.iter().any(|input| input.action == find(first))
        })
    };
    assert!(waits("web_start_0 b", "web_stop_0 a"));
    assert!(waits("db:0_stop_0 a", "db:0_demote_0 a"));
    assert!(waits("db:0_promote_0 a", "db:0_start_0 a"));
    assert!(!waits("db:0_demote_0 a", "db:0_stop_0 a"));
}

/// Rule 1.11.1.2: without fencing, what a lost node is said to run is not looked at.
#[test]
fn the_history_of_a_lost_node_counts_only_where_there_is_fencing() {
    let required = |options, device: &str| {
        let resources = device.to_owned() + &dummy("db", "");
        let mut cluster = Cluster { options, ..Cluster::of(&["a", "b"], resources) };
        cluster.lost = vec!["b"];
        let cluster = cluster.with_history("a", "db", &probed("db", "a"));
        cluster.with_history("b", "db", &started("db", "b")).required()
    };
    assert_eq!(required(NO_FENCING, ""), ["db_start_0 a"]);
    let required = required("", DEVICE);
    let position = |wanted: &str| required.iter().position(|action| action == wanted);
    assert!(position("stonith-b-reboot b").is_some(), "{required:?}");
    assert!(position("db_start_0 a").is_some(), "{required:?}");
}

/// Rule 1.7.4.1: what was never seen may run anything.
#[test]
fn a_node_without_status_is_fenced_at_startup() {
    let required = |options| {
        let mut cluster = Cluster { options, ..Cluster::of(&["a", "b"], DEVICE) };
        cluster.unseen = vec!["b"];
        cluster.required().contains(&"stonith-b-reboot b".to_owned())
    };
    assert!(required(""));
    assert!(!required("<nvpair id='o1' name='startup-fencing' value='false'/>"));
}

/// Rule 1.9.1.2.
#[test]
fn resources_are_considered_by_priority() {
    let resources = dummy("low", "")
        + &dummy("high", &meta("high", "priority", "5"))
        + &dummy("bad", &meta("bad", "priority", "x"));
    let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], resources) };
    let cluster = cluster.with_history("a", "gone", &started("gone", "a"));
    let order = cluster.look(|model| {
        let all = model.resources.values();
        let mut all: Vec<String> = all.map(|it| it.id.to_string()).collect();
        all.retain(|id| id != "gone");
        let probes = model.actions.ids().map(|id| name(model, id)).filter(|it| it.contains("_monitor_0"));
        (all.len(), probes.collect::<Vec<_>>())
    });
    assert_eq!(order, (3, ["high", "low", "bad"].map(|id| format!("{id}_monitor_0 a")).to_vec()));
}

/// Rule 3.10.1: what is not managed is still looked at, what is in maintenance is left alone.
#[test]
fn monitors_go_on_without_management_but_not_in_maintenance() {
    let required = |setting: &str, value: &str| {
        let inside = meta("db", setting, value) + &operation("monitor", "10s", "restart");
        let cluster = Cluster { options: NO_FENCING, ..Cluster::of(&["a"], dummy("db", &inside)) };
        cluster.with_history("a", "db", &started("db", "a")).required()
    };
    assert_eq!(required("is-managed", "false"), ["db_monitor_10000 a"]);
    assert_eq!(required("maintenance", "true"), [""; 0]);
}

/// Rule 3.19.1.
#[test]
fn a_migration_is_numbered_after_the_probe_of_its_target() {
    let constraints = "<rsc_location id='l' rsc='db' node='b' score='INFINITY'/>";
    let resource = dummy("db", &meta("db", "allow-migrate", "true"));
    let cluster = Cluster { options: NO_FENCING, constraints, ..Cluster::of(&["a", "b"], resource) };
    assert_eq!(
        cluster.with_history("a", "db", &started("db", "a")).actions(),
        [
            "1 db_monitor_0 b",
            "2 db_stop_0 a",
            "3 db_start_0 b pseudo",
            "4 db_migrate_to_0 a",
            "5 db_migrate_from_0 b"
        ]
    );
}
