//! The owner's side of a fencing operation: which device is used by which node next, and when it is over
//! (rules 4.51 to 4.54).

use crate::fencing::devices::Devices;
use crate::fencing::{FenceOrder, FenceRecord};
use crate::membership::NodeId;
use crate::request::{FenceRequest, RequestId};

/// Who waits for the result beside the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// An action of the DC's transition.
    Action(u64, u32),
    Client(RequestId),
}

/// A member as fencing sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: NodeId,
    pub name: String,
    /// Devices that run there and were checked.
    pub verified: Vec<String>,
}

/// A fencing operation at its owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub record: FenceRecord,
    pub request: FenceRequest,
    pub waiting: Vec<Waiting>,
    /// Monotonic millisecond after which it fails.
    pub deadline: u64,
    levels: Vec<Level>,
    level: usize,
    /// What is being awaited: the attempt's number, its executor and its own limit.
    awaiting: Option<(u32, NodeId, u64)>,
    attempts: u32,
    used_delay: bool,
    last_failure: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Level {
    steps: Vec<Step>,
    at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    device: String,
    action: String,
    /// Failures do not count: the `on` half of a reboot (rule 4.52.5).
    optional: bool,
    /// Nodes to ask, best first.
    executors: Vec<NodeId>,
    next: usize,
}

/// What the owner does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Order(FenceOrder),
    Succeeded,
    Failed(String),
}

impl Operation {
    /// Plans the operation. `members` in order of preference, the owner first.
    #[must_use]
    pub fn new(
        record: FenceRecord,
        request: FenceRequest,
        waiting: Waiting,
        devices: &Devices,
        members: &[Candidate],
        now: u64,
    ) -> Operation {
        let topology = devices.topology(&request.target);
        let levels = if topology.is_empty() {
            without_topology(&request, devices, members)
        } else {
            topology.iter().map(|level| with_topology(level, &request, devices, members)).collect()
        };
        let budget = limit(&levels, &request, devices);
        Operation {
            record,
            deadline: now + budget,
            waiting: vec![waiting],
            levels,
            level: 0,
            awaiting: None,
            attempts: 0,
            used_delay: false,
            last_failure: String::new(),
            request,
        }
    }

    /// The next order, or the end. To be called at the beginning and after each result.
    pub fn next(&mut self, devices: &Devices, members: &[NodeId], now: u64) -> Next {
        loop {
            let Some(level) = self.levels.get_mut(self.level) else {
                let nobody = self.attempts == 0;
                let reason =
                    if nobody { "no device can fence it".to_owned() } else { self.last_failure.clone() };
                return Next::Failed(reason);
            };
            let Some(step) = level.steps.get_mut(level.at) else { return Next::Succeeded };
            let Some(executor) = step.executors.get(step.next).copied() else {
                if step.optional {
                    level.at += 1;
                } else {
                    if self.last_failure.is_empty() {
                        self.last_failure = format!("no node can use {}", step.device);
                    }
                    self.level += 1;
                }
                continue;
            };
            step.next += 1;
            if !members.contains(&executor) {
                continue;
            }
            self.attempts += 1;
            let delay = match self.request.delay {
                Some(_) if self.used_delay => Some(0),
                other => other,
            };
            self.used_delay = true;
            let order = FenceOrder {
                operation: self.record.id.clone(),
                attempt: self.attempts,
                executor,
                device: step.device.clone(),
                target: self.request.target.clone(),
                action: step.action.clone(),
                timeout: self.request.timeout,
                delay,
            };
            let device = devices.get(&step.device);
            let own = device
                .map_or(self.request.timeout, |device| device.timeout(&step.action, self.request.timeout));
            let waits = device.map_or(0, |device| device.delays(&self.request.target).1) + delay.unwrap_or(0);
            self.awaiting = Some((self.attempts, executor, now + 6 * (own + waits) / 5));
            return Next::Order(order);
        }
    }

    /// Takes the result of an attempt; false if it is not awaited.
    pub fn result(&mut self, attempt: u32, success: bool, reason: &str) -> bool {
        if self.awaiting.is_none_or(|(awaited, _, _)| awaited != attempt) {
            return false;
        }
        self.awaiting = None;
        if success {
            if let Some(level) = self.levels.get_mut(self.level) {
                level.at += 1;
            }
        } else {
            self.last_failure = reason.to_owned();
        }
        true
    }

    /// The executor of the attempt that is awaited.
    #[must_use]
    pub fn executor(&self) -> Option<NodeId> {
        self.awaiting.map(|(_, executor, _)| executor)
    }

    /// Gives up the awaited attempt if its executor is lost or its time is over. True if there was one.
    pub fn give_up(&mut self, members: &[NodeId], now: u64) -> bool {
        let Some((attempt, executor, until)) = self.awaiting else { return false };
        let reason = if !members.contains(&executor) {
            "the node that used the device is lost"
        } else if until <= now {
            "no result from the node that uses the device"
        } else {
            return false;
        };
        self.result(attempt, false, reason)
    }

    /// When something has to be given up.
    #[must_use]
    pub fn next_deadline(&self) -> u64 {
        self.awaiting.map_or(self.deadline, |(_, _, until)| until.min(self.deadline))
    }

    /// Whether all that counts was done: a reboot whose nodes are off (rule 4.52.5).
    #[must_use]
    pub fn only_optional_left(&self) -> bool {
        let level = self.levels.get(self.level);
        level.is_some_and(|level| level.at > 0 && level.steps[level.at..].iter().all(|step| step.optional))
    }
}

/// Each usable device is a level of its own; verified ones first (rule 4.51.4).
fn without_topology(request: &FenceRequest, devices: &Devices, members: &[Candidate]) -> Vec<Level> {
    let usable = devices.devices.iter().filter(|device| device.may_fence(&request.target));
    let mut steps: Vec<(bool, Step)> = usable
        .map(|device| {
            let step = step(&device.id, &request.action, false, request, devices, members);
            let verified = members.iter().any(|member| member.verified.contains(&device.id));
            (!verified, step)
        })
        .filter(|(_, step)| !step.executors.is_empty())
        .collect();
    steps.sort_by_key(|(unverified, _)| *unverified);
    steps.into_iter().map(|(_, step)| Level { steps: vec![step], at: 0 }).collect()
}

fn with_topology(
    level: &[String],
    request: &FenceRequest,
    devices: &Devices,
    members: &[Candidate],
) -> Level {
    let steps = |action: &str, optional: bool| -> Vec<Step> {
        level.iter().map(|device| step(device, action, optional, request, devices, members)).collect()
    };
    if request.action == "reboot" && level.len() > 1 {
        let mut all = steps("off", false);
        let stays_off =
            |step: &Step| devices.get(&step.device).is_some_and(|device| device.word("reboot") == "off");
        all.extend(steps("on", true).into_iter().filter(|step| !stays_off(step)));
        Level { steps: all, at: 0 }
    } else {
        Level { steps: steps(&request.action, false), at: 0 }
    }
}

/// Nodes that may use the device: where it was checked first, the target last and only if nobody else can.
fn step(
    device: &str,
    action: &str,
    optional: bool,
    request: &FenceRequest,
    devices: &Devices,
    members: &[Candidate],
) -> Step {
    let configured = devices.get(device);
    let usable = |member: &&Candidate| configured.is_some_and(|device| device.usable_by(&member.name));
    let is_target = |member: &Candidate| member.name.eq_ignore_ascii_case(&request.target);
    let verified = |member: &Candidate| member.verified.iter().any(|one| one == device);
    let mut ordered: Vec<&Candidate> = members.iter().filter(usable).collect();
    ordered.sort_by_key(|member| (is_target(member), !verified(member)));
    if ordered.iter().any(|member| !is_target(member)) || action == "on" {
        ordered.retain(|member| !is_target(member));
    }
    Step {
        device: device.to_owned(),
        action: action.to_owned(),
        optional,
        executors: ordered.iter().map(|member| member.id).collect(),
        next: 0,
    }
}

/// Milliseconds for the whole operation (rule 4.53.3).
fn limit(levels: &[Level], request: &FenceRequest, devices: &Devices) -> u64 {
    let of_step = |step: &Step| {
        let device = devices.get(&step.device);
        device.map_or(request.timeout, |device| {
            device.timeout(&step.action, request.timeout) + device.delays(&request.target).1
        })
    };
    let sum: u64 = levels.iter().flat_map(|level| &level.steps).map(of_step).sum();
    6 * sum.max(request.timeout) / 5 + request.delay.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fencing::FenceState;
    use crate::replica::Replica;

    const BOTH: &str = "<cib validate-with='pacemaker-4.0'><configuration><crm_config/><nodes/><resources>\
        <primitive id='a' class='stonith' type='fence_a'/><primitive id='b' class='stonith' type='fence_b'/>\
        </resources><constraints/>LEVELS</configuration><status/></cib>";

    fn devices(levels: &str) -> Devices {
        let (replica, problems) = Replica::load(Some(&BOTH.replace("LEVELS", levels)));
        assert!(problems.is_empty(), "{problems:?}");
        replica.devices(0)
    }

    fn operation(devices: &Devices, action: &str) -> Operation {
        let member = |id: u32, verified: &[&str]| Candidate {
            id: NodeId(id),
            name: format!("node{id}"),
            verified: verified.iter().map(|id| String::from(*id)).collect(),
        };
        let members = [member(1, &[]), member(2, &["b"]), member(3, &[])];
        let record = FenceRecord {
            id: "x".to_owned(),
            target: "node3".to_owned(),
            action: action.to_owned(),
            client: String::new(),
            origin: "node1".to_owned(),
            executor: None,
            state: FenceState::Pending,
            at: 0,
            reason: String::new(),
            target_incarnation: None,
        };
        let request = FenceRequest {
            target: "node3".to_owned(),
            action: action.to_owned(),
            timeout: 60_000,
            delay: Some(5000),
            tolerance: 0,
            client: String::new(),
        };
        Operation::new(record, request, Waiting::Action(1, 1), devices, &members, 0)
    }

    /// The orders until the end, with the device, action, node and delay of each; `fails` names devices.
    fn walk(devices: &Devices, action: &str, fails: &[&str]) -> (Vec<String>, bool) {
        let mut operation = operation(devices, action);
        let members = [NodeId(1), NodeId(2)];
        let mut orders = Vec::new();
        loop {
            match operation.next(devices, &members, 0) {
                Next::Order(order) => {
                    let delay = order.delay.unwrap_or_default();
                    orders.push(format!("{} {} node{} {delay}", order.device, order.action, order.executor));
                    let success = !fails.contains(&order.device.as_str());
                    assert!(operation.result(order.attempt, success, "broken"));
                }
                Next::Succeeded => return (orders, true),
                Next::Failed(_) => return (orders, false),
            }
        }
    }

    #[test]
    fn a_verified_device_goes_first_and_only_the_first_waits() {
        let devices = devices("");
        assert_eq!(walk(&devices, "reboot", &[]), (vec!["b reboot node2 5000".to_owned()], true));
        let (orders, success) = walk(&devices, "off", &["b"]);
        assert_eq!(orders, ["b off node2 5000", "b off node1 0", "a off node1 0"]);
        assert!(success);
    }

    #[test]
    fn all_devices_of_a_level_must_succeed_and_a_reboot_of_two_is_off_and_on() {
        let levels = "<fencing-topology>\
            <fencing-level id='l1' target='node3' index='1' devices='a,b'/>\
            <fencing-level id='l2' target='node3' index='2' devices='b'/></fencing-topology>";
        let devices = devices(levels);
        let (orders, success) = walk(&devices, "reboot", &[]);
        assert_eq!(orders, ["a off node1 5000", "b off node2 0", "a on node1 0", "b on node2 0"]);
        assert!(success);
        let (orders, success) = walk(&devices, "reboot", &["a"]);
        assert_eq!(orders, ["a off node1 5000", "a off node2 0", "b reboot node2 0"]);
        assert!(success);
        assert!(!walk(&devices, "reboot", &["a", "b"]).1);
    }
}
