//! Editing a CIB document the way administrators' commands do: sections, ids, name/value sets.
//!
//! Everything here works on a copy; a command that fails leaves the cluster's CIB as it was.

use xml::{Document, NodeId};

/// A CIB document that a command edits.
#[derive(Clone)]
pub struct Configuration {
    pub document: Document,
    /// Names of settings that the command has warned of in its own words.
    pub warned_of: Vec<String>,
}

/// The order of the children of `configuration`, as the schema wants it.
const SECTIONS: [&str; 10] = [
    "crm_config",
    "rsc_defaults",
    "op_defaults",
    "nodes",
    "resources",
    "constraints",
    "fencing-topology",
    "acls",
    "tags",
    "alerts",
];

/// Element names of resources, outermost first.
pub const RESOURCE_TAGS: [&str; 5] = ["primitive", "group", "clone", "master", "bundle"];

impl Configuration {
    pub fn new(document: Document) -> Configuration {
        Configuration { document, warned_of: Vec::new() }
    }

    pub fn name(&self, element: NodeId) -> &str {
        self.document.name(element)
    }

    pub fn attribute(&self, element: NodeId, name: &str) -> &str {
        self.document.attribute(element, name).unwrap_or("")
    }

    pub fn id(&self, element: NodeId) -> &str {
        self.attribute(element, "id")
    }

    pub fn children(&self, element: NodeId) -> Vec<NodeId> {
        self.document.children(element).collect()
    }

    pub fn child(&self, element: NodeId, tag: &str) -> Option<NodeId> {
        self.document.children(element).find(|child| self.document.name(*child) == tag)
    }

    pub fn child_or_new(&mut self, element: NodeId, tag: &str) -> NodeId {
        match self.child(element, tag) {
            Some(child) => child,
            None => self.document.append_element(element, tag),
        }
    }

    /// The `configuration` element.
    pub fn configuration(&mut self) -> NodeId {
        let root = self.document.root();
        self.child_or_new(root, "configuration")
    }

    /// A section of the configuration, if it is there.
    pub fn section(&self, tag: &str) -> Option<NodeId> {
        let configuration = self.child(self.document.root(), "configuration")?;
        self.child(configuration, tag)
    }

    /// A section of the configuration, made in its place if it is missing.
    pub fn section_or_new(&mut self, tag: &str) -> NodeId {
        if let Some(section) = self.section(tag) {
            return section;
        }
        let configuration = self.configuration();
        let rank = |name: &str| SECTIONS.iter().position(|section| *section == name);
        // optional sections come after the four that are always there; sort by what is customary
        let index = self
            .children(configuration)
            .iter()
            .position(|child| tag_rank(self.name(*child), rank) > tag_rank(tag, rank))
            .unwrap_or_else(|| self.children(configuration).len());
        self.document.insert_element(configuration, index, tag)
    }

    /// All elements below `element`, itself first, in document order.
    pub fn descendants(&self, element: NodeId) -> Vec<NodeId> {
        let mut found = vec![element];
        let mut next = 0;
        while next < found.len() {
            let children = self.children(found[next]);
            let at = next + 1;
            found.splice(at..at, children);
            next += 1;
        }
        found
    }

    /// The element of the configuration with this id.
    pub fn by_id(&self, id: &str) -> Option<NodeId> {
        let configuration = self.child(self.document.root(), "configuration")?;
        self.descendants(configuration)
            .into_iter()
            .find(|element| self.document.attribute(*element, "id") == Some(id))
    }

    /// The resource (primitive, group, clone, bundle) with this id.
    pub fn resource(&self, id: &str) -> Option<NodeId> {
        self.resources().into_iter().find(|element| self.id(*element) == id)
    }

    /// All resources, in document order, containers before what they contain.
    pub fn resources(&self) -> Vec<NodeId> {
        let Some(section) = self.section("resources") else { return Vec::new() };
        self.descendants(section)
            .into_iter()
            .filter(|element| RESOURCE_TAGS.contains(&self.name(*element)))
            .collect()
    }

    /// The group, clone or bundle around a resource.
    pub fn container(&self, resource: NodeId) -> Option<NodeId> {
        self.document.parent(resource).filter(|parent| RESOURCE_TAGS.contains(&self.name(*parent)))
    }

    pub fn is_fence_device(&self, resource: NodeId) -> bool {
        self.attribute(resource, "class") == "stonith"
    }

    /// Names of the configured nodes.
    pub fn node_names(&self) -> Vec<String> {
        let Some(section) = self.section("nodes") else { return Vec::new() };
        self.children(section).into_iter().map(|node| self.attribute(node, "uname").to_owned()).collect()
    }

    /// `base`, or `base-1`, `base-2`… if it is taken (rule 5d.1.4).
    pub fn free_id(&self, base: &str) -> String {
        let base = sanitized(base);
        if self.by_id(&base).is_none() {
            return base;
        }
        let mut number = 1u32;
        loop {
            let candidate = format!("{base}-{number}");
            if self.by_id(&candidate).is_none() {
                return candidate;
            }
            number += 1;
        }
    }

    /// Sets name/value pairs in a set; an empty value removes the pair. The set is made on demand.
    pub fn set_pairs(&mut self, set: NodeId, pairs: &[(String, String)]) {
        for (name, value) in pairs {
            let existing = self
                .document
                .children(set)
                .find(|pair| self.document.attribute(*pair, "name") == Some(name.as_str()));
            match (existing, value.is_empty()) {
                (Some(pair), true) => self.document.remove(pair),
                (Some(pair), false) => self.document.set_attribute(pair, "value", value),
                (None, true) => {}
                (None, false) => {
                    let id = self.free_id(&format!("{}-{name}", self.id(set)));
                    let pair = self.document.append_element(set, "nvpair");
                    self.document.set_attribute(pair, "id", &id);
                    self.document.set_attribute(pair, "name", name);
                    self.document.set_attribute(pair, "value", value);
                }
            }
        }
    }

    /// The first set of this kind below `parent`, made with `id` if there is none. A new set goes before
    /// `operations` in a primitive, as the schema wants it.
    pub fn set_or_new(&mut self, parent: NodeId, tag: &str, id: &str) -> NodeId {
        if let Some(set) = self.child(parent, tag) {
            return set;
        }
        let id = self.free_id(id);
        let children = self.children(parent);
        let before: &[&str] = match tag {
            "instance_attributes" => &["meta_attributes", "utilization", "operations"],
            "meta_attributes" => &["utilization", "operations", "primitive", "group"],
            "utilization" => &["operations"],
            _ => &[],
        };
        let in_primitive = self.name(parent) == "primitive";
        let index = children
            .iter()
            .position(|child| in_primitive && before.contains(&self.name(*child)))
            .unwrap_or(children.len());
        let set = self.document.insert_element(parent, index, tag);
        self.document.set_attribute(set, "id", &id);
        set
    }

    /// The pairs of a set, in document order.
    pub fn pairs(&self, set: NodeId) -> Vec<(String, String)> {
        self.children(set)
            .into_iter()
            .filter(|pair| self.name(*pair) == "nvpair")
            .map(|pair| (self.attribute(pair, "name").to_owned(), self.attribute(pair, "value").to_owned()))
            .collect()
    }

    /// Sets meta-attributes of a resource.
    pub fn set_meta(&mut self, resource: NodeId, pairs: &[(String, String)]) {
        let set_id = format!("{}-meta_attributes", self.id(resource));
        if self.child(resource, "meta_attributes").is_none()
            && pairs.iter().all(|(_, value)| value.is_empty())
        {
            return;
        }
        let set = self.set_or_new(resource, "meta_attributes", &set_id);
        self.set_pairs(set, pairs);
    }

    /// A resource's own parameter.
    pub fn parameter(&self, resource: NodeId, name: &str) -> Option<String> {
        self.value(resource, "instance_attributes", name)
    }

    /// Sets parameters of a resource.
    pub fn set_parameters(&mut self, resource: NodeId, pairs: &[(String, String)]) {
        let id = format!("{}-instance_attributes", self.id(resource));
        let set = self.set_or_new(resource, "instance_attributes", &id);
        self.set_pairs(set, pairs);
    }

    /// A resource's own meta-attribute.
    pub fn meta(&self, resource: NodeId, name: &str) -> Option<String> {
        self.value(resource, "meta_attributes", name)
    }

    fn value(&self, resource: NodeId, tag: &str, name: &str) -> Option<String> {
        self.children(resource)
            .into_iter()
            .filter(|set| self.name(*set) == tag)
            .flat_map(|set| self.pairs(set))
            .find(|(pair, _)| pair == name)
            .map(|(_, value)| value)
    }
}

fn tag_rank(tag: &str, rank: impl Fn(&str) -> Option<usize>) -> usize {
    // crm_config, nodes, resources, constraints are always there, in this order; the rest follows
    match tag {
        "crm_config" => 0,
        "nodes" => 1,
        "resources" => 2,
        "constraints" => 3,
        other => 4 + rank(other).unwrap_or(SECTIONS.len()),
    }
}

/// Drops the characters that an XML name cannot have (rule 5d.1.4).
pub fn sanitized(text: &str) -> String {
    let allowed = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    let kept: String = text.chars().filter(|character| allowed(*character)).collect();
    let start = kept.find(|character: char| character.is_alphabetic() || character == '_');
    start.map(|at| kept[at..].to_owned()).unwrap_or_default()
}

/// Checks an id that a user gives: `Err` says what is wrong with it (rule 5d.1.4).
pub fn check_id(id: &str, what: &str) -> Result<(), String> {
    let mut characters = id.chars();
    let Some(first) = characters.next() else { return Err(format!("{what} cannot be empty")) };
    if !(first.is_alphabetic() || first == '_') {
        return Err(format!("invalid {what} '{id}', '{first}' is not a valid first character for a {what}"));
    }
    match characters.find(|character| !(character.is_alphanumeric() || matches!(character, '_' | '-' | '.')))
    {
        Some(bad) => Err(format!("invalid {what} '{id}', '{bad}' is not a valid character for a {what}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Configuration {
        let text = "<cib><configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>";
        Configuration::new(Document::parse(text).expect("well-formed"))
    }

    #[test]
    fn ids_are_made_free() {
        let mut configuration = empty();
        let set = configuration.section_or_new("rsc_defaults");
        let set = configuration.set_or_new(set, "meta_attributes", "d");
        configuration.set_pairs(set, &[("a".into(), "1".into())]);
        assert_eq!(configuration.free_id("d-a"), "d-a-1");
        assert_eq!(configuration.free_id("9 lives"), "lives");
    }

    #[test]
    fn an_empty_value_removes() {
        let mut configuration = empty();
        let section = configuration.section_or_new("rsc_defaults");
        let set = configuration.set_or_new(section, "meta_attributes", "d");
        configuration.set_pairs(set, &[("a".into(), "1".into()), ("b".into(), "2".into())]);
        configuration.set_pairs(set, &[("a".into(), String::new())]);
        assert_eq!(configuration.pairs(set), [("b".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn bad_ids_are_named() {
        assert_eq!(
            check_id("1bad", "resource name").unwrap_err(),
            "invalid resource name '1bad', '1' is not a valid first character for a resource name"
        );
        assert_eq!(check_id("", "resource name").unwrap_err(), "resource name cannot be empty");
        assert!(check_id("a.b-c_1", "id").is_ok());
    }
}
