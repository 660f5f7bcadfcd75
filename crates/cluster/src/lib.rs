//! The cluster node as a pure state machine: membership, join and DC choice, the replicated CIB, node
//! attributes, transition runner, fencing coordinator and executor book-keeping.
//!
//! [`Node::step`] takes the moment and one [`Input`] (or several that wait) and appends [`Output`]s; [`Node::next_deadline`] says
//! when it wants to be woken. The driver (the daemon, or the simulator) performs the outputs in order.
//! Nothing here reads a clock, a file, a socket or a random number, and nothing depends on the order of a
//! hash table: the same inputs give the same outputs, on every machine.

pub mod alerts;
pub mod attributes;
pub mod config;
pub mod event;
pub mod executor;
pub mod fencing;
pub mod history;
pub mod interface;
pub mod join;
pub mod load;
pub mod membership;
pub mod message;
mod node;
pub mod operation;
pub mod planner;
pub mod replica;
pub mod request;
mod started;
pub mod text;
pub mod time;

pub use alerts::AlertRun;
pub use config::{Config, Leftover, Peer, Restored, StartState};
pub use event::{Event, EventId, EventKind, Severity};
pub use fencing::watchdog::Timing as WatchdogTiming;
pub use fencing::{FenceRecord, FenceState, RegisteredDevice, RegistryChange};
pub use interface::{CibWriteError, Input, Outbox, Output, Speech};
pub use load::{Load, Sample as LoadSample};
pub use membership::{NodeId, View, ViewId};
pub use message::{Body, Message, MessageError, PROTOCOL};
pub use node::Node;
pub use operation::{
    AgentAction, AgentMetadata, AgentName, AgentParameter, ExecutionStatus, FenceRun, Operation, OperationId,
    OperationResult,
};
pub use planner::{Planner, SchedulerPlanner};
pub use request::{
    AttributeAction, AttributeUpdate, AttributeValue, CibChange, CibOperation, CibQuery, Client,
    FenceRequest, NodeStatus, PeerStatus, Phase, Refusal, RefusalCode, Reply, Request, RequestId,
    RunningOperation, TransitionStatus,
};
pub use time::Now;
