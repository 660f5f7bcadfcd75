//! The low-level tools: in unfriendly surroundings, run by users with few rights and killed at any moment; and what
//! people look after a cluster with ([`upkeep`]).

use std::io;
use std::path::Path;

use super::cluster::Cluster;
use super::upkeep;
use crate::report::Report;

type Step = fn(&Cluster) -> io::Result<()>;

const STEPS: [(&str, Step); 8] = [
    ("access control through the socket, as other users", access),
    ("cibsecret: set, moved, stashed and unstashed, read by an agent", upkeep::secrets),
    ("crm_report: one archive of all nodes, without secrets", upkeep::report),
    ("crmadmin: the DC, states, nodes", upkeep::coordinator),
    ("stonith_admin: agents, devices, targets, history", upkeep::fencing),
    ("crm_mon: the live screen and its keys", upkeep::screen),
    ("cibadmin killed 200 times: the file is the old or the new one", killed_on_a_file),
    ("cibadmin killed 200 times: the cluster has the old or the new state", killed_on_the_cluster),
];

pub fn run(binary: &Path, report: &mut Report) {
    let cluster = match Cluster::start(binary, "tools") {
        Ok(cluster) => cluster,
        Err(error) => return report.fail(format!("live tools: {error}"), 1),
    };
    for (what, step) in STEPS {
        match step(&cluster) {
            Ok(()) => {
                println!("  ok: {what}");
                report.pass(1);
            }
            Err(error) => {
                println!("  FAILED: {what}: {error}");
                cluster.show_state();
                report.fail(format!("live: {what}: {error}"), 1);
            }
        }
    }
}

/// Users of the host: alice and bob may use the cluster, mallory may not.
const USERS: &str = r#"
set -e
for file in passwd group; do cp /etc/$file /tmp/$file; done
sed -i '/^haclient:/d' /tmp/group
echo 'haclient:x:4189:alice,bob' >> /tmp/group
echo 'operators:x:4190:bob' >> /tmp/group
for user in alice:4201 bob:4202 mallory:4203; do
  echo "${user%:*}:*:${user#*:}:100::/tmp:/bin/sh" >> /tmp/passwd
done
for file in passwd group; do mount --bind /tmp/$file /etc/$file; done
"#;

/// Roles by which alice looks, but not at passwords, and bob's group keeps one resource and the node attributes.
const RULES: &str = "<acls>\
  <acl_role id='look'><acl_permission id='look-all' kind='read' xpath='/cib'/>\
    <acl_permission id='look-not' kind='deny' xpath=\\\"//nvpair[@name='password']\\\"/></acl_role>\
  <acl_role id='keep'><acl_permission id='keep-r1' kind='write' reference='r1'/>\
    <acl_permission id='keep-nodes' kind='write' object-type='node'/>\
    <acl_permission id='keep-all' kind='read' xpath='/cib'/></acl_role>\
  <acl_target id='alice'><role id='look'/></acl_target>\
  <acl_group id='operators'><role id='keep'/></acl_group></acls>";

fn access(cluster: &Cluster) -> io::Result<()> {
    cluster.run("node1", USERS)?;
    for id in ["r1", "r2"] {
        let attributes = format!(
            "<instance_attributes id='{id}-i'><nvpair id='{id}-p' name='password' value='secret-of-{id}'/></instance_attributes>"
        );
        let xml = format!(
            "<primitive id='{id}' class='ocf' provider='pacemaker' type='Dummy'>{attributes}</primitive>"
        );
        cluster.run("node1", &format!("cibadmin --create -o resources --xml-text \"{xml}\""))?;
    }
    cluster
        .run("node1", "crm_attribute -n stonith-enabled -v false && crm_attribute -n enable-acl -v true")?;
    let alice = |line: &str| format!("su alice -c \"{line}\"");
    let bob = |line: &str| format!("su bob -c \"{line}\"");
    // nothing is granted yet: everything is denied; who is in no group of the cluster is not even heard
    cluster.refuses("node1", &alice("cibadmin --query"), "Permission denied")?;
    cluster.refuses("node1", "su mallory -c 'cibadmin --query'", "haclient")?;
    cluster.run("node1", &format!("cibadmin --replace --allow-create -o acls --xml-text \"{RULES}\""))?;
    // reading, with what is denied taken out
    cluster.shows("node1", &alice("cibadmin --query"), "<primitive id=\"r1\"")?;
    cluster.refuses("node1", &format!("{} | grep secret-of", alice("cibadmin --query")), "")?;
    cluster.shows("node1", &bob("cibadmin --query"), "secret-of-r1")?;
    // writing, each where it is granted and nowhere else
    cluster.refuses("node1", &alice("crm_attribute -n cluster-delay -v 70s"), "Permission denied")?;
    cluster.refuses("node1", &alice("crm_resource -r r1 --meta -p priority -v 1"), "Permission denied")?;
    cluster.run("node1", &bob("crm_resource -r r1 --meta -p priority -v 7"))?;
    cluster.refuses("node1", &bob("crm_resource -r r2 --meta -p priority -v 7"), "Permission denied")?;
    cluster.run("node1", &bob("crm_attribute -N node2 -n rack -v 7"))?;
    cluster.refuses("node1", &bob("crm_attribute -n enable-acl -v false"), "Permission denied")?;
    cluster.shows("node1", "crm_resource -r r1 --meta -g priority", "7")?;
    // whoever somebody says to be, the kernel knows; root may look as another
    cluster.refuses(
        "node1",
        &alice("CIB_user=root crm_attribute -n cluster-delay -v 70s"),
        "Permission denied",
    )?;
    cluster.refuses("node1", "CIB_user=alice cibadmin --query | grep secret-of", "")?;
    cluster.run("node1", "crm_attribute -n enable-acl -v false")?;
    cluster.shows("node1", &alice("cibadmin --query"), "secret-of-r2")
}

/// Changes one number in two places 200 times, kills the tool in the middle, and looks at both.
const KILLING: &str = r#"
count=0
while [ $count -lt 200 ]; do
  count=$((count + 1))
  cibadmin --modify --allow-create -o crm_config --xml-text "<crm_config><cluster_property_set id='w'>
    <nvpair id='w-l' name='left' value='$count'/><nvpair id='w-r' name='right' value='$count'/>
    </cluster_property_set></crm_config>" > /dev/null 2>&1 &
  sleep 0.0$((count % 5))$((count % 7))
  kill -9 $! 2> /dev/null
  wait $! 2> /dev/null
  text=$(cibadmin --query -o crm_config) || { echo "unreadable after kill $count"; exit 1; }
  left=$(echo "$text" | sed -n 's/.*name="left" value="\([0-9]*\)".*/\1/p')
  right=$(echo "$text" | sed -n 's/.*name="right" value="\([0-9]*\)".*/\1/p')
  [ "$left" = "$right" ] || { echo "half a change after kill $count: $left, $right"; exit 1; }
done
echo "last $left"
[ "${left:-0}" -gt 0 ] || { echo "nothing was ever written"; exit 1; }
"#;

fn killed_on_a_file(cluster: &Cluster) -> io::Result<()> {
    cluster.run("node1", "cibadmin --query > /tmp/killed.xml")?;
    cluster.shows("node1", &format!("export CIB_file=/tmp/killed.xml\n{KILLING}"), "last ")
}

fn killed_on_the_cluster(cluster: &Cluster) -> io::Result<()> {
    cluster.shows("node1", KILLING, "last ")?;
    cluster.settle("node1")?;
    let look = |host: &String| cluster.run(host, "cibadmin --query -o crm_config");
    let copies = cluster.hosts.names().iter().map(look).collect::<io::Result<Vec<_>>>()?;
    if copies.iter().all(|copy| *copy == copies[0]) {
        return Ok(());
    }
    Err(io::Error::other(format!("the copies differ:\n{}", copies.join("\n"))))
}
