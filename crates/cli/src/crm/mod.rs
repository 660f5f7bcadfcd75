//! The classic low-level tools (chapter 5a): each reads its command line, asks the cluster or edits a CIB,
//! and answers in text or XML. None of them decides anything about the cluster.

mod attrd_updater;
mod attribute;
pub mod codes;
mod error;
mod listing;
mod node;
mod options;
mod output;
mod resource;
mod stonith_admin;
mod target;
mod wrappers;

use std::process::ExitCode;

use options::{Given, Table};
use output::Output;

use crate::session::Problem;

/// Runs the tool of this name, if it is one of these.
pub fn run(name: &str, words: &[String]) -> Option<ExitCode> {
    Some(match name {
        "attrd_updater" => attrd_updater::run(words),
        "crm_attribute" => attribute::run(words),
        "crm_error" => error::run(words),
        "crm_failcount" => wrappers::failcount(words),
        "crm_master" => wrappers::master(words),
        "crm_node" => node::run(words),
        "crm_resource" => resource::run(words),
        "crm_standby" => wrappers::standby(words),
        "stonith_admin" => stonith_admin::run(words),
        _ => return None,
    })
}

/// The frame of a tool: understand the words, do the work, answer.
fn tool(
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
