//! Looks at the hosts from outside the cluster: nothing exclusive may be active on two of them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Addresses of services: on one host at a time.
const FLOATING: [&str; 2] = ["10.77.0.100", "10.77.0.101"];

/// The root directories of the hosts that are on, as seen from outside.
#[derive(Clone, Default)]
pub struct Roots(Arc<Mutex<BTreeMap<String, PathBuf>>>);

impl Roots {
    pub fn set(&self, host: &str, root: PathBuf) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), root);
    }

    pub fn remove(&self, host: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }

    pub fn contains(&self, host: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(host)
    }

    fn all(&self) -> Vec<(String, PathBuf)> {
        let roots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        roots.iter().map(|(host, root)| (host.clone(), root.clone())).collect()
    }

    /// Hosts that have a file below `/run`.
    pub fn places(&self, file: &str) -> Vec<String> {
        let has = |(host, root): (String, PathBuf)| root.join("run").join(file).exists().then_some(host);
        self.all().into_iter().filter_map(has).collect()
    }

    /// Hosts that have a network address.
    pub fn holders(&self, address: &str) -> Vec<String> {
        let has = |(host, held): (String, BTreeSet<String>)| held.contains(address).then_some(host);
        self.addresses().into_iter().filter_map(has).collect()
    }

    fn addresses(&self) -> Vec<(String, BTreeSet<String>)> {
        self.all().into_iter().map(|(host, root)| (host, local_addresses(&root))).collect()
    }

    /// Dummies that run, by the name of their file, with how often.
    pub fn running(&self) -> BTreeMap<String, usize> {
        let mut running = BTreeMap::new();
        for (_, root) in self.all() {
            let files = fs::read_dir(root.join("run")).into_iter().flatten();
            for name in files.filter_map(|file| file.ok()?.file_name().into_string().ok()) {
                if name.starts_with("Dummy-") {
                    *running.entry(name).or_default() += 1;
                }
            }
        }
        running
    }
}

/// Addresses of the host with this root directory, which is one of its first process's in `/proc`.
fn local_addresses(root: &Path) -> BTreeSet<String> {
    let table = root.parent().map(|process| process.join("net/fib_trie"));
    let text = table.and_then(|table| fs::read_to_string(table).ok()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    (lines.windows(2).filter(|pair| pair[1].starts_with("/32 host LOCAL")))
        .filter_map(|pair| pair[0].strip_prefix("|-- ").map(str::to_owned))
        .collect()
}

/// The watching thread.
pub struct Watcher {
    stop: Arc<AtomicBool>,
    found: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    pub fn start(roots: Roots) -> Watcher {
        let (stop, found) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (ended, list) = (stop.clone(), found.clone());
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                look(&roots, &list);
                thread::sleep(Duration::from_millis(10));
            }
        });
        Watcher { stop, found, thread: Some(thread) }
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn look(roots: &Roots, found: &Mutex<Vec<String>>) {
    for (file, _) in roots.running().into_iter().filter(|(_, count)| *count > 1) {
        look_twice(&file, || roots.places(&file), found);
    }
    let held = roots.addresses();
    let is_twice = |address: &&str| held.iter().filter(|(_, held)| held.contains(*address)).count() > 1;
    for address in FLOATING.into_iter().filter(is_twice) {
        look_twice(address, || roots.holders(address), found);
    }
}

/// What moves while we look may be seen at both places: the first is looked at once more.
fn look_twice(what: &str, places: impl Fn() -> Vec<String>, found: &Mutex<Vec<String>>) {
    let first = places();
    if first.len() < 2 {
        return;
    }
    let still = places();
    let both: Vec<String> = first.into_iter().filter(|host| still.contains(host)).collect();
    if both.len() > 1 {
        let text = format!("{what} on {} at once", both.join(" and "));
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        if !found.contains(&text) {
            found.push(text);
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
