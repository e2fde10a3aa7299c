//! What goes to the server, and how much of it at once.
//!
//! SPDY's windows are of no use (see [`super`]), and TCP's alone is too coarse: input that the process does not read fills
//! the stream's queue in the server, then the server reads nothing of the connection any more, neither a new size of the
//! terminal nor that this side has gone, and keeps the process' streams open for hours. So input goes in windows. After one,
//! pings are sent, and the next begins when they are answered. The server puts pings into its five queues in turn, so
//! that one of five stands behind the input; a server that does otherwise answers them sooner, and nothing is lost.

use std::convert::Infallible;
use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{mpsc, watch};

use super::frame::{Frame, REFUSED_STREAM, data_head};
use crate::streaming::TerminalSize;
use crate::streaming::keep_alive::keep_alive;
use crate::streaming::parts::Input;

/// Input between two rounds of pings. A write may be small, so frames are counted too.
const WINDOW: usize = 256 << 10;
/// Frames between two rounds of pings, well below the 50 that the server's queue takes.
const WINDOW_FRAMES: usize = 16;
/// Pings of a round: the server's queues.
pub(super) const PROBES: usize = 5;
/// The ping that only shows that this side is there.
const KEEP_ALIVE: u32 = 1;

/// What the reader has for the writer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The server's ping, to be sent back.
    Pong(u32),
    /// A ping of ours has come back.
    Answered(u32),
    /// The server opened a stream.
    Refuse(u32),
    /// The server takes no more input.
    StdinGone,
}

impl Notice {
    /// A client's pings are odd.
    pub(super) fn of_ping(number: u32) -> Self {
        match number % 2 {
            0 => Self::Pong(number),
            _ => Self::Answered(number),
        }
    }
}

/// What may be sent before pings must be answered.
#[derive(Debug)]
struct Window {
    bytes: usize,
    frames: usize,
    unanswered: usize,
}

impl Window {
    fn new() -> Self {
        Self {
            bytes: WINDOW,
            frames: WINDOW_FRAMES,
            unanswered: 0,
        }
    }

    fn open(&self) -> bool {
        self.unanswered == 0
    }

    /// Whether it is full with these.
    fn take(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.frames = self.frames.saturating_sub(1);
        let full = self.bytes == 0 || self.frames == 0;
        if full {
            self.unanswered = PROBES;
        }
        full
    }

    fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.unanswered == 0 {
            *self = Self::new();
        }
    }
}

/// The writing side of a connection.
pub(super) struct Writer {
    connection: OwnedWriteHalf,
    stdin: Option<u32>,
    resize: Option<u32>,
    window: Window,
    /// The last ping.
    ping: u32,
}

impl Writer {
    pub(super) fn new(connection: OwnedWriteHalf, stdin: Option<u32>, resize: Option<u32>) -> Self {
        Self {
            connection,
            stdin,
            resize,
            window: Window::new(),
            ping: KEEP_ALIVE,
        }
    }

    /// Writes for as long as the reader reads: only that sees the end. Where the connection takes nothing any more,
    /// the input is dropped, and its writer sees that.
    pub(super) async fn run(
        mut self,
        input: mpsc::Receiver<Input>,
        sizes: watch::Receiver<Option<TerminalSize>>,
        notices: mpsc::Receiver<Notice>,
    ) -> Infallible {
        if let Err(error) = self.write(input, sizes, notices).await {
            tracing::debug!(%error, "the connection takes no more");
        }
        std::future::pending().await
    }

    async fn write(
        &mut self,
        input: mpsc::Receiver<Input>,
        mut sizes: watch::Receiver<Option<TerminalSize>>,
        mut notices: mpsc::Receiver<Notice>,
    ) -> io::Result<()> {
        let mut input = Some(input).filter(|_| self.stdin.is_some());
        let mut alive = keep_alive();
        loop {
            tokio::select! {
                biased;
                Some(notice) = notices.recv() => match notice {
                    Notice::StdinGone => input = None,
                    other => self.notice(other).await?,
                },
                Ok(()) = sizes.changed(), if self.resize.is_some() => {
                    let size = *sizes.borrow_and_update();
                    self.size(size).await?;
                }
                piece = next(&mut input), if self.window.open() => match piece {
                    Some(Input::Bytes(bytes)) => self.input(bytes).await?,
                    Some(Input::End) => {
                        self.send(self.stdin, true, Bytes::new()).await?;
                        input = None;
                    }
                    // dropped: no more comes, and that is not its end
                    None => input = None,
                },
                _ = alive.tick() => self.frame(&Frame::Ping(KEEP_ALIVE)).await?,
            }
        }
    }

    async fn notice(&mut self, notice: Notice) -> io::Result<()> {
        match notice {
            Notice::Pong(number) => self.frame(&Frame::Ping(number)).await,
            Notice::Refuse(stream) => {
                let status = REFUSED_STREAM;
                self.frame(&Frame::Reset { stream, status }).await
            }
            Notice::Answered(number) => {
                if number != KEEP_ALIVE {
                    self.window.answered();
                }
                Ok(())
            }
            Notice::StdinGone => Ok(()),
        }
    }

    async fn size(&mut self, size: Option<TerminalSize>) -> io::Result<()> {
        let Some(size) = size else { return Ok(()) };
        let json = serde_json::to_vec(&size)?;
        self.send(self.resize, false, json.into()).await
    }

    async fn input(&mut self, bytes: Bytes) -> io::Result<()> {
        let length = bytes.len();
        self.send(self.stdin, false, bytes).await?;
        if !self.window.take(length) {
            return Ok(());
        }
        let mut round = BytesMut::new();
        for _ in 0..PROBES {
            // odd, within 31 bits, and not that of `KEEP_ALIVE`
            self.ping = match self.ping {
                ..0x7fff_fff0 => self.ping + 2,
                _ => KEEP_ALIVE + 2,
            };
            Frame::Ping(self.ping).encode(&mut round);
        }
        self.connection.write_all(&round).await
    }

    async fn send(&mut self, stream: Option<u32>, fin: bool, bytes: Bytes) -> io::Result<()> {
        let Some(stream) = stream else { return Ok(()) };
        let mut frame = data_head(stream, fin, bytes.len()).chain(bytes);
        self.connection.write_all_buf(&mut frame).await
    }

    async fn frame(&mut self, frame: &Frame) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        self.connection.write_all(&bytes).await
    }
}

/// The next input; never, when there is none any more.
async fn next(input: &mut Option<mpsc::Receiver<Input>>) -> Option<Input> {
    match input {
        Some(input) => input.recv().await,
        None => std::future::pending().await,
    }
}
