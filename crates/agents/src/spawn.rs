//! Starts a child process. A monitor runs for milliseconds and thousands of times an hour, so what is done for
//! each start is kept small: the environment is one piece of memory, and the C library's `posix_spawn` copies
//! nothing of the daemon.

use std::ffi::{CStr, CString, OsString, c_char};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What no child gets: by it the service manager talks with the daemon alone (rule 4.2.1).
const WITHHELD: &[u8] = b"NOTIFY_SOCKET";

/// The environment of a child.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `NAME=value` with a NUL byte, one after the other.
    text: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    /// Length of the name.
    name: usize,
}

impl Environment {
    /// The daemon's own, as it was at its first use.
    pub fn inherited() -> Environment {
        static INHERITED: OnceLock<Environment> = OnceLock::new();
        let read = || {
            let mut environment = Environment::default();
            for (name, value) in std::env::vars_os() {
                environment.add(&[name.as_bytes()], value.as_bytes());
            }
            environment
        };
        INHERITED.get_or_init(read).clone()
    }

    /// Sets a variable; of one name the last counts. What cannot be handed over at all is left out: a name
    /// with `=`, and NUL bytes.
    pub fn set(&mut self, name: &str, value: &str) {
        self.add(&[name.as_bytes()], value.as_bytes());
    }

    /// Sets the variable whose name has these two parts.
    pub fn set_joined(&mut self, prefix: &str, name: &str, value: &str) {
        self.add(&[prefix.as_bytes(), name.as_bytes()], value.as_bytes());
    }

    fn add(&mut self, name: &[&[u8]], value: &[u8]) {
        let foreign = name.iter().any(|part| part.contains(&b'=') || part.contains(&0));
        if foreign || value.contains(&0) {
            return;
        }
        let start = self.text.len();
        name.iter().for_each(|part| self.text.extend_from_slice(part));
        let entry = Entry { start, name: self.text.len() - start };
        if self.name(entry) == WITHHELD {
            self.text.truncate(start);
            return;
        }
        self.text.push(b'=');
        self.text.extend_from_slice(value);
        self.text.push(0);
        match self.entries.iter().position(|other| self.name(*other) == self.name(entry)) {
            // what it was before stays behind unused
            Some(known) => self.entries[known] = entry,
            None => self.entries.push(entry),
        }
    }

    fn name(&self, entry: Entry) -> &[u8] {
        &self.text[entry.start..entry.start + entry.name]
    }

    /// Names and values.
    fn variables(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.entries.iter().map(|entry| {
            let value = self.text[entry.start + entry.name + 1..].split(|byte| *byte == 0).next();
            let value = value.unwrap_or_default().to_vec();
            (OsString::from_vec(self.name(*entry).to_vec()), OsString::from_vec(value))
        })
    }

    fn pointers(&self) -> Vec<*mut c_char> {
        let pointers = self.entries.iter().map(|entry| self.text[entry.start..].as_ptr().cast_mut().cast());
        pointers.chain([std::ptr::null_mut()]).collect()
    }
}

/// Starts a program as the leader of a process group of its own, with these files as its standard input and
/// outputs and the default of every signal that the daemon treats otherwise. Returns its process id.
pub fn spawn(
    program: &Path,
    arguments: &[OsString],
    environment: &Environment,
    files: [BorrowedFd<'_>; 3],
) -> io::Result<u32> {
    let program = CString::new(program.as_os_str().as_bytes())?;
    let arguments =
        arguments.iter().map(|text| CString::new(text.as_bytes())).collect::<Result<Vec<CString>, _>>()?;
    let whole = std::iter::once(&program).chain(&arguments).map(|text| text.as_ptr().cast_mut());
    let whole: Vec<*mut c_char> = whole.chain([std::ptr::null_mut()]).collect();
    start(&program, &whole, &environment.pointers(), files)
}

fn start(
    program: &CStr,
    arguments: &[*mut c_char],
    environment: &[*mut c_char],
    files: [BorrowedFd<'_>; 3],
) -> io::Result<u32> {
    let (mut attributes, mut actions) = (Attributes::new()?, Actions::new()?);
    attributes.lead_group_with_default_signals()?;
    for (file, number) in files.into_iter().zip(0..) {
        actions.duplicate(file, number)?;
    }
    let mut pid = 0;
    // SAFETY: the texts end with NUL, the lists with a null pointer, both objects are initialised, and all of
    // them live until the call returns
    check(unsafe {
        libc::posix_spawn(
            &mut pid,
            program.as_ptr(),
            &actions.0,
            &attributes.0,
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    })?;
    u32::try_from(pid).map_err(io::Error::other)
}

/// These functions return the number of their error.
fn check(number: i32) -> io::Result<()> {
    if number == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(number)) }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Attributes> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the place is ours; after success it is initialised
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        Ok(Attributes(unsafe { attributes.assume_init() }))
    }

    fn lead_group_with_default_signals(&mut self) -> io::Result<()> {
        let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
        let mut set = MaybeUninit::uninit();
        // SAFETY: the attributes are initialised, and so is the set by the first call, which cannot fail; the
        // numbers are those of the C library, so the flags fit
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            let mut set = set.assume_init();
            check(libc::posix_spawnattr_setsigmask(&mut self.0, &set))?;
            // the one signal that Rust programs ignore
            libc::sigaddset(&mut set, libc::SIGPIPE);
            check(libc::posix_spawnattr_setsigdefault(&mut self.0, &set))?;
            check(libc::posix_spawnattr_setpgroup(&mut self.0, 0))?;
            check(libc::posix_spawnattr_setflags(&mut self.0, flags as libc::c_short))
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised, and not used any more
        unsafe { libc::posix_spawnattr_destroy(&mut self.0) };
    }
}

struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Actions> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: the place is ours; after success it is initialised
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        Ok(Actions(unsafe { actions.assume_init() }))
    }

    fn duplicate(&mut self, file: BorrowedFd<'_>, number: i32) -> io::Result<()> {
        // SAFETY: initialised; the file is open until the child has been started
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&mut self.0, file.as_raw_fd(), number) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised, and not used any more
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

/// The same as another user and group, which costs a copy of the daemon's address space.
pub fn spawn_as(
    (user, group): (u32, u32),
    program: &Path,
    arguments: &[OsString],
    environment: &Environment,
    files: [BorrowedFd<'_>; 3],
) -> io::Result<u32> {
    let [input, output, error] = files.map(|file| file.try_clone_to_owned().map(Stdio::from));
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment.variables())
        .process_group(0)
        .uid(user)
        .gid(group)
        .stdin(input?)
        .stdout(output?)
        .stderr(error?)
        .spawn()?;
    Ok(child.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(environment: &Environment) -> Vec<(String, String)> {
        let text = |text: OsString| text.into_string().unwrap();
        environment.variables().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn of_one_name_the_last_counts_and_what_cannot_be_handed_over_is_left_out() {
        let mut environment = Environment::default();
        environment.set("A", "1");
        environment.set("AB", "=2=");
        environment.set("B=C", "3");
        environment.set("D", "4\0");
        environment.set_joined("A", "", "5");
        environment.set_joined("NOTIFY_", "SOCKET", "6");
        let expected = [("A", "5"), ("AB", "=2=")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(texts(&environment), expected);
    }

    #[test]
    fn the_daemons_own_is_inherited() {
        let environment = Environment::inherited();
        let path = std::env::var("PATH").unwrap();
        assert!(texts(&environment).contains(&("PATH".to_owned(), path)));
    }
}
