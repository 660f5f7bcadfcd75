//! The simulation engine behind a bare command line, for working on the scheduler: it takes the main
//! options of `crm_simulate` and builds without the heavy edge crates.

use std::time::{SystemTime, UNIX_EPOCH};

use view::simulation::{Injections, Keep, Options, Outcome, TicketChange, simulate};

/// Files to read and write.
#[derive(Default)]
struct Files {
    input: Option<String>,
    graph: Option<String>,
    dot: Option<String>,
    save_input: Option<String>,
    save_output: Option<String>,
}

fn main() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let mut files = Files::default();
    let mut options = Options { keep: Keep::EVERYTHING, clock, ..Options::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_default();
        match argument.as_str() {
            "-x" => files.input = Some(value()),
            "-G" => files.graph = Some(value()),
            "-D" => files.dot = Some(value()),
            "-I" => files.save_input = Some(value()),
            "-O" => files.save_output = Some(value()),
            "-t" => options.date = Some(value()),
            "-i" => options.injections.operations.push(value()),
            "-F" => options.failures.push(value()),
            "-u" => options.injections.up.push(value()),
            "-d" => options.injections.down.push(value()),
            "-f" => options.injections.fail.push(value()),
            "-q" => options.injections.quorum = Some(value()),
            "-w" => options.injections.watchdog = Some(value()),
            "-g" => add_ticket(&mut options.injections, TicketChange::Grant, value()),
            "-r" => add_ticket(&mut options.injections, TicketChange::Revoke, value()),
            "-b" => add_ticket(&mut options.injections, TicketChange::Standby, value()),
            "-e" => add_ticket(&mut options.injections, TicketChange::Activate, value()),
            flags => flags.trim_start_matches('-').chars().for_each(|flag| set_flag(&mut options, flag)),
        }
    }
    options.plan |= files.graph.is_some() || files.dot.is_some();
    let input = files.input.as_deref().unwrap_or("-");
    let text =
        if input == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(input) };
    let document = match text
        .map_err(|error| error.to_string())
        .and_then(|text| xml::Document::parse(&text).map_err(|error| error.to_string()))
    {
        Ok(document) => document,
        Err(error) => {
            eprintln!("simulate: Could not read input XML: {error}");
            std::process::exit(65);
        }
    };
    let outcome = simulate(document, &options);
    print!("{}", outcome.text);
    eprint!("{}", outcome.errors);
    let saved = save(&files, &outcome);
    if let Err(error) = saved {
        eprintln!("simulate: {error}");
        std::process::exit(74);
    }
    std::process::exit(outcome.exit);
}

fn add_ticket(injections: &mut Injections, change: TicketChange, id: String) {
    injections.tickets.push((change, id));
}

fn set_flag(options: &mut Options, flag: char) {
    match flag {
        'R' => options.plan = true,
        'S' => options.execute = true,
        's' => options.show_scores = true,
        'U' => options.show_utilization = true,
        'Q' => options.quiet = true,
        'a' => options.draw_all = true,
        'V' => options.draw_numbers = true,
        other => {
            eprintln!("simulate: Unknown option -{other}");
            std::process::exit(64);
        }
    }
}

fn save(files: &Files, outcome: &Outcome) -> std::io::Result<()> {
    let texts = [
        (&files.graph, outcome.graph.clone()),
        (&files.dot, outcome.dot.clone()),
        (&files.save_input, outcome.input.as_ref().map(xml::Document::to_pretty)),
        (&files.save_output, outcome.output.as_ref().map(xml::Document::to_pretty)),
    ];
    for (file, text) in texts {
        if let (Some(file), Some(text)) = (file, text) {
            std::fs::write(file, text)?;
        }
    }
    Ok(())
}
