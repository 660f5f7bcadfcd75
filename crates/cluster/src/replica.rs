//! This node's copy of the CIB: the only place of the crate that holds the document.
//!
//! Every change is made by an operation in total order, with the same result on every node. The rest of
//! the crate gives text in and gets text or typed values out.

use cib::rule::RuleInput;

use crate::fencing::devices::Devices;
use crate::request::{CibChange, CibOperation, CibQuery, Refusal, RefusalCode};
use crate::text::xpath_literal;

pub use version::Version;

mod version {
    use serde::{Deserialize, Serialize};

    /// `admin_epoch.epoch.num_updates`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    pub struct Version {
        pub admin_epoch: u32,
        pub epoch: u32,
        pub num_updates: u32,
    }
    impl std::fmt::Display for Version {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}.{}.{}", self.admin_epoch, self.epoch, self.num_updates)
        }
    }
}

/// The replica.
#[derive(Debug)]
pub struct Replica {
    document: xml::Document,
}

impl Replica {
    /// The replica of a starting node, from what was on disk; and what there is to say about that.
    #[must_use]
    pub fn load(text: Option<&str>) -> (Replica, Vec<String>) {
        let document = xml::Document::parse(text.unwrap_or("<cib/>")).expect("x");
        (Replica { document }, Vec::new())
    }
    pub fn version(&self) -> Version {
        Version::default()
    }
    pub fn digest(&self) -> String {
        String::new()
    }
    pub fn text(&self) -> String {
        self.document.to_string()
    }
    pub fn text_at(&self, _now: i64) -> String {
        self.document.to_string()
    }
    pub fn file_text(&self) -> (String, String) {
        (String::new(), String::new())
    }
    pub fn typed(&self) -> cib::Cib {
        cib::Cib::from_document(&self.document).0
    }
    pub fn adopt(&mut self, _text: &str) -> Result<(), String> {
        Ok(())
    }
    pub fn apply(&mut self, _changes: &[CibOperation], _origin: &str, _at: i64) -> Result<(), String> {
        Ok(())
    }
    pub fn change(
        &mut self,
        _change: &CibChange,
        _origin: &str,
        _at: i64,
    ) -> Result<Option<String>, Refusal> {
        Err(Refusal { code: RefusalCode::Invalid, message: String::new() })
    }
    pub fn query(&self, _query: &CibQuery) -> Result<String, Refusal> {
        Ok(String::new())
    }
    pub fn has(&self, _path: &str) -> bool {
        false
    }
    /// Cluster options in force.
    pub fn options(&self, now: i64) -> cib::options::ClusterOptions {
        self.typed().cluster_options(&rule_input(now)).options
    }
    pub fn property(&self, name: &str, now: i64) -> Option<String> {
        self.typed().cluster_options(&rule_input(now)).values.get(name).map(str::to_owned)
    }
    pub fn devices(&self, now: i64) -> Devices {
        Devices::read(&self.typed(), &rule_input(now))
    }
    pub fn cluster_nodes(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    pub fn all_nodes(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    pub fn is_remote(&self, _id: &str) -> bool {
        false
    }
    pub fn executor_ids(&self, id: &str) -> Vec<String> {
        vec![id.to_owned()]
    }
}

fn rule_input(now: i64) -> RuleInput<'static> {
    RuleInput::at(cib::iso8601::DateTime::from_timestamp(now, 0))
}

/// The path of a node's state.
#[must_use]
pub fn node_state_path(id: &str) -> String {
    format!("/cib/status/node_state[@id={}]", xpath_literal(id))
}

/// The path of a resource's history on a node.
#[must_use]
pub fn lrm_resource_path(id: &str, resource: &str) -> String {
    format!("{}/lrm/lrm_resources/lrm_resource[@id={}]", node_state_path(id), xpath_literal(resource))
}
