//! What all containers of a pod get: found at the pod's create, given to each at its own.

use std::sync::Arc;

use model::Error;
use model::container::{ContainerSpec, Mount, MountKind, Resources};
use model::event::Action;
use model::pod::{PodSpec, Role, SandboxRecord};
use model::volume::VolumeRecord;

use crate::containers::{leave_out_of_v2, volumes_of};
use crate::events::{of_pod, of_volume};
use crate::host;
use crate::store::remove_dir;
use crate::system::Inner;
use crate::volumes::on_disk;

/// Podman's words around what a pod cannot be made with.
fn told(error: Error) -> Error {
    match error {
        Error::Unsupported { .. } => error,
        other => other.behind("failed to make pod"),
    }
}

impl Inner {
    /// Finds what a new pod's containers are to get, and whether this host has it.
    ///
    /// # Errors
    /// Podman's words for what is not there.
    pub(super) async fn find_whole(&self, spec: &mut PodSpec) -> Result<(), Error> {
        let mut each = spec.share_of_each();
        self.take_mounts(&mut each).await.map_err(told)?;
        self.read_profiles(&mut each).await.map_err(told)?;
        self.check_image_mounts(&each)?;
        self.find_devices(&mut each).await.map_err(told)?;
        let unified = self.facts().unified_cgroups;
        if let Some(limits) = spec.resources.as_mut().filter(|_| unified) {
            // the answer has no room for them
            for warning in leave_out_of_v2(&mut limits.by_cgroup) {
                tracing::warn!("a new pod: {warning}");
            }
        }
        let asked = spec.resources.take();
        spec.resources = asked.filter(|limits| *limits != Resources::default());
        let (checked, limits) = (each.clone(), spec.resources.clone());
        on_disk(move || {
            limits.map_or(Ok(()), |limits| host::check_pod_limits(&limits, unified))?;
            host::make_or_miss_sources(&checked)
        })
        .await
        .map_err(told)?;
        spec.mounts = each.mounts;
        spec.devices = each.devices;
        Ok(())
    }

    /// Stores a new pod, with the volumes that it names and nobody has.
    pub(super) async fn store_pod(
        self: &Arc<Self>,
        mut record: SandboxRecord,
    ) -> Result<(), Error> {
        let mut each = record.spec.share_of_each();
        // A volume that is used here is not removed meanwhile.
        let has_any = volumes_of(&each).next().is_some() || !record.spec.empty_dirs.is_empty();
        let _change = match has_any {
            true => Some(self.store.change_volumes().await),
            false => None,
        };
        let mut volumes: Vec<VolumeRecord> = self.make_volumes(&mut each).await.map_err(told)?;
        volumes.extend(self.make_empty_dirs(&record.spec.empty_dirs).await?);
        record.spec.mounts = each.mounts;
        let made = volumes
            .iter()
            .map(|volume| of_volume(volume, Action::Create));
        let events = made.chain([of_pod(&record, Action::Create)]).collect();
        self.store.create_pod(record, volumes, events).await
    }

    /// Takes away what was made on the host for a pod, whose sandboxes are gone.
    pub(crate) async fn remove_pod_place(&self, pod: &SandboxRecord) -> Result<(), Error> {
        if let Role::Pod { infra: Some(infra) } = &pod.role {
            self.remove_anonymous_volumes(infra, &pod.spec.mounts).await;
            for volume in &pod.spec.empty_dirs {
                self.remove_anonymous_volume(infra, volume.as_str()).await;
            }
        }
        let dir = self.store.dir().pod(&pod.id);
        let group = self.group_of(pod);
        if pod.spec.own_shm().is_none() && group.is_none() {
            return Ok(());
        }
        on_disk(move || {
            host::drop_pod_shm(&dir)?;
            remove_dir(&dir)?;
            if let Some(Err(error)) = group.map(|group| group.remove()) {
                // no reason to keep the pod
                tracing::warn!(%error, "it stays when its pod is gone");
            }
            Ok(())
        })
        .await?;
        crate::crash::point("disk", "pod.removed");
        Ok(())
    }

    /// Begins a pod anew, before its sandbox is made: the group with its limits, and no shared memory of the time before.
    pub(crate) async fn make_pod_place(&self, pod: &SandboxRecord) -> Result<(), Error> {
        self.drop_shm(pod).await?;
        let (group, limits) = (self.group_of(pod), pod.spec.resources.clone());
        if let (Some(group), Some(limits)) = (group, limits) {
            on_disk(move || group.make(&limits)).await?;
            crate::crash::point("disk", "pod.group");
        }
        Ok(())
    }

    /// Unmounts the shared memory of a pod that goes down; the containers that still run keep it.
    pub(crate) async fn drop_shm(&self, pod: &SandboxRecord) -> Result<(), Error> {
        if pod.spec.own_shm().is_none() {
            return Ok(());
        }
        let dir = self.store.dir().pod(&pod.id);
        on_disk(move || host::drop_pod_shm(&dir)).await?;
        crate::crash::point("disk", "pod.unmounted");
        Ok(())
    }

    /// Writes a pod's limits once more, before a container of it starts: a slice is there from its first container on.
    pub(crate) async fn limit_pod(&self, pod: &SandboxRecord) -> Result<(), Error> {
        match (self.group_of(pod), pod.spec.resources.clone()) {
            (Some(group), Some(limits)) => on_disk(move || group.limit(&limits)).await,
            _ => Ok(()),
        }
    }

    fn group_of(&self, pod: &SandboxRecord) -> Option<host::PodGroup> {
        let facts = self.facts();
        let group = pod.own_group(&facts.cgroup_manager)?;
        Some(host::PodGroup::new(&group, facts.unified_cgroups))
    }
}

/// Gives a new container what its pod has for each, where it does not ask for something of the kind itself.
///
/// # Errors
/// Podman's for two mounts at one place.
pub(crate) fn inherit(spec: &mut ContainerSpec, pod: &PodSpec) -> Result<(), Error> {
    let ContainerSpec {
        mounts,
        devices,
        cdi_devices,
        no_new_privileges,
        seccomp_unconfined,
        seccomp,
        apparmor_unconfined,
        apparmor,
        selinux,
        systemd_tmpfs_bytes,
        ..
    } = pod.share_of_each();
    spec.systemd_tmpfs_bytes = systemd_tmpfs_bytes.or(spec.systemd_tmpfs_bytes);
    inherit_mounts(spec, mounts)?;
    if spec.devices.is_empty() && spec.cdi_devices.is_empty() {
        (spec.devices, spec.cdi_devices) = (devices, cdi_devices);
    }
    spec.no_new_privileges |= no_new_privileges;
    spec.selinux.splice(..0, selinux);
    if !spec.privileged && !spec.seccomp_unconfined && spec.seccomp.is_none() {
        (spec.seccomp_unconfined, spec.seccomp) = (seccomp_unconfined, seccomp);
    }
    if !spec.privileged && !spec.apparmor_unconfined && spec.apparmor.is_none() {
        (spec.apparmor_unconfined, spec.apparmor) = (apparmor_unconfined, apparmor);
    }
    Ok(())
}

fn inherit_mounts(spec: &mut ContainerSpec, of_pod: Vec<Mount>) -> Result<(), Error> {
    for theirs in &of_pod {
        let mut own = spec.mounts.iter();
        if let Some(own) = own.find(|own| own.destination == theirs.destination) {
            return Err(both_at(own, theirs));
        }
    }
    spec.mounts.splice(..0, of_pod);
    Ok(())
}

/// Podman's words for two mounts at one place, which are others for each pair of kinds (asked of 5.8.6).
fn both_at(one: &Mount, other: &Mount) -> Error {
    let at = &one.destination;
    let is_volume = |mount: &Mount| mount.kind == MountKind::Volume && !mount.is_overlay();
    let volumes = [one, other]
        .into_iter()
        .filter(|mount| is_volume(mount))
        .count();
    let overlays = [one, other]
        .into_iter()
        .filter(|mount| mount.is_overlay())
        .count();
    let what = match (volumes, overlays) {
        (2, _) | (_, 2) => format!("conflict in specified volumes - multiple volumes at {at:?}"),
        (1, 1) => format!("baseVolumes conflict with overlay mount at mount destination {at}"),
        (_, 1) => format!("baseMounts conflict with overlay mount at mount destination {at}"),
        (1, _) => format!("baseMounts conflict at mount destination {at}"),
        _ => format!("{at:?}"),
    };
    let cause = "duplicate mount destination".to_owned();
    Error::Failed {
        message: format!("{what}: {cause}"),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use model::container::{Device, SeccompProfile};
    use model::pod::PodSecurity;

    use super::*;

    fn mount(destination: &str) -> Mount {
        Mount {
            destination: destination.to_owned(),
            ..Mount::default()
        }
    }

    fn device(destination: &str) -> Device {
        Device {
            destination: destination.to_owned(),
            ..Device::default()
        }
    }

    fn profile() -> SeccompProfile {
        SeccompProfile {
            asked: "/pod.json".to_owned(),
            ..SeccompProfile::default()
        }
    }

    fn pod() -> PodSpec {
        PodSpec {
            mounts: vec![mount("/p")],
            devices: vec![device("/dev/p")],
            security: Some(PodSecurity {
                no_new_privileges: true,
                seccomp: Some(profile()),
                apparmor_unconfined: true,
                selinux: vec!["disable".to_owned()],
                ..PodSecurity::default()
            }),
            ..PodSpec::default()
        }
    }

    #[test]
    fn a_container_gets_what_its_pod_has_before_its_own() {
        let mut spec = ContainerSpec {
            mounts: vec![mount("/own")],
            ..ContainerSpec::default()
        };
        inherit(&mut spec, &pod()).unwrap();
        assert_eq!(spec.mounts, [mount("/p"), mount("/own")]);
        assert_eq!(spec.devices, [device("/dev/p")]);
        assert!(spec.no_new_privileges && spec.apparmor_unconfined);
        assert_eq!(spec.seccomp, Some(profile()));
        assert_eq!(spec.selinux, ["disable"]);
    }

    #[test]
    fn what_it_asks_for_itself_outranks_its_pods_and_a_privileged_one_gets_no_profiles() {
        let own = ContainerSpec {
            devices: vec![device("/dev/own")],
            seccomp_unconfined: true,
            apparmor: Some("mine".to_owned()),
            ..ContainerSpec::default()
        };
        let privileged = ContainerSpec {
            privileged: true,
            ..ContainerSpec::default()
        };
        for mut spec in [own, privileged] {
            let before = spec.clone();
            inherit(&mut spec, &pod()).unwrap();
            assert_eq!(spec.seccomp, None);
            assert_eq!(spec.seccomp_unconfined, before.seccomp_unconfined);
            assert_eq!(spec.apparmor, before.apparmor);
            assert!(!spec.apparmor_unconfined);
            let devices = if before.privileged {
                "/dev/p"
            } else {
                "/dev/own"
            };
            assert_eq!(spec.devices, [device(devices)]);
        }
    }

    #[test]
    fn two_mounts_at_one_place_are_refused() {
        for (kind, options, text) in [
            (MountKind::Bind, vec![], "\"/p\""),
            (
                MountKind::Volume,
                vec![],
                "baseMounts conflict at mount destination /p",
            ),
            (
                MountKind::Bind,
                vec!["O".to_owned()],
                "baseMounts conflict with overlay mount at mount destination /p",
            ),
        ] {
            let mut spec = ContainerSpec {
                mounts: vec![Mount {
                    kind,
                    options,
                    ..mount("/p")
                }],
                ..ContainerSpec::default()
            };
            let error = inherit(&mut spec, &pod()).unwrap_err().to_string();
            assert_eq!(error, format!("{text}: duplicate mount destination"));
        }
    }
}
