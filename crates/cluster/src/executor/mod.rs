//! The executor's book-keeping: one operation at a time for each resource in order of arrival, recurring
//! monitors, cancellation, agents' metadata (rules 4.3.11, 4.10).
//!
//! It decides nothing about resources: it carries out orders and reports what became of them.

mod deadlines;
mod order;
mod slot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Leftover;
use crate::fencing;
use crate::history::{Digests, Entry, digests, reload_action};
use crate::interface::{Outbox, Output};
use crate::operation::{
    AgentMetadata, AgentName, ExecutionStatus, FenceRun, Operation, OperationId, OperationResult,
};
use crate::request::RunningOperation;
use crate::started::Started;
use crate::time::Now;
use deadlines::Deadlines;
pub use order::{Finished, Order};
use slot::{Queued, Recurring, Running, Slot, What};

/// How old an agent's metadata may be when a start is about to use them, in milliseconds.
const METADATA_AGE: u64 = 10_000;

/// Milliseconds before a fence device's monitor that failed is run again (rule 4.7.6).
const PAUSE: u64 = 1000;

/// All operations of one node.
#[derive(Debug)]
pub struct Executor {
    node: String,
    next_id: u64,
    next_call: i64,
    resources: BTreeMap<String, Slot>,
    /// The resource of each run.
    runs: BTreeMap<OperationId, String>,
    metadata: BTreeMap<AgentName, Metadata>,
    fetching: BTreeMap<OperationId, AgentName>,
    /// Results that wait for their agent's metadata.
    held: Vec<(Arc<Order>, OperationResult, i64)>,
    /// Fence devices that were started here: their probes find them. Whatever carries out fencing dies with this
    /// memory, so that what comes after it finds them not running and has them started again (rule 4.8.8).
    devices: BTreeMap<String, bool>,
    /// How often each fence device is being used now, by whomever.
    device_use: BTreeMap<String, usize>,
    started: Started,
    /// When each resource has something to do by the clock.
    deadlines: Deadlines,
}

#[derive(Debug, Default)]
struct Metadata {
    known: Option<AgentMetadata>,
    at: u64,
    /// How often in a row the agent gave none.
    failures: u32,
}

impl Metadata {
    /// How long an agent that gives no metadata is left alone, in milliseconds (rule 4.8.5).
    fn pause(&self) -> u64 {
        10_000 << self.failures.saturating_sub(1).min(4)
    }
}

impl Executor {
    /// An idle executor of the node with this name, but for what an earlier run left behind.
    pub fn new(node: &str, leftovers: Vec<Leftover>) -> Executor {
        let mut executor = Executor {
            node: node.to_owned(),
            next_id: OperationId::FIRST.0,
            next_call: 1,
            resources: BTreeMap::new(),
            runs: BTreeMap::new(),
            metadata: BTreeMap::new(),
            fetching: BTreeMap::new(),
            held: Vec::new(),
            devices: BTreeMap::new(),
            device_use: BTreeMap::new(),
            started: Started::default(),
            deadlines: Deadlines::default(),
        };
        for leftover in leftovers {
            executor.runs.insert(leftover.id, leftover.resource.clone());
            let what = What::Leftover { action: leftover.action, until: leftover.remaining };
            let running = Running {
                id: leftover.id,
                what,
                since: 0,
                queued: 0,
                since_epoch: 0,
                cancelled: false,
                fencing: false,
                attempts: 1,
                until: 0,
                again: None,
            };
            executor.resources.entry(leftover.resource).or_default().running = Some(running);
        }
        executor
    }

    /// Fixes the moments of what was left behind and ends monitors among it. To be called once, first.
    pub fn begin(&mut self, now: Now, out: &mut Outbox) {
        for (resource, slot) in &mut self.resources {
            let Some(running) = &mut slot.running else { continue };
            running.since = now.monotonic;
            if let What::Leftover { action, until } = &mut running.what {
                *until += now.monotonic;
                if matches!(action.as_str(), "monitor" | "status" | "notify" | "meta-data") {
                    running.cancelled = true;
                    out.push(Output::Cancel(running.id));
                }
            }
            self.deadlines.set(resource, slot.deadline(resource, &self.device_use));
        }
    }

    /// Notes when the resource has something to do next, after a change of what it does.
    fn note_deadline(&mut self, resource: &str) {
        let slot = self.resources.get(resource);
        self.deadlines.set(resource, slot.and_then(|slot| slot.deadline(resource, &self.device_use)));
    }

    /// A number for a run of any kind.
    pub fn next_id(&mut self) -> OperationId {
        self.next_id += 1;
        OperationId(self.next_id)
    }

    /// Takes an order. Orders of one resource are carried out one after the other as they come, those of different
    /// resources beside each other (rule 4.10.1). A change of the resource's state ends its recurring operations
    /// first (rule 4.10.5); a recurring operation that is known goes on under the new order (rule 4.10.4). Returns
    /// what needed no agent.
    pub fn order(&mut self, order: Order, now: Now, out: &mut Outbox) -> Vec<Finished> {
        let order = Arc::new(order);
        let resource = order.resource.clone();
        let mut finished = Vec::new();
        let mut delay = order.start_delay;
        if order.changes_state() {
            finished = self.end(&resource, |_| true, out);
        } else if order.interval > 0 {
            let slot = self.resources.entry(resource.clone()).or_default();
            if slot.adopt(&order) {
                return if slot.runs(&order.key) { Vec::new() } else { postponed(order, now) };
            }
            if slot.recurring.contains_key(&order.key) {
                delay = 0;
            }
            finished = self.end(&resource, |key| key == order.key, out);
        }
        let not_before = now.monotonic + delay;
        let slot = self.resources.entry(resource.clone()).or_default();
        if delay > 0 && order.is_postponed() {
            // nobody waits for it, and it holds up nobody
            let first = Recurring { order: order.clone(), due: Some(not_before), last: None };
            slot.recurring.insert(order.key.clone(), first);
            finished.append(&mut postponed(order, now));
        } else {
            slot.queue.push_back(Queued { order, since: now.monotonic, not_before });
        }
        finished.append(&mut self.advance(&resource, now, out));
        finished
    }

    /// The answer to an order that this node does not carry out: it leaves no trace, and whoever gave it thinks again
    /// (rule 4.10.9).
    #[must_use]
    pub fn refuse(&self, order: Order, reason: &str, now: Now) -> Finished {
        let result = OperationResult::plain(OperationId(0), ExecutionStatus::Refused, 1, reason);
        let entry = self.entry(&order, &result, -1, now.epoch());
        Finished { order: Arc::new(order), entry, repeated: false }
    }

    /// Ends a recurring operation. Returns the results of what never ran.
    pub fn cancel(&mut self, resource: &str, key: &str, out: &mut Outbox) -> Vec<Finished> {
        self.end(resource, |candidate| candidate == key, out)
    }

    /// Ends all recurring operations of a resource, whose history is being forgotten.
    /// Returns the results of what never ran.
    pub fn forget(&mut self, resource: &str, out: &mut Outbox) -> Vec<Finished> {
        self.end(resource, |_| true, out)
    }

    /// Ends all recurring operations: this node leaves (rule 4.10.12). Returns the resources that are known to be
    /// active here and stay so.
    pub fn leave(&mut self, out: &mut Outbox) -> Vec<String> {
        for slot in self.resources.values_mut() {
            slot.end_recurring(|_| true, out);
        }
        self.started.resources()
    }

    /// Ends recurring operations with such keys, wherever they are: idle, running, waiting for their turn, or for
    /// metadata.
    fn end(&mut self, resource: &str, which: impl Fn(&str) -> bool, out: &mut Outbox) -> Vec<Finished> {
        let slot = self.resources.get_mut(resource);
        let mut ended = slot.map(|slot| slot.end_recurring(&which, out)).unwrap_or_default();
        let of_these = |order: &Order| order.resource == resource && order.interval > 0 && which(&order.key);
        for (order, ..) in self.held.extract_if(.., |(order, ..)| of_these(order)) {
            ended.push(order);
        }
        self.note_deadline(resource);
        self.cancelled(ended)
    }

    /// Results of recurring operations that were ended before they had any.
    fn cancelled(&self, orders: Vec<Arc<Order>>) -> Vec<Finished> {
        let result = OperationResult::plain(OperationId(0), ExecutionStatus::Cancelled, 0, "");
        let finished = |order: Arc<Order>| {
            let entry = self.entry(&order, &result, -1, 0);
            Finished { order, entry, repeated: false }
        };
        orders.into_iter().map(finished).collect()
    }

    /// Takes the end of a run. Returns the results to be told.
    pub fn done(&mut self, mut result: OperationResult, now: Now, out: &mut Outbox) -> Vec<Finished> {
        let Some(resource) = self.runs.remove(&result.id) else { return Vec::new() };
        let Some(slot) = self.resources.get_mut(&resource) else { return Vec::new() };
        let Some(mut running) = slot.running.take_if(|running| running.id == result.id) else {
            return Vec::new();
        };
        if let Some(at) = again(&running, slot, &result, now) {
            running.again = Some(at);
            slot.running = Some(running);
            self.note_deadline(&resource);
            return Vec::new();
        }
        if running.fencing {
            self.release_device(&resource);
        }
        result.queued += running.queued;
        let mut finished = match running.what {
            // how it ended says nothing of the resource: only a probe does (rule 4.15.2)
            What::Leftover { .. } => Vec::new(),
            What::Repeat(_, again) if running.cancelled => self.cancelled(again.into_iter().collect()),
            What::Repeat(key, _) => self.repeated(&resource, &key, &result, now),
            What::Order(order) if running.cancelled && order.interval > 0 => self.cancelled(vec![order]),
            What::Order(order) => self.conclude(order, result, running.since_epoch, now),
        };
        finished.append(&mut self.advance(&resource, now, out));
        finished
    }

    /// Takes metadata. Returns the results that waited for them.
    pub fn metadata(&mut self, id: OperationId, metadata: Option<AgentMetadata>, now: Now) -> Vec<Finished> {
        let Some(agent) = self.fetching.remove(&id) else { return Vec::new() };
        let known = self.metadata.entry(agent.clone()).or_default();
        known.at = now.monotonic;
        known.failures = if metadata.is_some() { 0 } else { known.failures + 1 };
        known.known = metadata.or(known.known.take());
        let (ready, held) =
            std::mem::take(&mut self.held).into_iter().partition(|(order, _, _)| order.agent == agent);
        self.held = held;
        let ready: Vec<(Arc<Order>, OperationResult, i64)> = ready;
        ready.into_iter().map(|(order, result, at)| self.finish(order, &result, at, now)).collect()
    }

    /// What is known of an agent.
    #[must_use]
    pub fn agent_metadata(&self, agent: &AgentName) -> Option<&AgentMetadata> {
        self.metadata.get(agent)?.known.as_ref()
    }

    /// Asks for metadata unless young ones are known or being fetched. True if they are being fetched.
    pub fn fetch_metadata(&mut self, agent: &AgentName, max_age: u64, now: Now, out: &mut Outbox) -> bool {
        if self.fetching.values().any(|fetched| fetched == agent) {
            return true;
        }
        let is_young = |known: &Metadata| {
            let age = now.monotonic.saturating_sub(known.at);
            age <= max_age && (known.known.is_some() || age <= known.pause())
        };
        if self.metadata.get(agent).is_some_and(is_young) {
            return false;
        }
        let id = self.next_id();
        self.fetching.insert(id, agent.clone());
        out.push(Output::FetchMetadata { id, agent: agent.clone() });
        true
    }

    /// Whether the fence device was started here and has not failed since.
    #[must_use]
    pub fn has_device(&self, device: &str) -> bool {
        self.devices.get(device).copied().unwrap_or(false)
    }

    /// Fence devices that were started here and have not failed since.
    #[must_use]
    pub fn started_devices(&self) -> std::collections::BTreeSet<String> {
        self.devices.iter().filter(|(_, works)| **works).map(|(id, _)| id.clone()).collect()
    }

    /// Takes one use of a fence device, if it bears one more; given back by [`Executor::release_device`].
    pub fn take_device(&mut self, device: &str, limit: Option<usize>) -> bool {
        let uses = self.device_use.entry(device.to_owned()).or_default();
        let may = limit.is_none_or(|limit| *uses < limit);
        *uses += usize::from(may);
        self.note_deadline(device);
        may
    }

    /// Gives back one use of a fence device.
    pub fn release_device(&mut self, device: &str) {
        if let Some(uses) = self.device_use.get_mut(device) {
            *uses = uses.saturating_sub(1);
        }
        self.note_deadline(device);
    }

    /// The resource whose operation has this number.
    #[must_use]
    pub fn resource_of(&self, id: OperationId) -> Option<String> {
        self.runs.get(&id).cloned()
    }

    /// Goes on with what waited for a fence device.
    pub fn device_free(&mut self, device: &str, now: Now, out: &mut Outbox) -> Vec<Finished> {
        if self.resources.contains_key(device) { self.advance(device, now, out) } else { Vec::new() }
    }

    /// Starts recurring operations that are due and ends leftovers whose time is up.
    pub fn deadline(&mut self, now: Now, out: &mut Outbox) -> Vec<Finished> {
        let mut finished = Vec::new();
        for resource in self.deadlines.due(now.monotonic) {
            let running = self.resources.get_mut(&resource).and_then(|slot| slot.running.as_mut());
            match running {
                Some(running) if matches!(running.what, What::Leftover { .. }) => {
                    running.cancelled = true;
                    out.push(Output::Cancel(running.id));
                    self.note_deadline(&resource);
                }
                Some(running) if running.again.is_some() => {
                    finished.append(&mut self.run_again(&resource, now, out));
                }
                _ => finished.append(&mut self.advance(&resource, now, out)),
            }
        }
        finished
    }

    /// Runs a device's monitor again that failed a moment ago, unless it was cancelled meanwhile.
    fn run_again(&mut self, resource: &str, now: Now, out: &mut Outbox) -> Vec<Finished> {
        let id = self.next_id();
        let Some(slot) = self.resources.get_mut(resource) else { return Vec::new() };
        let Some(mut running) = slot.running.take() else { return Vec::new() };
        if running.cancelled {
            self.release_device(resource);
            let orders = match running.what {
                What::Order(order) => vec![order],
                What::Repeat(_, again) => again.into_iter().collect(),
                What::Leftover { .. } => Vec::new(),
            };
            let mut finished = self.cancelled(orders);
            finished.append(&mut self.advance(resource, now, out));
            return finished;
        }
        running.id = id;
        running.attempts += 1;
        running.again = None;
        let (order, left) = (running.order(slot), running.until.saturating_sub(now.monotonic));
        slot.running = Some(running);
        self.runs.insert(id, resource.to_owned());
        if let Some(order) = order {
            out.push(device_monitor(id, &order, left));
        }
        self.note_deadline(resource);
        Vec::new()
    }

    /// When [`Executor::deadline`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.next()
    }

    /// What runs now.
    #[must_use]
    pub fn running(&self, now: Now) -> Vec<RunningOperation> {
        let running = |(resource, slot): (&String, &Slot)| {
            let running = slot.running.as_ref()?;
            let (action, interval) = match &running.what {
                What::Order(order) => (order.operation.clone(), order.interval),
                What::Repeat(key, _) => slot
                    .recurring
                    .get(key)
                    .map_or((key.clone(), 0), |one| (one.order.operation.clone(), one.order.interval)),
                What::Leftover { action, .. } => (action.clone(), 0),
            };
            let since = now.monotonic.saturating_sub(running.since);
            Some(RunningOperation { resource: resource.clone(), action, interval, since })
        };
        self.resources.iter().filter_map(running).collect()
    }

    /// How many recurring operations are scheduled.
    #[must_use]
    pub fn recurring(&self) -> usize {
        let waiting = |slot: &Slot| slot.queue.iter().filter(|queued| queued.order.interval > 0).count();
        self.resources.values().map(|slot| slot.recurring.len() + waiting(slot)).sum()
    }

    /// Starts what the resource's queue, or its recurring operations, have next.
    fn advance(&mut self, resource: &str, now: Now, out: &mut Outbox) -> Vec<Finished> {
        let finished = self.start_next(resource, now, out);
        self.note_deadline(resource);
        finished
    }

    fn start_next(&mut self, resource: &str, now: Now, out: &mut Outbox) -> Vec<Finished> {
        let mut finished = Vec::new();
        loop {
            let Some(slot) = self.resources.get_mut(resource) else { return finished };
            if slot.running.is_some() || slot.is_delayed(now.monotonic) {
                return finished;
            }
            if slot.must_wait(resource, &self.device_use, now.monotonic) {
                return finished;
            }
            if let Some(Queued { order, since, .. }) = slot.queue.pop_front() {
                if let Some(result) = self.without_agent(&order) {
                    finished.append(&mut self.conclude(order, result, now.epoch(), now));
                } else {
                    self.start(resource, What::Order(order), since, now, out);
                }
            } else if let Some(key) = slot.due_key(now.monotonic).cloned() {
                let due = slot.recurring.get(&key).and_then(|one| one.due).unwrap_or(now.monotonic);
                self.start(resource, What::Repeat(key, None), due, now, out);
            } else {
                if slot.recurring.is_empty() {
                    self.resources.remove(resource);
                }
                return finished;
            }
        }
    }

    /// Results of fence devices that need no agent: probe and stop (rule 4.8.6).
    fn without_agent(&mut self, order: &Order) -> Option<OperationResult> {
        if !order.is_fencing() {
            return None;
        }
        let code = match order.operation.as_str() {
            "stop" => {
                self.devices.remove(&order.resource);
                0
            }
            "monitor" if order.interval == 0 => {
                if self.has_device(&order.resource) {
                    0
                } else {
                    7
                }
            }
            _ => return None,
        };
        Some(OperationResult::plain(OperationId(0), ExecutionStatus::Done, code, ""))
    }

    /// `since`: when its turn could have come.
    fn start(&mut self, resource: &str, what: What, since: u64, now: Now, out: &mut Outbox) {
        let order = match &what {
            What::Order(order) => order.clone(),
            What::Repeat(key, _) => {
                let slot = self.resources.get_mut(resource);
                let Some(recurring) = slot.and_then(|slot| slot.recurring.get_mut(key)) else { return };
                recurring.due = None;
                recurring.order.clone()
            }
            What::Leftover { .. } => return,
        };
        if order.agent.class == "ocf" && !matches!(order.operation.as_str(), "stop") {
            let max_age = if order.operation == "start" { METADATA_AGE } else { u64::MAX };
            self.fetch_metadata(&order.agent, max_age, now, out);
        }
        let id = self.next_id();
        if order.is_fencing() {
            *self.device_use.entry(order.resource.clone()).or_default() += 1;
        }
        self.runs.insert(id, resource.to_owned());
        if let Some(slot) = self.resources.get_mut(resource) {
            slot.running = Some(Running {
                id,
                what,
                since: now.monotonic,
                queued: now.monotonic.saturating_sub(since),
                since_epoch: now.epoch(),
                cancelled: false,
                fencing: order.is_fencing(),
                attempts: 1,
                until: now.monotonic + device_timeout(&order),
                again: None,
            });
        }
        out.push(self.run(id, &order));
    }

    fn run(&self, id: OperationId, order: &Order) -> Output {
        if order.is_fencing() {
            return device_monitor(id, order, device_timeout(order));
        }
        let mut parameters = self.started.parameters(order);
        parameters.remove("CRM_meta_op_target_rc");
        Output::Run(Operation {
            id,
            resource: order.resource.clone(),
            agent: order.agent.clone(),
            action: self.agent_action(order),
            parameters,
            timeout: order.timeout,
            interval: order.interval,
            spare_group: order.meta("on_fail") == Some("block"),
        })
    }

    /// The action the agent knows for a reload (rule 4.3.10); others unchanged.
    fn agent_action(&self, order: &Order) -> String {
        let known = match order.operation.as_str() {
            "reload" | "reload-agent" => self.agent_metadata(&order.agent).and_then(reload_action),
            _ => None,
        };
        known.map_or_else(|| order.operation.clone(), str::to_owned)
    }

    /// The end of an ordered run: remembers recurring ones, waits for metadata if they are on their way.
    fn conclude(
        &mut self,
        order: Arc<Order>,
        result: OperationResult,
        started: i64,
        now: Now,
    ) -> Vec<Finished> {
        self.started.learn(&order, &result);
        if order.is_fencing() && order.operation == "start" {
            self.devices.insert(order.resource.clone(), succeeded(&result));
        }
        let waits = order.is_recorded() && self.fetching.values().any(|agent| *agent == order.agent);
        if waits {
            self.held.push((order, result, started));
            return Vec::new();
        }
        vec![self.finish(order, &result, started, now)]
    }

    fn finish(&mut self, order: Arc<Order>, result: &OperationResult, started: i64, now: Now) -> Finished {
        let call = self.next_call;
        self.next_call += 1;
        if order.interval > 0 {
            let due = Some(deadlines::next_run(now.monotonic, order.interval));
            let recurring = Recurring { order: order.clone(), due, last: Some(essence(result)) };
            if let Some(slot) = self.keep(&order) {
                slot.recurring.insert(order.key.clone(), recurring);
            }
            self.note_deadline(&order.resource);
        }
        let entry = self.entry(&order, result, call, started);
        Finished { order, entry, repeated: false }
    }

    /// The place for a recurring operation, unless something that ends it waits already.
    fn keep(&mut self, order: &Order) -> Option<&mut Slot> {
        let slot = self.resources.entry(order.resource.clone()).or_default();
        let ended = slot.queue.iter().any(|queued| queued.order.changes_state())
            || matches!(&slot.running, Some(Running { what: What::Order(running), .. }) if running.changes_state());
        (!ended).then_some(slot)
    }

    /// The end of a repeated run: told only if exit code or status differ from what was told last, or if it was
    /// asked for again (rules 4.10.3, 4.10.4).
    fn repeated(&mut self, resource: &str, key: &str, result: &OperationResult, now: Now) -> Vec<Finished> {
        let call = self.next_call;
        let slot = self.resources.get_mut(resource);
        let Some(recurring) = slot.and_then(|slot| slot.recurring.get_mut(key)) else { return Vec::new() };
        recurring.due = Some(deadlines::next_run(now.monotonic, recurring.order.interval));
        let essence = essence(result);
        let first = recurring.last.is_none();
        if recurring.last.as_ref() == Some(&essence) {
            return Vec::new();
        }
        recurring.last = Some(essence);
        self.next_call += 1;
        let order = recurring.order.clone();
        let entry = self.entry(&order, result, call, now.epoch());
        vec![Finished { order, entry, repeated: !first }]
    }

    /// A number for a result that no agent gave (rule 4.10.11). What is run later must count as later, so it is one of
    /// the same row.
    pub fn take_call(&mut self) -> i64 {
        let call = self.next_call;
        self.next_call += 1;
        call
    }

    fn entry(&self, order: &Order, result: &OperationResult, call: i64, at: i64) -> Entry {
        let failed_reload = !succeeded(result);
        let operation = match order.operation.as_str() {
            "reload" | "reload-agent" if failed_reload => "monitor",
            "reload" | "reload-agent" => "start",
            other => other,
        };
        let (status, exit_code) = match (result.status, result.exit_code) {
            // whatever a notified instance says (rule 4.3.5)
            _ if order.operation == "notify" => (ExecutionStatus::Done, 0),
            // what an agent says about its resource is not an execution error (rule 4.2.4)
            (ExecutionStatus::Error, code @ (7 | 8 | 190 | 191)) => (ExecutionStatus::Done, code),
            other => other,
        };
        let mut entry = Entry {
            key: order.key.clone(),
            operation: operation.to_owned(),
            feature_set: order.feature_set.clone(),
            transition_key: order.transition_key.clone(),
            exit_reason: String::new(),
            on_node: self.node.clone(),
            call_id: call,
            exit_code,
            status,
            expected: order.expected,
            interval: order.interval,
            last_change: at,
            executed: result.executed,
            queued: result.queued,
            digests: self.digests(order),
            migration: order.migration(),
        };
        if entry.is_failure() || status != ExecutionStatus::Done {
            entry.exit_reason = result.exit_reason.clone();
        }
        entry
    }

    fn digests(&self, order: &Order) -> Digests {
        let metadata = if order.operation == "stop" { None } else { self.agent_metadata(&order.agent) };
        digests(&order.parameters, order.interval, metadata)
    }
}

/// The monitor that a fence device's start and monitor are (rule 4.8.6). `timeout`: in milliseconds.
fn device_monitor(id: OperationId, order: &Order, timeout: u64) -> Output {
    let word = fencing::device::word(&order.parameters, "monitor");
    Output::Fence(FenceRun {
        id,
        device: order.resource.clone(),
        agent: order.agent.agent_type.clone(),
        action: word.to_owned(),
        target: None,
        input: fencing::agent_input(word, &order.parameters, None),
        timeout,
    })
}

/// Milliseconds for all attempts of a fence device's monitor (rule 4.8.1); of other operations their own limit.
fn device_timeout(order: &Order) -> u64 {
    let own = order.parameters.get("pcmk_monitor_timeout").filter(|_| order.is_fencing());
    own.and_then(|text| cib::value::parse_interval(text)).unwrap_or(order.timeout)
}

/// When a fence device's monitor that failed is to be run again, if so (rule 4.7.6).
fn again(running: &Running, slot: &Slot, result: &OperationResult, now: Now) -> Option<u64> {
    let order = running.order(slot).filter(|_| running.fencing && !running.cancelled)?;
    let failed = !succeeded(result) && result.status != ExecutionStatus::TimedOut;
    let (limit, left) = (device_timeout(&order), running.until.saturating_sub(now.monotonic));
    let early = limit.saturating_sub(left) * 10 < limit * 7;
    let more = running.attempts < fencing::device::attempts(&order.parameters, "monitor");
    (failed && early && more).then_some(now.monotonic + PAUSE)
}

fn succeeded(result: &OperationResult) -> bool {
    result.status == ExecutionStatus::Done && result.exit_code == 0
}

/// What makes a result of a recurring operation another one (rule 4.10.3): not its words, which may count or date.
fn essence(result: &OperationResult) -> (ExecutionStatus, i32) {
    (result.status, result.exit_code)
}

/// The word to whoever ordered a recurring operation whose first run lies far ahead (rule 4.10.8): it is known, and
/// history shows it as pending.
fn postponed(order: Arc<Order>, now: Now) -> Vec<Finished> {
    if !order.is_postponed() {
        return Vec::new();
    }
    let entry = order.pending_entry(now.epoch());
    vec![Finished { order, entry, repeated: false }]
}
