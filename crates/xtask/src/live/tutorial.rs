//! The classic two-service example (a floating address and a web server) on three hosts, with the real
//! `ocf:heartbeat:IPaddr2` and `ocf:heartbeat:apache`, and a client that polls every 20 ms.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::client::{Log, now, prepare_website};
use super::fence_agent;
use super::hosts::{Hosts, make_executable};
use crate::report::Report;

const ADDRESS: &str = "10.77.0.100";
/// Everything is awaited for at most this long; no step is judged by its speed.
const PATIENCE: Duration = Duration::from_secs(90);

/// Fences a host by really cutting its power, through a file that the test watches.
const FENCE_CASES: &str = r#"  off|reboot)
    : > "@SWITCH@/$node.off"
    n=0
    while [ ! -e "@SWITCH@/$node.done" ]; do n=$((n+1)); [ $n -gt 600 ] && exit 1; sleep 0.05; done
    rm -f "@SWITCH@/$node.done" ;;
  on|monitor|status) exit 0 ;;
  list) printf 'node1\nnode2\nnode3\n' ;;
"#;

pub fn run(binary: &Path, report: &mut Report) {
    match Tutorial::new(binary).and_then(|mut tutorial| tutorial.play(report)) {
        Ok(()) => {}
        Err(error) => report.fail(format!("live tutorial: {error}"), 1),
    }
}

struct Tutorial {
    hosts: Hosts,
    binary: PathBuf,
    bus: PathBuf,
    switch: PathBuf,
    log: Log,
}

type Step = fn(&mut Tutorial) -> io::Result<()>;

impl Tutorial {
    fn new(binary: &Path) -> io::Result<Tutorial> {
        let hosts = Hosts::boot(3)?;
        // the hosts' /tmp is their own, so what they share lives elsewhere
        let shared = PathBuf::from(format!("/var/tmp/systole-live-{}", std::process::id()));
        let bus = shared.join("bus");
        let switch = shared.join("switch");
        fs::create_dir_all(&switch)?;
        let made = std::process::Command::new(binary)
            .args(["bus", "create"])
            .arg(&bus)
            .args(["live", "node1", "node2", "node3"])
            .status()?;
        if !made.success() {
            return Err(io::Error::other("the bus cannot be made"));
        }
        let agent = PathBuf::from("/usr/sbin/fence_testlab");
        let cases = FENCE_CASES.replace("@SWITCH@", &switch.to_string_lossy());
        fs::write(&agent, fence_agent::script("fence_testlab", &cases))?;
        make_executable(&agent)?;
        let log = Log::new(&shared.join("client.log"));
        Ok(Tutorial { hosts, binary: binary.to_path_buf(), bus, switch, log })
    }

    fn play(&mut self, report: &mut Report) -> io::Result<()> {
        for name in self.hosts.names() {
            prepare_website(&self.hosts.disk(&name), &name)?;
            self.start_daemon(&name)?;
        }
        self.start_client()?;
        let steps: [(&str, Step); 7] = [
            ("the cluster comes up and serves the website", Tutorial::comes_up),
            ("apache killed: recovered where it was", Tutorial::apache_killed),
            ("a node's daemon killed: nothing disturbed", Tutorial::daemon_killed),
            ("the serving host loses power: served elsewhere after the fence", Tutorial::host_lost),
            ("the host comes back", Tutorial::host_back),
            ("standby of the serving node: served elsewhere", Tutorial::standby),
            ("move to a named node, without residue", Tutorial::moved),
        ];
        for (what, step) in steps {
            let begun = now();
            match step(self).and_then(|()| self.wait_settled()) {
                Ok(()) => {
                    let outage = self.log.outage_since(begun);
                    println!("  ok: {what} (longest outage {outage:.2} s)");
                    report.pass(1);
                }
                Err(error) => {
                    println!("  FAILED: {what}: {error}");
                    self.show_state();
                    report.fail(format!("live: {what}: {error}"), 1);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn start_daemon(&self, name: &str) -> io::Result<()> {
        let console = fs::File::create(self.bus.with_file_name(format!("{name}.log")))?;
        let errors = console.try_clone()?;
        self.hosts
            .command(name, &self.binary.to_string_lossy())?
            .args(["daemon", "--node", name, "--state-dir", "/var/lib/systole", "--bus"])
            .arg(&self.bus)
            .stdout(Stdio::from(console))
            .stderr(Stdio::from(errors))
            .spawn()
            .map(drop)
    }

    fn start_client(&mut self) -> io::Result<()> {
        let own = std::env::current_exe()?;
        let path = self.bus.with_file_name("client.log");
        let child =
            self.hosts.client_command(&own).args(["poll", &format!("{ADDRESS}:80")]).arg(&path).spawn()?;
        self.hosts.keep(child);
        Ok(())
    }

    fn systole(&self, name: &str, words: &[&str]) -> io::Result<Output> {
        self.hosts
            .command(name, &self.binary.to_string_lossy())?
            .args(words)
            .env("SYSTOLE_SOCKET", "/var/lib/systole/api.sock")
            .output()
    }

    fn pcs(&self, name: &str, line: &str) -> io::Result<()> {
        let mut words = vec!["pcs"];
        words.extend(line.split_whitespace());
        let output = self.systole(name, &words)?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("pcs {line}: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }

    /// Waits for something, powering off on demand of the fence agent meanwhile.
    fn wait_for(&mut self, what: &str, condition: impl Fn(&Tutorial) -> bool) -> io::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            self.serve_switch()?;
            if condition(self) {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        Err(io::Error::other(format!("waited in vain for {what}")))
    }

    fn serve_switch(&mut self) -> io::Result<()> {
        for name in self.hosts.names() {
            let request = self.switch.join(format!("{name}.off"));
            if request.exists() {
                self.hosts.power_off(&name)?;
                fs::remove_file(&request)?;
                fs::write(self.switch.join(format!("{name}.done")), "")?;
            }
        }
        Ok(())
    }

    /// The host that answered last, if it answered lately.
    fn serving(&self) -> Option<String> {
        let page = self.log.served_after(now() - 0.3)?;
        page.strip_prefix("Hello from ").map(str::to_owned)
    }

    fn wait_served_by(&mut self, wanted: impl Fn(&str) -> bool + Copy) -> io::Result<String> {
        self.wait_for("the website", move |tutorial| tutorial.serving().is_some_and(|host| wanted(&host)))?;
        self.serving().ok_or_else(|| io::Error::other("the website went away"))
    }

    fn comes_up(&mut self) -> io::Result<()> {
        self.wait_for("three nodes online", |tutorial| {
            tutorial.systole("node1", &["crm_mon", "-1"]).is_ok_and(|output| {
                String::from_utf8_lossy(&output.stdout).contains("Online: [ node1 node2 node3 ]")
            })
        })?;
        for line in [
            "stonith create Power fence_testlab pcmk_host_list=node1,node2,node3",
            "resource create VIP ocf:heartbeat:IPaddr2 ip=10.77.0.100 cidr_netmask=24 op monitor interval=30s",
            "resource create WEB apache configfile=/etc/apache2/apache2.conf statusurl=http://127.0.0.1/server-status op monitor interval=1s",
            "resource group add WebGroup VIP WEB",
            "constraint location WebGroup prefers node1=60 node2=45",
            "resource defaults update resource-stickiness=100",
        ] {
            self.pcs("node1", line)?;
        }
        self.wait_served_by(|_| true)?;
        self.wait_settled()
    }

    /// Until the cluster has nothing left to do. A website that answers is not enough: its start is over only
    /// when the agent says so, and apache killed during it makes apache's agent wait for the whole timeout.
    fn wait_settled(&self) -> io::Result<()> {
        let hosts = self.hosts.names();
        let asked = hosts.iter().find(|name| self.hosts.is_on(name));
        let asked = asked.ok_or_else(|| io::Error::other("no host is on"))?;
        let output = self.systole(asked, &["crm_resource", "--wait", "--timeout=90s"])?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(io::Error::other(format!("the cluster does not settle: {}", said.trim())))
    }

    /// The first process of apache on a host: another one after a restart.
    fn apache_process(&self, name: &str) -> io::Result<String> {
        let output = self.hosts.command(name, "pgrep")?.args(["-o", "apache2"]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A host that is on and does not serve.
    fn bystander(&self, serving: &str) -> io::Result<String> {
        let mut names = self.hosts.names().into_iter();
        names
            .rfind(|name| name != serving && self.hosts.is_on(name))
            .ok_or_else(|| io::Error::other("no other host is on"))
    }

    fn apache_killed(&mut self) -> io::Result<()> {
        let serving = self.wait_served_by(|_| true)?;
        let before = now();
        self.hosts.command(&serving, "pkill")?.args(["-9", "apache2"]).status()?;
        let gone = |tutorial: &Tutorial| {
            let samples = tutorial.log.samples();
            samples
                .iter()
                .find(|sample| sample.time > before && sample.page.is_none())
                .map(|sample| sample.time)
        };
        self.wait_for("an outage", |tutorial| gone(tutorial).is_some())?;
        let gone_at = gone(self).unwrap_or(before);
        let page = format!("Hello from {serving}");
        self.wait_for("the website to be back where it was", |tutorial| {
            tutorial.log.served_after(gone_at).is_some_and(|served| served == page)
        })
    }

    fn daemon_killed(&mut self) -> io::Result<()> {
        let serving = self.wait_served_by(|_| true)?;
        let victim = self.bystander(&serving)?;
        let apache = self.apache_process(&serving)?;
        self.hosts.command(&victim, "pkill")?.args(["-9", "-x", "systole"]).status()?;
        // its node is fenced, as nobody can know what it still does; it is powered on again here
        let lost = victim.clone();
        self.wait_for("the fence", move |tutorial| !tutorial.hosts.is_on(&lost))?;
        self.hosts.power_on(&victim)?;
        self.start_daemon(&victim)?;
        self.wait_online(3)?;
        let now = self.apache_process(&serving)?;
        if now == apache && !now.is_empty() {
            return Ok(());
        }
        Err(io::Error::other(format!("apache of {serving} was disturbed: process {apache}, now {now:?}")))
    }

    fn wait_online(&mut self, count: usize) -> io::Result<()> {
        self.wait_for("all nodes online", move |tutorial| {
            let names = tutorial.hosts.names();
            let Some(asked) = names.iter().find(|name| tutorial.hosts.is_on(name)) else { return false };
            tutorial.systole(asked, &["crm_mon", "-1"]).is_ok_and(|output| {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                text.lines().find(|line| line.contains("* Online:")).is_some_and(|line| {
                    line.split_whitespace().filter(|word| word.starts_with("node")).count() == count
                })
            })
        })
    }

    fn host_lost(&mut self) -> io::Result<()> {
        let serving = self.wait_served_by(|_| true)?;
        self.hosts.power_off(&serving)?;
        self.wait_served_by(|host| host != serving).map(drop)
    }

    fn host_back(&mut self) -> io::Result<()> {
        let serving = self.wait_served_by(|_| true)?;
        for name in self.hosts.names() {
            if !self.hosts.is_on(&name) {
                self.hosts.power_on(&name)?;
                self.start_daemon(&name)?;
            }
        }
        self.wait_online(3)?;
        // stickiness outweighs the preference: nothing moves back
        self.wait_served_by(|host| host == serving).map(drop)
    }

    fn standby(&mut self) -> io::Result<()> {
        let serving = self.wait_served_by(|_| true)?;
        self.pcs(&serving, &format!("node standby {serving}"))?;
        self.wait_served_by(|host| host != serving)?;
        self.pcs(&serving, &format!("node unstandby {serving}"))
    }

    fn moved(&mut self) -> io::Result<()> {
        let serving = self.wait_served_by(|_| true)?;
        let target = self.bystander(&serving)?;
        // far ahead of the preferences, so that it may stay
        self.pcs(&serving, "resource defaults update resource-stickiness=1000")?;
        self.pcs(&serving, &format!("resource move WebGroup {target}"))?;
        self.wait_served_by(|host| host == target)?;
        let output = self.systole(&serving, &["cibadmin", "-Q", "-o", "constraints"])?;
        if String::from_utf8_lossy(&output.stdout).contains("cli-prefer") {
            return Err(io::Error::other("the move left a constraint behind"));
        }
        Ok(())
    }

    /// What helps to understand a failure.
    fn show_state(&self) {
        for name in self.hosts.names() {
            if !self.hosts.is_on(&name) {
                println!("--- {name} is off");
                continue;
            }
            if let Ok(output) = self.systole(&name, &["crm_mon", "-1", "-r", "-f"]) {
                println!(
                    "--- crm_mon on {name}\n{}{}",
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            let log = fs::read_to_string(self.bus.with_file_name(format!("{name}.log"))).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(25).collect();
            println!("--- log of {name}\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

impl Drop for Tutorial {
    fn drop(&mut self) {
        let _ = fs::remove_file("/usr/sbin/fence_testlab");
        if let Some(shared) = self.bus.parent() {
            let _ = fs::remove_dir_all(shared);
        }
    }
}
