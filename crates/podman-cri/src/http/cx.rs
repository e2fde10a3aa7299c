//! A request as its handler sees it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::Engine;
use futures_util::stream::{self, StreamExt as _};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use model::container::Face;
use model::request::Filters;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::App;
use super::body::{self, Reply};
use super::error::Failure;
use super::hijack::Takeover;
use super::limits;
use super::path::{ApiVersion, Params};
use super::query::Query;

/// A request.
pub(crate) struct Cx {
    pub(crate) app: Arc<App>,
    pub(crate) parts: Parts,
    pub(crate) body: Incoming,
    pub(crate) params: Params,
    pub(crate) face: Face,
    pub(crate) version: Option<ApiVersion>,
    /// The runtime handler of the socket it came in on.
    pub(crate) handler: Option<String>,
    /// That socket serves only what reads.
    pub(crate) read_only: bool,
    /// The way to take its connection over.
    pub(crate) takeover: Takeover,
}

impl Cx {
    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// What the route's `{name}` stands for.
    pub(crate) fn name(&self) -> &str {
        self.param("name")
    }

    /// What a name in the route's pattern stands for.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params
            .iter()
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    }

    /// The query.
    pub(crate) fn query(&self) -> Query {
        Query::new(&self.parts.uri, self.face)
    }

    /// The filters, and what Podman puts before the cause when they cannot be read.
    pub(crate) fn filters(&self, context: &str) -> Result<Filters, Failure> {
        let query = self.query();
        match query.all("filters").next_back() {
            None => Ok(Filters::new()),
            Some(text) => Ok(translate::filters::decode(
                text,
                &format!("{context} for {}", query.url()),
            )?),
        }
    }

    /// The client asked for an older form of answers than this one.
    pub(crate) fn is_below(&self, version: ApiVersion) -> bool {
        self.version.is_some_and(|asked| asked < version)
    }

    /// The minor part of the Docker API version asked for. Who names none, or another major, gets
    /// the newest form, as in Podman.
    pub(crate) fn docker_minor(&self) -> u32 {
        match self.version {
            Some(ApiVersion(0, _, _)) => 0,
            Some(ApiVersion(1, minor, _)) => minor,
            Some(_) | None => u32::MAX,
        }
    }

    /// Ends when the daemon does: streams end with it.
    pub(crate) fn draining(&self) -> CancellationToken {
        self.app.draining.clone()
    }

    /// A stream of JSON lines: the first one now, then one after each pause, until there is no next one or the
    /// daemon ends. With the client's connection it is dropped.
    pub(crate) fn every<F>(
        &self,
        content_type: Option<HeaderValue>,
        pause: Duration,
        first: Bytes,
        next: impl Fn() -> F + Send + 'static,
    ) -> Reply
    where
        F: Future<Output = Option<Bytes>> + Send + 'static,
    {
        let later = stream::unfold(next, move |next| async move {
            tokio::time::sleep(pause).await;
            Some((next().await?, next))
        });
        let lines = stream::iter([first]).chain(later);
        let lines = lines.take_until(self.draining().cancelled_owned());
        body::chunks(StatusCode::OK, content_type, lines)
    }

    /// The body as JSON, read as Go reads it; `context` stands before the cause of an error.
    pub(crate) async fn json<T: DeserializeOwned + Serialize + Default>(
        &mut self,
        context: &str,
    ) -> Result<T, Failure> {
        let bytes = self.bytes().await?;
        Ok(translate::decode::decode_body(&bytes, context)?)
    }

    /// Reads the body to its end and forgets it: a client that still writes when it is answered and
    /// hung up on sees a broken pipe instead of the answer.
    pub(crate) async fn discard_body(&mut self) {
        // One too large or cut short is not wanted anyway.
        self.bytes().await.map(drop).unwrap_or_default();
    }

    /// The whole body, which has a bound.
    pub(crate) async fn bytes(&mut self) -> Result<Bytes, Failure> {
        let too_large = || {
            let limit = limits::BODY_BYTES;
            let message = format!("the request body is larger than {limit} bytes");
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        };
        if self.body.size_hint().lower() > limits::BODY_BYTES as u64 {
            return Err(too_large());
        }
        match Limited::new(&mut self.body, limits::BODY_BYTES)
            .collect()
            .await
        {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
            Err(error) => Err(Failure::bad_request(format!(
                "reading the request body: {error}"
            ))),
        }
    }
}
