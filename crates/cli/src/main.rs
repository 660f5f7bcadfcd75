//! The one binary `systole`; by the name it is called with it is also `pcs`, `crm_mon`, `cibadmin` and others.

mod cibadmin;
mod configuration;
mod demo;
mod events;
mod internal;
mod mon;
mod outlook;
mod pcs;
mod session;
mod tool;
mod verify;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "systole",
    version,
    about = "Keeps services running on a cluster of Linux machines",
    after_help = "Examples:\n  systole demo                   three nodes on this machine, no root\n  systole status                 what runs where\n  systole pcs resource create A ocf:pacemaker:Dummy\n\nThe names pcs, crm_mon, cibadmin, crm_verify and crm_simulate work as commands of their own\nwhere they are links to this program."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node of the cluster
    Daemon(DaemonArguments),
    /// Show a cluster of three nodes on this machine
    Demo(demo::Arguments),
    /// Show what runs where, and what is wrong
    Status(mon::Arguments),
    /// Show the status, and draw it anew when something changes
    Watch,
    /// Show what happened, and why
    Events(events::Arguments),
    /// Programs that shipped agents call
    #[command(hide = true, subcommand)]
    Internal(internal::Command),
    /// A classic command by its name: pcs, crm_mon, cibadmin, crm_verify, crm_simulate, ...
    #[command(external_subcommand)]
    Classic(Vec<String>),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  systole daemon --node node1 --id 1 --nodes node1,node2,node3 --state-dir /var/lib/systole --bus /run/systole/bus")]
struct DaemonArguments {
    /// Name of this node
    #[arg(long)]
    node: String,
    /// Number of this node, from 1
    #[arg(long)]
    id: u32,
    /// Names of all nodes, in the order of their numbers
    #[arg(long, value_delimiter = ',')]
    nodes: Vec<String>,
    /// Where the CIB and other lasting state are kept
    #[arg(long, default_value = "/var/lib/systole")]
    state_dir: PathBuf,
    /// Where the API socket and process files are
    #[arg(long, default_value = "/run/systole")]
    run_dir: PathBuf,
    /// Directory of the embedded bus: all nodes are on this machine
    #[arg(long)]
    bus: Option<PathBuf>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let name = words.first().and_then(|path| Path::new(path).file_name()).and_then(|name| name.to_str()).unwrap_or("");
    if let Some(code) = classic(name, words.get(1..).unwrap_or_default()) {
        return code;
    }
    // `systole pcs --help` is pcs's help, so classic names are taken before the options are read
    if let Some(name) = words.get(1) {
        if let Some(code) = classic(name, &words[2..]) {
            return code;
        }
    }
    match Arguments::parse().command {
        Command::Daemon(arguments) => run_daemon(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Status(arguments) => mon::run(&arguments),
        Command::Watch => watch::run(),
        Command::Events(arguments) => events::run(&arguments),
        Command::Internal(command) => internal::run(command),
        Command::Classic(words) => {
            let name = words.first().map(String::as_str).unwrap_or_default();
            eprintln!("systole: there is no command {name:?}; 'systole --help' lists what there is");
            ExitCode::from(64)
        }
    }
}

/// Runs a classic command if `name` is one.
fn classic(name: &str, arguments: &[String]) -> Option<ExitCode> {
    match name {
        "pcs" => Some(pcs::run(arguments)),
        "cibadmin" => Some(cibadmin::run(arguments)),
        "crm_mon" => Some(mon::classic(arguments)),
        "crm_verify" => Some(verify::run(arguments)),
        _ => None,
    }
}

fn run_daemon(arguments: DaemonArguments) -> ExitCode {
    let _ = arguments;
    ExitCode::FAILURE
}
