//! What the configuration says about one resource, after templates are applied.
//!
//! Clone instances share one definition. Definitions of resources that the scheduler makes itself
//! (guest connections, parts of bundles, removed resources) look the same as configured ones.

use crate::model::{Agent, Index, Name};
use cib::config::{Operation, Primitive, Resource, ResourceKind, XmlAttributes};
use cib::nvpair::{Block, Pair};
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::ops::Deref;

/// Configuration of a resource with its template applied (rule 1.9.2).
#[derive(Clone, Debug)]
pub struct Definition<'a> {
    /// XML attributes of the element.
    pub attributes: XmlAttributes,
    /// The agent, for primitives.
    pub agent: Option<Agent>,
    pub meta: Cow<'a, [Block]>,
    pub parameters: Cow<'a, [Block]>,
    pub utilization: Cow<'a, [Block]>,
    pub operations: Operations<'a>,
    /// Line of the element, 0 if made by the scheduler.
    pub line: u32,
}

/// The operations of a resource in document order.
#[derive(Clone, Debug, Default)]
pub struct Operations<'a> {
    all: Cow<'a, [Operation]>,
    /// By name, then by interval; empty where they are few.
    groups: Index<Name, Index<u64, Twins>>,
}

/// Operations of one name and interval.
#[derive(Clone, Copy, Debug)]
struct Twins {
    /// Position of the first one.
    first: usize,
    count: usize,
    some_enabled: bool,
}

/// So many are compared one by one; an index would cost more.
const FEW: usize = 16;

impl<'a> Operations<'a> {
    fn new(all: Cow<'a, [Operation]>) -> Operations<'a> {
        let mut groups: Index<Name, Index<u64, Twins>> = Index::default();
        if all.len() > FEW {
            for (position, operation) in all.iter().enumerate() {
                let of_name = groups.entry(operation.name.clone()).or_default();
                let none = Twins { first: position, count: 0, some_enabled: false };
                let twins = of_name.entry(operation.interval).or_insert(none);
                twins.count += 1;
                twins.some_enabled |= operation.is_enabled();
            }
        }
        Operations { all, groups }
    }

    fn push(&mut self, operation: Operation) {
        let mut all = std::mem::take(&mut self.all).into_owned();
        all.push(operation);
        *self = Operations::new(Cow::Owned(all));
    }

    fn twins(&self, name: &str, interval: u64) -> Option<Twins> {
        if !self.groups.is_empty() {
            return self.groups.get(name)?.get(&interval).copied();
        }
        let mut found: Option<Twins> = None;
        for (position, it) in self.all.iter().enumerate() {
            if it.interval == interval && *it.name == *name {
                let twins = found.get_or_insert(Twins { first: position, count: 0, some_enabled: false });
                twins.count += 1;
                twins.some_enabled |= it.is_enabled();
            }
        }
        found
    }

    /// The position of the first operation of this name and interval (in milliseconds), disabled or not.
    pub fn position(&self, name: &str, interval: u64) -> Option<usize> {
        self.twins(name, interval).map(|twins| twins.first)
    }

    /// Whether an enabled operation of this name and interval is among them.
    pub fn has_enabled(&self, name: &str, interval: u64) -> bool {
        self.twins(name, interval).is_some_and(|twins| twins.some_enabled)
    }

    /// Whether the operation has no other of its name and interval beside it.
    pub fn is_single(&self, operation: &Operation) -> bool {
        self.twins(&operation.name, operation.interval).is_some_and(|twins| twins.count == 1)
    }
}

impl Deref for Operations<'_> {
    type Target = [Operation];

    fn deref(&self) -> &[Operation] {
        &self.all
    }
}

impl<'a> Definition<'a> {
    /// The definition of a configured element; `None` if its template is missing or itself. `template` finds a
    /// template by its id.
    pub(super) fn of(
        resource: &'a Resource,
        template: impl FnOnce(&str) -> Option<&'a Resource>,
    ) -> Option<Definition<'a>> {
        match &resource.kind {
            ResourceKind::Primitive(primitive) => match &primitive.template {
                Some(id) => from_template(resource, primitive, template(id)?),
                None => Some(plain(resource, Some(primitive))),
            },
            _ => Some(plain(resource, None)),
        }
    }

    /// A definition made by the scheduler.
    pub fn made(
        attributes: &[(&str, &str)],
        meta: &[(&str, &str)],
        parameters: &[(&str, &str)],
    ) -> Definition<'a> {
        let texts = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let attributes = XmlAttributes(texts);
        let agent = agent(
            attributes.text("class").as_ref(),
            attributes.text("provider").as_ref(),
            attributes.text("type").as_ref(),
        );
        Definition {
            agent,
            attributes,
            meta: Cow::Owned(made_block(meta)),
            parameters: Cow::Owned(made_block(parameters)),
            utilization: Cow::Borrowed(&[]),
            operations: Operations::default(),
            line: 0,
        }
    }

    /// Adds an operation made by the scheduler; times are texts as in the configuration.
    pub fn with_operation(mut self, name: &str, interval: &str, timeout: Option<&str>) -> Definition<'a> {
        let id = format!("{}-{name}-interval-{interval}", self.attributes.get("id").unwrap_or_default());
        let mut attributes: Vec<(Name, Name)> = vec![
            ("id".into(), id.as_str().into()),
            ("name".into(), name.into()),
            ("interval".into(), interval.into()),
        ];
        if let Some(timeout) = timeout {
            attributes.push(("timeout".into(), timeout.into()));
        }
        self.operations.push(Operation {
            id: Some(id.into()),
            name: name.into(),
            interval: cib::value::interval_or_zero(Some(interval)),
            attributes: XmlAttributes(attributes),
            meta: Vec::new(),
            instance_attributes: Vec::new(),
            line: 0,
        });
        self
    }
}

/// The agent of a primitive; `None` without class and type.
fn agent(class: Option<&Name>, provider: Option<&Name>, kind: Option<&Name>) -> Option<Agent> {
    Some(Agent { class: class?.clone(), provider: provider.cloned(), kind: kind?.clone() })
}

fn plain<'a>(resource: &'a Resource, primitive: Option<&'a Primitive>) -> Definition<'a> {
    Definition {
        attributes: resource.attributes.clone(),
        agent: primitive
            .and_then(|it| agent(it.class.as_ref(), it.provider.as_ref(), it.agent_type.as_ref())),
        meta: Cow::Borrowed(&resource.meta),
        parameters: Cow::Borrowed(&resource.instance_attributes),
        utilization: Cow::Borrowed(&resource.utilization),
        operations: Operations::new(Cow::Borrowed(
            primitive.and_then(|it| it.operations.as_deref()).unwrap_or_default(),
        )),
        line: resource.line,
    }
}

/// Rule 1.9.2.1: the template's element with the resource's id, the resource's children after its own.
fn from_template<'a>(
    resource: &'a Resource,
    primitive: &'a Primitive,
    template: &'a Resource,
) -> Option<Definition<'a>> {
    if template.id == resource.id {
        return None;
    }
    let ResourceKind::Primitive(base) = &template.kind else { return None };
    let attributes = template.attributes.0.iter().map(|(name, value)| {
        let value = if **name == *"id" { resource.id.clone() } else { value.clone() };
        (name.clone(), value)
    });
    Some(Definition {
        attributes: XmlAttributes(attributes.collect()),
        agent: agent(base.class.as_ref(), base.provider.as_ref(), base.agent_type.as_ref()),
        meta: joined(&template.meta, &resource.meta),
        parameters: joined(&template.instance_attributes, &resource.instance_attributes),
        utilization: joined(&template.utilization, &resource.utilization),
        operations: Operations::new(merged_operations(
            base.operations.as_deref(),
            primitive.operations.as_deref(),
        )),
        line: resource.line,
    })
}

fn joined<'a>(first: &'a [Block], second: &'a [Block]) -> Cow<'a, [Block]> {
    match (first, second) {
        ([], only) | (only, []) => Cow::Borrowed(only),
        _ => Cow::Owned([first, second].concat()),
    }
}

/// Rule 1.9.2.3: the resource's operations, then those of the template that it does not replace.
fn merged_operations<'a>(
    base: Option<&'a [Operation]>,
    own: Option<&'a [Operation]>,
) -> Cow<'a, [Operation]> {
    let (base, own) = match (base, own) {
        (Some(base), Some(own)) => (base, own),
        (only, None) | (None, only) => return Cow::Borrowed(only.unwrap_or_default()),
    };
    let mut merged = own.to_vec();
    let replaced: FxHashSet<(&Name, String)> = own.iter().map(purpose).collect();
    merged.extend(base.iter().filter(|operation| !replaced.contains(&purpose(operation))).cloned());
    Cow::Owned(merged)
}

/// What an operation is for: one of the resource's own replaces those of the template with the same purpose.
fn purpose(operation: &Operation) -> (&Name, String) {
    (&operation.name, role_class(operation).to_ascii_lowercase())
}

/// Unset role, Started and Unpromoted count as the same.
fn role_class(operation: &Operation) -> &str {
    match operation.attributes.get("role") {
        None => "Started",
        Some(role)
            if ["Started", "Unpromoted", "Slave"].iter().any(|same| same.eq_ignore_ascii_case(role)) =>
        {
            "Started"
        }
        Some(role) if role.eq_ignore_ascii_case("Master") => "Promoted",
        Some(role) => role,
    }
}

/// One block of pairs made by the scheduler; empty without pairs.
fn made_block(pairs: &[(&str, &str)]) -> Vec<Block> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let pairs = pairs.iter().map(|(name, value)| Pair {
        id: None,
        name: (*name).into(),
        value: (*value).into(),
        by_reference: false,
        line: 0,
    });
    vec![Block { id: None, score: None, rule: None, pairs: pairs.collect(), by_reference: false, line: 0 }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(name: &str, interval: u64, enabled: bool) -> Operation {
        let mut made = Definition::made(&[], &[], &[]).with_operation(name, "0", None).operations[0].clone();
        made.interval = interval;
        if !enabled {
            made.attributes.0.push(("enabled".into(), "false".into()));
        }
        made
    }

    #[test]
    fn many_operations_are_found_like_few() {
        let mut list = vec![
            operation("monitor", 10, false),
            operation("monitor", 10, true),
            operation("monitor", 20, false),
            operation("start", 0, true),
        ];
        for length in [list.len(), 10 * FEW] {
            list.extend((list.len()..length).map(|number| operation("check", number as u64, true)));
            let operations = Operations::new(Cow::Borrowed(&list));
            assert_eq!(operations.groups.is_empty(), length <= FEW);
            assert_eq!(operations.position("monitor", 10), Some(0));
            assert_eq!(operations.position("start", 0), Some(3));
            assert_eq!(operations.position("start", 10), None);
            assert_eq!(operations.position("stop", 0), None);
            assert!(operations.has_enabled("monitor", 10) && !operations.has_enabled("monitor", 20));
            let single: Vec<bool> = list.iter().take(4).map(|it| operations.is_single(it)).collect();
            assert_eq!(single, [false, false, true, true]);
        }
    }

    #[test]
    fn own_operations_replace_those_of_the_template_with_the_same_name_and_role() {
        let with_role = |interval, role: &str| {
            let mut made = operation("monitor", interval, true);
            made.attributes.0.push(("role".into(), role.into()));
            made
        };
        let base = [
            operation("monitor", 1, true),
            with_role(2, "Promoted"),
            with_role(3, "master"),
            operation("stop", 0, true),
        ];
        let own = [with_role(7, "Slave"), with_role(8, "Stopped")];
        let merged = merged_operations(Some(&base), Some(&own));
        let intervals: Vec<(&str, u64)> = merged.iter().map(|it| (&*it.name, it.interval)).collect();
        assert_eq!(intervals, [("monitor", 7), ("monitor", 8), ("monitor", 2), ("monitor", 3), ("stop", 0)]);
    }
}
