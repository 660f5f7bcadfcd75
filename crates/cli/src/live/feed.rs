//! Threads that read for a live view: each node's journal, the state of the cluster, the keyboard.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use client::Client;
use ratatui::crossterm::event as terminal;
use view::api;
use view::board::Board;

use super::{Message, Picture};
use crate::outlook::Outlook;
use crate::session::{Problem, parse};

/// Between two attempts to reach a node.
const AGAIN: Duration = Duration::from_millis(200);
/// The state is read at least this often, so that times and what expires stay true.
const STALE: Duration = Duration::from_secs(5);
/// What comes together is read once.
const TOGETHER: Duration = Duration::from_millis(30);

/// Where a live view reads.
#[derive(Clone)]
pub struct Source {
    /// Sockets of the nodes whose journals are followed.
    pub journals: Vec<PathBuf>,
    /// From which entries on: 0 for all that are kept.
    pub after: Option<u64>,
    /// A connection to a node that knows the state.
    pub connect: fn(&[PathBuf]) -> Result<Client, Problem>,
}

/// The running threads.
pub struct Feed {
    stop: Arc<AtomicBool>,
}

impl Feed {
    /// Starts reading into `sender`. Without a screen only journals are read.
    pub fn start(source: &Source, sender: &SyncSender<Message>, screen: bool) -> Feed {
        let feed = Feed { stop: Arc::default() };
        let (changed, changes) = sync_channel(1);
        for path in source.journals.clone() {
            let (sender, changed, after) = (sender.clone(), changed.clone(), source.after);
            feed.spawn(move |stop| journal(&path, after, &sender, &changed, stop));
        }
        if screen {
            let (source, pictures, keys) = (source.clone(), sender.clone(), sender.clone());
            feed.spawn(move |stop| state(&source, &pictures, &changes, stop));
            feed.spawn(move |stop| keyboard(&keys, stop));
        }
        feed
    }

    fn spawn(&self, work: impl FnOnce(&AtomicBool) + Send + 'static) {
        let stop = self.stop.clone();
        std::thread::spawn(move || work(&stop));
    }

    /// Ends all threads. They are not waited for: a node may take long not to answer.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn goes_on(stop: &AtomicBool) -> bool {
    !stop.load(Ordering::Relaxed)
}

/// Follows one node's journal, across its deaths.
fn journal(
    path: &Path,
    mut after: Option<u64>,
    sender: &SyncSender<Message>,
    changed: &SyncSender<()>,
    stop: &AtomicBool,
) {
    let mut newest = 0;
    while goes_on(stop) {
        let query = api::EventQuery { after, no_follow: false };
        let Ok(mut events) = Client::connect(path).and_then(|client| client.events(&query)) else {
            // a node that comes back counts from 1 again
            after = Some(0);
            std::thread::sleep(AGAIN);
            continue;
        };
        let _ = changed.try_send(());
        while goes_on(stop) && !events.ended() {
            match events.next_within(AGAIN) {
                Ok(Some(event)) => {
                    if event.time_ms < newest {
                        continue;
                    }
                    newest = event.time_ms;
                    // a screen that cannot keep up may miss entries; it shows the newest state all the same
                    let _ = sender.try_send(Message::Event(event));
                    let _ = changed.try_send(());
                }
                Ok(None) => {}
                Err(_) => break,
            }
        }
        let _ = changed.try_send(());
        // the next daemon counts from 1 again; what is known already is left out by its time
        after = Some(0);
    }
}

/// Reads the state of the cluster when something has changed.
fn state(source: &Source, sender: &SyncSender<Message>, changes: &Receiver<()>, stop: &AtomicBool) {
    let mut waited = STALE;
    while goes_on(stop) {
        if waited >= STALE {
            waited = Duration::ZERO;
            let picture = picture(source).map_err(|problem| problem.message);
            if sender.send(Message::Picture(picture)).is_err() {
                return;
            }
        }
        match changes.recv_timeout(AGAIN) {
            Ok(()) => {
                std::thread::sleep(TOGETHER);
                while changes.try_recv().is_ok() {}
                waited = STALE;
            }
            Err(RecvTimeoutError::Timeout) => waited += AGAIN,
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn picture(source: &Source) -> Result<Picture, Problem> {
    let mut client = (source.connect)(&source.journals)?;
    client.set_timeout(STALE);
    let document = parse(client.cib(&api::CibQuery::default())?)?;
    let outlook = Outlook::current(&document)?;
    let clock =
        |seconds: i64| crate::events::clock(u64::try_from(seconds).unwrap_or(0) * 1000)[..8].to_owned();
    let status = client.status()?;
    Ok(Picture {
        board: Board::of(&outlook.status, &outlook.fail_counts, &clock),
        plan: plan(&status),
        complaints: status.problems,
    })
}

/// What the DC is doing.
fn plan(status: &api::Status) -> Option<String> {
    if status.settled {
        return Some("nothing left to do".to_owned());
    }
    let transition = status.transition.as_ref()?;
    let waiting = match transition.waiting_for.as_slice() {
        [] => String::new(),
        [first] => format!(", waiting for {first}"),
        [first, rest @ ..] => format!(", waiting for {first} and {} more", rest.len()),
    };
    Some(format!("plan {}: {} of {} done{waiting}", transition.number, transition.done, transition.total))
}

fn keyboard(sender: &SyncSender<Message>, stop: &AtomicBool) {
    while goes_on(stop) {
        match terminal::poll(AGAIN) {
            Ok(false) => {}
            Ok(true) => {
                let Ok(event) = terminal::read() else { return };
                if sender.send(Message::Terminal(event)).is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
