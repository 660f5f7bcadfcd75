//! A process in the cluster's group that misbehaves: it says what no manager of this version says.

use std::time::Duration;

use cluster::{Body, Message, NodeId, PROTOCOL, ViewId};
use messaging::{Choice, Engine, Event, MAX_MESSAGE};

/// How long it records what others say before it repeats it.
const RECORD: Duration = Duration::from_secs(1);

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Presents itself in another version of the protocol, in each view anew, until it is ended.
    Version { number: u16, stands: bool },
    /// Sends damaged, recorded and huge messages, and leaves.
    Rubbish,
    /// Sends rubbish whenever the others join, until it is ended.
    Babble,
}

/// Runs as it is told: `version NUMBER standing|new`, `rubbish`, `babble`.
pub fn run(words: &[&str]) -> Result<(), String> {
    let manner = match words {
        ["version", number, standing] => Manner::Version {
            number: number.parse().map_err(|_| format!("{number:?} is no number of a protocol"))?,
            stands: *standing == "standing",
        },
        ["rubbish"] => Manner::Rubbish,
        ["babble"] => Manner::Babble,
        _ => return Err(format!("a peer cannot {}", words.join(" "))),
    };
    let (engine, mut events) = messaging::open(Some(Choice::Corosync)).map_err(|error| error.to_string())?;
    let own = engine.local().id;
    if manner == Manner::Rubbish {
        std::thread::sleep(RECORD);
        let mut kept = Vec::new();
        while let Ok(event) = events.try_recv() {
            kept.extend(payload(event));
        }
        rubbish(&*engine, &kept)?;
        // until all of it has gone round: the last that is sent is the largest
        while let Some(event) = events.blocking_recv() {
            if payload(event).is_some_and(|payload| payload.len() == MAX_MESSAGE) {
                break;
            }
        }
        engine.leave();
        return Ok(());
    }
    while let Some(event) = events.blocking_recv() {
        match (event, manner) {
            (Event::View(_), Manner::Version { number, stands }) => {
                send(&*engine, foreign(own, number, stands))?;
            }
            (Event::View(_), _) => send(&*engine, noise(own.0.into()))?,
            (Event::Lost { reason }, _) => return Err(reason),
            _ => {}
        }
    }
    Ok(())
}

fn payload(event: Event) -> Option<Vec<u8>> {
    match event {
        Event::Message { payload, .. } => Some(payload),
        _ => None,
    }
}

fn send(engine: &dyn Engine, payload: Vec<u8>) -> Result<(), String> {
    engine.broadcast(payload).map_err(|error| error.to_string())
}

/// The first word of a node of another version.
fn foreign(from: NodeId, protocol: u16, stands: bool) -> Vec<u8> {
    let body = Body::Rejoin { reason: "said by another version".to_owned() };
    Message { protocol, stands, from, view: ViewId(0), round: 0, body }.encode()
}

/// Everything that is wrong in another way: as recorded, cut off, with a changed byte, as noise with and without a
/// right beginning, in the name of others, and as large as a message may be.
fn rubbish(engine: &dyn Engine, kept: &[Vec<u8>]) -> Result<(), String> {
    let own = engine.local().id;
    for (index, message) in kept.iter().enumerate() {
        send(engine, message[..message.len() / 2].to_vec())?;
        let mut changed = message.clone();
        let place = index * 7 % changed.len().max(1);
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 0x55;
        }
        send(engine, changed)?;
        send(engine, message.clone())?;
    }
    for seed in 0..100 {
        let beginning = foreign(own, PROTOCOL, true);
        send(engine, noise(seed))?;
        send(engine, [&beginning[..12], &noise(seed)[..]].concat())?;
    }
    send(engine, Vec::new())?;
    for name in engine.peers().iter().map(|peer| peer.id) {
        send(engine, foreign(name, PROTOCOL, true))?;
        send(engine, foreign(name, PROTOCOL - 1, true))?;
    }
    send(engine, vec![0x55; MAX_MESSAGE])
}

/// Bytes without meaning, the same for the same seed.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..200).map(next).collect()
}
