//! Where a command's CIB comes from and goes to: the live cluster, a file (`CIB_file`, `-f`), or a shadow copy.

use std::path::{Path, PathBuf};

use cib::patchset::{self, Patchset};
use client::Client;
use view::api;
use xml::Document;

use crate::configuration::Configuration;
use crate::tool::exit::NO_SUCH;

/// A problem that a command reports, with the exit code of the classic tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub message: String,
    pub code: u8,
}

impl Problem {
    pub fn new(code: u8, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), code }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<client::Error> for Problem {
    fn from(error: client::Error) -> Problem {
        Problem { code: error.exit_code(), message: error.to_string() }
    }
}

/// Where the CIB of this command is.
enum Source {
    Live(Box<Client>),
    File(PathBuf),
}

/// One command's access to a CIB.
pub struct Session {
    source: Source,
}

/// How often a change is tried again when another one came between reading and writing.
const ATTEMPTS: usize = 50;

impl Session {
    /// The file that is named, else `CIB_file`, else the shadow copy `CIB_shadow`, else the live cluster.
    pub fn open(file: Option<&str>) -> Result<Session, Problem> {
        if let Some(path) = file.map(PathBuf::from).or_else(file_from_environment) {
            return Ok(Session { source: Source::File(path) });
        }
        let client = Client::connect(Client::default_socket())?;
        Ok(Session { source: Source::Live(Box::new(client)) })
    }

    /// What a shadow copy is a copy of: `CIB_file`, else the live cluster.
    pub fn original() -> Result<Session, Problem> {
        if let Some(path) = variable("CIB_file") {
            return Ok(Session { source: Source::File(path.into()) });
        }
        let client = Client::connect(Client::default_socket())?;
        Ok(Session { source: Source::Live(Box::new(client)) })
    }

    pub fn is_live(&self) -> bool {
        matches!(self.source, Source::Live(_))
    }

    /// The client of the live cluster; a file cannot do what needs one.
    pub fn client(&mut self) -> Result<&mut Client, Problem> {
        match &mut self.source {
            Source::Live(client) => Ok(client),
            Source::File(path) => Err(Problem::new(
                1,
                format!("this needs the live cluster, and the CIB is the file {}", path.display()),
            )),
        }
    }

    /// What `cibadmin --query` asks for.
    pub fn query_cib(&mut self, query: &api::CibQuery) -> Result<String, Problem> {
        match &mut self.source {
            Source::Live(client) => Ok(client.cib(query)?),
            Source::File(path) => crate::cib_file::query(&read_cib_file(path)?, query),
        }
    }

    /// One change in the words of `cibadmin`.
    pub fn change_cib(&mut self, change: &api::CibChange) -> Result<api::CibChanged, Problem> {
        match &mut self.source {
            Source::Live(client) => Ok(client.change_cib(change)?),
            Source::File(path) => crate::cib_file::change(path, change),
        }
    }

    /// The CIB as text.
    pub fn cib_text(&mut self) -> Result<String, Problem> {
        match &mut self.source {
            Source::Live(client) => Ok(client.cib(&api::CibQuery::default())?),
            Source::File(path) => read_cib_file(path),
        }
    }

    /// The CIB, parsed, whatever the user of the environment may read.
    pub fn whole_cib(&mut self) -> Result<Document, Problem> {
        let text = match &mut self.source {
            Source::Live(client) => client.cib(&api::CibQuery::default())?,
            Source::File(path) => read_cib_file(path)?,
        };
        parse(text)
    }

    /// The CIB, parsed.
    pub fn cib(&mut self) -> Result<Document, Problem> {
        let text = self.cib_text()?;
        parse(text)
    }

    /// Makes a change, and prints its warnings in the name of the tool that asks for it.
    pub fn change_and_tell(&mut self, change: &api::CibChange) -> Result<(), Problem> {
        for warning in self.change_cib(change)?.warnings {
            eprintln!("{}: {warning}", change.client);
        }
        Ok(())
    }

    /// Applies `edit` to a copy of the CIB and writes the result; nothing is written if it fails or changes nothing.
    pub fn edit<T, E: From<Problem>>(
        &mut self,
        client_name: &str,
        edit: impl Fn(&mut Configuration) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let before = self.cib()?;
            let mut after = Configuration::new(before.clone());
            let outcome = edit(&mut after)?;
            if before.same(before.root(), &after.document, after.document.root()) {
                return Ok(outcome);
            }
            match self.write(&before, &after, client_name) {
                Ok(()) => return Ok(outcome),
                // on what somebody else has changed meanwhile it may be right
                Err(problem) if self.is_other_than(&before)? => last = Some(problem),
                Err(problem) => return Err(problem.into()),
            }
        }
        Err(last.unwrap_or_else(|| Problem::new(1, "the configuration keeps changing; try again")).into())
    }

    /// Whether the configuration is not what it was any more.
    fn is_other_than(&mut self, before: &Document) -> Result<bool, Problem> {
        let now = self.cib()?;
        let configuration = |document: &Document| document.child(document.root(), "configuration");
        Ok(match (configuration(before), configuration(&now)) {
            (Some(old), Some(new)) => !before.same(old, &now, new),
            (old, new) => old != new,
        })
    }

    fn write(&mut self, before: &Document, edited: &Configuration, client_name: &str) -> Result<(), Problem> {
        let after = &edited.document;
        match &mut self.source {
            Source::File(path) => {
                let mut change = api::CibChange::new(api::CibOperation::Replace);
                change.section = Some("configuration".to_owned());
                let configuration = after
                    .child(after.root(), "configuration")
                    .ok_or_else(|| Problem::new(1, "the CIB has no configuration element"))?;
                change.xml = Some(after.element_to_string(configuration));
                change.client = client_name.to_owned();
                tell(&crate::cib_file::change(path, &change)?.warnings, edited);
                Ok(())
            }
            Source::Live(client) => {
                // without versions: status changes in between do not matter, only what is changed must fit
                let Some(patch) = Patchset::compare(before, after, patchset::Options::default()) else {
                    return Ok(());
                };
                let mut change = api::CibChange::new(api::CibOperation::Patch);
                change.xml = Some(patch.to_document().to_string());
                change.client = client_name.to_owned();
                tell(&client.change_cib(&change)?.warnings, edited);
                Ok(())
            }
        }
    }
}

/// Prints the warnings about a change, but for what the command has warned of already.
fn tell(warnings: &[String], edited: &Configuration) {
    let is_told =
        |warning: &&String| edited.warned_of.iter().any(|name| warning.contains(&format!("'{name}'")));
    for warning in warnings.iter().filter(|warning| !is_told(warning)) {
        eprintln!("Warning: {warning}");
    }
}

/// A variable of the environment; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A shadow copy goes before a file, as it always did.
fn file_from_environment() -> Option<PathBuf> {
    variable("CIB_shadow").map(|name| shadow_file(&name)).or_else(|| variable("CIB_file").map(PathBuf::from))
}

/// The file of a shadow copy (rule 5a.1.7).
pub fn shadow_file(name: &str) -> PathBuf {
    shadow_folder().join(format!("shadow.{name}"))
}

fn shadow_folder() -> PathBuf {
    if let Some(folder) = variable("CIB_shadow_dir") {
        return folder.into();
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let id = rustix::process::getuid().as_raw().to_string();
    let user =
        users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|it| it.get(2) == Some(&&*id));
    match (user.as_deref(), variable("HOME")) {
        (Some([name, ..]), Some(home)) if !["root", "hacluster"].contains(name) => {
            Path::new(&home).join(".cib")
        }
        _ => "/var/lib/pacemaker/cib".into(),
    }
}

/// A file that stands for the cluster (`-` is standard input); that it is missing is as if the cluster were
/// (rule 5b.2.1).
pub fn read_cib_file(path: &Path) -> Result<String, Problem> {
    const NO_PERMISSION: u8 = 4;
    let text =
        if path.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { read_text(path) };
    text.map_err(|error| {
        let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
        let code = if denied { NO_PERMISSION } else { NO_SUCH };
        Problem::new(code, format!("Could not connect to the CIB: cannot read {}: {error}", path.display()))
    })
}

/// Longest text that a compressed file may have, in bytes: that of the longest document.
const MAX_TEXT: u64 = 512 << 20;

/// The text of a file, also of one that bzip2 has compressed, as saved inputs of plans are (rule 4.39.1).
pub fn read_text(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let bytes = std::fs::read(path)?;
    if !bytes.starts_with(b"BZh") {
        return String::from_utf8(bytes)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error));
    }
    let mut text = String::new();
    bzip2::read::BzDecoder::new(&*bytes).take(MAX_TEXT + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_TEXT {
        true => Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "its text is longer than 512 MiB")),
        false => Ok(text),
    }
}

pub fn read_file(path: &Path) -> Result<String, Problem> {
    read_text(path).map_err(|error| Problem::new(66, format!("cannot read {}: {error}", path.display())))
}

pub fn parse(text: String) -> Result<Document, Problem> {
    Document::parse_owned(text)
        .map_err(|error| Problem::new(78, format!("the CIB is not well-formed XML: {error}")))
}

/// Writes a file as one step: a copy beside it, then rename. A file that the caller holds open is written where
/// it is: the caller (pcs with its temporary files) reads the result through what it holds.
pub fn replace_file(path: &Path, text: &str) -> Result<(), Problem> {
    let failed =
        |error: std::io::Error| Problem::new(73, format!("cannot write {}: {error}", path.display()));
    // a link stays one, to a file that is replaced
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match std::fs::metadata(&target) {
        // a terminal or a pipe is written to, not replaced
        Ok(old) if !old.is_file() => std::fs::write(&target, text),
        Ok(_) if parent_holds_open(&target) => crate::overwrite::by_another_process(&target, text),
        Ok(old) => put_in_place(&target, text, Some(&old)),
        Err(_) => put_in_place(&target, text, None),
    }
    .map_err(failed)
}

/// A copy beside the file takes its place, and its owner and mode.
fn put_in_place(path: &Path, text: &str, old: Option<&std::fs::Metadata>) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let usual = std::fs::Permissions::from_mode(0o666); // what the user's mask leaves of it
    let mut file = tempfile::Builder::new().permissions(usual).tempfile_in(folder)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    if let Some(old) = old {
        // only root can give a file away; others own what they write
        let _ = chown(file.path(), Some(old.uid()), Some(old.gid()));
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether the process that started this one has the file open.
fn parent_holds_open(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(wanted) = std::fs::metadata(path) else { return false };
    let folder = format!("/proc/{}/fd", std::os::unix::process::parent_id());
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let held = entries.flatten().filter_map(|entry| std::fs::metadata(entry.path()).ok());
    held.into_iter().any(|held| held.dev() == wanted.dev() && held.ino() == wanted.ino())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Rule 4.39.1: inputs of plans are compressed, those of other clusters too.
    #[test]
    fn files_are_read_compressed_or_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pe-input-1.bz2");
        let mut compressed =
            bzip2::write::BzEncoder::new(std::fs::File::create(&path).unwrap(), bzip2::Compression::best());
        compressed.write_all(b"<cib/>").unwrap();
        compressed.finish().unwrap();
        assert_eq!(read_text(&path).unwrap(), "<cib/>");
        std::fs::write(&path, "<cib/>").unwrap();
        assert_eq!(read_text(&path).unwrap(), "<cib/>");
        std::fs::write(&path, b"BZh91AY&SY").unwrap();
        assert!(read_text(&path).is_err(), "it is cut off");
    }
}
