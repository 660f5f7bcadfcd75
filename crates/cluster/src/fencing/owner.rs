//! The owner's side of a fencing operation: hearing who could use what, ordering one use of a device after
//! the other, and knowing when it is over (rules 4.51 to 4.54).

use super::devices::Devices;
use super::walk::{Offers, Verdict, Walk};
use super::{FenceOrder, FenceRecord, Offer, WATCHDOG_DEVICE};
use crate::membership::NodeId;
use crate::operation::ExecutionStatus;
use crate::request::{FenceRequest, RequestId};

/// Who waits for the result beside the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// An action of the DC's transition.
    Action(u64, u32),
    Client(RequestId),
}

/// What the owner knows when it decides.
#[derive(Debug)]
pub struct Context<'a> {
    pub devices: &'a Devices,
    /// Members now, the owner first.
    pub members: &'a [NodeId],
    /// Milliseconds after which the target's watchdog has fired, if it can be relied on (rule 4.59.5).
    pub watchdog: Option<u64>,
    /// Monotonic milliseconds.
    pub now: u64,
}

/// A fencing operation at its owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub record: FenceRecord,
    pub request: FenceRequest,
    /// Monotonic millisecond after which it fails.
    pub deadline: u64,
    topology: Vec<Vec<String>>,
    /// Members that were asked for their devices.
    asked: Vec<NodeId>,
    offers: Offers,
    /// Until when missing answers are waited for.
    gather_until: u64,
    walk: Option<Walk>,
    awaiting: Option<Awaited>,
    attempts: u32,
    used_delay: bool,
    last_failure: Option<(ExecutionStatus, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Awaited {
    attempt: u32,
    /// `None`: the target's watchdog is waited for.
    executor: Option<NodeId>,
    device: String,
    /// Monotonic millisecond at which waiting ends.
    until: u64,
}

/// What the owner does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Answers or a result are awaited.
    Wait,
    Order(FenceOrder),
    /// Nobody has to do anything: the target's watchdog is waited for.
    Watchdog(u32),
    Succeeded,
    Failed(ExecutionStatus, String),
}

impl Operation {
    /// An operation for which `members` have just been asked; `target`: its id if it is one of them.
    #[must_use]
    pub fn new(
        record: FenceRecord,
        request: FenceRequest,
        target: Option<NodeId>,
        context: &Context<'_>,
    ) -> Operation {
        let gather_until = context.now + 6 * request.timeout / 5;
        Operation {
            topology: context.devices.topology(&request.target),
            asked: context.members.to_vec(),
            offers: Offers::about(target),
            gather_until,
            deadline: gather_until + 6 * request.timeout / 5 + request.delay.unwrap_or(0),
            walk: None,
            awaiting: None,
            attempts: 0,
            used_delay: false,
            last_failure: None,
            record,
            request,
        }
    }

    /// Takes a member's answer (rule 4.51.2).
    pub fn offer(&mut self, node: NodeId, devices: Vec<Offer>, complete: bool) {
        self.offers.take(node, devices, complete);
    }

    /// The next order, or the end. To be called after each answer, result, loss of a member and deadline.
    pub fn next(&mut self, context: &Context<'_>) -> Next {
        if self.awaiting.is_some() {
            return Next::Wait;
        }
        if self.walk.is_none() {
            if !self.is_ready(context) {
                return Next::Wait;
            }
            self.begin(context);
        }
        let pick = self.walk.as_mut().and_then(|walk| walk.next(&self.offers, context.members));
        match pick {
            Some(pick) => match pick.executor {
                Some(node) => self.order(&pick.device, &pick.action, node, context),
                None => self.wait_for_watchdog(context),
            },
            None => self.exhausted(context),
        }
    }

    /// Whether enough was heard to begin (rules 4.51.4, 4.52.4). The target is not waited for if others can
    /// do it: it may well be what does not answer.
    fn is_ready(&self, context: &Context<'_>) -> bool {
        if context.now >= self.gather_until {
            return true;
        }
        let heard = |node: &&NodeId| !context.members.contains(node) || self.offers.is_complete(**node);
        let is_target = |node: &&NodeId| self.offers.target == Some(**node);
        if self.asked.iter().all(|node| heard(&node)) {
            return true;
        }
        if self.request.action == "on" {
            return false;
        }
        let others_heard = self.asked.iter().filter(|node| !is_target(node)).all(|node| heard(&node));
        let offered = |device: &String| {
            *device == WATCHDOG_DEVICE || self.offers.of_others().any(|offer| offer.device == *device)
        };
        match self.topology.is_empty() {
            true => {
                self.offers.of_others().any(|offer| offer.verified)
                    || others_heard && self.offers.of_others().next().is_some()
            }
            false => {
                self.topology.iter().flatten().all(offered)
                    || others_heard && self.topology.iter().any(|level| level.iter().all(offered))
            }
        }
    }

    fn begin(&mut self, context: &Context<'_>) {
        let walk = Walk::new(&self.request.action, &self.topology, &self.offers);
        let uses = walk.uses(&self.offers);
        let longest = uses.iter().map(|(device, action)| self.time_of(device, action, context)).sum::<u64>();
        let limit = 6 * longest.max(self.request.timeout) / 5 + self.request.delay.unwrap_or(0);
        self.deadline = context.now + limit;
        self.walk = Some(walk);
    }

    /// Milliseconds that one use of a device may take, its own delays included.
    fn time_of(&self, device: &str, action: &str, context: &Context<'_>) -> u64 {
        if device == WATCHDOG_DEVICE {
            return context.watchdog.unwrap_or(0);
        }
        self.offers.limit(device, action).unwrap_or(self.request.timeout)
    }

    fn order(&mut self, device: &str, action: &str, executor: NodeId, context: &Context<'_>) -> Next {
        self.attempts += 1;
        // the requested delay holds for the first use only (rule 4.54.2)
        let delay = self.request.delay.map(|delay| if self.used_delay { 0 } else { delay });
        self.used_delay = true;
        let order = FenceOrder {
            operation: self.record.id.clone(),
            attempt: self.attempts,
            executor,
            device: device.to_owned(),
            target: self.request.target.clone(),
            target_incarnation: self.record.target_incarnation.clone(),
            action: action.to_owned(),
            timeout: self.request.timeout,
            delay,
        };
        let limit = 6 * (self.time_of(device, action, context) + delay.unwrap_or(0)) / 5;
        self.awaiting = Some(Awaited {
            attempt: self.attempts,
            executor: Some(executor),
            device: device.to_owned(),
            until: context.now + limit,
        });
        Next::Order(order)
    }

    /// All ways were tried: perhaps the watchdog is left (rule 4.59.5).
    fn exhausted(&mut self, context: &Context<'_>) -> Next {
        if self.walk.as_ref().is_some_and(Walk::only_optional_left) {
            return Next::Succeeded;
        }
        let nobody = self.attempts == 0 && self.topology.is_empty() && self.request.action != "on";
        if nobody && context.watchdog.is_some() {
            return self.wait_for_watchdog(context);
        }
        let (status, reason) = self.last_failure.clone().unwrap_or_else(|| {
            let reason = match self.topology.is_empty() {
                true => "no device can fence it".to_owned(),
                false => format!("no node can use all devices of a level: {}", self.missing_devices()),
            };
            (ExecutionStatus::NoFenceDevice, reason)
        });
        Next::Failed(status, reason)
    }

    fn missing_devices(&self) -> String {
        let offered = |device: &&String| self.offers.all().any(|offer| offer.device == **device);
        let missing: Vec<&str> =
            self.topology.iter().flatten().filter(|device| !offered(device)).map(String::as_str).collect();
        format!("nobody offers {}", missing.join(", "))
    }

    fn wait_for_watchdog(&mut self, context: &Context<'_>) -> Next {
        self.attempts += 1;
        let device = WATCHDOG_DEVICE.to_owned();
        let Some(wait) = context.watchdog else {
            let reason = "watchdog fencing does not apply to it".to_owned();
            self.last_failure = Some((ExecutionStatus::Error, reason));
            if let Some(walk) = &mut self.walk {
                walk.result(false, false, &self.offers);
            }
            return self.next(context);
        };
        // it began when fencing was decided, not when the node was lost (rule 4.59.6)
        let until = context.now + wait;
        self.deadline = self.deadline.max(until + 6 * self.request.timeout / 5);
        self.awaiting = Some(Awaited { attempt: self.attempts, executor: None, device, until });
        Next::Watchdog(self.attempts)
    }

    /// Takes the result of an attempt. `None` if it is not awaited.
    pub fn result(
        &mut self,
        attempt: u32,
        success: bool,
        status: ExecutionStatus,
        reason: &str,
    ) -> Option<Verdict> {
        let awaited = self.awaiting.take_if(|awaited| awaited.attempt == attempt)?;
        if success {
            self.record.devices.push(awaited.device);
        } else {
            self.last_failure = Some((status, reason.to_owned()));
        }
        let timed_out = status == ExecutionStatus::TimedOut;
        match &mut self.walk {
            Some(walk) if awaited.executor.is_some() || !self.topology.is_empty() => {
                Some(walk.result(success, timed_out, &self.offers))
            }
            _ => Some(if success { Verdict::Done } else { Verdict::Over }),
        }
    }

    /// The failure that ends it when nothing else may be tried.
    #[must_use]
    pub fn failure(&self) -> (ExecutionStatus, String) {
        self.last_failure.clone().unwrap_or((ExecutionStatus::Error, "it failed".to_owned()))
    }

    /// Ends the awaited attempt if its executor is lost or its time is over; a watchdog whose time is over
    /// has fired.
    pub fn expire(&mut self, context: &Context<'_>) -> Option<Verdict> {
        let awaited = self.awaiting.as_ref()?;
        let is_over = awaited.until <= context.now;
        let attempt = awaited.attempt;
        match awaited.executor {
            None if is_over => self.result(attempt, true, ExecutionStatus::Done, ""),
            Some(node) if !context.members.contains(&node) => {
                self.result(attempt, false, ExecutionStatus::Error, "the node that used the device is lost")
            }
            Some(_) if is_over => {
                let reason = "no result from the node that uses the device";
                self.result(attempt, false, ExecutionStatus::Error, reason)
            }
            _ => None,
        }
    }

    /// When something has to be given up or begun.
    #[must_use]
    pub fn next_deadline(&self) -> u64 {
        let gathering = self.walk.is_none().then_some(self.gather_until);
        let awaited = self.awaiting.as_ref().map(|awaited| awaited.until);
        [Some(self.deadline), gathering, awaited].into_iter().flatten().min().unwrap_or(self.deadline)
    }

    /// Whether all that counts was done: a reboot whose devices are off (rule 4.52.5).
    #[must_use]
    pub fn only_optional_left(&self) -> bool {
        self.walk.as_ref().is_some_and(Walk::only_optional_left)
    }
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
