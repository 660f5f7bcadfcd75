//! Writing over a file where it is, by a process of its own: whoever kills the command in the middle does not kill
//! the write, so that the file has the old text or the new one.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

/// Has another process of this program, in a group of its own, write the text. It begins when it has got all of it.
pub fn by_another_process(path: &Path, text: &str) -> io::Result<()> {
    let mut child = crate::itself::command()?
        .args(["internal", "overwrite"])
        .arg(path)
        .arg(text.len().to_string())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let mut input = child.stdin.take().ok_or_else(|| io::Error::other("no way to hand over the text"))?;
    // a writer that gave up says why below
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let ended = child.wait_with_output()?;
    if ended.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&ended.stderr).trim().to_owned()))
}

/// The other process: takes a text of this many bytes, whole or not at all, and writes it over the file.
pub fn take_and_write(path: &Path, length: u64, input: impl Read) -> io::Result<()> {
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the text did not come whole"));
    }
    write_over(path, &bytes)
}

/// One call; what is left of a longer text is blank until it is cut off, so that the file is whole at every moment.
fn write_over(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let before = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    let mut bytes = text.to_vec();
    bytes.resize(before.max(text.len()), b'\n');
    file.write_all(&bytes)?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_text_is_not_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "the old text, which is longer").unwrap();
        for length in 0..8 {
            let half = &b"the new"[..length.min(6)];
            assert!(take_and_write(file.path(), 7, half).is_err());
            assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "the old text, which is longer");
        }
        take_and_write(file.path(), 7, &b"the new"[..]).unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "the new");
    }
}
