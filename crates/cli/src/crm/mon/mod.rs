//! `crm_mon`: the state of the cluster as text, XML or a page, once or again and again (rule 5a.4, chapter 5b).

mod agent;
mod console;
mod picture;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use view::status::html::Page;
use view::status::monitor::Sections;

use super::codes;
use super::options::{Given, NO_SHORT, Opt, Table, flag, maybe, old_flag, old_value, value};
use super::output::{page, request};
use crate::session::{Problem, replace_file};
use crate::tool::exit;
use picture::Picture;

const OPTIONS: &[Opt] = &[
    value(
        'I',
        "include",
        "SECTIONS",
        "Show these sections too (a list with commas; 'list' shows their names)",
    ),
    value('U', "exclude", "SECTIONS", "Do not show these sections"),
    value(NO_SHORT, "node", "NODE", "Only this node, or the nodes with this tag"),
    value(NO_SHORT, "resource", "RSC", "Only this resource, or the resources with this tag"),
    flag('n', "group-by-node", "Resources below their nodes"),
    flag('r', "inactive", "Also resources that are not active"),
    flag('f', "failcounts", "Also failure counts"),
    flag('o', "operations", "Also operations"),
    flag('t', "timing-details", "Operations with their times"),
    flag('c', "tickets", "Also tickets"),
    maybe(
        'm',
        "fence-history",
        "LEVEL",
        "Fencing: 0 none, 1 failed and pending, 2 also successful (without LEVEL), 3 each one",
    ),
    maybe(
        'L',
        "neg-locations",
        "PREFIX",
        "Also location constraints that forbid nodes (with ids that begin so)",
    ),
    flag('A', "show-node-attributes", "Also node attributes"),
    flag('D', "hide-headers", "Leave out the summary"),
    flag('R', "show-detail", "More detail: ids, instances one by one"),
    flag(NO_SHORT, "show-description", "Also descriptions of resources"),
    flag('b', "brief", "Primitives gathered by agent"),
    flag('Q', "quiet", "Leave out times"),
    flag('s', "simple-status", "One line for monitoring probes; exit code 0 well, 1 warning, 2 critical"),
    flag('1', "one-shot", "Show once and exit"),
    value('i', "interval", "TIME", "Show anew after this time (5 s unless told)"),
    flag('d', "daemonize", "Go on in the background (needs --output-to or --external-agent)"),
    value('E', "external-agent", "FILE", "Run this program for each operation that ends"),
    value('e', "external-recipient", "WHO", "Recipient for the program"),
    flag('W', "watch-fencing", "Run the program for fencing too"),
    flag(NO_SHORT, "html-cgi", "With --output-as=html: begin with the header lines of a CGI program"),
    value(NO_SHORT, "html-stylesheet", "URI", "With --output-as=html: use this style sheet"),
    value(NO_SHORT, "html-title", "TITLE", "With --output-as=html: title of the page"),
    flag('X', "as-xml", "XML with the older root element, once"),
    old_flag('j', "pending", "pending"),
    old_value('p', "pid-file", "pid-file"),
    old_value('x', "xml-file", "xml-file"),
    old_flag('N', "disable-ncurses", "disable-ncurses"),
    old_flag('w', "web-cgi", "web-cgi"),
    old_value(NO_SHORT, "as-html", "as-html"),
];

const TABLE: Table = Table {
    tool: "crm_mon",
    about: "show the state of the cluster (on a terminal: live, with keys; '?' lists them)",
    options: OPTIONS,
    examples: &[
        "crm_mon -1              once, then exit",
        "crm_mon -1 -r -f        also inactive resources and failure counts",
        "crm_mon -n              live, resources below their nodes",
        "crm_mon --output-as=xml",
        "crm_mon --daemonize --output-as=html --output-to=/var/www/html/cluster.html",
    ],
};

/// How the status is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Text on a terminal, drawn again and again.
    Console,
    Text,
    Html,
    Xml,
    /// XML with the older root.
    LegacyXml,
    Nothing,
}

pub fn run(words: &[String]) -> ExitCode {
    let given = match super::options::read(&TABLE, &with_page_option(words)) {
        Ok(given) => given,
        Err(code) => return code,
    };
    match Monitor::new(&given, words) {
        Ok(monitor) => monitor.run(),
        Err(problem) => {
            eprintln!("crm_mon: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

/// `-h` asks for help, but with a file for a page in it: agents know it from the time when it did nothing else
/// (rule 4.14.1).
fn with_page_option(words: &[String]) -> Vec<String> {
    let is_file = |at: usize| words.get(at + 1).is_some_and(|next| !next.starts_with('-'));
    let meant = |(at, word): (usize, &String)| match word.as_str() {
        "-h" if is_file(at) => "--as-html".to_owned(),
        _ => word.clone(),
    };
    words.iter().enumerate().map(meant).collect()
}

/// `crm_mon.cgi`: a page with header lines.
pub fn run_cgi(words: &[String]) -> ExitCode {
    let mut all = vec!["--output-as=html".to_owned(), "--html-cgi".to_owned()];
    all.extend(words.iter().cloned());
    run(&all)
}

/// One call of the tool, understood.
struct Monitor<'g> {
    given: &'g Given,
    words: &'g [String],
    format: Format,
    sections: Sections,
    interval: Duration,
    destination: Option<&'g str>,
}

fn usage(message: impl Into<String>) -> Problem {
    Problem::new(exit::USAGE, message)
}

impl<'g> Monitor<'g> {
    fn new(given: &'g Given, words: &'g [String]) -> Result<Monitor<'g>, Problem> {
        if let Some(word) = given.words.first() {
            return Err(usage(format!("unexpected argument '{word}' (see --help)")));
        }
        let format = format(given)?;
        let sections = sections(given, format)?;
        let interval = match given.value("interval") {
            None => Duration::from_secs(5),
            Some(text) => cib::value::parse_interval(text)
                .filter(|milliseconds| *milliseconds > 0)
                .map(Duration::from_millis)
                .ok_or_else(|| usage(format!("Invalid value for -i: '{text}' is no time such as 10s")))?,
        };
        let destination = given.value("output-to").or(given.value("as-html")).filter(|to| *to != "-");
        if given.has("daemonize") && destination.is_none() && !given.has("external-agent") {
            return Err(usage(
                "--daemonize requires at least one of --output-to (not stdout) and --external-agent",
            ));
        }
        Ok(Monitor { given, words, format, sections, interval, destination })
    }

    fn run(&self) -> ExitCode {
        if let Some(path) = self.given.value("xml-file") {
            // nothing else runs yet in this process
            return again_with_file(path, self.words);
        }
        if self.given.has("daemonize") {
            return agent::detach(self.words, self.given.value("pid-file"));
        }
        if self.given.has("simple-status") {
            return crate::mon::simple_status();
        }
        if let Some(program) = self.given.value("external-agent").filter(|_| !self.given.has("one-shot")) {
            let recipient = self.given.value("external-recipient").unwrap_or_default();
            return agent::watch(program, recipient, self.given.has("watch-fencing"), || self.write_file());
        }
        if self.format == Format::Console {
            return console::run(self.sections.clone(), self.interval, &self.filter_words());
        }
        let repeats = self.given.has("interval") && self.destination.is_some() && !self.given.has("one-shot");
        loop {
            let code = self.once();
            if !repeats {
                return code;
            }
            std::thread::sleep(self.interval);
        }
    }

    fn filter_words(&self) -> picture::Asked {
        picture::Asked {
            node: self.given.value("node").map(str::to_owned),
            resource: self.given.value("resource").map(str::to_owned),
        }
    }

    /// Shows the status once.
    fn once(&self) -> ExitCode {
        let picture = Picture::take(&self.filter_words());
        let (text, code) = match picture {
            Ok(picture) => (self.render(&picture), 0),
            Err(problem) => self.failure(&problem),
        };
        match self.deliver(&text) {
            Ok(()) => ExitCode::from(code),
            Err(problem) => {
                eprintln!("crm_mon: {problem}");
                ExitCode::from(problem.code)
            }
        }
    }

    fn write_file(&self) {
        if self.destination.is_some() {
            self.once();
        }
    }

    fn deliver(&self, text: &str) -> Result<(), Problem> {
        match self.destination {
            Some(path) => replace_file(Path::new(path), text),
            // who reads may have gone away, which is no failure of the tool
            None => {
                let _ = std::io::stdout().write_all(text.as_bytes());
                Ok(())
            }
        }
    }

    fn render(&self, picture: &Picture) -> String {
        match self.format {
            Format::Nothing => String::new(),
            Format::Text | Format::Console => picture.text(&self.sections),
            Format::Html => {
                let page = Page {
                    refresh: self.destination.map(|_| self.interval.as_secs().max(1)),
                    cgi: self.given.has("html-cgi") || self.given.has("web-cgi"),
                    ..page(self.given)
                };
                picture.html(&self.sections, &page)
            }
            Format::Xml => picture.xml(&self.sections, &request("crm_mon", self.words), false),
            Format::LegacyXml => picture.xml(&self.sections, "", true),
        }
    }

    /// What is shown where there is nothing to show, and the exit code.
    fn failure(&self, problem: &Problem) -> (String, u8) {
        let message = if problem.code == exit::NOT_CONNECTED {
            format!("crm_mon: Connection to cluster failed: {problem}")
        } else {
            format!("crm_mon: {problem}")
        };
        if self.format != Format::Xml {
            eprintln!("{message}");
            return (String::new(), problem.code);
        }
        let mut document = view::status::xml::result(&request("crm_mon", self.words));
        let text = codes::exit_text(problem.code.into());
        view::status::xml::finish(&mut document, problem.code, text, &[message]);
        (document.to_pretty(), problem.code)
    }
}

/// Starts anew with `CIB_file` set: the old way to name a file.
fn again_with_file(path: &str, words: &[String]) -> ExitCode {
    let file = format!("--xml-file={path}");
    let rest = words.iter().enumerate().filter(|(index, word)| {
        let is_name = matches!(word.as_str(), "-x" | "--xml-file");
        let is_value = *index > 0 && matches!(words[index - 1].as_str(), "-x" | "--xml-file");
        !is_name && !is_value && **word != file && !word.starts_with("-x")
    });
    let run = crate::itself::command().and_then(|mut command| {
        command
            .arg("crm_mon")
            .args(rest.map(|(_, word)| word))
            .arg("--one-shot")
            .env("CIB_file", path)
            .env_remove("CIB_shadow")
            .status()
    });
    match run {
        Ok(status) => {
            ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::ERROR))
        }
        Err(error) => {
            eprintln!("crm_mon: {error}");
            ExitCode::from(exit::ERROR)
        }
    }
}

fn format(given: &Given) -> Result<Format, Problem> {
    if given.has("as-xml") {
        return Ok(Format::LegacyXml);
    }
    if given.has("web-cgi") || given.has("as-html") {
        return Ok(Format::Html);
    }
    let once = given.has("one-shot") || given.has("output-to") || given.has("disable-ncurses");
    match given.value("output-as") {
        Some("text") => Ok(Format::Text),
        Some("html") => Ok(Format::Html),
        Some("xml") => Ok(Format::Xml),
        Some("none") => Ok(Format::Nothing),
        Some("console") | None if once || !std::io::stdout().is_terminal() => Ok(Format::Text),
        Some("console") | None => Ok(Format::Console),
        Some(other) => Err(Problem::new(
            exit::ERROR,
            format!(
                "Error creating output format {other}: Unknown output format (console, text, html, xml and none are known)"
            ),
        )),
    }
}

/// What the options ask for; lists of sections have the last word (rule 5b.1.3).
fn sections(given: &Given, format: Format) -> Result<Sections, Problem> {
    let is_xml = matches!(format, Format::Xml | Format::LegacyXml);
    let defaults = if is_xml { Sections::everything() } else { Sections::default() };
    let mut sections = Sections {
        inactive: is_xml || given.has("inactive"),
        detail: given.has("show-detail"),
        by_node: given.has("group-by-node"),
        brief: given.has("brief"),
        timing: is_xml || given.has("timing-details"),
        descriptions: given.has("show-description"),
        options_by_default: format == Format::Html || is_xml,
        ..defaults
    };
    sections.attributes |= given.has("show-node-attributes");
    sections.operations |= given.has("operations") || given.has("timing-details");
    sections.fail_counts |= given.has("failcounts") || given.has("operations");
    sections.tickets |= given.has("tickets");
    if given.has("neg-locations") {
        sections.bans = Some(given.value("neg-locations").unwrap_or_default().to_owned());
    }
    if given.has("fence-history") {
        sections.set_fencing_level(given.value("fence-history").unwrap_or("2")).map_err(usage)?;
    }
    if given.has("hide-headers") {
        sections.set_summary(false);
    }
    sections.times &= !given.has("quiet");
    for (option, list) in given.sequence(&["include", "exclude"]) {
        let changed = if option == "include" { sections.include(list) } else { sections.exclude(list) };
        changed.map_err(usage)?;
    }
    Ok(sections)
}
