//! What a constraint means by an id: a resource, the resources of a template, or those of a tag
//! (rules 1.8.2, 2.9.2, 2.9.3).

use crate::model::{Model, Name, ResourceId};
use crate::state;

/// The meaning of an id in a constraint.
pub enum Meaning {
    Resource(ResourceId),
    /// The ids that a template or tag stands for, in order.
    Members(Vec<Name>),
    Unknown,
}

/// Looks up a resource, then a template, then a tag.
pub fn meaning(model: &Model, id: &str) -> Meaning {
    if let Some(resource) = state::find_resource(model, id) {
        return Meaning::Resource(resource);
    }
    let named = model.templates.iter().chain(&model.tags).find(|group| *group.id == *id);
    match named {
        Some(group) => Meaning::Members(group.members.clone()),
        None => Meaning::Unknown,
    }
}

/// The resources of a set's references, templates and tags replaced in place by their members.
/// `Err` names a reference that means nothing; members of tags that are no resources are left out.
pub fn members<N: AsRef<str>>(model: &Model, references: &[N]) -> Result<Vec<ResourceId>, String> {
    let mut resources = Vec::with_capacity(references.len());
    for reference in references {
        let reference = reference.as_ref();
        match meaning(model, reference) {
            Meaning::Resource(resource) => resources.push(resource),
            Meaning::Members(names) => {
                resources.extend(names.iter().filter_map(|name| state::find_resource(model, name)));
            }
            Meaning::Unknown => return Err(reference.to_owned()),
        }
    }
    Ok(resources)
}
