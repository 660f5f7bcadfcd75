//! Live migrations in history: three entries on two nodes tell where the resource is (rule 1.14).

use super::entry::{Event, rc, status};
use super::index::Moves;
use super::{Replay, mark_failed, order};
use crate::actions;
use crate::model::{Model, Name, NodeId, Task};
use crate::state::running;
use cib::status::HistoryEntry;
use cib::value::Role;
use std::rc::Rc;

/// Source and target of a migration, by name and, where known, as nodes.
struct Ends {
    source: Name,
    target: Name,
    source_node: Option<NodeId>,
    target_node: Option<NodeId>,
}

impl Ends {
    /// Rule 1.14.1: both are required.
    fn of(model: &Model, entry: &HistoryEntry) -> Option<Ends> {
        let (source, target) = (entry.migrate_source()?, entry.migrate_target()?);
        Some(Ends {
            source: source.into(),
            target: target.into(),
            source_node: crate::state::find_node(model, source),
            target_node: crate::state::find_node(model, target),
        })
    }
}

/// Which end of a migration is asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Target,
}

impl<'a> Replay<'a> {
    /// What the history of the resource (by its own id) on the node of this name says of moves.
    fn moves(&self, model: &mut Model<'a>, node: &Name) -> Rc<Moves<'a>> {
        let id = model.resources[self.resource].id.clone();
        super::index::moves(model, node, &id)
    }

    /// The `migrate_from` entry on the target, whatever its result.
    fn from(&self, model: &mut Model<'a>, ends: &Ends) -> Option<&'a HistoryEntry> {
        self.moves(model, &ends.target).from(&ends.source)
    }

    /// The `migrate_to` entry on the source, whatever its result.
    fn to(&self, model: &mut Model<'a>, ends: &Ends) -> Option<&'a HistoryEntry> {
        self.moves(model, &ends.source).to(&ends.target)
    }

    /// Nothing is known about the resource on the node.
    fn is_unknown(&self, model: &mut Model<'a>, node: &Name) -> bool {
        !self.moves(model, node).is_known
    }

    /// Something moved, started or stopped the resource on the node after `reference`.
    fn has_changed(&self, model: &mut Model<'a>, node: &Name, reference: &HistoryEntry) -> bool {
        self.moves(model, node).has_changed(reference)
    }

    /// A monitor found the resource not running on the node after `reference`.
    fn is_gone(&self, model: &mut Model<'a>, node: &Name, reference: &HistoryEntry) -> bool {
        self.moves(model, node).monitor.entry().is_some_and(|monitor| {
            has_result(monitor, rc::NOT_RUNNING) && order::is_newer(monitor, reference)
        })
    }

    /// Whether the state on that end is newer than the migration (rule 1.14.2).
    fn has_newer_state(
        &self,
        model: &mut Model<'a>,
        ends: &Ends,
        end: End,
        to: Option<&'a HistoryEntry>,
        from: Option<&'a HistoryEntry>,
    ) -> bool {
        let node = if end == End::Source { &ends.source } else { &ends.target };
        let reference = match (to, from) {
            (Some(to), Some(from)) if from.migrate_source() == Some(&**node) => Some(to),
            (_, Some(from)) => Some(from),
            (to, None) => to,
        };
        reference.is_some_and(|it| self.has_changed(model, node, it) || self.is_gone(model, node, it))
    }

    /// Rule 1.14.3: a `migrate_to` succeeded.
    pub(super) fn migrated_to(&self, model: &mut Model<'a>, event: &Event<'a>) {
        let Some(ends) = Ends::of(model, event.entry) else { return };
        let to = event.entry;
        let source_changed = self.has_changed(model, &ends.source, to);
        let from = self.from(model, &ends);
        if from.is_some() && source_changed {
            return;
        }
        let target_changed = self.has_newer_state(model, &ends, End::Target, Some(to), from);
        if source_changed && target_changed {
            return;
        }
        if from.is_some_and(|from| has_result(from, rc::OK)) {
            self.set_role(model, Role::Stopped);
            self.add_dangling(model, ends.source_node);
            return;
        }
        self.set_role(model, Role::Started);
        let online = |model: &Model, node: Option<NodeId>| node.filter(|node| model.nodes[*node].online);
        let online_target = online(model, ends.target_node);
        let active_target = online_target.filter(|_| !target_changed);
        if from.is_some_and(|from| from.op_status != Some(status::PENDING)) {
            match active_target {
                Some(target) => running::mark_active(model, self.resource, target, true),
                None => self.abandon_migration(model),
            }
            return;
        }
        if online_target.is_some() && self.is_unknown(model, &ends.target) {
            return;
        }
        if let Some(target) = active_target {
            running::mark_active(model, self.resource, target, false);
            if let Some(source) = online(model, ends.source_node) {
                model.resources[self.resource].partial_migration_source = Some(source);
                model.resources[self.resource].partial_migration_target = Some(target);
            }
        } else if !source_changed {
            self.abandon_migration(model);
        }
    }

    /// The resource must be recovered without migration.
    fn abandon_migration(&self, model: &mut Model) {
        mark_failed(model, self.resource, true);
        model.resources[self.resource].allow_migrate = false;
    }

    /// Remembers that something may be left of the resource on the source.
    fn add_dangling(&self, model: &mut Model, node: Option<NodeId>) {
        if let Some(node) = node {
            model.resources[self.resource].dangling_migration_sources.insert(0, node);
        }
    }

    /// Rule 1.14.4.
    pub(super) fn migrate_to_failed(&self, model: &mut Model<'a>, event: &Event<'a>) {
        let Some(ends) = Ends::of(model, event.entry) else { return };
        self.set_role(model, Role::Started);
        let to = event.entry;
        let from = self.from(model, &ends).filter(|from| has_result(from, rc::OK));
        let target_known = !self.is_unknown(model, &ends.target)
            && !self.has_newer_state(model, &ends, End::Target, Some(to), from);
        if target_known {
            if let Some(target) = ends.target_node.filter(|node| model.nodes[*node].online) {
                running::mark_active(model, self.resource, target, false);
            }
        } else if !self.has_changed(model, &ends.source, to) {
            self.add_dangling(model, ends.source_node);
        }
    }

    /// Rule 1.14.5.
    pub(super) fn migrate_from_failed(&self, model: &mut Model<'a>, event: &Event<'a>) {
        let Some(ends) = Ends::of(model, event.entry) else { return };
        if ends.target_node != Some(self.node) {
            return;
        }
        self.set_role(model, Role::Started);
        let from = event.entry;
        let to = self.to(model, &ends).filter(|to| has_result(to, rc::OK));
        let source_known = !self.is_unknown(model, &ends.source)
            && !self.has_newer_state(model, &ends, End::Source, to, Some(from));
        if source_known {
            if let Some(source) = ends.source_node.filter(|node| model.nodes[*node].online) {
                running::mark_active(model, self.resource, source, true);
            }
        }
    }

    /// Rule 1.14.8 step 2: the source is lost while it was sending, so the target may have received.
    pub(super) fn stop_on_target(&self, model: &mut Model, event: &Event) {
        let target = event.entry.migrate_target().and_then(|name| crate::state::find_node(model, name));
        if let Some(target) = target {
            actions::request(model, self.resource, Task::Stop, 0, Some(target), false);
        }
    }
}

fn has_result(entry: &HistoryEntry, result: i64) -> bool {
    entry.op_status == Some(status::DONE) && entry.rc_code == Some(result)
}
