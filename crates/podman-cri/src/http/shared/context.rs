//! A build's context on its way to Podman: read for its Containerfiles as it passes, its end held back until
//! Podman has the images that they build on. What passes is never changed, and never kept but for that end.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use engine::{ByteStream, Engine};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use model::Error;
use model::container::Face;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use translate::build::{self, BuildPlan, IMAGES_MAX, Wanted};

use crate::http::limits;

/// What went wrong while a context passed: the client is to hear of it, and not that the connection to Podman
/// broke.
#[derive(Clone, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    fn set(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Takes it.
    pub(crate) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A context and what becomes of it.
struct Context {
    body: Draining,
    engine: Engine,
    face: Face,
    plan: BuildPlan,
    scanner: Option<Scanner>,
    /// The last bytes that came.
    held: VecDeque<Bytes>,
    ended: bool,
    fault: Fault,
}

/// The body of a client's request as Podman is to get it. `form`: it is `multipart/form-data`.
pub(crate) fn watched(
    body: Incoming,
    form: bool,
    plan: BuildPlan,
    engine: Engine,
    face: Face,
    fault: Fault,
) -> ByteStream {
    let wanted = plan.wanted.clone();
    let context = Context {
        // Podman may answer before the end: it refuses
        body: Draining::new(body),
        engine,
        face,
        scanner: wanted.map(|wanted| Scanner::begin(form, wanted)),
        plan,
        held: VecDeque::new(),
        ended: false,
        fault,
    };
    stream::try_unfold(context, |mut context| async {
        let next = context.next().await;
        match next {
            Ok(Some(bytes)) => Ok(Some((bytes, context))),
            Ok(None) => Ok(None),
            Err(error) => {
                context.fault.set(error.clone());
                Err(error)
            }
        }
    })
    .boxed()
}

impl Context {
    /// The next bytes for Podman.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let length: usize = self.held.iter().map(Bytes::len).sum();
            let first = self.held.front().map_or(0, Bytes::len);
            if self.ended || (first > 0 && length - first >= limits::CONTEXT_END) {
                return Ok(self.held.pop_front());
            }
            let Some(body) = self.body.get() else {
                return Ok(None);
            };
            match body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    if let Some(scanner) = &self.scanner {
                        scanner.feed(bytes.clone()).await;
                    }
                    if !bytes.is_empty() {
                        self.held.push_back(bytes);
                    }
                }
                Some(Err(error)) => {
                    let text = format!("the context was cut off: {error}");
                    return Err(Error::BadRequest(text));
                }
                None => {
                    self.bring_bases().await?;
                    self.ended = true;
                }
            }
        }
    }

    async fn bring_bases(&mut self) -> Result<(), Error> {
        let texts = match self.scanner.take() {
            None => Vec::new(),
            Some(scanner) => scanner.end().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "base images of this build are not looked for in the runtime's store");
                Vec::new()
            }),
        };
        if self.plan.pulls_always {
            return Ok(());
        }
        let mut images = self.plan.images.clone();
        for text in texts {
            let text = String::from_utf8_lossy(&text);
            images.extend(build::base_images(&text, &self.plan.arguments));
        }
        images.truncate(IMAGES_MAX);
        self.engine.bring_bases(&images, self.face).await
    }
}

/// A body that may not be read to its end: then the rest is read and forgotten, so that the client reads the refusal
/// and not that the connection broke.
pub(crate) struct Draining(Option<Incoming>);

impl Draining {
    pub(crate) fn new(body: Incoming) -> Self {
        Self(Some(body))
    }

    /// The body; it is there until this is dropped.
    pub(crate) fn get(&mut self) -> Option<&mut Incoming> {
        self.0.as_mut()
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        if let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) {
            tokio::spawn(drain(body));
        }
    }
}

/// Reads and forgets a context, for as long as is worth it.
pub(crate) async fn drain(mut body: Incoming) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    // a client that is still not done reads a broken pipe
    tokio::time::timeout(limits::REFUSED_CONTEXT, rest)
        .await
        .ok();
}

/// A thread that reads a context, because tars are read by blocking.
struct Scanner {
    bytes: mpsc::Sender<Bytes>,
    found: JoinHandle<io::Result<Vec<Vec<u8>>>>,
}

impl Scanner {
    fn begin(form: bool, wanted: Wanted) -> Self {
        let (bytes, queue) = mpsc::channel(limits::CONTEXT_QUEUE);
        let queue = Queue {
            queue,
            now: Bytes::new(),
        };
        let reading = move || build::containerfiles(queue, form, &wanted);
        Self {
            bytes,
            found: tokio::task::spawn_blocking(reading),
        }
    }

    /// Fails where it has found all that it looked for, and reads no more.
    async fn feed(&self, bytes: Bytes) {
        self.bytes.send(bytes).await.ok();
    }

    async fn end(self) -> io::Result<Vec<Vec<u8>>> {
        drop(self.bytes);
        match self.found.await {
            Ok(found) => found,
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// What is sent to a scanner, as a file.
struct Queue {
    queue: mpsc::Receiver<Bytes>,
    now: Bytes,
}

impl Read for Queue {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.queue.blocking_recv() {
                Some(bytes) => self.now = bytes,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.now.len());
        self.now
            .copy_to_slice(into.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
