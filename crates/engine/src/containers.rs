//! Containers: create, start, stop, kill, pause, rename, restart, wait, remove.

mod create;
mod groups;
mod image_gone;
mod image_mounts;
mod init;
mod joined;
mod ownership;
mod pause;
mod profiles;
mod prune;
mod remove;
mod rename;
mod requires;
mod stop;
mod update;
mod volume_mounts;
mod volumes;
mod wait;

use std::sync::Arc;

use model::container::{ContainerRecord, Face, Run, Wanted};
use model::error::Kind;
use model::event::{Action, Event};
use model::observed::{ContainerStatus, CriState};
use model::pod::SandboxRecord;
use model::request::{Changed, RemoveOptions};
use model::view::{ContainerBody, ContainerView, State};
use model::{Error, Id};

use crate::attach::Starter;
use crate::events::of_container;
use crate::freezer::is_paused;
use crate::list::{ambiguous, current_id, found};
use crate::observe::run_of;
use crate::runtime::Runtime as _;
use crate::store::{Book, Write};
use crate::system::{End, Engine, Inner};

pub(crate) use create::leave_out_of_v2;
pub(crate) use profiles::APPARMOR;
pub(crate) use remove::running_stays;
pub(crate) use stop::not_running;
pub(crate) use volumes::volumes_of;
pub use wait::Waiter;

impl Engine {
    /// `POST /containers/{name}/start`, both faces: `Already` when it runs.
    pub async fn start_container(&self, name: &str) -> Result<Changed, Error> {
        let inner = self.inner();
        let record = inner.own_container(name).await?;
        let started = inner.start(&record.id).await;
        if started.is_err() {
            inner.remove_unstarted(&record.id).await;
        }
        started
    }

    /// `POST /containers/{name}/restart`: stopped when it runs, then started, in the same sandbox.
    pub async fn restart_container(
        &self,
        name: &str,
        timeout_secs: Option<u32>,
    ) -> Result<(), Error> {
        let inner = self.inner();
        let record = inner.own_container(name).await?;
        inner.check_required_run(&record.id).await?;
        inner.restart(&record.id, timeout_secs).await
    }

    /// `GET /libpod/containers/{name}/exists`.
    pub async fn container_exists(&self, name: &str) -> Result<bool, Error> {
        match self.inner().snapshot(true).await?.find(name) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    /// A container of ours by name, id or unique short id; an infra or foreign one is refused with
    /// the reason.
    pub(crate) async fn own_container(&self, name: &str) -> Result<Arc<ContainerRecord>, Error> {
        if let Some(record) = self.store.read(|book| find(book, name))? {
            return Ok(record);
        }
        // Not ours: say what it is rather than that it does not exist.
        let view = self.snapshot(true).await?.find(name)?;
        match view.body {
            ContainerBody::Own(record) => Ok(record),
            ContainerBody::Infra { id, pod } => {
                let message = format!(
                    "container {id} is the infra container of pod {} and cannot be removed without \
                     removing the pod",
                    pod.id
                );
                Err(Error::Plain(message))
            }
            ContainerBody::Foreign(foreign) => Err(Error::Foreign {
                kind: "container",
                name: foreign.name.clone(),
                managed: self.options.manage_foreign,
            }),
        }
    }

    /// Starts a container, after those that it requires; `Already` when it runs.
    pub(crate) async fn start(self: &Arc<Self>, id: &Id) -> Result<Changed, Error> {
        for required in self.required_first(id)? {
            self.start_it(&required).await?;
        }
        self.start_it(id).await
    }

    async fn start_it(self: &Arc<Self>, id: &Id) -> Result<Changed, Error> {
        let _claim = self.claim(id).await;
        let record = self.startable(id)?;
        let status = self.status_of(&record).await?;
        if let Some(status) = status.filter(|status| status.state == CriState::Running) {
            if is_paused(&status) {
                return Err(Error::WrongState(format!(
                    "container {id} must be in Created or Stopped state to be started"
                )));
            }
            // Unless a stop is under way, the user wants it to go on, and its policy to hold.
            if record.progress.wanted != Wanted::Running && !self.stopping().contains(id) {
                self.want_running(id).await?;
            }
            return Ok(Changed::Already);
        }
        let leave = self.leave().await?;
        self.want_running(id).await?;
        self.materialise(id, Starter::User, leave).await?;
        Ok(Changed::Now)
    }

    /// Docker's clients wait with `--rm` for the end of a container, also of one that could not be started.
    async fn remove_unstarted(self: &Arc<Self>, id: &Id) {
        let Ok(record) = self.store.container(id) else {
            return;
        };
        let never_ran = record.progress.current.is_none();
        if record.spec.remove && record.spec.face == Face::Compat && never_ran {
            let removed = self.remove(id, &RemoveOptions::default()).await;
            if let Err(error) = removed {
                tracing::warn!(container = %id, %error, "a container that did not start is not removed");
            }
        }
    }

    /// The record of a container that may be started: not one that is being removed.
    fn startable(&self, id: &Id) -> Result<Arc<ContainerRecord>, Error> {
        let record = self.store.container(id)?;
        match record.progress.removing {
            true => Err(Error::WrongState(format!(
                "container {id} is being removed"
            ))),
            false => Ok(record),
        }
    }

    /// Stores that a user wants it to run, and forgets the count of restarts by policy.
    async fn want_running(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let change = |record: &mut ContainerRecord| {
            record.progress.wanted = Wanted::Running;
            record.progress.restarts = 0;
            Some(Vec::new())
        };
        self.store
            .update_container(id, Write::ContainerWanted, change)
            .await
            .map(drop)
    }

    pub(crate) async fn restart(
        self: &Arc<Self>,
        id: &Id,
        timeout_secs: Option<u32>,
    ) -> Result<(), Error> {
        let _busy = self.claim(id).await;
        let record = self.startable(id)?;
        let leave = self.leave().await?;
        let event = of_container(&record, None, Action::Restart);
        self.store.record_events(vec![event]).await?;
        if let Some(status) = self.status_of(&record).await? {
            if status.state == CriState::Running {
                let _stopping = self.mark_stopping(id);
                self.stop_process(&record, &status, timeout_secs).await?;
            }
            self.record_end(&record).await?;
        }
        self.want_running(id).await?;
        self.materialise(id, Starter::User, leave).await
    }

    /// The runtime's status of the attempt that counts, fresh.
    pub(crate) async fn status_of(
        &self,
        record: &ContainerRecord,
    ) -> Result<Option<ContainerStatus>, Error> {
        match current_id(record) {
            Some(cri_id) => found(self.runtime.container_status(cri_id, true).await),
            None => Ok(None),
        }
    }

    /// Records the end of the current run when it has ended and nobody has yet: `died` is told
    /// once, whoever sees it first.
    pub(crate) async fn record_end(
        self: &Arc<Self>,
        record: &ContainerRecord,
    ) -> Result<(), Error> {
        match self.status_of(record).await? {
            Some(status) if status.state == CriState::Exited => {
                self.record_run(&record.id, run_of(&status)).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Records the end that a view shows and nobody has recorded yet: who sees an exit finds its
    /// event told.
    pub(crate) async fn book_end(self: &Arc<Self>, view: &ContainerView) -> Result<(), Error> {
        let ContainerBody::Own(record) = &view.body else {
            return Ok(());
        };
        let progress = &record.progress;
        let booked = progress.has_ended(view.run.attempt) || progress.stopped_unstarted.is_some();
        match view.state == State::Exited && view.run.finished_at.is_some() && !booked {
            true => self.record_run(&record.id, view.run.clone()).await,
            false => Ok(()),
        }
    }

    /// The same for a run already seen.
    pub(crate) async fn record_run(self: &Arc<Self>, id: &Id, run: Run) -> Result<(), Error> {
        let record = self.store.container(id).ok();
        let sandbox = record
            .as_deref()
            .and_then(|record| self.store.sandbox(&record.sandbox).ok());
        let run = match &record {
            Some(record) => record.progress.told(run),
            None => run,
        };
        let exit_code = run.exit_code;
        let (news, told) = std::sync::mpsc::channel();
        let recorded = self
            .store
            .update_container(id, Write::ContainerEnded, move |record| {
                if record.progress.has_ended(run.attempt) {
                    return None;
                }
                // What is not current any more has ended before.
                if record
                    .progress
                    .current
                    .as_ref()
                    .is_some_and(|current| current.number != run.attempt)
                {
                    return None;
                }
                record.progress.last_run = Some(run);
                // The receiver lives until the write has answered.
                news.send(()).ok();
                Some(ended_events(record, sandbox.as_deref(), exit_code))
            })
            .await;
        match recorded {
            // Removed meanwhile: its end has been recorded before that.
            Err(Error::NotFound { .. }) => return Ok(()),
            recorded => drop(recorded?),
        }
        if told.try_recv().is_ok() {
            self.tell_end(End {
                id: id.clone(),
                exit_code,
            });
        }
        Ok(())
    }
}

/// What an end is told as.
pub(crate) fn ended_events(
    record: &ContainerRecord,
    sandbox: Option<&SandboxRecord>,
    exit_code: i32,
) -> Vec<Event> {
    let mut died = of_container(record, sandbox, Action::Died);
    died.exit_code = Some(exit_code);
    vec![died, of_container(record, sandbox, Action::Cleanup)]
}

/// One of our containers by name, id or unique short id.
pub(crate) fn find(book: &Book, name: &str) -> Result<Option<Arc<ContainerRecord>>, Error> {
    use crate::store::Found;
    match book.find_container(name) {
        Found::One(record) => Ok(Some(record)),
        Found::None => Ok(None),
        Found::Many => Err(ambiguous("container", name)),
    }
}

/// Podman's text for a container that does not exist, as `rm` words it.
pub(crate) fn no_such_to_remove(name: &str) -> Error {
    Error::NotFound {
        kind: Kind::Container,
        message: format!("no container with ID or name \"{name}\" found: no such container"),
    }
}
