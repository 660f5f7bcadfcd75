//! The connection to the process group, on a thread of its own: takes what Corosync delivers, in order, and
//! hands over what the node sends.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::calls::{Calls, Waker, wait};
use super::ffi::{
    self, AGREED, Code, CpgAddress, CpgModel, CpgName, CpgRing, DISPATCH_ONE_NONBLOCKING, Handle, IoVector,
};
use super::fragments::{Assembly, Piece, Process, head, piece};
use super::outgoing::{Current, Outgoing};
use super::quorum::Board;
use super::views::{Ring, Views};
use crate::Event;

/// The group's name.
const GROUP: &[u8] = b"systole";

/// Shortest and longest pause before Corosync is asked again to take a message.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(64));

/// How long a leaving node tries to get rid of its last messages.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What Corosync delivered, in order.
enum Heard {
    Ring(Ring),
    Group { members: Vec<Process>, with_ring: bool },
    Message { from: Process, bytes: Vec<u8> },
}

thread_local! {
    static HEARD: RefCell<VecDeque<Heard>> = const { RefCell::new(VecDeque::new()) };
}

fn hear(heard: Heard) {
    HEARD.with_borrow_mut(|queue| queue.push_back(heard));
}

extern "C" fn on_message(
    _: Handle,
    _: *const CpgName,
    node: u32,
    process: u32,
    bytes: *mut c_void,
    length: usize,
) {
    // SAFETY: Corosync passes `length` bytes
    let bytes = unsafe { super::slice(bytes.cast::<u8>(), length) }.to_vec();
    hear(Heard::Message { from: (node, process), bytes });
}

extern "C" fn on_change(
    _: Handle,
    _: *const CpgName,
    members: *const CpgAddress,
    member_count: usize,
    left: *const CpgAddress,
    left_count: usize,
    joined: *const CpgAddress,
    joined_count: usize,
) {
    // SAFETY: Corosync passes three lists with their lengths
    let (members, left, joined) = unsafe {
        (
            super::slice(members, member_count),
            super::slice(left, left_count),
            super::slice(joined, joined_count),
        )
    };
    let by_ring = |one: &CpgAddress| matches!(one.reason, ffi::REASON_NODEDOWN | ffi::REASON_NODEUP);
    let with_ring = left.iter().chain(joined).any(by_ring);
    let members = members.iter().map(|one| (one.node, one.process)).collect();
    hear(Heard::Group { members, with_ring });
}

extern "C" fn on_ring(_: Handle, ring: CpgRing, count: u32, hosts: *const u32) {
    // SAFETY: Corosync passes `count` ids
    let hosts = unsafe { super::slice(hosts, count as usize) }.to_vec();
    hear(Heard::Ring(Ring { node: ring.node, sequence: ring.sequence, hosts }));
}

/// A connection that has not joined the group yet.
pub(super) struct Connection {
    cpg: &'static ffi::Cpg,
    handle: Handle,
    descriptor: i32,
    pub local: u32,
}

impl Connection {
    pub fn open(cpg: &'static ffi::Cpg) -> Result<Connection, Code> {
        let mut model = CpgModel {
            model: ffi::CPG_MODEL_V1,
            deliver: on_message,
            change: on_change,
            ring: on_ring,
            flags: ffi::CPG_DELIVER_INITIAL_RING,
        };
        let mut connection = Connection { cpg, handle: 0, descriptor: -1, local: 0 };
        // SAFETY: all pointers live through the calls; the library copies the model
        unsafe {
            (cpg.model_initialize)(
                &mut connection.handle,
                ffi::CPG_MODEL_V1,
                &mut model,
                std::ptr::null_mut(),
            )
            .result()?;
            (cpg.fd_get)(connection.handle, &mut connection.descriptor).result()?;
            (cpg.local_get)(connection.handle, &mut connection.local).result()?;
        }
        Ok(connection)
    }

    /// Joins the group; `TRY_AGAIN` while Corosync forms a ring.
    pub fn join(&self) -> Result<(), Code> {
        // SAFETY: the handle is open and the name lives through the call
        unsafe { (self.cpg.join)(self.handle, &group_name()) }.result()
    }
}

fn group_name() -> CpgName {
    let mut name = CpgName { length: u32::try_from(GROUP.len()).unwrap_or(0), value: [0; 128] };
    name.value[..GROUP.len()].copy_from_slice(GROUP);
    name
}

/// Why a member's thread ended.
pub(super) enum End {
    /// We left, or nobody listens any more.
    Left,
    /// Corosync is gone.
    Gone(Code),
}

impl From<Code> for End {
    fn from(code: Code) -> End {
        End::Gone(code)
    }
}

/// A member of the group.
pub(super) struct Member {
    connection: Connection,
    process: Process,
    views: Views,
    assembly: Assembly,
    current: Current,
    outgoing: Arc<Outgoing>,
    board: Arc<Board>,
    calls: Arc<Calls>,
    waker: Arc<Waker>,
    events: mpsc::Sender<Event>,
    pause: Duration,
}

impl Member {
    pub fn new(
        connection: Connection,
        outgoing: Arc<Outgoing>,
        board: Arc<Board>,
        calls: Arc<Calls>,
        waker: Arc<Waker>,
        events: mpsc::Sender<Event>,
    ) -> Member {
        let process = (connection.local, std::process::id());
        Member {
            connection,
            process,
            views: Views::new(process),
            assembly: Assembly::default(),
            current: Current::default(),
            outgoing,
            board,
            calls,
            waker,
            events,
            pause: BACK_OFF.0,
        }
    }

    /// Runs until the node leaves or Corosync is gone.
    pub fn run(mut self) -> End {
        loop {
            match self.turn() {
                Ok(()) if self.waker.is_closed() => {
                    self.leave();
                    return End::Left;
                }
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    fn turn(&mut self) -> Result<(), End> {
        self.take_all()?;
        let limit = if self.send()? {
            self.pause = BACK_OFF.0;
            super::SIGN_OF_LIFE
        } else {
            self.pause = (self.pause * 2).min(BACK_OFF.1);
            self.pause
        };
        if self.waker.is_closed() {
            return Ok(());
        }
        wait(&[self.connection.descriptor], &self.waker, limit);
        self.show_life()
    }

    /// Takes everything that has been delivered, as far as it may be passed on. Corosync does not wake us
    /// again for what we leave.
    fn take_all(&mut self) -> Result<(), End> {
        loop {
            for quorum in self.board.take_news() {
                self.views.quorum(quorum);
            }
            self.tell_view()?;
            // the first view needs the group, which comes by dispatching; later ones may need only quorum
            let blocked = self.views.knows_ring() && !self.views.is_settled() && !self.views.awaits_ring();
            if blocked || !self.dispatch()? {
                return Ok(());
            }
            while let Some(heard) = HEARD.with_borrow_mut(VecDeque::pop_front) {
                self.take(heard)?;
            }
        }
    }

    /// Gives whether there was anything.
    fn dispatch(&mut self) -> Result<bool, End> {
        let connection = &self.connection;
        let code = self.calls.during(|| {
            // SAFETY: the handle is open
            unsafe { (connection.cpg.dispatch)(connection.handle, DISPATCH_ONE_NONBLOCKING) }
        });
        match code.result() {
            Ok(()) => Ok(HEARD.with_borrow(|heard| !heard.is_empty())),
            Err(code) if code.is_passing() => Ok(false),
            Err(code) => Err(End::Gone(code)),
        }
    }

    fn take(&mut self, heard: Heard) -> Result<(), End> {
        match heard {
            Heard::Ring(ring) => self.views.ring(ring),
            Heard::Group { members, with_ring } => {
                self.views.group(members, with_ring);
                self.assembly.void();
                self.current.group_changed();
            }
            Heard::Message { from, bytes } => self.take_message(from, &bytes)?,
        }
        Ok(())
    }

    fn take_message(&mut self, from: Process, bytes: &[u8]) -> Result<(), End> {
        // of one who has gone, or of another partition just before it becomes part of this one
        if !self.views.contains(from) {
            return Ok(());
        }
        let own = from == self.process;
        match self.assembly.take(from, bytes) {
            Ok(Piece::Message { number, payload }) => {
                if own {
                    self.current.came_back(number);
                }
                self.tell(Event::Message { from: cluster::NodeId(from.0), payload })?;
            }
            Ok(Piece::Part { number, first: true }) if own => self.current.began(number),
            Ok(_) => {}
            Err(problem) => {
                let problem = format!("{problem} (process {})", from.1);
                self.tell(Event::Unreadable { from: cluster::NodeId(from.0), problem })?;
            }
        }
        Ok(())
    }

    fn tell_view(&mut self) -> Result<(), End> {
        match self.views.take_news() {
            Some(view) => self.tell(Event::View(view)),
            None => Ok(()),
        }
    }

    /// Waits for the node if it is behind; this is no silence of Corosync.
    fn tell(&self, event: Event) -> Result<(), End> {
        self.events.blocking_send(event).map_err(|_| End::Left)
    }

    /// Hands over as much as Corosync takes. Gives whether there is nothing left to hand over now.
    fn send(&mut self) -> Result<bool, End> {
        while let Some(next) = self.current.next(&self.outgoing) {
            let head = head(next.number, next.index, next.count);
            let body = piece(next.payload, next.index);
            let vectors = [
                IoVector { base: head.as_ptr().cast(), length: head.len() },
                IoVector { base: body.as_ptr().cast(), length: body.len() },
            ];
            let connection = &self.connection;
            let code = self.calls.during(|| {
                // SAFETY: the handle is open, and the vectors and what they point to live through the call
                unsafe { (connection.cpg.mcast_joined)(connection.handle, AGREED, vectors.as_ptr(), 2) }
            });
            match code.result() {
                Ok(()) => self.current.handed_over(),
                Err(code) if code.is_passing() => return Ok(false),
                Err(code) => return Err(End::Gone(code)),
            }
        }
        Ok(true)
    }

    /// A call that Corosync has to answer, so that its silence is noticed although nobody sends.
    fn show_life(&self) -> Result<(), End> {
        let (connection, mut local) = (&self.connection, 0);
        let code = self.calls.during(|| {
            // SAFETY: the handle is open and the pointer lives through the call
            unsafe { (connection.cpg.local_get)(connection.handle, &mut local) }
        });
        match code.result() {
            Err(code) if !code.is_passing() => Err(End::Gone(code)),
            _ => Ok(()),
        }
    }

    /// Says what is still to be said, and leaves.
    fn leave(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < LAST_WORDS {
            match self.send() {
                Ok(true) if self.current.is_idle() => break,
                Ok(_) => std::thread::sleep(BACK_OFF.0),
                Err(_) => return,
            }
            // a large message ends when it has come back
            if self.dispatch().is_err() {
                return;
            }
            while let Some(heard) = HEARD.with_borrow_mut(VecDeque::pop_front) {
                if let Heard::Message { from, bytes } = heard
                    && from == self.process
                    && let Ok(Piece::Message { number, .. }) = self.assembly.take(from, &bytes)
                {
                    self.current.came_back(number);
                }
            }
        }
        let (cpg, handle) = (self.connection.cpg, self.connection.handle);
        self.calls.during(|| {
            // SAFETY: the handle is open, and not used after this
            unsafe {
                (cpg.leave)(handle, &group_name());
                (cpg.finalize)(handle);
            }
        });
    }
}
