//! This node's copy of the CIB: the only place of the crate that holds the document.
//!
//! Every change is made by an operation in total order, with the same result on every node. The rest of
//! the crate gives text in and gets text or typed values out.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cib::config::{NodeKind, Resource, ResourceKind};
use cib::iso8601::DateTime;
use cib::live::HistoryChange;
use cib::options::ClusterOptions;
use cib::rule::RuleInput;
use cib::text::Text;
use cib::{CibDocument, Origin};

use crate::alerts::Alerts;
use crate::fencing::devices::Devices;
use crate::history::History;
use crate::join::{FEATURE_SET, Schema, schema_number};
use crate::membership::NodeId;
use crate::request::{CibChange, CibOperation, CibQuery, Client, Refusal, RefusalCode};
use crate::text::xpath_literal;

pub use cib::Version;

/// The scheduler makes no more replicas of a bundle than this.
const MOST_REPLICAS: u32 = 200;

/// The replica.
#[derive(Clone, Debug)]
pub struct Replica {
    document: CibDocument,
    /// Histories (node, resource) of which the document does not show the newest yet, with their places in the
    /// order in which they fell behind. Whoever looks at the status has them written first.
    behind: BTreeMap<(NodeId, String), usize>,
    /// The typed form, made when asked for; forgotten with each change.
    typed: OnceCell<Arc<cib::Cib>>,
    /// What depends on the configuration only.
    settings: OnceCell<Settings>,
    names: OnceCell<Names>,
    /// Every value in the configuration.
    words: OnceCell<BTreeSet<String>>,
}

#[derive(Clone, Debug)]
struct Settings {
    options: ClusterOptions,
    values: Vec<(String, String)>,
}

/// What the configuration names, whatever the time is.
#[derive(Clone, Debug)]
struct Names {
    /// Id, name and whether it is a cluster node, of each node of the configuration.
    nodes: Vec<(String, String, bool)>,
    /// The executor's names of each resource that is no primitive, and of those in it.
    executor_ids: BTreeMap<String, Vec<String>>,
}

/// What a client's change came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Of a dry run: the document that would be.
    pub would_be: Option<String>,
    pub warnings: Vec<String>,
    /// Attributes of the root changed: no new epoch, but what is on disk is old.
    pub root: bool,
}

impl Replica {
    /// The replica of a starting node, from what was on disk; and what there is to say about that.
    #[must_use]
    pub fn load(text: Option<&str>) -> (Replica, Vec<String>) {
        let (document, problems) = match text.map(from_disk) {
            Some(Ok(document)) => (document, Vec::new()),
            Some(Err(problem)) => {
                let text = format!("the stored CIB cannot be used, starting with an empty one: {problem}");
                (empty(), vec![text])
            }
            None => (empty(), Vec::new()),
        };
        (
            Replica {
                document,
                behind: BTreeMap::new(),
                typed: OnceCell::new(),
                settings: OnceCell::new(),
                names: OnceCell::new(),
                words: OnceCell::new(),
            },
            problems,
        )
    }

    /// Why a stored CIB must be left alone: its schema is not known here (rule 4.23.3). Starting without it would
    /// replace a configuration that another version of this program understands.
    #[must_use]
    pub fn unknown_schema(text: &str) -> Option<String> {
        let document = CibDocument::parse(text).ok()?;
        let problem = cib::upgrade::declared_schema(document.document())
            .err()
            .filter(|problem| matches!(problem, cib::upgrade::UpgradeError::UnknownSchema(_)))?;
        Some(format!(
            "the stored CIB cannot be used: {problem}. Upgrade this program; or, to take what the other nodes have, \
             remove cib.xml and cib.xml.sig"
        ))
    }

    /// The version of the replica.
    #[must_use]
    pub fn version(&self) -> Version {
        self.document.version()
    }

    /// Number of the schema that the document declares.
    #[must_use]
    pub fn schema(&self) -> Schema {
        schema_number(self.document.schema())
    }

    /// The document, for those who look at its status.
    fn shown(&self) -> &CibDocument {
        debug_assert!(self.is_up_to_date(), "the status is looked at while histories are behind");
        &self.document
    }

    /// The same, for changes.
    fn shown_mut(&mut self) -> &mut CibDocument {
        debug_assert!(self.is_up_to_date(), "the status is changed while histories are behind");
        &mut self.document
    }

    /// Digest by which replicas are compared.
    #[must_use]
    pub fn digest(&self) -> String {
        self.shown().digest()
    }

    /// The whole document, status included.
    #[must_use]
    pub fn text(&self) -> String {
        self.shown().document().to_string()
    }

    /// The whole document with `execution-date`, as inputs of plans are saved.
    #[must_use]
    pub fn text_at(&self, now: i64) -> String {
        let mut document = self.shown().document().clone();
        let root = document.root();
        document.set_attribute(root, "execution-date", &now.to_string());
        document.to_pretty()
    }

    /// What is kept on disk, and its signature.
    #[must_use]
    pub fn file_text(&self) -> (String, String) {
        let mut document = self.document.without_status().into_document();
        let root = document.root();
        document.set_attribute(root, "num_updates", "0");
        match CibDocument::from_document(document) {
            Ok(kept) => (kept.to_file(), kept.signature()),
            Err(_) => (self.document.to_file(), self.document.signature()),
        }
    }

    /// The typed form of the whole document.
    #[must_use]
    pub fn typed(&self) -> Arc<cib::Cib> {
        self.typed.get_or_init(|| Arc::new(cib::Cib::from_document(self.shown().document()).0)).clone()
    }

    /// A typed form whose configuration is right; its status may be older.
    fn configured(&self) -> Arc<cib::Cib> {
        if self.is_up_to_date() {
            return self.typed();
        }
        let known = self.typed.get().cloned();
        known.unwrap_or_else(|| Arc::new(cib::Cib::from_document(self.document.document()).0))
    }

    /// Becomes a copy of another replica. Refused, with the reason, if the text is no CIB this program knows.
    pub fn adopt(&mut self, text: &str) -> Result<(), String> {
        let document = CibDocument::parse(text).map_err(|refusal| refusal.to_string())?;
        cib::upgrade::declared_schema(document.document()).map_err(|error| error.to_string())?;
        self.document = document;
        self.forget(true);
        Ok(())
    }

    /// Applies changes that follow from what the cluster itself does, as one step.
    pub fn apply(&mut self, changes: &[CibOperation], node: &str, at: i64) -> Result<(), String> {
        let origin = Origin { node: node.to_owned(), client: "systole".to_owned(), at, ..Origin::default() };
        let outcome = match changes {
            [one] => self.shown_mut().apply(one, &origin),
            all => self.shown_mut().apply(&CibOperation::Transaction(all.to_vec()), &origin),
        };
        let applied = outcome.map_err(|refusal| refusal.to_string())?;
        if applied.changed() {
            self.forget(
                applied.before.epoch != applied.after.epoch
                    || applied.touched.configuration
                    || applied.touched.root,
            );
        }
        Ok(())
    }

    /// Takes one step of the version for news of these histories. They are written when they are wanted
    /// ([`Replica::catch_up`]), for most are followed by others before anybody looks; but at once if one of them
    /// ends, for its place in the status would depend on whether it had been written.
    pub fn fall_behind<'a>(&mut self, history: &History, of: impl IntoIterator<Item = (NodeId, &'a str)>) {
        let mut ends = false;
        for (node, resource) in of {
            let place = self.behind.len();
            self.behind.entry((node, resource.to_owned())).or_insert(place);
            ends |= !history.shows(node, resource);
        }
        self.document.step();
        self.forget(false);
        if ends {
            self.catch_up(history);
        }
    }

    /// Whether the status shows all that is known.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.behind.is_empty()
    }

    /// Writes what fell behind, in the order in which it did: the document becomes the same whenever, and however
    /// often, this is called.
    pub fn catch_up(&mut self, history: &History) {
        if self.is_up_to_date() {
            return;
        }
        let mut behind: Vec<((NodeId, String), usize)> =
            std::mem::take(&mut self.behind).into_iter().collect();
        behind.sort_by_key(|(_, place)| *place);
        let changes: Vec<HistoryChange<'_>> =
            behind.iter().map(|((node, resource), _)| history.change(*node, resource)).collect();
        self.document.write_histories_late(&changes);
    }

    /// Makes the status show these histories, as one step.
    pub fn write_histories(&mut self, changes: &[HistoryChange<'_>]) {
        if self.shown_mut().write_histories(changes).changed() {
            self.forget(false);
        }
    }

    /// The resources of which the status has a history, by their nodes (id, name).
    #[must_use]
    pub fn histories(&self) -> Vec<(String, String, Vec<String>)> {
        let status = self.shown().document().root_element().child("status");
        let states = status.into_iter().flat_map(|status| status.children_named("node_state"));
        let of_state = |state: xml::Element<'_>| {
            let id = state.attr("id").unwrap_or_default();
            let name = state.attr("uname").unwrap_or(id);
            let resources = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
            let resources = resources.into_iter().flat_map(|all| all.children_named("lrm_resource"));
            let resources = resources.filter_map(|one| one.attr("id"));
            (id.to_owned(), name.to_owned(), resources.map(str::to_owned).collect())
        };
        states.map(of_state).collect()
    }

    /// Applies a client's change. A dry run changes nothing and answers with the document that would be.
    /// `feature_set`: what all members have, so that all decide alike.
    pub fn change(
        &mut self,
        change: &CibChange,
        node: &str,
        at: i64,
        feature_set: &str,
    ) -> Result<Changed, Refusal> {
        let origin = Origin {
            node: node.to_owned(),
            client: change.client.program.clone(),
            user: change.client.user.clone(),
            restricted: self.restriction(&change.client),
            at,
            feature_set: feature_set.to_owned(),
        };
        if change.dry_run {
            let mut copy = self.shown().clone();
            copy.apply(&change.operation, &origin).map_err(refusal)?;
            return Ok(Changed { would_be: Some(copy.to_file()), ..Changed::default() });
        }
        let applied = self.shown_mut().apply(&change.operation, &origin).map_err(refusal)?;
        if applied.changed() {
            self.forget(true);
        }
        let warnings = applied.warnings.iter().map(ToString::to_string).collect();
        Ok(Changed { would_be: None, warnings, root: applied.touched.root })
    }

    /// Names and values in the configuration that are probably mistakes.
    #[must_use]
    pub fn slips(&self, now: DateTime) -> cib::verify::Slips {
        cib::verify::slips(&self.typed(), now)
    }

    /// Answers a query.
    pub fn query(&self, query: &CibQuery) -> Result<String, Refusal> {
        let query = cib::Query {
            scope: query.scope.clone(),
            xpath: query.xpath.clone(),
            paths_only: query.paths_only,
            no_children: query.no_children,
            restricted: self.restriction(&query.client),
        };
        self.shown().query(&query).map_err(refusal)
    }

    /// Whether anything matches.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        xml::xpath::select(self.shown().document(), path).is_ok_and(|found| !found.is_empty())
    }

    /// Whether anything in the configuration has this value: the name of a node attribute is one where a rule
    /// or a constraint looks at it.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        let words = || -> BTreeSet<String> {
            let document = self.document.document();
            let configuration = document.child(document.root(), "configuration");
            let elements = configuration.into_iter().flat_map(|top| document.descendants(top));
            let values = elements.flat_map(|node| document.attributes(node));
            values.map(|(_, value)| value.to_owned()).collect()
        };
        self.words.get_or_init(words).contains(name)
    }

    /// Cluster options in force. Rules with dates count as of the last change of the configuration.
    #[must_use]
    pub fn options(&self, now: DateTime) -> &ClusterOptions {
        &self.settings(now).options
    }

    /// The value of a cluster property, if it is set.
    #[must_use]
    pub fn property(&self, name: &str, now: DateTime) -> Option<String> {
        let values = &self.settings(now).values;
        values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// Fence devices and topology.
    #[must_use]
    pub fn devices(&self, now: DateTime) -> Devices {
        Devices::read(&self.configured(), &RuleInput::at(now))
    }

    /// The alerts of the configuration, going on from those before.
    #[must_use]
    pub fn alerts(&self, mut known: Alerts, now: DateTime) -> Alerts {
        known.configure(&self.configured().configuration.alerts, &RuleInput::at(now));
        known
    }

    /// Ids and names of the cluster nodes in the configuration.
    #[must_use]
    pub fn cluster_nodes(&self) -> Vec<(String, String)> {
        let nodes = &self.names().nodes;
        nodes
            .iter()
            .filter(|(_, _, member)| *member)
            .map(|(id, name, _)| (id.clone(), name.clone()))
            .collect()
    }

    /// Ids and names of all nodes in the configuration, remote ones that only a resource makes included.
    #[must_use]
    pub fn all_nodes(&self) -> Vec<(String, String)> {
        self.names().nodes.iter().map(|(id, name, _)| (id.clone(), name.clone())).collect()
    }

    /// Whether the node is configured as a remote one.
    #[must_use]
    pub fn is_remote(&self, id: &str) -> bool {
        self.names().nodes.iter().any(|(known, _, member)| known == id && !member)
    }

    /// The executor's names of all primitives in a resource (itself, or what a collective contains).
    #[must_use]
    pub fn executor_ids(&self, id: &str) -> Vec<String> {
        self.names().executor_ids.get(id).cloned().unwrap_or_else(|| vec![id.to_owned()])
    }

    fn restriction(&self, client: &Client) -> Option<cib::acl::User> {
        // whether there are ACLs at all is not for rules with dates
        let enabled =
            || self.configured().cluster_options(&RuleInput::at(DateTime::EPOCH)).options.enable_acl;
        let is_restricted = client.restricted && enabled();
        is_restricted.then(|| cib::acl::User {
            name: client.user.clone().unwrap_or_default(),
            groups: client.groups.clone(),
        })
    }

    fn settings(&self, now: DateTime) -> &Settings {
        self.settings.get_or_init(|| {
            let typed = self.configured();
            let effective = typed.cluster_options(&RuleInput::at(now));
            let values =
                effective.values.iter().map(|(name, value)| (name.to_string(), value.text.to_string()));
            Settings { values: values.collect(), options: effective.options }
        })
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            let typed = self.configured();
            let entries = typed.configuration.nodes.iter().map(|node| {
                let name = node.uname.as_deref().unwrap_or(&node.id).to_owned();
                (node.id.to_string(), name, node.kind == NodeKind::Member)
            });
            let mut nodes: Vec<(String, String, bool)> = entries.collect();
            for name in typed.configuration.resources.iter().flat_map(remote_nodes) {
                if !nodes.iter().any(|(_, known, _)| known.eq_ignore_ascii_case(&name)) {
                    nodes.push((name.clone(), name, false));
                }
            }
            let mut executor_ids = BTreeMap::new();
            for resource in &typed.configuration.resources {
                note_executor_ids(resource, &mut executor_ids);
            }
            Names { nodes, executor_ids }
        })
    }

    fn forget(&mut self, configuration: bool) {
        self.typed = OnceCell::new();
        if configuration {
            self.settings = OnceCell::new();
            self.names = OnceCell::new();
            self.words = OnceCell::new();
        }
    }
}

/// A CIB older than any other (rule 4.23.9).
fn empty() -> CibDocument {
    let mut document = CibDocument::empty(cib::upgrade::NEWEST, FEATURE_SET).into_document();
    let root = document.root();
    for counter in cib::version::VERSION_ATTRIBUTES {
        document.set_attribute(root, counter, "0");
    }
    CibDocument::from_document(document).expect("an empty CIB is a CIB")
}

/// Reads what was on disk: without status and DC (rule 4.23.9).
fn from_disk(text: &str) -> Result<CibDocument, String> {
    let stored = CibDocument::parse(text).map_err(|refusal| refusal.to_string())?;
    cib::upgrade::declared_schema(stored.document()).map_err(|error| error.to_string())?;
    let mut document = stored.without_status().into_document();
    let root = document.root();
    document.remove_attribute(root, "dc-uuid");
    document.set_attribute(root, "num_updates", "0");
    CibDocument::from_document(document).map_err(|refusal| refusal.to_string())
}

/// Names of the remote, guest and bundle nodes that a resource makes (rule 4.70.1).
fn remote_nodes(resource: &Resource) -> Vec<String> {
    match &resource.kind {
        ResourceKind::Primitive(primitive) => {
            let is = |text: &Option<Text>, word: &str| {
                text.as_deref().is_some_and(|text| text.eq_ignore_ascii_case(word))
            };
            let is_connection = is(&primitive.class, "ocf")
                && is(&primitive.provider, "pacemaker")
                && is(&primitive.agent_type, "remote");
            let pairs = resource.meta.iter().flat_map(|block| &block.pairs);
            let guest = pairs.rev().find(|pair| *pair.name == *"remote-node").map(|pair| &*pair.value);
            let name = if is_connection { Some(&*resource.id) } else { guest };
            name.map(str::to_owned).into_iter().collect()
        }
        ResourceKind::Group(members) => members.iter().flat_map(remote_nodes).collect(),
        ResourceKind::Bundle(bundle) if bundle.primitive.is_some() => {
            let replicas =
                bundle.container.as_ref().map_or(0, |container| container.replicas.min(MOST_REPLICAS));
            (0..replicas).map(|number| format!("{}-{number}", resource.id)).collect()
        }
        _ => Vec::new(),
    }
}

/// Notes the names for the resource and all in it; gives those of the resource.
fn note_executor_ids(resource: &Resource, ids: &mut BTreeMap<String, Vec<String>>) -> Vec<String> {
    let inner: Vec<&Resource> = match &resource.kind {
        ResourceKind::Primitive(_) | ResourceKind::Clone(None) => return vec![resource.id.to_string()],
        ResourceKind::Group(members) => members.iter().collect(),
        ResourceKind::Clone(Some(inner)) => vec![inner],
        ResourceKind::Bundle(bundle) => bundle.primitive.iter().collect(),
    };
    let primitives: Vec<String> = inner.into_iter().flat_map(|one| note_executor_ids(one, ids)).collect();
    let own = std::iter::once(resource.id.to_string());
    ids.insert(resource.id.to_string(), own.chain(primitives.iter().cloned()).collect());
    primitives
}

/// A document's refusal in the words of this crate.
fn refusal(refusal: cib::Refusal) -> Refusal {
    use cib::RefusalCode as Code;
    let code = match refusal.code {
        Code::NotFound => RefusalCode::NotFound,
        Code::Exists => RefusalCode::Exists,
        Code::Invalid => RefusalCode::Invalid,
        Code::Unparsable => RefusalCode::Unparsable,
        Code::PatchFailed => RefusalCode::PatchFailed,
        Code::DigestMismatch => RefusalCode::DigestMismatch,
        Code::Schema => RefusalCode::Schema,
        Code::OldVersion => RefusalCode::OldVersion,
        Code::Denied => RefusalCode::Denied,
    };
    let mut message = refusal.to_string();
    for detail in &refusal.details {
        message.push('\n');
        message.push_str(detail);
    }
    Refusal { code, message }
}

/// The path of a node's state.
#[must_use]
pub fn node_state_path(id: &str) -> String {
    format!("/cib/status/node_state[@id={}]", xpath_literal(id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::history::tests::entry;
    use crate::history::{Entry, InFlight, InFlightKey};
    use crate::operation::AgentName;

    /// What happens to the history of one of a few resources on one of two nodes.
    #[derive(Clone, Debug)]
    enum News {
        Ordered,
        Done { failed: bool, reloadable: bool },
        Dropped,
        Forgotten,
    }

    fn news() -> impl Strategy<Value = (u32, usize, u64, News)> {
        let what = prop_oneof![
            3 => Just(News::Ordered),
            3 => any::<(bool, bool)>().prop_map(|(failed, reloadable)| News::Done { failed, reloadable }),
            1 => Just(News::Dropped),
            1 => Just(News::Forgotten),
        ];
        (1..3u32, 0..3usize, prop_oneof![Just(0u64), Just(10_000)], what)
    }

    fn take(history: &mut History, number: usize, node: NodeId, resource: &str, interval: u64, news: &News) {
        let agent = AgentName { class: "ocf".into(), provider: Some("x".into()), agent_type: "y".into() };
        let operation = if interval == 0 { "start" } else { "monitor" };
        let key = InFlightKey {
            node,
            resource: resource.into(),
            key: format!("{resource}_{operation}_{interval}"),
        };
        let mut entry = Entry {
            call_id: number as i64,
            migration: number.is_multiple_of(3).then(|| ("node1".into(), "node2".into())),
            ..entry(operation, interval, 0)
        };
        match news {
            News::Ordered => {
                let digest = String::new();
                let one =
                    InFlight { agent, entry, recorded: !number.is_multiple_of(7), digest, anonymous: false };
                history.in_flight.insert(key, one);
            }
            News::Done { failed, reloadable } => {
                history.in_flight.remove(&key);
                entry.exit_code = i32::from(*failed);
                entry.digests.restart = reloadable.then(|| (" a ".into(), "1".into()));
                history.resource_mut(node, resource, &agent).record(resource, &entry);
            }
            News::Dropped => {
                history.in_flight.remove(&key);
            }
            News::Forgotten => {
                history.nodes.entry(node).or_default().remove(resource);
            }
        }
    }

    /// Rule 1.6: what is asked of a configuration first is no reason to see its dates from another moment.
    #[test]
    fn options_bound_to_dates_count_from_the_moment_that_asks() {
        let text = "<cib validate-with='pacemaker-3.0' admin_epoch='0' epoch='1' num_updates='0'><configuration>\
                    <crm_config><cluster_property_set id='s'><rule id='r' score='INFINITY'><date_expression id='d' \
                    operation='gt' start='2020-01-01'/></rule><nvpair id='n' name='cluster-name' value='late'/>\
                    </cluster_property_set></crm_config><nodes><node id='1' uname='a'/></nodes><resources/>\
                    <constraints/></configuration><status/></cib>";
        let (replica, _) = Replica::load(Some(text));
        assert_eq!(replica.cluster_nodes(), [("1".to_owned(), "a".to_owned())]);
        let now = DateTime::from_timestamp(1_700_000_000, 0);
        assert_eq!(replica.property("cluster-name", now).as_deref(), Some("late"));
    }

    proptest! {
        #[test]
        fn replicas_are_equal_whenever_they_catch_up(
            all in proptest::collection::vec((news(), any::<bool>()), 1..40),
        ) {
            let (mut early, mut late) = (Replica::load(None).0, Replica::load(None).0);
            let mut history = History::default();
            for (number, ((node, resource, interval, news), looked_at)) in all.iter().enumerate() {
                let (node, resource) = (NodeId(*node), ["a", "b", "c"][*resource]);
                take(&mut history, number, node, resource, *interval, news);
                for replica in [&mut early, &mut late] {
                    replica.fall_behind(&history, [(node, resource)]);
                }
                if *looked_at {
                    early.catch_up(&history);
                }
            }
            early.catch_up(&history);
            late.catch_up(&history);
            prop_assert_eq!(early.text(), late.text());
        }
    }
}
