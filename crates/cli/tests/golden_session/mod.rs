//! A recorded session of command lines: reading, running, comparing, writing.

mod newer;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where sessions run.
pub struct Place {
    inputs: PathBuf,
    /// Holds the names of the tools as links to this program.
    links: tempfile::TempDir,
}

impl Place {
    pub fn new(root: &Path, program: &Path) -> Place {
        let links = tempfile::tempdir().unwrap();
        let made = Command::new(program).arg("install-links").arg(links.path()).output().unwrap();
        assert!(made.status.success(), "install-links: {}", String::from_utf8_lossy(&made.stderr));
        Place { inputs: root.join("inputs"), links }
    }
}

/// Whose tools run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Own,
    Reference,
}

/// What a command line gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    out: Vec<String>,
    err: Vec<String>,
    code: i32,
}

#[derive(Debug)]
enum Line {
    /// Comments and blank lines, kept as they are.
    Other(String),
    Input(String),
    Command(Step),
}

#[derive(Debug)]
struct Step {
    command: String,
    reference: Outcome,
    own: Option<(String, Outcome)>,
}

/// A difference nobody has explained yet.
const UNEXPLAINED: &str = "UNEXPLAINED";

/// A difference in messages only: these are this program's own, and say what to do.
const OWN_WORDS: &str = "own words on standard error";

#[derive(Debug)]
pub struct Session {
    lines: Vec<Line>,
}

impl Session {
    pub fn parse(text: &str) -> Result<Session, String> {
        let mut lines: Vec<Line> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let fail = |what: &str| Err(format!("line {}: {what}", number + 1));
            if let Some(name) = line.strip_prefix("cib ") {
                lines.push(Line::Input(name.to_owned()));
                continue;
            }
            if line.is_empty() || line.starts_with('#') {
                lines.push(Line::Other(line.to_owned()));
                continue;
            }
            if let Some(command) = line.strip_prefix("$ ") {
                let step = Step { command: command.to_owned(), reference: Outcome::default(), own: None };
                lines.push(Line::Command(step));
                continue;
            }
            let Some(Line::Command(step)) = lines.last_mut() else { return fail("no command before this") };
            if let Some(reason) = line.strip_prefix("~ ") {
                step.own = Some((reason.to_owned(), Outcome::default()));
                continue;
            }
            let outcome = step.own.as_mut().map_or(&mut step.reference, |(_, outcome)| outcome);
            match line.split_at_checked(1) {
                Some((">", rest)) => outcome.out.push(rest.strip_prefix(' ').unwrap_or(rest).to_owned()),
                Some(("!", rest)) => outcome.err.push(rest.strip_prefix(' ').unwrap_or(rest).to_owned()),
                Some(("=", rest)) => {
                    outcome.code = rest.trim().parse().map_err(|_| format!("line {}: no code", number + 1))?
                }
                _ => return fail("not understood"),
            }
        }
        Ok(Session { lines })
    }

    pub fn len(&self) -> usize {
        self.lines.iter().filter(|line| matches!(line, Line::Command(_))).count()
    }

    /// Puts what the reference's tools say in the place of what was recorded.
    pub fn record_reference(&mut self, place: &Place) {
        self.run(place, Side::Reference, |step, outcome| step.reference = outcome);
    }

    /// Runs this program; gives what is not as recorded. With `update`, records it.
    pub fn compare(&mut self, place: &Place, update: bool) -> Vec<String> {
        let mut failures = Vec::new();
        self.run(place, Side::Own, |step, outcome| {
            let expected = step.own.as_ref().map_or(&step.reference, |(_, outcome)| outcome);
            let unexplained = step.own.as_ref().is_some_and(|(reason, _)| reason == UNEXPLAINED);
            if update {
                step.own = explained(step, outcome);
                if step.own.as_ref().is_some_and(|(reason, _)| reason == UNEXPLAINED) {
                    failures.push(format!("no reason given\n$ {}", step.command));
                }
            } else if outcome != *expected {
                let (expected, found) = (body(expected), body(&outcome));
                failures.push(format!("$ {}\nexpected:\n{expected}found:\n{found}", step.command));
            } else if unexplained {
                failures.push(format!("no reason given\n$ {}", step.command));
            }
        });
        failures
    }

    fn run(&mut self, place: &Place, side: Side, mut each: impl FnMut(&mut Step, Outcome)) {
        let folder = tempfile::tempdir().unwrap();
        for line in &mut self.lines {
            match line {
                Line::Other(_) => {}
                Line::Input(name) => {
                    fs::copy(place.inputs.join(&*name), folder.path().join("cib.xml")).unwrap();
                }
                Line::Command(step) => {
                    let outcome = execute(place, side, folder.path(), &step.command);
                    each(step, outcome);
                }
            }
        }
    }
}

/// How an answer is to be recorded: not at all where it is the reference's.
fn explained(step: &Step, outcome: Outcome) -> Option<(String, Outcome)> {
    if outcome == step.reference {
        return None;
    }
    let same_result = outcome.out == step.reference.out && outcome.code == step.reference.code;
    let reason = match &step.own {
        Some((reason, _)) if reason != UNEXPLAINED && reason != OWN_WORDS => reason.clone(),
        _ if same_result => OWN_WORDS.to_owned(),
        _ => UNEXPLAINED.to_owned(),
    };
    Some((reason, outcome))
}

fn execute(place: &Place, side: Side, folder: &Path, command: &str) -> Outcome {
    let tools = match side {
        Side::Own => place.links.path().to_owned(),
        Side::Reference => PathBuf::from("/usr/sbin"),
    };
    let run = Command::new("/bin/sh")
        .args(["-c", command])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .env("HOME", folder)
        .env("USER", "tester")
        .env("SHELL", "/bin/true")
        .env("CIB_file", "cib.xml")
        .env("CIB_shadow_dir", folder)
        .env("SYSTOLE_SOCKET", "/nonexistent/api.sock")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let lines = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace(&*folder.to_string_lossy(), "DIR");
        let text = if side == Side::Reference { newer::translate(&text) } else { text };
        text.lines().map(newer::settle).collect()
    };
    Outcome { out: lines(&run.stdout), err: lines(&run.stderr), code: run.status.code().unwrap_or(-1) }
}

fn body(outcome: &Outcome) -> String {
    let mut text = String::new();
    for (mark, lines) in [('>', &outcome.out), ('!', &outcome.err)] {
        for line in lines {
            text.push_str(format!("{mark} {line}").trim_end_matches(|c| c == ' ' && line.is_empty()));
            text.push('\n');
        }
    }
    text.push_str(&format!("= {}\n", outcome.code));
    text
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            match line {
                Line::Other(text) => writeln!(f, "{text}")?,
                Line::Input(name) => writeln!(f, "cib {name}")?,
                Line::Command(step) => {
                    write!(f, "$ {}\n{}", step.command, body(&step.reference))?;
                    if let Some((reason, outcome)) = &step.own {
                        write!(f, "~ {reason}\n{}", body(outcome))?;
                    }
                }
            }
        }
        Ok(())
    }
}
