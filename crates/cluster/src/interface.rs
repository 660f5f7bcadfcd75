//! What goes into a node and what comes out of it. Closed enums, so that a run can be recorded and replayed.

use serde::{Deserialize, Serialize};

use crate::alerts::AlertRun;
use crate::event::Event;
use crate::load::Sample;
use crate::membership::{NodeId, View};
use crate::message::Message;
use crate::operation::{AgentMetadata, AgentName, FenceRun, Operation, OperationId, OperationResult};
use crate::request::{Reply, Request, RequestId};

/// Everything that can happen to a node.
#[allow(clippy::large_enum_variant, reason = "a handful are alive at a time")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The messaging layer installed a new view, or its quorum changed (then members and id are unchanged).
    View(View),
    /// A message, in total order with views; the sender's own messages included.
    Message(Message),
    /// A message in whose place stands what could be learnt of it, for it is not one of this protocol.
    Unreadable { from: NodeId, speaks: Speech },
    /// A local client asks.
    Request { id: RequestId, request: Request },
    /// An [`Output::Run`] or a leftover ended (also after [`Output::Cancel`], as `Cancelled`).
    OperationDone(OperationResult),
    /// An [`Output::Fence`] ended. `Done` with exit code 0 is success.
    FenceDone(OperationResult),
    /// Answer to [`Output::FetchMetadata`]; `None` if the agent gave none.
    Metadata { id: OperationId, metadata: Option<AgentMetadata> },
    /// Answer to [`Output::WriteCib`].
    CibWritten { serial: u64, error: Option<CibWriteError> },
    /// How busy this host is; measured every 30 s (rule 4.32.3).
    Load(Sample),
    /// The time of [`crate::Node::next_deadline`] has come (early or late calls do no harm).
    Deadline,
    /// Leave in an orderly way; `escalate`: at once, resources running or not (rule 4.34).
    Shutdown { escalate: bool },
    /// The messaging layer is gone: the node must not go on alone (rule 4.20.6).
    MessagingLost { reason: String },
}

/// What a message that cannot be read tells of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Speech {
    /// Another protocol of this program. `stands`: it was in a cluster with quorum before.
    Protocol { number: u16, stands: bool },
    /// Nothing that any version of this program says.
    Garbage,
}

/// Why the configuration was not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CibWriteError {
    /// Somebody edited the file: it must not be overwritten (rule 4.23.8).
    Edited(String),
    /// The world: the disk is full, say. It may be better later.
    Failed(String),
}

/// Everything a node can ask of its driver, to be carried out in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Output {
    /// Send to all members, this node included, in total order.
    Broadcast(Message),
    /// Run an agent once; answered by [`Input::OperationDone`].
    Run(Operation),
    /// End the run (kill its group); answered by [`Input::OperationDone`] in any case.
    Cancel(OperationId),
    /// Run a fence agent once; answered by [`Input::FenceDone`].
    Fence(FenceRun),
    /// Get an agent's metadata; answered by [`Input::Metadata`].
    FetchMetadata { id: OperationId, agent: AgentName },
    /// Make the configuration durable: `text` (no status, `num_updates="0"`, one trailing newline) and its
    /// file digest (rules 4.23.5, 4.23.6). At most one is outstanding; answered by [`Input::CibWritten`].
    WriteCib { serial: u64, text: String, digest: String },
    /// Answer a client.
    Reply { id: RequestId, reply: Reply },
    /// Tell subscribers.
    Event(Event),
    /// Run an alert agent (rule 4.11); nobody waits for it.
    Alert(AlertRun),
    /// Save the input of a plan (rule 4.39): the CIB as XML with `execution-date`. `most`: how many of its severity are
    /// kept; 0 none, negative all.
    SavePlanInput { transition: u64, severity: crate::event::Severity, text: String, most: i32 },
    /// Leave the group and end the process with this code (0, or 100: stay down, rule 4.38.3).
    Leave { code: i32, reason: String },
    /// Bring the host down at once (rule 4.58.1).
    Panic { reason: String },
}

/// Collects the outputs of a step, in order.
pub type Outbox = Vec<Output>;
