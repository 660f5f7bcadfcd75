//! Visits actions and lets their states influence each other (rules 3.23, 3.24.2, 3.26, 3.35.3 to 3.35.6).
//!
//! The rules describe a recursion whose order decides some results, and chains of thousands of actions are
//! normal (a long group). So the recursion is written out: every activity is a [`Frame`] on an explicit
//! stack that can call another one and is resumed with what that one changed.

use super::effects::{self, Changed};
use super::interleave;
use super::relate_because;
use super::summary::{self, States};
use crate::model::{
    ActionId, Cause, ColocationId, Model, Name, NodeId, Properties, ResourceId, ResourceKind, Severity, Task,
};
use cib::value::{Role, Score};

/// Visits `action` and everything that its changes reach.
pub(super) fn visit(model: &mut Model<'_>, action: ActionId) {
    run(model, Frame::Visit(Visit::new(action)));
}

/// Blocks what depends by colocation on an unrunnable start or promote (rule 3.26.1).
pub(super) fn block_colocated(model: &mut Model<'_>, action: ActionId) {
    if let Some(dependents) = Dependents::of(model, action) {
        run(model, Frame::Dependents(dependents));
    }
}

fn run(model: &mut Model<'_>, root: Frame) {
    let mut stack = vec![root];
    let mut returned = Changed::NONE;
    let most = MOST_STEPS + MOST_STEPS_PER_ACTION * model.actions.len();
    let (mut steps, looked_at) = (0, model.ordering.looked_at);
    while let Some(top) = stack.last_mut() {
        match top.resume(model, std::mem::take(&mut returned)) {
            Control::Call(Frame::Visit(visit)) if model.ordering.unsettled.contains(&visit.then) => {}
            Control::Call(frame) => {
                steps += 1;
                if steps + (model.ordering.looked_at - looked_at) / LOOKS_OF_A_STEP > most {
                    return block_unsettled(model, &stack);
                }
                stack.push(frame);
            }
            Control::Return(changed) => {
                returned = changed;
                stack.pop();
            }
        }
    }
}

/// More steps after one change than any sound configuration needs. Relations that contradict each other can
/// switch states to and fro for ever.
const MOST_STEPS: usize = 10_000_000;
const MOST_STEPS_PER_ACTION: usize = 100;

/// So many looks at members of a collective cost as much as a step; one step may look at thousands of them.
const LOOKS_OF_A_STEP: usize = 10;

/// Blocks the actions that were being visited when there was no end to it.
fn block_unsettled(model: &mut Model<'_>, stack: &[Frame]) {
    let mut names: Vec<Name> = Vec::new();
    for frame in stack {
        let Frame::Visit(Visit { then, .. }) = frame else { continue };
        if model.ordering.unsettled.insert(*then) {
            model.actions[*then].runnable = false;
            names.push(model.actions[*then].key.clone());
        }
    }
    super::state_changed(model);
    let shown: Vec<&str> = names.iter().take(10).map(|name| &**name).collect();
    let text = format!(
        "Orderings contradict each other, so that {} actions are blocked: {}",
        names.len(),
        shown.join(", ")
    );
    model.notice(Severity::Warning, text, None);
}

/// What a resumed frame wants next.
enum Control {
    Call(Frame),
    Return(Changed),
}

enum Frame {
    Visit(Visit),
    Followers(Followers),
    Update(Update),
    Dependents(Dependents),
    Block(Block),
}

impl Frame {
    fn resume(&mut self, model: &mut Model<'_>, returned: Changed) -> Control {
        match self {
            Frame::Visit(frame) => frame.resume(model, returned),
            Frame::Followers(frame) => frame.resume(model),
            Frame::Update(frame) => frame.resume(model, returned),
            Frame::Dependents(frame) => frame.resume(model),
            Frame::Block(frame) => frame.resume(model),
        }
    }
}

/// The order in which the properties of one entry are applied (rule 3.24.2).
const SEQUENCE: [Properties; 11] = [
    Properties::FIRST_PULLS_THEN,
    Properties::RESTART,
    Properties::THEN_PULLS_FIRST,
    Properties::PROMOTED_PULLS_FIRST,
    Properties::MINIMUM_RUNNABLE,
    Properties::NESTED_PROBE,
    Properties::FIRST_GATES_THEN,
    Properties::THEN_GATES_FIRST,
    Properties::FIRST_ELSE_REAL,
    Properties::PLAIN,
    Properties::ASYMMETRIC,
];

/// Visiting one action: its inputs are examined, newest relation first (rules 3.23 and 3.23.1).
struct Visit {
    then: ActionId,
    begun: bool,
    before: Option<States>,
    /// Inputs not yet examined; newer ones are not seen in this visit.
    remaining: usize,
    then_changed: bool,
    entry: Option<Entry>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Inputs,
    VisitFirst(ActionId),
    Again,
    Followers,
    Done,
}

/// The input being examined.
struct Entry {
    first: ActionId,
    /// Position among the inputs.
    index: usize,
    first_states: States,
    then_states: States,
    /// Scope for the then side (rule 3.35.6).
    node: Option<NodeId>,
    /// Next position in [`SEQUENCE`].
    step: usize,
    /// Anew for each input, unlike the mark of the then side (rule 3.23.5).
    first_changed: bool,
}

impl Visit {
    fn new(then: ActionId) -> Visit {
        Visit {
            then,
            begun: false,
            before: None,
            remaining: 0,
            then_changed: false,
            entry: None,
            phase: Phase::Inputs,
        }
    }

    fn resume(&mut self, model: &mut Model<'_>, returned: Changed) -> Control {
        if !self.begun {
            self.begin(model);
        }
        if let Some(entry) = &mut self.entry {
            entry.first_changed |= returned.first;
            self.then_changed |= returned.then;
        }
        loop {
            match self.phase {
                Phase::Inputs => {
                    if let Some(control) = self.examine(model) {
                        return control;
                    }
                }
                Phase::VisitFirst(first) => {
                    self.phase = Phase::Inputs;
                    return Control::Call(Frame::Visit(Visit::new(first)));
                }
                Phase::Again => {
                    self.phase = Phase::Followers;
                    return Control::Call(Frame::Visit(Visit::new(self.then)));
                }
                Phase::Followers => {
                    self.phase = Phase::Done;
                    return Control::Call(Followers::of(model, self.then));
                }
                Phase::Done => return Control::Return(Changed::NONE),
            }
        }
    }

    /// Rule 3.23.2.
    fn begin(&mut self, model: &mut Model<'_>) {
        self.begun = true;
        self.before = Some(summary::own(model, self.then));
        let then = &mut model.actions[self.then];
        self.remaining = then.inputs.len();
        if then.minimum_runnable.is_some() {
            then.runnable_inputs = 0;
            then.runnable = false;
        }
    }

    /// Goes on with the inputs until something must be called; moves to the next phase at the end. What waits for a
    /// changed first is visited before the first itself (rule 3.23.8).
    fn examine(&mut self, model: &mut Model<'_>) -> Option<Control> {
        loop {
            if self.entry.is_some() {
                if let Some(call) = self.apply_properties(model) {
                    return Some(call);
                }
                let entry = self.entry.take()?;
                self.finish_entry(model, &entry);
                if entry.first_changed {
                    self.phase = Phase::VisitFirst(entry.first);
                    return Some(Control::Call(Followers::of(model, entry.first)));
                }
                continue;
            }
            if self.remaining == 0 {
                return self.finish(model);
            }
            self.remaining -= 1;
            self.entry = self.open(model, self.remaining);
        }
    }

    /// Looks at one input; none if it has no effect (rules 3.21.1 and 3.23.4) or was replaced by a relation to a
    /// completed action.
    fn open(&mut self, model: &mut Model<'_>, index: usize) -> Option<Entry> {
        let then = self.then;
        let relation = model.actions[then].inputs[index];
        let (first, properties) = (relation.action, relation.properties);
        let actions = model.actions.len() as u32;
        if properties.is_empty() || (properties == Properties::PLAIN && relation.plain_among == actions) {
            return None;
        }
        let first_node = node_for_ordering(model, first);
        let then_node = node_for_ordering(model, then);
        if properties.has(Properties::SAME_NODE) && first_node.zip(then_node).is_some_and(|(a, b)| a != b) {
            model.actions[then].inputs[index].properties = Properties::NONE;
            return None;
        }
        if properties.has(Properties::THEN_CANCELS_FIRST) && !model.actions[then].optional {
            cancel(model, first);
        }
        if let Some(completed) = completed_instead(model, first, then) {
            let cause = model.reasons.of_relation(first, then).unwrap_or(Cause::Action(first));
            if relate_because(model, completed, then, properties, cause) {
                self.then_changed = true;
            }
            model.actions[then].inputs[index].properties = Properties::NONE;
            return None;
        }
        if is_plain_between_single_actions(model, first, then, properties) {
            model.actions[then].inputs[index].plain_among = actions;
            return None;
        }
        let first_states = summary::for_ordering(model, first, then_node);
        let then_states = summary::for_ordering(model, then, first_node);
        let mut node = then_node;
        if properties.has(Properties::SAME_NODE_PULL) {
            let pull = properties.without(Properties::SAME_NODE_PULL) | Properties::FIRST_PULLS_THEN;
            model.actions[then].inputs[index].properties = pull;
            node = first_node;
        }
        Some(Entry { first, index, first_states, then_states, node, step: 0, first_changed: false })
    }

    fn apply_properties(&mut self, model: &mut Model<'_>) -> Option<Control> {
        let entry = self.entry.as_mut()?;
        let then = self.then;
        while let Some(&property) = SEQUENCE.get(entry.step) {
            entry.step += 1;
            if !model.actions[then].inputs[entry.index].properties.has(property) {
                continue;
            }
            let first = entry.first;
            let property = match property {
                Properties::MINIMUM_RUNNABLE => {
                    count_runnable(model, then, entry.first_states);
                    continue;
                }
                Properties::NESTED_PROBE => match nested_probe(model, first, then) {
                    true => Properties::FIRST_GATES_THEN,
                    false => {
                        model.actions[then].inputs[entry.index].properties = Properties::NONE;
                        continue;
                    }
                },
                other => other,
            };
            let Some(decider) = decider(model, first, then, property) else {
                let changed = without_resource(model, first, then, entry.first_states, property);
                entry.first_changed |= changed.first;
                self.then_changed |= changed.then;
                continue;
            };
            let update = Update::new(first, then, entry.node, entry.first_states, property, decider);
            return Some(Control::Call(Frame::Update(update)));
        }
        None
    }

    /// What comes after all properties: marks for the graph (rule 3.24.12), and blocked unmanaged stops (rule
    /// 3.24.11).
    fn finish_entry(&mut self, model: &mut Model<'_>, entry: &Entry) {
        let properties = model.actions[self.then].inputs[entry.index].properties;
        let first_runnable = model.actions[entry.first].runnable;
        if properties.has(Properties::FIRST_GRAPHS_THEN) && first_runnable && !entry.first_states.optional {
            model.actions[self.then].force_graphed = true;
        }
        if properties.has(Properties::THEN_GRAPHS_FIRST) && !entry.then_states.optional {
            model.actions[entry.first].force_graphed = true;
        }
        let pulls = Properties::FIRST_PULLS_THEN | Properties::THEN_PULLS_FIRST | Properties::RESTART;
        if properties.shares(pulls)
            && is_blocked_stop(model, entry.first)
            && model.actions[self.then].runnable
        {
            model.actions[self.then].runnable = false;
            super::state_changed(model);
            self.then_changed = true;
        }
    }

    /// After all inputs (rule 3.23.9).
    fn finish(&mut self, model: &mut Model<'_>) -> Option<Control> {
        let before = self.before?;
        if model.actions[self.then].minimum_runnable.is_some() {
            self.then_changed = before != summary::own(model, self.then);
        }
        self.phase = if self.then_changed { Phase::Again } else { Phase::Done };
        let lost_runnable = before.runnable && !model.actions[self.then].runnable;
        if self.then_changed && lost_runnable {
            return Dependents::of(model, self.then).map(|frame| Control::Call(Frame::Dependents(frame)));
        }
        None
    }
}

/// Whether a relation orders only, and its two actions only: such a one changes no states and makes no relations
/// between instances. An ordered clone has as many of them as it has pairs of instances.
fn is_plain_between_single_actions(
    model: &Model<'_>,
    first: ActionId,
    then: ActionId,
    properties: Properties,
) -> bool {
    let is_single = |resource: ResourceId| {
        matches!(model.resources[resource].kind, ResourceKind::Primitive(_) | ResourceKind::Group(_))
    };
    // looking at an action of a clone or bundle tells it what its instances can do (rule 3.35.2)
    properties == Properties::PLAIN
        && model.actions[first].resource.is_none_or(is_single)
        && decider(model, first, then, Properties::PLAIN).is_none_or(is_single)
}

/// The node that counts for an action in ordering (rule 3.23.3).
fn node_for_ordering(model: &Model<'_>, action: ActionId) -> Option<NodeId> {
    let action = &model.actions[action];
    match action.resource {
        Some(resource) if action.task == Task::Start && model.resources[resource].is_group() => {
            crate::state::location(model, resource, false)
        }
        _ => action.node,
    }
}

/// Rule 3.23.6.
fn cancel(model: &mut Model<'_>, first: ActionId) {
    let Some(resource) = model.actions[first].resource else { return };
    model.actions[first].optional = true;
    super::state_changed(model);
    if model.actions[first].task == Task::Reload {
        model.resources[resource].reloading = false;
    }
}

/// The completed action of a collective that stands for `first`, if there is another one (rule 3.23.7).
fn completed_instead(model: &Model<'_>, first: ActionId, then: ActionId) -> Option<ActionId> {
    let resource = model.actions[first].resource?;
    let then_resource = model.actions[then].resource?;
    if resource == then_resource
        || model.resources[resource].is_primitive()
        || model.actions[first].interval > 0
        || model.is_ancestor(resource, then_resource)
        || model.actions[first].key.contains("notify")
    {
        return None;
    }
    let task = match &model.actions[first].task {
        done @ (Task::Started | Task::Stopped | Task::Promoted | Task::Demoted) => done.clone(),
        task => task.completed()?,
    };
    let completed = completed_action(model, resource, &task)?;
    (completed != first).then_some(completed)
}

fn completed_action(model: &Model<'_>, resource: ResourceId, task: &Task) -> Option<ActionId> {
    let collective = &model.resources[resource];
    let notifies = collective.notify && (collective.is_clone() || model.bundle_of(resource).is_some());
    if notifies {
        let key = format!("{}_confirmed-post_notify_{}_0", collective.id, task.name());
        let mut actions = collective.actions.iter().copied();
        return actions.find(|action| model.actions[*action].key.eq_ignore_ascii_case(&key));
    }
    crate::actions::of_task(model, resource, task, 0).next()
}

/// Rule 3.24.10.
fn count_runnable(model: &mut Model<'_>, then: ActionId, first_states: States) {
    let then = &mut model.actions[then];
    if first_states.runnable {
        then.runnable_inputs += 1;
        if then.minimum_runnable.is_some_and(|minimum| then.runnable_inputs >= minimum) {
            then.runnable = true;
        }
    }
}

/// Whether a nested probe still gates what follows; if its resource runs already, it does not.
fn nested_probe(model: &Model<'_>, first: ActionId, then: ActionId) -> bool {
    let first = &model.actions[first];
    let active = first.resource.is_some_and(|resource| !model.resources[resource].active_on.is_empty());
    model.actions[then].resource.is_some() && (first.runnable || !active)
}

/// The resource whose kind decides how a property is applied (rule 3.35.5).
fn decider(model: &Model<'_>, first: ActionId, then: ActionId, property: Properties) -> Option<ResourceId> {
    match property {
        Properties::THEN_PULLS_FIRST => model.actions[first].resource,
        _ => model.actions[then].resource,
    }
}

/// Rule 3.24.4: the affected side has no resource.
fn without_resource(
    model: &mut Model<'_>,
    first: ActionId,
    then: ActionId,
    summary: States,
    property: Properties,
) -> Changed {
    let mut changed = Changed::NONE;
    match property {
        Properties::FIRST_PULLS_THEN if !summary.optional => {
            changed.then = std::mem::replace(&mut model.actions[then].optional, false);
        }
        Properties::THEN_PULLS_FIRST if !summary.optional => {
            changed.first = std::mem::replace(&mut model.actions[first].runnable, false);
        }
        Properties::FIRST_GATES_THEN if !summary.runnable => {
            changed.then = std::mem::replace(&mut model.actions[then].runnable, false);
        }
        _ => {}
    }
    changed
}

fn is_blocked_stop(model: &Model<'_>, action: ActionId) -> bool {
    let action = &model.actions[action];
    action.task == Task::Stop
        && !action.runnable
        && action.resource.is_some_and(|resource| {
            let resource = &model.resources[resource];
            !resource.managed && resource.blocked
        })
}

/// Visits the followers of an action, newest relation first.
struct Followers {
    action: ActionId,
    remaining: usize,
}

impl Followers {
    fn of(model: &Model<'_>, action: ActionId) -> Frame {
        Frame::Followers(Followers { action, remaining: model.actions[action].followers.len() })
    }

    fn resume(&mut self, model: &mut Model<'_>) -> Control {
        if self.remaining == 0 {
            return Control::Return(Changed::NONE);
        }
        self.remaining -= 1;
        let follower = model.actions[self.action].followers[self.remaining].action;
        Control::Call(Frame::Visit(Visit::new(follower)))
    }
}

/// Applies one property to two actions and to the members or instances of the then's resource.
struct Update {
    first: ActionId,
    then: ActionId,
    node: Option<NodeId>,
    /// The first's state as summarised.
    summary: States,
    property: Properties,
    /// The resource whose kind decides.
    decider: ResourceId,
    stage: Stage,
    /// Members or instances of the then's resource still to come.
    members: Vec<ResourceId>,
    next: usize,
    changed: Changed,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Begin,
    Members,
    Instances,
    /// After an instance's action was updated.
    Instance(ActionId),
    Interleaved,
    Done,
}

impl Update {
    fn new(
        first: ActionId,
        then: ActionId,
        node: Option<NodeId>,
        summary: States,
        property: Properties,
        decider: ResourceId,
    ) -> Update {
        Update {
            first,
            then,
            node,
            summary,
            property,
            decider,
            stage: Stage::Begin,
            members: Vec::new(),
            next: 0,
            changed: Changed::NONE,
        }
    }

    fn resume(&mut self, model: &mut Model<'_>, returned: Changed) -> Control {
        self.changed.add(returned);
        if let Stage::Instance(action) = self.stage {
            self.stage = Stage::Instances;
            if returned.then {
                return Control::Call(Followers::of(model, action));
            }
        }
        if self.stage == Stage::Begin {
            if let Some(call) = self.begin(model) {
                return call;
            }
        }
        while let Some(&member) = self.members.get(self.next) {
            self.next += 1;
            let call = match self.stage {
                Stage::Members => self.member(model, member),
                Stage::Instances => self.instance(model, member),
                Stage::Interleaved => self.interleaved(model, member),
                Stage::Begin | Stage::Instance(_) | Stage::Done => None,
            };
            if let Some(call) = call {
                return call;
            }
        }
        Control::Return(self.changed)
    }

    /// Chooses the way, and applies the property to the two actions themselves.
    fn begin(&mut self, model: &mut Model<'_>) -> Option<Control> {
        let then_resource = model.actions[self.then].resource;
        match model.resources[self.decider].kind {
            ResourceKind::Primitive(_) => self.stage = Stage::Done,
            ResourceKind::Group(_) => {
                self.stage = Stage::Members;
                // most often none has such an action: members of groups have nothing that reports them done
                let task = &model.actions[self.then].task;
                let concerned = then_resource.filter(|then| model.resources[*then].child_tasks.has(task));
                self.members = concerned.map_or(Vec::new(), |then| model.resources[then].children.clone());
                model.ordering.members_tried += self.members.len();
            }
            ResourceKind::Clone(_) | ResourceKind::Bundle(_) => {
                let then = then_resource.map_or_else(
                    || {
                        self.stage = Stage::Done;
                        None
                    },
                    Some,
                )?;
                self.members = interleave::instances(model, then);
                if interleave::applies(model, self.first, self.then) {
                    self.stage = Stage::Interleaved;
                    return None;
                }
                self.stage = Stage::Instances;
            }
        }
        let changed = effects::apply(model, self.first, self.then, self.summary, self.property);
        self.changed.add(changed);
        let has_parent = then_resource.is_some_and(|then| model.resources[then].parent.is_some());
        // rule 3.24.7
        (changed.then && has_parent).then(|| Control::Call(Frame::Visit(Visit::new(self.then))))
    }

    fn member(&mut self, model: &mut Model<'_>, member: ResourceId) -> Option<Control> {
        let task = model.actions[self.then].task.clone();
        let action = summary::find_first(model, member, &task, self.node)
            .or_else(|| summary::find_without_node(model, member, &task))?;
        Some(self.descend(action, member))
    }

    fn instance(&mut self, model: &mut Model<'_>, instance: ResourceId) -> Option<Control> {
        let task = model.actions[self.then].task.clone();
        let action = summary::find_first(model, instance, &task, self.node)?;
        if !summary::of(model, action, self.node).runnable {
            return None;
        }
        self.stage = Stage::Instance(action);
        Some(self.descend(action, instance))
    }

    fn descend(&self, then: ActionId, resource: ResourceId) -> Control {
        Control::Call(Frame::Update(Update::new(
            self.first,
            then,
            self.node,
            self.summary,
            self.property,
            resource,
        )))
    }

    fn interleaved(&mut self, model: &mut Model<'_>, instance: ResourceId) -> Option<Control> {
        let first_resource = model.actions[self.first].resource?;
        let current = matches!(summary::original_task(model, self.first), Task::Stopped | Task::Demoted);
        let Some(partner) = interleave::partner(model, instance, first_resource, current) else {
            let mandatory =
                matches!(self.property, Properties::FIRST_GATES_THEN | Properties::FIRST_PULLS_THEN);
            if mandatory && !current && interleave::unassign(model, instance) {
                self.changed.then = true;
            }
            return None;
        };
        let first = interleave::first_action(model, self.first, partner, self.node)?;
        let then = interleave::then_action(model, self.then, instance, self.node)?;
        let cause = model.reasons.of_relation(self.first, self.then).unwrap_or(Cause::Action(first));
        if relate_because(model, first, then, self.property, cause) {
            self.changed.add(Changed::BOTH);
        }
        let states = summary::of(model, first, self.node);
        Some(Control::Call(Frame::Update(Update::new(
            first,
            then,
            self.node,
            states,
            self.property,
            instance,
        ))))
    }
}

/// Finds what depends by colocation on a collective that cannot start or be promoted.
struct Dependents {
    /// The resource of the action that started this.
    culprit: ResourceId,
    promote: bool,
    colocations: Vec<ColocationId>,
    next: usize,
}

impl Dependents {
    /// None unless the action is an unrunnable start or promote, and no sibling can do it (rule 3.26.1).
    fn of(model: &mut Model<'_>, action: ActionId) -> Option<Dependents> {
        let (culprit, task) = match &model.actions[action] {
            a if !a.runnable && matches!(a.task, Task::Start | Task::Promote) => {
                (a.resource?, a.task.clone())
            }
            _ => return None,
        };
        let collective = model.bundle_of(culprit).unwrap_or_else(|| model.top_of(culprit));
        for child in &model.resources[collective].children {
            match summary::find_first(model, *child, &task, None) {
                Some(action) if !model.actions[action].runnable => {}
                _ => return None,
            }
        }
        let colocations = crate::placement::colocation::with_this(model, collective);
        Some(Dependents { culprit, promote: task == Task::Promote, colocations, next: 0 })
    }

    fn resume(&mut self, model: &mut Model<'_>) -> Control {
        while let Some(&id) = self.colocations.get(self.next) {
            self.next += 1;
            let colocation = &model.colocations[id];
            if colocation.score < Score::INFINITY
                || (self.promote && colocation.primary_role != Role::Promoted)
            {
                continue;
            }
            let task = if colocation.dependent_role == Role::Promoted { Task::Promote } else { Task::Start };
            return Control::Call(Block::of(model, colocation.dependent, task, self.culprit));
        }
        Control::Return(Changed::NONE)
    }
}

/// Makes a resource's starts or promotes unrunnable, with all that follows, then those of its children.
struct Block {
    resource: ResourceId,
    task: Task,
    culprit: ResourceId,
    /// Actions not yet looked at, newest last.
    remaining: usize,
    /// Blocked just now; its dependents come first, then it is visited.
    visiting: Option<ActionId>,
    child: usize,
}

impl Block {
    fn of(model: &Model<'_>, resource: ResourceId, task: Task, culprit: ResourceId) -> Frame {
        let remaining = model.resources[resource].actions.len();
        Frame::Block(Block { resource, task, culprit, remaining, visiting: None, child: 0 })
    }

    fn resume(&mut self, model: &mut Model<'_>) -> Control {
        loop {
            if let Some(action) = self.visiting.take() {
                return Control::Call(Frame::Visit(Visit::new(action)));
            }
            if self.remaining > 0 {
                self.remaining -= 1;
                let action = model.resources[self.resource].actions[self.remaining];
                if model.actions[action].runnable && model.actions[action].task == self.task {
                    self.block(model, action);
                    if let Some(dependents) = Dependents::of(model, action) {
                        return Control::Call(Frame::Dependents(dependents));
                    }
                }
                continue;
            }
            let Some(&child) = model.resources[self.resource].children.get(self.child) else {
                return Control::Return(Changed::NONE);
            };
            self.child += 1;
            return Control::Call(Block::of(model, child, self.task.clone(), self.culprit));
        }
    }

    fn block(&mut self, model: &mut Model<'_>, action: ActionId) {
        super::state_changed(model);
        let culprit = model.resources[self.culprit].id.clone();
        let blocked = &mut model.actions[action];
        blocked.runnable = false;
        if blocked.reason.is_none() {
            blocked.reason = Some(format!("colocation with {culprit}").into());
        }
        self.visiting = Some(action);
    }
}
