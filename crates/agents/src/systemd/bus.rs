//! The connection to systemd on the system bus: method calls and the signals that matter here. It knows
//! systemd's words, and nothing of resources.

use tokio::sync::broadcast;
use tokio_stream::StreamExt;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream, OwnedObjectPath, Variant};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const ROOT: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const JOB: &str = "org.freedesktop.systemd1.Job";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const DBUS: &str = "org.freedesktop.DBus";
const DBUS_PATH: &str = "/org/freedesktop/DBus";

/// Signals that are kept for one that does not come to read them; it is told if there were more.
const KEPT_SIGNALS: usize = 4096;

/// Why systemd did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BusError {
    /// It cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// The connection went away; what was asked may have been done.
    #[error("{0}")]
    Lost(String),
    /// It answered with an error.
    #[error("{text}")]
    Refused {
        /// Name of the error.
        name: String,
        /// Its explanation.
        text: String,
    },
}

impl From<zbus::Error> for BusError {
    fn from(error: zbus::Error) -> BusError {
        use zbus::DBusError;
        match error {
            zbus::Error::MethodError(name, text, _) => {
                let name = name.to_string();
                BusError::Refused { text: text.unwrap_or_else(|| name.clone()), name }
            }
            zbus::Error::FDO(error) => {
                let (name, text) = (error.name().to_string(), error.description().unwrap_or("").to_owned());
                let gone =
                    ["ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected", "NoServer", "Spawn."];
                if gone.iter().any(|word| name.contains(&format!("Error.{word}"))) {
                    BusError::Unavailable(if text.is_empty() { name } else { text })
                } else {
                    BusError::Refused { text: if text.is_empty() { name.clone() } else { text }, name }
                }
            }
            zbus::Error::InputOutput(error) => BusError::Lost(error.to_string()),
            other => BusError::Unavailable(other.to_string()),
        }
    }
}

/// What a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnitState {
    /// `loaded`, `not-found`, `masked`, …
    pub(super) load: String,
    /// `active`, `inactive`, `activating`, …
    pub(super) active: String,
}

/// What systemd announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signal {
    /// A job has ended.
    JobRemoved {
        /// Its object.
        path: String,
        /// `done`, `failed`, `timeout`, …
        result: String,
    },
    /// Properties of this object have changed.
    Changed(String),
    /// systemd has left the bus or come to it.
    Restarted,
}

/// Why signals are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missed {
    /// There were too many.
    Some,
    /// The connection has ended.
    Lost,
}

/// All signals from one moment on.
pub(super) struct Signals(broadcast::Receiver<Signal>);

impl Signals {
    pub(super) async fn next(&mut self) -> Result<Signal, Missed> {
        self.0.recv().await.map_err(|error| match error {
            broadcast::error::RecvError::Lagged(_) => Missed::Some,
            broadcast::error::RecvError::Closed => Missed::Lost,
        })
    }

    /// Waits until an object has, or may have, changed.
    pub(super) async fn change_of(&mut self, path: &str) -> Result<(), BusError> {
        loop {
            match self.next().await {
                Ok(Signal::Changed(changed)) if changed == path => return Ok(()),
                Ok(Signal::Restarted) | Err(Missed::Some) => return Ok(()),
                Ok(_) => {}
                Err(Missed::Lost) => {
                    return Err(BusError::Lost("the bus has closed the connection".to_owned()));
                }
            }
        }
    }
}

/// A connection.
pub(super) struct Bus {
    connection: Connection,
    /// Never read; others start from it.
    signals: broadcast::Receiver<Signal>,
}

impl Bus {
    /// Connects, and asks for the signals that are needed.
    pub(super) async fn connect(address: Option<&str>) -> Result<Bus, BusError> {
        let builder = match address {
            Some(address) => zbus::connection::Builder::address(address),
            None => zbus::connection::Builder::system(),
        };
        let connection = builder.build().await.map_err(|error| BusError::Unavailable(error.to_string()))?;
        Bus::over(connection).await
    }

    async fn over(connection: Connection) -> Result<Bus, BusError> {
        let (sender, signals) = broadcast::channel(KEPT_SIGNALS);
        let stream = MessageStream::from(&connection);
        tokio::spawn(pass_on(stream, sender));
        let bus = Bus { connection, signals };
        bus.add_match(&format!(
            "type='signal',sender='{SYSTEMD}',path='{ROOT}',interface='{MANAGER}',member='JobRemoved'"
        ))
        .await?;
        bus.add_match(&format!(
            "type='signal',sender='{DBUS}',interface='{DBUS}',member='NameOwnerChanged',arg0='{SYSTEMD}'"
        ))
        .await?;
        bus.manager("Subscribe", &()).await?;
        Ok(bus)
    }

    pub(super) fn is_open(&self) -> bool {
        !self.connection.is_closed()
    }

    /// All signals from now on.
    pub(super) fn signals(&self) -> Signals {
        Signals(self.signals.resubscribe())
    }

    /// Object of a unit, which is loaded if it is not. There is one for names without a unit as well.
    pub(super) async fn load(&self, unit: &str) -> Result<String, BusError> {
        path_in(&self.manager("LoadUnit", &(unit,)).await?)
    }

    pub(super) async fn state(&self, path: &str) -> Result<UnitState, BusError> {
        Ok(UnitState {
            load: self.unit_text(path, "LoadState").await?,
            active: self.unit_text(path, "ActiveState").await?,
        })
    }

    /// A property of a unit that is a text.
    pub(super) async fn unit_text(&self, path: &str, property: &str) -> Result<String, BusError> {
        let message = self.get(path, property).await?;
        let body = message.body();
        let value: Variant<'_> = body.deserialize()?;
        Ok(String::try_from(&value)?)
    }

    /// Object of the job that a unit has; `/` if none.
    pub(super) async fn job_of(&self, path: &str) -> Result<String, BusError> {
        let message = self.get(path, "Job").await?;
        let body = message.body();
        let value: Variant<'_> = body.deserialize()?;
        let Variant::Structure(pair) = value else { return Ok("/".to_owned()) };
        let (_, job): (u32, OwnedObjectPath) = pair.try_into()?;
        Ok(job.as_str().to_owned())
    }

    async fn get(&self, path: &str, property: &str) -> Result<Message, BusError> {
        self.call(path, PROPERTIES, "Get", &(UNIT, property)).await
    }

    /// Queues a job; gives its object. `verb`: `start`, `stop`, `restart` or `reload`.
    pub(super) async fn queue(&self, verb: &str, unit: &str) -> Result<String, BusError> {
        let method = match verb {
            "start" => "StartUnit",
            "stop" => "StopUnit",
            "restart" => "RestartUnit",
            _ => "ReloadUnit",
        };
        path_in(&self.manager(method, &(unit, "replace")).await?)
    }

    pub(super) async fn cancel(&self, job: &str) -> Result<(), BusError> {
        self.call(job, JOB, "Cancel", &()).await.map(drop)
    }

    pub(super) async fn reload_configuration(&self) -> Result<(), BusError> {
        self.manager("Reload", &()).await.map(drop)
    }

    /// Names of all unit files.
    pub(super) async fn unit_files(&self) -> Result<Vec<String>, BusError> {
        let message = self.manager("ListUnitFiles", &()).await?;
        let files: Vec<(String, String)> = message.body().deserialize()?;
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        Ok(files.iter().map(|(path, _)| name(path)).collect())
    }

    /// Has changes of a unit announced, until the watch is dropped.
    pub(super) async fn watch(&self, path: &str) -> Result<Watch, BusError> {
        let rule = format!(
            "type='signal',sender='{SYSTEMD}',path='{path}',interface='{PROPERTIES}',member='PropertiesChanged'"
        );
        self.add_match(&rule).await?;
        Ok(Watch { connection: self.connection.clone(), rule })
    }

    async fn add_match(&self, rule: &str) -> Result<(), BusError> {
        self.connection.call_method(Some(DBUS), DBUS_PATH, Some(DBUS), "AddMatch", &(rule,)).await?;
        Ok(())
    }

    async fn manager<B>(&self, method: &str, body: &B) -> Result<Message, BusError>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        self.call(ROOT, MANAGER, method, body).await
    }

    async fn call<B>(&self, path: &str, interface: &str, method: &str, body: &B) -> Result<Message, BusError>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        Ok(self.connection.call_method(Some(SYSTEMD), path, Some(interface), method, body).await?)
    }
}

fn path_in(message: &Message) -> Result<String, BusError> {
    let path: OwnedObjectPath = message.body().deserialize()?;
    Ok(path.as_str().to_owned())
}

/// Reads every message at once: one that is left lying holds up all that come after it, answers included.
async fn pass_on(mut messages: MessageStream, sender: broadcast::Sender<Signal>) {
    while let Some(Ok(message)) = messages.next().await {
        if let Some(signal) = signal(&message) {
            // nobody may be interested at the moment
            let _ = sender.send(signal);
        }
    }
}

fn signal(message: &Message) -> Option<Signal> {
    if message.message_type() != Type::Signal {
        return None;
    }
    let header = message.header();
    match (header.interface()?.as_str(), header.member()?.as_str()) {
        (MANAGER, "JobRemoved") => {
            let body = message.body();
            let (_, path, _, result): (u32, OwnedObjectPath, String, String) = body.deserialize().ok()?;
            Some(Signal::JobRemoved { path: path.as_str().to_owned(), result })
        }
        (PROPERTIES, "PropertiesChanged") => Some(Signal::Changed(header.path()?.as_str().to_owned())),
        (DBUS, "NameOwnerChanged") => Some(Signal::Restarted),
        _ => None,
    }
}

/// While it lives, changes of an object are announced.
pub(super) struct Watch {
    connection: Connection,
    rule: String,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let (connection, rule) = (self.connection.clone(), std::mem::take(&mut self.rule));
        let forget = async move {
            // with a connection that has ended, its rules have too
            let _ = connection.call_method(Some(DBUS), DBUS_PATH, Some(DBUS), "RemoveMatch", &(rule,)).await;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(forget);
        }
    }
}
