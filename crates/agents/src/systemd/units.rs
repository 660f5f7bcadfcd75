//! Names of units, and what the files on this host tell where systemd cannot be asked.

use std::path::{Path, PathBuf};

/// Endings of the units that can be resources (rule 4.1.3).
const SUFFIXES: [&str; 5] = [".service", ".socket", ".mount", ".timer", ".path"];

/// Longest name of a unit, in bytes.
const MAX_NAME: usize = 255;

/// Where unit files are, the first that has a name wins.
const DIRECTORIES: [&str; 6] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// A unit by the type of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    kind: String,
    name: String,
    example: String,
}

impl Unit {
    /// None if no unit can have that name. It becomes part of a path, so this is also the border that keeps a
    /// configuration from leading elsewhere.
    pub(crate) fn of(kind: &str) -> Option<Unit> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        let suffix = SUFFIXES.into_iter().find(|suffix| kind.ends_with(suffix));
        let (stem, suffix) =
            (kind.strip_suffix(suffix.unwrap_or("")).unwrap_or(kind), suffix.unwrap_or(SUFFIXES[0]));
        let name = format!("{stem}{suffix}");
        if stem.is_empty() || stem.starts_with('.') || !stem.chars().all(allowed) || name.len() > MAX_NAME {
            return None;
        }
        // rule 4.6.1: a template itself can be neither loaded nor described
        let example = if stem.ends_with('@') { format!("{stem}pacemaker{suffix}") } else { name.clone() };
        Some(Unit { kind: kind.to_owned(), name, example })
    }

    /// As the resource has it.
    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    /// With its ending.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The same; of a template an instance.
    pub(crate) fn example(&self) -> &str {
        &self.example
    }

    /// Whether it is a service.
    pub(crate) fn is_service(&self) -> bool {
        self.name.ends_with(".service")
    }
}

/// Agent types of unit files: `.service` removed, sorted ignoring case (rule 4.1.3).
pub(super) fn types(files: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = files
        .into_iter()
        .filter(|name| SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
        .map(|name| name.strip_suffix(".service").map_or(name.clone(), str::to_owned))
        .collect();
    names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
    names.dedup();
    names
}

/// Names of all unit files in this host's directories.
pub(super) fn files() -> Vec<String> {
    DIRECTORIES
        .iter()
        .filter_map(|directory| Path::new(directory).read_dir().ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect()
}

/// What the file of a unit says about it; none if there is no such file.
pub(super) fn description_in_file(unit: &Unit) -> Option<String> {
    let text = file_of(unit).and_then(|path| std::fs::read_to_string(path).ok())?;
    let described = text.lines().find_map(|line| line.strip_prefix("Description="));
    Some(described.unwrap_or(unit.name()).trim().to_owned())
}

/// An instance's file is that of its template.
fn file_of(unit: &Unit) -> Option<PathBuf> {
    let template = unit.name().split_once('@').zip(unit.name().rsplit_once('.'));
    let template = template.map(|((stem, _), (_, suffix))| format!("{stem}@.{suffix}"));
    let names = [Some(unit.name().to_owned()), template];
    let place =
        |name: &String| DIRECTORIES.iter().map(|it| Path::new(it).join(name)).find(|path| path.is_file());
    names.iter().flatten().find_map(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = |kind: &str| Unit::of(kind).map(|unit| unit.name().to_owned());
        assert_eq!(name("a").as_deref(), Some("a.service"));
        assert_eq!(name("a.mount").as_deref(), Some("a.mount"));
        assert_eq!(name("a.b").as_deref(), Some("a.b.service"));
        assert_eq!(name("getty@tty1").as_deref(), Some("getty@tty1.service"));
        for bad in ["", ".service", "../x", "a/b", "..", "a b", "a\0", &"x".repeat(300)] {
            assert_eq!(name(bad), None, "{bad}");
        }
        assert_eq!(Unit::of("getty@").unwrap().example(), "getty@pacemaker.service");
        assert_eq!(Unit::of("x@.socket").unwrap().example(), "x@pacemaker.socket");
    }

    #[test]
    fn lists() {
        let files = ["b.service", "A.service", "a.service", "c.target", "d.timer", "b.service"];
        assert_eq!(types(files.map(str::to_owned).to_vec()), ["A", "a", "b", "d.timer"]);
    }
}
