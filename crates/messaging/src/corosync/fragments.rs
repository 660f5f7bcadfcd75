//! Messages of any size out of pieces of a bounded one.
//!
//! A piece says which message of its sender it belongs to, its place, and how many there are. **A change of
//! the group voids every message that is incomplete at that point of the order**, at all members alike, for
//! a member that has just come cannot have the earlier pieces. Its sender, who sees the same order, sends it
//! again; pieces that still follow find no beginning and are ignored by everybody.

use std::collections::BTreeMap;

use crate::MAX_MESSAGE;

/// Bytes of a message in one piece.
pub(super) const PIECE: usize = 128 << 10;

const MARK: [u8; 4] = *b"Sys1";
const HEAD: usize = 20;

/// A process of the group: node and process id.
pub(super) type Process = (u32, u32);

/// The head that goes before a piece.
pub(super) fn head(number: u64, index: u32, count: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&MARK);
    head[4..12].copy_from_slice(&number.to_le_bytes());
    head[12..16].copy_from_slice(&index.to_le_bytes());
    head[16..].copy_from_slice(&count.to_le_bytes());
    head
}

/// How many pieces a message of that many bytes needs.
pub(super) fn pieces(length: usize) -> u32 {
    u32::try_from(length.div_ceil(PIECE)).unwrap_or(u32::MAX).max(1)
}

/// The bytes of one piece of a message.
pub(super) fn piece(payload: &[u8], index: u32) -> &[u8] {
    let start = (index as usize * PIECE).min(payload.len());
    &payload[start..payload.len().min(start + PIECE)]
}

/// What a piece turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The message is complete.
    Message {
        /// Its sender's count.
        number: u64,
        payload: Vec<u8>,
    },
    /// More is to come; the first of a message, or a later one.
    Part { number: u64, first: bool },
    /// Of a message that was voided.
    Void,
}

/// Messages that are incomplete, by sender.
#[derive(Debug, Default)]
pub(super) struct Assembly(BTreeMap<Process, Incomplete>);

#[derive(Debug)]
struct Incomplete {
    number: u64,
    next: u32,
    count: u32,
    bytes: Vec<u8>,
}

impl Assembly {
    /// The group has changed.
    pub fn void(&mut self) {
        self.0.clear();
    }

    /// Takes what a process sent; the error says what is wrong with it.
    pub fn take(&mut self, from: Process, bytes: &[u8]) -> Result<Piece, &'static str> {
        let (number, index, count) = read_head(bytes)?;
        let body = &bytes[HEAD..];
        if index == 0 {
            // whatever was begun before will never be completed
            self.0.remove(&from);
            if count == 1 {
                return Ok(Piece::Message { number, payload: body.to_vec() });
            }
            let begun = Incomplete { number, next: 1, count, bytes: body.to_vec() };
            self.0.insert(from, begun);
            return Ok(Piece::Part { number, first: true });
        }
        let Some(incomplete) = self.0.get_mut(&from) else { return Ok(Piece::Void) };
        if (incomplete.number, incomplete.next, incomplete.count) != (number, index, count) {
            self.0.remove(&from);
            return Ok(Piece::Void);
        }
        incomplete.bytes.extend_from_slice(body);
        incomplete.next += 1;
        if incomplete.next < count {
            return Ok(Piece::Part { number, first: false });
        }
        let payload = self.0.remove(&from).map(|complete| complete.bytes).unwrap_or_default();
        Ok(Piece::Message { number, payload })
    }
}

fn read_head(bytes: &[u8]) -> Result<(u64, u32, u32), &'static str> {
    if bytes.len() < HEAD || bytes[..4] != MARK {
        return Err("it is not a message of this program, or of another version");
    }
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[4..12]);
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (index, count) = (word(12), word(16));
    if index >= count || count > pieces(MAX_MESSAGE) || bytes.len() - HEAD > PIECE {
        return Err("its head contradicts itself");
    }
    Ok((u64::from_le_bytes(number), index, count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SENDER: Process = (1, 10);

    fn sent(number: u64, payload: &[u8]) -> Vec<Vec<u8>> {
        let count = pieces(payload.len());
        (0..count).map(|index| [&head(number, index, count)[..], piece(payload, index)].concat()).collect()
    }

    #[test]
    fn every_size_arrives_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut assembly = Assembly::default();
            let last = sent(7, &payload).iter().map(|bytes| assembly.take(SENDER, bytes).unwrap()).last();
            assert_eq!(last, Some(Piece::Message { number: 7, payload }));
        }
    }

    #[test]
    fn a_change_of_the_group_voids_what_is_incomplete() {
        let payload = vec![1; 3 * PIECE];
        let (old, new) = (sent(1, &payload), sent(2, &payload));
        let mut assembly = Assembly::default();
        assert_eq!(assembly.take(SENDER, &old[0]), Ok(Piece::Part { number: 1, first: true }));
        assembly.void();
        assert_eq!(assembly.take(SENDER, &old[1]), Ok(Piece::Void));
        assert_eq!(assembly.take(SENDER, &old[2]), Ok(Piece::Void));
        let last = new.iter().map(|bytes| assembly.take(SENDER, bytes).unwrap()).last();
        assert_eq!(last, Some(Piece::Message { number: 2, payload }));
    }

    #[test]
    fn a_beginning_replaces_what_was_begun() {
        let payload = vec![1; 2 * PIECE];
        let mut assembly = Assembly::default();
        assembly.take(SENDER, &sent(1, &payload)[0]).unwrap();
        assembly.take(SENDER, &sent(2, &payload)[0]).unwrap();
        assert_eq!(assembly.take(SENDER, &sent(1, &payload)[1]), Ok(Piece::Void));
    }

    #[test]
    fn one_senders_pieces_do_not_meet_anothers() {
        let payload = vec![1; 2 * PIECE];
        let mut assembly = Assembly::default();
        assembly.take(SENDER, &sent(1, &payload)[0]).unwrap();
        assert_eq!(assembly.take((2, 10), &sent(1, &payload)[1]), Ok(Piece::Void));
        assert!(matches!(assembly.take(SENDER, &sent(1, &payload)[1]), Ok(Piece::Message { .. })));
    }

    proptest! {
        #[test]
        fn rubbish_does_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..100), marked in any::<bool>()) {
            let mut bytes = bytes;
            if marked && bytes.len() >= 4 {
                bytes[..4].copy_from_slice(&MARK);
            }
            let _ = Assembly::default().take(SENDER, &bytes);
        }
    }
}
