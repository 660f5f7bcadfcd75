//! Corosync's client libraries, opened at run time by the names that the dynamic linker knows them under, so
//! that this program starts on a machine without them. A library is never closed again: its threads and
//! callbacks may still be alive.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::fmt;
use std::sync::OnceLock;

use libloading::Library;

/// A connection's number in any of the libraries.
pub(super) type Handle = u64;

/// A result code of any library call.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Code(pub c_int);

impl Code {
    pub const OK: Code = Code(1);
    pub const LIBRARY: Code = Code(2);
    pub const TIMEOUT: Code = Code(5);
    pub const TRY_AGAIN: Code = Code(6);
    pub const BAD_HANDLE: Code = Code(9);
    pub const ACCESS: Code = Code(11);
    pub const NOT_EXIST: Code = Code(12);
    pub const NO_RESOURCES: Code = Code(18);
    pub const QUEUE_FULL: Code = Code(23);
    pub const SECURITY: Code = Code(100);

    pub fn result(self) -> Result<(), Code> {
        if self == Code::OK { Ok(()) } else { Err(self) }
    }

    /// Corosync is busy with itself; the same call will do later.
    pub fn is_passing(self) -> bool {
        matches!(self, Code::TRY_AGAIN | Code::TIMEOUT | Code::NO_RESOURCES | Code::QUEUE_FULL)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match *self {
            Code::LIBRARY | Code::BAD_HANDLE => "there is no connection to Corosync",
            Code::TIMEOUT => "Corosync did not answer in time",
            Code::TRY_AGAIN | Code::NO_RESOURCES | Code::QUEUE_FULL => "Corosync is busy",
            Code::ACCESS | Code::SECURITY => "Corosync does not allow it to this user",
            Code::NOT_EXIST => "Corosync does not know it",
            _ => "Corosync refused",
        };
        write!(f, "{words} (code {})", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A library that is needed and cannot be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "this host is configured for Corosync, but its library {library} cannot be opened ({reason}): install the \
     package {package} (Debian: apt-get install {package}; Fedora, RHEL: dnf install corosynclib)"
)]
pub struct MissingLibrary {
    /// Its name for the dynamic linker.
    pub library: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    /// What the dynamic linker said.
    pub reason: String,
}

/// Declares the functions that are used of a library, and how to open it.
macro_rules! library {
    ($(#[$doc:meta])* $name:ident, $soname:literal, $package:literal,
     { $($field:ident = $symbol:literal ( $($argument:ty),* );)* }) => {
        $(#[$doc])*
        pub(super) struct $name { $(pub $field: unsafe extern "C" fn($($argument),*) -> Code,)* }

        impl $name {
            /// Opens it, once for the life of the process.
            pub fn open() -> Result<&'static $name, MissingLibrary> {
                static OPENED: OnceLock<Result<$name, MissingLibrary>> = OnceLock::new();
                let opened = OPENED.get_or_init(|| {
                    let missing = |error: libloading::Error| MissingLibrary {
                        library: $soname,
                        package: $package,
                        reason: error.to_string(),
                    };
                    // SAFETY: the library's initialisers do nothing but set up its logging
                    let library = unsafe { Library::new($soname) }.map_err(missing)?;
                    let library: &'static Library = Box::leak(Box::new(library));
                    Ok($name {
                        // SAFETY: the signatures are those of this version of the library's interface
                        $($field: *unsafe { library.get($symbol) }.map_err(missing)?,)*
                    })
                });
                opened.as_ref().map_err(Clone::clone)
            }
        }
    };
}

library!(
    /// Closed process groups: total order and group membership.
    Cpg, "libcpg.so.4", "libcpg4", {
        model_initialize = b"cpg_model_initialize\0"(*mut Handle, c_uint, *mut CpgModel, *mut c_void);
        finalize = b"cpg_finalize\0"(Handle);
        fd_get = b"cpg_fd_get\0"(Handle, *mut c_int);
        dispatch = b"cpg_dispatch\0"(Handle, c_uint);
        join = b"cpg_join\0"(Handle, *const CpgName);
        leave = b"cpg_leave\0"(Handle, *const CpgName);
        mcast_joined = b"cpg_mcast_joined\0"(Handle, c_uint, *const IoVector, c_uint);
        local_get = b"cpg_local_get\0"(Handle, *mut c_uint);
    }
);

library!(
    /// Whether the partition has quorum.
    Quorum, "libquorum.so.5", "libquorum5", {
        initialize = b"quorum_initialize\0"(*mut Handle, *mut QuorumCallbacks, *mut u32);
        fd_get = b"quorum_fd_get\0"(Handle, *mut c_int);
        dispatch = b"quorum_dispatch\0"(Handle, c_uint);
        trackstart = b"quorum_trackstart\0"(Handle, c_uint);
    }
);

library!(
    /// How quorum comes about.
    Votequorum, "libvotequorum.so.8", "libvotequorum8", {
        initialize = b"votequorum_initialize\0"(*mut Handle, *mut VotequorumCallbacks);
        fd_get = b"votequorum_fd_get\0"(Handle, *mut c_int);
        dispatch = b"votequorum_dispatch\0"(Handle, c_uint);
        trackstart = b"votequorum_trackstart\0"(Handle, u64, c_uint);
        getinfo = b"votequorum_getinfo\0"(Handle, c_uint, *mut VotequorumInfo);
    }
);

library!(
    /// Corosync's configuration as it is in force.
    Cmap, "libcmap.so.4", "libcmap4", {
        initialize = b"cmap_initialize\0"(*mut Handle);
        finalize = b"cmap_finalize\0"(Handle);
        get = b"cmap_get\0"(Handle, *const c_char, *mut c_void, *mut usize, *mut c_int);
        iter_init = b"cmap_iter_init\0"(Handle, *const c_char, *mut Handle);
        iter_next = b"cmap_iter_next\0"(Handle, Handle, *mut c_char, *mut usize, *mut c_int);
        iter_finalize = b"cmap_iter_finalize\0"(Handle, Handle);
    }
);

library!(
    /// Corosync's wish to stop.
    Cfg, "libcfg.so.7", "libcfg7", {
        initialize = b"corosync_cfg_initialize\0"(*mut Handle, *const CfgCallbacks);
        fd_get = b"corosync_cfg_fd_get\0"(Handle, *mut c_int);
        dispatch = b"corosync_cfg_dispatch\0"(Handle, c_uint);
        trackstart = b"corosync_cfg_trackstart\0"(Handle, u8);
        replyto_shutdown = b"corosync_cfg_replyto_shutdown\0"(Handle, c_uint);
    }
);

/// Dispatch everything that is there.
pub(super) const DISPATCH_ALL: c_uint = 2;
/// Dispatch one event if there is one.
pub(super) const DISPATCH_ONE_NONBLOCKING: c_uint = 4;
/// Tell the present state and every change.
pub(super) const TRACK_CURRENT_AND_CHANGES: c_uint = 1 | 2;
/// All members get messages in one order.
pub(super) const AGREED: c_uint = 2;

pub(super) const CPG_MODEL_V1: c_uint = 1;
pub(super) const CPG_DELIVER_INITIAL_RING: c_uint = 1;
/// Reasons of a change of the group that come with a change of the ring.
pub(super) const REASON_NODEDOWN: u32 = 3;
pub(super) const REASON_NODEUP: u32 = 4;

/// `quorum_initialize`: some provider decides about quorum.
pub(super) const QUORUM_SET: u32 = 1;

#[repr(C)]
pub(super) struct CpgName {
    pub length: u32,
    pub value: [u8; 128],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct CpgAddress {
    pub node: u32,
    pub process: u32,
    pub reason: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct CpgRing {
    pub node: u32,
    pub sequence: u64,
}

#[repr(C)]
pub(super) struct CpgModel {
    pub model: c_uint,
    pub deliver: extern "C" fn(Handle, *const CpgName, u32, u32, *mut c_void, usize),
    pub change: extern "C" fn(
        Handle,
        *const CpgName,
        *const CpgAddress,
        usize,
        *const CpgAddress,
        usize,
        *const CpgAddress,
        usize,
    ),
    pub ring: extern "C" fn(Handle, CpgRing, u32, *const u32),
    pub flags: c_uint,
}

/// `struct iovec`.
#[repr(C)]
pub(super) struct IoVector {
    pub base: *const c_void,
    pub length: usize,
}

#[repr(C)]
pub(super) struct QuorumCallbacks {
    pub notify: extern "C" fn(Handle, u32, u64, u32, *const u32),
}

/// All of them may be absent.
#[repr(C)]
pub(super) struct VotequorumCallbacks {
    pub quorum: Option<extern "C" fn()>,
    pub expected_votes: Option<extern "C" fn(Handle, u64, u32)>,
    pub nodes: Option<extern "C" fn()>,
}

#[repr(C)]
pub(super) struct VotequorumInfo {
    pub node: c_uint,
    pub state: c_uint,
    pub votes: c_uint,
    pub expected: c_uint,
    pub highest_expected: c_uint,
    pub total: c_uint,
    pub needed: c_uint,
    pub flags: c_uint,
    pub device_votes: c_uint,
    pub device_name: [u8; 255],
}

#[repr(C)]
pub(super) struct CfgCallbacks {
    pub shutdown: extern "C" fn(Handle, c_uint),
}
