//! Who is there: the first pass over node states (rules 1.7.6, 1.7.7).

use super::nodes;
use crate::actions::fencing::fence_node;
use crate::model::{Model, NodeId, NodeKind};
use cib::options::NoQuorumPolicy;
use cib::status::NodeState;
use cib::value::{self, Score, Timestamp};

/// Reads tickets and node states in document order.
pub(super) fn unpack(model: &mut Model) {
    unpack_tickets(model);
    let cib = model.cib;
    for state in &cib.status.nodes {
        let Some(node) = node_of(model, state) else { continue };
        if model.nodes[node].kind == NodeKind::Cluster {
            unpack_cluster_node(model, node, state);
        } else {
            model.nodes[node].remote_was_fenced = state.was_fenced;
        }
    }
}

/// Rule 1.8.1; an element that repeats a ticket overwrites it.
fn unpack_tickets(model: &mut Model) {
    let cib = model.cib;
    for state in &cib.status.tickets {
        let id = super::ticket(model, &state.id);
        let ticket = &mut model.tickets[id];
        ticket.granted = state.granted;
        ticket.standby = state.standby;
        ticket.last_granted = state.last_granted.unwrap_or(-1);
    }
}

/// The node that a `node_state` is about (rule 1.7.6.1).
pub(super) fn node_of(model: &Model, state: &NodeState) -> Option<NodeId> {
    super::find_node_by_id(model, &state.id).or_else(|| super::find_node(model, state.uname.as_deref()?))
}

/// Rules 1.7.6.2 and 1.7.7.
fn unpack_cluster_node(model: &mut Model, node: NodeId, state: &NodeState) {
    nodes::overwrite_attributes(model, node, &state.transient_attributes);
    nodes::add_utilization(model, node, &state.transient_utilization);
    let standby = is_true(model, node, "standby");
    let maintenance = is_true(model, node, "maintenance");
    let shutdown = shutdown_requested(model, node);
    let it = &mut model.nodes[node];
    it.standby |= standby;
    it.maintenance |= maintenance;
    it.unclean = false;
    it.seen = true;
    it.shutdown = shutdown;
    it.expected_up = !shutdown && is_word(state.expected.as_deref(), "member");
    let online = if model.options.fencing_enabled {
        online_with_fencing(model, node, state)
    } else {
        online_without_fencing(model, node, state)
    };
    settle_online(model, node, online);
}

pub(super) fn is_true(model: &Model, node: NodeId, name: &str) -> bool {
    value::is_true(model.nodes[node].attributes.get(name).map(|text| &**text))
}

/// Rule 1.7.7.2: the attribute is set and not exactly `0`.
pub(super) fn shutdown_requested(model: &Model, node: NodeId) -> bool {
    model.nodes[node].attributes.get("shutdown").is_some_and(|text| **text != *"0")
}

fn is_word(text: Option<&str>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

/// Rule 1.7.7.3.
fn online_without_fencing(model: &mut Model, node: NodeId, state: &NodeState) -> bool {
    if state.member.time(model.now) <= 0 {
        false
    } else if state.peer.time() > 0 {
        is_word(state.join.as_deref(), "member")
    } else {
        if model.nodes[node].expected_up {
            fence_node(model, node, "peer is unexpectedly down", false);
        }
        false
    }
}

/// Rule 1.7.7.4, first match; text comparisons are exact.
fn online_with_fencing(model: &mut Model, node: NodeId, state: &NodeState) -> bool {
    let member = state.member.time(model.now);
    let peer = state.peer.time();
    let join = state.join.as_deref();
    if model.nodes[node].shutdown {
        return peer > 0;
    }
    if member < 0 {
        fence_node(model, node, "peer has not been seen by the cluster", false);
        return false;
    }
    if join == Some("banned") {
        fence_node(model, node, "peer failed Pacemaker membership criteria", false);
    } else if termination_requested(model, node) {
        if member <= 0 && peer <= 0 && join == Some("down") {
            return false;
        }
        fence_node(model, node, "fencing was requested", false);
    } else if state.expected.as_deref().is_none_or(|expected| expected == "down") {
        if pending_too_long(model, member, peer) {
            fence_node(model, node, "peer pending timed out on joining the process group", false);
        } else if member > 0 || peer > 0 {
            set_pending(model, node);
        }
    } else if member <= 0 {
        fence_node(model, node, "peer is no longer part of the cluster", true);
    } else if peer <= 0 {
        fence_node(model, node, "peer process is no longer available", false);
    } else if join == Some("member") {
        // as it should be
    } else if matches!(join, Some("pending" | "down")) {
        set_pending(model, node);
    } else {
        fence_node(model, node, "peer was in an unknown state", false);
    }
    member > 0
}

fn set_pending(model: &mut Model, node: NodeId) {
    model.nodes[node].standby = true;
    model.nodes[node].pending = true;
}

/// Joined the membership long ago, but not the process group.
fn pending_too_long(model: &mut Model, member: Timestamp, peer: Timestamp) -> bool {
    let timeout = model.options.node_pending_timeout;
    if timeout == 0 || member <= 0 || peer > 0 {
        return false;
    }
    let limit = member.saturating_add(value::seconds_from_milliseconds(timeout) as Timestamp);
    if model.now >= limit {
        return true;
    }
    model.recheck_at(limit);
    false
}

/// Rule 1.7.7.5.
fn termination_requested(model: &Model, node: NodeId) -> bool {
    let Some(text) = model.nodes[node].attributes.get("terminate") else { return false };
    value::parse_boolean(text).unwrap_or_else(|| value::parse_integer(text).is_some_and(|number| number > 0))
}

/// Rule 1.7.7.6.
fn settle_online(model: &mut Model, node: NodeId, online: bool) {
    let it = &mut model.nodes[node];
    it.online |= online;
    if !it.online || it.shutdown {
        it.score = Score::MINUS_INFINITY;
    }
    if it.online && !model.quorate && model.no_quorum_policy == NoQuorumPolicy::Fence {
        fence_node(model, node, "cluster does not have quorum", false);
    }
}
