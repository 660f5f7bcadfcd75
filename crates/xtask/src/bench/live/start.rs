//! From the start of the daemons to a cluster, and to the website of the demonstration.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::cluster::Cluster;
use super::{Row, Spread};

/// Starts a cluster and a demonstration `runs` times.
pub fn measure(binary: &Path, runs: usize) -> Result<Vec<Row>, String> {
    let (mut online, mut website) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let begun = Instant::now();
        let cluster = Cluster::start(binary)?;
        cluster.wait_online()?;
        online.push(begun.elapsed().as_secs_f64() * 1000.0);
        drop(cluster);
        website.push(demonstration(binary)?);
    }
    Ok(vec![
        Row::new("daemons started → all online with a DC", Spread::of(online).text("ms"), Some("1 s")),
        Row::new("daemons started → the demo's website answers", Spread::of(website).text("ms"), Some("3 s")),
    ])
}

/// Milliseconds until the website answered, as the demonstration says it.
fn demonstration(binary: &Path) -> Result<f64, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let place = directory.path().join("demo");
    let mut command = Command::new(binary);
    command.args(["demo", "--script", "--dir"]).arg(&place).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut demo = command.spawn().map_err(|error| error.to_string())?;
    let lines = demo.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines());
    let seconds = lines.map_while(Result::ok).find_map(|line| {
        line.trim().strip_prefix("website first answered ")?.split(' ').next()?.parse::<f64>().ok()
    });
    // the rest of the script is a test's matter; this ends the nodes and what they run
    let stopped =
        Command::new(binary).args(["demo", "stop", "--dir"]).arg(&place).stdout(Stdio::null()).status();
    let ended = demo.wait();
    stopped.and(ended).map_err(|error| error.to_string())?;
    seconds
        .map(|seconds| seconds * 1000.0)
        .ok_or_else(|| "the demonstration's website never answered".to_owned())
}
