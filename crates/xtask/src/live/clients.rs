//! Debian's crmsh and pcs, unchanged, do their work on Systole.

use std::io;
use std::path::Path;

use super::cluster::Cluster;
use crate::report::Report;

/// One line of a session.
enum Line {
    /// Must succeed.
    Do(&'static str),
    /// Must succeed and print this.
    Shows(&'static str, &'static str),
    /// Is repeated until it prints this.
    Until(&'static str, &'static str),
    /// Must fail and say this.
    Refused(&'static str, &'static str),
}

use Line::{Do, Refused, Shows, Until};

/// A part of a session: what it shows, and its lines.
type Part = (&'static str, &'static [Line]);

const CRM: &[Part] = &[
    (
        "crm configure: properties, resources, constraints",
        &[
            Shows("crm status", "Online: [ node1 node2 node3 ]"),
            Do("crm configure property stonith-enabled=false"),
            Do("crm configure primitive d1 ocf:pacemaker:Dummy op monitor interval=10s"),
            Do("crm configure primitive d2 ocf:heartbeat:Dummy params fake=x meta target-role=Stopped"),
            Do("crm configure group g d1 d2"),
            Do(
                "crm configure primitive s ocf:pacemaker:Stateful op monitor interval=10s role=Promoted op monitor interval=11s role=Unpromoted",
            ),
            Do("crm configure clone c s meta promotable=true"),
            Do("crm configure location l1 g 100: node2"),
            Do("crm configure location l2 g rule -inf: '#uname' eq node3"),
            Do("crm configure colocation co inf: g c:Promoted"),
            Do("crm configure order o Mandatory: c:promote g:start"),
            Do("crm configure rsc_defaults resource-stickiness=10"),
            Do("crm configure op_defaults timeout=30s"),
            Shows("crm configure show", "colocation co inf: g c:Promoted"),
            Shows("crm configure show l2", "rule -inf: #uname eq node3"),
            Do("crm configure verify"),
            Until("crm status", "Promoted: [ node2 ]"),
            Until("crm resource status g", "is running on: node2"),
        ],
    ),
    (
        "crm configure: load, commit, edit, rename, delete; what is wrong is refused",
        &[
            Do(
                "printf 'primitive d3 ocf:pacemaker:Dummy op monitor interval=10s\\ntag T d3\\n' > /tmp/more.crm",
            ),
            Do("crm configure load update /tmp/more.crm"),
            Do(
                "printf 'configure\\nprimitive d4 ocf:pacemaker:Dummy\\nverify\\ncommit\\nquit\\n' | crm -f -",
            ),
            Shows("crm configure show d4 T", "tag T d3"),
            Do("printf 'configure\\nfilter \"sed s/interval=10s/interval=12s/\" d3\\ncommit\\n' | crm -f -"),
            Shows("crm configure show d3", "interval=12s"),
            Do("crm configure save /tmp/saved.crm"),
            Refused("crm configure rename d4 d5", "cannot rename a running resource"),
            Do("crm resource stop d4"),
            Until("crm_resource --locate -r d4 2>&1", "NOT running"),
            Do("crm configure rename d4 d5"),
            Do("crm configure delete d5"),
            Refused("crm_resource -r d5 -q", "d5"),
            Refused("crm configure order bad Mandatory: d1 nothere", "nothere"),
            Shows("crm configure schema", "pacemaker-4.0"),
        ],
    ),
    (
        "crm resource: stop, start, move, clear, restart, cleanup, parameters",
        &[
            Do("crm resource start d2"),
            Until("crm_resource --locate -r d2", "running on: node2"),
            Do("crm resource stop d2"),
            Until("crm_resource --locate -r d2 2>&1", "NOT running"),
            Do("crm resource move d3 node3 force"),
            Until("crm_resource --locate -r d3", "running on: node3"),
            Shows("crm resource constraints d3", "cli-prefer-d3"),
            Do("crm resource clear d3"),
            Do("crm resource restart d3"),
            Until("crm_resource --locate -r d3", "running on"),
            Do("crm resource meta d3 set priority 5"),
            Shows("crm resource meta d3 show priority", "5"),
            Do("crm resource param d3 set fake 7"),
            Shows("crm resource param d3 show fake", "7"),
            Do("crm resource maintenance d3 on"),
            Until("crm status", "(maintenance)"),
            Do("crm resource maintenance d3 off"),
            Do("crm resource unmanage d3"),
            Do("crm resource manage d3"),
            Do("crm resource cleanup d3"),
            Do("crm resource refresh d3"),
            Shows("crm resource failcount d3 show node1", "value=0"),
            Do("crm resource demote c"),
            Do("crm resource promote c"),
            Shows("crm resource scores", "d3"),
        ],
    ),
    (
        "crm node: standby, maintenance, attributes",
        &[
            Do("crm node standby node3"),
            Until("crm status", "Node node3: standby"),
            Do("crm node online node3"),
            Until("crm status", "Online: [ node1 node2 node3 ]"),
            Do("crm node maintenance node3"),
            Until("crm status", "node3: maintenance"),
            Do("crm node ready node3"),
            Do("crm node attribute node1 set rack 7"),
            Shows("crm node attribute node1 show rack", "value=7"),
            Do("crm node attribute node1 delete rack"),
            Do("crm node status-attr node1 set load 5"),
            Shows("crm node status-attr node1 show load", "value=5"),
            Do("crm node utilization node1 set cpu 4"),
            Shows("crm node show", "node1(1): member"),
        ],
    ),
];

const PCS: &[Part] = &[
    (
        "pcs resource, constraint, property",
        &[
            Shows("pcs status", "Online: [ node1 node2 node3 ]"),
            Do("pcs property set stonith-enabled=false"),
            Shows("pcs property config", "stonith-enabled: false"),
            Refused("pcs property set nonsense=1", "invalid cluster property option"),
            Do("pcs resource create p1 ocf:pacemaker:Dummy op monitor interval=10s meta priority=3"),
            Do("pcs resource create p2 ocf:heartbeat:Dummy --group pg"),
            Do("pcs resource create p3 ocf:pacemaker:Stateful promotable promoted-max=1"),
            Refused("pcs resource create p9 ocf:heartbeat:Nope", "ocf:heartbeat:Nope"),
            Do("pcs constraint location p1 prefers node2=50"),
            Do("pcs constraint location p2 rule score=10 '#uname' eq node1"),
            Do("pcs constraint colocation add pg with p1"),
            Do("pcs constraint order p1 then pg"),
            Shows("pcs constraint config --full", "location-p1-node2-50"),
            Until("crm_resource --locate -r p2", "running on: node2"),
            Until("pcs status", "Promoted: ["),
            Shows("pcs resource config p1", "priority=3"),
            Shows("pcs config", "start p1 then start pg"),
            Do("pcs resource update p1 fake=xyz"),
            Do("pcs resource meta p1 priority=9"),
            Do("pcs resource defaults update resource-stickiness=500"),
            Do("pcs resource op defaults update timeout=40s"),
            Shows("pcs resource defaults config", "resource-stickiness=500"),
            Shows("pcs resource describe ocf:heartbeat:IPaddr2", "cidr_netmask"),
            Shows("pcs resource list ocf:pacemaker:Dummy", "ocf:pacemaker:Dummy"),
        ],
    ),
    (
        "pcs resource: disable, enable, move, ban, clear, restart, cleanup, delete",
        &[
            Do("pcs resource disable p1 --wait=60"),
            Shows("pcs resource", "Stopped (disabled)"),
            Do("pcs resource enable p1 --wait=60"),
            Do("pcs resource move p1 node1 --wait=60"),
            Until("crm_resource --locate -r p1", "running on: node1"),
            Do("pcs resource ban p3-clone node3"),
            Do("pcs resource clear p3-clone"),
            Do("pcs resource restart p1"),
            Do("pcs resource cleanup"),
            Do("pcs resource refresh p1"),
            Shows("pcs resource failcount show", "No failcounts"),
            Do("pcs node standby node3"),
            Until("pcs status nodes", "Standby: node3"),
            Do("pcs node unstandby node3"),
            Do("pcs node attribute node1 rack=7"),
            Shows("pcs node attribute", "rack=7"),
            Do("pcs resource delete p2"),
            Refused("crm_resource -r p2 -q", "p2"),
        ],
    ),
    (
        "pcs stonith; pcs cluster cib and cib-push",
        &[
            Do(
                "pcs stonith create f1 fence_ipmilan ip=192.0.2.1 username=u password=p pcmk_host_list=node1 --disabled",
            ),
            Shows("pcs stonith config", "pcmk_host_list=node1"),
            Do("pcs stonith level add 1 node1 f1"),
            Shows("pcs stonith level", "Level 1 - f1"),
            Do("pcs cluster cib /tmp/a.xml && cp /tmp/a.xml /tmp/b.xml"),
            Do("pcs -f /tmp/b.xml resource create p8 ocf:pacemaker:Dummy"),
            Shows("pcs cluster cib-push /tmp/b.xml diff-against=/tmp/a.xml 2>&1", "CIB updated"),
            Until("crm_resource --locate -r p8", "running on"),
            Do("pcs cluster cib /tmp/c.xml && pcs -f /tmp/c.xml resource meta p8 priority=2"),
            Do("pcs cluster cib-push /tmp/c.xml --config"),
            Shows("pcs resource config p8", "priority=2"),
            Do(
                "sed s/Dummy/Dummy\\'/ /tmp/c.xml | sed 's/<resources>/<resources><nonsense\\/>/' > /tmp/d.xml",
            ),
            Refused("pcs cluster cib-push /tmp/d.xml --config", "nonsense"),
        ],
    ),
];

/// Debian's crmsh.
pub fn crmsh(binary: &Path, report: &mut Report) {
    run(binary, "crmsh", CRM, report);
}

/// Debian's pcs.
pub fn pcs(binary: &Path, report: &mut Report) {
    run(binary, "pcs", PCS, report);
}

fn run(binary: &Path, client: &str, session: &[Part], report: &mut Report) {
    match Cluster::start(binary, client) {
        Ok(cluster) => play(&cluster, client, session, report),
        Err(error) => report.fail(format!("live {client}: {error}"), 1),
    }
}

fn play(cluster: &Cluster, client: &str, session: &[Part], report: &mut Report) {
    for (what, lines) in session {
        match lines.iter().try_for_each(|line| line.run(cluster)) {
            Ok(()) => {
                println!("  ok: {client}: {what}");
                report.pass(1);
            }
            Err(error) => {
                println!("  FAILED: {client}: {what}: {error}");
                cluster.show_state();
                report.fail(format!("live {client}: {what}: {error}"), 1);
            }
        }
    }
}

impl Line {
    fn run(&self, cluster: &Cluster) -> io::Result<()> {
        match self {
            Do(line) => cluster.run("node1", line).map(drop),
            Shows(line, wanted) => cluster.shows("node1", line, wanted),
            Until(line, wanted) => cluster.until("node1", line, wanted),
            Refused(line, wanted) => cluster.refuses("node1", line, wanted),
        }
    }
}
