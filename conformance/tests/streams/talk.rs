//! A connection that was taken over, byte for byte.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use conformance::{Http, Response, Streaming, frames};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// How long a talk may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every path of libpod's API begins with here.
pub(crate) const LIBPOD: &str = "/v5.8.0/libpod";

/// How a client asks for the connection.
pub(crate) const UPGRADE: &[(&str, &str)] = &[
    ("Connection", "Upgrade"),
    ("Upgrade", "tcp"),
    ("Content-Type", "application/json"),
];
/// How podman-remote 4.3 and podman-py do.
pub(crate) const PLAIN: &[(&str, &str)] = &[("Content-Type", "application/json")];

pub(crate) const RAW: &str = "application/vnd.docker.raw-stream";
pub(crate) const FRAMED: &str = "application/vnd.docker.multiplexed-stream";

/// The output of a talk by stream.
pub(crate) type Frames = frames::Streams;

/// A connection that was taken over.
pub(crate) struct Talk {
    pub(crate) head: Response,
    raw: tokio::io::BufReader<tokio::net::UnixStream>,
}

impl Talk {
    /// Posts, and has the connection.
    pub(crate) async fn open(
        http: &Http,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Self> {
        let body = body.map(ToString::to_string);
        let body = body.as_deref().unwrap_or_default().as_bytes();
        let Streaming { head, raw, .. } = http.open("POST", path, headers, Some(body)).await?;
        Ok(Self { head, raw })
    }

    /// Makes an exec session in a container and starts it; its id.
    pub(crate) async fn exec(http: &Http, container: &str, body: &Value) -> Result<(String, Self)> {
        let id = make_exec(http, LIBPOD, container, body).await?;
        let path = format!("{LIBPOD}/exec/{id}/start");
        let talk = Self::open(http, &path, UPGRADE, Some(&json!({ "Detach": false }))).await?;
        Ok((id, talk))
    }

    /// The head is exactly Podman's.
    pub(crate) fn has_head(&self, headers: &[(&str, &str)], content_type: &str) -> Result<()> {
        let upgraded = headers.contains(&("Upgrade", "tcp"));
        let (status, reason, rest) = match upgraded {
            true => (101, "UPGRADED", "[Connection: Upgrade, Upgrade: tcp]"),
            false => (200, "OK", "[]"),
        };
        let mut shown: Vec<_> = self.head.headers.clone();
        let first = (!shown.is_empty()).then(|| shown.remove(0));
        let shown: Vec<_> = shown
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let shown = format!("[{}]", shown.join(", "));
        let wanted = Some(("Content-Type".to_owned(), content_type.to_owned()));
        ensure!(
            (self.head.status, self.head.reason.as_str()) == (status, reason)
                && first == wanted
                && shown == rest,
            "the head is {:?}",
            self.head
        );
        Ok(())
    }

    /// Sends input to its end, and reads at the same time all that comes.
    pub(crate) async fn send_and_hear(self, bytes: Vec<u8>) -> Result<Frames> {
        let (mut read, mut write) = self.raw.into_inner().into_split();
        let sent = tokio::spawn(async move {
            write.write_all(&bytes).await?;
            write.shutdown().await
        });
        let mut heard = Vec::new();
        timeout(PATIENCE, read.read_to_end(&mut heard))
            .await
            .with_context(|| format!("it does not end after {} bytes", heard.len()))??;
        sent.await??;
        frames::by_stream(&heard)
    }

    /// Sends so many bytes to a command that sends them back, and compares them as they come.
    pub(crate) async fn echoes(self, bytes: usize) -> Result<()> {
        let (mut read, mut write) = self.raw.into_inner().into_split();
        let blocks = (bytes / BLOCK) as u64;
        let sent = tokio::spawn(async move {
            for number in 0..blocks {
                write.write_all(&block(number)).await?;
            }
            write.shutdown().await
        });
        let (mut waiting, mut number) = (Vec::with_capacity(2 * BLOCK), 0);
        let mut head = [0; frames::HEAD];
        while timeout(PATIENCE, read.read_exact(&mut head)).await?.is_ok() {
            let (stream, length) = frames::head(head)?;
            ensure!(stream == 1, "not stdout, but {stream}");
            let begin = waiting.len();
            waiting.resize(begin + length, 0);
            read.read_exact(&mut waiting[begin..]).await?;
            while waiting.len() >= BLOCK {
                ensure!(
                    waiting[..BLOCK] == block(number),
                    "block {number} is another"
                );
                waiting.drain(..BLOCK);
                number += 1;
            }
        }
        sent.await??;
        ensure!(
            number == blocks && waiting.is_empty(),
            "{number} of {blocks} blocks came"
        );
        Ok(())
    }

    /// Sends input.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.raw.get_mut().write_all(bytes).await?;
        Ok(())
    }

    /// Reads until this has come.
    pub(crate) async fn hear(&mut self, wanted: &str) -> Result<String> {
        let mut heard = Vec::new();
        let hear = async {
            while !String::from_utf8_lossy(&heard).contains(wanted) {
                let mut piece = [0; 4096];
                let count = self.raw.read(&mut piece).await?;
                ensure!(count > 0, "it ended");
                heard.extend(piece.get(..count).unwrap_or_default());
            }
            Ok(())
        };
        let result = timeout(PATIENCE, hear).await;
        let heard = String::from_utf8_lossy(&heard).into_owned();
        match result {
            Ok(done) => done.with_context(|| format!("{wanted:?} was to come, heard {heard:?}"))?,
            Err(_) => anyhow::bail!("{wanted:?} does not come, heard {heard:?}"),
        }
        Ok(heard)
    }

    /// All that comes until the other side closes.
    pub(crate) async fn rest(&mut self) -> Result<Vec<u8>> {
        let mut rest = Vec::new();
        timeout(PATIENCE, self.raw.read_to_end(&mut rest))
            .await
            .with_context(|| format!("it does not end after {} bytes", rest.len()))??;
        Ok(rest)
    }

    /// The same, taken out of its frames.
    pub(crate) async fn frames(&mut self) -> Result<Frames> {
        let bytes = self.rest().await?;
        frames::by_stream(&bytes)
    }
}

/// Makes an exec session in a container; its id.
pub(crate) async fn make_exec(
    http: &Http,
    face: &str,
    container: &str,
    body: &Value,
) -> Result<String> {
    let path = format!("{face}/containers/{container}/exec");
    let answer = http.post(&path, body).await?.expect(201)?.json();
    Ok(answer["Id"].as_str().context("an Id")?.to_owned())
}

/// These frames.
pub(crate) fn of(stdout: &str, stderr: &str) -> Frames {
    let streams = [(1, stdout), (2, stderr)];
    streams
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(stream, text)| (stream, text.as_bytes().to_vec()))
        .collect()
}

/// How much is sent and looked at at once.
const BLOCK: usize = 1 << 16;

/// A block that no other one equals.
fn block(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(BLOCK / 8).flatten().collect()
}
