//! Where agents are, and which there are (rules 4.1.1 to 4.1.3).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Directories that are searched, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    /// Handed to OCF agents as `OCF_ROOT`.
    pub ocf_root: PathBuf,
    /// Directories with one subdirectory for each provider.
    pub ocf: Vec<PathBuf>,
    /// Directories with fence agents.
    pub fence: Vec<PathBuf>,
    /// Directory with init scripts.
    pub lsb: PathBuf,
    /// Directory with nagios plugins.
    pub nagios: PathBuf,
    /// Directory with the metadata of nagios plugins.
    pub nagios_metadata: PathBuf,
    /// Directory with the secrets of resources (rule 4.12.1).
    pub secrets: PathBuf,
}

impl Default for SearchPath {
    fn default() -> Self {
        SearchPath {
            ocf_root: "/usr/lib/ocf".into(),
            ocf: vec!["/usr/lib/ocf/resource.d".into()],
            fence: vec!["/usr/sbin".into()],
            lsb: "/etc/init.d".into(),
            nagios: "/usr/lib/nagios/plugins".into(),
            nagios_metadata: "/usr/share/nagios/plugins-metadata".into(),
            secrets: "/var/lib/pacemaker/lrm/secrets".into(),
        }
    }
}

impl SearchPath {
    /// The system's agents, and after them those below `directory` (`ocf/resource.d` and `sbin`).
    /// `SYSTOLE_AGENTS`, if set, names another such directory that comes first of all.
    pub fn with_own(directory: &Path) -> SearchPath {
        SearchPath::joined(directory, 1)
    }

    /// The same for nodes that share a machine: Systole's own come before the system's, because only they
    /// keep apart what belongs to several nodes.
    pub fn for_shared_machine(directory: &Path) -> SearchPath {
        SearchPath::joined(directory, 0)
    }

    /// What is installed on this host, without Systole's own.
    pub fn installed() -> SearchPath {
        let mut path = SearchPath::default();
        path.add_named();
        path
    }

    fn joined(directory: &Path, place: usize) -> SearchPath {
        let mut path = SearchPath::default();
        path.ocf.insert(place, directory.join("ocf/resource.d"));
        path.fence.insert(place, directory.join("sbin"));
        path.add_named();
        path
    }

    /// Puts the directory that the environment names first.
    fn add_named(&mut self) {
        if let Some(first) = std::env::var_os("SYSTOLE_AGENTS").map(PathBuf::from) {
            self.ocf.insert(0, first.join("ocf/resource.d"));
            self.fence.insert(0, first.join("sbin"));
        }
    }

    /// Classes that can be asked for, in the order of the classic tools.
    pub fn classes(&self) -> Vec<String> {
        let mut classes = vec!["lsb", "ocf", "service", "stonith", "systemd"];
        if self.nagios.is_dir() {
            classes.push("nagios");
        }
        classes.into_iter().map(str::to_owned).collect()
    }

    /// Providers of OCF agents.
    pub fn providers(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .ocf
            .iter()
            .flat_map(|directory| entries(directory))
            .filter(|path| path.is_dir())
            .filter_map(|path| name(&path))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Providers that have an OCF agent of this type.
    pub fn providers_of(&self, kind: &str) -> Vec<String> {
        self.providers().into_iter().filter(|provider| self.ocf_agent(provider, kind).is_some()).collect()
    }

    /// Agent types of a class (and provider, for `ocf`; without one those of all providers), as far as they
    /// are files: units are asked for with [`crate::Agents::types`].
    pub fn types(&self, class: &str, provider: Option<&str>) -> Vec<String> {
        match class {
            "ocf" => self.ocf_types(provider),
            "lsb" | "service" => executables(&self.lsb),
            "stonith" => self.fence_types(),
            "nagios" => entries(&self.nagios_metadata)
                .iter()
                .filter_map(|path| Some(name(path)?.strip_suffix(".xml")?.to_owned()))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn ocf_types(&self, provider: Option<&str>) -> Vec<String> {
        let providers = provider.map_or_else(|| self.providers(), |one| vec![one.to_owned()]);
        self.ocf
            .iter()
            .flat_map(|directory| {
                providers.iter().flat_map(|provider| executables(&directory.join(provider)))
            })
            .collect()
    }

    fn fence_types(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .fence
            .iter()
            .flat_map(|directory| entries(directory))
            .filter(|path| path.is_file())
            .filter_map(|path| name(&path))
            .filter(|name| name.starts_with("fence_"))
            .collect();
        names.push(crate::watchdog::AGENT.to_owned());
        names.sort();
        names.dedup();
        names
    }

    /// File of an OCF agent: the first that exists (rule 4.3.1).
    pub fn ocf_agent(&self, provider: &str, kind: &str) -> Option<PathBuf> {
        if !is_file_name(provider) || !is_file_name(kind) {
            return None;
        }
        self.ocf.iter().map(|directory| directory.join(provider).join(kind)).find(|path| path.exists())
    }

    /// File of a fence agent.
    pub fn fence_agent(&self, kind: &str) -> Option<PathBuf> {
        if !is_file_name(kind) || !kind.starts_with("fence_") {
            return None;
        }
        self.fence.iter().map(|directory| directory.join(kind)).find(|path| path.is_file())
    }

    /// File of an init script, which may be given by its whole path (rule 4.5.1).
    pub fn init_script(&self, kind: &str) -> PathBuf {
        if kind.starts_with('/') { kind.into() } else { self.lsb.join(kind) }
    }
}

/// A configuration may not lead out of the agents' directories.
fn is_file_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('/') && !text.starts_with('.')
}

fn executables(directory: &Path) -> Vec<String> {
    entries(directory)
        .into_iter()
        .filter(|path| {
            fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
        })
        .filter_map(|path| name(&path))
        .collect()
}

/// Entries that are not hidden, sorted as people expect: letters before their case.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = found
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| name(path).is_some_and(|name| !name.starts_with('.')))
        .collect();
    paths.sort_by_cached_key(|path| {
        let name = name(path).unwrap_or_default();
        (name.to_lowercase(), std::cmp::Reverse(name))
    });
    paths
}

fn name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_lead_out_of_the_directories() {
        let path = SearchPath::default();
        assert_eq!(path.ocf_agent("..", "sh"), None);
        assert_eq!(path.ocf_agent("heartbeat", "../../../../bin/sh"), None);
        assert_eq!(path.fence_agent("../bin/sh"), None);
        assert_eq!(path.fence_agent("sh"), None);
    }
}
