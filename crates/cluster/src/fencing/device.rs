//! One fence device: whom it fences, how long that takes, and what its agent is told (rules 4.7, 4.8).

use std::collections::BTreeMap;

use cib::value::parse_interval;

use super::{WATCHDOG_AGENT, WATCHDOG_DEVICE};

/// How it is found out whether a device can fence a node (rule 4.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostCheck {
    None,
    Static,
    List,
    Status,
}

/// A stonith resource that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub id: String,
    /// File name of the agent.
    pub agent: String,
    pub parameters: BTreeMap<String, String>,
    /// `None`: depends on what the agent offers.
    pub check: Option<HostCheck>,
    pub hosts: Vec<String>,
    pub aliases: BTreeMap<String, String>,
    /// At most so many uses at once on a node; `None` is unlimited.
    pub action_limit: Option<usize>,
    /// Nodes that may not use it (names in lower case).
    pub banned: Vec<String>,
    /// `provides=unfencing`: nodes that join must be switched on by it (rule 4.56.1).
    pub unfences: bool,
    /// What is wrong with its parameters, for people; it is used all the same.
    pub warnings: Vec<String>,
}

impl Device {
    /// The device with these evaluated parameters; `banned`: names of nodes in lower case.
    #[must_use]
    pub fn new(
        id: &str,
        agent: &str,
        parameters: BTreeMap<String, String>,
        banned: Vec<String>,
        unfences: bool,
    ) -> Device {
        let text = |name: &str| parameters.get(name).map(String::as_str);
        let aliases = text("pcmk_host_map").map(parse_map).unwrap_or_default();
        let mut hosts = text("pcmk_host_list").map(parse_hosts).unwrap_or_default();
        hosts.extend(aliases.keys().cloned());
        Device {
            id: id.to_owned(),
            agent: agent.to_owned(),
            check: host_check(&parameters),
            action_limit: action_limit(&parameters),
            warnings: warnings(id, &parameters),
            hosts,
            aliases,
            banned,
            unfences,
            parameters,
        }
    }

    /// Whether it may be able to fence this node as far as the configuration tells; dynamic ones are asked
    /// when they are used.
    #[must_use]
    pub fn may_fence(&self, target: &str) -> bool {
        self.check != Some(HostCheck::Static)
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(target))
    }

    /// Whether this node may use it.
    #[must_use]
    pub fn usable_by(&self, node: &str) -> bool {
        !self.banned.contains(&node.to_lowercase())
    }

    /// What the device calls the target.
    #[must_use]
    pub fn alias<'a>(&'a self, target: &'a str) -> &'a str {
        let known = self.aliases.iter().find(|(host, _)| host.eq_ignore_ascii_case(target));
        known.map_or(target, |(_, alias)| alias)
    }

    /// Milliseconds for one run of an action: its own limit, else what was asked for (rule 4.53.1).
    #[must_use]
    pub fn timeout(&self, action: &str, requested: u64) -> u64 {
        self.duration(&format!("pcmk_{action}_timeout")).unwrap_or(requested)
    }

    /// How often an action is tried in all (rule 4.7.6).
    #[must_use]
    pub fn attempts(&self, action: &str) -> u32 {
        attempts(&self.parameters, action)
    }

    /// The word sent for an action.
    #[must_use]
    pub fn word<'a>(&'a self, action: &'a str) -> &'a str {
        word(&self.parameters, action)
    }

    /// Base and maximum of the delay before off and reboot, in milliseconds (rule 4.54.1).
    #[must_use]
    pub fn delays(&self, target: &str) -> (u64, u64) {
        let base = self.parameters.get("pcmk_delay_base").map_or(0, |text| delay_for(text, target));
        let max = self.duration("pcmk_delay_max").unwrap_or(0);
        if max == 0 { (base, base) } else { (base.min(max), max) }
    }

    /// Stands for waiting until a node's watchdog has fired (rule 4.59.4).
    #[must_use]
    pub fn is_watchdog(&self) -> bool {
        self.agent == WATCHDOG_AGENT
    }

    fn duration(&self, name: &str) -> Option<u64> {
        self.parameters.get(name).and_then(|text| parse_interval(text))
    }
}

/// The word that a device with these parameters is sent for an action (rule 4.7.2).
#[must_use]
pub fn word<'a>(parameters: &'a BTreeMap<String, String>, action: &'a str) -> &'a str {
    parameters.get(&format!("pcmk_{action}_action")).map_or(action, String::as_str)
}

/// How often a device with these parameters tries an action in all (rule 4.7.6).
#[must_use]
pub fn attempts(parameters: &BTreeMap<String, String>, action: &str) -> u32 {
    let text = parameters.get(&format!("pcmk_{action}_retries"));
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(2).max(1)
}

/// How the configuration says that targets are found (rule 4.8.2); `None` if the agent decides.
fn host_check(parameters: &BTreeMap<String, String>) -> Option<HostCheck> {
    match parameters.get("pcmk_host_check").map(String::as_str) {
        Some("static-list") => Some(HostCheck::Static),
        Some("dynamic-list") => Some(HostCheck::List),
        Some("status") => Some(HostCheck::Status),
        Some("none") => Some(HostCheck::None),
        _ if ["pcmk_host_list", "pcmk_host_map"].iter().any(|name| parameters.contains_key(*name)) => {
            Some(HostCheck::Static)
        }
        _ => None,
    }
}

/// Simultaneous uses of a device on a node; `None` is unlimited (rule 4.8.1).
#[must_use]
pub fn action_limit(parameters: &BTreeMap<String, String>) -> Option<usize> {
    match parameters.get("pcmk_action_limit").and_then(|text| text.trim().parse::<i64>().ok()) {
        Some(-1) => None,
        Some(limit) if limit > 0 => usize::try_from(limit).ok(),
        _ => Some(1),
    }
}

/// What is wrong with the control parameters, in words.
fn warnings(id: &str, parameters: &BTreeMap<String, String>) -> Vec<String> {
    let mut warnings = Vec::new();
    let text = |name: &str| parameters.get(name).map(|text| text.trim());
    if let Some(check) = text("pcmk_host_check")
        && !matches!(check, "static-list" | "dynamic-list" | "status" | "none")
    {
        warnings.push(format!(
            "{id}: pcmk_host_check={check} is none of static-list, dynamic-list, status, none and is ignored"
        ));
    }
    if text("pcmk_host_check") == Some("static-list")
        && ["pcmk_host_list", "pcmk_host_map"].iter().all(|name| text(name).is_none())
    {
        warnings.push(format!("{id}: pcmk_host_check=static-list without a list: it fences nobody"));
    }
    if let Some(limit) = text("pcmk_action_limit")
        && !limit.parse::<i64>().is_ok_and(|limit| limit == -1 || limit > 0)
    {
        warnings.push(format!("{id}: pcmk_action_limit={limit} is no limit: 1 is used"));
    }
    for (name, value) in parameters {
        let timing = name.starts_with("pcmk_") && name.ends_with("_timeout")
            || matches!(name.as_str(), "pcmk_delay_max")
            || name == "pcmk_delay_base" && !value.contains([':', '=']);
        if timing && parse_interval(value.trim()).is_none() {
            warnings.push(format!("{id}: {name}={value} is no time and is ignored"));
        }
    }
    let bound = text("pcmk_delay_max").and_then(parse_interval).filter(|max| *max > 0);
    let base = text("pcmk_delay_base").map(longest_delay).unwrap_or(0);
    if let Some(max) = bound
        && base > max
    {
        warnings.push(format!("{id}: pcmk_delay_base is above pcmk_delay_max: every delay is the maximum"));
    }
    if id == WATCHDOG_DEVICE && parameters.contains_key("pcmk_host_map") {
        warnings.push(format!("{id}: a watchdog has no ports: pcmk_host_map is not used"));
    }
    warnings
}

fn longest_delay(text: &str) -> u64 {
    if !text.contains([':', '=']) {
        return parse_interval(text).unwrap_or(0);
    }
    parse_map(text).values().filter_map(|value| parse_interval(value)).max().unwrap_or(0)
}

/// `node:port;node:port` (rule 4.8.1).
fn parse_map(text: &str) -> BTreeMap<String, String> {
    let entries = text.split([';', ' ', '\t', '\n']).filter(|entry| !entry.is_empty());
    entries
        .filter_map(|entry| {
            let (node, port) = entry.split_once([':', '='])?;
            (!node.is_empty() && !port.is_empty()).then(|| (node.to_owned(), port.to_owned()))
        })
        .collect()
}

/// Names from a host list or an agent's output (rule 4.8.4).
#[must_use]
pub fn parse_hosts(text: &str) -> Vec<String> {
    let text = text.replace("\\n", "\n");
    let lines = text.lines().filter(|line| !line.contains("invalid") && !line.contains("variable"));
    let entries = lines.flat_map(|line| line.split(|at: char| at.is_whitespace() || matches!(at, ',' | ';')));
    let prefix = |entry: &str| {
        entry
            .chars()
            .take_while(|at| at.is_ascii_alphanumeric() || matches!(at, '_' | '-' | '.'))
            .collect::<String>()
    };
    entries.map(prefix).filter(|name| !name.is_empty() && name != "on" && name != "off").collect()
}

/// `pcmk_delay_base`: one value, or `node:value;...`; milliseconds.
fn delay_for(text: &str, target: &str) -> u64 {
    if !text.contains(':') {
        return parse_interval(text.trim()).unwrap_or(0);
    }
    let map = parse_map(text);
    let own = map.iter().find(|(node, _)| node.eq_ignore_ascii_case(target));
    own.and_then(|(_, value)| parse_interval(value)).unwrap_or(0)
}

/// The lines a fence agent reads (rules 4.7.3, 4.7.5). `target`: node, and the parameter that carries the
/// device's name for it with that name.
#[must_use]
pub fn agent_input(
    word: &str,
    parameters: &BTreeMap<String, String>,
    target: Option<(&str, Option<(&str, &str)>)>,
) -> Vec<(String, String)> {
    let mut lines = vec![("action".to_owned(), word.to_owned())];
    if let Some((node, port)) = target {
        lines.push(("nodename".to_owned(), node.to_owned()));
        if let Some((parameter, alias)) = port {
            let own = parameters.get(parameter).is_some_and(|value| value != "dynamic");
            if !own {
                lines.push((parameter.to_owned(), alias.to_owned()));
            }
        }
    }
    let port = target.and_then(|(_, port)| port).map(|(parameter, _)| parameter);
    for (name, value) in parameters {
        let dynamic = Some(name.as_str()) == port && value == "dynamic";
        if !is_control(name) && !dynamic {
            lines.push((name.clone(), value.clone()));
        }
    }
    lines
}

/// The parameter that carries the target (rule 4.7.5).
#[must_use]
pub fn port_parameter(device: &Device, metadata: Option<&crate::operation::AgentMetadata>) -> Option<String> {
    if let Some(own) = device.parameters.get("pcmk_host_argument") {
        return (!own.eq_ignore_ascii_case("none")).then(|| own.clone());
    }
    if device.agent == "fence_legacy" {
        return None;
    }
    let lists =
        |name: &str| metadata.is_some_and(|known| known.parameters.iter().any(|one| one.name == name));
    ["plug", "port"].into_iter().find(|name| lists(name)).map(str::to_owned)
}

fn is_control(name: &str) -> bool {
    name.eq_ignore_ascii_case("action")
        || name.starts_with("pcmk_")
        || name.starts_with("CRM_meta_")
        || matches!(name, "provides" | "stonith-timeout" | "crm_feature_set")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(parameters: &[(&str, &str)]) -> Device {
        let parameters =
            parameters.iter().map(|(name, value)| (String::from(*name), String::from(*value))).collect();
        Device::new("fence", "fence_x", parameters, vec!["node3".to_owned()], false)
    }

    #[test]
    fn a_static_list_tells_whom_a_device_fences() {
        let device =
            device(&[("pcmk_host_map", "node1:1,2;node2:3"), ("pcmk_delay_base", "node1:5s;node2:7s")]);
        assert!(device.may_fence("NODE1") && !device.may_fence("node3"));
        assert_eq!(device.alias("node1"), "1,2");
        assert_eq!(device.delays("node2"), (7000, 7000));
        assert!(!device.usable_by("Node3"));
    }

    #[test]
    fn host_lists_are_read_leniently() {
        assert_eq!(parse_hosts("node1,on;node2 off\\nx.y-z:9\ninvalid line"), ["node1", "node2", "x.y-z"]);
    }

    #[test]
    fn agents_get_parameters_but_not_control_ones() {
        let device = device(&[("ipaddr", "10.0.0.1"), ("pcmk_host_list", "a"), ("ACTION", "off")]);
        let lines = agent_input("reboot", &device.parameters, Some(("a", Some(("port", "7")))));
        let lines: Vec<String> = lines.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(lines, ["action=reboot", "nodename=a", "port=7", "ipaddr=10.0.0.1"]);
    }

    #[test]
    fn mistakes_in_parameters_are_told() {
        let told = |parameters: &[(&str, &str)]| device(parameters).warnings.join("; ");
        assert!(told(&[("pcmk_host_check", "static")]).contains("none of static-list"));
        assert!(told(&[("pcmk_action_limit", "0")]).contains("1 is used"));
        assert!(told(&[("pcmk_delay_base", "9s"), ("pcmk_delay_max", "5s")]).contains("the maximum"));
        assert!(told(&[("pcmk_reboot_timeout", "fast")]).contains("no time"));
        assert_eq!(told(&[("pcmk_host_list", "a"), ("pcmk_delay_base", "a:5s;b:7s")]), "");
    }
}
