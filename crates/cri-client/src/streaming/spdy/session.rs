//! One connection: the streams are opened, then one future reads and one writes, until the process has ended.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{mpsc, oneshot};

use super::flow::{Notice, Writer};
use super::frame::{Decoder, Frame, Malformed};
use super::headers::{Deflater, Inflater};
use crate::error::Error;
use crate::streaming::address::Address;
use crate::streaming::parts::Ends;
use crate::streaming::status::{MAX_STATUS, outcome};
use crate::streaming::upgrade::Upgraded;
use crate::streaming::{Piece, READ_CHUNK, Source, Wanted};

/// What the reader has to tell the writer and the writer has not taken. The server answers [`super::flow::PROBES`] pings at
/// a time; more come from none that is in its senses.
const NOTICES: usize = 64;

/// What a stream of the connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Error,
    Stdin,
    Output(Source),
    Resize,
}

impl Role {
    /// The value of the header `streamType`.
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Stdin => "stdin",
            Self::Output(Source::Stdout) => "stdout",
            Self::Output(Source::Stderr) => "stderr",
            Self::Resize => "resize",
        }
    }

    /// The server waits for exactly those that Exec or Attach asked for, `error` always, `resize` with a terminal.
    fn wanted(wanted: Wanted) -> Vec<Self> {
        let all = [
            (true, Self::Error),
            (wanted.stdin.any(), Self::Stdin),
            (wanted.stdout, Self::Output(Source::Stdout)),
            (wanted.stderr, Self::Output(Source::Stderr)),
            (wanted.tty, Self::Resize),
        ];
        all.into_iter()
            .filter(|(wanted, _)| *wanted)
            .map(|(_, role)| role)
            .collect()
    }
}

#[derive(Debug)]
struct Stream {
    id: u32,
    role: Role,
    replied: bool,
    /// The server sends nothing on it any more.
    closed: bool,
}

/// Carries a stream until it has ended; `stands` is told when the server has all streams. Input before that
/// would be lost.
pub(in crate::streaming) async fn open(
    address: Address,
    upgraded: Upgraded,
    wanted: Wanted,
    ends: Ends,
    stands: oneshot::Sender<()>,
) {
    let roles = Role::wanted(wanted).into_iter();
    // a client's ids are odd; no two of five fall into one of the server's queues
    let streams: Vec<_> = (1..)
        .step_by(2)
        .zip(roles)
        .map(|(id, role)| Stream {
            id,
            role,
            replied: false,
            closed: false,
        })
        .collect();
    let id_of = |role| {
        streams
            .iter()
            .find(|stream| stream.role == role)
            .map(|stream| stream.id)
    };
    let (stdin, resize) = (id_of(Role::Stdin), id_of(Role::Resize));
    let opening = opening(&streams);
    let (read, mut write) = upgraded.stream.into_split();
    let (notices, told) = mpsc::channel(NOTICES);
    let mut reader = Reader {
        call: address.call(),
        streams,
        inflater: Inflater::new(),
        output: ends.output,
        stands: Some(stands),
        status: Vec::new(),
        notices,
    };
    let session = async {
        write.write_all(&opening?).await.map_err(Broken::Io)?;
        let writer = Writer::new(write, stdin, resize);
        tokio::select! {
            ended = reader.run(read, upgraded.early) => ended,
            never = writer.run(ends.input, ends.sizes, told) => match never {},
        }
    };
    let ended = session
        .await
        .unwrap_or_else(|broken| Err(address.error(broken)));
    // nobody has to want to know
    ends.ended.send(ended).ok();
}

/// The frames that open the streams.
fn opening(streams: &[Stream]) -> Result<BytesMut, Malformed> {
    let mut deflater = Deflater::new();
    let mut frames = BytesMut::new();
    for stream in streams {
        let block = deflater.block(&[("streamtype", stream.role.name())])?;
        let frame = Frame::Open {
            stream: stream.id,
            fin: false,
            block: block.into(),
        };
        frame.encode(&mut frames);
    }
    Ok(frames)
}

/// Why a connection ended before the process did.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the connection broke: {0}")]
    Io(io::Error),
    #[error("the runtime's streaming server closed the connection before the process had ended")]
    Closed,
    #[error("that is no SPDY/3.1: {0}")]
    Malformed(#[from] Malformed),
}

fn not_meant<T>(why: impl Into<String>) -> Result<T, Broken> {
    Err(Broken::Malformed(Malformed(why.into())))
}

struct Reader {
    call: &'static str,
    streams: Vec<Stream>,
    inflater: Inflater,
    output: mpsc::Sender<Piece>,
    stands: Option<oneshot::Sender<()>>,
    /// What came on the error stream.
    status: Vec<u8>,
    notices: mpsc::Sender<Notice>,
}

impl Reader {
    /// Reads until the process has ended. Waits while nobody takes the output.
    async fn run(
        &mut self,
        mut connection: OwnedReadHalf,
        early: Bytes,
    ) -> Result<Result<i32, Error>, Broken> {
        let mut decoder = Decoder::default();
        let mut buffer = BytesMut::from(&early[..]);
        loop {
            while let Some(frame) = decoder.next(&mut buffer)? {
                self.take(frame).await?;
                if self.ended() {
                    return Ok(outcome(self.call, &self.status));
                }
            }
            buffer.reserve(READ_CHUNK);
            match connection.read_buf(&mut buffer).await {
                Ok(1..) => {}
                // a server that has said how it ended may go as it likes
                _ if !self.status.is_empty() => return Ok(outcome(self.call, &self.status)),
                Ok(_) => return Err(Broken::Closed),
                Err(error) => return Err(Broken::Io(error)),
            }
        }
    }

    /// How it ended is said, and all output is here.
    fn ended(&self) -> bool {
        let mut waited_for = self.streams.iter().filter(|stream| match stream.role {
            Role::Error | Role::Output(_) => true,
            Role::Stdin | Role::Resize => false,
        });
        !self.status.is_empty() && waited_for.all(|stream| stream.closed)
    }

    async fn take(&mut self, frame: Frame) -> Result<(), Broken> {
        match frame {
            Frame::Data { stream, fin, bytes } => {
                self.data(stream, bytes).await?;
                if fin {
                    self.closed(stream, false)?;
                }
            }
            Frame::Reply { stream, fin, block } => {
                self.inflater.pairs(&block)?;
                self.replied(stream);
                if fin {
                    self.closed(stream, false)?;
                }
            }
            Frame::Headers { stream, fin, block } => {
                self.inflater.pairs(&block)?;
                if fin {
                    self.closed(stream, false)?;
                }
            }
            Frame::Reset { stream, status } => {
                if let Some(refused) = self.find(stream).filter(|stream| !stream.replied) {
                    let name = refused.role.name();
                    return not_meant(format!("the stream {name} was refused (status {status})"));
                }
                self.closed(stream, true)?;
            }
            Frame::Open { stream, block, .. } => {
                self.inflater.pairs(&block)?;
                self.tell(Notice::Refuse(stream))?;
            }
            Frame::Ping(number) => self.tell(Notice::of_ping(number))?,
            // the streams that are open go on
            Frame::GoAway { .. } | Frame::Ignored(_) => {}
        }
        Ok(())
    }

    fn find(&mut self, id: u32) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|stream| stream.id == id)
    }

    async fn data(&mut self, id: u32, bytes: Bytes) -> Result<(), Broken> {
        let Some(role) = self
            .find(id)
            .filter(|stream| !stream.closed)
            .map(|stream| stream.role)
        else {
            return Ok(());
        };
        match role {
            Role::Output(source) if !bytes.is_empty() => {
                // who has dropped it does not want it
                self.output.send((source, bytes)).await.ok();
            }
            Role::Error if self.status.len() + bytes.len() > MAX_STATUS => {
                return not_meant(format!("an end in more than {MAX_STATUS} bytes"));
            }
            Role::Error => self.status.extend_from_slice(&bytes),
            Role::Output(_) | Role::Stdin | Role::Resize => {}
        }
        Ok(())
    }

    fn replied(&mut self, id: u32) {
        if let Some(stream) = self.find(id) {
            stream.replied = true;
        }
        if self.streams.iter().all(|stream| stream.replied)
            && let Some(stands) = self.stands.take()
        {
            // whoever opened it may have gone
            stands.send(()).ok();
        }
    }

    fn closed(&mut self, id: u32, reset: bool) -> Result<(), Broken> {
        let Some(stream) = self.find(id) else {
            return Ok(());
        };
        stream.closed = true;
        match stream.role {
            Role::Stdin if reset => self.tell(Notice::StdinGone),
            _ => Ok(()),
        }
    }

    /// Never waits: the writer may be waiting for the server, and the server for this reader.
    fn tell(&self, notice: Notice) -> Result<(), Broken> {
        let told = self.notices.try_send(notice);
        told.or_else(|_| not_meant("more pings than can be answered"))
    }
}
