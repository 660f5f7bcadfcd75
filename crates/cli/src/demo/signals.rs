//! Signals that end the demonstration: noted, so that everything it started is ended in order.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

static CAME: AtomicBool = AtomicBool::new(false);

/// Whether an interrupt, a hang-up or a demand to end has come since [`note`] was called.
pub fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

/// From now on these signals do not end this process, they are noted.
pub fn note() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _inside = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal)
    };
    let [interrupt, terminate, hangup] = signals;
    let (mut interrupt, mut terminate, mut hangup) = (interrupt?, terminate?, hangup?);
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                CAME.store(true, Ordering::Relaxed);
            }
        });
    });
    Ok(())
}
