//! Small programs that the shipped agents and other commands call.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Serve `Hello from NODE` until killed
    WebServer { address: IpAddr, port: u16, node: String },
    /// Ask for a page; exit 0 if there is one
    WebCheck { url: String },
    /// Hold a loopback address until killed
    HoldAddress { address: IpAddr },
    /// Write a text of so many bytes from standard input over a file
    Overwrite { file: PathBuf, length: u64 },
}

pub fn run(command: Command) -> ExitCode {
    let outcome = match command {
        Command::WebServer { address, port, node } => agents::webserver::run(address, port, &node),
        Command::WebCheck { url } => agents::webserver::check(&url),
        Command::HoldAddress { address } => agents::webserver::hold_address(address),
        Command::Overwrite { file, length } => {
            crate::overwrite::take_and_write(&file, length, std::io::stdin().lock())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
