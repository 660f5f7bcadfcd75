//! The agents of this machine, as pcs asks for them.

use std::collections::BTreeMap;
use std::time::Duration;

use agents::{Agent, Agents, Class, Control, Run, SearchPath, Systemd};

use super::catalog::{AdvertisedAction, AgentMetadata, AgentName, Catalog, Parameter};

/// Agents installed here, and Systole's own, unpacked into a private directory while the command runs.
pub struct LocalAgents {
    agents: Agents,
    runtime: Option<tokio::runtime::Runtime>,
    // keeps the directory until the command is done
    _own: Option<tempfile::TempDir>,
}

/// What one run of an agent gave.
pub struct OneRun {
    pub code: u8,
    pub text: String,
    pub output: String,
}

impl Default for LocalAgents {
    fn default() -> LocalAgents {
        let own = tempfile::tempdir().ok().filter(|own| agents::own::unpack(own.path()).is_ok());
        let search = own.as_ref().map_or_else(SearchPath::default, |own| SearchPath::with_own(own.path()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok();
        let mut environment = BTreeMap::new();
        if let Ok(binary) = std::env::current_exe() {
            environment.insert("SYSTOLE_BINARY".to_owned(), binary.to_string_lossy().into_owned());
        }
        LocalAgents {
            agents: Agents { search, environment, systemd: Systemd::default() },
            runtime,
            _own: own,
        }
    }
}

impl LocalAgents {
    fn runtime(&self) -> Result<&tokio::runtime::Runtime, String> {
        self.runtime.as_ref().ok_or_else(|| "agents cannot be run here".to_owned())
    }

    /// Where agents are.
    pub fn search(&self) -> &SearchPath {
        &self.agents.search
    }

    /// Agent types of a class (and provider, for `ocf`).
    pub fn types(&self, class: &str, provider: Option<&str>) -> Vec<String> {
        match self.runtime() {
            Ok(runtime) => runtime.block_on(self.agents.types(class, provider)),
            Err(_) => Vec::new(),
        }
    }

    /// Metadata as the agent prints it.
    pub fn metadata_text(&self, agent: &Agent) -> Result<String, String> {
        self.runtime()?.block_on(self.agents.metadata_text(agent)).map_err(|error| error.to_string())
    }

    /// Runs an agent and tells all about it.
    pub fn run(&self, run: &Run) -> Result<agents::Outcome, String> {
        Ok(self.runtime()?.block_on(self.agents.run(run, Control::default())))
    }

    /// Runs a fence agent, outside the cluster's control.
    pub fn fence(&self, run: &agents::FenceRun) -> Result<agents::Outcome, String> {
        Ok(self.runtime()?.block_on(self.agents.fence(run, Control::default())))
    }

    /// Runs one action of an agent, outside the cluster's control.
    pub fn run_once(
        &self,
        agent: &AgentName,
        resource: &str,
        action: &str,
        parameters: &[(String, String)],
    ) -> Result<OneRun, String> {
        let agent = Agent::new(&agent.class, agent.provider.as_deref(), &agent.kind)
            .map_err(|error| error.to_string())?;
        let run = Run {
            agent,
            action: action.to_owned(),
            resource: resource.to_owned(),
            parameters: parameters.iter().cloned().collect(),
            timeout: Duration::from_secs(20),
            interval: Duration::ZERO,
            spare_group: false,
        };
        let outcome = self.runtime()?.block_on(self.agents.run(&run, Control::default()));
        let mut text = cluster::operation::exit_text(outcome.exit_code).to_owned();
        if !outcome.exit_reason.is_empty() {
            text = format!("{text} ({})", outcome.exit_reason);
        }
        Ok(OneRun {
            code: u8::try_from(outcome.exit_code).unwrap_or(1),
            text,
            output: format!("{}{}", outcome.stdout, outcome.stderr),
        })
    }
}

impl Catalog for LocalAgents {
    fn find(&self, kind: &str) -> Vec<AgentName> {
        self.list().into_iter().filter(|agent| agent.kind == kind).collect()
    }

    fn metadata(&self, agent: &AgentName) -> Result<AgentMetadata, String> {
        let name = Agent::new(&agent.class, agent.provider.as_deref(), &agent.kind)
            .map_err(|error| error.to_string())?;
        let text =
            self.runtime()?.block_on(self.agents.metadata_text(&name)).map_err(|error| error.to_string())?;
        read_metadata(&text, name.class == Class::Stonith)
    }

    fn list(&self) -> Vec<AgentName> {
        let search = &self.agents.search;
        let mut found = Vec::new();
        for class in search.classes() {
            if class == "ocf" {
                for provider in search.providers() {
                    found.extend(self.types(&class, Some(&provider)).into_iter().map(|kind| AgentName {
                        class: class.clone(),
                        provider: Some(provider.clone()),
                        kind,
                    }));
                }
            } else if class != "service" {
                found.extend(self.types(&class, None).into_iter().map(|kind| AgentName {
                    class: class.clone(),
                    provider: None,
                    kind,
                }));
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

/// Reads the parts of an agent's metadata that commands use; what is not known is skipped.
fn read_metadata(text: &str, fence_agent: bool) -> Result<AgentMetadata, String> {
    let document = xml::Document::parse(text.trim_start()).map_err(|error| error.to_string())?;
    let root = document.root();
    let text_of = |parent: xml::NodeId, tag: &str| {
        document
            .child(parent, tag)
            .map(|element| document.text(element).trim().to_owned())
            .unwrap_or_default()
    };
    let truth =
        |value: Option<&str>| value.is_some_and(|value| cib::value::parse_boolean(value) == Some(true));
    let mut metadata = AgentMetadata {
        short: text_of(root, "shortdesc"),
        long: text_of(root, "longdesc"),
        ..AgentMetadata::default()
    };
    if metadata.short.is_empty() {
        metadata.short = document.attribute(root, "shortdesc").unwrap_or("").to_owned();
    }
    if let Some(parameters) = document.child(root, "parameters") {
        for element in document.children(parameters).filter(|element| document.name(*element) == "parameter")
        {
            let attribute = |name| document.attribute(element, name);
            let content = document.child(element, "content");
            let content_attribute = |name| content.and_then(|content| document.attribute(content, name));
            metadata.parameters.push(Parameter {
                name: attribute("name").unwrap_or("").to_owned(),
                required: truth(attribute("required")) && content_attribute("default").is_none(),
                unique_group: attribute("unique-group")
                    .map(str::to_owned)
                    .or_else(|| truth(attribute("unique")).then(|| "default".to_owned())),
                deprecated: truth(attribute("deprecated")),
                short: text_of(element, "shortdesc"),
                long: text_of(element, "longdesc"),
                kind: content_attribute("type").unwrap_or("string").to_owned(),
                default: content_attribute("default").map(str::to_owned),
            });
        }
    }
    if let Some(actions) = document.child(root, "actions") {
        for element in document.children(actions).filter(|element| document.name(*element) == "action") {
            let attributes: Vec<(String, String)> = document
                .attributes(element)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let name = document.attribute(element, "name").unwrap_or("").to_owned();
            if fence_agent && name == "on" && truth(document.attribute(element, "automatic")) {
                metadata.provides_unfencing = true;
            }
            let attributes = attributes.into_iter().filter(|(known, _)| known != "name").collect();
            metadata.actions.push(AdvertisedAction { name, attributes });
        }
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_agents_are_found_with_their_metadata() {
        let agents = LocalAgents::default();
        let found = agents.find("web");
        assert!(found.iter().any(|agent| agent.to_string() == "ocf:systole:web"), "{found:?}");
        let web = AgentName::parse("ocf:systole:web").expect("a full name");
        let metadata = agents.metadata(&web).expect("metadata");
        assert!(
            metadata
                .parameters
                .iter()
                .any(|parameter| parameter.name == "port" && parameter.unique_group.is_some())
        );
        assert!(metadata.actions.iter().any(|action| action.name == "monitor"));
    }
}
