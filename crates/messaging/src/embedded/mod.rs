//! The embedded bus: several nodes on one machine, through Unix sockets in a directory. No root, no package.
//!
//! ```text
//! bus.json         names and ids of the nodes, cluster name
//! partition.json   who is cut off from whom; changed by `cut` and `heal`
//! node-ID.lock     held by the living daemon of that node (contains its process id)
//! switch.lock      held by the process whose switch carries the messages; switch.sock is its socket
//! generation       counts switches
//! ```
//!
//! Every member hangs on one **switch**, a task inside one of the daemons: the one that holds
//! `switch.lock`. The kernel releases the lock when that process dies, however it dies; the next daemon to
//! take it becomes the switch, collects the others (a held `node-ID.lock` says who is alive), brings all of
//! them to the longest order that any of them saw, and goes on. A switch that is stopped and not dead is
//! deposed: its lock file is replaced, and it ends itself when it notices.

mod frame;
mod member;
mod order;
#[cfg(test)]
mod order_tests;
mod switch;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cluster::{NodeId, Peer};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{Engine, Event, MAX_MESSAGE, SendError};

/// Silence after which a member or a switch counts as dead although its process exists.
const PATIENCE: Duration = Duration::from_secs(5);

/// Interval of signs of life.
const BEAT: Duration = Duration::from_secs(1);

/// What a bus directory says about its nodes: `bus.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bus {
    /// Name of the cluster.
    #[serde(default)]
    pub cluster_name: Option<String>,
    /// All nodes; quorum is more than half of them.
    pub nodes: Vec<Peer>,
    /// With two nodes: one alone keeps quorum once it has seen both.
    #[serde(default)]
    pub two_node: bool,
}

/// Borders between nodes: those with the same label see each other. Nodes that are not named have the
/// empty label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(BTreeMap<String, String>);

impl Partition {
    fn label(&self, node: NodeId) -> String {
        self.0.get(&node.0.to_string()).cloned().unwrap_or_default()
    }
}

/// The bus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A file of the bus directory.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Its content.
    #[error("{path}: {message}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// No such node.
    #[error("{bus}: no node of this bus is called '{name}'; there are {known}")]
    UnknownNode {
        /// Bus directory.
        bus: PathBuf,
        /// Name asked for.
        name: String,
        /// Names that exist.
        known: String,
    },
    /// Another process is this node.
    #[error("{name} is running already (process {pid})")]
    AlreadyRunning {
        /// Node name.
        name: String,
        /// Its process.
        pid: String,
    },
}

/// Makes a bus directory for nodes with these names and the ids 1, 2, 3, …
pub fn create(directory: &Path, cluster_name: &str, names: &[&str]) -> Result<Bus, BusError> {
    let nodes =
        (1..).zip(names).map(|(id, name)| Peer { id: NodeId(id), name: (*name).to_owned() }).collect();
    let bus = Bus { cluster_name: Some(cluster_name.to_owned()), nodes, two_node: false };
    write(directory, &bus)?;
    Ok(bus)
}

/// Writes `bus.json`, making the directory (for its owner alone) if needed.
pub fn write(directory: &Path, bus: &Bus) -> Result<(), BusError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| BusError::File { path: directory.to_path_buf(), source })?;
    save(&directory.join("bus.json"), bus)
}

/// Reads `bus.json`.
pub fn read(directory: &Path) -> Result<Bus, BusError> {
    let path = directory.join("bus.json");
    let bus: Bus = load(&path)?;
    let mut ids: Vec<u32> = bus.nodes.iter().map(|peer| peer.id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() != bus.nodes.len() || ids.first() == Some(&0) || ids.is_empty() {
        let message = "every node needs an id of its own that is not 0, and there must be a node".to_owned();
        return Err(BusError::Content { path, message });
    }
    Ok(bus)
}

/// Cuts a node off from all others, at once.
pub fn cut(directory: &Path, node: &str) -> Result<(), BusError> {
    let peer = find(&read(directory)?, directory, node)?;
    let mut partition = read_partition(directory)?;
    partition.0.insert(peer.id.0.to_string(), peer.name);
    repartition(directory, &partition)
}

/// Lets a node see the others again.
pub fn heal(directory: &Path, node: &str) -> Result<(), BusError> {
    let peer = find(&read(directory)?, directory, node)?;
    let mut partition = read_partition(directory)?;
    partition.0.remove(&peer.id.0.to_string());
    repartition(directory, &partition)
}

/// Divides the nodes into the given sides; nodes that are not named stay together on a side of their own.
pub fn divide(directory: &Path, sides: &[&[&str]]) -> Result<(), BusError> {
    let bus = read(directory)?;
    let mut partition = Partition::default();
    for (index, side) in sides.iter().enumerate() {
        for name in *side {
            partition.0.insert(find(&bus, directory, name)?.id.0.to_string(), format!("side {index}"));
        }
    }
    repartition(directory, &partition)
}

/// Names of the nodes that are cut off from the main part.
pub fn cuts(directory: &Path) -> Result<Vec<String>, BusError> {
    let (bus, partition) = (read(directory)?, read_partition(directory)?);
    Ok(bus
        .nodes
        .into_iter()
        .filter(|peer| !partition.label(peer.id).is_empty())
        .map(|peer| peer.name)
        .collect())
}

/// Process id of the daemon that is this node now, if one is.
pub fn process_of(directory: &Path, node: &str) -> Result<Option<u32>, BusError> {
    let peer = find(&read(directory)?, directory, node)?;
    let path = lock_path(directory, peer.id);
    if !is_held(&path) {
        return Ok(None);
    }
    Ok(fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()))
}

/// Writes the borders and has the switch draw them; without a switch they apply from the next start.
fn repartition(directory: &Path, partition: &Partition) -> Result<(), BusError> {
    save(&directory.join("partition.json"), partition)?;
    switch::ask_repartition(directory)
        .map_err(|source| BusError::File { path: directory.join("switch.sock"), source })
}

fn read_partition(directory: &Path) -> Result<Partition, BusError> {
    let path = directory.join("partition.json");
    if path.exists() { load(&path) } else { Ok(Partition::default()) }
}

fn find(bus: &Bus, directory: &Path, name: &str) -> Result<Peer, BusError> {
    bus.nodes.iter().find(|peer| peer.name.eq_ignore_ascii_case(name)).cloned().ok_or_else(|| {
        let known: Vec<&str> = bus.nodes.iter().map(|peer| peer.name.as_str()).collect();
        BusError::UnknownNode { bus: directory.to_path_buf(), name: name.to_owned(), known: known.join(", ") }
    })
}

fn load<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, BusError> {
    let text = fs::read(path).map_err(|source| BusError::File { path: path.to_path_buf(), source })?;
    serde_json::from_slice(&text)
        .map_err(|error| BusError::Content { path: path.to_path_buf(), message: error.to_string() })
}

/// Replaces a file whole, so that a reader sees the old or the new one.
fn save(path: &Path, value: &impl Serialize) -> Result<(), BusError> {
    let fail = |source| BusError::File { path: path.to_path_buf(), source };
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let text = serde_json::to_vec_pretty(value).map_err(|error| fail(error.into()))?;
    fs::write(&temporary, text).map_err(fail)?;
    fs::rename(&temporary, path).map_err(fail)
}

fn lock_path(directory: &Path, node: NodeId) -> PathBuf {
    directory.join(format!("node-{node}.lock"))
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// Takes a lock that lasts as long as the file is open; `None` if somebody else has it.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open_lock(path)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_held(path: &Path) -> bool {
    path.exists() && matches!(try_lock(path), Ok(None))
}

/// Connects a node to the bus of a directory. The events start with the first view.
pub fn open(directory: &Path, name: &str) -> Result<(Embedded, mpsc::Receiver<Event>), BusError> {
    let bus = read(directory)?;
    let local = find(&bus, directory, name)?;
    let lock = claim(directory, &local)?;
    let shared = Arc::new(member::Shared::default());
    let (events_in, events) = mpsc::channel(4096);
    let engine = Embedded { bus: bus.clone(), local: local.clone(), shared: shared.clone() };
    let member = member::Member::new(directory.to_path_buf(), bus, local, shared, events_in, lock);
    std::thread::Builder::new()
        .name("bus".to_owned())
        .spawn(move || member.run())
        .map_err(|source| BusError::File { path: directory.to_path_buf(), source })?;
    Ok((engine, events))
}

/// Takes the node's lock. A predecessor that was just killed may need a moment to vanish.
fn claim(directory: &Path, local: &Peer) -> Result<File, BusError> {
    let path = lock_path(directory, local.id);
    let fail = |source| BusError::File { path: path.clone(), source };
    for _ in 0..50 {
        if let Some(file) = try_lock(&path).map_err(fail)? {
            file.set_len(0).and_then(|()| fs::write(&path, std::process::id().to_string())).map_err(fail)?;
            return Ok(file);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = fs::read_to_string(&path).unwrap_or_else(|_| "unknown".to_owned());
    Err(BusError::AlreadyRunning { name: local.name.clone(), pid })
}

/// A node's handle on the embedded bus.
pub struct Embedded {
    bus: Bus,
    local: Peer,
    shared: Arc<member::Shared>,
}

impl Engine for Embedded {
    fn infrastructure(&self) -> &'static str {
        "embedded"
    }

    fn local(&self) -> &Peer {
        &self.local
    }

    fn peers(&self) -> &[Peer] {
        &self.bus.nodes
    }

    fn cluster_name(&self) -> Option<&str> {
        self.bus.cluster_name.as_deref()
    }

    fn broadcast(&self, payload: Vec<u8>) -> Result<(), SendError> {
        if payload.len() > MAX_MESSAGE {
            return Err(SendError::TooLong(payload.len()));
        }
        self.shared.push(payload)
    }

    fn leave(&self) {
        self.shared.close();
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shared.close();
    }
}
