//! This program once more, for work that needs a process of its own.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A command of this program, to be given a subcommand. It has the program's own name: the file may be called like
/// a classic tool, whose command line the subcommand would then be taken for.
pub fn command() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0("systole");
    Ok(command)
}
