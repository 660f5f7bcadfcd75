//! Resource agents that hang, flood, fork and end in strange ways: each is handled and shown, and holds up
//! nothing else.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A resource agent whose parameter `mode` says what its start does.
const AGENT: &str = r#"#!/bin/sh
here=$(dirname "$0")/../../../..
mode=$OCF_RESKEY_mode
state=$HA_RSCTMP/odd-$OCF_RESOURCE_INSTANCE
held() { while [ -d "$here" ] && ! [ -e "$here/release" ]; do sleep 0.05; done; }
case "$1" in
    meta-data)
        # the agent `mute` says nothing of itself before it is let go
        case "$0" in *mute) held ;; esac
        echo '<resource-agent name="odd"><version>1.0</version><parameters><parameter name="mode"/></parameters><actions><action name="start"/><action name="stop"/><action name="monitor"/></actions></resource-agent>'
        exit 0 ;;
    monitor) if [ -e "$state" ]; then exit 0; else exit 7; fi ;;
    stop) rm -f "$state"; exit 0 ;;
    start) ;;
    *) exit 3 ;;
esac
case "$mode" in
    hang)
        trap '' TERM INT HUP
        sh -c 'trap "" TERM INT HUP; echo $$ > "$0"; while :; do sleep 600; done' "$here/grandchild" &
        while :; do sleep 600; done ;;
    held) held ;;
    flood)
        echo 'ocf-exit-reason:too much to say' >&2
        # bytes that are no characters: the worst case for whoever makes text of them
        head -c 120000000 /dev/zero | tr '\0' '\377' >&2
        head -c 120000000 /dev/zero | tr '\0' '\377'
        exit 1 ;;
    fork) setsid sh -c 'echo $$ > "$0"; exec sleep 600' "$here/background" & ;;
    code) exit 77 ;;
    signal) kill -SEGV $$ ;;
esac
: > "$state"
"#;

/// Most memory that a daemon may ever have used, in KiB: an agent's output is bounded, not what it writes.
const MOST_MEMORY: u64 = 160 << 10;

fn install(cluster: &Cluster) {
    let directory = cluster.directory.path().join("agents/ocf/resource.d/test");
    std::fs::create_dir_all(&directory).unwrap();
    for name in ["odd", "mute"] {
        let path = directory.join(name);
        std::fs::write(&path, AGENT).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn odd(agent: &str, mode: &str, timeout: &str) -> String {
    format!(
        r#"<primitive id="{mode}" class="ocf" provider="test" type="{agent}">
           <instance_attributes id="{mode}-i"><nvpair id="{mode}-m" name="mode" value="{mode}"/></instance_attributes>
           <operations><op id="{mode}-start" name="start" interval="0s" timeout="{timeout}"/></operations></primitive>"#
    )
}

/// Attributes of the last run of an operation on node1, if it is in the history.
fn history(client: &mut Client, operation: &str) -> Option<[String; 3]> {
    let xpath = format!("//lrm_rsc_op[@id='{operation}' and @op-status!='-1']");
    let text = client.cib(&CibQuery { xpath: Some(xpath), ..CibQuery::default() }).ok()?;
    let document = xml::Document::parse(&text).unwrap();
    let entry = document.root_element().descendants().find(|one| one.name() == "lrm_rsc_op")?;
    let value = |name: &str| entry.attr(name).unwrap_or_default().to_owned();
    Some([value("op-status"), value("rc-code"), value("exit-reason")])
}

fn number_in(path: &Path) -> u32 {
    wait("a process to write down its number", || std::fs::read_to_string(path).ok()?.trim().parse().ok())
}

/// Neither there nor waiting to be collected by its parent.
fn is_gone(pid: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rfind(')').is_none_or(|end| text[end..].starts_with(") Z"))
}

fn peak_memory(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

pub fn agents_that_misbehave_are_handled_and_shown() {
    let cluster = Cluster::new(1);
    install(&cluster);
    cluster.settle(&[1]);
    let mut client = cluster.client(1);
    without_fencing(&mut client);
    // what fails at its start has no second node to go to
    let resources: String = [
        odd("odd", "held", "300s"),
        odd("mute", "silent", "300s"),
        odd("odd", "hang", "1s"),
        odd("odd", "flood", "300s"),
        odd("odd", "fork", "300s"),
        odd("odd", "code", "300s"),
        odd("odd", "signal", "300s"),
        dummy("D", ""),
    ]
    .concat();
    change(&mut client, CibOperation::Replace, "resources", &format!("<resources>{resources}</resources>"));

    let grandchild = number_in(&cluster.directory.path().join("grandchild"));
    let background = number_in(&cluster.directory.path().join("background"));
    // one agent is inside its start and another one inside its metadata all the while: nothing waits for them
    for (operation, expected) in [
        ("hang_last_failure_0", ["2", "1", "Resource agent did not complete within 1s"]),
        ("flood_last_failure_0", ["0", "1", "too much to say"]),
        ("code_last_failure_0", ["0", "1", "Resource agent ended with exit code 77, which has no meaning"]),
        ("signal_last_failure_0", ["4", "1", "Resource agent interrupted by Segmentation fault signal"]),
        ("fork_last_0", ["0", "0", ""]),
        ("D_monitor_10000", ["0", "0", ""]),
    ] {
        let found = wait(operation, || history(&mut client, operation));
        assert_eq!(found, expected, "{operation}");
    }
    assert!(!cluster.state(1).join("scratch/odd-held").exists(), "the start that is held has ended");
    wait("the grandchild that ignores signals to end with its group", || is_gone(grandchild).then_some(()));
    // what left the agent's group is the service's own affair
    assert!(!is_gone(background), "a service's background process was killed");
    let peak = peak_memory(cluster.pid(1));
    assert!(peak < MOST_MEMORY, "the daemon has used {peak} KiB");
    let log = std::fs::read_to_string(cluster.state(1).join("daemon.log")).unwrap();
    assert!(log.len() < 4 << 20, "the flood went into the log: {} bytes", log.len());
    assert!(log.contains("bytes more"), "the log does not say that it shows only a part");

    std::fs::write(cluster.directory.path().join("release"), "").unwrap();
    for operation in ["held_last_0", "silent_last_0"] {
        let found = wait(operation, || history(&mut client, operation).filter(|found| found[1] == "0"));
        assert_eq!(found, ["0", "0", ""], "{operation}");
    }
    agents::process::kill(background, false);
}
