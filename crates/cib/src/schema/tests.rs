use std::path::PathBuf;

use super::*;

fn document(schema: &str, crm_config: &str, resources: &str, rest: &str) -> Document {
    let text = format!(
        "<cib admin_epoch='0' epoch='1' num_updates='0' validate-with='{schema}'><configuration>\n\
         <crm_config>{crm_config}</crm_config>\n<nodes><node id='1' uname='n1'/></nodes>\n\
         <resources><primitive id='a' class='ocf' provider='pacemaker' type='Dummy'/>{resources}</resources>\n\
         {rest}</configuration><status><x id='a'/></status></cib>"
    );
    Document::parse(&text).expect("sample")
}

fn findings(crm_config: &str, resources: &str, rest: &str) -> Vec<String> {
    let rest = if rest.contains("<constraints") { rest.to_owned() } else { format!("<constraints/>{rest}") };
    validate(&document("pacemaker-4.0", crm_config, resources, &rest))
        .into_iter()
        .map(|finding| {
            assert!(finding.line > 0 && finding.column > 0 && finding.path.starts_with("/cib"), "{finding}");
            format!("{}: {}", finding.severity.word(), finding.message)
        })
        .collect()
}

fn constraint(xml: &str) -> Vec<String> {
    findings("", "", &format!("<constraints>{xml}</constraints>"))
}

#[test]
fn rows_are_sorted_and_complete() {
    assert!(table::ELEMENTS.is_sorted_by(|a, b| a.name < b.name));
    for row in table::ELEMENTS {
        for child in row.children {
            assert!(table::element(child.name).is_some(), "{} in {}", child.name, row.name);
        }
    }
}

#[test]
fn a_good_document_has_no_findings() {
    let resources = "<template id='t' class='lsb' type='x'/><primitive id='b' template='t'/>\
        <clone id='c'><group id='g'><primitive id='d' class='systemd' type='x'/></group></clone>\
        <bundle id='u'><podman image='i'/><network><port-mapping id='p' port='80'/></network>\
        <storage><storage-mapping id='s' source-dir='/a' target-dir='/b'/></storage></bundle>";
    let rest = "<constraints><rsc_location id='l' rsc='a' node='n1' score='-INFINITY'/>\
        <rsc_order id='o'><resource_set id='rs'><resource_ref id='a'/><resource_ref id='T'/></resource_set>\
        </rsc_order></constraints><tags><tag id='T'><obj_ref id='b'/></tag></tags>\
        <acls><acl_role id='R'><acl_permission id='R-1' kind='read' xpath='/cib'/></acl_role>\
        <acl_target id='1u'><role id='R'/></acl_target></acls>\
        <fencing-topology><fencing-level id='f' target='n1' index='1' devices='a,b'/></fencing-topology>\
        <alerts><alert id='al' path='/x'><select><select_nodes/></select><recipient id='r' value='v'/></alert></alerts>";
    let property =
        "<cluster_property_set id='opts'><nvpair id='opts-x' name='x' value='y'/></cluster_property_set>";
    assert_eq!(findings(property, resources, rest), [""; 0]);
    let nothing = Document::parse("<cib validate-with='none'><what/></cib>").expect("sample");
    assert_eq!(validate(&nothing).len(), 1);
}

#[test]
fn says_what_was_probably_meant() {
    assert_eq!(
        findings("", "<primitive id='b' clas='lsb' type='x'/>", ""),
        [
            "error: primitive has no attribute 'clas'; did you mean 'class'?",
            "error: primitive needs an attribute 'class' (or 'template')"
        ]
    );
    assert_eq!(
        findings("", "<primitve id='b'/>", ""),
        ["error: element primitve cannot stand in resources; did you mean 'primitive'?"]
    );
    assert_eq!(
        constraint("<rsc_order id='o' first='a' then='B' kind='mandatory'/>"),
        [
            "error: IDREF attribute then references an unknown ID \"B\"",
            "error: rsc_order has kind='mandatory', which should be one of Optional, Mandatory, Serialize; did you mean 'Mandatory'?"
        ]
    );
    let resources = "<primitive id='database' class='lsb' type='x'/>";
    let rest = "<constraints><rsc_location id='l' rsc='databse' node='n1' score='x'/></constraints>";
    assert_eq!(
        findings("", resources, rest),
        [
            "error: IDREF attribute rsc references an unknown ID \"databse\"; did you mean 'database'?",
            "error: rsc_location has score='x', which should be a whole number, INFINITY or -INFINITY"
        ]
    );
    let wrong = document("pacemaker-4.o", "", "", "<constraints/>");
    assert!(validate(&wrong)[0].message.contains("did you mean 'pacemaker-4.0'?"), "{:?}", validate(&wrong));
}

#[test]
fn ids_are_unique_names() {
    assert_eq!(
        findings("", "<primitive id='a' class='lsb' type='x'/>", ""),
        ["error: ID a redefined (first in line 4)"]
    );
    assert_eq!(findings("", "<primitive id='1a' class='lsb' type='x'/>", "").len(), 1);
    // ids of nodes, targets and in status take no part
    assert_eq!(findings("", "", "<acls><acl_target id='a'/></acls>"), [""; 0]);
}

#[test]
fn nodes_have_ids_of_their_own() {
    let text = "<cib admin_epoch='0' epoch='1' num_updates='0' validate-with='pacemaker-4.0'><configuration>\n\
        <crm_config/><nodes><node id='1' uname='a'/>\n<node id='1' uname='b'/></nodes><resources/><constraints/>\
        </configuration><status/></cib>";
    let found = validate(&Document::parse(text).expect("sample"));
    let texts: Vec<String> = found.iter().map(Finding::to_string).collect();
    assert_eq!(
        texts,
        [
            "line 3, column 1: two nodes have the id '1' (the other is a, line 2) (/cib/configuration/nodes/node[@id='1'])"
        ]
    );
}

#[test]
fn forms_exclude_each_other() {
    for (xml, expected) in [
        ("<rsc_location id='l' rsc='a'/>", "error: rsc_location needs 'node' and 'score', or a rule"),
        (
            "<rsc_location id='l' node='n' score='1'/>",
            "error: rsc_location needs exactly one of 'rsc', 'rsc-pattern' and resource sets",
        ),
        ("<rsc_colocation id='l' rsc='a'/>", "error: rsc_colocation needs an attribute 'with-rsc'"),
        ("<rsc_order id='l' first='a' then='a'/>", "warning: rsc_order relates 'a' to itself"),
        ("<rsc_order id='l'/>", "error: rsc_order needs 'first' and 'then', or resource sets"),
        ("<rsc_ticket id='l' ticket='t'/>", "error: rsc_ticket needs either 'rsc' or resource sets"),
        (
            "<rsc_order id='l'><resource_set id='s'/></rsc_order>",
            "error: resource_set needs an element resource_ref",
        ),
        (
            "<rsc_location id='l' rsc='a' node='n' score='2000000'/>",
            "warning: rsc_location has score='2000000'; scores end at 1000000, which is INFINITY",
        ),
    ] {
        assert_eq!(constraint(xml), [expected], "{xml}");
    }
    for (xml, expected) in [
        (
            "<primitive id='b' class='ocf' type='x'/>",
            "error: primitive of class ocf needs an attribute 'provider'",
        ),
        (
            "<primitive id='b' class='lsb' provider='p' type='x'/>",
            "error: primitive of class lsb can have no attribute 'provider'",
        ),
        ("<clone id='c'/>", "error: clone needs exactly one primitive or group"),
        ("<group id='c'/>", "error: group needs an element primitive"),
        ("<bundle id='c'/>", "error: bundle needs exactly one of docker, podman"),
        (
            "<master id='c'><primitive id='b' class='lsb' type='x'/></master>",
            "error: element master is no longer allowed since schema pacemaker-4.0",
        ),
        ("<primitive id='b' class='lsb' type='x'>text</primitive>", "error: primitive cannot hold text"),
        (
            "<primitive id='b' class='lsb' type='x'><meta_attributes id='m'><nvpair id='n' name='restart-type' value='x'/></meta_attributes></primitive>",
            "error: option 'restart-type' no longer exists in schema pacemaker-4.0",
        ),
        (
            "<primitive id='b' class='lsb' type='x'><operations><op id='o' name='monitor' interval='10s' role='promoted'/></operations></primitive>",
            "error: op has role='promoted', which should be one of Stopped, Started, Promoted, Unpromoted, Master, Slave; did you mean 'Promoted'?",
        ),
    ] {
        assert_eq!(findings("", xml, ""), [expected], "{xml}");
    }
}

#[test]
fn features_need_their_schema() {
    let resources = "<bundle id='u'><docker image='i'/></bundle>";
    let found = validate(&document("pacemaker-3.0", "", resources, "<constraints/>"));
    assert_eq!(found, []);
    let podman = "<bundle id='u'><podman image='i'/></bundle>";
    let found = validate(&document("pacemaker-3.0", "", podman, "<constraints/>"));
    assert!(found[0].message.contains("needs schema pacemaker-3.2"), "{found:?}");
}

#[test]
fn missing_sections_and_endless_errors() {
    let found = validate(&Document::parse("<cib validate-with='pacemaker-4.0'/>").expect("sample"));
    assert!(found.iter().any(|finding| finding.message == "cib needs an element configuration"));
    assert!(found.iter().any(|finding| finding.message == "cib needs an attribute 'epoch'"));
    let many = "<x/>".repeat(10_000);
    assert_eq!(validate(&document("pacemaker-4.0", "", &many, "<constraints/>")).len(), MAX_FINDINGS);
}

fn conformance_inputs() -> Vec<PathBuf> {
    for up in ["../../..", "../../../.."] {
        let folder =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(up).join("shared/conformance/scheduler/xml");
        if let Ok(files) = std::fs::read_dir(folder) {
            return files.filter_map(|file| Some(file.ok()?.path())).collect();
        }
    }
    Vec::new()
}

#[test]
fn conformance_inputs_are_valid() {
    let mut invalid = Vec::new();
    for file in conformance_inputs() {
        let text = std::fs::read_to_string(&file).expect("readable");
        let document = Document::parse(&text).expect("well-formed");
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for finding in validate(&document) {
            if finding.severity == Severity::Error {
                invalid.push(format!("{name}: {finding}"));
            }
        }
    }
    invalid.sort();
    assert_eq!(invalid, [""; 0], "{}", invalid.join("\n"));
}

/// Old schemas are as strict as the new ones: what they do not know is refused.
#[test]
fn documents_of_old_schemas_are_checked_by_their_schema() {
    let errors = |schema: &str, resources: &str, rest: &str| {
        let rest = format!("<constraints/>{rest}");
        let found = validate(&document(schema, "", resources, &rest)).into_iter();
        found.filter(|it| it.severity == Severity::Error).map(|it| it.message).collect::<Vec<_>>()
    };
    let user = "<acls><acl_user id='u'><read id='r1' xpath='/cib'/><deny id='r2' tag='nvpair' attribute='x'/></acl_user>\
        <acl_role id='R'><write id='w' ref='a'/></acl_role><acl_user id='v'><role_ref id='R'/></acl_user></acls>";
    assert_eq!(errors("pacemaker-1.3", "", user), [""; 0]);
    assert_eq!(
        errors(
            "pacemaker-1.3",
            "",
            "<acls><acl_user id='u'><read id='r'/><role_ref id='r'/></acl_user></acls>"
        ),
        [
            "acl_user can have roles or permissions of its own, not both",
            "read needs either 'xpath', or 'ref' or 'tag' or both",
            "role 'r' is a read, not an acl_role",
        ]
    );
    let with = |op: &str| {
        format!(
            "<primitive id='p' class='lsb' type='t'><operations><op id='o' name='m' interval='1' {op}/></operations></primitive>"
        )
    };
    assert_eq!(errors("pacemaker-2.4", &with("on-fail='fence'"), ""), [""; 0]);
    assert_eq!(errors("pacemaker-2.4", &with("on-fail='demote'"), "").len(), 1);
    assert_eq!(errors("pacemaker-2.4", &with("timeot='3'"), "").len(), 1);
}

/// Schemas of the probes, oldest first.
const PROBED: &[&str] = &[
    "1.0", "1.2", "1.3", "2.0", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9", "2.10", "3.0", "3.1", "3.4",
    "3.5", "3.6", "3.7", "3.8", "3.9",
];

/// Whether a list such as `1.2-2.10,3.9` (or `none`) names the schema.
fn names(list: &str, schema: &str) -> bool {
    let at = |name: &str| PROBED.iter().position(|one| *one == name);
    list.split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        range != "none" && at(first) <= at(schema) && at(schema) <= at(last)
    })
}

/// Each line of the table has the schemas in which the reference's grammar accepts a form, where the form stands, and
/// the form.
#[test]
fn forms_are_accepted_by_the_schemas_that_know_them() {
    let mut wrong = Vec::new();
    for line in include_str!("probes.tsv").lines() {
        let [accepted, place, form] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let at = |name: &str| if place == name { form } else { "" };
        for schema in PROBED {
            // nodes needed a type once
            let kind = if *schema == "1.0" { " type='normal'" } else { "" };
            let text = format!(
                "<cib admin_epoch='0' epoch='1' num_updates='0' validate-with='pacemaker-{schema}'><configuration>\
                 <crm_config>{}</crm_config><nodes><node id='1' uname='n1'{kind}/>{}</nodes><resources>\
                 <primitive id='A' class='ocf' provider='p' type='D'/><primitive id='B' class='lsb' type='D'/>{}\
                 </resources><constraints>{}</constraints>{}</configuration><status/></cib>",
                at("crm_config"),
                at("nodes"),
                at("resources"),
                at("constraints"),
                at("configuration"),
            );
            let found = validate(&Document::parse(&text).expect("a form of the table"));
            let error = found.iter().find(|it| it.severity == Severity::Error);
            if error.is_none() != names(accepted, schema) {
                let said = error.map_or("accepted", |error| &error.message);
                wrong.push(format!("{schema}: {form}: {said}, but it is right in {accepted}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are judged otherwise:\n{}", wrong.len(), wrong.join("\n"));
}
