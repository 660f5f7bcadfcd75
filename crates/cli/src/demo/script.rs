//! `systole demo --script`: breaks things one after the other and checks that the website survives.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use view::api;

use super::website::Visitor;
use super::{Demo, NODES, Place, wait};
use crate::session::Problem;

/// The longest that anything may take; no step is judged by its speed.
const PATIENCE: Duration = Duration::from_secs(60);

type Outcome = Result<(), Problem>;

struct Script {
    demo: Demo,
    visitor: Visitor,
}

/// One step: what happens, and what must hold in the end.
type Step = (&'static str, fn(&Script) -> Outcome);

const STEPS: [Step; 8] = [
    ("the web server's process is killed; it is restarted where it was", Script::kill_web_server),
    ("the node that serves is killed (SIGKILL); it is fenced, the site moves", Script::kill_serving_node),
    ("the node comes back; the site stays where it is", Script::bring_back),
    ("the node that serves goes into standby; the site moves", Script::standby),
    ("the standby ends; the site stays where it is", Script::unstandby),
    ("the node that serves is cut off; the others fence it and take over", Script::cut_off),
    ("it is connected and started again; the site stays where it is", Script::bring_back),
    ("the DC is killed; another takes over, the site goes on", Script::kill_dc),
];

pub fn run(place: &Place) -> Result<ExitCode, Problem> {
    let begun = Instant::now();
    let demo = Demo::start(place, |line| println!("{line}"))?;
    let visitor = Visitor::start(demo.website);
    let script = Script { demo, visitor };
    let mut failures = 0;
    println!(
        "\n1. the configuration is loaded: an address, a web server, their order, preferences, a fencing device"
    );
    let started = script.run_step(|script| script.served_by_any().map(drop));
    println!(
        "   website first answered {:.2} s after the daemons were started",
        begun.elapsed().as_secs_f64()
    );
    failures += usize::from(!started);
    for (number, (title, step)) in STEPS.iter().enumerate() {
        if failures > 0 {
            break;
        }
        println!("\n{}. {title}", number + 2);
        failures += usize::from(!script.run_step(step));
    }
    println!();
    if failures == 0 {
        println!("every step ended as it should");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("a step did not end as it should; logs are in {}", script.demo.place.directory().display());
        Ok(ExitCode::FAILURE)
    }
}

impl Script {
    /// Runs one step and prints who served, how long the outage was, which actions ran and why.
    fn run_step(&self, step: impl Fn(&Script) -> Outcome) -> bool {
        let since = now_ms();
        self.visitor.reset();
        let outcome = step(self).and_then(|()| self.settle());
        let outage = self.visitor.outage();
        println!("   served by: {}", display_list(&self.visitor.history()));
        println!("   longest time without an answer: {:.2} s", outage.as_secs_f64());
        for line in self.actions_since(since) {
            println!("   {line}");
        }
        match outcome {
            Ok(()) => true,
            Err(problem) => {
                println!("   FAILED: {problem}");
                false
            }
        }
    }

    /// Waits until the cluster has nothing more to do.
    fn settle(&self) -> Outcome {
        wait(PATIENCE, "a cluster that has nothing left to do", || {
            let Ok(mut client) = self.demo.place.any_client() else { return false };
            client.status().is_ok_and(|status| status.settled)
        })
    }

    fn served_by_any(&self) -> Result<String, Problem> {
        self.served_by(|_| true, "the website to answer")
    }

    fn served_by(&self, wanted: impl Fn(&str) -> bool, what: &str) -> Result<String, Problem> {
        wait(PATIENCE, what, || self.visitor.served_by().is_some_and(|node| wanted(&node)))?;
        self.visitor.served_by().ok_or_else(|| Problem::new(1, "the website went away again"))
    }

    fn kill_web_server(&self) -> Outcome {
        let node = self.served_by_any()?;
        let pid =
            self.web_server(&node).ok_or_else(|| Problem::new(1, format!("no web server runs on {node}")))?;
        super::place::end_process(pid)?;
        // the recovery may be over before a visitor notices, so it is the process that tells
        wait(PATIENCE, &format!("a new web server on {node}"), || {
            self.web_server(&node).is_some_and(|new| new != pid)
        })?;
        self.served_by(|server| server == node, &format!("the website to answer from {node} again")).map(drop)
    }

    /// Process id of the web server on a node.
    fn web_server(&self, node: &str) -> Option<u32> {
        self.demo.place.processes(node).into_iter().find(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|command| String::from_utf8_lossy(&command).contains("\0web-server\0"))
        })
    }

    fn kill_serving_node(&self) -> Outcome {
        let node = self.served_by_any()?;
        self.demo.place.kill(&node)?;
        self.served_by(|server| server != node, "the website to answer from another node")?;
        self.others_online(&node)
    }

    fn others_online(&self, lost: &str) -> Outcome {
        let others: Vec<&str> = NODES.into_iter().filter(|name| *name != lost).collect();
        self.demo.wait_online(&others, PATIENCE)
    }

    /// Starts (and connects) whatever is down, and checks that the site does not move for it.
    fn bring_back(&self) -> Outcome {
        let serving = self.served_by_any()?;
        for node in NODES {
            self.demo.place.set_cut(node, false)?;
            if !self.demo.place.is_running(node) {
                self.demo.place.start(node)?;
            }
        }
        self.demo.wait_online(&NODES, PATIENCE)?;
        self.settle()?;
        self.served_by(|server| server == serving, &format!("the website to stay on {serving}")).map(drop)
    }

    fn standby(&self) -> Outcome {
        let node = self.served_by_any()?;
        self.demo.place.any_client()?.operate(&api::Operation::Standby {
            node: Some(node.clone()),
            on: true,
            until_restart: false,
        })?;
        self.served_by(|server| server != node, "the website to answer from another node").map(drop)
    }

    fn unstandby(&self) -> Outcome {
        let serving = self.served_by_any()?;
        for node in NODES {
            self.demo.place.any_client()?.operate(&api::Operation::Standby {
                node: Some(node.to_owned()),
                on: false,
                until_restart: false,
            })?;
        }
        self.settle()?;
        self.served_by(|server| server == serving, &format!("the website to stay on {serving}")).map(drop)
    }

    fn cut_off(&self) -> Outcome {
        let node = self.served_by_any()?;
        self.demo.place.set_cut(&node, true)?;
        self.served_by(|server| server != node, "the website to answer from another node")?;
        wait(PATIENCE, &format!("{node} to be fenced"), || !self.demo.place.is_running(&node))?;
        self.others_online(&node)
    }

    fn kill_dc(&self) -> Outcome {
        let dc = self.demo.dc().ok_or_else(|| Problem::new(1, "there is no DC"))?;
        self.demo.place.kill(&dc)?;
        self.others_online(&dc)?;
        self.served_by_any()?;
        self.settle()?;
        self.served_by(|server| server != dc, "the website to answer from a node that lives").map(drop)
    }

    /// What was done since then and why, from the journal of a node that lives.
    fn actions_since(&self, since: u64) -> Vec<String> {
        let Ok(client) = self.demo.place.any_client() else { return Vec::new() };
        let query = api::EventQuery { after: Some(0), no_follow: true };
        let Ok(mut events) = client.events(&query) else { return Vec::new() };
        let mut lines = Vec::new();
        while let Ok(Some(event)) = events.next_within(Duration::from_secs(1)) {
            if event.time_ms >= since {
                lines.extend(told(&event));
            }
        }
        lines
    }
}

/// What of an event is worth telling: members, fences, failures, and changes with their reasons; monitors and
/// probes are left out.
fn told(event: &api::Event) -> Vec<String> {
    let field = |name: &str| event.fields.get(name).map(String::as_str).unwrap_or_default();
    match event.kind.as_str() {
        "membership" | "join" | "fence" => vec![event.message.clone()],
        "operation" if field("action") != "monitor" || field("failed") == "true" => {
            vec![event.message.clone()]
        }
        "transition" if field("what") == "planned" => {
            let changes = field("summary")
                .lines()
                .filter(|line| !line.starts_with("monitor ") && !line.starts_with("probe "));
            changes.map(|line| format!("planned: {line}")).collect()
        }
        _ => Vec::new(),
    }
}

fn display_list(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", then ") }
}

fn now_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}
