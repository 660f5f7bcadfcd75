//! `systole demo`: a cluster of three nodes on this machine, without root and without packages.
//!
//! The nodes are ordinary daemons on the embedded bus; the resources are ordinary OCF agents. Nothing
//! here is known to the core.

mod place;
mod screen;
mod script;
mod signals;
mod website;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use view::api;

pub use place::{NODES, Place};

use crate::session::Problem;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  systole demo             start three nodes and watch them\n  systole demo --script    the same unattended, with failures; exit 0 if all is survived\n  systole demo kill node1  (another terminal) SIGKILL to a node's daemon\n  systole demo start node1 and bring it back\n  systole demo cut node2   cut it off from the others; 'heal' ends that\n  systole demo stop        end everything, wherever it was started"
)]
pub struct Arguments {
    /// Run unattended: break things one after the other and check that the website survives
    #[arg(long)]
    script: bool,
    /// Directory of the demonstration (default: systole-demo-UID in the temporary directory)
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// End a node's daemon with SIGKILL, as a crash would
    Kill { node: String },
    /// Start a node that is down
    Start { node: String },
    /// Cut a node off from the others
    Cut { node: String },
    /// Connect a node that was cut off
    Heal { node: String },
    /// End all nodes and everything that they started
    Stop,
}

pub fn run(arguments: Arguments) -> ExitCode {
    // a terminal with the demonstration's settings means that one
    let current = || arguments.command.as_ref().and_then(|_| Place::of_environment());
    let place = arguments.dir.as_deref().map(Place::at).or_else(current).unwrap_or_else(Place::usual);
    let outcome = match arguments.command {
        Some(Command::Kill { node }) => {
            place.kill(&node).map(|()| said(&format!("{node}: its daemon is killed")))
        }
        Some(Command::Start { node }) => place.start(&node).map(|()| said(&format!("{node}: started"))),
        Some(Command::Cut { node }) => place.set_cut(&node, true).map(|()| said(&format!("{node}: cut off"))),
        Some(Command::Heal { node }) => {
            place.set_cut(&node, false).map(|()| said(&format!("{node}: connected again")))
        }
        Some(Command::Stop) => {
            place.mark_stopped();
            place.stop_all();
            Ok(said("all nodes are ended"))
        }
        None => unattended_or_shown(&place, arguments.script),
    };
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("systole demo: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

fn unattended_or_shown(place: &Place, script: bool) -> Result<ExitCode, Problem> {
    signals::note().map_err(|error| Problem::new(1, format!("signals cannot be waited for: {error}")))?;
    if script { script::run(place) } else { screen::run(place) }
}

fn said(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

/// A running demonstration; ends everything it started when dropped.
struct Demo {
    place: Place,
    website: SocketAddr,
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.place.stop_all();
    }
}

/// Exit code of a command that was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

/// How long the start may take before it counts as failed.
const START_LIMIT: Duration = Duration::from_secs(60);

impl Demo {
    /// Starts three nodes, waits until they are one cluster, and loads the configuration.
    fn start(place: &Place, mut progress: impl FnMut(&str)) -> Result<Demo, Problem> {
        place.make_fresh()?;
        let demo = Demo { place: place.clone(), website: free_address()? };
        for node in NODES {
            demo.place.start(node)?;
        }
        let begun = Instant::now();
        progress(&format!("three daemons started; their state is under {}", place.directory().display()));
        demo.wait_online(&NODES, START_LIMIT)?;
        progress(&format!("all nodes online with a DC after {:.2} s", begun.elapsed().as_secs_f64()));
        demo.load_configuration()?;
        Ok(demo)
    }

    fn load_configuration(&self) -> Result<(), Problem> {
        let text = include_str!("configuration.xml")
            .replace("@DIRECTORY@", &self.place.directory().to_string_lossy())
            .replace("@ADDRESS@", &self.website.ip().to_string())
            .replace("@PORT@", &self.website.port().to_string());
        let mut change = api::CibChange::new(api::CibOperation::Replace);
        change.section = Some("configuration".to_owned());
        change.xml = Some(text);
        change.client = "demo".to_owned();
        self.place.any_client()?.change_cib(&change)?;
        Ok(())
    }

    /// Waits until these nodes, and no others, are members with one DC that all of them name.
    fn wait_online(&self, nodes: &[&str], limit: Duration) -> Result<(), Problem> {
        wait(limit, &format!("nodes online: {}", nodes.join(", ")), || {
            let mut dcs: Vec<Option<String>> = Vec::new();
            for node in nodes {
                let Ok(status) = self.place.client(node).and_then(|mut client| Ok(client.status()?)) else {
                    return false;
                };
                let joined: Vec<&str> = status
                    .members
                    .iter()
                    .filter(|member| member.member && member.joined)
                    .map(|member| member.name.as_str())
                    .collect();
                if joined != nodes {
                    return false;
                }
                dcs.push(status.dc);
            }
            dcs.first().is_some_and(Option::is_some) && dcs.windows(2).all(|pair| pair[0] == pair[1])
        })
    }

    /// The DC's name, as any node that answers knows it.
    fn dc(&self) -> Option<String> {
        self.place.any_client().ok()?.status().ok()?.dc
    }
}

/// Waits for something at most `limit`; the error says what was waited for.
fn wait(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) -> Result<(), Problem> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if condition() {
            return Ok(());
        }
        if signals::came() {
            return Err(Problem::new(INTERRUPTED, "interrupted"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(Problem::new(1, format!("waited {} s in vain for: {what}", limit.as_secs())))
}

/// A loopback address and a port that nobody uses.
fn free_address() -> Result<SocketAddr, Problem> {
    let candidates = (0..200u8).map(|number| IpAddr::V4(Ipv4Addr::new(127, 80, 0, number + 20)));
    for ip in candidates {
        for port in [8080, 8180, 18080] {
            let address = SocketAddr::new(ip, port);
            if TcpListener::bind(address).is_ok() {
                return Ok(address);
            }
        }
    }
    Err(Problem::new(1, "no loopback address with a free port was found for the website"))
}
