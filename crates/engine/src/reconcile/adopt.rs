//! Adoption: objects of this owner that the store does not know show that the store is older than
//! the runtime. They are taken in, loudly, and never removed.

use std::collections::HashMap;
use std::sync::Arc;

use model::container::{Attempt, ContainerRecord, Wanted};
use model::observed::{CriState, Mark};
use model::pod::{SandboxAttempt, SandboxRecord};
use model::record::{Record, decode};
use model::{Error, Id};

use crate::observe::Seen;
use crate::system::Inner;

impl Inner {
    /// Adopts objects of this owner that the store does not know: the store is older than the
    /// runtime, or new.
    pub(super) async fn adopt_unknown(self: &Arc<Self>, seen: &Seen) -> Result<(), Error> {
        let owner = self.store.owner().to_owned();
        let known = |id: &Id| {
            self.store.read(|book| {
                book.containers.contains_key(id)
                    || book.sandboxes.contains_key(id)
                    || book.buried.contains(id)
            })
        };
        let unknown = |mark: &&Mark| mark.owner == owner && !known(&mark.id);
        let mut sandboxes: HashMap<Id, SandboxRecord> = HashMap::new();
        for listed in &seen.listing.sandboxes {
            let Some(mark) = listed.mark.as_ref().filter(unknown) else {
                continue;
            };
            if let Some(Record::Sandbox(mut record)) = readable(mark) {
                let newest = sandboxes
                    .get(&mark.id)
                    .is_none_or(|other| other.progress.last_attempt < listed.attempt);
                if newest {
                    record.progress.last_attempt = listed.attempt;
                    record.progress.next = None;
                    record.progress.up = listed.ready;
                    record.progress.current = Some(SandboxAttempt {
                        number: listed.attempt,
                        cri_id: Some(listed.cri_id.clone()),
                    });
                    sandboxes.insert(mark.id.clone(), *record);
                }
            }
        }
        let mut containers: HashMap<Id, ContainerRecord> = HashMap::new();
        for listed in &seen.listing.containers {
            let Some(mark) = listed.mark.as_ref().filter(unknown) else {
                continue;
            };
            if let Some(Record::Container(mut record)) = readable(mark) {
                let newest = containers
                    .get(&mark.id)
                    .is_none_or(|other| other.progress.last_attempt < listed.attempt);
                if newest && listed.state != CriState::Created {
                    record.progress.last_attempt = listed.attempt;
                    record.progress.next = None;
                    record.progress.wanted = Wanted::Running;
                    record.progress.current = Some(Attempt {
                        number: listed.attempt,
                        cri_id: Some(listed.cri_id.clone()),
                        sandbox_cri_id: Some(listed.sandbox_cri_id.clone()),
                    });
                    containers.insert(mark.id.clone(), *record);
                }
            }
        }
        if sandboxes.is_empty() && containers.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            containers = containers.len(),
            sandboxes = sandboxes.len(),
            "the runtime has objects of this owner that the store does not know: adopted"
        );
        self.store
            .adopt(
                containers.into_values().collect(),
                sandboxes.into_values().collect(),
            )
            .await
    }
}

fn readable(mark: &Mark) -> Option<Record> {
    match decode(&mark.record) {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::warn!(id = %mark.id, %error, "an object of this owner is left alone");
            None
        }
    }
}
