//! Constraints as recorded for application.

use super::Name;
use super::ids::{NodeId, ResourceId};
use super::table::Discovery;
use cib::value::{Role, Score};

/// A colocation of one dependent with one primary, configured or implicit (rule 2.15).
#[derive(Clone, Debug)]
pub struct Colocation {
    pub id: Name,
    pub dependent: ResourceId,
    pub primary: ResourceId,
    /// `Unknown` means any role.
    pub dependent_role: Role,
    pub primary_role: Role,
    pub score: Score,
    /// The node attribute that must be equal; `None` means `#uname`.
    pub node_attribute: Option<Name>,
    pub influence: bool,
    /// `influence` was given explicitly, or other explicit flags of rule 2.15.2.
    pub explicit: bool,
    /// Index into the CIB's constraints; `None` for implicit ones.
    pub source: Option<u32>,
}

/// A location constraint for one resource: node scores as they apply (rule 2.9).
#[derive(Clone, Debug)]
pub struct Location {
    /// The constraint's, or that of its rule.
    pub id: Name,
    pub resource: ResourceId,
    /// `Unknown` means any role.
    pub role: Role,
    pub discovery: Discovery,
    pub nodes: Vec<(NodeId, Score)>,
    /// Index into the CIB's constraints; `None` for node health.
    pub source: Option<u32>,
}

/// What happens when a ticket is lost (rule 2.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LossPolicy {
    Stop,
    Demote,
    Fence,
    Freeze,
}

/// A ticket's state.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub id: Name,
    pub granted: bool,
    pub standby: bool,
    pub last_granted: i64,
}

/// A tag, or a template standing for the resources derived from it (rule 1.8.2).
#[derive(Clone, Debug)]
pub struct Tag {
    pub id: Name,
    pub members: Vec<Name>,
}
