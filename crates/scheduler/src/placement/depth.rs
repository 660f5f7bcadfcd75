//! Chains of colocations of any length: a primary is placed before its dependent, by one call inside the other,
//! and a thread's stack holds so many only.

use super::{Finality, colocation, place};
use crate::model::{Model, ResourceId};
use rustc_hash::FxHashSet;

/// So many placements may wait for one another before the stack would be at risk.
const DEEP: usize = 1_000;

/// What has been looked at.
pub(super) struct Depth {
    seen: FxHashSet<ResourceId>,
    /// There is no chain that could be long.
    shallow: bool,
}

/// What is on the way to the end of a chain: a resource, and what it waits for, nearest last.
struct Step {
    resource: ResourceId,
    next: Vec<ResourceId>,
}

impl Depth {
    pub(super) fn new(model: &Model) -> Depth {
        Depth { seen: FxHashSet::default(), shallow: model.colocations.len() < DEEP }
    }

    /// Places the far parts of a long chain that begins with `resource`, from its end, as placing `resource`
    /// would; what is left to place before it is no deeper than [`DEEP`].
    pub(super) fn shorten(&mut self, model: &mut Model, resource: ResourceId) {
        if self.shallow || !self.seen.insert(resource) {
            return;
        }
        let mut path = vec![Step { resource, next: waits_for(model, resource) }];
        while let Some(step) = path.last_mut() {
            match step.next.pop() {
                Some(next) if self.seen.insert(next) => {
                    path.push(Step { resource: next, next: waits_for(model, next) });
                }
                Some(_) => {}
                None => {
                    let done = step.resource;
                    path.pop();
                    if path.len() % DEEP == DEEP - 1 && model.resources[done].provisional {
                        place(model, done, None, Finality::Final);
                    }
                }
            }
        }
    }
}

/// What may have to be placed inside the placement of `resource`; the first of them is last.
fn waits_for(model: &Model, resource: ResourceId) -> Vec<ResourceId> {
    let it = &model.resources[resource];
    let primaries = colocation::this_with(model, resource);
    let primaries = primaries.iter().map(|id| model.colocations[*id].primary);
    let all = it.parent.into_iter().chain(primaries).chain(it.children.iter().copied());
    let mut all: Vec<ResourceId> = all.filter(|it| model.resources[*it].provisional).collect();
    all.reverse();
    all
}
