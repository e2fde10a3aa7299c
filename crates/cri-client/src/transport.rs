//! gRPC over a unix socket, and the only module that calls tonic: one lazy HTTP/2 connection per
//! endpoint that connects anew by itself, one function for unary calls, one for server streams.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cri_api::method;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;

use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;
use tower::service_fn;
use tracing::Instrument as _;

use crate::deadline::RECONNECT_WAITS;
use crate::endpoint::Endpoint;
use crate::error::{Error, NotConnected, from_status};
use crate::observer::{CallObserver, changes, enter};

/// Lists carry every annotation back; at 16 KiB each and thousands of containers gRPC's default of 4 MiB
/// is too little.
const MAX_ANSWER: usize = 128 << 20;
/// containerd takes 16 MiB; CRI-O was seen to take 12 MB of annotations.
const MAX_REQUEST: usize = 16 << 20;
/// Error texts travel as headers and are long at times (CRI-O prints whole maps); hyper's default is 16 KiB.
const MAX_HEADERS: u32 = 1 << 20;

/// What is said of a call besides its message.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) path: &'static str,
    /// What the call is about: an id, a name. For the span only.
    pub(crate) id: &'a str,
    pub(crate) deadline: Duration,
    /// Reads are tried again while the runtime restarts.
    pub(crate) patient: bool,
    /// Headers beyond gRPC's own: containerd's namespace and lease.
    pub(crate) headers: &'a [(&'static str, &'a str)],
}

impl<'a> Call<'a> {
    pub(crate) fn new(path: &'static str, id: &'a str, deadline: Duration) -> Self {
        Self {
            path,
            id,
            deadline,
            patient: !changes(method::name(path)),
            headers: &[],
        }
    }

    fn name(&self) -> &'static str {
        method::name(self.path)
    }
}

/// One endpoint and its connection.
#[derive(Clone)]
pub(crate) struct Transport {
    endpoint: Endpoint,
    channel: Channel,
    observer: Option<Arc<dyn CallObserver>>,
}

impl Transport {
    /// Connects at the first call. Needs a tokio runtime round it.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        let socket = endpoint.clone();
        let connector = service_fn(move |_| {
            let socket = socket.clone();
            async move {
                match UnixStream::connect(socket.path()).await {
                    Ok(stream) => Ok(TokioIo::new(stream)),
                    Err(source) => Err(io::Error::new(
                        source.kind(),
                        NotConnected {
                            endpoint: socket,
                            source,
                        },
                    )),
                }
            }
        });
        // the authority means nothing on a unix socket, but grpc-go refuses a path there
        let channel = tonic::transport::Endpoint::from_static("http://localhost")
            .http2_max_header_list_size(MAX_HEADERS)
            .connect_with_connector_lazy(connector);
        Self {
            endpoint,
            channel,
            observer: None,
        }
    }

    pub(crate) fn observed(mut self, observer: Arc<dyn CallObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn observer(&self) -> Option<&Arc<dyn CallObserver>> {
        self.observer.as_ref()
    }

    /// One request, one answer, within the deadline.
    pub(crate) async fn unary<Req, Res>(&self, call: Call<'_>, request: Req) -> Result<Res, Error>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + 'static,
    {
        let span = tracing::debug_span!(
            "cri",
            call = call.name(),
            id = call.id,
            duration_us = tracing::field::Empty,
            code = tracing::field::Empty,
        );
        let started = Instant::now();
        let left = enter(self.observer.as_ref(), call.name());
        let attempts = Box::pin(self.attempts(call, request).instrument(span.clone()));
        let result = match timeout(call.deadline, attempts).await {
            Ok(result) => result,
            Err(_) => Err(Error::DeadlineExceeded {
                call: call.name(),
                after: call.deadline,
                message: format!("no answer within {:?}", call.deadline),
            }),
        };
        left();
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        span.record("duration_us", micros);
        span.record("code", result.as_ref().err().map_or("OK", Error::code));
        result
    }

    async fn attempts<Req, Res>(&self, call: Call<'_>, request: Req) -> Result<Res, Error>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + 'static,
    {
        let mut waits = RECONNECT_WAITS.iter().filter(|_| call.patient);
        loop {
            match self.attempt(call, request.clone()).await {
                // nothing was sent, so nothing can have been done twice
                Err(error @ Error::Unavailable { sent: false, .. }) => match waits.next() {
                    Some(wait) => sleep(*wait).await,
                    None => return Err(error),
                },
                other => return other,
            }
        }
    }

    async fn attempt<Req, Res>(&self, call: Call<'_>, message: Req) -> Result<Res, Error>
    where
        Req: Message + 'static,
        Res: Message + Default + 'static,
    {
        let mut grpc = self.grpc();
        let failed = |status| from_status(call.name(), &status, call.deadline);
        grpc.ready()
            .await
            .map_err(|error| failed(tonic::Status::from_error(error.into())))?;
        let request = with_headers(call, message)?;
        let path = PathAndQuery::from_static(call.path);
        let codec = ProstCodec::<Req, Res>::default();
        let answer = grpc.unary(request, path, codec).await.map_err(failed)?;
        Ok(answer.into_inner())
    }

    /// A stream of requests and one of answers, of which the first request leaves at once (a server need not
    /// answer before it). No deadline: each step of the [`Exchange`] has its own.
    pub(crate) async fn exchange<Req, Res>(
        &self,
        call: Call<'_>,
        first: Req,
    ) -> Result<Exchange<Req, Res>, Error>
    where
        Req: Message + 'static,
        Res: Message + Default + 'static,
    {
        let (requests, queue) = mpsc::channel(1);
        let failed = |status| from_status(call.name(), &status, call.deadline);
        let mut grpc = self.grpc();
        grpc.ready()
            .await
            .map_err(|error| failed(tonic::Status::from_error(error.into())))?;
        // the queue is empty and both ends are here
        requests.try_send(first).ok();
        let stream = with_headers(call, ReceiverStream::new(queue))?;
        let path = PathAndQuery::from_static(call.path);
        let codec = ProstCodec::<Req, Res>::default();
        let answers = grpc.streaming(stream, path, codec).await.map_err(failed)?;
        Ok(Exchange {
            call: call.name(),
            deadline: call.deadline,
            requests,
            answers: answers.into_inner(),
        })
    }

    /// One request, a stream of answers, each given to `each` until it answers false or the stream ends.
    /// No deadline: a stream of events is silent for as long as nothing happens (and its headers come
    /// with the first event, so that even opening it has none).
    pub(crate) async fn stream<Req, Res, F, Fut>(
        &self,
        call: Call<'_>,
        message: Req,
        mut each: F,
    ) -> Result<(), Error>
    where
        Req: Message + 'static,
        Res: Message + Default + 'static,
        F: FnMut(Res) -> Fut,
        Fut: Future<Output = bool>,
    {
        let failed = |status| from_status(call.name(), &status, Duration::ZERO);
        let mut grpc = self.grpc();
        grpc.ready()
            .await
            .map_err(|error| failed(tonic::Status::from_error(error.into())))?;
        let codec = ProstCodec::<Req, Res>::default();
        let mut answers = grpc
            .server_streaming(
                with_headers(call, message)?,
                PathAndQuery::from_static(call.path),
                codec,
            )
            .await
            .map_err(failed)?
            .into_inner();
        while let Some(answer) = answers.message().await.map_err(failed)? {
            if !each(answer).await {
                break;
            }
        }
        Ok(())
    }

    fn grpc(&self) -> Grpc<Channel> {
        Grpc::new(self.channel.clone())
            .max_decoding_message_size(MAX_ANSWER)
            .max_encoding_message_size(MAX_REQUEST)
    }
}

/// A call whose requests and answers take turns.
pub(crate) struct Exchange<Req, Res> {
    call: &'static str,
    deadline: Duration,
    requests: mpsc::Sender<Req>,
    answers: tonic::Streaming<Res>,
}

impl<Req, Res> Exchange<Req, Res> {
    /// The next answer, within the call's deadline.
    pub(crate) async fn answer(&mut self) -> Result<Res, Error> {
        let answer = timeout(self.deadline, self.answers.message()).await;
        let answer = answer.map_err(|_| Error::DeadlineExceeded {
            call: self.call,
            after: self.deadline,
            message: format!("no answer within {:?}", self.deadline),
        })?;
        let answer = answer.map_err(|status| from_status(self.call, &status, self.deadline))?;
        answer.ok_or_else(|| Error::BadAnswer {
            call: self.call,
            message: "the stream ended".to_owned(),
        })
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn turn(&mut self, request: Req) -> Result<Res, Error> {
        // fails when the server has ended the stream: its answer says why
        self.requests.send(request).await.ok();
        self.answer().await
    }
}

/// The request of a call with its headers.
fn with_headers<T>(call: Call<'_>, message: T) -> Result<tonic::Request<T>, Error> {
    let mut request = tonic::Request::new(message);
    for (name, value) in call.headers {
        let value = value
            .parse::<MetadataValue<_>>()
            .map_err(|_| Error::BadAnswer {
                call: call.name(),
                message: format!("{value:?} cannot be a header"),
            })?;
        request.metadata_mut().insert(*name, value);
    }
    Ok(request)
}
