//! A machine with its own systemd: a small Debian in a container. Its tree is made once and kept; each boot
//! has its own changes in memory. Needs root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::hosts::run;

/// Where trees are kept between runs.
const CACHE: &str = "/var/cache/systole-tests";

/// What the tree has beyond the smallest system.
const PACKAGES: &str = "systemd,dbus";

/// Longest time that anything is awaited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A container that runs. Killed when dropped.
pub struct Container {
    child: Child,
    leader: u32,
    console: PathBuf,
}

impl Container {
    /// Boots one; `binds` are options of `systemd-nspawn` for what it shares with this machine, `folder` is for
    /// its console's output.
    pub fn boot(name: &str, folder: &Path, binds: &[String]) -> io::Result<Container> {
        let tree = tree()?;
        let console = folder.join("console.log");
        let output = fs::File::create(&console)?;
        let child = Command::new("systemd-nspawn")
            .args(["--quiet", "--boot", "--volatile=overlay", "--private-network", "--keep-unit"])
            .args(["--register=no", "--link-journal=no", "--console=pipe", "--machine", name])
            .arg(format!("--directory={}", tree.display()))
            .args(binds)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut container = Container { child, leader: 0, console };
        container.wait_until_booted()?;
        Ok(container)
    }

    fn wait_until_booted(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.trouble(&format!("systemd-nspawn ended ({status})")));
            }
            self.leader = first_process(self.child.id()).unwrap_or(0);
            if self.leader != 0 && self.is_up() {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(self.trouble("its systemd did not come up"));
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn is_up(&self) -> bool {
        let state = self.run(&["systemctl", "is-system-running"]);
        state.is_ok_and(|output| {
            matches!(String::from_utf8_lossy(&output.stdout).trim(), "running" | "degraded")
        })
    }

    fn trouble(&self, what: &str) -> io::Error {
        let said = fs::read_to_string(&self.console).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n    ");
        io::Error::other(format!("{what}; its console:\n    {tail}"))
    }

    /// Runs a command inside.
    pub fn run(&self, words: &[&str]) -> io::Result<Output> {
        Command::new("nsenter")
            .args(["-t", &self.leader.to_string(), "-m", "-u", "-i", "-n", "-p", "--wd=/"])
            .args([
                "env",
                "-i",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL=C",
            ])
            .args(words)
            .stdin(Stdio::null())
            .output()
    }

    /// Waits until it has powered itself off.
    pub fn wait_until_off(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                return Err(self.trouble("it did not power off"));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // its first process takes all others with it
        if self.leader != 0 {
            let _ = run("kill", &["-KILL", &self.leader.to_string()]);
        } else {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// The container's first process: the only one below `launcher` that is number 1 in its own namespace.
fn first_process(launcher: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children")).ok()?;
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or("");
        numbers.split_whitespace().count() > 1 && numbers.split_whitespace().last() == Some("1")
    })
}

/// The tree to boot from, made if it is not there: of this machine's own release, so that programs built here
/// run there.
fn tree() -> io::Result<PathBuf> {
    let release = fs::read_to_string("/etc/os-release")?;
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).map(str::trim);
    let suite = suite.filter(|_| release.contains("ID=debian")).ok_or_else(|| {
        io::Error::other(
            "this machine is no Debian, and the container is to have its release (/etc/os-release)",
        )
    })?;
    let tree = Path::new(CACHE).join(format!("{suite}-{}", PACKAGES.replace(',', "-")));
    if tree.is_dir() {
        return Ok(tree);
    }
    println!("making a small Debian ({suite}) in {}", tree.display());
    fs::create_dir_all(CACHE)?;
    let partial = Path::new(CACHE).join(format!("{suite}.{}", std::process::id()));
    let made = run(
        "debootstrap",
        &["--variant=minbase", &format!("--include={PACKAGES}"), suite, &partial.to_string_lossy()],
    );
    let renamed = made.and_then(|()| fs::rename(&partial, &tree));
    // another run may have been faster
    let _ = fs::remove_dir_all(&partial);
    renamed.or_else(|error| if tree.is_dir() { Ok(()) } else { Err(error) })?;
    Ok(tree)
}
