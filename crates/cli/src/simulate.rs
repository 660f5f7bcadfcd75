//! `crm_simulate`: what the cluster would do (rule 5a.10); the engine is [`view::simulation`].

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use view::simulation::{Injections, Options, Outcome, TicketChange, simulate};

use crate::session::{Problem, Session, replace_file};
use crate::tool::{self, exit};

#[derive(Debug, Parser)]
#[command(
    name = "crm_simulate",
    about = "Show what the cluster would do",
    disable_version_flag = true,
    after_help = "Examples:\n  crm_simulate -LS                     what the running cluster would do now\n  crm_simulate -L -S -d node1          and if node1 went down\n  crm_simulate -x cib.xml -R -s        a saved CIB, with scores\n  crm_simulate -x cib.xml -S -D out.dot -G out.xml"
)]
struct Arguments {
    /// Make a plan and show it
    #[arg(short = 'R', long)]
    run: bool,
    /// Make a plan, carry it out on a copy, show the result
    #[arg(short = 'S', long)]
    simulate: bool,
    /// As --simulate, and write the result back to the file
    #[arg(short = 'X', long)]
    in_place: bool,
    /// Show scores
    #[arg(short = 's', long)]
    show_scores: bool,
    /// Show capacities
    #[arg(short = 'U', long)]
    show_utilization: bool,
    /// Only scores and capacities
    #[arg(short = 'Q', long)]
    quiet: bool,
    /// Why each resource is where it is
    #[arg(long)]
    explain: bool,
    /// The running cluster's configuration
    #[arg(short = 'L', long)]
    live_check: bool,
    /// This file, or - for standard input
    #[arg(short = 'x', long, value_name = "FILE")]
    xml_file: Option<String>,
    /// Standard input
    #[arg(short = 'p', long)]
    xml_pipe: bool,
    /// A directory of saved inputs, each planned and timed
    #[arg(short = 'P', long, value_name = "DIR")]
    profile: Option<String>,
    /// With --profile: how often
    #[arg(short = 'N', long, default_value_t = 1)]
    repeat: u32,
    /// Assume this time
    #[arg(short = 't', long, value_name = "DATE")]
    set_date: Option<String>,
    /// Bring a node up
    #[arg(short = 'u', long, value_name = "NODE")]
    node_up: Vec<String>,
    /// Take a node down cleanly
    #[arg(short = 'd', long, value_name = "NODE")]
    node_down: Vec<String>,
    /// Let a node fail
    #[arg(short = 'f', long, value_name = "NODE")]
    node_fail: Vec<String>,
    /// Inject a result, RSC_TASK_INTERVAL@NODE=RC
    #[arg(short = 'i', long, value_name = "OPSPEC")]
    op_inject: Vec<String>,
    /// Let an operation fail when it is carried out
    #[arg(short = 'F', long, value_name = "OPSPEC")]
    op_fail: Vec<String>,
    /// Set quorum: true or false
    #[arg(short = 'q', long, value_name = "QUORUM")]
    quorum: Option<String>,
    /// Set whether a watchdog is there
    #[arg(short = 'w', long, value_name = "DEVICE")]
    watchdog: Option<String>,
    /// Grant a ticket
    #[arg(short = 'g', long, value_name = "TICKET")]
    ticket_grant: Vec<String>,
    /// Revoke a ticket
    #[arg(short = 'r', long, value_name = "TICKET")]
    ticket_revoke: Vec<String>,
    /// Put a ticket in standby
    #[arg(short = 'b', long, value_name = "TICKET")]
    ticket_standby: Vec<String>,
    /// Take a ticket out of standby
    #[arg(short = 'e', long, value_name = "TICKET")]
    ticket_activate: Vec<String>,
    /// Save the input here
    #[arg(short = 'I', long, value_name = "FILE")]
    save_input: Option<String>,
    /// Save the result here
    #[arg(short = 'O', long, value_name = "FILE")]
    save_output: Option<String>,
    /// Save the transition graph here
    #[arg(short = 'G', long, value_name = "FILE")]
    save_graph: Option<String>,
    /// Save a drawing of the graph here
    #[arg(short = 'D', long, value_name = "FILE")]
    save_dotfile: Option<String>,
    /// Draw all actions, also those that are not needed
    #[arg(short = 'a', long)]
    all_actions: bool,
    /// Accepted: pending operations are always shown
    #[arg(short = 'j', long)]
    pending: bool,
    /// Draw action numbers
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
}

pub fn run(words: &[String]) -> ExitCode {
    let arguments = match tool::parse::<Arguments>("crm_simulate", words) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let outcome =
        if let Some(folder) = &arguments.profile { profile(folder, &arguments) } else { one(&arguments) };
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("crm_simulate: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn one(arguments: &Arguments) -> Result<ExitCode, Problem> {
    let text = input(arguments)?;
    let document = xml::Document::parse(&text)
        .map_err(|error| Problem::new(exit::DATA, format!("Could not read input XML: {error}")))?;
    if arguments.explain {
        explain(&document);
    }
    let outcome = simulate(document, &options(arguments));
    print!("{}", outcome.text);
    eprint!("{}", outcome.errors);
    save(arguments, &outcome)?;
    Ok(ExitCode::from(u8::try_from(outcome.exit).unwrap_or(exit::ERROR)))
}

/// Each primitive's scores and reasons, before the plan.
fn explain(document: &xml::Document) {
    let (cib, _) = cib::Cib::from_document(document);
    let at = cib.root.execution_date.unwrap_or_else(now);
    for resource in &cib.configuration.resources {
        if let Some(why) = view::why::why(&cib, at, &resource.id, None) {
            print!("{}", view::why::text(&why));
        }
    }
}

fn input(arguments: &Arguments) -> Result<String, Problem> {
    let stdin = || {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| Problem::new(exit::DATA, format!("Could not read input XML: {error}")))
    };
    match arguments.xml_file.as_deref() {
        Some("-") => stdin(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Problem::new(exit::DATA, format!("Could not read input XML: {path}: {error}"))),
        None if arguments.xml_pipe => stdin(),
        // as the reference does, the running cluster is the default
        None => Session::open(None)?.cib_text(),
    }
}

fn options(arguments: &Arguments) -> Options {
    let mut tickets = Vec::new();
    for (change, ids) in [
        (TicketChange::Grant, &arguments.ticket_grant),
        (TicketChange::Revoke, &arguments.ticket_revoke),
        (TicketChange::Standby, &arguments.ticket_standby),
        (TicketChange::Activate, &arguments.ticket_activate),
    ] {
        tickets.extend(ids.iter().map(|id| (change, id.clone())));
    }
    Options {
        plan: arguments.run || arguments.save_graph.is_some() || arguments.save_dotfile.is_some(),
        execute: arguments.simulate || arguments.in_place,
        show_scores: arguments.show_scores,
        show_utilization: arguments.show_utilization,
        quiet: arguments.quiet,
        date: arguments.set_date.clone(),
        clock: now(),
        live: arguments.xml_file.is_none() && !arguments.xml_pipe,
        injections: Injections {
            up: arguments.node_up.clone(),
            down: arguments.node_down.clone(),
            fail: arguments.node_fail.clone(),
            operations: arguments.op_inject.clone(),
            quorum: arguments.quorum.clone(),
            watchdog: arguments.watchdog.clone(),
            tickets,
        },
        failures: arguments.op_fail.clone(),
        draw_all: arguments.all_actions,
        draw_numbers: arguments.verbose > 0,
    }
}

fn save(arguments: &Arguments, outcome: &Outcome) -> Result<(), Problem> {
    let pretty = |document: &Option<xml::Document>| document.as_ref().map(xml::Document::to_pretty);
    let in_place = arguments.xml_file.clone().filter(|_| arguments.in_place);
    let texts = [
        (&arguments.save_graph, outcome.graph.clone()),
        (&arguments.save_dotfile, outcome.dot.clone()),
        (&arguments.save_input, pretty(&outcome.input)),
        (&arguments.save_output, pretty(&outcome.output)),
        (&in_place, pretty(&outcome.output)),
    ];
    for (path, text) in texts {
        if let (Some(path), Some(text)) = (path, text) {
            replace_file(Path::new(path), &text).map_err(|problem| Problem::new(74, problem.message))?;
        }
    }
    Ok(())
}

/// Plans every saved input of a directory and says how long each took.
fn profile(folder: &str, arguments: &Arguments) -> Result<ExitCode, Problem> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Problem::new(exit::NO_INPUT, format!("cannot read {folder}: {error}")))?;
    let mut paths: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    paths.sort();
    for path in paths {
        let name = path.display();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("crm_simulate: {name}: {error}");
                continue;
            }
        };
        let Ok(document) = xml::Document::parse(&text) else {
            eprintln!("crm_simulate: {name}: not well-formed XML");
            continue;
        };
        let options = Options { plan: true, quiet: true, ..options(arguments) };
        let begun = std::time::Instant::now();
        for _ in 0..arguments.repeat.max(1) {
            simulate(document.clone(), &options);
        }
        println!("* Testing {name} ... {:.2} secs", begun.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}
