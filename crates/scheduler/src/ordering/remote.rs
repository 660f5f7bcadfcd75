//! Orderings around connections of remote and guest nodes (rule 3.31).

use crate::model::Model;

/// Rules between actions on remote and guest nodes and their connections (S8).
pub fn create(model: &mut Model<'_>) {
    let _ = model;
}
