//! Removal: a tombstone first, the runtime next, the record last.

use std::sync::Arc;
use std::time::Duration;

use model::container::ContainerRecord;
use model::event::Action;
use model::observed::CriState;
use model::request::{RemoveOptions, Removed};
use model::view::State;
use model::{Error, Id};

use super::no_such_to_remove;
use crate::events::of_container;
use crate::foreign::Target;
use crate::freezer::is_paused;
use crate::list::is_ours;
use crate::runtime::Runtime as _;
use crate::store::{Write, is_pod};
use crate::system::{Engine, Inner};

/// containerd's words where it has not learned of an end.
const STILL_RUNNING: &str = "container is still running";
/// How often it is asked again, and after how long.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

impl Engine {
    /// `DELETE /containers/{name}` and `DELETE /libpod/containers/{name}`.
    pub async fn remove_container(
        &self,
        name: &str,
        options: RemoveOptions,
    ) -> Result<Vec<Removed>, Error> {
        let inner = self.inner();
        let target = match inner.container_target(name).await {
            Ok(target) => target,
            Err(Error::NotFound { .. }) if options.ignore => return Ok(Vec::new()),
            Err(Error::NotFound { .. }) => return Err(no_such_to_remove(name)),
            Err(error) => return Err(error),
        };
        let id = match target {
            Target::Own(record) => return inner.remove_in_order(&record.id, &options).await,
            Target::Foreign(view) => {
                let RemoveOptions {
                    force,
                    ignore: _,     // it is there
                    volumes: _,    // it has none of ours
                    dependents: _, // nothing of ours requires it
                    timeout_secs,
                } = options;
                inner.remove_foreign(&view, force, timeout_secs).await?;
                view.id().to_owned()
            }
        };
        Ok(vec![Removed { id, error: None }])
    }
}

/// Podman's refusal to remove what runs.
pub(crate) fn running_stays(id: &str, state: &str) -> Error {
    Error::WrongState(format!(
        "cannot remove container {id} as it is {state} - running or paused containers cannot be removed without force"
    ))
}

impl Inner {
    /// Removes a container; one that is gone by now is no error.
    pub(crate) async fn remove(
        self: &Arc<Self>,
        id: &Id,
        options: &RemoveOptions,
    ) -> Result<(), Error> {
        let RemoveOptions {
            force,
            ignore: _, // one that is gone is none anyway
            volumes,
            dependents: _, // they are gone by now, or go with all of their pod
            timeout_secs,
        } = *options;
        let _busy = self.claim(id).await;
        let Ok(record) = self.store.container(id) else {
            return Ok(());
        };
        if let Some(status) = self.status_of(&record).await?
            && status.state == CriState::Running
        {
            if !force {
                let state = match is_paused(&status) {
                    true => State::Paused,
                    false => State::Running,
                };
                return Err(running_stays(id.as_str(), state.word()));
            }
            self.store
                .update_container(id, Write::ContainerWanted, |record| {
                    record.progress.wanted = model::container::Wanted::Stopped;
                    Some(Vec::new())
                })
                .await?;
            let _stopping = self.mark_stopping(id);
            self.stop_process(&record, &status, timeout_secs).await?;
        }
        self.record_end(&record).await?;
        let record = self
            .store
            .update_container(id, Write::ContainerRemoving, move |record| {
                let before = record.progress.clone();
                record.progress.removing = true;
                record.progress.removing_volumes |= volumes || record.spec.remove;
                (record.progress != before).then(Vec::new)
            })
            .await?;
        self.finish_removal(&record).await
    }

    /// Removes a CRI container that has ended. containerd may learn of the end later than its client, and refuses until then.
    async fn remove_ended(&self, cri_id: &str) -> Result<(), Error> {
        for _ in 0..TRIES {
            match self.runtime.remove_container(cri_id).await {
                Err(error) if error.to_string().contains(STILL_RUNNING) => {
                    tokio::time::sleep(PAUSE).await;
                }
                removed => return removed,
            }
        }
        self.runtime.remove_container(cri_id).await
    }

    /// Second half of a removal, also after a crash in the first: all that the runtime has of the
    /// container, its files and volumes, then its record, then its hidden sandbox.
    pub(crate) async fn finish_removal(
        self: &Arc<Self>,
        record: &ContainerRecord,
    ) -> Result<(), Error> {
        let seen = self.observer.list().await?;
        for listed in &seen.listing.containers {
            let mark = listed.mark.as_ref();
            if is_ours(mark, self.store.owner()) && mark.is_some_and(|mark| mark.id == record.id) {
                self.remove_ended(&listed.cri_id).await?;
            }
        }
        // The loop may be stopping the sandbox: two at once would leave one under way when this is
        // answered. And the files of the pod's other containers have one change at a time.
        let _claim = self.claim(&record.sandbox).await;
        let sandbox = self.store.sandbox(&record.sandbox).ok();
        let (hidden, pod) = match sandbox {
            Some(sandbox) if is_pod(&sandbox) || self.has_others(record) => (None, Some(sandbox)),
            other => (other, None),
        };
        if let Some(hidden) = &hidden {
            self.remove_cri_sandboxes(&hidden.id).await?;
        }
        self.remove_files(record, pod.as_deref()).await?;
        self.unmount_idle_volumes().await?;
        if record.progress.removing_volumes {
            self.remove_anonymous_volumes(&record.id, &record.spec.mounts)
                .await;
        }
        self.withdraw_offer(record).await;
        self.remove_image_of(record).await;
        let event = of_container(record, pod.as_deref(), Action::Remove);
        self.store.remove_container(&record.id, vec![event]).await?;
        self.execs.forget_those_of(record.id.as_str());
        self.attached.forget_those_of(&record.id);
        if let Some(hidden) = hidden {
            self.store.remove_sandbox(&hidden.id, Vec::new()).await?;
        }
        Ok(())
    }

    /// Whether other containers live in a container's sandbox.
    fn has_others(&self, record: &ContainerRecord) -> bool {
        let members = self.store.read(|book| book.in_sandbox(&record.sandbox));
        members.iter().any(|member| member.id != record.id)
    }
}
