//! Runs one child process to its end: own process group, bounded output, a time limit, and no way for a
//! child or its descendants to hold us up.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// Most bytes kept of each output; the rest is read and dropped (rule 4.2.1).
pub const MAX_OUTPUT: usize = 10 << 20;

/// Time after which a killed process that still exists is reported.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// Pauses between two looks at a child's output. Most children write next to nothing before they end, and being
/// woken for each piece, and for the end of each output, would cost more than the rest of a short run. One that
/// writes much is read as fast as it writes.
const LOOK: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(100);

/// The pause before the first look.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// What to run and how.
#[derive(Debug, Clone)]
pub struct Spec<'a> {
    /// Executable file.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Added to the daemon's environment; of one name the last counts.
    pub environment: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Removed from it.
    pub unset: Vec<&'static str>,
    /// Written to standard input, which is closed after it; without it the child reads `/dev/null`.
    pub input: Option<Vec<u8>>,
    /// After this the process group is killed.
    pub timeout: Duration,
    /// Kill only the process itself (rule 4.2.5).
    pub spare_group: bool,
    /// Numbers of the user and group that it runs as; without them as who we are.
    pub identity: Option<(u32, u32)>,
}

/// The caller's hands on a running child.
#[derive(Default)]
pub struct Control {
    /// Called once with the process id.
    pub started: Option<Box<dyn FnOnce(u32) + Send>>,
    /// When its sender sends (or with `kill_on_drop` semantics the caller drops the whole future), the group
    /// is killed.
    pub cancelled: Option<oneshot::Receiver<()>>,
}

/// How a child ended.
#[derive(Debug)]
pub enum End {
    /// By itself.
    Exited(i32),
    /// By a signal that was not ours.
    Signalled(i32),
    /// Killed at its time limit.
    TimedOut,
    /// Killed on demand.
    Cancelled,
    /// Never ran.
    NotStarted(io::Error),
}

/// A child's end and what it wrote.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// First [`MAX_OUTPUT`] bytes of its standard output.
    pub stdout: Vec<u8>,
    /// The same of its standard error.
    pub stderr: Vec<u8>,
    /// Time between start and end.
    pub executed: Duration,
}

/// Why we killed the child.
#[derive(Clone, Copy)]
enum Killed {
    TimedOut,
    Cancelled,
}

/// Runs a child to its end. The result comes when the child itself has ended, even if descendants still
/// hold its output.
pub async fn execute(spec: &Spec<'_>, control: Control) -> Ended {
    let began = Instant::now();
    match spawn(spec) {
        Ok((child, stdout, stderr)) => supervise(spec, control, child, stdout, stderr, began).await,
        Err(error) => Ended {
            end: End::NotStarted(not_started(spec, error)),
            stdout: Vec::new(),
            stderr: Vec::new(),
            executed: began.elapsed(),
        },
    }
}

/// Keeps from all later children what this process was given open beside standard input, output and error (rule
/// 4.2.1): a resource that was started with somebody's lock or pipe would hold it for ever. What this process opens
/// by itself its children never get. To be called before any of that.
pub fn keep_descriptors() {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    // the listing's own descriptor is among them, and gone when they are looked at
    for number in numbers.filter(|number| *number > 2).collect::<Vec<_>>() {
        // SAFETY: the descriptor is used for nothing but its own flags, which a closed one answers with an error
        let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
        let _ = rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC);
    }
}

/// The kernel calls it a lack of permission if what is to be run is a directory (rule 4.2.3).
fn not_started(spec: &Spec<'_>, error: io::Error) -> io::Error {
    let is_directory = error.kind() == io::ErrorKind::PermissionDenied && spec.program.is_dir();
    if is_directory { io::ErrorKind::IsADirectory.into() } else { error }
}

/// Agents run with ordinary priority, whatever ours is (rule 4.2.1).
fn give_ordinary_priority(child: &Child) {
    use rustix::process::{Pid, getpriority_process, setpriority_process};
    if getpriority_process(None).is_ok_and(|own| own == 0) {
        return;
    }
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // who may not raise it runs as it is
        let _ = setpriority_process(Some(pid), 0);
    }
}

fn spawn(spec: &Spec<'_>) -> io::Result<(Child, Capture, Capture)> {
    let (stdout, stdout_end) = Capture::new()?;
    let (stderr, stderr_end) = Capture::new()?;
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.arguments)
        .envs(spec.environment.iter().map(|(name, value)| (&**name, &**value)))
        .process_group(0)
        .stdin(if spec.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(stdout_end)
        .stderr(stderr_end);
    for name in &spec.unset {
        command.env_remove(name);
    }
    if let Some((user, group)) = spec.identity {
        command.uid(user).gid(group);
    }
    let child = command.spawn()?;
    give_ordinary_priority(&child);
    Ok((child, stdout, stderr))
}

async fn supervise(
    spec: &Spec<'_>,
    control: Control,
    mut child: Child,
    mut stdout: Capture,
    mut stderr: Capture,
    began: Instant,
) -> Ended {
    let pid = child.id().unwrap_or(0);
    let target = Target { pid, group: !spec.spare_group };
    // if this future is dropped the child's group must not live on
    let mut guard = KillOnDrop(Some(target));
    if let Some(started) = control.started {
        started(pid);
    }
    feed(&mut child, spec.input.clone());
    let mut cancelled = control.cancelled;
    let mut killed = None;
    let mut deadline = tokio::time::Instant::from_std(began + spec.timeout);
    let mut pause = FIRST_LOOK;
    let mut look = tokio::time::Instant::from_std(began + pause);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = tokio::time::sleep_until(look) => {
                let much = stdout.take_all() | stderr.take_all();
                pause = if much { *LOOK.start() } else { (pause * 2).min(*LOOK.end()) };
                look = tokio::time::Instant::now() + pause;
            }
            () = tokio::time::sleep_until(deadline) => {
                if killed.is_none() {
                    killed = Some(Killed::TimedOut);
                    target.kill();
                } else {
                    tracing::warn!(pid, program = %spec.program.display(), "a killed agent still exists");
                }
                deadline = tokio::time::Instant::now() + KILL_GRACE;
            }
            Ok(()) = wait_for(&mut cancelled) => {
                cancelled = None;
                if killed.is_none() {
                    killed = Some(Killed::Cancelled);
                    target.kill();
                    deadline = tokio::time::Instant::now() + KILL_GRACE;
                }
            }
        }
    };
    guard.0 = None;
    stdout.take_all();
    stderr.take_all();
    Ended { end: end(status, killed), stdout: stdout.bytes, stderr: stderr.bytes, executed: began.elapsed() }
}

fn end(status: io::Result<ExitStatus>, killed: Option<Killed>) -> End {
    match (status, killed) {
        (_, Some(Killed::TimedOut)) => End::TimedOut,
        (_, Some(Killed::Cancelled)) => End::Cancelled,
        (Err(error), None) => End::NotStarted(error),
        (Ok(status), None) => match (status.code(), status.signal()) {
            (Some(code), _) => End::Exited(code),
            (None, signal) => End::Signalled(signal.unwrap_or(0)),
        },
    }
}

/// Waits until somebody cancels, for ever if nobody can.
pub(crate) async fn wait_for(
    cancelled: &mut Option<oneshot::Receiver<()>>,
) -> Result<(), oneshot::error::RecvError> {
    match cancelled {
        Some(receiver) => match receiver.await {
            Ok(()) => Ok(()),
            // the sender has lost interest: nobody will cancel
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Writes the input beside everything else: a child that reads nothing must not hold us up.
fn feed(child: &mut Child, input: Option<Vec<u8>>) {
    let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) else { return };
    tokio::spawn(async move {
        // a child that does not want its input says so with its exit code
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, &input).await;
    });
}

#[derive(Clone, Copy)]
struct Target {
    pid: u32,
    group: bool,
}

impl Target {
    fn kill(self) {
        kill(self.pid, self.group);
    }
}

struct KillOnDrop(Option<Target>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(target) = self.0 {
            target.kill();
        }
    }
}

/// Sends SIGKILL to a process or to the group that it leads.
pub fn kill(pid: u32, group: bool) {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return };
    // it may be gone already
    let _ = if group {
        rustix::process::kill_process_group(pid, rustix::process::Signal::KILL)
    } else {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)
    };
}

/// One output of a child.
struct Capture {
    /// Our end, which never blocks.
    pipe: io::PipeReader,
    bytes: Vec<u8>,
}

impl Capture {
    fn new() -> io::Result<(Capture, Stdio)> {
        let (pipe, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok((Capture { pipe, bytes: Vec::new() }, writer.into()))
    }

    /// Takes what is there; whether it was so much that the child may be waiting for room. At most a pipe's
    /// content and a bit: a descendant that holds the pipe may go on writing for ever.
    fn take_all(&mut self) -> bool {
        let mut piece = [0; 16384];
        let mut much = false;
        for _ in 0..128 {
            match self.pipe.read(&mut piece) {
                Ok(length) if length > 0 => {
                    let room = MAX_OUTPUT - self.bytes.len();
                    self.bytes.extend_from_slice(&piece[..length.min(room)]);
                    much |= length == piece.len();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // its end, nothing now, or nothing ever
                _ => break,
            }
        }
        much
    }
}

/// The C library's description of a signal.
pub fn signal_text(signal: i32) -> String {
    let text = match signal {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        5 => "Trace/breakpoint trap",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        10 => "User defined signal 1",
        11 => "Segmentation fault",
        12 => "User defined signal 2",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        16 => "Stack fault",
        17 => "Child exited",
        18 => "Continued",
        19 => "Stopped (signal)",
        20 => "Stopped",
        21 => "Stopped (tty input)",
        22 => "Stopped (tty output)",
        23 => "Urgent I/O condition",
        24 => "CPU time limit exceeded",
        25 => "File size limit exceeded",
        26 => "Virtual timer expired",
        27 => "Profiling timer expired",
        28 => "Window changed",
        29 => "I/O possible",
        30 => "Power failure",
        31 => "Bad system call",
        _ => return format!("Unknown signal {signal}"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, seconds: u64) -> Spec<'static> {
        Spec {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: Vec::new(),
            unset: Vec::new(),
            input: None,
            timeout: Duration::from_secs(seconds),
            spare_group: false,
            identity: None,
        }
    }

    fn run(spec: &Spec<'_>, control: Control) -> Ended {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(execute(spec, control))
    }

    #[test]
    fn the_exit_code_and_both_outputs_are_kept() {
        let ended = run(&shell("echo out; echo err >&2; exit 7", 60), Control::default());
        assert!(matches!(ended.end, End::Exited(7)), "{ended:?}");
        assert_eq!((&ended.stdout[..], &ended.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    }

    #[test]
    fn a_timeout_kills_the_whole_group() {
        let ended = run(&shell("sleep 300 & echo $!; sleep 300", 1), Control::default());
        assert!(matches!(ended.end, End::TimedOut), "{ended:?}");
        let child = String::from_utf8(ended.stdout).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        let ends = || state().is_empty() || state().contains(" Z ");
        // the kernel may take a moment to end what was killed
        let began = Instant::now();
        while !ends() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(ends(), "the agent's child lives: {}", state());
    }

    #[test]
    fn a_daemon_that_holds_the_pipe_does_not_hold_us() {
        let began = Instant::now();
        let ended = run(&shell("setsid sleep 20 & echo $!", 60), Control::default());
        assert!(matches!(ended.end, End::Exited(0)), "{ended:?}");
        assert!(began.elapsed() < Duration::from_secs(15));
        let pid: u32 = String::from_utf8(ended.stdout).unwrap().trim().parse().unwrap();
        kill(pid, false);
    }

    #[test]
    fn a_flood_is_bounded() {
        let ended = run(&shell("head -c 30000000 /dev/zero", 60), Control::default());
        assert!(matches!(ended.end, End::Exited(0)), "{:?}", ended.end);
        assert_eq!(ended.stdout.len(), MAX_OUTPUT);
    }

    #[test]
    fn cancelling_kills() {
        let (cancel, cancelled) = oneshot::channel();
        let started = Box::new(move |_| cancel.send(()).unwrap());
        let control = Control { started: Some(started), cancelled: Some(cancelled) };
        let ended = run(&shell("sleep 300", 600), control);
        assert!(matches!(ended.end, End::Cancelled), "{ended:?}");
    }

    #[test]
    fn input_that_nobody_reads_and_a_foreign_signal() {
        let mut spec = shell("kill -SEGV $$", 60);
        spec.input = Some(vec![b'x'; 1 << 20]);
        assert!(matches!(run(&spec, Control::default()).end, End::Signalled(11)));
        assert_eq!(signal_text(11), "Segmentation fault");
    }
}
