//! What agents say about themselves: getting it, reading what the cluster uses of it, and making it up for
//! classes that have none (rules 4.4.1 to 4.4.3).

use std::time::Duration;

use xml::{Document, Element};

use crate::{Agent, Agents, Class, Control, FenceRun, Outcome, Run, Status};

/// Time limit for an agent's own metadata (rule 4.3.11).
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the cluster uses of an agent's metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Content of `version`: the OCF version the agent announces.
    pub version: Option<String>,
    /// Actions in document order.
    pub actions: Vec<Action>,
    /// Parameters in document order.
    pub parameters: Vec<Parameter>,
}

/// An announced action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Action {
    /// Name.
    pub name: String,
    /// Fence agents: to be run on its own when a node joins.
    pub automatic: bool,
    /// Fence agents: must run on the target itself.
    pub on_target: bool,
}

/// An announced parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// May change without a restart.
    pub reloadable: bool,
    /// Old form of the opposite.
    pub unique: bool,
    /// To be kept out of sight.
    pub private: bool,
}

/// Why there is no metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// There is no such agent.
    #[error("agent {0} is not installed on this node")]
    NotInstalled(String),
    /// It did not answer well.
    #[error("agent {agent} gave no metadata: {reason}")]
    Failed {
        /// Which.
        agent: String,
        /// Why.
        reason: String,
    },
    /// Its answer is not XML.
    #[error("the metadata of agent {agent} is not understood: {error}")]
    Malformed {
        /// Which.
        agent: String,
        /// Where and what.
        error: xml::ParseError,
    },
}

impl Metadata {
    /// Reads the XML. Elements that are not known are skipped.
    pub fn parse(text: &str) -> Result<Metadata, xml::ParseError> {
        let document = Document::parse(text.trim_start())?;
        let root = document.root_element();
        let version = root.child("version").map(|element| element.text().trim().to_owned());
        let actions = root.child("actions").into_iter().flat_map(|list| list.children_named("action"));
        let parameters =
            root.child("parameters").into_iter().flat_map(|list| list.children_named("parameter"));
        Ok(Metadata {
            version: version.filter(|text| !text.is_empty()),
            actions: actions.filter_map(action).collect(),
            parameters: parameters.filter_map(parameter).collect(),
        })
    }
}

fn action(element: Element<'_>) -> Option<Action> {
    Some(Action {
        name: element.attr("name")?.to_owned(),
        automatic: is_true(element.attr("automatic").or_else(|| element.attr("required"))),
        on_target: is_true(element.attr("on_target")),
    })
}

fn parameter(element: Element<'_>) -> Option<Parameter> {
    Some(Parameter {
        name: element.attr("name")?.to_owned(),
        reloadable: is_true(element.attr("reloadable")),
        unique: is_true(element.attr("unique")),
        private: is_true(element.attr("private")),
    })
}

/// Whether agents of the OCF version that is announced are understood (rule 4.4.1).
fn is_known_version(version: Option<&str>) -> bool {
    let major = version.and_then(|text| text.split('.').next()).and_then(|text| text.parse::<u32>().ok());
    major.is_some_and(|major| major < 2)
}

/// Booleans of rule 1.3.1.
fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|text| {
        ["true", "on", "yes", "y", "1"].iter().any(|word| text.eq_ignore_ascii_case(word))
    })
}

impl Agents {
    /// An agent's metadata as XML text, for tools.
    pub async fn metadata_text(&self, agent: &Agent) -> Result<String, MetadataError> {
        match agent.class {
            Class::Ocf => self.ocf_metadata(agent).await,
            Class::Stonith => self.fence_metadata(agent).await,
            Class::Lsb => self.lsb_metadata(agent),
            Class::Nagios => self.nagios_metadata(agent),
            Class::Systemd => self.systemd_metadata(agent).await,
            Class::Service => match self.service_class(&agent.kind).await {
                Class::Systemd => self.systemd_metadata(agent).await,
                _ => self.lsb_metadata(agent),
            },
        }
    }

    /// What the cluster uses of an agent's metadata.
    pub async fn metadata(&self, agent: &Agent) -> Result<Metadata, MetadataError> {
        let text = self.metadata_text(agent).await?;
        let metadata = Metadata::parse(&text)
            .map_err(|error| MetadataError::Malformed { agent: agent.to_string(), error })?;
        if agent.class == Class::Ocf && !is_known_version(metadata.version.as_deref()) {
            let version = metadata.version.as_deref().unwrap_or("none");
            tracing::warn!(%agent, version, "an OCF version that is not known: taken for 1.0 or 1.1");
        }
        Ok(metadata)
    }

    async fn ocf_metadata(&self, agent: &Agent) -> Result<String, MetadataError> {
        let run = Run {
            agent: agent.clone(),
            action: "meta-data".into(),
            resource: agent.kind.clone(),
            parameters: Default::default(),
            timeout: TIMEOUT,
            interval: Duration::ZERO,
            spare_group: false,
        };
        answer(agent, self.run(&run, Control::default()).await)
    }

    async fn fence_metadata(&self, agent: &Agent) -> Result<String, MetadataError> {
        let run = FenceRun {
            agent: agent.kind.clone(),
            device: agent.kind.clone(),
            input: vec![("action".into(), "metadata".into())],
            timeout: TIMEOUT,
        };
        let text = answer(agent, self.fence(&run, Control::default()).await)?;
        complete_fence_metadata(&text)
            .map_err(|error| MetadataError::Malformed { agent: agent.to_string(), error })
    }

    fn lsb_metadata(&self, agent: &Agent) -> Result<String, MetadataError> {
        let script = std::fs::read_to_string(self.search.init_script(&agent.kind))
            .map_err(|_| MetadataError::NotInstalled(agent.to_string()))?;
        Ok(lsb_metadata(agent, &script))
    }

    async fn systemd_metadata(&self, agent: &Agent) -> Result<String, MetadataError> {
        match self.systemd.description(&agent.kind).await {
            Ok(Some(description)) => Ok(systemd_metadata(&agent.kind, &description)),
            Ok(None) => Err(MetadataError::NotInstalled(agent.to_string())),
            Err(reason) => {
                let reason = format!("No DBus connection: {reason}");
                Err(MetadataError::Failed { agent: agent.to_string(), reason })
            }
        }
    }

    fn nagios_metadata(&self, agent: &Agent) -> Result<String, MetadataError> {
        let file = self.search.nagios_metadata.join(format!("{}.xml", agent.kind));
        if agent.kind.contains('/') {
            return Err(MetadataError::NotInstalled(agent.to_string()));
        }
        std::fs::read_to_string(file).map_err(|_| MetadataError::NotInstalled(agent.to_string()))
    }
}

fn answer(agent: &Agent, outcome: Outcome) -> Result<String, MetadataError> {
    match (outcome.status, outcome.exit_code) {
        (Status::Done, 0) => Ok(outcome.stdout),
        (Status::NotInstalled, _) => Err(MetadataError::NotInstalled(agent.to_string())),
        (_, code) => {
            let reason = if outcome.exit_reason.is_empty() {
                format!("exit code {code}")
            } else {
                outcome.exit_reason
            };
            Err(MetadataError::Failed { agent: agent.to_string(), reason })
        }
    }
}

/// Rule 4.4.3: what the cluster itself brings need not be given, and a device can be started and stopped.
fn complete_fence_metadata(text: &str) -> Result<String, xml::ParseError> {
    let mut document = Document::parse(text.trim_start())?;
    let root = document.root();
    if let Some(parameters) = document.child(root, "parameters") {
        let given: Vec<_> = document
            .children(parameters)
            .filter(|id| matches!(document.attribute(*id, "name"), Some("action" | "plug" | "port")))
            .collect();
        for id in given {
            document.set_attribute(id, "required", "0");
        }
    }
    let actions = document.child(root, "actions").unwrap_or_else(|| document.append_element(root, "actions"));
    let stops = document.children(actions).any(|id| document.attribute(id, "name") == Some("stop"));
    if !stops {
        for name in ["start", "stop"] {
            let id = document.append_element(actions, "action");
            document.set_attribute(id, "name", name);
            document.set_attribute(id, "timeout", "20s");
        }
    }
    Ok(document.to_pretty())
}

/// Rule 4.4.2.
fn lsb_metadata(agent: &Agent, script: &str) -> String {
    let block: Vec<&str> = script
        .lines()
        .skip_while(|line| !line.starts_with("### BEGIN INIT INFO"))
        .skip(1)
        .take_while(|line| !line.starts_with("### END INIT INFO"))
        .collect();
    let field = |name: &str| {
        block.iter().find_map(|line| line.strip_prefix(&format!("# {name}:"))).unwrap_or("").trim().to_owned()
    };
    let mut long = field("Description");
    let after = block.iter().skip_while(|line| !line.starts_with("# Description:")).skip(1);
    for line in after.map_while(|line| line.strip_prefix("#\t").or_else(|| line.strip_prefix("#  "))) {
        long.push('\n');
        long.push_str(line.trim());
    }
    let mut details = Vec::new();
    for name in [
        "Provides",
        "Required-Start",
        "Required-Stop",
        "Should-Start",
        "Should-Stop",
        "Default-Start",
        "Default-Stop",
    ] {
        let value = field(name);
        if !value.is_empty() {
            details.push(format!("{name}: {value}"));
        }
    }
    long.push_str(&details.iter().map(|line| format!("\n{line}")).collect::<String>());
    synthesised(&agent.kind, &field("Short-Description"), &long, &LSB_ACTIONS)
}

const LSB_ACTIONS: [(&str, &str, Option<&str>); 7] = [
    ("meta-data", "5s", None),
    ("start", "15s", None),
    ("stop", "15s", None),
    ("status", "15s", None),
    ("restart", "15s", None),
    ("force-reload", "15s", None),
    ("monitor", "15s", Some("15s")),
];

const SYSTEMD_ACTIONS: [(&str, &str, Option<&str>); 5] = [
    ("start", "100s", None),
    ("stop", "100s", None),
    ("status", "100s", None),
    ("monitor", "100s", Some("60s")),
    ("meta-data", "5s", None),
];

fn systemd_metadata(kind: &str, description: &str) -> String {
    synthesised(kind, &format!("systemd unit file for {kind}"), description, &SYSTEMD_ACTIONS)
}

fn synthesised(name: &str, short: &str, long: &str, actions: &[(&str, &str, Option<&str>)]) -> String {
    let mut document = Document::new("resource-agent");
    let root = document.root();
    document.set_attribute(root, "name", name);
    document.set_attribute(root, "version", "1.0");
    for (tag, text) in [("version", "1.1"), ("longdesc", long), ("shortdesc", short)] {
        let id = document.append_element(root, tag);
        if tag != "version" {
            document.set_attribute(id, "lang", "en");
        }
        document.set_text(id, text);
    }
    document.append_element(root, "parameters");
    let list = document.append_element(root, "actions");
    for (name, timeout, interval) in actions {
        let id = document.append_element(list, "action");
        document.set_attribute(id, "name", name);
        document.set_attribute(id, "timeout", timeout);
        if let Some(interval) = interval {
            document.set_attribute(id, "interval", interval);
        }
    }
    document.to_pretty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cluster_uses() {
        let metadata = Metadata::parse(
            r#"<resource-agent name="x"><version>1.1</version>
               <parameters><parameter name="a" unique="1"/><parameter name="b" reloadable="Yes" private="true"/></parameters>
               <actions><action name="on" required="1" on_target="1"/><action name="off"/></actions></resource-agent>"#,
        )
        .unwrap();
        assert_eq!(metadata.version.as_deref(), Some("1.1"));
        assert!(metadata.parameters[0].unique && !metadata.parameters[0].reloadable);
        assert!(metadata.parameters[1].reloadable && metadata.parameters[1].private);
        assert!(
            metadata.actions[0].automatic && metadata.actions[0].on_target && !metadata.actions[1].automatic
        );
        assert!(Metadata::parse("no xml").is_err());
    }

    #[test]
    fn rule_4_4_1_versions_that_are_not_known() {
        let known =
            [Some("1.0"), Some("1.1"), Some("1"), Some("0.9"), Some("2.0"), Some("10.1"), Some("x"), None]
                .map(is_known_version);
        assert_eq!(known, [true, true, true, true, false, false, false, false]);
    }

    #[test]
    fn fence_metadata_is_completed() {
        let text = r#"<resource-agent><parameters><parameter name="plug" required="1"/></parameters></resource-agent>"#;
        let whole = complete_fence_metadata(text).unwrap();
        assert!(
            whole.contains(r#"name="plug" required="0""#) && whole.contains(r#"name="stop" timeout="20s""#),
            "{whole}"
        );
    }

    #[test]
    fn init_scripts_are_described() {
        let script = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: x\n# Short-Description: Short\n\
                      # Description: Long\n#  more\n### END INIT INFO\n";
        let text = lsb_metadata(&"lsb:x".parse().unwrap(), script);
        assert!(text.contains("Short") && text.contains("Long\nmore\nProvides: x"), "{text}");
        Metadata::parse(&text).unwrap();
    }
}
