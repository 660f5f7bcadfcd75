//! Placing a group (rule 2.19): its members, one after the other.

use super::{Finality, output, place as place_any};
use crate::model::{Model, NodeId, ResourceId, ResourceKind};

/// Places every member; the node of the first that got one, for a colocated group.
pub fn place(
    model: &mut Model,
    group: ResourceId,
    preferred: Option<NodeId>,
    finality: Finality,
) -> Option<NodeId> {
    if !model.resources[group].provisional || model.resources[group].placing {
        return None;
    }
    let members = model.resources[group].children.clone();
    let Some(&first) = members.first() else {
        model.resources[group].provisional = false;
        return None;
    };
    model.resources[group].placing = true;
    model.resources[group].current_role = model.resources[first].current_role;
    output::tables(model, "pcmk__group_assign", group);
    let mut node = None;
    for member in members {
        let got = place_any(model, member, preferred, finality);
        node = node.or(got);
    }
    let next_role = model.resources[first].next_role;
    let it = &mut model.resources[group];
    it.next_role = next_role;
    it.placing = false;
    it.provisional = false;
    let colocated = matches!(&it.kind, ResourceKind::Group(group) if group.colocated);
    node.filter(|_| colocated)
}
