//! Logs: what a container has written, from the files that its runtime writes.
//!
//! A container of ours has one file for all its attempts, `log/ctr.log` in its folder; a runtime appends to
//! what is there. Of a container of others the runtime tells the path. Reading is pulled by the client: a slow one
//! slows its reader, and nothing is read ahead of it but one piece.

mod files;
pub mod format;
mod held;
mod read;
mod rotate;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use model::container::{ContainerRecord, LogDriver};
use model::observed::RuntimeKind;
use model::request::LogQuery;
use model::view::{ContainerBody, ContainerView};
use model::{Error, Id};
use tokio::sync::broadcast::error::RecvError;

use crate::list::found;
use crate::runtime::Runtime as _;
use crate::store::LOG;
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;
use format::{Assembler, Line, Wanted};
use read::{Follow, Reader};

pub(crate) use held::{hold_back, keep_none, release};
pub(crate) use read::Readers;

/// How often it is looked whether a container has ended, where nothing has told so.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The log of a container.
pub struct Log {
    /// It has a terminal: Docker's clients read its bytes as they are.
    pub terminal: bool,
    /// Its lines, in the order they were written in. It ends early, with a line in the daemon's own log, where
    /// a file cannot be read: the answer has begun by then.
    pub lines: BoxStream<'static, Line>,
}

/// Where a log lies, and whose it is.
struct Source {
    path: PathBuf,
    terminal: bool,
    /// It runs, and this ends when the run does.
    runs: Option<read::RunEnd>,
}

impl Engine {
    /// `GET /containers/{name}/logs` and `GET /libpod/containers/{name}/logs`.
    ///
    /// As in Podman a container that does not run is read to its end, also with `follow`, and following ends
    /// with the run that it began in, also where a policy starts the container again. `tail` counts lines of
    /// both streams, before the other parts of the query are looked at.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the runtime's.
    pub async fn logs(&self, name: &str, query: LogQuery) -> Result<Log, Error> {
        let inner = self.inner();
        // Before the container is seen to run.
        let source = inner.log_source(name, query.follow).await?;
        let terminal = source.as_ref().is_some_and(|source| source.terminal);
        let lines = match source {
            Some(source) => inner.lines_of(source, &query),
            None => stream::empty().boxed(),
        };
        Ok(Log { terminal, lines })
    }
}

impl Inner {
    fn lines_of(&self, source: Source, query: &LogQuery) -> BoxStream<'static, Line> {
        let LogQuery {
            follow: _, // the source knows
            stdout,
            stderr,
            since,
            until,
            tail,
        } = *query;
        let Source {
            path,
            terminal,
            runs,
        } = source;
        let assembler = Assembler::new(Wanted {
            stdout,
            stderr,
            since,
            until,
            restore_cr: terminal && self.facts().kind == RuntimeKind::Containerd,
        });
        let follow = runs.map(|ended| Follow {
            watch: self.readers.watch(&path),
            ended,
            until,
            shutdown: self.shutdown.clone(),
        });
        let reader = Reader::new(&self.readers, path, assembler, tail, follow);
        stream::unfold(reader, |mut reader| async move {
            match reader.next().await {
                Ok(lines) => Some((lines?, reader)),
                Err(error) => {
                    tracing::warn!(%error, "a container's log cannot be read on");
                    None
                }
            }
        })
        .flat_map(stream::iter)
        .boxed()
    }

    /// What a container of ours has written since a moment of the run that it is in, and writes to the end of that, of stdout and
    /// of stderr.
    pub(crate) async fn lines_since(
        self: &Arc<Self>,
        record: &ContainerRecord,
        since: Timestamp,
        (stdout, stderr): (bool, bool),
    ) -> Result<BoxStream<'static, Line>, Error> {
        let over = || -> read::RunEnd { Box::pin(std::future::ready(())) };
        let source = Source {
            path: self.log_path(&record.id),
            terminal: record.spec.terminal,
            runs: Some(self.run_of_own(record).await?.unwrap_or_else(over)),
        };
        let query = LogQuery {
            follow: true,
            stdout,
            stderr,
            since: Some(since),
            until: None,
            tail: None,
        };
        Ok(self.lines_of(source, &query))
    }

    /// Where the log of a container lies; `None` where it has none.
    async fn log_source(
        self: &Arc<Self>,
        name: &str,
        follow: bool,
    ) -> Result<Option<Source>, Error> {
        let own = self
            .store
            .read(|book| crate::containers::find(book, name))?;
        if let Some(record) = own {
            return self.own_log(name, &record, follow).await.map(Some);
        }
        let view = self.snapshot(true).await?.find(name)?;
        match &view.body {
            // made since its name was looked up
            ContainerBody::Own(record) => self.own_log(name, record, follow).await.map(Some),
            // a sandbox writes none
            ContainerBody::Infra { .. } => Ok(None),
            ContainerBody::Foreign(foreign) => self.foreign_log(&view, &foreign.id, follow).await,
        }
    }

    async fn own_log(
        self: &Arc<Self>,
        name: &str,
        record: &ContainerRecord,
        follow: bool,
    ) -> Result<Source, Error> {
        if record.spec.log.driver == LogDriver::None {
            let cause = "this container is not logging output";
            let message = format!(
                "failed to obtain logs for Container '{name}': this container is using the 'none' log driver, cannot \
                 read logs: {cause}"
            );
            return Err(Error::Failed {
                message,
                cause: cause.to_owned(),
            });
        }
        let path = self.log_path(&record.id);
        if held::is_held_back(&path) {
            // A start is under way, which gives it back.
            drop(self.claim(&record.id).await);
        }
        let runs = match follow {
            true => self.run_of_own(record).await?,
            false => None,
        };
        Ok(Source {
            path,
            terminal: record.spec.terminal,
            runs,
        })
    }

    async fn foreign_log(
        self: &Arc<Self>,
        view: &ContainerView,
        cri_id: &str,
        follow: bool,
    ) -> Result<Option<Source>, Error> {
        let status = found(self.runtime.container_status(cri_id, true).await)?;
        let Some(status) = status.filter(|status| !status.log_path.is_empty()) else {
            return Ok(None);
        };
        let ended =
            || -> read::RunEnd { Box::pin(Arc::clone(self).foreign_end(cri_id.to_owned())) };
        Ok(Some(Source {
            path: status.log_path.into(),
            terminal: status.verbose.terminal,
            runs: (follow && view.state.is_up()).then(ended),
        }))
    }

    /// Gives the log of a container that runs back, where it was held, and has the runtime open it.
    ///
    /// # Errors
    /// The disk's and the runtime's: what the container writes would be lost.
    pub(crate) async fn give_back_log(&self, id: &Id, cri_id: &str) -> Result<(), Error> {
        if !held::is_held_back(&self.log_path(id)) {
            return Ok(());
        }
        self.release_log(id).await?;
        self.runtime.reopen_log(cri_id).await
    }

    /// Gives the log of a container that does not run back, where it was held.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn release_log(&self, id: &Id) -> Result<(), Error> {
        let path = self.log_path(id);
        on_disk(move || release(&path).map_err(Error::internal)).await
    }

    /// The file that the runtime writes a container's log to.
    pub(crate) fn log_path(&self, id: &Id) -> PathBuf {
        self.store.dir().container(id).join(LOG)
    }

    /// The end of the run that a container is in; `None` where it is in none.
    async fn run_of_own(
        self: &Arc<Self>,
        record: &ContainerRecord,
    ) -> Result<Option<read::RunEnd>, Error> {
        let mut ends = self.ends.subscribe();
        let Some(status) = self.status_of(record).await? else {
            return Ok(None);
        };
        if status.state != model::observed::CriState::Running {
            return Ok(None);
        }
        let (inner, id, attempt) = (Arc::clone(self), record.id.clone(), status.attempt);
        Ok(Some(Box::pin(async move {
            while !inner.run_has_ended(&id, attempt) {
                tokio::select! {
                    end = ends.recv() => match end {
                        Ok(end) if end.id == id => return,
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return,
                    },
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
            }
        })))
    }

    /// A run of ours is over as soon as that is recorded, another one has begun, or its container is gone.
    fn run_has_ended(&self, id: &Id, attempt: u32) -> bool {
        let Ok(record) = self.store.container(id) else {
            return true;
        };
        let progress = &record.progress;
        let current = progress.current.as_ref().map(|current| current.number);
        current != Some(attempt) || progress.has_ended(attempt)
    }

    /// Nobody tells of the ends of others' containers: all who wait share the list.
    async fn foreign_end(self: Arc<Self>, cri_id: String) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            match self.snapshot(true).await.and_then(|now| now.find(&cri_id)) {
                Ok(view) if view.state.is_up() => {}
                Ok(_) | Err(Error::NotFound { .. }) => return,
                Err(error) => tracing::debug!(%error, "a container that is followed is not seen"),
            }
        }
    }
}

/// Reads bytes as a log, in pieces of this length: for fuzzing, whatever they are.
pub fn survives(log: &[u8], piece: usize) {
    let mut assembler = Assembler::new(Wanted {
        stdout: true,
        stderr: true,
        restore_cr: true,
        ..Wanted::default()
    });
    for bytes in log.chunks(piece.max(1)) {
        drop(assembler.feed(bytes));
    }
    drop(assembler.flush());
}
