//! `cargo xtask bench cases DIR`: every saved input of a directory, ours and the reference's in turn; says where
//! the reference is nearest, for nowhere may we be slower.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use super::REFERENCE;

pub struct Options {
    folder: PathBuf,
    /// Counted runs of each side; the fastest counts.
    runs: usize,
    /// Only every so many inputs.
    step: usize,
}

impl Options {
    pub fn parse(words: &[&str]) -> Result<Options, String> {
        let Some((folder, words)) = words.split_first() else {
            return Err("bench cases needs a directory of saved inputs".into());
        };
        let mut options = Options { folder: PathBuf::from(folder), runs: 3, step: 1 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let number = value.parse().map_err(|_| format!("{word} needs a number"))?;
            match *word {
                "--runs" => options.runs = number,
                "--step" => options.step = usize::max(1, number),
                other => return Err(format!("unknown option {other:?} of bench cases")),
            }
        }
        Ok(options)
    }
}

/// What was measured of one input.
struct Measured {
    name: String,
    ours: Duration,
    reference: Duration,
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.reference.as_secs_f64() / self.ours.as_secs_f64().max(1e-9)
    }
}

pub fn run(root: &Path, options: &Options) -> ExitCode {
    match measure(root, options) {
        Ok(measured) => report(measured),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(root: &Path, options: &Options) -> Result<Vec<Measured>, String> {
    let ours = crate::live::release_binary(root)?;
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let entries = fs::read_dir(&options.folder).map_err(|error| error.to_string())?;
    let mut inputs: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    inputs.sort();
    let mut measured = Vec::new();
    for input in inputs.iter().step_by(options.step) {
        let name = input.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut one = Measured { name, ours: Duration::MAX, reference: Duration::MAX };
        for _ in 0..options.runs {
            one.ours = one.ours.min(once(&ours, &["crm_simulate"], input, place.path())?);
            one.reference = one.reference.min(once(Path::new(REFERENCE), &[], input, place.path())?);
        }
        measured.push(one);
    }
    Ok(measured)
}

/// How long one whole process takes, whatever it answers.
fn once(program: &Path, words: &[&str], input: &Path, place: &Path) -> Result<Duration, String> {
    let begun = Instant::now();
    Command::new(program)
        .args(words)
        .arg("-x")
        .arg(input)
        .arg("-S")
        .env("CIB_shadow_dir", place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(begun.elapsed())
}

fn report(mut measured: Vec<Measured>) -> ExitCode {
    measured.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
    println!("| input | ours ms | reference ms | ratio |");
    println!("| --- | ---: | ---: | ---: |");
    for one in measured.iter().take(5) {
        let (ours, reference) = (one.ours.as_secs_f64() * 1e3, one.reference.as_secs_f64() * 1e3);
        println!("| {} | {ours:.1} | {reference:.1} | {:.1} |", one.name, one.ratio());
    }
    let slower = measured.iter().filter(|one| one.ratio() < 1.0).count();
    let middle = measured.get(measured.len() / 2).map_or(0.0, Measured::ratio);
    println!("{} inputs, slower than the reference on {slower}; middle ratio {middle:.1}", measured.len());
    if slower == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
