//! Start and end of a daemon.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::{Duration, Instant};

use agents::{Agents, SearchPath, Systemd};
use cluster::{CibWriteError, Config, Input, Node, Restored, SchedulerPlanner};
use messaging::Engine;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use view::api::Severity;

use crate::alerts::Alerts;
use crate::driver::{Command, Driver, Ending, PlanInput, Save, Sources};
use crate::executor::Executor;
use crate::journal::Journal;
use crate::records::Records;
use crate::storage::{PlanInputs, Storage};
use crate::{DaemonConfig, DaemonError, Log, Paths, api, end, load, pulse, supervisor, watchdog};

/// Marks everything that belongs to a node in its environment.
pub(crate) const STATE_VARIABLE: &str = "SYSTOLE_STATE_DIR";

/// The name by which agents know what runs them.
const EXECUTOR: &str = "pacemaker-execd";

/// Longest path of a Unix socket.
const MAX_SOCKET_PATH: usize = 107;

/// The classic names under which agents call the tools.
const TOOLS: [&str; 25] = [
    "systole",
    "attrd_updater",
    "cibadmin",
    "cibsecret",
    "crm_attribute",
    "crm_diff",
    "crm_error",
    "crm_failcount",
    "crm_master",
    "crm_mon",
    "crm_node",
    "crm_report",
    "crm_resource",
    "crm_rule",
    "crm_shadow",
    "crm_simulate",
    "crm_standby",
    "crm_ticket",
    "crm_verify",
    "crmadmin",
    "dlm_stonith",
    "iso8601",
    "pacemakerd",
    "pcs",
    "stonith_admin",
];

/// Runs the daemon until its node ends. Gives the process's exit code (0, or 100: stay down).
pub fn run(config: DaemonConfig) -> Result<i32, DaemonError> {
    let start = Instant::now();
    agents::process::keep_descriptors();
    prepare(&config.paths)?;
    log_to(&config.log)?;
    watchdog::await_sbd();
    let (engine, events) = messaging::open(config.messaging.clone())?;
    let engine: Arc<dyn Engine> = Arc::from(engine);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| DaemonError::File { path: config.paths.state.clone(), source })?;
    let alerts = Alerts::new();
    let code = runtime.block_on(serve(&config, start, engine.clone(), events, alerts.clone()))?;
    supervisor::note_end(&config.paths.state, code);
    engine.leave();
    if code == 0 {
        // this node is no member any more: nobody is held up
        runtime.block_on(alerts.end());
    }
    // what still runs here belongs to resources and outlives this daemon; its successor finds the records
    std::mem::forget(runtime);
    let _ = fs::remove_file(&config.paths.socket);
    let _ = fs::remove_file(config.paths.pid_file());
    Ok(code)
}

/// Directories, own agents, tools' names, process id.
fn prepare(paths: &Paths) -> Result<(), DaemonError> {
    if paths.socket.as_os_str().len() > MAX_SOCKET_PATH {
        return Err(DaemonError::SocketPath { path: paths.socket.clone() });
    }
    for (directory, open) in paths.directories() {
        make_directory(directory, if open { 0o755 } else { 0o750 })
            .map_err(|source| DaemonError::File { path: directory.to_path_buf(), source })?;
    }
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |source| DaemonError::File { path, source }
    };
    agents::own::unpack(&paths.agents).map_err(fail(&paths.agents))?;
    link_tools(&paths.tools).map_err(fail(&paths.tools))?;
    fs::write(paths.pid_file(), format!("{}\n", std::process::id())).map_err(fail(&paths.pid_file()))
}

/// Makes a directory that is not there yet, whatever the umask says: agents of any user must get into theirs (rule
/// 4.3.3). One that is there stays as it is, with what it holds.
fn make_directory(directory: &Path, mode: u32) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(mode).create(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(mode))
}

fn link_tools(directory: &Path) -> io::Result<()> {
    let binary = std::env::current_exe()?;
    for name in TOOLS {
        let link = directory.join(name);
        if fs::read_link(&link).is_ok_and(|target| target == binary) {
            continue;
        }
        let _ = fs::remove_file(&link);
        symlink(&binary, &link)?;
    }
    Ok(())
}

fn log_to(log: &Log) -> Result<(), DaemonError> {
    let filter = || {
        tracing_subscriber::EnvFilter::try_from_env("SYSTOLE_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level(crate::host_setting("debug"))))
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter()).with_ansi(false);
    // a second subscriber, set by the caller or an earlier run in this process, is no reason to stop
    let _ = match log {
        Log::Caller => return Ok(()),
        Log::Stderr => match host_log(crate::host_setting("logfile")).map(|path| open_log(&path)) {
            Some(Ok(file)) => {
                use tracing_subscriber::fmt::writer::MakeWriterExt;
                builder.with_writer(io::stderr.and(std::sync::Mutex::new(file))).try_init()
            }
            failed => {
                if let Some(Err(error)) = failed {
                    // no reason to keep a node out of the cluster
                    eprintln!("systole daemon: no log in a file: {error}");
                }
                builder.with_writer(io::stderr).try_init()
            }
        },
        Log::File(path) => builder.with_writer(std::sync::Mutex::new(open_log(path)?)).try_init(),
    };
    Ok(())
}

fn open_log(path: &Path) -> Result<fs::File, DaemonError> {
    let file = fs::OpenOptions::new().create(true).append(true).mode(0o660).open(path);
    file.map_err(|source| DaemonError::File { path: path.to_path_buf(), source })
}

/// Where log lines go beside standard error: `PCMK_logfile`, if it is set (rule 4.40.1).
fn host_log(given: Option<String>) -> Option<PathBuf> {
    given.filter(|text| is_wanted(text)).map(PathBuf::from)
}

/// How much is logged, by `PCMK_debug`: a truth, or names of daemons, which are one here (rule 4.40.1).
fn level(debug: Option<String>) -> &'static str {
    let all =
        debug.as_deref().is_some_and(|text| cib::value::is_true(Some(text)) || text.contains("pacemaker-"));
    if all { "debug" } else { "info" }
}

/// Whether a log's file or facility is one.
fn is_wanted(text: &str) -> bool {
    !text.is_empty() && !["none", "/dev/null"].contains(&&*text.to_lowercase())
}

/// Starts all parts, waits for the node's end, and ends them.
async fn serve(
    config: &DaemonConfig,
    start: Instant,
    engine: Arc<dyn Engine>,
    events: mpsc::Receiver<messaging::Event>,
    alerts: Arc<Alerts>,
) -> Result<i32, DaemonError> {
    let paths = &config.paths;
    let journal = Arc::new(Journal::new(&engine.local().name));
    let agents = Arc::new(surroundings(paths, &config.log));
    let records = Records::open(&paths.running);
    let leftovers = records.leftovers();
    let found = Storage::new(&paths.cib).read();
    for notice in &found.notices {
        journal.daemon(Severity::Warning, notice.clone());
    }
    let problems = found.notices.clone();
    let restored = Restored {
        cib: found.text,
        notices: found.notices,
        leftovers: leftovers.iter().map(|(leftover, _)| leftover.clone()).collect(),
    };
    let facts = watchdog::Facts::of_host();
    let watchdog = arm_watchdog(&facts)?;
    let node = Node::new(node_config(config, &*engine, &facts), restored, Box::new(SchedulerPlanner));

    let (results_in, results) = mpsc::channel(1024);
    let (commands_in, commands) = mpsc::channel(256);
    let (orders_in, orders) = mpsc::unbounded_channel();
    let (saves_in, saves) = blocking::channel();
    let executor = Executor::new(agents.clone(), results_in.clone(), records);
    executor.watch(leftovers);
    if !paths.shared {
        // nodes that share a machine would each take the load of all for its own
        tokio::spawn(load::report(results_in.clone()));
    }
    tokio::spawn(executor.serve(orders));
    let storage = start_storage(paths, saves, results_in)?;

    let context = api::Context {
        commands: commands_in.clone(),
        journal: journal.clone(),
        agents,
        start,
        problems,
        engine: engine.clone(),
    };
    let listener = api::listen(&paths.socket)
        .map_err(|source| DaemonError::File { path: paths.socket.clone(), source })?;
    tokio::spawn(api::serve(listener, context));
    let pulse = pulse::listen(&paths.state)
        .map_err(|source| DaemonError::File { path: paths.state.clone(), source })?;
    tokio::spawn(pulse::serve(pulse, commands_in.clone()));
    tokio::spawn(forward_signals(commands_in));

    let driver = Driver {
        node,
        engine,
        journal: journal.clone(),
        orders: orders_in,
        alerts,
        saves: saves_in,
        start,
        waiting: BTreeMap::new(),
        next_request: 0,
        watchdog,
        complaints: BTreeMap::new(),
    };
    let ending = drive(driver, Sources { events, results, commands }, paths).await?;
    Ok(finish(config, ending, storage, &journal).await)
}

/// The driver on a thread of its own: planning takes its time and must hold up neither agents nor clients.
async fn drive(driver: Driver, sources: Sources, paths: &Paths) -> Result<Ending, DaemonError> {
    let (ending_in, ending) = oneshot::channel();
    let spawned =
        std::thread::Builder::new().name(pulse::THREAD.to_owned()).stack_size(16 << 20).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let end = match runtime {
                Ok(runtime) => runtime.block_on(driver.run(sources)),
                Err(error) => Ending::Left { code: 1, reason: error.to_string() },
            };
            let _ = ending_in.send(end);
        });
    spawned.map_err(|source| DaemonError::File { path: paths.state.clone(), source })?;
    // a bug that ends the node's thread must end the daemon as well, uncleanly (rule 4.38.1)
    let bug = Ending::Left { code: 1, reason: "the node's thread has panicked".to_owned() };
    Ok(ending.await.unwrap_or(bug))
}

async fn finish(
    config: &DaemonConfig,
    ending: Ending,
    storage: std::thread::JoinHandle<()>,
    journal: &Journal,
) -> i32 {
    match ending {
        Ending::Left { code, reason } => {
            let severity = if code == 0 { Severity::Notice } else { Severity::Error };
            journal.daemon(severity, format!("the daemon ends with exit code {code}: {reason}"));
            // the driver, and with it the storage thread's channel, is gone; let the last write end
            let _ = tokio::task::spawn_blocking(move || storage.join()).await;
            // and watchers read the last words
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            code
        }
        Ending::Panic { reason } => {
            tracing::error!(reason, "this node brings itself down");
            end::panic(config.panic, &config.paths.state);
            101
        }
    }
}

/// The watchdog that this daemon feeds, if it has been told to.
fn arm_watchdog(facts: &watchdog::Facts) -> Result<Option<watchdog::Watchdog>, DaemonError> {
    let Some(device) = facts.device.as_deref().filter(|_| !facts.sbd) else { return Ok(None) };
    let Some(bound) = facts.bound else {
        let reason = "SYSTOLE_WATCHDOG_DEVICE is set, but SBD_WATCHDOG_TIMEOUT, the seconds within which an unhealthy host must be dead, is not";
        return Err(DaemonError::Watchdog { reason: reason.to_owned() });
    };
    watchdog::Watchdog::arm(device, bound).map(Some).map_err(|reason| DaemonError::Watchdog { reason })
}

fn node_config(config: &DaemonConfig, engine: &dyn Engine, facts: &watchdog::Facts) -> Config {
    let local = engine.local();
    Config {
        id: local.id,
        name: local.name.clone(),
        incarnation: uuid(),
        peers: engine.peers().to_vec(),
        cluster_name: engine.cluster_name().map(str::to_owned),
        infrastructure: engine.infrastructure().to_owned(),
        have_watchdog: facts.has_watchdog(),
        watchdog_bound: facts.bound,
        cores: std::thread::available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1)),
        action_limit: config.action_limit,
        start_state: config.start_state,
        seed: u64::from_le_bytes(random()),
    }
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let read =
        fs::File::open("/dev/urandom").and_then(|mut file| io::Read::read_exact(&mut file, &mut bytes));
    if read.is_err() {
        // a system without it: process id and time tell two starts apart
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let mixed = now.as_nanos() ^ (u128::from(std::process::id()) << 96);
        for (byte, source) in bytes.iter_mut().zip(mixed.to_le_bytes()) {
            *byte = source;
        }
    }
    bytes
}

/// A random UUID (version 4).
fn uuid() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// What the agents' shell library is told about logging (rule 4.13.1). `given`: what the administrator has set, by its
/// name without `PCMK_`. Without a facility and a file agents log to standard error.
fn logging(log: &Log, given: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let facility = given("logfacility").unwrap_or_else(|| "daemon".to_owned());
    let debug = given("debug").is_some_and(|text| {
        cib::value::is_true(Some(&text)) || text.split(',').any(|name| name.trim() == EXECUTOR)
    });
    let file = match log {
        Log::File(path) => Some(path.display().to_string()),
        Log::Stderr | Log::Caller => given("logfile"),
    };
    let debug_number = u8::from(debug).to_string();
    let mut variables = vec![
        ("PCMK_logfacility", facility.clone()),
        ("PCMK_debug", debug_number.clone()),
        ("HA_debug", debug_number),
    ];
    variables
        .extend(Some(facility).filter(|text| is_wanted(text)).map(|facility| ("HA_LOGFACILITY", facility)));
    if let Some(file) = file.filter(|text| is_wanted(text)) {
        variables.extend(debug.then(|| ("HA_DEBUGLOG", file.clone())));
        variables.push(("HA_LOGFILE", file));
    }
    variables
}

/// Agents and what they find in their environment (rule 4.13.1).
fn surroundings(paths: &Paths, log: &Log) -> Agents {
    let mut search = match paths.shared {
        true => SearchPath::for_shared_machine(&paths.agents),
        false => SearchPath::with_own(&paths.agents),
    };
    search.secrets = paths.secrets.clone();
    let mut environment = BTreeMap::from_iter(
        [
            ("PCMK_service", EXECUTOR.to_owned()),
            ("PCMK_cluster_type", "corosync".to_owned()),
            ("HA_cluster_type", "corosync".to_owned()),
            ("HA_RSCTMP", paths.scratch.display().to_string()),
            ("SYSTOLE_SOCKET", paths.socket.display().to_string()),
            (STATE_VARIABLE, paths.state.display().to_string()),
        ]
        .into_iter()
        .chain(logging(log, crate::host_setting))
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Ok(binary) = std::env::current_exe() {
        environment.insert("SYSTOLE_BINARY".into(), binary.display().to_string());
    }
    let tools = paths.tools.display();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
    environment.insert("PATH".into(), format!("{tools}:{path}"));
    environment.insert("HA_SBIN_DIR".into(), tools.to_string());
    Agents { search, environment, systemd: Systemd::default() }
}

/// The thread that writes. Its answers go to the node like any other result.
fn start_storage(
    paths: &Paths,
    saves: blocking::Receiver<Save>,
    results: mpsc::Sender<Input>,
) -> Result<std::thread::JoinHandle<()>, DaemonError> {
    let mut storage = Storage::new(&paths.cib);
    let fail = |source| DaemonError::File { path: paths.state.clone(), source };
    let (plans_in, plans) = start_plan_inputs(paths).map_err(fail)?;
    let work = move || {
        for save in saves {
            match save {
                Save::Cib { serial, text, digest } => {
                    let error = storage.write(&text, &digest).err().map(CibWriteError::from);
                    // at the end of the daemon nobody waits for it
                    let _ = results.blocking_send(Input::CibWritten { serial, error });
                }
                Save::PlanInput(input) => {
                    let transition = input.transition;
                    if plans_in.try_send(input).is_err() {
                        tracing::warn!(
                            "the input of transition {transition} was not saved: earlier ones are still being saved"
                        );
                    }
                }
            }
        }
        drop(plans_in);
        let _ = plans.join();
    };
    std::thread::Builder::new().name("storage".to_owned()).spawn(work).map_err(fail)
}

/// Most inputs of plans that wait for being saved.
const WAITING_PLANS: usize = 16;

/// How nice the thread is that compresses the inputs of plans: nobody waits for them, agents come first.
const NICEST: i32 = 19;

/// How long an input of a plan may wait before it is compressed: what the plan does comes first.
const BEFORE_COMPRESSING: Duration = Duration::from_secs(1);

/// Bytes of inputs that wait so; beyond them they are compressed at once.
const MOST_UNCOMPRESSED: usize = 8 << 20;

/// Compressing takes a while; the configuration must not wait for it.
fn start_plan_inputs(
    paths: &Paths,
) -> io::Result<(blocking::SyncSender<PlanInput>, std::thread::JoinHandle<()>)> {
    let mut plans = PlanInputs::new(&paths.plans);
    let (plans_in, waiting) = blocking::sync_channel::<PlanInput>(WAITING_PLANS);
    let work = move || {
        if let Err(error) = rustix::process::setpriority_process(None, NICEST) {
            tracing::debug!(%error, "inputs of plans are compressed at the usual priority");
        }
        while let Ok(first) = waiting.recv() {
            let until = Instant::now() + BEFORE_COMPRESSING;
            take_plan(&mut plans, first);
            while plans.unwritten() < MOST_UNCOMPRESSED
                && let Ok(next) = waiting.recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                take_plan(&mut plans, next);
            }
            for (path, error) in plans.write() {
                tracing::warn!(%error, "the input of a plan was not saved in {}", path.display());
            }
        }
    };
    Ok((plans_in, std::thread::Builder::new().name("plans".to_owned()).spawn(work)?))
}

/// Says that there is a plan and where its input goes, in the words that support tools look for (rule 4.39.3).
fn take_plan(plans: &mut PlanInputs, input: PlanInput) {
    let PlanInput { transition, severity, text, most } = input;
    let series = match severity {
        cluster::Severity::Info => "pe-input",
        cluster::Severity::Warning => "pe-warn",
        cluster::Severity::Error => "pe-error",
    };
    let saved = match plans.take(series, text, most) {
        Ok(Some(path)) => format!(", saving inputs in {}", path.display()),
        Ok(None) => String::new(),
        Err(error) => {
            tracing::warn!(%error, "the input of transition {transition} was not saved");
            return;
        }
    };
    match severity {
        cluster::Severity::Info => tracing::info!("Calculated transition {transition}{saved}"),
        cluster::Severity::Warning => tracing::warn!("Calculated transition {transition}{saved}"),
        cluster::Severity::Error => tracing::error!("Calculated transition {transition}{saved}"),
    }
}

/// SIGTERM and SIGINT: leave; a second one: at once (rule 4.34.3).
async fn forward_signals(commands: mpsc::Sender<Command>) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received; end this daemon through its API");
        return;
    };
    let mut escalate = false;
    loop {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        if commands.send(Command::Shutdown { escalate }).await.is_err() {
            return;
        }
        escalate = true;
    }
}

/// For sockets that all may connect to; what they may do is decided by who they are.
pub(crate) fn open_to_all(path: &PathBuf) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_4_13_1_agents_log_where_the_administrator_wants() {
        let told = |log: Log, given: &[(&str, &str)]| {
            let given: BTreeMap<String, String> =
                given.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            let mut all = logging(&log, |name| given.get(name).cloned());
            all.sort();
            all.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            told(Log::Stderr, &[]),
            "HA_LOGFACILITY=daemon HA_debug=0 PCMK_debug=0 PCMK_logfacility=daemon"
        );
        assert_eq!(
            told(Log::File("/a".into()), &[("logfacility", "local1"), ("logfile", "/b"), ("debug", "yes")]),
            "HA_DEBUGLOG=/a HA_LOGFACILITY=local1 HA_LOGFILE=/a HA_debug=1 PCMK_debug=1 PCMK_logfacility=local1"
        );
        let quiet =
            [("logfacility", "none"), ("logfile", "none"), ("debug", "pacemaker-fenced,pacemaker-execd")];
        assert_eq!(told(Log::Stderr, &quiet), "HA_debug=1 PCMK_debug=1 PCMK_logfacility=none");
        let other = [("logfile", "/b"), ("debug", "pacemaker-fenced")];
        assert_eq!(
            told(Log::Stderr, &other),
            "HA_LOGFACILITY=daemon HA_LOGFILE=/b HA_debug=0 PCMK_debug=0 PCMK_logfacility=daemon"
        );
    }

    /// Rule 4.40.1.
    #[test]
    fn the_daemon_logs_where_and_as_much_as_the_administrator_wants() {
        let file = |text: &str| host_log(Some(text.to_owned())).map(|path| path.display().to_string());
        assert_eq!(["/a", "none", "/dev/null", ""].map(file), [Some("/a".to_owned()), None, None, None]);
        let levels =
            ["yes", "no", "pacemaker-based,pacemaker-controld", ""].map(|text| level(Some(text.to_owned())));
        assert_eq!((levels, level(None)), (["debug", "info", "debug", "info"], "info"));
    }

    #[test]
    fn rule_4_3_3_the_agents_directory_is_open_to_all_and_keeps_its_content() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("resource-agents");
        // more than any usual umask lets through
        make_directory(&directory, 0o777).unwrap();
        let mode = || fs::metadata(&directory).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(), 0o777);
        // at a restart of the cluster: it is emptied by the boot alone
        fs::write(directory.join("it.state"), "").unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o1777)).unwrap();
        make_directory(&directory, 0o755).unwrap();
        assert_eq!(mode(), 0o1777);
        assert!(directory.join("it.state").exists());
    }
}
