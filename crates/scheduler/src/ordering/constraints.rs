//! Configured ordering constraints (rule 3.25).

use super::order;
use crate::model::{Cause, Model, Name, Properties, ResourceId, Severity, Side, Task};
use crate::state;
use cib::config::{OrderConstraint, ResourceSet};
use cib::value::{HealthScores, parse_boolean};

/// Turns one `rsc_order` into rules; `index` is its place among the CIB's constraints.
pub fn unpack(model: &mut Model<'_>, constraint: &OrderConstraint, index: u32) {
    let kind = kind_of(model, constraint.kind.as_deref(), constraint);
    let common = Common {
        kind,
        symmetrical: constraint.symmetrical.as_deref().and_then(parse_boolean),
        cause: Cause::Order(index),
        id: &constraint.id,
        line: constraint.line,
    };
    let sets = if constraint.sets.is_empty() {
        sets_of_sides(model, constraint)
    } else {
        written_sets(model, constraint)
    };
    match sets {
        Some(sets) => unpack_sets(model, &common, &sets),
        None => unpack_simple(model, constraint, &common),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Mandatory,
    Optional,
    Serialize,
}

/// How a rule relates to the constraint it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Symmetry {
    Symmetric,
    /// The reverse rule of a symmetric constraint.
    Inverse,
    Asymmetric,
}

/// What all rules of one constraint share.
struct Common<'c> {
    kind: Kind,
    symmetrical: Option<bool>,
    cause: Cause,
    id: &'c str,
    line: u32,
}

impl Common<'_> {
    fn symmetry(&self) -> Symmetry {
        symmetry(self.kind, self.symmetrical)
    }
}

/// Rule 3.25.2.
fn kind_of(model: &mut Model<'_>, text: Option<&str>, constraint: &OrderConstraint) -> Kind {
    let Some(text) = text else {
        let score = constraint.score.as_ref().and_then(|score| score.resolve(&HealthScores::default()));
        let optional = score.is_some_and(|score| score.value() == 0);
        return if optional { Kind::Optional } else { Kind::Mandatory };
    };
    parse_kind(text).unwrap_or_else(|| {
        let message = format!(
            "Resetting 'kind' of ordering constraint '{}' to 'Mandatory' because '{text}' is not valid",
            constraint.id
        );
        model.notice(Severity::ConfigurationError, message, Some(constraint.line));
        Kind::Mandatory
    })
}

fn parse_kind(text: &str) -> Option<Kind> {
    [("Mandatory", Kind::Mandatory), ("Optional", Kind::Optional), ("Serialize", Kind::Serialize)]
        .into_iter()
        .find_map(|(name, kind)| text.eq_ignore_ascii_case(name).then_some(kind))
}

/// Rule 3.25.3.
fn symmetry(kind: Kind, explicit: Option<bool>) -> Symmetry {
    match (kind, explicit) {
        (Kind::Serialize, _) | (_, Some(false)) => Symmetry::Asymmetric,
        _ => Symmetry::Symmetric,
    }
}

/// Rule 3.25.4; `first` is the task of the rule's first side.
fn properties(kind: Kind, first: &Task, symmetry: Symmetry) -> Properties {
    match (kind, symmetry) {
        (Kind::Optional, _) => Properties::PLAIN,
        (Kind::Serialize, _) => Properties::SERIALIZE,
        (Kind::Mandatory, Symmetry::Asymmetric) => Properties::PLAIN | Properties::ASYMMETRIC,
        (Kind::Mandatory, Symmetry::Inverse) => Properties::PLAIN | Properties::THEN_PULLS_FIRST,
        (Kind::Mandatory, Symmetry::Symmetric) => {
            let pulls = Properties::PLAIN | Properties::FIRST_PULLS_THEN;
            match first {
                Task::Start | Task::Promote | Task::MigrateFrom => pulls | Properties::FIRST_GATES_THEN,
                _ => pulls,
            }
        }
    }
}

/// Rule 3.25.5.
fn inverse(task: &Task) -> Option<Task> {
    Some(match task {
        Task::Start => Task::Stop,
        Task::Stop => Task::Start,
        Task::Promote => Task::Demote,
        Task::Demote => Task::Promote,
        Task::Started => Task::Stopped,
        Task::Stopped => Task::Started,
        Task::Promoted => Task::Demoted,
        Task::Demoted => Task::Promoted,
        _ => return None,
    })
}

fn unpack_simple(model: &mut Model<'_>, constraint: &OrderConstraint, common: &Common<'_>) {
    let first = known_side(model, constraint.first.as_deref(), "first", common);
    let then = known_side(model, constraint.then.as_deref(), "then", common);
    let Some((first, then)) = first.zip(then) else { return };
    let first_task = Task::parse(constraint.first_action.as_deref().unwrap_or("start"));
    let then_task = constraint.then_action.as_deref().map_or_else(|| first_task.clone(), Task::parse);
    let symmetry = common.symmetry();
    let forward = properties(common.kind, &first_task, symmetry);
    match minimum_instances(model, first, constraint) {
        Some(minimum) => {
            let members = model.resources[first].children.clone();
            let name = format!("clone-one-or-more:{}", constraint.id);
            let gate = Gate { name, minimum, first_task: &first_task, then_task: &then_task };
            gate.order(model, &members, &[then], forward, common.cause);
        }
        None => add(model, (first, &first_task), (then, &then_task), forward, common.cause),
    }
    if symmetry == Symmetry::Asymmetric {
        return;
    }
    let Some((first_inverse, then_inverse)) = inverse(&first_task).zip(inverse(&then_task)) else {
        let text = format!("Cannot invert ordering constraint '{}': use 'symmetrical=false'", common.id);
        model.notice(Severity::ConfigurationWarning, text, Some(common.line));
        return;
    };
    let backward = properties(common.kind, &then_inverse, Symmetry::Inverse);
    add(model, (then, &then_inverse), (first, &first_inverse), backward, common.cause);
}

fn add(
    model: &mut Model<'_>,
    first: (ResourceId, &Task),
    then: (ResourceId, &Task),
    properties: Properties,
    cause: Cause,
) {
    let first = Side::task(first.0, first.1.clone());
    order(model, first, Side::task(then.0, then.1.clone()), properties, cause);
}

fn known_side(
    model: &mut Model<'_>,
    id: Option<&str>,
    side: &str,
    common: &Common<'_>,
) -> Option<ResourceId> {
    let Some(id) = id else {
        let text = format!("Ignoring ordering constraint '{}' without '{side}'", common.id);
        model.notice(Severity::ConfigurationError, text, Some(common.line));
        return None;
    };
    let found = state::find_resource(model, id);
    if found.is_none() {
        let text = format!("Ignoring ordering constraint '{}': resource '{id}' does not exist", common.id);
        model.notice(Severity::ConfigurationError, text, Some(common.line));
    }
    found
}

/// How many instances of the first suffice, if not all are needed (rule 3.25.6).
fn minimum_instances(model: &Model<'_>, first: ResourceId, constraint: &OrderConstraint) -> Option<u32> {
    let settings = model.resources[first].clone_settings()?;
    if model.resources[first].meta.contains_key("clone-min") {
        return u32::try_from(settings.min).ok().filter(|minimum| *minimum > 0);
    }
    let require_all = constraint.require_all.as_deref().is_none_or(|text| parse_boolean(text) == Some(true));
    (!require_all).then_some(1)
}

/// A pseudo-action between many firsts, some of which suffice, and what comes then.
struct Gate<'t> {
    name: String,
    minimum: u32,
    first_task: &'t Task,
    then_task: &'t Task,
}

impl Gate<'_> {
    fn order(
        &self,
        model: &mut Model<'_>,
        firsts: &[ResourceId],
        thens: &[ResourceId],
        properties: Properties,
        cause: Cause,
    ) {
        let gate = crate::actions::pseudo(model, &self.name, cause);
        model.actions[gate].minimum_runnable = Some(self.minimum);
        for first in firsts {
            let first = Side::task(*first, self.first_task.clone());
            let counted = Properties::MINIMUM_RUNNABLE | Properties::FIRST_GRAPHS_THEN;
            order(model, first, Side::Action(gate), counted, cause);
        }
        for then in thens {
            let then = Side::task(*then, self.then_task.clone());
            order(model, Side::Action(gate), then, properties | Properties::FIRST_GATES_THEN, cause);
        }
    }
}

/// A resource set with tags and templates replaced by what they stand for.
struct Set {
    id: Name,
    /// Ids, still to be looked up.
    members: Vec<Name>,
    task: Task,
    /// `sequential` as written.
    sequential: Option<bool>,
    require_all: bool,
    kind: Option<Kind>,
    symmetrical: Option<bool>,
}

/// The sets of the constraint as written.
fn written_sets(model: &Model<'_>, constraint: &OrderConstraint) -> Option<Vec<Set>> {
    Some(constraint.sets.iter().map(|set| written_set(model, set)).collect())
}

fn written_set(model: &Model<'_>, set: &ResourceSet) -> Set {
    let boolean = |text: &Option<Name>| text.as_deref().map(|text| parse_boolean(text) == Some(true));
    let members = set.members.iter().flat_map(|id| members_of(model, id).unwrap_or_else(|| vec![id.clone()]));
    Set {
        id: set.id.clone(),
        members: members.collect(),
        task: set.action.as_deref().map_or(Task::Start, Task::parse),
        sequential: boolean(&set.sequential),
        require_all: boolean(&set.require_all).unwrap_or(true),
        kind: set.kind.as_deref().and_then(parse_kind),
        symmetrical: set.symmetrical.as_deref().and_then(parse_boolean),
    }
}

/// What a tag or template stands for; none for a resource.
fn members_of(model: &Model<'_>, id: &str) -> Option<Vec<Name>> {
    if state::find_resource(model, id).is_some() {
        return None;
    }
    let tag = model.templates.iter().chain(&model.tags).find(|tag| *tag.id == *id)?;
    Some(tag.members.clone())
}

/// `first` and `then` as two sets, if one of them is a tag or template (rule 3.25.10).
fn sets_of_sides(model: &Model<'_>, constraint: &OrderConstraint) -> Option<Vec<Set>> {
    let (first, then) = (constraint.first.as_ref()?, constraint.then.as_ref()?);
    let (first_members, then_members) = (members_of(model, first), members_of(model, then));
    if first_members.is_none() && then_members.is_none() {
        return None;
    }
    // as sets: an action that is not said is `start`, on either side
    let task = |action: Option<&str>| Task::parse(action.unwrap_or("start"));
    let first_task = task(constraint.first_action.as_deref());
    let then_task = task(constraint.then_action.as_deref());
    let set = |id: &Name, members: Option<Vec<Name>>, task: Task| Set {
        id: id.clone(),
        sequential: members.as_ref().map(|_| false),
        members: members.unwrap_or_else(|| vec![id.clone()]),
        task,
        require_all: true,
        kind: None,
        symmetrical: None,
    };
    Some(vec![set(first, first_members, first_task), set(then, then_members, then_task)])
}

/// Rule 3.25.7: each set alone, then with the one before.
fn unpack_sets(model: &mut Model<'_>, common: &Common<'_>, sets: &[Set]) {
    let mut last: Option<(&Set, Vec<ResourceId>)> = None;
    for set in sets {
        let Some(members) = resolve(model, set, common) else { return };
        within(model, set, &members, common);
        if let Some((before, before_members)) = &last {
            let (earlier, later) = ((*before, before_members.as_slice()), (set, members.as_slice()));
            let symmetry = common.symmetry();
            between(model, earlier, later, common, symmetry);
            if symmetry == Symmetry::Symmetric {
                between(model, later, earlier, common, Symmetry::Inverse);
            }
        }
        last = Some((set, members));
    }
}

fn resolve(model: &mut Model<'_>, set: &Set, common: &Common<'_>) -> Option<Vec<ResourceId>> {
    let mut members = Vec::with_capacity(set.members.len());
    for id in &set.members {
        let Some(member) = state::find_resource(model, id) else {
            let text = format!(
                "Ignoring resource set '{}' of ordering constraint '{}': '{id}' does not exist",
                set.id, common.id
            );
            model.notice(Severity::ConfigurationError, text, Some(common.line));
            return None;
        };
        members.push(member);
    }
    Some(members)
}

/// Rule 3.25.8.
fn within(model: &mut Model<'_>, set: &Set, members: &[ResourceId], common: &Common<'_>) {
    let kind = set.kind.unwrap_or(common.kind);
    let symmetry = symmetry(kind, set.symmetrical.or(common.symmetrical));
    let sequential = set.sequential.unwrap_or(true);
    let forward = properties(kind, &set.task, symmetry);
    for (position, first) in members.iter().enumerate() {
        let later = &members[position + 1..];
        let followers = match kind {
            Kind::Serialize => later,
            _ if sequential => &later[..later.len().min(1)],
            _ => &[],
        };
        for then in followers {
            add(model, (*first, &set.task), (*then, &set.task), forward, common.cause);
        }
    }
    let Some(task) = inverse(&set.task).filter(|_| symmetry != Symmetry::Asymmetric && sequential) else {
        return;
    };
    let backward = properties(kind, &task, Symmetry::Inverse);
    for pair in members.windows(2) {
        add(model, (pair[1], &task), (pair[0], &task), backward, common.cause);
    }
}

/// Rule 3.25.9: `first` before `then`; exchanged already if inverse.
fn between(
    model: &mut Model<'_>,
    first: (&Set, &[ResourceId]),
    then: (&Set, &[ResourceId]),
    common: &Common<'_>,
    symmetry: Symmetry,
) {
    let backward = symmetry == Symmetry::Inverse;
    let task = |set: &Set| if backward { inverse(&set.task) } else { Some(set.task.clone()) };
    let Some((first_task, then_task)) = task(first.0).zip(task(then.0)) else { return };
    let properties = properties(common.kind, &first_task, symmetry);
    if !first.0.require_all && !matches!(first_task, Task::Stop | Task::Demote) {
        let name = format!("one-or-more:{}", first.0.id);
        let gate = Gate { name, minimum: 1, first_task: &first_task, then_task: &then_task };
        gate.order(model, first.1, then.1, properties, common.cause);
        return;
    }
    let firsts = boundary(first, !backward);
    let thens = boundary(then, backward);
    for first in firsts {
        for then in thens {
            add(model, (*first, &first_task), (*then, &then_task), properties, common.cause);
        }
    }
}

/// The members that stand for a set at its end (`last`) or beginning: all, unless it is explicitly sequential.
fn boundary<'s>((set, members): (&Set, &'s [ResourceId]), last: bool) -> &'s [ResourceId] {
    match members.len() {
        count if set.sequential != Some(true) || count == 0 => members,
        count if last => &members[count - 1..],
        _ => &members[..1],
    }
}
