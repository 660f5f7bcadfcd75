//! `pcs resource …`: create and change resources (rules 5d.2 and 5d.3).

use std::collections::BTreeMap;

use xml::NodeId;

use super::catalog::{AgentMetadata, AgentName, Catalog};
use super::constraint::Told;
use super::words::{Options, Result, pairs, sections};
use crate::configuration::{Configuration, check_id};

/// Attributes that an `op` may have.
const OPERATION_OPTIONS: [&str; 11] = [
    "OCF_CHECK_LEVEL",
    "description",
    "enabled",
    "id",
    "interval",
    "interval-origin",
    "name",
    "on-fail",
    "record-pending",
    "role",
    "timeout",
];

/// Actions of the metadata that are never configured as operations.
const NEVER_CONFIGURED: [&str; 3] = ["meta-data", "validate-all", "status"];

/// One operation as it will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Operation {
    name: String,
    /// Attributes without `name` and `id`.
    options: BTreeMap<String, String>,
}

impl Operation {
    fn interval(&self) -> &str {
        self.options.get("interval").map_or("0s", String::as_str)
    }
}

/// What stands around or after the primitive in a create command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wrapping {
    None,
    Clone { promotable: bool, id: Option<String>, meta: Vec<(String, String)> },
    Group { id: String, before: Option<String>, after: Option<String> },
    Bundle(String),
}

/// `resource create` and `stonith create`.
pub fn create(
    configuration: &mut Configuration,
    catalog: &dyn Catalog,
    words: &[String],
    options: &Options,
    fence_device: bool,
) -> Result<Told> {
    let mut told = Told::default();
    let (head, parts) = sections(words, &["op", "meta", "clone", "promotable", "master", "bundle", "group"]);
    let [id, agent, parameters @ ..] = head else {
        let family = if fence_device { "stonith" } else { "resource" };
        return Err(
            format!("usage: pcs {family} create <id> <agent> [name=value]... [op ...] [meta ...]").into()
        );
    };
    check_id(id, if fence_device { "fence device name" } else { "resource name" })?;
    if configuration.by_id(id).is_some() {
        return Err(format!("'{id}' already exists").into());
    }
    let agent = resolve_agent(catalog, agent, fence_device, &mut told)?;
    let metadata = agent_metadata(catalog, &agent, options.force, &mut told)?;
    let parameters = pairs(parameters)?;
    check_parameters(&metadata, &parameters, options.force, fence_device, &mut told)?;
    warn_if_not_unique(configuration, &agent, &metadata, &parameters, options.force, &mut told)?;

    let mut operations = Vec::new();
    let mut meta = Vec::new();
    let mut wrapping = wrapping_from_options(options);
    for (keyword, words) in parts {
        match keyword {
            "op" => operations.extend(read_operations(words)?),
            "meta" => meta.extend(pairs(words)?),
            "clone" | "promotable" => wrapping = read_clone(keyword == "promotable", words)?,
            "master" => {
                return Err("missing value of 'master' option\nHint: Syntax has changed from previous version. See 'man pcs' -> Changes in pcs-0.12. Use 'promotable'".into());
            }
            "group" => wrapping = read_group(words, options)?,
            _ => {
                let [bundle] = words else { return Err("expected: bundle <bundle id>".into()) };
                wrapping = Wrapping::Bundle(bundle.clone());
            }
        }
    }
    if fence_device && wrapping != Wrapping::None {
        return Err("a fence device cannot be put into a group, clone or bundle".into());
    }
    if options.flag("--disabled") && !matches!(wrapping, Wrapping::Clone { .. }) {
        meta.push(("target-role".into(), "Stopped".into()));
    }
    if fence_device && metadata.provides_unfencing && !meta.iter().any(|(name, _)| name == "provides") {
        meta.push(("provides".into(), "unfencing".into()));
    }
    meta.sort();
    warn_unknown_meta(&meta, configuration, &mut told);
    let operations = complete_operations(operations, &metadata, options, fence_device, &mut told)?;

    let section = configuration.section_or_new("resources");
    let parent = wrapping_parent(configuration, section, &wrapping, id)?;
    let primitive = write_primitive(configuration, parent, id, &agent, &parameters, &meta, &operations);
    finish_wrapping(configuration, primitive, id, &wrapping, options)?;
    Ok(told)
}

/// A full name is looked up; a bare type is searched in all standards (rule 5d.2.2).
fn resolve_agent(
    catalog: &dyn Catalog,
    text: &str,
    fence_device: bool,
    told: &mut Told,
) -> Result<AgentName> {
    if fence_device {
        if text.contains(':') {
            return Err(format!(
                "Invalid stonith agent name '{text}'. Agent name cannot contain the ':' character, do not use the 'stonith:' prefix."
            )
            .into());
        }
        return Ok(AgentName { class: "stonith".into(), provider: None, kind: text.to_owned() });
    }
    if let Some(agent) = AgentName::parse(text) {
        if agent.class == "stonith" {
            return Err("use 'pcs stonith create' to create fence devices".into());
        }
        return Ok(agent);
    }
    let found: Vec<AgentName> =
        catalog.find(text).into_iter().filter(|agent| agent.class != "stonith").collect();
    match found.as_slice() {
        [agent] => {
            told.stderr.push(format!("Assumed agent name '{agent}' (deduced from '{text}')"));
            Ok(agent.clone())
        }
        [] => Err(format!("Unable to find agent '{text}', try specifying its full name").into()),
        several => {
            let names: Vec<String> = several.iter().map(|agent| format!("'{agent}'")).collect();
            let (last, rest) =
                names.split_last().map(|(last, rest)| (last.clone(), rest.join(", "))).unwrap_or_default();
            Err(format!("Multiple agents match '{text}', please specify full name: {rest} or {last}").into())
        }
    }
}

fn agent_metadata(
    catalog: &dyn Catalog,
    agent: &AgentName,
    force: bool,
    told: &mut Told,
) -> Result<AgentMetadata> {
    match catalog.metadata(agent) {
        Ok(metadata) => Ok(metadata),
        Err(why) => {
            let problem =
                format!("Agent '{agent}' is not installed or does not provide valid metadata: {why}");
            if !force {
                return Err(format!("{problem}, use --force to override").into());
            }
            told.stderr.push(format!("Warning: {problem}"));
            Ok(AgentMetadata::default())
        }
    }
}

/// Unknown and missing parameters are refused unless forced (rule 5d.2.5).
fn check_parameters(
    metadata: &AgentMetadata,
    given: &[(String, String)],
    force: bool,
    fence_device: bool,
    told: &mut Told,
) -> Result<()> {
    if metadata.parameters.is_empty() {
        return Ok(());
    }
    let known = |name: &str| {
        metadata.parameters.iter().any(|parameter| parameter.name == name)
            || (fence_device
                && (name.starts_with("pcmk_") || matches!(name, "priority" | "stonith-timeout" | "provides")))
            || name == "trace_ra"
            || name == "trace_file"
    };
    let family = if fence_device { "stonith" } else { "resource" };
    let unknown: Vec<String> =
        given.iter().filter(|(name, _)| !known(name)).map(|(name, _)| format!("'{name}'")).collect();
    if !unknown.is_empty() {
        let mut allowed: Vec<String> =
            metadata.parameters.iter().map(|parameter| format!("'{}'", parameter.name)).collect();
        allowed.sort();
        let plural = if unknown.len() == 1 { "option" } else { "options" };
        forcible(
            format!(
                "invalid {family} {plural} {}, allowed options are: {}",
                unknown.join(", "),
                allowed.join(", ")
            ),
            force,
            told,
        )?;
    }
    let missing: Vec<String> = metadata
        .parameters
        .iter()
        .filter(|parameter| parameter.required && !parameter.deprecated && parameter.name != "action")
        .filter(|parameter| !given.iter().any(|(name, _)| *name == parameter.name))
        .map(|parameter| format!("'{}'", parameter.name))
        .collect();
    match missing.as_slice() {
        [] => Ok(()),
        [one] => forcible(format!("required {family} option {one} is missing"), force, told),
        several => {
            forcible(format!("required {family} options {} are missing", several.join(", ")), force, told)
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

fn warn_if_not_unique(
    configuration: &Configuration,
    agent: &AgentName,
    metadata: &AgentMetadata,
    given: &[(String, String)],
    force: bool,
    told: &mut Told,
) -> Result<()> {
    for parameter in metadata.parameters.iter().filter(|parameter| parameter.unique_group.is_some()) {
        let Some((name, value)) = given.iter().find(|(name, _)| *name == parameter.name) else { continue };
        let mut same: Vec<String> = configuration
            .resources()
            .into_iter()
            .filter(|resource| {
                configuration.attribute(*resource, "class") == agent.class
                    && configuration.document.attribute(*resource, "provider") == agent.provider.as_deref()
                    && configuration.attribute(*resource, "type") == agent.kind
            })
            .filter(|resource| {
                configuration.child(*resource, "instance_attributes").is_some_and(|set| {
                    configuration.pairs(set).iter().any(|(known, old)| known == name && old == value)
                })
            })
            .map(|resource| format!("'{}'", configuration.id(resource)))
            .collect();
        same.sort();
        if !same.is_empty() {
            let problem = format!(
                "Value '{value}' of option '{name}' is not unique across '{agent}' resources. Following resources are configured with the same value of the instance attribute: {}",
                same.join(", ")
            );
            forcible(problem, force, told)?;
        }
    }
    Ok(())
}

fn warn_unknown_meta(meta: &[(String, String)], configuration: &mut Configuration, told: &mut Told) {
    let known: Vec<&str> = cib::options::RESOURCE_META_ATTRIBUTES.iter().map(|option| option.name).collect();
    for (name, value) in meta {
        let Some(option) = cib::options::find(cib::options::RESOURCE_META_ATTRIBUTES, name) else { continue };
        if let Some(expected) = option.kind.expects(value).filter(|_| !value.is_empty()) {
            told.stderr.push(format!("Warning: '{value}' is not a valid {name} value, use {expected}"));
            configuration.warned_of.push(name.clone());
        }
    }
    for (name, _) in meta.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        let near = cib::options::did_you_mean(cib::options::RESOURCE_META_ATTRIBUTES, name)
            .map(|known| format!(" (did you mean '{known}'?)"))
            .unwrap_or_default();
        let mut names: Vec<String> = known.iter().map(|name| format!("'{name}'")).collect();
        names.sort();
        configuration.warned_of.push(name.clone());
        told.stderr.push(format!(
            "Warning: Resource meta attribute '{name}' has no effect on cluster resource handling{near}, meta attributes with effect: {}",
            names.join(", ")
        ));
    }
}

fn wrapping_from_options(options: &Options) -> Wrapping {
    if let Some(group) = options.value("group") {
        return Wrapping::Group {
            id: group.to_owned(),
            before: options.value("before").map(str::to_owned),
            after: options.value("after").map(str::to_owned),
        };
    }
    if options.flag("--clone") {
        return Wrapping::Clone { promotable: false, id: None, meta: Vec::new() };
    }
    if options.flag("--master") {
        return Wrapping::Clone { promotable: true, id: None, meta: Vec::new() };
    }
    Wrapping::None
}

fn read_clone(promotable: bool, words: &[String]) -> Result<Wrapping> {
    let (id, words) = match words {
        [first, rest @ ..] if !first.contains('=') => (Some(first.clone()), rest),
        words => (None, words),
    };
    if let Some(id) = &id {
        check_id(id, "clone id")?;
    }
    Ok(Wrapping::Clone { promotable, id, meta: pairs(words)? })
}

fn read_group(words: &[String], options: &Options) -> Result<Wrapping> {
    let (id, position) = match words {
        [id] => (id, None),
        [id, keyword, other] if keyword == "before" || keyword == "after" => {
            (id, Some((keyword.as_str(), other.clone())))
        }
        _ => return Err("expected: group <group id> [before|after <resource id>]".into()),
    };
    let pick = |keyword: &str| match &position {
        Some((given, other)) if *given == keyword => Some(other.clone()),
        _ => options.value(keyword).map(str::to_owned),
    };
    Ok(Wrapping::Group { id: id.clone(), before: pick("before"), after: pick("after") })
}

/// `ACTION name=value… [ACTION name=value…]`.
fn read_operations(words: &[String]) -> Result<Vec<Operation>> {
    let mut operations: Vec<Operation> = Vec::new();
    for word in words {
        match (word.split_once('='), operations.last_mut()) {
            (None, _) => operations.push(Operation { name: word.clone(), options: BTreeMap::new() }),
            (Some(_), None) => {
                return Err("When using 'op' you must specify an operation name after 'op'".into());
            }
            (Some((name, value)), Some(operation)) => {
                if !OPERATION_OPTIONS.contains(&name) && name != "start-delay" {
                    let mut allowed: Vec<String> =
                        OPERATION_OPTIONS.iter().map(|name| format!("'{name}'")).collect();
                    allowed.push("'start-delay'".into());
                    allowed.sort();
                    return Err(format!(
                        "invalid resource operation option '{name}', allowed options are: {}",
                        allowed.join(", ")
                    )
                    .into());
                }
                check_operation_value(name, value)?;
                operation.options.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    if let Some(bare) = operations.iter().find(|operation| operation.options.is_empty()) {
        return Err(format!(
            "When using 'op' you must specify an operation name and at least one option (after '{}')",
            bare.name
        )
        .into());
    }
    Ok(operations)
}

fn check_operation_value(name: &str, value: &str) -> Result<()> {
    const BOOLEAN: &[&str] = &["0", "1", "false", "true"];
    const ON_FAIL: &[&str] =
        &["block", "demote", "fence", "ignore", "restart", "restart-container", "standby", "stop"];
    const ROLES: &[&str] = &["Master", "Promoted", "Slave", "Started", "Stopped", "Unpromoted"];
    let words = match name {
        "interval" | "timeout" | "start-delay" => {
            return match cib::value::parse_interval(value) {
                Some(_) => Ok(()),
                None => Err(format!(
                    "'{value}' is not a valid {name} value, use a time interval (e.g. 1, 2s, 3m, 4h, ...)"
                )
                .into()),
            };
        }
        "enabled" | "record-pending" => BOOLEAN,
        "on-fail" => ON_FAIL,
        "role" => ROLES,
        _ => return Ok(()),
    };
    if words.iter().any(|word| word.eq_ignore_ascii_case(value)) {
        return Ok(());
    }
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    Err(format!("'{value}' is not a valid {name} value, use {}", words.join(", ")).into())
}

/// The user's operations, completed from the agent's metadata (rule 5d.2.4).
fn complete_operations(
    mut operations: Vec<Operation>,
    metadata: &AgentMetadata,
    options: &Options,
    fence_device: bool,
    told: &mut Told,
) -> Result<Vec<Operation>> {
    for operation in &mut operations {
        let default = if operation.name == "monitor" { "60s" } else { "0s" };
        operation.options.entry("interval".into()).or_insert_with(|| default.into());
        if let Some(role) = operation.options.get_mut("role") {
            *role = match role.to_ascii_lowercase().as_str() {
                "master" => "Promoted".into(),
                "slave" => "Unpromoted".into(),
                _ => role.clone(),
            };
        }
    }
    refuse_duplicates(&operations)?;
    let given: Vec<String> = operations.iter().map(|operation| operation.name.clone()).collect();
    let wanted = |name: &str| {
        !given.iter().any(|known| known == name)
            && !NEVER_CONFIGURED.contains(&name)
            && (name == "monitor" || !(fence_device || options.flag("--no-default-ops")))
    };
    for advertised in metadata.actions.iter().filter(|action| wanted(&action.name)) {
        if fence_device {
            continue;
        }
        let mut operation = Operation { name: advertised.name.clone(), options: BTreeMap::new() };
        for (name, value) in &advertised.attributes {
            match name.as_str() {
                "depth" if value != "0" => {
                    operation.options.insert("OCF_CHECK_LEVEL".into(), value.clone());
                }
                "interval" | "timeout" | "start-delay" | "role" => {
                    let value = if name == "role" { modern_role(value) } else { value.clone() };
                    operation.options.insert(name.clone(), value);
                }
                _ => {}
            }
        }
        operation.options.entry("interval".into()).or_insert_with(|| "0s".into());
        make_unique(&mut operation, &operations, told);
        operations.push(operation);
    }
    if !operations.iter().any(|operation| operation.name == "monitor") {
        let options = BTreeMap::from([("interval".to_owned(), "60s".to_owned())]);
        operations.push(Operation { name: "monitor".into(), options });
    }
    operations.sort_by(|left, right| (&left.name, left.interval()).cmp(&(&right.name, right.interval())));
    Ok(operations)
}

fn modern_role(role: &str) -> String {
    match role {
        "Master" => "Promoted".into(),
        "Slave" => "Unpromoted".into(),
        other => other.to_owned(),
    }
}

fn refuse_duplicates(operations: &[Operation]) -> Result<()> {
    for (index, operation) in operations.iter().enumerate() {
        let same: Vec<&str> = operations[index..]
            .iter()
            .filter(|other| {
                other.name == operation.name
                    && interval_ms(other.interval()) == interval_ms(operation.interval())
            })
            .map(Operation::interval)
            .collect();
        if same.len() > 1 {
            return Err(format!(
                "multiple specification of the same operation with the same interval:\n{} with intervals {}",
                operation.name,
                same.join(", ")
            )
            .into());
        }
    }
    Ok(())
}

fn make_unique(operation: &mut Operation, others: &[Operation], told: &mut Told) {
    let original = operation.interval().to_owned();
    let taken = |interval: &str| {
        others.iter().any(|other| {
            other.name == operation.name && interval_ms(other.interval()) == interval_ms(interval)
        })
    };
    let mut interval = original.clone();
    while interval_ms(&interval) != 0 && taken(&interval) {
        interval = format!("{}s", interval_ms(&interval) / 1000 + 1);
    }
    if interval != original {
        told.stderr.push(format!(
            "Warning: changing a {} operation interval from {original} to {interval} to make the operation unique",
            operation.name
        ));
        operation.options.insert("interval".into(), interval);
    }
}

fn interval_ms(text: &str) -> u64 {
    cib::value::parse_interval(text).unwrap_or(0)
}

/// The element in which the primitive will be appended.
fn wrapping_parent(
    configuration: &mut Configuration,
    section: NodeId,
    wrapping: &Wrapping,
    id: &str,
) -> Result<NodeId> {
    match wrapping {
        Wrapping::None | Wrapping::Clone { .. } => Ok(section),
        Wrapping::Group { id: group, .. } => match configuration.resource(group) {
            Some(element) if configuration.name(element) == "group" => Ok(element),
            Some(_) => Err(format!("'{group}' is not a group").into()),
            None => {
                check_id(group, "group name")?;
                if configuration.by_id(group).is_some() {
                    return Err(format!("'{group}' already exists").into());
                }
                let element = configuration.document.append_element(section, "group");
                configuration.document.set_attribute(element, "id", group);
                Ok(element)
            }
        },
        Wrapping::Bundle(bundle) => {
            let element = configuration
                .resource(bundle)
                .filter(|element| configuration.name(*element) == "bundle")
                .ok_or_else(|| format!("bundle '{bundle}' does not exist"))?;
            if let Some(inner) = configuration.child(element, "primitive") {
                return Err(format!(
                    "bundle '{bundle}' already contains resource '{}', a bundle may contain at most one resource",
                    configuration.id(inner)
                )
                .into());
            }
            let network = configuration.child(element, "network");
            let reachable = network.is_some_and(|network| {
                ["control-port", "ip-range-start"]
                    .iter()
                    .any(|name| configuration.document.attribute(network, name).is_some())
            });
            if !reachable {
                return Err(format!(
                    "Resource '{id}' will not be accessible by the cluster inside bundle '{bundle}', at least one of bundle options 'control-port' or 'ip-range-start' has to be specified"
                )
                .into());
            }
            Ok(element)
        }
    }
}

fn write_primitive(
    configuration: &mut Configuration,
    parent: NodeId,
    id: &str,
    agent: &AgentName,
    parameters: &[(String, String)],
    meta: &[(String, String)],
    operations: &[Operation],
) -> NodeId {
    let primitive = configuration.document.append_element(parent, "primitive");
    configuration.document.set_attribute(primitive, "id", id);
    configuration.document.set_attribute(primitive, "class", &agent.class);
    configuration.document.set_attribute(primitive, "type", &agent.kind);
    if let Some(provider) = &agent.provider {
        configuration.document.set_attribute(primitive, "provider", provider);
    }
    for (tag, pairs) in [("instance_attributes", parameters), ("meta_attributes", meta)] {
        if pairs.iter().any(|(_, value)| !value.is_empty()) {
            let set = configuration.document.append_element(primitive, tag);
            let set_id = configuration.free_id(&format!("{id}-{tag}"));
            configuration.document.set_attribute(set, "id", &set_id);
            configuration.set_pairs(set, pairs);
        }
    }
    let element = configuration.document.append_element(primitive, "operations");
    for operation in operations {
        write_operation(configuration, element, id, operation);
    }
    primitive
}

fn write_operation(
    configuration: &mut Configuration,
    operations: NodeId,
    resource: &str,
    operation: &Operation,
) {
    let element = configuration.document.append_element(operations, "op");
    let id = match operation.options.get("id") {
        Some(id) => id.clone(),
        None => {
            configuration.free_id(&format!("{resource}-{}-interval-{}", operation.name, operation.interval()))
        }
    };
    configuration.document.set_attribute(element, "name", &operation.name);
    for (name, value) in
        operation.options.iter().filter(|(name, _)| *name != "id" && *name != "OCF_CHECK_LEVEL")
    {
        configuration.document.set_attribute(element, name, value);
    }
    configuration.document.set_attribute(element, "id", &id);
    if let Some(level) = operation.options.get("OCF_CHECK_LEVEL") {
        let set = configuration.document.append_element(element, "instance_attributes");
        configuration.document.set_attribute(set, "id", &format!("{id}-instance_attributes"));
        configuration.set_pairs(set, &[("OCF_CHECK_LEVEL".into(), level.clone())]);
    }
}

fn finish_wrapping(
    configuration: &mut Configuration,
    primitive: NodeId,
    id: &str,
    wrapping: &Wrapping,
    options: &Options,
) -> Result<()> {
    match wrapping {
        Wrapping::None | Wrapping::Bundle(_) => Ok(()),
        Wrapping::Clone { promotable, id: clone_id, meta } => {
            let mut meta = meta.clone();
            if *promotable && !meta.iter().any(|(name, _)| name == "promotable") {
                meta.push(("promotable".into(), "true".into()));
            }
            if options.flag("--disabled") {
                meta.push(("target-role".into(), "Stopped".into()));
            }
            meta.sort();
            wrap_in_clone(
                configuration,
                primitive,
                &clone_id.clone().unwrap_or_else(|| configuration.free_id(&format!("{id}-clone"))),
                &meta,
            )
        }
        Wrapping::Group { before, after, .. } => {
            let group = configuration.container(primitive);
            let other = before.as_ref().or(after.as_ref());
            let (Some(group), Some(other)) = (group, other) else { return Ok(()) };
            move_beside(configuration, group, primitive, other, before.is_some())
        }
    }
}

fn move_beside(
    configuration: &mut Configuration,
    group: NodeId,
    member: NodeId,
    other: &str,
    before: bool,
) -> Result<()> {
    let others: Vec<NodeId> =
        configuration.children(group).into_iter().filter(|child| *child != member).collect();
    let position = others.iter().position(|child| configuration.id(*child) == other).ok_or_else(|| {
        format!("there is no resource '{other}' in the group '{}'", configuration.id(group))
    })?;
    let index = if before { position } else { position + 1 };
    configuration.document.move_to(member, group, Some(index));
    Ok(())
}

/// Puts a clone around a primitive or group, in its place.
fn wrap_in_clone(
    configuration: &mut Configuration,
    resource: NodeId,
    clone_id: &str,
    meta: &[(String, String)],
) -> Result<()> {
    if configuration.by_id(clone_id).is_some() {
        return Err(format!("'{clone_id}' already exists").into());
    }
    let parent = configuration.document.parent(resource).ok_or("a resource without parent")?;
    let index = configuration.children(parent).iter().position(|child| *child == resource).unwrap_or(0);
    let element = configuration.document.insert_element(parent, index, "clone");
    configuration.document.set_attribute(element, "id", clone_id);
    configuration.document.move_to(resource, element, Some(0));
    if !meta.is_empty() {
        configuration.set_meta(element, meta);
    }
    Ok(())
}

/// `resource clone|promotable R [ID] [meta] n=v`.
pub fn clone(configuration: &mut Configuration, words: &[String], promotable: bool) -> Result<Told> {
    let [id, rest @ ..] = words else {
        return Err("expected: clone <resource id | group id> [clone id] [name=value]...".into());
    };
    let resource = configuration
        .resource(id)
        .filter(|element| matches!(configuration.name(*element), "primitive" | "group"))
        .ok_or_else(|| format!("unable to find group or resource: {id}"))?;
    if let Some(container) = configuration.container(resource) {
        let tag = configuration.name(container);
        return Err(if tag == "group" {
            format!("cannot clone a resource that is in a group ('{}')", configuration.id(container)).into()
        } else {
            format!("{id} is already a clone resource").into()
        });
    }
    let (clone_id, rest) = match rest {
        [word, rest @ ..] if !word.contains('=') && word != "meta" => (word.clone(), rest),
        rest => (configuration.free_id(&format!("{id}-clone")), rest),
    };
    let words: Vec<String> = rest.iter().filter(|word| *word != "meta").cloned().collect();
    let mut meta = pairs(&words)?;
    if promotable && !meta.iter().any(|(name, _)| name == "promotable") {
        meta.push(("promotable".into(), "true".into()));
        meta.sort();
    }
    wrap_in_clone(configuration, resource, &clone_id, &meta)?;
    repoint_constraints(configuration, id, &clone_id);
    Ok(Told::default())
}

/// Plain location, order and colocation constraints follow a resource into its clone.
fn repoint_constraints(configuration: &mut Configuration, from: &str, to: &str) {
    let Some(section) = configuration.section("constraints") else { return };
    for constraint in configuration.children(section) {
        if configuration.name(constraint) == "rsc_ticket" {
            continue;
        }
        for name in ["rsc", "with-rsc", "first", "then"] {
            if configuration.document.attribute(constraint, name) == Some(from) {
                configuration.document.set_attribute(constraint, name, to);
            }
        }
    }
}

/// `resource unclone ID`.
pub fn unclone(configuration: &mut Configuration, id: &str) -> Result<Told> {
    let element = configuration.resource(id).ok_or_else(|| format!("could not find resource: {id}"))?;
    let clone = std::iter::successors(Some(element), |element| configuration.container(*element))
        .find(|element| matches!(configuration.name(*element), "clone" | "master"))
        .ok_or_else(|| format!("'{id}' is not a clone resource"))?;
    let clone_id = configuration.id(clone).to_owned();
    let inner = configuration
        .children(clone)
        .into_iter()
        .find(|child| matches!(configuration.name(*child), "primitive" | "group"))
        .ok_or_else(|| format!("clone '{clone_id}' contains no resource"))?;
    let parent = configuration.document.parent(clone).ok_or("a clone without parent")?;
    let index = configuration.children(parent).iter().position(|child| *child == clone).unwrap_or(0);
    configuration.document.move_to(inner, parent, Some(index));
    configuration.document.remove(clone);
    remove_constraints_of(configuration, &clone_id);
    Ok(Told::default())
}

fn remove_constraints_of(configuration: &mut Configuration, id: &str) -> Vec<String> {
    let Some(section) = configuration.section("constraints") else { return Vec::new() };
    let mut removed = Vec::new();
    for constraint in configuration.children(section) {
        let names = ["rsc", "with-rsc", "first", "then"];
        let direct = names.iter().any(|name| configuration.document.attribute(constraint, name) == Some(id));
        let mut emptied = false;
        if !direct {
            for set in configuration.children(constraint) {
                for reference in configuration.children(set) {
                    if configuration.name(reference) == "resource_ref" && configuration.id(reference) == id {
                        configuration.document.remove(reference);
                    }
                }
                if configuration.name(set) == "resource_set" && configuration.children(set).is_empty() {
                    configuration.document.remove(set);
                    emptied = configuration.children(constraint).is_empty();
                }
            }
        }
        if direct || emptied {
            removed.push(configuration.id(constraint).to_owned());
            configuration.document.remove(constraint);
        }
    }
    removed
}

/// `resource delete ID…`: the elements and all that refers to them.
pub fn delete(configuration: &mut Configuration, ids: &[String]) -> Result<Told> {
    let mut told = Told::default();
    let missing: Vec<&String> = ids.iter().filter(|id| configuration.resource(id).is_none()).collect();
    if let Some(id) = missing.first() {
        return Err(format!("Unable to find resource: '{id}'").into());
    }
    for id in ids {
        let Some(element) = configuration.resource(id) else { continue };
        delete_element(configuration, element, &mut told);
    }
    Ok(told)
}

fn delete_element(configuration: &mut Configuration, element: NodeId, told: &mut Told) {
    let inner: Vec<String> = configuration
        .descendants(element)
        .into_iter()
        .filter(|below| crate::configuration::RESOURCE_TAGS.contains(&configuration.name(*below)))
        .map(|below| configuration.id(below).to_owned())
        .collect();
    let container = configuration.container(element);
    configuration.document.remove(element);
    for id in &inner {
        for constraint in remove_constraints_of(configuration, id) {
            told.stderr.push(format!("Removing Constraint - {constraint}"));
        }
        remove_other_references(configuration, id);
    }
    if let Some(id) = inner.first() {
        told.stderr.push(format!("Deleting Resource - {id}"));
    }
    // groups and clones that became empty go too
    if let Some(container) = container {
        let keeps = configuration
            .children(container)
            .into_iter()
            .any(|child| crate::configuration::RESOURCE_TAGS.contains(&configuration.name(child)));
        if !keeps && configuration.name(container) != "bundle" {
            delete_element(configuration, container, told);
        }
    }
}

/// Tags, fencing levels and access-control permissions that name a deleted element.
fn remove_other_references(configuration: &mut Configuration, id: &str) {
    if let Some(tags) = configuration.section("tags") {
        for tag in configuration.children(tags) {
            for reference in configuration.children(tag) {
                if configuration.id(reference) == id {
                    configuration.document.remove(reference);
                }
            }
            if configuration.children(tag).is_empty() {
                configuration.document.remove(tag);
            }
        }
    }
    if let Some(topology) = configuration.section("fencing-topology") {
        for level in configuration.children(topology) {
            let devices = configuration.attribute(level, "devices").to_owned();
            if !devices.split(',').any(|device| device == id) {
                continue;
            }
            let rest: Vec<&str> = devices.split(',').filter(|device| *device != id).collect();
            if rest.is_empty() {
                configuration.document.remove(level);
            } else {
                configuration.document.set_attribute(level, "devices", &rest.join(","));
            }
        }
    }
    if let Some(acls) = configuration.section("acls") {
        for element in configuration.descendants(acls) {
            if configuration.document.attribute(element, "reference") == Some(id) {
                configuration.document.remove(element);
            }
        }
    }
}

/// `resource update R n=v… [op …] [meta …]`.
pub fn update(
    configuration: &mut Configuration,
    catalog: &dyn Catalog,
    words: &[String],
    options: &Options,
) -> Result<Told> {
    let mut told = Told::default();
    let (head, parts) = sections(words, &["op", "meta"]);
    let [id, parameters @ ..] = head else {
        return Err("expected: update <resource id> [name=value]...".into());
    };
    let resource = configuration.resource(id).ok_or_else(|| format!("Unable to find resource: {id}"))?;
    let parameters = pairs(parameters)?;
    if configuration.name(resource) != "primitive" {
        if !parts.is_empty() && parts.iter().any(|(keyword, _)| *keyword == "op") {
            return Err(format!("'{id}' is a {}, it has no operations", configuration.name(resource)).into());
        }
        configuration.set_meta(resource, &parameters);
    } else if !parameters.is_empty() {
        let agent = AgentName {
            class: configuration.attribute(resource, "class").to_owned(),
            provider: configuration.document.attribute(resource, "provider").map(str::to_owned),
            kind: configuration.attribute(resource, "type").to_owned(),
        };
        let fence_device = agent.class == "stonith";
        if let Ok(metadata) = catalog.metadata(&agent) {
            let set: Vec<(String, String)> =
                parameters.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
            let required_free = AgentMetadata {
                parameters: metadata
                    .parameters
                    .iter()
                    .cloned()
                    .map(|parameter| super::catalog::Parameter { required: false, ..parameter })
                    .collect(),
                ..metadata
            };
            check_parameters(&required_free, &set, options.force, fence_device, &mut told)?;
        }
        let set =
            configuration.set_or_new(resource, "instance_attributes", &format!("{id}-instance_attributes"));
        configuration.set_pairs(set, &parameters);
    }
    for (keyword, words) in parts {
        if keyword == "meta" {
            configuration.set_meta(resource, &pairs(words)?);
            continue;
        }
        for mut operation in read_operations(words)? {
            let default = if operation.name == "monitor" { "60s" } else { "0s" };
            operation.options.entry("interval".into()).or_insert_with(|| default.into());
            let operations = configuration.child_or_new(resource, "operations");
            let old = configuration
                .children(operations)
                .into_iter()
                .find(|op| configuration.attribute(*op, "name") == operation.name);
            if let Some(old) = old {
                configuration.document.remove(old);
            }
            write_operation(configuration, operations, id, &operation);
        }
    }
    Ok(told)
}

/// `resource meta R n=v…`.
pub fn meta(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [id, rest @ ..] = words else { return Err("expected: meta <resource id> <name=value>...".into()) };
    let mut told = Told::default();
    let resource =
        configuration.resource(id).ok_or_else(|| format!("unable to find a resource/clone/group: {id}"))?;
    let meta = pairs(rest)?;
    warn_unknown_meta(&meta, configuration, &mut told);
    configuration.set_meta(resource, &meta);
    Ok(told)
}

/// `resource op add R ACTION n=v…` and `op remove OPID | R ACTION n=v…`.
pub fn operation(configuration: &mut Configuration, verb: &str, words: &[String]) -> Result<Told> {
    match (verb, words) {
        ("add", [id, rest @ ..]) => {
            let resource = primitive(configuration, id)?;
            let operations = configuration.child_or_new(resource, "operations");
            for mut operation in read_operations(rest)? {
                let default = if operation.name == "monitor" { "60s" } else { "0s" };
                operation.options.entry("interval".into()).or_insert_with(|| default.into());
                let same = configuration.children(operations).into_iter().find(|op| {
                    configuration.attribute(*op, "name") == operation.name
                        && interval_ms(configuration.attribute(*op, "interval"))
                            == interval_ms(operation.interval())
                });
                if let Some(same) = same {
                    return Err(format!(
                        "operation {} with interval {} already specified for {id}:\n{} interval={} ({})",
                        operation.name,
                        operation.interval(),
                        operation.name,
                        configuration.attribute(same, "interval"),
                        configuration.id(same)
                    )
                    .into());
                }
                write_operation(configuration, operations, id, &operation);
            }
            Ok(Told::default())
        }
        ("remove" | "delete", [id]) => {
            let element = configuration
                .by_id(id)
                .filter(|element| configuration.name(*element) == "op")
                .ok_or_else(|| format!("unable to find operation id: {id}"))?;
            configuration.document.remove(element);
            Ok(Told::default())
        }
        ("remove" | "delete", [id, action, rest @ ..]) => {
            let resource = primitive(configuration, id)?;
            let wanted = pairs(rest)?;
            let operations = configuration.child_or_new(resource, "operations");
            let found = configuration.children(operations).into_iter().find(|op| {
                configuration.attribute(*op, "name") == action
                    && wanted.iter().all(|(name, value)| configuration.attribute(*op, name) == value)
            });
            let shown: Vec<String> = wanted.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let found = found
                .ok_or_else(|| format!("Unable to find operation matching: {action} {}", shown.join(" ")))?;
            configuration.document.remove(found);
            Ok(Told::default())
        }
        _ => Err("expected: op add <resource id> <action> [name=value]... | op remove <operation id>".into()),
    }
}

fn primitive(configuration: &Configuration, id: &str) -> Result<NodeId> {
    configuration
        .resource(id)
        .filter(|element| configuration.name(*element) == "primitive")
        .ok_or_else(|| format!("Unable to find resource: {id}").into())
}

/// `resource enable|disable ID…` (rule 5d.3): the target role on exactly what is named.
pub fn set_enabled(configuration: &mut Configuration, ids: &[String], enabled: bool) -> Result<Told> {
    if ids.is_empty() {
        return Err("You must specify resource(s) to enable or disable".into());
    }
    let mut told = Told::default();
    for id in expand_tags(configuration, ids)? {
        let Some(element) = configuration.resource(&id) else { continue };
        let pair = |value: &str| vec![("target-role".to_owned(), value.to_owned())];
        if !enabled {
            configuration.set_meta(element, &pair("Stopped"));
        } else {
            configuration.set_meta(element, &pair(""));
            let mut related: Vec<NodeId> = configuration.container(element).into_iter().collect();
            related.retain(|container| configuration.name(*container) != "group");
            if matches!(configuration.name(element), "clone" | "master" | "bundle") {
                related.extend(configuration.children(element));
            }
            for other in related {
                if crate::configuration::RESOURCE_TAGS.contains(&configuration.name(other)) {
                    configuration.set_meta(other, &pair(""));
                }
            }
        }
        if configuration.meta(element, "is-managed").is_some_and(|value| value == "false") {
            told.stderr.push(format!("Warning: '{id}' is unmanaged"));
        }
    }
    Ok(told)
}

/// `resource manage|unmanage ID…`: every primitive inside the named elements.
pub fn set_managed(configuration: &mut Configuration, ids: &[String], managed: bool) -> Result<Told> {
    if ids.is_empty() {
        return Err("You must specify resource(s) to manage or unmanage".into());
    }
    let pair = |value: &str| vec![("is-managed".to_owned(), value.to_owned())];
    for id in expand_tags(configuration, ids)? {
        let Some(element) = configuration.resource(&id) else { continue };
        for below in configuration.descendants(element) {
            let tag = configuration.name(below).to_owned();
            if !managed && tag == "primitive" {
                configuration.set_meta(below, &pair("false"));
            }
            if managed && crate::configuration::RESOURCE_TAGS.contains(&tag.as_str()) {
                configuration.set_meta(below, &pair(""));
            }
        }
        if managed {
            let mut above = configuration.container(element);
            while let Some(container) = above {
                configuration.set_meta(container, &pair(""));
                above = configuration.container(container);
            }
        }
    }
    Ok(Told::default())
}

/// Tag ids stand for their members; unknown ids are refused together.
fn expand_tags(configuration: &Configuration, ids: &[String]) -> Result<Vec<String>> {
    let mut expanded = Vec::new();
    for id in ids {
        if configuration.resource(id).is_some() {
            expanded.push(id.clone());
            continue;
        }
        let tag = configuration.section("tags").and_then(|tags| {
            configuration.children(tags).into_iter().find(|tag| configuration.id(*tag) == id)
        });
        match tag {
            Some(tag) => expanded.extend(
                configuration.children(tag).iter().map(|reference| configuration.id(*reference).to_owned()),
            ),
            None => {
                return Err(format!("bundle / clone / group / resource / tag '{id}' does not exist").into());
            }
        }
    }
    Ok(expanded)
}

/// `resource group add G R… [--before|--after X]`.
pub fn group_add(configuration: &mut Configuration, words: &[String], options: &Options) -> Result<Told> {
    let [group_id, members @ ..] = words else {
        return Err("expected: group add <group id> <resource id>...".into());
    };
    if members.is_empty() {
        return Err("no resources to add to the group".into());
    }
    let mut elements = Vec::new();
    for (index, member) in members.iter().enumerate() {
        if members[..index].contains(member) {
            return Err(format!("Resource '{member}' is specified more than once").into());
        }
        let element = configuration
            .resource(member)
            .filter(|element| configuration.name(*element) == "primitive")
            .ok_or_else(|| format!("Unable to find resource: '{member}'"))?;
        if configuration.is_fence_device(element) {
            return Err(format!("'{member}' is a stonith resource, it cannot be put into a group").into());
        }
        if let Some(container) = configuration.container(element) {
            if configuration.id(container) == group_id {
                return Err(format!(
                    "Cannot add resource '{member}', it is already present in group '{group_id}'"
                )
                .into());
            }
            if configuration.name(container) != "group" {
                return Err(format!(
                    "'{member}' is inside '{}', it cannot be put into a group",
                    configuration.id(container)
                )
                .into());
            }
        }
        elements.push(element);
    }
    let group = match configuration.resource(group_id) {
        Some(group) if configuration.name(group) == "group" => group,
        Some(_) => return Err(format!("'{group_id}' is not a group").into()),
        None => {
            check_id(group_id, "group name")?;
            if configuration.by_id(group_id).is_some() {
                return Err(format!("'{group_id}' already exists").into());
            }
            let section = configuration.section_or_new("resources");
            let group = configuration.document.append_element(section, "group");
            configuration.document.set_attribute(group, "id", group_id);
            group
        }
    };
    let beside =
        options.value("before").map(|id| (id, 0)).or_else(|| options.value("after").map(|id| (id, 1)));
    let existing = configuration.children(group);
    let first = match beside {
        None => existing.len(),
        Some((id, offset)) => {
            existing
                .iter()
                .position(|child| configuration.id(*child) == id)
                .ok_or_else(|| format!("there is no resource '{id}' in the group '{group_id}'"))?
                + offset
        }
    };
    for (index, element) in (first..).zip(elements) {
        let old = configuration.container(element);
        configuration.document.move_to(element, group, Some(index));
        remove_if_empty_group(configuration, old);
    }
    Ok(Told::default())
}

fn remove_if_empty_group(configuration: &mut Configuration, group: Option<NodeId>) {
    let Some(group) = group else { return };
    if configuration.child(group, "primitive").is_some() {
        return;
    }
    let id = configuration.id(group).to_owned();
    configuration.document.remove(group);
    remove_constraints_of(configuration, &id);
    remove_other_references(configuration, &id);
}

/// `resource group remove G [R…]` and `ungroup`: members become top-level behind the group.
pub fn group_remove(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let [group_id, members @ ..] = words else {
        return Err("expected: group remove <group id> [resource id]...".into());
    };
    let group = configuration
        .resource(group_id)
        .filter(|element| configuration.name(*element) == "group")
        .ok_or_else(|| format!("Group '{group_id}' does not exist"))?;
    let mut leaving = Vec::new();
    for child in configuration.children(group) {
        if configuration.name(child) == "primitive"
            && (members.is_empty() || members.iter().any(|member| configuration.id(child) == member))
        {
            leaving.push(child);
        }
    }
    if let Some(missing) =
        members.iter().find(|member| !leaving.iter().any(|child| configuration.id(*child) == member.as_str()))
    {
        return Err(format!("there is no resource '{missing}' in the group '{group_id}'").into());
    }
    let parent = configuration.document.parent(group).ok_or("a group without parent")?;
    let first = configuration.children(parent).iter().position(|child| *child == group).unwrap_or(0) + 1;
    for (index, child) in (first..).zip(leaving) {
        configuration.document.move_to(child, parent, Some(index));
    }
    remove_if_empty_group(configuration, Some(group));
    Ok(Told::default())
}

/// `resource group list`.
pub fn group_list(configuration: &Configuration) -> Vec<String> {
    configuration
        .resources()
        .into_iter()
        .filter(|element| configuration.name(*element) == "group")
        .map(|group| {
            let members: Vec<&str> = configuration
                .document
                .children(group)
                .filter(|child| configuration.name(*child) == "primitive")
                .map(|child| configuration.document.attribute(child, "id").unwrap_or(""))
                .collect();
            format!("{}: {}", configuration.id(group), members.join(" "))
        })
        .collect()
}
