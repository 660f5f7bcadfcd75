//! The watchdog of this host: a device that resets it unless it is fed, fed only while the node says that
//! all is well (rules 4.58, 4.59).
//!
//! With disks sbd does all of it, and fence devices of the agent fence_sbd are devices like any others (rule 4.60.6).
//!
//! Feeding is a thread of its own that does nothing else, so that no other work delays it. What it must
//! never do is to feed on the word of nobody: each word of the node is good for [`WatchdogTiming::stale`].

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cluster::WatchdogTiming;

/// Files with the settings of sbd, whose names this host's bound has (rule 4.60.2).
const SETTINGS: [&str; 2] = ["/etc/sysconfig/sbd", "/etc/default/sbd"];

/// Names the device that the daemon itself feeds; without it only a running sbd counts.
pub const OWN_DEVICE: &str = "SYSTOLE_WATCHDOG_DEVICE";

/// Something that resets the host when it is not fed.
trait Device: Send {
    fn feed(&mut self) -> io::Result<()>;
    /// From now on it need not be fed.
    fn disarm(&mut self) -> io::Result<()>;
}

/// What this host has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Milliseconds within which an unhealthy host is dead: `SBD_WATCHDOG_TIMEOUT`.
    pub bound: Option<u64>,
    /// Device to be fed by this daemon.
    pub device: Option<PathBuf>,
    /// sbd runs and feeds one.
    pub sbd: bool,
}

impl Facts {
    /// Looks at the environment, at sbd's settings and at its process.
    pub(crate) fn of_host() -> Facts {
        let setting = |name: &str| std::env::var(name).ok().or_else(|| from_files(name));
        let seconds: Option<u64> = setting("SBD_WATCHDOG_TIMEOUT").and_then(|text| text.trim().parse().ok());
        Facts {
            bound: seconds.map(|seconds| seconds * 1000),
            device: std::env::var_os(OWN_DEVICE).filter(|text| !text.is_empty()).map(PathBuf::from),
            sbd: !sbd_processes().is_empty(),
        }
    }

    /// Whether something takes this host down when it is not healthy.
    pub(crate) fn has_watchdog(&self) -> bool {
        self.sbd || self.device.is_some()
    }
}

/// A setting of the form `NAME=value`, quoted or not.
fn from_files(name: &str) -> Option<String> {
    SETTINGS
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .find_map(|text| setting(&text, name))
}

fn setting(text: &str, name: &str) -> Option<String> {
    let values = text.lines().filter_map(sbd_setting).filter(|(found, _)| *found == name);
    values.map(|(_, value)| value.to_owned()).next_back()
}

/// Name and value of a line of sbd's settings that sets something, without the value's quotes.
pub fn sbd_setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim().split_once('=')?;
    (!name.starts_with('#')).then_some((name, value.trim_matches(['"', '\''])))
}

/// Processes of sbd here: the one that its file names, else all of that name (rule 4.60.2).
pub(crate) fn sbd_processes() -> Vec<u32> {
    let named = std::fs::read_to_string("/run/sbd.pid").unwrap_or_default();
    let program = std::fs::read_link(format!("/proc/{}/exe", named.trim()));
    let is_sbd = program.is_ok_and(|program| program.file_name().is_some_and(|name| name == "sbd"));
    match named.trim().parse() {
        Ok(pid) if is_sbd => vec![pid],
        _ => processes_named("sbd"),
    }
}

fn processes_named(name: &str) -> Vec<u32> {
    let is = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|found| found.trim_end() == name)
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is).collect()
}

/// Waits for sbd where nothing may start before it watches this host (rule 4.60.5). A watchdog of the daemon's own is
/// armed before anything starts in any case.
pub(crate) fn await_sbd() {
    let setting = |name: &str| std::env::var(name).ok().or_else(|| from_files(name)).unwrap_or_default();
    let own = std::env::var_os(OWN_DEVICE).is_some_and(|text| !text.is_empty());
    if !own && starts_after_sbd(&setting("SBD_SYNC_RESOURCE_STARTUP"), &setting("SBD_DEVICE")) {
        wait_for(|| !sbd_processes().is_empty(), Duration::from_millis(500));
    }
}

/// Whether the settings have the node wait: told so, and with disks, without which the daemon feeds the watchdog.
fn starts_after_sbd(sync: &str, disks: &str) -> bool {
    cib::value::parse_boolean(sync.trim()).unwrap_or(false) && !disks.trim().is_empty()
}

fn wait_for(runs: impl Fn() -> bool, pause: Duration) {
    let mut said = false;
    while !runs() {
        if !said {
            tracing::warn!("waiting for sbd: SBD_SYNC_RESOURCE_STARTUP is set, and sbd does not run");
            said = true;
        }
        std::thread::sleep(pause);
    }
}

/// The node's word that all is well, and the thread that feeds on it.
pub(crate) struct Watchdog {
    pub timing: WatchdogTiming,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    start: Instant,
    /// Milliseconds after `start` of the last word.
    well: AtomicU64,
    disarm: AtomicBool,
}

impl Watchdog {
    /// Arms the device. `bound`: milliseconds within which this host must be dead when it is not healthy.
    ///
    /// # Errors
    /// The bound cannot be kept, or the device cannot be opened or set.
    pub(crate) fn arm(path: &Path, bound: u64) -> Result<Watchdog, String> {
        let timing = WatchdogTiming::within(bound)?;
        let told = |error: io::Error| format!("watchdog {}: {error}", path.display());
        Ok(Watchdog::with(open(path, timing.device).map_err(told)?, timing))
    }

    fn with(device: Box<dyn Device>, timing: WatchdogTiming) -> Watchdog {
        let shared = Arc::new(Shared {
            start: Instant::now(),
            well: AtomicU64::new(0),
            disarm: AtomicBool::new(false),
        });
        let thread = {
            let shared = shared.clone();
            std::thread::Builder::new().name("watchdog".into()).spawn(move || keep(device, timing, &shared))
        };
        Watchdog { timing, shared, thread: thread.ok() }
    }

    /// All is well now.
    pub(crate) fn well(&self) {
        self.shared.well.store(self.shared.elapsed(), Ordering::Relaxed);
    }

    /// This host may go on without being watched: the node has left in order.
    pub(crate) fn disarm(mut self) {
        self.shared.disarm.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // a thread that panicked has not disarmed, and the device fires: nothing to do about it here
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Feeds the device while the last word is young enough.
fn keep(mut device: Box<dyn Device>, timing: WatchdogTiming, shared: &Shared) {
    let mut starving = false;
    while !shared.disarm.load(Ordering::Relaxed) {
        let age = shared.elapsed().saturating_sub(shared.well.load(Ordering::Relaxed));
        let is_well = age <= timing.stale;
        if is_well && let Err(error) = device.feed() {
            tracing::error!(%error, "the watchdog cannot be fed");
        }
        if !is_well && !starving {
            tracing::error!(
                age_ms = age,
                fires_within_ms = timing.device,
                "this node is not healthy: its watchdog is not fed any more and will reset the host"
            );
        }
        starving = !is_well;
        std::thread::park_timeout(Duration::from_millis(timing.feed));
    }
    if let Err(error) = device.disarm() {
        tracing::error!(%error, "the watchdog could not be disarmed: it will reset this host");
    }
}

/// A kernel watchdog, or a plain file that stands for one in tests.
fn open(path: &Path, timeout: u64) -> io::Result<Box<dyn Device>> {
    let is_device = std::fs::metadata(path).is_ok_and(|data| data.file_type().is_char_device());
    if !is_device {
        return Ok(Box::new(FileBacked { path: path.to_path_buf(), count: 0 }));
    }
    let file = File::options().write(true).open(path)?;
    set_timeout(&file, timeout / 1000)?;
    Ok(Box::new(Kernel(file)))
}

/// Arms a kernel watchdog and lets it starve, which resets this host: returns only if that fails. `tell` is given
/// the seconds left, each second.
///
/// # Errors
/// It cannot be opened or set, or it has not fired.
pub fn starve(path: &Path, seconds: u64, tell: &mut dyn FnMut(u64)) -> Result<(), String> {
    /// Seconds that a device may take longer than it was told.
    const GRACE: u64 = 5;
    let is_device = std::fs::metadata(path).map_err(|error| error.to_string())?.file_type().is_char_device();
    if !is_device {
        return Err("this is not a watchdog device".to_owned());
    }
    let file = File::options().write(true).open(path).map_err(|error| error.to_string())?;
    set_timeout(&file, seconds).map_err(|error| error.to_string())?;
    for left in (0..=seconds + GRACE).rev() {
        tell(left);
        std::thread::sleep(Duration::from_secs(1));
    }
    Err(format!("it did not reset this host within {} s: do not rely on it", seconds + GRACE))
}

/// `/dev/watchdog`: any byte feeds it, and `V` before closing disarms it.
struct Kernel(File);

impl Device for Kernel {
    fn feed(&mut self) -> io::Result<()> {
        self.0.write_all(b"1")
    }

    fn disarm(&mut self) -> io::Result<()> {
        self.0.write_all(b"V")
    }
}

/// Whole seconds. A device that takes another time than asked for cannot keep the bound.
fn set_timeout(file: &File, seconds: u64) -> io::Result<()> {
    const SET_TIMEOUT: rustix::ioctl::Opcode = rustix::ioctl::opcode::read_write::<i32>(b'W', 6);
    let wanted = i32::try_from(seconds).unwrap_or(i32::MAX);
    let mut value = wanted;
    // SAFETY: WDIOC_SETTIMEOUT reads and writes one int, which is what the opcode and `value` are
    unsafe { rustix::ioctl::ioctl(file, rustix::ioctl::Updater::<SET_TIMEOUT, i32>::new(&mut value))? };
    if value > wanted {
        let text = format!("it fires after {value} s, and {wanted} s were asked for: declare a longer bound");
        return Err(io::Error::other(text));
    }
    Ok(())
}

/// Counts feedings in a file: whoever plays the hardware looks at when it last changed.
struct FileBacked {
    path: PathBuf,
    count: u64,
}

impl Device for FileBacked {
    fn feed(&mut self) -> io::Result<()> {
        self.count += 1;
        std::fs::write(&self.path, format!("fed {}\n", self.count))
    }

    fn disarm(&mut self) -> io::Result<()> {
        std::fs::write(&self.path, "disarmed\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(path: &Path, is: impl Fn(&str) -> bool) -> String {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            if is(&text) {
                return text;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn it_is_fed_while_the_node_says_that_all_is_well_and_disarmed_at_an_orderly_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("watchdog");
        let timing = WatchdogTiming { bound: 0, device: 0, stale: u64::MAX, feed: 5, report: 1 };
        let device = FileBacked { path: path.clone(), count: 0 };
        let watchdog = Watchdog::with(Box::new(device), timing);
        wait(&path, |text| text.starts_with("fed "));
        watchdog.well();
        watchdog.disarm();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "disarmed\n");
    }

    #[test]
    fn it_starves_without_a_young_word() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("watchdog");
        let timing = WatchdogTiming { bound: 0, device: 0, stale: 20, feed: 5, report: 1 };
        let watchdog = Watchdog::with(Box::new(FileBacked { path: path.clone(), count: 0 }), timing);
        wait(&path, |text| text.starts_with("fed "));
        // no word: after a while the count stands still, however long one looks
        let last = loop {
            let before = std::fs::read_to_string(&path).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            if std::fs::read_to_string(&path).unwrap() == before {
                break before;
            }
        };
        watchdog.well();
        wait(&path, |text| text != last);
        watchdog.disarm();
    }

    #[test]
    fn only_a_watchdog_is_starved() {
        let starved = |path: &str| starve(Path::new(path), 1, &mut |_| panic!("armed"));
        assert!(starved("/nonexistent/watchdog").is_err());
        assert!(starved("/proc/self/stat").is_err_and(|text| text.contains("not a watchdog device")));
        // takes no time limit
        assert!(starved("/dev/null").is_err());
    }

    #[test]
    fn settings_are_read_as_sbd_writes_them() {
        let text = "# SBD_WATCHDOG_TIMEOUT=1\nSBD_WATCHDOG_TIMEOUT=\"5\"\nSBD_WATCHDOG_TIMEOUT_X=9\n";
        assert_eq!(setting(text, "SBD_WATCHDOG_TIMEOUT").as_deref(), Some("5"));
        assert_eq!(setting(text, "OTHER"), None);
    }

    #[test]
    fn rule_4_60_5_with_disks_the_node_waits_for_sbd_if_told_to() {
        for (sync, disks, waits) in [
            ("true", "/dev/sdx", true),
            ("yes", "/dev/sdx", true),
            ("no", "/dev/sdx", false),
            ("", "/dev/sdx", false),
            ("true", "", false),
        ] {
            assert_eq!(starts_after_sbd(sync, disks), waits, "{sync} {disks}");
        }
        let looks = std::cell::Cell::new(0);
        let third = || {
            looks.set(looks.get() + 1);
            looks.get() == 3
        };
        wait_for(third, Duration::ZERO);
        assert_eq!(looks.get(), 3);
    }

    #[test]
    fn rule_4_60_2_a_process_is_found_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("sbd-by-name");
        std::fs::copy("/bin/sleep", &program).unwrap();
        let mut child = std::process::Command::new(&program).arg("600").spawn().unwrap();
        while processes_named("sbd-by-name").is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(processes_named("sbd-by-name"), [child.id()]);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_bound_that_cannot_be_kept_is_refused() {
        assert!(
            Watchdog::arm(Path::new("/nonexistent/watchdog"), 1000)
                .is_err_and(|text| text.contains("too short"))
        );
    }
}
