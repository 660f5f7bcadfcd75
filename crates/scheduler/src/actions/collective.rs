//! Actions of groups, clones and bundles: those of what is inside, then pseudo-actions that sum them up
//! (rule 3.7).

use super::request::pseudo_of_resource;
use super::{notify, primitive};
use crate::model::{ActionId, Model, ResourceId, ResourceKind, Task};
use cib::value::Score;

/// Creates the actions of `resource` and everything inside.
pub(super) fn create(model: &mut Model<'_>, resource: ResourceId) {
    match &model.resources[resource].kind {
        ResourceKind::Primitive(_) => primitive::create(model, resource),
        ResourceKind::Group(_) => create_group(model, resource),
        ResourceKind::Clone(_) => create_clone(model, resource),
        ResourceKind::Bundle(_) => create_bundle(model, resource),
    }
}

/// Rule 3.7.1.
fn create_group(model: &mut Model<'_>, group: ResourceId) {
    for member in model.resources[group].children.clone() {
        create(model, member);
    }
    let mut tasks = vec![Task::Start, Task::Started, Task::Stop, Task::Stopped];
    if model.resources[group].promotable {
        tasks.extend([Task::Demote, Task::Demoted, Task::Promote, Task::Promoted]);
    }
    for task in tasks {
        pseudo_of_resource(model, group, task, true, true);
    }
}

/// Rules 3.7.2 to 3.7.4.
fn create_clone(model: &mut Model<'_>, clone: ResourceId) {
    let instances = model.resources[clone].children.clone();
    for instance in &instances {
        create(model, *instance);
    }
    let [start, started, stop, stopped] = sum_up(model, clone, &instances);
    notify::announce(model, clone, [start, started], [stop, stopped]);
    if model.resources[clone].promotable {
        create_promotable(model, clone, &instances);
    }
}

/// What the primitives below a collective are about to do.
#[derive(Clone, Copy, Default)]
struct Survey {
    starting: bool,
    stopping: bool,
    restarting: bool,
    active: bool,
}

impl Survey {
    fn look_at(&mut self, model: &Model<'_>, resource: ResourceId) {
        let it = &model.resources[resource];
        if !it.is_primitive() {
            it.children.iter().for_each(|child| self.look_at(model, *child));
            return;
        }
        let required = |id: &&ActionId| !model.actions[**id].optional;
        let (mut starting, mut stopping) = (false, false);
        for id in it.actions.iter().filter(required) {
            let action = &model.actions[*id];
            match action.task {
                Task::Start => starting |= action.runnable,
                Task::Stop => stopping |= action.pseudo || action.runnable,
                _ => {}
            }
        }
        self.starting |= starting;
        self.stopping |= stopping;
        self.restarting |= starting && stopping;
        self.active |= !it.active_on.is_empty();
    }
}

/// Start, running, stop and stopped of a clone or bundle.
fn sum_up(model: &mut Model<'_>, collective: ResourceId, instances: &[ResourceId]) -> [ActionId; 4] {
    let mut survey = Survey::default();
    for instance in instances {
        survey.look_at(model, *instance);
    }
    let Survey { starting, stopping, restarting, active } = survey;
    let start = pseudo_of_resource(model, collective, Task::Start, !starting, true);
    let started = pseudo_of_resource(model, collective, Task::Started, !starting, active || starting);
    let stop = pseudo_of_resource(model, collective, Task::Stop, !stopping, true);
    let stopped = pseudo_of_resource(model, collective, Task::Stopped, !stopping, true);
    for completed in [started, stopped] {
        model.actions[completed].priority = Score::INFINITY;
    }
    model.actions[stop].migratable |= !restarting;
    [start, started, stop, stopped]
}

fn create_promotable(model: &mut Model<'_>, clone: ResourceId, instances: &[ResourceId]) {
    let (mut promoting, mut demoting) = (false, false);
    for instance in instances {
        create(model, *instance);
        promoting |= any_required(model, *instance, &Task::Promote);
        demoting |= any_required(model, *instance, &Task::Demote);
    }
    let promotion = pair(model, clone, Task::Promote, Task::Promoted, !promoting);
    notify::announce_promotion(model, clone, promotion);
    let demotion = pair(model, clone, Task::Demote, Task::Demoted, !demoting);
    notify::announce_demotion(model, clone, demotion);
    let priority = model.resources[clone].priority;
    for instance in instances {
        model.resources[*instance].priority = priority;
    }
}

fn pair(
    model: &mut Model<'_>,
    resource: ResourceId,
    task: Task,
    completed: Task,
    optional: bool,
) -> [ActionId; 2] {
    let action = pseudo_of_resource(model, resource, task, optional, true);
    let completed = pseudo_of_resource(model, resource, completed, optional, true);
    model.actions[completed].priority = Score::INFINITY;
    [action, completed]
}

/// Whether some primitive at or below `resource` has a required action of this task.
fn any_required(model: &Model<'_>, resource: ResourceId, task: &Task) -> bool {
    let it = &model.resources[resource];
    if !it.is_primitive() {
        return it.children.iter().any(|child| any_required(model, *child, task));
    }
    it.actions.iter().any(|id| model.actions[*id].task == *task && !model.actions[*id].optional)
}

/// Rule 3.7.5. The containers are gone through twice, as instances after all else of the replicas: what the first
/// time forgets (a partial migration that cannot go on) is no longer there the second time.
fn create_bundle(model: &mut Model<'_>, bundle: ResourceId) {
    let Some(settings) = model.resources[bundle].bundle() else { return };
    let child = settings.child;
    let replicas = settings.replicas.clone();
    for replica in &replicas {
        for part in [replica.ip, Some(replica.container), replica.connection].into_iter().flatten() {
            create(model, part);
        }
    }
    let containers: Vec<ResourceId> = replicas.iter().map(|replica| replica.container).collect();
    for container in &containers {
        create(model, *container);
    }
    sum_up(model, bundle, &containers);
    let Some(child) = child else { return };
    create(model, child);
    if model.resources[child].promotable {
        pair(model, bundle, Task::Promote, Task::Promoted, true);
        pair(model, bundle, Task::Demote, Task::Demoted, true);
    }
}
