//! How each node can be fenced, when that was last proven, and what is missing.

use cluster::fencing::outlook::{NodeOutlook, Way, gaps, outlook};

use super::Fences;
use super::record::{self, CHECKED, PROVEN, Proof};
use crate::configuration::Configuration;
use crate::outlook::Outlook;
use crate::session::Problem;

/// Options of the cluster that matter here: whether fencing is enabled, whether watchdogs count.
fn options(document: &xml::Document) -> (bool, bool) {
    let (cib, _) = cib::Cib::from_document(document);
    let now = cib::iso8601::DateTime::from_timestamp(jiff::Timestamp::now().as_second(), 0);
    let options = cib.cluster_options(&cib::rule::RuleInput::at(now)).options;
    (options.fencing_enabled, options.fencing_watchdog_timeout != 0)
}

/// What an administrator must be told: nothing if every node can be fenced.
pub fn warnings(document: &xml::Document) -> Vec<String> {
    let (enabled, watchdog) = options(document);
    let nodes = Configuration::new(document.clone()).node_names();
    if nodes.is_empty() {
        return Vec::new();
    }
    if !enabled {
        return vec![
            "fencing is turned off (stonith-enabled=false): a lost node may go on running its resources, and \
             the cluster will start them a second time"
                .to_owned(),
        ];
    }
    gaps(&Fences::of(document).devices, &nodes, watchdog)
}

/// The lines of the section "Fencing".
pub fn lines(document: &xml::Document) -> Result<Vec<String>, Problem> {
    let configuration = Configuration::new(document.clone());
    let (enabled, watchdog) = options(document);
    let fences = Fences::of(document);
    let nodes = configuration.node_names();
    let running = running_devices(document)?;
    let mut lines = vec!["Fencing:".to_owned()];
    if !enabled {
        lines.push(
            "  * turned off (stonith-enabled=false): a lost node may go on running its resources".into(),
        );
    }
    for one in outlook(&fences.devices, &nodes, watchdog) {
        lines.push(format!("  * {}: {}", one.node, ways(&one, &running)));
        lines.push(format!("    * {}", proofs(&configuration, &one)));
        lines.extend(one.missing.iter().map(|text| format!("    * missing: {text}")));
    }
    for device in fences.devices.devices.iter().filter(|device| !fences.is_installed(device)) {
        lines.push(format!(
            "  * missing: the agent {} of {} is not installed on this host",
            device.agent, device.id
        ));
    }
    lines.extend(fences.devices.warnings().iter().map(|text| format!("  * {text}")));
    Ok(lines)
}

/// Fence devices that are monitored, with where.
fn running_devices(document: &xml::Document) -> Result<Vec<(String, String)>, Problem> {
    let status = Outlook::current(document)?.status;
    let mut running = Vec::new();
    let mut pending: Vec<&view::status::ResourceStatus> = status.resources.iter().collect();
    while let Some(resource) = pending.pop() {
        match resource {
            view::status::ResourceStatus::Primitive(it) if it.agent.starts_with("stonith:") => {
                let node = it.nodes.first().map(|on| on.name.clone());
                running.extend(node.map(|node| (it.common.id.clone(), node)));
            }
            _ => {}
        }
    }
    Ok(running)
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
