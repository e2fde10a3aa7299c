//! One request: route, handler, headers, span; a panic ends the request and nothing else.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::FutureExt;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, SERVER, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use model::container::Face;
use tracing::Instrument;

use super::App;
use super::body::{Answer, Reply, full, reply};
use super::cx::Cx;
use super::error::Failure;
use super::hijack::Takeover;
use super::operations::{NotDone, Operations};
use super::path::Path;
use super::router::{Found, Leaver};
use super::shared::system;

const API_VERSION: HeaderName = HeaderName::from_static("api-version");
const LIBPOD_API_VERSION: HeaderName = HeaderName::from_static("libpod-api-version");
const REFERENCE_ID: HeaderName = HeaderName::from_static("x-reference-id");

/// Where a request came in.
#[derive(Clone)]
pub(crate) struct Door {
    /// Names the connection in every answer (`X-Reference-Id`).
    pub(crate) connection: Arc<str>,
    /// The runtime handler of the socket.
    pub(crate) handler: Option<String>,
    /// Only GET and HEAD are served.
    pub(crate) read_only: bool,
    /// The connection may be taken over.
    pub(crate) takeover: Takeover,
}

/// Answers a request.
pub(crate) async fn dispatch(
    app: Arc<App>,
    door: Door,
    request: Request<Incoming>,
) -> Result<Reply, Infallible> {
    let Some(path) = Path::parse(request.uri()) else {
        return Ok(plain(StatusCode::NOT_FOUND));
    };
    let shared = app.clone();
    let (route, params) = match shared.router.find(request.method(), &path) {
        Found::Route(route, params) => (route, params),
        Found::WrongMethod => return Ok(plain(StatusCode::METHOD_NOT_ALLOWED)),
        Found::Nothing => return Ok(plain(StatusCode::NOT_FOUND)),
    };
    let span = span(request.method(), route.name(), path.face);
    let reference = reference(&request, &door);
    let read_only = door.read_only && ![Method::GET, Method::HEAD].contains(request.method());
    let (parts, body) = request.into_parts();
    let cx = Cx {
        app,
        parts,
        body,
        params,
        face: path.face,
        version: path.version,
        handler: door.handler,
        read_only: door.read_only,
        takeover: door.takeover,
    };
    let answer = async {
        if read_only {
            return finish(Err(Failure::new(
                StatusCode::FORBIDDEN,
                "this socket is read-only",
            )));
        }
        let started = Instant::now();
        let reply =
            finish(guarded((route.handler())(cx), route.leaver(), &shared.operations).await);
        tracing::debug!(
            status = reply.status().as_u16(),
            duration_ms = millis(started),
            "answered"
        );
        reply
    };
    let mut reply = answer.instrument(span).await;
    add_headers(&mut reply, reference);
    Ok(reply)
}

/// Runs a handler. One that changes something runs to its end even when the client goes away.
async fn guarded(
    handler: impl Future<Output = Answer> + Send + 'static,
    leaver: Leaver,
    operations: &Operations,
) -> Answer {
    let handler = AssertUnwindSafe(handler).catch_unwind();
    let ended = match leaver {
        Leaver::Ends => handler.await,
        Leaver::GoesOn => match operations.run(handler.in_current_span()).await {
            Ok(ended) => ended,
            Err(NotDone::Lost(error)) => return Err(Failure::internal(error.to_string())),
            Err(error @ (NotDone::TooMany | NotDone::Cut)) => {
                return Err(Failure::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    error.to_string(),
                ));
            }
        },
    };
    ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(Failure::internal(format!(
            "this request met a bug of podman-cri: {text}"
        )))
    })
}

fn finish(answer: Answer) -> Reply {
    answer.unwrap_or_else(|failure| {
        failure.log();
        failure.into_reply()
    })
}

fn span(method: &Method, route: &'static str, face: Face) -> tracing::Span {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let id = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let api = match face {
        Face::Libpod => "libpod",
        Face::Compat => "compat",
    };
    tracing::info_span!("request", id, %method, route, api)
}

fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The client's own reference, else the connection's.
fn reference(request: &Request<Incoming>, door: &Door) -> HeaderValue {
    let own = request
        .headers()
        .get(REFERENCE_ID)
        .filter(|value| !value.is_empty());
    own.cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&door.connection).unwrap_or(HeaderValue::from_static("0x0"))
    })
}

/// What Podman puts on every answer of a route.
fn add_headers(reply: &mut Reply, reference: HeaderValue) {
    let headers = reply.headers_mut();
    headers.insert(API_VERSION, HeaderValue::from_static(system::API_VERSION));
    headers.insert(
        LIBPOD_API_VERSION,
        HeaderValue::from_static(system::LIBPOD_VERSION),
    );
    headers.insert(SERVER, system::server());
    headers.insert(REFERENCE_ID, reference);
}

/// What Go's `http.Error` answers for a path or method that no route has: without Podman's headers.
fn plain(status: StatusCode) -> Reply {
    let text = status.canonical_reason().unwrap_or_default();
    let mut reply = reply(status, None, full(format!("{text}\n")));
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}
