//! Hosts made on this machine: namespaces for network, mounts, processes and names, one cgroup each.
//!
//! Host `nodeK` is 10.77.0.K on a bridge that lives in a namespace of its own, so nothing leaves the
//! machine. A host's disk outlives a power loss; its `/run`, `/tmp` and processes do not. Needs root.

// with their paths, since tests of the engines take in this file from another place
#[path = "hosts/links.rs"]
mod links;
#[path = "hosts/relay.rs"]
pub mod relay;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Directories that each host has for itself; they start as copies of the machine's.
const OWN_DIRECTORIES: [&str; 15] = [
    "/etc/apache2",
    "/var/log/apache2",
    "/var/www",
    "/etc/corosync",
    "/var/lib/corosync",
    "/var/log/corosync",
    "/etc/pacemaker",
    "/var/lib/pacemaker",
    "/var/log/pacemaker",
    "/var/lib/systole",
    "/var/lib/resource-agents",
    "/etc/redis",
    "/var/lib/redis",
    "/var/log/redis",
    "/var/lib/lab",
];

/// Sets of hosts that this process has made.
static SETS: AtomicUsize = AtomicUsize::new(0);

/// Hosts that know each other by name.
const MOST_HOSTS: usize = 9;

/// What the first process of a host does: own memory file systems, own disks, then it reaps orphans.
const INIT: &str = r#"
hostname "$HOST"
for dir in /run /tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs $dir || exit 1; done
chmod 755 /run
mkdir -p /run/lock /run/apache2 /run/resource-agents /run/systole /run/redis
chown redis: /run/redis 2>/dev/null || true
mount --bind "$DISK/hosts" /etc/hosts || exit 1
for dir in $OWN; do mount --bind "$DISK$dir" "$dir" || exit 1; done
ip link set lo up
touch "$READY"
trap : CHLD
while :; do sleep 86400 & wait $!; done
"#;

/// A set of hosts on one bridge. Ends everything when dropped.
pub struct Hosts {
    folder: PathBuf,
    prefix: String,
    cgroups: PathBuf,
    hosts: Vec<Host>,
    clients: Vec<Child>,
}

struct Host {
    name: String,
    number: usize,
    launcher: Option<Child>,
    init: Option<u32>,
    /// What hands frames on while the cable is bad.
    relay: Option<Child>,
}

impl Hosts {
    /// Boots `count` hosts, named node1, node2, …
    pub fn boot(count: usize) -> io::Result<Hosts> {
        // several sets may be alive at once
        let set = format!("{}x{}", std::process::id(), SETS.fetch_add(1, Ordering::Relaxed));
        let prefix = format!("sys{set}");
        // the hosts hide /tmp, so their disks live elsewhere
        let folder = PathBuf::from(format!("/var/tmp/systole-lab-{set}"));
        let cgroups = folder.join("cgroup");
        fs::create_dir_all(&cgroups)?;
        run("mount", &["-t", "cgroup2", "none", &text(&cgroups)])?;
        let mut hosts = Hosts { folder, prefix, cgroups, hosts: Vec::new(), clients: Vec::new() };
        let lan = hosts.lan();
        run("ip", &["netns", "add", &lan])?;
        hosts.in_lan(&["ip", "link", "set", "lo", "up"])?;
        hosts.in_lan(&["ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0"])?;
        hosts.in_lan(&["ip", "addr", "add", "10.77.0.254/24", "dev", "br0"])?;
        hosts.in_lan(&["ip", "link", "set", "br0", "up"])?;
        for number in 1..=count {
            hosts.hosts.push(Host {
                name: format!("node{number}"),
                number,
                launcher: None,
                init: None,
                relay: None,
            });
            hosts.power_on(&format!("node{number}"))?;
        }
        Ok(hosts)
    }

    pub fn names(&self) -> Vec<String> {
        self.hosts.iter().map(|host| host.name.clone()).collect()
    }

    /// Where everything of these hosts is kept; outside them.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The hosts by their names, for `/etc/hosts`.
    fn addresses(&self) -> String {
        let one = |number: usize| format!("10.77.0.{number} node{number}\n");
        format!("127.0.0.1 localhost\n{}", (1..=MOST_HOSTS).map(one).collect::<String>())
    }

    fn lan(&self) -> String {
        format!("{}-lan", self.prefix)
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    fn cgroup(&self, host: &str) -> PathBuf {
        self.cgroups.join(self.namespace(host))
    }

    /// Path of a host's cgroup without `-HOST`, the same inside every host.
    pub fn cgroup_prefix(&self) -> String {
        text(&self.cgroups.join(&self.prefix))
    }

    fn index(&self, name: &str) -> io::Result<usize> {
        self.hosts
            .iter()
            .position(|host| host.name == name)
            .ok_or_else(|| io::Error::other(format!("there is no host {name}")))
    }

    /// Where a host's own copy of a directory is kept.
    pub fn disk(&self, host: &str) -> PathBuf {
        self.folder.join(host).join("disk")
    }

    /// Powers a host on and waits until it is up.
    pub fn power_on(&mut self, name: &str) -> io::Result<()> {
        let index = self.index(name)?;
        let disk = self.disk(name);
        for own in OWN_DIRECTORIES {
            fs::create_dir_all(own)?;
            let copy = disk.join(own.trim_start_matches('/'));
            if !copy.exists() {
                if let Some(parent) = copy.parent() {
                    fs::create_dir_all(parent)?;
                }
                run("cp", &["-a", own, &text(&copy)])?;
            }
        }
        fs::write(disk.join("hosts"), self.addresses())?;
        let cgroup = self.cgroup(name);
        fs::create_dir_all(&cgroup)?;
        let ready = self.folder.join(name).join("ready");
        let _ = fs::remove_file(&ready);
        let namespace = self.namespace(name);
        run("ip", &["netns", "add", &namespace])?;
        let port = format!("p{}", self.hosts[index].number);
        let _ = self.in_lan(&["ip", "link", "del", &port]);
        self.in_lan(&[
            "ip", "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &namespace,
        ])?;
        self.in_lan(&["ip", "link", "set", &port, "master", &self.bridge(name)?, "up"])?;
        let address = format!("10.77.0.{}/24", self.hosts[index].number);
        run("ip", &["-n", &namespace, "addr", "add", &address, "dev", "eth0"])?;
        run("ip", &["-n", &namespace, "link", "set", "eth0", "up"])?;
        let script = format!(
            "echo $$ > {}/cgroup.procs; exec nsenter --net=/run/netns/{namespace} unshare --mount --uts --ipc --pid --fork --mount-proc --propagation private sh -c '{}'",
            text(&cgroup),
            INIT.replace('\'', "'\\''"),
        );
        let mut launcher = Command::new("sh")
            .args(["-c", &script])
            .env("HOST", name)
            .env("DISK", &disk)
            .env("OWN", OWN_DIRECTORIES.join(" "))
            .env("READY", &ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let begun = Instant::now();
        while !ready.exists() {
            if begun.elapsed() > Duration::from_secs(20) || launcher.try_wait()?.is_some() {
                return Err(io::Error::other(format!("{name} did not boot")));
            }
            sleep(Duration::from_millis(5));
        }
        let launcher_pid = launcher.id();
        let init = children_of(launcher_pid).first().copied();
        self.hosts[index].launcher = Some(launcher);
        self.hosts[index].init = init;
        init.map(|_| ()).ok_or_else(|| io::Error::other(format!("{name} has no first process")))
    }

    /// Power loss: the link goes first, so that no goodbye gets out; then everything in the host is killed.
    pub fn power_off(&mut self, name: &str) -> io::Result<()> {
        let index = self.index(name)?;
        let _ = self.in_lan(&["ip", "link", "set", &format!("p{}", self.hosts[index].number), "down"]);
        let cgroup = self.cgroup(name);
        if cgroup.exists() {
            fs::write(cgroup.join("cgroup.kill"), "1")?;
        }
        if let Some(mut launcher) = self.hosts[index].launcher.take() {
            let _ = launcher.wait();
        }
        self.hosts[index].init = None;
        let begun = Instant::now();
        while populated(&cgroup) && begun.elapsed() < Duration::from_secs(5) {
            sleep(Duration::from_millis(2));
        }
        let _ = run("ip", &["netns", "del", &self.namespace(name)]);
        Ok(())
    }

    /// A path inside a host, as seen from outside; only while the host is on.
    pub fn inside(&self, name: &str, path: &str) -> io::Result<PathBuf> {
        let index = self.index(name)?;
        let init = self.hosts[index].init.ok_or_else(|| io::Error::other(format!("{name} is off")))?;
        Ok(PathBuf::from(format!("/proc/{init}/root{path}")))
    }

    /// Processes of a host with their names.
    pub fn processes(&self, name: &str) -> Vec<(u32, String)> {
        let list = fs::read_to_string(self.cgroup(name).join("cgroup.procs")).unwrap_or_default();
        let named = |pid: &str| {
            let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            Some((pid.parse().ok()?, command.trim().to_owned()))
        };
        list.lines().filter_map(named).collect()
    }

    /// Sends a signal to all processes of a host that are called so; gives how many there were.
    pub fn signal(&self, name: &str, process: &str, signal: &str) -> io::Result<usize> {
        let targets: Vec<String> = (self.processes(name).into_iter())
            .filter(|(_, command)| command == process)
            .map(|(pid, _)| pid.to_string())
            .collect();
        if !targets.is_empty() {
            let mut words = vec![signal];
            words.extend(targets.iter().map(String::as_str));
            run("kill", &words)?;
        }
        Ok(targets.len())
    }

    /// CPU seconds that everything in a host has used since it was first booted.
    pub fn cpu_seconds(&self, name: &str) -> f64 {
        let text = fs::read_to_string(self.cgroup(name).join("cpu.stat")).unwrap_or_default();
        let used = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse::<f64>().ok());
        used.unwrap_or(0.0) / 1e6
    }

    /// Whether a host is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.index(name).is_ok_and(|index| self.hosts[index].init.is_some())
    }

    /// A command that will run inside a host, in its cgroup.
    pub fn command(&self, name: &str, program: &str) -> io::Result<Command> {
        self.command_after(name, program, "")
    }

    /// One that says when it is in the host's cgroup, which may take longer than the command, and goes on when it
    /// gets a line.
    pub fn waiting_command(&self, name: &str, program: &str) -> io::Result<Command> {
        let mut command = self.command_after(name, program, "echo; read -r _;")?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    fn command_after(&self, name: &str, program: &str, first: &str) -> io::Result<Command> {
        let index = self.index(name)?;
        let init = self.hosts[index].init.ok_or_else(|| io::Error::other(format!("{name} is off")))?;
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!(
                "echo $$ > {}/cgroup.procs; {first} exec nsenter -t {init} -n -m -u -i -p --wd=/ \"$@\"",
                text(&self.cgroup(name))
            ))
            .arg("sh")
            .arg(program)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// A command in the client's namespace, outside every host.
    pub fn client_command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.lan()]).arg(program).stdin(Stdio::null());
        command
    }

    /// Remembers a process of the client's namespace, to be ended with the hosts.
    pub fn keep(&mut self, client: Child) {
        self.clients.push(client);
    }

    fn in_lan(&self, words: &[&str]) -> io::Result<()> {
        let lan = self.lan();
        let mut arguments = vec!["netns", "exec", lan.as_str()];
        arguments.extend(words);
        run("ip", &arguments)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for client in &mut self.clients {
            let _ = client.kill();
            let _ = client.wait();
        }
        for name in self.names() {
            let _ = self.mend(&name);
            let _ = self.power_off(&name);
            let _ = fs::remove_dir(self.cgroup(&name));
        }
        let _ = run("ip", &["netns", "del", &self.lan()]);
        let _ = run("umount", &[&text(&self.cgroups)]);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn populated(cgroup: &Path) -> bool {
    fs::read_to_string(cgroup.join("cgroup.events")).is_ok_and(|events| events.contains("populated 1"))
}

fn children_of(pid: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Lets everybody run a file.
pub fn make_executable(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Runs a command to its end; its words are part of the error.
pub fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} {}: {}", arguments.join(" "), said.trim())))
}
