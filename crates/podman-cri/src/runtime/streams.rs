//! The runtime's streams in the engine's words.

use cri_client::Client;
use cri_client::streaming::{self, Over, Source, WantedStdin};
use engine::{OutputSource, StdinWanted, Streams, StreamsWanted};
use futures_util::StreamExt as _;
use model::exec::TerminalSize;

use super::errors::runtime_error;

pub(super) fn wanted(wanted: StreamsWanted) -> streaming::Wanted {
    let StreamsWanted {
        tty,
        stdin,
        stdout,
        stderr,
    } = wanted;
    streaming::Wanted {
        tty,
        stdin: match stdin {
            StdinWanted::No => WantedStdin::No,
            StdinWanted::Open => WantedStdin::Open,
            StdinWanted::WithEnd => WantedStdin::WithEnd,
        },
        stdout,
        stderr,
        over: Over::Any,
    }
}

pub(super) fn streams(client: &Client, streams: streaming::Streams) -> Streams {
    let streaming::Streams {
        stdin,
        resize,
        output,
        ended,
    } = streams;
    let endpoint = client.runtime_endpoint().clone();
    Streams {
        stdin: stdin.map(|stdin| Box::pin(stdin) as _),
        resize: resize.map(|resize| Box::new(move |size| resize.set(terminal_size(size))) as _),
        output: output
            .map(|(source, piece)| (output_source(source), piece))
            .boxed(),
        ended: Box::pin(
            async move { ended.await.map_err(|error| runtime_error(&endpoint, error)) },
        ),
    }
}

fn terminal_size(TerminalSize { width, height }: TerminalSize) -> streaming::TerminalSize {
    streaming::TerminalSize { width, height }
}

fn output_source(source: Source) -> OutputSource {
    match source {
        Source::Stdout => OutputSource::Stdout,
        Source::Stderr => OutputSource::Stderr,
    }
}
