//! Attach: the streams of a container's own process.
//!
//! A client that attaches to a container that does not run waits for the next start by a user, and gets its streams before
//! the command executes: see [`hold`].

mod by_log;
mod clients;
mod hold;
mod input;
mod probe;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use model::container::ContainerRecord;
use model::event::Action;
use model::exec::TerminalSize;
use model::observed::{ContainerStatus, CriState};
use model::{Error, Id};
use tokio::sync::oneshot;

use crate::events::of_container;
use crate::freezer::is_paused;
use crate::runtime::Runtime as _;
use crate::streams::{StdinWanted, Streams, StreamsWanted};
use crate::system::{Engine, Inner};

pub(crate) use clients::Clients;
pub(crate) use hold::{Hold, Starter};

/// How long a stream that was opened for a terminal's size alone stays: the size goes over it in a moment, and nobody says
/// that it has arrived.
const RESIZE_STAYS: Duration = Duration::from_millis(500);

/// What a client wants of a container's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttachRequest {
    /// To send input, where the container takes any.
    pub stdin: bool,
    /// Its output.
    pub stdout: bool,
    /// Its errors.
    pub stderr: bool,
}

impl AttachRequest {
    /// What the runtime is asked for: it wants one of the three at least, and no stderr of a terminal.
    fn wanted(self, record: &ContainerRecord, stdin: StdinWanted) -> StreamsWanted {
        let tty = record.spec.terminal;
        StreamsWanted {
            tty,
            stdin: match self.stdin && record.spec.stdin {
                true => stdin,
                false => StdinWanted::No,
            },
            stdout: self.stdout || tty || !self.stderr,
            stderr: self.stderr && !tty,
        }
    }
}

/// A client that is attached, or waits for the start. When it is dropped, its streams are closed.
pub struct Attachment {
    inner: Arc<Inner>,
    id: Id,
    key: u64,
    /// The container has a terminal.
    pub tty: bool,
    way: Way,
}

enum Way {
    Open(Streams),
    Comes(oneshot::Receiver<clients::Given>),
}

impl Attachment {
    /// The streams, once the container runs; `None` when it never will. Safe to drop while waiting.
    ///
    /// # Errors
    /// The runtime's, where it does not attach; the container has started all the same.
    pub async fn streams(&mut self) -> Result<Option<&mut Streams>, Error> {
        if let Way::Comes(given) = &mut self.way {
            match given.await {
                Ok(given) => self.way = Way::Open(given?),
                Err(_) => return Ok(None), // removed
            }
        }
        match &mut self.way {
            Way::Open(streams) => Ok(Some(streams)),
            Way::Comes(_) => Ok(None),
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.inner.attached.forget(&self.id, self.key);
    }
}

impl Engine {
    /// `POST /containers/{name}/attach`, both faces. To a container that runs at once; else to its next run, and when
    /// this returns, no start from then on goes without it.
    ///
    /// # Errors
    /// No such container, one that is paused or somebody else's, too many clients, and what the runtime says.
    pub async fn attach(&self, name: &str, request: AttachRequest) -> Result<Attachment, Error> {
        let inner = self.inner();
        let record = inner.own_container(name).await?;
        inner.attach(&record.id, request).await
    }

    /// `POST /containers/{name}/resize`, both faces: of a container that runs, or that clients wait for.
    ///
    /// # Errors
    /// [`Error::WrongStateConflict`] where it does neither.
    pub async fn resize_container(&self, name: &str, size: TerminalSize) -> Result<(), Error> {
        let inner = self.inner();
        let record = inner.own_container(name).await?;
        inner.resize(&record, size).await
    }
}

impl Inner {
    async fn attach(
        self: &Arc<Self>,
        id: &Id,
        request: AttachRequest,
    ) -> Result<Attachment, Error> {
        // A start that is under way is over before one can say whether it runs.
        let claim = self.claim(id).await;
        let record = self.store.container(id)?;
        let attachment = |key, way| Attachment {
            inner: Arc::clone(self),
            id: id.clone(),
            key,
            tty: record.spec.terminal,
            way,
        };
        let event = of_container(&record, None, Action::Attach);
        let Some(status) = self.running(&record).await? else {
            self.check_can_wait(&record)?;
            let (key, given) = self.attached.wait(id, request)?;
            let attachment = attachment(key, Way::Comes(given));
            self.store.record_events(vec![event]).await?;
            return Ok(attachment);
        };
        drop(claim);
        if is_paused(&status) {
            return Err(Error::WrongState(
                "can only attach to created or running containers - currently in state paused"
                    .to_owned(),
            ));
        }
        let key = self.attached.join(id, request)?;
        let wanted = request.wanted(&record, StdinWanted::Open);
        let opened = self.runtime.attach(&status.cri_id, wanted).await;
        let mut streams = opened.inspect_err(|_| self.attached.forget(id, key))?;
        // Whose end would be the end of everybody's input.
        streams.stdin = streams.stdin.take().map(input::kept_open);
        self.attached.keep_terminal(id, key, &mut streams);
        let attachment = attachment(key, Way::Open(streams));
        self.store.record_events(vec![event]).await?;
        Ok(attachment)
    }

    /// The status of a container that runs.
    async fn running(&self, record: &ContainerRecord) -> Result<Option<ContainerStatus>, Error> {
        let status = self.status_of(record).await?;
        Ok(status.filter(|status| status.state == CriState::Running))
    }

    async fn resize(
        self: &Arc<Self>,
        record: &ContainerRecord,
        size: TerminalSize,
    ) -> Result<(), Error> {
        if self.attached.resize_at_start(&record.id, size) {
            return Ok(());
        }
        let Some(status) = self.running(record).await? else {
            return Err(Error::WrongStateConflict(
                "can only resize created or running containers".to_owned(),
            ));
        };
        if !record.spec.terminal || self.attached.resize(&record.id, size) {
            return Ok(());
        }
        let wanted = AttachRequest::default().wanted(record, StdinWanted::No);
        let mut streams = self.runtime.attach(&status.cri_id, wanted).await?;
        if let Some(resize) = streams.resize.take() {
            resize(size);
            self.tasks.spawn(async move {
                let read = async { while streams.output.next().await.is_some() {} };
                // its end is what is waited for
                tokio::time::timeout(RESIZE_STAYS, read).await.ok();
                drop(resize);
            });
        }
        Ok(())
    }
}
