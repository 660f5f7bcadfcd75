//! Bringing a host, or one of the nodes that share a machine, down at once (rule 4.58.1).

use std::fs;
use std::path::Path;

use crate::PanicAction;

/// Does not stop anything properly, and does not return if it can help it.
pub(crate) fn panic(action: PanicAction, state: &Path) {
    match action {
        PanicAction::Host => reset_host(),
        PanicAction::Node => end_node(state),
    }
}

/// The kernel's emergency reset, without writing anything back.
fn reset_host() {
    for (file, word) in [("/proc/sys/kernel/sysrq", "1"), ("/proc/sysrq-trigger", "b")] {
        if let Err(error) = fs::write(file, word) {
            tracing::error!(file, %error, "no emergency reset");
        }
    }
}

/// Kills everything that carries this node's mark in its environment, this daemon last.
fn end_node(state: &Path) {
    let mark = format!("{}={}", crate::setup::STATE_VARIABLE, state.display());
    let own = std::process::id();
    let processes = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    for pid in processes.filter(|pid| *pid != own) {
        let marked = fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|text| text.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()));
        if marked {
            agents::process::kill(pid, false);
        }
    }
    agents::process::kill(own, false);
}
