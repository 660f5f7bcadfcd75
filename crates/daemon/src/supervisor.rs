//! Keeps a node's daemon alive: two processes look after each other.
//!
//! The **supervisor** is what the administrator or systemd starts. It starts the **daemon** proper as its
//! child, and starts it again at once when it dies, so that the node is back before its peers give it up. One that
//! hangs it kills first. If the supervisor dies, the daemon goes on and starts another one (under systemd that is
//! systemd's part); a new supervisor takes over the daemon that it finds. Resources never notice any of it.
//!
//! ```text
//! supervisor.lock   held by the supervisor
//! daemon.pid        process of the daemon
//! daemon.exit       the daemon's last word, for a supervisor that is not its parent
//! ```

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::pulse::{self, Pulse};
use crate::{DaemonError, PanicAction, end};

/// A daemon that lived shorter than this is started again with a pause that grows to the longest.
const LIVED: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Codes with which a daemon ends for good (rules 4.34.5 and 4.38.3): left as told, stay down, brought its host down.
const FINAL: [i32; 3] = [0, 100, PANICKED];

/// It brought its host down, or could not (rule 4.58.3).
const PANICKED: i32 = 101;

/// The program's name when it starts itself: its file may be called like a classic tool.
const OWN_NAME: &str = "systole";

/// What the supervisor needs to know.
#[derive(Debug, Clone)]
pub struct Supervision {
    /// The node's state directory.
    pub state: PathBuf,
    /// The daemon's arguments; the program is this one.
    pub arguments: Vec<String>,
    /// `PCMK_fail_fast`: a daemon that dies is not started again, and its host is brought down (rule 4.38.2).
    pub fail_fast: Option<PanicAction>,
}

impl Supervision {
    fn file(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    fn fail(&self, name: &str) -> impl FnOnce(io::Error) -> DaemonError + use<> {
        let path = self.file(name);
        move |source| DaemonError::File { path, source }
    }

    /// Runs until the daemon ends for good. Gives its exit code.
    pub fn run(&self) -> Result<i32, DaemonError> {
        fs::create_dir_all(&self.state).map_err(self.fail(""))?;
        let _lock = self.lock()?;
        let signals = Signals::block().map_err(self.fail("signals"))?;
        let mut pause = Duration::ZERO;
        loop {
            let begun = Instant::now();
            let ended = self.one_life(&signals)?;
            if let Some(code) = ended.code().filter(|code| FINAL.contains(code) || signals.asked()) {
                return Ok(code);
            }
            if let Some(action) = self.fail_fast {
                eprintln!("systole daemon: {}: PCMK_fail_fast: this host is brought down", describe(ended));
                end::panic(action, &self.state);
                return Ok(PANICKED);
            }
            if begun.elapsed() >= LIVED {
                pause = Duration::ZERO;
            }
            eprintln!("systole daemon: {}: starting it again", describe(ended));
            std::thread::sleep(pause);
            pause = (pause * 2).clamp(Duration::from_millis(50), LONGEST_PAUSE);
        }
    }

    fn lock(&self) -> Result<File, DaemonError> {
        let path = self.file("supervisor.lock");
        let options = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = options().map_err(self.fail("supervisor.lock"))?;
        let lock = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        // the predecessor may be about to vanish
        for _ in 0..50 {
            if rustix::fs::flock(&file, lock).is_ok() {
                fs::write(&path, std::process::id().to_string()).map_err(self.fail("supervisor.lock"))?;
                return Ok(file);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let pid = fs::read_to_string(&path).unwrap_or_default();
        Err(DaemonError::AlreadyRunning { pid })
    }

    /// Takes over the daemon that runs, or starts one, and waits for its end.
    fn one_life(&self, signals: &Signals) -> Result<ExitStatus, DaemonError> {
        if let Some((pid, handle)) = self.living() {
            signals.forward_until_end(pid, &handle, &self.state);
            let code = fs::read_to_string(self.file("daemon.exit")).ok();
            let code = code.and_then(|code| code.trim().parse::<i32>().ok());
            return Ok(code.map_or(ExitStatus::from_raw(9), |code| ExitStatus::from_raw(code << 8)));
        }
        let _ = fs::remove_file(self.file("daemon.exit"));
        let mut child = self.start().map_err(self.fail("daemon"))?;
        let pid = Pid::from_child(&child);
        if let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) {
            signals.forward_until_end(pid, &handle, &self.state);
        }
        child.wait().map_err(self.fail("daemon"))
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg0(OWN_NAME).args(&self.arguments).arg(format!("--supervisor={}", std::process::id()));
        // the signals that this process keeps to itself must reach the daemon
        command.stdin(Stdio::null());
        Signals::unblock_in(&mut command);
        command.spawn()
    }

    /// A daemon of this node that an earlier supervisor left.
    fn living(&self) -> Option<(Pid, OwnedFd)> {
        let pid: i32 = fs::read_to_string(self.file("daemon.pid")).ok()?.trim().parse().ok()?;
        let pid = Pid::from_raw(pid)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        is_supervised(pid).then_some((pid, handle))
    }
}

/// The id in a stale file may belong to anything by now.
fn is_supervised(pid: Pid) -> bool {
    let words = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    words.split(|byte| *byte == 0).any(|word| word.starts_with(b"--supervisor="))
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the daemon ended with code {code}"),
        (None, Some(signal)) => format!("the daemon was ended by signal {signal}"),
        (None, None) => "the daemon ended".to_owned(),
    }
}

/// SIGTERM and SIGINT, taken by a thread and passed on to the daemon.
struct Signals {
    asked: Arc<AtomicBool>,
    target: Arc<std::sync::Mutex<Option<Pid>>>,
}

impl Signals {
    fn block() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (asked, target) = (Arc::<AtomicBool>::default(), Arc::<std::sync::Mutex<Option<Pid>>>::default());
        let (noted, to) = (asked.clone(), target.clone());
        let (ready_in, ready) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async move {
                use tokio::signal::unix::{SignalKind, signal};
                let streams = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
                let _ = ready_in.send(());
                let (Ok(mut term), Ok(mut int)) = streams else { return };
                loop {
                    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
                    noted.store(true, Ordering::SeqCst);
                    let pid = *to.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    if let Some(pid) = pid {
                        let _ = kill_process(pid, Signal::TERM);
                    }
                }
            });
        })?;
        let _ = ready.recv();
        Ok(Signals { asked, target })
    }

    /// A terminal's Ctrl-C must reach the daemon once and not twice.
    fn unblock_in(command: &mut Command) {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }

    fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Until then a daemon that hangs is ended.
    fn forward_until_end(&self, pid: Pid, handle: &OwnedFd, state: &Path) {
        *self.target.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(pid);
        if self.asked() {
            // asked before there was anybody to ask
            let _ = kill_process(pid, Signal::TERM);
        }
        end_if_it_hangs(pid, handle, state);
        await_end(handle);
        *self.target.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}

fn await_end(handle: &OwnedFd) {
    while !has_ended(handle, None) {}
}

/// Whether the process has ended, after waiting for it at most so long.
fn has_ended(handle: &OwnedFd, wait: Option<Duration>) -> bool {
    let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
    let mut list = [PollFd::new(handle, PollFlags::IN)];
    matches!(poll(&mut list, wait.as_ref()), Ok(count) if count > 0)
}

/// Returns when the daemon has ended, or has been ended because it hung (rule 4.38.4).
fn end_if_it_hangs(pid: Pid, handle: &OwnedFd, state: &Path) {
    let mut pulse = Pulse::of(pid.as_raw_nonzero().get().unsigned_abs(), state);
    // a question that is not answered takes its time itself
    while !has_ended(handle, Some(if pulse.is_felt() { pulse::PAUSE } else { Duration::ZERO })) {
        if let Err(reason) = pulse.feel() {
            eprintln!("systole daemon: {reason}: it is killed");
            let _ = kill_process(pid, Signal::KILL);
            return;
        }
    }
}

/// The daemon's part: writes down how it ended, for a supervisor that is not its parent.
pub(crate) fn note_end(state: &Path, code: i32) {
    let _ = fs::write(state.join("daemon.exit"), code.to_string());
}

/// The daemon's part: starts another supervisor when the present one dies. Under systemd it is systemd that
/// does so.
pub fn watch_supervisor(supervisor: u32, arguments: Vec<String>) {
    if std::env::var_os("INVOCATION_ID").is_some() {
        return;
    }
    let work = move || {
        let pid = i32::try_from(supervisor).ok().and_then(Pid::from_raw);
        if let Some(handle) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
            await_end(&handle);
        }
        loop {
            let started = std::env::current_exe().and_then(|binary| {
                let mut command = Command::new(binary);
                command.arg0(OWN_NAME).args(&arguments).stdin(Stdio::null());
                Signals::unblock_in(&mut command);
                command.spawn()
            });
            match started {
                Ok(mut child) => drop(child.wait()),
                Err(error) => tracing::error!(%error, "no new supervisor can be started"),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    if let Err(error) = std::thread::Builder::new().name("supervisor-watch".to_owned()).spawn(work) {
        tracing::error!(%error, "the supervisor is not watched");
    }
}
