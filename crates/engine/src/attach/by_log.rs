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
//! from then on each newline of theirs is a line that is still to come from it. A long line comes in pieces from both, and of it
//! is shown what the one of them brings that is farther.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;
use model::observed::CriState;
use model::{Error, Id};

use super::AttachRequest;
use super::clients::Given;
use super::hold::{Hold, Opened};
use crate::logs::format::{Line, Stream};
use crate::runtime::Runtime as _;
use crate::streams::{Output, OutputSource, Streams};
use crate::system::Inner;

/// How long nothing comes until log and streams are taken to be equally far.
const QUIET: Duration = Duration::from_millis(100);
/// How long lines are awaited that the streams have ended.
const LATE: Duration = Duration::from_secs(1);
/// Bytes of a line that are kept, and shown before the log brings them, at most: more than a runtime holds back of a line
/// before it writes a piece of it into the log (16 KiB), so that its end can be shown when all before it is there.
const AHEAD: usize = 64 * 1024;
/// Bytes that a command writes at once (`PIPE_BUF`): a line of no more comes by the streams with its newline.
const WHOLE: u64 = 4096;

impl Inner {
    /// Opens the streams of a container that was started for clients that wait for it, with all that it has written since then.
    /// It runs, whatever becomes of them: each client is told by itself why it has none.
    pub(crate) async fn open_by_log(
        self: &Arc<Self>,
        id: &Id,
        cri_id: &str,
        hold: &Hold,
        since: Timestamp,
    ) -> Opened {
        let record = match self.store.container(id) {
            Ok(record) => record,
            Err(error) => return to_each(hold, &error),
        };
        let opened = self.open(&record, cri_id, hold).await;
        let mut all = Vec::new();
        for ((key, given), (_, request)) in opened.into_iter().zip(&hold.waiting) {
            let lines = self
                .lines_since(&record, since, shown(*request, record.spec.terminal))
                .await;
            let sends = request.stdin && record.spec.stdin;
            let needed = given.is_err() && sends && !self.has_ended(cri_id).await;
            all.push((key, one_of(given, needed, lines)));
        }
        all
    }

    /// Whether a container is known to run no more.
    async fn has_ended(&self, cri_id: &str) -> bool {
        let status = self.runtime.container_status(cri_id, false).await;
        status.is_ok_and(|status| status.state == CriState::Exited)
    }
}

/// Why no client has streams.
fn to_each(hold: &Hold, error: &Error) -> Opened {
    let clients = hold.waiting.iter();
    clients.map(|(key, _)| (*key, Err(error.clone()))).collect()
}

/// What one client is given. Where the runtime does not attach there is the log still, but for a client that has input, which
/// would wait for ever for what that leads to (`needed`).
fn one_of(given: Given, needed: bool, lines: Result<BoxStream<'static, Line>, Error>) -> Given {
    match given {
        Err(error) if needed => Err(error),
        given => Ok(merged(given.ok(), lines?)),
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

/// What is known of where the streams are in their line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// They have ended no line yet: what they bring is taken for its begin, until the log brings another one.
    #[default]
    Guessed,
    /// They have its begin.
    Known,
    /// They have not: nothing of it is shown before the log brings it.
    Lost,
}

/// One of the two outputs. Places in a line are counted from its begin, for the log brings a long one in pieces.
#[derive(Debug, Default)]
struct Side {
    /// The last of what the streams have brought since their last newline, and nobody was shown.
    open: BytesMut,
    /// Bytes that they have brought since then.
    at: u64,
    place: Place,
    /// What was shown of a line before the log brings it.
    shown: BytesMut,
    /// Bytes that the log has brought of its line, which has no end yet.
    brought: u64,
    /// Bytes of the line that it has ended last.
    length: u64,
    /// Log and streams are equally far, but for the lines that are to come.
    level: bool,
    /// Lines that the streams have ended and the log has not brought; below 0 those that the log has brought before them.
    to_come: i64,
}

impl Side {
    /// The streams bring something; what of it can be shown now.
    fn ahead(&mut self, mut bytes: &[u8]) -> Bytes {
        let lines = bytes.split(|&byte| byte == b'\n').skip(1).map(|_| 1);
        if let Some(last) = bytes.iter().rposition(|&byte| byte == b'\n') {
            self.to_come += lines.sum::<i64>();
            bytes = bytes.get(last + 1..).unwrap_or_default();
            self.open.clear();
            (self.at, self.place) = (0, Place::Known);
            if self.to_come <= 0 {
                self.shown.clear(); // of a line that both have ended
            }
        }
        self.at += bytes.len() as u64;
        self.open.extend_from_slice(bytes);
        let surplus = self.open.len().saturating_sub(AHEAD);
        self.open.advance(surplus);
        self.show()
    }

    /// What stands behind the last line of the log.
    fn show(&mut self) -> Bytes {
        let same = self.level && self.to_come == 0 && self.place != Place::Lost;
        if !same || self.shown.len() > AHEAD {
            return Bytes::new();
        }
        let seen = self.brought + self.shown.len() as u64;
        let begins = self.at.saturating_sub(self.open.len() as u64);
        // what is before it was given up, and comes with the log
        let Some(known) = seen.checked_sub(begins) else {
            return Bytes::new();
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        self.open.advance(known.min(self.open.len()));
        let open = self.open.split().freeze();
        self.shown.extend_from_slice(&open);
        open
    }

    /// The log brings a line, or a piece of one; what of it was not shown yet.
    fn line(&mut self, mut text: Bytes) -> Bytes {
        let (ends, bytes) = (text.ends_with(b"\n"), text.len() as u64);
        let told = !self.shown.is_empty();
        let mut fits = told;
        if text.starts_with(&self.shown) {
            text.advance(self.shown.len());
            self.shown.clear();
        } else if self.shown.starts_with(&text) {
            self.shown.advance(text.len());
            text.clear();
        } else {
            fits = false; // another line, which is late: what was shown is of the next
        }
        if self.level && self.to_come == 0 && self.place == Place::Guessed {
            self.place = match (fits, ends && !told) {
                (true, _) => Place::Known,
                (false, true) => Place::Guessed,
                (false, false) => Place::Lost,
            };
        }
        self.brought += bytes;
        if ends {
            self.to_come -= 1;
            self.length = std::mem::take(&mut self.brought);
            if self.to_come >= 0 {
                self.shown.clear();
            }
        }
        text
    }

    /// After how long a silence log and streams are taken to be equally far, where they are not. Before the streams bring
    /// anything there is nothing to show.
    fn quiet(&self) -> Option<Duration> {
        let heard = self.at > 0 || self.place != Place::Guessed;
        match (self.level, self.to_come) {
            (false, _) => heard.then_some(QUIET),
            (true, ..0) => Some(QUIET),
            (true, 1..) => Some(LATE),
            (true, 0) => None,
        }
    }

    /// It was silent for so long.
    fn be_level(&mut self) {
        let late = self.level && self.to_come < 0;
        if late && self.length > WHOLE || self.place == Place::Guessed && self.brought > 0 {
            self.place = Place::Lost;
        }
        if self.to_come > 0 {
            self.shown.clear(); // of a line that does not come
        }
        (self.level, self.to_come) = (true, 0);
    }
}

struct Merge {
    lines: BoxStream<'static, Line>,
    ahead: Option<Output>,
    sides: [Side; 2],
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
                () = tokio::time::sleep(quiet.unwrap_or_default()), if quiet.is_some() => self.was_silent(quiet),
            }
        }
    }

    /// The shorter of both sides' silences.
    fn quiet(&self) -> Option<Duration> {
        self.ahead.as_ref()?;
        self.sides.iter().filter_map(Side::quiet).min()
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
        let text = self.side(source).ahead(&bytes);
        self.push(source, text);
    }

    fn was_silent(&mut self, quiet: Option<Duration>) {
        for source in [OutputSource::Stdout, OutputSource::Stderr] {
            let side = self.side(source);
            if side.quiet().is_some() && side.quiet() <= quiet {
                side.be_level();
                self.show(source);
            }
        }
    }

    fn show(&mut self, source: OutputSource) {
        let text = self.side(source).show();
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
        fn log(&self, text: impl Into<Bytes>) {
            let text = text.into();
            let (stream, stamp) = (Stream::Stdout, None);
            self.log
                .send(Line {
                    stream,
                    stamp,
                    text,
                })
                .unwrap();
        }

        fn stream(&self, text: impl Into<Bytes>) {
            let piece = (OutputSource::Stdout, text.into());
            self.streams.send(piece).unwrap();
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

    /// Bytes of which no two pieces are alike.
    fn long(bytes: usize) -> Bytes {
        let numbers: Vec<_> = (0..bytes).map(|at| at.to_string()).collect();
        Bytes::from(numbers.join(" ")).slice(..bytes)
    }

    /// The two take turns to bring what is told, of a long line and of a prompt behind it.
    async fn take_turns(turns: &[(char, std::ops::Range<usize>)]) -> String {
        let mut both = both();
        both.stream("first\np$ "); // both are level
        both.log("first\n");
        let mut all = both.comes().await;
        both.stream("x\n");
        both.log("p$ x\n");
        let text = [&long(LONG)[..], b"\np$ "].concat();
        for (who, range) in turns {
            for piece in text.get(range.clone()).unwrap().chunks(16 << 10) {
                match who {
                    's' => both.stream(piece.to_vec()),
                    'l' => both.log(piece.to_vec()),
                    _ => all.push_str(&both.comes().await),
                }
            }
        }
        all.push_str(&both.comes().await);
        if !all.ends_with("\np$ ") {
            tokio::time::sleep(LATE).await;
            all.push_str(&both.comes().await);
        }
        all
    }

    const LONG: usize = 200 << 10;

    #[tokio::test]
    async fn a_long_line_is_shown_once_whoever_brings_it_first() {
        const END: usize = LONG + 1;
        const ALL: usize = END + 3;
        let wait = ('.', 0..1);
        let k = |from: usize, to: usize| from << 10..to << 10;
        for (what, turns) in [
            (
                "the streams",
                vec![('s', 0..ALL), wait.clone(), ('l', 0..END)],
            ),
            ("the log", vec![('l', 0..END), ('s', 0..ALL)]),
            (
                "the log, long before",
                vec![('l', 0..END), wait.clone(), ('s', 0..END), ('s', END..ALL)],
            ),
            (
                "one piece each",
                (0..12)
                    .flat_map(|at| {
                        [
                            ('s', k(at * 16, at * 16 + 16)),
                            ('l', k(at * 16, at * 16 + 16)),
                        ]
                    })
                    .chain([('s', 192 << 10..ALL), ('l', 192 << 10..END)])
                    .collect(),
            ),
            (
                "by turns",
                vec![
                    ('s', k(0, 40)),
                    wait.clone(),
                    ('l', k(0, 100)),
                    ('s', k(40, 90)),
                    wait.clone(),
                    ('s', k(90, 199)),
                    ('l', k(100, 112)),
                    wait.clone(),
                    ('l', k(112, 192)),
                    wait.clone(),
                    ('s', 199 << 10..ALL),
                    ('l', 192 << 10..END),
                ],
            ),
        ] {
            let wanted = [b"first\np$ x\n", &long(LONG)[..], b"\np$ "].concat();
            let came = take_turns(&turns).await;
            assert!(
                came.as_bytes() == wanted,
                "{what}: {} bytes, wanted {}",
                came.len(),
                wanted.len()
            );
        }
    }

    /// A text, cut into pieces of these sizes and at its newlines.
    fn cut(text: &[u8], sizes: &[usize]) -> VecDeque<Vec<u8>> {
        let mut sizes = sizes.iter().copied().cycle();
        let lines = text.split_inclusive(|&byte| byte == b'\n');
        let mut pieces = VecDeque::new();
        for mut line in lines {
            while !line.is_empty() {
                let (piece, rest) = line.split_at(sizes.next().unwrap().min(line.len()));
                pieces.push_back(piece.to_vec());
                line = rest;
            }
        }
        pieces
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_turns_the_text_comes_once_and_in_order(
            lines in proptest::collection::vec(0..150_000_usize, 1..6),
            log in proptest::collection::vec(1..40_000_usize, 1..8),
            streams in proptest::collection::vec(1..40_000_usize, 1..8),
            turns in proptest::collection::vec(proptest::bool::ANY, 1..40),
        ) {
            let all = long(150_000);
            let text: Vec<u8> = lines.iter().flat_map(|&bytes| [&all[..bytes], b"\n"].concat()).collect();
            let (mut log, mut streams) = (cut(&text, &log), cut(&text, &streams));
            let mut side = Side { level: true, place: Place::Known, ..Side::default() };
            let mut came = Vec::new();
            for by_log in turns.iter().copied().cycle() {
                if by_log || streams.is_empty() {
                    let Some(piece) = log.pop_front() else { break };
                    came.extend_from_slice(&side.line(piece.into()));
                    came.extend_from_slice(&side.show());
                } else if let Some(piece) = streams.pop_front() {
                    came.extend_from_slice(&side.ahead(&piece));
                }
                proptest::prop_assert!(text.starts_with(&came), "{} bytes", came.len());
                proptest::prop_assert!(side.open.len() <= AHEAD && side.shown.len() <= 2 * AHEAD);
            }
            proptest::prop_assert!(came == text);
        }
    }

    #[tokio::test]
    async fn the_end_of_a_long_line_is_shown_when_the_log_has_all_before_it() {
        let mut both = both();
        both.stream("\n");
        both.log("\n");
        both.comes().await;
        let text = long(LONG);
        for piece in text.chunks(32 << 10) {
            both.stream(piece.to_vec());
        }
        both.stream("name? ");
        let mut came = both.comes().await;
        both.log(text.slice(..192 << 10));
        came.push_str(&both.comes().await);
        assert!(came.as_bytes() == [&text[..], b"name? "].concat());
    }

    #[tokio::test]
    async fn where_the_streams_have_not_the_begin_of_a_long_line_it_is_the_logs() {
        let mut both = both();
        let text = long(LONG);
        both.log(text.slice(..64 << 10));
        both.stream(text.slice(50 << 10..70 << 10));
        let mut came = both.comes().await;
        both.stream(text.slice(70 << 10..));
        both.log(text.slice(64 << 10..192 << 10));
        came.push_str(&both.comes().await);
        assert!(came.as_bytes() == text.slice(..192 << 10));
        both.log([&text[192 << 10..], b"\n"].concat());
        both.stream("\np$ ");
        assert_eq!(both.comes().await.len(), (8 << 10) + 1 + 3);
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

    #[tokio::test]
    async fn whom_the_runtime_refuses_has_the_log_where_that_is_enough() {
        let refused = || Error::Plain("no attach".to_owned());
        let line = || Line {
            stream: Stream::Stdout,
            stamp: None,
            text: Bytes::from_static(b"said\n"),
        };
        let lines = || Ok(stream::iter([line()]).boxed());
        let unread = || Err(Error::Plain("no log".to_owned()));
        for (given, needed, lines, wanted) in [
            (Ok(both().merged), false, lines(), Ok("said\n")),
            (Err(refused()), false, lines(), Ok("said\n")),
            (Err(refused()), true, lines(), Err("no attach")),
            (Err(refused()), false, unread(), Err("no log")),
            (Ok(both().merged), false, unread(), Err("no log")),
        ] {
            let said = match one_of(given, needed, lines) {
                Ok(streams) => {
                    let pieces: Vec<_> = streams.output.map(|(_, text)| text).collect().await;
                    Ok(String::from_utf8(pieces.concat()).unwrap())
                }
                Err(error) => Err(error.to_string()),
            };
            assert_eq!(said.as_deref().map_err(String::as_str), wanted);
        }
    }

    #[test]
    fn each_client_is_told_what_none_can_have() {
        let hold = Hold {
            waiting: vec![(3, AttachRequest::default()), (5, AttachRequest::default())],
            ..Hold::default()
        };
        let told = to_each(&hold, &Error::Plain("gone".to_owned()));
        let told: Vec<_> = told
            .iter()
            .map(|(key, given)| (*key, given.is_err()))
            .collect();
        assert_eq!(told, [(3, true), (5, true)]);
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
