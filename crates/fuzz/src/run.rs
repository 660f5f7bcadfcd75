//! Feeds inputs under watch: a panic, too long a time or too much memory ends the run with the input saved.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::cpu::Stopwatch;
use crate::memory;
use crate::mutate::mutate;
use crate::random::Random;
use crate::target::{Features, Target};

/// What one input may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of computing. One that computes nothing is given ten times that: the machine may have other work.
    pub time: Duration,
    /// Bytes, whatever its size. Documented bounds (instances of a clone, replicas of a bundle) let a small
    /// input ask for this much.
    pub memory: usize,
    /// Further bytes for each byte of the input.
    pub memory_per_byte: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { time: Duration::from_secs(60), memory: 1 << 30, memory_per_byte: 400 }
    }
}

impl Bounds {
    fn memory_for(&self, input: &[u8]) -> usize {
        self.memory + self.memory_per_byte * input.len()
    }
}

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    Inputs(usize),
    Time(Duration),
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    pub inputs: usize,
    /// Inputs that showed something new.
    pub kept: usize,
    pub features: usize,
    /// Of computing.
    pub slowest: Duration,
    /// The most memory that one input took, in bytes (0 without the counting allocator).
    pub most_memory: usize,
}

/// More parents than these are not kept.
const MOST_PARENTS: usize = 20_000;

/// Feeds mutated `parents` to `target` and calls `found` with each input that makes it panic.
pub fn run(
    target: Target,
    mut parents: Vec<Vec<u8>>,
    seed: u64,
    length: Length,
    bounds: Bounds,
    found: &mut dyn FnMut(&[u8]),
) -> Report {
    let watch = Watch::begin(target, bounds);
    let begun = Instant::now();
    let mut report = Report::default();
    let mut known = Features::new();
    loop {
        let over = match length {
            Length::Inputs(count) => report.inputs >= count,
            Length::Time(time) => begun.elapsed() >= time,
        };
        if over {
            report.features = known.len();
            return report;
        }
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(report.inputs as u64));
        let input = mutate(target, &parents, &mut random);
        report.inputs += 1;
        match feed(target, &input, &watch, &mut report) {
            None => found(&input),
            Some(features) => {
                let before = known.len();
                known.extend(features);
                if known.len() > before && parents.len() < MOST_PARENTS && input.len() < 100_000 {
                    report.kept += 1;
                    parents.push(input);
                }
            }
        }
    }
}

/// None if it panics.
fn feed(target: Target, input: &[u8], watch: &Watch, report: &mut Report) -> Option<Features> {
    memory::forget_most();
    let before = memory::used();
    watch.now(Some(input));
    let stopwatch = Stopwatch::begin();
    let result = catch_unwind(AssertUnwindSafe(|| target.feed(input)));
    report.slowest = report.slowest.max(stopwatch.computed());
    report.most_memory = report.most_memory.max(memory::most().saturating_sub(before));
    watch.now(None);
    result.ok()
}

/// Feeds one input; an error says what was wrong with it.
pub fn feed_once(target: Target, input: &[u8]) -> Result<(), String> {
    let caught = catch_unwind(AssertUnwindSafe(|| target.feed(input)));
    caught.map(drop).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// Saves an input where it can be looked at, and says where.
pub fn save(target: Target, input: &[u8], what: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("fuzz-{}-{what}-{}.xml", target.name(), std::process::id()));
    let free = (0..).map(|number| file.with_extension(format!("{number}.xml"))).find(|file| !file.exists());
    let file = free.unwrap_or(file);
    if let Err(error) = std::fs::write(&file, input) {
        eprintln!("{}: {error}", file.display());
    }
    file
}

/// A thread that ends the process when an input takes too much.
struct Watch {
    current: Arc<Mutex<Option<Current>>>,
}

/// The input that is being fed.
struct Current {
    stopwatch: Stopwatch,
    /// Bytes in use before it.
    before: usize,
    input: Vec<u8>,
}

impl Watch {
    fn begin(target: Target, bounds: Bounds) -> Watch {
        let current: Arc<Mutex<Option<Current>>> = Arc::default();
        let weak = Arc::downgrade(&current);
        std::thread::spawn(move || {
            while let Some(current) = weak.upgrade() {
                if let Ok(guard) = current.lock() {
                    if let Some(current) = &*guard {
                        judge(target, bounds, current);
                    }
                }
                drop(current);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Watch { current }
    }

    fn now(&self, input: Option<&[u8]>) {
        if let Ok(mut current) = self.current.lock() {
            *current = input.map(|input| Current {
                stopwatch: Stopwatch::begin(),
                before: memory::used(),
                input: input.to_vec(),
            });
        }
    }
}

fn judge(target: Target, bounds: Bounds, current: &Current) {
    let (computed, passed) = (current.stopwatch.computed(), current.stopwatch.passed());
    let used = memory::used().saturating_sub(current.before);
    let input = &current.input;
    let what = if computed > bounds.time || passed > bounds.time * 10 {
        "slow"
    } else if used > bounds.memory_for(input) {
        "memory"
    } else {
        return;
    };
    let file: &Path = &save(target, input, what);
    eprintln!(
        "an input of {} bytes took {:.1} s ({:.1} s of computing) and {} MiB: {}",
        input.len(),
        passed.as_secs_f64(),
        computed.as_secs_f64(),
        used >> 20,
        file.display()
    );
    std::process::exit(1);
}
