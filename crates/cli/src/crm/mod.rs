//! The classic low-level tools (chapter 5a): each reads its command line, asks the cluster or edits a CIB,
//! and answers in text or XML. None of them decides anything about the cluster.

mod admin;
mod attrd_updater;
mod attribute;
pub mod codes;
mod diff;
mod dlm_stonith;
mod error;
mod iso8601;
mod listing;
mod mon;
mod node;
pub mod options;
pub mod output;
mod report;
mod resource;
mod rule;
mod secret;
mod shadow;
mod stonith_admin;
mod target;
mod ticket;
mod wrappers;

use std::process::ExitCode;

use options::{Given, Table};
use output::Output;

use crate::session::Problem;

/// A tool: takes the words after its name.
pub type Run = fn(&[String]) -> ExitCode;

/// The tools by their names.
pub const TOOLS: &[(&str, Run)] = &[
    ("attrd_updater", attrd_updater::run),
    ("cibsecret", secret::run),
    ("crm_attribute", attribute::run),
    ("crm_diff", diff::run),
    ("crm_error", error::run),
    ("crm_failcount", wrappers::failcount),
    ("crm_master", wrappers::master),
    ("crm_mon", mon::run),
    ("crm_mon.cgi", mon::run_cgi),
    ("crm_node", node::run),
    ("crm_report", report::run),
    ("crm_resource", resource::run),
    ("crm_rule", rule::run),
    ("crm_shadow", shadow::run),
    ("crm_standby", wrappers::standby),
    ("crm_ticket", ticket::run),
    ("crmadmin", admin::run),
    ("dlm_stonith", dlm_stonith::run),
    ("iso8601", iso8601::run),
    ("stonith_admin", stonith_admin::run),
];

/// The frame of a tool: understand the words, do the work, answer.
pub fn tool(
    table: &Table,
    words: &[String],
    work: impl FnOnce(&Given, &mut Output) -> Result<u8, Problem>,
) -> ExitCode {
    let started =
        options::read(table, words).and_then(|given| Ok((Output::new(table.tool, words, &given)?, given)));
    let (mut out, given) = match started {
        Ok(both) => both,
        Err(code) => return code,
    };
    let outcome = work(&given, &mut out);
    out.end(outcome)
}

/// A mistake on the command line.
fn usage(message: impl Into<String>) -> Problem {
    Problem::new(crate::tool::exit::USAGE, message)
}
