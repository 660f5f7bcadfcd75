//! The paths of the interface.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request, State};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::{Extension, Json};
use cluster::Reply;
use serde::de::DeserializeOwned;
use tokio_stream::Stream;
use view::api::{
    AgentQuery, Attribute, AttributeChange, AttributeQuery, CibChange, CibChanged, CibQuery, Done,
    EventQuery, MAX_BODY, MetadataQuery, Operation, Place, Problem, Status,
};

use super::peer::Peer;
use super::{ANSWER, Context, Failure, PATIENCE, Unreadable, convert, unreadable};
use crate::driver::Command;

type Answer<T> = Result<T, Failure>;

/// XML text as an answer.
type Xml = ([(&'static str, &'static str); 1], String);

fn xml(text: String) -> Xml {
    ([("content-type", "application/xml")], text)
}

/// The other end, if it may use the interface.
pub(super) struct Allowed(Peer);

impl<S: Send + Sync> FromRequestParts<S> for Allowed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let nobody = || Problem::new("permission-denied", 4, "nobody knows who asks");
        let Extension(peer) =
            Extension::<Peer>::from_request_parts(parts, state).await.map_err(|_| nobody())?;
        peer.check()?;
        let on_behalf = parts.headers.get(view::api::USER_HEADER).and_then(|name| name.to_str().ok());
        Ok(Allowed(peer.on_behalf_of(on_behalf)))
    }
}

/// A query string.
pub(super) struct Asked<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Asked(query)),
            Err(error) => Err(Problem::new("invalid", 64, error.body_text()).into()),
        }
    }
}

/// A JSON body, whole, in time, and not too long.
pub(super) struct Sent<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Unreadable;

    async fn from_request(request: Request, _: &S) -> Result<Self, Unreadable> {
        body(request).await.map(Sent).map_err(unreadable)
    }
}

async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let too_long = || Problem::new("too-long", 65, format!("the body is longer than {MAX_BODY} bytes"));
    let announced =
        request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BODY as u64) {
        return Err(too_long());
    }
    let body = tokio::time::timeout(PATIENCE, to_bytes(request.into_body(), MAX_BODY));
    let bytes = body
        .await
        .map_err(|_| Problem::new("timeout", 124, "the request's body did not come in time"))?
        .map_err(|error| match length_exceeded(&error) {
            true => too_long(),
            false => Problem::new("invalid", 65, format!("the body did not come whole: {error}")),
        })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let mut problem = Problem::new("invalid", 65, format!("the body is not understood: {error}"));
        let place = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        problem.place = Some(Place { line: place(error.line()), column: place(error.column()) });
        problem
    })
}

/// Whether a body ended because it is too long, and not because its connection did.
fn length_exceeded(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("length limit"))
}

fn unexpected(reply: &Reply) -> Failure {
    tracing::error!(?reply, "the node gave an answer that does not fit the request");
    Problem::new("failed", 70, "the node gave an answer that does not fit the request").into()
}

/// The configuration, or a part of it.
#[utoipa::path(get, path = "/v1/cib", params(CibQuery),
    responses((status = 200, description = "XML", body = String, content_type = "application/xml"),
              (status = 404, description = "No such section or nothing selected", body = Problem)))]
pub(super) async fn cib(
    Allowed(peer): Allowed,
    State(context): State<Context>,
    Asked(query): Asked<CibQuery>,
) -> Answer<Xml> {
    let query = cluster::CibQuery {
        scope: query.section,
        xpath: query.xpath,
        paths_only: query.paths_only,
        no_children: query.no_children,
        client: peer.client("api"),
    };
    match context.ask(cluster::Request::Query(query), Some(ANSWER)).await? {
        Reply::Xml(text) => Ok(xml(text)),
        other => Err(unexpected(&other)),
    }
}

/// Changes the configuration on all nodes; answered when this node has applied it.
#[utoipa::path(post, path = "/v1/cib", request_body = CibChange,
    responses((status = 200, body = CibChanged), (status = 400, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem),
              (status = 503, body = Problem)))]
pub(super) async fn change_cib(
    Allowed(peer): Allowed,
    State(context): State<Context>,
    Sent(change): Sent<CibChange>,
) -> Answer<Json<CibChanged>> {
    let client = peer.client(&change.client);
    let change = convert::cib_change(change, client)?;
    match context.ask(cluster::Request::Change(change), Some(ANSWER)).await? {
        Reply::Changed { version, configuration, warnings } => {
            Ok(Json(CibChanged { version: convert::version(&version), configuration, xml: None, warnings }))
        }
        Reply::Xml(text) => Ok(Json(CibChanged { xml: Some(text), ..CibChanged::default() })),
        Reply::Done => Ok(Json(CibChanged::default())),
        other => Err(unexpected(&other)),
    }
}

/// What this node knows of itself and its cluster.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = Status)))]
pub(super) async fn status(Allowed(peer): Allowed, State(context): State<Context>) -> Answer<Json<Status>> {
    let frame = convert::Frame {
        uptime_ms: u64::try_from(context.start.elapsed().as_millis()).unwrap_or(u64::MAX),
        last_event: context.journal.newest(),
        problems: context.problems.clone(),
        quorum: context.engine.quorum(),
    };
    let mut status = convert::status(node_status(&context).await?, frame);
    if !peer.is_privileged() {
        for device in &mut status.registered {
            device.parameters.retain(|name, _| name.starts_with("pcmk_"));
        }
    }
    Ok(Json(status))
}

async fn node_status(context: &Context) -> Answer<cluster::NodeStatus> {
    match context.ask(cluster::Request::Status, Some(ANSWER)).await? {
        Reply::Status(status) => Ok(*status),
        other => Err(unexpected(&other)),
    }
}

/// The journal as server-sent events: `id` is the sequence number, `event` the kind, `data` an `Event`.
#[utoipa::path(get, path = "/v1/events", params(EventQuery),
    responses((status = 200, description = "Server-sent events", body = view::api::Event,
               content_type = "text/event-stream")))]
pub(super) async fn events(
    _allowed: Allowed,
    State(context): State<Context>,
    Asked(query): Asked<EventQuery>,
    headers: axum::http::HeaderMap,
) -> impl IntoResponse {
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let newest = context.journal.newest();
    // a number from an earlier run of the daemon: everything is new to this reader
    let after = resumed.or(query.after).map_or(newest, |after: u64| if after > newest { 0 } else { after });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Sse::new(follow(context, after, !query.no_follow)).keep_alive(keep_alive)
}

fn follow(context: Context, after: u64, wait: bool) -> impl Stream<Item = Result<SseEvent, Infallible>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        let mut newest = context.journal.watch();
        let mut last = after;
        loop {
            newest.mark_unchanged();
            for entry in context.journal.after(last) {
                last = entry.sequence;
                let event = SseEvent::default().id(last.to_string()).event(&entry.kind);
                let Ok(event) = event.json_data(&entry) else { continue };
                if sender.send(Ok(event)).await.is_err() {
                    return;
                }
            }
            if last < context.journal.newest() {
                continue;
            }
            if !wait {
                return;
            }
            tokio::select! {
                changed = newest.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}

/// Transient node attributes, private ones included.
#[utoipa::path(get, path = "/v1/attributes", params(AttributeQuery),
    responses((status = 200, body = Vec<Attribute>), (status = 404, body = Problem)))]
pub(super) async fn attributes(
    _allowed: Allowed,
    State(context): State<Context>,
    Asked(query): Asked<AttributeQuery>,
) -> Answer<Json<Vec<Attribute>>> {
    let request = cluster::Request::QueryAttribute { name: query.name, node: query.node };
    match context.ask(request, Some(ANSWER)).await? {
        Reply::Attributes(list) => Ok(Json(
            list.into_iter()
                .map(|value| Attribute { node: value.node, name: value.name, value: value.value })
                .collect(),
        )),
        other => Err(unexpected(&other)),
    }
}

/// Changes a transient node attribute.
#[utoipa::path(post, path = "/v1/attributes", request_body = AttributeChange,
    responses((status = 200, body = Done), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn change_attribute(
    _allowed: Allowed,
    State(context): State<Context>,
    Sent(change): Sent<AttributeChange>,
) -> Answer<Json<Done>> {
    let request = cluster::Request::UpdateAttribute(convert::attribute(change));
    context.ask(request, Some(ANSWER)).await?;
    Ok(Json(Done::default()))
}

/// Administrative verbs. Fencing and `wait_settled` are answered when they are over.
#[utoipa::path(post, path = "/v1/operations", request_body = Operation,
    responses((status = 200, body = Done), (status = 400, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 502, body = Problem)))]
pub(super) async fn operate(
    Allowed(peer): Allowed,
    State(context): State<Context>,
    Sent(operation): Sent<Operation>,
) -> Answer<Json<Done>> {
    if let Operation::Shutdown { now } = operation {
        let sent = context.commands.send(Command::Shutdown { escalate: now }).await;
        sent.map_err(|_| super::ending())?;
        return Ok(Json(Done { messages: vec!["this node is leaving the cluster".to_owned()] }));
    }
    // these take as long as they take; the client has its own patience
    let limit = match operation {
        Operation::WaitSettled | Operation::Fence { .. } => None,
        _ => Some(ANSWER),
    };
    let local = match &operation {
        Operation::Standby { node: None, .. } => node_status(&context).await?.name,
        _ => String::new(),
    };
    let Some(request) = convert::operation(operation, &local, &peer.client("api")) else {
        return Err(Problem::new("invalid", 64, "this verb is not known").into());
    };
    if matches!(request, cluster::Request::Register(_)) && !peer.is_privileged() {
        let text = "fence devices and levels beside the configuration are registered by root only";
        return Err(Problem::new("permission-denied", 4, text).into());
    }
    match context.ask(request, limit).await? {
        Reply::Fenced(record) => {
            let record = convert::fencing(record);
            let by = record.executor.map(|name| format!(" by {name}")).unwrap_or_default();
            Ok(Json(Done { messages: vec![format!("{} of {} done{by}", record.action, record.target)] }))
        }
        _ => Ok(Json(Done::default())),
    }
}

/// Agent classes, providers or types of this host.
#[utoipa::path(get, path = "/v1/agents", params(AgentQuery), responses((status = 200, body = Vec<String>)))]
pub(super) async fn list_agents(
    _allowed: Allowed,
    State(context): State<Context>,
    Asked(query): Asked<AgentQuery>,
) -> Answer<Json<Vec<String>>> {
    let search = &context.agents.search;
    Ok(Json(match (query.class.as_deref(), query.provider.as_deref()) {
        (None, _) => search.classes(),
        (Some("ocf"), None) => search.providers(),
        (Some(class), provider) => context.agents.types(class, provider).await,
    }))
}

/// An agent's metadata, as XML.
#[utoipa::path(get, path = "/v1/agents/metadata", params(MetadataQuery),
    responses((status = 200, description = "XML", body = String, content_type = "application/xml"),
              (status = 404, body = Problem)))]
pub(super) async fn agent_metadata(
    _allowed: Allowed,
    State(context): State<Context>,
    Asked(query): Asked<MetadataQuery>,
) -> Answer<Xml> {
    let agent: agents::Agent = query
        .agent
        .parse()
        .map_err(|error: agents::NameError| Problem::new("invalid", 64, error.to_string()))?;
    match context.agents.metadata_text(&agent).await {
        Ok(text) => Ok(xml(text)),
        Err(error @ agents::metadata::MetadataError::NotInstalled(_)) => {
            Err(Problem::new("no-such-object", 5, error.to_string()).into())
        }
        Err(error) => Err(Problem::new("failed", 1, error.to_string()).into()),
    }
}
