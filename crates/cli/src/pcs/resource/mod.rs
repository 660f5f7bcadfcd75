//! `pcs resource …`: create and change resources (rules 5d.2 and 5d.3).

mod agent;
mod change;
mod clones;
mod create;
mod groups;
mod operations;
mod removal;

pub use change::{meta, set_enabled, set_managed, update};
pub use clones::{check_promotable, clone, unclone};
pub use create::create;
pub use groups::{group_add, group_list, group_remove};
pub use operations::operation;
pub use removal::delete;
