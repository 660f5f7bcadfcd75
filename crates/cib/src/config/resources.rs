//! Reading resources, and building a resource from its template.

use super::read::children_named;
use super::*;
use crate::reader::Reader;
use crate::value::{interval_or_zero, parse_boolean, parse_integer};
use std::borrow::Cow;
use xml::Element;

impl<'a> Reader<'a> {
    /// The children of `resources`, templates apart.
    pub(crate) fn resources(&mut self, section: Element<'a>, into: &mut Configuration) {
        for element in section.children() {
            let Some(id) = self.required_id(element) else { continue };
            if element.name() == "template" {
                into.templates.extend(self.resource(element, id));
            } else {
                into.resources.extend(self.resource(element, id));
            }
        }
    }

    fn resource(&mut self, element: Element<'a>, id: Text) -> Option<Resource> {
        let kind = match element.name() {
            "primitive" | "template" => ResourceKind::Primitive(self.primitive(element)),
            "group" => ResourceKind::Group(self.members(element)),
            // A master that escaped the upgrade has no special meaning.
            "clone" | "master" => ResourceKind::Clone(self.cloned(element)),
            "bundle" => ResourceKind::Bundle(Box::new(self.bundle(element))),
            other => {
                self.error(element, format!("Ignoring resource '{id}' of unknown type '{other}'"));
                return None;
            }
        };
        match &kind {
            ResourceKind::Group(members) if members.is_empty() => {
                self.error(element, format!("Group {id} has no members"));
            }
            ResourceKind::Clone(None) => self.error(element, format!("{id} has nothing to clone")),
            _ => {}
        }
        Some(Resource {
            id,
            attributes: self.xml_attributes(element),
            meta: self.blocks(element, "meta_attributes"),
            instance_attributes: self.blocks(element, "instance_attributes"),
            utilization: self.blocks(element, "utilization"),
            kind,
            line: element.line(),
        })
    }

    fn primitive(&mut self, element: Element<'a>) -> Primitive {
        let operations = match children_named(element, "operations").next() {
            None => None,
            Some(list) => self.follow(list).map(|list| self.operations(list)),
        };
        Primitive {
            class: self.attr(element, "class"),
            provider: self.attr(element, "provider"),
            agent_type: self.attr(element, "type"),
            template: self.attr(element, "template"),
            operations,
        }
    }

    fn operations(&mut self, list: Element<'a>) -> Vec<Operation> {
        let mut operations = Vec::new();
        for element in children_named(list, "op") {
            if let Some(definition) = self.follow(element) {
                operations.push(self.operation(definition));
            }
        }
        operations
    }

    fn operation(&mut self, element: Element<'a>) -> Operation {
        Operation {
            id: self.attr(element, "id"),
            name: self.attr(element, "name").unwrap_or_default(),
            interval: interval_or_zero(element.attr("interval")),
            attributes: self.xml_attributes(element),
            meta: self.blocks(element, "meta_attributes"),
            instance_attributes: self.blocks(element, "instance_attributes"),
            line: element.line(),
        }
    }

    fn members(&mut self, group: Element<'a>) -> Vec<Resource> {
        let mut members = Vec::new();
        for element in children_named(group, "primitive") {
            if let Some(id) = self.required_id(element) {
                members.extend(self.resource(element, id));
            }
        }
        members
    }

    fn cloned(&mut self, clone: Element<'a>) -> Option<Box<Resource>> {
        let element = clone.children().find(|child| matches!(child.name(), "primitive" | "group"))?;
        let id = self.required_id(element)?;
        self.resource(element, id).map(Box::new)
    }

    fn bundle(&mut self, element: Element<'a>) -> Bundle {
        let find = |name: &str| children_named(element, name).next();
        let container = find("docker")
            .map(|docker| (docker, ContainerEngine::Docker))
            .or_else(|| find("podman").map(|podman| (podman, ContainerEngine::Podman)));
        let primitive = find("primitive").and_then(|inner| {
            let id = self.required_id(inner)?;
            self.resource(inner, id)
        });
        Bundle {
            container: container.map(|(element, engine)| self.container(element, engine)),
            network: find("network").map(|network| self.bundle_network(network)).unwrap_or_default(),
            storage: find("storage").map(|storage| self.bundle_storage(storage)).unwrap_or_default(),
            primitive,
        }
    }

    fn container(&mut self, element: Element<'a>, engine: ContainerEngine) -> Container {
        let number = |name: &str| element.attr(name).map(|text| parse_integer(text).unwrap_or(0));
        let at_least = |low: i64, value: i64| value.clamp(low, i64::from(i32::MAX)) as u32;
        let promoted_max = at_least(0, number("promoted-max").unwrap_or(0));
        let replicas_default = if promoted_max > 0 { i64::from(promoted_max) } else { 1 };
        Container {
            engine,
            image: self.attr(element, "image"),
            promoted_max,
            replicas: at_least(1, number("replicas").unwrap_or(replicas_default)),
            replicas_per_host: at_least(1, number("replicas-per-host").unwrap_or(1)),
            run_command: self.attr(element, "run-command"),
            network: self.attr(element, "network"),
            options: self.attr(element, "options"),
        }
    }

    fn bundle_network(&mut self, element: Element<'a>) -> BundleNetwork {
        let mut ports = Vec::new();
        for mapping in children_named(element, "port-mapping") {
            let Some(port) = self.attr(mapping, "port").or_else(|| self.attr(mapping, "range")) else {
                let id = mapping.attr("id").unwrap_or_default();
                self.error(mapping, format!("Invalid port directive {id}"));
                continue;
            };
            ports.push(PortMapping {
                id: self.attr(mapping, "id"),
                internal_port: self.attr(mapping, "internal-port").unwrap_or_else(|| port.clone()),
                port,
                line: mapping.line(),
            });
        }
        BundleNetwork {
            ip_range_start: self.attr(element, "ip-range-start"),
            host_netmask: self.attr(element, "host-netmask"),
            host_interface: self.attr(element, "host-interface"),
            control_port: self.attr(element, "control-port"),
            add_host: element.attr("add-host").and_then(parse_boolean).unwrap_or(true),
            ports,
        }
    }

    fn bundle_storage(&mut self, element: Element<'a>) -> Vec<StorageMapping> {
        let mut storage = Vec::new();
        for mapping in children_named(element, "storage-mapping") {
            let plain = self.attr(mapping, "source-dir");
            let source_is_root = plain.is_none();
            let source = plain.or_else(|| self.attr(mapping, "source-dir-root"));
            let (Some(source), Some(target)) = (source, self.attr(mapping, "target-dir")) else {
                let id = mapping.attr("id").unwrap_or_default();
                self.error(mapping, format!("Invalid mount directive {id}"));
                continue;
            };
            storage.push(StorageMapping {
                id: self.attr(mapping, "id"),
                source,
                source_is_root,
                target,
                options: self.attr(mapping, "options"),
                line: mapping.line(),
            });
        }
        storage
    }
}

/// Why a resource cannot be built from its template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("No template named '{0}'")]
    Missing(Text),
    #[error("The resource object '{0}' should not reference itself")]
    Itself(Text),
}

impl Configuration {
    /// The template with this ID.
    pub fn template(&self, id: &str) -> Option<&Resource> {
        self.templates.iter().find(|template| *template.id == *id)
    }

    /// The resource with its template applied (rule 1.9.2); resources without template as they are.
    /// Members of groups and clones are not touched: expand each on its own.
    ///
    /// # Errors
    /// The template is missing or is the resource itself: the resource is invalid.
    pub fn expand<'r>(&self, resource: &'r Resource) -> Result<Cow<'r, Resource>, TemplateError> {
        let ResourceKind::Primitive(primitive) = &resource.kind else { return Ok(Cow::Borrowed(resource)) };
        let Some(name) = &primitive.template else { return Ok(Cow::Borrowed(resource)) };
        if *name == resource.id {
            return Err(TemplateError::Itself(name.clone()));
        }
        let template = self.template(name).ok_or_else(|| TemplateError::Missing(name.clone()))?;
        let ResourceKind::Primitive(from) = &template.kind else {
            return Err(TemplateError::Missing(name.clone()));
        };
        Ok(Cow::Owned(resource.built_from(template, primitive, from)))
    }
}

impl Resource {
    /// The agent's part, if this is a primitive or template.
    pub fn as_primitive(&self) -> Option<&Primitive> {
        match &self.kind {
            ResourceKind::Primitive(primitive) => Some(primitive),
            _ => None,
        }
    }

    /// Identity for resource conditions of rules.
    pub fn identity(&self) -> crate::rule::ResourceIdentity<'_> {
        let primitive = self.as_primitive();
        crate::rule::ResourceIdentity {
            class: primitive.and_then(|primitive| primitive.class.as_deref()),
            provider: primitive.and_then(|primitive| primitive.provider.as_deref()),
            agent_type: primitive.and_then(|primitive| primitive.agent_type.as_deref()),
        }
    }

    /// Element name, as in the configuration (templates apart).
    pub fn element(&self) -> &'static str {
        match &self.kind {
            ResourceKind::Primitive(_) => "primitive",
            ResourceKind::Group(_) => "group",
            ResourceKind::Clone(_) => "clone",
            ResourceKind::Bundle(_) => "bundle",
        }
    }

    /// Resources directly inside, in document order.
    pub fn children(&self) -> Vec<&Resource> {
        match &self.kind {
            ResourceKind::Primitive(_) => Vec::new(),
            ResourceKind::Group(members) => members.iter().collect(),
            ResourceKind::Clone(child) => child.iter().map(|child| &**child).collect(),
            ResourceKind::Bundle(bundle) => bundle.primitive.iter().collect(),
        }
    }

    fn built_from(&self, template: &Resource, own: &Primitive, from: &Primitive) -> Resource {
        let chain = |first: &[Block], second: &[Block]| first.iter().chain(second).cloned().collect();
        let mut attributes = template.attributes.clone();
        for (name, value) in &mut attributes.0 {
            if &**name == "id" {
                *value = self.id.clone();
            }
        }
        Resource {
            id: self.id.clone(),
            attributes,
            meta: chain(&template.meta, &self.meta),
            instance_attributes: chain(&template.instance_attributes, &self.instance_attributes),
            utilization: chain(&template.utilization, &self.utilization),
            kind: ResourceKind::Primitive(Primitive {
                template: None,
                operations: merged_operations(&from.operations, &own.operations),
                ..from.clone()
            }),
            line: self.line,
        }
    }
}

/// The resource's operations, then those of the template that it does not mention (rule 1.9.2.3).
fn merged_operations(
    template: &Option<Vec<Operation>>,
    own: &Option<Vec<Operation>>,
) -> Option<Vec<Operation>> {
    let (Some(inherited), Some(own)) = (template, own) else {
        return own.clone().or_else(|| template.clone());
    };
    let mentioned =
        |operation: &Operation| own.iter().any(|known| operation_key(known) == operation_key(operation));
    Some(own.iter().chain(inherited.iter().filter(|operation| !mentioned(operation))).cloned().collect())
}

/// Name and role class; the interval is not part of it.
fn operation_key(operation: &Operation) -> (&str, &str) {
    let role = operation.attributes.get("role").unwrap_or_default();
    let plain = ["Started", "Unpromoted", "Slave"].iter().any(|word| word.eq_ignore_ascii_case(role));
    (&operation.name, if plain { "" } else { role })
}
