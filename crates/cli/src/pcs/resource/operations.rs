//! Operations: from words and metadata to `op` elements; `resource op …`.

use std::collections::BTreeMap;

use xml::NodeId;

use super::change::primitive;
use crate::configuration::Configuration;
use crate::pcs::catalog::AgentMetadata;
use crate::pcs::constraint::Told;
use crate::pcs::show::modern_role;
use crate::pcs::words::{Options, Result, pairs};

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
pub(super) struct Operation {
    pub(super) name: String,
    /// Attributes without `name` and `id`.
    pub(super) options: BTreeMap<String, String>,
}

impl Operation {
    pub(super) fn interval(&self) -> &str {
        self.options.get("interval").map_or("0s", String::as_str)
    }
}

/// `ACTION name=value… [ACTION name=value…]`.
pub(super) fn read_operations(words: &[String]) -> Result<Vec<Operation>> {
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
pub(super) fn complete_operations(
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
                    let value = if name == "role" { modern_role(value) } else { value };
                    operation.options.insert(name.clone(), value.to_owned());
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

pub(super) fn write_operation(
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

/// `resource op add R ACTION n=v…` and `op remove OPID | R ACTION n=v…`.
pub fn operation(
    configuration: &mut Configuration,
    verb: &str,
    words: &[String],
    force: bool,
) -> Result<Told> {
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
                let others: Vec<String> = (configuration.children(operations).into_iter())
                    .filter(|op| configuration.attribute(*op, "name") == operation.name)
                    .map(|op| {
                        let shown = ["interval", "timeout", "role"].into_iter().filter_map(|name| {
                            Some(format!(" {name}={}", configuration.document.attribute(op, name)?))
                        });
                        let shown: String = shown.collect();
                        format!("{}{shown} ({})", operation.name, configuration.id(op))
                    })
                    .collect();
                if !others.is_empty() && !force {
                    return Err(format!(
                        "operation {} already specified for {id}, use --force to override:\n{}",
                        operation.name,
                        others.join("\n")
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
