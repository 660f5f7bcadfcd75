//! Differences that come with the version of the reference (2.1.5 beside the newer one that is specified),
//! so far as they can be told from the input and from what differs: a broad guess. With `--reference` and a
//! release that the specification describes nothing is explained away, so that is the comparison that counts.
//! Whoever finds another cause adds it here, with the rule that says so.

use super::outcome::{Outcome, differing};

/// A cause: what it is called, and whether it explains these differing aspects of this input.
type Cause = (&'static str, fn(&str, &[&str]) -> bool);

const CAUSES: &[Cause] = &[
    ("colocations are weighed otherwise (2.16, 2.18)", |text, aspects| {
        text.contains("<rsc_colocation") && aspects.contains(&"scores")
    }),
    ("colocations block what depends on a blocked action otherwise (3.26.1)", |text, aspects| {
        has_mandatory_colocation(text) && aspects.contains(&"actions")
    }),
    ("instances are sorted and numbered otherwise (2.20.8)", |text, aspects| {
        text.contains("<clone ") && aspects.contains(&"scores")
    }),
    ("bundles ask for their scores less often (2.22.4)", |text, aspects| {
        text.contains("<bundle ") && aspects.contains(&"scores")
    }),
    ("ordered instances wait for all before them (3.29.2)", |text, aspects| {
        (text.contains("name=\"ordered\"") || text.contains("<bundle ")) && !aspects.contains(&"actions")
    }),
    ("notification actions have other numbers (3.7.2)", |text, aspects| {
        text.contains("name=\"notify\"") && !aspects.contains(&"actions")
    }),
    ("resources of nodes in maintenance are in maintenance (1.16.2)", |text, _| {
        text.contains("name=\"maintenance\" value=\"true\"") || text.contains("name=\"maintenance-mode\"")
    }),
    ("rules on an agent's type alone match (1.6.6)", |text, _| text.contains("\" type=\"Dummy\"/></rule>")),
    ("score-attribute of a missing attribute is skipped (2.9.8)", |text, _| {
        text.contains("score-attribute=")
    }),
    ("on-fail=stop means nothing for a stop (1.10.5)", |text, _| text.contains("value=\"stop\"")),
    ("the state of a node may be a time (1.7.7.1)", |text, _| {
        [" in_ccm=\"1699", " crmd=\"1699"].iter().any(|time| text.contains(time))
    }),
    ("some results of operations mean something else (1.12)", |text, _| {
        const RESULTS: &[&str] = &[
            "operation=\"reload-agent\"",
            "operation=\"asyncmon\"",
            "rc-code=\"190\"",
            "rc-code=\"191\"",
            "rc-code=\"8\"",
            "rc-code=\"9\"",
        ];
        RESULTS.iter().any(|result| text.contains(result))
    }),
    ("delays have an upper limit (3.5.5)", |text, _| {
        text.contains("name=\"start-delay\" value=\"2147483648\"")
    }),
    ("words have changed", |_, aspects| {
        aspects.iter().all(|aspect| matches!(*aspect, "status" | "summary" | "revised"))
    }),
];

/// The cause of a difference, if it is likely one of the known ones.
pub fn cause(text: &str, ours: &Outcome, reference: &Outcome) -> Option<String> {
    let aspects = differing(ours, reference);
    CAUSES.iter().find(|(_, explains)| explains(text, &aspects)).map(|(name, _)| (*name).to_owned())
}

fn has_mandatory_colocation(text: &str) -> bool {
    let tags = text.split("<rsc_colocation").skip(1).filter_map(|rest| rest.split('>').next());
    tags.into_iter().any(|tag| tag.contains(" score=\"INFINITY\""))
}
