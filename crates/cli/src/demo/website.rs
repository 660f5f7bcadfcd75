//! The demonstration's visitor: asks for the page as a browser would and remembers when it was not there.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the page is asked for.
const INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
struct Seen {
    /// When the newest good answer came, and from which node.
    last: Option<(Instant, String)>,
    /// The longest gap between good answers since the last reset.
    longest_gap: Duration,
    /// Who answered since the last reset, in order, without repeats.
    served_by: Vec<String>,
}

/// Polls the website from a thread of its own until dropped.
pub struct Visitor {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Visitor {
    pub fn start(address: SocketAddr) -> Visitor {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, ended) = (seen.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let begun = Instant::now();
                if let Some(node) = ask(address) {
                    note(&shared, node);
                }
                std::thread::sleep(INTERVAL.saturating_sub(begun.elapsed()));
            }
        });
        Visitor { seen, stop, thread: Some(thread) }
    }

    /// Forgets gaps and who served; the newest answer stays as the start of the next gap.
    pub fn reset(&self) {
        let mut seen = lock(&self.seen);
        seen.longest_gap = Duration::ZERO;
        seen.served_by.clear();
    }

    /// Who answered within the last moments.
    pub fn served_by(&self) -> Option<String> {
        let seen = lock(&self.seen);
        seen.last.as_ref().filter(|(at, _)| at.elapsed() < INTERVAL * 8).map(|(_, node)| node.clone())
    }

    /// The longest time without an answer since the reset, the current one included.
    pub fn outage(&self) -> Duration {
        let seen = lock(&self.seen);
        let running = seen.last.as_ref().map_or(Duration::ZERO, |(at, _)| at.elapsed());
        seen.longest_gap.max(running)
    }

    /// All that answered since the reset, in order.
    pub fn history(&self) -> Vec<String> {
        lock(&self.seen).served_by.clone()
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn note(seen: &Mutex<Seen>, node: String) {
    let now = Instant::now();
    let mut seen = lock(seen);
    if let Some((before, _)) = &seen.last {
        let gap = now.duration_since(*before);
        seen.longest_gap = seen.longest_gap.max(gap);
    }
    if seen.served_by.last() != Some(&node) {
        seen.served_by.push(node.clone());
    }
    seen.last = Some((now, node));
}

/// The node that the page names, if there is a page.
fn ask(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.lines().next()?.contains(" 200 ") {
        return None;
    }
    body.trim().strip_prefix("Hello from ").map(str::to_owned)
}
