//! Checks of meaning, beyond what a schema can say (rule 5c.6): names that lead nowhere, values that
//! are not accepted, settings that exclude each other, orderings that go in circles.
//!
//! Errors and warnings are those of the compatible verification; notes are findings that never make a
//! configuration invalid, such as a name that is probably misspelt.

mod constraints;
mod cycles;
mod resources;

#[cfg(test)]
mod tests;

use crate::config::{Configuration, Constraint, FencingTarget, NodeKind, Resource, ResourceKind};
use crate::iso8601::DateTime;
use crate::notice::{Notice, Place, Severity};
use crate::nvpair::{Block, Pair};
use crate::options::{self, ClusterOptions, OptionInfo, closest};
use crate::rule::RuleInput;
use crate::text::Text;
use crate::typed::Cib;
use crate::value::{HealthScores, Score, ScoreText};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// Checks a configuration. `now` decides which rules on cluster options apply. The notices of
/// [`Cib::from_document`] are not repeated.
pub fn verify(cib: &Cib, now: DateTime) -> Vec<Notice> {
    let effective = cib.cluster_options(&RuleInput::at(now));
    let configuration = &cib.configuration;
    let mut check = Check {
        configuration,
        options: &effective.options,
        known: Known::of(configuration),
        notices: effective.notices.clone(),
    };
    check.fencing_is_possible();
    check.cluster_option_names();
    check.all_resources();
    check.all_constraints();
    check.order_cycles();
    check.fencing_topology();
    check.tags();
    check.notices
}

/// What may have come in with a change by mistake, in words: names that are close to a known one but not it,
/// values that the option does not take, constraints that cannot hold, orderings that go in circles. What a change
/// brought is what was not there before it.
pub fn slips(cib: &Cib, now: DateTime) -> Slips {
    let effective = cib.cluster_options(&RuleInput::at(now));
    let mut check = Check {
        configuration: &cib.configuration,
        options: &effective.options,
        known: Known::of(&cib.configuration),
        notices: Vec::new(),
    };
    check.cluster_option_names();
    check.names_and_values();
    check.all_constraints();
    check.order_cycles();
    Slips(check.notices.into_iter().map(|notice| (notice.place.id, notice.text)).collect())
}

/// Probable mistakes with the element's id: the same may be made in several places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slips(BTreeSet<(Option<Text>, String)>);

impl Slips {
    /// Each in words, once.
    #[must_use]
    pub fn texts(&self) -> BTreeSet<String> {
        self.since(&Slips::default())
    }

    /// What was not there before.
    #[must_use]
    pub fn since(&self, before: &Slips) -> BTreeSet<String> {
        self.0.difference(&before.0).map(|(_, text)| text.clone()).collect()
    }
}

/// Constraints that wish for a node which is not known, and so do nothing. One that bans a resource from such a
/// node cannot be broken.
pub fn idle_wishes(cib: &Cib) -> Vec<Notice> {
    let locations = cib.configuration.constraints.iter().filter_map(|constraint| match constraint {
        Constraint::Location(location) => Some(location),
        _ => None,
    });
    let known = Known::of(&cib.configuration);
    let is_ban =
        |score: &ScoreText| score.resolve(&HealthScores::default()).is_some_and(|it| it < Score::ZERO);
    let wishes = locations.filter(|location| !location.score.as_ref().is_some_and(is_ban));
    let idle = wishes.filter_map(|location| {
        let text = constraints::unknown_node(&known, location)?;
        let place =
            Place { element: "rsc_location".into(), id: Some(location.id.clone()), line: location.line };
        Some(Notice::new(Severity::Warning, place, text))
    });
    idle.collect()
}

/// True if a notice makes tools report an invalid or doubtful configuration.
pub fn counts(notice: &Notice) -> bool {
    notice.severity > Severity::Note
}

/// Names of more replicas than this are not worth knowing.
const MAX_BUNDLE_NODES: u32 = 1000;

struct Check<'c> {
    configuration: &'c Configuration,
    options: &'c ClusterOptions,
    known: Known<'c>,
    notices: Vec<Notice>,
}

/// Everything that a reference may name.
struct Known<'c> {
    resources: BTreeMap<&'c str, &'c Resource>,
    templates: BTreeSet<&'c str>,
    tags: BTreeMap<&'c str, &'c [Text]>,
    nodes: BTreeSet<String>,
    /// So many more times a like name is looked for: that takes as long as there are names.
    hints_left: Cell<usize>,
}

/// How many unknown names get a like one suggested.
const MOST_HINTS: usize = 100;

impl<'c> Known<'c> {
    fn of(configuration: &'c Configuration) -> Known<'c> {
        let mut known = Known {
            resources: BTreeMap::new(),
            templates: configuration.templates.iter().map(|template| &*template.id).collect(),
            tags: configuration.tags.iter().map(|tag| (&*tag.id, &*tag.members)).collect(),
            nodes: configuration
                .nodes
                .iter()
                .filter_map(|node| node.uname.as_deref())
                .map(str::to_owned)
                .collect(),
            hints_left: Cell::new(MOST_HINTS),
        };
        let mut pending: Vec<&Resource> = configuration.resources.iter().collect();
        while let Some(resource) = pending.pop() {
            known.resources.insert(&resource.id, resource);
            known.nodes.extend(remote_node_names(resource));
            pending.extend(resource.children());
        }
        known
    }

    /// What `name` may have been meant to be, of `candidates`, as a hint.
    fn hint<'n>(&self, candidates: impl IntoIterator<Item = &'n str>, name: &str) -> String {
        let Some(left) = self.hints_left.get().checked_sub(1) else { return String::new() };
        self.hints_left.set(left);
        hint(closest(candidates, name))
    }

    /// A resource, template or tag of that name exists. A clone's child may be named with an instance number.
    fn has(&self, id: &str) -> bool {
        self.resources.contains_key(id)
            || self.templates.contains(id)
            || self.tags.contains_key(id)
            || self.is_instance(id)
    }

    fn is_instance(&self, id: &str) -> bool {
        id.rsplit_once(':').is_some_and(|(base, number)| {
            number.bytes().all(|byte| byte.is_ascii_digit()) && self.resources.contains_key(base)
        })
    }

    fn names(&self) -> impl Iterator<Item = &'c str> + '_ {
        self.resources.keys().copied().chain(self.templates.iter().copied()).chain(self.tags.keys().copied())
    }

    fn has_node(&self, name: &str) -> bool {
        self.nodes.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Nodes that a resource brings: remote nodes, guest nodes, bundle nodes.
fn remote_node_names(resource: &Resource) -> Vec<String> {
    let mut names: Vec<String> = all_pairs(&resource.meta)
        .filter(|pair| &*pair.name == "remote-node")
        .map(|pair| pair.value.to_string())
        .collect();
    let is_connection = resource.as_primitive().is_some_and(|primitive| {
        primitive.class.as_deref() == Some("ocf")
            && primitive.provider.as_deref() == Some("pacemaker")
            && primitive.agent_type.as_deref() == Some("remote")
    });
    if is_connection {
        names.push(resource.id.to_string());
    }
    if let ResourceKind::Bundle(bundle) = &resource.kind {
        let replicas =
            bundle.container.as_ref().map_or(0, |container| container.replicas.min(MAX_BUNDLE_NODES));
        names.extend((0..replicas).map(|number| format!("{}-{number}", resource.id)));
    }
    names
}

/// Every pair of the blocks, whether or not a rule lets it apply at the moment.
fn all_pairs(blocks: &[Block]) -> impl Iterator<Item = &Pair> {
    blocks.iter().flat_map(|block| &block.pairs)
}

/// ` (did you mean 'x'?)`, or nothing.
fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(" (did you mean '{name}'?)"))
}

impl<'c> Check<'c> {
    fn report(
        &mut self,
        severity: Severity,
        element: &str,
        id: Option<&Text>,
        line: u32,
        text: impl Into<String>,
    ) {
        let place = Place { element: Text::from(element), id: id.cloned(), line };
        self.notices.push(Notice::new(severity, place, text));
    }

    fn report_pair(&mut self, severity: Severity, pair: &Pair, text: impl Into<String>) {
        self.report(severity, "nvpair", pair.id.as_ref(), pair.line, text);
    }

    fn fencing_is_possible(&mut self) {
        let options = self.options;
        if !options.fencing_enabled || options.have_watchdog {
            return;
        }
        let is_device = |resource: &&Resource| {
            resource.identity().class.is_some_and(|class| class.eq_ignore_ascii_case("stonith"))
        };
        if self.known.resources.values().any(is_device)
            || self.configuration.templates.iter().any(|t| is_device(&t))
        {
            return;
        }
        let text = "Resource start-up disabled since no fencing resources have been defined. Either configure some or \
                    disable fencing with the fencing-enabled option. NOTE: Clusters with shared data need fencing to \
                    ensure data integrity.";
        self.report(Severity::Error, "crm_config", None, 0, text);
    }

    fn cluster_option_names(&mut self) {
        let configuration = self.configuration;
        for pair in all_pairs(&configuration.cluster_properties) {
            self.option_name(pair, options::CLUSTER_OPTIONS, "cluster option");
        }
    }

    /// A value that the option does not take.
    fn option_value(&mut self, pair: &Pair, table: &'static [OptionInfo], what: &str) {
        let Some(option) = options::find(table, &pair.name) else { return };
        let is_default = pair.value.is_empty() || pair.value.eq_ignore_ascii_case("#default");
        let Some(expected) = option.kind.expects(&pair.value).filter(|_| !is_default) else { return };
        let text = format!("'{}' is no value for the {what} '{}': use {expected}", pair.value, pair.name);
        let text = text + &hint(closest(option.kind.words().iter().copied(), &pair.value));
        self.report_pair(Severity::Note, pair, text);
    }

    /// A name that is close to a known one but not it is probably misspelt; others may be anybody's.
    fn option_name(&mut self, pair: &Pair, table: &'static [OptionInfo], what: &str) {
        if options::find(table, &pair.name).is_some() {
            return;
        }
        if let Some(suggestion) = options::did_you_mean(table, &pair.name) {
            let text = format!("Unknown {what} '{}'{}", pair.name, hint(Some(suggestion)));
            self.report_pair(Severity::Note, pair, text);
        }
    }

    fn fencing_topology(&mut self) {
        let configuration = self.configuration;
        for level in &configuration.fencing_levels {
            if let FencingTarget::Node(name) = &level.target {
                if !self.known.has_node(name) {
                    let text = format!("Fencing level {} is for '{name}', which is no node", level.id);
                    let text = text + &hint(closest(self.known.nodes.iter().map(String::as_str), name));
                    self.report(Severity::Note, "fencing-level", Some(&level.id), level.line, text);
                }
            }
            for device in level.devices.iter().filter(|device| &***device != "watchdog") {
                if !self.known.resources.contains_key(&**device) {
                    let text =
                        format!("Fencing level {} names '{device}', which is no fence device", level.id);
                    let text = text + &hint(closest(self.known.resources.keys().copied(), device));
                    self.report(Severity::Note, "fencing-level", Some(&level.id), level.line, text);
                }
            }
        }
    }

    fn tags(&mut self) {
        let configuration = self.configuration;
        for tag in &configuration.tags {
            if self.known.resources.contains_key(&*tag.id) {
                let text =
                    format!("Tag '{}' has the name of a resource, so constraints never see it", tag.id);
                self.report(Severity::Note, "tag", Some(&tag.id), tag.line, text);
            }
        }
    }
}

/// True if some block sets `name` to a true word.
fn says_true(blocks: &[Block], name: &str) -> bool {
    all_pairs(blocks)
        .any(|pair| &*pair.name == name && crate::value::parse_boolean(&pair.value) == Some(true))
}

/// Nodes of the configuration that the scheduler will use.
fn usable_nodes(configuration: &Configuration) -> usize {
    configuration.nodes.iter().take_while(|node| !matches!(node.kind, NodeKind::Other(_))).count()
}
