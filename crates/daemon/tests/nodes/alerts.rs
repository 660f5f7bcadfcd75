//! Alert agents as programs: what they are told, as whom, and that the daemon's end waits for them.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Writes what it is told where its recipient says; `slow` makes it take its time before that.
const AGENT: &str = r#"#!/bin/sh
[ "$CRM_alert_kind $CRM_alert_task" = "resource stop" ] && sleep "$slow"
echo "$CRM_alert_kind $CRM_alert_node $CRM_alert_rsc $CRM_alert_task $CRM_alert_rc $CRM_alert_desc|$(id -u)|$CRM_alert_timestamp" >> "$CRM_alert_recipient"
"#;

pub fn alert_agents_are_told_and_waited_for() {
    let mut cluster = Cluster::new(1);
    let directory = cluster.directory.path().to_owned();
    // it runs as another user
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (agent, told) = (directory.join("alert.sh"), directory.join("told"));
    std::fs::write(&agent, AGENT).unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    cluster.settle(&[1]);
    let mut client = cluster.client(1);
    without_fencing(&mut client);
    let alerts = format!(
        r#"<alerts><alert id="a" path="{}"><meta_attributes id="m">
           <nvpair id="m-f" name="timestamp-format" value="%Y.%3N"/></meta_attributes>
           <instance_attributes id="i"><nvpair id="i-s" name="slow" value="1"/></instance_attributes>
           <recipient id="r" value="{}"/></alert></alerts>"#,
        agent.display(),
        told.display()
    );
    change(&mut client, CibOperation::Create, "configuration", &alerts);
    change(&mut client, CibOperation::Create, "resources", &dummy("D", ""));
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let expected = match rustix::process::geteuid().as_raw() {
        0 => passwd.lines().find_map(|line| line.strip_prefix("hacluster:")?.split(':').nth(1)),
        _ => None,
    };
    if rustix::process::geteuid().is_root() && expected.is_none() {
        wait("the alert to be refused, for want of its user", || {
            let log = std::fs::read_to_string(cluster.state(1).join("daemon.log")).unwrap_or_default();
            log.contains("no user hacluster").then_some(())
        });
        return;
    }
    let line = |task: &str| {
        let text = std::fs::read_to_string(&told).unwrap_or_default();
        text.lines().find(|line| line.contains(task)).map(str::to_owned)
    };
    let start = wait("the alert of D's start", || line("D start"));
    let parts: Vec<&str> = start.split('|').collect();
    assert_eq!(parts[0], "resource node1 D start 0 ok");
    assert!(expected.is_none_or(|uid| uid == parts[1]), "{start}");
    assert!(parts[2].starts_with("20") && parts[2].len() == "2026.000".len(), "{start}");
    client.operate(&Operation::Shutdown { now: false }).unwrap();
    assert_eq!(end(cluster.daemons[0].as_mut().unwrap()), Some(0));
    assert!(line("D stop").is_some(), "{:?}", std::fs::read_to_string(&told));
}
