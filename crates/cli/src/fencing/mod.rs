//! `systole fence`, and what status, `stonith_admin` and pcs say of fencing: devices as configured, asked on
//! this host where only they know.

pub mod history;
mod outlook;
pub mod record;
mod test;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::time::Duration;

use agents::Agent;
use cluster::fencing::device::{Device, HostCheck, parse_hosts};
use cluster::fencing::devices::Devices;
use cluster::fencing::inquiry::agent_run;
use cluster::{AgentMetadata, OperationId};

use crate::configuration::Configuration;
use crate::outlook::Outlook;
use crate::pcs::local_agents::LocalAgents;
use crate::session::Problem;

pub use outlook::Overview;

/// How long a device may take to answer when nothing else is configured.
const PATIENCE: u64 = 60_000;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Prove that a node can be fenced, and write down when
    Test(test::Arguments),
    /// Show how each node can be fenced, when that was last proven, and what is missing
    Status,
}

/// `systole fence …`.
pub fn run(command: &Command) -> ExitCode {
    let outcome = match command {
        Command::Test(arguments) => test::run(arguments),
        Command::Status => status(),
    };
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("systole fence: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

fn status() -> Result<ExitCode, Problem> {
    let mut session = crate::session::Session::open(None)?;
    let configuration = Configuration::new(session.cib()?);
    let (cib, _) = cib::Cib::from_document(&configuration.document);
    let overview = Overview::of(&configuration, &cib);
    let history = if session.is_live() { session.client()?.status()?.fencing } else { Vec::new() };
    for line in overview.lines(&Outlook::of_cib(&cib).status, &history) {
        println!("{line}");
    }
    Ok(ExitCode::from(if overview.warnings().is_empty() { 0 } else { crate::tool::exit::ERROR }))
}

/// The fence devices of a CIB, and the agents of this host.
pub struct Fences {
    pub devices: Devices,
    /// Made when one of them is to be run.
    agents: OnceCell<LocalAgents>,
}

/// What a device answered.
pub struct Answer {
    pub success: bool,
    pub code: i32,
    /// What it printed, or why it could not be asked.
    pub output: String,
    pub errors: String,
}

impl Fences {
    /// Reads the devices.
    pub fn of(document: &xml::Document) -> Fences {
        Fences::of_cib(&cib::Cib::from_document(document).0)
    }

    /// The devices of a CIB that is typed already.
    pub fn of_cib(cib: &cib::Cib) -> Fences {
        let now = crate::clock::now();
        let devices = Devices::read(cib, &cib::rule::RuleInput::at(now));
        Fences { devices, agents: OnceCell::new() }
    }

    fn agents(&self) -> &LocalAgents {
        self.agents.get_or_init(LocalAgents::default)
    }

    /// The device with this id.
    pub fn device(&self, id: &str) -> Result<&Device, Problem> {
        self.devices.get(id).ok_or_else(|| {
            let known: Vec<&str> = self.devices.devices.iter().map(|device| device.id.as_str()).collect();
            let near = cib::options::closest(known.iter().copied(), id)
                .map(|name| format!(" (did you mean '{name}'?)"))
                .unwrap_or_default();
            Problem::new(105, format!("no fence device '{id}' is configured and enabled{near}"))
        })
    }

    /// What the agent of a device says of itself; nothing if it is not installed here.
    fn metadata(&self, device: &Device) -> Option<AgentMetadata> {
        let agent = Agent::new("stonith", None, &device.agent).ok()?;
        let text = self.agents().metadata_text(&agent).ok()?;
        let found = agents::metadata::Metadata::parse(&text).ok()?;
        Some(AgentMetadata {
            ocf_version: found.version,
            actions: found
                .actions
                .into_iter()
                .map(|one| cluster::AgentAction {
                    name: one.name,
                    automatic: one.automatic,
                    on_target: one.on_target,
                })
                .collect(),
            parameters: found
                .parameters
                .into_iter()
                .map(|one| cluster::AgentParameter { name: one.name, ..Default::default() })
                .collect(),
        })
    }

    /// Whether the agent of a device is installed on this host.
    pub fn is_installed(&self, device: &Device) -> bool {
        let kind = &device.agent;
        device.is_watchdog()
            || agents::own::has_fence_agent(kind)
            || agents::SearchPath::installed().fence_agent(kind).is_some()
    }

    /// Has a device do something, on this host.
    pub fn ask(&self, device: &Device, action: &str, target: Option<&str>) -> Result<Answer, Problem> {
        let metadata = self.metadata(device);
        let timeout = device.timeout(action, PATIENCE);
        let run = agent_run(device, metadata.as_ref(), OperationId(0), action, target, timeout);
        let run = agents::FenceRun {
            agent: run.agent,
            device: run.device,
            input: run.input,
            timeout: Duration::from_millis(run.timeout),
        };
        let outcome = self.agents().fence(&run).map_err(|text| Problem::new(1, text))?;
        let ran = outcome.status == agents::Status::Done;
        let errors = match outcome.stderr.trim() {
            "" => outcome.exit_reason.clone(),
            text => text.to_owned(),
        };
        let success = ran && outcome.exit_code == 0;
        Ok(Answer { success, code: outcome.exit_code, output: outcome.stdout, errors })
    }

    /// How it is found out whether a device fences a node (rule 4.8.2).
    fn check(&self, device: &Device) -> HostCheck {
        let metadata = self.metadata(device);
        let offers = |name: &str| {
            metadata.as_ref().is_some_and(|known| known.actions.iter().any(|one| one.name == name))
        };
        match device.check {
            Some(check) => check,
            None if offers("list") => HostCheck::List,
            None if offers("status") => HostCheck::Status,
            None => HostCheck::None,
        }
    }

    /// The nodes a device fences, as it or its configuration says.
    pub fn targets(&self, device: &Device) -> Result<Vec<String>, Problem> {
        if self.check(device) == HostCheck::Static || device.is_watchdog() {
            let mut hosts = device.hosts.clone();
            hosts.sort();
            hosts.dedup();
            return Ok(hosts);
        }
        let answer = self.ask(device, "list", None)?;
        if !answer.success {
            return Err(Problem::new(1, format!("{} did not give its list: {}", device.id, answer.errors)));
        }
        Ok(parse_hosts(&answer.output))
    }

    /// Whether a device fences a node (rule 4.8.3).
    pub fn fences(&self, device: &Device, node: &str) -> Result<bool, Problem> {
        match self.check(device) {
            HostCheck::None => Ok(true),
            HostCheck::Static => Ok(device.may_fence(node)),
            HostCheck::List => {
                let alias = device.alias(node).to_owned();
                let is = |host: &String| host.eq_ignore_ascii_case(node) || host.eq_ignore_ascii_case(&alias);
                Ok(self.targets(device)?.iter().any(is))
            }
            HostCheck::Status => Ok(matches!(self.ask(device, "status", Some(node))?.code, 0 | 2)),
        }
    }
}
