//! Update: limits of what runs, and what the next start reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::cgroup::FileBefore;
use model::container::{ContainerRecord, ContainerSpec, Progress, Resources, RestartPolicy};
use model::event::Action;
use model::observed::CriState;
use model::request::ContainerUpdate;
use model::ulimit::Ulimit;
use model::{Error, Id};

use crate::events::of_container;
use crate::host::{Moment, OwnGroups};
use crate::runtime::Runtime as _;
use crate::store::Write;
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;

/// What Docker says of a restart policy for what goes by itself.
const GOES_BY_ITSELF: &str =
    "Restart policy cannot be updated because AutoRemove is enabled for the container";

impl Engine {
    /// `POST /containers/{name}/update`, both faces. New limits hold at once, also while it is paused, those of processes for
    /// all that run; a variable from its next start on; a restart policy from its next end on; health checks at once. All of
    /// it or nothing: what held before an update that is refused holds behind it. After a death of the daemon in it, what the
    /// runtime refuses takes back the limits alone.
    ///
    /// Writes: the new record beside the old limits and what the files of the control groups said, then, when the new ones
    /// hold, without them.
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
        let noted = self.store.container(id)?;
        let old = Box::pin(self.finish_noted_update(noted)).await?;
        let sandbox = self.store.sandbox(&old.sandbox)?;
        let spec = updated(&old.spec, update)?;
        self.runtime
            .check_container(&spec, &sandbox, &self.facts())?;
        let (limits, unified) = (spec.resources.clone(), self.facts().unified_cgroups);
        self.gate.check(&spec, &self.facts())?;
        on_disk(move || crate::host::check_limits(&limits, unified)).await?;
        let changes_limits =
            spec.resources != old.spec.resources || spec.ulimits != old.spec.ulimits;
        let before = match changes_limits {
            true => Some(self.limits_of(&old, &spec).await?),
            false => None,
        };
        let record = self.note_limits(id, spec, before.clone()).await?;
        if let Some(before) = before
            && let Err(error) = self.tell_limits(&record).await
        {
            // some of them may hold by now
            let old = self.take_back(&old, before).await?;
            self.finish_taking_back(&old).await;
            return Err(error);
        }
        let event = of_container(&record, Some(&sandbox), Action::Update);
        self.store
            .update_container(id, Write::ContainerUpdated, move |record| {
                Before::forget(&mut record.progress);
                Some(vec![event])
            })
            .await?;
        Ok(())
    }

    /// The limits that hold, where others are about to: as they were asked for, and what the files say.
    async fn limits_of(&self, old: &ContainerRecord, new: &ContainerSpec) -> Result<Before, Error> {
        let groups = match self.process_of(old).await? {
            Some((pid, cri_id)) => {
                let (limits, unified) = (new.resources.clone(), self.facts().unified_cgroups);
                on_disk(move || OwnGroups::of(pid, &cri_id, unified)?.before(&limits)).await?
            }
            None => Vec::new(),
        };
        Ok(Before {
            limits: old.spec.resources.clone(),
            ulimits: old.spec.ulimits.clone(),
            groups,
        })
    }

    /// Its process on this host and its id at the runtime, where it runs.
    async fn process_of(&self, record: &ContainerRecord) -> Result<Option<(i32, String)>, Error> {
        let status = self.status_of(record).await?;
        let status = status.filter(|status| status.state == CriState::Running);
        Ok(status.and_then(|status| Some((status.verbose.pid?, status.cri_id))))
    }

    /// The container is as it was, and its limits are to be told to the runtime again.
    async fn take_back(
        self: &Arc<Self>,
        old: &Arc<ContainerRecord>,
        before: Before,
    ) -> Result<Arc<ContainerRecord>, Error> {
        let old = Arc::clone(old);
        let id = old.id.clone();
        let change = move |record: &mut ContainerRecord| {
            before.note(&mut record.progress);
            record.progress.health.clone_from(&old.progress.health);
            record.spec.clone_from(&old.spec);
            Some(Vec::new())
        };
        self.store
            .update_container(&id, Write::ContainerUpdated, change)
            .await
    }

    /// Tells the limits of a container that is as it was; where that fails, the loop does it.
    async fn finish_taking_back(self: &Arc<Self>, record: &ContainerRecord) {
        let told = self.tell_back(record).await;
        let noted = match told {
            Ok(()) => self
                .note_limits(&record.id, record.spec.clone(), None)
                .await
                .map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = noted {
            tracing::warn!(container = %record.name, %error, "limits of a refused update are taken back later");
            self.wake.notify_one();
        }
    }

    /// The limits hold that held before a refused update: by the runtime, which is told of none too, and by the files.
    async fn tell_back(&self, record: &ContainerRecord) -> Result<(), Error> {
        let Some((pid, cri_id)) = self.process_of(record).await? else {
            return Ok(());
        };
        let before = record.progress.groups_before.clone();
        let said = |file: &str| {
            let found = before.iter().find(|one| one.file == file);
            found.map(|one| one.text.trim().to_owned())
        };
        let mut limits = record.spec.resources.spelled_out();
        // no word is none there
        limits.cpuset_cpus = limits.cpuset_cpus.or_else(|| said("cpuset.cpus"));
        limits.cpuset_mems = limits.cpuset_mems.or_else(|| said("cpuset.mems"));
        let told = self.runtime.update_container(&cri_id, &limits).await;
        let unified = self.facts().unified_cgroups;
        // also where the runtime refuses: what it refuses may be a file that is written here
        let written =
            on_disk(move || OwnGroups::of(pid, &cri_id, unified)?.write_back(&before)).await;
        told.and(written)
    }

    /// An update in which the daemon died, or whose limits could not be taken back at once: what the record says is told
    /// again, and where it is refused, the limits from before hold.
    pub(crate) async fn finish_cut_off_update(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let record = self.store.container(id)?;
        self.finish_noted_update(record).await.map(drop)
    }

    /// The same under the caller's claim, before the next update notes anew what held: the record as it is then.
    async fn finish_noted_update(
        self: &Arc<Self>,
        mut record: Arc<ContainerRecord>,
    ) -> Result<Arc<ContainerRecord>, Error> {
        let Some(before) = Before::noted(&record.progress) else {
            return Ok(record);
        };
        let new = record.spec.resources != before.limits || record.spec.ulimits != before.ulimits;
        let told = match new {
            true => self.tell_limits(&record).await,
            false => self.tell_back(&record).await,
        };
        match told {
            Ok(()) => {}
            Err(error @ Error::RuntimeUnavailable { .. }) => return Err(error),
            Err(error) if new => {
                tracing::warn!(container = %record.name, %error, "the runtime does not take the new limits");
                let mut spec = record.spec.clone();
                spec.resources.clone_from(&before.limits);
                spec.ulimits.clone_from(&before.ulimits);
                record = self.note_limits(&record.id, spec, Some(before)).await?;
                if let Err(error) = self.tell_back(&record).await {
                    tracing::warn!(container = %record.name, %error, "nor those from before");
                }
            }
            Err(error) => {
                tracing::warn!(container = %record.name, %error, "limits of a refused update may hold until the next start");
            }
        }
        let spec = record.spec.clone();
        self.note_limits(&record.id, spec, None).await
    }

    /// Tells the runtime and writes the files, where it runs; the limits of processes are set last.
    async fn tell_limits(&self, record: &ContainerRecord) -> Result<(), Error> {
        let status = self.status_of(record).await?;
        let Some(status) = status.filter(|status| status.state == CriState::Running) else {
            return Ok(());
        };
        let limits = record.spec.resources.clone();
        let unified = self.facts().unified_cgroups;
        let ulimits = record.spec.ulimits.clone();
        let by_files = limits.some_by_cgroup(unified) || limits.some_by_update();
        let pid = status.verbose.pid;
        // of a VM's the runtime is not told what would have to be taken back
        if pid.is_none() && (by_files || !ulimits.is_empty()) {
            return Err(crate::host::no_control_groups());
        }
        if record.progress.limits_before.as_ref() != Some(&limits) {
            let told = self.runtime.update_container(&status.cri_id, &limits);
            told.await?;
        }
        let Some(pid) = pid else {
            return Ok(());
        };
        on_disk(move || {
            let groups = OwnGroups::of(pid, &status.cri_id, unified)?;
            groups.write(&limits, Moment::Update)?;
            crate::host::set_limits(|| groups.processes(), &ulimits)
        })
        .await
    }

    async fn note_limits(
        self: &Arc<Self>,
        id: &Id,
        spec: ContainerSpec,
        before: Option<Before>,
    ) -> Result<Arc<ContainerRecord>, Error> {
        let noted = move |record: &mut ContainerRecord| {
            let health = &mut record.progress.health;
            health.updated(&record.spec.health, &spec.health);
            record.spec = spec;
            match before {
                Some(before) => before.note(&mut record.progress),
                None => Before::forget(&mut record.progress),
            }
            Some(Vec::new())
        };
        self.store
            .update_container(id, Write::ContainerUpdated, noted)
            .await
    }
}

/// The limits that held before an update.
#[derive(Clone)]
struct Before {
    limits: Resources,
    ulimits: Vec<Ulimit>,
    groups: Vec<FileBefore>,
}

impl Before {
    fn note(self, progress: &mut Progress) {
        progress.limits_before = Some(self.limits);
        progress.ulimits_before = self.ulimits;
        progress.groups_before = self.groups;
    }

    fn noted(progress: &Progress) -> Option<Self> {
        Some(Self {
            limits: progress.limits_before.clone()?,
            ulimits: progress.ulimits_before.clone(),
            groups: progress.groups_before.clone(),
        })
    }

    fn forget(progress: &mut Progress) {
        progress.limits_before = None;
        progress.ulimits_before = Vec::new();
        progress.groups_before = Vec::new();
    }
}

/// What is asked for from now on.
fn updated(old: &ContainerSpec, update: ContainerUpdate) -> Result<ContainerSpec, Error> {
    let ContainerUpdate {
        limits,
        ulimits,
        restart,
        env,
        unset_env,
        health,
    } = update;
    let mut spec = old.clone();
    spec.resources = old.resources.changed_by(&limits);
    spec.resources.check_memory()?;
    if old.resources.by_cgroup.oom_kill_disable.is_none() {
        let disable = &mut spec.resources.by_cgroup.oom_kill_disable;
        *disable = disable.filter(|disable| *disable); // as it is anyway
    }
    if !ulimits.is_empty() {
        spec.ulimits = ulimits;
    }
    if let Some(policy) = restart {
        if old.remove && policy != RestartPolicy::No {
            return Err(Error::InvalidArgument(GOES_BY_ITSELF.to_owned()));
        }
        spec.restart = policy;
    }
    change_variables(&mut spec, env, unset_env);
    spec.health = health.applied_to(&old.health)?;
    Ok(spec)
}

/// First those that are set, then those that are taken away, as in Podman: one that is both is gone. What the image or a
/// runtime sets is taken away by the gate.
fn change_variables(
    spec: &mut ContainerSpec,
    env: BTreeMap<String, String>,
    unset_env: BTreeSet<String>,
) {
    spec.unset_env.retain(|name| !env.contains_key(name));
    let named = |entry: &String| entry.split('=').next().unwrap_or_default().to_owned();
    spec.env_merge
        .retain(|entry| !unset_env.contains(&named(entry)));
    spec.env.extend(env);
    for name in unset_env {
        let of_image = |entry: &String| named(entry) == name;
        let own = spec.env.remove(&name).is_some();
        let image = spec.image.config.env.iter().any(of_image);
        if (image || !own) && !spec.unset_env.contains(&name) {
            spec.unset_env.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn variables_go_wherever_they_come_from() {
        let change = |old: &ContainerSpec, set: &[&str], unset: &[&str]| {
            let env = set.iter().map(|name| ((*name).to_owned(), "x".to_owned()));
            let update = ContainerUpdate {
                env: env.collect(),
                unset_env: unset.iter().map(|name| (*name).to_owned()).collect(),
                ..ContainerUpdate::default()
            };
            updated(old, update).unwrap()
        };
        let gone = change(&old(), &[], &["A"]);
        assert!(gone.env.is_empty() && gone.unset_env.is_empty());
        let gone = change(&old(), &[], &["PATH", "container"]);
        assert_eq!(gone.unset_env, ["PATH", "container"]);
        assert!(gone.takes_away("PATH"));
        let back = change(&gone, &["PATH"], &[]);
        assert_eq!((back.unset_env.len(), back.env["PATH"].as_str()), (1, "x"));
        let both = change(&old(), &["A"], &["A"]);
        assert!(both.env.is_empty());
        let mut merged = old();
        merged.env_merge = vec!["M=$A".to_owned(), "N=b".to_owned()];
        assert_eq!(change(&merged, &[], &["M"]).env_merge, ["N=b"]);
    }

    #[test]
    fn limits_of_processes_are_replaced_and_the_killer_is_as_it_is_anyway() {
        let limit = |name: &str| Ulimit {
            name: name.to_owned(),
            soft: 1,
            hard: 2,
        };
        let mut before = old();
        before.ulimits = vec![limit("nofile"), limit("core")];
        let mut update = ContainerUpdate::default();
        update.limits.by_cgroup.oom_kill_disable = Some(false);
        let spec = updated(&before, update).unwrap();
        assert_eq!(spec, before);
        let update = ContainerUpdate {
            ulimits: vec![limit("nproc")],
            ..ContainerUpdate::default()
        };
        assert_eq!(updated(&before, update).unwrap().ulimits, [limit("nproc")]);
    }

    #[test]
    fn shares_are_not_told_of_what_was_idle() {
        let mut limits = old().resources;
        assert_eq!(limits.spelled_out().cpu_shares, Some(1024));
        limits.cpu_shares = Some(512);
        assert_eq!(limits.spelled_out().cpu_shares, Some(512));
        limits.by_cgroup.cpu_idle = Some(1);
        assert_eq!(limits.spelled_out().cpu_shares, None);
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
