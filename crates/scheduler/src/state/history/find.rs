//! To which resource a history belongs, and what is made for history without one (rules 1.11.3–1.11.8).

use crate::model::{Model, Name, NodeId, ResourceId, Severity};
use crate::state::definition::Definition;
use crate::state::resources::{self, Position};
use crate::state::{base_name, clone, find_known, nodes, running};
use cib::status::ResourceHistory;
use cib::value::Score;

/// Most removed connections to remote nodes that are looked after. Each is a node for every resource, though nobody
/// will place any there.
const MOST_REMOVED_CONNECTIONS: usize = 256;

/// The primitive that the history `id` on `node` tells about; `None` if it is removed.
pub(super) fn resource_of(model: &mut Model, node: NodeId, id: &Name) -> Option<ResourceId> {
    let direct = find_known(model, id);
    let matched = match direct {
        Some(known) if !model.resources[known].is_primitive() => return None,
        Some(known) => known,
        None => {
            let first = find_known(model, &format!("{}:0", base_name(id)))?;
            if model.resources[first].unique {
                return None;
            }
            first
        }
    };
    let top = model.top_of(matched);
    let resource = if model.resources[top].is_clone() && !model.resources[top].unique {
        match model.bundle_of(top) {
            Some(bundle) => bundled_instance(model, bundle, node)?,
            None => clone::instance_for(model, top, base_name(id), node)?,
        }
    } else {
        direct?
    };
    let it = &model.resources[resource];
    if !it.id.eq_ignore_ascii_case(id) {
        crate::state::set_history_name(model, resource, Some(id.clone()));
    }
    Some(resource)
}

/// The instance of a bundle whose bundle node is `node`.
fn bundled_instance(model: &Model, bundle: ResourceId, node: NodeId) -> Option<ResourceId> {
    let replicas = &model.resources[bundle].bundle()?.replicas;
    replicas.iter().find(|replica| replica.node == Some(node)).and_then(|replica| replica.child)
}

/// Rule 1.11.8: a resource for history without configuration.
pub(super) fn create_removed(model: &mut Model, history: &ResourceHistory) -> Option<ResourceId> {
    let definition = definition_of(history);
    let is_connection = definition.agent.as_ref().is_some_and(resources::is_remote_agent);
    if is_connection && !may_add_connection(model, &history.id) {
        return None;
    }
    let plan = resources::primitive_blueprint(model, definition)?;
    let id = resources::create(model, &plan, Position::TOP)?;
    if model.resources[id].is_remote_connection {
        let node = nodes::ensure_remote(model, &history.id, Score::ZERO);
        resources::link_connection(model, id);
        model.nodes[node].shutdown = true;
    }
    model.resources[id].removed = true;
    model.resources[id].removed_launched = history.container.is_some();
    model.top.push(id);
    if crate::state::resource_by_id(model, &history.id) != Some(id) {
        // something else of this name is configured that is no primitive
        model.state.by_history_name.entry(history.id.clone()).or_default().push(id);
    }
    if model.options.stop_removed_resources {
        running::ban_everywhere(model, id, crate::model::Cause::Removed(id));
    } else {
        model.resources[id].managed = false;
    }
    Some(id)
}

/// Counts a removed connection; says once that there are too many.
fn may_add_connection(model: &mut Model, id: &Name) -> bool {
    let count = &mut model.state.removed_connections;
    *count += 1;
    if *count == MOST_REMOVED_CONNECTIONS + 1 {
        let text = format!(
            "More than {MOST_REMOVED_CONNECTIONS} removed connections to remote nodes have a history: that of '{id}' \
             and those after it are ignored; clean them up"
        );
        model.notice(Severity::Warning, text, None);
    }
    model.state.removed_connections <= MOST_REMOVED_CONNECTIONS
}

/// All attributes of the `lrm_resource` become those of the resource.
fn definition_of(history: &ResourceHistory) -> Definition<'static> {
    let known = [
        ("id", Some(&history.id)),
        ("class", history.class.as_ref()),
        ("provider", history.provider.as_ref()),
        ("type", history.agent_type.as_ref()),
        ("container", history.container.as_ref()),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name, &**value?)));
    let other = history.other_attributes.iter().map(|(name, value)| (&**name, &**value));
    let attributes: Vec<(&str, &str)> = known.chain(other).collect();
    Definition::made(&attributes, &[], &[])
}
