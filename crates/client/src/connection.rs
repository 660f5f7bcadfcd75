//! One HTTP/1.1 connection over a Unix socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use view::api::Problem;

use crate::{Error, Result};

/// Largest answer that is read into memory, in bytes.
const MAX_ANSWER: usize = 256 << 20;

pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    path: PathBuf,
}

impl Connection {
    pub(crate) async fn open(path: &Path) -> Result<Connection> {
        let stream = UnixStream::connect(path).await.map_err(|error| refused(path, &error))?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(|error| broken(path, error))?;
        tokio::spawn(driver);
        Ok(Connection { sender, path: path.to_path_buf() })
    }

    /// One exchange; the whole answer, or the problem that the node sent.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        target: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        if self.sender.ready().await.is_err() {
            *self = Connection::open(&self.path.clone()).await?;
        }
        let answer = self.exchange(method, target, body).await?;
        let status = answer.status();
        let bytes = self.read(answer.into_body()).await?;
        if status.is_success() { Ok(bytes) } else { Err(self.problem(status, &bytes)) }
    }

    /// One exchange whose answer is read bit by bit.
    pub(crate) async fn stream(&mut self, target: &str) -> Result<Incoming> {
        let answer = self.exchange("GET", target, None).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let bytes = self.read(answer.into_body()).await?;
        Err(self.problem(status, &bytes))
    }

    async fn exchange(
        &mut self,
        method: &str,
        target: &str,
        body: Option<Vec<u8>>,
    ) -> Result<hyper::Response<Incoming>> {
        let mut request = Request::builder().method(method).uri(target).header("host", "localhost");
        // as the field's tools do it for a user whose program root runs
        if let Some(user) = std::env::var("CIB_user").ok().filter(|user| !user.is_empty()) {
            request = request.header(view::api::USER_HEADER, user);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| broken(&self.path, error))?;
        self.sender.send_request(request).await.map_err(|error| broken(&self.path, error))
    }

    async fn read(&self, mut body: Incoming) -> Result<Vec<u8>> {
        let told = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let mut bytes = Vec::with_capacity(told.unwrap_or(0).min(MAX_ANSWER));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(&self.path, error))?;
            if let Some(data) = frame.data_ref() {
                if bytes.len() + data.len() > MAX_ANSWER {
                    return Err(broken(&self.path, "the answer is longer than 256 MiB"));
                }
                bytes.extend_from_slice(data);
            }
        }
        Ok(bytes)
    }

    fn problem(&self, status: hyper::StatusCode, body: &[u8]) -> Error {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => Error::Refused(problem),
            Err(_) => {
                broken(&self.path, format!("the node answered {status}: {}", String::from_utf8_lossy(body)))
            }
        }
    }
}

fn refused(path: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::PermissionDenied => Error::Permission { path: path.to_path_buf() },
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => Error::NotRunning {
            path: path.to_path_buf(),
            hint:
                "start it with `systemctl start systole` or `systole daemon`, or name another node's socket \
                   with SYSTOLE_SOCKET"
                    .to_owned(),
        },
        _ => broken(path, error),
    }
}

fn broken(path: &Path, message: impl ToString) -> Error {
    Error::Broken { path: path.to_path_buf(), message: message.to_string() }
}
