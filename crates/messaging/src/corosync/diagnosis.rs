//! Why a Corosync that is not there may not come: what its own check of its configuration says.

use std::process::{Command, Stdio};

/// Corosync's program; its packages put it where only administrators look for programs.
const PROGRAM: &str = "/usr/sbin/corosync";

/// What Corosync finds wrong with its configuration; none if it finds nothing or cannot be asked.
///
/// Only root may read Corosync's key, so nobody else gets an answer. Where Corosync runs it is content, and its
/// check would only leave confusing lines in its log.
pub(super) fn configuration_error() -> Option<String> {
    if !rustix::process::geteuid().is_root() || process_runs("corosync") {
        return None;
    }
    let checked = Command::new(PROGRAM).arg("-t").stdin(Stdio::null()).output().ok()?;
    if checked.status.success() {
        return None;
    }
    let said = [checked.stdout, checked.stderr].concat();
    complaint(&String::from_utf8_lossy(&said))
}

/// Whether any process on this host is called so.
#[must_use]
pub fn process_runs(name: &str) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok())
        .any(|found| found.trim_end() == name)
}

/// The first line that says what is wrong, without what its log puts before it.
fn complaint(said: &str) -> Option<String> {
    let reason = |line: &str| {
        let text = match line.split_once("] ") {
            Some((before, text)) => before.contains(" error ").then_some(text)?,
            None => line,
        };
        let text = text.trim();
        let says_something = !text.is_empty() && !text.contains("exiting with status");
        says_something.then(|| text.to_owned())
    };
    said.lines().find_map(reason)
}

#[cfg(test)]
mod tests {
    use super::{complaint, process_runs};

    #[test]
    fn a_process_is_found_by_its_name() {
        let own = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert!(process_runs(own.trim_end()));
        assert!(!process_runs("no-such-name"));
    }

    #[test]
    fn the_reason_is_found_in_what_the_check_prints() {
        let log = "Nov 27 13:15:09.8 notice  [MAIN  ] Corosync Cluster Engine  starting up\n\
                   Nov 27 13:15:09.9 error   [MAIN  ] Nodeid 1 appears twice in corosync.conf\n\
                   Nov 27 13:15:09.9 error   [MAIN  ] Corosync Cluster Engine exiting with status 8 at main.c:1445.\n";
        assert_eq!(complaint(log).as_deref(), Some("Nodeid 1 appears twice in corosync.conf"));
        let parser = "parser error: /etc/corosync/corosync.conf:5: Invalid cipher type\n";
        assert_eq!(complaint(parser).as_deref(), Some(parser.trim()));
        assert_eq!(complaint("\n"), None);
    }
}
