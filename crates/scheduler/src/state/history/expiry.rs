//! Failures that are old enough to be forgotten (rule 1.18.4).

use super::entry::{Event, rc, status};
use crate::actions;
use crate::model::{Cause, Model, NodeId, ResourceId};
use crate::state::failcount::{Count, fail_count, failure_timeout_seconds};
use cib::value::Score;

/// Whether the entry's result has expired. May schedule the clearing of the fail count.
pub(super) fn is_expired<'a>(
    model: &mut Model<'a>,
    resource: ResourceId,
    node: NodeId,
    event: &Event<'a>,
) -> bool {
    if event.status == status::NOT_INSTALLED {
        return false;
    }
    let is_last_failure = event.id.ends_with("_last_failure_0");
    let mut unexpired = Score::ZERO;
    let mut expired = false;
    if let (true, Some(changed)) = (model.resources[resource].failure_timeout > 0, event.entry.last_rc_change)
    {
        let timeout = failure_timeout_seconds(model, resource);
        expired = model.now >= changed.saturating_add(timeout) && !ignores_timeout(model, resource, event);
        let effective = Count { effective: true, with_launched: false };
        let found = fail_count(model, resource, node, effective, Some(event.entry));
        unexpired = found.count;
        // the timeout as it was before a blocking operation took it away
        let at = found.last_failure.saturating_add(timeout + 1);
        if unexpired != Score::ZERO && model.now < at {
            model.recheck_at(at);
        }
    }
    let mut clear_cause = None;
    if expired {
        let all = fail_count(model, resource, node, Count::default(), Some(event.entry));
        if all.count != Score::ZERO {
            if unexpired == Score::ZERO {
                clear_cause = Some(Cause::Failure { resource, node });
            } else {
                expired = false;
            }
        } else if is_last_failure && model.resources[resource].reconnect_interval > 0 {
            clear_cause = Some(Cause::Failure { resource, node });
        }
    }
    if !expired && is_last_failure && matches!(event.task, "start" | "monitor") {
        if definition_changed(model, resource, node, event) {
            clear_cause = Some(Cause::DefinitionChanged { resource, node });
        }
    }
    if let Some(cause) = clear_cause {
        let clear = actions::clear_fail_count(model, resource, node, cause);
        actions::order_after_fencing(model, resource, clear);
    }
    let keeps_its_meaning =
        matches!(event.rc, rc::OK | rc::NOT_RUNNING | rc::PROMOTED | rc::DEGRADED | rc::DEGRADED_PROMOTED);
    expired && !(event.is_probe() && keeps_its_meaning)
}

/// A recurring monitor of a connection with reconnect interval waits for its node to be fenced.
fn ignores_timeout(model: &Model, resource: ResourceId, event: &Event) -> bool {
    let it = &model.resources[resource];
    it.reconnect_interval > 0
        && model.options.fencing_enabled
        && event.task == "monitor"
        && event.entry.interval > 0
        && crate::state::find_node(model, &it.id).is_some_and(|node| !model.nodes[node].remote_was_fenced)
}

/// Whether the parameters differ from those of the failed operation; for bundle connections without a
/// fixed address that is looked at after placement.
fn definition_changed<'a>(
    model: &mut Model<'a>,
    resource: ResourceId,
    node: NodeId,
    event: &Event<'a>,
) -> bool {
    actions::parameters_changed_since_failure(model, resource, node, event.entry)
}
