//! Podman's own service, spoken to over HTTP/1.1 on its unix socket: a request that is passed on as it
//! is, both ways as a stream, and the few calls that a build needs beside it.

mod connection;
mod error;
mod images;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use connection::{Answer, Body};
pub use error::Error;
pub use images::{Api, Image, Storage};

/// Where Podman's service listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/podman/podman.sock";

/// A Podman service. Cheap to clone. Each request has a connection of its own: dropping its answer, or
/// the future that waits for it, closes that, and Podman ends what it was doing.
#[derive(Clone, Debug)]
pub struct Podman {
    socket: Arc<Path>,
}

impl Podman {
    /// The service behind a socket. Nothing is sent yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into().into(),
        }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}
