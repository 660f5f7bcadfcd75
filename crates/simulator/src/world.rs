//! The simulated world: hosts with power, disk, agents and a node each; a bus between them; virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cluster::{
    AgentMetadata, AgentName, AlertRun, CibWriteError, Config, Event, EventKind, ExecutionStatus, FenceRun,
    Input, Leftover, Node, NodeId, Now, Operation, OperationId, OperationResult, Output, PROTOCOL, Phase,
    Planner, Reply, Request, RequestId, Restored, Speech,
};

use crate::bus::{Bus, Delivery};
use crate::random::Random;

/// The epoch second at which every simulation starts.
pub const START: i64 = 1_800_000_000;

/// More steps than this without time passing are a livelock.
const MOST_STEPS_AT_ONCE: usize = 50_000;

/// Most deliveries that a node takes in one step.
const MOST_AT_ONCE: usize = 4;

/// Makes the planner of each node.
pub type MakePlanner = fn() -> Box<dyn Planner>;

/// A host.
#[derive(Debug)]
pub struct Host {
    pub id: NodeId,
    pub name: String,
    pub powered: bool,
    /// The daemon, while it runs.
    pub node: Option<Node>,
    /// How often it was started.
    pub runs: u32,
    /// The stored CIB.
    pub disk: Option<String>,
    /// Nothing more can be stored.
    pub disk_full: bool,
    /// Resources that are really active here.
    pub active: Vec<String>,
    /// Those of them that are promoted.
    pub promoted: Vec<String>,
    processes: Vec<Process>,
    inbox: Vec<(u64, u32, Input)>,
    /// How the daemon ended, if it did so by itself.
    pub ended: Option<(i32, String)>,
    /// When power comes back by itself, and when the daemon is started then.
    pub returns_at: Option<u64>,
    /// When the membership notices that it is gone.
    lost_at: Option<u64>,
}

/// An agent that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    id: OperationId,
    /// Of which start of the daemon it is a child.
    run: u32,
    resource: String,
    action: String,
    ends_at: u64,
    timed_out: bool,
    timeout_at: u64,
    code: i32,
    fence: Option<FenceRun>,
    began: u64,
}

/// How agents behave.
#[derive(Clone, Debug, Default)]
pub struct AgentRules {
    /// Longest ordinary duration, in milliseconds.
    pub longest: u64,
    /// Chance of a hanging agent, in percent.
    pub hangs: u64,
    /// Chance of a failing start or stop, in percent.
    pub fails: u64,
    /// Chance of a failing fence agent, in percent.
    pub fence_fails: u64,
    /// Fence agents say that they did their work, and did not.
    pub fence_lies: bool,
    /// Milliseconds that a fence agent takes to say that it did its work.
    pub fence_lag: u64,
    /// Fixed durations by `resource:action`, in milliseconds.
    pub durations: BTreeMap<String, u64>,
    /// Fixed exit codes by `resource:action` or `resource:action:node`.
    pub codes: BTreeMap<String, i32>,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    pub time: u64,
    /// Seconds east of UTC of the zone in which all hosts are.
    pub offset: i32,
    pub hosts: BTreeMap<NodeId, Host>,
    pub bus: Bus,
    pub random: Random,
    pub agents: AgentRules,
    /// Milliseconds after which a fenced host comes back (with the action `reboot`); never without.
    pub reboot_after: Option<u64>,
    /// Milliseconds within which each host's watchdog resets it when its node is not healthy; nothing plays
    /// the watchdog but the scenario.
    pub watchdog_bound: Option<u64>,
    /// How many operations at once each host is given by its own setting.
    pub action_limit: Option<u32>,
    /// Milliseconds after which the membership notices that a host has lost power.
    pub losses_noticed_after: u64,
    /// By how many versions of the protocol a host's daemon is newer than the others.
    pub newer_by: BTreeMap<NodeId, u16>,
    /// Hosts whose daemons send nothing but rubbish.
    pub garbled: BTreeSet<NodeId>,
    /// What happened, a line each.
    pub timeline: Vec<String>,
    /// Events of nodes, with the moment and the node.
    pub events: Vec<(u64, NodeId, Event)>,
    pub replies: BTreeMap<RequestId, Reply>,
    /// Alert agents that nodes had run.
    pub alerts: Vec<(NodeId, AlertRun)>,
    /// What must never happen, and did.
    pub violations: Vec<String>,
    pub started: usize,
    /// Points in the life of each node's daemon: each input that it gets and each effect that it has is one.
    pub points: BTreeMap<NodeId, u64>,
    /// The daemon of this node is killed at this point: what comes after it in the same step never happens.
    pub dies_at: Option<(NodeId, u64)>,
    planner: MakePlanner,
    next_request: u64,
    steps_at_once: usize,
}

impl World {
    /// Hosts without power, named `node1`… with ids from 1, and their whole network.
    #[must_use]
    pub fn new(hosts: u32, seed: u64, planner: MakePlanner) -> World {
        let ids: Vec<NodeId> = (1..=hosts).map(NodeId).collect();
        let host = |id: &NodeId| Host {
            id: *id,
            name: format!("node{id}"),
            powered: true,
            node: None,
            runs: 0,
            disk: None,
            disk_full: false,
            active: Vec::new(),
            promoted: Vec::new(),
            processes: Vec::new(),
            inbox: Vec::new(),
            ended: None,
            returns_at: None,
            lost_at: None,
        };
        World {
            time: 1000,
            offset: 0,
            hosts: ids.iter().map(|id| (*id, host(id))).collect(),
            bus: Bus::new(&ids),
            random: Random::new(seed),
            agents: AgentRules { longest: 50, ..AgentRules::default() },
            reboot_after: None,
            watchdog_bound: None,
            action_limit: None,
            losses_noticed_after: 0,
            newer_by: BTreeMap::new(),
            garbled: BTreeSet::new(),
            timeline: Vec::new(),
            events: Vec::new(),
            replies: BTreeMap::new(),
            alerts: Vec::new(),
            violations: Vec::new(),
            started: 0,
            points: BTreeMap::new(),
            dies_at: None,
            planner,
            next_request: 0,
            steps_at_once: 0,
        }
    }

    /// Adds a line to the timeline.
    pub fn note(&mut self, who: &str, what: &str) {
        let mut line = String::new();
        let _ = write!(line, "{:>9.3} {who:<6} {what}", self.time as f64 / 1000.0);
        self.timeline.push(line);
    }

    /// Id of the host with this name.
    #[must_use]
    pub fn id(&self, name: &str) -> NodeId {
        self.hosts.values().find(|host| host.name == name).map_or(NodeId(0), |host| host.id)
    }

    /// A host by its name.
    #[must_use]
    pub fn host(&self, name: &str) -> &Host {
        &self.hosts[&self.id(name)]
    }

    /// Lets a host be unable to store anything, or able again.
    pub fn set_disk_full(&mut self, name: &str, full: bool) {
        let id = self.id(name);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.disk_full = full;
        }
    }

    /// Puts another CIB on a host's disk.
    pub fn set_disk(&mut self, name: &str, text: &str) {
        let id = self.id(name);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.disk = Some(text.to_owned());
        }
    }

    /// The node on a host; it must be running.
    #[must_use]
    pub fn node(&self, name: &str) -> &Node {
        self.host(name).node.as_ref().expect("the node runs")
    }

    /// Starts the daemon of a host, with what an earlier run left behind.
    pub fn start(&mut self, name: &str) {
        let id = self.id(name);
        let peers: Vec<(u32, String)> =
            self.hosts.values().map(|host| (host.id.0, host.name.clone())).collect();
        let peers: Vec<(u32, &str)> = peers.iter().map(|(id, name)| (*id, name.as_str())).collect();
        let time = self.time;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.node.is_some() || !host.powered {
            return;
        }
        host.runs += 1;
        host.ended = None;
        let mut config = Config::plain(id.0, name, &peers);
        config.incarnation = format!("00000000-0000-4000-{:04x}-{:012x}", host.runs, id.0);
        config.have_watchdog = self.watchdog_bound.is_some();
        config.watchdog_bound = self.watchdog_bound;
        config.action_limit = self.action_limit;
        let mut leftovers = Vec::new();
        for (index, process) in host.processes.iter_mut().enumerate() {
            process.id = OperationId(index as u64 + 1);
            process.run = host.runs;
            leftovers.push(Leftover {
                id: process.id,
                resource: process.resource.clone(),
                action: process.action.clone(),
                remaining: process.timeout_at.saturating_sub(time),
            });
        }
        let restored = Restored { cib: host.disk.clone(), notices: Vec::new(), leftovers };
        host.node = Some(Node::new(config, restored, (self.planner)()));
        host.lost_at = None;
        self.bus.frozen.remove(&id);
        self.note(name, "daemon started");
        self.bus.join(id, time, &mut self.random);
    }

    /// Kills the daemon; agents and resources go on.
    pub fn kill(&mut self, name: &str) {
        let id = self.id(name);
        if let Some(host) = self.hosts.get_mut(&id).filter(|host| host.node.is_some()) {
            host.node = None;
            host.inbox.clear();
            self.note(name, "daemon killed");
            self.notice_loss(name);
        }
    }

    /// Cuts the power of a host.
    pub fn power_off(&mut self, name: &str) {
        let id = self.id(name);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        host.powered = false;
        host.node = None;
        host.lost_at = Some(self.time + self.losses_noticed_after);
        host.inbox.clear();
        host.active.clear();
        host.promoted.clear();
        host.processes.clear();
        self.note(name, "power off");
        if self.losses_noticed_after == 0 {
            self.notice_loss(name);
        }
    }

    /// The membership notices that a host is gone.
    pub fn notice_loss(&mut self, name: &str) {
        let id = self.id(name);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.lost_at = None;
        }
        self.bus.frozen.remove(&id);
        self.bus.leave(id, self.time, &mut self.random);
    }

    /// The membership counts a host, or not, on which no daemon runs.
    pub fn set_unmanned(&mut self, name: &str, is_member: bool) {
        self.note(name, if is_member { "host without daemon comes" } else { "host without daemon goes" });
        self.bus.set_unmanned(self.id(name), is_member, self.time);
    }

    /// Lets a daemon hang: it stays a member, and does nothing more until [`World::thaw`].
    pub fn freeze(&mut self, name: &str) {
        self.note(name, "daemon hangs");
        self.bus.frozen.insert(self.id(name));
    }

    /// Lets a hanging daemon go on with what came for it meanwhile.
    pub fn thaw(&mut self, name: &str) {
        self.note(name, "daemon goes on");
        self.bus.frozen.remove(&self.id(name));
    }

    /// Gives a host its power back; the daemon is not started.
    pub fn power_on(&mut self, name: &str) {
        let id = self.id(name);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.powered = true;
            host.returns_at = None;
            self.note(name, "power on");
        }
    }

    /// Splits the network into these groups; hosts that are not named stay together.
    pub fn split(&mut self, groups: &[&[&str]]) {
        let mut parts: BTreeMap<NodeId, u32> = self.hosts.keys().map(|id| (*id, 0)).collect();
        for (number, group) in groups.iter().enumerate() {
            for name in *group {
                parts.insert(self.id(name), number as u32 + 1);
            }
        }
        self.note("net", &format!("split {groups:?}"));
        self.bus.split(parts, self.time, &mut self.random);
    }

    /// Makes the network whole.
    pub fn heal(&mut self) {
        self.split(&[]);
    }

    /// Lets a client ask a node.
    pub fn request(&mut self, name: &str, request: Request) -> RequestId {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.step(self.id(name), Input::Request { id, request });
        id
    }

    /// Gives an input to a node and does what it wants.
    pub fn step(&mut self, id: NodeId, input: Input) {
        self.step_all(id, vec![input]);
    }

    /// Gives inputs that came together to a node.
    fn step_all(&mut self, id: NodeId, inputs: Vec<Input>) {
        let now =
            Now { monotonic: self.time, epoch_ms: START * 1000 + self.time as i64, offset: self.offset };
        if self.dies_here(id) {
            return;
        }
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(node) = &mut host.node else { return };
        if self.bus.frozen.contains(&id) {
            let (time, run) = (self.time, host.runs);
            host.inbox.extend(inputs.into_iter().map(|input| (time, run, input)));
            return;
        }
        let mut outbox = Vec::new();
        node.step_all(now, inputs, &mut outbox);
        for output in outbox {
            if self.dies_here(id) {
                return;
            }
            self.perform(id, output);
        }
    }

    /// Counts a point in the life of a daemon, and kills it if its time has come.
    fn dies_here(&mut self, id: NodeId) -> bool {
        let Some(host) = self.hosts.get(&id).filter(|host| host.node.is_some()) else { return false };
        let name = host.name.clone();
        let point = self.points.entry(id).or_default();
        *point += 1;
        let dies = self.dies_at == Some((id, *point));
        if dies {
            self.kill(&name);
        }
        dies
    }

    /// The moment of the next thing to happen.
    #[must_use]
    pub fn next_time(&self) -> Option<u64> {
        let of_host = |host: &Host| {
            let hangs = self.bus.frozen.contains(&host.id);
            let deadline = host.node.as_ref().and_then(Node::next_deadline).filter(|_| !hangs);
            let inbox = host.inbox.iter().map(|(at, _, _)| *at).min().filter(|_| !hangs);
            let process = host.processes.iter().map(|process| process.ends_at).min();
            [deadline, inbox, process, host.returns_at, host.lost_at].into_iter().flatten().min()
        };
        let hosts = self.hosts.values().filter_map(of_host).min();
        [hosts, self.bus.next_due()].into_iter().flatten().min()
    }

    /// Lets everything happen until the given moment.
    pub fn run_until(&mut self, end: u64) {
        while let Some(next) = self.next_time().filter(|next| *next <= end) {
            self.advance(next);
            if !self.violations.is_empty() {
                return;
            }
        }
        self.time = self.time.max(end);
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, milliseconds: u64) {
        self.run_until(self.time + milliseconds);
    }

    /// Runs until the condition holds, at most so many milliseconds. True if it does.
    pub fn run_while(&mut self, most: u64, until: impl Fn(&World) -> bool) -> bool {
        let end = self.time + most;
        while !until(self) {
            match self.next_time().filter(|next| *next <= end) {
                Some(next) => self.advance(next),
                None => {
                    self.time = end;
                    return until(self);
                }
            }
            if !self.violations.is_empty() {
                return false;
            }
        }
        true
    }

    /// Lets the next thing happen.
    fn advance(&mut self, next: u64) {
        if next > self.time {
            self.time = next;
            self.steps_at_once = 0;
        }
        self.steps_at_once += 1;
        if self.steps_at_once > MOST_STEPS_AT_ONCE {
            self.violations
                .push("the cluster does not come to rest: too many steps at one moment".to_owned());
            return;
        }
        // nodes that are busy take several deliveries in one step
        let most = 1 + self.steps_at_once % MOST_AT_ONCE;
        if let Some((id, deliveries)) = self.bus.take_all_due(self.time, most) {
            let inputs = deliveries.into_iter().map(|delivery| self.heard(id, delivery)).collect();
            self.step_all(id, inputs);
            return;
        }
        let ids: Vec<NodeId> = self.hosts.keys().copied().collect();
        for id in ids {
            if self.advance_host(id) {
                return;
            }
        }
    }

    /// Lets the next thing of a host happen, if it is due.
    fn advance_host(&mut self, id: NodeId) -> bool {
        let now = self.time;
        let Some(host) = self.hosts.get_mut(&id) else { return false };
        let name = host.name.clone();
        if host.returns_at.is_some_and(|at| at <= now) {
            self.power_on(&name);
            self.start(&name);
            return true;
        }
        if host.lost_at.is_some_and(|at| at <= now) {
            self.notice_loss(&name);
            return true;
        }
        if let Some(at) = host.processes.iter().position(|process| process.ends_at <= now) {
            let process = host.processes.remove(at);
            self.end_process(id, process);
            return true;
        }
        if self.bus.frozen.contains(&id) {
            return false;
        }
        if let Some(at) = host.inbox.iter().position(|(at, _, _)| *at <= now) {
            let (_, run, input) = host.inbox.remove(at);
            if run == host.runs {
                self.step(id, input);
            }
            return true;
        }
        let due = host.node.as_ref().and_then(Node::next_deadline).is_some_and(|at| at <= now);
        if due {
            self.step(id, Input::Deadline);
        }
        due
    }

    /// What a host's daemon makes of what reaches it. Every daemon takes its own protocol for [`PROTOCOL`].
    fn heard(&self, id: NodeId, delivery: Delivery) -> Input {
        let message = match delivery {
            Delivery::View(view) => return Input::View(view),
            Delivery::Message(message) => message,
        };
        let newer = |id: NodeId| self.newer_by.get(&id).copied().unwrap_or(0);
        let (from, own) = (message.from, newer(id));
        if from != id && self.garbled.contains(&from) {
            return Input::Unreadable { from, speaks: Speech::Garbage };
        }
        if newer(from) == own {
            return Input::Message(message);
        }
        let speaks = Speech::Protocol { number: PROTOCOL + newer(from) - own, stands: message.stands };
        Input::Unreadable { from, speaks }
    }

    fn store(&mut self, id: NodeId, text: String) -> Result<(), CibWriteError> {
        let Some(host) = self.hosts.get_mut(&id) else { return Ok(()) };
        if host.disk_full {
            return Err(CibWriteError::Failed("no space left".to_owned()));
        }
        host.disk = Some(text);
        Ok(())
    }

    fn perform(&mut self, id: NodeId, output: Output) {
        match output {
            Output::Broadcast(message) => {
                let again = cluster::Message::decode(&message.encode());
                debug_assert_eq!(again.as_ref(), Ok(&message), "messages survive the wire");
                self.bus.broadcast(&message, self.time, &mut self.random);
            }
            Output::Run(operation) => self.run_agent(id, operation),
            Output::Cancel(operation) => self.cancel(id, operation),
            Output::Fence(run) => self.run_fence_agent(id, run),
            Output::FetchMetadata { id: operation, agent } => {
                let metadata = Some(metadata(&agent));
                self.later(id, 5, Input::Metadata { id: operation, metadata });
            }
            Output::WriteCib { serial, text, .. } => {
                let error = self.store(id, text).err();
                self.later(id, 10, Input::CibWritten { serial, error });
            }
            Output::Reply { id: request, reply } => {
                self.replies.insert(request, reply);
            }
            Output::Event(event) => self.take_event(id, event),
            Output::Alert(run) => self.alerts.push((id, run)),
            Output::SavePlanInput { .. } => {}
            Output::Leave { code, reason } => self.take_end(id, code, reason),
            Output::Panic { reason } => {
                let name = self.hosts.get(&id).map_or_else(String::new, |host| host.name.clone());
                self.note(&name, &format!("panic: {reason}"));
                self.power_off(&name);
            }
        }
    }

    fn take_end(&mut self, id: NodeId, code: i32, reason: String) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        host.node = None;
        host.inbox.clear();
        host.ended = Some((code, reason.clone()));
        let name = host.name.clone();
        self.note(&name, &format!("daemon ended with {code}: {reason}"));
        self.bus.sign_off(id, self.time, &mut self.random);
    }

    fn later(&mut self, id: NodeId, wait: u64, input: Input) {
        let at = self.time + self.random.between(0, wait);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.inbox.push((at, host.runs, input));
        }
    }

    fn take_event(&mut self, id: NodeId, event: Event) {
        let name = self.hosts.get(&id).map_or_else(String::new, |host| host.name.clone());
        if matches!(event.kind, EventKind::ActionStarted { .. }) && event.causes.is_empty() {
            self.violations.push(format!("{name}: {:?} has no cause", event.kind));
        }
        let why = event.why.as_ref().map(|why| format!(" because {why}")).unwrap_or_default();
        self.note(&name, &format!("{:?}{why}", event.kind));
        self.events.push((self.time, id, event));
    }

    fn duration(&mut self, resource: &str, action: &str) -> u64 {
        if let Some(fixed) = self.agents.durations.get(&format!("{resource}:{action}")) {
            return *fixed;
        }
        if self.agents.hangs > 0 && self.random.chance(self.agents.hangs) {
            return u64::MAX / 4;
        }
        self.random.between(1, self.agents.longest.max(1))
    }

    fn run_agent(&mut self, id: NodeId, operation: Operation) {
        let duration = self.duration(&operation.resource, &operation.action);
        let name = self.hosts.get(&id).map_or_else(String::new, |host| host.name.clone());
        let fixed = [
            format!("{}:{}:{name}", operation.resource, operation.action),
            format!("{}:{}", operation.resource, operation.action),
        ];
        let fixed = fixed.iter().find_map(|key| self.agents.codes.get(key)).copied();
        let may_fail = matches!(operation.action.as_str(), "start" | "stop");
        let fails = may_fail && self.agents.fails > 0 && self.random.chance(self.agents.fails);
        let code = fixed.unwrap_or(i32::from(fails));
        if operation.action == "start" {
            self.started += 1;
        }
        let anonymous = operation.parameters.contains_key("CRM_meta_clone");
        if operation.action == "start" && !anonymous {
            self.check_exclusive(id, &operation.resource);
        }
        if operation.action == "promote" {
            self.check_promoted(id, &operation.resource);
        }
        let time = self.time;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let timeout_at = time + operation.timeout;
        host.processes.push(Process {
            id: operation.id,
            run: host.runs,
            resource: operation.resource,
            action: operation.action,
            ends_at: (time + duration).min(timeout_at),
            timed_out: duration > operation.timeout,
            timeout_at,
            code,
            fence: None,
            began: time,
        });
    }

    /// Nobody else may have the resource, or be getting it, when it is started here.
    fn check_exclusive(&mut self, id: NodeId, resource: &str) {
        let has = |host: &Host| {
            host.active.iter().any(|one| one == resource)
                || host
                    .processes
                    .iter()
                    .any(|process| process.resource == resource && process.action == "start")
        };
        let others: Vec<String> = (self.hosts.values())
            .filter(|host| host.id != id && has(host))
            .map(|host| host.name.clone())
            .collect();
        for other in others {
            let name = &self.hosts[&id].name;
            let text = format!("{resource} is started on {name} while it may be active on {other}");
            self.violations.push(text);
        }
    }

    /// Nobody else may be promoted when it is promoted here.
    fn check_promoted(&mut self, id: NodeId, resource: &str) {
        let others: Vec<String> = (self.hosts.values())
            .filter(|host| host.id != id && host.promoted.iter().any(|one| one == resource))
            .map(|host| host.name.clone())
            .collect();
        for other in others {
            let name = &self.hosts[&id].name;
            self.violations.push(format!("{resource} is promoted on {name} while it is promoted on {other}"));
        }
    }

    fn run_fence_agent(&mut self, id: NodeId, run: FenceRun) {
        let duration = self.duration(&run.device, &run.action);
        let target = run.target.is_some();
        let fails = target && self.agents.fence_fails > 0 && self.random.chance(self.agents.fence_fails);
        let fixed = self.agents.codes.get(&format!("{}:{}", run.device, run.action)).copied();
        let time = self.time;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let timeout_at = time + run.timeout;
        host.processes.push(Process {
            id: run.id,
            run: host.runs,
            resource: run.device.clone(),
            action: run.action.clone(),
            ends_at: (time + duration).min(timeout_at),
            timed_out: duration > run.timeout,
            timeout_at,
            code: fixed.unwrap_or(i32::from(fails)),
            fence: Some(run),
            began: time,
        });
    }

    fn cancel(&mut self, id: NodeId, operation: OperationId) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(at) = host.processes.iter().position(|process| process.id == operation) else { return };
        host.processes.remove(at);
        let result = OperationResult::plain(operation, ExecutionStatus::Cancelled, 1, "");
        self.later(id, 1, Input::OperationDone(result));
    }

    fn end_process(&mut self, id: NodeId, process: Process) {
        if let Some(run) = process.fence.clone() {
            self.end_fence_agent(id, &process, &run);
            return;
        }
        let completes = !process.timed_out || self.random.chance(50);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let is_active = host.active.contains(&process.resource);
        let mut code = process.code;
        match process.action.as_str() {
            "start" if completes && code == 0 && !is_active => host.active.push(process.resource.clone()),
            "stop" if completes && code == 0 => {
                host.active.retain(|one| *one != process.resource);
                host.promoted.retain(|one| *one != process.resource);
            }
            "promote" if completes && code == 0 && is_active => host.promoted.push(process.resource.clone()),
            "demote" if completes && code == 0 => host.promoted.retain(|one| *one != process.resource),
            "monitor" if code == 0 && !is_active => code = 7,
            "monitor" if code == 0 && host.promoted.contains(&process.resource) => code = 8,
            _ => {}
        }
        self.report(id, &process, code, String::new());
    }

    fn end_fence_agent(&mut self, id: NodeId, process: &Process, run: &FenceRun) {
        let mut stdout = String::new();
        if run.action == "list" {
            stdout = self.hosts.values().map(|host| host.name.clone() + "\n").collect();
        }
        if let (Some(target), false, 0, false) =
            (&run.target, process.timed_out, process.code, self.agents.fence_lies)
        {
            if matches!(run.action.as_str(), "off" | "reboot") {
                let target = target.clone();
                self.power_off(&target);
                let back = self.reboot_after.filter(|_| run.action == "reboot").map(|wait| self.time + wait);
                let target = self.id(&target);
                if let Some(host) = self.hosts.get_mut(&target) {
                    host.returns_at = back;
                }
            }
        }
        self.report(id, process, process.code, stdout);
    }

    /// Tells the daemon that started the process, or the one that found it, how it ended.
    fn report(&mut self, id: NodeId, process: &Process, code: i32, stdout: String) {
        let (status, code, reason) = if process.timed_out {
            (ExecutionStatus::TimedOut, 1, "Resource agent did not complete in time")
        } else {
            (ExecutionStatus::Done, code, if matches!(code, 0 | 7 | 8) { "" } else { "simulated" })
        };
        let executed = self.time - process.began;
        let result =
            OperationResult { stdout, executed, ..OperationResult::plain(process.id, status, code, reason) };
        let current = self.hosts.get(&id).is_some_and(|host| host.runs == process.run && host.node.is_some());
        if current {
            match process.fence.as_ref().map(|run| run.target.is_some()) {
                Some(true) if self.agents.fence_lag > 0 => {
                    let at = self.time + self.agents.fence_lag;
                    if let Some(host) = self.hosts.get_mut(&id) {
                        host.inbox.push((at, process.run, Input::FenceDone(result)));
                    }
                }
                Some(_) => self.step(id, Input::FenceDone(result)),
                None => self.step(id, Input::OperationDone(result)),
            }
        }
    }

    /// Where a resource is really active.
    #[must_use]
    pub fn active_on(&self, resource: &str) -> Vec<String> {
        let active = |host: &&Host| host.active.iter().any(|one| one == resource);
        self.hosts.values().filter(active).map(|host| host.name.clone()).collect()
    }

    /// Makes a resource fail silently on a host.
    pub fn break_resource(&mut self, name: &str, resource: &str) {
        let id = self.id(name);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.active.retain(|one| one != resource);
        }
        self.note(name, &format!("{resource} breaks"));
    }

    /// All running nodes are joined, agree that there is nothing more to do, and there is one.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let awake = self.hosts.values().filter(|host| !self.bus.frozen.contains(&host.id));
        let mut nodes = awake.filter_map(|host| host.node.as_ref()).peekable();
        self.bus.is_idle()
            && nodes.peek().is_some()
            && nodes.all(|node| node.phase() == Phase::Joined && node.is_settled())
    }

    /// The whole timeline as text.
    #[must_use]
    pub fn timeline_text(&self) -> String {
        self.timeline.join("\n")
    }
}

/// What every simulated agent says of itself.
fn metadata(agent: &AgentName) -> AgentMetadata {
    let action = |name: &str| cluster::AgentAction { name: name.to_owned(), ..Default::default() };
    let fencing = agent.class == "stonith";
    let names: &[&str] = match (fencing, agent.agent_type.as_str()) {
        // a device that knows by itself whom it fences
        (true, "fence_list") => &["on", "off", "reboot", "list", "status", "monitor", "metadata"],
        (true, _) => &["on", "off", "reboot", "monitor", "metadata"],
        (false, _) => &["start", "stop", "monitor"],
    };
    AgentMetadata {
        ocf_version: Some("1.0".to_owned()),
        actions: names.iter().map(|name| action(name)).collect(),
        parameters: Vec::new(),
    }
}
