//! `pcs stonith sbd …` on this host (rules 4.60, 5d.4): sbd with disks, or the daemon's own watchdog without.
//!
//! Without disks sbd would ask the reference's daemons whether all is well, which are not there (rule 4.60.1):
//! the daemon feeds the watchdog itself then, and both read the same file. With disks sbd is told not to ask.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use daemon::{OWN_DEVICE, sbd_setting};

use super::words::{Options, Result};
use crate::session::replace_file;

/// Where sbd's settings may be; the first is written where none is.
const FILES: [&str; 2] = ["/etc/default/sbd", "/etc/sysconfig/sbd"];

const PROGRAM: &str = "/usr/sbin/sbd";
const WATCHDOG: &str = "/dev/watchdog";
const MOST_DEVICES: usize = 3;

/// Settings that users give, and those that follow from others.
const OPEN: [&str; 4] = ["SBD_DELAY_START", "SBD_STARTMODE", "SBD_WATCHDOG_TIMEOUT", "SBD_TIMEOUT_ACTION"];
const CLOSED: [&str; 4] = ["SBD_WATCHDOG_DEV", "SBD_OPTS", "SBD_PACEMAKER", "SBD_DEVICE"];

const RESTART: &str = "Warning: Cluster restart is required in order to apply these changes.";

/// One command. It changes and shows this host only: run it on each.
pub fn run(words: &[&str], options: &Options) -> Result<ExitCode> {
    match words {
        ["enable", rest @ ..] => enable(&Wanted::read(rest, &host(), options.force)?)?,
        ["disable"] => disable()?,
        ["config"] => print!("{}", shown(&read()?.1, &host())),
        ["status"] | [] => status()?,
        ["device", "message", device, node, message] => {
            return sbd(&["-d", device, "message", node, message]);
        }
        ["watchdog", "list"] => watchdogs(),
        [other, ..] => {
            return Err(format!(
                "unknown command 'stonith sbd {other}'; there are: enable, disable, status, config, device message, \
                 watchdog list; 'sbd -d DISK create' sets a disk up"
            )
            .into());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What `enable` is to write.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    watchdog: Option<String>,
    devices: Vec<String>,
    settings: Vec<(String, String)>,
}

impl Wanted {
    /// `watchdog=PATH[@NODE]`, `device=PATH[@NODE]` (repeated), `SBD_…=VALUE`; of those for nodes only this one's.
    fn read(words: &[&str], host: &str, force: bool) -> Result<Wanted> {
        let (mut own, mut general) = (Wanted::default(), Wanted::default());
        for word in words {
            let (name, value) = word
                .split_once('=')
                .filter(|(_, value)| !value.is_empty())
                .ok_or_else(|| format!("missing value of '{word}' option; write name=value"))?;
            let (value, node) = match (name, value.rsplit_once('@')) {
                ("watchdog" | "device", Some((value, node))) => (value, Some(node)),
                _ => (value, None),
            };
            let wanted = if node.is_none() { &mut general } else { &mut own };
            match name {
                _ if node.is_some_and(|node| node != host) => {}
                "watchdog" | "device" if !value.starts_with('/') => {
                    return Err(format!("{name} path '{value}' is invalid: it must be absolute").into());
                }
                "watchdog" => wanted.watchdog = Some(value.to_owned()),
                "device" => wanted.devices.push(value.to_owned()),
                name => {
                    check(name, value, force)?;
                    general.settings.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        general.watchdog = own.watchdog.or(general.watchdog);
        if !own.devices.is_empty() {
            general.devices = own.devices;
        }
        if general.devices.len() > MOST_DEVICES {
            return Err(
                format!("{} devices are too many: at most {MOST_DEVICES}", general.devices.len()).into()
            );
        }
        Ok(general)
    }

    /// All settings that are to change; none: the setting goes.
    fn changes(&self) -> Vec<(String, Option<String>)> {
        let watchdog = self.watchdog.clone().unwrap_or_else(|| WATCHDOG.to_owned());
        let disks = (!self.devices.is_empty()).then(|| format!("\"{}\"", self.devices.join(";")));
        let without_disks = disks.is_none().then(|| watchdog.clone());
        let mut changes = vec![
            ("SBD_WATCHDOG_DEV".to_owned(), Some(watchdog)),
            ("SBD_PACEMAKER".to_owned(), Some("no".to_owned())),
            ("SBD_DEVICE".to_owned(), disks),
            (OWN_DEVICE.to_owned(), without_disks),
        ];
        changes.extend(self.settings.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
        changes
    }
}

fn check(name: &str, value: &str, force: bool) -> Result<()> {
    if CLOSED.contains(&name) {
        return Err(format!("Cannot set option '{name}'; allowed are: {}", OPEN.join(", ")).into());
    }
    if !OPEN.contains(&name) && !force {
        let allowed = OPEN.join(", ");
        return Err(format!(
            "invalid option '{name}', allowed options are: {allowed}, use --force to override"
        )
        .into());
    }
    if name == "SBD_WATCHDOG_TIMEOUT" && value.parse::<u32>().is_err() {
        return Err(format!(
            "'{value}' is not a valid SBD_WATCHDOG_TIMEOUT value, use a non-negative integer"
        )
        .into());
    }
    Ok(())
}

fn enable(wanted: &Wanted) -> Result<()> {
    let (path, text) = read()?;
    let host = host();
    replace_file(path, &changed(&text, &wanted.changes()))?;
    println!("{host}: SBD config saved");
    if wanted.devices.is_empty() {
        println!("{host}: without devices Systole feeds the watchdog itself; sbd is not needed");
    } else {
        unit("enable")?;
        println!("{host}: sbd enabled");
    }
    eprintln!("{RESTART}");
    eprintln!("Warning: this changed {host} only; run the same on every other node");
    Ok(())
}

fn disable() -> Result<()> {
    let (path, text) = read()?;
    let host = host();
    replace_file(path, &changed(&text, &[(OWN_DEVICE.to_owned(), None)]))?;
    if Path::new(PROGRAM).exists() {
        unit("disable")?;
    }
    println!("{host}: sbd disabled");
    eprintln!("{RESTART}");
    eprintln!("Warning: this changed {host} only; run the same on every other node");
    Ok(())
}

fn status() -> Result<()> {
    let yes = |yes: bool| if yes { "YES" } else { " NO" };
    let enabled = Command::new("systemctl").args(["is-enabled", "--quiet", "sbd.service"]).status();
    let (installed, running) = (Path::new(PROGRAM).exists(), messaging::corosync::process_runs("sbd"));
    println!("SBD STATUS\n<node name>: <installed> | <enabled> | <running>");
    let enabled = enabled.is_ok_and(|status| status.success());
    println!("{}: {} | {} | {}", host(), yes(installed), yes(enabled), yes(running));
    if let Some(device) = value_of(&read()?.1, OWN_DEVICE) {
        println!("\nSystole feeds {device} itself");
    }
    for device in
        value_of(&read()?.1, "SBD_DEVICE").unwrap_or_default().split(';').filter(|text| !text.is_empty())
    {
        println!("\nMessages list on device '{device}':");
        let list = Command::new(PROGRAM).args(["-d", device, "list"]).output();
        match list.ok().filter(|output| output.status.success()) {
            Some(output) => println!("{}", String::from_utf8_lossy(&output.stdout).trim_end()),
            None => println!("<unknown>"),
        }
    }
    Ok(())
}

/// The settings as the reference's pcs shows them.
fn shown(text: &str, host: &str) -> String {
    let mut out = String::new();
    for (name, value) in text.lines().filter_map(sbd_setting) {
        if !CLOSED.contains(&name) {
            out.push_str(&format!("{name}={value}\n"));
        }
    }
    let told = |name: &str| value_of(text, name).unwrap_or_else(|| "<unknown>".to_owned());
    out.push_str(&format!("\nWatchdogs:\n  {host}: {}\n", told("SBD_WATCHDOG_DEV")));
    if value_of(text, "SBD_DEVICE").is_some() {
        out.push_str(&format!("\nDevices:\n  {host}: {}\n", told("SBD_DEVICE")));
    }
    out
}

fn watchdogs() {
    println!("Available watchdog(s):");
    let mut devices: Vec<String> = std::fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("watchdog"))
        .collect();
    devices.sort();
    devices.iter().for_each(|name| println!("  /dev/{name}"));
}

/// The file with the settings and what is in it; nothing if it is not there.
fn read() -> Result<(&'static Path, String)> {
    let path = FILES.iter().map(Path::new).find(|path| path.exists()).unwrap_or(Path::new(FILES[0]));
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot read {}: {error}", path.display()).into())
        }
        text => Ok((path, text.unwrap_or_default())),
    }
}

fn value_of(text: &str, wanted: &str) -> Option<String> {
    let of = |(name, value): (&str, &str)| (name == wanted && !value.is_empty()).then(|| value.to_owned());
    text.lines().filter_map(sbd_setting).filter_map(of).next_back()
}

/// The text with settings changed where they are, added at the end, or taken out; all other lines stay.
fn changed(text: &str, changes: &[(String, Option<String>)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (name, value) in changes {
        let line = value.as_ref().map(|value| format!("{name}={value}"));
        let place = lines.iter().position(|line| sbd_setting(line).is_some_and(|(found, _)| found == name));
        lines.retain(|line| sbd_setting(line).is_none_or(|(found, _)| found != name));
        if let Some(line) = line {
            lines.insert(place.unwrap_or(lines.len()).min(lines.len()), line);
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn unit(verb: &str) -> Result<()> {
    match Command::new("systemctl").args([verb, "sbd.service"]).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("unable to {verb} sbd.service: systemctl ended with {status}").into()),
        Err(error) => Err(format!("unable to {verb} sbd.service: systemctl: {error}").into()),
    }
}

fn sbd(words: &[&str]) -> Result<ExitCode> {
    let status = Command::new(PROGRAM).args(words).status();
    match status.map_err(|error| format!("{PROGRAM}: {error}; is the package sbd installed?"))? {
        status if status.success() => Ok(ExitCode::SUCCESS),
        status => Err(format!("{PROGRAM} {}: {status}", words.join(" ")).into()),
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> std::result::Result<Wanted, String> {
        Wanted::read(words, "n1", false).map_err(|failure| failure.message)
    }

    #[test]
    fn own_values_go_before_general_ones() {
        let wanted =
            read(&["watchdog=/dev/w", "watchdog=/dev/w1@n1", "device=/dev/a", "device=/dev/b@n2"]).unwrap();
        assert_eq!(wanted.watchdog.as_deref(), Some("/dev/w1"));
        assert_eq!(wanted.devices, ["/dev/a"]);
    }

    #[test]
    fn mistakes_are_refused_with_the_way_out() {
        for (word, told) in [
            ("SBD_PACEMAKER=yes", "Cannot set option 'SBD_PACEMAKER'"),
            ("SBD_WATCHDOG_TIMEOT=5", "invalid option 'SBD_WATCHDOG_TIMEOT'"),
            ("SBD_WATCHDOG_TIMEOUT=5s", "non-negative integer"),
            ("device=disk", "must be absolute"),
            ("watchdog", "write name=value"),
        ] {
            let error = read(&[word]).unwrap_err();
            assert!(error.contains(told), "{word}: {error}");
        }
        assert!(
            read(&["device=/1", "device=/2", "device=/3", "device=/4"]).unwrap_err().contains("at most 3")
        );
    }

    #[test]
    fn with_disks_sbd_feeds_and_does_not_ask_without_them_the_daemon_feeds() {
        let before = "# a comment\nSBD_PACEMAKER=yes\nSBD_OPTS=\nSBD_WATCHDOG_TIMEOUT=5\n";
        let disks = changed(before, &read(&["device=/dev/a", "device=/dev/b"]).unwrap().changes());
        assert_eq!(
            disks,
            "# a comment\nSBD_PACEMAKER=no\nSBD_OPTS=\nSBD_WATCHDOG_TIMEOUT=5\n\
             SBD_WATCHDOG_DEV=/dev/watchdog\nSBD_DEVICE=\"/dev/a;/dev/b\"\n"
        );
        let none = changed(&disks, &read(&["SBD_WATCHDOG_TIMEOUT=10"]).unwrap().changes());
        assert_eq!(
            none,
            "# a comment\nSBD_PACEMAKER=no\nSBD_OPTS=\nSBD_WATCHDOG_TIMEOUT=10\n\
             SBD_WATCHDOG_DEV=/dev/watchdog\nSYSTOLE_WATCHDOG_DEVICE=/dev/watchdog\n"
        );
        assert_eq!(
            shown(&disks, "n1"),
            "SBD_WATCHDOG_TIMEOUT=5\n\nWatchdogs:\n  n1: /dev/watchdog\n\nDevices:\n  n1: /dev/a;/dev/b\n"
        );
    }
}
