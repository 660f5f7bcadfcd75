//! `cargo xtask bench`: figures measured side by side with the reference, whole processes in alternating runs.

pub mod cases;
mod generate;
pub mod live;
pub mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use generate::{Cluster, Shape};

/// The reference's tool, from Debian's package pacemaker-cli-utils.
const REFERENCE: &str = "/usr/sbin/crm_simulate";

/// What one run took.
#[derive(Debug, Clone, Copy)]
struct Taken {
    /// User and system seconds.
    cpu: f64,
    wall: f64,
    /// Peak resident memory in MiB.
    memory: f64,
}

pub struct Options {
    /// Counted runs of each side.
    runs: usize,
    /// Only clusters whose name contains this.
    only: Option<String>,
    /// Leave out a run that would take longer than this many seconds.
    limit: u64,
}

impl Options {
    pub fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options { runs: 3, only: None, limit: 120 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match *word {
                "--runs" => options.runs = value()?.parse().map_err(|_| "--runs needs a number")?,
                "--only" => options.only = Some((*value()?).to_owned()),
                "--limit" => options.limit = value()?.parse().map_err(|_| "--limit needs seconds")?,
                other => return Err(format!("unknown option {other:?} of bench scheduler")),
            }
        }
        Ok(options)
    }
}

/// The clusters that are measured.
fn clusters() -> Vec<Cluster> {
    let mut all = Vec::new();
    let mut both = |shape, nodes, remotes, count| {
        for steady in [true, false] {
            all.push(Cluster { shape, nodes, remotes, count, steady });
        }
    };
    both(Shape::Primitives, 3, 0, 10);
    both(Shape::Primitives, 3, 0, 1000);
    both(Shape::Primitives, 16, 0, 1000);
    both(Shape::Primitives, 32, 0, 1000);
    both(Shape::Primitives, 32, 0, 2000);
    both(Shape::Primitives, 32, 0, 5000);
    both(Shape::Primitives, 3, 100, 1000);
    both(Shape::ChainedClones, 32, 0, 100);
    both(Shape::Chain, 3, 0, 500);
    both(Shape::Groups, 16, 0, 100);
    both(Shape::Groups, 16, 0, 1000);
    all
}

/// `bench scheduler`: one scheduler run of each cluster, ours and the reference's in turn.
pub fn scheduler(root: &Path, options: &Options) -> ExitCode {
    crate::report::exit(measure_all(root, options).map(|()| true))
}

fn measure_all(root: &Path, options: &Options) -> Result<(), String> {
    if !Path::new("/usr/bin/time").exists() {
        return Err("/usr/bin/time is needed: install Debian's package time".into());
    }
    let ours = crate::live::release_binary(root)?;
    let reference = Path::new(REFERENCE).exists();
    if !reference {
        println!("the reference is not here (Debian's package pacemaker-cli-utils): only our own figures");
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    println!("| cluster | ours s | reference s | ratio | ours MiB | reference MiB |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for cluster in clusters() {
        if options.only.as_ref().is_some_and(|only| !cluster.name().contains(only.as_str())) {
            continue;
        }
        let path = folder.path().join("cib.xml");
        fs::write(&path, cluster.document()).map_err(|error| error.to_string())?;
        let (mut own_runs, mut reference_runs) = (Vec::new(), Vec::new());
        for _ in 0..options.runs {
            own_runs.extend(run(&ours, &["crm_simulate"], &path, folder.path(), options.limit)?);
            if reference {
                let taken = run(Path::new(REFERENCE), &[], &path, folder.path(), options.limit)?;
                if taken.is_none() {
                    break;
                }
                reference_runs.extend(taken);
            }
        }
        println!("{}", row(&cluster.name(), &own_runs, &reference_runs, options.limit));
    }
    Ok(())
}

/// One run; none if it took longer than the limit.
fn run(
    program: &Path,
    words: &[&str],
    cib: &Path,
    folder: &Path,
    limit: u64,
) -> Result<Option<Taken>, String> {
    let report: PathBuf = folder.join("time");
    let status = Command::new("timeout")
        .arg(limit.to_string())
        .args(["/usr/bin/time", "-o"])
        .arg(&report)
        .args(["-f", "%U %S %e %M"])
        .arg(program)
        .args(words)
        .arg("-x")
        .arg(cib)
        .args(["-R", "-Q"])
        .env("CIB_shadow_dir", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if status.code() == Some(124) {
        return Ok(None);
    }
    if !status.success() {
        return Err(format!("{} ended with {status}", program.display()));
    }
    let text = fs::read_to_string(&report).map_err(|error| error.to_string())?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers.as_slice() {
        [user, system, wall, memory] => {
            Ok(Some(Taken { cpu: user + system, wall: *wall, memory: memory / 1024.0 }))
        }
        _ => Err(format!("time said {text:?}")),
    }
}

fn row(name: &str, ours: &[Taken], reference: &[Taken], limit: u64) -> String {
    let figure = |runs: &[Taken], of: fn(&Taken) -> f64| -> Option<f64> {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let shown = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| format!("> {limit}"), |value| format!("{value:.digits$}"))
    };
    let (own, other) = (figure(ours, |taken| taken.cpu), figure(reference, |taken| taken.cpu));
    let ratio = match (own, other) {
        (Some(own), Some(other)) if own > 0.0 => format!("{:.1}", other / own),
        _ => "-".to_owned(),
    };
    let wall = figure(ours, |taken| taken.wall).unwrap_or_default();
    format!(
        "| {name} | {} (wall {wall:.2}) | {} | {ratio} | {} | {} |",
        shown(own, 2),
        shown(other, 2),
        shown(figure(ours, |taken| taken.memory), 0),
        shown(figure(reference, |taken| taken.memory), 0),
    )
}
