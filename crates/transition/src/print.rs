//! The XML text of a graph (rule 3.43): what administrators save, diff and send around.

use std::fmt::{self, Display, Write};

use crate::graph::{Action, Graph, Head, Kind, Primitive, Synapse};

impl Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Writer { out: f, depth: 0 };
        let root = Tag::new("transition_graph")
            .with("cluster-delay", &self.cluster_delay)
            .with("fencing-timeout", &self.fencing_timeout)
            .with("failed-stop-offset", offset(self.failed_stop_infinite))
            .with("failed-start-offset", offset(self.failed_start_infinite))
            .with("batch-limit", &self.batch_limit)
            .with("transition_id", self.transition)
            .with_some("migration-limit", self.migration_limit.as_ref())
            .with_some("recheck-by", self.recheck_by.as_ref());
        if self.synapses.is_empty() {
            return out.empty(&root);
        }
        out.open(&root)?;
        for (id, synapse) in self.synapses.iter().enumerate() {
            out.synapse(id, synapse)?;
        }
        out.close("transition_graph")
    }
}

fn offset(infinite: bool) -> &'static str {
    if infinite { "INFINITY" } else { "1" }
}

/// A start tag under construction.
struct Tag {
    name: &'static str,
    text: String,
}

impl Tag {
    fn new(name: &'static str) -> Tag {
        Tag { name, text: name.to_owned() }
    }

    fn with(mut self, name: &str, value: impl Display) -> Tag {
        self.push(name, value);
        self
    }

    fn with_some(self, name: &str, value: Option<impl Display>) -> Tag {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn push(&mut self, name: &str, value: impl Display) {
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        let _ = write!(Escape(&mut self.text), "{value}");
        self.text.push('"');
    }
}

/// Escapes what is written for use in an attribute value (rule 3.43.1).
struct Escape<'a>(&'a mut String);

impl Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                control if control.is_ascii_control() => write!(self.0, "&#x{:X};", control as u32)?,
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

struct Writer<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    depth: usize,
}

impl Writer<'_, '_> {
    fn indent(&mut self) -> fmt::Result {
        (0..self.depth).try_for_each(|_| self.out.write_str("  "))
    }

    fn empty(&mut self, tag: &Tag) -> fmt::Result {
        self.indent()?;
        writeln!(self.out, "<{}/>", tag.text)
    }

    fn open(&mut self, tag: &Tag) -> fmt::Result {
        self.indent()?;
        self.depth += 1;
        writeln!(self.out, "<{}>", tag.text)
    }

    fn close(&mut self, name: &str) -> fmt::Result {
        self.depth -= 1;
        self.indent()?;
        writeln!(self.out, "</{name}>")
    }

    fn synapse(&mut self, id: usize, synapse: &Synapse) -> fmt::Result {
        let priority = (synapse.priority > 0).then_some(synapse.priority);
        self.open(&Tag::new("synapse").with("id", id).with_some("priority", priority))?;
        self.open(&Tag::new("action_set"))?;
        self.action(&synapse.action)?;
        self.close("action_set")?;
        if synapse.triggers.is_empty() {
            self.empty(&Tag::new("inputs"))?;
        } else {
            self.open(&Tag::new("inputs"))?;
            for trigger in &synapse.triggers {
                self.open(&Tag::new("trigger"))?;
                self.empty(&head(trigger))?;
                self.close("trigger")?;
            }
            self.close("inputs")?;
        }
        self.close("synapse")
    }

    fn action(&mut self, action: &Action) -> fmt::Result {
        let tag = head(&action.head).with_some("shutdown-lock", action.shutdown_lock);
        let name = tag.name;
        self.open(&tag)?;
        if let Some(resource) = &action.primitive {
            self.empty(&primitive(resource))?;
        }
        self.attributes(action)?;
        if !action.downed.is_empty() {
            self.open(&Tag::new("downed"))?;
            for id in &action.downed {
                self.empty(&Tag::new("node").with("id", id))?;
            }
            self.close("downed")?;
        }
        if !action.maintenance.is_empty() {
            self.open(&Tag::new("maintenance"))?;
            for (id, on) in &action.maintenance {
                self.empty(&Tag::new("node").with("id", id).with("node_in_maintenance", u8::from(*on)))?;
            }
            self.close("maintenance")?;
        }
        self.close(name)
    }

    fn attributes(&mut self, action: &Action) -> fmt::Result {
        let mut tag = Tag::new("attributes");
        for (name, value) in &action.attributes {
            tag.push(name, value);
        }
        if action.numbered.is_empty() {
            return self.empty(&tag);
        }
        self.open(&tag)?;
        for (name, value) in &action.numbered {
            self.empty(&Tag::new("param").with("name", name).with("value", value))?;
        }
        self.close("attributes")
    }
}

/// The start tag of an action, or all of a trigger.
fn head(head: &Head) -> Tag {
    let tag = match head.kind {
        Kind::Pseudo => Tag::new("pseudo_event"),
        Kind::Resource => Tag::new("rsc_op"),
        Kind::Cluster if &*head.operation == "lrm_delete" => Tag::new("crm_event").with("mode", "cib"),
        Kind::Cluster => Tag::new("crm_event"),
    };
    tag.with("id", head.id)
        .with("operation", &head.operation)
        .with("operation_key", &head.key)
        .with_some("internal_operation_key", head.internal_key.as_ref())
        .with_some("on_node", head.node.as_ref().map(|node| &node.name))
        .with_some("on_node_uuid", head.node.as_ref().map(|node| &node.id))
        .with_some("router_node", head.router.as_ref().map(|node| &node.name))
}

fn primitive(resource: &Primitive) -> Tag {
    Tag::new("primitive")
        .with("id", &resource.id)
        .with_some("long-id", resource.long_id.as_ref())
        .with_some("class", resource.class.as_ref())
        .with_some("provider", resource.provider.as_ref())
        .with_some("type", resource.kind.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::NodeRef;
    use std::sync::Arc;

    #[test]
    fn an_empty_graph_is_one_element() {
        assert_eq!(
            Graph { transition: 1, ..Graph::default() }.to_string(),
            "<transition_graph cluster-delay=\"60s\" fencing-timeout=\"60s\" failed-stop-offset=\"INFINITY\" \
             failed-start-offset=\"INFINITY\" batch-limit=\"0\" transition_id=\"1\"/>\n"
        );
    }

    /// Rule 3.43.3.
    #[test]
    fn a_synapse_shows_action_and_triggers() {
        let start = |id: u32| {
            Arc::new(Head {
                id,
                kind: Kind::Resource,
                operation: "start".into(),
                key: format!("r{id}_start_0").into(),
                internal_key: None,
                node: Some(NodeRef { name: "n1".into(), id: "1".into() }),
                router: None,
            })
        };
        let action = Action {
            head: start(2),
            instance: Some("r2".into()),
            primitive: Some(Primitive {
                id: "r2".into(),
                long_id: None,
                class: Some("ocf".into()),
                provider: Some("p".into()),
                kind: Some("Dummy".into()),
            }),
            attributes: vec![("CRM_meta_timeout".into(), "20000".into()), ("x".into(), "a\n<\"".into())],
            numbered: vec![("1".into(), "v".into())],
            shutdown_lock: None,
            downed: vec!["n1".into()],
            maintenance: Vec::new(),
            reason: None,
        };
        let graph = Graph {
            synapses: vec![Synapse { priority: 5, action, triggers: vec![start(1)] }],
            ..Graph::default()
        };
        let text = graph.to_string();
        let body: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
        assert_eq!(
            body,
            [
                "<synapse id=\"0\" priority=\"5\">",
                "<action_set>",
                "<rsc_op id=\"2\" operation=\"start\" operation_key=\"r2_start_0\" on_node=\"n1\" on_node_uuid=\"1\">",
                "<primitive id=\"r2\" class=\"ocf\" provider=\"p\" type=\"Dummy\"/>",
                "<attributes CRM_meta_timeout=\"20000\" x=\"a&#xA;&lt;&quot;\">",
                "<param name=\"1\" value=\"v\"/>",
                "</attributes>",
                "<downed>",
                "<node id=\"n1\"/>",
                "</downed>",
                "</rsc_op>",
                "</action_set>",
                "<inputs>",
                "<trigger>",
                "<rsc_op id=\"1\" operation=\"start\" operation_key=\"r1_start_0\" on_node=\"n1\" on_node_uuid=\"1\"/>",
                "</trigger>",
                "</inputs>",
                "</synapse>",
                "</transition_graph>",
            ]
        );
    }
}
