//! Agents that are running, written down for the next daemon: it waits for them or ends them before it probes
//! (rules 4.38.5 and 4.41.1).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use cluster::{Leftover, Operation, OperationId};
use serde::{Deserialize, Serialize};

use crate::pulse::stat_fields;

/// Bytes of a slot of the file.
const SLOT: u64 = 1024;

/// A running agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub pid: u32,
    /// The process was started at or after this time, in hundredths of a second since boot, and at or before
    /// the next: so that a recycled id is not taken for it.
    start: u64,
    #[serde(default)]
    latest: u64,
    resource: String,
    action: String,
    /// Milliseconds since 1970-01-01 UTC.
    deadline: u64,
    pub spare_group: bool,
}

impl Record {
    /// What is known before the process is there.
    pub(crate) fn of(operation: &Operation) -> Record {
        Record {
            pid: 0,
            start: uptime(),
            latest: 0,
            resource: operation.resource.clone(),
            action: operation.action.clone(),
            deadline: epoch().saturating_add(operation.timeout),
            spare_group: operation.spare_group,
        }
    }

    /// The record of the process that was started since.
    pub(crate) fn of_process(self, pid: u32) -> Record {
        Record { pid, latest: uptime(), ..self }
    }

    pub(crate) fn lives(&self) -> bool {
        start_of(self.pid).is_some_and(|at| (self.start..=self.latest).contains(&at))
    }

    fn leftover(&self, id: u64) -> Leftover {
        Leftover {
            id: OperationId(id),
            resource: self.resource.clone(),
            action: self.action.clone(),
            remaining: self.deadline.saturating_sub(epoch()),
        }
    }
}

/// The records: one file of slots of equal size, so that an agent's start and end cost one small write each
/// and no change of a directory. A free slot begins with a space.
pub(crate) struct Records {
    file: Option<File>,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    used: BTreeMap<u32, u64>,
    free: Vec<u64>,
    count: u64,
}

impl Slots {
    fn take(&mut self, pid: u32) -> u64 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.used.insert(pid, slot);
        slot
    }
}

impl Records {
    /// Opens the file in `directory`. Without it the daemon runs as well; only the next one knows nothing.
    pub(crate) fn open(directory: &Path) -> Records {
        let path = directory.join("agents");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        if let Err(error) = &file {
            tracing::warn!(%error, path = %path.display(), "running agents cannot be written down");
        }
        Records { file: file.ok(), slots: Mutex::default() }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Not synced: after a crash of the whole host no agent runs.
    pub(crate) fn add(&self, record: Record) {
        let Some(file) = &self.file else { return };
        let slot = self.slots().take(record.pid);
        if let Err(error) = write(file, slot, &record) {
            tracing::warn!(%error, resource = record.resource, "a running agent could not be written down");
        }
    }

    pub(crate) fn remove(&self, pid: u32) {
        let mut slots = self.slots();
        let (Some(file), Some(slot)) = (&self.file, slots.used.remove(&pid)) else { return };
        slots.free.push(slot);
        if let Err(error) = file.write_all_at(b" ", slot * SLOT) {
            tracing::warn!(%error, pid, "the record of an agent that has ended could not be removed");
        }
    }

    /// Agents of an earlier daemon that still run; forgets the others.
    pub(crate) fn leftovers(&self) -> Vec<(Leftover, Record)> {
        let found = self.file.as_ref().map(read).unwrap_or_default();
        let mut slots = self.slots();
        let mut list = Vec::new();
        for (slot, record) in (0..).zip(found) {
            slots.count = slot + 1;
            match record.filter(Record::lives) {
                Some(record) => {
                    slots.used.insert(record.pid, slot);
                    list.push((record.leftover(list.len() as u64 + 1), record));
                }
                None => slots.free.push(slot),
            }
        }
        list
    }
}

/// A record is a line; what stands behind it in the slot is of older ones.
fn write(file: &File, slot: u64, record: &Record) -> io::Result<()> {
    let mut line = [0; SLOT as usize];
    let mut rest = &mut line[..];
    let fits =
        serde_json::to_writer(&mut rest, record).is_ok() && io::Write::write_all(&mut rest, b"\n").is_ok();
    if !fits {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "its names are too long"));
    }
    let length = SLOT as usize - rest.len();
    file.write_all_at(&line[..length], slot * SLOT)
}

/// The slots' contents; nothing for a free or damaged one.
fn read(file: &File) -> Vec<Option<Record>> {
    let length = file.metadata().map_or(0, |data| data.len());
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    if let Err(error) = file.read_exact_at(&mut bytes, 0) {
        tracing::warn!(%error, "the records of an earlier daemon's agents could not be read");
        return Vec::new();
    }
    let record = |slot: &[u8]| {
        let line = slot.split(|byte| *byte == b'\n').next().filter(|line| !line.starts_with(b" "))?;
        serde_json::from_slice(line).ok()
    };
    bytes.chunks(SLOT as usize).map(record).collect()
}

fn epoch() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Hundredths of a second since boot, the ticks in which the kernel tells when a process was started. Far
/// cheaper than asking for the process.
fn uptime() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec as u64 * 100 + now.tv_nsec as u64 / 10_000_000
}

/// Start time of a process: field 22 of its `stat` line, counted after the name in parentheses. None for
/// one that is dead, reaped or not.
fn start_of(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat_fields(&text)?;
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    fields.get(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child() -> std::process::Child {
        std::process::Command::new("sleep").arg("600").spawn().unwrap()
    }

    fn end(mut child: std::process::Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn record(pid: u32, resource: &str) -> Record {
        Record {
            pid: 0,
            start: 0,
            latest: 0,
            resource: resource.into(),
            action: "start".into(),
            deadline: epoch() + 60_000,
            spare_group: false,
        }
        .of_process(pid)
    }

    #[test]
    fn a_process_is_known_by_its_start() {
        let child = child();
        let pid = child.id();
        let start = start_of(pid).unwrap();
        assert_eq!(start_of(pid), Some(start));
        end(child);
        assert_eq!(start_of(pid), None);
    }

    #[test]
    fn a_process_was_started_between_two_looks_at_the_clock() {
        let before = uptime();
        let child = child();
        let record = Record { start: before, ..record(0, "R") }.of_process(child.id());
        assert!(record.latest >= before && record.lives(), "{record:?} {:?}", start_of(child.id()));
        assert!(!Record { start: record.latest + 1, latest: u64::MAX, ..record.clone() }.lives());
        end(child);
        assert!(!record.lives());
    }

    #[test]
    fn leftovers_are_those_that_live() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (child(), child());
        let records = Records::open(directory.path());
        assert!(records.leftovers().is_empty());
        records.add(record(first.id(), "ended"));
        records.add(Record { start: 12345, latest: 12345, ..record(1, "recycled") });
        records.add(record(second.id(), "runs"));
        records.remove(first.id());
        end(first);

        // the next daemon, after a write that was cut short
        std::fs::OpenOptions::new()
            .append(true)
            .open(directory.path().join("agents"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"{\"pid\":"))
            .unwrap();
        let records = Records::open(directory.path());
        let found = records.leftovers();
        let names: Vec<&str> = found.iter().map(|(leftover, _)| leftover.resource.as_str()).collect();
        assert_eq!(names, ["runs"]);
        // free slots are used again, others not
        records.add(record(second.id(), "another"));
        let third = Records::open(directory.path()).leftovers();
        assert_eq!(third.len(), 2);
        end(second);
    }
}
