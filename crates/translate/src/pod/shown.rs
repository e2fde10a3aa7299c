//! What a pod's inspect shows of what all its containers get.

use model::pod::PodSpec;
use podman_api::container::libpod::InspectHostConfig;
use podman_api::pod::InspectPod;

use crate::container::inspect_mounts;
use crate::container::show_host::{security_opt, volumes_from, with_limits};

/// Podman shows them as those of the infra container, but for the limits, which are the pod's.
pub(super) fn with_whole(base: InspectPod, spec: &PodSpec) -> InspectPod {
    let infra = spec.share_of_each();
    let limits = spec.resources.clone().unwrap_or_default();
    let shown = with_limits(InspectHostConfig::default(), &limits);
    InspectPod {
        cpu_period: shown.cpu_period,
        cpu_quota: shown.cpu_quota,
        cpu_shares: shown.cpu_shares,
        cpuset_cpus: shown.cpuset_cpus,
        cpuset_mems: shown.cpuset_mems,
        mounts: inspect_mounts(&infra),
        device_read_bps: shown.blkio_device_read_bps.unwrap_or_default(),
        device_write_bps: shown.blkio_device_write_bps.unwrap_or_default(),
        volumes_from: volumes_from(&infra),
        security_opt: security_opt(&infra),
        memory_limit: bytes(limits.memory_bytes),
        memory_swap: bytes(limits.memory_swap_bytes),
        blkio_weight: u64::from(limits.by_cgroup.block_weight.unwrap_or(0)),
        ..base
    }
}

/// As Podman shows it: -1 as the largest number.
fn bytes(limit: Option<i64>) -> u64 {
    limit.unwrap_or(0).cast_unsigned()
}
