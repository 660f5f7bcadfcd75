//! Counts of what passed, failed and was skipped, and the closing line that test runners end with.

use std::process::ExitCode;

/// Exit code of a command that says whether all is well, or why it could not find out.
pub fn exit(outcome: Result<bool, String>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The outcome of a whole test run, step by step.
#[derive(Default)]
pub struct Report {
    pub passed: u64,
    pub failed: u64,
    skipped: Vec<(String, String)>,
    failures: Vec<String>,
}

impl Report {
    pub fn pass(&mut self, count: u64) {
        self.passed += count;
    }

    pub fn fail(&mut self, what: impl Into<String>, count: u64) {
        self.failed += count;
        self.failures.push(what.into());
    }

    /// Notes a step that could not run here, and why.
    pub fn skip(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.skipped.push((what.into(), why.into()));
    }

    /// Adds what another report has.
    pub fn add(&mut self, other: Report) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
        self.failures.extend(other.failures);
    }

    /// Adds the counts of one `test result:` line of the test harness; false if it is no such line.
    pub fn add_harness_line(&mut self, line: &str) -> bool {
        let Some(rest) = line.trim().strip_prefix("test result: ") else { return false };
        let count = |word: &str| -> u64 {
            rest.split([';', '.'])
                .filter_map(|part| part.trim().strip_suffix(word))
                .find_map(|number| number.trim().parse().ok())
                .unwrap_or(0)
        };
        self.passed += count(" passed");
        self.failed += count(" failed");
        true
    }

    /// Prints what was skipped, what failed, and the closing line. True if the run is good.
    pub fn close(&self, skips_fail: bool) -> bool {
        println!();
        for (what, why) in &self.skipped {
            println!("skipped: {what}: {why}");
        }
        for failure in &self.failures {
            println!("failed: {failure}");
        }
        let complete = self.skipped.is_empty() || !skips_fail;
        let good = self.failures.is_empty() && self.failed == 0 && complete;
        if !complete {
            println!("a skip is a failure here (--ci)");
        }
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len());
        good
    }
}
