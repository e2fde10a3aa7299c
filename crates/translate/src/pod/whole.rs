//! What a pod create asks for of all the pod's containers: mounts, devices, security options, shared memory, limits.

use std::collections::BTreeMap;

use model::Error;
use model::cgroup::ByCgroup;
use model::container::Resources;
use model::pod::{PodSecurity, PodSpec};
use podman_api::container::libpod::{ImageVolume, NamedVolume, OverlayVolume};
use podman_api::oci;

use super::BODY;
use crate::container::{block, devices, limits, mounts, security, systemd};
use crate::fields::{POD_DEVICE_RULES, POD_MASKS};
use crate::refuse::invalid;

/// Podman's words around what a pod cannot be made with.
const MAKE: &str = "failed to make pod";
/// The same of options that it cannot read.
const FILL_OUT: &str = "filling out specgen";

/// The fields of the body.
pub(super) struct Asked {
    pub(super) mounts: Vec<oci::Mount>,
    pub(super) volumes: Vec<NamedVolume>,
    pub(super) overlay_volumes: Vec<OverlayVolume>,
    pub(super) image_volumes: Vec<ImageVolume>,
    pub(super) volumes_from: Vec<String>,
    pub(super) pod_devices: Vec<String>,
    pub(super) security_opt: Vec<String>,
    pub(super) shm_size: Option<i64>,
    pub(super) shm_size_systemd: Option<i64>,
    pub(super) resource_limits: Option<oci::Resources>,
    pub(super) cpu_period: u64,
    pub(super) cpu_quota: i64,
    pub(super) throttle_read_bps_device: BTreeMap<String, oci::ThrottleDevice>,
}

/// The record with all this in it.
///
/// # Errors
/// [`Error::Unsupported`] for a value that is not carried out, by its field; else Podman's text.
pub(super) fn with(base: PodSpec, asked: Asked, no_infra: bool) -> Result<PodSpec, Error> {
    let spec = read(base, asked)?;
    if no_infra {
        check_without_infra(&spec)?;
    }
    Ok(spec)
}

fn read(base: PodSpec, asked: Asked) -> Result<PodSpec, Error> {
    let Asked {
        mounts,
        volumes,
        overlay_volumes,
        image_volumes,
        volumes_from,
        pod_devices,
        security_opt,
        shm_size,
        shm_size_systemd,
        resource_limits,
        cpu_period,
        cpu_quota,
        throttle_read_bps_device,
    } = asked;
    let told = |error: Error| match error {
        Error::Unsupported { .. } => error,
        other => other.behind(MAKE),
    };
    let mounts = mounts::of_create(mounts, volumes, overlay_volumes, image_volumes);
    let (devices, cdi_devices) = devices::from_words(pod_devices).map_err(told)?;
    let mut resources = limits::from_libpod(resource_limits, None).map_err(told)?;
    if !resources.by_cgroup.device_rules.is_empty() {
        let what = "resource_limits.devices";
        return Err(Error::unsupported(what, POD_DEVICE_RULES));
    }
    resources.cpu_period_us = resources.cpu_period_us.or(positive(cpu_period));
    resources.cpu_quota_us = resources.cpu_quota_us.or(positive(cpu_quota));
    resources.by_cgroup = resources.by_cgroup.changed_by(&ByCgroup {
        read_bps: block::at_paths(throttle_read_bps_device),
        ..ByCgroup::default()
    });
    Ok(PodSpec {
        mounts: mounts.map_err(told)?,
        volumes_from: mounts::volumes_from(&volumes_from).map_err(told)?,
        devices,
        cdi_devices,
        security: security_of(&security_opt)?,
        shm_bytes: shm_size.map(shm_bytes).transpose()?,
        systemd_tmpfs_bytes: systemd::tmpfs_bytes(shm_size_systemd)?,
        resources: Some(resources).filter(|limits| *limits != Resources::default()),
        ..base
    })
}

fn positive<N: Default + PartialOrd>(number: N) -> Option<N> {
    Some(number).filter(|number| *number > N::default())
}

fn shm_bytes(bytes: i64) -> Result<u64, Error> {
    u64::try_from(bytes).map_err(|_| invalid("shm_size", "is negative"))
}

fn security_of(options: &[String]) -> Result<Option<PodSecurity>, Error> {
    const FIELD: &str = "security_opt";
    let security::Security {
        no_new_privileges,
        seccomp,
        apparmor,
        selinux,
        mask,
        unmask,
        proc_options,
    } = security::from_words(BODY, FIELD, options, FILL_OUT)?;
    if let Some(path) = mask.first().or(unmask.first()).or(proc_options.first()) {
        return Err(BODY.refusal_of(FIELD, path, POD_MASKS));
    }
    let security = PodSecurity {
        no_new_privileges,
        seccomp_unconfined: seccomp.is_off(),
        seccomp: seccomp.of_seccomp(),
        apparmor_unconfined: apparmor.is_off(),
        apparmor: apparmor.own(),
        selinux,
    };
    Ok(Some(security).filter(|security| *security != PodSecurity::default()))
}

/// Podman takes them and passes nothing on, for it is the infra container that has them.
fn check_without_infra(spec: &PodSpec) -> Result<(), Error> {
    let asked = [
        ("mounts", !spec.mounts.is_empty()),
        ("volumes_from", !spec.volumes_from.is_empty()),
        (
            "pod_devices",
            !(spec.devices.is_empty() && spec.cdi_devices.is_empty()),
        ),
        ("security_opt", spec.security.is_some()),
        ("shm_size", spec.shm_bytes.is_some()),
        ("shm_size_systemd", spec.systemd_tmpfs_bytes.is_some()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(invalid(
            field,
            "a pod without infra container passes nothing on to its containers",
        )),
        None => Ok(()),
    }
}
