//! Systole's own agents as the cluster runs them. This program also plays the `systole` binary for them.

#![allow(clippy::unwrap_used)] // a test may

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use agents::{Agent, Agents, Control, FenceRun, Outcome, Run, SearchPath, Status};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "internal") {
        std::process::exit(agents::webserver::internal(&words[1..]).into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tests: [(&str, &dyn Fn(&Host)); 9] = [
        ("dummy", &|host| runtime.block_on(dummy(host))),
        ("stateful", &|host| runtime.block_on(stateful(host))),
        ("web", &|host| runtime.block_on(web(host))),
        ("address", &|host| runtime.block_on(address(host))),
        ("fencing", &|host| runtime.block_on(fencing(host))),
        ("metadata", &|host| runtime.block_on(metadata(host))),
        ("missing", &|host| runtime.block_on(missing(host))),
        ("nagios", &|host| runtime.block_on(nagios(host))),
        ("lsb", &|host| runtime.block_on(lsb(host))),
    ];
    for (name, test) in tests {
        test(&Host::new());
        println!("test {name} ... ok");
    }
}

struct Host {
    directory: tempfile::TempDir,
    agents: Agents,
}

impl Host {
    fn new() -> Host {
        let directory = tempfile::tempdir().unwrap();
        agents::own::unpack(directory.path()).unwrap();
        agents::own::unpack(directory.path()).unwrap();
        let environment = BTreeMap::from([
            ("HA_RSCTMP".to_owned(), directory.path().to_string_lossy().into_owned()),
            ("SYSTOLE_BINARY".to_owned(), std::env::current_exe().unwrap().to_string_lossy().into_owned()),
        ]);
        let own = |name: &str| directory.path().join(name);
        let search = SearchPath {
            ocf: vec![own("ocf/resource.d")],
            fence: vec![own("sbin")],
            lsb: own("init.d"),
            nagios: own("plugins"),
            nagios_metadata: own("plugins-metadata"),
            ..SearchPath::default()
        };
        Host { agents: Agents { search, environment, ..Agents::default() }, directory }
    }

    async fn run(&self, agent: &str, action: &str, parameters: &[(&str, &str)]) -> Outcome {
        self.agents.run(&self.described(agent, action, parameters), Control::default()).await
    }

    fn described(&self, agent: &str, action: &str, parameters: &[(&str, &str)]) -> Run {
        Run {
            agent: agent.parse().unwrap(),
            action: action.into(),
            resource: "R".into(),
            parameters: parameters
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            timeout: Duration::from_secs(60),
            interval: Duration::ZERO,
            spare_group: false,
        }
    }

    async fn expect(&self, agent: &str, parameters: &[(&str, &str)], steps: &[(&str, i32)]) {
        for (action, code) in steps {
            let outcome = self.run(agent, action, parameters).await;
            assert_eq!((outcome.status, outcome.exit_code), (Status::Done, *code), "{action}: {outcome:?}");
        }
    }
}

async fn dummy(host: &Host) {
    let steps = [
        ("monitor", 7),
        ("start", 0),
        ("start", 0),
        ("monitor", 0),
        ("stop", 0),
        ("stop", 0),
        ("monitor", 7),
    ];
    host.expect("ocf:pacemaker:Dummy", &[], &steps).await;
    host.expect("ocf:pacemaker:Dummy", &[], &[("frobnicate", 3), ("validate-all", 0)]).await;
    let outcome = host.run("ocf:pacemaker:Dummy", "monitor", &[("CRM_meta_interval", "10000")]).await;
    assert_eq!(outcome.exit_reason, "No process state file found");
}

async fn stateful(host: &Host) {
    let steps = [
        ("monitor", 7),
        ("start", 0),
        ("monitor", 0),
        ("promote", 0),
        ("monitor", 8),
        ("demote", 0),
        ("monitor", 0),
        ("stop", 0),
        ("monitor", 7),
        ("promote", 7),
    ];
    host.expect("ocf:pacemaker:Stateful", &[], &steps).await;
}

async fn web(host: &Host) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let parameters = [("port", port.as_str()), ("CRM_meta_on_node", "node5")];
    host.expect(
        "ocf:systole:web",
        &parameters,
        &[("monitor", 7), ("start", 0), ("start", 0), ("monitor", 0)],
    )
    .await;
    let pid = std::fs::read_to_string(host.directory.path().join("web-R.pid")).unwrap();
    // a second one cannot have the same port
    let other = Host::new();
    let outcome = other.run("ocf:systole:web", "start", &parameters).await;
    assert!(outcome.exit_code == 0 || outcome.exit_reason.contains("in use"), "{outcome:?}");
    // a slow one might get it when the first has gone
    other.expect("ocf:systole:web", &parameters, &[("stop", 0)]).await;
    agents::process::kill(pid.trim().parse().unwrap(), false);
    let gone = || {
        !Path::new(&format!("/proc/{}/cmdline", pid.trim())).exists()
            || std::fs::read(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default().is_empty()
    };
    while !gone() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    host.expect("ocf:systole:web", &parameters, &[("monitor", 7), ("start", 0), ("monitor", 0)]).await;
    host.expect("ocf:systole:web", &parameters, &[("stop", 0), ("stop", 0), ("monitor", 7)]).await;
}

async fn address(host: &Host) {
    let last = std::process::id() % 250 + 2;
    let ip = format!("127.77.3.{last}");
    let parameters = [("ip", ip.as_str())];
    host.expect("ocf:systole:address", &parameters, &[("monitor", 7), ("start", 0), ("monitor", 0)]).await;
    let other = Host::new();
    let outcome = other.run("ocf:systole:address", "start", &parameters).await;
    assert_eq!(outcome.exit_code, 1);
    assert!(outcome.exit_reason.contains("in use"), "{outcome:?}");
    host.expect("ocf:systole:address", &parameters, &[("stop", 0), ("monitor", 7)]).await;
    other.expect("ocf:systole:address", &parameters, &[("start", 0), ("stop", 0)]).await;
    host.expect("ocf:systole:address", &[("ip", "192.0.2.1")], &[("start", 6)]).await;
}

async fn fencing(host: &Host) {
    let demo = host.directory.path().join("demo");
    for name in ["bus", "node1", "node2"] {
        std::fs::create_dir_all(demo.join(name)).unwrap();
    }
    let demo = demo.to_str().unwrap();
    let mut child = std::process::Command::new("sleep")
        .arg("600")
        .env("SYSTOLE_STATE_DIR", format!("{demo}/node1"))
        .spawn()
        .unwrap();
    let fence = async |action: &str, plug: &str| {
        let input = [("action", action), ("nodename", plug), ("plug", plug), ("directory", demo)];
        let run = FenceRun {
            agent: "fence_systole_demo".into(),
            device: "f".into(),
            input: input.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            timeout: Duration::from_secs(60),
        };
        host.agents.fence(&run, Control::default()).await
    };
    assert_eq!(fence("monitor", "").await.exit_code, 0);
    assert_eq!(fence("list", "").await.stdout, "node1,\nnode2,\n");
    assert_eq!(fence("status", "node1").await.exit_code, 0);
    assert_eq!(fence("status", "node2").await.exit_code, 2);
    assert_eq!(fence("status", "node9").await.exit_code, 1);
    assert_eq!(fence("off", "node1").await.exit_code, 0);
    assert!(!child.wait().unwrap().success());
    assert_eq!(fence("status", "node1").await.exit_code, 2);
    assert_eq!(fence("reboot", "node1").await.exit_code, 0);
    let outcome = fence("explode", "node1").await;
    assert_eq!((outcome.status, outcome.exit_code), (Status::Unsupported, 1), "{outcome:?}");
}

async fn metadata(host: &Host) {
    let names = ["ocf:pacemaker:Dummy", "ocf:pacemaker:Stateful", "ocf:systole:web", "ocf:systole:address"];
    for name in names.into_iter().chain(["stonith:fence_systole_demo"]) {
        let metadata = host.agents.metadata(&name.parse().unwrap()).await.unwrap();
        assert!(metadata.actions.iter().any(|action| action.name == "monitor"), "{name}");
        assert!(!metadata.parameters.is_empty(), "{name}");
    }
    assert_eq!(host.agents.search.providers(), ["pacemaker", "systole"]);
    assert_eq!(host.agents.search.types("ocf", Some("systole")), ["address", "web"]);
    assert_eq!(host.agents.search.types("stonith", None), ["fence_systole_demo", "fence_watchdog"]);
}

async fn missing(host: &Host) {
    for name in ["ocf:x:y", "lsb:no-such-script", "stonith:fence_none"] {
        assert!(host.agents.metadata(&name.parse().unwrap()).await.is_err());
    }
    let outcome = host.run("ocf:x:y", "start", &[]).await;
    assert_eq!((outcome.status, outcome.exit_code), (Status::NotInstalled, 5));
    let outcome = host.run("lsb:no-such-script", "monitor", &[]).await;
    assert_eq!((outcome.status, outcome.exit_code), (Status::NotInstalled, 5));
    let file = host.directory.path().join("ocf/resource.d/systole/plain");
    std::fs::write(&file, "not a program").unwrap();
    let agent: Agent = "ocf:systole:plain".parse().unwrap();
    let outcome = host.run(&agent.to_string(), "start", &[]).await;
    assert!(matches!(outcome.exit_code, 4 | 5), "{outcome:?}");
}

fn script(directory: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(directory).unwrap();
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Rules 4.9.1 to 4.9.3. The plugin says once that its service is not there, then what a file says.
async fn nagios(host: &Host) {
    let base = host.directory.path();
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n[ \"$1 $2\" = '--name it' ] || exit 3\n\
         [ -e {0}/seen ] || {{ touch {0}/seen; exit 2; }}\nexit $(cat {0}/code)\n",
        base.display()
    );
    script(&base.join("plugins"), "check_it", &text);
    script(&base.join("plugins-metadata"), "check_it.xml", "<resource-agent/>");
    assert_eq!(host.agents.search.types("nagios", None), ["check_it"]);
    let parameters = [("name", "it"), ("CRM_meta_timeout", "1000"), ("crm_feature_set", "3.19.7")];
    std::fs::write(base.join("code"), "0").unwrap();
    host.expect("nagios:check_it", &parameters, &[("monitor", 7), ("start", 0), ("stop", 0)]).await;
    assert!(base.join("seen").exists(), "the start was not tried again");
    for (code, expected) in [("1", 190), ("2", 1), ("0", 0)] {
        std::fs::write(base.join("code"), code).unwrap();
        let mut run = host.described("nagios:check_it", "monitor", &parameters);
        run.interval = Duration::from_secs(1);
        let outcome = host.agents.run(&run, Control::default()).await;
        assert_eq!((outcome.status, outcome.exit_code), (Status::Done, expected));
    }
    std::fs::write(base.join("code"), "2").unwrap();
    let mut run = host.described("nagios:check_it", "start", &parameters);
    run.timeout = Duration::from_millis(300);
    assert_eq!(host.agents.run(&run, Control::default()).await.status, Status::TimedOut);
    let missing = host.run("nagios:nothing", "monitor", &[]).await;
    assert_eq!((missing.status, missing.exit_code), (Status::NotInstalled, 5));
}

/// Rules 4.1.2 and 4.5.1 to 4.5.3.
async fn lsb(host: &Host) {
    let base = host.directory.path();
    let text = format!(
        "#!/bin/sh\ncase $1 in start) touch {0}/up;; stop) rm -f {0}/up;; \
         status) [ -e {0}/up ] || exit $(cat {0}/down);; *) exit 2;; esac\n",
        base.display()
    );
    script(&base.join("init.d"), "it", &text);
    for agent in ["lsb:it", "service:it"] {
        for (down, expected) in [("3", 7), ("1", 7), ("4", 1), ("151", 4)] {
            std::fs::write(base.join("down"), down).unwrap();
            host.expect(agent, &[], &[("monitor", expected)]).await;
        }
        host.expect(agent, &[], &[("start", 0), ("start", 0), ("monitor", 0), ("stop", 0)]).await;
    }
    for agent in ["lsb:nothing", "service:nothing"] {
        let missing = host.run(agent, "monitor", &[]).await;
        assert_eq!((missing.status, missing.exit_code), (Status::NotInstalled, 5), "{missing:?}");
    }
}
