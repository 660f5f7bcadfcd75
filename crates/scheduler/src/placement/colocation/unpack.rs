//! From `rsc_colocation` to colocations (rules 2.15.1 to 2.15.8).

use super::super::find::{self, Meaning};
use crate::model::{Colocation, Model, Name, ResourceId, Severity};
use cib::config::{ColocationConstraint, ResourceSet};
use cib::value::{self, Role, Score, ScoreText};

/// Records what one constraint says.
pub fn unpack(model: &mut Model, source: u32, constraint: &ColocationConstraint) {
    let result = match &constraint.sets[..] {
        [] => unpack_pair(model, source, constraint),
        sets => unpack_configured_sets(model, source, constraint, sets),
    };
    if let Err(problem) = result {
        let text = format!("Ignoring colocation constraint '{}' because {problem}", constraint.id);
        model.notice(Severity::ConfigurationError, text, Some(constraint.line));
    }
}

/// What the parts of one constraint share.
struct Origin<'c> {
    constraint: &'c ColocationConstraint,
    source: u32,
    score: Score,
}

fn origin<'c>(model: &Model, source: u32, constraint: &'c ColocationConstraint) -> Origin<'c> {
    let score = resolve(model, constraint.score.as_ref()).unwrap_or_default();
    Origin { constraint, source, score }
}

fn resolve(model: &Model, score: Option<&ScoreText>) -> Option<Score> {
    score.map(|score| score.resolve(&model.options.health_scores).unwrap_or_default())
}

/// Role Started means no role (rule 2.15.1).
fn role_of(text: Option<&str>) -> Result<Role, String> {
    match text {
        None => Ok(Role::Unknown),
        Some(text) => match Role::parse(text) {
            Some(Role::Started) => Ok(Role::Unknown),
            Some(role) => Ok(role),
            None => Err(format!("'{text}' is not a valid role")),
        },
    }
}

/// The simple form with two names (rules 2.15.4, 2.15.5).
fn unpack_pair(model: &mut Model, source: u32, constraint: &ColocationConstraint) -> Result<(), String> {
    let dependent_id = constraint.rsc.as_deref().ok_or("it has no dependent")?;
    let primary_id = constraint.with_rsc.as_deref().ok_or("it has no primary")?;
    let dependent = find::meaning(model, dependent_id);
    let primary = find::meaning(model, primary_id);
    let origin = origin(model, source, constraint);
    let dependent_role = role_of(constraint.rsc_role.as_deref())?;
    let primary_role = role_of(constraint.with_rsc_role.as_deref())?;
    let unknown = |id: &str| format!("'{id}' is not a valid resource or tag");
    match (dependent, primary) {
        (Meaning::Unknown, _) => Err(unknown(dependent_id)),
        (_, Meaning::Unknown) => Err(unknown(primary_id)),
        (Meaning::Resource(dependent), Meaning::Resource(primary)) => {
            let attribute = constraint.node_attribute.clone().filter(|name| **name != *"#uname");
            let pair = Pair { dependent, dependent_role, primary, primary_role };
            add(model, &origin, pair, origin.score, attribute);
            Ok(())
        }
        (Meaning::Members(_), Meaning::Members(_)) => {
            Err("both sides are templates or tags, which is not supported".to_owned())
        }
        (dependent, primary) => {
            let dependents = side_as_set(model, dependent, dependent_role);
            let primaries = side_as_set(model, primary, primary_role);
            unpack_sets(model, &origin, &[dependents, primaries]);
            Ok(())
        }
    }
}

/// A set, its references resolved.
struct Set {
    members: Vec<ResourceId>,
    role: Role,
    sequential: bool,
    score: Option<Score>,
    /// The deprecated `ordering` has a value other than `group`: the earlier depends on the later.
    backwards: bool,
}

fn side_as_set(model: &Model, meaning: Meaning, role: Role) -> Set {
    let (members, sequential) = match meaning {
        Meaning::Resource(resource) => (vec![resource], true),
        Meaning::Members(names) => (find::members(model, &names).unwrap_or_default(), false),
        Meaning::Unknown => (Vec::new(), true),
    };
    Set { members, role, sequential, score: None, backwards: false }
}

fn unpack_configured_sets(
    model: &mut Model,
    source: u32,
    constraint: &ColocationConstraint,
    sets: &[ResourceSet],
) -> Result<(), String> {
    let mut resolved = Vec::with_capacity(sets.len());
    for set in sets {
        let members = find::members(model, &set.members)
            .map_err(|id| format!("'{id}' is not a valid resource or tag"))?;
        resolved.push(Set {
            members,
            role: role_of(set.role.as_deref())?,
            sequential: set.sequential.as_deref().is_none_or(|text| value::is_true(Some(text))),
            score: resolve(model, set.score.as_ref()),
            backwards: set.ordering.as_deref().is_some_and(|text| text != "group"),
        });
    }
    let origin = origin(model, source, constraint);
    unpack_sets(model, &origin, &resolved);
    Ok(())
}

/// Rule 2.15.6.
fn unpack_sets(model: &mut Model, origin: &Origin<'_>, sets: &[Set]) {
    for (index, set) in sets.iter().enumerate() {
        colocate_within(model, origin, set);
        if index > 0 {
            colocate_sets(model, origin, &sets[index - 1], set);
        }
    }
}

/// Rule 2.15.7.
fn colocate_within(model: &mut Model, origin: &Origin<'_>, set: &Set) {
    let score = set.score.unwrap_or(origin.score);
    if score == Score::ZERO || !set.sequential {
        return;
    }
    for later in 1..set.members.len() {
        let first = if score > Score::ZERO { later - 1 } else { 0 };
        for earlier in first..later {
            let (mut dependent, mut primary) = (set.members[later], set.members[earlier]);
            if set.backwards && score > Score::ZERO {
                std::mem::swap(&mut dependent, &mut primary);
            }
            let pair = Pair { dependent, dependent_role: set.role, primary, primary_role: set.role };
            add(model, origin, pair, score, None);
        }
    }
}

/// Rule 2.15.8: the earlier set depends on the later one.
fn colocate_sets(model: &mut Model, origin: &Origin<'_>, earlier: &Set, later: &Set) {
    let dependents = if earlier.sequential { earlier.members.get(..1) } else { Some(&earlier.members[..]) };
    let primaries = match later.members.len() {
        count if later.sequential && count > 0 => &later.members[count - 1..],
        _ => &later.members[..],
    };
    for &dependent in dependents.unwrap_or_default() {
        for &primary in primaries {
            let pair = Pair { dependent, dependent_role: earlier.role, primary, primary_role: later.role };
            add(model, origin, pair, origin.score, None);
        }
    }
}

#[derive(Clone, Copy)]
struct Pair {
    dependent: ResourceId,
    dependent_role: Role,
    primary: ResourceId,
    primary_role: Role,
}

fn add(model: &mut Model, origin: &Origin<'_>, pair: Pair, score: Score, node_attribute: Option<Name>) {
    let influence = match origin.constraint.influence.as_deref().and_then(value::parse_boolean) {
        Some(influence) => influence,
        None => model.resources[pair.dependent].critical,
    };
    let colocation = Colocation {
        id: origin.constraint.id.clone(),
        dependent: pair.dependent,
        primary: pair.primary,
        dependent_role: pair.dependent_role,
        primary_role: pair.primary_role,
        score,
        node_attribute,
        influence,
        explicit: true,
        source: Some(origin.source),
    };
    super::add(model, colocation);
}
