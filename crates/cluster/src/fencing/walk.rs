//! The order in which devices are used: node by node without topology, level by level with it
//! (rules 4.51.4, 4.52, 4.56.2).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Offer, WATCHDOG_DEVICE};
use crate::membership::NodeId;

/// What the members offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    nodes: BTreeMap<NodeId, NodeOffers>,
    /// The member that is to be acted on, if it is one.
    pub target: Option<NodeId>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct NodeOffers {
    devices: Vec<Offer>,
    complete: bool,
}

impl Offers {
    /// None yet; `target`: the member that is to be acted on, if it is one.
    #[must_use]
    pub fn about(target: Option<NodeId>) -> Offers {
        Offers { nodes: BTreeMap::new(), target }
    }

    /// Takes what a node offers; `complete`: nothing more will come from it.
    pub fn take(&mut self, node: NodeId, devices: Vec<Offer>, complete: bool) {
        let known = self.nodes.entry(node).or_default();
        for offer in devices {
            known.devices.retain(|one| one.device != offer.device);
            known.devices.push(offer);
        }
        known.complete |= complete;
    }

    /// Whether the node has said everything.
    #[must_use]
    pub fn is_complete(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|known| known.complete)
    }

    /// All offers of nodes other than the target.
    pub fn of_others(&self) -> impl Iterator<Item = &Offer> {
        let target = self.target;
        self.nodes.iter().filter(move |(id, _)| Some(**id) != target).flat_map(|(_, known)| &known.devices)
    }

    /// All offers.
    pub fn all(&self) -> impl Iterator<Item = &Offer> {
        self.nodes.values().flat_map(|known| &known.devices)
    }

    /// Milliseconds that one use of a device for this action may take, on whichever node.
    #[must_use]
    pub fn limit(&self, device: &str, action: &str) -> Option<u64> {
        let offers = self.all().filter(|offer| offer.device == device);
        offers.filter_map(|offer| offer.limits.get(action).copied()).max()
    }

    fn of(&self, node: NodeId) -> &[Offer] {
        self.nodes.get(&node).map_or(&[], |known| &known.devices)
    }

    fn offer(&self, node: NodeId, device: &str) -> Option<&Offer> {
        self.of(node).iter().find(|offer| offer.device == device)
    }

    fn is_target(&self, node: NodeId) -> bool {
        self.target == Some(node)
    }

    /// Whether an action of the device runs only on the target.
    fn only_on_target(&self, device: &str, action: &str) -> bool {
        self.all().any(|offer| offer.device == device && offer.on_target.iter().any(|one| one == action))
    }

    /// Members that may use the device for the action, best first: where it was verified, the target last
    /// and never to switch itself on, unless the device works only there (rules 4.8.3, 4.51.6).
    fn executors(&self, device: &str, action: &str, members: &[NodeId]) -> Vec<NodeId> {
        let only_target = self.only_on_target(device, action);
        let may = |node: &&NodeId| {
            let Some(offer) = self.offer(**node, device) else { return false };
            if action == "on" && !offer.offers_on {
                return false;
            }
            match self.is_target(**node) {
                true => only_target || action != "on",
                false => !only_target,
            }
        };
        let mut nodes: Vec<NodeId> = members.iter().filter(may).copied().collect();
        let verified = |node: NodeId| self.offer(node, device).is_some_and(|offer| offer.verified);
        nodes.sort_by_key(|node| (self.is_target(*node), !verified(*node)));
        nodes
    }
}

/// The next use of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    pub device: String,
    pub action: String,
    /// `None`: nobody; the target's watchdog is waited for.
    pub executor: Option<NodeId>,
}

/// What a result means for the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// Everything that is needed was done (rule 4.51.8).
    Done,
    /// Nothing else may be tried.
    Over,
}

/// A way through the devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walk {
    Nodes(NodeWalk),
    Levels(LevelWalk),
}

impl Walk {
    /// The way for an action, as far as is known now. `levels`: the topology of the target, if it has one, which
    /// is then the only way (rule 4.51.5).
    #[must_use]
    pub fn new(action: &str, levels: &[Vec<String>], offers: &Offers) -> Walk {
        if action == "on" {
            let mut first = levels.first().cloned().unwrap_or_default();
            let automatic: BTreeSet<&str> =
                offers.all().filter(|offer| offer.automatic).map(|offer| offer.device.as_str()).collect();
            let others: Vec<String> = automatic
                .into_iter()
                .filter(|device| !first.iter().any(|one| one == device))
                .map(str::to_owned)
                .collect();
            first.extend(others);
            let mut all = vec![first];
            all.extend(levels.iter().skip(1).cloned());
            if !all[0].is_empty() {
                return Walk::Levels(LevelWalk::new(action, &all, offers));
            }
        } else if !levels.is_empty() {
            return Walk::Levels(LevelWalk::new(action, levels, offers));
        }
        Walk::Nodes(NodeWalk { action: action.to_owned(), ..NodeWalk::default() })
    }

    /// The next use; nothing if all ways were tried.
    pub fn next(&mut self, offers: &Offers, members: &[NodeId]) -> Option<Pick> {
        match self {
            Walk::Nodes(walk) => walk.next(offers, members),
            Walk::Levels(walk) => walk.next(offers, members),
        }
    }

    /// What became of the last pick.
    pub fn result(&mut self, success: bool, timed_out: bool, offers: &Offers) -> Verdict {
        match self {
            Walk::Nodes(walk) => walk.result(success, timed_out, offers),
            Walk::Levels(walk) => walk.result(success, timed_out),
        }
    }

    /// Whether all that counts was done: a reboot whose devices are off (rule 4.52.5).
    #[must_use]
    pub fn only_optional_left(&self) -> bool {
        matches!(self, Walk::Levels(walk) if walk.only_optional_left())
    }

    /// Devices and actions that this way may use up to its end, for the operation's limit (rule 4.53.3).
    #[must_use]
    pub fn uses(&self, offers: &Offers) -> Vec<(String, String)> {
        match self {
            Walk::Nodes(walk) => walk.uses(offers),
            Walk::Levels(walk) => walk.uses(),
        }
    }
}

/// One node after the other tries all devices it has (rule 4.51.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeWalk {
    action: String,
    tried: Vec<NodeId>,
    node: Option<NodeId>,
    queue: VecDeque<String>,
    /// Devices that the chosen node has used.
    used: Vec<String>,
}

impl NodeWalk {
    fn next(&mut self, offers: &Offers, members: &[NodeId]) -> Option<Pick> {
        self.refill(offers);
        let here = self.node.filter(|node| members.contains(node) && !self.queue.is_empty());
        let node = match here {
            Some(node) => node,
            None => self.choose(offers, members)?,
        };
        let device = self.queue.pop_front()?;
        self.used.push(device.clone());
        Some(Pick { device, action: self.action.clone(), executor: Some(node) })
    }

    /// The node with the most devices, one with a verified one before others, the target last.
    fn choose(&mut self, offers: &Offers, members: &[NodeId]) -> Option<NodeId> {
        let usable = |node: NodeId| -> Vec<&Offer> {
            let may = |offer: &&Offer| offers.executors(&offer.device, &self.action, members).contains(&node);
            offers.of(node).iter().filter(may).collect()
        };
        let fresh = members.iter().copied().filter(|node| !self.tried.contains(node));
        let able: Vec<(NodeId, Vec<&Offer>)> =
            fresh.map(|node| (node, usable(node))).filter(|(_, devices)| !devices.is_empty()).collect();
        let (node, mut devices) = able.into_iter().min_by_key(|(node, devices)| {
            let unverified = !devices.iter().any(|offer| offer.verified);
            (offers.is_target(*node), unverified, usize::MAX - devices.len())
        })?;
        devices.sort_by_key(|offer| !offer.verified);
        self.queue = devices.into_iter().map(|offer| offer.device.clone()).collect();
        self.tried.push(node);
        self.node = Some(node);
        self.used.clear();
        Some(node)
    }

    /// What the chosen node has offered meanwhile.
    fn refill(&mut self, offers: &Offers) {
        let Some(node) = self.node.filter(|_| self.queue.is_empty()) else { return };
        let may = |offer: &&Offer| {
            !self.used.contains(&offer.device)
                && offers.executors(&offer.device, &self.action, &[node]).contains(&node)
        };
        self.queue = offers.of(node).iter().filter(may).map(|offer| offer.device.clone()).collect();
    }

    fn result(&mut self, success: bool, timed_out: bool, offers: &Offers) -> Verdict {
        self.refill(offers);
        match success {
            true => Verdict::Done,
            false if timed_out && self.queue.is_empty() => Verdict::Over,
            false => Verdict::GoOn,
        }
    }

    /// What the chosen node may still do, or the node with the most to do.
    fn uses(&self, offers: &Offers) -> Vec<(String, String)> {
        let most = offers.nodes.values().max_by_key(|known| known.devices.len());
        let devices = most.into_iter().flat_map(|known| &known.devices);
        devices.map(|offer| (offer.device.clone(), self.action.clone())).collect()
    }
}

/// One level after the other, in each one device after the other (rule 4.52.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelWalk {
    levels: Vec<Vec<Step>>,
    level: usize,
    at: usize,
    /// Nodes that tried the device of the current step.
    tried: Vec<NodeId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    device: String,
    action: String,
    /// Failures do not count: the `on` half of a reboot (rule 4.52.5).
    optional: bool,
}

impl LevelWalk {
    fn new(action: &str, levels: &[Vec<String>], offers: &Offers) -> LevelWalk {
        let levels = levels.iter().map(|level| steps(action, level, offers)).collect();
        LevelWalk { levels, level: 0, at: 0, tried: Vec::new() }
    }

    fn next(&mut self, offers: &Offers, members: &[NodeId]) -> Option<Pick> {
        loop {
            let step = self.levels.get(self.level)?.get(self.at)?;
            let (device, action) = (step.device.clone(), step.action.clone());
            if device == WATCHDOG_DEVICE {
                return Some(Pick { device, action, executor: None });
            }
            let able = offers.executors(&device, &action, members);
            if let Some(node) = able.into_iter().find(|node| !self.tried.contains(node)) {
                self.tried.push(node);
                return Some(Pick { device, action, executor: Some(node) });
            }
            self.give_up();
        }
    }

    /// The device of the current step has failed for good, and with it the level, unless it was one more to switch on.
    fn give_up(&mut self) {
        let step = self.levels.get(self.level).and_then(|level| level.get(self.at));
        self.tried.clear();
        if step.is_some_and(|step| step.optional) {
            self.at += 1;
        } else {
            self.level += 1;
            self.at = 0;
        }
    }

    /// Another node may succeed where one failed, but a device that takes too long does so for all: there is no time to
    /// wait for it again (as without levels, rule 4.51.4).
    fn result(&mut self, success: bool, timed_out: bool) -> Verdict {
        if !success {
            let step = self.levels.get(self.level).and_then(|level| level.get(self.at));
            if step.is_some_and(|step| timed_out && !step.optional || step.device == WATCHDOG_DEVICE) {
                self.give_up();
            }
            return Verdict::GoOn;
        }
        self.at += 1;
        self.tried.clear();
        let is_done = self.levels.get(self.level).is_none_or(|level| self.at >= level.len());
        if is_done { Verdict::Done } else { Verdict::GoOn }
    }

    fn only_optional_left(&self) -> bool {
        let level = self.levels.get(self.level);
        level.is_some_and(|level| self.at > 0 && level[self.at..].iter().all(|step| step.optional))
    }

    fn uses(&self) -> Vec<(String, String)> {
        self.levels.iter().flatten().map(|step| (step.device.clone(), step.action.clone())).collect()
    }
}

/// A level of two or more devices reboots by switching all off and then all on (rule 4.52.5); one of a single
/// device has it do the reboot (rule 4.52.6).
fn steps(action: &str, level: &[String], offers: &Offers) -> Vec<Step> {
    let step = |device: &String, action: &str, optional: bool| Step {
        device: device.clone(),
        action: action.to_owned(),
        optional,
    };
    if action != "reboot" || level.len() < 2 {
        return level.iter().map(|device| step(device, action, false)).collect();
    }
    let comes_back = |device: &&String| {
        let on = |offer: &Offer| offer.device == **device && offer.offers_on && !offer.stays_off;
        offers.all().any(on)
    };
    let off = level.iter().map(|device| step(device, "off", false));
    off.chain(level.iter().filter(comes_back).map(|device| step(device, "on", true))).collect()
}
