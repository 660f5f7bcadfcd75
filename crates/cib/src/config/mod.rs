//! The configuration in typed form: what the administrator wrote, in document order, with
//! references between name/value blocks already followed. Nothing is resolved beyond that:
//! templates, tags, defaults and rules are for the reader of these types.

mod constraints;
mod read;
mod resources;

pub(crate) use read::{children_named, unique_child};
pub use resources::TemplateError;

use crate::notice::{Notice, Place, Severity};
use crate::nvpair::Block;
use crate::rule::Rule;
use crate::text::Text;
use crate::value::{Score, ScoreText};
use std::sync::Arc;

/// Everything below `configuration`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// `cluster_property_set` blocks.
    pub cluster_properties: Vec<Block>,
    pub nodes: Vec<Node>,
    /// Children of `resources` in document order, without templates.
    pub resources: Vec<Resource>,
    /// Resource templates in document order.
    pub templates: Vec<Resource>,
    /// Constraints of all kinds in document order.
    pub constraints: Vec<Constraint>,
    pub rsc_defaults: Vec<Block>,
    pub op_defaults: Vec<Block>,
    pub fencing_levels: Vec<FencingLevel>,
    pub tags: Vec<Tag>,
    pub alerts: Vec<Alert>,
    pub acls: Acls,
    /// Some meta-attribute `provides` or `requires` says `unfencing` (rule 1.4.7).
    pub unfencing_in_use: bool,
}

/// XML attributes of an element, in document order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XmlAttributes(pub Vec<(Text, Text)>);

impl XmlAttributes {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| **key == *name).map(|(_, value)| &**value)
    }

    /// Shared copy of a value.
    pub fn text(&self, name: &str) -> Option<Text> {
        self.0.iter().find(|(key, _)| **key == *name).map(|(_, value)| value.clone())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }
}

/// A `node` of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub id: Text,
    pub uname: Option<Text>,
    pub kind: NodeKind,
    /// Initial score of the node (default 0).
    pub score: Score,
    pub instance_attributes: Vec<Block>,
    pub utilization: Vec<Block>,
    pub line: u32,
}

/// `type` of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Unset or `member`.
    Member,
    Remote,
    /// Anything else: this node and all after it are ignored by the scheduler (rule 1.7.2.1).
    Other(Text),
}

/// A resource or template as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub id: Text,
    /// All XML attributes of the element, `id` included.
    pub attributes: XmlAttributes,
    pub meta: Vec<Block>,
    pub instance_attributes: Vec<Block>,
    pub utilization: Vec<Block>,
    pub kind: ResourceKind,
    pub line: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ResourceKind {
    Primitive(Primitive),
    Group(Vec<Resource>),
    /// The first primitive or group inside; `None` if there is none (the clone is invalid).
    Clone(Option<Box<Resource>>),
    Bundle(Box<Bundle>),
}

/// What only a primitive (or a template) has.
#[derive(Clone, Debug, PartialEq)]
pub struct Primitive {
    pub class: Option<Text>,
    pub provider: Option<Text>,
    pub agent_type: Option<Text>,
    /// ID of the template this resource is built from, not yet applied.
    pub template: Option<Text>,
    /// Configured operations in document order; `None` without an `operations` element.
    pub operations: Option<Vec<Operation>>,
}

/// An `op` of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub id: Option<Text>,
    /// `name`; empty if missing.
    pub name: Text,
    /// Milliseconds (unset and invalid texts count as 0).
    pub interval: u64,
    /// All XML attributes in document order.
    pub attributes: XmlAttributes,
    pub meta: Vec<Block>,
    pub instance_attributes: Vec<Block>,
    pub line: u32,
}

impl Operation {
    /// False only if the XML attribute `enabled` is a false word.
    pub fn is_enabled(&self) -> bool {
        self.attributes.get("enabled").is_none_or(|text| crate::value::parse_boolean(text) == Some(true))
    }
}

/// What only a bundle has (rule 1.9.8.2), with defaults applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// `None`: no known container element, the bundle is invalid.
    pub container: Option<Container>,
    pub network: BundleNetwork,
    pub storage: Vec<StorageMapping>,
    pub primitive: Option<Resource>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerEngine {
    Docker,
    Podman,
}

impl ContainerEngine {
    /// Name of the element, of the agent, and in generated IDs.
    pub fn name(self) -> &'static str {
        match self {
            ContainerEngine::Docker => "docker",
            ContainerEngine::Podman => "podman",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub engine: ContainerEngine,
    pub image: Option<Text>,
    pub promoted_max: u32,
    /// At least 1.
    pub replicas: u32,
    /// At least 1.
    pub replicas_per_host: u32,
    pub run_command: Option<Text>,
    pub network: Option<Text>,
    pub options: Option<Text>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleNetwork {
    pub ip_range_start: Option<Text>,
    pub host_netmask: Option<Text>,
    pub host_interface: Option<Text>,
    pub control_port: Option<Text>,
    pub add_host: bool,
    pub ports: Vec<PortMapping>,
}

impl Default for BundleNetwork {
    fn default() -> Self {
        BundleNetwork {
            ip_range_start: None,
            host_netmask: None,
            host_interface: None,
            control_port: None,
            add_host: true,
            ports: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapping {
    pub id: Option<Text>,
    /// Port on the host, or the range.
    pub port: Text,
    /// Port inside; the same as `port` unless configured.
    pub internal_port: Text,
    pub line: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageMapping {
    pub id: Option<Text>,
    /// `source-dir` or `source-dir-root`.
    pub source: Text,
    /// The source is a root with one directory a replica.
    pub source_is_root: bool,
    pub target: Text,
    pub options: Option<Text>,
    pub line: u32,
}

/// A constraint. Names in it may be resources, templates or tags.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    Location(LocationConstraint),
    Colocation(ColocationConstraint),
    Order(OrderConstraint),
    Ticket(TicketConstraint),
}

impl Constraint {
    pub fn id(&self) -> &Text {
        match self {
            Constraint::Location(constraint) => &constraint.id,
            Constraint::Colocation(constraint) => &constraint.id,
            Constraint::Order(constraint) => &constraint.id,
            Constraint::Ticket(constraint) => &constraint.id,
        }
    }

    pub fn line(&self) -> u32 {
        match self {
            Constraint::Location(constraint) => constraint.line,
            Constraint::Colocation(constraint) => constraint.line,
            Constraint::Order(constraint) => constraint.line,
            Constraint::Ticket(constraint) => constraint.line,
        }
    }
}

/// `rsc_location`. Words are kept as configured, because what a bad one means depends on the place.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationConstraint {
    pub id: Text,
    pub rsc: Option<Text>,
    pub rsc_pattern: Option<Text>,
    pub role: Option<Text>,
    pub node: Option<Text>,
    pub score: Option<ScoreText>,
    /// First rule of the constraint.
    pub rule: Option<Arc<Rule>>,
    pub resource_discovery: Option<Text>,
    pub sets: Vec<ResourceSet>,
    pub line: u32,
}

/// `rsc_colocation`.
#[derive(Clone, Debug, PartialEq)]
pub struct ColocationConstraint {
    pub id: Text,
    pub score: Option<ScoreText>,
    pub rsc: Option<Text>,
    pub rsc_role: Option<Text>,
    pub with_rsc: Option<Text>,
    pub with_rsc_role: Option<Text>,
    pub node_attribute: Option<Text>,
    pub influence: Option<Text>,
    pub sets: Vec<ResourceSet>,
    pub line: u32,
}

/// `rsc_order`.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderConstraint {
    pub id: Text,
    pub first: Option<Text>,
    pub first_action: Option<Text>,
    pub then: Option<Text>,
    pub then_action: Option<Text>,
    pub kind: Option<Text>,
    pub score: Option<ScoreText>,
    pub symmetrical: Option<Text>,
    pub require_all: Option<Text>,
    pub sets: Vec<ResourceSet>,
    pub line: u32,
}

/// `rsc_ticket`.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketConstraint {
    pub id: Text,
    pub ticket: Option<Text>,
    pub rsc: Option<Text>,
    pub rsc_role: Option<Text>,
    pub loss_policy: Option<Text>,
    pub sets: Vec<ResourceSet>,
    pub line: u32,
}

/// `resource_set`, references followed.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceSet {
    pub id: Text,
    pub sequential: Option<Text>,
    pub require_all: Option<Text>,
    pub ordering: Option<Text>,
    pub action: Option<Text>,
    pub role: Option<Text>,
    pub score: Option<ScoreText>,
    pub kind: Option<Text>,
    pub symmetrical: Option<Text>,
    /// IDs of resources, templates or tags in order.
    pub members: Vec<Text>,
    pub line: u32,
}

/// `tag`: an ordered list of IDs without duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub id: Text,
    pub members: Vec<Text>,
    pub line: u32,
}

/// `fencing-level`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FencingLevel {
    pub id: Text,
    pub target: FencingTarget,
    /// 1…9.
    pub index: u8,
    pub devices: Vec<Text>,
    pub line: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FencingTarget {
    Node(Text),
    Pattern(Text),
    Attribute { name: Text, value: Text },
}

/// `alert`.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub id: Text,
    pub path: Text,
    pub meta: Vec<Block>,
    pub instance_attributes: Vec<Block>,
    /// What the alert is called for; `None` without a `select` element (everything but attributes).
    pub select: Option<AlertSelection>,
    pub recipients: Vec<AlertRecipient>,
    pub line: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertSelection {
    pub nodes: bool,
    pub fencing: bool,
    pub resources: bool,
    /// `Some` if attribute changes are wanted; names, empty for all.
    pub attributes: Option<Vec<Text>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AlertRecipient {
    pub id: Text,
    pub value: Text,
    pub meta: Vec<Block>,
    pub instance_attributes: Vec<Block>,
    pub line: u32,
}

/// `acls`: who may do what. Enforcement works on the XML document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acls {
    pub roles: Vec<AclRole>,
    pub targets: Vec<AclSubject>,
    pub groups: Vec<AclSubject>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclRole {
    pub id: Text,
    pub permissions: Vec<AclPermission>,
    pub line: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclPermission {
    pub id: Option<Text>,
    pub access: AclAccess,
    pub selector: AclSelector,
    pub line: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclAccess {
    Read,
    Write,
    Deny,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclSelector {
    Xpath(Text),
    Reference(Text),
    ObjectType { element: Text, attribute: Option<Text> },
}

/// A user (`acl_target`) or system group (`acl_group`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclSubject {
    pub id: Text,
    /// `name`, or the ID.
    pub name: Text,
    /// IDs of roles in document order.
    pub roles: Vec<Text>,
    pub line: u32,
}

#[cfg(test)]
mod tests;
