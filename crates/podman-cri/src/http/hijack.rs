//! A connection that is taken over: attach, and the start of an exec session, answer a head of their own and
//! then speak with the client in bytes.
//!
//! hyper gives a connection away only after a 101 that was asked for, and writes headers that Podman does not. So
//! a handler that takes over leaves hyper an empty last answer, of which [`Tap`] lets nothing through; when hyper
//! is done with it, the connection is had back, with what the client has sent already.

use std::future::Future;
use std::io;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{HeaderMap, StatusCode};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Chain, Interest, ReadBuf,
};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::body::{self, Reply};

/// What is done with a connection that was taken over.
type Conversation = Box<dyn FnOnce(Client) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// The means of one connection to be taken over.
#[derive(Clone, Default)]
pub(crate) struct Takeover(Arc<State>);

#[derive(Default)]
struct State {
    /// From here on hyper writes nothing.
    taken: AtomicBool,
    conversation: Mutex<Option<(String, Conversation)>>,
}

impl Takeover {
    /// Ends HTTP on this connection: what the handler returns for hyper. `headers` are the request's, which say
    /// whether the client asked for an upgrade.
    pub(crate) fn take<F>(
        &self,
        headers: &HeaderMap,
        content_type: &str,
        conversation: impl FnOnce(Client) -> F + Send + 'static,
    ) -> Reply
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let conversation: Conversation = Box::new(move |client| Box::pin(conversation(client)));
        let head = head(headers, content_type);
        let mut slot = self
            .0
            .conversation
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *slot = Some((head, conversation));
        self.0.taken.store(true, Ordering::Release);
        let mut last = body::empty(StatusCode::OK);
        last.headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        last
    }

    /// Whether it was taken over.
    pub(super) fn is_taken(&self) -> bool {
        self.0.taken.load(Ordering::Acquire)
    }

    /// Speaks with the client, where the connection was taken over. `sent` is what it has sent already.
    pub(super) async fn converse(&self, stream: Tap, sent: Bytes) {
        let taken = self
            .0
            .conversation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((head, conversation)) = taken else {
            return;
        };
        let (read, mut write) = stream.stream.into_split();
        if let Err(error) = write.write_all(head.as_bytes()).await {
            tracing::debug!(%error, "the client went away before its stream began");
        }
        let read = io::Cursor::new(sent).chain(read);
        conversation(Client { read, write }).await;
    }
}

/// The head that Podman writes itself: without its other headers and without a date.
fn head(headers: &HeaderMap, content_type: &str) -> String {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or_default()
    };
    let (connection, protocol) = (text(CONNECTION), text(UPGRADE));
    match connection.eq_ignore_ascii_case("upgrade") && !protocol.is_empty() {
        true => format!(
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: {content_type}\r\n\
             Connection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
        ),
        false => format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n"),
    }
}

/// The client of a connection that was taken over.
pub(crate) struct Client {
    /// What it sends; its end is the end of its input, not of the client.
    pub(crate) read: Chain<io::Cursor<Bytes>, OwnedReadHalf>,
    /// What it gets.
    pub(crate) write: OwnedWriteHalf,
}

/// How long a client may take to see the end of its stream.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Client {
    /// Ends the connection so that the client gets all that was written: the kernel breaks one that is closed with
    /// something in it that was not read, such as what was typed too late.
    pub(crate) async fn end(mut self) {
        let end = async {
            self.write.shutdown().await?;
            tokio::io::copy(&mut self.read, &mut tokio::io::sink()).await
        };
        // Nothing is left to be said to who does not see it.
        tokio::time::timeout(LAST_WORDS, end).await.ok();
    }
}

/// Waits until the client has gone away, as opposed to one that only sends no more: then both directions are
/// closed. Asked for when it sends no more, for before that it is there.
pub(crate) async fn gone(read: &OwnedReadHalf) {
    let stream: &UnixStream = read.as_ref();
    // A copy with a readiness of its own: that it is forgotten here must not keep the writer waiting.
    let copy = stream.as_fd().try_clone_to_owned().map(Into::into);
    let Ok(watched) = copy.and_then(UnixStream::from_std) else {
        return std::future::pending().await; // the next write tells
    };
    let forget = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    while let Ok(ready) = watched.ready(Interest::WRITABLE).await {
        if ready.is_write_closed() {
            return;
        }
        watched
            .try_io(Interest::WRITABLE, forget)
            .unwrap_or_default();
    }
}

/// A connection between hyper and its client: silent towards the client once it is taken over.
pub(super) struct Tap {
    stream: UnixStream,
    takeover: Takeover,
}

impl Tap {
    pub(super) fn new(stream: UnixStream, takeover: Takeover) -> Self {
        Self { stream, takeover }
    }

    fn is_silent(&self) -> bool {
        self.takeover.is_taken()
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.is_silent() {
            true => Poll::Ready(Ok(buf.len())),
            false => Pin::new(&mut self.stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.is_silent() {
            true => Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum())),
            false => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.is_silent() {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}
