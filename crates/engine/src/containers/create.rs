//! Create: a record, after checking all that can be checked. Nothing is made at the runtime.

use std::sync::Arc;

use jiff::Timestamp;
use model::cgroup::ByCgroup;
use model::container::{ContainerRecord, ContainerSpec, Face, ImageRef, Progress, RestartPolicy};
use model::error::Kind;
use model::event::{Action, Event};
use model::handler::Guest;
use model::joined::Joined;
use model::pod::SandboxRecord;
use model::request::{Created, ImageVolumes, NewContainer};
use model::volume::VolumeRecord;
use model::{Error, Id, systemd};

use super::volumes::{add_image_volumes, volumes_of};
use crate::events::{of_container, of_volume};
use crate::pods::inherit;
use crate::ports::to_publish;
use crate::runtime::Runtime as _;
use crate::store::{Found, is_pod};
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;

impl Engine {
    /// `POST /containers/create` and `POST /libpod/containers/create`.
    ///
    /// # Errors
    /// An unknown image, pod or handler, a name in use, a missing bind source, a field that CRI cannot
    /// carry out.
    pub async fn create_container(&self, new: NewContainer) -> Result<Created, Error> {
        let inner = self.inner();
        let NewContainer {
            name,
            pod,
            mut spec,
            requires,
            joins,
            userns,
            image_volumes,
            systemd,
            host_env,
            mut warnings,
        } = new;
        if inner.facts().unified_cgroups {
            warnings.extend(leave_out_of_v2(&mut spec.resources.by_cgroup));
        }
        check_image_named(&spec)?;
        inner.leave().await?;
        // No other gets the ids that are chosen here.
        let _ids = inner.choosing_ids(&userns).await;
        let pod = pod.map(|pod| inner.pod_to_join(&pod)).transpose()?;
        spec.requires = inner.required(&requires, pod.as_deref())?;
        let home = inner.join(&mut spec, &joins, pod)?;
        if let Some(pod) = home.as_deref().filter(|home| is_pod(home)) {
            inherit(&mut spec, &pod.spec)?;
            inner.check_init_container(&spec, pod).await?;
        }
        inner.choose_handler(&mut spec.handler, home.as_deref())?;
        let guest = inner.guest_to_be(&spec, home.as_deref());
        inner
            .complete(&mut spec, guest.as_ref(), image_volumes, host_env)
            .await?;
        // Podman looks for the image before
        inner.check_name(name.as_deref(), spec.face)?;
        systemd::decide(&mut spec, systemd);
        restart_as_pod(&mut spec, home.as_deref());
        let id = Id::generate();
        inner
            .give_ids(&id, &mut spec, &userns, home.as_deref())
            .await?;
        let name = name.unwrap_or_else(|| inner.store.read(|book| book.free_name(&id)));
        let created_at = Timestamp::now();
        let hidden = || SandboxRecord::hidden(&id, &name, &spec, created_at);
        let hidden = home.is_none().then(hidden);
        let own = hidden.clone().map(Arc::new);
        let sandbox = home.or(own).ok_or_else(no_sandbox)?;
        inner.check_spec(&spec, &sandbox).await?;
        inner.find_devices(&mut spec).await?;
        // Those that it joins are not removed meanwhile.
        let _claim = inner.hold_joined(&spec.joined, &sandbox.id).await?;
        // It may be a copy of a whole image: whoever makes something with volumes does not wait for it.
        let offering = inner.offer(&mut spec.image, guest.as_ref()).await?;
        // A volume that is used here is not removed meanwhile.
        let _change = match volumes_of(&spec).next() {
            Some(_) => Some(inner.store.change_volumes().await),
            None => None,
        };
        let stored = async {
            let volumes = inner.make_volumes(&mut spec).await?;
            let record = ContainerRecord {
                id: id.clone(),
                name,
                sandbox: sandbox.id.clone(),
                created_at,
                spec,
                progress: Progress::default(),
            };
            let created = of_container(&record, Some(&sandbox), Action::Create);
            inner.store_new(record, hidden, volumes, created).await
        };
        let stored = Box::pin(stored).await;
        inner.settle_offer(offering, stored.is_ok()).await;
        stored.map(|()| Created { id, warnings })
    }
}

/// Whoever is in no other's has its own.
fn no_sandbox() -> Error {
    Error::Internal("a container without a sandbox".to_owned())
}

impl Inner {
    async fn store_new(
        &self,
        record: ContainerRecord,
        hidden: Option<SandboxRecord>,
        volumes: Vec<VolumeRecord>,
        created: Event,
    ) -> Result<(), Error> {
        let made = volumes.iter().map(|one| of_volume(one, Action::Create));
        let events = made.chain([created]).collect();
        let store = &self.store;
        store
            .create_container(record, hidden, volumes, events)
            .await
    }

    /// Finds what is asked for by name, and what the image adds to it.
    async fn complete(
        &self,
        spec: &mut ContainerSpec,
        guest: Option<&Guest>,
        image_volumes: ImageVolumes,
        host_env: bool,
    ) -> Result<(), Error> {
        spec.image = self.image_for_create(&spec.image.asked, spec.face).await?;
        self.registry_for(&spec.image, guest)?;
        self.read_profiles(spec).await?;
        self.find_secrets(spec)?;
        self.take_mounts(spec).await?;
        let shares = guest.is_none_or(|guest| guest.shares_files);
        take_from_image(spec, shares.then_some(image_volumes))?;
        if host_env {
            take_from_host(spec);
        }
        let (ports, exposed) = (std::mem::take(&mut spec.ports), to_publish(spec));
        spec.ports = self.choose_ports(ports, exposed).await?;
        Ok(())
    }
}

/// Takes out what cgroup v2 has not and Podman or Docker leaves out with these words.
pub(crate) fn leave_out_of_v2(limits: &mut ByCgroup) -> Vec<String> {
    let period = limits.rt_period_us.take();
    let runtime = limits.rt_runtime_us.take();
    let killer = limits.oom_kill_disable.take();
    let told = [
        (
            period.is_some(),
            "Realtime period not supported on cgroups V2 systems",
        ),
        (
            runtime.is_some(),
            "Realtime runtime not supported on cgroups V2 systems",
        ),
        (
            killer == Some(true),
            "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
        ),
    ];
    let told = told.into_iter().filter(|(asked, _)| *asked);
    told.map(|(_, words)| words.to_owned()).collect()
}

/// A container in a pod starts again as the pod says, where it says nothing itself.
fn restart_as_pod(spec: &mut ContainerSpec, home: Option<&SandboxRecord>) {
    if let Some(restart) = home.and_then(|pod| pod.spec.restart)
        && spec.restart == RestartPolicy::No
        && spec.init_container.is_none()
    {
        spec.restart = restart;
    }
}

/// What a container has of its image: its health check and volumes, and its labels under the container's own, as Podman shows
/// them.
fn take_from_image(spec: &mut ContainerSpec, volumes: Option<ImageVolumes>) -> Result<(), Error> {
    for (key, value) in &spec.image.config.labels {
        let own = spec.labels.entry(key.clone());
        own.or_insert_with(|| value.clone());
    }
    spec.health.complete(spec.image.config.health.as_ref())?;
    if let Some(volumes) = volumes {
        add_image_volumes(spec, volumes);
    }
    Ok(())
}

/// The daemon's own variables below those that were asked for.
fn take_from_host(spec: &mut ContainerSpec) {
    for (name, value) in std::env::vars_os() {
        // CRI has text alone
        if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
            spec.env.entry(name).or_insert(value);
        }
    }
}

impl Inner {
    /// Finds those whose namespaces a container joins, which are required too; answers the sandbox that it lives in, where that
    /// is theirs or a pod.
    fn join(
        &self,
        spec: &mut ContainerSpec,
        joins: &Joined<String>,
        pod: Option<Arc<SandboxRecord>>,
    ) -> Result<Option<Arc<SandboxRecord>>, Error> {
        let at_create = |error| spec.face.at_create(error);
        spec.joined = self.joined(joins, pod.as_deref()).map_err(at_create)?;
        for (_, id) in spec.joined.all() {
            if !spec.requires.contains(id) {
                spec.requires.push(id.clone());
            }
        }
        match pod {
            Some(pod) => Ok(Some(pod)),
            None => self.home_of(&spec.joined, spec.network),
        }
    }

    /// The name of a new container is one, and free. Podman looks for its image first.
    fn check_name(&self, name: Option<&str>, face: Face) -> Result<(), Error> {
        let Some(name) = name else {
            return Ok(());
        };
        face.check_name(name)?;
        self.store.read(|book| book.new_name_free(name, face))
    }

    /// Whether the runtime can carry it out, and whether the sources of its mounts are there.
    async fn check_spec(&self, spec: &ContainerSpec, sandbox: &SandboxRecord) -> Result<(), Error> {
        self.runtime.check_container(spec, sandbox, &self.facts())?;
        let unified = self.facts().unified_cgroups;
        self.gate.check(spec, &self.facts())?;
        self.check_image_mounts(spec)?;
        let checked = spec.clone();
        on_disk(move || {
            crate::host::check_limits(&checked.resources, unified)
                .map_err(|error| checked.face.at_create(error))?;
            let zone = checked.timezone.as_deref();
            zone.map_or(Ok(()), crate::host::check_timezone)?;
            crate::host::make_or_miss_sources(&checked)
        })
        .await
    }

    /// Devices as they are on the host at this moment: a folder's are all that lie in it.
    pub(crate) async fn find_devices(&self, spec: &mut ContainerSpec) -> Result<(), Error> {
        if spec.devices.is_empty() {
            return Ok(());
        }
        let asked = std::mem::take(&mut spec.devices);
        let found = on_disk(move || crate::host::device_nodes(&asked)).await;
        spec.devices = found.map_err(|error| spec.face.at_create(error))?;
        Ok(())
    }

    fn pod_to_join(&self, name: &str) -> Result<Arc<SandboxRecord>, Error> {
        match self.store.read(|book| book.find_pod(name)) {
            Found::One(pod) if pod.progress.removing => Err(Error::not_found(Kind::Pod, name)),
            Found::One(pod) => Ok(pod),
            Found::None => Err(Error::not_found(Kind::Pod, name)),
            Found::Many => Err(crate::list::ambiguous("pod", name)),
        }
    }

    /// The image of a new container: found, and its configuration kept.
    async fn image_for_create(&self, asked: &str, face: Face) -> Result<ImageRef, Error> {
        let image = self.find_image(asked, face).await?.ok_or_else(|| {
            let name = match face {
                Face::Libpod => asked.to_owned(),
                Face::Compat => crate::images::compat_name(asked),
            };
            Error::NotFound {
                kind: Kind::Image,
                message: format!("no such image: {name}: image not known"),
            }
        })?;
        Ok(ImageRef {
            asked: asked.to_owned(),
            name: image.shown_name,
            id: image.detail.summary.id.clone(),
            digest: image.detail.summary.digests.first().cloned(),
            config: image.detail.config.clone(),
            offered: None, // where its guest pulls by itself, later
        })
    }
}

fn check_image_named(spec: &ContainerSpec) -> Result<(), Error> {
    match spec.image.asked.is_empty() {
        true => Err(Error::InvalidArgument(
            "must set root filesystem source to either image or rootfs".to_owned(),
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cgroup_v2_has_not_is_left_out_and_told() {
        let mut limits = ByCgroup {
            rt_runtime_us: Some(5),
            oom_kill_disable: Some(true),
            cpu_idle: Some(1),
            ..ByCgroup::default()
        };
        assert_eq!(leave_out_of_v2(&mut limits).len(), 2);
        let left = ByCgroup {
            cpu_idle: Some(1),
            ..ByCgroup::default()
        };
        assert_eq!(limits, left);
        assert!(leave_out_of_v2(&mut limits).is_empty());
    }
}
