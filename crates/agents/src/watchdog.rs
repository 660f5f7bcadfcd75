//! The fence agent `fence_watchdog`, which is part of the cluster manager (rules 4.59.4, 4.59.5): there is no
//! device to be asked, for each node takes itself down. Its checks succeed; `list` gives its targets.

use crate::{FenceRun, Outcome, Status, exit_code};

/// Its name.
pub const AGENT: &str = "fence_watchdog";

const METADATA: &str = r#"<?xml version="1.0"?>
<resource-agent name="fence_watchdog" shortdesc="Stands for the watchdog of each node">
  <longdesc>Nodes that lose quorum or their cluster manager are reset by their own watchdog. This agent has the list of nodes for which the others may rely on that; the time they wait is the cluster property fencing-watchdog-timeout.</longdesc>
  <parameters>
    <parameter name="nodename" unique="0" required="0">
      <content type="string"/>
      <shortdesc lang="en">Ignored</shortdesc>
    </parameter>
    <parameter name="plug" unique="0" required="0">
      <content type="string"/>
      <shortdesc lang="en">Ignored</shortdesc>
    </parameter>
  </parameters>
  <actions>
    <action name="on"/>
    <action name="off"/>
    <action name="reboot"/>
    <action name="status"/>
    <action name="list"/>
    <action name="monitor"/>
    <action name="metadata"/>
  </actions>
</resource-agent>
"#;

pub(crate) fn answer(run: &FenceRun) -> Outcome {
    let value =
        |name: &str| run.input.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let stdout = match value("action") {
        Some("metadata") => METADATA.to_owned(),
        _ => String::new(),
    };
    Outcome { stdout, ..Outcome::plain(Status::Done, exit_code::OK, "") }
}
