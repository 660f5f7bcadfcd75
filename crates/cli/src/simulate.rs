//! `crm_simulate`: what the cluster would do (rule 5a.10); the engine is [`view::simulation`].

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use cib::iso8601::Clock;
use clap::Parser;
use view::simulation::xml::Report;
use view::simulation::{Injections, Keep, Options, Outcome, TicketChange, simulate};

use crate::clock;
use crate::crm::codes::exit_text;
use crate::session::{Problem, Session, replace_file};
use crate::tool::{self, exit};

const EXAMPLES: &str = "\
OPSPEC is RESOURCE_TASK_INTERVAL@NODE=RC, the interval in milliseconds and RC an OCF exit status.
Without -L, -x or -p the CIB is read from standard input.

Examples:
  crm_simulate -LS                     what the running cluster would do now
  crm_simulate -LS -d node1            and if node1 went down
  crm_simulate -x cib.xml -R -s        a saved CIB, with scores
  crm_simulate -x cib.xml -S -i db_monitor_10000@node1=7 -F db_stop_0@node1=1 -O next.xml
                                       a failure, and a failure of its recovery; then go on with next.xml
  crm_simulate -x cib.xml -S -G graph.xml -D graph.dot
  crm_simulate -x cib.xml -R --output-as=xml
  crm_simulate -x cib.xml -R --explain why each resource is where it is

Exit status: 0 done (whatever the plan is), 1 the plan could not be carried out, 64 wrong usage,
  65 unreadable input, 74 a file could not be written, 78 the configuration cannot be used";

#[derive(Debug, Parser)]
#[command(
    name = "crm_simulate",
    about = "Show what the cluster would do",
    disable_version_flag = true,
    // the last one counts, as the reference has it
    args_override_self = true,
    after_help = EXAMPLES
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
    /// Show node attributes
    #[arg(short = 'A', long)]
    show_attrs: bool,
    /// Show failures of resources and how often
    #[arg(short = 'c', long)]
    show_failcounts: bool,
    /// Format of the answer: text or xml
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output_as: String,
    /// Write the answer to this file, or - for standard output
    #[arg(long, value_name = "DEST", default_value = "-")]
    output_to: String,
    /// Accepted: text always has headings and bullets, but with --quiet
    #[arg(long)]
    text_fancy: bool,
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
    #[arg(short = 't', long, alias = "set-datetime", value_name = "DATE")]
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
    /// Draw action numbers; also tell what crm_verify finds in the configuration (a terminal is told anyway)
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
}

pub fn run(words: &[String]) -> ExitCode {
    let arguments = match tool::parse::<Arguments>("crm_simulate", words) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let outcome = match (check(&arguments), &arguments.profile) {
        (Err(problem), _) => Err(problem),
        (Ok(()), Some(folder)) => profile(folder, &arguments, words),
        (Ok(()), None) => one(&arguments, words),
    };
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("crm_simulate: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

/// What the options ask for together.
fn check(arguments: &Arguments) -> Result<(), Problem> {
    if !matches!(arguments.output_as.as_str(), "text" | "xml") {
        let message = format!("Error creating output format {}: Unknown output format", arguments.output_as);
        return Err(Problem::new(exit::NO_SUCH, message));
    }
    let to_file = arguments.xml_file.as_deref().is_some_and(|path| path != "-");
    let wrong = if arguments.in_place && !to_file {
        Some("--in-place stores the result in the input: name a file with --xml-file")
    } else if arguments.explain && is_xml(arguments) {
        Some("--explain is text: leave out --output-as=xml")
    } else {
        None
    };
    wrong.map_or(Ok(()), |message| Err(Problem::new(exit::USAGE, message.to_owned())))
}

fn is_xml(arguments: &Arguments) -> bool {
    arguments.output_as == "xml"
}

/// What is said beside the answer. Whoever wants it quiet, or reads both outputs as one text, gets the field's
/// answer alone; and scripts that verify the configuration elsewhere are not told here again what they know.
fn told<'a>(arguments: &Arguments, outcome: &'a Outcome) -> impl Iterator<Item = &'a String> {
    let on_terminal = std::io::stderr().is_terminal();
    let as_asked = arguments.verbose > 0;
    let warnings = as_asked || !(arguments.quiet || (outputs_are_one() && !on_terminal));
    let remarks = as_asked || (on_terminal && !arguments.quiet);
    let warnings = outcome.warnings.iter().filter(move |_| warnings);
    warnings.chain(outcome.remarks.iter().filter(move |_| remarks))
}

/// Whether standard output and standard error go to the same place.
fn outputs_are_one() -> bool {
    let place = |data: rustix::fs::Stat| (data.st_dev, data.st_ino);
    match (rustix::fs::fstat(std::io::stdout()), rustix::fs::fstat(std::io::stderr())) {
        (Ok(out), Ok(errors)) => place(out) == place(errors),
        _ => false,
    }
}

fn one(arguments: &Arguments, words: &[String]) -> Result<ExitCode, Problem> {
    let text = input(arguments)?;
    let document = xml::Document::parse_owned(text).map_err(|error| unreadable(&error.to_string()))?;
    let mut answer = if arguments.explain { explain(&document) } else { String::new() };
    let mut outcome = simulate(document, &Options { last: true, ..options(arguments, words) });
    let code = u8::try_from(outcome.exit).unwrap_or(exit::ERROR);
    for warning in told(arguments, &outcome) {
        eprintln!("warning: {warning}");
    }
    match outcome.report.take() {
        Some(report) => answer.push_str(&finished(report, code, &outcome.errors)),
        None => {
            answer.push_str(&outcome.text);
            eprint!("{}", outcome.errors);
        }
    }
    put(arguments, &answer)?;
    save(arguments, &outcome)?;
    Ok(ExitCode::from(code))
}

fn unreadable(detail: &str) -> Problem {
    Problem::new(exit::DATA, format!("Could not read input XML: Bad input value provided\n{detail}"))
}

/// The report's text, with how it ended.
fn finished(mut report: Report, code: u8, errors: &str) -> String {
    let errors: Vec<String> = errors.lines().map(str::to_owned).collect();
    report.finish(code, exit_text(code.into()), &errors);
    report.document.to_pretty()
}

/// Where the answer goes.
fn put(arguments: &Arguments, answer: &str) -> Result<(), Problem> {
    if arguments.output_to == "-" {
        print!("{answer}");
        return Ok(());
    }
    replace_file(Path::new(&arguments.output_to), answer)
        .map_err(|problem| Problem::new(exit::CANNOT_CREATE, problem.message))
}

/// Each primitive's scores and reasons, before the plan.
fn explain(document: &xml::Document) -> String {
    let (cib, _) = cib::Cib::from_document(document);
    let mut clock = Clock::from(clock::now());
    if let Some(at) = cib.root.execution_date {
        clock.now = clock::LOCAL.at(at);
    }
    view::why::text(&view::why::all(&cib, clock))
}

fn input(arguments: &Arguments) -> Result<String, Problem> {
    if arguments.live_check {
        return Session::open(None)?.cib_text();
    }
    match arguments.xml_file.as_deref() {
        Some(path) if path != "-" => crate::session::read_text(Path::new(path))
            .map_err(|error| unreadable(&format!("{path}: {error}"))),
        _ => {
            if std::io::stdin().is_terminal() {
                eprintln!(
                    "crm_simulate: reading the CIB from standard input (-L takes the running cluster's)"
                );
            }
            std::io::read_to_string(std::io::stdin()).map_err(|error| unreadable(&error.to_string()))
        }
    }
}

fn options(arguments: &Arguments, words: &[String]) -> Options {
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
        clock: clock::now().timestamp(),
        zone: clock::LOCAL,
        live: arguments.live_check,
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
        keep: Keep {
            input: arguments.save_input.is_some(),
            output: arguments.save_output.is_some() || arguments.in_place,
            graph: arguments.save_graph.is_some(),
            drawing: arguments.save_dotfile.is_some(),
        },
        draw_all: arguments.all_actions,
        draw_numbers: arguments.verbose > 0,
        show_attributes: arguments.show_attrs,
        show_failures: arguments.show_failcounts,
        xml_request: is_xml(arguments).then(|| tool::request("crm_simulate", words)),
        last: false,
        local_time: Some(crate::mon::ctime),
    }
}

fn save(arguments: &Arguments, outcome: &Outcome) -> Result<(), Problem> {
    let put = |path: &str, text: &str| {
        replace_file(Path::new(path), text).map_err(|problem| Problem::new(exit::IO, problem.message))
    };
    for (path, text) in [(&arguments.save_graph, &outcome.graph), (&arguments.save_dotfile, &outcome.dot)] {
        if let (Some(path), Some(text)) = (path, text) {
            put(path, text)?;
        }
    }
    let in_place = arguments.xml_file.clone().filter(|_| arguments.in_place);
    let documents = [
        (&arguments.save_input, &outcome.input),
        (&arguments.save_output, &outcome.output),
        (&in_place, &outcome.output),
    ];
    for (path, document) in documents {
        if let (Some(path), Some(document)) = (path, document) {
            put(path, &document.to_pretty())?;
        }
    }
    Ok(())
}

/// Plans every saved input of a directory and says how long each took.
fn profile(folder: &str, arguments: &Arguments, words: &[String]) -> Result<ExitCode, Problem> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Problem::new(exit::NO_INPUT, format!("cannot read {folder}: {error}")))?;
    let mut paths: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml" || extension == "bz2"))
        .collect();
    paths.sort();
    let mut timings = Vec::new();
    for path in paths {
        let name = path.display();
        let text = match crate::session::read_text(&path) {
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
        let options = Options { plan: true, quiet: true, ..options(arguments, words) };
        let begun = std::time::Instant::now();
        for _ in 0..arguments.repeat.max(1) {
            simulate(document.clone(), &options);
        }
        timings.push((name.to_string(), begun.elapsed().as_secs_f64()));
    }
    let answer = if is_xml(arguments) {
        let mut report = Report::new(&tool::request("crm_simulate", words));
        report.timings(&timings);
        finished(report, 0, "")
    } else {
        let lines =
            timings.iter().map(|(file, seconds)| format!("  * Testing {file} ... {seconds:.2} secs\n"));
        format!("Timings:\n{}", lines.collect::<String>())
    };
    put(arguments, &answer)?;
    Ok(ExitCode::SUCCESS)
}
