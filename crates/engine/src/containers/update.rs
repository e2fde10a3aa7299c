//! Update: limits of what runs, and what the next start reads.

use std::sync::Arc;

use model::container::{ContainerRecord, ContainerSpec, Resources, RestartPolicy};
use model::event::Action;
use model::observed::CriState;
use model::request::ContainerUpdate;
use model::{Error, Id};

use crate::events::of_container;
use crate::runtime::Runtime as _;
use crate::store::Write;
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;

/// What Docker says of a restart policy for what goes by itself.
const GOES_BY_ITSELF: &str =
    "Restart policy cannot be updated because AutoRemove is enabled for the container";
/// Why a variable of the image stays.
const OF_THE_IMAGE: &str = "CRI runtimes set the variables of the image; give it another value, or make the container anew";

impl Engine {
    /// `POST /containers/{name}/update`, both faces. New limits hold at once, also while it is paused; a variable from its next
    /// start on; a restart policy from its next end on; health
    /// checks at once. All of it or nothing, but for a limit that was none before: where another one is refused behind it, it
    /// may hold until the next start. After a death of the daemon in it, what the runtime refuses takes back the limits alone.
    ///
    /// Writes: the new record beside the old limits, then, when the runtime has taken the new ones, without the old.
    ///
    /// # Errors
    /// What the runtime cannot carry out, or refuses: the container stays as it was. A container of others.
    pub async fn update_container(&self, name: &str, update: ContainerUpdate) -> Result<Id, Error> {
        let inner = self.inner();
        let record = inner.own_container(name).await?;
        inner.update(&record.id, update).await?;
        inner.wake.notify_one();
        Ok(record.id.clone())
    }
}

impl Inner {
    async fn update(self: &Arc<Self>, id: &Id, update: ContainerUpdate) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let old = self.store.container(id)?;
        let sandbox = self.store.sandbox(&old.sandbox)?;
        let spec = updated(&old.spec, update)?;
        self.runtime
            .check_container(&spec, &sandbox, &self.facts())?;
        let (limits, unified) = (spec.resources.clone(), self.facts().unified_cgroups);
        self.gate.check(&spec, unified)?;
        on_disk(move || crate::host::check_limits(&limits, unified)).await?;
        let changes_limits = spec.resources != old.spec.resources;
        let before = changes_limits.then(|| old.spec.resources.clone());
        let record = self.note_limits(id, spec, before).await?;
        if changes_limits && let Err(error) = self.tell_limits(&record).await {
            // some of them may hold by now: the loop tells the old ones again
            self.take_back(&old).await?;
            return Err(error);
        }
        let event = of_container(&record, Some(&sandbox), Action::Update);
        self.store
            .update_container(id, Write::ContainerUpdated, move |record| {
                record.progress.limits_before = None;
                Some(vec![event])
            })
            .await?;
        Ok(())
    }

    /// The container is as it was, and its limits are told to the runtime again by the loop.
    async fn take_back(self: &Arc<Self>, old: &Arc<ContainerRecord>) -> Result<(), Error> {
        let old = Arc::clone(old);
        let id = old.id.clone();
        let change = move |record: &mut ContainerRecord| {
            record.progress.limits_before = Some(old.spec.resources.clone());
            record.progress.health.clone_from(&old.progress.health);
            record.spec.clone_from(&old.spec);
            Some(Vec::new())
        };
        self.store
            .update_container(&id, Write::ContainerUpdated, change)
            .await
            .map(drop)
    }

    /// An update in which the daemon died, or that the runtime did not take: what the record says is told again, and where it
    /// is refused, the limits from before hold.
    pub(crate) async fn finish_cut_off_update(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let record = self.store.container(id)?;
        let Some(before) = record.progress.limits_before.clone() else {
            return Ok(());
        };
        let mut spec = record.spec.clone();
        match self.tell_limits(&record).await {
            Ok(()) => {}
            Err(error @ Error::RuntimeUnavailable { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(container = %record.name, %error, "the runtime does not take the new limits");
                spec.resources = before;
            }
        }
        self.note_limits(id, spec, None).await.map(drop)
    }

    /// Tells the runtime, where it runs the container.
    async fn tell_limits(&self, record: &ContainerRecord) -> Result<(), Error> {
        let status = self.status_of(record).await?;
        match status.filter(|status| status.state == CriState::Running) {
            Some(status) => {
                let limits = record.spec.resources.clone();
                let unified = self.facts().unified_cgroups;
                self.runtime
                    .update_container(&status.cri_id, &limits)
                    .await?;
                if !limits.some_by_cgroup(unified) {
                    return Ok(());
                }
                let pid = status
                    .verbose
                    .pid
                    .ok_or_else(crate::host::no_control_groups)?;
                let write =
                    move || crate::host::write_limits(pid, &status.cri_id, &limits, unified);
                on_disk(write).await
            }
            None => Ok(()),
        }
    }

    async fn note_limits(
        self: &Arc<Self>,
        id: &Id,
        spec: ContainerSpec,
        before: Option<Resources>,
    ) -> Result<Arc<ContainerRecord>, Error> {
        let noted = move |record: &mut ContainerRecord| {
            let health = &mut record.progress.health;
            health.updated(&record.spec.health, &spec.health);
            record.spec = spec;
            record.progress.limits_before = before;
            Some(Vec::new())
        };
        self.store
            .update_container(id, Write::ContainerUpdated, noted)
            .await
    }
}

/// What is asked for from now on.
fn updated(old: &ContainerSpec, update: ContainerUpdate) -> Result<ContainerSpec, Error> {
    let ContainerUpdate {
        limits,
        restart,
        env,
        unset_env,
        health,
    } = update;
    let mut spec = old.clone();
    spec.resources = old.resources.changed_by(&limits);
    spec.resources.check_memory()?;
    if let Some(policy) = restart {
        if old.remove && policy != RestartPolicy::No {
            return Err(Error::InvalidArgument(GOES_BY_ITSELF.to_owned()));
        }
        spec.restart = policy;
    }
    for name in unset_env {
        let of_image = |entry: &String| entry.split('=').next() == Some(name.as_str());
        if spec.image.config.env.iter().any(of_image) {
            return Err(Error::unsupported(
                format!("UnsetEnv {name:?}"),
                OF_THE_IMAGE,
            ));
        }
        spec.env.remove(&name);
    }
    spec.env.extend(env);
    spec.health = health.applied_to(&old.health)?;
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn old() -> ContainerSpec {
        let mut spec = ContainerSpec {
            env: BTreeMap::from([("A".to_owned(), "a".to_owned())]),
            resources: Resources {
                memory_bytes: Some(64),
                memory_swap_bytes: Some(128),
                ..Resources::default()
            },
            ..ContainerSpec::default()
        };
        spec.image.config.env = vec!["PATH=/bin".to_owned()];
        spec
    }

    #[test]
    fn what_is_not_named_stays() {
        let update = ContainerUpdate {
            limits: Resources {
                cpu_shares: Some(512),
                ..Resources::default()
            },
            env: BTreeMap::from([("B".to_owned(), "b".to_owned())]),
            ..ContainerUpdate::default()
        };
        let spec = updated(&old(), update).unwrap();
        assert_eq!(spec.resources.memory_bytes, Some(64));
        assert_eq!(spec.resources.cpu_shares, Some(512));
        assert_eq!(spec.env.len(), 2);
        assert_eq!(spec.restart, RestartPolicy::No);
    }

    #[test]
    fn limits_are_checked_against_those_that_stay() {
        let memory = |bytes| ContainerUpdate {
            limits: Resources {
                memory_bytes: Some(bytes),
                ..Resources::default()
            },
            ..ContainerUpdate::default()
        };
        assert!(updated(&old(), memory(100)).is_ok());
        let error = updated(&old(), memory(200)).unwrap_err();
        assert!(
            error.to_string().starts_with("minimum memoryswap limit"),
            "{error}"
        );
    }

    #[test]
    fn variables_of_the_image_stay_and_others_go() {
        let unset = |name: &str| ContainerUpdate {
            unset_env: [name.to_owned()].into(),
            ..ContainerUpdate::default()
        };
        assert!(updated(&old(), unset("A")).unwrap().env.is_empty());
        let error = updated(&old(), unset("PATH")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("UnsetEnv \"PATH\" is not supported: "),
            "{error}"
        );
    }

    #[test]
    fn what_goes_by_itself_does_not_come_back() {
        let always = || ContainerUpdate {
            restart: Some(RestartPolicy::Always),
            ..ContainerUpdate::default()
        };
        let remover = ContainerSpec {
            remove: true,
            ..ContainerSpec::default()
        };
        assert!(updated(&remover, always()).is_err());
        let spec = updated(&ContainerSpec::default(), always()).unwrap();
        assert_eq!(spec.restart, RestartPolicy::Always);
    }
}
