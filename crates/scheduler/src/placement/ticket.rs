//! Tickets: what a lost, missing or resting ticket does to the resources that need it (rule 2.8).

use super::find;
use crate::actions;
use crate::model::{Cause, LossPolicy, Model, ResourceId, Severity, TicketId};
use cib::config::TicketConstraint;
use cib::value::{Role, Score};

/// Applies one `rsc_ticket` at once.
pub fn unpack(model: &mut Model, constraint: &TicketConstraint) {
    if let Err(problem) = try_unpack(model, constraint) {
        let text = format!("Ignoring ticket constraint '{}' because {problem}", constraint.id);
        model.notice(Severity::ConfigurationError, text, Some(constraint.line));
    }
}

/// What a constraint asks of its resources.
#[derive(Clone, Copy)]
struct Demand {
    ticket: TicketId,
    role: Role,
    policy: LossPolicy,
}

fn try_unpack(model: &mut Model, constraint: &TicketConstraint) -> Result<(), String> {
    let name = constraint.ticket.as_deref().ok_or("it names no ticket")?;
    let ticket = crate::state::ticket(model, name);
    if constraint.sets.is_empty() {
        let id = constraint.rsc.as_deref().ok_or("it names no resource")?;
        return apply_to(model, ticket, constraint, &[id], constraint.rsc_role.as_deref());
    }
    for set in &constraint.sets {
        apply_to(model, ticket, constraint, &set.members, set.role.as_deref())?;
    }
    Ok(())
}

fn apply_to<N: AsRef<str>>(
    model: &mut Model,
    ticket: TicketId,
    constraint: &TicketConstraint,
    references: &[N],
    role: Option<&str>,
) -> Result<(), String> {
    let resources =
        find::members(model, references).map_err(|id| format!("'{id}' is not a valid resource or tag"))?;
    let role = match role.map(|text| (text, Role::parse(text))) {
        None | Some((_, Some(Role::Started))) => Role::Unknown,
        Some((_, Some(role))) => role,
        Some((text, None)) => return Err(format!("'{text}' is not a valid role")),
    };
    let policy = policy_of(model, constraint, role);
    for resource in resources {
        let demand = Demand { ticket, role, policy };
        model.resources[resource].tickets.push(ticket);
        if role == Role::Promoted {
            model.placement.marks_mut(resource).promotion_tickets.push(ticket);
        }
        let it = &model.tickets[ticket];
        if !it.granted || it.standby {
            apply(model, resource, demand);
        }
    }
    Ok(())
}

/// Rule 2.8.2.
fn policy_of(model: &mut Model, constraint: &TicketConstraint, role: Role) -> LossPolicy {
    let by_role = if role == Role::Promoted { LossPolicy::Demote } else { LossPolicy::Stop };
    let Some(text) = constraint.loss_policy.as_deref() else { return by_role };
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("stop") {
        LossPolicy::Stop
    } else if is("demote") {
        LossPolicy::Demote
    } else if is("freeze") {
        LossPolicy::Freeze
    } else if is("fence") {
        if model.options.fencing_enabled { LossPolicy::Fence } else { LossPolicy::Stop }
    } else {
        let text = format!("Constraint '{}': '{text}' is not a valid loss-policy", constraint.id);
        model.notice(Severity::ConfigurationError, text, Some(constraint.line));
        by_role
    }
}

/// Rule 2.8.1, for every leaf below `resource`.
fn apply(model: &mut Model, resource: ResourceId, demand: Demand) {
    if !model.resources[resource].children.is_empty() {
        for child in model.resources[resource].children.clone() {
            apply(model, child, demand);
        }
        return;
    }
    let it = &model.resources[resource];
    let lost_while_active = !model.tickets[demand.ticket].granted && !it.active_on.is_empty();
    let role_fits = demand.role == Role::Unknown || demand.role == it.current_role;
    let not_promoted_only = demand.role != Role::Promoted;
    if !lost_while_active {
        if not_promoted_only || demand.policy == LossPolicy::Stop {
            ban(model, resource, demand);
        }
        return;
    }
    match demand.policy {
        LossPolicy::Stop => ban(model, resource, demand),
        LossPolicy::Demote if not_promoted_only => ban(model, resource, demand),
        LossPolicy::Fence if role_fits => {
            ban(model, resource, demand);
            for node in model.resources[resource].active_on.clone() {
                actions::fencing::fence_node(model, node, "deadman ticket was lost", false);
            }
        }
        LossPolicy::Freeze if role_fits => {
            let it = &mut model.resources[resource];
            it.managed = false;
            it.blocked = true;
        }
        _ => {}
    }
}

fn ban(model: &mut Model, resource: ResourceId, demand: Demand) {
    model.add_score_everywhere(resource, Score::MINUS_INFINITY, Cause::Ticket(demand.ticket));
}

/// The ticket that keeps a promotable clone from being promoted, if any (rule 2.8.3).
pub fn forbids_promotion(model: &Model, clone: ResourceId) -> Option<TicketId> {
    let tickets = &model.placement.marks(clone)?.promotion_tickets;
    tickets.iter().copied().find(|ticket| {
        let ticket = &model.tickets[*ticket];
        !ticket.granted || ticket.standby
    })
}
