//! Connections of one socket.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::App;
use super::dispatch::{Door, dispatch};
use super::hijack::{Takeover, Tap};
use super::limits;
use crate::sockets::Socket;

/// All connections of all sockets.
#[derive(Clone)]
pub struct Server {
    app: Arc<App>,
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
    /// Cancelled when connections have had their time.
    cut: CancellationToken,
}

impl Server {
    /// A server of this API.
    pub fn new(app: App) -> Self {
        let permits = Arc::new(Semaphore::new(limits::CONNECTIONS));
        Self {
            app: Arc::new(app),
            tasks: TaskTracker::new(),
            permits,
            cut: CancellationToken::new(),
        }
    }

    /// Waits until all requests are answered and their connections closed; those that take too long
    /// are cut.
    pub async fn drain(&self) {
        let operations = &self.app.operations;
        self.tasks.close();
        let all = async { tokio::join!(self.tasks.wait(), operations.ended()) };
        let mut all = std::pin::pin!(all);
        if tokio::time::timeout(limits::DRAIN, all.as_mut())
            .await
            .is_ok()
        {
            return;
        }
        tracing::warn!(
            connections = self.tasks.len(),
            operations = operations.len(),
            after_secs = limits::DRAIN.as_secs(),
            "requests that take too long are cut"
        );
        // The operations first: their clients are told.
        operations.cut();
        if tokio::time::timeout(limits::LAST_WORD, all.as_mut())
            .await
            .is_err()
        {
            self.cut.cancel();
            all.await;
        }
    }
}

/// Serves a socket until the daemon drains.
pub async fn serve(server: Server, socket: Socket) {
    let draining = server.app.draining.clone();
    loop {
        let next = async {
            let permit = server.permits.clone().acquire_owned().await;
            (
                permit,
                accepted(|cx| socket.listener().poll_accept(cx)).await,
            )
        };
        tokio::select! {
            () = draining.cancelled() => return,
            (permit, stream) = next => {
                // the semaphore is never closed
                let Ok(permit) = permit else { return };
                let door = Door {
                    connection: connection_name(),
                    handler: socket.handler().map(str::to_owned),
                    read_only: socket.is_read_only(),
                    takeover: Takeover::default(),
                };
                let client = connection(server.app.clone(), door, stream);
                let cut = server.cut.clone();
                server.tasks.spawn(async move {
                    // `None` when it was cut
                    let _ended: Option<()> = cut.run_until_cancelled_owned(client).await;
                    drop(permit);
                });
            }
        }
    }
}

/// The next connection. A failed accept is logged and tried again: the daemon goes on.
pub(crate) async fn accepted<S, A>(
    accept: impl Fn(&mut Context<'_>) -> Poll<io::Result<(S, A)>>,
) -> S {
    loop {
        match poll_fn(&accept).await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(app: Arc<App>, door: Door, stream: UnixStream) {
    let draining = app.draining.clone();
    let takeover = door.takeover.clone();
    let service = service_fn(move |request| Box::pin(dispatch(app.clone(), door.clone(), request)));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_WAIT)
        .max_buf_size(limits::HEAD_BYTES)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Tap::new(stream, takeover.clone())), service);
    let mut drains = std::pin::pin!(draining.cancelled());
    let mut told = false;
    let ended = poll_fn(|cx| {
        if !told && drains.as_mut().poll(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    })
    .await;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    if takeover.is_taken() {
        return takeover.converse(stream, parts.read_buf).await;
    }
    let ended = match ended {
        Ok(()) => stream.shutdown().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = ended {
        // a client that went away, or one that does not speak HTTP
        tracing::debug!(%error, "connection ended");
    }
}

/// A name like Podman's, which shows its connection's address in memory.
fn connection_name() -> Arc<str> {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(1);
    let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let process = u64::from(std::process::id());
    format!("0x{:x}", (process << 24) + number).into()
}
