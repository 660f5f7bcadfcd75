//! Fencing with agents that are programs: what works, hangs, fails and lies, and no device at all.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A fence agent whose parameter `mode` says how it behaves; `work` kills the daemon of the node.
const AGENT: &str = r#"#!/bin/sh
mode=work
while IFS= read -r line; do
    value=${line#*=}
    case "$line" in
        action=*) action=$value ;;
        plug=*) host=$value ;;
        mode=*) mode=$value ;;
        dir=*) dir=$value ;;
    esac
done
case "$action" in
    metadata) cat <<END
<resource-agent name="fence_fake"><parameters><parameter name="plug"/><parameter name="mode"/><parameter name="dir"/></parameters>
<actions><action name="on"/><action name="off"/><action name="list"/><action name="monitor"/><action name="metadata"/></actions>
</resource-agent>
END
    ;;
    list) echo node1; echo node2; echo node3 ;;
    off) case "$mode" in
        work) kill -9 "$(cat "$dir/$host/daemon.pid")" ;;
        hang) sleep 600 ;;
        fail) echo "Connection refused" >&2; exit 1 ;;
        esac ;;
esac
exit 0
"#;

fn install_agent(cluster: &Cluster) {
    let directory = cluster.directory.path().join("agents/sbin");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("fence_fake");
    std::fs::write(&path, AGENT).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn device(cluster: &Cluster, mode: &str, more: &str) -> String {
    let directory = cluster.directory.path().display();
    format!(
        r#"<primitive id="{mode}" class="stonith" type="fence_fake"><instance_attributes id="{mode}-p">
           <nvpair id="{mode}-m" name="mode" value="{mode}"/><nvpair id="{mode}-d" name="dir" value="{directory}"/>
           {more}</instance_attributes></primitive>"#
    )
}

fn level(id: &str, target: &str, index: u8, device: &str) -> String {
    format!(r#"<fencing-level id="{id}" target="{target}" index="{index}" devices="{device}"/>"#)
}

fn last_fencing(cluster: &Cluster, of: &str) -> Option<view::api::Fencing> {
    let all = cluster.status(1)?.fencing;
    all.into_iter().rev().find(|one| one.target == of && one.state != "pending")
}

fn off(node: &str) -> Operation {
    Operation::Fence {
        node: node.into(),
        action: "off".into(),
        timeout_ms: Some(20_000),
        delay_ms: Some(0),
        tolerance_s: 0,
        client: "test".into(),
    }
}

pub fn fence_devices_that_hang_fail_and_lie() {
    let mut cluster = Cluster::new(3);
    install_agent(&cluster);
    cluster.settle(&[1, 2, 3]);
    let mut client = cluster.client(1);
    let short = r#"<nvpair id="hang-t" name="pcmk_off_timeout" value="1s"/>"#;
    let devices: String = [("hang", short), ("fail", ""), ("lie", ""), ("work", "")]
        .iter()
        .map(|(mode, more)| device(&cluster, mode, more))
        .collect();
    let levels: String = [
        level("l1", "node3", 1, "hang"),
        level("l2", "node3", 2, "fail"),
        level("l3", "node3", 3, "work"),
        level("l4", "node2", 1, "lie"),
    ]
    .concat();
    change(&mut client, CibOperation::Modify, "resources", &format!("<resources>{devices}</resources>"));
    change(
        &mut client,
        CibOperation::Modify,
        "fencing-topology",
        &format!("<fencing-topology>{levels}</fencing-topology>"),
    );
    client.operate(&Operation::WaitSettled).unwrap();
    // what hangs and what fails is passed over; a lost node is fenced by what works
    cluster.kill(3);
    let record =
        wait("node3 to be fenced", || last_fencing(&cluster, "node3").filter(|one| one.state == "done"));
    assert_eq!(record.devices, ["work"], "{record:?}");
    // what lies is named by the node that should be dead
    client.set_timeout(PATIENT);
    client.operate(&off("node2")).unwrap();
    assert_eq!(end(cluster.daemons[1].as_mut().unwrap()), Some(100));
    cluster.daemons[1] = None;
    let record = wait("the lie to be told", || last_fencing(&cluster, "node2").filter(|one| one.survived));
    assert_eq!(record.devices, ["lie"], "{record:?}");
}

/// Rule 4.50.3: the join round waits for minutes for a manager that hangs; fencing does not wait for the round.
pub fn a_manager_that_hangs_is_fenced_during_the_join_round() {
    let mut cluster = Cluster::new(3);
    install_agent(&cluster);
    cluster.settle(&[1, 2, 3]);
    // who carries the bus must stay, or the one that hangs would lose it
    let carries = |id: &usize| {
        let log = std::fs::read_to_string(cluster.state(*id).join("daemon.log")).unwrap_or_default();
        log.contains("this node carries the bus now")
    };
    let carrier = (1..=3).find(carries).unwrap();
    let (hung, killed) = (carrier % 3 + 1, (carrier + 1) % 3 + 1);
    let mut client = cluster.client(carrier);
    let devices = format!("<resources>{}</resources>", device(&cluster, "work", ""));
    change(&mut client, CibOperation::Modify, "resources", &devices);
    client.operate(&Operation::WaitSettled).unwrap();
    let process = cluster.daemons[hung - 1].as_ref().unwrap().id();
    let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
    cluster.kill(killed);
    let dc = |cluster: &Cluster| cluster.status(carrier).map(|status| status.dc);
    wait("the coordinator to be gone", || dc(&cluster).filter(Option::is_none));
    // less than the round would wait for it
    client.set_timeout(PATIENT);
    client.operate(&off(&format!("node{hung}"))).unwrap();
    wait("the end of what hung", || cluster.daemons[hung - 1].as_mut().unwrap().try_wait().unwrap());
    cluster.daemons[hung - 1] = None;
    wait("a coordinator", || dc(&cluster).flatten());
    let fencing = cluster.status(carrier).unwrap().fencing;
    let record = fencing.iter().find(|one| one.target == format!("node{hung}")).unwrap();
    assert_eq!((record.state.as_str(), record.devices.as_slice()), ("done", &["work".to_owned()][..]));
}

pub fn a_node_that_lost_quorum_starves_its_watchdog() {
    let cluster = Cluster::with_watchdog(3, Some(2));
    cluster.settle(&[1, 2, 3]);
    let mut client = cluster.client(1);
    let option = r#"<crm_config><cluster_property_set id="cib-bootstrap-options">
        <nvpair id="w" name="stonith-watchdog-timeout" value="4s"/></cluster_property_set></crm_config>"#;
    change(&mut client, CibOperation::Modify, "crm_config", option);
    let resources = format!("<resources>{}</resources>", dummy("d", ""));
    change(&mut client, CibOperation::Modify, "resources", &resources);
    client.operate(&Operation::WaitSettled).unwrap();
    let fed = |id: usize| std::fs::read_to_string(cluster.state(id).join("watchdog")).unwrap_or_default();
    let before = fed(3);
    wait("the watchdog of node3 to be fed", || (fed(3) != before).then_some(()));
    messaging::embedded::cut(&cluster.directory.path().join("bus"), "node3").unwrap();
    // longer than any pause between feedings: it stands still for good
    wait("the watchdog of node3 to starve", || {
        let before = fed(3);
        std::thread::sleep(Duration::from_secs(2));
        (fed(3) == before).then_some(())
    });
    let record = wait("node3 to be taken for dead", || last_fencing(&cluster, "node3"));
    assert_eq!((record.state.as_str(), record.devices.as_slice()), ("done", &["watchdog".to_owned()][..]));
    let before = fed(1);
    wait("the watchdog of node1 to be fed on", || (fed(1) != before).then_some(()));
}
