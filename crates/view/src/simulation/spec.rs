//! `RESOURCE_TASK_INTERVAL@NODE=RC`: an operation and its result in one word (rule 3.53.2).

use std::fmt;

/// A result to inject, or a failure to pretend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationSpec {
    pub resource: String,
    pub task: String,
    /// Milliseconds.
    pub interval: u32,
    pub node: String,
    /// Exit status.
    pub status: i32,
}

/// Why a text is no such specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// Only so many of the three parts (key, node, status) were found.
    Incomplete {
        text: String,
        fields: usize,
    },
    UnknownResource(String),
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::Incomplete { text, fields } => {
                write!(f, "Invalid operation spec: {text}.  Only found {fields} fields")
            }
            SpecError::UnknownResource(name) => write!(f, "Invalid resource name: {name}"),
        }
    }
}

impl std::error::Error for SpecError {}

impl OperationSpec {
    /// Reads a specification.
    ///
    /// # Errors
    /// A part is missing or no number, or the key is none.
    pub fn parse(text: &str) -> Result<OperationSpec, SpecError> {
        let incomplete = |fields: usize| SpecError::Incomplete { text: text.to_owned(), fields };
        let (key, target) = text.split_once('@').ok_or_else(|| incomplete(1))?;
        let (node, status) = target.split_once('=').ok_or_else(|| incomplete(2))?;
        let status = status.trim().parse().map_err(|_| incomplete(2))?;
        let unknown = || SpecError::UnknownResource(key.to_owned());
        let (resource, task, interval) = split_key(key).ok_or_else(unknown)?;
        Ok(OperationSpec {
            resource: resource.to_owned(),
            task: task.to_owned(),
            interval,
            node: node.to_owned(),
            status,
        })
    }
}

/// Resource, task and interval of an operation key (rule 3.2.3).
pub(super) fn split_key(key: &str) -> Option<(&str, &str, u32)> {
    let (rest, interval) = key.rsplit_once('_')?;
    let interval = interval.trim_end_matches("ms").parse().ok()?;
    for task in ["migrate_to", "migrate_from"] {
        if let Some(resource) = rest.strip_suffix(task).and_then(|resource| resource.strip_suffix('_')) {
            return Some((resource, task, interval));
        }
    }
    let (resource, task) = rest.rsplit_once('_')?;
    Some((resource, task, interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_specification() {
        let spec = OperationSpec::parse("my_db:1_monitor_10000@node-1=7").unwrap();
        assert_eq!(spec.resource, "my_db:1");
        assert_eq!((spec.task.as_str(), spec.interval), ("monitor", 10_000));
        assert_eq!((spec.node.as_str(), spec.status), ("node-1", 7));
        let spec = OperationSpec::parse("vm_migrate_to_0@n=1").unwrap();
        assert_eq!((spec.resource.as_str(), spec.task.as_str()), ("vm", "migrate_to"));
    }

    #[test]
    fn missing_fields_are_counted() {
        assert_eq!(
            OperationSpec::parse("db_monitor_10000@n").unwrap_err().to_string(),
            "Invalid operation spec: db_monitor_10000@n.  Only found 2 fields"
        );
    }
}
