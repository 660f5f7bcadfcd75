//! Units and init scripts as resources, on a machine with its own systemd.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::container::Container;
use super::hosts::make_executable;
use crate::report::Report;

/// Everything is awaited for at most this long; no step is judged by its speed.
const PATIENCE: Duration = Duration::from_secs(90);

/// Units of the container: name and content.
const UNITS: [(&str, &str); 11] = [
    // the manager requires it; here it has the bus of one machine
    ("corosync.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"),
    (
        "simple.service",
        "[Unit]\nDescription=A plain one\n[Service]\nRestart=always\nExecStart=/bin/sleep infinity\nExecStop=/bin/sh -c 'echo manager $$(systemctl show --value -p ActiveState systole.service) >>/out/stopped'\n",
    ),
    (
        "slow.service",
        "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'sleep 2; systemd-notify --ready; exec sleep infinity'\n",
    ),
    (
        "early.service",
        "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'while [ ! -e /out/early ]; do sleep 0.1; done; systemd-notify --ready; exec sleep infinity'\n",
    ),
    ("once.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"),
    ("failing.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n"),
    ("stuck.service", "[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n"),
    ("reloading.service", "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/sleep 3\n"),
    (
        "slowstop.service",
        "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sh -c 'sleep 2; echo slowstop >>/out/stopped'\n",
    ),
    ("gone.service", "[Service]\nExecStart=/bin/sleep infinity\n"),
    ("served.service", "[Service]\nExecStart=/bin/sleep infinity\n"),
];

/// The packaged unit on the bus of one machine.
const MANAGER: &str = "[Service]
ExecStartPre=/bin/sh -c 'test -d /var/lib/bus || systole bus create /var/lib/bus container node1'
ExecStart=
ExecStart=/usr/bin/systole daemon --bus /var/lib/bus --node node1
StandardError=append:/out/systole.log
";

const SCRIPT: &str = "#!/bin/sh
### BEGIN INIT INFO
# Provides: oldie
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: An init script
### END INIT INFO
case $1 in
  start) touch /run/oldie ;;
  stop) rm -f /run/oldie ;;
  status) [ -e /run/oldie ] || exit 3 ;;
  *) exit 2 ;;
esac
";

pub fn run(root: &Path, binary: &Path, report: &mut Report) {
    let folder = PathBuf::from(format!("/var/tmp/systole-container-{}", std::process::id()));
    let machine = Machine::boot(root, binary, &folder);
    match machine {
        Ok(mut machine) => machine.play(report),
        Err(error) => report.skip("live systemd", format!("no container boots on this machine: {error}")),
    }
    let _ = fs::remove_dir_all(&folder);
}

struct Machine {
    container: Container,
    units: PathBuf,
    out: PathBuf,
}

type Step = fn(&mut Machine) -> io::Result<()>;

impl Machine {
    fn boot(root: &Path, binary: &Path, folder: &Path) -> io::Result<Machine> {
        let (units, out, script) = (folder.join("units"), folder.join("out"), folder.join("oldie"));
        fs::create_dir_all(units.join("systole.service.d"))?;
        fs::create_dir_all(&out)?;
        for (name, content) in UNITS {
            fs::write(units.join(name), content)?;
        }
        symlink("/dev/null", units.join("masked.service"))?;
        fs::copy(root.join("packaging/systole.service"), units.join("systole.service"))?;
        fs::write(units.join("systole.service.d/test.conf"), MANAGER)?;
        fs::write(&script, SCRIPT)?;
        make_executable(&script)?;
        let bind = |kind: &str, from: &Path, to: &str| format!("--{kind}={}:{to}", from.display());
        let binds = [
            bind("bind-ro", binary, "/usr/bin/systole"),
            bind("bind", &units, "/usr/local/lib/systemd/system"),
            bind("bind", &out, "/out"),
            bind("bind-ro", &script, "/etc/init.d/oldie"),
        ];
        let name = format!("systole-{}", std::process::id());
        let container = Container::boot(&name, folder, &binds)?;
        Ok(Machine { container, units, out })
    }

    fn play(&mut self, report: &mut Report) {
        let steps: [(&str, Step); 11] = [
            ("the manager starts from its packaged unit", Machine::comes_up),
            ("units and scripts are listed and described", Machine::listed),
            ("units start, and the cluster waits for each", Machine::units_start),
            ("a unit that somebody else is starting is found when it has started", Machine::found_starting),
            ("a service killed is recovered, by the cluster alone", Machine::recovered),
            ("a reload is no failure", Machine::reload),
            ("units that fail, are stuck, masked or missing: each says so", Machine::failures),
            ("a unit whose file is gone is stopped all the same", Machine::gone),
            ("init scripts and class service", Machine::other_classes),
            ("without D-Bus failures say so, with it all goes on undisturbed", Machine::bus_lost),
            ("the manager killed: nothing disturbed", Machine::manager_killed),
        ];
        for (what, step) in steps {
            if !self.judge(what, step, report) {
                return;
            }
        }
        self.judge(
            "at power-off the cluster stops its units before systemd does",
            Machine::power_off,
            report,
        );
    }

    fn judge(&mut self, what: &str, step: Step, report: &mut Report) -> bool {
        match step(self) {
            Ok(()) => {
                println!("  ok: {what}");
                report.pass(1);
                true
            }
            Err(error) => {
                println!("  FAILED: {what}: {error}");
                self.show_state();
                report.fail(format!("live systemd: {what}: {error}"), 1);
                false
            }
        }
    }

    /// Standard output of a command that must succeed.
    fn ok(&self, line: &str) -> io::Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = self.container.run(&words)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(io::Error::other(format!("{line}: {}: {}{}", output.status, said.trim(), complaint.trim())))
    }

    fn pcs(&self, line: &str) -> io::Result<()> {
        self.ok(&format!("systole pcs {line}")).map(drop)
    }

    fn settle(&self) -> io::Result<()> {
        self.ok("systole crm_resource --wait --timeout=90s").map(drop)
    }

    fn unit(&self, name: &str, property: &str) -> io::Result<String> {
        Ok(self.ok(&format!("systemctl show --value -p {property} {name}"))?.trim().to_owned())
    }

    fn wait_for(&self, what: &str, mut is: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
        let begun = Instant::now();
        let mut last = is();
        while !matches!(last, Ok(true)) {
            if begun.elapsed() > PATIENCE {
                let error = last.err().map(|error| format!(" ({error})")).unwrap_or_default();
                return Err(io::Error::other(format!("{what} was awaited for {PATIENCE:?}{error}")));
            }
            sleep(Duration::from_millis(100));
            last = is();
        }
        Ok(())
    }

    /// History of a resource, one operation a line; `id` narrows it to one entry.
    fn history(&self, resource: &str, id: &str) -> io::Result<String> {
        let path = format!("//lrm_resource[@id='{resource}']/lrm_rsc_op[starts-with(@id,'{resource}_{id}')]");
        Ok(self.ok(&format!("systole cibadmin -Q --xpath {path}"))?.replace("&apos;", "'"))
    }

    fn monitor_gave(&self, resource: &str, code: u32) -> io::Result<bool> {
        Ok(self.history(resource, "monitor_1000")?.contains(&format!("rc-code=\"{code}\"")))
    }

    fn no_failures(&self) -> io::Result<()> {
        let text = self.ok("systole crm_mon -1 -f")?;
        expect(!text.contains("Failed Resource Actions"), || format!("failures: {text}"))
    }

    fn comes_up(&mut self) -> io::Result<()> {
        self.ok("systemctl start systole.service")?;
        self.wait_for("the node online", || {
            Ok(self.ok("systole crm_mon -1")?.contains("Online: [ node1 ]"))
        })?;
        self.pcs("property set stonith-enabled=false")
    }

    fn listed(&mut self) -> io::Result<()> {
        let list = |class: &str| self.ok(&format!("systole crm_resource --list-agents {class}"));
        let (systemd, service) = (list("systemd")?, list("service")?);
        let has = |text: &str, name: &str| text.lines().any(|line| line == name);
        expect(has(&systemd, "simple") && has(&systemd, "dbus.socket"), || format!("systemd: {systemd}"))?;
        expect(!systemd.contains(".target") && !has(&systemd, "oldie.service"), || {
            format!("systemd: {systemd}")
        })?;
        expect(has(&service, "simple") && has(&service, "oldie"), || format!("service: {service}"))?;
        expect(has(&list("lsb")?, "oldie"), || "oldie is not among lsb".to_owned())?;
        let about = |agent: &str| self.ok(&format!("systole crm_resource --show-metadata {agent}"));
        let text = about("systemd:simple")?;
        expect(text.contains("A plain one") && text.contains("timeout=\"100s\""), || text.clone())?;
        for agent in ["lsb:oldie", "service:oldie"] {
            let text = about(agent)?;
            expect(text.contains("An init script") && text.contains("Default-Stop: 0 1 6"), || text.clone())?;
        }
        let missing =
            self.container.run(&["systole", "crm_resource", "--show-metadata", "systemd:nowhere"])?;
        expect(missing.status.code() == Some(5), || format!("systemd:nowhere: {missing:?}"))
    }

    fn units_start(&mut self) -> io::Result<()> {
        for name in ["simple", "slow", "once", "reloading", "slowstop"] {
            self.pcs(&format!("resource create {name} systemd:{name} op monitor interval=1s"))?;
        }
        self.settle()?;
        self.no_failures()?;
        for name in ["simple", "slow", "once", "reloading", "slowstop"] {
            let state = self.unit(name, "ActiveState")?;
            expect(state == "active", || format!("{name} is {state}"))?;
        }
        let (restart, before) = (self.unit("simple", "Restart")?, self.unit("simple", "Before")?);
        expect(restart == "no" && before.contains("systole.service"), || {
            format!("{restart}, before {before}")
        })?;
        // it takes two seconds, and a start that did not wait for it would be shorter
        let history = self.history("slow", "last_0")?;
        let took = history.split("exec-time=\"").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
        expect(took.is_some_and(|took: u64| took >= 2000), || format!("slow's start: {history}"))?;
        // a stop is over when the unit is stopped
        self.pcs("resource disable slowstop")?;
        self.settle()?;
        let state = self.unit("slowstop", "ActiveState")?;
        expect(state == "inactive", || format!("slowstop is {state} after its stop"))?;
        let left = self.unit("slowstop", "Before")?;
        expect(!left.contains("systole.service"), || format!("slowstop is still before {left}"))?;
        self.pcs("resource enable slowstop")
    }

    fn found_starting(&mut self) -> io::Result<()> {
        self.ok("systemctl start --no-block early")?;
        self.wait_for("early to be starting", || Ok(self.unit("early", "ActiveState")? == "activating"))?;
        self.pcs("resource create early systemd:early op monitor interval=1s")?;
        let probing = || Ok(self.history("early", "")?.contains("op-status=\"-1\""));
        self.wait_for("the probe", probing)?;
        fs::write(self.out.join("early"), "")?;
        self.settle()?;
        // only one that was found running is not started: there is no drop-in
        let before = self.unit("early", "Before")?;
        expect(!before.contains("systole.service"), || format!("early was started: before {before}"))?;
        self.no_failures()
    }

    fn recovered(&mut self) -> io::Result<()> {
        let killed = self.unit("simple", "MainPID")?;
        self.ok("systemctl kill --signal=KILL --kill-who=main simple")?;
        self.wait_for("a new process", || {
            let now = self.unit("simple", "MainPID")?;
            Ok(now != "0" && now != killed)
        })?;
        self.settle()?;
        let counts = self.ok("systole crm_mon -1 -f")?;
        expect(counts.contains("simple: migration-threshold=1000000 fail-count=1"), || counts.clone())?;
        self.pcs("resource cleanup simple")?;
        self.settle()
    }

    fn reload(&mut self) -> io::Result<()> {
        // three seconds, and a monitor each second
        self.ok("systemctl reload reloading")?;
        self.settle()?;
        self.no_failures()
    }

    fn failures(&mut self) -> io::Result<()> {
        for (name, options) in
            [("failing", ""), ("masked", ""), ("missing", "--force"), ("stuck", "op start timeout=1s")]
        {
            self.pcs(&format!("resource create {name} systemd:{name} {options}"))?;
        }
        self.settle()?;
        for (name, operation, code, status, reason) in [
            ("failing", "start", "1", "4", "'failed'"),
            ("masked", "start", "5", "7", "masked"),
            ("missing", "monitor", "5", "7", "systemd unit missing not found"),
            ("stuck", "start", "1", "2", "systemd unit stuck is activating"),
        ] {
            // what failed may have been stopped since; its failed operation stays beside that
            let text = self.history(name, "last_failure_0")?;
            let wanted = [
                format!("operation=\"{operation}\""),
                format!("rc-code=\"{code}\""),
                format!("op-status=\"{status}\""),
            ];
            let fits = wanted.iter().all(|part| text.contains(part.as_str())) && text.contains(reason);
            expect(fits, || format!("{name}: {text}"))?;
            self.pcs(&format!("resource delete {name}"))?;
        }
        self.settle()?;
        let state = self.unit("stuck", "ActiveState")?;
        expect(state != "activating", || format!("stuck is still {state}"))
    }

    fn gone(&mut self) -> io::Result<()> {
        self.pcs("resource create gone systemd:gone op monitor interval=1s")?;
        self.settle()?;
        fs::remove_file(self.units.join("gone.service"))?;
        self.ok("systemctl daemon-reload")?;
        let state = self.unit("gone", "ActiveState")?;
        expect(state == "active", || format!("gone is {state}"))?;
        self.settle()?;
        self.no_failures()?;
        self.pcs("resource disable gone")?;
        self.settle()?;
        let state = self.unit("gone", "ActiveState")?;
        expect(state == "inactive", || format!("gone is {state}"))?;
        self.no_failures()?;
        self.pcs("resource delete gone")
    }

    fn other_classes(&mut self) -> io::Result<()> {
        self.pcs("resource create oldie service:oldie op monitor interval=1s")?;
        self.pcs("resource create served service:served")?;
        self.settle()?;
        self.no_failures()?;
        let state = self.unit("served", "ActiveState")?;
        expect(state == "active", || format!("served is {state}"))?;
        self.ok("rm /run/oldie")?;
        self.wait_for("the script's service again", || Ok(self.ok("ls /run")?.contains("oldie")))?;
        self.settle()?;
        for name in ["oldie", "served"] {
            self.pcs(&format!("resource delete {name}"))?;
        }
        self.settle()?;
        expect(!self.ok("ls /run")?.contains("oldie"), || "the script's service runs on".to_owned())
    }

    fn bus_lost(&mut self) -> io::Result<()> {
        let before = self.unit("simple", "MainPID")?;
        // so that nothing is done about it
        self.pcs("resource defaults update is-managed=false")?;
        self.settle()?;
        self.ok("systemctl stop dbus.socket dbus.service")?;
        self.wait_for("the failure", || Ok(self.history("simple", "")?.contains("No DBus connection")))?;
        self.ok("systemctl start dbus.socket dbus.service")?;
        self.wait_for("the monitor again", || self.monitor_gave("simple", 0))?;
        self.pcs("resource cleanup")?;
        self.settle()?;
        self.pcs("resource defaults update is-managed=true")?;
        self.settle()?;
        self.no_failures()?;
        let after = self.unit("simple", "MainPID")?;
        expect(before == after, || format!("simple was process {before} and is {after}"))
    }

    fn manager_killed(&mut self) -> io::Result<()> {
        let (manager, before) = (self.unit("systole", "MainPID")?, self.unit("simple", "MainPID")?);
        self.ok("systemctl kill --signal=KILL --kill-who=main systole")?;
        self.wait_for("the manager again", || {
            let now = self.unit("systole", "MainPID")?;
            Ok(now != "0" && now != manager && self.ok("systole crm_mon -1")?.contains("Online: [ node1 ]"))
        })?;
        self.settle()?;
        self.no_failures()?;
        let after = self.unit("simple", "MainPID")?;
        expect(before == after, || format!("simple was process {before} and is {after}"))
    }

    fn power_off(&mut self) -> io::Result<()> {
        fs::write(self.out.join("stopped"), "")?;
        self.ok("systemctl poweroff --no-block")?;
        self.container.wait_until_off()?;
        let stopped = fs::read_to_string(self.out.join("stopped"))?;
        // the manager still was there when they were stopped, so it was the manager who stopped them
        let fits = stopped.contains("manager deactivating") && stopped.contains("slowstop");
        expect(fits, || format!("what stopped wrote: {stopped}"))
    }

    /// What helps to understand a failure.
    fn show_state(&self) {
        for line in
            ["systole crm_mon -1 -r -f", "systemctl list-units --failed", "journalctl -n 30 --no-pager"]
        {
            match self.ok(line) {
                Ok(text) => println!("--- {line}\n{text}"),
                Err(error) => println!("--- {error}"),
            }
        }
        let log = fs::read_to_string(self.out.join("systole.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        println!("--- the manager's log\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
    }
}

fn expect(is: bool, else_say: impl FnOnce() -> String) -> io::Result<()> {
    if is { Ok(()) } else { Err(io::Error::other(else_say())) }
}
