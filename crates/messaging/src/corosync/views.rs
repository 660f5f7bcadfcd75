//! Views out of what Corosync tells: the ring (hosts), the group (processes) and quorum come separately.
//!
//! - A view names the ring in which the group last changed and the group itself, so it is the same for all
//!   that are in the group from that point of the order on.
//! - When hosts come or go, Corosync tells the changes of the group first and the ring after them; only then
//!   the view is known.
//! - **Nothing of a new ring is passed on before the quorum of that ring is known**: it comes on another
//!   connection, and a minority must not act on the quorum that it had before.

use std::collections::VecDeque;

use cluster::{NodeId, View, ViewId};

use super::fragments::Process;

/// Rings whose quorum is remembered.
const REMEMBERED: usize = 32;

/// Corosync's name of a membership of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ring {
    pub node: u32,
    pub sequence: u64,
    pub hosts: Vec<u32>,
}

/// Whether the hosts of a ring have quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RingQuorum {
    pub sequence: u64,
    pub hosts: Vec<u32>,
    pub quorate: bool,
}

/// What is known, and what the node has been told.
#[derive(Debug)]
pub(super) struct Views {
    local: Process,
    ring: Option<Ring>,
    group: Vec<Process>,
    /// Name of the view of the present group.
    id: ViewId,
    /// The group changed with the ring, whose name has not come yet.
    awaits_ring: bool,
    /// The group has changed since its view was named.
    unnamed: bool,
    quorums: VecDeque<RingQuorum>,
    told: Option<View>,
}

impl Views {
    pub fn new(local: Process) -> Views {
        Views {
            local,
            ring: None,
            group: Vec::new(),
            id: ViewId::default(),
            awaits_ring: false,
            unnamed: false,
            quorums: VecDeque::new(),
            told: None,
        }
    }

    /// A new ring.
    pub fn ring(&mut self, mut ring: Ring) {
        ring.hosts.sort_unstable();
        self.ring = Some(ring);
        self.awaits_ring = false;
        self.name_group();
    }

    /// The group has changed; `with_ring`: because hosts came or went.
    pub fn group(&mut self, mut members: Vec<Process>, with_ring: bool) {
        members.sort_unstable();
        self.group = members;
        self.unnamed = true;
        self.awaits_ring |= with_ring;
        self.name_group();
    }

    /// At this point of the order, and not when quorum is known: that is another moment on each host.
    fn name_group(&mut self) {
        if let (true, false, Some(ring)) = (self.unnamed, self.awaits_ring, &self.ring) {
            self.id = name(ring, &self.group);
            self.unnamed = false;
        }
    }

    /// What the quorum service said.
    pub fn quorum(&mut self, mut quorum: RingQuorum) {
        quorum.hosts.sort_unstable();
        self.quorums.retain(|known| (known.sequence, &known.hosts) != (quorum.sequence, &quorum.hosts));
        self.quorums.push_back(quorum);
        if self.quorums.len() > REMEMBERED {
            self.quorums.pop_front();
        }
    }

    /// Whether messages may be passed on: all that was before them in the order is known and told.
    pub fn is_settled(&self) -> bool {
        !self.awaits_ring && self.quorate().is_some()
    }

    /// Whether a ring was ever told.
    pub fn knows_ring(&self) -> bool {
        self.ring.is_some()
    }

    /// Whether the name of the new ring must be heard first.
    pub fn awaits_ring(&self) -> bool {
        self.awaits_ring
    }

    /// Whether a process is in the group.
    pub fn contains(&self, process: Process) -> bool {
        self.group.binary_search(&process).is_ok()
    }

    /// A view that the node has not been told, if there is one and all of it is known.
    pub fn take_news(&mut self) -> Option<View> {
        if self.awaits_ring || !self.contains(self.local) {
            return None;
        }
        let quorate = self.quorate()?;
        let ring = self.ring.as_ref()?;
        let mut members: Vec<NodeId> = self.group.iter().map(|(node, _)| NodeId(*node)).collect();
        // two processes of one node while one succeeds the other
        members.dedup();
        let hosts = ring.hosts.iter().copied().map(NodeId).collect();
        let view = View { id: self.id, hosts, members, quorate };
        if self.told.as_ref() == Some(&view) {
            return None;
        }
        self.told = Some(view.clone());
        Some(view)
    }

    /// Quorum of the present ring, once it is known. If only that of a later ring is known, the present
    /// one has passed already, and counts as without.
    fn quorate(&self) -> Option<bool> {
        let ring = self.ring.as_ref()?;
        let same = |known: &&RingQuorum| known.sequence == ring.sequence && known.hosts == ring.hosts;
        match self.quorums.iter().rev().find(same) {
            Some(known) => Some(known.quorate),
            None => self.quorums.iter().any(|known| known.sequence > ring.sequence).then_some(false),
        }
    }
}

/// 64 bits of FNV-1a: must be the same in every version of this program.
fn name(ring: &Ring, group: &[Process]) -> ViewId {
    let words = [u64::from(ring.node), ring.sequence]
        .into_iter()
        .chain(group.iter().map(|(node, process)| u64::from(*node) << 32 | u64::from(*process)));
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in words.flat_map(u64::to_le_bytes) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    ViewId(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(sequence: u64, hosts: &[u32]) -> Ring {
        Ring { node: hosts[0], sequence, hosts: hosts.to_vec() }
    }

    fn quorum(sequence: u64, hosts: &[u32], quorate: bool) -> RingQuorum {
        RingQuorum { sequence, hosts: hosts.to_vec(), quorate }
    }

    fn members(view: &View) -> Vec<u32> {
        view.members.iter().map(|id| id.0).collect()
    }

    /// Node 1 on a ring of three hosts, alone in the group.
    fn alone() -> Views {
        let mut views = Views::new((1, 100));
        views.ring(ring(10, &[1, 2, 3]));
        views.quorum(quorum(10, &[1, 2, 3], true));
        views.group(vec![(1, 100)], false);
        views
    }

    #[test]
    fn nothing_is_told_before_all_is_known() {
        let mut views = Views::new((1, 100));
        views.group(vec![(1, 100)], false);
        assert_eq!(views.take_news(), None);
        views.ring(ring(10, &[3, 1]));
        assert_eq!(views.take_news(), None);
        assert!(!views.is_settled());
        views.quorum(quorum(10, &[1, 3], true));
        let view = views.take_news().unwrap();
        assert!(views.is_settled() && view.quorate);
        assert_eq!(view.hosts, [NodeId(1), NodeId(3)]);
        assert_eq!(views.take_news(), None);
    }

    #[test]
    fn those_who_are_in_the_group_name_its_view_alike() {
        let (mut one, mut two) = (alone(), Views::new((2, 200)));
        let first = one.take_news().unwrap();
        // another process joins on the same ring
        two.ring(ring(10, &[1, 2, 3]));
        two.quorum(quorum(10, &[1, 2, 3], true));
        for views in [&mut one, &mut two] {
            views.group(vec![(2, 200), (1, 100)], false);
        }
        let (seen, by_two) = (one.take_news().unwrap(), two.take_news().unwrap());
        assert_eq!(seen, by_two);
        assert_ne!(seen.id, first.id);
    }

    #[test]
    fn a_lost_host_waits_for_ring_and_quorum() {
        let mut views = alone();
        views.group(vec![(1, 100), (2, 200)], false);
        views.take_news().unwrap();
        views.group(vec![(1, 100)], true);
        assert_eq!(views.take_news(), None, "the ring is not known yet");
        views.ring(ring(14, &[1]));
        assert_eq!(views.take_news(), None, "the old quorum must not be used");
        assert!(!views.is_settled());
        views.quorum(quorum(14, &[1], false));
        let view = views.take_news().unwrap();
        assert!(!view.quorate && members(&view) == [1]);
    }

    #[test]
    fn quorum_may_come_first_and_change_alone() {
        let mut views = alone();
        let first = views.take_news().unwrap();
        views.quorum(quorum(14, &[1, 2], true));
        assert_eq!(views.take_news(), None);
        views.ring(ring(14, &[1, 2]));
        let second = views.take_news().unwrap();
        assert_eq!((second.id, members(&second)), (first.id, members(&first)), "the group is the same");
        assert_eq!(second.hosts.len(), 2);
        views.quorum(quorum(14, &[1, 2], false));
        let third = views.take_news().unwrap();
        assert!(!third.quorate && third.id == first.id);
    }

    #[test]
    fn a_ring_that_has_passed_has_no_quorum() {
        let mut views = alone();
        views.take_news().unwrap();
        views.quorum(quorum(18, &[1, 2], true));
        views.ring(ring(14, &[1, 3]));
        assert!(!views.take_news().unwrap().quorate);
        views.ring(ring(18, &[1, 2]));
        assert!(views.take_news().unwrap().quorate);
    }

    #[test]
    fn a_process_that_succeeds_another_makes_a_new_view() {
        let mut views = alone();
        views.group(vec![(1, 100), (2, 200)], false);
        let first = views.take_news().unwrap();
        views.group(vec![(1, 100), (2, 200), (2, 201)], false);
        let second = views.take_news().unwrap();
        views.group(vec![(1, 100), (2, 201)], false);
        let third = views.take_news().unwrap();
        assert_eq!((members(&second), members(&third)), (vec![1, 2], vec![1, 2]));
        assert!(first.id != second.id && second.id != third.id && first.id != third.id);
        assert!(views.contains((2, 201)) && !views.contains((2, 200)));
    }
}
