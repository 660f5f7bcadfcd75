//! Orderings that follow from what resources are (rules 3.27 to 3.29).

use crate::model::Model;

/// Rules of all resources, in resource-list order (S4).
pub fn create(model: &mut Model<'_>) {
    let _ = model;
}
