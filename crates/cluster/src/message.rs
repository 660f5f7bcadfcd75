//! What nodes say to each other. Free of compatibility with anything but other versions of this program.

use serde::{Deserialize, Serialize};

use crate::membership::{NodeId, ViewId};

/// A message in its envelope. One that was sent in another view than the receiver's current one is void
/// for all receivers alike; its sender repeats what still matters after the next join round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Version of the protocol; others are refused ([`PROTOCOL`]).
    pub protocol: u16,
    pub from: NodeId,
    pub view: ViewId,
    pub body: Body,
}

/// The protocol this program speaks.
pub const PROTOCOL: u16 = 1;

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// Another protocol version.
    Protocol(u64),
    /// Not readable; what was found.
    Malformed(String),
}

impl std::fmt::Display for MessageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MessageError::Protocol(version) => {
                write!(
                    f,
                    "message of protocol {version}, this node speaks {PROTOCOL}: all nodes need compatible versions"
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
        serde_json::to_vec(self).expect("messages have string keys only")
    }

    /// Reads what [`Message::encode`] wrote; never panics, whatever the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Message, MessageError> {
        #[derive(Deserialize)]
        struct Head {
            protocol: u64,
        }
        let head: Head =
            serde_json::from_slice(bytes).map_err(|error| MessageError::Malformed(error.to_string()))?;
        if head.protocol != u64::from(PROTOCOL) {
            return Err(MessageError::Protocol(head.protocol));
        }
        serde_json::from_slice(bytes).map_err(|error| MessageError::Malformed(error.to_string()))
    }
}

/// What is said. Only the node state machine looks inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// Placeholder until the join protocol is here.
    Empty,
}
