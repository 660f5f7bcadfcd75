//! Access control (rule 5c.10).

use serde::{Deserialize, Serialize};
use xml::Document;

use crate::refusal::Refusal;

/// A user that is neither root nor the cluster's own, with the names of its system groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

/// The part of a document that the user may read.
pub fn readable(document: &Document, _user: &User) -> Result<Document, Refusal> {
    Ok(document.clone())
}

/// Refuses a change the user may not make.
pub fn check_change(_old: &Document, _new: &Document, _user: &User) -> Result<(), Refusal> {
    Ok(())
}
