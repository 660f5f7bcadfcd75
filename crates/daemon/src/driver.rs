//! The node's thread: gives the node its inputs one by one and passes its outputs on. It never waits for
//! anything but the next input: agents, disks and clients are served elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::{Duration, Instant, SystemTime};

use cluster::{
    Input, Message, MessageError, Node, NodeId, Now, Outbox, Output, Reply, Request, RequestId, Speech,
};
use messaging::{Engine, Event};
use tokio::sync::{mpsc, oneshot};
use view::api::Severity;

use crate::alerts::Alerts;
use crate::executor::{Order, Task};
use crate::journal::Journal;
use crate::watchdog::Watchdog;

/// Most inputs of one step.
const MOST_AT_ONCE: usize = 64;

/// After this the same is said again of what a node sends.
const COMPLAIN_AGAIN: Duration = Duration::from_secs(60);

/// What the rest of the daemon asks of the node's thread.
#[derive(Debug)]
pub(crate) enum Command {
    /// A client's request.
    Request { request: Request, reply: oneshot::Sender<Reply> },
    /// SIGTERM, or a client's wish to shut down.
    Shutdown { escalate: bool },
    /// The supervisor's question whether this thread still works.
    Ping(oneshot::Sender<()>),
}

/// Work for the storage thread.
#[derive(Debug)]
pub(crate) enum Save {
    Cib { serial: u64, text: String, digest: String },
    PlanInput(PlanInput),
}

/// The input of a plan (see [`Output::SavePlanInput`]).
#[derive(Debug)]
pub(crate) struct PlanInput {
    pub transition: u64,
    pub severity: cluster::Severity,
    pub text: String,
    pub most: i32,
}

/// How the node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Left { code: i32, reason: String },
    Panic { reason: String },
}

/// The node's thread and everything it passes on to.
pub(crate) struct Driver {
    pub node: Node,
    pub engine: Arc<dyn Engine>,
    pub journal: Arc<Journal>,
    pub orders: mpsc::UnboundedSender<Order>,
    pub alerts: Arc<Alerts>,
    pub saves: blocking::Sender<Save>,
    pub start: Instant,
    pub waiting: BTreeMap<RequestId, oneshot::Sender<Reply>>,
    pub next_request: u64,
    /// This host's watchdog, if the daemon feeds one.
    pub watchdog: Option<Watchdog>,
    /// What was said of what other nodes send.
    pub complaints: BTreeMap<(NodeId, Complaint), Said>,
}

/// What can be wrong with a message of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Complaint {
    OtherName,
    OtherProtocol,
    Malformed,
}

/// When a complaint was last written down, and how often there was reason for it since.
#[derive(Debug, Default)]
pub(crate) struct Said {
    at: Option<Instant>,
    untold: u64,
}

/// What the node's thread listens to.
pub(crate) struct Sources {
    pub events: mpsc::Receiver<Event>,
    pub results: mpsc::Receiver<Input>,
    pub commands: mpsc::Receiver<Command>,
}

impl Driver {
    /// Runs until the node leaves, fails, or wants its host down.
    pub(crate) async fn run(mut self, mut sources: Sources) -> Ending {
        let ending = self.work(&mut sources).await;
        if let (Some(watchdog), Ending::Left { code: 0, .. }) = (self.watchdog.take(), &ending) {
            watchdog.disarm();
        }
        ending
    }

    async fn work(&mut self, sources: &mut Sources) -> Ending {
        loop {
            self.report_health();
            let report = self.watchdog.as_ref().map(|watchdog| Duration::from_millis(watchdog.timing.report));
            let deadline = self.node.next_deadline();
            let wake = async {
                match deadline {
                    Some(at) => {
                        tokio::time::sleep_until((self.start + Duration::from_millis(at)).into()).await
                    }
                    None => std::future::pending().await,
                }
            };
            let first = tokio::select! {
                event = sources.events.recv() => self.bus_input(event),
                Some(input) = sources.results.recv() => Some(input),
                Some(command) = sources.commands.recv() => self.client_input(command),
                () = wake => Some(Input::Deadline),
                () = tokio::time::sleep(report.unwrap_or(Duration::MAX)), if report.is_some() => None,
            };
            // while the host is busy with agents they go on for a moment, and what they end with goes into the same
            // step; on a quiet host this does nothing
            std::thread::yield_now();
            let inputs = self.gather(first, sources);
            if !inputs.is_empty()
                && let Some(ending) = self.step(inputs)
            {
                return ending;
            }
        }
    }

    /// Tells the watchdog that this loop runs and that the node may live.
    fn report_health(&self) {
        if let Some(watchdog) = &self.watchdog
            && self.node.is_healthy()
        {
            watchdog.well();
        }
    }

    fn bus_input(&mut self, event: Option<Event>) -> Option<Input> {
        match event {
            Some(Event::View(view)) => Some(Input::View(view)),
            Some(Event::Message { from, payload }) => match Message::decode(&payload) {
                Ok(message) if message.from == from => Some(Input::Message(message)),
                Ok(message) => {
                    let text = format!(
                        "{} sent a message in the name of node {}: ignored",
                        self.engine_name(from),
                        message.from
                    );
                    self.complain(from, Complaint::OtherName, text);
                    Some(Input::Unreadable { from, speaks: Speech::Garbage })
                }
                Err(error) => {
                    let text = format!("from {}: {error}: ignored", self.engine_name(from));
                    let (complaint, speaks) = match error {
                        MessageError::Protocol { number, stands } => {
                            (Complaint::OtherProtocol, Speech::Protocol { number, stands })
                        }
                        MessageError::Malformed(_) => (Complaint::Malformed, Speech::Garbage),
                    };
                    self.complain(from, complaint, text);
                    Some(Input::Unreadable { from, speaks })
                }
            },
            Some(Event::Unreadable { from, problem }) => {
                let text = format!("from {}: {problem}: ignored", self.engine_name(from));
                self.complain(from, Complaint::Malformed, text);
                Some(Input::Unreadable { from, speaks: Speech::Garbage })
            }
            Some(Event::Lost { reason }) => Some(Input::MessagingLost { reason }),
            None => Some(Input::MessagingLost { reason: "the messaging engine has ended".to_owned() }),
        }
    }

    /// A node by name and id.
    fn engine_name(&self, id: NodeId) -> String {
        let peer = self.engine.peers().iter().find(|peer| peer.id == id);
        peer.map_or_else(|| format!("node {id}"), |peer| format!("{} (id {id})", peer.name))
    }

    /// Says what is wrong with what a node sends, once in a while: a peer must not fill this host's log.
    fn complain(&mut self, from: NodeId, complaint: Complaint, text: String) {
        let now = Instant::now();
        let said = self.complaints.entry((from, complaint)).or_default();
        if said.at.is_some_and(|at| now - at < COMPLAIN_AGAIN) {
            said.untold += 1;
            return;
        }
        let more = match std::mem::take(&mut said.untold) {
            0 => String::new(),
            count => format!(" ({count} more of this kind before)"),
        };
        said.at = Some(now);
        self.journal.daemon(Severity::Error, format!("{text}{more}"));
    }

    fn client_input(&mut self, command: Command) -> Option<Input> {
        match command {
            Command::Request { request, reply } => {
                self.next_request += 1;
                let id = RequestId(self.next_request);
                // clients that gave up
                self.waiting.retain(|_, reply| !reply.is_closed());
                self.waiting.insert(id, reply);
                Some(Input::Request { id, request })
            }
            Command::Shutdown { escalate } => Some(Input::Shutdown { escalate }),
            Command::Ping(reply) => {
                // the supervisor may have given up
                let _ = reply.send(());
                None
            }
        }
    }

    /// What waits already goes into the same step; each source in its order.
    fn gather(&mut self, first: Option<Input>, sources: &mut Sources) -> Vec<Input> {
        let mut inputs: Vec<Input> = first.into_iter().collect();
        while inputs.len() < MOST_AT_ONCE {
            let next = if let Ok(event) = sources.events.try_recv() {
                self.bus_input(Some(event))
            } else if let Ok(result) = sources.results.try_recv() {
                Some(result)
            } else if let Ok(command) = sources.commands.try_recv() {
                self.client_input(command)
            } else {
                break;
            };
            inputs.extend(next);
        }
        inputs
    }

    fn step(&mut self, inputs: Vec<Input>) -> Option<Ending> {
        let now = self.now();
        let mut outbox = Outbox::new();
        tracing::trace!(?inputs, "step");
        self.node.step_all(now, inputs, &mut outbox);
        let mut ending = None;
        for output in outbox {
            tracing::trace!(?output, "output");
            ending = self.perform(output).or(ending);
        }
        ending
    }

    fn now(&self) -> Now {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now {
            monotonic: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            epoch_ms: i64::try_from(epoch.as_millis()).unwrap_or(i64::MAX),
            offset: crate::zone::offset_at(i64::try_from(epoch.as_secs()).unwrap_or(i64::MAX)),
        }
    }

    /// Passes an output on; the end of the node, if it is one.
    fn perform(&mut self, output: Output) -> Option<Ending> {
        match output {
            Output::Broadcast(message) => return self.broadcast(&message),
            Output::Run(operation) => self.order(Task::Run(operation)),
            Output::Cancel(id) => self.order(Task::Cancel(id)),
            Output::Fence(run) => self.order(Task::Fence(run)),
            Output::FetchMetadata { id, agent } => self.order(Task::FetchMetadata { id, agent }),
            Output::WriteCib { serial, text, digest } => self.save(Save::Cib { serial, text, digest }),
            Output::SavePlanInput { transition, severity, text, most } => {
                self.save(Save::PlanInput(PlanInput { transition, severity, text, most }));
            }
            Output::Reply { id, reply } => {
                if let Some(waiting) = self.waiting.remove(&id) {
                    // the client may have gone
                    let _ = waiting.send(reply);
                }
            }
            Output::Event(event) => self.journal.node(event),
            Output::Alert(run) => {
                if let Some(admitted) = self.alerts.admit(run) {
                    self.order(Task::Alert(admitted));
                }
            }
            Output::Leave { code, reason } => return Some(Ending::Left { code, reason }),
            Output::Panic { reason } => return Some(Ending::Panic { reason }),
        }
        None
    }

    /// A node that cannot say what it has to say is no member any more.
    fn broadcast(&self, message: &Message) -> Option<Ending> {
        let error = self.engine.broadcast(message.encode()).err()?;
        let reason = format!("a message to the other nodes was not taken: {error}");
        self.journal.daemon(Severity::Error, reason.clone());
        Some(Ending::Left { code: 1, reason })
    }

    fn order(&self, task: Task) {
        // at the end of the daemon nobody executes any more
        let _ = self.orders.send(Order { task, asked: Instant::now() });
    }

    fn save(&self, save: Save) {
        let _ = self.saves.send(save);
    }
}
