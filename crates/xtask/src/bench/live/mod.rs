//! `bench live`: a cluster of three daemons of the release binary on this machine's embedded bus, measured
//! through its interface as commands use it.

mod api;
mod cluster;
mod commands;
mod load;
mod rates;
mod reaction;
mod start;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use cluster::{Cluster, NODES};

/// Resources of all parts but the idle one, which has so many on each node.
const RESOURCES: usize = 100;

pub struct Options {
    /// Rounds of loading and removing resources, and of starting.
    runs: usize,
    /// Seconds of idleness that are measured.
    idle: u64,
    /// Only this part.
    only: Option<String>,
    /// Also the reference's loop of changes, on hosts of the lab (as root).
    reference: bool,
}

const PARTS: [&str; 6] = ["start", "load", "reaction", "commands", "rates", "idle"];

impl Options {
    pub fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options { runs: 5, idle: 60, only: None, reference: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if *word == "--reference" {
                options.reference = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let number = || value.parse::<u64>().ok().filter(|number| *number > 0);
            match *word {
                "--runs" => options.runs = number().ok_or("--runs needs a number")? as usize,
                "--idle" => options.idle = number().ok_or("--idle needs seconds")?,
                "--only" if PARTS.contains(value) => options.only = Some((*value).to_owned()),
                "--only" => return Err(format!("--only is one of {}", PARTS.join(", "))),
                other => return Err(format!("unknown option {other:?} of bench live")),
            }
        }
        Ok(options)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

/// A line of the table.
pub struct Row {
    what: String,
    figures: String,
    goal: Option<String>,
}

impl Row {
    fn new(what: &str, figures: String, goal: Option<&str>) -> Row {
        Row { what: what.to_owned(), figures, goal: goal.map(str::to_owned) }
    }

    fn print(&self) {
        println!("| {} | {} | {} |", self.what, self.figures, self.goal.as_deref().unwrap_or_default());
    }
}

/// Median and extreme of several measurements.
pub struct Spread {
    median: f64,
    shortest: f64,
}

impl Spread {
    fn of(values: Vec<f64>) -> Spread {
        let shortest = values.iter().copied().min_by(f64::total_cmp).unwrap_or_default();
        Spread { median: crate::figures::median(&values), shortest }
    }

    fn text(&self, unit: &str) -> String {
        let digits = if unit == "times" { 2 } else { 1 };
        format!("{:.digits$} {unit} ({:.digits$})", self.median, self.shortest)
    }
}

/// Measures and prints a table; fails if something could not be measured or did not hold.
pub fn run(root: &Path, options: &Options) -> ExitCode {
    crate::report::exit(measure(root, options).map(|()| true))
}

fn measure(root: &Path, options: &Options) -> Result<(), String> {
    let binary = crate::live::release_binary(root)?;
    println!("| what | median (shortest) | goal |\n| --- | ---: | ---: |");
    let print = |rows: Vec<Row>| rows.iter().for_each(Row::print);
    if options.wants("start") {
        print(start::measure(&binary, options.runs)?);
    }
    // alone on the machine, as ours will be
    let reference = || crate::lab::reference_loop(&binary, RESOURCES, &rates::shell_loop());
    let is_wanted = options.reference && options.wants("rates");
    let reference =
        is_wanted.then(reference).transpose().map_err(|error| format!("the reference: {error}"))?;
    let mut cluster = quiet(&binary)?;
    if options.wants("load") {
        print(load::measure(&cluster, RESOURCES, options.runs)?);
    }
    if ["reaction", "commands", "rates"].iter().any(|part| options.wants(part)) {
        load::replace_resources(&cluster, &load::resources(RESOURCES))?;
        cluster.settle()?;
    }
    if options.wants("reaction") {
        print(reaction::measure(&mut cluster)?);
    }
    if options.wants("commands") {
        print(commands::measure(&cluster)?);
    }
    if options.wants("rates") {
        print(rates::changes(&cluster, reference)?);
        print(rates::attributes(&cluster)?);
    }
    if options.wants("idle") {
        print(idle(&cluster, Duration::from_secs(options.idle))?);
    }
    Ok(())
}

/// A cluster without fencing, of which this one has no means.
fn quiet(binary: &Path) -> Result<Cluster, String> {
    let cluster = Cluster::start(binary)?;
    cluster.wait_online()?;
    let xml = "<crm_config><cluster_property_set id=\"cib-bootstrap-options\"><nvpair \
               id=\"cib-bootstrap-options-stonith-enabled\" name=\"stonith-enabled\" value=\"false\"/>\
               </cluster_property_set></crm_config>";
    let body = serde_json::json!({"operation": "modify", "section": "crm_config", "xml": xml,
                                  "client": "bench", "allow_create": true});
    cluster.api(1)?.post("/v1/cib", &body)?;
    cluster.settle()?;
    Ok(cluster)
}

/// What daemons cost that only monitor.
fn idle(cluster: &Cluster, duration: Duration) -> Result<Vec<Row>, String> {
    let count = RESOURCES * NODES.len();
    load::replace_resources(cluster, &load::resources(count))?;
    cluster.wait_running(count)?;
    cluster.settle()?;
    let before = NODES.map(|node| cluster.cpu_of(node));
    std::thread::sleep(duration);
    let used = NODES.map(|node| cluster.cpu_of(node) - before[node - 1]);
    let share = |seconds: f64| seconds * 100.0 / duration.as_secs_f64();
    let what =
        format!("{RESOURCES} monitored Dummies a node (every 10 s), idle for {} s", duration.as_secs());
    let memory = NODES.iter().map(|node| cluster.memory(*node)).collect();
    Ok(vec![
        Row::new(
            &format!("{what}: CPU of a daemon"),
            Spread::of(used.iter().map(|one| share(one.daemons)).collect()).text("% of a core"),
            Some("1 %"),
        ),
        Row::new(
            "- CPU of its agents",
            Spread::of(used.iter().map(|one| share(one.agents)).collect()).text("% of a core"),
            None,
        ),
        Row::new("- memory of a daemon (PSS)", Spread::of(memory).text("MiB"), Some("30 MiB")),
    ])
}
