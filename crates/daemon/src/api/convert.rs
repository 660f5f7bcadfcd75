//! Between the interface's words and the node's.

use cluster::{
    AttributeAction, AttributeUpdate, CibOperation, Client, FenceRequest, FenceState, NodeStatus, Phase,
    Refusal, RefusalCode, RegisteredDevice, RegistryChange, Request,
};
use view::api::{self, Problem};

/// Time for fencing unless told (rule 4.50.1).
const FENCE_TIMEOUT_MS: u64 = 120_000;

pub(super) fn refusal(refusal: Refusal) -> Problem {
    let (code, exit_code) = match refusal.code {
        RefusalCode::NotFound => ("no-such-object", 105),
        RefusalCode::Exists => ("exists", 108),
        RefusalCode::Invalid => ("invalid", 70),
        RefusalCode::Unparsable => ("unparsable", 65),
        RefusalCode::PatchFailed => ("patch-failed", 1),
        RefusalCode::DigestMismatch => ("digest-mismatch", 104),
        RefusalCode::Schema => ("schema", 78),
        RefusalCode::OldVersion => ("old-version", 103),
        RefusalCode::Denied => ("permission-denied", 4),
        RefusalCode::Busy => ("busy", 75),
        RefusalCode::Failed => ("failed", 1),
        RefusalCode::TimedOut => ("timeout", 124),
    };
    let mut lines = refusal.message.lines();
    let mut problem = Problem::new(code, exit_code, lines.next().unwrap_or_default());
    problem.details = lines.map(str::to_owned).collect();
    problem
}

/// A version's text, `admin_epoch.epoch.num_updates`.
pub(super) fn version(text: &str) -> api::Version {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    api::Version { admin_epoch: next(), epoch: next(), num_updates: next() }
}

pub(super) fn cib_change(change: api::CibChange, client: Client) -> Result<cluster::CibChange, Problem> {
    let dry_run = change.dry_run;
    Ok(cluster::CibChange { operation: cib_operation(change)?, client, dry_run })
}

fn cib_operation(change: api::CibChange) -> Result<CibOperation, Problem> {
    let api::CibChange { section: scope, xpath, .. } = change;
    let text = change.xml;
    let needed = |text: Option<String>| {
        text.ok_or_else(|| Problem::new("invalid", 64, "this operation needs XML, and none was sent"))
    };
    Ok(match change.operation {
        api::CibOperation::Create => CibOperation::Create { scope, xpath, xml: needed(text)? },
        api::CibOperation::Modify => CibOperation::Modify {
            scope,
            xpath,
            xml: needed(text)?,
            allow_create: change.allow_create,
            score: change.score_arithmetic,
        },
        api::CibOperation::Replace => CibOperation::Replace { scope, xpath, xml: needed(text)? },
        api::CibOperation::Delete => match xpath {
            Some(xpath) => CibOperation::DeleteXpath { xpath, all: change.delete_all },
            None => CibOperation::Delete { scope, xml: needed(text)? },
        },
        api::CibOperation::Patch => CibOperation::Patch { xml: needed(text)? },
        api::CibOperation::Bump => CibOperation::Bump,
        api::CibOperation::Upgrade => CibOperation::Upgrade,
        api::CibOperation::Erase => CibOperation::Erase,
        api::CibOperation::Commit => {
            let steps: Result<Vec<CibOperation>, Problem> =
                change.steps.into_iter().map(cib_operation).collect();
            CibOperation::Transaction(steps?)
        }
    })
}

pub(super) fn attribute(change: api::AttributeChange) -> AttributeUpdate {
    let action = match change.value {
        _ if change.refresh => AttributeAction::Refresh,
        _ if change.only_dampening => AttributeAction::Dampening,
        Some(value) => AttributeAction::Set(value),
        None => AttributeAction::Delete,
    };
    AttributeUpdate {
        name: change.name,
        pattern: change.pattern,
        action,
        node: change.node,
        dampening: change.dampening_ms,
        private: change.private,
        set_id: change.set,
        utilization: change.utilization,
    }
}

/// What a verb means for the node. `local` is this node's name.
pub(super) fn operation(operation: api::Operation, local: &str, client: &Client) -> Option<Request> {
    let here = |node: Option<String>| node.unwrap_or_else(|| local.to_owned());
    Some(match operation {
        api::Operation::Cleanup { resource, node, action, interval_ms } => {
            Request::Cleanup { resource, node, operation: action, interval: interval_ms, only_failed: true }
        }
        api::Operation::Refresh { resource, node } => {
            Request::Cleanup { resource, node, operation: None, interval: None, only_failed: false }
        }
        api::Operation::Fail { resource, node } => Request::FailResource { resource, node },
        api::Operation::Standby { node, on, until_restart } => {
            Request::Standby { node: here(node), on, until_restart }
        }
        api::Operation::Maintenance { node: Some(node), on } => Request::Maintenance { node, on },
        api::Operation::Maintenance { node: None, on } => {
            Request::Change(maintenance_mode(on, client.clone()))
        }
        api::Operation::Fence { node, action, timeout_ms, delay_ms, tolerance_s, client: asked_by } => {
            Request::Fence(FenceRequest {
                target: node,
                action,
                timeout: timeout_ms.unwrap_or(FENCE_TIMEOUT_MS),
                delay: delay_ms,
                tolerance: tolerance_s,
                client: if asked_by.is_empty() { client.program.clone() } else { asked_by },
            })
        }
        api::Operation::ConfirmFenced { node } => Request::ConfirmFenced { target: node },
        api::Operation::ForgetFencing { node } => Request::ForgetFencing { target: node },
        api::Operation::RegisterFenceDevice(api::FenceDevice { device: id, agent, parameters }) => {
            Request::Register(RegistryChange::Device(RegisteredDevice { id, agent, parameters }))
        }
        api::Operation::DeregisterFenceDevice { device } => {
            Request::Register(RegistryChange::NoDevice { id: device })
        }
        api::Operation::RegisterFenceLevel { target, level, devices } => {
            Request::Register(RegistryChange::Level { target, index: level, devices })
        }
        api::Operation::DeregisterFenceLevel { target, level } => {
            Request::Register(RegistryChange::NoLevel { target, index: level })
        }
        api::Operation::Ticket { ticket, granted, standby } => Request::Ticket { ticket, granted, standby },
        api::Operation::RemoveNode { node } => Request::RemoveNode { name: node },
        api::Operation::WaitSettled => Request::WaitSettled,
        api::Operation::Shutdown { .. } => return None,
    })
}

fn maintenance_mode(on: bool, client: Client) -> cluster::CibChange {
    let xml = format!(
        "<crm_config><cluster_property_set id=\"cib-bootstrap-options\"><nvpair \
         id=\"cib-bootstrap-options-maintenance-mode\" name=\"maintenance-mode\" value=\"{on}\"/>\
         </cluster_property_set></crm_config>"
    );
    let operation = CibOperation::Modify {
        scope: Some("crm_config".to_owned()),
        xpath: None,
        xml,
        allow_create: true,
        score: false,
    };
    cluster::CibChange { operation, client, dry_run: false }
}

/// What the daemon itself adds to a node's status.
pub(super) struct Frame {
    pub uptime_ms: u64,
    pub last_event: u64,
    pub problems: Vec<String>,
    pub quorum: Option<messaging::QuorumDetails>,
}

pub(super) fn status(status: NodeStatus, frame: Frame) -> api::Status {
    let state = match status.phase {
        Phase::Starting => "starting",
        Phase::Joining => "joining",
        Phase::Joined if status.dc.as_deref() == Some(&status.name) => "dc",
        Phase::Joined => "member",
        Phase::ShuttingDown => "leaving",
        Phase::Ended => "offline",
    };
    api::Status {
        node: status.name,
        node_id: status.id.0,
        software: env!("CARGO_PKG_VERSION").to_owned(),
        feature_set: status.feature_set,
        pid: std::process::id(),
        uptime_ms: frame.uptime_ms,
        cluster: None,
        state: state.to_owned(),
        dc: status.dc,
        quorate: status.view.quorate,
        quorum: frame.quorum.map(quorum),
        members: status.peers.into_iter().map(member).collect(),
        version: version(&status.cib_version),
        transition: status.transition.map(transition),
        operations: status.running.into_iter().map(running).collect(),
        recurring: status.recurring,
        settled: status.settled,
        fencing: status.fencing.into_iter().map(fencing).collect(),
        registered: status.registered.into_iter().map(registered).collect(),
        last_event: frame.last_event,
        problems: frame.problems,
    }
}

fn registered(device: RegisteredDevice) -> api::FenceDevice {
    let RegisteredDevice { id, agent, parameters } = device;
    api::FenceDevice { device: id, agent, parameters }
}

fn quorum(details: messaging::QuorumDetails) -> api::Quorum {
    let device = details.device.as_ref().map(|device| {
        let state = match (device.alive, device.casts_vote) {
            (true, true) => "alive, votes for this partition",
            (true, false) => "alive, does not vote for this partition",
            (false, _) => "does not answer",
        };
        let votes = if device.votes == 1 { "vote" } else { "votes" };
        format!("quorum device {} with {} {votes}: {state}", device.name, device.votes)
    });
    api::Quorum {
        expected_votes: details.expected_votes,
        total_votes: details.total_votes,
        needed_votes: details.needed_votes,
        modes: details.modes().into_iter().map(str::to_owned).collect(),
        device,
    }
}

fn member(peer: cluster::PeerStatus) -> api::Member {
    api::Member {
        id: peer.id.0,
        name: peer.name,
        member: peer.member,
        online: peer.online,
        joined: peer.joined,
        feature_set: peer.feature_set,
        problem: peer.problem,
    }
}

fn transition(transition: cluster::TransitionStatus) -> api::Transition {
    api::Transition {
        number: transition.id,
        total: u32::try_from(transition.actions).unwrap_or(u32::MAX),
        done: u32::try_from(transition.done).unwrap_or(u32::MAX),
        waiting_for: transition.in_flight,
        aborted: transition.aborted,
    }
}

fn running(operation: cluster::RunningOperation) -> api::RunningOperation {
    api::RunningOperation {
        resource: operation.resource,
        operation: operation.action,
        interval_ms: operation.interval,
        running_ms: operation.since,
    }
}

pub(super) fn fencing(record: cluster::FenceRecord) -> api::Fencing {
    let state = match record.state {
        FenceState::Querying | FenceState::Executing | FenceState::Duplicate => "pending",
        FenceState::Done => "done",
        FenceState::Failed => "failed",
    };
    let phase = match record.state {
        FenceState::Querying => "querying",
        FenceState::Executing => "executing",
        FenceState::Duplicate => "duplicate",
        FenceState::Done | FenceState::Failed => "",
    };
    api::Fencing {
        at: record.seconds(),
        at_ms: record.at,
        id: record.id,
        target: record.target,
        action: record.action,
        client: record.client,
        origin: record.origin,
        executor: record.executor,
        devices: record.devices,
        state: state.to_owned(),
        phase: phase.to_owned(),
        merged: record.merged_into.is_some(),
        survived: record.survived,
        status: record.status,
        reason: record.reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_text() {
        assert_eq!(version("1.22.333"), api::Version { admin_epoch: 1, epoch: 22, num_updates: 333 });
        assert_eq!(version("x"), api::Version::default());
    }

    #[test]
    fn a_change_without_its_xml_is_refused() {
        let change = api::CibChange::new(api::CibOperation::Create);
        assert!(cib_change(change, Client::default()).is_err());
        let mut delete = api::CibChange::new(api::CibOperation::Delete);
        delete.xpath = Some("//a".into());
        let operation = cib_change(delete, Client::default()).unwrap().operation;
        assert_eq!(operation, CibOperation::DeleteXpath { xpath: "//a".into(), all: false });
    }

    #[test]
    fn long_refusals_have_details() {
        let problem = refusal(Refusal {
            code: RefusalCode::Schema,
            message: "does not validate\nline 3: x\nline 4: y".into(),
        });
        assert_eq!((problem.code.as_str(), problem.details.len()), ("schema", 2));
    }
}
