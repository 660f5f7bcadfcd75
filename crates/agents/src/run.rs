//! One run of one agent, by class: what it is given, and what its end means.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use md5::{Digest, Md5};

use crate::process::{self, Control, End, Ended, Spec, signal_text};
use crate::spawn::Environment;
use crate::{Agent, Agents, Class, FenceRun, Outcome, Run, Status, exit_code};

/// Marks an agent's reason in its standard error.
pub const REASON_PREFIX: &str = "ocf-exit-reason:";

/// Marks parameters in an agent's environment.
const PARAMETER_PREFIX: &str = "OCF_RESKEY_";

/// Value of a parameter that stands for a secret (rule 4.12.1).
const SECRET: &str = "lrm://";

/// Longest pause between two attempts of a nagios plugin's start (rule 4.9.3).
const NAGIOS_PAUSE: Duration = Duration::from_secs(2);

/// Number of parameters of a fence run or resource whose secret could not be read.
type Secrets<'a> = Result<Cow<'a, BTreeMap<String, String>>, ()>;

impl Agents {
    /// Runs a resource agent once.
    pub async fn run(&self, run: &Run, control: Control) -> Outcome {
        match run.agent.class {
            Class::Ocf => self.run_ocf(run, control).await,
            Class::Lsb => self.run_lsb(run, control).await,
            Class::Nagios => self.run_nagios(run, control).await,
            Class::Systemd => self.run_systemd(run, control).await,
            Class::Service => match self.service_class(&run.agent.kind).await {
                Class::Systemd => self.run_systemd(run, control).await,
                _ => self.run_lsb(run, control).await,
            },
            Class::Stonith => Outcome::plain(
                Status::Error,
                exit_code::ERROR,
                "a fence agent is run with a fencing action, not as a resource agent",
            ),
        }
    }

    /// Agent types of a class (and provider, for `ocf`; without one those of all providers).
    pub async fn types(&self, class: &str, provider: Option<&str>) -> Vec<String> {
        match class {
            "systemd" => self.systemd.list().await,
            "service" => {
                let mut names = self.search.types("lsb", None);
                names.extend(self.systemd.list().await);
                names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
                names.dedup();
                names
            }
            _ => self.search.types(class, provider),
        }
    }

    /// What a name of class `service` is now (rule 4.1.2).
    pub(crate) async fn service_class(&self, kind: &str) -> Class {
        let is_script = self.search.init_script(kind).exists();
        if is_script || (!self.systemd.knows(kind).await && self.search.lsb.is_dir()) {
            Class::Lsb
        } else {
            Class::Systemd
        }
    }

    async fn run_ocf(&self, run: &Run, control: Control) -> Outcome {
        let provider = run.agent.provider.as_deref().unwrap_or_default();
        let Some(program) = self.search.ocf_agent(provider, &run.agent.kind) else {
            return not_installed(&run.agent);
        };
        let parameters = match self.secrets(&run.resource, &run.parameters) {
            Ok(parameters) => parameters,
            // rule 4.12.2: a stop is tried with what there is
            Err(()) if run.action == "stop" => Cow::Borrowed(&run.parameters),
            Err(()) => return no_secrets(Status::Done),
        };
        let mut spec = self.spec(program, vec![run.action.clone().into()], run.timeout, run.spare_group);
        self.add_ocf_environment(&mut spec, run, &parameters);
        let ended = process::execute(&spec, control).await;
        let strange = match ended.end {
            End::Exited(code) if ocf_code(code) != code => Some(code),
            _ => None,
        };
        let mut outcome = outcome(ended, "Resource agent", run.timeout, ocf_code);
        if let Some(code) = strange.filter(|_| outcome.exit_reason.is_empty()) {
            outcome.exit_reason = format!("Resource agent ended with exit code {code}, which has no meaning");
        }
        outcome
    }

    /// Variables of rules 4.3.2 and 4.3.4.
    fn add_ocf_environment(&self, spec: &mut Spec, run: &Run, parameters: &BTreeMap<String, String>) {
        let variables = &mut spec.environment;
        variables.set("OCF_ROOT", &self.search.ocf_root.to_string_lossy());
        variables.set("OCF_RA_VERSION_MAJOR", "1");
        variables.set("OCF_RA_VERSION_MINOR", "1");
        variables.set("OCF_RESOURCE_INSTANCE", &run.resource);
        variables.set("OCF_RESOURCE_TYPE", &run.agent.kind);
        variables.set("OCF_RESOURCE_PROVIDER", run.agent.provider.as_deref().unwrap_or_default());
        variables.set("OCF_EXIT_REASON_PREFIX", REASON_PREFIX);
        for (name, value) in parameters {
            let (prefix, name) = variable(name);
            variables.set_joined(prefix, &name, value);
        }
    }

    async fn run_lsb(&self, run: &Run, control: Control) -> Outcome {
        let action = if run.action == "monitor" { "status" } else { &run.action };
        let program = self.search.init_script(&run.agent.kind);
        let spec = self.spec(program, vec![action.into()], run.timeout, run.spare_group);
        let ended = process::execute(&spec, control).await;
        let code = if action == "status" { lsb_status_code } else { lsb_code };
        outcome(ended, "Resource agent", run.timeout, code)
    }

    /// Rules 4.9.2 and 4.9.3.
    async fn run_nagios(&self, run: &Run, control: Control) -> Outcome {
        let probe = run.action == "monitor" && run.interval.is_zero();
        match run.action.as_str() {
            "start" | "monitor" => {}
            "stop" => return Outcome::plain(Status::Done, exit_code::OK, ""),
            _ => return Outcome::plain(Status::Done, exit_code::UNIMPLEMENTED, ""),
        }
        let program = self.search.nagios.join(&run.agent.kind);
        if run.agent.kind.contains('/') || !program.is_file() {
            return not_installed(&run.agent);
        }
        let arguments = if probe {
            vec!["--version".into()]
        } else {
            match self.secrets(&run.resource, &run.parameters) {
                Ok(parameters) => nagios_arguments(&parameters),
                Err(()) => return no_secrets(Status::Done),
            }
        };
        let spec = self.spec(program, arguments, run.timeout, run.spare_group);
        if run.action == "start" {
            return nagios_start(spec, control).await;
        }
        let ended = process::execute(&spec, control).await;
        outcome(ended, "Resource agent", run.timeout, if probe { nagios_probe_code } else { nagios_code })
    }

    async fn run_systemd(&self, run: &Run, control: Control) -> Outcome {
        self.systemd.run(&run.agent.kind, &run.action, run.timeout, control.cancelled).await
    }

    /// Runs a fence agent once. Exit code 0 with [`Status::Done`] is success; the other codes are the
    /// agent's own (rule 4.7.4).
    pub async fn fence(&self, run: &FenceRun, control: Control) -> Outcome {
        if run.agent == crate::watchdog::AGENT {
            return crate::watchdog::answer(run);
        }
        let Some(program) = self.search.fence_agent(&run.agent) else {
            return Outcome::plain(
                Status::NotInstalled,
                exit_code::INSTALLED,
                format!("fence agent {} is not installed", run.agent),
            );
        };
        let pairs: BTreeMap<String, String> = run.input.iter().cloned().collect();
        let Ok(secrets) = self.secrets(&run.device, &pairs) else { return no_secrets(Status::NoSecrets) };
        let mut input = String::new();
        for (name, value) in &run.input {
            let value = secrets.get(name).unwrap_or(value);
            if value.contains('\n') {
                return Outcome::plain(
                    Status::Error,
                    exit_code::ARGS,
                    format!("the value of {name} has a line break, which fence agents cannot be given"),
                );
            }
            input.push_str(&format!("{name}={value}\n"));
        }
        let mut spec = self.spec(program, Vec::new(), run.timeout, false);
        spec.input = Some(input.into_bytes());
        // rule 4.7.8: else the agents' library brings its own short time limits
        spec.environment.set("PCMK_service", "pacemaker-fenced");
        let ended = process::execute(&spec, control).await;
        fence_outcome(outcome(ended, "Fence agent", run.timeout, |code| code))
    }

    /// Runs an alert agent: a program of the administrator's, without arguments, as this user (rule 4.11.3).
    pub async fn alert(
        &self,
        program: PathBuf,
        environment: &[(String, String)],
        timeout: Duration,
        identity: Option<(u32, u32)>,
    ) -> Outcome {
        let mut spec = self.spec(program, Vec::new(), timeout, false);
        environment.iter().for_each(|(name, value)| spec.environment.set(name, value));
        spec.identity = identity;
        let ended = process::execute(&spec, Control::default()).await;
        outcome(ended, "Alert agent", timeout, |code| code)
    }

    /// Common part of every run (rule 4.2.1). `arguments`: the action for agents of classes `ocf` and `lsb`, nothing
    /// for fence agents (rule 4.2.2).
    pub(crate) fn spec(
        &self,
        program: PathBuf,
        arguments: Vec<OsString>,
        timeout: Duration,
        spare_group: bool,
    ) -> Spec {
        let mut environment = Environment::inherited();
        self.environment.iter().for_each(|(name, value)| environment.set(name, value));
        environment.set("LC_ALL", "C");
        Spec { program, arguments, environment, input: None, timeout, spare_group, identity: None }
    }

    /// Parameters with their secrets filled in (rule 4.12.1), whatever the class: they are read here and nowhere
    /// earlier, so that digests are made of the text that stands for them (rule 4.12.3).
    fn secrets<'a>(&self, resource: &str, parameters: &'a BTreeMap<String, String>) -> Secrets<'a> {
        let mut filled = Cow::Borrowed(parameters);
        for (name, _) in parameters.iter().filter(|(_, value)| *value == SECRET) {
            filled.to_mut().insert(name.clone(), self.secret(resource, name).ok_or(())?);
        }
        Ok(filled)
    }

    fn secret(&self, resource: &str, parameter: &str) -> Option<String> {
        if [resource, parameter].iter().any(|part| part.contains('/') || part.starts_with('.')) {
            return None;
        }
        let file = self.search.secrets.join(resource).join(parameter);
        let value = std::fs::read_to_string(&file).ok()?;
        let signature = std::fs::read_to_string(Path::new(&format!("{}.sign", file.display()))).ok()?;
        let value = value.trim_end();
        let digest: String = Md5::digest(value).iter().map(|byte| format!("{byte:02x}")).collect();
        (digest == signature.trim()).then(|| value.to_owned())
    }
}

fn nagios_arguments(parameters: &BTreeMap<String, String>) -> Vec<OsString> {
    parameters
        .iter()
        .filter(|(name, _)| *name != "crm_feature_set" && !name.starts_with("CRM_meta_"))
        .flat_map(|(name, value)| [format!("--{name}").into(), value.into()])
        .collect()
}

/// A service may need a while until its check succeeds, so a start is tried until its time is up.
async fn nagios_start(mut spec: Spec, control: Control) -> Outcome {
    let (began, timeout) = (Instant::now(), spec.timeout);
    let pause = (timeout / 10).min(NAGIOS_PAUSE);
    let Control { mut started, mut cancelled } = control;
    loop {
        let attempt = Control { started: started.take(), cancelled: None };
        let mut last = tokio::select! {
            ended = process::execute(&spec, attempt) => outcome(ended, "Resource agent", timeout, nagios_code),
            Ok(()) = process::wait_for(&mut cancelled) => Outcome::plain(Status::Cancelled, exit_code::ERROR, ""),
        };
        last.executed = began.elapsed();
        let failed = last.status == Status::Done && last.exit_code == exit_code::ERROR;
        if !failed {
            return last;
        }
        spec.timeout = timeout.saturating_sub(began.elapsed() + pause);
        if spec.timeout.is_zero() {
            let reason = format!("Resource agent did not succeed within {}", readable(timeout));
            return Outcome { status: Status::TimedOut, exit_reason: reason, ..last };
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Ok(()) = process::wait_for(&mut cancelled) => {
                return Outcome { status: Status::Cancelled, ..last };
            }
        }
    }
}

/// Name of the environment variable of a parameter, in two parts.
fn variable(parameter: &str) -> (&'static str, Cow<'_, str>) {
    match parameter {
        // rule 4.3.2: the only one without prefix
        "OCF_CHECK_LEVEL" => ("", parameter.into()),
        _ if parameter.starts_with("CRM_meta_") => (PARAMETER_PREFIX, parameter.replace('-', "_").into()),
        _ => (PARAMETER_PREFIX, parameter.into()),
    }
}

/// Turns the end of a process into a result.
fn outcome(ended: Ended, what: &str, timeout: Duration, code: impl Fn(i32) -> i32) -> Outcome {
    let stdout = String::from_utf8_lossy(&ended.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    let (status, exit_code, exit_reason) = match ended.end {
        End::Exited(status) => (Status::Done, code(status), exit_reason(&stderr)),
        End::Signalled(signal) => {
            let reason = format!("{what} interrupted by {} signal", signal_text(signal));
            (Status::Error, exit_code::ERROR, reason)
        }
        End::TimedOut => {
            let reason = format!("{what} did not complete within {}", readable(timeout));
            (Status::TimedOut, exit_code::ERROR, reason)
        }
        End::Cancelled => (Status::Cancelled, exit_code::ERROR, String::new()),
        End::NotStarted(error) => not_started(&error),
    };
    Outcome { status, exit_code, exit_reason, stdout, stderr, executed: ended.executed }
}

/// Rule 4.2.3.
fn not_started(error: &std::io::Error) -> (Status, i32, String) {
    const NOT_A_PROGRAM: i32 = 8; // ENOEXEC
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
            (Status::NotInstalled, exit_code::INSTALLED, error.to_string())
        }
        _ if error.raw_os_error() == Some(NOT_A_PROGRAM) => {
            (Status::NotInstalled, exit_code::INSTALLED, error.to_string())
        }
        ErrorKind::PermissionDenied => (Status::Error, exit_code::PERMISSION, error.to_string()),
        _ => (Status::Error, exit_code::ERROR, error.to_string()),
    }
}

fn not_installed(agent: &Agent) -> Outcome {
    Outcome::plain(Status::NotInstalled, exit_code::INSTALLED, format!("agent {agent} is not installed"))
}

fn no_secrets(status: Status) -> Outcome {
    Outcome::plain(status, exit_code::ARGS, "Unable to load CIB secrets")
}

/// What follows the last prefix, up to the end of its line (rule 4.3.7).
fn exit_reason(stderr: &str) -> String {
    let Some(start) = stderr.rfind(REASON_PREFIX) else { return String::new() };
    stderr[start + REASON_PREFIX.len()..].lines().next().unwrap_or_default().trim().to_owned()
}

/// Rule 4.3.6.
fn ocf_code(code: i32) -> i32 {
    match code {
        0..=9 | exit_code::DEGRADED | exit_code::DEGRADED_PROMOTED => code,
        _ => exit_code::ERROR,
    }
}

/// Rule 4.5.2.
fn lsb_status_code(code: i32) -> i32 {
    match code {
        0 => exit_code::OK,
        1..=3 => exit_code::NOT_RUNNING,
        150 => exit_code::INSTALLED,
        151 => exit_code::PERMISSION,
        _ => exit_code::ERROR,
    }
}

fn lsb_code(code: i32) -> i32 {
    if (0..=7).contains(&code) { code } else { exit_code::ERROR }
}

fn nagios_probe_code(code: i32) -> i32 {
    if code == 0 { exit_code::NOT_RUNNING } else { nagios_code(code) }
}

fn nagios_code(code: i32) -> i32 {
    match code {
        0 => exit_code::OK,
        1 => exit_code::DEGRADED,
        _ => exit_code::ERROR,
    }
}

/// What a fence agent's words say about its failure (rule 4.7.7).
fn fence_outcome(mut outcome: Outcome) -> Outcome {
    if outcome.status != Status::Done || outcome.exit_code == 0 {
        return outcome;
    }
    let words = outcome.stderr.to_lowercase();
    if words.contains("timed out") || words.contains("timeout") {
        outcome.status = Status::TimedOut;
    } else if ["unrecognised action", "unrecognized action", "unsupported action"]
        .iter()
        .any(|text| words.contains(text))
    {
        outcome.status = Status::Unsupported;
    }
    if outcome.exit_reason.is_empty() {
        let last = outcome.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        outcome.exit_reason = last.trim().chars().take(500).collect();
    }
    outcome
}

/// A duration as people and history entries have it: `20s`, `1m30s`, `500ms`.
pub fn readable(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut text = String::new();
    let mut left = milliseconds;
    for (unit, size) in units {
        if left >= size {
            text.push_str(&format!("{}{unit}", left / size));
            left %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reason_counts() {
        let stderr = "ocf-exit-reason:first\nnoise\nWARNING: ocf-exit-reason:second one\nmore\n";
        assert_eq!(exit_reason(stderr), "second one");
        assert_eq!(exit_reason("nothing"), "");
    }

    #[test]
    fn exit_codes() {
        assert_eq!([0, 7, 8, 9, 190, 10, 42, 255].map(ocf_code), [0, 7, 8, 9, 190, 1, 1, 1]);
        assert_eq!([0, 1, 3, 4, 150, 151].map(lsb_status_code), [0, 7, 7, 1, 5, 4]);
        assert_eq!([0, 7, 8, 150].map(lsb_code), [0, 7, 1, 1]);
        assert_eq!([0, 1, 2, 3].map(nagios_code), [0, 190, 1, 1]);
        assert_eq!(nagios_probe_code(0), 7);
    }

    #[test]
    fn durations() {
        let texts =
            [0, 500, 20_000, 60_000, 90_000, 3_600_000, 90_061_001].map(Duration::from_millis).map(readable);
        assert_eq!(texts, ["0s", "500ms", "20s", "1m", "1m30s", "1h", "1d1h1m1s1ms"]);
    }

    #[test]
    fn variables() {
        assert_eq!(variable("ip"), ("OCF_RESKEY_", "ip".into()));
        assert_eq!(variable("CRM_meta_on-fail"), ("OCF_RESKEY_", "CRM_meta_on_fail".into()));
        assert_eq!(variable("pcmk_external_ip"), ("OCF_RESKEY_", "pcmk_external_ip".into()));
        assert_eq!(variable("OCF_CHECK_LEVEL"), ("", "OCF_CHECK_LEVEL".into()));
    }
}
