//! Adoption: objects of this owner that the store does not know show that the store is older than
//! the runtime. They are taken in, loudly, and never removed.

use std::collections::HashMap;
use std::sync::Arc;

use model::container::{Attempt, ContainerRecord, IpcMode, PidMode, Prepared, Wanted};
use model::observed::{ContainerListed, CriState, Mark};
use model::pod::{PodSpec, Role, SandboxAttempt, SandboxProgress, SandboxRecord};
use model::record::{Record, decode};
use model::{Error, Id};

use crate::host::layer::was_exchanged;
use crate::list::found;
use crate::observe::Seen;
use crate::runtime::Runtime as _;
use crate::system::Inner;
use crate::volumes::on_disk;

impl Inner {
    /// Adopts objects of this owner that the store does not know: the store is older than the
    /// runtime, or new.
    pub(super) async fn adopt_unknown(self: &Arc<Self>, seen: &Seen) -> Result<(), Error> {
        let mut sandboxes = self.unknown_sandboxes(seen);
        let mut containers = self.unknown_containers(seen);
        if sandboxes.is_empty() && containers.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            containers = containers.len(),
            sandboxes = sandboxes.len(),
            "the runtime has objects of this owner that the store does not know: adopted"
        );
        for container in &mut containers {
            self.keep_what_waits(container).await?;
            self.give_back_environment(container).await;
            self.give_free_name(container);
            let known = self.store.sandbox(&container.sandbox).is_ok()
                || sandboxes
                    .iter()
                    .any(|sandbox| sandbox.id == container.sandbox);
            if !known {
                sandboxes.push(hidden_sandbox_of(container));
            }
        }
        // Their volumes too: what lies in the folder is there again.
        let _change = self.store.change_volumes().await;
        let mut volumes = Vec::new();
        for container in &mut containers {
            volumes.extend(self.adopt_volumes(&mut container.spec, &volumes).await?);
        }
        self.store.adopt(containers, sandboxes, volumes).await
    }

    fn is_unknown(&self, mark: &Mark) -> bool {
        mark.owner == self.store.owner()
            && self.store.read(|book| {
                !book.containers.contains_key(&mark.id)
                    && !book.sandboxes.contains_key(&mark.id)
                    && !book.buried.contains(&mark.id)
            })
    }

    fn unknown_sandboxes(&self, seen: &Seen) -> Vec<SandboxRecord> {
        let mut found: HashMap<Id, SandboxRecord> = HashMap::new();
        for listed in &seen.listing.sandboxes {
            let mark = listed.mark.as_ref().filter(|mark| self.is_unknown(mark));
            let Some(Record::Sandbox(record)) = mark.and_then(readable) else {
                continue;
            };
            let entry = found.entry(record.id.clone()).or_insert(*record);
            let progress = &mut entry.progress;
            progress.next = None;
            let newest = progress
                .current
                .as_ref()
                .map_or(0, |current| current.number);
            progress.last_attempt = progress.last_attempt.max(listed.attempt);
            if listed.attempt >= newest {
                progress.up = listed.ready;
                progress.up_at = progress.up_at.or(listed.created_at);
                progress.current = Some(SandboxAttempt {
                    number: listed.attempt,
                    cri_id: Some(listed.cri_id.clone()),
                    disconnected: false,
                });
            }
        }
        found.into_values().collect()
    }

    fn unknown_containers(&self, seen: &Seen) -> Vec<ContainerRecord> {
        let mut found: HashMap<Id, ContainerRecord> = HashMap::new();
        for listed in &seen.listing.containers {
            let mark = listed.mark.as_ref().filter(|mark| self.is_unknown(mark));
            let Some(Record::Container(mut record)) = mark.and_then(readable) else {
                continue;
            };
            record.progress.prepared = None;
            let entry = found.entry(record.id.clone()).or_insert(*record);
            let progress = &mut entry.progress;
            progress.next = None;
            let newest = progress
                .current
                .as_ref()
                .map_or(0, |current| current.number);
            progress.last_attempt = progress.last_attempt.max(listed.attempt);
            let waited = progress.prepared.as_ref().map(|it| it.attempt.number);
            if listed.state == CriState::Created && waited.is_none_or(|it| it < listed.attempt) {
                // It may have files that were copied into it; whether it was initialised is not known.
                progress.prepared = Some(Prepared {
                    attempt: attempt_of(listed),
                    initialized: false,
                    made_of: 0,
                });
            }
            if listed.attempt >= newest && listed.state != CriState::Created {
                // Whether a user has stopped it is not known: what runs is to go on, what has
                // ended is left so.
                progress.wanted = match listed.state {
                    CriState::Running => Wanted::Running,
                    CriState::Created | CriState::Exited | CriState::Unknown => Wanted::Stopped,
                };
                progress.current = Some(attempt_of(listed));
            }
        }
        found.into_values().collect()
    }

    /// One that waits beside one that has run counts where it has what the container wrote: by an exchange that no store
    /// tells of. What was copied to it the other one has too.
    async fn keep_what_waits(&self, container: &mut ContainerRecord) -> Result<(), Error> {
        let progress = &mut container.progress;
        let (Some(current), Some(waits)) = (&progress.current, &progress.prepared) else {
            return Ok(());
        };
        let newer = waits.attempt.number > current.number;
        if !newer || !self.has_taken_over(current, &waits.attempt).await? {
            progress.prepared = None;
        }
        Ok(())
    }

    async fn has_taken_over(&self, current: &Attempt, waits: &Attempt) -> Result<bool, Error> {
        let status = async |attempt: &Attempt| {
            let cri_id = attempt.cri_id.as_deref().unwrap_or_default();
            found(self.runtime.container_status(cri_id, true).await)
        };
        let (old, new) = (status(current).await?, status(waits).await?);
        let Some(old) = old else {
            return Ok(new.is_some());
        };
        let layers = old.verbose.layer.zip(new.and_then(|new| new.verbose.layer));
        let Some((from, to)) = layers else {
            return Ok(false);
        };
        on_disk(move || was_exchanged(&from, &to).map_err(Error::internal)).await
    }

    /// The record in an annotation has no environment values: they come back from the runtime's own
    /// configuration of the container, and the image's from the image.
    async fn give_back_environment(&self, container: &mut ContainerRecord) {
        let current = container.progress.current.as_ref();
        let cri_id = current
            .and_then(|current| current.cri_id.clone())
            .unwrap_or_default();
        let status = self.runtime.container_status(&cri_id, true).await;
        let env = status.map(|status| status.verbose.env).unwrap_or_default();
        let values: HashMap<&str, &str> =
            env.iter().filter_map(|pair| pair.split_once('=')).collect();
        let of_secrets = &container.spec.secret_env;
        container.spec.env.retain(|name, value| {
            // The value there is the secret's, which no record has.
            if of_secrets.contains_key(name) {
                return false;
            }
            let Some(given) = values.get(name.as_str()) else {
                tracing::warn!(container = %container.id, %name, "an environment value is lost with the store");
                return false;
            };
            (*given).clone_into(value);
            true
        });
        if let Ok(Some(image)) = self.runtime.image(&container.spec.image.id).await {
            container.spec.image.config = image.config;
        }
    }

    /// A name that another record has meanwhile is made unique.
    fn give_free_name(&self, container: &mut ContainerRecord) {
        let taken = self.store.read(|book| {
            book.new_name_free(&container.name, container.spec.face)
                .is_err()
        });
        if taken {
            let name = format!("{}-{}", container.name, container.id.short());
            tracing::warn!(container = %container.id, old = %container.name, new = %name, "the name is in use");
            container.name = name;
        }
    }
}

fn attempt_of(listed: &ContainerListed) -> Attempt {
    Attempt {
        number: listed.attempt,
        cri_id: Some(listed.cri_id.clone()),
        sandbox_cri_id: Some(listed.sandbox_cri_id.clone()),
    }
}

/// A container whose sandbox has no readable record gets one that says what is known.
fn hidden_sandbox_of(container: &ContainerRecord) -> SandboxRecord {
    let current = container.progress.current.as_ref();
    SandboxRecord {
        id: container.sandbox.clone(),
        role: Role::Hidden,
        name: container.name.clone(),
        created_at: container.created_at,
        spec: PodSpec {
            hostname: container.spec.hostname.clone(),
            network: container.spec.network,
            host_pid: container.spec.pid == PidMode::Host,
            host_ipc: container.spec.ipc == IpcMode::Host,
            id_mappings: container.spec.id_mappings.clone(),
            etc: container.spec.etc.clone(),
            sysctls: container.spec.sysctls.clone(),
            cgroup_parent: container.spec.cgroup_parent.clone(),
            dns: container.spec.dns.clone(),
            privileged: container.spec.privileged,
            handler: container.spec.handler.clone(),
            ..PodSpec::default()
        },
        progress: SandboxProgress {
            up: true,
            current: current.map(|current| SandboxAttempt {
                number: 0,
                cri_id: current.sandbox_cri_id.clone(),
                disconnected: false,
            }),
            ..SandboxProgress::default()
        },
    }
}

/// The record of a mark, when it is readable, whole, and that of the marked object.
fn readable(mark: &Mark) -> Option<Record> {
    let record = match decode(&mark.record) {
        Ok(record) => record,
        Err(error) => {
            tracing::warn!(id = %mark.id, %error, "an object of this owner is shown as foreign");
            return None;
        }
    };
    let id = match &record {
        Record::Container(record) => Some(&record.id),
        Record::Sandbox(record) => Some(&record.id),
        Record::TooLarge { name } => {
            tracing::warn!(
                id = %mark.id,
                %name,
                "only the lost store had the record of this object: it is shown as foreign"
            );
            None
        }
    };
    let same = id == Some(&mark.id);
    same.then_some(record)
}
