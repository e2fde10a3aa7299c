//! Input whose end is not the process' end of input.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// The input of a process.
type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Input that goes on when this client has no more: a container that was started without a client keeps its input
/// open (`-di`), and a terminal has no end of input. containerd would take the output away from the client
/// whose input ends.
pub(super) fn kept_open(input: Input) -> Input {
    Box::pin(KeptOpen(input))
}

struct KeptOpen(Input);

impl AsyncWrite for KeptOpen {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }
}
