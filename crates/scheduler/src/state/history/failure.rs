//! A failed operation: how it is handled, and what it leaves behind (rule 1.13).

use super::entry::{Event, rc};
use super::{Replay, set_next_role};
use crate::model::{Cause, Model, OnFail, ResourceId};
use crate::state::{self, running};
use cib::value::Role;

impl<'a> Replay<'a> {
    /// What the configuration says about a failure of this operation (rule 1.10.5).
    pub(super) fn configured_handling(&self, model: &mut Model, event: &Event) -> OnFail {
        let interval = event.entry.interval;
        let configured = state::operation(model, self.resource, event.task, interval);
        let meta = state::operation_meta(model, self.resource, configured, event.task, interval);
        let text = |name: &str| meta.get(name).map(|value| &**value);
        state::on_fail(model, self.resource, event.task, interval, text("on-fail"), text("role"))
    }

    /// Rule 1.13.1.
    pub(super) fn fail(&mut self, model: &mut Model<'a>, event: &Event<'a>, handling: OnFail) {
        self.last_failure = Some(event.entry);
        if model.options.symmetric_cluster || event.rc != rc::NOT_INSTALLED {
            self.record_failure(model, event.entry);
        }
        self.handling = self.handling.max(handling);
        match event.task {
            "stop" => running::ban(model, self.resource, self.node, self.cause()),
            "migrate_to" => self.migrate_to_failed(model, event),
            "migrate_from" => self.migrate_from_failed(model, event),
            "promote" => self.set_role(model, Role::Promoted),
            "demote" => self.demote_failed(model, event, handling),
            _ => {}
        }
        if event.is_probe() && event.rc == rc::NOT_INSTALLED {
            self.set_role(model, Role::Stopped);
        } else {
            self.set_active_if_not_started(model);
        }
        let after = state::role_after_failure(model, self.resource, event.task, handling);
        if after != Role::Started && model.resources[self.resource].next_role < after {
            set_next_role(model, self.resource, after, "failure");
        }
        if after == Role::Stopped {
            ban_all(model, self.resource, self.cause());
        }
    }

    fn demote_failed(&self, model: &mut Model, event: &Event, handling: OnFail) {
        if handling == OnFail::Block {
            self.set_role(model, Role::Promoted);
            set_next_role(model, self.resource, Role::Stopped, "demote with on-fail=block");
        } else if event.rc == rc::NOT_RUNNING {
            self.set_role(model, Role::Stopped);
        } else {
            self.set_role(model, Role::Unpromoted);
        }
    }
}

/// Step 7: no node is allowed any more, for an anonymous clone for the whole of it.
fn ban_all(model: &mut Model, resource: ResourceId, cause: Cause) {
    let top = model.top_of(resource);
    let it = &model.resources[top];
    let banned = if it.is_clone() && !it.unique { top } else { resource };
    running::ban_by_replacement(model, banned, cause);
}
