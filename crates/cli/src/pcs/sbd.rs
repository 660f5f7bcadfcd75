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
        ["device", "setup", rest @ ..] => Setup::read(rest)?.run(options)?,
        ["watchdog", "list"] => {
            println!("Available watchdog(s):");
            watchdogs().iter().for_each(|path| println!("  {path}"));
        }
        ["watchdog", "test"] => test_watchdog(only_watchdog(&watchdogs())?, options)?,
        ["watchdog", "test", path] => test_watchdog(path, options)?,
        [other, ..] => {
            return Err(format!(
                "unknown command 'stonith sbd {other}'; there are: enable, disable, status, config, device setup, \
                 device message, watchdog list, watchdog test"
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

/// Disks that are to be set up for sbd.
#[derive(Debug, Default, PartialEq)]
struct Setup {
    devices: Vec<String>,
    /// sbd's options and their seconds.
    times: Vec<(&'static str, u32)>,
}

/// Times of a disk, and sbd's options for them.
const TIMES: [(&str, &str); 4] = [
    ("watchdog-timeout", "-1"),
    ("allocate-timeout", "-2"),
    ("loop-timeout", "-3"),
    ("msgwait-timeout", "-4"),
];

impl Setup {
    fn read(words: &[&str]) -> Result<Setup> {
        let mut setup = Setup::default();
        for word in words {
            let (name, value) = word
                .split_once('=')
                .filter(|(_, value)| !value.is_empty())
                .ok_or_else(|| format!("missing value of '{word}' option; write name=value"))?;
            if name == "device" {
                setup.devices.push(value.to_owned());
                continue;
            }
            let Some((_, option)) = TIMES.iter().find(|(known, _)| *known == name) else {
                let known = TIMES.map(|(name, _)| name).join(", ");
                return Err(format!("invalid option '{name}', allowed options are: device, {known}").into());
            };
            let seconds = value
                .parse()
                .map_err(|_| format!("'{value}' is not a valid {name} value, use a non-negative integer"))?;
            setup.times.push((option, seconds));
        }
        match setup.devices.len() {
            0 => Err("No device defined".into()),
            1..=MOST_DEVICES => Ok(setup),
            more => Err(format!("{more} devices are too many: at most {MOST_DEVICES}").into()),
        }
    }

    /// A message must be read, and a watchdog fire, before others rely on it.
    fn is_tight(&self) -> bool {
        let time =
            |option| self.times.iter().rfind(|(known, _)| *known == option).map(|(_, seconds)| *seconds);
        // what sbd takes when nothing is given
        time("-4").unwrap_or(10) < time("-1").unwrap_or(5).saturating_mul(2)
    }

    fn run(&self, options: &Options) -> Result<()> {
        let all = self.devices.join("', '");
        options.confirm(&format!("All current content on device(s) '{all}' will be overwritten"))?;
        if self.is_tight() {
            eprintln!("Warning: msgwait-timeout should be at least twice watchdog-timeout");
        }
        for device in &self.devices {
            eprintln!("Initializing device '{device}'...");
            let mut command = Command::new(PROGRAM);
            command.args(["-d", device]);
            for (option, seconds) in &self.times {
                command.args([*option, &seconds.to_string()]);
            }
            let output = command.arg("create").output();
            let output =
                output.map_err(|error| format!("{PROGRAM}: {error}; is the package sbd installed?"))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("Initialization of device '{device}' failed: {}", said.trim()).into());
            }
            eprintln!("Device '{device}' initialized successfully");
        }
        Ok(())
    }
}

fn watchdogs() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("watchdog"))
        .collect();
    names.sort();
    names.into_iter().map(|name| format!("/dev/{name}")).collect()
}

/// The one to be tested when none is named: the first goes by two names.
fn only_watchdog(all: &[String]) -> Result<&str> {
    let numbered: Vec<&String> = all.iter().filter(|path| *path != WATCHDOG).collect();
    match (&numbered[..], all) {
        ([one], _) => Ok(one),
        ([], [one]) => Ok(one),
        ([], _) => Err("No watchdog available".into()),
        _ => Err(format!(
            "Multiple watchdogs available, therefore, watchdog which should be tested has to be specified: {}",
            all.join(", ")
        )
        .into()),
    }
}

/// Resets this host, if the watchdog works.
fn test_watchdog(path: &str, options: &Options) -> Result<()> {
    options.confirm(
        "This operation is expected to force-reboot this system without following any shutdown procedures",
    )?;
    let seconds =
        value_of(&read()?.1, "SBD_WATCHDOG_TIMEOUT").and_then(|text| text.parse().ok()).unwrap_or(5);
    daemon::starve_watchdog(Path::new(path), seconds, &mut |left| {
        eprintln!("{path} is not fed any more: this host should be reset within {left} s");
    })
    .map_err(|error| format!("watchdog {path}: {error}").into())
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
    fn disks_are_set_up_with_the_times_given() {
        let read = |words: &[&str]| Setup::read(words).map_err(|failure| failure.message);
        let setup =
            read(&["device=/dev/a", "msgwait-timeout=20", "device=/dev/b", "watchdog-timeout=10"]).unwrap();
        assert_eq!(setup.devices, ["/dev/a", "/dev/b"]);
        assert_eq!(setup.times, [("-4", 20), ("-1", 10)]);
        assert!(!setup.is_tight());
        assert!(read(&["device=/dev/a", "watchdog-timeout=10"]).unwrap().is_tight());
        for (word, told) in [
            ("watchdog-timeout=5", "No device defined"),
            ("device=", "write name=value"),
            ("loop-timeout=1s", "'1s' is not a valid loop-timeout value"),
            ("msgwait=5", "allowed options are: device, watchdog-timeout"),
        ] {
            let error = read(&[word]).unwrap_err();
            assert!(error.contains(told), "{word}: {error}");
        }
    }

    #[test]
    fn the_only_watchdog_goes_by_two_names() {
        let all = |names: &[&str]| names.iter().map(|name| format!("/dev/{name}")).collect::<Vec<_>>();
        assert_eq!(only_watchdog(&all(&["watchdog", "watchdog0"])).unwrap(), "/dev/watchdog0");
        assert_eq!(only_watchdog(&all(&["watchdog"])).unwrap(), "/dev/watchdog");
        assert!(only_watchdog(&[]).unwrap_err().message.contains("No watchdog"));
        let several = all(&["watchdog", "watchdog0", "watchdog1"]);
        assert!(only_watchdog(&several).unwrap_err().message.contains("has to be specified"));
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
