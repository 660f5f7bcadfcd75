//! Runs the scheduler over a folder of recorded cases and compares summary, scores, drawing and graph with
//! what the reference made of them, white space apart.
//!
//! The cases are looked for in `../shared/conformance/scheduler` beside the workspace (or where
//! `SYSTOLE_CONFORMANCE` says); without them the test has nothing to do. `conformance-ratchet.txt` lists
//! the cases that do not agree yet, with the reason found; it only shrinks: a case that agrees must leave it,
//! and no other may stop agreeing. `SYSTOLE_RERECORD=1` writes the names anew.

#![allow(clippy::unwrap_used)] // a test

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use view::simulation::{Keep, Options, simulate};
use xml::Document;

mod reasons;

#[test]
fn recorded_cases_agree_but_for_the_listed_ones() {
    let Some(corpus) = corpus() else {
        println!("no recorded cases beside the workspace: nothing compared");
        return;
    };
    let ratchet_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance-ratchet.txt");
    let listed = listed(&fs::read_to_string(&ratchet_file).unwrap_or_default());
    let names = names(&corpus);
    let differ: Vec<(String, Vec<&str>)> = names
        .iter()
        .map(|name| (name.clone(), differences(&corpus, name)))
        .filter(|(_, differences)| !differences.is_empty())
        .collect();
    println!("{} of {} cases agree in full", names.len() - differ.len(), names.len());
    if std::env::var_os("SYSTOLE_RERECORD").is_some() {
        let list: String = differ.iter().map(|(name, _)| format!("{name}\n")).collect();
        fs::write(&ratchet_file, list).unwrap();
        return;
    }
    let lost: Vec<String> = differ
        .iter()
        .filter(|(name, _)| !listed.contains(name))
        .map(|(name, what)| format!("{name}: {}", what.join(", ")))
        .collect();
    assert!(lost.is_empty(), "cases that agreed before differ now:\n{}", lost.join("\n"));
    let differing: BTreeSet<&String> = differ.iter().map(|(name, _)| name).collect();
    let gained: Vec<&String> =
        listed.iter().filter(|name| names.contains(*name) && !differing.contains(name)).collect();
    assert!(gained.is_empty(), "these cases agree now; take them off the list: {gained:?}");
}

/// The names of the list: one a line, `#` starts a remark.
fn listed(text: &str) -> BTreeSet<String> {
    let names = text.lines().map(|line| line.split('#').next().unwrap_or(line).trim());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/scheduler");
    let place = std::env::var_os("SYSTOLE_CONFORMANCE").map_or(beside, PathBuf::from);
    place.join("xml").is_dir().then_some(place)
}

fn names(corpus: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(corpus.join("xml")).unwrap().map(|entry| entry.unwrap().path());
    let inputs = files.filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
    inputs.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// The outputs that differ from what was recorded.
fn differences(corpus: &Path, name: &str) -> Vec<&'static str> {
    let text = fs::read_to_string(corpus.join("xml").join(format!("{name}.xml"))).unwrap();
    let document = Document::parse(&text).unwrap();
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let date = date_argument(corpus, name);
    if !is_sound(&document, clock) {
        return vec!["refused by the graph checker"];
    }
    let common = Options { clock, date, ..Options::default() };
    let shown = simulate(document.clone(), &Options { execute: true, ..common.clone() });
    let quiet = Options { keep: Keep::EVERYTHING, execute: true, show_scores: true, quiet: true, ..common };
    let files = simulate(document, &quiet);
    let summary = shown.errors + &shown.text;
    let dot = files.dot.unwrap_or_default();
    let graph = files.graph.unwrap_or_default();
    let outputs = [("summary", &summary), ("scores", &files.text), ("dot", &dot), ("exp", &graph)];
    let mut differences: Vec<&'static str> = outputs
        .into_iter()
        .filter(|(kind, text)| canonical(kind, text) != canonical(kind, &recorded(corpus, kind, name)))
        .map(|(kind, _)| kind)
        .collect();
    if shown.exit != 0 || files.exit != 0 {
        differences.push("exit");
    }
    differences
}

/// Whether the graph checker accepts the plan as it was made, with nothing cut: whatever the reference would do
/// keeps the invariants.
fn is_sound(document: &Document, clock: i64) -> bool {
    let (cib, _) = cib::Cib::from_document(document);
    let plan = scheduler::plan(
        &cib,
        cib::iso8601::Zone::UTC.at(moment(document, clock)).into(),
        scheduler::model::PlanOptions::default(),
    );
    plan.cuts.is_empty() && plan.violations().is_empty()
}

/// The time of a recorded input.
fn moment(document: &Document, clock: i64) -> i64 {
    let original = document.attribute(document.root(), "execution-date").and_then(|text| text.parse().ok());
    original.unwrap_or(clock)
}

/// A case's input in the newest schema, and its time.
fn input(corpus: &Path, name: &str) -> (Document, i64) {
    let text = fs::read_to_string(corpus.join("xml").join(format!("{name}.xml"))).unwrap();
    let mut document = Document::parse(&text).unwrap();
    cib::upgrade::upgrade(&mut document).unwrap();
    let now = moment(&document, 1_700_000_000);
    (document, now)
}

fn recorded(corpus: &Path, kind: &str, name: &str) -> String {
    fs::read_to_string(corpus.join(kind).join(format!("{name}.{kind}"))).unwrap_or_default()
}

/// The value of `-t` in the case's extra arguments.
fn date_argument(corpus: &Path, name: &str) -> Option<String> {
    let arguments = fs::read_to_string(corpus.join("args.tsv")).unwrap_or_default();
    let line =
        arguments.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t').map(str::to_owned))?;
    Some(line.strip_prefix("-t ")?.trim_matches('"').to_owned())
}

/// What is compared: lines without white space, without the empty ones; sets where order does not count.
fn canonical(kind: &str, text: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        text.lines().map(|line| strip(kind, line)).filter(|line| !line.is_empty()).collect();
    match kind {
        "scores" => lines.sort(),
        "dot" if lines.len() > 2 => {
            let last = lines.pop().unwrap();
            let body: BTreeSet<String> = lines.drain(1..).collect();
            lines.extend(body);
            lines.push(last);
        }
        _ => {}
    }
    lines
}

fn strip(kind: &str, line: &str) -> String {
    let mut line: String = line.chars().filter(|character| !character.is_whitespace()).collect();
    if kind == "exp" {
        for name in ["crm_feature_set=\"", "batch-limit=\""] {
            if let Some(start) = line.find(name) {
                let value = start + name.len();
                let end = line[value..].find('"').map_or(line.len(), |end| value + end + 1);
                line.replace_range(start..end, "");
            }
        }
    }
    line
}
