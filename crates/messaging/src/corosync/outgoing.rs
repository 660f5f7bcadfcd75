//! Messages that Corosync has not taken yet. Small ones are handed over one after the other. A message of
//! several pieces keeps the later ones back until it has come back in order, for it may have to be sent
//! again after a change of the group (see `fragments`), and a sender's messages keep their order.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fragments::pieces;
use crate::SendError;

/// Most bytes and messages that wait.
const MAX_BYTES: usize = 256 << 20;
const MAX_MESSAGES: usize = 1 << 16;

/// The queue between the engine's handle and its thread.
#[derive(Default)]
pub(super) struct Outgoing(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
    closed: bool,
}

impl Outgoing {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, payload: Vec<u8>) -> Result<(), SendError> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(SendError::Closed);
        }
        if queue.bytes + payload.len() > MAX_BYTES || queue.messages.len() >= MAX_MESSAGES {
            return Err(SendError::Full);
        }
        queue.bytes += payload.len();
        queue.messages.push_back(payload);
        Ok(())
    }

    pub fn close(&self) {
        self.lock().closed = true;
    }

    fn pop(&self) -> Option<Vec<u8>> {
        let mut queue = self.lock();
        let payload = queue.messages.pop_front()?;
        queue.bytes -= payload.len();
        Some(payload)
    }
}

/// The message that is being handed over.
#[derive(Default)]
pub(super) struct Current {
    count: u64,
    message: Option<Sending>,
}

struct Sending {
    number: u64,
    payload: Vec<u8>,
    pieces: u32,
    handed_over: u32,
    /// Its first piece has come back.
    begun: bool,
}

/// A piece to hand over.
pub(super) struct Next<'a> {
    pub number: u64,
    pub index: u32,
    pub count: u32,
    pub payload: &'a [u8],
}

impl Current {
    /// What is to be handed over now, if anything.
    pub fn next(&mut self, queue: &Outgoing) -> Option<Next<'_>> {
        if self.message.is_none() {
            let payload = queue.pop()?;
            self.count += 1;
            let pieces = pieces(payload.len());
            self.message =
                Some(Sending { number: self.count, payload, pieces, handed_over: 0, begun: false });
        }
        let sending = self.message.as_ref().filter(|sending| sending.handed_over < sending.pieces)?;
        let Sending { number, pieces, handed_over, .. } = *sending;
        Some(Next { number, index: handed_over, count: pieces, payload: &sending.payload })
    }

    /// Corosync took it.
    pub fn handed_over(&mut self) {
        if let Some(sending) = &mut self.message {
            sending.handed_over += 1;
            if sending.pieces == 1 {
                self.message = None;
            }
        }
    }

    /// Nothing more can be done for the present message but wait for it to come back.
    pub fn is_idle(&self) -> bool {
        self.message.is_none()
    }

    /// The first piece of one of ours came back.
    pub fn began(&mut self, number: u64) {
        if let Some(sending) = self.message.as_mut().filter(|sending| sending.number == number) {
            sending.begun = true;
        }
    }

    /// One of ours came back whole.
    pub fn came_back(&mut self, number: u64) {
        self.message.take_if(|sending| sending.number == number);
    }

    /// The group changed: what had begun to come back is void, and goes again from its first piece.
    pub fn group_changed(&mut self) {
        if let Some(sending) = self.message.as_mut().filter(|sending| sending.begun) {
            self.count += 1;
            sending.number = self.count;
            sending.handed_over = 0;
            sending.begun = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fragments::PIECE;
    use super::*;

    fn hand_over(current: &mut Current, queue: &Outgoing) -> Option<(u64, u32)> {
        let next = current.next(queue).map(|next| (next.number, next.index));
        if next.is_some() {
            current.handed_over();
        }
        next
    }

    #[test]
    fn small_messages_do_not_wait_for_each_other() {
        let (queue, mut current) = (Outgoing::default(), Current::default());
        queue.push(vec![1]).unwrap();
        queue.push(Vec::new()).unwrap();
        assert_eq!(hand_over(&mut current, &queue), Some((1, 0)));
        assert_eq!(hand_over(&mut current, &queue), Some((2, 0)));
        assert_eq!(hand_over(&mut current, &queue), None);
    }

    #[test]
    fn a_large_message_keeps_the_later_ones_back() {
        let (queue, mut current) = (Outgoing::default(), Current::default());
        queue.push(vec![1; PIECE + 1]).unwrap();
        queue.push(vec![2]).unwrap();
        assert_eq!(hand_over(&mut current, &queue), Some((1, 0)));
        assert_eq!(hand_over(&mut current, &queue), Some((1, 1)));
        assert_eq!(hand_over(&mut current, &queue), None);
        current.came_back(1);
        assert_eq!(hand_over(&mut current, &queue), Some((2, 0)));
    }

    #[test]
    fn what_had_begun_goes_again_after_a_change_of_the_group() {
        let (queue, mut current) = (Outgoing::default(), Current::default());
        queue.push(vec![1; 2 * PIECE]).unwrap();
        hand_over(&mut current, &queue);
        current.group_changed();
        assert_eq!(hand_over(&mut current, &queue), Some((1, 1)), "all of it comes after the change");
        current.began(1);
        current.group_changed();
        assert_eq!(hand_over(&mut current, &queue), Some((2, 0)));
        current.came_back(1);
        assert_eq!(hand_over(&mut current, &queue), Some((2, 1)), "the old one does not count");
    }

    #[test]
    fn the_queue_is_bounded_and_can_be_closed() {
        let queue = Outgoing::default();
        queue.push(vec![0; MAX_BYTES]).unwrap();
        assert_eq!(queue.push(vec![0]), Err(SendError::Full));
        queue.close();
        assert_eq!(queue.push(Vec::new()), Err(SendError::Closed));
    }
}
