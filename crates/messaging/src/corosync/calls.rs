//! What the threads that talk to Corosync have in common: waiting, waking, and being watched. A library call
//! blocks for ever while Corosync is frozen, so somebody else must look at the clock.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// The library calls of one thread: odd while one is under way.
#[derive(Default)]
pub(super) struct Calls(AtomicU64);

impl Calls {
    /// Makes a call that is watched.
    pub fn during<T>(&self, call: impl FnOnce() -> T) -> T {
        self.0.fetch_add(1, Ordering::SeqCst);
        let answer = call();
        self.0.fetch_add(1, Ordering::SeqCst);
        answer
    }

    pub fn is_under_way(&self) -> bool {
        self.0.load(Ordering::SeqCst) % 2 == 1
    }
}

/// Looks at a thread's calls from outside.
pub(super) struct Watched {
    calls: Arc<Calls>,
    seen: u64,
    ticks: u32,
}

impl Watched {
    pub fn new(calls: Arc<Calls>) -> Watched {
        Watched { calls, seen: 0, ticks: 0 }
    }

    /// For how many looks the same call has been under way. Looks are counted and not time: a host that
    /// stood still as a whole did not look either.
    pub fn look(&mut self) -> u32 {
        let now = self.calls.0.load(Ordering::SeqCst);
        let same = now % 2 == 1 && now == self.seen;
        self.ticks = if same { self.ticks + 1 } else { 0 };
        self.seen = now;
        self.ticks
    }
}

/// Wakes a thread that waits.
pub(super) struct Waker {
    event: OwnedFd,
    closed: AtomicBool,
}

impl Waker {
    pub fn new() -> std::io::Result<Waker> {
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Waker { event, closed: AtomicBool::new(false) })
    }

    pub fn wake(&self) {
        // full means that it is awake
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Waits until one of the descriptors has something, somebody wakes us, or the time is over.
pub(super) fn wait(descriptors: &[i32], waker: &Waker, limit: Duration) {
    // SAFETY: the descriptors belong to open connections of the calling thread
    let borrowed: Vec<BorrowedFd<'_>> =
        descriptors.iter().map(|fd| unsafe { BorrowedFd::borrow_raw(*fd) }).collect();
    let mut list: Vec<PollFd<'_>> = borrowed.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    let event = waker.event.as_fd();
    list.push(PollFd::new(&event, PollFlags::IN));
    let limit = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    };
    // a signal is as good a reason to look as any
    let _ = poll(&mut list, Some(&limit));
    let mut buffer = [0; 8];
    let _ = rustix::io::read(&waker.event, &mut buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_that_does_not_return_is_silence() {
        let calls = Arc::new(Calls::default());
        let mut watched = Watched::new(calls.clone());
        assert_eq!((watched.look(), watched.look()), (0, 0), "no call");
        calls.during(|| {
            watched.look();
            assert_eq!((watched.look(), watched.look()), (1, 2));
        });
        assert_eq!(watched.look(), 0);
        calls.during(|| assert_eq!(watched.look(), 0, "another call"));
    }

    #[test]
    fn a_waker_ends_a_wait() {
        let waker = Waker::new().unwrap();
        waker.wake();
        wait(&[], &waker, Duration::from_secs(60));
        wait(&[], &waker, Duration::from_millis(1));
        waker.close();
        wait(&[], &waker, Duration::from_secs(60));
        assert!(waker.is_closed());
    }
}
