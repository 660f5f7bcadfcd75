//! What a simulation did, as data; as text they are the lines of rules 3.51 and 3.53.

use std::fmt;

/// One thing that was changed or carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The root's or an option's value was set: `quorum` or `watchdog`.
    Setting {
        name: &'static str,
        value: String,
    },
    Node {
        change: NodeChange,
        node: String,
    },
    Ticket {
        change: TicketChange,
        ticket: String,
    },
    /// A result was put into the history, given as `RES_TASK_INTERVAL@NODE=RC`.
    Result {
        spec: String,
    },
    /// An attribute of a node's status was set.
    Attribute {
        name: String,
        value: String,
        node_id: String,
    },
    /// A resource's action was carried out on a node; interval in milliseconds, 0 for one time.
    Resource {
        resource: String,
        task: String,
        node: String,
        interval: u32,
    },
    /// It failed as it was told to; `action` is its number.
    Failure {
        action: u32,
        status: i32,
    },
    Pseudo {
        key: String,
        node: Option<String>,
    },
    /// Something the cluster itself does on a node, maybe about a resource.
    Cluster {
        task: String,
        node: String,
        resource: Option<String>,
    },
    Fence {
        node: String,
        operation: String,
    },
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeChange {
    Up,
    Down,
    Fail,
}

/// What happens to a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketChange {
    Grant,
    Revoke,
    Standby,
    Activate,
}

impl Event {
    /// Whether the line stands as it is, without bullet and indentation.
    pub fn is_plain(&self) -> bool {
        matches!(self, Event::Failure { .. })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Setting { name, value } => write!(out, "Setting {name}: {value}"),
            Event::Node { change: NodeChange::Up, node } => write!(out, "Bringing node {node} online"),
            Event::Node { change: NodeChange::Down, node } => write!(out, "Taking node {node} offline"),
            Event::Node { change: NodeChange::Fail, node } => write!(out, "Failing node {node}"),
            Event::Ticket { change, ticket } => match change {
                TicketChange::Grant => write!(out, "Granting ticket {ticket}"),
                TicketChange::Revoke => write!(out, "Revoking ticket {ticket}"),
                TicketChange::Standby => write!(out, "Making ticket {ticket} standby"),
                TicketChange::Activate => write!(out, "Activating ticket {ticket}"),
            },
            Event::Result { spec } => write!(out, "Injecting {spec} into the configuration"),
            Event::Attribute { name, value, node_id } => {
                write!(out, "Injecting attribute {name}={value} into /node_state '{node_id}'")
            }
            Event::Resource { resource, task, node, interval } => {
                let repeated = if *interval > 0 { format!("={interval}") } else { String::new() };
                write!(out, "Resource action: {resource:<15} {task}{repeated} on {node}")
            }
            Event::Failure { action, status } => {
                write!(out, "Pretending action {action} failed with rc={status}")
            }
            Event::Pseudo { key, node: None } => write!(out, "Pseudo action:   {key}"),
            Event::Pseudo { key, node: Some(node) } => write!(out, "Pseudo action:   {key} on {node}"),
            Event::Cluster { task, node, resource: None } => write!(out, "Cluster action:  {task} on {node}"),
            Event::Cluster { task, node, resource: Some(resource) } => {
                write!(out, "Cluster action:  {task} for {resource} on {node}")
            }
            Event::Fence { node, operation } => write!(out, "Fencing {node} ({operation})"),
        }
    }
}
