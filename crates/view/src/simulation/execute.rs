//! Carries out a graph on paper: every action succeeds unless it is to fail (rules 3.51, 3.52).

use std::collections::BTreeSet;

use cib::value::Timestamp;
use transition::{Action, INFINITY, Kind, Limits, Outcome, Progress, Walker, Work};
use xml::{Document, NodeId};

use super::event::Event;
use super::history::{self, Agent, Record};
use super::index::Histories;
use super::spec::OperationSpec;

/// What the execution is told.
pub(super) struct Settings<'s> {
    /// Operations that fail.
    pub failures: &'s [String],
    /// When everything happens.
    pub clock: Timestamp,
    /// Nodes that get results are added to the configuration if they are not there (rule 3.53.1).
    pub adds_nodes: bool,
    /// All names under which resources are known: ids, and what history calls them.
    pub resources: &'s BTreeSet<String>,
}

/// Executes the graph and records the results; `events` say what was done. Returns false if the graph could
/// not be finished though nothing failed.
pub(super) fn run(
    document: &mut Document,
    graph: transition::Graph,
    settings: &Settings<'_>,
    events: &mut Vec<Event>,
) -> bool {
    let mut execution = Execution {
        resources: settings.resources,
        failures: settings.failures.iter().filter_map(|text| OperationSpec::parse(text).ok()).collect(),
        clock: settings.clock,
        adds_nodes: settings.adds_nodes,
        fatal_starts: graph.failed_start_infinite,
        histories: Histories::default(),
        events,
    };
    let mut walker = Walker::new(graph);
    while let Some(action) = walker.next(&Limits::none()) {
        let outcome = execution.perform(document, &action);
        walker.finish(action.id, outcome);
        if outcome == Outcome::Failed {
            walker.abort(INFINITY);
        }
    }
    walker.progress() != Progress::Stuck
}

struct Execution<'l> {
    resources: &'l BTreeSet<String>,
    failures: Vec<OperationSpec>,
    clock: Timestamp,
    adds_nodes: bool,
    fatal_starts: bool,
    histories: Histories,
    events: &'l mut Vec<Event>,
}

impl Execution<'_> {
    fn perform(&mut self, document: &mut Document, action: &Action) -> Outcome {
        match (action.kind, action.work()) {
            (Kind::Pseudo, _) => self.pseudo(action),
            (_, Work::Fence) => self.fence(document, action),
            (Kind::Cluster, _) => self.cluster(action),
            (Kind::Resource, _) => return self.resource(document, action),
        }
        Outcome::Done
    }

    fn pseudo(&mut self, action: &Action) {
        let node = action.node.as_ref().map(|node| node.name.to_string());
        self.events.push(Event::Pseudo { key: action.key.to_string(), node });
    }

    fn cluster(&mut self, action: &Action) {
        let node = action.node.as_ref().map_or(String::new(), |node| node.name.to_string());
        let resource = action.primitive.as_ref().map(|primitive| primitive.id.to_string());
        self.events.push(Event::Cluster { task: action.operation.to_string(), node, resource });
    }

    fn fence(&mut self, document: &mut Document, action: &Action) {
        let operation = action.fence_operation().map_or("", |operation| &**operation);
        let Some(node) = &action.node else { return };
        let (name, word) = (node.name.to_string(), operation.to_owned());
        self.events.push(Event::Fence { node: name, operation: word });
        if matches!(operation, "off" | "reboot") {
            let state = self.node_state(document, &node.name, &node.id);
            history::set_membership(document, state, false, false);
            history::forget(document, state);
            self.histories = Histories::default();
        }
    }

    fn node_state(&self, document: &mut Document, name: &str, id: &str) -> NodeId {
        if self.adds_nodes {
            history::add_node(document, name);
        }
        history::node_state(document, name, id)
    }

    /// The name that a resource goes by: its configured id if that is an instance's, else the long one (rule 3.51.1).
    fn name_of(&self, action: &Action) -> Option<String> {
        let primitive = action.primitive.as_ref()?;
        let long = primitive.long_id.as_ref().filter(|long| self.resources.contains(&***long));
        match long {
            Some(long) if !self.resources.contains(&*primitive.id) => Some(long.to_string()),
            _ => Some(primitive.id.to_string()),
        }
    }

    fn resource(&mut self, document: &mut Document, action: &Action) -> Outcome {
        let Some((name, primitive)) = self.name_of(action).zip(action.primitive.as_ref()) else {
            return Outcome::Done;
        };
        let Some(node) = action.node.clone() else { return Outcome::Done };
        let interval = action.interval();
        self.events.push(Event::Resource {
            resource: name.clone(),
            task: action.operation.to_string(),
            node: node.name.to_string(),
            interval,
        });
        if matches!(&*action.operation, "delete" | "meta-data") {
            return Outcome::Done;
        }
        let meta = |name: &str| action.meta(name).map(|value| &**value);
        let expected = action.expected_status();
        let failure = self.failure_of(action, &name, &primitive.id, &node.name);
        let record = Record {
            task: &action.operation,
            interval,
            status: failure.unwrap_or(expected),
            expected,
            exit_reason: "User-injected result",
            node: &node.name,
            at: self.clock,
            migrate_source: meta("migrate_source"),
            migrate_target: meta("migrate_target"),
            notify: meta("notify_type").zip(meta("notify_operation")),
            digest: Some(digest(action)),
        };
        let node_id = if action.router.is_some() { node.name.clone() } else { node.id.clone() };
        let state = self.node_state(document, &node.name, &node_id);
        let agent = Agent {
            id: &primitive.id,
            instance: &name,
            class: primitive.class.as_deref().unwrap_or_default(),
            provider: primitive.provider.as_deref(),
            kind: primitive.kind.as_deref().unwrap_or_default(),
        };
        let entry = history::resource(document, &mut self.histories, state, &agent);
        if let Some(status) = failure {
            self.events.push(Event::Failure { action: action.id, status });
            let said = history::count_failure(document, state, &primitive.id, &record, self.fatal_starts);
            self.events.extend(said);
        }
        if let Some(entry) = entry {
            history::record(document, &mut self.histories, entry, &primitive.id, &record);
        }
        if failure.is_some() { Outcome::Failed } else { Outcome::Done }
    }

    /// The exit status with which the action is to fail, if it is.
    fn failure_of(&self, action: &Action, name: &str, configured: &str, node: &str) -> Option<i32> {
        self.failures
            .iter()
            .find(|failure| {
                (failure.resource.eq_ignore_ascii_case(name)
                    || failure.resource.eq_ignore_ascii_case(configured))
                    && failure.task.eq_ignore_ascii_case(&action.operation)
                    && failure.interval == action.interval()
                    && failure.node.eq_ignore_ascii_case(node)
            })
            .map(|failure| failure.status)
    }
}

/// The digest of what the agent is given (rule 3.54.3).
fn digest(action: &Action) -> String {
    let keeps_timeout = action.interval() > 0;
    let mut parameters = String::new();
    let mut pairs: Vec<_> = action.attributes.iter().chain(&action.numbered).collect();
    pairs.sort();
    for (name, value) in pairs {
        let counts = match name.strip_prefix(transition::graph::META_PREFIX) {
            Some(meta) => keeps_timeout && meta == "timeout",
            None => !matches!(
                &**name,
                "id" | "crm_feature_set" | "op-digest" | "on_node" | "on_node_uuid" | "pcmk_external_ip"
            ),
        };
        if counts {
            parameters.push_str(&format!(" {name}=\"{}\"", xml::escape_attribute(value)));
        }
    }
    cib::digest::md5(&format!(" <parameters{parameters}/>\n"))
}
