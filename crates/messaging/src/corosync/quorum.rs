//! The quorum services, on a thread of their own: whether there is quorum, and how it comes about. It is
//! Corosync's business; nothing here computes any of it (rule 4.20.3).

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use super::calls::{Calls, Waker, wait};
use super::ffi::{
    self, Code, DISPATCH_ALL, Handle, QuorumCallbacks, TRACK_CURRENT_AND_CHANGES, VotequorumCallbacks,
    VotequorumInfo,
};
use super::views::RingQuorum;
use crate::{QuorumDetails, QuorumDevice};

/// Where the quorum thread leaves what it learns.
#[derive(Default)]
pub(super) struct Board {
    /// What the CPG thread has not taken yet, oldest first.
    news: Mutex<Vec<RingQuorum>>,
    details: Mutex<Option<QuorumDetails>>,
}

impl Board {
    pub fn take_news(&self) -> Vec<RingQuorum> {
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn details(&self) -> Option<QuorumDetails> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

thread_local! {
    /// What the callbacks heard within the call to dispatch that is under way.
    static HEARD: RefCell<Vec<RingQuorum>> = const { RefCell::new(Vec::new()) };
}

extern "C" fn heard(_: Handle, quorate: u32, sequence: u64, count: u32, hosts: *const u32) {
    // SAFETY: Corosync passes `count` ids at `hosts`
    let hosts = unsafe { super::slice(hosts, count as usize) }.to_vec();
    HEARD.with_borrow_mut(|news| news.push(RingQuorum { sequence, hosts, quorate: quorate != 0 }));
}

extern "C" fn expected_votes_changed(_: Handle, _: u64, _: u32) {}

/// Connections to both quorum services.
pub(super) struct Connection {
    quorum: (&'static ffi::Quorum, Handle, i32),
    votes: (&'static ffi::Votequorum, Handle, i32),
    local: u32,
}

/// Why there is no connection.
pub(super) enum Refused {
    Code(Code),
    /// No provider decides about quorum.
    NoProvider,
}

impl From<Code> for Refused {
    fn from(code: Code) -> Refused {
        Refused::Code(code)
    }
}

impl Connection {
    /// Connects and asks to be told everything.
    pub fn open(
        quorum: &'static ffi::Quorum,
        votes: &'static ffi::Votequorum,
        local: u32,
    ) -> Result<Connection, Refused> {
        let (mut handle, mut kind, mut fd) = (0, 0, -1);
        let mut callbacks = QuorumCallbacks { notify: heard };
        // SAFETY: all pointers live through the calls; the library copies the callbacks
        unsafe {
            (quorum.initialize)(&mut handle, &mut callbacks, &mut kind).result()?;
            if kind != ffi::QUORUM_SET {
                return Err(Refused::NoProvider);
            }
            (quorum.trackstart)(handle, TRACK_CURRENT_AND_CHANGES).result()?;
            (quorum.fd_get)(handle, &mut fd).result()?;
        }
        let (mut votes_handle, mut votes_fd) = (0, -1);
        let mut callbacks =
            VotequorumCallbacks { quorum: None, expected_votes: Some(expected_votes_changed), nodes: None };
        // SAFETY: as above
        unsafe {
            (votes.initialize)(&mut votes_handle, &mut callbacks).result()?;
            (votes.trackstart)(votes_handle, 0, TRACK_CURRENT_AND_CHANGES).result()?;
            (votes.fd_get)(votes_handle, &mut votes_fd).result()?;
        }
        Ok(Connection { quorum: (quorum, handle, fd), votes: (votes, votes_handle, votes_fd), local })
    }

    /// Listens until Corosync is gone or the engine is closed.
    pub fn run(self, board: &Board, calls: &Calls, own: &Waker, cpg: &Arc<Waker>) -> Option<Code> {
        loop {
            if own.is_closed() {
                return None;
            }
            match self.hear(calls) {
                Ok(news) if !news.is_empty() => {
                    board.news.lock().unwrap_or_else(PoisonError::into_inner).extend(news);
                    cpg.wake();
                }
                Ok(_) => {}
                Err(code) => return Some(code),
            }
            match calls.during(|| self.details()) {
                Ok(details) => {
                    *board.details.lock().unwrap_or_else(PoisonError::into_inner) = Some(details);
                }
                Err(code) if code.is_passing() => {}
                Err(code) => return Some(code),
            }
            wait(&[self.quorum.2, self.votes.2], own, super::SIGN_OF_LIFE);
        }
    }

    fn hear(&self, calls: &Calls) -> Result<Vec<RingQuorum>, Code> {
        for code in [
            // SAFETY: the handles are open
            calls.during(|| unsafe { (self.quorum.0.dispatch)(self.quorum.1, DISPATCH_ALL) }),
            calls.during(|| unsafe { (self.votes.0.dispatch)(self.votes.1, DISPATCH_ALL) }),
        ] {
            code.result().or_else(|code| if code.is_passing() { Ok(()) } else { Err(code) })?;
        }
        Ok(HEARD.take())
    }

    fn details(&self) -> Result<QuorumDetails, Code> {
        let mut info = VotequorumInfo {
            node: 0,
            state: 0,
            votes: 0,
            expected: 0,
            highest_expected: 0,
            total: 0,
            needed: 0,
            flags: 0,
            device_votes: 0,
            device_name: [0; 255],
        };
        // SAFETY: the handle is open, and `info` is what the library fills
        unsafe { (self.votes.0.getinfo)(self.votes.1, self.local, &mut info) }.result()?;
        Ok(describe(&info))
    }
}

fn describe(info: &VotequorumInfo) -> QuorumDetails {
    let has = |flag: u32| info.flags & flag != 0;
    let name: Vec<u8> = info.device_name.iter().copied().take_while(|byte| *byte != 0).collect();
    QuorumDetails {
        quorate: has(2),
        expected_votes: info.highest_expected,
        total_votes: info.total,
        needed_votes: info.needed,
        own_votes: info.votes,
        two_node: has(1),
        wait_for_all: has(4),
        last_man_standing: has(8),
        auto_tie_breaker: has(16),
        allow_downscale: has(32),
        device: has(64).then(|| QuorumDevice {
            name: String::from_utf8_lossy(&name).into_owned(),
            votes: info.device_votes,
            alive: has(128),
            casts_vote: has(256),
            master_wins: has(512),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_in_words() {
        let mut info = VotequorumInfo {
            node: 1,
            state: 1,
            votes: 1,
            expected: 2,
            highest_expected: 2,
            total: 2,
            needed: 1,
            flags: 1 | 2 | 4,
            device_votes: 0,
            device_name: [0; 255],
        };
        let details = describe(&info);
        assert!(details.two_node && details.quorate && details.wait_for_all && details.device.is_none());
        assert_eq!(details.modes(), ["two_node", "wait_for_all"]);
        info.flags = 64 | 128;
        info.device_name[..7].copy_from_slice(b"Qdevice");
        let device = describe(&info).device.unwrap();
        assert_eq!((device.name.as_str(), device.alive, device.casts_vote), ("Qdevice", true, false));
    }
}
