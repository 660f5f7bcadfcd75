//! `cargo xtask lab`: clusters on hosts made on this machine, that really fail.

mod agents;
mod cluster;
pub mod peer;
mod scenarios;
mod watcher;
mod witness;
pub mod writer;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use crate::figures::{median, stolen};
use crate::live;
use crate::report::Report;
use cluster::{Cluster, Stack};
use scenarios::Scenario;

/// What is to be played.
#[derive(Debug, Clone)]
pub struct Options {
    reference: bool,
    short: bool,
    only: Vec<String>,
    runs: usize,
}

impl Options {
    pub fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options { reference: false, short: false, only: Vec::new(), runs: 1 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--reference" => options.reference = true,
                "--short" => options.short = true,
                "--only" => options.only.push(known(words.next().ok_or("--only needs a scenario")?)?),
                "--runs" => {
                    let count = words.next().and_then(|count| count.parse().ok());
                    options.runs = count.filter(|count| *count > 0).ok_or("--runs needs a number")?;
                }
                other => return Err(format!("unknown option {other:?} of lab")),
            }
        }
        Ok(options)
    }

    pub fn short() -> Options {
        Options { reference: false, short: true, only: Vec::new(), runs: 1 }
    }

    fn wants(&self, scenario: &Scenario) -> bool {
        let named = self.only.is_empty() || self.only.iter().any(|name| name == scenario.name);
        named && (scenario.short || !self.short)
    }

    fn stacks(&self) -> &'static [Stack] {
        if self.reference { &[Stack::Systole, Stack::Reference] } else { &[Stack::Systole] }
    }
}

/// What `lab --help` prints.
pub fn help() -> String {
    let scenario = |one: &Scenario| {
        let short = if one.short { ", part of --short" } else { "" };
        format!("  {:<22}{} hosts{short}\n", one.name, one.hosts)
    };
    let scenarios: String = scenarios::ALL.iter().map(scenario).collect();
    format!(
        "cargo xtask lab [--short] [--reference] [--only SCENARIO]... [--runs N]     (as root)

Makes hosts on this machine, boots Corosync and the manager on them, and has them fail. A watcher outside the cluster
checks that nothing exclusive is active on two hosts at once. Without --only every scenario is played.

  --short          what CI plays, a few minutes
  --reference      play each also on the reference stack, in turn, and print both with their ratios
  --only SCENARIO  this one; may be given several times
  --runs N         play each so often, and print medians

Scenarios:
{scenarios}
Examples:
  cargo xtask lab --short
  cargo xtask lab --reference --runs 5 --only node-loss --only dc-loss
"
    )
}

fn known(name: &str) -> Result<String, String> {
    if scenarios::ALL.iter().any(|scenario| scenario.name == name) {
        return Ok(name.to_owned());
    }
    let all: Vec<&str> = scenarios::ALL.iter().map(|scenario| scenario.name).collect();
    Err(format!("no scenario {name:?}; there are: {}", all.join(", ")))
}

/// `cargo xtask lab`.
pub fn run(root: &Path, options: &Options) -> ExitCode {
    let mut report = Report::default();
    match live::prepare(root) {
        Ok(binary) => play(&binary, options, &mut report),
        Err(live::Unready::Skip(why)) => report.skip("lab", why),
        Err(live::Unready::Fail(why)) => report.fail(format!("lab: {why}"), 1),
    }
    if report.close(false) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Seconds that a shell's loop takes on a host of the reference, on three hosts with that many Dummies.
pub fn reference_loop(binary: &Path, resources: usize, line: &str) -> io::Result<f64> {
    let cluster = Cluster::start(Stack::Reference, binary, 3, &[])?;
    cluster.replace("resources", &scenarios::dummies(&scenarios::names(resources)))?;
    cluster.settle()?;
    let begun = Instant::now();
    let output = cluster.tool("node1", &["sh", "-c", line])?;
    let seconds = begun.elapsed().as_secs_f64();
    match output.status.success() {
        true => Ok(seconds),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// All figures: what was measured, by scenario's words and stack.
type Figures = BTreeMap<(&'static str, Stack), Vec<f64>>;

/// Plays what is wanted: each scenario on each stack in turn, as often as asked.
pub fn play(binary: &Path, options: &Options, report: &mut Report) {
    let mut figures = Figures::new();
    let mut order: Vec<&'static str> = Vec::new();
    // one cluster for all scenarios of a size; the stacks alternate from run to run
    let mut sizes: Vec<(usize, &[&str])> = scenarios::ALL.iter().map(|one| (one.hosts, one.quorum)).collect();
    sizes.dedup();
    for size in sizes {
        let wanted: Vec<&Scenario> = (scenarios::ALL.iter())
            .filter(|one| (one.hosts, one.quorum) == size && options.wants(one))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        for run in 0..options.runs {
            for stack in options.stacks() {
                on_one_cluster(*stack, run, binary, &wanted, &mut figures, &mut order, report);
            }
        }
    }
    print(&figures, &order, options);
}

fn on_one_cluster(
    stack: Stack,
    run: usize,
    binary: &Path,
    wanted: &[&Scenario],
    figures: &mut Figures,
    order: &mut Vec<&'static str>,
    report: &mut Report,
) {
    let mut cluster: Option<Cluster> = None;
    for scenario in wanted {
        let (begun, before) = (Instant::now(), stolen());
        let outcome = fresh(cluster.take(), stack, binary, scenario).and_then(|mut fresh| {
            fresh.run = run;
            let outcome = (scenario.play)(&mut fresh);
            let violations = fresh.violations();
            let outcome = outcome.and_then(|figures| match &violations[..] {
                [] => Ok(figures),
                list => Err(io::Error::other(list.join("; "))),
            });
            if outcome.is_err() {
                fresh.show_state();
            }
            // a cluster that failed is not used again
            cluster = outcome.is_ok().then_some(fresh);
            outcome
        });
        let seconds = begun.elapsed().as_secs_f64();
        let after = stolen();
        let away = 100.0 * (after.0 - before.0) / (after.1 - before.1).max(0.01);
        match outcome {
            Ok(list) => {
                let text: Vec<String> =
                    list.iter().map(|(what, value)| format!("{what}: {value:.2}{}", unit(what))).collect();
                let (name, text) = (scenario.name, text.join("; "));
                println!(
                    "  ok: {}: {name} ({seconds:.0} s, processors taken away {away:.1} %) {text}",
                    stack.name()
                );
                report.pass(1);
                for (what, value) in list {
                    figures.entry((what, stack)).or_default().push(value);
                    if !order.contains(&what) {
                        order.push(what);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                println!("  skipped: {}: {error}", scenario.name);
                report.skip(format!("lab: {}", scenario.name), error.to_string());
            }
            Err(error) if stack == Stack::Reference => {
                println!("  reference: {}: {error}", scenario.name);
            }
            Err(error) => {
                println!("  FAILED: {}: {error}", scenario.name);
                report.fail(format!("lab: {}: {error}", scenario.name), 1);
            }
        }
    }
}

/// The cluster of the last scenario, emptied; or a new one.
fn fresh(last: Option<Cluster>, stack: Stack, binary: &Path, scenario: &Scenario) -> io::Result<Cluster> {
    if let Some(cluster) = last {
        if cluster.clear().is_ok() {
            cluster.violations();
            return Ok(cluster);
        }
    }
    Cluster::start(stack, binary, scenario.hosts, scenario.quorum)
}

fn print(figures: &Figures, order: &[&'static str], options: &Options) {
    if order.is_empty() {
        return;
    }
    println!("\nmedians of {} run(s), in seconds unless said", options.runs);
    for what in order {
        let median = |stack| figures.get(&(*what, stack)).map(|values| median(values));
        let own = median(Stack::Systole);
        let text = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        match (own, median(Stack::Reference)) {
            (Some(own), Some(other)) if own > 0.0 => {
                println!("  {what}: {own:.2}; reference {other:.2} ({:.1} times)", other / own);
            }
            (own, None) if !options.reference => println!("  {what}: {}", text(own)),
            (own, other) => println!("  {what}: {}; reference {}", text(own), text(other)),
        }
    }
}

/// Seconds, unless the words end with another unit in brackets.
fn unit(what: &str) -> &'static str {
    if what.ends_with(')') { "" } else { " s" }
}
