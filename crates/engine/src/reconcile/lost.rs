//! Containers that the runtime has lost: CRI-O forgets all of them at a reboot, with their writable layers, and
//! whoever has crictl can remove one. What was asked stays; that something is gone is told, once and for the
//! container's life: in an event, by inspect, by `doctor`.

use std::sync::Arc;

use jiff::Timestamp;
use model::container::{ContainerRecord, Loss, Run};
use model::event::{Action, Event};
use model::pod::SandboxRecord;
use model::{Error, Id};

use crate::containers::ended_events;
use crate::events::of_container;
use crate::list::found;
use crate::runtime::Runtime as _;
use crate::store::Write;
use crate::system::{End, Inner};

/// The exit code of a run whose end nobody saw: docker shows it after a reboot, and so does containerd.
const UNSEEN: i32 = 255;

/// The runtime has lost the attempt that counts, and that is recorded.
pub(super) fn is_lost(record: &ContainerRecord) -> bool {
    let current = record.progress.current.as_ref();
    current.is_some_and(|current| record.progress.has_lost(current.number))
}

impl Inner {
    /// Records that the runtime has lost a container, if it says so itself.
    pub(super) async fn record_loss(self: &Arc<Self>, id: &Id, cri_id: &str) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let record = self.store.container(id)?;
        let written = record.progress.written();
        let written = written.and_then(|attempt| attempt.cri_id.as_deref());
        if written != Some(cri_id) || record.progress.next.is_some() {
            return Ok(());
        }
        match found(self.runtime.container_status(cri_id, false).await)? {
            Some(_) => Ok(()),
            None => self.note_loss(&record).await,
        }
    }

    /// Records that the runtime has lost a container, if it had one; its claim is held.
    pub(crate) async fn note_loss(self: &Arc<Self>, record: &ContainerRecord) -> Result<(), Error> {
        let Some(attempt) = record.progress.written().map(|written| written.number) else {
            return Ok(());
        };
        if record.progress.has_lost(attempt) {
            return Ok(());
        }
        let loss = Loss {
            attempt,
            at: Timestamp::now(),
        };
        tracing::warn!(container = %record.id, name = %record.name, "{loss}");
        let current = record
            .progress
            .current
            .as_ref()
            .map(|current| current.number);
        let cut_off = current.filter(|current| !record.progress.has_ended(*current));
        let sandbox = self.store.sandbox(&record.sandbox).ok();
        self.store
            .update_container(&record.id, Write::ContainerEnded, move |record| {
                record.progress.lost = Some(loss);
                record.progress.prepared = None;
                if let Some(attempt) = cut_off {
                    let run = unseen_end(record, attempt, loss);
                    record.progress.last_run = Some(run);
                }
                Some(events(record, sandbox.as_deref(), cut_off.is_some(), loss))
            })
            .await?;
        if cut_off.is_some() {
            self.tell_end(End {
                id: record.id.clone(),
                exit_code: UNSEEN,
            });
        }
        Ok(())
    }
}

/// The end of a run that was cut off.
fn unseen_end(record: &ContainerRecord, attempt: u32, loss: Loss) -> Run {
    let seen = record.progress.last_run.as_ref();
    Run {
        attempt,
        started_at: seen
            .filter(|seen| seen.attempt == attempt)
            .and_then(|seen| seen.started_at),
        finished_at: Some(loss.at),
        exit_code: UNSEEN,
        oom_killed: false,
    }
}

/// `died` where it ran, and `cleanup`, each with what has happened as `error`.
fn events(
    record: &ContainerRecord,
    sandbox: Option<&SandboxRecord>,
    ran: bool,
    loss: Loss,
) -> Vec<Event> {
    let mut events = match ran {
        true => ended_events(record, sandbox, UNSEEN),
        false => vec![of_container(record, sandbox, Action::Cleanup)],
    };
    for event in &mut events {
        event.labels.insert("error".to_owned(), loss.to_string());
    }
    events
}
