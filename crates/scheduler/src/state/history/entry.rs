//! One history entry: which result counts, and what it says about the role (rule 1.12).

use super::{FailedEntry, Replay, expiry, set_next_role};
use crate::model::{Cause, Model, OnFail, ResourceId};
use crate::state::running;
use cib::status::HistoryEntry;
use cib::value::Role;

/// Execution statuses (rule 1.12.2).
pub(super) mod status {
    pub const PENDING: i64 = -1;
    pub const DONE: i64 = 0;
    pub const CANCELLED: i64 = 1;
    pub const NOT_SUPPORTED: i64 = 3;
    pub const ERROR: i64 = 4;
    pub const HARD_ERROR: i64 = 5;
    pub const FATAL_ERROR: i64 = 6;
    pub const NOT_INSTALLED: i64 = 7;
    pub const NOT_CONNECTED: i64 = 8;
    pub const NO_FENCE_DEVICE: i64 = 10;
    pub const NO_SECRETS: i64 = 11;
}

/// Results of agents (rule 1.12.2).
pub(super) mod rc {
    pub const OK: i64 = 0;
    pub const INVALID_PARAMETER: i64 = 2;
    pub const UNIMPLEMENTED: i64 = 3;
    pub const INSUFFICIENT_PRIVILEGES: i64 = 4;
    pub const NOT_INSTALLED: i64 = 5;
    pub const NOT_CONFIGURED: i64 = 6;
    pub const NOT_RUNNING: i64 = 7;
    pub const PROMOTED: i64 = 8;
    pub const FAILED_PROMOTED: i64 = 9;
    pub const DEGRADED: i64 = 190;
    pub const DEGRADED_PROMOTED: i64 = 191;
    pub const UNKNOWN: i64 = 193;
}

const OPERATIONS: [&str; 8] =
    ["monitor", "start", "stop", "promote", "demote", "migrate_to", "migrate_from", "asyncmon"];

/// An entry with the result that counts; status and result change as rules are applied.
pub(super) struct Event<'a> {
    pub entry: &'a HistoryEntry,
    pub task: &'a str,
    pub key: &'a str,
    pub id: &'a str,
    pub expected: i64,
    pub status: i64,
    pub rc: i64,
    pub expired: bool,
}

impl<'a> Event<'a> {
    /// The entry as recorded; `None` if it does not matter (rules 1.12.1, 1.12.2).
    fn read(entry: &'a HistoryEntry) -> Option<Event<'a>> {
        let task = entry.operation().filter(|task| OPERATIONS.contains(task))?;
        let id = entry.id()?;
        let status = entry.op_status.filter(|it| (-1..=11).contains(it) && *it != status::CANCELLED)?;
        let rc = entry.rc_code.filter(|it| (0..=255).contains(it))?;
        let expected = i64::from(entry.expected_rc());
        let key = entry.operation_key()?;
        Some(Event { entry, task, key, id, expected, status, rc, expired: false })
    }

    pub fn is_probe(&self) -> bool {
        self.task == "monitor" && self.entry.interval == 0
    }

    /// Rule 1.12.4, as recorded.
    pub fn is_masked_probe_failure(&self) -> bool {
        is_masked_probe_failure(self.entry)
    }
}

/// A probe whose failure only says that the resource cannot run there (rule 1.12.4; bundled resources
/// are the caller's business).
pub fn is_masked_probe_failure(entry: &HistoryEntry) -> bool {
    entry.operation() == Some("monitor")
        && entry.interval == 0
        && (matches!(entry.rc_code, Some(rc::NOT_INSTALLED | rc::INVALID_PARAMETER))
            || entry.op_status == Some(status::NOT_INSTALLED))
}

impl<'a> Replay<'a> {
    /// Rule 1.12.5.
    pub(super) fn entry(&mut self, model: &mut Model<'a>, entry: &'a HistoryEntry) {
        let Some(mut event) = Event::read(entry) else { return };
        event.expired = expiry::is_expired(model, self.resource, self.node, &event);
        self.remap(model, &mut event);
        if event.expired && self.is_over(model, &event) {
            return;
        }
        if self.is_masked(model, &event) {
            self.mask(model, &event);
            return;
        }
        self.apply(model, &event);
    }

    fn is_masked(&self, model: &Model, event: &Event) -> bool {
        event.is_masked_probe_failure() && crate::state::is_bundled(model, self.resource).is_none()
    }

    /// Rule 1.12.6.
    fn remap(&mut self, model: &mut Model<'a>, event: &mut Event<'a>) {
        self.remap_degraded(model, event);
        if self.is_masked(model, event) {
            event.status = status::DONE;
            event.rc = rc::NOT_RUNNING;
        }
        match event.status {
            status::DONE | status::ERROR => {}
            status::NO_FENCE_DEVICE | status::NO_SECRETS => {
                event.status = status::HARD_ERROR;
                return;
            }
            _ => return,
        }
        event.status =
            if event.expected >= 0 && event.rc == event.expected { status::DONE } else { status::ERROR };
        self.remap_result(model, event);
    }

    /// Step 1: degraded results count as their healthy counterparts, but are shown.
    fn remap_degraded(&self, model: &mut Model<'a>, event: &mut Event<'a>) {
        event.rc = match event.rc {
            rc::DEGRADED => rc::OK,
            rc::DEGRADED_PROMOTED => rc::PROMOTED,
            _ => return,
        };
        let node = &model.nodes[self.node];
        if !event.expired && (!node.shutdown || node.online) {
            self.record_failure(model, event.entry);
        }
    }

    /// Step 5.
    fn remap_result(&mut self, model: &mut Model, event: &mut Event) {
        match event.rc {
            rc::OK => {
                if event.is_probe() && event.expected == rc::NOT_RUNNING {
                    event.status = status::DONE;
                }
            }
            rc::NOT_RUNNING => {
                let managed = model.resources[self.resource].managed;
                if event.is_probe() || event.expected == rc::NOT_RUNNING || !managed {
                    event.status = status::DONE;
                    self.set_role(model, Role::Stopped);
                    self.handling = OnFail::Ignore;
                    set_next_role(model, self.resource, Role::Unknown, "not running");
                }
            }
            rc::PROMOTED => {
                if event.is_probe() && event.expected != rc::PROMOTED {
                    event.status = status::DONE;
                }
                if !event.expired || event.expected == rc::PROMOTED {
                    self.set_role(model, Role::Promoted);
                }
            }
            rc::FAILED_PROMOTED => {
                if !event.expired {
                    self.set_role(model, Role::Promoted);
                }
                event.status = status::ERROR;
            }
            rc::NOT_CONFIGURED => event.status = status::FATAL_ERROR,
            rc::UNIMPLEMENTED if event.entry.interval > 0 => event.status = status::NOT_SUPPORTED,
            rc::UNIMPLEMENTED | rc::INVALID_PARAMETER | rc::INSUFFICIENT_PRIVILEGES | rc::NOT_INSTALLED => {
                self.block_if_unrecoverable(model, event);
                event.status = status::HARD_ERROR;
            }
            _ => {
                if event.status == status::DONE {
                    event.status = status::ERROR;
                }
            }
        }
    }

    /// A failed stop on a node that cannot be fenced leaves nothing to do.
    fn block_if_unrecoverable(&self, model: &mut Model, event: &Event) {
        if !event.expired && event.task == "stop" && !crate::state::can_fence(model, self.node) {
            running::block(model, self.resource);
        }
    }

    /// Rule 1.12.7: true if an expired entry needs no further look.
    fn is_over(&mut self, model: &mut Model, event: &Event) -> bool {
        let recorded = event.entry.rc_code.unwrap_or(rc::UNKNOWN);
        if self.is_masked(model, event) && recorded != event.expected {
            if model.resources[self.resource].current_role <= Role::Stopped {
                self.set_role(model, Role::Unknown);
            }
            return true;
        }
        if event.rc == event.expected {
            return false;
        }
        if event.entry.interval == 0 {
            return true;
        }
        let node = &model.nodes[self.node];
        if node.online && !node.unclean {
            model.state.expired_monitors.insert(std::ptr::from_ref(event.entry) as usize);
            return true;
        }
        false
    }

    /// Rule 1.12.8.
    fn mask(&mut self, model: &mut Model<'a>, event: &Event<'a>) {
        self.set_role(model, Role::Stopped);
        self.record_failure(model, event.entry);
        let banned = running::unique_or_top(model, self.resource);
        running::ban(model, banned, self.node, self.cause());
    }

    /// Rule 1.12.9.
    fn apply(&mut self, model: &mut Model<'a>, event: &Event<'a>) {
        match event.status {
            status::PENDING => self.pending(model, event),
            status::DONE => self.succeed(model, event, event.rc),
            status::NOT_INSTALLED => {
                let handling = self.configured_handling(model, event);
                if handling == OnFail::Ignore {
                    self.handling = OnFail::Ban;
                }
                let banned = running::unique_or_top(model, self.resource);
                running::ban(model, banned, self.node, self.cause());
                self.fail(model, event, handling);
            }
            status::NOT_CONNECTED => {
                self.fail_connection(model);
                self.fail_or_ignore(model, event);
            }
            _ => self.fail_or_ignore(model, event),
        }
    }

    /// A managed connection over which nothing can be done is failed.
    fn fail_connection(&self, model: &mut Model) {
        let Some(connection) = model.nodes[self.node].connection else { return };
        if model.nodes[self.node].is_pacemaker_remote() && model.resources[connection].managed {
            super::mark_failed(model, connection, true);
        }
    }

    /// Rule 1.12.11.
    fn fail_or_ignore(&mut self, model: &mut Model<'a>, event: &Event<'a>) {
        let handling = self.configured_handling(model, event);
        let failed_container_stop = handling == OnFail::RestartContainer && event.task == "stop";
        if handling == OnFail::Ignore || failed_container_stop {
            self.succeed(model, event, event.expected);
            model.resources[self.resource].failure_ignored = true;
            self.record_failure(model, event.entry);
            if failed_container_stop && self.handling <= OnFail::Restart {
                self.handling = OnFail::RestartContainer;
            }
            return;
        }
        self.fail(model, event, handling);
        let banned = running::unique_or_top(model, self.resource);
        match event.status {
            status::HARD_ERROR => running::ban(model, banned, self.node, self.cause()),
            status::FATAL_ERROR => running::ban_everywhere(model, banned, self.cause()),
            _ => {}
        }
    }

    /// Rule 1.12.10; `rc` is the result that counts.
    fn succeed(&mut self, model: &mut Model<'a>, event: &Event<'a>, rc: i64) {
        if rc == rc::NOT_INSTALLED || self.is_masked(model, event) {
            self.set_role(model, Role::Stopped);
            return;
        }
        let mut clears = true;
        if rc != rc::NOT_RUNNING {
            match event.task {
                "monitor" => {
                    clears = self.last_failure.and_then(HistoryEntry::operation_key) == Some(event.key);
                    self.set_active_if_not_started(model);
                }
                "start" | "migrate_from" => self.set_role(model, Role::Started),
                "stop" => self.set_role(model, Role::Stopped),
                "promote" => self.set_role(model, Role::Promoted),
                "demote" => {
                    clears = self.handling == OnFail::Demote;
                    self.set_role(model, Role::Unpromoted);
                }
                "migrate_to" => {
                    clears = false;
                    self.migrated_to(model, event);
                }
                _ => {
                    clears = false;
                    self.set_active_if_not_started(model);
                }
            }
        }
        if clears {
            self.clear(model);
        }
    }

    /// Rule 1.12.12.
    fn clear(&mut self, model: &mut Model) {
        let cleared = match self.handling {
            OnFail::Stop | OnFail::Ban | OnFail::Standby | OnFail::Fence => false,
            OnFail::ResetRemote => model.resources[self.resource].reconnect_interval == 0,
            _ => true,
        };
        if cleared {
            self.handling = OnFail::Ignore;
            set_next_role(model, self.resource, Role::Unknown, "past failures forgotten");
        }
    }

    pub(super) fn set_role(&self, model: &mut Model, role: Role) {
        model.resources[self.resource].current_role = role;
    }

    /// Started, or Unpromoted inside a promotable clone.
    pub(super) fn set_active(&self, model: &mut Model) {
        let promotable = model.resources[model.top_of(self.resource)].promotable;
        self.set_role(model, if promotable { Role::Unpromoted } else { Role::Started });
    }

    pub(super) fn set_active_if_not_started(&self, model: &mut Model) {
        if model.resources[self.resource].current_role < Role::Started {
            self.set_active(model);
        }
    }

    pub(super) fn cause(&self) -> Cause {
        Cause::Failure { resource: self.resource, node: self.node }
    }

    /// Rule 1.13.6.
    pub(super) fn record_failure(&self, model: &mut Model<'a>, entry: &'a HistoryEntry) {
        if !model.nodes[self.node].online {
            return;
        }
        let key = entry.operation_key().unwrap_or_default().to_owned();
        if model.state.failed_keys.insert((key, self.node)) {
            model.state.failed.push(FailedEntry { resource: self.resource, node: self.node, entry });
        }
    }

    /// Rule 1.14.8.
    fn pending(&mut self, model: &mut Model<'a>, event: &Event<'a>) {
        if self.is_leftover(event) {
            return;
        }
        match event.task {
            "start" => {
                model.resources[self.resource].start_pending = true;
                self.set_active(model);
            }
            "promote" => self.set_role(model, Role::Promoted),
            "migrate_to" if model.nodes[self.node].unclean => self.stop_on_target(model, event),
            _ => {}
        }
        let it = &mut model.resources[self.resource];
        if it.pending_task.is_none() && !event.is_probe() {
            it.pending_task = Some(event.task.into());
            it.pending_node = Some(self.node);
        }
    }

    /// The operation already failed after it was recorded as pending.
    fn is_leftover(&self, event: &Event) -> bool {
        self.last_failure.is_some_and(|failure| {
            failure.operation() == Some(event.task)
                && failure.interval == event.entry.interval
                && failure.last_rc_change.unwrap_or(0) >= event.entry.last_rc_change.unwrap_or(0)
        })
    }
}

/// The resource part of an operation key, without task and interval (rule 3.2.3).
pub fn resource_of_key(key: &str) -> Option<&str> {
    let (rest, interval) = key.rsplit_once('_')?;
    if interval.is_empty() || !interval.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    for task in ["_migrate_to", "_migrate_from"] {
        if let Some(resource) = rest.strip_suffix(task) {
            return Some(resource);
        }
    }
    let (resource, _) = rest.rsplit_once('_')?;
    for kind in ["_confirmed-pre_notify", "_confirmed-post_notify", "_pre_notify", "_post_notify"] {
        if let Some(resource) = resource.strip_suffix(kind) {
            return Some(resource);
        }
    }
    Some(resource)
}

/// The first failed probe on record for the resource on the node, or on any node (rule 1.20.7).
pub fn failed_probe<'a>(
    model: &Model<'a>,
    resource: ResourceId,
    node: Option<crate::model::NodeId>,
) -> Option<&'a HistoryEntry> {
    let top = model.top_of(resource);
    let wanted = match model.resources[top].is_clone() {
        true => crate::state::child_id(model, top)?,
        false => model.resources[resource].id.clone(),
    };
    let node = node.map(|node| &model.nodes[node].name);
    model.state.failed.iter().map(|failed| failed.entry).find(|entry| {
        is_masked_probe_failure(entry)
            && node.is_none_or(|node| entry.on_node().is_some_and(|on| on.eq_ignore_ascii_case(node)))
            && entry.operation_key().and_then(resource_of_key) == Some(&*wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_give_the_resource() {
        assert_eq!(resource_of_key("db_monitor_10000"), Some("db"));
        assert_eq!(resource_of_key("my_db_migrate_to_0"), Some("my_db"));
        assert_eq!(resource_of_key("ms_confirmed-post_notify_promoted_0"), Some("ms"));
        assert_eq!(resource_of_key("nonsense"), None);
    }
}
