//! The member's end: keeps a connection to whichever switch is in charge, becomes the switch when there is
//! none, and hands events to the node in order.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cluster::{Peer, View};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::frame::{Frame, Hello, Ordered, PROTOCOL, READ_AT_ONCE};
use super::{BEAT, Bus, PATIENCE, switch};
use crate::{Event, SendError};

/// Most bytes and messages that wait for being put in order.
const MAX_PENDING: usize = 256 << 20;
const MAX_PENDING_MESSAGES: usize = 1 << 16;

/// Messages and bytes after which delivery is acknowledged without waiting for the next beat.
const ACK_MESSAGES: u64 = 32;
const ACK_BYTES: usize = 1 << 20;

/// What the engine's handle and its thread share.
#[derive(Default)]
pub(super) struct Shared {
    pending: Mutex<Pending>,
    wake: Notify,
}

/// Own messages that have not come back in order yet.
#[derive(Default)]
struct Pending {
    messages: VecDeque<(u64, Arc<[u8]>)>,
    /// How many at the front have been handed to the present switch.
    sent: usize,
    bytes: usize,
    count: u64,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn push(&self, payload: Vec<u8>) -> Result<(), SendError> {
        let mut pending = self.lock();
        if pending.closed {
            return Err(SendError::Closed);
        }
        if pending.bytes + payload.len() > MAX_PENDING || pending.messages.len() >= MAX_PENDING_MESSAGES {
            return Err(SendError::Full);
        }
        pending.count += 1;
        pending.bytes += payload.len();
        let number = pending.count;
        pending.messages.push_back((number, payload.into()));
        drop(pending);
        self.wake.notify_one();
        Ok(())
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Messages that the present switch has not got yet.
    fn take_unsent(&self) -> Vec<(u64, Arc<[u8]>)> {
        let mut pending = self.lock();
        let unsent = pending.messages.iter().skip(pending.sent).cloned().collect();
        pending.sent = pending.messages.len();
        unsent
    }

    /// A new switch has to get everything again that has not come back.
    fn send_again(&self) {
        self.lock().sent = 0;
        self.wake.notify_one();
    }

    /// The others went on without us: what we had sent is void, or has been delivered to them alone.
    fn void_sent(&self) {
        let mut pending = self.lock();
        let count = pending.sent;
        let sent = pending.messages.drain(..count).map(|(_, payload)| payload.len()).sum::<usize>();
        pending.bytes -= sent;
        pending.sent = 0;
    }

    /// One of ours has come back in order.
    fn delivered(&self, number: u64) {
        let mut pending = self.lock();
        if pending.messages.front().is_some_and(|(first, _)| *first == number) {
            if let Some((_, payload)) = pending.messages.pop_front() {
                pending.bytes -= payload.len();
                pending.sent = pending.sent.saturating_sub(1);
            }
        }
    }
}

/// Why a connection to a switch ended.
enum End {
    /// Look for the next switch.
    Lost(String),
    /// The present switch exists but does not answer.
    Silent(switch::LockId),
    /// Never try again.
    Fatal(String),
    /// We leave.
    Left,
}

pub(super) struct Member {
    directory: PathBuf,
    bus: Bus,
    local: Peer,
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
    /// Held for the life of the member: it says that this node is alive.
    _lock: File,
    view: Option<View>,
    delivered: u64,
    retained: VecDeque<Ordered>,
    unacknowledged: u64,
    unacknowledged_bytes: usize,
    saw_all: bool,
    /// The present switch has given a view.
    in_view: bool,
}

impl Member {
    pub(super) fn new(
        directory: PathBuf,
        bus: Bus,
        local: Peer,
        shared: Arc<Shared>,
        events: mpsc::Sender<Event>,
        lock: File,
    ) -> Member {
        Member {
            directory,
            bus,
            local,
            shared,
            events,
            _lock: lock,
            view: None,
            delivered: 0,
            retained: VecDeque::new(),
            unacknowledged: 0,
            unacknowledged_bytes: 0,
            saw_all: false,
            in_view: false,
        }
    }

    /// Runs until the node leaves or the bus is lost for good. A thread of its own, so that a busy node
    /// still shows signs of life.
    pub(super) fn run(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let reason = match runtime {
            Ok(runtime) => runtime.block_on(self.live()),
            Err(error) => Some(error.to_string()),
        };
        self.shared.lock().closed = true;
        if let Some(reason) = reason {
            tracing::error!(reason, "the bus is lost");
            // the node may be gone already
            let _ = self.events.blocking_send(Event::Lost { reason });
        }
    }

    /// Goes from switch to switch; gives the reason of the end, none if we left.
    async fn live(&mut self) -> Option<String> {
        let mut pause = Duration::from_millis(1);
        loop {
            self.in_view = false;
            let end = match self.connect().await {
                Ok((stream, lock)) => self.session(stream, lock).await,
                Err(error) => End::Lost(error.to_string()),
            };
            match end {
                End::Left => return None,
                End::Fatal(reason) => return Some(reason),
                End::Silent(lock) => {
                    tracing::warn!("the bus switch does not answer; taking its place");
                    switch::depose(&self.directory, &lock);
                }
                End::Lost(reason) => tracing::debug!(reason, "no connection to the bus switch"),
            }
            if !self.directory.join("bus.json").exists() {
                return Some(format!("the bus directory {} has gone", self.directory.display()));
            }
            if self.shared.lock().closed {
                return None;
            }
            // a new switch needs a moment to bind its socket
            tokio::time::sleep(pause).await;
            pause = if self.in_view {
                Duration::from_millis(1)
            } else {
                (pause * 2).min(Duration::from_millis(50))
            };
        }
    }

    /// Connects to the switch, after becoming it if nobody is.
    async fn connect(&self) -> io::Result<(UnixStream, switch::LockId)> {
        if let Some(switch) = switch::Switch::take_over(&self.directory, &self.bus)? {
            tracing::info!(node = %self.local.name, "this node carries the bus now");
            tokio::spawn(switch.run());
        }
        let lock = switch::LockId::of(&self.directory)?;
        let stream = UnixStream::connect(self.directory.join(switch::SOCKET)).await?;
        Ok((stream, lock))
    }

    async fn session(&mut self, stream: UnixStream, lock: switch::LockId) -> End {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::with_capacity(READ_AT_ONCE, reader);
        let (frames_in, mut frames) = mpsc::channel(64);
        let reading = tokio::spawn(async move {
            loop {
                let frame = match Frame::read(&mut reader).await {
                    Ok(Some(frame)) => frame,
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        tracing::warn!(%error, "the bus switch sent what is no frame");
                        return;
                    }
                    _ => return,
                };
                if frames_in.send(frame).await.is_err() {
                    return;
                }
            }
        });
        let end = match self.greet(&mut writer).await {
            Ok(()) => self.follow(&mut frames, &mut writer, lock).await,
            Err(error) => End::Lost(error.to_string()),
        };
        reading.abort();
        end
    }

    async fn greet(&self, writer: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
        let hello = Hello {
            protocol: PROTOCOL,
            node: self.local.id.0,
            name: self.local.name.clone(),
            view: self.view.as_ref().map(|view| view.id.0),
            delivered: self.delivered,
            retained: u32::try_from(self.retained.len()).unwrap_or(u32::MAX),
            saw_all: self.saw_all,
        };
        write(&Frame::Hello(hello), writer).await?;
        for message in &self.retained {
            write(&Frame::Retained(message.clone()), writer).await?;
        }
        Ok(())
    }

    /// Handles frames until the connection ends. Own messages go out once the switch has given a view.
    async fn follow(
        &mut self,
        frames: &mut mpsc::Receiver<Frame>,
        writer: &mut (impl AsyncWriteExt + Unpin),
        lock: switch::LockId,
    ) -> End {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut last_beat = Instant::now();
        let shared = self.shared.clone();
        loop {
            tokio::select! {
                biased;
                frame = frames.recv() => {
                    let Some(frame) = frame else { return End::Lost("the switch has gone".to_owned()) };
                    heard = Instant::now();
                    if let Err(end) = self.handle(frame).await {
                        return end;
                    }
                }
                () = shared.wake.notified() => {
                    if shared.lock().closed {
                        return End::Left;
                    }
                    if self.in_view {
                        for (number, payload) in shared.take_unsent() {
                            if let Err(error) = write(&Frame::Send { number, payload }, writer).await {
                                return End::Lost(error.to_string());
                            }
                        }
                    }
                }
                _ = beat.tick() => {
                    // after a stall of our own nothing can be said about the others
                    if last_beat.elapsed() > 2 * BEAT {
                        heard = Instant::now();
                    }
                    last_beat = Instant::now();
                    if heard.elapsed() > PATIENCE {
                        return End::Silent(lock);
                    }
                    self.unacknowledged = ACK_MESSAGES;
                }
            }
            if let Err(error) = self.acknowledge(writer).await {
                return End::Lost(error.to_string());
            }
        }
    }

    async fn handle(&mut self, frame: Frame) -> Result<(), End> {
        match frame {
            Frame::View(view) => {
                self.saw_all |= view.members.len() == self.bus.nodes.len();
                self.delivered = 0;
                self.retained.clear();
                self.view = Some(view.clone());
                if !std::mem::replace(&mut self.in_view, true) {
                    self.shared.send_again();
                }
                self.tell(Event::View(view)).await;
                Ok(())
            }
            Frame::Deliver { view, stable, message } => {
                if self.view.as_ref().is_none_or(|own| own.id.0 != view)
                    || message.sequence != self.delivered + 1
                {
                    return Err(End::Lost("the switch sent a message out of order".to_owned()));
                }
                self.deliver(stable, message).await
            }
            Frame::Beat { stable } => {
                self.forget(stable);
                Ok(())
            }
            Frame::Forget => {
                self.shared.void_sent();
                Ok(())
            }
            Frame::Refused(reason) => Err(End::Fatal(reason)),
            _ => Err(End::Lost("the switch sent a frame that only members send".to_owned())),
        }
    }

    async fn deliver(&mut self, stable: u64, message: Ordered) -> Result<(), End> {
        self.delivered = message.sequence;
        self.unacknowledged += 1;
        self.unacknowledged_bytes += message.payload.len();
        if message.sender == self.local.id {
            self.shared.delivered(message.number);
        }
        let event = Event::Message { from: message.sender, payload: message.payload.to_vec() };
        self.retained.push_back(message);
        self.forget(stable);
        self.tell(event).await;
        Ok(())
    }

    /// What all members have needs not be kept for those who might miss it.
    fn forget(&mut self, stable: u64) {
        while self.retained.front().is_some_and(|message| message.sequence <= stable) {
            self.retained.pop_front();
        }
    }

    /// A node that has ended takes nothing any more. It leaves when it says so and not before: its last words,
    /// perhaps through the switch of its own process, are on their way.
    async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }

    async fn acknowledge(&mut self, writer: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
        if self.unacknowledged < ACK_MESSAGES && self.unacknowledged_bytes < ACK_BYTES {
            return Ok(());
        }
        self.unacknowledged = 0;
        self.unacknowledged_bytes = 0;
        let view = self.view.as_ref().map_or(0, |view| view.id.0);
        write(&Frame::Ack { view, sequence: self.delivered }, writer).await
    }
}

/// A switch that is stopped takes nothing; do not wait for it for ever.
async fn write(frame: &Frame, writer: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
    tokio::time::timeout(PATIENCE, frame.write(writer))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the switch takes no messages"))?
}
