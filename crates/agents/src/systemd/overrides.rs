//! Drop-ins that a unit has while the cluster controls it (rule 4.6.7): at shutdown systemd stops the cluster
//! first, which then stops the unit, and systemd never restarts it by itself.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::bus::{Bus, BusError};
use super::units::Unit;

/// What survives until the next boot.
const DIRECTORY: &str = "/run/systemd/system";

/// The field's own name for it.
const FILE: &str = "50-pacemaker.conf";

/// Units that run a cluster's manager.
const MANAGERS: &str = "systole.service pacemaker.service pacemaker_remote.service";

/// All drop-ins of this host.
pub(super) struct Overrides {
    directory: PathBuf,
    /// Number of changes so far.
    changes: AtomicU64,
    /// How many of them systemd knows.
    known: tokio::sync::Mutex<u64>,
}

impl Default for Overrides {
    fn default() -> Overrides {
        Overrides::below(Path::new(DIRECTORY))
    }
}

impl Overrides {
    /// In another directory than the system's.
    pub(super) fn below(directory: &Path) -> Overrides {
        Overrides {
            directory: directory.to_path_buf(),
            changes: AtomicU64::new(0),
            known: tokio::sync::Mutex::new(0),
        }
    }

    /// Before a start.
    pub(super) async fn set(&self, unit: &Unit, bus: &Bus) -> Result<(), BusError> {
        match self.write(unit) {
            Ok(()) => self.publish(bus).await,
            Err(error) => {
                let directory = self.directory.display();
                tracing::warn!(unit = unit.name(), %error, %directory, "no drop-in: systemd may stop this unit before the cluster");
                Ok(())
            }
        }
    }

    /// Before a stop: with it, systemd would wait for the end of the cluster before it stops the unit.
    pub(super) async fn remove(&self, unit: &Unit, bus: &Bus) -> Result<(), BusError> {
        let directory = self.directory_of(unit);
        if fs::remove_file(directory.join(FILE)).is_err() {
            return Ok(());
        }
        // others may have put theirs there
        let _ = fs::remove_dir(directory);
        self.publish(bus).await
    }

    fn directory_of(&self, unit: &Unit) -> PathBuf {
        self.directory.join(format!("{}.d", unit.name()))
    }

    fn write(&self, unit: &Unit) -> io::Result<()> {
        let directory = self.directory_of(unit);
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&directory)?;
        let file = directory.join(FILE);
        fs::write(&file, content(unit))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))
    }

    /// Lets systemd read its configuration again. That takes long on a host with many units, so changes that
    /// are made while it does share the next time.
    async fn publish(&self, bus: &Bus) -> Result<(), BusError> {
        let own = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        let mut known = self.known.lock().await;
        if *known < own {
            let covered = self.changes.load(Ordering::SeqCst);
            bus.reload_configuration().await?;
            *known = covered;
        }
        Ok(())
    }
}

fn content(unit: &Unit) -> String {
    let name = unit.name();
    let mut text = format!("[Unit]\nDescription=Cluster Controlled {name}\nBefore={MANAGERS}\n");
    if unit.is_service() {
        text.push_str("\n[Service]\nRestart=no\n");
    }
    text
}
