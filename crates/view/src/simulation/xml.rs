//! The simulation as the XML document that tools read (rule 5a.10): sections in the order in which they come
//! about, below one root.

use ::xml::{Document, NodeId};
use scheduler::actions::summary::Verb;
use scheduler::model::score_line::{Amounts, ScoreLine};
use scheduler::model::{Model, NodeId as Place};

use super::event::{Event, NodeChange, TicketChange};
use crate::status::xml::{self as status_xml, StatusInput};
use crate::summary::{self, Change};

/// The document while it is being written.
#[derive(Clone, Debug)]
pub struct Report {
    pub document: Document,
}

impl Report {
    /// `request` is the command line that asked.
    pub fn new(request: &str) -> Report {
        Report { document: status_xml::result(request) }
    }

    fn section(&mut self, name: &str) -> NodeId {
        let root = self.document.root();
        self.document.append_element(root, name)
    }

    fn element(&mut self, parent: NodeId, name: &str, attributes: &[(&str, &str)]) -> NodeId {
        let id = self.document.append_element(parent, name);
        for (name, value) in attributes {
            self.document.set_attribute(id, name, value);
        }
        id
    }

    /// `cluster_status` or `revised_cluster_status`.
    pub fn status(&mut self, section: &str, input: &StatusInput<'_>) {
        let section = self.section(section);
        status_xml::simulated(&mut self.document, section, input);
    }

    pub fn modifications(&mut self, events: &[Event]) {
        let section = self.section("modifications");
        for event in events {
            match event {
                Event::Setting { name, value } => self.document.set_attribute(section, name, value),
                other => self.event(section, other),
            }
        }
    }

    pub fn transition(&mut self, events: &[Event]) {
        let section = self.section("transition");
        events.iter().for_each(|event| self.event(section, event));
    }

    fn event(&mut self, parent: NodeId, event: &Event) {
        match event {
            Event::Node { change, node } => {
                let action = match change {
                    NodeChange::Up => "Online",
                    NodeChange::Down => "Offline",
                    NodeChange::Fail => "Failing",
                };
                self.element(parent, "modify_node", &[("action", action), ("node", node)]);
            }
            Event::Ticket { change, ticket } => {
                let action = match change {
                    TicketChange::Grant => "Granting",
                    TicketChange::Revoke => "Revoking",
                    TicketChange::Standby => "Standby",
                    TicketChange::Activate => "Activating",
                };
                self.element(parent, "modify_ticket", &[("action", action), ("ticket", ticket)]);
            }
            Event::Result { spec } => {
                self.element(parent, "inject_spec", &[("spec", spec)]);
            }
            Event::Attribute { name, value, node_id } => {
                let attributes = [
                    ("name", name.as_str()),
                    ("value", value),
                    ("node_path", "/node_state"),
                    ("cib_node", node_id),
                ];
                self.element(parent, "inject_attr", &attributes);
            }
            Event::Resource { resource, task, node, interval } => {
                let attributes = [("resource", resource.as_str()), ("op", task), ("node", node)];
                let id = self.element(parent, "rsc_action", &attributes);
                if *interval > 0 {
                    self.document.set_attribute(id, "interval", &interval.to_string());
                }
            }
            Event::Pseudo { key, node } => {
                let id = self.element(parent, "pseudo_action", &[("task", key)]);
                self.optional(id, "node", node.as_deref());
            }
            Event::Cluster { task, node, resource } => {
                let id = self.element(parent, "cluster_action", &[("task", task), ("node", node)]);
                self.optional(id, "id", resource.as_deref());
            }
            Event::Fence { node, operation } => {
                self.element(parent, "fencing_action", &[("target", node), ("op", operation)]);
            }
            // told by the root for settings; the attributes that follow tell of a failure
            Event::Setting { .. } | Event::Failure { .. } => {}
        }
    }

    fn optional(&mut self, id: NodeId, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.document.set_attribute(id, name, value);
        }
    }

    pub fn scores(&mut self, section: &str, lines: &[ScoreLine]) {
        let section = self.section(section);
        for line in lines {
            self.score(section, line);
        }
    }

    fn score(&mut self, parent: NodeId, line: &ScoreLine) {
        match line {
            ScoreLine::Allocation { function, resource, node, score } => {
                let score = score.to_string();
                let attributes =
                    [("function", *function), ("node", node), ("score", &score), ("id", resource)];
                self.element(parent, "node_weight", &attributes);
            }
            ScoreLine::Promotion { resource, node, score } => {
                let attributes = [("id", &**resource), ("score", &score.to_string())];
                let id = self.element(parent, "promotion_score", &attributes);
                self.optional(id, "node", node.as_deref());
            }
            ScoreLine::Capacity { when, node, amounts } => {
                let id = self.element(parent, "capacity", &[("node", node), ("comment", when)]);
                self.amounts(id, amounts);
            }
            ScoreLine::Utilization { resource, node, amounts } => {
                let attributes = [("resource", &**resource), ("node", node), ("function", ScoreLine::ASSIGN)];
                let id = self.element(parent, "utilization", &attributes);
                self.amounts(id, amounts);
            }
            // text only
            ScoreLine::Message(_) => {}
        }
    }

    fn amounts(&mut self, parent: NodeId, amounts: &Amounts) {
        // an attribute's name can be any text, an element's cannot
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && name.chars().all(|other| other.is_ascii_alphanumeric() || "_-.".contains(other))
        };
        for (name, amount) in amounts.iter().filter(|(name, _)| is_name(name)) {
            let element = self.document.append_element(parent, name);
            self.document.set_text(element, amount);
        }
    }

    /// What the plan comes to: one element for each node and resource that something happens to.
    pub fn actions(&mut self, model: &Model<'_>, changes: &summary::Summary) {
        let section = self.section("actions");
        for change in &changes.nodes {
            let task = format!("Fence ({})", change.operation);
            let node = summary::node_name(model, change.node);
            let attributes = [("task", task.as_str()), ("node", &node), ("reason", &change.reason)];
            self.element(section, "node_action", &attributes);
        }
        for change in &changes.resources {
            self.change(section, model, change);
        }
    }

    fn change(&mut self, parent: NodeId, model: &Model<'_>, change: &Change) {
        let resource = &model.resources[change.resource].id;
        let attributes = [("action", word(change.verb)), ("resource", &**resource)];
        let id = self.element(parent, "rsc_action", &attributes);
        let name = |node: Place| model.nodes[node].name.to_string();
        let (from, to) = (change.origin.map(name), change.destination.map(name));
        let same_role = change.current_role == change.next_role;
        if summary::shows_roles(change) {
            self.document.set_attribute(id, "role", change.current_role.name());
            let next = (!same_role && to.is_some()).then_some(change.next_role.name());
            self.optional(id, "next-role", next);
        }
        match (&from, &to) {
            (None, Some(node)) | (Some(node), None) => self.document.set_attribute(id, "node", node),
            (Some(from), Some(to)) => {
                self.document.set_attribute(id, "source", from);
                self.optional(id, "dest", (from != to).then_some(to));
            }
            (None, None) => {}
        }
        self.optional(id, "reason", change.reason.as_deref());
        if change.blocked {
            self.document.set_attribute(id, "blocked", "true");
        }
    }

    /// How long each file of a directory took.
    pub fn timings(&mut self, timings: &[(String, f64)]) {
        let section = self.section("timings");
        for (file, seconds) in timings {
            self.element(section, "timing", &[("file", file), ("duration", &format!("{seconds:.6}"))]);
        }
    }

    /// Ends the document: exit status, its name, and what was complained about.
    pub fn finish(&mut self, code: u8, message: &str, errors: &[String]) {
        status_xml::finish(&mut self.document, code, message, errors);
    }
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "start",
        Verb::Stop => "stop",
        Verb::Restart => "restart",
        Verb::Recover => "recover",
        Verb::Move => "move",
        Verb::Migrate => "migrate",
        Verb::Reload => "reload",
        Verb::Promote => "promote",
        Verb::Demote => "demote",
        Verb::RePromote => "re-promote",
    }
}
