//! What pcs needs to know of the agents on this machine.

/// One parameter of an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub required: bool,
    pub unique_group: Option<String>,
    pub deprecated: bool,
    pub short: String,
    pub long: String,
    pub kind: String,
    pub default: Option<String>,
}

/// One action that an agent advertises, with its attributes in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdvertisedAction {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

/// An agent's metadata, as far as commands use it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentMetadata {
    pub short: String,
    pub long: String,
    pub parameters: Vec<Parameter>,
    pub actions: Vec<AdvertisedAction>,
    /// Fence agents: powering a node on again is part of it.
    pub provides_unfencing: bool,
}

/// `CLASS:PROVIDER:TYPE` or `CLASS:TYPE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentName {
    pub class: String,
    pub provider: Option<String>,
    pub kind: String,
}

impl AgentName {
    /// Reads a full name; `None` if it has no class.
    pub fn parse(text: &str) -> Option<AgentName> {
        let mut parts = text.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("ocf"), Some(provider), Some(kind)) => {
                Some(AgentName { class: "ocf".into(), provider: Some(provider.into()), kind: kind.into() })
            }
            // names of templated units contain a colon of their own
            (Some(class), Some(kind), rest) if class != "ocf" => {
                let kind = rest.map_or_else(|| kind.to_owned(), |rest| format!("{kind}:{rest}"));
                Some(AgentName { class: class.into(), provider: None, kind })
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for AgentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.provider {
            Some(provider) => write!(f, "{}:{provider}:{}", self.class, self.kind),
            None => write!(f, "{}:{}", self.class, self.kind),
        }
    }
}

/// The agents that can be found.
pub trait Catalog {
    /// All agents with this type, in any class; sorted.
    fn find(&self, kind: &str) -> Vec<AgentName>;
    /// Metadata of one agent, or why there is none.
    fn metadata(&self, agent: &AgentName) -> Result<AgentMetadata, String>;
    /// All agents; sorted.
    fn list(&self) -> Vec<AgentName>;
}
