//! One request on a connection of its own.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::{Error, Podman};

/// The body of a request: what breaks it closes the connection.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The largest of the short answers is an image's inspect, with its history some tens of KiB.
const SHORT_ANSWER: usize = 16 << 20;
/// What a short call may take: Podman's store is locked while another process commits a layer.
const SHORT_WAIT: Duration = Duration::from_secs(120);

/// The body of an answer, as it comes. Dropping it closes the connection.
#[derive(Debug)]
pub struct Answer {
    body: Incoming,
    _connection: AbortOnDropHandle<()>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Podman {
    /// Sends a request, whose URI is path and query; gives the answer once its head is there, however
    /// long that takes: Podman sends a build's when the whole context has come.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Broke`]. Any status is an answer.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Answer>, Error> {
        let stream =
            UnixStream::connect(self.socket())
                .await
                .map_err(|source| Error::Unreachable {
                    socket: self.socket().to_owned(),
                    source,
                })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = AbortOnDropHandle::new(tokio::spawn(async move {
            // its error is also the request's, or the body's
            connection.await.ok();
        }));
        // any name does on a unix socket; this is the one Podman's own client sends
        request
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("d"));
        let answer = sender.send_request(request).await?;
        Ok(answer.map(|body| Answer {
            body,
            _connection: connection,
        }))
    }

    /// A request without a body whose answer is short: its bytes, or `None` for 404.
    pub(crate) async fn short(&self, path: &str) -> Result<Option<Bytes>, Error> {
        let request = Request::get(path)
            .body(empty())
            .map_err(|error| Error::BadAnswer(error.to_string()))?;
        let whole = async { collect(self.send(request).await?).await };
        let whole = timeout(SHORT_WAIT, whole).await;
        match whole.map_err(|_| Error::Late(SHORT_WAIT))? {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Refused { status, .. }) if status == http::StatusCode::NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// No body.
pub(crate) fn empty() -> Body {
    http_body_util::Empty::new()
        .map_err(|never: std::convert::Infallible| match never {})
        .boxed_unsync()
}

/// The whole of a short answer; a status of 400 and above is the refusal that it tells.
pub(crate) async fn collect(answer: Response<Answer>) -> Result<Bytes, Error> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), SHORT_ANSWER)
        .collect()
        .await
        .map_err(|error| Error::BadAnswer(error.to_string()))?
        .to_bytes();
    if status.as_u16() < 400 {
        Ok(body)
    } else {
        Err(Error::refused(status, &body))
    }
}
