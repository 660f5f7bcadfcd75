//! Systole's own agents. They are part of the binary and are written to the daemon's directory when it
//! starts, so that a binary that was just built finds them like an installed one.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Path below the agents' directory, and content.
const FILES: [(&str, &str); 5] = [
    ("ocf/resource.d/pacemaker/Dummy", include_str!("../../../agents/ocf/resource.d/pacemaker/Dummy")),
    ("ocf/resource.d/pacemaker/Stateful", include_str!("../../../agents/ocf/resource.d/pacemaker/Stateful")),
    ("ocf/resource.d/systole/web", include_str!("../../../agents/ocf/resource.d/systole/web")),
    ("ocf/resource.d/systole/address", include_str!("../../../agents/ocf/resource.d/systole/address")),
    ("sbin/fence_systole_demo", include_str!("../../../agents/sbin/fence_systole_demo")),
];

/// Whether this is one of Systole's own fence agents.
#[must_use]
pub fn has_fence_agent(kind: &str) -> bool {
    FILES.iter().any(|(name, _)| name.strip_prefix("sbin/") == Some(kind))
}

/// Writes the agents below `directory`. Files that are right already stay untouched; a file that an agent
/// process is being started from is replaced whole, never written into.
pub fn unpack(directory: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        let path = directory.join(name);
        if fs::read(&path).is_ok_and(|old| old == content.as_bytes()) {
            continue;
        }
        let parent = path.parent().unwrap_or(directory);
        fs::create_dir_all(parent)?;
        let temporary = parent.join(format!(".{}.new", std::process::id()));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o755).open(&temporary)?;
        io::Write::write_all(&mut file, content.as_bytes())?;
        // a script that is open for writing cannot be executed
        drop(file);
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755))?;
        fs::rename(&temporary, &path)?;
    }
    Ok(())
}
