//! The files: one a parameter with its value, and one beside it with the value's digest. Only root reads them.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::session::Problem;

/// The directory of the secrets of one node.
pub struct Store {
    pub directory: PathBuf,
}

impl Store {
    /// Where the daemon that this command talks to looks for them.
    pub fn of_this_host() -> Store {
        let socket = client::Client::default_socket();
        let below = socket.parent().filter(|parent| parent.join("daemon.pid").exists());
        let paths = below.map_or_else(daemon::Paths::system, daemon::Paths::below);
        Store { directory: paths.secrets }
    }

    fn file(&self, resource: &str, parameter: &str) -> PathBuf {
        self.directory.join(resource).join(parameter)
    }

    fn digest_file(&self, resource: &str, parameter: &str) -> PathBuf {
        self.directory.join(resource).join(format!("{parameter}.sign"))
    }

    pub fn value(&self, resource: &str, parameter: &str) -> Result<String, Problem> {
        read(&self.file(resource, parameter))
    }

    pub fn digest(&self, resource: &str, parameter: &str) -> Result<String, Problem> {
        read(&self.digest_file(resource, parameter))
    }

    /// Writes value and digest. The digest comes last: a value without the right one is not used.
    pub fn set(&self, resource: &str, parameter: &str, value: &str) -> Result<(), Problem> {
        let folder = self.directory.join(resource);
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| failed("create", &folder, &error))?;
        write(&self.file(resource, parameter), value)?;
        write(&self.digest_file(resource, parameter), &digest_of(value))
    }

    pub fn remove(&self, resource: &str, parameter: &str) -> Result<(), Problem> {
        for path in [self.digest_file(resource, parameter), self.file(resource, parameter)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("remove", &path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All values, so that a report can leave them out.
    pub fn values(&self) -> Vec<String> {
        let folders = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
        files
            .map(|file| file.path())
            .filter(|path| path.extension().is_none_or(|it| it != "sign"))
            .filter_map(|path| fs::read_to_string(path).ok())
            .map(|text| text.trim_end().to_owned())
            .collect()
    }
}

pub fn digest_of(value: &str) -> String {
    cib::digest::md5(value)
}

fn read(path: &Path) -> Result<String, Problem> {
    let text = fs::read_to_string(path).map_err(|error| failed("read", path, &error))?;
    Ok(text.trim_end().to_owned())
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    let fail = |error: io::Error| failed("write", path, &error);
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o600)).map_err(fail)?;
    writeln!(file, "{text}").map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map(drop).map_err(|error| fail(error.error))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Problem {
    let code = if error.kind() == io::ErrorKind::PermissionDenied { 4 } else { super::code::OS_FILE };
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => " (run this as root)",
        io::ErrorKind::NotFound => " (is the secret on another node only? 'cibsecret sync' there copies it)",
        _ => "",
    };
    Problem::new(code, format!("cannot {what} {}: {error}{hint}", path.display()))
}
