//! Commands that ask a running node one thing and end.

use std::time::Instant;

use super::cluster::Cluster;
use super::{Row, Spread};
use crate::figures::children_cpu;

/// Counted runs of each.
const RUNS: usize = 41;

const COMMANDS: [&[&str]; 6] = [
    &["--version"],
    &["status"],
    &["cibadmin", "-Q"],
    &["crm_mon", "-1"],
    &["crm_attribute", "-n", "stonith-enabled", "-G"],
    &["crm_resource", "-L"],
];

/// Of a cluster with resources that has nothing to do.
pub fn measure(cluster: &Cluster) -> Result<Vec<Row>, String> {
    let mut walls: Vec<Vec<f64>> = vec![Vec::new(); COMMANDS.len()];
    let mut cpu = vec![0.0; COMMANDS.len()];
    // in turn, so that what else the machine does hits all alike
    for _ in 0..RUNS {
        for (index, words) in COMMANDS.iter().enumerate() {
            let before = children_cpu("self");
            let begun = Instant::now();
            let status = cluster.command(words).status().map_err(|error| error.to_string())?;
            walls[index].push(begun.elapsed().as_secs_f64() * 1000.0);
            cpu[index] += children_cpu("self") - before;
            if !status.success() {
                return Err(format!("{}: {status}", words.join(" ")));
            }
        }
    }
    let row = |((words, walls), cpu): ((&&[&str], Vec<f64>), f64)| {
        let what = format!("`systole {}`", words.join(" "));
        let figures = format!("{}; CPU {:.1} ms", Spread::of(walls).text("ms"), cpu * 1000.0 / RUNS as f64);
        Row::new(&what, figures, if words[0] == "--version" { None } else { Some("10 ms") })
    };
    let mut rows: Vec<Row> = COMMANDS.iter().zip(walls).zip(cpu).map(row).collect();
    for (what, path) in [("status", "/v1/status"), ("whole CIB", "/v1/cib")] {
        let taken = (0..RUNS).map(|_| ask(cluster, path)).collect::<Result<Vec<f64>, String>>()?;
        rows.push(Row::new(
            &format!("`GET {path}` by a new connection: {what}"),
            Spread::of(taken).text("ms"),
            None,
        ));
    }
    Ok(rows)
}

/// Milliseconds of a request without the cost of a process.
fn ask(cluster: &Cluster, path: &str) -> Result<f64, String> {
    let begun = Instant::now();
    cluster.api(1)?.get(path)?;
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}
