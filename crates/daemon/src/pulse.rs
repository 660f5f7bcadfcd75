//! Whether the daemon still does its work (rule 4.38.4): its supervisor asks the node's thread every few seconds, and
//! once a second while it does not answer.
//!
//! Who does not answer is ended and started again, so that its peers see what there is to see. But a thread that
//! plans, or waits for the disk or the processor, is patiently waited for: ending it would only make it begin anew.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use crate::driver::Command;

/// Time for one answer.
const BEAT: Duration = Duration::from_secs(1);

/// Time between an answer and the next question. Of several parts one is asked a second by the rule; we are one part.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

/// So many questions in a row remain without an answer while the thread does nothing: it hangs.
const MOST_IDLE: u32 = 5;

/// So many remain without one though it works: it will never be done (rule 4.25.4).
const MOST_SILENT: u32 = 120;

/// The node's thread, as the kernel knows it.
pub(crate) const THREAD: &str = "node";

/// The daemon's part: where the supervisor asks, in the node's state directory.
pub(crate) fn listen(state: &Path) -> io::Result<UnixListener> {
    let path = socket(state);
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Passes questions on to the node's thread until the runtime ends.
pub(crate) async fn serve(listener: UnixListener, commands: mpsc::Sender<Command>) {
    loop {
        match listener.accept().await {
            // there are no more of them at a time than the supervisor is patient
            Ok((stream, _)) => drop(tokio::spawn(answer(stream, commands.clone()))),
            Err(_) => tokio::time::sleep(BEAT).await,
        }
    }
}

/// One byte from this thread and one from the node's. The supervisor may have given up.
async fn answer(mut stream: tokio::net::UnixStream, commands: mpsc::Sender<Command>) {
    let _ = stream.write_all(b".").await;
    let (reply, answer) = oneshot::channel();
    // without a node's thread the daemon is about to end, and says so by closing
    if commands.send(Command::Ping(reply)).await.is_ok() && answer.await.is_ok() {
        let _ = stream.write_all(b".").await;
    }
}

fn socket(state: &Path) -> PathBuf {
    state.join("pulse")
}

/// What the kernel says of a thread: its state, and the processor time that it has used, in ticks.
type Thread = (u8, u64);

/// The supervisor's part.
#[derive(Debug)]
pub(crate) struct Pulse {
    socket: PathBuf,
    process: u32,
    patience: Patience,
}

impl Pulse {
    /// Of the daemon with this process id.
    pub(crate) fn of(process: u32, state: &Path) -> Pulse {
        Pulse { socket: socket(state), process, patience: Patience::default() }
    }

    /// Asks once. An error tells why the daemon has to be ended.
    pub(crate) fn feel(&mut self) -> Result<(), String> {
        match silent(&self.socket) {
            None => self.patience = Patience::default(),
            Some(who) => self.patience.note_silence(thread(self.process, who))?,
        }
        Ok(())
    }

    /// Whether the last question was answered.
    pub(crate) fn is_felt(&self) -> bool {
        self.patience.silent == 0
    }
}

/// Which thread owes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silent {
    Main,
    Node,
}

/// Who has not answered in time. Where nobody listens (yet, or any more) nobody hangs.
fn silent(socket: &Path) -> Option<Silent> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(BEAT)).ok()?;
    let mut byte = [0];
    for who in [Silent::Main, Silent::Node] {
        match stream.read(&mut byte) {
            Ok(1) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Some(who);
            }
            // it closed the connection: it ends
            _ => return None,
        }
    }
    None
}

/// Questions in a row that were not answered.
#[derive(Debug, Default)]
struct Patience {
    silent: u32,
    /// Of these, how many while the thread did nothing.
    idle: u32,
    ticks: Option<u64>,
}

impl Patience {
    fn note_silence(&mut self, thread: Option<Thread>) -> Result<(), String> {
        let ticks = thread.map(|(_, ticks)| ticks);
        let waits = thread.is_some_and(|(state, _)| matches!(state, b'R' | b'D'));
        let works = waits || self.ticks.is_some() && ticks != self.ticks;
        self.ticks = ticks;
        self.silent += 1;
        self.idle = if works { 0 } else { self.idle + 1 };
        if self.idle >= MOST_IDLE {
            return Err(format!(
                "the daemon hangs: it did nothing and gave no answer {MOST_IDLE} times in a row"
            ));
        }
        if self.silent >= MOST_SILENT {
            return Err(format!("the daemon works, but gave no answer {MOST_SILENT} times in a row"));
        }
        Ok(())
    }
}

/// Processor time that the node's thread of this process has used, in ticks.
pub(crate) fn node_ticks(process: u32) -> Option<u64> {
    thread(process, Silent::Node).map(|(_, ticks)| ticks)
}

fn thread(process: u32, who: Silent) -> Option<Thread> {
    let of = |path: PathBuf| parse(&fs::read_to_string(path.join("stat")).ok()?);
    let tasks = PathBuf::from(format!("/proc/{process}/task"));
    if who == Silent::Main {
        return of(tasks.join(process.to_string())).map(|(_, thread)| thread);
    }
    let mut threads = fs::read_dir(tasks).ok()?.filter_map(|entry| of(entry.ok()?.path()));
    threads.find(|(name, _)| name == THREAD).map(|(_, thread)| thread)
}

/// Of a `stat` line the name in parentheses, and the fields from the third on, which come behind it.
pub(crate) fn stat_fields(stat: &str) -> Option<(&str, Vec<&str>)> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    Some((name, after.split_whitespace().collect()))
}

/// The name, and fields 3, 14 and 15.
fn parse(stat: &str) -> Option<(String, Thread)> {
    let (name, fields) = stat_fields(stat)?;
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let state = *fields.first()?.as_bytes().first()?;
    Some((name.to_owned(), (state, ticks(11)? + ticks(12)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many questions remain without an answer until the daemon is ended.
    fn patience(thread: impl Fn(u64) -> Option<Thread>) -> Option<u64> {
        let mut patience = Patience::default();
        (1..1000).find(|number| patience.note_silence(thread(*number)).is_err())
    }

    #[test]
    fn who_hangs_is_ended_soon_and_who_works_late() {
        assert_eq!(patience(|_| Some((b'S', 7))), Some(5));
        assert_eq!(patience(|_| Some((b'T', 7))), Some(5));
        assert_eq!(patience(|_| None), Some(5));
        assert_eq!(patience(|number| Some((b'S', number))), Some(120));
        assert_eq!(patience(|_| Some((b'D', 7))), Some(120), "it waits for a disk");
        assert_eq!(patience(|_| Some((b'R', 7))), Some(120), "others have the processor");
        // it worked now and then
        assert_eq!(patience(|number| Some((b'S', number / 4))), Some(120));
    }

    #[test]
    fn threads_are_found() {
        let line = "7 (node) S 1 1 1 0 -1 4194368 3 0 0 0 12 30 0 0 20 0 1 0 99 1 1";
        assert_eq!(parse(line), Some(("node".to_owned(), (b'S', 42))));
        let process = std::process::id();
        assert!(thread(process, Silent::Main).is_some());
        assert_eq!(thread(process, Silent::Node), None);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let other = std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || ended.recv()).unwrap();
        while thread(process, Silent::Node).is_none() {
            std::thread::yield_now();
        }
        drop(end);
        other.join().unwrap().unwrap_err();
    }

    #[test]
    fn nobody_who_listens_is_nobody_who_hangs() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(silent(&socket(state.path())), None);
        let listener = std::os::unix::net::UnixListener::bind(socket(state.path())).unwrap();
        assert_eq!(silent(&socket(state.path())), Some(Silent::Main), "nobody takes the question");
        drop(listener);
        assert_eq!(silent(&socket(state.path())), None);
    }

    #[test]
    fn a_node_that_does_not_answer_is_told_from_one_that_is_gone() {
        let state = tempfile::tempdir().unwrap();
        let (commands, mut asked) = mpsc::channel(8);
        let place = state.path().to_path_buf();
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = listen(&place).unwrap();
                ready.send(()).unwrap();
                serve(listener, commands).await;
            });
        });
        is_ready.recv().unwrap();
        // one that waits holds up no other
        assert_eq!(silent(&socket(state.path())), Some(Silent::Node));
        assert_eq!(silent(&socket(state.path())), Some(Silent::Node));
        assert_eq!(silent(&socket(state.path())), Some(Silent::Node));
        let node = std::thread::spawn(move || {
            // two that were given up, and one that waits
            for _ in 0..3 {
                let Some(Command::Ping(reply)) = asked.blocking_recv() else { return };
                let _ = reply.send(());
            }
        });
        assert_eq!(silent(&socket(state.path())), None);
        node.join().unwrap();
        assert_eq!(silent(&socket(state.path())), None, "its thread has ended");
    }
}
