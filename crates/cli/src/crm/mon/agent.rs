//! Running a program for what happens (rule 5a.4.1), and going on in the background.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use client::Client;
use view::api::{Event, EventQuery};

use crate::tool::exit;

/// Starts this call again without a terminal.
pub fn detach(words: &[String], pid_file: Option<&str>) -> ExitCode {
    let rest = words.iter().filter(|word| !matches!(word.as_str(), "-d" | "--daemonize"));
    let repeats = words.iter().any(|word| word.starts_with("-i") || word.starts_with("--interval"));
    let started = crate::itself::command().and_then(|mut command| {
        command.arg("crm_mon").args(rest);
        if !repeats {
            command.arg("--interval=5s");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
    });
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            eprintln!("crm_mon: cannot go on in the background: {error}");
            return ExitCode::from(71);
        }
    };
    if let Some(path) = pid_file {
        if let Err(error) = std::fs::write(path, format!("{}\n", child.id())) {
            eprintln!("crm_mon: cannot write {path}: {error}");
            return ExitCode::from(73);
        }
    }
    ExitCode::SUCCESS
}

/// Runs `program` for each operation that ends (and each fencing, if wanted), for ever.
pub fn watch(program: &str, recipient: &str, fencing: bool, write: impl Fn()) -> ExitCode {
    loop {
        write();
        let connected = Client::connect(Client::default_socket())
            .and_then(|client| client.events(&EventQuery::default()));
        let mut events = match connected {
            Ok(events) => events,
            Err(error) => {
                eprintln!("crm_mon: Connection to cluster failed: {error}");
                return ExitCode::from(exit::NOT_CONNECTED);
            }
        };
        while !events.ended() {
            let Ok(Some(event)) = events.next_within(Duration::from_secs(60)) else { break };
            if let Some(told) = told(&event, fencing) {
                tell(program, recipient, &told);
                write();
            }
        }
    }
}

/// Node, resource, task, description, result, expected result, status.
struct Told {
    node: String,
    resource: String,
    task: String,
    description: String,
    rc: String,
    target_rc: String,
    status: String,
}

fn told(event: &Event, fencing: bool) -> Option<Told> {
    let field = |name: &str| event.fields.get(name).cloned().unwrap_or_default();
    match event.kind.as_str() {
        "operation" if event.fields.contains_key("exit_code") => {
            let failed = field("failed") == "true";
            let rc = field("exit_code");
            let task = match field("interval").as_str() {
                "0" | "" => field("action"),
                interval => format!("{}_{interval}", field("action")),
            };
            Some(Told {
                node: field("node"),
                resource: field("resource"),
                task,
                description: event.message.clone(),
                target_rc: if failed { "0".to_owned() } else { rc.clone() },
                rc,
                status: if failed { "4" } else { "0" }.to_owned(),
            })
        }
        "fence" if fencing && matches!(field("state").as_str(), "done" | "failed") => {
            let failed = field("state") == "failed";
            Some(Told {
                node: field("target"),
                resource: String::new(),
                task: "fencing".to_owned(),
                description: event.message.clone(),
                rc: if failed { "1" } else { "0" }.to_owned(),
                target_rc: "0".to_owned(),
                status: if failed { "1" } else { "0" }.to_owned(),
            })
        }
        _ => None,
    }
}

fn tell(program: &str, recipient: &str, told: &Told) {
    let run = Command::new(program)
        .env("CRM_notify_recipient", recipient)
        .env("CRM_notify_node", &told.node)
        .env("CRM_notify_rsc", &told.resource)
        .env("CRM_notify_task", &told.task)
        .env("CRM_notify_desc", &told.description)
        .env("CRM_notify_rc", &told.rc)
        .env("CRM_notify_target_rc", &told.target_rc)
        .env("CRM_notify_status", &told.status)
        .status();
    if let Err(error) = run {
        eprintln!("crm_mon: cannot run {program}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, fields: &[(&str, &str)]) -> Event {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Event {
            sequence: 1,
            time_ms: 0,
            node: "a".into(),
            severity: view::api::Severity::Info,
            kind: kind.into(),
            message: "m".into(),
            fields,
        }
    }

    #[test]
    fn operations_and_fencing_are_told() {
        let operation = [
            ("node", "a"),
            ("resource", "r"),
            ("action", "monitor"),
            ("interval", "10000"),
            ("exit_code", "7"),
            ("failed", "true"),
        ];
        let one = told(&event("operation", &operation), false).expect("an operation");
        assert_eq!((one.task.as_str(), one.rc.as_str(), one.target_rc.as_str()), ("monitor_10000", "7", "0"));
        let fence = event("fence", &[("target", "b"), ("state", "done")]);
        assert!(told(&fence, false).is_none());
        assert_eq!(told(&fence, true).expect("fencing").node, "b");
        assert!(told(&event("plan", &[]), true).is_none());
    }
}
