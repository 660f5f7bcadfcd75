//! What puts a score into the table of a resource, and what does not.

use super::*;

/// Rules 1.9.7.1 and 2.1.8: more than one instance a node makes them unique, unless their agents cannot tell them apart.
#[test]
fn instances_that_share_a_node_are_unique_where_the_agent_can_be() {
    let started = |class: &str| {
        let mut cluster = Cluster::of(&["n1"]);
        let settings = meta("C", &[("clone-max", "2"), ("clone-node-max", "2")]);
        cluster.resources =
            format!("<clone id='C'>{settings}<primitive id='s' {class} type='Dummy'/></clone>");
        cluster.placed().places.keys().filter(|id| id.starts_with("s:")).count()
    };
    assert_eq!(started("class='ocf' provider='pacemaker'"), 2);
    assert_eq!(started("class='lsb'"), 1, "as many as there are nodes");
}

/// Rules 2.5.1 and 2.5.2: without a symmetric cluster only constraints make entries.
#[test]
fn an_asymmetric_cluster_knows_the_nodes_of_constraints_only() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = dummy("A") + &dummy("B");
    cluster.constraints = prefers("A", "n2", "0");
    assert_eq!(cluster.placed().scores("A"), ["n1: 0", "n2: 0"]);
    cluster.options = vec![("symmetric-cluster", "false")];
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("A"), ["n2: 0"]);
    assert_eq!((outcome.place("A"), outcome.place("B")), ("n2", "nowhere"));
}

/// Rule 2.9.6.
#[test]
fn locations_find_nodes_in_any_case_and_ignore_unknown_ones() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = dummy("A") + &dummy("B");
    cluster.constraints = prefers("A", "N2", "50") + &prefers("B", "n3", "INFINITY");
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("A"), ["n1: 0", "n2: 50"]);
    assert_eq!(outcome.scores("B"), ["n1: 0", "n2: 0"]);
}

/// Rule 2.9.9.
#[test]
fn exclusive_discovery_counts_even_if_its_rule_holds_nowhere() {
    let mut cluster = Cluster::of(&["n1"]);
    cluster.resources = dummy("A");
    cluster.constraints =
        "<rsc_location id='L' rsc='A' resource-discovery='exclusive'><rule id='R' score='5'>\
                           <expression id='E' attribute='#uname' operation='eq' value='n9'/></rule>\
                           </rsc_location>"
            .to_owned();
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("A"), ["n1: -INFINITY"]);
    assert_eq!(outcome.place("A"), "nowhere");
}

/// Rules 2.7.1, 2.7.2 and 2.7.4.
#[test]
fn node_health_counts_as_the_strategy_says() {
    let scores = |strategy: &'static str, health: &'static str| {
        let mut cluster = Cluster::of(&["n1"]);
        cluster.nodes[0].2 = health;
        cluster.options = vec![("node-health-strategy", strategy), ("node-health-red", "-50")];
        cluster.resources = dummy("A") + &primitive("B", &meta("B", &[("allow-unhealthy-nodes", "true")]));
        let outcome = cluster.placed();
        [outcome.scores("A")[0].to_owned(), outcome.scores("B")[0].to_owned()]
    };
    let red = "<nvpair id='h' name='#health-disk' value='red'/>";
    let yellow = "<nvpair id='h' name='#health-disk' value='yellow'/>";
    let seven = "<nvpair id='h' name='#health-disk' value='7'/>";
    assert_eq!(scores("none", red), ["n1: 0", "n1: 0"]);
    assert_eq!(scores("unknown", red), ["n1: 0", "n1: 0"]);
    assert_eq!(scores("migrate-on-red", red), ["n1: -INFINITY", "n1: 0"]);
    assert_eq!(scores("migrate-on-red", yellow), ["n1: 0", "n1: 0"]);
    assert_eq!(scores("only-green", yellow), ["n1: -INFINITY", "n1: 0"]);
    assert_eq!(scores("progressive", red), ["n1: -50", "n1: 0"]);
    assert_eq!(scores("progressive", seven), ["n1: 7", "n1: 7"], "what is healthy holds for all");
}

/// Rules 2.12.1 and 2.17.8: who is colocated with a member makes its whole group be placed; a group follows through
/// its members.
#[test]
fn a_member_is_placed_with_its_group() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    let group = format!("<group id='G'>{}{}</group>", dummy("x"), dummy("y"));
    cluster.resources = dummy("A") + &group + &dummy("P");
    cluster.constraints =
        colocate("A", "y", "INFINITY") + &colocate("G", "P", "INFINITY") + &prefers("P", "n2", "5");
    let outcome = cluster.placed();
    assert_eq!(["A", "x", "y", "P"].map(|id| outcome.place(id)), ["n2"; 4]);
}

/// Rules 2.18.6 and 2.28.5: a node that a dependent may not use costs its primary what the colocation weighs.
#[test]
fn primaries_avoid_nodes_that_dependents_may_not_use() {
    let scores = |score: &str| {
        let mut cluster = Cluster::of(&["n1", "n2"]);
        cluster.resources = dummy("P") + &dummy("D");
        cluster.constraints = colocate("D", "P", score) + &prefers("D", "n1", "-INFINITY");
        cluster.placed().scores("P").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(scores("INFINITY"), ["n1: -INFINITY", "n2: 0"]);
    assert_eq!(scores("100"), ["n1: -100", "n2: 0"]);
}

/// Rule 2.28.2.
#[test]
fn a_mandatory_colocation_bans_other_nodes_and_adds_nothing() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = dummy("P") + &dummy("D") + &dummy("E");
    cluster.constraints =
        colocate("D", "P", "INFINITY") + &colocate("E", "P", "20") + &prefers("P", "n1", "5");
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("D"), ["n1: 0", "n2: -INFINITY"]);
    assert_eq!(outcome.scores("E"), ["n1: 20", "n2: 0"]);
}

/// Rules 2.19.1 and 2.19.3.
#[test]
fn members_after_one_that_cannot_be_placed_stay_away() {
    let places = |settings: &[(&str, &str)]| {
        let mut cluster = Cluster::of(&["n1"]);
        let members = ["x", "y", "z"].map(dummy).concat();
        cluster.resources = format!("<group id='G'>{}{members}</group>", meta("G", settings));
        cluster.constraints = prefers("y", "n1", "-INFINITY");
        let outcome = cluster.placed();
        ["x", "y", "z"].map(|id| outcome.place(id).to_owned())
    };
    assert_eq!(places(&[]), ["n1", "nowhere", "nowhere"]);
    assert_eq!(places(&[("collocated", "perhaps")]), ["n1", "nowhere", "nowhere"]);
    assert_eq!(places(&[("collocated", "false")]), ["n1", "nowhere", "n1"]);
}

/// Rule 2.19.5.
#[test]
fn a_banned_last_member_takes_its_group_elsewhere_if_it_is_critical() {
    let place = |critical: &str| {
        let mut cluster = Cluster::of(&["n1", "n2"]);
        let settings = meta("G", &[("resource-stickiness", "100")]);
        let last = primitive("y", &meta("y", &[("critical", critical)]));
        cluster.resources = format!("<group id='G'>{settings}{}{last}</group>", dummy("x"));
        cluster.active = vec![("n1", "x", "start"), ("n1", "y", "start")];
        cluster.constraints = prefers("y", "n1", "-INFINITY");
        let outcome = cluster.placed();
        [outcome.place("x").to_owned(), outcome.place("y").to_owned()]
    };
    assert_eq!(place("true"), ["n2", "n2"]);
    assert_eq!(place("false"), ["n1", "nowhere"]);
}

/// Rules 1.9.7.2, 2.20.1 and 2.20.2.
#[test]
fn a_clone_has_an_instance_for_each_node_unless_told_otherwise() {
    let instances = |name: &str, value: &str| {
        let mut cluster = Cluster::of(&["n1", "n2", "n3"]);
        cluster.resources = format!("<clone id='C'>{}{}</clone>", dummy("s"), meta("C", &[(name, value)]));
        cluster.placed().places.into_keys().filter(|id| id.starts_with("s:")).collect::<Vec<_>>()
    };
    assert_eq!(instances("clone-min", "1"), ["s:0", "s:1", "s:2"]);
    assert_eq!(instances("clone-max", "2"), ["s:0", "s:1"]);
    assert_eq!(instances("clone-max", "0"), [""; 0]);
    assert_eq!(instances("clone-max", "many"), [""; 0]);
}

/// Rule 2.28.6: where a dependent may not run costs a clone its place in no case.
#[test]
fn dependents_never_ban_a_clone() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = format!("<clone id='C'>{}</clone>{}", dummy("s"), dummy("D"));
    cluster.constraints = colocate("D", "C", "INFINITY") + &prefers("D", "n1", "-INFINITY");
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("C"), ["n1: 0", "n2: 0"]);
    assert_eq!(outcome.places.keys().filter(|id| id.starts_with("s:")).count(), 2);
    assert_eq!(outcome.place("D"), "n2");
}

/// Rule 2.24.3.
#[test]
fn the_target_role_decides_whether_a_resource_is_placed() {
    let outcome = |role: &str| {
        let mut cluster = Cluster::of(&["n1"]);
        cluster.resources = primitive("A", &meta("A", &[("target-role", role)]));
        cluster.active = vec![("n1", "A", "start")];
        let outcome = cluster.placed();
        [outcome.place("A").to_owned(), outcome.scores("A")[0].to_owned()]
    };
    assert_eq!(outcome("Stopped"), ["nowhere", "n1: -INFINITY"]);
    for role in ["Started", "Promoted", "Unpromoted", "Running"] {
        assert_eq!(outcome(role), ["n1", "n1: 0"], "{role}");
    }
}

/// Rules 2.6.1, 2.24.1 and 2.24.5: what is not managed stays, also where everything is to be stopped.
#[test]
fn what_is_unmanaged_stays_where_it_is() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    let unmanaged = primitive("U", &meta("U", &[("is-managed", "false")]));
    cluster.resources = dummy("A") + &unmanaged;
    cluster.active = vec![("n1", "A", "start"), ("n1", "U", "start")];
    cluster.constraints = prefers("U", "n2", "INFINITY") + &prefers("A", "n1", "7");
    cluster.options = vec![("stop-all-resources", "true")];
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("U"), ["n1: INFINITY", "n2: INFINITY"]);
    assert_eq!(outcome.scores("A"), ["n1: 7", "n2: 0"]);
    assert_eq!((outcome.place("A"), outcome.place("U")), ("nowhere", "n1"));
}

/// Rule 2.13.6: the best of bad nodes is still a bad one.
#[test]
fn a_negative_score_is_no_place() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = dummy("A");
    cluster.constraints = prefers("A", "n1", "-5") + &prefers("A", "n2", "-1");
    assert_eq!(cluster.placed().place("A"), "nowhere");
    cluster.constraints = prefers("A", "n1", "-5") + &prefers("A", "n2", "0");
    assert_eq!(cluster.placed().place("A"), "n2");
}

/// Rules 2.13.2 and 2.20.16: unique instances spread over nodes of equal score, and gather on a better one.
#[test]
fn unique_instances_spread_among_equals() {
    let spread = |constraints: String| {
        let mut cluster = Cluster::of(&["n1", "n2"]);
        let settings = [("globally-unique", "true"), ("clone-max", "4"), ("clone-node-max", "4")];
        cluster.resources = format!("<clone id='C'>{}{}</clone>", meta("C", &settings), dummy("s"));
        cluster.constraints = constraints;
        let places = cluster.placed().places;
        let on = |node: &str| places.iter().filter(|(id, at)| id.starts_with("s:") && *at == node).count();
        (on("n1"), on("n2"))
    };
    assert_eq!(spread(String::new()), (2, 2));
    assert_eq!(spread(prefers("C", "n1", "50")), (4, 0));
}

/// Rules 2.16.7 and 2.20.15: a colocation of a clone acts on each of its instances.
#[test]
fn instances_follow_what_their_clone_is_colocated_with() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = dummy("P") + &format!("<clone id='C'>{}</clone>", dummy("s"));
    cluster.constraints = colocate("C", "P", "INFINITY") + &prefers("P", "n2", "5");
    let outcome = cluster.placed();
    let places: Vec<_> = outcome.places.iter().filter(|(id, _)| id.starts_with("s:")).collect();
    assert_eq!(places.iter().map(|(_, node)| node.as_str()).collect::<Vec<_>>(), ["n2"]);
}

/// Rules 2.22.1, 2.22.3 and 2.22.5: what is in a bundle runs on the node of its replica, which comes with it.
#[test]
fn a_bundled_instance_is_placed_on_its_own_node() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = format!(
        "<bundle id='B'><podman image='i' replicas='2'/><network ip-range-start='10.0.0.254'/>{}</bundle>",
        dummy("s")
    );
    let outcome = cluster.placed();
    for (instance, node) in [("s:0", "B-0"), ("s:1", "B-1")] {
        assert_eq!(outcome.place(instance), node);
    }
    for (connection, container, address) in
        [("B-0", "B-podman-0", "B-ip-10.0.0.254"), ("B-1", "B-podman-1", "B-ip-10.0.1.1")]
    {
        assert_ne!(outcome.place(container), "nowhere");
        assert_eq!(outcome.place(connection), outcome.place(container));
        assert_eq!(outcome.place(address), outcome.place(container));
    }
}

/// Rules 2.23.1 to 2.23.3: remote and guest nodes are nodes as others, but not for connections and fencing devices.
#[test]
fn remote_and_guest_nodes_take_ordinary_resources() {
    let mut cluster = Cluster::of(&["n1"]);
    let device = "<primitive id='F' class='stonith' type='fence_x'/>";
    let remote = "<primitive id='r' class='ocf' provider='pacemaker' type='remote'/>";
    let guest = primitive("vm", &meta("vm", &[("remote-node", "gu")]));
    cluster.resources = format!("{remote}{guest}{}{}{device}", dummy("A"), dummy("D"));
    cluster.constraints =
        [prefers("A", "r", "5"), prefers("D", "gu", "5"), prefers("F", "r", "5"), prefers("vm", "r", "5")]
            .concat();
    let outcome = cluster.placed();
    assert_eq!((outcome.place("A"), outcome.place("D")), ("r", "gu"));
    assert_eq!(["r", "gu", "vm", "F"].map(|id| outcome.place(id)), ["n1"; 4]);
}

/// Rule 2.23.4.
#[test]
fn a_node_whose_connection_is_not_placed_takes_nothing() {
    let mut cluster = Cluster::of(&["n1"]);
    let stopped = meta("r", &[("target-role", "Stopped")]);
    cluster.resources = format!(
        "<primitive id='r' class='ocf' provider='pacemaker' type='remote'>{stopped}</primitive>{}",
        dummy("A")
    );
    cluster.constraints = prefers("A", "r", "5");
    assert_eq!(cluster.placed().place("A"), "n1");
}

/// Rules 2.12.6, 2.19.4, 2.20.7, 2.26.3 and 2.26.4: who prints which tables; what was removed prints none.
#[test]
fn tables_are_told_by_those_that_are_placed() {
    let mut cluster = Cluster::of(&["n1"]);
    cluster.resources = format!("<group id='G'>{}</group><clone id='C'>{}</clone>", dummy("x"), dummy("s"));
    cluster.active = vec![("n1", "gone", "start")];
    let lines = cluster.placed().lines;
    let tables: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once(" allocation score"))
        .map(|(table, _)| table)
        .collect();
    assert_eq!(
        tables,
        [
            "pcmk__group_assign: G",
            "pcmk__group_assign: x",
            "pcmk__primitive_assign: x",
            "pcmk__clone_assign: C",
            "pcmk__clone_assign: s:0",
            "pcmk__primitive_assign: s:0",
        ]
    );
}

/// Rules 2.20.4 and 2.28.10: what was never probed goes where promotion is wished for.
#[test]
fn promotion_scores_draw_instances_that_are_not_known_anywhere() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.nodes[1].2 = "<nvpair id='m' name='master-s' value='10'/>";
    let settings = meta("C", &[("promotable", "true"), ("clone-max", "1")]);
    cluster.resources = format!(
        "<clone id='C'>{settings}<primitive id='s' class='ocf' provider='pacemaker' type='Stateful'/></clone>"
    );
    let outcome = cluster.placed();
    assert_eq!(outcome.place("s:0"), "n2");
    assert_eq!(outcome.roles["s:0"], Role::Promoted);
}

/// Rule 2.28.3.
#[test]
fn a_wish_for_a_primary_that_is_nowhere_costs_every_node_alike() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.resources = primitive("P", &meta("P", &[("target-role", "Stopped")])) + &dummy("D");
    cluster.constraints = colocate("D", "P", "10") + &prefers("D", "n1", "25") + &prefers("D", "n2", "20");
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("D"), ["n1: 15", "n2: 10"]);
    assert_eq!(outcome.place("D"), "n1");
}

/// Rule 1.9.7.3: instances stay a little by themselves, unless something else is configured.
#[test]
fn clones_are_sticky_by_one() {
    let score = |settings: &[(&str, &str)]| {
        let mut cluster = Cluster::of(&["n1"]);
        cluster.resources = format!("<clone id='C'>{}{}</clone>", meta("C", settings), dummy("s"));
        cluster.active = vec![("n1", "s", "start")];
        cluster.placed().scores("s:0")[0].to_owned()
    };
    assert_eq!(score(&[]), "n1: 1");
    assert_eq!(score(&[("resource-stickiness", "0")]), "n1: 0");
}

/// Rules 1.9.2.2 and 1.9.4.1: a resource's own settings go before its template's, and bad ones are none.
#[test]
fn own_settings_override_those_of_a_template() {
    let score = |own: &str| {
        let mut cluster = Cluster::of(&["n1"]);
        let base = meta("T", &[("resource-stickiness", "9")]);
        cluster.resources = format!(
            "<template id='T' class='ocf' provider='pacemaker' type='Dummy'>{base}</template>\
             <primitive id='A' template='T'>{own}</primitive>"
        );
        cluster.active = vec![("n1", "A", "start")];
        cluster.placed().scores("A")[0].to_owned()
    };
    assert_eq!(score(""), "n1: 9");
    assert_eq!(score(&meta("A", &[("resource-stickiness", "4")])), "n1: 4");
    assert_eq!(score(&meta("A", &[("resource-stickiness", "much")])), "n1: 0");
}

/// Rules 1.9.9.2 and 2.5.2: connections of guests are known everywhere, and follow what launches them.
#[test]
fn guests_connect_in_an_asymmetric_cluster_too() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.options = vec![("symmetric-cluster", "false")];
    cluster.resources = primitive("vm", &meta("vm", &[("remote-node", "gu")]));
    cluster.constraints = prefers("vm", "n2", "0");
    let outcome = cluster.placed();
    assert_eq!(outcome.scores("vm"), ["n2: 0"]);
    assert!(outcome.scores("gu").iter().any(|score| score.starts_with("n1: ")));
    assert_eq!((outcome.place("vm"), outcome.place("gu")), ("n2", "n2"));
}

/// Rule 1.9.8.9: what is in a bundle uses up the capacity of the node of its container.
#[test]
fn a_container_needs_what_its_resource_needs() {
    let mut cluster = Cluster::of(&["n1", "n2"]);
    cluster.nodes[0].1 = "<utilization id='U1'><nvpair id='U1-c' name='c' value='4'/></utilization>";
    cluster.nodes[1].1 = "<utilization id='U2'><nvpair id='U2-c' name='c' value='6'/></utilization>";
    cluster.options = vec![("placement-strategy", "utilization")];
    cluster.resources = format!(
        "<bundle id='B'><podman image='i'/><network control-port='3121'/>{}</bundle>",
        primitive("s", &pairs_in("utilization", "s", &[("c", "5")]))
    );
    cluster.constraints = prefers("B", "n1", "50");
    assert_eq!(cluster.placed().place("B-podman-0"), "n2");
}
