//! The tools as resource agents call them: every form that agents are known to use, and what they read in the answers.

use crate::host::{Answer, Host, none_wrong, read, wait};

const CONFIGURATION: &str = r#"<configuration>
  <crm_config><cluster_property_set id="o"><nvpair id="f" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
  <nodes/>
  <resources>
    <clone id="dbs">
      <meta_attributes id="dm"><nvpair id="dp" name="promotable" value="true"/></meta_attributes>
      <primitive id="db" class="ocf" provider="pacemaker" type="Stateful"/>
    </clone>
    <primitive id="vm" class="ocf" provider="pacemaker" type="Dummy">
      <utilization id="vu"><nvpair id="vc" name="cpu" value="2"/></utilization>
    </primitive>
  </resources>
  <constraints/>
</configuration>"#;

/// Command line, exit code and standard output, in order, run by the agent of a resource `sql` on node1.
const LINES: &[(&str, i32, &str)] = &[
    // transient attributes
    ("crm_attribute -N node1 -l reboot -n x -v 1", 0, ""),
    ("crm_attribute -N node1 -l reboot --name x --update 2", 0, ""),
    ("crm_attribute -N node1 -l reboot -n x -G -q", 0, "2\n"),
    ("crm_attribute -N node1 -l reboot -n x --query -q", 0, "2\n"),
    ("crm_attribute -N node1 -l reboot -n x --query --quiet", 0, "2\n"),
    ("crm_attribute -N node1 -l reboot -n x --quiet", 0, "2\n"),
    ("crm_attribute -N node1 -l reboot -n x --query", 0, "scope=status name=x value=2\n"),
    ("crm_attribute -N node1 -l reboot -n x --query | awk '{print $3}' | awk -F= '{print $2}'", 0, "2\n"),
    ("crm_attribute -l reboot -n x -G -q", 0, "2\n"),
    ("crm_attribute -N node1 -l reboot -n none -G -q", 105, ""),
    ("crm_attribute -N node1 -l reboot -n none --query --default ''  -q", 0, "\n"),
    ("crm_attribute -N node1 -l reboot -n x -D", 0, ""),
    ("crm_attribute -N node1 -l reboot -n x --delete", 0, ""),
    ("crm_attribute -N node1 -l reboot -n x -G -q", 105, ""),
    ("crm_attribute -t status -N node1 -n w -v 5", 0, ""),
    ("crm_attribute -t status -N node1 -n w -G -q", 0, "5\n"),
    // permanent ones, of nodes and of the cluster
    ("crm_attribute -N node1 -l forever -n y -v 3", 0, ""),
    ("crm_attribute -N node1 -l forever -n y --query", 0, "scope=nodes name=y value=3\n"),
    ("crm_attribute -l forever -n y -G -q", 0, "3\n"),
    ("crm_attribute --type nodes --node node1 -n y -G -q", 0, "3\n"),
    ("crm_attribute -t nodes --node node1 -z -n cpu -v 4", 0, ""),
    ("crm_attribute -t nodes --node node1 -z -n cpu -G -q", 0, "4\n"),
    ("crm_attribute -t nodes --node node1 -n cpu -G -q", 105, ""),
    ("crm_attribute --type crm_config --name R -s mysql_replication -v 'a|b'", 0, ""),
    ("crm_attribute --type crm_config --name R -s mysql_replication --query -q", 0, "a|b\n"),
    ("cibadmin -Q --xpath \"//cluster_property_set[@id='mysql_replication']/nvpair\" | wc -l", 0, "1\n"),
    ("crm_attribute --name standalone_node -v node1", 0, ""),
    ("crm_attribute --name standalone_node -G -q", 0, "node1\n"),
    // promotion scores
    ("crm_attribute -psql -N node1 -v 10", 0, ""),
    ("crm_attribute --promotion -G -q", 0, "10\n"),
    ("crm_attribute -N node1 -l reboot -n master-sql -G -q", 0, "10\n"),
    ("crm_attribute --promotion -v 20 && crm_attribute -p -G -q -N node1", 0, "20\n"),
    ("crm_attribute -p -D && crm_attribute -p -G -q", 105, ""),
    ("crm_master -l reboot -v 15 && crm_master -G --quiet -l reboot", 0, "15\n"),
    ("crm_master -Q -l reboot -v 16 && crm_master -q -l reboot", 0, "16\n"),
    ("crm_master -l reboot -D && crm_master -G -q -l reboot", 105, ""),
    // the attribute manager
    ("attrd_updater -n a -v 1", 0, ""),
    ("attrd_updater -n a -U 2 -d 0 -q", 0, ""),
    ("attrd_updater -Q -n a", 0, "name=\"a\" host=\"node1\" value=\"2\"\n"),
    ("eval $(attrd_updater --query -n a -N node1) && echo $value", 0, "2\n"),
    ("attrd_updater -n a -B 3 -d 1s && attrd_updater -Q -n a", 0, "name=\"a\" host=\"node1\" value=\"3\"\n"),
    ("attrd_updater -D -n a -N node1 && attrd_updater -D -n a", 0, ""),
    ("attrd_updater -Q -n a -N node1 || echo absent", 0, "absent\n"),
    (
        "attrd_updater -p -n secret -U 1 && attrd_updater -p -n secret -Q",
        0,
        "name=\"secret\" host=\"node1\" value=\"1\"\n",
    ),
    ("cibadmin -Q --xpath \"//nvpair[@name='secret']\"", 105, ""),
    ("attrd_updater -S status -n s -v 1 && crm_attribute -l reboot -n s -G -q", 0, "1\n"),
    // nodes
    ("crm_node -n && crm_node --name", 0, "node1\nnode1\n"),
    ("crm_node -l && crm_node --list", 0, "1 node1 member\n1 node1 member\n"),
    ("crm_node -l -p | wc -w", 0, "1\n"),
    ("crm_node -q && crm_node -i", 0, "1\n1\n"),
    // resources
    ("crm_resource -Q -r vm -z -g cpu", 0, "2\n"),
    ("crm_resource -r vm -z -p cpu -v 4 >/dev/null && crm_resource -Q -r vm -z -g cpu", 0, "4\n"),
    ("crm_resource --resource=vm --utilization --delete-parameter=cpu >/dev/null", 0, ""),
    ("crm_resource -Q -r vm -z -g cpu", 0, ""),
    ("crm_resource -B -r vm -N node1 -Q && crm_resource --clear -r vm -Q && crm_resource --wait", 0, ""),
    (
        "crm_resource -F -r vm --node node1 && crm_resource --wait && crm_failcount -r vm -N node1 -G -q",
        0,
        "1\n",
    ),
    (
        "crm_simulate -LS | sed -n '/^Transition Summary:/,/^Executing [Cc]luster [Tt]ransition:/p' | wc -l",
        0,
        "3\n",
    ),
    // the CIB
    (
        "cibadmin -Q --xpath \"//nvpair[@name='w']\"",
        0,
        "<nvpair id=\"status-1-w\" name=\"w\" value=\"5\"/>\n",
    ),
    ("cibadmin -Q --xpath \"//nvpair[@name='none']\"", 105, ""),
    ("cibadmin -Q | CIB_file=/dev/stdin crm_mon -1 | grep -c 'Online: . node1 .'", 0, "1\n"),
    // what the shell library calls the same as before
    ("PATH=/usr/bin:/bin; \"$TOOLS\"/crm_node -n", 0, "node1\n"),
];

fn agent(host: &Host, line: &str) -> Answer {
    let mut command = host.tools.command(line);
    command.env("OCF_RESOURCE_INSTANCE", "sql").env("TOOLS", host.tools.path("links"));
    crate::host::answer(command)
}

#[test]
fn rule_4_14_1_the_forms_that_agents_use() {
    let host = Host::start(CONFIGURATION);
    let wrong = LINES.iter().filter_map(|(line, code, out)| {
        let found = agent(&host, line);
        let is_right = found.code == *code && found.out == *out;
        (!is_right).then(|| format!("$ {line}\n{found:?}\nexpected {code} {out:?}"))
    });
    none_wrong(wrong.collect());
    // some look at the words of the error
    let error = agent(&host, "crm_attribute -N node1 -l reboot -n none -G -q").err.to_lowercase();
    assert!(error.contains("no such device or address"), "{error}");
    let operations = agent(&host, "crm_resource --list-operations -N node1").out;
    let last_words: Vec<&str> =
        operations.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert!(!last_words.is_empty() && last_words.iter().all(|word| *word == "complete"), "{operations}");
}

#[test]
fn rule_4_14_1_a_page_is_kept_up_to_date_for_who_asks_as_of_old() {
    let host = Host::start(CONFIGURATION);
    for (number, ending) in ["-h page1.html", "--output-as=html --output-to=page2.html"].iter().enumerate() {
        let pid_file = format!("mon{number}.pid");
        let started = host.run(&format!("crm_mon -p {pid_file} -d -i 1 -n -r {ending}"));
        assert_eq!((started.code, &*started.out), (0, ""), "{started:?}");
        let pid: u32 = read(&host.tools.path(&pid_file)).trim().parse().unwrap();
        let page = host.tools.path(&format!("page{}.html", number + 1));
        let text =
            wait("the page", || std::fs::read_to_string(&page).ok().filter(|text| text.contains("</html>")));
        ::agents::process::kill(pid, false);
        assert!(text.contains("node1"), "{text}");
    }
    let help = host.run("crm_mon -h");
    assert!(help.code == 0 && help.out.contains("Usage:"), "{help:?}");
}

#[test]
fn rule_4_14_2_patterns_that_agents_look_for_in_the_status() {
    let host = Host::start(CONFIGURATION);
    let promoted = wait("a promoted instance", || {
        let text = host.run("crm_mon -1 --output-as=xml").out;
        text.contains("role=\"Promoted\"").then_some(text)
    });
    let lines = |words: &[&str]| {
        let matches = |line: &&str| {
            let mut rest = *line;
            words.iter().all(|word| {
                let found = rest.find(word);
                rest = found.map_or("", |at| &rest[at + word.len()..]);
                found.is_some()
            })
        };
        promoted.lines().filter(matches).count()
    };
    // each element on a line of its own, with its attributes in this order
    let resource = [
        "<resource id=\"db\"",
        " role=\"Promoted\"",
        " active=\"true\"",
        " orphaned=\"false\"",
        " failed=\"false\"",
    ];
    assert_eq!(lines(&resource), 1, "{promoted}");
    assert_eq!(
        lines(&["<node name=\"node1\"", " online=\"true\"", " unclean=\"false\"", " type=\"member\""]),
        1
    );
    assert_eq!(lines(&["<node name=\"node1\"", " online=\"true\"", " standby=\"false\""]), 1);
    let options = host.run("crm_mon --output-as=xml --exclude=all --include=options").out;
    let summary: Vec<&str> = options.lines().map(str::trim).filter(|line| line.starts_with("<c")).collect();
    assert!(summary.len() == 1 && summary[0].starts_with("<cluster_options "), "{options}");
    assert!(!options.contains("<stack") && !options.contains("configured"), "{options}");
}

#[test]
fn rule_4_13_2_the_shell_library_takes_this_for_a_cluster() {
    let host = Host::start(CONFIGURATION);
    let version = host.run("pacemakerd '-$'").out;
    let words: Vec<&str> = version.lines().next().unwrap_or_default().split_whitespace().collect();
    let number: Vec<u32> = words[1].split('.').map(|part| part.parse().unwrap()).collect();
    assert!(words[0] == "Pacemaker" && number > vec![1, 1, 8], "{version}");
    // so it asks the cluster for the name of the node, and not the host
    let library = std::path::Path::new("/usr/lib/ocf/lib/heartbeat/ocf-shellfuncs");
    if library.exists() {
        let line = "HA_SBIN_DIR=$TOOLS OCF_ROOT=/usr/lib/ocf; . /usr/lib/ocf/lib/heartbeat/ocf-shellfuncs; ocf_local_nodename";
        assert_eq!(agent(&host, line).out, "node1\n");
    }
}
