//! Bad input by every way that writes the configuration: it is refused with a place and a reason, or taken with a
//! warning where the field allows it; what is refused changes nothing, neither content nor versions.

use crate::host::{Host, answer, none_wrong, read};

/// Three resources that are not started, and an order.
const CONFIGURATION: &str = r#"<configuration>
  <crm_config>
    <cluster_property_set id="options">
      <nvpair id="fencing" name="stonith-enabled" value="false"/>
      <nvpair id="stopped" name="stop-all-resources" value="true"/>
    </cluster_property_set>
  </crm_config>
  <nodes><node id="1" uname="node1"/></nodes>
  <resources>
    <primitive id="A" class="ocf" provider="pacemaker" type="Dummy"/>
    <primitive id="B" class="ocf" provider="pacemaker" type="Dummy"/>
    <group id="G"><primitive id="C" class="ocf" provider="pacemaker" type="Dummy"/></group>
  </resources>
  <constraints><rsc_order id="ab" first="A" then="B"/></constraints>
</configuration>"#;

/// Command line, exit code, and what it says on standard error.
type Refused = (&'static str, i32, &'static [&'static str]);

const BY_CIBADMIN: &[Refused] = &[
    // not well-formed: the place in the text that was given
    ("cibadmin -R -X '<cib'", 65, &["line 1, column 1", "not closed"]),
    ("cibadmin -R -x broken.xml", 65, &["broken.xml: line 4, column 1"]),
    ("cibadmin -M -x broken.xml", 65, &["broken.xml: line 4, column 1"]),
    ("cibadmin -C -o resources -x broken.xml", 65, &["broken.xml: line 4, column 1"]),
    ("cibadmin -D -x broken.xml", 65, &["broken.xml: line 4, column 1"]),
    ("cibadmin -P -x broken.xml", 65, &["broken.xml: line 4, column 1"]),
    ("echo '<a><b></a>' | cibadmin -M -p", 65, &["STDIN: line 1, column 7", "</a> cannot end element b"]),
    ("printf '' | cibadmin -R -p", 65, &["STDIN", "there is no element"]),
    ("head -c 100000 /dev/zero | cibadmin -R -p", 65, &["STDIN: line 1, column 1"]),
    ("printf '<cib a=\"\\377\"/>' | cibadmin -R -p", 65, &["STDIN: line 1, column 9: this is not UTF-8"]),
    ("cibadmin -R -x nowhere.xml", 66, &["nowhere.xml", "No such file"]),
    // elements and attributes that there are not, with what was probably meant
    (
        "cibadmin -M -X '<primitive id=\"A\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\" colour=\"red\"/>'",
        78,
        &[
            "line 1, column 1: primitive has no attribute 'colour' (/cib/configuration/resources/primitive[@id='A'])",
        ],
    ),
    (
        "cibadmin -C -o resources -X '<primitve id=\"Z\"/>'",
        78,
        &["line 1, column 1: element primitve cannot stand in resources; did you mean 'primitive'?"],
    ),
    (
        "cibadmin -M -x unknown.xml",
        78,
        &[
            "line 3, column 5: element blah cannot stand in resources",
            "line 4, column 5: group needs an element primitive",
        ],
    ),
    ("cibadmin -R -X '<configuration/>'", 78, &["configuration needs an element crm_config"]),
    ("cibadmin -R -X '<resources><primitive id=\"A\"/></resources>'", 78, &["line 1, column 12", "'class'"]),
    ("cibadmin -R -X '<cib2/>'", 105, &["cib2"]),
    ("cibadmin -M -o nosuch -X '<x/>'", 105, &["Invalid value 'nosuch' for '--scope'"]),
    // ids used twice, by anything
    (
        "cibadmin -C -o resources -X '<primitive id=\"A\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"/>'",
        108,
        &["File exists", "primitive 'A' exists already"],
    ),
    (
        "cibadmin -C -o resources -X '<primitive id=\"ab\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"/>'",
        78,
        &["ID ab redefined (first in line 1)"],
    ),
    ("cibadmin -M -x twice.xml", 78, &["line 3, column 3: ID X redefined (first in line 2)"]),
    // references to nothing
    (
        "cibadmin -C -o constraints -X '<rsc_location id=\"l\" rsc=\"NOPE\" node=\"node1\" score=\"1\"/>'",
        78,
        &["line 1, column 1: IDREF attribute rsc references an unknown ID \"NOPE\""],
    ),
    ("cibadmin -D -X '<primitive id=\"B\"/>'", 78, &["IDREF attribute then references an unknown ID \"B\""]),
    (
        "cibadmin -D --xpath '//primitive[@id=\"B\"]'",
        78,
        &["IDREF attribute then references an unknown ID \"B\""],
    ),
    (
        "cibadmin -R -o configuration -x reference.xml",
        78,
        &["line 14, column 16: IDREF attribute first", "\"NOPE\""],
    ),
    // values of the wrong type
    (
        "cibadmin -C -o constraints -X '<rsc_location id=\"l\" rsc=\"A\" node=\"node1\" score=\"12x\"/>'",
        78,
        &[
            "line 1, column 1: rsc_location has score='12x', which should be a whole number, INFINITY or -INFINITY",
        ],
    ),
    (
        "cibadmin -C -o constraints -X '<rsc_colocation id=\"co\" rsc=\"A\" with-rsc=\"B\" score=\"infinity\"/>'",
        78,
        &["score='infinity'"],
    ),
    (
        "cibadmin -C -o constraints -X '<rsc_order id=\"o\" first=\"A\" then=\"B\" kind=\"Mandatry\"/>'",
        78,
        &["kind='Mandatry'", "did you mean 'Mandatory'"],
    ),
    (
        "cibadmin -C -o constraints -X '<rsc_order id=\"o\" first=\"A\" then=\"B\" symmetrical=\"perhaps\"/>'",
        78,
        &["symmetrical='perhaps'", "true or false"],
    ),
    (
        "cibadmin -C -o constraints -X '<rsc_colocation id=\"co\" rsc=\"A\"/>'",
        78,
        &["rsc_colocation needs an attribute 'with-rsc'"],
    ),
    (
        "cibadmin -M -X '<primitive id=\"A\" class=\"ocf\" provider=\"\" type=\"\"><op/></primitive>'",
        78,
        &["op"],
    ),
    // versions that go back, patches that are none or do not fit
    ("cibadmin -R -X '<cib epoch=\"0\" num_updates=\"0\" admin_epoch=\"0\"/>'", 103, &["older"]),
    ("cibadmin -P -X '<diff/>'", 70, &["patch sets of format 2"]),
    (
        "cibadmin -P -X '<diff format=\"2\"><change operation=\"modify\" path=\"/cib/configuration/resources/primitive[@id=&quot;NO&quot;]\"><change-list/><change-result><primitive id=\"NO\"/></change-result></change></diff>'",
        1,
        &["Application of update diff failed"],
    ),
    (
        "cibadmin -P -X '<diff format=\"2\"><change operation=\"explode\" path=\"/cib\"/></diff>'",
        70,
        &["explode"],
    ),
    // expressions
    ("cibadmin -D --xpath '//primitive[@id='", 70, &["XPath, column 17"]),
    ("cibadmin -M --xpath '//nothing' -X '<primitive id=\"A\"/>'", 105, &["nothing"]),
    ("cibadmin -R --xpath '///' -X '<primitive id=\"A\"/>'", 70, &["XPath, column"]),
];

const BY_PCS: &[Refused] = &[
    ("pcs cluster cib-push nowhere.xml", 1, &["nowhere.xml", "No such file"]),
    ("pcs cluster cib-push broken.xml", 1, &["line 4, column 1"]),
    (
        "sed 's/<primitive id=\"B\"/<primitive id=\"A\"/' now.xml >x.xml; pcs cluster cib-push x.xml",
        1,
        &["ID A redefined"],
    ),
    (
        "sed 's/<resources>/<resources><blah\\/>/' now.xml >x.xml; pcs cluster cib-push x.xml",
        1,
        &["element blah cannot stand in resources"],
    ),
    (
        "sed 's/first=\"A\"/first=\"NOPE\"/' now.xml >x.xml; pcs cluster cib-push x.xml",
        1,
        &["unknown ID \"NOPE\""],
    ),
    (
        "sed 's/<cib /<cab /; s/<.cib>/<\\/cab>/' now.xml >x.xml; pcs cluster cib-push x.xml",
        1,
        &["x.xml is no CIB", "'cab'"],
    ),
    ("pcs cluster cib-push now.xml scope=nosuch", 1, &["scope 'nosuch' not present"]),
    ("pcs resource create D", 1, &["usage: pcs resource create"]),
    ("pcs resource create A ocf:pacemaker:Dummy", 1, &["'A' already exists"]),
    ("pcs resource create ab ocf:pacemaker:Dummy", 1, &["'ab' already exists"]),
    (
        "pcs resource create 'D D' ocf:pacemaker:Dummy",
        1,
        &["' ' is not a valid character for a resource name"],
    ),
    ("pcs resource create D ocf:pacemaker:Nope", 1, &["agent ocf:pacemaker:Nope is not installed"]),
    ("pcs resource create D ocf:pacemaker:Dummy nosuch=1", 1, &["invalid resource option 'nosuch'"]),
    (
        "pcs resource create D ocf:pacemaker:Dummy op monitor intervall=10s",
        1,
        &["invalid resource operation option 'intervall'"],
    ),
    (
        "pcs resource create D ocf:pacemaker:Dummy op monitor interval=10q",
        1,
        &["'10q' is not a valid interval value"],
    ),
    (
        "pcs resource create D ocf:pacemaker:Dummy op monitor on-fail=explode",
        1,
        &["'explode' is not a valid on-fail value"],
    ),
    (
        "pcs resource create D ocf:pacemaker:Dummy op monitor role=Boss",
        1,
        &["'Boss' is not a valid role value"],
    ),
    ("pcs constraint order A then NOPE", 1, &["Resource 'NOPE' does not exist"]),
    ("pcs constraint colocation add A with NOPE", 1, &["Resource 'NOPE' does not exist"]),
    ("pcs constraint location NOPE prefers node1=12", 1, &["Resource 'NOPE' does not exist"]),
    ("pcs constraint location A prefers node1=12x", 1, &["invalid score '12x'"]),
    ("pcs constraint location A prefers nodeX=12", 1, &["Node 'nodeX' does not seem to be in the cluster"]),
    ("pcs property set stonith-enabled=maybe", 1, &["'maybe' is not a valid stonith-enabled value"]),
    ("pcs property set stonith-enabledd=true", 1, &["did you mean 'stonith-enabled'?"]),
];

const BY_TOOLS: &[Refused] = &[
    ("crm_attribute -t nosuch -n a -v 1", 64, &["Invalid value 'nosuch'"]),
    ("crm_attribute -N nosuch -n a -v 1", 105, &["nosuch"]),
    ("crm_attribute -v 1", 64, &["must specify attribute name"]),
    ("crm_resource -r NOPE -p x -v 1", 105, &["Resource 'NOPE' not found"]),
    ("crm_resource -r NOPE -m -p target-role -v Started", 105, &["Resource 'NOPE' not found"]),
    ("crm_resource -r NOPE -M", 105, &["Resource 'NOPE' not found"]),
    ("crm_resource -r A -M -N nodeX", 105, &["Node 'nodeX' not found"]),
    ("crm_resource -r A --ban -N nodeX", 105, &["Node 'nodeX' not found"]),
    ("crm_resource -p x -v 1", 64, &["Must supply a resource ID"]),
];

/// What is taken with a warning, and the warnings, each of which comes once.
const WARNED: &[(&str, &[&str])] = &[
    ("cibadmin -C -o constraints -X '<rsc_order id=\"ba\" first=\"B\" then=\"A\"/>'", &["circle"]),
    ("pcs constraint order B then A", &["circle"]),
    (
        "sed 's/<constraints>/&<rsc_order id=\"ba\" first=\"B\" then=\"A\"\\/>/' now.xml >x.xml; pcs cluster cib-push x.xml",
        &["circle"],
    ),
    (
        "cibadmin -C -o constraints -X '<rsc_location id=\"l\" rsc=\"A\" node=\"nod1\" score=\"1\"/>'",
        &["'nod1', which is not known (did you mean 'node1'?)"],
    ),
    (
        "cibadmin -C -o constraints -X '<rsc_location id=\"l\" rsc-pattern=\"(\" node=\"node1\" score=\"1\"/>'",
        &["rsc-pattern has invalid value '('"],
    ),
    (
        "cibadmin -M -X '<nvpair id=\"fencing\" name=\"stonith-enabled\" value=\"maybe\"/>'",
        &["'maybe' is no value"],
    ),
    ("crm_attribute -n stonith-enabled -v maybe", &["'maybe' is no value"]),
    ("crm_attribute -n stonith-enabeld -v true", &["did you mean 'stonith-enabled'?"]),
    ("pcs resource create D ocf:pacemaker:Dummy meta target-rol=Stopped", &["did you mean 'target-role'?"]),
    ("pcs resource create D ocf:pacemaker:Dummy meta is-managed=perhaps", &["'perhaps' is"]),
    ("crm_resource -r A -m -p target-rol -v Stopped", &["did you mean 'target-role'?"]),
    ("crm_resource -r A -m -p is-managed -v perhaps", &["'perhaps' is"]),
];

fn prepared() -> Host {
    let host = Host::start(CONFIGURATION);
    host.tools.write("broken.xml", "<configuration>\n <resources>\n  <primitive id=\"A\"\n</resources>");
    host.tools.write(
        "unknown.xml",
        "<configuration>\n  <resources>\n    <blah/>\n    <group id=\"new\"/>\n  </resources>\n</configuration>",
    );
    host.tools.write(
        "twice.xml",
        "<resources>\n  <primitive id=\"X\" class=\"lsb\" type=\"a\"/>\n  <group id=\"X\">\n   <primitive id=\"Y\" class=\"lsb\" type=\"a\"/></group></resources>",
    );
    host.tools.write("reference.xml", &CONFIGURATION.replace("first=\"A\"", "first=\"NOPE\""));
    host.tools.write("now.xml", &host.cib());
    host
}

fn problems((line, code, texts): &Refused, found: &crate::host::Answer) -> Option<String> {
    let missing: Vec<_> = texts.iter().filter(|text| !found.err.contains(**text)).collect();
    let is_right = missing.is_empty() && found.code == *code && !found.err.contains("panicked");
    (!is_right).then(|| {
        format!("$ {line}\n{}{}= {}\nexpected {code}, missing {missing:?}", found.out, found.err, found.code)
    })
}

#[test]
fn what_is_refused_is_explained_and_changes_nothing() {
    let host = prepared();
    let before = host.cib();
    let mut wrong = Vec::new();
    for row in [BY_CIBADMIN, BY_PCS, BY_TOOLS].into_iter().flatten() {
        wrong.extend(problems(row, &host.run(row.0)));
        let after = host.cib();
        assert!(after == before, "{} changed the cluster", row.0);
    }
    none_wrong(wrong);
}

#[test]
fn what_is_refused_on_a_file_leaves_the_file() {
    let host = prepared();
    let file = host.tools.path("file.xml");
    host.tools.write("file.xml", &host.cib());
    let before = read(&file);
    let mut wrong = Vec::new();
    for row in [BY_CIBADMIN, BY_PCS, BY_TOOLS].into_iter().flatten() {
        let mut command = host.tools.command(row.0);
        command.env("CIB_file", &file);
        wrong.extend(problems(row, &answer(command)));
        assert!(read(&file) == before, "{} changed the file", row.0);
    }
    none_wrong(wrong);
}

#[test]
fn what_is_doubtful_is_taken_with_one_warning() {
    let host = prepared();
    let mut wrong = Vec::new();
    for (line, texts) in WARNED {
        let before = host.cib();
        let found = host.run(line);
        let once = texts.iter().all(|text| found.err.matches(text).count() == 1);
        let warnings =
            found.err.lines().filter(|line| line.contains("circle") || line.contains("Warning")).count();
        if !once || found.code != 0 || warnings > texts.len() || host.cib() == before {
            wrong.push(format!("$ {line}\n{}{}= {}\nexpected {texts:?}", found.out, found.err, found.code));
        }
        host.load(CONFIGURATION);
    }
    none_wrong(wrong);
}

/// Each reads, edits and writes: whoever finds that another was faster does it again on what is there now.
#[test]
fn edits_at_the_same_time_are_all_made() {
    let ids: Vec<String> = (1..=8).map(|number| format!("P{number}")).collect();
    let primitives: String = ids
        .iter()
        .map(|id| format!("<primitive id='{id}' class='ocf' provider='pacemaker' type='Dummy'/>"))
        .collect();
    let host = Host::start(&CONFIGURATION.replace("<group", &(primitives + "<group")));
    let lines = ids.iter().map(|id| format!("pcs resource group add new {id}"));
    let running: Vec<_> = lines.map(|line| host.tools.command(&line).spawn().unwrap()).collect();
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    let document = xml::Document::parse(&host.cib()).unwrap();
    let group = document.root_element().descendants().find(|one| one.attr("id") == Some("new")).unwrap();
    let mut members: Vec<_> = group.children().filter_map(|child| child.attr("id")).collect();
    members.sort_unstable();
    assert_eq!(members, ids);
}
