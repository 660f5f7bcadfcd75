//! Frames on the bus socket: a length, a kind, a body. Everything that comes in is checked; whatever does
//! not fit is an error and ends the connection.

use std::io;
use std::sync::Arc;

use cluster::{NodeId, View};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::MAX_MESSAGE;

/// Version of this protocol.
pub(super) const PROTOCOL: u32 = 1;

/// Longest frame: a message and its head.
const MAX_FRAME: usize = MAX_MESSAGE + 64;

/// Bytes that are read at once, and room made before they are there.
pub(super) const READ_AT_ONCE: usize = 1 << 16;

/// A message as it was put into a view's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ordered {
    /// Place in the view's order, from 1.
    pub sequence: u64,
    pub sender: NodeId,
    /// The sender's own count of its messages.
    pub number: u64,
    pub payload: Arc<[u8]>,
}

/// First frame of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub protocol: u32,
    pub node: u32,
    pub name: String,
    /// View in which the member is, after the loss of a switch.
    pub view: Option<u64>,
    /// Last message it delivered in that view.
    pub delivered: u64,
    /// How many `Retained` frames follow.
    pub retained: u32,
    /// Whether this run of the member has ever seen all configured nodes together.
    pub saw_all: bool,
}

/// First frame of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Control {
    /// Read the partition file again and act on it.
    Repartition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    Hello(Hello),
    Retained(Ordered),
    Send {
        number: u64,
        payload: Arc<[u8]>,
    },
    /// Delivered up to here in this view (0: in none); also a member's sign of life.
    Ack {
        view: u64,
        sequence: u64,
    },
    /// All members have delivered up to here; also the switch's sign of life.
    Beat {
        stable: u64,
    },
    Deliver {
        view: u64,
        stable: u64,
        message: Ordered,
    },
    View(View),
    Refused(String),
    Control(Control),
    Answer(String),
    /// The members went on without this one: its messages that have not come back are void.
    Forget,
}

impl Frame {
    pub(super) fn encode(&self) -> Arc<[u8]> {
        let mut body = Vec::new();
        match self {
            Frame::Hello(hello) => json(&mut body, 1, hello),
            Frame::Retained(message) => ordered(&mut body, 2, &[], message),
            Frame::Send { number, payload } => {
                body.push(3);
                body.extend_from_slice(&number.to_le_bytes());
                body.extend_from_slice(payload);
            }
            Frame::Ack { view, sequence } => {
                body.push(4);
                body.extend_from_slice(&view.to_le_bytes());
                body.extend_from_slice(&sequence.to_le_bytes());
            }
            Frame::Beat { stable } => {
                body.push(5);
                body.extend_from_slice(&stable.to_le_bytes());
            }
            Frame::Deliver { view, stable, message } => ordered(&mut body, 6, &[*view, *stable], message),
            Frame::View(view) => json(&mut body, 7, view),
            Frame::Refused(reason) => json(&mut body, 8, reason),
            Frame::Control(control) => json(&mut body, 9, control),
            Frame::Answer(text) => json(&mut body, 10, text),
            Frame::Forget => body.push(11),
        }
        let mut whole = Vec::with_capacity(body.len() + 4);
        whole.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        whole.extend_from_slice(&body);
        whole.into()
    }

    pub(super) fn decode(body: &[u8]) -> io::Result<Frame> {
        let (&kind, rest) = body.split_first().ok_or_else(|| malformed("empty frame"))?;
        Ok(match kind {
            1 => Frame::Hello(from_json(rest)?),
            2 => Frame::Retained(read_ordered(rest)?),
            3 => {
                let (number, payload) = read_u64(rest)?;
                Frame::Send { number, payload: payload.into() }
            }
            4 => {
                let (view, rest) = read_u64(rest)?;
                Frame::Ack { view, sequence: read_u64(rest)?.0 }
            }
            5 => Frame::Beat { stable: read_u64(rest)?.0 },
            6 => {
                let (view, rest) = read_u64(rest)?;
                let (stable, rest) = read_u64(rest)?;
                Frame::Deliver { view, stable, message: read_ordered(rest)? }
            }
            7 => Frame::View(from_json(rest)?),
            8 => Frame::Refused(from_json(rest)?),
            9 => Frame::Control(from_json(rest)?),
            10 => Frame::Answer(from_json(rest)?),
            11 => Frame::Forget,
            _ => return Err(malformed(&format!("unknown frame kind {kind}"))),
        })
    }

    /// Reads one frame; `None` at an orderly end. Not cancel-safe: belongs into a task of its own.
    pub(super) async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Option<Frame>> {
        let mut length = [0; 4];
        if stream.read(&mut length[..1]).await? == 0 {
            return Ok(None);
        }
        stream.read_exact(&mut length[1..]).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut_short(),
            _ => error,
        })?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_FRAME {
            return Err(malformed(&format!("a frame of {length} bytes is longer than {MAX_FRAME}")));
        }
        // beyond this it grows with what really arrives, so that a false length costs little
        let mut body = Vec::with_capacity(length.min(READ_AT_ONCE));
        let got = stream.take(length as u64).read_to_end(&mut body).await?;
        if got < length {
            return Err(cut_short());
        }
        Frame::decode(&body).map(Some)
    }

    pub(super) async fn write(&self, stream: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
        stream.write_all(&self.encode()).await
    }
}

fn json(body: &mut Vec<u8>, kind: u8, value: &impl Serialize) {
    body.push(kind);
    serde_json::to_writer(body, value).expect("these types always have a JSON form");
}

fn from_json<T: serde::de::DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(|error| malformed(&error.to_string()))
}

fn ordered(body: &mut Vec<u8>, kind: u8, head: &[u64], message: &Ordered) {
    body.reserve(message.payload.len() + 48);
    body.push(kind);
    for number in head {
        body.extend_from_slice(&number.to_le_bytes());
    }
    body.extend_from_slice(&message.sequence.to_le_bytes());
    body.extend_from_slice(&u64::from(message.sender.0).to_le_bytes());
    body.extend_from_slice(&message.number.to_le_bytes());
    body.extend_from_slice(&message.payload);
}

fn read_ordered(body: &[u8]) -> io::Result<Ordered> {
    let (sequence, rest) = read_u64(body)?;
    let (sender, rest) = read_u64(rest)?;
    let (number, rest) = read_u64(rest)?;
    let sender = u32::try_from(sender).map_err(|_| malformed("node id out of range"))?;
    Ok(Ordered { sequence, sender: NodeId(sender), number, payload: rest.into() })
}

fn read_u64(body: &[u8]) -> io::Result<(u64, &[u8])> {
    let (head, rest) = body.split_first_chunk::<8>().ok_or_else(|| malformed("frame too short"))?;
    Ok((u64::from_le_bytes(*head), rest))
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within a frame")
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster::ViewId;

    fn round(frame: Frame) {
        let bytes = frame.encode();
        assert_eq!(Frame::decode(&bytes[4..]).unwrap(), frame);
    }

    #[test]
    fn frames_survive_the_wire() {
        let message = Ordered { sequence: 7, sender: NodeId(3), number: 9, payload: Arc::from(*b"hello") };
        round(Frame::Retained(message.clone()));
        round(Frame::Deliver { view: 1 << 33, stable: 2, message });
        round(Frame::Send { number: 1, payload: Arc::from(*b"") });
        round(Frame::Ack { view: 1, sequence: u64::MAX });
        round(Frame::View(View {
            id: ViewId(4),
            hosts: vec![NodeId(1)],
            members: vec![NodeId(1)],
            quorate: true,
        }));
        round(Frame::Control(Control::Repartition));
    }

    #[test]
    fn malformed_frames_are_errors() {
        for body in [&b""[..], b"\x01{", b"\x02short", b"\x06", b"\xff", b"\x07[]"] {
            assert!(Frame::decode(body).is_err(), "{body:?}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_frame_that_is_too_long_is_refused_before_it_is_read() {
        let mut wire = &b"\xff\xff\xff\xff\x01"[..];
        assert!(Frame::read(&mut wire).await.is_err());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn only_between_frames_is_an_end_orderly() {
        let whole = Frame::Ack { view: 1, sequence: 2 }.encode();
        for length in 0..=whole.len() {
            let mut wire = &whole[..length];
            let read = Frame::read(&mut wire).await;
            match length {
                0 => assert!(matches!(read, Ok(None))),
                _ if length == whole.len() => assert!(matches!(read, Ok(Some(_)))),
                _ => assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{length}"),
            }
        }
    }
}
