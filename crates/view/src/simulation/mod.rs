//! What would the cluster do? Runs the scheduler on a given CIB, changes the CIB as asked for first, and
//! pretends to carry out the plan. This is the engine behind `crm_simulate` and every preview.
//!
//! It must never touch a live cluster, a file or a clock: the CIB and the time come in, texts go out.

mod event;
mod execute;
#[cfg(test)]
mod hard_tests;
mod history;
mod index;
mod inject;
mod spec;
#[cfg(test)]
mod tests;
pub mod xml;

use std::collections::BTreeSet;

use ::xml::Document;
use cib::Cib;
use cib::iso8601::{Clock, DateTime, Zone};
use cib::upgrade;
use cib::value::Timestamp;
use scheduler::graph::dot::{DotOptions, dot};
use scheduler::model::{PlanOptions, ScoreLine};

use crate::status::monitor::{self, Facts};
use crate::status::xml::StatusInput;
use crate::status::{Status, text as status_text};

pub use event::{Event, TicketChange};
pub use inject::Injections;
pub use spec::{OperationSpec, SpecError};

/// What to do and what to show (rule 3.55.1).
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Make a plan (`-R`).
    pub plan: bool,
    /// Carry it out on the copy (`-S`).
    pub execute: bool,
    pub show_scores: bool,
    pub show_utilization: bool,
    /// Only scores and utilization, without headers (`-Q`).
    pub quiet: bool,
    /// The time to assume, as text (`-t`).
    pub date: Option<String>,
    /// The present moment: the time to assume where neither text nor input says another, and the time of
    /// what is recorded.
    pub clock: Timestamp,
    /// The local zone, in which that and the time of the input are looked at.
    pub zone: Zone,
    /// The input is the live cluster's, not a saved file.
    pub live: bool,
    pub injections: Injections,
    /// Operations that fail when they are executed (`-F`), as `RES_TASK_INTERVAL@NODE=RC`.
    pub failures: Vec<String>,
    /// What is to be kept of the run beside its answer.
    pub keep: Keep,
    /// In the drawing, also what is not needed (`-a`).
    pub draw_all: bool,
    /// In the drawing, action numbers (`-V`).
    pub draw_numbers: bool,
    /// Node attributes with the status (`-A`).
    pub show_attributes: bool,
    /// Failures and how often, with the status (`-c`).
    pub show_failures: bool,
    /// Write an XML document instead of text: the command line that asked.
    pub xml_request: Option<String>,
    /// The process ends after this run: memory is left to the system, which takes it back at once, instead of
    /// being freed piece by piece.
    pub last: bool,
    /// Epoch seconds as local time; without it they are written in UTC.
    pub local_time: Option<fn(Timestamp) -> String>,
}

/// What a run leaves beside its answer; each costs time and memory in proportion to the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The CIB for which the plan was made (`-I`).
    pub input: bool,
    /// The CIB after the execution (`-O`).
    pub output: bool,
    /// The graph as XML (`-G`).
    pub graph: bool,
    /// The graph as a drawing (`-D`).
    pub drawing: bool,
}

impl Keep {
    pub const EVERYTHING: Keep = Keep { input: true, output: true, graph: true, drawing: true };
}

impl Options {
    fn plans(&self) -> bool {
        self.plan || self.execute || self.show_scores || self.show_utilization || !self.failures.is_empty()
    }

    fn executes(&self) -> bool {
        self.execute || !self.failures.is_empty()
    }
}

/// All that came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// For the standard output.
    pub text: String,
    /// For the standard error.
    pub errors: String,
    /// What is not done as it was asked for; no part of the compatible answer.
    pub warnings: Vec<String>,
    /// What verifying the configuration tells as well.
    pub remarks: Vec<String>,
    /// Exit status (rule 3.55.2).
    pub exit: i32,
    /// The upgraded CIB with the injections, as it was when the plan was made; this and what follows only as
    /// far as [`Options::keep`] asks for it.
    pub input: Option<Document>,
    /// The graph as XML, if a plan was made.
    pub graph: Option<String>,
    /// The graph as a drawing, if a plan was made.
    pub dot: Option<String>,
    /// The CIB as the execution left it.
    pub output: Option<Document>,
    /// The answer as an XML document, if that was asked for; without the final status.
    pub report: Option<xml::Report>,
}

/// Exit status for a configuration that cannot be used.
const EXIT_INVALID_CONFIGURATION: i32 = 78;
const EXIT_BAD_INPUT: i32 = 65;
const EXIT_FAILED: i32 = 1;

/// Runs everything that the options ask for.
pub fn simulate(document: Document, options: &Options) -> Outcome {
    let now = Clock::from(options.zone.at(options.clock));
    let mut run = Run { options, outcome: Outcome::default(), date: None, now };
    run.outcome.report = options.xml_request.as_deref().map(xml::Report::new);
    if let Err(exit) = run.all(document) {
        run.outcome.exit = exit;
    }
    run.outcome
}

struct Run<'o> {
    options: &'o Options,
    outcome: Outcome,
    /// The line about the time that is assumed.
    date: Option<String>,
    now: Clock,
}

impl Run<'_> {
    fn all(&mut self, mut document: Document) -> Result<(), i32> {
        self.prepare(&mut document)?;
        if !self.options.quiet {
            self.show_current_status(&document);
        }
        if !self.options.injections.is_empty() {
            self.inject(&mut document);
        }
        let keep = self.options.keep;
        if keep.input {
            self.outcome.input = Some(document.clone());
        }
        if !self.options.plans() {
            return Ok(());
        }
        let (cib, _) = Cib::from_document(&document);
        self.outcome.warnings = vain(&document, &cib);
        // of no use beside the plan unless it is carried out, and large
        let document = Some(document).filter(|_| self.options.executes());
        let (graph, names) = self.plan(cib);
        if let Some(mut document) = document {
            self.execute(&mut document, graph, &names);
            self.outcome.output = Some(document).filter(|_| keep.output);
        } else if self.options.last {
            std::mem::forget(graph);
        }
        Ok(())
    }

    /// A line of text; a report has none.
    fn say(&mut self, line: &str) {
        if self.outcome.report.is_some() {
            return;
        }
        self.outcome.text.push_str(line);
        self.outcome.text.push('\n');
    }

    fn complain(&mut self, line: &str) {
        self.outcome.errors.push_str(line);
        self.outcome.errors.push('\n');
    }

    /// Brings the input to the newest schema and settles the time (rules 3.55.2, 3.46.4).
    fn prepare(&mut self, document: &mut Document) -> Result<(), i32> {
        let root = document.root();
        if document.child(root, "status").is_none() {
            document.append_element(root, "status");
        }
        if let Err(error) = upgrade::upgrade(document) {
            self.complain(&error.to_string());
            return Err(EXIT_INVALID_CONFIGURATION);
        }
        if document.attribute(root, "validate-with") == Some("none") {
            self.complain(VALIDATION_DISABLED);
        }
        if let Some(text) = &self.options.date {
            match DateTime::parse(text, &self.now.surroundings) {
                Ok(date) => self.now.now = date,
                Err(error) => {
                    let message = error.to_string();
                    self.complain(&message);
                    return Err(EXIT_BAD_INPUT);
                }
            }
            self.date = Some(format!("Setting effective cluster time: {text}"));
        } else if let Some(original) =
            document.attribute(root, "execution-date").and_then(|text| text.parse().ok())
        {
            self.now.now = self.options.zone.at(original);
            self.date = Some(format!("Using the original execution date of: {}", long_date(original)));
        }
        Ok(())
    }

    fn say_date(&mut self) {
        if let Some(date) = self.date.clone().filter(|_| !self.options.quiet) {
            self.say(&date);
        }
    }

    fn show_current_status(&mut self, document: &Document) {
        self.say_date();
        self.show_status(document, "Current cluster status", true);
    }

    /// The state of the cluster, as text or as a section of the report.
    fn show_status(&mut self, document: &Document, title: &str, pending: bool) {
        let (cib, _) = Cib::from_document(document);
        let mut model = scheduler::state::build(&cib, self.now, self.plan_options());
        let status = Status::of(&model);
        let failures = self.options.show_failures;
        let fail_counts = if failures { monitor::fail_counts(&mut model) } else { Vec::new() };
        let local = |at| self.options.local_time.map_or_else(|| long_date(at), |local| local(at));
        if let Some(report) = &mut self.outcome.report {
            let input = StatusInput {
                status: &status,
                facts: &Facts::default(),
                fail_counts: &fail_counts,
                attributes: self.options.show_attributes,
                failures,
                local: &local,
                universal: &long_date,
            };
            report.status(if pending { "cluster_status" } else { "revised_cluster_status" }, &input);
            return;
        }
        let head = if pending { status_text::maintenance_and_counts(&status) } else { String::new() };
        let shown = (self.options.show_attributes, failures);
        let text = head
            + &status_text::cluster_status(&status, title, pending)
            + &monitor::simulated(&status, &fail_counts, shown, &local);
        self.outcome.text.push_str(&text);
    }

    fn plan_options(&self) -> PlanOptions {
        PlanOptions {
            show_scores: self.options.show_scores,
            show_utilization: self.options.show_utilization,
            record_reasons: false,
            sanitized_input: !self.options.live,
        }
    }

    fn inject(&mut self, document: &mut Document) {
        let mut events = Vec::new();
        let errors =
            inject::apply(document, &self.options.injections, self.now, self.options.clock, &mut events);
        if let Some(report) = self.outcome.report.as_mut().filter(|_| !self.options.quiet) {
            report.modifications(&events);
        }
        self.show_events("Performing Requested Modifications:", &events);
        for error in errors {
            self.complain(&error.to_string());
        }
        self.say_date();
    }

    /// A list of what was done, as text.
    fn show_events(&mut self, title: &str, events: &[Event]) {
        if self.options.quiet {
            return;
        }
        self.say("");
        self.say(title);
        for event in events {
            let bullet = if event.is_plain() { "" } else { "  * " };
            self.say(&format!("{bullet}{event}"));
        }
    }

    /// Makes the plan and shows what was asked for of it. Returns the graph and the names of resources.
    fn plan(&mut self, cib: Cib) -> (transition::Graph, BTreeSet<String>) {
        let plan = scheduler::plan(&cib, self.now, self.plan_options());
        for notice in plan.warnings() {
            let of_configuration = notice.severity.is_of_configuration();
            let outcome = &mut self.outcome;
            let told = if of_configuration { &mut outcome.remarks } else { &mut outcome.warnings };
            told.push(notice.to_string());
        }
        self.show_scores(&plan.model.score_lines);
        let changes = &plan.model.actions_extra.summary;
        if let Some(report) = self.outcome.report.as_mut().filter(|_| !self.options.quiet) {
            report.actions(&plan.model, changes);
        }
        if !self.options.quiet {
            let summary = crate::summary::lines(&plan.model, changes);
            self.say("");
            self.say("Transition Summary:");
            for line in &summary {
                self.say(&format!("  * {line}"));
            }
        }
        let drawing = DotOptions { all: self.options.draw_all, numbers: self.options.draw_numbers };
        self.outcome.dot = self.options.keep.drawing.then(|| dot(&plan.model, drawing));
        self.outcome.graph = self.options.keep.graph.then(|| plan.graph.to_string());
        if !self.options.executes() {
            let graph = plan.graph;
            if self.options.last {
                std::mem::forget(plan.model);
                std::mem::forget(cib);
            }
            return (graph, BTreeSet::new());
        }
        let names = plan.model.resources.values().flat_map(|it| [Some(&it.id), it.history_name.as_ref()]);
        let names = names.flatten().map(|name| name.to_string()).collect();
        (plan.graph, names)
    }

    /// Rules 3.46.3 and 3.46.4, item 6.
    fn show_scores(&mut self, lines: &[ScoreLine]) {
        let (title, section) = match (self.options.show_scores, self.options.show_utilization) {
            (true, true) => ("Assignment Scores and Utilization Information:", "allocations_utilizations"),
            (true, false) => ("Assignment Scores:", "allocations"),
            (false, true) => ("Utilization Information:", "utilizations"),
            (false, false) => return,
        };
        if let Some(report) = &mut self.outcome.report {
            report.scores(section, lines);
            return;
        }
        let is_message = |line: &ScoreLine| matches!(line, ScoreLine::Message(_));
        if self.options.quiet {
            lines.iter().filter(|line| !is_message(line)).for_each(|line| self.say(&line.to_string()));
            return;
        }
        self.say("");
        self.say(title);
        for line in lines {
            let bullet = if is_message(line) { "" } else { "  * " };
            self.say(&format!("{bullet}{line}"));
        }
    }

    /// Pretends to carry out the graph, and shows the state after it.
    fn execute(&mut self, document: &mut Document, graph: transition::Graph, names: &BTreeSet<String>) {
        let mut events = Vec::new();
        let finished = {
            let (failures, clock) = (self.options.failures.as_slice(), self.options.clock);
            let adds_nodes = !self.options.injections.up.is_empty();
            let settings = execute::Settings { failures, clock, adds_nodes, resources: names };
            execute::run(document, graph, &settings, &mut events)
        };
        if self.options.quiet {
            self.say("");
        }
        if let Some(report) = self.outcome.report.as_mut().filter(|_| !self.options.quiet) {
            report.transition(&events);
        }
        self.show_events("Executing Cluster Transition:", &events);
        if !finished {
            self.complain("Transition failed: terminated");
            self.complain("An invalid transition was produced");
            self.outcome.exit = EXIT_FAILED;
        }
        if !self.options.quiet {
            self.say_date();
            self.say("");
            self.show_status(document, "Revised Cluster Status", false);
        }
    }
}

/// What the configuration asks for in vain: wishes for unknown nodes, scores out of range.
fn vain(document: &Document, cib: &Cib) -> Vec<String> {
    let wishes = cib::verify::idle_wishes(cib).into_iter().map(|notice| (notice.text, notice.place.line));
    let scores = cib::schema::scores_out_of_range(document);
    wishes.chain(scores).map(|(text, line)| format!("{text} (line {line})")).collect()
}

/// Said once on the standard error when the input switches validation off (rule 3.55.3).
const VALIDATION_DISABLED: &str = "Schema validation of configuration is disabled (support for validate-with set to \"none\" is deprecated and will be removed in a future release)";

/// `2016-12-12 20:28:26Z`.
fn long_date(at: Timestamp) -> String {
    let date = DateTime::from_timestamp(at, 0);
    let (month, day) = date.month_and_day();
    let (hour, minute, second) = date.time_of_day();
    format!("{:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z", date.year)
}
