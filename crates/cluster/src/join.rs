//! The join round: what each member says, and the result that all compute from it alike (rules 4.21, 4.22).
//!
//! On each view change every member sends one [`Hello`]. When all have been heard, [`decide`] gives the same
//! [`Decision`] everywhere: no votes and no waiting.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::attributes::Attributes;
use crate::config::{Config, Peer, StartState};
use crate::fencing::FenceRecord;
use crate::history::History;
use crate::load::Load;
use crate::membership::NodeId;
use crate::replica::Version;

/// The feature set this program has: what it can do, and what the CIB it writes needs.
pub const FEATURE_SET: &str = "3.20.5";

/// Version and build as `dc-version` shows them.
pub const DC_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-systole");

/// Who a member is and what it knows, at the moment it entered the round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub id: NodeId,
    pub name: String,
    pub incarnation: String,
    pub feature_set: String,
    /// Milliseconds since the epoch, of the start of this run.
    pub started: i64,
    /// Has not been through a join round since its start.
    pub fresh: bool,
    /// Is the DC of its partition.
    pub is_dc: bool,
    /// Its partition had quorum before this round.
    pub was_quorate: bool,
    /// The view it is in has quorum.
    pub quorate: bool,
    /// Members of the messaging layer's view, managers running or not, but for those that were fenced and have
    /// not been heard since.
    pub hosts: Vec<NodeId>,
    pub version: Version,
    pub digest: String,
    /// Everything its executor remembers and does.
    pub history: History,
    /// The attribute table as it knows it.
    pub attributes: Attributes,
    /// Fencing operations it remembers.
    pub fencing: Vec<FenceRecord>,
    /// Epoch seconds of its wish to leave.
    pub shutting_down: Option<i64>,
    /// Its partition had quorum once since its start.
    pub had_quorum: bool,
    /// Epoch seconds now.
    pub now: i64,
    pub start_state: StartState,
    pub infrastructure: String,
    pub cluster_name: Option<String>,
    pub have_watchdog: bool,
    /// Nodes of its messaging configuration.
    pub peers: Vec<Peer>,
    /// How many operations at once it bears at most (rule 4.32.2).
    pub action_limit: usize,
    /// That is its own setting, which goes before the cluster's.
    pub own_action_limit: bool,
    pub load: Load,
    /// Number of the schema that its CIB declares.
    pub schema: Schema,
    /// The newest one that it knows.
    pub newest_schema: Schema,
}

/// Major and minor number of a schema; zeros for what has none.
pub type Schema = (u32, u32);

/// The number in `pacemaker-MAJOR.MINOR`.
#[must_use]
pub fn schema_number(name: &str) -> Schema {
    let numbers = name.strip_prefix("pacemaker-").and_then(|numbers| numbers.split_once('.'));
    let parsed = numbers.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.unwrap_or_default()
}

impl Hello {
    /// The fixed part of a node's own; the rest is empty.
    #[must_use]
    pub fn new(config: &Config) -> Hello {
        Hello {
            id: config.id,
            name: config.name.clone(),
            incarnation: config.incarnation.clone(),
            feature_set: FEATURE_SET.to_owned(),
            started: 0,
            fresh: true,
            is_dc: false,
            was_quorate: false,
            quorate: false,
            hosts: Vec::new(),
            version: Version::default(),
            digest: String::new(),
            history: History::default(),
            attributes: Attributes::default(),
            fencing: Vec::new(),
            shutting_down: None,
            had_quorum: false,
            now: 0,
            start_state: config.start_state,
            infrastructure: config.infrastructure.clone(),
            cluster_name: config.cluster_name.clone(),
            have_watchdog: config.have_watchdog,
            peers: config.peers.clone(),
            action_limit: config.action_limit.unwrap_or(config.cores.max(1).saturating_mul(2)) as usize,
            own_action_limit: config.action_limit.is_some(),
            load: Load::None,
            schema: Schema::default(),
            newest_schema: schema_number(cib::upgrade::NEWEST),
        }
    }
}

/// What a round leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub dc: NodeId,
    /// Accepted members, ascending.
    pub members: Vec<NodeId>,
    /// Members that are refused, with the reason.
    pub refused: Vec<(NodeId, String)>,
    /// The member whose CIB wins.
    pub cib_from: NodeId,
    /// Some accepted member has another CIB, so that the winner's must be sent.
    pub copy_needed: bool,
}

/// The result of a round in which exactly these were heard; nothing if there is nobody to be the DC.
#[must_use]
pub fn decide(hellos: &BTreeMap<NodeId, Hello>) -> Option<Decision> {
    let owners = owners_of_names(hellos);
    let is_owner = |hello: &&Hello| owners.get(&hello.name.to_lowercase()) == Some(&hello.id);
    // a newcomer of another major version must not lead those who were there before
    let age = |hello: &&Hello| (hello.fresh, !hello.was_quorate, hello.started, hello.id);
    let (major, _) = release(&hellos.values().filter(is_owner).min_by_key(age)?.feature_set);
    let may_lead = |hello: &&Hello| is_owner(hello) && release(&hello.feature_set).0 == major;
    let dc = hellos.values().filter(may_lead).min_by_key(|hello| preference(hello))?;
    let mut members = Vec::new();
    let mut refused = Vec::new();
    for hello in hellos.values() {
        let reason = match owners.get(&hello.name.to_lowercase()) {
            Some(owner) if *owner != hello.id => Some(name_taken(hello, *owner)),
            _ => refusal(dc, hello),
        };
        match reason {
            None => members.push(hello.id),
            Some(reason) => refused.push((hello.id, reason)),
        }
    }
    refuse_unreadable(dc, hellos, &mut members, &mut refused);
    let accepted = || members.iter().filter_map(|id| hellos.get(id));
    let best = accepted().map(|hello| hello.version).max()?;
    let winner =
        accepted().filter(|hello| hello.version == best).min_by_key(|hello| (hello.id != dc.id, hello.id))?;
    let copy_needed =
        accepted().any(|hello| (hello.version, &hello.digest) != (winner.version, &winner.digest));
    Some(Decision { dc: dc.id, cib_from: winner.id, copy_needed, members, refused })
}

/// Smaller is preferred as DC (rules 4.21.3 and 4.21.4): not leaving, the oldest feature set, the incumbent (of the
/// quorate partition first), who was through a round before, the longest running, the smallest name.
fn preference(hello: &Hello) -> impl Ord + use<> {
    (
        hello.shutting_down.is_some(),
        cib::feature_numbers(&hello.feature_set),
        Reverse(hello.is_dc && hello.was_quorate),
        Reverse(hello.is_dc),
        hello.fresh,
        hello.started,
        hello.name.to_lowercase(),
        hello.id,
    )
}

/// Whose each name is: of two members with one name it belongs to the one that was there before.
fn owners_of_names(hellos: &BTreeMap<NodeId, Hello>) -> BTreeMap<String, NodeId> {
    let mut by_age: Vec<&Hello> = hellos.values().collect();
    by_age.sort_by_key(|hello| (hello.fresh, hello.started, hello.id));
    let mut owners = BTreeMap::new();
    for hello in by_age {
        owners.entry(hello.name.to_lowercase()).or_insert(hello.id);
    }
    owners
}

fn name_taken(hello: &Hello, owner: NodeId) -> String {
    format!(
        "the name {} belongs to the node with id {owner}, and this one has id {}: give each node a name of its own \
         in corosync.conf",
        hello.name, hello.id
    )
}

/// Refuses who has a CIB that would win and that others cannot read (rule 4.22.3): else they would all have to leave.
fn refuse_unreadable(
    dc: &Hello,
    hellos: &BTreeMap<NodeId, Hello>,
    members: &mut Vec<NodeId>,
    refused: &mut Vec<(NodeId, String)>,
) {
    let of = |members: &[NodeId]| members.iter().filter_map(|id| hellos.get(id)).collect::<Vec<_>>();
    while let Some(best) = of(members).iter().map(|hello| hello.version).max() {
        let known = of(members).iter().map(|hello| hello.newest_schema).min().unwrap_or_default();
        let all = of(members);
        let Some(unreadable) =
            all.iter().find(|hello| hello.version == best && hello.schema > known && hello.id != dc.id)
        else {
            return;
        };
        let (major, minor) = unreadable.schema;
        let reason = format!(
            "the CIB of {} would be the newest, and its schema pacemaker-{major}.{minor} is not known to all members: \
             upgrade them first",
            unreadable.name
        );
        refused.push((unreadable.id, reason));
        members.retain(|id| *id != unreadable.id);
    }
}

/// Major and minor number of a feature set.
fn release(feature_set: &str) -> (u64, u64) {
    let numbers = cib::feature_numbers(feature_set);
    let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
    (number(0), number(1))
}

/// Why a member may not take part (rule 4.22.3).
fn refusal(dc: &Hello, hello: &Hello) -> Option<String> {
    let (major, minor) = release(&dc.feature_set);
    let (own_major, own_minor) = release(&hello.feature_set);
    (major != own_major || own_minor < minor).then(|| {
        format!(
            "feature set {} of {} cannot join a cluster with feature set {}: install compatible versions",
            hello.feature_set, hello.name, dc.feature_set
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(id: u32, name: &str, version: (u32, u32, u32), digest: &str) -> Hello {
        let mut hello = Hello::new(&Config::plain(id, name, &[]));
        hello.version = Version { admin_epoch: version.0, epoch: version.1, num_updates: version.2 };
        hello.digest = digest.to_owned();
        hello
    }

    fn round(hellos: Vec<Hello>) -> Decision {
        decide(&hellos.into_iter().map(|hello| (hello.id, hello)).collect()).expect("somebody is there")
    }

    /// Rule 4.23.7.
    #[test]
    fn the_highest_version_wins_and_ties_go_to_the_dc() {
        let decision = round(vec![
            hello(1, "b", (0, 5, 1), "x"),
            hello(2, "a", (0, 5, 1), "y"),
            hello(3, "c", (0, 4, 9), "z"),
        ]);
        assert_eq!((decision.dc, decision.cib_from), (NodeId(2), NodeId(2)));
        assert!(decision.copy_needed);
        let decision = round(vec![hello(1, "b", (0, 6, 0), "x"), hello(2, "a", (0, 5, 1), "y")]);
        assert_eq!((decision.dc, decision.cib_from), (NodeId(2), NodeId(1)));
    }

    #[test]
    fn equal_copies_need_no_transfer() {
        assert!(!round(vec![hello(1, "b", (0, 5, 1), "x"), hello(2, "a", (0, 5, 1), "x")]).copy_needed);
    }

    /// Rules 4.21.3 and 4.21.4.
    #[test]
    fn the_incumbent_of_the_quorate_side_stays_dc_unless_it_leaves() {
        let mut lone = hello(1, "a", (0, 1, 0), "x");
        lone.is_dc = true;
        let mut dc = hello(2, "b", (0, 1, 0), "x");
        (dc.is_dc, dc.was_quorate) = (true, true);
        assert_eq!(round(vec![lone.clone(), dc.clone()]).dc, NodeId(2));
        dc.shutting_down = Some(5);
        assert_eq!(round(vec![lone, dc]).dc, NodeId(1));
    }

    #[test]
    fn of_two_with_one_name_the_one_that_was_there_stays() {
        let mut old = hello(3, "web", (0, 1, 0), "x");
        old.fresh = false;
        let decision = round(vec![hello(1, "WEB", (0, 1, 0), "x"), hello(2, "b", (0, 1, 0), "x"), old]);
        assert_eq!(decision.members, [NodeId(2), NodeId(3)]);
        let (id, reason) = &decision.refused[0];
        assert_eq!((*id, reason.contains("the name WEB belongs to the node with id 3")), (NodeId(1), true));
    }

    /// Rule 4.22.3: one node with a schema from the future must not end all others.
    #[test]
    fn a_best_cib_that_others_cannot_read_is_refused() {
        let (old, mut new) = (hello(1, "a", (0, 5, 0), "x"), hello(2, "b", (0, 6, 0), "y"));
        (new.schema, new.newest_schema) = ((5, 0), (5, 0));
        let decision = round(vec![old.clone(), new.clone()]);
        assert_eq!((decision.members, decision.cib_from), (vec![NodeId(1)], NodeId(1)));
        assert!(decision.refused[0].1.contains("schema pacemaker-5.0"), "{:?}", decision.refused);
        // it takes what the others have
        new.version.epoch = 4;
        assert_eq!(round(vec![old.clone(), new.clone()]).members.len(), 2);
        // all know it
        new.version.epoch = 6;
        let other = Hello { newest_schema: (5, 0), ..old };
        assert_eq!(round(vec![other, new]).cib_from, NodeId(2));
    }

    /// Rules 4.22.3 and 4.41.3.
    #[test]
    fn an_older_feature_set_leads_and_another_major_is_refused() {
        let mut old = hello(3, "c", (0, 1, 0), "x");
        old.feature_set = "3.19.0".to_owned();
        assert_eq!(round(vec![hello(1, "a", (0, 1, 0), "x"), old.clone()]).dc, NodeId(3));
        old.feature_set = "2.1.0".to_owned();
        let mut stands = hello(1, "a", (0, 1, 0), "x");
        stands.fresh = false;
        let decision = round(vec![stands.clone(), old.clone()]);
        assert_eq!((decision.dc, decision.refused[0].0), (NodeId(1), NodeId(3)), "who was there before");
        (stands.fresh, old.fresh) = (true, false);
        let decision = round(vec![stands, old]);
        assert_eq!((decision.dc, decision.refused[0].0), (NodeId(3), NodeId(1)));
    }
}
