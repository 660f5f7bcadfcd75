//! Carries out what the node wants of agents, beside the node's thread, and hands the results back.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use agents::metadata::Metadata;
use agents::process::Watched;
use agents::{Agent, Agents, Control, Outcome, Status};
use cluster::{
    AgentMetadata, AgentName, ExecutionStatus, FenceRun, Input, Leftover, Operation, OperationId,
    OperationResult,
};
use tokio::sync::{mpsc, oneshot};

use crate::alerts::Admitted;
use crate::records::{Record, Records};

/// Most bytes of an agent's output that the node is given: fence agents' lists are far shorter.
const MAX_OUTPUT: usize = 64 << 10;

/// Most bytes of it that are logged.
const MAX_LOGGED: usize = 2000;

/// What the node's thread asks for.
#[derive(Debug)]
pub(crate) enum Task {
    Run(Operation),
    Cancel(OperationId),
    Fence(FenceRun),
    FetchMetadata { id: OperationId, agent: AgentName },
    Alert(Admitted),
}

/// A task and when it was asked for.
pub(crate) struct Order {
    pub task: Task,
    pub asked: Instant,
}

/// Runs agents on the runtime that it is called in.
pub(crate) struct Executor {
    agents: Arc<Agents>,
    results: mpsc::Sender<Input>,
    records: Arc<Records>,
    metadata: Arc<MetadataCache>,
    cancels: Arc<Mutex<BTreeMap<OperationId, oneshot::Sender<()>>>>,
}

impl Executor {
    pub(crate) fn new(agents: Arc<Agents>, results: mpsc::Sender<Input>, records: Records) -> Executor {
        Executor {
            agents,
            results,
            records: Arc::new(records),
            metadata: Arc::default(),
            cancels: Arc::default(),
        }
    }

    /// Serves until the node's thread ends.
    pub(crate) async fn serve(self, mut orders: mpsc::UnboundedReceiver<Order>) {
        while let Some(order) = orders.recv().await {
            match order.task {
                Task::Run(operation) => self.run(operation, order.asked),
                Task::Fence(run) => self.fence(run, order.asked),
                Task::FetchMetadata { id, agent } => self.fetch_metadata(id, agent),
                Task::Cancel(id) => self.cancel(id),
                Task::Alert(admitted) => drop(tokio::spawn(admitted.execute(self.agents.clone()))),
            }
        }
    }

    /// Watches agents that an earlier daemon started.
    pub(crate) fn watch(&self, leftovers: Vec<(Leftover, Record)>) {
        for (leftover, record) in leftovers {
            let cancelled = self.cancellable(leftover.id);
            let (results, records, cancels) =
                (self.results.clone(), self.records.clone(), self.cancels.clone());
            tokio::spawn(async move {
                let status = outlive(&record, cancelled).await;
                records.remove(record.pid);
                lock(&cancels).remove(&leftover.id);
                let result = OperationResult::plain(leftover.id, status, 1, "started by an earlier daemon");
                // at the end of the daemon nobody wants it
                let _ = results.send(Input::OperationDone(result)).await;
            });
        }
    }

    fn run(&self, operation: Operation, asked: Instant) {
        let cancelled = self.cancellable(operation.id);
        let (agents, results, records, cancels) =
            (self.agents.clone(), self.results.clone(), self.records.clone(), self.cancels.clone());
        tokio::spawn(async move {
            let id = operation.id;
            let queued = asked.elapsed();
            let outcome = run_agent(&agents, operation, &records, cancelled).await;
            lock(&cancels).remove(&id);
            let _ = results.send(Input::OperationDone(result(id, outcome, queued))).await;
        });
    }

    fn fence(&self, run: FenceRun, asked: Instant) {
        let cancelled = self.cancellable(run.id);
        let (agents, results, cancels) = (self.agents.clone(), self.results.clone(), self.cancels.clone());
        tokio::spawn(async move {
            let id = run.id;
            let queued = asked.elapsed();
            let run = agents::FenceRun {
                agent: run.agent,
                device: run.device,
                input: run.input,
                timeout: Duration::from_millis(run.timeout),
            };
            let outcome = agents.fence(&run, Control { started: None, cancelled: Some(cancelled) }).await;
            log_failure(&run.agent, "fence", &outcome);
            lock(&cancels).remove(&id);
            let _ = results.send(Input::FenceDone(result(id, outcome, queued))).await;
        });
    }

    fn fetch_metadata(&self, id: OperationId, agent: AgentName) {
        let (agents, results, cache) = (self.agents.clone(), self.results.clone(), self.metadata.clone());
        tokio::spawn(async move {
            let metadata = match agent_of(&agent) {
                Ok(agent) => cache.get(&agents, &agent).await,
                Err(_) => None,
            };
            let _ = results.send(Input::Metadata { id, metadata }).await;
        });
    }

    fn cancellable(&self, id: OperationId) -> oneshot::Receiver<()> {
        let (cancel, cancelled) = oneshot::channel();
        lock(&self.cancels).insert(id, cancel);
        cancelled
    }

    fn cancel(&self, id: OperationId) {
        if let Some(cancel) = lock(&self.cancels).remove(&id) {
            // it may have ended in this moment
            let _ = cancel.send(());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn run_agent(
    agents: &Agents,
    operation: Operation,
    records: &Arc<Records>,
    cancelled: oneshot::Receiver<()>,
) -> Outcome {
    let agent = match agent_of(&operation.agent) {
        Ok(agent) => agent,
        Err(error) => return broken_definition(error.to_string()),
    };
    let record = Record::of(&operation);
    let run = agents::Run {
        agent,
        action: operation.action,
        resource: operation.resource,
        parameters: operation.parameters,
        timeout: Duration::from_millis(operation.timeout),
        interval: Duration::from_millis(operation.interval),
        spare_group: operation.spare_group,
    };
    let (noted, noting) = (Arc::new(Mutex::new(None)), records.clone());
    let remember = noted.clone();
    let started = Box::new(move |pid| {
        noting.add(record.of_process(pid));
        *lock(&remember) = Some(pid);
    });
    let control = Control { started: Some(started), cancelled: Some(cancelled) };
    let outcome = agents.run(&run, control).await;
    let pid = lock(&noted).take();
    if let Some(pid) = pid {
        records.remove(pid);
    }
    log_failure(&run.resource, &run.action, &outcome);
    outcome
}

/// Of a resource whose agent cannot even be named (rule 4.10.10).
fn broken_definition(reason: String) -> Outcome {
    Outcome {
        status: Status::Error,
        exit_code: 6,
        exit_reason: reason,
        stdout: String::new(),
        stderr: String::new(),
        executed: Duration::ZERO,
    }
}

/// Rule 4.2.6.
fn log_failure(subject: &str, action: &str, outcome: &Outcome) {
    if outcome.status == Status::Done && matches!(outcome.exit_code, 0 | 7 | 8) {
        tracing::debug!(subject, action, stderr = %shown(&outcome.stderr), "agent ended");
        return;
    }
    tracing::info!(
        subject,
        action,
        status = ?outcome.status,
        exit_code = outcome.exit_code,
        reason = outcome.exit_reason,
        stderr = %shown(&outcome.stderr),
        stdout = %shown(&outcome.stdout),
        "agent ended"
    );
}

/// As much of an agent's output as belongs into a log, and how much more there was.
fn shown(text: &str) -> String {
    let shown = cut(text, MAX_LOGGED);
    match text.len() - shown.len() {
        0 => shown,
        more => format!("{shown}… ({more} bytes more)"),
    }
}

fn agent_of(name: &AgentName) -> Result<Agent, agents::NameError> {
    Agent::new(&name.class, name.provider.as_deref(), &name.agent_type)
}

fn result(id: OperationId, outcome: Outcome, queued: Duration) -> OperationResult {
    OperationResult {
        id,
        status: match outcome.status {
            Status::Done => ExecutionStatus::Done,
            Status::Cancelled => ExecutionStatus::Cancelled,
            Status::TimedOut => ExecutionStatus::TimedOut,
            Status::Unsupported => ExecutionStatus::Unsupported,
            Status::Error => ExecutionStatus::Error,
            Status::NotInstalled => ExecutionStatus::NotInstalled,
            Status::NoSecrets => ExecutionStatus::NoSecrets,
        },
        exit_code: outcome.exit_code,
        exit_reason: cut(&outcome.exit_reason, 1000),
        stdout: cut(&outcome.stdout, MAX_OUTPUT),
        stderr: cut(&outcome.stderr, MAX_OUTPUT),
        queued: milliseconds(queued),
        executed: milliseconds(outcome.executed),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// At most `limit` bytes, whole characters.
fn cut(text: &str, limit: usize) -> String {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}

/// Metadata by agent, valid as long as the agent's file is the same: an upgraded agent is noticed, and a
/// hundred resources of one type cost one run.
#[derive(Default)]
struct MetadataCache(Mutex<BTreeMap<Agent, Arc<tokio::sync::Mutex<Option<Known>>>>>);

/// Metadata and the file that gave them.
struct Known {
    mark: FileMark,
    metadata: AgentMetadata,
}

type FileMark = Option<(PathBuf, SystemTime, u64)>;

impl MetadataCache {
    async fn get(&self, agents: &Agents, agent: &Agent) -> Option<AgentMetadata> {
        let place = lock(&self.0).entry(agent.clone()).or_default().clone();
        // held while the agent runs, so that others wait for its answer instead of asking again; for each agent
        // by itself, so that one that hangs holds up no other
        let mut known = place.lock().await;
        let mark = mark(agents, agent);
        if let Some(known) = known.as_ref().filter(|known| mark.is_some() && known.mark == mark) {
            return Some(known.metadata.clone());
        }
        match agents.metadata(agent).await {
            Ok(metadata) => {
                let metadata = convert(metadata);
                *known = Some(Known { mark, metadata: metadata.clone() });
                Some(metadata)
            }
            Err(error) => {
                tracing::warn!(%agent, %error, "no metadata");
                None
            }
        }
    }
}

fn mark(agents: &Agents, agent: &Agent) -> FileMark {
    let path = match agent.class {
        agents::Class::Ocf => {
            agents.search.ocf_agent(agent.provider.as_deref().unwrap_or_default(), &agent.kind)?
        }
        agents::Class::Stonith => agents.search.fence_agent(&agent.kind)?,
        _ => return None,
    };
    let data = fs::metadata(&path).ok()?;
    Some((path, data.modified().ok()?, data.len()))
}

fn convert(metadata: Metadata) -> AgentMetadata {
    AgentMetadata {
        ocf_version: metadata.version,
        actions: metadata
            .actions
            .into_iter()
            .map(|action| cluster::AgentAction {
                name: action.name,
                automatic: action.automatic,
                on_target: action.on_target,
            })
            .collect(),
        parameters: metadata
            .parameters
            .into_iter()
            .map(|parameter| cluster::AgentParameter {
                name: parameter.name,
                reloadable: parameter.reloadable,
                unique: parameter.unique,
                private: parameter.private,
            })
            .collect(),
    }
}

/// Waits for the end of a process that is not our child.
async fn outlive(record: &Record, mut cancelled: oneshot::Receiver<()>) -> ExecutionStatus {
    let Ok(process) = Watched::open(record.pid) else { return ExecutionStatus::Error };
    if !record.lives() {
        return ExecutionStatus::Error;
    }
    tokio::select! {
        _ = process.ended() => ExecutionStatus::Error,
        Ok(()) = &mut cancelled => {
            agents::process::kill(record.pid, !record.spare_group);
            let _ = process.ended().await;
            ExecutionStatus::Cancelled
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_4_10_10_an_agent_that_cannot_be_named_is_told_as_a_result() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        for (class, provider) in [("upstart", None), ("ocf", None)] {
            let agent = AgentName { class: class.to_owned(), provider, agent_type: "x".to_owned() };
            let operation = Operation {
                id: OperationId::FIRST,
                resource: "r".to_owned(),
                agent,
                action: "start".to_owned(),
                parameters: BTreeMap::new(),
                timeout: 1000,
                interval: 0,
                spare_group: false,
            };
            let records = Arc::new(Records::open(directory.path()));
            let (_cancel, cancelled) = oneshot::channel();
            let outcome = runtime.block_on(run_agent(&Agents::default(), operation, &records, cancelled));
            assert_eq!((outcome.status, outcome.exit_code), (Status::Error, 6));
            assert!(!outcome.exit_reason.is_empty());
        }
    }

    #[test]
    fn long_output_is_cut_between_characters() {
        assert_eq!(cut("aü", 2), "a");
        assert_eq!(cut("aü", 3), "aü");
        assert_eq!(shown("short"), "short");
        assert!(shown(&"x".repeat(MAX_LOGGED + 7)).ends_with("x… (7 bytes more)"));
    }
}
