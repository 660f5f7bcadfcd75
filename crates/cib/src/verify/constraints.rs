//! Checks of constraints.

use super::*;
use crate::config::{
    ColocationConstraint, Constraint, LocationConstraint, OrderConstraint, ResourceSet, TicketConstraint,
};
use crate::pattern::Pattern;
use crate::value::{Role, ScoreText, parse_boolean};

const ACTIONS: [&str; 4] = ["start", "stop", "promote", "demote"];

impl<'c> Check<'c> {
    pub(super) fn all_constraints(&mut self) {
        let configuration = self.configuration;
        for constraint in &configuration.constraints {
            match constraint {
                Constraint::Location(location) => self.location(location),
                Constraint::Colocation(colocation) => self.colocation(colocation),
                Constraint::Order(order) => self.order(order),
                Constraint::Ticket(ticket) => self.ticket(ticket),
            }
        }
    }

    fn location(&mut self, constraint: &LocationConstraint) {
        let at = At { element: "rsc_location", id: &constraint.id, line: constraint.line };
        if constraint.rsc.is_none() && constraint.rsc_pattern.is_none() && constraint.sets.is_empty() {
            self.fail(&at, format!("Invalid constraint {}: no resource specified", constraint.id));
        }
        self.reference(&at, constraint.rsc.as_ref());
        self.set_references(&at, &constraint.sets);
        if let Some(text) = &constraint.rsc_pattern {
            if let Err(error) = Pattern::new(text) {
                let text = format!(
                    "Ignoring constraint '{}' because rsc-pattern has invalid value '{text}' ({})",
                    constraint.id, error.reason
                );
                self.fail(&at, text);
            }
        }
        if let Some(text) = unknown_node(&self.known, constraint) {
            self.note(&at, text);
        }
        if let Some(ScoreText::Invalid(score)) = &constraint.score {
            self.fail(
                &at,
                format!(
                    "Ignoring location constraint {} because '{score}' is not a valid score",
                    constraint.id
                ),
            );
        }
        let rule_role = constraint.rule.as_ref().and_then(|rule| rule.role.as_ref());
        for role in constraint.role.iter().chain(rule_role) {
            if Role::parse(role).is_none() {
                self.fail(
                    &at,
                    format!(
                        "Ignoring location constraint {} because '{role}' is not a valid role",
                        constraint.id
                    ),
                );
            }
        }
        if let Some(mode) = &constraint.resource_discovery {
            if !["always", "never", "exclusive"].iter().any(|word| word.eq_ignore_ascii_case(mode)) {
                self.fail(&at, format!("Invalid resource-discovery value {mode} in location constraint"));
            }
        }
    }

    fn colocation(&mut self, constraint: &ColocationConstraint) {
        let at = At { element: "rsc_colocation", id: &constraint.id, line: constraint.line };
        self.reference(&at, constraint.rsc.as_ref());
        self.reference(&at, constraint.with_rsc.as_ref());
        self.set_references(&at, &constraint.sets);
        if let Some(ScoreText::Invalid(score)) = &constraint.score {
            self.fail(
                &at,
                format!("Ignoring colocation {} because '{score}' is not a valid score", constraint.id),
            );
        }
        let is_list = |id: &Option<Text>| {
            id.as_deref().is_some_and(|id| {
                !self.known.resources.contains_key(id)
                    && (self.known.templates.contains(id) || self.known.tags.contains_key(id))
            })
        };
        if is_list(&constraint.rsc) && is_list(&constraint.with_rsc) {
            self.fail(
                &at,
                format!(
                    "Ignoring constraint '{}' because two templates or tags cannot be colocated",
                    constraint.id
                ),
            );
        }
        if constraint.influence.as_deref().is_some_and(|text| parse_boolean(text).is_none()) {
            self.fail(
                &at,
                format!("Constraint '{}' has invalid value for influence (using default)", constraint.id),
            );
        }
        if let (Some(rsc), Some(with)) = (&constraint.rsc, &constraint.with_rsc) {
            if rsc == with {
                self.note(&at, format!("Constraint '{}' places '{rsc}' with itself", constraint.id));
            }
        }
    }

    fn order(&mut self, constraint: &OrderConstraint) {
        let at = At { element: "rsc_order", id: &constraint.id, line: constraint.line };
        self.reference(&at, constraint.first.as_ref());
        self.reference(&at, constraint.then.as_ref());
        self.set_references(&at, &constraint.sets);
        if let Some(kind) = &constraint.kind {
            if !["Optional", "Mandatory", "Serialize"].iter().any(|word| word.eq_ignore_ascii_case(kind)) {
                self.fail(
                    &at,
                    format!(
                        "Resetting 'kind' for constraint {} to 'Mandatory' because '{kind}' is not valid",
                        constraint.id
                    ),
                );
            } else if kind.eq_ignore_ascii_case("Serialize")
                && constraint.symmetrical.as_deref().and_then(parse_boolean) == Some(true)
            {
                let text = format!(
                    "Ignoring symmetrical for '{}' because not valid with kind of 'Serialize'",
                    constraint.id
                );
                self.warn(&at, text);
            }
        }
        let actions = [&constraint.first_action, &constraint.then_action];
        let set_actions = constraint.sets.iter().map(|set| &set.action);
        for action in actions.into_iter().chain(set_actions).flatten() {
            if !ACTIONS.contains(&&**action) {
                self.warn(&at, format!("Unknown action '{action}' specified in order constraint"));
            }
        }
    }

    fn ticket(&mut self, constraint: &TicketConstraint) {
        let at = At { element: "rsc_ticket", id: &constraint.id, line: constraint.line };
        if constraint.ticket.is_none() {
            self.fail(&at, format!("Ignoring constraint '{}' because it names no ticket", constraint.id));
        }
        self.reference(&at, constraint.rsc.as_ref());
        self.set_references(&at, &constraint.sets);
        let fence =
            constraint.loss_policy.as_deref().is_some_and(|policy| policy.eq_ignore_ascii_case("fence"));
        if fence && !self.options.fencing_enabled {
            let ticket = constraint.ticket.as_deref().unwrap_or_default();
            self.fail(
                &at,
                format!("Resetting 'loss-policy' for ticket '{ticket}' to 'stop' because fencing is not configured"),
            );
        }
    }

    /// A name of a resource, template or tag.
    fn reference(&mut self, at: &At<'_>, id: Option<&Text>) {
        let Some(id) = id.filter(|id| !self.known.has(id)) else { return };
        let text = format!("Ignoring constraint '{}' because '{id}' is not a valid resource or tag", at.id);
        let text = text + &self.known.hint(self.known.names(), id);
        self.fail(at, text);
    }

    fn set_references(&mut self, at: &At<'_>, sets: &[ResourceSet]) {
        for set in sets {
            for member in set.members.iter().filter(|member| !self.known.has(member)) {
                let text = format!("{}: No resource found for {member}", set.id);
                let text = text + &self.known.hint(self.known.names(), member);
                self.notices.push(Notice::new(Severity::Error, Place { line: set.line, ..at.place() }, text));
            }
        }
    }

    fn fail(&mut self, at: &At<'_>, text: String) {
        self.notices.push(Notice::new(Severity::Error, at.place(), text));
    }

    fn warn(&mut self, at: &At<'_>, text: String) {
        self.notices.push(Notice::new(Severity::Warning, at.place(), text));
    }

    fn note(&mut self, at: &At<'_>, text: String) {
        self.notices.push(Notice::new(Severity::Note, at.place(), text));
    }
}

/// What to say if the constraint is for a node that is not known.
pub(super) fn unknown_node(known: &Known<'_>, constraint: &LocationConstraint) -> Option<String> {
    let node = constraint.node.as_ref().filter(|node| !known.has_node(node))?;
    let hint = known.hint(known.nodes.iter().map(String::as_str), node);
    Some(format!("Constraint '{}' is for node '{node}', which is not known{hint}", constraint.id))
}

struct At<'a> {
    element: &'static str,
    id: &'a Text,
    line: u32,
}

impl At<'_> {
    fn place(&self) -> Place {
        Place { element: Text::from(self.element), id: Some(self.id.clone()), line: self.line }
    }
}
