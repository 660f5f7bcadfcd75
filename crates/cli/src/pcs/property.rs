//! `pcs property …`, `pcs resource defaults …`, `pcs node …` and `pcs stonith level …`: settings outside resources
//! (rules 5d.4 and 5d.6).

use xml::NodeId;

use super::constraint::Told;
use super::words::{Result, pairs};
use crate::configuration::{Configuration, sanitized};

/// Properties that the cluster writes itself.
const NOT_FOR_USERS: [&str; 4] = ["cluster-infrastructure", "cluster-name", "dc-version", "have-watchdog"];

/// `property set n=v…`.
pub fn set(configuration: &mut Configuration, words: &[String], force: bool) -> Result<Told> {
    let mut told = Told::default();
    let wanted = pairs(words)?;
    if wanted.is_empty() {
        return Err("missing properties to set: property set <name>=<value>...".into());
    }
    for (name, value) in &wanted {
        check_property(name, value, force, &mut told)?;
        if value.is_empty() && !is_set(configuration, name) {
            forcible(
                format!(
                    "Cannot remove property '{name}', it is not present in property set 'cib-bootstrap-options'"
                ),
                force,
                &mut told,
            )?;
        }
        if matches!(name.as_str(), "stonith-enabled" | "fencing-enabled")
            && cib::value::parse_boolean(value) == Some(false)
        {
            told.stderr.push(
                "Warning: without fencing, a lost node may still run its resources: the cluster cannot keep them from running twice"
                    .into(),
            );
        }
    }
    let set = property_set(configuration);
    configuration.set_pairs(set, &wanted);
    Ok(told)
}

/// `property unset n…`.
pub fn unset(configuration: &mut Configuration, names: &[String], force: bool) -> Result<Told> {
    let words: Vec<String> = names.iter().map(|name| format!("{name}=")).collect();
    set(configuration, &words, force)
}

fn is_set(configuration: &Configuration, name: &str) -> bool {
    configured(configuration).iter().any(|(known, _)| known == name)
}

/// The pairs of the first property set.
pub fn configured(configuration: &Configuration) -> Vec<(String, String)> {
    configuration
        .section("crm_config")
        .and_then(|section| configuration.child(section, "cluster_property_set"))
        .map(|set| configuration.pairs(set))
        .unwrap_or_default()
}

fn property_set(configuration: &mut Configuration) -> NodeId {
    let section = configuration.section_or_new("crm_config");
    configuration.set_or_new(section, "cluster_property_set", "cib-bootstrap-options")
}

fn check_property(name: &str, value: &str, force: bool, told: &mut Told) -> Result<()> {
    let table = cib::options::CLUSTER_OPTIONS;
    let Some(option) = cib::options::find(table, name) else {
        let mut allowed: Vec<String> = table
            .iter()
            .map(|option| option.name)
            .filter(|name| !NOT_FOR_USERS.contains(name))
            .map(|name| format!("'{name}'"))
            .collect();
        allowed.sort();
        let near = cib::options::did_you_mean(table, name)
            .map(|known| format!(" (did you mean '{known}'?)"))
            .unwrap_or_default();
        return forcible(
            format!(
                "invalid cluster property option '{name}'{near}, allowed options are: {}",
                allowed.join(", ")
            ),
            force,
            told,
        );
    };
    if NOT_FOR_USERS.contains(&option.name) {
        let hint = if option.name == "cluster-name" {
            ". This command cannot be used for renaming a cluster, use 'pcs cluster rename'"
        } else {
            ""
        };
        return forcible(format!("invalid cluster property option '{name}'{hint}"), force, told);
    }
    if value.is_empty() {
        return Ok(());
    }
    match option.kind.expects(value) {
        None => Ok(()),
        Some(expected) => {
            forcible(format!("'{value}' is not a valid {name} value, use {expected}"), force, told)
        }
    }
}

fn forcible(problem: String, force: bool, told: &mut Told) -> Result<()> {
    if !force {
        return Err(format!("{problem}, use --force to override").into());
    }
    told.stderr.push(format!("Warning: {problem}"));
    Ok(())
}

/// `resource defaults update n=v…` and `resource op defaults update n=v…`.
pub fn set_defaults(configuration: &mut Configuration, section: &str, words: &[String]) -> Result<Told> {
    let wanted = pairs(words)?;
    if wanted.is_empty() {
        return Err("missing defaults to set: <name>=<value>...".into());
    }
    let element = configuration.section_or_new(section);
    let sets: Vec<NodeId> = configuration.children(element);
    if sets.len() > 1 {
        return Err("Several options sets exist, please specify an option set ID".into());
    }
    let set = configuration.set_or_new(element, "meta_attributes", &format!("{section}-meta_attributes"));
    configuration.set_pairs(set, &wanted);
    Ok(Told {
        stderr: vec![
            "Warning: Defaults do not apply to resources which override them with their own defined values"
                .into(),
        ],
        ..Told::default()
    })
}

/// `resource defaults [config]`.
pub fn show_defaults(configuration: &Configuration, section: &str) -> Vec<String> {
    let Some(element) = configuration.section(section) else { return vec!["No defaults set".into()] };
    let mut lines = Vec::new();
    for set in configuration.children(element) {
        let score = configuration
            .document
            .attribute(set, "score")
            .map(|score| format!(" score={score}"))
            .unwrap_or_default();
        lines.push(format!("Meta Attrs: {}{score}", configuration.id(set)));
        lines.extend(configuration.pairs(set).iter().map(|(name, value)| format!("  {name}={value}")));
    }
    if lines.is_empty() { vec!["No defaults set".into()] } else { lines }
}

/// `node standby|unstandby|maintenance|unmaintenance`: a permanent node attribute on each node (rule 5d.6).
pub fn set_node_mode(
    configuration: &mut Configuration,
    nodes: &[String],
    name: &str,
    value: &str,
) -> Result<Told> {
    let mut elements = Vec::new();
    for node in nodes {
        elements.push(
            node_element(configuration, node)
                .ok_or_else(|| format!("Node '{node}' does not appear to exist in configuration"))?,
        );
    }
    for element in elements {
        set_node_attributes(configuration, element, &[(name.to_owned(), value.to_owned())]);
    }
    Ok(Told::default())
}

/// `node attribute N n=v…`.
pub fn node_attribute(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [node, rest @ ..] = words else {
        return Err("expected: node attribute <node> <name>=<value>...".into());
    };
    let element =
        node_element(configuration, node).ok_or_else(|| format!("Unable to find a node: {node}"))?;
    let wanted = pairs(rest)?;
    set_node_attributes(configuration, element, &wanted);
    Ok(Told::default())
}

fn node_element(configuration: &Configuration, name: &str) -> Option<NodeId> {
    let section = configuration.section("nodes")?;
    configuration
        .children(section)
        .into_iter()
        .find(|node| configuration.attribute(*node, "uname").eq_ignore_ascii_case(name))
}

fn set_node_attributes(configuration: &mut Configuration, node: NodeId, wanted: &[(String, String)]) {
    let removing = wanted.iter().all(|(_, value)| value.is_empty());
    if removing && configuration.child(node, "instance_attributes").is_none() {
        return;
    }
    let id = format!("nodes-{}", configuration.id(node));
    let set = configuration.set_or_new(node, "instance_attributes", &id);
    configuration.set_pairs(set, wanted);
}

/// `node attribute` and `node utilization` without values: the sets with this tag, of all nodes or of one.
///
/// # Errors
/// The node that is named is not there.
pub fn show_node_sets(
    configuration: &Configuration,
    tag: &str,
    title: &str,
    only: Option<&str>,
) -> Result<Vec<String>> {
    let section = configuration.section("nodes");
    let mut nodes = section.map(|section| configuration.children(section)).unwrap_or_default();
    if let Some(only) = only {
        nodes.retain(|node| configuration.attribute(*node, "uname") == only);
        if nodes.is_empty() {
            return Err(format!("Unable to find a node: {only}").into());
        }
    }
    let mut lines = Vec::new();
    for node in nodes {
        for set in configuration.children(node) {
            let pairs = configuration.pairs(set);
            if configuration.name(set) != tag || pairs.is_empty() {
                continue;
            }
            lines.push(format!("Node: {}", configuration.attribute(node, "uname")));
            lines.push(format!("  {title}: {}", configuration.id(set)));
            lines.extend(pairs.iter().map(|(name, value)| format!("    {name}={value}")));
        }
    }
    Ok(lines)
}

/// `resource utilization R n=v…` and `node utilization N n=v…`: `owner` is the element, `id` that of its set.
fn set_utilization(
    configuration: &mut Configuration,
    owner: NodeId,
    id: &str,
    words: &[String],
) -> Result<Told> {
    let wanted = pairs(words)?;
    for (name, value) in &wanted {
        if !value.is_empty() && value.parse::<i64>().is_err() {
            return Err(format!("Value of utilization attribute must be integer: '{name}={value}'").into());
        }
    }
    let mut told = Told::default();
    let strategy = configured(configuration).into_iter().find(|(name, _)| name == "placement-strategy");
    if strategy.is_none_or(|(_, value)| value == "default") {
        told.stderr.push(
            "Warning: Utilization attributes configuration has no effect until cluster property option \
             'placement-strategy' is set to one of the values: 'balanced', 'minimal', 'utilization'"
                .to_owned(),
        );
    }
    let removing = wanted.iter().all(|(_, value)| value.is_empty());
    if !(removing && configuration.child(owner, "utilization").is_none()) {
        let set = configuration.set_or_new(owner, "utilization", id);
        configuration.set_pairs(set, &wanted);
        if configuration.children(set).is_empty() {
            configuration.document.remove(set);
        }
    }
    Ok(told)
}

/// `resource utilization R n=v…`.
pub fn resource_utilization(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [id, rest @ ..] = words else { return Ok(Told::default()) };
    let found = configuration.resource(id).filter(|found| configuration.name(*found) == "primitive");
    let resource = found.ok_or_else(|| format!("Unable to find a resource: {id}"))?;
    set_utilization(configuration, resource, &format!("{id}-utilization"), rest)
}

/// `node utilization N n=v…`.
pub fn node_utilization(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [name, rest @ ..] = words else { return Ok(Told::default()) };
    let found = node_element(configuration, name);
    let node = found.ok_or_else(|| format!("Unable to find a node: {name}"))?;
    let id = format!("nodes-{}-utilization", configuration.id(node));
    set_utilization(configuration, node, &id, rest)
}

/// `resource utilization [R]`: of all primitives that have any, or of one.
///
/// # Errors
/// The one that is named is not there.
pub fn show_resource_utilization(configuration: &Configuration, only: Option<&str>) -> Result<Vec<String>> {
    let all = configuration.resources().into_iter();
    let mut primitives: Vec<NodeId> = all.filter(|it| configuration.name(*it) == "primitive").collect();
    if let Some(only) = only {
        primitives.retain(|element| configuration.id(*element) == only);
        if primitives.is_empty() {
            return Err(format!("Unable to find a resource: {only}").into());
        }
    }
    let mut lines = vec!["Resource Utilization:".to_owned()];
    for element in primitives {
        let mut pairs: Vec<(String, String)> =
            utilization_sets(configuration, element).flat_map(|set| configuration.pairs(set)).collect();
        pairs.sort();
        let words: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !words.is_empty() || only.is_some() {
            lines.push(format!(" {}: {}", configuration.id(element), words.join(" ")));
        }
    }
    Ok(lines)
}

fn utilization_sets(configuration: &Configuration, owner: NodeId) -> impl Iterator<Item = NodeId> {
    configuration.children(owner).into_iter().filter(|set| configuration.name(*set) == "utilization")
}

/// `stonith level add LEVEL TARGET DEVICE… [id=ID]` (rule 5d.4).
pub fn level_add(configuration: &mut Configuration, words: &[String], force: bool) -> Result<Told> {
    let [level, target, rest @ ..] = words else {
        return Err("expected: stonith level add <level> <target> <stonith id>... [id=<id>]".into());
    };
    if !level.parse::<u32>().is_ok_and(|level| (1..=9).contains(&level)) {
        return Err(format!("'{level}' is not a valid level value, use an integer from 1 to 9").into());
    }
    let mut told = Told::default();
    let mut id = None;
    let mut devices: Vec<&str> = Vec::new();
    for word in rest {
        match word.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            _ => devices.extend(word.split(',')),
        }
    }
    if devices.is_empty() {
        return Err("no fence device given".into());
    }
    for device in &devices {
        if configuration.resource(device).is_none_or(|element| !configuration.is_fence_device(element)) {
            forcible(format!("Stonith resource(s) '{device}' do not exist"), force, &mut told)?;
        }
    }
    let (attributes, name): (Vec<(&str, String)>, String) = match target.split_once('%') {
        Some(("regexp", pattern)) => (vec![("target-pattern", pattern.to_owned())], pattern.to_owned()),
        Some(("attrib", pair)) => {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| format!("'{pair}' is not attribute=value"))?;
            (vec![("target-attribute", name.to_owned()), ("target-value", value.to_owned())], name.to_owned())
        }
        _ => {
            if !configuration.node_names().iter().any(|node| node == target) {
                forcible(
                    format!("Node '{target}' does not appear to exist in configuration"),
                    force,
                    &mut told,
                )?;
            }
            (vec![("target", target.clone())], target.clone())
        }
    };
    let devices = devices.join(",");
    let section = configuration.section_or_new("fencing-topology");
    let same = |configuration: &Configuration, element: NodeId| {
        configuration.attribute(element, "index") == level
            && configuration.attribute(element, "devices") == devices
            && attributes.iter().all(|(name, value)| configuration.attribute(element, name) == value)
    };
    if configuration.children(section).into_iter().any(|element| same(configuration, element)) {
        return Err(format!(
            "Fencing level for '{name}' at level '{level}' with device(s) '{}' already exists",
            devices.replace(',', "', '")
        )
        .into());
    }
    let id = id.unwrap_or_else(|| configuration.free_id(&sanitized(&format!("fl-{name}-{level}"))));
    let element = configuration.document.append_element(section, "fencing-level");
    for (name, value) in &attributes {
        configuration.document.set_attribute(element, name, value);
    }
    configuration.document.set_attribute(element, "index", level);
    configuration.document.set_attribute(element, "devices", &devices);
    configuration.document.set_attribute(element, "id", &id);
    Ok(told)
}
