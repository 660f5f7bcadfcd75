//! Configured ordering constraints (rule 3.25).

use crate::model::Model;
use cib::config::OrderConstraint;

/// Turns one `rsc_order` into rules; `index` is its place among the CIB's constraints.
pub fn unpack(model: &mut Model<'_>, constraint: &OrderConstraint, index: u32) {
    let _ = (model, constraint, index);
}
