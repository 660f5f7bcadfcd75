//! Changes the CIB before the plan is made (rule 3.53).

use cib::Cib;
use cib::iso8601::Clock;
use cib::value::Timestamp;
use scheduler::model::PlanOptions;
use xml::Document;

use super::event::{Event, NodeChange, TicketChange};
use super::history::{self, Agent, Record};
use super::index::Histories;
use super::spec::{OperationSpec, SpecError};

/// What to change.
#[derive(Clone, Debug, Default)]
pub struct Injections {
    pub quorum: Option<String>,
    pub watchdog: Option<String>,
    /// Nodes that come up, go down, fail.
    pub up: Vec<String>,
    pub down: Vec<String>,
    pub fail: Vec<String>,
    pub tickets: Vec<(TicketChange, String)>,
    /// Results, as `RES_TASK_INTERVAL@NODE=RC`.
    pub operations: Vec<String>,
}

impl Injections {
    /// Whether nothing is changed; quorum alone changes nothing (rule 3.53.1).
    pub fn is_empty(&self) -> bool {
        self.watchdog.is_none()
            && self.up.is_empty()
            && self.down.is_empty()
            && self.fail.is_empty()
            && self.tickets.is_empty()
            && self.operations.is_empty()
    }
}

/// Applies all changes in their order; `events` say what was done. Operations that cannot be are left out
/// and returned.
pub(super) fn apply(
    document: &mut Document,
    injections: &Injections,
    now: Clock,
    clock: Timestamp,
    events: &mut Vec<Event>,
) -> Vec<SpecError> {
    let root = document.root();
    if let Some(quorum) = &injections.quorum {
        events.push(Event::Setting { name: "quorum", value: quorum.clone() });
        document.set_attribute(root, "have-quorum", quorum);
    }
    if let Some(watchdog) = &injections.watchdog {
        events.push(Event::Setting { name: "watchdog", value: watchdog.clone() });
        set_option(document, "have-watchdog", watchdog);
    }
    nodes(document, injections, events);
    tickets(document, injections, clock, events);
    let mut errors = Vec::new();
    for text in &injections.operations {
        events.push(Event::Result { spec: text.clone() });
        let done = OperationSpec::parse(text).and_then(|spec| {
            let adds_node = !injections.up.is_empty();
            operation(document, &spec, adds_node, now, clock, events)
        });
        errors.extend(done.err());
    }
    errors
}

fn nodes(document: &mut Document, injections: &Injections, events: &mut Vec<Event>) {
    let adds_nodes = !injections.up.is_empty();
    let state = |document: &mut Document, name: &str| {
        if adds_nodes {
            history::add_node(document, name);
        }
        let id = history::node_id(document, name).unwrap_or_else(|| name.to_owned());
        history::node_state(document, name, &id)
    };
    for name in &injections.up {
        events.push(Event::Node { change: NodeChange::Up, node: name.clone() });
        let node = state(document, name);
        history::set_membership(document, node, true, true);
    }
    for name in &injections.down {
        events.push(Event::Node { change: NodeChange::Down, node: name.clone() });
        let node = state(document, name);
        history::set_membership(document, node, false, false);
        history::forget(document, node);
    }
    for name in &injections.fail {
        events.push(Event::Node { change: NodeChange::Fail, node: name.clone() });
        let node = state(document, name);
        history::set_membership(document, node, false, true);
    }
}

fn tickets(document: &mut Document, injections: &Injections, clock: Timestamp, events: &mut Vec<Event>) {
    for change in [TicketChange::Grant, TicketChange::Revoke, TicketChange::Standby, TicketChange::Activate] {
        for (_, id) in injections.tickets.iter().filter(|(wanted, _)| *wanted == change) {
            let ticket = history::ticket(document, id);
            let (name, value) = match change {
                TicketChange::Grant => ("granted", "true"),
                TicketChange::Revoke => ("granted", "false"),
                TicketChange::Standby => ("standby", "true"),
                TicketChange::Activate => ("standby", "false"),
            };
            events.push(Event::Ticket { change, ticket: id.clone() });
            document.set_attribute(ticket, name, value);
            if change == TicketChange::Grant {
                document.set_attribute(ticket, "last-granted", &clock.to_string());
            }
        }
    }
}

/// Sets a cluster option in the first set of them.
fn set_option(document: &mut Document, name: &str, value: &str) {
    let root = document.root();
    let child = |document: &mut Document, parent, tag: &str| match document.child(parent, tag) {
        Some(child) => child,
        None => document.append_element(parent, tag),
    };
    let configuration = child(document, root, "configuration");
    let config = child(document, configuration, "crm_config");
    let set = child(document, config, "cluster_property_set");
    if document.attribute(set, "id").is_none() {
        document.set_attribute(set, "id", "cib-bootstrap-options");
    }
    let set_id = document.attribute(set, "id").unwrap_or_default().to_owned();
    let existing = document.children(set).find(|pair| document.attribute(*pair, "name") == Some(name));
    let pair = existing.unwrap_or_else(|| {
        let pair = document.append_element(set, "nvpair");
        document.set_attribute(pair, "id", &format!("{set_id}-{name}"));
        document.set_attribute(pair, "name", name);
        pair
    });
    document.set_attribute(pair, "value", value);
}

fn operation(
    document: &mut Document,
    spec: &OperationSpec,
    adds_node: bool,
    now: Clock,
    clock: Timestamp,
    events: &mut Vec<Event>,
) -> Result<(), SpecError> {
    let (cib, _) = Cib::from_document(document);
    let model = scheduler::state::build(&cib, now, PlanOptions::default());
    let unknown = || SpecError::UnknownResource(spec.resource.clone());
    let resource = scheduler::state::find_known(&model, &spec.resource).ok_or_else(unknown)?;
    let it = &model.resources[resource];
    let agent = it.agent().ok_or_else(unknown)?;
    if adds_node {
        history::add_node(document, &spec.node);
    }
    let id = history::node_id(document, &spec.node).unwrap_or_else(|| spec.node.clone());
    let node = history::node_state(document, &spec.node, &id);
    let record = Record {
        task: &spec.task,
        interval: spec.interval,
        status: spec.status,
        // even a probe is said to have been expected to find it running
        expected: 0,
        exit_reason: "Simulated action result",
        node: &spec.node,
        at: clock,
        migrate_source: None,
        migrate_target: None,
        notify: None,
        digest: None,
    };
    let fatal = model.options.start_failure_is_fatal;
    events.extend(history::count_failure(document, node, &spec.resource, &record, fatal));
    let agent = Agent {
        id: &spec.resource,
        instance: &spec.resource,
        class: &agent.class,
        provider: agent.provider.as_deref(),
        kind: &agent.kind,
    };
    let histories = &mut Histories::default();
    if let Some(entry) = history::resource(document, histories, node, &agent) {
        history::record(document, histories, entry, &spec.resource, &record);
    }
    Ok(())
}
