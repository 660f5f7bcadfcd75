//! What is fed with input. A target panics where something that must always hold does not; what it returns
//! tells how far the input came, so that inputs which show something new can be told apart.

use std::collections::BTreeSet;

use cib::iso8601::Zone;
use scheduler::model::PlanOptions;
use xml::Document;
use xml::diff::AttributeOrder;

/// The time of all plans.
const NOW: i64 = 1_700_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The XML parser and printer, XPath and patches.
    Xml,
    /// Validation, upgrade, typing, verification, patchsets of CIBs.
    Cib,
    /// A whole plan, carried out in the simulation.
    Plan,
}

/// What an input brought to light, as short texts without its own names.
pub type Features = BTreeSet<String>;

impl Target {
    pub const ALL: [Target; 3] = [Target::Xml, Target::Cib, Target::Plan];

    pub fn name(self) -> &'static str {
        match self {
            Target::Xml => "xml",
            Target::Cib => "cib",
            Target::Plan => "plan",
        }
    }

    pub fn parse(name: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|target| target.name() == name)
    }

    pub fn feed(self, input: &[u8]) -> Features {
        match self {
            Target::Xml => feed_xml(input),
            Target::Cib => feed_cib(input),
            Target::Plan => feed_plan(input),
        }
    }
}

fn feed_xml(input: &[u8]) -> Features {
    let document = match Document::parse_bytes(input) {
        Ok(document) => document,
        Err(error) => return Features::from([template(&error.message)]),
    };
    // indented, what is nested deeply can grow beyond what is read
    let is_read = |text: &String| text.len() <= xml::Limits::default().bytes;
    for text in [document.to_pretty(), document.to_string()].into_iter().filter(is_read) {
        let again = Document::parse(&text);
        let again = again.unwrap_or_else(|error| panic!("what was printed is not read: {error}\n{text}"));
        assert_eq!(again.to_string(), document.to_string(), "printing and reading changes something");
    }
    let empty = Document::new("cib");
    for order in [AttributeOrder::Ignored, AttributeOrder::Matters] {
        let changes = xml::diff::diff(&empty, &document, order);
        xml::diff::apply(&mut empty.clone(), &changes);
    }
    expressions(&document);
    document.descendants(document.root()).map(|id| document.name(id).to_owned()).collect()
}

/// Texts of the document as XPath expressions, some of which may be ones.
fn expressions(document: &Document) {
    for id in document.subtree(document.root()).take(50) {
        for (name, value) in document.attributes(id).take(5) {
            for text in [value, &format!("//*[@{name}={}]", xml::xpath::literal(value))] {
                let _ = xml::xpath::select(document, text).map(|found| found.len());
            }
        }
    }
}

fn feed_cib(input: &[u8]) -> Features {
    let Ok(document) = Document::parse_bytes(input) else { return Features::new() };
    let mut features: Features =
        cib::schema::validate(&document).iter().map(|finding| template(&finding.to_string())).collect();
    let mut upgraded = document.clone();
    if let Err(error) = cib::upgrade::upgrade(&mut upgraded) {
        features.insert(template(&error.to_string()));
    }
    let patchset = cib::patchset::Patchset::between(&document, &upgraded);
    if let Err(refusal) = patchset.apply(&document) {
        features.insert(template(&refusal.to_string()));
    }
    for document in [&document, &upgraded] {
        let (cib, notices) = cib::Cib::from_document(document);
        features.extend(notices.iter().map(|notice| template(&notice.text)));
        let found = cib::verify::verify(&cib, Zone::UTC.at(NOW));
        features.extend(found.iter().map(|notice| template(&notice.text)));
    }
    if let Err(refusal) = cib::document::CibDocument::from_document(document) {
        features.insert(template(&refusal.to_string()));
    }
    features
}

fn feed_plan(input: &[u8]) -> Features {
    let Ok(mut document) = Document::parse_bytes(input) else { return Features::new() };
    let mut features = Features::new();
    if let Err(error) = cib::upgrade::upgrade(&mut document) {
        features.insert(template(&error.to_string()));
    }
    let (cib, _) = cib::Cib::from_document(&document);
    let plan = scheduler::plan(
        &cib,
        Zone::UTC.at(NOW).into(),
        PlanOptions { record_reasons: true, ..PlanOptions::default() },
    );
    assert_eq!(plan.violations(), [], "the checker refuses the graph");
    features.extend(plan.model.notices.iter().map(|notice| template(&notice.text)));
    features.extend(plan.graph.actions().map(|action| {
        let reason = action.reason.as_deref().map(template).unwrap_or_default();
        format!("{} {reason}", action.operation)
    }));
    let ids: Vec<&str> = cib.configuration.resources.iter().map(|resource| &*resource.id).take(3).collect();
    for id in ids {
        view::why::why(&cib, Zone::UTC.at(NOW).into(), id, None).map(|why| view::why::text(&why));
    }
    let options = view::simulation::Options {
        execute: true,
        show_scores: true,
        show_utilization: true,
        clock: NOW,
        ..view::simulation::Options::default()
    };
    let outcome = view::simulation::simulate(document, &options);
    features.extend(outcome.errors.lines().map(template));
    features
}

/// Causes why the plan of a valid configuration had to be cut; empty for invalid ones and sound plans.
pub fn cuts_of_valid(input: &[u8]) -> Vec<String> {
    let Ok(mut document) = Document::parse_bytes(input) else { return Vec::new() };
    if cib::upgrade::upgrade(&mut document).is_err() || has_errors(&document) {
        return Vec::new();
    }
    let (cib, _) = cib::Cib::from_document(&document);
    let plan = scheduler::plan(&cib, Zone::UTC.at(NOW).into(), PlanOptions::default());
    plan.cuts.iter().map(ToString::to_string).collect()
}

fn has_errors(document: &Document) -> bool {
    cib::schema::validate(document).iter().any(|finding| finding.severity == cib::Severity::Error)
}

/// A message without what is particular to the input: quoted names and numbers.
fn template(message: &str) -> String {
    let mut words = message.split_whitespace().take(30).map(|word| {
        let own =
            word.contains(['\'', '"', '_', '/', ':', '-']) || word.contains(|c: char| c.is_ascii_digit());
        if own { "*" } else { word }
    });
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| text + " " + word)
}
