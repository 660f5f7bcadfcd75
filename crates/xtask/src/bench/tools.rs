//! `bench tools`: the tools that scripts call most, side by side with the reference's on the same files.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use super::generate::{Cluster, Shape};
use crate::figures::median;

/// Where the reference's tools are (Debian's package pacemaker-cli-utils).
const REFERENCE: &str = "/usr/sbin";

/// What is measured: a tool and its words.
const CALLS: [(&str, &[&str]); 4] = [
    ("crm_mon", &["-1"]),
    ("cibadmin", &["-Q"]),
    ("crm_attribute", &["-n", "stonith-enabled", "-G"]),
    ("crm_resource", &["-L"]),
];

/// Resources, and the milliseconds that a call may take.
const SIZES: [(usize, f64); 2] = [(100, 10.0), (1000, 60.0)];

/// Reads the options: the number of runs of each side.
pub fn runs(words: &[&str]) -> Result<usize, String> {
    match words {
        [] => Ok(21),
        ["--runs", number] => {
            number.parse().ok().filter(|number| *number > 0).ok_or_else(|| "--runs needs a number".to_owned())
        }
        _ => Err("bench tools knows only --runs N".to_owned()),
    }
}

/// Measures all calls in turn; fails if one is slower than it may be.
pub fn run(root: &Path, runs: usize) -> ExitCode {
    crate::report::exit(measure(root, runs))
}

fn measure(root: &Path, runs: usize) -> Result<bool, String> {
    let program = crate::live::release_binary(root)?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let reference = Path::new(REFERENCE).join("crm_mon").exists();
    if !reference {
        println!("the reference is not here (Debian's package pacemaker-cli-utils): only our own figures");
    }
    println!("| call | resources | ours ms | reference ms | ratio | limit ms |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let mut all_well = true;
    for (count, limit) in SIZES {
        let cluster = Cluster { shape: Shape::Primitives, nodes: 3, remotes: 0, count, steady: true };
        let path = folder.path().join(format!("{count}.xml"));
        fs::write(&path, cluster.document()).map_err(|error| error.to_string())?;
        for (tool, words) in CALLS {
            let (mut own, mut other) = (Vec::new(), Vec::new());
            for _ in 0..runs {
                own.push(one(Command::new(&program).arg(tool).args(words), &path)?);
                if reference {
                    other.push(one(Command::new(Path::new(REFERENCE).join(tool)).args(words), &path)?);
                }
            }
            let (own, other) = (median(&own), reference.then(|| median(&other)));
            let theirs = other.map_or("-".to_owned(), |other| format!("{other:.1}"));
            let ratio = other.map_or("-".to_owned(), |other| format!("{:.1}", other / own));
            println!("| {tool} {} | {count} | {own:.1} | {theirs} | {ratio} | {limit} |", words.join(" "));
            all_well &= own < limit && other.is_none_or(|other| own < other);
        }
    }
    Ok(all_well)
}

/// Milliseconds of one call, which must succeed.
fn one(command: &mut Command, cib: &Path) -> Result<f64, String> {
    let begun = Instant::now();
    let status = command.env("CIB_file", cib).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let taken = begun.elapsed().as_secs_f64() * 1000.0;
    match status {
        Ok(status) if status.success() => Ok(taken),
        Ok(status) => Err(format!("{command:?} ended with {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
