//! Live tests: the tutorial's cluster with real agents on hosts made on this machine, and units on a machine
//! with its own systemd.

mod agents;
pub mod client;
mod clients;
mod cluster;
mod container;
pub mod corosync;
pub mod fence_agent;
pub mod hosts;
mod systemd;
mod tools;
mod tutorial;
mod upkeep;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::report::Report;

/// Debian packages that the real parts come from.
const PACKAGES: [&str; 16] = [
    "resource-agents",
    "apache2",
    "iproute2",
    "procps",
    "curl",
    "util-linux",
    "corosync",
    "corosync-qdevice",
    "corosync-qnetd",
    "systemd-container",
    "debootstrap",
    "crmsh",
    "pcs",
    "redis-server",
    "kmod",
    "iptables",
];

type Scenario = fn(&Path, &mut Report);

/// Scenarios on hosts where `systole install-links` made the field's names; `LIVE_ONLY` runs one of them alone.
const SCENARIOS: [(&str, Scenario); 4] =
    [("agents", agents::run), ("tools", tools::run), ("crmsh", clients::crmsh), ("pcs", clients::pcs)];

/// Runs every live scenario, or says why it cannot.
pub fn run(root: &Path, report: &mut Report) {
    match prepare(root) {
        Ok(binary) => {
            let only = std::env::var("LIVE_ONLY").unwrap_or_default();
            if let Some((_, scenario)) = SCENARIOS.iter().find(|(name, _)| *name == only) {
                return scenario(&binary, report);
            }
            if only == "systemd" {
                return systemd::run(root, &binary, report);
            }
            everything(root, &binary, report);
        }
        Err(Unready::Skip(why)) => report.skip("live tests", why),
        Err(Unready::Fail(why)) => report.fail(format!("live: {why}"), 1),
    }
}

/// All scenarios, in two rows side by side: they wait most of the time, and each has hosts of its own.
fn everything(root: &Path, binary: &Path, report: &mut Report) {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut report = Report::default();
            engines(root, &mut report);
            crate::lab::play(binary, &crate::lab::Options::short(), &mut report);
            report
        });
        tutorial::run(binary, report);
        systemd::run(root, binary, report);
        for (_, scenario) in SCENARIOS {
            scenario(binary, report);
        }
        match other.join() {
            Ok(other) => report.add(other),
            Err(_) => report.fail("live: a row of scenarios broke off", 1),
        }
    });
}

/// Why hosts cannot be used here.
pub enum Unready {
    Skip(String),
    Fail(String),
}

/// Installs and builds what the hosts need; gives the release binary.
pub fn prepare(root: &Path) -> Result<std::path::PathBuf, Unready> {
    if !is_root() {
        return Err(Unready::Skip("they need root, to make hosts from namespaces".to_owned()));
    }
    install().map_err(|error| Unready::Skip(format!("the real agents cannot be installed: {error}")))?;
    release_binary(root).map_err(Unready::Fail)
}

/// The engines' common suite once more, with the Corosync part, which needs hosts.
fn engines(root: &Path, report: &mut Report) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        // of the workspace, as the unit tests are: a package alone has other features and is built anew
        .args(["test", "--quiet", "--workspace", "--test", "engines", "--", "--test-threads", "2"])
        .current_dir(root)
        .env("SYSTOLE_LIVE", "1")
        .status();
    match status {
        Ok(status) if status.success() => report.pass(1),
        Ok(status) => report.fail(format!("engines on live hosts: {status}"), 1),
        Err(error) => report.fail(format!("engines on live hosts: {error}"), 1),
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"))
}

/// Installs what is missing; asks the package tools for nothing if all is there.
fn install() -> Result<(), String> {
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    let apt = |arguments: &[&str]| -> Result<(), String> {
        let output = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("apt-get failed").to_owned())
    };
    apt(&["update", "-q"])?;
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(missing);
    apt(&arguments)
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${Status}", package])
        .output()
        .is_ok_and(|output| output.stdout.ends_with(b"ok installed"))
}

/// Builds the release binary and says where it is; `SYSTOLE_TEST_BINARY` names one that is there already.
pub fn release_binary(root: &Path) -> Result<std::path::PathBuf, String> {
    if let Some(given) = std::env::var_os("SYSTOLE_TEST_BINARY") {
        return Ok(given.into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--bin", "systole"])
        .current_dir(root)
        .status()
        .map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("cargo build: {status}"));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    Ok(target.join("release").join("systole"))
}
