//! How long a thread has been computing: on a machine that has other work, time that passes says little.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The processor time of one thread, which any thread of the process may read.
#[derive(Clone, Debug)]
pub struct Clock {
    file: Option<PathBuf>,
}

impl Clock {
    /// The clock of the calling thread.
    pub fn of_this_thread() -> Clock {
        // a link to PID/task/TID
        let own = fs::read_link("/proc/thread-self").ok();
        Clock { file: own.map(|own| Path::new("/proc").join(own).join("schedstat")) }
    }

    /// Time spent computing since the thread began; None where the system does not tell, or the thread is over.
    pub fn read(&self) -> Option<Duration> {
        let text = fs::read_to_string(self.file.as_ref()?).ok()?;
        let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    }
}

/// Begins with an input and says how long that took.
#[derive(Clone, Debug)]
pub struct Stopwatch {
    clock: Clock,
    computed: Option<Duration>,
    begun: std::time::Instant,
}

impl Stopwatch {
    /// Watches the calling thread.
    pub fn begin() -> Stopwatch {
        let clock = Clock::of_this_thread();
        Stopwatch { computed: clock.read(), clock, begun: std::time::Instant::now() }
    }

    /// What the thread has computed since; the time that passed where that is not known.
    pub fn computed(&self) -> Duration {
        let computed = self.clock.read().zip(self.computed).map(|(now, before)| now.saturating_sub(before));
        computed.unwrap_or_else(|| self.passed())
    }

    /// The time that passed since.
    pub fn passed(&self) -> Duration {
        self.begun.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_computes_nothing_and_one_that_works_does() {
        let watch = Stopwatch::begin();
        assert!(watch.clock.read().is_some(), "the system tells no processor time");
        std::thread::sleep(Duration::from_millis(50));
        let waited = watch.computed();
        assert!(waited < watch.passed(), "{waited:?} computed while asleep");
        while watch.computed() < waited + Duration::from_millis(20) {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn another_thread_reads_the_clock() {
        let watch = Stopwatch::begin();
        while watch.computed() < Duration::from_millis(10) {}
        let read = std::thread::spawn(move || watch.computed()).join();
        assert!(read.is_ok_and(|computed| computed >= Duration::from_millis(10)));
    }
}
