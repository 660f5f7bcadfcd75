//! Every kept input, and a short run of new ones; a longer run is `cargo xtask fuzz TARGET`.

use fuzz::run::{Bounds, Length, feed_once, run, save};
use fuzz::{Target, corpus, large};

/// Mutated inputs for each target.
const INPUTS: usize = 250;

#[test]
fn kept_inputs_are_survived() {
    let kept = corpus::kept();
    assert!(!kept.is_empty());
    for (file, input) in kept {
        for target in Target::ALL {
            if let Err(error) = feed_once(target, &input) {
                panic!("{} makes {} panic: {error}", file.display(), target.name());
            }
        }
    }
}

#[test]
fn mutated_inputs_are_survived() {
    for target in Target::ALL {
        let mut found = Vec::new();
        let mut note = |input: &[u8]| found.push(save(target, input, "panic"));
        run(target, corpus::parents(), 1, Length::Inputs(INPUTS), Bounds::default(), &mut note);
        assert!(found.is_empty(), "{} panics: {found:?}", target.name());
    }
}

/// Small enough for a test; `cargo xtask fuzz TARGET --large 100` feeds what is really large.
const LARGE: usize = 100_000;

#[test]
fn large_documents_are_survived() {
    for target in Target::ALL {
        for (name, input) in large::inputs(LARGE) {
            if let Err(error) = feed_once(target, input.as_bytes()) {
                panic!("{name} makes {} panic: {error}", target.name());
            }
        }
    }
}
