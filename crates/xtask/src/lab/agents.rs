//! Agents of the lab: a power switch and a resource that note when they began and ended, by the machine's clock.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::live::fence_agent;
use crate::live::hosts::{Hosts, make_executable};

/// Where the agents of a host write; outside, below its disk.
const NOTES: &str = "/var/log/pacemaker/lab-agents";

/// Powers a host off at once, from any host; nobody presses the power button afterwards. A `manner` makes it hang,
/// fail or lie.
const FENCE_CASES: &str = r#"  off|reboot)
    case $manner in
      hang) sleep 60; exit 1 ;;
      fail) echo "the power switch does not answer" >&2; exit 1 ;;
      lie) exit 0 ;;
    esac
    note() { date "+$1 %s.%N" >>@NOTES@; }
    note fence-begun
    group=@CGROUPS@-$node
    [ -e "$group/cgroup.kill" ] || exit 1
    echo 1 > "$group/cgroup.kill"
    n=0
    while grep -q 'populated 1' "$group/cgroup.events"; do n=$((n+1)); [ $n -gt 500 ] && exit 1; sleep 0.01; done
    note fence-ended ;;
  on|monitor) exit 0 ;;
  status) grep -q 'populated 1' "@CGROUPS@-$node/cgroup.events" || exit 2 ;;
  list) printf 'node1\nnode2\nnode3\nnode4\nnode5\n' ;;
"#;

/// Runs where its file is, as a Dummy does, so that the watcher sees it as one.
const RESOURCE: &str = r#"#!/bin/sh
state=/run/Dummy-$OCF_RESOURCE_INSTANCE.state
note() { date "+$1 %s.%N" >>@NOTES@; }
case $1 in
  meta-data) cat <<XML
<?xml version="1.0" ?>
<resource-agent name="Timed" version="1.0">
<version>1.1</version>
<longdesc lang="en">Notes when it was started.</longdesc>
<shortdesc lang="en">Dummy of the lab</shortdesc>
<parameters/>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
 <action name="monitor" timeout="20s" interval="10s"/><action name="meta-data" timeout="5s"/></actions>
</resource-agent>
XML
    ;;
  start) note start-begun; : >"$state"; note start-ended ;;
  stop) rm -f "$state" ;;
  monitor) [ -e "$state" ] || exit 7 ;;
  validate-all) ;;
  *) exit 3 ;;
esac
"#;

/// The installed agents; removed when dropped.
pub struct Agents {
    fence: PathBuf,
    provider: PathBuf,
}

impl Agents {
    /// Installs them on this machine, from where all hosts have them.
    pub fn install(hosts: &Hosts) -> io::Result<Agents> {
        let own = format!("lab{}", std::process::id());
        let agents = Agents {
            fence: PathBuf::from(format!("/usr/sbin/fence_{own}")),
            provider: PathBuf::from(format!("/usr/lib/ocf/resource.d/{own}")),
        };
        fs::create_dir_all(&agents.provider)?;
        let fill = |text: &str| text.replace("@CGROUPS@", &hosts.cgroup_prefix()).replace("@NOTES@", NOTES);
        let fence = fence_agent::script(&name(&agents.fence), &fill(FENCE_CASES));
        for (path, text) in [(&agents.fence, fence), (&agents.provider.join("Timed"), fill(RESOURCE))] {
            fs::write(path, text)?;
            make_executable(path)?;
        }
        Ok(agents)
    }

    /// Name of the fence agent.
    pub fn fence(&self) -> String {
        name(&self.fence)
    }

    /// A resource that notes its starts.
    pub fn timed(&self, id: &str) -> String {
        format!(
            "<primitive id=\"{id}\" class=\"ocf\" provider=\"{}\" type=\"Timed\"><operations><op \
             id=\"{id}-m\" name=\"monitor\" interval=\"10s\"/></operations></primitive>",
            name(&self.provider)
        )
    }

    /// When a thing was first noted on any host after `since`, in seconds since 1970.
    pub fn noted(&self, hosts: &Hosts, what: &str, since: f64) -> Option<f64> {
        let read = |host: String| {
            let path = hosts.disk(&host).join(NOTES.trim_start_matches('/'));
            fs::read_to_string(path).unwrap_or_default()
        };
        let text: String = hosts.names().into_iter().map(read).collect();
        let times = text.lines().filter_map(|line| line.strip_prefix(what)?.trim().parse::<f64>().ok());
        times.filter(|time| *time > since).min_by(f64::total_cmp)
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.fence);
        let _ = fs::remove_dir_all(&self.provider);
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
