//! Reading the `configuration` section: sections, nodes, tags, fencing topology, alerts, ACLs.

use super::*;
use crate::reader::Reader;
use crate::value::{Score, parse_integer};
use rustc_hash::FxHashSet;
use xml::Element;

impl<'a> Reader<'a> {
    /// Everything below `configuration`.
    pub(crate) fn configuration(&mut self, element: Element<'a>) -> Configuration {
        let section = |name: &str| unique_child(element, name);
        let mut result = Configuration::default();
        if let Some(crm_config) = section("crm_config") {
            result.cluster_properties = self.blocks(crm_config, "cluster_property_set");
        }
        if let Some(defaults) = section("rsc_defaults") {
            result.rsc_defaults = self.blocks(defaults, "meta_attributes");
            result.unfencing_in_use |= mentions_unfencing(defaults, false);
        }
        if let Some(defaults) = section("op_defaults") {
            result.op_defaults = self.blocks(defaults, "meta_attributes");
        }
        if let Some(nodes) = section("nodes") {
            result.nodes = self.nodes(nodes);
        }
        if let Some(resources) = section("resources") {
            self.resources(resources, &mut result);
            result.unfencing_in_use |= mentions_unfencing(resources, true);
        }
        if let Some(constraints) = section("constraints") {
            result.constraints = self.constraints(constraints);
        }
        if let Some(topology) = section("fencing-topology") {
            result.fencing_levels = children_named(topology, "fencing-level")
                .filter_map(|level| self.fencing_level(level))
                .collect();
        }
        if let Some(tags) = section("tags") {
            result.tags = children_named(tags, "tag").filter_map(|tag| self.tag(tag)).collect();
        }
        if let Some(alerts) = section("alerts") {
            result.alerts = children_named(alerts, "alert").filter_map(|alert| self.alert(alert)).collect();
        }
        if let Some(acls) = section("acls") {
            result.acls = self.acls(acls);
        }
        result
    }

    fn nodes(&mut self, section: Element<'a>) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut names = FxHashSet::default();
        for element in children_named(section, "node") {
            let Some(id) = self.required_id(element) else { continue };
            let uname = self.attr(element, "uname");
            if let Some(name) = uname.as_ref().filter(|name| !names.insert(name.to_ascii_lowercase())) {
                self.warning(element, format!("More than one node entry has name '{name}'"));
            }
            let node = self.node(element, id, uname);
            nodes.push(node);
        }
        nodes
    }

    fn node(&mut self, element: Element<'a>, id: Text, uname: Option<Text>) -> Node {
        let kind = match element.attr("type") {
            None => NodeKind::Member,
            Some(word) if word.eq_ignore_ascii_case("member") => NodeKind::Member,
            Some(word) if word.eq_ignore_ascii_case("remote") => NodeKind::Remote,
            Some(word) => {
                self.error(
                    element,
                    format!("Ignoring node '{id}' because '{word}' is not a valid node type"),
                );
                NodeKind::Other(self.text(word))
            }
        };
        let score = match element.attr("score") {
            None => Score::ZERO,
            Some(text) => Score::parse(text).unwrap_or_else(|| {
                self.warning(element, format!("Using 0 as node score because '{text}' is not a valid score"));
                Score::ZERO
            }),
        };
        Node {
            id,
            uname,
            kind,
            score,
            instance_attributes: self.blocks(element, "instance_attributes"),
            utilization: self.blocks(element, "utilization"),
            line: element.line(),
        }
    }

    fn tag(&mut self, element: Element<'a>) -> Option<Tag> {
        let id = self.required_id(element)?;
        let mut members: Vec<Text> = Vec::new();
        for reference in children_named(element, "obj_ref") {
            if let Some(member) = self.required_id(reference).filter(|member| !members.contains(member)) {
                members.push(member);
            }
        }
        Some(Tag { id, members, line: element.line() })
    }

    fn fencing_level(&mut self, element: Element<'a>) -> Option<FencingLevel> {
        let Some(id) = self.attr(element, "id") else {
            self.error(element, "Ignoring fencing level without ID");
            return None;
        };
        let index = match element.attr("index").map(parse_integer) {
            Some(Some(index @ 1..=9)) => index as u8,
            Some(Some(index)) => {
                self.error(element, format!("Ignoring fencing level {id} with out-of-range index {index}"));
                return None;
            }
            _ => {
                self.error(element, format!("Ignoring fencing level {id} with invalid index"));
                return None;
            }
        };
        let Some(target) = self.fencing_target(element) else {
            self.error(element, format!("Ignoring fencing level {id} without target"));
            return None;
        };
        let devices = element.attr("devices").unwrap_or_default();
        let devices = devices
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| self.text(name))
            .collect();
        Some(FencingLevel { id, target, index, devices, line: element.line() })
    }

    fn fencing_target(&mut self, element: Element<'a>) -> Option<FencingTarget> {
        if let Some(node) = self.attr(element, "target") {
            return Some(FencingTarget::Node(node));
        }
        if let Some(pattern) = self.attr(element, "target-pattern") {
            return Some(FencingTarget::Pattern(pattern));
        }
        let name = self.attr(element, "target-attribute")?;
        let value = self.attr(element, "target-value")?;
        Some(FencingTarget::Attribute { name, value })
    }

    fn alert(&mut self, element: Element<'a>) -> Option<Alert> {
        let Some(id) = self.attr(element, "id") else {
            self.error(element, "Ignoring invalid alert without id");
            return None;
        };
        let Some(path) = self.attr(element, "path") else {
            self.error(element, format!("Ignoring invalid alert {id} without path"));
            return None;
        };
        Some(Alert {
            id,
            path,
            meta: self.blocks(element, "meta_attributes"),
            instance_attributes: self.blocks(element, "instance_attributes"),
            select: element.child("select").map(|select| self.alert_selection(select)),
            recipients: children_named(element, "recipient").filter_map(|r| self.recipient(r)).collect(),
            line: element.line(),
        })
    }

    fn alert_selection(&mut self, select: Element<'a>) -> AlertSelection {
        let attributes = select.child("select_attributes").map(|attributes| {
            children_named(attributes, "attribute")
                .filter_map(|attribute| self.attr(attribute, "name"))
                .collect()
        });
        AlertSelection {
            nodes: select.child("select_nodes").is_some(),
            fencing: select.child("select_fencing").is_some(),
            resources: select.child("select_resources").is_some(),
            attributes,
        }
    }

    fn recipient(&mut self, element: Element<'a>) -> Option<AlertRecipient> {
        Some(AlertRecipient {
            id: self.required_id(element)?,
            value: self.attr(element, "value").unwrap_or_default(),
            meta: self.blocks(element, "meta_attributes"),
            instance_attributes: self.blocks(element, "instance_attributes"),
            line: element.line(),
        })
    }

    fn acls(&mut self, section: Element<'a>) -> Acls {
        let mut acls = Acls::default();
        for element in section.children() {
            match element.name() {
                "acl_role" => acls.roles.extend(self.acl_role(element)),
                "acl_target" | "acl_user" => acls.targets.extend(self.acl_subject(element)),
                "acl_group" => acls.groups.extend(self.acl_subject(element)),
                _ => {}
            }
        }
        for subject in acls.targets.iter().chain(&acls.groups) {
            for role in subject.roles.iter().filter(|role| !acls.roles.iter().any(|known| known.id == **role))
            {
                let place = Place { element: Text::from("role"), id: Some(role.clone()), line: subject.line };
                let text = format!(
                    "Ignoring <role> element {role} in {}: no <acl_role> with matching id found",
                    subject.id
                );
                self.notices.push(Notice::new(Severity::Error, place, text));
            }
        }
        acls
    }

    fn acl_role(&mut self, element: Element<'a>) -> Option<AclRole> {
        let id = self.required_id(element)?;
        let permissions =
            children_named(element, "acl_permission").filter_map(|p| self.acl_permission(p, &id)).collect();
        Some(AclRole { id, permissions, line: element.line() })
    }

    fn acl_permission(&mut self, element: Element<'a>, role: &str) -> Option<AclPermission> {
        let id = self.attr(element, "id");
        let name = id.clone().unwrap_or_else(|| Text::from("without id"));
        let ignore = |reader: &mut Self, reason: &str| {
            let text = format!("Ignoring <acl_permission> element {name} (in <acl_role> {role}) {reason}");
            reader.error(element, text);
            None
        };
        let access = match element.attr("kind") {
            Some("read") => AclAccess::Read,
            Some("write") => AclAccess::Write,
            Some("deny") => AclAccess::Deny,
            Some(_) => return ignore(self, "with unknown ACL kind"),
            None => return ignore(self, "with no kind"),
        };
        let selector = if let Some(xpath) = self.attr(element, "xpath") {
            AclSelector::Xpath(xpath)
        } else if let Some(reference) = self.attr(element, "reference") {
            AclSelector::Reference(reference)
        } else if let Some(object) = self.attr(element, "object-type") {
            AclSelector::ObjectType { element: object, attribute: self.attr(element, "attribute") }
        } else {
            return ignore(self, "without selection criteria");
        };
        Some(AclPermission { id, access, selector, line: element.line() })
    }

    fn acl_subject(&mut self, element: Element<'a>) -> Option<AclSubject> {
        let id = self.required_id(element)?;
        let roles = children_named(element, "role").filter_map(|role| self.attr(role, "id")).collect();
        let name = self.attr(element, "name").unwrap_or_else(|| id.clone());
        Some(AclSubject { id, name, roles, line: element.line() })
    }

    /// All attributes of an element with shared strings.
    pub(crate) fn xml_attributes(&mut self, element: Element<'a>) -> XmlAttributes {
        XmlAttributes(element.attributes().map(|(name, value)| (self.text(name), self.text(value))).collect())
    }
}

/// The only child of that name: a section that occurs twice counts as absent (rule 1.1.4).
pub(crate) fn unique_child<'a>(parent: Element<'a>, name: &str) -> Option<Element<'a>> {
    let mut found = children_named(parent, name);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// Children of that name in document order.
pub(crate) fn children_named<'a, 'n>(
    parent: Element<'a>,
    name: &'n str,
) -> impl Iterator<Item = Element<'a>> + use<'a, 'n> {
    parent.children_named(name)
}

/// Rule 1.4.7, decided on the plain text of the configuration: directly below `holder`, or
/// anywhere below it.
fn mentions_unfencing(holder: Element<'_>, anywhere: bool) -> bool {
    let mut pending: Vec<Element<'_>> = holder.children().collect();
    while let Some(element) = pending.pop() {
        if element.name() == "meta_attributes" && children_named(element, "nvpair").any(asks_for_unfencing) {
            return true;
        }
        if anywhere {
            pending.extend(element.children());
        }
    }
    false
}

fn asks_for_unfencing(pair: Element<'_>) -> bool {
    matches!(pair.attr("name"), Some("provides" | "requires")) && pair.attr("value") == Some("unfencing")
}
