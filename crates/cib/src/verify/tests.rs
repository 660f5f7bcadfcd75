use super::*;

/// Findings as `severity: text`, those about missing fencing left out.
fn findings(configuration: &str) -> Vec<String> {
    let options = "<crm_config><cluster_property_set id=\"o\"><nvpair id=\"of\" name=\"fencing-enabled\" value=\"false\"/></cluster_property_set></crm_config>";
    let options = if configuration.contains("crm_config") { "" } else { options };
    let text = format!(
        "<cib validate-with=\"pacemaker-4.0\"><configuration>{options}{configuration}</configuration></cib>"
    );
    let document = xml::Document::parse(&text).expect("well-formed");
    let (cib, notices) = Cib::from_document(&document);
    assert!(notices.is_empty(), "{notices:?}");
    verify(&cib, DateTime::from_timestamp(1_700_000_000, 0)).iter().map(Notice::to_string).collect()
}

const NODES: &str = "<nodes><node id=\"1\" uname=\"alpha\"/></nodes>";

fn dummies(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("<primitive id=\"{name}\" class=\"ocf\" provider=\"x\" type=\"y\"/>"))
        .collect()
}

#[test]
fn a_sound_configuration_has_no_findings() {
    let text = format!(
        "{NODES}<resources>{}<clone id=\"c\"><meta_attributes id=\"m\"><nvpair id=\"n\" name=\"promotable\" value=\"true\"/>\
         <nvpair id=\"n2\" name=\"target-role\" value=\"Unpromoted\"/></meta_attributes>{}</clone></resources>\
         <constraints><rsc_location id=\"l\" rsc=\"a\" node=\"ALPHA\" score=\"1\"/><rsc_order id=\"o\" first=\"a\" then=\"c\"/></constraints>",
        dummies(&["a"]),
        dummies(&["b"])
    );
    assert_eq!(findings(&text), [] as [&str; 0]);
}

#[test]
fn missing_fencing_is_an_error() {
    let found = findings(&format!("<crm_config/><resources>{}</resources>", dummies(&["a"])));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("error: Resource start-up disabled"));
}

#[test]
fn names_that_lead_nowhere() {
    let text = format!(
        "{NODES}<resources>{}</resources><constraints><rsc_location id=\"l\" rsc=\"webserver\" node=\"alhpa\" score=\"1\"/>\
         <rsc_colocation id=\"k\" rsc=\"web\" with-rsc=\"webserver\" score=\"1\"/>\
         <rsc_order id=\"o\"><resource_set id=\"s\"><resource_ref id=\"nothing\"/></resource_set></rsc_order></constraints>\
         <fencing-topology><fencing-level id=\"f\" target=\"beta\" index=\"1\" devices=\"webserver,watchdog\"/></fencing-topology>",
        dummies(&["webservre", "web"])
    );
    assert_eq!(
        findings(&text),
        [
            "error: Ignoring constraint 'l' because 'webserver' is not a valid resource or tag (did you mean 'webservre'?)",
            "info: Constraint 'l' is for node 'alhpa', which is not known (did you mean 'alpha'?)",
            "error: Ignoring constraint 'k' because 'webserver' is not a valid resource or tag (did you mean 'webservre'?)",
            "error: s: No resource found for nothing",
            "info: Fencing level f is for 'beta', which is no node",
            "info: Fencing level f names 'webserver', which is no fence device (did you mean 'webservre'?)",
        ]
    );
}

#[test]
fn misspelt_names_are_noted_but_strange_ones_are_anybodys() {
    let text = "<crm_config><cluster_property_set id=\"o\"><nvpair id=\"1\" name=\"fencing-enabled\" value=\"false\"/>\
         <nvpair id=\"2\" name=\"symetric-cluster\" value=\"true\"/><nvpair id=\"3\" name=\"my-own-tool\" value=\"1\"/></cluster_property_set></crm_config>\
         <resources><primitive id=\"p\" class=\"stonith\" type=\"y\"><meta_attributes id=\"m\"><nvpair id=\"n\" name=\"migration-treshold\" value=\"3\"/></meta_attributes>\
         <instance_attributes id=\"i\"><nvpair id=\"j\" name=\"pcmk_hostlist\" value=\"a\"/></instance_attributes></primitive></resources>";
    assert_eq!(
        findings(text),
        [
            "info: Unknown cluster option 'symetric-cluster' (did you mean 'symmetric-cluster'?)",
            "info: Unknown resource meta-attribute 'migration-treshold' (did you mean 'migration-threshold'?)",
            "info: Unknown fence device parameter 'pcmk_hostlist' (did you mean 'pcmk_host_list'?)",
        ]
    );
}

#[test]
fn values_of_resources_and_operations() {
    let text = "<resources><primitive id=\"p\" class=\"ocf\" provider=\"x\" type=\"y\"><meta_attributes id=\"m\">\
         <nvpair id=\"1\" name=\"target-role\" value=\"Startd\"/><nvpair id=\"2\" name=\"requires\" value=\"luck\"/>\
         <nvpair id=\"3\" name=\"priority\" value=\"high\"/><nvpair id=\"4\" name=\"target-role\" value=\"Promoted\"/></meta_attributes>\
         <operations><op id=\"a\" name=\"monitor\" interval=\"10\" on-fail=\"fence\"/><op id=\"b\" name=\"monitor\" interval=\"10s\"/>\
         <op id=\"c\" name=\"start\" interval=\"5\"/><op id=\"d\" name=\"stop\" interval=\"0\" on-fail=\"demote\"/>\
         <op id=\"e\" name=\"start\" interval=\"0\" on-fail=\"restrat\" timeout=\"PT5S\"/></operations></primitive></resources>";
    assert_eq!(
        findings(text),
        [
            "error: Ignoring 'target-role' for p because 'Startd' is not valid (did you mean 'Started'?)",
            "error: Resetting 'requires' for p to 'quorum' because 'luck' is not valid",
            "warning: Using default (0) for resource p priority because 'high' is not a valid value",
            "error: Ignoring 'target-role' for p because 'Promoted' only makes sense for promotable clones",
            "error: Operation b is duplicate of a (do not use same name and interval combination more than once per resource)",
            "error: Resetting 'on-fail' for monitor of p to 'stop' because 'fence' is not valid when fencing is disabled",
            "error: Ignoring c because start action cannot be recurring",
            "error: Resetting 'on-fail' for p stop action to default value because 'demote' is not allowed for stop",
            "error: Using default 'on-fail' for start of p because 'restrat' is not valid (did you mean 'restart'?)",
            "info: Operation e has timeout 'PT5S', which is not a time that is understood there",
        ]
    );
}

fn orders(pairs: &[(&str, &str)]) -> String {
    let all: String = pairs
        .iter()
        .enumerate()
        .map(|(number, (first, then))| {
            format!("<rsc_order id=\"o{number}\" first=\"{first}\" then=\"{then}\"/>")
        })
        .collect();
    format!("<constraints>{all}</constraints>")
}

#[test]
fn circles_of_orders() {
    let resources = format!(
        "<resources>{}<group id=\"g\">{}</group></resources>",
        dummies(&["a", "b", "c"]),
        dummies(&["m1", "m2"])
    );
    let found = |pairs: &[(&str, &str)]| findings(&format!("{resources}{}", orders(pairs)));
    assert_eq!(found(&[("a", "b"), ("b", "c"), ("a", "c"), ("g", "a")]), [] as [&str; 0]);
    assert_eq!(
        found(&[("a", "b"), ("b", "c"), ("c", "a")]),
        [
            "warning: Order constraints go in a circle, so none of this can happen: start a then start b then start c then start a (constraints o0, o1, o2)"
        ]
    );
    assert_eq!(found(&[("m2", "m1")]).len(), 1, "against the order of the group");
    assert_eq!(found(&[("g", "m1")]).len(), 1, "a group before its own member");
    assert_eq!(found(&[("a", "a")]).len(), 1);
}

#[test]
fn patterns_and_scores_of_constraints() {
    let text = format!(
        "{NODES}<resources>{}</resources><constraints><rsc_location id=\"l\" rsc-pattern=\"(\" node=\"alpha\" score=\"lots\" resource-discovery=\"maybe\"/>\
         <rsc_location id=\"n\" node=\"alpha\" score=\"1\"/><rsc_order id=\"o\" first=\"a\" then=\"b\" kind=\"sometimes\" first-action=\"run\"/></constraints>",
        dummies(&["a", "b"])
    );
    assert_eq!(
        findings(&text),
        [
            "error: Ignoring constraint 'l' because rsc-pattern has invalid value '(' (a group is not closed)",
            "error: Ignoring location constraint l because 'lots' is not a valid score",
            "error: Invalid resource-discovery value maybe in location constraint",
            "error: Invalid constraint n: no resource specified",
            "error: Resetting 'kind' for constraint o to 'Mandatory' because 'sometimes' is not valid",
            "warning: Unknown action 'run' specified in order constraint",
        ]
    );
}

#[test]
fn a_slip_is_told_again_where_it_is_made_again() {
    let slips = |count: usize| {
        let resource = |number: usize| {
            format!(
                "<primitive id=\"p{number}\" class=\"lsb\" type=\"x\"><meta_attributes id=\"m{number}\">\
                 <nvpair id=\"n{number}\" name=\"target-roel\" value=\"Started\"/></meta_attributes></primitive>"
            )
        };
        let resources: String = (0..count).map(resource).collect();
        let text = format!(
            "<cib validate-with=\"pacemaker-4.0\"><configuration><crm_config/><nodes/><resources>{resources}\
             </resources><constraints/></configuration><status/></cib>"
        );
        let document = xml::Document::parse(&text).unwrap();
        super::slips(&Cib::from_document(&document).0, DateTime::from_timestamp(0, 0))
    };
    let told: Vec<String> = slips(3).since(&slips(1)).into_iter().collect();
    assert_eq!(told, ["Unknown resource meta-attribute 'target-roel' (did you mean 'target-role'?)"]);
    assert!(slips(3).since(&slips(3)).is_empty());
}

#[test]
fn slips_of_the_finger_are_told_with_what_was_meant() {
    let pair = |name: &str, value: &str| {
        format!("<nvpair id=\"{name}-{value}\" name=\"{name}\" value=\"{value}\"/>")
    };
    let text = |properties: &str, meta: &str, parameters: &str| {
        format!(
            "<cib validate-with=\"pacemaker-4.0\"><configuration><crm_config>\
             <cluster_property_set id=\"o\">{properties}</cluster_property_set></crm_config><nodes/><resources>\
             <primitive id=\"p\" class=\"stonith\" type=\"fence_x\"><instance_attributes id=\"i\">{parameters}\
             </instance_attributes><meta_attributes id=\"m\">{meta}</meta_attributes></primitive>\
             </resources><constraints/></configuration><status/></cib>"
        )
    };
    let slips = |properties: &str, meta: &str, parameters: &str| -> Vec<String> {
        let document = xml::Document::parse(&text(properties, meta, parameters)).unwrap();
        let (cib, _) = Cib::from_document(&document);
        super::slips(&cib, DateTime::from_timestamp(0, 0)).texts().into_iter().collect()
    };
    assert_eq!(
        slips(&pair("stonith-enabeld", "true"), "", ""),
        ["Unknown cluster option 'stonith-enabeld' (did you mean 'stonith-enabled'?)"]
    );
    assert_eq!(
        slips("", &(pair("migration-treshold", "3x") + &pair("target-roel", "Started")), ""),
        [
            "Unknown resource meta-attribute 'migration-treshold' (did you mean 'migration-threshold'?)",
            "Unknown resource meta-attribute 'target-roel' (did you mean 'target-role'?)",
        ]
    );
    assert_eq!(
        slips(
            &pair("no-quorum-policy", "stp"),
            &pair("migration-threshold", "3x"),
            &pair("pcmk_dealy_max", "5s")
        ),
        [
            "'3x' is no value for the resource meta-attribute 'migration-threshold': use an integer or INFINITY or -INFINITY",
            "'stp' is no value for the cluster option 'no-quorum-policy': use 'stop', 'freeze', 'ignore', 'demote', 'fence', 'suicide' (did you mean 'stop'?)",
            "Unknown fence device parameter 'pcmk_dealy_max' (did you mean 'pcmk_delay_max'?)",
        ]
    );
    assert_eq!(
        slips(&pair("my-own-note", "x"), &pair("target-role", "Stopped"), &pair("pcmk_host_list", "a")),
        [] as [&str; 0]
    );
}

#[test]
fn a_node_is_in_standby_or_not() {
    let slips = |name: &str, value: &str| {
        let text = format!(
            "<cib validate-with=\"pacemaker-4.0\"><configuration><crm_config/><nodes><node id=\"1\" uname=\"n\">\
             <instance_attributes id=\"i\"><nvpair id=\"p\" name=\"{name}\" value=\"{value}\"/></instance_attributes>\
             </node></nodes><resources/><constraints/></configuration><status/></cib>"
        );
        let (cib, _) = Cib::from_document(&xml::Document::parse(&text).unwrap());
        super::slips(&cib, DateTime::from_timestamp(0, 0)).texts().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(
        slips("standby", "maybe"),
        ["'maybe' is no value for the node attribute 'standby': use true or false"]
    );
    assert_eq!(slips("maintenance", "On"), [] as [&str; 0]);
    assert_eq!(slips("site", "maybe"), [] as [&str; 0]);
}
