//! Tools by which people look after a cluster: reports, secrets, questions to the DC and to fencing, the live
//! screen.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::cluster::Cluster;
use super::hosts::make_executable;

/// An ssh for hosts without a server: the command, and what it reads, go through a folder that all hosts see to
/// the loop of the host that is meant.
const SSH: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in -l) shift 2;; --) shift;; -*) shift;; *) break;; esac
done
host=$1; shift
[ "$1" != -- ] || shift
call=$(mktemp -d @ROOM@/call.XXXXXX)
printf '%s\n' "$*" > $call/command
cat > $call/input
mv $call @ROOM@/$host/
call=@ROOM@/$host/${call##*/}
until [ -e $call/code ]; do sleep 0.05; done
cat $call/output
cat $call/errors >&2
exit $(cat $call/code)
"#;

/// What answers those calls on a host.
const ANSWERS: &str = r#"
mkdir -p @ROOM@/$(hostname)
setsid sh -c 'cd /; while :; do
  for call in @ROOM@/$(hostname)/call.*; do
    [ -e $call/command ] && [ ! -e $call/code ] || continue
    sh $call/command < $call/input > $call/output 2> $call/errors
    echo $? > $call/new && mv $call/new $call/code
  done
  sleep 0.05
done' > /dev/null 2>&1 < /dev/null &
"#;

/// Gives all hosts a way to run commands on each other.
fn connect(cluster: &Cluster) -> io::Result<()> {
    let room = cluster.room()?;
    let filled = |text: &str| text.replace("@ROOM@", &room.to_string_lossy());
    for host in cluster.hosts.names() {
        let ssh = cluster.hosts.disk(&host).join("names/ssh");
        fs::write(&ssh, filled(SSH))?;
        make_executable(&ssh)?;
        cluster.run(&host, &filled(ANSWERS))?;
        cluster.until("node1", &format!("ls {}", room.display()), &host)?;
    }
    Ok(())
}

/// A parameter of a real agent: the file that tells it whether it runs.
const SECRET: &str = "/tmp/kept-from-everybody";

pub fn secrets(cluster: &Cluster) -> io::Result<()> {
    connect(cluster)?;
    let xml = "<primitive id='sealed' class='ocf' provider='heartbeat' type='Dummy'/>";
    cluster.run("node1", &format!("cibadmin --create -o resources --xml-text \"{xml}\""))?;
    cluster.run("node1", &format!("cibsecret set sealed state {SECRET}"))?;
    cluster.shows("node1", "crm_resource -r sealed -g state", "lrm://")?;
    cluster.refuses("node1", &format!("cibadmin --query | grep {SECRET}"), "")?;
    // the agent gets the value wherever it runs, since each node has it
    for host in ["node2", "node3"] {
        cluster.run("node1", &format!("crm_resource -r sealed --move -N {host}"))?;
        cluster.until("node1", "crm_resource -r sealed --locate", &format!("running on: {host}"))?;
        cluster.until(host, &format!("ls {SECRET}; true"), &format!("{SECRET}\n"))?;
        cluster.shows(host, "cibsecret get sealed state", SECRET)?;
        cluster.run(host, "cibsecret check sealed state")?;
    }
    cluster.run("node1", "crm_resource -r sealed --clear")?;
    // into the configuration and out of it again
    cluster.run("node1", "cibsecret unstash sealed state")?;
    cluster.shows("node2", "crm_resource -r sealed -g state", SECRET)?;
    cluster.refuses("node2", "cibsecret get sealed state", "not set as secret")?;
    cluster.run("node1", "cibsecret stash sealed state")?;
    cluster.shows("node2", "cibsecret get sealed state", SECRET)?;
    cluster.refuses("node1", &format!("cibadmin --query | grep {SECRET}"), "")
}

/// After [`secrets`], whose secret no report may tell.
pub fn report(cluster: &Cluster) -> io::Result<()> {
    cluster.run("node1", "crm_report --dest /tmp/seen && cd /tmp && tar -xzf seen.tar.gz")?;
    for host in cluster.hosts.names() {
        for file in ["cib.xml", "crm_mon.txt", "history.txt", "events.txt"] {
            cluster.run("node1", &format!("test -s /tmp/seen/{host}/{file}"))?;
        }
        cluster.shows("node1", &format!("cat /tmp/seen/{host}/crm_mon.txt"), "node3")?;
    }
    cluster.refuses("node1", &format!("grep -r -e secret-of -e {SECRET} /tmp/seen"), "")?;
    cluster.run("node1", "cibsecret delete sealed state")?;
    cluster.refuses("node3", "cibsecret get sealed state", "not set as secret")?;
    cluster.refuses("node1", "cibadmin --query | grep lrm://", "")?;
    cluster.run("node1", "cibadmin --delete --xpath \"//primitive[@id='sealed']\"").map(drop)
}

pub fn coordinator(cluster: &Cluster) -> io::Result<()> {
    cluster.settle("node1")?;
    let text = cluster.run("node1", "crmadmin -D")?;
    let dc = text.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    if text.trim() != format!("Designated Controller is: {dc}") || !cluster.hosts.names().contains(&dc) {
        return Err(io::Error::other(format!("crmadmin -D: {text}")));
    }
    for host in cluster.hosts.names() {
        cluster.shows(&host, "crmadmin -D -q", &dc)?;
        let state = if host == dc { "S_IDLE" } else { "S_NOT_DC" };
        cluster.shows(
            "node2",
            &format!("crmadmin -S {host}"),
            &format!("Controller on {host} in state {state}: ok"),
        )?;
    }
    cluster.refuses("node2", "crmadmin -S nobody", "nobody")?;
    cluster.shows(
        "node2",
        "crmadmin -N",
        "cluster node: node1 (1)\ncluster node: node2 (2)\ncluster node: node3 (3)\n",
    )?;
    cluster.shows("node2", "crmadmin -P", "Status of pacemakerd: 'running'")
}

/// A fence agent that switches nothing: it only answers.
const FENCE_AGENT: &str = r#"#!/bin/sh
while read line; do case $line in action=*) action=${line#action=};; esac; done
case $action in
  metadata) echo '<?xml version="1.0"?><resource-agent name="@NAME@" shortdesc="Answers only"><parameters>
<parameter name="port"><content type="string"/></parameter></parameters><actions><action name="list"/>
<action name="monitor"/><action name="off"/><action name="metadata"/></actions></resource-agent>';;
  list) printf 'node1,\nnode2,\n';;
  monitor | status | validate-all) ;;
  *) exit 1;;
esac
"#;

/// The agent's file, which goes with the test.
struct FenceAgent(PathBuf);

impl Drop for FenceAgent {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

pub fn fencing(cluster: &Cluster) -> io::Result<()> {
    let name = format!("fence_live{}", std::process::id());
    let agent = FenceAgent(PathBuf::from(format!("/usr/sbin/{name}")));
    fs::write(&agent.0, FENCE_AGENT.replace("@NAME@", &name))?;
    make_executable(&agent.0)?;
    cluster.shows("node1", "stonith_admin -I", &name)?;
    cluster.shows("node1", &format!("stonith_admin -M -a {name}"), "Answers only")?;
    cluster.shows("node1", &format!("stonith_admin -K -a {name} -o port=1"), "succeeded")?;
    cluster.shows("node1", "stonith_admin -L", "0 fence devices found")?;
    let xml = format!("<primitive id='switch' class='stonith' type='{name}'/>");
    cluster.run("node1", &format!("cibadmin --create -o resources --xml-text \"{xml}\""))?;
    cluster.settle("node1")?;
    cluster.shows("node1", "stonith_admin -L", "switch\n1 fence device found")?;
    cluster.shows("node2", "stonith_admin -l node1", "switch\n1 fence device found")?;
    cluster.shows("node2", "stonith_admin -l node3", "0 fence devices found")?;
    cluster.shows("node3", "stonith_admin -s switch", "node1\nnode2\n2 fence targets found")?;
    cluster.run("node3", "stonith_admin -Q switch")?;
    cluster.refuses("node3", "stonith_admin -Q nothing", "nothing")?;
    cluster.shows("node3", "stonith_admin -H '*'", "0 events found")?;
    cluster.shows("node3", "stonith_admin -h node1", "Node node1 has never been fenced")?;
    // a device that cannot: both sides of the history
    cluster.refuses("node3", "stonith_admin -F node1 -t 20", "node1")?;
    cluster.shows("node2", "stonith_admin -H node1", "node1")?;
    cluster.run("node1", "cibadmin --delete --xpath \"//primitive[@id='switch']\"").map(drop)
}

/// Presses keys and waits for what they bring; the screen is what the terminal was sent.
const SCREEN: &str = r#"
seen() {
  count=0
  until grep -q -e "$1" /tmp/screen; do
    count=$((count + 1))
    [ $count -lt 600 ] || { echo "never seen: $1"; cat -v /tmp/screen; exit 1; }
    sleep 0.1
  done
}
press() { printf "$1" >&3; seen "$2"; }
rm -f /tmp/keys; mkfifo /tmp/keys; : > /tmp/screen
script -qfec 'stty cols 150 rows 60; crm_mon' /tmp/screen < /tmp/keys > /dev/null &
shown=$!
exec 3> /tmp/keys
seen 'Online: \[ node1 node2 node3 \]'
seen 'Active Resources'
press r 'Full List of Resources'
press n 'Node node2: online'
press A 'Node Attributes'
press '?' 'negative location constraints'
press x 'Node List'
crm_attribute -N node3 -n seen-live -v as-it-happens
seen 'as-it-happens'
press q '\[?1049l'
exec 3>&-
wait $shown
"#;

pub fn screen(cluster: &Cluster) -> io::Result<()> {
    cluster.run("node1", "crm_attribute -N node3 -n seen -v before")?;
    cluster.run("node1", SCREEN)?;
    cluster
        .run("node1", "crm_attribute -N node3 -n seen -D && crm_attribute -N node3 -n seen-live -D")
        .map(drop)
}
