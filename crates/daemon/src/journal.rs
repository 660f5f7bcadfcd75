//! The journal: what happened on this node, kept in memory for those who watch, with texts for people.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use cluster::EventKind;
use tokio::sync::watch;
use view::api::{Event, Severity};

/// Entries that are kept for late readers.
const KEPT: usize = 10_000;

/// Entries of one node. Writers never wait for readers; a reader that is too late finds a gap.
pub(crate) struct Journal {
    node: String,
    entries: Mutex<VecDeque<Arc<Entry>>>,
    newest: watch::Sender<u64>,
}

/// An entry as it is kept. What only readers want is made when one comes.
struct Entry {
    sequence: u64,
    time_ms: u64,
    severity: Severity,
    kind: &'static str,
    content: Content,
}

enum Content {
    /// Of the daemon itself.
    Text(String),
    Event {
        kind: EventKind,
        why: Option<String>,
    },
}

impl Content {
    fn message(&self) -> String {
        match self {
            Content::Text(text) => text.clone(),
            Content::Event { kind, why: Some(why) } => format!("{} ({why})", words(kind)),
            Content::Event { kind, why: None } => words(kind),
        }
    }

    fn fields(&self) -> BTreeMap<String, String> {
        let Content::Event { kind, why } = self else { return BTreeMap::new() };
        let mut fields = fields(kind);
        fields.extend(why.clone().map(|why| ("why".to_owned(), why)));
        fields
    }
}

impl Entry {
    fn event(&self, node: &str) -> Event {
        Event {
            sequence: self.sequence,
            time_ms: self.time_ms,
            node: node.to_owned(),
            severity: self.severity,
            kind: self.kind.to_owned(),
            message: self.content.message(),
            fields: self.content.fields(),
        }
    }
}

impl Journal {
    pub(crate) fn new(node: &str) -> Journal {
        Journal { node: node.to_owned(), entries: Mutex::default(), newest: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Number of the newest entry; changes when one is added.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    pub(crate) fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Entries after a number, oldest first, at most a hundred.
    pub(crate) fn after(&self, sequence: u64) -> Vec<Event> {
        let entries = self.lock();
        let start = entries.partition_point(|entry| entry.sequence <= sequence);
        let found: Vec<Arc<Entry>> = entries.range(start..).take(100).cloned().collect();
        drop(entries);
        found.iter().map(|entry| entry.event(&self.node)).collect()
    }

    /// Adds an entry of the daemon itself.
    pub(crate) fn daemon(&self, severity: Severity, message: impl Into<String>) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.add(severity, severity, "daemon", Content::Text(message.into()), now);
    }

    /// Adds an entry of the node.
    pub(crate) fn node(&self, event: cluster::Event) {
        let at = u64::try_from(event.at).unwrap_or(0);
        let (severity, kind) = class(&event.kind);
        let logged =
            if self.is_routine_elsewhere(&event.kind, severity) { Severity::Debug } else { severity };
        self.add(severity, logged, kind, Content::Event { kind: event.kind, why: event.why }, at);
    }

    /// What other nodes do, and do well, is in their own logs, and the whole of it in the DC's plans.
    fn is_routine_elsewhere(&self, kind: &EventKind, severity: Severity) -> bool {
        let node = match kind {
            EventKind::ActionStarted { node, .. } => node.as_deref(),
            EventKind::OperationDone { node, .. } => Some(node.as_str()),
            _ => None,
        };
        severity == Severity::Info && node.is_some_and(|node| node != self.node)
    }

    fn add(&self, severity: Severity, logged: Severity, kind: &'static str, content: Content, time_ms: u64) {
        match logged {
            Severity::Error => tracing::error!(kind, "{}", content.message()),
            Severity::Warning => tracing::warn!(kind, "{}", content.message()),
            Severity::Debug => tracing::debug!(kind, "{}", content.message()),
            Severity::Info | Severity::Notice => tracing::info!(kind, "{}", content.message()),
        }
        let mut entries = self.lock();
        let sequence = entries.back().map_or(0, |entry| entry.sequence) + 1;
        if entries.len() >= KEPT {
            entries.pop_front();
        }
        entries.push_back(Arc::new(Entry { sequence, time_ms, severity, kind, content }));
        drop(entries);
        self.newest.send_replace(sequence);
    }
}

/// How much an event matters, and what sort it is.
fn class(kind: &EventKind) -> (Severity, &'static str) {
    use Severity::{Debug, Error, Info, Notice, Warning};
    match kind {
        EventKind::View { lost, quorate, .. } => {
            (if lost.is_empty() && *quorate { Notice } else { Warning }, "membership")
        }
        EventKind::Joined { .. } => (Notice, "join"),
        EventKind::JoinRefused { .. } => (Error, "join"),
        EventKind::CibChanged { configuration, .. } => (if *configuration { Info } else { Debug }, "cib"),
        EventKind::AttributeChanged { .. } => (Info, "attribute"),
        EventKind::Planned { actions, .. } => (if *actions == 0 { Debug } else { Info }, "transition"),
        EventKind::ActionStarted { .. } => (Info, "action"),
        EventKind::OperationDone { failed, .. } => (if *failed { Warning } else { Info }, "operation"),
        EventKind::TransitionDone { .. } => (Info, "transition"),
        EventKind::FenceStarted(_) => (Warning, "fence"),
        EventKind::FenceDone(record) => {
            (if record.state == cluster::FenceState::Failed { Error } else { Notice }, "fence")
        }
        EventKind::FenceHistoryChanged { .. } => (Info, "fence"),
        EventKind::ShutdownRequested { .. } => (Notice, "membership"),
        EventKind::Settled => (Info, "settled"),
        EventKind::Notice { severity, .. } => {
            let severity = match severity {
                cluster::Severity::Info => Info,
                cluster::Severity::Warning => Warning,
                cluster::Severity::Error => Error,
            };
            (severity, "notice")
        }
        EventKind::Ended { .. } => (Notice, "daemon"),
    }
}

fn words(kind: &EventKind) -> String {
    match kind {
        EventKind::View { members, came, lost, quorate } => {
            let mut text = format!("members: {}", list(members));
            if !came.is_empty() {
                text.push_str(&format!("; came: {}", list(came)));
            }
            if !lost.is_empty() {
                text.push_str(&format!("; lost: {}", list(lost)));
            }
            text.push_str(if *quorate { "; quorum" } else { "; NO quorum" });
            text
        }
        EventKind::Joined { dc, members, cib_version, cib_from } => {
            format!("{} agree: DC is {dc}, configuration {cib_version} of {cib_from}", list(members))
        }
        EventKind::JoinRefused { reason } => format!("refused by the cluster: {reason}"),
        EventKind::CibChanged { version, configuration, origin, program, user } => {
            let user = user.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
            let what = if *configuration { "configuration" } else { "status" };
            format!("{what} changed to {version} by {program}{user} on {origin}")
        }
        EventKind::AttributeChanged { name, node, value } => match value {
            Some(value) => format!("{name}={value} on {node}"),
            None => format!("{name} removed on {node}"),
        },
        EventKind::Planned { transition, actions, summary } => match summary.as_slice() {
            [] => format!("plan {transition}: {actions} actions"),
            lines => format!("plan {transition}: {}", lines.join("; ")),
        },
        EventKind::ActionStarted { operation, resource, node, .. } => {
            let subject = resource.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            let place = node.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
            format!("{operation}{subject}{place}")
        }
        EventKind::OperationDone { .. } => operation(kind),
        EventKind::TransitionDone { transition, complete: true, .. } => {
            format!("plan {transition} is carried out")
        }
        EventKind::TransitionDone { transition, complete: false, incomplete_actions } => {
            format!("plan {transition} ended with {incomplete_actions} actions left")
        }
        EventKind::FenceStarted(record) => {
            format!("fencing: {} of {} asked by {}", record.action, record.target, record.client)
        }
        EventKind::FenceDone(record) => fence_end(record),
        EventKind::FenceHistoryChanged { how } => how.clone(),
        EventKind::ShutdownRequested { node } => format!("{node} asks to leave"),
        EventKind::Settled => "nothing left to do".to_owned(),
        EventKind::Notice { text, .. } => text.clone(),
        EventKind::Ended { reason } => format!("this node ends: {reason}"),
    }
}

fn operation(kind: &EventKind) -> String {
    let EventKind::OperationDone {
        node,
        resource,
        action,
        interval,
        status,
        exit_code,
        exit_reason,
        executed,
        failed,
    } = kind
    else {
        return String::new();
    };
    let every =
        if *interval > 0 { format!(" (every {} s)", *interval as f64 / 1000.0) } else { String::new() };
    let verb = if action == "monitor" && *interval == 0 { "probe" } else { action };
    let mut text = format!("{verb} {resource} on {node}{every}: ");
    let result = result_word(*exit_code);
    match (failed, status.as_str()) {
        (true, "Done") => text.push_str(&format!("failed, {result} (exit code {exit_code})")),
        (true, status) => text.push_str(&format!("failed, {status}, exit code {exit_code}")),
        (false, "Pending") => return text + "its first run comes later",
        (false, _) => text.push_str(&result),
    }
    if !exit_reason.is_empty() {
        text.push_str(&format!(", '{exit_reason}'"));
    }
    format!("{text}, {executed} ms")
}

/// What an agent's exit code says of its resource.
fn result_word(exit_code: i32) -> String {
    match exit_code {
        0 => "ok".to_owned(),
        193.. => format!("exit code {exit_code}"),
        code => view::status::words::result(i64::from(code)).to_lowercase(),
    }
}

fn fence_end(record: &cluster::FenceRecord) -> String {
    let who = record.executor.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let (action, target) = (&record.action, &record.target);
    match record.state {
        cluster::FenceState::Failed => format!("fencing: {action} of {target} failed: {}", record.reason),
        _ => format!("fencing: {action} of {target} done{who}"),
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The event's own data, flattened.
fn fields(kind: &EventKind) -> BTreeMap<String, String> {
    let Ok(serde_json::Value::Object(map)) = serde_json::to_value(kind) else { return BTreeMap::new() };
    map.into_iter()
        .filter_map(|(name, value)| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some((name, text)),
            serde_json::Value::Array(items) => {
                let texts: Vec<String> = items
                    .iter()
                    .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                    .collect();
                Some((name, texts.join("\n")))
            }
            other => Some((name, other.to_string())),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_resume_and_old_entries_go() {
        let journal = Journal::new("node1");
        for number in 0..KEPT + 5 {
            journal.daemon(Severity::Debug, number.to_string());
        }
        assert_eq!(journal.newest(), KEPT as u64 + 5);
        assert_eq!(journal.after(0)[0].sequence, 6);
        assert_eq!(journal.after(KEPT as u64 + 3).len(), 2);
        assert!(journal.after(u64::MAX).is_empty());
    }

    #[test]
    fn what_others_do_well_is_not_logged_but_kept() {
        let started = |node: &str| EventKind::ActionStarted {
            transition: 1,
            action: 2,
            operation: "start".into(),
            resource: Some("WEB".into()),
            node: Some(node.into()),
        };
        let journal = Journal::new("node1");
        assert!(journal.is_routine_elsewhere(&started("node2"), Severity::Info));
        assert!(!journal.is_routine_elsewhere(&started("node1"), Severity::Info));
        assert!(!journal.is_routine_elsewhere(&started("node2"), Severity::Warning));
        let (id, kind) = (cluster::EventId(1), started("node2"));
        journal.node(cluster::Event { id, at: 0, kind, why: None, causes: Vec::new() });
        let event = &journal.after(0)[0];
        assert_eq!((&*event.message, event.severity), ("start WEB on node2", Severity::Info));
    }

    #[test]
    fn an_event_has_words_and_data() {
        let kind = EventKind::OperationDone {
            node: "node2".into(),
            resource: "WEB".into(),
            action: "monitor".into(),
            interval: 10_000,
            status: "Done".into(),
            exit_code: 7,
            exit_reason: "gone".into(),
            executed: 12,
            failed: true,
        };
        let journal = Journal::new("node1");
        journal.node(cluster::Event {
            id: cluster::EventId(1),
            at: 0,
            kind,
            why: Some("because".into()),
            causes: Vec::new(),
        });
        let event = &journal.after(0)[0];
        assert_eq!(
            event.message,
            "monitor WEB on node2 (every 10 s): failed, not running (exit code 7), 'gone', 12 ms (because)"
        );
        assert_eq!((&*event.fields["resource"], &*event.fields["why"]), ("WEB", "because"));
        assert_eq!(event.severity, Severity::Warning);
    }
}
