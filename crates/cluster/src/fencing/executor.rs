//! The executor's side of fencing: one order at a time for each device, with its delays and repetitions
//! (rules 4.7.6, 4.54, 4.61).

use super::FenceOrder;
use super::device::Device;
use super::devices::Devices;
use super::inquiry::{agent, agent_run};
use crate::executor::Executor;
use crate::interface::{Outbox, Output};
use crate::message::Body;
use crate::operation::{AgentMetadata, ExecutionStatus, OperationId, OperationResult};
use crate::time::Now;

/// Pause before a failed action is repeated, in milliseconds.
const PAUSE: u64 = 1000;

/// Orders under way on this node.
#[derive(Debug, Default)]
pub struct FenceExecutor {
    jobs: Vec<Job>,
    /// Random delays: a small generator, seeded once.
    random: u64,
}

#[derive(Debug)]
struct Job {
    order: FenceOrder,
    device: Device,
    state: State,
    /// Monotonic millisecond at which the time for the action itself is used up.
    until: u64,
    budget: u64,
    runs: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Metadata,
    Delay(u64),
    /// The device is used as often as it bears (rule 4.61.3).
    Waiting,
    Running(OperationId),
    Pause(u64),
}

impl FenceExecutor {
    /// An idle one; `seed` for random delays.
    #[must_use]
    pub fn new(seed: u64) -> FenceExecutor {
        FenceExecutor { random: seed, ..FenceExecutor::default() }
    }

    /// Takes an order. Returns what is to be told.
    pub fn order(
        &mut self,
        order: FenceOrder,
        devices: &Devices,
        agents: &mut Executor,
        now: Now,
        out: &mut Outbox,
    ) -> Option<Body> {
        let Some(device) = devices.get(&order.device) else {
            return Some(told(
                &order,
                ExecutionStatus::NoFenceDevice,
                "the device is not configured any more",
            ));
        };
        let budget = device.timeout(&order.action, order.timeout);
        let job = Job { device: device.clone(), state: State::Metadata, until: 0, budget, runs: 0, order };
        self.jobs.push(job);
        self.metadata(agents, now, out);
        None
    }

    /// The operation is over: what has not begun of it does no harm any more.
    pub fn forget(&mut self, operation: &str) {
        self.jobs.retain(|job| job.order.operation != operation || matches!(job.state, State::Running(_)));
    }

    /// Goes on with orders that waited for metadata.
    pub fn metadata(&mut self, agents: &mut Executor, now: Now, out: &mut Outbox) {
        let mut jobs = std::mem::take(&mut self.jobs);
        for job in jobs.iter_mut().filter(|job| job.state == State::Metadata) {
            let agent = agent(&job.device);
            let fetching = agents.fetch_metadata(&agent, u64::MAX, now, out);
            if fetching && agents.agent_metadata(&agent).is_none() {
                continue;
            }
            match self.delay(job) {
                0 => job.begin(agents, now, out),
                delay => job.state = State::Delay(now.monotonic + delay),
            }
        }
        self.jobs = jobs;
    }

    /// Milliseconds to wait before an off or reboot (rule 4.54.1).
    fn delay(&mut self, job: &Job) -> u64 {
        let Some(requested) = job.order.delay.filter(|_| job.order.action != "on") else { return 0 };
        let (base, max) = job.device.delays(&job.order.target);
        // whole seconds
        let spread = (max - base) / 1000;
        requested + base + if spread == 0 { 0 } else { self.draw() % (spread + 1) * 1000 }
    }

    /// Takes the end of a run; `None` if it is not of this part. The caller then tells others that the
    /// device may be free.
    pub fn done(
        &mut self,
        result: &OperationResult,
        agents: &mut Executor,
        now: Now,
    ) -> Option<(String, Vec<Body>)> {
        let at = self.jobs.iter().position(|job| job.state == State::Running(result.id))?;
        let mut job = self.jobs.remove(at);
        let device = job.device.id.clone();
        let succeeded = result.status == ExecutionStatus::Done && result.exit_code == 0;
        if succeeded {
            agents.release_device(&device);
            let mut all = vec![told(&job.order, ExecutionStatus::Done, "")];
            all.extend(self.merge(&job.order));
            return Some((device, all));
        }
        let timed_out = result.status == ExecutionStatus::TimedOut || says_timeout(&result.stderr);
        let used = job.budget.saturating_sub(job.until.saturating_sub(now.monotonic));
        if !timed_out && job.runs < job.device.attempts(&job.order.action) && used * 10 < job.budget * 7 {
            job.state = State::Pause(now.monotonic + PAUSE);
            self.jobs.push(job);
            return Some((device, Vec::new()));
        }
        agents.release_device(&device);
        let status = match result.status {
            _ if timed_out => ExecutionStatus::TimedOut,
            ExecutionStatus::Done => ExecutionStatus::Error,
            other => other,
        };
        let reason = format!("{device}: {}", failure_text(result));
        Some((device, vec![told(&job.order, status, &reason)]))
    }

    /// Orders that wait to do what has just been done have succeeded too (rule 4.61.2), unless the target has come
    /// back since.
    fn merge(&mut self, order: &FenceOrder) -> Vec<Body> {
        let same = |job: &Job| {
            matches!(job.state, State::Waiting | State::Delay(_))
                && (&job.order.device, &job.order.target, &job.order.action)
                    == (&order.device, &order.target, &order.action)
                && job.order.target_incarnation == order.target_incarnation
        };
        let (merged, kept) = std::mem::take(&mut self.jobs).into_iter().partition(same);
        self.jobs = kept;
        let merged: Vec<Job> = merged;
        merged.iter().map(|job| told(&job.order, ExecutionStatus::Done, "")).collect()
    }

    /// Goes on with orders that waited for a device.
    pub fn device_free(&mut self, agents: &mut Executor, now: Now, out: &mut Outbox) {
        for job in self.jobs.iter_mut().filter(|job| job.state == State::Waiting) {
            job.begin(agents, now, out);
        }
    }

    /// Goes on after delays and pauses.
    pub fn deadline(&mut self, agents: &mut Executor, now: Now, out: &mut Outbox) {
        for job in &mut self.jobs {
            match job.state {
                State::Delay(until) if until <= now.monotonic => job.begin(agents, now, out),
                State::Pause(until) if until <= now.monotonic => job.run(agents, now, out),
                _ => {}
            }
        }
    }

    /// When [`FenceExecutor::deadline`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        let of = |job: &Job| match job.state {
            State::Delay(until) | State::Pause(until) => Some(until),
            _ => None,
        };
        self.jobs.iter().filter_map(of).min()
    }

    /// A pseudo-random number (splitmix64).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Job {
    /// Delays are over: acts as soon as the device is free.
    fn begin(&mut self, agents: &mut Executor, now: Now, out: &mut Outbox) {
        if !agents.take_device(&self.device.id, self.device.action_limit) {
            self.state = State::Waiting;
            return;
        }
        self.until = now.monotonic + self.budget;
        self.run(agents, now, out);
    }

    fn run(&mut self, agents: &mut Executor, now: Now, out: &mut Outbox) {
        let id = agents.next_id();
        self.runs += 1;
        self.state = State::Running(id);
        let metadata = agents.agent_metadata(&agent(&self.device));
        // without knowledge of a reboot it is switched off (rules 4.8.5, 4.51.3)
        let only_off = self.order.action == "reboot" && !offers(metadata, "reboot");
        let action = if only_off { "off" } else { self.order.action.as_str() };
        if only_off && self.runs == 1 {
            self.budget = self.device.timeout("off", self.order.timeout);
            self.until = now.monotonic + self.budget;
        }
        let timeout = self.until.saturating_sub(now.monotonic).max(1);
        let target = Some(self.order.target.as_str());
        out.push(Output::Fence(agent_run(&self.device, metadata, id, action, target, timeout)));
    }
}

fn told(order: &FenceOrder, status: ExecutionStatus, reason: &str) -> Body {
    Body::FenceExecuted {
        operation: order.operation.clone(),
        attempt: order.attempt,
        status,
        reason: reason.to_owned(),
    }
}

fn offers(metadata: Option<&AgentMetadata>, action: &str) -> bool {
    metadata.is_some_and(|metadata| metadata.actions.iter().any(|one| one.name == action))
}

fn says_timeout(stderr: &str) -> bool {
    let text = stderr.to_lowercase();
    text.contains("timed out") || text.contains("timeout")
}

/// What an agent said last, for people.
fn failure_text(result: &OperationResult) -> String {
    let last = result.stderr.lines().rev().map(str::trim).find(|line| !line.is_empty());
    match last {
        _ if !result.exit_reason.is_empty() => result.exit_reason.clone(),
        Some(line) => line.to_owned(),
        None => format!("the fence agent ended with {} ({})", result.exit_code, result.status.text()),
    }
}
