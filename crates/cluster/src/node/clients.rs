//! Requests of local clients.

use super::commands::refused;
use super::joining::modify_scope;
use super::{MOST_WAITING, Node, strangers};
use crate::interface::{Outbox, Output};
use crate::message::{Body, Forget};
use crate::request::{
    AttributeUpdate, CibChange, CibOperation, Client, NodeStatus, PeerStatus, RefusalCode, Reply, Request,
    RequestId,
};
use crate::text::{Fragment, as_id};

impl Node {
    pub(super) fn on_request(&mut self, id: RequestId, request: Request, out: &mut Outbox) {
        if self.unsent.len() >= MOST_WAITING || self.settle_waiters.len() >= MOST_WAITING {
            let text = "too many requests are waiting: try again in a moment".to_owned();
            self.reply(id, refused(RefusalCode::Busy, text), out);
            return;
        }
        match request {
            Request::Query(query) => {
                let reply = self.replica.query(&query).map_or_else(Reply::Refused, Reply::Xml);
                self.reply(id, reply, out);
            }
            Request::QueryAttribute { name, node } => {
                let found = self.attributes.select(name.as_deref(), node.as_deref());
                self.reply(id, Reply::Attributes(found), out);
            }
            Request::Status => {
                let status = Box::new(self.status());
                self.reply(id, Reply::Status(status), out);
            }
            Request::WaitSettled if self.settled => self.reply(id, Reply::Done, out),
            Request::WaitSettled => self.settle_waiters.push(id),
            Request::Fence(request) => self.on_fence_request(id, request, out),
            Request::ConfirmFenced { target } => self.confirm_fenced(id, &target, out),
            Request::Register(change) => self.on_registration(id, change, out),
            other => self.send_request(id, other, out),
        }
    }

    pub(super) fn reply(&mut self, id: RequestId, reply: Reply, out: &mut Outbox) {
        out.push(Output::Reply { id, reply });
    }

    /// Requests that become one command in total order.
    fn send_request(&mut self, id: RequestId, request: Request, out: &mut Outbox) {
        let request_id = Some(id);
        let at = self.now.epoch();
        let body = match request {
            Request::Change(change) => Body::Change { request: request_id, change, at },
            Request::UpdateAttribute(update) => {
                Body::Attributes { request: request_id, updates: vec![update] }
            }
            Request::Cleanup { resource, node, operation, interval, only_failed } => {
                let what =
                    Forget { resource, node, operation, interval, only_failed, by_administrator: true };
                Body::Forget { request: request_id, what: vec![what], at }
            }
            Request::FailResource { resource, node } => {
                Body::FailResource { request: request_id, resource, node }
            }
            Request::Standby { node, on, until_restart: true } => {
                let update = if on {
                    AttributeUpdate::set(&node, "standby", "on")
                } else {
                    AttributeUpdate::delete(&node, "standby")
                };
                Body::Attributes { request: request_id, updates: vec![update] }
            }
            Request::Standby { node, on, until_restart: false } => {
                match self.permanent_attribute(&node, "standby", on.then_some("on")) {
                    Some(change) => Body::Change { request: request_id, change, at },
                    None => return self.unknown_node(id, &node, out),
                }
            }
            Request::Maintenance { node, on } => {
                match self.permanent_attribute(&node, "maintenance", on.then_some("true")) {
                    Some(change) => Body::Change { request: request_id, change, at },
                    None => return self.unknown_node(id, &node, out),
                }
            }
            Request::Ticket { ticket, granted, standby } => {
                Body::Change { request: request_id, change: ticket_change(&ticket, granted, standby, at), at }
            }
            Request::ForgetFencing { target } => Body::ForgetFencing { request: request_id, target },
            Request::RemoveNode { name } => Body::RemoveNode { request: request_id, name, at },
            Request::Query(_)
            | Request::QueryAttribute { .. }
            | Request::Status
            | Request::WaitSettled
            | Request::Fence(_)
            | Request::Register(_)
            | Request::ConfirmFenced { .. } => return,
        };
        self.send(body, out);
    }

    pub(super) fn unknown_node(&mut self, id: RequestId, node: &str, out: &mut Outbox) {
        self.reply(id, refused(RefusalCode::NotFound, format!("no node {node} is known")), out);
    }

    /// The change that sets or deletes an attribute in `nodes`.
    fn permanent_attribute(&self, node: &str, name: &str, value: Option<&str>) -> Option<CibChange> {
        let nodes = self.replica.all_nodes();
        let (id, uname) = nodes.iter().find(|(id, known)| known.eq_ignore_ascii_case(node) || id == node)?;
        let operation = match value {
            Some(value) => {
                let mut out = Fragment::new();
                out.open("nodes").open("node").attribute("id", id).attribute("uname", uname);
                if self.replica.is_remote(id) {
                    out.attribute("type", "remote");
                }
                out.open("instance_attributes").attribute("id", as_id(&format!("nodes-{id}")));
                out.open("nvpair").attribute("id", as_id(&format!("nodes-{id}-{name}")));
                out.attribute("name", name).attribute("value", value);
                modify_scope("nodes", out.finish())
            }
            None => CibOperation::DeleteXpath {
                xpath: format!(
                    "/cib/configuration/nodes/node[@id={}]/instance_attributes/nvpair[@name='{name}']",
                    crate::text::xpath_literal(id)
                ),
                all: true,
            },
        };
        Some(own_change(operation))
    }

    /// What this node knows of itself and the cluster.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        let mut ids: Vec<_> = self.config.peers.iter().map(|peer| peer.id).collect();
        ids.extend(self.members.keys());
        ids.sort_unstable();
        ids.dedup();
        let peers = ids.into_iter().map(|id| PeerStatus {
            id,
            name: self.known_name(id),
            member: self.view.hosts.contains(&id),
            online: self.view.members.contains(&id) && !self.strangers_now().contains_key(&id),
            joined: self.is_joined() && self.members.contains_key(&id),
            problem: self.stranger(id).map(|speaks| strangers::outcast(&[&self.known_name(id)], speaks)),
            feature_set: self.members.get(&id).map(|member| member.feature_set.clone()),
        });
        NodeStatus {
            id: self.config.id,
            name: self.config.name.clone(),
            phase: self.phase,
            view: self.view.clone(),
            dc: if self.is_joined() { self.dc().map(str::to_owned) } else { None },
            feature_set: crate::join::FEATURE_SET.to_owned(),
            cib_version: self.replica.version().to_string(),
            peers: peers.collect(),
            transition: self.transition_status(),
            settled: self.settled,
            fencing: self.fence_history.records().to_vec(),
            registered: self.registry.devices().collect(),
            running: self.executor.running(self.now),
            recurring: self.executor.recurring(),
        }
    }
}

fn own_change(operation: CibOperation) -> CibChange {
    let client = Client { program: "systole".to_owned(), user: None, groups: Vec::new(), restricted: false };
    CibChange { operation, client, dry_run: false }
}

/// Grants, revokes or puts in standby a ticket.
fn ticket_change(ticket: &str, granted: Option<bool>, standby: Option<bool>, at: i64) -> CibChange {
    let mut out = Fragment::new();
    out.open("status").open("tickets").open("ticket_state").attribute("id", ticket);
    if let Some(granted) = granted {
        out.attribute("granted", granted);
        if granted {
            out.attribute("last-granted", at);
        }
    }
    if let Some(standby) = standby {
        out.attribute("standby", standby);
    }
    own_change(modify_scope("status", out.finish()))
}
