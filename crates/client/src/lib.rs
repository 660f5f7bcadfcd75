//! Typed client of a node's HTTP interface on its Unix socket.
//!
//! Blocking, for commands that ask one thing and end: connecting and asking cost well under a millisecond.
//! The words are those of [`view::api`]. It never retries a change on its own: a lost answer does not tell
//! whether the change was made.

mod connection;
mod events;

use std::path::{Path, PathBuf};
use std::time::Duration;

use view::api;

pub use events::Events;

/// Where a node's socket is unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/systole/api.sock";

/// Environment variable that names the socket.
pub const SOCKET_VARIABLE: &str = "SYSTOLE_SOCKET";

/// Why a request was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing listens on the socket.
    #[error("the cluster is not running on this node (nobody answers on {path}): {hint}")]
    NotRunning {
        /// Socket asked.
        path: PathBuf,
        /// What to do.
        hint: String,
    },
    /// The socket may not be used by this user.
    #[error("no permission to use {path}: run as root or as a member of group haclient")]
    Permission {
        /// Socket asked.
        path: PathBuf,
    },
    /// The node answered with a refusal.
    #[error("{0}")]
    Refused(api::Problem),
    /// No answer in time; whether a change was made is unknown.
    #[error("no answer from {path} within {seconds} s (the node may be busy; see `systole events`)")]
    Timeout {
        /// Socket asked.
        path: PathBuf,
        /// Time waited.
        seconds: u64,
    },
    /// The connection broke, or the answer is not understood.
    #[error("{path}: {message}")]
    Broken {
        /// Socket asked.
        path: PathBuf,
        /// What happened.
        message: String,
    },
}

impl Error {
    /// Exit code of the classic tools for this error (102 not connected, 4 permission, 124 timeout, …).
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::NotRunning { .. } => 102,
            Error::Permission { .. } => 4,
            Error::Refused(problem) => problem.exit_code,
            Error::Timeout { .. } => 124,
            Error::Broken { .. } => 76,
        }
    }
}

/// What a request gives.
pub type Result<T> = std::result::Result<T, Error>;

/// A connection to one node. Requests go one after the other over the same connection.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    connection: connection::Connection,
    path: PathBuf,
    timeout: Duration,
}

impl Client {
    /// The socket that applies here: `SYSTOLE_SOCKET`, else the system's.
    pub fn default_socket() -> PathBuf {
        std::env::var_os(SOCKET_VARIABLE).map_or_else(|| PathBuf::from(DEFAULT_SOCKET), PathBuf::from)
    }

    /// Connects to the node whose socket is `path`.
    pub fn connect(path: impl AsRef<Path>) -> Result<Client> {
        let path = path.as_ref().to_path_buf();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| Error::Broken { path: path.clone(), message: error.to_string() })?;
        let connection = runtime.block_on(connection::Connection::open(&path))?;
        Ok(Client { runtime, connection, path, timeout: Duration::from_secs(30) })
    }

    /// Sets how long one request may take (30 s unless told).
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Whole document or a part of it, as XML text.
    pub fn cib(&mut self, query: &api::CibQuery) -> Result<String> {
        self.get_text("/cib", &pairs(query))
    }

    /// Changes the configuration. Returns after the change was applied on the asked node.
    pub fn change_cib(&mut self, change: &api::CibChange) -> Result<api::CibChanged> {
        self.post("/cib", change)
    }

    /// State of the node.
    pub fn status(&mut self) -> Result<api::Status> {
        self.get("/status", &[])
    }

    /// Changes a node attribute.
    pub fn change_attribute(&mut self, change: &api::AttributeChange) -> Result<api::Done> {
        self.post("/attributes", change)
    }

    /// Transient node attributes.
    pub fn attributes(&mut self, query: &api::AttributeQuery) -> Result<Vec<api::Attribute>> {
        self.get("/attributes", &pairs(query))
    }

    /// An administrative verb.
    pub fn operate(&mut self, operation: &api::Operation) -> Result<api::Done> {
        self.post("/operations", operation)
    }

    /// Agent classes, providers or types.
    pub fn agents(&mut self, query: &api::AgentQuery) -> Result<Vec<String>> {
        self.get("/agents", &pairs(query))
    }

    /// Metadata of an agent (`class:provider:type` or `class:type`), as XML text.
    pub fn agent_metadata(&mut self, agent: &str) -> Result<String> {
        self.get_text("/agents/metadata", &[("agent".into(), agent.into())])
    }

    /// The journal as an endless (or, with `no_follow`, finite) iterator. Uses up the client.
    pub fn events(mut self, query: &api::EventQuery) -> Result<Events> {
        let target = target("/events", &pairs(query));
        let body = self.runtime.block_on(self.connection.stream(&target))?;
        Ok(Events::new(self.runtime, body, self.path))
    }

    /// Any path, as text: for `systole api GET PATH` and tests.
    pub fn get_text(&mut self, path: &str, query: &[(String, String)]) -> Result<String> {
        let body = self.send("GET", &target(path, query), None)?;
        String::from_utf8(body).map_err(|_| self.broken("the answer is not UTF-8"))
    }

    fn get<T: serde::de::DeserializeOwned>(&mut self, path: &str, query: &[(String, String)]) -> Result<T> {
        let body = self.send("GET", &target(path, query), None)?;
        self.decode(&body)
    }

    fn post<T: serde::de::DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<T> {
        let text = serde_json::to_vec(body).map_err(|error| self.broken(&error.to_string()))?;
        let answer = self.send("POST", &target(path, &[]), Some(text))?;
        self.decode(&answer)
    }

    fn send(&mut self, method: &'static str, target: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let request = self.connection.request(method, target, body);
        let limit = self.timeout;
        match self.runtime.block_on(async { tokio::time::timeout(limit, request).await }) {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout { path: self.path.clone(), seconds: limit.as_secs() }),
        }
    }

    fn decode<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T> {
        serde_json::from_slice(body)
            .map_err(|error| self.broken(&format!("the answer is not understood: {error}")))
    }

    fn broken(&self, message: &str) -> Error {
        Error::Broken { path: self.path.clone(), message: message.to_owned() }
    }
}

/// Path with prefix and query string.
fn target(path: &str, query: &[(String, String)]) -> String {
    let mut text = format!("{}{path}", api::PREFIX);
    for (index, (name, value)) in query.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        escape(value, &mut text);
    }
    text
}

/// Percent-encodes everything but unreserved characters.
fn escape(value: &str, into: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => into.push(byte as char),
            _ => into.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// The fields of a flat query type as name and value.
fn pairs(query: &impl serde::Serialize) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(query) else { return Vec::new() };
    fields
        .into_iter()
        .filter_map(|(name, value)| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some((name, text)),
            other => Some((name, other.to_string())),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_strings_are_escaped() {
        let query = api::CibQuery { xpath: Some("//a[@b='c d']".into()), ..Default::default() };
        assert_eq!(
            target("/cib", &pairs(&query)),
            "/v1/cib?no_children=false&paths_only=false&xpath=%2F%2Fa%5B%40b%3D%27c%20d%27%5D"
        );
    }

    #[test]
    fn a_missing_socket_says_what_to_do() {
        let Err(error) = Client::connect("/nonexistent/api.sock") else { panic!("connected to nothing") };
        assert!(matches!(error, Error::NotRunning { .. }));
        assert!(error.to_string().contains("systole daemon"), "{error}");
        assert_eq!(error.exit_code(), 102);
    }
}
