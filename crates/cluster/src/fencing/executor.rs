//! The executor's side of fencing: one order at a time for each device, with its delays and repetitions
//! (rules 4.7.6, 4.54, 4.61).

use std::collections::VecDeque;

use crate::executor::Executor;
use crate::fencing::FenceOrder;
use crate::fencing::devices::{Device, Devices, HostCheck, agent_input, parse_hosts};
use crate::interface::{Outbox, Output};
use crate::message::Body;
use crate::operation::{AgentMetadata, AgentName, ExecutionStatus, FenceRun, OperationId, OperationResult};
use crate::time::Now;

/// Pause before a failed action is repeated, in milliseconds.
const PAUSE: u64 = 1000;

/// Orders under way on this node.
#[derive(Debug, Default)]
pub struct FenceExecutor {
    jobs: Vec<Job>,
    waiting: VecDeque<FenceOrder>,
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

#[derive(Debug)]
enum State {
    Metadata,
    Delay(u64),
    /// Asking the device whether it knows the target.
    Asking(OperationId, HostCheck),
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
    ) -> Vec<Body> {
        let Some(device) = devices.get(&order.device) else {
            return vec![told(&order, false, false, "the device is not configured")];
        };
        let busy = self.jobs.iter().filter(|job| job.order.device == order.device).count();
        if device.action_limit.is_some_and(|limit| busy >= limit) {
            self.waiting.push_back(order);
            return Vec::new();
        }
        let budget = device.timeout(&order.action, order.timeout);
        let mut job =
            Job { device: device.clone(), state: State::Metadata, until: 0, budget, runs: 0, order };
        let fetching = agents.fetch_metadata(&job.agent(), u64::MAX, now, out);
        if !fetching {
            self.after_metadata(&mut job, now, agents, out);
        }
        self.jobs.push(job);
        Vec::new()
    }

    /// Goes on with orders that waited for metadata.
    pub fn metadata(&mut self, agents: &mut Executor, now: Now, out: &mut Outbox) {
        let mut jobs = std::mem::take(&mut self.jobs);
        for job in &mut jobs {
            let agent = job.agent();
            if matches!(job.state, State::Metadata) && !agents.fetch_metadata(&agent, u64::MAX, now, out) {
                self.after_metadata(job, now, agents, out);
            }
        }
        self.jobs = jobs;
    }

    /// Takes the end of a run; `None` if it is not of this part.
    pub fn done(
        &mut self,
        result: &OperationResult,
        devices: &Devices,
        agents: &mut Executor,
        now: Now,
        out: &mut Outbox,
    ) -> Option<Vec<Body>> {
        let at = self.jobs.iter().position(|job| job.runs_as(result.id))?;
        let mut job = self.jobs.remove(at);
        let succeeded = result.status == ExecutionStatus::Done && result.exit_code == 0;
        let mut told_now = Vec::new();
        if let State::Asking(_, check) = job.state {
            if knows_target(check, &job, result) {
                job.run(agents, now, out);
                self.jobs.push(job);
                return Some(told_now);
            }
            told_now.push(told(&job.order, false, false, "the device does not know the target"));
        } else if succeeded {
            told_now.push(told(&job.order, true, false, ""));
        } else {
            let timed_out = result.status == ExecutionStatus::TimedOut || says_timeout(&result.stderr);
            let used = job.budget.saturating_sub(job.until.saturating_sub(now.monotonic));
            if !timed_out && job.runs < job.device.attempts(&job.order.action) && used * 10 < job.budget * 7 {
                job.state = State::Pause(now.monotonic + PAUSE);
                self.jobs.push(job);
                return Some(told_now);
            }
            told_now.push(told(&job.order, false, timed_out, &failure_text(result)));
        }
        told_now.append(&mut self.next_waiting(devices, agents, now, out));
        Some(told_now)
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

    fn next_waiting(
        &mut self,
        devices: &Devices,
        agents: &mut Executor,
        now: Now,
        out: &mut Outbox,
    ) -> Vec<Body> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().flat_map(|order| self.order(order, devices, agents, now, out)).collect()
    }

    fn after_metadata(&mut self, job: &mut Job, now: Now, agents: &mut Executor, out: &mut Outbox) {
        let delay = match (job.order.delay, job.order.action.as_str()) {
            (None, _) | (_, "on") => 0,
            (Some(requested), _) => {
                let (base, max) = job.device.delays(&job.order.target);
                // whole seconds (rule 4.54.1)
                let spread = (max - base) / 1000;
                requested + base + if spread == 0 { 0 } else { self.draw() % (spread + 1) * 1000 }
            }
        };
        if delay == 0 {
            job.begin(agents, now, out);
        } else {
            job.state = State::Delay(now.monotonic + delay);
        }
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
    fn agent(&self) -> AgentName {
        AgentName { class: "stonith".to_owned(), provider: None, agent_type: self.device.agent.clone() }
    }

    fn runs_as(&self, id: OperationId) -> bool {
        matches!(self.state, State::Running(running) | State::Asking(running, _) if running == id)
    }

    /// Delays are over: asks the device about the target if only it can tell, else acts.
    fn begin(&mut self, agents: &mut Executor, now: Now, out: &mut Outbox) {
        self.until = now.monotonic + self.budget;
        let metadata = agents.agent_metadata(&self.agent());
        let check = match self.device.check {
            Some(check) => check,
            None if offers(metadata, "list") => HostCheck::List,
            None if offers(metadata, "status") => HostCheck::Status,
            None => HostCheck::None,
        };
        match check {
            HostCheck::List => self.ask("list", check, agents, out),
            HostCheck::Status => self.ask("status", check, agents, out),
            HostCheck::Static | HostCheck::None => self.run(agents, now, out),
        }
    }

    fn ask(&mut self, action: &str, check: HostCheck, agents: &mut Executor, out: &mut Outbox) {
        let id = agents.next_id();
        self.state = State::Asking(id, check);
        let timeout = self.device.timeout(action, self.order.timeout);
        out.push(self.agent_run(id, action, check == HostCheck::Status, timeout, agents));
    }

    fn run(&mut self, agents: &mut Executor, now: Now, out: &mut Outbox) {
        let id = agents.next_id();
        self.runs += 1;
        self.state = State::Running(id);
        let no_reboot = self.order.action == "reboot"
            && agents.agent_metadata(&self.agent()).is_some_and(|metadata| !offers(Some(metadata), "reboot"));
        let action = if no_reboot { "off" } else { self.order.action.as_str() }.to_owned();
        if no_reboot && self.runs == 1 {
            self.budget = self.device.timeout("off", self.order.timeout);
            self.until = now.monotonic + self.budget;
        }
        let timeout = self.until.saturating_sub(now.monotonic).max(1);
        out.push(self.agent_run(id, &action, true, timeout, agents));
    }

    fn agent_run(
        &self,
        id: OperationId,
        action: &str,
        with_target: bool,
        timeout: u64,
        agents: &Executor,
    ) -> Output {
        let port = port_parameter(&self.device, agents.agent_metadata(&self.agent()));
        let port = port.as_deref().map(|port| (port, self.device.alias(&self.order.target)));
        let target = with_target.then_some((self.order.target.as_str(), port));
        let word = self.device.word(action);
        Output::Fence(FenceRun {
            id,
            device: self.device.id.clone(),
            agent: self.device.agent.clone(),
            action: word.to_owned(),
            target: with_target.then(|| self.order.target.clone()),
            input: agent_input(word, &self.device.parameters, target),
            timeout,
        })
    }
}

fn told(order: &FenceOrder, success: bool, timed_out: bool, reason: &str) -> Body {
    Body::FenceExecuted {
        operation: order.operation.clone(),
        attempt: order.attempt,
        success,
        timed_out,
        reason: reason.to_owned(),
    }
}

fn offers(metadata: Option<&AgentMetadata>, action: &str) -> bool {
    metadata.is_some_and(|metadata| metadata.actions.iter().any(|one| one.name == action))
}

/// The parameter that carries the target (rule 4.7.5).
fn port_parameter(device: &Device, metadata: Option<&AgentMetadata>) -> Option<String> {
    if let Some(own) = device.parameters.get("pcmk_host_argument") {
        return (!own.eq_ignore_ascii_case("none")).then(|| own.clone());
    }
    let lists =
        |name: &str| metadata.is_some_and(|known| known.parameters.iter().any(|one| one.name == name));
    ["plug", "port"].into_iter().find(|name| lists(name)).map(str::to_owned)
}

/// What `list` or `status` says about the target (rules 4.7.4, 4.8.3).
fn knows_target(check: HostCheck, job: &Job, result: &OperationResult) -> bool {
    if result.status != ExecutionStatus::Done {
        return false;
    }
    match check {
        HostCheck::Status => matches!(result.exit_code, 0 | 2),
        _ => {
            let alias = job.device.alias(&job.order.target);
            let is_target = |host: &String| {
                host.eq_ignore_ascii_case(alias) || host.eq_ignore_ascii_case(&job.order.target)
            };
            result.exit_code == 0 && parse_hosts(&result.stdout).iter().any(is_target)
        }
    }
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
