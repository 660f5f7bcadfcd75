//! systemd units, by way of `systemctl`: it waits for the job that it starts, so a start or stop is over
//! when it returns (rule 4.6.4).

use std::ffi::OsString;
use std::path::Path;

use crate::{Outcome, Status, exit_code};

/// Endings of the unit files that can be resources (rule 4.1.3).
const SUFFIXES: [&str; 5] = [".service", ".socket", ".mount", ".timer", ".path"];

const UNIT_DIRECTORIES: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Names of installed units, `.service` removed, sorted ignoring case.
pub fn units() -> Vec<String> {
    let mut names: Vec<String> = UNIT_DIRECTORIES
        .iter()
        .filter_map(|directory| Path::new(directory).read_dir().ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
        .map(|name| name.strip_suffix(".service").map_or(name.clone(), str::to_owned))
        .collect();
    names.sort_by_key(|name| name.to_lowercase());
    names.dedup();
    names
}

/// Full unit name of a type (rule 4.6.1).
fn unit(kind: &str) -> String {
    if SUFFIXES.iter().any(|suffix| kind.ends_with(suffix)) {
        kind.to_owned()
    } else {
        format!("{kind}.service")
    }
}

/// What `systemctl` is called with; `None` for actions that units do not have.
pub(crate) fn arguments(kind: &str, action: &str) -> Option<Vec<OsString>> {
    let unit = OsString::from(unit(kind));
    Some(match action {
        "start" | "stop" => vec![action.into(), "--".into(), unit],
        "monitor" | "status" => {
            vec!["show".into(), "--property=LoadState,ActiveState".into(), "--".into(), unit]
        }
        _ => return None,
    })
}

/// Result of an action from that of `systemctl`.
pub(crate) fn outcome(kind: &str, action: &str, mut outcome: Outcome) -> Outcome {
    if outcome.status == Status::NotInstalled {
        return Outcome::plain(
            Status::Error,
            exit_code::ERROR,
            "No DBus connection: systemd does not run here",
        );
    }
    if outcome.status != Status::Done {
        return outcome;
    }
    match (action, outcome.exit_code) {
        ("start" | "stop", 0) => outcome,
        // systemctl: 5 is a unit that does not exist
        ("stop", 5) => Outcome { exit_code: exit_code::OK, ..outcome },
        ("start", 5) => missing(kind),
        (_, 0) => state(kind, outcome),
        _ => {
            outcome.status = Status::Error;
            outcome.exit_code = exit_code::ERROR;
            outcome.exit_reason = outcome.stderr.lines().next().unwrap_or_default().trim().to_owned();
            outcome
        }
    }
}

fn missing(kind: &str) -> Outcome {
    Outcome::plain(Status::NotInstalled, exit_code::INSTALLED, format!("systemd unit {kind} not found"))
}

/// Rule 4.6.3.
fn state(kind: &str, mut outcome: Outcome) -> Outcome {
    let property = |name: &str| {
        outcome
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or("")
            .to_owned()
    };
    let (load, active) = (property("LoadState"), property("ActiveState"));
    if load != "loaded" && load != "masked" {
        return missing(kind);
    }
    match active.as_str() {
        "active" | "reloading" => outcome.exit_code = exit_code::OK,
        "activating" | "deactivating" => outcome.status = Status::Pending,
        _ => {
            outcome.exit_code = exit_code::NOT_RUNNING;
            outcome.exit_reason = active;
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Outcome {
        let shown = Outcome { stdout: text.into(), ..Outcome::plain(Status::Done, 0, "") };
        outcome("x", "monitor", shown)
    }

    #[test]
    fn states() {
        assert_eq!(shown("LoadState=loaded\nActiveState=active\n").exit_code, 0);
        assert_eq!(shown("LoadState=loaded\nActiveState=failed\n").exit_code, 7);
        assert_eq!(shown("LoadState=loaded\nActiveState=activating\n").status, Status::Pending);
        assert_eq!(shown("LoadState=not-found\nActiveState=inactive\n").status, Status::NotInstalled);
        assert_eq!(unit("a"), "a.service");
        assert_eq!(unit("a.mount"), "a.mount");
    }
}
