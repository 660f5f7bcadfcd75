//! Random lives of a bus: members that come, send, lag behind and die, switches that die with frames on
//! their way, borders that move. Whatever happens, members that move together have delivered the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use cluster::{NodeId, Peer, View};
use proptest::prelude::*;

use super::frame::{Frame, Hello, Ordered, PROTOCOL};
use super::order::{Order, Outbox};
use super::{Bus, Partition};

const NODES: u32 = 4;

#[derive(Debug, Clone)]
enum Step {
    Start(u32),
    Kill(u32),
    Send(u32),
    /// Lets a member take some frames.
    Take(u32, u8),
    Acknowledge(u32),
    /// The switch dies; who is still there goes to the next one.
    NextSwitch,
    Divide(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let node = 1..=NODES;
    prop_oneof![
        3 => node.clone().prop_map(Step::Start),
        1 => node.clone().prop_map(Step::Kill),
        10 => node.clone().prop_map(Step::Send),
        10 => (node.clone(), 1..6u8).prop_map(|(node, count)| Step::Take(node, count)),
        3 => node.prop_map(Step::Acknowledge),
        1 => Just(Step::NextSwitch),
        1 => any::<u8>().prop_map(Step::Divide),
    ]
}

/// A member as `member.rs` has it, without sockets.
#[derive(Default)]
struct Member {
    view: Option<View>,
    delivered: u64,
    retained: VecDeque<Ordered>,
    /// Views and what was delivered in each.
    log: Vec<(View, Vec<u64>)>,
}

impl Member {
    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::View(view) => {
                self.delivered = 0;
                self.retained.clear();
                self.log.push((view.clone(), Vec::new()));
                self.view = Some(view);
            }
            Frame::Deliver { view, stable, message } => {
                assert_eq!(Some(view), self.view.as_ref().map(|view| view.id.0), "a message of another view");
                assert_eq!(message.sequence, self.delivered + 1, "a gap");
                self.delivered = message.sequence;
                self.log.last_mut().unwrap().1.push(message.number);
                self.retained.push_back(message);
                self.forget(stable);
            }
            Frame::Beat { stable } => self.forget(stable),
            Frame::Forget => {}
            other => panic!("{other:?}"),
        }
    }

    fn forget(&mut self, stable: u64) {
        self.retained.retain(|message| message.sequence > stable);
    }

    fn hello(&self, node: u32) -> Hello {
        Hello {
            protocol: PROTOCOL,
            node,
            name: format!("node{node}"),
            view: self.view.as_ref().map(|view| view.id.0),
            delivered: self.delivered,
            retained: 0,
            saw_all: false,
        }
    }
}

struct World {
    generation: u32,
    order: Order,
    partition: Partition,
    alive: BTreeMap<u32, Member>,
    dead: Vec<Member>,
    queues: BTreeMap<u32, VecDeque<Arc<[u8]>>>,
    sent: u64,
}

fn bus() -> Bus {
    let nodes = (1..=NODES).map(|id| Peer { id: NodeId(id), name: format!("node{id}") }).collect();
    Bus { cluster_name: None, nodes, two_node: false }
}

impl World {
    fn new() -> World {
        let mut world = World {
            generation: 0,
            order: Order::new(0, bus(), Partition::default()),
            partition: Partition::default(),
            alive: BTreeMap::new(),
            dead: Vec::new(),
            queues: BTreeMap::new(),
            sent: 0,
        };
        world.next_switch();
        world
    }

    /// Connections are numbered like the nodes.
    fn post(&mut self, outbox: Outbox) {
        for (connection, frame) in outbox.frames {
            let queue = self.queues.entry(u32::try_from(connection).unwrap()).or_default();
            queue.push_back(frame);
        }
    }

    fn next_switch(&mut self) {
        self.generation += 1;
        self.queues.clear();
        self.order = Order::new(self.generation, bus(), self.partition.clone());
        let mut outbox = Outbox::default();
        for (node, member) in &self.alive {
            let retained = member.retained.iter().cloned().collect();
            self.order.join(u64::from(*node), member.hello(*node), retained, &mut outbox);
        }
        self.order.settle(&mut outbox);
        self.post(outbox);
    }

    fn apply(&mut self, step: Step) {
        let mut outbox = Outbox::default();
        match step {
            Step::Start(node) if !self.alive.contains_key(&node) => {
                let member = Member::default();
                self.order.join(u64::from(node), member.hello(node), Vec::new(), &mut outbox);
                self.alive.insert(node, member);
            }
            Step::Kill(node) => {
                if let Some(member) = self.alive.remove(&node) {
                    self.dead.push(member);
                    self.queues.remove(&node);
                    self.order.leave(u64::from(node), &mut outbox);
                }
            }
            Step::Send(node) if self.alive.get(&node).is_some_and(|member| member.view.is_some()) => {
                self.sent += 1;
                self.order.send(u64::from(node), self.sent, Arc::from(*b"x"), &mut outbox);
            }
            Step::Take(node, count) => self.take(node, usize::from(count)),
            Step::Acknowledge(node) => {
                if let Some((view, delivered)) = self
                    .alive
                    .get(&node)
                    .and_then(|member| Some((member.view.as_ref()?.id.0, member.delivered)))
                {
                    self.order.acknowledge(u64::from(node), view, delivered);
                }
                self.order.beat(&mut outbox);
            }
            Step::NextSwitch => self.next_switch(),
            Step::Divide(sides) => {
                let side = |node: u32| (sides >> node & 1).to_string();
                self.partition = Partition((1..=NODES).map(|node| (node.to_string(), side(node))).collect());
                self.order.repartition(self.partition.clone(), &mut outbox);
            }
            Step::Start(_) | Step::Send(_) => {}
        }
        self.post(outbox);
    }

    fn take(&mut self, node: u32, count: usize) {
        let (Some(member), Some(queue)) = (self.alive.get_mut(&node), self.queues.get_mut(&node)) else {
            return;
        };
        for frame in queue.drain(..count.min(queue.len())) {
            member.take(Frame::decode(&frame[4..]).unwrap());
        }
    }

    fn check(mut self) {
        (1..=NODES).for_each(|node| self.take(node, usize::MAX));
        let logs: Vec<_> = self.dead.iter().chain(self.alive.values()).map(|member| &member.log).collect();
        let mut moved: BTreeMap<(u64, u64), &Vec<u64>> = BTreeMap::new();
        for pair in logs.iter().flat_map(|log| log.windows(2)) {
            let (before, after) = (&pair[0], &pair[1]);
            let known = moved.entry((before.0.id.0, after.0.id.0)).or_insert(&before.1);
            assert_eq!(*known, &before.1, "moved together from {:?} to {:?}", before.0, after.0);
            assert!(before.0.id < after.0.id, "views go up");
        }
        let mut views: BTreeMap<u64, (&View, &Vec<u64>)> = BTreeMap::new();
        for (view, messages) in logs.into_iter().flatten() {
            let (same, order) = *views.entry(view.id.0).or_insert((view, messages));
            assert_eq!(same, view, "one view, one membership");
            let shorter = order.len().min(messages.len());
            assert_eq!(order[..shorter], messages[..shorter], "one order");
        }
        for (node, member) in &self.alive {
            let view = member.view.as_ref().unwrap();
            assert!(view.members.contains(&NodeId(*node)), "a member is in its view");
            assert_eq!(view.quorate, view.members.len() * 2 > NODES as usize);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn members_that_move_together_have_delivered_the_same(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        (1..=NODES).for_each(|node| world.apply(Step::Start(node)));
        for step in steps {
            world.apply(step);
        }
        world.check();
    }

    #[test]
    fn no_bytes_are_a_reason_to_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Frame::decode(&bytes);
    }
}
