//! Whole documents in, typed configuration and notices out. The conformance inputs are optional data.

use std::path::PathBuf;

fn conformance_inputs() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/scheduler/xml");
    let folder = if folder.exists() {
        folder
    } else {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/scheduler/xml")
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

#[test]
fn conformance_inputs_are_typed() {
    let mut seen = String::new();
    for file in conformance_inputs() {
        let text = std::fs::read_to_string(&file).expect("input is readable");
        let document = xml::Document::parse(&text).expect("input is XML");
        let (cib, notices) = cib::Cib::from_document(&document);
        let name = file.file_stem().expect("a file").to_string_lossy().into_owned();
        for notice in notices.iter().filter(|notice| notice.severity > cib::Severity::Note) {
            seen += &format!("{name}: {notice} at {}\n", notice.place);
        }
        let now = cib::iso8601::DateTime::from_timestamp(cib.root.execution_date.unwrap_or(1_700_000_000), 0);
        let options = cib.cluster_options(&cib::rule::RuleInput::at(now));
        for notice in options.notices.iter().filter(|notice| notice.severity > cib::Severity::Note) {
            seen += &format!("{name}: {notice} at {}\n", notice.place);
        }
    }
    let expected = ["fencing-action", "fencing-action", "<node_state> without id"];
    for line in seen.lines() {
        assert!(expected.iter().any(|part| line.contains(part)), "unexpected notice: {line}");
    }
}

#[test]
fn verification_takes_any_input() {
    for file in conformance_inputs() {
        let text = std::fs::read_to_string(&file).expect("input is readable");
        let (cib, _) = cib::Cib::from_document(&xml::Document::parse(&text).expect("input is XML"));
        let now = cib::iso8601::DateTime::from_timestamp(cib.root.execution_date.unwrap_or(1_700_000_000), 0);
        for notice in cib::verify::verify(&cib, now) {
            assert!(!notice.text.contains("not a valid resource or tag"), "{}: {notice}", file.display());
            assert!(!notice.text.contains("in a circle"), "{}: {notice}", file.display());
        }
    }
}
