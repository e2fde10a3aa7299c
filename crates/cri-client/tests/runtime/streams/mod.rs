//! Streams of commands and of containers' own processes, over SPDY and over WebSocket.

mod commands;
mod ends;
mod flow;
mod terminals;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cri_api::v1::ExecRequest;
use cri_client::streaming::{
    Output, Over, Source, Stdin, Streams, TerminalSize, Wanted, WantedStdin, connect,
};
use cri_client::{Client, Error, RuntimeKind};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use crate::place::{Place, words};

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

const OUTPUTS: Wanted = Wanted {
    tty: false,
    stdin: WantedStdin::No,
    stdout: true,
    stderr: true,
    over: Over::Any,
};
const ALL: Wanted = Wanted {
    stdin: WantedStdin::WithEnd,
    ..OUTPUTS
};
const TERMINAL: Wanted = Wanted {
    tty: true,
    stdin: WantedStdin::Open,
    stderr: false,
    ..OUTPUTS
};

fn over_websocket(wanted: Wanted) -> Wanted {
    Wanted {
        over: Over::WebSocket,
        ..wanted
    }
}

/// All output until it ends, stdout and stderr.
async fn read(mut output: Output) -> (String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some((source, piece)) = timeout(SOON, output.next())
        .await
        .expect("output or its end")
    {
        match source {
            Source::Stdout => stdout.extend_from_slice(&piece),
            Source::Stderr => stderr.extend_from_slice(&piece),
        }
    }
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(stdout), text(stderr))
}

async fn run(
    client: &Client,
    id: &str,
    script: &str,
    wanted: Wanted,
) -> (String, String, Result<i32, Error>) {
    let streams = client
        .exec_streams(id, words(&["sh", "-c", script]), wanted)
        .await
        .expect("opened");
    let Streams { output, ended, .. } = streams;
    let (stdout, stderr) = read(output).await;
    let ended = timeout(SOON, ended).await.expect("an end");
    (stdout, stderr, ended)
}

/// Reads until what was read has the text.
async fn until(output: &mut Output, wanted: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(wanted) {
        let piece = timeout(SOON, output.next()).await.expect("output");
        let (_, piece) =
            piece.unwrap_or_else(|| unreachable!("ended with {seen:?}, wanted was {wanted:?}"));
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    seen
}

async fn read_all(streams: Streams) -> (String, Result<i32, Error>) {
    let stdout = read(streams.output).await.0;
    (stdout, streams.ended.await)
}
