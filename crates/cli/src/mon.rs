//! Status for people: `systole status` and `crm_mon`.

use std::process::ExitCode;

use crate::outlook::Outlook;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Also inactive resources
    #[arg(short = 'r', long)]
    inactive: bool,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Normal,
    Full,
}

pub fn run(_arguments: &Arguments) -> ExitCode {
    ExitCode::FAILURE
}

pub fn classic(_arguments: &[String]) -> ExitCode {
    ExitCode::FAILURE
}

pub fn text(_outlook: &Outlook, _document: &xml::Document, _detail: Detail) -> String {
    String::new()
}

pub fn xml(_outlook: &Outlook, _document: &xml::Document) -> String {
    String::new()
}

pub fn resource_lines(_outlook: &Outlook, _fence_devices: bool) -> Vec<String> {
    Vec::new()
}

pub fn summary_lines(_outlook: &Outlook, _document: &xml::Document) -> Vec<String> {
    Vec::new()
}

pub fn node_lines(_outlook: &Outlook) -> Vec<String> {
    Vec::new()
}
