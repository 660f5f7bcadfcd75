//! `fuzz TARGET`: see [`HELP`].

use std::process::ExitCode;
use std::time::Duration;

use fuzz::run::{Bounds, Length, feed_once, run, save};
use fuzz::{Target, corpus, cpu, large, memory, minimize, target};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

const HELP: &str = "\
fuzz TARGET [--seconds N] [--seed N] [--cuts]   feed mutated inputs (60 s; seed 1)
fuzz TARGET --minimize FILE                     make an input smaller that makes the target panic
fuzz TARGET FILE...                             feed these files
fuzz TARGET --large MIB                         feed documents of this size in the shapes hardest to read

targets: xml, cib, plan
--cuts   (plan) also report valid configurations whose plan had to be cut

What is found is saved in the temporary folder. Exit status: 0 nothing found, 1 something, 2 usage.
";

#[derive(Default)]
struct Arguments {
    seconds: Option<u64>,
    seed: u64,
    cuts: bool,
    minimize: bool,
    /// MiB.
    large: Option<usize>,
    files: Vec<String>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let parsed = words.split_first().and_then(|(name, rest)| Some((Target::parse(name)?, parse(rest)?)));
    let Some((target, arguments)) = parsed else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let clean = match (arguments.minimize, arguments.large, arguments.files.as_slice()) {
        (true, _, files) => files.iter().all(|file| smaller(target, file, arguments.cuts)),
        (false, Some(mib), _) => feed_large(target, mib << 20),
        (false, None, []) => search(target, &arguments),
        (false, None, files) => files.iter().filter(|file| !replay(target, file)).count() == 0,
    };
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(words: &[String]) -> Option<Arguments> {
    let mut arguments = Arguments { seed: 1, ..Arguments::default() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => arguments.seconds = Some(words.next()?.parse().ok()?),
            "--seed" => arguments.seed = words.next()?.parse().ok()?,
            "--cuts" => arguments.cuts = true,
            "--minimize" => arguments.minimize = true,
            "--large" => arguments.large = Some(words.next()?.parse().ok()?),
            option if option.starts_with('-') => return None,
            file => arguments.files.push(file.to_owned()),
        }
    }
    Some(arguments)
}

fn search(target: Target, arguments: &Arguments) -> bool {
    let length = Length::Time(Duration::from_secs(arguments.seconds.unwrap_or(60)));
    let mut found = 0;
    let mut tell = |input: &[u8]| {
        found += 1;
        println!("panics: {}", save(target, input, "panic").display());
    };
    let report = run(target, corpus::parents(), arguments.seed, length, Bounds::default(), &mut tell);
    println!(
        "{}: {} inputs, {found} panicked; {} features, {} inputs kept; slowest {:.2} s of computing, most memory {} MiB",
        target.name(),
        report.inputs,
        report.features,
        report.kept,
        report.slowest.as_secs_f64(),
        report.most_memory >> 20
    );
    found == 0 && (!arguments.cuts || cuts(arguments))
}

/// Looks for valid configurations whose plan was not sound at first; each cause is shown once.
fn cuts(arguments: &Arguments) -> bool {
    let parents = corpus::parents();
    let begun = std::time::Instant::now();
    let mut number = 0;
    let mut found = 0;
    while begun.elapsed().as_secs() < arguments.seconds.unwrap_or(60) {
        let mut random = fuzz::random::Random::new(arguments.seed.wrapping_mul(77_777).wrapping_add(number));
        let input = fuzz::mutate::mutate(Target::Plan, &parents, &mut random);
        number += 1;
        for cut in target::cuts_of_valid(&input).into_iter().take(1) {
            found += 1;
            println!("{cut}\n    {}", save(Target::Plan, &input, "cut").display());
        }
    }
    println!("{number} inputs, {found} valid ones with a plan that had to be cut");
    found == 0
}

fn replay(target: Target, file: &str) -> bool {
    let Ok(input) = std::fs::read(file) else {
        eprintln!("{file} cannot be read");
        return false;
    };
    let survived = feed_and_tell(target, file, &input);
    target::cuts_of_valid(&input).iter().for_each(|cut| println!("    {cut}"));
    survived
}

fn feed_large(target: Target, bytes: usize) -> bool {
    // all are fed, whatever the first ones do
    let failed = |(name, input): &(&str, String)| !feed_and_tell(target, name, input.as_bytes());
    large::inputs(bytes).filter(failed).count() == 0
}

/// Feeds one input and says what that took, memory beside the input's own; whether it was survived.
fn feed_and_tell(target: Target, name: &str, input: &[u8]) -> bool {
    let stopwatch = cpu::Stopwatch::begin();
    let before = memory::used();
    memory::forget_most();
    let result = feed_once(target, input);
    let verdict = result.as_ref().map_or_else(|error| format!("panics: {error}"), |()| "survived".to_owned());
    let most = memory::most().saturating_sub(before) >> 20;
    println!("{name}: {verdict} ({:.2} s of computing, {most} MiB)", stopwatch.computed().as_secs_f64());
    result.is_ok()
}

fn smaller(target: Target, file: &str, cuts: bool) -> bool {
    let Ok(input) = std::fs::read(file) else {
        eprintln!("{file} cannot be read");
        return false;
    };
    std::panic::set_hook(Box::new(|_| {}));
    let fails = |input: &[u8]| match cuts {
        true => !target::cuts_of_valid(input).is_empty(),
        false => feed_once(target, input).is_err(),
    };
    if !fails(&input) {
        eprintln!("{file} shows no fault");
        return false;
    }
    let text = minimize::minimize(&input, 20_000, &fails);
    print!("{}", String::from_utf8_lossy(&text));
    true
}
