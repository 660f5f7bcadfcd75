//! One resource's operations: what runs, what waits, what recurs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::order::Order;
use crate::fencing;
use crate::interface::{Outbox, Output};
use crate::operation::{ExecutionStatus, OperationId};

#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) running: Option<Running>,
    pub(super) queue: VecDeque<Arc<Order>>,
    pub(super) recurring: BTreeMap<String, Recurring>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: OperationId,
    pub(super) what: What,
    pub(super) since: u64,
    pub(super) since_epoch: i64,
    pub(super) cancelled: bool,
    /// It uses a fence device.
    pub(super) fencing: bool,
}

#[derive(Debug)]
pub(super) enum What {
    Order(Arc<Order>),
    /// A recurring operation that is due, with its order if it has had no result yet.
    Repeat(String, Option<Arc<Order>>),
    /// From an earlier run of the daemon, until the moment given.
    Leftover {
        action: String,
        until: u64,
    },
}

#[derive(Debug)]
pub(super) struct Recurring {
    pub(super) order: Arc<Order>,
    /// When the next run is due; none while it runs or before the first run ended.
    pub(super) due: Option<u64>,
    pub(super) last: Option<(ExecutionStatus, i32, String)>,
    pub(super) last_change: i64,
    pub(super) call: i64,
}

impl Slot {
    /// Ends recurring operations with such keys: forgets them, and ends their run if there is one. Returns
    /// the orders of those that neither run nor ever ran.
    pub(super) fn end_recurring(
        &mut self,
        which: impl Fn(&str) -> bool,
        out: &mut Outbox,
    ) -> Vec<Arc<Order>> {
        let mut never_ran = Vec::new();
        self.recurring.retain(|key, one| {
            let ends = which(key);
            if ends && one.last.is_none() && one.due.is_some() {
                never_ran.push(one.order.clone());
            }
            !ends
        });
        let Some(running) = &mut self.running else { return never_ran };
        let ends = match &running.what {
            What::Repeat(key, _) => which(key),
            What::Order(order) => order.interval > 0 && which(&order.key),
            What::Leftover { .. } => false,
        };
        if ends && !running.cancelled {
            running.cancelled = true;
            out.push(Output::Cancel(running.id));
        }
        never_ran
    }

    /// Whether what comes next needs a fence device that bears no further use now (rule 4.61.4).
    pub(super) fn must_wait(&self, resource: &str, uses: &BTreeMap<String, usize>, now: u64) -> bool {
        let due = || self.due_key(now).and_then(|key| self.recurring.get(key)).map(|one| &one.order);
        let Some(order) = self.queue.front().or_else(due) else { return false };
        let needs_device = order.is_fencing()
            && (order.interval > 0 || !matches!(order.operation.as_str(), "stop" | "monitor"));
        let in_use = uses.get(resource).copied().unwrap_or(0);
        needs_device && fencing::device::action_limit(&order.parameters).is_some_and(|limit| in_use >= limit)
    }

    /// When the clock gives it something to do: a recurring operation is due, or a leftover's time is up.
    pub(super) fn deadline(&self, resource: &str, uses: &BTreeMap<String, usize>) -> Option<u64> {
        match &self.running {
            // goes on when the device is free
            None if self.must_wait(resource, uses, u64::MAX) => None,
            None => self.recurring.values().filter_map(|one| one.due).min(),
            Some(Running { what: What::Leftover { until, .. }, cancelled: false, .. }) => Some(*until),
            Some(_) => None,
        }
    }

    /// The recurring operation that is due longest, with its order if it has had no result yet.
    pub(super) fn due(&self, now: u64) -> Option<(String, Option<Arc<Order>>)> {
        let key = self.due_key(now)?.clone();
        let first = self.recurring.get(&key).filter(|one| one.last.is_none());
        let first = first.map(|one| one.order.clone());
        Some((key, first))
    }

    pub(super) fn due_key(&self, now: u64) -> Option<&String> {
        let due = self.recurring.iter().filter_map(|(key, one)| one.due.map(|at| (at, key)));
        due.filter(|(at, _)| *at <= now).min().map(|(_, key)| key)
    }
}

impl Recurring {
    pub(super) fn new(order: Arc<Order>, due: Option<u64>) -> Recurring {
        Recurring { order, due, last: None, last_change: 0, call: 0 }
    }
}
