//! `crm_report`: one archive with what is needed to understand a problem: configuration, history, events and logs
//! of all nodes, without their secrets (rule 5a.17).

mod collect;
mod mask;
mod window;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use client::Client;

use super::options::{Given, NO_SHORT, Table, flag, old_flag, old_value, value};
use super::output::Output;
use super::{tool, usage};
use crate::session::Problem;
use mask::Mask;
use window::Window;

const TABLE: Table = Table {
    tool: "crm_report",
    about: "collect what is needed to understand a problem into one archive",
    options: &[
        value(
            'f',
            "from",
            "TIME",
            "Begin: 'YYYY-MM-DD HH:MM:SS', or HH:MM:SS of today (unless told: 12 hours ago)",
        ),
        value('t', "to", "TIME", "End (unless told: now)"),
        value(
            'n',
            "nodes",
            "NODES",
            "These nodes instead of all that the cluster knows (names with blanks between)",
        ),
        flag('S', "single-node", "Only this node"),
        value('u', "user", "USER", "Who to be on other nodes (root unless told)"),
        value('e', "rsh", "COMMAND", "How to reach other nodes (unless told: ssh -T)"),
        value('l', "logfile", "FILE", "This log file too (may be given several times)"),
        flag('M', "no-search", "Look for no log files"),
        value(
            'p',
            "mask",
            "REGEX",
            "Leave out values of parameters with such names too (may be given several times)",
        ),
        flag('d', "as-directory", "Leave a directory instead of an archive"),
        value(NO_SHORT, "dest", "DEST", "Name of the directory or archive to make"),
        old_flag(NO_SHORT, "stream", "stream"),
        old_flag('C', "corosync", "corosync"),
        old_flag('v', "version", "version"),
        old_flag(NO_SHORT, "sos-mode", "sos-mode"),
        old_value('c', "cluster", "cluster"),
        old_value('D', "max-depth", "max-depth"),
        old_value('L', "analysis", "analysis"),
    ],
    examples: &[
        "crm_report -f '2026-11-21 09:00:00' -t '2026-11-21 10:00:00' lost-database",
        "crm_report -f 09:00:00                  (today since nine)",
        "crm_report --single-node --as-directory --dest /tmp/here",
    ],
};

/// The archive cannot be made.
const CANNOT_CREATE: u8 = 73;

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let now = jiff::Zoned::now();
    let window = Window::new(given.value("from"), given.value("to"), &now).map_err(usage)?;
    let destination = destination(given, &now)?;
    let mask = Mask::new(given.values("mask")).map_err(usage)?;
    let folder = tempfile::tempdir().map_err(|error| Problem::new(CANNOT_CREATE, error.to_string()))?;
    let name = destination.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let root = folder.path().join(&name);
    let single = given.has("single-node");
    let here = collect::local_name();
    let mut notes =
        collect::node(&root.join(&here), &window, mask, &log_files(given), given.has("no-search"))?;
    if given.has("stream") {
        return stream(&root, &here);
    }
    if !single {
        let mut lacking = Vec::new();
        let others = other_nodes(given, &here).unwrap_or_else(|error| {
            lacking.push(format!("only this host is collected (name others with --nodes): {error}"));
            Vec::new()
        });
        for node in others {
            if let Err(why) = fetch(&node, &root, given, &window) {
                lacking.push(format!("nothing from node {node}: {why}"));
            }
        }
        for note in &lacking {
            out.error(format!("crm_report: warning: {note}"));
        }
        notes.append(&mut lacking);
    }
    summarize(&root, &window, &notes)?;
    finish(&root, &destination, given.has("as-directory"), out)
}

/// Where the result goes: as named, else below the current directory with the date.
fn destination(given: &Given, now: &jiff::Zoned) -> Result<PathBuf, Problem> {
    let named = match given.words.as_slice() {
        [] => given.value("dest"),
        [name] => Some(name.as_str()),
        [_, second, ..] => return Err(usage(format!("unexpected argument '{second}'"))),
    };
    let default = format!("crm_report-{}", now.strftime("%Y%m%d-%H%M%S"));
    let path = PathBuf::from(named.unwrap_or(&default));
    let text = path.to_string_lossy();
    // an archive may be named with its ending
    let bare = [".tar.gz", ".tgz"].iter().find_map(|ending| text.strip_suffix(ending));
    let path = bare.map_or(path.clone(), PathBuf::from);
    if path.file_name().is_none() {
        return Err(usage(format!("'{}' cannot be the name of a report", path.display())));
    }
    Ok(path)
}

fn log_files(given: &Given) -> Vec<PathBuf> {
    given.values("logfile").map(PathBuf::from).collect()
}

/// The nodes that are named, else those that the cluster knows.
///
/// # Errors
/// None is named, and no cluster answers.
fn other_nodes(given: &Given, here: &str) -> Result<Vec<String>, client::Error> {
    let mut nodes: Vec<String> =
        given.values("nodes").flat_map(str::split_whitespace).map(str::to_owned).collect();
    if nodes.is_empty() {
        let status = Client::connect(Client::default_socket())?.status()?;
        nodes.extend(status.members.into_iter().map(|member| member.name));
    }
    nodes.retain(|name| !name.is_empty() && name != here);
    Ok(nodes)
}

/// Lets another node collect, and takes what it sends.
fn fetch(node: &str, root: &Path, given: &Given, window: &Window) -> Result<(), String> {
    let mut words: Vec<String> = ["--single-node", "--stream"].map(str::to_owned).to_vec();
    words.extend([format!("--from={}", window.begin_text()), format!("--to={}", window.end_text())]);
    words.extend(given.values("mask").map(|pattern| format!("--mask={pattern}")));
    words.extend(given.values("logfile").map(|file| format!("--logfile={file}")));
    words.extend(given.has("no-search").then(|| "--no-search".to_owned()));
    let mut command = match socket_here(node) {
        Some(socket) => {
            let mut command = crate::itself::command().map_err(|error| error.to_string())?;
            command.arg("crm_report").args(&words).env(client::SOCKET_VARIABLE, socket);
            command
        }
        None => remote(node, given, &words)?,
    };
    let mut running = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let input = running.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let unpacked = Command::new("tar")
        .arg("-C")
        .arg(root)
        .args(["-xf", "-"])
        .stdin(input)
        .stderr(Stdio::null())
        .status();
    let done = running.wait_with_output().map_err(|error| error.to_string())?;
    if !done.status.success() {
        let text = String::from_utf8_lossy(&done.stderr);
        return Err(text.trim().lines().last().unwrap_or("its command failed").to_owned());
    }
    match unpacked {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("what it sent cannot be unpacked (tar ended with {status})")),
        Err(error) => Err(format!("tar: {error}")),
    }
}

/// A node of a cluster on one machine has its socket beside ours.
fn socket_here(node: &str) -> Option<PathBuf> {
    let own = Client::default_socket();
    let socket = own.parent()?.parent()?.join(node).join(own.file_name()?);
    (!node.contains('/') && socket.exists()).then_some(socket)
}

fn remote(node: &str, given: &Given, words: &[String]) -> Result<Command, String> {
    let rsh = given.value("rsh").unwrap_or("ssh -T -oBatchMode=yes -oConnectTimeout=10");
    let mut parts = rsh.split_whitespace();
    let mut command = Command::new(parts.next().ok_or("--rsh is empty")?);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    command.args(parts);
    command.args(["-l", given.value("user").unwrap_or("root"), node, "--"]);
    command.arg(format!("crm_report {}", quoted.join(" ")));
    Ok(command)
}

/// Sends what was collected here as an archive on standard output.
fn stream(root: &Path, here: &str) -> Result<u8, Problem> {
    pack(root, here, "-", "-cf")?;
    Ok(0)
}

fn pack(folder: &Path, name: &str, to: &str, how: &str) -> Result<(), Problem> {
    let status = Command::new("tar").arg("-C").arg(folder).args([how, to, name]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Problem::new(CANNOT_CREATE, format!("tar ended with {status}"))),
        Err(error) => Err(Problem::new(CANNOT_CREATE, format!("tar: {error} (please install tar)"))),
    }
}

fn summarize(root: &Path, window: &Window, notes: &[String]) -> Result<(), Problem> {
    let mut text = format!("From {} to {}\n\n", window.begin_text(), window.end_text());
    let mut nodes: Vec<String> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    nodes.sort();
    text.push_str(&format!("Nodes: {}\n", nodes.join(" ")));
    for note in notes {
        text.push_str(&format!("Note: {note}\n"));
    }
    let path = root.join("report.summary");
    fs::write(&path, text)
        .map_err(|error| Problem::new(CANNOT_CREATE, format!("{}: {error}", path.display())))
}

fn finish(root: &Path, destination: &Path, as_directory: bool, out: &mut Output) -> Result<u8, Problem> {
    let fail = |what: String| Problem::new(CANNOT_CREATE, what);
    let (folder, name) =
        (root.parent().unwrap_or(Path::new("/")), root.file_name().unwrap_or_default().to_string_lossy());
    let result = if as_directory {
        if destination.exists() {
            return Err(fail(format!("{} exists already: name another directory", destination.display())));
        }
        copy_folder(root, destination)
            .map_err(|error| fail(format!("{}: {error}", destination.display())))?;
        destination.to_path_buf()
    } else {
        let archive = PathBuf::from(format!("{}.tar.gz", destination.display()));
        let absolute = std::path::absolute(&archive).map_err(|error| fail(error.to_string()))?;
        pack(folder, &name, &absolute.to_string_lossy(), "-czf")?;
        archive
    };
    out.line(format!("Collected results are available in {}", result.display()));
    out.xml.leaf("report", &[("file", &result.to_string_lossy())]);
    Ok(0)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
