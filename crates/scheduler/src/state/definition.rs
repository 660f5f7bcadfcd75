//! What the configuration says about one resource, after templates are applied.
//!
//! Clone instances share one definition. Definitions of resources that the scheduler makes itself
//! (guest connections, parts of bundles, removed resources) look the same as configured ones.

use crate::model::{Agent, Name};
use cib::config::{Configuration, Operation, Primitive, Resource, ResourceKind, XmlAttributes};
use cib::nvpair::{Block, Pair};
use std::borrow::Cow;

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
    pub operations: Cow<'a, [Operation]>,
    /// Line of the element, 0 if made by the scheduler.
    pub line: u32,
}

impl<'a> Definition<'a> {
    /// The definition of a configured element; `None` if its template is missing or itself.
    pub fn of(configuration: &'a Configuration, resource: &'a Resource) -> Option<Definition<'a>> {
        match &resource.kind {
            ResourceKind::Primitive(primitive) => match &primitive.template {
                Some(template) => from_template(configuration, resource, primitive, template),
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
            operations: Cow::Borrowed(&[]),
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
        self.operations.to_mut().push(Operation {
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
        operations: Cow::Borrowed(primitive.and_then(|it| it.operations.as_deref()).unwrap_or_default()),
        line: resource.line,
    }
}

/// Rule 1.9.2.1: the template's element with the resource's id, the resource's children after its own.
fn from_template<'a>(
    configuration: &'a Configuration,
    resource: &'a Resource,
    primitive: &'a Primitive,
    template: &str,
) -> Option<Definition<'a>> {
    if *template == *resource.id {
        return None;
    }
    let template = configuration.templates.iter().find(|candidate| *candidate.id == *template)?;
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
        operations: merged_operations(base.operations.as_deref(), primitive.operations.as_deref()),
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
    let inherited = base.iter().filter(|operation| !own.iter().any(|other| replaces(other, operation)));
    merged.extend(inherited.cloned());
    Cow::Owned(merged)
}

fn replaces(own: &Operation, inherited: &Operation) -> bool {
    own.name == inherited.name && role_class(own).eq_ignore_ascii_case(role_class(inherited))
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
