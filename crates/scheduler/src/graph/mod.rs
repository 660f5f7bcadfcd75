//! From actions and relations to the transition graph (rules 3.41 to 3.44).
//!
//! Nothing is decided here any more: an action enters or not, an input triggers or not.

mod action;
pub use action::FEATURE_SET;
pub mod dot;
pub(crate) mod triggers;
mod world;

pub(crate) use action::action_of;
pub use world::world;

use std::sync::Arc;

use crate::model::{ActionId, Cause, Id, Model, NodeId, Properties, Relation, ResourceId, ResourceKind};
use crate::ordering::summary;
use cib::rule::RuleInput;
use cib::value::parse_interval;
use transition::{Graph, Head, Synapse};

/// Builds the graph (S12). Clone notifications are created on the way.
pub fn build(model: &mut Model<'_>) -> Graph {
    // before the actions: when parameters of what is to be done change does not make the plan another
    let frame = frame(model);
    let mut builder = Builder::default();
    for index in 0..model.top.len() {
        let resource = model.top[index];
        builder.add_resource(model, resource);
    }
    tell_maintenance(model);
    for action in model.actions.ids().rev() {
        builder.consider(model, action);
    }
    Graph { synapses: builder.synapses, ..frame }
}

/// The graph's own settings (rule 3.43.2).
fn frame(model: &Model<'_>) -> Graph {
    let options = &model.options;
    let values = model.cib.cluster_options(&RuleInput::at(model.state.clock)).values;
    let duration = |name: &str, legacy: &str| {
        let text = values.get(name).or_else(|| values.get(legacy));
        text.filter(|text| parse_interval(text).is_some()).unwrap_or("60s").into()
    };
    Graph {
        transition: 1,
        cluster_delay: duration("cluster-delay", "cluster_delay"),
        fencing_timeout: duration("fencing-timeout", "stonith-timeout"),
        failed_stop_infinite: true,
        failed_start_infinite: options.start_failure_is_fatal,
        batch_limit: options.batch_limit.to_string().into(),
        migration_limit: (options.migration_limit > 0).then_some(options.migration_limit),
        recheck_by: model.recheck_by,
        synapses: Vec::new(),
    }
}

#[derive(Default)]
struct Builder {
    synapses: Vec<Synapse>,
    /// Actions whose inputs were sorted and merged (rule 3.41.4).
    merged: Vec<bool>,
    /// Identities, made when first needed.
    heads: Vec<Option<Arc<Head>>>,
    words: action::Words,
}

impl Builder {
    /// Rule 3.41.3.
    fn add_resource(&mut self, model: &mut Model<'_>, resource: ResourceId) {
        match model.resources[resource].kind {
            ResourceKind::Primitive(_) => self.add_own(model, resource),
            ResourceKind::Group(_) => {
                self.add_own(model, resource);
                self.add_children(model, resource);
            }
            ResourceKind::Clone(_) => {
                for index in 0..model.resources[resource].actions.len() {
                    let action = model.resources[resource].actions[index];
                    summary::of(model, action, None);
                }
                crate::actions::notify::create(model, resource);
                self.add_children(model, resource);
                self.add_own(model, resource);
            }
            ResourceKind::Bundle(_) => self.add_bundle(model, resource),
        }
    }

    fn add_children(&mut self, model: &mut Model<'_>, resource: ResourceId) {
        for index in 0..model.resources[resource].children.len() {
            let child = model.resources[resource].children[index];
            self.add_resource(model, child);
        }
    }

    fn add_bundle(&mut self, model: &mut Model<'_>, resource: ResourceId) {
        let Some(bundle) = model.resources[resource].bundle() else { return };
        let child = bundle.child;
        let parts: Vec<ResourceId> = (bundle.replicas.iter())
            .flat_map(|replica| [replica.ip, Some(replica.container), replica.connection])
            .flatten()
            .collect();
        child.into_iter().chain(parts).for_each(|part| self.add_resource(model, part));
    }

    /// A resource's own actions, newest first.
    fn add_own(&mut self, model: &mut Model<'_>, resource: ResourceId) {
        for index in (0..model.resources[resource].actions.len()).rev() {
            let action = model.resources[resource].actions[index];
            self.consider(model, action);
        }
    }

    fn consider(&mut self, model: &mut Model<'_>, action: ActionId) {
        self.merge_inputs(model, action);
        if model.actions[action].in_graph || !triggers::enters(model, action) {
            return;
        }
        model.actions[action].in_graph = true;
        let triggers = self.triggers(model, action);
        let head = self.head(model, action);
        let priority =
            model.actions[action].resource.map_or(0, |resource| model.resources[resource].priority.value());
        self.synapses.push(Synapse {
            priority: priority.max(model.actions[action].priority.value()),
            action: action::describe(model, action, head, &mut self.words),
            triggers,
        });
    }

    fn merge_inputs(&mut self, model: &mut Model<'_>, action: ActionId) {
        if self.merged.len() <= action.index() {
            self.merged.resize(model.actions.len(), false);
        }
        if std::mem::replace(&mut self.merged[action.index()], true) {
            return;
        }
        let inputs = &mut model.actions[action].inputs;
        inputs.sort_by_key(|input| input.action);
        inputs.dedup_by(|later, kept| {
            let same = later.action == kept.action;
            if same {
                kept.properties |= later.properties;
            }
            same
        });
    }

    /// Marks the inputs that become triggers; some of the others are disabled (rules 3.42.6, 3.42.7).
    fn triggers(&mut self, model: &mut Model<'_>, action: ActionId) -> Vec<Arc<Head>> {
        let mut heads = Vec::new();
        for index in 0..model.actions[action].inputs.len() {
            let input: Relation = model.actions[action].inputs[index];
            if triggers::would_trigger(model, action, &input) {
                model.actions[action].inputs[index].in_graph = true;
                heads.push(self.head(model, input.action));
            } else if matches!(input.properties, Properties::LOAD | Properties::AVOID) {
                model.actions[action].inputs[index].properties = Properties::NONE;
            }
        }
        heads
    }

    fn head(&mut self, model: &Model<'_>, action: ActionId) -> Arc<Head> {
        if self.heads.len() <= action.index() {
            self.heads.resize(model.actions.len(), None);
        }
        self.heads[action.index()].get_or_insert_with(|| Arc::new(action::identify(model, action))).clone()
    }
}

/// Rule 3.43.10: remote nodes are told when their maintenance state differs from what the status records.
fn tell_maintenance(model: &mut Model<'_>) {
    let changes = maintenance_changes(model).next();
    if let Some(node) = changes {
        let action = crate::actions::pseudo(model, MAINTENANCE, Cause::Maintenance(node));
        model.actions[action].force_graphed = true;
    }
}

/// Key and task of the action that tells remote nodes about maintenance.
const MAINTENANCE: &str = "maintenance_nodes";

/// Remote nodes whose maintenance state changes, in node-list order.
fn maintenance_changes<'m>(model: &'m Model<'_>) -> impl Iterator<Item = NodeId> + use<'m> {
    model.node_order.iter().copied().filter(|node| {
        let node = &model.nodes[*node];
        node.is_pacemaker_remote() && node.maintenance != node.remote_was_in_maintenance
    })
}
