//! What carries the nodes' messages: the swap point between Corosync and the embedded bus.
//!
//! An engine gives every member **agreed total order within a view**, and **virtual synchrony**: members
//! that move from one view to the next together have delivered the same messages before it. A message is
//! delivered to its sender as well. One that was sent shortly before a view change may be delivered in the
//! next view (to all of its members), or, if its sender is gone, to nobody.
//!
//! An engine never decides anything about the cluster, and never looks into a message.

pub mod corosync;
pub mod embedded;

use std::path::{Path, PathBuf};

pub use cluster::{NodeId, Peer, View};

/// Longest message that an engine carries, in bytes.
pub const MAX_MESSAGE: usize = 64 << 20;

/// What an engine tells its node, in the order in which it is to be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The membership from here on.
    View(View),
    /// A message delivered in the current view.
    Message {
        /// Who sent it; possibly the node itself.
        from: NodeId,
        /// What it sent.
        payload: Vec<u8>,
    },
    /// Something came in the current view that is no message of an engine like this one.
    Unreadable {
        /// Who sent it.
        from: NodeId,
        /// For the log.
        problem: String,
    },
    /// The engine is gone for good. A node must not go on alone (rule 4.20.6).
    Lost {
        /// For the log.
        reason: String,
    },
}

/// A connection to the other nodes.
pub trait Engine: Send + Sync {
    /// `corosync` or `embedded`: written as property `cluster-infrastructure`.
    fn infrastructure(&self) -> &'static str;
    /// This node.
    fn local(&self) -> &Peer;
    /// All configured nodes, this one included, by id.
    fn peers(&self) -> &[Peer];
    /// Name of the cluster, if it has one.
    fn cluster_name(&self) -> Option<&str>;
    /// Sends to all members of the view, this node included. Never blocks.
    fn broadcast(&self, payload: Vec<u8>) -> Result<(), SendError>;
    /// How quorum comes about, if the engine has more to say than the view; for people only.
    fn quorum(&self) -> Option<QuorumDetails> {
        None
    }
    /// Leaves the membership; no event follows.
    fn leave(&self);
}

/// How quorum comes about, as Corosync's votequorum tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuorumDetails {
    /// This partition has quorum.
    pub quorate: bool,
    /// Votes of the whole cluster.
    pub expected_votes: u32,
    /// Votes of this partition.
    pub total_votes: u32,
    /// Votes that quorum needs.
    pub needed_votes: u32,
    /// Votes of this node.
    pub own_votes: u32,
    /// One of two keeps quorum.
    pub two_node: bool,
    /// No quorum before all nodes have been seen once.
    pub wait_for_all: bool,
    /// The expected votes shrink as nodes go.
    pub last_man_standing: bool,
    /// Of two halves one keeps quorum.
    pub auto_tie_breaker: bool,
    /// The expected votes shrink as nodes leave in an orderly way.
    pub allow_downscale: bool,
    /// An arbiter outside, if one is registered.
    pub device: Option<QuorumDevice>,
}

/// A quorum device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuorumDevice {
    /// Its name, usually `Qdevice`.
    pub name: String,
    /// Its votes.
    pub votes: u32,
    /// Its daemon answers.
    pub alive: bool,
    /// It votes for this partition now.
    pub casts_vote: bool,
    /// Its vote decides whatever the others do.
    pub master_wins: bool,
}

impl QuorumDetails {
    /// The options in force, in Corosync's words.
    #[must_use]
    pub fn modes(&self) -> Vec<&'static str> {
        [
            (self.two_node, "two_node"),
            (self.wait_for_all, "wait_for_all"),
            (self.last_man_standing, "last_man_standing"),
            (self.auto_tie_breaker, "auto_tie_breaker"),
            (self.allow_downscale, "allow_downscale"),
        ]
        .into_iter()
        .filter_map(|(on, word)| on.then_some(word))
        .collect()
    }
}

/// A message was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Longer than [`MAX_MESSAGE`].
    #[error("a message of {0} bytes is longer than the limit of {MAX_MESSAGE} bytes")]
    TooLong(usize),
    /// The queue of messages that the others have not taken is full.
    #[error("the queue of unsent messages is full: the other nodes do not take messages")]
    Full,
    /// The engine has ended.
    #[error("the connection to the other nodes has ended")]
    Closed,
}

/// Which engine is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Corosync with its configuration file.
    Corosync,
    /// The bus of a directory on this machine.
    Embedded {
        /// Directory that all nodes share.
        bus: PathBuf,
        /// Name of this node, one of those that the directory's `bus.json` lists.
        node: String,
    },
}

/// No engine could be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Corosync cannot be used. Nothing else is tried instead: a configured node that runs alone would be a
    /// split brain.
    #[error(transparent)]
    Corosync(#[from] corosync::CorosyncError),
    /// Neither asked for a bus nor is there a Corosync configuration.
    #[error(
        "no cluster is configured: there is no {}, and no bus was named with --bus DIRECTORY (`systole demo` \
         makes one)", corosync_configuration().display()
    )]
    NotConfigured,
    /// The bus cannot be used.
    #[error(transparent)]
    Embedded(#[from] embedded::BusError),
}

/// Opens the engine that is wanted. With `None` the presence of a Corosync configuration decides; the
/// embedded bus is never chosen on its own beside one, since that would be a split brain.
pub fn open(
    choice: Option<Choice>,
) -> Result<(Box<dyn Engine>, tokio::sync::mpsc::Receiver<Event>), OpenError> {
    match choice {
        Some(Choice::Embedded { bus, node }) => {
            let (engine, events) = embedded::open(&bus, &node)?;
            Ok((Box::new(engine), events))
        }
        Some(Choice::Corosync) => open_corosync(),
        None if corosync_configuration().exists() => open_corosync(),
        None => Err(OpenError::NotConfigured),
    }
}

fn open_corosync() -> Result<(Box<dyn Engine>, tokio::sync::mpsc::Receiver<Event>), OpenError> {
    let (engine, events) = corosync::open()?;
    Ok((Box::new(engine), events))
}

/// Where Corosync's configuration is (`COROSYNC_MAIN_CONFIG_FILE` overrides).
fn corosync_configuration() -> PathBuf {
    std::env::var_os("COROSYNC_MAIN_CONFIG_FILE")
        .map_or_else(|| Path::new("/etc/corosync/corosync.conf").to_path_buf(), PathBuf::from)
}
