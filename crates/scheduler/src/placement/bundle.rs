//! Placing a bundle (rule 2.22): containers like clone instances, then what lives with and in them.

use super::instances::{self, Distribution};
use super::{Finality, colocation, criteria, output, place as place_any, tables};
use crate::model::{Cause, Colocation, Model, NodeId, Replica, ResourceId};
use cib::value::{Role, Score};

/// How often a bundle may be asked for from inside its own placement, once bundles have been so often in all. The
/// rule knows no limit, but bundles that are colocated in a circle ask for each other once for every order of
/// their containers.
const MOST_NESTED: u16 = 2;
const MOST_NESTED_IN_ALL: u32 = 300;

/// Places everything in the bundle. Asked again, it places again what is still open, and prints again.
pub fn place(model: &mut Model, bundle: ResourceId, preferred: Option<NodeId>, finality: Finality) {
    let many = model.placement.nested_bundles >= MOST_NESTED_IN_ALL;
    let nesting = model.placement.marks_mut(bundle).nesting;
    if many && nesting > MOST_NESTED {
        return;
    }
    model.placement.nested_bundles += u32::from(nesting > 0);
    model.placement.marks_mut(bundle).nesting = nesting + 1;
    place_all(model, bundle, preferred, finality);
    model.placement.marks_mut(bundle).nesting = nesting;
}

/// Rule 2.22.4.
fn place_all(model: &mut Model, bundle: ResourceId, preferred: Option<NodeId>, finality: Finality) {
    let Some(it) = model.resources[bundle].bundle() else { return };
    let (child, node_max, replicas) = (it.child, it.replicas_per_host, it.replicas.clone());
    model.resources[bundle].placing = true;
    model.placement.surroundings_changed();
    output::tables(model, "pcmk__bundle_assign", bundle);
    let mut containers: Vec<ResourceId> = replicas.iter().map(|replica| replica.container).collect();
    let max = containers.len() as i32;
    instances::sort(model, bundle, &mut containers);
    instances::distribute(model, &Distribution { collective: bundle, instances: containers, max, node_max });
    for replica in &replicas {
        place_replica(model, replica, preferred, finality);
    }
    if let Some(child) = child {
        confine_clone(model, child, &replicas);
        model.placement.surroundings_changed();
        place_any(model, child, preferred, finality);
    }
    model.placement.surroundings_changed();
    model.resources[bundle].provisional = false;
    model.resources[bundle].placing = false;
}

/// Rule 2.22.4, step 3.
fn place_replica(model: &mut Model, replica: &Replica, preferred: Option<NodeId>, finality: Finality) {
    if let Some(ip) = replica.ip {
        place_any(model, ip, preferred, finality);
    }
    if let Some(connection) = replica.connection {
        join_host_connection(model, connection, replica.container);
        place_any(model, connection, preferred, finality);
    }
    let (Some(child), Some(node)) = (replica.child, replica.node) else { return };
    let cause = Cause::PartOf(replica.container);
    tables::ban_entries_unless(model, child, cause, |_, at| at == node);
    if criteria::threshold_reached(model, child, node).is_none() {
        tables::set_score(model, child, node, Score::INFINITY, cause);
    }
    let parent = model.resources[child].parent;
    let was_placing = parent.map(|parent| std::mem::replace(&mut model.resources[parent].placing, true));
    place_any(model, child, Some(node), finality);
    if let (Some(parent), Some(was_placing)) = (parent, was_placing) {
        model.resources[parent].placing = was_placing;
    }
}

/// A container on a remote node can only be reached where that node's own connection is.
fn join_host_connection(model: &mut Model, connection: ResourceId, container: ResourceId) {
    let Some(host) = model.resources[container].assigned else { return };
    let Some(host_connection) =
        model.nodes[host].connection.filter(|_| model.nodes[host].is_pacemaker_remote())
    else {
        return;
    };
    colocation::add(
        model,
        Colocation {
            id: "#replica-remote-with-host-remote".into(),
            dependent: connection,
            primary: host_connection,
            dependent_role: Role::Unknown,
            primary_role: Role::Unknown,
            score: Score::INFINITY,
            node_attribute: None,
            influence: true,
            explicit: false,
            source: None,
        },
    );
}

/// Rule 2.22.4, step 4: the bundled clone is at home on the bundle's nodes only.
fn confine_clone(model: &mut Model, clone: ResourceId, replicas: &[Replica]) {
    let nodes: Vec<NodeId> = model.resources[clone].allowed.iter().map(|entry| entry.node).collect();
    for node in nodes {
        let own = replicas.iter().any(|replica| replica.node == Some(node));
        let score = if own { Score::ZERO } else { Score::MINUS_INFINITY };
        tables::set_score(model, clone, node, score, Cause::PartOf(clone));
    }
}
