//! `systole why`: why a resource is where it is, and what would move it.

use std::process::ExitCode;

use crate::colour::{self, Colour};
use crate::configuration::Configuration;
use crate::session::{Problem, Session, parse, read_file};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  systole why Website            every node's score, and what it is made of\n  systole why Website node3      only that node\n  systole why Website -x cib.xml"
)]
pub struct Arguments {
    /// A primitive, group, clone or bundle
    resource: String,
    /// Only this node
    node: Option<String>,
    /// A saved CIB instead of the running cluster's
    #[arg(short = 'x', long, value_name = "FILE")]
    xml_file: Option<String>,
}

pub fn run(arguments: &Arguments) -> ExitCode {
    match answer(arguments) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("systole why: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

fn answer(arguments: &Arguments) -> Result<String, Problem> {
    let document = match &arguments.xml_file {
        Some(path) => parse(read_file(std::path::Path::new(path))?)?,
        None => Session::open(None)?.cib()?,
    };
    let configuration = Configuration::new(document);
    if let Some(node) = &arguments.node {
        let names = configuration.node_names();
        if !names.iter().any(|name| name.eq_ignore_ascii_case(node)) {
            return Err(Problem::new(
                105,
                format!("there is no node '{node}'; there are {}", names.join(", ")),
            ));
        }
    }
    let (cib, _) = cib::Cib::from_document(&configuration.document);
    let found =
        view::why::why(&cib, crate::clock::now().into(), &arguments.resource, arguments.node.as_deref());
    let painted = |text: String| if colour::wanted() { colours(&text) } else { text };
    found
        .map(|why| painted(view::why::text(&why)))
        .ok_or_else(|| unknown(&configuration, &arguments.resource))
}

/// The answer with colours: the resource, the chosen node, what forbids, the words of the sum.
fn colours(text: &str) -> String {
    let line = |line: &str| {
        let colour = match line {
            line if !line.starts_with(' ') => Colour::Bold,
            line if line.starts_with("  > ") => Colour::Green,
            line if line.starts_with("  ! ") || line.starts_with("  next: ") => Colour::Yellow,
            line if line.contains("-INFINITY") => Colour::Red,
            line if line.starts_with("      ") => Colour::Dim,
            _ => return format!("{line}\n"),
        };
        format!("{}\n", colour::paint(colour, line))
    };
    text.lines().map(line).collect()
}

fn unknown(configuration: &Configuration, id: &str) -> Problem {
    let resources = configuration.resources();
    let ids: Vec<&str> = resources.iter().map(|resource| configuration.id(*resource)).collect();
    let hint = match cib::options::closest(ids.iter().copied(), id) {
        Some(near) => format!("; did you mean '{near}'?"),
        None => format!("; there are: {}", ids.join(", ")),
    };
    Problem::new(105, format!("there is no resource '{id}'{hint}"))
}
