//! Runs one child process to its end: own process group, bounded output, a time limit, and no way for a
//! child or its descendants to hold us up.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use crate::spawn::{self, Environment};

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
pub struct Spec {
    /// Executable file.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// All of its environment.
    pub environment: Environment,
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
pub async fn execute(spec: &Spec, control: Control) -> Ended {
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
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC);
    }
}

/// The kernel calls it a lack of permission if what is to be run is a directory (rule 4.2.3).
fn not_started(spec: &Spec, error: io::Error) -> io::Error {
    let is_directory = error.kind() == io::ErrorKind::PermissionDenied && spec.program.is_dir();
    if is_directory { io::ErrorKind::IsADirectory.into() } else { error }
}

/// Agents run with ordinary priority, whatever ours is (rule 4.2.1).
fn give_ordinary_priority(pid: u32) {
    use rustix::process::{getpriority_process, setpriority_process};
    if getpriority_process(None).is_ok_and(|own| own == 0) {
        return;
    }
    if let Some(pid) = checked(pid) {
        // who may not raise it runs as it is
        let _ = setpriority_process(Some(pid), 0);
    }
}

fn spawn(spec: &Spec) -> io::Result<(Child, Capture, Capture)> {
    let (stdout, stdout_end) = Capture::new()?;
    let (stderr, stderr_end) = Capture::new()?;
    let input = spec.input.as_ref().map(|_| io::pipe()).transpose()?;
    let stdin = match &input {
        Some((stdin, _)) => stdin.as_fd(),
        None => null()?,
    };
    let files = [stdin, stdout_end.as_fd(), stderr_end.as_fd()];
    let pid = match spec.identity {
        None => spawn::spawn(&spec.program, &spec.arguments, &spec.environment, files)?,
        Some(identity) => {
            spawn::spawn_as(identity, &spec.program, &spec.arguments, &spec.environment, files)?
        }
    };
    let child = Child::new(pid, !spec.spare_group)?;
    give_ordinary_priority(pid);
    if let (Some((_, writer)), Some(bytes)) = (input, &spec.input) {
        feed(writer.into(), bytes.clone())?;
    }
    Ok((child, stdout, stderr))
}

/// What a child reads that is given nothing.
fn null() -> io::Result<BorrowedFd<'static>> {
    static NULL: OnceLock<File> = OnceLock::new();
    if NULL.get().is_none() {
        // of two that open it at once one is closed again
        let _ = NULL.set(File::open("/dev/null")?);
    }
    Ok(NULL.get().expect("was set").as_fd())
}

async fn supervise(
    spec: &Spec,
    control: Control,
    mut child: Child,
    mut stdout: Capture,
    mut stderr: Capture,
    began: Instant,
) -> Ended {
    let pid = child.pid;
    if let Some(started) = control.started {
        started(pid);
    }
    let mut cancelled = control.cancelled;
    let mut killed = None;
    let mut deadline = began + spec.timeout;
    let mut pause = FIRST_LOOK;
    let mut look = began + pause;
    let status = loop {
        tokio::select! {
            status = child.ended() => break status,
            () = tokio::time::sleep_until(look.min(deadline).into()) => {
                let now = Instant::now();
                let much = stdout.take_all() | stderr.take_all();
                pause = if much { *LOOK.start() } else { (pause * 2).min(*LOOK.end()) };
                look = now + pause;
                if now < deadline {
                    continue;
                }
                if killed.is_none() {
                    killed = Some(Killed::TimedOut);
                    child.kill();
                } else {
                    tracing::warn!(pid, program = %spec.program.display(), "a killed agent still exists");
                }
                deadline = now + KILL_GRACE;
            }
            Ok(()) = wait_for(&mut cancelled) => {
                cancelled = None;
                if killed.is_none() {
                    killed = Some(Killed::Cancelled);
                    child.kill();
                    deadline = Instant::now() + KILL_GRACE;
                }
            }
        }
    };
    stdout.take_all();
    stderr.take_all();
    Ended { end: end(status, killed), stdout: stdout.bytes, stderr: stderr.bytes, executed: began.elapsed() }
}

fn end(status: io::Result<WaitIdStatus>, killed: Option<Killed>) -> End {
    match (status, killed) {
        (_, Some(Killed::TimedOut)) => End::TimedOut,
        (_, Some(Killed::Cancelled)) => End::Cancelled,
        (Err(error), None) => End::NotStarted(error),
        (Ok(status), None) => match status.exit_status() {
            Some(code) => End::Exited(code),
            None => End::Signalled(status.terminating_signal().unwrap_or(0)),
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
fn feed(writer: OwnedFd, input: Vec<u8>) -> io::Result<()> {
    let mut writer = pipe::Sender::from_owned_fd(writer)?;
    tokio::spawn(async move {
        // a child that does not want its input says so with its exit code
        let _ = tokio::io::AsyncWriteExt::write_all(&mut writer, &input).await;
    });
    Ok(())
}

/// A handle of a process that is told when it ends.
#[derive(Debug)]
pub struct Watched(AsyncFd<OwnedFd>);

impl Watched {
    /// For a process of this id, which need not be our child.
    pub fn open(pid: u32) -> io::Result<Watched> {
        let pid = checked(pid).ok_or(io::ErrorKind::InvalidInput)?;
        let handle = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        // SAFETY: an OwnedFd names the same open descriptor for its whole life
        let handle = unsafe { AsyncFd::register(handle) };
        handle.map(Watched).map_err(io::Error::from)
    }

    /// Waits for its end.
    pub async fn ended(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }

    /// How our child ended, which is gone after it.
    fn status(&self) -> io::Result<WaitIdStatus> {
        let id = WaitId::PidFd(self.0.get_ref().as_fd());
        let status = rustix::process::waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)?;
        status.ok_or_else(|| io::Error::other("it has not ended"))
    }
}

/// A child that does not outlive this.
struct Child {
    pid: u32,
    /// Whether its whole group is killed with it.
    group: bool,
    /// None after its end.
    handle: Option<Watched>,
}

impl Child {
    fn new(pid: u32, group: bool) -> io::Result<Child> {
        match Watched::open(pid) {
            Ok(handle) => Ok(Child { pid, group, handle: Some(handle) }),
            Err(error) => {
                kill(pid, group);
                // it was killed, so this takes no time
                let _ = rustix::process::waitpid(checked(pid), rustix::process::WaitOptions::empty());
                Err(error)
            }
        }
    }

    fn kill(&self) {
        kill(self.pid, self.group);
    }

    async fn ended(&mut self) -> io::Result<WaitIdStatus> {
        let Some(handle) = &self.handle else { return Err(io::Error::other("it has ended")) };
        handle.ended().await?;
        let status = handle.status();
        self.handle = None;
        status
    }
}

impl Drop for Child {
    /// Nobody waits for it any more: its group must not live on, and its end must still be taken.
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        self.kill();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = handle.ended().await;
                let _ = handle.status();
            });
        }
    }
}

/// As the kernel takes it; 0 stands for no process.
fn checked(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Sends SIGKILL to a process or to the group that it leads.
pub fn kill(pid: u32, group: bool) {
    let Some(pid) = checked(pid) else { return };
    // it may be gone already
    let _ = if group {
        rustix::process::kill_process_group(pid, Signal::KILL)
    } else {
        rustix::process::kill_process(pid, Signal::KILL)
    };
}

/// One output of a child.
struct Capture {
    /// Our end, which never blocks.
    pipe: io::PipeReader,
    bytes: Vec<u8>,
}

impl Capture {
    fn new() -> io::Result<(Capture, io::PipeWriter)> {
        let (pipe, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok((Capture { pipe, bytes: Vec::new() }, writer))
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

    fn shell(script: &str, seconds: u64) -> Spec {
        Spec {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: Environment::inherited(),
            input: None,
            timeout: Duration::from_secs(seconds),
            spare_group: false,
            identity: None,
        }
    }

    fn run(spec: &Spec, control: Control) -> Ended {
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
    fn a_run_that_nobody_waits_for_is_ended_and_taken() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (tell, pid) = oneshot::channel();
            let started = Box::new(move |pid| tell.send(pid).unwrap());
            let spec = shell("sleep 300", 600);
            let pid = tokio::select! {
                ended = execute(&spec, Control { started: Some(started), cancelled: None }) => panic!("{ended:?}"),
                pid = pid => pid.unwrap(),
            };
            // not even a zombie is left
            while std::path::Path::new(&format!("/proc/{pid}")).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }

    #[test]
    fn input_that_nobody_reads_and_a_foreign_signal() {
        let mut spec = shell("kill -SEGV $$", 60);
        spec.input = Some(vec![b'x'; 1 << 20]);
        assert!(matches!(run(&spec, Control::default()).end, End::Signalled(11)));
        assert_eq!(signal_text(11), "Segmentation fault");
    }
}
