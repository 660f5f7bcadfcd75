//! Evaluates name/value blocks for the places where the scheduler needs them (rules 1.5.8, 1.9.3, 1.9.5, 1.10.3).

use super::definition::{Definition, Operations};
use crate::model::{Attributes, Id, Model, Name, NodeId, ResourceId};
use cib::config::Operation;
use cib::nvpair::{self, Block, Source, Values};
use cib::rule::{Lookup, OperationIdentity, ResourceIdentity, RuleInput};
use std::rc::Rc;

/// Lets rules read an attribute table.
pub struct Table<'a>(pub &'a Attributes);

impl Lookup for Table<'_> {
    fn value_of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &**value)
    }
}

/// Adds the values of `blocks` in force and offers the moment when that may change.
pub(super) fn unpack(model: &mut Model, blocks: &[Block], input: &RuleInput<'_>, values: &mut Values) {
    if let Some(at) = nvpair::unpack(blocks, input, None, values) {
        model.recheck_at(at);
    }
}

/// The same values as a plain table.
pub(super) fn plain(values: &Values) -> Attributes {
    values.iter().map(|(name, value)| (name.clone(), value.text.clone())).collect()
}

fn identity<'d>(definition: &'d Definition<'_>) -> ResourceIdentity<'d> {
    let agent = definition.agent.as_ref();
    ResourceIdentity {
        class: agent.map(|it| &*it.class),
        provider: agent.and_then(|it| it.provider.as_deref()),
        agent_type: agent.map(|it| &*it.kind),
    }
}

/// The final meta-attributes of a resource (rule 1.9.3).
pub(super) fn meta(
    model: &mut Model,
    definition: usize,
    parent: Option<ResourceId>,
    instance: Option<i32>,
) -> Attributes {
    let cib = model.cib;
    let definition = model.state.definitions[definition].clone();
    let input = RuleInput { resource: Some(identity(&definition)), ..RuleInput::at(model.state.clock) };
    let mut values = Values::new();
    for (name, value) in &definition.attributes.0 {
        add_unless_default(&mut values, name, value);
    }
    if let Some(number) = instance {
        values.set("clone", number.to_string(), Source::default());
    }
    unpack(model, &definition.meta, &input, &mut values);
    // on their own: what an ancestor resets it does not reset for its children
    let mut inherited = Values::new();
    let mut above = parent;
    while let Some(ancestor) = above {
        let blocks = model.state.definitions[model.resources[ancestor].definition].meta.clone();
        unpack(model, &blocks, &input, &mut inherited);
        above = model.resources[ancestor].parent;
    }
    values.add_all(&inherited);
    unpack(model, &cib.configuration.rsc_defaults, &input, &mut values);
    if let Some(parent) = parent {
        for (name, value) in &model.resources[parent].meta {
            add_unless_default(&mut values, name, value);
        }
    }
    plain(&values)
}

fn add_unless_default(values: &mut Values, name: &Name, value: &Name) {
    if !value.eq_ignore_ascii_case("#default") {
        values.add(name.clone(), value.clone(), Source::default());
    }
}

/// Utilization of a resource: its own blocks only (rule 1.9.5).
pub(super) fn utilization(model: &mut Model, definition: usize) -> Attributes {
    let blocks = model.state.definitions[definition].utilization.clone();
    if blocks.is_empty() {
        return Attributes::default();
    }
    let mut values = Values::new();
    let input = RuleInput::at(model.state.clock);
    unpack(model, &blocks, &input, &mut values);
    plain(&values)
}

/// The instance attributes of `resource` as they are on `node` (rule 1.9.5): its own, then its
/// ancestors'. Shared by all nodes unless some rule looks at node attributes.
pub fn parameters(model: &mut Model, resource: ResourceId, node: Option<NodeId>) -> Rc<Attributes> {
    let by_node = depends_on_node(model, resource);
    let key = (resource.index() as u32, node.filter(|_| by_node).map(|node| node.index() as u32));
    if let Some(known) = model.state.parameters.get(&key) {
        return known.clone();
    }
    let evaluated = Rc::new(evaluate_parameters(model, resource, node));
    model.state.parameters.insert(key, evaluated.clone());
    evaluated
}

fn depends_on_node(model: &Model, resource: ResourceId) -> bool {
    ancestry(model, resource).any(|it| {
        nvpair::depends_on_node(&model.state.definitions[model.resources[it].definition].parameters)
    })
}

/// The resource and its ancestors, nearest first.
fn ancestry<'m>(model: &'m Model, resource: ResourceId) -> impl Iterator<Item = ResourceId> + 'm {
    std::iter::successors(Some(resource), |it| model.resources[*it].parent)
}

fn evaluate_parameters(model: &mut Model, resource: ResourceId, node: Option<NodeId>) -> Attributes {
    let mut values = Values::new();
    let mut change = None;
    {
        let table = node.map(|node| Table(&model.nodes[node].attributes));
        let input = RuleInput {
            node_attributes: table.as_ref().map(|table| table as &dyn Lookup),
            ..RuleInput::at(model.state.clock)
        };
        for it in ancestry(model, resource) {
            let blocks = &model.state.definitions[model.resources[it].definition].parameters;
            change = nvpair::earliest(change, nvpair::unpack(blocks, &input, None, &mut values));
        }
    }
    if let Some(at) = change {
        model.recheck_at(at);
    }
    plain(&values)
}

/// The operations configured for `resource`, in document order, template applied (rule 1.10.1).
pub fn operations<'m>(model: &'m Model<'_>, resource: ResourceId) -> &'m Operations<'m> {
    &definition(model, resource).operations
}

/// What the configuration says about `resource`.
pub fn definition<'m, 'a>(model: &'m Model<'a>, resource: ResourceId) -> &'m Definition<'a> {
    &model.state.definitions[model.resources[resource].definition]
}

/// The index (in [`operations`]) of the configuration of an operation (rules 1.10.2, 3.5.1): disabled
/// ones included; `migrate` serves for both halves of a migration.
pub fn operation(model: &Model, resource: ResourceId, name: &str, interval: u32) -> Option<usize> {
    let operations = operations(model, resource);
    let find = |name: &str, interval: u32| operations.position(name, u64::from(interval));
    find(name, interval).or_else(|| match name {
        "migrate_to" | "migrate_from" => find("migrate", 0),
        _ => None,
    })
}

/// The meta-attributes of an operation before defaults of chapter 3 are applied (rule 1.10.3):
/// XML attributes over `meta_attributes`, then the probe's timeout, then `op_defaults`; without `id`,
/// and with the interval in milliseconds (absent if 0). Values are texts as configured.
pub fn operation_meta(
    model: &mut Model,
    resource: ResourceId,
    operation: Option<usize>,
    name: &str,
    interval: u32,
) -> Attributes {
    let cib = model.cib;
    let mut values = Values::new();
    let mut change = None;
    {
        let definition = definition(model, resource);
        let input = RuleInput {
            resource: Some(identity(definition)),
            operation: Some(OperationIdentity { name, interval: u64::from(interval) }),
            ..RuleInput::at(model.state.clock)
        };
        if let Some(configured) = operation.and_then(|index| definition.operations.get(index)) {
            change = nvpair::unpack(&configured.meta, &input, None, &mut values);
            for (name, value) in &configured.attributes.0 {
                values.set(name.clone(), value.clone(), Source::default());
            }
        }
        if name == "monitor" && interval == 0 && !values.contains("timeout") {
            if let Some(timeout) = recurring_monitor_timeout(&definition.operations) {
                values.set("timeout", timeout, Source::default());
            }
        }
        let more = nvpair::unpack(&cib.configuration.op_defaults, &input, None, &mut values);
        change = nvpair::earliest(change, more);
    }
    if let Some(at) = change {
        model.recheck_at(at);
    }
    values.remove("id");
    if interval > 0 {
        values.set("interval", interval.to_string(), Source::default());
    } else {
        values.remove("interval");
    }
    plain(&values)
}

/// The `timeout` of the enabled recurring monitor with the smallest interval, if it has one.
fn recurring_monitor_timeout(operations: &[Operation]) -> Option<&str> {
    operations
        .iter()
        .filter(|it| *it.name == *"monitor" && it.interval > 0 && it.is_enabled())
        .min_by_key(|it| it.interval)
        .and_then(|it| it.attributes.get("timeout"))
}

/// The operation's own instance attributes as they are on `node` (rule 3.5.10).
pub fn operation_parameters(
    model: &mut Model,
    resource: ResourceId,
    operation: usize,
    node: Option<NodeId>,
) -> Attributes {
    let mut values = Values::new();
    let mut change = None;
    {
        let table = node.map(|node| Table(&model.nodes[node].attributes));
        let input = RuleInput {
            node_attributes: table.as_ref().map(|table| table as &dyn Lookup),
            ..RuleInput::at(model.state.clock)
        };
        if let Some(configured) = operations(model, resource).get(operation) {
            change = nvpair::unpack(&configured.instance_attributes, &input, None, &mut values);
        }
    }
    if let Some(at) = change {
        model.recheck_at(at);
    }
    plain(&values)
}
