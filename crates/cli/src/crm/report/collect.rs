//! What one node knows: each thing in a file of its own. What cannot be had is said in the notes, not an error.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use client::Client;
use view::api::EventQuery;

use super::super::secret::Store;
use super::mask::Mask;
use super::window::Window;
use crate::session::{Problem, Session};

/// Log files of the field.
const LOGS: [&str; 4] = [
    "/var/log/pacemaker/pacemaker.log",
    "/var/log/cluster/corosync.log",
    "/var/log/corosync/corosync.log",
    "/var/log/systole.log",
];

/// Longest part of a log file that is taken, from its end.
const LONGEST: u64 = 50 << 20;

/// Files of the system that say how it is set up.
const SETTINGS: [&str; 4] =
    ["/etc/corosync/corosync.conf", "/etc/default/pacemaker", "/etc/sysconfig/pacemaker", "/etc/os-release"];

/// Commands whose answers say what the system is like.
const COMMANDS: [(&str, &[&str]); 6] = [
    ("uname.txt", &["uname", "-a"]),
    ("uptime.txt", &["uptime"]),
    ("addresses.txt", &["ip", "-brief", "address"]),
    ("memory.txt", &["free", "-m"]),
    ("disks.txt", &["df", "-h"]),
    ("processes.txt", &["ps", "-eo", "pid,ppid,user,stat,lstart,comm"]),
];

/// This node's name: the cluster's word, else the host's.
pub fn local_name() -> String {
    let of_cluster =
        || Client::connect(Client::default_socket()).ok()?.status().ok().map(|status| status.node);
    let of_host = || fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    of_cluster().or_else(of_host).unwrap_or_else(|| "localhost".to_owned())
}

struct Collector<'c> {
    folder: &'c Path,
    window: &'c Window,
    mask: Mask,
    notes: Vec<String>,
}

/// Collects into `folder`; gives notes about what is missing.
pub fn node(
    folder: &Path,
    window: &Window,
    mut mask: Mask,
    logs: &[PathBuf],
    no_search: bool,
) -> Result<Vec<String>, Problem> {
    fs::create_dir_all(folder).map_err(|error| Problem::new(73, format!("{}: {error}", folder.display())))?;
    mask.add_values(Store::of_this_host().values());
    let mut collector = Collector { folder, window, mask, notes: Vec::new() };
    // first, because later texts may repeat what it has to hide
    collector.configuration();
    collector.events();
    collector.settings();
    if !no_search {
        collector.journal();
    }
    collector.logs(logs, no_search);
    Ok(collector.notes)
}

impl Collector<'_> {
    fn note(&mut self, what: &str, why: impl std::fmt::Display) {
        self.notes.push(format!("{what}: {why}"));
    }

    /// Writes a text, masked.
    fn save(&mut self, name: &str, text: &str) {
        let path = self.folder.join(name);
        if let Err(error) = fs::write(&path, self.mask.text(text)) {
            self.note(name, error);
        }
    }

    /// The configuration with its status section, and what it says in words.
    fn configuration(&mut self) {
        let document = Session::open(None).and_then(|mut session| session.cib());
        let mut document = match document {
            Ok(document) => document,
            Err(problem) => match self.on_disk() {
                Some(document) => {
                    self.note("cib.xml", format!("taken from disk, without status ({problem})"));
                    document
                }
                None => return self.note("cib.xml", problem),
            },
        };
        self.mask.configuration(&mut document);
        self.save("cib.xml", &document.to_pretty());
        let (status, history) = crate::mon::report(&document);
        self.save("crm_mon.txt", &status);
        self.save("history.txt", &history);
        let findings: String = crate::verify::findings(&document)
            .iter()
            .map(|finding| {
                format!("{}: {}\n", if finding.is_error { "error" } else { "warning" }, finding.text)
            })
            .collect();
        self.save("crm_verify.txt", &findings);
    }

    fn on_disk(&self) -> Option<xml::Document> {
        let socket = Client::default_socket();
        let below = socket.parent().filter(|parent| parent.join("cib").is_dir());
        let paths = below.map_or_else(daemon::Paths::system, daemon::Paths::below);
        xml::Document::parse(&fs::read_to_string(paths.cib.join("cib.xml")).ok()?).ok()
    }

    /// The node's own record of what happened, for programs and for people.
    fn events(&mut self) {
        let query = EventQuery { after: Some(0), no_follow: true };
        let mut events =
            match Client::connect(Client::default_socket()).and_then(|client| client.events(&query)) {
                Ok(events) => events,
                Err(error) => return self.note("events", error),
            };
        let (mut lines, mut words) = (String::new(), String::new());
        while let Ok(Some(event)) = events.next_within(std::time::Duration::from_secs(5)) {
            if !self.window.has(event.time_ms) {
                continue;
            }
            lines.push_str(&serde_json::to_string(&event).unwrap_or_default());
            lines.push('\n');
            let at = i64::try_from(event.time_ms / 1000).map(crate::mon::ctime).unwrap_or_default();
            words.push_str(&format!("{at} {} {:?}: {}\n", event.node, event.severity, event.message));
        }
        self.save("events.jsonl", &lines);
        self.save("events.txt", &words);
        if let Some(status) =
            Client::connect(Client::default_socket()).ok().and_then(|mut client| client.status().ok())
        {
            self.save("node.json", &serde_json::to_string_pretty(&status).unwrap_or_default());
        }
    }

    fn settings(&mut self) {
        for path in SETTINGS.map(Path::new) {
            if let (Ok(text), Some(name)) = (fs::read_to_string(path), path.file_name()) {
                self.save(&name.to_string_lossy(), &text);
            }
        }
        for (name, words) in COMMANDS {
            match Command::new(words[0]).args(&words[1..]).output() {
                Ok(done) => self.save(name, &String::from_utf8_lossy(&done.stdout)),
                Err(error) => self.note(words[0], error),
            }
        }
    }

    /// The system's journal of the cluster's services.
    fn journal(&mut self) {
        let units = ["systole", "pacemaker", "corosync", "sbd"].map(|unit| format!("--unit={unit}"));
        let (from, to) = (self.window.begin_text(), self.window.end_text());
        let done = Command::new("journalctl")
            .args(["--no-pager", "--output=short-iso", "--since", &from, "--until", &to])
            .args(units)
            .output();
        match done {
            Ok(done) if done.status.success() => {
                self.save("journal.log", &String::from_utf8_lossy(&done.stdout))
            }
            Ok(done) => self.note("journal.log", String::from_utf8_lossy(&done.stderr).trim()),
            Err(error) => self.note("journalctl", error),
        }
    }

    fn logs(&mut self, given: &[PathBuf], no_search: bool) {
        let mut paths = given.to_vec();
        if !no_search {
            paths.extend(LOGS.map(PathBuf::from));
            // a node that keeps everything in one directory has its log there
            let own = Client::default_socket().parent().map(Path::to_path_buf).unwrap_or_default();
            let files = fs::read_dir(own).into_iter().flatten().flatten().map(|entry| entry.path());
            paths.extend(files.filter(|path| path.extension().is_some_and(|it| it == "log")));
        }
        for path in paths {
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            match tail(&path) {
                Ok(text) => self.save(&name, &text),
                Err(error) if given.contains(&path) => self.note(&path.to_string_lossy(), error),
                Err(_) => {}
            }
        }
    }
}

/// The end of a file, from the beginning of a line.
fn tail(path: &Path) -> std::io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    let skipped = length.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = if skipped == 0 { &*text } else { text.split_once('\n').map_or("", |(_, rest)| rest) };
    Ok(whole.to_owned())
}
