//! A cluster on hosts made on this machine: Corosync with Systole, or with the reference stack.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::agents::Agents;
use super::watcher::{Roots, Watcher};
use super::witness;
use crate::live::corosync::{self, Settings};
use crate::live::hosts::Hosts;

/// Everything is awaited for at most this long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Lines that are shown of each console after a failure.
const LAST_WORDS: usize = 20;

/// Which cluster manager runs on top of Corosync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stack {
    Systole,
    Reference,
}

impl Stack {
    pub fn name(self) -> &'static str {
        match self {
            Stack::Systole => "systole",
            Stack::Reference => "reference",
        }
    }
}

/// A running cluster.
pub struct Cluster {
    pub hosts: Hosts,
    pub stack: Stack,
    binary: PathBuf,
    /// Corosync is configured for a quorum device.
    device: bool,
    pub agents: Agents,
    /// Which of several runs this is; the same for both stacks.
    pub run: usize,
    roots: Roots,
    watcher: Watcher,
}

impl Cluster {
    /// Boots hosts and starts everything on them; returns when all nodes are online and at rest.
    pub fn start(stack: Stack, binary: &Path, count: usize, quorum: &[&str]) -> io::Result<Cluster> {
        let mut hosts = Hosts::boot(count)?;
        let device = quorum.iter().any(|line| line.starts_with("device"));
        let quorum = quorum.iter().map(|line| (*line).to_owned()).collect();
        corosync::configure(&hosts, &Settings { token: Some(1000), quorum })?;
        if device {
            witness::start(&mut hosts)?;
        }
        let roots = Roots::default();
        let agents = Agents::install(&hosts)?;
        let watcher = Watcher::start(roots.clone());
        let binary = binary.to_path_buf();
        let mut cluster = Cluster { hosts, stack, binary, device, agents, run: 0, roots, watcher };
        for name in cluster.names() {
            forget(&cluster.hosts.disk(&name).join("var/lib/pacemaker/cib"))?;
            cluster.note_root(&name)?;
            cluster.start_node(&name)?;
        }
        cluster.wait_online(count)?;
        cluster.property("stonith-enabled", "false")?;
        // the reference slows itself down by the machine's load, which has other causes here
        cluster.property("load-threshold", "2000%")?;
        cluster.settle()?;
        Ok(cluster)
    }

    pub fn names(&self) -> Vec<String> {
        self.hosts.names()
    }

    /// Starts Corosync and the cluster manager on a host that is on.
    pub fn start_node(&mut self, name: &str) -> io::Result<()> {
        corosync::start(&mut self.hosts, name)?;
        if self.device {
            witness::start_device(&mut self.hosts, name)?;
        }
        self.start_manager(name)
    }

    pub fn start_manager(&mut self, name: &str) -> io::Result<()> {
        let console = fs::File::create(self.console(name))?;
        let errors = console.try_clone()?;
        let mut command = match self.stack {
            Stack::Systole => {
                let mut command = self.hosts.command(name, &self.binary.to_string_lossy())?;
                command.arg("daemon");
                command
            }
            Stack::Reference => {
                let mut command = self.hosts.command(name, "sh")?;
                command.args([
                    "-c",
                    "n=0; until corosync-cfgtool -s >/dev/null 2>&1; do n=$((n+1)); [ $n -gt 500 ] && exit 1; \
                     sleep 0.02; done; PCMK_logfile=/var/log/pacemaker/pacemaker.log exec pacemakerd",
                ]);
                command
            }
        };
        let child = command.stdin(Stdio::null()).stdout(console).stderr(errors).spawn()?;
        self.hosts.keep(child);
        Ok(())
    }

    pub fn power_off(&mut self, name: &str) -> io::Result<()> {
        self.roots.remove(name);
        self.hosts.power_off(name)
    }

    /// Powers a host on (after a fence as well) and waits until its node is online and all is at rest.
    pub fn bring_back(&mut self, name: &str) -> io::Result<()> {
        self.bring_all_back(&[name])
    }

    /// The same for several at once: one of them alone might never have quorum.
    pub fn bring_all_back(&mut self, names: &[&str]) -> io::Result<()> {
        names.iter().try_for_each(|name| self.restart(name))?;
        self.wait_online(self.names().len())?;
        self.settle()
    }

    /// Powers a host off and on and starts everything on it.
    pub fn restart(&mut self, name: &str) -> io::Result<()> {
        self.hosts.power_off(name)?;
        self.hosts.power_on(name)?;
        self.note_root(name)?;
        self.start_node(name)
    }

    pub fn note_root(&self, name: &str) -> io::Result<()> {
        self.roots.set(name, self.hosts.inside(name, "/")?);
        Ok(())
    }

    /// Runs one of the classic tools on a host.
    pub fn tool(&self, host: &str, words: &[&str]) -> io::Result<Output> {
        let (program, arguments) = self.classic(words);
        self.hosts.command(host, &program)?.args(arguments).output()
    }

    /// Program and arguments of a classic tool.
    fn classic<'a>(&self, words: &'a [&'a str]) -> (String, &'a [&'a str]) {
        match self.stack {
            Stack::Systole => (self.binary.to_string_lossy().into_owned(), words),
            Stack::Reference => (words[0].to_owned(), &words[1..]),
        }
    }

    /// Runs one that has to succeed. Gives the moment when it was started: getting into the host is none of its time.
    pub fn timed(&self, host: &str, words: &[&str]) -> io::Result<Instant> {
        let (program, arguments) = self.classic(words);
        let mut child = self.hosts.waiting_command(host, &program)?.args(arguments).spawn()?;
        if let Some(output) = &mut child.stdout {
            output.read_exact(&mut [0])?;
        }
        let begun = Instant::now();
        if let Some(mut input) = child.stdin.take() {
            input.write_all(b"\n")?;
        }
        checked(host, words, &child.wait_with_output()?)?;
        Ok(begun)
    }

    /// Like [`Cluster::tool`], on any host that lives, and it must succeed.
    pub fn ask(&self, words: &[&str]) -> io::Result<String> {
        let host = self.living();
        checked(&host, words, &self.tool(&host, words)?)
    }

    /// The first host that is on and connected, as far as the lab knows.
    pub fn living(&self) -> String {
        let alive = |name: &String| !self.hosts.processes(name).is_empty() && self.roots.contains(name);
        self.names().into_iter().find(alive).unwrap_or_else(|| "node1".to_owned())
    }

    pub fn property(&self, name: &str, value: &str) -> io::Result<()> {
        self.ask(&["crm_attribute", "-n", name, "-v", value]).map(drop)
    }

    /// Whether a host knows this value of a property.
    pub fn has_property(&self, host: &str, name: &str, value: &str) -> io::Result<bool> {
        let told = self.tool(host, &["crm_attribute", "-n", name, "-G", "-q"])?;
        Ok(String::from_utf8_lossy(&told.stdout).contains(value))
    }

    pub fn replace(&self, section: &str, content: &str) -> io::Result<()> {
        self.timed_replace(section, content).map(drop)
    }

    /// The same; gives the moment when the command was started.
    pub fn timed_replace(&self, section: &str, content: &str) -> io::Result<Instant> {
        const FILE: &str = "var/lib/lab/change.xml";
        let host = self.living();
        // a command line has room for a few hundred resources only
        fs::write(self.hosts.disk(&host).join(FILE), format!("<{section}>{content}</{section}>"))?;
        self.timed(&host, &["cibadmin", "--replace", "-o", section, "--xml-file", &format!("/{FILE}")])
    }

    /// Makes a resource prefer a node.
    pub fn prefer(&self, resource: &str, node: &str) -> io::Result<()> {
        let location = format!("<rsc_location id=\"pf\" rsc=\"{resource}\" node=\"{node}\" score=\"100\"/>");
        self.replace("constraints", &location)
    }

    /// The resource that fences, to go with others.
    pub fn fence_device(&self, delays: &str) -> String {
        let delay = [("pcmk_delay_base", delays)];
        self.fence_device_with("fence", if delays.is_empty() { &[] } else { &delay })
    }

    /// One with parameters of its own.
    pub fn fence_device_with(&self, id: &str, parameters: &[(&str, &str)]) -> String {
        let hosts = self.names().join(" ");
        let all = [("pcmk_host_list", &*hosts)].into_iter().chain(parameters.iter().copied());
        let pairs: String = all
            .map(|(name, value)| format!("<nvpair id=\"{id}-{name}\" name=\"{name}\" value=\"{value}\"/>"))
            .collect();
        format!(
            "<primitive id=\"{id}\" class=\"stonith\" type=\"{}\"><instance_attributes id=\"{id}-i\">{pairs}\
             </instance_attributes></primitive>",
            self.agents.fence()
        )
    }

    pub fn fencing(&self, on: bool) -> io::Result<()> {
        self.property("stonith-action", "off")?;
        self.property("stonith-enabled", if on { "true" } else { "false" })
    }

    pub fn dc(&self) -> io::Result<String> {
        let text = self.ask(&["crm_mon", "-1"])?;
        let dc = text.lines().find_map(|line| line.trim().strip_prefix("* Current DC: ")?.split(' ').next());
        match dc {
            Some(dc) if dc != "NONE" => Ok(dc.to_owned()),
            _ => Err(io::Error::other("there is no DC")),
        }
    }

    /// A node that is not the DC.
    pub fn bystander(&self) -> io::Result<String> {
        let dc = self.dc()?;
        let mut names = self.names().into_iter();
        names.rfind(|name| *name != dc).ok_or_else(|| io::Error::other("there is only the DC"))
    }

    pub fn wait_online(&self, count: usize) -> io::Result<()> {
        self.wait_online_on(&self.living(), count)
    }

    /// Until that many nodes are online as one of them sees it.
    pub fn wait_online_on(&self, host: &str, count: usize) -> io::Result<()> {
        wait("all nodes online", || self.online_on(host) == count).map(drop)
    }

    /// Until all nodes are online, or there is a reason not to wait any more.
    pub fn wait_online_unless(&self, reason: impl Fn() -> bool) -> io::Result<()> {
        let count = self.names().len();
        wait("all nodes online", || reason() || self.online() == count).map(drop)
    }

    /// How many nodes are online as the first that lives sees it.
    pub fn online(&self) -> usize {
        self.online_on(&self.living())
    }

    /// How many nodes are online as one of them sees it; none as long as there is no DC.
    fn online_on(&self, host: &str) -> usize {
        let output = self.tool(host, &["crm_mon", "-1"]).map(|output| output.stdout);
        let text = String::from_utf8_lossy(&output.unwrap_or_default()).into_owned();
        if text.contains("Current DC: NONE") {
            return 0;
        }
        let online = text.lines().find_map(|line| line.trim().strip_prefix("* Online: [ "));
        online.map_or(0, |line| line.trim_end_matches(" ]").split_whitespace().count())
    }

    /// Until the cluster has nothing left to do.
    pub fn settle(&self) -> io::Result<()> {
        self.ask(&["crm_resource", "--wait", "--timeout=120s"]).map(drop)
    }

    /// Hosts on which a Dummy runs.
    pub fn places(&self, resource: &str) -> Vec<String> {
        self.roots.places(&format!("Dummy-{resource}.state"))
    }

    /// The host that has a floating address, if exactly one has it.
    pub fn holder(&self, address: &str) -> Option<String> {
        let mut holders = self.roots.holders(address);
        if holders.len() == 1 { holders.pop() } else { None }
    }

    /// Dummies that run, by name, with how often.
    pub fn running(&self) -> BTreeMap<String, usize> {
        self.roots.running()
    }

    /// Until so many Dummies run. While many are missing it is looked for them less often: none starts or stops in less
    /// than a millisecond, and looking takes from the processors what is measured.
    pub fn wait_running(&self, count: usize) -> io::Result<Instant> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.running().len().abs_diff(count) {
                0 => return Ok(Instant::now()),
                missing => sleep(Duration::from_micros(500 * (missing as u64 + 1))),
            }
        }
        Err(io::Error::other(format!("waited in vain for {count} running")))
    }

    /// That a Dummy runs on this host and on no other.
    pub fn check_place(&self, resource: &str, host: &str) -> io::Result<()> {
        match &self.places(resource)[..] {
            [place] if place == host => Ok(()),
            places => Err(io::Error::other(format!("{resource} runs on {places:?}, not on {host}"))),
        }
    }

    pub fn wait_place(&self, resource: &str, wanted: impl Fn(&str) -> bool) -> io::Result<Instant> {
        wait(&format!("{resource} in its place"), || {
            let places = self.places(resource);
            places.len() == 1 && wanted(&places[0])
        })
    }

    /// What ran on two hosts at once since the last call.
    pub fn violations(&self) -> Vec<String> {
        self.watcher.take()
    }

    /// What helps to understand a failure.
    pub fn show_state(&self) {
        match self.ask(&["crm_mon", "-1", "-r", "-f"]) {
            Ok(text) => println!("{text}"),
            Err(error) => println!("{error}"),
        }
        for name in self.names() {
            println!("last words on the console of {name}:");
            let text = fs::read_to_string(self.console(&name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(LAST_WORDS)..].iter().for_each(|line| println!("  {line}"));
        }
    }

    /// Where a host's manager says what it has to say, outside the host.
    pub fn console(&self, host: &str) -> PathBuf {
        self.hosts.disk(host).join("var/log/pacemaker/console")
    }

    /// Ends all resources and takes everything out of the configuration.
    pub fn clear(&self) -> io::Result<()> {
        self.fencing(false)?;
        self.replace("constraints", "")?;
        self.replace("fencing-topology", "")?;
        self.replace("resources", "")?;
        wait("all resources ended", || self.running().is_empty())?;
        self.settle()
    }
}

/// One Dummy.
pub fn dummy(name: &str, interval: &str) -> String {
    format!(
        "<primitive id=\"{name}\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"><operations><op \
         id=\"{name}-m\" name=\"monitor\" interval=\"{interval}\"/></operations></primitive>"
    )
}

/// What a command said, if it succeeded.
fn checked(host: &str, words: &[&str], output: &Output) -> io::Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{} on {host}: {}", words.join(" "), said.trim())))
}

/// Waits for something; gives when it was seen.
pub fn wait(what: &str, condition: impl Fn() -> bool) -> io::Result<Instant> {
    wait_up_to(PATIENCE, what, condition)
}

/// Like [`wait`], with a limit of its own.
pub fn wait_up_to(limit: Duration, what: &str, condition: impl Fn() -> bool) -> io::Result<Instant> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if condition() {
            return Ok(Instant::now());
        }
        sleep(Duration::from_millis(3));
    }
    Err(io::Error::other(format!("waited in vain for {what}")))
}

fn forget(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
