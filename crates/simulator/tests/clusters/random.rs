//! Random runs. `SEED=n` repeats one, `SEEDS=n` makes that many fresh ones.

use simulator::faults::{Plan, run};

use super::planner;

/// Seeds that are always run.
const FIXED: std::ops::Range<u64> = 1..17;

#[test]
fn fixed_and_fresh_seeds_end_well() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match (number("SEED"), number("SEEDS")) {
        (Some(one), None) => vec![one],
        (first, count) => {
            let fresh = first.unwrap_or_else(fresh_seed);
            FIXED.chain((0..count.unwrap_or(5)).map(|step| fresh + step)).collect()
        }
    };
    for seed in seeds {
        // the seed decides about size and configuration as well
        let plan =
            Plan { hosts: if seed % 5 == 0 { 5 } else { 3 }, database: seed % 3 == 0, ..Plan::default() };
        if let Err(problem) = run(seed, &plan, planner) {
            panic!("{problem}\n\nrepeat with SEED={seed}");
        }
    }
}

/// Differs from run to run; printed if it fails.
#[allow(clippy::disallowed_methods, reason = "only to find new seeds; each run follows from its seed")]
fn fresh_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(1, |time| time.as_nanos() as u64 % 1_000_000_000)
}
