//! Attach where a command cannot be held: a virtual machine on a runtime that attaches to what runs alone. What the command
//! writes before the streams stand is in its log, which has everything from the start; so output is the log's, line by line, and
//! the streams bring what a line has before its end, a prompt for one:
//!
//! ```text
//! log       one\n  two\n          prompt$ answer\n
//! streams            two\n prompt$ answer\n
//! client    one\n  two\n prompt$   answer\n
//! ```
//! The streams begin somewhere. Once both have been quiet for a moment the log has all lines that the streams have ended, and
//! from then on each newline of theirs is a line that is still to come from it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;
use model::{Error, Id};

use super::AttachRequest;
use super::hold::{Hold, Opened};
use crate::logs::format::{Line, Stream};
use crate::streams::{Output, OutputSource, Streams};
use crate::system::Inner;

/// How long nothing comes until log and streams are taken to be equally far.
const QUIET: Duration = Duration::from_millis(100);
/// How long lines are awaited that the streams have ended.
const LATE: Duration = Duration::from_secs(1);
/// Bytes of a line that are shown before its end at most: those of a longer one come with the log.
const AHEAD: usize = 64 * 1024;

impl Inner {
    /// Opens the streams of a container that was started for clients that wait for it, with all that it has written since then.
    pub(crate) async fn open_by_log(
        self: &Arc<Self>,
        id: &Id,
        cri_id: &str,
        hold: &Hold,
        since: Timestamp,
    ) -> Result<Opened, Error> {
        let record = self.store.container(id)?;
        let opened = self.open(&record, cri_id, hold).await;
        let mut all = Vec::new();
        for ((key, given), (_, request)) in opened.into_iter().zip(&hold.waiting) {
            let lines = self
                .lines_since(&record, since, shown(*request, record.spec.terminal))
                .await?;
            // Of one that has ended by now there is the log.
            all.push((key, Ok(merged(given.ok(), lines))));
        }
        Ok(all)
    }
}

/// Which streams a client is shown: stdout, where a terminal has all, and stderr.
fn shown(request: AttachRequest, terminal: bool) -> (bool, bool) {
    let stdout = request.stdout || terminal || !request.stderr;
    (stdout, request.stderr)
}

/// Streams whose output is the log's.
fn merged(given: Option<Streams>, lines: BoxStream<'static, Line>) -> Streams {
    let (mut stdin, mut resize, mut ahead) = (None, None, None);
    if let Some(streams) = given {
        (stdin, resize, ahead) = (streams.stdin, streams.resize, Some(streams.output));
    }
    let merge = Merge {
        lines,
        ahead,
        sides: <[Side; 2]>::default(),
        level: false,
        ready: VecDeque::new(),
    };
    let output = stream::unfold(merge, |mut merge| async move {
        let next = merge.next().await?;
        Some((next, merge))
    });
    Streams {
        stdin,
        resize,
        output: output.boxed(),
        ended: Box::pin(async { Ok(0) }),
    }
}

/// One of the two outputs.
#[derive(Debug, Default)]
struct Side {
    /// What the streams have brought since their last newline, and nobody was shown.
    open: BytesMut,
    /// What was shown of the line that the log brings next.
    shown: BytesMut,
    /// Lines that the streams have ended and the log has not brought; below 0 those that the log has brought before them.
    to_come: i64,
}

impl Side {
    /// The streams bring something; what of it can be shown now.
    fn ahead(&mut self, mut bytes: &[u8], level: bool) -> Bytes {
        let lines = bytes.split(|&byte| byte == b'\n').skip(1).map(|_| 1);
        if let Some(last) = bytes.iter().rposition(|&byte| byte == b'\n') {
            bytes = bytes.get(last + 1..).unwrap_or_default();
            self.open.clear();
            self.to_come += lines.sum::<i64>();
        }
        self.open.extend_from_slice(bytes);
        if self.open.len() > AHEAD {
            self.open.clear();
        }
        self.show(level)
    }

    /// What stands behind the last line of the log.
    fn show(&mut self, level: bool) -> Bytes {
        if !level || self.to_come != 0 || self.shown.len() > AHEAD {
            return Bytes::new();
        }
        let open = self.open.split().freeze();
        self.shown.extend_from_slice(&open);
        open
    }

    /// The log brings a line, or a piece of one; what of it was not shown yet.
    fn line(&mut self, mut text: Bytes) -> Bytes {
        let ends = text.ends_with(b"\n");
        if text.starts_with(&self.shown) {
            text.advance(self.shown.len());
            self.shown.clear();
        } else if self.shown.starts_with(&text) {
            self.shown.advance(text.len());
            text.clear();
        } else {
            self.shown.clear();
        }
        if ends {
            self.shown.clear();
            self.to_come -= 1;
        }
        text
    }
}

struct Merge {
    lines: BoxStream<'static, Line>,
    ahead: Option<Output>,
    sides: [Side; 2],
    /// Log and streams are equally far, but for the lines that are to come.
    level: bool,
    ready: VecDeque<(OutputSource, Bytes)>,
}

impl Merge {
    /// What comes next; `None` at the end of the log.
    async fn next(&mut self) -> Option<(OutputSource, Bytes)> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let quiet = self.quiet();
            tokio::select! {
                biased;
                line = self.lines.next() => self.line(line?),
                piece = next_of(&mut self.ahead) => self.piece(piece),
                () = tokio::time::sleep(quiet.unwrap_or_default()), if quiet.is_some() => self.be_level(),
            }
        }
    }

    /// After how long a silence log and streams are taken to be equally far, where they are not.
    fn quiet(&self) -> Option<Duration> {
        self.ahead.as_ref()?;
        let most = self.sides.iter().map(|side| side.to_come).max();
        let least = self.sides.iter().map(|side| side.to_come).min();
        match (self.level, least, most) {
            (false, ..) | (true, Some(..0), _) => Some(QUIET),
            (true, _, Some(1..)) => Some(LATE),
            _ => None,
        }
    }

    fn line(&mut self, line: Line) {
        let source = match line.stream {
            Stream::Stdout => OutputSource::Stdout,
            Stream::Stderr => OutputSource::Stderr,
        };
        let text = self.side(source).line(line.text);
        self.push(source, text);
        self.show(source);
    }

    fn piece(&mut self, piece: Option<(OutputSource, Bytes)>) {
        let Some((source, bytes)) = piece else {
            self.ahead = None;
            return;
        };
        let level = self.level;
        let text = self.side(source).ahead(&bytes, level);
        self.push(source, text);
    }

    fn be_level(&mut self) {
        self.level = true;
        for source in [OutputSource::Stdout, OutputSource::Stderr] {
            self.side(source).to_come = 0;
            self.show(source);
        }
    }

    fn show(&mut self, source: OutputSource) {
        let level = self.level;
        let text = self.side(source).show(level);
        self.push(source, text);
    }

    fn side(&mut self, source: OutputSource) -> &mut Side {
        let [stdout, stderr] = &mut self.sides;
        match source {
            OutputSource::Stdout => stdout,
            OutputSource::Stderr => stderr,
        }
    }

    fn push(&mut self, source: OutputSource, text: Bytes) {
        if !text.is_empty() {
            self.ready.push_back((source, text));
        }
    }
}

/// Never without streams.
async fn next_of(ahead: &mut Option<Output>) -> Option<(OutputSource, Bytes)> {
    match ahead {
        Some(output) => output.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
    use tokio_stream::wrappers::UnboundedReceiverStream;

    struct Both {
        log: UnboundedSender<Line>,
        streams: UnboundedSender<(OutputSource, Bytes)>,
        merged: Streams,
    }

    fn both() -> Both {
        let (log, lines) = unbounded_channel();
        let (streams, output) = unbounded_channel();
        let given = Streams {
            stdin: None,
            resize: None,
            output: UnboundedReceiverStream::new(output).boxed(),
            ended: Box::pin(async { Ok(0) }),
        };
        let lines = UnboundedReceiverStream::new(lines).boxed();
        let merged = merged(Some(given), lines);
        Both {
            log,
            streams,
            merged,
        }
    }

    impl Both {
        fn log(&self, text: &'static str) {
            let text = Bytes::from_static(text.as_bytes());
            let (stream, stamp) = (Stream::Stdout, None);
            self.log
                .send(Line {
                    stream,
                    stamp,
                    text,
                })
                .unwrap();
        }

        fn stream(&self, text: &'static str) {
            let text = Bytes::from_static(text.as_bytes());
            self.streams.send((OutputSource::Stdout, text)).unwrap();
        }

        /// What comes until nothing does.
        async fn comes(&mut self) -> String {
            let mut all = Vec::new();
            while let Ok(Some((_, text))) =
                tokio::time::timeout(QUIET * 3, self.merged.output.next()).await
            {
                all.extend_from_slice(&text);
            }
            String::from_utf8(all).unwrap()
        }
    }

    #[tokio::test]
    async fn the_log_has_what_came_before_the_streams_and_they_what_has_no_end_yet() {
        let mut both = both();
        both.log("one\n");
        both.stream("wo\nprom");
        assert_eq!(both.comes().await, "one\nprom");
        both.log("two\n"); // later than a moment: it comes behind, and is whole
        both.stream("pt$ ");
        assert_eq!(both.comes().await, "two\npt$ ");
    }

    #[tokio::test]
    async fn nothing_comes_twice_and_nothing_before_its_line() {
        let mut both = both();
        both.stream("prompt$ ");
        assert_eq!(both.comes().await, "prompt$ ");
        both.stream("ls\na\nb\nprompt$ ");
        assert_eq!(both.comes().await, "");
        both.log("prompt$ ls\n");
        both.log("a\n");
        assert_eq!(both.comes().await, "ls\na\n");
        both.log("b\n");
        assert_eq!(both.comes().await, "b\nprompt$ ");
        both.log("prompt$ ");
        both.log("x\n");
        assert_eq!(both.comes().await, "x\n");
    }

    #[tokio::test]
    async fn a_log_that_is_before_the_streams_hides_no_prompt() {
        let mut both = both();
        both.stream("p$ ");
        assert_eq!(both.comes().await, "p$ ");
        both.log("p$ a\n");
        both.stream("a\np$ ");
        assert_eq!(both.comes().await, "a\np$ ");
        both.log("p$ b\n");
        assert_eq!(both.comes().await, "b\n");
        both.stream("b\np$ "); // later than a moment: it is taken for a line that is to come
        assert_eq!(both.comes().await, "");
        tokio::time::sleep(LATE).await;
        assert_eq!(both.comes().await, "p$ ");
    }

    #[tokio::test]
    async fn the_end_is_the_logs() {
        let mut both = both();
        both.log("whole\n");
        let Both {
            log,
            streams,
            merged,
        } = both;
        drop(streams);
        both = Both {
            log,
            streams: unbounded_channel().0,
            merged,
        };
        both.log("rest");
        assert_eq!(both.comes().await, "whole\nrest");
        drop(std::mem::replace(&mut both.log, unbounded_channel().0));
        assert!(both.merged.output.next().await.is_none());
    }

    #[test]
    fn a_client_that_wants_no_output_is_shown_stdout_as_elsewhere() {
        let request = |stdout, stderr| AttachRequest {
            stdin: true,
            stdout,
            stderr,
        };
        assert_eq!(shown(request(false, false), false), (true, false));
        assert_eq!(shown(request(false, true), false), (false, true));
        assert_eq!(shown(request(false, true), true), (true, true));
    }
}
