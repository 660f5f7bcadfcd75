//! The switch's decisions, without any socket: who is in which view, and in what order messages go out.
//!
//! All members hang on one switch, so a view change is one step here: whatever was put in order before it
//! is in every old member's queue before the new view is. Only when a switch itself died can members have
//! got different lengths of the same order; the next switch then completes all of them to the longest
//! ([`Order::settle`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster::{NodeId, Peer, View, ViewId};

use super::frame::{Frame, Hello, Ordered};
use super::{Bus, Partition};

/// A connection's number, given by the switch.
pub(super) type Connection = u64;

/// What is to be sent, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub frames: Vec<(Connection, Arc<[u8]>)>,
    pub closed: Vec<Connection>,
}

impl Outbox {
    fn frame(&mut self, to: Connection, frame: &Frame) {
        self.frames.push((to, frame.encode()));
    }
}

pub(super) struct Order {
    generation: u32,
    changes: u32,
    bus: Bus,
    partition: Partition,
    members: BTreeMap<NodeId, Member>,
    /// By label of the partition.
    groups: BTreeMap<String, Group>,
    /// Before [`Order::settle`] members are only collected.
    settled: bool,
}

struct Member {
    connection: Connection,
    hello: Hello,
    retained: Vec<Ordered>,
    acknowledged: u64,
    group: Option<String>,
}

struct Group {
    view: View,
    last: u64,
}

impl Order {
    pub(super) fn new(generation: u32, bus: Bus, partition: Partition) -> Order {
        Order {
            generation,
            changes: 0,
            bus,
            partition,
            members: BTreeMap::new(),
            groups: BTreeMap::new(),
            settled: false,
        }
    }

    /// Why this hello cannot be accepted.
    pub(super) fn refusal(&self, hello: &Hello) -> Option<String> {
        if hello.protocol != super::frame::PROTOCOL {
            return Some(format!("bus protocol {} is not {}", hello.protocol, super::frame::PROTOCOL));
        }
        let known = self.bus.nodes.iter().any(|peer| peer.id.0 == hello.node && peer.name == hello.name);
        (!known).then(|| format!("node {} ({}) is not configured on this bus", hello.name, hello.node))
    }

    pub(super) fn has(&self, node: NodeId) -> bool {
        self.members.contains_key(&node)
    }

    pub(super) fn settled(&self) -> bool {
        self.settled
    }

    /// A member is here. A second connection of the same node takes the place of the first.
    pub(super) fn join(
        &mut self,
        connection: Connection,
        hello: Hello,
        retained: Vec<Ordered>,
        outbox: &mut Outbox,
    ) {
        let node = NodeId(hello.node);
        if let Some(old) = self.members.get(&node).map(|member| member.connection) {
            outbox.closed.push(old);
            self.leave(old, outbox);
        }
        let straggler = self.settled && hello.view.is_some();
        let member = Member { connection, hello, retained, acknowledged: 0, group: None };
        self.members.insert(node, member);
        if straggler {
            self.send_alone(node, outbox);
        }
        self.regroup(outbox);
    }

    /// A connection has ended.
    pub(super) fn leave(&mut self, connection: Connection, outbox: &mut Outbox) {
        self.members.retain(|_, member| member.connection != connection);
        self.regroup(outbox);
    }

    /// Draws the borders anew.
    pub(super) fn repartition(&mut self, partition: Partition, outbox: &mut Outbox) {
        self.partition = partition;
        self.regroup(outbox);
    }

    /// Puts a message of a member into the order of its view.
    pub(super) fn send(&mut self, from: Connection, number: u64, payload: Arc<[u8]>, outbox: &mut Outbox) {
        let Some((&sender, label)) = self
            .members
            .iter()
            .find(|(_, member)| member.connection == from)
            .and_then(|(node, member)| Some((node, member.group.clone()?)))
        else {
            return;
        };
        let stable = self.stable(&label);
        let Some(group) = self.groups.get_mut(&label) else { return };
        group.last += 1;
        let message = Ordered { sequence: group.last, sender, number, payload };
        let frame = Frame::Deliver { view: group.view.id.0, stable, message }.encode();
        for node in &group.view.members {
            outbox.frames.push((self.members[node].connection, frame.clone()));
        }
    }

    /// A member has delivered up to here; what it says of an earlier view is too late to matter.
    pub(super) fn acknowledge(&mut self, from: Connection, view: u64, sequence: u64) {
        let groups = &self.groups;
        for member in self.members.values_mut().filter(|member| member.connection == from) {
            let group = member.group.as_ref().and_then(|label| groups.get(label));
            if group.is_some_and(|group| group.view.id.0 == view) {
                member.acknowledged = member.acknowledged.max(sequence);
            }
        }
    }

    /// A sign of life to all.
    pub(super) fn beat(&self, outbox: &mut Outbox) {
        for member in self.members.values() {
            let stable = member.group.as_ref().map_or(0, |label| self.stable(label));
            outbox.frame(member.connection, &Frame::Beat { stable });
        }
    }

    /// All that will come after the loss of a switch have come: complete each old view, then form new ones.
    pub(super) fn settle(&mut self, outbox: &mut Outbox) {
        let views: BTreeSet<u64> = self.members.values().filter_map(|member| member.hello.view).collect();
        for view in views {
            self.complete(view, outbox);
        }
        for member in self.members.values_mut() {
            member.retained = Vec::new();
        }
        self.settled = true;
        self.regroup(outbox);
    }

    /// Brings all members of a lost view to the longest order that one of them has.
    fn complete(&mut self, view: u64, outbox: &mut Outbox) {
        let members: Vec<NodeId> =
            self.members.iter().filter(|(_, m)| m.hello.view == Some(view)).map(|(id, _)| *id).collect();
        let mut known: BTreeMap<u64, Ordered> = BTreeMap::new();
        for message in members.iter().flat_map(|id| &self.members[id].retained) {
            known.entry(message.sequence).or_insert_with(|| message.clone());
        }
        let longest = members.iter().map(|id| self.members[id].hello.delivered).max().unwrap_or(0);
        for id in members {
            let member = &self.members[&id];
            let missing: Option<Vec<&Ordered>> =
                (member.hello.delivered + 1..=longest).map(|sequence| known.get(&sequence)).collect();
            match missing {
                Some(messages) => {
                    for message in messages {
                        let frame = Frame::Deliver { view, stable: 0, message: message.clone() };
                        outbox.frame(member.connection, &frame);
                    }
                }
                // cannot be with correct members; such a one did not move together with the others
                None => self.send_alone(id, outbox),
            }
        }
    }

    /// A member that missed something while others went on: it has been alone, and is told so, before it
    /// is in a view with them again.
    fn send_alone(&mut self, node: NodeId, outbox: &mut Outbox) {
        let view = self.view(vec![node]);
        outbox.frame(self.members[&node].connection, &Frame::Forget);
        outbox.frame(self.members[&node].connection, &Frame::View(view));
    }

    /// Compares what the groups should be with what they are, and announces each that differs.
    fn regroup(&mut self, outbox: &mut Outbox) {
        if !self.settled {
            return;
        }
        let mut wanted: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
        for node in self.members.keys() {
            wanted.entry(self.partition.label(*node)).or_default().push(*node);
        }
        self.groups.retain(|label, _| wanted.contains_key(label));
        for (label, members) in wanted {
            let unchanged = self.groups.get(&label).is_some_and(|group| group.view.members == members)
                && members.iter().all(|node| self.members[node].group.as_ref() == Some(&label));
            if !unchanged {
                self.announce(label, members, outbox);
            }
        }
    }

    fn announce(&mut self, label: String, members: Vec<NodeId>, outbox: &mut Outbox) {
        let all = members.len() == self.bus.nodes.len();
        for node in &members {
            let member = self.members.get_mut(node).expect("groups are made of members");
            member.group = Some(label.clone());
            member.acknowledged = 0;
            member.hello.saw_all |= all;
        }
        let view = self.view(members);
        let frame = Frame::View(view.clone()).encode();
        for node in &view.members {
            outbox.frames.push((self.members[node].connection, frame.clone()));
        }
        self.groups.insert(label, Group { view, last: 0 });
    }

    fn view(&mut self, members: Vec<NodeId>) -> View {
        self.changes += 1;
        let id = ViewId(u64::from(self.generation) << 32 | u64::from(self.changes));
        View { id, hosts: members.clone(), quorate: self.quorate(&members), members }
    }

    /// More than half of the configured nodes; with `two_node` also a single one that has once seen both.
    fn quorate(&self, members: &[NodeId]) -> bool {
        let majority = members.len() * 2 > self.bus.nodes.len();
        let pair = self.bus.two_node && members.iter().any(|node| self.members[node].hello.saw_all);
        majority || pair
    }

    /// Up to where all members of a group have delivered.
    fn stable(&self, label: &str) -> u64 {
        let Some(group) = self.groups.get(label) else { return 0 };
        group.view.members.iter().map(|node| self.members[node].acknowledged).min().unwrap_or(0)
    }
}

/// Configured nodes that are not among the members of an order.
pub(super) fn absent<'a>(order: &'a Order, nodes: &'a [Peer]) -> impl Iterator<Item = &'a Peer> {
    nodes.iter().filter(|peer| !order.has(peer.id))
}
