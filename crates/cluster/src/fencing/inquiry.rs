//! Which devices this node could use for a fencing operation (rules 4.8.3, 4.51.2): what the configuration
//! and the agents' metadata tell, and else what the devices themselves answer to `list` or `status`.
//!
//! Answers go out as they come, so that one device that does not answer holds up no other.

use std::collections::{BTreeMap, BTreeSet};

use super::Offer;
use super::device::{Device, HostCheck, agent_input, parse_hosts, port_parameter};
use super::devices::Devices;
use crate::executor::Executor;
use crate::interface::{Outbox, Output};
use crate::message::Body;
use crate::operation::{AgentMetadata, AgentName, ExecutionStatus, FenceRun, OperationId, OperationResult};
use crate::time::Now;

/// How long a device's list of hosts is believed, in milliseconds (rule 4.8.3).
const LIST_AGE: u64 = 60_000;

/// What is asked of this node's devices.
#[derive(Debug, Default)]
pub struct Inquiries {
    open: Vec<Inquiry>,
    lists: BTreeMap<String, HostList>,
    /// Devices whose `list` never worked: `status` is asked instead.
    without_list: BTreeSet<String>,
    /// Devices that worked here (a `list` or `status` succeeded) since they were started (rule 4.51.2).
    worked: BTreeSet<String>,
    asking: BTreeMap<OperationId, Question>,
}

#[derive(Debug)]
struct Inquiry {
    operation: String,
    target: String,
    action: String,
    timeout: u64,
    undecided: Vec<String>,
    /// What `status` said.
    answers: BTreeMap<String, bool>,
    told: bool,
}

#[derive(Debug)]
struct HostList {
    hosts: Vec<String>,
    at: u64,
}

#[derive(Debug)]
struct Question {
    device: String,
    /// The target that `status` is about; `list` has none.
    target: Option<String>,
}

/// What an inquiry works with.
pub struct Surroundings<'a> {
    /// Name of this node.
    pub node: &'a str,
    pub devices: &'a Devices,
    pub agents: &'a mut Executor,
    /// Devices that were started here and work.
    pub started: &'a BTreeSet<String>,
    pub now: Now,
}

enum Answer {
    Yes,
    No,
    Later,
}

impl Inquiries {
    /// Begins to answer for an operation. Returns what is to be told at once.
    pub fn begin(
        &mut self,
        operation: &str,
        target: &str,
        action: &str,
        timeout: u64,
        around: &mut Surroundings<'_>,
        out: &mut Outbox,
    ) -> Vec<Body> {
        let mine = |device: &&Device| device.usable_by(around.node) && !device.is_watchdog();
        let undecided = around.devices.devices.iter().filter(mine).map(|device| device.id.clone()).collect();
        self.open.push(Inquiry {
            operation: operation.to_owned(),
            target: target.to_owned(),
            action: action.to_owned(),
            timeout,
            undecided,
            answers: BTreeMap::new(),
            told: false,
        });
        self.advance(around, out)
    }

    /// The operation is over: nobody wants to know any more.
    pub fn forget(&mut self, operation: &str) {
        self.open.retain(|inquiry| inquiry.operation != operation);
    }

    /// Goes on after metadata, after a device became free. Returns what is to be told.
    pub fn advance(&mut self, around: &mut Surroundings<'_>, out: &mut Outbox) -> Vec<Body> {
        let mut told = Vec::new();
        let mut open = std::mem::take(&mut self.open);
        for inquiry in &mut open {
            told.extend(self.advance_one(inquiry, around, out));
        }
        open.retain(|inquiry| !inquiry.undecided.is_empty());
        self.open = open;
        told
    }

    fn advance_one(
        &mut self,
        inquiry: &mut Inquiry,
        around: &mut Surroundings<'_>,
        out: &mut Outbox,
    ) -> Option<Body> {
        let mut offers = Vec::new();
        for id in std::mem::take(&mut inquiry.undecided) {
            let Some(device) = around.devices.get(&id) else { continue };
            match self.may_fence(device, inquiry, around, out) {
                Answer::Yes => offers.extend(self.offer(device, inquiry, around)),
                Answer::No => {}
                Answer::Later => inquiry.undecided.push(id),
            }
        }
        let complete = inquiry.undecided.is_empty();
        if offers.is_empty() && !complete && inquiry.told {
            return None;
        }
        inquiry.told = true;
        Some(Body::FenceOffer { operation: inquiry.operation.clone(), devices: offers, complete })
    }

    /// What this node can do with a device that knows the target (rule 4.8.3).
    fn offer(&self, device: &Device, inquiry: &Inquiry, around: &Surroundings<'_>) -> Option<Offer> {
        let metadata = around.agents.agent_metadata(&agent(device));
        let actions = metadata.map_or(&[][..], |metadata| &metadata.actions);
        let on = actions.iter().find(|action| action.name == "on");
        let on_target: Vec<String> =
            actions.iter().filter(|action| action.on_target).map(|action| action.name.clone()).collect();
        let is_target = inquiry.target.eq_ignore_ascii_case(around.node);
        let only_there = on_target.contains(&inquiry.action);
        if only_there && !is_target || inquiry.action == "on" && on.is_none() {
            return None;
        }
        Some(Offer {
            device: device.id.clone(),
            verified: around.started.contains(&device.id) || self.worked.contains(&device.id),
            automatic: on.is_some_and(|on| on.automatic || device.unfences),
            offers_on: on.is_some(),
            on_target,
            limits: limits(device, &inquiry.target, inquiry.timeout),
            stays_off: device.word("reboot") == "off",
        })
    }

    fn may_fence(
        &mut self,
        device: &Device,
        inquiry: &Inquiry,
        around: &mut Surroundings<'_>,
        out: &mut Outbox,
    ) -> Answer {
        let agent = agent(device);
        let fetching = around.agents.fetch_metadata(&agent, u64::MAX, around.now, out);
        let metadata = around.agents.agent_metadata(&agent);
        if fetching && metadata.is_none() {
            return Answer::Later;
        }
        match self.check(device, metadata) {
            HostCheck::None => Answer::Yes,
            HostCheck::Static if device.may_fence(&inquiry.target) => Answer::Yes,
            HostCheck::Static => Answer::No,
            HostCheck::List => self.listed(device, inquiry, around, out),
            HostCheck::Status => match inquiry.answers.get(&device.id) {
                Some(true) => Answer::Yes,
                Some(false) => Answer::No,
                None => {
                    self.ask(device, Some(&inquiry.target), inquiry.timeout, around, out);
                    Answer::Later
                }
            },
        }
    }

    /// How it is found out (rule 4.8.2).
    fn check(&self, device: &Device, metadata: Option<&AgentMetadata>) -> HostCheck {
        let offers =
            |name: &str| metadata.is_some_and(|known| known.actions.iter().any(|one| one.name == name));
        match device.check {
            Some(check) => check,
            None if offers("list") && !self.without_list.contains(&device.id) => HostCheck::List,
            None if offers("status") => HostCheck::Status,
            None => HostCheck::None,
        }
    }

    fn listed(
        &mut self,
        device: &Device,
        inquiry: &Inquiry,
        around: &mut Surroundings<'_>,
        out: &mut Outbox,
    ) -> Answer {
        let now = around.now.monotonic;
        if inquiry.answers.get(&device.id) == Some(&false) {
            return Answer::No;
        }
        match self.lists.get(&device.id) {
            Some(list) if now.saturating_sub(list.at) <= LIST_AGE => {
                let alias = device.alias(&inquiry.target);
                let is_target = |host: &String| {
                    host.eq_ignore_ascii_case(alias) || host.eq_ignore_ascii_case(&inquiry.target)
                };
                if list.hosts.iter().any(is_target) { Answer::Yes } else { Answer::No }
            }
            _ => {
                self.ask(device, None, inquiry.timeout, around, out);
                Answer::Later
            }
        }
    }

    /// Has the device asked, unless that is under way or the device is busy.
    fn ask(
        &mut self,
        device: &Device,
        target: Option<&str>,
        timeout: u64,
        around: &mut Surroundings<'_>,
        out: &mut Outbox,
    ) {
        let same = |question: &Question| question.device == device.id && question.target.as_deref() == target;
        if self.asking.values().any(same) || !around.agents.take_device(&device.id, device.action_limit) {
            return;
        }
        let action = if target.is_some() { "status" } else { "list" };
        let id = around.agents.next_id();
        let metadata = around.agents.agent_metadata(&agent(device));
        self.asking.insert(id, Question { device: device.id.clone(), target: target.map(str::to_owned) });
        out.push(Output::Fence(agent_run(
            device,
            metadata,
            id,
            action,
            target,
            device.timeout(action, timeout),
        )));
    }

    /// Takes the end of a run; the device that is free again, nothing if the run is not of this part.
    pub fn done(&mut self, result: &OperationResult, devices: &Devices, now: Now) -> Option<String> {
        let question = self.asking.remove(&result.id)?;
        let ran = result.status == ExecutionStatus::Done;
        let id = question.device.clone();
        match question.target {
            Some(target) => {
                // 2 is off: known as well (rule 4.7.4)
                let knows = ran && matches!(result.exit_code, 0 | 2);
                if knows {
                    self.worked.insert(id.clone());
                }
                let about = |inquiry: &&mut Inquiry| inquiry.target.eq_ignore_ascii_case(&target);
                for inquiry in self.open.iter_mut().filter(about) {
                    inquiry.answers.insert(id.clone(), knows);
                }
            }
            None if ran && result.exit_code == 0 => {
                self.worked.insert(id.clone());
                let hosts = parse_hosts(&result.stdout);
                self.lists.insert(id.clone(), HostList { hosts, at: now.monotonic });
            }
            None => self.list_failed(&id, devices, now),
        }
        Some(id)
    }

    /// A list that worked before is used on; a device that never gave one is asked for each target.
    fn list_failed(&mut self, id: &str, devices: &Devices, now: Now) {
        let chosen = devices.get(id).is_some_and(|device| device.check == Some(HostCheck::List));
        match self.lists.get_mut(id) {
            Some(list) => list.at = now.monotonic,
            // asked again for the next operation
            None if chosen => {
                for inquiry in &mut self.open {
                    inquiry.answers.insert(id.to_owned(), false);
                }
            }
            None => {
                self.without_list.insert(id.to_owned());
            }
        }
    }

    /// The configuration changed: what devices said may not hold any more.
    pub fn devices_changed(&mut self) {
        self.lists.clear();
        self.without_list.clear();
    }

    /// A device was registered or is registered no more: it has to prove itself anew.
    pub fn device_changed(&mut self, id: &str) {
        self.worked.remove(id);
    }
}

/// How long one use of a device may take, by action, in milliseconds (rule 4.53.2).
fn limits(device: &Device, target: &str, requested: u64) -> BTreeMap<String, u64> {
    let limit = |action: &str| {
        let waits = if action == "on" { 0 } else { device.delays(target).1 };
        (action.to_owned(), device.timeout(action, requested) + waits)
    };
    ["on", "off", "reboot"].into_iter().map(limit).collect()
}

/// The agent of a device.
#[must_use]
pub fn agent(device: &Device) -> AgentName {
    AgentName { class: "stonith".to_owned(), provider: None, agent_type: device.agent.clone() }
}

/// One run of a device's agent.
#[must_use]
pub fn agent_run(
    device: &Device,
    metadata: Option<&AgentMetadata>,
    id: OperationId,
    action: &str,
    target: Option<&str>,
    timeout: u64,
) -> FenceRun {
    let port = port_parameter(device, metadata);
    let input_target =
        target.map(|target| (target, port.as_deref().map(|port| (port, device.alias(target)))));
    let word = device.word(action);
    FenceRun {
        id,
        device: device.id.clone(),
        agent: device.agent.clone(),
        action: word.to_owned(),
        target: target.map(str::to_owned),
        input: agent_input(word, &device.parameters, input_target),
        timeout,
    }
}
