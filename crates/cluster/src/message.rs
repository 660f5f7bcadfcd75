//! What nodes say to each other. Free of compatibility with anything but other versions of this program.

use serde::{Deserialize, Serialize};

use crate::executor::Order;
use crate::fencing::{FenceOrder, FenceRecord, Offer};
use crate::history::{Entry, InFlightKey};
use crate::join::Hello;
use crate::load::Load;
use crate::membership::{NodeId, ViewId};
use crate::operation::{AgentName, ExecutionStatus};
use crate::replica::Version;
use crate::request::{AttributeUpdate, CibChange, FenceRequest, RequestId};

/// A message in its envelope. One that was sent in another view or join round than the receiver's current one is void
/// for all receivers alike; its sender repeats what still matters after the next join round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Version of the protocol; others are refused ([`PROTOCOL`]).
    pub protocol: u16,
    /// The sender was in a cluster with quorum before this round.
    pub stands: bool,
    pub from: NodeId,
    pub view: ViewId,
    /// Join round within the view.
    pub round: u32,
    pub body: Body,
}

/// The protocol this program speaks.
pub const PROTOCOL: u16 = 8;

/// What every message begins with, whatever its protocol; the number of the protocol follows, and whether its
/// sender stands.
const MARK: &[u8] = b"systole";

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// Another protocol version, and whether its sender was in a cluster with quorum before.
    Protocol { number: u16, stands: bool },
    /// Not readable; what was found.
    Malformed(String),
}

impl std::fmt::Display for MessageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MessageError::Protocol { number, .. } => {
                write!(
                    f,
                    "message of protocol {number}, this node speaks {PROTOCOL}: all nodes need compatible versions"
                )
            }
            MessageError::Malformed(what) => write!(f, "malformed message: {what}"),
        }
    }
}

impl std::error::Error for MessageError {}

impl Message {
    /// The bytes to send.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, MARK.to_vec()).expect("memory grows, and every list knows its length")
    }

    /// Reads what [`Message::encode`] wrote; never panics, whatever the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Message, MessageError> {
        let malformed = |error: postcard::Error| MessageError::Malformed(error.to_string());
        let Some(content) = bytes.strip_prefix(MARK) else {
            return Err(MessageError::Malformed("it is not of this program".to_owned()));
        };
        // what another protocol says after its number may well not be understood
        let (number, rest) = postcard::take_from_bytes(content).map_err(malformed)?;
        if number != PROTOCOL {
            return Err(MessageError::Protocol { number, stands: rest.first() == Some(&1) });
        }
        match postcard::take_from_bytes(content).map_err(malformed)? {
            (message, []) => Ok(message),
            (_, rest) => Err(MessageError::Malformed(format!("{} bytes more than it has", rest.len()))),
        }
    }
}

/// What is said. Only the node state machine looks inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// A member presents itself: one from each in every join round.
    Hello(Box<Hello>),
    /// The CIB that won a round, from the one who holds it.
    CibCopy { version: Version, digest: String, text: String },
    /// A round goes on without members that stay silent.
    Proceed { without: Vec<NodeId> },
    /// All members go through a join round again.
    Rejoin { reason: String },
    /// A change of the CIB that a client asked `from` for. `at`: epoch seconds.
    Change { request: Option<RequestId>, change: CibChange, at: i64 },
    /// Changes of node attributes.
    Attributes { request: Option<RequestId>, updates: Vec<AttributeUpdate> },
    /// Dampened attributes are written now.
    FlushAttributes { names: Vec<String> },
    /// The DC says what is to be done, in this order.
    Execute { plan: Box<PlanNotice>, work: Vec<Work> },
    /// Operations ended, in this order.
    Results(Vec<ResultMessage>),
    /// A recurring operation ended on request.
    Cancelled { key: InFlightKey },
    /// Histories of resources are forgotten (cleanup, refresh, removed resources).
    Forget { request: Option<RequestId>, what: Vec<Forget>, at: i64 },
    /// Failures of a resource on a node are forgotten (rule 4.30.3).
    ClearFailures { node: String, resource: String, operation: Option<String>, interval: u64 },
    /// The DC has nothing more to do; what its replica is. The digest is left out when replicas were compared
    /// by it a moment ago.
    Settled { version: Version, digest: Option<String> },
    /// The sender's replica was not what `Settled` said, at the same point of the order.
    Differs { version: Version, digest: Option<String> },
    /// A node wants to leave. `at`: epoch seconds.
    ShutdownRequested { node: NodeId, at: i64 },
    /// A pretended failure (rule 4.36.3).
    FailResource { request: Option<RequestId>, resource: String, node: String },
    /// Somebody asks for fencing: the record says who owns the operation.
    FenceStarted { record: FenceRecord, request: FenceRequest },
    /// The sender could use these devices for it; `complete`: nothing more will come from it.
    FenceOffer { operation: String, devices: Vec<Offer>, complete: bool },
    /// The owner has a device used.
    FenceExecute(FenceOrder),
    /// What became of that.
    FenceExecuted { operation: String, attempt: u32, status: ExecutionStatus, reason: String },
    /// The one result of a fencing operation.
    FenceDone(FenceRecord),
    /// The sender was announced as fenced, and yet it runs.
    FenceSurvived { operation: String },
    /// Finished fencing operations are forgotten.
    ForgetFencing { request: Option<RequestId>, target: Option<String> },
    /// A node that is down is forgotten (rule 4.24.5).
    RemoveNode { request: Option<RequestId>, name: String, at: i64 },
    /// The sender is as busy as this from now on (rule 4.32.3).
    Load(Load),
    /// A guest node is down: the DC's plan stops what launches it (rule 4.57.5). `at`: epoch seconds.
    GuestFenced { name: String, at: i64 },
}

/// The plan to which work belongs, for everybody's journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanNotice {
    pub transition: u64,
    /// The first message of this plan.
    pub first: bool,
    pub actions: usize,
    /// What it does, a line each.
    pub summary: Vec<String>,
    /// What led to it.
    pub because: Vec<String>,
    /// Epoch seconds of the hand-out: the `last-rc-change` of pending entries.
    pub at: i64,
}

/// One action for one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub node: NodeId,
    /// Number of the action in its transition.
    pub action: u32,
    pub task: Task,
    /// The scheduler's reason.
    pub reason: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Task {
    Run(Box<Order>),
    Cancel {
        resource: String,
        key: String,
    },
    /// Stop the cluster services.
    Shutdown,
}

/// The result of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultMessage {
    /// Where it ran.
    pub node: NodeId,
    pub resource: String,
    pub agent: AgentName,
    pub container: Option<String>,
    pub shutdown_lock: Option<i64>,
    pub entry: Entry,
    /// Written into the CIB.
    pub recorded: bool,
    /// Not the first result of a recurring operation.
    pub repeated: bool,
    /// `on-fail` as the operation was told.
    pub on_fail: Option<String>,
}

/// Whose history is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forget {
    /// All resources without one.
    pub resource: Option<String>,
    /// All nodes without one.
    pub node: Option<String>,
    /// Only failures of this operation and interval.
    pub operation: Option<String>,
    pub interval: Option<u64>,
    /// Only resources that failed there.
    pub only_failed: bool,
    /// On behalf of an administrator: the configuration notes it (rule 4.36.6).
    pub by_administrator: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn another_protocol_is_told_from_a_malformed_message() {
        let message = Message {
            protocol: PROTOCOL,
            stands: true,
            from: NodeId(1),
            view: ViewId(u64::MAX),
            round: 0,
            body: Body::Rejoin { reason: "<\"&\u{1f600}".to_owned() },
        };
        let mut bytes = message.encode();
        assert_eq!(Message::decode(&bytes), Ok(message.clone()));
        let number = PROTOCOL + 1;
        let newer = Message { protocol: number, ..message };
        assert_eq!(Message::decode(&newer.encode()), Err(MessageError::Protocol { number, stands: true }));
        let unlike = [MARK, &[number as u8], b"news"].concat();
        assert_eq!(Message::decode(&unlike), Err(MessageError::Protocol { number, stands: false }));
        bytes.push(0);
        assert!(matches!(Message::decode(&bytes), Err(MessageError::Malformed(_))));
        bytes.truncate(bytes.len() - 2);
        assert!(matches!(Message::decode(&bytes), Err(MessageError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Message::decode(&bytes).is_err());
        }

        #[test]
        fn any_bytes_of_this_protocol_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let content = [MARK, &[PROTOCOL as u8], &bytes].concat();
            // some of them mean something
            let _ = Message::decode(&content);
        }
    }
}
