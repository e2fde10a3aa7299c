//! Init: a container is made at the OCI runtime and not started (`podman init`).

use std::sync::Arc;

use jiff::Timestamp;
use model::container::{ContainerRecord, KILLED, Wanted};
use model::observed::CriState;
use model::request::Changed;
use model::{Error, Id};

use super::ended_events;
use crate::list::is_initialized;
use crate::materialise::Purpose;
use crate::store::{Write, is_pod};
use crate::system::{Engine, Inner};

impl Engine {
    /// `POST /libpod/containers/{name}/init`: its CRI container is made, with what the attempt before has written, and the
    /// next start takes it. `Already` when it is initialised or runs.
    ///
    /// Writes: as a start, up to the attempt that is created, which is then stored as prepared.
    ///
    /// # Errors
    /// No such container, or one of others; what a start is refused with; outside of a pod what it requires does not run.
    pub async fn init_container(&self, name: &str) -> Result<Changed, Error> {
        let inner = self.inner();
        let record = inner.own_container(name).await?;
        let changed = inner.init(&record.id).await;
        inner.wake.notify_one();
        changed
    }
}

impl Inner {
    async fn init(self: &Arc<Self>, id: &Id) -> Result<Changed, Error> {
        self.start_required(id).await?;
        let _claim = self.claim(id).await;
        let record = self.startable(id)?;
        let runs = self.status_of(&record).await?;
        let runs = runs.is_some_and(|status| status.state == CriState::Running);
        let waits = self.status_of_prepared(&record).await?;
        if runs || waits.is_some_and(|waits| is_initialized(&record, waits.state)) {
            return Ok(Changed::Already);
        }
        self.record_end(&record).await?;
        let leave = self.leave().await?;
        self.prepare(id, Purpose::Run, leave).await?;
        Ok(Changed::Now)
    }

    /// Podman starts what a pod's container requires, and outside of a pod wants it to run.
    async fn start_required(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let record = self.store.container(id)?;
        let in_pod = self.store.sandbox(&record.sandbox);
        if !in_pod.is_ok_and(|sandbox| is_pod(&sandbox)) {
            return self.check_required_run(id).await;
        }
        for required in self.required_first(id)? {
            self.start_it(&required).await?;
        }
        Ok(())
    }

    /// A stop of what is initialised: it is shown as killed from now on, as Podman does it, and keeps what has been written
    /// since. Answers whether it was. The caller holds its claim.
    pub(super) async fn end_init(
        self: &Arc<Self>,
        record: &ContainerRecord,
    ) -> Result<bool, Error> {
        let asked = record.progress.prepared.as_ref();
        if asked.is_none_or(|prepared| !prepared.initialized) {
            return Ok(false);
        }
        let sandbox = self.store.sandbox(&record.sandbox).ok();
        let change = move |record: &mut ContainerRecord| {
            record.progress.prepared.as_mut()?.initialized = false;
            record.progress.wanted = Wanted::Stopped;
            record.progress.stopped_unstarted = Some(Timestamp::now());
            Some(ended_events(record, sandbox.as_deref(), KILLED))
        };
        let ended = self
            .store
            .update_container(&record.id, Write::AttemptPrepared, change);
        ended.await.map(|_| true)
    }
}
