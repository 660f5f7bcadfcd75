//! The switch: accepts the members' connections, feeds [`Order`], and writes what it says.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::frame::{Control, Frame, Hello, Ordered, READ_AT_ONCE};
use super::order::{Connection, Order, Outbox, absent};
use super::{BEAT, Bus, PATIENCE, is_held, lock_path, open_lock, read_partition, save, try_lock};

/// File name of the switch's socket.
pub(super) const SOCKET: &str = "switch.sock";

const LOCK: &str = "switch.lock";

/// How long a new switch waits for members that are alive but have not come. Two members notice a silent
/// switch up to a beat apart, and both must be in time.
const GATHER: Duration = Duration::from_secs(2);

/// Bytes that may wait for one member before it counts as dead.
const MAX_QUEUED: usize = 256 << 20;

/// Most frames to one connection that go out with one write.
const WRITTEN_TOGETHER: usize = 64;

/// Connections at a time, members and tools.
const MAX_CONNECTIONS: usize = 256;

/// Most messages a member may say that it retains.
const MAX_RETAINED: u32 = 1 << 20;

/// Which lock file it is, whatever its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockId(u64, u64);

impl LockId {
    pub(super) fn of(directory: &Path) -> io::Result<LockId> {
        fs::metadata(directory.join(LOCK)).map(|data| LockId(data.dev(), data.ino()))
    }
}

/// Takes the lock away from a switch that does not answer, unless somebody else did it already.
pub(super) fn depose(directory: &Path, lock: &LockId) {
    // one at a time, so that a fresh lock is never mistaken for the silent switch's
    let Ok(guard) = open_lock(&directory.join("depose.lock")) else { return };
    if rustix::fs::flock(&guard, rustix::fs::FlockOperation::LockExclusive).is_ok()
        && LockId::of(directory).is_ok_and(|present| present == *lock)
    {
        // first the socket: whoever finds the next lock must not reach the silent switch any more
        let _ = fs::remove_file(directory.join(SOCKET));
        let _ = fs::remove_file(directory.join(LOCK));
    }
}

/// Has the present switch, if any, act on a changed partition file.
pub(super) fn ask_repartition(directory: &Path) -> io::Result<()> {
    let mut stream = match std::os::unix::net::UnixStream::connect(directory.join(SOCKET)) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&Frame::Control(Control::Repartition).encode())?;
    let mut answer = [0];
    match stream.read(&mut answer)? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the bus switch has gone; try again")),
        _ => Ok(()),
    }
}

/// What the connections' tasks tell the switch.
enum Input {
    Joined { connection: Connection, hello: Hello, retained: Vec<Ordered>, queue: Queue },
    Frame { connection: Connection, frame: Frame },
    Gone { connection: Connection },
    Repartition { answer: tokio::sync::oneshot::Sender<()> },
}

/// Frames on their way to one connection.
#[derive(Clone)]
struct Queue {
    frames: mpsc::UnboundedSender<Arc<[u8]>>,
    bytes: Arc<AtomicUsize>,
}

impl Queue {
    /// Whether there was room.
    fn push(&self, frame: Arc<[u8]>) -> bool {
        let before = self.bytes.fetch_add(frame.len(), Ordering::Relaxed);
        before < MAX_QUEUED && self.frames.send(frame).is_ok()
    }
}

struct Line {
    queue: Queue,
    heard: Instant,
}

pub(super) struct Switch {
    directory: PathBuf,
    bus: Bus,
    order: Order,
    listener: UnixListener,
    lock: LockId,
    _lock_file: File,
    lines: BTreeMap<Connection, Line>,
    /// One for each connection that may be there, whether it has said who it is or not.
    places: Arc<Semaphore>,
}

impl Switch {
    /// Becomes the switch if nobody is.
    pub(super) fn take_over(directory: &Path, bus: &Bus) -> io::Result<Option<Switch>> {
        let Some(lock_file) = try_lock(&directory.join(LOCK))? else { return Ok(None) };
        let data = lock_file.metadata()?;
        let lock = LockId(data.dev(), data.ino());
        if LockId::of(directory).ok().as_ref() != Some(&lock) {
            // replaced between opening and locking
            return Ok(None);
        }
        let generation = next_generation(directory)?;
        let partition = read_partition(directory).map_err(io::Error::other)?;
        let listener = bind(directory)?;
        let order = Order::new(generation, bus.clone(), partition);
        Ok(Some(Switch {
            directory: directory.to_path_buf(),
            bus: bus.clone(),
            order,
            listener,
            lock,
            _lock_file: lock_file,
            lines: BTreeMap::new(),
            places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }))
    }

    /// Serves until it is deposed or the process ends.
    pub(super) async fn run(mut self) {
        let (inputs_in, mut inputs) = mpsc::channel::<Input>(1024);
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_beat = Instant::now();
        let mut next_connection: Connection = 0;
        let gathered = tokio::time::sleep(GATHER);
        tokio::pin!(gathered);
        loop {
            let mut outbox = Outbox::default();
            tokio::select! {
                input = inputs.recv() => {
                    let Some(input) = input else { return };
                    self.handle(input, &mut outbox);
                }
                stream = self.listener.accept() => {
                    if let Ok((stream, _)) = stream {
                        next_connection += 1;
                        self.welcome(stream, next_connection, &inputs_in);
                    }
                }
                _ = beat.tick() => {
                    self.look_around(last_beat.elapsed() > 2 * BEAT, &mut outbox);
                    last_beat = Instant::now();
                }
                () = &mut gathered, if !self.order.settled() => self.order.settle(&mut outbox),
            }
            if !self.order.settled() && self.all_here() {
                self.order.settle(&mut outbox);
            }
            if LockId::of(&self.directory).ok().as_ref() != Some(&self.lock) {
                tracing::warn!("this node's bus switch was deposed");
                return;
            }
            self.dispatch(outbox);
        }
    }

    /// Whether every node whose daemon lives has come.
    fn all_here(&self) -> bool {
        absent(&self.order, &self.bus.nodes).all(|peer| !is_held(&lock_path(&self.directory, peer.id)))
    }

    fn handle(&mut self, input: Input, outbox: &mut Outbox) {
        match input {
            Input::Joined { connection, hello, retained, queue } => match self.order.refusal(&hello) {
                Some(reason) => {
                    tracing::warn!(reason, "refused a member of the bus");
                    queue.push(Frame::Refused(reason).encode());
                }
                None => {
                    self.lines.insert(connection, Line { queue, heard: Instant::now() });
                    self.order.join(connection, hello, retained, outbox);
                }
            },
            Input::Gone { connection } => {
                if self.lines.remove(&connection).is_some() {
                    self.order.leave(connection, outbox);
                }
            }
            Input::Frame { connection, frame } => {
                let Some(line) = self.lines.get_mut(&connection) else { return };
                line.heard = Instant::now();
                match frame {
                    Frame::Send { number, payload } => self.order.send(connection, number, payload, outbox),
                    Frame::Ack { view, sequence } => self.order.acknowledge(connection, view, sequence),
                    _ => {
                        tracing::warn!("a member of the bus sent an unexpected frame");
                        outbox.closed.push(connection);
                    }
                }
            }
            Input::Repartition { answer } => {
                match read_partition(&self.directory) {
                    Ok(partition) => self.order.repartition(partition, outbox),
                    Err(error) => {
                        tracing::warn!(%error, "the partition file is not understood; borders stay")
                    }
                }
                // the tool may have gone
                let _ = answer.send(());
            }
        }
    }

    /// Sends signs of life and drops members that give none.
    fn look_around(&mut self, stalled: bool, outbox: &mut Outbox) {
        self.order.beat(outbox);
        for (connection, line) in &mut self.lines {
            if stalled {
                line.heard = Instant::now();
            } else if line.heard.elapsed() > PATIENCE {
                tracing::warn!(connection, "a member of the bus shows no sign of life");
                outbox.closed.push(*connection);
            }
        }
    }

    /// Queues frames; closing a connection changes views, which makes more frames.
    fn dispatch(&mut self, mut outbox: Outbox) {
        while !outbox.frames.is_empty() || !outbox.closed.is_empty() {
            let mut next = Outbox::default();
            for (connection, frame) in outbox.frames {
                if self.lines.get(&connection).is_some_and(|line| !line.queue.push(frame)) {
                    tracing::warn!(connection, "a member of the bus does not take its messages");
                    outbox.closed.push(connection);
                }
            }
            for connection in outbox.closed {
                if self.lines.remove(&connection).is_some() {
                    self.order.leave(connection, &mut next);
                }
            }
            outbox = next;
        }
    }

    /// Starts the tasks of a new connection.
    fn welcome(&self, stream: UnixStream, connection: Connection, inputs: &mpsc::Sender<Input>) {
        let own = rustix::process::getuid().as_raw();
        let allowed = stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0);
        let place = self.places.clone().try_acquire_owned();
        let (true, Ok(place)) = (allowed, place) else {
            tracing::warn!("refused a connection to the bus: foreign user or too many connections");
            return;
        };
        let inputs = inputs.clone();
        tokio::spawn(async move {
            let _place = place;
            let (reader, writer) = stream.into_split();
            let reader = BufReader::with_capacity(READ_AT_ONCE, reader);
            if let Err(error) = serve(reader, writer, connection, &inputs).await {
                tracing::warn!(%error, "a connection to the bus was closed");
            }
            let _ = inputs.send(Input::Gone { connection }).await;
        });
    }
}

/// Reads one connection to its end.
async fn serve(
    mut reader: BufReader<OwnedReadHalf>,
    mut writer: OwnedWriteHalf,
    connection: Connection,
    inputs: &mpsc::Sender<Input>,
) -> io::Result<()> {
    let hello = match in_time(Frame::read(&mut reader)).await? {
        Some(Frame::Hello(hello)) => hello,
        Some(Frame::Control(Control::Repartition)) => {
            let (answer, answered) = tokio::sync::oneshot::channel();
            let _ = inputs.send(Input::Repartition { answer }).await;
            let _ = answered.await;
            return Frame::Answer("done".to_owned()).write(&mut writer).await;
        }
        None => return Ok(()),
        Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "it did not begin with a hello")),
    };
    let retained = in_time(read_retained(&mut reader, hello.retained)).await?;
    let (frames, outgoing) = mpsc::unbounded_channel();
    let queue = Queue { frames, bytes: Arc::default() };
    let mut writing = tokio::spawn(write(writer, outgoing, queue.bytes.clone()));
    if inputs.send(Input::Joined { connection, hello, retained, queue }).await.is_err() {
        return Ok(());
    }
    let reading = async {
        while let Some(frame) = Frame::read(&mut reader).await? {
            if inputs.send(Input::Frame { connection, frame }).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    tokio::select! {
        result = reading => result,
        // the switch dropped the queue or the member does not read
        _ = &mut writing => Ok(()),
    }
}

/// Nobody keeps a place by saying half of what he is to say.
async fn in_time<T>(reading: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, reading)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it did not say who it is in time"))?
}

async fn read_retained(reader: &mut BufReader<OwnedReadHalf>, count: u32) -> io::Result<Vec<Ordered>> {
    if count > MAX_RETAINED {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too many retained messages"));
    }
    let mut retained = Vec::new();
    for _ in 0..count {
        match Frame::read(reader).await? {
            Some(Frame::Retained(message)) => retained.push(message),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "retained messages are missing")),
        }
    }
    Ok(retained)
}

async fn write(
    mut writer: OwnedWriteHalf,
    mut frames: mpsc::UnboundedReceiver<Arc<[u8]>>,
    bytes: Arc<AtomicUsize>,
) {
    let mut waiting = Vec::new();
    // what has gathered goes out at once
    while frames.recv_many(&mut waiting, WRITTEN_TOGETHER).await > 0 {
        let length: usize = waiting.iter().map(|frame| frame.len()).sum();
        bytes.fetch_sub(length, Ordering::Relaxed);
        if write_together(&mut writer, &waiting, length).await.is_err() {
            return;
        }
        waiting.clear();
    }
}

async fn write_together(writer: &mut OwnedWriteHalf, frames: &[Arc<[u8]>], length: usize) -> io::Result<()> {
    if frames.len() > 1 && length <= READ_AT_ONCE {
        return writer.write_all(&frames.concat()).await;
    }
    for frame in frames {
        writer.write_all(frame).await?;
    }
    Ok(())
}

/// Binds under a temporary name and renames, so that the socket is never there without a listener.
fn bind(directory: &Path) -> io::Result<UnixListener> {
    let temporary = directory.join(format!("{SOCKET}.{}", std::process::id()));
    let _ = fs::remove_file(&temporary);
    let listener = UnixListener::bind(&temporary)?;
    fs::rename(&temporary, directory.join(SOCKET))?;
    Ok(listener)
}

/// Counts switches, so that no two ever give the same view id.
fn next_generation(directory: &Path) -> io::Result<u32> {
    let path = directory.join("generation");
    let last: u32 = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    save(&path, &(last + 1)).map_err(io::Error::other)?;
    Ok(last + 1)
}
