//! The same protocol over WebSocket: one message is a channel's number and a piece of it.
//!
//! Version 5 can close a channel, version 4 cannot: there a process' input has no end. Measured: CRI-O 1.36 and containerd 1.6
//! to 2.1 have version 4 and refuse 5 alone.

use std::convert::Infallible;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use http::header;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tungstenite::Message;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};

use super::address::Address;
use super::keep_alive::keep_alive;
use super::parts::{Ends, Input};
use super::status::{MAX_STATUS, outcome};
use super::upgrade::{Refused, Upgraded, upgrade};
use super::{Piece, READ_CHUNK, Source, TerminalSize};
use crate::error::Error;

/// The largest message: an end, and output comes in pieces of the runtimes' copy loops, 32 KiB.
const MAX_MESSAGE: usize = MAX_STATUS + 1;
/// What waits to be written before writing waits: WebSocket's heads, and a piece of input.
const MAX_UNWRITTEN: usize = 128 << 10;
/// After a server has said how it ended it closes at once.
const CLOSING: std::time::Duration = std::time::Duration::from_secs(5);

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// The protocol's version, as the server chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V5,
}

impl Version {
    const OFFER: &str = "v5.channel.k8s.io, v4.channel.k8s.io";

    fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"v5.channel.k8s.io" => Some(Self::V5),
            b"v4.channel.k8s.io" => Some(Self::V4),
            _ => None,
        }
    }
}

/// A connection that speaks it.
pub(super) struct Connection {
    address: Address,
    socket: WebSocketStream<TcpStream>,
    pub(super) version: Version,
}

/// Asks for WebSocket.
pub(super) async fn connect(address: Address) -> Result<Connection, Refused> {
    let key = generate_key();
    let headers = [
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", &key),
        ("sec-websocket-protocol", Version::OFFER),
    ];
    let Upgraded {
        stream,
        early,
        answer,
    } = upgrade(&address, "GET", "websocket", &headers).await?;
    let says = |name| {
        answer
            .headers
            .get(name)
            .map_or(&b""[..], |value| value.as_bytes())
    };
    let accepted = derive_accept_key(key.as_bytes());
    if says(header::SEC_WEBSOCKET_ACCEPT) != accepted.as_bytes() {
        return Err(Refused::Other(address.error("that is no WebSocket server")));
    }
    let chosen = says(header::SEC_WEBSOCKET_PROTOCOL);
    let Some(version) = Version::of(chosen) else {
        let chosen = String::from_utf8_lossy(chosen);
        let offer = Version::OFFER;
        let why = format!("offered were {offer}, the server chose {chosen:?}");
        return Err(Refused::Other(address.error(why)));
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_CHUNK)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_UNWRITTEN);
    let socket =
        WebSocketStream::from_partially_read(stream, early.into(), Role::Client, Some(config))
            .await;
    Ok(Connection {
        address,
        socket,
        version,
    })
}

impl Connection {
    /// Carries a stream until it has ended.
    pub(super) async fn carry(self, ends: Ends) {
        let (write, read) = self.socket.split();
        let reader = Reader {
            address: &self.address,
            output: ends.output,
            status: BytesMut::new(),
        };
        let ended = tokio::select! {
            ended = reader.run(read) => ended,
            never = write_all(write, self.version, ends.input, ends.sizes) => match never {},
        };
        // nobody has to want to know
        ends.ended.send(ended).ok();
    }
}

struct Reader<'a> {
    address: &'a Address,
    output: mpsc::Sender<Piece>,
    status: BytesMut,
}

impl Reader<'_> {
    async fn run(
        mut self,
        mut socket: SplitStream<WebSocketStream<TcpStream>>,
    ) -> Result<i32, Error> {
        loop {
            let read = match self.status.is_empty() {
                true => socket.next().await,
                // all output has come before
                false => timeout(CLOSING, socket.next()).await.unwrap_or_default(),
            };
            match read {
                Some(Ok(Message::Binary(message))) => self.take(message).await?,
                Some(Ok(Message::Text(text))) => self.take(text.into()).await?,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None if !self.status.is_empty() => {
                    return outcome(self.address.call(), &self.status);
                }
                Some(Ok(Message::Close(_))) | None => {
                    return Err(self.address.error(
                        "the runtime's streaming server closed the connection before the process had ended",
                    ));
                }
                Some(Err(error)) => {
                    return Err(self.address.error(format!("the connection broke: {error}")));
                }
            }
        }
    }

    async fn take(&mut self, mut message: Bytes) -> Result<(), Error> {
        // an empty one says that the stream stands
        if message.len() < 2 {
            return Ok(());
        }
        let piece = message.split_off(1);
        let source = match message.first() {
            Some(&STDOUT) => Source::Stdout,
            Some(&STDERR) => Source::Stderr,
            Some(&ERROR) if self.status.len() + piece.len() > MAX_STATUS => {
                let why = format!("an end in more than {MAX_STATUS} bytes");
                return Err(self.address.error(why));
            }
            Some(&ERROR) => {
                self.status.extend_from_slice(&piece);
                return Ok(());
            }
            _ => return Ok(()),
        };
        // who has dropped it does not want it
        self.output.send((source, piece)).await.ok();
        Ok(())
    }
}

type Sink = SplitSink<WebSocketStream<TcpStream>, Message>;

/// Writes for as long as the reader reads, which alone sees the end. Where the connection takes nothing any more,
/// the input is dropped, and its writer sees that.
async fn write_all(
    sink: Sink,
    version: Version,
    input: mpsc::Receiver<Input>,
    sizes: watch::Receiver<Option<TerminalSize>>,
) -> Infallible {
    if let Err(error) = write(sink, version, input, sizes).await {
        tracing::debug!(%error, "the connection takes no more");
    }
    std::future::pending().await
}

async fn write(
    mut sink: Sink,
    version: Version,
    mut input: mpsc::Receiver<Input>,
    mut sizes: watch::Receiver<Option<TerminalSize>>,
) -> Result<(), tungstenite::Error> {
    let mut alive = keep_alive();
    loop {
        let message = tokio::select! {
            biased;
            Ok(()) = sizes.changed() => {
                let size = *sizes.borrow_and_update();
                // two numbers can be written
                message(RESIZE, &serde_json::to_vec(&size).unwrap_or_default())
            }
            Some(piece) = input.recv() => match piece {
                Input::Bytes(bytes) => message(STDIN, &bytes),
                Input::End => message(CLOSE, &[STDIN]),
            },
            _ = alive.tick() => match version {
                // Go's server counts messages, not pings, as traffic, and passes over an empty one
                Version::V4 => Bytes::new(),
                Version::V5 => {
                    sink.send(Message::Ping(Bytes::new())).await?;
                    continue;
                }
            },
        };
        sink.send(Message::Binary(message)).await?;
    }
}

fn message(channel: u8, piece: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(1 + piece.len());
    message.put_u8(channel);
    message.put_slice(piece);
    message.freeze()
}
