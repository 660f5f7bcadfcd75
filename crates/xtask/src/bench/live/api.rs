//! The little of HTTP that the bench needs to talk to a node: one request after the other on one connection,
//! and the journal as it grows. Built on the standard library, so that `xtask` itself stays quick to build.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// No answer takes longer; a bench that hangs is of no use.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection that is kept.
pub struct Api {
    stream: BufReader<UnixStream>,
}

impl Api {
    /// Connects to the node with this socket.
    pub fn connect(socket: &Path) -> Result<Api, String> {
        let stream = UnixStream::connect(socket).map_err(|error| format!("{}: {error}", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        Ok(Api { stream: BufReader::new(stream) })
    }

    /// The body of an answer to `GET`.
    pub fn get(&mut self, path: &str) -> Result<String, String> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: node\r\n\r\n"))
    }

    /// The same as JSON.
    pub fn get_json(&mut self, path: &str) -> Result<Value, String> {
        let body = self.get(path)?;
        serde_json::from_str(&body).map_err(|error| format!("{path}: {error}: {body}"))
    }

    /// Sends JSON; the answer must be a success.
    pub fn post(&mut self, path: &str, body: &Value) -> Result<(), String> {
        let body = body.to_string();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\n");
        self.ask(&format!("{head}content-length: {length}\r\n\r\n{body}")).map(drop)
    }

    fn ask(&mut self, request: &str) -> Result<String, String> {
        let broken = |error: std::io::Error| format!("the node's socket: {error}");
        self.stream.get_mut().write_all(request.as_bytes()).map_err(broken)?;
        let (code, length) = read_head(&mut self.stream)?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(broken)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if code == 200 { Ok(body) } else { Err(format!("the node answered {code}: {body}")) }
    }
}

/// Status code and length of the body.
fn read_head(stream: &mut impl BufRead) -> Result<(u16, usize), String> {
    let (mut code, mut length) = (0, 0);
    for number in 0.. {
        let mut line = String::new();
        stream.read_line(&mut line).map_err(|error| format!("the node's socket: {error}"))?;
        let line = line.trim_end();
        if number == 0 {
            let word = line.split(' ').nth(1).and_then(|word| word.parse().ok());
            code = word.ok_or_else(|| format!("the node answered {line:?}"))?;
        } else if line.is_empty() {
            break;
        } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| format!("the node answered {line:?}"))?;
        }
    }
    Ok((code, length))
}

/// The node's journal after the entry with this number, as it grows.
pub fn events(socket: &Path, after: u64) -> Result<impl Iterator<Item = Value> + use<>, String> {
    let mut api = Api::connect(socket)?;
    // the old protocol has no pieces of a body that would have to be put together
    let request = format!("GET /v1/events?after={after} HTTP/1.0\r\nhost: node\r\n\r\n");
    api.stream.get_mut().write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let (code, _) = read_head(&mut api.stream)?;
    if code != 200 {
        return Err(format!("the node answered {code}"));
    }
    let lines = api.stream.lines().map_while(Result::ok);
    Ok(lines.filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok()))
}
