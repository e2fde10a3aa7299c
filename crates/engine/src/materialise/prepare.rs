//! Attempts that are made and not started: `init`, and the files of containers that never ran.
//!
//! ```text
//! as for a start, up to the filled volumes ▶ store: prepared
//! ```
//! It is a record's from then on, and has what the container has written: nothing but a start, another attempt that has
//! taken that over, or a removal ends it. A start takes it where it still is what would be made.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::container::{ContainerRecord, MountKind, Prepared, Wanted};
use model::event::Action;
use model::observed::{ContainerStatus, CriState, RuntimeKind};
use model::{Error, Id};
use sha2::{Digest as _, Sha256};

use super::{Live, Purpose};
use crate::attach::{Hold, Starter};
use crate::events::of_container;
use crate::host::Command;
use crate::host::layer::View;
use crate::kubelet_node::Leave;
use crate::list::{attempts_of, found};
use crate::runtime::Runtime as _;
use crate::store::Write;
use crate::system::Inner;
use crate::volumes::on_disk;

impl Inner {
    /// Makes the next attempt of a container and leaves it there: as initialised with [`Purpose::Run`]. The caller holds its
    /// claim, and has seen that it does not run.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        id: &Id,
        purpose: Purpose,
        _leave: Leave,
    ) -> Result<(), Error> {
        self.give_up_next(id, None).await?;
        let record = self.store.container(id)?;
        let result = self.prepare_attempt(&record, purpose).await;
        if let Err(error) = &result {
            // Why files cannot be had is nothing of the container's own.
            let shown = (purpose == Purpose::Run).then(|| error.to_string());
            if let Err(left) = self.give_up_next(id, shown).await {
                tracing::warn!(container = %id, error = %left, "what was made could not be cleaned up");
            }
        }
        result
    }

    async fn prepare_attempt(
        self: &Arc<Self>,
        record: &Arc<ContainerRecord>,
        purpose: Purpose,
    ) -> Result<(), Error> {
        // those who wait for its start go on waiting
        let ready = self.ready_attempt(record, Starter::Policy, purpose);
        let (live, hold, cri_id) = ready.await?;
        if purpose == Purpose::Run {
            self.check_command(record, &cri_id).await?;
        }
        let made_of = self.made_of(record, &live, &hold).await?;
        self.keep_prepared(record, &live, purpose, made_of).await?;
        let waited = record.progress.prepared.as_ref();
        let waited = waited.and_then(|it| it.attempt.cri_id.as_deref());
        let waited = waited.filter(|waited| *waited != cri_id);
        self.remove_attempts(record, waited.into_iter()).await;
        Ok(())
    }

    /// Whether the command of an attempt is there, where the runtime has not looked for it: containerd calls the OCI runtime
    /// at the start.
    ///
    /// # Errors
    /// [`Error::CommandNotFound`] or [`Error::CommandNotExecutable`], where that is certain.
    async fn check_command(&self, record: &ContainerRecord, cri_id: &str) -> Result<(), Error> {
        if self.facts().kind != RuntimeKind::Containerd {
            return Ok(());
        }
        let status = self.runtime.container_status(cri_id, true).await?;
        let (Some(layer), Some(command)) = (&status.verbose.layer, Command::new(&status.verbose))
        else {
            return Ok(()); // a virtual machine's
        };
        let folders: Vec<_> = std::iter::once(&layer.upper)
            .chain(&layer.lower)
            .cloned()
            .collect();
        let at = self.store.dir().container(&record.id).join("image");
        on_disk(move || {
            let view = View::mount(&folders, &at).map_err(Error::internal)?;
            command.check(view.path())
        })
        .await
    }

    /// Stores that an attempt waits: the one being made, or the one that waits already.
    async fn keep_prepared(
        self: &Arc<Self>,
        record: &ContainerRecord,
        live: &Live,
        purpose: Purpose,
        made_of: u64,
    ) -> Result<(), Error> {
        let sandbox = Arc::clone(&live.record);
        let initialized = purpose == Purpose::Run;
        self.store
            .update_container(&record.id, Write::AttemptPrepared, move |record| {
                let made = record.progress.next.take();
                record.progress.exchange = None;
                let told = made.is_some() || is_told(record);
                let waited = record.progress.prepared.take().map(|it| it.attempt);
                record.progress.prepared = Some(Prepared {
                    attempt: made.or(waited)?,
                    initialized,
                    made_of,
                });
                record.progress.error = None;
                if initialized {
                    record.progress.stopped_unstarted = None;
                    // No policy starts it again, whatever it was before.
                    record.progress.wanted = Wanted::Created;
                }
                let tell = initialized && !told;
                let event = of_container(record, Some(&sandbox), Action::Init);
                Some(tell.then_some(event).into_iter().collect())
            })
            .await?;
        self.starts.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// The attempt that waits, where it is what would be made now, in this sandbox. One whose command is held in the gate is
    /// none: it may run and end without the command having begun.
    pub(super) async fn fitting(
        &self,
        record: &ContainerRecord,
        live: &Live,
        hold: &Hold,
    ) -> Result<Option<String>, Error> {
        let Some(prepared) = record.progress.prepared.as_ref().filter(|_| !hold.in_gate) else {
            return Ok(None);
        };
        if prepared.made_of != self.made_of(record, live, hold).await? {
            return Ok(None);
        }
        let status = self.status_of_prepared(record).await?;
        let waits = status.filter(|status| status.state == CriState::Created);
        Ok(waits.map(|status| status.cri_id))
    }

    /// Stores that an attempt which waits is not what would be made: the files that it was made with are made anew.
    pub(super) async fn doubt_what_waits(
        self: &Arc<Self>,
        record: &ContainerRecord,
    ) -> Result<(), Error> {
        if record.progress.prepared.is_none() {
            return Ok(());
        }
        let change = |record: &mut ContainerRecord| {
            record.progress.prepared.as_mut()?.made_of = 0;
            Some(Vec::new())
        };
        self.store
            .update_container(&record.id, Write::AttemptPrepared, change)
            .await
            .map(drop)
    }

    /// A number of all that a CRI container is made of and that can change until it is started: what was asked, for whom,
    /// where, and which files are bound.
    async fn made_of(
        &self,
        record: &ContainerRecord,
        live: &Live,
        hold: &Hold,
    ) -> Result<u64, Error> {
        let (own, pod) = (&record.spec, &live.record.spec);
        let streams = (hold.in_gate, hold.letters, hold.stdin_once);
        let target = self.pid_target(record).await?;
        let secrets = self.secret_env_ids(own);
        let asked = (
            &record.name,
            own,
            pod,
            &live.cri_id,
            streams,
            target,
            secrets,
        );
        let asked = serde_json::to_string(&asked).map_err(Error::internal)?;
        let bound = record.spec.mounts.iter();
        let bound = bound.filter(|mount| mount.kind == MountKind::Bind);
        let bound: Vec<_> = bound.map(|mount| PathBuf::from(&mount.source)).collect();
        on_disk(move || {
            let mut sum = Sha256::new_with_prefix(asked);
            for source in bound {
                let there = std::fs::metadata(source).ok();
                let there = there.map_or((0, 0), |it| (it.dev(), it.ino()));
                sum.update(there.0.to_le_bytes());
                sum.update(there.1.to_le_bytes());
            }
            let sum = sum.finalize();
            let first = sum.first_chunk().copied().unwrap_or_default();
            Ok(u64::from_le_bytes(first))
        })
        .await
    }

    /// The runtime's status of the attempt that waits, fresh.
    pub(crate) async fn status_of_prepared(
        &self,
        record: &ContainerRecord,
    ) -> Result<Option<ContainerStatus>, Error> {
        let waits = record.progress.prepared.as_ref();
        match waits.and_then(|it| it.attempt.cri_id.as_deref()) {
            Some(cri_id) => found(self.runtime.container_status(cri_id, true).await),
            None => Ok(None),
        }
    }

    /// The CRI container with what a container has written until now; `None` where there is none, or the runtime has lost it,
    /// which is said.
    pub(crate) async fn written(
        &self,
        record: &ContainerRecord,
    ) -> Result<Option<ContainerStatus>, Error> {
        for cri_id in attempts_of(record) {
            match found(self.runtime.container_status(cri_id, true).await)? {
                Some(status) => return Ok(Some(status)),
                None => {
                    tracing::warn!(container = %record.id, cri = %cri_id, "the runtime has lost the container: what it wrote is gone");
                }
            }
        }
        Ok(None)
    }
}

/// Whether clients know of the attempt that waits.
pub(super) fn is_told(record: &ContainerRecord) -> bool {
    let waits = record.progress.prepared.as_ref();
    waits.is_some_and(|prepared| prepared.initialized)
}
