//! The inputs that runs begin with: small ones kept in the repository, each a shape or a former fault, and the
//! recorded configurations of the scheduler, where they are beside the checkout.

use std::path::{Path, PathBuf};

/// Larger inputs are left out: many small ones find more.
const MOST_BYTES: usize = 60_000;

/// The folder of the kept inputs.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The kept inputs, by name.
pub fn kept() -> Vec<(PathBuf, Vec<u8>)> {
    read(&folder())
}

/// All inputs to begin with.
pub fn parents() -> Vec<Vec<u8>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/scheduler");
    let place = std::env::var_os("SYSTOLE_CONFORMANCE").map_or(beside, PathBuf::from);
    let recorded = read(&place.join("xml"));
    kept().into_iter().chain(recorded).map(|(_, input)| input).collect()
}

fn read(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let inputs = files.into_iter().filter_map(|file| std::fs::read(&file).ok().map(|input| (file, input)));
    inputs.filter(|(_, input)| input.len() < MOST_BYTES).collect()
}
