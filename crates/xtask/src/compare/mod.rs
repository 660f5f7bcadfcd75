//! `cargo xtask compare`: what the scheduler decides, side by side with the reference's `crm_simulate`, on
//! clusters made up at random and on changed copies of recorded inputs.
//!
//! A difference is no proof of an error: the reference on a machine may be older than the one that the
//! specification describes. `known.rs` lists what is known of that.

mod known;
mod make;
mod minimise;
mod mutate;
mod outcome;
mod random;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use outcome::{Outcome, difference, differing};

/// The reference's tool, from Debian's package pacemaker-cli-utils. `--reference PROGRAM` names a newer one, as
/// from a later release of Debian unpacked beside this one; nothing is then explained by its age.
const REFERENCE: &str = "/usr/sbin/crm_simulate";

pub struct Options {
    first: u64,
    count: u64,
    /// Inputs to change instead of making clusters up.
    mutate: Option<PathBuf>,
    /// Only inputs whose name contains this.
    only: Option<String>,
    /// Where differences are stored.
    keep: PathBuf,
    minimise: bool,
    /// Only differences in this aspect.
    aspect: Option<String>,
    /// Report what a known cause may explain as well.
    all: bool,
    /// No colocations in made-up clusters.
    no_colocations: bool,
    /// Our tool.
    binary: Option<PathBuf>,
    /// The reference's tool, if not the installed one.
    reference: Option<PathBuf>,
    /// Files to compare as they are.
    files: Vec<PathBuf>,
    /// More options for both tools, with the files.
    words: Vec<String>,
}

impl Options {
    pub fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            first: 1,
            count: 100,
            mutate: None,
            only: None,
            keep: PathBuf::from("target/compare"),
            minimise: false,
            aspect: None,
            all: false,
            no_colocations: false,
            binary: None,
            reference: None,
            files: Vec::new(),
            words: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match *word {
                "--seed" => options.first = value()?.parse().map_err(|_| "--seed needs a number")?,
                "--count" => options.count = value()?.parse().map_err(|_| "--count needs a number")?,
                "--mutate" => options.mutate = Some(PathBuf::from(value()?)),
                "--only" => options.only = Some((*value()?).to_owned()),
                "--keep" => options.keep = PathBuf::from(value()?),
                "--binary" => options.binary = Some(PathBuf::from(value()?)),
                "--reference" => options.reference = Some(PathBuf::from(value()?)),
                "--aspect" => options.aspect = Some((*value()?).to_owned()),
                "--all" => options.all = true,
                "--no-colocations" => options.no_colocations = true,
                "--minimise" => options.minimise = true,
                "--" => options.words = words.by_ref().map(|word| (*word).to_owned()).collect(),
                other if other.starts_with('-') => {
                    return Err(format!("unknown option {other:?} of compare"));
                }
                file => options.files.push(PathBuf::from(file)),
            }
        }
        Ok(options)
    }
}

pub fn run(root: &Path, options: &Options) -> ExitCode {
    crate::report::exit(
        Comparison::new(root, options)
            .and_then(|mut comparison| comparison.all(options))
            .map(|different| different == 0),
    )
}

/// Aspects that do not depend on whether a plan can be carried out.
const BEFORE_THE_PLAN: &[&str] = &["header", "scores", "status"];

struct Comparison {
    ours: PathBuf,
    reference: PathBuf,
    /// What the reference's tool needs before all options to write as it does by default now.
    words: &'static [&'static str],
    /// Options for both, of the input at hand.
    given: Vec<String>,
    /// Report what the reference cannot carry out as well.
    all: bool,
    /// Nothing is explained by the reference's age.
    exact: bool,
    folder: tempfile::TempDir,
    /// How many inputs differ in which aspects.
    counts: BTreeMap<String, u64>,
}

impl Comparison {
    fn new(root: &Path, options: &Options) -> Result<Comparison, String> {
        let reference = options.reference.clone().unwrap_or_else(|| PathBuf::from(REFERENCE));
        if !reference.exists() {
            return Err(format!("{} is needed (Debian's package pacemaker-cli-utils)", reference.display()));
        }
        let ours = match &options.binary {
            Some(path) => path.clone(),
            None => crate::live::release_binary(root)?,
        };
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let exact = options.all || options.reference.is_some();
        let words: &[&str] = if options.reference.is_some() { &[] } else { &["--text-fancy"] };
        Ok(Comparison {
            ours,
            reference,
            words,
            given: Vec::new(),
            all: options.all,
            exact,
            folder,
            counts: BTreeMap::new(),
        })
    }

    /// Compares everything asked for; returns how many inputs differ without a known cause.
    fn all(&mut self, options: &Options) -> Result<u64, String> {
        fs::create_dir_all(&options.keep).map_err(|error| error.to_string())?;
        let mut unexplained = 0;
        for file in &options.files {
            let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            self.given = options.words.clone();
            unexplained += u64::from(self.one(&name, &text, options)?);
        }
        if options.files.is_empty() {
            for seed in options.first..options.first + options.count {
                let (name, text) = match &options.mutate {
                    Some(folder) => match mutate::document(folder, options.only.as_deref(), seed)? {
                        Some(found) => found,
                        None => continue,
                    },
                    None => {
                        let (text, words) = make::document(seed, !options.no_colocations);
                        self.given = words;
                        (format!("seed-{seed}"), text)
                    }
                };
                unexplained += u64::from(self.one(&name, &text, options)?);
            }
        }
        for (what, count) in &self.counts {
            println!("{count:6}  {what}");
        }
        Ok(unexplained)
    }

    /// Compares one input and reports; true if it differs without a known cause.
    fn one(&mut self, name: &str, text: &str, options: &Options) -> Result<bool, String> {
        let (ours, reference) = self.both(text)?;
        let (aspects, known) = self.verdict(text, &ours, &reference);
        let label = match (&known, aspects.is_empty()) {
            (_, true) => "same".to_owned(),
            (Some(cause), _) => format!("known: {cause}"),
            (None, _) => aspects.join(" "),
        };
        *self.counts.entry(label.clone()).or_default() += 1;
        if aspects.is_empty() || known.is_some() {
            return Ok(false);
        }
        if options.aspect.as_ref().is_some_and(|aspect| !aspects.contains(&aspect.as_str())) {
            return Ok(false);
        }
        println!("{name}: {label}");
        let mut shown = text.to_owned();
        if options.minimise {
            let gravest = options.aspect.as_deref().unwrap_or(aspects[0]);
            shown = minimise::minimise(text, |smaller| {
                let Ok((ours, reference)) = self.both(smaller) else { return false };
                let (aspects, known) = self.verdict(smaller, &ours, &reference);
                known.is_none() && aspects.contains(&gravest)
            });
        }
        self.store(name, &shown, &options.keep)?;
        Ok(true)
    }

    fn both(&self, text: &str) -> Result<(Outcome, Outcome), String> {
        let input = self.folder.path().join("input.xml");
        fs::write(&input, text).map_err(|error| error.to_string())?;
        let run = |program: &Path, words: &[&str]| {
            outcome::run(program, words, &input, &self.given, self.folder.path(), self.exact)
        };
        Ok((run(&self.ours, &["crm_simulate"])?, run(&self.reference, self.words)?))
    }

    fn store(&self, name: &str, text: &str, keep: &Path) -> Result<(), String> {
        let (ours, reference) = self.both(text)?;
        let mut report = String::new();
        if !self.given.is_empty() {
            report += &format!("options: {:?}\n", self.given);
        }
        for aspect in differing(&ours, &reference) {
            report += &format!("{aspect} (- ours, + reference)\n");
            for line in difference(aspect, &ours, &reference) {
                report += &format!("  {line}\n");
            }
        }
        let write = |ending: &str, text: &str| {
            fs::write(keep.join(format!("{name}.{ending}")), text).map_err(|error| error.to_string())
        };
        write("xml", text)?;
        write("diff", &report)
    }

    /// The differing aspects, and the cause if it is known.
    fn verdict(
        &self,
        text: &str,
        ours: &Outcome,
        reference: &Outcome,
    ) -> (Vec<&'static str>, Option<String>) {
        if let Some(why) = &reference.unusable {
            // what the reference cannot do is no measure
            return (vec!["exit"], Some(format!("the reference fails ({why})")));
        }
        if let Some(why) = &ours.unusable {
            eprintln!("ours fails: {why}");
            return (vec!["exit"], None);
        }
        let aspects = differing(ours, reference);
        // where an operation is to fail both fail, so what was left out tells
        let carried_out = !ours.failed() || (ours.spares && self.given.iter().any(|word| word == "-F"));
        if !self.all && reference.failed() && !aspects.is_empty() && carried_out {
            // what comes before the plan is the same all the same
            let before: Vec<&'static str> =
                aspects.iter().copied().filter(|aspect| BEFORE_THE_PLAN.contains(aspect)).collect();
            if self.exact && !before.is_empty() {
                return (before, None);
            }
            return (aspects, Some("the reference's own plan cannot be carried out, ours can".to_owned()));
        }
        if !self.all && aspects.contains(&"actions") && ours.spares_offline {
            return (
                aspects,
                Some("the reference plans on a node that is offline, ours does not".to_owned()),
            );
        }
        if !self.all && aspects.contains(&"actions") && ours.spares {
            return (aspects, Some("what ours leaves out would break an invariant".to_owned()));
        }
        let known = if self.exact || aspects.is_empty() { None } else { known::cause(text, ours, reference) };
        (aspects, known)
    }
}
