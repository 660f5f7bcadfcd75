//! Reading constraints.

use super::read::children_named;
use super::*;
use crate::reader::Reader;
use xml::Element;

impl<'a> Reader<'a> {
    /// All constraints in document order; those without ID are reported and left out.
    pub(crate) fn constraints(&mut self, section: Element<'a>) -> Vec<Constraint> {
        let mut constraints = Vec::new();
        for element in section.children() {
            let Some(id) = self.required_id(element) else { continue };
            match element.name() {
                "rsc_location" => constraints.push(Constraint::Location(self.location(element, id))),
                "rsc_colocation" => constraints.push(Constraint::Colocation(self.colocation(element, id))),
                "rsc_order" => constraints.push(Constraint::Order(self.order(element, id))),
                "rsc_ticket" => constraints.push(Constraint::Ticket(self.ticket(element, id))),
                other => self.error(element, format!("Unsupported constraint type: {other}")),
            }
        }
        constraints
    }

    fn location(&mut self, element: Element<'a>, id: Text) -> LocationConstraint {
        let rule = match children_named(element, "rule").next().map(|rule| self.follow(rule)) {
            Some(Some(rule)) => Some(Arc::new(self.rule(rule))),
            _ => None,
        };
        LocationConstraint {
            id,
            rsc: self.attr(element, "rsc"),
            rsc_pattern: self.attr(element, "rsc-pattern"),
            role: self.attr(element, "role"),
            node: self.attr(element, "node"),
            score: self.score(element, "score"),
            rule,
            resource_discovery: self.attr(element, "resource-discovery"),
            sets: self.sets(element),
            line: element.line(),
        }
    }

    fn colocation(&mut self, element: Element<'a>, id: Text) -> ColocationConstraint {
        ColocationConstraint {
            id,
            score: self.score(element, "score"),
            rsc: self.attr(element, "rsc"),
            rsc_role: self.attr(element, "rsc-role"),
            with_rsc: self.attr(element, "with-rsc"),
            with_rsc_role: self.attr(element, "with-rsc-role"),
            node_attribute: self.attr(element, "node-attribute"),
            influence: self.attr(element, "influence"),
            sets: self.sets(element),
            line: element.line(),
        }
    }

    fn order(&mut self, element: Element<'a>, id: Text) -> OrderConstraint {
        OrderConstraint {
            id,
            first: self.attr(element, "first"),
            first_action: self.attr(element, "first-action"),
            then: self.attr(element, "then"),
            then_action: self.attr(element, "then-action"),
            kind: self.attr(element, "kind"),
            score: self.score(element, "score"),
            symmetrical: self.attr(element, "symmetrical"),
            require_all: self.attr(element, "require-all"),
            sets: self.sets(element),
            line: element.line(),
        }
    }

    fn ticket(&mut self, element: Element<'a>, id: Text) -> TicketConstraint {
        TicketConstraint {
            id,
            ticket: self.attr(element, "ticket"),
            rsc: self.attr(element, "rsc"),
            rsc_role: self.attr(element, "rsc-role"),
            loss_policy: self.attr(element, "loss-policy"),
            sets: self.sets(element),
            line: element.line(),
        }
    }

    fn sets(&mut self, constraint: Element<'a>) -> Vec<ResourceSet> {
        let mut sets = Vec::new();
        for element in children_named(constraint, "resource_set") {
            if let Some(definition) = self.follow(element) {
                sets.extend(self.set(definition));
            }
        }
        sets
    }

    fn set(&mut self, element: Element<'a>) -> Option<ResourceSet> {
        let id = self.required_id(element)?;
        let members =
            children_named(element, "resource_ref").filter_map(|member| self.attr(member, "id")).collect();
        Some(ResourceSet {
            id,
            sequential: self.attr(element, "sequential"),
            require_all: self.attr(element, "require-all"),
            ordering: self.attr(element, "ordering"),
            action: self.attr(element, "action"),
            role: self.attr(element, "role"),
            score: self.score(element, "score"),
            kind: self.attr(element, "kind"),
            symmetrical: self.attr(element, "symmetrical"),
            members,
            line: element.line(),
        })
    }
}
