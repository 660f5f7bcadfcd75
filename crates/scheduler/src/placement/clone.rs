//! Placing a clone (rule 2.20).

use super::colocation::{self, preferences};
use super::instances::{self, Distribution};
use super::{Finality, output, place as place_any, promotion};
use crate::model::{Model, NodeId, ResourceId};

/// Places every instance, and chooses their roles if the clone is promotable.
pub fn place(model: &mut Model, clone: ResourceId, preferred: Option<NodeId>, finality: Finality) {
    if !model.resources[clone].provisional || model.resources[clone].placing {
        return;
    }
    let Some(settings) = model.resources[clone].clone_settings() else { return };
    let (max, node_max) = (settings.max, settings.node_max);
    let promotable = model.resources[clone].promotable;
    if promotable {
        promotion::add_scores(model, clone);
    }
    model.resources[clone].placing = true;
    for id in colocation::this_with(model, clone) {
        place_any(model, model.colocations[id].primary, preferred, finality);
    }
    for id in colocation::with_this(model, clone) {
        preferences::merge_dependent(model, id, clone);
    }
    output::tables(model, "pcmk__clone_assign", clone);
    let mut order = model.resources[clone].children.clone();
    instances::sort(model, clone, &mut order);
    model.resources[clone].children = order.clone();
    instances::distribute(model, &Distribution { collective: clone, instances: order, max, node_max });
    if promotable {
        promotion::choose_roles(model, clone);
    }
    model.resources[clone].provisional = false;
    model.resources[clone].placing = false;
}
