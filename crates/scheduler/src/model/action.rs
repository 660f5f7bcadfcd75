//! Actions, relations between them, and ordering rules.

use super::ids::{ActionId, NodeId, ResourceId};
use super::{Attributes, Name};
use crate::model::resource::Requires;
use cib::value::Score;
use std::rc::Rc;

/// What an action does (rule 3.2.5), plus tasks of unknown name (pseudo-actions such as `load_stopped_NODE`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Task {
    Monitor,
    Start,
    Started,
    Stop,
    Stopped,
    Promote,
    Promoted,
    Demote,
    Demoted,
    Notify,
    Notified,
    MigrateTo,
    MigrateFrom,
    Reload,
    Cancel,
    Delete,
    LrmDelete,
    ClearFailcount,
    Fence,
    Shutdown,
    Other(Name),
}

impl Task {
    /// The name in keys and in the graph: `running` for [`Task::Started`], `stonith` for [`Task::Fence`].
    pub fn name(&self) -> &str {
        match self {
            Task::Monitor => "monitor",
            Task::Start => "start",
            Task::Started => "running",
            Task::Stop => "stop",
            Task::Stopped => "stopped",
            Task::Promote => "promote",
            Task::Promoted => "promoted",
            Task::Demote => "demote",
            Task::Demoted => "demoted",
            Task::Notify => "notify",
            Task::Notified => "notified",
            Task::MigrateTo => "migrate_to",
            Task::MigrateFrom => "migrate_from",
            Task::Reload => "reload-agent",
            Task::Cancel => "cancel",
            Task::Delete => "delete",
            Task::LrmDelete => "lrm_delete",
            Task::ClearFailcount => "clear_failcount",
            Task::Fence => "stonith",
            Task::Shutdown => "do_shutdown",
            Task::Other(name) => name,
        }
    }

    pub fn parse(name: &str) -> Task {
        match name {
            "monitor" => Task::Monitor,
            "start" => Task::Start,
            "running" => Task::Started,
            "stop" => Task::Stop,
            "stopped" => Task::Stopped,
            "promote" => Task::Promote,
            "promoted" => Task::Promoted,
            "demote" => Task::Demote,
            "demoted" => Task::Demoted,
            "notify" => Task::Notify,
            "notified" => Task::Notified,
            "migrate_to" => Task::MigrateTo,
            "migrate_from" => Task::MigrateFrom,
            "reload-agent" => Task::Reload,
            "cancel" => Task::Cancel,
            "delete" => Task::Delete,
            "lrm_delete" => Task::LrmDelete,
            "clear_failcount" => Task::ClearFailcount,
            "stonith" => Task::Fence,
            "do_shutdown" => Task::Shutdown,
            other => Task::Other(other.into()),
        }
    }

    /// The task that reports this one as done for a collective: start → running (rule 3.23.7).
    pub fn completed(&self) -> Option<Task> {
        match self {
            Task::Start => Some(Task::Started),
            Task::Stop => Some(Task::Stopped),
            Task::Promote => Some(Task::Promoted),
            Task::Demote => Some(Task::Demoted),
            _ => None,
        }
    }
}

/// A set of tasks; all tasks of unknown name are one in it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tasks(u32);

impl Tasks {
    pub fn insert(&mut self, task: &Task) {
        self.0 |= Tasks::bit(task);
    }
    pub fn has(self, task: &Task) -> bool {
        self.0 & Tasks::bit(task) != 0
    }
    fn bit(task: &Task) -> u32 {
        1 << match task {
            Task::Monitor => 0,
            Task::Start => 1,
            Task::Started => 2,
            Task::Stop => 3,
            Task::Stopped => 4,
            Task::Promote => 5,
            Task::Promoted => 6,
            Task::Demote => 7,
            Task::Demoted => 8,
            Task::Notify => 9,
            Task::Notified => 10,
            Task::MigrateTo => 11,
            Task::MigrateFrom => 12,
            Task::Reload => 13,
            Task::Cancel => 14,
            Task::Delete => 15,
            Task::LrmDelete => 16,
            Task::ClearFailcount => 17,
            Task::Fence => 18,
            Task::Shutdown => 19,
            Task::Other(_) => 20,
        }
    }
}

/// What to do when an action fails, in order of severity (rule 1.10.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum OnFail {
    Ignore,
    Demote,
    #[default]
    Restart,
    ResetRemote,
    RestartContainer,
    Ban,
    Block,
    Stop,
    Standby,
    Fence,
}

/// An action of this run.
#[derive(Clone, Debug)]
pub struct Action {
    pub resource: Option<ResourceId>,
    pub node: Option<NodeId>,
    pub task: Task,
    /// In milliseconds; 0 for one-time actions.
    pub interval: u32,
    /// `RESOURCE_TASK_INTERVAL`, or the one name of node and ownerless actions (rule 3.2).
    pub key: Name,
    /// The task a cancel cancels.
    pub cancelled_task: Option<Task>,

    // states (rule 3.3.1)
    pub optional: bool,
    pub runnable: bool,
    pub pseudo: bool,
    pub force_graphed: bool,
    pub migratable: bool,
    pub reschedule: bool,
    pub migration_abort: bool,
    pub on_dc: bool,
    /// Waits for `minimum_runnable` of its inputs instead of all (rule 3.24.10).
    pub minimum_runnable: Option<u32>,
    pub runnable_inputs: u32,

    /// Why the action was changed from its initial state; the text that the summary shows.
    pub reason: Option<Name>,
    pub requires: Requires,
    pub priority: Score,
    /// Shared by all actions of the same operation until one is given something of its own.
    pub meta: Rc<Attributes>,
    /// The operation's own instance attributes; `None` until evaluated (rule 3.5.10).
    pub parameters: Option<Rc<Attributes>>,
    pub in_graph: bool,
    /// Scratch mark of loop searches.
    pub tracking: bool,
    /// Index of the operation's configuration in the resource's definition, if any.
    pub operation: Option<usize>,

    /// Inputs and followers. The **newest entry is last**; the specification's "front of the list"
    /// is the end of these vectors.
    pub inputs: Vec<Relation>,
    pub followers: Vec<Relation>,
}

impl Action {
    /// The task that the key names: that of the recurring action for a cancel.
    pub fn key_task(&self) -> &Task {
        self.cancelled_task.as_ref().unwrap_or(&self.task)
    }
    /// A notification of any kind, told by its key (rule 3.2.2).
    pub fn is_notification(&self) -> bool {
        matches!(self.task, Task::Notify | Task::Notified)
    }
    /// Whether this is the action `RESOURCE_TASK_INTERVAL` of its resource.
    pub fn is(&self, task: &Task, interval: u32) -> bool {
        self.interval == interval && self.key_task() == task && !self.is_notification()
    }
    /// A probe: a monitor without interval.
    pub fn is_probe(&self) -> bool {
        self.is(&Task::Monitor, 0)
    }
    /// Sets a meta-attribute of this action alone.
    pub fn set_meta(&mut self, name: &str, value: impl Into<Name>) {
        Rc::make_mut(&mut self.meta).insert(name.into(), value.into());
    }
    /// Sets the reason unless there is one (rule 3.3.4).
    pub fn set_reason(&mut self, reason: &str) {
        if self.reason.is_none() {
            self.reason = Some(reason.into());
        }
    }
}

/// One end's view of a relation: the other action and the properties.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Relation {
    pub action: ActionId,
    pub properties: Properties,
    /// Graph stage: this input became a trigger.
    pub in_graph: bool,
    /// How many actions there were when it was found to do nothing but order, until there are more; 0 before.
    pub plain_among: u32,
}

impl Relation {
    pub fn new(action: ActionId, properties: Properties) -> Relation {
        Relation { action, properties, in_graph: false, plain_among: 0 }
    }
}

/// A set of ordering properties (rule 3.21). Empty means disabled.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Properties(pub u32);

macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident = $bit:expr;)*) => {
        impl Properties {
            pub const NONE: Properties = Properties(0);
            $($(#[$doc])* pub const $name: Properties = Properties(1 << $bit);)*
        }
        impl std::fmt::Debug for Properties {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut names: Vec<&str> = Vec::new();
                $(if self.has(Properties::$name) { names.push(stringify!($name)); })*
                write!(f, "{}", names.join("|"))
            }
        }
    };
}

properties! {
    PLAIN = 0;
    FIRST_PULLS_THEN = 1;
    THEN_PULLS_FIRST = 2;
    PROMOTED_PULLS_FIRST = 3;
    FIRST_GATES_THEN = 4;
    THEN_GATES_FIRST = 5;
    FIRST_ELSE_REAL = 6;
    RESTART = 7;
    ASYMMETRIC = 8;
    MINIMUM_RUNNABLE = 9;
    SAME_NODE_PULL = 10;
    NESTED_PROBE = 11;
    FIRST_GRAPHS_THEN = 12;
    THEN_GRAPHS_FIRST = 13;
    UNLESS_FIRST_MIGRATES = 14;
    SAME_NODE = 15;
    LOAD = 16;
    AVOID = 17;
    SERIALIZE = 18;
    GUEST_ALLOWED = 19;
    THEN_CANCELS_FIRST = 20;
}

impl Properties {
    /// Whether all properties of `other` are in this set.
    pub const fn has(self, other: Properties) -> bool {
        self.0 & other.0 == other.0
    }
    /// Whether at least one property is shared.
    pub const fn shares(self, other: Properties) -> bool {
        self.0 & other.0 != 0
    }
    pub const fn without(self, other: Properties) -> Properties {
        Properties(self.0 & !other.0)
    }
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitOr for Properties {
    type Output = Properties;
    fn bitor(self, other: Properties) -> Properties {
        Properties(self.0 | other.0)
    }
}
impl std::ops::BitOrAssign for Properties {
    fn bitor_assign(&mut self, other: Properties) {
        self.0 |= other.0;
    }
}

/// One side of an ordering rule (rule 3.20.1): a concrete action, or a resource plus an action.
#[derive(Clone, PartialEq, Debug)]
pub enum Side {
    Action(ActionId),
    /// All actions of the resource with this task and interval (in milliseconds).
    Key {
        resource: ResourceId,
        task: Task,
        interval: u32,
    },
}

impl Side {
    /// The one-time action `task` of `resource`.
    pub fn task(resource: ResourceId, task: Task) -> Side {
        Side::Key { resource, task, interval: 0 }
    }
}

/// An ordering between two sides; becomes relations at the start of the ordering stage (rule 3.22).
#[derive(Clone, PartialEq, Debug)]
pub struct OrderingRule {
    pub first: Side,
    pub then: Side,
    pub properties: Properties,
    /// Where it comes from.
    pub cause: crate::model::Cause,
}
