//! `stonith_admin` with devices and levels that are registered with the node alone (rules 4.50.2, 5a.13).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::host::{Host, none_wrong};

const CONFIGURATION: &str = r#"<configuration>
  <crm_config/><nodes><node id="1" uname="node1"/></nodes>
  <resources>
    <primitive id="ours" class="stonith" type="fence_none">
      <instance_attributes id="ours-p"><nvpair id="ours-h" name="pcmk_host_list" value="node2"/></instance_attributes>
    </primitive>
  </resources>
  <constraints/>
</configuration>"#;

/// Command line, exit code, all of standard output, and a part of standard error.
const LINES: &[(&str, i32, &str, &str)] = &[
    ("-L", 0, "ours\n1 fence device found\n", ""),
    ("-R extra -a fence_none -o pcmk_host_list=node2,node3 -o passwd=x", 0, "", ""),
    ("-R ours -a fence_other -o pcmk_host_list=node4", 0, "", ""),
    ("-L", 0, "ours\nextra\n2 fence devices found\n", ""),
    ("-l node2", 0, "extra\n1 fence device found\n", ""),
    ("-s extra", 0, "node2\nnode3\n2 fence targets found\n", ""),
    ("-r node2 -i 1 -v extra -v ours", 0, "", ""),
    ("-r @^node -i 2 -v extra", 0, "", ""),
    ("-r rack=1 -i 3 -v extra", 0, "", ""),
    ("-d node2 -i 1", 0, "", ""),
    ("-d @^node", 0, "", ""),
    ("-d nobody -i 1", 0, "", ""),
    ("-D ours", 0, "", ""),
    ("-l node2", 0, "ours\nextra\n2 fence devices found\n", ""),
    ("-D extra", 0, "", ""),
    ("-D extra", 0, "", ""),
    ("-D ours", 0, "", ""),
    ("-L", 0, "ours\n1 fence device found\n", ""),
    // refused
    ("-R extra", 64, "", "--register needs an agent"),
    ("-R extra -a fence_none -o passwd", 64, "", "-o passwd"),
    ("-R watchdog -a fence_none", 105, "", "Can't register device watchdog using agent fence_none: "),
    ("-r node2 -i 1", 64, "", "one or more --device"),
    ("-r node2 -v ours", 70, "", "Can't register topology level 0 for node2: "),
    ("-r node2 -i 10 -v ours", 70, "", "use --index with 1 to 9"),
    ("-r node2 -i x -v ours", 64, "", "'x' is no level (1 to 9)"),
    ("-r =1 -i 1 -v ours", 70, "", "use NAME, @PATTERN or ATTRIBUTE=VALUE"),
    ("-d node2 -i 12", 70, "", "Can't unregister topology level 12 for node2: "),
    ("-L", 0, "ours\n1 fence device found\n", ""),
];

#[test]
fn devices_and_levels_are_registered_and_forgotten() {
    let host = Host::start(CONFIGURATION);
    let before = host.cib();
    let wrong = LINES.iter().filter_map(|(words, code, out, err)| {
        let found = host.run(&format!("stonith_admin {words}"));
        let is_right = found.code == *code && found.out == *out && found.err.contains(err);
        (!is_right).then(|| format!("$ stonith_admin {words}\n{found:?}\nexpected {code} {out:?} {err:?}"))
    });
    none_wrong(wrong.collect());
    assert_eq!(host.cib(), before, "the CIB has nothing to do with it");
}

#[test]
fn who_knows_nodes_by_number_only_learns_when_one_was_fenced_and_has_it_fenced() {
    // nobody else fences it
    let disabled = "<crm_config><cluster_property_set id=\"o\">\
                    <nvpair id=\"f\" name=\"stonith-enabled\" value=\"false\"/></cluster_property_set></crm_config>";
    let two = CONFIGURATION
        .replace("<crm_config/>", disabled)
        .replace("</nodes>", "<node id=\"2\" uname=\"node2\"/></nodes>");
    let host = Host::start(&two);
    assert_eq!(host.run("stonith_admin --last 2 -n").out, "Node 2 has never been fenced\n");
    assert_eq!(host.run("stonith_admin --last two -n").code, 64);
    assert_eq!(host.run("stonith_admin --confirm node2").code, 0);
    let at: i64 = host.run("stonith_admin --last node2 -q").out.trim().parse().unwrap();
    assert_eq!(host.run("stonith_admin --last 2 -n -q").out.trim(), at.to_string());
    assert_eq!(host.run(&format!("dlm_stonith -n 2 -t {at}")).code, 0);
    assert_eq!(host.run(&format!("printf 'node=2\\nfail_time={}\\n' | dlm_stonith", at - 1)).code, 0);
    // it failed after that: it is to be fenced again, which nothing here can do
    let failed = host.run(&format!("dlm_stonith -n 2 -t {}", at + 3600));
    assert!(failed.code != 0 && failed.err.contains("fencing of node2 failed"), "{failed:?}");
}

#[test]
fn only_root_registers_and_sees_what_may_be_secret() {
    let host = Host::start(CONFIGURATION);
    assert_eq!(host.run("stonith_admin -R extra -a fence_none -o passwd=topsecret").code, 0);
    let refused = host.run("CIB_user=alice stonith_admin -R other -a fence_none");
    assert!(refused.code == 4 && refused.err.contains("by root only"), "{refused:?}");
    assert!(status_as(&host, "root").contains("topsecret"));
    let seen = status_as(&host, "alice");
    assert!(seen.contains("extra") && !seen.contains("topsecret"), "{seen}");
}

/// The node's status as the interface tells it to a user.
fn status_as(host: &Host, user: &str) -> String {
    let mut socket = UnixStream::connect(host.socket()).unwrap();
    let header = view::api::USER_HEADER;
    let request =
        format!("GET /v1/status HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{header}: {user}\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}
