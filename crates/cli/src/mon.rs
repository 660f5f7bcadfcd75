//! Status for people: `systole status` and `crm_mon` (chapter 5b).

use std::process::ExitCode;

use view::api::Fencing;
use view::status::monitor::{self, Facts, Sections};
use view::status::text::{self, Items};

use crate::configuration::Configuration;
use crate::fencing::Overview;
use crate::outlook::Outlook;
use crate::session::{Problem, Session};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  systole status                  nodes, resources, failures\n  systole status --attributes --fail-counts"
)]
pub struct Arguments {
    /// Only active resources
    #[arg(long)]
    active: bool,
    /// Also node attributes
    #[arg(short = 'A', long)]
    attributes: bool,
    /// Also failure counts
    #[arg(short = 'f', long)]
    fail_counts: bool,
    /// Instances one by one, technical words
    #[arg(short = 'R', long)]
    detail: bool,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Normal,
    Full,
}

/// `systole status`.
pub fn run(arguments: &Arguments) -> ExitCode {
    let sections = Sections {
        inactive: !arguments.active,
        attributes: arguments.attributes,
        fail_counts: arguments.fail_counts,
        detail: arguments.detail,
        ..Sections::default()
    };
    finish("systole status", show(&sections, crate::colour::wanted()))
}

/// The whole status: one connection, one reading of the CIB, one interpretation of it.
fn show(sections: &Sections, colours: bool) -> Result<(), Problem> {
    let mut session = Session::open(None)?;
    let configuration = Configuration::new(session.cib()?);
    let live = if session.is_live() { session.client()?.status().ok() } else { None };
    let (cib, _) = cib::Cib::from_document(&configuration.document);
    let outlook = Outlook::of_cib(&cib);
    let host = live.as_ref().map(|status| status.node.clone());
    let text = screen(&outlook, &configuration, sections, host);
    print!("{}", if colours { crate::colour::status(&text) } else { text });
    // what Corosync says; nothing on the embedded bus, and nothing for a file
    if let Some(quorum) = live.as_ref().and_then(|status| status.quorum.as_ref()) {
        println!("\nQuorum: {}", quorum.line());
    }
    let members = live.iter().flat_map(|status| &status.members);
    for problem in members.filter_map(|member| member.problem.as_ref()) {
        println!("\nWARNING: {problem}");
    }
    let history = live.map(|status| status.fencing).unwrap_or_default();
    show_fencing(&Overview::of(&configuration, &cib), &outlook, &history);
    Ok(())
}

/// How each node can be fenced; what is missing is said where nobody overlooks it.
fn show_fencing(overview: &Overview, outlook: &Outlook, history: &[Fencing]) {
    println!();
    for line in overview.lines(&outlook.status, history) {
        println!("{line}");
    }
    for text in overview.warnings() {
        println!("\nWARNING: {text}");
    }
}

fn finish(tool: &str, outcome: Result<(), Problem>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{tool}: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

/// Epoch seconds as `YYYY-MM-DD HH:MM:SSZ`.
pub fn universal_time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
        .unwrap_or_default()
}

fn screen(
    outlook: &Outlook,
    configuration: &Configuration,
    sections: &Sections,
    host: Option<String>,
) -> String {
    let history = if sections.operations { Outlook::history(&configuration.document) } else { Vec::new() };
    let facts = facts(configuration, host);
    monitor::screen(&outlook.status, &facts, &outlook.fail_counts, &history, sections, &ctime)
}

/// `crm_mon -s` (rule 5b.2.3).
pub fn simple_status() -> ExitCode {
    let outcome = Session::open(None)
        .and_then(|mut session| session.cib())
        .and_then(|document| Outlook::current(&document));
    let outlook = match outcome {
        Ok(outlook) => outlook,
        Err(problem) => {
            println!("CLUSTER CRIT: Connection to cluster failed: {problem}");
            return ExitCode::from(2);
        }
    };
    let nodes = &outlook.status.nodes;
    if outlook.status.dc.is_none() {
        println!("CLUSTER WARN: No DC");
        return ExitCode::from(1);
    }
    let offline = nodes.iter().filter(|node| !node.online).map(|node| format!("offline node: {}", node.name));
    let standby = nodes.iter().filter(|node| node.online && node.standby);
    let wrong: Vec<String> =
        offline.chain(standby.map(|node| format!("standby node: {}", node.name))).collect();
    if wrong.is_empty() {
        let (online, instances) = (nodes.len(), outlook.status.counts.instances);
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        println!(
            "CLUSTER OK: {online} node{} online, {instances} resource instance{} configured",
            plural(online),
            plural(instances)
        );
        return ExitCode::SUCCESS;
    }
    println!("CLUSTER WARN: {}", wrong.join(", "));
    ExitCode::from(1)
}

/// The status as pcs shows it: everything that is configured.
pub fn text(outlook: &Outlook, document: &::xml::Document, detail: Detail) -> String {
    let full = detail == Detail::Full;
    let sections =
        Sections { inactive: true, attributes: full, fail_counts: full, detail: full, ..Sections::default() };
    screen(outlook, &Configuration::new(document.clone()), &sections, None)
}

/// The status with everything, and the operations on record: for a report.
pub fn report(document: &::xml::Document) -> (String, String) {
    let Ok(outlook) = Outlook::current(document) else { return Default::default() };
    let history = Sections { operations: true, timing: true, ..Sections::default() };
    let mut history = Sections { nodes: false, resources: false, failures: false, ..history };
    history.set_summary(false);
    let operations = screen(&outlook, &Configuration::new(document.clone()), &history, None);
    (text(&outlook, document, Detail::Full), operations)
}

/// What the root and the options of a CIB say about the cluster as a whole.
pub fn facts(configuration: &Configuration, host: Option<String>) -> Facts {
    let attribute = |name: &str| configuration.attribute(configuration.document.root(), name).to_owned();
    let sets = configuration.section("crm_config").map(|section| configuration.children(section));
    let sets = sets.unwrap_or_default();
    // the cluster writes these itself, whatever other sets there are
    let option = |name: &str| {
        let mut pairs = sets.iter().flat_map(|set| configuration.pairs(*set));
        pairs.find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default()
    };
    Facts {
        stack: option("cluster-infrastructure"),
        state: String::new(),
        version: option("dc-version"),
        updated: ctime(jiff::Timestamp::now().as_second()),
        host: host.unwrap_or_default(),
        changed: attribute("cib-last-written"),
        changed_by: attribute("update-user"),
        changed_via: attribute("update-client"),
        changed_on: attribute("update-origin"),
    }
}

/// Epoch seconds as the C locale writes local time (rule 5b.14.3).
pub fn ctime(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map(|at| at.to_zoned(daemon::zone::local()).strftime("%a %b %e %H:%M:%S %Y").to_string())
        .unwrap_or_default()
}

/// `YYYY-MM-DD HH:MM:SS.uuuuuuZ`, or with a numeric offset.
pub fn precise(milliseconds: i64) -> String {
    let Ok(at) = jiff::Timestamp::from_millisecond(milliseconds) else { return String::new() };
    let at = at.to_zoned(daemon::zone::local());
    let zone = if at.offset().seconds() == 0 { "Z".to_owned() } else { at.strftime(" %:z").to_string() };
    format!("{}{zone}", at.strftime("%Y-%m-%d %H:%M:%S.%6f"))
}

/// The items of the resource list, one level out (rule 5b.15.3).
pub fn resource_lines(outlook: &Outlook, fence_devices: bool) -> Vec<String> {
    let mut status = outlook.status.clone();
    status.resources.retain(|resource| is_fence_device(resource) == fence_devices);
    let mut items = Items::new(1);
    text::resources(
        &status,
        text::Options { inactive: true, pending: true, ..Default::default() },
        &mut items,
    );
    items.into_text().lines().map(str::to_owned).collect()
}

fn is_fence_device(resource: &view::status::ResourceStatus) -> bool {
    matches!(resource, view::status::ResourceStatus::Primitive(it) if it.agent.starts_with("stonith:"))
}

/// The lines of the summary.
pub fn summary_lines(outlook: &Outlook, document: &::xml::Document) -> Vec<String> {
    let facts = facts(&Configuration::new(document.clone()), None);
    monitor::summary(&outlook.status, &facts, &Sections::default()).lines().map(str::to_owned).collect()
}

/// The lines of the node list.
pub fn node_lines(outlook: &Outlook) -> Vec<String> {
    let mut items = Items::new(0);
    text::nodes(&outlook.status, &mut items);
    items.into_text().lines().map(str::to_owned).collect()
}
