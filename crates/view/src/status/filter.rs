//! Showing only some nodes or resources (rule 5b.12.1). Counts are never filtered.

use super::fencing::FenceEvent;
use super::history::NodeHistory;
use super::monitor::FailCount;
use super::{CloneStatus, InstanceStatus, PrimitiveStatus, ResourceStatus, Status};

/// Names of nodes and ids of resources that are shown; none: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub nodes: Option<Vec<String>>,
    pub resources: Option<Vec<String>>,
}

/// What a status display shows, so that it can be filtered as a whole.
pub struct Shown<'s> {
    pub status: &'s mut Status,
    pub fail_counts: &'s mut Vec<FailCount>,
    pub history: &'s mut Vec<NodeHistory>,
    pub fencing: &'s mut Vec<FenceEvent>,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        self.nodes.is_none() && self.resources.is_none()
    }

    /// Takes out what is not to be shown.
    pub fn apply(&self, shown: Shown<'_>) {
        let Shown { status, fail_counts, history, fencing } = shown;
        if let Some(ids) = &self.resources {
            status.resources = status.resources.drain(..).filter_map(|it| with_id(it, ids)).collect();
            let is_asked = |id: &str| ids.iter().any(|asked| same_base(asked, id));
            fail_counts
                .retain(|count| is_asked(&count.resource) || holds(&status.resources, &count.resource));
            for node in history.iter_mut() {
                node.resources.retain(|it| is_asked(&it.id) || holds(&status.resources, &it.id));
            }
            history.retain(|node| !node.resources.is_empty());
            status.failures.retain(|failure| failure.resource.as_deref().is_some_and(is_asked));
            status.bans.retain(|ban| is_asked(&ban.resource) || holds(&status.resources, &ban.resource));
        }
        if let Some(nodes) = &self.nodes {
            let is_asked = |name: &str| nodes.iter().any(|asked| asked == name);
            status.nodes.retain(|node| is_asked(&node.name));
            status.resources = status.resources.drain(..).filter_map(|it| on_nodes(it, &is_asked)).collect();
            fail_counts.retain(|count| is_asked(&count.node));
            history.retain(|node| is_asked(&node.name));
            status.failures.retain(|failure| is_asked(&failure.node));
            fencing.retain(|event| is_asked(&event.target));
        }
    }
}

/// The same but for an instance number.
fn same_base(asked: &str, id: &str) -> bool {
    let base = |text: &str| text.split_once(':').map_or(text.to_owned(), |(base, _)| base.to_owned());
    asked == id || (!asked.contains(':') && base(id) == asked)
}

/// Whether a primitive of this name is still there.
fn holds(resources: &[ResourceStatus], id: &str) -> bool {
    resources.iter().any(|resource| {
        let common = resource.common();
        common.id == id
            || match resource {
                ResourceStatus::Primitive(it) => it.common.name == id,
                ResourceStatus::Group(it) => it.members.iter().any(|it| it.common.name == id),
                ResourceStatus::Clone(it) => it.instances.iter().any(|instance| match &instance.resource {
                    ResourceStatus::Primitive(it) => it.common.name == id,
                    ResourceStatus::Group(it) => it.members.iter().any(|it| it.common.name == id),
                    _ => false,
                }),
                ResourceStatus::Bundle(it) => it.replicas.iter().any(|replica| {
                    let parts = [
                        Some(&replica.container),
                        replica.ip.as_ref(),
                        replica.child.as_ref(),
                        replica.connection.as_ref(),
                    ];
                    parts.into_iter().flatten().any(|part| part.common.name == id)
                }),
            }
    })
}

// ---- by id

fn with_id(mut resource: ResourceStatus, ids: &[String]) -> Option<ResourceStatus> {
    let is_asked = |id: &str| ids.iter().any(|asked| same_base(asked, id));
    if is_asked(&resource.common().id) || is_asked(&resource.common().name) {
        return Some(resource);
    }
    let left = match &mut resource {
        ResourceStatus::Primitive(_) => false,
        ResourceStatus::Group(it) => {
            it.members.retain(|member| is_asked(&member.common.id));
            !it.members.is_empty()
        }
        ResourceStatus::Clone(it) => {
            if !ids.contains(&it.child) {
                keep_instances(it, ids);
            }
            !it.instances.is_empty()
        }
        ResourceStatus::Bundle(it) => {
            it.replicas.retain_mut(|replica| {
                let wanted = |part: &PrimitiveStatus| is_asked(&part.common.id);
                let parts = [
                    Some(&replica.container),
                    replica.ip.as_ref(),
                    replica.child.as_ref(),
                    replica.connection.as_ref(),
                ];
                parts.into_iter().flatten().any(wanted)
            });
            !it.replicas.is_empty()
        }
    };
    left.then_some(resource)
}

/// Instances that are asked for, or that have a member which is.
fn keep_instances(it: &mut CloneStatus, ids: &[String]) {
    let is_asked = |id: &str| ids.iter().any(|asked| same_base(asked, id));
    it.instances.retain_mut(|instance| {
        let common = instance.resource.common();
        if is_asked(&common.id) {
            return true;
        }
        match &mut instance.resource {
            ResourceStatus::Group(group) => {
                group.members.retain(|member| is_asked(&member.common.id));
                !group.members.is_empty()
            }
            _ => false,
        }
    });
    // nodes without an instance are about the whole clone
    it.free_nodes.clear();
}

// ---- by node

/// What is active elsewhere only is taken out; what is not active stays.
fn on_nodes(mut resource: ResourceStatus, is_asked: &dyn Fn(&str) -> bool) -> Option<ResourceStatus> {
    let here = |it: &PrimitiveStatus| it.nodes.is_empty() || it.nodes.iter().any(|on| is_asked(&on.name));
    let left = match &mut resource {
        ResourceStatus::Primitive(it) => here(it),
        ResourceStatus::Group(it) => {
            it.members.retain(here);
            !it.members.is_empty()
        }
        ResourceStatus::Clone(it) => {
            it.instances.retain(|instance| is_here(instance, is_asked));
            it.free_nodes.retain(|node| is_asked(&node.name));
            !it.instances.is_empty()
        }
        ResourceStatus::Bundle(it) => {
            it.replicas.retain(|replica| here(&replica.container));
            !it.replicas.is_empty()
        }
    };
    left.then_some(resource).filter(|resource| !is_hidden_by_nodes(resource, is_asked))
}

fn is_here(instance: &InstanceStatus, is_asked: &dyn Fn(&str) -> bool) -> bool {
    match &instance.resource {
        ResourceStatus::Primitive(it) => it.nodes.is_empty() || it.nodes.iter().any(|on| is_asked(&on.name)),
        ResourceStatus::Group(it) => {
            it.members.iter().all(|member| member.nodes.is_empty())
                || it.members.iter().any(|member| member.nodes.iter().any(|on| is_asked(&on.name)))
        }
        _ => true,
    }
}

/// A collective that is active, but of which nothing active is left.
fn is_hidden_by_nodes(resource: &ResourceStatus, is_asked: &dyn Fn(&str) -> bool) -> bool {
    if !resource.common().active {
        return false;
    }
    let mut active = Vec::new();
    match resource {
        ResourceStatus::Group(it) => active.extend(it.members.iter().flat_map(|member| &member.nodes)),
        ResourceStatus::Clone(it) => {
            for instance in &it.instances {
                match &instance.resource {
                    ResourceStatus::Primitive(it) => active.extend(&it.nodes),
                    ResourceStatus::Group(it) => {
                        active.extend(it.members.iter().flat_map(|member| &member.nodes))
                    }
                    _ => {}
                }
            }
        }
        _ => return false,
    }
    !active.iter().any(|on| is_asked(&on.name))
}
