//! The configuration on disk (rules 4.23.6, 4.23.8 and 4.23.9), and the saved inputs of plans (rule 4.39).
//!
//! A write is durable when it returns: temporary file, sync, rename, sync of the directory. What is read
//! back is believed only if its digest fits. Nothing here runs on the node's thread.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cluster::CibWriteError;
use md5::{Digest, Md5};

/// Earlier versions that are kept.
const BACKUPS: u32 = 100;

/// Size of the blocks in which plan inputs are compressed, in hundreds of kilobytes.
const COMPRESSION: u32 = 5;

/// What was found at the start.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The newest good configuration, XML text.
    pub text: Option<String>,
    /// What had to be done to find it, for people.
    pub notices: Vec<String>,
}

/// Why a configuration was not written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The world.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Somebody edited the file while the daemon was running.
    #[error(
        "{path} was changed while the daemon runs and is not overwritten; keep what you need of it, remove it \
         together with its .sig file, and restart the daemon"
    )]
    Edited {
        /// Which file.
        path: PathBuf,
    },
}

impl From<StorageError> for CibWriteError {
    fn from(error: StorageError) -> CibWriteError {
        let text = error.to_string();
        match error {
            StorageError::Edited { .. } => CibWriteError::Edited(text),
            StorageError::File { .. } => CibWriteError::Failed(text),
        }
    }
}

/// The directory of the configuration files.
#[derive(Debug)]
pub struct Storage {
    directory: PathBuf,
    /// The pair as this daemon wrote it last: what is still so needs no reading to be believed.
    written: Option<[Mark; 2]>,
}

/// By what a changed file is told from the same one: device, inode, size, and when it was changed last.
type Mark = (u64, u64, u64, i64, i64);

fn mark(path: &Path) -> Option<Mark> {
    use std::os::unix::fs::MetadataExt;
    let data = fs::metadata(path).ok()?;
    Some((data.dev(), data.ino(), data.len(), data.ctime(), data.ctime_nsec()))
}

/// A configuration file and whether its digest fits.
enum Candidate {
    Good { text: String, signed: bool },
    Bad(String),
    Absent,
}

impl Storage {
    /// Files below `directory`.
    pub fn new(directory: &Path) -> Storage {
        Storage { directory: directory.to_path_buf(), written: None }
    }

    fn file(&self) -> PathBuf {
        self.directory.join("cib.xml")
    }

    /// Finds the newest good configuration (rule 4.23.9).
    pub fn read(&self) -> Found {
        let mut found = Found::default();
        match self.present() {
            Candidate::Good { text, signed } => {
                if !signed {
                    found.notices.push(format!("{} has no signature file", self.file().display()));
                }
                found.text = Some(text);
                return found;
            }
            Candidate::Bad(reason) => {
                found.notices.push(format!("{}: {reason}", self.file().display()));
                match self.set_aside() {
                    Ok(place) => found.notices.push(format!("it was moved to {}", place.display())),
                    Err(error) => found.notices.push(format!("it could not be moved away: {error}")),
                }
            }
            Candidate::Absent => {}
        }
        for backup in self.backups() {
            match examine(&backup) {
                Candidate::Good { text, .. } => {
                    found.notices.push(format!("the earlier copy {} is used", backup.display()));
                    found.text = Some(text);
                    break;
                }
                Candidate::Bad(reason) => found.notices.push(format!("{}: {reason}", backup.display())),
                Candidate::Absent => {}
            }
        }
        found
    }

    /// Backups, newest change first.
    fn backups(&self) -> Vec<PathBuf> {
        let mut list: Vec<(SystemTime, PathBuf)> = (0..BACKUPS)
            .map(|number| self.directory.join(format!("cib-{number}.raw")))
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        list.sort();
        list.into_iter().rev().map(|(_, path)| path).collect()
    }

    /// Moves a pair that does not fit into a directory of its own.
    fn set_aside(&self) -> io::Result<PathBuf> {
        let place = tempfile::Builder::new().prefix("cib.auto.").tempdir_in(&self.directory)?.keep();
        fs::rename(self.file(), place.join("cib.xml"))?;
        let signature = signature_of(&self.file());
        if signature.exists() {
            fs::rename(signature, place.join("cib.xml.sig"))?;
        }
        Ok(place)
    }

    /// Makes a configuration durable (rule 4.23.8).
    pub fn write(&mut self, text: &str, digest: &str) -> Result<(), StorageError> {
        let file = self.file();
        if !self.is_as_written() && matches!(self.present(), Candidate::Bad(_)) {
            return Err(StorageError::Edited { path: file });
        }
        self.keep_present().map_err(|source| StorageError::File { path: self.directory.clone(), source })?;
        let fail = |source| StorageError::File { path: file.clone(), source };
        let content = self.prepare(text.as_bytes()).map_err(fail)?;
        let signature = self.prepare(digest.as_bytes()).map_err(fail)?;
        // both are on disk before either has its name; a crash in between is mended by `present`
        signature.persist(self.coming_signature()).map_err(|error| fail(error.error))?;
        content.persist(&file).map_err(|error| fail(error.error))?;
        fs::rename(self.coming_signature(), signature_of(&file)).map_err(fail)?;
        sync_directory(&self.directory).map_err(fail)?;
        self.written = self.marks();
        Ok(())
    }

    fn marks(&self) -> Option<[Mark; 2]> {
        Some([mark(&self.file())?, mark(&signature_of(&self.file()))?])
    }

    fn is_as_written(&self) -> bool {
        self.written.is_some() && self.written == self.marks()
    }

    /// Signature of a file that is being put in place.
    fn coming_signature(&self) -> PathBuf {
        self.directory.join("cib.xml.sig.new")
    }

    /// The present file. If its signature was about to be put in place when a daemon died, that is done now.
    fn present(&self) -> Candidate {
        let (file, coming) = (self.file(), self.coming_signature());
        match (examine(&file), examine_with(&file, &coming)) {
            (Candidate::Bad(_), Candidate::Good { text, signed: true }) => {
                // if it cannot be renamed the next start tries again
                let _ = fs::rename(coming, signature_of(&file));
                Candidate::Good { text, signed: true }
            }
            (found, _) => found,
        }
    }

    /// Links the present pair to the next backup name.
    fn keep_present(&self) -> io::Result<()> {
        let file = self.file();
        if !file.exists() {
            return Ok(());
        }
        let counter = self.directory.join("cib.last");
        let number: u32 =
            fs::read_to_string(&counter).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let number = number % BACKUPS;
        let backup = self.directory.join(format!("cib-{number}.raw"));
        for (from, to) in [(file.clone(), backup.clone()), (signature_of(&file), signature_of(&backup))] {
            match fs::remove_file(&to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            if from.exists() {
                fs::hard_link(from, to)?;
            }
        }
        fs::write(&counter, ((number + 1) % BACKUPS).to_string())
    }

    /// A temporary file with this content, synced.
    fn prepare(&self, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(&self.directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    }
}

fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn examine(path: &Path) -> Candidate {
    examine_with(path, &signature_of(path))
}

fn examine_with(path: &Path, signature: &Path) -> Candidate {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Candidate::Absent,
        Err(error) => return Candidate::Bad(error.to_string()),
    };
    let Ok(text) = String::from_utf8(bytes) else { return Candidate::Bad("it is not UTF-8".to_owned()) };
    let document = match xml::Document::parse(&text) {
        Ok(document) => document,
        Err(error) => return Candidate::Bad(format!("it is not good XML: {error}")),
    };
    if document.name(document.root()) != "cib" {
        return Candidate::Bad("it is not a configuration: its root is not 'cib'".to_owned());
    }
    match fs::read_to_string(signature) {
        Ok(signature) if signature.trim() == file_digest(&document) => Candidate::Good { text, signed: true },
        Ok(_) => Candidate::Bad("its content does not fit its signature file".to_owned()),
        Err(_) => Candidate::Good { text, signed: false },
    }
}

/// Digest of a configuration file (rule 4.23.5).
pub fn file_digest(document: &xml::Document) -> String {
    let mut digest = Md5::new();
    digest.update(" ");
    digest.update(document.to_string());
    digest.update("\n");
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Saves inputs of plans in their series, as XML that bzip2 has compressed (rule 4.39.1). Equal ones are saved once.
#[derive(Debug)]
pub struct PlanInputs {
    directory: PathBuf,
    last: Option<(u64, PathBuf)>,
    /// Those that have their file's path, and are not written yet.
    unwritten: Vec<(PathBuf, String)>,
}

impl PlanInputs {
    /// Files below `directory`.
    pub fn new(directory: &Path) -> PlanInputs {
        PlanInputs { directory: directory.to_path_buf(), last: None, unwritten: Vec::new() }
    }

    /// Takes one and gives its file's path, which is that of the last one if that was the same (rule 4.39.2). After
    /// `most` of a series the first one is replaced; 0 saves nothing, a negative number is no limit. It is written by
    /// [`PlanInputs::write`]; until then there is no file, not even an older one.
    pub fn take(&mut self, series: &str, text: String, most: i32) -> io::Result<Option<PathBuf>> {
        if most == 0 {
            return Ok(None);
        }
        let hash = hash_of(&text);
        let is_kept = |path: &Path| path.exists() || self.unwritten.iter().any(|(one, _)| one == path);
        if let Some((last, path)) = &self.last
            && *last == hash
            && is_kept(path)
        {
            return Ok(Some(path.clone()));
        }
        let counter = self.directory.join(format!("{series}.last"));
        let number: u32 =
            fs::read_to_string(&counter).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let within =
            |number: u32| if u32::try_from(most).is_ok_and(|most| number >= most) { 0 } else { number };
        let number = within(number);
        let path = self.directory.join(format!("{series}-{number}.bz2"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.unwritten.retain(|(replaced, _)| *replaced != path);
        fs::write(counter, within(number.wrapping_add(1)).to_string())?;
        self.last = Some((hash, path.clone()));
        self.unwritten.push((path.clone(), text));
        Ok(Some(path))
    }

    /// How many bytes of memory those take that are not written yet.
    pub fn unwritten(&self) -> usize {
        self.unwritten.iter().map(|(_, text)| text.len()).sum()
    }

    /// Writes all that were taken. Returns those that could not be written.
    pub fn write(&mut self) -> Vec<(PathBuf, io::Error)> {
        let written = |(path, text): (PathBuf, String)| Some((compress(&path, &text).err()?, path));
        self.unwritten.drain(..).filter_map(written).map(|(error, path)| (path, error)).collect()
    }
}

fn compress(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut compressed = bzip2::write::BzEncoder::new(file, bzip2::Compression::new(COMPRESSION));
    compressed.write_all(text.as_bytes())?;
    compressed.finish().map(drop)
}

fn hash_of(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cib(epoch: u32) -> (String, String) {
        let text = format!("<cib epoch=\"{epoch}\" num_updates=\"0\">\n  <configuration/>\n</cib>\n");
        let digest = file_digest(&xml::Document::parse(&text).unwrap());
        (text, digest)
    }

    fn stored(count: u32) -> (tempfile::TempDir, Storage) {
        let directory = tempfile::tempdir().unwrap();
        let mut storage = Storage::new(directory.path());
        for epoch in 1..=count {
            let (text, digest) = cib(epoch);
            storage.write(&text, &digest).unwrap();
        }
        (directory, storage)
    }

    #[test]
    fn what_was_written_is_found() {
        let (_directory, storage) = stored(3);
        assert_eq!(storage.read(), Found { text: Some(cib(3).0), notices: vec![] });
        assert_eq!(stored(0).1.read(), Found::default());
    }

    #[test]
    fn a_torn_file_is_noticed_and_the_copy_before_it_used() {
        for torn in [&b""[..], b"<cib epoch=\"3\"", b"\xff\xfe", b"<cib epoch=\"9\"/>", b"<other/>"] {
            let (directory, storage) = stored(3);
            fs::write(directory.path().join("cib.xml"), torn).unwrap();
            let found = storage.read();
            assert_eq!(found.text, Some(cib(2).0), "{found:?}");
            assert_eq!(found.notices.len(), 3, "{found:?}");
            assert!(!storage.file().exists());
        }
    }

    #[test]
    fn a_write_that_was_cut_short_between_its_two_files_is_mended() {
        let (directory, storage) = stored(2);
        let (text, digest) = cib(3);
        fs::write(directory.path().join("cib.xml.sig.new"), digest).unwrap();
        assert_eq!(storage.read().text, Some(cib(2).0), "the signature alone changes nothing");
        fs::write(storage.file(), &text).unwrap();
        assert_eq!(storage.read(), Found { text: Some(text), notices: vec![] });
        assert!(directory.path().join("cib.xml.sig").exists() && !storage.coming_signature().exists());
    }

    #[test]
    fn damaged_backups_are_passed_over() {
        let (directory, storage) = stored(3);
        fs::write(directory.path().join("cib.xml"), "rubbish").unwrap();
        fs::write(directory.path().join("cib-1.raw"), "rubbish too").unwrap();
        assert_eq!(storage.read().text, Some(cib(1).0));
    }

    #[test]
    fn a_missing_signature_is_accepted_and_said() {
        let (directory, storage) = stored(1);
        fs::remove_file(directory.path().join("cib.xml.sig")).unwrap();
        let found = storage.read();
        assert_eq!((found.text, found.notices.len()), (Some(cib(1).0), 1));
    }

    #[test]
    fn an_edited_file_is_not_overwritten() {
        let (directory, mut storage) = stored(1);
        fs::write(directory.path().join("cib.xml"), "<cib epoch=\"7\"/>").unwrap();
        let (text, digest) = cib(2);
        assert!(matches!(storage.write(&text, &digest), Err(StorageError::Edited { .. })));
    }

    #[test]
    fn the_hundredth_backup_is_followed_by_the_first() {
        let (directory, storage) = stored(103);
        assert_eq!(fs::read_to_string(directory.path().join("cib.last")).unwrap(), "2");
        assert_eq!(storage.read().text, Some(cib(103).0));
    }

    /// Rule 4.39.2.
    #[test]
    fn equal_plan_inputs_are_saved_once() {
        let directory = tempfile::tempdir().unwrap();
        let mut inputs = PlanInputs::new(directory.path());
        let mut take = |text: &str| inputs.take("pe-input", text.to_owned(), 9).unwrap();
        let first = take("<a/>");
        assert_eq!(take("<a/>"), first);
        assert_ne!(take("<b/>"), first);
    }

    /// Rule 4.39.1.
    #[test]
    fn a_series_of_plan_inputs_begins_anew_at_its_maximum() {
        let directory = tempfile::tempdir().unwrap();
        let mut inputs = PlanInputs::new(directory.path());
        let mut save = |text: &str, most| {
            let path = inputs.take("pe-warn", text.to_owned(), most).unwrap()?;
            assert!(!path.exists());
            // two at once, one of which may replace the other
            if text != "b" {
                assert!(inputs.write().is_empty());
            }
            Some(path.file_name().unwrap().to_str().unwrap().to_owned())
        };
        let names: Vec<String> = ["a", "b", "c"].iter().filter_map(|text| save(text, 2)).collect();
        assert_eq!(names, ["pe-warn-0.bz2", "pe-warn-1.bz2", "pe-warn-0.bz2"]);
        assert_eq!(save("d", 0), None);
        assert_eq!(save("d", -1).as_deref(), Some("pe-warn-1.bz2"));
        assert_eq!(save("e", -1).as_deref(), Some("pe-warn-2.bz2"));
        assert_eq!(fs::read_to_string(directory.path().join("pe-warn.last")).unwrap(), "3");
        // as the field's tools read it
        let output = std::process::Command::new("bzcat").arg(directory.path().join("pe-warn-0.bz2")).output();
        if let Ok(output) = output {
            assert_eq!(output.stdout, b"c");
        }
        let file = File::open(directory.path().join("pe-warn-2.bz2")).unwrap();
        assert_eq!(io::read_to_string(bzip2::read::BzDecoder::new(file)).unwrap(), "e");
    }
}
