//! A client that has a process' streams on its connection: attach, and an exec session.

use std::io::IoSlice;

use bytes::Bytes;
use engine::logs::Log;
use engine::logs::format::Stream;
use engine::{Input, Output, OutputSource, Streams};
use futures_util::StreamExt as _;
use model::container::Face;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::cx::Cx;
use super::detach::{DetachKeys, Typed, Watch};
use super::hijack::{Client, gone};
use super::mux::{self, Channel};
use super::path::ApiVersion;

/// What is read of a client at once: the size of a pipe.
const READ_BYTES: usize = 64 * 1024;

/// From here on what is framed is called so.
const FRAMED_COMPAT: ApiVersion = ApiVersion(1, 42, 0);
const FRAMED_LIBPOD: ApiVersion = ApiVersion(4, 7, 0);

/// How a client and a process are brought together.
#[allow(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// The process has a terminal: bytes go as they are, else in frames that name their stream.
    pub(crate) tty: bool,
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    /// The keys that detach; looked for on a terminal alone, for other input may hold any bytes.
    pub(crate) keys: DetachKeys,
}

/// How it came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// The process' output has ended, and all of it is written.
    Ended,
    /// The client has gone away or has detached, or the daemon ends.
    Process,
}

/// The content type of such a connection.
pub(crate) fn content_type(cx: &Cx, tty: bool) -> &'static str {
    let framed_from = match cx.face {
        Face::Libpod => FRAMED_LIBPOD,
        Face::Compat => FRAMED_COMPAT,
    };
    // A path without a version gets the oldest name, as in Podman.
    match !tty && cx.version.is_some_and(|asked| asked >= framed_from) {
        true => "application/vnd.docker.multiplexed-stream",
        false => "application/vnd.docker.raw-stream",
    }
}

/// Carries bytes both ways until one side leaves. A slow client slows the process down: nothing is read of it
/// before the last piece is written.
pub(crate) async fn converse(
    client: &mut Client,
    streams: &mut Streams,
    terms: &Terms,
    draining: &CancellationToken,
) -> Left {
    let Client { read, write } = client;
    let input = async {
        let stdin = streams.stdin.as_mut().filter(|_| terms.stdin);
        if from_client(read, stdin, terms).await == Sent::End {
            gone(read.get_ref().1).await;
        }
        Left::Process
    };
    let output = to_client(&mut streams.output, write, terms);
    tokio::select! {
        left = output => left,
        left = input => left,
        () = draining.cancelled() => Left::Process,
    }
}

/// What a client's input came to.
#[derive(PartialEq, Eq)]
enum Sent {
    /// It sends no more.
    End,
    /// It has detached.
    Detached,
}

async fn from_client(
    read: &mut (impl tokio::io::AsyncRead + Unpin),
    mut stdin: Option<&mut Input>,
    terms: &Terms,
) -> Sent {
    let mut watch = Watch::new(match terms.tty {
        true => terms.keys.clone(),
        false => DetachKeys::none(),
    });
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = match read.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        let piece = buffer.get(..count).unwrap_or_default();
        if watch.is_idle() {
            write(&mut stdin, piece).await;
            continue;
        }
        match watch.next(piece) {
            Typed::Input(bytes) => write(&mut stdin, &bytes).await,
            Typed::Detach(bytes) => {
                write(&mut stdin, &bytes).await;
                return Sent::Detached;
            }
        }
    }
    write(&mut stdin, &watch.rest()).await;
    if let Some(stdin) = stdin {
        // Where the process has ended there is nothing left to tell it.
        stdin.shutdown().await.unwrap_or_default();
    }
    Sent::End
}

/// Writes input. A process that reads no more is no error of its client's, who may go on to send.
async fn write(stdin: &mut Option<&mut Input>, bytes: &[u8]) {
    if let Some(open) = stdin
        && open.write_all(bytes).await.is_err()
    {
        *stdin = None;
    }
}

async fn to_client(
    output: &mut Output,
    write: &mut (impl AsyncWrite + Unpin),
    terms: &Terms,
) -> Left {
    while let Some((source, bytes)) = output.next().await {
        let written = give(write, source, bytes, terms).await;
        if written.is_err() {
            return Left::Process;
        }
    }
    Left::Ended
}

/// Writes a piece of output, where it is of a stream that is wanted.
async fn give(
    write: &mut (impl AsyncWrite + Unpin),
    source: OutputSource,
    bytes: Bytes,
    terms: &Terms,
) -> std::io::Result<()> {
    let (channel, wanted) = match source {
        OutputSource::Stdout => (Channel::Stdout, terms.stdout),
        OutputSource::Stderr => (Channel::Stderr, terms.stderr),
    };
    match (wanted, terms.tty) {
        (false, _) => Ok(()),
        (true, true) => write.write_all(&bytes).await,
        (true, false) => write_frame(write, channel, bytes).await,
    }
}

/// Gives a client the lines of a log.
pub(crate) async fn replay(
    client: &mut Client,
    log: Log,
    terms: &Terms,
    draining: &CancellationToken,
) {
    let mut lines = std::pin::pin!(log.lines.take_until(draining.cancelled()));
    while let Some(line) = lines.next().await {
        let source = match line.stream {
            Stream::Stdout => OutputSource::Stdout,
            Stream::Stderr => OutputSource::Stderr,
        };
        if give(&mut client.write, source, line.text, terms)
            .await
            .is_err()
        {
            return; // what follows sees it too
        }
    }
}

/// Tells a client what went wrong after its stream had begun: on its stderr, as Podman does.
pub(crate) async fn tell(client: &mut Client, terms: &Terms, text: &str) {
    let text = Bytes::from(format!("Error: {text}\n"));
    let told = match terms.tty {
        true => client.write.write_all(&text).await,
        false => write_frame(&mut client.write, Channel::Stderr, text).await,
    };
    told.unwrap_or_default(); // who is gone need not be told
}

/// A frame without copying its payload.
async fn write_frame(
    write: &mut (impl AsyncWrite + Unpin),
    channel: Channel,
    payload: Bytes,
) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(std::io::Error::other)?;
    let header = mux::header(channel, length);
    let total = header.len() + payload.len();
    let mut done = 0;
    while done < total {
        let head = header.get(done..).unwrap_or_default();
        let body = payload
            .get(done.saturating_sub(header.len())..)
            .unwrap_or_default();
        let count = write
            .write_vectored(&[IoSlice::new(head), IoSlice::new(body)])
            .await?;
        if count == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        done += count;
    }
    Ok(())
}
