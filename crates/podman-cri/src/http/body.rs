//! Bodies: JSON as Podman writes it, text, nothing, and streams.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use model::Error;
use serde::Serialize;

use super::error::Failure;

/// The body of an answer. An error in it cuts the answer off: its client sees that it did not come to its end.
pub(crate) type Body = UnsyncBoxBody<Bytes, Error>;

/// An answer.
pub(crate) type Reply = Response<Body>;

/// What a handler ends in.
pub(crate) type Answer = Result<Reply, Failure>;

/// The type of JSON.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer of any kind.
pub(crate) fn reply(status: StatusCode, content_type: Option<HeaderValue>, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    if let Some(content_type) = content_type {
        reply.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    reply
}

/// Bytes that are all there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    unbroken(Full::new(bytes.into()))
}

fn unbroken(body: impl http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static) -> Body {
    body.map_err(|never| match never {}).boxed_unsync()
}

/// Status and nothing else: 204, 304.
pub(crate) fn empty(status: StatusCode) -> Reply {
    reply(status, None, unbroken(Empty::new()))
}

/// One line of JSON, its newline included, as Go's encoder writes it.
pub(crate) fn line<T: Serialize>(value: &T) -> Result<Bytes, Failure> {
    let mut line = serde_json::to_vec(value)
        .map_err(|error| Failure::internal(format!("the answer: {error}")))?;
    line.push(b'\n');
    Ok(line.into())
}

/// A JSON answer.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    Ok(reply(status, Some(JSON), full(line(value)?)))
}

/// A JSON answer with status 200.
pub(crate) fn ok<T: Serialize>(value: &T) -> Answer {
    json(StatusCode::OK, value)
}

/// Text as Podman's `WriteResponse` writes it.
pub(crate) fn text(status: StatusCode, text: &str) -> Reply {
    let kind = HeaderValue::from_static("text/plain; charset=us-ascii");
    reply(status, Some(kind), full(format!("{text}\n")))
}

/// A stream of JSON lines, each sent as it comes in a chunk of its own; the header goes at once.
pub(crate) fn lines(
    status: StatusCode,
    lines: impl Stream<Item = Bytes> + Send + 'static,
) -> Reply {
    chunks(status, Some(JSON), lines)
}

/// One piece of JSON in a chunk of its own, as Go sends what its handler flushes.
pub(crate) fn flushed(content_type: Option<HeaderValue>, piece: Bytes) -> Reply {
    chunks(StatusCode::OK, content_type, stream::iter([piece]))
}

/// A stream of bytes, each piece in a chunk of its own; the header goes at once.
pub(crate) fn chunks(
    status: StatusCode,
    content_type: Option<HeaderValue>,
    pieces: impl Stream<Item = Bytes> + Send + 'static,
) -> Reply {
    pieces_until_error(status, content_type, pieces.map(Ok))
}

/// The same of what may break off, and the answer with it.
pub(crate) fn pieces_until_error(
    status: StatusCode,
    content_type: Option<HeaderValue>,
    pieces: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
) -> Reply {
    let frames = pieces.map(|piece| piece.map(Frame::data));
    reply(status, content_type, StreamBody::new(frames).boxed_unsync())
}
