//! Corosync's wish to stop, on a thread of its own. While this node runs, a polite request is refused, as
//! resources would be left without supervision: the cluster services are to be stopped first.

use std::cell::Cell;
use std::ffi::c_uint;

use super::calls::{Calls, Waker, wait};
use super::ffi::{self, CfgCallbacks, Code, DISPATCH_ALL, Handle};

const NO: c_uint = 0;
/// Corosync asks, and goes on if somebody objects.
const REQUEST: c_uint = 0;

thread_local! {
    /// With which flags Corosync asked.
    static ASKED: Cell<Option<c_uint>> = const { Cell::new(None) };
}

extern "C" fn asked(_: Handle, flags: c_uint) {
    ASKED.set(Some(flags));
}

pub(super) struct Connection {
    cfg: &'static ffi::Cfg,
    handle: Handle,
    descriptor: i32,
}

impl Connection {
    pub fn open(cfg: &'static ffi::Cfg) -> Result<Connection, Code> {
        let mut connection = Connection { cfg, handle: 0, descriptor: -1 };
        let callbacks = CfgCallbacks { shutdown: asked };
        // SAFETY: all pointers live through the calls; the library copies the callbacks
        unsafe {
            (cfg.initialize)(&mut connection.handle, &callbacks).result()?;
            (cfg.fd_get)(connection.handle, &mut connection.descriptor).result()?;
            (cfg.trackstart)(connection.handle, 0).result()?;
        }
        Ok(connection)
    }

    /// Listens until Corosync is gone or the engine is closed. The loss is told by the others.
    pub fn run(self, calls: &Calls, waker: &Waker) {
        while !waker.is_closed() {
            wait(&[self.descriptor], waker, super::SIGN_OF_LIFE * 10);
            // SAFETY: the handle is open
            let code = calls.during(|| unsafe { (self.cfg.dispatch)(self.handle, DISPATCH_ALL) });
            if code.result().is_err_and(|code| !code.is_passing()) {
                return;
            }
            if let Some(flags) = ASKED.take() {
                if flags == REQUEST {
                    tracing::warn!(
                        "Corosync was asked to stop, and this node objects: stop the cluster services first"
                    );
                } else {
                    tracing::error!("Corosync stops although the cluster services run");
                }
                // SAFETY: as above
                calls.during(|| unsafe { (self.cfg.replyto_shutdown)(self.handle, NO) });
            }
        }
    }
}
