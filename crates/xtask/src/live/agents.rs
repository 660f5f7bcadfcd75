//! Real agents that call the cluster's tools: promotion by `ocf:pacemaker:Stateful`, `Filesystem`, `portblock`,
//! and redis with a real failover of the master.

use std::io;
use std::path::Path;

use super::cluster::Cluster;
use crate::report::Report;

type Step = fn(&mut Cluster) -> io::Result<()>;

const STEPS: [(&str, Step); 4] = [
    ("Stateful: promoted where its agent says, and elsewhere when told", stateful),
    ("Filesystem: mounted and unmounted", filesystem),
    ("portblock: blocks and unblocks a port", portblock),
    ("redis: the master loses power, another takes over with the data", redis),
];

/// The redis that every host runs; its agent makes it a replica or the master.
const REDIS_CONFIGURATION: &str =
    "bind 0.0.0.0\\nprotected-mode no\\nport 6379\\ndir /var/lib/redis\\nlogfile /var/log/redis/redis.log\\n";

pub fn run(binary: &Path, report: &mut Report) {
    let mut cluster = match Cluster::start(binary, "agents") {
        Ok(cluster) => cluster,
        Err(error) => return report.fail(format!("live agents: {error}"), 1),
    };
    if let Err(error) = cluster.run("node1", "crm_attribute -n stonith-enabled -v false") {
        return report.fail(format!("live agents: {error}"), 1);
    }
    for (what, step) in STEPS {
        match step(&mut cluster) {
            Ok(()) => {
                println!("  ok: {what}");
                report.pass(1);
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                println!("  left out: {what}: {error}")
            }
            Err(error) => {
                println!("  FAILED: {what}: {error}");
                cluster.show_state();
                report.fail(format!("live: {what}: {error}"), 1);
            }
        }
    }
}

fn create(cluster: &Cluster, scope: &str, xml: &str) -> io::Result<()> {
    cluster.run("node1", &format!("cibadmin --create -o {scope} --xml-text \"{xml}\"")).map(drop)
}

fn remove(cluster: &Cluster, id: &str, kind: &str) -> io::Result<()> {
    cluster.run("node1", &format!("cibadmin --delete --xpath \"//{kind}[@id='{id}']\""))?;
    cluster.settle("node1")
}

fn promotable(id: &str, agent: &str, parameters: &str) -> String {
    format!(
        "<clone id='{id}s'><meta_attributes id='{id}-m'><nvpair id='{id}-p' name='promotable' value='true'/>\
         <nvpair id='{id}-n' name='notify' value='true'/></meta_attributes><primitive id='{id}' class='ocf' {agent}>\
         <instance_attributes id='{id}-i'>{parameters}</instance_attributes><operations>\
         <op id='{id}-o1' name='monitor' interval='3s' timeout='60s'/>\
         <op id='{id}-o2' name='monitor' interval='2s' role='Promoted' timeout='60s'/>\
         <op id='{id}-o3' name='start' interval='0' timeout='120s'/>\
         <op id='{id}-o4' name='promote' interval='0' timeout='120s'/></operations></primitive></clone>"
    )
}

fn stateful(cluster: &mut Cluster) -> io::Result<()> {
    create(cluster, "resources", &promotable("state", "provider='pacemaker' type='Stateful'", ""))?;
    cluster.until("node1", "crm_resource --locate -r states", "Promoted")?;
    // the agent has set its scores by itself: 10 where it is promoted, 5 elsewhere
    cluster.settle("node1")?;
    cluster.until("node1", "attrd_updater -Q -A -n master-state", "value=\"10\"")?;
    cluster.until("node1", "attrd_updater -Q -A -n master-state", "value=\"5\"")?;
    cluster.run("node1", "crm_attribute --promotion=state -N node3 -l reboot -v 1000")?;
    cluster.until("node1", "crm_resource --locate -r states", "node3 Promoted")?;
    remove(cluster, "states", "clone")
}

fn filesystem(cluster: &mut Cluster) -> io::Result<()> {
    for host in cluster.hosts.names() {
        cluster.run(&host, "mkdir -p /tmp/mounted")?;
    }
    let pair = |name: &str, value: &str| format!("<nvpair id='fs-{name}' name='{name}' value='{value}'/>");
    let parameters = [pair("device", "tmpfs"), pair("directory", "/tmp/mounted"), pair("fstype", "tmpfs")];
    let xml = format!(
        "<primitive id='fs' class='ocf' provider='heartbeat' type='Filesystem'><instance_attributes id='fs-i'>{}\
         </instance_attributes><operations><op id='fs-o' name='monitor' interval='5s' timeout='40s'/>\
         </operations></primitive>",
        parameters.concat()
    );
    create(cluster, "resources", &xml)?;
    create(cluster, "constraints", "<rsc_location id='fs-l' rsc='fs' node='node2' score='100'/>")?;
    cluster.until("node2", "grep /tmp/mounted /proc/mounts; true", "tmpfs /tmp/mounted")?;
    // unmounted behind the agent's back: its monitor sees it, the cluster mounts it again
    cluster.run("node2", "umount /tmp/mounted")?;
    cluster.until("node2", "grep /tmp/mounted /proc/mounts; true", "tmpfs /tmp/mounted")?;
    cluster.run("node1", "crm_resource -r fs --ban -N node2 && crm_resource --wait --timeout=90s")?;
    cluster.refuses("node2", "grep /tmp/mounted /proc/mounts", "")?;
    cluster.run("node1", "crm_resource -r fs --clear")?;
    cluster.run("node1", "cibadmin --delete --xpath \"//rsc_location[@id='fs-l']\"")?;
    remove(cluster, "fs", "primitive")
}

/// The agent looks for the protocol by name; some versions of iptables print its number.
fn recognises_rules(cluster: &Cluster) -> bool {
    let trial = "iptables -w -I INPUT -p tcp --dport 9 -j DROP && iptables -w -nL INPUT | grep '^DROP.*tcp.*:9\\|dports 9'";
    let recognised =
        cluster.run("node3", trial).is_ok_and(|text| text.split_whitespace().nth(1) == Some("tcp"));
    let _ = cluster.run("node3", "iptables -w -D INPUT -p tcp --dport 9 -j DROP");
    recognised
}

fn portblock(cluster: &mut Cluster) -> io::Result<()> {
    if !recognises_rules(cluster) {
        let why = "its agent does not recognise its own rules in what iptables prints here";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let pair = |name: &str, value: &str| format!("<nvpair id='pb-{name}' name='{name}' value='{value}'/>");
    let parameters = [pair("protocol", "tcp"), pair("portno", "5432"), pair("action", "block")];
    let xml = format!(
        "<primitive id='pb' class='ocf' provider='heartbeat' type='portblock'><instance_attributes id='pb-i'>{}\
         </instance_attributes></primitive>",
        parameters.concat()
    );
    create(cluster, "resources", &xml)?;
    create(cluster, "constraints", "<rsc_location id='pb-l' rsc='pb' node='node2' score='INFINITY'/>")?;
    cluster.until("node2", "iptables -w -nL INPUT", "5432")?;
    cluster.run("node1", "cibadmin --delete --xpath \"//rsc_location[@id='pb-l']\"")?;
    remove(cluster, "pb", "primitive")?;
    cluster.refuses("node2", "iptables -w -nL INPUT | grep 5432", "")
}

fn redis(cluster: &mut Cluster) -> io::Result<()> {
    for host in cluster.hosts.names() {
        cluster.run(&host, &format!("printf '{REDIS_CONFIGURATION}' > /etc/redis/redis.conf"))?;
    }
    create(cluster, "resources", &promotable("redis", "provider='heartbeat' type='redis'", ""))?;
    let master = promoted(cluster, "node1")?;
    cluster.until(
        "node1",
        "redis-cli -h node1 ping; redis-cli -h node2 ping; redis-cli -h node3 ping",
        "PONG\nPONG\nPONG",
    )?;
    cluster.until("node1", &format!("redis-cli -h {master} info replication"), "connected_slaves:2")?;
    cluster.shows("node1", &format!("redis-cli -h {master} set heart beats"), "OK")?;
    for host in cluster.hosts.names() {
        cluster.until("node1", &format!("redis-cli -h {host} get heart"), "beats")?;
    }
    cluster.hosts.power_off(&master)?;
    let names = cluster.hosts.names();
    let asked = names.iter().find(|name| **name != master).cloned().unwrap_or_default();
    cluster.until(&asked, "crm_mon -1", &format!("OFFLINE: [ {master} ]"))?;
    let successor = promoted(cluster, &asked)?;
    if successor == master {
        return Err(io::Error::other("the lost master is still taken for the master"));
    }
    cluster.until(&asked, &format!("redis-cli -h {successor} role"), "master")?;
    cluster.shows(&asked, &format!("redis-cli -h {successor} get heart"), "beats")?;
    cluster.shows(&asked, &format!("redis-cli -h {successor} set heart still"), "OK")
}

/// Where redis is promoted, once it is.
fn promoted(cluster: &Cluster, asked: &str) -> io::Result<String> {
    cluster.until(asked, "crm_resource --locate -r rediss", "Promoted")?;
    let text = cluster.run(asked, "crm_resource --locate -r rediss")?;
    let line = text.lines().find(|line| line.contains("Promoted")).unwrap_or_default();
    let name = line.split_whitespace().find(|word| word.starts_with("node")).unwrap_or_default();
    Ok(name.to_owned())
}
