//! Whether streams stand: a runtime answers an attach before the process' output goes there, and nothing tells when it does.
//!
//! The gate is asked to write letters, again and again, until one has come through to each client; then for a last one,
//! behind which the command's own output begins:
//!
//! ```text
//! ours ──o──▶ gate ──o──▶ runtime ─▶ nobody          asked again after a moment
//! ours ──o──▶ gate ──o──▶ runtime ─▶ each client     all of them have one
//! ours ──O──▶ gate ──O──▶ runtime ─▶ each client     what came before is thrown away
//! ```

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{Either, join_all, select};
use model::Error;
use model::gate::word;

use super::clients::Given;
use crate::host::GatePipe;
use crate::streams::{OutputSource, Streams, StreamsWanted};

/// How long a letter may take to come through; a machine under load needs seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// After this another letter is asked for.
const AGAIN: Duration = Duration::from_millis(5);

/// What one client is given, and what was asked for it.
pub(super) struct Probed<'a> {
    pub(super) wanted: StreamsWanted,
    /// An error takes the place of streams that do not stand after all.
    pub(super) given: &'a mut Given,
}

/// Which letter goes where.
#[derive(Clone, Copy)]
struct Letters {
    stdout: u8,
    stderr: u8,
}

const FIRST: Letters = Letters {
    stdout: word::STDOUT,
    stderr: word::STDERR,
};
const LAST: Letters = Letters {
    stdout: word::LAST_STDOUT,
    stderr: word::LAST_STDERR,
};

impl Letters {
    fn on(self, source: OutputSource) -> u8 {
        match source {
            OutputSource::Stdout => self.stdout,
            OutputSource::Stderr => self.stderr,
        }
    }
}

/// Waits until the output of a held command goes to each of these clients. One whose streams break meanwhile is told
/// so, and the others do not wait for it.
///
/// # Errors
/// The gate reads its pipe no more.
pub(super) async fn until_they_stand(
    pipe: &GatePipe,
    clients: &mut [Probed<'_>],
) -> Result<(), Error> {
    let sources = sources_of(clients);
    ask(pipe, FIRST, &sources)?;
    let ask_again = async {
        loop {
            tokio::time::sleep(AGAIN).await;
            if let Err(error) = ask(pipe, FIRST, &sources) {
                return error;
            }
        }
    };
    let first = all_have(FIRST, clients);
    match select(Box::pin(ask_again), Box::pin(first)).await {
        Either::Left((error, _)) => return Err(error),
        Either::Right(((), _)) => {}
    }
    ask(pipe, LAST, &sources)?;
    all_have(LAST, clients).await;
    Ok(())
}

/// The streams that somebody wants.
fn sources_of(clients: &[Probed<'_>]) -> Vec<OutputSource> {
    let mut all = vec![OutputSource::Stdout, OutputSource::Stderr];
    all.retain(|source| {
        let mut all = clients.iter();
        all.any(|client| wants(client.wanted).contains(source))
    });
    all
}

fn wants(wanted: StreamsWanted) -> Vec<OutputSource> {
    let stdout = wanted.stdout.then_some(OutputSource::Stdout);
    let stderr = wanted.stderr.then_some(OutputSource::Stderr);
    stdout.into_iter().chain(stderr).collect()
}

fn ask(pipe: &GatePipe, letters: Letters, sources: &[OutputSource]) -> Result<(), Error> {
    let words: Vec<_> = sources.iter().map(|source| letters.on(*source)).collect();
    pipe.tell(&words)
}

async fn all_have(letters: Letters, clients: &mut [Probed<'_>]) {
    let each = clients.iter_mut().map(async |client| {
        let Ok(streams) = client.given else {
            return;
        };
        let had = has(letters, client.wanted, streams);
        let had = tokio::time::timeout(PATIENCE, had).await;
        let late = |_| Err(broken(&format!("nothing came through within {PATIENCE:?}")));
        if let Err(error) = had.unwrap_or_else(late) {
            *client.given = Err(error);
        }
    });
    join_all(each).await;
}

/// Reads a client's streams until each has brought its letter.
async fn has(letters: Letters, wanted: StreamsWanted, streams: &mut Streams) -> Result<(), Error> {
    let mut missing = wants(wanted);
    while !missing.is_empty() {
        let Some((source, bytes)) = streams.output.next().await else {
            return Err(broken("the streams have ended before the command began"));
        };
        if bytes.contains(&letters.on(source)) {
            missing.retain(|wanted| *wanted != source);
        }
    }
    Ok(())
}

fn broken(why: &str) -> Error {
    Error::Runtime {
        call: "Attach",
        message: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream::{self, BoxStream};
    use tokio::io::AsyncReadExt as _;
    use tokio::sync::mpsc;

    const BOTH: StreamsWanted = StreamsWanted {
        tty: false,
        stdin: crate::streams::StdinWanted::No,
        stdout: true,
        stderr: true,
    };

    fn streams(output: BoxStream<'static, (OutputSource, Bytes)>) -> Streams {
        Streams {
            stdin: None,
            resize: None,
            output,
            ended: Box::pin(async { Ok(0) }),
        }
    }

    /// A gate and a runtime that gives its client nothing of the first letters.
    async fn late(
        mut words: tokio::net::unix::pipe::Receiver,
        to: mpsc::UnboundedSender<(OutputSource, Bytes)>,
        mut lost: usize,
    ) -> Vec<u8> {
        let mut heard = Vec::new();
        while let Ok(word) = words.read_u8().await {
            heard.push(word);
            let source = match word {
                word::STDOUT | word::LAST_STDOUT => OutputSource::Stdout,
                word::STDERR | word::LAST_STDERR => OutputSource::Stderr,
                _ => break,
            };
            if lost > 0 {
                lost -= 1;
                continue;
            }
            to.send((source, Bytes::copy_from_slice(&[word]))).ok();
        }
        to.send((OutputSource::Stdout, Bytes::from_static(b"oOeE")))
            .ok();
        heard
    }

    #[tokio::test]
    async fn letters_are_asked_for_until_one_comes_through_and_none_is_left_for_the_client() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, words) = GatePipe::for_test(dir.path());
        let (to, from) = mpsc::unbounded_channel();
        let gate = tokio::spawn(late(words, to, 7));
        let from = tokio_stream::wrappers::UnboundedReceiverStream::new(from);
        let mut late = Ok(streams(from.boxed()));
        let mut gone = Ok(streams(stream::empty().boxed()));
        let probed = |given| Probed {
            wanted: BOTH,
            given,
        };
        let mut clients = [probed(&mut late), probed(&mut gone)];
        until_they_stand(&pipe, &mut clients).await.unwrap();
        assert!(late.is_ok() && gone.is_err());
        pipe.let_go().unwrap();
        let heard = gate.await.unwrap();
        assert!(heard.ends_with(&[word::LAST_STDOUT, word::LAST_STDERR, word::GO]));
        assert_eq!(late.unwrap().output.next().await.unwrap().1, &b"oOeE"[..]);
    }
}
