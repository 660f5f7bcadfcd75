//! Looks at the hosts from outside the cluster: nothing exclusive may be active on two of them at once.

use std::collections::BTreeMap;
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
        let has = |(host, table): (String, String)| is_local(address, &table).then_some(host);
        self.routes().into_iter().filter_map(has).collect()
    }

    /// The routing tables of the hosts, whose root directories are those of their first processes in `/proc`.
    fn routes(&self) -> Vec<(String, String)> {
        let table = |root: &Path| fs::read_to_string(root.parent()?.join("net/fib_trie")).ok();
        self.all().into_iter().map(|(host, root)| (host, table(&root).unwrap_or_default())).collect()
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

/// Whether a host with such routes has this address.
fn is_local(address: &str, table: &str) -> bool {
    let entry = format!("|-- {address}\n");
    let mut after = table.match_indices(&entry).map(|(at, _)| table[at + entry.len()..].trim_start());
    after.any(|next| next.starts_with("/32 host LOCAL"))
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
    let routes = roots.routes();
    let is_twice = |address: &&str| routes.iter().filter(|(_, table)| is_local(address, table)).count() > 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_address_is_told_from_a_route() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.77.0.100\n        /32 link UNICAST\nLocal:\n     |-- 10.77.0.10\n        \
                     /32 host LOCAL\n     |-- 10.77.0.101\n        /32 host LOCAL\n";
        assert!(!is_local("10.77.0.100", table) && !is_local("10.77.0.1", table));
        assert!(is_local("10.77.0.101", table) && is_local("10.77.0.10", table));
    }
}
