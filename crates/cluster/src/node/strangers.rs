//! Members whose messages cannot be read: managers of another version, or something that is none. A round waits
//! for them only as long as another process of theirs may still present itself, and then it is clear to all
//! who goes on: never two sides in one membership, since both would have its quorum.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Node;
use crate::event::Severity;
use crate::interface::{Outbox, Speech};
use crate::membership::{NodeId, ViewId};
use crate::message::PROTOCOL;
use crate::request::Phase;

/// How long a member from which something unreadable came has to say something else, in milliseconds: the manager
/// of that host may be a sound one beside it.
const STRANGER_PATIENCE: u64 = 1_000;

impl Node {
    /// Whether this node was in a cluster with quorum before this round.
    pub(super) fn stands(&self) -> bool {
        !self.fresh && self.was_quorate
    }

    pub(super) fn on_unreadable(&mut self, from: NodeId, speaks: Speech, out: &mut Outbox) {
        if !self.view.members.contains(&from) {
            return;
        }
        let before = self.strangers.get(&from).filter(|(view, _)| *view == self.view.id).map(|known| known.1);
        // garbage takes nothing back
        let speaks = match (before, speaks) {
            (Some(known @ Speech::Protocol { .. }), Speech::Garbage) => known,
            _ => speaks,
        };
        self.strangers.insert(from, (self.view.id, speaks));
        let is_heard = self.hellos.contains_key(&from);
        if self.phase == Phase::Joining && !is_heard && self.stranger_deadline.is_none() {
            self.stranger_deadline = Some(self.now.monotonic + STRANGER_PATIENCE);
        }
        let name = self.known_name(from);
        if is_heard || self.is_joined() && self.members.contains_key(&from) {
            if before.is_some() {
                return;
            }
            let text = format!(
                "something on {name} beside its cluster manager sends messages that cannot be read: they are ignored; \
                 look there for another process that uses the cluster's group"
            );
            self.notice(Severity::Warning, text, out);
        } else if before != Some(speaks) {
            self.notice(Severity::Error, outcast(&[&name], speaks), out);
        }
    }

    /// In a new round of the same view strangers have nothing new to say.
    pub(super) fn await_strangers(&mut self) {
        let current = |(id, (view, _)): (&NodeId, &(ViewId, Speech))| {
            *view == self.view.id && !self.members.contains_key(id)
        };
        let some = self.strangers.iter().any(current);
        self.stranger_deadline = some.then_some(self.now.monotonic + STRANGER_PATIENCE);
    }

    /// What was last heard of a host that cannot take part because of it.
    pub(super) fn stranger(&self, id: NodeId) -> Option<Speech> {
        let heard = self.hellos.contains_key(&id) || self.is_joined() && self.members.contains_key(&id);
        self.strangers.get(&id).filter(|_| !heard).map(|(_, speaks)| *speaks)
    }

    /// Those of them that are in this view.
    pub(super) fn strangers_now(&self) -> BTreeMap<NodeId, Speech> {
        let here = self.strangers.iter().filter(|(_, (view, _))| *view == self.view.id);
        here.filter_map(|(id, _)| Some((*id, self.stranger(*id)?))).collect()
    }

    /// Goes on without strangers, or leaves the cluster to them. All of one side know the same, and each side
    /// comes to the opposite result: the cluster that was there before goes on, else the side with more nodes, else
    /// the older protocol.
    pub(super) fn judge_strangers(&mut self, out: &mut Outbox) {
        let strangers = self.strangers_now();
        if self.phase != Phase::Joining || self.awaiting_copy.is_some() || strangers.is_empty() {
            return;
        }
        let own_stands = self.hellos.values().any(|hello| !hello.fresh && hello.was_quorate);
        let own = (self.hellos.len(), Reverse(PROTOCOL));
        let others = sides(&strangers);
        let goes_on = match others.values().any(|side| side.stands) {
            _ if own_stands => true,
            true => false,
            // who only talks rubbish may be many, of a program that is not known yet
            false if others.is_empty() => self.hellos.len() * 2 > self.config.peers.len(),
            false => others.iter().all(|(number, side)| (side.members.len(), Reverse(*number)) < own),
        };
        let names = |ids: &[NodeId]| ids.iter().map(|id| self.known_name(*id)).collect::<Vec<_>>();
        if goes_on {
            let without = strangers.into_keys().collect::<Vec<_>>();
            let text = format!("the cluster goes on without {}", names(&without).join(", "));
            self.notice(Severity::Warning, text, out);
            self.proceed_without(without, out);
        } else if !others.is_empty() {
            let told = others.iter().map(|(number, side)| {
                let names = names(&side.members);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                outcast(&names, Speech::Protocol { number: *number, stands: side.stands })
            });
            let told: Vec<String> = told.collect();
            let reason = format!("this node leaves the cluster to the others: {}", told.join("; "));
            self.end(100, &reason, out);
        }
    }
}

/// Members that speak one protocol.
#[derive(Default)]
struct Side {
    members: Vec<NodeId>,
    /// Some of them were in a cluster with quorum.
    stands: bool,
}

fn sides(strangers: &BTreeMap<NodeId, Speech>) -> BTreeMap<u16, Side> {
    let mut sides: BTreeMap<u16, Side> = BTreeMap::new();
    for (id, speaks) in strangers {
        if let Speech::Protocol { number, stands } = speaks {
            let side = sides.entry(*number).or_default();
            side.members.push(*id);
            side.stands |= stands;
        }
    }
    sides
}

/// Why members take no part, and what to do.
pub(super) fn outcast(names: &[&str], speaks: Speech) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (all, s) = (names.join(", "), if names.len() == 1 { "s" } else { "" });
    match speaks {
        Speech::Protocol { number, .. } => {
            let (older, newer) = match number < PROTOCOL {
                true => (&*all, "this node"),
                false => ("this node", &*all),
            };
            format!(
                "{all} speak{s} protocol {number}, this node protocol {PROTOCOL} (version {version}), and there is no \
                 cluster of both: install on {older} the version of {newer}, then start the cluster services again"
            )
        }
        Speech::Garbage => format!(
            "what {all} send{s} cannot be read: look there for another process that uses the cluster's group, or install \
             the version of this node ({version}), then start the cluster services again"
        ),
    }
}
