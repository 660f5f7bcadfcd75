//! Status for people: `systole status` and `crm_mon` (chapter 5b).

use std::process::ExitCode;

use clap::Parser;
use view::status::monitor::{self, Facts, Sections};
use view::status::text::{self, Items};
use view::status::xml;

use crate::outlook::Outlook;
use crate::session::{Problem, Session};
use crate::tool;

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

#[derive(Debug, Parser)]
#[command(
    name = "crm_mon",
    about = "Show the state of the cluster",
    disable_version_flag = true,
    after_help = "Examples:\n  crm_mon -1          once, then exit\n  crm_mon -1 -r -f    also inactive resources and failure counts"
)]
struct Classic {
    /// Show once and exit
    #[arg(short = '1', long)]
    one_shot: bool,
    /// Also resources that are not active
    #[arg(short = 'r', long)]
    inactive: bool,
    /// Also failure counts
    #[arg(short = 'f', long)]
    failcounts: bool,
    /// Also node attributes
    #[arg(short = 'A', long)]
    show_node_attributes: bool,
    /// Resources below their nodes
    #[arg(short = 'n', long)]
    group_by_node: bool,
    /// Primitives gathered by agent
    #[arg(short = 'b', long)]
    brief: bool,
    /// Also operations
    #[arg(short = 'o', long)]
    operations: bool,
    /// Operations with their times
    #[arg(short = 't', long)]
    timing_details: bool,
    /// Also tickets
    #[arg(short = 'c', long)]
    tickets: bool,
    /// Also location constraints that forbid nodes (with ids that start so)
    #[arg(short = 'L', long, value_name = "PREFIX", num_args = 0..=1, default_missing_value = "")]
    neg_locations: Option<String>,
    /// Also these sections (a list with commas)
    #[arg(short = 'I', long, value_name = "SECTIONS")]
    include: Vec<String>,
    /// All but these sections
    #[arg(short = 'U', long, value_name = "SECTIONS")]
    exclude: Vec<String>,
    /// More detail
    #[arg(short = 'R', long)]
    show_detail: bool,
    /// Leave out the summary
    #[arg(short = 'D', long)]
    hide_headers: bool,
    /// Leave out times
    #[arg(short = 'Q', long)]
    quiet: bool,
    /// Accepted: pending operations are always shown
    #[arg(short = 'j', long)]
    pending: bool,
    /// One line for monitoring probes
    #[arg(short = 's', long)]
    simple_status: bool,
    /// text, or xml for tools
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output_as: String,
    /// XML with the older root element
    #[arg(short = 'X', long)]
    as_xml: bool,
    /// Say more
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
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
    finish(
        "systole status",
        show(&sections, crate::colour::wanted()).and_then(|()| show_quorum()).and_then(|()| show_fencing()),
    )
}

/// What Corosync says about quorum; nothing on the embedded bus, and nothing for a file.
fn show_quorum() -> Result<(), Problem> {
    let mut session = Session::open(None)?;
    if session.is_live() {
        if let Some(quorum) = session.client()?.status().map_err(Problem::from)?.quorum {
            println!("\nQuorum: {}", quorum.line());
        }
    }
    Ok(())
}

/// How each node can be fenced; what is missing is said where nobody overlooks it.
fn show_fencing() -> Result<(), Problem> {
    let document = Session::open(None)?.cib()?;
    println!();
    for line in crate::fencing::lines(&document)? {
        println!("{line}");
    }
    for text in crate::fencing::warnings(&document) {
        println!("\nWARNING: {text}");
    }
    Ok(())
}

/// `crm_mon` by its own name.
pub fn classic(words: &[String]) -> ExitCode {
    let arguments = match tool::parse::<Classic>("crm_mon", words) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if arguments.as_xml || arguments.output_as == "xml" {
        return show_xml(words, arguments.as_xml);
    }
    if arguments.output_as != "text" && arguments.output_as != "console" {
        eprintln!("crm_mon: Error creating output format {}: Unknown output format", arguments.output_as);
        return ExitCode::from(tool::exit::ERROR);
    }
    if arguments.simple_status {
        return simple_status();
    }
    if !arguments.one_shot {
        return crate::watch::run();
    }
    let sections = match sections(&arguments) {
        Ok(sections) => sections,
        Err(usage) => {
            eprintln!("crm_mon: {usage}");
            return ExitCode::from(tool::exit::USAGE);
        }
    };
    match show(&sections, false) {
        Err(problem) if problem.code == tool::exit::NOT_CONNECTED => {
            eprintln!("crm_mon: Connection to cluster failed: {problem}");
            ExitCode::from(problem.code)
        }
        outcome => finish("crm_mon", outcome),
    }
}

/// What the options of `crm_mon` ask for; lists of sections have the last word (rule 5b.1.3).
fn sections(arguments: &Classic) -> Result<Sections, String> {
    let mut sections = Sections {
        attributes: arguments.show_node_attributes,
        fail_counts: arguments.failcounts || arguments.operations,
        operations: arguments.operations || arguments.timing_details,
        timing: arguments.timing_details,
        tickets: arguments.tickets,
        bans: arguments.neg_locations.clone(),
        inactive: arguments.inactive,
        detail: arguments.show_detail,
        by_node: arguments.group_by_node,
        brief: arguments.brief,
        ..Sections::default()
    };
    if arguments.hide_headers {
        sections.set_summary(false);
    }
    sections.times &= !arguments.quiet;
    arguments.include.iter().try_for_each(|list| sections.include(list))?;
    arguments.exclude.iter().try_for_each(|list| sections.exclude(list))?;
    Ok(sections)
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

fn show(sections: &Sections, colours: bool) -> Result<(), Problem> {
    let mut session = Session::open(None)?;
    let document = session.cib()?;
    let host =
        session.is_live().then(|| session.client().ok()?.status().ok()).flatten().map(|status| status.node);
    let text = screen(&Outlook::current(&document)?, &document, sections, host);
    print!("{}", if colours { crate::colour::status(&text) } else { text });
    Ok(())
}

/// The status for tools; it always has everything (rule 5b.14).
fn show_xml(words: &[String], legacy: bool) -> ExitCode {
    let request = tool::request("crm_mon", words);
    let outcome = Session::open(None).and_then(|mut session| {
        let document = session.cib()?;
        let host =
            if session.is_live() { session.client()?.status().ok().map(|status| status.node) } else { None };
        Ok((Outlook::current(&document)?, Outlook::history(&document), facts(&document, host)))
    });
    match outcome {
        Ok((outlook, history, facts)) => {
            let input = xml::Input {
                status: &outlook.status,
                facts: &facts,
                fail_counts: &outlook.fail_counts,
                history: &history,
                request: &request,
                local: &ctime,
                universal: &universal_time,
            };
            let document = if legacy {
                xml::legacy_monitor(&input, env!("CARGO_PKG_VERSION"))
            } else {
                xml::monitor(&input)
            };
            print!("{}", document.to_pretty());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            let message = format!("crm_mon: Connection to cluster failed: {problem}");
            if legacy {
                eprintln!("{message}");
            } else {
                let mut document = xml::result(&request);
                xml::finish(&mut document, tool::exit::NOT_CONNECTED, "Not connected", &[message]);
                print!("{}", document.to_pretty());
            }
            ExitCode::from(tool::exit::NOT_CONNECTED)
        }
    }
}

/// Epoch seconds as `YYYY-MM-DD HH:MM:SSZ`.
fn universal_time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
        .unwrap_or_default()
}

fn screen(
    outlook: &Outlook,
    document: &::xml::Document,
    sections: &Sections,
    host: Option<String>,
) -> String {
    let history = if sections.operations { Outlook::history(document) } else { Vec::new() };
    monitor::screen(&outlook.status, &facts(document, host), &outlook.fail_counts, &history, sections, &ctime)
}

/// `crm_mon -s` (rule 5b.2.3).
fn simple_status() -> ExitCode {
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
    if !nodes.iter().any(|node| node.is_dc) {
        println!("CLUSTER WARN: No DC");
        return ExitCode::from(1);
    }
    let wrong: Vec<String> = nodes
        .iter()
        .filter_map(|node| match (node.online, node.standby) {
            (false, _) => Some(format!("offline node: {}", node.name)),
            (true, true) => Some(format!("standby node: {}", node.name)),
            _ => None,
        })
        .collect();
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
    screen(outlook, document, &sections, None)
}

/// What the root and the options of a CIB say about the cluster as a whole.
fn facts(document: &::xml::Document, host: Option<String>) -> Facts {
    let root = document.root();
    let attribute = |name: &str| document.attribute(root, name).unwrap_or_default().to_owned();
    let configuration = crate::configuration::Configuration::new(document.clone());
    let options = crate::pcs::configured_properties(&configuration);
    let option = |name: &str| {
        options.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
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
        .map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%a %b %e %H:%M:%S %Y").to_string())
        .unwrap_or_default()
}

/// The items of the resource list, one level out (rule 5b.15.3).
pub fn resource_lines(outlook: &Outlook, fence_devices: bool) -> Vec<String> {
    let mut status = outlook.status.clone();
    status.resources.retain(|resource| is_fence_device(resource) == fence_devices);
    let mut items = Items::new(1);
    text::resources(&status, text::Options { inactive: true, pending: true, detail: false }, &mut items);
    items.into_text().lines().map(str::to_owned).collect()
}

fn is_fence_device(resource: &view::status::ResourceStatus) -> bool {
    matches!(resource, view::status::ResourceStatus::Primitive(it) if it.agent.starts_with("stonith:"))
}

/// The lines of the summary.
pub fn summary_lines(outlook: &Outlook, document: &::xml::Document) -> Vec<String> {
    monitor::summary(&outlook.status, &facts(document, None), &Sections::default())
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The lines of the node list.
pub fn node_lines(outlook: &Outlook) -> Vec<String> {
    let mut items = Items::new(0);
    text::nodes(&outlook.status, &mut items);
    items.into_text().lines().map(str::to_owned).collect()
}
