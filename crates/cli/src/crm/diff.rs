//! `crm_diff`: the difference of two configurations as a patch set, and its application (rules 5a.14.1, 5c.7).

use std::process::ExitCode;

use cib::patchset::{Options, Patchset};
use xml::Document;

use super::options::{Given, Table, flag, old_flag, value};
use super::output::Output;
use super::{tool, usage};
use crate::session::Problem;
use crate::tool::exit;

const TABLE: Table = Table {
    tool: "crm_diff",
    about: "compare two configurations, or apply what a comparison gave",
    options: &[
        value('o', "original", "FILE", "The first configuration; '-' is standard input"),
        value('O', "original-string", "XML", "The first configuration as text"),
        value('n', "new", "FILE", "Compare with this configuration; '-' is standard input"),
        value('N', "new-string", "XML", "Compare with this configuration as text"),
        value('p', "patch", "FILE", "Apply this patch set to the first configuration"),
        flag('c', "cib", "With versions, and with a digest of what the patch set makes"),
        flag('u', "no-version", "Without versions, and as if these were equal"),
        old_flag('s', "stdin", "stdin"),
    ],
    examples: &[
        "crm_diff --original old.xml --new new.xml > change.xml     (exit code 1: they differ)",
        "crm_diff --original old.xml --patch change.xml > patched.xml",
        "cibadmin -Q | crm_diff --no-version -o old.xml -n -",
    ],
};

/// The inputs differ.
const DIFFERENT: u8 = 1;

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    if let Some(word) = given.words.first() {
        return Err(usage(format!("unexpected argument '{word}' (files are given with -o, -n and -p)")));
    }
    if given.has("cib") && given.has("no-version") {
        return Err(usage("-u/--no-version incompatible with -c/--cib"));
    }
    let original = input(given, "original", "original-string", "original XML")?;
    if given.has("patch") && given.last_of(&["new", "new-string", "patch"]) == Some("patch") {
        let patch = input(given, "patch", "", "patch")?;
        return apply(&original, &patch, given.has("cib"), out);
    }
    compare(&original, &input(given, "new", "new-string", "new XML")?, given, out)
}

/// One of the inputs: the later of the two options counts.
fn input(given: &Given, file: &'static str, string: &'static str, what: &str) -> Result<Document, Problem> {
    let failed = |why: String| Problem::new(exit::DATA, format!("Failed to parse {what}: {why}"));
    let text = match given.last_of(&[file, string]) {
        None => return Err(failed(format!("--{file} is not given (see --help)"))),
        Some(option) if option == string => given.value(option).unwrap_or_default().to_owned(),
        Some(option) => match given.value(option) {
            Some("-") | None => std::io::read_to_string(std::io::stdin())
                .map_err(|error| failed(format!("cannot read standard input: {error}")))?,
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| failed(format!("cannot read {path}: {error}")))?,
        },
    };
    Document::parse(&text).map_err(|error| failed(error.to_string()))
}

fn compare(original: &Document, new: &Document, given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let (old_root, new_root) = (original.name(original.root()), new.name(new.root()));
    if old_root != new_root {
        let message = format!(
            "a '{old_root}' and a '{new_root}' cannot be compared: the outermost elements must be of one name"
        );
        return Err(Problem::new(exit::DATA, message));
    }
    let options = Options { versions: !given.has("no-version"), digest: given.has("cib") };
    let Some(patch) = Patchset::compare(original, new, options) else { return Ok(0) };
    let text = patch.to_document().to_pretty();
    out.block(&text);
    out.xml.literal("patchset", &[], &text);
    Ok(DIFFERENT)
}

/// Versions must fit only where whole CIBs are meant.
fn apply(original: &Document, patch: &Document, versions: bool, out: &mut Output) -> Result<u8, Problem> {
    let refused = |refusal: cib::refusal::Refusal| {
        Problem::new(refusal.code.exit_status(), format!("Could not apply patch: {refusal}"))
    };
    let mut patch = Patchset::parse(patch).map_err(refused)?;
    if !versions {
        patch.source = None;
    }
    let text = patch.apply(original).map_err(refused)?.to_pretty();
    out.block(&text);
    out.xml.literal("patchset", &[], &text);
    Ok(0)
}
