//! Bringing a host, or one of the nodes that share a machine, down at once (rule 4.58.1).

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::system::RebootCommand;

use crate::PanicAction;

/// Does not stop anything properly, and does not return if it can help it.
pub(crate) fn panic(action: PanicAction, state: &Path) {
    match action {
        PanicAction::Host => reset_host(),
        PanicAction::Node => end_node(state),
    }
}

/// The kernel's emergency keys for `PCMK_panic_action` (rule 4.58.1): what to do, and whether file systems
/// are synchronised first.
fn panic_key(action: &str) -> (&'static str, bool) {
    let plain = action.strip_prefix("sync-");
    let key = match plain.unwrap_or(action) {
        "off" => "o",
        "crash" => "c",
        _ => "b",
    };
    (key, plain.is_some())
}

/// The kernel's emergency reset, without writing anything back unless told. Should it not work, sbd is gone, so that
/// the watchdog fires; so it does without sbd, since nobody feeds it any more.
fn reset_host() {
    let (key, sync) = panic_key(&crate::host_setting("panic_action").unwrap_or_default());
    if sync {
        rustix::fs::sync();
    }
    crate::watchdog::sbd_processes().into_iter().for_each(|pid| agents::process::kill(pid, false));
    for (file, word) in [("/proc/sys/kernel/sysrq", "1"), ("/proc/sysrq-trigger", key)] {
        if let Err(error) = fs::write(file, word) {
            tracing::error!(file, %error, "no emergency reset");
        }
    }
    // switching off takes the kernel a moment
    std::thread::sleep(Duration::from_secs(1));
    let command = match key {
        "o" => RebootCommand::PowerOff,
        _ => RebootCommand::Restart,
    };
    if let Err(error) = rustix::system::reboot(command) {
        tracing::error!(%error, "this host cannot be brought down");
    }
}

/// Kills everything that belongs to this node, this daemon last.
fn end_node(state: &Path) {
    for pid in processes(state).into_iter().filter(|pid| *pid != std::process::id()) {
        agents::process::kill(pid, false);
    }
    agents::process::kill(std::process::id(), false);
}

/// Cuts the power of a node that shares this machine: its daemon, its agents and its services end with
/// SIGKILL, and what a machine forgets without power is removed. Gives the process ids that were killed.
/// Meant for another process than the node's own.
pub fn cut_power(state: &Path) -> Vec<u32> {
    let own = std::process::id();
    let mut killed = Vec::new();
    // new ones may be forked while we look; each round finds those
    for _ in 0..100 {
        let found: Vec<u32> = processes(state).into_iter().filter(|pid| *pid != own).collect();
        if found.is_empty() {
            break;
        }
        found.iter().for_each(|pid| agents::process::kill(*pid, false));
        killed.extend(found);
        std::thread::sleep(Duration::from_millis(2));
    }
    killed.sort_unstable();
    killed.dedup();
    for directory in ["scratch", "running"] {
        // nothing there is fine
        let _ = fs::remove_dir_all(state.join(directory));
    }
    killed
}

/// Everything that lives and carries a node's mark in its environment, and its daemon.
pub fn processes(state: &Path) -> Vec<u32> {
    let mark = format!("{}={}", crate::setup::STATE_VARIABLE, state.display());
    let daemon = fs::read_to_string(state.join("daemon.pid")).ok().and_then(|text| text.trim().parse().ok());
    let list = fs::read_dir("/proc").into_iter().flatten();
    list.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| carries(*pid, mark.as_bytes()) || (Some(*pid) == daemon && is_daemon(*pid)))
        .collect()
}

/// A dead process that nobody has reaped has no environment.
fn carries(pid: u32, mark: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|text| text.split(|byte| *byte == 0).any(|entry| entry == mark))
}

/// The id in a stale file may belong to anything by now.
fn is_daemon(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|text| text.split(|byte| *byte == 0).any(|word| word == b"daemon"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_actions() {
        let words = ["", "reboot", "off", "crash", "sync-reboot", "sync-off"];
        let keys = [("b", false), ("b", false), ("o", false), ("c", false), ("b", true), ("o", true)];
        assert_eq!(words.map(panic_key), keys);
    }

    #[test]
    fn power_is_cut_for_what_carries_the_mark() {
        let state = tempfile::tempdir().unwrap();
        let mut marked = std::process::Command::new("sh")
            .args(["-c", "sleep 600 & sleep 600"])
            .env(crate::setup::STATE_VARIABLE, state.path())
            .spawn()
            .unwrap();
        fs::write(state.path().join("daemon.pid"), "1\n").unwrap();
        fs::create_dir(state.path().join("scratch")).unwrap();
        while processes(state.path()).len() < 3 {
            std::thread::yield_now();
        }
        assert!(cut_power(state.path()).contains(&marked.id()));
        assert!(!marked.wait().unwrap().success());
        assert!(processes(state.path()).is_empty() && !state.path().join("scratch").exists());
    }
}
