//! `cargo xtask test`: formatting, lints, tidy checks, unit and scenario tests, the demo, live tests.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::report::Report;
use crate::tidy;

/// The steps in the order in which they run: the quick ones first.
const STEPS: [&str; 6] = ["tidy", "fmt", "clippy", "unit", "demo", "live"];

pub struct Options {
    ci: bool,
    only: Option<String>,
}

impl Options {
    pub fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options { ci: false, only: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--ci" => options.ci = true,
                "--only" => {
                    let step = words.next().ok_or("--only needs a step")?;
                    if !STEPS.contains(step) {
                        return Err(format!("no step {step:?}; there are: {}", STEPS.join(", ")));
                    }
                    options.only = Some((*step).to_owned());
                }
                other => return Err(format!("unknown option {other:?} of test")),
            }
        }
        Ok(options)
    }

    pub fn only(step: &str) -> Options {
        Options { ci: false, only: Some(step.to_owned()) }
    }

    fn wants(&self, step: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == step)
    }
}

pub fn run(options: &Options) -> ExitCode {
    let root = workspace_root();
    let mut report = Report::default();
    for step in STEPS.into_iter().filter(|step| options.wants(step)) {
        let begun = Instant::now();
        println!("== {step}");
        match step {
            "tidy" => tidy::check(&root, &mut report),
            "fmt" => command_step(
                &mut report,
                "formatting (cargo fmt mends it)",
                cargo(&root, &["fmt", "--all", "--check"]),
            ),
            "clippy" => command_step(
                &mut report,
                "clippy",
                cargo(&root, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
            ),
            "unit" => unit_tests(&root, &mut report),
            "demo" => demo(&root, &mut report),
            "live" => crate::live::run(&root, &mut report),
            _ => unreachable!("STEPS lists only these"),
        }
        println!("== {step}: {:.0} s", begun.elapsed().as_secs_f64());
    }
    if report.close(options.ci) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The folder of the workspace's Cargo.toml.
pub fn workspace_root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).map(Path::to_path_buf).unwrap_or(manifest)
}

fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(arguments).stdin(Stdio::null());
    command
}

fn command_step(report: &mut Report, name: &str, mut command: Command) {
    match command.status() {
        Ok(status) if status.success() => report.pass(1),
        Ok(status) => report.fail(format!("{name}: {status}"), 1),
        Err(error) => report.fail(format!("{name}: {error}"), 1),
    }
}

/// All unit, scenario and conformance tests, with the harness's counts added up.
fn unit_tests(root: &Path, report: &mut Report) {
    let mut command = cargo(root, &["test", "--workspace", "--no-fail-fast"]);
    command.stdout(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return report.fail(format!("cargo test: {error}"), 1),
    };
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            println!("{line}");
            report.add_harness_line(&line);
        }
    }
    match child.wait() {
        Ok(status) if status.success() => {}
        Ok(status) => report.fail(format!("cargo test: {status}"), 0),
        Err(error) => report.fail(format!("cargo test: {error}"), 1),
    }
}

/// Mutated inputs for what reads configurations, with the optimised binary.
pub fn fuzz(options: &[&str]) -> ExitCode {
    let arguments = [&["run", "--quiet", "--release", "-p", "fuzz", "--"], options].concat();
    match cargo(&workspace_root(), &arguments).status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("xtask: cargo run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The unattended demo with the release binary, as a new user would run it.
fn demo(root: &Path, report: &mut Report) {
    let command = cargo(root, &["run", "--quiet", "--release", "--", "demo", "--script"]);
    command_step(report, "demo --script", command);
}
