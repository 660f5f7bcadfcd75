//! The node's HTTP interface on its Unix socket (words: [`view::api`]; description: `/openapi.json`).
//!
//! Who is on the other end is told by the kernel, not by the request. Everything is bounded: connections,
//! heads, bodies, and the time for each.

mod convert;
mod peer;
mod routes;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use view::api::{MAX_BODY, Problem};

pub(crate) use peer::cluster_user;

use crate::driver::Command;
use crate::journal::Journal;

/// Connections at a time, watchers included; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;

/// Of them by users who may not use the interface: these only hear so, and must not keep others out.
const MAX_GUESTS: usize = 16;

/// Time for a request's head, and for its body.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time for the node to answer. Fencing and waiting for a settled cluster have limits of their own.
const ANSWER: Duration = Duration::from_secs(120);

/// Longest request head, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct Context {
    pub commands: mpsc::Sender<Command>,
    pub journal: Arc<Journal>,
    pub agents: Arc<agents::Agents>,
    pub start: Instant,
    pub problems: Vec<String>,
    pub engine: Arc<dyn messaging::Engine>,
}

impl Context {
    /// Asks the node.
    async fn ask(
        &self,
        request: cluster::Request,
        limit: Option<Duration>,
    ) -> Result<cluster::Reply, Failure> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Request { request, reply }).await.map_err(|_| ending())?;
        let answer = match limit {
            Some(limit) => tokio::time::timeout(limit, answer).await.map_err(|_| {
                Problem::new(
                    "timeout",
                    124,
                    "the cluster did not answer in time; the request may still take effect",
                )
            })?,
            None => answer.await,
        };
        match answer.map_err(|_| ending())? {
            cluster::Reply::Refused(refusal) => Err(convert::refusal(refusal).into()),
            reply => Ok(reply),
        }
    }
}

fn ending() -> Problem {
    Problem::new("unavailable", 102, "this node's daemon is ending")
}

/// An answer outside 2xx.
struct Failure(Problem);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.code.as_str() {
            "permission-denied" => StatusCode::FORBIDDEN,
            "no-such-object" => StatusCode::NOT_FOUND,
            "exists" | "old-version" | "patch-failed" | "digest-mismatch" => StatusCode::CONFLICT,
            "schema" => StatusCode::UNPROCESSABLE_ENTITY,
            "too-long" => StatusCode::PAYLOAD_TOO_LARGE,
            "busy" | "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "timeout" => StatusCode::GATEWAY_TIMEOUT,
            "failed" => StatusCode::BAD_GATEWAY,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, axum::Json(self.0)).into_response()
    }
}

/// Refuses a body that cannot be taken: who sends one is not understood any further.
fn unreadable(problem: Problem) -> Unreadable {
    tracing::warn!(problem = problem.message, "an API request was refused and its connection closed");
    Unreadable(problem)
}

/// An answer after which the connection is closed.
struct Unreadable(Problem);

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        ([(CONNECTION, "close")], Failure(self.0)).into_response()
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Systole node",
    description = "One node of a Systole cluster: its configuration, state, journal and administrative verbs. \
                   Served on a Unix socket; the kernel tells the node who asks: root, the daemon's own user and \
                   members of group haclient may read and write."
))]
struct Description;

fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(routes::cib, routes::change_cib))
        .routes(routes!(routes::status))
        .routes(routes!(routes::events))
        .routes(routes!(routes::attributes, routes::change_attribute))
        .routes(routes!(routes::operate))
        .routes(routes!(routes::list_agents))
        .routes(routes!(routes::agent_metadata))
}

/// The description of the interface, OpenAPI 3.1 as JSON.
pub fn openapi() -> String {
    let (_, description) = router().split_for_parts();
    description.to_pretty_json().unwrap_or_default()
}

/// Listens on a socket that is there at once and replaces a dead daemon's.
pub(crate) fn listen(path: &PathBuf) -> io::Result<UnixListener> {
    let temporary = temporary(path);
    let _ = std::fs::remove_file(&temporary);
    let listener = UnixListener::bind(&temporary)?;
    crate::setup::open_to_all(&temporary)?;
    std::fs::rename(&temporary, path)?;
    Ok(listener)
}

/// Not longer than the socket's own name, because the kernel bounds it.
fn temporary(path: &Path) -> PathBuf {
    path.with_file_name(".api.new")
}

/// Serves until the runtime ends.
pub(crate) async fn serve(listener: UnixListener, context: Context) {
    let (router, description) = router().split_for_parts();
    let text: Arc<str> = description.to_pretty_json().unwrap_or_default().into();
    let router = router
        .route(
            "/openapi.json",
            axum::routing::get(async move || ([("content-type", "application/json")], text.to_string())),
        )
        .fallback(async || Failure(Problem::new("no-such-object", 105, "there is nothing under this path")))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(context);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let guests = Arc::new(Semaphore::new(MAX_GUESTS));
    loop {
        let Ok(mut place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = peer::Peer::of(&stream);
                if peer.check().is_err() {
                    let Ok(guest) = guests.clone().try_acquire_owned() else { continue };
                    place = guest;
                }
                let service = of_peer(&router, peer);
                tokio::spawn(async move {
                    let _place = place;
                    let mut builder = http1::Builder::new();
                    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(MAX_HEAD);
                    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
                        log_end(&error);
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no API connection could be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// A client that misbehaves or goes away harms nobody but itself.
fn log_end(error: &hyper::Error) {
    if error.is_parse() || error.is_timeout() {
        tracing::warn!(%error, "an API connection was closed: it did not speak HTTP, or not in time");
    } else {
        tracing::debug!(%error, "an API connection was closed");
    }
}

fn of_peer(router: &Router, peer: peer::Peer) -> TowerToHyperService<Router> {
    TowerToHyperService::new(router.clone().layer(axum::Extension(peer)))
}
