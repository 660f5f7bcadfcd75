//! What agents of each class are given, and what their ends are taken for, as agents see it.

#![allow(clippy::unwrap_used)] // a test may

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use agents::{Agents, Control, FenceRun, Outcome, Run, SearchPath, Status};

struct Host {
    directory: tempfile::TempDir,
    agents: Agents,
}

impl Host {
    fn new() -> Host {
        let directory = tempfile::tempdir().unwrap();
        let own = |name: &str| directory.path().join(name);
        let search = SearchPath {
            ocf: vec![own("ocf")],
            fence: vec![own("sbin")],
            lsb: own("init.d"),
            nagios: own("plugins"),
            nagios_metadata: own("plugins-metadata"),
            secrets: own("secrets"),
            ..SearchPath::default()
        };
        Host { agents: Agents { search, ..Agents::default() }, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn script(&self, name: &str, text: &str) {
        self.file(name, &format!("#!/bin/sh\n{text}\n"), 0o755);
    }

    fn file(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn run(&self, agent: &str, action: &str, parameters: &[(&str, &str)]) -> Outcome {
        let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        self.execute(&Run {
            agent: agent.parse().unwrap(),
            action: action.into(),
            resource: "R:1".into(),
            parameters: parameters.iter().map(pair).collect(),
            timeout: Duration::from_secs(60),
            interval: Duration::ZERO,
            spare_group: false,
        })
    }

    fn execute(&self, run: &Run) -> Outcome {
        block_on(self.agents.run(run, Control::default()))
    }

    fn fence(&self, agent: &str, input: &[(&str, &str)]) -> Outcome {
        let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let run = FenceRun {
            agent: agent.into(),
            device: "R".into(),
            input: input.iter().map(pair).collect(),
            timeout: Duration::from_secs(60),
        };
        block_on(self.agents.fence(&run, Control::default()))
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The environment that an agent printed with `env`.
fn variables(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

#[test]
fn rule_4_2_1_every_agent_starts_in_the_same_surroundings() {
    let mut host = Host::new();
    let environment = [("NOTIFY_SOCKET", "/run/x"), ("LC_ALL", "de_DE"), ("PATH", "/usr/bin:/bin")];
    host.agents.environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    // opened without the flag that keeps it from children, like what a shell hands on
    let inherited = rustix::io::dup(std::io::stdin()).unwrap();
    agents::process::keep_descriptors();
    // the shell itself reads, since it blocks signals while it has others do so
    let report = "while read -r line; do echo \"$line\"; done </proc/$$/status | grep -E '^Sig(Ign|Blk)'; echo pgrp $(cut -d' ' -f5 /proc/$$/stat) $$\n\
                  echo stdin $(readlink /proc/$$/fd/0); (ls /proc/$$/fd | tr '\\n' ' '); echo; sleep 0.2; nice; env";
    host.script("ocf/x/it", report);
    host.script("init.d/it", report);
    host.script("sbin/fence_it", report);
    let outcomes = [
        host.run("ocf:x:it", "start", &[]),
        host.run("lsb:it", "start", &[]),
        host.fence("fence_it", &[("action", "off")]),
    ];
    for (number, outcome) in outcomes.iter().enumerate() {
        assert_eq!((outcome.status, outcome.exit_code), (Status::Done, 0), "{outcome:?}");
        let text = &outcome.stdout;
        let all = variables(text);
        assert_eq!((all.get("LC_ALL"), all.get("NOTIFY_SOCKET")), (Some(&"C"), None), "{text}");
        assert_eq!(all["PATH"], "/usr/bin:/bin");
        let masks = text.lines().filter(|line| line.starts_with("Sig"));
        let masks: Vec<u64> = masks
            .map(|line| u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap())
            .collect();
        // SIGPIPE is signal 13
        assert!(masks.len() == 2 && masks.iter().all(|mask| mask & (1 << 12) == 0), "{text}");
        let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).unwrap();
        let (group, pid) = line("pgrp ").split_once(' ').unwrap();
        assert_eq!(group, pid);
        assert_eq!(line("stdin ") == "/dev/null", number < 2, "{text}");
        // the shell itself has its script open as 10
        assert!(text.contains("\n0 1 2 \n") || text.contains("\n0 1 10 2 \n"), "{text}");
        assert!(text.contains("\n0\n"), "{text}");
    }
    drop(inherited);
}

#[test]
fn rule_4_2_1_a_daemon_that_was_made_nice_runs_ordinary_agents() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let host = Host::new();
    host.script("ocf/x/it", "sleep 0.2; nice");
    let priority = |level| rustix::process::setpriority_process(None, level).unwrap();
    // of this thread only, as each test has its own
    priority(5);
    let outcome = host.run("ocf:x:it", "start", &[]);
    priority(0);
    assert_eq!(outcome.stdout, "0\n");
}

#[test]
fn rule_4_2_2_the_command_line_is_the_path_and_the_action() {
    let host = Host::new();
    let report = "echo \"$0 $# $*\"";
    for name in ["ocf/x/it", "init.d/it", "sbin/fence_it"] {
        host.script(name, report);
    }
    let path = |name: &str| host.path(name).display().to_string();
    let expect = |outcome: Outcome, text: String| assert_eq!(outcome.stdout, text + "\n");
    expect(host.run("ocf:x:it", "promote", &[("a", "1")]), format!("{} 1 promote", path("ocf/x/it")));
    expect(host.run("lsb:it", "start", &[("a", "1")]), format!("{} 1 start", path("init.d/it")));
    expect(host.run("lsb:it", "monitor", &[]), format!("{} 1 status", path("init.d/it")));
    expect(host.fence("fence_it", &[("action", "off")]), format!("{} 0 ", path("sbin/fence_it")));
}

#[test]
fn rule_4_2_3_what_cannot_be_run_has_a_code_of_its_own() {
    let host = Host::new();
    fs::create_dir_all(host.path("ocf/x/directory")).unwrap();
    fs::create_dir_all(host.path("init.d/directory")).unwrap();
    host.file("ocf/x/text", "no program", 0o755);
    host.file("ocf/x/interpreter", "#!/no/such/thing\n", 0o755);
    host.file("ocf/x/forbidden", "#!/bin/sh\n", 0o644);
    host.file("init.d/forbidden", "#!/bin/sh\n", 0o644);
    host.script("ocf/x/killed", "kill -TERM $$");
    host.script("sbin/fence_killed", "kill -TERM $$");
    let not_installed = (Status::NotInstalled, 5);
    for (agent, action, expected) in [
        ("ocf:x:nothing", "start", not_installed),
        ("ocf:x:directory", "start", not_installed),
        ("ocf:x:text", "start", not_installed),
        ("ocf:x:interpreter", "start", not_installed),
        ("ocf:x:forbidden", "start", (Status::Error, 4)),
        ("lsb:nothing", "monitor", not_installed),
        ("lsb:directory", "monitor", not_installed),
        ("lsb:forbidden", "monitor", (Status::Error, 4)),
        ("ocf:x:killed", "start", (Status::Error, 1)),
    ] {
        let outcome = host.run(agent, action, &[]);
        assert_eq!((outcome.status, outcome.exit_code), expected, "{agent}: {outcome:?}");
    }
    let killed = host.run("ocf:x:killed", "start", &[]);
    assert_eq!(killed.exit_reason, "Resource agent interrupted by Terminated signal");
    let killed = host.fence("fence_killed", &[("action", "off")]);
    assert_eq!(killed.exit_reason, "Fence agent interrupted by Terminated signal");
}

#[test]
fn rule_4_2_5_a_time_limit_kills_at_once_and_spares_children_if_it_is_to_block() {
    let host = Host::new();
    let text = "trap 'echo warned' TERM; sleep 300 & echo $!; wait";
    host.script("ocf/x/it", text);
    for spare_group in [false, true] {
        let outcome = host.execute(&Run {
            agent: "ocf:x:it".parse().unwrap(),
            action: "stop".into(),
            resource: "R".into(),
            parameters: BTreeMap::new(),
            timeout: Duration::from_secs(1),
            interval: Duration::ZERO,
            spare_group,
        });
        assert_eq!((outcome.status, outcome.exit_code), (Status::TimedOut, 1));
        assert_eq!(outcome.exit_reason, "Resource agent did not complete within 1s");
        assert!(!outcome.stdout.contains("warned"), "{outcome:?}");
        let child: u32 = outcome.stdout.trim().parse().unwrap();
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        if spare_group {
            assert!(stat.contains("(sleep)"), "{stat}");
            agents::process::kill(child, false);
        } else {
            wait_for_end(child);
        }
    }
}

/// The kernel may take a moment to end what was killed.
fn wait_for_end(pid: u32) {
    let path = format!("/proc/{pid}/stat");
    while fs::read_to_string(&path).is_ok_and(|text| !text.contains(" Z ")) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn rules_4_3_2_and_4_3_4_variables_of_ocf_agents() {
    let host = Host::new();
    host.script("ocf/x/it", "tr '\\0' '\\n' </proc/$$/environ");
    let parameters = [
        ("ip", "10.0.0.1"),
        ("with-hyphen", "1"),
        ("CamelCase", ""),
        ("OCF_CHECK_LEVEL", "10"),
        ("crm_feature_set", "3.20.5"),
        ("CRM_meta_on-fail", "block"),
        ("CRM_meta_notify_stop_resource", " "),
        ("pcmk_external_ip", "10.0.0.2"),
    ];
    let outcome = host.run("ocf:x:it", "monitor", &parameters);
    let given = variables(&outcome.stdout);
    for (name, value) in [
        ("OCF_ROOT", "/usr/lib/ocf"),
        ("OCF_RA_VERSION_MAJOR", "1"),
        ("OCF_RA_VERSION_MINOR", "1"),
        ("OCF_RESOURCE_INSTANCE", "R:1"),
        ("OCF_RESOURCE_TYPE", "it"),
        ("OCF_RESOURCE_PROVIDER", "x"),
        ("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:"),
        ("OCF_RESKEY_ip", "10.0.0.1"),
        ("OCF_RESKEY_with-hyphen", "1"),
        ("OCF_RESKEY_CamelCase", ""),
        ("OCF_CHECK_LEVEL", "10"),
        ("OCF_RESKEY_crm_feature_set", "3.20.5"),
        ("OCF_RESKEY_CRM_meta_on_fail", "block"),
        ("OCF_RESKEY_CRM_meta_notify_stop_resource", " "),
        ("OCF_RESKEY_pcmk_external_ip", "10.0.0.2"),
    ] {
        assert_eq!(given.get(name), Some(&value), "{name}");
    }
    // the interval of a probe is not 0 but absent
    for name in ["OCF_RESKEY_OCF_CHECK_LEVEL", "pcmk_external_ip", "OCF_RESKEY_CRM_meta_interval"] {
        assert_eq!(given.get(name), None);
    }
}

fn secret(host: &Host, resource: &str, parameter: &str, value: &str, sign: &str) {
    host.file(&format!("secrets/{resource}/{parameter}"), value, 0o600);
    host.file(&format!("secrets/{resource}/{parameter}.sign"), sign, 0o600);
}

/// MD5 of `hunter2`.
const SIGN: &str = "2ab96390c7dbe3439de74d0c9b0b1767";

#[test]
fn rule_4_12_1_secrets_reach_agents_of_all_classes_that_have_parameters() {
    let host = Host::new();
    for name in ["ocf/x/it", "sbin/fence_it", "plugins/it"] {
        host.script(name, "echo $OCF_RESKEY_pw $*; [ -t 0 ] || cat");
    }
    secret(&host, "R:1", "pw", "hunter2 \n\n", &format!("{SIGN}\n"));
    secret(&host, "R", "pw", "hunter2", SIGN);
    assert_eq!(host.run("ocf:x:it", "start", &[("pw", "lrm://")]).stdout, "hunter2 start\n");
    assert_eq!(host.run("nagios:it", "start", &[("pw", "lrm://")]).stdout, "--pw hunter2\n");
    let outcome = host.fence("fence_it", &[("action", "off"), ("pw", "lrm://")]);
    assert_eq!(outcome.stdout, "\naction=off\npw=hunter2\n");
    // only the exact text stands for a secret
    assert_eq!(host.run("ocf:x:it", "start", &[("pw", "lrm://x")]).stdout, "lrm://x start\n");
}

#[test]
fn rule_4_12_2_without_its_secret_only_a_stop_is_tried() {
    let host = Host::new();
    for name in ["ocf/x/it", "sbin/fence_it", "plugins/it"] {
        host.script(name, "echo $OCF_RESKEY_pw $*");
    }
    secret(&host, "R:1", "wrong", "hunter2", "0123456789abcdef0123456789abcdef");
    for parameter in ["pw", "wrong"] {
        for (agent, action) in [("ocf:x:it", "start"), ("ocf:x:it", "monitor"), ("nagios:it", "start")] {
            let outcome = host.run(agent, action, &[(parameter, "lrm://")]);
            assert_eq!((outcome.status, outcome.exit_code), (Status::Done, 2), "{agent} {outcome:?}");
            assert_eq!(outcome.exit_reason, "Unable to load CIB secrets");
            assert_eq!(outcome.stdout, "");
        }
    }
    let outcome = host.run("ocf:x:it", "stop", &[("pw", "lrm://")]);
    assert_eq!((outcome.exit_code, &*outcome.stdout), (0, "lrm:// stop\n"));
    let outcome = host.fence("fence_it", &[("action", "off"), ("pw", "lrm://")]);
    assert_eq!((outcome.status, &*outcome.exit_reason), (Status::NoSecrets, "Unable to load CIB secrets"));
}

#[test]
fn rule_4_15_1_what_an_agent_leaves_behind_lives_on() {
    let host = Host::new();
    host.script("ocf/x/it", "sleep 300 </dev/null >/dev/null 2>&1 & echo $!");
    let outcome = host.run("ocf:x:it", "start", &[]);
    let pid: u32 = outcome.stdout.trim().parse().unwrap();
    // it is of the agent's own group, which is not killed when the agent has ended well
    let stat = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    while stat().contains("(it)") {
        std::thread::sleep(Duration::from_millis(5));
    }
    let alive = stat();
    agents::process::kill(pid, false);
    assert!(alive.contains("(sleep)") && !alive.contains(" Z "), "{alive}");
}
