//! How each node can be fenced, when that was last proven, and what is missing.

use cluster::fencing::outlook::{NodeOutlook, Way, gaps, outlook};

use view::api::Fencing;
use view::status::{ResourceStatus, Status};

use super::record::{self, CHECKED, PROVEN, Proof};
use super::{Fences, history};
use crate::configuration::Configuration;

/// How the nodes of one CIB can be fenced.
pub struct Overview<'a> {
    configuration: &'a Configuration,
    fences: Fences,
    nodes: Vec<String>,
    /// Fencing is enabled.
    enabled: bool,
    /// Watchdogs count as a way to fence.
    watchdog: bool,
}

impl<'a> Overview<'a> {
    /// Reads the devices; `cib` is the typed form of the configuration.
    pub fn of(configuration: &'a Configuration, cib: &cib::Cib) -> Overview<'a> {
        let now = crate::clock::now();
        let options = cib.cluster_options(&cib::rule::RuleInput::at(now)).options;
        Overview {
            configuration,
            fences: Fences::of_cib(cib),
            nodes: configuration.node_names(),
            enabled: options.fencing_enabled,
            watchdog: options.fencing_watchdog_timeout != 0,
        }
    }

    /// What an administrator must be told: nothing if every node can be fenced.
    pub fn warnings(&self) -> Vec<String> {
        if self.nodes.is_empty() {
            return Vec::new();
        }
        if !self.enabled {
            return vec![
                "fencing is turned off (stonith-enabled=false): a lost node may go on running its \
                 resources, and the cluster will start them a second time"
                    .to_owned(),
            ];
        }
        gaps(&self.fences.devices, &self.nodes, self.watchdog)
    }

    /// The lines of the section "Fencing"; `status` tells which devices are monitored, `history` what was done
    /// as far as the cluster knows.
    pub fn lines(&self, status: &Status, history: &[Fencing]) -> Vec<String> {
        let running = running_devices(status);
        let mut lines = vec!["Fencing:".to_owned()];
        if !self.enabled {
            lines.push(
                "  * turned off (stonith-enabled=false): a lost node may go on running its resources".into(),
            );
        }
        for one in outlook(&self.fences.devices, &self.nodes, self.watchdog) {
            lines.push(format!("  * {}: {}", one.node, ways(&one, &running)));
            lines.extend(history::trouble(history, &one.node).map(|text| format!("    * {text}")));
            lines.push(format!("    * {}", proofs(self.configuration, &one)));
            lines.extend(one.missing.iter().map(|text| format!("    * missing: {text}")));
        }
        let devices = &self.fences.devices;
        for device in devices.devices.iter().filter(|device| !self.fences.is_installed(device)) {
            lines.push(format!(
                "  * missing: the agent {} of {} is not installed on this host",
                device.agent, device.id
            ));
        }
        lines.extend(devices.warnings().iter().map(|text| format!("  * {text}")));
        lines
    }
}

/// Fence devices that are monitored, with where.
fn running_devices(status: &Status) -> Vec<(String, String)> {
    let running = status.resources.iter().filter_map(|resource| match resource {
        ResourceStatus::Primitive(it) if it.agent.starts_with("stonith:") => {
            let node = it.nodes.first()?;
            Some((it.common.id.clone(), node.name.clone()))
        }
        _ => None,
    });
    running.collect()
}

fn ways(one: &NodeOutlook, running: &[(String, String)]) -> String {
    if one.ways.is_empty() {
        return "CANNOT BE FENCED".to_owned();
    }
    let device = |id: &String| match running.iter().find(|(known, _)| known == id) {
        Some((_, node)) => format!("{id} (checked on {node})"),
        None if id == cluster::fencing::WATCHDOG_DEVICE => "its own watchdog".to_owned(),
        None => format!("{id} (not monitored)"),
    };
    let way = |way: &Way| {
        let devices: Vec<String> = way.devices.iter().map(device).collect();
        let ask = if way.ask { ", if the device knows it" } else { "" };
        format!("{}{ask}", devices.join(" and "))
    };
    let all: Vec<String> = one.ways.iter().map(way).collect();
    format!("by {}", all.join(", else by "))
}

fn proofs(configuration: &Configuration, one: &NodeOutlook) -> String {
    let text = |proof: Proof| format!("{} ({})", crate::mon::ctime(proof.at), proof.how);
    let proven = record::read(configuration, &one.node, PROVEN);
    let checked = record::read(configuration, &one.node, CHECKED);
    match (proven, checked) {
        (Some(proven), _) => format!("proven at {}", text(proven)),
        (None, Some(checked)) => {
            format!("never proven; its devices answered at {}", text(checked))
        }
        (None, None) => format!("never proven: 'systole fence test {}'", one.node),
    }
}
