//! Scenarios against a made-up systemd at the other end of a real connection.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use tokio_stream::StreamExt;
use zbus::{Connection, Message, MessageStream, ObjectPath, Variant};

const LONG: Duration = Duration::from_secs(60);

/// What the made-up systemd does with a unit's job.
#[derive(Clone, Copy, PartialEq)]
enum Script {
    /// It ends with this result and leaves the unit in this state.
    Ends(&'static str, &'static str),
    /// It never ends.
    Hangs,
    /// It is queued, the unit gets this state, and the connection is closed.
    Drops(&'static str),
    /// It is refused with this error.
    Refused(&'static str),
}

struct FakeUnit {
    load: &'static str,
    active: &'static str,
    script: Script,
}

#[derive(Default)]
struct World {
    units: BTreeMap<String, FakeUnit>,
    calls: Vec<String>,
    jobs: u32,
    connections: Vec<Connection>,
}

#[derive(Clone)]
struct Fake(Arc<Mutex<World>>);

fn path_of(unit: &str) -> String {
    format!("/unit/{}", unit.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

impl Fake {
    /// Listens at a socket in `directory`.
    fn listen(directory: &Path) -> (Fake, Systemd) {
        let fake = Fake(Arc::default());
        let socket = directory.join("bus");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let builder = zbus::connection::Builder::unix_stream(stream.into_std().unwrap());
                let builder = builder.server(zbus::Guid::generate()).p2p();
                let serving = serving.clone();
                tokio::spawn(async move {
                    let connection = builder.build().await.unwrap();
                    lock(&serving.0).connections.push(connection.clone());
                    serving.serve(connection).await;
                });
            }
        });
        let systemd = Systemd::at(&format!("unix:path={}", socket.display()), &directory.join("units"));
        (fake, systemd)
    }

    fn unit(&self, name: &str, load: &'static str, active: &'static str, script: Script) {
        lock(&self.0).units.insert(name.to_owned(), FakeUnit { load, active, script });
    }

    fn calls(&self) -> Vec<String> {
        lock(&self.0).calls.clone()
    }

    async fn serve(&self, connection: Connection) {
        let mut messages = MessageStream::from(&connection);
        while let Some(Ok(message)) = messages.next().await {
            if message.message_type() == zbus::message::Type::MethodCall {
                self.answer(&connection, &message).await;
            }
        }
    }

    async fn answer(&self, connection: &Connection, message: &Message) {
        let header = message.header();
        let member = header.member().unwrap().as_str().to_owned();
        let body = message.body();
        match member.as_str() {
            "Hello" => connection.reply(&header, &":1.1").await.unwrap(),
            "LoadUnit" => {
                let (unit,): (String,) = body.deserialize().unwrap();
                lock(&self.0).units.entry(unit.clone()).or_insert(FakeUnit {
                    load: "not-found",
                    active: "inactive",
                    script: Script::Refused("org.freedesktop.systemd1.NoSuchUnit"),
                });
                let path = path_of(&unit);
                connection.reply(&header, &ObjectPath::try_from(path).unwrap()).await.unwrap();
            }
            "Get" => {
                let (_, property): (String, String) = body.deserialize().unwrap();
                let value = self.property(header.path().unwrap().as_str(), &property);
                connection.reply(&header, &value).await.unwrap();
            }
            "StartUnit" | "StopUnit" | "RestartUnit" | "ReloadUnit" => {
                let (unit, mode): (String, String) = body.deserialize().unwrap();
                lock(&self.0).calls.push(format!("{member} {unit} {mode}"));
                self.job(connection, message, &unit).await;
            }
            other => {
                lock(&self.0).calls.push(other.to_owned());
                connection.reply(&header, &()).await.unwrap();
            }
        }
    }

    fn property(&self, path: &str, property: &str) -> Variant<'static> {
        let world = lock(&self.0);
        let (name, unit) = world.units.iter().find(|(name, _)| path_of(name) == path).unwrap();
        match property {
            "LoadState" => Variant::from(unit.load),
            "ActiveState" => Variant::from(unit.active),
            "Job" => Variant::from((0u32, ObjectPath::try_from("/").unwrap())),
            _ => Variant::from(format!("About {name}")),
        }
    }

    async fn job(&self, connection: &Connection, message: &Message, unit: &str) {
        let (script, id) = {
            let mut world = lock(&self.0);
            world.jobs += 1;
            (world.units[unit].script, world.jobs)
        };
        let header = message.header();
        let reply = ObjectPath::try_from(format!("/job/{id}")).unwrap();
        match script {
            Script::Refused(error) => {
                connection.reply_error(&header, error, &("Refused.",)).await.unwrap();
            }
            Script::Hangs => connection.reply(&header, &reply).await.unwrap(),
            Script::Drops(active) => {
                self.set(unit, active);
                connection.reply(&header, &reply).await.unwrap();
                connection.clone().close().await.unwrap();
            }
            Script::Ends(result, active) => {
                self.set(unit, active);
                // the end of another job, and that of this one before the call is answered
                removed(connection, 999, "other.service", "failed").await;
                removed(connection, id, unit, result).await;
                connection.reply(&header, &reply).await.unwrap();
            }
        }
    }

    fn set(&self, unit: &str, active: &'static str) {
        lock(&self.0).units.get_mut(unit).unwrap().active = active;
    }

    /// A unit gets another state, and systemd says that something has changed.
    async fn change(&self, unit: &str, active: &'static str) {
        self.set(unit, active);
        let connections = lock(&self.0).connections.clone();
        for connection in connections {
            let body =
                ("org.freedesktop.systemd1.Unit", BTreeMap::<&str, Variant<'_>>::new(), [""; 0].as_slice());
            let properties = "org.freedesktop.DBus.Properties";
            let path = path_of(unit);
            connection.emit_signal(None::<&str>, path, properties, "PropertiesChanged", &body).await.unwrap();
        }
    }
}

async fn removed(connection: &Connection, id: u32, unit: &str, result: &str) {
    let body = (id, ObjectPath::try_from(format!("/job/{id}")).unwrap(), unit, result);
    let (path, manager) = ("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager");
    connection.emit_signal(None::<&str>, path, manager, "JobRemoved", &body).await.unwrap();
}

fn scenario<F: Future<Output = ()>>(play: impl FnOnce(Fake, Systemd, std::path::PathBuf) -> F) {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (fake, systemd) = Fake::listen(directory.path());
        play(fake, systemd, directory.path().join("units")).await;
    });
}

fn short(outcome: &Outcome) -> (Status, i32) {
    (outcome.status, outcome.exit_code)
}

const OK: (Status, i32) = (Status::Done, 0);

#[test]
fn a_start_ends_with_its_job_and_a_stop_takes_the_drop_in_away() {
    scenario(|fake, systemd, units| async move {
        fake.unit("web.service", "loaded", "inactive", Script::Ends("done", "active"));
        let outcome = systemd.run("web", "start", LONG, None).await;
        assert_eq!(short(&outcome), OK, "{outcome:?}");
        let drop_in = units.join("web.service.d/50-pacemaker.conf");
        assert_eq!(
            std::fs::read_to_string(&drop_in).unwrap(),
            "[Unit]\nDescription=Cluster Controlled web.service\n\
             Before=systole.service pacemaker.service pacemaker_remote.service\n\n[Service]\nRestart=no\n"
        );
        assert_eq!(short(&systemd.run("web", "monitor", LONG, None).await), OK);
        fake.unit("web.service", "loaded", "active", Script::Ends("done", "inactive"));
        assert_eq!(short(&systemd.run("web", "stop", LONG, None).await), OK);
        assert!(!drop_in.exists() && !drop_in.parent().unwrap().exists());
        let outcome = systemd.run("web", "monitor", LONG, None).await;
        assert_eq!((short(&outcome), &*outcome.exit_reason), ((Status::Done, 7), "inactive"));
        let calls: Vec<String> = fake.calls().into_iter().filter(|call| call != "AddMatch").collect();
        let expected = [
            "Subscribe",
            "Reload",
            "StartUnit web.service replace",
            "Reload",
            "StopUnit web.service replace",
        ];
        assert_eq!(calls, expected);
    });
}

#[test]
fn jobs_that_fail_say_how() {
    scenario(|fake, systemd, _| async move {
        for (result, expected) in [
            ("failed", (Status::Error, 1)),
            ("dependency", (Status::Error, 1)),
            ("canceled", (Status::Error, 1)),
            ("timeout", (Status::TimedOut, 1)),
        ] {
            fake.unit("x.service", "loaded", "inactive", Script::Ends(result, "failed"));
            let outcome = systemd.run("x", "start", LONG, None).await;
            assert_eq!(short(&outcome), expected);
            assert!(outcome.exit_reason.contains(&format!("'{result}'")), "{outcome:?}");
        }
        fake.unit(
            "x.service",
            "loaded",
            "active",
            Script::Refused("org.freedesktop.systemd1.JobTypeNotApplicable"),
        );
        assert_eq!(short(&systemd.run("x", "reload", LONG, None).await), (Status::Unsupported, 3));
    });
}

#[test]
fn units_that_are_not_there_or_masked() {
    scenario(|fake, systemd, units| async move {
        let missing = (Status::NotInstalled, 5);
        for action in ["start", "monitor"] {
            let outcome = systemd.run("gone", action, LONG, None).await;
            assert_eq!((short(&outcome), &*outcome.exit_reason), (missing, "systemd unit gone not found"));
            assert_eq!(short(&systemd.run("../../etc/x", action, LONG, None).await), missing);
        }
        assert_eq!(short(&systemd.run("gone", "stop", LONG, None).await), OK);
        assert!(!units.exists(), "a drop-in for a unit that is not there");
        fake.unit(
            "masked.service",
            "masked",
            "inactive",
            Script::Refused("org.freedesktop.systemd1.UnitMasked"),
        );
        let outcome = systemd.run("masked", "start", LONG, None).await;
        assert!(short(&outcome) == missing && outcome.exit_reason.contains("masked"), "{outcome:?}");
        assert_eq!(short(&systemd.run("masked", "monitor", LONG, None).await), (Status::Done, 7));
        // its file is gone, but it runs
        fake.unit("left.service", "not-found", "active", Script::Hangs);
        assert_eq!(short(&systemd.run("left", "monitor", LONG, None).await), OK);
        assert!(systemd.knows("masked").await && !systemd.knows("gone").await);
        fake.unit("tmpl@pacemaker.service", "loaded", "inactive", Script::Hangs);
        let about = systemd.description("tmpl@").await.unwrap();
        assert_eq!(about.as_deref(), Some("About tmpl@pacemaker.service"));
    });
}

#[test]
fn a_unit_between_two_states_is_looked_at_again_when_it_changes() {
    scenario(|fake, systemd, _| async move {
        for (between, after, expected) in
            [("activating", "active", OK), ("deactivating", "failed", (Status::Done, 7))]
        {
            fake.unit("slow.service", "loaded", between, Script::Hangs);
            let begun = fake.calls().len();
            let changes = async {
                // the watch is set before the second look
                while !fake.calls()[begun..].iter().any(|call| call == "AddMatch") {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                fake.change("slow.service", between).await;
                fake.change("slow.service", after).await;
            };
            let (outcome, ()) = tokio::join!(systemd.run("slow", "monitor", LONG, None), changes);
            assert_eq!(short(&outcome), expected, "{outcome:?}");
        }
    });
}

#[test]
fn one_that_stays_between_two_states_times_out() {
    scenario(|fake, systemd, _| async move {
        fake.unit("stuck.service", "loaded", "activating", Script::Hangs);
        let outcome = systemd.run("stuck", "monitor", Duration::from_millis(200), None).await;
        assert_eq!(short(&outcome), (Status::TimedOut, 1));
        let expected = "monitor did not complete within 200ms: systemd unit stuck is activating";
        assert_eq!(outcome.exit_reason, expected);
    });
}

#[test]
fn a_job_survives_the_loss_of_the_connection() {
    scenario(|fake, systemd, _| async move {
        fake.unit("x.service", "loaded", "active", Script::Drops("inactive"));
        assert_eq!(short(&systemd.run("x", "stop", LONG, None).await), OK);
        fake.unit("x.service", "loaded", "inactive", Script::Drops("failed"));
        let outcome = systemd.run("x", "start", LONG, None).await;
        assert_eq!(short(&outcome), (Status::Error, 1));
        assert!(outcome.exit_reason.contains("failed"), "{outcome:?}");
    });
}

#[test]
fn what_nobody_waits_for_is_taken_back() {
    scenario(|fake, systemd, _| async move {
        fake.unit("x.service", "loaded", "inactive", Script::Hangs);
        let (cancel, cancelled) = oneshot::channel();
        let cancelling = async {
            while !fake.calls().iter().any(|call| call.starts_with("StartUnit")) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // until the answer has come back
            tokio::time::sleep(Duration::from_millis(50)).await;
            cancel.send(()).unwrap();
        };
        let (outcome, ()) = tokio::join!(systemd.run("x", "start", LONG, Some(cancelled)), cancelling);
        assert_eq!(outcome.status, Status::Cancelled);
        assert_eq!(fake.calls().last().map(String::as_str), Some("Cancel"));
    });
}

#[test]
fn without_a_bus_that_is_what_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = format!("unix:path={}", directory.path().join("nothing").display());
    let systemd = Systemd::at(&address, directory.path());
    for action in ["start", "stop", "monitor"] {
        let outcome = runtime.block_on(systemd.run("x", action, LONG, None));
        assert_eq!(short(&outcome), (Status::Error, 1));
        assert!(outcome.exit_reason.starts_with("No DBus connection: "), "{outcome:?}");
    }
    assert_eq!(runtime.block_on(systemd.run("x", "promote", LONG, None)).status, Status::Unsupported);
}
