//! The project's own tool: tests, benches, labs. Run as `cargo xtask COMMAND`.

mod bench;
mod compare;
mod figures;
mod lab;
mod live;
mod report;
mod test;
mod tidy;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
cargo xtask COMMAND

  test [--ci] [--only STEP]   run everything that must pass; --ci: a skip is a failure
                              steps: tidy, fmt, clippy, unit, demo, live
  bench scheduler [--runs N] [--only TEXT] [--limit SECONDS]
                              one scheduler run of generated clusters, side by side with the reference
  bench cases DIR [--runs N] [--step N]
                              every saved input of a directory, side by side: where the reference is nearest
  compare [--seed N] [--count N] [--no-colocations] [--mutate DIR] [--only TEXT] [--aspect ASPECT] [--all]
          [--keep DIR] [--minimise] [--binary PATH] [--reference PROGRAM] [FILE...]
                              decisions on made-up clusters (or changed copies of a folder's inputs, or
                              these files) beside the reference's; what differs is stored in the folder of
                              --keep; --all: also what a known difference of versions may explain;
                              --reference: a newer crm_simulate than the installed one, whose every
                              difference counts
  fuzz TARGET [--seconds N] [--seed N] [--cuts]
                              mutated inputs for xml, cib or plan; 'fuzz --help' says more
  lab [--short] [--reference] [--only SCENARIO] [--runs N]
                              clusters on hosts made on this machine that really fail (root);
                              --reference: alternate with the reference stack, and print both;
                              'lab --help' lists the scenarios
  bench live [--runs N] [--idle SECONDS] [--only PART] [--reference]
                              three daemons on this machine: start, load, reaction, commands, rates, idle
  bench tools [--runs N]      crm_mon, cibadmin, crm_attribute, crm_resource, side by side with the reference
  golden [--reference]        the recorded cases of the tools; --reference: record them anew from the
                              reference's tools on this machine, and this program's where they differ
  tidy                        only the checks of the architecture's invariants
  help                        this text

Examples:
  cargo xtask test            before every push
  cargo xtask test --only tidy
  cargo xtask compare --seed 1 --count 500 --minimise
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.split_first() {
        Some((&"lab", ["--help" | "-h"])) => {
            print!("{}", lab::help());
            ExitCode::SUCCESS
        }
        // its own options are explained by the program that it starts
        Some((command, ["--help" | "-h"])) if *command != "fuzz" => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Some((&"test", options)) => match test::Options::parse(options) {
            Ok(options) => test::run(&options),
            Err(message) => usage(&message),
        },
        Some((&"bench", ["scheduler", options @ ..])) => match bench::Options::parse(options) {
            Ok(options) => bench::scheduler(&test::workspace_root(), &options),
            Err(message) => usage(&message),
        },
        Some((&"fuzz", options)) => test::fuzz(options),
        Some((&"lab", options)) => match lab::Options::parse(options) {
            Ok(options) => lab::run(&test::workspace_root(), &options),
            Err(message) => usage(&message),
        },
        Some((&"bench", ["cases", options @ ..])) => match bench::cases::Options::parse(options) {
            Ok(options) => bench::cases::run(&test::workspace_root(), &options),
            Err(message) => usage(&message),
        },
        Some((&"bench", ["live", options @ ..])) => match bench::live::Options::parse(options) {
            Ok(options) => bench::live::run(&test::workspace_root(), &options),
            Err(message) => usage(&message),
        },
        Some((&"bench", ["tools", options @ ..])) => match bench::tools::runs(options) {
            Ok(runs) => bench::tools::run(&test::workspace_root(), runs),
            Err(message) => usage(&message),
        },
        Some((&"golden", [])) => golden(false),
        Some((&"golden", ["--reference"])) => golden(true),
        // clients of the live tests and the lab, bad cables and bad peers, in a namespace of their own
        Some((&"poll", [address, path])) => client(live::client::poll, address, path),
        Some((&"write", [address, path])) => client(lab::writer::write, address, path),
        Some((&"peer", words)) => match lab::peer::run(words) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("xtask: {message}");
                ExitCode::FAILURE
            }
        },
        Some((&"relay", words)) => match live::hosts::relay::run(words) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => usage(&message),
        },
        Some((&"compare", options)) => match compare::Options::parse(options) {
            Ok(options) => compare::run(&test::workspace_root(), &options),
            Err(message) => usage(&message),
        },
        Some((&"tidy", [])) => test::run(&test::Options::only("tidy")),
        Some((&("help" | "--help" | "-h"), _)) | None => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Some((other, _)) => usage(&format!("no command {other:?}")),
    }
}

/// Runs the recorded cases of the tools, or records them anew.
fn golden(reference: bool) -> ExitCode {
    let mut command = std::process::Command::new("cargo");
    command.args(["test", "--quiet", "-p", "cli", "--test", "golden"]).current_dir(test::workspace_root());
    if reference {
        command.env("REFERENCE", "1").env("UPDATE", "1");
    }
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

type Client = fn(std::net::SocketAddr, &Path, Duration) -> std::io::Result<()>;

fn client(play: Client, address: &str, path: &str) -> ExitCode {
    let Ok(address) = address.parse() else { return usage(&format!("{address:?} is no address with port")) };
    match play(address, Path::new(path), Duration::from_secs(30 * 60)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage(message: &str) -> ExitCode {
    eprintln!("xtask: {message}\n\n{HELP}");
    ExitCode::from(2)
}
