//! How each node could be fenced, as far as the configuration tells, and what is missing.

use super::WATCHDOG_DEVICE;
use super::devices::Devices;

/// How one node could be fenced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOutlook {
    pub node: String,
    /// In the order in which they would be tried.
    pub ways: Vec<Way>,
    /// What keeps it from being fenced, or a way from working: in words, with what to do.
    pub missing: Vec<String>,
}

/// Devices that together fence a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// All of them are needed.
    pub devices: Vec<String>,
    /// Whether they know the node is not in the configuration: the devices themselves are asked.
    pub ask: bool,
}

/// The outlook of each of these cluster nodes. `watchdog`: watchdog fencing is turned on.
#[must_use]
pub fn outlook(devices: &Devices, nodes: &[String], watchdog: bool) -> Vec<NodeOutlook> {
    nodes.iter().map(|node| of_node(devices, node, nodes, watchdog)).collect()
}

/// What an administrator must be told when the cluster starts without working fencing: nothing if all of
/// these nodes can be fenced.
#[must_use]
pub fn gaps(devices: &Devices, nodes: &[String], watchdog: bool) -> Vec<String> {
    if devices.devices.is_empty() && !watchdog {
        return vec![
            "fencing is enabled, and no fence device is configured: no resource is started. Configure one \
             ('pcs stonith create') for every node, then prove it ('systole fence test NODE')"
                .to_owned(),
        ];
    }
    let all = outlook(devices, nodes, watchdog);
    let unfenced = all.into_iter().filter(|one| one.ways.is_empty());
    unfenced
        .map(|one| {
            format!(
                "{} cannot be fenced: {}. If it is lost, what it ran is recovered nowhere",
                one.node,
                one.missing.join("; ")
            )
        })
        .collect()
}

fn of_node(devices: &Devices, node: &str, nodes: &[String], watchdog: bool) -> NodeOutlook {
    let mut found = NodeOutlook { node: node.to_owned(), ways: Vec::new(), missing: Vec::new() };
    let topology = devices.topology(node);
    let by_watchdog = watchdog && devices.watchdog_applies_to(node);
    if topology.is_empty() {
        for device in devices.devices.iter().filter(|device| device.may_fence(node) && !device.is_watchdog())
        {
            let way = vec![device.id.clone()];
            add(devices, way, node, nodes, by_watchdog, &mut found);
        }
        if by_watchdog && found.ways.is_empty() {
            found.ways.push(Way { devices: vec![WATCHDOG_DEVICE.to_owned()], ask: false });
        }
    } else {
        for level in topology {
            add(devices, level, node, nodes, by_watchdog, &mut found);
        }
    }
    if found.ways.is_empty() && found.missing.is_empty() {
        let configured: Vec<&str> = devices.devices.iter().map(|device| device.id.as_str()).collect();
        found.missing.push(match configured.is_empty() {
            true => "no fence device is configured".to_owned(),
            false => format!("none of the fence devices ({}) lists it", configured.join(", ")),
        });
    }
    found
}

/// Takes a way in if all of its devices could be used by somebody.
fn add(
    devices: &Devices,
    way: Vec<String>,
    node: &str,
    nodes: &[String],
    by_watchdog: bool,
    found: &mut NodeOutlook,
) {
    let mut ask = false;
    let mut is_good = true;
    for id in &way {
        if let Some(problem) = problem(devices, id, node, nodes, by_watchdog) {
            found.missing.push(problem);
            is_good = false;
        }
        ask |= devices.get(id).is_some_and(|device| {
            !matches!(device.check, Some(super::device::HostCheck::Static | super::device::HostCheck::None))
        });
    }
    if is_good {
        found.ways.push(Way { devices: way, ask });
    }
}

fn problem(devices: &Devices, id: &str, node: &str, nodes: &[String], by_watchdog: bool) -> Option<String> {
    if id == WATCHDOG_DEVICE {
        return (!by_watchdog).then(|| "its topology names watchdog, and watchdog fencing is off".to_owned());
    }
    let Some(device) = devices.get(id) else {
        return Some(format!("its topology names {id}, which is no fence device in use"));
    };
    if !device.may_fence(node) {
        return Some(format!("its topology names {id}, which does not list it"));
    }
    let mut others = nodes.iter().filter(|other| !other.eq_ignore_ascii_case(node)).peekable();
    if others.peek().is_some() && !others.any(|other| device.usable_by(other)) {
        return Some(format!("no other node may use {id}: location constraints forbid it"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Replica;

    fn read(resources: &str, rest: &str) -> Devices {
        let text = format!(
            "<cib validate-with='pacemaker-4.0'><configuration><crm_config/><nodes><node id='1' uname='n1'/>\
             <node id='2' uname='n2'/></nodes><resources>{resources}</resources>{rest}</configuration><status/></cib>"
        );
        Replica::load(Some(&text)).0.devices(cib::iso8601::DateTime::EPOCH)
    }

    fn device(id: &str, hosts: &str) -> String {
        format!(
            "<primitive id='{id}' class='stonith' type='fence_x'><instance_attributes id='{id}-i'>\
             <nvpair id='{id}-h' name='pcmk_host_list' value='{hosts}'/></instance_attributes></primitive>"
        )
    }

    fn nodes() -> Vec<String> {
        vec!["n1".to_owned(), "n2".to_owned()]
    }

    #[test]
    fn what_is_missing_is_said_precisely() {
        let told = |devices: &Devices, watchdog| gaps(devices, &nodes(), watchdog).join(" | ");
        assert!(told(&read("", "<constraints/>"), false).contains("no fence device is configured"));
        assert_eq!(told(&read("", "<constraints/>"), true), "");
        let one = told(&read(&device("a", "n1"), "<constraints/>"), false);
        assert!(one.starts_with("n2 cannot be fenced: none of the fence devices (a) lists it"), "{one}");
        assert_eq!(told(&read(&device("a", "n1 n2"), "<constraints/>"), false), "");
        let banned = "<constraints><rsc_location id='l' rsc='a' node='n2' score='-INFINITY'/></constraints>";
        let one = told(&read(&device("a", "n1 n2"), banned), false);
        assert!(one.contains("n1 cannot be fenced: no other node may use a"), "{one}");
        let topology = "<constraints/><fencing-topology>\
                        <fencing-level id='l' target='n1' index='1' devices='a,gone'/></fencing-topology>";
        let one = told(&read(&device("a", "n1 n2"), topology), false);
        assert!(one.contains("its topology names gone"), "{one}");
    }

    #[test]
    fn ways_are_in_the_order_of_use() {
        let topology = "<constraints/><fencing-topology>\
                        <fencing-level id='l' target='n1' index='2' devices='a'/>\
                        <fencing-level id='m' target='n1' index='1' devices='b,a'/></fencing-topology>";
        let both = device("a", "n1") + &device("b", "n1");
        let found = outlook(&read(&both, topology), &nodes(), false);
        let ways: Vec<String> = found[0].ways.iter().map(|way| way.devices.join("+")).collect();
        assert_eq!(ways, ["b+a", "a"]);
    }
}
