//! systemd units as resources (rules 4.6.1 to 4.6.7): what an action asks of systemd over D-Bus, and what its
//! answers mean. A start or stop is over when systemd announces the end of its job, a unit between two states
//! is looked at again when systemd announces a change: nothing here asks again and again.
//!
//! Everything is asynchronous and bounded by the operation's time limit, so a bus that hangs holds up nothing
//! but the operation that waits for it.

mod bus;
mod overrides;
#[cfg(test)]
mod tests;
pub mod units;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::process::wait_for;
use crate::run::readable;
use crate::{Outcome, Status, exit_code};
use bus::{Bus, BusError, Missed, Signal, Signals, UnitState};
use overrides::Overrides;
use units::Unit;

/// What systemd gets beyond an operation's own time limit to end a job and say so (rule 4.6.4).
const SLACK: Duration = Duration::from_secs(5);

/// Pause between attempts to reach a bus that went away under a running operation.
const RECONNECT: Duration = Duration::from_secs(1);

/// Time for a last look at a unit whose operation has failed, and for taking back its job.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Time limit for what tools ask.
const QUESTION: Duration = Duration::from_secs(10);

/// The systemd of this host. Connects when it is first needed and again when the connection was lost.
#[derive(Clone, Default)]
pub struct Systemd(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Address of the bus; none: the system's.
    address: Option<String>,
    bus: tokio::sync::Mutex<Option<Arc<Bus>>>,
    overrides: Overrides,
}

impl std::fmt::Debug for Systemd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Systemd").field("address", &self.0.address).finish_non_exhaustive()
    }
}

/// What an action is to systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Job(Verb),
    Monitor,
}

/// Kinds of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Start,
    Stop,
    Restart,
    Reload,
}

impl Task {
    fn of(action: &str) -> Option<Task> {
        Some(match action {
            "start" => Task::Job(Verb::Start),
            "stop" => Task::Job(Verb::Stop),
            "restart" => Task::Job(Verb::Restart),
            "reload" => Task::Job(Verb::Reload),
            "monitor" | "status" => Task::Monitor,
            _ => return None,
        })
    }
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Restart => "restart",
            Verb::Reload => "reload",
        }
    }
}

/// The job that an operation waits for, for whoever gives up waiting.
type Waiting = Mutex<Option<(Arc<Bus>, String)>>;

/// How a job ended.
enum JobEnd {
    /// systemd said so.
    Removed(String),
    /// Unseen; this is what its unit is now.
    Unseen(UnitState),
}

impl Systemd {
    /// Another bus and another directory for drop-ins than the system's.
    #[cfg(test)]
    fn at(address: &str, drop_ins: &std::path::Path) -> Systemd {
        Systemd(Arc::new(Inner {
            address: Some(address.to_owned()),
            bus: tokio::sync::Mutex::default(),
            overrides: Overrides::below(drop_ins),
        }))
    }

    /// Carries out one action of a resource.
    pub async fn run(
        &self,
        kind: &str,
        action: &str,
        timeout: Duration,
        mut cancelled: Option<oneshot::Receiver<()>>,
    ) -> Outcome {
        let Some(task) = Task::of(action) else {
            let reason = format!("systemd units have no action {action}");
            return Outcome::plain(Status::Unsupported, exit_code::UNIMPLEMENTED, reason);
        };
        let Some(unit) = Unit::of(kind) else { return missing(kind, task) };
        let limit = if task == Task::Monitor { timeout } else { timeout.saturating_add(SLACK) };
        let (began, waiting) = (Instant::now(), Waiting::default());
        let mut outcome = tokio::select! {
            outcome = self.perform(&unit, task, &waiting) => outcome,
            () = tokio::time::sleep(limit) => self.late(&unit, action, timeout).await,
            Ok(()) = wait_for(&mut cancelled) => {
                take_back(&waiting).await;
                Outcome::plain(Status::Cancelled, exit_code::ERROR, "")
            }
        };
        outcome.executed = began.elapsed();
        outcome
    }

    /// Names of the unit files that can be resources (rule 4.1.3); those of this host's directories if systemd
    /// cannot be asked.
    pub async fn list(&self) -> Vec<String> {
        let asked = async { self.bus().await?.unit_files().await };
        match tokio::time::timeout(QUESTION, asked).await {
            Ok(Ok(files)) => units::types(files),
            _ => units::types(units::files()),
        }
    }

    /// Whether there is such a unit (rule 4.6.2). False if systemd cannot be asked.
    pub async fn knows(&self, kind: &str) -> bool {
        matches!(self.describe(kind).await, Ok(Some(_)))
    }

    /// The description of a unit, none if there is no such unit. If systemd cannot be asked, what the unit's
    /// file says.
    pub async fn description(&self, kind: &str) -> Result<Option<String>, String> {
        match self.describe(kind).await {
            Ok(description) => Ok(description),
            Err(error) => match Unit::of(kind).and_then(|unit| units::description_in_file(&unit)) {
                Some(description) => Ok(Some(description)),
                None => Err(error.to_string()),
            },
        }
    }

    async fn describe(&self, kind: &str) -> Result<Option<String>, BusError> {
        let Some(unit) = Unit::of(kind) else { return Ok(None) };
        let asked = async {
            let bus = self.bus().await?;
            let path = bus.load(unit.example()).await?;
            let state = bus.state(&path).await?;
            let exists = matches!(state.load.as_str(), "loaded" | "masked");
            Ok(if exists { Some(bus.unit_text(&path, "Description").await?) } else { None })
        };
        let late = || BusError::Unavailable("it does not answer".to_owned());
        match tokio::time::timeout(QUESTION, asked).await.unwrap_or_else(|_| Err(late())) {
            Err(BusError::Refused { name, .. }) if is_missing(&name) => Ok(None),
            other => other,
        }
    }

    /// The connection, made if there is none.
    async fn bus(&self) -> Result<Arc<Bus>, BusError> {
        let mut known = self.0.bus.lock().await;
        if let Some(bus) = known.as_ref().filter(|bus| bus.is_open()) {
            return Ok(bus.clone());
        }
        let bus = Arc::new(Bus::connect(self.0.address.as_deref()).await?);
        *known = Some(bus.clone());
        Ok(bus)
    }

    /// A new connection after one was lost under a running operation; waits until there is one, since what
    /// systemd does meanwhile is not lost with the connection.
    async fn regained(&self) -> Arc<Bus> {
        loop {
            match self.bus().await {
                Ok(bus) => return bus,
                Err(_) => tokio::time::sleep(RECONNECT).await,
            }
        }
    }

    async fn perform(&self, unit: &Unit, task: Task, waiting: &Waiting) -> Outcome {
        let done = match task {
            Task::Monitor => self.monitor(unit).await,
            Task::Job(verb) => self.change(unit, verb, waiting).await,
        };
        done.unwrap_or_else(|error| refused(unit, task, error))
    }

    /// The state of a unit, when it has one: a unit that is starting or stopping is waited for (rule 4.6.5).
    async fn monitor(&self, unit: &Unit) -> Result<Outcome, BusError> {
        let mut bus = self.bus().await?;
        loop {
            match settled(&bus, unit).await {
                Err(BusError::Lost(_)) => bus = self.regained().await,
                settled => return settled,
            }
        }
    }

    /// Has a job done and waits for its end (rule 4.6.4).
    async fn change(&self, unit: &Unit, verb: Verb, waiting: &Waiting) -> Result<Outcome, BusError> {
        let bus = self.bus().await?;
        let path = bus.load(unit.name()).await?;
        let state = bus.state(&path).await?;
        match (verb, state.load.as_str()) {
            (Verb::Start | Verb::Restart, "not-found") => return Ok(missing(unit.kind(), Task::Job(verb))),
            (Verb::Start | Verb::Restart, "masked") => return Ok(masked(unit)),
            _ => {}
        }
        match verb {
            Verb::Start | Verb::Restart => self.0.overrides.set(unit, &bus).await?,
            Verb::Stop => self.0.overrides.remove(unit, &bus).await?,
            Verb::Reload => {}
        }
        let signals = bus.signals();
        let job = bus.queue(verb.word(), unit.name()).await?;
        // a stop that was begun is better than one taken back
        if verb != Verb::Stop {
            *lock(waiting) = Some((bus.clone(), job.clone()));
        }
        let end = self.end_of(&job, unit, bus, signals).await?;
        Ok(job_outcome(unit, verb, end))
    }

    /// Waits until a job has gone. Where its end may have gone unseen, the job is looked for, and if it is not
    /// there any more the unit itself is.
    async fn end_of(
        &self,
        job: &str,
        unit: &Unit,
        mut bus: Arc<Bus>,
        mut signals: Signals,
    ) -> Result<JobEnd, BusError> {
        loop {
            match signals.next().await {
                Ok(Signal::JobRemoved { path, result }) if path == job => return Ok(JobEnd::Removed(result)),
                Ok(Signal::Restarted) | Err(Missed::Some) => {}
                Ok(_) => continue,
                Err(Missed::Lost) => bus = self.regained().await,
            }
            signals = bus.signals();
            match still_there(&bus, job, unit).await {
                // the next signal will be that of the loss
                Ok(None) | Err(BusError::Lost(_)) => {}
                Ok(Some(state)) => return Ok(JobEnd::Unseen(state)),
                Err(error) => return Err(error),
            }
        }
    }

    /// The operation's time is up; what the unit is now helps to see why.
    async fn late(&self, unit: &Unit, action: &str, timeout: Duration) -> Outcome {
        let look = async {
            let bus = self.bus().await?;
            let path = bus.load(unit.name()).await?;
            bus.state(&path).await
        };
        let state = match tokio::time::timeout(LAST_LOOK, look).await {
            Ok(Ok(state)) => format!("systemd unit {} is {}", unit.kind(), state.active),
            _ => "systemd does not answer".to_owned(),
        };
        let reason = format!("{action} did not complete within {}: {state}", readable(timeout));
        Outcome::plain(Status::TimedOut, exit_code::ERROR, reason)
    }
}

/// Looks at a unit until it is in a state that means something.
async fn settled(bus: &Bus, unit: &Unit) -> Result<Outcome, BusError> {
    let mut signals = bus.signals();
    let mut watch = None;
    loop {
        let path = bus.load(unit.name()).await?;
        let state = bus.state(&path).await?;
        if let Some(outcome) = meaning(unit, &state) {
            return Ok(outcome);
        }
        match &watch {
            // and look again: it may have changed in this moment
            None => watch = Some(bus.watch(&path).await?),
            Some(_) => signals.change_of(&path).await?,
        }
    }
}

/// None if the job still is its unit's, else what the unit is now.
async fn still_there(bus: &Bus, job: &str, unit: &Unit) -> Result<Option<UnitState>, BusError> {
    let path = bus.load(unit.name()).await?;
    if bus.job_of(&path).await? == job {
        return Ok(None);
    }
    bus.state(&path).await.map(Some)
}

/// Nobody waits for a job any more: it is not to happen.
async fn take_back(waiting: &Waiting) {
    let Some((bus, job)) = lock(waiting).take() else { return };
    // a job that has ended meanwhile cannot be taken back
    let _ = tokio::time::timeout(LAST_LOOK, bus.cancel(&job)).await;
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rule 4.6.3; none for a unit between two states. A unit whose file is gone is what it is as long as it is
/// active.
fn meaning(unit: &Unit, state: &UnitState) -> Option<Outcome> {
    Some(match state.active.as_str() {
        "active" | "reloading" | "refreshing" => Outcome::plain(Status::Done, exit_code::OK, ""),
        "activating" | "deactivating" => return None,
        _ if state.load == "not-found" => missing(unit.kind(), Task::Monitor),
        other => Outcome::plain(Status::Done, exit_code::NOT_RUNNING, other),
    })
}

/// Rule 4.6.4.
fn job_outcome(unit: &Unit, verb: Verb, end: JobEnd) -> Outcome {
    let ok = Outcome::plain(Status::Done, exit_code::OK, "");
    let (kind, word) = (unit.kind(), verb.word());
    let failed = |status, reason: String| Outcome::plain(status, exit_code::ERROR, reason);
    match end {
        JobEnd::Removed(result) if result == "done" => ok,
        JobEnd::Removed(result) => {
            let status = if result == "timeout" { Status::TimedOut } else { Status::Error };
            failed(status, format!("systemd job to {word} unit {kind} ended with result '{result}'"))
        }
        JobEnd::Unseen(state) => {
            let wanted = match verb {
                Verb::Stop => matches!(state.active.as_str(), "inactive" | "failed"),
                Verb::Start | Verb::Restart | Verb::Reload => state.active == "active",
            };
            let reason = || {
                format!(
                    "the end of the systemd job to {word} unit {kind} was not seen; it is {}",
                    state.active
                )
            };
            if wanted { ok } else { failed(Status::Error, reason()) }
        }
    }
}

/// Rule 4.6.6.
fn refused(unit: &Unit, task: Task, error: BusError) -> Outcome {
    let reason = match error {
        BusError::Refused { name, .. } if is_missing(&name) => return missing(unit.kind(), task),
        BusError::Refused { name, .. } if name.ends_with(".UnitMasked") => return masked(unit),
        BusError::Refused { name, text } if name.ends_with(".JobTypeNotApplicable") => {
            return Outcome::plain(Status::Unsupported, exit_code::UNIMPLEMENTED, text);
        }
        BusError::Refused { text, .. } => text,
        unreachable => format!("No DBus connection: {unreachable}"),
    };
    Outcome::plain(Status::Error, exit_code::ERROR, reason)
}

/// Errors that tell that there is no such unit; the last is systemd's answer to a name that cannot be one.
fn is_missing(error: &str) -> bool {
    [".NoSuchUnit", ".LoadFailed", ".InvalidName", ".InvalidArgs"].iter().any(|end| error.ends_with(end))
}

/// What is not there is stopped.
fn missing(kind: &str, task: Task) -> Outcome {
    if task == Task::Job(Verb::Stop) {
        return Outcome::plain(Status::Done, exit_code::OK, "");
    }
    Outcome::plain(Status::NotInstalled, exit_code::INSTALLED, format!("systemd unit {kind} not found"))
}

fn masked(unit: &Unit) -> Outcome {
    let reason = format!("systemd unit {} is masked: systemctl unmask {}", unit.kind(), unit.name());
    Outcome::plain(Status::NotInstalled, exit_code::INSTALLED, reason)
}
