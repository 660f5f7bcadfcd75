//! Checks of the architecture's invariants that the compiler does not make.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::report::Report;

/// Crates that decide: no IO, no clock, no randomness, no async. With the dependencies each may have.
const PURE: [(&str, &[&str]); 7] = [
    ("xml", &["uppsala"]),
    ("cib", &["xml", "md-5", "strsim", "thiserror", "serde", "regex-lite", "indexmap", "rustc-hash"]),
    ("transition", &["xml", "serde"]),
    (
        "scheduler",
        &[
            "cib",
            "transition",
            "smallvec",
            "fixedbitset",
            "rustc-hash",
            "indexmap",
            "regex-lite",
            "md-5",
            "serde",
        ],
    ),
    ("cluster", &["xml", "cib", "transition", "scheduler", "md-5", "serde", "postcard"]),
    (
        "view",
        &[
            "xml",
            "cib",
            "scheduler",
            "transition",
            "cluster",
            "serde",
            "serde_json",
            "utoipa",
            "indexmap",
            "strsim",
        ],
    ),
    ("simulator", &["xml", "cib", "cluster", "scheduler", "transition"]),
];

/// Words that a pure crate's sources must not contain outside tests, and what they would bring in.
const IMPURE: [(&str, &str); 9] = [
    ("std::fs", "files"),
    ("std::net", "sockets"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("std::env", "the environment"),
    ("SystemTime", "the clock"),
    ("Instant::now", "the clock"),
    ("async fn", "async"),
    ("println!", "output"),
];

/// Crates that see typed values, never XML nodes.
const TYPED_ONLY: [&str; 1] = ["scheduler"];

pub fn check(root: &Path, report: &mut Report) {
    for (name, allowed) in PURE {
        settle(
            report,
            &format!("dependencies of pure crate {name}"),
            dependencies_within(root, name, allowed),
        );
        settle(report, &format!("no effects in pure crate {name}"), no_effects(root, name));
    }
    for name in TYPED_ONLY {
        settle(report, &format!("{name} sees no XML"), no_word(root, name, "xml::"));
    }
    settle(report, "nothing unfinished is left silent", no_unfinished(root));
    settle(report, "pages that users read are there", pages(root));
}

fn settle(report: &mut Report, what: &str, problems: Vec<String>) {
    if problems.is_empty() {
        report.pass(1);
    } else {
        report.fail(format!("tidy: {what}:\n    {}", problems.join("\n    ")), 1);
    }
}

fn dependencies_within(root: &Path, name: &str, allowed: &[&str]) -> Vec<String> {
    let path = root.join("crates").join(name).join("Cargo.toml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return vec![format!("{} cannot be read", path.display())];
    };
    let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
    let mut in_dependencies = false;
    let mut problems = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_dependencies = line == "[dependencies]";
        } else if in_dependencies && !line.is_empty() && !line.starts_with('#') {
            let dependency = line.split(['.', '=', ' ']).next().unwrap_or(line);
            if !allowed.contains(dependency) {
                problems.push(format!("{dependency} is not among the dependencies a pure crate may have"));
            }
        }
    }
    problems
}

fn no_effects(root: &Path, name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in sources(root, name) {
        for (number, line) in code_lines(&text) {
            for (word, what) in IMPURE {
                if line.contains(word) {
                    problems.push(format!("{}:{number}: {word} brings in {what}", path.display()));
                }
            }
        }
    }
    problems
}

fn no_word(root: &Path, name: &str, word: &str) -> Vec<String> {
    sources(root, name)
        .iter()
        .flat_map(|(path, text)| {
            code_lines(text)
                .filter(|(_, line)| line.contains(word))
                .map(|(number, _)| format!("{}:{number}: {word}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The lines of code outside comments and before the tests at the bottom of a module, with numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or(line)))
}

fn no_unfinished(root: &Path) -> Vec<String> {
    let marks = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[", "ignore")];
    let mut problems = Vec::new();
    for name in crate_names(root) {
        for (path, text) in sources(root, &name) {
            for (index, line) in text.lines().enumerate() {
                if marks.iter().any(|mark| line.contains(mark)) {
                    problems.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
                }
            }
        }
    }
    problems
}

fn pages(root: &Path) -> Vec<String> {
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "BENCHMARKS.md", "LICENSE"]
        .into_iter()
        .filter(|page| !root.join(page).is_file())
        .map(|page| format!("{page} is missing"))
        .collect()
}

fn crate_names(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root.join("crates"))
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

fn sources(root: &Path, name: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("crates").join(name).join("src")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "tests") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.file_stem().is_none_or(|stem| stem != "tests")
            {
                if let Ok(text) = std::fs::read_to_string(&path) {
                    found.push((path, text));
                }
            }
        }
    }
    found.sort();
    found
}
