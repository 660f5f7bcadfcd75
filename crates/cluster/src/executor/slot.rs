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
    pub(super) queue: VecDeque<Queued>,
    pub(super) recurring: BTreeMap<String, Recurring>,
}

/// An order that waits for its turn.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) order: Arc<Order>,
    /// When it came.
    pub(super) since: u64,
    /// It waits until then, and so does all that came after it (rule 4.10.2).
    pub(super) not_before: u64,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: OperationId,
    pub(super) what: What,
    pub(super) since: u64,
    /// Milliseconds that it waited for its turn.
    pub(super) queued: u64,
    pub(super) since_epoch: i64,
    pub(super) cancelled: bool,
    /// It uses a fence device.
    pub(super) fencing: bool,
    /// How often it has been run.
    pub(super) attempts: u32,
    /// When its time limit is over.
    pub(super) until: u64,
    /// It failed, and is run again at this moment (rule 4.7.6); no process is there until then.
    pub(super) again: Option<u64>,
}

#[derive(Debug)]
pub(super) enum What {
    Order(Arc<Order>),
    /// A recurring operation that was due, with the order that asked for it again meanwhile.
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
    /// When the next run is due; none while it runs.
    pub(super) due: Option<u64>,
    /// What was told last; nothing if the next result is to be told whatever it is.
    pub(super) last: Option<(ExecutionStatus, i32)>,
}

impl Slot {
    /// Ends recurring operations with such keys: forgets them, and kills their run if there is one (rule 4.10.6).
    /// Returns the orders of those that still waited for their first run.
    pub(super) fn end_recurring(
        &mut self,
        which: impl Fn(&str) -> bool,
        out: &mut Outbox,
    ) -> Vec<Arc<Order>> {
        self.recurring.retain(|key, _| !which(key));
        let (dropped, kept): (VecDeque<Queued>, VecDeque<Queued>) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition(|queued| queued.order.interval > 0 && which(&queued.order.key));
        self.queue = kept;
        if let Some(running) = &mut self.running
            && running.recurs(&which)
            && !running.cancelled
        {
            running.cancelled = true;
            match &mut running.again {
                // nobody would answer: it ends with the next look at the clock
                Some(again) => *again = 0,
                None => out.push(Output::Cancel(running.id)),
            }
        }
        dropped.into_iter().map(|queued| queued.order).collect()
    }

    /// Lets a recurring operation that waits or runs already go on under an order that asks for just the same
    /// (rule 4.10.4). False if there is none.
    pub(super) fn adopt(&mut self, order: &Arc<Order>) -> bool {
        if let Some(queued) = self.queue.iter_mut().find(|queued| queued.order.asks_the_same(order)) {
            queued.order = order.clone();
            return true;
        }
        if let Some(postponed) = self.recurring.get_mut(&order.key)
            && postponed.last.is_none()
            && postponed.due.is_some()
            && postponed.order.asks_the_same(order)
        {
            postponed.order = order.clone();
            return true;
        }
        let Some(running) = self.running.as_mut().filter(|running| !running.cancelled) else { return false };
        match &mut running.what {
            What::Order(known) if known.asks_the_same(order) => *known = order.clone(),
            What::Repeat(key, again) => {
                let known = self.recurring.get_mut(key).filter(|one| one.order.asks_the_same(order));
                let Some(known) = known else { return false };
                known.order = order.clone();
                known.last = None;
                *again = Some(order.clone());
            }
            _ => return false,
        }
        true
    }

    /// Whether a run of the recurring operation with this key is under way.
    pub(super) fn runs(&self, key: &str) -> bool {
        self.running.as_ref().is_some_and(|running| running.recurs(|candidate| candidate == key))
    }

    /// Whether what comes next is not to run before a moment that lies ahead.
    pub(super) fn is_delayed(&self, now: u64) -> bool {
        self.queue.front().is_some_and(|queued| queued.not_before > now)
    }

    /// Whether what comes next needs a fence device that bears no further use now (rule 4.61.4).
    pub(super) fn must_wait(&self, resource: &str, uses: &BTreeMap<String, usize>, now: u64) -> bool {
        let due = || self.due_key(now).and_then(|key| self.recurring.get(key)).map(|one| &one.order);
        let first = self.queue.front().map(|queued| &queued.order);
        let Some(order) = first.or_else(due) else { return false };
        let needs_device = order.is_fencing()
            && (order.interval > 0 || !matches!(order.operation.as_str(), "stop" | "monitor"));
        let in_use = uses.get(resource).copied().unwrap_or(0);
        needs_device && fencing::device::action_limit(&order.parameters).is_some_and(|limit| in_use >= limit)
    }

    /// When the clock gives it something to do: a delay has passed, a recurring operation is due, or a leftover's
    /// time is up.
    pub(super) fn deadline(&self, resource: &str, uses: &BTreeMap<String, usize>) -> Option<u64> {
        match &self.running {
            // goes on when the device is free
            None if self.must_wait(resource, uses, u64::MAX) => None,
            None => {
                let delayed = self.queue.front().map(|queued| queued.not_before);
                delayed.or_else(|| self.recurring.values().filter_map(|one| one.due).min())
            }
            Some(Running { what: What::Leftover { until, .. }, cancelled: false, .. }) => Some(*until),
            Some(running) => running.again,
        }
    }

    /// The recurring operation that is due longest.
    pub(super) fn due_key(&self, now: u64) -> Option<&String> {
        let due = self.recurring.iter().filter_map(|(key, one)| one.due.map(|at| (at, key)));
        due.filter(|(at, _)| *at <= now).min().map(|(_, key)| key)
    }
}

impl Running {
    /// What it was ordered to do.
    pub(super) fn order(&self, slot: &Slot) -> Option<Arc<Order>> {
        match &self.what {
            What::Order(order) => Some(order.clone()),
            What::Repeat(key, _) => slot.recurring.get(key).map(|one| one.order.clone()),
            What::Leftover { .. } => None,
        }
    }

    /// Whether it is a run of a recurring operation with such a key.
    fn recurs(&self, which: impl Fn(&str) -> bool) -> bool {
        match &self.what {
            What::Repeat(key, _) => which(key),
            What::Order(order) => order.interval > 0 && which(&order.key),
            What::Leftover { .. } => false,
        }
    }
}
