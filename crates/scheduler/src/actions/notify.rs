//! Notifications: instances of a clone are told before and after others change (rule 3.9).
//!
//! In S7 each kind of change gets four pseudo-actions ([`announce`]); the real notifications follow when
//! the graph is built and everything else is known ([`create`]).

use super::request::{self, require};
use crate::model::{ActionId, Cause, Model, NodeId, Properties, ResourceId, Task};
use crate::ordering::relate;
use cib::value::{Role, Score, compare_node_names};
use std::rc::Rc;

/// The pseudo-actions around one kind of change. Without the pre pair for what fencing implies.
#[derive(Clone, Copy, Debug)]
struct Announcement {
    pre: Option<Pair>,
    post: Pair,
}

/// A pseudo-action that stands for all notifications of a moment, and the one that follows them.
#[derive(Clone, Copy, Debug)]
struct Pair {
    call: ActionId,
    confirmed: ActionId,
}

/// All announcements of one clone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announcements {
    start: Option<Announcement>,
    stop: Option<Announcement>,
    promote: Option<Announcement>,
    demote: Option<Announcement>,
}

impl Announcements {
    fn of(&self, change: Change) -> Option<Announcement> {
        match change {
            Change::Start => self.start,
            Change::Stop => self.stop,
            Change::Promote => self.promote,
            Change::Demote => self.demote,
        }
    }
}

/// What instances are notified of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Start,
    Stop,
    Promote,
    Demote,
}

impl Change {
    const ALL: [Change; 4] = [Change::Start, Change::Stop, Change::Promote, Change::Demote];

    fn of(task: &Task) -> Option<Change> {
        Some(match task {
            Task::Start => Change::Start,
            Task::Stop => Change::Stop,
            Task::Promote => Change::Promote,
            Task::Demote => Change::Demote,
            _ => return None,
        })
    }
    fn task(self) -> Task {
        match self {
            Change::Start => Task::Start,
            Change::Stop => Task::Stop,
            Change::Promote => Task::Promote,
            Change::Demote => Task::Demote,
        }
    }
}

/// Pseudo-actions of starting and stopping a clone (start, running; stop, stopped).
pub(super) fn announce(
    model: &mut Model<'_>,
    clone: ResourceId,
    [start, started]: [ActionId; 2],
    [stop, stopped]: [ActionId; 2],
) {
    if !model.resources[clone].notify {
        return;
    }
    let start = around(model, clone, start, started);
    let stop = around(model, clone, stop, stopped);
    after(model, Some(stop), Some(start));
    let all = model.actions_extra.announcements.entry(clone).or_default();
    all.start = Some(start);
    all.stop = Some(stop);
}

/// Pseudo-actions of promotion (promote, promoted).
pub(super) fn announce_promotion(
    model: &mut Model<'_>,
    clone: ResourceId,
    [promote, promoted]: [ActionId; 2],
) {
    if model.resources[clone].notify {
        let promotion = around(model, clone, promote, promoted);
        model.actions_extra.announcements.entry(clone).or_default().promote = Some(promotion);
    }
}

/// Pseudo-actions of demotion (demote, demoted), and the order of all kinds among each other.
pub(super) fn announce_demotion(model: &mut Model<'_>, clone: ResourceId, [demote, demoted]: [ActionId; 2]) {
    if !model.resources[clone].notify {
        return;
    }
    let demotion = around(model, clone, demote, demoted);
    let all = model.actions_extra.announcements.entry(clone).or_default();
    all.demote = Some(demotion);
    let Announcements { start, stop, promote, demote } = *all;
    for (first, then) in
        [(stop, promote), (start, promote), (demote, promote), (demote, start), (demote, stop)]
    {
        after(model, first, then);
    }
}

/// Rules 3.9.1 to 3.9.3.
fn around(model: &mut Model<'_>, clone: ResourceId, change: ActionId, done: ActionId) -> Announcement {
    let change_task = model.actions[change].task.clone();
    let pre = pair(model, clone, change, "pre", change_task.name());
    for id in [pre.call, pre.confirmed] {
        model.actions[id].runnable = true;
    }
    relate(model, pre.call, pre.confirmed, Properties::PLAIN);
    relate(model, pre.confirmed, change, Properties::PLAIN);
    let post = post_pair(model, clone, done, change_task.name());
    relate(model, pre.confirmed, post.call, Properties::PLAIN);
    Announcement { pre: Some(pre), post }
}

fn post_pair(model: &mut Model<'_>, resource: ResourceId, done: ActionId, operation: &str) -> Pair {
    let post = pair(model, resource, done, "post", operation);
    for id in [post.call, post.confirmed] {
        model.actions[id].runnable = model.actions[done].runnable;
        model.actions[id].priority = Score::INFINITY;
    }
    relate(model, done, post.call, Properties::FIRST_PULLS_THEN);
    relate(model, post.call, post.confirmed, Properties::FIRST_PULLS_THEN);
    post
}

/// The pseudo-actions `RES_MOMENT_notify_TASK_0` and `RES_confirmed-MOMENT_notify_TASK_0` for `action`.
fn pair(
    model: &mut Model<'_>,
    resource: ResourceId,
    action: ActionId,
    moment: &str,
    operation: &str,
) -> Pair {
    let optional = model.actions[action].optional;
    let about = model.actions[action].task.clone();
    let mut make = |key_type: &str, task: Task| {
        let key = format!("{}_{key_type}_notify_{}_0", model.resources[resource].id, about.name());
        let cause = Cause::Action(action);
        let id = request::request_notification(model, resource, &key, task, None, optional, cause);
        let it = &mut model.actions[id];
        it.pseudo = true;
        it.set_meta("notify_key_type", key_type);
        it.set_meta("notify_key_operation", about.name());
        it.set_meta("notify_type", moment);
        it.set_meta("notify_operation", operation);
        id
    };
    let call = make(moment, Task::Notify);
    let confirmed = make(&format!("confirmed-{moment}"), Task::Notified);
    Pair { call, confirmed }
}

/// The pre notification of one kind of change waits for the post notifications of another.
fn after(model: &mut Model<'_>, first: Option<Announcement>, then: Option<Announcement>) {
    if let (Some(first), Some(pre)) = (first, then.and_then(|then| then.pre)) {
        relate(model, first.post.confirmed, pre.call, Properties::PLAIN);
    }
}

/// An instance, and the node that the entry is about.
type Entry = (ResourceId, Option<NodeId>);

/// What the instances of a clone are and will be doing.
#[derive(Default)]
struct Situation {
    inactive: Vec<Entry>,
    active: Vec<Entry>,
    unpromoted: Vec<Entry>,
    promoted: Vec<Entry>,
    start: Vec<Entry>,
    stop: Vec<Entry>,
    promote: Vec<Entry>,
    demote: Vec<Entry>,
}

impl Situation {
    fn of(model: &Model<'_>, resource: ResourceId, with_changes: bool) -> Situation {
        let mut situation = Situation::default();
        situation.collect(model, resource, with_changes);
        situation
    }

    /// Rule 3.9.4 (a).
    fn collect(&mut self, model: &Model<'_>, resource: ResourceId, with_changes: bool) {
        let it = &model.resources[resource];
        if !it.is_primitive() {
            it.children.iter().for_each(|child| self.collect(model, *child, with_changes));
            return;
        }
        let entry = (resource, it.active_on.first().copied());
        match it.current_role {
            Role::Unknown => {}
            Role::Stopped => self.inactive.push(entry),
            Role::Started => self.active.push(entry),
            Role::Unpromoted => {
                self.unpromoted.push(entry);
                self.active.push(entry);
            }
            Role::Promoted => {
                self.promoted.push(entry);
                self.active.push(entry);
            }
        }
        if with_changes {
            it.actions.iter().for_each(|action| self.add_change(model, resource, *action));
        }
    }

    fn add_change(&mut self, model: &Model<'_>, resource: ResourceId, action: ActionId) {
        let action = &model.actions[action];
        let (Some(change), Some(node), false) = (Change::of(&action.task), action.node, action.optional)
        else {
            return;
        };
        if action.runnable || (change == Change::Stop && model.nodes[node].unclean) {
            self.changes_mut(change).push((resource, Some(node)));
        }
    }

    fn changes(&self, change: Change) -> &[Entry] {
        match change {
            Change::Start => &self.start,
            Change::Stop => &self.stop,
            Change::Promote => &self.promote,
            Change::Demote => &self.demote,
        }
    }
    fn changes_mut(&mut self, change: Change) -> &mut Vec<Entry> {
        match change {
            Change::Start => &mut self.start,
            Change::Stop => &mut self.stop,
            Change::Promote => &mut self.promote,
            Change::Demote => &mut self.demote,
        }
    }

    /// Rules 3.9.6 and 4.3.8: what each notification tells, and each change that is told of.
    fn values(&self, model: &Model<'_>, clone: ResourceId) -> Vec<(&'static str, String)> {
        let mut values = Vec::new();
        let mut add = |resources: &'static str, nodes: &'static str, entries: &[Entry]| {
            let (ids, names) = texts(model, entries);
            values.push((resources, ids));
            if !nodes.is_empty() {
                values.push((nodes, names));
            }
        };
        add("notify_stop_resource", "notify_stop_uname", &self.stop);
        add("notify_start_resource", "notify_start_uname", &self.start);
        add("notify_demote_resource", "notify_demote_uname", &self.demote);
        add("notify_promote_resource", "notify_promote_uname", &self.promote);
        add("notify_active_resource", "notify_active_uname", &self.active);
        add("notify_unpromoted_resource", "notify_unpromoted_uname", &self.unpromoted);
        add("notify_slave_resource", "notify_slave_uname", &self.unpromoted);
        add("notify_promoted_resource", "notify_promoted_uname", &self.promoted);
        add("notify_master_resource", "notify_master_uname", &self.promoted);
        add("notify_inactive_resource", "", &self.inactive);
        values.push(("notify_available_uname", available_nodes(model, clone)));
        values.extend(all_nodes(model, clone));
        values
    }
}

/// Instance ids and the parallel node names, by ids as bytes and then nodes, each id once (rule 4.3.9); an empty list
/// is one space.
fn texts(model: &Model<'_>, entries: &[Entry]) -> (String, String) {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    let node_id = |node: Option<NodeId>| node.map(|node| &model.nodes[node].id);
    sorted.sort_by_key(|(resource, node)| (&model.resources[*resource].id, node_id(*node)));
    sorted.dedup_by_key(|(resource, _)| &model.resources[*resource].id);
    let ids: Vec<&str> = sorted.iter().map(|(resource, _)| &*model.resources[*resource].id).collect();
    let names: Vec<&str> =
        sorted.iter().filter_map(|(_, node)| node.map(|node| &*model.nodes[node].name)).collect();
    (joined(&ids), joined(&names))
}

fn joined(words: &[&str]) -> String {
    if words.is_empty() { " ".to_owned() } else { words.join(" ") }
}

fn available_nodes(model: &Model<'_>, clone: ResourceId) -> String {
    let mut names: Vec<&str> =
        model.resources[clone].allowed.iter().map(|entry| &*model.nodes[entry.node].name).collect();
    names.sort_by(|a, b| compare_node_names(a, b));
    joined(&names)
}

fn all_nodes(model: &Model<'_>, clone: ResourceId) -> Vec<(&'static str, String)> {
    let names: Vec<&str> = model.node_order.iter().map(|node| &*model.nodes[*node].name).collect();
    let mut values = vec![("notify_all_uname", joined(&names))];
    let target = model.resources[clone].meta.get("container-attribute-target");
    if target.is_some_and(|target| target.eq_ignore_ascii_case("host")) {
        let hosts: Vec<&str> =
            model.node_order.iter().map(|node| &*model.nodes[host_of(model, *node)].name).collect();
        values.push(("notify_all_hosts", joined(&hosts)));
    }
    values
}

/// The node that a guest's container runs on; other nodes, and guests that run nowhere, are themselves.
fn host_of(model: &Model<'_>, node: NodeId) -> NodeId {
    let launcher = crate::state::launcher_of_node(model, node).filter(|_| model.nodes[node].is_guest());
    let host = launcher.and_then(|launcher| model.resources[launcher].active_on.first().copied());
    host.unwrap_or(node)
}

/// Creates the notifications of a clone (S12, rule 3.9.4).
pub fn create(model: &mut Model<'_>, clone: ResourceId) {
    let Some(announcements) = model.actions_extra.announcements.get(&clone).copied() else { return };
    for change in Change::ALL {
        let Some(announcement) = announcements.of(change) else { continue };
        let situation = Situation::of(model, clone, true);
        if !situation.changes(change).is_empty() {
            let pre = announcement.pre.into_iter().flat_map(|pre| [pre.call, pre.confirmed]);
            for id in pre.chain([announcement.post.call, announcement.post.confirmed]) {
                require(model, id, Cause::PartOf(clone));
            }
        }
        let values = situation.values(model, clone);
        let job = Job { change, announcement, situation, values };
        job.notify(model, clone);
    }
}

/// Tells the clone around `primitive` that fencing implies its `stop` (rule 3.9.7).
pub fn of_fenced_stop(model: &mut Model<'_>, primitive: ResourceId, stop: ActionId, fencing: ActionId) {
    if !model.resources[primitive].notify {
        return;
    }
    let post = post_pair(model, primitive, fencing, "stop");
    let id = model.resources[primitive].id.to_string();
    let node = model.actions[stop].node.map(|node| model.nodes[node].name.to_string());
    let values =
        vec![("notify_stop_resource", id), ("notify_stop_uname", node.unwrap_or_else(|| " ".to_owned()))];
    let top = model.top_of(primitive);
    let situation = Situation::of(model, primitive, false);
    let announcement = Announcement { pre: None, post };
    Job { change: Change::Stop, announcement, situation, values }.notify(model, top);
}

/// Everything needed to tell the instances about one kind of change.
struct Job {
    change: Change,
    announcement: Announcement,
    situation: Situation,
    values: Vec<(&'static str, String)>,
}

impl Job {
    fn notify(&self, model: &mut Model<'_>, resource: ResourceId) {
        if model.resources[resource].is_primitive() {
            self.notify_primitive(model, resource);
            return;
        }
        for child in model.resources[resource].children.clone() {
            self.notify(model, child);
        }
    }

    /// Rule 3.9.5.
    fn notify_primitive(&self, model: &mut Model<'_>, resource: ResourceId) {
        self.describe_changes(model, resource);
        let it = &model.resources[resource];
        let (role, next, assigned) = (it.current_role, it.next_role, it.assigned);
        match self.change {
            Change::Stop | Change::Demote => {
                if self.change == Change::Demote && self.situation.demote.is_empty() {
                    return;
                }
                if role != Role::Stopped {
                    for node in model.resources[resource].active_on.clone() {
                        self.notify_leaving(model, resource, node);
                    }
                }
            }
            Change::Start | Change::Promote => {
                if !self.situation.changes(self.change).is_empty() && next != Role::Stopped {
                    self.notify_arriving(model, resource, assigned);
                }
            }
        }
    }

    /// All that happens to the instance carries the same description.
    fn describe_changes(&self, model: &mut Model<'_>, resource: ResourceId) {
        for index in 0..model.resources[resource].actions.len() {
            let action = &mut model.actions[model.resources[resource].actions[index]];
            if !action.optional && action.node.is_some() && Change::of(&action.task).is_some() {
                self.describe(action);
            }
        }
    }

    fn describe(&self, action: &mut crate::model::Action) {
        let meta = Rc::make_mut(&mut action.meta);
        for (name, value) in &self.values {
            meta.insert((*name).into(), value.as_str().into());
        }
    }

    fn notify_leaving(&self, model: &mut Model<'_>, resource: ResourceId, node: NodeId) {
        let stop = own_action(model, resource, Task::Stop);
        let is_lost = stop.is_some_and(|stop| model.actions[stop].pseudo)
            && (model.nodes[node].unclean || model.nodes[node].remote_reset);
        if is_lost {
            return;
        }
        self.create_pre(model, resource, Some(node));
        if self.change == Change::Demote || stop.is_none_or(|stop| model.actions[stop].optional) {
            self.create_post(model, resource, Some(node));
        }
    }

    fn notify_arriving(&self, model: &mut Model<'_>, resource: ResourceId, node: Option<NodeId>) {
        if is_unreachable(model, node) {
            return;
        }
        let start = own_action(model, resource, Task::Start);
        if self.change == Change::Promote || start.is_none_or(|start| model.actions[start].optional) {
            self.create_pre(model, resource, node);
        }
        self.create_post(model, resource, node);
    }

    fn create_pre(&self, model: &mut Model<'_>, resource: ResourceId, node: Option<NodeId>) {
        if let Some(pair) = self.announcement.pre {
            self.create_one(model, resource, node, "pre", pair);
        }
    }

    fn create_post(&self, model: &mut Model<'_>, resource: ResourceId, node: Option<NodeId>) {
        let pair = self.announcement.post;
        if let Some(notification) = self.create_one(model, resource, node, "post", pair) {
            model.actions[notification].priority = Score::INFINITY;
        }
        for id in model.resources[resource].actions.clone() {
            let action = &model.actions[id];
            let recurs = action.meta.get("interval").is_some_and(|interval| **interval != *"0");
            if recurs && action.task != Task::Cancel {
                relate(model, pair.confirmed, id, Properties::PLAIN);
            }
        }
    }

    fn create_one(
        &self,
        model: &mut Model<'_>,
        resource: ResourceId,
        node: Option<NodeId>,
        moment: &str,
        pair: Pair,
    ) -> Option<ActionId> {
        let node = node?;
        let call = &model.actions[pair.call];
        if !model.nodes[node].online || !call.runnable {
            return None;
        }
        let (optional, inherited) = (call.optional, call.meta.clone());
        let key = format!("{}_{moment}_notify_{}_0", model.resources[resource].id, self.change.task().name());
        let cause = Cause::Action(pair.call);
        let id =
            request::request_notification(model, resource, &key, Task::Notify, Some(node), optional, cause);
        let action = &mut model.actions[id];
        let meta = Rc::make_mut(&mut action.meta);
        for (name, value) in inherited.iter() {
            meta.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self.describe(action);
        relate(model, pair.call, id, Properties::PLAIN);
        relate(model, id, pair.confirmed, Properties::PLAIN);
        Some(id)
    }
}

/// The instance's own start or stop, on whatever node: the newest, where it is active on several.
fn own_action(model: &Model<'_>, resource: ResourceId, task: Task) -> Option<ActionId> {
    model.resources[resource].actions.iter().rev().copied().find(|id| model.actions[*id].is(&task, 0))
}

/// Whether the instance would be behind a connection that cannot be started.
fn is_unreachable(model: &Model<'_>, node: Option<NodeId>) -> bool {
    let connection = node.filter(|node| model.nodes[*node].is_pacemaker_remote());
    let connection = connection.and_then(|node| model.nodes[node].connection);
    let start = connection.and_then(|connection| own_action(model, connection, Task::Start));
    start.is_some_and(|start| !model.actions[start].runnable)
}
