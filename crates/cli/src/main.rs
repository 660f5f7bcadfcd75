//! The one binary `systole`; by the name it is called with it is also `pcs`, `crm_mon`, `cibadmin` and others.

mod cib_file;
mod cibadmin;
mod clock;
mod colour;
mod configuration;
mod crm;
mod daemons;
mod demo;
mod events;
mod fencing;
mod internal;
mod itself;
mod links;
mod live;
mod mon;
mod outlook;
mod overwrite;
mod pcs;
mod schemas;
mod session;
mod simulate;
mod tool;
mod verify;
mod watch;
mod why;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "systole",
    version,
    about = "Keeps services running on a cluster of Linux machines",
    after_help = "Examples:\n  systole demo                   three nodes on this machine, no root\n  systole status                 what runs where\n  systole pcs resource create A ocf:pacemaker:Dummy\n\nThe names pcs, crm_mon, cibadmin, crm_resource and all others of the field work as commands of\ntheir own where they are links to this program: systole install-links DIR makes these."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node of the cluster
    Daemon(DaemonArguments),
    /// Make and change the embedded bus of a cluster on one machine
    #[command(subcommand)]
    Bus(BusCommand),
    /// Show a cluster of three nodes on this machine
    Demo(demo::Arguments),
    /// Show what runs where, and what is wrong
    Status(mon::Arguments),
    /// Show the cluster live: what runs where, what is wrong, what happens (q quits)
    #[command(
        after_help = "Examples:\n  systole watch         on a terminal: drawn anew when something changes; arrows scroll, q quits\n  systole watch | cat   the whole status each time that something changes"
    )]
    Watch,
    /// Why a resource is where it is, and what would move it
    Why(why::Arguments),
    /// Prove that nodes can be fenced
    #[command(subcommand)]
    Fence(fencing::Command),
    /// Show what happened, and why
    Events(events::Arguments),
    /// Write the schemas as files, for clients that read them
    InstallSchemas(schemas::Arguments),
    /// Make the names of the classic commands as links to this program
    InstallLinks(links::Arguments),
    /// Programs that shipped agents call
    #[command(hide = true, subcommand)]
    Internal(internal::Command),
    /// A classic command by its name: pcs, crm_mon, cibadmin, crm_verify, crm_simulate, ...
    #[command(external_subcommand)]
    Classic(Vec<String>),
}

#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  systole daemon                                     on a host with its own configuration\n  systole bus create /tmp/bus demo node1 node2       a cluster on one machine, then for each node:\n  systole daemon --bus /tmp/bus --node node1 --state-dir /tmp/node1"
)]
struct DaemonArguments {
    /// Directory of the embedded bus: all nodes are on this machine
    #[arg(long, requires = "node")]
    bus: Option<PathBuf>,
    /// Name of this node on the embedded bus
    #[arg(long, requires = "bus")]
    node: Option<String>,
    /// Keep everything below this directory (default: the places of an installed node)
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// Append log lines to this file instead of standard error
    #[arg(long)]
    log_file: Option<PathBuf>,
    /// Nobody starts this daemon again when it dies (always so with --bus)
    #[arg(long)]
    unsupervised: bool,
    /// Process of the supervisor, which starts the daemon proper in this way
    #[arg(long, hide = true)]
    supervisor: Option<u32>,
}

#[derive(Debug, Subcommand)]
enum BusCommand {
    /// Make the directory of a bus
    Create {
        directory: PathBuf,
        /// Name of the cluster
        cluster: String,
        /// Names of the nodes
        #[arg(required = true)]
        nodes: Vec<String>,
    },
    /// Cut a node off from all others
    Cut { directory: PathBuf, node: String },
    /// Connect a node that was cut off
    Heal { directory: PathBuf, node: String },
}

fn main() -> ExitCode {
    end_quietly_with_the_reader();
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let name = words
        .first()
        .and_then(|path| Path::new(path).file_name())
        .and_then(|name| name.to_str())
        .unwrap_or("");
    if let Some(code) = classic(name, words.get(1..).unwrap_or_default()) {
        return code;
    }
    // `systole pcs --help` is pcs's help, so classic names are taken before the options are read
    if let Some(name) = words.get(1) {
        if let Some(code) = classic(name, &words[2..]) {
            return code;
        }
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    match arguments.command {
        Command::Daemon(arguments) => run_daemon(arguments),
        Command::Bus(command) => run_bus(&command),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Status(arguments) => mon::run(&arguments),
        Command::Why(arguments) => why::run(&arguments),
        Command::Watch => watch::run(),
        Command::Fence(command) => fencing::run(&command),
        Command::Events(arguments) => events::run(&arguments),
        Command::InstallSchemas(arguments) => schemas::run(&arguments),
        Command::InstallLinks(arguments) => {
            let tools = CLASSIC.iter().chain(crm::TOOLS).map(|(name, _)| *name);
            let names: Vec<&str> = tools.chain(["pacemakerd"]).chain(daemons::METADATA).collect();
            links::run(&arguments, &names)
        }
        Command::Internal(command) => internal::run(command),
        Command::Classic(words) => {
            let name = words.first().map(String::as_str).unwrap_or_default();
            eprintln!("systole: there is no command {name:?}; 'systole --help' lists what there is");
            ExitCode::from(64)
        }
    }
}

/// Help is an answer; a mistake ends with the field's code for it.
fn usage(error: &clap::Error) -> ExitCode {
    // nobody to tell if even this fails
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { tool::exit::USAGE } else { 0 })
}

/// `systole events | head`: who reads has had enough, which is no failure of ours.
fn end_quietly_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            // as if ended by SIGPIPE
            std::process::exit(141);
        }
        usual(info);
    }));
}

/// Classic commands by their names, beside the low-level tools.
const CLASSIC: &[(&str, crm::Run)] = &[
    ("pcs", pcs::run),
    ("cibadmin", cibadmin::run),
    ("crm_simulate", simulate::run),
    ("crm_verify", verify::run),
];

/// Runs a classic command if `name` is one.
fn classic(name: &str, arguments: &[String]) -> Option<ExitCode> {
    match CLASSIC.iter().chain(crm::TOOLS).find(|(known, _)| *known == name) {
        Some((_, run)) => Some(run(arguments)),
        None => daemons::run(name, arguments),
    }
}

fn run_daemon(arguments: DaemonArguments) -> ExitCode {
    let paths = arguments.state_dir.as_deref().map_or_else(daemon::Paths::system, daemon::Paths::below);
    let given = std::env::args().skip(1).filter(|word| !word.starts_with("--supervisor=")).collect();
    match arguments.supervisor {
        Some(supervisor) => daemon::watch_supervisor(supervisor, given),
        None if arguments.bus.is_none() && !arguments.unsupervised => {
            let is_set = |name| cib::value::is_true(daemon::host_setting(name).as_deref());
            let fail_fast = is_set("fail_fast").then_some(daemon::PanicAction::Host);
            return daemon_ended(
                daemon::Supervision { state: paths.state, arguments: given, fail_fast }.run(),
            );
        }
        None => {}
    }
    let messaging =
        arguments.bus.zip(arguments.node).map(|(bus, node)| daemon::Choice::Embedded { bus, node });
    // nodes that share a machine must not take it down with them
    let panic = if messaging.is_some() { daemon::PanicAction::Node } else { daemon::PanicAction::Host };
    let config = daemon::DaemonConfig {
        paths,
        messaging,
        start_state: start_state(),
        action_limit: action_limit(),
        log: arguments.log_file.map_or(daemon::Log::Stderr, daemon::Log::File),
        panic,
    };
    daemon_ended(daemon::run(config))
}

/// What the node does with its own standby at its first join (rule 4.22.6).
fn start_state() -> daemon::StartState {
    match daemon::host_setting("node_start_state").as_deref() {
        Some("standby") => daemon::StartState::Standby,
        Some("online") => daemon::StartState::Online,
        _ => daemon::StartState::Default,
    }
}

/// How many operations at once this host is given, if it says so itself (rule 4.32.2).
fn action_limit() -> Option<u32> {
    let text = daemon::host_setting("node_action_limit")?;
    let limit = text.trim().parse().ok().filter(|limit| *limit > 0);
    if limit.is_none() {
        eprintln!("systole daemon: PCMK_node_action_limit={text} is no positive number, and is ignored");
    }
    limit
}

fn daemon_ended(ended: Result<i32, daemon::DaemonError>) -> ExitCode {
    match ended {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            eprintln!("systole daemon: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_bus(command: &BusCommand) -> ExitCode {
    use messaging::embedded;
    let outcome = match command {
        BusCommand::Create { directory, cluster, nodes } => {
            let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
            embedded::create(directory, cluster, &nodes).map(drop)
        }
        BusCommand::Cut { directory, node } => embedded::cut(directory, node),
        BusCommand::Heal { directory, node } => embedded::heal(directory, node),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("systole bus: {error}");
            ExitCode::FAILURE
        }
    }
}
