//! Stands in for the actions stage until that has landed.
use crate::model::*;

pub fn request(_m: &mut Model, _r: ResourceId, _t: Task, _i: u32, _n: Option<NodeId>, _o: bool) -> ActionId {
    if _t == Task::Stop
        && let Some(n) = _n
        && !_m.nodes[n].online
        && !_m.nodes[n].unclean
        && _m.resources[_r].managed
    {
        fencing::fence_node(_m, n, "stop is unrunnable", false);
    }
    ActionId::from_index(0)
}
pub fn clear_fail_count(_m: &mut Model, _r: ResourceId, _n: NodeId, _reason: &str) {}
pub fn last_failure_is_outdated(
    _m: &mut Model,
    _r: ResourceId,
    _n: NodeId,
    _e: &cib::status::HistoryEntry,
) -> bool {
    false
}
pub mod fencing {
    use crate::model::*;
    pub fn fence_node(m: &mut Model, n: NodeId, _r: &str, _d: bool) {
        if m.nodes[n].is_guest() {
            if let Some(c) = m.nodes[n].connection
                && let Some(l) = m.resources[c].launcher
            {
                if !m.resources[l].failed && m.resources[l].managed {
                    m.nodes[n].remote_reset = true;
                    m.resources[l].failed = true;
                    m.resources[l].stop_required = true;
                }
            }
        } else if m.nodes[n].is_remote() {
            if let Some(c) = m.nodes[n].connection
                && m.resources[c].removed_launched
                && m.resources[c].launcher.is_none()
            {
                m.resources[c].failed = true;
                m.resources[c].stop_required = true;
                return;
            }
            if m.nodes[n].connection.is_none_or(|c| m.resources[c].managed) {
                m.nodes[n].remote_reset = true;
            }
            m.nodes[n].unclean = true;
        } else {
            m.nodes[n].unclean = true;
        }
    }
}
