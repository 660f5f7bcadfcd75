//! `systole install-links DIR`: the names of the classic commands as links to this program.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  systole install-links /usr/sbin\n  systole install-links ~/bin --without pcs    keep using the distribution's pcs"
)]
pub struct Arguments {
    /// Directory to make the links in
    directory: PathBuf,
    /// Leave out this name (may be given several times)
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Replace files and links of other programs
    #[arg(long)]
    force: bool,
}

/// Makes the links; one that cannot be made does not keep the others from it.
pub fn run(arguments: &Arguments, names: &[&str]) -> ExitCode {
    if let Some(unknown) = arguments.without.iter().find(|name| !names.contains(&name.as_str())) {
        eprintln!("systole install-links: there is no command '{unknown}' to leave out");
        return ExitCode::from(64);
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            eprintln!("systole install-links: cannot tell where this program is: {error}");
            return ExitCode::from(71);
        }
    };
    if let Err(error) = std::fs::create_dir_all(&arguments.directory) {
        eprintln!("systole install-links: {}: {error}", arguments.directory.display());
        return ExitCode::from(73);
    }
    let mut failed = false;
    for name in names.iter().filter(|name| !arguments.without.iter().any(|left_out| left_out == *name)) {
        let path = arguments.directory.join(name);
        if let Err(why) = link(&program, &path, arguments.force) {
            eprintln!("systole install-links: {}: {why}", path.display());
            failed = true;
        }
    }
    if failed { ExitCode::from(73) } else { ExitCode::SUCCESS }
}

fn link(program: &Path, path: &Path, force: bool) -> Result<(), String> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.to_string()),
        Ok(_) if std::fs::canonicalize(path).is_ok_and(|target| target == program) => return Ok(()),
        Ok(_) if !force => {
            return Err("exists already and is something else (use --force to replace it)".to_owned());
        }
        Ok(_) => std::fs::remove_file(path).map_err(|error| error.to_string())?,
    }
    symlink(program, path).map_err(|error| error.to_string())
}
