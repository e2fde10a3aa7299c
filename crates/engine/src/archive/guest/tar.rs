//! A `tar` that runs in a container, as a command of CRI's, by the container's shell.
//!
//! Where its streams are closed not every runtime ends it (containerd does not), so it says its number first and is ended by
//! that. Nor does every runtime hand on what a command wrote last before its end (CRI-O's `vm` type closes the pipes as soon as
//! the command is gone): after a tar that packs the shell marks the ends of both streams and waits for the end of its input, which
//! comes when both marks are here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use model::{Error, Id};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Guest;
use crate::runtime::Runtime as _;
use crate::streams::{Input, OutputSource, StdinWanted, Streams, StreamsWanted};
use crate::system::Inner;

/// Bytes of what it complains of that are kept: the last say why it ended.
const SAID_MAX: usize = 4 << 10;
/// How long it may take to end one that nobody listens to.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// The shell's exit codes for what is not there or cannot be executed.
const NOT_EXECUTED: [i32; 2] = [126, 127];
/// How GNU's tells of a file that changed while it was packed.
const DIFFERS: [&str; 3] = [
    ": file changed as we read it",
    ": File removed before we read it",
    "; padding with zeros",
];
/// How busybox's and libarchive's end after an error that they have told.
const FAILED: &str = "rror exit delayed from previous errors";
/// The words are those that are known here.
const BEGIN: &str = "export LC_ALL=C; ";
/// Of the root, what the kernel mounts is left out: not every busybox has `--exclude`.
const ALL_OF_ROOT: &str = r#"cd / || exit; for f in .[!.]* ..?* *; do case $f in dev|proc|sys) continue;; esac; [ -e "$f" ] || [ -L "$f" ] || continue; set -- "$@" "./$f"; done; "#;
/// It says its number and becomes the tar.
const UNPACK: &str = r#"echo $$ >&2; exec tar "$@""#;
/// So does one that packs, below a shell that has a mark as its first argument.
const PACK: &str = r#"/bin/sh -c 'echo $$ >&2; exec tar "$@"' tar "$@" & wait $!; code=$?; echo "$mark"; echo "$mark" >&2; read end; exit $code"#;
const MARKED: &str = "mark=$1; shift; ";

impl Guest {
    /// Starts one that unpacks.
    pub(super) async fn unpack(&self, args: &[String]) -> Result<Tar, Error> {
        self.script(&[BEGIN, UNPACK].concat(), None, args).await
    }

    /// Starts one that packs.
    pub(super) async fn pack(&self, args: &[String]) -> Result<Tar, Error> {
        let script = [MARKED, BEGIN, PACK].concat();
        self.script(&script, Some(Id::generate()), args).await
    }

    /// Starts one that packs the root.
    pub(super) async fn pack_root(&self) -> Result<Tar, Error> {
        let args = ["-cf", "-", "-C", "/"].map(str::to_owned);
        let script = [MARKED, BEGIN, ALL_OF_ROOT, PACK].concat();
        self.script(&script, Some(Id::generate()), &args).await
    }

    /// In a task, so that one that is started when nobody waits for it any more is ended too.
    async fn script(&self, script: &str, mark: Option<Id>, args: &[String]) -> Result<Tar, Error> {
        let mut command = ["/bin/sh", "-c", script, "tar"].map(str::to_owned).to_vec();
        command.extend(mark.iter().map(ToString::to_string));
        command.extend_from_slice(args);
        let wanted = StreamsWanted {
            tty: false,
            stdin: StdinWanted::WithEnd,
            stdout: true,
            stderr: true,
        };
        let (inner, cri_id, what) = (Arc::clone(&self.inner), self.cri_id.clone(), self.what);
        let started = tokio::spawn(async move {
            let started = inner.runtime.exec(&cri_id, &command, wanted).await;
            let streams = started.map_err(|error| refused(what, error))?;
            Ok(Tar(Some(Running {
                streams,
                what,
                inner,
                cri_id,
                number: None,
                said: Vec::new(),
                written: Marked::new(mark.as_ref()),
                complained: Marked::new(mark.as_ref()),
                over: false,
            })))
        });
        started.await.map_err(Error::internal)?
    }
}

/// One that was started. Where it is dropped before its end it is ended in the container too, by a task that shutdown waits for.
pub(super) struct Tar(Option<Running>);

/// One that runs.
struct Running {
    streams: Streams,
    /// What it is wanted for.
    what: &'static str,
    inner: Arc<Inner>,
    cri_id: String,
    /// Its process, in the container.
    number: Option<String>,
    /// What it complains of.
    said: Vec<u8>,
    /// The marks at the ends of its streams.
    written: Marked,
    complained: Marked,
    /// Its output has ended, and so has it: its number may be another's.
    over: bool,
}

/// A stream that may end with a mark.
struct Marked {
    /// The line of the mark; empty where none comes.
    mark: Vec<u8>,
    /// What came and may be a part of it.
    held: Vec<u8>,
    /// It has come.
    seen: bool,
}

impl Marked {
    fn new(mark: Option<&Id>) -> Self {
        let mark = mark.map(|mark| format!("{mark}\n").into_bytes());
        Self {
            mark: mark.unwrap_or_default(),
            held: Vec::new(),
            seen: false,
        }
    }

    /// What is known not to be of the mark.
    fn pass(&mut self, piece: &[u8]) -> Bytes {
        self.held.extend_from_slice(piece);
        if !self.mark.is_empty() && self.held.ends_with(&self.mark) {
            self.seen = true;
            self.held.truncate(self.held.len() - self.mark.len());
            return self.rest();
        }
        let begins = |count: &usize| {
            self.mark
                .get(..*count)
                .is_some_and(|mark| self.held.ends_with(mark))
        };
        let held = (1..self.mark.len()).rev().find(begins).unwrap_or(0);
        let sure = self.held.len() - held;
        self.held.drain(..sure).collect()
    }

    /// What was held, where no mark comes any more.
    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }
}

impl Tar {
    /// What it reads, for whoever asks first.
    pub(super) fn input(&mut self) -> Option<Input> {
        self.0.as_mut()?.streams.stdin.take()
    }

    /// The CRI id of its container.
    pub(super) fn container(&self) -> String {
        let running = self.0.as_ref();
        running.map_or_else(String::new, |running| running.cri_id.clone())
    }

    /// What it writes next.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.0.as_mut()?.next().await
    }

    /// Follows it to its end; what it writes goes to `to`. Where nobody takes that any more it is ended, and where it is
    /// `left`, for one that writes nothing does not find that out.
    ///
    /// # Errors
    /// It could not be run, or is left.
    pub(super) async fn follow(
        mut self,
        to: impl AsyncWrite + Unpin,
        left: &CancellationToken,
    ) -> Result<Ended, Error> {
        let followed = left.run_until_cancelled(self.carry(to)).await;
        followed.unwrap_or_else(|| Err(Error::internal("nobody waits for the archive any more")))
    }

    async fn carry(&mut self, mut to: impl AsyncWrite + Unpin) -> Result<Ended, Error> {
        while let Some(piece) = self.next().await {
            to.write_all(&piece).await.map_err(Error::internal)?;
        }
        drop(to);
        self.ended().await
    }

    /// After its output has ended.
    pub(super) async fn ended(&mut self) -> Result<Ended, Error> {
        let running = self.0.as_mut();
        let running = running.ok_or_else(|| Error::internal("a tar that was ended"))?;
        let ended = running.ended().await;
        self.0 = None;
        ended
    }

    /// Ends it before its end; goes on where nobody waits for that.
    pub(super) async fn end(mut self) {
        if let Some(ending) = self.left() {
            ending.await.unwrap_or_default();
        }
    }

    /// What ends it, where it has not ended; it is no one's any more.
    fn left(&mut self) -> Option<JoinHandle<()>> {
        let runtime = Handle::try_current().ok()?;
        let running = self.0.take().filter(|running| !running.over)?;
        let tasks = running.inner.tasks.clone();
        Some(tasks.spawn_on(running.end(), &runtime))
    }
}

impl Drop for Tar {
    fn drop(&mut self) {
        drop(self.left());
    }
}

impl Running {
    async fn next(&mut self) -> Option<Bytes> {
        while let Some((source, piece)) = self.streams.output.next().await {
            let passed = match source {
                OutputSource::Stdout => self.written.pass(&piece),
                OutputSource::Stderr => {
                    self.hear(&piece);
                    Bytes::new()
                }
            };
            if self.written.seen && self.complained.seen {
                self.let_go().await;
            }
            if !passed.is_empty() {
                return Some(passed);
            }
        }
        self.over = true;
        Some(self.written.rest()).filter(|rest| !rest.is_empty())
    }

    /// Tells the shell that all has come.
    async fn let_go(&mut self) {
        if let Some(mut input) = self.streams.stdin.take()
            && let Err(error) = input.shutdown().await
        {
            tracing::debug!(container = self.cri_id, %error, "a tar's shell is not told that all has come");
        }
    }

    fn hear(&mut self, piece: &[u8]) {
        let passed = self.complained.pass(piece);
        self.said.extend_from_slice(&passed);
        if self.number.is_none()
            && let Some(end) = self.said.iter().position(|byte| *byte == b'\n')
        {
            let line: Vec<_> = self.said.drain(..=end).collect();
            self.number = Some(String::from_utf8_lossy(&line).trim().to_owned());
        }
        let surplus = self.said.len().saturating_sub(SAID_MAX);
        self.said.drain(..surplus);
    }

    /// Ends it before its end. Its number is awaited: what it says may come before that, by another stream.
    async fn end(mut self) {
        let said = async {
            while self.number.is_none()
                && let Some((source, piece)) = self.streams.output.next().await
            {
                if source == OutputSource::Stderr {
                    self.hear(&piece);
                }
            }
        };
        tokio::time::timeout(END_PATIENCE, said)
            .await
            .unwrap_or_default();
        let number = self.number.take().unwrap_or_default();
        self.let_go().await;
        // behind its mark it is gone, and its number may be another's
        let gone = self.written.seen || self.complained.seen;
        if !gone && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            self.kill(&number).await;
        }
        // its shell has its marks to write yet
        let rest = async { while self.streams.output.next().await.is_some() {} };
        tokio::time::timeout(END_PATIENCE, rest)
            .await
            .unwrap_or_default();
    }

    async fn kill(&mut self, number: &str) {
        let kill = ["/bin/sh", "-c", &format!("kill {number}")].map(str::to_owned);
        let ended = self
            .inner
            .runtime
            .exec_sync(&self.cri_id, &kill, END_PATIENCE);
        if let Err(error) = ended.await {
            tracing::debug!(container = self.cri_id, %error, "a tar that nobody listens to is not ended");
        }
    }

    async fn ended(&mut self) -> Result<Ended, Error> {
        self.said.extend(self.complained.rest());
        let said = String::from_utf8_lossy(&self.said).trim().to_owned();
        let marked = self.written.seen && self.complained.seen;
        match (&mut self.streams.ended).await {
            Ok(code) if NOT_EXECUTED.contains(&code) => Err(missing(self.what, &said)),
            Ok(code) => Ok(Ended { code, said, marked }),
            Err(error) => Err(refused(self.what, error)),
        }
    }
}

/// How it ended, and what it said.
pub(super) struct Ended {
    code: i32,
    said: String,
    /// Both marks have come: nothing of it is lost.
    marked: bool,
}

impl Ended {
    /// Whether it is content.
    ///
    /// # Errors
    /// What it said.
    pub(super) fn check(self) -> Result<(), Error> {
        let Self { code, said, .. } = self;
        if code == 0 {
            return Ok(());
        }
        let cause = match said.is_empty() {
            true => format!("exit code {code}"),
            false => said,
        };
        Err(Error::Failed {
            message: format!("the container's tar: {cause}"),
            cause,
        })
    }

    /// Whether it has packed all that it could, of which something changed meanwhile: it has packed that as it came, and the
    /// archive is whole. GNU's tells so by its exit code 1, as busybox's and libarchive's tell that they could not read
    /// something; these have other words.
    ///
    /// Source: GNU tar's manual (exit codes), and what 1.34 and busybox 1.35 say.
    pub(super) fn has_met_changes(&self) -> bool {
        let mut lines = self.said.lines();
        let changed = |line: &str| DIFFERS.iter().any(|words| line.ends_with(words));
        let failed = self.said.contains(FAILED);
        self.code == 1 && self.marked && !failed && lines.any(changed)
    }

    /// What it said.
    pub(super) fn said(&self) -> &str {
        &self.said
    }

    /// Whether it says that nothing stands at a path: the words are the C library's.
    pub(super) fn misses_path(&self) -> bool {
        let words = ["No such file or directory", "Not a directory"];
        self.code != 0 && words.iter().any(|words| self.said.contains(words))
    }
}

/// Why it could not be run.
fn refused(what: &'static str, error: Error) -> Error {
    match error {
        Error::CommandNotFound(text) | Error::CommandNotExecutable(text) => missing(what, &text),
        other => other,
    }
}

fn missing(what: &'static str, text: &str) -> Error {
    let why = format!(
        "the container's files are in a virtual machine, where its own sh and tar would carry them, and it has none ({text}): use an \
         image that has them, or a volume"
    );
    Error::unsupported(what, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_ends_a_stream_and_nothing_else_is_held_for_long() {
        let mark = Id::generate();
        let line = format!("{mark}\n");
        let (one, other) = line.split_at(7);
        let mut stream = Marked::new(Some(&mark));
        for (piece, passes, seen) in [
            ("12\n", "12\n", false),
            (&format!("x{one}"), "x", false),
            ("y", &format!("{one}y"), false),
            (&format!("z{one}"), "z", false),
            (other, "", true),
        ] {
            let passed = stream.pass(piece.as_bytes());
            assert_eq!((passed.as_ref(), stream.seen), (passes.as_bytes(), seen));
        }
        let mut plain = Marked::new(None);
        assert_eq!(plain.pass(line.as_bytes()), line.as_bytes());
        assert!(!plain.seen && plain.rest().is_empty());
    }

    #[test]
    fn only_an_error_misses_a_path() {
        for (code, said, misses) in [
            (2, "tar: ./x: Cannot stat: No such file or directory", true),
            (
                1,
                "tar: can't change directory to '/f': Not a directory",
                true,
            ),
            (0, "tar: ./x: No such file or directory", false),
            (2, "tar: ./x: Cannot open: Permission denied", false),
        ] {
            let ended = Ended {
                code,
                said: said.to_owned(),
                marked: true,
            };
            assert_eq!(ended.misses_path(), misses, "{said}");
            assert_eq!(ended.check().is_ok(), code == 0, "{said}");
        }
    }

    #[test]
    fn what_changed_meanwhile_is_told_from_what_could_not_be_read() {
        const CHANGED: &str = "tar: ./f: file changed as we read it";
        for (code, said, marked, changes) in [
            (1, CHANGED, true, true),
            (1, "tar: ./f: File removed before we read it", true, true),
            (
                1,
                "tar: ./f: File shrank by 9 bytes; padding with zeros",
                true,
                true,
            ),
            (
                1,
                &format!("tar: ./s: socket ignored\n{CHANGED}"),
                true,
                true,
            ),
            (1, CHANGED, false, false),
            (2, CHANGED, true, false),
            (137, CHANGED, true, false),
            (1, "", true, false),
            (1, "tar: ./f: Permission denied", true, false),
            (
                1,
                "tar: ./f: file changed as we read it\ntar: error exit delayed from previous errors",
                true,
                false,
            ),
        ] {
            let ended = Ended {
                code,
                said: said.to_owned(),
                marked,
            };
            assert_eq!(ended.has_met_changes(), changes, "{code} {said}");
        }
    }
}
