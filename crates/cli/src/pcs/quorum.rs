//! `pcs quorum …` (rule 5d.8.5): what Corosync is told in its configuration, and what its tools say and do on this
//! host.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use super::words::{Failure, Options, Result};

const CONFIGURATION: &str = "/etc/corosync/corosync.conf";

/// Options of the section `quorum` that users choose.
const OPTIONS: [&str; 4] =
    ["auto_tie_breaker", "last_man_standing", "last_man_standing_window", "wait_for_all"];

pub fn run(words: &[&str], options: &Options) -> Result<ExitCode> {
    match words {
        [] | ["config"] => print!("{}", shown(&read(options)?)),
        ["status"] => print!("{}", asked("quorum status", &["corosync-quorumtool", "-p"])?),
        ["device", "status"] => {
            let full = options.flag("--full").then_some("-v");
            let words: Vec<&str> = ["corosync-qdevice-tool", "-s"].into_iter().chain(full).collect();
            print!("{}", asked("quorum status", &words)?);
        }
        ["expected-votes", votes] => expect(votes)?,
        ["unblock"] => unblock(options)?,
        ["update", ..] | ["device", "add" | "update" | "remove" | "delete" | "heuristics", ..] => {
            return Err(format!(
                "'pcs quorum {}' would change {CONFIGURATION}, which must be the same on every host, and Systole does \
                 not write it: edit its section 'quorum' on one host, copy it to all others, and have it read with \
                 'corosync-cfgtool -R' (options of votequorum: restart Corosync everywhere instead)",
                words.join(" ")
            )
            .into());
        }
        _ => {
            return Err(Failure::usage(
                "Usage: pcs quorum [config] | status | device status [--full] | expected-votes <votes> | unblock \
                 [--force]\n",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A section of `corosync.conf`: its settings, and the sections in it.
#[derive(Debug, Default, PartialEq)]
struct Section {
    settings: BTreeMap<String, String>,
    sections: BTreeMap<String, Section>,
}

fn read(options: &Options) -> Result<Section> {
    let path = Path::new(options.corosync_conf.as_deref().unwrap_or(CONFIGURATION));
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("Unable to read {}: {error}", path.display()))?;
    parse(&text).map_err(|told| format!("Unable to parse {}: {told}", path.display()).into())
}

/// Of settings and sections that are there several times the last counts.
fn parse(text: &str) -> std::result::Result<Section, String> {
    let mut open = vec![(String::new(), Section::default())];
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let top = open.len() - 1;
        if let Some(name) = line.strip_suffix('{') {
            open.push((name.trim().to_owned(), Section::default()));
        } else if line == "}" {
            let (name, section) = open.swap_remove(top);
            let (_, outer) = open.last_mut().ok_or_else(|| format!("line {number}: no section is open"))?;
            outer.sections.insert(name, section);
        } else if let Some((name, value)) = line.split_once(':') {
            open[top].1.settings.insert(name.trim().to_owned(), value.trim().to_owned());
        } else {
            return Err(format!("line {number}: neither 'name: value' nor a section: {line}"));
        }
    }
    match (open.pop(), open.last()) {
        (Some((_, whole)), None) => Ok(whole),
        (Some((name, _)), _) => Err(format!("section '{name}' is not closed")),
        (None, _) => Err("nothing is open".to_owned()),
    }
}

fn shown(whole: &Section) -> String {
    let empty = Section::default();
    let quorum = whole.sections.get("quorum").unwrap_or(&empty);
    let mut out = "Options:\n".to_owned();
    let mut list = |indent: &str, section: &Section, wanted: &dyn Fn(&str) -> bool, title: String| {
        out.push_str(&title);
        for (name, value) in section.settings.iter().filter(|(name, _)| wanted(name)) {
            out.push_str(&format!("{indent}{name}: {value}\n"));
        }
    };
    list("  ", quorum, &|name| OPTIONS.contains(&name), String::new());
    let Some(device) = quorum.sections.get("device") else { return out };
    list("  ", device, &|name| name != "model", "Device:\n".to_owned());
    if let Some(model) = device.settings.get("model") {
        let own = device.sections.get(model).unwrap_or(&empty);
        list("    ", own, &|_| true, format!("  Model: {model}\n"));
    }
    if let Some(heuristics) = device.sections.get("heuristics") {
        list("    ", heuristics, &|_| true, "  Heuristics:\n".to_owned());
    }
    out
}

/// What one of Corosync's tools says.
fn asked(what: &str, words: &[&str]) -> Result<String> {
    let output = corosync(words)?;
    // the tool of votequorum ends with 2 when there is no quorum
    if output.status.success() || (words[0] == "corosync-quorumtool" && output.status.code() == Some(2)) {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("Unable to get {what}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

fn corosync(words: &[&str]) -> Result<Output> {
    let output = Command::new(words[0]).args(&words[1..]).output();
    output.map_err(|error| {
        format!("{}: {error}; are the packages corosync and corosync-qdevice installed?", words[0]).into()
    })
}

fn expect(votes: &str) -> Result<()> {
    if votes.parse::<u32>().is_ok_and(|votes| votes > 0) {
        asked("expected votes", &["corosync-quorumtool", "-e", votes]).map(drop).map_err(|failure| {
            failure.message.replace("Unable to get expected votes", "Unable to set expected votes").into()
        })
    } else {
        Err(format!("'{votes}' is not a valid expected votes value, use positive integer").into())
    }
}

/// Ends the waiting for all nodes.
fn unblock(options: &Options) -> Result<()> {
    let waits = corosync(&["corosync-cmapctl", "-g", "runtime.votequorum.wait_for_all_status"])?;
    if !waits.status.success() {
        return Err("unable to check quorum status".into());
    }
    if !String::from_utf8_lossy(&waits.stdout).trim_end().ends_with("= 1") {
        return Err("cluster is not waiting for nodes to establish quorum".into());
    }
    options.confirm(
        "If nodes that are not there are not powered off or they do have access to shared resources, data corruption and/or cluster failure may occur",
    )?;
    let set = corosync(&["corosync-cmapctl", "-s", "quorum.cancel_wait_for_all", "u8", "1"])?;
    if !set.status.success() {
        return Err("unable to cancel waiting for nodes".into());
    }
    println!("Quorum unblocked\nWaiting for nodes canceled");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: &str = "quorum {\n provider: corosync_votequorum\n two_node: 1\n  wait_for_all: 1\n device {\n\
                          model: net\n timeout: 10\n net {\n host: q.example\n algorithm: ffsplit\n }\n\
                          heuristics {\n mode: on\n exec_ping: /bin/ping -c1 x\n }\n }\n}\n";

    #[test]
    fn rule_5d_8_5_options_and_device_are_shown() {
        let whole = parse(&format!("# a comment\ntotem {{\n version: 2\n}}\n{DEVICE}")).unwrap();
        assert_eq!(
            shown(&whole),
            "Options:\n  wait_for_all: 1\nDevice:\n  timeout: 10\n  Model: net\n    algorithm: ffsplit\n    \
             host: q.example\n  Heuristics:\n    exec_ping: /bin/ping -c1 x\n    mode: on\n"
        );
        assert_eq!(shown(&Section::default()), "Options:\n");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        assert_eq!(parse("quorum {\n").unwrap_err(), "section 'quorum' is not closed");
        assert_eq!(parse("\n}\n").unwrap_err(), "line 2: no section is open");
        assert!(parse("quorum {\nwait_for_all\n}").unwrap_err().starts_with("line 2: neither"));
    }
}
