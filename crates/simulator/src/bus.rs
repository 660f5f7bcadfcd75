//! The messaging layer of the simulation: total order within a component of connected nodes, the same
//! views and messages for members that move together, delays that differ from node to node.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cluster::{Message, NodeId, View, ViewId};

use crate::random::Random;

/// What a node gets from the bus.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "as large as messages are; made one at a time")]
pub enum Delivery {
    View(View),
    Message(Message),
}

/// How much of what nobody has delivered yet is lost when members go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// By chance.
    #[default]
    Some,
    /// As much as can be.
    All,
    /// Nothing.
    Nothing,
}

#[derive(Debug)]
struct Member {
    component: u64,
    /// What is on its way, with the moment of its arrival, ascending.
    inbox: VecDeque<(u64, Delivery)>,
}

/// The bus.
#[derive(Debug)]
pub struct Bus {
    members: BTreeMap<NodeId, Member>,
    /// Which part of the network each host is in.
    parts: BTreeMap<NodeId, u32>,
    hosts: usize,
    last_view: u64,
    /// Members of each component's view.
    views: BTreeMap<u64, Vec<NodeId>>,
    /// Longest time a message takes, in milliseconds.
    pub delay: u64,
    /// How many messages were sent.
    pub said: usize,
    /// What a change of members does to messages on their way.
    pub loss: Loss,
    /// Managers that hang: members that take nothing of what is sent to them.
    pub frozen: BTreeSet<NodeId>,
    /// Hosts that the membership counts though no manager runs there.
    unmanned: BTreeSet<NodeId>,
}

impl Bus {
    /// A whole network of so many hosts.
    #[must_use]
    pub fn new(hosts: &[NodeId]) -> Bus {
        Bus {
            members: BTreeMap::new(),
            parts: hosts.iter().map(|id| (*id, 0)).collect(),
            hosts: hosts.len(),
            last_view: 0,
            views: BTreeMap::new(),
            delay: 3,
            said: 0,
            loss: Loss::default(),
            frozen: BTreeSet::new(),
            unmanned: BTreeSet::new(),
        }
    }

    /// A host without a manager comes into the membership, or goes.
    pub fn set_unmanned(&mut self, id: NodeId, is_member: bool, now: u64) {
        let changed = if is_member { self.unmanned.insert(id) } else { self.unmanned.remove(&id) };
        let group = self.members.keys().find(|one| self.part(**one) == self.part(id)).copied();
        let component = group.and_then(|one| Some(self.members.get(&one)?.component));
        let Some(component) = component.filter(|_| changed && !self.members.contains_key(&id)) else {
            return;
        };
        // the group of managers is the same, and so is the view's id
        let group = self.views.get(&component).cloned().unwrap_or_default();
        let view = self.view(component, &group);
        for one in group {
            let Some(member) = self.members.get_mut(&one) else { continue };
            let after = member.inbox.back().map_or(now, |(at, _)| *at);
            member.inbox.push_back(((now + 1).max(after), Delivery::View(view.clone())));
        }
    }

    fn view(&self, component: u64, group: &[NodeId]) -> View {
        let here = |id: &&NodeId| group.first().is_some_and(|one| self.part(*one) == self.part(**id));
        let unmanned = self.unmanned.iter().filter(here).filter(|id| !group.contains(id));
        let mut hosts: Vec<NodeId> = group.iter().chain(unmanned).copied().collect();
        hosts.sort();
        let quorate = hosts.len() * 2 > self.hosts;
        View { id: ViewId(component), hosts, members: group.to_vec(), quorate }
    }

    /// A node's manager connects.
    pub fn join(&mut self, id: NodeId, now: u64, random: &mut Random) {
        self.members.insert(id, Member { component: 0, inbox: VecDeque::new() });
        self.reconfigure(now, random);
    }

    /// A node's manager leaves of itself. Its host goes on, so that whatever was said reaches the others before.
    pub fn sign_off(&mut self, id: NodeId, now: u64, random: &mut Random) {
        let loss = std::mem::replace(&mut self.loss, Loss::Nothing);
        self.leave(id, now, random);
        self.loss = loss;
    }

    /// A node's manager is gone with its host.
    pub fn leave(&mut self, id: NodeId, now: u64, random: &mut Random) {
        if self.members.remove(&id).is_some() {
            self.reconfigure(now, random);
        }
    }

    /// Splits the network: hosts with the same number see each other.
    pub fn split(&mut self, parts: BTreeMap<NodeId, u32>, now: u64, random: &mut Random) {
        if parts != self.parts {
            self.parts = parts;
            self.reconfigure(now, random);
        }
    }

    /// The part of the network a host is in.
    #[must_use]
    pub fn part(&self, id: NodeId) -> u32 {
        self.parts.get(&id).copied().unwrap_or(0)
    }

    /// Orders a message for all members of the sender's component.
    pub fn broadcast(&mut self, message: &Message, now: u64, random: &mut Random) {
        self.said += 1;
        let Some(component) = self.members.get(&message.from).map(|member| member.component) else { return };
        let delay = self.delay;
        for member in self.members.values_mut().filter(|member| member.component == component) {
            let after = member.inbox.back().map_or(now, |(at, _)| *at);
            let at = (now + random.between(0, delay)).max(after);
            member.inbox.push_back((at, Delivery::Message(message.clone())));
        }
    }

    /// When the next delivery is due.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        self.awake().filter_map(|(_, member)| member.inbox.front().map(|(at, _)| *at)).min()
    }

    /// Nothing is on its way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.awake().all(|(_, member)| member.inbox.is_empty())
    }

    fn awake(&self) -> impl Iterator<Item = (&NodeId, &Member)> {
        self.members.iter().filter(|(id, _)| !self.frozen.contains(id))
    }

    /// Takes what is due for a member, at most so many deliveries.
    pub fn take_all_due(&mut self, now: u64, most: usize) -> Option<(NodeId, Vec<Delivery>)> {
        let (id, first) = self.take_due(now)?;
        let inbox = &mut self.members.get_mut(&id)?.inbox;
        let mut all = vec![first];
        while all.len() < most && inbox.front().is_some_and(|(at, _)| *at <= now) {
            all.extend(inbox.pop_front().map(|(_, delivery)| delivery));
        }
        Some((id, all))
    }

    /// Takes one delivery that is due.
    fn take_due(&mut self, now: u64) -> Option<(NodeId, Delivery)> {
        let due = |member: &Member| member.inbox.front().is_some_and(|(at, _)| *at <= now);
        let id = *self.awake().find(|(_, member)| due(member))?.0;
        let (_, delivery) = self.members.get_mut(&id)?.inbox.pop_front()?;
        Some((id, delivery))
    }

    /// Gives every component whose members changed a new view. Members that come from the same component
    /// deliver the same messages before it: what none of them has delivered may be lost for all of them.
    fn reconfigure(&mut self, now: u64, random: &mut Random) {
        let mut groups: BTreeMap<u32, Vec<NodeId>> = BTreeMap::new();
        for id in self.members.keys() {
            groups.entry(self.part(*id)).or_default().push(*id);
        }
        for group in groups.into_values() {
            let component = self.members.get(&group[0]).map_or(0, |member| member.component);
            let same =
                group.iter().all(|id| self.members.get(id).is_some_and(|one| one.component == component));
            if same && self.views.get(&component) == Some(&group) {
                continue;
            }
            self.cut(&group, random);
            self.last_view += 1;
            self.views.insert(self.last_view, group.clone());
            let view = self.view(self.last_view, &group);
            for id in group {
                let Some(member) = self.members.get_mut(&id) else { continue };
                member.component = self.last_view;
                let after = member.inbox.back().map_or(now, |(at, _)| *at);
                member.inbox.push_back(((now + 1).max(after), Delivery::View(view.clone())));
            }
        }
    }

    /// Drops a tail of what no member of each old component has delivered.
    fn cut(&mut self, group: &[NodeId], random: &mut Random) {
        let mut old: BTreeMap<u64, Vec<NodeId>> = BTreeMap::new();
        for id in group {
            let component = self.members.get(id).map_or(0, |member| member.component);
            old.entry(component).or_default().push(*id);
        }
        for members in old.into_values() {
            let left = |id: &NodeId| self.members.get(id).map_or(0, |member| tail_messages(&member.inbox));
            let least = members.iter().map(left).min().unwrap_or(0) as u64;
            let lost = match self.loss {
                Loss::Some => random.between(0, least),
                Loss::All => least,
                Loss::Nothing => 0,
            };
            for id in members {
                let Some(member) = self.members.get_mut(&id) else { continue };
                for _ in 0..lost {
                    member.inbox.pop_back();
                }
            }
        }
    }
}

/// How many messages are behind the last view in an inbox.
fn tail_messages(inbox: &VecDeque<(u64, Delivery)>) -> usize {
    inbox.iter().rev().take_while(|(_, delivery)| matches!(delivery, Delivery::Message(_))).count()
}
