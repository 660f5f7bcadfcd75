//! Messages that are malformed, too large or cut short, on each socket of a daemon: refused, told in the log, the
//! connection closed, and nobody else disturbed.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use super::*;

/// What the other end sends until it closes the connection, which it must do.
fn talk(socket: &Path, bytes: &[u8], then: impl FnOnce(&UnixStream)) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENT)).unwrap();
    // the daemon may close at any moment
    let _ = stream.write_all(bytes);
    then(&stream);
    let mut answer = Vec::new();
    match stream.take(1 << 20).read_to_end(&mut answer) {
        // closed with something still unread
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => drop(other.expect("the connection is closed")),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn log(cluster: &Cluster, id: usize) -> String {
    std::fs::read_to_string(cluster.state(id).join("daemon.log")).unwrap()
}

pub fn rubbish_on_the_api_harms_nobody() {
    let cluster = Cluster::new(1);
    let mut client = cluster.client(1);
    let socket = cluster.state(1).join("api.sock");
    let send = |bytes: &[u8]| talk(&socket, bytes, |_| {});
    let close = "host: x\r\nconnection: close\r\n";
    assert!(send(b"\x00\xff\r\n\r\n").contains("400"));
    assert!(send(format!("GET /nowhere HTTP/1.1\r\n{close}\r\n").as_bytes()).contains("404"));
    assert!(send(format!("DELETE /v1/cib HTTP/1.1\r\n{close}\r\n").as_bytes()).contains("405"));
    let body = |text: &str| {
        let length = text.len();
        format!(
            "POST /v1/cib HTTP/1.1\r\n{close}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{text}"
        )
    };
    let answer = send(body("{\"operation\": \"explode\"}").as_bytes());
    assert!(answer.contains("400") && answer.contains("\"line\":1"), "{answer}");
    assert!(send(body("{").as_bytes()).contains("not understood"));
    assert!(
        send(format!("POST /v1/cib HTTP/1.1\r\n{close}content-length: 99999999999\r\n\r\n").as_bytes())
            .contains("413")
    );
    assert!(
        send(format!("GET /v1/{} HTTP/1.1\r\n{close}\r\n", "x".repeat(100_000)).as_bytes()).contains("4")
    );
    let long_head = format!("GET /v1/status HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(50_000));
    assert!(send(long_head.as_bytes()).contains("431"));
    // whoever sends what cannot be read is not listened to any more, whether it asked for that or not
    let open = |text: &str| {
        let length = text.len();
        format!("POST /v1/cib HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{text}")
    };
    let deep = format!("{{\"xml\": {}", "[".repeat(1 << 20));
    for text in ["{\"operation\": 7}", &deep, "{\"operation\": \"modify\", \"xml\": \"\\ud800\"}"] {
        let answer = send(open(text).as_bytes());
        assert!(answer.contains("400") && answer.contains("not understood"), "{answer}");
    }
    let chunks = "POST /v1/cib HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    assert!(send(format!("{chunks}zz\r\n").as_bytes()).contains("400"));
    let cut = talk(&socket, &open("{\"operation\": \"modify\"}").as_bytes()[..70], |stream| {
        stream.shutdown(Shutdown::Write).unwrap();
    });
    assert!(cut.is_empty() || cut.contains("did not come whole"), "{cut}");
    // a length that is not announced is no way round the limit
    let flood = talk(&socket, chunks.as_bytes(), |mut stream| {
        let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    });
    assert!(flood.is_empty() || flood.contains("413"), "{flood}");
    let log = log(&cluster, 1);
    for told in ["did not speak HTTP", "the body is not understood", "the body is longer than"] {
        assert!(log.contains(told), "the log does not have: {told}");
    }
    let idle: Vec<UnixStream> = (0..100).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    assert!(client.status().is_ok());
    drop(idle);
    let answer = send(format!("GET /openapi.json HTTP/1.1\r\n{close}\r\n").as_bytes());
    assert!(answer.contains("\"openapi\"") && answer.contains("/v1/operations"), "{answer}");
    assert!(client.agents(&Default::default()).unwrap().contains(&"ocf".to_owned()));
    assert!(client.agent_metadata("ocf:pacemaker:Dummy").unwrap().contains("resource-agent"));
    match client.agent_metadata("ocf:no:such") {
        Err(Error::Refused(problem)) => {
            assert_eq!((problem.code.as_str(), problem.exit_code), ("no-such-object", 5))
        }
        other => panic!("{other:?}"),
    }
}

/// Opens many connections and says something on each of them again and again.
const CROWD: &str = r#"
$| = 1; $SIG{PIPE} = "IGNORE";
my @all = map { IO::Socket::UNIX->new(Peer => $ARGV[0]) } 1..300;
while (1) {
    for my $one (@all) { syswrite($one, "GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n") if $one }
    print "here\n";
    sleep 1;
}"#;

/// Users who may not use the cluster may knock, and knock, and keep nobody out who may.
pub fn strangers_keep_nobody_out() {
    let cluster = Cluster::new(1);
    cluster.settle(&[1]);
    let perl = |words: &[&str]| Command::new("perl").args(words).stderr(Stdio::null()).status();
    let has_perl = perl(&["-MIO::Socket::UNIX", "-e", "1"]).is_ok_and(|status| status.success());
    if !rustix::process::getuid().is_root() || !has_perl {
        println!("  not root, or no perl: nobody else to be");
        return;
    }
    for folder in [cluster.directory.path().to_owned(), cluster.state(1)] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let crowd = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "perl", "-MIO::Socket::UNIX", "-e", CROWD])
        .arg(cluster.state(1).join("api.sock"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut crowd = Crowd(crowd);
    let mut said = [0; 5];
    crowd.0.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    for _ in 0..20 {
        cluster.client(1).status().unwrap();
    }
}

/// Goes with the test, however that ends.
struct Crowd(Child);

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A frame of the bus: length, kind, body.
fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap();
    [&length.to_le_bytes()[..], &[kind], body].concat()
}

fn hello(node: u32, protocol: u32, retained: u32) -> Vec<u8> {
    let text = format!(
        r#"{{"protocol":{protocol},"node":{node},"name":"node{node}","view":null,"delivered":0,"retained":{retained},"saw_all":false}}"#
    );
    frame(1, text.as_bytes())
}

/// How often each node was told of other members.
fn views(cluster: &Cluster) -> Vec<usize> {
    let of_node = |id: usize| {
        let events = cluster.client(id).events(&EventQuery { after: Some(0), no_follow: true }).unwrap();
        events.filter(|event| event.as_ref().unwrap().kind == "membership").count()
    };
    (1..=3).map(of_node).collect()
}

pub fn rubbish_on_the_bus_harms_nobody() {
    let cluster = Cluster::without(4, &[4]);
    let dc = cluster.settle(&[1, 2, 3]);
    let before = views(&cluster);
    let socket = cluster.directory.path().join("bus/switch.sock");
    let long = (u32::try_from(messaging::MAX_MESSAGE).unwrap() + (1 << 20)).to_le_bytes();
    let cut_short = &hello(4, 1, 0)[..20];
    let rubbish: [(&str, &[u8]); 12] = [
        ("is longer than", b"\xff\xff\xff\xff\x01{}"),
        ("is longer than", &long),
        ("empty frame", b"\0\0\0\0"),
        ("unknown frame kind 99", &frame(99, b"?")),
        ("expected", &frame(1, b"{\"protocol\":")),
        ("invalid type", &frame(1, b"{\"protocol\":\"one\"}")),
        ("did not begin with a hello", &frame(5, &[0; 8])),
        ("frame too short", &frame(4, &[0; 3])),
        ("within a frame", cut_short),
        ("within a frame", b"\x07\0"),
        ("too many retained", &hello(4, 1, u32::MAX)),
        ("retained messages are missing", &[hello(4, 1, 3), frame(3, &[0; 8])].concat()),
    ];
    for (_, bytes) in rubbish {
        let answer = talk(&socket, bytes, |stream| stream.shutdown(Shutdown::Write).unwrap());
        assert!(answer.is_empty(), "{bytes:?} was answered: {answer}");
    }
    // who is understood and refused is told why
    for (bytes, reason) in [(hello(4, 99, 0), "protocol 99"), (hello(9, 1, 0), "not configured")] {
        let answer = talk(&socket, &bytes, |stream| stream.shutdown(Shutdown::Write).unwrap());
        assert!(answer.contains(reason), "{answer}");
    }
    // saying nothing, or half of a hello, for ever
    let silent: Vec<UnixStream> = (0..300).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    drop(silent);
    talk(&socket, &hello(4, 1, 2), |_| {});
    let logs: String = (1..=3).map(|id| log(&cluster, id)).collect();
    for (told, _) in rubbish {
        assert!(logs.contains(told), "no log has: {told}");
    }
    assert_eq!(views(&cluster), before, "somebody was disturbed");

    // a member that speaks the bus's language and talks nonsense in it
    let nonsense = |payload: &[u8]| frame(3, &[&1u64.to_le_bytes()[..], payload].concat());
    let unexpected = frame(7, br#"{"id":1,"hosts":[1],"members":[1],"quorate":true}"#);
    let words = [hello(4, 1, 0), nonsense(b""), nonsense(b"\xff\0{"), nonsense(&[b'['; 1 << 20]), unexpected];
    talk(&socket, &words.concat(), |_| {});
    assert_eq!(cluster.settle(&[1, 2, 3]), dc);
    let mut client = cluster.client(2);
    without_fencing(&mut client);
    for id in 1..=3 {
        wait("the change to be everywhere", || {
            let text = cluster.client(id).cib(&CibQuery::default()).ok()?;
            text.contains("stonith-enabled").then_some(())
        });
    }
    let logs: String = (1..=3).map(|id| log(&cluster, id)).collect();
    assert!(logs.contains("unexpected frame"), "{logs}");
    assert!(logs.contains("from node4 (id 4): "), "{logs}");
}
