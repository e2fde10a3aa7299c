//! A registry for guests that pull their images by themselves: the reading half of OCI's distribution specification, by plain
//! HTTP, on the one address that was asked for. It has the images that the engine offers at that moment and nothing else; there is
//! nothing to write, no login and no list.

mod answer;
mod route;

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use engine::Engine;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::http::accepted;

/// Connections at once: a guest's puller opens three or four, and each one costs a descriptor and a piece of a file.
const CONNECTIONS: usize = 256;
/// Bytes of a request's head: pullers send some hundred.
const HEAD_BYTES: usize = 16 * 1024;
/// How long a head may take, and a connection be idle.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// How long a connection may live: longer than a guest may take for its image (CRI-O's and Kata's timeouts are minutes), so that
/// those who do not read hold no place for good.
const LIFE: Duration = Duration::from_secs(3600);

/// Where guests connect.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddrV4,
}

impl Listener {
    /// Listens on an address of this host.
    ///
    /// # Errors
    /// It is not this host's, or another program listens there.
    pub async fn bind(address: SocketAddrV4) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("--guest-registry {address}"))?;
        Ok(Self { listener, address })
    }

    /// The address as it stands before images' names.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

/// Serves until the daemon has ended, which waits for machines that are being made; pulls that are under way then are cut, and guests try again.
pub async fn serve(listener: Listener, engine: Engine, ended: CancellationToken) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let permit = permits.clone().acquire_owned().await;
            (
                permit,
                accepted(|cx| listener.listener.poll_accept(cx)).await,
            )
        };
        tokio::select! {
            () = ended.cancelled() => return,
            (permit, stream) = next => {
                // the semaphore is never closed
                let Ok(permit) = permit else { return };
                let client = tokio::time::timeout(LIFE, connection(engine.clone(), stream));
                let ended = ended.clone();
                tokio::spawn(async move {
                    // `None` when it was cut
                    let _ended: Option<_> = ended.run_until_cancelled_owned(client).await;
                    drop(permit);
                });
            }
        }
    }
}

async fn connection(engine: Engine, stream: TcpStream) {
    let service = service_fn(move |request| answer::answer(engine.clone(), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        // one that went away, or does not speak HTTP
        tracing::debug!(%error, "a guest's connection ended");
    }
}
