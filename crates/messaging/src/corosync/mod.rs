//! Corosync: its process groups carry the messages, its quorum service says whether there is quorum.
//!
//! ```text
//!  node ──queue──▶ ┌────────────┐ ──▶ libcpg      one thread for each connection: a library call
//!  node ◀─events── │ CPG thread │ ◀──             blocks for as long as Corosync is frozen
//!                  └────────────┘ ◀─board─ quorum thread ◀── libquorum, libvotequorum
//!                    ▲ watch thread: a call that does not return, and no new client taken for [`SILENCE`], is
//!                      the loss of Corosync
//! ```
//!
//! `views` says how Corosync's ring, group and quorum become one view; `fragments` how large messages travel.

mod calls;
mod configuration;
mod diagnosis;
mod ffi;
mod fragments;
mod group;
mod outgoing;
mod quorum;
mod shutdown;
mod views;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as blocking;
use std::thread;
use std::time::{Duration, Instant};

use cluster::Peer;
use tokio::sync::mpsc;

pub use diagnosis::process_runs;
pub use ffi::MissingLibrary;

use self::calls::{Calls, Waker, Watched};
use self::configuration::Configuration;
use self::ffi::Code;
use self::group::{End, Member};
use self::outgoing::Outgoing;
use self::quorum::{Board, Refused};
use crate::{Engine, Event, MAX_MESSAGE, QuorumDetails, SendError};

/// Interval at which Corosync is asked something if nothing else is said.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// Looks of the watch; how many of them one call may take before it is suspicious, and how many a new client
/// then waits to be taken.
const LOOK: Duration = Duration::from_millis(250);
const SUSPICIOUS: u32 = 4;
const SILENCE: u32 = 16;

/// How long to wait for a Corosync that is just starting. Without one the daemon ends, and is started again
/// by whoever looks after it.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(20);

/// Corosync cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CorosyncError {
    /// A library is not installed.
    #[error(transparent)]
    Library(#[from] MissingLibrary),
    /// It is not running, or does not let us in.
    #[error("Corosync cannot be used ({what}: {reason}): {advice}")]
    Connection {
        /// Which of its services.
        what: &'static str,
        /// What the library said.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// It does not answer at all.
    #[error("Corosync does not answer: it is stopped or frozen; see 'systemctl status corosync'")]
    Silent,
    /// Nobody decides about quorum (rule 4.20.3).
    #[error(
        "Corosync has no quorum provider: set 'provider: corosync_votequorum' in the quorum section of \
         corosync.conf on all nodes, and restart Corosync"
    )]
    NoQuorumProvider,
    /// The system refused a thread or a descriptor.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl CorosyncError {
    fn connection(what: &'static str, code: Code) -> CorosyncError {
        let advice = match (code, diagnosis::configuration_error()) {
            (Code::ACCESS | Code::SECURITY, _) => {
                "run as root, or allow this user with a file in /etc/corosync/uidgid.d".to_owned()
            }
            (_, Some(wrong)) => format!(
                "its configuration is wrong: {wrong}. Mend it ('corosync -t' checks it), then start Corosync with \
                 'systemctl start corosync'"
            ),
            (_, None) => {
                "start it with 'systemctl start corosync', and see its log if it does not stay up".to_owned()
            }
        };
        CorosyncError::Connection { what, reason: code.to_string(), advice }
    }
}

/// All the libraries.
#[derive(Clone, Copy)]
struct Libraries {
    cpg: &'static ffi::Cpg,
    quorum: &'static ffi::Quorum,
    votes: &'static ffi::Votequorum,
    cmap: &'static ffi::Cmap,
    cfg: &'static ffi::Cfg,
}

impl Libraries {
    fn open() -> Result<Libraries, MissingLibrary> {
        Ok(Libraries {
            cpg: ffi::Cpg::open()?,
            quorum: ffi::Quorum::open()?,
            votes: ffi::Votequorum::open()?,
            cmap: ffi::Cmap::open()?,
            cfg: ffi::Cfg::open()?,
        })
    }
}

/// What Corosync's threads share with the engine's handle.
struct Shared {
    outgoing: Arc<Outgoing>,
    board: Arc<Board>,
    calls: [Arc<Calls>; 3],
    wakers: [Arc<Waker>; 3],
    /// The end was told; nothing may follow it.
    ended: Arc<AtomicBool>,
}

impl Shared {
    fn new() -> io::Result<Shared> {
        Ok(Shared {
            outgoing: Arc::default(),
            board: Arc::default(),
            calls: Default::default(),
            wakers: [Arc::new(Waker::new()?), Arc::new(Waker::new()?), Arc::new(Waker::new()?)],
            ended: Arc::default(),
        })
    }

    fn close(&self) {
        self.outgoing.close();
        self.wakers.iter().for_each(|waker| waker.close());
    }
}

/// A node's handle on Corosync.
pub struct Corosync {
    configuration: Configuration,
    shared: Arc<Shared>,
    /// The CPG thread has ended when the other side is gone.
    left: std::sync::Mutex<blocking::Receiver<()>>,
}

/// Connects this host to its cluster. Waits for a Corosync that is starting.
pub fn open() -> Result<(Corosync, mpsc::Receiver<Event>), CorosyncError> {
    let libraries = Libraries::open()?;
    let shared = Arc::new(Shared::new()?);
    let (events_in, events) = mpsc::channel(4096);
    let (ready_in, ready) = blocking::channel();
    let (left_in, left) = blocking::channel();
    let inner = shared.clone();
    spawn("corosync-cpg", move || {
        match connect(libraries, &inner, &events_in, &ready_in) {
            Ok((member, configuration)) => {
                // the opener may have given up
                let _ = ready_in.send(Connecting::Done(configuration));
                let end = member.run();
                conclude(&inner, &events_in, end);
            }
            Err(error) => drop(ready_in.send(Connecting::Failed(error))),
        }
        drop(left_in);
    })?;
    let configuration = await_connection(&ready)?;
    Ok((Corosync { configuration, shared, left: std::sync::Mutex::new(left) }, events))
}

/// What the connecting thread says while it is at it.
enum Connecting {
    /// It is alive: a call has just returned.
    Trying,
    Done(Configuration),
    Failed(CorosyncError),
}

/// A frozen Corosync blocks the connecting thread for ever; this one must not be.
fn await_connection(ready: &blocking::Receiver<Connecting>) -> Result<Configuration, CorosyncError> {
    loop {
        match ready.recv_timeout(LOOK * SILENCE) {
            Ok(Connecting::Trying) => {}
            Ok(Connecting::Done(configuration)) => return Ok(configuration),
            Ok(Connecting::Failed(error)) => return Err(error),
            Err(_) => return Err(CorosyncError::Silent),
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Asks a Corosync that may be just starting again and again, up to a limit.
struct Patience<'a> {
    deadline: Instant,
    said: bool,
    ready: &'a blocking::Sender<Connecting>,
}

impl Patience<'_> {
    fn until<T>(
        &mut self,
        what: &'static str,
        mut attempt: impl FnMut() -> Result<T, Refused>,
    ) -> Result<T, CorosyncError> {
        loop {
            match attempt() {
                Ok(done) => return Ok(done),
                Err(Refused::NoProvider) => return Err(CorosyncError::NoQuorumProvider),
                Err(Refused::Code(code)) if self.is_over(code) => {
                    return Err(CorosyncError::connection(what, code));
                }
                Err(Refused::Code(_)) => thread::sleep(RETRY),
            }
        }
    }

    fn is_over(&mut self, code: Code) -> bool {
        if !std::mem::replace(&mut self.said, true) {
            match diagnosis::configuration_error() {
                Some(wrong) => tracing::warn!("waiting for Corosync, whose configuration is wrong: {wrong}"),
                None => tracing::info!("waiting for Corosync"),
            }
        }
        // the opener has gone
        let gone = self.ready.send(Connecting::Trying).is_err();
        gone || Instant::now() > self.deadline || matches!(code, Code::ACCESS | Code::SECURITY)
    }
}

/// Opens all connections, and joins the group last, when everything else is ready to be told.
fn connect(
    libraries: Libraries,
    shared: &Arc<Shared>,
    events: &mpsc::Sender<Event>,
    ready: &blocking::Sender<Connecting>,
) -> Result<(Member, Configuration), CorosyncError> {
    let mut patience = Patience { deadline: Instant::now() + PATIENCE, said: false, ready };
    let cpg = patience.until("cpg", || Ok(group::Connection::open(libraries.cpg)?))?;
    let local = cpg.local;
    let configuration = patience.until("cmap", || Ok(configuration::read(libraries.cmap, local)?))?;
    let cfg = patience.until("cfg", || Ok(shutdown::Connection::open(libraries.cfg)?))?;
    let quorum =
        patience.until("quorum", || quorum::Connection::open(libraries.quorum, libraries.votes, local))?;
    listen(libraries.cmap, shared, quorum, cfg, events)?;
    patience.until("cpg", || Ok(cpg.join()?))?;
    let member = Member::new(
        cpg,
        shared.outgoing.clone(),
        shared.board.clone(),
        shared.calls[0].clone(),
        shared.wakers[0].clone(),
        events.clone(),
    );
    Ok((member, configuration))
}

/// Starts the threads beside the CPG thread. The quorum connection was opened on another thread than the one
/// that listens, which is fine: its callbacks run where it is dispatched.
fn listen(
    cmap: &'static ffi::Cmap,
    shared: &Arc<Shared>,
    quorum: quorum::Connection,
    cfg: shutdown::Connection,
    events: &mpsc::Sender<Event>,
) -> io::Result<()> {
    let (inner, out) = (shared.clone(), events.clone());
    spawn("corosync-quorum", move || {
        let end = quorum.run(&inner.board, &inner.calls[1], &inner.wakers[1], &inner.wakers[0]);
        conclude(&inner, &out, end.map_or(End::Left, End::Gone));
    })?;
    let inner = shared.clone();
    spawn("corosync-cfg", move || cfg.run(&inner.calls[2], &inner.wakers[2]))?;
    let (inner, out) = (shared.clone(), events.clone());
    spawn("corosync-watch", move || watch(cmap, &inner, &out))
}

/// Tells the end of Corosync once, if it is one.
fn conclude(shared: &Shared, events: &mpsc::Sender<Event>, end: End) {
    let closed = shared.wakers[0].is_closed();
    shared.close();
    if let End::Gone(code) = end
        && !closed
    {
        tell_lost(shared, events, format!("Corosync has ended: {code}"));
    }
}

fn tell_lost(shared: &Shared, events: &mpsc::Sender<Event>, reason: String) {
    if !shared.ended.swap(true, Ordering::SeqCst) {
        tracing::error!(reason, "the connection to the other nodes is lost");
        // the node may be gone already
        let _ = events.blocking_send(Event::Lost { reason });
    }
}

/// A call that does not return is no proof that Corosync is frozen: as long as it agrees on a new membership, which
/// takes long on bad links, it answers none of its clients. But it always takes new ones, unless it is frozen.
fn watch(cmap: &'static ffi::Cmap, shared: &Shared, events: &mpsc::Sender<Event>) {
    let mut threads = shared.calls.clone().map(Watched::new);
    let knocks: Arc<Calls> = Arc::default();
    let mut knocking = Watched::new(knocks.clone());
    while !shared.wakers[0].is_closed() {
        thread::sleep(LOOK);
        let suspicious = threads.iter_mut().map(Watched::look).max() >= Some(SUSPICIOUS);
        if suspicious && !knocks.is_under_way() {
            let knocks = knocks.clone();
            // without a thread there is no knock, and the next look tries again
            let _ = spawn("corosync-knock", move || knocks.during(|| knock(cmap)));
        }
        if knocking.look() >= SILENCE {
            let seconds = (LOOK * (SUSPICIOUS + SILENCE)).as_secs();
            shared.close();
            tell_lost(shared, events, format!("Corosync has been silent for {seconds} s"));
            return;
        }
    }
}

/// Comes back as soon as Corosync has taken or refused another client.
fn knock(cmap: &'static ffi::Cmap) {
    let mut handle = 0;
    // SAFETY: the pointer lives through the call, and a handle that was given is open
    unsafe {
        if (cmap.initialize)(&mut handle).result().is_ok() {
            (cmap.finalize)(handle);
        }
    }
}

impl Engine for Corosync {
    fn infrastructure(&self) -> &'static str {
        "corosync"
    }

    fn local(&self) -> &Peer {
        &self.configuration.local
    }

    fn peers(&self) -> &[Peer] {
        &self.configuration.peers
    }

    fn cluster_name(&self) -> Option<&str> {
        self.configuration.cluster_name.as_deref()
    }

    fn broadcast(&self, payload: Vec<u8>) -> Result<(), SendError> {
        if payload.len() > MAX_MESSAGE {
            return Err(SendError::TooLong(payload.len()));
        }
        self.shared.outgoing.push(payload)?;
        self.shared.wakers[0].wake();
        Ok(())
    }

    fn quorum(&self) -> Option<QuorumDetails> {
        self.shared.board.details()
    }

    /// Waits for the last messages to be handed over, but not for a Corosync that does not take them.
    fn leave(&self) {
        self.shared.close();
        let left = self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = left.recv_timeout(Duration::from_secs(1));
    }
}

impl Drop for Corosync {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// What a library passes as pointer and length; the pointer may be null if there is nothing.
///
/// # Safety
/// The pointer must be null, or be good for so many values until the caller is done with them.
unsafe fn slice<'a, T>(pointer: *const T, length: usize) -> &'a [T] {
    if pointer.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: as the caller promises
    unsafe { std::slice::from_raw_parts(pointer, length) }
}
