//! The graph and what it is made of.

use std::sync::Arc;

use crate::Name;

/// Everything that leads from the current state of the cluster to the wanted one.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Number of the transition; the caller counts (rule 3.43.2).
    pub transition: u32,
    /// How long a change may take to reach all nodes, as configured (`60s`).
    pub cluster_delay: Name,
    /// `fencing-timeout` as configured (`60s`).
    pub fencing_timeout: Name,
    /// What a failed stop adds to the fail count: always infinity.
    pub failed_stop_infinite: bool,
    /// Whether a failed start counts as infinitely many failures.
    pub failed_start_infinite: bool,
    /// `batch-limit` as configured (`0`).
    pub batch_limit: Name,
    /// `migration-limit`, if it is above 0.
    pub migration_limit: Option<i32>,
    /// When the result may change by itself, in seconds since the epoch (rule 3.17).
    pub recheck_by: Option<i64>,
    /// In graph order; a synapse's id is its position.
    pub synapses: Vec<Synapse>,
}

impl Default for Graph {
    fn default() -> Self {
        Graph {
            transition: 0,
            cluster_delay: "60s".into(),
            fencing_timeout: "60s".into(),
            failed_stop_infinite: true,
            failed_start_infinite: true,
            batch_limit: "0".into(),
            migration_limit: None,
            recheck_by: None,
            synapses: Vec::new(),
        }
    }
}

impl Graph {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.synapses.is_empty()
    }

    /// All actions, in graph order.
    pub fn actions(&self) -> impl DoubleEndedIterator<Item = &Action> {
        self.synapses.iter().map(|synapse| &synapse.action)
    }
}

/// One action and the actions that must be confirmed before it may start.
#[derive(Clone, Debug, PartialEq)]
pub struct Synapse {
    /// Decides what still starts after an abort (rule 3.44).
    pub priority: i32,
    pub action: Action,
    /// In ascending order of action id.
    pub triggers: Vec<Arc<Head>>,
}

/// How an action is carried out (rule 3.43.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An agent call on a node.
    Resource,
    /// No effect of its own: an ordering point or an implied result.
    Pseudo,
    /// Done by the cluster itself: fencing, shutdown, clearing fail counts, removing history.
    Cluster,
}

/// A node as the graph names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRef {
    pub name: Name,
    /// The node's id in the configuration (`uuid` in old surfaces).
    pub id: Name,
}

/// What identifies an action; this much is repeated where it triggers others.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Number of the action in its transition, from 1.
    pub id: u32,
    pub kind: Kind,
    /// The task: `start`, `running`, `stonith`, `do_shutdown`, …
    pub operation: Name,
    /// `RESOURCE_TASK_INTERVAL`, with the name that history uses.
    pub key: Name,
    /// The scheduler's own key, where `key` uses another name.
    pub internal_key: Option<Name>,
    /// Where it takes place; set for pseudo-actions only if they stand for fencing.
    pub node: Option<NodeRef>,
    /// The cluster node that speaks to `node`, if that is a remote or guest node.
    pub router: Option<NodeRef>,
}

/// What an action asks of the one who executes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing: confirm it.
    Nothing,
    /// Call the agent with this operation.
    Operation,
    /// End a recurring operation: [`Action::cancelled_operation`] at [`Action::interval`].
    Cancel,
    /// Forget the resource's history on the node (`delete`).
    Forget,
    /// Turn a node off or on; [`Action::fence_operation`] says how.
    Fence,
    /// Ask the node to stop its cluster services.
    Shutdown,
    /// Clear the resource's fail count on the node.
    ClearFailCount,
    /// Done by the coordinator itself: remove the resource's history entry (expired shutdown lock).
    RemoveHistory,
    /// Tell remote nodes whether they are in maintenance ([`Action::maintenance`]).
    Maintenance,
}

/// An action with all that its executor needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    pub head: Arc<Head>,
    /// The scheduler's own name of the resource or instance (`db:1`), if the action belongs to one.
    pub instance: Option<Name>,
    /// What the executor is told about the primitive; none for pseudo and node actions.
    pub primitive: Option<Primitive>,
    /// Attributes sorted by name: meta attributes as `CRM_meta_*`, then parameters.
    pub attributes: Vec<(Name, Name)>,
    /// Parameters whose names start with a digit, in order.
    pub numbered: Vec<(Name, Name)>,
    /// When the node's shutdown was asked for, if the resource is locked to it (epoch seconds).
    pub shutdown_lock: Option<i64>,
    /// Ids of the nodes that will be down after this (rule 3.43.9).
    pub downed: Vec<Name>,
    /// Remote nodes with their new maintenance state (rule 3.43.10).
    pub maintenance: Vec<(Name, bool)>,
    /// Why it is done, in words; not printed in the graph.
    pub reason: Option<Name>,
}

/// The resource of an action as its executor knows it (rule 3.43.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primitive {
    pub id: Name,
    pub long_id: Option<Name>,
    pub class: Option<Name>,
    pub provider: Option<Name>,
    pub kind: Option<Name>,
}

impl std::ops::Deref for Action {
    type Target = Head;
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Head {
    /// The cluster node that executes it: the router, else the node itself.
    pub fn executor(&self) -> Option<&NodeRef> {
        self.router.as_ref().or(self.node.as_ref())
    }

    pub fn is_pseudo(&self) -> bool {
        self.kind == Kind::Pseudo
    }

    /// The key in the scheduler's own names.
    pub fn own_key(&self) -> &Name {
        self.internal_key.as_ref().unwrap_or(&self.key)
    }
}

impl Action {
    /// An attribute by its full name.
    pub fn attribute(&self, name: &str) -> Option<&Name> {
        let at = self.attributes.binary_search_by(|(candidate, _)| (**candidate).cmp(name)).ok()?;
        Some(&self.attributes[at].1)
    }

    /// A meta attribute by its name without `CRM_meta_` (`op_no_wait`, `timeout`).
    pub fn meta(&self, name: &str) -> Option<&Name> {
        let at = self.attributes.partition_point(|(candidate, _)| {
            let mut probe = META_PREFIX.bytes().chain(name.bytes());
            for byte in candidate.bytes() {
                match probe.next() {
                    None => return false,
                    Some(wanted) if byte != wanted => return byte < wanted,
                    Some(_) => {}
                }
            }
            probe.next().is_some()
        });
        let (found, value) = self.attributes.get(at)?;
        (found.strip_prefix(META_PREFIX) == Some(name)).then_some(value)
    }

    /// The agent's parameters: everything but meta attributes and the feature set.
    pub fn parameters(&self) -> impl Iterator<Item = (&Name, &Name)> {
        self.attributes
            .iter()
            .filter(|(name, _)| !name.starts_with(META_PREFIX) && &**name != "crm_feature_set")
            .chain(&self.numbered)
            .map(|(name, value)| (name, value))
    }

    /// What its executor has to do.
    pub fn work(&self) -> Work {
        if !self.maintenance.is_empty() {
            return Work::Maintenance;
        }
        if self.is_pseudo() {
            return Work::Nothing;
        }
        match &*self.operation {
            "stonith" => Work::Fence,
            "do_shutdown" => Work::Shutdown,
            "clear_failcount" => Work::ClearFailCount,
            "lrm_delete" => Work::RemoveHistory,
            "cancel" => Work::Cancel,
            "delete" => Work::Forget,
            _ => Work::Operation,
        }
    }

    /// In milliseconds; 0 for one-time actions.
    pub fn interval(&self) -> u32 {
        self.number("interval").unwrap_or(0)
    }

    /// In milliseconds, if the action has a time limit of its own.
    pub fn timeout(&self) -> Option<u32> {
        self.number("timeout")
    }

    /// How long to wait before the operation starts, in milliseconds.
    pub fn start_delay(&self) -> u32 {
        self.number("start_delay").unwrap_or(0)
    }

    /// The exit status that counts as success.
    pub fn expected_status(&self) -> i32 {
        self.meta("op_target_rc").and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Whether it counts as done as soon as it is sent.
    pub fn no_wait(&self) -> bool {
        self.meta("op_no_wait").is_some_and(|text| &**text == "true")
    }

    /// The operation that a cancel ends.
    pub fn cancelled_operation(&self) -> Option<&Name> {
        (&*self.operation == "cancel").then(|| self.meta("operation")).flatten()
    }

    /// `on`, `off` or `reboot`, for fencing.
    pub fn fence_operation(&self) -> Option<&Name> {
        (&*self.operation == "stonith").then(|| self.meta("stonith_action")).flatten()
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.meta(name)?.parse().ok()
    }
}

/// What the names of meta attributes start with in the graph.
pub const META_PREFIX: &str = "CRM_meta_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_is_found_among_sorted_attributes() {
        let mut action = Action {
            head: Arc::new(Head {
                id: 1,
                kind: Kind::Resource,
                operation: "monitor".into(),
                key: "a_monitor_10000".into(),
                internal_key: None,
                node: None,
                router: None,
            }),
            instance: None,
            primitive: None,
            attributes: [
                ("CRM_meta_interval", "10000"),
                ("CRM_meta_timeout", "20000"),
                ("crm_feature_set", "3"),
                ("ip", "x"),
            ]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
            numbered: Vec::new(),
            shutdown_lock: None,
            downed: Vec::new(),
            maintenance: Vec::new(),
            reason: None,
        };
        assert_eq!(action.interval(), 10000);
        assert_eq!(action.timeout(), Some(20000));
        assert_eq!(action.meta("time"), None);
        assert_eq!(action.meta("zzz"), None);
        assert_eq!(action.attribute("ip").map(|value| &**value), Some("x"));
        assert_eq!(action.parameters().count(), 1);
        action.attributes.clear();
        assert_eq!(action.meta("interval"), None);
    }
}
