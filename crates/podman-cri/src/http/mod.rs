//! Podman's REST API: two faces, one router. Status codes live only here.
//!
//! [`routes`] lists every route; a handler extracts, checks, calls one engine function and replies.
//! What both faces do alike is in [`shared`].

mod absent;
mod auth;
mod body;
mod compat;
mod cx;
mod detach;
mod dispatch;
mod error;
mod go_int;
mod hijack;
mod libpod;
pub(crate) mod limits;
mod mux;
mod operations;
mod path;
mod query;
mod router;
mod routes;
mod server;
mod shared;
mod streams;

use std::sync::Arc;

use engine::Engine;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub(crate) use server::accepted;
pub use server::{Server, serve};

/// What all requests share.
pub struct App {
    engine: Engine,
    router: router::Router,
    /// Cancelled when the daemon is to end.
    draining: CancellationToken,
    /// Operations under way: they go on when their client goes away.
    operations: operations::Operations,
    /// Builds that may begin.
    builds: Arc<Semaphore>,
    /// Archives that may begin.
    archives: Arc<Semaphore>,
}

impl App {
    /// Podman's API on an engine; `draining` ends streams and the accepting of connections.
    pub fn new(engine: Engine, draining: CancellationToken) -> Self {
        Self {
            engine,
            router: router::Router::new(routes::all()),
            draining,
            operations: operations::Operations::new(limits::OPERATIONS),
            builds: Arc::new(Semaphore::new(limits::BUILDS)),
            archives: Arc::new(Semaphore::new(limits::ARCHIVES)),
        }
    }
}
