//! Every tool with what it cannot do: an option that there is not, no cluster, no permission, a value that is none, a
//! file, resource, node or attribute that there is not. It says on standard error what is wrong, and ends with
//! the field's exit code (rules 5a.2).

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::host::{Answer, Host, answer, none_wrong};

const CONFIGURATION: &str = r#"<configuration>
  <crm_config><cluster_property_set id="options">
    <nvpair id="fencing" name="stonith-enabled" value="false"/>
    <nvpair id="stopped" name="stop-all-resources" value="true"/>
  </cluster_property_set></crm_config>
  <nodes><node id="1" uname="node1"/></nodes>
  <resources><primitive id="A" class="ocf" provider="pacemaker" type="Dummy"/></resources>
  <constraints/>
</configuration>"#;

/// The low-level tools, each with words that need the cluster; none for those that never do.
const TOOLS: &[(&str, Option<&str>)] = &[
    ("attrd_updater", Some("-n a -Q")),
    ("cibadmin", Some("-Q")),
    ("cibsecret", Some("get A passwd")),
    ("crm_attribute", Some("-n a -G")),
    ("crm_diff", None),
    ("crm_error", None),
    ("crm_failcount", Some("-G -r A")),
    ("crm_master", Some("-G -r A")),
    ("crm_mon", Some("-1")),
    ("crm_node", Some("-l")),
    ("crm_report", None),
    ("crm_resource", Some("-l")),
    ("crm_rule", Some("-c -r x")),
    ("crm_shadow", Some("-c new --batch")),
    ("crm_simulate", Some("-L")),
    ("crm_standby", Some("-G")),
    ("crm_ticket", Some("-l")),
    ("crm_verify", Some("-L")),
    ("crmadmin", Some("-D")),
    ("iso8601", None),
    ("stonith_admin", Some("-L")),
];

/// Command line, exit code, and what is on standard error.
const MISTAKES: &[(&str, i32, &str)] = &[
    // options
    ("cibadmin --querry", 64, "did you mean --query?"),
    ("cibadmin -Q -x", 64, "Missing argument for -x"),
    ("cibadmin -d -A //primitive", 107, "the --force flag is required"),
    ("cibadmin -E", 107, "the --force flag is required"),
    ("cibadmin -d", 64, "--delete-all needs --xpath"),
    ("cibadmin -R", 64, "requires input via --xml-file"),
    ("crm_node", 64, "crm_node"),
    ("pcs --no-such-option", 1, "option --no-such-option not recognized"),
    ("pcs nosuch", 1, "unknown command 'nosuch'"),
    ("pcs resource nosuch", 1, "unknown or incomplete command 'pcs resource nosuch'"),
    ("systole nosuch", 64, "there is no command \"nosuch\""),
    ("systole events --no-such-option", 64, "--no-such-option"),
    ("systole bus create bus name", 64, "<NODES>"),
    // values
    ("crm_mon --interval=soon -1", 64, "'soon' is no time"),
    ("crm_mon --output-as=pdf -1", 1, "Unknown output format"),
    ("crm_mon -1 --exclude nosuch", 64, "--exclude options: all"),
    ("crm_resource --wait --timeout=soon", 64, "'soon'"),
    ("crm_resource -r A --delete -t nosuch", 64, "one of primitive, group"),
    ("crm_resource -r A --lifetime soon -B -N node1", 2, "ISO 8601 duration such as PT1H"),
    ("crm_attribute -n a -v 1 -t nosuch", 64, "a section (crm_config, nodes"),
    ("crm_failcount -D -r A -n start -I soon", 64, "'soon' for --interval"),
    ("attrd_updater -n a -U 1 -d soon", 64, "a time such as 5s"),
    ("crm_node -N nodeX", 64, "a node id (a number) is needed"),
    ("crm_node -R nodeX", 64, "--force flag is required"),
    ("crmadmin -t soon -D", 64, "a time such as 30s"),
    ("stonith_admin -F node1 -t soon", 64, "'soon' is no time"),
    ("cibsecret nosuch A b", 64, "use check, delete, get"),
    ("crm_error nonsense", 64, "expected a number"),
    ("iso8601 -d nonsense", 2, "Invalid date/time specified: nonsense"),
    ("iso8601 -D nonsense", 2, "Invalid duration specified: nonsense"),
    ("crm_simulate -L -t soon", 65, "'soon' is not a valid date/time"),
    ("crm_report -f soon out", 64, "'soon' is no time: write YYYY-MM-DD"),
    ("crm_ticket -t x -g", 107, "If you are sure"),
    // files
    ("cibadmin -R -x nowhere.xml", 66, "nowhere.xml"),
    ("CIB_file=nowhere.xml cibadmin -Q", 105, "nowhere.xml"),
    ("CIB_shadow=nosuch cibadmin -Q", 105, "shadow.nosuch"),
    ("crm_verify -x nowhere.xml", 78, "nowhere.xml"),
    ("crm_verify -X '<cib'", 78, "line 1, column 1"),
    ("crm_verify", 1, "one of -L, -x FILE"),
    ("crm_simulate -x nowhere.xml", 65, "nowhere.xml"),
    ("crm_diff -o nowhere.xml -n nowhere.xml", 65, "nowhere.xml"),
    ("crm_shadow -s nosuch --batch", 105, "shadow instance 'nosuch'"),
    ("crm_mon -1 --output-to=nowhere/file --output-as=xml", 73, "cannot write nowhere/file"),
    ("pcs cluster cib nowhere/file", 1, "Unable to write CIB to 'nowhere/file'"),
    ("systole daemon --bus nowhere --node x --state-dir state", 1, "nowhere/bus.json"),
    // resources
    ("crm_resource -r NOPE -W", 105, "Resource 'NOPE' not found"),
    ("crm_resource -r NOPE -q", 105, "Resource 'NOPE' not found"),
    ("crm_resource -r NOPE -C", 105, "Resource 'NOPE' not found"),
    ("crm_resource --show-metadata ocf:no:such", 5, "ocf:no:such is not installed"),
    ("stonith_admin -Q NOPE", 105, "no fence device 'NOPE'"),
    ("stonith_admin -M -a fence_nosuch", 105, "fence_nosuch is not installed"),
    ("cibsecret get NOPE passwd", 105, "Resource 'NOPE' not found"),
    ("pcs resource config NOPE", 1, "Unable to find resource 'NOPE'"),
    ("pcs resource delete NOPE", 1, "Unable to find resource: 'NOPE'"),
    ("pcs resource update NOPE a=b", 1, "Unable to find resource: NOPE"),
    ("pcs resource move NOPE", 1, "Unable to find resource: NOPE"),
    ("pcs resource enable NOPE", 1, "'NOPE' does not exist"),
    ("pcs constraint delete NOPE", 1, "Unable to find constraints or constraint rules: 'NOPE'"),
    ("systole why NOPE", 105, "there are: A"),
    // nodes
    ("crm_resource -r A -C -N nodeX", 105, "Node 'nodeX' not found"),
    ("crm_attribute -n a -N nodeX -G", 105, "nodeX"),
    ("crm_standby -N nodeX -v on", 105, "nodeX"),
    ("crm_failcount -G -r A -N nodeX", 105, "nodeX"),
    ("attrd_updater -n a -U 1 -N nodeX", 105, "no node nodeX is known"),
    ("crm_node --name-for-id=99", 105, "Node 99 is not known"),
    ("crmadmin -S nodeX", 102, "crmadmin -N lists the nodes"),
    ("stonith_admin -F nodeX", 105, "no device can fence it"),
    ("pcs node standby nodeX", 1, "Node 'nodeX' does not appear to exist"),
    ("pcs stonith fence nodeX", 1, "unable to fence 'nodeX'"),
    ("systole why A nodeX", 105, "there are node1"),
    ("systole fence test nodeX", 105, "did you mean 'node1'?"),
    // attributes, tickets, rules
    ("crm_attribute -n nosuch -G", 105, "there is no attribute 'nosuch' in crm_config"),
    ("crm_attribute -n nosuch -G -N node1", 105, "there is no attribute 'nosuch' of node1 in nodes"),
    ("attrd_updater -n nosuch -Q", 78, "attribute does not exist"),
    ("crm_ticket -t nosuch -G granted", 105, "No such ticket 'nosuch'"),
    ("crm_rule -c -r nosuch", 105, "Rule not found"),
    ("cibadmin -Q --xpath '//nothing'", 105, "nothing in the CIB matches"),
];

fn prepared() -> Host {
    let host = Host::start(CONFIGURATION);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_systole"), host.tools.path("links/systole")).unwrap();
    host
}

/// What is wrong with an answer.
fn judge(line: &str, code: i32, text: &str, found: &Answer) -> Option<String> {
    let is_right = found.code == code && found.err.contains(text) && !found.err.contains("panicked");
    (!is_right).then(|| {
        format!("$ {line}\n{}{}= {}\nexpected {code} and {text:?}", found.out, found.err, found.code)
    })
}

#[test]
fn every_tool_names_an_option_that_there_is_not_and_how_to_get_help() {
    let host = prepared();
    let mut wrong = Vec::new();
    for (tool, _) in TOOLS {
        let line = format!("{tool} --no-such-option");
        let found = host.run(&line);
        wrong.extend(judge(&line, 64, "Unknown option --no-such-option", &found));
        wrong.extend(judge(&line, 64, "--help' lists the options", &found));
        let help = host.run(&format!("{tool} --help"));
        if help.code != 0 || !help.out.contains("Examples") {
            wrong.push(format!("{tool} --help ends with {} and says:\n{}{}", help.code, help.out, help.err));
        }
    }
    none_wrong(wrong);
}

#[test]
fn every_tool_says_that_the_cluster_does_not_run_and_how_to_start_it() {
    let host = prepared();
    let mut wrong = Vec::new();
    let with_words = TOOLS.iter().filter_map(|(tool, words)| Some((*tool, (*words)?, 102)));
    let others = [
        ("pcs", "status", 1),
        ("systole", "status", 102),
        ("systole", "why A", 102),
        ("systole", "events", 102),
    ];
    for (tool, words, code) in with_words.chain(others) {
        let line = format!("SYSTOLE_SOCKET=nowhere.sock {tool} {words}");
        wrong.extend(judge(&line, code, "start it with `systemctl start systole`", &host.run(&line)));
    }
    none_wrong(wrong);
}

#[test]
fn every_tool_says_who_may_use_the_cluster() {
    if !rustix::process::getuid().is_root() {
        println!("not root: nobody else to be");
        return;
    }
    let host = prepared();
    // as for an installed node: anybody may knock
    for folder in ["", "node", "links"] {
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(host.tools.path(folder), open).unwrap();
    }
    // a program that others may run, wherever this one was built
    std::fs::copy(env!("CARGO_BIN_EXE_systole"), host.tools.path("systole")).unwrap();
    let mut wrong = Vec::new();
    for (tool, words) in TOOLS.iter().filter_map(|(tool, words)| Some((*tool, (*words)?))) {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(host.tools.path("systole"))
            .arg(tool)
            .args(words.split(' '))
            .env("SYSTOLE_SOCKET", host.socket())
            .env("CIB_shadow_dir", host.tools.path("node"));
        wrong.extend(judge(tool, 4, "usermod -aG haclient USER", &answer(command)));
    }
    none_wrong(wrong);
}

/// Spellings that the field has used: none is unknown. An option that there is not ends each line.
const OLD_SPELLINGS: &[&str] = &[
    "cibadmin -?",
    "crm_mon -?",
    "crm_shadow -?",
    "crm_mon -1 --as-html=page.html",
    "crm_resource --clear -e",
    "stonith_admin --html-cgi --html-stylesheet=a --html-title=b",
];

#[test]
fn old_spellings_of_options_are_known() {
    let host = prepared();
    let found = OLD_SPELLINGS.iter().filter_map(|line| {
        let line = format!("{line} --no-such-option");
        judge(&line, 64, "Unknown option --no-such-option", &host.run(&line))
    });
    none_wrong(found.collect());
    let page = host.run("crm_mon --as-html=page.html; cat page.html");
    assert!(page.code == 0 && page.out.contains("<html"), "{page:?}");
    assert_eq!(host.run("crm_simulate -L --set-datetime 2026-01-01").code, 0);
}

#[test]
fn what_is_not_there_or_no_value_is_told() {
    let host = prepared();
    let found = MISTAKES.iter().filter_map(|(line, code, text)| judge(line, *code, text, &host.run(line)));
    none_wrong(found.collect());
}
