//! The parts of an open stream, and the other ends of them that its task holds.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::Stream;
use tokio_util::sync::PollSender;
use tokio_util::task::AbortOnDropHandle;

use super::{MAX_INPUT, Piece, Streams, TerminalSize, WAITING_INPUT, WAITING_OUTPUT, Wanted};
use crate::error::Error;

/// The task that carries a stream; it ends with the last part.
pub(super) type Task = Arc<AbortOnDropHandle<()>>;

/// What goes to the process.
#[derive(Debug)]
pub(super) enum Input {
    /// A piece of it, never empty.
    Bytes(Bytes),
    /// Its end.
    End,
}

/// What a stream's task holds.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) input: mpsc::Receiver<Input>,
    pub(super) sizes: watch::Receiver<Option<TerminalSize>>,
    pub(super) output: mpsc::Sender<Piece>,
    pub(super) ended: oneshot::Sender<Result<i32, Error>>,
}

/// What is given out once the task runs.
#[derive(Debug)]
pub(super) struct Loose {
    input: mpsc::Sender<Input>,
    sizes: watch::Sender<Option<TerminalSize>>,
    output: mpsc::Receiver<Piece>,
    ended: oneshot::Receiver<Result<i32, Error>>,
}

pub(super) fn pair() -> (Loose, Ends) {
    let (to_input, input) = mpsc::channel(WAITING_INPUT);
    let (to_sizes, sizes) = watch::channel(None);
    let (output, from_output) = mpsc::channel(WAITING_OUTPUT);
    let (ended, from_ended) = oneshot::channel();
    let loose = Loose {
        input: to_input,
        sizes: to_sizes,
        output: from_output,
        ended: from_ended,
    };
    let ends = Ends {
        input,
        sizes,
        output,
        ended,
    };
    (loose, ends)
}

impl Loose {
    /// The parts that were wanted. `closes`: this connection can end the process' input.
    pub(super) fn streams(
        self,
        call: &'static str,
        wanted: Wanted,
        closes: bool,
        task: Task,
    ) -> Streams {
        let stdin = wanted.stdin.any().then(|| Stdin {
            queue: PollSender::new(self.input),
            closes,
            ended: false,
            _task: task.clone(),
        });
        let resize = wanted.tty.then(|| Resize {
            sizes: self.sizes,
            _task: task.clone(),
        });
        Streams {
            stdin,
            resize,
            output: Output {
                pieces: self.output,
                _task: task.clone(),
            },
            ended: Ended {
                call,
                said: self.ended,
                _task: task,
            },
        }
    }
}

/// A process' input.
///
/// A write is done when its bytes wait for the connection ([`super::WAITING_INPUT`]); it fails with
/// [`io::ErrorKind::BrokenPipe`] once the process or the connection has ended. `shutdown` ends the input: the process reads
/// to the last byte and then the end. Dropping does not: whoever is cut off in the middle has not said that this was all.
/// Where the connection cannot end it ([`super::WantedStdin::WithEnd`] was not asked for), `shutdown` fails with
/// [`io::ErrorKind::Unsupported`].
#[derive(Debug)]
pub struct Stdin {
    queue: PollSender<Input>,
    closes: bool,
    ended: bool,
    _task: Task,
}

impl Stdin {
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        input: impl FnOnce() -> Input,
    ) -> Poll<io::Result<()>> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.queue.poll_reserve(cx)).map_err(gone)?;
        Poll::Ready(self.queue.send_item(input()).map_err(gone))
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let Some(piece) = buf
            .get(..buf.len().min(MAX_INPUT))
            .filter(|piece| !piece.is_empty())
        else {
            return Poll::Ready(Ok(0));
        };
        let input = || Input::Bytes(Bytes::copy_from_slice(piece));
        ready!(self.poll_send(cx, input))?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        if !self.closes {
            let why = "the runtime's WebSocket has no way to end a process' input";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::Unsupported, why)));
        }
        ready!(self.poll_send(cx, || Input::End))?;
        self.ended = true;
        Poll::Ready(Ok(()))
    }
}

/// A terminal's size. Only the last one counts: those that a slow connection has not taken are passed over.
#[derive(Debug)]
pub struct Resize {
    sizes: watch::Sender<Option<TerminalSize>>,
    _task: Task,
}

impl Resize {
    /// Says the new size. Never waits; without effect once the process has ended.
    pub fn set(&self, size: TerminalSize) {
        self.sizes.send_replace(Some(size));
    }
}

/// What a process writes, in the order of the wire. It ends when the process has closed its streams or the
/// connection broke, which [`Ended`] tells apart. Where it is dropped, what comes is thrown away, and the process
/// goes on.
#[derive(Debug)]
pub struct Output {
    pieces: mpsc::Receiver<Piece>,
    _task: Task,
}

impl Output {
    /// The next piece, never empty. Safe to drop while waiting.
    pub async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }
}

impl Stream for Output {
    type Item = Piece;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.pieces.poll_recv(cx)
    }
}

/// How it ended: a command's exit code, 0 for a container's own process whatever its code was (no runtime tells
/// it here), or the error that the runtime names ([`Error::CommandNotFound`] …), or [`Error::Stream`] where the connection
/// broke before. It comes after all output, so that whoever keeps [`Output`] must read it.
#[derive(Debug)]
pub struct Ended {
    call: &'static str,
    said: oneshot::Receiver<Result<i32, Error>>,
    _task: Task,
}

impl Future for Ended {
    type Output = Result<i32, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.said).poll(cx));
        // the task says it before it ends; it is gone without a word when the program's runtime shuts down
        Poll::Ready(ended.unwrap_or_else(|_| {
            Err(Error::Stream {
                call: self.call,
                address: String::new(),
                message: "it was given up".to_owned(),
            })
        }))
    }
}
