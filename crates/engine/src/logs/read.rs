//! One who reads a log: a piece of a file at a time, when his client has taken the one before.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::files::{self, OpenLog, Searched, TailSearch};
use super::format::{Assembler, Line};
use super::watch::{Watch, Watcher};
use crate::threads::Threads;

/// Pieces read at once, in all logs together: each takes a thread while it is read, and a thousand who follow
/// are not to be a thousand threads.
const READS_AT_ONCE: usize = 8;

/// Pieces that a search for the last lines looks at in one go.
const SEARCHED_AT_ONCE: usize = 16;

/// How often one who follows looks by himself: inotify tells of changes, and where it does not, this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A log that was set aside counts as complete when a newer one is there and nothing has been written to it for
/// this long: containerd's writer has some lines in hand when it changes over.
const QUIET: Duration = Duration::from_millis(250);

/// How long after the end of a container its last lines may come.
const LAST_LINES: Duration = Duration::from_millis(250);

/// What all readers of logs share.
pub(crate) struct Readers {
    watcher: Arc<Watcher>,
    reads: Threads,
    /// What rotation must leave: for each reader its log, and the file that it is at by the time in its name.
    held: Mutex<BTreeMap<u64, (PathBuf, u64)>>,
    next: AtomicU64,
}

impl Readers {
    /// # Errors
    /// No threads can be had.
    pub(crate) fn new() -> io::Result<Self> {
        Self::with(Watcher::new())
    }

    /// Without a runtime of tokio's, which inotify takes.
    #[cfg(test)]
    pub(super) fn new_unwatched() -> io::Result<Self> {
        Self::with(Watcher::default())
    }

    fn with(watcher: Watcher) -> io::Result<Self> {
        Ok(Self {
            watcher: Arc::new(watcher),
            reads: Threads::new(READS_AT_ONCE)?,
            held: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// Watches the folder of a log.
    pub(super) fn watch(&self, log: &Path) -> Watch {
        self.watcher.watch(log.parent().unwrap_or(log))
    }

    /// Changes with each change in any folder that is watched.
    pub(super) fn any_change(&self) -> tokio::sync::watch::Receiver<()> {
        self.watcher.any_change()
    }

    /// Passes on what the kernel tells of logs, for as long as it is polled.
    pub(crate) async fn serve(self: Arc<Self>) {
        Arc::clone(&self.watcher).serve().await;
    }

    /// The oldest file of a log that somebody reads, by the time in its name.
    pub(super) fn oldest_held(&self, log: &Path) -> Option<u64> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = held.values().filter(|(path, _)| path == log);
        of_it.map(|(_, number)| *number).min()
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.reads.run(work).await?
    }
}

/// Keeps rotation from taking away files that a reader has before it.
pub(super) struct Hold {
    readers: Arc<Readers>,
    number: u64,
}

impl Hold {
    pub(super) fn new(readers: &Arc<Readers>, log: PathBuf) -> Self {
        let number = readers.next.fetch_add(1, Ordering::Relaxed);
        let mut held = readers.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(number, (log, 0));
        Self {
            readers: Arc::clone(readers),
            number,
        }
    }

    /// All before this file may go.
    pub(super) fn at(&self, number: u64) {
        let mut held = self
            .readers
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, at)) = held.get_mut(&self.number) {
            *at = number;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self
            .readers
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.number);
    }
}

/// Ends when a run of a container does.
pub(super) type RunEnd = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What one who follows waits for, after the end of what there is.
pub(super) struct Follow {
    /// Watched from before the first file was opened, so that no change is missed.
    pub(super) watch: Watch,
    pub(super) ended: RunEnd,
    /// When nothing more can be wanted.
    pub(super) until: Option<Timestamp>,
    /// The daemon ends.
    pub(super) shutdown: CancellationToken,
}

/// A reader.
pub(super) struct Reader {
    readers: Arc<Readers>,
    hold: Hold,
    log: PathBuf,
    lines: Assembler,
    place: Place,
    /// `None`: at the end of what there is, reading ends.
    follow: Option<Follow>,
    /// The container has ended: at this moment what is there is all.
    deadline: Option<Instant>,
    /// Nothing has come to the end of a file while it was waited for.
    quiet: bool,
}

/// What comes after the end of a file.
enum After {
    /// More of it, if anything.
    Same,
    /// A newer file, and perhaps some lines more before that.
    Wait,
    /// A newer file.
    Next(OpenLog),
}

impl After {
    fn end_of(log: &OpenLog, path: &Path, quiet: bool) -> io::Result<Self> {
        let Some(next) = log.next(path)? else {
            return Ok(Self::Same);
        };
        if !quiet && log.quiet_for()? < QUIET {
            return Ok(Self::Wait);
        }
        Ok(OpenLog::open(&next)?.map_or(Self::Same, Self::Next))
    }
}

enum Place {
    /// Nothing has been opened: how many of the last lines are wanted.
    Begin(Option<u64>),
    At(OpenLog),
    /// There is no file.
    Nowhere,
    /// All has been read.
    Done,
}

impl Reader {
    pub(super) fn new(
        readers: &Arc<Readers>,
        log: PathBuf,
        lines: Assembler,
        tail: Option<u64>,
        follow: Option<Follow>,
    ) -> Self {
        Self {
            hold: Hold::new(readers, log.clone()),
            readers: Arc::clone(readers),
            log,
            lines,
            place: Place::Begin(tail),
            follow,
            deadline: None,
            quiet: false,
        }
    }

    /// The next lines, as soon as there are some; `None` at the end.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<Line>>> {
        loop {
            let place = std::mem::replace(&mut self.place, Place::Done);
            let (lines, goes_on) = match place {
                Place::Done => return Ok(None),
                Place::Begin(tail) => (self.begin(tail).await?, true),
                Place::At(log) => self.read(log).await?,
                Place::Nowhere => self.look_for_a_file().await?,
            };
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
            if !goes_on && !self.something().await {
                self.place = Place::Done;
                let rest = self.lines.flush();
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
        }
    }

    async fn begin(&mut self, tail: Option<u64>) -> io::Result<Vec<Line>> {
        // Before the files are listed: what is set aside from now on is younger.
        let now = nanos_now();
        let log = self.log.clone();
        let files = self.readers.blocking(move || files::list(&log)).await?;
        let found = match tail {
            None => self.open_first(files).await?,
            Some(lines) => self.search(TailSearch::new(files, lines)).await?,
        };
        if let Some(log) = &found {
            self.hold.at(log.set_aside.unwrap_or(now));
        }
        self.place = found.map_or(Place::Nowhere, Place::At);
        Ok(Vec::new())
    }

    async fn open_first(&mut self, files: Vec<files::LogFile>) -> io::Result<Option<OpenLog>> {
        let first = move || {
            for file in &files {
                if let Some(log) = OpenLog::open(file)? {
                    return Ok(Some(log));
                }
            }
            Ok(None)
        };
        self.readers.blocking(first).await
    }

    async fn search(&mut self, mut search: TailSearch) -> io::Result<Option<OpenLog>> {
        loop {
            let steps = move || {
                let mut search = search;
                for _ in 1..SEARCHED_AT_ONCE {
                    match search.step()? {
                        Searched::GoOn(more) => search = more,
                        found @ Searched::Found(_) => return Ok(found),
                    }
                }
                search.step()
            };
            match self.readers.blocking(steps).await? {
                Searched::GoOn(more) => search = more,
                Searched::Found(found) => return Ok(found),
            }
        }
    }

    /// Reads a piece; whether there may be more at once.
    async fn read(&mut self, mut log: OpenLog) -> io::Result<(Vec<Line>, bool)> {
        let (path, quiet) = (self.log.clone(), self.quiet);
        let now = nanos_now();
        let read = move || {
            let piece = log.read()?;
            let after = match piece.is_empty() {
                true => After::end_of(&log, &path, quiet)?,
                false => After::Same,
            };
            Ok((piece, log, after))
        };
        let (piece, log, after) = self.readers.blocking(read).await?;
        self.quiet = false;
        self.place = Place::At(log);
        if !piece.is_empty() {
            return Ok((self.lines.feed(&piece), true));
        }
        match after {
            // a prompt is shown, not kept until its line ends
            After::Same => Ok((self.lines.flush(), false)),
            After::Wait => {
                tokio::time::sleep(QUIET).await;
                self.quiet = true;
                Ok((Vec::new(), true))
            }
            After::Next(next) => {
                self.lines.next_file();
                self.hold.at(next.set_aside.unwrap_or(now));
                self.place = Place::At(next);
                Ok((Vec::new(), true))
            }
        }
    }

    /// The runtime makes the file when the container starts.
    async fn look_for_a_file(&mut self) -> io::Result<(Vec<Line>, bool)> {
        let (log, now) = (self.log.clone(), nanos_now());
        let files = self.readers.blocking(move || files::list(&log)).await?;
        let found = self.open_first(files).await?;
        let there = found.is_some();
        if let Some(log) = &found {
            self.hold.at(log.set_aside.unwrap_or(now));
        }
        self.place = found.map_or(Place::Nowhere, Place::At);
        Ok((Vec::new(), there))
    }

    /// Waits until there may be more; `false` when there will not.
    async fn something(&mut self) -> bool {
        let deadline = self.deadline;
        if deadline.is_some_and(|end| Instant::now() >= end) {
            return false;
        }
        let Some(follow) = &mut self.follow else {
            return false;
        };
        tokio::select! {
            biased;
            () = follow.shutdown.cancelled() => false,
            () = &mut follow.ended, if deadline.is_none() => {
                self.deadline = Some(Instant::now() + LAST_LINES);
                true
            }
            () = follow.watch.changed() => true,
            () = end_of(deadline) => true,
            () = passed(follow.until) => false,
            () = tokio::time::sleep(LOOK_AGAIN) => true,
        }
    }
}

async fn end_of(deadline: Option<Instant>) {
    match deadline {
        None => std::future::pending().await,
        Some(deadline) => tokio::time::sleep_until(deadline).await,
    }
}

async fn passed(time: Option<Timestamp>) {
    match time {
        None => std::future::pending().await,
        Some(time) => {
            let left = time.duration_since(Timestamp::now());
            tokio::time::sleep(left.try_into().unwrap_or_default()).await;
        }
    }
}

pub(super) fn nanos_now() -> u64 {
    u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default()
}
